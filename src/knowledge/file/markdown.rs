//! The Markdown form of the knowledge file, as a draft. Headings of the second
//! level say what stands below them; a question is a heading of the third.
//!
//! ```text
//! # The business's name
//! The greeting, if one is wanted.
//! ## Opening hours
//! - Monday to Friday: 8:00-17:00
//! ## Questions
//! ### Do you deliver?
//! - Can you bring it to my house?
//!
//! Yes, within Yaba, for ₦1,500.
//! ```

use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, Parser, Tag, TagEnd};

use super::super::mistake::{Collector, Wrong};
use super::super::words::nearest;
use super::draft::{Draft, DraftEntry, DraftHoliday, DraftPerson};
use super::values::At;

const SECTIONS: &[&str] = &[
    "about",
    "hours",
    "opening hours",
    "holidays",
    "address",
    "directions",
    "questions",
    "people",
    "pronunciation",
    "pronunciations",
];
const ABOUT: &[&str] = &["greeting", "time zone", "country code", "address", "directions"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    About,
    Hours,
    Holidays,
    Address,
    Directions,
    Questions,
    People,
    Pronunciations,
    /// Under a heading that was refused: what follows is passed over.
    Refused,
}

/// A piece of text in the file's order.
enum Block {
    Heading(HeadingLevel),
    Paragraph,
    Item,
}

pub(super) fn read(text: &str, wrong: &mut Collector<'_>) -> Draft {
    let mut draft = Draft::default();
    let mut section = Section::About;
    for (block, content) in blocks(text) {
        match block {
            Block::Heading(HeadingLevel::H1) => draft.name = Some(content),
            Block::Heading(HeadingLevel::H2) => section = heading(&content, wrong),
            Block::Heading(_) if section == Section::Questions => {
                draft.entries.push(DraftEntry {
                    at: content.span.clone(),
                    ask: vec![content],
                    ..DraftEntry::default()
                });
            }
            Block::Heading(_) if section == Section::Refused => {}
            Block::Heading(_) => wrong.add(&content.span.clone(), Wrong::Stray(content.value)),
            Block::Item => item(section, content, &mut draft, wrong),
            Block::Paragraph => paragraph(section, content, &mut draft, wrong),
        }
    }
    draft
}

/// Headings, paragraphs and list items with their plain text, each where its
/// text begins.
fn blocks(text: &str) -> Vec<(Block, At<String>)> {
    let mut found = Vec::new();
    let mut open: Option<(Block, At<String>)> = None;
    for (event, span) in Parser::new(text).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => begin(&mut found, &mut open, Block::Heading(level), span),
            Event::Start(Tag::Item) => begin(&mut found, &mut open, Block::Item, span),
            // The paragraph inside a loose list's item belongs to the item.
            Event::Start(Tag::Paragraph) if !matches!(open, Some((Block::Item, _))) => {
                begin(&mut found, &mut open, Block::Paragraph, span);
            }
            Event::Text(piece) | Event::Code(piece) => add(&mut open, &piece, &span),
            Event::SoftBreak | Event::HardBreak => add(&mut open, " ", &span),
            Event::End(TagEnd::Heading(_) | TagEnd::Item | TagEnd::Paragraph | TagEnd::List(_)) => {
                let inside_item =
                    matches!(event, Event::End(TagEnd::Paragraph)) && matches!(open, Some((Block::Item, _)));
                if !inside_item {
                    found.extend(open.take());
                }
            }
            _ => {}
        }
    }
    found.extend(open.take());
    found
}

fn begin(
    found: &mut Vec<(Block, At<String>)>,
    open: &mut Option<(Block, At<String>)>,
    block: Block,
    span: Range<usize>,
) {
    found.extend(open.replace((block, At::new(String::new(), span))));
}

fn add(open: &mut Option<(Block, At<String>)>, piece: &str, span: &Range<usize>) {
    if let Some((_, content)) = open {
        if content.value.is_empty() {
            content.span = span.clone();
        }
        content.value.push_str(piece);
        content.span.end = content.span.end.max(span.end);
    }
}

fn heading(content: &At<String>, wrong: &mut Collector<'_>) -> Section {
    let lower = content.value.trim().to_lowercase();
    match lower.as_str() {
        "about" | "about us" => Section::About,
        "hours" | "opening hours" | "opening times" => Section::Hours,
        "holidays" | "public holidays" => Section::Holidays,
        "address" | "where we are" => Section::Address,
        "directions" | "how to find us" => Section::Directions,
        "questions" | "questions and answers" | "faq" => Section::Questions,
        "people" | "staff" => Section::People,
        "pronunciation" | "pronunciations" => Section::Pronunciations,
        _ => {
            let nearest = nearest(&lower, SECTIONS);
            let found = content.value.clone();
            wrong.add(&content.span, Wrong::UnknownKey { found, nearest, known: SECTIONS });
            Section::Refused
        }
    }
}

