//! The text messages that callers are promised: who is being spoken to, and the way of
//! a promise to the disk. It sends nothing; `text_post` does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, mpsc};

use super::calendar::Calendar;
use crate::ops::Stop;
use crate::speech::cloud::mind::{NotSent, TextSender};
use crate::store::{OutgoingText, Vault};
use crate::terms::{CallId, PhoneNumber, Private};

/// Promises on their way to the disk: all calls of a box at once promise fewer.
const PROMISED_MAX: usize = 64;

/// A text for the caller of a call.
struct Promised {
    text: OutgoingText,
}

/// The callers of calls that are on, and the way into the queue. It never waits.
pub struct TextQueue {
    promised: mpsc::Sender<Promised>,
    callers: Mutex<BTreeMap<CallId, PhoneNumber>>,
}

/// The other end of the queue, until it is served.
pub struct PromisedTexts(mpsc::Receiver<Promised>);

impl TextQueue {
    pub fn new() -> (Arc<Self>, PromisedTexts) {
        let (promised, texts) = mpsc::channel(PROMISED_MAX);
        (Arc::new(Self { promised, callers: Mutex::default() }), PromisedTexts(texts))
    }

    /// Whether a text can be meant for this number. Of Nigeria's numbers those of
    /// mobile telephones begin with 7, 8 or 9 (NCC, National Numbering Plan); of
    /// other countries' numbers the network knows.
    pub fn reaches(number: &PhoneNumber) -> bool {
        match number.expose().strip_prefix('+') {
            None => false,
            Some(digits) => match digits.strip_prefix("234") {
                Some(national) => national.len() == 10 && national.starts_with(['7', '8', '9']),
                None => true,
            },
        }
    }

    /// Texts may be promised in this call from here on.
    pub fn call_began(&self, call: CallId, caller: PhoneNumber) {
        self.with_callers(|callers| callers.insert(call, caller));
    }

    pub fn call_ended(&self, call: CallId) {
        self.with_callers(|callers| callers.remove(&call));
    }

    fn with_callers<T>(&self, f: impl FnOnce(&mut BTreeMap<CallId, PhoneNumber>) -> T) -> T {
        // Nothing that could fail half way is done under the lock.
        f(&mut self.callers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl TextSender for TextQueue {
    fn send(&self, call: CallId, text: &Private<String>) -> Result<(), NotSent> {
        let to = self.with_callers(|callers| callers.get(&call).cloned()).ok_or(NotSent::NoNumber)?;
        let text = OutgoingText { call: Some(call), to, text: text.clone() };
        self.promised.try_send(Promised { text }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotSent::Full,
            mpsc::error::TrySendError::Closed(_) => NotSent::NoLine,
        })
    }
}

impl std::fmt::Debug for TextQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextQueue").finish_non_exhaustive()
    }
}

impl PromisedTexts {
    /// Keeps what is promised, the moment that it is.
    pub async fn keep(mut self, vault: Vault, calendar: Calendar, kept: Arc<Notify>, stop: Stop) {
        loop {
            let promised = tokio::select! {
                biased;
                promised = self.0.recv() => promised,
                () = stop.ended() => None,
            };
            let Some(Promised { text }) = promised else { return };
            let call = text.call.map(|call| call.to_string()).unwrap_or_default();
            match vault.texts().enqueue(&text, calendar.now()).await {
                Ok(Some(_)) => kept.notify_one(),
                Ok(None) => tracing::error!(call, "too many texts wait; one that was promised is lost"),
                Err(error) => tracing::error!(call, %error, "a text that was promised could not be kept"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> PhoneNumber {
        PhoneNumber::parse(text, "234").unwrap()
    }

    fn call() -> CallId {
        CallId::from_parts(1_800_000_000_000, [7; 10])
    }

    #[tokio::test]
    async fn a_text_is_promised_to_the_caller_of_a_call_that_is_on_alone() {
        let (queue, mut texts) = TextQueue::new();
        let words = Private::new("27 Bode Thomas Street".to_owned());
        assert_eq!(queue.send(call(), &words), Err(NotSent::NoNumber));
        queue.call_began(call(), number("08031234567"));
        assert_eq!(queue.send(call(), &words), Ok(()));
        let promised = texts.0.recv().await.unwrap().text;
        assert_eq!((promised.to, promised.text), (number("+2348031234567"), words.clone()));
        queue.call_ended(call());
        assert_eq!(queue.send(call(), &words), Err(NotSent::NoNumber));
    }

    #[tokio::test]
    async fn promises_beyond_what_a_disk_takes_at_once_are_refused() {
        let (queue, _texts) = TextQueue::new();
        queue.call_began(call(), number("08031234567"));
        let words = Private::new("address".to_owned());
        let refused = (0..=PROMISED_MAX).find_map(|_| queue.send(call(), &words).err());
        assert_eq!(refused, Some(NotSent::Full));
    }

    #[test]
    fn texts_reach_mobile_telephones_and_no_short_codes() {
        for (text, reaches) in [
            ("08031234567", true),
            ("07031234567", true),
            ("+2349012345678", true),
            ("+23412345678", false),
            ("112", false),
            ("+447700900123", true),
        ] {
            assert_eq!(TextQueue::reaches(&number(text)), reaches, "{text}");
        }
    }
}
