//! What the caller wishes of their data: taken at its word, confirmed aloud,
//! written down before it takes effect, and in force for the rest of the call.

use super::super::output::{JournalKind, Output};
use super::super::phrases::{self, Recorded};
use super::super::saying::{TurnTimes, What};
use super::super::trust::Trust;
use super::super::wish::{self, Uttered, Wish, Wished};
use super::{Call, Consent, Ears, HeardWords, Opening, Stage, Topic};
use crate::conversation::Gist;
use crate::residency::CallerWish;
use crate::terms::{Moment, Private};

/// Wishes that are written down. People change their mind once or twice; after so
/// many a consent is not taken any more, and what asks for less always is.
const WISHES_MAX: usize = 32;

/// A question that nobody could hear is put again; one that was is not.
const CONSENT_ASKS_MAX: u8 = 2;

/// What the caller made of the question whether they consent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Consented {
    Yes,
    No,
    /// Nothing that answers it; that is no consent.
    Unsaid,
}

impl Call {
    /// The wish in heard words, if the box is to follow it.
    pub(super) fn wish_in(&self, words: &Private<String>, trust: Trust) -> Option<Uttered> {
        let uttered = wish::uttered(words.expose()).filter(|_| trust != Trust::Unheard)?;
        match uttered.wish {
            // Where nothing rests on a consent, "I agree" is talk.
            Wish::OfData(CallerWish::Consents) if self.facts.consent == Consent::NotNeeded => None,
            Wish::OfData(CallerWish::Consents) if trust != Trust::Good => None,
            Wish::OfData(CallerWish::Withdraws) if self.facts.consent == Consent::NotNeeded => None,
            _ => Some(uttered),
        }
    }

    /// The caller's turn was a wish: it is followed and confirmed, and what was
    /// said beside it is answered.
    pub(super) fn wished(&mut self, uttered: &Uttered, now: Moment) {
        let sentence = self.follow_wish(uttered.wish, now);
        self.counts.unheard = 0;
        self.counts.settled += 1;
        self.say(sentence, What::Answer, now);
        if uttered.rest.is_empty() {
            return;
        }
        self.set_topic(Topic::Open);
        self.ask(&Private::new(uttered.rest.clone()), now);
    }

    /// A wish uttered while a message is taken. The words of the message itself
    /// are kept all the same; in the steps before, the question is put again.
    pub(super) fn wished_in_message(&mut self, uttered: &Uttered, now: Moment) {
        let sentence = self.follow_wish(uttered.wish, now);
        self.say(sentence, What::Answer, now);
        let Stage::Conversing(Topic::Message(taking)) = &self.stage else { return };
        if let Some(question) = taking.question() {
            self.say(&question, What::Answer, now);
        }
    }

    /// The caller's turn is not answered, for something newer is: a wish in it is followed and
    /// confirmed all the same.
    pub(super) fn wished_unanswered(&mut self, heard: &HeardWords, now: Moment) {
        if let Some(wish) = heard.asks_for_less() {
            let sentence = self.follow_wish(wish, now);
            self.say(sentence, What::Answer, now);
        }
    }

    /// Puts the wishes into force that are in words to which nothing is said, or nothing yet.
    pub(super) fn follow_unanswered(&mut self, now: Moment) {
        let of_turn = self.pending.as_ref().and_then(|pending| pending.heard.as_ref());
        let wishes: Vec<_> = of_turn.into_iter().chain(&self.heard).filter_map(HeardWords::asks_for_less).collect();
        for wish in wishes {
            self.follow_wish(wish, now);
        }
    }

