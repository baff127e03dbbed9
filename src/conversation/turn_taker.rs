mod box_voice;
mod end_of_turn;
mod unending;

use std::collections::VecDeque;

use crate::terms::{Moment, RequestId};

use super::endpointer::{Endpointer, Floor, Pause};
use super::pace;
use super::silence::SilencePolicy;
use super::timer::{Timer, TimerTable};
use super::utterance::{Utterance, Voice};
use super::{Directive, Expectation, Fact, Gist, Manners, NoTurn, Overlap, SilenceNth, Trust};

/// The caller's sound.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
enum Sound {
    #[default]
    None,
    /// There is a sound over the box's voice; it is not known whether it is the
    /// caller. It is long enough for an interruption from `counts_from` on.
    Unconfirmed { began: Moment, counts_from: Moment },
    /// The caller speaks, and the turn is the endpointer's.
    Voice,
    /// A sound that does not count until it has paused or words come in it.
    Ignored,
    /// What sounded on when the caller's words were over. It does not count until it has paused, words come in it, or the box owes nothing.
    Wordless,
}

/// Facts of the turn under way that the endpointer does not need.
#[derive(Clone, Copy, Debug, Default)]
struct TurnSoFar {
    /// It had been taken for over once, so its words are real.
    reopened: bool,
    /// It began over an utterance that does not give way: only words make it a turn.
    over_the_box: bool,
    break_ins: u8,
    /// Its words ended in what sounded on.
    wordless: Option<Wordless>,
}

/// Words that had ended before a pause was heard.
#[derive(Clone, Copy, Debug)]
struct Wordless {
    told_at: Moment,
    /// A pause that came so soon after it ends a voice and no noise: one that hesitates
    /// aloud, which the ears take for no word.
    voice_until: Option<Moment>,
}

/// A turn that was taken for over and not yet answered.
#[derive(Clone, Copy, Debug)]
struct Ended {
    pause: Pause,
    decided_at: Moment,
}

/// Decides whose turn it is.
///
/// The protocol of use: give it every fact with [`handle`](Self::handle) as it
/// becomes known, and wake it with [`handle_timeout`](Self::handle_timeout) at
/// [`deadline`](Self::deadline); after each of the two, drain
/// [`poll`](Self::poll) until it is empty. Time may stand still between calls
/// and never runs backwards: an earlier `now` counts as the latest one.
///
/// Between a [`Directive::TurnBegan`] or [`Directive::TurnGoesOn`] and the next
/// stands exactly one [`Directive::EndOfTurn`] or [`Directive::TurnDropped`];
/// each [`Directive::PauseSpeech`] is followed by exactly one
/// [`Directive::ResumeSpeech`] or [`Directive::StopSpeech`]. No turn ends while
/// the caller speaks; in a noise, words that have ended tell that nobody does.
///
/// The floor is the box's at first: no silence is counted before the box has
/// finished an utterance, or the call has said what it expects.
#[derive(Debug)]
pub struct TurnTaker {
    now: Moment,
    endpointer: Endpointer,
    voice: Voice,
    sound: Sound,
    /// Where a sound ended that did not count. Words in it may still be told of.
    unheeded_until: Option<Moment>,
    turn: TurnSoFar,
    /// The latest measurement over the box's voice, and when it came.
    overlap: Option<(Moment, Overlap)>,
    ended: Option<Ended>,
    /// Whose words are still to be counted as words or as none.
    uncounted: Option<RequestId>,
    /// The request that asks an unbroken voice for its words.
    probe: Option<RequestId>,
    wordless_turns: u8,
    silence: SilencePolicy,
    /// Whether the caller is to speak next; otherwise the box owes something.
    callers_floor: bool,
    held: bool,
    last_key_at: Moment,
    false_interruptions: u32,
    next_request: RequestId,
    timers: TimerTable,
    /// Drained after every fact, none of which makes more than eight.
    directives: VecDeque<Directive>,
}

