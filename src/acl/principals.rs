// SPDX-License-Identifier: Apache-2.0
//! Which principal of Kafka's own is which identity here, by rules that are
//! read in both directions.

use crate::identity::Identity;

/// One side of a rule: a text, with at most one `*` for any text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Side {
    before: String,
    /// What follows the star; none without one.
    after: Option<String>,
}

impl Side {
    fn read(text: &str) -> Option<Self> {
        match text.split_once('*') {
            Some((_, after)) if after.contains('*') => None,
            Some((before, after)) => Some(Self { before: before.into(), after: Some(after.into()) }),
            None => Some(Self { before: text.into(), after: None }),
        }
    }

    /// What stands for the star, or an empty text without one; none when
    /// `text` is another.
    fn taken<'t>(&self, text: &'t str) -> Option<&'t str> {
        let Some(after) = &self.after else { return (text == self.before).then_some("") };
        text.strip_prefix(&*self.before)?.strip_suffix(&**after).filter(|taken| !taken.is_empty())
    }

    fn filled(&self, taken: &str) -> String {
        match &self.after {
            Some(after) => format!("{}{taken}{after}", self.before),
            None => self.before.clone(),
        }
    }
}

/// What a principal of Kafka's own stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// This identity: `user/NAME` or `role/NAME`.
    Identity(String),
    /// Nobody: left to Kafka for good.
    Nobody,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    principal: Side,
    /// None for principals that stand for nobody.
    identity: Option<Side>,
}

/// See the module's page. The first rule that fits counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Principals(Vec<Rule>);

impl Principals {
    /// Reads rules, separated by semicolons: `User:* -> user/*`; `-` in the
    /// place of the identity stands for nobody.
    ///
    /// # Errors
    /// What is wrong and what is accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rules = text.split(';').map(str::trim).filter(|rule| !rule.is_empty());
        rules.map(Self::rule).collect::<Result<_, _>>().map(Self)
    }

    fn rule(text: &str) -> Result<Rule, String> {
        let accepted = "rules such as User:* -> user/*, separated by ;, are accepted: one * at most on each side, user/ \
                        or role/ or - on the right";
        let wrong = || format!("{text:?}: {accepted}");
        let (left, right) = text.split_once("->").map(|(l, r)| (l.trim(), r.trim())).ok_or_else(wrong)?;
        let principal = Side::read(left).filter(|_| left.contains(':')).ok_or_else(wrong)?;
        if right == "-" {
            return Ok(Rule { principal, identity: None });
        }
        let named = right.strip_prefix("user/").or_else(|| right.strip_prefix("role/")).filter(|name| !name.is_empty());
        let identity = named.and_then(|_| Side::read(right)).ok_or_else(wrong)?;
        if identity.after.is_some() && principal.after.is_none() {
            return Err(wrong());
        }
        Ok(Rule { principal, identity: Some(identity) })
    }

    /// What a principal, such as `User:alice`, stands for; none when no rule
    /// fits.
    #[must_use]
    pub fn standing(&self, principal: &str) -> Option<Standing> {
        self.0.iter().find_map(|rule| {
            let taken = rule.principal.taken(principal)?;
            Some(rule.identity.as_ref().map_or(Standing::Nobody, |side| Standing::Identity(side.filled(taken))))
        })
    }

    /// The principal whose access control lists count for an identity; none
    /// when no rule leads back to it.
    #[must_use]
    pub fn principal(&self, identity: &Identity) -> Option<String> {
        let name = format!("{}/{}", identity.kind().word(), identity.name());
        self.0.iter().find_map(|rule| {
            let taken = rule.identity.as_ref()?.taken(&name)?;
            // Many principals may stand for one identity; then none is its own.
            let principal =
                (rule.principal.after.is_none() || !taken.is_empty()).then(|| rule.principal.filled(taken))?;
            // Another rule may come before it in the other direction.
            (self.standing(&principal)? == Standing::Identity(name.clone())).then_some(principal)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(resource: &str) -> Identity {
        Identity::parse(&format!("arn:aws:iam::123456789012:{resource}")).unwrap()
    }

    #[test]
    fn a_rule_leads_there_and_back() {
        let rules =
            Principals::parse("User:CN=*,OU=apps -> user/*; User:robot->role/robot ; User:* -> user/*").unwrap();
        let identity_of = |name: &str| match rules.standing(name) {
            Some(Standing::Identity(identity)) => identity,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(identity_of("User:CN=alice,OU=apps"), "user/alice");
        assert_eq!(identity_of("User:robot"), "role/robot");
        assert_eq!(identity_of("User:bob"), "user/bob");
        assert_eq!(rules.standing("Group:x"), None);
        assert_eq!(rules.principal(&identity("user/alice")).unwrap(), "User:CN=alice,OU=apps");
        assert_eq!(rules.principal(&identity("user/teams/a/alice")).unwrap(), "User:CN=alice,OU=apps");
        assert_eq!(rules.principal(&identity("role/robot")).unwrap(), "User:robot");
        assert_eq!(rules.principal(&identity("role/other")), None);
    }

    #[test]
    fn nobody_is_left_alone_and_the_first_rule_counts() {
        let rules = Principals::parse("User:CN=broker* -> -; User:* -> user/*").unwrap();
        assert_eq!(rules.standing("User:CN=broker-1"), Some(Standing::Nobody));
        // The way back would lead to a principal that stands for nobody.
        assert_eq!(rules.principal(&identity("user/CN=broker-1")), None);
        assert_eq!(rules.principal(&identity("user/x")).unwrap(), "User:x");
    }

    #[test]
    fn many_principals_may_stand_for_one_identity_which_then_has_none_of_its_own() {
        let rules = Principals::parse("User:app-* -> user/apps").unwrap();
        assert_eq!(rules.standing("User:app-1"), Some(Standing::Identity("user/apps".into())));
        assert_eq!(rules.principal(&identity("user/apps")), None);
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in [
            "User:*",
            "User:** -> user/*",
            "alice -> user/alice",
            "User:a -> alice",
            "User:a -> user/*",
            "User:* -> user/",
        ] {
            assert!(Principals::parse(text).is_err(), "{text}");
        }
        assert_eq!(Principals::parse(" ; ").unwrap(), Principals::default());
    }
}
