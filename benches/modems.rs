//! What modems as lines cost, and how quick they are: eight calls at once, a command's
//! round trip, a ring, and what a GSM line adds to a conversation against a SIP line.
//! The modems are scripted ones on pseudo-terminals.
//!
//! `MODEM_BENCH_S` says how many seconds the eight calls last, ten minutes if nothing;
//! names of parts as arguments measure these alone: `calls`, `commands`, `rings`, `delay`.

#![allow(
    clippy::print_stdout,
    clippy::panic,
    clippy::expect_used,
    reason = "a benchmark prints its table, and ends where it cannot measure"
)]

#[path = "support/gsm_lines.rs"]
mod gsm_lines;
#[path = "support/line_delay.rs"]
mod line_delay;
#[path = "../tests/modem/mod.rs"]
mod modem;
#[path = "support/rack_process.rs"]
mod rack_process;
#[path = "support/tables.rs"]
#[allow(dead_code, reason = "this benchmark needs no models")]
mod tables;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gsm_lines::{GsmLines, Served, Talk, in_time, speech};
use milu::line::gsm::{GsmEvent, Roots, usb_modems};
use milu::ops::SystemClock;
use milu::signalling::modem::Force;
use modem::{Family, ModemOptions, Rack};
use rack_process::{Counted, FAMILIES, RackProcess};
use serde_json::json;
use tables::{Row, is_wanted, report};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio_serial::SerialStream;

/// Who rings.
const CALLER: &str = "+2348031234567";

/// The sound of a call is measured from its second second on: the first is that of the
/// modem, which begins to play when the line has begun to send.
const SETTLED: Duration = Duration::from_secs(1);

/// Round trips of a command; the p95 is not of one outlier.
const COMMANDS: usize = 200;

/// A line gives no command within 20 ms after the answer before: many modems would
/// lose it. This is longer, so that the wait is no part of a round trip.
const REST: Duration = Duration::from_millis(40);

/// Rings of each kind of modem.
const RINGS: usize = 10;

/// Between two rings: networks take three seconds and more, after which the line
/// would no longer wait for the number.
const RING_GAP: Duration = Duration::from_secs(1);

/// A modem that has no list of calls and tells nothing of a call but that it rings: the
/// caller's number comes when it is made to.
const NAMELESS: &str = "> AT+CLIP=1
< OK
> AT+QINDCFG=\"ccinfo\",1,0
< ERROR
> AT^DSCI=1
< ERROR
> AT+CLCC=1
< ERROR
>* AT+CLCC
< ERROR
";

fn main() {
    // `cargo test --benches` asks only whether it builds.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    if let Some(dir) = rack_process::asked_for() {
        return rack_process::run(&dir);
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut rows = Vec::new();
    runtime.block_on(async {
        if is_wanted("calls") {
            calls_at_once(&mut rows).await;
        }
        if is_wanted("commands") {
            commands(&mut rows).await;
        }
        if is_wanted("rings") {
            rings(&mut rows).await;
        }
        if is_wanted("delay") {
            line_delay::measure(&mut rows).await;
        }
    });
    runtime.shutdown_background();
    report("modems", &rows);
}

fn roots_below(dir: &Path) -> Roots {
    Roots { sys: dir.join("sys"), dev: dir.join("dev") }
}

