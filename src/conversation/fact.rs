use std::time::Duration;

use crate::terms::{Moment, RequestId, UtteranceId};

use super::Gist;

/// What the turn-taker is told. Times inside are when the thing happened,
/// which is before it was reported: detectors look back.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Fact {
    /// The caller's voice began; `at` is its first voiced sample.
    SpeechStarted { at: Moment },
    /// The caller's voice stopped; `at` is its last voiced sample, reported
    /// [`super::PAUSE_REPORTED_AFTER`] later.
    SpeechPaused { at: Moment },
    /// The ears, which know words from noise, have heard one that began at `at`: the first of
    /// all, or one with none for a second before it. They say so later than a voice is reported.
    WordsBegan { at: Moment },
    /// The ears, which know words from noise, have heard none for a second since the
    /// last one, which ended at `at`, or hear that the turn is over. Told again as they listen on, up to `silent_until`.
    WordsEnded { at: Moment, silent_until: Moment },
    /// How the caller's sound looks beside the box's own voice. Sent while both
    /// sound, as often as the media layer measures it.
    Overlap(Overlap),
    /// The first sample of an utterance went to the line.
    BoxSpeaking { utterance: UtteranceId, at: Moment, manners: Manners },
    /// `played` of the utterance has gone to the line so far; `total` is its
    /// length, once all of it has been made.
    BoxProgress { utterance: UtteranceId, played: Duration, total: Option<Duration> },
    /// The last sample of the utterance went to the line, or the utterance was
    /// cut after `played`.
    BoxFinished { utterance: UtteranceId, at: Moment, played: Duration },
    /// The judge's answer: 0 = the caller will go on, 1 = the turn is over.
    TurnOver { request: RequestId, probability: f32 },
    /// The words of the turn so far, in summary.
    Heard { request: RequestId, gist: Gist, trust: Trust },
    /// The caller pressed a key.
    Digit { at: Moment },
    /// The floor is the caller's, and this is the kind of thing to wait for.
    Expecting(Expectation),
    /// All that the box owed is said: no sentence of an answer is still to come.
    BoxOwesNothing,
    /// The far side put the call on hold: silence means nothing until it is back.
    Held,
    /// The far side is back from hold.
    Resumed,
}

/// A measurement of the caller's sound while the box speaks.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Overlap {
    /// Level of the caller's sound in dBFS (0 = full scale).
    pub level_dbfs: f32,
    /// 0 = surely the caller, 1 = surely the box's own voice coming back.
    pub echo_likelihood: f32,
}

/// Whether an utterance of the box gives way to the caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manners {
    /// Ordinary speech: it stops when the caller speaks.
    GivesWay,
    /// It must be heard to its end: the recording notice, a polite breaking-in.
    Insists,
}

/// How far the ears trust the words that they give.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trust {
    Sure,
    /// Below the ears' own bar: perhaps a cough that was written down as a word.
    Doubtful,
}

/// What the caller is likely to say next; it sets how long a pause may be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Expectation {
    #[default]
    Anything,
    /// A question that is answered with yes or no.
    YesNo,
    /// A number, said digit by digit or in groups.
    Digits,
    Name,
    /// An e-mail address, spelled with pauses.
    Email,
    /// A message for a person, as long as the caller likes.
    Message,
    /// The caller said "hold on" and is away from the telephone.
    Return,
}

impl Expectation {
    /// Whether such a turn is over with the sentence. A number in groups, a name, a
    /// spelled address and a dictated message have many that end it not.
    pub const fn is_one_sentence(self) -> bool {
        match self {
            Self::Anything | Self::YesNo | Self::Return => true,
            Self::Digits | Self::Name | Self::Email | Self::Message => false,
        }
    }
}

/// What the turn-taker wants done. Drained with [`super::TurnTaker::poll`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Directive {
    /// A turn of the caller begins with the sound at `at`: tell the ears.
    TurnBegan { at: Moment },
    /// The turn that ended with `request` was not over, and no answer to it has
    /// sounded: drop the answer. The next end of turn covers the earlier sound
    /// too, so the ears must not be told of a new turn.
    TurnGoesOn { request: RequestId },
    /// Ask the ears for the words of the turn so far.
    Decode { request: RequestId },
    /// Ask the judge whether the turn is over.
    Judge { request: RequestId },
    /// What was asked under `request` is not wanted any more.
    Abandon { request: RequestId },
    /// The turn is over. The words are those of `request`; they may still be on
    /// their way.
    EndOfTurn { request: RequestId, speech_began: Moment, speech_ended: Moment, decided_at: Moment },
    /// What began as a turn was none: forget it.
    TurnDropped { speech_began: Moment, why: NoTurn },
    /// Go silent at once and keep what is queued.
    PauseSpeech { utterance: UtteranceId },
    /// Speak on from where the speech paused.
    ResumeSpeech { utterance: UtteranceId, why: Resumption },
    /// Throw away what is queued: the caller has the floor. The caller heard
    /// `heard` of the utterance, by the last report; what the line says when it
    /// has cut the utterance is exact.
    StopSpeech { utterance: UtteranceId, heard: Duration },
    /// Nobody has said anything for a while; `nth` counts from 1.
    Silence { nth: SilenceNth },
    /// The caller has been talking for too long without an end: break in
    /// politely. `nth` counts from 1 within one turn.
    TooLong { speech_began: Moment, nth: u8 },
    /// There is a voice-like sound and no word in it.
    Noise,
    /// No key has followed the last one: the number that was keyed is complete.
    KeysOver { last_key_at: Moment },
}

/// What to do about a silence, in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SilenceNth {
    /// Ask whether the caller is there.
    FirstPrompt,
    /// Ask again, and offer another way.
    SecondPrompt,
    /// Say goodbye and end the call.
    Goodbye,
}

/// Why a sound of the caller was no turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoTurn {
    /// Too short for a word, or no words were heard in it: a cough, a door.
    NoWords,
    /// "Mm-hm": the caller listens.
    Backchannel,
    /// The box's own voice, come back.
    Echo,
    /// A steady noise.
    Noise,
    /// The call went on hold.
    Hold,
}

/// Why paused speech goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resumption {
    /// The sound was no interruption; it counts as a false one.
    FalseInterruption,
    /// The utterance had ended before the pause took effect: nothing is left to
    /// say, only the pause must be lifted.
    AlreadyOver,
}
