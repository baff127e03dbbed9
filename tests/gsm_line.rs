//! Modems as lines, from the ring to the end: the line's driver and its machine on
//! one side, scripted modems on pseudo-terminals on the other, and a desk that the
//! test is.

mod gsm;
#[path = "modem/mod.rs"]
mod modem;

use std::time::Duration;

use gsm::{CALLER, FRAME, OTHER_CALLER, Served, Talk, World, correlation, found, in_time, number, profile_of, speech};
use milu::line::gsm::{Bond, GsmEvent, GsmLineConfig, ModemPlace, Socket, Wanted};
use milu::line::{LegCommand, LegEvent, LineState, MediaPort, Stay};
use milu::media::SampleRate;
use milu::signalling::modem::{ModemState, SoundFault, TextSender};
use milu::terms::{EndCause, Moment, Private};
use modem::{COMFORT_MAX, Family, Fault, Modem, ModemOptions, one_of};

#[tokio::test(flavor = "multi_thread")]
async fn every_family_with_sound_on_a_port_carries_calls_and_speech_both_ways() {
    let (question, answer) = (speech("question-whole.wav"), speech("answer-whole.wav"));
    for family in [Family::Quectel, Family::Sim7600, Family::Huawei] {
        let mut world = World::new();
        let (modem, mut line) = world.ready("front-desk", one_of(family)).await;
        assert_eq!((line.health)().state, LineState::Ready);
        for box_hangs_up in [false, true] {
            modem.ring(CALLER);
            let offer = line.offer().await;
            assert_eq!(offer.from, Some(number(CALLER)), "{family:?}");
            let mut talk = Talk::of(offer.leg, &mut world.tasks);
            talk.command(LegCommand::Answer).await;
            let rate = talk
                .event("the answer", |event| match event {
                    LegEvent::Answered { rate, .. } => Some(rate),
                    _ => None,
                })
                .await;
            assert_eq!(rate, SampleRate::Hz8000);
            modem.until("sound", |m| m.sounds().then_some(())).await;
            modem.forget_heard();
            modem.speak(&question);
            talk.say(&answer).await;
            let came = talk.until_heard(question.len() + FRAME).await;
            let part = found(&question, &came);
            assert!(part > 0.95, "{family:?}: {part} of the caller was heard");
            let there = modem
                .until("the answer at the far side", |m| Some(m.heard()).filter(|h| h.len() > answer.len() + 8 * FRAME))
                .await;
            let part = found(&answer, &there);
            assert!(part > 0.8, "{family:?}: {part} of the box was heard, {:?}", modem.sound());
            let piece = &answer[4000..6000];
            assert!(correlation(piece, &there[..12_000.min(there.len())]) > 0.95, "{family:?}");
            if box_hangs_up {
                talk.command(LegCommand::HangUp(EndCause::NormalClearing)).await;
            } else {
                modem.hang_up();
            }
            assert_eq!(talk.ended().await, EndCause::NormalClearing, "{family:?}");
            modem.until("no call", |m| m.calls().is_empty().then_some(())).await;
            line.until_state(ModemState::Ready).await;
        }
        line.stop.cancel();
        in_time("the line's end", world.tasks.join_next()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_refused_or_given_up_never_sounds() {
    let mut world = World::new();
    let last_cause = "No user responding".to_owned();
    let (modem, mut line) = world.ready("front-desk", ModemOptions { last_cause, ..one_of(Family::Quectel) }).await;
    modem.ring(CALLER);
    let offer = line.offer().await;
    let mut talk = Talk::of(offer.leg, &mut world.tasks);
    talk.command(LegCommand::Reject(EndCause::UserBusy)).await;
    talk.ended().await;
    modem.until("no call", |m| m.calls().is_empty().then_some(())).await;
    line.until_state(ModemState::Ready).await;
    assert_eq!(modem.count_written("AT+CEER"), 0, "why we refused is known");
    // The caller gives up, and the modem knows how it ended.
    modem.ring("");
    let offer = line.offer().await;
    assert_eq!(offer.from, None);
    let mut talk = Talk::of(offer.leg, &mut world.tasks);
    modem.hang_up();
    assert_eq!(talk.ended().await, EndCause::NoAnswer);
    assert_eq!(modem.count_written("AT+CEER"), 1);
    line.until_state(ModemState::Ready).await;
    // The desk forgets it.
    modem.ring(CALLER);
    drop(line.offer().await);
    modem.until("no call", |m| m.calls().is_empty().then_some(())).await;
    assert_eq!(modem.sound().frames_down, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_modem_that_vanishes_in_a_call_ends_that_call_alone_and_comes_back_elsewhere() {
    let mut world = World::new();
    let (gone, mut gone_line) = world.ready("first", one_of(Family::Quectel).numbered(0)).await;
    let (well, mut well_line) = world.ready("second", one_of(Family::Quectel).numbered(1)).await;
    gone.ring(CALLER);
    well.ring(OTHER_CALLER);
    let mut gone_talk = Talk::answered(&mut world, &mut gone_line).await;
    let mut well_talk = Talk::answered(&mut world, &mut well_line).await;
    let before = (gone.at_path(), gone.usb_path());
    gone.unplug();
    gone_talk.ended().await;
    gone_line.until_state(ModemState::Absent).await;
    assert_eq!((gone_line.health)().state, LineState::Down);
    // The other one talks on.
    let question = speech("question-cut.wav");
    let already = well_talk.heard().len();
    well.speak(&question);
    let came = well_talk.until_heard(already + question.len() + 4 * FRAME).await;
    assert!(found(&question, &came[already..]) > 0.95);
    // It comes back in another socket, under another name.
    gone.replug(Some("1-1.7"));
    gone_line.until_state(ModemState::Ready).await;
    assert_ne!(before, (gone.at_path(), gone.usb_path()));
    assert_eq!(gone_line.control.status().usb_path.as_deref(), Some("1-1.7"));
    gone.ring(CALLER);
    let mut again = Talk::answered(&mut world, &mut gone_line).await;
    gone.hang_up();
    again.ended().await;
    well.hang_up();
    well_talk.ended().await;
}

/// The `n`th modem, and a line that has the socket it is in.
fn in_its_socket(world: &mut World, n: u32) -> (Modem, Served) {
    let modem = world.rack.plug(one_of(Family::Quectel).numbered(n)).expect("pseudo-terminals");
    let mut config = world.config(&format!("line-{n}"), Family::Quectel);
    let usb_path = Some(modem.usb_path());
    config.place = ModemPlace::Usb(Wanted { usb_path, socket: Socket::This, ..Wanted::default() });
    (modem, world.serve(config))
}

/// The part of what the far side says now that is heard.
async fn heard_of_a_question(modem: &Modem, talk: &Talk) -> f64 {
    let question = speech("question-cut.wav");
    let already = talk.heard().len();
    modem.speak(&question);
    let came = talk.until_heard(already + question.len() + 4 * FRAME).await;
    found(&question, &came[already..])
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_spoilt_in_a_call_cost_no_other_line_a_word_and_their_own_is_ready_again() {
    let foreign = vec!["+CSQ: 20,99".to_owned(), "OK".to_owned()];
    let faults = [
        Fault::Flood { count: 2_000, row: "^RSSI:20".to_owned() },
        Fault::Stall { ms: 8_000 },
        Fault::Answer { rows: foreign },
        Fault::Garbage { bytes: 64 },
        Fault::LoseFinal { count: 1 },
        Fault::LoseAnswer { count: 1 },
        Fault::Delay { ms: 6_000, count: 1 },
        Fault::Echo { on: true },
    ];
    let mut world = World::new();
    let (well, mut well_line) = in_its_socket(&mut world, 0);
    // All at once: some of them take as long as a command may.
    let mut spoilt: Vec<(Modem, Served)> = (1..).zip(&faults).map(|(n, _)| in_its_socket(&mut world, n)).collect();
    well_line.until_state(ModemState::Ready).await;
    well.ring(OTHER_CALLER);
    let mut well_talk = Talk::answered(&mut world, &mut well_line).await;
    let mut talks = Vec::new();
    for (modem, line) in &mut spoilt {
        line.until_state(ModemState::Ready).await;
        modem.ring(CALLER);
        talks.push(Talk::answered(&mut world, line).await);
    }
    let words = speech("question-whole.wav");
    for ((modem, _), fault) in spoilt.iter().zip(&faults) {
        modem.speak(&words);
        modem.forget_written();
        modem.fault(fault.clone());
    }
    // Each has asked for its list, whose answer is the one that is spoilt.
    for (modem, _) in &spoilt {
        modem.until_written("AT+CLCC").await;
    }
    assert!(heard_of_a_question(&well, &well_talk).await > 0.95, "while the others' answers are spoilt");
    for (((modem, line), talk), fault) in spoilt.iter_mut().zip(&mut talks).zip(&faults) {
        assert!(heard_of_a_question(&well, &well_talk).await > 0.95, "before the end of {fault:?}");
        // One look at the list is spoilt; with the next one that is over.
        let is_over = |m: &Modem| (m.count_written("AT+CLCC") >= 2 || m.calls().is_empty()).then_some(());
        modem.until(&format!("the end of {fault:?}"), is_over).await;
        modem.hang_up();
        talk.ended().await;
        line.until_state(ModemState::Ready).await;
        modem.ring(CALLER);
        drop(line.offer().await);
    }
    assert!(heard_of_a_question(&well, &well_talk).await > 0.95, "after it");
    well.hang_up();
    assert_eq!(well_talk.ended().await, EndCause::NormalClearing);
}

#[tokio::test(flavor = "multi_thread")]
async fn modems_that_change_places_stay_with_their_lines() {
    let mut world = World::new();
    let options = [one_of(Family::Sim7600).numbered(0), one_of(Family::Sim7600).numbered(1)];
    let [first, second] = options.map(|options| world.rack.plug(options).expect("pseudo-terminals"));
    let imei = |n: u32| Some(Private::new(one_of(Family::Sim7600).numbered(n).imei));
    let mut lines = Vec::new();
    // Each is told its modem by IMEI, and in the other's order.
    for (id, n) in [("second", 1), ("first", 0)] {
        let mut config = world.config(id, Family::Sim7600);
        config.place = ModemPlace::Usb(Wanted { imei: imei(n), ..Wanted::default() });
        lines.push(world.serve(config));
    }
    for line in &mut lines {
        line.until_state(ModemState::Ready).await;
    }
    let places = [first.usb_path(), second.usb_path()];
    first.unplug();
    second.unplug();
    for line in &mut lines {
        line.until_state(ModemState::Absent).await;
    }
    first.replug(Some(&places[1]));
    second.replug(Some(&places[0]));
    for line in &mut lines {
        line.until_state(ModemState::Ready).await;
    }
    second.ring(CALLER);
    assert_eq!(lines[0].offer().await.line.as_str(), "second");
    first.ring(CALLER);
    assert_eq!(lines[1].offer().await.line.as_str(), "first");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_is_named_takes_whatever_is_in_it() {
    let mut world = World::new();
    let _other = world.rack.plug(one_of(Family::Quectel).numbered(0)).expect("pseudo-terminals");
    let mut config = world.config("door", Family::Quectel);
    config.place =
        ModemPlace::Usb(Wanted { usb_path: Some("1-1.9".to_owned()), socket: Socket::This, ..Wanted::default() });
    let mut line = world.serve(config);
    let modem = world.rack.plug_into("1-1.9", one_of(Family::Quectel).numbered(1)).expect("pseudo-terminals");
    line.until_state(ModemState::Ready).await;
    modem.ring(CALLER);
    line.offer().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_the_call_before_is_not_heard_in_the_next() {
    let mut world = World::new();
    let options = ModemOptions { stale: Duration::from_millis(300), ..one_of(Family::Huawei) };
    let (modem, mut line) = world.ready("front-desk", options).await;
    for _ in 0..2 {
        modem.ring(CALLER);
        let mut talk = Talk::answered(&mut world, &mut line).await;
        let heard = talk.until_heard(50 * FRAME).await;
        // The far side says nothing; what was left is a loud tone.
        assert!(heard.iter().all(|s| s.unsigned_abs() <= COMFORT_MAX), "something old was heard");
        modem.hang_up();
        talk.ended().await;
        line.until_state(ModemState::Ready).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_modem_that_says_hold_is_sent_nothing_and_no_word_is_lost() {
    let mut world = World::new();
    let (modem, mut line) = world.ready("front-desk", one_of(Family::Quectel)).await;
    modem.ring(CALLER);
    let mut talk = Talk::answered(&mut world, &mut line).await;
    let answer = speech("answer-whole.wav");
    modem.forget_heard();
    modem.fault(Fault::FlowStop { ms: 700 });
    talk.say(&answer).await;
    let there = modem.until("all of it", |m| Some(m.heard()).filter(|h| h.len() > answer.len() + 50 * FRAME)).await;
    assert!(found(&answer, &there) > 0.8, "{:?}", modem.sound());
    // What was under way when the row came; without heeding it, it would be 35 frames.
    let held = modem.sound().bytes_held / 320;
    assert!(held <= 12, "{held} frames were sent while the modem held");
    modem.hang_up();
    talk.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_once_by_row_and_by_tone_and_go_out() {
    let mut world = World::new();
    let (modem, mut line) = world.ready("front-desk", one_of(Family::Sim7600)).await;
    modem.ring(CALLER);
    let mut talk = Talk::answered(&mut world, &mut line).await;
    // 5 as both, then # as a tone alone, then 7 as a row alone.
    modem.speak(&key_tone(770.0, 1336.0));
    modem.press('5');
    modem.speak(&key_tone(941.0, 1477.0));
    let mut keys = String::new();
    while keys.len() < 2 {
        keys.push(talk.event("a key", |event| digit_of(&event)).await);
    }
    modem.press('7');
    keys.push(talk.event("a key", |event| digit_of(&event)).await);
    assert_eq!(keys, "5#7");
    for digit in "1*".chars() {
        talk.command(LegCommand::SendDigit(digit)).await;
    }
    modem.until("the digits", |m| (m.digits_sent() == "1*").then_some(())).await;
    modem.hang_up();
    talk.ended().await;
}

fn digit_of(event: &LegEvent) -> Option<char> {
    match event {
        LegEvent::Digit { digit, .. } => Some(*digit),
        _ => None,
    }
}

/// 100 ms of a key and 300 ms of silence.
fn key_tone(low: f64, high: f64) -> Vec<i16> {
    let tone = |n: usize, hz: f64| (std::f64::consts::TAU * hz * n as f64 / 8000.0).sin();
    let mut samples: Vec<i16> = (0..800).map(|n| (6000.0 * (tone(n, low) + tone(n, high))) as i16).collect();
    samples.extend([0; 2400]);
    samples
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_between_rows_and_split_writes_cost_a_call_nothing() {
    let mut world = World::new();
    let (modem, mut line) = world.ready("front-desk", one_of(Family::Quectel)).await;
    modem.fault(Fault::Split { gap_us: 0 });
    modem.fault(Fault::ExtraCr { on: true });
    modem.ring(CALLER);
    let offer = line.offer().await;
    assert_eq!(offer.from, Some(number(CALLER)));
    let mut talk = Talk::of(offer.leg, &mut world.tasks);
    modem.fault(Fault::Inject { at_byte: 0, row: "+QIND: \"csq\",27,99".to_owned() });
    talk.command(LegCommand::Answer).await;
    talk.event("the answer", |event| matches!(event, LegEvent::Answered { .. }).then_some(())).await;
    modem.fault(Fault::Flood { count: 400, row: "^RSSI:20".to_owned() });
    let question = speech("question-cut.wav");
    let already = talk.heard().len();
    modem.speak(&question);
    let came = talk.until_heard(already + question.len() + 4 * FRAME).await;
    assert!(found(&question, &came[already..]) > 0.95);
    modem.hang_up();
    assert_eq!(talk.ended().await, EndCause::NormalClearing);
    line.until_state(ModemState::Ready).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_go_out_come_in_and_are_forgotten_by_the_modem_when_they_are_kept() {
    let mut world = World::new();
    let (modem, mut line) = world.ready("front-desk", one_of(Family::Sim7600)).await;
    let words = "Mama Ngozi's Bakery, 12 Allen Avenue, Ikeja.";
    line.control.send_text(7, number(CALLER), Private::new(words.to_owned())).expect("served");
    let result = line
        .event("what became of the text", |event| match event {
            GsmEvent::TextSent { id: 7, result } => Some(result),
            _ => None,
        })
        .await;
    assert_eq!(result, Ok(()));
    let sent = modem.sent_texts();
    assert_eq!((sent[0].to.as_str(), sent[0].text.as_str()), (CALLER, words));
    modem.receive_text(OTHER_CALLER, "Una dey open on Sunday?");
    let (text, slots) = line
        .event("a text", |event| match event {
            GsmEvent::TextArrived { text, slots } => Some((text, slots)),
            _ => None,
        })
        .await;
    assert_eq!(text.from, TextSender::Number(number(OTHER_CALLER)));
    assert_eq!(text.text.expose(), "Una dey open on Sunday?");
    assert!(modem.stored_texts() > 0, "nothing is deleted before it is kept");
    line.control.text_kept(slots).expect("served");
    modem.until("an empty storage", |m| (m.stored_texts() == 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_opens_the_sim_once_and_a_missing_one_is_said() {
    let mut world = World::new();
    let options = ModemOptions { pin: Some("4711".to_owned()), ..one_of(Family::Quectel) };
    let modem = world.rack.plug(options.numbered(0)).expect("pseudo-terminals");
    let mut config = world.config("front-desk", Family::Quectel);
    config.settings.pin = Some(Private::new("4711".to_owned()));
    let mut line = world.serve(config);
    line.until_state(ModemState::Ready).await;
    assert_eq!(modem.count_written("AT+CPIN=\"4711\""), 1);
    let rows = line.control.support_rows().await.expect("served");
    assert!(rows.iter().all(|row| !row.text.contains("4711")), "the PIN stands in the support rows");
    line.stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_stops_hangs_up_and_lets_its_modem_go() {
    let mut world = World::new();
    let (modem, mut line) = world.ready("front-desk", one_of(Family::Quectel)).await;
    modem.ring(CALLER);
    let mut talk = Talk::answered(&mut world, &mut line).await;
    line.stop.cancel();
    talk.ended().await;
    modem.until("no call", |m| m.calls().is_empty().then_some(())).await;
    assert!(!line.control.status().is_served || line.control.status().calls <= 1);
    // Another line may have it.
    let mut next = world.serve(world.config("next", Family::Quectel));
    next.until_state(ModemState::Ready).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_modem_whose_clock_is_off_by_three_hundred_millionths_pulls_the_voice_by_its_own() {
    for ppm in [-300, 300] {
        let mut world = World::new();
        let (modem, mut line) = world.ready("front-desk", ModemOptions { ppm, ..one_of(Family::Quectel) }).await;
        modem.ring(CALLER);
        let mut talk = Talk::answered(&mut world, &mut line).await;
        let before = modem.sound();
        let answer = speech("answer-whole.wav");
        modem.forget_heard();
        talk.say(&answer).await;
        talk.say(&answer).await;
        let after = modem.sound();
        let (down, up) = (after.frames_down - before.frames_down, (after.bytes_up - before.bytes_up) / 320);
        // One goes up for one that comes down; what is under way differs.
        assert!(down.abs_diff(up) <= 24, "{ppm}: {down} down, {up} up");
        assert_eq!(after.bytes_refused, 0, "{ppm}");
        modem.hang_up();
        talk.ended().await;
        line.stop.cancel();
    }
}

/// A machine that stands still once, for so long.
struct StandsStill(Duration);

impl MediaPort for StandsStill {
    fn tick(&mut self, _now: Moment) -> Stay {
        std::thread::sleep(self.0);
        Stay::Leave
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_in_which_the_machine_stood_still_delays_nothing_that_is_said_after_it() {
    let mut world = World::new();
    // A modem that cannot say hold: it plays whatever it was given, however late.
    let (modem, mut line) = world.ready("front-desk", one_of(Family::Sim7600)).await;
    modem.ring(CALLER);
    let mut talk = Talk::answered(&mut world, &mut line).await;
    let already = talk.heard().len();
    talk.until_heard(already + 25 * FRAME).await;
    world.media_clock.join(Box::new(StandsStill(Duration::from_millis(400)))).expect("the clock runs");
    modem.until("all that it missed at once", |m| (m.sound().kept_ms >= 240).then_some(())).await;
    // Three frames are kept on purpose, and one is being played.
    modem.until("no more than it needs", |m| (m.sound().kept_ms <= 100).then_some(())).await;
    let answer = speech("answer-whole.wav");
    modem.forget_heard();
    talk.say(&answer).await;
    let there = modem.until("all of it", |m| Some(m.heard()).filter(|h| h.len() > answer.len() + 8 * FRAME)).await;
    assert!(found(&answer, &there) > 0.8, "{:?}", modem.sound());
    modem.hang_up();
    talk.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_that_stops_is_noticed_while_the_call_is_on() {
    let mut world = World::new();
    let (modem, mut line) = world.ready("front-desk", one_of(Family::Quectel)).await;
    modem.ring(CALLER);
    let mut talk = Talk::answered(&mut world, &mut line).await;
    let already = talk.heard().len();
    talk.until_heard(already + 50 * FRAME).await;
    for (fault, over, trouble) in [
        (Fault::Stutter { one_of: 1_000_000 }, Fault::Stutter { one_of: 1 }, SoundFault::Missing),
        (Fault::Stutter { one_of: 2 }, Fault::Stutter { one_of: 1 }, SoundFault::Stuttering),
        (Fault::Uplink { on: false }, Fault::Uplink { on: true }, SoundFault::NoUplink),
        (Fault::Mute { on: true }, Fault::Mute { on: false }, SoundFault::SilentDownlink),
    ] {
        modem.fault(fault);
        // What another fault leads to on its way is told as well.
        line.event("the trouble", |event| {
            matches!(event, GsmEvent::SoundTrouble(told) if told == trouble).then_some(())
        })
        .await;
        modem.fault(over);
        let already = talk.heard().len();
        talk.until_heard(already + 50 * FRAME).await;
    }
    modem.hang_up();
    assert_eq!(talk.ended().await, EndCause::NormalClearing);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_in_which_nothing_but_zeros_comes_has_its_sound_turned_on_and_opened_again() {
    let mut world = World::new();
    let (modem, mut line) = world.ready("front-desk", one_of(Family::Quectel)).await;
    modem.fault(Fault::Mute { on: true });
    modem.ring(CALLER);
    let mut talk = Talk::answered(&mut world, &mut line).await;
    let silent = |event| matches!(event, GsmEvent::SoundTrouble(SoundFault::SilentDownlink)).then_some(());
    let turned_on = modem.count_written("AT+QPCMV=1,0");
    line.event("the trouble", silent).await;
    modem.until("the row", |m| (m.count_written("AT+QPCMV=1,0") > turned_on).then_some(())).await;
    line.event("the trouble, still", silent).await;
    modem
        .until("the row, for the port anew", |m| (m.count_written("AT+QPCMV=1,0") > turned_on + 1).then_some(()))
        .await;
    // The caller speaks after all: nothing was lost, neither the call nor its sound.
    modem.fault(Fault::Mute { on: false });
    let question = speech("question-cut.wav");
    // What comes while the port is being opened is heard by nobody.
    let before = talk.heard().len();
    talk.until_heard(before + 25 * FRAME).await;
    let already = talk.heard().len();
    modem.speak(&question);
    let came = talk.until_heard(already + question.len() + 50 * FRAME).await;
    assert!(found(&question, &came[already..]) > 0.95);
    modem.hang_up();
    assert_eq!(talk.ended().await, EndCause::NormalClearing);
    line.until_state(ModemState::Ready).await;
    assert_eq!(modem.resets(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_modem_whose_usb_card_is_switched_off_has_its_first_call_by_the_port() {
    let question = speech("question-cut.wav");
    for takes_usb_sound in [false, true] {
        let mut world = World::new();
        let options = ModemOptions { takes_usb_sound, ..one_of(Family::Quectel) };
        let modem = world.rack.plug(options).expect("pseudo-terminals");
        let mut config = world.config("front-desk", Family::Quectel);
        // The family's own order has the card first.
        config.settings.sound = None;
        let mut line = world.serve(config);
        line.until_state(ModemState::Ready).await;
        for _ in 0..2 {
            modem.ring(CALLER);
            let mut talk = Talk::answered(&mut world, &mut line).await;
            let already = talk.heard().len();
            modem.speak(&question);
            let came = talk.until_heard(already + question.len() + 20 * FRAME).await;
            assert!(found(&question, &came[already..]) > 0.95, "{takes_usb_sound}");
            modem.hang_up();
            assert_eq!(talk.ended().await, EndCause::NormalClearing);
            line.until_state(ModemState::Ready).await;
            // What did not work is not tried again by the next call.
            let rows = line.control.support_rows().await.expect("served");
            let changes = rows.iter().filter(|row| row.text.contains("the sound goes by serial now")).count();
            assert_eq!(changes, 1, "{takes_usb_sound}: {rows:#?}");
        }
        assert_eq!(modem.resets(), 0);
        line.stop.cancel();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sim7600_that_goes_deaf_after_a_call_is_restarted_between_calls_and_hears_again() {
    let mut world = World::new();
    let options = ModemOptions { second_call_deaf: true, ..one_of(Family::Sim7600) };
    let (modem, mut line) = world.ready("front-desk", options).await;
    modem.ring(CALLER);
    let mut talk = Talk::answered(&mut world, &mut line).await;
    modem.hang_up();
    talk.ended().await;
    line.until_state(ModemState::Ready).await;
    // The second call has no sound: the sign.
    modem.ring(CALLER);
    let offer = line.offer().await;
    let mut talk = Talk::of(offer.leg, &mut world.tasks);
    talk.command(LegCommand::Answer).await;
    modem.until("an attempt at sound", |m| (m.count_written("AT+CPCMREG=1") >= 2).then_some(())).await;
    modem.hang_up();
    talk.ended().await;
    modem.until("a restart", |m| (m.resets() > 0).then_some(())).await;
    line.until_state(ModemState::Ready).await;
    modem.ring(CALLER);
    let mut talk = Talk::answered(&mut world, &mut line).await;
    let already = talk.heard().len();
    talk.until_heard(already + 25 * FRAME).await;
    modem.hang_up();
    talk.ended().await;
}

/// A line that takes modems of two families, wherever they are.
fn of_two_families(world: &World, id: &str, wanted: Wanted) -> GsmLineConfig {
    let mut config = world.config(id, Family::Quectel);
    config.profiles.push(profile_of(Family::Sim7600));
    config.place = ModemPlace::Usb(wanted);
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_whose_modems_of_two_families_changed_sockets_find_their_own() {
    let mut world = World::new();
    let options = [one_of(Family::Quectel).numbered(0), one_of(Family::Sim7600).numbered(1)];
    let known = options.clone().map(|options| Private::new(options.imei));
    let [first, second] = options.map(|options| world.rack.plug(options).expect("pseudo-terminals"));
    let was_in = [second.usb_path(), first.usb_path()];
    let mut lines = Vec::new();
    for ((id, imei), usb_path) in ["first", "second"].into_iter().zip(known).zip(was_in) {
        // Where its modem was, the other one is now.
        let wanted = Wanted { usb_path: Some(usb_path), imei: Some(imei), bond: Bond::Lasting, ..Wanted::default() };
        lines.push(world.serve(of_two_families(&world, id, wanted)));
    }
    for line in &mut lines {
        line.until_state(ModemState::Ready).await;
    }
    first.ring(CALLER);
    assert_eq!(lines[0].offer().await.line.as_str(), "first");
    second.ring(CALLER);
    assert_eq!(lines[1].offer().await.line.as_str(), "second");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_modem_may_be_replaced_where_its_socket_counts_or_where_it_is_the_only_one() {
    let mut world = World::new();
    let socket = Wanted { usb_path: Some("1-1.9".to_owned()), socket: Socket::This, ..Wanted::default() };
    for (round, wanted) in [socket, Wanted::default()].into_iter().enumerate() {
        let mut line = world.serve(of_two_families(&world, "door", wanted));
        // Another one of its family, and then one of another.
        let families = [Family::Quectel, Family::Quectel, Family::Sim7600];
        for (n, family) in (0..).zip(families) {
            let options = one_of(family).numbered(n);
            let imei = options.imei.clone();
            let modem = world.rack.plug_into("1-1.9", options).expect("pseudo-terminals");
            line.until_state(ModemState::Ready).await;
            let status = line.control.status().modem.expect("a modem");
            assert_eq!(status.imei.map(Private::into_exposed), Some(imei), "{round} {n}");
            modem.ring(CALLER);
            let mut talk = Talk::answered(&mut world, &mut line).await;
            modem.hang_up();
            talk.ended().await;
            modem.unplug();
            line.until_state(ModemState::Absent).await;
        }
        line.stop.cancel();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_modems_that_any_line_may_take_each_stays_with_its_line() {
    let mut world = World::new();
    let own = world.rack.plug_into("1-1.3", one_of(Family::Quectel).numbered(0)).expect("pseudo-terminals");
    let wanted = Wanted { bond: Bond::Lasting, ..Wanted::default() };
    let mut line = world.serve(of_two_families(&world, "first", wanted));
    line.until_state(ModemState::Ready).await;
    own.unplug();
    line.until_state(ModemState::Absent).await;
    // Another one, where the own was.
    let other = world.rack.plug_into("1-1.3", one_of(Family::Quectel).numbered(1)).expect("pseudo-terminals");
    in_time("a stranger is told", async {
        while !line.control.status().port_trouble.is_some_and(|said| said.contains("Another modem")) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(other.count_written("AT+CLIP=1"), 0, "it is not set up");
    own.replug(Some("1-1.4"));
    line.until_state(ModemState::Ready).await;
    own.ring(CALLER);
    line.offer().await;
}
