//! A knowledge file as it was written, before it is believed: both forms of
//! file become a draft, and only here is a draft checked and made a base.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::super::hours::{Holiday, HolidayDate, OpenSpan, OpeningHours};
use super::super::mistake::{Collector, Wrong};
use super::super::words::tokens;
use super::values::{self, At, DAY_NAMES};
use super::{Entry, KnowledgeBase, Person, Pronunciation, RingTimes};
use crate::terms::PhoneNumber;

/// Five hundred questions are ten times what a large practice answers by
/// telephone, and embedding them at the start still takes seconds, not minutes.
pub const MAX_ENTRIES: usize = 500;
/// Ways to ask one thing; more only slow the start.
pub const MAX_WAYS: usize = 40;
/// A year has fewer holidays, even with each Sallah named.
pub const MAX_HOLIDAYS: usize = 100;
/// People who may be rung. A larger house has a switchboard of its own.
pub const MAX_PEOPLE: usize = 100;
pub const MAX_PRONUNCIATIONS: usize = 500;
/// Forty seconds of speech: nobody listens to more at a stretch.
pub const MAX_ANSWER_CHARS: usize = 600;
/// A question that is longer than this is not asked in one breath.
pub const MAX_QUESTION_CHARS: usize = 200;
/// Where a file does not say where its business is: Nigeria.
const DEFAULT_COUNTRY: &str = "234";
/// Names, roles and the like.
const MAX_NAME_CHARS: usize = 80;

#[derive(Default)]
pub(super) struct Draft {
    pub(super) name: Option<At<String>>,
    pub(super) greeting: Option<At<String>>,
    pub(super) time_zone: Option<At<String>>,
    pub(super) country_code: Option<At<String>>,
    pub(super) address: Option<At<String>>,
    pub(super) directions: Option<At<String>>,
    /// The days as written, and their hours.
    pub(super) hours: Vec<(At<String>, At<String>)>,
    pub(super) holidays: Vec<DraftHoliday>,
    pub(super) entries: Vec<DraftEntry>,
    pub(super) people: Vec<DraftPerson>,
    pub(super) pronunciations: Vec<(At<String>, At<String>)>,
}

#[derive(Default)]
pub(super) struct DraftHoliday {
    pub(super) at: Range<usize>,
    pub(super) name: Option<At<String>>,
    pub(super) also: Vec<At<String>>,
    pub(super) date: Option<At<String>>,
    pub(super) hours: Option<At<String>>,
}

#[derive(Default)]
pub(super) struct DraftEntry {
    pub(super) at: Range<usize>,
    pub(super) id: Option<At<String>>,
    pub(super) ask: Vec<At<String>>,
    pub(super) answer: Option<At<String>>,
    pub(super) menu: Option<At<String>>,
}

#[derive(Default)]
pub(super) struct DraftPerson {
    pub(super) at: Range<usize>,
    pub(super) name: Option<At<String>>,
    pub(super) role: Option<At<String>>,
    pub(super) also: Vec<At<String>>,
    pub(super) number: Option<At<String>>,
    pub(super) ring: Option<At<String>>,
}

impl Draft {
    /// A base if nothing is wrong; the mistakes go to the collector.
    pub(super) fn check(self, wrong: &mut Collector<'_>) -> Option<KnowledgeBase> {
        let start = 0..0;
        let name = required(self.name, "the business's name", &start, MAX_NAME_CHARS, wrong);
        let greeting = optional(self.greeting, "the greeting", MAX_ANSWER_CHARS, wrong);
        let address = optional(self.address, "the address", MAX_ANSWER_CHARS, wrong);
        let directions = optional(self.directions, "the directions", MAX_ANSWER_CHARS, wrong);
        let time_zone = time_zone(self.time_zone.as_ref(), wrong);
        let country_code = country_code(self.country_code, wrong);
        let week = week(&self.hours, wrong);
        let holidays = holidays(self.holidays, wrong);
        let hours = match week {
            Some(week) => OpeningHours::new(time_zone, week, holidays),
            None => OpeningHours::unstated(time_zone, holidays),
        };
        let entries = entries(self.entries, wrong);
        let people = people(self.people, country_code.as_deref().unwrap_or(DEFAULT_COUNTRY), wrong);
        let pronunciations = pronunciations(self.pronunciations, wrong);
        if !wrong.is_clean() {
            return None;
        }
        let name = name?;
        Some(KnowledgeBase {
            name,
            greeting,
            country_code,
            address,
            directions,
            hours,
            entries,
            people,
            pronunciations,
        })
    }
}

