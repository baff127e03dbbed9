//! Who speaks over the box, or on and on, and a box that stops: what is heard of a sentence then.

use milu::call::{Speaker, phrases};

use crate::caller::Act::{HangUp, Listen, ListenFor, Noise, Say, StopBox, Wait};
use crate::clinic::{OPEN, call, fair, says, times};
use crate::mind::{HOURS, SUNDAY};
use crate::voice::VoiceFaults;
use crate::world::Weather;

#[test]
fn an_interruption_cuts_the_record_to_what_was_heard() {
    let world = fair(&[Listen, OPEN, ListenFor(1500), Say("And on Sunday?", 1100), Listen, HangUp]);
    let record = world.record.as_ref().expect("a record");
    let cut = record.turns.iter().find(|t| t.interrupted).expect("a cut turn");
    assert!(HOURS.starts_with(cut.text.expose()) && cut.text.expose().len() < HOURS.len());
    assert!(!cut.text.expose().is_empty());
    assert!(says(&world, SUNDAY));
}

#[test]
fn a_cough_or_a_sound_of_listening_does_not_stop_an_answer() {
    for sound in [Noise(180), Noise(300), Say("Mm-hm.", 350)] {
        let world = fair(&[Listen, OPEN, ListenFor(1500), sound.clone(), Listen, HangUp]);
        let record = world.record.as_ref().expect("a record");
        let whole = record.turns.iter().any(|t| t.text.expose() == HOURS && !t.interrupted);
        assert!(whole, "{sound:?}: {:#?}", record.turns);
    }
}

#[test]
fn a_turn_that_goes_on_takes_its_answer_back() {
    let slow = Weather { voice: VoiceFaults { latency_ms: (1500, 1501), ..VoiceFaults::NONE }, ..Weather::FAIR };
    let world = call(slow, &[Listen, Listen, OPEN, Wait(350), Say("And on Sunday?", 900), Listen, HangUp]);
    let record = world.record.as_ref().expect("a record");
    let of_caller: Vec<_> = record.turns.iter().filter(|t| t.who == Speaker::Caller).collect();
    assert_eq!(of_caller.len(), 1, "one turn of two parts");
    assert!(!record.turns.iter().any(|t| t.text.expose() == HOURS), "the first answer is never heard");
}

#[test]
fn a_box_that_stops_finishes_its_sentence_and_says_goodbye() {
    let world = fair(&[Listen, OPEN, ListenFor(1000), StopBox, Wait(20_000)]);
    let record = world.record.as_ref().expect("a record");
    assert!(record.turns.iter().any(|t| t.text.expose() == HOURS && !t.interrupted));
    assert!(record.turns.iter().any(|t| t.text.expose() == phrases::BOX_STOPPING && !t.interrupted));
}

#[test]
fn a_goodbye_is_heard_even_if_the_caller_was_just_interrupting() {
    let world = fair(&[Listen, OPEN, ListenFor(1000), Say("And on Sunday?", 300), StopBox, Wait(20_000)]);
    let record = world.record.as_ref().expect("a record");
    assert!(record.turns.iter().any(|t| t.text.expose() == phrases::BOX_STOPPING && !t.interrupted));
}

#[test]
fn a_caller_who_never_stops_talking_is_broken_in_on_and_then_left() {
    let world = fair(&[Listen, Say("and then I told her that", 90_000), HangUp]);
    assert_eq!(times(&world, phrases::TOO_LONG), 2);
    assert_eq!(times(&world, phrases::CANNOT_FOLLOW), 1);
}
