//! The end of a turn: when it is taken for over, and what becomes of one that was none.
//! How patient a pause is says the endpointer, and what its words are, the ears. It begins no turn.

use std::time::Duration;

use crate::conversation::timer::Timer;
use crate::conversation::utterance::Voice;
use crate::conversation::{Directive, Floor, Gist, NoTurn, Pause, pace};

use super::{Ended, TurnSoFar, TurnTaker, Wordless};

impl TurnTaker {
    /// Sets the timer for the end of the turn by what is known now.
    pub(super) fn time_the_end(&mut self) {
        let (Some(ends_at), Floor::Pausing(pause)) = (self.endpointer.ends_at(), self.endpointer.floor()) else {
            return;
        };
        if matches!(self.voice, Voice::Paused(_)) {
            // First it must be settled whether this is a turn at all.
            self.timers.stop(Timer::EndOfTurn);
            return;
        }
        let gist = pause.gist();
        let (reported, waits, late) = match self.turn.wordless {
            // It is told when most patience has run out, and so is that the caller goes on,
            // who in a number, a message or a sentence without its end mostly does.
            Some(Wordless { told_at, voice_until }) => {
                let is_whole = self.expectation().is_one_sentence() && gist.is_some_and(|g| g != Gist::Dangling);
                (told_at, !is_whole, voice_until.map_or(Duration::ZERO, |until| until.since(pause.ended)))
            }
            None => {
                let waits = gist.is_none() && self.turn.over_the_box;
                (pause.ended + pace::PAUSE_REPORTED_AFTER, waits, Duration::ZERO)
            }
        };
        let (ends_at, words_by) = (ends_at + late, reported + pace::OVERLAP_WORDS_WITHIN);
        self.timers.set(Timer::EndOfTurn, if waits { ends_at.max(words_by) } else { ends_at });
    }

    pub(super) fn end_of_turn_due(&mut self) {
        let Floor::Pausing(pause) = self.endpointer.floor() else { return };
        let gist = pause.gist();
        if let Some(why) = self.was_none(pause) {
            if gist == Some(Gist::Nothing) {
                self.count_words(Gist::Nothing);
            }
            self.drop_turn(why);
            return self.time_the_silence();
        }
        self.forget_turn();
        self.callers_floor = false;
        self.ended = Some(Ended { pause, decided_at: self.now });
        self.directives.push_back(Directive::EndOfTurn {
            request: pause.request,
            speech_began: pause.began,
            speech_ended: pause.ended,
            decided_at: self.now,
        });
        match gist {
            Some(gist) => self.count_words(gist),
            None => self.uncounted = Some(pause.request),
        }
    }

    /// Why a turn that has come to its end was none, if it was none.
    fn was_none(&self, pause: Pause) -> Option<NoTurn> {
        if self.turn.reopened {
            return None;
        }
        let short = pause.voiced < pace::COUGH_MAX;
        match pause.gist() {
            Some(Gist::Nothing) if short => Some(NoTurn::NoWords),
            Some(gist) if self.turn.over_the_box => self.no_turn(gist),
            None if self.turn.over_the_box && short => Some(NoTurn::NoWords),
            Some(_) | None => None,
        }
    }

    pub(super) fn drop_turn(&mut self, why: NoTurn) {
        let speech_began = match self.endpointer.floor() {
            Floor::Quiet => return,
            Floor::Speaking { began, .. } => began,
            Floor::Pausing(pause) => {
                self.directives.push_back(Directive::Abandon { request: pause.request });
                pause.began
            }
        };
        self.forget_turn();
        self.directives.push_back(Directive::TurnDropped { speech_began, why });
    }

    fn forget_turn(&mut self) {
        self.endpointer.finish();
        self.turn = TurnSoFar::default();
        self.probe = None;
        for timer in [Timer::EndOfTurn, Timer::OverlapLasts, Timer::OverlapWords, Timer::Probe, Timer::TooLong] {
            self.timers.stop(timer);
        }
    }
}
