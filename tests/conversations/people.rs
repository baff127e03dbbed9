//! Callers who ask for somebody, and the clinic's telephone that rings for them.

use milu::call::{Ears, GapReason, Input, Outcome, Output, Speaker, phrases};
use milu::terms::{EndCause, Moment};

use crate::caller::Act::{self, HangUp, Hold, Key, Listen, ListenFor, Resume, Say, StopBox, Wait};
use crate::clinic::{BODY, BYE, MOON, NAME, NO, OPEN, YES, call, outcome, says};
use crate::handset::Telephones;
use crate::mind::HOURS;
use crate::world::{Happened, Weather, World};

const BELLO: Act = Say("Can I speak to Doctor Bello?", 1900);

/// All is well, and the clinic has a telephone.
fn with(telephones: Telephones, acts: &[Act]) -> World {
    call(Weather { telephones, ..Weather::FAIR }, acts)
}

fn wants(world: &World, wanted: impl Fn(&Output) -> bool) -> usize {
    world.log.iter().filter(|(_, happened)| matches!(happened, Happened::Wanted(output) if wanted(output))).count()
}

const ANSWERED: Telephones = Telephones::Answered(6_000, 60_000);

#[test]
fn a_caller_is_put_through_to_a_person_who_answers_and_hangs_up() {
    let world = with(ANSWERED, &[Listen, BELLO]);
    assert!(says(&world, "I will put you through to Doctor Bello. One moment, please."));
    let record = world.record.as_ref().expect("a record");
    assert_eq!((record.outcome, record.end_cause), (Outcome::Transferred, EndCause::NormalClearing));
    let transferred = record.transferred.as_ref().expect("to whom");
    assert_eq!(transferred.to.expose(), "Doctor Bello");
    assert_eq!(wants(&world, |output| matches!(output, Output::HangUp(_))), 1, "the caller is hung up on");
    assert_eq!(record.turns.last().map(|turn| turn.who), Some(Speaker::Box), "what they said is nobody's turn");
}

#[test]
fn a_caller_who_hangs_up_on_a_person_ends_the_call() {
    let world = with(ANSWERED, &[Listen, BELLO, Listen, Wait(20_000), HangUp]);
    assert_eq!(outcome(&world), Outcome::Transferred);
    assert_eq!(wants(&world, |output| matches!(output, Output::LetGo)), 1);
    assert_eq!(wants(&world, |output| matches!(output, Output::HangUp(_))), 0);
}

#[test]
fn key_zero_rings_for_anybody_and_no_ears_are_needed() {
    let weather = Weather { telephones: ANSWERED, listening: Ears::KeypadOnly, ..Weather::FAIR };
    let world = call(weather, &[Listen, Key('0')]);
    assert!(says(&world, phrases::PUTTING_THROUGH));
    let record = world.record.as_ref().expect("a record");
    assert_eq!(record.transferred.as_ref().map(|to| to.to.expose().as_str()), Some("reception"));
}

#[test]
fn a_person_who_does_not_answer_has_a_message_taken_for_them() {
    for telephones in [Telephones::Busy, Telephones::RingsOut, Telephones::Silent] {
        let world = with(
            telephones,
            &[Listen, BELLO, Wait(26_000), Listen, YES, Listen, NAME, Listen, YES, Listen, BODY, Listen, BYE],
        );
        assert!(says(&world, "I am sorry, Doctor Bello does not answer. Shall I take a message?"), "{telephones:?}");
        assert_eq!(outcome(&world), Outcome::Message, "{telephones:?}");
        assert_eq!(wants(&world, |output| matches!(output, Output::LetGo)), 1, "{telephones:?}");
    }
}

#[test]
fn a_caller_takes_the_ringing_back_with_a_key_and_asks_on() {
    for key in ['*', '#'] {
        let world =
            with(Telephones::RingsOut, &[Listen, BELLO, Listen, Wait(4_000), Key(key), Listen, OPEN, Listen, BYE]);
        assert!(says(&world, phrases::NO_MESSAGE) && says(&world, HOURS));
        assert_eq!(outcome(&world), Outcome::Answered);
    }
    // Another key does nothing.
    let world = with(ANSWERED, &[Listen, BELLO, Listen, Wait(1_000), Key('5')]);
    assert_eq!(outcome(&world), Outcome::Transferred);
}

#[test]
fn who_thanks_is_put_through_and_who_says_no_is_not() {
    let thanks = Say("Thank you very much.", 1_300);
    let world = with(ANSWERED, &[Listen, BELLO, ListenFor(1_500), thanks]);
    assert_eq!(outcome(&world), Outcome::Transferred);
    let world = with(ANSWERED, &[Listen, BELLO, ListenFor(1_500), Say("No.", 900), Listen, BYE]);
    assert_eq!((outcome(&world), says(&world, phrases::NO_MESSAGE)), (Outcome::Answered, true));
    assert_eq!(wants(&world, |output| matches!(output, Output::PutThrough { .. })), 0);
}

#[test]
fn what_a_caller_asks_meanwhile_is_answered_first() {
    let world = with(ANSWERED, &[Listen, BELLO, ListenFor(1_500), OPEN]);
    assert!(says(&world, HOURS));
    assert_eq!(outcome(&world), Outcome::Transferred);
}

