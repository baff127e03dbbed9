//! Keys that an answer asked for.

use super::*;

const ASKS: &str = "Yes, please key in your card number.";

/// The caller was asked to key in a card's number, and this, and has heard both.
fn card_asked_for(and: &str) -> Conversation {
    let mut conversation = Conversation::begun();
    let request = conversation.speaks("Can I pay by card", SURE);
    for text in [ASKS, and] {
        let sentence = Input::Sentence { request, spoken: spoken(text), engine: "mind", took: Duration::ZERO };
        conversation.tell(sentence);
    }
    conversation.tell(Input::AnswerOver { request, then: None });
    conversation.pass(600);
    for said in [ASKS, and] {
        let utterance = conversation.utterance_of(said);
        conversation.tell(Input::UtteranceStarted { utterance, at: conversation.now });
        conversation.pass(2000);
        conversation.tell(Input::UtteranceFinished { utterance, played_ms: 2000, at: conversation.now });
    }
    conversation
}

/// Nothing of these keys is acted upon, and the sound beside them is withheld to their end.
fn keys_go_nowhere(mut conversation: Conversation) {
    conversation.wanted.clear();
    for digit in "5061000000000000#".chars() {
        conversation.tell(Input::Digit { at: conversation.now, digit });
        conversation.pass(400);
    }
    let acts = |output: &Output| matches!(output, Output::AskTopic { .. } | Output::Say { .. } | Output::RestoreSound);
    assert!(!conversation.wanted.iter().any(acts), "{:?}", conversation.wanted);
    conversation.pass(3000);
    assert!(conversation.wanted.iter().any(|output| matches!(output, Output::RestoreSound)));
    assert_eq!(conversation.last_said().1, phrases::KEYS_WITHHELD);
}

#[test]
fn keys_that_an_answer_of_two_sentences_asked_for_go_nowhere() {
    let mut conversation = card_asked_for("Then press the hash key.");
    conversation.pass(5000);
    keys_go_nowhere(conversation);
}

#[test]
fn who_fetches_their_card_is_told_that_keys_are_awaited_and_keys_it_in_secret() {
    let mut conversation = card_asked_for("Then press the hash key.");
    conversation.pass(31_000);
    assert_eq!(conversation.last_said().1, phrases::KEYS_AWAITED);
    conversation.play_all();
    conversation.pass(5000);
    keys_go_nowhere(conversation);
}

#[test]
fn who_is_asked_something_else_instead_of_keys_is_heard_again() {
    let mut conversation = card_asked_for("Then press the hash key.");
    conversation.wanted.clear();
    conversation.call.say(phrases::ASK_NAME, What::Answer, conversation.now);
    conversation.take_wanted();
    conversation.play_all();
    conversation.pass(500);
    assert!(conversation.wanted.iter().any(|output| matches!(output, Output::RestoreSound)));
}

#[test]
fn a_question_beside_what_is_to_be_keyed_is_answered_by_word_of_mouth() {
    let mut conversation = card_asked_for("Or would you rather pay in cash?");
    conversation.pass(500);
    assert!(conversation.wanted.iter().any(|output| matches!(output, Output::RestoreSound)));
}
