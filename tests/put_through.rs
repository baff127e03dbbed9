//! A whole box whose callers are put through: `milu run` with a `[[handset]]`, which is
//! Debian's baresip, and a caller who asks for somebody by name. What each says the
//! other hears, the box says nothing between them, and the record says who it was.

#![allow(clippy::expect_used, clippy::panic, reason = "what tests share stands outside of them")]

#[path = "modem/mod.rs"]
mod modem;
mod the_box;

use std::path::Path;

use milu::call::phrases;
use modem::{Family, ModemOptions, Rack, one_of};
use serde_json::Value;
use the_box::callers::Baresip;
use the_box::{Setup, TheBox, said, sounds, text, until};

const KNOWLEDGE: &str = "business = \"Sunrise Bakery\"\n\
    [[person]]\nname = \"Mary Adams\"\nrole = \"manager\"\nnumber = \"0803 555 0101\"\nring = \"always\"\n";

const WANTED: &str = "Please, can I speak to Mary Adams?";
const CALLER_SAYS: &str = "I would like to order two loaves of bread for tomorrow morning.";
const PERSON_SAYS: &str = "Good afternoon. Our oven is broken today, please come on Saturday.";

/// Nobody says anything for so long.
const QUIET: usize = 100;

/// Seconds of sound that both have had of each other before one hangs up.
const TALK: usize = 14;

fn setup(place: &Path, handset: &str) -> Setup {
    let knowledge = place.join("bakery.toml");
    std::fs::write(&knowledge, KNOWLEDGE).expect("the knowledge file is written");
    let sections =
        format!("[[handset]]\nid = \"reception\"\naddress = \"{handset}\"\npeople = [\"the manager\"]\nring_s = 30\n");
    Setup { knowledge, sections, ..Setup::default() }
}

/// A sound, and then silence for long enough.
fn then_quiet(place: &Path, name: &str, sound: &[i16]) -> std::path::PathBuf {
    sounds::write_wav(place, name, &[sound, &sounds::silence(QUIET)].concat())
}

fn is_box_turn(event: &Value, words: &str) -> bool {
    event["event"] == "turn" && event["turn"]["who"] == "box" && text(&event["turn"]["text"]).contains(words)
}

/// The last `seconds` of what one of them received.
fn heard_by(baresip: Baresip, seconds: usize) -> String {
    let (file, _place) = baresip.received();
    let received = sounds::channel(&std::fs::read(file).expect("it is there"), 0);
    sounds::heard(&received[received.len().saturating_sub(seconds * sounds::HZ)..]).to_lowercase()
}

