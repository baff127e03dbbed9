//! The machine of a modem's line: what it stands in, which command comes next,
//! and where each answer and each piece of news goes. Each of its files has one
//! subject, and adds commands of its own when the engine is free.

mod airtime;
mod answering;
mod by_hand;
mod calling;
mod codes;
mod danger;
mod ending;
mod harmless;
mod healing;
mod job;
mod reports;
mod set_up;
mod sound_memory;
mod sounding;
mod texting;
mod watching;

pub use texting::parts_of_text;

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;

use crate::terms::{Moment, Private};

use super::command::Command;
use super::engine::{End, Engine, Event, Said};
use super::facts::Facts;
use super::health::{Counters, ModemHealth};
use super::input::ModemInput;
use super::ladder::Wellness;
use super::news::{self, News};
use super::output::ModemOutput;
use super::profile::Profile;
use super::row::FinalResult;
use super::settings::LineSettings;
use super::state::{Degradation, ModemState, Reason, StateChange};
use super::support::{SupportRing, SupportRow, SupportWay};
use super::ussd::CANCEL_ROW;
use airtime::Airtime;
use by_hand::ByHand;
use calling::Calls;
use codes::Codes;
use healing::Healing;
use job::Job;
use reports::Reports;
use set_up::SetUp;
use sounding::{Flow, SoundLane};
use texting::{Back, Texts};
use watching::Watch;

/// Everything that one modem's line knows. Methods come in three kinds: facts,
/// [`ModemLine::handle`], and [`ModemLine::poll`], which is drained after each
/// `handle`; then the owner sleeps until the next input or
/// [`ModemLine::deadline`].
#[derive(Debug)]
pub struct ModemLine {
    profile: Arc<Profile>,
    settings: LineSettings,
    state: ModemState,
    since: Moment,
    port: Port,
    engine: Engine<Job>,
    support: SupportRing,
    out: VecDeque<ModemOutput>,
    facts: Facts,
    counters: Counters,
    set_up: SetUp,
    calls: Calls,
    sound: SoundLane,
    watch: Watch,
    texts: Texts,
    reports: Reports,
    codes: Codes,
    airtime: Airtime,
    hand: ByHand,
    healing: Healing,
    /// The calendar's time at a moment.
    clock: (Moment, Timestamp),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Port {
    Open,
    Gone,
}

impl ModemLine {
    pub fn new(profile: Arc<Profile>, settings: LineSettings, now: Moment) -> Self {
        let clock = settings.clock;
        let mut line = Self {
            state: ModemState::Absent,
            since: now,
            port: Port::Gone,
            engine: Engine::new(news_beginnings(&profile), now),
            support: SupportRing::default(),
            out: VecDeque::new(),
            facts: Facts::default(),
            counters: Counters::default(),
            set_up: SetUp::new(now),
            calls: Calls::default(),
            sound: SoundLane::new(&profile, settings.sound),
            watch: Watch::new(&profile),
            texts: Texts::new(settings.day, settings.parts_today, clock, now),
            reports: Reports::default(),
            codes: Codes::new(profile.ussd, settings.ussd_way),
            airtime: Airtime::new(settings.airtime.as_ref(), settings.clock),
            hand: ByHand::default(),
            healing: Healing::new(settings.resets_per_hour, profile.reset.maker.is_some()),
            clock: (now, clock),
            profile,
            settings,
        };
        // What was read in a run before is as good as it was then.
        line.warn_of_airtime(clock);
        line
    }

    /// The profile that the line was made with.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    pub const fn state(&self) -> ModemState {
        self.state
    }

    /// Takes what happened. The owner drains [`ModemLine::poll`] after it.
    pub fn handle(&mut self, input: ModemInput<'_>, now: Moment) {
        self.engine.tick(now);
        self.drain(now);
        match input {
            ModemInput::Tick => {}
            ModemInput::PortOpened => self.port_opened(now),
            ModemInput::PortGone => self.port_gone(now),
            ModemInput::Bytes(bytes) => self.engine.bytes(bytes, now),
            ModemInput::SoundMeasured(facts) => self.sound_measured(&facts, now),
            ModemInput::SoundFailed => self.sound_failed(now),
            ModemInput::Answer => self.answer(now),
            ModemInput::Reject(cause) => self.reject(cause, now),
            ModemInput::HangUp(cause) => self.hang_up(cause, now),
            ModemInput::SendDigit(digit) => self.calls.press(digit),
            ModemInput::SendText { id, to, text } => self.send_text(id, &to, &text, now),
            ModemInput::TextKept { slots } => self.text_kept(&slots),
            ModemInput::TextNotKept { slots } => self.texts.not_kept(&slots),
            ModemInput::Ussd { id, code } => self.ask_code(id, code),
            ModemInput::UssdAnswer { id, text } => self.answer_code(id, &text, now),
            ModemInput::UssdCancel { id } => self.cancel_code(id, now),
            ModemInput::Command { id, row, force } => self.by_hand(id, &row, force),
            ModemInput::Day(day) => self.texts.day_is(day),
            ModemInput::Clock(at) => self.clock = (now, at),
            ModemInput::PinNoted => self.set_up.pin_noted(now),
            ModemInput::PinWasTried => self.pin_was_tried(now),
            ModemInput::Release => {
                self.set_up.let_pin_be_tried(now);
                self.release(now);
            }
            ModemInput::Leave => {
                self.give_texts_back(Back::All);
                self.codes_left(now);
            }
        }
        self.settle(now);
    }

