//! What the caller wishes of their data.

use milu::call::{Consent, JournalKind, Output, Wish, phrases};
use milu::residency::CallerWish;
use milu::terms::Moment;

use crate::caller;
use crate::caller::Act::{self, HangUp, Key, Listen, ListenFor, Say, Wait};
use crate::clinic::{BODY, MOON, NAME, OPEN, YES, call, fair, first, says, times};
use crate::ears::EarsFaults;
use crate::mind::HOURS;
use crate::world::{Happened, Weather, World};

const ASKED: Weather = Weather { consent: Consent::Asked, ..Weather::FAIR };
pub const CONSENTS: Wish = Wish::OfData(CallerWish::Consents);
const UNRECORDED: Act = Say(caller::UNRECORDED, 1200);
const RESTRICTS: Wish = Wish::OfData(CallerWish::Restricts);

fn wishes(world: &World) -> Vec<Wish> {
    world.record.as_ref().expect("a record").wishes.iter().map(|wished| wished.wish).collect()
}

fn asked(world: &World) -> Vec<String> {
    let ask = |(_, h): &(Moment, Happened)| match h {
        Happened::Wanted(Output::Ask { words, .. }) => Some(words.expose().clone()),
        _ => None,
    };
    world.log.iter().filter_map(ask).collect()
}

#[test]
fn a_consent_is_asked_for_once_before_all_else_and_a_yes_counts() {
    for yes in [Say("Yes.", 450), Say("I agree.", 700), Key('1')] {
        let world = call(ASKED, &[Listen, yes, Listen, OPEN, Listen, HangUp]);
        let said = world.sentences();
        assert_eq!(said[1..], [phrases::ASK_CONSENT, phrases::CONSENTED, phrases::HELP, HOURS].map(str::to_owned));
        assert_eq!(wishes(&world), [CONSENTS]);
        let written = first(&world, |o| matches!(o, Output::Journal(e) if e.kind == JournalKind::Wished(CONSENTS)));
        let holds = first(&world, |o| matches!(o, Output::Wish(Wish::OfData(CallerWish::Consents))));
        assert!(written.is_some() && written < holds);
        assert_eq!(asked(&world), ["When do you open?"], "no mind is asked what a yes means");
    }
}

#[test]
fn a_no_another_question_and_silence_are_no_consent() {
    for (answer, said_to_it) in [
        (Say("No.", 450), phrases::NOT_CONSENTED),
        (Say("I no gree.", 700), phrases::NOT_CONSENTED),
        (Key('2'), phrases::NOT_CONSENTED),
        (OPEN, HOURS),
        (Wait(9000), phrases::HELP),
        (Key('9'), "name"),
    ] {
        let world = call(ASKED, &[Listen, answer.clone(), Listen, OPEN, Listen, HangUp]);
        let said = world.sentences();
        assert!(said[2].contains(said_to_it), "{answer:?}: {said:?}");
        assert_eq!(times(&world, phrases::ASK_CONSENT), 1);
        assert_eq!((wishes(&world), first(&world, |o| matches!(o, Output::Wish(_)))), (vec![], None), "{answer:?}");
    }
}

#[test]
fn where_nothing_rests_on_it_nobody_is_asked_and_i_agree_is_talk() {
    let world = fair(&[Listen, Say("I agree.", 700), Listen, HangUp]);
    assert_eq!((times(&world, phrases::ASK_CONSENT), wishes(&world)), (0, vec![]));
    assert_eq!(asked(&world), ["I agree."]);
}

#[test]
fn what_was_asked_into_the_notice_is_answered_once_the_consent_is_settled() {
    let world = call(ASKED, &[ListenFor(1000), OPEN, Listen, YES, Listen, HangUp]);
    let said = world.sentences();
    assert_eq!(said[1..], [phrases::ASK_CONSENT, phrases::CONSENTED, HOURS].map(str::to_owned));
    assert_eq!(wishes(&world), [CONSENTS]);
}

#[test]
fn a_consent_can_be_taken_back() {
    let world = call(ASKED, &[Listen, YES, Listen, Say("I take back my consent.", 1500), Listen, OPEN, Listen, HangUp]);
    assert_eq!(wishes(&world), [CONSENTS, Wish::OfData(CallerWish::Withdraws)]);
    assert!(says(&world, phrases::NOT_CONSENTED) && says(&world, HOURS));
    assert!(!world.record.expect("a record").wishes_of_data().consents);
}

#[test]
fn a_consent_that_is_not_taken_any_more_is_not_confirmed() {
    let back_and_forth = [Listen, Say("I take back my consent.", 1500), Listen, Say("I agree.", 700)];
    let minds: Vec<_> = std::iter::repeat_n(back_and_forth, 16).flatten().collect();
    let world = call(ASKED, &[&[Listen, YES][..], &minds, &[Listen, HangUp]].concat());
    // As many as are written down; the last "I agree" is one too many.
    assert_eq!(wishes(&world).len(), 32);
    assert_eq!(times(&world, phrases::CONSENTED), 16);
    assert_eq!(world.sentences().last().map(String::as_str), Some(phrases::NOT_CONSENTED));
    assert!(!world.record.expect("a record").wishes_of_data().consents);
}

