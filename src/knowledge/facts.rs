//! Whether a sentence that somebody else made up may be said for the business:
//! it may name no price, time, day, date or number that the business's file, its
//! calendar, a tool's result or the caller did not. It changes no sentence, and
//! what names no fact it lets pass: it knows figures, not truth.

mod amounts;
mod claims;
mod days;
mod echo;
mod read;
mod subject;

use std::sync::Arc;

use jiff::ZonedDateTime;
use jiff::civil::DateTime;

use self::claims::{Asked, Calendar, Claim, DayGroup, What, claims, days_alone, last_days};
use self::days::{Days, WeekSet, ahead};
use self::echo::{Echo, echo, is_taken_for_granted};
pub use self::read::{Fact, FactKind, Half};
use self::read::{HolidayName, Item, Reading, Said, Verb, read};
use self::subject::{Clause, Scale, Source, Subject, clauses};
use super::file::KnowledgeBase;
use super::finding::{Finding, Guess};
use super::hours::OpeningHours;
use super::topic::sentences;
use super::words::tokens;

/// What a business's file allows to be said, read once.
pub struct KnownFacts {
    hours: OpeningHours,
    /// Names in which a number or a day is none: "Sunday Ojo".
    names: Vec<Vec<String>>,
    holidays: Vec<HolidayName>,
    sources: Vec<Source>,
    scale: Scale,
}

/// What one answer may name: the file's facts, what was found and looked up for
/// it, and what the caller said.
pub struct Allowed {
    known: Arc<KnownFacts>,
    now: DateTime,
    question: Reading,
    asked: Asked,
    about_hours: bool,
    /// What the finding says to "are you open …?"; none for other questions.
    verdict: Option<Verdict>,
    /// The source that the box found for the question.
    found: Option<usize>,
    told: Vec<Source>,
    /// The days that the answer has spoken of last.
    days: Option<DayGroup>,
    /// What it has claimed of the hours last.
    claimed: Vec<Claim>,
    subject: Subject,
}

/// What became of a sentence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Judgement {
    /// It names no fact.
    NoFact,
    /// What it names is known.
    Known,
    /// It names a fact of this kind that is not known.
    Unknown(FactKind),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Yes,
    No,
}

impl KnownFacts {
    pub fn new(base: &KnowledgeBase) -> Self {
        let words = |name: &str| read::tokens(name).into_iter().map(|t| t.word).collect::<Vec<String>>();
        let people = base.people.iter().map(|p| words(&p.name));
        let names: Vec<Vec<String>> = people.chain([words(&base.name)]).filter(|n| n.len() > 1).collect();
        let named = base.hours.holidays().iter().enumerate();
        let holidays: Vec<HolidayName> = named
            .flat_map(|(holiday, h)| std::iter::once(&h.name).chain(&h.also).map(move |name| (holiday, name)))
            .map(|(holiday, name)| HolidayName { words: without_day(words(name)), holiday })
            .filter(|h| !h.words.is_empty())
            .collect();
        let own_name = subject::stems(&base.name);
        let mut known =
            Self { hours: base.hours.clone(), names, holidays, sources: Vec::new(), scale: Scale::default() };
        for topic in base.topics() {
            if let Some(answer) = base.written_answer(topic) {
                let about = base.ways_to_ask(topic).join(". ");
                let source = known.source(&format!("{about}. {answer}"), answer, base.topic_id(topic));
                known.sources.push(source);
            }
        }
        if let Some(greeting) = &base.greeting {
            let source = known.source(greeting, greeting, "greeting");
            known.sources.push(source);
        }
        let name = known.source(&base.name, &base.name, "name");
        known.sources.push(name);
        known.scale = Scale::new(&known.sources, &own_name);
        known
    }

    fn source(&self, about: &str, text: &str, id: &str) -> Source {
        // The names of people and of the business may be part of a fact here.
        let facts = |text: &str| read(text, &self.names, &self.holidays).facts();
        // What is free only above a price, or within a time, is so only with it.
        let free = sentences(text).into_iter().map(facts).filter(|f| f.contains(&Fact::Free));
        let conditions =
            free.flatten().filter(|f| matches!(f, Fact::Money { .. } | Fact::Minutes(_) | Fact::Months(_)));
        Source::new(id, subject::stems(about), facts(text), conditions.collect())
    }

    fn read(&self, text: &str) -> Reading {
        read(text, &self.names, &self.holidays)
    }
}

fn without_day(mut words: Vec<String>) -> Vec<String> {
    if words.len() > 1 && words.last().is_some_and(|w| w == "day") {
        words.pop();
    }
    words
}

