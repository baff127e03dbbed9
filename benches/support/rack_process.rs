//! A rack of scripted modems in a process of its own, so that what the modems cost is
//! not counted with the lines: the benchmark's own program, started with one more
//! argument. It reads orders on standard input, answers each by one row of JSON, and
//! ends when its input does.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::AsyncBufReadExt as _;

use super::CALLER;
use super::gsm_lines::{LOUD, speech};
use super::modem::{Family, Modem, ModemOptions, Rack};

/// The argument that makes the program a rack; a directory follows it.
const AS_RACK: &str = "--as-rack";

/// The modems, in the order of their sockets. The SIM800's sound goes by wire: it has
/// no port for it.
pub const FAMILIES: [Family; 8] = [
    Family::Quectel,
    Family::Sim7600,
    Family::Huawei,
    Family::Quectel,
    Family::Sim7600,
    Family::Huawei,
    Family::Quectel,
    Family::Sim7600,
];

/// So much is still to be said when the far side goes on: seconds more than it takes
/// to look again.
const UNSAID_MIN: usize = 5 * 8000;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a modem has counted since it was plugged in.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Counted {
    pub frames_down: u64,
    pub bytes_up: u64,
    pub underruns: u64,
    /// The line did not read them in time.
    pub bytes_refused: u64,
    /// Came although the line was told to hold.
    pub bytes_held: u64,
    /// Samples of the box that were loud at the far side.
    pub loud_up: u64,
    pub calls: usize,
}

/// The directory of the rack that this program is to be, if it is to be one.
pub fn asked_for() -> Option<PathBuf> {
    let mut arguments = std::env::args_os().skip_while(|argument| argument != AS_RACK);
    arguments.next().and_then(|_| arguments.next()).map(PathBuf::from)
}

/// Is the rack, until standard input is closed.
pub fn run(dir: &Path) {
    let rack = Rack::new(dir).expect("a rack");
    let plug = |(n, family)| {
        // Nobody rings but the benchmark.
        let options = ModemOptions { family, ring_every: Duration::from_secs(3600), ..ModemOptions::default() };
        rack.plug(options.numbered(n)).expect("pseudo-terminals")
    };
    let mut modems: Vec<(Modem, u64)> = (0_u32..).zip(FAMILIES).map(plug).map(|modem| (modem, 0)).collect();
    let said = speech("question-whole.wav");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut orders = tokio::io::BufReader::new(tokio::io::stdin()).lines();
        let mut looks = tokio::time::interval(LOOK_EVERY);
        answer(&[]);
        loop {
            tokio::select! {
                order = orders.next_line() => match order.expect("standard input").as_deref() {
                    None => return,
                    Some("ring") => {
                        modems.iter().for_each(|(modem, _)| modem.ring(CALLER));
                        answer(&[]);
                    }
                    Some(_) => answer(&modems.iter().map(|(modem, loud)| counted(modem, *loud)).collect::<Vec<_>>()),
                },
                _ = looks.tick() => modems.iter_mut().for_each(|(modem, loud)| *loud += talk(modem, &said)),
            }
        }
    });
    runtime.shutdown_background();
}

fn answer(counted: &[Counted]) {
    println!("{}", serde_json::to_string(counted).expect("JSON"));
    std::io::stdout().flush().expect("whoever started it reads");
}

/// The far side goes on talking; how many loud samples it heard meanwhile.
fn talk(modem: &Modem, said: &[i16]) -> u64 {
    if modem.sounds() && modem.unsaid() < UNSAID_MIN {
        modem.speak(said);
    }
    let heard = modem.heard();
    modem.forget_heard();
    heard.iter().filter(|sample| sample.unsigned_abs() > LOUD).count() as u64
}

fn counted(modem: &Modem, loud_up: u64) -> Counted {
    let sound = modem.sound();
    Counted {
        frames_down: sound.frames_down,
        bytes_up: sound.bytes_up,
        underruns: sound.underruns,
        bytes_refused: sound.bytes_refused,
        bytes_held: sound.bytes_held,
        loud_up,
        calls: modem.calls().len(),
    }
}

/// A rack that runs beside the benchmark. Dropping it ends it.
pub struct RackProcess {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl RackProcess {
    /// Starts it with the modems plugged in; `dir` is empty.
    pub fn start(dir: &Path) -> Self {
        let program = std::env::current_exe().expect("our own program");
        let mut command = Command::new(program);
        command.arg(AS_RACK).arg(dir).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("our own program runs");
        let orders = child.stdin.take().expect("it is piped");
        let answers = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut rack = Self { child, orders, answers };
        rack.read();
        rack
    }

    /// Somebody rings every SIM.
    pub fn ring(&mut self) {
        self.order("ring");
    }

    /// What each modem has counted.
    pub fn counted(&mut self) -> Vec<Counted> {
        self.order("count")
    }

    fn order(&mut self, order: &str) -> Vec<Counted> {
        writeln!(self.orders, "{order}").expect("the rack listens");
        self.read()
    }

    fn read(&mut self) -> Vec<Counted> {
        let row = self.answers.next().expect("the rack lives").expect("a row");
        serde_json::from_str(&row).expect("JSON")
    }
}

impl Drop for RackProcess {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
