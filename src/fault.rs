// SPDX-License-Identifier: Apache-2.0
//! The error taxonomy. Four kinds, never mixed: *refused* (decided, and the
//! answer is no), *undecided* (could not decide: retry), *misuse* (the caller
//! or the configuration is wrong), *internal* (our fault).

use std::fmt;
use std::sync::Arc;

/// Which of the four kinds a [`Fault`] is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The caller or the configuration is wrong.
    Misuse,
    /// Decided: no.
    Refused,
    /// Could not decide; the same question may be answered later.
    Undecided,
    /// A defect of this library or of the machine it runs on.
    Internal,
}

/// Why something did not succeed. The numbers are part of the interface: they
/// are grouped by kind (misuse -1xx, refused -2xx, undecided -3xx, internal
/// -4xx) and never used again for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Status {
    /// An argument is outside what the function accepts.
    InvalidArgument = -100,
    /// A setting is unknown, missing or malformed.
    InvalidSetting = -101,
    /// The engine of that name is open with other settings.
    SettingsDiffer = -102,
    /// The engine or session id was never given out, or is gone.
    UnknownId = -103,
    /// The caller's buffer is too small; the needed size was written.
    BufferTooSmall = -104,
    /// Called in a child process after a fork.
    Forked = -105,
    /// The engine is closed or closing.
    Closed = -106,
    /// The thing to create exists already, or another change came between.
    Conflict = -107,
    /// The named thing does not exist.
    NotFound = -108,
    /// A document or file is not valid.
    InvalidDocument = -109,
    /// There are as many of its kind as there may be.
    LimitReached = -110,
    /// The credential has not the documented shape.
    Malformed = -200,
    /// The access key id is not known.
    UnknownKey = -201,
    /// The signature does not match.
    SignatureMismatch = -202,
    /// The access key is disabled.
    KeyDisabled = -203,
    /// The identity is disabled or deleted.
    IdentityDisabled = -204,
    /// The credential has expired.
    Expired = -205,
    /// The request's date is too far from this server's clock.
    ClockSkew = -206,
    /// The signed host is none of this listener's names.
    WrongHost = -207,
    /// The region is none of the accepted ones.
    WrongRegion = -208,
    /// Policies do not allow to connect.
    ConnectNotAllowed = -209,
    /// The same signature was seen before and repeats are refused.
    Replayed = -210,
    /// The channel is not encrypted.
    PlaintextChannel = -211,
    /// Revoked by an administrator.
    Revoked = -212,
    /// Not allowed by policy.
    NotAllowed = -213,
    /// The listener does not take this kind of credential.
    KindNotAccepted = -214,
    /// Too many callers are waiting already, or a budget is used up.
    Busy = -300,
    /// The security service or store did not answer.
    Unavailable = -301,
    /// What is known is older than the published bound.
    Stale = -302,
    /// No answer within the deadline.
    TimedOut = -303,
    /// The answer belongs to a newer format than this version reads.
    NewerFormat = -304,
    /// This host's clock is too far from the service's.
    HostClock = -305,
    /// The service does not believe this host.
    HostNotBelieved = -306,
    /// Something answered that is not the service.
    NotTheService = -307,
    /// The service's certificate is not one to believe.
    Certificate = -308,
    /// A defect; see the log.
    Internal = -400,
    /// A panic was caught at the boundary.
    Panic = -499,
}

/// Every status there is.
const ALL: [Status; 37] = [
    Status::InvalidArgument,
    Status::InvalidSetting,
    Status::SettingsDiffer,
    Status::UnknownId,
    Status::BufferTooSmall,
    Status::Forked,
    Status::Closed,
    Status::Conflict,
    Status::NotFound,
    Status::InvalidDocument,
    Status::LimitReached,
    Status::Malformed,
    Status::UnknownKey,
    Status::SignatureMismatch,
    Status::KeyDisabled,
    Status::IdentityDisabled,
    Status::Expired,
    Status::ClockSkew,
    Status::WrongHost,
    Status::WrongRegion,
    Status::ConnectNotAllowed,
    Status::Replayed,
    Status::PlaintextChannel,
    Status::Revoked,
    Status::NotAllowed,
    Status::KindNotAccepted,
    Status::Busy,
    Status::Unavailable,
    Status::Stale,
    Status::TimedOut,
    Status::NewerFormat,
    Status::HostClock,
    Status::HostNotBelieved,
    Status::NotTheService,
    Status::Certificate,
    Status::Internal,
    Status::Panic,
];

impl Status {
    /// The status of this number; none when a newer version gave it.
    #[must_use]
    pub fn of_number(number: i32) -> Option<Self> {
        ALL.into_iter().find(|s| s.number() == number)
    }

    /// The number that crosses the doors.
    #[must_use]
    pub fn number(self) -> i32 {
        self as i32
    }

    /// The kind, by number range.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self.number() {
            -199..=-100 => Kind::Misuse,
            -299..=-200 => Kind::Refused,
            -399..=-300 => Kind::Undecided,
            _ => Kind::Internal,
        }
    }
}

/// A failure: its status, and a text for the operator. The text never holds a
/// secret and is never sent to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Why.
    pub status: Status,
    /// What exactly, for the operator.
    pub text: String,
    /// ARN of the identity it is about, where a credential named one that did
    /// not prove itself.
    pub subject: Option<Arc<str>>,
}

impl Fault {
    /// A failure with this status and operator's text.
    pub fn new(status: Status, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), subject: None }
    }

    /// The same, about an identity.
    #[must_use]
    pub fn about(self, arn: &str) -> Self {
        Self { subject: Some(arn.into()), ..self }
    }

    /// A defect.
    pub fn internal(text: impl Into<String>) -> Self {
        Self::new(Status::Internal, text)
    }

    /// Could not decide.
    pub fn unavailable(text: impl Into<String>) -> Self {
        Self::new(Status::Unavailable, text)
    }

    /// The kind of the status.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.status.kind()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Fault {}

/// Edit distance (Levenshtein), for texts that name what was probably meant.
#[must_use]
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut corner = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, cb) in b.iter().enumerate() {
            let left = row.get(j).copied().unwrap_or(0);
            let above = row.get(j + 1).copied().unwrap_or(0);
            let best = (corner + usize::from(ca != *cb)).min(left + 1).min(above + 1);
            if let Some(cell) = row.get_mut(j + 1) {
                *cell = best;
            }
            corner = above;
        }
    }
    row.last().copied().unwrap_or(0)
}
