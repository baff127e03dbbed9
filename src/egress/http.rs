use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Uri};

use super::link::{Link, Pool};
use super::{Method, SendError};
use crate::residency::{DestinationId, Host};
use crate::terms::Private;

/// What one answer may hold. The longest that operators send, a spoken text of
/// minutes at the best quality, has a tenth of it.
const ANSWER_MAX: usize = 64 << 20;

/// What the door writes itself; a request that brings it could ask for
/// something else than what was cleared.
const OURS: &[&str] = &["host", "content-length", "connection", "transfer-encoding", "upgrade", "expect", "te"];

/// What makes up a request's head.
pub(super) struct Head<'a> {
    pub(super) method: Method,
    pub(super) host_header: &'a str,
    pub(super) target: &'a Private<String>,
    pub(super) headers: &'a [(&'static str, Private<String>)],
}

/// The request as hyper has it; none if it cannot be written.
pub(super) fn written(head: &Head<'_>, body: Private<Vec<u8>>) -> Option<Request<Full<Bytes>>> {
    let target = head.target.expose();
    // Only ever a path of the host that was checked.
    let target: Uri = target.starts_with('/').then(|| target.parse().ok())??;
    let mut request = Request::new(Full::new(Bytes::from(body.into_exposed())));
    *request.method_mut() = match head.method {
        Method::Get => hyper::Method::GET,
        Method::Post => hyper::Method::POST,
    };
    *request.uri_mut() = target;
    *request.headers_mut() = headers(head)?;
    Some(request)
}

fn headers(head: &Head<'_>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_str(head.host_header).ok()?);
    for (name, value) in head.headers {
        if OURS.contains(name) {
            return None;
        }
        let mut value = HeaderValue::from_str(value.expose()).ok()?;
        value.set_sensitive(true);
        headers.append(HeaderName::from_bytes(name.as_bytes()).ok()?, value);
    }
    Some(headers)
}

/// The head of an answer, and its body as it comes. An answer that is dropped
/// before its end closes the connection, which stops the far side.
pub struct HttpAnswer {
    pub status: u16,
    host: Host,
    destination: DestinationId,
    headers: HeaderMap,
    body: Incoming,
    /// None after the end.
    link: Option<Link>,
    pool: Arc<Pool>,
    received: usize,
}

impl HttpAnswer {
    pub(super) fn new(
        answer: hyper::Response<Incoming>,
        link: Link,
        pool: Arc<Pool>,
        destination: DestinationId,
        host: Host,
    ) -> Self {
        let (head, body) = answer.into_parts();
        let mut answer = Self {
            status: head.status.as_u16(),
            host,
            destination,
            headers: head.headers,
            body,
            link: Some(link),
            pool,
            received: 0,
        };
        if answer.body.is_end_stream() {
            answer.finish();
        }
        answer
    }

    /// A header of the answer by its name in lower case; the first, if it is
    /// there several times.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The next piece of the body; none at its end.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, SendError> {
        loop {
            let Some(link) = &mut self.link else { return Ok(None) };
            let body = &mut self.body;
            let frame = std::future::poll_fn(|cx| {
                link.drive(cx);
                Pin::new(&mut *body).poll_frame(cx)
            })
            .await;
            link.account.tick();
            match frame {
                None => {
                    self.finish();
                    return Ok(None);
                }
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    self.received = self.received.saturating_add(data.len());
                    if self.received > ANSWER_MAX {
                        self.link = None;
                        return Err(SendError::TooLarge { host: self.host.clone(), limit: ANSWER_MAX });
                    }
                    if !data.is_empty() {
                        return Ok(Some(data.into()));
                    }
                }
                Some(Err(error)) => {
                    self.link = None;
                    return Err(broken(&self.host, &error));
                }
            }
        }
    }

    /// The whole body, at most `limit` bytes of it.
    pub async fn whole(&mut self, limit: usize) -> Result<Vec<u8>, SendError> {
        let mut whole = Vec::new();
        while let Some(piece) = self.chunk().await? {
            if whole.len() + piece.len() > limit {
                self.link = None;
                return Err(SendError::TooLarge { host: self.host.clone(), limit });
            }
            whole.extend(piece);
        }
        Ok(whole)
    }

    /// Writes the row, and keeps the connection for the next request.
    fn finish(&mut self) {
        if let Some(link) = self.link.take() {
            link.account.close();
            self.pool.keep(&self.destination, &self.host, link);
        }
    }
}

impl fmt::Debug for HttpAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpAnswer").field("status", &self.status).field("host", &self.host).finish_non_exhaustive()
    }
}

/// What a fault of the connection is called.
pub(super) fn broken(host: &Host, error: &hyper::Error) -> SendError {
    let host = host.clone();
    if is_protocol_fault(error) { SendError::Protocol { host } } else { SendError::Closed { host } }
}

/// Whether the far side said something that is no HTTP, and did not only go away.
pub(super) fn is_protocol_fault(error: &hyper::Error) -> bool {
    // A chunk that is none comes as bad input.
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    let is_bad_input = source
        .is_some_and(|io| matches!(io.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput));
    error.is_parse() || error.is_parse_too_large() || is_bad_input
}
