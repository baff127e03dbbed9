//! Where things lie, and tables of what was measured.

use std::path::{Path, PathBuf};

use serde_json::Value;

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub fn models_dir() -> PathBuf {
    std::env::var_os("MILU_MODELS").map_or_else(|| root().join(".models"), PathBuf::from)
}

/// One row of the table: what, the figure named for it, what was measured.
pub struct Row {
    pub what: String,
    pub named: String,
    pub measured: String,
    pub values: Value,
}

impl Row {
    /// A row, told at once: a whole benchmark takes many minutes.
    #[allow(clippy::print_stderr, reason = "progress of a benchmark")]
    #[allow(dead_code, reason = "short benchmarks tell all of it at their end")]
    pub fn told(what: impl Into<String>, named: &str, measured: String, values: Value) -> Self {
        let what = what.into();
        eprintln!("{what}: {measured}");
        Self { what, named: named.to_owned(), measured, values }
    }
}

/// Prints the table and writes it to `target/bench/NAME.json`. A run of some parts
/// leaves the rows of the others there.
pub fn report(name: &str, rows: &[Row]) {
    println!("| {name} | to show | measured |\n|---|---|---|");
    for row in rows {
        println!("| {} | {} | {} |", row.what, row.named, row.measured);
    }
    let json: Vec<Value> = rows
        .iter()
        .map(|r| serde_json::json!({ "what": r.what, "to_show": r.named, "measured": r.measured, "values": r.values }))
        .collect();
    let dir = root().join("target/bench");
    std::fs::create_dir_all(&dir).expect("target/bench");
    let file = dir.join(format!("{name}.json"));
    let kept = if is_partial() { read(&file) } else { Vec::new() };
    let text = serde_json::to_vec_pretty(&merged(kept, json)).expect("JSON");
    std::fs::write(file, text).expect("the table is written");
}

/// Whether a part is to be measured: all of them, or those that are named, as in
/// `cargo bench --bench cloud -- silent at-once`.
#[allow(dead_code, reason = "short benchmarks have no parts")]
pub fn is_wanted(part: &str) -> bool {
    !is_partial() || named().any(|name| name == part)
}

fn is_partial() -> bool {
    named().next().is_some()
}

fn named() -> impl Iterator<Item = String> {
    std::env::args().skip(1).filter(|arg| !arg.starts_with('-'))
}

/// What an earlier run has left; nothing, where it left nothing that is whole.
fn read(file: &Path) -> Vec<Value> {
    let text = std::fs::read(file).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// The rows of an earlier run, with those in place that were measured again; new
/// ones follow. A row is known by what it measures.
pub fn merged(mut kept: Vec<Value>, measured: Vec<Value>) -> Vec<Value> {
    for row in measured {
        match kept.iter_mut().find(|old| old["what"] == row["what"]) {
            Some(old) => *old = row,
            None => kept.push(row),
        }
    }
    kept
}
