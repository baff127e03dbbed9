//! Silence, and callers who hold.

use milu::call::{Input, Outcome, Output, phrases};
use milu::terms::EndCause;

use crate::caller::Act::{self, HangUp, Hold, Listen, ListenFor, Resume, Say, StopBox, Wait};
use crate::clinic::{BYE, OPEN, call, fair, first, outcome, says, streaming, times};
use crate::mind::{HOURS, HOURS_IN_SENTENCES};
use crate::voice::VoiceFaults;
use crate::world::{Happened, Weather, World};

#[test]
fn silence_is_prompted_twice_and_then_taken_leave_of() {
    let world = fair(&[]);
    assert_eq!(times(&world, phrases::STILL_THERE), 1);
    assert_eq!(times(&world, phrases::STILL_THERE_AGAIN), 1);
    assert_eq!(world.sentences().last().map(String::as_str), Some(phrases::NOBODY_THERE));
    assert_eq!(outcome(&world), Outcome::Abandoned);
}

#[test]
fn a_caller_on_hold_is_neither_prompted_nor_left() {
    let world = fair(&[Listen, Hold, Wait(60_000), Resume, OPEN, Listen, HangUp]);
    assert!(!says(&world, phrases::STILL_THERE));
    assert!(says(&world, HOURS));
}

/// Far longer than any wait of the box for its own parts.
const LONG_HOLD: [Act; 3] = [Hold, Wait(240_000), Resume];

fn heard_whole(world: &World, text: &str) -> bool {
    let record = world.record.as_ref().expect("a record");
    record.turns.iter().any(|t| t.text.expose() == text && !t.interrupted)
}

#[test]
fn an_answer_that_a_hold_came_before_is_heard_after_it() {
    let slow = Weather { voice: VoiceFaults { latency_ms: (1500, 1501), ..VoiceFaults::NONE }, ..Weather::FAIR };
    let [hold, wait, resume] = LONG_HOLD;
    let world = call(slow, &[Listen, OPEN, Wait(500), hold, wait, resume, Listen, HangUp]);
    assert!(heard_whole(&world, HOURS), "{:?}", world.sentences());
    assert!(!says(&world, phrases::OWN_FAULT) && !says(&world, phrases::ONE_MOMENT));
    assert!(first(&world, |o| matches!(o, Output::HangUp(_))).is_none(), "the caller ends the call");
}

#[test]
fn a_sentence_in_the_middle_of_which_we_are_held_goes_on_after_it() {
    let [hold, wait, resume] = LONG_HOLD;
    for weather in [Weather::FAIR, streaming()] {
        let acts = [Listen, OPEN, ListenFor(1000), hold.clone(), wait.clone(), resume.clone(), Listen, Listen, HangUp];
        let world = call(weather, &acts);
        let (whole, sentences) = (HOURS.to_owned(), HOURS_IN_SENTENCES.join(" "));
        assert!(heard_whole(&world, &whole) || heard_whole(&world, &sentences), "{:?}", world.sentences());
        assert!(!says(&world, phrases::OWN_FAULT) && !says(&world, phrases::BROKE_OFF));
    }
}

#[test]
fn a_hold_without_end_is_given_up_and_leaves_a_record() {
    for before in [0, 1000] {
        let world = fair(&[Listen, OPEN, ListenFor(before), Hold]);
        assert_eq!(world.record.as_ref().expect("a record").end_cause, EndCause::NormalClearing);
        let held = world.log.iter().find(|(_, h)| matches!(h, Happened::Told(Input::Held { .. }))).map(|(at, _)| *at);
        let end = world.log.iter().find(|(_, h)| matches!(h, Happened::Wanted(Output::HangUp(_)))).map(|(at, _)| *at);
        assert_eq!(held.zip(end).map(|(held, end)| end.ms_since(held)), Some(600_000));
    }
}

#[test]
fn who_holds_while_the_box_takes_leave_does_not_keep_it() {
    let world = fair(&[Listen, BYE, ListenFor(300), Hold]);
    let held = world.log.iter().find(|(_, h)| matches!(h, Happened::Told(Input::Held { .. }))).map(|(at, _)| *at);
    let end = world.log.last().map(|(at, _)| *at);
    assert!(held.zip(end).is_some_and(|(held, end)| end.ms_since(held) < 70_000));
}

#[test]
fn a_box_that_stops_while_it_is_held_ends_the_call_at_once() {
    let world = fair(&[Listen, OPEN, ListenFor(1000), Hold, Wait(1000), StopBox]);
    assert!(!says(&world, phrases::BOX_STOPPING));
    assert_eq!(world.record.as_ref().expect("a record").end_cause, EndCause::NormalClearing);
}

#[test]
fn a_turn_that_went_on_and_was_dropped_by_a_hold_leaves_no_dead_air() {
    let slow = Weather { voice: VoiceFaults { latency_ms: (1500, 1501), ..VoiceFaults::NONE }, ..Weather::FAIR };
    let goes_on = [Listen, Listen, OPEN, Wait(350), Say("And on Sunday?", 900), Hold, Wait(5000), Resume];
    assert!(says(&call(slow, &goes_on), phrases::NOBODY_THERE));
}
