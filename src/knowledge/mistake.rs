//! What is wrong in a knowledge file: where, what was found, what was meant.
//! All mistakes of a file are told at once, so that its owner mends it once.

use std::fmt;
use std::ops::Range;

use thiserror::Error;

/// Mistakes told at once. A file with more is better begun anew, and a hostile
/// one must not make a list as long as itself.
pub const MAX_MISTAKES: usize = 50;

/// A place in the file: rows and columns count from 1, columns in characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    pub row: usize,
    pub column: usize,
}

impl Place {
    pub const START: Self = Self { row: 1, column: 1 };
}

#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Wrong {
    #[error("the file has more than {0} bytes; a business's facts fit in far less")]
    TooLong(usize),
    #[error("this is not TOML: {0}")]
    Syntax(String),
    #[error("\"{found}\" is not known here; {}", meant(*.nearest, .known))]
    UnknownKey { found: String, nearest: Option<&'static str>, known: &'static [&'static str] },
    #[error("\"{found}\" is no day of the week; {}", meant(*.nearest, &["monday", "tuesday", "…", "weekdays", "weekend"]))]
    UnknownDay { found: String, nearest: Option<&'static str> },
    #[error("{key} needs {wanted}")]
    WrongKind { key: String, wanted: &'static str },
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0} is empty; write what the caller is to hear, or take it out")]
    Empty(&'static str),
    #[error("\"{0}\" is no time of day; write it like 8:00, 17:30, 8am or 5:30pm")]
    Time(String),
    #[error("\"{0}\" is no opening time; write it like 8:00-17:00, several with a comma between, or closed")]
    Hours(String),
    #[error("{found} closes before it opens; for {opens} in the morning to {closes} in the evening write {opens}:00-{}:00", .closes + 12)]
    EndsBeforeStart { found: String, opens: u16, closes: u16 },
    #[error("{0} and {1} overlap; let the one end before the other begins")]
    Overlap(String, String),
    #[error("{day} has its hours already, in row {first_row}")]
    DayTwice { day: &'static str, first_row: usize },
    #[error("\"{0}\" is no date; write it like 2026-12-25, or 25 December for every year")]
    Date(String),
    #[error("there is no {day} {month}: {month} has {longest} days")]
    NoSuchDay { day: i8, month: &'static str, longest: i8 },
    #[error("the holiday ends before it begins")]
    HolidayBackwards,
    #[error("the question is asked already, in row {first_row}; every question has one answer")]
    QuestionTwice { first_row: usize },
    #[error("the id \"{id}\" is used already, in row {first_row}")]
    IdTwice { id: String, first_row: usize },
    #[error("\"{0}\" cannot be an id; use a-z, 0-9 and '-', at most 48 characters")]
    Id(String),
    #[error("\"{0}\" is no telephone number; write it like 0803 123 4567 or +234 803 123 4567")]
    Phone(String),
    #[error("\"{0}\" is no time zone; write it like Africa/Lagos")]
    TimeZone(String),
    #[error("there are more than {most} {what}")]
    TooMany { what: &'static str, most: usize },
    #[error("{what} has {found} characters; at most {most} can be said on a telephone")]
    TooWordy { what: &'static str, found: usize, most: usize },
    #[error("nothing is known of \"{0}\": no heading above says what it is")]
    Stray(String),
}

fn meant(nearest: Option<&'static str>, known: &[&str]) -> String {
    match nearest {
        Some(nearest) => format!("\"{nearest}\" was probably meant"),
        None => format!("known are {}", known.join(", ")),
    }
}

/// One mistake and its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistake {
    pub place: Place,
    pub wrong: Wrong,
}

/// Every mistake of a file, in the order of its rows; never empty.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub struct Mistakes {
    /// The file's name, as it was handed in.
    pub file: String,
    pub list: Vec<Mistake>,
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mistake) in self.list.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:{}:{}: {}", self.file, mistake.place.row, mistake.place.column, mistake.wrong)?;
        }
        Ok(())
    }
}

/// Finds rows and columns of byte offsets, and collects mistakes.
pub(super) struct Collector<'a> {
    text: &'a str,
    row_starts: Vec<usize>,
    list: Vec<Mistake>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1);
        Self { text, row_starts: std::iter::once(0).chain(breaks).collect(), list: Vec::new() }
    }

    pub(super) fn place(&self, offset: usize) -> Place {
        let row = self.row_starts.partition_point(|start| *start <= offset).max(1);
        let start = self.row_starts[row - 1];
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count());
        Place { row, column: column + 1 }
    }

    pub(super) fn row(&self, offset: usize) -> usize {
        self.place(offset).row
    }

    pub(super) fn add(&mut self, at: &Range<usize>, wrong: Wrong) {
        let mistake = Mistake { place: self.place(at.start), wrong };
        if self.list.len() < MAX_MISTAKES && !self.list.contains(&mistake) {
            self.list.push(mistake);
        }
    }

    pub(super) const fn is_clean(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn into_mistakes(mut self, file: &str) -> Mistakes {
        self.list.sort_by_key(|m| m.place);
        Mistakes { file: file.to_owned(), list: self.list }
    }
}
