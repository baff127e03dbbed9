//! `milu texts`: the text messages that came.

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
    match answer["waiting"].as_u64() {
        Some(0) | None => {}
        Some(waiting) => say!("{waiting} wait to be sent."),
    }
    Ok(())
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