impl Default for TurnTaker {
    fn default() -> Self {
        Self::new()
    }
}

impl TurnTaker {
    /// For a call that has just been answered. Requests count from 0.
    pub fn new() -> Self {
        Self {
            now: Moment::START,
            endpointer: Endpointer::default(),
            voice: Voice::Silent,
            sound: Sound::None,
            unheeded_until: None,
            turn: TurnSoFar::default(),
            overlap: None,
            ended: None,
            uncounted: None,
            probe: None,
            wordless_turns: 0,
            silence: SilencePolicy::new(),
            callers_floor: false,
            held: false,
            last_key_at: Moment::START,
            false_interruptions: 0,
            next_request: RequestId::default(),
            timers: TimerTable::default(),
            directives: VecDeque::new(),
        }
    }

    /// Whether the caller speaks, has paused within a turn, or neither.
    pub const fn floor(&self) -> Floor {
        self.endpointer.floor()
    }

    pub const fn expectation(&self) -> Expectation {
        self.endpointer.expectation()
    }

    /// How often the box paused for a sound that was no interruption.
    pub const fn false_interruptions(&self) -> u32 {
        self.false_interruptions
    }

    /// Takes a fact that became known at `now`.
    pub fn handle(&mut self, fact: Fact, now: Moment) {
        self.now = self.now.max(now);
        match fact {
            Fact::SpeechStarted { at } => self.speech_started(at.min(self.now)),
            Fact::SpeechPaused { at } => self.speech_paused(at.min(self.now)),
            Fact::WordsBegan { at } => self.words_began(at.min(self.now)),
            Fact::WordsEnded { at, silent_until } => self.words_ended(at.min(self.now), silent_until.min(self.now)),
            Fact::Overlap(overlap) => self.measured(overlap),
            Fact::BoxSpeaking { utterance, at, manners } => {
                self.box_speaking(Utterance::new(utterance, at.min(self.now), manners));
            }
            Fact::BoxProgress { utterance, played, total } => self.box_progress(utterance, played, total),
            Fact::BoxFinished { utterance, at: _, played } => self.box_finished(utterance, played),
            Fact::TurnOver { request, probability } => {
                self.endpointer.judged(request, probability);
                self.time_the_end();
            }
            Fact::Heard { request, gist, trust } => self.heard(request, gist, trust),
            Fact::Digit { at } => self.digit(at.min(self.now)),
            Fact::Expecting(expectation) => self.expecting(expectation),
            Fact::BoxOwesNothing => self.box_owes_nothing(),
            Fact::Held => self.hold(),
            Fact::Resumed => {
                self.held = false;
                self.voice.goes_on(self.now);
                self.time_the_silence();
            }
        }
    }

