//! The canceller in a room that is computed: real speech, a response with a direct path,
//! early reflections and a tail, and a second voice.

use super::*;
use crate::media::{Conversion, Level, Resampler};

const RATE: SampleRate = SampleRate::Hz16000;

/// Loudspeaker to microphone through the sound card and a step of air: 45 ms.
const PATH_MS: usize = 45;

fn speech(name: &str, rate: SampleRate) -> Vec<i16> {
    let path = format!("{}/tests/sounds/{name}.wav", env!("CARGO_MANIFEST_DIR"));
    let mut reader = hound::WavReader::open(path).expect("a kept sound");
    let (hz, samples) = (reader.spec().sample_rate, reader.samples::<i16>().map(Result::unwrap).collect::<Vec<_>>());
    let mut out = Vec::new();
    match Conversion::of_voice(hz, rate).expect("a known rate") {
        Some(conversion) => Resampler::new(conversion).push(&samples, &mut out),
        None => out = samples,
    }
    out
}

/// `seconds` of several sentences in a row, beginning with the `first`.
fn talk(first: usize, seconds: usize, rate: SampleRate) -> Vec<i16> {
    let names = ["question-whole", "answer-whole", "thought-cut", "question-cut"];
    let wanted = seconds * rate.hz() as usize;
    let mut samples = Vec::new();
    for name in names.iter().cycle().skip(first) {
        if samples.len() >= wanted {
            break;
        }
        samples.extend(speech(name, rate));
    }
    samples.truncate(wanted);
    samples
}

/// A room of 250 ms reverberation: the direct sound, and reflections that thin out.
fn room(sound: &[i16], rate: SampleRate, gain: f32) -> Vec<f32> {
    let per_ms = rate.hz() as usize / 1_000;
    let mut response = vec![(0, 1.0_f32)];
    let mut state = 0x2545_f491_u32;
    for n in 1..60 {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let at = n * 2 * per_ms + state as usize % (2 * per_ms);
        let loss = 0.5 * (-6.9 * at as f32 / (250 * per_ms) as f32).exp();
        response.push((at, if state & 1 == 0 { loss } else { -loss }));
    }
    let mut out = vec![0.0; sound.len()];
    for (at, amount) in response {
        for (n, sample) in sound.iter().enumerate().take(sound.len().saturating_sub(at + PATH_MS * per_ms)) {
            out[n + at + PATH_MS * per_ms] += gain * amount * f32::from(*sample);
        }
    }
    out
}

fn frames(samples: &[i16], rate: SampleRate) -> impl Iterator<Item = Frame> + '_ {
    samples.chunks_exact(rate.frame_len()).map(move |chunk| Frame::from_samples(rate, chunk))
}

fn sum(echo: &[f32], near: &[i16]) -> Vec<i16> {
    echo.iter().zip(near).map(|(e, n)| (e + f32::from(*n)) as i16).collect()
}

fn cleaned(played: &[i16], heard: &[i16], rate: SampleRate) -> Vec<i16> {
    let mut canceller = EchoCanceller::new(rate);
    frames(played, rate)
        .zip(frames(heard, rate))
        .flat_map(|(played, heard)| canceller.cancel(&played, &heard).samples().to_vec())
        .collect()
}

fn energy_db(samples: &[i16]) -> f32 {
    let mean = samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64;
    10.0 * (mean.max(1e-3) as f32).log10()
}

/// Echo return loss enhancement from `from_s` on: how much weaker the echo is than it was heard.
fn enhancement_db(rate: SampleRate, gain: f32, from_s: usize) -> f32 {
    let played = talk(0, 12, rate);
    let heard = sum(&room(&played, rate, gain), &vec![0; played.len()]);
    let out = cleaned(&played, &heard, rate);
    let from = from_s * rate.hz() as usize;
    energy_db(&heard[from..out.len()]) - energy_db(&out[from..])
}

