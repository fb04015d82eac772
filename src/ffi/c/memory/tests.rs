// SPDX-License-Identifier: Apache-2.0
//! Memory of callers, right and wrong. Nothing in here calls C or the system, so
//! that an interpreter can run it.

use std::mem::size_of_val;

use super::*;
use crate::ffi::c::types::{STANDIN_ALLOW, STANDIN_DENY, standin_session};

/// Structs have no padding: what is copied byte by byte has been written.
#[test]
fn x_05_structs_have_no_padding() {
    let (word, number, wide) = (size_of::<usize>(), size_of::<u32>(), size_of::<u64>());
    let (bytes, pair) = (2 * word, 4 * word);
    assert_eq!(size_of::<standin_bytes>(), bytes);
    assert_eq!(size_of::<standin_buffer>(), 3 * word);
    assert_eq!(size_of::<standin_pair>(), pair);
    assert_eq!(size_of::<standin_options>(), 2 * number + 2 * word + bytes);
    assert_eq!(size_of::<standin_login>(), 6 * number + 6 * bytes + 2 * word);
    assert_eq!(size_of::<standin_login_result>(), 2 * number + 3 * wide);
    assert_eq!(size_of::<standin_event>(), 4 * number + 4 * wide);
    assert_eq!(size_of::<standin_batch>(), 2 * number + 2 * bytes);
    assert_eq!(size_of::<standin_request>(), 4 * number + bytes);
    assert_eq!(size_of::<standin_info>(), 2 * number + wide);
    assert_eq!(size_of::<standin_metric>(), 2 * number + word + wide);
    assert_eq!(size_of::<standin_session>(), wide);
}

fn of(text: &str) -> standin_bytes {
    standin_bytes { data: text.as_ptr(), len: text.len() }
}

const NONE: standin_bytes = standin_bytes { data: ptr::null(), len: 0 };

#[repr(C, align(8))]
struct Room([u8; 256]);

#[test]
fn x_05_structs_of_every_version_are_read_and_written_within_their_size() {
    let mut room = Room([0xa5; 256]);
    let at = room.0.as_mut_ptr();
    for size in 0..=256u32 {
        // SAFETY: in the room.
        unsafe { at.cast::<u32>().write(size) };
        let fits = size >= 8 && size % 8 == 0;
        // SAFETY: as large as it says.
        let read = unsafe { read(at.cast::<standin_info>(), "info") };
        assert_eq!(read.is_ok(), fits, "{size}");
        if let Ok(info) = read {
            assert_eq!((info.size, info.state), (size, 0xa5a5_a5a5));
            assert_eq!(info.deadline_unix_ms, if size < 16 { 0 } else { i64::from_ne_bytes([0xa5; 8]) });
        }
    }
    for size in [8u32, 16, 24, 64] {
        room.0.fill(0xa5);
        // SAFETY: in the room.
        unsafe { room.0.as_mut_ptr().cast::<u32>().write(size) };
        // SAFETY: as large as it says, and nobody else's.
        let slot = unsafe { Slot::new(room.0.as_mut_ptr().cast::<standin_info>(), "info") }.unwrap();
        slot.put(&standin_info { size: 0, state: 7, deadline_unix_ms: -1 });
        let bytes = room.0;
        assert_eq!(bytes[..8], [&size.to_ne_bytes()[..], &7u32.to_ne_bytes()[..]].concat());
        let end = usize::try_from(size).unwrap();
        if end >= 16 {
            assert!(bytes[8..16].iter().all(|b| *b == 0xff));
            assert!(bytes[16..end].iter().all(|b| *b == 0), "what is not known is zero");
        }
        assert!(bytes[end..].iter().all(|b| *b == 0xa5), "nothing is written behind the end");
    }
    // SAFETY: null is allowed, and misaligned.
    unsafe {
        assert!(read(ptr::null::<standin_batch>(), "batch").is_err());
        assert!(read(room.0.as_ptr().add(1).cast::<standin_batch>(), "batch").is_err());
    }
}

#[test]
fn x_05_arrays_are_walked_by_their_stride() {
    #[repr(C)]
    struct Newer {
        request: standin_request,
        more: [u64; 2],
    }
    let row = |action| Newer {
        request: standin_request { action, flags: 0, resource: NONE, count: 1, reserved: 0 },
        more: [9; 2],
    };
    let mut rows = [row(1), row(2), row(3)];
    let at = rows.as_mut_ptr().cast::<standin_request>();
    let stride = size_of::<Newer>();
    // SAFETY: three of this stride.
    let seen = unsafe { Rows::new(at, stride, 3, 10, "rows") }.unwrap();
    assert_eq!([0, 1, 2].map(|n| seen.get(n).unwrap().action), [1, 2, 3]);
    assert!(seen.get(3).is_none());
    for (stride, count) in
        [(0, 1), (8, 1), (stride - 1, 1), (usize::MAX, 1), (8192, 1), (stride, 11), (stride, usize::MAX)]
    {
        // SAFETY: refused before anything is read.
        assert!(unsafe { Rows::new(at, stride, count, 10, "rows") }.is_err(), "{stride} {count}");
    }
    // SAFETY: none are read.
    assert!(unsafe { Rows::<standin_request>::new(ptr::null_mut(), stride, 0, 10, "rows") }.is_ok());
}

