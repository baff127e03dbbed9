//! The scripted modem as a program: plugs modems into a rack below `--dir`, whose
//! `sys` and `dev` the box's configuration names, prints one row when they are
//! there, and ends on SIGTERM or when its standard input is closed. With `--say`
//! somebody rings the first SIM when a row comes on standard input. See `mod.rs`.

#[path = "mod.rs"]
mod modem;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use milu::caller::{CallFailed, Listener, Step, Told, VoiceOptions, Who, prepare, save_call};
use milu::line::MediaClock;
use milu::ops::SystemClock;
use modem::telephone::Ringing;
use modem::{Family, Modem, ModemOptions, Rack};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Modems on pseudo-terminals, with somebody who calls.
#[derive(Parser)]
#[command(name = "modem")]
struct Arguments {
    /// An empty directory, in which `sys` and `dev` are made.
    #[arg(long)]
    dir: PathBuf,
    /// One for each modem.
    #[arg(long = "modem", value_enum, default_value = "quectel")]
    modems: Vec<Family>,
    /// Between two rings.
    #[arg(long, default_value_t = 3000)]
    ring_every_ms: u64,
    /// How long a modem takes to answer a command.
    #[arg(long, default_value_t = 5)]
    latency_ms: u64,
    /// The PIN of every SIM.
    #[arg(long)]
    pin: Option<String>,
    /// By how much the PCM clocks are off, in millionths.
    #[arg(long, default_value_t = 0, allow_hyphen_values = true)]
    ppm: i32,
    /// A script that every modem plays.
    #[arg(long)]
    script: Option<PathBuf>,
    #[command(flatten)]
    caller: Caller,
}

/// Who rings the first modem's SIM, once a row has come on standard input.
#[derive(Clone, clap::Args)]
struct Caller {
    /// What the caller says, turn by turn.
    #[arg(long, value_name = "TEXT")]
    say: Vec<String>,
    /// The number that the box sees.
    #[arg(long, default_value = "+2348031234567")]
    from: String,
    /// A voice of espeak-ng, or piper.
    #[arg(long, default_value = "piper")]
    voice: String,
    /// Where the models lie with which the caller speaks and writes down.
    #[arg(long, default_value = ".models")]
    models: PathBuf,
    /// Keep the call as a stereo WAV file: left the caller, right the box.
    #[arg(long, value_name = "WAV")]
    save: Option<PathBuf>,
}

/// A text that was promised in the call is on its way soon after it.
const TEXT_WITHIN: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let code = runtime.block_on(async {
        match live(arguments).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        }
    });
    runtime.shutdown_background();
    code
}

async fn live(arguments: Arguments) -> io::Result<()> {
    // Obeyed from here on, so that whoever reads the ready row may end us at once.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let rack = Rack::new(&arguments.dir)?;
    let script = arguments.script.as_deref().map(std::fs::read_to_string).transpose()?;
    let mut modems: Vec<Modem> = Vec::new();
    for (n, family) in (0_u32..).zip(&arguments.modems) {
        let options = ModemOptions {
            family: *family,
            ring_every: Duration::from_millis(arguments.ring_every_ms),
            latency: Duration::from_millis(arguments.latency_ms),
            pin: arguments.pin.clone(),
            ppm: arguments.ppm,
            ..ModemOptions::default()
        };
        let modem = rack.plug(options.numbered(n))?;
        if let Some(script) = &script {
            modem.play(script).map_err(io::Error::other)?;
        }
        modems.push(modem);
    }
    let first = modems.first().cloned();
    let (port, served) = modem::control::open(modems).await?;
    let mut out = io::stdout();
    writeln!(out, "ready: {} modems, control {port} in {}", arguments.modems.len(), arguments.dir.display())?;
    out.flush()?;
    tokio::select! {
        ended = served => ended,
        () = asked(&mut terminate, &mut interrupt) => Ok(()),
        done = obey(arguments.caller, first) => done,
    }
}

/// Lets the caller ring at each row of the standard input; ends when it is closed.
async fn obey(caller: Caller, modem: Option<Modem>) -> io::Result<()> {
    let mut rows = BufReader::new(tokio::io::stdin()).lines();
    while rows.next_line().await?.is_some() {
        if let Some(modem) = modem.as_ref().filter(|_| !caller.say.is_empty()) {
            ring(&caller, modem).await?;
        }
    }
    Ok(())
}

/// One call of the first modem's SIM, told as it goes; then the texts that followed.
async fn ring(caller: &Caller, modem: &Modem) -> io::Result<()> {
    let clock = SystemClock::new();
    let voice = VoiceOptions { name: caller.voice.clone(), models_dir: caller.models.clone() };
    let steps: Vec<Step> = caller.say.iter().cloned().map(Step::Say).collect();
    let script = prepare(&steps, &voice).await.map_err(io::Error::other)?;
    let listener = Listener::load(&caller.models, clock.as_fn()).map_err(io::Error::other)?;
    let media_clock = MediaClock::start(clock.as_fn())?;
    let ringing = Ringing { modem, clock, media_clock: &media_clock, from: &caller.from };
    let before = modem.sent_texts().len();
    let done = ringing.converse(script, Some(listener), &mut |told| tell(&told)).await;
    let done = match done {
        Ok(done) => done,
        Err(error @ (CallFailed::NotAnswered { .. } | CallFailed::GivenUp { .. })) => {
            return Err(io::Error::other(error));
        }
    };
    row(&format!("  ended after {}", seconds(done.report.duration_ms)));
    if let Some(path) = &caller.save {
        save_call(path, done.rate, &done.sent, &done.heard).map_err(io::Error::other)?;
    }
    let texts = || modem.sent_texts().split_off(before);
    let text = modem.until("a text message", |_| (!texts().is_empty()).then_some(()));
    if tokio::time::timeout(TEXT_WITHIN, text).await.is_ok() {
        texts().iter().for_each(|text| row(&format!("  text message to {}: {}", text.to, text.text)));
    }
    row("over");
    Ok(())
}

fn tell(told: &Told) {
    match told {
        Told::Answered { after_ms, codec } => row(&format!("  answered after {} ({codec})", seconds(*after_ms))),
        Told::Turn(turn) => {
            let who = match turn.who {
                Who::Caller => "caller",
                Who::Far => "far",
            };
            let words = turn.text.as_deref().unwrap_or("(not written down)");
            let late = turn.voice_to_voice_ms.map(|ms| format!("  [voice to voice {}]", seconds(ms)));
            row(&format!("{:>9}  {who:<6}  {words}{}", seconds(turn.started_ms), late.unwrap_or_default()));
        }
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:02} s", ms / 1000, ms % 1000 / 10)
}

fn row(text: &str) {
    let mut out = io::stdout();
    // Whoever reads it has gone when it cannot be said, and then we end too.
    drop(writeln!(out, "{text}").and_then(|()| out.flush()));
}

async fn asked(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

fn failed(error: &io::Error) -> ExitCode {
    // There is nobody left to tell when this cannot be said.
    drop(writeln!(io::stderr(), "modem: {error}"));
    ExitCode::FAILURE
}
