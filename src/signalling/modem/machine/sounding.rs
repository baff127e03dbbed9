use std::collections::VecDeque;
use std::time::Duration;

use crate::terms::{EndCause, Moment};

use super::super::command::Command;
use super::super::engine::End;
use super::super::input::SoundFacts;
use super::super::ladder::Rung;
use super::super::output::{ModemOutput, SoundPath};
use super::super::profile::{Decay, Profile, SetUpRow, SoundProfile, SoundWhen};
use super::super::sound_watch::{SoundFault, SoundWatch};
use super::super::state::Reason;
use super::ModemLine;
use super::calling::{Ata, Phase};
use super::job::Job;
use super::sound_memory::SoundMemory;

/// A call without any sound that no cure brought back is ended: nobody can talk.
const MUTE_MAX: Duration = Duration::from_secs(10);

/// A modem that wants no sound is believed for so long: what it has lasts a fraction of a
/// second. One that never says that it can take more, or that stops again and again as soon
/// as it has said so, would leave its caller in silence.
const PAUSE_MAX: Duration = Duration::from_secs(3);

/// Calls without sound, one after the other, after which the modem is healed.
const LOST_CALLS_MAX: u8 = 2;

/// Whether the modem gives its sound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sounding {
    Off,
    Due { at: Moment, tried: u8 },
    Asked { tried: u8 },
    Flowing,
}

/// How much of its sound a call was without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lacked {
    All,
    /// It stuttered for the most part.
    Part,
}

/// What the modem says of the sound that it is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flow {
    Stops,
    GoesOn,
}

/// The sound of the line's call, and what is known of the sound of its calls.
#[derive(Debug)]
pub(super) struct SoundLane {
    /// Which of the profile's ways is used. It stays with what a call found to work.
    pub(super) choice: usize,
    pub(super) memory: SoundMemory,
    /// Ways that this call has tried, the one that it uses among them.
    tried: usize,
    open: bool,
    on: Sounding,
    /// Rows that turn off what the modem may still give; each is said when the one before
    /// was refused.
    off_due: VecDeque<String>,
    /// The modem would not turn off the sound of the call before: that the next one's is
    /// not turned on at once says nothing then.
    stayed_on: bool,
    watch: SoundWatch,
    /// Cures that this call had for sound that is missing.
    cures: u8,
    /// This call's sound was turned on once more although it flows.
    nudged: bool,
    /// The port was opened anew although sound flows: nothing was heard yet, or it stutters.
    reopened: bool,
    /// The way that this call left although it merely stuttered.
    left: Option<usize>,
    /// Since when next to nothing comes from the modem, or is taken by it.
    mute_since: Option<Moment>,
    /// Whether this call ever had sound both ways that could be understood.
    was_good: bool,
    lost_calls: u8,
    /// The sound decays: the modem must be restarted before the next call.
    decayed: bool,
    /// Since when the modem wants no sound.
    paused: Option<Moment>,
    /// How long it wanted none in this call before, less the time in which it took sound
    /// since: one that holds it for more than half of the time uses up its trust.
    held: Duration,
    /// When it said last that it can take more.
    went_on: Option<Moment>,
    /// It wanted none for too long in this call: it is not obeyed in that any more.
    forgot_pause: bool,
}

impl SoundLane {
    pub(super) fn new(profile: &Profile, wanted: Option<SoundPath>) -> Self {
        let choice = profile.sounds.iter().position(|sound| Some(sound.path) == wanted).unwrap_or(0);
        Self {
            choice,
            memory: SoundMemory::new(profile, choice),
            tried: 1,
            open: false,
            on: Sounding::Off,
            off_due: VecDeque::new(),
            stayed_on: false,
            watch: SoundWatch::default(),
            cures: 0,
            nudged: false,
            reopened: false,
            left: None,
            mute_since: None,
            was_good: false,
            lost_calls: 0,
            decayed: false,
            paused: None,
            held: Duration::ZERO,
            went_on: None,
            forgot_pause: false,
        }
    }

