//! What the control socket answers when it does not do what it was asked.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::listening::CannotListen;
use super::modems::AskModem;
use crate::store::{IndexError, ReadError, RegisterError};

/// An answer that is not a success: one sentence.
pub struct Refusal(pub StatusCode, pub String);

#[derive(Serialize)]
struct RefusalJson {
    error: String,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, axum::Json(RefusalJson { error: self.1 })).into_response()
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        let status = match error {
            ReadError::Unknown(_) | ReadError::NotRecorded(_) => StatusCode::NOT_FOUND,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

impl From<RegisterError> for Refusal {
    fn from(error: RegisterError) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl From<IndexError> for Refusal {
    fn from(error: IndexError) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl From<CannotListen> for Refusal {
    fn from(error: CannotListen) -> Self {
        let status = match error {
            CannotListen::NoSpeaker | CannotListen::NoneRuns | CannotListen::NotRunning(_) => StatusCode::NOT_FOUND,
            CannotListen::SeveralRun { .. } | CannotListen::Unwanted(_) => StatusCode::CONFLICT,
            CannotListen::Turn(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self(status, error.to_string())
    }
}

impl From<AskModem> for Refusal {
    fn from(error: AskModem) -> Self {
        let status = match error {
            AskModem::NotThere { .. } | AskModem::Refused { .. } | AskModem::Full { .. } => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            AskModem::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
            AskModem::Command { .. } | AskModem::Code { .. } | AskModem::Text { .. } => StatusCode::CONFLICT,
        };
        Self(status, error.to_string())
    }
}
