//! The text as a draft. The tables are walked with their places in the text,
//! because a mistake is told by row and column.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::mistake::{Collector, PolicyWrong, meant, shown};
use super::draft::{At, Draft, DraftContract, DraftDestination, DraftRow};

type Key<'a> = Spanned<Cow<'a, str>>;
type Value<'a> = Spanned<DeValue<'a>>;

const TOP: &[&str] = &["notice_period_days", "owner_keys", "serial", "destination", "row"];
const DESTINATION: &[&str] = &[
    "id",
    "operator",
    "hosts",
    "country",
    "on_site",
    "contract",
    "training_opt_out",
    "zero_retention",
    "inference_region",
    "pins",
];
const CONTRACT: &[&str] = &["name", "signed"];
const ROW: &[&str] = &["id", "data", "to", "ground", "verdict"];

const TEXT: &str = "text between quotation marks";
const YES_OR_NO: &str = "true or false";
const NUMBER: &str = "a whole number without quotation marks";

pub(super) fn read(text: &str, wrong: &mut Collector<'_>) -> Draft {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        wrong.add(&error.span().unwrap_or(0..0), PolicyWrong::Syntax(shown(error.message())));
    }
    let mut draft = Draft::default();
    // What follows a broken row is guesswork: tell the syntax alone.
    if !errors.is_empty() {
        return draft;
    }
    for (key, value) in in_order(table.get_ref()) {
        match key.get_ref().as_ref() {
            "notice_period_days" => draft.notice_period_days = number("notice_period_days", value, wrong),
            "owner_keys" => draft.owner_keys = strings("owner_keys", value, wrong),
            "serial" => draft.serial = number("serial", value, wrong),
            "destination" => draft.destinations = tables("destination", value, wrong, destination),
            "row" => draft.rows = tables("row", value, wrong, row),
            other => unknown(other, TOP, &key.span(), wrong),
        }
    }
    draft
}

/// The keys of a table as they stand in the file.
fn in_order<'t, 'a>(table: &'t DeTable<'a>) -> Vec<(&'t Key<'a>, &'t Value<'a>)> {
    let mut pairs: Vec<_> = table.iter().collect();
    pairs.sort_by_key(|(key, _)| key.span().start);
    pairs
}

fn unknown(found: &str, known: &[&str], at: &Range<usize>, wrong: &mut Collector<'_>) {
    let found = shown(found);
    wrong.add(at, PolicyWrong::UnknownKey { meant: meant(&found, known), found });
}

fn wrong_kind(key: &str, wanted: &'static str, value: &Value<'_>, wrong: &mut Collector<'_>) {
    wrong.add(&value.span(), PolicyWrong::WrongKind { key: key.to_owned(), wanted });
}

fn string(key: &str, value: &Value<'_>, wrong: &mut Collector<'_>) -> Option<At<String>> {
    if let DeValue::String(text) = value.get_ref() {
        return Some(At { value: text.to_string(), span: value.span() });
    }
    wrong_kind(key, TEXT, value, wrong);
    None
}

/// One text, or a list of them.
fn strings(key: &str, value: &Value<'_>, wrong: &mut Collector<'_>) -> Vec<At<String>> {
    match value.get_ref() {
        DeValue::Array(items) => items.iter().filter_map(|item| string(key, item, wrong)).collect(),
        _ => string(key, value, wrong).into_iter().collect(),
    }
}

/// A date as TOML has them, or between quotation marks.
fn date(key: &str, value: &Value<'_>, wrong: &mut Collector<'_>) -> Option<At<String>> {
    let text = match value.get_ref() {
        DeValue::Datetime(date) => date.to_string(),
        DeValue::String(text) => text.to_string(),
        _ => {
            wrong_kind(key, "a date like 2026-03-31", value, wrong);
            return None;
        }
    };
    Some(At { value: text, span: value.span() })
}

fn yes_or_no(key: &str, value: &Value<'_>, wrong: &mut Collector<'_>) -> bool {
    if let DeValue::Boolean(yes) = value.get_ref() {
        return *yes;
    }
    wrong_kind(key, YES_OR_NO, value, wrong);
    false
}

/// A number as it is written; what it may be is checked later.
fn number(key: &str, value: &Value<'_>, wrong: &mut Collector<'_>) -> Option<At<String>> {
    let plain = match value.get_ref() {
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().replace('_', "")),
        _ => None,
    };
    if plain.is_none() {
        wrong_kind(key, NUMBER, value, wrong);
    }
    plain.map(|text| At { value: text, span: value.span() })
}

fn tables<T>(
    name: &str,
    value: &Value<'_>,
    wrong: &mut Collector<'_>,
    read: fn(&DeTable<'_>, Range<usize>, &mut Collector<'_>) -> T,
) -> Vec<T> {
    let items: Vec<&Value<'_>> = match value.get_ref() {
        DeValue::Array(items) => items.iter().collect(),
        _ => vec![value],
    };
    let mut found = Vec::new();
    for item in items {
        match item.get_ref() {
            DeValue::Table(table) => found.push(read(table, item.span(), wrong)),
            _ => wrong_kind(name, "double brackets around its name, and its keys below", item, wrong),
        }
    }
    found
}

fn destination(table: &DeTable<'_>, at: Range<usize>, wrong: &mut Collector<'_>) -> DraftDestination {
    let mut draft = DraftDestination { at, ..DraftDestination::default() };
    for (key, value) in in_order(table) {
        match key.get_ref().as_ref() {
            "id" => draft.id = string("id", value, wrong),
            "operator" => draft.operator = string("operator", value, wrong),
            "hosts" => draft.hosts = strings("hosts", value, wrong),
            "country" => draft.country = string("country", value, wrong),
            "on_site" => draft.on_site = yes_or_no("on_site", value, wrong),
            "contract" => draft.contract = contract(value, wrong),
            "training_opt_out" => draft.training_opt_out = yes_or_no("training_opt_out", value, wrong),
            "zero_retention" => draft.zero_retention = yes_or_no("zero_retention", value, wrong),
            "inference_region" => draft.inference_region = string("inference_region", value, wrong),
            "pins" => draft.pins = strings("pins", value, wrong),
            other => unknown(other, DESTINATION, &key.span(), wrong),
        }
    }
    draft
}

fn contract(value: &Value<'_>, wrong: &mut Collector<'_>) -> Option<DraftContract> {
    let DeValue::Table(table) = value.get_ref() else {
        wrong_kind("contract", "its name and its date: { name = \"…\", signed = 2026-03-31 }", value, wrong);
        return None;
    };
    let mut draft = DraftContract { at: value.span(), name: None, signed: None };
    for (key, value) in in_order(table) {
        match key.get_ref().as_ref() {
            "name" => draft.name = string("name", value, wrong),
            "signed" => draft.signed = date("signed", value, wrong),
            other => unknown(other, CONTRACT, &key.span(), wrong),
        }
    }
    Some(draft)
}

fn row(table: &DeTable<'_>, at: Range<usize>, wrong: &mut Collector<'_>) -> DraftRow {
    let mut draft = DraftRow { at, ..DraftRow::default() };
    for (key, value) in in_order(table) {
        match key.get_ref().as_ref() {
            "id" => draft.id = string("id", value, wrong),
            "data" => draft.data = string("data", value, wrong),
            "to" => draft.to = string("to", value, wrong),
            "ground" => draft.ground = string("ground", value, wrong),
            "verdict" => draft.verdict = string("verdict", value, wrong),
            other => unknown(other, ROW, &key.span(), wrong),
        }
    }
    draft
}
