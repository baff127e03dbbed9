use std::collections::VecDeque;
use std::time::Duration;

use crate::terms::Moment;

use super::super::ladder::{Ladder, Rung, Wellness};
use super::super::output::{ModemOutput, ResetStep};
use super::super::settings::Attachment;
use super::super::state::{ModemState, Reason};
use super::{ModemLine, Port};

/// For a port that is closed and opened again.
const REOPEN_WAIT: Duration = Duration::from_secs(15);

/// Added to the time of a start when the power was off.
const POWER_WAIT: Duration = Duration::from_secs(15);

/// A modem that is silent while its caller hears sound is asked again so often.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// A line that finds no network for so long is restarted: modems get stuck.
const SEARCH_MAX: Duration = Duration::from_secs(15 * 60);

/// Drops under load after which the power is blamed, within a day.
const DROPS_MAX: usize = 3;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Starts by itself within an hour after which the owner is told: a person who moves a
/// modem from socket to socket makes fewer, and one that never stays up makes dozens.
const STARTS_MAX: usize = 6;
const HOUR: Duration = Duration::from_secs(3600);

/// A modem that falls off so soon after it transmitted fell off because of it.
const LOAD_ECHO: Duration = Duration::from_secs(10);

/// The healing of one modem: what is wanted, what is waited for, and the ladder.
#[derive(Debug)]
pub(super) struct Healing {
    ladder: Ladder,
    wanted: Option<(Rung, Reason)>,
    restart: PlannedRestart,
    waiting: Option<Waiting>,
    /// When a silent modem is asked again.
    ask_at: Option<Moment>,
    quarantined_until: Option<Moment>,
    drops: VecDeque<Moment>,
    /// When it fell off or started anew without having been told to.
    starts: VecDeque<Moment>,
    /// The start that it told last.
    told: Option<Start>,
    loaded_at: Option<Moment>,
}

/// A start as the modem tells it, by one row or by several: SIM800 says `RDY` at once, and
/// `Call Ready` some seconds later.
#[derive(Clone, Copy, Debug)]
struct Start {
    /// Its first row.
    at: Moment,
    /// The place of its last row so far, among those that one start says.
    place: usize,
}

/// The restart between two calls of a modem whose sound decays. Such modems need it now and
/// then for as long as they live: it is no fault, and no step of the ladder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum PlannedRestart {
    No,
    /// As soon as nobody calls.
    Due,
    /// The hour has no reset left for it. Calls are taken meanwhile: one with bad
    /// sound is more than none.
    PutOff(Moment),
}

/// A reset that was made, and until when the modem must be back.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    rung: Rung,
    until: Moment,
}

impl Healing {
    pub(super) fn new(cap: u8, has_maker: bool) -> Self {
        Self {
            ladder: Ladder::new(cap, has_maker),
            wanted: None,
            restart: PlannedRestart::No,
            waiting: None,
            ask_at: None,
            quarantined_until: None,
            drops: VecDeque::new(),
            starts: VecDeque::new(),
            told: None,
            loaded_at: None,
        }
    }

    pub(super) const fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Whether the sound has decayed and the restart that cures it may not be made yet.
    pub(super) const fn is_put_off(&self) -> bool {
        matches!(self.restart, PlannedRestart::PutOff(_))
    }

    /// As of the last [`Self::forget`].
    pub(super) fn is_weak(&self) -> bool {
        self.drops.len() >= DROPS_MAX
    }

    /// As of the last [`Self::forget`].
    pub(super) fn is_restless(&self) -> bool {
        self.starts.len() >= STARTS_MAX
    }

    /// Drops count for a day, starts for an hour: what was weak may have a powered hub since.
    fn forget(&mut self, now: Moment) {
        self.drops.retain(|at| now.since(*at) < DAY);
        self.starts.retain(|at| now.since(*at) < HOUR);
    }

    pub(super) fn port_opened(&mut self) {
        (self.waiting, self.ask_at, self.wanted) = (None, None, None);
        self.restart = PlannedRestart::No;
    }

    pub(super) fn booted(&mut self) {
        self.port_opened();
    }