/// The text with its blanks made single; empty and overlong ones are mistakes.
fn said(text: &At<String>, what: &'static str, most: usize, wrong: &mut Collector<'_>) -> Option<String> {
    let words: Vec<&str> = text.value.split_whitespace().collect();
    let joined = words.join(" ");
    let found = joined.chars().count();
    if !joined.chars().any(char::is_alphanumeric) {
        wrong.add(&text.span, Wrong::Empty(what));
        return None;
    }
    if found > most {
        wrong.add(&text.span, Wrong::TooWordy { what, found, most });
        return None;
    }
    Some(joined)
}

fn optional(text: Option<At<String>>, what: &'static str, most: usize, wrong: &mut Collector<'_>) -> Option<String> {
    text.and_then(|t| said(&t, what, most, wrong))
}

fn required(
    text: Option<At<String>>,
    what: &'static str,
    at: &Range<usize>,
    most: usize,
    wrong: &mut Collector<'_>,
) -> Option<String> {
    if text.is_none() {
        wrong.add(at, Wrong::Missing(what));
    }
    optional(text, what, most, wrong)
}

fn too_many(what: &'static str, most: usize, spans: impl Iterator<Item = Range<usize>>, wrong: &mut Collector<'_>) {
    if let Some(at) = spans.into_iter().nth(most) {
        wrong.add(&at, Wrong::TooMany { what, most });
    }
}

fn time_zone(written: Option<&At<String>>, wrong: &mut Collector<'_>) -> TimeZone {
    // Bundled with the program: what a file means must not depend on the machine.
    let zones = TimeZoneDatabase::bundled();
    let name = written.map_or("Africa/Lagos", |w| w.value.trim());
    match (zones.get(name), written) {
        (Ok(zone), _) => zone,
        (Err(_), Some(written)) => {
            wrong.add(&written.span, Wrong::TimeZone(written.value.clone()));
            TimeZone::UTC
        }
        (Err(_), None) => TimeZone::UTC,
    }
}

fn country_code(written: Option<At<String>>, wrong: &mut Collector<'_>) -> Option<String> {
    let written = written?;
    let digits = written.value.trim().trim_start_matches('+').to_owned();
    if !(1..=3).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        wrong.add(&written.span, Wrong::WrongKind { key: "country_code".to_owned(), wanted: "digits, like \"234\"" });
    }
    Some(digits)
}

fn week(written: &[(At<String>, At<String>)], wrong: &mut Collector<'_>) -> Option<[Vec<OpenSpan>; 7]> {
    let mut week: [Vec<OpenSpan>; 7] = Default::default();
    let mut first_rows: [Option<usize>; 7] = [None; 7];
    for (key, hours) in written {
        let days = match values::days(&key.value) {
            Ok(days) => days,
            Err(mistake) => {
                wrong.add(&key.span, mistake);
                continue;
            }
        };
        let spans = match values::spans(&hours.value) {
            Ok(spans) => spans,
            Err(mistake) => {
                wrong.add(&hours.span, mistake);
                continue;
            }
        };
        for day in days {
            if let Some(first_row) = first_rows[day] {
                wrong.add(&key.span, Wrong::DayTwice { day: DAY_NAMES[day], first_row });
            }
            first_rows[day] = Some(wrong.row(key.span.start));
            week[day].clone_from(&spans);
        }
    }
    (!written.is_empty()).then_some(week)
}

