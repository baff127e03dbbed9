//! Where things lie, and tables of what was measured.

use std::path::PathBuf;

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

/// Prints the table and writes it to `target/bench/NAME.json`.
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
    let text = serde_json::to_vec_pretty(&json).expect("JSON");
    std::fs::write(dir.join(format!("{name}.json")), text).expect("the table is written");
}