#[test]
fn who_wants_nothing_to_leave_hears_that_nothing_does_and_is_answered_all_the_same() {
    let words = "Do not send my voice to the cloud. When do you open?";
    let world = fair(&[Listen, Say(words, 3500), Listen, HangUp]);
    let said = world.sentences();
    assert_eq!(said[2..], [phrases::RESTRICTED, HOURS].map(str::to_owned));
    assert_eq!(wishes(&world), [RESTRICTS]);
    assert_eq!(asked(&world), ["When do you open?"]);
    let holds = first(&world, |o| matches!(o, Output::Wish(Wish::OfData(CallerWish::Restricts))));
    let ask = first(&world, |o| matches!(o, Output::Ask { .. }));
    assert!(holds.is_some() && holds < ask, "it holds before anything else is asked");
    assert!(!world.record.expect("a record").may_be_heard_again());
}

#[test]
fn doubtful_words_are_enough_for_less_and_not_for_more() {
    let doubtful = EarsFaults { doubtful: 1000, ..EarsFaults::NONE };
    let less = call(Weather { ears: doubtful.clone(), ..ASKED }, &[Listen, Say(caller::CLOUD, 2000), Listen, HangUp]);
    assert_eq!(wishes(&less), [RESTRICTS]);
    let more = call(Weather { ears: doubtful, ..ASKED }, &[Listen, Say("I agree.", 700), Listen, HangUp]);
    assert_eq!(wishes(&more), []);
}

#[test]
fn who_would_not_be_recorded_is_not_from_then_on() {
    let acts = [Listen, UNRECORDED, Listen, MOON, Listen, YES, Listen, NAME, Listen, YES, Listen, BODY, Listen, HangUp];
    let world = fair(&acts);
    assert!(says(&world, phrases::RECORDING_STOPPED) && says(&world, phrases::MESSAGE_KEPT));
    assert_eq!(wishes(&world), [Wish::Unrecorded]);
    let record = world.record.expect("a record");
    let wished_ms = record.wishes[0].at_ms;
    let recording = record.recording.expect("what was recorded before");
    assert_eq!(recording.from_ms + recording.duration_ms, wished_ms);
    let message = record.message.expect("a message");
    assert!(message.text.expose().contains("on Monday") && message.sound.is_none(), "{message:?}");
}

#[test]
fn who_would_not_be_recorded_where_nothing_is_hears_that() {
    let weather = Weather { recorded: phrases::Recorded::No, ..Weather::FAIR };
    let world = call(weather, &[Listen, Say("No record me o.", 1200), Listen, HangUp]);
    assert!(says(&world, phrases::NOT_RECORDED) && !says(&world, phrases::RECORDING_STOPPED));
}

#[test]
fn a_wish_in_the_middle_of_a_message_is_followed_and_the_message_goes_on() {
    let wish = Say(caller::CLOUD, 2000);
    let acts = [Listen, MOON, Listen, YES, Listen, wish, Listen, NAME, Listen, YES, Listen, BODY, Listen, HangUp];
    let world = fair(&acts);
    assert_eq!(wishes(&world), [RESTRICTS]);
    assert_eq!(times(&world, phrases::ASK_NAME), 2, "the question is put again");
    let message = world.record.and_then(|r| r.message).expect("a message");
    assert_eq!(message.name.map(milu::terms::Private::into_exposed).as_deref(), Some("Ada"));
}

#[test]
fn who_would_not_be_recorded_says_so_into_the_notice_and_nothing_is() {
    for then in [&[Wait(600), Key('9')][..], &[Wait(600), OPEN], &[]] {
        let acts = [&[ListenFor(300), UNRECORDED][..], then, &[Listen, HangUp]].concat();
        let world = fair(&acts);
        let notice = first(&world, |o| matches!(o, Output::Journal(e) if e.kind == JournalKind::NoticePlayed));
        let wished = first(&world, |o| matches!(o, Output::Journal(e) if matches!(e.kind, JournalKind::Wished(_))));
        assert!(wished.is_some() && wished < notice, "it holds before the notice is over: {then:?}");
        assert_eq!((wishes(&world), times(&world, phrases::NOT_RECORDED)), (vec![Wish::Unrecorded], 1), "{then:?}");
        assert!(world.record.expect("a record").recording.is_none());
    }
}

#[test]
fn who_wants_nothing_to_leave_is_heeded_though_something_newer_is_answered() {
    let wish = Say(caller::CLOUD, 2000);
    for then in [&[Wait(600), Key('9')][..], &[Wait(600), OPEN], &[]] {
        let world = fair(&[&[ListenFor(300), wish.clone()][..], then, &[Listen, HangUp]].concat());
        assert_eq!((wishes(&world), times(&world, phrases::RESTRICTED)), (vec![RESTRICTS], 1), "{then:?}");
    }
}

#[test]
fn what_is_wished_with_the_last_breath_holds_for_what_is_kept() {
    let world = fair(&[Listen, OPEN, Listen, Say(caller::CLOUD, 2000), Wait(500), HangUp]);
    assert_eq!(wishes(&world), [RESTRICTS]);
    assert!(!world.record.expect("a record").may_be_heard_again());
}
