// SPDX-License-Identifier: Apache-2.0
//! A login that was refused or put off: what was looked at, what was wrong,
//! and what to do.

use standin::fault::Status;

/// What a login is checked for, in this order.
const STEPS: [&str; 9] = ["channel", "shape", "clock", "host", "region", "key", "identity", "signature", "Connect"];

/// What the audit says of one login.
pub(super) struct Login<'r> {
    /// Number of the reason; 0 on success.
    pub(super) status: i32,
    /// The operator's reason.
    pub(super) reason: &'r str,
    /// Access key id, where it is known.
    pub(super) key: &'r str,
    /// ARN of whose key it is, where it is known.
    pub(super) subject: &'r str,
}

impl Login<'_> {
    fn is(&self, status: Status) -> bool {
        self.status == status.number()
    }

    /// The step at which it ended; none when it went through, or ended for
    /// something that is none of the client's doing.
    fn ended_at(&self) -> Option<&'static str> {
        let own_end = self.reason.starts_with("the temporary credentials");
        let of = |statuses: &[Status]| statuses.iter().any(|s| self.is(*s));
        let step = if of(&[Status::PlaintextChannel]) {
            "channel"
        } else if of(&[Status::Malformed, Status::KindNotAccepted]) {
            if self.reason.contains("session token") { "key" } else { "shape" }
        } else if of(&[Status::UnknownKey, Status::KeyDisabled, Status::Revoked]) || self.is(Status::Expired) && own_end
        {
            "key"
        } else if of(&[Status::ClockSkew, Status::Expired]) {
            "clock"
        } else if of(&[Status::WrongHost]) {
            "host"
        } else if of(&[Status::WrongRegion]) {
            "region"
        } else if of(&[Status::IdentityDisabled]) {
            "identity"
        } else if of(&[Status::SignatureMismatch, Status::Replayed]) {
            "signature"
        } else if of(&[Status::ConnectNotAllowed]) {
            "Connect"
        } else {
            return None;
        };
        Some(step)
    }

    /// Each step with `right`, `wrong` or `-` for what was not looked at.
    pub(super) fn steps(&self) -> Vec<(&'static str, &'static str)> {
        let ended = self.ended_at().and_then(|step| STEPS.iter().position(|s| *s == step));
        let state = |n: usize| match ended {
            _ if self.status == 0 => "right",
            Some(end) if n < end => "right",
            Some(end) if n == end => "wrong",
            _ => "-",
        };
        STEPS.iter().enumerate().map(|(n, step)| (*step, state(n))).collect()
    }

    /// What to do about it.
    pub(super) fn advice(&self) -> Vec<String> {
        let Self { reason, key, subject, .. } = *self;
        let name = subject.rsplit('/').next().unwrap_or_default();
        let kind = if subject.contains(":role/") { "role" } else { "user" };
        let one = |text: &str| vec![text.to_owned()];
        match self.status {
            0 => Vec::new(),
            n if n == Status::UnknownKey.number() => vec![
                "keys issued by AWS cannot be verified here: make one with `standin key create USER` and give it to the client".into(),
                "look which credentials the client takes: environment, profile or instance role".into(),
            ],
            n if n == Status::SignatureMismatch.number() => vec![
                format!("give the client the secret that belongs to {key}; if nobody has it, make a new key with `standin key create {name}`"),
                "compare the hash above with that of the canonical request in the client's debug log: equal hashes mean a wrong secret, different ones that something was altered on the way".into(),
            ],
            n if n == Status::KeyDisabled.number() => vec![format!("`standin key enable {key}`, or give the client another key of {name}")],
            n if n == Status::IdentityDisabled.number() => vec![format!("`standin {kind} enable {name}`, if that is meant to be")],
            n if n == Status::Expired.number() && self.ended_at() == Some("key") => {
                one("let the client fetch new temporary credentials before the old ones end; a credential_process does that by itself")
            }
            n if n == Status::Expired.number() || n == Status::ClockSkew.number() => {
                one("set the clocks of client and broker by NTP; standin.login.clock.skew.ms is how far they may be apart")
            }
            n if n == Status::WrongHost.number() => match signed_host(reason) {
                Some((found, accepted)) => vec![
                    format!("if {found} is a name of this listener: standin.hosts={accepted},{found}"),
                    "else let the client dial, and the broker advertise, one of the names listed".into(),
                ],
                None => one("list the name the client dials in standin.hosts"),
            },
            n if n == Status::WrongRegion.number() => {
                one("set the client's region (AWS_REGION; AWS_DEFAULT_REGION for Python) to one that is accepted, or list it in standin.regions")
            }
            n if n == Status::PlaintextChannel.number() => one("give the listener SASL_SSL in listener.security.protocol.map"),
            n if n == Status::Replayed.number() => {
                one("standin.replay=audit accepts repeats; Java clients that open two connections in a second repeat themselves")
            }
            n if n == Status::Revoked.number() => one("an administrator ended it; the client may log in anew"),
            n if n == Status::KindNotAccepted.number() => one("list the kind in standin.evidence, or send the client to another listener"),
            n if n == Status::Malformed.number() && self.ended_at() == Some("key") => {
                one("the temporary credentials are of another store, or were cut off: assume the role anew")
            }
            n if n == Status::Malformed.number() => {
                one("the client did not send what clients of AWS_MSK_IAM or the MSK signers send: look at its version and its region")
            }
            n if n == Status::ConnectNotAllowed.number() => Vec::new(),
            n if (-399..=-300).contains(&n) => one(
                "this was no refusal: the client was told to try again. When it goes on, see what happened to the store, and `standin-feed-silence-ms`",
            ),
            _ => one("see the table of reasons in docs/operations.md"),
        }
    }
}

