//! The first sentences of a call: the notice, and the question how to help.

use super::super::output::{JournalKind, Output};
use super::super::phrases;
use super::super::phrases::Recorded;
use super::super::saying::What;
use super::super::timers::Timer;
use super::{Call, Ears, Opening, Stage, Topic};
use crate::conversation::Floor;
use crate::terms::Moment;

impl Call {
    pub(super) fn answered(&mut self, at: Moment, now: Moment) {
        if !matches!(self.stage, Stage::AwaitAnswer) {
            return;
        }
        self.timers.stop(Timer::LineAnswer);
        self.timers.start(Timer::LongestCall, now);
        self.answered_at = Some(at);
        self.journal(JournalKind::Answered, at);
        self.stage = Stage::Conversing(Topic::Open);
        let notice = phrases::notice(&self.facts.business, self.facts.recorded);
        let opening = format!("{} {notice}", self.facts.greeting.trim());
        self.say(opening.trim(), What::Notice, now);
    }

    pub(super) fn notice_played(&mut self, at: Moment) {
        self.journal(JournalKind::NoticePlayed, at);
        if self.facts.recorded == Recorded::Yes && self.recording_from.is_none() && !self.is_unrecorded() {
            self.recording_from = Some(at);
            self.journal(JournalKind::RecordingStarted, at);
            self.out.push_back(Output::StartRecording { from_ms: self.ms(at) });
        }
    }

    /// The notice has been played, or never will be: from here on the caller is
    /// answered, and first of all what came while it played.
    pub(super) fn notice_over(&mut self, now: Moment) {
        self.opening = Opening::NoticeOver;
        if let Some(digit) = self.key_waiting.take() {
            self.opening = Opening::Invited;
            self.key(digit, now);
        } else if self.asks_consent() {
            self.ask_consent(now);
        }
        if self.pending.is_some() {
            self.timers.start(Timer::Filler, now);
        }
        self.answer_if_ready(now);
        self.invite(now);
    }

    /// "How can I help you?", unless the caller speaks already.
    pub(super) fn invite(&mut self, now: Moment) {
        let quiet = self.taker.floor() == Floor::Quiet && self.pending.is_none() && self.says.is_empty();
        if self.opening != Opening::NoticeOver || !quiet {
            return;
        }
        match self.facts.ears {
            Ears::Listening => self.say(phrases::HELP, What::Answer, now),
            Ears::KeypadOnly => {
                let menu = format!("{} {}", phrases::BUSY, self.menu_sentence());
                self.say(&menu, What::Answer, now);
            }
        }
    }
}
