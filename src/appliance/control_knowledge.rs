//! The control socket's part for questions without a call: the mind that answers
//! callers is asked, so the answer is what a caller would hear now.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;

use super::ask::Answer;
use super::control::Control;
use super::control_refusal::Refusal;
use crate::speech::onbox::LookedUp;
use crate::terms::Private;

/// Two minutes of talk: a caller is broken in on long before.
const QUESTION_BYTES_MAX: usize = 2_000;

pub fn routes() -> Router<Control> {
    Router::new().route("/v1/knowledge/ask", post(ask))
}

#[derive(Deserialize)]
struct Asked {
    question: String,
}

async fn ask(State(control): State<Control>, Json(Asked { question }): Json<Asked>) -> Result<Json<Answer>, Refusal> {
    if question.len() > QUESTION_BYTES_MAX {
        let what = format!("a question has at most {QUESTION_BYTES_MAX} bytes, and this one has {}", question.len());
        return Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, format!("{what}; ask in fewer words")));
    }
    let zone = control.mind.index().base().hours.time_zone().clone();
    let now = control.clock.wall().to_zoned_datetime(zone);
    let looked_up = control.mind.look_up(Private::new(question.clone()), now).await;
    let LookedUp { found, by_meaning } =
        looked_up.map_err(|error| Refusal(StatusCode::SERVICE_UNAVAILABLE, format!("{error}; ask again")))?;
    Ok(Json(Answer::of(question, found, by_meaning)))
}
