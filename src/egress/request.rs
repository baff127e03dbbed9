use std::time::Duration;

use crate::residency::{Host, Payload, Redact, Safeguards};
use crate::terms::Private;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    Get,
    Post,
}

/// How long the world may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Within {
    /// From the first packet to the end of the TLS handshake.
    pub connect: Duration,
    /// From the whole request to the head of the answer.
    pub answer: Duration,
}

/// A request on its way out. Drivers clear a type of their own, of which the
/// door makes this.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    pub method: Method,
    pub host: Host,
    /// Path and query, percent-encoded; it may carry words.
    pub target: Private<String>,
    /// Names in lower case. `host`, `content-length` and `connection` are the door's.
    pub headers: Vec<(&'static str, Private<String>)>,
    pub body: Private<Vec<u8>>,
    /// What the bytes above really tell the operator; the door refuses a
    /// request that lacks what its clearance asks for.
    pub safeguards: Safeguards,
    pub within: Within,
}

/// A WebSocket to be opened.
#[derive(Clone, Debug)]
pub struct WebSocketOpening {
    pub host: Host,
    pub target: Private<String>,
    pub headers: Vec<(&'static str, Private<String>)>,
    pub safeguards: Safeguards,
    pub within: Within,
}

/// One message on an open WebSocket.
#[derive(Clone, Debug)]
pub enum WebSocketMessage {
    Text(Private<String>),
    Binary(Private<Vec<u8>>),
}

/// A plain stream to a server on the business's own network (Wyoming).
#[derive(Clone, Debug)]
pub struct StreamOpening {
    pub host: Host,
    pub safeguards: Safeguards,
    pub within: Within,
}

/// Bytes for an open stream.
#[derive(Clone, Debug)]
pub struct StreamMessage(pub Private<Vec<u8>>);

/// A connection that is made ahead of what it will carry.
#[derive(Clone, Debug)]
pub struct Warming {
    pub host: Host,
    pub within: Within,
}

impl Payload for Warming {
    /// It holds nobody's datum.
    fn redacted(self, _redact: &dyn Redact) -> Option<Self> {
        Some(self)
    }
}
