// SPDX-License-Identifier: Apache-2.0
//! Files that a broker's settings name: who may read them, and whether they
//! are what they should be.

use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use standin::access_control::{Store, StoreFiles, schema};
use standin::settings::{AgentProcess, EngineSettings};
use standin::time::{SystemClock, SystemRandom};

use super::node::{Listener, Node};
use super::rules::Findings;

fn mode(path: &Path) -> Option<u32> {
    std::fs::metadata(path).ok().map(|m| m.permissions().mode() & 0o777)
}

/// The certificate of a listener with TLS.
pub(super) fn keystore(node: &Node<'_>, listener: &Listener, out: &mut Findings) {
    if node.setting(listener, "ssl.keystore.certificate.chain").is_some() {
        return;
    }
    let prefix = listener.prefix();
    let Some(entry) = node.setting(listener, "ssl.keystore.location") else {
        let text = format!("{} has TLS and no certificate", listener.name);
        let lines =
            [format!("{prefix}ssl.keystore.type=PEM"), format!("{prefix}ssl.keystore.location=/path/broker.pem")];
        out.wrong("keystore", None, text, &lines.each_ref().map(String::as_str));
        return;
    };
    let path = Path::new(entry.value.trim());
    let shown = path.display();
    let bytes = match std::fs::read(path) {
        Ok(bytes) => zeroize::Zeroizing::new(bytes),
        Err(e) => {
            out.wrong("keystore", Some(entry), format!("{shown}: {e}"), &[]);
            return;
        }
    };
    if let Some(mode) = mode(path).filter(|m| m & 0o077 != 0) {
        let text = format!("{shown} holds the private key and has mode {mode:04o}: others may read it");
        out.warn("keystore-mode", Some(entry), text, &[&format!("chmod 600 {shown}")]);
    }
    let has = |part: &[u8]| bytes.windows(part.len()).any(|w| w == part);
    let kind_entry = node.setting(listener, "ssl.keystore.type");
    let kind = kind_entry.map(|e| e.value.trim());
    let pem = has(b"-----BEGIN CERTIFICATE-----");
    if kind == Some("PEM") && !(pem && has(b"PRIVATE KEY-----")) {
        let text = format!("{shown} does not hold both a private key and a certificate in PEM");
        out.wrong("keystore", Some(entry), text, &[&format!("cat key.pem certificate.pem >{shown}")]);
    } else if kind.is_none_or(|k| k == "JKS" || k == "PKCS12") && pem {
        let text = format!("{shown} is PEM, and Kafka takes it for {}", kind.unwrap_or("JKS"));
        out.wrong("keystore", kind_entry, text, &[&format!("{prefix}ssl.keystore.type=PEM")]);
    }
}

/// The store: its files, and what only its reader knows.
pub(super) fn store(node: &Node<'_>, engine: &EngineSettings, out: &mut Findings) -> Option<Store> {
    let entry = node.properties.entry("standin.store");
    let files = StoreFiles { store: engine.store.clone(), key_file: engine.key_file.clone() };
    let mut open = true;
    for path in [&files.store, &files.key_file] {
        if let Some(mode) = mode(path).filter(|m| m & 0o077 != 0) {
            open = false;
            let shown = path.display();
            let text = format!("{shown} has mode {mode:04o}: others may read it, and the start is refused");
            out.wrong("store-mode", entry, text, &[&format!("chmod 600 {shown}")]);
        }
    }
    let dir = files.store.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Some(mode) = mode(dir).filter(|m| m & 0o022 != 0) {
        let shown = dir.display();
        let text = format!("{shown} has mode {mode:04o}: others may put another store in its place");
        out.warn("store-mode", entry, text, &[&format!("chmod 700 {shown}")]);
    }
    if !open {
        return None;
    }
    // Opening it would bring it up to date, and older brokers may still run.
    if let Some(format) = format_of(&files.store).filter(|f| *f < schema::newest()) {
        let text = format!(
            "the store has format {format}, this program is of format {}; the first process of this version that opens it brings it up to date",
            schema::newest()
        );
        out.warn("store-format", entry, text, &[]);
        return None;
    }
    match Store::open(&files, Arc::new(SystemClock::new()), Arc::new(SystemRandom)) {
        Ok(store) => Some(store),
        Err(fault) => {
            out.wrong("store", entry, fault.text, &[]);
            None
        }
    }
}

