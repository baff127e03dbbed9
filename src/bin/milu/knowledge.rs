//! `milu knowledge`: check a file, ask the box or a file a question.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use milu::appliance::ask_knowledge;
use milu::knowledge::KnowledgeBase;
use milu::ops::SystemClock;
use serde_json::{Value, json};

use crate::client::AskError;
use crate::out::say;
use crate::{Failure, client};

#[derive(Args)]
pub struct KnowledgeArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Read a knowledge file and say every mistake with its row and column
    #[command(after_help = "Example:\n  milu knowledge check clinic.toml")]
    Check {
        /// The file, of TOML or Markdown
        file: PathBuf,
    },
    /// What the box would answer to a question
    #[command(
        after_help = "Examples:\n  milu knowledge ask \"Are you open on Sunday?\"\n  milu knowledge ask \"Are you open on Sunday?\" --file clinic.toml --json"
    )]
    Ask {
        /// In words as a caller has them
        question: String,
        /// A knowledge file; without one the running box answers from what it knows
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Where the models lie that understand a file; without them, words alone decide
        #[arg(long, default_value = "/var/lib/milu/models", value_name = "DIR", requires = "file")]
        models: PathBuf,
        /// One JSON document instead of rows
        #[arg(long)]
        json: bool,
    },
}

pub fn knowledge(args: &KnowledgeArgs, control: &Path) -> Result<(), Failure> {
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
            few_ways(&base).into_iter().for_each(|advice| say!("{advice}"));
            Ok(())
        }
        What::Ask { question, file, models, json } => {
            let answer = match file {
                Some(file) => ask_file(question, file, models)?,
                None => ask_box(question, control)?,
            };
            show(&answer, *json);
            Ok(())
        }
    }
}

/// The clinic's file has so many and more, and of the questions of `make bench` at least 49 of
/// 50 find their answer in it. The guest house's has two or three, and there 19 of 50 do: its
/// questions are asked in words further away from the file's than the clinic's are, so the
/// ways to ask are one reason among others.
const WAYS_WANTED: usize = 8;

/// Which answers callers will often ask for in vain, and what to do about it.
fn few_ways(base: &KnowledgeBase) -> Option<String> {
    let few: Vec<&str> =
        base.entries.iter().filter(|entry| entry.ask.len() < WAYS_WANTED).map(|entry| entry.id.as_str()).collect();
    (!few.is_empty()).then(|| {
        format!(
            "{} of them have fewer than {WAYS_WANTED} ways to ask. Write more, as your callers say it, and they \
             are understood more often: {}",
            few.len(),
            few.join(", ")
        )
    })
}

fn read(file: &Path) -> Result<KnowledgeBase, Failure> {
    let name = file.display().to_string();
    let text =
        std::fs::read_to_string(file).map_err(|e| Failure::usage(format!("reading the knowledge file {name}: {e}")))?;
    KnowledgeBase::parse(&name, &text).map_err(Failure::usage)
}

/// The answer as one JSON document, whoever gave it.
fn ask_file(question: &str, file: &Path, models: &Path) -> Result<Value, Failure> {
    let answer = ask_knowledge(read(file)?, models, question, SystemClock::new().wall()).map_err(Failure::no)?;
    if !answer.by_meaning {
        eprintln!("There are no models in {}, so words alone decide.", models.display());
    }
    serde_json::to_value(answer).map_err(|e| Failure::no(format!("writing the answer: {e}")))
}

fn ask_box(question: &str, control: &Path) -> Result<Value, Failure> {
    let answer: Option<Value> = match client::post(control, "/v1/knowledge/ask", &json!({ "question": question })) {
        Err(error @ AskError::Connect { .. }) => {
            return Err(Failure::no(format!("{error}; without a box, --file FILE asks a knowledge file")));
        }
        answered => answered?,
    };
    let answer = answer.ok_or_else(|| Failure::no("asking the box: it gave no answer"))?;
    if answer["by_meaning"] == false {
        eprintln!("The box's model of meaning has failed, so words alone decide; its log says more.");
    }
    Ok(answer)
}

fn show(answer: &Value, json: bool) {
    if json {
        say!("{answer}");
        return;
    }
    let shown = |key: &str| answer[key].as_str();
    say!("{}", shown("text").unwrap_or("(the box would not answer from the file)"));
    let entry = shown("entry").map(|entry| format!(", entry {entry}")).unwrap_or_default();
    say!("    {}{entry}", shown("finding").unwrap_or_default());
}
