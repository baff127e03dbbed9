//! Voices that never begin, stop, break off or are mute: the sentence is said to its end, and once.

use std::sync::Arc;
use std::time::Duration;

use milu::call::WhyLeft;
use milu::conversation::WordEnd;
use milu::media::SampleRate;
use milu::ops::HealthState;
use milu::residency::CallGate;
use milu::speech::{SpeakRequest, Synthesizer, VoiceError, VoiceEvent};
use milu::terms::{Private, UtteranceId};
use tokio::sync::mpsc;

use crate::links::{gate, setting, told_of};
use crate::time::settle;
use crate::voice_puppet::{ANSWER, TwoVoices, all};

#[tokio::test]
async fn a_voice_that_never_begins_is_left_and_the_caller_hears_the_whole_sentence_from_the_next() {
    let voices = TwoVoices::new();
    let voice = voices.chain.open(&setting(&gate()));
    let (_speaking, mut slices) = voices.speak(voice.as_ref()).await;
    voices.time.pass(890).await;
    assert!(voices.own.texts().is_empty());
    voices.time.pass(10).await;
    assert_eq!(voices.own.texts(), [ANSWER]);
    assert!(voices.cloud.given.lock().unwrap()[0].cancelled.is_cancelled());
    voices.own.sounds(400, "own-voice").await;
    voices.own.is_done().await;
    let events = all(&mut slices);
    let [VoiceEvent::Left { failover, .. }, VoiceEvent::Sound { .. }, VoiceEvent::Done { .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((failover.why, failover.to.as_str()), (WhyLeft::FirstSoundDeadline, "own-voice"));
}

#[tokio::test]
async fn a_voice_that_breaks_off_is_followed_by_the_next_from_the_word_that_was_not_heard() {
    let voices = TwoVoices::new();
    let voice = voices.chain.open(&setting(&gate()));
    let (_speaking, mut slices) = voices.speak(voice.as_ref()).await;
    let ends: Vec<WordEnd> = [(2, 150), (7, 500), (10, 650), (16, 1000), (19, 1150)]
        .map(|(text_end, ms)| WordEnd { text_end, at: Duration::from_millis(ms) })
        .into();
    let told = ends.clone();
    voices.cloud.says(|utterance| VoiceEvent::Marks { utterance, ends }).await;
    voices.cloud.sounds(1000, "cloud-voice").await;
    voices.cloud.says(|utterance| VoiceEvent::Failed { utterance, error: VoiceError::Lost("closed") }).await;
    assert_eq!(voices.own.texts(), [&ANSWER[17..]], "no word twice and none lost");
    let mark = WordEnd { text_end: 2, at: Duration::from_millis(120) };
    voices.own.says(|utterance| VoiceEvent::Marks { utterance, ends: vec![mark] }).await;
    voices.own.sounds(500, "own-voice").await;
    voices.own.is_done().await;
    let events = all(&mut slices);
    let marks: Vec<&Vec<WordEnd>> =
        events.iter().filter_map(|e| if let VoiceEvent::Marks { ends, .. } = e { Some(ends) } else { None }).collect();
    let shifted = vec![WordEnd { text_end: 19, at: Duration::from_millis(1120) }];
    assert_eq!(marks, [&told, &shifted], "ends of words are those of the whole sentence");
    assert!(matches!(events.last(), Some(VoiceEvent::Done { utterance: UtteranceId(4) })));
}

#[tokio::test]
async fn a_voice_that_stops_is_left_only_when_the_caller_would_hear_the_hole() {
    let voices = TwoVoices::new();
    let voice = voices.chain.open(&setting(&gate()));
    let (_speaking, mut slices) = voices.speak(voice.as_ref()).await;
    voices.cloud.sounds(3200, "cloud-voice").await;
    voices.time.pass(2900).await;
    assert!(voices.own.texts().is_empty(), "there is still something to hear");
    voices.time.pass(100).await;
    let rest = voices.own.texts();
    assert_eq!(rest, ["and we close at six. On Sunday we are closed."], "a clause begins anew");
    let left = all(&mut slices)
        .into_iter()
        .find_map(|e| if let VoiceEvent::Left { failover, .. } = e { Some(failover) } else { None });
    assert_eq!(left.unwrap().why, WhyLeft::SoundGapDeadline);
}

#[tokio::test]
async fn a_sentence_that_is_dropped_is_dropped_everywhere() {
    let voices = TwoVoices::new();
    let voice = voices.chain.open(&setting(&gate()));
    let (speaking, mut slices) = voices.speak(voice.as_ref()).await;
    drop(speaking);
    settle().await;
    assert!(voices.cloud.given.lock().unwrap()[0].cancelled.is_cancelled());
    voices.time.pass(5000).await;
    assert!(voices.own.texts().is_empty() && slices.recv().await.is_none());
}

#[tokio::test]
async fn when_the_boxs_own_voice_fails_too_the_sentence_fails_once() {
    let voices = TwoVoices::new();
    let voice = voices.chain.open(&setting(&Arc::new(CallGate::closed())));
    let (_speaking, mut slices) = voices.speak(voice.as_ref()).await;
    assert!(voices.cloud.texts().is_empty());
    voices.own.says(|utterance| VoiceEvent::Failed { utterance, error: VoiceError::Overloaded }).await;
    let events = all(&mut slices);
    assert!(matches!(events[..], [VoiceEvent::Failed { error: VoiceError::Overloaded, .. }]), "{events:?}");
}

#[tokio::test]
async fn a_voice_that_takes_over_and_is_mute_as_well_is_a_sentence_that_failed() {
    let voices = TwoVoices::new();
    let voice = voices.chain.open(&setting(&gate()));
    let (_speaking, mut slices) = voices.speak(voice.as_ref()).await;
    voices.cloud.sounds(1000, "cloud-voice").await;
    voices.cloud.says(|utterance| VoiceEvent::Failed { utterance, error: VoiceError::Lost("closed") }).await;
    voices.own.is_done().await;
    let events = all(&mut slices);
    let last = events.last().unwrap();
    assert!(matches!(last, VoiceEvent::Failed { error: VoiceError::Engine(_), .. }), "{events:?}");
}

#[tokio::test]
async fn a_sentence_without_a_word_needs_no_sound_and_says_nothing_of_a_voice() {
    let voices = TwoVoices::new();
    let voice = voices.chain.open(&setting(&gate()));
    let (sound, mut slices) = mpsc::channel(16);
    let text = Private::new("...".to_owned());
    let request = SpeakRequest { utterance: UtteranceId(4), text, rate: SampleRate::Hz8000, pace: 1.0 };
    let _speaking = voice.speak(request, sound);
    settle().await;
    voices.cloud.is_done().await;
    let events = all(&mut slices);
    assert!(matches!(events[..], [VoiceEvent::Done { utterance: UtteranceId(4) }]), "{events:?}");
    let (state, sentence) = told_of(voices.chain.health(), "voice cloud-voice");
    assert!(state == HealthState::Well && sentence.contains("0 pieces of work done, 0 failed"), "{sentence}");
}