    /// The next thing that the line wants of the world.
    pub fn poll(&mut self) -> Option<ModemOutput> {
        self.out.pop_front()
    }

    /// When [`ModemInput::Tick`] is due.
    pub fn deadline(&self) -> Option<Moment> {
        let timers = [
            self.engine.deadline(),
            self.calls.timer(),
            self.calls.untold.map(|untold| untold.until),
            self.sound_timer(),
            self.codes.timer(),
            self.texts.timer(),
            self.healing.timer(),
        ];
        let commands = if self.engine.is_at_rest() { self.commands_due() } else { None };
        timers.into_iter().chain([commands]).flatten().min()
    }

    /// When a command will be due that is not due now.
    fn commands_due(&self) -> Option<Moment> {
        if self.healing.is_waiting() || self.state == ModemState::Quarantined {
            return None;
        }
        let always = [self.calls.command_due(), self.sound_command_due(), self.set_up_due(), self.ping_due()];
        let idle = [self.watch_due(), self.texts_due(), self.airtime_due()];
        always.into_iter().chain(idle).flatten().min()
    }

    /// After every input: what follows from it, until nothing more does.
    fn settle(&mut self, now: Moment) {
        self.drain(now);
        self.call_timers(now);
        self.sound_timers(now);
        self.code_timers(now);
        self.text_timers(now);
        self.healing_timers(now);
        self.drain(now);
        while self.engine.is_free(now) {
            self.heal_if_quiet(now);
            if !self.engine.is_free(now) {
                break;
            }
            let Some(command) = self.next_command(now) else { break };
            self.engine.send(command, now);
            self.drain(now);
        }
        self.watch_wellness(now);
    }

    /// What the modem is told next. Calls come before everything.
    fn next_command(&mut self, now: Moment) -> Option<Command<Job>> {
        if self.healing.is_waiting() || self.state == ModemState::Quarantined {
            return None;
        }
        let urgent = self.call_command(now).or_else(|| self.sound_command(now));
        let urgent = urgent.or_else(|| self.set_up_command(now)).or_else(|| self.hand_command());
        if urgent.is_some() || !self.set_up.is_done() || self.calls.is_any() {
            return urgent.or_else(|| self.ping_command(now));
        }
        self.text_command(now)
            .or_else(|| self.code_command(now))
            .or_else(|| self.airtime_command(now))
            .or_else(|| self.watch_command(now))
            .or_else(|| self.ping_command(now))
    }

    fn drain(&mut self, now: Moment) {
        while let Some(event) = self.engine.poll() {
            match event {
                Event::Write(bytes) => {
                    let text = String::from_utf8_lossy(&bytes);
                    self.support.modem(SupportWay::ToModem, text.trim_matches(|c: char| c.is_control()), now);
                    self.out.push_back(ModemOutput::Write(Private::new(bytes)));
                }
                Event::Answered { command, rows, end } => self.answered(&command, &rows, end, now),
                Event::News(said) => self.news(&said, now),
                Event::InStep => self.healing.in_step(),
                Event::Silent => self.modem_silent(now),
            }
        }
    }

