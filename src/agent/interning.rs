// SPDX-License-Identifier: Apache-2.0
//! Contexts made once and shared by everyone for whom all that the policies
//! look at is equal.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use crate::channel::Channel;
use crate::fault::Fault;
use crate::identity::Principal;
use crate::policy::{Compiled, Facts};
use crate::revision::Revision;
use crate::service::Set;
use crate::session::{Common, Context, Tally};

#[derive(PartialEq, Eq, Hash)]
struct ContextKey {
    set: [u8; 32],
    principal: Principal,
    channel: Channel,
}

/// See the module's page.
pub(super) struct Interning {
    common: Common,
    contexts: Mutex<HashMap<ContextKey, Weak<Context>>>,
}

impl Interning {
    pub(super) fn new(common: Common) -> Self {
        Self { common, contexts: Mutex::default() }
    }

    /// The context of this principal, with all its tags, under these policies
    /// over this channel.
    pub(super) fn context(
        &self,
        principal: &Principal,
        set: &Set,
        revision: Revision,
        channel: &Channel,
        tally: &Arc<Tally>,
    ) -> Result<Arc<Context>, Fault> {
        let depends = set.compiled.depends();
        let key = ContextKey {
            set: set.hash,
            principal: seen_of_principal(principal, depends),
            channel: seen_of_channel(channel, &set.compiled),
        };
        let mut contexts = self.contexts.lock().map_err(|_| Fault::internal("shared contexts failed earlier"))?;
        if let Some(known) = contexts.get(&key).and_then(Weak::upgrade).filter(|c| !c.is_worn()) {
            return Ok(known);
        }
        let compiled = Arc::clone(&set.compiled);
        let context = Context::new(principal.clone(), compiled, revision, &self.common, Arc::clone(tally));
        let context = Arc::new(context);
        contexts.insert(key, Arc::downgrade(&context));
        Ok(context)
    }

    /// Every context in use.
    pub(super) fn contexts(&self) -> Vec<Arc<Context>> {
        self.contexts.lock().map(|c| c.values().filter_map(Weak::upgrade).collect()).unwrap_or_default()
    }

    /// True when decisions under these policies may end by themselves.
    pub(super) fn is_timed(&self, compiled: &Compiled) -> bool {
        self.common.remote || compiled.depends().contains(Facts::TIME)
    }

    /// Gives no context again whose decisions may end by themselves.
    pub(super) fn forget_timed(&self) {
        let Ok(mut contexts) = self.contexts.lock() else { return };
        let all = std::mem::take(&mut *contexts);
        contexts.extend(all.into_iter().filter(|(_, c)| c.upgrade().is_some_and(|c| !self.is_timed(c.compiled()))));
    }

    /// Forgets what nobody uses.
    pub(super) fn sweep(&self) {
        if let Ok(mut contexts) = self.contexts.lock() {
            contexts.retain(|_, c| c.strong_count() > 0);
        }
    }
}

/// The principal reduced to what decisions under these policies can see.
fn seen_of_principal(principal: &Principal, depends: Facts) -> Principal {
    let mut seen = principal.clone();
    let attributes = &mut seen.attributes;
    attributes.session_name = None;
    if !depends.contains(Facts::SOURCE_IDENTITY) {
        attributes.source_identity = None;
    }
    if !depends.contains(Facts::USER_ID) {
        attributes.user_id = String::new();
    }
    // Presence of the issue time decides the principal's type.
    if !depends.contains(Facts::TOKEN_ISSUE_TIME) {
        attributes.token_issued = attributes.token_issued.map(|_| 0);
    }
    if !depends.contains(Facts::TAGS) {
        attributes.tags.clear();
    }
    seen
}

