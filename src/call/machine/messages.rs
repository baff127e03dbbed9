//! Messages: taken, kept, and kept by half.

use super::super::message::{MessageTaking, Next, Way};
use super::super::output::JournalKind;
use super::super::phrases;
use super::super::record::Message;
use super::super::saying::What;
use super::super::trust::Trust;
use super::{Call, Ears, Keeps, Stage, Topic};
use crate::conversation::Floor;
use crate::terms::Moment;

impl Call {
    /// A message is offered with `offer`; where none can be kept, `no_offer` says so and
    /// what else there is.
    pub(super) fn offer_message(&mut self, offer: &str, no_offer: &str, now: Moment) {
        let (topic, sentence) = match self.facts.keeps {
            Keeps::Promises => (Topic::OfferMessage, offer),
            Keeps::Nothing => (Topic::Open, no_offer),
        };
        self.set_topic(topic);
        self.say(sentence, What::Answer, now);
    }

    pub(super) fn take_message(&mut self, now: Moment) {
        if self.facts.keeps == Keeps::Nothing {
            let (topic, sentence) = match self.rung(None, now) {
                Some(_) => (Topic::OfferPerson, phrases::NO_MESSAGES_BUT_PERSON),
                None => (Topic::Open, phrases::NO_MESSAGES),
            };
            self.set_topic(topic);
            return self.say(sentence, What::Answer, now);
        }
        let way = match self.facts.ears {
            Ears::Listening => Way::Spoken,
            Ears::KeypadOnly => Way::Keyed,
        };
        let (taking, sentence) = MessageTaking::new(self.facts.from.clone(), self.facts.country_code.clone(), way);
        self.set_topic(Topic::Message(Box::new(taking)));
        self.say(&sentence, What::Answer, now);
    }

    pub(super) fn message_next(&mut self, next: Next, now: Moment) {
        match next {
            Next::Wait => {}
            Next::Say(sentence) => {
                self.say(&sentence, What::Answer, now);
            }
            Next::Taken { message, closing } => {
                self.keep_message(message, now);
                self.counts.settled += 1;
                self.set_topic(Topic::Open);
                self.say(closing, What::Answer, now);
            }
        }
    }

    /// Keeps a message beside what the caller left earlier in the call.
    pub(super) fn keep_message(&mut self, message: Message, now: Moment) {
        let kept = match self.message.take() {
            Some(earlier) => earlier.and(message),
            None => message,
        };
        self.journal(JournalKind::MessageTaken(self.discretion.so_far(&kept)), now);
        self.message = Some(kept);
    }

    /// A caller who goes away in the middle of a message has left what there
    /// is: often they hang up with the last word of it.
    pub(super) fn keep_half_message(&mut self, now: Moment) {
        let spoken = match (&self.pending, self.taker.floor()) {
            (Some(pending), _) => Some((pending.began, pending.times.speech_ended)),
            (None, Floor::Speaking { began, .. }) => Some((began, now)),
            (None, Floor::Pausing(pause)) => Some((pause.began, pause.ended)),
            (None, Floor::Quiet) => None,
        };
        let heard = self.pending.as_ref().and_then(|p| p.heard.as_ref()).or(self.heard.as_ref());
        let words = heard.filter(|h| h.trust != Trust::Unheard).map_or("", |h| h.words.expose());
        let unheard = self.sound(self.box_silent_since, now);
        let sound = spoken.and_then(|(from, to)| self.sound(from, to));
        let Stage::Conversing(Topic::Message(taking)) = &self.stage else { return };
        let sound = if taking.speaks_unheard() && self.says.is_empty() { unheard } else { sound };
        if let Some(message) = taking.so_far(words, sound) {
            self.keep_message(message, now);
        }
    }
}
