//! What a sound-device line costs beside its call: taking the echo of the room out, going
//! between the line's rate and the card's, and telling voice from noise.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a benchmark prints its table, and ends where it cannot measure"
)]

#[path = "support/tables.rs"]
#[allow(dead_code, reason = "this benchmark needs no models")]
mod tables;

use std::hint::black_box;

use milu::media::{Conversion, EchoCanceller, FRAME_MS, Frame, Resampler, SampleRate, VoiceActivity};
use milu::ops::SystemClock;
use milu::terms::Moment;
use serde_json::json;
use tables::{Row, report, root};

/// A minute of a call.
const FRAMES: usize = 3_000;

fn main() {
    // `cargo test --benches` asks only whether it builds.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    let speech = speech();
    let rows = [
        canceller("echo cancellation at 16 kHz", SampleRate::Hz16000, &speech),
        canceller("echo cancellation at 8 kHz", SampleRate::Hz8000, &speech),
        conversion("a card of 48 kHz for a line of 8 kHz", SampleRate::Hz8000, &speech),
        conversion("a card of 48 kHz for a line of 16 kHz", SampleRate::Hz16000, &speech),
        voice(&speech),
    ];
    report("sound", &rows);
}

/// A kept sentence at 16 kHz, over and over.
fn speech() -> Vec<i16> {
    let path = root().join("tests/sounds/question-whole.wav");
    let mut reader = hound::WavReader::open(path).expect("a kept sound");
    reader.samples::<i16>().collect::<Result<_, _>>().expect("samples")
}

fn frames(speech: &[i16], rate: SampleRate) -> impl Iterator<Item = Frame> + '_ {
    speech.chunks_exact(rate.frame_len()).cycle().take(FRAMES).map(move |chunk| Frame::from_samples(rate, chunk))
}

/// The share of one core that `work` takes when it is done once in every frame.
fn measure(what: &str, named: &str, mut work: impl FnMut(Frame), frames: impl Iterator<Item = Frame>) -> Row {
    let clock = SystemClock::new();
    let from = clock.now();
    let mut done = 0;
    for frame in frames {
        work(frame);
        done += 1;
    }
    let each_us = clock.now().since(from).as_secs_f64() * 1e6 / f64::from(done);
    let percent = each_us / f64::from(FRAME_MS) / 10.0;
    Row {
        what: what.to_owned(),
        named: named.to_owned(),
        measured: format!("{each_us:.0} µs a frame, {percent:.2} % of a core"),
        values: json!({ "mean_us": each_us, "core_percent": percent }),
    }
}

fn canceller(what: &str, rate: SampleRate, speech: &[i16]) -> Row {
    let mut canceller = EchoCanceller::new(rate);
    // What was played a tenth of a second ago comes back at a quarter.
    let mut past = std::collections::VecDeque::from(vec![Frame::silence(rate); 5]);
    let work = |played: Frame| {
        past.push_back(played);
        let mut heard = past.pop_front().expect("five frames");
        heard.samples_mut().iter_mut().for_each(|sample| *sample /= 4);
        black_box(canceller.cancel(&played, &heard));
    };
    measure(what, "≤ 5 % of a core", work, frames(speech, rate))
}

fn conversion(what: &str, line: SampleRate, speech: &[i16]) -> Row {
    let (from_card, to_card) = Conversion::of_card(48_000, line).expect("a card's rate").expect("another rate");
    // What was heard, what was played beside it, and what is to be played.
    let (mut heard, mut played) = (Resampler::new(from_card), Resampler::new(from_card));
    let mut to_play = Resampler::new(to_card);
    let (mut wide, mut out) = (Vec::with_capacity(960), Vec::with_capacity(960));
    let work = |frame: Frame| {
        wide.clear();
        to_play.push(frame.samples(), &mut wide);
        for resampler in [&mut heard, &mut played] {
            out.clear();
            resampler.push(&wide, &mut out);
        }
        black_box(&out);
    };
    measure(what, "", work, frames(speech, line))
}

fn voice(speech: &[i16]) -> Row {
    let mut voice = VoiceActivity::new();
    let mut at = Moment::START;
    let work = |frame: Frame| {
        black_box(voice.hear(&frame, at));
        at = at + std::time::Duration::from_millis(u64::from(FRAME_MS));
    };
    measure("telling voice from noise", "", work, frames(speech, SampleRate::Hz16000))
}
