//! The same mind as an OpenAI-compatible server on the LAN speaks, over plain
//! HTTP: `/v1/chat/completions`, whole and streamed, with tools, and `/v1/models`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use milu::terms::Moment;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::mind_answer::{Answer, Block, Dialogue, Honesty, Role, ToolChoice, Turn, answer};
use super::mind_cache::tokens;
use super::mind_http::body_of;
use super::mind_stream::{pieces, written};
use super::mind_tools::Tool;
use super::spoiler::{Passed, Spoiler};
use super::{FaultKind, Provider, World};

const EVENTS: usize = 64;

pub fn routes() -> Router<Arc<World>> {
    Router::new().route("/v1/chat/completions", post(complete)).route("/v1/models", get(models))
}

async fn models() -> Json<Value> {
    Json(json!({ "object": "list", "data": [{ "id": "stand-in", "object": "model", "owned_by": "stand-in" }] }))
}

fn refused(status: StatusCode, message: &str) -> Response {
    let body = json!({ "error": { "message": message, "type": "invalid_request_error", "code": status.as_u16() } });
    (status, Json(body)).into_response()
}

async fn complete(State(world): State<Arc<World>>, body: Bytes) -> Response {
    let began = world.now();
    world.seen.payload(Provider::LanMind, &body);
    if let Some(fault) = world.faults.at_opening(Provider::LanMind) {
        let status = match fault {
            FaultKind::Status400 => StatusCode::BAD_REQUEST,
            FaultKind::Status401 => StatusCode::UNAUTHORIZED,
            FaultKind::Status429 => StatusCode::TOO_MANY_REQUESTS,
            FaultKind::Status503 | FaultKind::Overloaded529 => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        return refused(status, "A stand-in was told to refuse.");
    }
    let Ok(request) = serde_json::from_slice::<Value>(&body) else {
        return refused(StatusCode::BAD_REQUEST, "The body is not JSON.");
    };
    world.seen.texts(Provider::LanMind, &request);
    let dialogue = match dialogue(&request) {
        Ok(dialogue) => dialogue,
        Err(message) => return refused(StatusCode::BAD_REQUEST, message),
    };
    let lying = world.faults.take(Provider::LanMind, began, &[FaultKind::Contradict]).is_some();
    let honesty = if lying { Honesty::Lying } else { Honesty::Honest };
    let in_prompt = world.prompt_facts.of(&dialogue.system);
    let facts = world.facts.as_ref().or(in_prompt.as_ref().as_ref());
    let answer = answer(&dialogue, facts, world.clock.wall(), honesty);
    world.seen.answered(Provider::LanMind, &answer.text);
    let completion = Completion {
        id: world.id("chatcmpl"),
        call_id: world.id("call"),
        model: request["model"].as_str().unwrap_or("stand-in").to_owned(),
        created: world.clock.wall().as_second(),
        prompt_tokens: tokens(&request.to_string()),
        answer,
        is_usage_wanted: request["stream_options"]["include_usage"] == true,
    };
    if request["stream"] == true {
        let (tell, told) = mpsc::channel(EVENTS);
        world.spawn(write(Arc::clone(&world), completion, began, tell));
        ([(header::CONTENT_TYPE, "text/event-stream")], body_of(told)).into_response()
    } else {
        world.clock.sleep_until(began + world.options.mind_delay()).await;
        Json(completion.whole()).into_response()
    }
}

fn dialogue(request: &Value) -> Result<Dialogue, &'static str> {
    if !request["model"].is_string() {
        return Err("model is required");
    }
    let messages = request["messages"].as_array().filter(|list| !list.is_empty()).ok_or("messages is required")?;
    let (mut system, mut turns) = (Vec::new(), Vec::new());
    for message in messages {
        let text = text(&message["content"]);
        match message["role"].as_str() {
            Some("system" | "developer") => system.push(text),
            Some("user") => turns.push(Turn { role: Role::User, blocks: vec![Block::Text(text)] }),
            Some("assistant") => turns.push(Turn { role: Role::Assistant, blocks: vec![Block::Text(text)] }),
            Some("tool") => {
                let id = message["tool_call_id"].as_str().ok_or("tool_call_id is required")?.to_owned();
                turns.push(Turn { role: Role::User, blocks: vec![Block::ToolResult { id, text, is_error: false }] });
            }
            _ => return Err("role must be system, user, assistant or tool"),
        }
    }
    let mut tools = Vec::new();
    for tool in request["tools"].as_array().into_iter().flatten() {
        let function = &tool["function"];
        tools.push(Tool {
            name: function["name"].as_str().ok_or("tools need a function with a name")?.to_owned(),
            description: function["description"].as_str().unwrap_or_default().to_owned(),
            schema: function["parameters"].clone(),
        });
    }
    let choice = match &request["tool_choice"] {
        Value::String(choice) if choice == "none" => ToolChoice::Never,
        Value::String(choice) if choice == "required" => ToolChoice::Any,
        Value::Object(choice) => ToolChoice::Named(choice["function"]["name"].as_str().unwrap_or_default().to_owned()),
        _ => ToolChoice::Auto,
    };
    Ok(Dialogue { system: system.join("\n"), turns, tools, choice })
}

fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    }
}

struct Completion {
    id: String,
    call_id: String,
    model: String,
    created: i64,
    prompt_tokens: u64,
    answer: Answer,
    /// A stream ends with its usage.
    is_usage_wanted: bool,
}

impl Completion {
    fn finish(&self) -> &'static str {
        if self.answer.tool.is_some() { "tool_calls" } else { "stop" }
    }

    fn tool_calls(&self) -> Option<Value> {
        let call = self.answer.tool.as_ref()?;
        let function = json!({ "name": call.name, "arguments": call.input.to_string() });
        Some(json!([{ "index": 0, "id": self.call_id, "type": "function", "function": function }]))
    }

    fn usage(&self) -> Value {
        let completion = tokens(&self.answer.text);
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
        })
    }

    fn whole(&self) -> Value {
        let mut message = json!({ "role": "assistant", "content": self.answer.text });
        if let Some(calls) = self.tool_calls() {
            message["tool_calls"] = calls;
        }
        json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{ "index": 0, "message": message, "finish_reason": self.finish() }],
            "usage": self.usage(),
        })
    }

    fn chunk(&self, delta: &Value, finish: Option<&str>) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }],
        })
    }

    /// The chunks, each with the tokens that are written before it.
    fn chunks(&self) -> Vec<(Value, u64)> {
        let mut chunks = vec![(self.chunk(&json!({ "role": "assistant", "content": "" }), None), 0)];
        let mut so_far = 0;
        for piece in pieces(&self.answer.text) {
            chunks.push((self.chunk(&json!({ "content": piece }), None), so_far));
            so_far += tokens(&piece);
        }
        if let Some(calls) = self.tool_calls() {
            chunks.push((self.chunk(&json!({ "tool_calls": calls }), None), so_far));
        }
        chunks.push((self.chunk(&json!({}), Some(self.finish())), so_far));
        if self.is_usage_wanted {
            let mut last = self.chunk(&json!({}), None);
            (last["choices"], last["usage"]) = (json!([]), self.usage());
            chunks.push((last, so_far));
        }
        chunks
    }
}

async fn write(world: Arc<World>, completion: Completion, began: Moment, tell: mpsc::Sender<Bytes>) {
    let mut spoiler = Spoiler::new(Arc::clone(&world), Provider::LanMind);
    if spoiler.is_silent() {
        return tell.closed().await;
    }
    for (chunk, so_far) in completion.chunks() {
        let due = began + world.options.mind_delay() + written(so_far, world.options.mind_tokens_per_s);
        tokio::select! {
            () = world.clock.sleep_until(due) => {}
            () = tell.closed() => {}
        }
        for passed in spoiler.pass(chunk).await {
            let (data, is_last) = match passed {
                Passed::Message(chunk) => (chunk.to_string(), false),
                Passed::Spoilt(text) => (text, false),
                Passed::Error => (json!({ "error": { "message": "out of memory", "code": 500 } }).to_string(), true),
            };
            if tell.send(Bytes::from(format!("data: {data}\n\n"))).await.is_err() {
                world.seen.count(Provider::LanMind, |received| received.abandoned += 1);
                return;
            }
            if is_last {
                return;
            }
        }
    }
    let held = spoiler.rest().map(|held| format!("data: {held}\n\n")).unwrap_or_default();
    // Sent or not, this was the last.
    drop(tell.send(Bytes::from(format!("{held}data: [DONE]\n\n"))).await);
}