/// The format a SQLite file says it has (the user version in its header; "The
/// Database Header" of SQLite's file format).
fn format_of(store: &Path) -> Option<u32> {
    let mut header = [0; 64];
    std::fs::File::open(store).ok()?.read_exact_at(&mut header, 0).ok()?;
    let version = header.strip_prefix(b"SQLite format 3\0")?.get(44..48)?;
    Some(u32::from_be_bytes(version.try_into().ok()?))
}

/// The socket of an agent that is a process of its own.
pub(super) fn agent(node: &Node<'_>, agent: &AgentProcess, out: &mut Findings) {
    let entry = node.properties.entry("standin.agent.socket");
    let shown = agent.socket.display();
    let metadata = match std::fs::metadata(&agent.socket) {
        Ok(metadata) => metadata,
        Err(e) => {
            out.wrong("agent", entry, format!("{shown}: {e}; `standin agent` makes it"), &[]);
            return;
        }
    };
    if !metadata.file_type().is_socket() {
        out.wrong("agent", entry, format!("{shown} is no socket"), &[]);
        return;
    }
    if metadata.uid() != agent.user {
        let text = format!(
            "{shown} belongs to the user {}, standin.agent.user is {}: the host does not talk to it",
            metadata.uid(),
            agent.user
        );
        out.wrong("agent", node.properties.entry("standin.agent.user"), text, &[]);
    }
    let dir = agent.socket.parent().unwrap_or(Path::new("."));
    if let Some(mode) = mode(dir).filter(|m| m & 0o027 != 0) {
        let text =
            format!("{} has mode {mode:04o}: others may get at the agent, or put another in its place", dir.display());
        out.wrong("agent", entry, text, &[&format!("chmod 750 {}", dir.display())]);
    }
}

/// Where audit records go.
pub(super) fn audit_dir(node: &Node<'_>, engine: &EngineSettings, out: &mut Findings) {
    use rustix::fs::{Access, access};
    let entry = node.properties.entry("standin.audit.dir");
    let dir = &engine.audit_dir;
    // One that is missing is made, where that is possible.
    let existing = dir.ancestors().find(|p| p.exists()).unwrap_or(Path::new("."));
    let shown = dir.display();
    if !existing.is_dir() {
        out.wrong("audit-dir", entry, format!("{} is no directory", existing.display()), &[]);
    } else if access(existing, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        out.wrong("audit-dir", entry, format!("{shown} cannot be written by this user"), &[]);
    } else if let Some(mode) = mode(dir).filter(|m| m & 0o077 != 0) {
        let text = format!("{shown} has mode {mode:04o}: others may read who did what");
        out.warn("audit-dir", entry, text, &[&format!("chmod 700 {shown}")]);
    }
}

/// The jars beside the broker.
pub(super) fn jars(libs: &Path, out: &mut Findings) {
    let names: Vec<String> = match std::fs::read_dir(libs) {
        Ok(list) => list.filter_map(Result::ok).filter_map(|e| e.file_name().into_string().ok()).collect(),
        Err(e) => {
            out.wrong("jars", None, format!("{}: {e}", libs.display()), &[]);
            return;
        }
    };
    let version = env!("CARGO_PKG_VERSION");
    for jar in ["standin-core", "standin-kafka"] {
        let wanted = format!("{jar}-{version}.jar");
        let found: Vec<&String> =
            names.iter().filter(|n| n.starts_with(&format!("{jar}-")) && n.ends_with(".jar")).collect();
        if found != [&wanted] {
            let found: Vec<&str> = found.into_iter().map(String::as_str).collect();
            let text = match found.as_slice() {
                [] => format!("{} has no {wanted}", libs.display()),
                found => format!(
                    "{} has {}; of each jar one is right, of the version of this program",
                    libs.display(),
                    found.join(" and ")
                ),
            };
            out.wrong("jars", None, text, &[&format!("cp {wanted} {}/", libs.display())]);
        }
    }
}