fn holidays(written: Vec<DraftHoliday>, wrong: &mut Collector<'_>) -> Vec<Holiday> {
    too_many("holidays", MAX_HOLIDAYS, written.iter().map(|h| h.at.clone()), wrong);
    let mut found = Vec::new();
    for holiday in written.into_iter().take(MAX_HOLIDAYS) {
        let name = required(holiday.name, "the holiday's name", &holiday.at, MAX_NAME_CHARS, wrong);
        let also = names(holiday.also, "another name of the holiday", wrong);
        let date = holiday_date(holiday.date, &holiday.at, wrong);
        let spans = match holiday.hours.map(|h| (values::spans(&h.value), h.span)) {
            None => Some(Vec::new()),
            Some((Ok(spans), _)) => Some(spans),
            Some((Err(mistake), at)) => {
                wrong.add(&at, mistake);
                None
            }
        };
        if let (Some(name), Some(date), Some(spans)) = (name, date, spans) {
            found.push(Holiday { name, also, date, spans });
        }
    }
    found
}

fn holiday_date(written: Option<At<String>>, at: &Range<usize>, wrong: &mut Collector<'_>) -> Option<HolidayDate> {
    let Some(written) = written else {
        wrong.add(at, Wrong::Missing("the holiday's date"));
        return None;
    };
    values::holiday_date(&written.value).map_err(|mistake| wrong.add(&written.span, mistake)).ok()
}

fn names(written: Vec<At<String>>, what: &'static str, wrong: &mut Collector<'_>) -> Vec<String> {
    too_many(what, MAX_WAYS, written.iter().map(|w| w.span.clone()), wrong);
    written.into_iter().take(MAX_WAYS).filter_map(|w| said(&w, what, MAX_NAME_CHARS, wrong)).collect()
}

fn entries(written: Vec<DraftEntry>, wrong: &mut Collector<'_>) -> Vec<Entry> {
    too_many("questions", MAX_ENTRIES, written.iter().map(|e| e.at.clone()), wrong);
    let mut asked: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    let mut ids: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = Vec::new();
    for entry in written.into_iter().take(MAX_ENTRIES) {
        let row = wrong.row(entry.at.start);
        if entry.ask.is_empty() {
            wrong.add(&entry.at, Wrong::Missing("the question (ask)"));
        }
        too_many("ways to ask one question", MAX_WAYS, entry.ask.iter().map(|a| a.span.clone()), wrong);
        let mut ask = Vec::new();
        for way in entry.ask.into_iter().take(MAX_WAYS) {
            let at = way.span.clone();
            let Some(way) = said(&way, "a question", MAX_QUESTION_CHARS, wrong) else { continue };
            if let Some(first_row) = asked.insert(tokens(&way), wrong.row(at.start)) {
                wrong.add(&at, Wrong::QuestionTwice { first_row });
            }
            ask.push(way);
        }
        let answer = required(entry.answer, "the answer", &entry.at, MAX_ANSWER_CHARS, wrong);
        let menu = optional(entry.menu, "the menu's words", MAX_NAME_CHARS, wrong);
        let at = entry.id.as_ref().map_or_else(|| entry.at.clone(), |id| id.span.clone());
        let written = entry.id.is_some();
        let Some(mut id) = entry_id(entry.id, ask.first(), wrong) else { continue };
        match ids.get(&id) {
            Some(first_row) if written => wrong.add(&at, Wrong::IdTwice { id: id.clone(), first_row: *first_row }),
            // Two questions may begin with the same words: the row tells them apart.
            Some(_) => id = format!("{id}-row-{row}"),
            None => {}
        }
        ids.insert(id.clone(), row);
        if let (Some(answer), false) = (answer, ask.is_empty()) {
            found.push(Entry { id, ask, answer, menu });
        }
    }
    found
}

