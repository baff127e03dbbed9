//! Tables of the file with their places, and the kinds of values that stand in them.

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::{Collector, ProfileWrong, meant, shown};
use super::{InterfaceRule, Need, SetUpRow};

/// Entries of any list: a set-up of more rows than this takes a minute.
const LIST_MAX: usize = 60;

/// A row for a modem; the longest of any profile has half of it.
const ROW_CHARS_MAX: usize = 120;

const BEGINNING_CHARS_MAX: usize = 60;

/// A text and where it stands.
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// A table, what it is called, and where it stands.
pub(super) struct Section<'t, 'a> {
    of: &'static str,
    table: &'t DeTable<'a>,
    at: Range<usize>,
}

type Value<'a> = Spanned<DeValue<'a>>;

impl<'t, 'a> Section<'t, 'a> {
    pub(super) fn new(
        of: &'static str,
        table: &'t DeTable<'a>,
        at: Range<usize>,
        known: &[&str],
        wrong: &mut Collector<'_>,
    ) -> Self {
        for key in table.keys() {
            let found: &Cow<'_, str> = key.get_ref();
            if !known.contains(&found.as_ref()) {
                let (found, meant) = (shown(found), meant(found, known));
                wrong.add(&key.span(), ProfileWrong::UnknownKey { found, meant });
            }
        }
        Self { of, table, at }
    }

    fn value(&self, key: &str) -> Option<&'t Value<'a>> {
        self.table.iter().find(|(k, _)| k.get_ref().as_ref() == key).map(|(_, value)| value)
    }

    pub(super) fn missing(&self, key: &'static str, wanted: &'static str, wrong: &mut Collector<'_>) {
        wrong.add(&self.at, ProfileWrong::Missing { of: self.of, key, wanted });
    }

    pub(super) fn text(&self, key: &'static str, wrong: &mut Collector<'_>) -> Option<At<String>> {
        text(key, self.value(key)?, wrong)
    }

