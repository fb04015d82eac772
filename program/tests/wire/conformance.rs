// SPDX-License-Identifier: Apache-2.0
//! One suite for the security service, run on the embedded one and on the one
//! of another machine.

use std::sync::Arc;

use standin::access_control::{AssumeRole, Owner, Store};
use standin::channel::Channel;
use standin::credential::certificate::Certificate;
use standin::credential::{Evidence, Secret};
use standin::decision::{Outcome, Reason};
use standin::fault::{Kind, Status};
use standin::identity::{Identity, Principal};
use standin::policy::{ArnMatch, Namespace, Scope};
use standin::revision::Revision;
use standin::service::{
    DECIDE, DecisionPoint, Embedded, Happening, LiveSession, Proof, Question, Questions, RENEW, SecurityService,
    SessionReport,
};
use standin::settings::EngineSettings;
use standin::time::{Steady, SystemRandom, UnixMillis};

use crate::place::{CLUSTER, Place, clock, evidence, policy};

/// A service, and the store behind it.
struct Tried<'a> {
    place: &'a Place,
    service: &'a dyn SecurityService,
    decisions: &'a dyn DecisionPoint,
    host: &'a str,
}

const LIFE: i64 = 600_000;

impl Tried<'_> {
    fn store(&self) -> &Store {
        &self.place.store
    }

    fn soon(&self) -> Steady {
        clock().steady().plus(20_000)
    }

    fn log_in(&self, key: &(String, Secret), token: Option<&str>) -> Result<standin::service::Issued, Status> {
        let answer = self.service.log_in(&evidence(key, token), self.host, LIFE, self.soon());
        answer.map(|at| at.value).map_err(|fault| fault.status)
    }

    /// P1-03, P1-06: who a client is, what stands in for it, what it may.
    fn logins(&self) {
        let document = policy("Allow", &["kafka-cluster:WriteData"], "t*");
        let key = self.place.user("writer", &document);
        self.store().tag_user("test", "writer", &[("team".into(), "red".into())]).unwrap();
        let issued = self.log_in(&key, None).unwrap();
        assert_eq!(issued.client.principal.subject.arn(), "arn:aws:iam::123456789012:user/writer");
        assert_eq!(issued.client.access_key_id, key.0);
        assert!(issued.client.principal.actors.is_empty() && issued.expires.is_none());
        let texts: Vec<&str> = issued.entitlements.policies.iter().map(|p| &*p.text).collect();
        assert_eq!(texts, [document.as_str()]);
        assert_eq!(issued.entitlements.tags, [("team".to_owned(), "red".to_owned())]);
        let left = issued.impersonation.expires.0 - clock().wall().0;
        assert!((1..=LIFE + 60_000).contains(&left), "{left}");
        // The key verifies further logins of the same access key and day.
        let verification = issued.verification.expect("a key to verify with");
        evidence(&key, None).claim().unwrap().verify(&verification).unwrap();
        let forged = (key.0.clone(), Secret::new(b"wrong".to_vec()));
        assert!(evidence(&forged, None).claim().unwrap().verify(&verification).is_err());
        // The same policy in another name, and a text the host has already.
        self.place.user("writer2", &document);
        assert_eq!(self.log_in(&key, None).unwrap().entitlements, issued.entitlements);

        assert_eq!(self.log_in(&forged, None).err(), Some(Status::SignatureMismatch));
        let unknown = ("AKIAIOSFODNN7EXAMPLE".to_owned(), Secret::new(b"wrong".to_vec()));
        assert_eq!(self.log_in(&unknown, None).err(), Some(Status::UnknownKey));
        assert_eq!(self.log_in(&key, Some("AQAA")).err(), Some(Status::Malformed));
        self.store().set_key_active("test", &key.0, false).unwrap();
        assert_eq!(self.log_in(&key, None).err(), Some(Status::KeyDisabled));
        self.store().set_key_active("test", &key.0, true).unwrap();
        self.store().set_user_disabled("test", "writer", true).unwrap();
        let fault = self.service.log_in(&evidence(&key, None), self.host, LIFE, self.soon()).err().unwrap();
        assert_eq!(fault.status, Status::IdentityDisabled);
        assert_eq!(fault.subject.as_deref(), Some("arn:aws:iam::123456789012:user/writer"));
        self.store().set_user_disabled("test", "writer", false).unwrap();
    }

    /// Temporary credentials keep what narrows them.
    fn roles(&self) {
        let user = self.place.user("assumer", &policy("Allow", &["kafka-cluster:ReadData"], "*"));
        let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/assumer"},"Action":["sts:AssumeRole","sts:TagSession"]}}"#;
        self.store().create_role("test", "/", "reader", trust, 3600, &[]).unwrap();
        self.store()
            .put_inline("test", Owner::Role("reader"), "own", &policy("Allow", &["kafka-cluster:ReadData"], "*"))
            .unwrap();
        let caller = Principal {
            subject: Identity::parse("arn:aws:iam::123456789012:user/assumer").unwrap(),
            attributes: standin::identity::Attributes::default(),
            actors: Vec::new(),
            grant: None,
        };
        let narrow = policy("Allow", &["kafka-cluster:ReadData"], "narrow");
        let ask = AssumeRole {
            role: "reader".into(),
            session_name: "s1".into(),
            policies: vec![narrow.clone()],
            tags: vec![("k".into(), "v".into())],
            ..AssumeRole::default()
        };
        let made = self.store().assume_role(&caller, &ask).unwrap();
        let key = (made.access_key_id.clone(), made.secret.clone());
        let issued = self.log_in(&key, Some(&made.session_token)).unwrap();
        let attributes = &issued.client.principal.attributes;
        assert_eq!(issued.client.principal.subject.arn(), "arn:aws:iam::123456789012:role/reader");
        assert_eq!(attributes.session_name.as_deref(), Some("s1"));
        assert_eq!(attributes.tags, [("k".to_owned(), "v".to_owned())]);
        assert_eq!(&*issued.client.session_policies[0].text, narrow);
        let end = issued.expires.unwrap().0;
        assert!((end - made.expires.0).abs() < 60_000, "{end} {}", made.expires.0);
        assert_eq!(self.log_in(&key, None).err(), Some(Status::UnknownKey));
        assert_eq!(self.log_in(&user, Some(&made.session_token)).err(), Some(Status::Malformed));
    }

    fn certificates(&self) {
        self.place.user("bearer", &policy("Allow", &["kafka-cluster:ReadData"], "*"));
        let made = self.place.authority.issue(self.place.dir.path(), "client", "bearer", None);
        let pem = std::fs::read_to_string(&made.chain).unwrap();
        let der = <rustls::pki_types::CertificateDer<'_> as rustls::pki_types::pem::PemObject>::from_pem_slice(
            pem.as_bytes(),
        )
        .unwrap();
        let shown = Certificate::read(&der, "${san.dns}").unwrap();
        let id = shown.id().to_owned();
        let at = self.service.log_in(&Evidence::Certificate(shown), self.host, LIFE, self.soon()).unwrap();
        assert_eq!(at.value.client.access_key_id, id);
        assert!(at.value.verification.is_none() && at.value.expires.is_some());
    }

    /// P1-08, P1-10: renewals are proven by the credential, at its host.
    fn renewals(&self) {
        let key = self.place.user("renewer", &policy("Allow", &["kafka-cluster:WriteData"], "*"));
        let first = self.log_in(&key, None).unwrap().impersonation;
        let body = LIFE.to_string();
        let prove = |host: &str| first.prove(host, clock().wall(), RENEW, body.as_bytes());
        let second = self.service.renew(&prove(self.host), LIFE, self.soon()).unwrap();
        assert!(second.id != first.id && second.secret != first.secret);
        let refused = |proof: &Proof, lifetime: i64| {
            let fault = self.service.renew(proof, lifetime, self.soon()).err().expect("a refusal");
            assert_eq!(fault.kind(), Kind::Refused, "{}", fault.text);
        };
        refused(&prove("host/elsewhere/1"), LIFE);
        refused(&first.prove(self.host, clock().wall(), DECIDE, body.as_bytes()), LIFE);
        refused(&prove(self.host), LIFE + 1);
        refused(&Proof::of(b"\x01\x00nothing that was sealed".to_vec(), self.host, clock().wall(), [0; 32]), LIFE);
        refused(&first.prove(self.host, UnixMillis(clock().wall().0 - 120_000), RENEW, body.as_bytes()), LIFE);
        self.store().set_key_active("test", &key.0, false).unwrap();
        refused(&prove(self.host), LIFE);
    }

    fn entitlements(&self) {
        let key = self.place.user("entitled", &policy("Allow", &["kafka-cluster:WriteData"], "a"));
        let who = Identity::parse("arn:aws:iam::123456789012:user/entitled").unwrap();
        let at = self.service.entitlements(&who, &key.0).unwrap();
        assert!(at.revision <= self.store().revision().unwrap());
        let second = policy("Deny", &["kafka-cluster:WriteData"], "b");
        self.store().put_inline("test", Owner::User("entitled"), "more", &second).unwrap();
        let newer = self.service.entitlements(&who, &key.0).unwrap();
        assert!(newer.revision > at.revision);
        assert_eq!((at.value.policies.len(), newer.value.policies.len()), (1, 2));
        for unknown in
            [(&who, "AKIANOBODYATALL00000"), (&Identity::parse("arn:aws:iam::123456789012:user/no").unwrap(), &key.0)]
        {
            let answer = self.service.entitlements(unknown.0, unknown.1);
            // A key that is the caller's but not the subject's says nothing of the subject.
            if let Err(fault) = answer {
                assert_eq!(fault.kind(), Kind::Refused, "{}", fault.text);
            } else {
                panic!("policies of nobody");
            }
        }
    }

    /// Whose policies a name has, for who does not log in here.
    fn names(&self) {
        let document = policy("Allow", &["kafka-cluster:WriteData"], "named");
        self.place.user("named", &document);
        self.store().tag_user("test", "named", &[("team".into(), "red".into())]).unwrap();
        let known = |name: &str| self.service.known_as(name).unwrap();
        let at = known("user/named");
        assert!(at.revision <= self.store().revision().unwrap());
        let found = at.value.expect("somebody of this name");
        assert_eq!(found.principal.subject.arn(), "arn:aws:iam::123456789012:user/named");
        assert!(!found.principal.attributes.user_id.is_empty() && found.principal.actors.is_empty());
        let texts: Vec<&str> = found.entitlements.policies.iter().map(|p| &*p.text).collect();
        assert_eq!(texts, [document.as_str()]);
        assert_eq!(found.entitlements.tags, [("team".to_owned(), "red".to_owned())]);
        // Its text need not travel again.
        assert_eq!(known("user/named").value.unwrap().entitlements, found.entitlements);
        self.store().set_user_disabled("test", "named", true).unwrap();
        let disabled = known("user/named");
        assert!(disabled.value.is_none() && disabled.revision > at.revision);
        for nobody in ["user/nobody", "role/named", "named", "", "host/demo/1"] {
            assert!(known(nobody).value.is_none(), "{nobody:?}");
        }
    }

    fn sealing(&self) {
        let sealed = self.service.seal("forwarded-session", b"plain").unwrap();
        assert!(!sealed.windows(5).any(|w| w == b"plain"));
        assert_eq!(self.service.unseal("forwarded-session", &sealed).unwrap(), b"plain");
        let mut altered = sealed;
        *altered.last_mut().unwrap() ^= 1;
        assert_eq!(self.service.unseal("forwarded-session", &altered).unwrap_err().kind(), Kind::Refused);
    }

    /// X-09: changes come in order, with their revisions.
    fn changes(&self) {
        let before = self.service.revision().unwrap();
        assert_eq!(before, self.store().revision().unwrap());
        let nothing = self.service.follow(Some(before), 100, 0).unwrap();
        assert_eq!((nothing.newest, nothing.changes.len()), (before, 0));
        let (id, _) = self.place.user("changed", &policy("Allow", &["kafka-cluster:WriteData"], "a"));
        self.store().set_key_active("test", &id, false).unwrap();
        self.store().set_user_disabled("test", "changed", true).unwrap();
        let who = Identity::parse("arn:aws:iam::123456789012:user/changed").unwrap();
        let news = self.service.follow(Some(before), 100, 0).unwrap();
        assert_eq!(news.newest, self.store().revision().unwrap());
        assert!(news.changes.is_sorted_by_key(|c| c.revision) && news.changes[0].revision > before);
        for expected in [
            Happening::Entitlements(vec![who.clone()]),
            Happening::KeyAppeared(id.clone()),
            Happening::KeyEnded(id),
            Happening::IdentityEnded(who),
        ] {
            assert!(news.changes.iter().any(|c| c.what == expected), "{expected:?} in {:?}", news.changes);
        }
        assert_eq!(self.service.changes(before, 100).unwrap(), news.changes);
        let last = news.changes.last().unwrap().revision;
        assert!(self.service.changes(last, 100).unwrap().is_empty());
        assert!(self.service.changes(Revision(last.0 + 1000), 100).unwrap().is_empty());
    }

    fn reports(&self) {
        let boot = format!("boot-{}", self.host.replace('/', "-"));
        let session = |n: usize| LiveSession {
            id: format!("{boot}/{n}"),
            subject: "arn:aws:iam::123456789012:user/u".into(),
            access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            session_name: "s".into(),
            address: "192.0.2.1".into(),
            listener: "CLIENT".into(),
            since: clock().wall(),
            deadline: clock().wall().plus(600_000),
        };
        // More than one message of them.
        let begun = (0..2500).map(session).collect();
        let whole = SessionReport { begun, over: Vec::new(), whole: true };
        self.service.report(&boot, self.host, &whole).unwrap();
        let own = || self.store().sessions().unwrap().into_iter().filter(|s| s.host == self.host).count();
        assert_eq!(own(), 2500);
        let over = (0..2499).map(|n| format!("{boot}/{n}")).collect();
        self.service.report(&boot, self.host, &SessionReport { over, ..SessionReport::default() }).unwrap();
        assert_eq!(own(), 1);
        self.service.report(&boot, self.host, &SessionReport { whole: true, ..SessionReport::default() }).unwrap();
        assert_eq!(own(), 0);
    }

    /// P1-10, P1-23: decisions are proven by the client's own credential, and
    /// come out as the policies say.
    fn decisions(&self) {
        let document = format!(
            r#"{{"Version":"2012-10-17","Statement":[
            {{"Effect":"Allow","Action":"kafka-cluster:*Data","Resource":"arn:aws:kafka:us-east-1:123456789012:topic/demo/u-1/t*"}},
            {{"Effect":"Deny","Action":"kafka-cluster:WriteData","Resource":"arn:aws:kafka:*:*:*/t1"}},
            {{"Effect":"Allow","Action":"kafka-cluster:AlterCluster","Resource":"{CLUSTER}","Condition":{{"StringEquals":{{"aws:ResourceTag/tier":"one"}}}}}}]}}"#
        );
        let key = self.place.user("decided", &document);
        let credential = self.log_in(&key, None).unwrap().impersonation;
        let question = |action: &str, kind: &str, name: Option<&str>| Question {
            action: format!("kafka-cluster:{action}"),
            resource_type: kind.into(),
            resource: name.map(str::to_owned),
        };
        let items = vec![
            question("ReadData", "topic", Some("t1")),
            question("WriteData", "topic", Some("t1")),
            question("WriteData", "topic", Some("t2")),
            question("WriteData", "topic", Some("x")),
            question("WriteData", "topic", None),
            question("AlterCluster", "cluster", Some("")),
        ];
        let channel = Channel { secure: true, listener: "CLIENT".into(), ..Channel::default() };
        let questions = Questions::new(&channel, None, "client", items);
        let body = questions.body().unwrap();
        let proof = |host: &str| credential.prove(host, clock().wall(), DECIDE, &body);
        let at = self.decisions.decide(&proof(self.host), &questions, self.soon()).unwrap();
        let outcomes: Vec<(Outcome, Reason)> = at.value.iter().map(|a| (a.outcome, a.reason)).collect();
        assert_eq!(
            outcomes,
            [
                (Outcome::Allow, Reason::Allowed),
                (Outcome::Deny, Reason::ExplicitDeny),
                (Outcome::Allow, Reason::Allowed),
                (Outcome::Deny, Reason::ImplicitDeny),
                (Outcome::Allow, Reason::Allowed),
                (Outcome::Allow, Reason::Allowed),
            ]
        );
        let (policy, index) = at.value[1].statement.clone().unwrap();
        assert!(policy.ends_with("own") && index == 1, "{policy} {index}");
        let refused = |proof: &Proof, questions: &Questions| {
            let fault = self.decisions.decide(proof, questions, self.soon()).expect_err("a refusal");
            assert_eq!(fault.kind(), Kind::Refused, "{}", fault.text);
        };
        refused(&proof("host/elsewhere/1"), &questions);
        let mut other = questions.clone();
        other.items[3].resource = Some("t3".into());
        refused(&proof(self.host), &other);
        self.store().set_user_disabled("test", "decided", true).unwrap();
        refused(&proof(self.host), &questions);
    }

    fn all(&self) {
        self.logins();
        self.roles();
        self.certificates();
        self.renewals();
        self.entitlements();
        self.names();
        self.sealing();
        self.changes();
        self.reports();
        self.decisions();
    }
}

