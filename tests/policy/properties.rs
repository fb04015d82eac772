// SPDX-License-Identifier: Apache-2.0
//! What holds for all policies.

use crate::oracle::{ACTIONS, Cond, Facts, Stmt, World, action, facts, statement, world};
use proptest::prelude::*;
use standin::decision::{Inputs, Outcome};
use standin::policy::{ArnMatch, Compiled, Document, Named, PolicySet, Scope};
use standin::time::UnixMillis;

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

const MODES: [ArnMatch; 2] = [ArnMatch::Aws, ArnMatch::Fields];

fn names() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[ab/:*]{0,4}", 1..6)
}

fn decide(compiled: &Compiled, n: usize, name: &str, facts: &Facts) -> Outcome {
    facts.with(|inputs| compiled.decide(action(n), name, inputs).outcome)
}

/// Calls `each` with every action, name and mode of matching.
fn everywhere(
    names: &[String],
    mut each: impl FnMut(usize, &str, ArnMatch) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    for mode in MODES {
        for n in 0..ACTIONS.len() {
            for name in names {
                each(n, name, mode)?;
            }
        }
    }
    Ok(())
}

/// Both modes, compiled once.
fn both(world: &World) -> [Compiled; 2] {
    MODES.map(|mode| world.compiled(mode))
}

fn of(compiled: &[Compiled; 2], mode: ArnMatch) -> &Compiled {
    &compiled[MODES.iter().position(|m| *m == mode).unwrap()]
}

/// True when `after` never allows what `before` does not.
fn narrows(before: &World, after: &World, names: &[String], facts: &Facts) -> Result<(), TestCaseError> {
    let (wide, narrow) = (both(before), both(after));
    everywhere(names, |n, name, mode| {
        let (was, is) = (decide(of(&wide, mode), n, name, facts), decide(of(&narrow, mode), n, name, facts));
        prop_assert!(
            was == Outcome::Allow || is == Outcome::Deny,
            "{:?} {} {:?}: {:?} to {:?}",
            ACTIONS[n],
            name,
            mode,
            was,
            is
        );
        Ok(())
    })
}

proptest! {
    #![proptest_config(cases(2000))]

    /// The index finds what looking at every statement finds.
    #[test]
    fn the_index_decides_as_looking_at_every_statement(world in world(), facts in facts(), names in names()) {
        let compiled = both(&world);
        everywhere(&names, |n, name, mode| {
            let expected = world.decides(n, name, mode, &facts);
            prop_assert_eq!(decide(of(&compiled, mode), n, name, &facts), expected, "{:?} {:?} {:?}", ACTIONS[n], name, mode);
            Ok(())
        })?;
    }
}

proptest! {
    #![proptest_config(cases(500))]

    /// X-08: adding a deny, wherever, only narrows.
    #[test]
    fn x_08_a_deny_never_allows(world in world(), deny in statement(), place in any::<prop::sample::Index>(), facts in facts(), names in names()) {
        let deny = Stmt { deny: true, ..deny };
        let mut more = world.clone();
        let mut policies: Vec<&mut Vec<Stmt>> =
            more.identity.iter_mut().chain(&mut more.boundary).chain(&mut more.session).collect();
        let n = place.index(policies.len());
        policies[n].push(deny.clone());
        narrows(&world, &more, &names, &facts)?;
        let mut alone = world.clone();
        alone.identity.push(vec![deny]);
        narrows(&world, &alone, &names, &facts)?;
    }

    /// X-08: a boundary and session policies only narrow.
    #[test]
    fn x_08_boundaries_and_session_policies_only_narrow(world in world(), extra in prop::collection::vec(statement(), 1..4), facts in facts(), names in names()) {
        let bare = World { boundary: None, session: Vec::new(), ..world.clone() };
        narrows(&bare, &world, &names, &facts)?;
        narrows(&bare, &World { boundary: Some(extra.clone()), ..bare.clone() }, &names, &facts)?;
        narrows(&bare, &World { session: vec![extra], ..bare.clone() }, &names, &facts)?;
    }

    /// X-08: neither the order of statements nor that of policies matters, nor
    /// in which policy a statement stands.
    #[test]
    fn x_08_order_never_matters(
        (world, shuffled) in world().prop_flat_map(|w| {
            let statements: Vec<Stmt> = w.identity.concat();
            let session: Vec<Stmt> = w.session.concat();
            (Just(w.clone()), Just(statements).prop_shuffle(), Just(session).prop_shuffle())
                .prop_map(|(w, statements, session)| {
                    let boundary = w.boundary.clone().map(|mut b| { b.reverse(); b });
                    let one_each = |s: Vec<Stmt>| s.into_iter().map(|s| vec![s]).collect();
                    (w.clone(), World { identity: one_each(statements), session: one_each(session), boundary, ..w })
                })
        }),
        facts in facts(),
        names in names(),
    ) {
        let (first, second) = (both(&world), both(&shuffled));
        everywhere(&names, |n, name, mode| {
            prop_assert_eq!(decide(of(&first, mode), n, name, &facts), decide(of(&second, mode), n, name, &facts));
            Ok(())
        })?;
    }

    /// Matching field by field never allows what AWS would not.
    #[test]
    fn fields_never_allow_what_whole_strings_do_not(world in world(), facts in facts(), names in names()) {
        let compiled = both(&world);
        for (n, asked) in ACTIONS.iter().enumerate() {
            for name in &names {
                let [aws, fields] = [0, 1].map(|mode| decide(&compiled[mode], n, name, &facts));
                prop_assert!(fields == Outcome::Deny || aws == Outcome::Allow, "{:?} {}", asked, name);
            }
        }
    }
}

