//! The vendors' own clients drive the stand-ins, and must be content: what the
//! box is tested against is held to the protocols by those who made them. What
//! was spoken is heard again by the box's own ears. Needs the models, and the
//! Python of the tests (`make test` sets both up).

#[path = "providers/mod.rs"]
mod providers;
mod the_box;

use std::path::{Path, PathBuf};
use std::process::Command;

use milu::caller::{Voice, VoiceOptions};
use milu::media::{Conversion, Frame, Resampler, SampleRate};
use providers::{Options, Providers};
use the_box::{models_dir, root, sounds};
use tokio_util::task::TaskTracker;

/// A question with a pause in it, as callers ask.
const QUESTION: &str = "Good morning. How much is a malaria test, and can I come without an appointment on Saturday?";

/// What the voice is given to say.
const ANSWER: &str =
    "Yes, we test for malaria here. The result is ready in thirty minutes, and you need no appointment.";

fn python() -> PathBuf {
    let path = std::env::var_os("MILU_TEST_PYTHON")
        .map_or_else(|| root().join("target/test-python/bin/python"), PathBuf::from);
    assert!(path.exists(), "{} is missing: `make test` makes it, or name another in MILU_TEST_PYTHON", path.display());
    path
}

/// Runs a script against stand-ins of its own; all of its checks must hold.
fn drive(script: &str, dir: &Path, arguments: &[&std::ffi::OsStr]) {
    let stand_ins = Providers::start(Options::new(dir)).expect("the stand-ins start");
    let output = Command::new(python())
        .arg(root().join("tests/python").join(script))
        .arg(dir.join("ports.json"))
        .args(arguments)
        .env("SSL_CERT_FILE", &stand_ins.ports().ca)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("Python runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script} is not content:\n{out}\n{err}");
}

fn wav(path: &Path, samples: &[i16], hz: u32) {
    let spec =
        hound::WavSpec { channels: 1, sample_rate: hz, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut file = hound::WavWriter::create(path, spec).expect("a file");
    samples.iter().for_each(|sample| file.write_sample(*sample).expect("it is written"));
    file.finalize().expect("it is complete");
}

/// The question in the box's own voice, at 16 kHz.
fn spoken_question() -> Vec<i16> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let options = VoiceOptions { name: "piper".to_owned(), models_dir: models_dir() };
    runtime.block_on(async {
        let voice = Voice::load(&options, &TaskTracker::new()).expect("the voice loads");
        voice.speak(QUESTION).await.expect("the voice speaks")
    })
}

fn narrowed(wide: &[i16]) -> Vec<i16> {
    let mut resampler = Resampler::new(Conversion::Hz16000ToHz8000);
    let frames = wide.chunks(320).map(|chunk| Frame::from_samples(SampleRate::Hz16000, chunk));
    frames.flat_map(|frame| resampler.frame(&frame).samples().to_vec()).collect()
}

#[test]
fn deepgrams_own_client_is_content_with_the_ears() {
    let dir = tempfile::tempdir().expect("a directory");
    let (wide, narrow) = (dir.path().join("wide.wav"), dir.path().join("narrow.wav"));
    let question = spoken_question();
    wav(&wide, &question, 16_000);
    wav(&narrow, &narrowed(&question), 8_000);
    drive("deepgram_sdk.py", dir.path(), &[wide.as_ref(), narrow.as_ref(), QUESTION.as_ref()]);
}

#[test]
fn anthropics_own_client_is_content_with_the_mind() {
    let dir = tempfile::tempdir().expect("a directory");
    let knowledge = root().join("firmware-config/knowledge/clinic.toml");
    drive("anthropic_sdk.py", dir.path(), &[knowledge.as_ref()]);
}

#[test]
fn elevenlabs_own_client_is_content_with_the_voice_and_its_words_are_heard() {
    let dir = tempfile::tempdir().expect("a directory");
    let spoken = dir.path().join("spoken");
    std::fs::create_dir(&spoken).expect("a directory");
    drive("elevenlabs_sdk.py", dir.path(), &[spoken.as_ref(), ANSWER.as_ref()]);
    for name in ["pcm_8000", "ulaw_8000", "alaw_8000", "pcm_16000", "realtime", "aligned", "context-one", "context-two"]
    {
        let mut file = hound::WavReader::open(spoken.join(format!("{name}.wav"))).expect("it was spoken");
        let hz = file.spec().sample_rate;
        let sound: Vec<i16> = file.samples::<i16>().map(|sample| sample.expect("a sample")).collect();
        let narrow = if hz == 16_000 { narrowed(&sound) } else { sound };
        let heard = sounds::heard(&narrow).to_lowercase();
        let missing: Vec<&str> =
            ["malaria", "result", "minutes", "appointment"].into_iter().filter(|word| !heard.contains(word)).collect();
        assert!(missing.is_empty(), "{name} was heard as {heard:?}");
    }
}
