//! The mind of the simulated world: a clinic with a short page of facts.

use std::time::Duration;

use milu::call::{EngineStage, Failover, Input, WhyLeft};
use milu::knowledge::{Finding, Guess, Spoken, Written};
use milu::terms::{Private, RequestId};

use super::random::Dice;

/// The names of the world's minds in records.
pub const WHOLE: &str = "mind-simulated";
pub const STREAMING: &str = "streaming-mind-simulated";

#[derive(Clone, Debug)]
pub struct MindFaults {
    pub fails: u32,
    pub never: u32,
    pub late: u32,
    pub latency_ms: (u64, u64),
    /// Answers come sentence by sentence.
    pub streams: u32,
    pub stream: StreamFaults,
    /// The first engine is left, and this is told before the answer.
    pub left: u32,
}

/// What goes wrong with an answer in sentences.
#[derive(Clone, Debug)]
pub struct StreamFaults {
    /// Between two sentences.
    pub gap_ms: (u64, u64),
    /// It fails in the middle.
    pub breaks_off: u32,
    /// It stops in the middle, and nothing is said about it.
    pub stalls: u32,
    /// A sentence or the end comes again.
    pub twice: u32,
    /// Sentences come after the end, or a whole answer after a sentence.
    pub disorder: u32,
    /// Sentences without number.
    pub endless: u32,
}

impl StreamFaults {
    pub const NONE: Self = Self { gap_ms: (20, 200), breaks_off: 0, stalls: 0, twice: 0, disorder: 0, endless: 0 };
}

impl MindFaults {
    pub const NONE: Self =
        Self { fails: 0, never: 0, late: 0, latency_ms: (5, 40), streams: 0, stream: StreamFaults::NONE, left: 0 };

    /// A mind in the cloud, in good health.
    pub const STREAMING: Self = Self { latency_ms: (400, 700), streams: 1000, ..Self::NONE };

    pub fn some(dice: &mut Dice) -> Self {
        let streams = dice.one_of(&[0, 500, 1000]);
        if dice.per_mille(500) {
            return Self { streams, ..Self::NONE };
        }
        let mut often = |max| dice.between(0, max) as u32;
        let stream = StreamFaults {
            gap_ms: (10, 20 + u64::from(often(2500))),
            breaks_off: often(150),
            stalls: often(150),
            twice: often(150),
            disorder: often(150),
            endless: often(60),
        };
        let left = often(300);
        let (fails, never, late) = (often(150), often(80), often(80));
        Self { fails, never, late, latency_ms: (5, 300), streams, stream, left }
    }
}

pub const HOURS: &str = "We open at eight in the morning and close at six in the evening, from Monday to Saturday.";
pub const SUNDAY: &str = "On Sunday we are closed.";
pub const PRICE: &str = "A malaria test costs three thousand naira.";

pub const PAY: &str = "Please key in your card number, then press the hash key.";

/// The same in sentences, as a mind that streams says it.
pub const HOURS_IN_SENTENCES: [&str; 3] =
    ["We open at eight in the morning.", "We close at six in the evening.", "That is from Monday to Saturday."];

/// What is asked back, and then the next, with what is answered to that.
pub const OUR_TESTS: &str = "Do you mean our laboratory tests?";
pub const OUR_VACCINES: &str = "Do you mean our vaccines?";
pub const VACCINES: &str = "We vaccinate against typhoid on Thursdays.";

/// What comes when the answer is over already.
pub const LATE: &str = "This comes too late to be said.";

pub fn spoken(text: &str) -> Spoken {
    Spoken { text: Private::new(text.to_owned()), entry: None }
}