    /// A profile has at least one way of sound.
    pub(super) fn profile<'p>(&self, profile: &'p Profile) -> &'p SoundProfile {
        profile.sounds.get(self.choice).unwrap_or(&profile.sounds[0])
    }

    /// The rows of every way that are given once, those of the way that is used last: a
    /// call may have to go over to another way.
    pub(super) fn once(&self, profile: &Profile) -> Vec<SetUpRow> {
        let others = profile.sounds.iter().enumerate().filter(|(n, _)| *n != self.choice);
        let ways = others.map(|(_, sound)| sound).chain(std::iter::once(self.profile(profile)));
        ways.flat_map(|sound| sound.once.iter().cloned()).collect()
    }

    pub(super) const fn on(&self) -> Sounding {
        self.on
    }

    pub(super) fn is_on(&self) -> bool {
        self.on == Sounding::Flowing
    }

    pub(super) const fn is_open(&self) -> bool {
        self.open
    }

    pub(super) const fn is_lost(&self) -> bool {
        self.lost_calls >= LOST_CALLS_MAX
    }

    /// Turns the sound on at this time, where that takes a row.
    pub(super) fn turn_on_at(&mut self, at: Moment) {
        if self.on == Sounding::Off {
            self.on = Sounding::Due { at, tried: 0 };
        }
    }

    pub(super) fn begin_watch(&mut self, profile: &Profile) {
        self.watch = SoundWatch::new(self.profile(profile).rate);
        self.watch.paused = self.paused.is_some();
        (self.cures, self.nudged, self.reopened) = (0, false, false);
        (self.mute_since, self.was_good) = (None, false);
    }

    pub(super) fn forget_off(&mut self) {
        self.off_due.clear();
        self.stayed_on = false;
    }

    pub(super) fn is_heard(&self, now: Moment) -> bool {
        self.open && self.watch.is_heard(now)
    }
}

impl ModemLine {
    /// Whether a caller hears sound: then nothing may be reset.
    pub(super) fn hears_sound(&self, now: Moment) -> bool {
        self.calls.is_active() && self.sound.is_heard(now)
    }

    /// The way by which the sound of a call goes, or would go now.
    pub fn sound_path(&self) -> SoundPath {
        self.sound.profile(&self.profile).path
    }

    pub(super) fn open_sound(&mut self, now: Moment) {
        self.sound.off_due.clear();
        (self.sound.tried, self.sound.forgot_pause) = (1, false);
        (self.sound.held, self.sound.went_on, self.sound.left) = (Duration::ZERO, None, None);
        self.open_way(now);
    }

    /// Opens the way that is chosen, and turns it on when its time is there.
    fn open_way(&mut self, now: Moment) {
        let sound = self.sound.profile(&self.profile);
        let (is_answered, is_active) = match &self.calls.phase {
            Phase::Answering(answering) => (answering.ata == Ata::Done, answering.active),
            phase => (matches!(phase, Phase::Active { .. }), matches!(phase, Phase::Active { .. })),
        };
        let due = |at| Sounding::Due { at, tried: 0 };
        let on = match (&sound.on, sound.when) {
            (None, _) => Sounding::Flowing,
            (Some(_), SoundWhen::BeforeAnswer) => due(now),
            (Some(_), SoundWhen::AfterAnswer) if is_answered => due(now),
            (Some(_), SoundWhen::WhenActive) if is_active => due(now + sound.first_wait),
            (Some(_), SoundWhen::AfterAnswer | SoundWhen::WhenActive) => Sounding::Off,
        };
        let path = sound.path;
        (self.sound.on, self.sound.open) = (on, true);
        self.out.push_back(ModemOutput::OpenSound(path));
    }

    /// Goes over to the next way of sound within the call; false when all were tried.
    fn try_next_way(&mut self, now: Moment) -> bool {
        if let Some(choice) = self.untried_way() {
            self.go_by(choice, now);
            return true;
        }
        // A call that stutters is better than none.
        let Some(choice) = self.sound.left.take() else { return false };
        self.go_by(choice, now);
        // Its port was opened anew before it was left.
        self.sound.reopened = true;
        true
    }

    /// The next way that this call has not tried. It counts as tried then.
    fn untried_way(&mut self) -> Option<usize> {
        let ways = &self.profile.sounds;
        let (rate, mut choice) = (self.sound.profile(&self.profile).rate, self.sound.choice);
        while self.sound.tried < ways.len() {
            self.sound.tried += 1;
            choice = (choice + 1) % ways.len();
            // Whoever talks was told the rate with the answer.
            if !self.calls.is_active() || ways[choice].rate == rate {
                return Some(choice);
            }
        }
        None
    }

