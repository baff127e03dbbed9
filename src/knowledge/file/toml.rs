//! The TOML form of the knowledge file, as a draft. The tables are walked with
//! their places in the text, because a mistake is told by row and column.

use std::ops::Range;

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use super::super::mistake::{Collector, Wrong};
use super::super::words::nearest;
use super::draft::{Draft, DraftEntry, DraftHoliday, DraftPerson};
use super::values::At;

type Value<'a> = Spanned<DeValue<'a>>;

const TOP: &[&str] = &[
    "business",
    "greeting",
    "time_zone",
    "country_code",
    "address",
    "directions",
    "hours",
    "holiday",
    "question",
    "person",
    "pronunciation",
];
const HOLIDAY: &[&str] = &["name", "also", "date", "hours"];
const QUESTION: &[&str] = &["id", "ask", "answer", "menu"];
const PERSON: &[&str] = &["name", "role", "also", "number", "ring"];

pub(super) fn read(text: &str, wrong: &mut Collector<'_>) -> Draft {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        wrong.add(&error.span().unwrap_or(0..0), Wrong::Syntax(error.message().to_owned()));
    }
    let mut draft = Draft::default();
    // What follows a broken row is guesswork: tell the syntax alone.
    if !errors.is_empty() {
        return draft;
    }
    for (key, value) in table.get_ref() {
        let at = key.span();
        match key.get_ref().as_ref() {
            "business" => draft.name = string("business", value, wrong),
            "greeting" => draft.greeting = string("greeting", value, wrong),
            "time_zone" => draft.time_zone = string("time_zone", value, wrong),
            "country_code" => draft.country_code = string("country_code", value, wrong),
            "address" => draft.address = string("address", value, wrong),
            "directions" => draft.directions = string("directions", value, wrong),
            "hours" => draft.hours = hours(value, wrong),
            "holiday" => draft.holidays = tables("holiday", value, wrong, holiday),
            "question" => draft.entries = tables("question", value, wrong, question),
            "person" => draft.people = tables("person", value, wrong, person),
            "pronunciation" => draft.pronunciations = pairs("pronunciation", value, wrong),
            other => unknown(other, TOP, &at, wrong),
        }
    }
    draft
}

fn unknown(found: &str, known: &'static [&'static str], at: &Range<usize>, wrong: &mut Collector<'_>) {
    let nearest = nearest(found, known);
    wrong.add(at, Wrong::UnknownKey { found: found.to_owned(), nearest, known });
}

fn string(key: &str, value: &Value<'_>, wrong: &mut Collector<'_>) -> Option<At<String>> {
    let text = match value.get_ref() {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Datetime(date) => date.to_string(),
        _ => {
            wrong.add(&value.span(), Wrong::WrongKind { key: key.to_owned(), wanted: "text between quotation marks" });
            return None;
        }
    };
    Some(At::new(text, value.span()))
}

/// One text, or a list of them.
fn strings(key: &str, value: &Value<'_>, wrong: &mut Collector<'_>) -> Vec<At<String>> {
    match value.get_ref() {
        DeValue::Array(items) => items.iter().filter_map(|item| string(key, item, wrong)).collect(),
        _ => string(key, value, wrong).into_iter().collect(),
    }
}

/// Spans of one day: one text, or a list of them that means the same.
fn spans(key: &str, value: &Value<'_>, wrong: &mut Collector<'_>) -> Option<At<String>> {
    let pieces = strings(key, value, wrong);
    let texts: Vec<String> = pieces.into_iter().map(|p| p.value).collect();
    (!texts.is_empty()).then(|| At::new(texts.join(", "), value.span()))
}

fn hours(value: &Value<'_>, wrong: &mut Collector<'_>) -> Vec<(At<String>, At<String>)> {
    let DeValue::Table(table) = value.get_ref() else {
        wrong.add(
            &value.span(),
            Wrong::WrongKind { key: "hours".to_owned(), wanted: "a [hours] table with days in it" },
        );
        return Vec::new();
    };
    let mut found = Vec::new();
    for (key, value) in table {
        if let Some(spans) = spans(key.get_ref(), value, wrong) {
            found.push((At::new(key.get_ref().to_string(), key.span()), spans));
        }
    }
    found.sort_by_key(|(key, _)| key.span.start);
    found
}

fn pairs(name: &str, value: &Value<'_>, wrong: &mut Collector<'_>) -> Vec<(At<String>, At<String>)> {
    let DeValue::Table(table) = value.get_ref() else {
        let wanted = "a table of words, each with its pronunciation";
        wrong.add(&value.span(), Wrong::WrongKind { key: name.to_owned(), wanted });
        return Vec::new();
    };
    let mut found = Vec::new();
    for (key, value) in table {
        if let Some(text) = string(key.get_ref(), value, wrong) {
            found.push((At::new(key.get_ref().to_string(), key.span()), text));
        }
    }
    found.sort_by_key(|(key, _)| key.span.start);
    found
}

fn tables<T>(
    name: &str,
    value: &Value<'_>,
    wrong: &mut Collector<'_>,
    read: fn(&DeTable<'_>, Range<usize>, &mut Collector<'_>) -> T,
) -> Vec<T> {
    let mut found = Vec::new();
    let items: Vec<&Value<'_>> = match value.get_ref() {
        DeValue::Array(items) => items.iter().collect(),
        _ => vec![value],
    };
    for item in items {
        match item.get_ref() {
            DeValue::Table(table) => found.push(read(table, item.span(), wrong)),
            _ => {
                let wanted = "double brackets around its name, and its keys below";
                wrong.add(&item.span(), Wrong::WrongKind { key: name.to_owned(), wanted });
            }
        }
    }
    found
}

fn holiday(table: &DeTable<'_>, at: Range<usize>, wrong: &mut Collector<'_>) -> DraftHoliday {
    let mut draft = DraftHoliday { at, ..DraftHoliday::default() };
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "name" => draft.name = string("name", value, wrong),
            "also" => draft.also = strings("also", value, wrong),
            "date" => draft.date = string("date", value, wrong),
            "hours" => draft.hours = spans("hours", value, wrong),
            other => unknown(other, HOLIDAY, &key.span(), wrong),
        }
    }
    draft
}

fn question(table: &DeTable<'_>, at: Range<usize>, wrong: &mut Collector<'_>) -> DraftEntry {
    let mut draft = DraftEntry { at, ..DraftEntry::default() };
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "id" => draft.id = string("id", value, wrong),
            "ask" => draft.ask = strings("ask", value, wrong),
            "answer" => draft.answer = string("answer", value, wrong),
            "menu" => draft.menu = string("menu", value, wrong),
            other => unknown(other, QUESTION, &key.span(), wrong),
        }
    }
    draft
}

fn person(table: &DeTable<'_>, at: Range<usize>, wrong: &mut Collector<'_>) -> DraftPerson {
    let mut draft = DraftPerson { at, ..DraftPerson::default() };
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "name" => draft.name = string("name", value, wrong),
            "role" => draft.role = string("role", value, wrong),
            "also" => draft.also = strings("also", value, wrong),
            "number" => draft.number = string("number", value, wrong),
            "ring" => draft.ring = spans("ring", value, wrong),
            other => unknown(other, PERSON, &key.span(), wrong),
        }
    }
    draft
}
