use std::fmt;
use std::ops::Range;

use crate::terms::edit_distance;
use jiff::civil::Date;
use thiserror::Error;

/// Mistakes told at once. A file with more is better begun anew, and a hostile
/// one must not make a list as long as itself.
pub const MISTAKES_MAX: usize = 50;

/// Mistakes collected before the first are chosen by their places: more than a
/// full table can have, and few enough to look through for each new one.
const COLLECTED_MAX: usize = 4096;

/// What is shown of a text that was found: a hostile one must not fill a screen.
const SHOWN_CHARS_MAX: usize = 60;

/// A place in the file: rows and columns count from 1, columns in characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PolicyPlace {
    pub row: usize,
    pub column: usize,
}

/// What is wrong, and what was probably meant.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum PolicyWrong {
    #[error("the file has more than {0} bytes; a table of residency fits in far less")]
    TooLong(usize),
    #[error(
        "the file says nothing: it is empty, or only half of it is there; a policy under which nothing leaves says so, with `notice_period_days = 14`"
    )]
    SaysNothing,
    #[error("from here on this is not UTF-8; save the file as plain text in UTF-8")]
    NotUtf8,
    #[error("this is not TOML: {0}")]
    Syntax(String),
    #[error("there is no key `{found}` here; {meant}")]
    UnknownKey { found: String, meant: String },
    #[error("`{found}` is no {what}; {meant}")]
    UnknownName { what: &'static str, found: String, meant: String },
    #[error("`{key}` needs {wanted}")]
    WrongKind { key: String, wanted: &'static str },
    #[error("{of} lacks `{key}`: {wanted}")]
    Missing { of: String, key: &'static str, wanted: &'static str },
    #[error("`{key}` is empty; write it, or take it out")]
    Empty { key: String },
    #[error("`{key}` has {found} characters; at most {most} are kept in the register of transfers")]
    TooWordy { key: String, found: usize, most: usize },
    #[error("there are more than {most} {what}")]
    TooMany { what: &'static str, most: usize },
    #[error("`{0}` cannot be a name; names have 1 to 32 characters of a-z, 0-9 and '-'")]
    Name(String),
    #[error("`{0}` is no host; write NAME or NAME:PORT, without https:// and without a path")]
    Host(String),
    #[error("the destination `{id}` is described already, in row {first_row}")]
    DestinationTwice { id: String, first_row: usize },
    #[error("the host {host} belongs to `{other}` already, in row {first_row}; a host has one operator")]
    HostTwice { host: String, other: String, first_row: usize },
    #[error(
        "{host} is a name of the public internet, and an on-site destination stands in the business's own network; write its private address or its local name, or take `on_site` out"
    )]
    NotOnSite { host: String },
    #[error("`{found}` is no country's code of two letters (ISO 3166-1){meant}")]
    Country { found: String, meant: String },
    #[error("`{0}` is no date; write it like 2026-03-31, without quotation marks")]
    Date(String),
    #[error(
        "`{0}` is no pin: it is the SHA-256 of a key in base64, 44 characters, with or without `sha256/` before it"
    )]
    Pin(String),
    #[error(
        "`{0}` is no owner's key; write the row between BEGIN and END that `openssl pkey -in owner.pem -pubout` prints"
    )]
    OwnerKey(String),
    #[error("`{key}` is a whole number from {least} to {most}")]
    Number { key: String, least: u64, most: u64 },
    #[error("the row's name `{id}` is used already, in row {first_row}")]
    RowTwice { id: String, first_row: usize },
    #[error(
        "row {first_row} of the file says already that {class} goes {verdict} to `{destination}` on {ground}; take one of the two out"
    )]
    SaidTwice {
        class: &'static str,
        destination: String,
        ground: &'static str,
        verdict: &'static str,
        first_row: usize,
    },
    #[error(
        "row {first_row} of the file says {other} for {class} to `{destination}` on {ground}, and this one says {verdict}; only one of the two can hold"
    )]
    Contradiction {
        class: &'static str,
        destination: String,
        ground: &'static str,
        verdict: &'static str,
        other: &'static str,
        first_row: usize,
    },
    #[error(
        "sound cannot be had without what it tells of its speaker, so `redacted` would never send any; write \"raw\" or \"local\""
    )]
    SoundRedacted,
    #[error(
        "sensitive data does not go on the ground of {0} (NDPA 2023 s. 30, GDPR art. 9); the caller's consent is the usual ground"
    )]
    SensitiveGround(&'static str),
    #[error("{0} never goes raw, to nobody and on no ground; write \"redacted\" or \"local\"")]
    SecretRaw(&'static str),
    #[error(
        "{class} would go to `{destination}`, with which there is no contract; add `contract` to the destination, or write \"local\""
    )]
    NoContract { class: &'static str, destination: String },
    #[error(
        "{class} would go to `{destination}`, but its contract is dated {signed}, which is not yet; write \"local\" until then"
    )]
    ContractToCome { class: &'static str, destination: String, signed: Date },
}

