//! When a card's samples were captured, from the moments at which its callback ran.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::terms::Moment;

/// A card's crystal may be this much slower than the box's: what is learnt is let go at
/// this pace, in millionths.
const DRIFT_PPM: u64 = 300;

/// A callback that is later than this has lost sound before it, whatever the driver says:
/// the card begins anew. A card's own buffer holds less.
const STEP: Duration = Duration::from_millis(100);

/// The moment of the first sample, as it seems from now. A callback may be late and is
/// never early, so the earliest of what it says is believed.
///
/// Written by the callback, read by the line; a reader between two writes is off by
/// less than a period's drift.
#[derive(Default)]
pub(super) struct Origin(AtomicU64);

impl Origin {
    /// Called after `captured` samples in all, the last of them `ago` before `now`.
    pub(super) fn learn(&self, captured: u64, added: u64, hz: u32, ago: Duration, now: Moment) {
        let seen = (now - ago - micros(captured, hz)).as_micros();
        let known = self.0.load(Ordering::Relaxed);
        let let_go = added * 1_000_000 / u64::from(hz) * DRIFT_PPM / 1_000_000;
        let is_step = known == 0 || seen > known + u64::try_from(STEP.as_micros()).unwrap_or(u64::MAX);
        let believed = if is_step { seen } else { seen.min(known + let_go) };
        // Zero says that nothing is known yet.
        self.0.store(believed.max(1), Ordering::Relaxed);
    }

    /// Samples were lost: what was learnt of those before holds no more.
    pub(super) fn forget(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// When the sample after `count` others was captured.
    pub(super) fn of(&self, count: u64, hz: u32) -> Moment {
        Moment::from_micros(self.0.load(Ordering::Relaxed)) + micros(count, hz)
    }
}

fn micros(samples: u64, hz: u32) -> Duration {
    Duration::from_micros(samples.saturating_mul(1_000_000) / u64::from(hz.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A card of `hz` that really runs `ppm` off, whose callbacks come up to 30 ms late.
    fn error_after_an_hour(ppm: i64) -> u64 {
        let (origin, hz, period) = (Origin::default(), 8_000, 160);
        let mut worst = 0;
        for n in 1..180_000_u64 {
            let true_us = 5_000_000 + n * 20_000 * u64::try_from(1_000_000 + ppm).unwrap() / 1_000_000;
            let late_us = n * 7_919 % 30_000;
            origin.learn(n * period, period, hz, Duration::ZERO, Moment::from_micros(true_us + late_us));
            if n > 100 {
                worst = worst.max(origin.of(n * period, hz).as_micros().abs_diff(true_us));
            }
        }
        worst
    }

    #[test]
    fn sound_that_was_lost_is_not_counted_into_the_moments_after_it() {
        let origin = Origin::default();
        for n in 1..50 {
            origin.learn(n * 160, 160, 8_000, Duration::ZERO, Moment::from_micros(1_000_000 + n * 20_000));
        }
        // Half a second is missing.
        for n in 50..60 {
            origin.learn(n * 160, 160, 8_000, Duration::ZERO, Moment::from_micros(1_500_000 + n * 20_000));
            assert_eq!(origin.of(n * 160, 8_000).as_micros(), 1_500_000 + n * 20_000);
        }
    }

    #[test]
    fn moments_are_within_two_milliseconds_whatever_the_crystal_and_the_delays() {
        for ppm in [-250, -20, 0, 20, 250] {
            let worst = error_after_an_hour(ppm);
            assert!(worst < 2_000, "{ppm} ppm: {worst} µs");
        }
    }
}
