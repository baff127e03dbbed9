//! Between an answer and its sending: the message faults that are ordered for
//! this vendor are worked in here, the same way for all protocols.

use std::sync::Arc;
use std::time::Duration;

use milu::terms::Moment;
use serde_json::Value;

use super::{FaultKind, Provider, World};

/// A fault's oversized message: beyond any bound that a client may have.
const OVERSIZED: usize = 20 << 20;

/// How late a slow message is.
const LATE: Duration = Duration::from_secs(1);

/// What is to be sent in a message's place.
pub enum Passed {
    Message(Value),
    /// No JSON, or too much of it.
    Spoilt(String),
    /// The protocol's own error, and then the end.
    Error,
}

/// Words that may still change, held back: they come after those that stand.
fn waits_for_final(held: &Value, next: &Value) -> bool {
    held["is_final"] == false && next["is_final"] != true
}

/// Of one connection or one answer.
pub struct Spoiler {
    world: Arc<World>,
    provider: Provider,
    opened: Moment,
    silent: bool,
    /// A message that lets the next one go first.
    held: Option<Value>,
}

impl Spoiler {
    pub fn new(world: Arc<World>, provider: Provider) -> Self {
        let opened = world.now();
        // Silence is for whole connections: it is decided when one opens.
        let silent = world.faults.take(provider, opened, &[FaultKind::SilentAfterOpen]).is_some();
        Self { world, provider, opened, silent, held: None }
    }

    /// Whether nothing at all is to be said.
    pub const fn is_silent(&self) -> bool {
        self.silent
    }

    pub async fn pass(&mut self, message: Value) -> Vec<Passed> {
        if self.silent {
            return Vec::new();
        }
        if let Some(held) = self.held.take_if(|held| !waits_for_final(held, &message)) {
            return vec![Passed::Message(message), Passed::Message(held)];
        }
        if self.held.is_some() {
            return vec![Passed::Message(message)];
        }
        match self.world.faults.take(self.provider, self.opened, FaultKind::OF_MESSAGES) {
            None => vec![Passed::Message(message)],
            Some(FaultKind::Slow) => {
                tokio::time::sleep(LATE).await;
                vec![Passed::Message(message)]
            }
            Some(FaultKind::OutOfOrder) => {
                self.held = Some(message);
                Vec::new()
            }
            Some(FaultKind::Garbage) => {
                let text = message.to_string();
                let half = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
                vec![Passed::Spoilt(text[..half].to_owned())]
            }
            Some(FaultKind::Oversized) => {
                let mut message = message;
                if let Some(fields) = message.as_object_mut() {
                    fields.insert("padding".to_owned(), Value::String("x".repeat(OVERSIZED)));
                }
                vec![Passed::Spoilt(message.to_string())]
            }
            Some(_) => vec![Passed::Error],
        }
    }

    /// Nothing follows any more: what was held back goes now.
    pub fn rest(&mut self) -> Option<Value> {
        self.held.take()
    }
}
