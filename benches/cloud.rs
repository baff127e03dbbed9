//! A box whose engines are outside, with stand-ins for the vendors that answer at
//! once or at the published medians: what the box adds to a turn, how long a
//! caller waits, how soon it is silent when interrupted, how long a provider that
//! goes silent is felt, and what thirty calls at once cost. Real SIP, RTP and TLS.
//!
//! The stand-ins' ears are told what is said and their voice has spoken it
//! before: they run on the same two cores, and the box is what is measured.

#![allow(
    clippy::print_stdout,
    clippy::panic,
    clippy::expect_used,
    reason = "a benchmark prints its table, and ends where it cannot measure"
)]

#[path = "../tests/providers/mod.rs"]
mod providers;
#[path = "support/tables.rs"]
mod tables;
#[path = "support/the_box.rs"]
#[allow(dead_code, reason = "this benchmark does not weigh the box")]
mod the_box;
#[path = "support/watch.rs"]
mod watch;

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use milu::call::phrases;
use milu::ops::SystemClock;
use milu::residency::{CallerWishes, DataClass, Policy};
use providers::owner::{CAREFUL, Owner};
use providers::{FaultKind, FaultOrder, Options, Provider, Providers};
use serde_json::{Value, json};
use tables::{Row, is_wanted, models_dir, report};
use the_box::{BoxUnderTest, Outside, percentile};
use watch::Watch;

/// Questions of different lengths over different facts.
const QUESTIONS: [&str; 10] = [
    "When do you open on Saturday?",
    "How much does it cost to see a doctor?",
    "Where is your clinic?",
    "Do you have parking?",
    "Can I pay with a bank transfer?",
    "Are you open now?",
    "Do you accept health insurance?",
    "How much is a malaria test?",
    "Do I need an appointment to see the doctor?",
    "What time do you close on Friday?",
];

/// Calls of ten questions each; thirty answers give a p95 that is not one outlier.
const CALLS: usize = 3;

/// So many interruptions give a p95 that is not the worst one.
const INTERRUPTIONS: usize = 24;
const IN_ONE_CALL: usize = 6;
const BREAKS_IN: &str = "Excuse me, where is your clinic?";

/// Of each stage, so many answers with a silent provider.
const SILENCES: usize = 3;

/// What the ears and the mind are asked when they are silent.
const OF_FACTS: [&str; SILENCES] = [QUESTIONS[1], QUESTIONS[2], QUESTIONS[3]];

/// What the voice is asked for: the answers depend on the day, so no sentence of them is
/// kept on the box, and the first sound is to be made afresh.
const OF_DAYS: [&str; SILENCES] =
    ["What time do you close on Friday?", "When do you open on Monday?", "When do you close on Wednesday?"];

const CALLS_AT_ONCE: usize = 30;

/// While all of them talk.
const WATCHED: Duration = Duration::from_secs(30);

const DECISIONS: usize = 10_000;

/// A box and its vendors. The box goes first: it has connections to them.
struct Bench {
    boxed: BoxUnderTest,
    vendors: Providers,
    /// The vendors' and the owner's files.
    _files: tempfile::TempDir,
}

impl Bench {
    fn start(at_medians: bool) -> Self {
        let files = tempfile::tempdir().expect("a directory");
        let known = files.path().join("words");
        std::fs::write(&known, QUESTIONS.join("\n")).expect("the known words");
        let mut options = Options::new(files.path().join("vendors"));
        options.medians = at_medians;
        options.models = models_dir();
        options.known_words = Some(known);
        options.voice_cache = Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("spoken-by-stand-ins"));
        if !at_medians {
            options.mind_tokens_per_s = 0;
        }
        let vendors = Providers::start(options).expect("the stand-ins start");
        let owner = Owner::new(files.path(), vendors.ports());
        owner.write_credentials().expect("the keys");
        owner.allow(CAREFUL).expect("the policy");
        let outside = Outside { sections: owner.sections(), credentials: Some(owner.credentials()) };
        let place = tempfile::tempdir().expect("a directory for the box");
        let boxed = BoxUnderTest::start_with(place, "", &outside);
        boxed.warmed_up();
        Self { boxed, vendors, _files: files }
    }

    /// A call of these sentences, and its record.
    fn ring(&self, sentences: &[&str], steps: &[String]) -> (Value, Value) {
        assert!(self.vendors.will_say(sentences), "the ears are told what is said");
        let call = self.boxed.ring(steps).ended();
        (call, self.boxed.newest_record())
    }

    fn asks(&self, questions: &[&str]) -> (Value, Value) {
        let steps: Vec<String> = questions.iter().flat_map(|q| ["--say".to_owned(), (*q).to_owned()]).collect();
        self.ring(questions, &steps)
    }
}