    /// Puts a wish into force; gives what confirms it.
    fn follow_wish(&mut self, wish: Wish, now: Moment) -> &'static str {
        if self.note_wish(wish, now) {
            self.out.push_back(Output::Wish(wish));
        }
        match wish {
            Wish::OfData(of_data) => match of_data {
                CallerWish::Consents if wish::of_data(&self.wishes).consents => phrases::CONSENTED,
                // One that is not taken any more is not confirmed.
                CallerWish::Consents | CallerWish::Withdraws => phrases::NOT_CONSENTED,
                CallerWish::Objects => phrases::OBJECTED,
                CallerWish::Restricts => phrases::RESTRICTED,
            },
            Wish::Unrecorded => self.stop_recording(now),
        }
    }

    /// Writes a wish down if it changes anything. True if it does.
    fn note_wish(&mut self, wish: Wish, now: Moment) -> bool {
        let before = wish::of_data(&self.wishes);
        let changes = match wish {
            Wish::OfData(of_data) => before.and(of_data) != before,
            Wish::Unrecorded => !self.is_unrecorded(),
        };
        let is_full = self.wishes.len() >= WISHES_MAX && wish == Wish::OfData(CallerWish::Consents);
        if !changes || is_full {
            return false;
        }
        self.journal(JournalKind::Wished(wish), now);
        self.wishes.push(Wished { at_ms: self.ms(now), wish });
        true
    }

    /// Whether the caller would not be recorded.
    pub(super) fn is_unrecorded(&self) -> bool {
        self.wishes.iter().any(|wished| wished.wish == Wish::Unrecorded)
    }

    fn stop_recording(&mut self, now: Moment) -> &'static str {
        if self.recording_from.is_none() || self.facts.recorded == Recorded::No {
            return phrases::NOT_RECORDED;
        }
        if self.recording_to.is_none() {
            self.recording_to = Some(now);
            self.out.push_back(Output::StopRecording);
        }
        phrases::RECORDING_STOPPED
    }

    // ---- the question of the greeting ----------------------------------------

    /// Whether the caller has still to be asked for a consent.
    pub(super) fn asks_consent(&self) -> bool {
        self.facts.consent == Consent::Asked && self.facts.ears == Ears::Listening && self.consent_asked_at.is_none()
    }

    /// Asks, once. What the caller said into the notice waits.
    pub(super) fn ask_consent(&mut self, now: Moment) {
        self.consent_asked_at = Some(now);
        self.consent_asks += 1;
        self.set_topic(Topic::Consent);
        self.say(phrases::ASK_CONSENT, What::Answer, now);
    }

    /// What was said before the question was put waits for its answer; a wish does not.
    fn hold(&mut self, heard: &HeardWords, now: Moment) {
        let words = match &heard.wish {
            Some(uttered) if uttered.wish != Wish::OfData(CallerWish::Consents) => {
                let sentence = self.follow_wish(uttered.wish, now);
                self.say(sentence, What::Answer, now);
                &uttered.rest
            }
            _ => heard.words.expose(),
        };
        if heard.trust != Trust::Unheard && Gist::of(words) == Gist::Words {
            self.held_question = Some(Private::new(words.clone()));
        }
    }

    /// The caller spoke over the question: it is put once more, and then left.
    fn ask_consent_again(&mut self, now: Moment) {
        if self.says.has(phrases::ASK_CONSENT) {
            return;
        }
        if self.consent_asks < CONSENT_ASKS_MAX {
            self.ask_consent(now);
        } else {
            self.consent_unanswered(now);
        }
    }

    pub(super) fn is_asking_consent(&self) -> bool {
        matches!(self.stage, Stage::Conversing(Topic::Consent))
    }

    /// Words while the question is open.
    pub(super) fn consent_heard(&mut self, heard: &HeardWords, began: Moment, times: TurnTimes, now: Moment) {
        // What was said before the question was put does not answer it.
        if self.consent_asked_at.is_none_or(|asked| began < asked) {
            self.hold(heard, now);
            return self.ask_consent_again(now);
        }
        match (heard.trust, Gist::of(heard.words.expose()), &heard.wish) {
            (_, _, Some(Uttered { wish: Wish::OfData(CallerWish::Consents), .. })) | (Trust::Good, Gist::Yes, None) => {
                self.consent_answered(Consented::Yes, now);
            }
            (_, _, Some(uttered)) => {
                if uttered.wish == Wish::OfData(CallerWish::Withdraws) {
                    self.consent_answered(Consented::No, now);
                } else {
                    self.no_consent(now);
                    self.wished(uttered, now);
                    if uttered.rest.is_empty() {
                        self.help(now);
                    }
                }
            }
            (Trust::Good | Trust::Doubtful, Gist::No, None) => self.consent_answered(Consented::No, now),
            // Asked again once, and the question stays open.
            (Trust::Unheard, ..) => self.not_heard(None, now),
            (Trust::Good | Trust::Doubtful, Gist::Nothing | Gist::Backchannel, None) => {}
            (Trust::Doubtful, Gist::Yes | Gist::Words | Gist::Dangling, None) => {
                self.no_consent(now);
                self.not_heard(Some(heard.words.clone()), now);
            }
            // They want something else to be answered first.
            (Trust::Good, Gist::Words | Gist::Dangling, None) => {
                self.no_consent(now);
                self.ask(&heard.words, now);
            }
        }
        self.answers(times);
    }

    /// A key while the question is open: one is yes, two is no. True if it was that.
    pub(super) fn key_of_consent(&mut self, digit: char, now: Moment) -> bool {
        if !self.is_asking_consent() {
            return false;
        }
        match digit {
            '1' => self.consent_answered(Consented::Yes, now),
            '2' => self.consent_answered(Consented::No, now),
            _ => {
                self.no_consent(now);
                return false;
            }
        }
        true
    }

    /// Nothing was said: that is no consent, and the call goes on.
    pub(super) fn consent_unanswered(&mut self, now: Moment) {
        self.consent_answered(Consented::Unsaid, now);
    }

    fn consent_answered(&mut self, answer: Consented, now: Moment) {
        match answer {
            Consented::Yes => {
                let sentence = self.follow_wish(Wish::OfData(CallerWish::Consents), now);
                self.say(sentence, What::Answer, now);
            }
            Consented::No => {
                self.no_consent(now);
                self.say(phrases::NOT_CONSENTED, What::Answer, now);
            }
            Consented::Unsaid => self.no_consent(now),
        }
        self.set_topic(Topic::Open);
        self.counts.unheard = 0;
        self.help(now);
    }

    /// Now for what the caller rang for.
    fn help(&mut self, now: Moment) {
        self.opening = Opening::Invited;
        match self.held_question.take() {
            Some(words) => self.ask(&words, now),
            None => self.say(phrases::HELP, What::Answer, now),
        }
    }

    /// The question is not answered with yes; what was taken for one is taken back.
    fn no_consent(&mut self, now: Moment) {
        self.set_topic(Topic::Open);
        self.follow_wish(Wish::OfData(CallerWish::Withdraws), now);
    }
}