/// The native library: the one that is named, or what the jar unpacks.
pub(super) fn native(node: &Node<'_>, out: &mut Findings) {
    let entry = node.properties.entry("standin.native.path").filter(|e| !e.value.trim().is_empty());
    let Some(entry) = entry else {
        if std::env::consts::ARCH != "x86_64" {
            let text = format!(
                "the jar carries a library for x86_64, this machine is {}; build one and name it",
                std::env::consts::ARCH
            );
            out.wrong("native-library", None, text, &["standin.native.path=/usr/lib/libstandin.so"]);
        }
        return;
    };
    let path = PathBuf::from(entry.value.trim());
    let shown = path.display();
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) => {
            out.wrong("native-library", Some(entry), format!("{shown}: {e}; nothing else is tried"), &[]);
            return;
        }
    };
    match Elf::read(&bytes) {
        None => out.wrong("native-library", Some(entry), format!("{shown} is no library of Linux"), &[]),
        Some(elf) if elf.machine != Elf::HERE => {
            let text = format!("{shown} is for {}, this machine is {}", elf.machine_name(), std::env::consts::ARCH);
            out.wrong("native-library", Some(entry), text, &[]);
        }
        Some(elf) => {
            if let Some((wanted, here)) = elf.glibc.zip(glibc()).filter(|(wanted, here)| wanted > here) {
                let text = format!(
                    "{shown} needs glibc {}.{}, this machine has {}.{}; build it here, or on an older system",
                    wanted.0, wanted.1, here.0, here.1
                );
                out.wrong("native-library", Some(entry), text, &[]);
            }
        }
    }
}

/// What a library says of the machine it is for.
struct Elf {
    machine: u16,
    /// Newest version of glibc it names.
    glibc: Option<(u32, u32)>,
}

impl Elf {
    /// Number of this machine (System V ABI, `e_machine`).
    const HERE: u16 = if cfg!(target_arch = "x86_64") { 62 } else { 183 };

    fn read(bytes: &[u8]) -> Option<Self> {
        // 64 bit, little end first, a shared object.
        let head = bytes.get(..20)?;
        let (magic, rest) = head.split_at(4);
        let shared = rest.get(12..14) == Some(&[3, 0]);
        if magic != b"\x7fELF" || rest.get(..2) != Some(&[2, 1]) || !shared {
            return None;
        }
        let machine = u16::from_le_bytes(rest.get(14..16)?.try_into().ok()?);
        Some(Self { machine, glibc: newest(bytes) })
    }

    fn machine_name(&self) -> String {
        match self.machine {
            62 => "x86_64".into(),
            183 => "aarch64".into(),
            other => format!("machine {other}"),
        }
    }
}

/// The newest `GLIBC_2.N` among the names of versions in a library.
fn newest(bytes: &[u8]) -> Option<(u32, u32)> {
    const NAME: &[u8] = b"GLIBC_";
    let version = |at: usize| {
        let rest = bytes.get(at + NAME.len()..)?;
        let end = rest.iter().position(|b| !b.is_ascii_digit() && *b != b'.')?;
        // Names end in a NUL; other texts only look like one.
        (rest.get(end) == Some(&0)).then_some(())?;
        let mut parts = std::str::from_utf8(rest.get(..end)?).ok()?.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    let places = bytes.windows(NAME.len()).enumerate().filter(|(_, w)| *w == NAME);
    places.filter_map(|(at, _)| version(at)).max()
}

/// The glibc of this machine; none where it has another library.
fn glibc() -> Option<(u32, u32)> {
    let out = std::process::Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(out.stdout).ok()?;
    let mut parts = text.trim().strip_prefix("glibc ")?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_glibc_is_the_one_that_is_needed() {
        assert_eq!(newest(b"\0GLIBC_2.9\0GLIBC_2.34\0GLIBC_2.4\0"), Some((2, 34)));
        assert_eq!(newest(b"needs GLIBC_2.99 or so\0GLIBC_PRIVATE\0"), None);
    }

    #[test]
    fn only_shared_objects_of_64_bits_are_libraries() {
        let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0".to_vec();
        assert_eq!(Elf::read(&elf).map(|e| e.machine), Some(62));
        elf[16] = 2;
        assert!(Elf::read(&elf).is_none());
        assert!(Elf::read(b"#!/bin/sh").is_none());
    }
}
