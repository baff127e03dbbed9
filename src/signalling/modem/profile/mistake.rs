use std::fmt;
use std::ops::Range;

use crate::terms::edit_distance;
use thiserror::Error;

/// Mistakes told at once. A file with more is better begun anew.
pub const PROFILE_MISTAKES_MAX: usize = 50;

/// What is shown of a text that was found: a hostile one must not fill a screen.
const SHOWN_CHARS_MAX: usize = 60;

/// A place in the file: rows and columns count from 1, columns in characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ProfilePlace {
    pub row: usize,
    pub column: usize,
}

/// What is wrong, and what was probably meant.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ProfileWrong {
    #[error("the file has more than {0} bytes; a modem's profile fits in far less")]
    TooLong(usize),
    #[error("this is not TOML: {0}")]
    Syntax(String),
    #[error("there is no key `{found}` here; {meant}")]
    UnknownKey { found: String, meant: String },
    #[error("`{found}` is no {what}; {meant}")]
    UnknownName { what: &'static str, found: String, meant: String },
    #[error("`{key}` needs {wanted}")]
    WrongKind { key: &'static str, wanted: &'static str },
    #[error("{of} lacks `{key}`: {wanted}")]
    Missing { of: &'static str, key: &'static str, wanted: &'static str },
    #[error("`{key}` is a whole number from {least} to {most}")]
    Number { key: &'static str, least: u64, most: u64 },
    #[error("there are more than {most} entries in `{key}`")]
    TooMany { key: &'static str, most: usize },
    #[error("`{0}` is no row for a modem: it begins with AT and has up to 120 printable characters")]
    Row(String),
    #[error("`{0}` is no beginning of a modem's row: it has 1 to 60 printable characters")]
    Beginning(String),
    #[error("`{0}` is no interface; write its number, or class/subclass/protocol like ff/01/02")]
    Interface(String),
    #[error("`{0}` is no USB number; write four digits of 0-9 and a-f, like 2c7c")]
    UsbNumber(String),
    #[error("`{0}` cannot be a name; names have 1 to 32 characters of a-z, 0-9 and '_'")]
    Name(String),
    #[error("`{0}` does not say where the key goes; write <d> in its place")]
    NoDigit(String),
    #[error("a profile that no hardware has proved says in `to_try` what must be tried")]
    NothingToTry,
}

/// One mistake and its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProfileMistake {
    pub place: ProfilePlace,
    pub wrong: ProfileWrong,
}

/// Every mistake of a file, in the order of its rows; never empty.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub struct ProfileMistakes {
    /// The file's name, as it was handed in.
    pub file: String,
    pub list: Vec<ProfileMistake>,
}

impl fmt::Display for ProfileMistakes {
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
    list: Vec<ProfileMistake>,
}

impl<'a> Collector<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, list: Vec::new() }
    }

    fn place(&self, offset: usize) -> ProfilePlace {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let row = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        ProfilePlace { row, column: before[start..].chars().count() + 1 }
    }

    pub(super) fn add(&mut self, at: &Range<usize>, wrong: ProfileWrong) {
        let mistake = ProfileMistake { place: self.place(at.start), wrong };
        if self.list.len() < PROFILE_MISTAKES_MAX && !self.list.contains(&mistake) {
            self.list.push(mistake);
        }
    }

    pub(super) fn into_mistakes(mut self, file: &str) -> Option<ProfileMistakes> {
        self.list.sort_by_key(|m| m.place);
        (!self.list.is_empty()).then(|| ProfileMistakes { file: file.to_owned(), list: self.list })
    }
}

/// What was found, cut short.
pub(super) fn shown(found: &str) -> String {
    match found.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &found[..end]),
        None => found.to_owned(),
    }
}

/// "`answer` was probably meant", or all that is known.
pub(super) fn meant(found: &str, known: &[&str]) -> String {
    match nearest(found, known) {
        Some(nearest) => format!("`{nearest}` was probably meant"),
        None => format!("known are {}", known.join(", ")),
    }
}

/// The known word that is written most like this one, if one is like it.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let length = word.chars().count();
    let limit = (length / 3).clamp(1, 3);
    let word = word.to_lowercase().replace([' ', '-'], "_");
    let like = known.iter().filter(|k| k.chars().count().abs_diff(length) <= limit);
    let distances = like.map(|k| (edit_distance(&word, &k.replace('-', "_")), *k));
    distances.filter(|(d, _)| *d <= limit).min_by_key(|(d, _)| *d).map(|(_, known)| known)
}
