//! Wrong uses of the door do not compile. Each file of `tests/door/walls/` is one; it
//! marks the row at which the compiler must stop, and with what error. That the right
//! way does compile is shown by `tests/door/right.rs`, which is a part of this test.
//!
//! `trybuild` compiles them. What it is told to expect is not the compiler's words, which
//! each version of Rust says a little otherwise, but the marks: the words are written
//! beside copies of the cases and read from there.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "door/right.rs"]
#[allow(dead_code, reason = "it compiles, and that is all that is wanted of it")]
mod right;

const WALLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/door/walls");

/// In the environment of the program that asks the compiler: where the copies are.
const COPIES: &str = "MILU_WALLS";

/// Where an error of the compiler is: its code and its row.
type Error = (String, usize);

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension() == Some(OsStr::new(ending)));
    files.sort();
    files
}

/// What a case expects: `//~ E0308` on the row of the error.
fn marked(case: &Path) -> Vec<Error> {
    let text = std::fs::read_to_string(case).expect("a case can be read");
    let of_row = |(row, n): (&str, usize)| row.split_once("//~ ").map(|(_, code)| (code.trim().to_owned(), n));
    text.lines().zip(1..).filter_map(of_row).collect()
}

/// What the compiler said of a case: `error[E0308]: …`, and below it `--> FILE:ROW:COLUMN`.
fn said(case: &Path) -> Vec<Error> {
    let words = std::fs::read_to_string(case.with_extension("stderr")).expect("the compiler said something");
    let mut rows = words.lines();
    let mut found = Vec::new();
    while let Some(row) = rows.next() {
        let Some(error) = row.strip_prefix("error") else { continue };
        let code = error.split_once(']').map_or("no code", |(code, _)| code.trim_start_matches('['));
        let place = rows.by_ref().find_map(|row| row.trim_start().strip_prefix("--> ")).expect("an error has a place");
        let row = place.rsplit(':').nth(1).and_then(|row| row.parse().ok()).expect("a place has a row");
        found.push((code.to_owned(), row));
    }
    // One mistake may be told several times.
    found.dedup();
    found
}

#[test]
fn what_is_wrong_does_not_compile_and_fails_for_its_own_reason_alone() {
    let copies = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    for case in files(Path::new(WALLS), "rs") {
        std::fs::copy(&case, copies.path().join(case.file_name().expect("a name"))).expect("a copy");
    }
    // trybuild is told by the environment to write down what it sees. One job at a time:
    // the library's dependencies are checked anew for it, and other tests run meanwhile.
    // Nobody debugs what comes of it, and it would be three times as large.
    let asked = Command::new(std::env::current_exe().expect("our own path"))
        .args(["--exact", "the_compiler_is_asked", "--ignored", "--nocapture"])
        .env("TRYBUILD", "overwrite")
        .env("CARGO_BUILD_JOBS", "1")
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env(COPIES, copies.path())
        .output()
        .expect("this program runs");
    let (told, errors) = (String::from_utf8_lossy(&asked.stdout), String::from_utf8_lossy(&asked.stderr));
    assert!(asked.status.success(), "{told}\n{errors}");

    let cases = files(copies.path(), "rs");
    assert!(cases.len() > 20, "only {} walls were found", cases.len());
    for case in cases {
        let name = case.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let wanted = marked(&case);
        assert_eq!(wanted.len(), 1, "{name}: mark the row of its error");
        // A second error could hide that the first is another's.
        assert_eq!(said(&case), wanted, "{name}");
    }
}

#[test]
#[ignore = "run by the test above, with the environment that it needs"]
fn the_compiler_is_asked() {
    let copies = std::env::var(COPIES).expect("where the cases are");
    trybuild::TestCases::new().compile_fail(format!("{copies}/*.rs"));
}
