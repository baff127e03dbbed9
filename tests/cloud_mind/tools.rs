//! The tools of the model: what they look up, and what they have done next.

use milu::knowledge::Finding;
use milu::speech::MindEvent;
use serde_json::{Value, json};

use crate::near::{Call, answers};
use crate::provider::{Answer, claude, end, start_in, text, thinking, tool};

/// A call whose model has thought, said that it looks, in `pieces`, and asked for the
/// hours of a day with `input`; with the tool's answer it has answered its caller.
async fn asked_of_the_calendar(pieces: &[&str], input: &Value) -> Call {
    let asks = [vec![start_in("us")], thinking(0), text(1, pieces), tool(2, "opening_hours", input), end("tool_use")];
    let answers_it = claude(&["We are closed on Christmas Day."], "end_turn");
    let mut call = answers(vec![Answer::Stream(asks.concat()), Answer::Stream(answers_it)]).claude().await;
    let heard = call.ask_and_hear("Do you work when it is the birthday of Jesus?").await;
    assert_eq!(heard, ["say Let me look.", "say We are closed on Christmas Day.", "over None"]);
    call
}

#[tokio::test]
async fn a_tools_answer_goes_back_with_the_thought_that_came_first() {
    let input = json!({ "day": "on 25 December" });
    let call = asked_of_the_calendar(&["Let me ", "look.\n\n"], &input).await;
    let requests = call.provider.requests();
    let messages = requests[1].body["messages"].as_array().unwrap();
    let [.., asked, told] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!(asked["role"], "assistant");
    assert_eq!(asked["content"][0], json!({ "type": "thinking", "thinking": "A holiday?", "signature": "c2lnbmVk" }));
    assert_eq!(asked["content"][1]["text"], "Let me look.\n\n", "as it was written");
    assert_eq!(asked["content"][2]["input"], input);
    assert_eq!(told["content"][0]["tool_use_id"], "toolu_2");
    assert!(told["content"][0]["content"].as_str().unwrap().starts_with("No, we are closed"), "{told}");
}

#[tokio::test]
async fn a_thought_is_left_out_where_its_turn_cannot_go_back_as_it_was_written() {
    let input = json!({ "day": "on 25 December", "year": 2026 });
    let call = asked_of_the_calendar(&["Let me look.\n\n"], &input).await;
    let requests = call.provider.requests();
    let messages = requests[1].body["messages"].as_array().unwrap();
    let [.., asked, _] = &messages[..] else { panic!("{messages:?}") };
    let parts = asked["content"].as_array().unwrap();
    let kinds: Vec<&str> = parts.iter().filter_map(|part| part["type"].as_str()).collect();
    assert_eq!(kinds, ["text", "tool_use"]);
}

#[tokio::test]
async fn tools_that_end_the_answer_become_what_is_done_next() {
    let call_tool = |name: &str, input: Value| {
        Answer::Stream([vec![start_in("us")], tool(0, name, &input), end("tool_use")].concat())
    };
    let mut call = answers(vec![
        call_tool("put_through", json!({ "person": "the paediatrician" })),
        call_tool("end_call", json!({})),
        call_tool("take_message", json!({})),
    ])
    .claude()
    .await;
    let person = call.ask_and_hear("The children's woman, is it her day?").await;
    assert_eq!(person, ["over Some(Person { name: Some(\"Doctor Amina Bello\") })"]);
    assert_eq!(call.ask_and_hear("Well that settles everything for me").await, ["over Some(Goodbye)"]);
    assert_eq!(call.ask_and_hear("Tell the boss that the pipe is broken").await, ["over Some(LeaveMessage)"]);
    let name = call.ask_and_hear("I am Ngozi from the pipe company").await;
    assert!(name[0].starts_with("found"), "what follows is of the message: {name:?}");
}

#[tokio::test]
async fn a_text_message_says_only_what_is_known() {
    let send = |text: &str| {
        Answer::Stream([vec![start_in("us")], tool(0, "send_sms", &json!({ "text": text })), end("tool_use")].concat())
    };
    let done = || Answer::Stream(claude(&["I have sent it."], "end_turn"));
    let mut call = answers(vec![send("A malaria test is ₦9,000."), done(), send("A malaria test is ₦3,500."), done()])
        .claude()
        .await;
    let refused = call.ask_and_hear("Could I have the price of a malaria test in writing?").await;
    assert!(!refused.concat().contains("TextMe"), "{refused:?}");
    // The call sends it, once the turn is over and it says so.
    call.ask("Could I have the price of a malaria test in writing?");
    match call.event().await {
        MindEvent::Over { then: Some(Finding::TextMe(Some(written))), .. } => {
            assert!(written.text.expose().ends_with(": A malaria test is ₦3,500."), "{}", written.text.expose());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(call.asked(), 3, "the model is told nothing of it, and asked no further");
    assert_eq!(
        call.provider.requests()[1].body["messages"].as_array().unwrap().last().unwrap()["content"][0]["is_error"],
        true
    );
}

#[tokio::test]
async fn a_model_that_only_looks_things_up_is_stopped() {
    let again = [vec![start_in("us")], tool(0, "look_up_knowledge", &json!({ "question": "cars" })), end("tool_use")];
    let mut call = answers(vec![Answer::Stream(again.concat()); 8]).claude().await;
    assert_eq!(call.ask_and_hear("Do you sell cars?").await, ["over Some(Unknown)"]);
    let requests = call.provider.requests();
    assert_eq!(requests.len(), 4);
    assert_eq!(requests[3].body["tool_choice"]["type"], "none");
}