    /// Leaves the way that is used for another one.
    fn go_by(&mut self, choice: usize, now: Moment) {
        let may_be_on = !matches!(self.sound.on, Sounding::Off | Sounding::Due { tried: 0, .. });
        let off = if may_be_on { self.sound.profile(&self.profile).off.clone() } else { Vec::new() };
        self.sound.off_due = off.into();
        self.uplink(Flow::GoesOn, now);
        self.sound.choice = choice;
        (self.sound.cures, self.sound.nudged, self.sound.reopened) = (0, false, false);
        self.sound.watch.begin_way();
        self.support.line(format!("the sound goes by {} now", self.sound_path().name()), now);
        self.out.push_back(ModemOutput::CloseSound);
        self.open_way(now);
        self.connect_if_ready(now);
    }

    pub(super) fn close_sound(&mut self, now: Moment) {
        if !std::mem::take(&mut self.sound.open) {
            return;
        }
        self.uplink(Flow::GoesOn, now);
        self.out.push_back(ModemOutput::CloseSound);
        let off = &self.sound.profile(&self.profile).off;
        if self.sound.on != Sounding::Off && !off.is_empty() {
            self.sound.off_due = off.clone().into();
        }
        self.sound.on = Sounding::Off;
        self.judge_call(now);
    }

    /// Whether the call that ends had sound, and what follows for the next.
    fn judge_call(&mut self, now: Moment) {
        // A call too short to be measured says nothing.
        let mute = self.sound.mute_since.take().is_some_and(|since| now.since(since) >= Duration::from_secs(3));
        self.sound.decayed |= mute && self.sound_decays();
        let (falters, is_missing) = (self.sound.watch.falters(), mute || self.sound.watch.is_deaf());
        if falters || (is_missing && !self.sound.was_good) {
            self.sound_was_missing(if is_missing { Lacked::All } else { Lacked::Part }, now);
        } else if self.sound.was_good {
            self.sound.lost_calls = 0;
        }
        // The next call may end before its own is measured.
        self.sound.watch.begin_way();
        if std::mem::take(&mut self.sound.decayed) {
            self.plan_restart(now);
        }
        self.sound.was_good = false;
    }

    fn sound_was_missing(&mut self, lacked: Lacked, now: Moment) {
        let decays = self.sound_decays();
        self.counters.calls_without_sound += 1;
        self.sound.lost_calls = self.sound.lost_calls.saturating_add(1);
        if self.sound.lost_calls < LOST_CALLS_MAX {
            return;
        }
        // Another way of sound is tried before the modem is restarted.
        if self.profile.sounds.len() > 1 {
            self.sound_is_unproven();
            self.sound.choice = (self.sound.choice + 1) % self.profile.sounds.len();
            let path = self.sound.profile(&self.profile).path;
            self.support.line(format!("the next call's sound goes by {}", path.name()), now);
        }
        if decays || lacked == Lacked::Part {
            // What has decayed is cured by the maker's own restart alone. And what stutters may
            // not cost the line its calls, as faults beyond the hour's resets do.
            self.plan_restart(now);
        } else {
            self.heal(Rung::Soft, Reason::SoundLost, now);
        }
    }

    /// Whether the sound of this modem gets worse from call to call, and is cured by a restart.
    fn sound_decays(&self) -> bool {
        self.sound.profile(&self.profile).decay != Decay::Never
    }

    pub(super) fn sound_command_due(&self) -> Option<Moment> {
        let on = match self.sound.on {
            Sounding::Due { at, .. } if self.sound.open => Some(at),
            _ => None,
        };
        if self.sound.off_due.is_empty() { on } else { Some(self.since) }
    }

    pub(super) fn sound_command(&mut self, now: Moment) -> Option<Command<Job>> {
        // What is to be off is so before anything else is turned on.
        if let Some(off) = self.sound.off_due.pop_front() {
            return Some(Command::new(Job::SoundOff, &off).without_answer());
        }
        let Sounding::Due { at, tried } = self.sound.on else { return None };
        let sound = self.sound.profile(&self.profile);
        let row = sound.on.as_ref().filter(|_| self.sound.open && now >= at)?;
        let command = Command::new(Job::SoundOn, row).without_answer();
        self.sound.on = Sounding::Asked { tried: tried + 1 };
        Some(command)
    }

