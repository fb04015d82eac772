// SPDX-License-Identifier: Apache-2.0
//! `--quota NAME=NUMBER`: how many there may be of a kind.

use standin::access_control::{QUOTAS, Quota};
use standin::fault::distance;

/// One quota as it was given; none is any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) quota: Quota,
    pub(super) most: Option<i64>,
}

/// Reads one.
pub(super) fn given(text: &str) -> Result<Given, String> {
    let (name, most) = text.split_once('=').ok_or("NAME=NUMBER is accepted, such as users=20000; or NAME=off")?;
    let Some(rule) = QUOTAS.iter().find(|rule| rule.name == name) else {
        let nearest = QUOTAS.iter().min_by_key(|rule| distance(rule.name, name)).map_or("users", |rule| rule.name);
        let all: Vec<&str> = QUOTAS.iter().map(|rule| rule.name).collect();
        return Err(format!("there is no quota {name:?}; did you mean {nearest}? There are {}", all.join(", ")));
    };
    let most = match most {
        "off" => None,
        number => {
            let number = number.parse().ok().filter(|n| (0..=1_000_000_000).contains(n));
            Some(number.ok_or_else(|| format!("{name}: 0 to 1000000000 is accepted, or `off`"))?)
        }
    };
    Ok(Given { quota: rule.quota, most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_read() {
        assert_eq!(given("users=20000"), Ok(Given { quota: Quota::Users, most: Some(20_000) }));
        assert_eq!(given("hosts=off"), Ok(Given { quota: Quota::Hosts, most: None }));
        for wrong in ["users", "users=", "users=-1", "users=many", "users=1000000001", "=1"] {
            assert!(given(wrong).is_err(), "{wrong}");
        }
        assert!(given("user=1").unwrap_err().contains("did you mean users?"));
    }
}
