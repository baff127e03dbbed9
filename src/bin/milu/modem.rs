//! `milu modem`: a technician's way to a line's modem, its SIM and its network.

use std::io::{BufRead, Write};
use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::out::say;
use crate::texts::printable;
use crate::{Failure, client};

/// A menu that goes on is left: the line itself ends such a one.
const STEPS_MAX: usize = 20;

#[derive(Args)]
pub struct ModemArgs {
    /// The line's name, as `milu lines` shows it
    line: String,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Give the modem a row and print its answer
    #[command(
        after_help = "What costs money, restarts the modem or can lock its SIM is refused without --force, and so is what is not known to be harmless.\n\nExamples:\n  milu modem sim at AT+CSQ\n  milu modem sim at 'AT+CPIN?'\n  milu modem sim at AT+CFUN=1,1 --force"
    )]
    At {
        /// The row, such as AT+CSQ
        row: String,
        /// It is meant, although it costs money or is dangerous
        #[arg(long)]
        force: bool,
    },
    /// Ask the network by a code, such as *310# for the balance
    #[command(
        after_help = "A menu is answered by --answer, one for each step, or on the terminal.\n\nExamples:\n  milu modem sim ussd '*310#'\n  milu modem sim ussd '*323#' --answer 1"
    )]
    Ussd {
        /// The code; put it into quotes, or the shell takes the stars
        code: String,
        /// The answer to a menu; give it once for each step
        #[arg(long = "answer", value_name = "TEXT")]
        answers: Vec<String>,
    },
    /// Send a text message and wait until the network has it
    #[command(after_help = "Example:\n  milu modem sim sms 08031234567 \"We are open on Saturday.\"")]
    Sms {
        /// To whom, as it is dialled at home or with +
        number: String,
        /// What it says
        text: String,
    },
    /// Network, signal, SIM, power and airtime
    #[command(after_help = "Examples:\n  milu modem sim signal\n  milu modem sim signal --json")]
    Signal {
        /// One JSON document instead of rows
        #[arg(long)]
        json: bool,
    },
    /// The last rows to and from the modem and those that led to changes, without numbers, words and keys
    #[command(after_help = "Example:\n  milu modem sim support > rows.txt")]
    Support {
        /// One JSON document instead of rows
        #[arg(long)]
        json: bool,
    },
    /// Let a modem be tried again that was reset too often, a PIN that its SIM refused, or a restart that was put off
    #[command(after_help = "Example:\n  milu modem sim release")]
    Release,
}

pub fn modem(args: &ModemArgs, control: &Path) -> Result<(), Failure> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if args.line.is_empty() || !args.line.bytes().all(fits) {
        let what = "a line's name has characters of a-z, 0-9 and '-'; `milu lines` shows the names";
        return Err(Failure::usage(format!("asking a modem: {what}")));
    }
    let url = format!("/v1/modems/{}", args.line);
    match &args.what {
        What::At { row, force } => at(control, &url, row, *force),
        What::Ussd { code, answers } => ussd(control, &url, code, answers),
        What::Sms { number, text } => sms(control, &url, number, text),
        What::Signal { json } => signal(control, &url, *json),
        What::Support { json } => support(control, &url, *json),
        What::Release => release(control, &url),
    }
}

fn at(control: &Path, url: &str, row: &str, force: bool) -> Result<(), Failure> {
    let asked = json!({ "row": row, "force": force });
    let answer: Option<Value> = client::post(control, &format!("{url}/command"), &asked)?;
    let rows = answer.as_ref().and_then(|answer| answer["rows"].as_str()).unwrap_or_default();
    rows.lines().for_each(|row| say!("{}", printable(row)));
    Ok(())
}

fn ussd(control: &Path, url: &str, code: &str, answers: &[String]) -> Result<(), Failure> {
    let mut answers = answers.iter();
    let mut said: Value = asked(client::post(control, &format!("{url}/code"), &json!({ "text": code }))?)?;
    for _ in 0..STEPS_MAX {
        for row in said["text"].as_str().unwrap_or_default().lines() {
            say!("{}", printable(row));
        }
        if said["awaits_answer"] != true {
            return Ok(());
        }
        let dialogue = format!("{url}/code/{}", said["dialogue"]);
        let answer = match answers.next() {
            Some(answer) => Some(answer.clone()),
            None => typed()?,
        };
        let Some(answer) = answer else {
            let nothing: Option<Value> = client::post(control, &format!("{dialogue}/cancel"), &json!({}))?;
            drop(nothing);
            let what = "the menu waits for an answer, and none was given; it is cancelled. Give one with --answer";
            return Err(Failure::no(format!("asking the network: {what}")));
        };
        said = asked(client::post(control, &dialogue, &json!({ "text": answer }))?)?;
    }
    Err(Failure::no(format!("asking the network: after {STEPS_MAX} steps the menu still goes on")))
}