    /// The next writing follows a refusal alone: what is not answered may have been done.
    pub(super) fn sound_off_answered(&mut self, end: End, now: Moment) {
        let is_refused = matches!(end, End::Final(_)) && !end.is_ok();
        if !is_refused {
            self.sound.off_due.clear();
        }
        self.sound.stayed_on = is_refused && self.sound.off_due.is_empty();
        if self.sound.stayed_on {
            self.support.line("the modem does not turn its sound off by any row".to_owned(), now);
        }
    }

    pub(super) fn sound_on_answered(&mut self, end: End, now: Moment) {
        let Sounding::Asked { tried } = self.sound.on else { return };
        let sound = self.sound.profile(&self.profile);
        // Sound that flows is on: a modem that refuses to turn it on once more is right.
        let flows = self.calls.is_active() && self.sound.nudged && self.sound.cures == 0;
        if end.is_ok() || flows {
            self.sound.on = Sounding::Flowing;
            return self.connect_if_ready(now);
        }
        if sound.decay == Decay::ShowsAtFirstTry && tried == 1 && !self.sound.stayed_on {
            self.sound.decayed = true;
        }
        if tried <= sound.retries {
            self.sound.on = Sounding::Due { at: now + sound.retry_every, tried };
        } else if self.calls.is_active() {
            // It was on, and a cure did not help: what is heard decides.
            self.sound.on = Sounding::Flowing;
        } else {
            self.sound.on = Sounding::Off;
            self.sound_failed(now);
        }
    }

    /// The sound cannot be had by this way. Where there is no other the call is ended
    /// rather than answered mutely.
    pub(super) fn sound_failed(&mut self, now: Moment) {
        let has_call = matches!(self.calls.phase, Phase::Answering(_) | Phase::Active { .. });
        if self.sound.open && has_call && !self.try_next_way(now) {
            self.sound.mute_since = None;
            self.sound.watch.begin_way();
            self.begin_ending(EndCause::TemporaryFailure, now);
            self.sound_was_missing(Lacked::All, now);
        }
    }

    pub(super) fn sound_measured(&mut self, facts: &SoundFacts, now: Moment) {
        if !self.calls.is_active() || !self.sound.open {
            return;
        }
        let fault = self.sound.watch.measure(facts, now);
        let (comes, goes) = (self.sound.watch.comes(), self.sound.watch.goes());
        if comes && (goes || self.sound.paused.is_some()) {
            self.sound.mute_since = None;
        } else {
            self.sound.mute_since.get_or_insert(now);
        }
        if comes && goes {
            self.sound.was_good |= self.sound.watch.carries() && self.sound.watch.has_heard();
            if self.sound.watch.is_well() {
                self.sound_is_proven();
            }
        }
        if let Some(fault) = fault {
            self.cure(fault, now);
        }
        if self.sound.watch.stutters_on() {
            self.cure_stutter(now);
        }
    }

    fn cure(&mut self, fault: SoundFault, now: Moment) {
        self.out.push_back(ModemOutput::SoundTrouble(fault));
        self.support.line(format!("the sound is {}", shown(fault)), now);
        // A cure may bring it back for this call, and not for the next.
        self.sound.decayed |= fault == SoundFault::NoUplink && self.sound_decays();
        match fault {
            SoundFault::SilentDownlink if !self.sound.watch.has_heard() => self.cure_deaf(now),
            SoundFault::SilentDownlink | SoundFault::Stuttering => self.nudge(now),
            SoundFault::Missing | SoundFault::NoUplink => self.cure_missing(now),
        }
    }

    /// A caller who is silent looks the same: the sound's row is given again, once in a
    /// call, and nothing that could be heard is done.
    fn nudge(&mut self, now: Moment) {
        let has_row = self.sound.profile(&self.profile).on.is_some();
        if has_row && !self.sound.nudged && self.sound.on == Sounding::Flowing {
            self.sound.nudged = true;
            self.sound.on = Sounding::Due { at: now, tried: 0 };
        }
    }

