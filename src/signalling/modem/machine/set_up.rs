mod sim;

use std::time::Duration;

use crate::terms::{Moment, Private};

use super::super::cme::{self, Meaning};
use super::super::command::Command;
use super::super::engine::{End, Said};
use super::super::profile::{Need, SetUpRow};
use super::super::row::FinalResult;
use super::super::state::{ModemState, Reason};
use super::ModemLine;
use super::job::Job;
use sim::{Card, Note, PinTry, SIM_LATER};

/// A row is given up after so many refusals that may pass.
const TRIES_MAX: u8 = 5;

/// Between two tries.
const RETRY: Duration = Duration::from_secs(2);

/// Asks whether the SIM can be used.
const SIM_ROW: &str = "AT+CPIN?";

/// Beginning of the row that enters the PIN.
const PIN_ROW: &str = "AT+CPIN=";

/// The owner is told again that the PIN is to be tried, until it is written down.
const NOTE_AGAIN: Duration = Duration::from_secs(10);

/// Where a set-up stands: which row of which list is next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    Stopped,
    First(usize),
    Sim,
    /// Whose PIN it would be: many SIMs tell their number before it is entered.
    LockedIccid,
    PinAttempts,
    /// The owner writes down that the PIN is going to be tried.
    NotePin,
    EnterPin,
    Iccid,
    Imsi,
    AfterSim(usize),
    Sound(usize),
    Voice,
    Done,
}

/// The way from an open port to a line that takes calls.
#[derive(Debug)]
pub(super) struct SetUp {
    at: At,
    began: Moment,
    tries: u8,
    not_before: Moment,
    pin: PinTry,
    /// The SIM of which that is said, where it told its number.
    pin_card: Option<Private<String>>,
    /// A person has given leave to try it since a SIM was ready last.
    is_released: bool,
    /// The SIM was seen to be away since the PIN was sent or was right: it may be another one.
    was_away: bool,
    /// Attempts that are left for the PIN, where they are told.
    attempts: Option<u8>,
    /// That the PIN is going to be tried, until it is sent.
    note: Option<Note>,
    /// When it was sent, since the modem's last start.
    pin_entered: Option<Moment>,
    refused: u8,
    no_voice: bool,
    sim_changed: bool,
    /// The SIM that was in the modem last.
    card: Option<Card>,
}

impl SetUp {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            at: At::Stopped,
            began: now,
            tries: 0,
            not_before: now,
            pin: PinTry::Untried,
            pin_card: None,
            is_released: false,
            was_away: false,
            attempts: None,
            note: None,
            pin_entered: None,
            refused: 0,
            no_voice: false,
            sim_changed: false,
            card: None,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.at == At::Done
    }

    pub(super) const fn stop(&mut self) {
        self.at = At::Stopped;
    }

    pub(super) const fn has_no_voice(&self) -> bool {
        self.no_voice
    }

    pub(super) const fn was_refused(&self) -> bool {
        self.refused > 0
    }

    pub(super) const fn sim_was_changed(&self) -> bool {
        self.sim_changed
    }

    fn go(&mut self, at: At, now: Moment) {
        // The SIM that is come to may be another one than the one that was stood at.
        if at == At::NotePin
            && let Some(note) = &mut self.note
        {
            note.is_here = false;
        }
        (self.at, self.tries, self.not_before) = (at, 0, now);
    }

    fn again(&mut self, now: Moment) {
        self.tries += 1;
        self.not_before = now + RETRY;
    }
}

impl ModemLine {
    pub(super) fn begin_set_up(&mut self, reason: Reason, now: Moment) {
        let last = std::mem::replace(&mut self.set_up, SetUp::new(now));
        let SetUp { pin, pin_card, is_released, was_away, note, card, .. } = last;
        let set_up = &mut self.set_up;
        (set_up.pin, set_up.pin_card, set_up.note, set_up.card) = (pin, pin_card, note, card);
        (set_up.is_released, set_up.was_away, set_up.at) = (is_released, was_away, At::First(0));
        self.facts.forget_network();
        self.calls.forget_list();
        self.enter(ModemState::Init, reason, now);
    }

