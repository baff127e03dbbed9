//! The voice over HTTP: the openings of its sockets, and sound streamed in the
//! answer to one request.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, RawQuery, State, WebSocketUpgrade};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::ears_query::Query;
use super::socket::{MESSAGE_MAX, Socket};
use super::voice_request::{Asked, Key, VoiceError, Way, allowed, invalid_key, key_in_headers, speed};
use super::voice_sound::{Manner, Piece, speak};
use super::{FaultKind, Provider, World, voice_input, voice_multi};

/// Pieces of sound on their way to a client that reads slowly.
const PIECES: usize = 4;

/// Characters of one request.
const TEXT_MAX: usize = 40_000;

/// A fault's oversized sound.
const OVERSIZED: usize = 20 << 20;

pub fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/v1/text-to-speech/{voice}/stream-input", get(stream_input))
        .route("/v1/text-to-speech/{voice}/multi-stream-input", get(multi_stream_input))
        .route("/v1/text-to-speech/{voice}/stream", post(stream))
        .route("/v1/text-to-speech/{voice}", post(stream))
        .fallback(nothing_here)
}

async fn nothing_here() -> Response {
    (StatusCode::NOT_FOUND, axum::Json(json!({ "detail": "Not Found" }))).into_response()
}

fn refused(error: &VoiceError) -> Response {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, axum::Json(error.in_body())).into_response()
}

fn ordered(fault: FaultKind) -> VoiceError {
    let of = VoiceError::new;
    match fault {
        FaultKind::Status400 => of(400, "bad_request", "A stand-in was told to refuse."),
        FaultKind::Status401 => invalid_key(),
        FaultKind::Status402 | FaultKind::SpendLimit => {
            of(401, "quota_exceeded", "This request exceeds your quota. You have 0 credits remaining.")
        }
        FaultKind::Status403 => of(403, "missing_permissions", "The API key lacks the permission text_to_speech."),
        FaultKind::Status429 => {
            of(429, "too_many_concurrent_requests", "Too many concurrent requests for your subscription.")
        }
        FaultKind::Status503 | FaultKind::Overloaded529 => {
            of(503, "system_busy", "The system is experiencing heavy traffic, please try again.")
        }
        _ => of(500, "internal_error", "Internal server error"),
    }
}

fn opening(world: &World, voice: &str, query: &Query, way: Way) -> Result<Asked, VoiceError> {
    if let Some(fault) = world.faults.at_opening(Provider::Voice) {
        return Err(ordered(fault));
    }
    if voice.len() < 10 || !voice.chars().all(|c| c.is_ascii_alphanumeric()) {
        let message = format!("A voice with the voice_id {voice} was not found.");
        return Err(VoiceError::new(404, "voice_not_found", message));
    }
    let asked = Asked::read(query, way)?;
    allowed(world, &asked)?;
    Ok(asked)
}

async fn stream_input(
    State(world): State<Arc<World>>,
    Path(voice): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let asked = match opening(&world, &voice, &Query::parse(&query.unwrap_or_default()), Way::OneContext) {
        Ok(asked) => asked,
        Err(error) => return refused(&error),
    };
    let Ok(upgrade) = upgrade else { return nothing_here().await };
    let key = Key::of_opening(&headers);
    upgrade.max_message_size(MESSAGE_MAX).on_upgrade(move |socket| async move {
        let socket = Socket::new(Arc::clone(&world), Provider::Voice, socket);
        voice_input::listen(world, socket, asked, key).await;
    })
}

async fn multi_stream_input(
    State(world): State<Arc<World>>,
    Path(voice): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let asked = match opening(&world, &voice, &Query::parse(&query.unwrap_or_default()), Way::ManyContexts) {
        Ok(asked) => asked,
        Err(error) => return refused(&error),
    };
    let Ok(upgrade) = upgrade else { return nothing_here().await };
    let key = Key::of_opening(&headers);
    upgrade.max_message_size(MESSAGE_MAX).on_upgrade(move |socket| async move {
        let socket = Socket::new(Arc::clone(&world), Provider::Voice, socket);
        voice_multi::listen(world, socket, asked, key).await;
    })
}

