use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;

pub use crate::call::Confidence;
use crate::call::Failover;

use super::{Again, CallSetting};
use crate::media::{Frame, SampleRate};
use crate::terms::{Moment, Private, RequestId};

/// A maker of words from sound. One is shared by all calls.
pub trait Transcriber: Send + Sync {
    /// The name in records: `whisper-onbox`.
    fn name(&self) -> &'static str;

    /// What these ears say of whether a turn is over.
    fn judges_by(&self) -> JudgesBy {
        JudgesBy::Melody
    }

    /// Messages of a provider that came out of their order since the box started.
    /// Their words are not used; ears that have no provider have none.
    fn disordered(&self) -> u64 {
        0
    }

    /// Opens the ears for one call. Answers go to `answers` (bounded to 16: a
    /// call has at most one decode and one judgement in flight).
    fn open(&self, setting: &CallSetting, answers: mpsc::Sender<EarsEvent>) -> Box<dyn Hearing>;
}

/// By what ears tell that a turn is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JudgesBy {
    /// By how it sounds, or not at all.
    Melody,
    /// They know silences alone, but their words are punctuated by a model that has
    /// read many sentences: one that has ended ends most turns.
    Punctuation,
    /// They say so themselves, by the words and the sound, as Flux does: their word
    /// stands before that of ears which know the melody alone.
    Words,
}

/// One call's ears. No method waits: work goes to the engine's own pool.
pub trait Hearing: Send {
    /// Media flows from here on, at the line's `rate`: nothing above half of it
    /// is in the sound, whatever the rate of the frames.
    fn line_answered(&mut self, rate: SampleRate);

    /// The caller's sound, every 20 ms in order, at 16 kHz.
    fn frame(&mut self, frame: &Frame, at: Moment);

    /// The same sound of a narrow line, also as it came: who sends it narrow need not
    /// make it so again, which would cost it a part of its band a second time.
    fn frame_of_narrow(&mut self, _narrow: &Frame, wide: &Frame, at: Moment) {
        self.frame(wide, at);
    }

    /// A turn of the caller begins: sound older than `at` less a pre-roll may
    /// be forgotten, and nothing later may be.
    fn turn_began(&mut self, at: Moment);

    /// Asks for the words of the turn so far. A newer request replaces an older
    /// one that is not yet answered.
    fn decode(&mut self, request: RequestId);

    /// Asks how likely it is that the turn is over, from its sound. Who cannot say
    /// says nothing: a turn ends without it too, and its words are another thing.
    fn judge(&mut self, request: RequestId);

    /// The same of a turn in which a sentence that has ended says little: a number
    /// in groups, a message that is dictated.
    fn judge_by_melody(&mut self, request: RequestId) {
        self.judge(request);
    }

    /// Nothing that was asked is wanted any more.
    fn abandon(&mut self);
}

/// What the ears answer.
#[derive(Clone, Debug)]
pub enum EarsEvent {
    Heard(Heard),
    /// 0 = the caller will go on, 1 = the turn is over.
    TurnOver {
        request: RequestId,
        probability: f32,
    },
    /// A word came, which began at `at`, after those before it had ended, or the first of
    /// all; told unasked by ears that hear while the caller speaks.
    WordsBegan {
        at: Moment,
    },
    /// No word has come for a second since the last, which ended at `at`, or the ears
    /// declare the turn over; told unasked: the box's own voice activity may take a noise
    /// for a voice. Told again as the ears listen on: no word has come up to `silent_until`.
    WordsEnded {
        at: Moment,
        silent_until: Moment,
    },
    /// There are no words.
    Failed {
        request: RequestId,
        error: EarsError,
    },
    /// An engine was left for the next; told before what the next one answers.
    Left(Failover),
}

/// Why there are no words, as far as it matters to who asks next.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EarsError {
    #[error("transcribing a turn: every place in the engine's pool is taken")]
    Overloaded,
    #[error("transcribing a turn: the engine failed ({0})")]
    Engine(&'static str),
    /// The policy, the caller's wish, a safeguard or the budget.
    #[error("transcribing a turn: its sound may not go there")]
    Kept,
    /// The key, the account, the model or the request: somebody must repair it.
    #[error("transcribing a turn: the provider does not serve us ({0})")]
    NotServed(&'static str),
    #[error("transcribing a turn: the provider is busy")]
    Busy { retry_after: Option<Duration> },
    #[error("transcribing a turn: {waiting_for} took longer than {} ms", .within.as_millis())]
    Stalled { waiting_for: AwaitedWords, within: Duration },
    /// The network, or an answer that breaks the protocol.
    #[error("transcribing a turn: the provider was lost ({0})")]
    Lost(&'static str),
}

/// What the ears were waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AwaitedWords {
    Connection,
    /// Sound must leave the box as fast as it comes.
    Uplink,
    /// The first sign that a turn's sound is listened to.
    FirstPartial,
    /// The words of a pause.
    Words,
}

impl std::fmt::Display for AwaitedWords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connection => "the connection",
            Self::Uplink => "sending the sound",
            Self::FirstPartial => "the first partial result",
            Self::Words => "the words",
        })
    }
}

impl EarsError {
    /// What the failover does with the engine that said so.
    pub const fn again(&self) -> Again {
        match self {
            // Another caller may wish otherwise, and another turn is no other sound.
            Self::Kept => Again::OtherWords,
            Self::NotServed(_) => Again::OnceRepaired,
            Self::Busy { retry_after: Some(time) } => Again::After(*time),
            Self::Overloaded | Self::Engine(_) | Self::Busy { retry_after: None } => Again::Soon,
            Self::Stalled { .. } | Self::Lost(_) => Again::Soon,
        }
    }
}

/// The words of a turn, with what is known of how well they were heard.
#[derive(Clone, Debug)]
pub struct Heard {
    pub request: RequestId,
    pub words: Private<String>,
    pub confidence: Confidence,
    /// The name of the engine that heard them: `whisper-onbox`.
    pub engine: &'static str,
    /// From the request to the words.
    pub took: Duration,
    /// How much sound was decoded.
    pub sound: Duration,
}
