//! What is said to a turn of the caller.

use super::super::phrases;
use super::super::saying::{Part, Saying, TurnTimes, What};
use super::super::trust::Trust;
use super::{Call, HeardWords, Lookup, Opening, Stage, Texts, Topic};
use crate::conversation::Gist;
use crate::knowledge::{Finding, Guess, Spoken, Written};
use crate::terms::{EndCause, Moment, Private, RequestId, UtteranceId};

/// Text messages in one call: an address, some prices, a telephone number. Each
/// costs the business money.
const TEXTS_MAX: u32 = 5;

impl Call {
    pub(super) fn respond(&mut self, heard: HeardWords, began: Moment, times: TurnTimes, now: Moment) {
        let sound = self.sound(began, times.speech_ended);
        self.opening = Opening::Invited;
        if self.is_asking_consent() {
            // What was said before the question was put is asked again once it is answered.
            self.take_back(heard.request);
            return self.consent_heard(&heard, began, times, now);
        }
        if let Some(uttered) = heard.wish.clone() {
            if !matches!(self.stage, Stage::Conversing(Topic::Message(_))) {
                self.wished(&uttered, now);
                return self.answers(times);
            }
            self.wished_in_message(&uttered, now);
            if !self.takes_message_itself() {
                return self.answers(times);
            }
        }
        if heard.lookup.has_words() && matches!(self.stage, Stage::Conversing(Topic::Message(_))) {
            // Whoever leaves a message is answered with the next question.
            self.take_back(heard.request);
        }
        if let Stage::Conversing(Topic::Message(taking)) = &mut self.stage {
            let responder = heard.responder();
            let intent = match heard.lookup {
                Lookup::Found(finding, ..) => finding,
                // A yes or no was asked for, and that is in the words themselves.
                Lookup::Forming(_) => yes_or_no(heard.words.expose()),
                Lookup::NotAsked | Lookup::Asked | Lookup::Failed(_) => Finding::Unknown,
            };
            let words = if heard.trust == Trust::Unheard { "" } else { heard.words.expose() };
            let next = taking.heard(words, heard.trust, &intent, sound);
            self.message_next(next, now);
            self.answers(times);
            self.found_by(responder);
            return;
        }
        let heard = self.chosen(heard);
        let responder = heard.responder();
        match (heard.trust, heard.lookup) {
            (_, Lookup::Failed(_)) => self.own_fault(now),
            (Trust::Good, Lookup::Found(finding, ..)) => self.act_on(finding, now),
            (Trust::Doubtful, Lookup::Found(finding, ..)) => {
                self.act_doubtfully(heard.request, finding, heard.words, now);
            }
            (Trust::Good, Lookup::Forming(forming)) => {
                return self.begin_answer(Some(heard.request), *forming, Some(times), now);
            }
            (Trust::Doubtful, Lookup::Forming(forming)) if self.confirms_words() => {
                return self.begin_answer(Some(heard.request), *forming, Some(times), now);
            }
            (Trust::Doubtful, Lookup::Forming(_)) => {
                self.take_back(heard.request);
                self.not_heard(Some(heard.words), now);
            }
            _ => self.not_heard(None, now),
        }
        self.answers(times);
        self.found_by(responder);
    }

    /// Is the message itself being waited for?
    fn takes_message_itself(&self) -> bool {
        matches!(&self.stage, Stage::Conversing(Topic::Message(taking)) if taking.takes_speech())
    }

    fn confirms_words(&self) -> bool {
        matches!(self.stage, Stage::Conversing(Topic::ConfirmWords(_)))
    }

    /// The sentence queued last says what this engine found; nobody's if empty.
    pub(super) fn found_by(&mut self, engine: &'static str) {
        let last = UtteranceId(self.next_utterance.0.saturating_sub(1));
        if let Some(saying) = self.says.get_mut(last).filter(|s| s.started.is_none() && !engine.is_empty()) {
            saying.responder = Some(engine);
        }
    }

    /// The sentence queued last answers the turn with these times.
    pub(super) fn answers(&mut self, times: TurnTimes) {
        let last = UtteranceId(self.next_utterance.0.saturating_sub(1));
        if let Some(saying) = self.says.get_mut(last)
            && saying.started.is_none()
        {
            saying.answers = Some(times);
        }
    }

    /// The sentence queued last answers this question, which was found just now. A turn that
    /// asked it was waited out, and its time is that of any other.
    pub(super) fn answers_own(&mut self, request: RequestId, now: Moment) {
        if let Some((_, times)) = self.left_turn.take_if(|(of, _)| *of == request) {
            self.answers(TurnTimes { found: Some(now), ..times });
        }
    }

    /// Words that may be wrong: what costs nothing if misheard is acted on; a
    /// question, and what the business pays for, is read back first, and asked again.
    fn act_doubtfully(&mut self, request: RequestId, finding: Finding, words: Private<String>, now: Moment) {
        let question = matches!(
            finding,
            Finding::Answer(_) | Finding::Maybe(_) | Finding::Unknown | Finding::TextMe(Some(_)) | Finding::Goodbye
        );
        if question && !self.confirms_words() {
            self.take_back(request);
            self.not_heard(Some(words), now);
        } else {
            self.act_on(finding, now);
        }
    }