    /// One text, or a list of them.
    pub(super) fn texts(&self, key: &'static str, wrong: &mut Collector<'_>) -> Vec<At<String>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else { return text(key, value, wrong).into_iter().collect() };
        if items.len() > LIST_MAX {
            wrong.add(&value.span(), ProfileWrong::TooMany { key, most: LIST_MAX });
            return Vec::new();
        }
        items.iter().filter_map(|item| text(key, item, wrong)).collect()
    }

    pub(super) fn yes_or_no(&self, key: &'static str, wrong: &mut Collector<'_>) -> Option<At<bool>> {
        let value = self.value(key)?;
        if let DeValue::Boolean(yes) = value.get_ref() {
            return Some(At { value: *yes, span: value.span() });
        }
        wrong.add(&value.span(), ProfileWrong::WrongKind { key, wanted: "true or false" });
        None
    }

    pub(super) fn number(
        &self,
        key: &'static str,
        (least, most): (u64, u64),
        otherwise: u64,
        wrong: &mut Collector<'_>,
    ) -> u64 {
        let Some(value) = self.value(key) else { return otherwise };
        let number = match value.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().replace('_', "").parse().ok(),
            _ => None,
        };
        match number {
            Some(number) if (least..=most).contains(&number) => number,
            _ => {
                wrong.add(&value.span(), ProfileWrong::Number { key, least, most });
                otherwise
            }
        }
    }

    pub(super) fn millis(
        &self,
        key: &'static str,
        bounds: (u64, u64),
        otherwise: u64,
        wrong: &mut Collector<'_>,
    ) -> Duration {
        Duration::from_millis(self.number(key, bounds, otherwise, wrong))
    }

    /// A row for the modem.
    pub(super) fn row(&self, key: &'static str, wrong: &mut Collector<'_>) -> Option<String> {
        let row = self.text(key, wrong)?;
        checked_row(row, wrong)
    }

    pub(super) fn rows(&self, key: &'static str, wrong: &mut Collector<'_>) -> Vec<String> {
        self.texts(key, wrong).into_iter().filter_map(|row| checked_row(row, wrong)).collect()
    }

    /// Rows of which those that begin with '?' may be refused, and those that begin with
    /// '|' stand in for the row before.
    pub(super) fn set_up_rows(&self, key: &'static str, wrong: &mut Collector<'_>) -> Vec<SetUpRow> {
        let marked = |text: At<String>, wrong: &mut Collector<'_>| {
            let (need, row) = match text.value.split_at_checked(1) {
                Some(("?", row)) => (Need::May, row),
                Some(("|", row)) => (Need::Instead, row),
                _ => (Need::Must, text.value.as_str()),
            };
            let row = checked_row(At { value: row.to_owned(), span: text.span }, wrong)?;
            Some(SetUpRow { row, need })
        };
        self.texts(key, wrong).into_iter().filter_map(|text| marked(text, wrong)).collect()
    }

    /// Beginnings of rows that the modem says.
    pub(super) fn beginnings(&self, key: &'static str, wrong: &mut Collector<'_>) -> Vec<String> {
        let mut found = Vec::new();
        for text in self.texts(key, wrong) {
            let length = text.value.chars().count();
            if (1..=BEGINNING_CHARS_MAX).contains(&length) && text.value.bytes().all(|b| (b' '..=b'~').contains(&b)) {
                found.push(text.value);
            } else {
                wrong.add(&text.span, ProfileWrong::Beginning(shown(&text.value)));
            }
        }
        found
    }

    pub(super) fn interfaces(&self, key: &'static str, wrong: &mut Collector<'_>) -> Vec<InterfaceRule> {
        let mut found = Vec::new();
        for text in self.texts(key, wrong) {
            match interface(&text.value) {
                Some(rule) => found.push(rule),
                None => wrong.add(&text.span, ProfileWrong::Interface(shown(&text.value))),
            }
        }
        found
    }

    pub(super) fn usb_number(&self, key: &'static str, wrong: &mut Collector<'_>) -> Option<u16> {
        let text = self.text(key, wrong)?;
        let number = (text.value.len() == 4).then(|| u16::from_str_radix(&text.value, 16).ok()).flatten();
        if number.is_none() {
            wrong.add(&text.span, ProfileWrong::UsbNumber(shown(&text.value)));
        }
        number
    }

    /// One of the names that are known for it.
    pub(super) fn name<T: Copy>(
        &self,
        key: &'static str,
        what: &'static str,
        known: &[(&'static str, T)],
        wrong: &mut Collector<'_>,
    ) -> Option<T> {
        let text = self.text(key, wrong)?;
        named(&text, what, known, wrong)
    }

    /// A table within this one.
    pub(super) fn section(
        &self,
        of: &'static str,
        known: &[&str],
        wrong: &mut Collector<'_>,
    ) -> Option<Section<'t, 'a>> {
        let value = self.value(of)?;
        let DeValue::Table(table) = value.get_ref() else {
            wrong.add(&value.span(), ProfileWrong::WrongKind { key: of, wanted: "a table: its name in brackets" });
            return None;
        };
        Some(Section::new(of, table, value.span(), known, wrong))
    }

    /// A list of tables within this one.
    pub(super) fn sections(&self, of: &'static str, known: &[&str], wrong: &mut Collector<'_>) -> Vec<Section<'t, 'a>> {
        let Some(value) = self.value(of) else { return Vec::new() };
        let items: Vec<&Value<'a>> = match value.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            _ => vec![value],
        };
        if items.len() > LIST_MAX {
            wrong.add(&value.span(), ProfileWrong::TooMany { key: of, most: LIST_MAX });
            return Vec::new();
        }
        let mut found = Vec::new();
        for item in items {
            match item.get_ref() {
                DeValue::Table(table) => found.push(Section::new(of, table, item.span(), known, wrong)),
                _ => wrong.add(
                    &item.span(),
                    ProfileWrong::WrongKind { key: of, wanted: "double brackets around its name, and its keys below" },
                ),
            }
        }
        found
    }
}

fn text(key: &'static str, value: &Value<'_>, wrong: &mut Collector<'_>) -> Option<At<String>> {
    if let DeValue::String(text) = value.get_ref() {
        return Some(At { value: text.to_string(), span: value.span() });
    }
    wrong.add(&value.span(), ProfileWrong::WrongKind { key, wanted: "text between quotation marks" });
    None
}

fn checked_row(row: At<String>, wrong: &mut Collector<'_>) -> Option<String> {
    let printable = row.value.bytes().all(|b| (b' '..=b'~').contains(&b));
    if row.value.starts_with("AT") && printable && row.value.len() <= ROW_CHARS_MAX {
        return Some(row.value);
    }
    wrong.add(&row.span, ProfileWrong::Row(shown(&row.value)));
    None
}

fn named<T: Copy>(
    text: &At<String>,
    what: &'static str,
    known: &[(&'static str, T)],
    wrong: &mut Collector<'_>,
) -> Option<T> {
    if let Some((_, value)) = known.iter().find(|(name, _)| *name == text.value) {
        return Some(*value);
    }
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let (found, meant) = (shown(&text.value), meant(&text.value, &names));
    wrong.add(&text.span, ProfileWrong::UnknownName { what, found, meant });
    None
}

/// `2`, or `ff/01/02` as class, subclass and protocol in hexadecimal digits.
fn interface(text: &str) -> Option<InterfaceRule> {
    let mut parts = text.split('/');
    let first = parts.next()?;
    let Some(second) = parts.next() else { return first.parse().ok().map(InterfaceRule::Number) };
    let third = parts.next()?;
    let hex = |part: &str| (part.len() == 2).then(|| u8::from_str_radix(part, 16).ok()).flatten();
    let rule = InterfaceRule::Class(hex(first)?, hex(second)?, hex(third)?);
    parts.next().is_none().then_some(rule)
}
