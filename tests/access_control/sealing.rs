// SPDX-License-Identifier: Apache-2.0
//! Changing the sealing keys: nothing is ever unreadable, wherever it is cut
//! off.

use std::os::unix::fs::PermissionsExt;

use standin::access_control::AssumeRole;
use standin::fault::Status;

use crate::support::{Home, home};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/ann"},"Action":"sts:AssumeRole"}}"#;
const HOUR: i64 = 3_600_000;

/// A home with keys; each id and secret.
fn keys(home: &Home, count: usize) -> Vec<(String, Vec<u8>)> {
    let make = |n: usize| {
        let name = format!("u{n}");
        home.store.create_user("t", "/", &name, &[]).unwrap();
        let (key, secret) = home.store.create_key("t", &name).unwrap();
        (key.id, secret.expose().to_vec())
    };
    (0..count).map(make).collect()
}

fn check(store: &standin::access_control::Store, keys: &[(String, Vec<u8>)]) {
    for (id, secret) in keys {
        assert_eq!(store.login_key(id).unwrap().value.unwrap().secret.expose(), secret);
    }
}

fn file(home: &Home) -> Vec<String> {
    let text = std::fs::read_to_string(home.key_file()).unwrap();
    text.lines().skip(1).map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

/// X-11: after a change of keys nothing is under the old one, services that are
/// open follow, and the old key goes when nothing can need it any more.
#[test]
fn x_11_all_secrets_are_sealed_anew_while_services_are_open() {
    let home = home();
    let second = home.again().unwrap();
    let keys = keys(&home, 7);
    let [old] = file(&home).try_into().unwrap();
    let done = home.store.rotate_sealing("t").unwrap();
    assert_eq!((done.sealed, done.old.as_slice()), (7, [old.clone()].as_slice()));
    assert_eq!(file(&home), [done.key.clone(), old.clone()]);
    assert_eq!(std::fs::metadata(home.key_file()).unwrap().permissions().mode() & 0o777, 0o600);
    check(&home.store, &keys);
    // It never read the new file, and knows that it must.
    check(&second, &keys);
    check(&home.again().unwrap(), &keys);
    assert!(home.store.forget_sealing("t").unwrap().forgotten.is_empty(), "temporary credentials may be under it");
    home.clock.pass(38 * HOUR);
    assert_eq!(home.store.forget_sealing("t").unwrap().forgotten, [old]);
    assert_eq!(file(&home), [done.key]);
    check(&home.again().unwrap(), &keys);
    let acts = home.store.administration(standin::revision::Revision(14), 100).unwrap();
    let acts: Vec<&str> = acts.iter().map(|a| a.action.as_str()).collect();
    assert_eq!(acts, ["RotateSealingKeys", "ForgetSealingKeys"]);
}

/// Temporary credentials made before the change work until they expire.
#[test]
fn what_was_issued_before_stays_valid() {
    let home = home();
    home.store.create_user("t", "/", "ann", &[]).unwrap();
    home.store.create_role("t", "/", "app", TRUST, 3600, &[]).unwrap();
    let caller = home.store.principal_of_user("ann").unwrap();
    let ask = AssumeRole { role: "app".into(), session_name: "s1".into(), ..AssumeRole::default() };
    let made = home.store.assume_role(&caller, &ask).unwrap();
    home.store.rotate_sealing("t").unwrap();
    let opened = standin::credential::session_token::TokenBody::open(
        home.store.ring(),
        &made.session_token,
        &made.access_key_id,
    );
    assert_eq!(opened.unwrap().session_name, "s1");
}

/// A key that was prepared is given to every service before it seals.
#[test]
fn a_prepared_key_seals_when_it_is_time() {
    let home = home();
    let keys = keys(&home, 3);
    let [old] = file(&home).try_into().unwrap();
    let prepared = home.store.prepare_sealing("t").unwrap();
    let [new] = prepared.prepared.clone().try_into().unwrap();
    assert_eq!((prepared.key, file(&home)), (old.clone(), vec![old.clone(), new.clone()]));
    assert_eq!(home.store.prepare_sealing("t").unwrap().prepared, std::slice::from_ref(&new), "one is enough");
    let done = home.store.rotate_sealing("t").unwrap();
    assert_eq!((done.key.as_str(), done.sealed), (new.as_str(), 3));
    assert_eq!(file(&home), [new, old]);
    check(&home.store, &keys);
}

/// Cut off after the key file was written, or after some values were sealed
/// anew: everything opens, and doing it again goes on with the same key.
#[test]
fn a_change_that_was_cut_off_is_gone_on_with() {
    let home = home();
    let keys = keys_under_new_first(&home);
    check(&home.again().unwrap(), &keys);
    // What is made meanwhile is under the new key already.
    let later = home.again().unwrap().create_key("t", "u0").unwrap();
    let done = home.store.rotate_sealing("t").unwrap();
    assert_eq!((done.key.as_str(), done.sealed), ("feedbeef", keys.len()), "no third key is made");
    check(&home.store, &keys);
    check(&home.again().unwrap(), &[(later.0.id, later.1.expose().to_vec())]);
    assert_ne!(home.store.rotate_sealing("t").unwrap().key, "feedbeef", "the next one makes one");
}

/// A key file as a killed change leaves it: a new key first, nothing under it.
fn keys_under_new_first(home: &Home) -> Vec<(String, Vec<u8>)> {
    let made = keys(home, 2);
    let text = std::fs::read_to_string(home.key_file()).unwrap();
    let (head, rest) = text.split_once('\n').unwrap();
    let new = "feedbeef AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let beside = home.dir.path().join("beside");
    std::fs::write(&beside, format!("{head}\n{new}\n{rest}")).unwrap();
    std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(&beside, home.key_file()).unwrap();
    made
}

#[test]
fn two_changes_at_once_are_one_and_a_busy_one() {
    let home = home();
    let keys = keys(&home, 2);
    let second = home.again().unwrap();
    let results = std::thread::scope(|scope| {
        let tasks = [&home.store, &second].map(|store| scope.spawn(|| store.rotate_sealing("t")));
        tasks.map(|task| task.join().unwrap())
    });
    assert!(results.iter().any(Result::is_ok));
    for fault in results.into_iter().filter_map(Result::err) {
        assert_eq!(fault.status, Status::Busy, "{fault}");
    }
    check(&home.again().unwrap(), &keys);
}

/// Regression: keys were taken out after thirteen hours, and sessions of users
/// last up to thirty-six.
#[test]
fn no_key_goes_while_the_session_of_a_user_needs_it() {
    let home = home();
    home.store.create_user("t", "/", "ann", &[]).unwrap();
    let ann = home.store.principal_of_user("ann").unwrap();
    let made = home.store.session_token(&ann, Some(129_600)).unwrap();
    home.store.rotate_sealing("t").unwrap();
    home.clock.pass(35 * HOUR);
    home.store.forget_sealing("t").unwrap();
    home.store.shown_credential(&made.access_key_id, Some(&made.session_token)).map(drop).unwrap();
    home.clock.pass(3 * HOUR);
    assert_eq!(home.store.forget_sealing("t").unwrap().forgotten.len(), 1);
}
