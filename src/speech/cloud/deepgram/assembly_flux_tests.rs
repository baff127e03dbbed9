//! What Flux says of turns.

use super::*;

#[test]
fn flux_words_are_told_at_the_eager_end_of_a_turn() {
    let mut call = Stream::flux();
    let words = [("when", 400, 700), ("today", 700, 1380)];
    call.sound_until(1600).turn_began(400).pause(1);
    call.turn(0, TurnEvent::Update, 1500, 0.2, &words[..1]);
    assert_eq!((call.words(), call.finalizes), (vec![], 0));
    call.turn(0, TurnEvent::EagerEndOfTurn, 1580, 0.55, &words);
    assert_eq!(call.words(), [(1, "when today")]);
    assert_eq!(call.judged, [(1, 0.2), (1, 0.55)]);
}

#[test]
fn a_turn_that_flux_declared_over_before_the_pause_is_told_at_once() {
    let mut call = Stream::flux();
    call.sound_until(1600).turn_began(400);
    call.turn(0, TurnEvent::EagerEndOfTurn, 1520, 0.6, &[("bye", 400, 1380)]);
    call.pause(1);
    assert_eq!((call.words(), call.judged.as_slice()), (vec![(1, "bye")], &[(1, 0.6)][..]));
    call.turn(0, TurnEvent::EndOfTurn, 1600, 0.75, &[("bye", 400, 1380)]);
    assert!(matches!(call.judged[..], [_, (1, p)] if p > 0.9), "{:?}", call.judged);
}

#[test]
fn a_turn_that_flux_declares_over_while_a_noise_sounds_on_has_ended_words_until_the_next_one() {
    let mut call = Stream::flux();
    call.sound_until(1600).turn_began(400);
    let words = [("when", 400, 700), ("today", 700, 1380)];
    call.turn(0, TurnEvent::Update, 1000, 0.2, &words[..1]);
    call.turn(0, TurnEvent::EagerEndOfTurn, 1500, 0.6, &words);
    assert_eq!((call.ended.len(), call.began.as_slice()), (0, &[at(400)][..]), "it may be taken back");
    call.turn(0, TurnEvent::EndOfTurn, 1600, 0.8, &words);
    assert_eq!((call.ended.as_slice(), call.silent_until), (&[at(1380)][..], Some(at(1600))));
    // What it hears of the noise is listened to, and no word.
    call.sound_until(2200).turn(1, TurnEvent::Update, 2200, 0.1, &[]);
    assert_eq!((call.silent_until, call.began.len()), (Some(at(2200)), 1));
    call.sound_until(2800).turn(1, TurnEvent::StartOfTurn, 2800, 0.1, &[("hello", 2300, 2700)]);
    assert_eq!(call.began[1..], [at(2300)]);
}

#[test]
fn a_pause_by_the_word_of_flux_alone_is_told_at_once_over_a_far_uplink_too() {
    let mut call = Stream::flux();
    let words = [("when", 400, 700), ("today", 700, 1380)];
    // Its word comes 600 ms after the sound that it is of.
    call.sound_until(2200).turn_began(400).turn(0, TurnEvent::EndOfTurn, 1600, 0.8, &words).pause(1);
    assert_eq!(call.words(), [(1, "when today")]);
    assert!(matches!(call.judged[..], [(1, p)] if p > 0.9), "{:?}", call.judged);
    // A pause of a voice that came since is no such one.
    call.sound_until(3000).pause(2);
    assert_eq!((call.words().len(), call.judged.len()), (1, 1));
}

#[test]
fn what_flux_takes_back_lowers_the_judgement() {
    let mut call = Stream::flux();
    call.sound_until(1600).turn_began(400).pause(1);
    call.turn(0, TurnEvent::EagerEndOfTurn, 1520, 0.6, &[("my", 400, 1380)]);
    call.turn(0, TurnEvent::TurnResumed, 1600, 0.3, &[("my", 400, 1380)]);
    assert!(matches!(call.judged[..], [(1, 0.6), (1, p)] if p < 0.2), "{:?}", call.judged);
}

#[test]
fn two_turns_of_the_box_in_one_of_flux_share_its_words_by_their_time() {
    let mut call = Stream::flux();
    call.sound_until(1600).turn_began(400).pause(1);
    call.turn(0, TurnEvent::EagerEndOfTurn, 1600, 0.5, &[("hello", 420, 1380)]);
    // The box took it for a turn and Flux did not.
    call.sound_until(2600).turn_began(2000);
    let both = [("hello", 420, 1380), ("sunday", 2010, 2390)];
    call.turn(0, TurnEvent::TurnResumed, 2400, 0.1, &both).pause(2);
    call.turn(0, TurnEvent::EndOfTurn, 2600, 0.8, &both);
    assert_eq!(call.words(), [(1, "hello"), (2, "sunday")]);
}

#[test]
fn two_turns_of_flux_in_one_of_the_box_are_one() {
    let mut call = Stream::flux();
    call.sound_until(1600).turn_began(400);
    call.turn(0, TurnEvent::EndOfTurn, 1500, 0.8, &[("my", 420, 1380)]);
    call.sound_until(2600);
    call.turn(1, TurnEvent::EndOfTurn, 2600, 0.8, &[("name", 1700, 2390)]).pause(1);
    assert_eq!(call.words(), [(1, "my name")]);
}

#[test]
fn a_turn_of_flux_without_its_end_is_not_lost() {
    let mut call = Stream::flux();
    call.sound_until(1600).turn_began(400);
    call.turn(0, TurnEvent::Update, 1500, 0.2, &[("my", 420, 1380)]);
    call.sound_until(2600);
    call.turn(1, TurnEvent::EndOfTurn, 2600, 0.8, &[("name", 1700, 2390)]).pause(1);
    assert_eq!(call.words(), [(1, "my name")]);
}

#[test]
fn a_gap_in_the_sequence_is_counted_and_an_old_message_passed_over() {
    let mut call = Stream::flux();
    let update = |sequence, text| {
        Message::Turn(TurnInfo {
            sequence: Some(Sequence(sequence)),
            event: TurnEvent::EndOfTurn,
            turn: 0,
            span: span(0, 1600),
            words: vec![word((text, 400, 1380))],
            confidence: 0.9,
        })
    };
    call.sound_until(1600).turn_began(400).message(Message::Counted(Sequence(0)));
    call.message(update(3, "new")).message(update(2, "old")).pause(1);
    assert_eq!((call.words(), call.assembly.missed()), (vec![(1, "new")], 2));
    assert_eq!(call.assembly.late(), 1);
}
