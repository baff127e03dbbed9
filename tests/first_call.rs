//! The first calls, with clients that are not ours: Debian's baresip and SIPp
//! ring the box, ask aloud, and what comes back is heard by the box's own ears
//! and compared by meaning with its knowledge file.

#![allow(clippy::expect_used, clippy::panic, reason = "what tests share stands outside of them")]

mod the_box;

use milu::call::phrases;
use milu::media::Level;
use serde_json::Value;
use the_box::callers::{Baresip, Call, Sipp};
use the_box::{Setup, TheBox, said, sounds, text};

/// What is asked, not quite as it stands in the file, and the question of
/// the file that it means.
const QUESTION: &str = "Please, could you bring some bread to my house?";
const MEANT: &str = "Do you deliver?";

/// A caller who says nothing more for so long has nothing more to say.
const QUIET: usize = 100;

fn turn<'a>(record: &'a Value, found: impl Fn(&'a Value) -> bool) -> &'a Value {
    let mut turns = record["turns"].as_array().expect("turns").iter();
    turns.find(|turn| found(turn)).unwrap_or_else(|| panic!("no such turn in {record:#}"))
}

/// The box's sentence after the caller's question.
fn answer(record: &Value) -> &Value {
    turn(record, |turn| turn["who"] == "box" && turn["latency"]["voice_to_voice_ms"].is_u64())
}

const FRAME_MS: u64 = 20;

fn ms(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no time"))
}

/// What every record of an answered question has.
fn assert_complete(record: &Value) {
    assert_eq!(record["direction"], "inbound");
    assert_eq!(record["outcome"], "answered", "{record:#}");
    assert_eq!(record["end_cause"]["q850"], 16);
    assert!(!said(record, "caller").is_empty(), "{record:#}");
    let answer = answer(record);
    for time in ["endpoint_ms", "transcribe_ms", "respond_first_ms", "synthesize_first_ms", "voice_to_voice_ms"] {
        assert!(answer["latency"][time].is_u64(), "{time} in {record:#}");
    }
    assert_eq!(answer["engines"]["responder"], "knowledge-onbox");
    assert_eq!(record["media"]["codec"], "PCMA");
    assert_eq!(record["egress"].as_array().expect("a list").len(), 0, "nothing leaves the box");
    assert_notice_came_first(record);
}

/// Nothing is kept before the caller has been told that it will be.
fn assert_notice_came_first(record: &Value) {
    let notice = turn(record, |turn| turn["who"] == "box" && text(&turn["text"]).contains("recorded"));
    let recording = &record["recording"];
    assert!(ms(&notice["ended_ms"]) <= ms(&recording["from_ms"]), "{record:#}");
    assert!(recording["gaps"].as_array().expect("a list").is_empty(), "{record:#}");
    let ended = record["turns"].as_array().expect("turns").iter().map(|turn| ms(&turn["ended_ms"])).max();
    let kept_to = ms(&recording["from_ms"]) + ms(&recording["duration_ms"]);
    // The recording counts frames from its beginning on, a turn the time when its last one went:
    // whole milliseconds of both are a part of a frame apart.
    assert!(kept_to + FRAME_MS > ended.expect("turns"), "the recording ends before the call: {record:#}");
}

fn assert_means(sound: &[i16], meant: &str) {
    let heard = sounds::heard(sound);
    assert_eq!(sounds::nearest_answer(&sounds::bakery(), &heard), meant, "heard: {heard}");
}

/// `milu calls play`: a WAV file with the caller left and the box right.
fn both_legs(the_box: &TheBox, record: &Value) -> (Vec<i16>, Vec<i16>) {
    let output = the_box.milu(&["calls", "play", text(&record["id"])]);
    assert!(output.status.success(), "{}", the_box::stderr(&output));
    (sounds::channel(&output.stdout, 0), sounds::channel(&output.stdout, 1))
}

/// The part of a kept leg in which a turn was.
fn kept<'a>(leg: &'a [i16], record: &Value, turn: &Value) -> &'a [i16] {
    let from = ms(&record["recording"]["from_ms"]);
    sounds::cut(leg, ms(&turn["started_ms"]).saturating_sub(from + 300), ms(&turn["ended_ms"]) + 300 - from)
}

#[test]
fn baresip_and_sipp_are_answered_from_the_knowledge_file_and_their_calls_are_kept() {
    let the_box = TheBox::start(&Setup::default());
    let question = sounds::speech(QUESTION);
    let greeted_ms = baresip_asks_and_hangs_up(&the_box, &question);
    sipp_asks_and_takes_leave(&the_box, &question, greeted_ms);
    the_box.stop();
}

