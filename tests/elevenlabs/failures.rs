//! Whatever the provider does, the utterance ends with an event that says what to
//! do, and what had come before is good sound.

use std::time::Duration;

use milu::speech::{Again, Awaited, Synthesizer, VoiceDeadlines, VoiceError};
use serde_json::json;

use crate::far::{Far, FarSocket, PATIENCE};
use crate::near::{Near, Utterance, Wanted, speak};
use crate::speech::{last, sound, tone};

/// Long enough for a loaded machine to do what it should, short enough to wait for.
const SOON: Duration = Duration::from_millis(600);

/// Of a call that does not wait long for this, and long for everything else.
fn hasty(waiting_for: Awaited) -> Wanted {
    let mut deadlines = VoiceDeadlines { connect: PATIENCE, first_sound: PATIENCE, next_sound: PATIENCE };
    match waiting_for {
        Awaited::Connection => deadlines.connect = SOON,
        Awaited::FirstSound => deadlines.first_sound = SOON,
        Awaited::NextSound => deadlines.next_sound = SOON,
    }
    Wanted { deadlines, ..Wanted::default() }
}

struct Call {
    near: Near,
    far: Far,
    socket: FarSocket,
    voice: Box<dyn milu::speech::Voice>,
    utterance: Utterance,
    context: String,
}