    /// Whether a row that tells a start belongs to the one that was told before: it comes
    /// within the time of one, and has a later place among its rows. One that was told
    /// before a reset is over.
    pub(super) fn is_same_start(&mut self, place: usize, boot: Duration, now: Moment) -> bool {
        let last = self.told.filter(|last| !self.is_waiting() && now.since(last.at) < boot && place > last.place);
        self.told = Some(Start { at: last.map_or(now, |last| last.at), place });
        last.is_some()
    }

    pub(super) fn in_step(&mut self) {
        self.ask_at = None;
        if matches!(self.wanted, Some((_, Reason::ModemSilent))) {
            self.wanted = None;
        }
    }

    pub(super) fn well(&mut self, well: Wellness, now: Moment) {
        self.ladder.well(well, now);
    }

    /// The modem transmits: what happens now happens under load.
    pub(super) const fn loaded(&mut self, now: Moment) {
        self.loaded_at = Some(now);
    }

    pub(super) fn timer(&self) -> Option<Moment> {
        let waiting = self.waiting.map(|waiting| waiting.until);
        let restart = match self.restart {
            PlannedRestart::PutOff(until) => Some(until),
            PlannedRestart::No | PlannedRestart::Due => None,
        };
        let stronger = self.drops.front().filter(|_| self.is_weak()).map(|at| *at + DAY);
        let calmer = self.starts.front().filter(|_| self.is_restless()).map(|at| *at + HOUR);
        [waiting, restart, self.ask_at, self.quarantined_until, stronger, calmer].into_iter().flatten().min()
    }
}

impl ModemLine {
    /// Something is wrong that a reset may mend. It is made once nobody hears sound.
    pub(super) fn heal(&mut self, rung: Rung, reason: Reason, now: Moment) {
        if self.healing.waiting.is_none() && self.state != ModemState::Quarantined {
            let rung = self.healing.wanted.map_or(rung, |(wanted, _)| wanted.max(rung));
            self.healing.wanted = Some((rung, reason));
            self.heal_if_quiet(now);
        }
    }

    /// The sound has decayed: the modem is restarted before the next call. One that is put
    /// off stays so.
    pub(super) fn plan_restart(&mut self, now: Moment) {
        let may = !self.healing.is_waiting() && self.state != ModemState::Quarantined;
        if may && self.healing.restart == PlannedRestart::No {
            self.healing.restart = PlannedRestart::Due;
            self.heal_if_quiet(now);
        }
    }

    /// Only the maker's own restart brings decayed sound back.
    fn restart_if_planned(&mut self, now: Moment) {
        let is_due = self.healing.restart == PlannedRestart::Due;
        if !is_due || self.calls.is_any() || !self.engine.is_free(now) {
            return;
        }
        if self.healing.ladder.plan(now) {
            self.reset(Rung::Maker, Reason::SoundLost, now);
        } else {
            self.put_off_restart(now);
        }
    }

    /// The line takes calls all the same, and tells what is wrong.
    fn put_off_restart(&mut self, now: Moment) {
        let at = self.healing.ladder.plannable_at();
        self.healing.restart = at.map_or(PlannedRestart::No, PlannedRestart::PutOff);
        self.support.line("the restart for the sound is put off: the hour has had its resets".to_owned(), now);
        self.rest(Reason::SoundLost, now);
    }

    pub(super) fn heal_if_quiet(&mut self, now: Moment) {
        let Some((rung, reason)) = self.healing.wanted else { return self.restart_if_planned(now) };
        // A command that runs is answered first, unless nothing is answered any more.
        let is_ready = self.engine.is_free(now) || self.engine.is_silent();
        if self.calls.is_any() || !is_ready {
            return;
        }
        self.healing.wanted = None;
        // A modem that finds no network has its power, and a restart is what frees one that is
        // stuck: it is made again and again, also where no power can be taken.
        let hardest = if reason == Reason::RegistrationLost { Rung::Maker } else { Rung::Power };
        match self.healing.ladder.climb(rung, hardest, now) {
            Some(rung) => self.reset(rung, reason, now),
            None => self.quarantine(now),
        }
    }

