//! A sound card as a telephone line, with the real sound library over a card of pipes:
//! calls with speech both ways, a plug that is pulled, a key, a voice, an echo, and the
//! technician's loudspeaker. Needs `/usr/share/alsa` and python3.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "what tests share stands outside of them")]
#![allow(clippy::disallowed_methods, reason = "the tests' own tasks and threads end with their process")]

#[path = "audio/card.rs"]
#[allow(dead_code, reason = "a modem's line needs a card that takes nothing")]
mod card;
#[path = "audio/desk.rs"]
mod desk;

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use card::{Card, NAME, Room, with_card};
use desk::{Desk, PATIENCE, RATE, config, end_of, energy_db, exchange, likeness, next_frame, samples_of, sentence};
use milu::line::audio::{AudioLineConfig, CallStart, EchoPath, KeyEvent, KeyUse, MonitorConfig, MonitorSpeaker};
use milu::line::sound_card::{CardName, CardState};
use milu::line::{FrameOrigin, LegCommand, LineState};
use milu::media::{Frame, SampleRate};
use milu::ops::SystemClock;
use milu::terms::EndCause;

const BELL: CallStart = CallStart::Key(KeyUse::Toggle);

async fn ready(desk: &Desk) {
    desk.until(|health| health.state == LineState::Ready).await;
}

/// Speech both ways through a card of `hz`; how alike each side came to what was said.
async fn call_both_ways(dir: &Path, config: AudioLineConfig, hz: usize, upsample: usize) -> (f64, f64) {
    let card = Card::plug_in(dir, hz, Room::Handset);
    let mut desk = Desk::serve(config);
    ready(&desk).await;
    desk.presser.press(KeyEvent::Pressed).unwrap();
    let mut leg = desk.answer().await;
    let (question, answer) = (sentence("question-whole"), sentence("answer-whole"));
    // Each sample several times is sound at the card's rate, with an edge that the box filters.
    card.say(&question.iter().flat_map(|s| std::iter::repeat_n(*s, upsample)).collect::<Vec<_>>());
    let heard = exchange(&mut leg, &answer, question.len() / 320 + 50).await;
    assert!(heard.iter().all(|frame| frame.origin == FrameOrigin::Received));
    assert!(heard.windows(2).all(|pair| pair[0].at < pair[1].at), "moments go on");
    let span = heard.last().unwrap().at.since(heard[0].at).as_millis();
    let expected = (heard.len() as u128 - 1) * 20;
    assert!(span.abs_diff(expected) < 400, "{expected} ms of sound within {span} ms");
    leg.commands.send(LegCommand::HangUp(EndCause::NormalClearing)).await.unwrap();
    assert_eq!(end_of(&mut leg).await, EndCause::NormalClearing);
    let played: Vec<i16> = card.played().into_iter().step_by(upsample).collect();
    desk.close().await;
    (likeness(&question, &samples_of(&heard)), likeness(&answer, &played))
}

#[test]
fn a_call_carries_speech_both_ways_through_a_sound_card() {
    with_card("a_call_carries_speech_both_ways_through_a_sound_card", 16_000, |dir| async move {
        let (heard, played) = call_both_ways(&dir, config(BELL), 16_000, 1).await;
        println!("at the card's own rate: {heard:.4} heard, {played:.4} played");
        assert!(heard > 0.99 && played > 0.99, "{heard:.3} heard, {played:.3} played");
    });
}

#[test]
fn a_card_of_48_kilohertz_carries_a_call_too() {
    with_card("a_card_of_48_kilohertz_carries_a_call_too", 48_000, |dir| async move {
        let config = AudioLineConfig { card_hz: Some(48_000), ..config(BELL) };
        let (heard, played) = call_both_ways(&dir, config, 48_000, 3).await;
        println!("over 48 kHz: {heard:.4} heard, {played:.4} played");
        assert!(heard > 0.95 && played > 0.95, "{heard:.3} heard, {played:.3} played");
    });
}

