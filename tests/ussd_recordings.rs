//! USSD as the recordings show it, its dialogues step by step, and texts in every
//! writing and of any octets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests too")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use milu::signalling::modem::ussd::{
    ANSWER_WAIT_MAX, CannotAsk, DialogEnd, MENU_WAIT_MAX, STEPS_MAX, UssdDialog, UssdForm, UssdRefusal, UssdRow,
    UssdStep, UssdWay, UssdWays, is_open, read_text, request,
};
use milu::terms::{Moment, Private};
use proptest::prelude::*;

/// The rows of one direction of a recording.
fn rows(mark: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modem/recordings/25-ussd-huawei-packed-gsm7.txt");
    let text = fs::read_to_string(path).unwrap();
    text.lines().filter_map(|row| row.strip_prefix(mark)).map(|row| row.trim().to_owned()).collect()
}

fn read(row: &str) -> Option<(String, UssdForm)> {
    let row = UssdRow::parse(row).unwrap();
    read_text(&row, None).map(|reading| (reading.text.into_exposed(), reading.form))
}

#[test]
fn a_huawei_answers_in_packed_septets_whatever_scheme_it_names() {
    let packed = rows("< ");
    assert_eq!(packed.len(), 2);
    for scheme in ["", ",0", ",1", ",15", ",68"] {
        let texts: Vec<(String, UssdForm)> =
            packed.iter().map(|figures| read(&format!("+CUSD: 0,\"{figures}\"{scheme}")).unwrap()).collect();
        // Its source has two letters the other way round, which the octets have not.
        assert_eq!(texts[1], ("Nepravilnyi nomer uslugi".to_owned(), UssdForm::Packed7Hex), "{scheme}");
        assert_eq!(texts[0].1, UssdForm::Packed7Hex, "{scheme}");
        assert!(texts[0].0.is_ascii() && texts[0].0.len() == 17, "{:?}", texts[0].0);
    }
}

#[test]
fn answers_that_makers_and_users_quote_are_read() {
    for (row, text) in [
        // A modem in a router (the maker's manual).
        ("+CUSD: 0,\"EBB79B1E0685E9ECF4BADE9E03\", 0", "konta atlikums"),
        ("+CUSD: 0,\"004F004B\",72", "OK"),
        ("+CUSD: 0,\"041D0435043F0440043004320438043B044C043D043E\",72", "Неправильно"),
        (
            "+CUSD: 0,\"Your account balance is 49.10 USD and will expire on 04/03/16.\",64",
            "Your account balance is 49.10 USD and will expire on 04/03/16.",
        ),
        // Eight-bit characters in figures, whatever the scheme says.
        (
            "+CUSD: 1,\"536973612050756C73612052702E333030302E0A312E59410A322E43656B204B756F74610A\",0",
            "Sisa Pulsa Rp.3000.\n1.YA\n2.Cek Kuota\n",
        ),
        // Arabic behind two letters that name the language, with the modem's memory behind its end.
        (
            "+CUSD: 2,\"613906310635064A062F06430020003100300037002E003900330000FFFF60B16260EEEEFFFF00A9\",17",
            "رصيدك 107.93",
        ),
        // A part in quotes that was not put into figures.
        ("+CUSD: 0,\"0047007500640066006F006B0020\"Shape of you\"002000650064\"\"", "Gudfok \"Shape of you\" ed"),
        (
            "+CUSD: 2,\"00480061007600690020006B0065007200650074003A00200030004600740020007600E0007300E00072\",15",
            "Havi keret: 0Ft vàsàr",
        ),
        // Without quotes and without a scheme.
        ("+CUSD: 0, CE325C1EB6A7D9EE7C1AE47EB7CB72507DCEAE9FD3", "Nepravilnyi nomer uslugi"),
        // A text that was never closed.
        ("+CUSD: 0,\"H", "H"),
    ] {
        assert_eq!(read(row).map(|(text, _)| text).as_deref(), Some(text), "{row}");
    }
}

#[test]
fn a_huawei_is_asked_in_packed_septets() {
    // Its source calls it *100#; the octets are those of *101#.
    let asked = request("*101#", UssdForm::Packed7Hex, 0).unwrap();
    assert_eq!(vec![asked.into_exposed()], rows("> "));
}

#[test]
fn a_text_over_several_rows_is_one_text() {
    let (mut joined, mut taken) = (String::new(), 0);
    for row in ["+CUSD: 1,\"Welcome", "1. Data", "", "2. \"Talk\" more", "0. Back\",15", "OK"] {
        if taken > 0 && !is_open(&joined) {
            break;
        }
        joined = if joined.is_empty() { row.to_owned() } else { format!("{joined}\n{row}") };
        taken += 1;
    }
    assert_eq!(taken, 5);
    assert_eq!(read(&joined).unwrap().0, "Welcome\n1. Data\n\n2. \"Talk\" more\n0. Back");
}

