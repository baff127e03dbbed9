//! A voice that renders the sentences that do not change, so that they can be
//! kept: the same voice speaks them when the line outside is gone.

use std::sync::Arc;

use crate::egress::Room;
use crate::media::SampleRate;
use crate::residency::{AskedHost, CallGate, DataClass, DestinationId};
use crate::speech::cloud::elevenlabs::ElevenLabsVoice;
use crate::speech::lan::WyomingVoice;
use crate::speech::onbox::PiperVoice;
use crate::speech::{CallSetting, Hints, Synthesizer, VoiceError};
use crate::terms::Private;

/// A voice, and what tells its renderings from another's in the store.
pub struct FixedVoice {
    pub key: String,
    pub renders: Renders,
    /// How words get to it; none for the box's own.
    pub way_out: Option<WayOut>,
}

/// Where a voice outside sends words.
pub struct WayOut {
    pub destination: DestinationId,
    pub host: AskedHost,
    /// Whether the uplink's budget has room for these words, for which nobody waits.
    pub room: WordsRoom,
}

/// Whether there is room for words that are to be spoken.
pub type WordsRoom = Arc<dyn Fn(&str) -> Room + Send + Sync>;

/// Whose voice it is.
pub enum Renders {
    Piper(Arc<PiperVoice>),
    ElevenLabs(ElevenLabsVoice),
    Wyoming(Arc<WyomingVoice>),
}

impl FixedVoice {
    /// The box's own; the key's number counts the versions of its weights.
    pub fn on_box(voice: Arc<PiperVoice>) -> Self {
        Self { key: "piper-onbox en_US-joe-medium 1".to_owned(), renders: Renders::Piper(voice), way_out: None }
    }

    /// The name in records.
    pub fn name(&self) -> &'static str {
        match &self.renders {
            Renders::Piper(voice) => voice.name(),
            Renders::ElevenLabs(voice) => voice.name(),
            Renders::Wyoming(voice) => voice.name(),
        }
    }

    /// Whether rendering costs the box's own cores.
    pub const fn is_on_box(&self) -> bool {
        matches!(self.renders, Renders::Piper(_))
    }

    /// Whether the business's own words may go to it now.
    pub fn may_speak(&self, gate: &CallGate) -> bool {
        let may_go = |way: &WayOut| {
            gate.has_host(&way.destination, &way.host) && gate.may_go(&[DataClass::Knowledge], &way.destination)
        };
        self.way_out.as_ref().is_none_or(may_go)
    }

    /// Whether the budget has room for them.
    pub fn room_for(&self, text: &str) -> Room {
        self.way_out.as_ref().map_or(Room::Now, |way| (way.room)(text))
    }

    /// The business's own words as sound; no caller's may be among them.
    pub async fn render(
        &self,
        gate: &Arc<CallGate>,
        text: &Private<String>,
        rate: SampleRate,
    ) -> Result<Vec<i16>, VoiceError> {
        let setting = CallSetting { call: None, hints: Hints::default(), gate: Arc::clone(gate) };
        match &self.renders {
            Renders::Piper(voice) => voice.render(text.clone(), rate).await,
            Renders::ElevenLabs(voice) => voice.render(&setting, text, rate).await,
            Renders::Wyoming(voice) => voice.render(&setting, text, rate).await,
        }
    }
}

impl std::fmt::Debug for FixedVoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FixedVoice").field("key", &self.key).finish_non_exhaustive()
    }
}
