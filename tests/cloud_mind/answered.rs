//! Answers as they should be.

use milu::terms::Private;

use crate::near::answers;
use crate::provider::{Answer, claude};

#[tokio::test]
async fn an_answer_is_said_sentence_by_sentence() {
    let pieces = ["A malaria te", "st is ₦3,500. ", "The result is ready in thirty minutes."];
    let mut call = answers(vec![Answer::Stream(claude(&pieces, "end_turn"))]).claude().await;
    let heard = call.ask_and_hear("How much is a malaria test?").await;
    let expected = [
        "say A malaria test is three thousand, five hundred naira.",
        "say The result is ready in thirty minutes.",
        "over None",
    ];
    assert_eq!(heard, expected);

    let requests = call.provider.requests();
    let head = requests[0].head.to_lowercase();
    assert!(head.starts_with("post /v1/messages http/1.1"), "{head}");
    assert!(head.contains("anthropic-version: 2026-10-21") && head.contains("authorization: bearer the-key"));
    let body = &requests[0].body;
    for removed in ["temperature", "top_p", "top_k"] {
        assert_eq!(body.get(removed), None, "{removed} is refused by this version");
    }
    let system = body["system"][0]["text"].as_str().unwrap();
    assert!(system.contains("₦3,500") && !system.contains("0803 555 0101"), "facts, and nobody's number");
    assert_eq!(body["system"][0]["cache_control"]["ttl"], "1h");
    let question = &body["messages"][0]["content"];
    assert_eq!(question[0]["text"], "How much is a malaria test?");
    assert!(question[1]["text"].as_str().unwrap().contains("three thousand, five hundred naira"), "{question}");
}

#[tokio::test]
async fn what_was_really_said_goes_with_the_next_question() {
    let first = claude(&["Yes, we test for malaria here. It takes thirty minutes."], "end_turn");
    let second = claude(&["It is ₦3,500."], "end_turn");
    let mut call = answers(vec![Answer::Stream(first), Answer::Stream(second)]).claude().await;
    let said = |text: &str| Private::new(text.to_owned());
    call.thinking().said(&said("Good day, this is Sunrise Family Clinic."));
    call.ask_and_hear("Do you test for malaria?").await;
    call.thinking().said(&said("Yes, we test for"));
    call.ask_and_hear("How much is that?").await;
    let requests = call.provider.requests();
    let turns: Vec<(String, String)> = requests[1].body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (m["role"].as_str().unwrap().to_owned(), m["content"][0]["text"].as_str().unwrap().to_owned()))
        .collect();
    let expected = [
        ("user", "(The caller rings, and you pick up.)"),
        ("assistant", "Good day, this is Sunrise Family Clinic."),
        ("user", "Do you test for malaria?"),
        ("assistant", "Yes, we test for"),
        ("user", "How much is that?"),
    ];
    assert_eq!(turns, expected.map(|(role, text)| (role.to_owned(), text.to_owned())));
}

#[tokio::test]
async fn a_yes_to_another_question_of_the_model_goes_to_the_model() {
    let asks = claude(&["Do you mean the scan in pregnancy?"], "end_turn");
    let answers_it = claude(&["A scan is ten thousand naira."], "end_turn");
    let mut call = answers(vec![Answer::Stream(asks), Answer::Stream(answers_it)]).claude().await;
    call.ask_and_hear("How much is that picture thing?").await;
    assert_eq!(call.ask_and_hear("Yes.").await, ["say A scan is ten thousand naira.", "over None"]);
}