    pub(super) fn set_up_due(&self) -> Option<Moment> {
        let waits = !matches!(self.set_up.at, At::Stopped | At::Done);
        (waits && self.state != ModemState::Quarantined).then_some(self.set_up.not_before)
    }

    pub(super) fn set_up_command(&mut self, now: Moment) -> Option<Command<Job>> {
        while self.set_up_due().is_some_and(|due| now >= due) {
            if self.set_up.at == At::NotePin {
                if self.pin_is_noted(now) {
                    self.set_up.go(At::EnterPin, now);
                } else {
                    self.set_up.not_before = now + NOTE_AGAIN;
                    self.ask_for_note(now);
                }
                continue;
            }
            if let Some(command) = self.set_up_row(now) {
                return Some(command);
            }
            self.next_part(now);
        }
        None
    }

    /// The row of the place that the set-up stands at; none if the place has no more.
    fn set_up_row(&mut self, now: Moment) -> Option<Command<Job>> {
        let profile = &self.profile;
        let row = match self.set_up.at {
            At::Stopped | At::Done | At::NotePin => return None,
            At::First(n) => profile.start.first.get(n).map(|row| row.row.clone()),
            At::Sim => Some(SIM_ROW.to_owned()),
            At::PinAttempts => profile.sim.pin_attempts.clone(),
            At::EnterPin => return self.pin_command(now),
            At::LockedIccid | At::Iccid => profile.sim.iccid.clone(),
            At::Imsi => Some("AT+CIMI".to_owned()),
            At::AfterSim(n) => profile.start.after_sim.get(n).map(|row| row.row.clone()),
            At::Sound(n) => self.sound.once(profile).get(n).map(|row| row.row.clone()),
            At::Voice => profile.start.voice.as_ref().map(|probe| probe.ask.clone()),
        };
        row.map(|row| Command::new(Job::SetUp, &row))
    }

    fn next_part(&mut self, now: Moment) {
        let next = match self.set_up.at {
            At::First(_) => At::Sim,
            At::LockedIccid => return self.locked_sim_is_known(now),
            At::PinAttempts => {
                self.set_up.attempts = None;
                At::NotePin
            }
            At::EnterPin | At::Sim => At::Sim,
            At::Iccid => At::Imsi,
            At::Imsi => return self.sim_is_known(now),
            At::AfterSim(_) => At::Sound(0),
            At::Sound(_) => At::Voice,
            At::Voice => return self.set_up_done(now),
            At::Stopped | At::Done | At::NotePin => return,
        };
        if self.set_up.at == At::EnterPin {
            // No PIN that may be used: asked again later, in case a person did it.
            self.set_up.go(At::Sim, now + SIM_LATER);
            return;
        }
        self.set_up.go(next, now);
    }

    pub(super) fn set_up_answered(&mut self, row: &str, rows: &[Said], end: End, now: Moment) {
        if end == End::Gone {
            return;
        }
        match self.set_up.at {
            At::First(n) => {
                let (need, next) = after(&self.profile.start.first, n, end);
                self.row_answered(row, At::First(next), need, end, now);
            }
            At::AfterSim(n) => {
                let (need, next) = after(&self.profile.start.after_sim, n, end);
                self.row_answered(row, At::AfterSim(next), need, end, now);
            }
            At::Sound(n) => {
                let (need, next) = after(&self.sound.once(&self.profile), n, end);
                self.row_answered(row, At::Sound(next), need, end, now);
            }
            // The SIM was taken out while another row waited for its answer.
            At::Sim if row.starts_with(PIN_ROW) => self.pin_answered_late(end),
            At::Sim if row != SIM_ROW => {}
            At::Sim => self.sim_answered(rows, end, now),
            At::PinAttempts => self.attempts_answered(rows, now),
            At::EnterPin => self.pin_answered(end, now),
            // Some modems tell nothing of a SIM that is locked.
            At::LockedIccid => self.locked_sim_is_known(now),
            At::Iccid | At::Imsi => {
                let tries_again = matches!(end, End::Final(result) if cme::meaning(result) == Meaning::TryAgain);
                if tries_again && self.set_up.tries < TRIES_MAX {
                    self.set_up.again(now);
                } else {
                    self.next_part(now);
                }
            }
            At::Voice => self.voice_answered(rows, end, now),
            At::Stopped | At::Done | At::NotePin => {}
        }
    }

