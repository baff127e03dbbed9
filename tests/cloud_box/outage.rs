//! A day of a box: a call that the vendors answer, one in which the cable is
//! pulled and the box answers itself, and, when the line is back, the words of
//! that call heard again by better ears.

use std::process::Command;
use std::time::Duration;

use milu::residency::DataClass;
use serde_json::Value;

use crate::near::{
    Cloud, ON_THE_BOX, OUTSIDE, answered, answers, engines, failovers, greeted, meaning, register, registered,
    stand_in, warmed_up,
};
use crate::providers::owner::CAREFUL;
use crate::providers::{FaultKind, FaultOrder, Provider};
use crate::the_box::callers::Call;
use crate::the_box::{TheBox, root, sounds, text, until};
use crate::wall;

/// What is asked, not as it stands in the bakery's file, and the question of the
/// file that it means.
const ASKED: [(&str, &str); 2] = [
    ("Please, can you bring bread to my house?", "Do you deliver?"),
    ("And what is the price of bread?", "How much is a loaf of bread?"),
];
const GOODBYE: &str = "No, thank you. Goodbye.";

const DESTINATIONS: [&str; 3] = ["deepgram", "anthropic", "elevenlabs"];

/// The callers' numbers in the form in which the record ends with them. On a
/// machine that does much else a vendor is late at times, and the box right to
/// leave it: then the next one rings.
const FIRST: [&str; 3] = ["8055550111", "8055550112", "8055550113"];
const SECOND: &str = "8055550114";

/// What the recorder says when the machine lets nobody make networks.
const CANNOT: i32 = 77;

/// The day is lived in a network of its own, out of which every packet is
/// recorded: the box, its caller and its vendors have all that they need in it,
/// and whoever looks for anybody else fails the test.
#[test]
fn a_call_is_answered_from_outside_then_by_the_box_alone_and_is_heard_again_and_nobody_else_is_asked() {
    let ended = Command::new("python3")
        .arg(root().join("tests/door/recorded.py"))
        .args(["--leaving-only", "--"])
        .arg(std::env::current_exe().expect("our own path"))
        .args(["--exact", "outage::a_whole_day_of_the_box", "--ignored", "--nocapture"])
        .status()
        .expect("python3 runs");
    if ended.code() == Some(CANNOT) {
        wall::left_out("this machine does not let us record in a network of our own");
        return a_whole_day_of_the_box();
    }
    assert!(ended.success(), "{ended}");
}

/// Run by the test above, within the recorded network.
#[test]
#[ignore = "it is run within a recorded network"]
fn a_whole_day_of_the_box() {
    let cloud = Cloud::start(&[ASKED[0].0, ASKED[1].0, GOODBYE]);
    let the_box = TheBox::start(&cloud.setup(CAREFUL));
    warmed_up(&the_box);

    let mut records = FIRST.iter().map(|number| rung(&the_box, number));
    let record = records.find(|record| failovers(record).is_empty()).expect("a call without a failover");
    the_answers_are_right(&record);
    the_vendors_did_the_work(&record);
    the_caller_heard_the_answer(&the_box, &record);
    the_register_names_what_left(&cloud, &the_box, &record);

    for provider in [Provider::Ears, Provider::Mind, Provider::Voice] {
        cloud.providers.fault(FaultOrder::new(provider, FaultKind::Stall));
    }
    let record = rung(&the_box, SECOND);
    the_answers_are_right(&record);
    the_box_did_the_work(&record);

    // The line is back, and the stand-in's ears really listen.
    cloud.providers.clear();
    assert!(cloud.providers.will_say(&[]), "the ears were told what is said before");
    both_hearings_are_shown(&the_box);
    the_box.stop();
}

/// Asks and takes leave.
fn rung(the_box: &TheBox, number: &str) -> Value {
    let steps = ["--say", ASKED[0].0, "--say", ASKED[1].0, "--say", GOODBYE];
    let watch = the_box.watch();
    let call = Call::start(the_box, &format!("0{number}"), &steps);
    greeted(&watch);
    for _ in ASKED {
        answered(&watch);
    }
    call.report();
    the_box.record_of(number)
}

