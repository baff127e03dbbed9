//! A question that is taken back, or whose call ends, closes its stream.

use milu::speech::MindEvent;

use crate::near::answers;
use crate::provider::{Answer, claude, start_in, text};

#[tokio::test]
async fn an_abandoned_question_closes_its_stream_and_says_no_more() {
    let slow = Answer::Stall([vec![start_in("us")], text(0, &["Yes, we test for malaria here. And"])].concat());
    let mut call = answers(vec![slow, Answer::Stream(claude(&["We do scans."], "end_turn"))]).claude().await;
    call.ask("Do you test for malaria?");
    assert!(matches!(call.event().await, MindEvent::Sentence { .. }));
    call.thinking().abandon();
    call.closed().await;
    assert_eq!(call.ask_and_hear("Do you do scans?").await, ["say We do scans.", "over None"]);
    let messages = call.provider.requests()[1].body["messages"].clone();
    assert_eq!(messages.as_array().unwrap().len(), 1, "it was not said: {messages}");
}

#[tokio::test]
async fn a_newer_question_replaces_the_one_under_way() {
    let mut call = answers(vec![Answer::Silence, Answer::Stream(claude(&["We do scans."], "end_turn"))]).claude().await;
    call.ask("Do you test for malaria?");
    while call.asked() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(call.ask_and_hear("Do you do scans?").await, ["say We do scans.", "over None"]);
    call.closed().await;
}

#[tokio::test]
async fn a_call_that_ends_closes_its_stream() {
    let mut call = answers(vec![Answer::Silence]).claude().await;
    call.ask("Do you test for malaria?");
    while call.asked() == 0 {
        tokio::task::yield_now().await;
    }
    call.thinking = None;
    call.closed().await;
}
