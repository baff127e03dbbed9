//! The control socket's part for modems and text messages.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

use super::control::Control;
use super::control_refusal::Refusal;
use super::modem_facts::ModemJson;
use super::modems::{AskModem, Modem, awaits_answer};
use crate::signalling::modem::{Force, SupportWay, UssdReply, parts_of_text};
use crate::store::{TextEnd, TextFate};
use crate::terms::{PhoneNumber, Private};

/// `milu texts` shows at most this many, the newest: what a person pages through.
const TEXTS_MAX: u32 = 500;

/// What is asked by hand is a row or a short text.
const BODY_BYTES_MAX: usize = 16 << 10;

pub fn routes() -> Router<Control> {
    Router::new()
        .route("/v1/texts", get(texts))
        .route("/v1/modems/{line}", get(signal))
        .route("/v1/modems/{line}/support", get(support))
        .route("/v1/modems/{line}/command", post(command))
        .route("/v1/modems/{line}/code", post(code))
        .route("/v1/modems/{line}/code/{dialogue}", post(code_answer))
        .route("/v1/modems/{line}/code/{dialogue}/cancel", post(code_cancel))
        .route("/v1/modems/{line}/text", post(text))
        .route("/v1/modems/{line}/release", post(release))
        .layer(axum::extract::DefaultBodyLimit::max(BODY_BYTES_MAX))
}

fn modem(control: &Control, line: &str) -> Result<Arc<Modem>, Refusal> {
    control.modems.get(line).cloned().ok_or_else(|| {
        let known: Vec<&str> = control.modems.iter().map(|modem| modem.line.as_str()).collect();
        let known = if known.is_empty() { "no line has one".to_owned() } else { format!("try {}", known.join(", ")) };
        Refusal(StatusCode::NOT_FOUND, format!("asking a modem: no line `{line}` has one; {known}"))
    })
}

#[derive(Serialize)]
struct TextsJson {
    /// Those that came, the newest first.
    received: Vec<TextJson>,
    /// How many wait to be sent.
    waiting: u64,
    /// The first of them.
    to_send: Vec<ToSendJson>,
    /// Those that were given up or may have arrived twice, the newest first.
    ended: Vec<EndedJson>,
    /// What the network told of those that were sent, the newest first.
    deliveries: Vec<DeliveryJson>,
}

#[derive(Serialize)]
struct DeliveryJson {
    call: Option<String>,
    line: String,
    told_at: String,
    /// `delivered` or `failed`.
    fate: &'static str,
}

/// A text that was promised and waits. To whom is in the record of its call.
#[derive(Serialize)]
struct ToSendJson {
    call: Option<String>,
    /// What the network will bill; none for a text that no line can send.
    parts: Option<u32>,
    due_at: String,
    tries: u32,
    /// Why it has not gone out yet.
    why: Option<String>,
}

#[derive(Serialize)]
struct EndedJson {
    call: Option<String>,
    ended_at: String,
    tries: u32,
    /// `given-up`, or `may-be-twice` for one that was sent.
    end: &'static str,
    why: String,
}

#[derive(Serialize)]
struct TextJson {
    line: String,
    from: String,
    text: String,
    received_at: String,
}

async fn texts(State(control): State<Control>) -> Result<Json<TextsJson>, Refusal> {
    let received = control.vault.texts().received(TEXTS_MAX).await?;
    let waiting = control.vault.texts().waiting_count().await?;
    let to_send = control.vault.texts().waiting(TEXTS_MAX).await?.into_iter().map(|text| ToSendJson {
        call: text.text.call.map(|call| call.to_string()),
        parts: parts_of_text(&text.text.to, &text.text.text),
        due_at: text.due_at.to_string(),
        tries: text.tries,
        why: text.why,
    });
    let ended = control.vault.texts().ended(TEXTS_MAX).await?.into_iter().filter_map(|text| {
        let (end, why) = match text.end {
            TextEnd::Sent => return None,
            TextEnd::MayBeTwice { why } => ("may-be-twice", why),
            TextEnd::GivenUp { why } => ("given-up", why),
        };
        let call = text.call.map(|call| call.to_string());
        Some(EndedJson { call, ended_at: text.ended_at.to_string(), tries: text.tries, end, why })
    });
    let received = received.into_iter().map(|kept| TextJson {
        line: kept.line.to_string(),
        from: kept.from.into_exposed(),
        text: kept.text.into_exposed(),
        received_at: kept.received_at.to_string(),
    });
    let deliveries = control.vault.texts().deliveries(TEXTS_MAX).await?.into_iter().map(|told| DeliveryJson {
        call: told.call.map(|call| call.to_string()),
        line: told.line.to_string(),
        told_at: told.told_at.to_string(),
        fate: match told.fate {
            TextFate::Delivered => "delivered",
            TextFate::Failed => "failed",
        },
    });
    let deliveries = deliveries.collect();
    Ok(Json(TextsJson {
        received: received.collect(),
        waiting,
        to_send: to_send.collect(),
        ended: ended.collect(),
        deliveries,
    }))
}

