//! What a call hears when all goes well, and when the caller interrupts.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use milu::conversation::{Played, WordEnd, heard_text};
use milu::media::{SampleRate, g711};
use serde_json::{Value, json};

use crate::far::Far;
use crate::near::{KEY, Near, Wanted, speak, speak_at};

/// A tone in mu-law, of so many samples, which begins loud at once.
pub fn tone(samples: usize) -> Vec<u8> {
    (0..samples).map(|n| g711::encode_mu_law((8000.0 * (n as f32 * 0.3).cos()) as i16)).collect()
}

pub fn sound(context: &str, octets: &[u8]) -> Value {
    json!({"audio": STANDARD.encode(octets), "contextId": context, "isFinal": null, "alignment": null})
}

/// Sound whose letters are spoken evenly in it.
fn spoken(context: &str, octets: &[u8], letters: &str) -> Value {
    let ms = octets.len() / 8 / letters.chars().count();
    let starts: Vec<usize> = (0..letters.chars().count()).map(|n| n * ms).collect();
    let mut message = sound(context, octets);
    message["alignment"] = json!({
        "chars": letters.chars().map(String::from).collect::<Vec<_>>(),
        "charStartTimesMs": starts,
        "charDurationsMs": vec![ms; starts.len()],
    });
    message
}

pub fn last(context: &str) -> Value {
    json!({"isFinal": true, "contextId": context})
}

