//! The box's own voice in the turns: it begins and ends, is paused for what may be the
//! caller, and goes on or is given up. Whether a sound is the caller is not settled here,
//! and nothing is played.

use std::time::Duration;

use crate::conversation::timer::Timer;
use crate::conversation::utterance::{Utterance, Voice};
use crate::conversation::{Directive, Floor, Manners, NoTurn, Resumption, pace};
use crate::terms::UtteranceId;

use super::{Sound, TurnTaker};

impl TurnTaker {
    pub(super) fn box_speaking(&mut self, utterance: Utterance) {
        if self.voice.id() == Some(utterance.id) {
            return;
        }
        self.lift_pause();
        self.voice = Voice::Speaking(utterance);
        // An answer sounds: what the caller says now is about it.
        self.ended = None;
        self.timers.stop(Timer::Silence);
        if self.sound == Sound::Voice {
            self.pause_speech(utterance);
        }
    }

    pub(super) fn box_progress(&mut self, utterance: UtteranceId, played: Duration, total: Option<Duration>) {
        let now = self.now;
        if let Some(speaking) = self.voice.utterance_mut().filter(|u| u.id == utterance) {
            speaking.played = speaking.played.max(played);
            speaking.total = total.or(speaking.total);
            speaking.reported_at = now;
        }
    }

    pub(super) fn box_finished(&mut self, utterance: UtteranceId, played: Duration) {
        if self.voice.id() != Some(utterance) {
            return;
        }
        self.box_progress(utterance, played, None);
        self.lift_pause();
        let unconfirmed = match self.sound {
            Sound::Unconfirmed { began, .. } => Some((began, self.may_be_the_caller(began))),
            Sound::None | Sound::Voice | Sound::Ignored | Sound::Wordless => None,
        };
        self.voice = Voice::Silent;
        self.callers_floor = true;
        match unconfirmed {
            Some((began, true)) => self.voice_began(began),
            Some((began, false)) => self.confirm_after_echo(began),
            None => {}
        }
        self.time_the_end();
        self.time_the_silence();
    }

    /// The utterance is over although it was to be paused: only the pause is
    /// lifted, and what the caller says is a turn like any other.
    fn lift_pause(&mut self) {
        let Voice::Paused(utterance) = self.voice else { return };
        self.voice = Voice::Silent;
        self.timers.stop(Timer::OverlapLasts);
        self.timers.stop(Timer::OverlapWords);
        self.directives.push_back(Directive::ResumeSpeech { utterance: utterance.id, why: Resumption::AlreadyOver });
        self.time_the_end();
    }

    pub(super) fn pause_speech(&mut self, utterance: Utterance) {
        if utterance.manners == Manners::Insists || utterance.is_ending(self.now) {
            return;
        }
        self.voice = Voice::Paused(utterance);
        self.directives.push_back(Directive::PauseSpeech { utterance: utterance.id });
        self.time_the_overlap();
    }

    /// A pause of the caller would have been reported by then.
    pub(super) fn time_the_overlap(&mut self) {
        let Floor::Speaking { since, voiced, .. } = self.endpointer.floor() else { return };
        let wanting = pace::INTERRUPTION_FROM.saturating_sub(voiced);
        self.timers.set(Timer::OverlapLasts, since + wanting + pace::PAUSE_REPORTED_AFTER);
    }

    /// The sound was no interruption.
    pub(super) fn resume_speech(&mut self, why: NoTurn) {
        let Voice::Paused(mut utterance) = self.voice else { return };
        if self.turn.reopened {
            return self.stop_speech();
        }
        self.drop_turn(why);
        utterance.false_interruptions = utterance.false_interruptions.saturating_add(1);
        utterance.reported_at = self.now;
        self.voice = Voice::Speaking(utterance);
        self.false_interruptions = self.false_interruptions.saturating_add(1);
        self.directives
            .push_back(Directive::ResumeSpeech { utterance: utterance.id, why: Resumption::FalseInterruption });
    }

    /// The caller has the floor.
    pub(super) fn stop_speech(&mut self) {
        let Voice::Paused(utterance) = self.voice else { return };
        self.voice = Voice::Silent;
        self.timers.stop(Timer::OverlapLasts);
        self.timers.stop(Timer::OverlapWords);
        self.callers_floor = true;
        self.directives.push_back(Directive::StopSpeech { utterance: utterance.id, heard: utterance.played });
        self.time_the_end();
    }
}
