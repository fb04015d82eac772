// SPDX-License-Identifier: Apache-2.0
//! `standin explain`: why something is allowed or not, and what would allow it.

mod answer;
mod login;
mod request;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use standin::access_control::{Attached, Effective, Store};
use standin::channel::Channel;
use standin::decision::{Inputs, Keys};
use standin::fault::{Fault, Status};
use standin::identity::{Attributes, Identity, IdentityKind, Principal};
use standin::policy::explain::{Explanation, Question, explain, smallest};
use standin::policy::{Document, Named, PolicySet};
use standin::time::UnixMillis;

use crate::Desk;
use crate::house::{House, Which};
use crate::input::{now, read, tags};
use crate::output::{self, Output};

/// What to explain.
#[derive(Args)]
pub(crate) struct Explain {
    /// Request id a client was shown; or give --identity, --action and --resource.
    #[arg(required_unless_present = "identity", conflicts_with_all = ["identity", "action", "resource"])]
    request: Option<String>,
    /// Whose rights: an ARN, user/NAME, role/NAME, or the name of a user or role.
    #[arg(long, requires = "action")]
    identity: Option<String>,
    /// Action, such as kafka-cluster:ReadData.
    #[arg(long, requires = "resource")]
    action: Option<String>,
    /// Resource: TYPE/NAME such as topic/orders, cluster, or a whole ARN.
    #[arg(long, requires = "identity")]
    resource: Option<String>,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    circumstances: Circumstances,
    /// Directory of the audit files, for a request id.
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// Under which circumstances it is asked.
#[derive(Args, Default)]
pub(crate) struct Circumstances {
    /// The client's address.
    #[arg(long)]
    address: Option<IpAddr>,
    /// Security protocol of the listener.
    #[arg(long, default_value = "SASL_SSL")]
    protocol: String,
    /// Name of the listener.
    #[arg(long, default_value = "")]
    listener: String,
    /// Name the client dialled.
    #[arg(long, default_value = "")]
    host: String,
    /// Client id of the request.
    #[arg(long, default_value = "")]
    client_id: String,
    /// When, milliseconds since 1970; by default now.
    #[arg(long)]
    at: Option<i64>,
    /// Name of the role session.
    #[arg(long)]
    session_name: Option<String>,
    /// Tag of the session, KEY=VALUE; may be given several times.
    #[arg(long = "tag")]
    tags: Vec<String>,
    /// File with a session policy; may be given several times.
    #[arg(long)]
    session_policy: Vec<PathBuf>,
    /// Source identity of the session.
    #[arg(long)]
    source_identity: Option<String>,
}

/// Over which connection and when, as policies see it.
pub(crate) struct Scene {
    pub(crate) channel: Channel,
    pub(crate) client_id: String,
    pub(crate) now: UnixMillis,
    pub(crate) attributes: Attributes,
    pub(crate) session: Vec<Named>,
}

impl Circumstances {
    fn scene(&self) -> Result<Scene, Fault> {
        let channel = Channel {
            address: self.address,
            secure: self.protocol.ends_with("SSL"),
            protocol: self.protocol.clone(),
            listener: self.listener.clone(),
            host: self.host.clone(),
            ..Channel::default()
        };
        let session = self
            .session_policy
            .iter()
            .enumerate()
            .map(|(n, path)| named(&format!("session/{n}"), &read(path)?))
            .collect::<Result<_, _>>()?;
        Ok(Scene {
            channel,
            client_id: self.client_id.clone(),
            now: self.at.map_or_else(now, UnixMillis),
            attributes: Attributes {
                session_name: self.session_name.clone(),
                source_identity: self.source_identity.clone(),
                tags: tags(&self.tags)?,
                ..Attributes::default()
            },
            session,
        })
    }
}

fn named(name: &str, text: &str) -> Result<Named, Fault> {
    let document =
        Document::parse(text).map_err(|e| Fault::new(Status::InvalidDocument, format!("policy {name}:\n{e}")))?;
    Ok(Named { name: name.into(), document: document.into() })
}

/// The identity that is meant by a name or an ARN.
pub(crate) fn identity(store: &Store, name: &str) -> Result<Identity, Fault> {
    if name.starts_with("arn:") {
        let identity = Identity::parse(name)?;
        return match identity.kind() {
            IdentityKind::Role => store.role(name).map(|r| r.identity),
            _ => store.user(name).map(|u| u.identity),
        };
    }
    if let Some(role) = name.strip_prefix("role/") {
        return store.role(role).map(|r| r.identity);
    }
    if let Some(user) = name.strip_prefix("user/") {
        return store.user(user).map(|u| u.identity);
    }
    let found = |fault: &Fault| fault.status == Status::NotFound;
    match (store.user(name), store.role(name)) {
        (Ok(_), Ok(_)) => Err(Fault::new(
            Status::InvalidArgument,
            format!("there is a user and a role {name:?}: give user/{name} or role/{name}"),
        )),
        (Ok(user), Err(f)) if found(&f) => Ok(user.identity),
        (Err(f), Ok(role)) if found(&f) => Ok(role.identity),
        (Err(f), Err(_)) if found(&f) => {
            Err(Fault::new(Status::NotFound, format!("there is no user and no role {name:?}")))
        }
        (Err(f), _) | (_, Err(f)) => Err(f),
    }
}

/// One question about one identity, answered.
pub(crate) struct Answered {
    /// What it came to.
    pub(crate) explanation: Explanation,
    /// The smallest document that allows it.
    pub(crate) smallest: String,
    /// The policies that were looked at.
    pub(crate) policies: PolicySet,
}

/// What is in force for an identity; a fault when it is disabled.
pub(crate) fn in_force(store: &Store, identity: &Identity) -> Result<Effective, Fault> {
    let effective = store.entitlements(identity)?.value;
    effective.ok_or_else(|| Fault::new(Status::IdentityDisabled, format!("{identity} is disabled or deleted")))
}

/// Answers one question from what is in the store now.
pub(crate) fn ask(
    store: &Store,
    house: &House,
    identity: &Identity,
    question: Question<'_>,
    scene: &Scene,
) -> Result<Answered, Fault> {
    let effective = in_force(store, identity)?;
    let one = |p: &Attached| named(&p.name, &p.document);
    let policies = PolicySet {
        identity: effective.policies.iter().map(one).collect::<Result<_, _>>()?,
        boundary: effective.boundary.as_ref().map(one).transpose()?,
        session: scene.session.clone(),
    };
    let unique_id = match identity.kind() {
        IdentityKind::Role => store.role(identity.arn())?.unique_id,
        _ => store.user(identity.arn())?.unique_id,
    };
    let user_id = match &scene.attributes.session_name {
        Some(session) => format!("{unique_id}:{session}"),
        None => unique_id,
    };
    let attributes = Attributes { user_id, ..scene.attributes.clone() };
    let principal = Principal { subject: identity.clone(), attributes, actors: Vec::new(), grant: None }
        .with_identity_tags(&effective.tags);
    let inputs = Inputs {
        principal: &principal,
        channel: &scene.channel,
        address: None,
        client_id: &scene.client_id,
        now: scene.now,
        resource_tags: &house.tags,
        keys: Keys::Host,
    };
    let explanation = explain(&policies, &house.scope, question, &inputs);
    Ok(Answered { explanation, smallest: smallest(&house.scope, question), policies })
}

impl Explain {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        let house = self.which.house(desk)?;
        let store = desk.store_or(house.store.as_ref())?;
        if let Some(id) = &self.request {
            return request::run(desk, &store, &house, id, self.dir.as_deref());
        }
        let (Some(name), Some(action), Some(resource)) = (&self.identity, &self.action, &self.resource) else {
            return Err(Fault::new(
                Status::InvalidArgument,
                "give a request id, or --identity, --action and --resource",
            ));
        };
        let identity = identity(&store, name)?;
        let (kind, resource) = house.resource(resource)?;
        let question = Question { action, resource_type: kind, resource };
        let scene = self.circumstances.scene()?;
        let answered = ask(&store, &house, &identity, question, &scene)?;
        let allowed = answered.is_allowed();
        let mut told = answered.json(&identity, question);
        told["cluster"] = json!(house.from);
        if desk.output == Output::Json {
            output::line(&told.to_string());
        } else {
            answered.lines(&identity, question).iter().for_each(|l| output::line(l));
        }
        Ok(if allowed { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}
