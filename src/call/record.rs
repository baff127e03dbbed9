use std::time::Duration;

use jiff::Timestamp;

use super::wish::{self, Wish, Wished};
use crate::residency::{CallerWish, CallerWishes};
use crate::terms::{CallId, EndCause, LineId, PhoneNumber, Private};

/// What is kept of a call: the noun that the store writes and the console shows.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRecord {
    pub id: CallId,
    pub line: LineId,
    /// The caller's number, if the line gave one.
    pub from: Option<PhoneNumber>,
    pub started_at: Timestamp,
    /// From the offer to our answer; none if the call was never answered.
    pub answered_after: Option<Duration>,
    pub ended_at: Timestamp,
    pub end_cause: EndCause,
    pub outcome: Outcome,
    pub turns: Vec<Turn>,
    pub message: Option<Message>,
    pub recording: Option<Recording>,
    pub media: MediaFacts,
    /// What the caller wished of their data, in the order in which it was said.
    pub wishes: Vec<Wished>,
    /// To whom the caller was handed, if to anybody.
    pub transferred: Option<Transferred>,
}

/// The caller was handed to a person, and the box said nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transferred {
    /// Milliseconds after the answer.
    pub at_ms: u64,
    /// The person's name as in the knowledge file, or else the handset's.
    pub to: Private<String>,
}

impl CallRecord {
    /// All that the caller wished of what leaves the box.
    pub fn wishes_of_data(&self) -> CallerWishes {
        wish::of_data(&self.wishes)
    }

    /// Whether engines outside may work at the call again once it is over. Who
    /// objected, restricted, took a consent back or would not be recorded has
    /// said that this is not wanted, whatever the policy's rows rest on.
    pub fn may_be_heard_again(&self) -> bool {
        let refuses = |wished: &Wished| wished.wish != Wish::OfData(CallerWish::Consents);
        !self.wishes.iter().any(refuses)
    }
}

/// What the call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The caller's questions were answered or refused with a way on.
    Answered,
    /// The caller left a message.
    Message,
    /// The caller was handed to a person.
    Transferred,
    /// The caller hung up before anything was settled.
    Abandoned,
    /// The box failed the caller.
    Failed,
}

impl Outcome {
    /// The name in records and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Message => "message",
            Self::Transferred => "transferred",
            Self::Abandoned => "abandoned",
            Self::Failed => "failed",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    Caller,
    Box,
    Staff,
}

impl Speaker {
    /// The name in records and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Box => "box",
            Self::Staff => "staff",
        }
    }
}

/// One turn: what one side said before the other did. Times are milliseconds
/// after the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    pub who: Speaker,
    /// What was said; of an interrupted turn of the box, what was really heard.
    pub text: Private<String>,
    pub started_ms: u64,
    pub ended_ms: u64,
    pub interrupted: bool,
    pub engines: Engines,
    pub latency: Latency,
    /// Engines that were left while the turn was being heard, answered or spoken.
    pub failovers: Vec<Failover>,
}

/// An engine was left for the next one in the middle of its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failover {
    pub stage: EngineStage,
    /// Names as in [`Engines`].
    pub from: String,
    pub to: String,
    pub why: WhyLeft,
    /// How long the engine that was left had the work.
    pub after: Duration,
}

/// The part of a turn that an engine works at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EngineStage {
    Ears,
    Mind,
    Voice,
}

impl EngineStage {
    pub const ALL: [Self; 3] = [Self::Ears, Self::Mind, Self::Voice];

    /// The name in records and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ears => "ears",
            Self::Mind => "mind",
            Self::Voice => "voice",
        }
    }
}

