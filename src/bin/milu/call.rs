//! `milu call`: a caller to test with.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgAction, ArgMatches, Args, FromArgMatches};
use milu::caller::{
    Call, CallReport, Converse, Listener, ReadStep, SpeakText, Step, Told, TurnReport, VoiceOptions, Who, prepare,
    save_call,
};
use milu::line::MediaClock;
use milu::line::sip::{RingError, RingOptions, SipCaller};
use milu::ops::SystemClock;
use tokio_util::sync::CancellationToken;

use crate::Failure;
use crate::out::say;

/// The longest silence that a test asks for.
const WAIT_MAX_SECONDS: f64 = 600.0;

#[derive(Args)]
pub struct CallArgs {
    /// Whom to ring: sip:user@host:port, with ;transport=tcp over TCP
    uri: String,
    #[command(flatten)]
    steps: Steps,
    /// A voice of espeak-ng (en-gb, en+f3, ...), or piper for the box's own
    #[arg(long, default_value = "en-gb", value_name = "NAME")]
    voice: String,
    /// Keep the call as a stereo WAV file: left what was sent, right what was heard
    #[arg(long, value_name = "WAV")]
    save: Option<PathBuf>,
    /// One JSON document at the end instead of a transcript
    #[arg(long)]
    json: bool,
    /// The number that the far side sees
    #[arg(long, default_value = "test-caller", value_name = "NUMBER", value_parser = from_user)]
    from: String,
    /// Where the models lie that write down what is heard
    #[arg(long, default_value = "/var/lib/milu/models", value_name = "DIR")]
    models: PathBuf,
    /// Write nothing down: a box on the same machine then has it to itself
    #[arg(long)]
    no_transcript: bool,
}

/// The steps in the order in which they were typed, whichever kind each is.
struct Steps(Vec<Step>);

