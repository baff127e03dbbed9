//! The SIM in a set-up: whether it can be used, its PIN, and whether it is the one that
//! was there before. A PIN that may have been wrong is never tried again without a person.

use std::time::Duration;

use crate::signalling::modem::cme;
use crate::signalling::modem::command::Command;
use crate::signalling::modem::engine::{End, Said};
use crate::signalling::modem::output::{ModemOutput, PinLeave};
use crate::signalling::modem::row::{FinalResult, Row, fields, number_at};
use crate::signalling::modem::settings::LineSettings;
use crate::signalling::modem::state::{ModemState, Reason, SimTrouble};
use crate::terms::{Moment, Private};

use super::super::ModemLine;
use super::super::job::Job;
use super::{At, PIN_ROW, RETRY, SetUp};

/// A SIM that is read after a start says in this time that it is there.
const SIM_PATIENCE: Duration = Duration::from_secs(20);

/// How often a SIM is looked at that may come by itself.
const SIM_SOON: Duration = Duration::from_secs(3);

/// How often a SIM is looked at that needs a person.
pub(super) const SIM_LATER: Duration = Duration::from_secs(30);

/// A PIN is used only when one more attempt would be left after it.
const ATTEMPTS_MIN: u8 = 2;

/// Attempts of a SIM that has had no wrong PIN since the last right one.
const ATTEMPTS_ALL: u8 = 3;

/// What was written down for a PIN that is not sent yet holds so long: no SIM is put into
/// another line, gets the PIN there from a person, and is back by then.
const NOTE_HOLDS: Duration = Duration::from_secs(120);

/// An ICCID has 19 or 20 digits, of which a modem may leave the last out.
const ICCID_DIGITS_MIN: usize = 18;

/// What became of the PIN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PinTry {
    Untried,
    /// It was sent, and the SIM has not said whether it was right.
    Open,
    /// The modem has said OK to it. Only a SIM that is ready says that it was right.
    Taken,
    Accepted,
    Refused,
}

impl PinTry {
    const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Taken)
    }
}

/// That the PIN is going to be tried, as the owner was told it last.
#[derive(Debug)]
pub(super) struct Note {
    /// The SIM that is meant, where it told its number.
    card: Option<Private<String>>,
    /// Attempts that it had left.
    attempts: Option<u8>,
    told: Moment,
    /// The owner has written it down.
    is_written: bool,
    /// The set-up has stood at that SIM since.
    pub(super) is_here: bool,
    /// The owner was told of another SIM before, and has not answered that: the next answer
    /// may be of either.
    is_unclear: bool,
}

/// By what a SIM is known. Some modems tell no ICCID.
#[derive(Clone, Debug)]
pub(super) struct Card {
    iccid: Option<Private<String>>,
    imsi: Option<Private<String>>,
}

/// Whether two are one SIM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Likeness {
    Same,
    Other,
    /// Nothing that both told says it.
    Unknown,
}

impl Card {
    fn likeness(&self, other: &Self) -> Likeness {
        let is = |same: bool| if same { Likeness::Same } else { Likeness::Other };
        match (&self.iccid, &other.iccid, &self.imsi, &other.imsi) {
            (Some(own), Some(others), ..) => is(own == others || same_card(own.expose(), others.expose())),
            (.., Some(own), Some(others)) => is(own == others),
            _ => Likeness::Unknown,
        }
    }
}

impl SetUp {
    /// A person says that the PIN is right, or has seen to the SIM.
    pub(in super::super) fn let_pin_be_tried(&mut self, now: Moment) {
        // What is said of a SIM that works is not for the next one.
        self.is_released = !self.is_done();
        if self.pin.is_open() || self.pin == PinTry::Refused {
            self.pin = PinTry::Untried;
        }
        if self.at == At::Sim {
            self.not_before = self.not_before.min(now);
        }
    }

