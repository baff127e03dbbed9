//! Whatever a server does, each request ends with an answer that says what to do.

use std::time::Duration;

use milu::media::{Frame, SampleRate};
use milu::residency::DataClass;
use milu::speech::{Awaited, AwaitedWords, EarsError, EarsEvent, VoiceError, VoiceEvent};
use milu::terms::RequestId;
use serde_json::{Value, json};

use crate::far::Far;
use crate::near::{Call, Near, PATIENCE};

/// Short enough to wait for.
const SOON: Duration = Duration::from_millis(600);

const HEARD: &[DataClass] = &[DataClass::CallAudio, DataClass::Knowledge];
const SAID: &[DataClass] = &[DataClass::Reply];

fn layout() -> Value {
    json!({"rate": 22_050, "width": 2, "channels": 1})
}

/// Loud sound of a server's voice.
fn tone(samples: usize) -> Vec<u8> {
    (0..samples).flat_map(|n| ((8000.0 * (n as f32 * 0.3).cos()) as i16).to_le_bytes()).collect()
}

/// A turn in which somebody speaks, in frames.
fn voiced(frames: usize) -> Vec<Frame> {
    let samples: Vec<i16> = (0..320).map(|n| (3000.0 * (n as f32 * 0.2).sin()) as i16).collect();
    vec![Frame::from_samples(SampleRate::Hz16000, &samples); frames]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentence_is_asked_for_and_comes_at_the_lines_rate() {
    let far = Far::start().await;
    let near = Near::to(far.port, SAID);
    let voice = near.voice(PATIENCE);
    let serving = async {
        let mut server = far.connection().await;
        let wish = server.event("synthesize").await;
        assert_eq!(Value::Object(wish.data), json!({"text": "We are open."}));
        server.say("audio-start", layout(), &[]).await;
        for piece in tone(22_050).chunks(999) {
            server.say("audio-chunk", layout(), piece).await;
        }
        server.say("audio-stop", json!({"timestamp": null}), &[]).await;
        server
    };
    let ((samples, end), _server) = tokio::join!(near.spoken(&voice, "We are open.", SampleRate::Hz8000), serving);
    assert_eq!(end, Ok(()));
    assert!(samples.len().abs_diff(8000) < 100, "{} samples", samples.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_voices_that_misbehaves_is_given_up_with_a_reason() {
    let chunk = |data| async move { vec![("audio-start", layout(), Vec::new()), ("audio-chunk", data, tone(4000))] };
    let other = json!({"rate": 16_000, "width": 2, "channels": 1});
    for (n, (events, expected)) in [
        (vec![("error", json!({"text": "no", "code": "X"}), Vec::new())], "failed"),
        (vec![("audio-chunk", json!({}), tone(10))], "lost"),
        (vec![("audio-start", json!({"rate": 11_025, "width": 2, "channels": 1}), Vec::new())], "failed"),
        (vec![("audio-start", json!({"rate": 22_050, "width": 9, "channels": 1}), Vec::new())], "lost"),
        (chunk(other).await, "lost"),
        (chunk(layout()).await, "lost"),
        // A click of 10 ms, which is said to be all of it.
        (vec![("audio-chunk", layout(), tone(220)), ("audio-stop", json!({}), Vec::new())], "lost"),
    ]
    .into_iter()
    .enumerate()
    {
        let far = Far::start().await;
        let near = Near::to(far.port, SAID);
        let voice = near.voice(PATIENCE);
        let serving = async {
            let mut server = far.connection().await;
            server.event("synthesize").await;
            for (name, data, payload) in events {
                server.say(name, data, &payload).await;
            }
        };
        let ((_, end), ()) = tokio::join!(near.spoken(&voice, "We are open.", SampleRate::Hz8000), serving);
        let found = match end {
            Err(VoiceError::Lost(_)) => "lost",
            Err(VoiceError::Engine(_)) => "failed",
            other => panic!("{n}: {other:?}"),
        };
        assert_eq!(found, expected, "{n}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_sends_more_sound_than_the_words_have_is_given_up_before_it_stops() {
    let far = Far::start().await;
    let near = Near::to(far.port, SAID);
    let voice = near.voice(PATIENCE);
    let serving = async {
        let mut server = far.connection().await;
        server.event("synthesize").await;
        // Twenty seconds for nine letters.
        server.say("audio-chunk", layout(), &tone(20 * 22_050)).await;
    };
    let ((_, end), ()) = tokio::join!(near.spoken(&voice, "We are open.", SampleRate::Hz8000), serving);
    assert_eq!(end, Err(VoiceError::Lost("it sends more sound than the words have")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_no_events_and_a_silent_server_are_given_up() {
    let far = Far::start().await;
    let near = Near::to(far.port, SAID);
    let voice = near.voice(SOON);
    let serving = async {
        let mut server = far.connection().await;
        server.raw(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let mut silent = far.connection().await;
        silent.event("synthesize").await;
        silent.say("audio-start", layout(), &[]).await;
        (server, silent)
    };
    let speaking = async {
        let (_, wrong) = near.spoken(&voice, "We are open.", SampleRate::Hz8000).await;
        let (_, silent) = near.spoken(&voice, "We are open.", SampleRate::Hz8000).await;
        (wrong, silent)
    };
    let ((wrong, silent), _servers) = tokio::join!(speaking, serving);
    assert!(matches!(wrong, Err(VoiceError::Lost(_))), "{wrong:?}");
    assert_eq!(silent, Err(VoiceError::Stalled { waiting_for: Awaited::FirstSound, within: SOON }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_on_beginning_and_sends_no_sound_is_given_up_as_a_silent_one() {
    let far = Far::start().await;
    let near = Near::to(far.port, SAID);
    let voice = near.voice(SOON);
    let serving = async {
        let mut server = far.connection().await;
        server.event("synthesize").await;
        let mut often = tokio::time::interval(SOON / 10);
        loop {
            often.tick().await;
            server.say("audio-start", layout(), &[]).await;
            server.say("audio-chunk", layout(), &[]).await;
        }
    };
    let (_, end) = tokio::select! {
        spoken = near.spoken(&voice, "We are open.", SampleRate::Hz8000) => spoken,
        () = serving => unreachable!("it never ends"),
    };
    assert_eq!(end, Err(VoiceError::Stalled { waiting_for: Awaited::FirstSound, within: SOON }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentence_that_is_not_wanted_any_more_closes_its_connection() {
    let far = Far::start().await;
    let near = Near::to(far.port, SAID);
    let voice = near.voice(PATIENCE);
    let (speaking, mut events) = near.speak(&voice, "We are open.", SampleRate::Hz16000);
    let mut server = far.connection().await;
    server.event("synthesize").await;
    server.say("audio-chunk", layout(), &tone(8000)).await;
    assert!(matches!(events.recv().await, Some(VoiceEvent::Sound { .. })));
    drop(speaking);
    assert_eq!(server.next().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_go_does_not_go() {
    let far = Far::start().await;
    let near = Near::to(far.port, &[DataClass::Knowledge]);
    let (_, end) = near.spoken(&near.voice(PATIENCE), "We are open.", SampleRate::Hz8000).await;
    assert_eq!(end, Err(VoiceError::Kept));
    let ears = near.ears(PATIENCE);
    let mut call = Call::open(&ears, &near.setting);
    call.hears(&voiced(50));
    call.hearing.decode(RequestId(1));
    assert!(matches!(call.answer().await, EarsEvent::Failed { error: EarsError::Kept, request: RequestId(1) }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_is_sent_whole_when_its_words_are_wanted() {
    let far = Far::start().await;
    let near = Near::to(far.port, HEARD);
    let ears = near.ears(PATIENCE);
    let mut call = Call::open(&ears, &near.setting);
    call.hears(&voiced(60));
    call.hearing.decode(RequestId(1));
    let mut server = far.connection().await;
    let wish = server.event("transcribe").await;
    assert_eq!(Value::Object(wish.data), json!({"language": "en", "transcript_names": ["Adaeze"]}));
    assert_eq!(server.turn().await, (60 + 15) * 320, "the turn and its pre-roll");
    server.say("transcript", json!({"text": " Yes, please. "}), &[]).await;
    assert_eq!(call.words(1).await, "yes, please.");
    // The turn goes on: all of it goes again.
    call.goes_on(&voiced(40));
    call.hearing.decode(RequestId(2));
    let mut server = far.connection().await;
    server.event("transcribe").await;
    assert_eq!(server.turn().await, (100 + 15) * 320);
    server.say("transcript-chunk", json!({"text": "Yes, "}), &[]).await;
    server.say("transcript-chunk", json!({"text": "on Monday."}), &[]).await;
    server.say("transcript-stop", json!({}), &[]).await;
    assert_eq!(call.words(2).await, "yes, on monday.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_asked_for_the_voice_the_speaker_and_the_model_that_it_is_to_use() {
    let far = Far::start().await;
    let near = Near::to(far.port, &[DataClass::Reply, DataClass::CallAudio]);
    let voice = near.voice_of(PATIENCE, |config| {
        config.voice = Some("en_GB-alba-medium".to_owned());
        config.speaker = Some("3".to_owned());
    });
    let (_speaking, _events) = near.speak(&voice, "We are open.", SampleRate::Hz8000);
    let mut server = far.connection().await;
    let wish = server.event("synthesize").await;
    assert_eq!(wish.data["voice"], json!({"name": "en_GB-alba-medium", "speaker": "3"}));
    let mut call = Call::open(&near.ears_of(PATIENCE, Some("small.en")), &near.setting);
    call.hears(&voiced(50));
    call.hearing.decode(RequestId(1));
    let mut server = far.connection().await;
    assert_eq!(server.event("transcribe").await.data["name"], "small.en");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_ears_that_misbehaves_is_given_up_with_a_reason() {
    let far = Far::start().await;
    let near = Near::to(far.port, HEARD);
    let ears = near.ears(SOON);
    let mut call = Call::open(&ears, &near.setting);
    call.hears(&voiced(50));
    /// What a server says, and what is to be made of it.
    type Answer = (&'static [u8], fn(&EarsError) -> bool);
    let answers: [Answer; 4] = [
        (b"{\"type\":\"error\",\"data\":{\"text\":\"no\"}}\n", |e| matches!(e, EarsError::Engine(_))),
        (b"garbage\n", |e| matches!(e, EarsError::Lost(_))),
        (b"{\"type\":\"transcript\",\"payload_length\":999999999}\n", |e| matches!(e, EarsError::Lost(_))),
        (b"", |e| *e == EarsError::Stalled { waiting_for: AwaitedWords::Words, within: SOON }),
    ];
    for (n, (answer, is_expected)) in (0..).zip(answers) {
        call.hearing.decode(RequestId(n));
        let mut server = far.connection().await;
        server.event("transcribe").await;
        server.turn().await;
        server.raw(answer).await;
        match call.answer().await {
            EarsEvent::Failed { request, error } => {
                assert!(request == RequestId(n) && is_expected(&error), "{n}: {error}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_turn_closes_its_connection_and_has_no_words() {
    let far = Far::start().await;
    let near = Near::to(far.port, HEARD);
    let ears = near.ears(PATIENCE);
    let mut call = Call::open(&ears, &near.setting);
    call.hears(&voiced(50));
    call.hearing.decode(RequestId(1));
    let mut server = far.connection().await;
    server.event("transcribe").await;
    server.turn().await;
    call.hearing.abandon();
    assert_eq!(server.next().await, None);
    assert!(call.is_silent());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_is_not_sent_and_has_no_words() {
    let far = Far::start().await;
    let near = Near::to(far.port, HEARD);
    let ears = near.ears(PATIENCE);
    let mut call = Call::open(&ears, &near.setting);
    call.hears(&vec![Frame::silence(SampleRate::Hz16000); 50]);
    call.hearing.decode(RequestId(1));
    let EarsEvent::Heard(heard) = call.answer().await else { panic!("not heard") };
    let (words, engine) = (heard.words.expose().as_str(), heard.engine);
    assert_eq!((heard.request, words, engine), (RequestId(1), "", "silence-onbox"), "the server has no part in it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_are_not_judged_and_their_words_come_all_the_same() {
    let far = Far::start().await;
    let near = Near::to(far.port, HEARD);
    let mut call = Call::open(&near.ears(PATIENCE), &near.setting);
    call.hears(&voiced(50));
    call.hearing.judge(RequestId(2));
    call.hearing.decode(RequestId(3));
    let mut server = far.connection().await;
    server.event("transcribe").await;
    server.turn().await;
    server.say("transcript", json!({"text": "Yes."}), &[]).await;
    assert_eq!(call.words(3).await, "yes.", "the judgement is not answered, the words are");
}
