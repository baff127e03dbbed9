//! `milu keys`: the keys under which calls are kept.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use milu::ops::SystemClock;
use milu::store::Keyring;

use crate::Failure;
use crate::out::say;

#[derive(Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    what: What,
    /// The key file
    #[arg(long, global = true, default_value = "/var/lib/milu/keys/master.key", value_name = "FILE")]
    key_file: PathBuf,
}

#[derive(Subcommand)]
enum What {
    /// Make the key file; an existing one is never replaced
    #[command(after_help = "Example:\n  milu keys init --key-file /var/lib/milu/keys/master.key")]
    Init,
    /// How the key file is, without the key
    #[command(after_help = "Examples:\n  milu keys status\n  milu keys status --json")]
    Status {
        /// One JSON document instead of rows
        #[arg(long)]
        json: bool,
    },
}

pub fn keys(args: &KeysArgs) -> Result<(), Failure> {
    match args.what {
        What::Init => {
            Keyring::create(&args.key_file, SystemClock::new().wall()).map_err(Failure::no)?;
            say!(
                "A new key lies in {}. Without it no call can be read: keep a copy in a safe.",
                args.key_file.display()
            );
            Ok(())
        }
        What::Status { json } => status(args, json),
    }
}

fn status(args: &KeysArgs, json: bool) -> Result<(), Failure> {
    let status = Keyring::inspect(&args.key_file).map_err(Failure::no)?;
    let shown = serde_json::json!({
        "key_file": args.key_file,
        "keyring": status.id,
        "epoch": status.epoch,
        "created_at": status.created_at.to_string(),
        "mode": status.mode,
        "sealing": status.sealing,
    });
    if json {
        say!("{shown}");
    } else {
        say!(
            "Keyring {} of {}, epoch {}, in {} (mode {}).",
            status.id,
            status.created_at,
            status.epoch,
            args.key_file.display(),
            status.mode
        );
    }
    Ok(())
}
