use std::sync::Arc;

use super::ElevenLabsConfig;
use super::wire::{self, Manner, Retention, SoundFormat, VoiceSettings};
use crate::egress::{HttpRequest, Method, WebSocketMessage, WebSocketOpening, Within};
use crate::residency::{CallGate, DataClass, Host, Payload, Redact, Safeguards};
use crate::terms::{Language, Private};

/// What every request of one call tells the provider beside the words.
pub(super) struct Asking<'a> {
    pub(super) config: &'a ElevenLabsConfig,
    pub(super) language: Language,
    pub(super) format: SoundFormat,
    host: Host,
    retention: Retention,
}

/// The provider knows no other safeguard in a request.
pub(super) fn told(retention: Retention) -> Safeguards {
    Safeguards { zero_retention: retention == Retention::None, ..Safeguards::default() }
}

impl<'a> Asking<'a> {
    /// Asks as the policy wants data of `class` to be asked for.
    pub(super) fn new(
        config: &'a ElevenLabsConfig,
        gate: &CallGate,
        class: DataClass,
        language: Language,
        format: SoundFormat,
    ) -> Self {
        let asked = gate.decide(&[class], &config.destination).map(|d| d.safeguards).unwrap_or_default();
        let host = gate.host(&config.destination, &config.host);
        Self { config, language, format, host, retention: Retention::asked(&asked) }
    }

    fn manner(&self) -> Manner<'_> {
        Manner {
            model: &self.config.model,
            language: self.language.iso_639_1(),
            format: self.format,
            retention: self.retention,
        }
    }

    /// What is really told.
    fn safeguards(&self) -> Safeguards {
        told(self.retention)
    }

    fn within(&self) -> Within {
        Within { connect: self.config.deadlines.connect, answer: self.config.deadlines.first_sound }
    }

    fn settings(&self, pace: f32) -> VoiceSettings {
        settings(self.config, pace)
    }

    /// A socket for the call. It carries no words yet.
    pub(super) fn socket(&self) -> SocketOpening {
        SocketOpening(WebSocketOpening {
            host: self.host.clone(),
            target: Private::new(wire::socket_target(&self.config.voice_id, &self.manner())),
            headers: vec![("xi-api-key", self.config.key.clone())],
            safeguards: self.safeguards(),
            // The answer to an opening is the handshake, and part of connecting.
            within: Within { connect: self.config.deadlines.connect, answer: self.config.deadlines.connect },
        })
    }

    /// All of one text, to be answered with its sound.
    pub(super) fn stream(&self, text: &str, pace: f32) -> StreamRequest {
        StreamRequest {
            host: self.host.clone(),
            target: wire::stream_target(&self.config.voice_id, &self.manner()),
            key: self.config.key.clone(),
            text: Private::new(text.to_owned()),
            body: Private::new(wire::stream_body(text, &self.manner(), &self.settings(pace))),
            safeguards: self.safeguards(),
            within: self.within(),
        }
    }
}

pub(super) fn settings(config: &ElevenLabsConfig, pace: f32) -> VoiceSettings {
    VoiceSettings {
        stability: config.stability,
        similarity_boost: config.similarity_boost,
        speed: wire::speed(config.speed, pace),
    }
}

/// Whether a text is without identifiers as it stands. A voice that said "your
/// number is [number]" would be worse than the box's own: what holds one is not
/// redacted but left to another engine.
fn is_clean(text: &str, redact: &dyn Redact) -> bool {
    redact.redact(text) == text
}

#[derive(Debug)]
pub(super) struct SocketOpening(WebSocketOpening);

impl Payload for SocketOpening {
    /// There are no words in it.
    fn redacted(self, _redact: &dyn Redact) -> Option<Self> {
        Some(self)
    }
}

impl From<SocketOpening> for WebSocketOpening {
    fn from(opening: SocketOpening) -> Self {
        opening.0
    }
}

/// The first message of a context: settings, and no words.
#[derive(Debug)]
pub(super) struct ContextOpening(Private<String>);

impl ContextOpening {
    pub(super) fn new(context: &str, settings: &VoiceSettings) -> Self {
        Self(Private::new(wire::opening_message(context, settings)))
    }
}

impl Payload for ContextOpening {
    fn redacted(self, _redact: &dyn Redact) -> Option<Self> {
        Some(self)
    }
}

impl From<ContextOpening> for WebSocketMessage {
    fn from(opening: ContextOpening) -> Self {
        Self::Text(opening.0)
    }
}

/// A piece of an utterance, for its context.
#[derive(Debug)]
pub(super) struct Words {
    message: Private<String>,
    /// The whole utterance: a number may run over the end of a sentence.
    whole: Arc<Private<String>>,
}

impl Words {
    pub(super) fn new(context: &str, piece: &str, whole: Arc<Private<String>>) -> Self {
        Self { message: Private::new(wire::words_message(context, piece)), whole }
    }
}

impl Payload for Words {
    fn redacted(self, redact: &dyn Redact) -> Option<Self> {
        is_clean(self.whole.expose(), redact).then_some(self)
    }
}

impl From<Words> for WebSocketMessage {
    fn from(words: Words) -> Self {
        Self::Text(words.message)
    }
}

/// A text whose sound is the answer.
#[derive(Debug)]
pub(super) struct StreamRequest {
    host: Host,
    target: String,
    key: Private<String>,
    text: Private<String>,
    body: Private<String>,
    safeguards: Safeguards,
    within: Within,
}

impl Payload for StreamRequest {
    fn redacted(self, redact: &dyn Redact) -> Option<Self> {
        is_clean(self.text.expose(), redact).then_some(self)
    }
}

impl From<StreamRequest> for HttpRequest {
    fn from(request: StreamRequest) -> Self {
        Self {
            method: Method::Post,
            host: request.host,
            target: Private::new(request.target),
            headers: vec![
                ("xi-api-key", request.key),
                ("content-type", Private::new("application/json".to_owned())),
                ("accept", Private::new("audio/*".to_owned())),
            ],
            body: Private::new(request.body.into_exposed().into_bytes()),
            safeguards: request.safeguards,
            within: request.within,
        }
    }
}
