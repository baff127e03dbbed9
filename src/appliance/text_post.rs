//! The post of promised text messages: each goes out over the line that its caller rang,
//! or over another one that can. What fails for now is tried again with growing waits;
//! what the network refuses for good, and what is a day old, is given up, and told.
//!
//! A text of which nobody can say whether it went out is tried once more: a promised
//! address that comes twice is better than none. Both are told, and never tried a third
//! time.

mod verdict;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::calendar::Calendar;
use super::modems::{AskModem, Modem, Modems, SentText};
use crate::ops::{Health, HealthFact, HealthState, Stop};
use crate::signalling::modem::parts_of_text;
use crate::store::{TextEnd, TextTry, Vault, WaitingText};
use crate::terms::LineId;
use verdict::{Room, Verdict, room, verdict};

/// Texts that modems have and have not answered. A modem sends one after the other.
const FLYING_MAX: usize = 16;

/// Texts that are looked at in one go.
const LOOK_MAX: u32 = 64;

/// A text that was postponed is looked for so often; others are told at once.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// After so long nobody waits for an address any more.
const AGE_MAX: SignedDuration = SignedDuration::from_hours(24);

/// What a line has when the box stops, it gives back or answers a little before the box
/// ends. What is not heard of by then nobody knows of.
const WIND_UP: Duration = Duration::from_millis(4700);

/// What the box had given to a modem when it was cut off.
const CUT_OFF: &str = "the box stopped before the modem said whether the network took it";

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

/// Texts that modems have: by their id, the line and the parts.
type Given = BTreeMap<i64, (LineId, u64)>;

#[derive(Default)]
struct Flying {
    flights: FuturesUnordered<Flight>,
    given: Given,
}

/// What was done since the start, for the health.
#[derive(Default)]
struct Done {
    given_up: u64,
    may_be_twice: u64,
    /// Until when texts wait because the day's ceiling is reached.
    full_until: Option<Timestamp>,
}

/// Which line a text goes over.
enum Chosen {
    Line(Arc<Modem>),
    /// None is ready, or what the ready ones have is to be counted first.
    NoneYet,
    /// No line may send so many parts today.
    NoneToday,
    /// No line may ever send so many.
    Never,
}

impl TextPost {
    /// Sends what is due until the box stops; what modems have then is heard of first.
    pub async fn run(self, stop: Stop) {
        let mut flying = Flying::default();
        let mut done = Done::default();
        let ready = self.modems.turned_ready();
        self.take_back().await;
        loop {
            self.send_due(&mut flying, &mut done).await;
            self.tell_health(&done).await;
            tokio::select! {
                Some((waiting, result)) = flying.flights.next(), if !flying.flights.is_empty() => {
                    flying.given.remove(&waiting.id);
                    self.landed(&waiting, result, &mut done).await;
                }
                () = self.kept.notified() => {}
                () = ready.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.ended() => break,
            }
        }
        let landing = async {
            while let Some((waiting, result)) = flying.flights.next().await {
                self.landed(&waiting, result, &mut done).await;
            }
        };
        if tokio::time::timeout(WIND_UP, landing).await.is_err() {
            tracing::warn!("a modem had a text message when the box stopped; nobody knows whether it went out");
        }
    }

    /// A power cut leaves texts with modems that nobody will hear of any more.
    async fn take_back(&self) {
        let now = self.calendar.now();
        let due = now.checked_add(verdict::NOT_BEGUN_AGAIN).unwrap_or(now);
        match self.vault.texts().take_back(due, CUT_OFF).await {
            Ok(0) => {}
            Ok(texts) => {
                tracing::warn!(texts, "nobody knows whether some text messages went out before the box stopped");
            }
            Err(error) => tracing::error!(%error, "the text messages that modems had cannot be taken back"),
        }
    }