impl Reading {
    fn facts(&self) -> Vec<Fact> {
        let fact = |item: &Item| match &item.said {
            Said::Fact(fact) => Some(fact.clone()),
            Said::Verb(_) | Said::Except => None,
        };
        self.items.iter().filter_map(fact).collect()
    }

    fn has_verb(&self, wanted: impl Fn(Verb) -> bool) -> bool {
        self.items.iter().any(|item| matches!(item.said, Said::Verb(verb) if wanted(verb)))
    }
}

impl Allowed {
    /// For one answer to `question`, for which the box itself found `finding`.
    pub fn new(known: Arc<KnownFacts>, now: &ZonedDateTime, question: &str, finding: Option<&Finding>) -> Self {
        let reading = known.read(question);
        let answer = match finding {
            Some(Finding::Answer(spoken) | Finding::Maybe(Guess { answer: spoken, .. })) => Some(spoken),
            _ => None,
        };
        let of_hours = answer.filter(|a| a.entry.as_deref() == Some("hours"));
        let sure = matches!(finding, Some(Finding::Answer(_)));
        let verdict = of_hours.filter(|_| sure).and_then(|a| verdict(a.text.expose()));
        let asked = asked(&reading);
        let about_hours = of_hours.is_some() || asked != Asked::Other || reading.has_verb(|_| true);
        let found = answer.and_then(|a| known.sources.iter().position(|s| Some(s.id.as_str()) == a.entry.as_deref()));
        let mut told = Vec::new();
        if let Some(spoken) = answer.filter(|_| found.is_none() && of_hours.is_none()) {
            told.push(known.source(spoken.text.expose(), spoken.text.expose(), "found"));
        }
        let subject = Subject::of_question(question, &known.scale);
        let days = last_days(&reading);
        let now = known.hours.local(now);
        let claimed = Vec::new();
        Self { known, now, question: reading, asked, about_hours, verdict, found, told, days, claimed, subject }
    }

    /// What a tool answered may be named from here on.
    pub fn tool_said(&mut self, text: &str) {
        let source = self.known.source(text, text, "tool");
        self.told.push(source);
    }

    /// "So six is fine", after the caller asked for six o'clock, names an hour.
    fn with_hours_asked(&self, mut reading: Reading) -> Reading {
        let asked: Vec<u16> = self
            .question
            .items
            .iter()
            .filter_map(|item| match item.said {
                Said::Fact(Fact::Time { minute, .. }) if minute % 60 == 0 => Some(minute % 720),
                _ => None,
            })
            .collect();
        for item in &mut reading.items {
            let Said::Fact(Fact::Number { thousandths }) = item.said else { continue };
            let hour =
                u16::try_from(thousandths / 1000).ok().filter(|h| (1..=12).contains(h) && thousandths % 1000 == 0);
            if let Some(minute) = hour.map(|h| h % 12 * 60).filter(|m| asked.contains(m)) {
                item.said = Said::Fact(Fact::Time { minute, half: Half::Either });
            }
        }
        reading
    }

    /// The caller asks what the clock shows, and not when the door is open.
    fn asks_the_clock(&self) -> bool {
        let time = self.question.tokens.iter().any(|t| t.word == "time");
        let of_another_day = self.question.items.iter().any(|item| match &item.said {
            Said::Fact(Fact::Day(days)) => *days != Days::Now,
            Said::Fact(_) | Said::Verb(_) => true,
            Said::Except => false,
        });
        time && !of_another_day
    }

    /// Judges the next sentence of the answer.
    pub fn judge(&mut self, sentence: &str) -> Judgement {
        if sentence.contains(['[', ']', '{', '}', '<', '>']) {
            return Judgement::Unknown(FactKind::Placeholder);
        }
        let reading = self.with_hours_asked(self.known.read(sentence));
        // Only the first verdict of an answer is one on the question.
        if let Some((found, said)) = self.verdict.zip(verdict(sentence)) {
            self.verdict = None;
            if found != said {
                return Judgement::Unknown(FactKind::Openness);
            }
        }
        if reading.items.is_empty() {
            self.subject.turn_to(sentence, &self.known.scale);
            return Judgement::NoFact;
        }
        let parts = clauses(&reading, &self.known.scale);
        let judged =
            Sentence { allowed: self, reading: &reading, clauses: &parts, asks: sentence.trim_end().ends_with('?') }
                .judge();
        self.subject.turn_to(sentence, &self.known.scale);
        if let Some(days) = last_days(&reading) {
            self.days = Some(days);
        }
        match judged {
            Ok(claims) => {
                if !claims.is_empty() {
                    self.claimed = claims;
                }
                Judgement::Known
            }
            Err(kind) => Judgement::Unknown(kind),
        }
    }
}

