//! The provider reads the knowledge while it rings, before anybody asks.

use std::sync::Arc;

use milu::residency::DataClass;
use milu::speech::cloud::mind::Deadlines;
use milu::speech::{MindError, Responder, Waited};
use tokio::sync::{Notify, mpsc};

use crate::near::{PATIENT, SOON, Setup, answers, failed};
use crate::provider::{Answer, claude};

#[tokio::test]
async fn the_provider_reads_the_knowledge_while_it_rings() {
    let mut call = answers(vec![Answer::Stream(claude(&["We test for malaria."], "end_turn"))]).claude().await;
    let warming = call.warmed().await;
    call.ask_and_hear("Do you test for malaria?").await;
    {
        let requests = call.provider.requests();
        for part in ["model", "tools"] {
            assert_eq!(warming[part], requests[0].body[part], "{part}");
        }
        assert_eq!(warming["system"][0], requests[0].body["system"][0], "the kept part is the same");
    }
    // The next call finds it warm.
    let (tell, _events) = mpsc::channel(16);
    drop(call.mind.open(&call.setting, tell));
    call.ask_and_hear("goodbye").await;
    assert!(call.heard.warmings.try_recv().is_err());
}

#[tokio::test]
async fn a_provider_may_read_the_knowledge_for_longer_than_it_may_think_of_a_question() {
    let has_read = Arc::new(Notify::new());
    let deadlines = Deadlines { first_token: SOON, ..PATIENT };
    let mut call = Setup { deadlines, has_read: Some(has_read.clone()), ..answers(vec![]) }.claude().await;
    call.warmed().await;
    // A question that comes later is late before the provider has read.
    let late = failed(MindError::TooLate(Waited::FirstToken, SOON));
    assert_eq!(call.ask_and_hear("Do you test for malaria?").await, late);
    has_read.notify_one();
    assert_eq!(call.paid().await.classes(), [DataClass::Knowledge]);
}

#[tokio::test]
async fn what_a_call_that_ends_did_not_have_read_is_read_for_the_next_one() {
    let mut call = Setup { has_read: Some(Arc::default()), ..answers(vec![]) }.claude().await;
    call.warmed().await;
    call.thinking = None;
    call.closed().await;
    let mind = call.mind.clone();
    call.call_again(&*mind);
    call.warmed().await;
}
