//! Whose turn it is: what the turn taker is told, and what is done as it says.

use super::super::output::Output;
use super::super::phrases;
use super::super::saying::{TurnTimes, What};
use super::super::timers::Timer;
use super::behind::Behind;
use super::{BREAK_INS_MAX, Call, Ears, PendingTurn, Stage, Topic};
use crate::conversation::{Directive, Expectation, Fact, Floor, SilenceNth};
use crate::terms::{EndCause, Moment, RequestId};

impl Call {
    /// Who is not listened to, or is handed to a person, still has keys, silences and
    /// holds.
    pub(super) fn tell(&mut self, fact: Fact, now: Moment) {
        let of_the_ears = matches!(
            fact,
            Fact::SpeechStarted { .. }
                | Fact::SpeechPaused { .. }
                | Fact::WordsBegan { .. }
                | Fact::WordsEnded { .. }
                | Fact::Overlap(_)
                | Fact::TurnOver { .. }
                | Fact::Heard { .. }
        );
        // That a voice has stopped is true beside a person too.
        let is_heard = !self.is_handed_over() || matches!(fact, Fact::SpeechPaused { .. });
        if self.facts.ears == Ears::Listening && is_heard || !of_the_ears {
            self.taker.handle(fact, now);
        }
    }

    pub(super) fn follow_turn_taker(&mut self, now: Moment) {
        while let Some(directive) = self.taker.poll() {
            if matches!(self.stage, Stage::Conversing(_)) {
                self.follow(directive, now);
            }
        }
    }

    pub(super) fn follow(&mut self, directive: Directive, now: Moment) {
        match directive {
            Directive::TurnBegan { at } => self.turn_began(at),
            Directive::Decode { request } => self.decode(request),
            // Only a pause is judged, and only the words of a pause can become a turn's.
            Directive::Judge { request } => {
                self.decoding = Some(request);
                self.out.push_back(Output::Judge { request, expected: self.taker.expectation() });
            }
            Directive::Abandon { request } => self.abandon(request),
            Directive::TurnGoesOn { request } => self.turn_goes_on(request, now),
            Directive::TurnDropped { .. } => {
                self.drop_held_back();
                self.forget_words();
                self.invite(now);
            }
            Directive::EndOfTurn { request, speech_began, speech_ended, decided_at } => {
                let times = TurnTimes { speech_ended, decided: decided_at, words: None, found: None };
                self.turn_ended(PendingTurn { request, began: speech_began, times, heard: None }, now);
            }
            Directive::PauseSpeech { .. } => self.out.push_back(Output::PauseMouth),
            Directive::ResumeSpeech { .. } => self.out.push_back(Output::ResumeMouth),
            Directive::StopSpeech { heard, .. } => self.stop_speaking(Some(heard), now),
            Directive::Silence { nth } => self.silence(nth, now),
            Directive::TooLong { speech_began, nth } => self.too_long(speech_began, nth, now),
            // A steady noise: the ears are of no use, so the keys are offered.
            Directive::Noise if self.rings_all_the_same(now) => {}
            Directive::Noise => {
                self.counts.unheard += 1;
                self.offer_keys(now);
            }
            Directive::KeysOver { .. } => self.keys_over(now),
        }
    }

    pub(super) fn abandon(&mut self, request: RequestId) {
        if !self.take_held_back(request) {
            self.out.push_back(Output::AbandonDecode);
        }
        if self.heard.as_ref().is_some_and(|h| h.request == request) || self.decoding == Some(request) {
            self.forget_words();
        }
    }

    /// The words of the latest pause are not wanted, nor is what was found for them;
    /// those of a turn that is over still are.
    pub(super) fn forget_words(&mut self) {
        self.decoding = None;
        if let Some(heard) = self.heard.take() {
            self.take_back(heard.request);
        }
    }

    /// The caller was not done, and no answer has sounded: everything since the
    /// end of that turn is taken back.
    pub(super) fn turn_goes_on(&mut self, request: RequestId, now: Moment) {
        // Of a turn that waits behind another nothing has been asked yet.
        if self.goes_on_behind(request) {
            return;
        }
        self.timers.stop(Timer::Words);
        self.timers.stop(Timer::Filler);
        if self.own_request.is_none() {
            self.timers.stop(Timer::Finding);
        }
        if let Some(pending) = self.pending.take_if(|p| p.request == request) {
            self.out.push_back(Output::AbandonDecode);
            return self.take_back(pending.request);
        }
        // What was heard of it will be heard again, with the rest.
        if let Some((_, turn)) = self.unspoken_turn.take_if(|(of, _)| *of == request) {
            self.left.extend(turn.failovers);
        }
        if let Some(before) = self.before_answer.take_if(|b| b.request == request) {
            self.stop_speaking(None, now);
            // What was asked before this turn is not taken back with it.
            if self.own_request.is_none() || self.own_request != before.own {
                self.drop_own_question();
                if let Some(asked) = self.asked_last {
                    self.take_back(asked);
                }
            }
            self.stage = before.stage;
            self.counts = before.counts;
            self.last_answer = before.last_answer;
            self.settled_at = before.settled_at;
        }
    }