    /// The owner has written down that the PIN is going to be tried. It holds although the
    /// set-up has begun anew meanwhile: the owner lets it be written down only once.
    pub(in super::super) fn pin_noted(&mut self, now: Moment) {
        match &mut self.note {
            Some(note) if note.is_unclear => self.note = None,
            Some(note) => {
                note.is_written = true;
                if self.at == At::NotePin {
                    self.not_before = self.not_before.min(now);
                }
            }
            None => {}
        }
    }
}

impl ModemLine {
    /// The one try. From here on the PIN counts as used, whatever becomes of it.
    pub(super) fn pin_command(&mut self, now: Moment) -> Option<Command<Job>> {
        let pin = usable_pin(&self.settings)?;
        if !matches!(self.set_up.pin, PinTry::Untried | PinTry::Accepted) {
            return None;
        }
        (self.set_up.pin, self.set_up.pin_entered, self.set_up.was_away) = (PinTry::Open, Some(now), false);
        (self.set_up.pin_card, self.set_up.is_released) = (self.locked_iccid().cloned(), false);
        self.set_up.note = None;
        Some(Command::new(Job::SetUp, &format!("{PIN_ROW}\"{}\"", pin.expose())).without_answer())
    }

    pub(super) fn sim_answered(&mut self, rows: &[Said], end: End, now: Moment) {
        let said = rows.iter().find_map(|said| match &said.row {
            Row::Named { name, fields } if name == "+CPIN" => Some(fields.trim_matches('"').to_ascii_uppercase()),
            _ => None,
        });
        let trouble = match said.as_deref() {
            Some("READY" | "SIM PIN2" | "SIM PUK2") => return self.sim_is_ready(now),
            Some("SIM PIN") => return self.pin_wanted(now),
            Some("SIM PUK") => SimTrouble::NeedsPuk,
            Some("NOT INSERTED" | "NOT READY" | "SIM REMOVED") => SimTrouble::Absent,
            // A SIM800 writes them with `_`.
            Some(words) if words.starts_with("PH-") || words.starts_with("PH_") => SimTrouble::NetworkLocked,
            _ => match end {
                End::Final(FinalResult::Cme(cme::NOT_INSERTED)) => SimTrouble::Absent,
                End::Final(FinalResult::Cme(cme::PIN_REQUIRED)) => return self.pin_wanted(now),
                End::Final(FinalResult::Cme(cme::PUK_REQUIRED)) => SimTrouble::NeedsPuk,
                End::Final(FinalResult::Cme(cme::SIM_FAILURE | cme::SIM_WRONG)) => SimTrouble::Broken,
                End::Final(FinalResult::Cme(number)) if cme::is_lock(number) => SimTrouble::NetworkLocked,
                End::Final(FinalResult::Error) => SimTrouble::Absent,
                _ => SimTrouble::Busy,
            },
        };
        // A bare refusal may be a modem that reads the SIM after its PIN.
        let is_gone = trouble == SimTrouble::Absent && end != End::Final(FinalResult::Error);
        // One that has taken its PIN is not ready for a moment.
        let may_start = self.set_up.pin == PinTry::Taken && said.as_deref() == Some("NOT READY");
        self.set_up.was_away |= is_gone && !may_start && self.set_up.pin.is_open();
        self.sim_waits(trouble, now);
    }

    /// The SIM cannot be used as it is. It is looked at again, for a person may
    /// have done something about it.
    fn sim_waits(&mut self, trouble: SimTrouble, now: Moment) {
        let is_young = now.since(self.set_up.began) < SIM_PATIENCE;
        let may_come = matches!(trouble, SimTrouble::Absent | SimTrouble::Busy | SimTrouble::Broken);
        let trouble = if is_young && may_come { SimTrouble::Busy } else { trouble };
        self.enter(ModemState::SimWait(trouble), Reason::Sim(trouble), now);
        self.set_up.go(At::Sim, now + if may_come { SIM_SOON } else { SIM_LATER });
    }

