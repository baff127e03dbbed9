//! What must not be said: it is held back, and what the box knows is said instead.

use milu::knowledge::facts::FactKind;

use crate::near::answers;
use crate::provider::{Answer, claude, start_in, text};

#[tokio::test]
async fn a_wrong_price_is_replaced_and_its_stream_closed() {
    let wrong = [vec![start_in("us")], text(0, &["A malaria test is ₦5,000. ", "And come at nine."])].concat();
    let mut call = answers(vec![Answer::Stall(wrong)]).claude().await;
    let heard = call.ask_and_hear("How much is a malaria test?").await;
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert!(heard[0].contains("The test is three thousand, five hundred naira"), "{heard:?}");
    call.closed().await;
    assert_eq!(*call.notes.held_back.lock().unwrap(), [FactKind::Price]);
}

#[tokio::test]
async fn a_wrong_hour_without_any_finding_becomes_the_offer_of_a_message() {
    let wrong = claude(&["The surgeon operates at three in the afternoon."], "end_turn");
    let mut call = answers(vec![Answer::Stream(wrong)]).claude().await;
    assert_eq!(call.ask_and_hear("When does your surgeon cut?").await, ["over Some(Unknown)"]);
}

#[tokio::test]
async fn a_yes_where_the_calendar_says_no_is_replaced() {
    let wrong = claude(&["Yes, of course we are, you are very welcome. See you then."], "end_turn");
    let mut call = answers(vec![Answer::Stream(wrong)]).claude().await;
    let heard = call.ask_and_hear("Are you open on Sunday?").await;
    assert!(heard[0].starts_with("say No, we are closed on Sundays"), "{heard:?}");
    assert_eq!(heard[1..], ["over None"]);
}