fn asked(answer: Option<Value>) -> Result<Value, Failure> {
    answer.ok_or_else(|| Failure::no("asking the network: the box gave no answer; `milu doctor` may say why"))
}

/// What a person answers on the terminal; none when there is nobody.
fn typed() -> Result<Option<String>, Failure> {
    let failed = |error: std::io::Error| Failure::no(format!("reading the answer to the menu: {error}"));
    print!("> ");
    std::io::stdout().flush().map_err(failed)?;
    let mut row = String::new();
    std::io::stdin().lock().read_line(&mut row).map_err(failed)?;
    let answer = row.trim();
    Ok((!answer.is_empty()).then(|| answer.to_owned()))
}

fn sms(control: &Path, url: &str, number: &str, text: &str) -> Result<(), Failure> {
    let nothing: Option<Value> = client::post(control, &format!("{url}/text"), &json!({ "to": number, "text": text }))?;
    drop(nothing);
    say!("The network has it.");
    Ok(())
}

fn signal(control: &Path, url: &str, json: bool) -> Result<(), Failure> {
    let modem: Value = client::fetch_json(control, url)?;
    if json {
        say!("{modem}");
        return Ok(());
    }
    let show = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            say!("{name:<12} {}", printable(&value));
        }
    };
    let text = |key: &str| modem[key].as_str().map(str::to_owned);
    show("network", Some(network(&modem)));
    show("SIM", text("sim"));
    show("airtime", text("airtime"));
    show("data", text("data"));
    show("expires", text("expires"));
    show("power", text("power"));
    show("temperature", modem["temperature_celsius"].as_i64().map(|degrees| format!("{degrees} °C")));
    show("supply", modem["supply_mv"].as_i64().map(|mv| format!("{mv} mV")));
    show("modem", text("model"));
    show("firmware", text("firmware"));
    let proved = if modem["profile_verified"] == true { "" } else { " (no hardware has proved it yet)" };
    show("profile", text("profile").map(|profile| format!("{profile}{proved}")));
    show("socket", text("usb_path"));
    show("port", text("port"));
    let (sent, most) = (&modem["text_parts_today"], &modem["text_parts_a_day"]);
    show("texts today", Some(format!("{sent} of {most} parts, as the network bills them")));
    for trouble in ["troubles", "airtime_warnings"].iter().flat_map(|key| modem[*key].as_array().into_iter().flatten())
    {
        say!("{}", printable(trouble.as_str().unwrap_or_default()));
    }
    Ok(())
}

/// State, operator, technology, signal and `VoLTE` in one row.
pub fn network(modem: &Value) -> String {
    let text = |key: &str| modem[key].as_str().map(str::to_owned);
    let signal = modem["signal_dbm"].as_i64().map(|dbm| format!("{dbm} dBm"));
    let volte = text("volte").map(|volte| format!("VoLTE {volte}"));
    let parts = [text("state"), text("operator"), text("technology"), signal, volte];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn support(control: &Path, url: &str, json: bool) -> Result<(), Failure> {
    let answer: Value = client::fetch_json(control, &format!("{url}/support"))?;
    if json {
        say!("{answer}");
        return Ok(());
    }
    for row in answer["rows"].as_array().into_iter().flatten() {
        let way = match row["way"].as_str() {
            Some("to-modem") => ">",
            Some("from-modem") => "<",
            _ => "*",
        };
        let ago_ms = row["ago_ms"].as_u64().unwrap_or_default();
        let (seconds, tenths) = (ago_ms / 1000, ago_ms % 1000 / 100);
        say!("{:>9} {way} {}", format!("-{seconds}.{tenths}"), printable(row["row"].as_str().unwrap_or_default()));
    }
    if let Some(unknown @ 1..) = answer["unknown_rows"].as_u64() {
        say!("Rows so far that nobody knows: {unknown}");
    }
    Ok(())
}

fn release(control: &Path, url: &str) -> Result<(), Failure> {
    let nothing: Option<Value> = client::post(control, &format!("{url}/release"), &json!({}))?;
    drop(nothing);
    say!("The modem is tried again.");
    Ok(())
}
