//! The server's end of a WebSocket: what comes is written down, what goes passes
//! the ordered faults.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use milu::terms::Moment;
use serde_json::Value;

use super::spoiler::{Passed, Spoiler};
use super::{Provider, World};

/// Larger messages from a client are a mistake of ours.
pub const MESSAGE_MAX: usize = 4 << 20;

/// A client that was told goodbye has this long to say its own.
const GOODBYE: Duration = Duration::from_secs(5);

pub enum Incoming {
    Binary(Bytes),
    /// A text that is JSON.
    Text(Value),
    /// A text that is not.
    Unreadable(String),
}

/// Nothing can be said any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The client is gone.
    Gone,
    /// The protocol's own error is to be said, and then the end.
    ErrorOrdered,
}

pub struct Socket {
    socket: WebSocket,
    world: Arc<World>,
    provider: Provider,
    spoiler: Spoiler,
}

impl Socket {
    pub fn new(world: Arc<World>, provider: Provider, socket: WebSocket) -> Self {
        world.seen.count(provider, |received| {
            received.websockets += 1;
            received.websockets_open += 1;
        });
        let spoiler = Spoiler::new(Arc::clone(&world), provider);
        Self { socket, world, provider, spoiler }
    }

    pub fn now(&self) -> Moment {
        self.world.now()
    }

    /// The next message; none when the client is gone. May be dropped while it waits.
    pub async fn receive(&mut self) -> Option<Incoming> {
        loop {
            let message = self.socket.recv().await?.ok()?;
            let bytes = match &message {
                Message::Text(text) => text.as_bytes(),
                Message::Binary(bytes) => bytes,
                Message::Ping(_) | Message::Pong(_) => continue,
                Message::Close(_) => return None,
            };
            self.world.seen.payload(self.provider, bytes);
            self.world.seen.count(self.provider, |received| received.messages += 1);
            return Some(match message {
                Message::Binary(bytes) => Incoming::Binary(bytes),
                Message::Text(text) => match serde_json::from_str::<Value>(&text) {
                    Ok(value) => {
                        self.world.seen.texts(self.provider, &value);
                        Incoming::Text(value)
                    }
                    Err(_) => Incoming::Unreadable(text.to_string()),
                },
                _ => continue,
            });
        }
    }

    pub async fn say(&mut self, message: Value) -> Result<(), Ended> {
        for passed in self.spoiler.pass(message).await {
            let text = match passed {
                Passed::Message(message) => message.to_string(),
                Passed::Spoilt(text) => text,
                Passed::Error => return Err(Ended::ErrorOrdered),
            };
            self.send(Message::Text(text.into())).await?;
        }
        Ok(())
    }

    async fn send(&mut self, message: Message) -> Result<(), Ended> {
        self.socket.send(message).await.map_err(|_| Ended::Gone)
    }

    /// Says a last word past all faults, and closes.
    pub async fn fail(self, message: &Value, code: u16, reason: &str) {
        let mut socket = self;
        if socket.send(Message::Text(message.to_string().into())).await.is_ok() {
            socket.close(code, reason).await;
        }
    }

    pub async fn close(mut self, code: u16, reason: &str) {
        if self.spoiler.is_silent() {
            return;
        }
        if let Some(held) = self.spoiler.rest()
            && self.send(Message::Text(held.to_string().into())).await.is_err()
        {
            return;
        }
        let frame = CloseFrame { code, reason: reason.into() };
        if self.send(Message::Close(Some(frame))).await.is_err() {
            return;
        }
        // The client's own goodbye, so that ours is not lost in a reset.
        let goodbye = async { while let Some(Ok(_)) = self.socket.recv().await {} };
        if tokio::time::timeout(GOODBYE, goodbye).await.is_err() {
            tracing::debug!("a client did not say goodbye");
        }
    }

    pub async fn close_normally(self) {
        self.close(close_code::NORMAL, "").await;
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.world.seen.count(self.provider, |received| {
            received.websockets_open = received.websockets_open.saturating_sub(1);
        });
    }
}
