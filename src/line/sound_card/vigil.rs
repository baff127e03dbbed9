//! Whether an open card still behaves like one: sound comes and goes at its rate. It
//! reads no clock and knows no library; it is told how many samples have passed.

use std::time::Duration;

use crate::terms::Moment;

use super::CardTrouble;

/// Without a sample for this long a card has stopped: a hundred of its periods.
const STALLED: Duration = Duration::from_secs(2);

/// A card that is this much sound ahead of the time has no clock: what is left of an
/// unplugged one gives silence as fast as it is asked. Above what any buffer holds.
const AHEAD: Duration = Duration::from_secs(5);

/// Watches one direction of an open card.
pub(super) struct Vigil {
    hz: u32,
    samples: u64,
    looked: Moment,
    moved: Moment,
    /// Sound beyond the time that has passed, in samples; never below none.
    ahead: u64,
}

impl Vigil {
    pub(super) const fn new(hz: u32, now: Moment) -> Self {
        Self { hz, samples: 0, looked: now, moved: now, ahead: 0 }
    }

    /// Takes how many samples have passed since the opening; what is wrong, if anything.
    pub(super) fn look(&mut self, samples: u64, now: Moment) -> Option<CardTrouble> {
        let passed = samples.saturating_sub(self.samples);
        let due = self.in_samples(now.since(self.looked));
        self.ahead = (self.ahead + passed).saturating_sub(due);
        if passed > 0 {
            self.moved = now;
        }
        (self.samples, self.looked) = (samples, now);
        if self.ahead > self.in_samples(AHEAD) {
            Some(CardTrouble::RanAway)
        } else if now.since(self.moved) >= STALLED {
            Some(CardTrouble::Stalled)
        } else {
            None
        }
    }

    fn in_samples(&self, time: Duration) -> u64 {
        u64::try_from(time.as_micros()).unwrap_or(u64::MAX).saturating_mul(u64::from(self.hz)) / 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Moment {
        Moment::from_micros(ms * 1_000)
    }

    #[test]
    fn a_card_on_a_wrong_crystal_and_in_bursts_is_well() {
        let mut vigil = Vigil::new(8_000, at(0));
        for n in 1..36_000_u64 {
            // 300 ppm fast, and only every third look finds anything.
            let samples = n / 3 * 3 * 800 * 1_000_300 / 1_000_000;
            assert_eq!(vigil.look(samples, at(n * 100)), None, "after {n} looks");
        }
    }

    #[test]
    fn a_card_that_stops_is_noticed_after_two_seconds_and_not_before() {
        let mut vigil = Vigil::new(48_000, at(0));
        assert_eq!(vigil.look(4_800, at(100)), None);
        for ms in (200..2_100).step_by(100) {
            assert_eq!(vigil.look(4_800, at(ms)), None, "{ms} ms");
        }
        assert_eq!(vigil.look(4_800, at(2_100)), Some(CardTrouble::Stalled));
    }

    #[test]
    fn a_card_that_never_begins_is_noticed_too() {
        let mut vigil = Vigil::new(8_000, at(0));
        assert_eq!(vigil.look(0, at(1_900)), None);
        assert_eq!(vigil.look(0, at(2_000)), Some(CardTrouble::Stalled));
    }

    #[test]
    fn what_has_no_clock_is_noticed_at_the_next_look() {
        let mut vigil = Vigil::new(8_000, at(0));
        assert_eq!(vigil.look(800, at(100)), None);
        // A null device gives sound a thousand times too fast.
        assert_eq!(vigil.look(800_000, at(200)), Some(CardTrouble::RanAway));
    }
}
