//! The sentences of `tests/redaction/*.toml`.

use std::fs;
use std::ops::Range;
use std::path::Path;

use milu::privacy::Kind;

/// A sentence with its identifiers.
pub struct Case {
    pub text: String,
    pub private: Vec<(Kind, Range<usize>)>,
    /// What it looks like without them.
    pub redacted: String,
}

pub fn read(file: &str) -> toml::Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/redaction").join(file).with_extension("toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    text.parse().unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// The sentences of a file as they stand there.
pub fn sentences(file: &str) -> Vec<String> {
    let rows = read(file)["said"].as_array().expect("`said` is a list").clone();
    rows.into_iter().map(|row| row.as_str().expect("a sentence").to_owned()).collect()
}

pub fn cases(file: &str) -> Vec<Case> {
    sentences(file).iter().map(|sentence| marked(sentence)).collect()
}

/// Reads the braces: "call {phone:0803 123 4567}".
pub fn marked(sentence: &str) -> Case {
    let mut case = Case { text: String::new(), private: Vec::new(), redacted: String::new() };
    let mut rest = sentence;
    while let Some((before, marked)) = rest.split_once('{') {
        let (name, marked) = marked.split_once(':').expect("a kind stands before the colon");
        let (words, after) = marked.split_once('}').expect("a brace is closed");
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name).unwrap_or_else(|| panic!("no kind {name}"));
        case.text.push_str(before);
        let start = case.text.len();
        case.text.push_str(words);
        case.private.push((kind, start..case.text.len()));
        case.redacted.push_str(before);
        case.redacted.push_str(kind.label());
        rest = after;
    }
    case.text.push_str(rest);
    case.redacted.push_str(rest);
    case
}