impl Args for Steps {
    fn augment_args(command: clap::Command) -> clap::Command {
        let step = |name: &'static str, value: &'static str, help: &'static str| {
            clap::Arg::new(name).long(name).value_name(value).help(help).action(ArgAction::Append)
        };
        let seconds = clap::value_parser!(f64);
        command
            .arg(step("say", "TEXT", "Say it when it is our turn"))
            .arg(step("play", "WAV", "Play a file when it is our turn").value_parser(clap::value_parser!(PathBuf)))
            .arg(step("dtmf", "DIGITS", "Press keys when it is our turn"))
            .arg(step("interrupt", "TEXT", "Say it one second into the far side's next turn"))
            .arg(step("wait", "SECONDS", "Do nothing for so long").value_parser(seconds))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Steps {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut steps = Vec::new();
        collect(matches, "say", &mut steps, |text: &String| Step::Say(text.clone()));
        collect(matches, "play", &mut steps, |path: &PathBuf| Step::Play(path.clone()));
        collect(matches, "dtmf", &mut steps, |keys: &String| Step::Press(keys.clone()));
        collect(matches, "interrupt", &mut steps, |text: &String| Step::Interrupt(text.clone()));
        for (_, seconds) in typed::<f64>(matches, "wait") {
            if !(0.0..=WAIT_MAX_SECONDS).contains(seconds) {
                let why = format!("--wait takes 0 to {WAIT_MAX_SECONDS} seconds\n");
                return Err(clap::Error::raw(clap::error::ErrorKind::ValueValidation, why));
            }
        }
        collect(matches, "wait", &mut steps, |seconds: &f64| Step::Wait(Duration::from_secs_f64(*seconds)));
        steps.sort_by_key(|(place, _)| *place);
        Ok(Self(steps.into_iter().map(|(_, step)| step).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The values of one option with their places among all that was typed.
fn typed<'a, T: Clone + Send + Sync + 'static>(
    matches: &'a ArgMatches,
    name: &'a str,
) -> impl Iterator<Item = (usize, &'a T)> {
    let places = matches.indices_of(name).into_iter().flatten();
    places.zip(matches.get_many::<T>(name).into_iter().flatten())
}

fn collect<T: Clone + Send + Sync + 'static>(
    matches: &ArgMatches,
    name: &str,
    steps: &mut Vec<(usize, Step)>,
    step: impl Fn(&T) -> Step,
) {
    steps.extend(typed::<T>(matches, name).map(|(place, value)| (place, step(value))));
}

#[derive(Debug, thiserror::Error)]
#[error("a caller's number has 1 to 64 characters of A-Z, a-z, 0-9, '+', '-', '.' and '_'")]
struct BadNumber;

fn from_user(text: &str) -> Result<String, BadNumber> {
    let fits = text.chars().all(|c| c.is_ascii_alphanumeric() || "+-._".contains(c));
    if fits && (1..=64).contains(&text.len()) { Ok(text.to_owned()) } else { Err(BadNumber) }
}

pub fn call(args: &CallArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::no(format!("ringing: no threads could be started ({e})")))?;
    let done = runtime.block_on(ring(args))?;
    if let Some(path) = &args.save {
        save_call(path, done.rate, &done.sent, &done.heard).map_err(Failure::no)?;
    }
    if args.json {
        let document = serde_json::to_string_pretty(&done.report).map_err(Failure::no)?;
        say!("{document}");
    } else {
        say!("{}", ending(&done.report, args.save.as_deref()));
    }
    Ok(())
}

async fn ring(args: &CallArgs) -> Result<Converse, Failure> {
    let voice = VoiceOptions { name: args.voice.clone(), models_dir: args.models.clone() };
    let script = prepare(&args.steps.0, &voice).await.map_err(|error| match error {
        ReadStep::Speak(SpeakText::Piper(_) | SpeakText::Slow) => Failure::no(error),
        _ => Failure::usage(error),
    })?;
    let clock = SystemClock::new();
    let listener = listener(args, clock);
    let media_clock = MediaClock::start(clock.as_fn())
        .map_err(|e| Failure::no(format!("ringing: the thread for the sound could not be started ({e})")))?;
    let caller = SipCaller::new(clock.as_fn(), media_clock);
    let options = RingOptions { from_user: args.from.clone(), ..RingOptions::default() };
    let rung = clock.now();
    let leg = caller.ring(&args.uri, options).await.map_err(|error| match error {
        RingError::Address { .. } | RingError::Transport { .. } => Failure::usage(error),
        _ => Failure::no(error),
    })?;
    let stop = CancellationToken::new();
    let call = Call { uri: args.uri.clone(), leg, rung };
    let mut told = |what: Told| {
        if !args.json {
            show(&what);
        }
    };
    let mut converse = std::pin::pin!(call.converse(script, listener, &stop, &mut told));
    let done = tokio::select! {
        done = &mut converse => done,
        // The person at the keyboard has heard enough: a goodbye as always.
        _ = tokio::signal::ctrl_c() => {
            stop.cancel();
            converse.await
        }
    };
    caller.finish().await;
    done.map_err(Failure::no)
}

/// The ears that write down; without them the call is made all the same.
fn listener(args: &CallArgs, clock: SystemClock) -> Option<Listener> {
    if args.no_transcript {
        return None;
    }
    match Listener::load(&args.models, clock.as_fn()) {
        Ok(listener) => Some(listener),
        Err(error) => {
            eprintln!("There is no transcript of what is heard: {error}.");
            None
        }
    }
}

fn show(told: &Told) {
    match told {
        Told::Answered { after_ms, codec } => say!("  answered after {} s ({codec})", seconds(*after_ms)),
        Told::Turn(turn) => say!("{}", row(turn)),
    }
    // A transcript that cannot be shown costs nothing but the transcript.
    std::io::stdout().flush().unwrap_or_default();
}

fn row(turn: &TurnReport) -> String {
    let who = match turn.who {
        Who::Caller => "caller",
        Who::Far => "far",
    };
    let words = turn.text.as_deref().unwrap_or("(not written down)");
    let mut row = format!("{:>7} s  {who:<6}  {words}", seconds(turn.started_ms));
    if let Some(ms) = turn.voice_to_voice_ms {
        row.push_str(&format!("  [voice to voice {} s]", seconds(ms)));
    }
    if let Some(ms) = turn.interrupted_after_ms {
        row.push_str(&format!("  [silent {} s after the interruption]", seconds(ms)));
    }
    row
}

fn ending(report: &CallReport, saved: Option<&Path>) -> String {
    let mut text = format!("  ended after {} s ({}", seconds(report.duration_ms), report.end_cause.name);
    if let Some(mos) = report.media.mos {
        text.push_str(&format!(", listening quality {mos:.1} of 4.5"));
    }
    text.push(')');
    if let Some(path) = saved {
        text.push_str(&format!(", saved as {}", path.display()));
    }
    text
}

fn seconds(ms: u64) -> String {
    format!("{}.{:02}", ms / 1000, ms % 1000 / 10)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        call: CallArgs,
    }

    fn steps(typed: &[&str]) -> Vec<Step> {
        Typed::try_parse_from([&["milu"], typed].concat()).expect("well typed").call.steps.0
    }

    #[test]
    fn steps_are_done_in_the_order_in_which_they_were_typed() {
        let typed =
            ["sip:a@b", "--dtmf", "1", "--say", "one", "--json", "--wait", "2", "--interrupt", "no", "--say", "two"];
        let text = str::to_owned;
        assert_eq!(
            steps(&typed),
            [
                Step::Press(text("1")),
                Step::Say(text("one")),
                Step::Wait(Duration::from_secs(2)),
                Step::Interrupt(text("no")),
                Step::Say(text("two")),
            ]
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for typed in [&["sip:a@b", "--wait", "-1"][..], &["sip:a@b", "--wait=1e9"], &["sip:a@b", "--from", "a@b"], &[]]
        {
            assert!(Typed::try_parse_from([&["milu"], typed].concat()).is_err(), "{typed:?}");
        }
    }
}
