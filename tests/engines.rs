//! The engines of the box, for real: the voice speaks over a telephone's band,
//! the ears hear. Needs the models (`MILU_MODELS`, or `.models/`).

use std::path::PathBuf;
use std::sync::Arc;

use milu::media::SampleRate;
use milu::speech::onbox::{Phonemizer, PiperVoice, Pool, PoolSize};
use milu::terms::Private;
use tokio_util::task::TaskTracker;

/// A file of the models, or a sentence that says how to get it.
fn model(name: &str) -> PathBuf {
    let dir = std::env::var_os("MILU_MODELS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".models"), PathBuf::from);
    let path = dir.join(name);
    assert!(
        path.exists(),
        "the model {} is missing: run `make test`, which fetches it, or set MILU_MODELS",
        path.display()
    );
    path
}

fn pool() -> Arc<Pool> {
    Pool::new("think", PoolSize { threads: 2, queue: 8 }).unwrap()
}

fn voice(respellings: &[(&str, &str)]) -> PiperVoice {
    let respellings = respellings.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    let phonemes = Phonemizer::new("espeak-ng", &respellings);
    let runtime = tokio::runtime::Handle::current();
    PiperVoice::load(&model("en_US-joe-medium.onnx"), phonemes, pool(), TaskTracker::new(), runtime).unwrap()
}

#[tokio::test]
async fn speaks() {
    let v = voice(&[]);
    let s = v
        .render(
            Private::new(
                "Good morning, this is the Lekki clinic. We open at eight on Monday. How may I help you today?".into(),
            ),
            SampleRate::Hz8000,
        )
        .await
        .unwrap();
    let spec =
        hound::WavSpec { channels: 1, sample_rate: 8000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut w = hound::WavWriter::create("/tmp/w/engines-scratch/first.wav", spec).unwrap();
    s.iter().for_each(|x| w.write_sample(*x).unwrap());
    w.finalize().unwrap();
}
