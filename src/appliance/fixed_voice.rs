//! A voice that renders the sentences that do not change, so that they can be
//! kept: the same voice speaks them when the line outside is gone.

use std::sync::Arc;

use crate::media::SampleRate;
use crate::residency::{CallGate, DataClass, DestinationId};
use crate::speech::cloud::elevenlabs::ElevenLabsVoice;
use crate::speech::lan::WyomingVoice;
use crate::speech::onbox::PiperVoice;
use crate::speech::{CallSetting, Hints, Synthesizer, VoiceError};
use crate::terms::Private;

/// A voice, and what tells its renderings from another's in the store.
pub struct FixedVoice {
    pub key: String,
    pub renders: Renders,
    /// Where it sends the words; none for the box's own.
    pub destination: Option<DestinationId>,
}

/// Whose voice it is.
pub enum Renders {
    Piper(Arc<PiperVoice>),
    ElevenLabs(ElevenLabsVoice),
    Wyoming(Arc<WyomingVoice>),
}

impl FixedVoice {
    /// The box's own; the key's number counts the versions of its weights.
    pub fn on_box(voice: Arc<PiperVoice>) -> Self {
        Self { key: "piper-onbox en_US-joe-medium 1".to_owned(), renders: Renders::Piper(voice), destination: None }
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
        self.destination.as_ref().is_none_or(|to| gate.may_go(&[DataClass::Knowledge], to))
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
