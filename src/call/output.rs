use std::time::Duration;

use crate::conversation::Expectation;
use crate::knowledge::Topic;
use crate::terms::{EndCause, HandsetId, Moment, Private, RequestId, UtteranceId};

use super::{CallRecord, Wish};

/// What the call wants of the world. Drain [`super::Call::poll`] after every
/// input: a journal entry comes out before the effect that it describes.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    Journal(JournalEntry),
    /// Answer the offered call.
    Answer,
    HangUp(EndCause),
    /// Keep both legs' sound from here on, `from_ms` milliseconds after the answer.
    StartRecording {
        from_ms: u64,
    },

    /// Keep no more of either leg's sound.
    StopRecording,
    /// The caller keys something secret: from here on their sound is silence to
    /// the recording and to the ears, until `RestoreSound`.
    WithholdSound,
    RestoreSound,
    /// What the caller wishes of their voice and words, from here on.
    Wish(Wish),

    /// A turn of the caller began: the ears must keep its sound from `at` on.
    TurnBegan {
        at: Moment,
    },
    Decode {
        request: RequestId,
    },
    /// Is the turn over? `expected` is the kind of turn that it is.
    Judge {
        request: RequestId,
        expected: Expectation,
    },
    /// What was asked of the ears is not wanted any more.
    AbandonDecode,
    Ask {
        request: RequestId,
        words: Private<String>,
    },
    /// The answer behind a key of the menu.
    AskTopic {
        request: RequestId,
        topic: Topic,
    },
    /// What the mind was asked last is not wanted any more, whether or not its answer is
    /// complete. What the caller heard of it was told by `Said`.
    AbandonAsk,

    Say {
        utterance: UtteranceId,
        speech: Speech,
    },
    PauseMouth,
    ResumeMouth,
    /// Stop speaking and forget what is queued.
    SilenceMouth,

    /// Send the caller a text message. Whoever sends it keeps it until it is sent.
    SendText {
        text: Private<String>,
    },

    /// Ring this telephone of the business, for so long, and let the caller hear that
    /// it rings. From here on the ears hear nothing.
    PutThrough {
        handset: HandsetId,
        rings: Duration,
    },
    /// The person has answered: from here on caller and person hear each other, and
    /// nothing of it goes to ears or mind.
    Connect,
    /// Send the person a digit that the caller keyed.
    SendDigit(char),
    /// The person is wanted no more: take the ringing back, or hang up.
    LetGo,

    /// The caller has heard the box say this; for the mind, which remembers it as
    /// it was.
    Said(Private<String>),
    /// A turn is complete; for those who watch the call, without identifiers.
    TurnDone(super::Turn),
    /// The last output of a call.
    Finished(Box<CallRecord>),
}

/// Words for the voice.
#[derive(Clone, Debug, PartialEq)]
pub struct Speech {
    pub text: Private<String>,
    /// 1.0 is the voice's own pace.
    pub pace: f32,
}

/// What the box has promised, written before it is done.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalEntry {
    pub at: Moment,
    pub kind: JournalKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum JournalKind {
    Answered,
    NoticePlayed,
    RecordingStarted,
    /// The caller left a message; it must survive a power cut.
    /// Its text is without identifiers.
    MessageTaken(super::Message),
    /// The caller was promised this text message.
    TextPromised(Private<String>),
    /// The caller wished something of their data.
    Wished(Wish),
    /// A consent was not taken, for it could not be written down in time: should it still
    /// come to be written, this takes it back.
    ConsentNotTaken,
    /// The caller is handed to this person, or to whoever has this handset. Not before
    /// it was answered: after a power cut it makes the call one that was transferred.
    Transferred(Private<String>),
    Ended(EndCause),
}

impl JournalKind {
    /// Is something promised with it? If such an entry cannot be written, the call is
    /// told so ([`super::Input::Unwritten`]) before its next output is carried out.
    pub const fn is_promise(&self) -> bool {
        match self {
            Self::MessageTaken(_) | Self::TextPromised(_) | Self::Wished(_) => true,
            Self::Answered
            | Self::NoticePlayed
            | Self::RecordingStarted
            | Self::ConsentNotTaken
            | Self::Transferred(_)
            | Self::Ended(_) => false,
        }
    }
}
