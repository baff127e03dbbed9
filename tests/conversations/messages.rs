//! Messages of callers, and text messages to them.

use milu::call::{Outcome, Output, phrases};

use crate::caller::Act::{HangUp, Listen, Say};
use crate::caller::CARD;
use crate::clinic::{BODY, MOON, NAME, YES, call, fair, first, outcome, says};
use crate::ears::EarsFaults;
use crate::world::{Happened, Weather, World};

#[test]
fn what_the_file_does_not_know_becomes_a_message_with_name_number_and_sound() {
    let acts = [Listen, MOON, Listen, YES, Listen, NAME, Listen, YES, Listen, BODY, Listen, HangUp];
    let world = fair(&acts);
    assert_eq!(outcome(&world), Outcome::Message);
    let message = world.record.as_ref().and_then(|r| r.message.clone()).expect("a message");
    assert_eq!(message.name.map(milu::terms::Private::into_exposed).as_deref(), Some("Ada"));
    assert_eq!(message.callback.as_ref().map(|n| n.expose()), Some("+2348031234567"));
    assert!(message.text.expose().contains("on Monday"));
    assert!(message.sound.is_some_and(|(from, to)| (3000..5000).contains(&(to - from))));
    assert!(says(&world, phrases::UNKNOWN) && says(&world, phrases::MESSAGE_KEPT));
}

#[test]
fn a_caller_who_hangs_up_with_the_last_word_of_the_message_has_left_it() {
    let world = fair(&[Listen, MOON, Listen, YES, Listen, NAME, Listen, YES, Listen, BODY, HangUp]);
    assert_eq!(outcome(&world), Outcome::Message);
    let message = world.record.and_then(|r| r.message).expect("a message");
    assert!(message.sound.is_some_and(|(from, to)| to - from >= 3000));
}

#[test]
fn a_text_message_that_was_perhaps_asked_for_is_sent_on_a_yes_alone() {
    let doubtful = Weather { ears: EarsFaults { doubtful: 1000, ..EarsFaults::NONE }, ..Weather::FAIR };
    let asks = Say("Please text me your address.", 1500);
    let sent = |world: &World| first(world, |output| matches!(output, Output::SendText { .. })).is_some();
    let world = call(doubtful.clone(), &[Listen, asks.clone(), Listen, HangUp]);
    assert!(says(&world, "I understood: Please text me your address") && !sent(&world));
    assert!(sent(&call(doubtful, &[Listen, asks, Listen, YES, Listen, HangUp])));
}

#[test]
fn a_card_in_a_message_is_in_neither_record_nor_journal_and_the_callback_is_kept() {
    let number = Say("Zero eight zero three one two three four five six seven.", 4000);
    let hidden = Weather { number_shown: false, ..Weather::FAIR };
    let acts =
        [Listen, MOON, Listen, YES, Listen, NAME, Listen, number, Listen, YES, Listen, Say(CARD, 5000), Listen, HangUp];
    let world = call(hidden, &acts);
    let record = world.record.as_ref().expect("a record");
    let message = record.message.as_ref().expect("a message");
    assert_eq!(message.text.expose(), "My card number is [card number].");
    assert_eq!(message.callback.as_ref().map(|n| n.expose()), Some("+2348031234567"), "it is what it was given for");
    let texts: Vec<&str> = record.turns.iter().map(|turn| turn.text.expose().as_str()).collect();
    assert!(texts.iter().any(|text| text.contains("[phone number]")), "{texts:?}");
    let raw = world.log.iter().any(
        |(_, h)| matches!(h, Happened::Wanted(Output::Said(text)) if text.expose().contains("I have oh eight oh three, one two three")),
    );
    assert!(raw, "the mind remembers what was said as it was");
}