const TAGS: (&str, &str) = ("standin.cluster.tags", "tier=one");

#[test]
fn the_embedded_service_conforms() {
    let place = Place::new();
    let mut settings = EngineSettings::of(&place.given(1, &place.ca, &[TAGS])).unwrap();
    settings.store = place.files.store.clone();
    settings.key_file = place.files.key_file.clone();
    let service = Embedded::open(&settings, clock(), Arc::new(SystemRandom)).unwrap();
    Tried { place: &place, service: &service, decisions: &service, host: "host/demo/1" }.all();
    // What hosts of other machines use of it is the same.
    let scope = Scope { namespaces: vec![Namespace::parse(CLUSTER).unwrap()], arn_match: ArnMatch::Fields };
    assert_eq!(scope.namespaces[0].text(), CLUSTER);
}

#[test]
fn the_service_on_another_machine_conforms() {
    let place = Place::new();
    let serving = place.serve();
    let credential = place.enroll(&serving, "demo/1");
    let settings = EngineSettings::of(&place.given(serving.port, &credential, &[TAGS])).unwrap();
    let service =
        standin::service::Remote::open(&settings, settings.service.as_ref().unwrap(), clock(), Arc::new(SystemRandom))
            .unwrap();
    Tried { place: &place, service: &service, decisions: &service, host: "host/demo/1" }.all();
    assert!(serving.terminate().success());
}
