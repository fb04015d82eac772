// SPDX-License-Identifier: Apache-2.0
//! `standin policy check`: what is probably not meant in policies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use standin::access_control::{Owner, Store};
use standin::channel::Channel;
use standin::decision::{Inputs, Keys};
use standin::fault::{Fault, Status};
use standin::identity::{Attributes, Identity, IdentityKind, Principal};
use standin::policy::check::{Finding, Party, Usage, Use, check, check_trust, unused};
use standin::time::UnixMillis;

use crate::Desk;
use crate::audit::{self, Files, Kind};
use crate::house::{House, Which};
use crate::input::{now, read};
use crate::output::{self, Output, date};

/// What to check.
#[derive(Args)]
pub(crate) struct Check {
    /// Files; - for standard input.
    #[arg(required_unless_present = "all")]
    files: Vec<PathBuf>,
    /// Every policy in the store, inline ones too.
    #[arg(long, conflicts_with = "files")]
    all: bool,
    /// Also what was allowed and not used in the last so many seconds, by the audit.
    #[arg(long, requires = "all")]
    unused_for: Option<i64>,
    /// Directory of the audit files.
    #[arg(long, requires = "unused_for")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
}

/// A document, and where it is from.
struct Checked {
    /// File, or name of the policy as explanations name it.
    name: String,
    text: String,
    /// It is a role's trust policy.
    trust: bool,
}

/// Whom trust policies may name: who is in the store.
struct Parties {
    account: String,
    identities: BTreeSet<Identity>,
    providers: BTreeSet<String>,
}

impl Parties {
    fn of(store: &Store) -> Result<Self, Fault> {
        let users = store.users()?.into_iter().map(|u| u.identity);
        let identities = users.chain(store.roles()?.into_iter().map(|r| r.identity)).collect();
        let providers = store.providers()?.into_iter().map(|p| p.arn).collect();
        Ok(Self { account: store.account().to_owned(), identities, providers })
    }

    /// Whether a principal stands for anybody.
    fn has(&self, party: &Party) -> bool {
        match party {
            Party::All => true,
            Party::Account(account) => **account == self.account,
            Party::Identity(identity) => self.identities.contains(identity),
            Party::Session(account, role, _) => {
                let named = |i: &Identity| i.kind() == IdentityKind::Role && i.name() == &**role;
                **account == self.account && self.identities.iter().any(named)
            }
            Party::Provider(arn) => self.providers.contains(&**arn),
            // Nobody of these asks here to assume a role.
            Party::Outside => false,
        }
    }
}

impl Check {
    pub(crate) fn run(self, desk: &Desk) -> Result<ExitCode, Fault> {
        let house = self.which.house(desk)?;
        let mut parties = None;
        let (documents, usages) = if self.all {
            let store = desk.store_or(house.store.as_ref())?;
            parties = Some(Parties::of(&store)?);
            let documents = all(&store)?;
            let usages = self.unused_for.map(|s| self.usages(desk, &store, &house, s)).transpose()?;
            (documents, usages)
        } else {
            let document = |path: &PathBuf| {
                let name = path.display().to_string();
                Ok(Checked { trust: name.ends_with(".trust.json"), text: read(path)?, name })
            };
            (self.files.iter().map(document).collect::<Result<_, Fault>>()?, None)
        };
        let mut found: Vec<(&str, Finding)> = Vec::new();
        for document in &documents {
            let invalid = |e| Fault::new(Status::InvalidDocument, format!("{}:\n{e}", document.name));
            if document.trust {
                let exists = |party: &Party| parties.as_ref().is_none_or(|known| known.has(party));
                let of_trust = check_trust(&document.text, &exists).map_err(invalid)?;
                found.extend(of_trust.into_iter().map(|f| (document.name.as_str(), f)));
                continue;
            }
            let mut of_document = check(&document.text, &house.scope).map_err(invalid)?;
            if let Some(of_policy) = usages.as_ref().and_then(|u| u.of(&document.name)) {
                of_document.extend(of_policy.unused(&document.text, &house)?);
            }
            of_document.sort_by_key(|f| (f.problem.line, f.problem.column));
            found.extend(of_document.into_iter().map(|f| (document.name.as_str(), f)));
        }
        if desk.output == Output::Json {
            let list: Vec<Value> = found.iter().map(|(name, f)| shown(name, f)).collect();
            output::line(&Value::from(list).to_string());
        } else {
            for (name, f) in &found {
                let p = &f.problem;
                output::line(&format!("{name}:{}:{}: {}: {}; {}", p.line, p.column, f.rule, p.found, p.accepted));
            }
        }
        let grave = found.iter().any(|(_, f)| !f.is_note());
        Ok(if grave { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }

    /// What every identity was allowed in the period.
    fn usages(&self, desk: &Desk, store: &Store, house: &House, seconds: i64) -> Result<Usages, Fault> {
        let dir = match self.dir.clone().or_else(|| house.audit_dir.clone()) {
            Some(dir) => dir,
            None => audit::beside(&desk.files()?.store),
        };
        let from = now().0 - seconds.saturating_mul(1000);
        let mut uses: BTreeMap<String, BTreeSet<Use>> = BTreeMap::new();
        let mut oldest = i64::MAX;
        let mut files = Files::new(dir);
        files.read(true, &mut |entry| {
            oldest = oldest.min(entry.time);
            let one = match (entry.kind, entry.outcome.as_str()) {
                (Kind::Operation, "allowed") => Use {
                    action: entry.field("/api/operation"),
                    resource_type: entry.field("/resources/0/type"),
                    resource: entry.field("/resources/0/name"),
                },
                (Kind::Login, "success") => Use {
                    action: "kafka-cluster:Connect".into(),
                    resource_type: "cluster".into(),
                    resource: String::new(),
                },
                _ => return,
            };
            if entry.time >= from {
                uses.entry(entry.field("/actor/user/uid")).or_default().insert(one);
            }
        })?;
        if uses.is_empty() {
            let text = format!("{} has no record of anything allowed in that time", files.dir().display());
            return Err(Fault::new(Status::InvalidArgument, text));
        }
        if oldest > from {
            output::complain(&format!("the audit reaches back to {} only", date(oldest)));
        }
        let mut usages = Usages { uses: BTreeMap::new(), policies: BTreeMap::new() };
        let users = store.users()?.into_iter().map(|u| u.identity);
        for identity in users.chain(store.roles()?.into_iter().map(|r| r.identity)) {
            let Some(effective) = store.entitlements(&identity)?.value else { continue };
            for policy in effective.policies {
                usages.policies.entry(policy.name).or_default().push(identity.clone());
            }
            let own = uses.remove(identity.arn()).unwrap_or_default();
            usages.uses.insert(identity, (own.into_iter().collect(), effective.tags));
        }
        Ok(usages)
    }
}

/// The tags of an identity.
type Tags = Vec<(String, String)>;

/// What identities were allowed, and who has which policy.
struct Usages {
    uses: BTreeMap<Identity, (Vec<Use>, Tags)>,
    policies: BTreeMap<String, Vec<Identity>>,
}

/// The same, of those who have one policy.
struct OfPolicy<'u> {
    usages: &'u Usages,
    identities: &'u [Identity],
}

impl Usages {
    /// None for a policy that nobody has.
    fn of(&self, policy: &str) -> Option<OfPolicy<'_>> {
        self.policies.get(policy).map(|identities| OfPolicy { usages: self, identities })
    }
}

