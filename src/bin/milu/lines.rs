//! `milu lines`: state and health of each telephone line.

use std::path::Path;

use clap::Args;
use serde_json::Value;

use crate::out::say;
use crate::{Failure, client, modem};

#[derive(Args)]
pub struct LinesArgs {
    /// One JSON document instead of rows
    #[arg(long)]
    json: bool,
}

pub fn lines(args: &LinesArgs, control: &Path) -> Result<(), Failure> {
    let answer: Value = client::fetch_json(control, "/v1/lines")?;
    if args.json {
        say!("{answer}");
        return Ok(());
    }
    for line in answer["lines"].as_array().into_iter().flatten() {
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        say!(
            "{:<16} {:<6} {:<9} {}  {} calls",
            text("id"),
            text("kind"),
            text("state"),
            text("address"),
            line["calls"]
        );
        if line["modem"].is_object() {
            say!("    {}", modem::network(&line["modem"]));
        }
        if let Some(trouble) = line["trouble"].as_str() {
            say!("    {trouble}");
        }
    }
    Ok(())
}
