//! The mind over HTTP: `/v1/messages`, whole and streamed, with the documented
//! answers to whoever may not, asks wrongly, or comes at a bad time.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use milu::terms::Moment;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::mind_answer::{Honesty, answer};
use super::mind_request::{self, ApiError, MessagesRequest, Thinking};
use super::mind_stream::{Cutting, Reply, written};
use super::spoiler::{Passed, Spoiler};
use super::{FaultKind, Provider, World};

/// Events on their way to a client that reads slowly.
const EVENTS: usize = 64;

/// The API takes 32 MB.
const BODY_MAX: usize = 32 << 20;

const OVERLOADED: &str = "overloaded_error";

pub fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/v1/messages", post(messages))
        .route("/v1/messages/count_tokens", post(count_tokens))
        .fallback(nothing_here)
        .layer(axum::extract::DefaultBodyLimit::max(BODY_MAX))
}

async fn nothing_here(State(world): State<Arc<World>>) -> Response {
    let error = ApiError { status: StatusCode::NOT_FOUND, kind: "not_found_error", message: "Not Found".to_owned() };
    refused(&world.id("req"), &error, None)
}

fn named(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn common(mut response: Response, id: &str) -> Response {
    let headers = response.headers_mut();
    named(headers, "request-id", id);
    named(headers, "anthropic-organization-id", "5ead0000-0000-4000-8000-000000000001");
    named(headers, "anthropic-workspace-id", "wrkspc_01standin");
    response
}

fn refused(id: &str, error: &ApiError, code: Option<&str>) -> Response {
    let mut body = json!({
        "type": "error",
        "error": { "type": error.kind, "message": error.message },
        "request_id": id,
    });
    if let Some(code) = code {
        body["error"]["details"] = json!({ "error_code": code });
    }
    common((error.status, axum::Json(body)).into_response(), id)
}

fn of(status: u16, kind: &'static str, message: &str) -> ApiError {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    ApiError { status, kind, message: message.to_owned() }
}

fn ordered(fault: FaultKind, id: &str) -> Response {
    let error = match fault {
        FaultKind::Status400 => of(400, "invalid_request_error", "A stand-in was told to refuse."),
        FaultKind::Status401 => of(401, "authentication_error", "invalid x-api-key"),
        FaultKind::Status402 => of(402, "billing_error", "Your credit balance is too low."),
        FaultKind::Status403 => of(403, "permission_error", "This API key may not use the specified resource."),
        FaultKind::Status429 => {
            let error = of(429, "rate_limit_error", "This request would exceed the rate limit of your organization.");
            let mut response = refused(id, &error, None);
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
            named(headers, "anthropic-ratelimit-requests-limit", "50");
            named(headers, "anthropic-ratelimit-requests-remaining", "0");
            return response;
        }
        FaultKind::SpendLimit => {
            let error = of(429, "rate_limit_error", "You have reached your enforced spend limit for this month.");
            return refused(id, &error, Some("enforced_spend_limit_reached"));
        }
        FaultKind::Status503 => of(503, "api_error", "Service unavailable"),
        FaultKind::Overloaded529 => of(529, OVERLOADED, "Overloaded"),
        _ => of(500, "api_error", "Internal server error"),
    };
    refused(id, &error, None)
}

/// The request, checked and written down.
fn checked(world: &World, headers: &HeaderMap, body: &Bytes) -> Result<MessagesRequest, ApiError> {
    world.seen.payload(Provider::Mind, body);
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        world.seen.texts(Provider::Mind, &value);
    }
    mind_request::admitted(headers)?;
    mind_request::read(headers, body)
}

async fn count_tokens(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    let id = world.id("req");
    // Its body has no limit of its own.
    let with_limit = serde_json::from_slice::<Value>(&body).map(|mut body| {
        body["max_tokens"] = json!(1);
        Bytes::from(body.to_string())
    });
    match checked(&world, &headers, &with_limit.unwrap_or(body)) {
        Ok(request) => common(axum::Json(json!({ "input_tokens": request.prefix.tokens() })).into_response(), &id),
        Err(error) => refused(&id, &error, None),
    }
}

async fn messages(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    let (id, began) = (world.id("req"), world.now());
    if let Some(fault) = world.faults.at_opening(Provider::Mind) {
        world.seen.payload(Provider::Mind, &body);
        return ordered(fault, &id);
    }
    let request = match checked(&world, &headers, &body) {
        Ok(request) => request,
        Err(error) => return refused(&id, &error, None),
    };
    let reply = reply(&world, &request, began);
    world.seen.answered(Provider::Mind, reply.text());
    let response =
        if request.is_stream { streamed(&world, reply, began) } else { whole(&world, &reply, began, &id).await };
    common(response, &id)
}

