//! Ears, a mind or a voice that fail, doubt or are slow: nobody is left in silence.

use milu::call::{Outcome, phrases};
use milu::terms::EndCause;

use crate::caller::Act::{HangUp, Key, Listen};
use crate::clinic::{OPEN, YES, call, outcome, says, times};
use crate::ears::EarsFaults;
use crate::mind::{HOURS, MindFaults};
use crate::voice::VoiceFaults;
use crate::world::Weather;

#[test]
fn a_caller_who_is_not_heard_is_asked_again_once_and_then_offered_keys() {
    let deaf = Weather { ears: EarsFaults { unheard: 1000, ..EarsFaults::NONE }, ..Weather::FAIR };
    let world = call(deaf, &[Listen, OPEN, Listen, OPEN, Listen, HangUp]);
    assert_eq!(times(&world, phrases::SAY_AGAIN), 1);
    assert_eq!(times(&world, phrases::TROUBLE_HEARING), 1);
    assert!(!says(&world, HOURS), "what was not heard is not answered");
}

#[test]
fn doubtful_words_are_read_back_and_answered_on_a_yes() {
    let doubtful = Weather { ears: EarsFaults { doubtful: 1000, ..EarsFaults::NONE }, ..Weather::FAIR };
    let world = call(doubtful, &[Listen, OPEN, Listen, YES, Listen, HangUp]);
    let said = world.sentences();
    assert!(said[2].starts_with("I understood: When do you open"), "{said:?}");
    assert_eq!(said[3], HOURS);
}

#[test]
fn a_slow_mind_leaves_no_caller_in_silence_whoever_puts_the_question() {
    let slow = Weather { mind: MindFaults { latency_ms: (2200, 2201), ..MindFaults::NONE }, ..Weather::FAIR };
    let keyed = call(slow.clone(), &[Listen, Key('1'), Listen, HangUp]).sentences();
    assert!(keyed.ends_with(&[phrases::ONE_MOMENT, HOURS].map(str::to_owned)), "{keyed:?}");

    let doubtful = Weather { ears: EarsFaults { doubtful: 1000, ..EarsFaults::NONE }, ..slow };
    let said = call(doubtful, &[Listen, OPEN, Listen, YES, Listen, Listen, HangUp]).sentences();
    let read_back = said.iter().position(|s| s.starts_with("I understood")).expect("it is read back");
    // Once for what "yes" means, and once for what was confirmed with it.
    assert_eq!(said[read_back + 1..], [phrases::ONE_MOMENT, phrases::ONE_MOMENT, HOURS].map(str::to_owned));
}

#[test]
fn when_the_voice_fails_once_the_call_says_that_it_is_at_fault_or_ends() {
    let mute = Weather { voice: VoiceFaults { fails: 1000, ..VoiceFaults::NONE }, ..Weather::FAIR };
    let world = call(mute, &[Listen, HangUp]);
    let record = world.record.as_ref().expect("a record");
    assert_eq!((record.outcome, record.end_cause), (Outcome::Failed, EndCause::TemporaryFailure));
    assert!(record.recording.is_none(), "nothing is kept without its notice");
}

#[test]
fn ears_that_fail_are_an_unheard_turn_without_a_long_wait() {
    let deaf = Weather { ears: EarsFaults { fails: 1000, ..EarsFaults::NONE }, ..Weather::FAIR };
    let world = call(deaf, &[Listen, OPEN, Listen, HangUp]);
    assert_eq!(times(&world, phrases::SAY_AGAIN), 1);
    assert!(!says(&world, phrases::ONE_MOMENT), "the failure was known when the turn ended");
}

#[test]
fn a_mind_that_fails_is_the_boxs_own_fault_and_a_message_is_offered() {
    let lost = Weather { mind: MindFaults { fails: 1000, ..MindFaults::NONE }, ..Weather::FAIR };
    let world = call(lost, &[Listen, OPEN, Listen, HangUp]);
    assert_eq!(times(&world, phrases::OWN_FAULT), 1);
    assert_eq!(outcome(&world), Outcome::Failed);
}