impl OfPolicy<'_> {
    fn unused(&self, text: &str, house: &House) -> Result<Vec<Finding>, Fault> {
        let channel = Channel::default();
        let own: Vec<(&Vec<Use>, Principal)> = self
            .identities
            .iter()
            .filter_map(|identity| {
                let (uses, tags) = self.usages.uses.get(identity)?;
                let attributes = Attributes { tags: tags.clone(), ..Attributes::default() };
                let principal = Principal { subject: identity.clone(), attributes, actors: Vec::new(), grant: None };
                Some((uses, principal))
            })
            .collect();
        let inputs: Vec<Inputs<'_>> = own
            .iter()
            .map(|(_, principal)| Inputs {
                principal,
                channel: &channel,
                address: None,
                client_id: "",
                now: UnixMillis(0),
                resource_tags: &house.tags,
                keys: Keys::Host,
            })
            .collect();
        let usages: Vec<Usage<'_>> =
            own.iter().zip(&inputs).map(|((uses, _), inputs)| Usage { uses, inputs }).collect();
        unused(text, &house.scope, &usages).map_err(|e| Fault::new(Status::InvalidDocument, e.to_string()))
    }
}

/// Every policy in the store, under the names that explanations use.
fn all(store: &Store) -> Result<Vec<Checked>, Fault> {
    let mut documents: Vec<Checked> =
        store.policies()?.into_iter().map(|p| Checked { name: p.arn, text: p.document, trust: false }).collect();
    let mut inline = |owner: Owner<'_>, arn: &str| -> Result<(), Fault> {
        let own = store.policies_of(owner)?.inline;
        documents.extend(own.into_iter().map(|(name, text)| Checked {
            name: format!("inline/{arn}/{name}"),
            text,
            trust: false,
        }));
        Ok(())
    };
    for user in store.users()? {
        inline(Owner::User(user.identity.name()), user.identity.arn())?;
    }
    for role in store.roles()? {
        inline(Owner::Role(role.identity.name()), role.identity.arn())?;
    }
    for (arn, _) in store.groups()? {
        inline(Owner::Group(&arn), &arn)?;
    }
    documents.extend(store.roles()?.into_iter().map(|role| Checked {
        name: format!("trust/{}", role.identity.arn()),
        text: role.trust,
        trust: true,
    }));
    Ok(documents)
}

fn shown(name: &str, f: &Finding) -> Value {
    let p = &f.problem;
    json!({"policy": name, "rule": f.rule, "level": if f.is_note() { "note" } else { "finding" },
        "path": p.path, "line": p.line, "column": p.column, "found": p.found, "advice": p.accepted})
}