    fn sim_is_ready(&mut self, now: Moment) {
        if self.set_up.pin.is_open() {
            if self.set_up.was_away || self.set_up.pin_card.is_some() {
                // Another SIM than the one that has had the PIN may be ready: its number tells.
                self.facts.iccid = None;
            } else {
                self.pin_accepted();
            }
        }
        self.set_up.is_released = false;
        if matches!(self.state, ModemState::SimWait(_)) {
            self.enter(ModemState::Init, Reason::SimReady, now);
        }
        self.set_up.go(At::Iccid, now);
    }

    fn pin_wanted(&mut self, now: Moment) {
        let trouble = match self.set_up.pin {
            _ if usable_pin(&self.settings).is_none() => SimTrouble::NeedsPin,
            // The SIM takes its time. One that asks for much longer has lost its power
            // meanwhile if the PIN was right, and else has refused it.
            PinTry::Taken | PinTry::Accepted
                if self.set_up.pin_entered.is_some_and(|at| now.since(at) < SIM_PATIENCE) =>
            {
                SimTrouble::Busy
            }
            _ => {
                // It may be another SIM than the one before.
                self.facts.iccid = None;
                self.set_up.go(At::LockedIccid, now);
                return;
            }
        };
        self.sim_waits(trouble, now);
    }

    /// The number of the SIM that asks for its PIN. What is no whole number is none, and
    /// proves no other SIM.
    pub(super) fn locked_iccid(&self) -> Option<&Private<String>> {
        self.facts.iccid.as_ref().filter(|iccid| iccid.expose().len() >= ICCID_DIGITS_MIN)
    }

    /// The SIM that asks for its PIN was asked who it is.
    pub(super) fn locked_sim_is_known(&mut self, now: Moment) {
        let here = self.locked_iccid().map(Private::expose);
        let is_hidden = here.is_none();
        let is_other = |card: &Option<Private<String>>| matches!((card, here), (Some(card), Some(here)) if !same_card(card.expose(), here));
        if is_other(&self.settings.expected_sim.iccid) {
            return self.sim_waits(SimTrouble::Foreign, now);
        }
        if is_other(&self.set_up.pin_card) {
            self.set_up.pin = PinTry::Untried;
            self.set_up.pin_card = None;
        }
        match self.set_up.pin {
            // Where the number is not told, that the modem had its SIM all the time is
            // all that ties the PIN to it.
            PinTry::Accepted if is_hidden && self.set_up.was_away && !self.set_up.is_released => {
                self.sim_waits(SimTrouble::UnknownSim, now);
            }
            PinTry::Untried | PinTry::Accepted => self.set_up.go(At::PinAttempts, now),
            // Nothing said that it was wrong, but another try might lock the SIM.
            PinTry::Open | PinTry::Taken | PinTry::Refused => {
                self.set_up.pin = PinTry::Refused;
                self.sim_waits(SimTrouble::WrongPin, now);
            }
        }
    }

    /// Tells the owner that the PIN is going to be tried in the SIM that is here.
    pub(super) fn ask_for_note(&mut self, now: Moment) {
        let leave = if self.set_up.is_released { PinLeave::Person } else { PinLeave::Setting };
        let (iccid, imei) = (self.locked_iccid().cloned(), self.facts.imei.clone());
        let attempts = self.set_up.attempts;
        let is_unclear = self.set_up.note.as_ref().is_some_and(|last| {
            let is_other = match (&last.card, &iccid) {
                (Some(last), Some(here)) => !same_card(last.expose(), here.expose()),
                (last, here) => last.is_some() != here.is_some(),
            };
            !last.is_written && (last.is_unclear || is_other)
        });
        let card = iccid.clone();
        self.set_up.note = Some(Note { card, attempts, told: now, is_written: false, is_here: true, is_unclear });
        let had_wrong = attempts.is_some_and(|left| left < ATTEMPTS_ALL);
        self.out.push_back(ModemOutput::PinTrying { iccid, imei, had_wrong, leave });
    }

