//! `milu calls`: list, show, play, export, watch, listen.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::out::say;
use crate::{Failure, client};

#[derive(Args)]
pub struct CallsArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Args)]
struct ListArgs {
    /// Only calls that began at or after this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    since: Option<jiff::Timestamp>,
    /// Only calls that began before this time
    #[arg(long, value_name = "TIME")]
    until: Option<jiff::Timestamp>,
    /// One JSON document instead of rows
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum What {
    /// The calls, newest first, at most 500
    #[command(
        after_help = "Examples:\n  milu calls list\n  milu calls list --since 2026-11-01T00:00:00Z --until 2026-12-01T00:00:00Z --json"
    )]
    List(ListArgs),
    /// One call: who said what, how fast the answers came, what was kept
    #[command(
        after_help = "Examples:\n  milu calls show 01JDC0V9ZQ4M8Y5N7R2T6W3X1A\n  milu calls show 01JDC0V9ZQ4M8Y5N7R2T6W3X1A --json"
    )]
    Show {
        /// The call, as `milu calls` shows it
        id: String,
        /// One JSON document instead of rows
        #[arg(long)]
        json: bool,
    },
    /// Write the call's sound as WAV to standard output (left: caller, right: box)
    #[command(after_help = "Example:\n  milu calls play 01JDC0V9ZQ4M8Y5N7R2T6W3X1A > call.wav")]
    Play {
        /// The call, as `milu calls` shows it
        id: String,
    },
    /// Write the record and the sound of a call into a directory
    ///
    /// A directory that is made for it, and the files, are for you alone to read.
    #[command(after_help = "Example:\n  milu calls export 01JDC0V9ZQ4M8Y5N7R2T6W3X1A --to calls")]
    Export {
        /// The call, as `milu calls` shows it
        id: String,
        /// The directory; it is made if it is not there
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Show calls while they happen
    #[command(after_help = "Examples:\n  milu calls watch\n  milu calls watch --json")]
    Watch {
        /// One JSON document instead of rows
        #[arg(long)]
        json: bool,
    },
    /// Hear a running call, both sides, on the monitor speaker of the box, until Ctrl-C
    ///
    /// The box needs [monitor_speaker] in its configuration. One call is heard at a time:
    /// whoever asks last hears, and the command that was before ends. That somebody listened
    /// is kept with the call.
    #[command(after_help = "Examples:\n  milu calls listen\n  milu calls listen 01JDC0V9ZQ4M8Y5N7R2T6W3X1A")]
    Listen {
        /// The call; the only one that is running if left out
        id: Option<String>,
    },
}

pub fn calls(args: &CallsArgs, control: &Path) -> Result<(), Failure> {
    match &args.what {
        None => list(&args.list, control),
        Some(What::List(list_args)) => list(list_args, control),
        Some(What::Show { id, json }) => show(id, *json, control),
        Some(What::Play { id }) => play(id, control),
        Some(What::Export { id, to }) => export(id, to, control),
        Some(What::Watch { json }) => watch(*json, control),
        Some(What::Listen { id }) => listen(id.as_deref(), control),
    }
}

fn list(args: &ListArgs, control: &Path) -> Result<(), Failure> {
    let answer: Value = client::fetch_json(control, &of_time("/v1/calls", args.since, args.until))?;
    if args.json {
        say!("{answer}");
        return Ok(());
    }
    let none = Vec::new();
    let calls = answer["calls"].as_array().unwrap_or(&none);
    if calls.is_empty() {
        say!("{}", if is_of_a_time(args.since, args.until) { "No call began in that time." } else { "No calls yet." });
    }
    for call in calls {
        say!(
            "{}  {}  {:<14}  {}",
            text(&call["id"]),
            text(&call["started_at"]).get(..19).unwrap_or_default(),
            call["from"].as_str().unwrap_or("no number"),
            text(&call["outcome"]),
        );
    }
    if let Some(told) = left_out(&answer, "calls", calls, "started_at") {
        say!("{told}");
    }
    Ok(())
}

/// Only of a stretch of time was asked: that there is nothing in it says nothing of the rest.
pub fn is_of_a_time(since: Option<jiff::Timestamp>, until: Option<jiff::Timestamp>) -> bool {
    since.or(until).is_some()
}

