// SPDX-License-Identifier: Apache-2.0
//! Questions about all the texts that patterns match.

use std::cell::Cell;
use std::collections::{BTreeSet, HashSet};

use super::pattern::{Atom, Pattern, begin, step};

/// How much may be looked at for one decision: places in patterns, counted each
/// time one is. Policies need some thousand; only ones made to be hard need all of
/// it, which takes about ten milliseconds.
pub(super) struct Patience(Cell<usize>);

impl Default for Patience {
    fn default() -> Self {
        Self(Cell::new(300_000))
    }
}

impl Patience {
    /// False when there was not that much left; then there is nothing left.
    fn take(&self, looks: usize) -> bool {
        let left = self.0.get().checked_sub(looks);
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }
}

/// True when some text matches every pattern of `all` but not `none`. The
/// patterns hold no variables. Says yes when finding out would take too long.
pub(super) fn some_text(all: &[&Pattern], none: Option<&Pattern>, patience: &Patience) -> bool {
    let patterns: Vec<&[Atom]> = all.iter().map(|p| &*p.0).chain(none.map(|p| &*p.0)).collect();
    if !patience.take(patterns.iter().map(|p| p.len() + 1).sum()) {
        return true;
    }
    if !may_agree(all) {
        return false;
    }
    let mut letters: BTreeSet<char> = patterns
        .iter()
        .flat_map(|p| p.iter())
        .filter_map(|a| if let Atom::Char(c) = a { Some(*c) } else { None })
        .collect();
    // One character stands for all that no pattern names.
    letters.extend(('\u{1}'..).find(|c| !letters.contains(c)));
    let first: Vec<Vec<usize>> = patterns.iter().map(|p| begin(p)).collect();
    let mut seen = HashSet::from([first.clone()]);
    let mut open = vec![first];
    while let Some(state) = open.pop() {
        let ended = |n: usize| state.get(n).zip(patterns.get(n)).is_some_and(|(places, p)| places.contains(&p.len()));
        if (0..all.len()).all(ended) && !(none.is_some() && ended(all.len())) {
            return true;
        }
        if !patience.take(letters.len() * state.iter().map(|places| places.len() + 1).sum::<usize>()) {
            return true;
        }
        for c in &letters {
            let next: Vec<Vec<usize>> = patterns.iter().zip(&state).map(|(p, places)| step(p, places, *c)).collect();
            if next.iter().take(all.len()).all(|places| !places.is_empty()) && seen.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    false
}

/// False when the literal begins of two patterns contradict each other, which
/// settles nearly every question.
fn may_agree(all: &[&Pattern]) -> bool {
    let begins: Vec<String> = all.iter().map(|p| p.split_literal().0).collect();
    begins.iter().enumerate().all(|(n, a)| begins.iter().skip(n + 1).all(|b| a.starts_with(b) || b.starts_with(a)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::pattern::NoValues;
    use proptest::prelude::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::read(text, false, true).unwrap()
    }

    /// Every text of up to six of the letters a, b and one no pattern names.
    fn texts() -> Vec<String> {
        let mut all = vec![String::new()];
        let mut from = 0;
        for _ in 0..6 {
            let longer: Vec<String> =
                all.iter().skip(from).flat_map(|t| ["a", "b", "z"].map(|c| format!("{t}{c}"))).collect();
            from = all.len();
            all.extend(longer);
        }
        all
    }

    proptest! {
        /// Patterns of three atoms tell their difference within six letters.
        #[test]
        fn equals_trying_every_short_text(p in "[ab*?]{0,3}", q in "[ab*?]{0,3}", n in "[ab*?]{0,3}") {
            let (p, q, n) = (pattern(&p), pattern(&q), pattern(&n));
            let texts = texts();
            let in_both = |t: &&String| p.matches(t, &NoValues) && q.matches(t, &NoValues);
            prop_assert_eq!(some_text(&[&p, &q], None, &Patience::default()), texts.iter().any(|t| in_both(&t)));
            prop_assert_eq!(
                some_text(&[&p, &q], Some(&n), &Patience::default()),
                texts.iter().filter(in_both).any(|t| !n.matches(t, &NoValues))
            );
        }
    }

    #[test]
    fn gives_up_on_patterns_made_to_be_hard() {
        let hard = pattern(&format!("*a{}", "?".repeat(60)));
        let patience = Patience::default();
        assert!(some_text(&[&hard], Some(&pattern(&format!("*a{}*", "?".repeat(60)))), &patience));
        assert!(some_text(&[&pattern("a")], Some(&pattern("a")), &patience), "nothing is left for another question");
    }
}
