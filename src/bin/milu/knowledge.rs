//! `milu knowledge`: check a file, ask it a question.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use milu::appliance::{Answer, ask_knowledge};
use milu::knowledge::KnowledgeBase;
use milu::ops::SystemClock;

use crate::Failure;
use crate::out::say;

#[derive(Args)]
pub struct KnowledgeArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Read a knowledge file and say every mistake with its row and column
    Check { file: PathBuf },
    /// What the box would answer to a question
    Ask {
        question: String,
        /// The knowledge file
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// Where the models lie; without them, words alone decide
        #[arg(long, default_value = "/var/lib/milu/models", value_name = "DIR")]
        models: PathBuf,
        #[arg(long)]
        json: bool,
    },
}

pub fn knowledge(args: &KnowledgeArgs) -> Result<(), Failure> {
    match &args.what {
        What::Check { file } => {
            let base = read(file)?;
            say!(
                "{}: {} answers, {} people, {} holidays, no mistakes.",
                base.name,
                base.entries.len(),
                base.people.len(),
                base.hours.holidays().len()
            );
            Ok(())
        }
        What::Ask { question, file, models, json } => ask(question, read(file)?, models, *json),
    }
}

fn read(file: &Path) -> Result<KnowledgeBase, Failure> {
    let name = file.display().to_string();
    let text =
        std::fs::read_to_string(file).map_err(|e| Failure::usage(format!("reading the knowledge file {name}: {e}")))?;
    KnowledgeBase::parse(&name, &text).map_err(Failure::usage)
}

fn ask(question: &str, base: KnowledgeBase, models: &Path, json: bool) -> Result<(), Failure> {
    let Answer { kind, text, entry, score, by_meaning } =
        ask_knowledge(base, models, question, SystemClock::new().wall()).map_err(Failure::no)?;
    if json {
        let shown = serde_json::json!({
            "question": question, "finding": kind, "text": text, "entry": entry, "score": score, "by_meaning": by_meaning,
        });
        say!("{shown}");
    } else {
        if !by_meaning {
            eprintln!("There are no models in {}, so words alone decide.", models.display());
        }
        say!("{}", text.as_deref().unwrap_or("(the box would not answer from the file)"));
        say!("    {kind}{}", entry.map(|e| format!(", entry {e}")).unwrap_or_default());
    }
    Ok(())
}
