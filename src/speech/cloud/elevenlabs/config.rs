use std::time::Duration;

use super::payload::told;
use super::wire::Retention;
use crate::residency::{AskedHost, DestinationId, Safeguards};
use crate::speech::VoiceDeadlines;
use crate::terms::Private;

/// How the provider is asked for a voice.
#[derive(Clone, Debug)]
pub struct ElevenLabsConfig {
    pub destination: DestinationId,
    /// The host of the region: `api.elevenlabs.io`, `api.eu.residency.elevenlabs.io`.
    pub host: AskedHost,
    /// The voice's id at the provider; letters and digits.
    pub voice_id: String,
    pub model: String,
    pub key: Private<String>,
    /// 1.0 is the voice's own pace; the provider takes 0.7 to 1.2.
    pub speed: f32,
    pub stability: f32,
    pub similarity_boost: f32,
    pub deadlines: VoiceDeadlines,
    /// How often a sign of life goes on a call's socket: home routers forget one that
    /// is silent for a minute. The provider closes one on which nothing was to be said
    /// for three; the next sentence then opens another.
    pub keep_alive: Duration,
}

impl ElevenLabsConfig {
    /// Of the safeguards that a policy asks for, those that requests can tell.
    pub fn carries(&self, asked: &Safeguards) -> Safeguards {
        told(Retention::asked(asked))
    }

    /// The provider's fastest model, with the settings that it recommends.
    pub fn new(destination: DestinationId, host: impl Into<AskedHost>, voice_id: String, key: Private<String>) -> Self {
        Self {
            destination,
            host: host.into(),
            voice_id,
            model: "eleven_flash_v2_5".to_owned(),
            key,
            speed: 1.0,
            stability: 0.5,
            similarity_boost: 0.75,
            deadlines: VoiceDeadlines::default(),
            keep_alive: Duration::from_secs(45),
        }
    }
}