fn plain() -> UssdWay {
    UssdWay { form: UssdForm::Plain, scheme: 15 }
}

fn dialog() -> UssdDialog {
    UssdDialog::new(UssdWays::new(plain()))
}

fn private(text: &str) -> Private<String> {
    Private::new(text.to_owned())
}

fn written(step: &UssdStep) -> &str {
    match step {
        UssdStep::Write(row) => row.expose(),
        other => panic!("{other:?}"),
    }
}

fn said(dialog: &mut UssdDialog, row: &str, now: Moment) -> Vec<UssdStep> {
    dialog.said(&UssdRow::parse(row).unwrap(), now)
}

fn end(end: DialogEnd) -> Vec<UssdStep> {
    vec![UssdStep::Write(private("AT+CUSD=2")), UssdStep::End(end)]
}

#[test]
fn a_menu_is_walked_step_by_step_and_closed_at_its_end() {
    let (mut dialog, now) = (dialog(), Moment::START);
    let first = dialog.begin(&private("*312#"), now).unwrap().unwrap();
    assert_eq!(written(&first), "AT+CUSD=1,\"*312#\",15");
    // One dialogue at a time.
    assert_eq!(dialog.begin(&private("*310#"), now), Ok(None));
    let menu = said(&mut dialog, "+CUSD: 1,\"1. Day\n2. Week\",15", now);
    assert_eq!(menu, vec![UssdStep::Menu(private("1. Day\n2. Week"))]);
    let answer = dialog.answer(&private("2"), now).unwrap().unwrap();
    assert_eq!(written(&answer), "AT+CUSD=1,\"2\",15");
    // A menu waits for one answer.
    assert_eq!(dialog.answer(&private("2"), now), Ok(None));
    let done = said(&mut dialog, "+CUSD: 0,\"1.5GB bought\",15", now);
    assert_eq!(done, [vec![UssdStep::Say(private("1.5GB bought"))], end(DialogEnd::Done)].concat());
    assert!(dialog.is_idle() && dialog.ways().known() == Some(plain()));
}

#[test]
fn ways_to_ask_are_tried_until_one_works_and_that_one_is_remembered() {
    let (mut dialog, now) = (dialog(), Moment::START);
    dialog.begin(&private("*310#"), now).unwrap();
    let second = dialog.refused(UssdRefusal::Writing, now);
    assert_eq!(written(&second[0]), "AT+CUSD=1,\"002A0033003100300023\",15");
    said(&mut dialog, "+CUSD: 0,\"00420061006C003A0020004E00350030\",72", now);
    let known = dialog.ways().known().unwrap();
    assert_eq!(known.name(), "ucs2_hex-15");
    let again = dialog.begin(&private("*323#"), now).unwrap().unwrap();
    assert_eq!(written(&again), "AT+CUSD=1,\"002A0033003200330023\",15");
    // A way that has worked is not what is wrong: the code is not sent twice.
    assert_eq!(dialog.refused(UssdRefusal::Writing, now), end(DialogEnd::Refused));
    assert_eq!(dialog.ways().known(), Some(known));
}

#[test]
fn other_ways_are_tried_only_where_an_error_may_be_for_the_way_alone() {
    let now = Moment::START;
    for (why, ways) in [(UssdRefusal::Characters, 5), (UssdRefusal::Writing, 5), (UssdRefusal::Other, 1)] {
        let mut dialog = dialog();
        dialog.begin(&private("*310#"), now).unwrap();
        let (mut tried, mut last) = (1, dialog.refused(why, now));
        while last.len() == 1 {
            (tried, last) = (tried + 1, dialog.refused(why, now));
        }
        // The dialogue is over, and the modem told so.
        assert_eq!((tried, last), (ways, end(DialogEnd::Refused)), "{why:?}");
    }
}

#[test]
fn an_answer_to_a_menu_is_never_sent_twice() {
    let (mut dialog, now) = (dialog(), Moment::START);
    dialog.begin(&private("*312#"), now).unwrap();
    said(&mut dialog, "+CUSD: 1,\"1. Buy\",15", now);
    dialog.answer(&private("1"), now).unwrap();
    assert_eq!(dialog.refused(UssdRefusal::Writing, now), end(DialogEnd::Refused));
}

#[test]
fn every_status_ends_the_dialogue_as_it_says() {
    for (row, why) in [
        ("+CUSD: 2", DialogEnd::EndedByNetwork),
        ("+CUSD: 3", DialogEnd::OtherClient),
        ("+CUSD: 4", DialogEnd::NotSupported),
        ("+CUSD: 5", DialogEnd::NoAnswer),
    ] {
        // Of a way that has worked in this modem.
        let mut dialog = UssdDialog::new(UssdWays::new(plain()).remembering(plain()));
        dialog.begin(&private("*310#"), Moment::START).unwrap();
        assert_eq!(said(&mut dialog, row, Moment::START), end(why), "{row}");
    }
}

