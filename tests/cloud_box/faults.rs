//! Calls in which the vendors do everything that vendors should not: each
//! question meets another fault, and each is answered all the same, with a
//! counter that has risen and a row in the log, and nobody's words in it.

use std::collections::VecDeque;

use milu::call::phrases;
use serde_json::Value;

use crate::near::{Cloud, OUTSIDE, answered, greeted, warmed_up};
use crate::providers::owner::CAREFUL;
use crate::providers::{FaultKind, FaultOrder, Provider};
use crate::the_box::callers::Call;
use crate::the_box::{TheBox, said, text};

/// Two questions, in turn, and a word of each answer. The answers are computed
/// anew each time, so that no kept sound spares the box the voice.
const ASKED: [(&str, &str); 2] = [("Are you open on Sunday?", "closed"), ("When do you open on Monday?", "seven")];
const GOODBYE: &str = "No, thank you. Goodbye.";

/// Each of these for each vendor.
const FAULTS: [(&str, [FaultKind; 3]); 6] = [
    ("late", [FaultKind::Slow; 3]),
    ("cut", [FaultKind::Cut; 3]),
    ("malformed", [FaultKind::Garbage; 3]),
    ("oversized", [FaultKind::Oversized; 3]),
    ("out of order", [FaultKind::OutOfOrder; 3]),
    ("hostile", [FaultKind::ErrorAfter200, FaultKind::Contradict, FaultKind::ErrorAfter200]),
];

/// A vendor, its stage, and the engine that asks it.
const VENDORS: [(Provider, &str, &str); 3] = [
    (Provider::Ears, "ears", OUTSIDE[0]),
    (Provider::Mind, "mind", OUTSIDE[1]),
    (Provider::Voice, "voice", OUTSIDE[2]),
];

/// Questions of one call. Whoever was left has two questions in which to be tried
/// and trusted again, because the faults go from one vendor to the next.
const QUESTIONS: usize = 9;

/// On a machine that does much else an engine is left for being late as well, and is
/// not back when its next fault comes: that fault is met in a later call.
const CALLS_MAX: usize = 8;

/// What goes wrong at whom.
#[derive(Clone, Copy, Debug)]
struct Fault {
    kind: FaultKind,
    vendor: usize,
}

/// How often a fault of this kind has left its trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Traces {
    rows: usize,
    counted: u64,
}

impl Fault {
    const fn provider(&self) -> Provider {
        VENDORS[self.vendor].0
    }

    /// Ears go on where only words come late that stand already.
    const fn is_told_after_the_call(&self) -> bool {
        matches!((self.kind, self.provider()), (FaultKind::OutOfOrder, Provider::Ears))
    }

    /// The rows of the log that tell of it, and the counter that a manager reads.
    fn traces(&self, the_box: &TheBox) -> Traces {
        let (_, stage, engine) = VENDORS[self.vendor];
        let (sayings, counters): (&[&str], &[&str]) = match self.kind {
            FaultKind::Contradict => (&["a sentence was held back"], &["for a fact that is not known: "]),
            _ if self.is_told_after_the_call() => (
                &["an engine was left for the next", "messages did not come, or not in their order"],
                &["in the middle of its work: ", "came out of their order: "],
            ),
            _ => (&["an engine was left for the next"], &["in the middle of its work: "]),
        };
        let log = the_box.log();
        let names = [format!("stage=\"{stage}\""), format!("engine={engine}"), format!("engine=\"{engine}\"")];
        let tells = |row: &&str| {
            let is_named = row.contains(&names[0]) && names[1..].iter().any(|name| row.contains(name));
            is_named && row.contains("cause=") && sayings.iter().any(|saying| row.contains(saying))
        };
        let sentence = fact(the_box, &format!("{stage} {engine}"));
        Traces {
            rows: log.lines().filter(|row| row.contains("WARN")).filter(tells).count(),
            counted: counters.iter().filter_map(|counter| number_after(&sentence, counter)).sum(),
        }
    }
}