    /// Nothing of this caller was as loud as the noise of a living line: after the row, the
    /// port is opened anew. The caller may hear the box all the same, so that
    /// nothing harder is done before the call is over.
    fn cure_deaf(&mut self, now: Moment) {
        let has_row = self.sound.profile(&self.profile).on.is_some();
        if has_row && !self.sound.nudged {
            self.nudge(now);
        } else if !std::mem::replace(&mut self.sound.reopened, true) {
            self.reopen(now);
        } else {
            if self.sound.left.is_some() {
                // By the way before, something was heard.
                self.try_next_way(now);
            }
            return;
        }
        self.sound.watch.look_again();
    }

    /// The row has not helped: the port is opened anew, and then another way is tried, each
    /// once in a call. Nothing harder is done: a call that stutters is better than none.
    fn cure_stutter(&mut self, now: Moment) {
        if !std::mem::replace(&mut self.sound.reopened, true) {
            self.support.line("the sound stutters on, and its port is opened anew".to_owned(), now);
            // What flows is on, and may refuse its row.
            self.sound.nudged = true;
            self.reopen(now);
            self.sound.watch.look_again();
        } else if let Some(choice) = self.untried_way() {
            self.sound.left.get_or_insert(self.sound.choice);
            self.go_by(choice, now);
        }
    }

    fn reopen(&mut self, now: Moment) {
        let sound = self.sound.profile(&self.profile);
        let (path, has_row) = (sound.path, sound.on.is_some());
        self.out.push_back(ModemOutput::CloseSound);
        self.out.push_back(ModemOutput::OpenSound(path));
        self.out.push_back(ModemOutput::FlushSound);
        if has_row {
            self.sound.on = Sounding::Due { at: now, tried: 0 };
        }
    }

    /// The milder cure first: the sound's row again, then its port anew, then another way.
    fn cure_missing(&mut self, now: Moment) {
        let has_row = self.sound.profile(&self.profile).on.is_some();
        self.sound.cures = self.sound.cures.saturating_add(1);
        match self.sound.cures {
            1 if has_row => self.sound.on = Sounding::Due { at: now, tried: 0 },
            1 | 2 => self.reopen(now),
            _ => {
                // It says itself what follows; without one the timer ends the call.
                self.try_next_way(now);
                return;
            }
        }
        self.sound.watch.look_again();
    }

    pub(super) fn sound_timer(&self) -> Option<Moment> {
        [self.mute_timer(), self.pause_timer()].into_iter().flatten().min()
    }

    /// Until when the modem is believed that it can take nothing.
    fn pause_timer(&self) -> Option<Moment> {
        self.sound.paused.map(|since| since + PAUSE_MAX.saturating_sub(self.sound.held))
    }

    fn mute_timer(&self) -> Option<Moment> {
        let muted = self.sound.mute_since.filter(|_| self.calls.is_active() && self.sound.open);
        muted.map(|since| since + MUTE_MAX)
    }

    pub(super) fn sound_timers(&mut self, now: Moment) {
        if self.pause_timer().is_some_and(|at| now >= at) {
            self.sound.forgot_pause = true;
            self.uplink(Flow::GoesOn, now);
        }
        if self.mute_timer().is_some_and(|at| now >= at) {
            self.begin_ending(EndCause::TemporaryFailure, now);
        }
    }

    /// The modem says that it can take no more sound, or that it can again.
    pub(super) fn uplink(&mut self, flow: Flow, now: Moment) {
        let stops = flow == Flow::Stops;
        if stops == self.sound.paused.is_some() || (stops && (!self.sound.open || self.sound.forgot_pause)) {
            return;
        }
        if let Some(since) = self.sound.paused {
            self.sound.held += now.since(since);
            self.sound.went_on = Some(now);
        } else if let Some(at) = self.sound.went_on {
            self.sound.held = self.sound.held.saturating_sub(now.since(at));
        }
        self.sound.paused = stops.then_some(now);
        self.sound.watch.paused = stops;
        self.support.line(if stops { "uplink stops" } else { "uplink goes on" }.to_owned(), now);
        self.out.push_back(if stops { ModemOutput::PauseUplink } else { ModemOutput::ResumeUplink });
    }
}

const fn shown(fault: SoundFault) -> &'static str {
    match fault {
        SoundFault::Missing => "missing",
        SoundFault::NoUplink => "not taken by the modem",
        SoundFault::SilentDownlink => "silent from the caller's side",
        SoundFault::Stuttering => "stuttering",
    }
}
