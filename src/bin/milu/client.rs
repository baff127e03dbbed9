//! Asking the running box over its control socket.

use std::path::{Path, PathBuf};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::Serialize;
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
    let mut bytes = Vec::new();
    get(control, url, |part| {
        bytes.extend_from_slice(part);
        if bytes.len() > ANSWER_MAX_BYTES { Err(AskError::TooLarge) } else { Ok(()) }
    })?;
    Ok(bytes)
}

/// The answer to a GET as a value.
pub fn fetch_json<T: DeserializeOwned>(control: &Path, url: &str) -> Result<T, AskError> {
    Ok(serde_json::from_slice(&fetch(control, url)?)?)
}

/// Gives the box something to do, and has its answer; nothing where it has none to give.
pub fn post<T: DeserializeOwned>(control: &Path, url: &str, what: &impl Serialize) -> Result<Option<T>, AskError> {
    let mut bytes = Vec::new();
    exchange(control, Method::POST, url, serde_json::to_vec(what)?, |part| {
        bytes.extend_from_slice(part);
        if bytes.len() > ANSWER_MAX_BYTES { Err(AskError::TooLarge) } else { Ok(()) }
    })?;
    if bytes.is_empty() { Ok(None) } else { Ok(Some(serde_json::from_slice(&bytes)?)) }
}

/// Hands each row of an endless answer to `row`.
pub fn follow(control: &Path, url: &str, row: impl FnMut(&str)) -> Result<(), AskError> {
    rows(control, Method::GET, url, row)
}

/// Begins something that lasts for as long as its answer is read, and hands each row of
/// that to `row`.
pub fn hold(control: &Path, url: &str, row: impl FnMut(&str)) -> Result<(), AskError> {
    rows(control, Method::POST, url, row)
}

fn rows(control: &Path, method: Method, url: &str, mut row: impl FnMut(&str)) -> Result<(), AskError> {
    let mut pending = Vec::new();
    exchange(control, method, url, Vec::new(), |part| {
        pending.extend_from_slice(part);
        while let Some(end) = pending.iter().position(|b| *b == b'\n') {
            let text: Vec<u8> = pending.drain(..=end).collect();
            row(String::from_utf8_lossy(&text).trim_end());
        }
        Ok(())
    })
}

/// Sends a GET and hands on the answer's parts as they come.
fn get(control: &Path, url: &str, part: impl FnMut(&[u8]) -> Result<(), AskError>) -> Result<(), AskError> {
    exchange(control, Method::GET, url, Vec::new(), part)
}

/// Sends a request and hands on the answer's parts as they come.
#[allow(clippy::disallowed_methods, reason = "to the box itself, over its Unix socket")]
fn exchange(
    control: &Path,
    method: Method,
    url: &str,
    body: Vec<u8>,
    part: impl FnMut(&[u8]) -> Result<(), AskError>,
) -> Result<(), AskError> {
    let request = Request::builder()
        .method(method)
        .uri(url)
        .header("host", "box")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|e| AskError::Refused(format!("the request could not be written ({e})")))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(AskError::Runtime)?;
    runtime.block_on(async {
        let stream = UnixStream::connect(control)
            .await
            .map_err(|source| AskError::Connect { path: control.to_owned(), source })?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let answer = read_answer(sender, request, part);
        tokio::pin!(answer, connection);
        // The connection moves the bytes; when it ends first, the answer has all that came.
        tokio::select! {
            done = &mut answer => done,
            ended = &mut connection => {
                ended?;
                answer.await
            }
        }
    })
}

async fn read_answer(
    mut sender: SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
    mut take: impl FnMut(&[u8]) -> Result<(), AskError>,
) -> Result<(), AskError> {
    let response = sender.send_request(request).await?;
    if !response.status().is_success() {
        let body = response.into_body().collect().await?.to_bytes();
        let refusal: Refusal = serde_json::from_slice(&body)?;
        return Err(AskError::Refused(refusal.error));
    }
    let mut body = response.into_body();
    while let Some(part) = body.frame().await {
        if let Ok(data) = part?.into_data() {
            take(&data)?;
        }
    }
    Ok(())
}

#[derive(serde::Deserialize)]
struct Refusal {
    error: String,
}