/// Why an engine was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WhyLeft {
    /// Its connection did not stand in time.
    ConnectDeadline,
    /// The words of an ended turn did not come in time.
    WordsDeadline,
    /// The answer did not begin in time.
    FirstTokenDeadline,
    /// The answer began and did not go on in time.
    TokenGapDeadline,
    /// The sentence did not begin to sound in time.
    FirstSoundDeadline,
    /// The sentence began to sound and did not go on in time.
    SoundGapDeadline,
    /// It has too much to do, or says that we ask too much.
    Busy,
    /// What may be spent there is spent.
    Spent,
    /// It refuses our key, our account or our request.
    Rejected,
    /// It could not be reached, or the connection broke off.
    Unreachable,
    /// What it said breaks its protocol, or it failed within.
    Broken,
    /// It would not do this one piece of work.
    Declined,
}

impl WhyLeft {
    pub const ALL: [Self; 12] = [
        Self::ConnectDeadline,
        Self::WordsDeadline,
        Self::FirstTokenDeadline,
        Self::TokenGapDeadline,
        Self::FirstSoundDeadline,
        Self::SoundGapDeadline,
        Self::Busy,
        Self::Spent,
        Self::Rejected,
        Self::Unreachable,
        Self::Broken,
        Self::Declined,
    ];

    /// The name in records and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConnectDeadline => "connect-deadline",
            Self::WordsDeadline => "words-deadline",
            Self::FirstTokenDeadline => "first-token-deadline",
            Self::TokenGapDeadline => "token-gap-deadline",
            Self::FirstSoundDeadline => "first-sound-deadline",
            Self::SoundGapDeadline => "sound-gap-deadline",
            Self::Busy => "busy",
            Self::Spent => "spent",
            Self::Rejected => "rejected",
            Self::Unreachable => "unreachable",
            Self::Broken => "broken",
            Self::Declined => "declined",
        }
    }
}

/// Names of the engines that had a part in a turn (`whisper-onbox`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Engines {
    pub transcriber: Option<String>,
    pub responder: Option<String>,
    pub synthesizer: Option<String>,
}

/// Where the time of a turn went, in milliseconds. Present on turns of the box
/// that answer a turn of the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// From the caller's last sample of speech to the decision that the turn is over.
    pub endpoint_ms: Option<u64>,
    /// From that decision to the words (0 when they were already there).
    pub transcribe_ms: Option<u64>,
    /// From the words to the first sentence of the answer, however many follow.
    pub respond_first_ms: Option<u64>,
    /// From that sentence to its first sample.
    pub synthesize_first_ms: Option<u64>,
    /// From the caller's last sample of speech to the first sample sent to the line.
    pub voice_to_voice_ms: Option<u64>,
}

/// A message that a caller left for a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub name: Option<Private<String>>,
    pub callback: Option<PhoneNumber>,
    /// What was understood of it; the sound is in the recording all the same.
    pub text: Private<String>,
    /// Where the spoken message lies in the recording, in milliseconds after the answer.
    pub sound: Option<(u64, u64)>,
}

/// What is known of the kept sound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// When keeping began, in milliseconds after the answer: not before the notice was played.
    pub from_ms: u64,
    pub duration_ms: u64,
    pub gaps: Vec<Gap>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    pub from_ms: u64,
    pub to_ms: u64,
    pub reason: GapReason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// The process or the power ended before the sound was on the disk.
    PowerCut,
    /// The disk was full or failed.
    DiskFault,
    /// Sound came faster than the disk took it.
    Overload,
    /// The caller was keying something secret: their side is silence.
    Withheld,
}

impl GapReason {
    /// The name in records and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PowerCut => "power-cut",
            Self::DiskFault => "disk-fault",
            Self::Overload => "overload",
            Self::Withheld => "withheld",
        }
    }
}

/// What the line measured of the call's media.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MediaFacts {
    /// The payload name of RFC 3551: `PCMA`, `PCMU` or `G722`.
    pub codec: Option<String>,
    pub packets_lost: u64,
    /// Interarrival jitter of RFC 3550 section 6.4.1, in milliseconds.
    pub jitter_ms: f32,
    /// Estimated listening quality, 1 to 4.5 (ITU-T G.107 E-model, simplified).
    pub mos: Option<f32>,
}
