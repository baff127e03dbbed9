//! The queue of text messages that callers were promised: kept on the disk first,
//! then sent over the line that they rang, or over another one that can. A text is
//! tried again with growing waits and given up after a day; a day has a ceiling.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, mpsc};

use super::calendar::Calendar;
use super::modems::{AskModem, Modem, Modems};
use crate::ops::{Health, HealthFact, HealthState, Stop};
use crate::signalling::modem::TextFailure;
use crate::speech::cloud::mind::{NotSent, TextSender};
use crate::store::{OutgoingText, TextEnd, Vault, WaitingText};
use crate::terms::{CallId, PhoneNumber, Private};

/// Promises on their way to the disk: all calls of a box at once promise fewer.
const PROMISED_MAX: usize = 64;

/// Texts that modems have and have not answered. A modem sends one after the other.
const FLYING_MAX: usize = 16;

/// Texts that are looked at in one go.
const LOOK_MAX: u32 = 64;

/// A text that was postponed is looked for so often; others are told at once.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// After so long nobody waits for an address any more.
const AGE_MAX: SignedDuration = SignedDuration::from_hours(24);

/// Minutes before the second try, the third, and so on; a day in all.
const RETRY_MINUTES: [i64; 8] = [1, 5, 15, 60, 120, 240, 480, 480];

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

/// With what the queue is served.
pub struct TextPost {
    pub vault: Vault,
    pub modems: Modems,
    pub calendar: Calendar,
    pub health: Health,
    /// Told when a text was kept.
    pub kept: Arc<Notify>,
}

/// A text that a modem has, until its end.
type Flight = Pin<Box<dyn Future<Output = (WaitingText, Result<(), AskModem>)> + Send>>;

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

/// What was done since the start, for the health.
#[derive(Default)]
struct Done {
    given_up: u64,
    /// The day's ceiling is reached.
    is_full: bool,
}

impl TextPost {
    /// Sends what is due until the box stops. What modems have then is sent again
    /// after the next start, if they had not sent it.
    pub async fn run(self, stop: Stop) {
        let mut flights: FuturesUnordered<Flight> = FuturesUnordered::new();
        let mut flying: BTreeSet<i64> = BTreeSet::new();
        let mut done = Done::default();
        let ready = self.modems.turned_ready();
        loop {
            self.send_due(&mut flights, &mut flying, &mut done).await;
            self.tell_health(&done).await;
            tokio::select! {
                Some((waiting, result)) = flights.next(), if !flights.is_empty() => {
                    flying.remove(&waiting.id);
                    self.landed(&waiting, result, &mut done).await;
                }
                () = self.kept.notified() => {}
                () = ready.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.ended() => return,
            }
        }
    }

    async fn send_due(&self, flights: &mut FuturesUnordered<Flight>, flying: &mut BTreeSet<i64>, done: &mut Done) {
        let now = self.calendar.now();
        let due = match self.vault.texts().due(now, LOOK_MAX).await {
            Ok(due) => due,
            Err(error) => return tracing::error!(%error, "the queue of texts cannot be read"),
        };
        for waiting in due.into_iter().filter(|waiting| !flying.contains(&waiting.id)).collect::<Vec<_>>() {
            let call = waiting.text.call;
            let header = match call {
                Some(call) => self.vault.header(call).await.unwrap_or_default(),
                None => None,
            };
            let is_over = header.as_ref().is_some_and(|header| now.duration_since(header.started_at) > AGE_MAX);
            if is_over || waiting.tries as usize > RETRY_MINUTES.len() {
                self.give_up(&waiting, "it was tried for a day", done).await;
                continue;
            }
            done.is_full = !self.fits_today(flying.len()).await;
            if done.is_full || flying.len() >= FLYING_MAX {
                return;
            }
            // Without a line nothing is due; it is told when one is ready.
            let Some(modem) = self.choose(header.as_ref().map(|header| header.line.as_str())) else { return };
            flying.insert(waiting.id);
            flights.push(Box::pin(async move {
                let sent = modem.text(waiting.text.to.clone(), waiting.text.text.clone()).await;
                (waiting, sent)
            }));
        }
    }

