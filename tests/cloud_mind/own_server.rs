//! The business's own server is the same mind in another dialect.

use milu::speech::{MindError, MindEvent};
use milu::terms::RequestId;
use serde_json::{Value, json};

use crate::far::Far;
use crate::near::answers;
use crate::provider::Answer;

fn chunk(delta: &Value, finish: Option<&str>) -> String {
    format!("data: {}\n\n", json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] }))
}

#[tokio::test]
async fn a_server_of_the_businesss_own_is_the_same_mind() {
    let call_tool = json!({ "tool_calls": [{ "index": 0, "id": "c1", "function": { "name": "opening_hours", "arguments": "{\"day\":\"on Saturday\"}" } }] });
    let asks = vec![chunk(&call_tool, None), chunk(&json!({}), Some("tool_calls")), "data: [DONE]\n\n".to_owned()];
    let says = vec![
        chunk(&json!({ "role": "assistant", "content": "<think>hm" }), None),
        chunk(&json!({ "content": "</think>On Saturday we open at ni" }), None),
        chunk(&json!({ "content": "ne in the morning." }), None),
        chunk(&json!({}), Some("stop")),
        "data: [DONE]\n\n".to_owned(),
    ];
    let mut call = answers(vec![Answer::Stream(asks), Answer::Stream(says)]).lan().await;
    let heard = call.ask_and_hear("The sixth day of the week, from what hour are una there?").await;
    assert_eq!(heard, ["say On Saturday we open at nine in the morning.", "over None"]);
    let requests = call.provider.requests();
    assert!(requests[0].head.to_lowercase().starts_with("post /v1/chat/completions http/1.1"));
    let roles: Vec<&str> =
        requests[1].body["messages"].as_array().unwrap().iter().filter_map(|m| m["role"].as_str()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool"]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told() {
    let mut call = answers(vec![]).lan().await;
    let request = call.next + 1;
    // The warming may still hold a connection; a port that nobody listens on has none.
    drop(std::mem::replace(&mut call.far, Far::plain(|_| async {}).await));
    call.ask("Do you test for malaria?");
    match call.event().await {
        MindEvent::Failed { request: found, error: MindError::Unreachable | MindError::TooLate(..) } => {
            assert_eq!(found, RequestId(request));
        }
        other => panic!("{other:?}"),
    }
}
