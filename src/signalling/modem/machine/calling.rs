use std::collections::VecDeque;
use std::time::Duration;

use crate::terms::{EndCause, Moment, PhoneNumber};

use super::super::call_list::{self, CallState, Caller, ListedCall, Way};
use super::super::cme::{self, Meaning};
use super::super::command::Command;
use super::super::engine::{End, Said};
use super::super::news::News;
use super::super::output::ModemOutput;
use super::super::row::Row;
use super::super::state::{ModemState, Reason};
use super::ModemLine;
use super::job::Job;

/// The number comes between the first and the second ring, three seconds apart.
const NUMBER_PATIENCE: Duration = Duration::from_secs(3);

/// Networks repeat the ring every three to five seconds.
const RING_GAP_MAX: Duration = Duration::from_secs(8);

/// No network lets it ring for longer.
const RINGING_MAX: Duration = Duration::from_secs(180);

/// From the wish to answer until the caller can be heard.
const ANSWERING_MAX: Duration = Duration::from_secs(30);

/// How often the list is asked while the call is being answered or ended.
const LIST_SOON: Duration = Duration::from_millis(300);

/// A modem that has just rung may not list the call yet.
const LIST_LATENESS: Duration = Duration::from_secs(2);

/// Between two tries to send a waiting call away.
const REFUSE_GAP: Duration = Duration::from_secs(2);

/// Keys that wait to be sent: a person presses ten in a row at most.
const DIGITS_MAX: usize = 32;

/// What the modem said of the end is believed after so long without one list: a refusal that
/// passes does so sooner, and while coverage is gone it may last for as long as the line is on.
const HINT_MAX: Duration = Duration::from_secs(20);

/// Refusals of the list after which the modem is taken to have none, until it rings again.
/// A refusal that may pass is none of them.
const LIST_REFUSALS_MAX: u8 = 2;

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Phase {
    None,
    Ringing(Ringing),
    Answering(Answering),
    Active { id: Option<u8> },
    Ending(Ending),
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Ringing {
    since: Moment,
    last_ring: Moment,
    pub(super) id: Option<u8>,
    from: Caller,
    pub(super) offered: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Answering {
    pub(super) since: Moment,
    pub(super) id: Option<u8>,
    pub(super) ata: Ata,
    pub(super) active: bool,
}

/// How far the command that answers is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ata {
    Due { tried: u8 },
    Asked { tried: u8 },
    Done,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Ending {
    pub(super) cause: EndCause,
    pub(super) since: Moment,
    pub(super) id: Option<u8>,
    /// How many of the profile's ways to hang up were tried.
    pub(super) step: usize,
    pub(super) next: Moment,
    /// Whether somebody waits to hear of the end.
    pub(super) offered: bool,
    /// Whether it was on: then it rings no more, and a call that does is another one.
    pub(super) answered: bool,
}

/// Whether the modem's list of calls can be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Listing {
    Unknown { refusals: u8 },
    Works,
    Missing,
}

/// The one call of a line.
#[derive(Debug)]
pub(super) struct Calls {
    pub(super) phase: Phase,
    list_at: Option<Moment>,
    listing: Listing,
    /// What the modem said of the end; the list has to bear it out.
    hint: Option<EndCause>,
    /// Since when there was no list to bear it out.
    hinted_at: Option<Moment>,
    /// How often the list was without the call, one after the other.
    absent: u8,
    refuse_at: Option<Moment>,
    refused_at: Option<Moment>,
    second_is_there: bool,
    digits: VecDeque<char>,
    digit_at: Moment,
    /// A call that is over, while the modem is asked why.
    pub(super) untold: Option<Untold>,
    /// The modem does not know the question.
    pub(super) tells_no_cause: bool,
}

/// The end of a call that nobody was told of yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Untold {
    /// What is told if the modem knows no better.
    pub(super) cause: EndCause,
    pub(super) asked: Asked,
    pub(super) until: Moment,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    NotYet,
    Yes,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            phase: Phase::None,
            list_at: None,
            listing: Listing::Unknown { refusals: 0 },
            hint: None,
            hinted_at: None,
            absent: 0,
            refuse_at: None,
            refused_at: None,
            second_is_there: false,
            digits: VecDeque::new(),
            digit_at: Moment::START,
            untold: None,
            tells_no_cause: false,
        }
    }
}

