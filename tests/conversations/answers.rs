//! A question is answered, and soon; what may be meant is asked back, and what is unfinished waits.

use milu::call::{Input, Outcome, Output, phrases};
use milu::terms::{EndCause, UtteranceId};

use crate::caller::Act::{self, HangUp, Listen, Say, Wait};
use crate::clinic::{BYE, NO, OPEN, YES, fair, first, outcome, says};
use crate::laws;
use crate::mind::{self, HOURS, SUNDAY};
use crate::world::Happened;

#[test]
fn a_question_is_answered_after_the_notice_and_an_invitation() {
    let world = fair(&[Listen, OPEN, Listen, Say("And on Sunday?", 900), Listen, BYE, Wait(9000)]);
    let said = world.sentences();
    assert!(said[0].starts_with("Good day.") && said[0].contains("recorded"), "{said:?}");
    assert_eq!(said[1..], [phrases::HELP, HOURS, SUNDAY, phrases::GOODBYE].map(str::to_owned));
    assert_eq!(outcome(&world), Outcome::Answered);
    let record = world.record.expect("a record");
    assert_eq!(record.end_cause, EndCause::NormalClearing);
    assert!(record.recording.is_some_and(|r| r.from_ms > 4000), "kept from the end of the notice on");
}

/// The law that is broken in a conversation of which some was lost: the answer's
/// utterance is told to `is_lost`.
fn law_broken_without(is_lost: fn(&Happened, UtteranceId) -> bool) -> String {
    let mut world = fair(&[Listen, OPEN, Wait(60_000)]);
    let hours = world.log.iter().find_map(|(_, happened)| match happened {
        Happened::Wanted(Output::Say { utterance, speech }) if speech.text.expose() == HOURS => Some(*utterance),
        _ => None,
    });
    let hours = hours.expect("it is answered");
    world.log.retain(|(_, happened)| !is_lost(happened, hours));
    let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| laws::check(&world)));
    let why = checked.expect_err("a law is broken");
    why.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn asking_after_a_caller_is_no_answer_to_what_they_asked() {
    let unheard = law_broken_without(|happened, hours| matches!(happened, Happened::Sounded(u) if *u == hours));
    assert!(unheard.contains("no answer to"), "{unheard}");
    let unsaid = law_broken_without(
        |happened, hours| matches!(happened, Happened::Wanted(Output::Say { utterance, .. }) if *utterance == hours),
    );
    assert!(unsaid.contains("ms without an answer"), "{unsaid}");
}

const TYPHOID: Act = Say("Do you test for typhoid?", 1400);

#[test]
fn what_may_be_meant_is_asked_back_and_after_a_no_the_next_nearest() {
    let world = fair(&[Listen, TYPHOID, Listen, NO, Listen, YES, Listen, BYE, Wait(9000)]);
    let asked = [mind::OUR_TESTS, mind::OUR_VACCINES].map(str::to_owned);
    let said = world.sentences();
    let first = said.iter().position(|s| *s == asked[0]).expect("the nearest is asked");
    assert_eq!(said[first..], [&asked[..], &[mind::VACCINES, phrases::GOODBYE].map(str::to_owned)].concat());
}

#[test]
fn a_caller_who_meant_neither_is_asked_for_other_words() {
    let world = fair(&[Listen, TYPHOID, Listen, NO, Listen, NO, Listen, BYE, Wait(9000)]);
    assert!(says(&world, phrases::ASK_DIFFERENTLY));
    assert!(!says(&world, mind::VACCINES), "nothing is answered that was not meant");
}

#[test]
fn an_answer_takes_no_longer_than_the_longest_of_its_parts_one_after_the_other() {
    let world = fair(&[Listen, OPEN, Listen, HangUp]);
    let record = world.record.as_ref().expect("a record");
    let answer = record.turns.iter().find(|t| t.text.expose() == HOURS).expect("the answer");
    // The judge ends the turn after 300 ms. The words were asked for at the
    // report of the pause (200 ms) and take up to 400 ms, the mind 40 ms, the
    // voice 160 ms and the media clock 20 ms.
    let waited = answer.latency.voice_to_voice_ms.expect("measured");
    assert!(waited <= 200 + 400 + 40 + 160 + 20, "{waited} ms");
    let decodes = world.log.iter().filter(|(_, h)| matches!(h, Happened::Wanted(Output::Decode { .. }))).count();
    let asks = world.log.iter().filter(|(_, h)| matches!(h, Happened::Wanted(Output::Ask { .. }))).count();
    assert_eq!((decodes, asks), (1, 1), "what was asked ahead is what is used");
}

#[test]
fn words_that_end_in_digits_are_not_asked_ahead_of_their_turns_end() {
    let world = fair(&[Listen, Say("My number is zero eight zero three", 1800), Listen, HangUp]);
    let asked_at = first(&world, |o| matches!(o, Output::Ask { .. })).expect("asked");
    let heard_at = world.log.iter().position(|(_, h)| matches!(h, Happened::Told(Input::Heard { .. }))).expect("heard");
    let judged = world.log.iter().position(|(_, h)| matches!(h, Happened::Told(Input::TurnOver { .. })));
    assert!(asked_at > heard_at && judged.is_some_and(|judged| judged < asked_at), "{asked_at} {heard_at} {judged:?}");
}
