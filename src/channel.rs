// SPDX-License-Identifier: Apache-2.0
//! Over which connection: what the host knows of the channel a client uses.

use std::net::IpAddr;

/// A connection of which nothing is known; kept, so that no operation makes one.
pub(crate) static NOWHERE: Channel = Channel {
    address: None,
    port: 0,
    secure: false,
    listener: String::new(),
    protocol: String::new(),
    host: String::new(),
    connection: String::new(),
    facts: Vec::new(),
};

/// The facts of one connection, fixed while it is open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Channel {
    /// The client's address (`aws:SourceIp`).
    pub address: Option<IpAddr>,
    /// The client's port; for the audit only.
    pub port: u16,
    /// True when the channel is encrypted (`aws:SecureTransport`).
    pub secure: bool,
    /// The listener's name (`standin:Listener`).
    pub listener: String,
    /// The security protocol in the host's words, such as `SASL_SSL`
    /// (`standin:Protocol`).
    pub protocol: String,
    /// The name the client dialled and signed (`standin:Host`).
    pub host: String,
    /// The host's own id of the connection; for the audit only.
    pub connection: String,
    /// Condition keys of the host's own, in lower case, with their values
    /// (`iot:clientid`); never one of `aws:` or `standin:`.
    pub facts: Vec<(String, String)>,
}
