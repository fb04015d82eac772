// SPDX-License-Identifier: Apache-2.0
//! What host and agent read from their socket: frames, requests and replies of
//! any content are read or turned away without a panic, and what is read is
//! written again as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use standin::placement::{Frame, Reply, Request};

fn look(kind: u8, body: &[u8]) {
    if let Ok(request) = Request::read(kind, body) {
        let (again, body) = request.parts().expect("what was read can be written");
        assert_eq!(again, kind);
        assert!(Request::read(again, &body).is_ok());
        match request {
            Request::LogIn(ask) => drop(ask.evidence.evidence()),
            Request::Verify(ask) => drop(ask.evidence.evidence()),
            Request::Report(ask) => drop(ask.report()),
            _ => {}
        }
    }
    if let Ok(reply) = Reply::read(kind, body) {
        let (again, body) = reply.parts().expect("what was read can be written");
        assert_eq!(again, kind);
        assert!(Reply::read(again, &body).is_ok());
        match reply {
            Reply::Issued(form) => drop(form.issued()),
            Reply::Renewed(form) => assert!(form.impersonation().secret.is_none()),
            Reply::Decided(form) => drop(form.decided()),
            Reply::Entitlements(form) => drop(form.entitlements()),
            Reply::Known(form) => drop(form.known()),
            Reply::Changes(forms) => forms.into_iter().for_each(|form| drop(form.change())),
            Reply::Failed(form) => drop(form.fault()),
            _ => {}
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut rest = data;
    while let Ok(Some((frame, length))) = Frame::read(rest) {
        assert_eq!(Frame::bytes(frame.kind, &frame.body).expect("it was short enough")[..], rest[..length]);
        look(frame.kind, &frame.body);
        rest = &rest[length..];
    }
    if let Some((kind, body)) = data.split_first() {
        look(*kind, body);
    }
});
