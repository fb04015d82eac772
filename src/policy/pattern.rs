// SPDX-License-Identifier: Apache-2.0
//! Patterns: literal text, `*`, `?` and policy variables, and matching them in
//! linear passes without recursion or allocation.

use super::far;
use super::key::Key;
use super::text::{Text, same_char_without_case};

/// One element of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Atom {
    /// This character.
    Char(char),
    /// Any characters, also none.
    Star,
    /// Any one character.
    One,
    /// The value of a context key, taken literally; the text stands in when
    /// the key is missing.
    Variable(Box<Key>, Option<Box<str>>),
}

/// A sequence of atoms.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Pattern(pub(super) Box<[Atom]>);

/// Values of variables. `None`: the key is missing or has several values.
pub(super) trait Lookup {
    fn single<'s>(&'s self, key: &Key) -> Option<Text<'s>>;
}

/// No variable has a value.
pub(super) struct NoValues;

impl Lookup for NoValues {
    fn single<'s>(&'s self, _: &Key) -> Option<Text<'s>> {
        None
    }
}

impl Pattern {
    /// Reads a pattern. With `variables`, `${key}`, `${key, 'default'}`,
    /// `${*}`, `${?}` and `${$}` are understood; without, `$` is a character.
    /// With `wildcards` false, `*` and `?` are characters.
    ///
    /// # Errors
    /// What is wrong with a variable.
    pub(super) fn read(text: &str, variables: bool, wildcards: bool) -> Result<Self, String> {
        let mut atoms = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if variables && rest.starts_with("${") {
                let end = closing(rest).ok_or_else(|| format!("the variable {rest:?} is not closed by }}"))?;
                let inside = rest.get(2..end).unwrap_or_default();
                atoms.push(variable(inside)?);
                rest = rest.get(end + 1..).unwrap_or_default();
                continue;
            }
            let atom = match c {
                '*' if wildcards => Atom::Star,
                '?' if wildcards => Atom::One,
                c => Atom::Char(c),
            };
            // Two stars in a row match what one does.
            if !(atom == Atom::Star && atoms.last() == Some(&Atom::Star)) {
                atoms.push(atom);
            }
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
        Ok(Self(atoms.into()))
    }

    /// The literal text, when the pattern is nothing else.
    pub(super) fn literal(&self) -> Option<String> {
        self.0.iter().map(|a| if let Atom::Char(c) = a { Some(*c) } else { None }).collect()
    }

    /// The literal text before the first other atom, and the rest.
    pub(super) fn split_literal(&self) -> (String, &[Atom]) {
        let n = self.0.iter().take_while(|a| matches!(a, Atom::Char(_))).count();
        let head = self.0.iter().take(n).filter_map(|a| if let Atom::Char(c) = a { Some(*c) } else { None }).collect();
        (head, self.0.get(n..).unwrap_or_default())
    }

    /// What stands before the literal text at the end, and that text.
    pub(super) fn split_literal_end(&self) -> (&[Atom], String) {
        let n = self.0.iter().rev().take_while(|a| matches!(a, Atom::Char(_))).count();
        let (rest, end) = self.0.split_at(self.0.len() - n);
        (rest, end.iter().filter_map(|a| if let Atom::Char(c) = a { Some(*c) } else { None }).collect())
    }

