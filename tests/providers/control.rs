//! Plain HTTP on the loopback for whoever tests: `POST /fault`, `POST /clear`,
//! `POST /words` (what callers will say from now on; without a sentence the ears
//! really listen), `POST /forget`, `GET /seen`, `GET /log-raw?provider=mind`.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use tokio::net::TcpListener;

use super::{FaultOrder, Provider, World};

pub async fn serve(world: &Arc<World>) -> std::io::Result<u16> {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = socket.local_addr()?.port();
    let routes = Router::new()
        .route("/fault", post(fault))
        .route("/clear", post(clear))
        .route("/words", post(words))
        .route("/forget", post(forget))
        .route("/seen", get(seen))
        .route("/log-raw", get(log_raw))
        .with_state(Arc::clone(world));
    world.spawn(async move {
        if let Err(error) = axum::serve(socket, routes).await {
            tracing::error!(%error, "the control of the stand-ins has ended");
        }
    });
    Ok(port)
}

async fn fault(State(world): State<Arc<World>>, Json(order): Json<FaultOrder>) -> StatusCode {
    world.faults.order(order);
    StatusCode::NO_CONTENT
}

async fn clear(State(world): State<Arc<World>>) -> StatusCode {
    world.faults.clear();
    StatusCode::NO_CONTENT
}

async fn forget(State(world): State<Arc<World>>) -> StatusCode {
    world.seen.forget();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    sentences: Vec<String>,
}

async fn words(State(world): State<Arc<World>>, Json(words): Json<Words>) -> impl IntoResponse {
    match &world.known_words {
        Some(known) => {
            known.replace(words.sentences);
            (StatusCode::NO_CONTENT, "")
        }
        None => (StatusCode::CONFLICT, "the ears really listen: start them with --known-words"),
    }
}

async fn seen(State(world): State<Arc<World>>) -> impl IntoResponse {
    Json(world.seen.all())
}

#[derive(Deserialize)]
struct Which {
    provider: Option<Provider>,
}

async fn log_raw(State(world): State<Arc<World>>, Query(which): Query<Which>) -> Vec<u8> {
    match which.provider {
        Some(provider) => world.seen.raw(provider),
        None => Provider::ALL.into_iter().flat_map(|provider| world.seen.raw(provider)).collect(),
    }
}