    /// The line that the caller rang, or else any that can.
    fn choose(&self, rang: Option<&str>) -> Option<Arc<Modem>> {
        let own = rang.and_then(|line| self.modems.get(line));
        own.into_iter().chain(self.modems.iter()).find(|modem| modem.sends_texts()).cloned()
    }

    async fn fits_today(&self, flying: usize) -> bool {
        let ceiling: u64 = self.modems.iter().map(|modem| u64::from(modem.texts_a_day)).sum();
        match self.vault.texts().sent_since(self.calendar.midnight()).await {
            Ok(sent) => sent.saturating_add(flying as u64) < ceiling,
            Err(error) => {
                // Without the count the ceiling would be none.
                tracing::error!(%error, "the texts of today cannot be counted; none is sent");
                false
            }
        }
    }

    async fn landed(&self, waiting: &WaitingText, result: Result<(), AskModem>, done: &mut Done) {
        let call = waiting.text.call.map(|call| call.to_string()).unwrap_or_default();
        let now = self.calendar.now();
        match result {
            Ok(()) => {
                tracing::info!(call, "a text message was sent");
                self.settle(waiting, TextEnd::Sent { at: now }).await;
            }
            Err(AskModem::Text {
                source: failure @ (TextFailure::Length | TextFailure::Number | TextFailure::Refused(_)),
                ..
            }) => self.give_up(waiting, &failure.to_string(), done).await,
            Err(AskModem::Text { source: TextFailure::DailyCeiling, .. }) => {
                tracing::warn!(call, "a text message waits for tomorrow: the day's ceiling of its line is reached");
                self.postpone(waiting, self.calendar.next_midnight()).await;
            }
            Err(error) => {
                let again =
                    RETRY_MINUTES.get(waiting.tries as usize).map(|minutes| SignedDuration::from_mins(*minutes));
                match again.and_then(|wait| now.checked_add(wait).ok()) {
                    Some(due) => {
                        tracing::warn!(call, %error, tries = waiting.tries + 1, "a text message is tried again later");
                        self.postpone(waiting, due).await;
                    }
                    None => self.give_up(waiting, &error.to_string(), done).await,
                }
            }
        }
    }

    async fn give_up(&self, waiting: &WaitingText, why: &str, done: &mut Done) {
        let call = waiting.text.call.map(|call| call.to_string()).unwrap_or_default();
        tracing::error!(call, why, tries = waiting.tries, "a text message that was promised is given up");
        done.given_up += 1;
        self.settle(waiting, TextEnd::GivenUp).await;
    }

    async fn settle(&self, waiting: &WaitingText, end: TextEnd) {
        if let Err(error) = self.vault.texts().settle(waiting.id, end).await {
            tracing::error!(%error, "what became of a text message could not be kept");
            // It must not go out again and again.
            self.postpone(waiting, self.calendar.next_midnight()).await;
        }
    }

    async fn postpone(&self, waiting: &WaitingText, due_at: Timestamp) {
        if let Err(error) = self.vault.texts().postpone(waiting.id, due_at).await {
            tracing::error!(%error, "a text message could not be postponed");
        }
    }

    async fn tell_health(&self, done: &Done) {
        let waiting = self.vault.texts().waiting_count().await.unwrap_or_default();
        let (state, sentence) = if done.is_full {
            let what = "The day's ceiling of text messages is reached; those that wait go out tomorrow. \
                        `texts_a_day` of a line sets it.";
            (HealthState::Impaired, format!("{waiting} text messages wait. {what}"))
        } else if done.given_up > 0 {
            let what =
                "were given up since the start; the log says why, and the calls' records to whom they were promised.";
            (HealthState::Impaired, format!("{} text messages {what}", done.given_up))
        } else {
            (HealthState::Well, format!("{waiting} text messages wait to be sent."))
        };
        self.health.state(HealthFact { name: "texts".to_owned(), state, sentence });
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

    #[test]
    fn a_text_is_tried_for_a_day_and_no_longer() {
        let minutes: i64 = RETRY_MINUTES.iter().sum();
        assert!((20 * 60..=24 * 60).contains(&minutes), "{minutes}");
    }
}
