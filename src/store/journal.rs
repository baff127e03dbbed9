//! What the box promises during a call, written down before it is done: after a
//! power cut the journal says what had happened. Plain data; [`super::Vault`]
//! writes it.

use crate::call::Wish;
use crate::terms::Private;

/// One thing that is about to happen in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Milliseconds after the offer of the call.
    pub at_ms: u64,
    pub kind: Kind,
    /// Words that belong to the entry: what was heard, said or left as a message.
    pub words: Option<Private<String>>,
}

impl Entry {
    /// An entry without words.
    pub const fn plain(at_ms: u64, kind: Kind) -> Self {
        Self { at_ms, kind, words: None }
    }
}

/// What kind of thing it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Offered,
    Answered,
    /// The caller has been told that the call is recorded.
    NoticePlayed,
    RecordingStarted,
    /// The caller's words, as understood.
    Heard,
    /// The box's words, as they are about to be spoken.
    Said,
    MessageTaken,
    /// A text message to the caller, as it is about to be sent.
    TextPromised,
    Transferred,
    /// A person is about to listen to the call while it lasts.
    Listened,
    /// The caller wished something of their data.
    Wished(Wish),
    Ended,
}