    async fn send_due(&self, flying: &mut Flying, done: &mut Done) {
        let now = self.calendar.now();
        if done.full_until.is_some_and(|until| now >= until) {
            done.full_until = None;
        }
        let due = match self.vault.texts().due(now, LOOK_MAX).await {
            Ok(due) => due,
            Err(error) => return tracing::error!(%error, "the queue of texts cannot be read"),
        };
        for waiting in due {
            if flying.given.contains_key(&waiting.id) {
                continue;
            }
            if now.duration_since(waiting.promised_at) > AGE_MAX {
                let why = waiting.why.clone().unwrap_or_else(|| "no line was ready in a day".to_owned());
                self.give_up(&waiting, &why, done).await;
                continue;
            }
            if flying.given.len() >= FLYING_MAX {
                return;
            }
            let Some(parts) = parts_of_text(&waiting.text.to, &waiting.text.text) else {
                self.give_up(&waiting, "the text is empty, or longer than ten parts", done).await;
                continue;
            };
            let parts = u64::from(parts);
            match self.choose(&waiting, parts, &flying.given).await {
                Chosen::Line(modem) => self.give(waiting, modem, parts, flying).await,
                // It is told when one is ready.
                Chosen::NoneYet => {}
                Chosen::NoneToday => self.wait_for_tomorrow(&waiting, done).await,
                Chosen::Never => {
                    let why = format!("its {parts} parts are more than any line may send in a day (`texts_a_day`)");
                    self.give_up(&waiting, &why, done).await;
                }
            }
        }
    }

    /// The line that the caller rang, or else any that can.
    async fn choose(&self, waiting: &WaitingText, parts: u64, given: &Given) -> Chosen {
        let header = match waiting.text.call {
            Some(call) => self.vault.header(call).await.unwrap_or_default(),
            None => None,
        };
        let rang = header.as_ref().and_then(|header| self.modems.get(header.line.as_str()));
        let midnight = self.calendar.midnight();
        // Of all lines the best; each has its own ceiling.
        let mut best = Room::Never;
        for modem in rang.into_iter().chain(self.modems.iter()) {
            let sent = match self.vault.texts().parts_since(&modem.line, midnight).await {
                Ok(sent) => sent,
                Err(error) => {
                    // Without the count the ceiling would be none.
                    tracing::error!(%error, "the texts of today cannot be counted; none is sent");
                    return Chosen::NoneYet;
                }
            };
            // What it has been given may not be counted yet.
            let flying = given.values().filter(|(line, _)| *line == modem.line).map(|(_, parts)| parts).sum();
            let room = room(u64::from(modem.texts_a_day), sent, flying, parts);
            if room == Room::Now && modem.sends_texts() {
                return Chosen::Line(modem.clone());
            }
            best = best.max(room);
        }
        match best {
            Room::Now | Room::Soon => Chosen::NoneYet,
            Room::Tomorrow => Chosen::NoneToday,
            Room::Never => Chosen::Never,
        }
    }

    async fn give(&self, waiting: WaitingText, modem: Arc<Modem>, parts: u64, flying: &mut Flying) {
        // It is written down first: after a power cut it is known that a modem had it.
        if let Err(error) = self.vault.texts().give(waiting.id).await {
            return tracing::error!(%error, "a text message is not sent: that it is could not be written down");
        }
        flying.given.insert(waiting.id, (modem.line.clone(), parts));
        flying.flights.push(Box::pin(async move {
            let sent = modem
                .text(
                    waiting.text.to.clone(),
                    waiting.text.text.clone(),
                    SentText { call: waiting.text.call, kept_as: None },
                )
                .await;
            (waiting, sent)
        }));
    }

    async fn wait_for_tomorrow(&self, waiting: &WaitingText, done: &mut Done) {
        let due = self.calendar.next_midnight();
        tracing::warn!(call = shown(waiting), "a text message waits for tomorrow: the day's ceiling is reached");
        done.full_until = Some(due);
        let why = "the parts of texts that lines may send in a day (`texts_a_day`) are used up";
        self.postpone(waiting, due, TextTry::NotBegun, why).await;
    }

    async fn landed(&self, waiting: &WaitingText, result: Result<(), AskModem>, done: &mut Done) {
        let call = shown(waiting);
        let why = result.as_ref().err().map(AskModem::to_string).unwrap_or_default();
        match verdict(&result, waiting.tries, waiting.unknown) {
            Verdict::Sent if waiting.unknown > 0 => {
                tracing::warn!(call, "a text message was sent that may have gone out before; it may arrive twice");
                done.may_be_twice += 1;
                let why = waiting.why.clone().unwrap_or_default();
                self.settle(waiting, TextEnd::MayBeTwice { why }).await;
            }
            Verdict::Sent => {
                tracing::info!(call, "a text message was sent");
                self.settle(waiting, TextEnd::Sent).await;
            }
            Verdict::GiveUp => self.give_up(waiting, &why, done).await,
            Verdict::Again { wait, tried } => {
                let now = self.calendar.now();
                tracing::warn!(call, why, tries = waiting.tries, ?tried, "a text message is tried again later");
                self.postpone(waiting, now.checked_add(wait).unwrap_or(now), tried, &why).await;
            }
        }
    }