/// The id as written, or made of the first question's words.
fn entry_id(written: Option<At<String>>, first: Option<&String>, wrong: &mut Collector<'_>) -> Option<String> {
    match (written, first) {
        (Some(id), _) => {
            let fits = (1..=48).contains(&id.value.len())
                && id.value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !BUILT_IN_IDS.contains(&id.value.as_str());
            if !fits {
                wrong.add(&id.span, Wrong::Id(id.value.clone()));
            }
            fits.then_some(id.value)
        }
        (None, Some(first)) => {
            let words: String = tokens(first).join("-");
            let slug: String = words.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(48).collect();
            Some(slug.trim_matches('-').to_owned())
        }
        (None, None) => None,
    }
}

/// Ids of what every file has without writing it.
const BUILT_IN_IDS: [&str; 5] = ["hours", "address", "directions", "person", "message"];

fn people(written: Vec<DraftPerson>, country_code: &str, wrong: &mut Collector<'_>) -> Vec<Person> {
    too_many("people", MAX_PEOPLE, written.iter().map(|p| p.at.clone()), wrong);
    let mut found = Vec::new();
    for person in written.into_iter().take(MAX_PEOPLE) {
        let name = required(person.name, "the person's name", &person.at, MAX_NAME_CHARS, wrong);
        let role = optional(person.role, "the person's role", MAX_NAME_CHARS, wrong);
        let also = names(person.also, "another name of the person", wrong);
        let number = person.number.and_then(|n| {
            let parsed = PhoneNumber::parse(&n.value, country_code);
            parsed.map_err(|_| wrong.add(&n.span, Wrong::Phone(n.value.clone()))).ok()
        });
        let ring = person.ring.and_then(|r| ring_times(&r, wrong));
        if let Some(name) = name {
            found.push(Person { name, role, also, number, ring });
        }
    }
    found
}

/// "Monday to Friday 9:00-16:00, Saturday 9:00-12:00", or "always".
fn ring_times(written: &At<String>, wrong: &mut Collector<'_>) -> Option<RingTimes> {
    let text = written.value.trim();
    if matches!(text.to_lowercase().as_str(), "always" | "any time" | "anytime") {
        return Some(RingTimes::Always);
    }
    if text.eq_ignore_ascii_case("never") {
        return Some(RingTimes::Week(Box::default()));
    }
    let mut week: [Vec<OpenSpan>; 7] = Default::default();
    for piece in text.split(';').flat_map(values::by_days) {
        let cut = piece.find(|c: char| c.is_ascii_digit()).unwrap_or(piece.len());
        let (days, hours) = piece.split_at(cut);
        let days = days.trim().trim_end_matches([':', ',']);
        let days = if days.is_empty() { Ok((0..7).collect()) } else { values::days(days) };
        match (days, values::spans(hours)) {
            (Ok(days), Ok(spans)) => days.into_iter().for_each(|d| week[d].clone_from(&spans)),
            (Err(mistake), _) | (_, Err(mistake)) => {
                wrong.add(&written.span, mistake);
                return None;
            }
        }
    }
    Some(RingTimes::Week(Box::new(week)))
}

fn pronunciations(written: Vec<(At<String>, At<String>)>, wrong: &mut Collector<'_>) -> Vec<Pronunciation> {
    too_many("pronunciations", MAX_PRONUNCIATIONS, written.iter().map(|p| p.0.span.clone()), wrong);
    let mut found = Vec::new();
    for (word, respelling) in written.into_iter().take(MAX_PRONUNCIATIONS) {
        let word = said(&word, "the word to pronounce", MAX_NAME_CHARS, wrong);
        let respelling = said(&respelling, "the pronunciation", MAX_NAME_CHARS, wrong);
        if let (Some(word), Some(respelling)) = (word, respelling) {
            found.push(Pronunciation { word, respelling });
        }
    }
    found
}
