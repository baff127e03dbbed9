//! The servers that people run: `wyoming-piper` speaks a sentence, and
//! `wyoming-faster-whisper` writes down what it said.

use milu::media::SampleRate;
use milu::residency::DataClass;
use milu::terms::{Private, RequestId};

use crate::near::{Call, Near, PATIENCE, frames};
use crate::server::Server;

const SENTENCE: &str = "How much is a consultation with the doctor on Saturday?";
const WORDS: [&str; 4] = ["much", "consultation", "doctor", "saturday"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_real_server_says_a_real_server_hears() {
    let (piper, whisper) = (Server::piper(), Server::whisper());
    let near = Near::to(piper.port, &[DataClass::Reply]);
    let (samples, end) = near.spoken(&near.voice(PATIENCE), SENTENCE, SampleRate::Hz8000).await;
    assert_eq!(end, Ok(()));
    let seconds = samples.len() as f32 / 8000.0;
    assert!((1.5..8.0).contains(&seconds), "{seconds} s of sound");

    let near = Near::to(whisper.port, &[DataClass::CallAudio, DataClass::Knowledge]);
    let mut call = Call::open(&near.ears(PATIENCE), &near.setting);
    call.hears(&frames(&samples));
    call.hearing.decode(RequestId(1));
    let words = call.words(1).await;
    let missing: Vec<_> = WORDS.iter().filter(|word| !words.contains(**word)).collect();
    assert!(missing.len() <= 1, "{words} without {missing:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_server_speaks_several_sentences_and_renders_fixed_ones() {
    let piper = Server::piper();
    let near = Near::to(piper.port, &[DataClass::Reply, DataClass::Knowledge]);
    let voice = near.voice(PATIENCE);
    let (one, end) = near.spoken(&voice, "We are open.", SampleRate::Hz16000).await;
    assert_eq!(end, Ok(()));
    let (several, end) =
        near.spoken(&voice, "We are open. Please come by. We close at six.", SampleRate::Hz16000).await;
    assert_eq!(end, Ok(()));
    assert!(several.len() > 2 * one.len(), "{} and {} samples", one.len(), several.len());
    let rendered = voice.render(&near.setting, &Private::new("We are open.".to_owned()), SampleRate::Hz8000).await;
    let rendered = rendered.expect("it is rendered");
    assert!((0.3..2.0).contains(&(rendered.len() as f32 / (one.len() as f32 / 2.0))), "{} samples", rendered.len());
}
