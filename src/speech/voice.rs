use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;

use super::CallSetting;
use crate::call::Failover;
use crate::conversation::WordEnd;
use crate::media::SampleRate;
use crate::terms::UtteranceId;

/// A maker of sound from words. One is shared by all calls.
pub trait Synthesizer: Send + Sync {
    /// The name in records: `piper-onbox`.
    fn name(&self) -> &'static str;

    /// Sentences since the box started that it made in another way than its usual one,
    /// which broke before a sound: nothing failed, and something is amiss. A voice that
    /// has one way has none.
    fn rescued(&self) -> u64 {
        0
    }

    /// Messages of a provider since the box started that were of no sentence under way.
    /// Their sound is not used.
    fn disordered(&self) -> u64 {
        0
    }

    /// Opens the voice for one call.
    fn open(&self, setting: &CallSetting) -> Box<dyn Voice>;
}

/// One call's voice.
pub trait Voice: Send + Sync {
    /// Starts to speak; sound goes to `sound` in slices, the first as early as
    /// possible. Bounded by the receiver: the engine waits when it is full.
    /// Dropping the returned [`Speaking`] stops the work.
    fn speak(&self, request: SpeakRequest, sound: mpsc::Sender<VoiceEvent>) -> Speaking;

    /// The caller is speaking: an answer will be wanted, and who has a connection to make
    /// makes it now.
    fn caller_speaks(&self) {}
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
    /// When further words of the utterance's text end, reckoned from the first
    /// sample that was sent. In order, and sent before the sound of these words;
    /// a voice that does not know leaves them out. What the caller has heard
    /// when the voice is cut off or fails is found with them.
    Marks {
        utterance: UtteranceId,
        ends: Vec<WordEnd>,
    },
    /// All of the utterance has been sent.
    Done {
        utterance: UtteranceId,
    },
    Failed {
        utterance: UtteranceId,
        error: VoiceError,
    },
    /// An engine was left for the next, which goes on with what was not yet said.
    Left {
        utterance: UtteranceId,
        failover: Failover,
    },
}

/// Why a sentence was not spoken, or not to its end. What came before it was
/// good sound and may be played.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum VoiceError {
    #[error("speaking a sentence: every place in the engine's pool is taken")]
    Overloaded,
    #[error("speaking a sentence: the engine failed ({0})")]
    Engine(&'static str),
    /// The policy, the caller's wish, a safeguard or the budget.
    #[error("speaking a sentence: its words may not go there")]
    Kept,
    /// The key, the account, the voice or the request: somebody must repair it.
    #[error("speaking a sentence: the provider does not serve us ({0})")]
    NotServed(&'static str),
    #[error("speaking a sentence: the provider is busy")]
    Busy { retry_after: Option<Duration> },
    #[error("speaking a sentence: {waiting_for} took longer than {} ms", .within.as_millis())]
    Stalled { waiting_for: Awaited, within: Duration },
    /// The network, or an answer that breaks the protocol.
    #[error("speaking a sentence: the provider was lost ({0})")]
    Lost(&'static str),
}

/// What a voice was waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Awaited {
    Connection,
    FirstSound,
    NextSound,
}

impl std::fmt::Display for Awaited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connection => "the connection",
            Self::FirstSound => "the first sound",
            Self::NextSound => "the next sound",
        })
    }
}

/// When the engine that failed is worth asking again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Again {
    /// With the next sentence.
    Soon,
    /// Not before so much time has gone by.
    After(Duration),
    /// Not with these words; with others it may do.
    OtherWords,
    /// Not before somebody has repaired something.
    OnceRepaired,
}

impl VoiceError {
    /// What the failover does with the engine that said so.
    pub const fn again(&self) -> Again {
        match self {
            Self::Kept => Again::OtherWords,
            Self::NotServed(_) => Again::OnceRepaired,
            Self::Busy { retry_after: Some(time) } => Again::After(*time),
            Self::Overloaded | Self::Engine(_) | Self::Busy { retry_after: None } => Again::Soon,
            Self::Stalled { .. } | Self::Lost(_) => Again::Soon,
        }
    }
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
