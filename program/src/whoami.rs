// SPDX-License-Identifier: Apache-2.0
//! `standin whoami`: whose keys these are, and whether they are good.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use standin::access_control::{Owner, Store};
use standin::credential::Secret;
use standin::credential::session_token::TokenBody;
use standin::fault::{Fault, Status};
use standin::identity::{Attributes, Identity, IdentityKind};
use standin::policy::explain::Question;
use standin::policy::{Document, Named};

use crate::Desk;
use crate::credentials::Credentials;
use crate::explain::{Scene, ask};
use crate::house::{House, Which};
use crate::input::now;
use crate::output::add_policies;
use crate::output::date;
use crate::output::tag_map;

/// Whose keys.
#[derive(Args)]
pub(crate) struct WhoAmI {
    /// Profile of the credentials file; without it the environment is looked at first.
    #[arg(long)]
    profile: Option<String>,
    /// The credentials file; by default AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials.
    #[arg(long)]
    profile_file: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
}

fn refused(status: Status, text: String) -> Fault {
    Fault::new(status, text)
}

/// What stands behind good keys.
struct Holder {
    identity: Identity,
    scene: Scene,
    /// What only sessions have.
    session: Option<TokenBody>,
}

impl Holder {
    /// Checks the keys as a login would, but for the signature: the secret
    /// itself is compared.
    fn of(store: &Store, keys: &Credentials) -> Result<Self, Fault> {
        let id = &keys.id;
        let differs = |identity: &str| {
            refused(Status::SignatureMismatch, format!("the secret is not that of {id}, which is a key of {identity}"))
        };
        let Some(token) = &keys.token else {
            if id.starts_with("ASIA") {
                let text = format!("{id} is a temporary key: its session token is missing (AWS_SESSION_TOKEN)");
                return Err(refused(Status::Malformed, text));
            }
            let row = store.login_key(id)?.value.ok_or_else(|| {
                refused(
                    Status::UnknownKey,
                    format!("access key {id} is not known; keys of AWS cannot be verified here"),
                )
            })?;
            if row.secret != keys.secret {
                return Err(differs(row.identity.arn()));
            }
            if !row.active {
                let text = format!("access key {id} of {} is disabled; standin key enable {id}", row.identity);
                return Err(refused(Status::KeyDisabled, text));
            }
            let scene = Self::scene(Attributes::default(), Vec::new());
            return Ok(Self { identity: row.identity, scene, session: None });
        };
        let body = TokenBody::open(store.ring(), token, id)?;
        if Secret::new(body.secret.as_bytes().to_vec()) != keys.secret {
            return Err(differs(&body.subject));
        }
        if body.expires <= now().0 {
            let text = format!("the temporary credentials {id} of {} expired at {}", body.subject, date(body.expires));
            return Err(refused(Status::Expired, text));
        }
        let policies = body
            .session_policies
            .iter()
            .enumerate()
            .map(|(n, text)| {
                let document = Document::parse(text)
                    .map_err(|e| Fault::new(Status::NewerFormat, format!("session policy {n}: {e}")))?;
                Ok(Named { name: format!("session/{}/{n}", body.session_name).into(), document: document.into() })
            })
            .collect::<Result<_, Fault>>()?;
        let attributes = Attributes {
            session_name: Some(body.session_name.clone()),
            source_identity: body.source_identity.clone(),
            tags: body.tags.clone(),
            token_issued: Some(body.issued),
            ..Attributes::default()
        };
        Ok(Self {
            identity: Identity::parse(&body.subject)?,
            scene: Self::scene(attributes, policies),
            session: Some(body),
        })
    }

    /// A connection as most clients have it, from an address nobody knows.
    fn scene(attributes: Attributes, session: Vec<Named>) -> Scene {
        let channel = standin::channel::Channel {
            secure: true,
            protocol: "SASL_SSL".into(),
            ..standin::channel::Channel::default()
        };
        Scene { channel, client_id: String::new(), now: now(), attributes, session }
    }

    /// Whether it may connect, and why not.
    fn connect(&self, store: &Store, house: &House) -> Result<(Option<bool>, String), Fault> {
        if house.scope.namespaces.is_empty() {
            return Ok((None, "of which cluster? give --broker FILE or --cluster ARN".into()));
        }
        let question = Question { action: "kafka-cluster:Connect", resource_type: "cluster", resource: "" };
        let answered = ask(store, house, &self.identity, question, &self.scene)?;
        let lines = answered.lines(&self.identity, question);
        Ok((Some(answered.is_allowed()), lines.get(1..).unwrap_or_default().join("; ")))
    }
}

impl WhoAmI {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        let keys = Credentials::find(self.profile.as_deref(), self.profile_file.clone())?;
        let house = self.which.house(desk)?;
        let store = desk.store_or(house.store.as_ref())?;
        let holder = Holder::of(&store, &keys)?;
        let identity = &holder.identity;
        let (owner, groups, disabled, boundary, tags) = match identity.kind() {
            IdentityKind::Role => {
                let role = store.role(identity.arn())?;
                let boundary = store.entitlements(identity)?.value.and_then(|e| e.boundary).map(|b| b.name);
                (Owner::Role(identity.name()), Vec::new(), role.disabled, boundary, role.tags)
            }
            _ => {
                let user = store.user(identity.arn())?;
                (
                    Owner::User(identity.name()),
                    store.groups_of(identity.name())?,
                    user.disabled,
                    user.boundary,
                    user.tags,
                )
            }
        };
        let mut out = json!({
            "arn": identity.arn(),
            "account": identity.account(),
            "key": keys.id,
            "from": keys.from,
            "state": if disabled { "disabled" } else { "enabled" },
        });
        if let Some(body) = &holder.session {
            out["session_name"] = json!(body.session_name);
            out["assumed_by"] = json!(body.assumed_by);
            out["source_identity"] = json!(body.source_identity);
            out["issued"] = json!(date(body.issued));
            out["expires"] = json!(date(body.expires));
            out["session_tags"] = tag_map(&body.tags);
            out["session_policies"] = json!(body.session_policies.len());
        }
        out["tags"] = tag_map(&tags);
        out["groups"] = json!(groups);
        add_policies(&mut out, &store.policies_of(owner)?);
        let in_groups: Vec<Value> = groups
            .iter()
            .map(|group| store.policies_of(Owner::Group(group)))
            .collect::<Result<Vec<_>, _>>()?
            .iter()
            .flat_map(|own| own.attached.iter().chain(own.inline.iter().map(|(name, _)| name)))
            .map(|name| json!(name))
            .collect();
        out["group_policies"] = in_groups.into();
        out["boundary"] = json!(boundary);
        if disabled {
            out["connect"] = json!("denied");
            out["why"] = json!(format!("{identity} is disabled"));
            desk.output.one(&out);
            return Ok(ExitCode::from(1));
        }
        let (allowed, why) = holder.connect(&store, &house)?;
        out["connect"] = json!(match allowed {
            None => "unknown",
            Some(true) => "allowed",
            Some(false) => "denied",
        });
        out["why"] = json!(why);
        desk.output.one(&out);
        Ok(if allowed == Some(false) { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }
}
