//! The scripted modem as a program: plugs modems into a rack below `--dir`, whose
//! `sys` and `dev` the box's configuration names, prints one row when they are
//! there, and ends on SIGTERM or when its standard input is closed. See `mod.rs`.

#[path = "mod.rs"]
mod modem;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use modem::{Family, Modem, ModemOptions, Rack};
use tokio::io::AsyncReadExt as _;
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
}

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
    let (port, served) = modem::control::open(modems).await?;
    let mut out = io::stdout();
    writeln!(out, "ready: {} modems, control {port} in {}", arguments.modems.len(), arguments.dir.display())?;
    out.flush()?;
    tokio::select! {
        ended = served => ended,
        () = asked(&mut terminate, &mut interrupt) => Ok(()),
        () = input_closed() => Ok(()),
    }
}

async fn asked(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Ends when whoever started us has closed its end of our standard input.
async fn input_closed() {
    let mut input = tokio::io::stdin();
    let mut bytes = [0; 256];
    while let Ok(1..) = input.read(&mut bytes).await {}
}

fn failed(error: &io::Error) -> ExitCode {
    // There is nobody left to tell when this cannot be said.
    drop(writeln!(io::stderr(), "modem: {error}"));
    ExitCode::FAILURE
}