fn verdict(text: &str) -> Option<Verdict> {
    let first = text.trim_start().split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    match first.to_lowercase().as_str() {
        "yes" | "yeah" | "yep" | "sure" => Some(Verdict::Yes),
        "no" | "nope" => Some(Verdict::No),
        _ => None,
    }
}

fn asked(question: &Reading) -> Asked {
    let time = question.tokens.iter().any(|t| matches!(t.word.as_str(), "when" | "time" | "till" | "until"));
    let closes = question.has_verb(|v| matches!(v, Verb::Closes | Verb::IsClosed));
    let opens = question.has_verb(|v| matches!(v, Verb::Opens | Verb::IsOpen));
    match (time, opens, closes) {
        (true, false, true) => Asked::Closing,
        (true, true, false) => Asked::Opening,
        _ => Asked::Other,
    }
}

/// A share of the nearest source's weight that a source of the fact must have.
const NEAR_ENOUGH: f32 = 0.6;

/// What the source that the box found for the question is favoured by.
const FOUND: f32 = 0.5;

/// From this share of a clause's subject on, a source is what the clause is about.
const ABOUT: f32 = 0.6;

/// One sentence under judgement.
struct Sentence<'a> {
    allowed: &'a Allowed,
    reading: &'a Reading,
    clauses: &'a [Clause],
    asks: bool,
}

/// What the file says of one fact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Backing {
    Backed,
    /// The file says something else of this subject.
    Denied,
    /// The file says nothing of this subject.
    Nothing,
}