#[test]
fn a_plug_that_is_pulled_ends_the_call_once_and_the_line_comes_back_by_itself() {
    with_card("a_plug_that_is_pulled_ends_the_call_once_and_the_line_comes_back_by_itself", 16_000, |dir| async move {
        let card = Card::plug_in(&dir, 16_000, Room::Handset);
        let mut desk = Desk::serve(config(BELL));
        ready(&desk).await;
        desk.presser.press(KeyEvent::Pressed).unwrap();
        let mut leg = desk.answer().await;
        exchange(&mut leg, &[], 25).await;
        card.pull_out();
        assert_eq!(end_of(&mut leg).await, EndCause::TemporaryFailure);
        let health = desk.until(|health| health.state == LineState::Degraded).await;
        assert!(health.trouble.as_deref().is_some_and(|said| said.starts_with("The sound card alsa:card0 ")));
        assert_eq!(health.calls, 0);
        let absent = |said: &str| said.contains("is not plugged in");
        desk.until(|health| health.trouble.as_deref().is_some_and(absent)).await;
        // A press now is no call.
        desk.presser.press(KeyEvent::Pressed).unwrap();

        let card = Card::plug_in(&dir, 16_000, Room::Handset);
        ready(&desk).await;
        assert!(desk.offers.try_recv().is_err(), "what was pressed without a card is forgotten");
        desk.presser.press(KeyEvent::Pressed).unwrap();
        let mut leg = desk.answer().await;
        let question = sentence("question-whole");
        card.say(&question);
        let heard = exchange(&mut leg, &[], question.len() / 320 + 50).await;
        let alike = likeness(&question, &samples_of(&heard));
        assert!(alike > 0.99, "{alike:.3} after the card came back");
        desk.close().await;
        assert_eq!(end_of(&mut leg).await, EndCause::NormalClearing);
    });
}

#[test]
fn a_card_that_stops_ends_the_call_within_three_seconds_and_comes_back() {
    with_card("a_card_that_stops_ends_the_call_within_three_seconds_and_comes_back", 16_000, |dir| async move {
        let card = Card::plug_in(&dir, 16_000, Room::Handset);
        let mut desk = Desk::serve(config(BELL));
        ready(&desk).await;
        desk.presser.press(KeyEvent::Pressed).unwrap();
        let mut leg = desk.answer().await;
        exchange(&mut leg, &[], 25).await;
        let clock = SystemClock::new();
        let stopped = clock.now();
        card.stop_crystal();
        assert_eq!(end_of(&mut leg).await, EndCause::TemporaryFailure);
        let noticed = clock.now().since(stopped);
        println!("noticed after {} ms", noticed.as_millis());
        assert!(noticed < Duration::from_secs(3), "{noticed:?}");
        let health = (desk.health)();
        assert_eq!(health.state, LineState::Degraded);
        let said = health.trouble.unwrap_or_default();
        assert!(said.contains("gives and takes no sound any more"), "{said}");
        card.start_crystal();
        ready(&desk).await;
        desk.presser.press(KeyEvent::Pressed).unwrap();
        let mut leg = desk.answer().await;
        exchange(&mut leg, &[], 25).await;
        desk.close().await;
    });
}

/// One event of the kernel's: the time, then type 1 (a key), its code, and its value.
fn key_event(code: u16, value: i32) -> Vec<u8> {
    let mut bytes = vec![0; 2 * size_of::<usize>()];
    bytes.extend(1_u16.to_ne_bytes());
    bytes.extend(code.to_ne_bytes());
    bytes.extend(value.to_ne_bytes());
    bytes
}

#[test]
fn who_holds_the_key_is_heard_and_who_lets_go_is_not() {
    with_card("who_holds_the_key_is_heard_and_who_lets_go_is_not", 16_000, |dir| async move {
        let path = dir.join("event0");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let mut device = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let card = Card::plug_in(&dir, 16_000, Room::Handset);
        let start = CallStart::Key(KeyUse::HoldToTalk);
        let mut desk = Desk::serve(AudioLineConfig { key: Some((path, Some(28))), ..config(start) });
        ready(&desk).await;
        // A call that nobody takes, whose key was let go meanwhile, leaves nothing behind.
        device.write_all(&key_event(28, 1)).unwrap();
        let mut refused = desk.offered().await.leg;
        device.write_all(&key_event(28, 0)).unwrap();
        desk.until(|health| health.calls == 1).await;
        refused.commands.send(LegCommand::Reject(EndCause::UserBusy)).await.unwrap();
        assert_eq!(end_of(&mut refused).await, EndCause::UserBusy);
        device.write_all(&key_event(30, 1)).unwrap();
        device.write_all(&key_event(28, 1)).unwrap();
        let mut leg = desk.answer().await;
        let (question, answer) = (sentence("question-whole"), sentence("answer-whole"));
        card.say(&question);
        let held = exchange(&mut leg, &[], question.len() / 320 + 20).await;
        assert!(likeness(&question, &samples_of(&held)) > 0.99);
        device.write_all(&key_event(28, 0)).unwrap();
        while next_frame(&mut leg).await.origin != FrameOrigin::Silent {}
        card.say(&answer);
        let let_go = exchange(&mut leg, &[], answer.len() / 320).await;
        assert!(let_go.iter().all(|frame| frame.origin == FrameOrigin::Silent));
        assert!(samples_of(&let_go).iter().all(|sample| *sample == 0), "nothing is heard of who let go");
        assert!(desk.offers.try_recv().is_err(), "one call");
        drop(leg);
        desk.until(|health| health.calls == 0).await;
        desk.close().await;
    });
}

