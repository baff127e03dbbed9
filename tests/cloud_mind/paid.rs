//! What is paid for: all that was read and written, whatever became of it.

use milu::residency::DataClass;
use milu::speech::MindEvent;

use crate::near::answers;
use crate::provider::{Answer, claude, start_in, text};

#[tokio::test]
async fn the_reading_of_the_knowledge_is_paid_for_in_its_own_row_before_anybody_asks() {
    let mut call = answers(vec![]).claude().await;
    call.warmed().await;
    let row = call.paid().await;
    assert_eq!(row.classes(), [DataClass::Knowledge]);
    assert!(row.bytes_sent > 0, "the row in which it was sent");
    assert_eq!((row.reported.tokens_in, row.reported.tokens_out), (31, 24));
}

#[tokio::test]
async fn an_answer_that_is_broken_off_costs_what_was_read_of_it() {
    let slow = Answer::Stall([vec![start_in("us")], text(0, &["Yes, we test for malaria here. And"])].concat());
    let mut call = answers(vec![slow]).claude().await;
    call.warmed().await;
    let warming = call.paid().await;
    call.ask("Do you test for malaria?");
    assert!(matches!(call.event().await, MindEvent::Sentence { .. }));
    call.thinking().abandon();
    let row = call.paid().await;
    assert_eq!(row.classes(), [DataClass::Transcript, DataClass::Reply, DataClass::Knowledge]);
    assert_eq!((row.reported.tokens_in, row.reported.tokens_in_kept, row.reported.tokens_out), (31, 4096, 1));
    assert_eq!(warming.classes(), [DataClass::Knowledge]);
}

#[tokio::test]
async fn a_sentence_that_is_replaced_is_paid_for_with_all_that_came_of_it() {
    let events = claude(&["A malaria test is ₦5,000. ", "And come at nine."], "end_turn");
    let mut call = answers(vec![Answer::Stream(vec![events.concat()])]).claude().await;
    call.warmed().await;
    call.paid().await;
    let heard = call.ask_and_hear("How much is a malaria test?").await;
    assert!(heard[0].contains("The test is three thousand, five hundred naira"), "{heard:?}");
    let row = call.paid().await;
    assert_eq!((row.reported.tokens_in, row.reported.tokens_out), (31, 24));
}