    async fn give_up(&self, waiting: &WaitingText, why: &str, done: &mut Done) {
        let call = shown(waiting);
        tracing::error!(call, why, tries = waiting.tries, "a text message that was promised is given up");
        done.given_up += 1;
        self.settle(waiting, TextEnd::GivenUp { why: why.to_owned() }).await;
    }

    async fn settle(&self, waiting: &WaitingText, end: TextEnd) {
        if let Err(error) = self.vault.texts().settle(waiting.id, &end, self.calendar.now()).await {
            tracing::error!(%error, "what became of a text message could not be kept");
            // It must not go out again and again.
            let why = "what became of it could not be kept";
            self.postpone(waiting, self.calendar.next_midnight(), TextTry::Unknown, why).await;
        }
    }

    async fn postpone(&self, waiting: &WaitingText, due_at: Timestamp, tried: TextTry, why: &str) {
        if let Err(error) = self.vault.texts().postpone(waiting.id, due_at, tried, why).await {
            tracing::error!(%error, "a text message could not be postponed");
        }
    }

    async fn tell_health(&self, done: &Done) {
        let waiting = self.vault.texts().waiting_count().await.unwrap_or_default();
        let (state, sentence) = if done.full_until.is_some() {
            let what = "The parts of texts that lines may send in a day are used up; those that wait go out \
                        tomorrow. `texts_a_day` of a line sets it.";
            (HealthState::Impaired, format!("{waiting} text messages wait. {what}"))
        } else if done.given_up > 0 {
            let what = "were given up since the start; `milu texts` says which and why.";
            (HealthState::Impaired, format!("{} text messages {what}", done.given_up))
        } else if done.may_be_twice > 0 {
            let what = "may have arrived twice since the start; `milu texts` says which and why.";
            (HealthState::Well, format!("{} text messages {what}", done.may_be_twice))
        } else {
            (HealthState::Well, format!("{waiting} text messages wait to be sent."))
        };
        self.health.state(HealthFact { name: "texts".to_owned(), state, sentence });
    }
}

/// The call in which it was promised, for the log.
fn shown(waiting: &WaitingText) -> String {
    waiting.text.call.map(|call| call.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::ops::SystemClock;
    use crate::signalling::modem::TextFailure;
    use crate::store::{Keyring, OutgoingText};
    use crate::terms::{PhoneNumber, Private};

    #[tokio::test]
    async fn a_line_that_still_counts_yesterdays_parts_costs_a_text_a_minute_and_not_a_day() {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = SystemClock::new();
        let keyring = Keyring::open_or_create(&dir.path().join("master.key"), clock.wall()).expect("a key");
        let vault = Vault::open(&dir.path().join("vault"), keyring, clock.as_fn()).await.expect("a vault");
        let midnight: Timestamp = "2026-11-27T00:00:00Z".parse().expect("a time");
        let at = |seconds| midnight + SignedDuration::from_secs(seconds);
        let now = at(1);
        let post = TextPost {
            vault: vault.clone(),
            modems: Modems::default(),
            calendar: Calendar::new(Arc::new(move || now), TimeZone::UTC),
            health: Health::new(),
            kept: Arc::default(),
        };
        // Promised yesterday, when the ceiling was reached.
        let to = PhoneNumber::parse("+2348031112223", "234").expect("a number");
        let text = OutgoingText { call: None, to, text: Private::new("address".to_owned()) };
        vault.texts().enqueue(&text, at(-3600)).await.expect("kept");
        let waiting = vault.texts().due(now, 1).await.expect("read").remove(0);
        let line = LineId::parse("sim").expect("a name");
        let refused = Err(AskModem::Text { line, source: TextFailure::DailyCeiling });
        let mut done = Done::default();
        post.landed(&waiting, refused, &mut done).await;
        let due = vault.texts().due(at(61), 1).await.expect("read");
        assert_eq!((due.len(), done.full_until), (1, None));
        assert_eq!((due[0].tries, due[0].due_at > now), (0, true));
        vault.close().await;
    }
}
