// SPDX-License-Identifier: Apache-2.0
//! What travels sealed: nothing that was altered opens, and what is inside is
//! read without a panic.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use standin::credential::envelope::KeyRing;
use standin::credential::session_token::TokenBody;
use standin::service::ClientForm;
use standin::time::SystemRandom;

static RING: LazyLock<KeyRing> = LazyLock::new(|| KeyRing::generate(&SystemRandom).expect("a ring"));
static SEALED: LazyLock<Vec<u8>> =
    LazyLock::new(|| RING.seal(&SystemRandom, b"context", b"something plain").expect("sealed"));

fuzz_target!(|data: &[u8]| {
    // The fuzzer learns what its input is compared with below, and tries it.
    assert_eq!(RING.open(b"context", data).is_ok(), data == *SEALED, "nobody guesses a seal");
    let mut altered = SEALED.clone();
    for (place, byte) in data.chunks_exact(2).map(|c| (usize::from(c[0]), c[1])) {
        let length = altered.len();
        altered[place % length] ^= byte;
    }
    altered.truncate(SEALED.len() - data.len() % 2);
    assert_eq!(RING.open(b"context", &altered).is_ok(), altered == *SEALED);
    if let Ok(form) = serde_json::from_slice::<ClientForm>(data) {
        let _client = form.client();
    }
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(TokenBody::open(&RING, text, "AKIAEXAMPLE").is_err());
    }
});
