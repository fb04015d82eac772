// SPDX-License-Identifier: Apache-2.0
//! Patterns: literal text, `*`, `?` and policy variables, and matching them in
//! linear passes without recursion or allocation.

use super::key::{Key, Text};

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

    pub(super) fn has_variables(&self) -> bool {
        self.0.iter().any(|a| matches!(a, Atom::Variable(..)))
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = &Key> {
        self.0.iter().filter_map(|a| if let Atom::Variable(key, _) = a { Some(key.as_ref()) } else { None })
    }

    /// True when the pattern matches the whole of `text`. `fold` compares
    /// ASCII letters without case. A variable without value matches nothing.
    pub(super) fn matches(&self, text: &str, lookup: &dyn Lookup, fold: bool) -> bool {
        matches(&self.0, [text, ""], lookup, fold)
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
            (name.trim(), Some(text.into()))
        }
        None => (inside.trim(), None),
    };
    let shape = !name.is_empty()
        && name.contains(':')
        && !name.contains(['$', '{', '*', '?', '\''])
        && !name.starts_with(':')
        && !name.ends_with(':');
    if !shape {
        return Err(format!("${{{inside}}} is not a policy variable"));
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
pub(super) fn matches(atoms: &[Atom], text: Joined<'_>, lookup: &dyn Lookup, fold: bool) -> bool {
    let end = byte_len(text);
    // The glob is a row of pieces between stars. Each piece takes text of one
    // length, so the leftmost place for each is always a right one.
    let mut pieces = atoms.split(|a| *a == Atom::Star);
    let Some(first) = pieces.next() else { return end == 0 };
    let Some(mut from) = piece(first, text, 0, lookup, fold) else { return false };
    let mut last: Option<&[Atom]> = None;
    for next in pieces {
        if let Some(middle) = last.replace(next) {
            match find(middle, text, from, lookup, fold) {
                Some(after) => from = after,
                None => return false,
            }
        }
    }
    let Some(last) = last else { return from == end };
    if last.is_empty() {
        return true;
    }
    // The last piece must end at the end.
    let mut start = from;
    while start <= end {
        if piece(last, text, start, lookup, fold) == Some(end) {
            return true;
        }
        start = match at(text, start).chars().next() {
            Some(c) => start + c.len_utf8(),
            None => return false,
        };
    }
    false
}

fn find(atoms: &[Atom], text: Joined<'_>, from: usize, lookup: &dyn Lookup, fold: bool) -> Option<usize> {
    let mut start = from;
    loop {
        if let Some(after) = piece(atoms, text, start, lookup, fold) {
            return Some(after);
        }
        start += at(text, start).chars().next()?.len_utf8();
    }
}

/// Matches a piece without stars at `from`; where it ends.
fn piece(atoms: &[Atom], text: Joined<'_>, from: usize, lookup: &dyn Lookup, fold: bool) -> Option<usize> {
    let mut here = from;
    let one = |here: usize, c: char| -> Option<usize> {
        let found = at(text, here).chars().next()?;
        let same = found == c || fold && found.eq_ignore_ascii_case(&c);
        same.then_some(here + found.len_utf8())
    };
    for atom in atoms {
        match atom {
            Atom::Char(c) => here = one(here, *c)?,
            Atom::One => here += at(text, here).chars().next()?.len_utf8(),
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
    let mut states = vec![0];
    close(atoms, &mut states);
    for c in head.chars() {
        let mut next = Vec::new();
        for state in states {
            match atoms.get(state) {
                Some(Atom::Char(own)) if *own == c => next.push(state + 1),
                Some(Atom::One) => next.push(state + 1),
                Some(Atom::Star) => next.push(state),
                Some(Atom::Variable(..)) => return None,
                _ => {}
            }
        }
        close(atoms, &mut next);
        states = next;
    }
    // A star covers what comes right after it.
    let stars: Vec<usize> = states.iter().copied().filter(|s| atoms.get(*s) == Some(&Atom::Star)).collect();
    states.retain(|s| !stars.iter().any(|star| star + 1 == *s));
    Some(states.into_iter().map(|s| Pattern(atoms.get(s..).unwrap_or_default().into())).collect())
}

fn close(atoms: &[Atom], states: &mut Vec<usize>) {
    let mut n = 0;
    while let Some(state) = states.get(n).copied() {
        if atoms.get(state) == Some(&Atom::Star) {
            states.push(state + 1);
        }
        n += 1;
    }
    states.sort_unstable();
    states.dedup();
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
            prop_assert_eq!(pattern(&p).matches(&t, &NoValues, false), expected);
        }

        #[test]
        fn residuals_after_a_head_match_what_the_whole_matches(p in "[ab*?]{0,8}", head in "[ab]{0,4}", tail in "[ab]{0,4}") {
            let whole = pattern(&p).matches(&format!("{head}{tail}"), &NoValues, false);
            let parts = residuals(&pattern(&p), &head).unwrap();
            prop_assert_eq!(parts.iter().any(|r| r.matches(&tail, &NoValues, false)), whole);
        }
    }

    #[test]
    fn escapes_are_characters_and_bad_variables_are_errors() {
        assert!(pattern("a${*}b").matches("a*b", &NoValues, false));
        assert!(!pattern("a${*}b").matches("axb", &NoValues, false));
        assert!(pattern("${$}{x}").matches("${x}", &NoValues, false));
        for bad in ["${aws:username", "${}", "${nocolon}", "${aws:username, x}", "${a:b*}"] {
            assert!(Pattern::read(bad, true, true).is_err(), "{bad}");
        }
        assert!(Pattern::read("${aws:username", false, true).is_ok());
    }

    #[test]
    fn a_variable_without_value_matches_nothing_and_a_default_stands_in() {
        assert!(!pattern("${aws:username}").matches("", &NoValues, false));
        assert!(pattern("x-${aws:username, 'nobody'}").matches("x-nobody", &NoValues, false));
    }
}
