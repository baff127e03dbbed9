//! The ears of the simulated world: they hear what the caller said since the
//! turn began, after a while, and not always rightly.

use std::time::Duration;

use milu::call::{Confidence, Input};
use milu::terms::{Private, RequestId};

use super::caller::QUESTIONS;
use super::random::Dice;

/// The name of the world's ears in records.
pub const ENGINE: &str = "ears-simulated";

/// How often in a thousand something goes wrong, and how long things take.
#[derive(Clone, Debug)]
pub struct EarsFaults {
    pub fails: u32,
    pub never: u32,
    pub late: u32,
    pub wrong: u32,
    pub doubtful: u32,
    pub unheard: u32,
    /// The same words once more.
    pub twice: u32,
    /// The judge thinks that the caller will go on.
    pub misjudges: u32,
    pub latency_ms: (u64, u64),
}

impl EarsFaults {
    pub const NONE: Self = Self {
        fails: 0,
        never: 0,
        late: 0,
        wrong: 0,
        doubtful: 0,
        unheard: 0,
        twice: 0,
        misjudges: 0,
        latency_ms: (120, 400),
    };

    pub fn some(dice: &mut Dice) -> Self {
        if dice.per_mille(300) {
            return Self::NONE;
        }
        let mut often = |max| dice.between(0, max) as u32;
        Self {
            fails: often(150),
            never: often(80),
            late: often(80),
            wrong: often(150),
            doubtful: often(300),
            unheard: often(300),
            twice: often(100),
            misjudges: often(500),
            latency_ms: (100, 1500),
        }
    }
}

/// The answer to a decode, and how long it takes; none if it never comes.
pub fn decode(faults: &EarsFaults, dice: &mut Dice, request: RequestId, said: String) -> Option<(Duration, Input)> {
    let mut took = Duration::from_millis(dice.between(faults.latency_ms.0, faults.latency_ms.1));
    if dice.per_mille(faults.never) {
        return None;
    }
    if dice.per_mille(faults.late) {
        took += Duration::from_millis(dice.between(4000, 12_000));
    }
    if dice.per_mille(faults.fails) {
        return Some((took, Input::EarsFailed { request }));
    }
    let wrong = dice.per_mille(faults.wrong);
    let words = if wrong { dice.one_of(QUESTIONS).to_owned() } else { said };
    let mean_log_probability = match (dice.per_mille(faults.unheard), dice.per_mille(faults.doubtful)) {
        (true, _) => -1.6,
        (false, true) => -0.9,
        (false, false) => -0.2,
    };
    let confidence = Confidence { mean_log_probability, no_speech: 0.05, compression: 1.2, repeats: false };
    Some((took, Input::Heard { request, words: Private::new(words), confidence, engine: ENGINE, took }))
}

pub fn judge(faults: &EarsFaults, dice: &mut Dice, request: RequestId) -> Option<(Duration, Input)> {
    if dice.per_mille(faults.never) {
        return None;
    }
    let probability = if dice.per_mille(faults.misjudges) { 0.1 } else { 0.9 };
    let took = Duration::from_millis(dice.between(30, 90));
    Some((took, Input::TurnOver { request, probability }))
}