fn number_after(sentence: &str, before: &str) -> Option<u64> {
    let digits = sentence.split_once(before)?.1;
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// What `milu doctor` says of an engine.
fn fact(the_box: &TheBox, name: &str) -> String {
    let doctor = the_box.milu(&["doctor", "--json"]);
    let doctor: Value = serde_json::from_slice(&doctor.stdout).expect("one JSON document");
    let fact = doctor["facts"].as_array().expect("facts").iter().find(|fact| fact["name"] == name);
    text(&fact.unwrap_or_else(|| panic!("nothing of {name} in {doctor:#}"))["sentence"]).to_owned()
}

#[test]
fn whatever_the_vendors_do_each_question_is_answered_counted_and_told_in_the_log() {
    let all = (0..QUESTIONS).map(|n| ASKED[n % ASKED.len()].0).chain([GOODBYE]);
    let says: Vec<&str> = all.collect();
    let cloud = Cloud::start(&says);
    let the_box = TheBox::start(&cloud.setup(CAREFUL));
    warmed_up(&the_box);

    let vendors = 0..VENDORS.len();
    let all = FAULTS.iter().flat_map(|(_, kinds)| vendors.clone().map(|vendor| Fault { kind: kinds[vendor], vendor }));
    let mut left: VecDeque<Fault> = all.collect();
    for call in 0..CALLS_MAX {
        if left.is_empty() {
            break;
        }
        meet(&cloud, &the_box, &says, &format!("805555013{call}"), &mut left);
    }
    assert!(left.is_empty(), "these left no row, or no counter rose: {left:?}\n{}", the_box.log());
    the_box.stop();
}

/// One call, in which each question meets the next fault; those that were met are
/// taken off the list, and the others come again.
fn meet(cloud: &Cloud, the_box: &TheBox, says: &[&str], number: &str, left: &mut VecDeque<Fault>) {
    assert!(cloud.providers.will_say(says), "the ears were told what is said before");
    let watch = the_box.watch();
    let steps: Vec<&str> = says.iter().flat_map(|words| ["--say", words]).collect();
    let call = Call::start(the_box, &format!("0{number}"), &steps);
    greeted(&watch);
    let (mut later, mut again) = (Vec::new(), Vec::new());
    for asked in 0..QUESTIONS {
        let Some(fault) = left.pop_front() else {
            answered(&watch);
            continue;
        };
        let before = fault.traces(the_box);
        cloud.providers.fault(FaultOrder::new(fault.provider(), fault.kind));
        answered(&watch);
        cloud.providers.clear();
        let after = fault.traces(the_box);
        if fault.is_told_after_the_call() {
            later.push((fault, before));
        } else if after.rows <= before.rows || after.counted <= before.counted {
            again.push(fault);
        }
        // Ears that are tried again hear the caller from the beginning of what they
        // were told; the last time that they are, they had better listen.
        if asked + VENDORS.len() >= QUESTIONS {
            assert!(cloud.providers.will_say(&[]), "the ears were told what is said before");
        }
    }
    call.report();
    let record = the_box.record_of(number);
    each_question_was_answered(&record);
    nobodys_words_are_logged(the_box, &record);
    let is_unmet = |(fault, before): &(Fault, Traces)| {
        let after = fault.traces(the_box);
        after.rows <= before.rows || after.counted <= before.counted
    };
    again.extend(later.into_iter().filter(is_unmet).map(|(fault, _)| fault));
    left.extend(again);
}

fn each_question_was_answered(record: &Value) {
    assert_eq!(record["outcome"], "answered", "{record:#}");
    assert_eq!(record["end_cause"]["q850"], 16, "{record:#}");
    assert_eq!(said(record, "box").last(), Some(&phrases::GOODBYE), "{record:#}");
    // A breath or a click that was taken for a turn asks nothing.
    let is_said = |turn: &&Value| !text(&turn["text"]).is_empty();
    let turns: Vec<&Value> = record["turns"].as_array().expect("turns").iter().filter(is_said).collect();
    let mut asked = 0;
    for part in turns.chunk_by(|_, next| next["who"] != "caller").filter(|part| part[0]["who"] == "caller") {
        // By the day that was heard: a question that was not caught is asked for again.
        let heard = text(&part[0]["text"]);
        let Some((_, meant)) = ASKED.iter().find(|(words, _)| heard.ends_with(&words[words.len() - 7..])) else {
            continue;
        };
        let told: Vec<&str> = part[1..].iter().map(|turn| text(&turn["text"])).collect();
        assert!(told.join(" ").contains(meant), "question {asked} in {record:#}");
        asked += 1;
    }
    let not_caught = said(record, "box").iter().filter(|words| words.contains("did not catch")).count();
    assert!(asked + not_caught >= QUESTIONS, "{asked} questions and {not_caught} not caught in {record:#}");
    // What the stand-in lies: another hour, or a price and an hour where there was none.
    let lies = ["from ten", "at ten", "nine thousand", "9,999", "eleven at night"];
    let told = said(record, "box").join(" ");
    assert!(lies.iter().all(|lie| !told.contains(lie)), "{record:#}");
}

fn nobodys_words_are_logged(the_box: &TheBox, record: &Value) {
    let log = the_box.log();
    for words in said(record, "caller").into_iter().chain(said(record, "box")) {
        assert!(words.is_empty() || !log.contains(words), "\"{words}\" stands in the log");
    }
}
