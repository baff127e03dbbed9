//! The far side put us on hold: nothing that is said goes to the line, and what
//! has been begun waits there for as long.

use super::super::timers::Timer;
use super::{Call, Stage};
use crate::conversation::Fact;
use crate::terms::{EndCause, Moment};

impl Call {
    pub(super) fn held(&mut self, now: Moment) {
        self.held = true;
        self.timers.start(Timer::LongestHold, now);
        // To the turn taker a caller who is handed over is on hold.
        if !self.is_handed_over() {
            self.tell(Fact::Held, now);
        }
    }

    /// Sound flows again, and has as long as ever to do so.
    pub(super) fn resumed(&mut self, now: Moment) {
        self.held = false;
        self.timers.stop(Timer::LongestHold);
        for timer in [Timer::Voice, Timer::Playing, Timer::LastSilence] {
            if self.timers.is_running(timer) {
                self.timers.start(timer, now);
            }
        }
        if !self.is_handed_over() {
            self.tell(Fact::Resumed, now);
        }
    }

    /// A wait is over while we are on hold. True if nothing more is to be done
    /// about it: the line's standing still is no fault of the voice, and no
    /// silence of the caller's. Who is taking leave waits for nobody.
    pub(super) fn timed_out_on_hold(&mut self, timer: Timer, now: Moment) -> bool {
        match timer {
            Timer::Voice | Timer::Playing | Timer::LastSilence if !matches!(self.stage, Stage::AwaitFarewell(_)) => {
                self.timers.start(timer, now);
            }
            // The wait is not felt, and the answer will be there when it is.
            Timer::Filler => {}
            // Nobody would hear the farewell.
            Timer::LongestCall => self.hang_up(EndCause::NormalClearing, now),
            _ => return false,
        }
        true
    }
}
