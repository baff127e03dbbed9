//! The text messages that callers are promised: who is being spoken to, and the way of
//! a promise to the disk. It sends nothing; `text_post` does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use tokio::sync::{Notify, mpsc, oneshot};

use super::calendar::Calendar;
use super::scribe::PROMISE_PATIENCE;
use crate::ops::Stop;
use crate::store::{OutgoingText, Vault};
use crate::terms::{CallId, PhoneNumber, Private};

/// Promises on their way to the disk: all calls of a box at once promise fewer.
const PROMISED_MAX: usize = 64;

/// Why a caller cannot be promised a text.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NotPromised {
    #[error("promising a text message: the caller's number is withheld or is no mobile number")]
    NoNumber,
    #[error("promising a text message: too many wait to be sent")]
    Full,
    #[error("promising a text message: there is no line for it just now")]
    NoLine,
    #[error("promising a text message: it could not be kept")]
    NotKept,
    #[error("promising a text message: the disk stalls")]
    Stalled,
}

/// A text for the caller of a call.
struct Promised {
    text: OutgoingText,
    /// Tells whether the disk has it.
    kept: oneshot::Sender<Result<(), NotPromised>>,
}

/// The callers of calls that are on, and the way into the queue.
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

    /// Has a text for the caller of a call kept on the disk. Where this is well it is there,
    /// and will be sent. A disk that stalls may still take it later: better a text that was
    /// not promised than a promise without a text.
    pub async fn promise(&self, call: CallId, text: &Private<String>) -> Result<(), NotPromised> {
        let to = self.with_callers(|callers| callers.get(&call).cloned()).ok_or(NotPromised::NoNumber)?;
        let text = OutgoingText { call: Some(call), to, text: text.clone() };
        let (kept, is_kept) = oneshot::channel();
        self.promised.try_send(Promised { text, kept }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotPromised::Full,
            mpsc::error::TrySendError::Closed(_) => NotPromised::NoLine,
        })?;
        let told = tokio::time::timeout(PROMISE_PATIENCE, is_kept).await.map_err(|_| NotPromised::Stalled)?;
        // Whoever keeps texts is gone.
        told.unwrap_or(Err(NotPromised::NoLine))
    }

    fn with_callers<T>(&self, f: impl FnOnce(&mut BTreeMap<CallId, PhoneNumber>) -> T) -> T {
        // Nothing that could fail half way is done under the lock.
        f(&mut self.callers.lock().unwrap_or_else(PoisonError::into_inner))
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
            let Some(Promised { text, kept: told }) = promised else { return };
            let call = text.call.map(|call| call.to_string()).unwrap_or_default();
            let outcome = match vault.texts().enqueue(&text, calendar.now()).await {
                Ok(Some(_)) => {
                    kept.notify_one();
                    Ok(())
                }
                Ok(None) => Err(NotPromised::Full),
                Err(error) => {
                    tracing::error!(call, %error, "a text could not be kept");
                    Err(NotPromised::NotKept)
                }
            };
            // A call that waits no more has told its caller that none comes.
            told.send(outcome).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use super::*;

    fn number(text: &str) -> PhoneNumber {
        PhoneNumber::parse(text, "234").unwrap()
    }

    fn call() -> CallId {
        CallId::from_parts(1_800_000_000_000, [7; 10])
    }

    #[tokio::test]
    async fn a_text_is_promised_to_the_caller_of_a_call_that_is_on_alone_and_once_it_is_kept() {
        let (queue, mut texts) = TextQueue::new();
        let words = Private::new("27 Bode Thomas Street".to_owned());
        assert_eq!(queue.promise(call(), &words).await, Err(NotPromised::NoNumber));
        queue.call_began(call(), number("08031234567"));
        for outcome in [Ok(()), Err(NotPromised::NotKept)] {
            let disk = async {
                let Promised { text, kept } = texts.0.recv().await.unwrap();
                assert_eq!((text.to, text.text), (number("+2348031234567"), words.clone()));
                kept.send(outcome).unwrap();
            };
            let (promised, ()) = tokio::join!(queue.promise(call(), &words), disk);
            assert_eq!(promised, outcome);
        }
        queue.call_ended(call());
        assert_eq!(queue.promise(call(), &words).await, Err(NotPromised::NoNumber));
    }

    #[tokio::test]
    async fn a_disk_that_stalls_or_has_enough_to_take_is_promised_nothing() {
        let (queue, texts) = TextQueue::new();
        queue.call_began(call(), number("08031234567"));
        let words = Private::new("address".to_owned());
        assert_eq!(queue.promise(call(), &words).await, Err(NotPromised::Stalled));
        for _ in 1..PROMISED_MAX {
            let mut promise = pin!(queue.promise(call(), &words));
            assert!(poll_fn(|cx| Poll::Ready(promise.as_mut().poll(cx).is_pending())).await);
        }
        assert_eq!(queue.promise(call(), &words).await, Err(NotPromised::Full));
        drop(texts);
        assert_eq!(queue.promise(call(), &words).await, Err(NotPromised::NoLine));
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