/// Where to ask for what began, or left, at or after `since` and before `until`.
pub fn of_time(path: &str, since: Option<jiff::Timestamp>, until: Option<jiff::Timestamp>) -> String {
    let keys = [("since", since), ("until", until)];
    let keys: Vec<_> = keys.iter().filter_map(|(key, at)| at.map(|at| format!("{key}={at}"))).collect();
    if keys.is_empty() { path.to_owned() } else { format!("{path}?{}", keys.join("&")) }
}

/// What stands below a list of the newest that has not all: how to ask for the rest, by
/// the whole time of the last that is shown, which a row may have to the second only.
pub fn left_out(answer: &Value, what: &str, shown: &[Value], time: &str) -> Option<String> {
    let last = shown.last()?[time].as_str()?;
    let told = || format!("These are the newest {} {what}. Older ones are kept: ask with --until {last}", shown.len());
    (answer["left_out"] == true).then(told)
}

fn show(id: &str, json: bool, control: &Path) -> Result<(), Failure> {
    let call: Value = client::fetch_json(control, &format!("/v1/calls/{id}"))?;
    if json {
        say!("{call}");
    } else {
        print_call(&call);
    }
    Ok(())
}

/// A call for a person to read.
pub fn print_call(call: &Value) {
    say!("Call {}", text(&call["id"]));
    say!("  line {}, from {}", text(&call["line"]), call["from"].as_str().unwrap_or("no number"));
    say!("  began {}, ended {}", text(&call["started_at"]), text(&call["ended_at"]));
    say!(
        "  outcome {}, ended by {} (Q.850 {})",
        text(&call["outcome"]),
        text(&call["end_cause"]["name"]),
        call["end_cause"]["q850"]
    );
    for turn in call["turns"].as_array().into_iter().flatten() {
        print_turn(turn);
        print_engines(turn);
    }
    if let Some(to) = call["transferred_to"].as_str() {
        let seconds = call["transferred_at_ms"].as_u64().unwrap_or(0) as f64 / 1000.0;
        say!("  handed to {to} at {seconds:.1} s");
    }
    if let Some(message) = call["message"].as_object() {
        say!("  message from {}:", message["name"].as_str().unwrap_or("a caller who gave no name"));
        say!("    call back on {}", message["callback"].as_str().unwrap_or("no number"));
        say!("    \"{}\"", text(&message["text"]));
    }
    match call["recording"].as_object() {
        Some(recording) => {
            let seconds = recording["duration_ms"].as_u64().unwrap_or(0) as f64 / 1000.0;
            let gaps = recording["gaps"].as_array().map_or(0, Vec::len);
            say!("  recorded: {seconds:.1} s of both legs, encrypted, {gaps} gaps");
        }
        None => say!("  nothing was recorded"),
    }
    for wished in call["wishes"].as_array().into_iter().flatten() {
        let seconds = wished["at_ms"].as_u64().unwrap_or(0) as f64 / 1000.0;
        say!("  the caller's wish at {seconds:.1} s: {}", text(&wished["wish"]));
    }
    for listened in call["listened"].as_array().into_iter().flatten() {
        let seconds = listened["at_ms"].as_u64().unwrap_or(0) as f64 / 1000.0;
        say!("  a person listened to the call from {seconds:.1} s on");
    }
    for sent in call["egress"].as_array().into_iter().flatten() {
        // What several data went in together counts with the first of them.
        let bytes = match sent["bytes"].as_u64() {
            Some(0) => "in the same messages".to_owned(),
            _ => format!("{} bytes", sent["bytes"]),
        };
        say!(
            "  sent to {}: {} ({}), {bytes}, by {}",
            text(&sent["destination"]),
            text(&sent["data"]),
            text(&sent["verdict"]),
            joined(&sent["policy"])
        );
    }
    let media = &call["media"];
    // Only packets tell how good a line sounds.
    let quality = media["mos"].as_f64().map(|mos| format!(", MOS {mos:.1}"));
    let (codec, lost) = (text(&media["codec"]), &media["packets_lost"]);
    say!("  line quality: {codec}, {lost} packets lost{}", quality.unwrap_or_default());
}