impl Sentence<'_> {
    /// What it claims of the hours if it may be said, else the kind of what is not known.
    fn judge(&self) -> Result<Vec<Claim>, FactKind> {
        let mut settled = vec![false; self.reading.items.len()];
        for (i, item) in self.reading.items.iter().enumerate() {
            let Said::Fact(fact) = &item.said else { continue };
            let backing = self.backing(item, fact);
            let fine = match fact.kind() {
                FactKind::Time | FactKind::Day => {
                    settled[i] = backing == Backing::Backed;
                    backing != Backing::Denied || self.is_the_time_now(fact) || self.is_shut_on(fact)
                }
                FactKind::Date => {
                    backing == Backing::Backed || self.is_of_the_calendar(fact) || self.echoes(item, fact, backing)
                }
                _ => backing == Backing::Backed || self.echoes(item, fact, backing),
            };
            if !fine {
                return Err(fact.kind());
            }
        }
        self.judge_hours(&settled)
    }

    /// What is left to the opening hours to bear out.
    fn judge_hours(&self, settled: &[bool]) -> Result<Vec<Claim>, FactKind> {
        let allowed = self.allowed;
        let calendar = self.calendar();
        let unsettled_time = self.reading.items.iter().zip(settled).any(|(item, settled)| {
            matches!(&item.said, Said::Fact(fact @ Fact::Time { .. }) if !settled && !self.is_the_time_now(fact))
        });
        let has_verb = self.reading.has_verb(|_| true);
        let of_hours = has_verb || allowed.about_hours && !allowed.asks_the_clock();
        if unsettled_time && !of_hours {
            return Err(FactKind::Time);
        }
        // A clause about something of which the file tells its own times and
        // days is not about the door.
        let vouched = |i: usize| settled[i];
        let by_file = self
            .reading
            .items
            .iter()
            .zip(settled)
            .any(|(item, settled)| *settled && matches!(item.said, Said::Fact(Fact::Time { .. } | Fact::Day(_))));
        let claims = claims(self.reading, allowed.asked, &vouched);
        for claim in &claims {
            let state = matches!(claim.what, What::Open | What::Closed);
            if state && by_file {
                continue;
            }
            if !calendar.bears_out(claim, allowed.days.as_ref()) {
                return Err(if state { FactKind::Openness } else { FactKind::Time });
            }
        }
        let more_days = if claims.is_empty() && !self.asks { days_alone(self.reading, &vouched) } else { Vec::new() };
        if more_days.into_iter().all(|days| self.holds_on(&calendar, &days)) { Ok(claims) } else { Err(FactKind::Day) }
    }

    /// Whether days that stand alone ("Saturdays too.") bear out what was claimed before
    /// them, or that the door is open then if that is what was asked.
    fn holds_on(&self, calendar: &Calendar<'_>, days: &DayGroup) -> bool {
        let question = &self.allowed.question;
        let opens = question.has_verb(|v| matches!(v, Verb::IsOpen | Verb::Opens | Verb::Hours));
        let closes = question.has_verb(|v| matches!(v, Verb::IsClosed | Verb::Closes));
        let asked = (self.allowed.claimed.is_empty() && opens && !closes).then_some(What::Open);
        let claimed = self.allowed.claimed.iter().map(|claim| claim.what);
        claimed.chain(asked).all(|what| calendar.bears_out(&Claim { what, days: Some(days.clone()) }, None))
    }

    fn calendar(&self) -> Calendar<'_> {
        let allowed = self.allowed;
        Calendar { hours: &allowed.known.hours, now: allowed.now, dated: last_days(&allowed.question).is_some() }
    }

    /// A holiday that was looked up, and the sentence says, of nothing but the door, that it
    /// is shut then. It is: the days of an entry that only the question's words lead to say
    /// nothing against it.
    fn is_shut_on(&self, fact: &Fact) -> bool {
        let Fact::Day(holiday @ Days::Holiday(_)) = fact else { return false };
        let is_told = self.allowed.told.iter().any(|source| source.facts.contains(fact));
        if !is_told || self.clauses.iter().any(Clause::has_subject) {
            return false;
        }
        let calendar = self.calendar();
        claims(self.reading, self.allowed.asked, &|_| false).iter().any(|claim| {
            let of_it = claim.days.as_ref().is_some_and(|group| group.days.contains(holiday));
            of_it && claim.what == What::Closed && calendar.bears_out(claim, None)
        })
    }

    /// Whether the file, a tool's result or the finding names this fact of this subject.
    fn backing(&self, item: &Item, fact: &Fact) -> Backing {
        let clause = self.clauses.iter().find(|c| c.holds(item.from));
        let subject = self.allowed.subject.in_sentence(self.clauses, clause);
        let known = &self.allowed.known;
        let today = self.allowed.now.date();
        let (mut best, mut backed) = (0.0_f32, None::<f32>);
        let mut denied = false;
        for (n, source) in known.sources.iter().chain(&self.allowed.told).enumerate() {
            if !source.facts.iter().any(|told| told.kind() == fact.kind() || fact.is_told_by(told)) {
                continue;
            }
            let favour = if self.allowed.found == Some(n) || n >= known.sources.len() { FOUND } else { 0.0 };
            let weight = subject.weight(source, &known.scale) + favour;
            let is_backed = match fact {
                Fact::Day(days) => days_told(*days, &source.facts, today, item.negated),
                Fact::Free if !source.conditions.is_empty() => {
                    let named = self.reading.facts();
                    source.conditions.iter().any(|told| named.iter().any(|fact| fact.is_told_by(told)))
                }
                _ => source.facts.iter().any(|told| fact.is_told_by(told)),
            };
            if is_backed {
                backed = Some(backed.map_or(weight, |w| w.max(weight)));
            } else {
                denied |= subject.is_covered_by(source, &known.scale, ABOUT);
            }
            best = best.max(weight);
        }
        let by_calendar = matches!(fact.kind(), FactKind::Time | FactKind::Day);
        match backed {
            // Of the hours nothing is backed by an entry that speaks of something else.
            Some(weight) if weight >= NEAR_ENOUGH * best && (!by_calendar || weight > 0.0 && subject.is_own()) => {
                Backing::Backed
            }
            Some(_) if !by_calendar => Backing::Denied,
            _ if denied => Backing::Denied,
            _ => Backing::Nothing,
        }
    }

    /// The caller said it. What is asserted of a price, a share or of something
    /// of which the file says otherwise is not made true by being asked.
    fn echoes(&self, item: &Item, fact: &Fact, backing: Backing) -> bool {
        let said = self.allowed.question.facts().iter().any(|told| fact.is_told_by(told));
        let priced = matches!(fact.kind(), FactKind::Price | FactKind::Share);
        let is_denied = backing == Backing::Denied;
        said && (item.negated || !priced && !is_denied || self.only_asks(item, fact, is_denied))
    }

    /// Whether the sentence brings the fact up as a question, and says nothing by it: what the
    /// file denies is a question only if nobody can take it for an answer.
    fn only_asks(&self, item: &Item, fact: &Fact, is_denied: bool) -> bool {
        let is_last = self.clauses.last().is_some_and(|clause| clause.holds(item.from));
        let is_granted = is_taken_for_granted(fact);
        let is_count = !is_granted && !matches!(fact, Fact::Digits(_));
        self.asks
            && match echo(&self.reading.tokens, item, is_last) {
                Echo::Questioned => true,
                Echo::OfCaller => is_count || is_last && !is_denied,
                Echo::Inverted => !(is_denied && is_granted),
                // To a number of the business's own nothing is sent because a caller named it.
                Echo::Offered => !is_denied || is_count,
                Echo::Intoned => !is_denied,
                Echo::Said => false,
            }
    }

    /// The current time may be told, within some minutes.
    fn is_the_time_now(&self, fact: &Fact) -> bool {
        const MINUTES_OFF: u16 = 3;
        let Fact::Time { minute, half } = fact else { return false };
        let now = u16::from(self.allowed.now.hour().unsigned_abs()) * 60
            + u16::from(self.allowed.now.minute().unsigned_abs());
        let near = |m: u16| m.abs_diff(now) <= MINUTES_OFF;
        self.allowed.asks_the_clock() && (near(*minute) || *half == Half::Either && near((*minute + 720) % 1440))
    }

    /// A holiday's date, one that the hours are held against, or one of these days.
    fn is_of_the_calendar(&self, fact: &Fact) -> bool {
        let today = self.allowed.now.date();
        let near = (-1..=14).filter_map(|n| ahead(today, n));
        let holidays = self.allowed.known.hours.holidays().iter().filter_map(|h| h.date.on_or_after(today));
        let mut dates = near.chain(holidays);
        match fact {
            Fact::Date { month, day } => {
                let of_hours = self.reading.has_verb(|v| v != Verb::Visit);
                of_hours || dates.any(|d| (d.month(), d.day()) == (*month, *day))
            }
            Fact::Month(month) => dates.any(|d| d.month() == *month),
            Fact::Year(year) => dates.any(|d| u64::try_from(d.year()).is_ok_and(|y| y == *year)),
            _ => false,
        }
    }
}

