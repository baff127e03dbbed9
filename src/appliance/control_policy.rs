//! The control socket's part for the residency policy: what holds now, which
//! while a change waits is not what the file says.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use super::control::Control;
use super::control_refusal::Refusal;
use super::policy_json::ExplanationJson;
use crate::residency::{CallerWish, CallerWishes, DataClass, DestinationId, Policy};

pub fn routes() -> Router<Control> {
    Router::new().route("/v1/policy/explain", get(explain))
}

/// Which datum, to whom, and what its caller wishes: names with commas between.
#[derive(Deserialize)]
struct Asked {
    data: String,
    to: String,
    #[serde(default)]
    caller: String,
}

async fn explain(State(control): State<Control>, Query(asked): Query<Asked>) -> Result<Json<ExplanationJson>, Refusal> {
    let wrong = |why: String| Refusal(StatusCode::BAD_REQUEST, why);
    let class = DataClass::parse(&asked.data).map_err(|error| wrong(error.to_string()))?;
    let to = DestinationId::parse(&asked.to).map_err(|error| wrong(error.to_string()))?;
    let mut wishes = CallerWishes::default();
    for name in asked.caller.split(',').filter(|name| !name.is_empty()) {
        let wish = wish(name).ok_or_else(|| wrong(format!("reading a caller's wish: `{name}` is none")))?;
        wishes = wishes.and(wish);
    }
    // Without a policy nothing leaves.
    let policy = control.keeper.map_or_else(|| Arc::new(Policy::nothing_leaves()), |keeper| keeper.in_force());
    Ok(Json(ExplanationJson::of(&policy, class, &to, wishes)))
}

fn wish(name: &str) -> Option<CallerWish> {
    match name {
        "consents" => Some(CallerWish::Consents),
        "objects" => Some(CallerWish::Objects),
        "restricts" => Some(CallerWish::Restricts),
        _ => None,
    }
}
