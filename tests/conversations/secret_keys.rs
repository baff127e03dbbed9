//! Keys that are pressed in secret.

use milu::call::{GapReason, Output, phrases};

use crate::caller::Act::{self, HangUp, Key, Listen, Say, Wait};
use crate::clinic::{BODY, MOON, NAME, OPEN, YES, call, fair, says, times};
use crate::mind::{HOURS, PAY};
use crate::world::{Happened, Weather, World};

fn keyed(keys: &str) -> Vec<Act> {
    keys.chars().flat_map(|key| [Key(key), Wait(300)]).collect()
}

fn is_withheld(world: &World) -> [usize; 2] {
    let count = |wanted: fn(&Output) -> bool| {
        world.log.iter().filter(|(_, h)| matches!(h, Happened::Wanted(output) if wanted(output))).count()
    };
    [count(|o| matches!(o, Output::WithholdSound)), count(|o| matches!(o, Output::RestoreSound))]
}

#[test]
fn a_card_that_the_box_asked_for_by_keys_goes_nowhere_and_is_a_gap_in_the_recording() {
    let mut acts = vec![Listen, Say("Can I pay by card?", 1500), Listen];
    acts.extend(keyed("4111111111111111#"));
    acts.extend([Wait(3000), Listen, OPEN, Listen, HangUp]);
    let world = fair(&acts);
    let said = world.sentences();
    assert_eq!(said[2..], [PAY, phrases::KEYS_WITHHELD, HOURS].map(str::to_owned));
    assert_eq!(is_withheld(&world), [1, 1]);
    let recording = world.record.and_then(|r| r.recording).expect("a recording");
    let [gap] = &recording.gaps[..] else { panic!("{:?}", recording.gaps) };
    assert_eq!(gap.reason, GapReason::Withheld);
    assert!((17 * 300..17 * 300 + 10_000).contains(&(gap.to_ms - gap.from_ms)), "{gap:?}");
}

#[test]
fn a_card_that_nobody_asked_for_is_noticed_at_the_fourth_key_and_goes_nowhere() {
    let mut acts = vec![Listen];
    acts.extend(keyed("4111111111111111"));
    acts.extend([Listen, Wait(3000), OPEN, Listen, HangUp]);
    let world = fair(&acts);
    assert_eq!(times(&world, phrases::KEYS_NOT_WANTED), 1, "{:?}", world.sentences());
    assert_eq!(is_withheld(&world), [1, 1]);
    // The first three keys were choices of the menu; none of the others was.
    let topics = world.log.iter().filter(|(_, h)| matches!(h, Happened::Wanted(Output::AskTopic { .. }))).count();
    assert!(topics <= 2, "{topics}");
    assert!(says(&world, HOURS), "and the call goes on");
}

#[test]
fn a_number_to_be_called_back_on_is_keyed_as_ever() {
    let hidden = Weather { number_shown: false, ..Weather::FAIR };
    let mut acts = vec![Listen, MOON, Listen, YES, Listen, NAME, Listen];
    acts.extend(keyed("08031234567#"));
    acts.extend([Listen, YES, Listen, BODY, Listen, HangUp]);
    let world = call(hidden, &acts);
    assert_eq!(is_withheld(&world), [0, 0]);
    let message = world.record.and_then(|r| r.message).expect("a message");
    assert_eq!(message.callback.as_ref().map(|n| n.expose()), Some("+2348031234567"));
}

#[test]
fn a_card_keyed_where_a_telephone_number_was_asked_for_is_not_taken_for_one() {
    let hidden = Weather { number_shown: false, ..Weather::FAIR };
    let mut acts = vec![Listen, MOON, Listen, YES, Listen, NAME, Listen];
    acts.extend(keyed("4111111111111111"));
    acts.extend([Listen, Wait(2500)]);
    acts.extend(keyed("08031234567#"));
    acts.extend([Listen, YES, Listen, BODY, Listen, HangUp]);
    let world = call(hidden, &acts);
    assert!(says(&world, phrases::KEYS_NOT_WANTED) && says(&world, phrases::ASK_NUMBER_KEYS));
    assert!(!world.sentences().iter().any(|s| s.contains("one, one one one")), "it is not read back");
    let message = world.record.and_then(|r| r.message).expect("a message");
    assert_eq!(message.callback.as_ref().map(|n| n.expose()), Some("+2348031234567"));
}
