use thiserror::Error;
use tokio::sync::mpsc;

use super::CallSetting;
use crate::media::SampleRate;
use crate::terms::UtteranceId;

/// A maker of sound from words. One is shared by all calls.
pub trait Synthesizer: Send + Sync {
    /// The name in records: `piper-onbox`.
    fn name(&self) -> &'static str;

    /// Opens the voice for one call.
    fn open(&self, setting: &CallSetting) -> Box<dyn Voice>;
}

/// One call's voice.
pub trait Voice: Send + Sync {
    /// Starts to speak; sound goes to `sound` in slices, the first as early as
    /// possible. Bounded by the receiver: the engine waits when it is full.
    /// Dropping the returned [`Speaking`] stops the work.
    fn speak(&self, request: SpeakRequest, sound: mpsc::Sender<VoiceEvent>) -> Speaking;
}

#[derive(Clone, Debug)]
pub struct SpeakRequest {
    pub utterance: UtteranceId,
    /// One or more sentences; spoken clause by clause. The business's own words
    /// and a caller's read-back, so it is private.
    pub text: crate::terms::Private<String>,
    /// The line's rate: sound comes out at it, filtered for it.
    pub rate: SampleRate,
    /// 1.0 is the voice's own pace; 0.8 is slower.
    pub pace: f32,
}

#[derive(Clone, Debug)]
pub enum VoiceEvent {
    /// Samples of the utterance, in order, of any length.
    Sound {
        utterance: UtteranceId,
        samples: Vec<i16>,
        /// The name of the engine that made them: `piper-onbox`.
        engine: &'static str,
    },
    /// All of the utterance has been sent.
    Done {
        utterance: UtteranceId,
    },
    Failed {
        utterance: UtteranceId,
        error: VoiceError,
    },
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum VoiceError {
    #[error("speaking a sentence: every place in the engine's pool is taken")]
    Overloaded,
    #[error("speaking a sentence: the engine failed ({0})")]
    Engine(&'static str),
}

/// A sentence being spoken. Dropping it cancels what is not yet made.
#[derive(Debug)]
pub struct Speaking {
    cancelled: tokio_util::sync::DropGuard,
}

impl Speaking {
    /// `cancel` is what the engine looks at between slices.
    pub fn new(cancel: tokio_util::sync::CancellationToken) -> Self {
        Self { cancelled: cancel.drop_guard() }
    }

    /// Lets the sentence be finished although nobody holds it any more.
    pub fn detach(self) {
        self.cancelled.disarm();
    }
}
