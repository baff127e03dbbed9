//! What the residency policy costs: a decision asked of Cedar, one that a call's
//! gate has kept, and reading a whole table.

#![allow(
    clippy::print_stdout,
    clippy::panic,
    clippy::expect_used,
    reason = "a benchmark prints its table, and ends where it cannot measure"
)]

#[path = "support/tables.rs"]
#[allow(dead_code, reason = "this benchmark needs no models")]
mod tables;

use std::hint::black_box;
use std::sync::Arc;

use jiff::civil::{Date, date};
use milu::ops::SystemClock;
use milu::residency::{CallGate, CallerWishes, DataClass, DestinationId, Policy, ROWS_MAX, Redact, Verdict};
use serde_json::json;
use tables::{Row, report};

const TODAY: Date = date(2026, 11, 26);

/// Enough for a p99 that is not one outlier.
const DECISIONS: usize = 20_000;

fn main() {
    // `cargo test --benches` asks only whether it builds.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    let mut rows = Vec::new();
    let (small, full) = (table(3, 12), table(32, ROWS_MAX));
    for (name, text) in [("a table of 12 rows", &small), ("a table of 512 rows, the longest", &full)] {
        let policy = Policy::parse("residency.toml", text, TODAY).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        rows.push(decisions(name, &policy));
    }
    rows.push(kept(&full));
    rows.push(reading(&full));
    report("residency", &rows);
}

/// A table of so many destinations and rows; each has its class, destination and ground for itself.
fn table(destinations: usize, rows: usize) -> String {
    let classes = ["call-audio", "transcript", "reply", "knowledge", "contact", "telemetry"];
    let grounds =
        ["consent", "contract", "legal-obligation", "vital-interest", "public-interest", "legitimate-interest"];
    let mut text = String::new();
    for n in 0..destinations {
        text.push_str(&format!(
            "[[destination]]\nid = \"d{n}\"\noperator = \"Operator {n}\"\nhosts = [\"h{n}.example\"]\ncountry = \"US\"\n\
             contract = {{ name = \"DPA {n}\", signed = 2026-01-05 }}\n"
        ));
    }
    for n in 0..rows {
        let (to, class, ground) = (n % destinations, n / destinations % 6, n / destinations / 6 % 6);
        // Three destinations have four classes each; the longest table needs the other grounds too.
        let (class, ground) = (classes[class], grounds[(ground + 1) % 6]);
        text.push_str(&format!(
            "[[row]]\ndata = \"{class}\"\nto = \"d{to}\"\nground = \"{ground}\"\nverdict = \"raw\"\n"
        ));
    }
    text
}

/// Everything that a row speaks of, in every state of a caller's wishes, in turn, so
/// that nothing that was asked just before helps. What no row speaks of is cheaper.
fn decisions(name: &str, policy: &Policy) -> Row {
    let clock = SystemClock::new();
    let questions: Vec<_> = policy
        .destinations()
        .iter()
        .flat_map(|d| DataClass::ALL.map(|class| (class, d.id.clone())))
        .filter(|(class, to)| policy.rows().iter().any(|row| row.class == *class && row.destination == *to))
        .flat_map(|(class, to)| CallerWishes::STATES.map(|wishes| (class, to.clone(), wishes)))
        .collect();
    let mut taken_us = Vec::with_capacity(DECISIONS);
    let mut sent = 0;
    for (class, to, wishes) in questions.iter().cycle().take(DECISIONS) {
        let from = clock.now();
        let decision = black_box(policy.decide(*class, to, *wishes));
        taken_us.push(clock.now().since(from).as_secs_f64() * 1e6);
        sent += usize::from(decision.verdict != Verdict::Local);
    }
    assert!(sent > 0, "some of it goes");
    let (p50, p99) = (percentile(&mut taken_us, 0.5), percentile(&mut taken_us, 0.99));
    Row {
        what: format!("a decision asked of Cedar, {name}"),
        named: "≤ 50 µs".to_owned(),
        measured: format!("p50 {p50:.1} µs, p99 {p99:.1} µs"),
        values: json!({ "p50_us": p50, "p99_us": p99, "decisions": DECISIONS, "sent": sent }),
    }
}

struct Nothing;
impl Redact for Nothing {
    fn redact(&self, text: &str) -> String {
        text.to_owned()
    }
}

/// The same frame's question fifty times a second: asked once, then kept.
fn kept(text: &str) -> Row {
    let clock = SystemClock::new();
    let policy = Policy::parse("residency.toml", text, TODAY).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let gate = CallGate::new(Arc::new(policy), Arc::new(Nothing));
    let to = DestinationId::parse("d0").expect("a name");
    let from = clock.now();
    for _ in 0..DECISIONS {
        assert!(black_box(gate.may_go(&[DataClass::CallAudio], &to)), "sound goes there");
    }
    let each_us = clock.now().since(from).as_secs_f64() * 1e6 / DECISIONS as f64;
    Row {
        what: "a frame's decision in a call, kept by its gate".to_owned(),
        named: "≤ 50 µs".to_owned(),
        measured: format!("{each_us:.2} µs"),
        values: json!({ "mean_us": each_us }),
    }
}

/// A change of the longest table: read, checked and compiled.
fn reading(text: &str) -> Row {
    let clock = SystemClock::new();
    let mut taken_ms: Vec<f64> = (0..20)
        .map(|_| {
            let from = clock.now();
            let policy = Policy::parse("residency.toml", text, TODAY).unwrap_or_else(|mistakes| panic!("{mistakes}"));
            assert_eq!(black_box(policy).rows().len(), ROWS_MAX);
            clock.now().since(from).as_secs_f64() * 1e3
        })
        .collect();
    let p50 = percentile(&mut taken_ms, 0.5);
    Row {
        what: "reading and compiling the longest table".to_owned(),
        named: String::new(),
        measured: format!("{p50:.0} ms"),
        values: json!({ "p50_ms": p50 }),
    }
}

fn percentile(values: &mut [f64], p: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (p * values.len() as f64).ceil().max(1.0) as usize;
    values.get(rank - 1).copied().unwrap_or(f64::NAN)
}
