//! When "one moment, please" is said.

use super::*;

/// Milliseconds from the end of a turn: when its words come, when the answer, and when "one
/// moment" is to be said if it is.
fn one_moment_is_said(words: u64, answer: u64) -> Option<u64> {
    let mut conversation = Conversation::begun();
    let question = conversation.makes_a_sound();
    conversation.pass_until_over();
    let mut said = None;
    for ms in 1..=answer {
        conversation.pass(1);
        if ms == words {
            conversation.is_heard(question, QUESTION, SURE);
        }
        said = said.or_else(|| conversation.wants_said(phrases::ONE_MOMENT).then_some(ms));
    }
    conversation.answer(question, Gives::InSentences);
    assert!(conversation.wants_said(ANSWER));
    said
}

#[test]
fn one_moment_please_does_not_stand_in_the_way_of_an_answer_whose_words_came_late() {
    // Ears were left for others on the way: the mind is well, and was asked late.
    assert_eq!(one_moment_is_said(800, 1450), None);
    assert_eq!(one_moment_is_said(1300, 1950), None);
}

#[test]
fn a_mind_that_stays_silent_to_late_words_is_covered_by_one_moment_please() {
    // As long as a mind that is well may take for its first sentence.
    assert_eq!(one_moment_is_said(800, 3000), Some(1800));
    // However late the words are, the caller has heard nothing for so long.
    assert_eq!(one_moment_is_said(1390, 3000), Some(2000));
    // Words that come too late find it said.
    assert_eq!(one_moment_is_said(1500, 3000), Some(1400));
}

#[test]
fn words_that_come_in_time_put_off_nothing() {
    for words in [20, 200, 400] {
        assert_eq!(one_moment_is_said(words, 2000), Some(1400), "words after {words} ms");
    }
}