/// Every name of up to four letters: those of the patterns and one more.
fn all_names() -> Vec<String> {
    let mut all = vec![String::new()];
    let mut from = 0;
    for _ in 0..4 {
        let longer: Vec<String> =
            all[from..].iter().flat_map(|t| ["a", "b", "d", "z"].map(|c| format!("{t}{c}"))).collect();
        from = all.len();
        all.extend(longer);
    }
    all
}

/// Short patterns, so that four letters tell any two sets of names apart.
fn short_statement() -> impl Strategy<Value = Stmt> {
    let resource = prop_oneof![
        6 => "[ab*?]{0,2}".prop_map(|name| format!("arn:aws:kafka:eu:123456789012:topic/d/u/{name}")),
        1 => "[ab*?]{0,2}".prop_map(|name| format!("arn:aws-cn:kafka:cn:000000000001:topic/o/x/{name}")),
        1 => Just("arn:aws:kafka:eu:123456789012:topic/d/u/${aws:PrincipalTag/t}*".to_owned()),
        1 => Just("arn:aws:kafka:eu:123456789012:topic/${aws:PrincipalTag/t}/u/a*".to_owned()),
        1 => Just("*".to_owned()),
    ];
    (statement(), prop::collection::vec(resource, 1..3)).prop_map(|(s, resources)| Stmt { resources, ..s })
}

fn short_world() -> impl Strategy<Value = World> {
    let policy = || prop::collection::vec(short_statement(), 1..4);
    (
        0usize..2,
        prop::collection::vec(policy(), 1..3),
        prop::option::weighted(0.4, policy()),
        prop::option::weighted(0.3, policy()),
    )
        .prop_map(|(aliases, identity, boundary, session)| World {
            aliases,
            identity,
            boundary,
            session: session.into_iter().collect(),
        })
}

/// Which of all names.
type Set = Vec<bool>;

/// One way to be allowed: these names, but for each of those.
type Way = (Set, Vec<Set>);

struct Ask<'a> {
    world: &'a World,
    n: usize,
    mode: ArnMatch,
    facts: &'a Facts,
    names: &'a [String],
}

impl Ask<'_> {
    fn applies(&self, s: &Stmt) -> Set {
        self.names.iter().map(|name| s.applies(self.n, name, self.world.aliases, self.mode, self.facts)).collect()
    }

    /// The names each of its patterns matches; none when the statement is
    /// about something else.
    fn by_pattern(&self, s: &Stmt) -> Option<Vec<Set>> {
        let one = |resource: &str| Stmt {
            deny: s.deny != s.not_resource,
            not_resource: false,
            resources: vec![resource.to_owned()],
            ..s.clone()
        };
        let about = self.applies(&one("*")).iter().any(|b| *b);
        about.then(|| s.resources.iter().map(|r| self.applies(&one(r))).collect())
    }

    fn ways(&self, policies: &[Vec<Stmt>]) -> Vec<Way> {
        let mut ways = Vec::new();
        for s in policies.iter().flatten().filter(|s| !s.deny) {
            let Some(sets) = self.by_pattern(s) else { continue };
            if s.not_resource {
                ways.push((vec![true; self.names.len()], sets));
            } else {
                ways.extend(sets.into_iter().map(|set| (set, Vec::new())));
            }
        }
        ways
    }

    /// True when some names are allowed by every group, and no deny by itself
    /// takes them all away.
    fn only_denies_together(&self) -> bool {
        let mut denies = Vec::new();
        for s in self.world.policies().flatten().filter(|s| s.deny) {
            match self.by_pattern(s) {
                Some(_) if s.not_resource => denies.push(self.applies(s)),
                Some(sets) => denies.extend(sets),
                None => {}
            }
        }
        let everything = || vec![(vec![true; self.names.len()], Vec::new())];
        let boundary = self.world.boundary.as_ref().map_or_else(everything, |b| self.ways(std::slice::from_ref(b)));
        let session = if self.world.session.is_empty() { everything() } else { self.ways(&self.world.session) };
        let identity = self.ways(&self.world.identity);
        identity.iter().any(|(i, i_not)| {
            boundary.iter().any(|(b, b_not)| {
                session.iter().any(|(s, s_not)| {
                    let without: Vec<&Set> = denies.iter().chain(i_not).chain(b_not).chain(s_not).collect();
                    let left = |not: Option<&Set>| {
                        (0..self.names.len()).any(|n| i[n] && b[n] && s[n] && !not.is_some_and(|d| d[n]))
                    };
                    left(None) && without.iter().all(|d| left(Some(d)))
                })
            })
        })
    }
}

