// SPDX-License-Identifier: Apache-2.0
//! Cluster ARNs, and turning patterns over whole ARNs into patterns over the
//! names of one cluster's resources.

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

/// ARN of a cluster: `arn:PARTITION:kafka:REGION:ACCOUNT:cluster/NAME/UUID`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterArn {
    /// Partition.
    pub partition: String,
    /// Region.
    pub region: String,
    /// Account.
    pub account: String,
    /// Cluster name.
    pub name: String,
    /// Cluster uuid.
    pub uuid: String,
}

impl ClusterArn {
    /// Reads a cluster's ARN.
    ///
    /// # Errors
    /// What is accepted.
    pub fn parse(arn: &str) -> Result<Self, String> {
        let fields: Vec<&str> = arn.splitn(6, ':').collect();
        if let ["arn", partition, "kafka", region, account, rest] = fields.as_slice()
            && let ["cluster", name, uuid] = rest.split('/').collect::<Vec<_>>().as_slice()
        {
            return Ok(Self {
                partition: (*partition).into(),
                region: (*region).into(),
                account: (*account).into(),
                name: (*name).into(),
                uuid: (*uuid).into(),
            });
        }
        Err(format!("{arn:?}: arn:PARTITION:kafka:REGION:ACCOUNT:cluster/NAME/UUID is accepted"))
    }

    /// What precedes the name of a resource of this type; the whole ARN for
    /// the cluster itself.
    pub(super) fn head(&self, resource_type: &str) -> String {
        let Self { partition, region, account, name, uuid } = self;
        let head = format!("arn:{partition}:kafka:{region}:{account}:{resource_type}/{name}/{uuid}");
        if resource_type == CLUSTER { head } else { head + "/" }
    }
}

/// The resource type that has no name of its own.
pub(super) const CLUSTER: &str = "cluster";

/// Which ARNs name the resources a host asks about.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The cluster's ARN first, then its aliases; empty when resources are
    /// asked about by their whole ARN.
    pub clusters: Vec<ClusterArn>,
    /// How they are matched.
    pub arn_match: ArnMatch,
}

/// A pattern over a whole ARN, seen from one cluster's resources of one type.
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

    fn allows(pattern: &str, name: &str) -> (bool, bool) {
        let cluster = ClusterArn::parse("arn:aws:kafka:us-east-1:123456789012:cluster/demo/u-1").unwrap();
        let head = cluster.head("topic");
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
            assert_eq!(allows(pattern, name), expected, "{pattern} on {name}");
        }
    }
}
