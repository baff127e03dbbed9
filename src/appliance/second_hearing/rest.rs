//! How long the queue waits after a failure that the next call would meet too. It
//! keeps times alone and asks nobody.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::residency::{Destination, DestinationId};
use crate::terms::Moment;

/// Waits after failures: 2, 4, 8 … minutes, at most six hours.
const FIRST_WAIT: Duration = Duration::from_secs(2 * 60);
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3600);

/// Sets of places at which ears rest: a business has some two ears outside, and its
/// policy changes seldom. When there are more, all are forgotten and tried again.
const SETS_MAX: usize = 64;

pub(super) fn wait_after(failures: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << failures.min(10)).min(LONGEST_WAIT)
}

/// Until when, and after how many failures in a row.
#[derive(Clone, Copy, Default)]
struct Pause {
    until: Moment,
    failures: u32,
}

impl Pause {
    fn longer(self, now: Moment) -> Self {
        Self { until: now + wait_after(self.failures), failures: self.failures.saturating_add(1) }
    }
}

/// While the disk takes nothing, no call is heard again: its words could not be
/// kept, and its sound would be sent for nothing.
#[derive(Default)]
pub struct Rest {
    /// Held for a copy.
    pause: Mutex<Pause>,
}

impl Rest {
    pub(super) fn holds(&self, now: Moment) -> bool {
        held(&self.pause).until > now
    }

    pub(super) fn begin(&self, now: Moment) {
        let mut pause = held(&self.pause);
        *pause = pause.longer(now);
    }

    pub(super) fn end(&self) {
        *held(&self.pause) = Pause::default();
    }
}

/// Ears that gave no words are not sent the next call at once: as many wait as the
/// outage was long, and each would be sent and paid for in vain. Of other places the
/// ears go on.
#[derive(Default)]
pub struct TiredEars {
    /// By the places to which a call might go. Held for moments.
    pauses: Mutex<BTreeMap<Vec<DestinationId>, Pause>>,
}

impl TiredEars {
    /// How long the ears at these places are left in peace yet.
    pub(super) fn rest(&self, places: &[Destination], now: Moment) -> Option<Duration> {
        let until = held(&self.pauses).get(&ids(places)).map(|pause| pause.until)?;
        (until > now).then(|| until.since(now))
    }

    /// They rest longer with each failure, and no longer than `at_most`.
    pub(super) fn failed(&self, places: &[Destination], now: Moment, at_most: Duration) {
        let mut pauses = held(&self.pauses);
        let ids = ids(places);
        if pauses.len() >= SETS_MAX && !pauses.contains_key(&ids) {
            pauses.clear();
        }
        let pause = pauses.entry(ids).or_default();
        *pause = pause.longer(now);
        pause.until = pause.until.min(now + at_most);
    }

    pub(super) fn heard(&self, places: &[Destination]) {
        held(&self.pauses).remove(&ids(places));
    }
}

fn ids(places: &[Destination]) -> Vec<DestinationId> {
    places.iter().map(|place| place.id.clone()).collect()
}

/// A poisoned lock still holds whole pauses.
fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_grows_with_each_refusal_to_six_hours_and_ends_with_the_first_success() {
        let rest = Rest::default();
        let began = Moment::START + Duration::from_secs(1);
        assert!(!rest.holds(began));
        for minutes in [2, 4, 8] {
            rest.begin(began);
            let end = began + Duration::from_secs(minutes * 60);
            assert!(rest.holds(began) && !rest.holds(end), "{minutes}");
        }
        assert_eq!(wait_after(u32::MAX), Duration::from_secs(6 * 3600));
        rest.end();
        assert!(!rest.holds(began));
    }
}
