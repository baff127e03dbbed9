//! The keypad.

use super::super::output::Output;
use super::super::phrases;
use super::super::saying::What;
use super::super::timers::Timer;
use super::secrets::Acted;
use super::{Call, Keeps, Opening, Stage, Topic};
use crate::conversation::{Fact, Floor};
use crate::knowledge::{Finding, MenuChoice};
use crate::terms::Moment;

impl Call {
    pub(super) fn digit(&mut self, digit: char, at: Moment, now: Moment) {
        if self.is_handed_over() {
            return self.digit_beside_person(digit, at, now);
        }
        if !matches!(self.stage, Stage::Conversing(_)) {
            return;
        }
        self.timers.stop(Timer::LastSilence);
        if self.guard_key(digit, at, now) == Acted::Not {
            // The caller is there; what the key is for nobody need know.
            self.tell(Fact::Digit { at }, now);
            return;
        }
        self.tell(Fact::Digit { at }, now);
        // What a key stops is stopped before the answer to the key is queued.
        self.follow_turn_taker(now);
        self.counts.unheard = 0;
        if self.opening == Opening::Notice {
            self.key_waiting = Some(digit);
            return;
        }
        self.opening = Opening::Invited;
        self.stop_speaking(None, now);
        self.key(digit, now);
    }

    pub(super) fn key(&mut self, digit: char, now: Moment) {
        self.away = false;
        if self.key_in_message(digit, now) {
            return;
        }
        self.drop_own_question();
        self.drop_pending_turn(now);
        if self.key_of_consent(digit, now) {
            return;
        }
        match (digit, self.facts.menu.choice(digit)) {
            (_, Some(MenuChoice::Topic(topic))) => {
                let request = self.own_question(now);
                self.out.push_back(Output::AskTopic { request, topic });
            }
            ('0', _) | (_, Some(MenuChoice::Person)) => self.act_on(Finding::Person { name: None }, now),
            (_, Some(MenuChoice::Message)) => self.act_on(Finding::LeaveMessage, now),
            ('*', None) => self.act_on(Finding::Repeat { slower: false }, now),
            _ => {
                let menu = self.menu_sentence();
                self.say(&menu, What::Answer, now);
            }
        }
    }

    /// A key while a message is taken. True if it belonged to the message.
    pub(super) fn key_in_message(&mut self, digit: char, now: Moment) -> bool {
        let speaking = self.taker.floor() != Floor::Quiet || self.pending.is_some();
        let sound = self.sound(self.box_silent_since, now);
        let Stage::Conversing(Topic::Message(taking)) = &mut self.stage else { return false };
        // The end of the spoken message comes of itself, with its words.
        if taking.takes_speech() && speaking {
            return true;
        }
        let next = taking.keyed(digit, sound);
        self.message_next(next, now);
        self.give_floor(now);
        true
    }

    pub(super) fn keys_over(&mut self, now: Moment) {
        let Stage::Conversing(Topic::Message(taking)) = &mut self.stage else { return };
        if let Some(next) = taking.keys_over() {
            self.message_next(next, now);
        }
    }

    pub(super) fn menu_sentence(&self) -> String {
        if self.facts.keeps == Keeps::Promises {
            return self.facts.menu.spoken.text.expose().clone();
        }
        let others = self.facts.menu.spoken_without_messages();
        if others.is_empty() { phrases::NO_MESSAGES.to_owned() } else { others }
    }
}
