// SPDX-License-Identifier: Apache-2.0
//! What an answer says when it is an error: the codes AWS documents.

use standin::fault::{Fault, Kind, Status};

/// A code of an error.
macro_rules! codes {
    ($($name:ident = $http:literal,)*) => {
        /// The code of an error, as AWS documents them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code { $(#[doc = stringify!($name)] $name,)* }

        impl Code {
            /// As it stands in answers.
            pub(crate) fn word(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The HTTP status that goes with it.
            pub(crate) fn http(self) -> u16 {
                match self { $(Self::$name => $http,)* }
            }
        }
    };
}

codes! {
    AccessDenied = 403,
    DeleteConflict = 409,
    EntityAlreadyExists = 409,
    ExpiredToken = 403,
    ExpiredTokenException = 400,
    IDPCommunicationError = 400,
    IDPRejectedClaim = 403,
    IncompleteSignature = 400,
    InternalFailure = 500,
    InvalidAction = 400,
    InvalidClientTokenId = 403,
    InvalidIdentityToken = 400,
    InvalidInput = 400,
    LimitExceeded = 409,
    MalformedPolicyDocument = 400,
    MalformedQueryString = 400,
    MissingAction = 400,
    MissingAuthenticationToken = 403,
    NoSuchEntity = 404,
    PackedPolicyTooLarge = 400,
    ServiceUnavailable = 503,
    SignatureDoesNotMatch = 403,
    Throttling = 400,
    ValidationError = 400,
}

impl Code {
    /// The codes any operation may answer: "Common Errors" of the IAM and STS
    /// API references, and those of requests that are not signed well.
    pub(crate) const COMMON: [Self; 13] = [
        Self::AccessDenied,
        Self::ExpiredToken,
        Self::IncompleteSignature,
        Self::InternalFailure,
        Self::InvalidAction,
        Self::InvalidClientTokenId,
        Self::MalformedQueryString,
        Self::MissingAction,
        Self::MissingAuthenticationToken,
        Self::ServiceUnavailable,
        Self::SignatureDoesNotMatch,
        Self::Throttling,
        Self::ValidationError,
    ];
}

/// Why a request is not answered with what it asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The code.
    pub(crate) code: Code,
    /// For whoever asked. Holds no secret.
    pub(crate) message: String,
    /// What was denied, for the record: on what, and to whom where nobody
    /// signed.
    pub(super) denied: Option<(String, String)>,
}

impl Problem {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), denied: None }
    }

    /// For the record: what was denied to `who`; empty is who signed.
    pub(super) fn on(self, target: &str, who: &str) -> Self {
        Self { denied: Some((target.to_owned(), who.to_owned())), ..self }
    }

    /// The first letter large and a full stop behind it, as AWS's messages.
    fn sentence(text: &str) -> String {
        let mut chars = text.chars();
        let head = chars.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
        format!("{head}{}", chars.as_str())
    }
}

impl From<Fault> for Problem {
    /// What the store says, in words of the API. Operations that mean something
    /// else by a conflict say so themselves.
    fn from(fault: Fault) -> Self {
        let (code, message) = match (fault.status, fault.kind()) {
            (Status::NotFound, _) => (Code::NoSuchEntity, Self::sentence(&fault.text)),
            (Status::Conflict, _) => (Code::EntityAlreadyExists, Self::sentence(&fault.text)),
            (Status::LimitReached, _) => (Code::LimitExceeded, Self::sentence(&fault.text)),
            (Status::InvalidDocument, _) => (Code::MalformedPolicyDocument, Self::sentence(&fault.text)),
            (_, Kind::Misuse) => (Code::ValidationError, Self::sentence(&fault.text)),
            (_, Kind::Refused) => (Code::AccessDenied, Self::sentence(&fault.text)),
            (Status::Busy, _) => (Code::Throttling, "Rate exceeded. Try again.".to_owned()),
            // Texts about the inside of the service are for its operator.
            (_, Kind::Undecided) => (Code::ServiceUnavailable, "The service cannot decide now. Try again.".to_owned()),
            (_, Kind::Internal) => (Code::InternalFailure, "The service failed; its log says why.".to_owned()),
        };
        Self::new(code, message)
    }
}
