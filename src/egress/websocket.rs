use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt, SinkExt, StreamExt};
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Message, Utf8Bytes};

use super::account::Account;
use super::leave::Leave;
use super::wire::Wire;
use super::{SendError, WebSocketMessage};
use crate::residency::{Cleared, Host};
use crate::terms::Private;

/// One message, either way. The largest that operators send is a sentence of
/// sound in base64: half a minute at 24 kHz has 1.9 MB.
const MESSAGE_MAX: usize = 4 << 20;

/// Bytes read at once. A connection has one such buffer for as long as it is
/// open, and thirty calls have sixty connections.
const READ_BUFFER: usize = 16 * 1024;

/// How long a goodbye may take to leave.
const GOODBYE: Duration = Duration::from_secs(2);

type Socket = WebSocketStream<Wire>;

/// The headers by which a WebSocket is asked for, and the answer that they need.
pub(super) struct Asking {
    pub(super) headers: [(HeaderName, HeaderValue); 4],
    accept: String,
}

impl Asking {
    pub(super) fn new() -> Option<Self> {
        let key = generate_key();
        let fixed = HeaderValue::from_static;
        let headers = [
            (hyper::header::CONNECTION, fixed("Upgrade")),
            (hyper::header::UPGRADE, fixed("websocket")),
            (hyper::header::SEC_WEBSOCKET_VERSION, fixed("13")),
            (hyper::header::SEC_WEBSOCKET_KEY, HeaderValue::from_str(&key).ok()?),
        ];
        Some(Self { headers, accept: derive_accept_key(key.as_bytes()) })
    }

    /// Whether the far side has agreed (RFC 6455 section 4.1): to this request,
    /// to no extension, and to a subprotocol only if one was asked for.
    pub(super) fn is_agreed(&self, answer: &HeaderMap, asked: &HeaderMap) -> bool {
        let said = |name: HeaderName| answer.get(name).and_then(|value| value.to_str().ok());
        let has_word = |name: HeaderName, word: &str| {
            said(name).is_some_and(|said| said.split(',').any(|one| one.trim().eq_ignore_ascii_case(word)))
        };
        let subprotocol = said(hyper::header::SEC_WEBSOCKET_PROTOCOL).is_none_or(|chosen| {
            let asked = asked.get(hyper::header::SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok());
            asked.is_some_and(|asked| asked.split(',').any(|one| one.trim() == chosen))
        });
        has_word(hyper::header::UPGRADE, "websocket")
            && has_word(hyper::header::CONNECTION, "upgrade")
            && said(hyper::header::SEC_WEBSOCKET_ACCEPT) == Some(&self.accept)
            && said(hyper::header::SEC_WEBSOCKET_EXTENSIONS).is_none()
            && subprotocol
    }
}

/// Both halves of a WebSocket over a connection that has agreed to be one.
pub(super) async fn over(
    wire: Wire,
    read_already: Bytes,
    account: Account,
    leave: Leave,
    host: Host,
) -> (WebSocketSender, WebSocketReceiver) {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * MESSAGE_MAX)
        .max_message_size(Some(MESSAGE_MAX))
        .max_frame_size(Some(MESSAGE_MAX));
    let socket = Socket::from_partially_read(wire, read_already.into(), Role::Client, Some(config)).await;
    let (sink, stream) = socket.split();
    let account = Arc::new(account);
    let sender = WebSocketSender { sink, account: account.clone(), leave, host: host.clone() };
    (sender, WebSocketReceiver { stream, account, host, has_ended: false })
}

/// The half that sends.
pub struct WebSocketSender {
    sink: SplitSink<Socket, Message>,
    account: Arc<Account>,
    leave: Leave,
    host: Host,
}