/// Which name was signed, and which are accepted.
fn signed_host(reason: &str) -> Option<(&str, &str)> {
    let (_, rest) = reason.split_once("host \"")?;
    let (found, rest) = rest.split_once('"')?;
    let (_, rest) = rest.split_once("names: ")?;
    let (accepted, setting) = rest.split_once(" (")?;
    (setting == "standin.hosts)").then_some((found, accepted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(status: Status, reason: &str) -> Login<'_> {
        Login { status: status.number(), reason, key: "AKIA1", subject: "arn:aws:iam::123456789012:user/ann" }
    }

    #[test]
    fn every_refusal_of_a_login_ends_at_a_step_and_has_advice() {
        for (status, reason, step) in [
            (Status::Malformed, "x-amz-date: …", "shape"),
            (Status::Malformed, "the session token belongs to another access key", "key"),
            (Status::UnknownKey, "", "key"),
            (Status::SignatureMismatch, "", "signature"),
            (Status::KeyDisabled, "", "key"),
            (Status::IdentityDisabled, "", "identity"),
            (Status::Expired, "the request is 900 s old", "clock"),
            (Status::Expired, "the temporary credentials ASIA1 have expired", "key"),
            (Status::ClockSkew, "", "clock"),
            (Status::WrongHost, "", "host"),
            (Status::WrongRegion, "", "region"),
            (Status::ConnectNotAllowed, "", "Connect"),
            (Status::Replayed, "", "signature"),
            (Status::PlaintextChannel, "", "channel"),
            (Status::Revoked, "", "key"),
            (Status::KindNotAccepted, "", "shape"),
        ] {
            let login = at(status, reason);
            let steps = login.steps();
            let wrong: Vec<&str> = steps.iter().filter(|(_, s)| *s == "wrong").map(|(n, _)| *n).collect();
            assert_eq!(wrong, [step], "{status:?}");
            assert!(steps.iter().take_while(|(n, _)| *n != step).all(|(_, s)| *s == "right"), "{status:?}");
            // Connect is explained from the policies themselves.
            assert_eq!(login.advice().is_empty(), status == Status::ConnectNotAllowed, "{status:?}");
        }
    }

    #[test]
    fn a_login_that_was_put_off_is_no_fault_of_the_client() {
        let login = at(Status::Busy, "");
        assert!(login.steps().iter().all(|(_, s)| *s == "-"));
        assert!(login.advice()[0].contains("no refusal"));
        let fine = Login { status: 0, reason: "", key: "", subject: "" };
        assert!(fine.steps().iter().all(|(_, s)| *s == "right") && fine.advice().is_empty());
    }

    #[test]
    fn the_line_for_a_new_host_is_told() {
        let reason =
            "the request was signed for host \"b-1\", which is none of this listener's names: a, b (standin.hosts)";
        assert!(at(Status::WrongHost, reason).advice()[0].ends_with("standin.hosts=a, b,b-1"));
    }
}
