// SPDX-License-Identifier: Apache-2.0
//! A bounded number of connections, each used by one at a time.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::fault::{Fault, Status};

/// Connections that are made when they are needed and kept after. The one that
/// came back last goes out next, so there are no more than work at once.
pub struct Pool<T> {
    shelf: Mutex<Shelf<T>>,
    freed: Condvar,
}

struct Shelf<T> {
    most: usize,
    idle: Vec<T>,
    out: usize,
    waiting: usize,
    /// Connections of an earlier age are not taken back.
    age: u64,
}

/// The room one connection takes in the pool while it is out.
pub struct Room<'p, T> {
    pool: &'p Pool<T>,
    age: u64,
    back: Option<T>,
}

impl<T> Pool<T> {
    /// Room for so many.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let shelf = Shelf { most, idle: Vec::new(), out: 0, waiting: 0, age: 0 };
        Self { shelf: Mutex::new(shelf), freed: Condvar::new() }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf<T>> {
        // Nothing is done under this lock that could leave it half done.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for so many from now on.
    pub fn set_most(&self, most: usize) {
        self.shelf().most = most;
    }

    /// An idle connection, or room to make one, waiting until `by` for one that
    /// is out.
    ///
    /// # Errors
    /// [`Status::Busy`] when all are out until then.
    pub fn take(&self, by: Instant) -> Result<(Option<T>, Room<'_, T>), Fault> {
        let mut shelf = self.shelf();
        loop {
            let idle = shelf.idle.pop();
            if idle.is_some() || shelf.out < shelf.most {
                shelf.out += 1;
                return Ok((idle, Room { pool: self, age: shelf.age, back: None }));
            }
            let left = by.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let text = format!("all {} connections to the store's database are in use", shelf.most);
                return Err(Fault::new(Status::Busy, text));
            }
            shelf.waiting += 1;
            shelf = self.freed.wait_timeout(shelf, left).unwrap_or_else(PoisonError::into_inner).0;
            shelf.waiting -= 1;
        }
    }

    /// Closes idle connections now, and those that are out when they come back.
    pub fn forget(&self) {
        let mut shelf = self.shelf();
        shelf.age += 1;
        let idle = std::mem::take(&mut shelf.idle);
        drop(shelf);
        drop(idle);
    }
}

impl<T> Room<'_, T> {
    /// Gives a connection back that can be used again.
    pub fn give_back(mut self, connection: T) {
        self.back = Some(connection);
    }
}

impl<T> Drop for Room<'_, T> {
    fn drop(&mut self) {
        let mut shelf = self.pool.shelf();
        shelf.out -= 1;
        if shelf.age == self.age {
            shelf.idle.extend(self.back.take());
        }
        // To wake nobody costs as much as to wake somebody.
        let waited_for = shelf.waiting > 0;
        drop(shelf);
        if waited_for {
            self.pool.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(1)
    }

    #[test]
    fn what_comes_back_goes_out_again_and_no_more_than_there_is_room_for() {
        let pool = Pool::new(2);
        let (none, first) = pool.take(soon()).unwrap();
        assert_eq!(none, None);
        let (none, second) = pool.take(soon()).unwrap();
        assert_eq!(none, None);
        assert_eq!(pool.take(soon()).err().unwrap().status, Status::Busy);
        first.give_back(1);
        let (one, first) = pool.take(soon()).unwrap();
        assert_eq!(one, Some(1));
        // One that is not given back leaves its room to another.
        drop(second);
        let (none, second) = pool.take(soon()).unwrap();
        assert_eq!(none, None);
        second.give_back(2);
        first.give_back(1);
        assert_eq!(pool.take(soon()).unwrap().0, Some(1));
    }

    #[test]
    fn nothing_of_an_earlier_age_is_taken_back() {
        let pool = Pool::new(2);
        let (_, out) = pool.take(soon()).unwrap();
        pool.take(soon()).unwrap().1.give_back(2);
        pool.forget();
        out.give_back(1);
        assert_eq!(pool.take(soon()).unwrap().0, None);
    }

    /// Whoever waits is woken by what comes back, also without a connection.
    #[test]
    fn everybody_who_waits_has_a_turn() {
        let pool = Pool::new(2);
        let by = Instant::now() + Duration::from_secs(600);
        std::thread::scope(|scope| {
            for n in 0..8 {
                let pool = &pool;
                scope.spawn(move || {
                    for turn in 0..500 {
                        let (_, room) = pool.take(by).unwrap();
                        std::thread::yield_now();
                        if turn % 2 == 0 { room.give_back(n) } else { drop(room) }
                    }
                });
            }
        });
        let shelf = pool.shelf();
        assert!(shelf.out == 0 && shelf.waiting == 0 && shelf.idle.len() <= 2);
    }
}