impl WebSocketSender {
    /// Sends a cleared message; its clearance must be for this socket's
    /// destination. It waits while the uplink is full. Who leaves it while it
    /// waits does not know whether the message went.
    pub async fn send<M: Into<WebSocketMessage>>(&mut self, message: Cleared<M>) -> Result<(), SendError> {
        let (message, clearance) = message.into_parts();
        self.leave.extend(&clearance, &self.account)?;
        let message = match message.into() {
            WebSocketMessage::Text(text) => Message::Text(Utf8Bytes::from(text.into_exposed())),
            WebSocketMessage::Binary(bytes) => Message::Binary(Bytes::from(bytes.into_exposed())),
        };
        if message.len() > MESSAGE_MAX {
            return Err(SendError::TooLarge { host: self.host.clone(), limit: MESSAGE_MAX });
        }
        self.put(message).await
    }

    /// Sends a word of the protocol. It is part of the program and can carry
    /// nobody's datum, so it needs no clearance.
    pub async fn send_fixed(&mut self, text: &'static str) -> Result<(), SendError> {
        self.put(Message::Text(Utf8Bytes::from_static(text))).await
    }

    /// Says that somebody is there, and nothing else (RFC 6455 section 5.5.2). The
    /// answer is met by whoever receives.
    pub async fn ping(&mut self) -> Result<(), SendError> {
        self.put(Message::Ping(Bytes::new())).await
    }

    /// Says goodbye and closes.
    pub async fn close(mut self) {
        let goodbye = Message::Close(Some(CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() }));
        // If it cannot be said, the far side sees the connection end.
        if let Ok(Err(error)) = tokio::time::timeout(GOODBYE, self.put(goodbye)).await {
            tracing::debug!(%error, "closed without a goodbye");
        }
    }

    async fn put(&mut self, message: Message) -> Result<(), SendError> {
        let sent = self.sink.send(message).await;
        self.account.tick();
        sent.map_err(|error| fault(&self.host, &error))
    }
}

impl fmt::Debug for WebSocketSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketSender").field("host", &self.host).finish_non_exhaustive()
    }
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

/// The half that receives. It answers pings while it waits, so somebody must wait.
pub struct WebSocketReceiver {
    stream: SplitStream<Socket>,
    account: Arc<Account>,
    host: Host,
    has_ended: bool,
}

impl WebSocketReceiver {
    /// The next message. After `Closed` or an error there is no other. It may be
    /// left while it waits; nothing is lost.
    pub async fn next(&mut self) -> Result<Incoming, SendError> {
        if self.has_ended {
            return Err(SendError::Closed { host: self.host.clone() });
        }
        loop {
            let message = self.stream.next().await;
            self.account.tick();
            let incoming = match message {
                Some(Ok(Message::Text(text))) => Ok(Incoming::Text(Private::new(text.as_str().to_owned()))),
                Some(Ok(Message::Binary(bytes))) => Ok(Incoming::Binary(Private::new(bytes.into()))),
                Some(Ok(Message::Close(frame))) => {
                    // The far side is owed the same word. It is written with the
                    // next look, for which nobody waits.
                    drop(self.stream.next().now_or_never());
                    self.account.tick();
                    Ok(Incoming::Closed { code: frame.map(|frame| frame.code.into()) })
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                None | Some(Err(WsError::ConnectionClosed | WsError::AlreadyClosed)) => {
                    Ok(Incoming::Closed { code: None })
                }
                Some(Err(error)) => Err(fault(&self.host, &error)),
            };
            self.has_ended = !matches!(incoming, Ok(Incoming::Text(_) | Incoming::Binary(_)));
            return incoming;
        }
    }
}

impl fmt::Debug for WebSocketReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketReceiver").field("host", &self.host).finish_non_exhaustive()
    }
}

fn fault(host: &Host, error: &WsError) -> SendError {
    let host = host.clone();
    match error {
        WsError::Capacity(CapacityError::MessageTooLong { .. }) | WsError::WriteBufferFull(_) => {
            SendError::TooLarge { host, limit: MESSAGE_MAX }
        }
        WsError::ConnectionClosed
        | WsError::AlreadyClosed
        | WsError::Io(_)
        | WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing) => {
            SendError::Closed { host }
        }
        _ => SendError::Protocol { host },
    }
}
