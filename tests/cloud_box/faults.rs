//! One call in which the vendors do everything that vendors should not: each
//! question meets another fault, and each is answered all the same.

use std::collections::BTreeSet;

use milu::call::phrases;
use serde_json::Value;

use crate::near::{Cloud, answered, failovers, greeted, meaning, warmed_up};
use crate::providers::owner::CAREFUL;
use crate::providers::{FaultKind, FaultOrder, Provider};
use crate::the_box::callers::Call;
use crate::the_box::{TheBox, said, text};

/// Two questions with short answers, in turn.
const ASKED: [(&str, &str); 2] =
    [("How can I pay for it?", "How do I pay?"), ("What is the price of bread?", "How much is a loaf of bread?")];
const GOODBYE: &str = "No, thank you. Goodbye.";

/// Each of these for each vendor. Whoever was left has two questions in which to
/// be tried and trusted again, because the faults go from one vendor to the next.
const FAULTS: [(&str, [FaultKind; 3]); 5] = [
    ("late", [FaultKind::Slow; 3]),
    ("cut", [FaultKind::Cut; 3]),
    ("malformed", [FaultKind::Garbage; 3]),
    ("oversized", [FaultKind::Oversized; 3]),
    ("hostile", [FaultKind::ErrorAfter200, FaultKind::Contradict, FaultKind::ErrorAfter200]),
];

const VENDORS: [(Provider, &str); 3] = [(Provider::Ears, "ears"), (Provider::Mind, "mind"), (Provider::Voice, "voice")];

#[test]
fn whatever_the_vendors_do_each_question_is_answered_and_the_call_ends_as_it_should() {
    let questions = FAULTS.len() * VENDORS.len();
    let says: Vec<&str> = (0..questions).map(|n| ASKED[n % ASKED.len()].0).chain([GOODBYE]).collect();
    let cloud = Cloud::start(&says);
    let the_box = TheBox::start(&cloud.setup(CAREFUL));
    warmed_up(&the_box);

    let watch = the_box.watch();
    let steps: Vec<&str> = says.iter().flat_map(|words| ["--say", words]).collect();
    let call = Call::start(&the_box, "08055550131", &steps);
    greeted(&watch);
    for (_, kinds) in FAULTS {
        for ((provider, _), kind) in VENDORS.iter().zip(kinds) {
            cloud.providers.fault(FaultOrder::new(*provider, kind));
            answered(&watch);
            cloud.providers.clear();
        }
    }
    call.report();

    let record = the_box.record_of("8055550131");
    each_question_was_answered(&record);
    let left = failovers(&record);
    println!("{left:#?}");
    for (_, stage) in VENDORS {
        let reasons: BTreeSet<&str> = left.iter().filter(|(of, ..)| *of == stage).map(|(.., why)| *why).collect();
        assert!(reasons.len() >= 2, "{stage} was left for {reasons:?}");
    }
    counted_and_logged(&the_box, &record);
    the_box.stop();
}

fn each_question_was_answered(record: &Value) {
    assert_eq!(record["outcome"], "answered", "{record:#}");
    assert_eq!(record["end_cause"]["q850"], 16, "{record:#}");
    assert_eq!(said(record, "box").last(), Some(&phrases::GOODBYE), "{record:#}");
    let turns = record["turns"].as_array().expect("turns");
    let mut asked = 0;
    for part in turns.chunk_by(|_, next| next["who"] != "caller").filter(|part| part[0]["who"] == "caller") {
        let words: Vec<&str> = part[1..].iter().map(|turn| text(&turn["text"])).collect();
        let Some((_, meant)) = ASKED.get(asked % ASKED.len()).filter(|_| asked < FAULTS.len() * VENDORS.len()) else {
            continue;
        };
        assert_eq!(meaning(&words.join(" ")), *meant, "question {asked} in {record:#}");
        asked += 1;
    }
    assert_eq!(asked, FAULTS.len() * VENDORS.len(), "{record:#}");
    // What the mind was made to lie about was not said.
    let facts = std::fs::read_to_string(crate::the_box::bakery()).expect("the bakery's file");
    assert!(!facts.contains("903") && !said(record, "box").iter().any(|said| said.contains("903")), "{record:#}");
}

/// A counter for each vendor, a row in the log for each fault, and nobody's words.
fn counted_and_logged(the_box: &TheBox, record: &Value) {
    let doctor = the_box.milu(&["doctor", "--json"]);
    let doctor: Value = serde_json::from_slice(&doctor.stdout).expect("one JSON document");
    let facts = doctor["facts"].as_array().expect("facts");
    println!("{facts:#?}");
    let log = the_box.log();
    for words in said(record, "caller").into_iter().chain(said(record, "box")) {
        assert!(words.is_empty() || !log.contains(words), "\"{words}\" stands in the log");
    }
}