/// Gives when the box had said its first words and waited for the caller.
fn baresip_asks_and_hangs_up(the_box: &TheBox, question: &[i16]) -> u64 {
    let dir = tempfile::tempdir().expect("a directory");
    let quiet = sounds::write_wav(dir.path(), "quiet.wav", &sounds::silence(QUIET));
    let question = sounds::write_wav(dir.path(), "question.wav", &[question, &sounds::silence(QUIET)].concat());
    let mut baresip = Baresip::start("+2348031112223", &quiet);
    let watch = the_box.watch();
    baresip.ring(the_box);
    let is_box = |event: &Value| event["event"] == "turn" && event["turn"]["who"] == "box";
    let help =
        watch.until("the box asks what it can do", |e| is_box(e) && text(&e["turn"]["text"]).contains(phrases::HELP));
    baresip.play(&question);
    watch.until("the question is answered", |e| {
        is_box(e) && e["turn"]["latency"]["voice_to_voice_ms"].is_u64() && e["turn"]["text"].as_str().is_some()
    });
    baresip.hang_up();
    let record = the_box.record_of("8031112223");
    assert_complete(&record);

    let (file, _place) = baresip.received();
    let received = sounds::channel(&std::fs::read(file).expect("it is there"), 0);
    let answer = answer(&record);
    // From the call's beginning to the answer's end: the last half minute of it at most.
    let (from, to) = (ms(&answer["started_ms"]).saturating_sub(500), ms(&answer["ended_ms"]) + 500);
    assert_means(sounds::cut(&received, from, to), MEANT);

    let (caller, ours) = both_legs(the_box, &record);
    assert!(caller.len().abs_diff(ours.len()) <= sounds::HZ / 50, "{} and {} samples", caller.len(), ours.len());
    let asked = turn(&record, |turn| turn["who"] == "caller");
    for (leg, turn) in [(&caller, asked), (&ours, answer)] {
        let loudness = Level::of(kept(leg, &record, turn)).rms_dbfs;
        assert!(loudness > -40.0, "{loudness} dBFS in {turn:#}");
    }
    ms(&help["turn"]["ended_ms"])
}

fn sipp_asks_and_takes_leave(the_box: &TheBox, question: &[i16], greeted_ms: u64) {
    let dir = tempfile::tempdir().expect("a directory");
    let greeting = vec![0; usize::try_from(greeted_ms).expect("a time") * sounds::HZ / 1000];
    let goodbye = sounds::speech("No, thank you. Goodbye.");
    // The answer is given twelve seconds to come and twelve to be spoken; the
    // box asks whether anybody is there meanwhile, as it should.
    let parts = [&greeting, &sounds::silence(1)[..], question, &sounds::silence(24), &goodbye, &sounds::silence(QUIET)];
    let sound = sounds::write_a_law(dir.path(), "caller.al", &parts.concat());
    let sound = sound.to_string_lossy();
    Sipp::start(the_box, "speaks.xml", &[("number", "08054443332"), ("sound", &sound)]).succeeds();
    let record = the_box.record_of("8054443332");
    assert_complete(&record);
    let (_, ours) = both_legs(the_box, &record);
    assert_means(kept(&ours, &record, answer(&record)), MEANT);
    let last = record["turns"].as_array().and_then(|turns| turns.last()).expect("turns");
    assert_eq!(last["who"], "box", "the box takes leave: {record:#}");
}

/// What the first caller talks about while the second rings.
const AT_LENGTH: [&str; 3] = [QUESTION, "When are you open on Saturday?", "Do you have bread without sugar?"];

#[test]
fn a_caller_for_whom_no_ears_are_left_leaves_a_message_by_keys_while_the_other_is_answered() {
    let the_box = TheBox::start(&Setup { calls_heard_max: 1, ..Setup::default() });
    let at_length: Vec<_> = AT_LENGTH.iter().flat_map(|question| ["--say", question]).collect();
    let watch = the_box.watch();
    let first = Call::start(&the_box, "08055550141", &at_length);
    watch.until("the first caller is answered", |event| event["event"] == "turn");
    let by_keys = ["--dtmf", "9", "--say", "Please ring me back about the bread.", "--dtmf", "#", "--say", "Goodbye."];
    Call::start(&the_box, "08055550142", &by_keys).report();
    first.report();

    let record = the_box.record_of("8055550142");
    let told = said(&record, "box").join(" ");
    assert!(told.contains(phrases::BUSY) && told.contains("To leave a message, press"), "{record:#}");
    assert!(!told.contains("To speak to a person"), "no telephone rings for anybody: {record:#}");
    assert!(told.contains(phrases::MESSAGE_KEPT), "{record:#}");
    assert_eq!(record["outcome"], "message", "{record:#}");
    assert!(text(&record["message"]["callback"]).ends_with("8055550142"), "{record:#}");
    let other = the_box.record_of("8055550141");
    assert!(text(&other["ended_at"]) > text(&record["started_at"]), "one came after the other");
    assert!(!said(&other, "box").join(" ").contains(phrases::BUSY), "{other:#}");
    assert_complete(&other);
    the_box.stop();
}
