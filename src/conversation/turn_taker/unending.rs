use crate::conversation::timer::Timer;
use crate::conversation::{Directive, Expectation, Floor, NoTurn, pace};
use crate::terms::Moment;

use super::{Sound, TurnTaker, Voice, Wordless};

/// A voice that does not stop: a caller who talks on, or a noise.
impl TurnTaker {
    pub(super) fn time_the_talk(&mut self) {
        let Floor::Speaking { began, since, .. } = self.endpointer.floor() else { return };
        self.timers.set(Timer::Probe, since + pace::UNBROKEN_VOICE_MAX);
        if self.turn.break_ins == 0 {
            let message = self.expectation() == Expectation::Message;
            self.timers.set(Timer::TooLong, began + if message { pace::MESSAGE_MAX } else { pace::TURN_MAX });
        } else if self.turn.break_ins < pace::BREAK_INS_MAX {
            self.timers.set(Timer::TooLong, self.now + pace::BREAK_IN_EVERY);
        }
    }

    pub(super) fn probe_due(&mut self) {
        let request = self.take_request();
        self.probe = Some(request);
        self.directives.push_back(Directive::Decode { request });
    }

    pub(super) fn too_long_due(&mut self) {
        let Floor::Speaking { began, .. } = self.endpointer.floor() else { return };
        self.turn.break_ins += 1;
        self.directives.push_back(Directive::TooLong { speech_began: began, nth: self.turn.break_ins });
        if self.turn.break_ins < pace::BREAK_INS_MAX {
            self.timers.set(Timer::TooLong, self.now + pace::BREAK_IN_EVERY);
        }
    }

    pub(super) fn noise(&mut self) {
        // If the box had paused for it, the box speaks on over it.
        self.resume_speech(NoTurn::Noise);
        self.drop_turn(NoTurn::Noise);
        self.sound = Sound::Ignored;
        self.directives.push_back(Directive::Noise);
        self.time_the_silence();
    }

    /// The last word ended at `at`, and no other has come up to `silent_until`. If no pause
    /// has been reported since it was said, or the sound began after it and has no word in
    /// it, what sounds is a noise. The turn pauses as it would in silence.
    pub(super) fn words_ended(&mut self, at: Moment, silent_until: Moment) {
        let Floor::Speaking { since, .. } = self.endpointer.floor() else { return };
        let is_noise = since <= at || silent_until >= since + pace::WORDLESS_AFTER;
        if self.sound == Sound::Voice && is_noise {
            self.turn.wordless = Some(Wordless { told_at: self.now, voice_until: None });
            self.voice_ended(Sound::Wordless, at);
        }
    }

    /// What sounded without words stopped at `at`. If that is soon after the words had ended,
    /// it was the caller, who thinks aloud: patience is counted from there.
    pub(super) fn wordless_ended(&mut self, at: Moment) {
        let soon = |wordless: &&mut Wordless| at.since(wordless.told_at) < pace::WORDLESS_AFTER;
        if let Some(wordless) = self.turn.wordless.as_mut().filter(soon) {
            wordless.voice_until = Some(at);
            self.time_the_end();
        }
    }

    /// A word began at `at`: in what sounded without any, the caller speaks. The turn goes
    /// on, or the box is interrupted, as by a voice.
    pub(super) fn words_began(&mut self, at: Moment) {
        match (self.sound, self.unheeded_until) {
            (Sound::Ignored | Sound::Wordless, _) => {
                self.sound = Sound::None;
                self.speech_started(at);
            }
            // The noise ended with the words, before the ears told of them.
            (Sound::None, Some(until)) if at < until => {
                self.unheeded_until = None;
                self.speech_started(at);
                self.speech_paused(until);
            }
            _ => {}
        }
    }

    /// The next word is the caller's and may be said in what sounds on. Not before: a
    /// noise would cut off the next sentence of the answer.
    pub(super) fn box_owes_nothing(&mut self) {
        let nobody_speaks = self.voice == Voice::Silent && self.endpointer.floor() == Floor::Quiet;
        if nobody_speaks && matches!(self.sound, Sound::Wordless) {
            // The turn was answered, if by nothing: what is said now does not go on with it.
            self.ended = None;
            self.confirm_after_echo(self.now);
        }
    }

    /// What still sounds when the echo has died away is the caller.
    pub(super) fn confirm_after_echo(&mut self, began: Moment) {
        let counts_from = self.now + pace::ECHO_TAIL;
        self.sound = Sound::Unconfirmed { began, counts_from };
        self.timers.set(Timer::Confirm, counts_from);
    }
}
