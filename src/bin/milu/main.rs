//! The command line of the box. It parses what was typed, calls the library or
//! asks the running daemon, and prints; nothing is decided here.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks on its streams")]

mod call;
mod calls;
mod client;
mod doctor;
mod keys;
mod knowledge;
mod lines;
mod models;
mod modem;
mod out;
mod policy;
mod run;
mod texts;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The command ran, and the answer is no.
pub const ANSWER_NO: u8 = 1;
/// Wrong usage or configuration.
pub const USAGE: u8 = 2;

#[derive(Parser)]
#[command(
    name = "milu",
    version,
    about = "An AI telephone gateway that stands at your business and keeps its calls private",
    after_help = "Examples:\n  milu check --config /etc/milu/milu.toml\n  milu run --config /etc/milu/milu.toml\n  milu call sip:127.0.0.1:5060 --say \"When do you open on Saturday?\"\n  milu calls"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// The control socket of the running box.
    #[arg(long, global = true, env = "MILU_CONTROL", default_value = "/run/milu/control.sock", value_name = "PATH")]
    control: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Run the box
    #[command(after_help = "Example:\n  milu run --config /etc/milu/milu.toml")]
    Run(run::RunArgs),
    /// Read everything that a start would read; opens no port
    #[command(after_help = "Example:\n  milu check --config /etc/milu/milu.toml")]
    Check(run::CheckArgs),
    /// What is wrong with this box and what to do
    #[command(after_help = "Example:\n  milu doctor")]
    Doctor(doctor::DoctorArgs),
    /// Ring a box as a caller would, speak, and show what comes back
    #[command(
        after_help = "Example:\n  milu call sip:127.0.0.1:5060 --say \"When do you open on Saturday?\" --save call.wav"
    )]
    Call(call::CallArgs),
    /// The calls that the box has kept
    #[command(
        after_help = "Examples:\n  milu calls\n  milu calls show 01JDC0V9ZQ4M8Y5N7R2T6W3X1A --json\n  milu calls play 01JDC0V9ZQ4M8Y5N7R2T6W3X1A > call.wav\n  milu calls listen"
    )]
    Calls(calls::CallsArgs),
    /// State and health of each telephone line
    #[command(after_help = "Example:\n  milu lines --json")]
    Lines(lines::LinesArgs),
    /// Ask a line's modem, its SIM and its network
    #[command(
        after_help = "Examples:\n  milu modem sim signal\n  milu modem sim at AT+CSQ\n  milu modem sim ussd '*310#'\n  milu modem sim ussd '*323#' --answer 1\n  milu modem sim sms 08031234567 \"Hello from the shop\"\n  milu modem sim support"
    )]
    Modem(modem::ModemArgs),
    /// The text messages that came, and how many wait to be sent
    #[command(after_help = "Examples:\n  milu texts\n  milu texts --json")]
    Texts(texts::TextsArgs),
    /// Check a knowledge file; ask the box or a file a question
    #[command(
        after_help = "Examples:\n  milu knowledge check clinic.toml\n  milu knowledge ask \"are you open on Sunday\"\n  milu knowledge ask \"are you open on Sunday\" --file clinic.toml"
    )]
    Knowledge(knowledge::KnowledgeArgs),
    /// Check, explain and prove the table that says where data may go
    #[command(
        after_help = "Examples:\n  milu policy check residency.toml\n  milu policy explain --data transcript --to anthropic --policy residency.toml\n  milu policy prove residency.toml"
    )]
    Policy(policy::PolicyArgs),
    /// Fetch, verify and list the speech models
    #[command(after_help = "Example:\n  milu models fetch --dir /var/lib/milu/models")]
    Models(models::ModelsArgs),
    /// The keys under which calls are kept
    #[command(after_help = "Example:\n  milu keys status --key-file /var/lib/milu/keys/master.key")]
    Keys(keys::KeysArgs),
}

