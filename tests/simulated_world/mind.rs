//! The mind of the simulated world: a clinic with a short page of facts.

use std::time::Duration;

use milu::call::Input;
use milu::knowledge::{Finding, Spoken};
use milu::terms::{Private, RequestId};

use super::random::Dice;

#[derive(Clone, Debug)]
pub struct MindFaults {
    pub fails: u32,
    pub never: u32,
    pub late: u32,
    pub latency_ms: (u64, u64),
}

impl MindFaults {
    pub const NONE: Self = Self { fails: 0, never: 0, late: 0, latency_ms: (5, 40) };

    pub fn some(dice: &mut Dice) -> Self {
        if dice.per_mille(500) {
            return Self::NONE;
        }
        let mut often = |max| dice.between(0, max) as u32;
        Self { fails: often(150), never: often(80), late: often(80), latency_ms: (5, 300) }
    }
}

pub const HOURS: &str = "We open at eight in the morning and close at six in the evening, from Monday to Saturday.";
pub const SUNDAY: &str = "On Sunday we are closed.";
pub const PRICE: &str = "A malaria test costs three thousand naira.";

pub fn spoken(text: &str) -> Spoken {
    Spoken { text: Private::new(text.to_owned()), entry: None }
}

/// What the clinic's mind finds for words that it was asked.
pub fn think(words: &str) -> Finding {
    match words.trim() {
        "When do you open?" => Finding::Answer(spoken(HOURS)),
        "And on Sunday?" => Finding::Answer(spoken(SUNDAY)),
        "How much is a malaria test?" => Finding::Answer(spoken(PRICE)),
        "Do you test for typhoid?" => Finding::Maybe {
            question: spoken("Do you mean our laboratory tests?"),
            answer: spoken("Our laboratory tests for malaria and typhoid."),
        },
        "Can I speak to Doctor Bello?" => Finding::Person { name: Some("Doctor Bello".to_owned()) },
        "I want to leave a message." => Finding::LeaveMessage,
        "Please say that again slower." => Finding::Repeat { slower: true },
        "Thank you very much." => Finding::Courtesy(spoken("You are welcome.")),
        "Yes." => Finding::Yes,
        "No." => Finding::No,
        "Goodbye." => Finding::Goodbye,
        "Hold on a moment." => Finding::Wait,
        "Mm-hm." => Finding::Backchannel,
        _ => Finding::Unknown,
    }
}

pub fn answer(faults: &MindFaults, dice: &mut Dice, request: RequestId, finding: Finding) -> Option<(Duration, Input)> {
    let mut took = Duration::from_millis(dice.between(faults.latency_ms.0, faults.latency_ms.1));
    if dice.per_mille(faults.never) {
        return None;
    }
    if dice.per_mille(faults.late) {
        took += Duration::from_millis(dice.between(2000, 6000));
    }
    if dice.per_mille(faults.fails) {
        return Some((took, Input::MindFailed { request }));
    }
    Some((took, Input::Found { request, finding, took }))
}
