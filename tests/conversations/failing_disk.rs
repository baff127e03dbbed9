//! Callers whose call meets a disk that takes nothing more, from the beginning or from
//! some time on: nobody is promised what is not written.

use milu::call::{Consent, JournalKind, Outcome, Output, Wish, phrases};
use milu::residency::CallerWish;

use crate::caller::Act::{self, HangUp, Listen, Say, Wait};
use crate::clinic::{BODY, BYE, MOON, NAME, YES, call, first, outcome, says, times};
use crate::handset::Telephones;
use crate::wishes::CONSENTS;
use crate::world::{Happened, Weather, World};

/// The disk fails after the call was begun, and before anything is promised.
const FAILS: Weather = Weather { disk_fails_after_ms: Some(1), ..Weather::FAIR };
/// Nothing of the call can be kept.
const FULL: Weather = Weather { disk_fails_after_ms: Some(0), ..Weather::FAIR };

const LEAVE: Act = Say("I want to leave a message.", 1500);
const ADDRESS: Act = Say("Please text me your address.", 1500);

#[test]
fn who_leaves_a_message_that_is_not_written_is_told_so_and_offered_no_other() {
    let acts = [Listen, LEAVE, Listen, NAME, Listen, YES, Listen, BODY, Listen, MOON, Listen, LEAVE, Listen, HangUp];
    let world = call(FAILS, &acts);
    let said = world.sentences();
    assert!(!says(&world, phrases::MESSAGE_KEPT), "{said:?}");
    let after = said.iter().position(|sentence| sentence == phrases::MESSAGE_NOT_KEPT).expect("it is told");
    assert_eq!(said[after + 1..], [phrases::UNKNOWN_NO_OFFER, phrases::NO_MESSAGES].map(str::to_owned));
    let message = world.record.and_then(|record| record.message).expect("the record tries once more");
    assert!(message.text.expose().contains("on Monday"));
}

#[test]
fn a_text_message_that_is_not_written_is_taken_back_and_not_sent() {
    let world = call(FAILS, &[Listen, ADDRESS, Listen, ADDRESS, Listen, BYE, Wait(9000)]);
    assert_eq!(times(&world, phrases::TEXT_NOT_KEPT), 1);
    assert!(first(&world, |output| matches!(output, Output::SendText { .. })).is_none());
    assert!(says(&world, "We are at fourteen Allen Avenue."), "the second time it is told: {:?}", world.sentences());
    let turns = &world.record.as_ref().expect("a record").turns;
    assert!(turns.iter().all(|turn| !turn.text.expose().contains("sending it as a text")), "{turns:#?}");
}

#[test]
fn where_nothing_can_be_kept_nobody_hears_of_a_recording_or_is_offered_a_message() {
    let bello = Say("Can I speak to Doctor Bello?", 1900);
    let world = call(FULL, &[Listen, MOON, Listen, bello, Listen, LEAVE, Listen, ADDRESS, Listen, HangUp]);
    let said = world.sentences();
    assert!(!said[0].contains("recorded"), "{said:?}");
    assert!(!says(&world, "Shall I take a message?") && !says(&world, "name, please"), "{said:?}");
    for told in [phrases::UNKNOWN_NO_OFFER, "Doctor Bello just now, nor keep a message", phrases::NO_MESSAGES] {
        assert!(says(&world, told), "{told}: {said:?}");
    }
    assert!(says(&world, phrases::NO_TEXT), "{said:?}");
    assert!(first(&world, |output| matches!(output, Output::StartRecording { .. })).is_none());
}

#[test]
fn who_asks_for_a_person_that_does_not_answer_is_offered_no_message_that_is_not_kept() {
    let bello = Say("Can I speak to Doctor Bello?", 1900);
    let world = call(Weather { telephones: Telephones::Busy, ..FULL }, &[Listen, bello, Wait(6_000), HangUp]);
    let told = "Doctor Bello does not answer, and I cannot keep a message just now";
    assert!(says(&world, told) && !says(&world, "Shall I take"), "{:?}", world.sentences());
}

#[test]
fn where_no_message_can_be_kept_a_person_who_can_be_rung_is_offered() {
    for (asks, told) in [(MOON, phrases::UNKNOWN_PERSON_ALONE), (LEAVE, phrases::NO_MESSAGES_BUT_PERSON)] {
        let telephones = Telephones::Answered(6_000, 60_000);
        let world = call(Weather { telephones, ..FULL }, &[Listen, asks, Listen, YES]);
        assert!(says(&world, told), "{:?}", world.sentences());
        assert_eq!(outcome(&world), Outcome::Transferred);
    }
}

#[test]
fn a_consent_that_is_not_written_allows_nothing_and_other_wishes_hold() {
    let asked = Weather { consent: Consent::Asked, ..FAILS };
    let objects = Say("Do not use my data.", 1200);
    let world = call(asked, &[Listen, YES, Listen, objects, Listen, HangUp]);
    assert!(says(&world, phrases::NOT_CONSENTED), "{:?}", world.sentences());
    assert!(first(&world, |output| *output == Output::Wish(CONSENTS)).is_none());
    assert!(first(&world, |output| *output == Output::Wish(Wish::OfData(CallerWish::Objects))).is_some());
    assert!(says(&world, phrases::OBJECTED_NOT_NOTED) && !says(&world, phrases::OBJECTED));
}

fn journal(world: &World) -> Vec<&JournalKind> {
    let of_log = world.log.iter().filter_map(|(_, happened)| match happened {
        Happened::Wanted(Output::Journal(entry)) => Some(&entry.kind),
        _ => None,
    });
    of_log.collect()
}

#[test]
fn a_consent_that_is_not_taken_is_taken_back_right_behind_what_may_still_be_written() {
    let world = call(Weather { consent: Consent::Asked, ..FAILS }, &[Listen, YES, Listen, HangUp]);
    let journal = journal(&world);
    let consent = journal.iter().position(|kind| **kind == JournalKind::Wished(CONSENTS)).expect("a consent");
    assert_eq!(journal.get(consent + 1), Some(&&JournalKind::ConsentNotTaken), "{journal:?}");
    assert!(!JournalKind::ConsentNotTaken.is_promise(), "nobody waits for it");
    assert!(world.record.expect("a record").wishes.is_empty());
}
