// SPDX-License-Identifier: Apache-2.0
//! Entries of Kafka's access control lists, and reading them: as
//! `kafka-acls.sh --list` prints them, or one JSON object a line.

use std::collections::BTreeSet;

use serde_json::Value;

/// Which names of resources an entry is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Names {
    /// Every one.
    All,
    /// This one.
    One(String),
    /// Those that begin so.
    Beginning(String),
}

/// One entry of a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Type of the resource in Kafka's words, such as `TOPIC`.
    pub resource_type: String,
    /// Names of the resources.
    pub names: Names,
    /// For whom, such as `User:alice`; `User:*` for everybody.
    pub principal: String,
    /// From where: an address, or `*`.
    pub host: String,
    /// The operation in Kafka's words, such as `READ` or `ALL`.
    pub operation: String,
    /// True when it allows, false when it denies.
    pub allows: bool,
}

impl Entry {
    fn made(
        (resource_type, name, pattern): (&str, &str, &str),
        (principal, host, operation, permission): (&str, &str, &str, &str),
    ) -> Result<Self, String> {
        let names = match (pattern, name) {
            ("LITERAL", "*") => Names::All,
            ("LITERAL", name) => Names::One(name.to_owned()),
            ("PREFIXED", name) => Names::Beginning(name.to_owned()),
            _ => return Err(format!("patternType={pattern}: LITERAL or PREFIXED is accepted")),
        };
        let allows = match permission {
            "ALLOW" => true,
            "DENY" => false,
            _ => return Err(format!("permissionType={permission}: ALLOW or DENY is accepted")),
        };
        Ok(Self {
            resource_type: resource_type.to_owned(),
            names,
            principal: principal.to_owned(),
            host: host.to_owned(),
            operation: operation.to_owned(),
            allows,
        })
    }

    /// Reads a list, either form; lines of other text are refused.
    ///
    /// # Errors
    /// The number of the line, what is wrong with it and what is accepted.
    pub fn read_all(text: &str) -> Result<BTreeSet<Self>, String> {
        let (mut entries, mut resource) = (BTreeSet::new(), None);
        for (n, line) in text.lines().enumerate() {
            let wrong = |what: String| format!("line {}: {what}", n + 1);
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            if line.starts_with('{') {
                entries.insert(Self::of_json(line).map_err(wrong)?);
            } else if let Some(rest) = line.strip_prefix("Current ACLs for resource `ResourcePattern(resourceType=") {
                resource = Some(pattern(rest).ok_or_else(|| wrong(format!("not a resource of kafka-acls: {line}")))?);
            } else if let (Some(resource), Some(rest)) = (&resource, line.strip_prefix("(principal=")) {
                let grant = grant(rest).ok_or_else(|| wrong(format!("not an entry of kafka-acls: {line}")))?;
                entries.insert(Self::made(*resource, grant).map_err(wrong)?);
            } else {
                return Err(wrong(format!(
                    "{line:?}: what kafka-acls.sh --list prints, or a JSON object, is accepted"
                )));
            }
        }
        Ok(entries)
    }

    fn of_json(line: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(line).map_err(|e| e.to_string())?;
        let text = |name: &str| {
            value.get(name).and_then(Value::as_str).ok_or_else(|| format!("{name} is missing; it is required, as text"))
        };
        Self::made(
            (text("resourceType")?, text("name")?, text("patternType")?),
            (text("principal")?, text("host")?, text("operation")?, text("permissionType")?),
        )
    }
}

/// Type, name and pattern. Names and principals may hold anything, so both are
/// read from their ends.
fn pattern(rest: &str) -> Option<(&str, &str, &str)> {
    let rest = rest.trim_end_matches(':').trim_end().strip_suffix(")`")?;
    let (kind, rest) = rest.split_once(", name=")?;
    let (name, pattern) = rest.rsplit_once(", patternType=")?;
    Some((kind, name, pattern))
}

/// Principal, host, operation and permission.
fn grant(rest: &str) -> Option<(&str, &str, &str, &str)> {
    let rest = rest.strip_suffix(')')?;
    let (rest, permission) = rest.rsplit_once(", permissionType=")?;
    let (rest, operation) = rest.rsplit_once(", operation=")?;
    let (principal, host) = rest.rsplit_once(", host=")?;
    Some((principal, host, operation, permission))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_alike() {
        let printed = "Current ACLs for resource `ResourcePattern(resourceType=TOPIC, name=orders, patternType=LITERAL)`: \n \
             \t(principal=User:CN=a, host=b,O=c, host=*, operation=READ, permissionType=ALLOW)\n\
             \t(principal=User:bob, host=10.0.0.1, operation=ALL, permissionType=DENY) \n\n\
             Current ACLs for resource `ResourcePattern(resourceType=GROUP, name=*, patternType=LITERAL)`: \n\
             \t(principal=User:*, host=*, operation=DESCRIBE, permissionType=ALLOW)\n\
             Current ACLs for resource `ResourcePattern(resourceType=TOPIC, name=a, name=b, patternType=PREFIXED)`: \n\
             \t(principal=User:bob, host=*, operation=WRITE, permissionType=ALLOW)\n";
        let line =
            |kind: &str, name: &str, pattern: &str, principal: &str, host: &str, operation: &str, permission: &str| {
                serde_json::json!({"resourceType": kind, "name": name, "patternType": pattern, "principal": principal,
                "host": host, "operation": operation, "permissionType": permission})
                .to_string()
            };
        let lines = [
            line("TOPIC", "orders", "LITERAL", "User:CN=a, host=b,O=c", "*", "READ", "ALLOW"),
            line("TOPIC", "orders", "LITERAL", "User:bob", "10.0.0.1", "ALL", "DENY"),
            line("GROUP", "*", "LITERAL", "User:*", "*", "DESCRIBE", "ALLOW"),
            line("TOPIC", "a, name=b", "PREFIXED", "User:bob", "*", "WRITE", "ALLOW"),
        ];
        let entries = Entry::read_all(printed).unwrap();
        assert_eq!(entries, Entry::read_all(&lines.join("\n")).unwrap());
        assert_eq!(entries.len(), 4);
        assert!(entries.iter().any(|e| e.names == Names::All));
    }

    #[test]
    fn other_text_is_refused_with_its_line() {
        for (text, part) in [
            ("\nError while executing ACL command", "line 2"),
            ("(principal=User:a, host=*, operation=READ, permissionType=ALLOW)", "line 1"),
            ("{\"name\": 1}", "resourceType is missing"),
            (
                "Current ACLs for resource `ResourcePattern(resourceType=TOPIC, name=a, patternType=MATCH)`:\n(principal=User:a, host=*, operation=READ, permissionType=ALLOW)",
                "LITERAL or PREFIXED",
            ),
        ] {
            let wrong = Entry::read_all(text).unwrap_err();
            assert!(wrong.contains(part), "{wrong}");
        }
    }
}
