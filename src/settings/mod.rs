// SPDX-License-Identifier: Apache-2.0
//! Every setting, once: name, scope, default and meaning; read, checked, and
//! turned into what engine and listeners work with.

mod agent;
mod engine;
mod given;
mod profile;
mod service;
mod table;
mod tuning;

pub use agent::{AgentProcess, AgentSettings};
pub use engine::{Decide, EngineSettings};
pub use given::Given;
pub use profile::{EvidenceKind, Limits, ProfileSettings};
pub use service::ServiceSettings;
pub use table::{SETTINGS, Scope, Setting};
pub use tuning::{CHANGEABLE, Tuning};

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::fault::{Fault, Status};

    fn given(pairs: &[(&str, &str)]) -> Result<Given, Fault> {
        Given::read(pairs.iter().copied(), None)
    }

    #[test]
    fn unknown_setting_names_the_nearest() {
        let fault = given(&[("standin.sotre", "/x")]).unwrap_err();
        assert_eq!(fault.status, Status::InvalidSetting);
        assert!(fault.text.contains("did you mean standin.store?"), "{fault}");
    }

    #[test]
    fn a_database_is_no_store_of_a_host_and_its_password_is_not_shown() {
        let of = |store: &str| EngineSettings::of(&given(&[("standin.store", store)]).unwrap());
        let fault = of("postgres://ann:hunter2@host/db").unwrap_err();
        assert_eq!(fault.status, Status::InvalidSetting);
        assert!(fault.text.contains("standin serve") && !fault.text.contains("hunter2"), "{fault}");
        assert_eq!(of("sqlite:/x/store.db").unwrap().store, Path::new("/x/store.db"));
    }

    #[test]
    fn settings_of_a_newer_version_are_ignored_under_x() {
        given(&[("standin.x.future", "1")]).unwrap();
    }

    #[test]
    fn file_stands_behind_the_host_and_is_checked_as_strictly() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("standin.toml");
        std::fs::write(&file, "[standin]\nstore = \"/from/file\"\n[standin.stale]\nafter.ms = 2000\n").unwrap();
        let path = file.to_str().unwrap();
        let both = given(&[("standin.config", path), ("standin.store", "/from/host")]).unwrap();
        let settings = EngineSettings::of(&both).unwrap();
        assert_eq!(settings.store, Path::new("/from/host"));
        assert_eq!(settings.stale_after, 2000);
        std::fs::write(&file, "stroe = \"/x\"\n").unwrap();
        let fault = given(&[("standin.config", path)]).unwrap_err();
        assert!(fault.text.contains("standin.store"), "{fault}");
    }

    #[test]
    fn values_outside_what_is_accepted_are_refused_with_the_range() {
        for (name, value, part) in [
            ("standin.audit.flush.ms", "5", "100 to 60000"),
            ("standin.decide", "elsewhere", "local or remote"),
            ("standin.cluster.arn", "arn:aws:kafka:us-east-1:1:cluster/a/b", "without wildcards"),
            ("standin.cluster.tags", "novalue", "KEY=VALUE"),
            ("standin.audit.deliver", "true", "nowhere to deliver to without standin.service.url"),
        ] {
            let fault = EngineSettings::of(&given(&[("standin.store", "/s"), (name, value)]).unwrap()).unwrap_err();
            assert!(fault.text.contains(part) && fault.text.contains("standin."), "{name}: {fault}");
        }
    }

    #[test]
    fn profile_needs_hosts_and_takes_the_hosts_region() {
        let region = "eu-west-1";
        assert!(ProfileSettings::of(&given(&[]).unwrap(), Some(region)).unwrap_err().text.contains("standin.hosts"));
        let profile =
            ProfileSettings::of(&given(&[("standin.hosts", "Broker-1.Example.test")]).unwrap(), Some(region)).unwrap();
        assert_eq!(profile.regions, ["eu-west-1"]);
        assert_eq!(profile.hosts, ["broker-1.example.test"]);
        let fault = ProfileSettings::of(&given(&[("standin.hosts", "b:9092")]).unwrap(), Some(region)).unwrap_err();
        assert!(fault.text.contains("without scheme and port"), "{fault}");
    }

    #[test]
    fn differing_settings_are_named() {
        let a = EngineSettings::of(&given(&[("standin.store", "/a")]).unwrap()).unwrap();
        let b = EngineSettings::of(&given(&[("standin.store", "/b"), ("standin.decide", "remote")]).unwrap()).unwrap();
        assert_eq!(a.differing(&b), ["standin.store", "standin.key.file", "standin.decide"]);
    }
}
