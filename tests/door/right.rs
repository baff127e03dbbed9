//! The right way, so that the wrong ones fail for their own reason alone.

use std::error::Error;

use milu::egress::{Door, HttpRequest, SendError, WebSocketMessage, WebSocketSender};
use milu::residency::{CallGate, Cleared, DataClass, DestinationId, Payload, Redact};

pub struct Words(pub HttpRequest);

impl Payload for Words {
    fn redacted(self, _redact: &dyn Redact) -> Option<Self> {
        None
    }
}

impl From<Words> for HttpRequest {
    fn from(words: Words) -> Self {
        words.0
    }
}

pub struct Sound(pub Vec<u8>);

impl From<Sound> for WebSocketMessage {
    fn from(sound: Sound) -> Self {
        Self::Binary(sound.0.into())
    }
}

pub async fn send(
    door: &Door,
    gate: &CallGate,
    to: &DestinationId,
    request: HttpRequest,
) -> Result<(), Box<dyn Error>> {
    let cleared: Cleared<Words> = gate.clear(&[DataClass::Transcript], to, Words(request))?;
    let mut answer = door.request(None, cleared).await?;
    while answer.chunk().await?.is_some() {}
    Ok(())
}

pub async fn speak(sender: &mut WebSocketSender, sound: Cleared<Sound>) -> Result<(), SendError> {
    sender.send(sound).await?;
    sender.send_fixed(r#"{"type":"Finalize"}"#).await
}
