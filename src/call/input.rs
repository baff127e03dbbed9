use std::time::Duration;

use crate::conversation::{Overlap, WordEnd};
use crate::knowledge::{Finding, Spoken};
use crate::terms::{EndCause, Moment, Private, RequestId, UtteranceId};

use super::{Confidence, Failover, JournalKind, MediaFacts};

/// A fact that reaches the call. `at` is when it became true, which may be
/// earlier than when it is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// The line says that media flows.
    Answered {
        at: Moment,
    },
    /// The caller keyed a digit (0-9, '*', '#', A-D).
    Digit {
        at: Moment,
        digit: char,
    },
    /// The far side put us on hold.
    Held {
        at: Moment,
    },
    Resumed {
        at: Moment,
    },
    /// No media has come for the line's silence time-out.
    MediaLost {
        at: Moment,
    },
    /// The line is gone. The last input that changes anything.
    Ended {
        at: Moment,
        cause: EndCause,
        media: MediaFacts,
    },

    /// The caller's first voiced sample.
    SpeechStarted {
        at: Moment,
    },
    /// The caller's last voiced sample, told once the silence after it is sure.
    SpeechPaused {
        at: Moment,
    },
    /// The first word that the ears heard since no word had come for a second.
    WordsBegan {
        at: Moment,
    },
    /// The last word that the ears heard, told once none has followed for a second or they
    /// hear that the turn is over, and again as they listen on.
    WordsEnded {
        at: Moment,
        silent_until: Moment,
    },
    /// The caller's sound beside the box's own voice, while both sound.
    Overlap(Overlap),
    Heard {
        request: RequestId,
        words: Private<String>,
        confidence: Confidence,
        /// The name of the engine that heard them.
        engine: &'static str,
        took: Duration,
    },
    /// How likely the sound says that the turn is over, 0 to 1.
    TurnOver {
        request: RequestId,
        probability: f32,
    },
    EarsFailed {
        request: RequestId,
    },
    Found {
        request: RequestId,
        finding: Finding,
        /// The name of the engine that found it.
        engine: &'static str,
        took: Duration,
    },
    /// The next sentence of an answer that is still being formed.
    Sentence {
        request: RequestId,
        spoken: Spoken,
        engine: &'static str,
        took: Duration,
    },
    /// The answer is complete; `then` is to be done once all of it has been said.
    AnswerOver {
        request: RequestId,
        then: Option<Finding>,
    },
    MindFailed {
        request: RequestId,
    },

    /// The first frame of an utterance went to the line.
    UtteranceStarted {
        utterance: UtteranceId,
        at: Moment,
    },
    UtteranceProgress {
        utterance: UtteranceId,
        played_ms: u32,
        at: Moment,
    },
    UtteranceFinished {
        utterance: UtteranceId,
        played_ms: u32,
        at: Moment,
    },
    /// The utterance was cut off after `played_ms`.
    UtteranceCut {
        utterance: UtteranceId,
        played_ms: u32,
        at: Moment,
    },
    /// How long the utterance is, once the voice knows.
    UtteranceLength {
        utterance: UtteranceId,
        total_ms: u32,
    },
    /// The engine that makes the utterance's first sound, or made it ahead.
    UtteranceMade {
        utterance: UtteranceId,
        engine: &'static str,
    },
    /// When further words of the utterance end, in order.
    UtteranceMarks {
        utterance: UtteranceId,
        ends: Vec<WordEnd>,
    },
    VoiceFailed {
        utterance: UtteranceId,
    },

    /// An engine was left for the next one in the middle of its work.
    EngineLeft(Failover),

    /// The person who is being rung has answered.
    PersonAnswered {
        at: Moment,
    },
    /// The person's telephone is gone: nobody has answered it, or who had has hung up.
    PersonGone {
        at: Moment,
        cause: EndCause,
    },

    /// What was to be promised could not be written down, or not in time. Told before
    /// the outputs that come after its entry are polled, so that they are not carried out.
    Unwritten {
        kind: JournalKind,
    },

    /// The box is stopping: let the caller finish the sentence, then say goodbye.
    BoxStopping,
}