    pub(super) fn act_on(&mut self, finding: Finding, now: Moment) {
        let Stage::Conversing(topic) = &mut self.stage else { return };
        let topic = std::mem::replace(topic, Topic::Open);
        self.counts.unheard = 0;
        match finding {
            Finding::Answer(spoken) => {
                if topic.puts_through() {
                    // What is asked meanwhile is answered first.
                    self.set_topic(topic);
                }
                self.answer(&spoken, now);
            }
            Finding::Maybe(guess) => self.ask_back(guess, now),
            // Whoever answers may know it.
            Finding::Unknown if topic.puts_through() => self.set_topic(topic),
            Finding::Unknown => self.unknown(now),
            Finding::TextMe(written) => self.text(written, now),
            Finding::Person { name } => self.person(name.as_deref(), now),
            Finding::LeaveMessage => self.take_message(now),
            Finding::Repeat { slower } => self.repeat(slower, now),
            Finding::Courtesy(spoken) => {
                self.set_topic(topic);
                self.say(spoken.text.expose(), What::Answer, now);
            }
            Finding::Yes => self.yes(topic, now),
            Finding::No => self.no(topic, now),
            Finding::Goodbye => self.farewell(phrases::GOODBYE, EndCause::NormalClearing, now),
            Finding::Wait => {
                if !topic.puts_through() {
                    self.set_topic(topic);
                }
                self.say(phrases::GO_ON, What::Answer, now);
                self.away = true;
            }
            Finding::Backchannel => self.backchannel(topic, now),
        }
    }

    pub(super) fn answer(&mut self, spoken: &Spoken, now: Moment) {
        self.counts.settled += 1;
        self.counts.unknown = 0;
        self.last_answer = vec![spoken.text.expose().clone()];
        if spoken.entry.is_some() {
            self.discretion.own_words(&spoken.text);
        }
        self.say(spoken.text.expose(), What::Answer, now);
    }

    fn ask_back(&mut self, guess: Guess, now: Moment) {
        self.say(guess.question.text.expose(), What::Answer, now);
        self.set_topic(Topic::ConfirmAnswer(guess));
    }

    /// The caller wants it in writing.
    fn text(&mut self, written: Option<Written>, now: Moment) {
        let Some(Written { text, aloud }) = written else {
            return self.say(phrases::TEXT_WHAT, What::Answer, now);
        };
        match self.facts.texts {
            Texts::Possible if self.texts_promised < TEXTS_MAX => {
                self.counts.settled += 1;
                self.counts.unknown = 0;
                let sentence = Saying::new(phrases::TEXT_COMES.to_owned(), What::Answer, Part::Whole);
                self.queue(Saying { promises: Some(text), ..sentence }, now);
            }
            Texts::Possible | Texts::Impossible => {
                let text = Private::new(format!("{} {}", phrases::NO_TEXT, aloud.text.expose()));
                self.answer(&Spoken { text, ..aloud }, now);
            }
        }
    }

    pub(super) fn unknown(&mut self, now: Moment) {
        self.counts.settled += 1;
        self.counts.unknown += 1;
        if self.rung(None, now).is_some() {
            return self.offer_either(now);
        }
        let sentence = if self.counts.unknown == 1 { phrases::UNKNOWN } else { phrases::UNKNOWN_AGAIN };
        self.offer_message(sentence, phrases::UNKNOWN_NO_OFFER, now);
    }

    pub(super) fn repeat(&mut self, slower: bool, now: Moment) {
        self.slow |= slower;
        if self.last_answer.is_empty() {
            self.say(phrases::NOTHING_TO_REPEAT, What::Answer, now);
        } else {
            self.say_again(now);
        }
    }

    pub(super) fn yes(&mut self, topic: Topic, now: Moment) {
        match topic {
            Topic::OfferMessage => self.take_message(now),
            Topic::OfferEither => self.ask_person(now),
            Topic::OfferPerson => self.person(None, now),
            Topic::ConfirmAnswer(guess) => self.answer(&guess.answer, now),
            Topic::ConfirmWords(words) => self.ask(&words, now),
            Topic::PutThrough(_) => self.set_topic(topic),
            Topic::Open | Topic::Consent | Topic::Message(_) => self.say(phrases::HELP, What::Answer, now),
        }
    }

    pub(super) fn no(&mut self, topic: Topic, now: Moment) {
        match topic {
            Topic::OfferMessage | Topic::OfferEither | Topic::PutThrough(_) => {
                self.say(phrases::NO_MESSAGE, What::Answer, now);
            }
            Topic::OfferPerson => self.offer_message(phrases::ASK_MESSAGE_INSTEAD, phrases::NO_MESSAGE, now),
            Topic::ConfirmAnswer(Guess { or_else: Some(other), .. }) => self.ask_back(*other, now),
            Topic::ConfirmAnswer(_) => self.say(phrases::ASK_DIFFERENTLY, What::Answer, now),
            Topic::ConfirmWords(_) => {
                self.counts.unheard = 1;
                self.not_heard(None, now);
            }
            Topic::Open | Topic::Consent | Topic::Message(_) => {
                self.farewell(phrases::GOODBYE, EndCause::NormalClearing, now);
            }
        }
    }

    /// "Okay" after a yes-or-no question is a yes; anywhere else it is nothing.
    pub(super) fn backchannel(&mut self, topic: Topic, now: Moment) {
        match topic {
            Topic::ConfirmAnswer(_)
            | Topic::ConfirmWords(_)
            | Topic::OfferMessage
            | Topic::OfferEither
            | Topic::OfferPerson => self.yes(topic, now),
            Topic::Open | Topic::PutThrough(_) | Topic::Consent | Topic::Message(_) => self.set_topic(topic),
        }
    }
}

fn yes_or_no(words: &str) -> Finding {
    match Gist::of(words) {
        Gist::Yes => Finding::Yes,
        Gist::No => Finding::No,
        Gist::Nothing | Gist::Backchannel | Gist::Dangling | Gist::Words => Finding::Unknown,
    }
}