    /// Whether it is written down that the PIN is going to be tried in the SIM that is here.
    /// One that the set-up comes back to is known by its number, and has had no wrong PIN
    /// meanwhile by the attempts that it has left.
    pub(super) fn pin_is_noted(&self, now: Moment) -> bool {
        let Some(note) = self.set_up.note.as_ref().filter(|note| note.is_written) else { return false };
        let card = note.card.as_ref().map(Private::expose);
        let here = self.locked_iccid().map(Private::expose);
        let is_same = card.zip(here).is_some_and(|(card, here)| same_card(card, here));
        let is_untouched = note.attempts.is_some() && note.attempts == self.set_up.attempts;
        note.is_here || (is_same && is_untouched && now.since(note.told) < NOTE_HOLDS)
    }

    fn pin_accepted(&mut self) {
        (self.set_up.pin, self.set_up.was_away) = (PinTry::Accepted, false);
        let (iccid, imei) = (self.set_up.pin_card.clone(), self.facts.imei.clone());
        self.out.push_back(ModemOutput::PinAccepted { iccid, imei });
    }

    /// The owner knows of a try in this SIM, or in one that may have been it.
    pub(in super::super) fn pin_was_tried(&mut self, now: Moment) {
        // Told again before it had answered, the owner means what it has written down itself.
        if self.set_up.note.as_ref().is_some_and(|note| note.is_written) {
            return;
        }
        self.set_up.note = None;
        if self.set_up.at != At::NotePin {
            return;
        }
        let card = self.locked_iccid().cloned();
        let trouble = if card.is_some() { SimTrouble::WrongPin } else { SimTrouble::UnknownSim };
        (self.set_up.pin, self.set_up.pin_card) = (PinTry::Refused, card);
        self.sim_waits(trouble, now);
    }

    pub(super) fn attempts_answered(&mut self, rows: &[Said], now: Moment) {
        match rows.iter().find_map(|said| attempts_left(&said.row)) {
            Some(left) if left < ATTEMPTS_MIN => self.sim_waits(SimTrouble::FewAttempts, now),
            // Where it cannot be known, three attempts are usual and one is taken.
            left => {
                self.set_up.attempts = left;
                self.set_up.go(At::NotePin, now);
            }
        }
    }

    pub(super) fn pin_answered(&mut self, end: End, now: Moment) {
        match end {
            End::Final(FinalResult::Ok) => {
                self.set_up.pin = PinTry::Taken;
                self.set_up.go(At::Sim, now + RETRY);
            }
            End::Final(_) => {
                self.set_up.pin = PinTry::Refused;
                self.sim_waits(SimTrouble::WrongPin, now);
            }
            End::TimedOut | End::Gone => self.set_up.go(At::Sim, now + RETRY),
        }
    }

    /// The SIM was taken out before the PIN was answered: the answer is that SIM's all the same.
    pub(super) fn pin_answered_late(&mut self, end: End) {
        match end {
            End::Final(FinalResult::Ok) => self.set_up.pin = PinTry::Taken,
            End::Final(_) => self.set_up.pin = PinTry::Refused,
            End::TimedOut | End::Gone => {}
        }
    }

    /// A PIN that is open still was right if the very SIM that has had it is ready.
    fn open_pin_is_known(&mut self) {
        let card = self.set_up.pin_card.as_ref().map(Private::expose);
        let here = self.locked_iccid().map(Private::expose);
        let is_same = card.zip(here).is_some_and(|(card, here)| same_card(card, here));
        if self.set_up.pin.is_open() && is_same {
            self.pin_accepted();
        }
    }

    /// Its ICCID and its IMSI were asked for.
    pub(super) fn sim_is_known(&mut self, now: Moment) {
        self.open_pin_is_known();
        let expected = &self.settings.expected_sim;
        let iccid = self.facts.iccid.as_ref().map(Private::expose);
        let other_card =
            expected.iccid.as_ref().is_some_and(|wanted| !iccid.is_some_and(|i| same_card(i, wanted.expose())));
        let imsi = self.facts.imsi.as_ref().map(Private::expose);
        let other_network =
            expected.operator.as_ref().is_some_and(|wanted| !imsi.is_some_and(|i| i.starts_with(wanted.as_str())));
        if other_card || other_network {
            self.sim_waits(SimTrouble::Foreign, now);
            return;
        }
        let known = self.settings.known_iccid.as_ref().map(Private::expose);
        self.set_up.sim_changed = matches!((known, iccid), (Some(known), Some(iccid)) if !same_card(known, iccid));
        if self.set_up.sim_changed {
            self.support.line("another SIM is in the modem than last time".to_owned(), now);
        }
        self.note_card(now);
        self.set_up.go(At::AfterSim(0), now);
    }

