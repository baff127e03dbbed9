//! When to ask for airtime and data, how fast they go, and when to warn. The
//! readings are the owner's to keep over a restart; the clock is handed in.

use std::collections::{BTreeMap, VecDeque};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::found::{Kobo, Volume};
use super::operators::Asks;
use super::reading::AirtimeReading;

/// Two months of one reading a day.
pub const READINGS_MAX: usize = 64;

/// How fast airtime goes is learnt from as far back.
const LEARN_FROM: SignedDuration = SignedDuration::from_hours(14 * 24);

/// A rate out of less is a call and no habit.
const LEARN_AT_LEAST: SignedDuration = SignedDuration::from_hours(24);

const DAY_S: i64 = 24 * 3600;

/// How often is asked, and when is warned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AirtimePlan {
    pub every: SignedDuration,
    /// After a question that brought nothing; doubled each time up to `every`.
    pub again_after: SignedDuration,
    pub warn_below: Kobo,
    pub warn_data_below: Volume,
    /// Warn when it will be gone, or expires, within these.
    pub warn_ahead: SignedDuration,
    /// A SIM that nothing happens on is taken away by its network after about
    /// ninety days; warn when nothing was spent for so long.
    pub idle_max: SignedDuration,
}

impl Default for AirtimePlan {
    fn default() -> Self {
        Self {
            every: SignedDuration::from_hours(12),
            again_after: SignedDuration::from_mins(30),
            warn_below: Kobo(20_000),
            warn_data_below: Volume(100 << 20),
            warn_ahead: SignedDuration::from_hours(3 * 24),
            idle_max: SignedDuration::from_hours(60 * 24),
        }
    }
}

/// What is known of the future.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Forecast {
    pub airtime: Kobo,
    /// When the airtime was read.
    pub at: Timestamp,
    /// In a day, out of the readings of the last two weeks; none until they say.
    pub spent_a_day: Option<Kobo>,
    pub gone_at: Option<Timestamp>,
}

/// Why the owner is told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reason {
    AirtimeLow,
    AirtimeGoneSoon,
    DataLow,
    /// The network named the data once, and names it no more.
    DataGone,
    ExpiresSoon,
    Idle,
    /// Nothing could be read for a week.
    Unknown,
}

/// A warning: what is the matter, and what is known of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AirtimeWarning {
    pub reason: Reason,
    pub forecast: Option<Forecast>,
    pub data: Option<Volume>,
    pub expires: Option<Date>,
}

/// One kind of question: when it was asked and what for how long brought nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Question {
    next: Option<Timestamp>,
    failures: u32,
}

/// The airtime of one SIM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AirtimeWatch {
    plan: AirtimePlan,
    readings: VecDeque<(Timestamp, Kobo)>,
    /// What each question's last answer said of data.
    data: BTreeMap<Asks, (Timestamp, Volume)>,
    /// Answers to the question about data, one after the other, that named none; none
    /// before one has: there are SIMs of which no such answer can be read.
    dataless: Option<u32>,
    /// What each question's last answer said of an end; it says so no more when it is over.
    expires: BTreeMap<Asks, Date>,
    balance: Question,
    data_question: Question,
    began: Timestamp,
    /// When something was read last, in this run or before it.
    known: Timestamp,
    /// When airtime was last seen to go or to come.
    moved: Timestamp,
    /// What the owner was told and what still is so.
    told: Vec<Reason>,
}

/// After so long without a figure the owner is told.
const UNKNOWN_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);

/// After so many answers in a row without data there is none: one alone may be of a
/// network that is busy.
const DATALESS_MAX: u32 = 2;

impl AirtimeWatch {
    pub const fn new(plan: AirtimePlan, now: Timestamp) -> Self {
        let question = Question { next: None, failures: 0 };
        Self {
            plan,
            readings: VecDeque::new(),
            data: BTreeMap::new(),
            dataless: None,
            expires: BTreeMap::new(),
            balance: question,
            data_question: question,
            began: now,
            known: now,
            moved: now,
            told: Vec::new(),
        }
    }

    /// With the readings that were kept, oldest first.
    #[must_use]
    pub fn with_readings(mut self, readings: impl IntoIterator<Item = (Timestamp, Kobo)>) -> Self {
        for (at, airtime) in readings {
            self.keep(airtime, at);
        }
        self.known = self.readings.back().map_or(self.known, |(at, _)| *at);
        self
    }

