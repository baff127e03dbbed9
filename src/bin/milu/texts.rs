//! `milu texts`: the text messages that came, those that wait to be sent, and those of
//! which something is to be told.

use std::path::Path;

use clap::Args;
use serde_json::Value;

use crate::out::say;
use crate::{Failure, client};

#[derive(Args)]
pub struct TextsArgs {
    /// One JSON document instead of rows
    #[arg(long)]
    json: bool,
}

pub fn texts(args: &TextsArgs, control: &Path) -> Result<(), Failure> {
    let answer: Value = client::fetch_json(control, "/v1/texts")?;
    if args.json {
        say!("{answer}");
        return Ok(());
    }
    let none = Vec::new();
    let received = answer["received"].as_array().unwrap_or(&none);
    if received.is_empty() {
        say!("No text messages yet.");
    }
    for text in received {
        let shown = |key: &str| text[key].as_str().unwrap_or_default();
        let from = Some(shown("from")).filter(|from| !from.is_empty()).unwrap_or("no number");
        let at = shown("received_at").get(..19).unwrap_or_default();
        say!("{at}  {:<16} {from}", shown("line"));
        for row in shown("text").lines() {
            say!("    {}", printable(row));
        }
    }
    let rows = |key: &str| answer[key].as_array().cloned().unwrap_or_default();
    for text in rows("ended") {
        let what = if text["end"] == "given-up" { "was not sent" } else { "was sent and may have arrived twice" };
        say!("{}  A text {what}, after {}: {}", at(&text["ended_at"]), tries(&text), why(&text));
        say!("    {}", promised(&text));
    }
    for text in rows("deliveries") {
        let what = if text["fate"] == "delivered" { "was delivered" } else { "did not reach its telephone" };
        let line = text["line"].as_str().unwrap_or_default();
        say!("{}  A text over line {line} {what}; it was {}", at(&text["told_at"]), promised(&text));
    }
    for text in rows("to_send") {
        let parts = text["parts"].as_u64().unwrap_or_default();
        say!(
            "{}  A text of {} is due, after {}: {}",
            at(&text["due_at"]),
            counted(parts, "part"),
            tries(&text),
            why(&text)
        );
        say!("    {}", promised(&text));
    }
    match answer["waiting"].as_u64() {
        Some(0) | None => {}
        Some(waiting) => {
            say!("{waiting} wait to be sent. A day's ceiling counts parts, as the network bills them.");
        }
    }
    Ok(())
}

/// A time without its fractions.
fn at(time: &Value) -> String {
    time.as_str().and_then(|time| time.get(..19)).unwrap_or_default().to_owned()
}

fn tries(text: &Value) -> String {
    match text["tries"].as_u64() {
        Some(1) => "1 try".to_owned(),
        tries => format!("{} tries", tries.unwrap_or_default()),
    }
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn why(text: &Value) -> String {
    printable(text["why"].as_str().unwrap_or("a line is to be ready"))
}

/// To whom is nowhere but in the record of the call.
fn promised(text: &Value) -> String {
    match text["call"].as_str() {
        Some(call) => format!("promised in call {call}; `milu calls show {call}` says to whom"),
        None => "promised in no call".to_owned(),
    }
}

/// Somebody else's words must not move a terminal's cursor.
pub fn printable(row: &str) -> String {
    row.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_drive_the_terminal() {
        assert_eq!(printable("gift\u{1b}[2Jyou won"), "gift\u{FFFD}[2Jyou won");
    }
}