impl Calls {
    pub(super) fn is_any(&self) -> bool {
        self.phase != Phase::None
    }

    pub(super) const fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Active { .. })
    }

    pub(super) const fn is_missing_list(&self) -> bool {
        matches!(self.listing, Listing::Missing)
    }

    /// Asks the list at once.
    pub(super) const fn look(&mut self, now: Moment) {
        self.list_at = Some(now);
    }

    pub(super) fn look_within(&mut self, wait: Duration, now: Moment) {
        let at = now + wait;
        self.list_at = Some(self.list_at.map_or(at, |known| known.min(at)));
    }

    pub(super) fn hint(&mut self, cause: EndCause, now: Moment) {
        self.hint = Some(cause);
        self.hinted_at.get_or_insert(now);
    }

    const fn take_hint(&mut self) -> Option<EndCause> {
        self.hinted_at = None;
        self.hint.take()
    }

    pub(super) fn press(&mut self, digit: char) {
        let digit = digit.to_ascii_uppercase();
        let is_key = matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D');
        if is_key && self.is_active() && self.digits.len() < DIGITS_MAX {
            self.digits.push_back(digit);
        }
    }

    /// Another start, perhaps of another modem: its list may be had.
    pub(super) const fn forget_list(&mut self) {
        self.listing = Listing::Unknown { refusals: 0 };
        self.tells_no_cause = false;
    }

    /// Another call: a list that was given up is asked for once more.
    const fn ask_list_once_more(&mut self) {
        if self.is_missing_list() {
            self.listing = Listing::Unknown { refusals: LIST_REFUSALS_MAX - 1 };
        }
    }

    /// Forgets everything of the call that is over.
    pub(super) fn clear(&mut self) {
        let Self { listing, digit_at, untold, tells_no_cause, .. } = *self;
        *self = Self { listing, digit_at, untold, tells_no_cause, ..Self::default() };
    }

    /// What happens by time alone.
    pub(super) fn timer(&self) -> Option<Moment> {
        match &self.phase {
            Phase::None | Phase::Active { .. } => None,
            Phase::Ringing(ringing) => {
                let number = (!ringing.offered).then_some(ringing.since + NUMBER_PATIENCE);
                let quiet = self.is_missing_list().then_some(ringing.last_ring + RING_GAP_MAX);
                [number, quiet, Some(ringing.since + RINGING_MAX)].into_iter().flatten().min()
            }
            Phase::Answering(answering) => Some(answering.since + ANSWERING_MAX),
            Phase::Ending(ending) => Some(ending.since + super::ending::ENDING_MAX),
        }
    }

    pub(super) fn command_due(&self) -> Option<Moment> {
        let list = self.list_at.filter(|_| !self.is_missing_list());
        let digit = (self.is_active() && !self.digits.is_empty()).then_some(self.digit_at);
        let ending = match &self.phase {
            Phase::Ending(ending) => Some(ending.next),
            _ => None,
        };
        let cause = self.untold.filter(|untold| untold.asked == Asked::NotYet).map(|_| Moment::START);
        [list, digit, ending, self.refuse_at, cause].into_iter().flatten().min()
    }
}

impl ModemLine {
    pub(super) fn call_command(&mut self, now: Moment) -> Option<Command<Job>> {
        if let Some(command) = self.cause_command().or_else(|| self.hang_up_command(now)) {
            return Some(command);
        }
        if let Some(command) = self.answer_command() {
            return Some(command);
        }
        if self.calls.list_at.is_some_and(|at| now >= at) && !self.calls.is_missing_list() {
            self.calls.list_at = None;
            return Some(Command::new(Job::List, "AT+CLCC"));
        }
        if self.calls.refuse_at.is_some_and(|at| now >= at) {
            self.calls.refuse_at = None;
            self.calls.refused_at = Some(now);
            return Some(Command::new(Job::RefuseWaiting, &self.profile.calls.refuse_waiting));
        }
        self.digit_command(now)
    }

