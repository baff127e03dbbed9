//! Texts that are composed, cut into parts, shuffled, sent twice and put together
//! again are the same texts; nothing that arrives ends the process.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests too")]

use std::time::Duration;

use milu::signalling::modem::sms::{
    Assembly, Body, CannotCompose, Deliver, IncomingText, Language, Message, Outgoing, Pdu, ReadyPart, ReferenceWidth,
    ReportWish, TEXT_AGE_MAX, TEXTS_MAX, Typography, Wholeness, compose,
};
use milu::terms::{Moment, PhoneNumber, Private};
use proptest::prelude::*;

fn number() -> PhoneNumber {
    PhoneNumber::parse("08031234567", "234").unwrap()
}

fn composed(text: &str, change: impl FnOnce(&mut Outgoing<'_>)) -> Result<Vec<ReadyPart>, CannotCompose> {
    composed_in(text, &[], change)
}

fn composed_in(
    text: &str,
    languages: &[Language],
    change: impl FnOnce(&mut Outgoing<'_>),
) -> Result<Vec<ReadyPart>, CannotCompose> {
    let (to, text) = (number(), Private::new(text.to_owned()));
    let mut outgoing = Outgoing { languages, ..Outgoing::new(&to, &text, 7) };
    outgoing.typography = Typography::Exact;
    change(&mut outgoing);
    compose(&outgoing)
}

/// The same user data as it arrives at the other end, from `from` at a second of
/// the third of December 2026.
fn arrived(part: &ReadyPart, second: u8) -> Deliver {
    let row = part.row.expose();
    // No service centre, first octet, reference, then the address of thirteen digits.
    let first = u8::from_str_radix(&row[2..4], 16).unwrap();
    let validity = if first & 0x10 == 0 { 0 } else { 2 };
    let address = &row[6..6 + 4 + 14];
    let (protocol_and_scheme, rest) = row[24..].split_at(4);
    let data = &rest[validity..];
    let seconds = format!("{}{}", second % 10, second / 10);
    let deliver = format!("00{:02X}{address}{protocol_and_scheme}6221305121{seconds}40{data}", first & 0x40);
    match Pdu::read(&deliver).unwrap().message {
        Message::Deliver(deliver) => deliver,
        other => panic!("{other:?}"),
    }
}

fn text_of<S>(text: &IncomingText<S>) -> String {
    match &text.body {
        Body::Text(text) => text.expose().clone(),
        Body::Octets(_) => panic!("a text"),
    }
}

const ALPHABETS: [&str; 4] = [
    "[ -~]{1,700}",
    "[@£$¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ€\\[\\]{}~^|\\\\\n a-z]{1,500}",
    "[ẹọṣ́̀ A-Za-z👋🏾]{1,300}",
    "\\PC{1,200}",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![ALPHABETS[0], ALPHABETS[1], ALPHABETS[2], ALPHABETS[3]]
}

fn languages() -> impl Strategy<Value = Vec<Language>> {
    prop::collection::vec(prop::sample::select(Language::ALL.to_vec()), 0..4)
}

proptest! {
    #[test]
    fn a_text_in_any_order_and_sent_twice_is_the_same_text(
        text in text(),
        languages in languages(),
        wide in any::<bool>(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 40),
    ) {
        let width = if wide { ReferenceWidth::Wide } else { ReferenceWidth::Narrow };
        let parts = composed_in(&text, &languages, |outgoing| outgoing.width = width).unwrap();
        let mut left: Vec<(usize, Deliver)> = parts.iter().map(|part| arrived(part, 5)).enumerate().collect();
        let mut assembly = Assembly::default();
        let mut texts = Vec::new();
        for (slot, place) in order.iter().enumerate().cycle().take(parts.len()) {
            let (n, part) = left.remove(place.index(left.len()));
            texts.extend(assembly.take(part.clone(), (n, 0), Duration::ZERO, Moment::START).texts);
            // Once more from another place, and from the same one as a sweep shows it.
            let again = assembly.take(part.clone(), (n, slot + 1), Duration::ZERO, Moment::START);
            prop_assert_eq!(again.spare, Some((n, slot + 1)));
            let swept = assembly.take(part, (n, 0), Duration::ZERO, Moment::START);
            prop_assert!(swept.spare.is_none() && swept.texts.is_empty() && again.texts.is_empty());
        }
        prop_assert_eq!(texts.len(), 1);
        prop_assert_eq!(text_of(&texts[0]), text);
        prop_assert_eq!(texts[0].wholeness, Wholeness::Whole);
        prop_assert_eq!(texts[0].slots.clone(), (0..parts.len()).map(|n| (n, 0)).collect::<Vec<_>>());
        prop_assert_eq!(assembly.waiting(), 0);
    }

    #[test]
    fn no_part_is_longer_than_a_part_may_be_or_cuts_a_character(text in text(), languages in languages()) {
        let parts = composed_in(&text, &languages, |_| {}).unwrap();
        let mut whole = String::new();
        for part in &parts {
            let octets = part.row.expose().len() / 2;
            prop_assert_eq!(usize::from(part.octets), octets - 1, "without the service centre's");
            let Message::Submit(submit) = Pdu::read(part.row.expose()).unwrap().message else { panic!("a submit") };
            // No service centre; 14 octets of fields with a number of thirteen digits; 140 of user data.
            prop_assert!(octets <= 1 + 14 + 140, "{octets}");
            let Body::Text(said) = submit.content.body() else { panic!("a text") };
            // A surrogate or an escape that was cut would be lost in its part.
            whole.push_str(said.expose());
        }
        prop_assert_eq!(whole, text);
    }

    #[test]
    fn nothing_that_arrives_ends_the_process(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let row: String = octets.iter().map(|octet| format!("{octet:02X}")).collect();
        if let Ok(Pdu { message: Message::Deliver(deliver), .. }) = Pdu::read(&row) {
            let mut assembly = Assembly::default();
            let taken = assembly.take(deliver, 1, Duration::ZERO, Moment::START);
            let late = assembly.expire(Moment::START + TEXT_AGE_MAX);
            prop_assert_eq!(taken.texts.len() + late.len(), 1);
        }
    }
}

#[test]
fn the_fewest_parts_are_chosen_among_what_the_line_allows() {
    let parts = |text: &str, languages: &[Language]| composed_in(text, languages, |_| {}).unwrap().len();
    let turkish = "Şişli şubesi ".repeat(10);
    assert_eq!((parts(&turkish, &[]), parts(&turkish, &[Language::Turkish])), (2, 1));
    // What the default alphabet holds is never written in another one.
    let row = composed_in("Good morning", &[Language::Hindi], |_| {}).unwrap();
    assert_eq!(row, composed("Good morning", |_| {}).unwrap());
}

#[test]
fn fine_signs_are_made_plain_only_when_that_saves_something() {
    let octets = |text: &str| {
        let parts = composed(text, |outgoing| outgoing.typography = Typography::Plain).unwrap();
        let Message::Submit(submit) = Pdu::read(parts[0].row.expose()).unwrap().message else { panic!("a submit") };
        let Body::Text(text) = submit.content.body() else { panic!("a text") };
        text.into_exposed()
    };
    assert_eq!(octets("It’s ₦5,000 – come"), "It's N5,000 - come");
    assert_eq!(octets("Ọlá’s ₦5,000"), "Ọlá’s ₦5,000");
    assert_eq!(octets("\u{200b}"), "\u{200b}");
}

#[test]
fn what_cannot_be_sent_is_refused_with_its_reason_and_without_its_words() {
    assert_eq!(composed("", |_| {}), Err(CannotCompose::Empty));
    let ten = composed(&"x".repeat(153 * 10), |outgoing| outgoing.parts_max = 10);
    assert_eq!(ten.map(|parts| parts.len()), Ok(10));
    let eleven = composed(&"x".repeat(153 * 10 + 1), |outgoing| outgoing.parts_max = 10);
    assert_eq!(eleven, Err(CannotCompose::TooLong { most: 10 }));
    assert_eq!(composed(&"x".repeat(10_000_000), |_| {}), Err(CannotCompose::TooLong { most: 255 }));
    let shown = format!("{:?}", composed("Adaeze", |outgoing| outgoing.report = ReportWish::Wanted));
    assert!(!shown.contains("Adaeze") && !shown.contains("803"), "{shown}");
}

#[test]
fn a_report_is_asked_for_and_a_centre_named_where_it_was_wanted() {
    let centre = PhoneNumber::parse("+234803000000", "234").unwrap();
    let (to, text) = (number(), Private::new("Hello".to_owned()));
    let mut outgoing = Outgoing::new(&to, &text, 1);
    outgoing.report = ReportWish::Wanted;
    outgoing.centre = Some(&centre);
    let parts = compose(&outgoing).unwrap();
    let pdu = Pdu::read(parts[0].row.expose()).unwrap();
    assert_eq!(pdu.centre.unwrap().text.expose(), "+234803000000");
    let Message::Submit(submit) = pdu.message else { panic!("a submit") };
    assert!(submit.wants_report && submit.validity.is_none());
    assert_eq!(submit.to.phone("234"), Some(to.clone()));
}

/// A text of three parts.
fn three() -> Vec<Deliver> {
    let parts = composed(&format!("{}{}{}", "a".repeat(153), "b".repeat(153), "c"), |_| {}).unwrap();
    parts.iter().map(|part| arrived(part, 5)).collect()
}

#[test]
fn an_incomplete_text_comes_out_marked_when_its_time_is_over() {
    let mut parts = three();
    let mut assembly = Assembly::default();
    assembly.take(parts.remove(2), 3, Duration::ZERO, Moment::START);
    assembly.take(parts.remove(0), 1, Duration::ZERO, Moment::START + Duration::from_secs(60));
    assert_eq!(assembly.deadline(), Some(Moment::START + TEXT_AGE_MAX));
    assert!(assembly.expire(Moment::START + TEXT_AGE_MAX - Duration::from_secs(1)).is_empty());
    let texts = assembly.expire(Moment::START + TEXT_AGE_MAX);
    assert_eq!(text_of(&texts[0]), format!("{} […] c", "a".repeat(153)));
    assert_eq!(texts[0].wholeness, Wholeness::PartsMissing { missing: 1, total: 3 });
    assert_eq!(texts[0].slots, [1, 3]);
    assert_eq!(assembly.deadline(), None);
}

#[test]
fn a_part_that_is_old_already_waits_for_the_others_no_longer_than_a_day_in_all() {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let (old, new) = (three().remove(0), arrived(&composed(&"new ".repeat(50), |_| {}).unwrap()[0], 5));
    let mut assembly = Assembly::default();
    // The newer one is shown first.
    assembly.take(new, 1, hours(1), Moment::START);
    assembly.take(old, 2, hours(25), Moment::START);
    let soon = assembly.deadline().expect("they are waited for");
    // The others of the old one are in the next rows, or may be on their way.
    assert!(soon >= Moment::START + Duration::from_secs(60) && soon <= Moment::START + hours(1), "{soon:?}");
    let texts = assembly.expire(soon);
    assert_eq!((texts.len(), texts[0].slots.as_slice()), (1, [2].as_slice()));
    assert_eq!(assembly.deadline(), Some(Moment::START + hours(23)));
}

#[test]
fn a_reference_that_is_used_again_makes_another_text() {
    let old = composed(&"old ".repeat(50), |_| {}).unwrap();
    let new = composed(&"new ".repeat(50), |_| {}).unwrap();
    let mut assembly = Assembly::default();
    // The second part of the old text never came; a part of the same number comes of the new.
    assert!(assembly.take(arrived(&old[0], 1), 1, Duration::ZERO, Moment::START).texts.is_empty());
    assert!(assembly.take(arrived(&new[0], 30), 2, Duration::ZERO, Moment::START).texts.is_empty());
    assert_eq!(assembly.waiting(), 2);
}

#[test]
fn a_place_that_was_freed_and_filled_again_is_spare_and_not_forgotten() {
    let part = arrived(&composed("Are you open?", |_| {}).unwrap()[0], 5);
    let mut assembly = Assembly::default();
    let taken = assembly.take(part.clone(), 4, Duration::ZERO, Moment::START);
    assert_eq!(taken.texts[0].slots, [4]);
    // Not kept yet: a sweep that shows it again must not have it deleted.
    assert_eq!(assembly.take(part.clone(), 4, Duration::ZERO, Moment::START).spare, None);
    assembly.kept(&[4]);
    // The network sent it once more, and the modem put it in the same place.
    assert_eq!(assembly.take(part, 4, Duration::ZERO, Moment::START).spare, Some(4));
}

#[test]
fn a_flood_of_first_parts_never_holds_more_than_its_bound() {
    let mut assembly = Assembly::default();
    let mut out = 0;
    for reference in 0..1000_u16 {
        let parts = composed(&"x".repeat(200), |outgoing| {
            outgoing.reference = reference;
            outgoing.width = ReferenceWidth::Wide;
        });
        out += assembly.take(arrived(&parts.unwrap()[0], 5), reference, Duration::ZERO, Moment::START).texts.len();
        assert!(assembly.waiting() <= TEXTS_MAX);
    }
    assert_eq!(out, 1000 - TEXTS_MAX);
}

#[test]
fn what_is_for_a_program_or_for_nobody_is_told_from_what_is_for_people() {
    let row = |protocol: &str, scheme: &str, first: &str, data: &str| {
        let row = format!("00{first}0D91328430214365F7{protocol}{scheme}62213051214340{data}");
        let Message::Deliver(deliver) = Pdu::read(&row).unwrap().message else { panic!("a deliver") };
        Assembly::default().take(deliver, (), Duration::ZERO, Moment::START).texts.remove(0)
    };
    assert!(row("00", "00", "04", "02C834").is_for_people());
    // Eight-bit characters may be somebody's words.
    assert!(row("00", "04", "04", "02C834").is_for_people());
    // Type 0; and a text to the port of multimedia messages (2948).
    assert!(!row("40", "00", "04", "02C834").is_for_people());
    assert!(!row("00", "00", "44", "0A0605040B8423F0C834").is_for_people());
}
