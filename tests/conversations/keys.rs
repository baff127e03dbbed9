//! Keys: the menu, and a caller whom nobody can listen to.

use milu::call::{Ears, Outcome, phrases};
use milu::terms::Moment;

use crate::caller::Act::{HangUp, Key, Listen, ListenFor, Say, Wait};
use crate::clinic::{BODY, OPEN, call, fair, outcome, says};
use crate::mind::{HOURS, MindFaults, SUNDAY};
use crate::world::{Happened, Weather};

#[test]
fn a_caller_whom_nobody_can_listen_to_gets_the_keys_and_leaves_a_message_by_them() {
    let keypad = Weather { listening: Ears::KeypadOnly, ..Weather::FAIR };
    let world = call(keypad, &[Listen, Key('1'), Listen, Key('9'), Listen, BODY, Key('#'), Listen, HangUp]);
    assert!(says(&world, phrases::BUSY) && says(&world, HOURS));
    assert_eq!(outcome(&world), Outcome::Message);
    let message = world.record.and_then(|r| r.message).expect("a message");
    assert!(message.callback.is_some() && message.sound.is_some());
}

#[test]
fn a_silent_caller_on_the_keypad_is_not_kept_for_half_an_hour() {
    let world = call(Weather { listening: Ears::KeypadOnly, ..Weather::FAIR }, &[]);
    assert!(says(&world, phrases::NOBODY_THERE));
}

#[test]
fn a_key_is_answered_at_once_even_while_the_box_speaks() {
    let world = fair(&[Listen, OPEN, ListenFor(500), Key('0'), Listen, HangUp]);
    let asked = world.log.iter().find(|(_, h)| matches!(h, Happened::Told(milu::call::Input::Digit { .. })));
    let pressed = asked.map(|(at, _)| *at).expect("a key");
    let sounds = |at: &Moment| *at > pressed && at.ms_since(pressed) < 700;
    let answered = world.log.iter().filter(|(at, h)| sounds(at) && matches!(h, Happened::Sounded(_))).count();
    assert!(answered > 10, "the answer to the key was not heard");
}

#[test]
fn a_key_during_the_notice_is_answered_after_it() {
    let world = fair(&[ListenFor(800), Key('1'), Listen, HangUp]);
    assert_eq!(world.sentences()[1], HOURS);
    let record = world.record.expect("a record");
    assert!(!record.turns[0].interrupted && record.recording.is_some());
}

#[test]
fn a_key_takes_the_place_of_a_question_that_is_not_yet_answered() {
    let slow = Weather { mind: MindFaults { latency_ms: (900, 901), ..MindFaults::NONE }, ..Weather::FAIR };
    let world = call(slow, &[Listen, Say("And on Sunday?", 900), Wait(250), Key('1'), Listen, Wait(60_000)]);
    assert!(says(&world, HOURS) && !says(&world, SUNDAY));
    assert!(says(&world, phrases::NOBODY_THERE), "silence still counts");
}