    fn reset(&mut self, rung: Rung, reason: Reason, now: Moment) {
        self.counters.resets += 1;
        self.support.line(format!("reset, because {reason}"), now);
        let rows = &self.profile.reset;
        let (step, wait) = match rung {
            Rung::Reopen => (ResetStep::Reopen, REOPEN_WAIT),
            Rung::Soft | Rung::Maker => (ResetStep::SoftReset, rows.boot),
            Rung::Power => (ResetStep::PowerCycle, rows.boot + POWER_WAIT),
        };
        let row = match rung {
            Rung::Soft => Some(rows.soft.clone()),
            Rung::Maker => rows.maker.clone().or_else(|| Some(rows.soft.clone())),
            Rung::Reopen | Rung::Power => None,
        };
        self.set_up.stop();
        match row {
            Some(row) => self.engine.shout(&row, now),
            None => self.engine.gone(),
        }
        self.drain(now);
        self.modem_left(now);
        (self.healing.ask_at, self.healing.restart) = (None, PlannedRestart::No);
        self.healing.waiting = Some(Waiting { rung, until: now + wait });
        self.out.push_back(ModemOutput::Reset(step));
        self.enter(ModemState::Opening, Reason::Resetting(step), now);
    }

    fn quarantine(&mut self, now: Moment) {
        self.set_up.stop();
        self.modem_left(now);
        self.healing.restart = PlannedRestart::No;
        self.healing.quarantined_until = self.healing.ladder.free_at();
        self.enter(ModemState::Quarantined, Reason::ResetsExhausted, now);
    }

    /// A person says that the modem may be tried again, or an hour has gone by.
    pub(super) fn release(&mut self, now: Moment) {
        self.healing.ladder.release();
        if self.healing.is_put_off() {
            self.healing.restart = PlannedRestart::Due;
            self.heal_if_quiet(now);
        }
        self.leave_quarantine(now);
    }

    fn leave_quarantine(&mut self, now: Moment) {
        if self.state == ModemState::Quarantined {
            self.healing.quarantined_until = None;
            self.enter(ModemState::Opening, Reason::Released, now);
            self.heal(Rung::Reopen, Reason::Released, now);
        }
    }

    /// The engine has given up. While a caller hears sound it is only asked again.
    pub(super) fn modem_silent(&mut self, now: Moment) {
        if self.healing.is_waiting() {
            return;
        }
        if self.hears_sound(now) {
            self.healing.ask_at = Some(now + ASK_AGAIN);
            return;
        }
        self.call_lost(now);
        self.heal(Rung::Reopen, Reason::ModemSilent, now);
    }

    pub(super) fn healing_timers(&mut self, now: Moment) {
        let (was_weak, was_restless) = (self.healing.is_weak(), self.healing.is_restless());
        self.healing.forget(now);
        if was_weak != self.healing.is_weak() || was_restless != self.healing.is_restless() {
            self.rest(Reason::Mended, now);
        }
        if self.healing.ask_at.is_some_and(|at| now >= at) {
            self.healing.ask_at = None;
            if self.hears_sound(now) {
                self.engine.resynchronise(now);
            } else {
                self.call_lost(now);
                self.heal(Rung::Reopen, Reason::ModemSilent, now);
            }
        }
        if let Some(waiting) = self.healing.waiting.filter(|waiting| now >= waiting.until) {
            self.healing.waiting = None;
            self.not_back(waiting.rung, now);
        }
        if matches!(self.healing.restart, PlannedRestart::PutOff(until) if now >= until) {
            self.healing.restart = PlannedRestart::Due;
        }
        if self.healing.quarantined_until.is_some_and(|until| now >= until) {
            self.leave_quarantine(now);
        }
        let searches = self.state == ModemState::Searching && now.since(self.since) >= SEARCH_MAX;
        if searches && !self.facts.lacks_volte() && self.healing.wanted.is_none() {
            self.since = now;
            self.heal(Rung::Soft, Reason::RegistrationLost, now);
        }
        self.heal_if_quiet(now);
    }