fn the_answers_are_right(record: &Value) {
    assert_eq!(record["outcome"], "answered", "{record:#}");
    let answers = answers(record);
    assert!(answers.len() >= ASKED.len(), "{record:#}");
    for ((_, meant), answer) in ASKED.iter().zip(&answers) {
        let turns = record["turns"].as_array().expect("turns");
        let at = turns.iter().position(|turn| std::ptr::eq(turn, *answer)).expect("it is one of them");
        // An answer may be said in several sentences, until the caller speaks again.
        let whole: Vec<&str> =
            turns[at..].iter().take_while(|turn| turn["who"] == "box").map(|turn| text(&turn["text"])).collect();
        assert_eq!(meaning(&whole.join(" ")), *meant, "{record:#}");
    }
}

fn the_vendors_did_the_work(record: &Value) {
    assert_eq!(failovers(record), [], "{record:#}");
    let turns = record["turns"].as_array().expect("turns");
    for turn in turns.iter().filter(|turn| turn["who"] == "caller") {
        assert_eq!(turn["engines"]["transcriber"], OUTSIDE[0], "{record:#}");
    }
    // To take leave needs no mind outside.
    for answer in answers(record).into_iter().take(ASKED.len()) {
        assert_eq!(answer["engines"]["responder"], OUTSIDE[1], "{record:#}");
        for time in ["endpoint_ms", "transcribe_ms", "respond_first_ms", "synthesize_first_ms", "voice_to_voice_ms"] {
            assert!(answer["latency"][time].is_u64(), "{time} in {record:#}");
        }
    }
    assert!(engines(record, "synthesizer").contains(&OUTSIDE[2]), "{record:#}");
}

/// What came over the telephone, heard by the box's own ears.
fn the_caller_heard_the_answer(the_box: &TheBox, record: &Value) {
    let sound = the_box.milu(&["calls", "play", text(&record["id"])]);
    let ours = sounds::channel(&sound.stdout, 1);
    let from = record["recording"]["from_ms"].as_u64().expect("a time");
    let answer = answers(record)[0];
    let (began, next) = (answer["started_ms"].as_u64(), record["turns"].as_array().expect("turns").iter());
    let began = began.expect("a time");
    let until = next
        .filter(|turn| turn["who"] == "caller")
        .filter_map(|turn| turn["started_ms"].as_u64())
        .find(|at| *at > began)
        .expect("the caller goes on");
    let heard = sounds::heard(sounds::cut(&ours, began.saturating_sub(from + 300), until - from));
    assert_eq!(meaning(&heard), ASKED[0].1, "heard: {heard}");
}

/// TLS 1.3 adds 22 octets to a record of at most 16 KiB (RFC 8446, 5.2), and a
/// WebSocket message has at most 14 of its own (RFC 6455, 5.2).
const A_MESSAGE: u64 = 22 + 14;

/// A connection's handshake from the client's side: hello with names and a key
/// share, finished, and the records that say goodbye.
const A_CONNECTION: u64 = 1024;

/// What the far side may have left unread when a connection ended: the last
/// message of each protocol.
const LAST_WORDS: u64 = A_MESSAGE + 24;

