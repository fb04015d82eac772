// SPDX-License-Identifier: Apache-2.0
//! Why a question is decided as it is: how each statement bears on it, and the
//! smallest statement that would allow it. For people; deciding is elsewhere.

use std::sync::Arc;

use super::action::{ActionId, ActionTable};
use super::arn::Scope;
use super::compile::{Compiled, Named, PolicySet};
use super::document::Document;
use super::key::{Found, Key};
use super::problem::Problems;
use super::reader::{Node, Value, read};
use super::statement::{Effect, Statement};
use crate::decision::{Inputs, Outcome, Reason, Verdict};

/// What one policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// An identity policy: one of them has to allow.
    Identity,
    /// The permissions boundary: it has to allow too.
    Boundary,
    /// A session policy: where there are any, one has to allow too.
    Session,
}

/// A condition that is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// The operator as it is written.
    pub operator: String,
    /// The condition key as it is written.
    pub key: String,
    /// The values as they are written.
    pub wanted: Vec<String>,
    /// The key's values in this request; empty when it has none.
    pub found: Vec<String>,
}

/// How a statement bears on a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// It applies: it allows, or it denies.
    Applies,
    /// It would apply if these conditions were met.
    Unmet(Vec<Unmet>),
    /// It is about the action, but about other resources.
    Elsewhere(Vec<String>),
}

/// One statement about the action of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearing {
    /// Name of the policy.
    pub policy: Arc<str>,
    /// What the policy is for.
    pub layer: Layer,
    /// The statement's position in the document, from 0.
    pub index: usize,
    /// Its Sid.
    pub sid: Option<Arc<str>>,
    /// True when its effect is Deny.
    pub deny: bool,
    /// How it bears on the question.
    pub how: How,
}

/// A question as it is asked of policies.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// Such as `kafka-cluster:ReadData`.
    pub action: &'a str,
    /// Such as `topic`; empty when the resource is a whole ARN.
    pub resource_type: &'a str,
    /// The resource's name; empty for the cluster itself.
    pub resource: &'a str,
}

/// The verdict on a question, and what led to it.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The verdict, as the engine comes to it.
    pub verdict: Verdict,
    /// The deciding statement: the position of its [`Bearing`].
    pub decided_by: Option<usize>,
    /// Every statement about the action, in the order of the policies.
    pub bearings: Vec<Bearing>,
    /// Where an allow is missing; empty when nothing but a deny stands in the
    /// way.
    pub missing: Vec<Layer>,
}

/// Explains how these policies decide a question.
#[must_use]
pub fn explain(set: &PolicySet, scope: &Scope, question: Question<'_>, inputs: &Inputs<'_>) -> Explanation {
    let mut actions = ActionTable::new();
    let action = actions.intern(question.action, question.resource_type);
    let compiled = Compiled::new(set, &actions, scope);
    let verdict = compiled.decide(action, question.resource, inputs);
    let asking = Asking { actions: &actions, action, scope, question, inputs };
    let mut bearings = Vec::new();
    for (named, layer) in layers(set) {
        let mut written = written(named.document.text()).into_iter();
        for (index, statement) in named.document.statements.iter().enumerate() {
            let written = written.next().unwrap_or_default();
            if statement.covers(question.action, question.resource_type) {
                let how = asking.how(statement, written);
                bearings.push(Bearing {
                    policy: Arc::clone(&named.name),
                    layer,
                    index,
                    sid: statement.sid.clone(),
                    deny: statement.effect == Effect::Deny,
                    how,
                });
            }
        }
    }
    let decided_by = verdict.statement.map(|s| compiled.statement(s)).and_then(|name| {
        bearings.iter().position(|b| *b.policy == *name.policy && b.index == name.index && b.how == How::Applies)
    });
    let allowed = |layer| bearings.iter().any(|b| b.layer == layer && !b.deny && b.how == How::Applies);
    let missing = layers_needed(set).into_iter().filter(|layer| !allowed(*layer)).collect();
    Explanation { verdict, decided_by, bearings, missing }
}

/// How one statement of a document bears on a question; none when it is not
/// about the action. Resources and conditions are not told.
pub(super) fn bears(
    document: &Document,
    statement: usize,
    scope: &Scope,
    question: &Question<'_>,
    inputs: &Inputs<'_>,
) -> Option<How> {
    let statement = document.statements.get(statement).filter(|s| s.covers(question.action, question.resource_type))?;
    let mut actions = ActionTable::new();
    let action = actions.intern(question.action, question.resource_type);
    let asking = Asking { actions: &actions, action, scope, question: *question, inputs };
    Some(asking.how(statement, Written::default()))
}

