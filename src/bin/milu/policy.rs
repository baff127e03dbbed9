//! `milu policy`: check a table of residency, explain one of its decisions, prove it.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use milu::appliance::{Counterexample, DestinationJson, ExplanationJson, Meant, Proof, ProofFinding, prove};
use milu::ops::SystemClock;
use milu::residency::{
    CallerWish, CallerWishes, DataClass, Destination, DestinationId, POLICY_BYTES_MAX, Policy, PolicyMistakes,
    SENSITIVE_IS_NOT_LOOKED_FOR, Verdict,
};
use serde_json::{Value, json};

use crate::calls::{is_of_a_time, joined, left_out, of_time};
use crate::client::AskError;
use crate::out::say;
use crate::{Failure, client};

/// Where the policy lies where the box is installed as a service.
const USUAL_FILE: &str = "/etc/milu/residency.toml";

#[derive(Args)]
pub struct PolicyArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Read a policy and say every mistake with its row and column, or what may go where
    #[command(
        after_help = "Examples:\n  milu policy check /etc/milu/residency.toml\n  milu policy check residency.toml --cedar"
    )]
    Check {
        /// The policy
        file: PathBuf,
        /// Show what the table compiles to
        #[arg(long)]
        cedar: bool,
        /// One JSON document instead of rows
        #[arg(long, conflicts_with = "cedar")]
        json: bool,
    },
    /// Whether a class of data may go to a destination, and by which row
    #[command(
        after_help = "Examples:\n  milu policy explain --data transcript --to anthropic\n  milu policy explain --data call-audio --to deepgram --caller consents --policy residency.toml"
    )]
    Explain {
        /// call-audio, transcript, reply, knowledge, contact, payment, credential, sensitive or telemetry
        #[arg(long, value_name = "CLASS")]
        data: String,
        /// A destination by its name in the policy
        #[arg(long, value_name = "DESTINATION")]
        to: String,
        /// What the caller wishes; several may be given
        #[arg(long, value_name = "WISH")]
        caller: Vec<Wish>,
        /// A policy's file; without one the box says what holds now, or, if none
        /// runs, /etc/milu/residency.toml is read
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
        /// One JSON document instead of rows
        #[arg(long)]
        json: bool,
    },
    /// The register of transfers: what really left the box, to whom, on which ground; the newest 5 000 rows at most
    #[command(
        after_help = "Examples:\n  milu policy register\n  milu policy register --since 2026-11-01T00:00:00Z --json"
    )]
    Register {
        /// Only what left at or after this time (RFC 3339)
        #[arg(long, value_name = "TIME")]
        since: Option<jiff::Timestamp>,
        /// Only what left before this time
        #[arg(long, value_name = "TIME")]
        until: Option<jiff::Timestamp>,
        /// One JSON document instead of rows
        #[arg(long)]
        json: bool,
    },
    /// Prove what the policy promises, for every datum, destination and caller; needs Debian's cvc5
    #[command(
        after_help = "Examples:\n  milu policy prove residency.toml\n  milu policy prove new.toml --old residency.toml --widening transcript:anthropic"
    )]
    Prove {
        /// The policy
        file: PathBuf,
        /// The policy that holds now: prove too that the new one allows nothing more
        #[arg(long, value_name = "FILE")]
        old: Option<PathBuf>,
        /// A widening that is meant, by its name, such as transcript:anthropic
        #[arg(long, value_name = "NAME", num_args = 1.., requires = "old")]
        widening: Vec<String>,
        /// The solver cvc5
        #[arg(long, value_name = "PATH", env = "CVC5", default_value = "cvc5")]
        solver: PathBuf,
        /// One JSON document instead of rows
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Wish {
    /// Has said yes to what rests on consent
    Consents,
    /// Objects to what rests on legitimate or public interest
    Objects,
    /// Wants nothing of theirs to leave
    Restricts,
}

impl Wish {
    const fn meaning(self) -> CallerWish {
        match self {
            Self::Consents => CallerWish::Consents,
            Self::Objects => CallerWish::Objects,
            Self::Restricts => CallerWish::Restricts,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Consents => "consents",
            Self::Objects => "objects",
            Self::Restricts => "restricts",
        }
    }
}

pub fn policy(args: &PolicyArgs, control: &Path) -> Result<(), Failure> {
    match &args.what {
        What::Register { since, until, json } => register(*since, *until, *json, control),
        What::Check { file, cedar, json } => check(file, *cedar, *json),
        What::Explain { data, to, caller, policy, json } => {
            let class = DataClass::parse(data).map_err(Failure::usage)?;
            let to = DestinationId::parse(to).map_err(Failure::usage)?;
            let explained = explain(policy.as_deref(), class, &to, caller, control)?;
            if *json {
                say!("{explained}");
            } else {
                say!("{}", explained["sentence"].as_str().unwrap_or_default());
            }
            Ok(())
        }
        What::Prove { file, old, widening, solver, json } => {
            let new = read(file, Policy::parse_unproved)?;
            let old = old.as_ref().map(|old| read(old, Policy::parse_kept)).transpose()?;
            let proof = prove(&new, old.as_ref(), widening, solver).map_err(Failure::usage)?;
            show_proof(file, &new, &proof, *json)
        }
    }
}

type Parse = fn(&str, &str, jiff::civil::Date) -> Result<Policy, PolicyMistakes>;

fn read(file: &Path, parse: Parse) -> Result<Policy, Failure> {
    let name = file.display().to_string();
    let failed = |e: std::io::Error| {
        Failure::usage(format!("reading the residency policy {name}: {e}. Give the path of a residency.toml"))
    };
    let mut bytes = Vec::new();
    // One byte more than a policy may have, so that a longer one is told from it.
    let most = u64::try_from(POLICY_BYTES_MAX + 1).unwrap_or(u64::MAX);
    std::fs::File::open(file).map_err(failed)?.take(most).read_to_end(&mut bytes).map_err(failed)?;
    let text = Policy::text_in(&name, &bytes).map_err(Failure::usage)?;
    let today = SystemClock::new().wall().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    parse(&name, text, today).map_err(Failure::usage)
}

fn check(file: &Path, cedar: bool, json: bool) -> Result<(), Failure> {
    let policy = read(file, Policy::parse)?;
    if cedar {
        say!("{}\n{}", Policy::cedar_schema_text(), policy.cedar_text().trim_end());
        return Ok(());
    }
    if json {
        let rows = policy.rows().iter().map(|row| {
            json!({ "id": row.id, "data": row.class.name(), "to": row.destination.as_str(),
                    "ground": row.ground.name(), "verdict": row.verdict.name() })
        });
        let shown = json!({
            "file": file.display().to_string(),
            "notice_period_days": policy.notice_period_days(),
            "owners": policy.owner_keys().len(),
            "serial": policy.serial(),
            "destinations": policy.destinations().iter().map(DestinationJson::from).collect::<Vec<_>>(),
            "rows": rows.collect::<Vec<_>>(),
            "warnings": warnings(&policy),
        });
        say!("{shown}");
        return Ok(());
    }
    say!(
        "{}: {}, {}, no mistakes.",
        file.display(),
        counted(policy.destinations().len(), "destination"),
        counted(policy.rows().len(), "row")
    );
    for destination in policy.destinations() {
        say!("  {}", what_goes_to(&policy, destination));
    }
    if policy.destinations().is_empty() {
        say!("  Nothing leaves the box.");
    }
    for warning in warnings(&policy) {
        say!("{warning}");
    }
    Ok(())
}

/// Of rows that are no mistake and do not what they seem to do.
fn warnings(policy: &Policy) -> Vec<String> {
    let sensitive = policy.rows().iter().filter(|row| row.class == DataClass::Sensitive);
    sensitive.map(|row| format!("Row `{}`: {SENSITIVE_IS_NOT_LOOKED_FOR}", row.id)).collect()
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn what_goes_to(policy: &Policy, destination: &Destination) -> String {
    let sent = policy.rows().iter().filter(|row| row.destination == destination.id && row.verdict != Verdict::Local);
    let sent =
        sent.map(|row| format!("{} {} on {} ({})", row.class.name(), row.verdict.name(), row.ground.name(), row.id));
    let sent: Vec<String> = sent.collect();
    let goes = if sent.is_empty() { "nothing".to_owned() } else { sent.join("; ") };
    format!("{} ({}, {}): {goes}", destination.id, destination.operator, destination.country)
}

fn explain(
    policy: Option<&Path>,
    class: DataClass,
    to: &DestinationId,
    caller: &[Wish],
    control: &Path,
) -> Result<Value, Failure> {
    let of_file = |file: &Path| {
        let wishes = caller.iter().map(|wish| wish.meaning()).fold(CallerWishes::default(), CallerWishes::and);
        let explained = ExplanationJson::of(&read(file, Policy::parse)?, class, to, wishes);
        serde_json::to_value(explained).map_err(Failure::no)
    };
    if let Some(file) = policy {
        return of_file(file);
    }
    let caller: Vec<&str> = caller.iter().map(|wish| wish.name()).collect();
    let url = format!("/v1/policy/explain?data={}&to={to}&caller={}", class.name(), caller.join(","));
    match client::fetch_json(control, &url) {
        Ok(explained) => Ok(explained),
        Err(AskError::Connect { source, .. }) if no_box_runs(&source) => {
            eprintln!("No box runs here: {USUAL_FILE} is read, whether or not it holds yet.");
            of_file(Path::new(USUAL_FILE))
        }
        Err(error) => Err(error.into()),
    }
}

/// There is no socket, or nobody listens on it; who may not ask is told so.
fn no_box_runs(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused)
}

fn show_proof(file: &Path, policy: &Policy, proof: &Proof, json: bool) -> Result<(), Failure> {
    let note = voice_note(policy);
    if json {
        say!("{}", proof_json(file, proof, note.as_deref()));
    } else {
        print_proof(proof, note.as_deref());
    }
    if proof.holds() {
        return Ok(());
    }
    Err(Failure::no(format!("proving {}: not everything that a policy promises holds of it", file.display())))
}

/// The theorem of credentials and payment data.
const OF_SECRETS: &str = "T1";

/// What a proof of [`OF_SECRETS`] does not say of a table that lets the caller's voice go.
fn voice_note(policy: &Policy) -> Option<String> {
    let sent = policy.rows().iter().filter(|row| row.class == DataClass::CallAudio && row.verdict != Verdict::Local);
    let rows: Vec<String> = sent.map(|row| format!("row `{}` sends it to {}", row.id, row.destination)).collect();
    (!rows.is_empty()).then(|| {
        format!("The caller's voice is not looked through, and what is said in it goes with it: {}.", rows.join(", "))
    })
}

fn print_proof(proof: &Proof, voice_note: Option<&str>) {
    for theorem in &proof.theorems {
        match &theorem.finding {
            ProofFinding::Proved => {
                say!("{} PROVED: {}.", theorem.name, theorem.claim);
                if let Some(note) = voice_note.filter(|_| theorem.name == OF_SECRETS) {
                    say!("    {note}");
                }
            }
            ProofFinding::NotAsked(why) => say!("{} NOT ASKED: {}; {why}.", theorem.name, theorem.claim),
            ProofFinding::Refuted(cases) => {
                say!("{} REFUTED: {}. For instance:", theorem.name, theorem.claim);
                for case in cases {
                    say!("    {}", case.sentence);
                }
            }
        }
    }
    for (widening, meant) in &proof.widenings {
        let meant = if *meant == Meant::Named { "named" } else { "not named" };
        say!("wider, {meant}: {} ({widening})", widening.name());
    }
}

fn proof_json(file: &Path, proof: &Proof, voice_note: Option<&str>) -> Value {
    let theorems = proof.theorems.iter().map(|theorem| {
        let (result, cases, why) = match &theorem.finding {
            ProofFinding::Proved => ("proved", &[][..], None),
            ProofFinding::Refuted(cases) => ("refuted", &cases[..], None),
            ProofFinding::NotAsked(why) => ("not-asked", &[][..], Some(why)),
        };
        let cases: Vec<Value> = cases.iter().map(case_json).collect();
        let note = voice_note.filter(|_| theorem.name == OF_SECRETS && result == "proved");
        json!({ "name": theorem.name, "claim": theorem.claim, "result": result, "why": why, "note": note,
                "counterexamples": cases })
    });
    let widenings = proof.widenings.iter().map(|(widening, meant)| {
        json!({ "name": widening.name(), "sentence": widening.to_string(), "named": *meant == Meant::Named })
    });
    json!({
        "file": file.display().to_string(),
        "holds": proof.holds(),
        "theorems": theorems.collect::<Vec<_>>(),
        "widenings": widenings.collect::<Vec<_>>(),
    })
}

fn case_json(counterexample: &Counterexample) -> Value {
    let case = counterexample.case.as_ref().map(|case| {
        json!({ "data": case.data, "to": case.destination, "verdict": case.verdict, "rows": case.rows,
                "caller": { "consents": case.consents, "objects": case.objects } })
    });
    json!({ "sentence": counterexample.sentence, "case": case })
}

fn register(
    since: Option<jiff::Timestamp>,
    until: Option<jiff::Timestamp>,
    json: bool,
    control: &Path,
) -> Result<(), Failure> {
    let answer: Value = client::fetch_json(control, &of_time("/v1/transfers", since, until))?;
    if json {
        say!("{answer}");
        return Ok(());
    }
    let rows = answer["transfers"].as_array().map_or(&[][..], Vec::as_slice);
    if rows.is_empty() {
        let of_a_time = is_of_a_time(since, until);
        say!("{}", if of_a_time { "Nothing has left the box in that time." } else { "Nothing has left the box." });
    }
    for row in rows {
        say!("{}", register_row(row));
    }
    if let Some(told) = left_out(&answer, "rows", rows, "at") {
        say!("{told}");
    }
    Ok(())
}

/// One row of the register on one row of the screen.
fn register_row(row: &Value) -> String {
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    let call = row["call"].as_str().map_or_else(|| "for no call".to_owned(), |id| format!("for call {id}"));
    // To the millionth: a second of sound costs some ten thousandths.
    let cost = row["cost_nanos"].as_u64().unwrap_or(0) / 1000;
    format!(
        "{}  {} ({}, {})  {} {}, ground {}, by {}  {call}  {}  {} bytes out, {} in, cost {}.{:06}",
        text("at"),
        text("destination"),
        text("operator"),
        text("country"),
        joined(&row["data"]),
        text("verdict"),
        text("ground"),
        joined(&row["policy"]),
        told(&row["safeguards"]),
        row["bytes_sent"],
        row["bytes_received"],
        cost / 1_000_000,
        cost % 1_000_000,
    )
}

/// What the operator was really told.
fn told(safeguards: &Value) -> String {
    let mut told = Vec::new();
    if safeguards["training_opt_out"] == true {
        told.push("no training".to_owned());
    }
    if safeguards["zero_retention"] == true {
        told.push("no retention".to_owned());
    }
    if let Some(region) = safeguards["inference_region"].as_str() {
        told.push(format!("region {region}"));
    }
    if told.is_empty() { "no safeguard told".to_owned() } else { format!("told {}", told.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_register_says_for_which_call_what_was_told_and_what_it_cost() {
        let mut row = json!({
            "at": "2026-11-26T08:00:00Z", "call": "01JDKXYZ", "destination": "deepgram",
            "operator": "Deepgram, Inc.", "country": "US", "data": ["call-audio", "knowledge"],
            "verdict": "raw", "ground": "consent", "policy": ["row-1"],
            "safeguards": { "training_opt_out": true, "zero_retention": false, "inference_region": "eu" },
            "bytes_sent": 32000, "bytes_received": 512, "cost_nanos": 1_007_700_000_u64,
        });
        let shown = register_row(&row);
        for part in ["for call 01JDKXYZ", "told no training, region eu", "32000 bytes out, 512 in, cost 1.007700"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        row["call"] = Value::Null;
        row["safeguards"] = json!({ "training_opt_out": false, "zero_retention": false, "inference_region": null });
        let shown = register_row(&row);
        assert!(shown.contains("for no call") && shown.contains("no safeguard told"), "{shown}");
    }
}
