// SPDX-License-Identifier: Apache-2.0
//! Namespaces of resources, and turning patterns over whole ARNs into patterns
//! over the names within one.

use super::pattern::{Atom, Lookup, NoValues, Pattern, residuals};
use super::text::Text;

/// How resource ARNs are matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArnMatch {
    /// An allow matches field by field, a deny by whole string.
    Fields,
    /// Both by whole string, as AWS does.
    Aws,
}

/// Which resources are asked about by name: those of one Kafka cluster, or
/// those of one service in one region and account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// `arn:PARTITION:SERVICE:REGION:ACCOUNT:`.
    front: String,
    region: String,
    /// `/NAME/UUID` of a Kafka cluster, which stands in the ARN of everything
    /// in it.
    cluster: Option<String>,
}

impl Namespace {
    /// Reads the ARN of a Kafka cluster,
    /// `arn:PARTITION:kafka:REGION:ACCOUNT:cluster/NAME/UUID`, or what the ARNs
    /// of a service's resources begin with, `arn:PARTITION:SERVICE:REGION:ACCOUNT`.
    ///
    /// # Errors
    /// What is accepted.
    pub fn parse(arn: &str) -> Result<Self, String> {
        let fields: Vec<&str> = arn.splitn(6, ':').collect();
        let plain =
            |text: &&str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        let made = |partition: &str, service: &str, region: &str, account: &str, cluster: Option<String>| Self {
            front: format!("arn:{partition}:{service}:{region}:{account}:"),
            region: region.into(),
            cluster,
        };
        let account_ok = |account: &str| account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        match fields.as_slice() {
            ["arn", partition, "kafka", region, account, rest]
                if [partition, region].into_iter().all(plain) && account_ok(account) =>
            {
                if let ["cluster", name, uuid] = rest.split('/').collect::<Vec<_>>().as_slice()
                    && [name, uuid].into_iter().all(plain)
                {
                    return Ok(made(partition, "kafka", region, account, Some(format!("/{name}/{uuid}"))));
                }
            }
            ["arn", partition, service, region, account] | ["arn", partition, service, region, account, ""]
                if *service != "kafka"
                    && [partition, service, region].into_iter().all(plain)
                    && account_ok(account) =>
            {
                return Ok(made(partition, service, region, account, None));
            }
            _ => {}
        }
        Err(format!(
            "{arn:?}: arn:PARTITION:kafka:REGION:ACCOUNT:cluster/NAME/UUID or arn:PARTITION:SERVICE:REGION:ACCOUNT without wildcards is accepted"
        ))
    }

    /// True for a Kafka cluster.
    #[must_use]
    pub fn is_cluster(&self) -> bool {
        self.cluster.is_some()
    }

    /// The text that [`Namespace::parse`] reads.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.cluster {
            Some(cluster) => format!("{}{CLUSTER}{cluster}", self.front),
            None => self.front.trim_end_matches(':').to_owned(),
        }
    }

    /// The region in its ARNs.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// True for the type whose only resource is the cluster itself.
    pub(super) fn is_nameless(&self, resource_type: &str) -> bool {
        self.is_cluster() && resource_type == CLUSTER
    }

    /// What precedes the name of a resource of this type; the whole ARN for
    /// the cluster itself.
    pub(super) fn head(&self, resource_type: &str) -> String {
        let cluster = self.cluster.as_deref().unwrap_or_default();
        let end = if self.is_nameless(resource_type) { "" } else { "/" };
        format!("{}{resource_type}{cluster}{end}", self.front)
    }
}

/// The resource type that has no name of its own.
const CLUSTER: &str = "cluster";

/// Which ARNs name the resources a host asks about.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The host's own first, then its aliases; empty when resources are asked
    /// about by their whole ARN.
    pub namespaces: Vec<Namespace>,
    /// How they are matched.
    pub arn_match: ArnMatch,
}

impl Scope {
    /// Type and name of the resource of this ARN, where it belongs to one of
    /// the namespaces.
    #[must_use]
    pub fn split<'a>(&self, arn: &'a str) -> Option<(&'a str, &'a str)> {
        self.namespaces.iter().find_map(|namespace| {
            let rest = arn.strip_prefix(namespace.front.as_str())?;
            let (kind, rest) = rest.split_once('/')?;
            match &namespace.cluster {
                None => Some((kind, rest)),
                Some(_) if namespace.is_nameless(kind) => (arn == namespace.head(kind)).then_some((kind, "")),
                Some(cluster) => rest.strip_prefix(cluster.get(1..)?)?.strip_prefix('/').map(|name| (kind, name)),
            }
        })
    }
}

