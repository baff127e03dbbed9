//! Where data may go: the policy, the budget and the region of the provider.

use std::sync::Arc;

use milu::egress::Budget;
use milu::ops::HealthState;
use milu::residency::{CallGate, Host, Verdict};
use milu::speech::MindError;

use crate::near::{Call, NoNumbers, Setup, answers, destination, failed, policy};
use crate::provider::{Answer, claude, end, start_in, text};

#[tokio::test]
async fn what_the_policy_keeps_on_the_box_is_not_sent() {
    let mut call = Setup { transcript: Verdict::Local, ..answers(vec![]) }.claude().await;
    assert_eq!(call.ask_and_hear("Do you test for malaria?").await, failed(MindError::Policy));
    assert_eq!(call.ask_and_hear("Goodbye.").await, ["found Goodbye"], "the box still answers what it can");
    assert_eq!(call.far.seen.connections(), 0, "not even a greeting");
}

#[tokio::test]
async fn a_call_that_has_spent_its_budget_is_answered_by_the_box_and_the_next_one_by_the_model_again() {
    let mut call = answers(vec![Answer::Stream(claude(&["We do scans."], "end_turn"))]).claude().await;
    let minds = call.with_the_boxs_own_behind();
    call.door.set_budget(Budget { call_bytes: Some(0), ..Budget::default() });
    call.call_again(&minds);
    for _ in 0..3 {
        let heard = call.ask_and_hear("Do you do scans?").await;
        assert!(heard[0].starts_with("found "), "by the box itself: {heard:?}");
    }
    assert_eq!(call.asked(), 0, "nothing more leaves in this call");
    call.door.set_budget(Budget::default());
    call.call_again(&minds);
    assert_eq!(call.ask_and_hear("Do you do scans?").await, ["say We do scans.", "over None"]);
}

#[tokio::test]
async fn identifiers_are_taken_out_of_words_where_the_policy_says_so() {
    let reply = || Answer::Stream(claude(&["A scan is ten thousand naira."], "end_turn"));
    let mut call = Setup { transcript: Verdict::Redacted, ..answers(vec![reply(), reply()]) }.claude().await;
    let asked = "My number is 08031234567, \"how much\" is a scan?";
    assert_eq!(call.ask_and_hear(asked).await, ["say A scan is ten thousand naira.", "over None"]);
    call.ask_and_hear(asked).await;
    let requests = call.provider.requests();
    assert_eq!(requests.len(), 2);
    for request in requests.iter() {
        assert!(!request.text.contains("08031234567") && request.text.contains("My number is , "), "{}", request.text);
        assert!(request.text.contains("₦10,000"), "the business's own facts may go as they are");
    }
}

#[tokio::test]
async fn a_region_is_asked_for_and_the_provider_held_to_it() {
    let stray = [vec![start_in("global")], text(0, &["We do scans."]), end("end_turn")].concat();
    let given = vec![Answer::Stream(claude(&["We do scans."], "end_turn")), Answer::Stream(stray)];
    let mut call = Setup { region: Some("us"), ..answers(given) }.claude().await;
    call.ask_and_hear("Do you do scans?").await;
    call.ask_and_hear("Do you do scans?").await;
    assert_eq!(call.provider.requests()[0].body["inference_geo"], "us");
    let geos: Vec<Option<String>> = call.notes.used.lock().unwrap().iter().map(|u| u.inference_geo.clone()).collect();
    assert!(geos.contains(&Some("us".to_owned())) && geos.contains(&Some("global".to_owned())), "{geos:?}");
    assert_eq!(call.ask_and_hear("Do you do scans?").await, failed(MindError::Policy), "it strayed once");
    assert_eq!(call.asked(), 2);
}

#[tokio::test]
async fn a_provider_that_strayed_is_told_of_until_the_policy_asks_for_another_region() {
    let global = || Answer::Stream([vec![start_in("global")], text(0, &["We do scans."]), end("end_turn")].concat());
    let mut call = Setup { region: Some("us"), ..answers(vec![global(), global()]) }.claude().await;
    let told = |call: &Call| {
        let fact = call.with_the_boxs_own_behind().health().remove(0);
        (fact.state, fact.sentence.contains("elsewhere than in `us`"))
    };
    assert_eq!(told(&call), (HealthState::Well, false));
    call.ask_and_hear("Do you do scans?").await;
    assert_eq!(told(&call), (HealthState::Failed, true));
    assert_eq!(call.ask_and_hear("Do you do scans?").await, failed(MindError::Policy));

    let there = destination(Host::parse("model.example").unwrap(), Some("global"), false);
    let elsewhere = policy(there, Verdict::Raw);
    call.door.set_policy(Arc::clone(&elsewhere));
    assert_eq!(told(&call), (HealthState::Well, false));
    call.setting.gate = Arc::new(CallGate::new(elsewhere, Arc::new(NoNumbers)));
    let mind = Arc::clone(&call.mind);
    call.call_again(&*mind);
    assert_eq!(call.ask_and_hear("Do you do scans?").await, ["say We do scans.", "over None"]);
    assert_eq!(call.asked(), 2);
}
