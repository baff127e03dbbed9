//! The one place where the system's clocks are read. Everybody else is handed
//! a [`SystemClock`], or a closure made from one, or the time itself.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::terms::Moment;

/// Where the monotonic time line begins: the first time that anyone asks.
/// There is one for the process, so that moments can always be compared.
static BEGAN: OnceLock<Instant> = OnceLock::new();

/// A monotonic clock as drivers hold it, so that a test can hand in another.
pub type MomentSource = Arc<dyn Fn() -> Moment + Send + Sync>;

/// A calendar clock as drivers hold it, so that a test can hand in another.
pub type WallSource = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

/// The clock of the process. Copies are the same clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    began: Instant,
}

impl SystemClock {
    pub fn new() -> Self {
        Self { began: *BEGAN.get_or_init(instant) }
    }

    /// Time since the process first asked for a clock; it never goes back.
    pub fn now(self) -> Moment {
        Moment::START + instant().duration_since(self.began)
    }

    /// Calendar time. It may jump when the box's clock is set: intervals are
    /// measured with [`SystemClock::now`].
    #[allow(clippy::disallowed_methods, reason = "this is the one legal clock")]
    pub fn wall(self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    /// How long until `moment`; zero if it has passed.
    pub fn until(self, moment: Moment) -> Duration {
        moment.since(self.now())
    }

    /// Sleeps until `moment`; returns at once if it has passed.
    pub async fn sleep_until(self, moment: Moment) {
        tokio::time::sleep(self.until(moment)).await;
    }

    /// [`SystemClock::now`] for a driver that must not know this type.
    pub fn as_fn(self) -> MomentSource {
        Arc::new(move || self.now())
    }

    /// [`SystemClock::wall`] for a driver that must not know this type.
    pub fn wall_fn(self) -> WallSource {
        Arc::new(move || self.wall())
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the one legal clock")]
fn instant() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clocks_share_one_time_line() {
        let first = SystemClock::new();
        let before = first.now();
        let between = SystemClock::new().now();
        let after = first.as_fn()();
        assert!(before <= between && between <= after, "{before:?} {between:?} {after:?}");
    }

    #[test]
    fn a_moment_that_has_passed_is_no_time_away() {
        let clock = SystemClock::new();
        assert_eq!(clock.until(Moment::START), Duration::ZERO);
        let ahead = clock.now() + Duration::from_secs(60);
        assert!(clock.until(ahead) > Duration::from_secs(50));
    }

    #[tokio::test]
    async fn sleeping_until_a_moment_wakes_no_earlier() {
        let clock = SystemClock::new();
        let wanted = clock.now() + Duration::from_millis(5);
        clock.sleep_until(wanted).await;
        assert!(clock.now() >= wanted);
    }
}
