// SPDX-License-Identifier: Apache-2.0
//! What one listener is set to.

use super::Given;
use super::given::invalid;
use crate::fault::Fault;

/// What a client may show to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceKind {
    /// The first message of the SASL mechanism `AWS_MSK_IAM`.
    MskIam,
    /// A presigned URL, raw or in base64url.
    Token,
    /// The same as bearer token in the first message of `OAUTHBEARER`.
    Bearer,
    /// A certificate that the host's TLS has verified.
    Certificate,
}

impl EvidenceKind {
    const NAMES: [(&'static str, Self); 3] =
        [("msk-iam", Self::MskIam), ("token", Self::Token), ("certificate", Self::Certificate)];

    fn list(given: &Given) -> Result<Vec<Self>, Fault> {
        let kind = |text: &String| {
            let found = Self::NAMES.iter().find(|(name, _)| name == text);
            found.map(|(_, kind)| *kind).ok_or_else(|| {
                invalid(format!("standin.evidence: {text:?}: msk-iam, token and certificate are accepted"))
            })
        };
        let mut kinds: Vec<Self> = given.list("standin.evidence").iter().map(kind).collect::<Result<_, _>>()?;
        if kinds.contains(&Self::Token) {
            kinds.push(Self::Bearer);
        }
        Ok(kinds)
    }
}

/// Limits of one listener; zero for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Sessions in all.
    pub sessions: usize,
    /// Sessions of one identity.
    pub of_identity: usize,
    /// Logins of one identity per second.
    pub logins: u32,
}

/// The settings of one listener, validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileSettings {
    /// Names clients dial, lower-case.
    pub hosts: Vec<String>,
    /// Accepted regions.
    pub regions: Vec<String>,
    /// Kinds of evidence that are accepted.
    pub evidence: Vec<EvidenceKind>,
    /// Names tokens may be signed for, lower-case.
    pub token_hosts: Vec<String>,
    /// Services tokens may be signed for.
    pub token_services: Vec<String>,
    /// Actions tokens may name.
    pub token_actions: Vec<String>,
    /// Who a certificate stands for, such as `user/${cn}`.
    pub certificate_identity: String,
    /// Longest session, milliseconds.
    pub session_max: i64,
    /// Greatest age of a login, milliseconds.
    pub login_max_age: i64,
    /// Tolerated clock difference, milliseconds.
    pub clock_skew: i64,
    /// Longest wait for the service, milliseconds.
    pub login_wait: i64,
    /// Most logins waiting at once.
    pub login_waiting: usize,
    /// Failed logins per second and address.
    pub login_budget: u32,
    /// Sessions and logins at most.
    pub limits: Limits,
    /// True when repeated signatures are refused.
    pub refuse_replay: bool,
    /// True when unencrypted channels are accepted.
    pub allow_plaintext: bool,
    /// How long a closed connection's session still serves, milliseconds.
    pub retire_grace: i64,
}

impl ProfileSettings {
    /// What [`Self::certificate_identity`] has behind `user/`.
    #[must_use]
    pub fn certificate_user(&self) -> &str {
        self.certificate_identity.strip_prefix("user/").unwrap_or_default()
    }

    /// Validates the listener's part of what was given. `region` is the region
    /// of the host's resources, the default of accepted regions.
    ///
    /// # Errors
    /// [`crate::fault::Status::InvalidSetting`] naming the setting, its value and what is
    /// accepted.
    pub fn of(given: &Given, region: Option<&str>) -> Result<Self, Fault> {
        let hosts: Vec<String> = given.list("standin.hosts").iter().map(|h| h.to_ascii_lowercase()).collect();
        let evidence = EvidenceKind::list(given)?;
        if hosts.is_empty() && evidence.contains(&EvidenceKind::MskIam) {
            return Err(invalid(
                "standin.hosts is missing; list the names clients dial for this listener, without port".into(),
            ));
        }
        if let Some(bad) = hosts.iter().find(|h| h.contains([':', '/']) && h.parse::<std::net::Ipv6Addr>().is_err()) {
            return Err(invalid(format!("standin.hosts: {bad:?}: names without scheme and port are accepted")));
        }
        let mut regions = given.list("standin.regions");
        if regions.is_empty() {
            regions.extend(region.map(str::to_owned));
        }
        if regions.is_empty() {
            return Err(invalid("standin.regions is missing; list the regions clients sign for".into()));
        }
        let token_hosts = if given.text("standin.token.hosts").is_some() {
            given.list("standin.token.hosts").iter().map(|h| h.to_ascii_lowercase()).collect()
        } else {
            regions.iter().map(|region| format!("kafka.{region}.amazonaws.com")).collect()
        };
        let certificate_identity = given.or_default("standin.certificate.identity").to_owned();
        if evidence.contains(&EvidenceKind::Certificate) && certificate_identity.is_empty() {
            return Err(invalid(
                "standin.certificate.identity is missing; user/${cn} takes a certificate's common name for the user's"
                    .into(),
            ));
        }
        if !certificate_identity.is_empty() {
            check_certificate_identity(&certificate_identity)?;
        }
        let count = |name: &str| Ok(usize::try_from(given.millis(name, 0, 16_000_000)?).unwrap_or(0));
        Ok(Self {
            hosts,
            regions,
            evidence,
            token_hosts,
            token_services: given.list("standin.token.services"),
            token_actions: given.list("standin.token.actions"),
            certificate_identity,
            session_max: given.millis("standin.session.max.ms", 2000, i64::from(i32::MAX))?,
            login_max_age: given.millis("standin.login.max.age.ms", 1000, 900_000)?,
            clock_skew: given.millis("standin.login.clock.skew.ms", 0, 900_000)?,
            login_wait: given.millis("standin.login.wait.ms", 10, 30_000)?,
            login_waiting: usize::try_from(given.millis("standin.login.waiting", 1, 1024)?).unwrap_or(2),
            login_budget: u32::try_from(given.millis("standin.login.budget", 1, 100_000)?).unwrap_or(50),
            limits: Limits {
                sessions: count("standin.session.limit")?,
                of_identity: count("standin.session.limit.identity")?,
                logins: u32::try_from(given.millis("standin.login.limit.identity", 0, 100_000)?).unwrap_or(0),
            },
            refuse_replay: given.one_of("standin.replay", &["audit", "refuse"])? == "refuse",
            allow_plaintext: given.one_of("standin.allow.plaintext", &["false", "true"])? == "true",
            retire_grace: given.millis("standin.retire.grace.ms", 0, 600_000)?,
        })
    }
}

fn check_certificate_identity(text: &str) -> Result<(), Fault> {
    let known = ["${cn}", "${san.dns}", "${san.uri}", "${san.email}"];
    let ok = text.strip_prefix("user/").is_some_and(|name| {
        let places: usize = known.iter().map(|k| name.matches(k).count()).sum();
        places == 1 && name.matches('$').count() == 1
    });
    if ok {
        return Ok(());
    }
    Err(invalid(format!(
        "standin.certificate.identity={text}: user/ and a name with one of {} in it is accepted",
        known.join(", ")
    )))
}