#[test]
fn the_echo_of_a_room_is_thirty_decibels_down_at_either_rate() {
    for rate in [SampleRate::Hz8000, RATE] {
        for gain in [0.1, 0.4] {
            let db = enhancement_db(rate, gain, 4);
            println!("{} Hz, a room of {gain}: {db:.1} dB", rate.hz());
            assert!(db > 30.0, "{} Hz, a room of {gain}: {db:.1} dB", rate.hz());
        }
    }
}

#[test]
fn the_first_seconds_of_a_call_are_already_weakened() {
    let played = talk(0, 3, RATE);
    let heard = sum(&room(&played, RATE, 0.2), &vec![0; played.len()]);
    let out = cleaned(&played, &heard, RATE);
    let second = RATE.hz() as usize;
    let db = energy_db(&heard[second..out.len()]) - energy_db(&out[second..]);
    println!("from the second second on: {db:.1} dB");
    assert!(db > 12.0, "{db:.1} dB");
}

/// How alike two sounds are at their best delay of up to 30 ms, 0 to 1.
fn likeness(a: &[i16], b: &[i16]) -> f64 {
    let len = a.len() - 480;
    (0..480)
        .map(|lag| {
            let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
            for n in 0..len {
                let (x, y) = (f64::from(a[n]), f64::from(b[n + lag]));
                (ab, aa, bb) = (ab + x * y, aa + x * x, bb + y * y);
            }
            ab / (aa * bb).sqrt().max(1.0)
        })
        .fold(0.0, f64::max)
}

#[test]
fn who_speaks_against_the_box_is_still_heard() {
    let played = talk(0, 14, RATE);
    let second = RATE.hz() as usize;
    // The other voice begins when the room is known, as loud as people stand at a door.
    let mut near = vec![0; played.len()];
    near[8 * second..].copy_from_slice(&talk(1, 6, RATE));
    let echo = room(&played, RATE, 0.1);
    let heard = sum(&echo, &near);
    let out = cleaned(&played, &heard, RATE);
    // What the same voice is when nothing is played: the filter against direct current
    // turns the phase of its lowest part, whatever else is done.
    let alone = cleaned(&vec![0; near.len()], &near, RATE);
    let (from, upto) = (8 * second, out.len());
    let same = likeness(&alone[from..upto], &out[from..upto]);
    let loss = energy_db(&alone[from..upto]) - energy_db(&out[from..upto]);
    println!("likeness to the voice alone {same:.3}; {loss:.1} dB lost");
    assert!(same > 0.8, "likeness {same:.3}");
    assert!(loss.abs() < 4.0, "{loss:.1} dB of the voice lost");
}

#[test]
fn without_an_echo_a_voice_keeps_its_strength() {
    let near = talk(2, 6, RATE);
    let out = cleaned(&vec![0; near.len()], &near, RATE);
    let second = RATE.hz() as usize;
    let loss = energy_db(&near[second..out.len()]) - energy_db(&out[second..]);
    println!("{loss:.2} dB lost below 100 Hz");
    assert!(loss.abs() < 2.0, "{loss:.2} dB");
}

#[test]
fn a_delay_that_changes_is_found_again() {
    let played = talk(0, 20, RATE);
    let second = RATE.hz() as usize;
    let mut heard = sum(&room(&played, RATE, 0.2), &vec![0; played.len()]);
    // After half the time the loudspeaker lies 60 ms further back: it ran dry once.
    heard.splice(10 * second..10 * second, vec![0; 960]);
    heard.truncate(played.len());
    let out = cleaned(&played, &heard, RATE);
    let db = energy_db(&heard[14 * second..out.len()]) - energy_db(&out[14 * second..]);
    println!("after the change: {db:.1} dB");
    assert!(db > 20.0, "{db:.1} dB");
}

#[test]
fn silence_stays_silence() {
    let nothing = vec![0; 2 * RATE.hz() as usize];
    let out = cleaned(&nothing, &nothing, RATE);
    assert!(Level::of(&out).peak_dbfs < -80.0);
}
