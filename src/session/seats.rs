// SPDX-License-Identifier: Apache-2.0
//! How many sessions there are on one listener, in all and of each identity,
//! and how often each identity logs in. Whoever is beyond a limit is told to
//! come again, never that it may not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::settings::Limits;
use crate::time::Steady;

/// Identities remembered beyond those that have sessions.
const REMEMBERED: usize = 16_384;

struct Place {
    sessions: usize,
    /// Logins left, and when that was so.
    left: f64,
    at: Steady,
}

#[derive(Default)]
struct Taken {
    all: usize,
    places: HashMap<String, Place>,
}

/// See the module's page.
#[derive(Default)]
pub struct Seats(Mutex<Taken>);

/// One session's seat; given back when it is dropped.
pub struct Seat {
    seats: Arc<Seats>,
    identity: String,
}

impl Seats {
    /// A seat for one more session of this identity; none where nothing is
    /// limited.
    ///
    /// # Errors
    /// Which limit is reached.
    pub fn take(self: &Arc<Self>, identity: &str, limits: Limits, now: Steady) -> Result<Option<Seat>, String> {
        if limits == Limits::default() {
            return Ok(None);
        }
        let Ok(mut taken) = self.0.lock() else { return Ok(None) };
        let Taken { all, places } = &mut *taken;
        if limits.sessions > 0 && *all >= limits.sessions {
            return Err(format!("the listener has {all} sessions (standin.session.limit)"));
        }
        let rate = f64::from(limits.logins);
        let refilled = |place: &Place| (place.left + now.since(place.at).max(0) as f64 / 1000.0 * rate).min(rate);
        if places.len() >= REMEMBERED {
            places.retain(|_, place| place.sessions > 0 || refilled(place) < rate);
        }
        let place = places.entry(identity.to_owned()).or_insert(Place { sessions: 0, left: rate, at: now });
        if limits.of_identity > 0 && place.sessions >= limits.of_identity {
            return Err(format!("{identity} has {} sessions (standin.session.limit.identity)", place.sessions));
        }
        if limits.logins > 0 {
            let left = refilled(place);
            if left < 1.0 {
                return Err(format!("{identity} logs in too often (standin.login.limit.identity)"));
            }
            (place.left, place.at) = (left - 1.0, now);
        }
        place.sessions += 1;
        *all += 1;
        Ok(Some(Seat { seats: Arc::clone(self), identity: identity.to_owned() }))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Ok(mut taken) = self.seats.0.lock() else { return };
        taken.all = taken.all.saturating_sub(1);
        if let Some(place) = taken.places.get_mut(&self.identity) {
            place.sessions = place.sessions.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Steady = Steady(1000);

    fn seats() -> Arc<Seats> {
        Arc::new(Seats::default())
    }

    #[test]
    fn a_seat_is_free_again_when_its_session_is_gone() {
        let (seats, limits) = (seats(), Limits { sessions: 3, of_identity: 2, ..Limits::default() });
        let first = seats.take("a", limits, NOW).unwrap();
        let _second = seats.take("a", limits, NOW).unwrap();
        assert!(seats.take("a", limits, NOW).err().unwrap().contains("standin.session.limit.identity"));
        let _third = seats.take("b", limits, NOW).unwrap();
        assert!(seats.take("c", limits, NOW).err().unwrap().contains("standin.session.limit)"));
        drop(first);
        assert!(seats.take("a", limits, NOW).unwrap().is_some());
    }

    #[test]
    fn logins_of_an_identity_are_so_many_a_second() {
        let (seats, limits) = (seats(), Limits { logins: 2, ..Limits::default() });
        for at in [0, 0] {
            assert!(seats.take("a", limits, Steady(at)).is_ok());
        }
        assert!(seats.take("a", limits, Steady(0)).is_err());
        assert!(seats.take("b", limits, Steady(0)).is_ok());
        assert!(seats.take("a", limits, Steady(499)).is_err());
        assert!(seats.take("a", limits, Steady(1000)).is_ok());
    }

    #[test]
    fn without_limits_nothing_is_counted() {
        assert!(seats().take("a", Limits::default(), NOW).unwrap().is_none());
    }
}