#[test]
fn a_voice_at_the_door_starts_a_call_and_silence_ends_it() {
    with_card("a_voice_at_the_door_starts_a_call_and_silence_ends_it", 16_000, |dir| async move {
        let card = Card::plug_in(&dir, 16_000, Room::Handset);
        let quiet_end = Duration::from_secs(3);
        let mut desk = Desk::serve(AudioLineConfig { quiet_end, ..config(CallStart::Voice) });
        ready(&desk).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(desk.offers.try_recv().is_err(), "silence calls nobody");
        card.say(&sentence("question-whole"));
        let mut leg = desk.answer().await;
        let answer = sentence("answer-whole");
        let heard = exchange(&mut leg, &answer, 0).await;
        let began = heard[0].at;
        let mut last = began;
        while let Ok(Some(frame)) = tokio::time::timeout(PATIENCE, leg.ears.recv()).await {
            last = frame.at;
        }
        assert_eq!(end_of(&mut leg).await, EndCause::NormalClearing);
        let spoken = Duration::from_millis(answer.len() as u64 / 16);
        assert!(last.since(began) > spoken, "the box's own speech is no silence");
        desk.close().await;
    });
}

#[test]
fn the_boxs_own_voice_does_not_come_back_from_a_room() {
    with_card("the_boxs_own_voice_does_not_come_back_from_a_room", 16_000, |dir| async move {
        let card = Card::plug_in(&dir, 16_000, Room::Echo(0.3));
        let mut desk = Desk::serve(AudioLineConfig { echo: EchoPath::Room, ..config(BELL) });
        ready(&desk).await;
        desk.presser.press(KeyEvent::Pressed).unwrap();
        let mut leg = desk.answer().await;
        let speech = ["answer-whole", "question-whole", "thought-cut", "answer-whole"].map(sentence).concat();
        let heard = samples_of(&exchange(&mut leg, &speech, 0).await);
        let echo = card.air.heard.lock().unwrap().clone();
        // The second half: the room is known by then.
        let half = |samples: &[i16]| energy_db(&samples[samples.len() - speech.len() / 2..]);
        let loss = half(&echo) - half(&heard);
        println!("echo return loss enhancement through the whole line: {loss:.1} dB");
        assert!(half(&echo) > 40.0, "there was an echo: {:.1} dB", half(&echo));
        assert!(loss > 20.0, "{loss:.1} dB");
        desk.close().await;
    });
}

#[test]
fn a_technician_hears_both_sides_of_a_call() {
    with_card("a_technician_hears_both_sides_of_a_call", 16_000, |dir| async move {
        let card = Card::plug_in(&dir, 16_000, Room::Handset);
        let clock = SystemClock::new();
        let media_clock = milu::line::MediaClock::start(clock.as_fn()).unwrap();
        let config = MonitorConfig { card: CardName::parse(NAME).unwrap(), card_hz: Some(16_000) };
        let speaker = MonitorSpeaker::open(config, clock.as_fn(), &media_clock).unwrap();
        let mut view = speaker.view();
        let open = view.wait_for(|view| matches!(view.state, CardState::Open { .. }));
        tokio::time::timeout(PATIENCE, open).await.unwrap().unwrap();
        let (tap, ear) = speaker.listen().unwrap();
        let (caller, spoken) = (sentence("question-whole"), sentence("answer-whole"));
        let mut due = clock.now();
        let sides =
            [&caller, &spoken].map(|side| side.chunks(320).map(|c| Frame::from_samples(RATE, c)).collect::<Vec<_>>());
        // One after the other, as people speak.
        for (n, frame) in sides.iter().flatten().enumerate() {
            if n < sides[0].len() {
                tap.caller(frame);
            } else {
                tap.spoken(frame);
            }
            due = due + Duration::from_millis(20);
            clock.sleep_until(due).await;
        }
        // A call in a burst is played as far as there is room, and waits for nothing.
        for _ in 0..1_000 {
            tap.caller(&Frame::silence(SampleRate::Hz8000));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        let played = card.played();
        let (a, b) = (likeness(&caller, &played), likeness(&spoken, &played));
        println!("the technician hears {a:.3} of the caller and {b:.3} of the box");
        assert!(a > 0.9 && b > 0.9, "{a:.3} and {b:.3}");
        assert!(speaker.dropped() >= 900);
        // Whoever listened has gone: nothing of the call is played from there on.
        drop(ear);
        tokio::time::sleep(Duration::from_millis(500)).await;
        let before = card.played().len();
        caller.chunks(320).take(50).for_each(|chunk| tap.caller(&Frame::from_samples(RATE, chunk)));
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(!tap.is_heard() && card.played()[before..].iter().all(|sample| *sample == 0));
    });
}