/// The smallest document that allows exactly this question: one statement.
#[must_use]
pub fn smallest(scope: &Scope, question: Question<'_>) -> String {
    let namespace = scope.namespaces.first().filter(|_| !question.resource_type.is_empty());
    let head = namespace.map_or_else(String::new, |n| n.head(question.resource_type));
    let nameless = namespace.is_some_and(|n| n.is_nameless(question.resource_type));
    // Characters of names that a pattern reads as something else.
    let name: String = question.resource.chars().fold(String::new(), |mut text, c| {
        match c {
            '*' | '?' | '$' => text.extend(['$', '{', c, '}']),
            c => text.push(c),
        }
        text
    });
    let resource = if nameless { head } else { format!("{head}{name}") };
    let (action, resource) = (quoted(question.action), quoted(&resource));
    format!(r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":{action},"Resource":{resource}}}}}"#)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn layers(set: &PolicySet) -> impl Iterator<Item = (&Named, Layer)> {
    let identity = set.identity.iter().map(|p| (p, Layer::Identity));
    let boundary = set.boundary.iter().map(|p| (p, Layer::Boundary));
    identity.chain(boundary).chain(set.session.iter().map(|p| (p, Layer::Session)))
}

fn layers_needed(set: &PolicySet) -> Vec<Layer> {
    let mut needed = vec![Layer::Identity];
    needed.extend(set.boundary.iter().map(|_| Layer::Boundary));
    needed.extend(set.session.first().map(|_| Layer::Session));
    needed
}

struct Asking<'a> {
    actions: &'a ActionTable,
    action: ActionId,
    scope: &'a Scope,
    question: Question<'a>,
    inputs: &'a Inputs<'a>,
}

impl Asking<'_> {
    /// How the engine itself takes one statement, alone.
    fn applies(&self, statement: Statement) -> bool {
        let document = Document::of_statements(vec![statement]);
        let set = PolicySet {
            identity: vec![Named { name: "alone".into(), document: Arc::new(document) }],
            ..PolicySet::default()
        };
        let verdict =
            Compiled::new(&set, self.actions, self.scope).decide(self.action, self.question.resource, self.inputs);
        verdict.outcome == Outcome::Allow || verdict.reason == Reason::ExplicitDeny
    }

    fn how(&self, statement: &Statement, written: Written) -> How {
        let with = |conditions: Vec<_>| Statement { conditions, ..statement.clone() };
        if !self.applies(with(Vec::new())) {
            return How::Elsewhere(written.resources);
        }
        // The conditions of a statement stand in the order they are written in.
        let unmet: Vec<Unmet> = statement
            .conditions
            .iter()
            .zip(written.conditions)
            .filter(|(condition, _)| !self.applies(with(vec![(*condition).clone()])))
            .map(|(_, (operator, key, wanted))| {
                let found = Found::of(self.inputs, &Key::of(&key)).iter().map(str::to_owned).collect();
                Unmet { operator, key, wanted, found }
            })
            .collect();
        if unmet.is_empty() { How::Applies } else { How::Unmet(unmet) }
    }
}

/// A statement as it is written.
#[derive(Default)]
struct Written {
    conditions: Vec<(String, String, Vec<String>)>,
    resources: Vec<String>,
}

/// The statements of a valid document, in the order of its text.
fn written(text: &str) -> Vec<Written> {
    let root = read(text, &mut Problems::new(text));
    let statements = root.as_ref().and_then(|root| root.member("Statement"));
    statements.map_or_else(Vec::new, |s| s.items("").into_iter().map(|(node, _)| Written::of(node)).collect())
}

impl Written {
    fn of(statement: &Node) -> Self {
        let mut written = Self::default();
        for (name, mark) in [("Resource", ""), ("NotResource", "all but ")] {
            let texts = statement.member(name).map_or_else(Vec::new, texts);
            written.resources.extend(texts.into_iter().map(|text| format!("{mark}{text}")));
        }
        for operator in statement.member("Condition").map_or(&[][..], Node::members) {
            for key in operator.node.members() {
                written.conditions.push((operator.name.clone(), key.name.clone(), texts(&key.node)));
            }
        }
        written
    }
}