/// The channel reduced to what decisions under these policies can see.
pub(super) fn seen_of_channel(channel: &Channel, compiled: &Compiled) -> Channel {
    let depends = compiled.depends();
    let when = |bit: Facts, text: &str| if depends.contains(bit) { text.to_owned() } else { String::new() };
    Channel {
        address: channel.address.filter(|_| depends.contains(Facts::SOURCE_IP)),
        port: 0,
        secure: channel.secure && depends.contains(Facts::SECURE),
        listener: when(Facts::LISTENER, &channel.listener),
        protocol: when(Facts::PROTOCOL, &channel.protocol),
        host: when(Facts::HOST, &channel.host),
        connection: String::new(),
        facts: channel.facts.iter().filter(|(name, _)| compiled.looks_at(name)).cloned().collect(),
    }
}

/// True when [`seen_of_channel`] would make `seen` of this channel.
pub(super) fn is_seen_as(channel: &Channel, seen: &Channel, compiled: &Compiled) -> bool {
    // Every field by name: a new one has to be thought of here, too.
    let Channel { address, port: _, secure, listener, protocol, host, connection: _, facts } = channel;
    let depends = compiled.depends();
    let same = |bit: Facts, text: &str, seen: &str| !depends.contains(bit) || text == seen;
    same(Facts::LISTENER, listener, &seen.listener)
        && same(Facts::PROTOCOL, protocol, &seen.protocol)
        && same(Facts::HOST, host, &seen.host)
        && (!depends.contains(Facts::SOURCE_IP) || *address == seen.address)
        && (!depends.contains(Facts::SECURE) || *secure == seen.secure)
        && facts.iter().filter(|(name, _)| compiled.looks_at(name)).eq(&seen.facts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{ActionTable, ArnMatch, Document, Named, PolicySet, Scope};

    fn compiled(condition: &str) -> Compiled {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"shop:Read","Resource":"*","Condition":{condition}}}}}"#
        );
        let document = Document::parse(&text).unwrap().into();
        let mut set = PolicySet::default();
        set.identity.push(Named { name: "p".into(), document });
        let mut actions = ActionTable::new();
        actions.intern("shop:Read", "");
        Compiled::new(&set, &actions, &Scope { namespaces: Vec::new(), arn_match: ArnMatch::Aws })
    }

    /// A context is given again for the very channels it would be made for.
    #[test]
    fn channels_are_told_apart_as_they_are_reduced() {
        let base = Channel {
            address: Some([192, 0, 2, 1].into()),
            port: 1,
            secure: true,
            listener: "L".into(),
            protocol: "P".into(),
            host: "h".into(),
            connection: "c".into(),
            facts: vec![("iot:clientid".into(), "d".into())],
        };
        let others = [
            base.clone(),
            Channel { address: Some([192, 0, 2, 2].into()), ..base.clone() },
            Channel { address: None, ..base.clone() },
            Channel { port: 2, ..base.clone() },
            Channel { secure: false, ..base.clone() },
            Channel { listener: "M".into(), ..base.clone() },
            Channel { protocol: "Q".into(), ..base.clone() },
            Channel { host: "i".into(), ..base.clone() },
            Channel { connection: "e".into(), ..base.clone() },
            Channel { facts: vec![("iot:clientid".into(), "f".into())], ..base.clone() },
            Channel { facts: Vec::new(), ..base.clone() },
        ];
        let mut differing = 0;
        for condition in [
            r#"{"StringEquals":{"aws:username":"u"}}"#,
            r#"{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}"#,
            r#"{"Bool":{"aws:SecureTransport":"true"}}"#,
            r#"{"StringEquals":{"standin:Listener":"L"}}"#,
            r#"{"StringEquals":{"standin:Protocol":"P"}}"#,
            r#"{"StringEquals":{"standin:Host":"h"}}"#,
            r#"{"StringEquals":{"iot:ClientId":"d"}}"#,
        ] {
            let compiled = compiled(condition);
            for one in &others {
                let seen = seen_of_channel(one, &compiled);
                for other in &others {
                    let same = seen_of_channel(other, &compiled) == seen;
                    assert_eq!(is_seen_as(other, &seen, &compiled), same, "{condition} {one:?} {other:?}");
                    differing += u32::from(!same);
                }
            }
        }
        assert!(differing > 100, "{differing}");
    }
}
