//! What happens on the box right now, for `milu calls watch`.

use serde::Serialize;
use tokio::sync::broadcast;

use crate::call::{CallRecord, Turn};
use crate::terms::{CallId, LineId, Private};

use super::record_json::{CallJson, TurnJson};

/// A watcher that is further behind than this loses events and is told how many.
const EVENTS: usize = 256;

/// One event of one call.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum WatchEvent {
    Offered {
        id: String,
        line: String,
    },
    Turn {
        id: String,
        turn: Box<TurnJson>,
    },
    /// A person begins to listen to the call.
    Listened {
        id: String,
    },
    /// The caller is handed to a person: what they say together is nobody's turn.
    Transferred {
        id: String,
        to: String,
    },
    Ended {
        id: String,
        record: Box<CallJson>,
    },
    /// This many events were lost because the watcher was slow.
    Missed {
        events: u64,
    },
}

/// Where calls tell what happens. Clones are the same place.
#[derive(Clone, Debug)]
pub struct Watch(broadcast::Sender<std::sync::Arc<str>>);

impl Watch {
    pub fn new() -> Self {
        Self(broadcast::channel(EVENTS).0)
    }

    pub fn offered(&self, id: CallId, line: &LineId) {
        self.tell(&WatchEvent::Offered { id: id.to_string(), line: line.to_string() });
    }

    pub fn turn(&self, id: CallId, turn: &Turn) {
        self.tell(&WatchEvent::Turn { id: id.to_string(), turn: Box::new(turn.into()) });
    }

    pub fn listened(&self, id: CallId) {
        self.tell(&WatchEvent::Listened { id: id.to_string() });
    }

    pub fn transferred(&self, id: CallId, to: &Private<String>) {
        self.tell(&WatchEvent::Transferred { id: id.to_string(), to: to.expose().clone() });
    }

    pub fn ended(&self, record: &CallRecord) {
        self.tell(&WatchEvent::Ended { id: record.id.to_string(), record: Box::new(record.into()) });
    }

    /// The rows of JSON from now on.
    pub fn listen(&self) -> broadcast::Receiver<std::sync::Arc<str>> {
        self.0.subscribe()
    }

    fn tell(&self, event: &WatchEvent) {
        if self.0.receiver_count() == 0 {
            return;
        }
        match serde_json::to_string(event) {
            // An error means that the last watcher has just gone.
            Ok(row) => drop(self.0.send(row.into())),
            Err(error) => tracing::error!(%error, "an event could not be written as JSON"),
        }
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}