    fn answered(&mut self, command: &Command<Job>, rows: &[Said], end: End, now: Moment) {
        for said in rows {
            self.support.modem(SupportWay::FromModem, &said.text, now);
        }
        self.support.line(end_shown(end), now);
        self.facts.learn(&command.row, rows);
        self.recall_sound(now);
        match command.tag {
            Job::SetUp => self.set_up_answered(&command.row, rows, end, now),
            Job::List => self.list_answered(rows, end, now),
            Job::Answer => self.answer_answered(end, now),
            Job::SoundOn => self.sound_on_answered(end, now),
            Job::SoundOff => self.sound_off_answered(end, now),
            Job::HangUp => self.hang_up_answered(end, now),
            Job::Cause => self.cause_answered(rows, end),
            Job::TextSend => self.text_answered(command, rows, end, now),
            Job::TextRead(index) => self.text_read(index, rows, now),
            Job::TextList => self.texts_listed(rows, end, now),
            Job::TextDelete(index) => self.texts.delete_answered(index, end),
            Job::ReportMemory => self.memory_answered(rows, end, now),
            Job::ReportRead(index) => self.report_read(index, rows),
            Job::ReportList => self.reports_listed(rows),
            Job::OtherList(memory) => self.other_listed(memory, rows, end, now),
            Job::OtherDelete(memory, index) => self.texts.other_delete_answered(memory, index, end),
            Job::Code => self.code_answered(end, now),
            Job::Hand(id) => {
                self.hand_answered(id, rows, end);
                self.network_changed(now);
            }
            Job::Quiet => self.charset_answered(&command.row, end, now),
            Job::RefuseWaiting | Job::Digit | Job::ReportDelete => {}
            Job::Watch => self.network_changed(now),
            Job::Voice => self.voice_answered_later(rows, end, now),
        }
    }

    fn news(&mut self, said: &Said, now: Moment) {
        let news = news::read(said, &self.profile, &self.settings.country_code);
        self.support.modem(SupportWay::FromModem, &news::shown(said, &news, &self.profile), now);
        match news {
            News::Rings
            | News::Caller(_)
            | News::Waiting
            | News::Call(_)
            | News::CallsChanged
            | News::CallBegan
            | News::CallOver { .. } => self.call_news(news, now),
            News::Digit(digit) => self.digit_pressed(digit),
            News::Registered { row, is_lte } => {
                self.facts.registered(&row, is_lte);
                self.network_changed(now);
            }
            News::Signal(dbm) => self.facts.signal_dbm = Some(dbm),
            News::TextStored { index, memory } => self.text_stored(index, memory),
            News::ReportStored(index) => self.reports.stored(index),
            News::Text { coded, octets } => self.text_came(&coded, octets, None, now),
            News::StorageFull(memory) => self.storage_full(memory, now),
            News::Ussd(row) => self.code_said(&row, now),
            News::SimReady => self.sim_may_be_ready(now),
            News::SimGone => self.sim_gone(now),
            News::Booted(place) => self.booted(place, now),
            News::UnderVoltage => self.under_voltage(now),
            News::UnderVoltageDown => {
                self.under_voltage(now);
                self.powering_down(now);
            }
            News::UplinkStops => self.uplink(Flow::Stops, now),
            News::UplinkGoesOn => self.uplink(Flow::GoesOn, now),
            News::PoweringDown => self.powering_down(now),
            News::Idle => {}
            News::Unknown => self.counters.unknown_rows += 1,
        }
    }

    fn port_opened(&mut self, now: Moment) {
        // A port that is opened anew was gone, whether or not that was told.
        self.engine.gone();
        self.drain(now);
        self.modem_left(now);
        self.port = Port::Open;
        self.facts.forget_all();
        self.engine.opened(now);
        if self.state == ModemState::Quarantined {
            return;
        }
        self.healing.port_opened();
        self.begin_set_up(Reason::PortOpened, now);
    }

    fn port_gone(&mut self, now: Moment) {
        if self.port == Port::Gone {
            return;
        }
        self.port = Port::Gone;
        self.note_drop(now);
        self.note_start(now);
        self.engine.gone();
        self.drain(now);
        self.modem_left(now);
        if !matches!(self.state, ModemState::Quarantined) && !self.healing.is_waiting() {
            self.enter(ModemState::Absent, Reason::PortGone, now);
        }
    }

    /// The modem is away, or starts anew: what it was doing is over.
    fn modem_left(&mut self, now: Moment) {
        self.set_up.stop();
        self.call_lost(now);
        self.codes_lost(now);
        self.hand_lost();
        self.texts.modem_left(now);
        self.reports.modem_left(now);
        self.give_texts_back(Back::NotBegun);
    }

    /// The state in which a set-up line without a call rests.
    fn resting(&self) -> ModemState {
        if !self.facts.takes_calls() {
            return ModemState::Searching;
        }
        self.worst().map_or(ModemState::Ready, ModemState::Degraded)
    }

    /// Enters the state in which the line rests, unless a call or a set-up is on.
    fn rest(&mut self, reason: Reason, now: Moment) {
        if self.set_up.is_done() && !self.calls.is_any() && !self.healing.is_waiting() {
            let to = self.resting();
            let reason = match (to, self.state) {
                (ModemState::Degraded(wrong), from) if from != to => Reason::Wrong(wrong),
                _ => reason,
            };
            self.enter(to, reason, now);
        }
    }