fn the_register_names_what_left(cloud: &Cloud, the_box: &TheBox, record: &Value) {
    let egress = record["egress"].as_array().expect("a list");
    for destination in DESTINATIONS {
        let of_it: Vec<&Value> = egress.iter().filter(|row| row["destination"] == destination).collect();
        assert!(!of_it.is_empty(), "{destination} in {egress:#?}");
        for row in &of_it {
            // By no row but those that the table has for this destination.
            let rows = row["policy"].as_array().expect("rows");
            assert!(!rows.is_empty() && rows.iter().all(|id| text(id).ends_with(&format!("-to-{destination}"))));
            assert!(["raw", "redacted", "local"].contains(&text(&row["verdict"])), "{row:#}");
            assert!(DataClass::ALL.iter().any(|class| class.name() == text(&row["data"])), "{row:#}");
        }
        assert!(of_it.iter().any(|row| row["bytes"].as_u64().is_some_and(|bytes| bytes > 0)), "{of_it:#?}");
        let provider = stand_in(destination);
        // The last rows of a connection are written when it is closed.
        let (sent, seen) = until("the register says what came", || {
            let seen = cloud.providers.seen(provider);
            let sent = registered(&register(the_box), destination);
            let is_complete =
                sent.checked_sub(seen.wire_bytes).is_some_and(|more| more <= seen.connections * LAST_WORDS);
            is_complete.then_some((sent, seen))
        });
        // And what came is what was said, within what the protocols add.
        let (payload, said) = (seen.bytes, cloud.providers.raw(provider).len() as u64);
        let records = seen.requests + seen.messages + payload / (16 << 10);
        let most = said + records * A_MESSAGE + seen.connections * A_CONNECTION;
        assert!((payload..=most).contains(&sent), "{destination}: {sent} registered, {payload} to {most} expected");
    }
    let rows = register(the_box);
    let of_call: Vec<&Value> = rows.iter().filter(|row| row["call"] == record["id"]).collect();
    for row in &of_call {
        let is_deepgram = row["destination"] == "deepgram";
        assert_eq!(row["safeguards"]["training_opt_out"], is_deepgram, "{row:#}");
        assert_eq!((text(&row["country"]), text(&row["ground"])), ("US", "contract"), "{row:#}");
    }
    let shown: u64 = egress.iter().map(|row| row["bytes"].as_u64().expect("bytes")).sum();
    let kept: u64 = of_call.iter().map(|row| row["bytes_sent"].as_u64().expect("bytes")).sum();
    assert!(shown <= kept && kept > 0, "the call shows {shown} bytes, the register {kept}");
    // The safeguard that the register names was really sent.
    let asked = cloud.providers.seen(Provider::Ears).queries;
    assert!(!asked.is_empty() && asked.iter().all(|query| query.contains("mip_opt_out=true")), "{asked:?}");
}

fn the_box_did_the_work(record: &Value) {
    let left = failovers(record);
    for (stage, from, to) in
        [("ears", OUTSIDE[0], ON_THE_BOX[0]), ("mind", OUTSIDE[1], ON_THE_BOX[1]), ("voice", OUTSIDE[2], ON_THE_BOX[2])]
    {
        let of_it = left.iter().find(|(of, ..)| *of == stage);
        // A sentence that is kept in the outside voice needs no voice at all.
        let Some((_, was, is, why)) = of_it else {
            assert_eq!(stage, "voice", "{record:#}");
            continue;
        };
        assert_eq!((*was, *is), (from, to), "{record:#}");
        assert!(why.ends_with("-deadline"), "nobody said no, nobody said anything: {why}");
    }
    for answer in answers(record) {
        assert_eq!(answer["engines"]["responder"], ON_THE_BOX[1], "{record:#}");
    }
    assert!(engines(record, "transcriber").contains(&ON_THE_BOX[0]), "{record:#}");
}

fn both_hearings_are_shown(the_box: &TheBox) {
    let record = until("the call is heard again", || {
        // Whoever asks all the time takes the time from who listens.
        std::thread::sleep(Duration::from_secs(1));
        let record = the_box.record_of(SECOND);
        let again = record["turns"].as_array()?.iter().any(|turn| turn["heard_again"].is_object());
        again.then_some(record)
    });
    let turns = record["turns"].as_array().expect("turns");
    let callers: Vec<&Value> = turns.iter().filter(|turn| turn["who"] == "caller").collect();
    for turn in &callers {
        assert_eq!(turn["heard_again"]["transcriber"], OUTSIDE[0], "{record:#}");
    }
    for ((words, meant), turn) in ASKED.iter().zip(&callers) {
        assert_eq!(turn["engines"]["transcriber"], ON_THE_BOX[0], "{record:#}");
        let again = text(&turn["heard_again"]["text"]);
        let alike = milu::speech::onbox::Embedder::load(&crate::the_box::models_dir()).expect("the model of meaning");
        let (a, b) = (alike.embed(words).expect("a meaning"), alike.embed(again).expect("a meaning"));
        let likeness: f32 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
        assert!(likeness > 0.6, "{meant}: said \"{words}\", heard again as \"{again}\"");
    }
    // The second hearing left too, on the same leave as the first would have.
    let rows = register(the_box);
    let sound = |row: &&Value| row["call"] == record["id"] && row["destination"] == "deepgram";
    assert!(rows.iter().any(|row| sound(&row)), "what was heard again is in the register");
}