fn main() {
    // `cargo test --benches` asks only whether it builds.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    let mut rows = Vec::new();
    if is_wanted("adds") || is_wanted("interruptions") {
        let bench = Bench::start(false);
        // What is said is spoken for the first time, and kept.
        bench.asks(&QUESTIONS);
        if is_wanted("adds") {
            what_the_box_adds(&bench, &mut rows);
        }
        if is_wanted("interruptions") {
            interruptions(&bench, &mut rows);
        }
    }
    if is_wanted("voice-to-voice") {
        voice_to_voice(&Bench::start(true), &mut rows);
    }
    for stage in [Stage::EARS, Stage::MIND, Stage::VOICE] {
        if is_wanted("silent") || is_wanted(&format!("silent-{}", stage.name)) {
            silent_provider(&stage, &mut rows);
        }
    }
    if is_wanted("decision") {
        decisions(&mut rows);
    }
    if is_wanted("at-once") {
        calls_at_once(&mut rows);
    }
    report("cloud", &rows);
}

/// This time of all answers of a record.
fn latencies(record: &Value, key: &str) -> Vec<f64> {
    let turns = record["turns"].as_array().into_iter().flatten();
    turns.filter_map(|turn| turn["latency"][key].as_f64()).collect()
}

/// From the decision that the turn is over to the first sound of the answer. What
/// the stand-ins themselves need is in it: on a quiet machine some milliseconds.
fn what_the_box_adds(bench: &Bench, rows: &mut Vec<Row>) {
    let (mut added, mut parts) = (Vec::new(), Vec::new());
    for _ in 0..CALLS {
        let (_, record) = bench.asks(&QUESTIONS);
        for turn in record["turns"].as_array().into_iter().flatten() {
            let of = |key: &str| turn["latency"][key].as_f64();
            let (Some(whole), Some(endpoint)) = (of("voice_to_voice_ms"), of("endpoint_ms")) else { continue };
            added.push(whole - endpoint);
            parts.push(turn["latency"].clone());
        }
    }
    rows.push(Row::told(
        "what the box adds to a turn, vendors at zero, after the end of turn",
        "p50 ≤ 15 ms, p95 ≤ 40 ms",
        milliseconds(&added),
        json!({ "added_ms": added, "turns": parts }),
    ));
}

fn voice_to_voice(bench: &Bench, rows: &mut Vec<Row>) {
    let (mut heard, mut recorded, mut endpoint) = (Vec::new(), Vec::new(), Vec::new());
    let (mut kept, mut fresh) = (Vec::new(), Vec::new());
    for _ in 0..CALLS {
        bench.vendors.forget();
        let (call, record) = bench.asks(&QUESTIONS);
        let turns = call["turns"].as_array().into_iter().flatten();
        heard.extend(turns.filter_map(|turn| turn["voice_to_voice_ms"].as_f64()));
        recorded.extend(latencies(&record, "voice_to_voice_ms"));
        endpoint.extend(latencies(&record, "endpoint_ms"));
        let spoken = bench.vendors.seen(Provider::Voice).answered;
        for turn in record["turns"].as_array().into_iter().flatten() {
            let Some(ms) = turn["latency"]["voice_to_voice_ms"].as_f64() else { continue };
            let is_fresh = begins_with_any(turn["text"].as_str().unwrap_or_default(), &spoken);
            if is_fresh { fresh.push(ms) } else { kept.push(ms) }
        }
    }
    rows.push(Row::told(
        "voice to voice, vendors at their medians, as the caller hears it",
        "p50 ≤ 1.1 s, p95 ≤ 2.0 s (production field: 1.5 s, 5 s)",
        milliseconds(&heard),
        json!(heard),
    ));
    rows.push(Row::told("the same, as the record says", "", milliseconds(&recorded), json!(recorded)));
    rows.push(Row::told("of these: the first sentence was kept", "", milliseconds(&kept), json!(kept)));
    rows.push(Row::told("of these: the first sentence was rendered fresh", "", milliseconds(&fresh), json!(fresh)));
    rows.push(Row::told("of which: deciding that the turn is over", "", milliseconds(&endpoint), json!(endpoint)));
}

