//! What goes wrong at the provider, and what is told of it.

use std::time::Duration;

use milu::ops::HealthState;
use milu::speech::cloud::mind::Deadlines;
use milu::speech::{MindError, MindEvent, Waited};
use serde_json::json;

use crate::near::{PATIENT, SOON, Setup, answers, failed};
use crate::provider::{Answer, claude, end, event, start_in, text, thinking};

#[tokio::test]
async fn a_refusal_before_a_word_is_left_to_the_box_and_after_one_it_ends() {
    let before = [vec![start_in("us")], end("refusal")].concat();
    let after = claude(&["Yes, we test for malaria here. The"], "refusal");
    let mut call = answers(vec![Answer::Stream(before), Answer::Stream(after)]).claude().await;
    assert_eq!(call.ask_and_hear("Do you test for malaria?").await, failed(MindError::Declined));
    let heard = call.ask_and_hear("Do you test for malaria?").await;
    assert_eq!(heard, ["say Yes, we test for malaria here.", "over None"]);
}

#[tokio::test]
async fn an_answer_that_grows_too_long_ends_after_its_last_sentence() {
    let long = claude(&["Yes, we test for malaria here. The result of that test is re"], "max_tokens");
    let mut call = answers(vec![Answer::Stream(long)]).claude().await;
    let heard = call.ask_and_hear("Do you test for malaria?").await;
    assert_eq!(heard, ["say Yes, we test for malaria here.", "over None"]);
}

#[tokio::test]
async fn an_error_in_the_middle_is_told_after_what_was_said() {
    let error = event("error", json!({ "error": { "type": "overloaded_error", "message": "Overloaded" } }));
    let events = [vec![start_in("us")], text(0, &["Yes, we test for malaria here. The re"]), vec![error]].concat();
    let mut call = answers(vec![Answer::Stream(events)]).claude().await;
    let heard = call.ask_and_hear("Do you test for malaria?").await;
    assert_eq!(
        heard,
        ["say Yes, we test for malaria here.".to_owned(), failed(MindError::Busy { after: None }).concat()]
    );
    assert_eq!(
        call.notes.used.lock().unwrap().last().map(|used| used.input),
        Some(31),
        "what was used is told all the same"
    );
}

#[tokio::test]
async fn a_status_tells_whether_to_try_again() {
    let error = |kind: &str, code: Option<&str>| json!({ "type": "error", "error": { "type": kind, "message": "no", "details": { "error_code": code } } });
    let seconds = |n| MindError::Busy { after: Some(Duration::from_secs(n)) };
    let cases = [
        (429, "retry-after: 3\r\n", error("rate_limit_error", None), seconds(3)),
        (429, "", error("rate_limit_error", Some("enforced_spend_limit_reached")), MindError::Spent),
        (529, "", error("overloaded_error", None), MindError::Busy { after: None }),
        (401, "", error("authentication_error", None), MindError::Rejected { status: 401 }),
        (400, "", error("invalid_request_error", None), MindError::Rejected { status: 400 }),
        (500, "", json!("<html>"), MindError::Busy { after: None }),
    ];
    let given = cases.iter().map(|(status, headers, body, _)| Answer::Status(*status, headers, body.clone()));
    let mut call = answers(given.collect()).claude().await;
    for (status, _, _, expected) in cases {
        assert_eq!(call.ask_and_hear("Do you test for malaria?").await, failed(expected), "{status}");
    }
    assert_eq!(call.asked(), 6, "nothing is tried twice");
}

#[tokio::test]
async fn silence_is_given_up_at_each_stage() {
    let first = Deadlines { first_token: SOON, ..PATIENT };
    let mut call = Setup { deadlines: first, ..answers(vec![Answer::Silence]) }.claude().await;
    let too_late = |waited, within| failed(MindError::TooLate(waited, within));
    assert_eq!(call.ask_and_hear("Do you test for malaria?").await, too_late(Waited::FirstToken, SOON));
    call.closed().await;

    let begun = vec![Answer::Stall(vec![start_in("us"), event("ping", json!({}))])];
    let mut call = Setup { deadlines: first, ..answers(begun) }.claude().await;
    assert_eq!(call.ask_and_hear("Do you test for malaria?").await, too_late(Waited::FirstToken, SOON));
    call.closed().await;

    let thinks = vec![Answer::Stall([vec![start_in("us")], thinking(0)].concat())];
    let word = Deadlines { first_word: SOON, ..PATIENT };
    let mut call = Setup { deadlines: word, ..answers(thinks) }.claude().await;
    assert_eq!(call.ask_and_hear("Do you test for malaria?").await, too_late(Waited::FirstToken, SOON));

    let speaks = vec![Answer::Stall([vec![start_in("us")], text(0, &["Yes, we test for malaria here. And"])].concat())];
    let gap = Deadlines { gap: SOON, ..PATIENT };
    let mut call = Setup { deadlines: gap, ..answers(speaks) }.claude().await;
    let heard = call.ask_and_hear("Do you test for malaria?").await;
    assert_eq!(heard[0], "say Yes, we test for malaria here.");
    assert_eq!(heard[1..], too_late(Waited::NextToken, SOON));
    call.closed().await;
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_of_a_word_is_told() {
    let whole = [vec![start_in("us")], text(0, &["Yes, we test for malaria here. And the "])].concat();
    let mut cut = whole;
    let last = cut.pop().unwrap();
    cut.push(last[..last.len() / 2].to_owned());
    let mut call = answers(vec![Answer::Cut(cut)]).claude().await;
    let heard = call.ask_and_hear("Do you test for malaria?").await;
    assert_eq!(heard[0], "say Yes, we test for malaria here.");
    assert_eq!(heard[1..], failed(MindError::Unreachable));
}

#[tokio::test]
async fn what_is_no_stream_at_all_is_told() {
    let mut call = answers(vec![Answer::Stream(vec!["data: <html>\n\n".to_owned()])]).claude().await;
    let heard = call.ask_and_hear("Do you test for malaria?").await;
    assert_eq!(heard, failed(MindError::Broken("an event of the answer is no JSON")));
}

#[tokio::test]
async fn what_the_box_settles_between_two_failures_does_not_make_a_dead_provider_well() {
    let overloaded = json!({ "type": "error", "error": { "type": "overloaded_error", "message": "no" } });
    let dead = Answer::Status(529, "", overloaded);
    let mut call = answers(vec![dead.clone(), dead]).claude().await;
    let minds = call.with_the_boxs_own_behind();
    for words in ["Do you test for malaria?", "Thank you.", "Do you do scans?"] {
        call.call_again(&minds);
        call.ask(words);
        while !matches!(call.event().await, MindEvent::Found { .. }) {}
    }
    assert_eq!(call.asked(), 2, "the box thanked for itself");
    let fact = minds.health().remove(0);
    assert_eq!(fact.state, HealthState::Impaired, "{fact:?}");
}