fn reply(world: &World, request: &MessagesRequest, began: Moment) -> Reply {
    let fault = |kind| world.faults.take(Provider::Mind, began, &[kind]).is_some();
    let honesty = if fault(FaultKind::Contradict) { Honesty::Lying } else { Honesty::Honest };
    let cutting = if fault(FaultKind::Refusal) {
        Cutting::Refusal
    } else if fault(FaultKind::MaxTokens) {
        Cutting::MaxTokens
    } else {
        Cutting::None
    };
    let in_prompt = world.prompt_facts.of(&request.dialogue.system);
    let facts = world.facts.as_ref().or(in_prompt.as_ref().as_ref());
    let answer = answer(&request.dialogue, facts, world.clock.wall(), honesty);
    let always = world.options.thinking && request.thinking == Thinking::None;
    let thinking = if always { Thinking::Shown } else { request.thinking };
    let cache = world.prompt_cache.look(&request.prefix, began);
    Reply::new(world.id("msg"), world.id("toolu"), request, answer, thinking, cache, cutting)
}

async fn whole(world: &Arc<World>, reply: &Reply, began: Moment, id: &str) -> Response {
    let mut spoiler = Spoiler::new(Arc::clone(world), Provider::Mind);
    if spoiler.is_silent() {
        return std::future::pending().await;
    }
    let due = began + world.options.mind_delay() + reply.writing(world.options.mind_tokens_per_s);
    world.clock.sleep_until(due).await;
    let json = [(header::CONTENT_TYPE, "application/json")];
    match spoiler.pass(reply.whole()).await.pop() {
        Some(Passed::Message(message)) => (json, message.to_string()).into_response(),
        Some(Passed::Spoilt(text)) => (json, text).into_response(),
        Some(Passed::Error) => refused(id, &of(529, OVERLOADED, "Overloaded"), None),
        None => (json, spoiler.rest().unwrap_or_default().to_string()).into_response(),
    }
}

fn streamed(world: &Arc<World>, reply: Reply, began: Moment) -> Response {
    let (tell, told) = mpsc::channel(EVENTS);
    world.spawn(write(Arc::clone(world), reply, began, tell));
    let headers = [(header::CONTENT_TYPE, "text/event-stream; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    (headers, body_of(told)).into_response()
}

/// A response's body from what is sent into the channel.
pub fn body_of(told: mpsc::Receiver<Bytes>) -> Body {
    let next = |mut told: mpsc::Receiver<Bytes>| async move {
        let bytes = told.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(bytes), told))
    };
    Body::from_stream(futures_util::stream::unfold(told, next))
}

async fn write(world: Arc<World>, reply: Reply, began: Moment, tell: mpsc::Sender<Bytes>) {
    let mut spoiler = Spoiler::new(Arc::clone(&world), Provider::Mind);
    if spoiler.is_silent() {
        return tell.closed().await;
    }
    let delay = world.options.mind_delay();
    let rate = world.options.mind_tokens_per_s;
    for timed in reply.events() {
        let after = if timed.is_early { delay / 2 } else { delay + written(timed.after_tokens, rate) };
        let due = world.clock.sleep_until(began + after);
        tokio::select! {
            () = due => {}
            // Nobody reads on: the caller went on, or the line is gone.
            () = tell.closed() => {}
        }
        for passed in spoiler.pass(timed.event).await {
            let (bytes, is_last) = match passed {
                Passed::Message(event) => (sse(&event), false),
                Passed::Spoilt(text) => (Bytes::from(format!("event: content_block_delta\ndata: {text}\n\n")), false),
                Passed::Error => (sse(&overloaded()), true),
            };
            if tell.send(bytes).await.is_err() {
                world.seen.count(Provider::Mind, |received| received.abandoned += 1);
                return;
            }
            if is_last {
                return;
            }
        }
    }
    if let Some(held) = spoiler.rest() {
        // Sent or not, this was the last.
        drop(tell.send(sse(&held)).await);
    }
}

fn overloaded() -> Value {
    json!({ "type": "error", "error": { "type": OVERLOADED, "message": "Overloaded" } })
}

fn sse(event: &Value) -> Bytes {
    Bytes::from(format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default()))
}