/// Whether a source tells of these days; of denied ones, that it does not.
fn days_told(days: Days, told: &[Fact], today: jiff::civil::Date, negated: bool) -> bool {
    let all = told.iter().filter_map(|fact| match fact {
        Fact::Day(days) => days.weekdays(today),
        _ => None,
    });
    let Some(union) = all.reduce(WeekSet::with) else { return false };
    days.weekdays(today).is_some_and(|wanted| if negated { !union.covers(wanted) } else { union.covers(wanted) })
}

/// Whether a piece of a sentence could name a fact: it is then held back until
/// the sentence is whole. It says yes too often rather than too seldom.
pub fn could_name_a_fact(text: &str) -> bool {
    let sign = |c: char| c.is_numeric() || matches!(c, '₦' | '$' | '£' | '€' | '%' | '[' | '<' | '{');
    text.chars().any(sign) || tokens(text).iter().any(|word| is_fact_like(word))
}

/// Whether a word, in small letters, begins what tells the days of something.
pub fn begins_days(word: &str) -> bool {
    matches!(word, "weekday" | "weekdays" | "weekend" | "weekends" | "every" | "everyday" | "daily" | "public")
        || super::when::weekday_named(word).is_some()
}

/// Words that make, or belong to, a fact.
const FACT_LIKE: &[&str] = &[
    "naira",
    "kobo",
    "dollar",
    "pound",
    "euro",
    "cedi",
    "franc",
    "cents",
    "pence",
    "cost",
    "price",
    "free",
    "gratis",
    "charge",
    "percent",
    "cent",
    "per",
    "half",
    "quarter",
    "dozen",
    "double",
    "twice",
    "hundred",
    "thousand",
    "million",
    "billion",
    "point",
    "oh",
    "nought",
    "am",
    "pm",
    "oclock",
    "noon",
    "midday",
    "midnight",
    "morning",
    "afternoon",
    "evening",
    "night",
    "tonight",
    "today",
    "tomorrow",
    "yesterday",
    "weekday",
    "weekend",
    "week",
    "day",
    "daily",
    "everyday",
    "hour",
    "minute",
    "month",
    "year",
    "now",
    "currently",
    "presently",
    "moment",
    "open",
    "reopen",
    "opening",
    "close",
    "closing",
    "shut",
    "opens",
    "opened",
    "closed",
    "always",
    "never",
    "every",
    "except",
    "holiday",
    "clock",
    "floor",
    "plus",
    "first",
    "second",
    "third",
    "fortnight",
];

fn is_fact_like(word: &str) -> bool {
    let single = word.strip_suffix('s').unwrap_or(word);
    FACT_LIKE.contains(&word)
        || FACT_LIKE.contains(&single)
        || super::numbers::word_value(word).is_some()
        || super::when::weekday_named(word).is_some()
        || super::numbers::MONTHS.iter().any(|m| m.eq_ignore_ascii_case(word))
        || super::numbers::ordinal_value(&[word.to_owned()]).is_some()
}

#[cfg(test)]
mod tests;
