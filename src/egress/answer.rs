use std::time::Duration;

use thiserror::Error;

use crate::residency::{Cleared, DestinationId, Host};
use crate::terms::Private;

use super::{StreamMessage, WebSocketMessage};

/// What the world, or the door itself, says instead of an answer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SendError {
    #[error("sending to {destination}: {host} is none of its hosts")]
    ForeignHost { destination: DestinationId, host: Host },
    #[error("sending to {destination}: the request lacks a safeguard that the policy asks for")]
    SafeguardMissing { destination: DestinationId },
    #[error("sending to {destination}: it was cleared for another destination")]
    WrongDestination { destination: DestinationId },
    #[error("connecting to {host}: the name could not be resolved")]
    Resolve { host: Host },
    #[error("connecting to {host}: {kind}")]
    Connect { host: Host, kind: std::io::ErrorKind },
    #[error("connecting to {host}: its certificate is not one that we trust")]
    Certificate { host: Host },
    #[error("connecting to {host}: it took longer than {} ms", .within.as_millis())]
    ConnectTimedOut { host: Host, within: Duration },
    #[error("waiting for {host} to answer: it took longer than {} ms", .within.as_millis())]
    AnswerTimedOut { host: Host, within: Duration },
    #[error("opening a WebSocket to {host}: it answered with status {status}")]
    Handshake {
        host: Host,
        status: u16,
        /// At most 4 KiB of what it said.
        body: Private<Vec<u8>>,
        /// `retry-after`, in seconds.
        retry_after: Option<Duration>,
    },
    #[error("sending to {host}: it wants us to go elsewhere, which we do not")]
    Redirect { host: Host },
    #[error("talking to {host}: what it sends breaks the protocol")]
    Protocol { host: Host },
    #[error("talking to {host}: it sends more than {limit} bytes in one piece")]
    TooLarge { host: Host, limit: usize },
    #[error("talking to {host}: the connection broke off")]
    Closed { host: Host },
    #[error("sending to {destination}: the day's budget is spent")]
    BudgetSpent { destination: DestinationId },
}

/// The head of an answer, and its body as it comes.
#[derive(Debug)]
pub struct HttpAnswer {
    pub status: u16,
    pub(super) host: Host,
}

impl HttpAnswer {
    /// A header of the answer by its name in lower case.
    pub fn header(&self, _name: &str) -> Option<&str> {
        None
    }

    /// The next piece of the body; none at its end.
    #[allow(clippy::unused_async)]
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, SendError> {
        Err(SendError::Closed { host: self.host.clone() })
    }
}

#[derive(Debug)]
pub struct WebSocketSender {
    pub(super) host: Host,
}

impl WebSocketSender {
    /// Sends a cleared message; its clearance must be for this socket's destination.
    #[allow(clippy::unused_async)]
    pub async fn send<M: Into<WebSocketMessage>>(&mut self, message: Cleared<M>) -> Result<(), SendError> {
        drop(message);
        Err(SendError::Closed { host: self.host.clone() })
    }

    /// Sends a word of the protocol. It is part of the program and can carry
    /// nobody's datum, so it needs no clearance.
    #[allow(clippy::unused_async)]
    pub async fn send_fixed(&mut self, text: &'static str) -> Result<(), SendError> {
        let _: &str = text;
        Err(SendError::Closed { host: self.host.clone() })
    }

    /// Says goodbye and closes.
    #[allow(clippy::unused_async)]
    pub async fn close(self) {}
}

/// What came over a WebSocket.
#[derive(Clone, Debug)]
pub enum Incoming {
    Text(Private<String>),
    Binary(Private<Vec<u8>>),
    /// The far side closed; the code of RFC 6455 section 7.4 if it gave one.
    Closed {
        code: Option<u16>,
    },
}

#[derive(Debug)]
pub struct WebSocketReceiver {
    pub(super) host: Host,
}

impl WebSocketReceiver {
    /// The next message. After `Closed` or an error there is no other.
    #[allow(clippy::unused_async)]
    pub async fn next(&mut self) -> Result<Incoming, SendError> {
        Err(SendError::Closed { host: self.host.clone() })
    }
}

#[derive(Debug)]
pub struct StreamSender {
    pub(super) host: Host,
}

impl StreamSender {
    #[allow(clippy::unused_async)]
    pub async fn send<M: Into<StreamMessage>>(&mut self, message: Cleared<M>) -> Result<(), SendError> {
        drop(message);
        Err(SendError::Closed { host: self.host.clone() })
    }

    /// Sends a word of the protocol, part of the program.
    #[allow(clippy::unused_async)]
    pub async fn send_fixed(&mut self, text: &'static str) -> Result<(), SendError> {
        let _: &str = text;
        Err(SendError::Closed { host: self.host.clone() })
    }
}

#[derive(Debug)]
pub struct StreamReceiver {
    pub(super) host: Host,
}

impl StreamReceiver {
    /// The next bytes as they come; none when the far side has closed.
    #[allow(clippy::unused_async)]
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, SendError> {
        Err(SendError::Closed { host: self.host.clone() })
    }
}