#[test]
fn keys_go_to_the_person_until_too_many_come_and_those_are_withheld() {
    let mut acts = vec![Listen, BELLO, Listen, Wait(12_000)];
    acts.extend("4111111111111111".chars().flat_map(|digit| [Key(digit), Wait(150)]));
    acts.extend([Wait(20_000), Key('7'), Wait(5_000), HangUp]);
    let world = with(ANSWERED, &acts);
    let sent: String = world
        .log
        .iter()
        .filter_map(|(_, happened)| match happened {
            Happened::Wanted(Output::SendDigit(digit)) => Some(*digit),
            _ => None,
        })
        .collect();
    assert!(sent.starts_with('4') && sent.ends_with('7') && sent.len() <= 5, "{sent}");
    assert_eq!(wants(&world, |output| matches!(output, Output::WithholdSound)), 1);
    let recording = world.record.as_ref().and_then(|record| record.recording.as_ref()).expect("it is recorded");
    assert!(recording.gaps.iter().any(|gap| gap.reason == GapReason::Withheld));
}

#[test]
fn a_box_that_stops_takes_leave_of_who_waits_and_says_nothing_to_who_speaks() {
    let world = with(Telephones::RingsOut, &[Listen, BELLO, Listen, Wait(3_000), StopBox]);
    assert!(says(&world, phrases::BOX_STOPPING));
    let world = with(ANSWERED, &[Listen, BELLO, Listen, Wait(15_000), StopBox]);
    assert!(!says(&world, phrases::BOX_STOPPING));
    assert_eq!(outcome(&world), Outcome::Transferred);
}

#[test]
fn a_caller_who_holds_is_not_rung_for_until_they_are_back_and_may_hold_later() {
    let world = with(ANSWERED, &[Listen, BELLO, ListenFor(500), Hold, Wait(30_000), Resume]);
    assert_eq!(outcome(&world), Outcome::Transferred);
    let resumed = first_moment(&world, |happened| matches!(happened, Happened::Told(Input::Resumed { .. })));
    let rung = first_moment(&world, |h| matches!(h, Happened::Wanted(Output::PutThrough { .. })));
    assert!(rung > resumed);
    let world = with(ANSWERED, &[Listen, BELLO, Listen, Wait(2_000), Hold, Wait(10_000), Resume]);
    assert_eq!(outcome(&world), Outcome::Transferred);
    let world = with(ANSWERED, &[Listen, BELLO, Listen, Wait(9_000), Act::LoseMedia]);
    assert_eq!(world.record.as_ref().map(|record| record.end_cause), Some(EndCause::TemporaryFailure));
}

fn first_moment(world: &World, found: impl Fn(&Happened) -> bool) -> Moment {
    world.log.iter().find(|(_, happened)| found(happened)).map(|(at, _)| *at).expect("it happened")
}

const SOMEBODY: Act = Say("Somebody, please.", 1_200);
const A_MESSAGE: Act = Say("A message, please.", 1_200);

#[test]
fn what_nobody_here_knows_is_offered_a_message_or_a_person_and_the_caller_chooses() {
    for person in [SOMEBODY, Say("Put me through, please.", 1_300), Say("A person.", 900)] {
        let world = with(ANSWERED, &[Listen, MOON, Listen, person.clone()]);
        assert!(says(&world, phrases::UNKNOWN_OR_PERSON) && says(&world, phrases::PUTTING_THROUGH), "{person:?}");
        assert_eq!(outcome(&world), Outcome::Transferred, "{person:?}");
    }
    let world = with(ANSWERED, &[Listen, MOON, Listen, A_MESSAGE, Listen, HangUp]);
    assert!(says(&world, phrases::ASK_NAME), "{:?}", world.sentences());
    let world = with(ANSWERED, &[Listen, MOON, Listen, NO, Listen, MOON, Listen, A_MESSAGE, Listen, HangUp]);
    let said = world.sentences();
    let told = [phrases::NO_MESSAGE, phrases::UNKNOWN_AGAIN_OR_PERSON, phrases::ASK_NAME].map(str::to_owned);
    assert!(said.ends_with(&told), "{said:?}");
}

#[test]
fn a_yes_that_chooses_neither_is_asked_whether_it_is_a_person() {
    let world = with(ANSWERED, &[Listen, MOON, Listen, YES, Listen, YES]);
    assert!(says(&world, phrases::ASK_PERSON) && says(&world, phrases::PUTTING_THROUGH));
    assert_eq!(outcome(&world), Outcome::Transferred);
    let world = with(ANSWERED, &[Listen, MOON, Listen, YES, Listen, NO, Listen, YES, Listen, HangUp]);
    let said = world.sentences();
    let told = [phrases::ASK_PERSON, phrases::ASK_MESSAGE_INSTEAD, phrases::ASK_NAME].map(str::to_owned);
    assert!(said.ends_with(&told), "{said:?}");
}

#[test]
fn a_clinic_without_a_telephone_takes_messages_as_ever() {
    let world = with(Telephones::None, &[Listen, BELLO, Listen, HangUp]);
    assert!(says(&world, "I cannot put you through to Doctor Bello just now."));
    let world = with(Telephones::None, &[Listen, Key('0'), Listen, YES, Listen, HangUp]);
    assert!(says(&world, "I cannot put you through to a person just now. Shall I take a message?"));
    assert!(says(&world, phrases::ASK_NAME));
}