    /// What was under way with the SIM before is not this one's, nor is its airtime.
    fn note_card(&mut self, now: Moment) {
        let here = Card { iccid: self.facts.iccid.clone(), imsi: self.facts.imsi.clone() };
        let known = || Card { iccid: self.settings.known_iccid.clone(), imsi: None };
        let last = self.set_up.card.take().unwrap_or_else(known);
        match last.likeness(&here) {
            Likeness::Same => {
                // What it told once it need not tell again.
                self.set_up.card = Some(Card { iccid: here.iccid.or(last.iccid), imsi: here.imsi.or(last.imsi) });
                // A PIN that is open still is another SIM's.
                self.set_up.was_away &= self.set_up.pin.is_open();
                self.facts.iccid = self.set_up.card.as_ref().and_then(|card| card.iccid.clone());
                return;
            }
            Likeness::Other => {
                self.texts_of_another();
                self.airtime_of_another(now);
            }
            // Texts go their way; a balance that may be another's is none.
            Likeness::Unknown => self.airtime_of_another(now),
        }
        self.set_up.card = Some(here);
    }

    /// The modem says that its SIM is ready: an answer that was waited for.
    pub(in super::super) fn sim_may_be_ready(&mut self, now: Moment) {
        if self.set_up.at == At::Sim {
            self.set_up.not_before = self.set_up.not_before.min(now);
        }
    }

    /// The SIM was taken out of a running modem. What is said of it before it has answered
    /// belongs to the modem's start; one that is back soon is found by asking.
    pub(in super::super) fn sim_gone(&mut self, now: Moment) {
        if matches!(self.set_up.at, At::Stopped | At::First(_) | At::Sim) {
            self.set_up.was_away |= self.set_up.at == At::Sim && self.set_up.pin.is_open();
            return;
        }
        self.modem_left(now);
        self.facts.forget_network();
        (self.set_up.pin_entered, self.set_up.was_away) = (None, true);
        self.set_up.go(At::Sim, now + SIM_SOON);
        self.enter(ModemState::SimWait(SimTrouble::Absent), Reason::Sim(SimTrouble::Absent), now);
    }
}

/// A PIN has four to eight digits; anything else would be another command.
fn usable_pin(settings: &LineSettings) -> Option<&Private<String>> {
    let is_pin = |pin: &&Private<String>| {
        (4..=8).contains(&pin.expose().len()) && pin.expose().bytes().all(|b| b.is_ascii_digit())
    };
    settings.pin.as_ref().filter(is_pin)
}

/// The last digit of an ICCID is a check digit, which some modems leave out; some
/// operators' have hexadecimal digits, and what fills one up is no digit.
fn same_card(a: &str, b: &str) -> bool {
    let digits = |text: &str| {
        let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
        digits.to_ascii_uppercase().trim_end_matches('F').to_owned()
    };
    let (a, b) = (digits(a), digits(b));
    let shorter = a.len().min(b.len());
    shorter >= ICCID_DIGITS_MIN && a.len().abs_diff(b.len()) <= 1 && a[..shorter] == b[..shorter]
}

/// How many attempts are left for the PIN: `+QPINC: "SC",<pin>,<puk>`,
/// `+SPIC: <pin>,…`, `^CPIN: <state>,<left>,…`.
fn attempts_left(row: &Row) -> Option<u8> {
    let Row::Named { name, fields: text } = row else { return None };
    let list = fields(text);
    match name.as_str() {
        "+QPINC" if list.first().is_some_and(|f| f.text == "SC") => number_at(&list, 1),
        "+SPIC" => number_at(&list, 0),
        "^CPIN" => number_at(&list, 1),
        _ => None,
    }
}
