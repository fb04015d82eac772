// SPDX-License-Identifier: Apache-2.0
//! Finding a long piece of a pattern in a long text without trying it at every
//! place: names come from clients, and patterns may come with their sessions.

use std::collections::HashMap;

/// Places of a piece as bits.
type Bits = Vec<u64>;

fn set(bits: &mut Bits, place: usize) {
    if let Some(word) = bits.get_mut(place / 64) {
        *word |= 1 << (place % 64);
    }
}

fn is_set(bits: &Bits, place: usize) -> bool {
    bits.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
}

/// Where the leftmost place of the piece in the text ends. The piece is
/// characters, and none for any one; the text is characters with where they stand.
///
/// For each character of the text the places of the piece that it was matched up
/// to move on by one, 64 in one step.
pub(super) fn end_of(piece: &[Option<char>], mut text: impl Iterator<Item = (usize, char)>) -> Option<usize> {
    let words = piece.len().div_ceil(64);
    let mut any: Bits = vec![0; words];
    let mut places: HashMap<char, Vec<usize>> = HashMap::new();
    for (place, wanted) in piece.iter().enumerate() {
        match wanted {
            Some(c) => places.entry(*c).or_default().push(place),
            None => set(&mut any, place),
        }
    }
    // Of characters that stand in many places, all of them; there are at most 64.
    let often: HashMap<char, Bits> = places
        .iter()
        .filter(|(_, own)| own.len() > words)
        .map(|(c, own)| {
            let mut bits = any.clone();
            own.iter().for_each(|place| set(&mut bits, *place));
            (*c, bits)
        })
        .collect();
    let (mut matched, mut next): (Bits, Bits) = (vec![0; words], vec![0; words]);
    text.find_map(|(here, c)| {
        // The piece may begin anywhere.
        let mut carried = 1;
        for (next, matched) in next.iter_mut().zip(&matched) {
            *next = matched << 1 | carried;
            carried = matched >> 63;
        }
        let bits = often.get(&c);
        for ((matched, next), bits) in matched.iter_mut().zip(&next).zip(bits.unwrap_or(&any)) {
            *matched = next & bits;
        }
        let seldom = if bits.is_none() { places.get(&c) } else { None };
        for place in seldom.into_iter().flatten().filter(|place| is_set(&next, **place)) {
            set(&mut matched, *place);
        }
        is_set(&matched, piece.len().checked_sub(1)?).then_some(here + c.len_utf8())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_trying_every_place_finds(
            piece in proptest::collection::vec(prop_oneof![9 => Just(Some('a')), 1 => Just(Some('é')), 2 => Just(None)], 1..150),
            text in proptest::collection::vec(prop_oneof![30 => Just('a'), 1 => Just('é')], 0..400),
        ) {
            let fits = |window: &[char]| window.iter().zip(&piece).all(|(c, wanted)| wanted.is_none_or(|w| w == *c));
            let expected = text.windows(piece.len()).position(fits);
            let text: String = text.into_iter().collect();
            let ends = |start: usize| text.chars().take(start + piece.len()).map(char::len_utf8).sum::<usize>();
            prop_assert_eq!(end_of(&piece, text.char_indices()), expected.map(ends));
        }
    }
}
