// SPDX-License-Identifier: Apache-2.0
//! A server of a test's own, to be ill-treated.

use std::path::Path;
use std::process::Command;

pub(crate) struct Server {
    dir: tempfile::TempDir,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir_in("/tmp").unwrap();
        let url = control("start", dir.path());
        Self { dir, url }
    }

    /// A standby of this one.
    pub(crate) fn standby(&self) -> Self {
        let dir = tempfile::tempdir_in("/tmp").unwrap();
        let url = run(&["standby".as_ref(), dir.path().as_os_str(), self.path().as_os_str()]);
        Self { dir, url }
    }

    /// Lets a standby take over.
    pub(crate) fn promote(&self) {
        control("promote", self.path());
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn start(&self) {
        control("start", self.path());
    }

    /// Starts it so that it can be reached by TCP as well.
    pub(crate) fn start_listening(&self, port: u16) {
        run(&["start".as_ref(), self.path().as_os_str(), port.to_string().as_ref()]);
    }

    pub(crate) fn stop(&self) {
        control("stop", self.path());
    }

    /// kill -9 for the server and all its processes.
    pub(crate) fn kill(&self) {
        control("kill", self.path());
    }

    /// The server's process.
    pub(crate) fn process(&self) -> rustix::process::Pid {
        let text = std::fs::read_to_string(self.path().join("data/postmaster.pid")).unwrap();
        rustix::process::Pid::from_raw(text.lines().next().unwrap().parse().unwrap()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test that failed may have left it dead.
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/postgres");
        drop(Command::new(script).arg("stop").arg(self.path()).output());
    }
}

fn control(what: &str, dir: &Path) -> String {
    run(&[what.as_ref(), dir.as_os_str()])
}

fn run(arguments: &[&std::ffi::OsStr]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/postgres");
    let done = Command::new(script).args(arguments).output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}
