//! Identifiers that callers speak, and where they are found: nowhere that the
//! policy does not let them go, in no form; and nowhere in the log at all.

use crate::near::{Cloud, engines, greeted, narrowed};
use crate::providers::Provider;
use crate::providers::owner::{CAREFUL, Table};
use crate::search::{Canary, Haystack};
use crate::the_box::callers::Call;
use crate::the_box::{Setup, TheBox, said};

/// As the careful table, and the words as they were said, with the numbers and
/// addresses under which callers can be reached; for the voice without these.
const OPEN: &Table = &[
    ("call-audio", "deepgram", "raw"),
    ("knowledge", "deepgram", "raw"),
    ("transcript", "anthropic", "raw"),
    ("reply", "anthropic", "raw"),
    ("contact", "anthropic", "raw"),
    ("knowledge", "anthropic", "raw"),
    ("reply", "elevenlabs", "raw"),
    ("knowledge", "elevenlabs", "raw"),
];

/// The voice may go, and no word.
const DEAF: &Table = &[
    ("call-audio", "deepgram", "local"),
    ("knowledge", "deepgram", "raw"),
    ("transcript", "anthropic", "local"),
    ("reply", "anthropic", "local"),
    ("knowledge", "anthropic", "raw"),
    ("reply", "elevenlabs", "local"),
    ("knowledge", "elevenlabs", "raw"),
];

/// What the ears are told that the caller says. The numbers are nobody's: the
/// card is a scheme's own for tests, the telephone number of the block that
/// nobody has, the account's check digit is right for its bank.
const WORDS: [&str; 4] = [
    "Do you deliver? My card number is 4111 1111 1111 1111 and it is a Visa card.",
    "I want to pay by transfer from my account number 0691827438 with Access Bank, \
     and my BVN is two two three four five six seven eight nine oh one.",
    "How much is a loaf of bread? You can reach me on 0805 555 0188 or at adaeze dot nwosu at example dot com.",
    "No, thank you. Goodbye.",
];

/// What is really said: as long as it must be to be a turn.
const SOUNDS: [&str; 4] = ["Do you deliver?", "I want to pay.", "How much is bread?", "No, thank you. Goodbye."];

/// What is really said when nobody is told beforehand.
const ALOUD: [&str; 3] = [
    "Do you deliver? My card number is four one one one, one one one one, one one one one, one one one one.",
    "How do I pay? My phone number is zero eight zero five, five five five, zero one eight eight.",
    "No, thank you. Goodbye.",
];

/// Those under which somebody can be reached; the others are secrets.
const CONTACTS: [&str; 2] = ["telephone", "mail"];

fn canaries() -> Vec<Canary> {
    vec![
        Canary::number("card", "4111 1111 1111 1111", &[]),
        Canary::number("account", "0691827438", &[]),
        Canary::number(
            "BVN",
            "22345678901",
            &["two two three four five six seven eight nine oh one", "three four five six seven eight nine oh"],
        ),
        Canary::number("telephone", "0805 555 0188", &["+234 805 555 0188"]),
        Canary::text("mail", "adaeze.nwosu@example.com", &["adaeze dot nwosu at example dot com", "nwosu"]),
    ]
}

#[test]
fn no_identifier_is_in_anything_that_the_policy_does_not_let_go_nor_in_the_log() {
    let cloud = Cloud::start(&WORDS);
    let setup = Setup { log: "trace", ..cloud.setup(OPEN) };
    let the_box = TheBox::start(&setup);
    let canaries = canaries();

    // That the search finds what is there: the words may go as they were said, and
    // nothing that is money or opens a door.
    let found = || Haystack::new(&cloud.providers.raw(Provider::Mind)).finds(&canaries);
    rings_until(&the_box, "8055550121", || found() == CONTACTS);
    let (contacts, secrets): (Vec<_>, Vec<_>) =
        canaries.iter().cloned().partition(|canary| CONTACTS.contains(&canary.name));
    nothing_of_them_came(&cloud, &secrets);
    nothing_in(&cloud.providers.raw(Provider::Voice), &contacts, "what went to the voice");

    narrow(&cloud, &the_box, CAREFUL);
    let labels = ["[card number]", "[account number]", "[BVN]", "[phone number]", "[e-mail address]"];
    rings_until(&the_box, "8055550132", || {
        let mind = cloud.providers.seen(Provider::Mind).texts.join("\n");
        labels.iter().all(|label| mind.contains(label))
    });
    nothing_of_them_came(&cloud, &canaries);
    assert!(cloud.providers.seen(Provider::Ears).sound_ms > 10_000, "the caller's voice went to the ears");

    narrow(&cloud, &the_box, DEAF);
    let heard = rings(&the_box, "8055550123", &ALOUD);
    // The box's own ears have heard an identifier, and the record does not keep it.
    let words = said(&heard, "caller").join("\n");
    assert!(labels.iter().any(|label| words.contains(label)), "the box itself has heard a number: {heard:#}");
    let answered = said(&heard, "box").join("\n");
    nothing_in(format!("{words}\n{answered}").as_bytes(), &canaries, "the record's words");
    // The business's own sentences may be kept in the outside voice.
    let outside = |engine: &&str| !engine.ends_with("-onbox");
    let parts = ["transcriber", "responder"].iter().flat_map(|part| engines(&heard, part));
    assert_eq!(parts.filter(outside).collect::<Vec<_>>(), [""; 0], "{heard:#}");
    nothing_of_them_came(&cloud, &canaries);
    assert_eq!(cloud.providers.seen(Provider::Ears).sound_ms, 0);

    let place = the_box.stop();
    let log = std::fs::read(place.path().join("log")).expect("a log");
    let rows = String::from_utf8_lossy(&log);
    assert!(rows.contains("TRACE") || rows.contains("DEBUG"), "the box was to log at its finest level");
    nothing_in(&log, &canaries, "the log");
}

fn nothing_in(bytes: &[u8], canaries: &[Canary], place: &str) {
    let searched = Haystack::new(bytes);
    let found: Vec<String> = canaries.iter().filter_map(|canary| canary.found_in(&searched)).collect();
    assert!(found.is_empty(), "in {place}: {found:#?}");
}

fn nothing_of_them_came(cloud: &Cloud, canaries: &[Canary]) {
    for provider in Provider::ALL {
        nothing_in(&cloud.providers.raw(provider), canaries, &format!("what went to {provider:?}"));
    }
}

/// Calls until all that was spoken went the way that is meant: on a machine that
/// does much else the box may have heard a turn itself.
fn rings_until(the_box: &TheBox, number: &str, done: impl Fn() -> bool) {
    const CALLS: usize = 4;
    let mut records = (0..CALLS).map(|n| rings(the_box, &format!("{}{n}", &number[..number.len() - 1]), &SOUNDS));
    let mut last = serde_json::Value::Null;
    let is_done = records.any(|record| {
        last = record;
        done()
    });
    assert!(is_done, "in vain: {last:#}");
}

/// A call, and its record.
fn rings(the_box: &TheBox, number: &str, says: &[&str]) -> serde_json::Value {
    let steps: Vec<&str> = says.iter().flat_map(|words| ["--say", words]).collect();
    let watch = the_box.watch();
    let call = Call::start(the_box, &format!("0{number}"), &steps);
    greeted(&watch);
    call.report();
    the_box.record_of(number)
}

/// Puts a narrower table into force, which needs no notice, and forgets what came before.
fn narrow(cloud: &Cloud, the_box: &TheBox, table: &Table) {
    narrowed(cloud, the_box, || cloud.allow(table));
}
