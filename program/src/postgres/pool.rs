// SPDX-License-Identifier: Apache-2.0
//! A bounded number of connections, each used by one at a time.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use standin::fault::{Fault, Status};

use super::link::{Link, Trouble};

/// See the module's page.
pub(super) struct Pool {
    most: usize,
    shelf: Mutex<Shelf>,
    freed: Condvar,
}

#[derive(Default)]
struct Shelf {
    idle: Vec<Link>,
    out: usize,
    /// Connections of an earlier age are not taken back.
    age: u64,
}

/// The room one connection takes in the pool while it is out.
pub(super) struct Room<'p> {
    pool: &'p Pool,
    age: u64,
}

impl Pool {
    pub(super) fn new(most: usize) -> Self {
        Self { most, shelf: Mutex::default(), freed: Condvar::new() }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // Nothing is done under this lock that could leave it half done.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An idle connection or a new one, waiting until `by` for one that is out.
    pub(super) fn take(
        &self,
        by: Instant,
        connect: impl FnOnce() -> Result<Link, Fault>,
    ) -> Result<(Link, Room<'_>), Fault> {
        let mut shelf = self.shelf();
        loop {
            let idle = shelf.idle.pop();
            if idle.is_some() || shelf.out < self.most {
                shelf.out += 1;
                let room = Room { pool: self, age: shelf.age };
                drop(shelf);
                let ready = idle.filter(|link| !link.is_closed());
                let link = ready.map_or_else(connect, Ok)?;
                return Ok((link, room));
            }
            let left = by.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let text = format!("all {} connections to the store's database are in use", self.most);
                return Err(Fault::new(Status::Busy, text));
            }
            shelf = self.freed.wait_timeout(shelf, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Closes idle connections now, and those that are out when they come back.
    pub(super) fn forget(&self) {
        let mut shelf = self.shelf();
        shelf.age += 1;
        let idle = std::mem::take(&mut shelf.idle);
        drop(shelf);
        drop(idle);
    }
}

impl Room<'_> {
    /// Gives a connection back, if it can be used again.
    pub(super) fn give_back(self, link: Link) {
        if link.trouble() == Trouble::Lost || link.is_closed() {
            return;
        }
        let mut shelf = self.pool.shelf();
        if shelf.age == self.age {
            shelf.idle.push(link);
        }
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.pool.shelf().out -= 1;
        self.pool.freed.notify_one();
    }
}
