//! What the box promises during a call, written down before it is done: after a
//! power cut the journal says what had happened. Plain data; [`super::Vault`]
//! writes it.

use super::v1::SealedMessage;
use crate::call::{Message, Transferred, Wish};
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

    /// A message is about to be called taken, with all that belongs to it.
    pub fn message_taken(at_ms: u64, message: &Message) -> Self {
        let whole = serde_json::to_string(&SealedMessage::of(message));
        // Strings and numbers are always written; should they not be, the text is what counts.
        let words = whole.map_or_else(|_| message.text.clone(), Private::new);
        Self { at_ms, kind: Kind::MessageTaken, words: Some(words) }
    }

    /// To whom this entry says that the caller was handed. `answered_ms` is when the
    /// call was answered, after its offer as all times of the journal.
    pub(super) fn transferred(&self, answered_ms: u64) -> Option<Transferred> {
        let to = self.words.clone().filter(|_| self.kind == Kind::Transferred)?;
        Some(Transferred { at_ms: self.at_ms.saturating_sub(answered_ms), to })
    }

    /// The message that this entry says was taken. Entries of older versions hold
    /// its text alone.
    pub(super) fn message(&self) -> Option<Message> {
        if self.kind != Kind::MessageTaken {
            return None;
        }
        let words = self.words.as_ref().map_or("", |words| words.expose());
        Some(match serde_json::from_str::<SealedMessage>(words) {
            Ok(sealed) => sealed.into_message_at_least(),
            Err(_) => Message { name: None, callback: None, text: Private::new(words.to_owned()), sound: None },
        })
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
    /// The caller is about to be handed to a person; the words say to whom.
    Transferred,
    /// A person is about to listen to the call while it lasts.
    Listened,
    /// The caller wished something of their data.
    Wished(Wish),
    Ended,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::PhoneNumber;

    fn taken() -> Message {
        Message {
            name: Some(Private::new("Adaeze".to_owned())),
            callback: PhoneNumber::parse("08031234567", "234").ok(),
            text: Private::new("please ring me".to_owned()),
            sound: Some((4_000, 9_500)),
        }
    }

    #[test]
    fn a_message_comes_back_whole_from_its_entry() {
        assert_eq!(Entry::message_taken(12, &taken()).message(), Some(taken()));
    }

    #[test]
    fn an_entry_of_an_older_version_is_the_text_of_the_message() {
        let older = Entry { at_ms: 12, kind: Kind::MessageTaken, words: Some(taken().text) };
        assert_eq!(older.message(), Some(Message { name: None, callback: None, sound: None, ..taken() }));
    }
}
