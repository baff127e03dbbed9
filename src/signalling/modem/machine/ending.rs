use std::time::Duration;

use crate::terms::{EndCause, Moment};

use super::super::call_list;
use super::super::command::{Command, LONG};
use super::super::engine::{End, Said};
use super::super::ladder::Rung;
use super::super::output::ModemOutput;
use super::super::row::Row;
use super::super::state::{ModemState, Reason};
use super::ModemLine;
use super::calling::{Asked, Ending, Phase, Untold};
use super::job::Job;

/// From the wish to hang up until the call counts as stuck: longer than the network may
/// take to answer `AT+CHUP`, and some seconds to look at the list after it.
pub(super) const ENDING_MAX: Duration = Duration::from_secs(45);

/// A call that is still listed so long after it was hung up is hung up otherwise.
const NEXT_WAY: Duration = Duration::from_secs(3);

/// For the answer to a way to hang up that the modem takes without asking the network.
const HANG_UP_WAIT: Duration = Duration::from_secs(8);

/// The way that the network answers. A modem that is given up too early is set up anew.
const BY_NETWORK: &str = "AT+CHUP";

/// Nobody waits longer to hear that a call is over. A modem answers in some milliseconds.
const CAUSE_WAIT: Duration = Duration::from_secs(1);

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
        let (offered, answered) = match &self.calls.phase {
            Phase::None | Phase::Ending(_) => return,
            Phase::Ringing(ringing) => (ringing.offered, false),
            Phase::Answering(answering) => (true, answering.active),
            // A call that was found and not offered has no sound.
            Phase::Active { .. } => (self.sound.is_open(), true),
        };
        let id = self.call_id();
        self.calls.phase = Phase::Ending(Ending { cause, since: now, id, step: 0, next: now, offered, answered });
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
        // What this family must never be given is not given for a call that stays either.
        let last = ways.last().map_or(BY_NETWORK, String::as_str);
        let row = if self.profile.forbids(&row).is_some() { last.to_owned() } else { row };
        let row = row.replace("<id>", &ending.id.unwrap_or(1).to_string());
        let wait = if row.starts_with(BY_NETWORK) { LONG } else { HANG_UP_WAIT };
        Some(Command::new(Job::HangUp, &row).of_calls().within(wait))
    }

    /// The network has answered, whether or not the modem says so: the call is over, or
    /// another one rings, and the list has to be seen.
    pub(super) fn hasten_hang_up(&mut self, now: Moment) {
        if self.engine.running().is_some_and(|command| command.tag == Job::HangUp) {
            self.engine.hasten(HANG_UP_WAIT, now);
        }
    }

    pub(super) fn hang_up_answered(&mut self, end: End, now: Moment) {
        if let Phase::Ending(ending) = &mut self.calls.phase {
            ending.next = ending.next.max(now + NEXT_WAY);
            if self.calls.is_missing_list() && end.is_ok() {
                return self.call_over(None, now);
            }
            self.calls.look(now);
        }
    }

    /// The call is over: the one place where it ends. A cause that we gave stands. Where
    /// nobody said why a call failed or was not answered, the modem is asked for it first.
    pub(super) fn call_over(&mut self, cause: Option<EndCause>, now: Moment) {
        let is_plain = matches!(cause, None | Some(EndCause::NormalClearing));
        let (offered, cause, is_open) = match &self.calls.phase {
            Phase::None => return,
            Phase::Ringing(ringing) => (ringing.offered, cause, is_plain),
            Phase::Answering(_) => (true, cause, is_plain),
            Phase::Active { .. } => (self.sound.is_open(), cause, cause.is_none()),
            Phase::Ending(ending) => (ending.offered, Some(ending.cause), false),
        };
        let cause = cause.unwrap_or(EndCause::NormalClearing);
        self.close_sound(now);
        self.calls.clear();
        if offered && is_open && !self.calls.tells_no_cause && self.port == super::Port::Open {
            self.calls.untold = Some(Untold { cause, asked: Asked::NotYet, until: now + CAUSE_WAIT });
        } else if offered {
            self.out.push_back(ModemOutput::Ended(cause));
        }
        // Another call may have come meanwhile.
        self.calls.look(now);
        self.rest(Reason::CallOver, now);
    }

    /// Asks why the last call ended, before the modem forgets it.
    pub(super) fn cause_command(&mut self) -> Option<Command<Job>> {
        let untold = self.calls.untold.as_mut().filter(|untold| untold.asked == Asked::NotYet)?;
        untold.asked = Asked::Yes;
        Some(Command::new(Job::Cause, "AT+CEER"))
    }

    pub(super) fn cause_answered(&mut self, rows: &[Said], end: End) {
        // A modem that does not know the question is not asked at each call.
        self.calls.tells_no_cause = matches!(end, End::Final(_)) && !end.is_ok();
        let cause = rows.iter().find_map(|said| match &said.row {
            Row::Named { name, fields } if name == "+CEER" => call_list::cause_of_report(fields),
            _ => None,
        });
        // An answer that comes late is of a call whose end was told already.
        if let Some(untold) = self.calls.untold.as_mut().filter(|untold| untold.asked == Asked::Yes) {
            untold.cause = cause.unwrap_or(untold.cause);
            self.tell_end();
        }
    }

    /// Whoever waits is told of the end, with the cause that is known by now.
    pub(super) fn tell_end(&mut self) {
        if let Some(untold) = self.calls.untold.take() {
            self.out.push_back(ModemOutput::Ended(untold.cause));
        }
    }

    /// The modem is away, and the call with it.
    pub(super) fn call_lost(&mut self, now: Moment) {
        self.call_over(Some(EndCause::NetworkOutOfOrder), now);
        self.tell_end();
        self.calls.clear();
        self.sound.forget_off();
    }

    /// Nothing ends it: whoever waits is told, and the modem is healed.
    pub(super) fn call_is_stuck(&mut self, now: Moment) {
        self.call_over(Some(EndCause::RecoveryOnTimerExpiry), now);
        self.heal(Rung::Soft, Reason::CallStuck, now);
    }
}
