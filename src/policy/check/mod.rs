// SPDX-License-Identifier: Apache-2.0
//! Looking a valid document through for what is probably not meant: statements
//! that match nothing here, and grants wider than what was used. For those who
//! write policies; deciding is elsewhere.

mod trust;
mod used;

use super::arn::{ArnMatch, Scope, Seen, by_fields, whole};
use super::catalogue::{KNOWN, Known, nearest};
use super::key::{Key, Origin};
use super::pattern::{Atom, NoValues, Pattern};
use super::problem::{Problem, Problems, shown_text};
use super::reader::{Node, Value, read};

pub use super::party::Party;
pub use trust::check_trust;
pub use used::{Usage, Use, unused};

/// What kind of finding it is: its name and what it is about.
pub const RULES: [(&str, &str); 10] = [
    ("unknown-action", "an action of a known service that no host asks about"),
    ("other-service", "an action or resource of another service: it is kept and does nothing"),
    ("no-cluster", "a resource that is none of this cluster, under no alias"),
    ("resource-type", "actions and resources of one statement that do not fit each other"),
    ("condition-key", "a condition key that no host supplies"),
    ("variable", "a policy variable that never has a value, and has no default"),
    ("no-principal", "a principal of a role's trust policy that does not exist"),
    ("never-used", "a statement that allowed nothing in the period"),
    ("action-not-used", "an action that was allowed and not used in the period"),
    ("resource-not-used", "a resource that was allowed and not used in the period"),
];

/// One thing that is probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// One of [`RULES`].
    pub rule: &'static str,
    /// Where, what was found, and what to do.
    pub problem: Problem,
}

impl Finding {
    /// True for what does no harm and is only told.
    #[must_use]
    pub fn is_note(&self) -> bool {
        self.rule == "other-service"
    }
}

/// Looks a document through.
///
/// # Errors
/// When it is not a valid document.
pub fn check(text: &str, scope: &Scope) -> Result<Vec<Finding>, super::Invalid> {
    super::Document::parse(text)?;
    let mut out = Findings::new(text);
    if let Some(root) = read(text, &mut Problems::new(text)) {
        let variables = root.member("Version").is_some_and(|v| matches!(&v.value, Value::Text(t) if t == "2012-10-17"));
        for statement in statements(&root) {
            Looking { scope, variables, statement: &statement }.check(&mut out);
        }
    }
    Ok(out.finish())
}

/// A statement and its path.
pub(super) struct Place<'n> {
    node: &'n Node,
    path: String,
}

fn statements(root: &Node) -> Vec<Place<'_>> {
    let statement = root.member("Statement");
    let items = statement.map_or_else(Vec::new, |s| s.items("$.Statement"));
    items.into_iter().map(|(node, path)| Place { node, path }).collect()
}

impl Place<'_> {
    /// The texts of an element with their nodes and paths.
    fn texts(&self, name: &str) -> Vec<(&str, &Node, String)> {
        let element = self.node.member(name);
        let items = element.map_or_else(Vec::new, |e| e.items(&format!("{}.{name}", self.path)));
        items
            .into_iter()
            .filter_map(|(node, path)| match &node.value {
                Value::Text(text) => Some((text.as_str(), node, path)),
                _ => None,
            })
            .collect()
    }
}

struct Findings<'t> {
    text: &'t str,
    found: Vec<Finding>,
}

impl<'t> Findings<'t> {
    fn new(text: &'t str) -> Self {
        Self { text, found: Vec::new() }
    }

    fn add(&mut self, rule: &'static str, path: &str, at: usize, found: impl Into<String>, advice: impl Into<String>) {
        let mut problems = Problems::new(self.text);
        problems.add(path, at, found, advice);
        let only = problems.into_list().pop();
        self.found.extend(only.map(|problem| Finding { rule, problem }));
    }

    fn other_service(&mut self, text: &str, node: &Node, path: &str) {
        let found = format!("{} is of another service", shown_text(text));
        self.add("other-service", path, node.at, found, "remove it where only this host uses the policy");
    }

    fn finish(mut self) -> Vec<Finding> {
        self.found.sort_by_key(|f| (f.problem.line, f.problem.column));
        self.found
    }
}

/// Services that evaluate actions which are not in the catalogue.
const OPEN: [&str; 1] = ["iam"];

fn services() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().filter_map(|k| k.action.split(':').next()).chain(OPEN)
}

/// The known actions that a pattern covers.
fn covered(pattern: &str) -> Vec<&'static Known> {
    let Ok(pattern) = Pattern::read(pattern, false, true) else { return Vec::new() };
    KNOWN.iter().filter(|k| pattern.matches_without_case(k.action, &NoValues)).collect()
}