#[test]
fn a_caller_asks_for_somebody_and_both_hear_each_other_until_one_hangs_up() {
    let place = tempfile::tempdir().expect("a directory");
    // The person waits a moment for the caller, who begins at once.
    let person_says = [sounds::silence(7), sounds::speech(PERSON_SAYS)].concat();
    let mut person = Baresip::telephone("reception", &then_quiet(place.path(), "person.wav", &person_says));
    let the_box = TheBox::start(&setup(place.path(), &person.address));
    let mut caller = Baresip::start("+2348031112223", &then_quiet(place.path(), "quiet.wav", &[]));
    let watch = the_box.watch();
    caller.ring(&the_box);
    watch.until("the box asks what it can do", |event| is_box_turn(event, phrases::HELP));
    caller.play(&then_quiet(place.path(), "wanted.wav", &sounds::speech(WANTED)));
    watch.until("the caller is told", |event| is_box_turn(event, "I will put you through to Mary Adams"));
    let handed = watch.until("the person answers", |event| event["event"] == "transferred");
    assert_eq!(text(&handed["to"]), "Mary Adams");
    caller.play(&then_quiet(place.path(), "caller.wav", &sounds::speech(CALLER_SAYS)));
    let octets = u64::try_from(TALK * sounds::HZ * 2).expect("a number");
    until("both have spoken", || (person.received_octets() > octets).then_some(()));
    person.hang_up();

    let record = the_box.record_of("8031112223");
    assert_eq!(
        (text(&record["outcome"]), text(&record["transferred_to"])),
        ("transferred", "Mary Adams"),
        "{record:#}"
    );
    assert_eq!(record["end_cause"]["q850"], 16, "{record:#}");
    assert!(said(&record, "box").last().is_some_and(|last| last.contains("Mary Adams")), "{record:#}");
    let shown = the_box.milu(&["calls", "show", text(&record["id"])]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("handed to Mary Adams"));
    assert!(!the_box.log().contains("8031112223"), "the log has the caller's number");

    // What is sent to the caller is kept as the box's leg, and so the person's voice.
    let played = the_box.milu(&["calls", "play", text(&record["id"])]);
    let ours = sounds::channel(&played.stdout, 1);
    let kept = sounds::heard(&ours[ours.len().saturating_sub(TALK * sounds::HZ)..]).to_lowercase();
    let by_caller = heard_by(caller, TALK + 2);
    let by_person = heard_by(person, TALK + 2);
    assert!(by_person.contains("bread"), "the person heard: {by_person}");
    for heard in [by_caller, kept] {
        assert!(heard.contains("oven") && heard.contains("saturday"), "the caller heard: {heard}");
    }
    the_box.stop();
}

/// The modem's clock is faster by as much as a bad crystal is.
const FASTER_PPM: i32 = 300;

#[test]
fn a_caller_of_the_sim_is_put_through_across_two_clocks() {
    let place = tempfile::tempdir().expect("a directory");
    let person_says = [sounds::silence(7), sounds::speech(PERSON_SAYS)].concat();
    let mut person = Baresip::telephone("reception", &then_quiet(place.path(), "person.wav", &person_says));
    let rack = Rack::new(place.path()).expect("a rack");
    let modem = rack.plug(ModemOptions { ppm: FASTER_PPM, ..one_of(Family::Quectel) }).expect("pseudo-terminals");
    let (at, sound) = (modem.at_path().expect("it is plugged in"), modem.pcm_path().expect("it has sound"));
    let mut setup = setup(place.path(), &person.address);
    setup.sections +=
        &format!("[[gsm_line]]\nid = \"sim\"\nprofile = \"quectel_ec2x\"\nport = {at:?}\nsound_port = {sound:?}\n");
    let the_box = TheBox::start(&setup);
    until("the modem is ready", || {
        (the_box.json(&["modem", "sim", "signal", "--json"])["state"] == "ready").then_some(())
    });
    let watch = the_box.watch();
    modem.ring("+2348031112223");
    watch.until("the box asks what it can do", |event| is_box_turn(event, phrases::HELP));
    modem.speak(&sounds::speech(WANTED));
    watch.until("the person answers", |event| event["event"] == "transferred");
    modem.speak(&sounds::speech(CALLER_SAYS));
    let octets = u64::try_from(TALK * sounds::HZ * 2).expect("a number");
    until("both have spoken", || (person.received_octets() > octets).then_some(()));
    person.hang_up();

    let record = the_box.record_of("8031112223");
    assert_eq!((text(&record["line"]), text(&record["outcome"])), ("sim", "transferred"), "{record:#}");
    let received = modem.heard();
    let by_caller = sounds::heard(&received[received.len().saturating_sub(TALK * sounds::HZ)..]).to_lowercase();
    assert!(by_caller.contains("oven") && by_caller.contains("saturday"), "the caller heard: {by_caller}");
    let by_person = heard_by(person, TALK + 2);
    assert!(by_person.contains("bread"), "the person heard: {by_person}");
    let log = the_box.log();
    let counts = log.lines().find(|row| row.contains("caller and person have spoken")).expect("the log says so");
    assert!(counts.contains("ran_empty=0"), "{counts}");
    the_box.stop();
}