/// What the clinic's mind finds for words that it was asked.
pub fn think(words: &str) -> Finding {
    match words.trim() {
        "When do you open?" => Finding::Answer(spoken(HOURS)),
        "And on Sunday?" => Finding::Answer(spoken(SUNDAY)),
        "How much is a malaria test?" => Finding::Answer(spoken(PRICE)),
        "Do you test for typhoid?" => Finding::Maybe(Guess {
            question: spoken(OUR_TESTS),
            answer: spoken("Our laboratory tests for malaria and typhoid."),
            or_else: Some(Box::new(Guess { question: spoken(OUR_VACCINES), answer: spoken(VACCINES), or_else: None })),
        }),
        "Can I speak to Doctor Bello?" => Finding::Person { name: Some("Doctor Bello".to_owned()) },
        "Please text me your address." => Finding::TextMe(Some(Written {
            text: Private::new("Ikeja Clinic: 14 Allen Avenue.".to_owned()),
            aloud: spoken("We are at fourteen Allen Avenue."),
        })),
        "Text me that." => Finding::TextMe(None),
        "I want to leave a message." => Finding::LeaveMessage,
        "Please say that again slower." => Finding::Repeat { slower: true },
        "Can I pay by card?" => Finding::Answer(spoken(PAY)),
        "Thank you very much." => Finding::Courtesy(spoken("You are welcome.")),
        "Yes." => Finding::Yes,
        "No." => Finding::No,
        "Goodbye." => Finding::Goodbye,
        "Hold on a moment." => Finding::Wait,
        "Mm-hm." => Finding::Backchannel,
        _ => Finding::Unknown,
    }
}

/// All that the mind says to a question, each with the time that it takes.
pub fn answer(faults: &MindFaults, dice: &mut Dice, request: RequestId, finding: Finding) -> Vec<(Duration, Input)> {
    let mut took = Duration::from_millis(dice.between(faults.latency_ms.0, faults.latency_ms.1));
    if dice.per_mille(faults.never) {
        return Vec::new();
    }
    if dice.per_mille(faults.late) {
        took += Duration::from_millis(dice.between(2000, 6000));
    }
    let mut said = Vec::new();
    if dice.per_mille(faults.left) {
        said.push((took / 2, Input::EngineLeft(failover(took / 2))));
    }
    if dice.per_mille(faults.fails) {
        said.push((took, Input::MindFailed { request }));
    } else if dice.per_mille(faults.streams) {
        said.extend(stream(&faults.stream, dice, request, finding, took));
    } else {
        said.push((took, Input::Found { request, finding, engine: WHOLE, took }));
    }
    said
}

/// What is told when the world's first mind is left.
pub fn failover(after: Duration) -> Failover {
    let (from, to) = ("absent-mind-simulated".to_owned(), WHOLE.to_owned());
    Failover { stage: EngineStage::Mind, from, to, why: WhyLeft::FirstTokenDeadline, after }
}

/// How a mind in sentences says what the other says at once.
pub fn in_sentences(finding: Finding) -> (Vec<String>, Option<Finding>) {
    match finding {
        Finding::Answer(spoken) if spoken.text.expose() == HOURS => {
            (HOURS_IN_SENTENCES.map(str::to_owned).into(), None)
        }
        Finding::Answer(spoken) | Finding::Courtesy(spoken) => (vec![spoken.text.into_exposed()], None),
        Finding::LeaveMessage => (vec!["Of course.".to_owned()], Some(Finding::LeaveMessage)),
        Finding::Goodbye => (vec!["It was a pleasure.".to_owned(), "Bye now!".to_owned()], Some(Finding::Goodbye)),
        other => (Vec::new(), Some(other)),
    }
}

fn stream(
    faults: &StreamFaults,
    dice: &mut Dice,
    request: RequestId,
    finding: Finding,
    first: Duration,
) -> Vec<(Duration, Input)> {
    let (mut sentences, then) = in_sentences(finding);
    if dice.per_mille(faults.endless) {
        sentences.extend((0..40).map(|n| format!("And one more thing, number {n}.")));
    }
    let mut said = Vec::new();
    let mut at = first;
    for text in sentences {
        let sentence = Input::Sentence { request, spoken: spoken(&text), engine: STREAMING, took: at };
        said.push((at, sentence.clone()));
        at += Duration::from_millis(dice.between(faults.gap_ms.0, faults.gap_ms.1));
        if dice.per_mille(faults.twice) {
            said.push((at, sentence));
        }
        if dice.per_mille(faults.disorder) {
            said.push((at, Input::Found { request, finding: Finding::Unknown, engine: STREAMING, took: at }));
        }
        if dice.per_mille(faults.breaks_off) {
            said.push((at, Input::MindFailed { request }));
            return said;
        }
        if dice.per_mille(faults.stalls) {
            return said;
        }
    }
    let over = Input::AnswerOver { request, then };
    said.push((at, over.clone()));
    if dice.per_mille(faults.twice) {
        said.push((at, over));
    }
    if dice.per_mille(faults.disorder) {
        let late = Input::Sentence { request, spoken: spoken(LATE), engine: STREAMING, took: at };
        said.push((at + Duration::from_millis(5), late));
    }
    said
}