/// Whether an answer begins with words that the voice was sent in its call, or with
/// a part of them: then its first sound was made afresh.
fn begins_with_any(answer: &str, spoken: &[String]) -> bool {
    let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    let answer = letters(answer);
    let mut spoken = spoken.iter().map(|text| letters(text)).filter(|text| !text.is_empty());
    !answer.is_empty() && spoken.any(|text| answer.starts_with(&text) || text.starts_with(&answer))
}

fn interruptions(bench: &Bench, rows: &mut Vec<Row>) {
    let mut silent = Vec::new();
    for n in 0..INTERRUPTIONS / IN_ONE_CALL {
        let asked = |i: usize| QUESTIONS[(n * IN_ONE_CALL + i) % QUESTIONS.len()];
        let sentences: Vec<&str> = (0..IN_ONE_CALL).flat_map(|i| [asked(i), BREAKS_IN]).collect();
        let steps: Vec<String> = sentences
            .chunks(2)
            .flat_map(|pair| ["--say", pair[0], "--interrupt", pair[1]].map(str::to_owned))
            .collect();
        let (call, _) = bench.ring(&sentences, &steps);
        let turns = call["turns"].as_array().into_iter().flatten();
        silent.extend(turns.filter_map(|turn| turn["interrupted_after_ms"].as_f64()));
    }
    rows.push(Row::told(
        "barge-in: the caller's first sound to silence on the line",
        "p95 ≤ 200 ms",
        milliseconds(&silent),
        json!(silent),
    ));
}

/// A kind of engine whose provider goes silent.
struct Stage {
    name: &'static str,
    provider: Provider,
    /// The parts of a turn that are over when it is given its work.
    before: &'static [&'static str],
    /// What is asked when it is silent.
    asked: [&'static str; SILENCES],
}

impl Stage {
    const EARS: Self = Self { name: "ears", provider: Provider::Ears, before: &["endpoint_ms"], asked: OF_FACTS };
    const MIND: Self =
        Self { name: "mind", provider: Provider::Mind, before: &["endpoint_ms", "transcribe_ms"], asked: OF_FACTS };
    const VOICE: Self = Self {
        name: "voice",
        provider: Provider::Voice,
        before: &["endpoint_ms", "transcribe_ms", "respond_first_ms"],
        asked: OF_DAYS,
    };
}

/// Its connection stands and carries nothing any more, from the middle of a call
/// on. How long after the engine's deadline does the caller hear the answer?
fn silent_provider(stage: &Stage, rows: &mut Vec<Row>) {
    let (mut over, mut waited, mut whys) = (Vec::new(), Vec::new(), Vec::new());
    for (n, asked) in stage.asked.into_iter().enumerate() {
        // A box that has not been let down yet: a breaker that is open would spare
        // the caller the wait.
        let bench = Bench::start(true);
        let questions = [QUESTIONS[n], asked];
        assert!(bench.vendors.will_say(&questions), "the ears are told what is said");
        let steps: Vec<String> = questions.iter().flat_map(|q| ["--say".to_owned(), (*q).to_owned()]).collect();
        let mut watch = Watch::of(&bench.boxed.socket());
        let call = bench.boxed.ring(&steps);
        watch.wait_for(1, |event| event["turn"]["who"] == "box" && event["turn"]["latency"]["endpoint_ms"].is_u64());
        bench.vendors.fault(FaultOrder::new(stage.provider, FaultKind::Stall));
        call.ended();
        let record = bench.boxed.newest_record();
        let Some(felt) = felt(stage, &record) else { continue };
        over.push(felt.over_ms);
        waited.push(felt.waited_ms);
        whys.push(felt.why);
    }
    rows.push(Row::told(
        format!("{} silent in a call: the answer comes so long after the deadline", stage.name),
        "≤ 1.5 s",
        format!("{}; in all {}", milliseconds(&over), milliseconds(&waited)),
        json!({ "over_ms": over, "waited_ms": waited, "why": whys }),
    ));
}

struct Felt {
    over_ms: f64,
    waited_ms: f64,
    why: String,
}