    /// The time that a reset may take is over.
    fn not_back(&mut self, rung: Rung, now: Moment) {
        let restarts = matches!(rung, Rung::Soft | Rung::Maker);
        if self.port == Port::Open && restarts {
            // A modem on a plain serial port keeps its port: it is spoken to again.
            self.engine.resynchronise(now);
            self.begin_set_up(Reason::ModemRestarted, now);
            return;
        }
        if self.port == Port::Open && rung == Rung::Power {
            // Its power could not be taken, or does not come by its port: it may answer again,
            // and nobody listens. Its port is opened anew, and it is away if that cannot be done.
            self.port = Port::Gone;
            self.healing.waiting = Some(Waiting { rung, until: now + REOPEN_WAIT });
            self.support.line("the port has stayed, and is opened anew".to_owned(), now);
            self.out.push_back(ModemOutput::Reset(ResetStep::Reopen));
            return;
        }
        // The port could not be opened again, or did not come back.
        self.port = Port::Gone;
        self.engine.gone();
        if rung == Rung::Power {
            // Nothing is there that could be reset.
            self.enter(ModemState::Absent, Reason::PortGone, now);
        } else {
            self.heal(Rung::Power, Reason::ModemSilent, now);
        }
    }

    /// Counts ports that vanish, and modems that start anew, while the modem transmits.
    pub(super) fn note_drop(&mut self, now: Moment) {
        let echo = self.healing.loaded_at.is_some_and(|at| now.since(at) < LOAD_ECHO);
        let loaded = self.calls.is_any() || echo;
        if loaded && !self.healing.is_waiting() {
            self.counters.drops_under_load += 1;
            self.healing.drops.push_back(now);
        }
        self.healing.forget(now);
        while self.healing.drops.len() > DROPS_MAX {
            self.healing.drops.pop_front();
        }
    }

    /// Counts what a modem does by itself, whether or not it transmits.
    pub(super) fn note_start(&mut self, now: Moment) {
        if !self.healing.is_waiting() {
            self.healing.starts.push_back(now);
        }
        self.healing.forget(now);
        while self.healing.starts.len() > STARTS_MAX {
            self.healing.starts.pop_front();
        }
    }

    /// The modem says that it goes down. On a plain serial port nothing else tells it, and
    /// what comes back may say nothing either: it is set up again once it tells its start, or
    /// when the time of one is over. On USB the ports go with it.
    pub(super) fn powering_down(&mut self, now: Moment) {
        let is_on_usb = self.settings.attachment == Attachment::Usb;
        if is_on_usb || self.healing.is_waiting() || self.state == ModemState::Quarantined {
            return;
        }
        self.note_start(now);
        self.healing.booted();
        self.healing.waiting = Some(Waiting { rung: Rung::Soft, until: now + self.profile.reset.boot });
        self.modem_left(now);
        self.enter(ModemState::Opening, Reason::PoweringDown, now);
        // Its start may have been told with it.
        self.engine.resynchronise(now);
        self.drain(now);
    }

    /// The modem itself says that its supply is too weak.
    pub(super) fn under_voltage(&mut self, now: Moment) {
        self.support.line("the modem's supply is too weak".to_owned(), now);
        self.healing.drops = std::iter::repeat_n(now, DROPS_MAX).collect();
        self.network_changed(now);
    }

    /// One sentence for each thing that is wrong, the worst first.
    pub(super) fn troubles(&self) -> Vec<String> {
        let mut found = Vec::new();
        match self.state {
            ModemState::SimWait(trouble) => found.push(trouble.to_string()),
            ModemState::Quarantined => found.push(Reason::ResetsExhausted.to_string()),
            ModemState::Absent => found.push("the modem is not there".to_owned()),
            _ => {}
        }
        found.extend(self.worst().map(|wrong| wrong.to_string()));
        if self.set_up.is_done() && self.facts.lacks_volte() {
            found.push(
                "the network serves the SIM on 4G alone, where this modem cannot be called; switch VoLTE on, or let it use 2G and 3G"
                    .to_owned(),
            );
        } else if self.state == ModemState::Searching {
            found.push(format!("the network does not serve the SIM ({})", self.registration_shown()));
        }
        if self.set_up.sim_was_changed() {
            found.push("another SIM is in the modem than last time".to_owned());
        }
        found.extend(self.text_memory_trouble().map(str::to_owned));
        if self.facts.signal_dbm.is_some_and(|dbm| dbm <= WEAK_DBM) {
            found.push("the signal is weak; give the modem a better place or an antenna".to_owned());
        }
        found
    }
}

/// Calls break off below it (`+CSQ` 5).
const WEAK_DBM: i16 = -103;