#[test]
fn a_code_that_is_not_supported_is_written_in_each_way_until_one_is_known_to_work() {
    let (mut dialog, now) = (dialog(), Moment::START);
    dialog.begin(&private("*310#"), now).unwrap();
    let mut written_so_far = vec!["AT+CUSD=1,\"*310#\",15".to_owned()];
    let mut last = said(&mut dialog, "+CUSD: 4", now);
    while last.len() == 1 {
        let row = written(&last[0]).to_owned();
        assert!(!written_so_far.contains(&row), "{row}");
        written_so_far.push(row);
        last = said(&mut dialog, "+CUSD: 4", now);
    }
    assert_eq!((written_so_far.len(), last), (5, end(DialogEnd::NotSupported)));
    // An answer to a menu is never sent twice.
    dialog.begin(&private("*312#"), now).unwrap();
    said(&mut dialog, "+CUSD: 1,\"1. Buy\",15", now);
    dialog.answer(&private("1"), now).unwrap();
    assert_eq!(said(&mut dialog, "+CUSD: 4", now), end(DialogEnd::NotSupported));
}

#[test]
fn silence_and_menus_without_end_are_bounded() {
    let (mut dialog, now) = (dialog(), Moment::START);
    assert_eq!(dialog.deadline(), None);
    dialog.begin(&private("*310#"), now).unwrap();
    // An empty row comes before the answer on some modems, and ends nothing.
    assert!(said(&mut dialog, "+CUSD: 0,\"\",15", now).is_empty());
    assert!(dialog.tick(now + ANSWER_WAIT_MAX - Duration::from_millis(1)).is_empty());
    assert_eq!(dialog.tick(now + ANSWER_WAIT_MAX), end(DialogEnd::NoAnswer));
    dialog.begin(&private("*312#"), now).unwrap();
    for _ in 0..STEPS_MAX {
        assert_eq!(said(&mut dialog, "+CUSD: 1,\"More?\",15", now).len(), 1);
    }
    assert_eq!(dialog.deadline(), Some(now + MENU_WAIT_MAX));
    assert_eq!(said(&mut dialog, "+CUSD: 1,\"More?\",15", now), end(DialogEnd::TooManySteps));
    dialog.begin(&private("*312#"), now).unwrap();
    said(&mut dialog, "+CUSD: 1,\"More?\",15", now);
    assert_eq!(dialog.tick(now + MENU_WAIT_MAX), end(DialogEnd::MenuUnanswered));
    assert!(dialog.cancel().is_empty());
}

#[test]
fn what_the_network_says_of_its_own_accord_is_shown_and_begins_nothing() {
    let mut dialog = dialog();
    let steps = said(&mut dialog, "+CUSD: 0,\"You were charged N4.00\",15", Moment::START);
    assert_eq!(steps, vec![UssdStep::Say(private("You were charged N4.00"))]);
    assert!(dialog.is_idle() && dialog.ways().known().is_none());
}

#[test]
fn codes_and_texts_are_not_shown_by_what_holds_them() {
    let mut dialog = dialog();
    let step = dialog.begin(&private("*311*4815162342#"), Moment::START);
    assert!(!format!("{dialog:?} {step:?}").contains("4815162342"));
    let row = UssdRow::parse("+CUSD: 0,\"Card 4815162342 used\",15").unwrap();
    assert!(!format!("{row:?}").contains("4815162342"));
    assert_eq!(dialog.begin(&private("\"4815162342"), Moment::START), Ok(None));
    dialog.cancel();
    let refused = dialog.begin(&private("\"4815162342"), Moment::START).unwrap_err();
    assert_eq!(refused, CannotAsk::Character);
    assert!(!refused.to_string().contains('8'));
}

proptest! {
    #[test]
    fn an_answer_is_read_as_it_was_written_in_any_form(
        text in "[A-Z][a-z]{2,12} [a-z]{3,10}: N[0-9]{1,4}\\.[0-9]{2}[a-z .,:]{0,60}[a-z]",
        form in prop::sample::select(UssdForm::ALL.to_vec()),
        scheme in prop::sample::select(vec![0_u8, 1, 15, 240]),
    ) {
        let Ok(row) = request(&text, form, scheme) else { return Ok(()) };
        // A modem writes an answer as it wants a request written.
        let row = row.into_exposed().replace("AT+CUSD=1,", "+CUSD: 0,");
        prop_assert_eq!(read(&row), Some((text, form)));
    }

    #[test]
    fn no_row_ends_the_process_or_grows(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let rows = format!("+CUSD: 0,{}", String::from_utf8_lossy(&bytes));
        if let Some(row) = UssdRow::parse(&rows) {
            for usual in [None, Some(UssdForm::Plain), Some(UssdForm::Packed7Hex), Some(UssdForm::Ucs2Hex)] {
                let text = read_text(&row, usual).map(|reading| reading.text.into_exposed()).unwrap_or_default();
                prop_assert!(text.chars().count() <= rows.chars().count());
            }
        }
    }
}
