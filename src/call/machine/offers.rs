//! A message or a person: what is offered for a question that nobody here can answer,
//! and which of the two the caller takes.

use super::super::phrases;
use super::super::saying::What;
use super::super::trust::Trust;
use super::{Call, HeardWords, Keeps, Lookup, Stage, Topic};
use crate::knowledge::Finding;
use crate::terms::Moment;

/// Who chooses between two things says no more words than these; more are a question.
const CHOICE_WORDS_MAX: usize = 8;

const MESSAGE: &[&str] = &["message"];
const PERSON: &[&str] = &["somebody", "someone", "anybody", "anyone", "person", "human", "through"];
/// "Don't" comes in two.
const NEITHER: &[&str] = &["no", "not", "don", "dont", "nor", "neither"];
/// Who asks wants an answer.
const ASKS: &[&str] = &["how", "much", "many", "what", "when", "where", "which", "why", "who"];

impl Call {
    /// Nobody here knows it, and a telephone rings for who asks for anybody.
    pub(super) fn offer_either(&mut self, now: Moment) {
        let (topic, sentence) = match self.facts.keeps {
            Keeps::Promises if self.counts.unknown == 1 => (Topic::OfferEither, phrases::UNKNOWN_OR_PERSON),
            Keeps::Promises => (Topic::OfferEither, phrases::UNKNOWN_AGAIN_OR_PERSON),
            Keeps::Nothing => (Topic::OfferPerson, phrases::UNKNOWN_PERSON_ALONE),
        };
        self.set_topic(topic);
        self.say(sentence, What::Answer, now);
    }

    /// "Yes" chooses neither: what probably helps is asked for, as a yes can answer it.
    pub(super) fn ask_person(&mut self, now: Moment) {
        self.set_topic(Topic::OfferPerson);
        self.say(phrases::ASK_PERSON, What::Answer, now);
    }

    /// "Somebody", "a message": words that choose, and by themselves ask for nothing, so
    /// that the mind finds nothing in them.
    pub(super) fn chosen(&mut self, mut heard: HeardWords) -> HeardWords {
        let offered = matches!(self.stage, Stage::Conversing(Topic::OfferEither | Topic::OfferPerson));
        let finds_no_choice = matches!(
            heard.lookup,
            Lookup::Found(Finding::Unknown | Finding::Maybe(_) | Finding::Yes | Finding::Backchannel, ..)
                | Lookup::Forming(_)
        );
        if !offered || !finds_no_choice || heard.trust == Trust::Unheard {
            return heard;
        }
        if let Some(choice) = choice_in(heard.words.expose()) {
            if heard.lookup.has_words() {
                self.take_back(heard.request);
            }
            heard.lookup = Lookup::Found(choice, "", heard.found_at());
        }
        heard
    }
}

fn choice_in(words: &str) -> Option<Finding> {
    let words = words.to_lowercase();
    let words: Vec<&str> = words.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).collect();
    let has = |any: &[&str]| words.iter().any(|word| any.contains(word));
    if words.len() > CHOICE_WORDS_MAX || has(NEITHER) || has(ASKS) {
        return None;
    }
    match (has(MESSAGE), has(PERSON)) {
        (true, false) => Some(Finding::LeaveMessage),
        (false, true) => Some(Finding::Person { name: None }),
        (true, true) | (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_words_with_one_of_the_two_choose_it() {
        for words in ["Put me through, please.", "Somebody.", "A person, please", "I would like to speak to someone"] {
            assert_eq!(choice_in(words), Some(Finding::Person { name: None }), "{words}");
        }
        for words in ["A message, please.", "Yes, the message"] {
            assert_eq!(choice_in(words), Some(Finding::LeaveMessage), "{words}");
        }
        for words in [
            "Yes.",
            "How much does one person pay?",
            "A message or a person?",
            "I don't want to leave a message.",
            "Can somebody tell me how much the blue cake with the candles is?",
        ] {
            assert_eq!(choice_in(words), None, "{words}");
        }
    }
}