/// Eight lines in a process of their own, which is this one: the modems, the network and
/// the far sides are in another. The desk is of the least that there can be: it has a
/// sentence that it says over and over, and looks whether what it hears is loud.
async fn calls_at_once(rows: &mut Vec<Row>) {
    let lasts = std::env::var("MODEM_BENCH_S").ok().map(|s| s.parse().expect("MODEM_BENCH_S is a number of seconds"));
    let lasts = Duration::from_secs(lasts.unwrap_or(600));
    let dir = tempfile::tempdir().expect("a directory");
    let mut rack = RackProcess::start(dir.path());
    let mut lines = GsmLines::new(roots_below(dir.path()));
    let mut served = Vec::new();
    for (port, family) in (1..).zip(FAMILIES) {
        served.push(lines.ready(&format!("1-1.{port}"), family).await);
    }
    rack.ring();
    let said = Arc::new(speech("answer-whole.wav"));
    let loud: Vec<Arc<AtomicU64>> = served.iter().map(|_| Arc::default()).collect();
    let mut talks = JoinSet::new();
    for (line, loud) in served.iter_mut().zip(&loud) {
        talks.spawn(line.answered().await.speaks(said.clone(), loud.clone()));
    }
    tokio::time::sleep(SETTLED).await;
    let clock = SystemClock::new();
    let heard = || loud.iter().map(|loud| loud.load(Ordering::Relaxed)).collect::<Vec<u64>>();
    let (before, heard_before, cpu, from) = (rack.counted(), heard(), cpu_s(), clock.now());
    tokio::time::sleep(lasts).await;
    let (took, cpu) = (clock.now().since(from).as_secs_f64(), cpu_s() - cpu);
    let (after, heard_after) = (rack.counted(), heard());
    let share = cpu / took * 100.0;
    for (n, after) in after.iter().enumerate() {
        assert_eq!(after.calls, 1, "modem {n} is not in its call any more");
        // A tenth of the samples of this speech is far less than are loud.
        let loud_least = took as u64 * 8000 / 10;
        let (up, down) = (after.loud_up - before[n].loud_up, heard_after[n] - heard_before[n]);
        assert!(up > loud_least && down > loud_least, "modem {n}: {up} loud samples up, {down} down");
    }
    let sum = |of: fn(&Counted) -> u64| after.iter().map(of).sum::<u64>() - before.iter().map(of).sum::<u64>();
    let (underruns, refused) = (sum(|c| c.underruns), sum(|c| c.bytes_refused));
    let (frames, up) = (sum(|c| c.frames_down), sum(|c| c.bytes_up) / 320);
    rows.push(Row {
        what: format!("8 modems, all in a call with speech both ways, for {took:.0} s: CPU of their lines"),
        named: "≤ 10 % of one core".to_owned(),
        measured: format!("{share:.1} % of one core"),
        values: json!({ "share": share, "cpu_s": cpu, "wall_s": took }),
    });
    rows.push(Row {
        what: format!("the same, for {took:.0} s: frames of 20 ms a modem was to play to its caller and had not got"),
        // A shorter run shows nothing of ten minutes.
        named: if took >= 600.0 { "0 in 10 min".to_owned() } else { String::new() },
        measured: format!("{underruns} of {frames}; of what it gave, {refused} bytes were not taken in time"),
        values: json!({ "underruns": underruns, "frames_down": frames, "frames_up": up, "bytes_refused": refused,
                        "before": before, "after": after }),
    });
}

/// CPU seconds that this process has used so far.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("our own stat");
    let after_name = stat.rsplit_once(')').expect("the name").1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    // User and system time are the 14th and 15th field of the file, in ticks of 10 ms.
    let ticks = |i: usize| fields[i].parse::<f64>().expect("ticks");
    (ticks(11) + ticks(12)) / 100.0
}

/// `AT` through a line, from the request until its answer is told; and, turn by turn,
/// the same row written on the second port of the same modem and read back without the
/// line, which is the modem's own time with the pseudo-terminal's. The modem itself
/// waits for nothing. What the line adds is the difference.
async fn commands(rows: &mut Vec<Row>) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut rack = RackProcess::start(dir.path());
    let mut lines = GsmLines::new(roots_below(dir.path()));
    let mut line = lines.ready("1-1.1", FAMILIES[0]).await;
    let mut plain = second_port(dir.path());
    round_trips(&mut line, &mut plain, "at rest", rows).await;
    rack.ring();
    let mut talks = JoinSet::new();
    let talk = line.answered().await;
    talks.spawn(talk.speaks(Arc::new(speech("answer-whole.wav")), Arc::default()));
    tokio::time::sleep(SETTLED).await;
    round_trips(&mut line, &mut plain, "in a call", rows).await;
}

/// The first modem's second port for commands, opened as a line opens the first.
fn second_port(dir: &Path) -> SerialStream {
    let roots = roots_below(dir);
    let modems = usb_modems(&roots.sys);
    let first = modems.iter().find(|modem| modem.usb_path == "1-1.1").expect("the first modem");
    let tty = &first.interfaces.iter().find(|interface| interface.number == 3).expect("its second port").tty;
    SerialStream::open(&tokio_serial::new(roots.dev.join(tty).to_string_lossy(), 115_200)).expect("the port opens")
}

