//! Presidio is the judge of our redaction: what its recognisers for cards,
//! e-mail, telephones and NINs find, ours finds too, on the sentences of our
//! corpus and on telephone numbers of the whole world.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "the helpers of tests are tests too")]

#[path = "redaction/corpus.rs"]
#[allow(dead_code, reason = "shared with the other tests of redaction")]
mod corpus;

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use corpus::{cases, sentences};
use milu::privacy::{Kind, Redactor};

/// The Python of the test environment, which the set-up of `make test` makes.
fn python() -> PathBuf {
    let path = std::env::var_os("MILU_TEST_PYTHON")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-python/bin/python"), PathBuf::from);
    assert!(
        path.exists(),
        "{} is missing: make it with tests/python/setup, or name another in MILU_TEST_PYTHON",
        path.display()
    );
    path
}

fn presidio(order: &str, input: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/redact_with_presidio.py");
    let mut child = Command::new(python())
        .arg(script)
        .arg(order)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The script reads all before it writes anything.
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What Presidio finds in each text: what it is, and where in octets.
fn judged(texts: &[String]) -> Vec<Vec<(String, Range<usize>)>> {
    let answer = presidio("find", &serde_json::to_string(texts).unwrap());
    let answer: Vec<Vec<(String, usize, usize)>> = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer.len(), texts.len());
    let octets = |text: &str, characters: usize| text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at);
    let of_text = |(text, found): (&String, Vec<(String, usize, usize)>)| {
        found.into_iter().map(|(kind, from, to)| (kind, octets(text, from)..octets(text, to))).collect()
    };
    texts.iter().zip(answer).map(of_text).collect()
}

/// Whether every letter and digit of the place is among what we found.
fn is_found(text: &str, place: &Range<usize>) -> bool {
    let found = Redactor::new().find(text);
    let meaning = text[place.clone()].char_indices().filter(|(_, c)| c.is_alphanumeric());
    meaning.map(|(at, _)| place.start + at).all(|at| found.iter().any(|one| one.span.contains(&at)))
}

fn assert_superset(texts: &[String], at_least: usize) {
    let judged = judged(texts);
    let total = judged.iter().map(Vec::len).sum::<usize>();
    assert!(total >= at_least, "the judge found {total} only: it was not asked well");
    let missed: Vec<String> = texts
        .iter()
        .zip(&judged)
        .flat_map(|(text, found)| found.iter().map(move |one| (text, one)))
        .filter(|(text, (_, place))| !is_found(text, place))
        .map(|(text, (kind, place))| format!("{kind} {:?} in {text}", &text[place.clone()]))
        .collect();
    println!("{} of {total} missed:\n{}", missed.len(), missed.join("\n"));
    assert!(missed.is_empty(), "{} of {total} missed: {}", missed.len(), missed[0]);
}

#[test]
fn what_presidio_finds_in_our_corpus_is_found_by_us() {
    let files = ["written", "spoken", "pidgin", "email", "calls", "later"];
    let texts: Vec<String> = files.into_iter().flat_map(cases).map(|case| case.text).collect();
    assert_superset(&texts, 60);
    // It knows nothing that is said in words, nor a number with a wrong digit.
    let (ours, theirs) =
        (cases("spoken"), judged(&cases("spoken").into_iter().map(|case| case.text).collect::<Vec<_>>()));
    let found: usize = ours.iter().map(|case| Redactor::new().find(&case.text).len()).sum();
    assert!(found > 10 * theirs.iter().map(Vec::len).sum::<usize>());
}

#[test]
fn a_telephone_number_of_any_country_is_found_as_presidio_finds_it() {
    let texts: Vec<String> = serde_json::from_str(&presidio("examples", "")).unwrap();
    assert!(texts.len() > 1_500, "{}", texts.len());
    assert_superset(&texts, 1_500);
    // A number with its "+" is one of a telephone, and is called so.
    let written: Vec<&String> = texts.iter().filter(|text| text.starts_with('+')).collect();
    let unnamed: Vec<&&String> = written
        .iter()
        .filter(|text| {
            Redactor::new().find(text).first().is_none_or(|one| one.kind != Kind::Phone || one.span != (0..text.len()))
        })
        .collect();
    assert!(unnamed.is_empty(), "{} of {}: {:?}", unnamed.len(), written.len(), unnamed);
}

#[test]
fn what_presidio_takes_for_an_identifier_in_harmless_talk_is_looked_at() {
    let texts = sentences("whole");
    let taken: Vec<String> = texts
        .iter()
        .zip(judged(&texts))
        .flat_map(|(text, found)| found.into_iter().map(move |(kind, place)| format!("{kind} {:?}", &text[place])))
        .collect();
    assert!(taken.is_empty(), "a sentence that must stay whole holds an identifier: {taken:?}");
}