/// A pattern over a whole ARN, seen from the resources of one type in one
/// namespace.
pub(super) enum Seen {
    /// It matches names that match one of these.
    Names(Vec<Pattern>),
    /// It holds variables before the name; it is matched against head and
    /// name joined.
    Whole,
}

/// How a pattern over whole ARNs matches names under `head`, by whole string.
pub(super) fn whole(pattern: &Pattern, head: &str) -> Seen {
    residuals(pattern, head).map_or(Seen::Whole, Seen::Names)
}

/// Five fields end in a colon, then up to three in a slash.
const SEPARATORS: [char; 8] = [':', ':', ':', ':', ':', '/', '/', '/'];

/// How a pattern over whole ARNs matches names under `head`, field by field: a
/// star stays inside its field, unless its field is the last one given.
pub(super) fn by_fields(pattern: &Pattern, head: &str) -> Seen {
    let mut atoms: &[Atom] = &pattern.0;
    let mut rest = head;
    for separator in SEPARATORS {
        let Some(end) = rest.find(separator) else { break };
        let Some(cut) = atoms.iter().position(|a| *a == Atom::Char(separator)) else {
            // The last field given: it must end in a star to stand for more.
            return if atoms.last() == Some(&Atom::Star) {
                whole(&Pattern(atoms.into()), rest)
            } else {
                whole_without_names(atoms)
            };
        };
        let (field, value) = (atoms.get(..cut).unwrap_or_default(), rest.get(..end).unwrap_or_default());
        if field.iter().any(|a| matches!(a, Atom::Variable(..))) {
            return Seen::Whole;
        }
        if !super::pattern::matches(field, [value, ""], &NoValues, super::pattern::How::default()) {
            return Seen::Names(Vec::new());
        }
        atoms = atoms.get(cut + 1..).unwrap_or_default();
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    whole(&Pattern(atoms.into()), rest)
}

/// Where in `head` the fields end that the pattern gives whole, for matching
/// field by field once the values of its variables are known. None when it
/// leaves fields out without a star for them.
pub(super) fn fields_before(pattern: &Pattern, head: &str, lookup: &dyn Lookup) -> Option<usize> {
    let mut given = 0;
    let mut pass = |c: char| given += usize::from(SEPARATORS.get(given) == Some(&c));
    for atom in &pattern.0 {
        match atom {
            Atom::Char(c) => pass(*c),
            Atom::Variable(key, default) => {
                let value = lookup.single(key);
                value.as_ref().map(Text::as_str).or(default.as_deref())?.chars().for_each(&mut pass);
            }
            Atom::Star | Atom::One => {}
        }
    }
    let mut end = 0;
    for (n, separator) in SEPARATORS.iter().enumerate() {
        let Some(length) = head.get(end..)?.find(*separator) else { break };
        if n == given {
            return (pattern.0.last() == Some(&Atom::Star)).then_some(end);
        }
        end += length + 1;
    }
    Some(end)
}

fn whole_without_names(atoms: &[Atom]) -> Seen {
    if atoms.iter().any(|a| matches!(a, Atom::Variable(..))) { Seen::Whole } else { Seen::Names(Vec::new()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(namespace: &str, pattern: &str, name: &str) -> (bool, bool) {
        let head = Namespace::parse(namespace).unwrap().head("topic");
        let pattern = Pattern::read(pattern, true, true).unwrap();
        let any = |seen: Seen| match seen {
            Seen::Names(names) => names.iter().any(|p| p.matches(name, &NoValues)),
            Seen::Whole => panic!("no variables here"),
        };
        (any(by_fields(&pattern, &head)), any(whole(&pattern, &head)))
    }

    /// P2 of the review's A17: names holding `/`, `*`, `:` only narrow.
    #[test]
    fn fields_narrow_and_never_widen() {
        let cases = [
            ("arn:aws:kafka:us-east-1:123456789012:topic/demo/u-1/orders", "orders", (true, true)),
            ("arn:aws:kafka:us-east-1:123456789012:topic/demo/u-1/orders", "orders2", (false, false)),
            ("arn:aws:kafka:us-east-1:123456789012:topic/demo/*/orders", "orders", (true, true)),
            ("arn:aws:kafka:us-east-1:123456789012:topic/demo/*/orders", "x/orders", (false, true)),
            ("arn:aws:kafka:us-east-1:123456789012:topic/demo/*", "anything", (true, true)),
            ("arn:aws:kafka:us-east-1:123456789012:topic/*", "anything", (true, true)),
            ("arn:aws:kafka:*:*:*", "anything", (true, true)),
            ("*", "anything", (true, true)),
            ("arn:aws:kafka:us-east-1:123456789012:group/*", "anything", (false, false)),
            ("arn:aws:kafka:us-east-1:123456789012:topic/other/*", "anything", (false, false)),
            ("arn:aws:kafka:us-east-1:*:topic/demo/*/o*", "orders", (true, true)),
            ("arn:*/orders", "orders", (false, true)),
            ("arn:aws:kafka:us-east-1:123456789012:topic/demo/u-1/a:b/c*", "a:b/cd", (true, true)),
        ];
        for (pattern, name, expected) in cases {
            let cluster = "arn:aws:kafka:us-east-1:123456789012:cluster/demo/u-1";
            assert_eq!(allows(cluster, pattern, name), expected, "{pattern} on {name}");
        }
    }

    /// Names of a service's resources hold the slashes themselves.
    #[test]
    fn a_services_resources_are_matched_by_their_names() {
        let cases = [
            ("arn:aws:iot:us-east-1:123456789012:topic/sensors/1", "sensors/1", (true, true)),
            ("arn:aws:iot:us-east-1:123456789012:topic/sensors/*", "sensors/1/t", (true, true)),
            ("arn:aws:iot:us-east-1:123456789012:topic/*/t", "sensors/1/t", (true, true)),
            ("arn:aws:iot:us-east-1:123456789012:topic/sensors/*", "others/1", (false, false)),
            ("arn:aws:iot:us-east-1:123456789012:topicfilter/sensors/*", "sensors/1", (false, false)),
            ("arn:aws:iot:*:123456789012:topic/*", "a", (true, true)),
            ("arn:aws:iot:*", "a", (true, true)),
            ("*", "a", (true, true)),
        ];
        for (pattern, name, expected) in cases {
            let service = "arn:aws:iot:us-east-1:123456789012";
            assert_eq!(allows(service, pattern, name), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn arns_are_split_where_they_are_made() {
        let namespaces = ["arn:aws:kafka:r:123456789012:cluster/demo/u-1", "arn:aws:iot:r:123456789012"];
        let namespaces: Vec<Namespace> = namespaces.iter().map(|n| Namespace::parse(n).unwrap()).collect();
        let scope = Scope { namespaces: namespaces.clone(), arn_match: ArnMatch::Aws };
        for (namespace, kind, name) in
            [(0, "topic", "a/b:c"), (0, "group", ""), (0, "cluster", ""), (1, "topic", "a/b"), (1, "client", "x")]
        {
            let arn = format!("{}{name}", namespaces[namespace].head(kind));
            assert_eq!(scope.split(&arn), Some((kind, name)), "{arn}");
        }
        for other in ["arn:aws:kafka:r:123456789012:topic/other/u-1/a", "arn:aws:kafka:r:1:topic/demo/u-1/a", "*"] {
            assert_eq!(scope.split(other), None, "{other}");
        }
    }

    #[test]
    fn namespaces_are_clusters_or_services() {
        for good in [
            "arn:aws:kafka:us-east-1:123456789012:cluster/demo/u-1",
            "arn:aws-cn:iot:cn-north-1:123456789012",
            "arn:aws:iot:us-east-1:123456789012:",
        ] {
            assert!(Namespace::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "arn:aws:kafka:us-east-1:123456789012",
            "arn:aws:kafka:us-east-1:123456789012:cluster/demo",
            "arn:aws:kafka:us-east-1:123456789012:cluster/demo/*",
            "arn:aws:kafka:us-east-1:123456789012:topic/demo/u-1",
            "arn:aws:kafka:us-east-1:12:cluster/demo/u-1",
            "arn:aws:iot:us-east-1:123456789012:topic/a",
            "arn:aws:iot::123456789012",
            "arn:aws:iot:*:123456789012",
            "arn:aws:${x}:us-east-1:123456789012",
        ] {
            assert!(Namespace::parse(bad).is_err(), "{bad}");
        }
    }
}
