//! `milu doctor`: what is wrong with this box and what to do.

use std::path::Path;

use clap::Args;
use serde_json::Value;

use crate::out::say;
use crate::{Failure, client};

#[derive(Args)]
pub struct DoctorArgs {
    /// One JSON document instead of sentences
    #[arg(long)]
    json: bool,
}

pub fn doctor(args: &DoctorArgs, control: &Path) -> Result<(), Failure> {
    let answer: Value = client::fetch_json(control, "/v1/doctor")?;
    if args.json {
        say!("{answer}");
    } else {
        for fact in answer["facts"].as_array().into_iter().flatten() {
            let text = |key: &str| fact[key].as_str().unwrap_or_default();
            say!("{:<9} {}: {}", text("state"), text("name"), text("sentence"));
        }
    }
    match answer["state"].as_str() {
        Some("well") => Ok(()),
        _ => Err(Failure::no("something is wrong with this box; the sentences above say what and what to do")),
    }
}
