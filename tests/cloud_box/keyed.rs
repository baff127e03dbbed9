//! A card that is keyed while the ears outside hear the call: of its tones nothing
//! reaches them, whichever way the telephone sends them.

use milu::media::{Frame, SampleRate, ToneDetector};
use serde_json::Value;

use crate::near::{Cloud, OUTSIDE};
use crate::providers::Provider;
use crate::providers::owner::CAREFUL;
use crate::the_box::callers::Call;
use crate::the_box::sounds::{self, HZ};
use crate::the_box::{Setup, TheBox, bakery, said};

/// A test number of Verve's, of which nobody has a card.
const CARD: &str = "5060990580000217499";

const ASKS: &str = "Can I pay with my card on the telephone?";
const GOODBYE: &str = "No, thank you. Goodbye.";

/// The callers' numbers. On a machine that does much else the ears outside may be
/// late and be left: then nothing is shown, and the next one rings.
const NUMBERS: [&str; 3] = ["8055550151", "8055550152", "8055550153"];

/// The frequencies (Hz) of ITU-T Q.23, of which a key has one of each four.
const LOW: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];

/// Of a window's energy the two tones of a key have nearly all; a voice spreads its own.
const PURITY: f64 = 0.85;

/// Below this (RMS) there is nothing to be told by anybody: 55 dB under full scale.
const FAINT: f64 = 60.0;

/// Keys as an old handset sends them: as sound, a tenth of a second each.
fn in_band(keys: &str, hz: usize) -> Vec<i16> {
    let tenth = hz / 10;
    let key = |key: char| {
        let place = "123456789*0#".find(key).expect("a key");
        let wave = move |tone: f64, n: usize| (std::f64::consts::TAU * tone * n as f64 / hz as f64).sin() * 7000.0;
        let sample = move |n: usize| (wave(LOW[place / 3], n) + wave(HIGH[place % 3], n)) as i16;
        (0..2 * tenth).map(move |n| if n < tenth { sample(n) } else { 0 })
    };
    keys.chars().flat_map(key).collect()
}

/// Keys that whoever gets this sound at 16 kHz would be told.
fn keys_in(sound: &[i16]) -> usize {
    let rate = SampleRate::Hz16000;
    let mut detector = ToneDetector::new(rate);
    let frames = sound.chunks_exact(rate.frame_len()).map(|chunk| Frame::from_samples(rate, chunk));
    frames.filter_map(|frame| detector.hear(&frame)).count()
}

/// Windows of 20 ms that are made of one low and one high tone and of nothing else,
/// which is sooner than a detector of keys is sure of one.
fn tonal_windows(sound: &[i16]) -> usize {
    const WINDOW: usize = 320;
    let is_tonal = |window: &[i16]| {
        let energy: f64 = window.iter().map(|s| f64::from(*s).powi(2)).sum();
        let strongest = |tones: [f64; 4]| tones.map(|tone| part_at(window, tone)).into_iter().fold(0.0, f64::max);
        let (low, high) = (strongest(LOW), strongest(HIGH));
        let is_loud = (energy / WINDOW as f64).sqrt() > FAINT;
        // Of a voiced sound one harmonic may be strong; two in these places are not.
        is_loud && low + high > PURITY * energy && low > 0.1 * energy && high > 0.1 * energy
    };
    sound.chunks_exact(WINDOW).filter(|window| is_tonal(window)).count()
}

/// The part of a window's energy that a tone of this frequency has (Goertzel).
fn part_at(window: &[i16], tone: f64) -> f64 {
    let step = std::f64::consts::TAU * tone / 16_000.0;
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in window.iter().enumerate() {
        let (sin, cos) = (step * n as f64).sin_cos();
        re += f64::from(*sample) * cos;
        im += f64::from(*sample) * sin;
    }
    2.0 * (re * re + im * im) / window.len() as f64
}

#[test]
fn no_tone_of_a_card_that_is_keyed_reaches_the_ears_outside() {
    // That what is looked for would be found, in what telephones carry.
    let keyed = in_band(CARD, 16_000);
    assert_eq!(keys_in(&keyed), CARD.len());
    assert!(tonal_windows(&keyed) >= 3 * CARD.len(), "{} windows", tonal_windows(&keyed));

    let files = tempfile::tempdir().expect("a directory");
    let knowledge = files.path().join("bakery.md");
    let pays = "## Questions\n\n### Can I pay with my card on the telephone?\n\n- I want to pay with my card\n\n\
                Please key in your card number now, and then the hash key.\n";
    let facts = std::fs::read_to_string(bakery()).expect("the knowledge file");
    std::fs::write(&knowledge, facts.replacen("## Questions\n", pays, 1)).expect("a knowledge file");
    let tones = sounds::write_wav(files.path(), "tones.wav", &in_band(CARD, HZ));

    let cloud = Cloud::start(&[ASKS, GOODBYE]);
    let the_box = TheBox::start(&Setup { knowledge, ..cloud.setup(CAREFUL) });
    // As sound and as events, one after the other: both at once would be one key.
    let keys = format!("{CARD}#");
    let steps =
        [["--say", ASKS], ["--play", tones.to_str().expect("a path")], ["--dtmf", &keys], ["--say", GOODBYE]].concat();
    let mut shown = NUMBERS.iter().filter(|number| {
        cloud.providers.forget();
        assert!(cloud.providers.will_say(&[ASKS, GOODBYE]), "the ears are told what is said");
        Call::start(&the_box, &format!("0{number}"), &steps).report();
        let record = the_box.record_of(number);
        nothing_came(&cloud, &record);
        is_heard_outside(&record)
    });
    assert!(shown.next().is_some(), "the ears outside never heard a call to its end");
    the_box.stop();
}

/// Whether the ears outside were there before the card and after it.
fn is_heard_outside(record: &Value) -> bool {
    let turns = record["turns"].as_array().expect("turns").iter();
    let by: Vec<_> = turns.filter_map(|turn| turn["engines"]["transcriber"].as_str()).collect();
    by.len() >= 2 && by.iter().all(|engine| *engine == OUTSIDE[0])
}

fn nothing_came(cloud: &Cloud, record: &Value) {
    assert!(said(record, "box").iter().any(|words| words.contains("key in your card number")), "{record:#}");
    let gaps = record["recording"]["gaps"].as_array().expect("gaps");
    let withheld = gaps.iter().filter(|gap| gap["reason"] == "withheld");
    let withheld_ms: u64 =
        withheld.map(|gap| gap["to_ms"].as_u64().expect("a time") - gap["from_ms"].as_u64().expect("a time")).sum();
    // Twenty keys in either way, five a second, are four seconds each.
    assert!(withheld_ms > 6_000, "both ways of keying lie in the step: {record:#}");

    let sound = cloud.providers.sound();
    if is_heard_outside(record) {
        let ms = sound.len() as u64 / 16;
        assert!(ms > withheld_ms + 3_000, "{ms} ms came, in which {withheld_ms} ms are withheld");
        assert!(sound.iter().any(|sample| sample.unsigned_abs() > 1000), "the caller's words came");
    }
    assert_eq!((keys_in(&sound), tonal_windows(&sound)), (0, 0), "tones came to the ears outside");
    // Nor did a key come in words or numbers, to anybody.
    for provider in Provider::ALL {
        let texts = cloud.providers.seen(provider).texts.join(" ");
        let digits: String = texts.chars().filter(|c| c.is_ascii_digit() || c.is_ascii_alphabetic()).collect();
        assert!(
            !CARD.as_bytes().windows(7).any(|some| digits.contains(&*String::from_utf8_lossy(some))),
            "{provider:?}"
        );
    }
}
