//! What is said while the ears are still at the words of a turn.

use super::*;

/// A conversation in which "One moment, please" sounds while the ears are at the words of
/// a question.
fn ears_at_work() -> (Conversation, RequestId) {
    let mut conversation = Conversation::begun();
    let question = conversation.makes_a_sound();
    conversation.pass_until_said(phrases::ONE_MOMENT);
    conversation.begin_playing();
    conversation.pass(200);
    (conversation, question)
}

#[test]
fn a_sound_over_one_moment_please_leaves_the_ears_at_the_words_of_the_question() {
    let (mut conversation, question) = ears_at_work();
    conversation.sounds(240);
    conversation.pass(800);
    let abandons = |output: &Output| matches!(output, Output::AbandonDecode);
    assert!(!conversation.wanted.iter().any(abandons));
    assert_eq!(conversation.decoded(), [question]);
    conversation.is_heard(question, QUESTION, SURE);
    assert!(conversation.of_mind().contains(&QUESTION));
    conversation.answer(question, Gives::AtOnce);
    assert_eq!(conversation.last_said().1, ANSWER);
    assert_eq!(conversation.decoded(), [question], "nobody wants the words of a cough");
}

#[test]
fn what_is_said_while_the_ears_are_at_a_question_is_heard_after_it() {
    for more in ["Hello?", "Where are you?"] {
        let (mut conversation, question) = ears_at_work();
        conversation.sounds(900);
        conversation.pass(800);
        assert_eq!(conversation.decoded(), [question], "{more}");
        conversation.is_heard(question, QUESTION, SURE);
        let decoded = conversation.decoded();
        let [_, behind] = decoded[..] else { panic!("{decoded:?}") };
        conversation.is_heard(behind, more, SURE);
        let asked = if more == "Hello?" { question } else { behind };
        let of_mind = conversation.of_mind();
        assert!(of_mind.contains(&QUESTION) && of_mind.contains(&TAKEN_BACK) == (asked == behind), "{of_mind:?}");
        conversation.answer(asked, Gives::AtOnce);
        assert_eq!(conversation.last_said().1, ANSWER, "{more}");
        let turns = conversation.turns();
        assert!(turns.contains(&QUESTION), "{turns:?}");
    }
}

#[test]
fn a_question_behind_one_whose_words_never_come_is_heard_all_the_same() {
    let (mut conversation, question) = ears_at_work();
    conversation.sounds(900);
    conversation.pass(6500);
    let decoded = conversation.decoded();
    let [first, behind] = decoded[..] else { panic!("{decoded:?}") };
    assert_eq!(first, question);
    let says_again =
        |output: &Output| matches!(output, Output::Say { speech, .. } if speech.text.expose() == phrases::SAY_AGAIN);
    assert!(!conversation.wanted.iter().any(says_again), "more was said");
    conversation.is_heard(behind, QUESTION, SURE);
    conversation.answer(behind, Gives::AtOnce);
    assert_eq!(conversation.last_said().1, ANSWER);
}

#[test]
fn a_turn_that_goes_on_while_the_ears_are_at_a_question_is_heard_once() {
    let (mut conversation, question) = ears_at_work();
    conversation.sounds(900);
    conversation.pass(800);
    conversation.sounds(900);
    conversation.pass(800);
    conversation.is_heard(question, QUESTION, SURE);
    let decoded = conversation.decoded();
    let [_, whole] = decoded[..] else { panic!("{decoded:?}") };
    assert_eq!(conversation.turns_begun(), 2, "the ears hear both parts as one");
    conversation.is_heard(whole, "Where are you, please?", SURE);
    conversation.answer(whole, Gives::AtOnce);
    assert_eq!(conversation.last_said().1, ANSWER);
}

#[test]
fn a_turn_that_begins_before_the_one_behind_is_asked_for_is_heard_by_itself() {
    for ears_come in [true, false] {
        let (mut conversation, question) = ears_at_work();
        conversation.sounds(900);
        // Longer than a turn can go on after its end.
        conversation.pass(3000);
        let began = conversation.now;
        conversation.pass(60);
        conversation.tell(Input::SpeechStarted { at: began });
        assert_eq!(conversation.turns_begun(), 2, "the ears have to hear the one behind first");
        if ears_come {
            conversation.is_heard(question, QUESTION, SURE);
        } else {
            conversation.pass(4000);
        }
        assert_eq!(conversation.turns_begun(), 3);
        let told = |output: &Output| matches!(output, Output::TurnBegan { at } if *at == began);
        assert!(conversation.wanted.iter().any(told));
        let decoded = conversation.decoded();
        let [_, behind] = decoded[..] else { panic!("{decoded:?}") };
        let ended = conversation.now;
        conversation.pass(200);
        conversation.tell(Input::SpeechPaused { at: ended });
        assert_eq!(conversation.decoded(), [question, behind], "one turn's words at a time");
        conversation.is_heard(behind, "Where are you?", SURE);
        let decoded = conversation.decoded();
        let [.., last] = decoded[..] else { panic!("{decoded:?}") };
        assert!(decoded.len() == 3 && last != behind, "{decoded:?}");
    }
}

#[test]
fn a_yes_from_before_a_number_was_read_back_says_nothing_of_it() {
    let mut conversation = Conversation::begun();
    let request = conversation.speaks("I want to leave a message", SURE);
    conversation.finds(request, Finding::LeaveMessage);
    conversation.pass(600);
    conversation.play_all();
    conversation.speaks("Chinedu Okafor", SURE);
    conversation.pass(2500);
    conversation.play_all();
    let number = conversation.makes_a_sound();
    conversation.pass_until_said(phrases::ONE_MOMENT);
    conversation.begin_playing();
    conversation.pass(200);
    conversation.sounds(900);
    conversation.pass(2500);
    conversation.is_heard(number, "0803 555 0143", SURE);
    let read_back = conversation.last_said();
    assert_ne!(read_back.1, phrases::ONE_MOMENT);
    let behind = *conversation.decoded().last().expect("a decode");
    assert_ne!(behind, number);
    conversation.is_heard(behind, "Yes", SURE);
    conversation.finds(behind, Finding::Yes);
    assert_eq!(conversation.last_said(), read_back);
    // Who has heard it may say so.
    conversation.play_all();
    let yes = conversation.speaks("Yes", SURE);
    conversation.finds(yes, Finding::Yes);
    conversation.pass(600);
    assert_ne!(conversation.last_said(), read_back);
}
