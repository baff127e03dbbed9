use std::time::Duration;

use crate::residency::{AskedHost, DestinationId};
use crate::speech::VoiceDeadlines;

/// A server of voices.
#[derive(Clone, Debug)]
pub struct WyomingVoiceConfig {
    pub destination: DestinationId,
    pub host: AskedHost,
    /// A voice that the server names; none is the server's own choice.
    pub voice: Option<String>,
    /// Of a voice with several speakers.
    pub speaker: Option<String>,
    pub deadlines: VoiceDeadlines,
}

/// A server of ears.
#[derive(Clone, Debug)]
pub struct WyomingEarsConfig {
    pub destination: DestinationId,
    pub host: AskedHost,
    /// A model that the server names; none is the server's own choice.
    pub model: Option<String>,
    /// To a connection.
    pub connect: Duration,
    /// From the end of the sound to its words.
    pub words: Duration,
}

impl WyomingVoiceConfig {
    pub fn new(destination: DestinationId, host: impl Into<AskedHost>) -> Self {
        // A server without a graphics card makes a whole sentence before its first sound.
        let deadlines = VoiceDeadlines {
            connect: Duration::from_millis(500),
            first_sound: Duration::from_millis(3_000),
            next_sound: Duration::from_millis(3_000),
        };
        Self { destination, host: host.into(), voice: None, speaker: None, deadlines }
    }
}

impl WyomingEarsConfig {
    pub fn new(destination: DestinationId, host: impl Into<AskedHost>) -> Self {
        Self {
            destination,
            host: host.into(),
            model: None,
            connect: Duration::from_millis(500),
            words: Duration::from_millis(4_000),
        }
    }
}
