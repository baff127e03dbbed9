//! What can be wrong with a modem, and how a script says so.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One thing that goes wrong from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// `inject 5 +CSQN: 25,0`: a row of its own within the next answer, at that byte.
    Inject { at_byte: usize, row: String },
    /// `split 200`: every byte is written alone, so many microseconds apart.
    Split { gap_us: u64 },
    /// `whole`: and no longer.
    Whole,
    /// `extra-cr on`: rows end in CR CR LF.
    ExtraCr { on: bool },
    /// `echo on`
    Echo { on: bool },
    /// `lose-final 1`: so many answers come without their last row.
    LoseFinal { count: u32 },
    /// `lose-answer 1`: so many commands are not answered at all.
    LoseAnswer { count: u32 },
    /// `delay 1500 2`: the next answers come later.
    Delay { ms: u64, count: u32 },
    /// `garbage 64`: bytes that mean nothing before the next answer.
    Garbage { bytes: usize },
    /// `answer +CSQ: 20,99|OK`: what the next command gets, whatever it is.
    Answer { rows: Vec<String> },
    /// `flood 1000 ^RSSI:20`: so many rows that nobody asked for, at once.
    Flood { count: u32, row: String },
    /// `stall 3000`: the next answer stops in the middle, and goes on so much later.
    Stall { ms: u64 },
    /// `vanish 2000`: unplugged; back under another name so much later, or never.
    Vanish { back_after_ms: Option<u64> },
    /// `pin 1234`: the SIM wants a PIN.
    Pin { pin: String },
    /// `sim-absent`
    SimAbsent,
    /// `service off`
    Service { on: bool },
    /// `sound off`: neither direction works, whatever the modem says.
    Sound { on: bool },
    /// `mute on`: the far side's silence is nothing but zeros.
    Mute { on: bool },
    /// `uplink off`: what the box says is not taken from the port.
    Uplink { on: bool },
    /// `stutter 3`: of so many frames one comes down.
    Stutter { one_of: u32 },
    /// `flow-stop 700`: the box is told to hold its sound, and so much later to go on.
    FlowStop { ms: u64 },
    /// `ppm -300`: the clock of the PCM port.
    Ppm { ppm: i32 },
    /// `second-call-deaf on`: sound cannot be switched on after the first call, until a reset.
    SecondCallDeaf { on: bool },
    /// `clear`: all is well again.
    Clear,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a fault that there is not, or without what it needs: {0}")]
pub struct NoSuchFault(String);

impl Fault {
    /// As a script writes it.
    pub fn parse(text: &str) -> Result<Self, NoSuchFault> {
        let (name, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        Self::read(name, rest.trim()).ok_or_else(|| NoSuchFault(text.to_owned()))
    }

    fn read(name: &str, rest: &str) -> Option<Self> {
        let on = || match rest {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        };
        let two = || rest.split_once(' ').map_or((rest, ""), |(first, second)| (first, second.trim()));
        Some(match name {
            "inject" => Self::Inject { at_byte: two().0.parse().ok()?, row: two().1.to_owned() },
            "split" => Self::Split { gap_us: rest.parse().ok()? },
            "whole" => Self::Whole,
            "extra-cr" => Self::ExtraCr { on: on()? },
            "echo" => Self::Echo { on: on()? },
            "lose-final" => Self::LoseFinal { count: rest.parse().ok()? },
            "lose-answer" => Self::LoseAnswer { count: rest.parse().ok()? },
            "delay" => Self::Delay { ms: two().0.parse().ok()?, count: two().1.parse().unwrap_or(1) },
            "garbage" => Self::Garbage { bytes: rest.parse().ok()? },
            "answer" => Self::Answer { rows: rest.split('|').map(str::to_owned).collect() },
            "flood" => Self::Flood { count: two().0.parse().ok()?, row: two().1.to_owned() },
            "stall" => Self::Stall { ms: rest.parse().ok()? },
            "vanish" if rest.is_empty() => Self::Vanish { back_after_ms: None },
            "vanish" => Self::Vanish { back_after_ms: Some(rest.parse().ok()?) },
            "pin" => Self::Pin { pin: rest.to_owned() },
            "sim-absent" => Self::SimAbsent,
            "service" => Self::Service { on: on()? },
            "sound" => Self::Sound { on: on()? },
            "mute" => Self::Mute { on: on()? },
            "uplink" => Self::Uplink { on: on()? },
            "stutter" => Self::Stutter { one_of: rest.parse().ok()? },
            "flow-stop" => Self::FlowStop { ms: rest.parse().ok()? },
            "ppm" => Self::Ppm { ppm: rest.parse().ok()? },
            "second-call-deaf" => Self::SecondCallDeaf { on: on()? },
            "clear" => Self::Clear,
            _ => return None,
        })
    }
}

/// What is wrong with the writing of answers now.
#[derive(Debug, Default)]
pub struct WritingFaults {
    pub injected: VecDeque<(usize, String)>,
    pub extra_cr: bool,
    pub lose_final: u32,
    pub lose_answer: u32,
    pub delay: Option<(Duration, u32)>,
    pub garbage: usize,
    pub answers: VecDeque<Vec<String>>,
    pub stall: Option<Duration>,
}

/// Whether an answer is written, and how.
pub enum Writing {
    Lost,
    /// Written in parts, each after a wait.
    Parts(Vec<(Duration, Vec<u8>)>),
}

impl WritingFaults {
    /// Whether the last row of this answer is lost.
    pub fn takes_final(&mut self) -> bool {
        take_one(&mut self.lose_final)
    }

    /// Spoils an answer on its way to the wire.
    pub fn spoil(&mut self, mut bytes: Vec<u8>) -> Writing {
        if take_one(&mut self.lose_answer) {
            return Writing::Lost;
        }
        if self.extra_cr {
            bytes = doubled_cr(&bytes);
        }
        for (at, row) in self.injected.drain(..) {
            let at = at.min(bytes.len());
            bytes.splice(at..at, format!("\r\n{row}\r\n").into_bytes());
        }
        if self.garbage > 0 {
            let noise = noise(std::mem::take(&mut self.garbage));
            bytes.splice(0..0, noise);
        }
        let wait = match &mut self.delay {
            Some((wait, count)) if *count > 0 => {
                *count -= 1;
                *wait
            }
            _ => Duration::ZERO,
        };
        match self.stall.take() {
            Some(stall) => {
                let second = bytes.split_off(bytes.len() / 2);
                Writing::Parts(vec![(wait, bytes), (stall, second)])
            }
            None => Writing::Parts(vec![(wait, bytes)]),
        }
    }
}

fn take_one(count: &mut u32) -> bool {
    let any = *count > 0;
    *count = count.saturating_sub(1);
    any
}

/// CR CR LF for CR LF.
pub fn doubled_cr(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() * 3 / 2);
    for (at, &byte) in bytes.iter().enumerate() {
        if byte == b'\r' && bytes.get(at + 1) == Some(&b'\n') {
            out.push(b'\r');
        }
        out.push(byte);
    }
    out
}

/// Bytes as a badly seated plug makes them: the same each time, so that a test
/// that fails fails again.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_u32;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[1]
        })
        .collect()
}
