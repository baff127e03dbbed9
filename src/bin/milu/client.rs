//! Asking the running box over its control socket.

use std::path::{Path, PathBuf};

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::net::UnixStream;

use crate::Failure;

/// The largest answer is a call's recording: two hours of two legs at 16 kHz.
const ANSWER_MAX_BYTES: usize = 512 << 20;

#[derive(Debug, Error)]
pub enum AskError {
    #[error(
        "asking the box on {path}: {source}. Is it running? `milu run --config FILE` starts it, and --control names its socket"
    )]
    Connect { path: PathBuf, source: std::io::Error },
    #[error("asking the box: the answer broke off ({0})")]
    Broken(#[from] hyper::Error),
    #[error("asking the box: the answer is larger than 512 MiB")]
    TooLarge,
    #[error("asking the box: {0}")]
    Refused(String),
    #[error("asking the box: the answer is not understood ({0})")]
    Answer(#[from] serde_json::Error),
    #[error("asking the box: starting a runtime: {0}")]
    Runtime(std::io::Error),
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        Self::no(error)
    }
}

/// The whole answer to a GET.
pub fn fetch(control: &Path, url: &str) -> Result<Vec<u8>, AskError> {
    runtime()?.block_on(async {
        let mut body = get(control, url).await?.into_body();
        let mut bytes = Vec::new();
        while let Some(part) = body.frame().await {
            if let Ok(data) = part?.into_data() {
                bytes.extend_from_slice(&data);
            }
            if bytes.len() > ANSWER_MAX_BYTES {
                return Err(AskError::TooLarge);
            }
        }
        Ok(bytes)
    })
}

/// The answer to a GET as a value.
pub fn fetch_json<T: DeserializeOwned>(control: &Path, url: &str) -> Result<T, AskError> {
    Ok(serde_json::from_slice(&fetch(control, url)?)?)
}

/// Hands each row of an endless answer to `row`, until it says no.
pub fn follow(control: &Path, url: &str, mut row: impl FnMut(&str) -> bool) -> Result<(), AskError> {
    runtime()?.block_on(async {
        let mut body = get(control, url).await?.into_body();
        let mut pending = Vec::new();
        while let Some(part) = body.frame().await {
            let Ok(data) = part?.into_data() else { continue };
            pending.extend_from_slice(&data);
            while let Some(end) = pending.iter().position(|b| *b == b'\n') {
                let text: Vec<u8> = pending.drain(..=end).collect();
                if !row(String::from_utf8_lossy(&text).trim_end()) {
                    return Ok(());
                }
            }
        }
        Ok(())
    })
}

async fn get(control: &Path, url: &str) -> Result<Response<hyper::body::Incoming>, AskError> {
    let stream =
        UnixStream::connect(control).await.map_err(|source| AskError::Connect { path: control.to_owned(), source })?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    #[allow(clippy::disallowed_methods, reason = "one connection that ends with its one command")]
    tokio::spawn(connection);
    let request = Request::get(url)
        .header("host", "box")
        .body(Empty::<Bytes>::new())
        .map_err(|e| AskError::Refused(format!("the request could not be written ({e})")))?;
    let response = sender.send_request(request).await?;
    if response.status().is_success() {
        return Ok(response);
    }
    let body = response.into_body().collect().await?.to_bytes();
    let refusal: Refusal = serde_json::from_slice(&body)?;
    Err(AskError::Refused(refusal.error))
}

#[derive(serde::Deserialize)]
struct Refusal {
    error: String,
}

fn runtime() -> Result<tokio::runtime::Runtime, AskError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(AskError::Runtime)
}
