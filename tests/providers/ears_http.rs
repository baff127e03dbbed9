//! The ears' openings, `/v1/listen` and `/v2/listen`: who may, for what, and the
//! documented answers to those who may not.

use std::sync::Arc;

use axum::Router;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{RawQuery, State, WebSocketUpgrade};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use super::ears_query::{ListenV1, ListenV2, Query, Refusal};
use super::socket::{MESSAGE_MAX, Socket};
use super::world::EARS_KEY;
use super::{FaultKind, Provider, World, ears_flux, ears_v1};

const REQUEST_ID: HeaderName = HeaderName::from_static("dg-request-id");
const ERROR: HeaderName = HeaderName::from_static("dg-error");

pub fn routes() -> Router<Arc<World>> {
    Router::new().route("/v1/listen", get(listen_v1)).route("/v2/listen", get(listen_v2)).fallback(nothing_here)
}

async fn nothing_here(State(world): State<Arc<World>>) -> Response {
    let refusal =
        Refusal { status: StatusCode::NOT_FOUND, code: "Not Found", message: "The requested path is unknown".into() };
    refused(&world.request_id(), &refusal)
}

fn refused(id: &str, refusal: &Refusal) -> Response {
    let body = json!({ "err_code": refusal.code, "err_msg": refusal.message, "request_id": id });
    let mut response = (refusal.status, axum::Json(body)).into_response();
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    if let Ok(message) = HeaderValue::from_str(&refusal.message) {
        headers.insert(ERROR, message);
    }
    if refusal.status == StatusCode::TOO_MANY_REQUESTS {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

fn of(status: StatusCode, code: &'static str, message: &str) -> Refusal {
    Refusal { status, code, message: message.to_owned() }
}

/// `Token KEY`, `Bearer KEY`, or a browser's `Sec-WebSocket-Protocol: token, KEY`.
fn authorized(headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let stated = text(header::AUTHORIZATION).and_then(|value| value.split_once(' '));
    let offered = text(header::SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.split_once(", "));
    let Some((scheme, key)) = stated.or(offered) else {
        return Err(of(StatusCode::UNAUTHORIZED, "INVALID_AUTH", "Invalid credentials."));
    };
    let scheme_is_known = ["token", "bearer"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    if scheme_is_known && key == EARS_KEY {
        Ok(())
    } else {
        Err(of(StatusCode::UNAUTHORIZED, "INVALID_AUTH", "Invalid credentials."))
    }
}

fn ordered(fault: FaultKind) -> Refusal {
    match fault {
        FaultKind::Status400 => of(StatusCode::BAD_REQUEST, "Bad Request", "Bad Request"),
        FaultKind::Status401 => of(StatusCode::UNAUTHORIZED, "INVALID_AUTH", "Invalid credentials."),
        FaultKind::Status402 | FaultKind::SpendLimit => of(
            StatusCode::PAYMENT_REQUIRED,
            "ASR_PAYMENT_REQUIRED",
            "Project does not have enough credits for an ASR request and does not have an overage agreement.",
        ),
        FaultKind::Status403 => of(
            StatusCode::FORBIDDEN,
            "INSUFFICIENT_PERMISSIONS",
            "User does not have sufficient permissions to perform the requested operation.",
        ),
        FaultKind::Status429 => {
            of(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS", "Too many requests. Please try again later")
        }
        FaultKind::Status503 | FaultKind::Overloaded529 => {
            of(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", "Service temporarily unavailable")
        }
        _ => of(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR", "Internal server error"),
    }
}

/// What an opening has, checked: the upgrade, its decoded query, its id.
struct Opening {
    upgrade: WebSocketUpgrade,
    query: Query,
    id: String,
}

fn opening(
    world: &World,
    query: Option<String>,
    headers: &HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Opening, Response> {
    let id = world.request_id();
    if let Some(fault) = world.faults.at_opening(Provider::Ears) {
        return Err(refused(&id, &ordered(fault)));
    }
    authorized(headers).map_err(|refusal| refused(&id, &refusal))?;
    let query = Query::parse(&query.unwrap_or_default());
    for (key, value) in query.pairs() {
        world.seen.texts(Provider::Ears, &json!([key, value]));
    }
    match upgrade {
        Ok(upgrade) => Ok(Opening { upgrade: upgrade.max_message_size(MESSAGE_MAX), query, id }),
        Err(_) => Err(refused(&id, &of(StatusCode::BAD_REQUEST, "Bad Request", "This path wants a WebSocket"))),
    }
}

fn with_id(mut response: Response, id: &str) -> Response {
    if let Ok(id) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

async fn listen_v1(
    State(world): State<Arc<World>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Opening { upgrade, query, id } = match opening(&world, query, &headers, upgrade) {
        Ok(opening) => opening,
        Err(refusal) => return refusal,
    };
    let asked = match ListenV1::read(&query) {
        Ok(asked) => asked,
        Err(refusal) => return refused(&id, &refusal),
    };
    let stream_id = id.clone();
    let listen = move |socket| async move {
        let socket = Socket::new(Arc::clone(&world), Provider::Ears, socket);
        ears_v1::listen(world, socket, asked, stream_id).await;
    };
    with_id(upgrade.protocols(["token"]).on_upgrade(listen), &id)
}

async fn listen_v2(
    State(world): State<Arc<World>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Opening { upgrade, query, id } = match opening(&world, query, &headers, upgrade) {
        Ok(opening) => opening,
        Err(refusal) => return refusal,
    };
    let asked = match ListenV2::read(&query) {
        Ok(asked) => asked,
        Err(refusal) => return refused(&id, &refusal),
    };
    let stream_id = id.clone();
    let listen = move |socket| async move {
        let socket = Socket::new(Arc::clone(&world), Provider::Ears, socket);
        ears_flux::listen(world, socket, asked, stream_id).await;
    };
    with_id(upgrade.protocols(["token"]).on_upgrade(listen), &id)
}