    /// The readings, to be kept.
    pub fn readings(&self) -> impl Iterator<Item = (Timestamp, Kobo)> {
        self.readings.iter().copied()
    }

    /// What is to be asked now, one at a time. The line asks when no call is on it.
    pub fn due(&self, now: Timestamp) -> Option<Asks> {
        let is_due = |question: &Question| question.next.is_none_or(|next| now >= next);
        if is_due(&self.balance) {
            return Some(Asks::Balance);
        }
        is_due(&self.data_question).then_some(Asks::Data)
    }

    /// When [`Self::due`] is worth asking again; none when it is due already.
    pub fn next(&self) -> Option<Timestamp> {
        self.balance.next.zip(self.data_question.next).map(|(balance, data)| balance.min(data))
    }

    /// An answer was read. One without a figure counts as none.
    pub fn read(&mut self, asks: Asks, reading: &AirtimeReading, now: Timestamp) {
        let wanted = match asks {
            Asks::Balance => reading.airtime.is_some(),
            Asks::Data => reading.data.is_some(),
        };
        if let Some((airtime, _)) = reading.airtime.filter(|_| asks == Asks::Balance) {
            self.keep(airtime, now);
        }
        match reading.data {
            Some((data, _)) => {
                self.data.insert(asks, (now, data));
            }
            None if wanted => {
                self.data.remove(&asks);
            }
            None => {}
        }
        match reading.expires {
            Some((day, _)) => {
                self.expires.insert(asks, day);
            }
            None if wanted => {
                self.expires.remove(&asks);
            }
            None => {}
        }
        if asks == Asks::Data {
            self.count_dataless(reading);
        }
        if !wanted {
            return self.failed(asks, now);
        }
        self.known = now;
        let every = self.plan.every;
        *self.question(asks) = Question { next: later(now, every), failures: 0 };
    }

    /// No answer came, or one that says nothing.
    pub fn failed(&mut self, asks: Asks, now: Timestamp) {
        let plan = self.plan;
        let question = self.question(asks);
        question.failures = question.failures.saturating_add(1);
        let doubled = 1_i32 << question.failures.saturating_sub(1).min(10);
        let wait = plan.again_after.checked_mul(doubled).unwrap_or(plan.every).min(plan.every);
        question.next = later(now, wait);
    }

    /// What was used up or has ended is in no answer any more: the last figure would
    /// stand for ever.
    fn count_dataless(&mut self, reading: &AirtimeReading) {
        self.dataless = match reading.data {
            Some(_) => Some(0),
            None => self.dataless.map(|answers| answers.saturating_add(1)),
        };
        if self.is_dataless() {
            self.data.remove(&Asks::Data);
            if reading.expires.is_none() {
                self.expires.remove(&Asks::Data);
            }
        }
    }

    fn is_dataless(&self) -> bool {
        self.dataless.is_some_and(|answers| answers >= DATALESS_MAX)
    }

    const fn question(&mut self, asks: Asks) -> &mut Question {
        match asks {
            Asks::Balance => &mut self.balance,
            Asks::Data => &mut self.data_question,
        }
    }

    fn keep(&mut self, airtime: Kobo, at: Timestamp) {
        let last = self.readings.back().copied();
        // A clock that was set back: what is older than the last says nothing.
        if last.is_some_and(|(last, _)| at < last) {
            return;
        }
        if last.is_none_or(|(_, before)| before != airtime) {
            self.moved = at;
        }
        if self.readings.len() >= READINGS_MAX {
            self.readings.pop_front();
        }
        self.readings.push_back((at, airtime));
    }

    pub fn forecast(&self) -> Option<Forecast> {
        let (at, airtime) = self.readings.back().copied()?;
        let spent_a_day = self.spent_a_day();
        let gone_at = spent_a_day.filter(|spent| spent.0 > 0).and_then(|spent| {
            let seconds = i128::from(airtime.0.max(0)) * i128::from(DAY_S) / i128::from(spent.0);
            at.checked_add(SignedDuration::from_secs(i64::try_from(seconds).ok()?)).ok()
        });
        Some(Forecast { airtime, at, spent_a_day, gone_at })
    }