/// Names in a row.
pub fn joined(names: &Value) -> String {
    let names: Vec<&str> = names.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    names.join(", ")
}

fn print_turn(turn: &Value) {
    let seconds = turn["started_ms"].as_u64().unwrap_or(0) as f64 / 1000.0;
    let cut = if turn["interrupted"].as_bool() == Some(true) { " [cut off]" } else { "" };
    let took = match turn["latency"]["voice_to_voice_ms"].as_u64() {
        Some(ms) => format!("  ({:.2} s after the caller)", ms as f64 / 1000.0),
        None => String::new(),
    };
    say!("  {seconds:7.2}  {:<6}  {}{cut}{took}", text(&turn["who"]), text(&turn["text"]));
}

/// Which engines had a part in a turn, and which were left on the way.
fn print_engines(turn: &Value) {
    let engines = &turn["engines"];
    let by = |what: &str, stage: &str| engines[stage].as_str().map(|name| format!("{what} {name}"));
    let parts = [by("heard by", "transcriber"), by("answer by", "responder"), by("spoken by", "synthesizer")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if !parts.is_empty() {
        say!("{:19}{}", "", parts.join(", "));
    }
    let stages = stages(&turn["latency"]);
    if !stages.is_empty() {
        say!("{:19}{stages}", "");
    }
    if let Some(again) = turn["heard_again"].as_object() {
        say!("{:19}heard again by {}: {}", "", text(&again["transcriber"]), text(&again["text"]));
    }
    for left in turn["failover"].as_array().into_iter().flatten() {
        let (stage, from, to) = (text(&left["stage"]), text(&left["from"]), text(&left["to"]));
        let seconds = left["after_ms"].as_u64().unwrap_or(0) as f64 / 1000.0;
        say!("{:19}{stage}: {from} was left for {to} after {seconds:.2} s ({})", "", text(&left["why"]));
    }
}

/// Where the time of an answer went, stage by stage in the order in which they
/// follow each other; empty for a turn that answers nobody.
fn stages(latency: &Value) -> String {
    let stages = [
        ("end of turn", "endpoint_ms"),
        ("words", "transcribe_ms"),
        ("first sentence", "respond_first_ms"),
        ("first sound", "synthesize_first_ms"),
    ];
    let told = |(name, key): (&str, &str)| latency[key].as_u64().map(|ms| format!("{name} {ms} ms"));
    let parts: Vec<String> = stages.into_iter().filter_map(told).collect();
    if parts.is_empty() {
        return String::new();
    }
    let whole = latency["voice_to_voice_ms"].as_u64().map(|ms| format!("; voice to voice {ms} ms"));
    format!("took: {}{}", parts.join(", "), whole.unwrap_or_default())
}

fn play(id: &str, control: &Path) -> Result<(), Failure> {
    let wav = client::fetch(control, &format!("/v1/calls/{id}/sound"))?;
    std::io::stdout()
        .lock()
        .write_all(&wav)
        .map_err(|e| Failure::no(format!("writing the sound to standard output: {e}")))
}

fn export(id: &str, to: &Path, control: &Path) -> Result<(), Failure> {
    let write_error = |e: std::io::Error| Failure::no(format!("writing the export into {}: {e}", to.display()));
    let record: Value = client::fetch_json(control, &format!("/v1/calls/{id}"))?;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(to).map_err(write_error)?;
    let pretty = serde_json::to_vec_pretty(&record).map_err(|e| Failure::no(format!("writing the record: {e}")))?;
    write_for_owner(&to.join(format!("{id}.json")), &pretty).map_err(write_error)?;
    if !record["recording"].is_null() {
        for (name, query) in [("both", ""), ("caller", "?leg=caller"), ("box", "?leg=box")] {
            let wav = client::fetch(control, &format!("/v1/calls/{id}/sound{query}"))?;
            write_for_owner(&to.join(format!("{id}-{name}.wav")), &wav).map_err(write_error)?;
        }
    }
    say!("The call was written to {}. These files are not encrypted.", to.display());
    Ok(())
}

/// Writes what a caller said so that nobody else on this machine can read it, also
/// where a file of that name was there.
fn write_for_owner(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    file.write_all(bytes)
}

fn watch(json: bool, control: &Path) -> Result<(), Failure> {
    client::follow(control, "/v1/watch", |row| {
        if json {
            say!("{row}");
            return;
        }
        match serde_json::from_str::<Value>(row) {
            Ok(event) => print_event(&event),
            Err(_) => say!("{row}"),
        }
    })?;
    Ok(())
}

/// Listens for as long as this runs: the box ends it with the connection.
fn listen(id: Option<&str>, control: &Path) -> Result<(), Failure> {
    let url = id.map_or_else(|| "/v1/listen".to_owned(), |id| format!("/v1/calls/{id}/listen"));
    let mut over = None;
    client::hold(control, &url, |row| {
        // An empty row says that the box is there.
        let Ok(row) = serde_json::from_str::<Value>(row) else { return };
        match row["event"].as_str() {
            Some("listening") => {
                say!("You hear call {} on the monitor speaker until you press Ctrl-C.", text(&row["call"]));
            }
            Some("over") => over = Some(row),
            _ => say!("{}", text(&row["sentence"])),
        }
    })?;
    let Some(over) = over else { return Err(Failure::no("listening to a call: the box is not there any more")) };
    match over["why"].as_str() {
        Some("call-ended") => {
            say!("{}", text(&over["sentence"]));
            Ok(())
        }
        _ => Err(Failure::no(format!("listening to a call: {}", text(&over["sentence"])))),
    }
}

fn print_event(event: &Value) {
    match event["event"].as_str() {
        Some("offered") => say!("Call {} rings on {}", text(&event["id"]), text(&event["line"])),
        Some("turn") => print_turn(&event["turn"]),
        Some("transferred") => say!("Call {} is handed to {}", text(&event["id"]), text(&event["to"])),
        Some("listened") => say!("A person listens to call {}", text(&event["id"])),
        Some("ended") => say!("Call {} ended: {}", text(&event["id"]), text(&event["record"]["outcome"])),
        _ => say!("{event}"),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_time_that_is_not_given_is_not_asked_for() {
        let [since, until] = [1, 2].map(|second| jiff::Timestamp::from_second(second).ok());
        let asked = |since, until| of_time("/v1/calls", since, until);
        assert_eq!(asked(None, None), "/v1/calls");
        assert_eq!(asked(since, None), "/v1/calls?since=1970-01-01T00:00:01Z");
        assert_eq!(asked(None, until), "/v1/calls?until=1970-01-01T00:00:02Z");
        assert_eq!(asked(since, until), "/v1/calls?since=1970-01-01T00:00:01Z&until=1970-01-01T00:00:02Z");
    }

    #[test]
    fn a_list_that_has_not_all_says_so_at_its_end() {
        let last = "2026-11-01T00:00:00.25Z";
        let calls = [json!({ "started_at": "2026-11-02T00:00:00Z" }), json!({ "started_at": last })];
        let told = |more: bool| left_out(&json!({ "left_out": more }), "calls", &calls, "started_at");
        let expected = format!("These are the newest 2 calls. Older ones are kept: ask with --until {last}");
        assert_eq!(told(true), Some(expected));
        assert!(last.parse::<jiff::Timestamp>().is_ok(), "it is taken as it stands");
        assert_eq!(told(false), None);
    }

    #[test]
    fn the_stages_of_an_answer_are_told_in_their_order_and_those_that_were_not_measured_are_left_out() {
        let latency = json!({
            "endpoint_ms": 310, "transcribe_ms": 0, "respond_first_ms": 640,
            "synthesize_first_ms": 231, "voice_to_voice_ms": 1181,
        });
        let expected = "took: end of turn 310 ms, words 0 ms, first sentence 640 ms, first sound 231 ms; \
                        voice to voice 1181 ms";
        assert_eq!(stages(&latency), expected);
        let some = json!({ "endpoint_ms": 310, "transcribe_ms": null, "voice_to_voice_ms": 900 });
        assert_eq!(stages(&some), "took: end of turn 310 ms; voice to voice 900 ms");
        // The caller's own turns and the greeting answer nobody.
        assert_eq!(stages(&json!({})), "");
    }
}