struct Looking<'a> {
    scope: &'a Scope,
    variables: bool,
    statement: &'a Place<'a>,
}

impl Looking<'_> {
    fn check(&self, out: &mut Findings<'_>) {
        let mut actions: Vec<&Known> = Vec::new();
        let mut foreign = true;
        for name in ["Action", "NotAction"] {
            for (text, node, path) in self.statement.texts(name) {
                let service = text.split(':').next().unwrap_or_default().to_lowercase();
                let found = covered(text);
                let here = text == "*" || services().any(|s| s == service);
                foreign &= !here && name == "Action";
                if !here {
                    out.other_service(text, node, &path);
                } else if found.is_empty() && !OPEN.contains(&service.as_str()) {
                    let advice = format!("did you mean {}?", nearest(text));
                    out.add(
                        "unknown-action",
                        &path,
                        node.at,
                        format!("no host asks about {}", shown_text(text)),
                        advice,
                    );
                }
                actions.extend(found);
            }
        }
        if !foreign {
            self.resources(&actions, out);
        }
        self.conditions(&actions, out);
    }

    /// Resources that are none of this cluster, and those that fit no action.
    fn resources(&self, actions: &[&Known], out: &mut Findings<'_>) {
        let allow = self.statement.texts("Effect").first().is_some_and(|(text, ..)| *text == "Allow");
        let mut types: Vec<(&str, &str)> = Vec::new();
        let mut all_seen = true;
        for name in ["Resource", "NotResource"] {
            for (text, node, path) in self.statement.texts(name) {
                self.variables_of(text, node, &path, out);
                let Ok(pattern) = Pattern::read(text, self.variables, true) else { continue };
                let service = text.split(':').nth(2).unwrap_or("*");
                if !["*", "kafka", "iot", "iam", "sts"].contains(&service) {
                    all_seen = false;
                    out.other_service(text, node, &path);
                    continue;
                }
                let fitting: Vec<(&str, &str)> = kinds()
                    .filter(|(service, kind)| self.fits(&pattern, service, kind, allow == (name == "Resource")))
                    .collect();
                if fitting.is_empty() {
                    all_seen = false;
                    let own: Vec<String> = self.scope.namespaces.iter().map(|n| n.head("cluster")).collect();
                    let advice = if text.contains(":cluster/") || own.is_empty() {
                        format!(
                            "ARNs of {} are matched here (standin.cluster.arn, standin.cluster.aliases)",
                            own.join(", ")
                        )
                    } else {
                        format!(
                            "resources of {} are matched here, of the types {} (standin.cluster.arn, standin.cluster.aliases)",
                            own.join(", "),
                            "cluster, topic, group, transactional-id"
                        )
                    };
                    out.add(
                        "no-cluster",
                        &path,
                        node.at,
                        format!("{} matches nothing of this cluster", shown_text(text)),
                        advice,
                    );
                } else if name == "Resource"
                    && !actions.is_empty()
                    && self.statement.node.member("Action").is_some()
                    && !actions.iter().any(|a| fitting.contains(&(a.service, a.resource_type)))
                {
                    let mut wanted: Vec<&str> = actions.iter().map(|a| a.resource_type).collect();
                    wanted.sort_unstable();
                    wanted.dedup();
                    let found = format!("{} fits none of the actions of the statement", shown_text(text));
                    out.add("resource-type", &path, node.at, found, format!("they are about {}", wanted.join(", ")));
                }
                types.extend(fitting);
            }
        }
        if !all_seen || self.statement.node.member("NotResource").is_some() {
            return;
        }
        for (text, node, path) in self.statement.texts("Action") {
            let found = covered(text);
            if !found.is_empty() && !found.iter().any(|a| types.contains(&(a.service, a.resource_type))) {
                let kind = found.first().map_or("", |a| a.resource_type);
                let advice = format!("it is about {kind}, and the statement has no resource of that type");
                out.add(
                    "resource-type",
                    &path,
                    node.at,
                    format!("{} has no resource to act on", shown_text(text)),
                    advice,
                );
            }
        }
    }

    /// True when the pattern matches some resource of this type.
    fn fits(&self, pattern: &Pattern, service: &str, kind: &str, narrow: bool) -> bool {
        // A variable may stand for anything.
        let open: Vec<Atom> =
            pattern.0.iter().map(|a| if matches!(a, Atom::Variable(..)) { Atom::Star } else { a.clone() }).collect();
        let pattern = Pattern(open.into());
        let own = service == "kafka" && self.scope.namespaces.iter().any(super::Namespace::is_cluster);
        let heads: Vec<String> = if own {
            self.scope.namespaces.iter().map(|n| n.head(kind)).collect()
        } else {
            // Of no namespace that is known: what stands before the type is
            // taken as it is written.
            let front: Vec<&[Atom]> = pattern.0.splitn(6, |a| *a == Atom::Char(':')).collect();
            let literal = |n: usize| front.get(n).and_then(|f| Pattern((*f).into()).literal());
            let word = |n: usize, other: &str| literal(n).unwrap_or_else(|| other.to_owned());
            let between = if service == "kafka" && kind == "cluster" { "" } else { "/" };
            let name = if service == "kafka" { self.name_of(&pattern) } else { String::new() };
            vec![format!(
                "arn:{}:{service}:{}:{}:{kind}{name}{between}",
                word(1, "aws"),
                word(3, "r"),
                word(4, "000000000000")
            )]
        };
        let fields = own && narrow && self.scope.arn_match == ArnMatch::Fields;
        heads.iter().any(|head| match if fields { by_fields(&pattern, head) } else { whole(&pattern, head) } {
            Seen::Whole => true,
            // The cluster itself has no name behind its ARN.
            Seen::Names(names) if service == "kafka" && kind == "cluster" => {
                names.iter().any(|n| n.matches("", &NoValues))
            }
            Seen::Names(names) => !names.is_empty(),
        })
    }

    /// `/NAME/UUID` of a cluster as a pattern writes it, or some.
    fn name_of(&self, pattern: &Pattern) -> String {
        let rest = pattern.0.splitn(6, |a| *a == Atom::Char(':')).nth(5).unwrap_or_default();
        let mut parts = rest.split(|a| *a == Atom::Char('/')).skip(1);
        let mut word = |other: &str| {
            let literal = parts.next().and_then(|p| Pattern(p.into()).literal());
            literal.filter(|t| !t.is_empty()).unwrap_or_else(|| other.to_owned())
        };
        format!("/{}/{}", word("name"), word("uuid"))
    }

    fn variables_of(&self, text: &str, node: &Node, path: &str, out: &mut Findings<'_>) {
        let Ok(pattern) = Pattern::read(text, self.variables, true) else { return };
        for atom in &pattern.0 {
            if let Atom::Variable(key, None) = atom
                && !supplied(key.name(), key, true)
            {
                let found = format!("${{{}}} in {} never has a value", key.name(), shown_text(text));
                out.add(
                    "variable",
                    path,
                    node.at,
                    found,
                    "the resource matches nothing; see the table of condition keys",
                );
            }
        }
    }

    fn conditions(&self, actions: &[&Known], out: &mut Findings<'_>) {
        let of_service =
            ["Action", "NotAction"].iter().flat_map(|name| self.statement.texts(name)).any(|(text, ..)| {
                let text = text.to_lowercase();
                text == "*" || text.starts_with("sts:") || text.starts_with("iam:")
            });
        let named = |kind: &str| actions.iter().any(|a| a.resource_type == kind);
        let Some(block) = self.statement.node.member("Condition") else { return };
        for operator in block.members() {
            for member in operator.node.members() {
                let path = format!("{}.Condition.{}.{}", self.statement.path, operator.name, member.name);
                let key = Key::of(&member.name);
                let negative =
                    operator.name.contains("Not") || operator.name.ends_with("IfExists") || operator.name == "Null";
                let outcome = if negative { "it is as if the key were missing" } else { "the condition is never met" };
                if !supplied(&member.name, &key, of_service) {
                    let found = format!("no host supplies {}: {outcome}", shown_text(&member.name));
                    out.add(
                        "condition-key",
                        &path,
                        member.at,
                        found,
                        "see the table of condition keys in docs/policies.md",
                    );
                } else if key.origin() == Origin::ResourceTag
                    && !actions.is_empty()
                    && !named("cluster")
                    && !named("role")
                {
                    let found = format!("{} is known of the cluster itself alone: {outcome}", shown_text(&member.name));
                    out.add("condition-key", &path, member.at, found, "the statement has no action on the cluster");
                }
            }
        }
    }
}

/// Every service and type of resource there is.
fn kinds() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut all: Vec<(&str, &str)> = KNOWN.iter().map(|k| (k.service, k.resource_type)).collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter()
}

/// True when some host supplies the key, or the service itself for its own
/// actions.
fn supplied(name: &str, key: &Key, of_service: bool) -> bool {
    let name = name.to_lowercase();
    let own = ["sts:", "iam:", "aws:requesttag/"].iter().any(|head| name.starts_with(head)) || name == "aws:tagkeys";
    key.origin() != Origin::Channel || name.starts_with("iot:") || of_service && own
}

#[cfg(test)]
mod tests;