    /// What was read last of the data.
    pub fn data(&self) -> Option<Volume> {
        self.data.values().max_by_key(|(at, _)| *at).map(|(_, data)| *data)
    }

    /// The first day on which something on the SIM expires.
    pub fn expires(&self) -> Option<Date> {
        self.expires.values().min().copied()
    }

    /// What went between readings, without the spans in which airtime was bought.
    fn spent_a_day(&self) -> Option<Kobo> {
        let (last, _) = self.readings.back().copied()?;
        let pairs = self.readings.iter().zip(self.readings.iter().skip(1));
        let (mut spent, mut span) = (0_i64, SignedDuration::ZERO);
        for ((from, before), (to, after)) in pairs {
            if after <= before && last.duration_since(*from) <= LEARN_FROM {
                spent = spent.saturating_add(before.0.saturating_sub(after.0));
                span = span.saturating_add(to.duration_since(*from));
            }
        }
        if span < LEARN_AT_LEAST {
            return None;
        }
        let a_day = i128::from(spent) * i128::from(DAY_S) / i128::from(span.as_secs().max(1));
        i64::try_from(a_day).ok().map(Kobo)
    }

    /// What the owner is to be told now: each reason once, and again only after it
    /// was over.
    pub fn warnings(&mut self, now: Timestamp, today: Date) -> Vec<AirtimeWarning> {
        // A day that is over is nothing to come.
        self.expires.retain(|_, day| *day >= today);
        let reasons = self.reasons(now, today);
        self.told.retain(|told| reasons.contains(told));
        let new: Vec<Reason> = reasons.into_iter().filter(|reason| !self.told.contains(reason)).collect();
        self.told.extend(&new);
        self.warnings_of(&new)
    }

    /// Everything that the owner was told and that is not over, with what is known by now.
    pub fn standing(&self) -> Vec<AirtimeWarning> {
        self.warnings_of(&self.told)
    }

    fn warnings_of(&self, reasons: &[Reason]) -> Vec<AirtimeWarning> {
        let (forecast, data, expires) = (self.forecast(), self.data(), self.expires());
        reasons.iter().map(|reason| AirtimeWarning { reason: *reason, forecast, data, expires }).collect()
    }

    fn reasons(&self, now: Timestamp, today: Date) -> Vec<Reason> {
        let plan = &self.plan;
        let forecast = self.forecast();
        let soon = |at: Timestamp| at.duration_since(now) <= plan.warn_ahead;
        let days_ahead = i32::try_from(plan.warn_ahead.as_hours() / 24).unwrap_or(i32::MAX);
        let expires = |day: Date| day.since(today).is_ok_and(|span| span.get_days() <= days_ahead);
        let low = forecast.is_some_and(|forecast| forecast.airtime < plan.warn_below);
        // A warning stays until there is clearly more again, not for one kobo.
        let stays = self.told.contains(&Reason::AirtimeLow)
            && forecast.is_some_and(|forecast| forecast.airtime.0 < plan.warn_below.0.saturating_mul(5) / 4);
        // A box that was off asks first.
        let was_asked = self.balance.failures > 0 || now.duration_since(self.began) >= UNKNOWN_MAX;
        let unknown = was_asked && now.duration_since(self.known) >= UNKNOWN_MAX;
        let all = [
            (Reason::AirtimeLow, low || stays),
            (Reason::AirtimeGoneSoon, forecast.and_then(|forecast| forecast.gone_at).is_some_and(soon)),
            (Reason::DataLow, self.data().is_some_and(|data| data < plan.warn_data_below)),
            (Reason::DataGone, self.is_dataless() && self.data.is_empty()),
            (Reason::ExpiresSoon, self.expires.values().any(|day| expires(*day))),
            // Of what is not known nothing can be said to stand still.
            (Reason::Idle, !unknown && now.duration_since(self.moved) >= plan.idle_max),
            (Reason::Unknown, unknown),
        ];
        all.into_iter().filter(|(_, is_so)| *is_so).map(|(reason, _)| reason).collect()
    }
}

fn later(now: Timestamp, wait: SignedDuration) -> Option<Timestamp> {
    // At the end of time nothing is asked any more.
    Some(now.checked_add(wait).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