    fn digit_command(&mut self, now: Moment) -> Option<Command<Job>> {
        let Phase::Active { id } = self.calls.phase else { return None };
        if now < self.calls.digit_at {
            return None;
        }
        let digit = self.calls.digits.pop_front()?;
        self.calls.digit_at = now + self.profile.calls.digit_gap;
        let row = self.profile.calls.digit.replace("<d>", &digit.to_string());
        Some(Command::new(Job::Digit, &row.replace("<id>", &id.unwrap_or(1).to_string())))
    }

    pub(super) fn call_news(&mut self, news: News, now: Moment) {
        match news {
            News::Rings => return self.rings(now),
            News::Caller(caller) => return self.caller_said(caller, now),
            News::Waiting => self.second_call(now),
            News::CallOver { cause, id } => {
                self.hasten_hang_up(now);
                let is_anothers = id.zip(self.call_id()).is_some_and(|(over, own)| over != own);
                if !is_anothers {
                    self.calls.hint(cause, now);
                }
            }
            // A modem without a list is believed.
            News::CallBegan if self.calls.is_missing_list() => self.call_is_active(now),
            News::Call(call) if self.calls.is_missing_list() => return self.listed(&[call], now),
            _ => {}
        }
        if self.calls.is_missing_list() {
            if let Some(cause) = self.calls.take_hint() {
                self.call_over(Some(cause), now);
            }
        } else {
            self.calls.look(now);
        }
    }

    fn rings(&mut self, now: Moment) {
        self.hasten_code(now);
        // A call that was never taken rings on while it is refused.
        if matches!(&self.calls.phase, Phase::Ending(ending) if ending.answered) {
            self.hasten_hang_up(now);
        }
        match &mut self.calls.phase {
            Phase::None if self.set_up.is_done() => self.begin_ringing(None, Caller::Unknown, now),
            // Before the set-up is done nothing is known of the SIM or the sound.
            Phase::None => {}
            Phase::Ringing(ringing) => {
                ringing.last_ring = now;
                self.calls.look(now);
            }
            // The call that is known may be over, and another one there.
            Phase::Answering(_) | Phase::Active { .. } | Phase::Ending(_) => self.calls.look(now),
        }
    }

    fn begin_ringing(&mut self, id: Option<u8>, from: Caller, now: Moment) {
        self.tell_end();
        self.calls.clear();
        self.calls.ask_list_once_more();
        self.calls.phase = Phase::Ringing(Ringing { since: now, last_ring: now, id, from, offered: false });
        self.calls.look(now);
        self.enter(ModemState::Ringing, Reason::Rings, now);
        self.leave_menu(now);
        if self.set_up.has_no_voice() {
            self.begin_ending(EndCause::IncompatibleDestination, now);
        } else {
            self.offer_if_known(now);
        }
    }

    fn caller_said(&mut self, caller: Caller, now: Moment) {
        if !matches!(self.calls.phase, Phase::Ringing(_)) {
            self.rings(now);
        }
        self.caller_is(caller, now);
    }

    fn caller_is(&mut self, caller: Caller, now: Moment) {
        if let Phase::Ringing(ringing) = &mut self.calls.phase
            && caller != Caller::Unknown
        {
            ringing.from = caller;
            self.offer_if_known(now);
        }
    }

    fn offer_if_known(&mut self, now: Moment) {
        if let Phase::Ringing(ringing) = &mut self.calls.phase
            && !ringing.offered
            && (ringing.from != Caller::Unknown || now >= ringing.since + NUMBER_PATIENCE)
        {
            ringing.offered = true;
            let from: Option<PhoneNumber> = match &ringing.from {
                Caller::Number(number) => Some(number.clone()),
                Caller::Withheld | Caller::Unknown => None,
            };
            self.counters.calls += 1;
            self.out.push_back(ModemOutput::Offered { from });
        }
    }

    /// A second call is there while one is on: the line has one place.
    fn second_call(&mut self, now: Moment) {
        if !matches!(self.calls.phase, Phase::Answering(_) | Phase::Active { .. }) {
            return;
        }
        if !self.calls.second_is_there {
            self.calls.second_is_there = true;
            self.counters.second_calls_refused += 1;
        }
        let earliest = self.calls.refused_at.map_or(now, |at| (at + REFUSE_GAP).max(now));
        self.calls.refuse_at.get_or_insert(earliest);
    }

