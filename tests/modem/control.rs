//! Plain HTTP on the loopback for whoever tests from outside. `GET /modems` tells
//! all of them; `POST /modems/N/ring`, `/hang-up`, `/press`, `/text`, `/say-row`,
//! `/fault`, `/script`, `/speak` (8 kHz s16le), `/unplug` and `/replug` act on
//! one; `GET /modems/N/heard` gives what the far side heard, as 8 kHz s16le.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use tokio::net::TcpListener;

use super::{Fault, Modem};

/// Half an hour of sound.
const BODY_MAX: usize = 32 << 20;

type Modems = Arc<Vec<Modem>>;

/// A socket of the loopback and what is to be served on it.
pub async fn open(modems: Vec<Modem>) -> std::io::Result<(u16, impl Future<Output = std::io::Result<()>> + Send)> {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = socket.local_addr()?.port();
    let routes = Router::new()
        .route("/modems", get(all))
        .route("/modems/{n}/ring", post(ring))
        .route("/modems/{n}/hang-up", post(hang_up))
        .route("/modems/{n}/press", post(press))
        .route("/modems/{n}/text", post(text))
        .route("/modems/{n}/say-row", post(say_row))
        .route("/modems/{n}/fault", post(fault))
        .route("/modems/{n}/script", post(script))
        .route("/modems/{n}/speak", post(speak))
        .route("/modems/{n}/heard", get(heard))
        .route("/modems/{n}/forget", post(forget))
        .route("/modems/{n}/unplug", post(unplug))
        .route("/modems/{n}/replug", post(replug))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(Arc::new(modems));
    Ok((port, async move { axum::serve(socket, routes).await }))
}

async fn all(State(modems): State<Modems>) -> impl IntoResponse {
    let shown = |modem: &Modem| {
        serde_json::json!({
            "usb_path": modem.usb_path(),
            "at": modem.at_path(),
            "pcm": modem.pcm_path(),
            "calls": modem.calls(),
            "sounds": modem.sounds(),
            "sound": modem.sound(),
            "unsaid": modem.unsaid(),
            "written": modem.written(),
            "sent": modem.sent_texts(),
            "stored_texts": modem.stored_texts(),
            "digits_sent": modem.digits_sent(),
            "resets": modem.resets(),
        })
    };
    Json(modems.iter().map(shown).collect::<Vec<_>>())
}

fn with(modems: &Modems, n: usize, act: impl FnOnce(&Modem)) -> StatusCode {
    modems.get(n).map_or(StatusCode::NOT_FOUND, |modem| {
        act(modem);
        StatusCode::NO_CONTENT
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ring {
    #[serde(default)]
    from: String,
}

async fn ring(State(modems): State<Modems>, Path(n): Path<usize>, Json(ring): Json<Ring>) -> StatusCode {
    with(&modems, n, |modem| modem.ring(&ring.from))
}

async fn hang_up(State(modems): State<Modems>, Path(n): Path<usize>) -> StatusCode {
    with(&modems, n, Modem::hang_up)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Press {
    digit: char,
}

async fn press(State(modems): State<Modems>, Path(n): Path<usize>, Json(press): Json<Press>) -> StatusCode {
    with(&modems, n, |modem| modem.press(press.digit))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    from: String,
    text: String,
}

async fn text(State(modems): State<Modems>, Path(n): Path<usize>, Json(text): Json<Text>) -> StatusCode {
    with(&modems, n, |modem| modem.receive_text(&text.from, &text.text))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    row: String,
}

async fn say_row(State(modems): State<Modems>, Path(n): Path<usize>, Json(row): Json<Row>) -> StatusCode {
    with(&modems, n, |modem| modem.say_row(&row.row))
}

async fn fault(State(modems): State<Modems>, Path(n): Path<usize>, Json(fault): Json<Fault>) -> StatusCode {
    with(&modems, n, |modem| modem.fault(fault))
}

async fn script(State(modems): State<Modems>, Path(n): Path<usize>, body: String) -> Response {
    match modems.get(n).map(|modem| modem.play(&body)) {
        None => StatusCode::NOT_FOUND.into_response(),
        Some(Ok(())) => StatusCode::NO_CONTENT.into_response(),
        Some(Err(error)) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

async fn speak(State(modems): State<Modems>, Path(n): Path<usize>, body: Bytes) -> StatusCode {
    let samples: Vec<i16> = body.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect();
    with(&modems, n, |modem| modem.speak(&samples))
}

async fn heard(State(modems): State<Modems>, Path(n): Path<usize>) -> Response {
    match modems.get(n) {
        None => StatusCode::NOT_FOUND.into_response(),
        Some(modem) => {
            modem.heard().iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<u8>>().into_response()
        }
    }
}

async fn forget(State(modems): State<Modems>, Path(n): Path<usize>) -> StatusCode {
    with(&modems, n, |modem| {
        modem.forget_heard();
        modem.forget_written();
    })
}

async fn unplug(State(modems): State<Modems>, Path(n): Path<usize>) -> StatusCode {
    with(&modems, n, Modem::unplug)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Where {
    usb_path: Option<String>,
}

async fn replug(State(modems): State<Modems>, Path(n): Path<usize>, Json(to): Json<Where>) -> StatusCode {
    with(&modems, n, |modem| modem.replug(to.usb_path.as_deref()))
}