fn texts(node: &Node) -> Vec<String> {
    let text = |node: &Node| match &node.value {
        Value::Text(text) => text.clone(),
        _ => node.shown(),
    };
    node.items("").into_iter().map(|(node, _)| text(node)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::channel::Channel;
    use crate::decision::Keys;
    use crate::identity::{Attributes, Identity, IdentityKind, Principal};
    use crate::policy::{ArnMatch, Namespace};
    use crate::time::UnixMillis;

    const CLUSTER: &str = "arn:aws:kafka:us-east-1:123456789012:cluster/demo/u-1";

    fn named(name: &str, text: &str) -> Named {
        Named { name: name.into(), document: Arc::new(Document::parse(text).unwrap()) }
    }

    fn scope(arn_match: ArnMatch) -> Scope {
        Scope { namespaces: vec![Namespace::parse(CLUSTER).unwrap()], arn_match }
    }

    fn ask(set: &PolicySet, question: Question<'_>, arn_match: ArnMatch) -> Explanation {
        let channel = Channel { address: Some([192, 0, 2, 1].into()), ..Channel::default() };
        let principal = Principal {
            subject: Identity::new("aws", "123456789012", IdentityKind::User, "/", "ann").unwrap(),
            attributes: Attributes::default(),
            actors: Vec::new(),
            grant: None,
        };
        let inputs = Inputs {
            principal: &principal,
            channel: &channel,
            address: None,
            client_id: "",
            now: UnixMillis(0),
            resource_tags: &[],
            keys: Keys::Host,
        };
        explain(set, &scope(arn_match), question, &inputs)
    }

    const READ: Question<'_> =
        Question { action: "kafka-cluster:ReadData", resource_type: "topic", resource: "orders" };

    #[test]
    fn each_statement_about_the_action_is_told_with_how_it_bears() {
        let identity = named(
            "p",
            r#"{"Version":"2012-10-17","Statement":[
              {"Sid":"Other","Effect":"Allow","Action":"kafka-cluster:WriteData","Resource":"*"},
              {"Sid":"Away","Effect":"Allow","Action":"kafka-cluster:Read*","Resource":"arn:aws:kafka:*:*:topic/demo/*/x"},
              {"Sid":"Net","Effect":"Allow","Action":"kafka-cluster:ReadData","Resource":"*",
               "Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8"]},"Bool":{"aws:SecureTransport":"false"},
                            "StringEquals":{"aws:PrincipalTag/team":"red"}}}]}"#,
        );
        let told = ask(&PolicySet { identity: vec![identity], ..PolicySet::default() }, READ, ArnMatch::Fields);
        assert_eq!(told.verdict.outcome, Outcome::Deny);
        assert_eq!((told.decided_by, &told.missing[..]), (None, &[Layer::Identity][..]));
        let [away, net] = told.bearings.as_slice() else { panic!("{:?}", told.bearings) };
        assert_eq!(away.sid.as_deref(), Some("Away"));
        assert_eq!(away.how, How::Elsewhere(vec!["arn:aws:kafka:*:*:topic/demo/*/x".into()]));
        let How::Unmet(unmet) = &net.how else { panic!("{net:?}") };
        let told: Vec<(&str, &str, usize)> =
            unmet.iter().map(|u| (u.operator.as_str(), u.key.as_str(), u.found.len())).collect();
        assert_eq!(told, [("IpAddress", "aws:SourceIp", 1), ("StringEquals", "aws:PrincipalTag/team", 0)]);
        assert_eq!(
            (&unmet[0].wanted[..], &unmet[0].found[..]),
            (&["10.0.0.0/8".into()][..], &["192.0.2.1".into()][..])
        );
    }

    #[test]
    fn a_deny_is_named_and_what_is_missing_beside_it() {
        let allow = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
        let deny = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"kafka-cluster:ReadData","Resource":"*"}}"#;
        let set = PolicySet {
            identity: vec![named("a", allow), named("d", deny)],
            boundary: Some(named("b", &allow.replace("\"*\",\"Resource", "\"s3:Get\",\"Resource"))),
            session: vec![named("s", allow)],
        };
        let told = ask(&set, READ, ArnMatch::Fields);
        assert_eq!(told.verdict.reason, Reason::ExplicitDeny);
        let by = &told.bearings[told.decided_by.unwrap()];
        assert_eq!((&*by.policy, by.deny), ("d", true));
        assert_eq!(told.missing, [Layer::Boundary]);
    }

    fn set(document: &str) -> PolicySet {
        PolicySet { identity: vec![named("p", document)], ..PolicySet::default() }
    }

    proptest! {
        /// The smallest statement allows what was asked, under both ways to
        /// match, and nothing else.
        #[test]
        fn the_smallest_statement_allows_exactly_the_question(
            name in "[a-c*?$:/{} ]{0,6}", other in "[a-c*?$:/{} ]{0,6}", group in any::<bool>(), aws in any::<bool>()
        ) {
            let arn_match = if aws { ArnMatch::Aws } else { ArnMatch::Fields };
            let (action, kind) =
                if group { ("kafka-cluster:AlterGroup", "group") } else { ("kafka-cluster:ReadData", "topic") };
            let question = Question { action, resource_type: kind, resource: &name };
            let set = set(&smallest(&scope(arn_match), question));
            prop_assert_eq!(ask(&set, question, arn_match).verdict.outcome, Outcome::Allow);
            let elsewhere = ask(&set, Question { resource: &other, ..question }, arn_match).verdict.outcome;
            prop_assert_eq!(elsewhere == Outcome::Allow, name == other);
            let another = Question { action: "kafka-cluster:DescribeTopic", ..question };
            prop_assert_eq!(ask(&set, another, arn_match).verdict.outcome, Outcome::Deny);
        }
    }

    #[test]
    fn the_smallest_statement_on_the_cluster_is_the_clusters_arn() {
        let question = Question { action: "kafka-cluster:Connect", resource_type: "cluster", resource: "" };
        let text = smallest(&scope(ArnMatch::Fields), question);
        assert!(text.contains(&format!("\"Resource\":\"{CLUSTER}\"")), "{text}");
        assert_eq!(ask(&set(&text), question, ArnMatch::Fields).verdict.outcome, Outcome::Allow);
    }
}
