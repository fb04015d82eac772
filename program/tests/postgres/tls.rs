// SPDX-License-Identifier: Apache-2.0
//! The way to a server on another machine: encrypted, verified, with a password
//! that is shown to nobody.

use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use standin::fault::{Kind, Status};
use standin_program::store::{make_store, open_store};

use crate::server::Server;
use crate::support::raw;

/// A CA, and key and certificate of a server from it.
fn certificates() -> (String, String, String) {
    let mut ca = CertificateParams::new(Vec::<String>::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let issuer = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    (issuer.pem(), key.serialize_pem(), server.pem())
}

/// A file as the server's user has to own it.
fn place(data: &Path, name: &str, text: &str) {
    let (path, owner) = (data.join(name), std::fs::metadata(data).unwrap());
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path).unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    std::os::unix::fs::chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
}

/// A database elsewhere is reached by verified TLS or not at all.
#[test]
fn a_server_is_verified_before_it_gets_a_password() {
    let server = Server::new();
    let data = server.path().join("data");
    let (ca, key, certificate) = certificates();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    raw(&server.url, "CREATE ROLE ann LOGIN PASSWORD 'hunter2'").unwrap();
    raw(&server.url, "CREATE SCHEMA ann AUTHORIZATION ann").unwrap();
    server.stop();
    place(&data, "server.key", &key);
    place(&data, "server.crt", &certificate);
    place(&data, "pg_hba.conf", "local all all trust\nhostssl all ann all scram-sha-256\n");
    place(&data, "postgresql.auto.conf", "ssl = on\n");
    server.start_listening(port);

    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    let (ca, other) = (file("ca.pem", &ca), file("other.pem", &certificates().0));
    let (pass, wrong) = (file("pass", "hunter2\n"), file("wrong", "hunter3\n"));
    let url = |host: &str, ca: &Path, pass: &Path, more: &str| {
        let (ca, pass) = (ca.display(), pass.display());
        format!("postgres://ann@{host}:{port}/postgres?sslrootcert={ca}&passfile={pass}{more}")
    };
    let key_file = dir.path().join("key");
    let good = url("localhost", &ca, &pass, "");
    make_store(&good, Some(&key_file), "123456789012").unwrap().create_user("t", "/", "bob", &[]).unwrap();
    assert_eq!(open_store(&good, Some(&key_file)).unwrap().users().unwrap().len(), 1);
    let fault = |url: &str| {
        let fault = open_store(url, Some(&key_file)).err().unwrap();
        assert!(!fault.text.contains("hunter"), "{fault}");
        fault
    };
    // Another CA, another name, and a connection without TLS.
    let stranger = fault(&url("localhost", &other, &pass, ""));
    assert_eq!(stranger.kind(), Kind::Undecided, "{stranger}");
    assert_eq!(fault(&url("127.0.0.1", &ca, &pass, "")).kind(), Kind::Undecided);
    assert_eq!(fault(&url("localhost", &ca, &pass, "&sslmode=disable")).status, Status::InvalidSetting);
    // Waiting does not make a password right.
    assert_eq!(fault(&url("localhost", &ca, &wrong, "")).status, Status::InvalidSetting);
    // One that is changed under an open store makes nobody unknown.
    let open = open_store(&good, Some(&key_file)).unwrap();
    let local = format!("{}&port={port}", server.url);
    raw(&local, "ALTER ROLE ann PASSWORD 'hunter4'").unwrap();
    raw(&local, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ann'").unwrap();
    let fault = open.user("bob").unwrap_err();
    assert_eq!(fault.kind(), Kind::Undecided, "{fault}");
}