async fn round_trips(line: &mut Served, plain: &mut SerialStream, when: &str, rows: &mut Vec<Row>) {
    let clock = SystemClock::new();
    let (mut by_line, mut by_itself) = (Vec::new(), Vec::new());
    for id in 0..COMMANDS as u64 {
        tokio::time::sleep(REST).await;
        let from = clock.now();
        plain.write_all(b"AT\r").await.expect("the modem reads");
        in_time("an OK", until_ok(plain)).await;
        by_itself.push(clock.now().since(from).as_secs_f64() * 1e3);
        tokio::time::sleep(REST).await;
        while line.events.try_recv().is_ok() {}
        let from = clock.now();
        line.control.command(id, "AT".to_owned(), Force::Yes).expect("the line is served");
        in_time("an answer", answer_of(line, id)).await;
        by_line.push(clock.now().since(from).as_secs_f64() * 1e3);
    }
    let own = percentile(&by_itself, 0.5);
    let over: Vec<f64> = by_line.iter().map(|ms| ms - own).collect();
    rows.push(Row {
        what: format!("AT round trip by a line {when}, over the modem's own time"),
        named: "≤ 2 ms".to_owned(),
        measured: format!(
            "p50 {:.2} ms, p95 {:.2} ms of {COMMANDS}; the modem's own: p50 {own:.2} ms, p95 {:.2} ms",
            percentile(&over, 0.5),
            percentile(&over, 0.95),
            percentile(&by_itself, 0.95)
        ),
        values: json!({ "by_line_ms": by_line, "by_itself_ms": by_itself }),
    });
}

async fn until_ok(plain: &mut SerialStream) {
    let mut read = Vec::new();
    while !read.ends_with(b"OK\r\n") {
        read.push(plain.read_u8().await.expect("the port lives"));
    }
}

async fn answer_of(line: &mut Served, wanted: u64) {
    loop {
        match line.events.recv().await.expect("the line is served") {
            GsmEvent::CommandAnswered { id, result } if id == wanted => {
                return assert_eq!(result.expect("an answer").expose(), "OK");
            }
            _ => {}
        }
    }
}

/// From the row that names the caller to the row that answers, at the modem, when the
/// desk takes every call at once. A line offers a call as soon as it knows who calls.
async fn rings(rows: &mut Vec<Row>) {
    let dir = tempfile::tempdir().expect("a directory");
    let rack = Rack::new(dir.path()).expect("a rack");
    let mut lines = GsmLines::new(roots_below(dir.path()));
    let kinds = [Family::Quectel, Family::Sim7600, Family::Huawei];
    let kinds = [FirstRing::Names, FirstRing::IsNameless].map(|first| kinds.map(|family| (family, first)));
    for (n, (family, first)) in (0_u32..).zip(kinds.into_iter().flatten()) {
        let options = ModemOptions { family, ring_every: Duration::from_secs(3600), ..ModemOptions::default() };
        let modem = rack.plug(options.numbered(n)).expect("pseudo-terminals");
        if first == FirstRing::IsNameless {
            modem.play(NAMELESS).expect("a script");
        }
        let mut line = lines.ready(&modem.usb_path(), family).await;
        let mut taken = Vec::new();
        for _ in 0..RINGS {
            taken.push(ring(&modem, &mut line, first).await);
        }
        let (what, named) = match first {
            FirstRing::Names => ("the first ring, which brings the number, to ATA", ""),
            FirstRing::IsNameless => ("the second ring, which brings the number, to ATA", "≤ 300 ms"),
        };
        rows.push(ring_row(&format!("{}: {what}", family.model()), named, &taken));
    }
}

/// What the first ring of a call tells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FirstRing {
    Names,
    IsNameless,
}

/// One call; milliseconds from the ring that named the caller to ATA.
async fn ring(modem: &modem::Modem, line: &mut Served, first: FirstRing) -> f64 {
    let clock = SystemClock::new();
    modem.forget_written();
    let mut from = clock.now();
    modem.ring(CALLER);
    if first == FirstRing::IsNameless {
        tokio::time::sleep(RING_GAP).await;
        assert_eq!(modem.count_written("ATA"), 0, "it answered whom it did not know");
        from = clock.now();
        modem.say_row("RING");
        modem.say_row(&format!("+CLIP: \"{CALLER}\",145,,,,0"));
    }
    let answered = async {
        modem.until_written("ATA").await;
        clock.now().since(from).as_secs_f64() * 1e3
    };
    let (talk, taken): (Talk, f64) = tokio::join!(line.answered(), answered);
    drop(talk);
    line.until_ready().await;
    taken
}

fn ring_row(what: &str, named: &str, taken_ms: &[f64]) -> Row {
    let (p50, most) = (percentile(taken_ms, 0.5), percentile(taken_ms, 1.0));
    Row {
        what: what.to_owned(),
        named: named.to_owned(),
        measured: format!("p50 {p50:.1} ms, at most {most:.1} ms of {}", taken_ms.len()),
        values: json!({ "taken_ms": taken_ms }),
    }
}

/// The value below which a share `p` of the values lies (nearest rank).
fn percentile(values: &[f64], p: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (p * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}