async fn stream(
    State(world): State<Arc<World>>,
    Path(voice): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let began = world.now();
    world.seen.payload(Provider::Voice, &body);
    let asked = match opening(&world, &voice, &Query::parse(&query.unwrap_or_default()), Way::Request) {
        Ok(asked) => asked,
        Err(error) => return refused(&error),
    };
    if key_in_headers(&headers) != Some(true) {
        return refused(&invalid_key());
    }
    let Ok(request) = serde_json::from_slice::<Value>(&body) else { return invalid("body", "JSON decode error") };
    world.seen.texts(Provider::Voice, &request);
    let Some(text) = request["text"].as_str() else { return invalid("text", "Field required") };
    if text.chars().count() > TEXT_MAX {
        return refused(&VoiceError::new(400, "max_character_limit_exceeded", "The text is too long."));
    }
    for (field, most) in [("pronunciation_dictionary_locators", 3), ("previous_request_ids", 3)] {
        if request[field].as_array().is_some_and(|list| list.len() > most) {
            return invalid(field, "List should have at most 3 items");
        }
    }
    let speed = match speed(&request["voice_settings"]) {
        Ok(speed) => speed,
        Err(error) => return refused(&error),
    };
    let not_before = began + world.options.voice_delay();
    let manner = Manner { format: asked.format, speed, is_aligned: false, not_before };
    let id = world.id("req");
    let (tell, told) = mpsc::channel(PIECES);
    world.spawn(write(Arc::clone(&world), text.to_owned(), manner, tell));
    let mut response = ([(header::CONTENT_TYPE, asked.format.content_type())], body_of(told)).into_response();
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("request-id", id);
    }
    response
}

fn invalid(field: &str, message: &str) -> Response {
    let body = json!({ "detail": [{ "loc": ["body", field], "msg": message, "type": "missing" }] });
    (StatusCode::UNPROCESSABLE_ENTITY, axum::Json(body)).into_response()
}

/// The answer breaks off.
#[derive(Debug, thiserror::Error)]
#[error("the sound broke off")]
struct BrokenOff;

fn body_of(told: mpsc::Receiver<Result<Bytes, BrokenOff>>) -> Body {
    let next = |mut told: mpsc::Receiver<Result<Bytes, BrokenOff>>| async move {
        let bytes = told.recv().await?;
        Some((bytes, told))
    };
    Body::from_stream(futures_util::stream::unfold(told, next))
}

async fn write(world: Arc<World>, text: String, manner: Manner, tell: mpsc::Sender<Result<Bytes, BrokenOff>>) {
    let opened = world.now();
    if world.faults.take(Provider::Voice, opened, &[FaultKind::SilentAfterOpen]).is_some() {
        return tell.closed().await;
    }
    world.seen.answered(Provider::Voice, &text);
    let (pieces, mut made) = mpsc::channel::<Piece>(1);
    let speaker = Arc::clone(&world);
    world.spawn(async move {
        if speak(&speaker, &text, manner, &pieces).await.is_err() {
            tracing::error!("a stand-in's voice failed");
        }
    });
    let mut held: Option<Bytes> = None;
    while let Some(piece) = made.recv().await {
        let mut bytes = Bytes::from(piece.audio);
        if let Some(first) = held.take() {
            bytes = [bytes, first].concat().into();
        } else {
            match world.faults.take(Provider::Voice, opened, FaultKind::OF_MESSAGES) {
                Some(FaultKind::OutOfOrder) => {
                    held = Some(bytes);
                    continue;
                }
                Some(FaultKind::Slow) => tokio::time::sleep(std::time::Duration::from_secs(1)).await,
                // An odd number of bytes that are no samples.
                Some(FaultKind::Garbage) => bytes = Bytes::from_static(b"{\"detail\": \"no sound"),
                Some(FaultKind::Oversized) => bytes = vec![0x7F; OVERSIZED].into(),
                Some(_) => {
                    // Broken off or not taken: both are the end.
                    return drop(tell.send(Err(BrokenOff)).await);
                }
                None => {}
            }
        }
        if tell.send(Ok(bytes)).await.is_err() {
            world.seen.count(Provider::Voice, |received| received.abandoned += 1);
            return;
        }
    }
    if let Some(bytes) = held {
        drop(tell.send(Ok(bytes)).await);
    }
}