    pub(super) fn has_variables(&self) -> bool {
        self.0.iter().any(|a| matches!(a, Atom::Variable(..)))
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = &Key> {
        self.0.iter().filter_map(|a| if let Atom::Variable(key, _) = a { Some(key.as_ref()) } else { None })
    }

    /// True when the pattern matches the whole of `text`. A variable without
    /// value matches nothing.
    pub(super) fn matches(&self, text: &str, lookup: &dyn Lookup) -> bool {
        matches(&self.0, [text, ""], lookup, How::default())
    }

    /// The same, with letters compared without case.
    pub(super) fn matches_without_case(&self, text: &str, lookup: &dyn Lookup) -> bool {
        matches(&self.0, [text, ""], lookup, How { fold: true, ..How::default() })
    }

    /// True when each of the six fields of an ARN matches its field of the
    /// pattern: no wildcard goes past any of the first five colons. The lone
    /// star matches any text.
    pub(super) fn matches_arn(&self, arn: &str, lookup: &dyn Lookup) -> bool {
        if *self.0 == [Atom::Star] {
            return true;
        }
        let Some((fifth, _)) = arn.match_indices(':').nth(4) else { return false };
        matches(&self.0, [arn, ""], lookup, How { fence: fifth + 1, kept: &[':'], ..How::default() })
    }

    /// The pattern with its variables replaced; None when one has no value.
    pub(super) fn expanded(&self, lookup: &dyn Lookup) -> Option<Self> {
        let mut atoms = Vec::with_capacity(self.0.len());
        for atom in &self.0 {
            match atom {
                Atom::Variable(key, default) => {
                    let value = lookup.single(key);
                    let value = value.as_ref().map(Text::as_str).or(default.as_deref())?;
                    atoms.extend(value.chars().map(Atom::Char));
                }
                other => atoms.push(other.clone()),
            }
        }
        Some(Self(atoms.into()))
    }
}

/// How atoms are matched.
#[derive(Clone, Copy, Default)]
pub(super) struct How {
    /// Letters compare without case.
    pub(super) fold: bool,
    /// Before this place in the text, wildcards do not match `kept`.
    pub(super) fence: usize,
    pub(super) kept: &'static [char],
}

impl How {
    fn holds(self, here: usize, c: char) -> bool {
        here < self.fence && self.kept.contains(&c)
    }
}

fn closing(text: &str) -> Option<usize> {
    let mut quoted = false;
    for (at, c) in text.char_indices().skip(2) {
        match c {
            '\'' => quoted = !quoted,
            '}' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

fn variable(inside: &str) -> Result<Atom, String> {
    match inside {
        "*" => return Ok(Atom::Char('*')),
        "?" => return Ok(Atom::Char('?')),
        "$" => return Ok(Atom::Char('$')),
        _ => {}
    }
    let (name, default) = match inside.split_once(',') {
        Some((name, rest)) => {
            let rest = rest.trim();
            let text = rest
                .strip_prefix('\'')
                .and_then(|r| r.strip_suffix('\''))
                .ok_or_else(|| format!("the default of ${{{inside}}} is not in single quotes"))?;
            (name, Some(text.into()))
        }
        None => (inside, None),
    };
    // Only the name of a tag may hold spaces.
    let (head, tag) = name.split_once('/').unwrap_or((name, "-"));
    let shape = head.split_once(':').is_some_and(|(service, key)| !service.is_empty() && !key.is_empty())
        && !head.contains(char::is_whitespace)
        && !head.ends_with(':')
        && !tag.trim().is_empty()
        && !name.contains(['$', '{', '*', '?', '\'']);
    if !shape {
        return Err(format!(
            "${{{inside}}} is not a policy variable; ${{service:key}} and ${{service:key, 'default'}} without further spaces, ${{*}}, ${{?}} and ${{$}} are accepted"
        ));
    }
    Ok(Atom::Variable(Box::new(Key::of(name)), default))
}

/// Two texts read as one.
type Joined<'a> = [&'a str; 2];

fn byte_len(text: Joined<'_>) -> usize {
    text.iter().map(|t| t.len()).sum()
}

fn at(text: Joined<'_>, index: usize) -> &str {
    let [head, tail] = text;
    if index < head.len() {
        head.get(index..).unwrap_or_default()
    } else {
        tail.get(index - head.len()..).unwrap_or_default()
    }
}

/// True when `atoms` match the whole of the joined text.
pub(super) fn matches(atoms: &[Atom], text: Joined<'_>, lookup: &dyn Lookup, how: How) -> bool {
    let end = byte_len(text);
    // The glob is a row of pieces between stars. Each piece takes text of one
    // length, so the leftmost place for each is always a right one.
    let mut pieces = atoms.split(|a| *a == Atom::Star);
    let Some(first) = pieces.next() else { return end == 0 };
    let Some(mut from) = piece(first, text, 0, lookup, how) else { return false };
    let mut last: Option<&[Atom]> = None;
    for next in pieces {
        if let Some(middle) = last.replace(next) {
            match find(middle, text, from, lookup, how) {
                Some(after) => from = after,
                None => return false,
            }
        }
    }
    match last {
        None => from == end,
        Some([]) => from >= how.fence,
        Some(last) => ends_with(last, text, from, lookup, how),
    }
}

/// True when the text behind `from` ends with this piece, and a star may stand
/// for what is between.
fn ends_with(atoms: &[Atom], text: Joined<'_>, from: usize, lookup: &dyn Lookup, how: How) -> bool {
    let Some(start) = length(atoms, lookup).and_then(|chars| from_end(text, chars)).filter(|start| *start >= from)
    else {
        return false;
    };
    let before_fence = at(text, from).char_indices().map(|(n, c)| (from + n, c)).take_while(|(here, _)| *here < start);
    !before_fence.take_while(|(here, _)| *here < how.fence).any(|(here, c)| how.holds(here, c))
        && piece(atoms, text, start, lookup, how) == Some(byte_len(text))
}

/// How many characters a piece takes; none when a variable has no value.
fn length(atoms: &[Atom], lookup: &dyn Lookup) -> Option<usize> {
    atoms.iter().try_fold(0, |sum: usize, atom| {
        let Atom::Variable(key, default) = atom else { return Some(sum + 1) };
        let value = lookup.single(key);
        Some(sum + value.as_ref().map(Text::as_str).or(default.as_deref())?.chars().count())
    })
}

/// Where the last so many characters begin; none when there are not that many.
fn from_end([head, tail]: Joined<'_>, chars: usize) -> Option<usize> {
    let Some(before) = chars.checked_sub(1) else { return Some(head.len() + tail.len()) };
    if let Some((start, _)) = tail.char_indices().rev().nth(before) {
        return Some(head.len() + start);
    }
    head.char_indices().rev().nth(before - tail.chars().count()).map(|(start, _)| start)
}

/// From this product of lengths on a piece is not tried at every place.
const FAR: usize = 1 << 16;

/// The end of the leftmost place of a piece behind a star.
fn find(atoms: &[Atom], text: Joined<'_>, from: usize, lookup: &dyn Lookup, how: How) -> Option<usize> {
    let mut start = from;
    loop {
        let rest = byte_len(text) - start;
        if start >= how.fence && !how.fold && rest.saturating_mul(atoms.len()) >= FAR {
            return find_far(atoms, text, start, lookup);
        }
        if let Some(after) = piece(atoms, text, start, lookup, how) {
            return Some(after);
        }
        let skipped = at(text, start).chars().next().filter(|c| !how.holds(start, *c))?;
        start += skipped.len_utf8();
    }
}

/// The same where both are long; allocates.
fn find_far(atoms: &[Atom], text: Joined<'_>, from: usize, lookup: &dyn Lookup) -> Option<usize> {
    let mut wanted = Vec::with_capacity(atoms.len());
    for atom in atoms {
        match atom {
            Atom::Char(c) => wanted.push(Some(*c)),
            Atom::One => wanted.push(None),
            Atom::Star => return None,
            Atom::Variable(key, default) => {
                let value = lookup.single(key);
                wanted.extend(value.as_ref().map(Text::as_str).or(default.as_deref())?.chars().map(Some));
            }
        }
    }
    if wanted.len() > byte_len(text) - from {
        return None;
    }
    if wanted.is_empty() {
        return Some(from);
    }
    let [head, tail] = text;
    let front = head.get(from.min(head.len())..).unwrap_or_default();
    let back = at([head, tail], from.max(head.len()));
    let at_front = front.char_indices().map(|(n, c)| (from + n, c));
    let at_back = back.char_indices().map(|(n, c)| (from.max(head.len()) + n, c));
    far::end_of(&wanted, at_front.chain(at_back))
}

/// Matches a piece without stars at `from`; where it ends.
fn piece(atoms: &[Atom], text: Joined<'_>, from: usize, lookup: &dyn Lookup, how: How) -> Option<usize> {
    let mut here = from;
    let one = |here: usize, c: char| -> Option<usize> {
        let found = at(text, here).chars().next()?;
        let same = found == c || how.fold && same_char_without_case(found, c);
        same.then_some(here + found.len_utf8())
    };
    for atom in atoms {
        match atom {
            Atom::Char(c) => here = one(here, *c)?,
            Atom::One => here += at(text, here).chars().next().filter(|c| !how.holds(here, *c))?.len_utf8(),
            Atom::Star => return None,
            Atom::Variable(key, default) => {
                let value = lookup.single(key);
                let value = value.as_ref().map(Text::as_str).or(default.as_deref())?;
                for c in value.chars() {
                    here = one(here, c)?;
                }
            }
        }
    }
    Some(here)
}

/// What is left of a pattern after it has matched `head`: every way to go on.
/// None when a variable is met, whose value is not known yet.
pub(super) fn residuals(pattern: &Pattern, head: &str) -> Option<Vec<Pattern>> {
    let atoms = &pattern.0;
    let mut places = begin(atoms);
    for c in head.chars() {
        if places.iter().any(|p| matches!(atoms.get(*p), Some(Atom::Variable(..)))) {
            return None;
        }
        places = step(atoms, &places, c);
    }
    // A star covers what comes right after it.
    let stars: Vec<usize> = places.iter().copied().filter(|p| atoms.get(*p) == Some(&Atom::Star)).collect();
    places.retain(|p| !stars.iter().any(|star| star + 1 == *p));
    Some(places.into_iter().map(|p| Pattern(atoms.get(p..).unwrap_or_default().into())).collect())
}

/// The places among the atoms at which matching begins. Ascending.
pub(super) fn begin(atoms: &[Atom]) -> Vec<usize> {
    let mut places = vec![0];
    close(atoms, &mut places);
    places
}

/// The places reached from `places` by one character. Ascending.
pub(super) fn step(atoms: &[Atom], places: &[usize], c: char) -> Vec<usize> {
    let mut next = Vec::with_capacity(places.len() + 1);
    for place in places {
        match atoms.get(*place) {
            Some(Atom::Char(own)) if *own == c => next.push(place + 1),
            Some(Atom::One) => next.push(place + 1),
            Some(Atom::Star) => next.push(*place),
            _ => {}
        }
    }
    close(atoms, &mut next);
    next
}

fn close(atoms: &[Atom], places: &mut Vec<usize>) {
    let mut n = 0;
    while let Some(place) = places.get(n).copied() {
        if atoms.get(place) == Some(&Atom::Star) {
            places.push(place + 1);
        }
        n += 1;
    }
    places.sort_unstable();
    places.dedup();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::read(text, true, true).unwrap()
    }

    /// The plainest possible definition, as an oracle.
    fn plain(p: &[char], t: &[char]) -> bool {
        match p.split_first() {
            None => t.is_empty(),
            Some(('*', rest)) => (0..=t.len()).any(|n| plain(rest, &t[n..])),
            Some(('?', rest)) => !t.is_empty() && plain(rest, &t[1..]),
            Some((c, rest)) => t.first() == Some(c) && plain(rest, &t[1..]),
        }
    }

    proptest! {
        #[test]
        fn glob_equals_its_plain_definition(p in "[ab*?é]{0,8}", t in "[abé]{0,10}") {
            let expected = plain(&p.chars().collect::<Vec<_>>(), &t.chars().collect::<Vec<_>>());
            prop_assert_eq!(pattern(&p).matches(&t, &NoValues), expected);
        }

        #[test]
        fn residuals_after_a_head_match_what_the_whole_matches(p in "[ab*?]{0,8}", head in "[ab]{0,4}", tail in "[ab]{0,4}") {
            let whole = pattern(&p).matches(&format!("{head}{tail}"), &NoValues);
            let parts = residuals(&pattern(&p), &head).unwrap();
            prop_assert_eq!(parts.iter().any(|r| r.matches(&tail, &NoValues)), whole);
        }
    }

    #[test]
    fn escapes_are_characters_and_bad_variables_are_errors() {
        assert!(pattern("a${*}b").matches("a*b", &NoValues));
        assert!(!pattern("a${*}b").matches("axb", &NoValues));
        assert!(pattern("${$}{x}").matches("${x}", &NoValues));
        for bad in [
            "${aws:username",
            "${}",
            "${nocolon}",
            "${aws:username, x}",
            "${a:b*}",
            "${ aws:username}",
            "${aws:username }",
            "${aws:PrincipalTag/}",
            "${:a}",
            "${a:}",
            "${aws:username, 'x}",
            "${a b:c}",
        ] {
            assert!(Pattern::read(bad, true, true).is_err(), "{bad}");
        }
        assert!(Pattern::read("${aws:username", false, true).is_ok());
        assert!(Pattern::read("${aws:PrincipalTag/Cost Center, 'a} b'}", true, true).is_ok());
    }

    #[test]
    fn a_variable_without_value_matches_nothing_and_a_default_stands_in() {
        assert!(!pattern("${aws:username}").matches("", &NoValues));
        assert!(pattern("x-${aws:username, 'nobody'}").matches("x-nobody", &NoValues));
    }

    /// Each of the six fields by itself, as the plainest definition has it.
    fn plain_arn(p: &str, t: &str) -> bool {
        let (p, t): (Vec<&str>, Vec<&str>) = (p.splitn(6, ':').collect(), t.splitn(6, ':').collect());
        let chars = |s: &str| s.chars().collect::<Vec<_>>();
        p.len() == 6 && t.len() == 6 && p.iter().zip(&t).all(|(p, t)| plain(&chars(p), &chars(t)))
    }

    proptest! {
        #[test]
        fn arns_match_field_by_field(p in "[a:*?]{0,9}", t in "[a:]{0,9}") {
            prop_assume!(p.is_empty() || p.chars().any(|c| c != '*'));
            prop_assert_eq!(pattern(&p).matches_arn(&t, &NoValues), plain_arn(&p, &t));
        }

        #[test]
        fn arns_match_field_by_field_when_they_likely_do(
            fields in proptest::collection::vec(("[ab*?/]{0,3}", "[ab/]{0,3}"), 6..8)
        ) {
            let join = |f: fn(&(String, String)) -> &str| fields.iter().map(f).collect::<Vec<_>>().join(":");
            let (p, t) = (join(|f| &f.0), join(|f| &f.1));
            prop_assert_eq!(pattern(&p).matches_arn(&t, &NoValues), plain_arn(&p, &t), "{} {}", p, t);
        }
    }

    #[test]
    fn letters_compare_without_case_beyond_ascii() {
        for (p, t) in [("straße", "STRAßE"), ("ÄÖÜ", "äöü"), ("Ωmega", "ωMEGA"), ("ИМЯ", "имя"), ("k", "K")]
        {
            assert!(pattern(p).matches_without_case(t, &NoValues), "{p} {t}");
            assert_eq!(pattern(p).matches(t, &NoValues), p == t);
        }
        assert!(!pattern("é").matches_without_case("e", &NoValues));
    }
}