impl PolicyWrong {
    /// Whether it is no slip of writing but a table that breaks a standing
    /// promise: it can be read, and what it allows be proved.
    pub const fn is_breach(&self) -> bool {
        matches!(self, Self::SecretRaw(_) | Self::NoContract { .. } | Self::ContractToCome { .. })
    }
}

/// One mistake and its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyMistake {
    pub place: PolicyPlace,
    pub wrong: PolicyWrong,
}

/// Every mistake of a file, in the order of its rows; never empty.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub struct PolicyMistakes {
    /// The file's name, as it was handed in.
    pub file: String,
    pub list: Vec<PolicyMistake>,
}

impl PolicyMistakes {
    /// The one mistake of a file of which nothing is read beyond `readable`.
    pub(super) fn after(readable: &str, file: &str, wrong: PolicyWrong) -> Self {
        let place = Collector::new(readable).place(readable.len());
        Self { file: file.to_owned(), list: vec![PolicyMistake { place, wrong }] }
    }
}

impl fmt::Display for PolicyMistakes {
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
    list: Vec<PolicyMistake>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1);
        Self { text, row_starts: std::iter::once(0).chain(breaks).collect(), list: Vec::new() }
    }

    fn place(&self, offset: usize) -> PolicyPlace {
        let row = self.row_starts.partition_point(|start| *start <= offset).max(1);
        let start = self.row_starts[row - 1];
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count());
        PolicyPlace { row, column: column + 1 }
    }

    pub(super) fn row(&self, offset: usize) -> usize {
        self.place(offset).row
    }

    pub(super) fn add(&mut self, at: &Range<usize>, wrong: PolicyWrong) {
        let mistake = PolicyMistake { place: self.place(at.start), wrong };
        if self.list.len() < COLLECTED_MAX && !self.list.contains(&mistake) {
            self.list.push(mistake);
        }
    }

    /// Every mistake but the breaches, if these are tolerated.
    pub(super) fn into_mistakes(mut self, file: &str, breaches: Breaches) -> Option<PolicyMistakes> {
        if breaches != Breaches::Refused {
            self.list.retain(|m| !m.wrong.is_breach());
        }
        if breaches == Breaches::OfBefore {
            self.list.retain(|m| !matches!(m.wrong, PolicyWrong::SensitiveGround(_)));
        }
        self.list.sort_by_key(|m| m.place);
        self.list.truncate(MISTAKES_MAX);
        (!self.list.is_empty()).then(|| PolicyMistakes { file: file.to_owned(), list: self.list })
    }
}

/// Whether a table that breaks a standing promise is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Breaches {
    Refused,
    /// For whoever wants the breach proved.
    Tolerated,
    /// For a text that was in force before it was one; so is a ground of sensitive data
    /// that the law does not know.
    OfBefore,
}

/// What was found, cut short.
pub(super) fn shown(found: &str) -> String {
    match found.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &found[..end]),
        None => found.to_owned(),
    }
}

/// "`greeting` was probably meant", or all that is known.
pub(super) fn meant(found: &str, known: &[&str]) -> String {
    match nearest(found, known) {
        Some(nearest) => format!("`{nearest}` was probably meant"),
        None if known.is_empty() => "there is none yet".to_owned(),
        None => format!("known are {}", known.join(", ")),
    }
}

/// The known word that is written most like this one, if one is like it.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let length = word.chars().count();
    let limit = (length / 3).clamp(1, 3);
    let word = word.to_lowercase().replace([' ', '_'], "-");
    let like = known.iter().filter(|k| k.chars().count().abs_diff(length) <= limit);
    let distances = like.map(|k| (edit_distance(&word, &k.replace('_', "-")), *k));
    distances.filter(|(d, _)| *d <= limit).min_by_key(|(d, _)| *d).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_word_that_is_nearest_was_meant() {
        let known = ["call-audio", "transcript", "training_opt_out"];
        assert_eq!(meant("trancript", &known), "`transcript` was probably meant");
        assert_eq!(meant("Call Audio", &known), "`call-audio` was probably meant");
        assert_eq!(meant("training-optout", &known), "`training_opt_out` was probably meant");
        assert!(meant("weather", &known).starts_with("known are call-audio, "));
    }
}
