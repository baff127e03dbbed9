//! How much the redactor finds, and how much it takes that it should have left:
//! measured on sentences that were written for it, and on numbers said at random.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests too")]

#[path = "redaction/corpus.rs"]
mod corpus;
#[path = "redaction/speakers.rs"]
mod speakers;

use corpus::{Case, cases, sentences};
use milu::privacy::{Kind, Redactor, StreamRedactor};
use proptest::prelude::*;

const NUMBERS: [&str; 6] = ["written", "spoken", "pidgin", "email", "calls", "later"];

/// Of the identifiers, as a share; in the corpus all are found.
const RECALL_MIN: f64 = 0.99;
/// Of the identifiers that were found, as a share.
const RIGHT_KIND_MIN: f64 = 0.95;
/// Of the sentences that must stay whole, as a share.
const FALSE_ALARMS_MAX: f64 = 0.01;

fn share(part: usize, whole: usize) -> f64 {
    f64::from(u32::try_from(part).unwrap()) / f64::from(u32::try_from(whole).unwrap())
}

/// Each identifier of the case, and whether all of its digits and letters were found.
fn found(case: &Case) -> Vec<(Kind, bool, bool)> {
    let found = Redactor::new().find(&case.text);
    let of_one = |(kind, span): &(Kind, std::ops::Range<usize>)| {
        let is_covered = |at: usize| found.iter().any(|one| one.span.contains(&at));
        let meaning = case.text[span.clone()].char_indices().filter(|(_, c)| c.is_alphanumeric());
        let is_found = meaning.map(|(at, _)| span.start + at).all(is_covered);
        let is_right =
            found.iter().any(|one| one.kind == *kind && one.span.start < span.end && span.start < one.span.end);
        (*kind, is_found, is_right)
    };
    case.private.iter().map(of_one).collect()
}

#[test]
fn identifiers_are_found_however_they_are_written_or_said() {
    let (mut total, mut missed, mut misnamed) = (0, Vec::new(), Vec::new());
    for file in NUMBERS {
        for case in cases(file) {
            for (kind, is_found, is_right) in found(&case) {
                total += 1;
                let row =
                    || format!("{file}: {}: {} -> {}", kind.name(), case.text, Redactor::new().redact(&case.text));
                if !is_found {
                    missed.push(row());
                } else if !is_right {
                    misnamed.push(row());
                }
            }
        }
    }
    let (recall, named) = (share(total - missed.len(), total), share(total - missed.len() - misnamed.len(), total));
    println!("{total} identifiers: recall {recall:.4}, right kind {named:.4}");
    println!("missed:\n{}\nmisnamed:\n{}", missed.join("\n"), misnamed.join("\n"));
    assert!(total >= 150, "only {total} identifiers");
    assert!(recall >= RECALL_MIN, "{} missed", missed.len());
    assert!(named >= RIGHT_KIND_MIN, "{} misnamed", misnamed.len());
}

#[test]
fn what_stands_around_an_identifier_stays() {
    let mut eaten = Vec::new();
    let mut total = 0;
    for case in NUMBERS.into_iter().flat_map(cases) {
        let redacted = Redactor::new().redact(&case.text);
        total += 1;
        // Names may differ: what counts is which words are left.
        let mut wanted = case.redacted.clone();
        let mut given = redacted.clone();
        for kind in Kind::ALL {
            wanted = wanted.replace(kind.label(), "[]");
            given = given.replace(kind.label(), "[]");
        }
        // One number may be taken for two that follow each other.
        while given.contains("[] []") {
            given = given.replace("[] []", "[]");
            wanted = wanted.replace("[] []", "[]");
        }
        if wanted != given {
            eaten.push(format!("{} -> {redacted}", case.text));
        }
    }
    println!("{} of {total} differ:\n{}", eaten.len(), eaten.join("\n"));
    assert!(share(eaten.len(), total) <= 0.03, "{} of {total}", eaten.len());
}

#[test]
fn prices_times_dates_addresses_and_counts_stay() {
    let mut whole = sentences("whole");
    whole.extend(NUMBERS.into_iter().flat_map(cases).filter(|case| case.private.is_empty()).map(|case| case.text));
    let changed: Vec<String> = whole
        .iter()
        .filter(|sentence| Redactor::new().redact(sentence) != **sentence)
        .map(|sentence| format!("{sentence} -> {}", Redactor::new().redact(sentence)))
        .collect();
    println!("{} of {} sentences changed:\n{}", changed.len(), whole.len(), changed.join("\n"));
    assert!(whole.len() >= 100, "only {} sentences", whole.len());
    assert!(share(changed.len(), whole.len()) <= FALSE_ALARMS_MAX, "{} false alarms", changed.len());
}

#[test]
fn an_identifier_is_found_in_the_middle_of_talk_as_it_is_alone() {
    let before = "Good morning. I want to buy some bread, the brown one, and my wife wants cake. ";
    let after = " And when will you open on the day after Christmas? I will come by eight with my brother.";
    for case in NUMBERS.into_iter().flat_map(cases) {
        let text = format!("{before}{}{after}", case.text);
        let redacted = Redactor::new().redact(&text);
        assert!(redacted.starts_with(before), "{redacted}");
        assert!(redacted.ends_with(after), "{redacted}");
        for (_, span) in &case.private {
            let left: String = case.text[span.clone()].to_owned();
            assert!(!redacted.contains(&left), "{redacted}");
        }
    }
}