fn paragraph(section: Section, content: At<String>, draft: &mut Draft, wrong: &mut Collector<'_>) {
    let slot = match section {
        Section::About => return about(content, draft, wrong),
        Section::Refused => return,
        Section::Address => &mut draft.address,
        Section::Directions => &mut draft.directions,
        Section::Questions => match draft.entries.last_mut() {
            Some(entry) => &mut entry.answer,
            None => return wrong.add(&content.span.clone(), Wrong::Stray(content.value)),
        },
        Section::Hours | Section::Holidays | Section::People | Section::Pronunciations => {
            return item(section, content, draft, wrong);
        }
    };
    match slot {
        Some(text) => {
            text.value.push(' ');
            text.value.push_str(&content.value);
        }
        None => *slot = Some(content),
    }
}

/// "Time zone: Africa/Lagos"; a paragraph with no key is the greeting.
fn about(content: At<String>, draft: &mut Draft, wrong: &mut Collector<'_>) {
    let keyed = cut(&content, ':').filter(|(key, _)| key.value.split_whitespace().count() <= 2);
    let Some((key, value)) = keyed else {
        draft.greeting.get_or_insert(content);
        return;
    };
    match key.value.to_lowercase().as_str() {
        "greeting" => draft.greeting = Some(value),
        "time zone" | "timezone" => draft.time_zone = Some(value),
        "country code" => draft.country_code = Some(value),
        "address" => draft.address = Some(value),
        "directions" => draft.directions = Some(value),
        other => {
            let nearest = nearest(other, ABOUT);
            wrong.add(&key.span, Wrong::UnknownKey { found: other.to_owned(), nearest, known: ABOUT });
        }
    }
}

fn item(section: Section, content: At<String>, draft: &mut Draft, wrong: &mut Collector<'_>) {
    match section {
        Section::About => about(content, draft, wrong),
        Section::Refused => {}
        Section::Hours => match cut(&content, ':') {
            Some(pair) => draft.hours.push(pair),
            None => wrong.add(&content.span, Wrong::Hours(content.value.clone())),
        },
        Section::Holidays => draft.holidays.push(holiday(content)),
        Section::People => draft.people.push(person(content)),
        Section::Pronunciations => match cut(&content, ':') {
            Some(pair) => draft.pronunciations.push(pair),
            None => wrong.add(&content.span, Wrong::Missing("the ':' between the word and its pronunciation")),
        },
        Section::Questions => match draft.entries.last_mut() {
            Some(entry) => entry.ask.push(content),
            None => wrong.add(&content.span.clone(), Wrong::Stray(content.value)),
        },
        Section::Address | Section::Directions => paragraph(section, content, draft, wrong),
    }
}

/// "Christmas Day, 25 December: closed"; without hours it is closed.
fn holiday(content: At<String>) -> DraftHoliday {
    let at = content.span.clone();
    let (day, hours) = match cut(&content, ':') {
        Some((day, hours)) => (day, Some(hours)),
        None => (content, None),
    };
    let (name, date) = match cut(&day, ',') {
        Some((name, date)) => (name, Some(date)),
        None => (day, None),
    };
    DraftHoliday { at, name: Some(name), also: Vec::new(), date, hours }
}

/// "Nkechi Obi, owner: 0803 123 4567, Monday to Friday 9:00-17:00".
fn person(content: At<String>) -> DraftPerson {
    let at = content.span.clone();
    let (who, reach) = match cut(&content, ':') {
        Some((who, reach)) => (who, Some(reach)),
        None => (content, None),
    };
    let (name, role) = match cut(&who, ',') {
        Some((name, role)) => (name, Some(role)),
        None => (who, None),
    };
    let (number, ring) = match reach.as_ref().map(|r| (cut(r, ','), r)) {
        Some((Some((number, ring)), _)) => (Some(number), Some(ring)),
        Some((None, reach)) => (Some(reach.clone()), None),
        None => (None, None),
    };
    DraftPerson { at, name: Some(name), role, also: Vec::new(), number, ring }
}

/// Both sides of the first `mark`, trimmed, with their places. The places are
/// exact where the text stands in the file as it is read, without escapes.
fn cut(content: &At<String>, mark: char) -> Option<(At<String>, At<String>)> {
    let at = content.value.find(mark)?;
    let (left, right) = (&content.value[..at], &content.value[at + mark.len_utf8()..]);
    let indent = right.len() - right.trim_start().len();
    let start = content.span.start;
    let right_start = (start + at + mark.len_utf8() + indent).min(content.span.end);
    let left = At::new(left.trim().to_owned(), start..start + at);
    Some((left, At::new(right.trim().to_owned(), right_start..content.span.end)))
}
