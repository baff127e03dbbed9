//! The stand-ins for the vendors as a program: makes their certificates, listens
//! on ports of the loopback that the system chooses, writes both down in `--dir`,
//! prints one row when all take connections, and ends on SIGTERM or when its
//! standard input is closed. See `mod.rs`.

#[path = "mod.rs"]
mod providers;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use providers::Options;
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Speaks the protocols of Deepgram, Anthropic and ElevenLabs over TLS on the loopback.
#[derive(Parser)]
#[command(name = "providers")]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let code = runtime.block_on(live(arguments.options));
    // A worker may still be computing speech that nobody waits for.
    runtime.shutdown_background();
    code
}

async fn live(options: Options) -> ExitCode {
    // Obeyed from here on, so that whoever reads the ready row may end us at once.
    let (mut terminate, mut interrupt) = match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
        (Err(error), _) | (_, Err(error)) => return failed(&error),
    };
    let dir = options.dir.clone();
    let ports = match providers::serve::start(options).await {
        Ok((_, ports)) => ports,
        Err(error) => return failed(&error),
    };
    let row = format!(
        "ready: ears {} mind {} voice {} lan-mind {} control {} in {}\n",
        ports.ears,
        ports.mind,
        ports.voice,
        ports.lan_mind,
        ports.control,
        dir.display()
    );
    let mut out = std::io::stdout();
    if let Err(error) = out.write_all(row.as_bytes()).and_then(|()| out.flush()) {
        return failed(&error);
    }
    tokio::select! {
        () = asked(&mut terminate, &mut interrupt) => {}
        () = input_closed() => {}
    }
    ExitCode::SUCCESS
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

/// Says the error with its causes.
fn failed(error: &dyn std::error::Error) -> ExitCode {
    let mut row = format!("providers: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        row.push_str(&format!(": {error}"));
        cause = error.source();
    }
    row.push('\n');
    // There is nobody left to tell when this cannot be said.
    drop(std::io::stderr().write_all(row.as_bytes()));
    ExitCode::FAILURE
}
