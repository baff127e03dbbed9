//! `milu models`: fetch, verify, list.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use milu::speech::onbox::models::{
    Choice, FileState, ListedModel, Manifest, Progress, Step, Tools, fetch, list, verify,
};

use crate::Failure;
use crate::out::say;

#[derive(Args)]
pub struct ModelsArgs {
    #[command(subcommand)]
    what: What,
    /// Where the models lie
    #[arg(long, global = true, default_value = "/var/lib/milu/models", value_name = "DIR")]
    dir: PathBuf,
    /// The list of models with their checksums
    #[arg(long, global = true, default_value = "/usr/share/milu/models.toml", value_name = "FILE")]
    manifest: PathBuf,
}

#[derive(Subcommand)]
enum What {
    /// Bring what is missing, check it and convert it
    #[command(after_help = "Examples:\n  milu models fetch\n  milu models fetch whisper-tiny --dir .models")]
    Fetch {
        /// Every model of the list, not only those that a box needs
        #[arg(long)]
        all: bool,
        /// Only these
        #[arg(conflicts_with = "all")]
        names: Vec<String>,
    },
    /// Read every byte and compare the checksums
    #[command(after_help = "Examples:\n  milu models verify\n  milu models verify --dir .models --json")]
    Verify {
        /// One JSON document instead of rows
        #[arg(long)]
        json: bool,
    },
    /// The models and how they lie on the disk
    #[command(after_help = "Examples:\n  milu models list\n  milu models list --json")]
    List {
        /// One JSON document instead of rows
        #[arg(long)]
        json: bool,
    },
}

pub fn models(args: &ModelsArgs) -> Result<(), Failure> {
    let manifest = Manifest::read(&args.manifest).map_err(Failure::usage)?;
    match &args.what {
        What::Fetch { all, names } => {
            let choice = match (all, names.as_slice()) {
                (true, _) => Choice::All,
                (false, []) => Choice::Needed,
                (false, names) => Choice::Named(names),
            };
            bring(&manifest, &args.dir, choice)
        }
        What::Verify { json } => check(&manifest, &args.dir, *json),
        What::List { json } => {
            show(&list(&manifest, &args.dir), *json);
            Ok(())
        }
    }
}

fn bring(manifest: &Manifest, dir: &Path, choice: Choice<'_>) -> Result<(), Failure> {
    let mut display = Display::default();
    let fetched = fetch(manifest, dir, choice, &Tools, &mut |p| display.show(&p)).map_err(Failure::no)?;
    display.end();
    say!("Models in {}: {} fetched now, {} were there.", dir.display(), fetched.installed, fetched.present);
    Ok(())
}

fn check(manifest: &Manifest, dir: &Path, json: bool) -> Result<(), Failure> {
    let mut display = Display::default();
    let there: Vec<String> =
        list(manifest, dir).into_iter().filter(|m| m.needed || m.is_there()).map(|m| m.name).collect();
    let models = verify(manifest, dir, Choice::Named(&there), &mut |p| display.show(&p)).map_err(Failure::no)?;
    display.end();
    show(&models, json);
    if models.iter().all(ListedModel::is_there) {
        Ok(())
    } else {
        Err(Failure::no("some models are missing or damaged; `milu models fetch` brings them"))
    }
}

fn show(models: &[ListedModel], json: bool) {
    if json {
        say!("{}", serde_json::json!({ "models": models }));
        return;
    }
    for model in models {
        say!("{} ({}): {}", model.name, model.licence, model.about);
        for file in &model.files {
            let state = match file.state {
                FileState::Verified => "right",
                FileState::Present => "there, not yet checked",
                FileState::Missing => "missing",
                FileState::Damaged => "damaged",
                FileState::Unreadable => "cannot be read",
            };
            say!("    {:<34} {:>7.1} MB  {state}", file.name, file.size_bytes as f64 / 1e6);
        }
    }
}

/// One row that is written over while a step goes on, on a terminal; one row a
/// step elsewhere.
#[derive(Default)]
struct Display {
    last: Option<(String, Step)>,
    percent: u64,
}

impl Display {
    fn show(&mut self, progress: &Progress<'_>) {
        let what = match progress.step {
            Step::Present => return,
            Step::Downloading => "downloading",
            Step::Installed => "installed",
            Step::Verifying => "checking",
            Step::Unpacking => "unpacking",
            Step::Converting => "converting",
        };
        let is_new = self.last.as_ref().is_none_or(|(file, step)| file != progress.file || *step != progress.step);
        let percent = (progress.done * 100).checked_div(progress.total).unwrap_or(100).min(100);
        let terminal = std::io::stderr().is_terminal();
        if is_new {
            self.end();
            self.last = Some((progress.file.to_owned(), progress.step));
            if !terminal {
                eprintln!("{what} {}", progress.file);
            }
        }
        if terminal && (is_new || percent != self.percent) {
            eprint!("\r{what} {} {percent:3} %", progress.file);
            // A display that cannot be written costs nothing but the display.
            std::io::stderr().flush().unwrap_or_default();
        }
        self.percent = percent;
    }

    fn end(&mut self) {
        if self.last.take().is_some() && std::io::stderr().is_terminal() {
            eprintln!();
        }
    }
}