proptest! {
    #![proptest_config(cases(400))]

    /// Against trying every short name: it never denies where a name is
    /// allowed, and allows where none is only when several denies together
    /// leave none.
    #[test]
    fn any_resource_errs_only_towards_allow_and_only_for_denies_together(world in short_world(), facts in facts()) {
        // Tags made of the letters that are tried.
        let facts = Facts { tag: facts.tag.filter(|t| ["a", "d"].contains(t)), ..facts };
        let names = all_names();
        let compiled = both(&world);
        for mode in MODES {
            for (n, asked) in ACTIONS.iter().enumerate() {
                let any = facts.with(|inputs| of(&compiled, mode).decide_any(action(n), inputs).outcome);
                let some = names.iter().any(|name| world.decides(n, name, mode, &facts) == Outcome::Allow);
                if some {
                    prop_assert_eq!(any, Outcome::Allow, "{:?} {:?}", asked, mode);
                } else if any == Outcome::Allow {
                    let ask = Ask { world: &world, n, mode, facts: &facts, names: &names };
                    prop_assert!(ask.only_denies_together(), "{:?} {:?}", asked, mode);
                }
            }
        }
    }
}

/// MSK: `aws:ResourceTag/…` is a key of actions on the cluster alone.
#[test]
fn tags_are_those_of_the_cluster_and_missing_on_everything_in_it() {
    let tagged = |cond: Cond| World {
        aliases: 1,
        identity: vec![vec![Stmt {
            deny: false,
            not_action: false,
            actions: vec!["*"],
            not_resource: false,
            resources: vec!["*".into()],
            conds: vec![cond],
        }]],
        boundary: None,
        session: Vec::new(),
    };
    let facts = Facts { tag: None, client_id: "c1", resource_tag: Some("prod") };
    let (has, has_not) = (tagged(Cond::ResourceTag("prod")), tagged(Cond::NoResourceTag));
    for mode in MODES {
        for (n, (_, kind)) in ACTIONS.iter().enumerate() {
            let on_cluster = *kind == "cluster";
            let expected = |yes: bool| if yes { Outcome::Allow } else { Outcome::Deny };
            assert_eq!(decide(&has.compiled(mode), n, "a", &facts), expected(on_cluster), "{kind}");
            assert_eq!(decide(&has_not.compiled(mode), n, "a", &facts), expected(!on_cluster), "{kind}");
        }
    }
}

fn time_condition() -> impl Strategy<Value = String> {
    let operator = prop::sample::select(vec![
        "Equals",
        "NotEquals",
        "LessThan",
        "LessThanEquals",
        "GreaterThan",
        "GreaterThanEquals",
    ]);
    (operator, any::<bool>(), 0i64..9000).prop_map(|(operator, date, at)| {
        let (seconds, millis) = (at / 1000, at % 1000);
        if date {
            format!(r#"{{"Date{operator}":{{"aws:CurrentTime":"1970-01-01T00:00:{seconds:02}.{millis:03}Z"}}}}"#)
        } else {
            format!(r#"{{"Numeric{operator}":{{"aws:EpochTime":"{seconds}.{millis:03}"}}}}"#)
        }
    })
}

proptest! {
    #![proptest_config(cases(2000))]

    /// A verdict that looks at the clock holds until the instant it names.
    #[test]
    fn verdicts_hold_until_their_end(
        statements in prop::collection::vec((any::<bool>(), time_condition()), 1..4),
        now in 0i64..10_000,
    ) {
        let statements: Vec<String> = statements
            .iter()
            .map(|(deny, condition)| {
                let effect = if *deny { "Deny" } else { "Allow" };
                format!(r#"{{"Effect":"{effect}","Action":"*","Resource":"*","Condition":{condition}}}"#)
            })
            .collect();
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
        let document = Document::parse(&text).unwrap();
        let set = PolicySet { identity: vec![Named { name: "p".into(), document: document.into() }], ..PolicySet::default() };
        let scope = Scope { namespaces: Vec::new(), arn_match: ArnMatch::Aws };
        let compiled = Compiled::new(&set, &crate::oracle::actions(), &scope);
        let facts = Facts { tag: None, client_id: "", resource_tag: None };
        let at = |now: i64| facts.with(|i| compiled.decide(action(0), "x", &Inputs { now: UnixMillis(now), ..*i }));
        let verdict = at(now);
        prop_assert!(verdict.cacheable);
        let end = verdict.valid_until.map_or(20_000, |end| end.0);
        prop_assert!(end > now);
        for later in (now..end).step_by(83).chain([end - 1]) {
            prop_assert_eq!(at(later).outcome, verdict.outcome, "at {} of {}..{}: {}", later, now, end, text);
        }
    }
}