/// A call that has just sent its words.
async fn call(wanted: Wanted) -> Call {
    let mut far = Far::start().await;
    let near = Near::with(far.port, wanted);
    let voice = near.call();
    let mut socket = far.socket().await;
    let utterance = speak(&*voice, 0, "We are open.");
    let (context, _) = socket.begun().await;
    Call { near, far, socket, voice, utterance, context }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_handshake_says_whether_asking_again_is_of_use() {
    for (status, headers, again) in [
        ("401 Unauthorized", "", Again::OnceRepaired),
        ("402 Payment Required", "", Again::OnceRepaired),
        ("404 Not Found", "", Again::OnceRepaired),
        ("429 Too Many Requests", "retry-after: 7\r\n", Again::After(Duration::from_secs(7))),
        ("503 Service Unavailable", "", Again::Soon),
    ] {
        let mut far = Far::start().await;
        let voice = Near::open(far.port).call();
        far.asked().await.answer(status, headers, &[]).await;
        let utterance = speak(&*voice, 0, "We are open.");
        if again != Again::OnceRepaired {
            // Who was busy may be asked again by the next sentence.
            far.asked().await.answer(status, headers, &[]).await;
        }
        assert_eq!(utterance.error().await.again(), again, "{status}");
        assert!(far.is_left_alone(), "{status}: no other way is tried with the same account");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_socket_can_be_had_a_sentence_is_streamed_over_http() {
    let mut far = Far::start().await;
    let voice = Near::open(far.port).call();
    // What a proxy that knows no WebSockets says.
    far.asked().await.answer("426 Upgrade Required", "", &[]).await;
    let utterance = speak(&*voice, 0, "We are open.");
    far.asked().await.answer("426 Upgrade Required", "", &[]).await;
    let request = far.asked().await;
    assert!(request.target().starts_with("POST /v1/text-to-speech/Voice1/stream?"), "{}", request.target());
    assert!(request.has("output_format=ulaw_8000"));
    let body: serde_json::Value = serde_json::from_str(&request.body).expect("JSON");
    assert_eq!((&body["text"], &body["model_id"]), (&json!("We are open."), &json!("eleven_flash_v2_5")));
    assert_eq!(body["voice_settings"]["speed"], 0.9);
    let tone = tone(4000);
    request.answer("200 OK", "content-type: audio/basic\r\n", &[&tone[..1000], &tone[1000..]]).await;
    let came = utterance.all().await;
    assert_eq!((came.samples.len(), came.end), (4000, Ok(())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_ends_well_and_is_no_speech_of_the_words_is_a_failure() {
    for (headers, body) in [
        ("content-type: application/json\r\n", br#"{"detail":{"status":"something"}}"#.repeat(100)),
        ("content-type: audio/basic\r\n", br#"{"detail": "no sound"#.to_vec()),
        ("content-type: audio/basic\r\n", Vec::new()),
        ("content-type: audio/basic\r\n", tone(8000 * 60)),
    ] {
        let mut far = Far::start().await;
        let voice = Near::open(far.port).call();
        far.asked().await.answer("426 Upgrade Required", "", &[]).await;
        let utterance = speak(&*voice, 0, "We are open.");
        far.asked().await.answer("426 Upgrade Required", "", &[]).await;
        // Who has heard enough reads no further.
        let answer = far.asked().await;
        let answered = tokio::spawn(async move { answer.answer("200 OK", headers, &[&body]).await });
        let came = utterance.all().await;
        assert!(matches!(came.end, Err(VoiceError::Lost(_))), "{headers}: {:?}", came.end);
        assert!(came.samples.len() < 8000 * 30, "{} samples were played", came.samples.len());
        answered.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_breaks_before_any_sound_leaves_the_sentence_to_http_and_is_counted() {
    let Call { near, mut far, socket, utterance, .. } = call(Wanted::default()).await;
    drop(socket);
    let request = loop {
        // A fresh socket is opened for the call too.
        let asked = far.asked().await;
        if !asked.wants_socket() {
            break asked;
        }
    };
    request.answer("200 OK", "", &[&tone(800)]).await;
    assert_eq!(utterance.all().await.samples.len(), 800);
    assert_eq!((near.voice.rescued(), near.voice.disordered()), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_breaks_after_some_sound_fails_and_what_came_is_whole() {
    let Call { mut socket, mut utterance, context, .. } = call(Wanted::default()).await;
    socket.say(&sound(&context, &tone(4000))).await;
    let heard = utterance.sound().await;
    drop(socket);
    let came = utterance.all().await;
    assert!(matches!(came.end, Err(VoiceError::Lost(_))), "{:?}", came.end);
    let samples = [heard, came.samples].concat();
    assert_eq!(samples.len(), 4000);
    assert!(samples[3999].abs() < 200, "it is rounded off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_sends_more_sound_than_the_words_have_is_given_up() {
    let Call { mut socket, voice: _voice, utterance, context, .. } = call(Wanted::default()).await;
    // Half a minute for nine letters, and then an end as it should be.
    for _ in 0..6 {
        socket.say(&sound(&context, &tone(5 * 8000))).await;
    }
    socket.say(&last(&context)).await;
    let came = utterance.all().await;
    assert_eq!(came.end, Err(VoiceError::Lost("it sends more sound than the words have")));
    assert!(came.samples.len() < 8000 * 30, "{} samples were played", came.samples.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_says_nothing_is_given_up_in_time() {
    let Call { mut socket, utterance, context, .. } = call(hasty(Awaited::FirstSound)).await;
    let expected = VoiceError::Stalled { waiting_for: Awaited::FirstSound, within: SOON };
    assert_eq!(utterance.error().await, expected);
    // It holds few contexts at a time, and is told that this one is free.
    socket.expect_close(&context).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_stops_in_the_middle_is_given_up_in_time() {
    let Call { mut socket, utterance, context, .. } = call(hasty(Awaited::NextSound)).await;
    socket.say(&sound(&context, &tone(800))).await;
    let came = utterance.all().await;
    assert_eq!(came.end, Err(VoiceError::Stalled { waiting_for: Awaited::NextSound, within: SOON }));
    assert_eq!(came.samples.len(), 800);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_is_not_answered_is_given_up_in_time() {
    let mut far = Far::start().await;
    let voice = Near::with(far.port, hasty(Awaited::Connection)).call();
    let _unanswered = far.asked().await;
    let utterance = speak(&*voice, 0, "We are open.");
    assert!(matches!(utterance.error().await, VoiceError::Stalled { waiting_for: Awaited::Connection, .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_a_strange_context_are_counted_and_the_sentence_is_spoken() {
    let Call { near, mut socket, utterance, context, .. } = call(Wanted::default()).await;
    socket.say(&sound("u31", &tone(800))).await;
    socket.say(&last("u31")).await;
    socket.say(&sound(&context, &tone(4000))).await;
    socket.say(&last(&context)).await;
    let came = utterance.all().await;
    assert_eq!((came.samples.len(), came.end), (4000, Ok(())));
    assert_eq!((near.voice.rescued(), near.voice.disordered()), (0, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_of_a_strange_context_is_nobodys() {
    let Call { mut socket, utterance, .. } = call(hasty(Awaited::FirstSound)).await;
    socket.say(&sound("u31", &tone(800))).await;
    socket.say(&sound("'); --", &tone(800))).await;
    socket.say(&last("u31")).await;
    let came = utterance.all().await;
    assert!(came.samples.is_empty());
    assert!(matches!(came.end, Err(VoiceError::Stalled { .. })), "{:?}", came.end);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_that_is_no_base64_ends_its_utterance_alone() {
    let Call { mut socket, voice, mut utterance, context, .. } = call(Wanted::default()).await;
    socket.say(&sound(&context, &tone(800))).await;
    utterance.sound().await;
    socket.expect_close(&context).await;
    socket.say(&json!({"audio": "***", "contextId": context})).await;
    assert!(matches!(utterance.error().await, VoiceError::Lost(_)));
    let next = speak(&*voice, 1, "Yes.");
    let (other, _) = socket.begun().await;
    socket.say(&sound(&other, &tone(800))).await;
    socket.say(&last(&other)).await;
    assert_eq!(next.all().await.samples.len(), 800);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_no_json_ends_the_socket() {
    let Call { mut far, mut socket, mut utterance, context, .. } = call(Wanted::default()).await;
    socket.say(&sound(&context, &tone(800))).await;
    utterance.sound().await;
    socket.raw("<html>").await;
    assert!(matches!(utterance.error().await, VoiceError::Lost(_)));
    assert!(far.asked().await.wants_socket(), "the call gets a fresh one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_complaint_about_the_account_is_remembered_for_the_call() {
    let Call { mut far, mut socket, voice, utterance, .. } = call(Wanted::default()).await;
    socket.say(&json!({"message": "Out of credit.", "error": "quota_exceeded", "code": 1008})).await;
    assert!(matches!(utterance.error().await, VoiceError::NotServed(_)));
    assert!(matches!(speak(&*voice, 1, "Yes.").error().await, VoiceError::NotServed(_)));
    assert!(far.is_left_alone());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_by_policy_calls_for_another_voice_for_now() {
    let Call { socket, utterance, .. } = call(Wanted::default()).await;
    socket.close(1008).await;
    assert_eq!(utterance.error().await, VoiceError::Busy { retry_after: None });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_that_ends_before_its_words_do_is_a_failure() {
    let mut far = Far::start().await;
    let voice = Near::open(far.port).call();
    let mut socket = far.socket().await;
    let text = "This sentence is one of several that are each long enough to be a piece of their own in this answer. ";
    let mut utterance = speak(&*voice, 0, &text.repeat(15));
    let (context, _) = socket.begun().await;
    socket.say(&sound(&context, &tone(800))).await;
    utterance.sound().await;
    socket.say(&last(&context)).await;
    assert!(matches!(utterance.error().await, VoiceError::Lost(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_of_the_http_way_says_what_to_do() {
    let mut far = Far::start().await;
    let near = Near::with(
        far.port,
        Wanted {
            rows: vec![(milu::residency::DataClass::Knowledge, milu::residency::Verdict::Raw)],
            ..Wanted::default()
        },
    );
    for (status, headers, again) in [
        ("401 Unauthorized", "", Again::OnceRepaired),
        ("422 Unprocessable Entity", "", Again::OnceRepaired),
        ("429 Too Many Requests", "retry-after: 3\r\n", Again::After(Duration::from_secs(3))),
        ("500 Internal Server Error", "", Again::Soon),
    ] {
        let text = milu::terms::Private::new("We are open.".to_owned());
        let rendering = near.voice.render(&near.setting, &text, milu::media::SampleRate::Hz8000);
        let answering = async { far.asked().await.answer(status, headers, &[b"{}"]).await };
        let (rendered, ()) = tokio::join!(rendering, answering);
        assert_eq!(rendered.expect_err("it must fail").again(), again, "{status}");
    }
}
