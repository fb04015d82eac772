// SPDX-License-Identifier: Apache-2.0
//! The operations of STS: who asks, and temporary credentials.

pub(super) mod assume;
pub(super) mod identity;
mod issuers;
mod keys;
mod token;

pub(crate) use issuers::issuers;
pub(crate) use keys::{Fetcher, KeySets};

use standin::access_control::TemporaryCredentials;

use super::xml::Xml;
use crate::output::date;

/// Temporary credentials in an answer.
fn credentials(x: &mut Xml, issued: &TemporaryCredentials) {
    x.node("Credentials", |x| {
        x.text("AccessKeyId", &issued.access_key_id)
            .text("SecretAccessKey", String::from_utf8_lossy(issued.secret.expose()))
            .text("SessionToken", &issued.session_token)
            .text("Expiration", date(issued.expires.0));
    });
}