    pub(super) fn too_long(&mut self, speech_began: Moment, nth: u8, now: Moment) {
        self.follow_unanswered(now);
        self.out.push_back(Output::AbandonDecode);
        if let Some(pending) = self.pending.take() {
            self.take_back(pending.request);
        }
        self.behind = Behind::default();
        self.forget_words();
        self.drop_answer();
        if self.rings_all_the_same(now) {
            return;
        }
        let sound = self.sound(speech_began, now);
        if let Stage::Conversing(Topic::Message(taking)) = &mut self.stage {
            let next = taking.too_long(sound);
            self.message_next(next, now);
        } else if nth < BREAK_INS_MAX {
            self.say(phrases::TOO_LONG, What::BreakingIn, now);
        } else {
            self.farewell(phrases::CANNOT_FOLLOW, EndCause::NormalClearing, now);
        }
    }

    pub(super) fn silence(&mut self, nth: SilenceNth, now: Moment) {
        if !self.says.is_empty() || self.is_at_a_question() {
            if nth == SilenceNth::Goodbye {
                self.timers.start(Timer::LastSilence, now);
            }
            return;
        }
        if self.silence_in_message(nth, now) {
            return;
        }
        if self.is_asking_consent() {
            return self.consent_unanswered(now);
        }
        match nth {
            SilenceNth::FirstPrompt if self.keypad.is_withholding() => {
                self.say(phrases::KEYS_AWAITED, What::Answer, now);
            }
            SilenceNth::FirstPrompt => self.say(phrases::STILL_THERE, What::Answer, now),
            SilenceNth::SecondPrompt => {
                let sentence = format!("{} {}", phrases::STILL_THERE_AGAIN, self.menu_sentence());
                self.say(&sentence, What::Answer, now);
            }
            SilenceNth::Goodbye => self.farewell(phrases::NOBODY_THERE, EndCause::NormalClearing, now),
        }
    }

    /// A silence while a message is taken. True if nothing more is to be done about it.
    pub(super) fn silence_in_message(&mut self, nth: SilenceNth, now: Moment) -> bool {
        let sound = self.sound(self.box_silent_since, now);
        let Stage::Conversing(Topic::Message(taking)) = &mut self.stage else { return false };
        if nth == SilenceNth::Goodbye && !taking.takes_speech() {
            return false;
        }
        if nth == SilenceNth::FirstPrompt {
            // The ears are closed: perhaps the caller is speaking the message.
            return taking.speaks_unheard();
        }
        let next = taking.nothing_heard(sound);
        self.message_next(next, now);
        if nth == SilenceNth::Goodbye {
            self.timers.start(Timer::LastSilence, now);
        }
        true
    }

    /// The last silence fell while something was still to be said.
    pub(super) fn last_silence(&mut self, now: Moment) {
        let idle = self.says.is_empty() && !self.is_at_a_question() && self.taker.floor() == Floor::Quiet;
        if idle {
            self.farewell(phrases::NOBODY_THERE, EndCause::NormalClearing, now);
        } else {
            self.timers.start(Timer::LastSilence, now);
        }
    }

    /// Does the caller wait for an answer?
    pub(super) fn is_at_a_question(&self) -> bool {
        self.pending.is_some() || self.own_request.is_some() || self.answering.is_some()
    }

    /// When nothing is left to say, or nothing was to be said ("mm-hm"), the next word is
    /// the caller's.
    pub(super) fn give_floor(&mut self, now: Moment) {
        let idle = self.says.is_empty() && !self.is_at_a_question();
        if idle && matches!(self.stage, Stage::Conversing(_)) {
            self.tell(Fact::Expecting(self.expecting), now);
            self.tell(Fact::BoxOwesNothing, now);
        }
    }

    pub(super) fn set_topic(&mut self, topic: Topic) {
        if let Stage::Conversing(current) = &mut self.stage {
            *current = topic;
        }
    }

    /// Tells the turn taker what the caller is likely to say next, when that changes.
    pub(super) fn keep_expectation(&mut self, now: Moment) {
        let wanted = match &self.stage {
            Stage::Conversing(_) if self.away => Expectation::Return,
            // People look for their card in their purse.
            Stage::Conversing(_) if self.keypad.is_withholding() => Expectation::Return,
            Stage::Conversing(Topic::Open) => Expectation::Anything,
            Stage::Conversing(Topic::Message(taking)) => taking.expectation(),
            Stage::Conversing(_) => Expectation::YesNo,
            _ => return,
        };
        if wanted != self.expecting {
            self.expecting = wanted;
            self.tell(Fact::Expecting(wanted), now);
        }
    }
}