    fn row_answered(&mut self, row: &str, next: At, need: Need, end: End, now: Moment) {
        let passes = may_pass(end);
        if end.is_ok() {
            self.reports.set_up_by(row);
        }
        if end.is_ok() || (need != Need::Must && !passes) {
            return self.set_up.go(next, now);
        }
        if passes && self.set_up.tries < TRIES_MAX {
            return self.set_up.again(now);
        }
        if need == Need::Must {
            self.support.line(format!("the modem refused {row}"), now);
            self.set_up.refused = self.set_up.refused.saturating_add(1);
        }
        self.set_up.go(next, now);
    }

    fn voice_answered(&mut self, rows: &[Said], end: End, now: Moment) {
        let has_voice = self.is_voice_proven(rows, end);
        // Firmware that does not know the question has said all. Any other refusal may be that
        // of a modem that is not ready yet, and an OK alone one whose row was lost.
        let is_known = has_voice || end == End::Final(FinalResult::NotSupported);
        if !is_known && self.set_up.tries < TRIES_MAX {
            return self.set_up.again(now);
        }
        self.set_up.no_voice = !has_voice;
        self.next_part(now);
    }

    /// A modem that proved no voice when it was set up has been asked once more: until it has,
    /// nobody who calls is answered.
    pub(super) fn voice_answered_later(&mut self, rows: &[Said], end: End, now: Moment) {
        if self.set_up.has_no_voice() && self.is_voice_proven(rows, end) {
            self.set_up.no_voice = false;
            self.rest(Reason::Mended, now);
        }
    }

    fn is_voice_proven(&self, rows: &[Said], end: End) -> bool {
        let without_blanks = |text: &str| text.split_whitespace().collect::<String>();
        let has = self.profile.start.voice.as_ref().map(|probe| without_blanks(&probe.has)).unwrap_or_default();
        // The row proves it, whether or not the end of its answer came.
        match has.as_str() {
            "" => end.is_ok(),
            has => rows.iter().any(|said| without_blanks(&said.text).starts_with(has)),
        }
    }

    fn set_up_done(&mut self, now: Moment) {
        self.set_up.go(At::Done, now);
        self.watch.all_due(now);
        self.texts.modem_is_there(now);
        self.reports.ask_home();
        self.codes.end_what_was_left();
        self.calls.look(now);
        self.enter(ModemState::Searching, Reason::SetUpDone, now);
        self.network_changed(now);
    }

    /// The modem says that it has just started, by a row that has this place among those
    /// that one start says.
    pub(super) fn booted(&mut self, place: usize, now: Moment) {
        if self.healing.is_same_start(place, self.profile.reset.boot, now) {
            return;
        }
        // While the set-up's first rows run, it is the start that they wait for.
        let is_expected = matches!(self.set_up.at, At::First(_)) && !self.healing.is_waiting();
        if is_expected || self.state == ModemState::Quarantined {
            return;
        }
        // On a plain serial port that is all that is seen of a supply that gave way.
        if self.calls.is_any() {
            self.note_drop(now);
        }
        self.note_start(now);
        self.modem_left(now);
        self.healing.booted();
        self.engine.resynchronise(now);
        self.drain(now);
        self.begin_set_up(Reason::ModemRestarted, now);
    }
}

/// What the row at a place is to the set-up, and which row comes after its answer: one
/// that was taken needs none in its stead.
fn after(rows: &[SetUpRow], at: usize, end: End) -> (Need, usize) {
    let need = rows.get(at).map_or(Need::May, |row| row.need);
    let later = rows.iter().skip(at + 1);
    let spared = if end.is_ok() { later.take_while(|row| row.need == Need::Instead).count() } else { 0 };
    (need, at + 1 + spared)
}

/// Whether another answer may come to the same row in a moment.
fn may_pass(end: End) -> bool {
    match end {
        End::Final(result) => cme::meaning(result) == Meaning::TryAgain,
        End::TimedOut | End::Gone => true,
    }
}
