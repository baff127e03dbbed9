//! Speech for callers that are not ours, and ears for what they received.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use milu::caller::{Voice, VoiceOptions};
use milu::knowledge::KnowledgeBase;
use milu::media::{Conversion, Frame, Resampler, SampleRate, g711};
use milu::speech::onbox::{Embedder, Pool, PoolSize, SmartTurn, WhisperEars};
use milu::speech::{CallSetting, EarsEvent, Hints, Transcriber};
use milu::terms::{Language, Moment, RequestId};
use tokio::runtime::Runtime;
use tokio_util::task::TaskTracker;

use super::{PATIENCE, models_dir};

/// Samples in a second on a telephone.
pub const HZ: usize = 8000;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// A text in the box's own voice, as a telephone carries it (8 kHz).
pub fn speech(text: &str) -> Vec<i16> {
    speech_by("piper", text)
}

/// A text by a voice of the test caller's.
pub fn speech_by(voice: &str, text: &str) -> Vec<i16> {
    let options = VoiceOptions { name: voice.to_owned(), models_dir: models_dir() };
    let wide = runtime().block_on(async {
        let voice = Voice::load(&options, &TaskTracker::new()).expect("the voice loads");
        voice.speak(text).await.expect("the voice speaks")
    });
    resampled(&wide, SampleRate::Hz16000, Conversion::Hz16000ToHz8000)
}

fn resampled(sound: &[i16], rate: SampleRate, conversion: Conversion) -> Vec<i16> {
    let mut resampler = Resampler::new(conversion);
    let frames = sound.chunks(rate.hz() as usize / 50).map(|chunk| Frame::from_samples(rate, chunk));
    frames.flat_map(|frame| resampler.frame(&frame).samples().to_vec()).collect()
}

pub fn silence(seconds: usize) -> Vec<i16> {
    vec![0; seconds * HZ]
}

/// Noise as loud as speech, from a generator of the middle square's kind: the same each time.
pub fn noise(seconds: usize) -> Vec<i16> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 48) as i16 / 16
    })
    .take(seconds * HZ)
    .collect()
}

/// Writes sound as a WAV file.
pub fn write_wav(dir: &Path, name: &str, sound: &[i16]) -> PathBuf {
    let path = dir.join(name);
    let format =
        hound::WavSpec { channels: 1, sample_rate: 8000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut file = hound::WavWriter::create(&path, format).expect("a file");
    sound.iter().for_each(|sample| file.write_sample(*sample).expect("it is written"));
    file.finalize().expect("it is complete");
    path
}

/// Writes sound as SIPp streams it: A-law octets and nothing else.
pub fn write_a_law(dir: &Path, name: &str, sound: &[i16]) -> PathBuf {
    let path = dir.join(name);
    let octets: Vec<u8> = sound.iter().map(|sample| g711::encode_a_law(*sample)).collect();
    std::fs::write(&path, octets).expect("it is written");
    path
}

/// One channel of a WAV file, with how many samples a second has.
pub fn channel(wav: &[u8], channel: usize) -> Vec<i16> {
    let file = hound::WavReader::new(wav).expect("a WAV file");
    let channels = usize::from(file.spec().channels);
    file.into_samples::<i16>().map(|sample| sample.expect("a sample")).skip(channel).step_by(channels).collect()
}

/// The part of a sound between two times.
pub fn cut(sound: &[i16], from_ms: u64, to_ms: u64) -> &[i16] {
    let at = |ms: u64| usize::try_from(ms).expect("a time").saturating_mul(HZ / 1000).min(sound.len());
    &sound[at(from_ms)..at(to_ms)]
}

/// What the box's own ears hear in a sound of at most half a minute.
pub fn heard(sound: &[i16]) -> String {
    static EARS: LazyLock<WhisperEars> = LazyLock::new(|| {
        let pool = Pool::new("listen", PoolSize { threads: 1, queue: 4 }).expect("a pool");
        let dir = models_dir();
        let turn = SmartTurn::load(&dir.join("smart-turn-v3.2-cpu.onnx")).expect("the judge of turns loads");
        let whisper = dir.join("whisper-base.q8_0.ggml.bin");
        WhisperEars::load(&whisper, turn, pool, Arc::new(|| Moment::START)).expect("they load")
    });
    let wide = resampled(sound, SampleRate::Hz8000, Conversion::Hz8000ToHz16000);
    runtime().block_on(async {
        let (tell, mut answers) = tokio::sync::mpsc::channel(4);
        let mut hearing =
            EARS.open(&CallSetting::on_box(Hints { language: Language::English, words: Vec::new() }), tell);
        for chunk in wide.chunks(320) {
            hearing.frame(&Frame::from_samples(SampleRate::Hz16000, chunk), Moment::START);
        }
        hearing.decode(RequestId(1));
        match tokio::time::timeout(PATIENCE, answers.recv()).await.expect("in time") {
            Some(EarsEvent::Heard(heard)) => heard.words.into_exposed(),
            other => panic!("{other:?}"),
        }
    })
}

/// The entry of the knowledge file whose answer is nearest in meaning to `words`.
pub fn nearest_answer<'a>(base: &'a KnowledgeBase, words: &str) -> &'a str {
    let embedder = Embedder::load(&models_dir()).expect("the model of meaning loads");
    let words = embedder.embed(words).expect("words have a meaning");
    let likeness = |text: &str| {
        let text = embedder.embed(text).expect("an answer has a meaning");
        text.iter().zip(&words).map(|(a, b)| a * b).sum::<f32>()
    };
    let entry = base.entries.iter().max_by(|a, b| likeness(&a.answer).total_cmp(&likeness(&b.answer)));
    &entry.expect("the file has answers").ask[0]
}

/// The bakery's knowledge file.
pub fn bakery() -> KnowledgeBase {
    let path = super::bakery();
    let text = std::fs::read_to_string(&path).expect("the file is there");
    KnowledgeBase::parse("bakery.md", &text).expect("it has no mistakes")
}