/// Three pieces of a text that is bought piece by piece.
fn long_answer() -> String {
    "A consultation with the doctor costs five thousand naira, and lasts for about half an hour or longer. ".repeat(3)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_has_one_socket_open_before_it_speaks_and_a_context_for_each_utterance() {
    let mut far = Far::start().await;
    let near = Near::open(far.port);
    let voice = near.call();
    let mut socket = far.socket().await;
    assert!(socket.head.starts_with("GET /v1/text-to-speech/Voice1/multi-stream-input?"), "{}", socket.head);
    assert!(socket.head.to_lowercase().contains(&format!("xi-api-key: {KEY}\r\n")));
    for part in ["model_id=eleven_flash_v2_5", "output_format=ulaw_8000", "auto_mode=true", "sync_alignment=true"] {
        assert!(socket.has(part), "{part}: {}", socket.head);
    }
    let mut contexts = Vec::new();
    for id in 0..3 {
        let utterance = speak(&*voice, id, "We are open.");
        let (context, words) = socket.begun().await;
        assert_eq!(words, "We are open. ");
        socket.say(&sound(&context, &tone(2000))).await;
        socket.expect_close(&context).await;
        for _ in 0..3 {
            socket.say(&sound(&context, &tone(2000))).await;
        }
        socket.say(&last(&context)).await;
        let came = utterance.all().await;
        assert_eq!((came.samples.len(), came.end), (8000, Ok(())));
        contexts.push(context);
    }
    contexts.dedup();
    assert_eq!(contexts.len(), 3, "each utterance has its own context");
    assert!(far.is_left_alone(), "there is one socket for all");
    drop(voice);
    assert_eq!(socket.message().await, json!({"close_socket": true}));
    assert_eq!(socket.next().await, None, "the socket ends with its call");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_is_not_closed_before_its_last_words_sound_because_the_close_might_be_obeyed_first() {
    let mut far = Far::start().await;
    let near = Near::with(far.port, Wanted { keep_alive: Duration::from_millis(50), ..Wanted::default() });
    let voice = near.call();
    let mut socket = far.socket().await;
    let utterance = speak(&*voice, 0, "We are open.");
    let (context, _) = socket.begun().await;
    for _ in 0..3 {
        // Signs of life, and nothing between them.
        socket.pinged().await;
    }
    socket.say(&sound(&context, &tone(4000))).await;
    socket.expect_close(&context).await;
    socket.say(&last(&context)).await;
    assert_eq!(utterance.all().await.samples.len(), 4000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_in_any_pieces_has_no_click_and_the_level_of_a_telephone() {
    let mut far = Far::start().await;
    let near = Near::open(far.port);
    let voice = near.call();
    let mut socket = far.socket().await;
    let utterance = speak(&*voice, 0, "We are open.");
    let (context, _) = socket.begun().await;
    let mut octets = vec![0xFF; 4000];
    octets.extend(tone(16_000));
    for piece in octets.chunks(777) {
        socket.say(&sound(&context, piece)).await;
    }
    socket.say(&last(&context)).await;
    let samples = utterance.all().await.samples;
    assert_eq!(samples.len(), 16_000 + 96, "of the silence before it, 12 ms are left");
    // The tone itself begins with a step, after the 96 samples.
    let step = samples[97..].windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap_or(0);
    assert!(step < 4000, "a step of {step} clicks");
    assert!(samples[0].abs() < 100 && samples[samples.len() - 1].abs() < 100);
    assert!(samples.iter().all(|s| s.abs() < 21_000), "no peak above -4 dBFS");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_words_that_were_heard_are_known_from_the_providers_own_times() {
    let mut far = Far::start().await;
    let near = Near::open(far.port);
    let voice = near.call();
    let mut socket = far.socket().await;
    let text = "We are open now.";
    let utterance = speak(&*voice, 0, text);
    let (context, _) = socket.begun().await;
    // Half a second of silence, in which the first letter is said to begin; then the
    // letters of 100 ms each, in two messages that both count from zero.
    socket.say(&sound(&context, &[0xFF; 4000])).await;
    socket.say(&spoken(&context, &tone(800 * 7), "We are ")).await;
    socket.say(&spoken(&context, &tone(800 * 10), "open now. ")).await;
    socket.say(&last(&context)).await;
    let came = utterance.all().await;
    let ms = Duration::from_millis;
    // What was silent is left out, and the times with it: 12 ms remain.
    let expected = [(2, 212), (6, 612), (11, 1112), (16, 1612)];
    assert_eq!(came.ends, expected.map(|(text_end, at)| WordEnd { text_end, at: ms(at) }));
    let heard = |played| heard_text(text, &came.ends, Played { heard: ms(played), total: None });
    assert_eq!((heard(100), heard(700), heard(1200)), ("", "We are", "We are open"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_interrupts_ends_the_context_and_not_the_socket_and_the_rest_is_not_bought() {
    let mut far = Far::start().await;
    let near = Near::open(far.port);
    let voice = near.call();
    let mut socket = far.socket().await;
    let mut utterance = speak(&*voice, 0, &long_answer());
    let (context, words) = socket.begun().await;
    assert!(words.len() < 120, "one piece at a time: {words}");
    socket.say(&sound(&context, &tone(2000))).await;
    utterance.sound().await;
    utterance.speaking = None;
    // A pause may have asked for the second piece just before.
    let mut message = socket.message().await;
    while message["flush"] == true {
        message = socket.message().await;
    }
    assert_eq!(message, json!({"context_id": context, "close_context": true}));
    // What still comes of it is nobody's.
    socket.say(&sound(&context, &tone(2000))).await;
    let next = speak(&*voice, 1, "Yes?");
    let (other, _) = socket.begun().await;
    socket.say(&last(&context)).await;
    socket.say(&sound(&context, &tone(900))).await;
    socket.say(&sound(&other, &tone(800))).await;
    socket.say(&last(&other)).await;
    assert_eq!(next.all().await.samples.len(), 800);
    assert!(far.is_left_alone());
    assert!(near.bought() < long_answer().len() as u64, "{} letters were bought", near.bought());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_answer_is_bought_piece_by_piece_as_it_is_listened_to() {
    let mut far = Far::start().await;
    let near = Near::open(far.port);
    let voice = near.call();
    let mut socket = far.socket().await;
    let text = long_answer();
    let utterance = speak(&*voice, 0, &text);
    let listening = tokio::spawn(utterance.all());
    let (context, mut words) = socket.begun().await;
    let mut said = String::new();
    for n in 0..3 {
        if n > 0 {
            words = socket.words(&context).await;
        }
        // With its letters for the first two; the third piece is asked for after a pause.
        let octets = tone(8 * 8 * words.len());
        let message = if n == 0 { spoken(&context, &octets, &words) } else { sound(&context, &octets) };
        socket.say(&message).await;
        said.push_str(&words);
    }
    socket.expect_close(&context).await;
    socket.say(&last(&context)).await;
    assert_eq!(said.trim(), text.trim());
    let came = listening.await.expect("it ends");
    assert_eq!(came.end, Ok(()));
    assert_eq!(came.samples.len(), 8 * 8 * said.len());
    let letters = said.trim().len() as u64;
    assert!(near.bought().abs_diff(letters) <= 2, "{} of {letters}, but for spaces between pieces", near.bought());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_of_several_pieces_is_closed_when_its_last_one_sounds_and_not_one_before() {
    let mut far = Far::start().await;
    let near = Near::with(far.port, Wanted { keep_alive: Duration::from_millis(50), ..Wanted::default() });
    let voice = near.call();
    let mut socket = far.socket().await;
    let listening = tokio::spawn(speak(&*voice, 0, &long_answer()).all());
    let (context, mut words) = socket.begun().await;
    for n in 0..3 {
        if n > 0 {
            words = socket.words(&context).await;
        }
        if n == 2 {
            // What is left of the sound before, behind its letters, is not of these words.
            socket.say(&spoken(&context, &tone(800), ".")).await;
            socket.pinged().await;
        }
        socket.say(&spoken(&context, &tone(8 * 8 * words.len()), &words)).await;
    }
    socket.expect_close(&context).await;
    socket.say(&last(&context)).await;
    assert_eq!(listening.await.expect("it ends").end, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_letters_a_context_is_closed_after_sound_of_its_last_piece_and_a_pause() {
    let mut far = Far::start().await;
    let near = Near::with(far.port, Wanted { keep_alive: Duration::from_millis(50), ..Wanted::default() });
    let voice = near.call();
    let mut socket = far.socket().await;
    let listening = tokio::spawn(speak(&*voice, 0, &long_answer()).all());
    let (context, mut words) = socket.begun().await;
    for n in 0..3 {
        if n > 0 {
            words = socket.words(&context).await;
        }
        if n == 2 {
            // A busy provider takes longer for it than any pause within its sound.
            for _ in 0..12 {
                socket.pinged().await;
            }
        }
        socket.say(&sound(&context, &tone(8 * 8 * words.len()))).await;
    }
    socket.expect_close(&context).await;
    socket.say(&last(&context)).await;
    assert_eq!(listening.await.expect("it ends").end, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wide_line_gets_wide_sound_and_the_next_call_is_opened_for_it() {
    let mut far = Far::start().await;
    let near = Near::open(far.port);
    let voice = near.call();
    let narrow = far.socket().await;
    let utterance = speak_at(&*voice, 0, "We are open.", SampleRate::Hz16000);
    let mut wide = far.socket().await;
    assert!(narrow.has("output_format=ulaw_8000") && wide.has("output_format=pcm_16000"));
    let (context, _) = wide.begun().await;
    let octets: Vec<u8> = (0..4000).flat_map(|n| ((8000.0 * (n as f32 * 0.3).cos()) as i16).to_le_bytes()).collect();
    // Cut in the middle of a sample.
    wide.say(&sound(&context, &octets[..3333])).await;
    wide.say(&sound(&context, &octets[3333..])).await;
    wide.say(&last(&context)).await;
    assert_eq!(utterance.all().await.samples.len(), 4000);
    let _next = near.call();
    assert!(far.socket().await.has("output_format=pcm_16000"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_narrow_call_that_loses_its_socket_gets_a_narrow_one_though_a_wide_call_spoke_meanwhile() {
    let mut far = Far::start().await;
    let near = Near::open(far.port);
    let narrow = near.call();
    let mut socket = far.socket().await;
    let utterance = speak(&*narrow, 0, "We are open.");
    let (context, _) = socket.begun().await;
    socket.say(&sound(&context, &tone(4000))).await;
    socket.say(&last(&context)).await;
    assert_eq!(utterance.all().await.samples.len(), 4000);
    let wide = near.call();
    let _opened_ahead = far.socket().await;
    let _speaking = speak_at(&*wide, 1, "We are open.", SampleRate::Hz16000);
    assert!(far.socket().await.has("output_format=pcm_16000"));
    drop(socket);
    assert!(far.socket().await.has("output_format=ulaw_8000"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_utterance_that_nobody_listens_to_does_not_stop_the_others_nor_grow_without_end() {
    let mut far = Far::start().await;
    let near = Near::open(far.port);
    let voice = near.call();
    let mut socket = far.socket().await;
    let unheard = speak(&*voice, 0, "We are open.");
    let (first, _) = socket.begun().await;
    let heard = speak(&*voice, 1, "We are closed.");
    let (second, _) = socket.begun().await;
    // Four megabytes, eight minutes of sound, for three words.
    let octets = tone(40_000);
    for _ in 0..100 {
        socket.say(&sound(&first, &octets)).await;
    }
    socket.say(&sound(&second, &tone(800))).await;
    socket.say(&last(&second)).await;
    assert_eq!(heard.all().await.samples.len(), 800);
    let came = unheard.all().await;
    assert!(matches!(came.end, Err(milu::speech::VoiceError::Lost(_))), "{:?}", came.end);
    assert!(came.samples.len() < 3_000_000, "{} samples were kept", came.samples.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sixth_utterance_waits_until_the_provider_has_ended_another() {
    let mut far = Far::start().await;
    let near = Near::open(far.port);
    let voice = near.call();
    let mut socket = far.socket().await;
    let mut utterances = Vec::new();
    let mut contexts = Vec::new();
    for id in 0..5 {
        utterances.push(speak(&*voice, id, "Yes."));
        let (context, _) = socket.begun().await;
        contexts.push(context);
    }
    let sixth = speak(&*voice, 5, "Then no.");
    // The answer to this comes after the sixth has been taken in hand.
    socket.say(&sound(&contexts[0], &tone(800))).await;
    utterances[0].sound().await;
    socket.expect_close(&contexts[0]).await;
    socket.say(&last(&contexts[3])).await;
    let (context, words) = socket.begun().await;
    assert_eq!(words, "Then no. ");
    socket.say(&sound(&context, &tone(800))).await;
    socket.say(&last(&context)).await;
    assert_eq!(sixth.all().await.samples.len(), 800);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_socket_is_kept_alive() {
    let mut far = Far::start().await;
    let near = Near::with(far.port, Wanted { keep_alive: Duration::from_millis(50), ..Wanted::default() });
    let _voice = near.call();
    let mut socket = far.socket().await;
    for _ in 0..3 {
        socket.pinged().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_without_words_costs_nothing() {
    let mut far = Far::start().await;
    let near = Near::with(far.port, Wanted { keep_alive: Duration::from_millis(50), ..Wanted::default() });
    let voice = near.call();
    let mut socket = far.socket().await;
    let came = speak(&*voice, 0, " … ").all().await;
    assert_eq!((came.samples.len(), came.end), (0, Ok(())));
    // Nothing but signs of life was sent.
    socket.pinged().await;
}