/// What a command came to, when it did not succeed: the exit code and one
/// sentence for the person who typed it.
pub struct Failure {
    code: u8,
    sentence: String,
}

#[allow(clippy::needless_pass_by_value, reason = "`map_err(Failure::no)` hands over the error itself")]
impl Failure {
    pub fn no(sentence: impl ToString) -> Self {
        Self { code: ANSWER_NO, sentence: sentence.to_string() }
    }

    pub fn usage(sentence: impl ToString) -> Self {
        Self { code: USAGE, sentence: sentence.to_string() }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => run::check(&args),
        Command::Doctor(args) => doctor::doctor(&args, &cli.control),
        Command::Call(args) => call::call(&args),
        Command::Calls(args) => calls::calls(&args, &cli.control),
        Command::Lines(args) => lines::lines(&args, &cli.control),
        Command::Modem(args) => modem::modem(&args, &cli.control),
        Command::Texts(args) => texts::texts(&args, &cli.control),
        Command::Knowledge(args) => knowledge::knowledge(&args, &cli.control),
        Command::Policy(args) => policy::policy(&args, &cli.control),
        Command::Models(args) => models::models(&args),
        Command::Keys(args) => keys::keys(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, sentence }) => {
            eprintln!("milu: {sentence}");
            ExitCode::from(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// The words of an example as a shell takes them apart, up to where its output goes.
    fn typed(example: &str) -> Vec<String> {
        let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
        for c in example.chars() {
            match (quote, c) {
                (Some(open), c) if open == c => quote = None,
                (None, '"' | '\'') => {
                    quote = Some(c);
                    word.get_or_insert_default();
                }
                (None, ' ') => words.extend(word.take()),
                _ => word.get_or_insert_default().push(c),
            }
        }
        words.extend(word);
        words.into_iter().take_while(|word| word != ">" && word != "|").collect()
    }

    fn examples(command: &clap::Command) -> Vec<String> {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        help.lines().filter(|row| row.starts_with("  milu ")).map(|row| row.trim().to_owned()).collect()
    }

    /// Walks the tree; `path` is how the command is reached.
    fn walk(command: &clap::Command, path: &[&str], wrong: &mut Vec<String>) {
        let examples = examples(command);
        let is_leaf = command.get_subcommands().next().is_none();
        if is_leaf && examples.is_empty() {
            wrong.push(format!("{} has no example", path.join(" ")));
        }
        // What clap adds by itself, such as `help` and its argument, is its own.
        let is_ours = path.last() != Some(&"help");
        for argument in command.get_arguments().filter(|argument| is_ours && argument.get_help().is_none()) {
            wrong.push(format!("{}: {} says nothing of itself", path.join(" "), argument.get_id()));
        }
        for example in examples {
            let words = typed(&example);
            let mut rest = words.iter();
            if !path.iter().all(|step| rest.any(|word| word == step)) {
                wrong.push(format!("{example}: is no example of {}", path.join(" ")));
            }
            if let Err(error) = Cli::try_parse_from(&words) {
                wrong.push(format!("{example}: {error}"));
            }
        }
        for below in command.get_subcommands() {
            walk(below, &[path, &[below.get_name()]].concat(), wrong);
        }
    }

    #[test]
    fn every_command_says_what_its_arguments_are_and_has_an_example_that_can_be_typed_as_it_stands() {
        let mut wrong = Vec::new();
        walk(&Cli::command(), &["milu"], &mut wrong);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn a_tree_without_an_example_is_found_out() {
        let bare = clap::Command::new("milu").subcommand(clap::Command::new("calls").arg(clap::Arg::new("since")));
        let mut wrong = Vec::new();
        walk(&bare, &["milu"], &mut wrong);
        assert_eq!(wrong, ["milu calls has no example", "milu calls: since says nothing of itself"]);
        assert_eq!(
            typed("milu call sip:a --say \"two words\" '' > out.wav"),
            ["milu", "call", "sip:a", "--say", "two words", ""]
        );
    }
}
