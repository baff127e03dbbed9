use std::time::Duration;

use crate::terms::{EndCause, Moment};

use super::super::command::Command;
use super::super::engine::End;
use super::super::ladder::Rung;
use super::super::output::ModemOutput;
use super::super::state::{ModemState, Reason};
use super::ModemLine;
use super::calling::{Ending, Phase};
use super::job::Job;

/// From the wish to hang up until the call counts as stuck.
pub(super) const ENDING_MAX: Duration = Duration::from_secs(20);

/// A call that is still listed so long after it was hung up is hung up otherwise.
const NEXT_WAY: Duration = Duration::from_secs(3);

/// For the network's answer to a hang-up; the list tells sooner where it is slow.
const HANG_UP_WAIT: Duration = Duration::from_secs(8);

impl ModemLine {
    pub(super) fn reject(&mut self, cause: EndCause, now: Moment) {
        if matches!(self.calls.phase, Phase::Ringing(_)) {
            self.begin_ending(cause, now);
        }
    }

    pub(super) fn hang_up(&mut self, cause: EndCause, now: Moment) {
        if !matches!(self.calls.phase, Phase::None | Phase::Ending(_)) {
            self.begin_ending(cause, now);
        }
    }

    /// Hangs up, and does not believe it before the list bears it out.
    pub(super) fn begin_ending(&mut self, cause: EndCause, now: Moment) {
        let offered = match &self.calls.phase {
            Phase::None | Phase::Ending(_) => return,
            Phase::Ringing(ringing) => ringing.offered,
            Phase::Answering(_) => true,
            // A call that was found and not offered has no sound.
            Phase::Active { .. } => self.sound.is_open(),
        };
        let id = self.call_id();
        self.calls.phase = Phase::Ending(Ending { cause, since: now, id, step: 0, next: now, offered });
        self.close_sound(now);
        self.enter(ModemState::Ending, Reason::CallEnding, now);
    }

    pub(super) fn hang_up_command(&mut self, now: Moment) -> Option<Command<Job>> {
        let Phase::Ending(ending) = &mut self.calls.phase else { return None };
        if now < ending.next {
            return None;
        }
        let ways = &self.profile.calls.hang_up;
        let one = format!("AT+CHLD=1{}", ending.id.unwrap_or(1));
        let row = ways.get(ending.step).cloned().unwrap_or(one);
        ending.step = (ending.step + 1).min(ways.len());
        ending.next = now + NEXT_WAY;
        let row = row.replace("<id>", &ending.id.unwrap_or(1).to_string());
        Some(Command::new(Job::HangUp, &row).of_calls().within(HANG_UP_WAIT))
    }

    pub(super) fn hang_up_answered(&mut self, end: End, now: Moment) {
        if let Phase::Ending(ending) = &mut self.calls.phase {
            ending.next = ending.next.max(now + NEXT_WAY);
            if self.calls.is_missing_list() && end.is_ok() {
                return self.call_over(EndCause::NormalClearing, now);
            }
            self.calls.look(now);
        }
    }

    /// The call is over: the one place where it ends. A cause that we gave stands.
    pub(super) fn call_over(&mut self, cause: EndCause, now: Moment) {
        let (offered, cause) = match &self.calls.phase {
            Phase::None => return,
            Phase::Ringing(ringing) => (ringing.offered, cause),
            Phase::Answering(_) => (true, cause),
            Phase::Active { .. } => (self.sound.is_open(), cause),
            Phase::Ending(ending) => (ending.offered, ending.cause),
        };
        self.close_sound(now);
        self.calls.clear();
        if offered {
            self.out.push_back(ModemOutput::Ended(cause));
        }
        // Another call may have come meanwhile.
        self.calls.look(now);
        self.rest(Reason::CallOver, now);
    }

    /// The modem is away, and the call with it.
    pub(super) fn call_lost(&mut self, now: Moment) {
        self.call_over(EndCause::NetworkOutOfOrder, now);
        self.calls.clear();
        self.sound.forget_off();
    }

    /// Nothing ends it: whoever waits is told, and the modem is healed.
    pub(super) fn call_is_stuck(&mut self, now: Moment) {
        self.call_over(EndCause::RecoveryOnTimerExpiry, now);
        self.heal(Rung::Soft, Reason::CallStuck, now);
    }
}