async fn signal(State(control): State<Control>, UrlPath(line): UrlPath<String>) -> Result<Json<ModemJson>, Refusal> {
    Ok(Json(ModemJson::of(modem(&control, &line)?.as_ref())))
}

#[derive(Serialize)]
struct SupportJson {
    /// How many came that nobody knows.
    unknown_rows: u64,
    rows: Vec<SupportRowJson>,
}

#[derive(Serialize)]
struct SupportRowJson {
    ago_ms: u64,
    way: &'static str,
    row: String,
}

async fn support(State(control): State<Control>, UrlPath(line): UrlPath<String>) -> Result<Json<SupportJson>, Refusal> {
    let modem = modem(&control, &line)?;
    let unknown_rows = modem.status().modem.map_or(0, |health| health.counters.unknown_rows);
    let rows = modem.support_rows().await?;
    let now = control.clock.now();
    let rows = rows.into_iter().map(|row| SupportRowJson {
        ago_ms: now.ms_since(row.at),
        way: match row.way {
            SupportWay::ToModem => "to-modem",
            SupportWay::FromModem => "from-modem",
            SupportWay::Line => "line",
        },
        row: row.text,
    });
    Ok(Json(SupportJson { unknown_rows, rows: rows.collect() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandJson {
    row: String,
    #[serde(default)]
    force: bool,
}

#[derive(Serialize)]
struct AnswerJson {
    rows: String,
}

async fn command(
    State(control): State<Control>,
    UrlPath(line): UrlPath<String>,
    Json(asked): Json<CommandJson>,
) -> Result<Json<AnswerJson>, Refusal> {
    let force = if asked.force { Force::Yes } else { Force::No };
    let rows = modem(&control, &line)?.command(asked.row, force).await?;
    Ok(Json(AnswerJson { rows: rows.into_exposed() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeJson {
    text: String,
}

#[derive(Serialize)]
struct SaidJson {
    dialogue: u64,
    text: String,
    awaits_answer: bool,
}

impl SaidJson {
    fn of(dialogue: u64, reply: UssdReply) -> Json<Self> {
        let awaits_answer = awaits_answer(&reply);
        Json(Self { dialogue, text: reply.text.into_exposed(), awaits_answer })
    }
}

async fn code(
    State(control): State<Control>,
    UrlPath(line): UrlPath<String>,
    Json(asked): Json<CodeJson>,
) -> Result<Json<SaidJson>, Refusal> {
    let (dialogue, reply) = modem(&control, &line)?.code(Private::new(asked.text)).await?;
    Ok(SaidJson::of(dialogue, reply))
}

async fn code_answer(
    State(control): State<Control>,
    UrlPath((line, dialogue)): UrlPath<(String, u64)>,
    Json(asked): Json<CodeJson>,
) -> Result<Json<SaidJson>, Refusal> {
    let reply = modem(&control, &line)?.code_answer(dialogue, Private::new(asked.text)).await?;
    Ok(SaidJson::of(dialogue, reply))
}

async fn code_cancel(
    State(control): State<Control>,
    UrlPath((line, dialogue)): UrlPath<(String, u64)>,
) -> Result<StatusCode, Refusal> {
    modem(&control, &line)?.code_cancel(dialogue)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SendJson {
    to: String,
    text: String,
}

async fn text(
    State(control): State<Control>,
    UrlPath(line): UrlPath<String>,
    Json(asked): Json<SendJson>,
) -> Result<StatusCode, Refusal> {
    let modem = modem(&control, &line)?;
    let to = PhoneNumber::parse(&asked.to, &modem.country_code)
        .map_err(|error| Refusal(StatusCode::BAD_REQUEST, format!("sending a text: {error}")))?;
    let sent = modem.text_by_hand(to, Private::new(asked.text)).await;
    match sent {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(AskModem::TimedOut { line, seconds }) => {
            let what = format!(
                "sending a text over line {line}: it has not gone out in {seconds} s, and the line goes on trying; \
                 `milu modem {line} signal` shows how it is"
            );
            Err(Refusal(StatusCode::GATEWAY_TIMEOUT, what))
        }
        Err(error) => Err(error.into()),
    }
}

async fn release(State(control): State<Control>, UrlPath(line): UrlPath<String>) -> Result<StatusCode, Refusal> {
    modem(&control, &line)?.release()?;
    Ok(StatusCode::NO_CONTENT)
}
