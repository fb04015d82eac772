// SPDX-License-Identifier: Apache-2.0
//! What clients send while connecting: it is read without a panic, and what is
//! accepted is within its bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use standin::credential::certificate::Certificate;
use standin::credential::sigv4::{LoginRules, read_msk_iam, read_token};
use standin::fault::Kind;
use standin::time::UnixMillis;

fuzz_target!(|data: &[u8]| {
    let rules = LoginRules {
        hosts: vec!["localhost".into()],
        token_hosts: vec!["localhost".into()],
        token_services: vec!["kafka-cluster".into()],
        token_actions: vec!["kafka-cluster:Connect".into()],
        regions: vec!["eu-1".into()],
        max_age_ms: 60_000,
        skew_ms: 300_000,
    };
    for claim in [read_msk_iam(data), read_token(data)] {
        match claim {
            Ok(claim) => {
                assert!(!claim.access_key_id().is_empty() && claim.access_key_id().len() <= 128);
                let _checked = claim.check(&rules, UnixMillis(1_767_323_045_000));
            }
            Err(fault) => assert_eq!(fault.kind(), Kind::Refused, "{fault}"),
        }
    }
    if let Err(fault) = Certificate::read(data, "user/${cn}") {
        assert_ne!(fault.kind(), Kind::Internal, "{fault}");
    }
});