    pub(super) fn list_answered(&mut self, rows: &[Said], end: End, now: Moment) {
        match end {
            End::Final(_) if end.is_ok() => {
                self.calls.listing = Listing::Works;
                self.listed(&self.listed_calls(rows), now);
            }
            End::Final(result) => {
                if matches!(cme::meaning(result), Meaning::Sim | Meaning::Unsupported | Meaning::Refused) {
                    self.list_refused();
                }
                if self.calls.is_missing_list() {
                    self.list_is_missing(now);
                } else if self.calls.hinted_at.is_some_and(|at| now.since(at) >= HINT_MAX) {
                    let cause = self.calls.take_hint();
                    self.call_over(cause, now);
                }
            }
            End::TimedOut | End::Gone => {
                let calls = self.listed_calls(rows);
                let own = self.own_among(&incoming(&calls)).filter(|_| self.calls.is_any() && end == End::TimedOut);
                if self.calls.hint.is_some()
                    && let Some(own) = own
                {
                    // Nothing but the end of the answer is missing, and the call is in it.
                    self.call_is_there(&own, now);
                } else if let Some(cause) = self.calls.take_hint() {
                    // What the modem said of the end is all that there is.
                    self.call_over(Some(cause), now);
                }
            }
        }
        self.look_again_later(now);
    }

    fn list_refused(&mut self) {
        let refusals = match self.calls.listing {
            Listing::Unknown { refusals } => refusals + 1,
            Listing::Works => 1,
            Listing::Missing => return,
        };
        self.calls.listing = match refusals {
            LIST_REFUSALS_MAX.. => Listing::Missing,
            _ => Listing::Unknown { refusals },
        };
    }

    /// What waited for the list is decided by what the modem said.
    fn list_is_missing(&mut self, now: Moment) {
        let is_answered = matches!(&self.calls.phase, Phase::Answering(answering) if answering.ata == Ata::Done);
        if let Some(cause) = self.calls.take_hint() {
            self.call_over(Some(cause), now);
        } else if is_answered {
            self.call_is_active(now);
        }
    }

    fn listed_calls(&self, rows: &[Said]) -> Vec<ListedCall> {
        rows.iter().filter_map(|said| self.listed_call(&said.row)).collect()
    }

    fn listed_call(&self, row: &Row) -> Option<ListedCall> {
        match row {
            Row::Named { name, fields } if name == "+CLCC" => call_list::of_list(fields, &self.settings.country_code),
            _ => None,
        }
    }

    fn look_again_later(&mut self, now: Moment) {
        let wait = match &self.calls.phase {
            Phase::None => return,
            Phase::Ringing(_) => self.profile.calls.list_ringing,
            Phase::Answering(_) | Phase::Ending(_) => LIST_SOON,
            Phase::Active { .. } if self.calls.absent > 0 => LIST_SOON,
            Phase::Active { .. } => self.profile.calls.list_active,
        };
        self.calls.look_within(wait, now);
    }

    /// Ours among the calls that there are. Once its number in the list is known, another
    /// call is another one.
    fn own_among(&self, current: &[&ListedCall]) -> Option<ListedCall> {
        let own = match self.call_id() {
            Some(id) => current.iter().find(|call| call.id == id),
            None => current.iter().find(|call| call.state != CallState::Waiting).or_else(|| current.first()),
        };
        own.map(|call| (*call).clone())
    }

    /// The calls that there are.
    fn listed(&mut self, calls: &[ListedCall], now: Moment) {
        let current = incoming(calls);
        let own = self.own_among(&current);
        let second = current.iter().any(|call| {
            own.as_ref().is_some_and(|own| own.id != call.id)
                && matches!(call.state, CallState::Waiting | CallState::Incoming)
        });
        match own {
            Some(own) => self.call_is_there(&own, now),
            None => self.call_is_absent(now),
        }
        if second {
            self.second_call(now);
        } else {
            self.calls.second_is_there = false;
            self.calls.refuse_at = None;
        }
    }