#[test]
fn x_05_bytes_and_texts_are_bounded_and_checked() {
    // SAFETY: what is read is there; the rest is refused before.
    unsafe {
        assert_eq!(bytes(NONE, "b").unwrap(), b"");
        assert_eq!(text(of("größe"), "t").unwrap(), "größe");
        assert_eq!(name(of("größe")).unwrap(), "größe");
        assert!(bytes(standin_bytes { data: ptr::null(), len: 1 }, "b").is_err());
        assert!(name(standin_bytes { data: ptr::null(), len: 1 }).is_err());
        for len in [usize::MAX, usize::MAX / 2 + 1, LONGEST + 1] {
            assert!(bytes(standin_bytes { data: b"x".as_ptr(), len }, "b").is_err());
            assert!(name(standin_bytes { data: b"x".as_ptr(), len }).is_err());
        }
        for bad in [&b"\xff"[..], b"\xc3", b"\xed\xa0\x80"] {
            let bad = standin_bytes { data: bad.as_ptr(), len: bad.len() };
            assert!(text(bad, "t").is_err() && name(bad).is_err());
        }
        assert_eq!(address(NONE).unwrap(), None);
        assert_eq!(address(of("\x01\x02\x03\x04")).unwrap(), Some(IpAddr::from([1, 2, 3, 4])));
        assert!(address(of("12345")).is_err());
        let given = [standin_pair { key: of("a"), value: of("b") }, standin_pair { key: of("c"), value: NONE }];
        assert_eq!(pairs(given.as_ptr(), 2, 2, "p").unwrap(), [("a", "b"), ("c", "")]);
        assert!(pairs(given.as_ptr(), 2, 1, "p").is_err());
        assert!(pairs(ptr::null(), 1, 2, "p").is_err());
    }
}

#[test]
fn x_05_buffers_are_never_overrun() {
    let mut room = [0xa5u8; 16];
    let mut given = standin_buffer { data: room.as_mut_ptr(), cap: 8, len: 99 };
    // SAFETY: a buffer with as much room as it says.
    let buffer = unsafe { Buffer::new(&raw mut given, "buffer") }.unwrap();
    assert_eq!(buffer.put(&[1; 9]).unwrap_err().status, Status::BufferTooSmall);
    assert_eq!(given.len, 9);
    // SAFETY: as above.
    let buffer = unsafe { Buffer::new(&raw mut given, "buffer") }.unwrap();
    buffer.put(&[1; 8]).unwrap();
    assert_eq!(given.len, 8);
    // SAFETY: as above.
    let buffer = unsafe { Buffer::new(&raw mut given, "buffer") }.unwrap();
    buffer.tell("1234567ü");
    assert_eq!((given.len, &room[..8]), (7, &b"1234567\x01"[..]), "whole characters");
    assert_eq!(room[8..], [0xa5; 8]);
    for (data, cap) in [(ptr::null_mut(), 1), (room.as_mut_ptr(), usize::MAX)] {
        let mut wrong = standin_buffer { data, cap, len: 0 };
        // SAFETY: refused before anything is written into it.
        assert!(unsafe { Buffer::new(&raw mut wrong, "buffer") }.is_err());
    }
    // SAFETY: null is allowed.
    assert!(unsafe { Buffer::wanted(ptr::null_mut(), "buffer") }.unwrap().is_none());
}

#[test]
fn x_05_outcomes_are_denied_first() {
    let mut outcomes = [STANDIN_ALLOW; 5];
    // SAFETY: room for four.
    let denied = unsafe { Outcomes::deny(outcomes.as_mut_ptr(), 4) }.unwrap();
    denied.put(&[Outcome::Deny, Outcome::Allow]);
    assert_eq!(outcomes, [STANDIN_DENY, STANDIN_ALLOW, STANDIN_DENY, STANDIN_DENY, STANDIN_ALLOW]);
    assert_eq!(size_of_val(&outcomes), 5);
    // SAFETY: refused before anything is written.
    unsafe {
        assert!(Outcomes::deny(ptr::null_mut(), 1).is_none());
        assert!(Outcomes::deny(outcomes.as_mut_ptr(), MOST_REQUESTS + 1).is_none());
        assert!(Outcomes::deny(ptr::null_mut(), 0).is_some());
    }
    assert_eq!(outcomes[4], STANDIN_ALLOW);
}

/// What a struct that has grown looks like to callers of its first version.
#[test]
fn x_05_rows_of_an_older_version_are_shorter() {
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Grown {
        size: u32,
        value: u32,
        new: u64,
    }
    // SAFETY: no padding, and every bit pattern is a value.
    unsafe impl Plain for Grown {}
    // SAFETY: its first field is the size.
    unsafe impl Growing for Grown {}
    impl Row for Grown {
        const FIRST: usize = 8;
    }
    let mut rows = [0x0000_0002_0000_0001u64, 0x0000_0004_0000_0003, 0x55];
    // SAFETY: two of eight bytes each.
    let seen = unsafe { Rows::new(rows.as_mut_ptr().cast::<Grown>(), 8, 2, 2, "rows") }.unwrap();
    let second = seen.get(1).unwrap();
    assert_eq!((second.size, second.value, second.new), (3, 4, 0));
    seen.put(1, &Grown { size: 0, value: 9, new: u64::MAX });
    assert_eq!(rows, [0x0000_0002_0000_0001, 0x0000_0009_0000_0008, 0x55]);
}
