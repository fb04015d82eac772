// SPDX-License-Identifier: Apache-2.0
//! Reading the memory of another process, as whoever has its core dump does.

use std::collections::HashSet;
use std::os::unix::fs::FileExt;

/// Calls `look` with every piece of the process's memory that can be read.
pub(crate) fn walk(process: u32, mut look: impl FnMut(&[u8])) -> usize {
    const PIECE: usize = 8 << 20;
    const OVERLAP: usize = 16 << 10;
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let memory = std::fs::File::open(format!("/proc/{process}/mem")).unwrap();
    let mut read = 0;
    let mut piece = vec![0; PIECE + OVERLAP];
    for line in maps.lines().filter(|l| l.split(' ').nth(1).is_some_and(|p| p.starts_with('r'))) {
        if line.ends_with("[vvar]") || line.ends_with("[vsyscall]") || line.contains("[vvar_") {
            continue;
        }
        let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let number = |text| u64::from_str_radix(text, 16).unwrap();
        let (mut at, end) = (number(from), number(to));
        while at < end {
            let length = piece.len().min(usize::try_from(end - at).unwrap());
            // What was unmapped meanwhile cannot be read any more.
            let Ok(got) = memory.read_at(&mut piece[..length], at) else { break };
            if got == 0 {
                break;
            }
            read += got;
            look(&piece[..got]);
            at += u64::try_from(if got > OVERLAP && got == length { got - OVERLAP } else { got }).unwrap();
            if end - at <= u64::try_from(OVERLAP).unwrap() && got == length {
                break;
            }
        }
    }
    piece.fill(0);
    read
}

/// Which of these stand in the process's memory: raw, in hexadecimal or in
/// base64.
pub(crate) fn find(process: u32, secrets: &[Vec<u8>]) -> HashSet<Vec<u8>> {
    use base64::Engine as _;
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>().into_bytes();
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes).into_bytes();
    // Three bytes are four characters; the last ones depend on what follows.
    let forms: Vec<(Vec<u8>, &Vec<u8>)> =
        secrets.iter().flat_map(|s| [(s.clone(), s), (hex(s), s), (base64(&s[..s.len() / 3 * 3]), s)]).collect();
    let mut found = HashSet::new();
    let read = walk(process, |piece| {
        for (form, secret) in &forms {
            if !found.contains(*secret) && contains(piece, form) {
                found.insert((*secret).clone());
            }
        }
    });
    assert!(read > 1 << 20, "only {read} bytes could be read");
    found
}

/// Everything in the process's memory that begins so, `length` bytes each.
pub(crate) fn begin_with(process: u32, head: &[u8], length: usize) -> HashSet<Vec<u8>> {
    let mut found = HashSet::new();
    walk(process, |piece| {
        let mut rest = piece;
        while let Some(at) = place(rest, head) {
            found.insert(rest[at..].iter().take(length).copied().collect());
            rest = &rest[at + 1..];
        }
    });
    found
}

fn contains(piece: &[u8], form: &[u8]) -> bool {
    place(piece, form).is_some()
}

fn place(piece: &[u8], form: &[u8]) -> Option<usize> {
    let first = form[0];
    let mut from = 0;
    while let Some(at) = piece[from..].iter().position(|b| *b == first) {
        if piece[from + at..].starts_with(form) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}
