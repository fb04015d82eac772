// SPDX-License-Identifier: Apache-2.0
//! Where the agent runs, and what an agent of its own process is set to.

use std::path::PathBuf;

use super::Given;
use super::given::invalid;
use crate::fault::Fault;

const PLACEMENT: &str = "standin.agent.placement";
pub(super) const SOCKET: &str = "standin.agent.socket";
const USER: &str = "standin.agent.user";
const HOST_USERS: &str = "standin.agent.host.users";
const CACHE: &str = "standin.agent.cache.file";
const CACHE_KEY: &str = "standin.agent.cache.key.file";

/// The agent's process as a host is to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentProcess {
    /// The socket it listens on.
    pub socket: PathBuf,
    /// The user it must run as.
    pub user: u32,
}

impl AgentProcess {
    /// Where the agent is; none when it is a thread of the host.
    pub(super) fn of(given: &Given) -> Result<Option<Self>, Fault> {
        if given.one_of(PLACEMENT, &["thread", "process"])? == "thread" {
            return Ok(None);
        }
        // What holds secrets is the agent's: a host that could read it too
        // would gain nothing by the other process.
        for name in [
            "standin.store",
            "standin.key.file",
            "standin.service.url",
            "standin.service.ca",
            "standin.host.credential",
        ] {
            if given.text(name).is_some() {
                return Err(invalid(format!("{name} belongs to the agent's settings with {PLACEMENT}=process")));
            }
        }
        if given.text("standin.audit.dir").is_none() {
            return Err(invalid(format!("standin.audit.dir is missing; it is required with {PLACEMENT}=process")));
        }
        Ok(Some(Self { socket: socket(given)?, user: user(USER, given.required(USER)?)? }))
    }
}

/// The settings of an agent that is a process of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentSettings {
    /// The socket it listens on.
    pub socket: PathBuf,
    /// Users whose processes may connect.
    pub host_users: Vec<u32>,
    /// Where it keeps what it holds, sealed, and the key for that.
    pub cache: Option<(PathBuf, PathBuf)>,
}

impl AgentSettings {
    /// Validates the agent's part of what was given.
    ///
    /// # Errors
    /// [`crate::fault::Status::InvalidSetting`] naming the setting, its value
    /// and what is accepted.
    pub fn of(given: &Given) -> Result<Self, Fault> {
        if given.one_of(PLACEMENT, &["thread", "process"])? == "process" {
            return Err(invalid(format!("{PLACEMENT}=process is for hosts; an agent does not ask another agent")));
        }
        let host_users =
            given.list(HOST_USERS).iter().map(|name| user(HOST_USERS, name)).collect::<Result<Vec<_>, _>>()?;
        if host_users.is_empty() {
            return Err(invalid(format!("{HOST_USERS} is missing; it is required")));
        }
        let cache = given.text(CACHE).map(|file| {
            let key = given.text(CACHE_KEY).map_or_else(|| format!("{file}.key"), str::to_owned);
            (PathBuf::from(file), PathBuf::from(key))
        });
        Ok(Self { socket: socket(given)?, host_users, cache })
    }
}

fn socket(given: &Given) -> Result<PathBuf, Fault> {
    let text = given.required(SOCKET)?;
    let path = PathBuf::from(text);
    // What `sockaddr_un` has room for.
    if !path.is_absolute() || text.len() > 107 {
        return Err(invalid(format!("{SOCKET}={text}: an absolute path of at most 107 bytes is accepted")));
    }
    Ok(path)
}

/// The number of a user given by number or by its name in `/etc/passwd`.
fn user(setting: &str, text: &str) -> Result<u32, Fault> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let found = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == text).then(|| fields.nth(1)?.parse().ok())?
    });
    found.ok_or_else(|| invalid(format!("{setting}={text}: a user's number, or a name in /etc/passwd, is accepted")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::EngineSettings;

    fn given(pairs: &[(&str, &str)]) -> Given {
        Given::read(pairs.iter().copied(), None).unwrap()
    }

    #[test]
    fn a_host_of_an_agents_process_has_no_store_and_names_the_agents_user() {
        let host = [
            ("standin.agent.placement", "process"),
            ("standin.agent.socket", "/run/standin/agent.sock"),
            ("standin.agent.user", "root"),
            ("standin.audit.dir", "/var/log/standin"),
        ];
        let settings = EngineSettings::of(&given(&host)).unwrap();
        assert_eq!(settings.agent, Some(AgentProcess { socket: "/run/standin/agent.sock".into(), user: 0 }));
        for missing in 1..host.len() {
            let mut less = host.to_vec();
            let (name, _) = less.remove(missing);
            let fault = EngineSettings::of(&given(&less)).unwrap_err();
            assert!(fault.text.contains(name), "{fault}");
        }
        for more in [
            ("standin.store", "/s"),
            ("standin.key.file", "/k"),
            ("standin.agent.user", "nobody-of-that-name"),
            ("standin.agent.socket", "relative"),
        ] {
            let mut other: Vec<_> = host.iter().copied().filter(|(n, _)| *n != more.0).collect();
            other.push(more);
            let fault = EngineSettings::of(&given(&other)).unwrap_err();
            assert!(fault.text.contains(more.0), "{fault}");
        }
    }

    #[test]
    fn an_agent_says_who_may_connect() {
        let fault = AgentSettings::of(&given(&[("standin.agent.socket", "/run/s")])).unwrap_err();
        assert!(fault.text.contains("standin.agent.host.users"), "{fault}");
        let pairs = [
            ("standin.agent.socket", "/run/s"),
            ("standin.agent.host.users", "root, 1234"),
            ("standin.agent.cache.file", "/var/lib/standin/held"),
        ];
        let settings = AgentSettings::of(&given(&pairs)).unwrap();
        assert_eq!(settings.host_users, [0, 1234]);
        assert_eq!(settings.cache.unwrap().1, PathBuf::from("/var/lib/standin/held.key"));
    }
}