    /// Serves every timer that has run out by `now`, each at most once.
    pub fn handle_timeout(&mut self, now: Moment) {
        self.now = self.now.max(now);
        for timer in Timer::ALL {
            if !self.timers.take_expired(timer, self.now) {
                continue;
            }
            match timer {
                Timer::Confirm => self.confirm_due(),
                Timer::OverlapLasts => self.stop_speech(),
                Timer::OverlapWords => self.overlap_words_due(),
                Timer::EndOfTurn => self.end_of_turn_due(),
                Timer::Probe => self.probe_due(),
                Timer::TooLong => self.too_long_due(),
                Timer::Silence => self.silence_due(),
                Timer::KeysOver => {
                    self.directives.push_back(Directive::KeysOver { last_key_at: self.last_key_at });
                    self.time_the_silence();
                }
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted, and why.
    pub fn deadline(&self) -> Option<(Moment, &'static str)> {
        self.timers.next().map(|(due, timer)| (due, timer.reason()))
    }

    /// The next thing to do, in order.
    pub fn poll(&mut self) -> Option<Directive> {
        self.directives.pop_front()
    }

    // The caller's sound.

    fn speech_started(&mut self, at: Moment) {
        if self.held || self.sound != Sound::None {
            return;
        }
        match self.voice {
            // Within a turn of the caller, sound is the caller's.
            Voice::Speaking(utterance) if self.endpointer.floor() == Floor::Quiet => {
                let noisy = utterance.false_interruptions >= pace::FALSE_INTERRUPTIONS_BORNE;
                let after = if noisy { pace::INTERRUPTS_AFTER_WHEN_NOISY } else { pace::INTERRUPTS_AFTER };
                self.sound = Sound::Unconfirmed { began: at, counts_from: at + after };
                self.timers.set(Timer::Confirm, at + after);
            }
            Voice::Silent | Voice::Speaking(_) | Voice::Paused(_) => self.voice_began(at),
        }
    }

    fn confirm_due(&mut self) {
        let Sound::Unconfirmed { began, .. } = self.sound else { return };
        if self.voice == Voice::Silent {
            // The box's last echo has died away: from now on it is the caller.
            self.voice_began(self.now);
        } else if self.may_be_the_caller(began) {
            self.voice_began(began);
        }
    }

    /// Whether nothing speaks for an echo or for somebody else in the room.
    fn may_be_the_caller(&self, began: Moment) -> bool {
        match (self.voice, self.overlap) {
            (Voice::Speaking(utterance) | Voice::Paused(utterance), Some((measured_at, overlap))) => {
                measured_at < began || utterance.lets_through(began, measured_at, overlap)
            }
            (Voice::Silent, _) | (_, None) => true,
        }
    }

    fn measured(&mut self, mut overlap: Overlap) {
        if overlap.level_dbfs.is_nan() || overlap.echo_likelihood.is_nan() {
            return;
        }
        overlap.echo_likelihood = overlap.echo_likelihood.clamp(0.0, 1.0);
        if let Some((measured_at, before)) = self.overlap
            && self.now.since(measured_at) <= pace::ECHO_REMEMBERED
        {
            let step = overlap.echo_likelihood - before.echo_likelihood;
            overlap.echo_likelihood = before.echo_likelihood + step * pace::ECHO_WEIGHT;
            overlap.level_dbfs = overlap.level_dbfs.max(before.level_dbfs - pace::LEVEL_FALLS_DB);
        }
        self.overlap = Some((self.now, overlap));
        match (self.sound, self.voice) {
            // The time to confirm passed while it looked like an echo: what
            // sounded until now was one.
            (Sound::Unconfirmed { began, .. }, _)
                if !self.timers.is_running(Timer::Confirm) && self.may_be_the_caller(began) =>
            {
                self.voice_began(began.max(self.now - pace::INTERRUPTS_AFTER));
            }
            (Sound::Voice, Voice::Paused(utterance)) if !self.turn.reopened => {
                let Floor::Speaking { since, .. } = self.endpointer.floor() else { return };
                if !utterance.lets_through(since, self.now, overlap) {
                    self.resume_speech(NoTurn::Echo);
                    self.sound = Sound::Unconfirmed { began: since, counts_from: since + pace::INTERRUPTS_AFTER };
                }
            }
            _ => {}
        }
    }

    /// The sound is the caller's: a turn begins or goes on.
    fn voice_began(&mut self, at: Moment) {
        self.sound = Sound::Voice;
        for timer in [Timer::Confirm, Timer::OverlapWords, Timer::EndOfTurn, Timer::Silence] {
            self.timers.stop(timer);
        }
        match (self.endpointer.floor(), self.ended.take()) {
            (Floor::Quiet, Some(ended)) if self.was_not_over(ended) => self.turn_goes_on(ended, at),
            (Floor::Quiet, _) => self.turn_began(at),
            (Floor::Speaking { .. } | Floor::Pausing(_), _) => {
                if let Some(request) = self.endpointer.speech_started(at) {
                    self.directives.push_back(Directive::Abandon { request });
                }
            }
        }
        self.time_the_talk();
        match self.voice {
            Voice::Speaking(utterance) => self.pause_speech(utterance),
            Voice::Paused(_) => self.time_the_overlap(),
            Voice::Silent => {}
        }
    }

    fn was_not_over(&self, ended: Ended) -> bool {
        self.voice == Voice::Silent && self.now <= ended.decided_at + pace::GOES_ON_WITHIN
    }

    fn turn_goes_on(&mut self, ended: Ended, at: Moment) {
        self.endpointer.goes_on(ended.pause, at.max(ended.pause.ended));
        self.turn = TurnSoFar { reopened: true, ..TurnSoFar::default() };
        self.uncounted = None;
        // The box owes nothing any more: if this turn is dropped, silence counts.
        self.callers_floor = true;
        self.directives.push_back(Directive::TurnGoesOn { request: ended.pause.request });
    }

    fn turn_began(&mut self, at: Moment) {
        // A first turn never abandons anything.
        let earlier = self.endpointer.speech_started(at);
        debug_assert!(earlier.is_none());
        let over_the_box = matches!(self.voice, Voice::Speaking(u) if u.manners == Manners::Insists);
        self.turn = TurnSoFar { over_the_box, ..TurnSoFar::default() };
        self.directives.push_back(Directive::TurnBegan { at });
    }

    fn speech_paused(&mut self, at: Moment) {
        match self.sound {
            Sound::None => return,
            Sound::Ignored | Sound::Wordless => {
                self.sound = Sound::None;
                self.unheeded_until = Some(at);
                self.wordless_ended(at);
                return self.time_the_silence();
            }
            Sound::Unconfirmed { began, counts_from } => {
                let late = at >= counts_from && self.timers.is_running(Timer::Confirm);
                self.timers.stop(Timer::Confirm);
                self.sound = Sound::None;
                // The timer is late, not the caller.
                if !late || !self.may_be_the_caller(began) {
                    return self.time_the_silence();
                }
                self.voice_began(began);
            }
            Sound::Voice => {}
        }
        self.voice_ended(Sound::None, at);
    }

    /// The caller's voice ended at `at`, and this is what there is to hear since.
    fn voice_ended(&mut self, since: Sound, at: Moment) {
        self.sound = since;
        self.turn.wordless = self.turn.wordless.filter(|_| since == Sound::Wordless);
        for timer in [Timer::OverlapLasts, Timer::Probe, Timer::TooLong] {
            self.timers.stop(timer);
        }
        self.probe = None;
        self.pause_began(at);
    }

    fn pause_began(&mut self, at: Moment) {
        let over_the_box = matches!(self.voice, Voice::Paused(_)) && !self.turn.reopened;
        if over_the_box && self.endpointer.voiced_until(at) < pace::SHORTEST_WORD {
            return self.resume_speech(NoTurn::NoWords);
        }
        let request = self.take_request();
        let Some(pause) = self.endpointer.speech_paused(at, request) else { return };
        if over_the_box {
            self.timers.set(Timer::OverlapWords, self.now + pace::OVERLAP_WORDS_WITHIN);
        }
        self.directives.push_back(Directive::Decode { request });
        self.directives.push_back(Directive::Judge { request });
        if pause.voiced >= pace::INTERRUPTION_FROM || self.turn.reopened {
            self.stop_speech();
        }
        self.time_the_end();
    }

    fn take_request(&mut self) -> RequestId {
        let request = self.next_request;
        self.next_request = request.next();
        request
    }

    // What the ears and the judge answer.

    fn heard(&mut self, request: RequestId, gist: Gist, trust: Trust) {
        if self.uncounted == Some(request) {
            self.uncounted = None;
            self.count_words(gist);
        }
        if self.probe == Some(request) {
            self.probe = None;
            if gist == Gist::Nothing {
                self.noise();
            }
            return;
        }
        self.endpointer.heard(request, gist);
        match self.endpointer.floor() {
            Floor::Pausing(pause) if pause.request == request => {
                if matches!(self.voice, Voice::Paused(_)) {
                    self.settle_overlap(pause, gist, trust);
                } else {
                    self.time_the_end();
                }
            }
            Floor::Quiet | Floor::Speaking { .. } | Floor::Pausing(_) => {}
        }
    }

    /// The words of a short sound over the box's voice have come.
    fn settle_overlap(&mut self, pause: Pause, gist: Gist, trust: Trust) {
        match self.no_turn(gist) {
            Some(why) => self.resume_speech(why),
            None if trust == Trust::Doubtful && pause.voiced < pace::COUGH_MAX => self.resume_speech(NoTurn::NoWords),
            None => self.stop_speech(),
        }
    }

    /// Why words spoken over the box are no turn, if they are none.
    fn no_turn(&self, gist: Gist) -> Option<NoTurn> {
        match gist {
            Gist::Nothing => Some(NoTurn::NoWords),
            Gist::Backchannel => Some(NoTurn::Backchannel),
            Gist::Yes => (self.expectation() != Expectation::YesNo).then_some(NoTurn::Backchannel),
            Gist::No | Gist::Dangling | Gist::Words => None,
        }
    }

    fn overlap_words_due(&mut self) {
        let (Voice::Paused(_), Floor::Pausing(pause)) = (self.voice, self.endpointer.floor()) else { return };
        if pause.voiced < pace::COUGH_MAX { self.resume_speech(NoTurn::NoWords) } else { self.stop_speech() }
    }

    fn count_words(&mut self, gist: Gist) {
        if gist == Gist::Nothing {
            self.wordless_turns += 1;
            if self.wordless_turns >= pace::WORDLESS_TURNS_MAX {
                self.wordless_turns = 0;
                self.directives.push_back(Directive::Noise);
            }
        } else {
            self.wordless_turns = 0;
            self.silence = SilencePolicy::new();
        }
    }

    // Silence, keys and hold.

    fn expecting(&mut self, expectation: Expectation) {
        self.endpointer.expect(expectation);
        self.callers_floor = true;
        self.time_the_end();
        self.time_the_silence();
    }

    /// Counts silence from now on, if both are silent and it is the caller's turn.
    fn time_the_silence(&mut self) {
        let both_silent = self.voice == Voice::Silent
            && self.endpointer.floor() == Floor::Quiet
            && matches!(self.sound, Sound::None | Sound::Ignored | Sound::Wordless);
        let keying = self.timers.is_running(Timer::KeysOver);
        match self.silence.patience(self.expectation()) {
            Some(patience) if both_silent && self.callers_floor && !self.held && !keying => {
                self.timers.set(Timer::Silence, self.now + patience);
            }
            Some(_) | None => self.timers.stop(Timer::Silence),
        }
    }

    fn silence_due(&mut self) {
        let Some(nth) = self.silence.take() else { return };
        self.directives.push_back(Directive::Silence { nth });
        if nth != SilenceNth::Goodbye {
            self.time_the_silence();
        }
    }

    fn digit(&mut self, at: Moment) {
        self.last_key_at = at;
        self.silence = SilencePolicy::new();
        self.wordless_turns = 0;
        self.timers.stop(Timer::Silence);
        self.timers.set(Timer::KeysOver, self.now + pace::KEYS_OVER_AFTER);
        // A key is never an echo, so nothing need be waited for.
        if let Voice::Speaking(utterance) = self.voice {
            self.pause_speech(utterance);
        }
        self.stop_speech();
    }

    fn hold(&mut self) {
        self.held = true;
        self.stop_speech();
        self.drop_turn(NoTurn::Hold);
        self.sound = Sound::None;
        self.unheeded_until = None;
        self.ended = None;
        for timer in [Timer::Confirm, Timer::Silence] {
            self.timers.stop(timer);
        }
    }
}
