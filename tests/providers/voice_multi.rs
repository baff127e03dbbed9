//! A socket of `multi-stream-input`: several utterances, each in a context of its
//! own, so that a caller who interrupts ends one and not the socket.

use std::collections::BTreeMap;
use std::sync::Arc;

use milu::terms::Moment;
use serde_json::Value;
use tokio::sync::mpsc;

use super::World;
use super::socket::{Ended, Incoming, Socket};
use super::voice_input::{
    Over, Said, Utterance, changed_settings, close, said_channel, timed_out, unreadable, voiceless,
};
use super::voice_request::{Asked, Key, Settings, VoiceError, invalid_key};

/// Contexts that are open at once.
const CONTEXTS_MAX: usize = 5;

/// The context of messages that name none.
const DEFAULT: &str = "default";

struct Open {
    utterance: Utterance,
    heard_last: Moment,
}

struct Contexts {
    world: Arc<World>,
    asked: Asked,
    open: BTreeMap<String, Open>,
    /// Closed contexts that still speak.
    ending: usize,
    said: mpsc::Sender<Said>,
    key: Key,
    /// Closes when all has been said.
    is_closing: bool,
}

pub async fn listen(world: Arc<World>, mut socket: Socket, asked: Asked, key: Key) {
    let (said, sound) = said_channel();
    let contexts =
        Contexts { world: Arc::clone(&world), asked, open: BTreeMap::new(), ending: 0, said, key, is_closing: false };
    let over = contexts.converse(&mut socket, sound).await;
    close(socket, over).await;
}

impl Contexts {
    async fn converse(mut self, socket: &mut Socket, mut sound: mpsc::Receiver<Said>) -> Over {
        let mut heard_last = self.world.now();
        loop {
            if self.is_closing && self.ending == 0 {
                return Over::Normally;
            }
            let idle = self.open.values().map(|open| open.heard_last).min().unwrap_or(heard_last);
            tokio::select! {
                incoming = socket.receive() => {
                    heard_last = self.world.now();
                    let taken = match incoming {
                        Some(Incoming::Text(message)) => self.take(&message).await,
                        Some(_) => Err(unreadable()),
                        None => return Over::Ended(Ended::Gone),
                    };
                    if let Err(error) = taken {
                        return Over::Wrong(error);
                    }
                }
                said = sound.recv() => {
                    // This holds a sender, so the channel does not end.
                    let Some(said) = said else { return Over::Wrong(voiceless()) };
                    if said.piece.is_none() {
                        self.ending = self.ending.saturating_sub(1);
                    }
                    if let Err(ended) = socket.say(said.to_json()).await {
                        return Over::Ended(ended);
                    }
                }
                () = self.world.clock.sleep_until(idle + self.asked.inactivity), if !self.is_closing => {
                    if self.open.is_empty() {
                        return Over::Wrong(timed_out(&self.asked));
                    }
                    self.close_idle().await;
                }
            }
        }
    }

    async fn take(&mut self, message: &Value) -> Result<(), VoiceError> {
        if message["close_socket"] == true {
            self.is_closing = true;
            for name in self.open.keys().cloned().collect::<Vec<_>>() {
                self.end(&name, Rest::Spoken).await;
            }
            return Ok(());
        }
        let stated = message["context_id"].as_str().or_else(|| message["contextId"].as_str());
        let name = stated.unwrap_or(DEFAULT).to_owned();
        if message["close_context"] == true {
            self.end(&name, Rest::Dropped).await;
            return Ok(());
        }
        let text = message["text"].as_str().unwrap_or_default();
        let now = self.world.now();
        if let Some(open) = self.open.get_mut(&name) {
            if !message["voice_settings"].is_null() {
                return Err(changed_settings());
            }
            open.heard_last = now;
            open.utterance.text(text, message).await;
            return Ok(());
        }
        // A sign of life for a context that is not there is not one's beginning.
        if text.is_empty() {
            return Ok(());
        }
        if !self.key.admits(message) {
            return Err(invalid_key());
        }
        self.key = Key::Shown;
        if self.open.len() >= CONTEXTS_MAX {
            let why = format!("A connection has at most {CONTEXTS_MAX} contexts.");
            return Err(VoiceError::new(400, "max_contexts_exceeded", why));
        }
        let settings = Settings::read(message)?;
        let mut utterance = Utterance::new(&self.world, &self.asked, settings, Some(name.clone()), self.said.clone());
        utterance.text(text, message).await;
        self.open.insert(name, Open { utterance, heard_last: now });
        Ok(())
    }

    async fn end(&mut self, name: &str, rest: Rest) {
        if let Some(mut open) = self.open.remove(name) {
            if rest == Rest::Spoken {
                open.utterance.speak().await;
            }
            self.ending += 1;
            open.utterance.finish().await;
        }
    }

    async fn close_idle(&mut self) {
        let now = self.world.now();
        let idle = |open: &Open| now.since(open.heard_last) >= self.asked.inactivity;
        let names: Vec<String> = self.open.iter().filter(|(_, o)| idle(o)).map(|(name, _)| name.clone()).collect();
        for name in names {
            self.end(&name, Rest::Dropped).await;
        }
    }
}

/// What becomes of text that was not yet to be spoken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    Spoken,
    Dropped,
}
