//! Wrong uses of the door do not compile. Each file of `tests/door/walls/` is
//! one; it marks the row at which the compiler must stop, and with what error.
//!
//! The compiler is called on the library as this test was linked with it, so a
//! case costs less than a second and no dependency is built again.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

const WALLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/door/walls");

/// The one file that must compile.
const RIGHT: &str = "right";

/// Where an error of the compiler is: its code and its row.
type Error = (String, u64);

/// The folder into which this test and the library were built.
fn built() -> PathBuf {
    let own = std::env::current_exe().expect("our own path");
    own.parent().expect("a folder").to_owned()
}

/// The library that was built last, which is the one that this test was built with.
fn library() -> PathBuf {
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("libmilu-") && name.ends_with(".rlib")
    };
    let when = |path: &PathBuf| path.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let entries = std::fs::read_dir(built()).expect("the folder can be read");
    let rlibs = entries.map(|entry| entry.expect("an entry").path()).filter(is_ours);
    rlibs.max_by_key(when).expect("the library was built")
}

/// The compiler beside the cargo that built this.
fn compiler() -> PathBuf {
    let beside = Path::new(env!("CARGO")).with_file_name("rustc");
    if beside.exists() { beside } else { "rustc".into() }
}

/// What the compiler says of a file.
fn errors(file: &Path, library: &Path) -> Vec<Error> {
    let out = tempfile::tempdir().expect("a folder");
    let output = Command::new(compiler())
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--error-format=json", "--cap-lints=allow"])
        .arg("--extern")
        .arg(format!("milu={}", library.display()))
        .arg("-L")
        .arg(format!("dependency={}", built().display()))
        .arg("--out-dir")
        .arg(out.path())
        .arg(file)
        .output()
        .expect("the compiler runs");
    let said = String::from_utf8(output.stderr).expect("JSON is UTF-8");
    let mut found: Vec<Error> = said.lines().filter_map(error).collect();
    // One mistake may be told several times.
    found.dedup();
    assert_eq!(output.status.success(), found.is_empty(), "{}: {said}", file.display());
    found
}

/// An error in a row of the compiler's JSON; none for warnings and for its last words.
fn error(row: &str) -> Option<Error> {
    let message: serde_json::Value = serde_json::from_str(row).expect("a row of JSON");
    if message["level"] != "error" || message["spans"].as_array().is_none_or(Vec::is_empty) {
        return None;
    }
    let primary = message["spans"].as_array()?.iter().find(|span| span["is_primary"] == true)?;
    Some((message["code"]["code"].as_str().unwrap_or("no code").to_owned(), primary["line_start"].as_u64()?))
}

/// What a file expects: `//~ E0308` on the row of the error.
fn expected(text: &str) -> Option<Error> {
    text.lines().zip(1..).find_map(|(row, n)| row.split_once("//~ ").map(|(_, code)| (code.trim().to_owned(), n)))
}

#[test]
fn what_is_wrong_does_not_compile_and_what_is_right_does() {
    let library = library();
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(WALLS).expect("the walls").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(files.len() > 20, "only {} walls were found", files.len());
    let mut breaches = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).expect("a wall can be read");
        let (found, wanted) = (errors(&file, &library), expected(&text));
        assert_eq!(wanted.is_none(), name == RIGHT, "{name}: mark the row of its error");
        // One error alone: a second could hide that the first is another's.
        if found != wanted.clone().into_iter().collect::<Vec<_>>() {
            breaches.push(format!("{name}: expected {wanted:?}, and the compiler says {found:?}"));
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}
