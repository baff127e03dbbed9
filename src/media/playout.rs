//! When each frame is due. It only counts: the thread that waits for the deadline
//! and reads the time belongs to the line.

use std::time::Duration;

use super::FRAME_MS;
use crate::terms::Moment;

/// Frames that are made up after a stall. Peers keep 60 to 200 ms of buffer, so five
/// frames (100 ms) sent in a burst still play; older sound would only add delay.
const MAX_CATCH_UP: u64 = 5;

/// The rhythm of 20 ms of one stream, free of drift: tick n is due at start + n times
/// 20 ms, however late the earlier ticks ran.
#[derive(Clone, Copy, Debug)]
pub struct PlayoutClock {
    start: Moment,
    next: u64,
    skipped: u64,
}

/// What is to be done now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Due {
    /// Frames to play at once; zero before the deadline.
    pub frames: u32,
    /// Frames whose time is so long past that they are left out.
    pub skipped: u64,
}

impl PlayoutClock {
    /// Tick 0 is due at `start`.
    pub const fn new(start: Moment) -> Self {
        Self { start, next: 0, skipped: 0 }
    }

    /// When the next frame is due.
    pub fn deadline(&self) -> Moment {
        self.start + Duration::from_millis(u64::from(FRAME_MS)) * u32::try_from(self.next).unwrap_or(u32::MAX)
    }

    /// The number of the next frame, counted from 0.
    pub const fn next_tick(&self) -> u64 {
        self.next
    }

    /// All frames left out since the start.
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Takes what is due at `now`. After a stall of more than five frames the oldest
    /// are skipped, so that a process that slept does not flood its peer.
    pub fn take_due(&mut self, now: Moment) -> Due {
        if now < self.deadline() {
            return Due { frames: 0, skipped: 0 };
        }
        let reached = now.ms_since(self.start) / u64::from(FRAME_MS) + 1;
        let behind = reached - self.next;
        let frames = behind.min(MAX_CATCH_UP);
        self.next = reached;
        self.skipped += behind - frames;
        // Five at most.
        Due { frames: u32::try_from(frames).unwrap_or(0), skipped: behind - frames }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at_ms(ms: u64) -> Moment {
        Moment::from_micros(ms * 1000)
    }

    #[test]
    fn a_frame_is_due_every_twenty_milliseconds_from_the_start() {
        let mut clock = PlayoutClock::new(at_ms(100));
        assert_eq!(clock.take_due(at_ms(99)).frames, 0);
        assert_eq!(clock.take_due(at_ms(100)).frames, 1);
        assert_eq!(clock.deadline(), at_ms(120));
        assert_eq!(clock.take_due(at_ms(119)).frames, 0);
        assert_eq!(clock.take_due(at_ms(139)).frames, 1);
        assert_eq!(clock.deadline(), at_ms(140));
    }

    #[test]
    fn a_short_stall_is_made_up_and_a_long_one_is_skipped() {
        let mut clock = PlayoutClock::new(Moment::START);
        assert_eq!(clock.take_due(at_ms(90)), Due { frames: 5, skipped: 0 });
        assert_eq!(clock.take_due(at_ms(1_090)), Due { frames: 5, skipped: 45 });
        assert_eq!(clock.deadline(), at_ms(1_100));
        assert_eq!(clock.skipped(), 45);
    }

    proptest! {
        #[test]
        fn every_tick_is_played_or_skipped_once(steps in proptest::collection::vec(0u64..300, 1..50)) {
            let mut clock = PlayoutClock::new(Moment::START);
            let (mut now, mut counted) = (0, 0);
            for step in steps {
                now += step;
                let due = clock.take_due(at_ms(now));
                counted += u64::from(due.frames) + due.skipped;
                prop_assert_eq!(counted, now / 20 + 1);
                prop_assert!(clock.deadline() > at_ms(now));
            }
        }
    }
}