    fn network_changed(&mut self, now: Moment) {
        let reason = if self.facts.takes_calls() { Reason::Registered } else { Reason::RegistrationLost };
        self.rest(reason, now);
    }

    /// What is wrong although calls may come; the worst if it is more than one.
    fn worst(&self) -> Option<Degradation> {
        let wrong = [
            (self.set_up.has_no_voice(), Degradation::NoVoice),
            (self.healing.is_weak(), Degradation::WeakPower),
            (self.healing.is_restless(), Degradation::Restless),
            (self.sound.is_lost() || self.healing.is_put_off(), Degradation::NoSound),
            (self.set_up.was_refused(), Degradation::SetUp),
        ];
        wrong.into_iter().find(|(is, _)| *is).map(|(_, degradation)| degradation)
    }

    fn enter(&mut self, to: ModemState, reason: Reason, now: Moment) {
        if self.state == to {
            return;
        }
        let change = StateChange { at: now, from: self.state, to, reason };
        self.support.changed(format!("{} -> {}: {reason}", change.from.name(), to.name()), now);
        (self.state, self.since) = (to, now);
        self.out.push_back(ModemOutput::Changed(change));
    }

    fn watch_wellness(&mut self, now: Moment) {
        let well =
            matches!(self.state, ModemState::Ready | ModemState::Ringing | ModemState::Active | ModemState::Ending);
        self.healing.well(if well { Wellness::Well } else { Wellness::Ill }, now);
    }

    /// The calendar's time now.
    fn calendar(&self, now: Moment) -> Timestamp {
        let (then, at) = self.clock;
        jiff::SignedDuration::try_from(now.since(then)).ok().and_then(|d| at.checked_add(d).ok()).unwrap_or(at)
    }

    pub fn health(&self) -> ModemHealth {
        ModemHealth {
            state: self.state,
            since: self.since,
            troubles: self.troubles(),
            maker: self.facts.maker.clone(),
            model: self.facts.model.clone(),
            firmware: self.facts.firmware.clone(),
            imei: self.facts.imei.clone(),
            iccid: self.facts.iccid.clone(),
            sim_operator: self.facts.sim_operator(),
            registration: self.facts.registration(),
            operator: self.facts.operator.clone(),
            technology: self.facts.technology,
            signal_dbm: self.facts.signal_dbm,
            volte: self.facts.volte,
            temperature: self.facts.temperature,
            millivolts: self.facts.millivolts,
            counters: Counters {
                timeouts: self.engine.timeouts,
                resynchronised: self.engine.resynchronised,
                garbage_bytes: self.engine.garbage_bytes(),
                long_rows: self.engine.long_rows(),
                stray_results: self.engine.stray_results,
                ..self.counters
            },
            parts_today: self.texts.today(),
            texts_waiting: self.texts.waiting(),
            airtime: self.airtime.forecast(),
            data: self.airtime.data(),
            expires: self.airtime.expires(),
            airtime_warnings: self.airtime.warnings(),
            ussd_way: self.codes.known_way(),
        }
    }

    /// Whether a text is on its way, and its fate is not known yet.
    pub fn is_texting(&self) -> bool {
        self.texts.is_sending()
    }

    /// Whether the end of a dialogue with the network is on its way to the modem.
    pub fn is_ending_code(&self) -> bool {
        let is_written = self.engine.running().is_some_and(|command| command.row == CANCEL_ROW);
        is_written || self.codes.is_ending()
    }

    /// The last rows to and from the modem, and before them those that led to its last
    /// transitions, without anybody's number, text or identity.
    pub fn support_rows(&self) -> Vec<SupportRow> {
        self.support.rows()
    }
}

/// Beginnings of bare rows that are news even while a maker's words are waited for.
fn news_beginnings(profile: &Profile) -> Vec<String> {
    let calls = &profile.calls;
    let own = calls.rings.iter().chain(&calls.begins).chain(&calls.ends).chain(&profile.reset.boots);
    own.cloned().chain(news::BARE.iter().map(|known| (*known).to_owned())).collect()
}

fn end_shown(end: End) -> String {
    match end {
        End::Final(FinalResult::Ok) => "ok".to_owned(),
        End::Final(result) => format!("{result:?}").to_lowercase(),
        End::TimedOut => "no answer in time".to_owned(),
        End::Gone => "no answer: the port is gone".to_owned(),
    }
}

#[cfg(test)]
mod tests;
