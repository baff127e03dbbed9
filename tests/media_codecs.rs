//! G.722 against an implementation that is not ours: ffmpeg's.

#![allow(clippy::expect_used, reason = "what tests share stands outside of them")]

use std::path::Path;
use std::process::Command;

use milu::media::{Codec, Decoder, Encoder, FRAME_OCTETS, Frame, SampleRate};

/// Samples of 20 ms.
const FRAME: usize = 320;

/// The filter banks delay by 22 samples (G.722 section 1.4.4); more than twice that is a
/// fault and no delay.
const DELAY_MAX: usize = 48;

/// What ffmpeg makes of `input`, which is read and written as its options say.
fn ffmpeg(read: &[&str], input: &[u8], write: &[&str]) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("input");
    std::fs::write(&file, input).expect("the input is written");
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin"]).args(read).arg("-i").arg(file).args(write).arg("pipe:1");
    let made = command.output().expect("ffmpeg is installed (Debian package ffmpeg)");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    made.stdout
}

fn encoded_by_ffmpeg(sound: &[i16]) -> Vec<u8> {
    let octets: Vec<u8> = sound.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    ffmpeg(&["-f", "s16le", "-ar", "16000", "-ac", "1"], &octets, &["-c:a", "g722", "-f", "g722"])
}

fn decoded_by_ffmpeg(octets: &[u8]) -> Vec<i16> {
    let sound = ffmpeg(&["-f", "g722"], octets, &["-f", "s16le"]);
    sound.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

fn encoded_by_us(sound: &[i16]) -> Vec<u8> {
    let mut encoder = Encoder::new(Codec::G722);
    let mut encode = |chunk: &[i16]| {
        let mut octets = [0; FRAME_OCTETS];
        encoder.encode(&Frame::from_samples(SampleRate::Hz16000, chunk), &mut octets);
        octets
    };
    sound.chunks_exact(FRAME).flat_map(&mut encode).collect()
}

fn decoded_by_us(octets: &[u8]) -> Vec<i16> {
    let mut decoder = Decoder::new(Codec::G722);
    let mut sound = Vec::new();
    for payload in octets.chunks_exact(FRAME_OCTETS) {
        decoder.push(payload).expect("20 ms");
        sound.extend_from_slice(decoder.take().expect("20 ms").samples());
    }
    sound
}

/// A sentence of the voice, in whole frames.
fn speech() -> Vec<i16> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sounds/question-whole.wav");
    let mut reader = hound::WavReader::open(path).expect("a kept sound");
    let mut sound: Vec<i16> = reader.samples::<i16>().collect::<Result<_, _>>().expect("samples");
    sound.truncate(sound.len() / FRAME * FRAME);
    sound
}

/// Two seconds that rise from 5 to 6.5 kHz: the upper of the codec's two bands, in which
/// speech has little.
fn sweep() -> Vec<i16> {
    let rate = 16_000.0;
    let len = 100 * FRAME;
    let mut phase = 0.0_f64;
    let tone = |n: usize| {
        let hz = 5_000.0 + 1_500.0 * n as f64 / len as f64;
        phase += std::f64::consts::TAU * hz / rate;
        (8_000.0 * phase.sin()) as i16
    };
    (0..len).map(tone).collect()
}

fn product(a: &[i16], b: &[i16]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

/// The correlation of what was sent with what was heard, at the codec's delay.
fn likeness(sent: &[i16], heard: &[i16]) -> f64 {
    assert!(sent.len().abs_diff(heard.len()) <= FRAME, "{} samples became {}", sent.len(), heard.len());
    let at = |delay: usize| {
        let len = sent.len().min(heard.len()) - delay;
        let (sent, heard) = (&sent[..len], &heard[delay..delay + len]);
        product(sent, heard) / (product(sent, sent) * product(heard, heard)).sqrt()
    };
    (0..=DELAY_MAX).map(at).fold(0.0, f64::max)
}

/// Speech lies in the lower band, which has six bits a sample, and a tone of the upper
/// band in two bits is rough.
#[test]
fn what_we_encode_in_g722_another_implementation_decodes_and_the_other_way_round() {
    for (what, sent, least) in [("speech", speech(), 0.95), ("a sweep of the upper band", sweep(), 0.8)] {
        let heard = likeness(&sent, &decoded_by_ffmpeg(&encoded_by_us(&sent)));
        assert!(heard > least, "{what}, decoded by ffmpeg: {heard:.3}");
        let heard = likeness(&sent, &decoded_by_us(&encoded_by_ffmpeg(&sent)));
        assert!(heard > least, "{what}, encoded by ffmpeg: {heard:.3}");
    }
}
