//! What may go to the provider, and what it is told of how to treat it.

use std::time::Duration;

use milu::media::SampleRate;
use milu::residency::{CallerWish, DataClass, Safeguards, Verdict};
use milu::speech::{VoiceDeadlines, VoiceError};
use milu::terms::Private;

use crate::far::Far;
use crate::near::{Near, Wanted, speak};
use crate::speech::{last, sound, tone};

fn zero_retention() -> Safeguards {
    Safeguards { zero_retention: true, ..Safeguards::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_policy_keeps_replies_nothing_is_even_connected() {
    let mut far = Far::start().await;
    let near = Near::with(far.port, Wanted { rows: vec![(DataClass::Knowledge, Verdict::Raw)], ..Wanted::default() });
    let voice = near.call();
    assert_eq!(speak(&*voice, 0, "We are open.").error().await, VoiceError::Kept);
    assert!(far.is_left_alone());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wish_of_the_caller_holds_from_the_next_sentence_on() {
    let mut far = Far::start().await;
    let near = Near::open(far.port);
    let voice = near.call();
    let mut socket = far.socket().await;
    near.setting.gate.wish(CallerWish::Restricts);
    assert_eq!(speak(&*voice, 0, "We are open.").error().await, VoiceError::Kept);
    drop(voice);
    assert_eq!(socket.message().await["close_socket"], true, "nothing was said on it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentence_with_an_identifier_is_left_to_another_voice_where_only_those_without_may_go() {
    let mut far = Far::start().await;
    let near = Near::with(far.port, Wanted { rows: vec![(DataClass::Reply, Verdict::Redacted)], ..Wanted::default() });
    let voice = near.call();
    let mut socket = far.socket().await;
    assert_eq!(speak(&*voice, 0, "Thank you, Adaeze.").error().await, VoiceError::Kept);
    let utterance = speak(&*voice, 1, "Thank you.");
    let (context, words) = socket.begun().await;
    assert_eq!(words, "Thank you. ");
    socket.say(&sound(&context, &tone(800))).await;
    socket.say(&last(&context)).await;
    assert_eq!(utterance.all().await.end, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identifier_at_the_end_keeps_the_whole_answer() {
    let mut far = Far::start().await;
    let near = Near::with(far.port, Wanted { rows: vec![(DataClass::Reply, Verdict::Redacted)], ..Wanted::default() });
    let voice = near.call();
    let mut socket = far.socket().await;
    let long = "This sentence is one of several that are each long enough to be a piece of their own in this answer. ";
    let text = format!("{long}{long}Thank you, Adaeze.");
    assert_eq!(speak(&*voice, 0, &text).error().await, VoiceError::Kept);
    drop(voice);
    assert_eq!(socket.message().await["close_socket"], true, "no piece of it was sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zero_retention_is_told_on_either_way_when_the_policy_asks_for_it() {
    let mut far = Far::start().await;
    let rows = vec![(DataClass::Reply, Verdict::Raw), (DataClass::Knowledge, Verdict::Raw)];
    let near = Near::with(far.port, Wanted { rows, safeguards: zero_retention(), ..Wanted::default() });
    let _voice = near.call();
    // Held: a call whose socket is closed opens another.
    let socket = far.socket().await;
    assert!(socket.has("enable_logging=false"));
    let text = Private::new("We are open.".to_owned());
    let answering = async {
        let request = far.asked().await;
        assert!(request.has("enable_logging=false") && request.has("output_format=pcm_8000"), "{}", request.target());
        request.answer("200 OK", "", &[&[0, 64, 0, 192, 0, 64]]).await;
    };
    let (rendered, ()) = tokio::join!(near.voice.render(&near.setting, &text, SampleRate::Hz8000), answering);
    assert_eq!(rendered.expect("sound").len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentence_that_nobody_waits_for_is_given_more_time_than_a_caller_would_give_it() {
    let mut far = Far::start().await;
    let rows = vec![(DataClass::Knowledge, Verdict::Raw)];
    // Everything would be too late.
    let none = Duration::ZERO;
    let deadlines = VoiceDeadlines { connect: none, first_sound: none, next_sound: none };
    let near = Near::with(far.port, Wanted { rows, deadlines, ..Wanted::default() });
    let text = Private::new("We are open.".to_owned());
    let answering = async { far.asked().await.answer("200 OK", "", &[&[0, 64, 0, 192, 0, 64]]).await };
    let (rendered, ()) = tokio::join!(near.voice.render(&near.setting, &text, SampleRate::Hz8000), answering);
    assert_eq!(rendered.expect("sound").len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_safeguard_that_no_request_can_tell_keeps_everything_here() {
    let mut far = Far::start().await;
    let safeguards = Safeguards { training_opt_out: true, ..zero_retention() };
    let near = Near::with(far.port, Wanted { safeguards, ..Wanted::default() });
    let voice = near.call();
    assert_eq!(speak(&*voice, 0, "We are open.").error().await, VoiceError::Kept);
    assert!(far.is_left_alone());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fixed_sentences_go_where_the_business_own_words_may_go() {
    let mut far = Far::start().await;
    let near = Near::open(far.port);
    let text = Private::new("We are open.".to_owned());
    let rendered = near.voice.render(&near.setting, &text, SampleRate::Hz16000).await;
    assert_eq!(rendered.expect_err("replies may go, knowledge may not"), VoiceError::Kept);
    assert!(far.is_left_alone());
}