    pub(super) fn call_id(&self) -> Option<u8> {
        match &self.calls.phase {
            Phase::None => None,
            Phase::Ringing(Ringing { id, .. })
            | Phase::Answering(Answering { id, .. })
            | Phase::Active { id }
            | Phase::Ending(Ending { id, .. }) => *id,
        }
    }

    fn call_is_there(&mut self, call: &ListedCall, now: Moment) {
        self.calls.absent = 0;
        let hint = self.calls.take_hint();
        let is_active = matches!(call.state, CallState::Active | CallState::Held);
        let rings = matches!(call.state, CallState::Incoming | CallState::Waiting);
        match &mut self.calls.phase {
            Phase::None if !self.set_up.is_done() => {}
            Phase::None if is_active => {
                // A call that nobody here answered, left from before: nobody hears it.
                self.calls.phase = Phase::Active { id: Some(call.id) };
                self.leave_menu(now);
                self.begin_ending(EndCause::TemporaryFailure, now);
            }
            Phase::None => self.begin_ringing(Some(call.id), call.from.clone(), now),
            Phase::Ringing(ringing) => {
                ringing.id = Some(call.id);
                ringing.last_ring = now;
                self.caller_is(call.from.clone(), now);
            }
            Phase::Answering(answering) => {
                answering.id = Some(call.id);
                if is_active {
                    self.call_is_active(now);
                }
            }
            // A call that is on rings no more: the next one has its number in the list.
            Phase::Active { id: Some(id) } if rings && *id == call.id => {
                self.call_over(hint, now);
                self.begin_ringing(Some(call.id), call.from.clone(), now);
            }
            // Of a call that rings nothing says that it is ours.
            Phase::Active { .. } if rings => {}
            Phase::Active { id } => *id = Some(call.id),
            Phase::Ending(ending) if ending.answered && rings => {
                self.call_over(hint, now);
                self.begin_ringing(Some(call.id), call.from.clone(), now);
            }
            Phase::Ending(ending) => {
                ending.id = Some(call.id);
                ending.answered |= is_active;
            }
        }
    }

    fn call_is_absent(&mut self, now: Moment) {
        let cause = self.calls.take_hint();
        match &self.calls.phase {
            Phase::None => {}
            Phase::Ringing(ringing) if now.since(ringing.last_ring) < LIST_LATENESS && cause.is_none() => {}
            Phase::Ringing(_) => self.call_over(cause, now),
            Phase::Ending(_) => self.call_over(None, now),
            // One list without a call whose sound still goes may be another command's answer.
            Phase::Answering(_) | Phase::Active { .. } => {
                self.calls.absent += 1;
                if cause.is_some() || self.calls.absent > 1 {
                    self.call_over(cause, now);
                }
            }
        }
    }

    pub(super) fn call_timers(&mut self, now: Moment) {
        if self.calls.untold.is_some_and(|untold| now >= untold.until) {
            self.tell_end();
        }
        self.offer_if_known(now);
        if self.calls.timer().is_none_or(|at| now < at) {
            return;
        }
        match &self.calls.phase {
            Phase::None | Phase::Active { .. } => {}
            Phase::Ringing(ringing) if now >= ringing.since + RINGING_MAX => {
                self.begin_ending(EndCause::NoAnswer, now);
            }
            Phase::Ringing(_) => self.call_over(None, now),
            Phase::Answering(_) => self.begin_ending(EndCause::RecoveryOnTimerExpiry, now),
            Phase::Ending(_) => self.call_is_stuck(now),
        }
    }

    pub(super) fn digit_pressed(&mut self, digit: char) {
        if self.calls.is_active() {
            self.out.push_back(ModemOutput::Digit(digit));
        }
    }
}

/// The calls that come from the network and are not over. The last row of a call is the
/// latest.
fn incoming(calls: &[ListedCall]) -> Vec<&ListedCall> {
    let mut current: Vec<&ListedCall> = Vec::new();
    for call in calls.iter().filter(|call| call.is_voice && call.way == Way::FromNetwork) {
        current.retain(|known| known.id != call.id);
        current.push(call);
    }
    current.retain(|call| call.state != CallState::Released);
    current
}
