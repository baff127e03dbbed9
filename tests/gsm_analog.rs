//! A modem whose sound goes by wires to a card of the box: the scripted modem for its
//! rows, and the real sound library over a card of pipes for its sound. Needs
//! `/usr/share/alsa` and python3.
//!
//! A modem that is a sound card itself, on USB, goes the same way from the card on; which
//! card it is, the kernel's own tree says, which no test can be put in place of.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "what tests share stands outside of them")]
#![allow(clippy::disallowed_methods, reason = "the tests' own tasks and threads end with their process")]

#[path = "audio/card.rs"]
#[allow(dead_code, reason = "a line that is a card itself uses more of it")]
mod card;
#[path = "audio/desk.rs"]
#[allow(dead_code, reason = "a line that is a card itself uses more of it")]
mod desk;
mod gsm;
#[path = "modem/mod.rs"]
mod modem;

use card::{Card, NAME, Room, with_card};
use desk::likeness;
use gsm::{CALLER, FRAME, Served, Talk, World, speech};
use milu::line::gsm::{GsmEvent, ModemPlace};
use milu::line::sound_card::CardName;
use milu::line::{LegCommand, LegEvent};
use milu::media::SampleRate;
use milu::signalling::modem::{Degradation, ModemState, Reason, ResetStep, SoundFault};
use milu::terms::EndCause;
use modem::{Family, Modem, one_of};

/// The rate of a telephone, which every card has or is brought to.
const HZ: usize = 8_000;

/// A modem whose sound comes by wire to the card, and its line, ready for a call.
async fn wired(world: &mut World) -> (Modem, Served) {
    let modem = world.rack.plug(one_of(Family::Sim800)).unwrap();
    let mut config = world.config("front-desk", Family::Sim800);
    config.place = ModemPlace::Ports { at: modem.at_path().unwrap(), sound: None };
    config.settings.sound = None;
    config.card = Some(CardName::parse(NAME).unwrap());
    let mut line = world.serve(config);
    line.until_state(ModemState::Ready).await;
    (modem, line)
}

#[test]
fn a_modem_with_sound_by_wire_carries_two_calls_both_ways_through_its_card() {
    with_card("a_modem_with_sound_by_wire_carries_two_calls_both_ways_through_its_card", HZ, |dir| async move {
        let card = Card::plug_in(&dir, HZ, Room::Handset);
        let mut world = World::new();
        let (modem, mut line) = wired(&mut world).await;
        let (question, answer) = (speech("question-whole.wav"), speech("answer-whole.wav"));
        for box_hangs_up in [false, true] {
            modem.ring(CALLER);
            let offer = line.offer().await;
            let mut talk = Talk::of(offer.leg, &mut world.tasks);
            talk.command(LegCommand::Answer).await;
            let rate = talk.event("the answer", |event| match event {
                LegEvent::Answered { rate, .. } => Some(rate),
                _ => None,
            });
            assert_eq!(rate.await, SampleRate::Hz8000);
            // The card is open when something comes from it.
            let open = talk.until_heard(25 * FRAME).await.len();
            let played_before = card.played().len();
            card.say(&question);
            talk.say(&answer).await;
            let heard = talk.until_heard(open + question.len() + 50 * FRAME).await;
            let there = modem
                .until("the answer at the card", |_| {
                    Some(card.played().split_off(played_before))
                        .filter(|played| played.len() > answer.len() + 50 * FRAME)
                })
                .await;
            let (in_ears, at_card) = (likeness(&question, &heard), likeness(&answer, &there));
            println!("by wire: {in_ears:.4} heard, {at_card:.4} played");
            assert!(in_ears > 0.95 && at_card > 0.95, "{in_ears:.3} heard, {at_card:.3} played");
            if box_hangs_up {
                talk.command(LegCommand::HangUp(EndCause::NormalClearing)).await;
            } else {
                modem.hang_up();
            }
            assert_eq!(talk.ended().await, EndCause::NormalClearing);
            modem.until("no call", |m| m.calls().is_empty().then_some(())).await;
            line.until_state(ModemState::Ready).await;
        }
        line.stop.cancel();
    });
}

#[test]
fn a_card_that_takes_nothing_of_what_is_said_is_noticed_in_the_call_and_counts_as_no_sound() {
    with_card("a_card_that_takes_nothing_of_what_is_said_is_noticed_in_the_call_and_counts_as_no_sound", HZ, |dir| {
        async move {
            let card = Card::plug_in(&dir, HZ, Room::Handset);
            let mut world = World::new();
            let (modem, mut line) = wired(&mut world).await;
            let lost =
                |line: &Served| line.control.status().modem.map_or(0, |health| health.counters.calls_without_sound);
            // A call that is well shows nothing of it.
            modem.ring(CALLER);
            let mut talk = Talk::answered(&mut world, &mut line).await;
            card.say(&speech("question-whole.wav"));
            talk.until_heard(150 * FRAME).await;
            talk.command(LegCommand::HangUp(EndCause::NormalClearing)).await;
            talk.ended().await;
            line.until_state(ModemState::Ready).await;
            assert_eq!(lost(&line), 0);
            modem.until("the card is let go", |_| card.is_let_go().then_some(())).await;
            card.choke(true);
            for call in 1..=2 {
                modem.ring(CALLER);
                let mut talk = Talk::answered(&mut world, &mut line).await;
                // The caller is heard all the time, and hears nothing.
                card.say(&speech("question-whole.wav"));
                let heard_before = talk.heard().len();
                let trouble = line.event("the trouble", |event| match event {
                    GsmEvent::SoundTrouble(fault) => Some(fault),
                    _ => None,
                });
                assert_eq!(trouble.await, SoundFault::NoUplink, "call {call}");
                talk.until_heard(heard_before + 50 * FRAME).await;
                let rows = line.control.support_rows().await.unwrap();
                assert!(rows.iter().any(|row| row.text.contains("the sound is not taken by the modem")), "{rows:#?}");
                // What helps is tried, and then nobody is kept in silence.
                assert_eq!(talk.ended().await, EndCause::TemporaryFailure, "call {call}");
                modem.until("no call", |m| m.calls().is_empty().then_some(())).await;
                modem.until("it is counted", |_| (lost(&line) == call).then_some(())).await;
                if call == 1 {
                    line.until_state(ModemState::Ready).await;
                }
            }
            // Two calls without sound are the ladder's, and the state says what is wrong.
            let (mut is_reset, mut is_told) = (false, false);
            line.event("the healing", |event| {
                if let GsmEvent::Changed(change) = event {
                    is_reset |= change.reason == Reason::Resetting(ResetStep::SoftReset);
                    is_told |= change.to == ModemState::Degraded(Degradation::NoSound);
                }
                (is_reset && is_told).then_some(())
            })
            .await;
            card.choke(false);
            line.stop.cancel();
        }
    });
}