/// What the caller of this record waited for the answer in which the stage was left.
fn felt(stage: &Stage, record: &Value) -> Option<Felt> {
    let turns = record["turns"].as_array()?;
    let is_it = |failover: &&Value| failover["stage"] == stage.name;
    let at =
        turns.iter().rposition(|turn| turn["who"] == "caller" && !turn["text"].as_str().unwrap_or("").is_empty())?;
    let part = &turns[at..];
    let left = part.iter().flat_map(|turn| turn["failover"].as_array().into_iter().flatten()).find(is_it)?;
    let answer = part[1..].iter().find(|turn| turn["who"] == "box" && turn["text"] != phrases::ONE_MOMENT)?;
    let waited_ms = answer["started_ms"].as_f64()? - part[0]["ended_ms"].as_f64()?;
    let timed = part[1..].iter().find(|turn| turn["latency"]["endpoint_ms"].is_u64()).unwrap_or(answer);
    let took = |key: &str| timed["latency"][key].as_f64();
    let before: f64 = stage.before.iter().filter_map(|key| took(key)).sum();
    let after_ms = left["after_ms"].as_f64()?;
    if stage.provider == Provider::Voice {
        // Else nobody waits for the voice, and nothing is measured.
        assert!(took("synthesize_first_ms") >= Some(after_ms), "the first sound was kept on the box");
    }
    let over_ms = waited_ms - before - after_ms;
    Some(Felt { over_ms, waited_ms, why: left["why"].as_str()?.to_owned() })
}

/// A decision asked of Cedar under the policy of these calls.
fn decisions(rows: &mut Vec<Row>) {
    let files = tempfile::tempdir().expect("a directory");
    let vendors = Providers::start(Options::new(files.path().join("vendors"))).expect("the stand-ins start");
    let owner = Owner::new(files.path(), vendors.ports());
    owner.allow(CAREFUL).expect("the policy");
    let text = std::fs::read_to_string(owner.policy_file()).expect("the policy");
    let today = jiff::civil::date(2026, 11, 26);
    let policy = Policy::parse("residency.toml", &text, today).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let questions: Vec<_> =
        policy.destinations().iter().flat_map(|d| DataClass::ALL.map(|class| (class, d.id.clone()))).collect();
    let clock = SystemClock::new();
    let taken_us: Vec<f64> = questions
        .iter()
        .cycle()
        .take(DECISIONS)
        .map(|(class, to)| {
            let from = clock.now();
            black_box(policy.decide(*class, to, CallerWishes::default()));
            clock.now().since(from).as_secs_f64() * 1e6
        })
        .collect();
    rows.push(Row::told(
        "policy decision",
        "≤ 50 µs",
        format!("p50 {:.1} µs, p95 {:.1} µs", percentile(&taken_us, 0.5), percentile(&taken_us, 0.95)),
        json!({ "p50_us": percentile(&taken_us, 0.5), "p95_us": percentile(&taken_us, 0.95) }),
    ));
}

/// Callers of espeak-ng's voice, which costs them little; all ask at their own pace.
fn calls_at_once(rows: &mut Vec<Row>) {
    let bench = Bench::start(true);
    bench.asks(&QUESTIONS);
    assert!(bench.vendors.will_say(&QUESTIONS), "the ears are told what is said");
    let steps: Vec<String> = QUESTIONS.iter().flat_map(|q| ["--say".to_owned(), (*q).to_owned()]).collect();
    let mut watch = Watch::of(&bench.boxed.socket());
    let ringing: Vec<_> = (0..CALLS_AT_ONCE).map(|_| bench.boxed.ring_by("en-gb", &steps)).collect();
    watch.wait_for(CALLS_AT_ONCE, |event| event["event"] == "offered");
    drop(watch);
    let clock = SystemClock::new();
    let (from, cpu) = (clock.now(), bench.boxed.cpu_s());
    std::thread::sleep(WATCHED);
    let share = (bench.boxed.cpu_s() - cpu) / clock.now().since(from).as_secs_f64() * 100.0;
    let reports: Vec<Value> = ringing.into_iter().map(the_box::Call::ended).collect();
    let heard: Vec<f64> = reports
        .iter()
        .flat_map(|call| call["turns"].as_array().into_iter().flatten())
        .filter_map(|turn| turn["voice_to_voice_ms"].as_f64())
        .collect();
    rows.push(Row::told(
        "30 calls at once over the cloud on 2 cores: CPU of the box",
        "≤ 25 % of one core",
        format!("{share:.0} % of one core; voice to voice meanwhile {}", milliseconds(&heard)),
        json!({ "share": share, "voice_to_voice_ms": heard }),
    ));
}

fn milliseconds(ms: &[f64]) -> String {
    if ms.is_empty() {
        return "none".to_owned();
    }
    format!("p50 {:.0} ms, p95 {:.0} ms of {}", percentile(ms, 0.5), percentile(ms, 0.95), ms.len())
}
