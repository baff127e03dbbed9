//! `milu run` and `milu check`.

use std::path::PathBuf;

use clap::Args;
use milu::appliance::{Appliance, Config, Credentials, check as check_box};
use milu::ops::{LogShape, start_logs};

use crate::Failure;
use crate::out::say;

#[derive(Args)]
pub struct RunArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The directory of credentials, one file each; the service manager's if left out
    #[arg(long, value_name = "DIR")]
    credentials: Option<PathBuf>,
}

#[derive(Args)]
pub struct CheckArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The directory of credentials, one file each; the service manager's if left out
    #[arg(long, value_name = "DIR")]
    credentials: Option<PathBuf>,
    /// One JSON document instead of sentences
    #[arg(long)]
    json: bool,
}

pub fn run(args: &RunArgs) -> Result<(), Failure> {
    start_logs(LogShape::suited()).map_err(Failure::usage)?;
    let config = Config::read(&args.config).map_err(Failure::usage)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::no(format!("starting the box: its threads could not be started ({e})")))?;
    runtime.block_on(async {
        let appliance =
            Appliance::start(config, Credentials::new(args.credentials.clone())).await.map_err(Failure::usage)?;
        appliance.run().await.map_err(Failure::no)
    })
}

pub fn check(args: &CheckArgs) -> Result<(), Failure> {
    let config = Config::read(&args.config).map_err(Failure::usage)?;
    let findings = check_box(&config, &Credentials::new(args.credentials.clone()));
    let wrong = findings.iter().filter(|f| f.trouble.is_some()).count();
    if args.json {
        let rows: Vec<_> = findings
            .iter()
            .map(|f| serde_json::json!({ "part": f.part, "fine": f.trouble.is_none(), "sentence": f.sentence() }))
            .collect();
        say!("{}", serde_json::json!({ "fine": wrong == 0, "findings": rows }));
    } else {
        for finding in &findings {
            say!(
                "{:<9} {}: {}",
                if finding.trouble.is_some() { "wrong" } else { "fine" },
                finding.part,
                finding.sentence()
            );
        }
    }
    if wrong == 0 {
        Ok(())
    } else {
        Err(Failure::usage(format!(
            "{wrong} of {} parts are wrong: the box would not start, or would do without them",
            findings.len()
        )))
    }
}
