//! The box's fixed sentences in the voice outside: rendered once and kept, so that
//! it goes on speaking in that voice when the internet is gone, also after a
//! restart; and kept so that nobody reads them off the disk.

use std::path::Path;

use milu::call::phrases;
use milu::media::g711;
use serde_json::Value;

use crate::near::{Cloud, ON_THE_BOX, OUTSIDE, answers, warmed_up};
use crate::providers::Provider;
use crate::providers::owner::CAREFUL;
use crate::the_box::callers::Call;
use crate::the_box::{TheBox, sounds, text};

/// What stands in the bakery's file, and what its answer says.
const ASKS: &str = "How much is a birthday cake?";
const ANSWER: &str = "A birthday cake for ten people";
const GOODBYE: &str = "No, thank you. Goodbye.";

/// Samples in a row that no other sound has: 16 ms of a loud part.
const ROW: usize = 128;

/// The least of which a stretch of sound is known again: half a second.
const STRETCH: usize = sounds::HZ / 2;

#[test]
fn without_the_internet_and_after_a_restart_fixed_sentences_keep_the_voice_in_which_they_were_rendered() {
    let cloud = Cloud::start(&[ASKS, GOODBYE]);
    let setup = cloud.setup(CAREFUL);
    let the_box = TheBox::start(&setup);
    warmed_up(&the_box);
    let rendered = cloud.providers.seen(Provider::Voice).answered.len();
    assert!(rendered > 0, "the voice outside was asked for the fixed sentences");
    let before = rung(&the_box, "8055550161");
    spoken_by_the_kept_voice(&before);
    let kept = asked_what_is_wanted(&the_box, &before);
    let place = the_box.stop();

    // Nobody answers at the vendors' addresses any more.
    let _files = cloud.vendors_gone();
    let the_box = TheBox::start_in(place, &setup);
    let after = rung(&the_box, "8055550162");
    spoken_by_the_kept_voice(&after);
    answered_by_the_kept_voice(&after);
    let again = asked_what_is_wanted(&the_box, &after);
    // That the vendors were really gone: nobody outside heard this caller.
    let turns = after["turns"].as_array().expect("turns").iter();
    let ears: Vec<_> = turns.filter_map(|turn| turn["engines"]["transcriber"].as_str()).collect();
    assert!(!ears.is_empty() && ears.iter().all(|engine| *engine == ON_THE_BOX[0]), "{after:#}");

    // The same rendering, sample by sample: a voice that spoke anew would differ.
    let part = loud_part(&kept, STRETCH);
    assert!(again.windows(STRETCH).any(|stretch| stretch == part), "the sound is not the one that was kept");

    let place = the_box.stop();
    let rows = plain_rows(&loud_part(&kept, ROW));
    let mut in_the_clear = rows[0].clone();
    in_the_clear.splice(0..0, [1, 2, 3]);
    assert!(has(&in_the_clear, &rows[0]), "the search finds what is there");
    let searched = search(&place.path().join("data"), &rows);
    // The sentences are there: a second of sound at the narrow rate has 16,000 octets.
    assert!(searched > 10 * 16_000, "only {searched} octets lie on the disk");
}

/// A call that is greeted, asks what the business knows and takes leave.
fn rung(the_box: &TheBox, number: &str) -> Value {
    Call::start(the_box, &format!("0{number}"), &["--say", ASKS, "--say", GOODBYE]).report();
    the_box.record_of(number)
}

/// The greeting with its notice, and the question what is wanted.
fn opening(record: &Value) -> Vec<&Value> {
    let turns = record["turns"].as_array().expect("turns").iter();
    turns.take_while(|turn| turn["who"] == "box").collect()
}

fn spoken_by_the_kept_voice(record: &Value) {
    let opening = opening(record);
    assert!(opening.len() >= 2, "{record:#}");
    assert!(text(&opening[0]["text"]).contains("Mama Nkechi"), "{record:#}");
    for turn in opening {
        assert_eq!(turn["engines"]["synthesizer"], OUTSIDE[2], "{record:#}");
    }
}

/// The box's own mind found the answer, and it was spoken in a voice that is gone.
fn answered_by_the_kept_voice(record: &Value) {
    let answers = answers(record);
    let answer = answers.iter().find(|answer| text(&answer["text"]).contains(ANSWER));
    let answer = answer.unwrap_or_else(|| panic!("no answer in {record:#}"));
    assert_eq!(answer["engines"]["responder"], ON_THE_BOX[1], "{record:#}");
    assert_eq!(answer["engines"]["synthesizer"], OUTSIDE[2], "{record:#}");
}

/// The box's side of the recording while it asks what is wanted: the notice before
/// it is not recorded.
fn asked_what_is_wanted(the_box: &TheBox, record: &Value) -> Vec<i16> {
    let sound = the_box.milu(&["calls", "play", text(&record["id"])]);
    let ours = sounds::channel(&sound.stdout, 1);
    let from = record["recording"]["from_ms"].as_u64().expect("a time");
    let opening = opening(record);
    let turn = opening.iter().find(|turn| text(&turn["text"]).contains(phrases::HELP)).expect("it asks");
    let at = |key: &str| turn[key].as_u64().expect("a time").saturating_sub(from);
    sounds::cut(&ours, at("started_ms"), at("ended_ms")).to_vec()
}

/// So many samples of a sound, around where it is loudest.
fn loud_part(sound: &[i16], samples: usize) -> Vec<i16> {
    assert!(sound.len() > samples, "{} samples of a sentence", sound.len());
    let loud = (0..sound.len()).max_by_key(|at| sound[*at].unsigned_abs()).expect("sound");
    assert!(sound[loud].unsigned_abs() > 1000, "the sentence sounds");
    let from = loud.saturating_sub(samples / 2).min(sound.len() - samples);
    sound[from..from + samples].to_vec()
}

/// The ways in which a program writes samples that it does not encrypt.
fn plain_rows(samples: &[i16]) -> [Vec<u8>; 4] {
    [
        samples.iter().flat_map(|s| s.to_le_bytes()).collect(),
        samples.iter().flat_map(|s| s.to_be_bytes()).collect(),
        samples.iter().map(|s| g711::encode_mu_law(*s)).collect(),
        samples.iter().map(|s| g711::encode_a_law(*s)).collect(),
    ]
}

fn has(bytes: &[u8], row: &[u8]) -> bool {
    bytes.windows(row.len()).any(|some| some == row)
}

/// Octets of all files below, none of which has the sound in the clear.
fn search(dir: &Path, rows: &[Vec<u8>]) -> u64 {
    let mut searched = 0;
    for entry in std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry")) {
        if entry.file_type().expect("its type").is_dir() {
            searched += search(&entry.path(), rows);
            continue;
        }
        let bytes = std::fs::read(entry.path()).expect("a file");
        assert!(rows.iter().all(|row| !has(&bytes, row)), "a sentence in the clear: {}", entry.path().display());
        searched += bytes.len() as u64;
    }
    searched
}