#[test]
fn a_check_digit_raises_suspicion_and_never_lowers_it() {
    let kinds = |text: &str| Redactor::new().find(text).iter().map(|one| one.kind).collect::<Vec<_>>();
    // Ten digits that begin as a mobile number does; with a bank's check digit they are an account of it.
    let fitting = (0..10).map(|check| format!("803123456{check}")).find(|number| milu::privacy::nuban("044", number));
    let fitting = fitting.expect("one of ten fits");
    assert_eq!(kinds(&format!("send it to {fitting}, Ada")), [Kind::Phone]);
    assert_eq!(kinds(&format!("Access Bank. Send it to {fitting}, Ada")), [Kind::Account]);
    // With a wrong digit each is still taken.
    for (text, kind) in [
        ("4111 1111 1111 1112", Kind::Card),
        ("my NIN is 12345678903", Kind::Nin),
        ("account 0000014578 First Bank", Kind::Account),
    ] {
        assert_eq!(kinds(text), [kind], "{text}");
    }
    // Amounts of money have no check digit: one that has a card's is a card.
    assert_eq!(kinds("₦4111111111111111"), [Kind::Card]);
    assert_eq!(kinds("₦411111111"), []);
}

#[test]
fn opening_hours_stay_and_telephone_numbers_in_such_groups_go() {
    for hours in [
        "Opening hours are 0900 to 1700",
        "Mon-Fri 0830-1730",
        "Mon-Fri 0900-1730",
        "Mon-Fri 0830 – 1730, Sat 0900–1400",
        "We open 0800 till 1800, 7 days a week",
        "Open between 0900 and 1700",
        "0900 to 1700, 1000 to 1400 on Saturdays",
        "Call us 0900 to 1700",
    ] {
        assert_eq!(Redactor::new().redact(hours), hours);
    }
    for number in [
        "It's 0815 - 1230 - 456",
        "It's 0815-1230 456",
        "It's 0815-1230-1500",
        "It's 0815 dash 1230",
        "0803-1234",
        "0815-1230",
        "my number is 0815-1230",
        "my number na 0900 to 1230 456",
    ] {
        let redacted = Redactor::new().redact(number);
        assert_eq!(speakers::digits_left(&redacted), 0, "{number} -> {redacted}");
    }
}

#[test]
fn what_was_redacted_once_stays_as_it_is() {
    for case in NUMBERS.into_iter().flat_map(cases) {
        let once = Redactor::new().redact(&case.text);
        assert_eq!(Redactor::new().redact(&once), once, "{}", case.text);
    }
    for kind in Kind::ALL {
        let text = format!("It is {}, 3500 in all, for 350 rolls and 120 loaves", kind.label());
        assert_eq!(Redactor::new().redact(&text), text);
    }
}

#[test]
fn a_redactor_in_the_log_tells_nothing() {
    let mut stream = StreamRedactor::new();
    stream.push("my pin is 4821 and my name is Chidinma");
    let shown = format!("{stream:?} {:?}", Redactor::new().find("my pin is 4821"));
    assert!(!shown.contains("4821") && !shown.contains("Chidinma"), "{shown}");
}

proptest! {
    #[test]
    fn no_number_said_at_random_leaves_a_digit(spoken in speakers::number()) {
        let redacted = Redactor::new().redact(&spoken.sentence);
        let left = speakers::digits_left(&redacted);
        prop_assert!(left == 0, "{} digits left: {} -> {}", left, spoken.sentence, redacted);
    }

    #[test]
    fn no_address_said_at_random_leaves_a_name((sentence, names) in speakers::address()) {
        let redacted = Redactor::new().redact(&sentence);
        let squeezed: String = redacted.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
        for name in names {
            prop_assert!(!squeezed.contains(name), "{} -> {}", sentence, redacted);
        }
    }

    #[test]
    fn no_amount_time_or_count_made_at_random_is_taken(sentence in speakers::harmless()) {
        prop_assert_eq!(Redactor::new().redact(&sentence), sentence);
    }

    #[test]
    fn identifiers_do_not_overlap_and_stand_within_the_text(text in speakers::talk()) {
        let mut from = 0;
        for one in Redactor::new().find(&text) {
            prop_assert!(one.span.start >= from && one.span.start < one.span.end);
            prop_assert!(text.get(one.span.clone()).is_some(), "{:?} in {}", one.span, text);
            from = one.span.end;
        }
        prop_assert!(from <= text.len());
    }

    #[test]
    fn what_is_left_is_the_text_without_what_was_found(text in speakers::talk()) {
        let mut built = String::new();
        let mut from = 0;
        for one in Redactor::new().find(&text) {
            built.push_str(&text[from..one.span.start]);
            built.push_str(one.kind.label());
            from = one.span.end;
        }
        built.push_str(&text[from..]);
        prop_assert_eq!(Redactor::new().redact(&text), built);
        let mut stream = StreamRedactor::new();
        prop_assert_eq!(stream.push(&text) + &stream.finish(), Redactor::new().redact(&text));
    }
}
