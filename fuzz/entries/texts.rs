//! What the fuzzer feeds to the readers of short messages and of USSD.

use std::time::Duration;

use milu::signalling::modem::airtime::{AirtimeReading, Asks, Operators};
use milu::signalling::modem::sms::{
    Assembly, Body, IncomingText, Message, Outgoing, PDU_OCTETS_MAX, Pdu, TEXT_AGE_MAX, TextModeMessage, compose,
};
use milu::signalling::modem::ussd::{UssdForm, UssdRow, is_open, read_text, request};
use milu::terms::{Moment, PhoneNumber, Private};

/// Rows of PDUs, or of text mode with the text behind the first row. Each text that
/// arrives comes out once, no longer than its PDU, and what it says can be sent on.
pub fn sms_pdu(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut assembly = Assembly::default();
    let (mut parts, mut texts) = (0, Vec::new());
    for (slot, row) in text.lines().enumerate() {
        let Ok(pdu) = Pdu::read(row) else { continue };
        // With the length that a modem says, whether or not it counts the centre in.
        for octets in [row.len() / 2, (row.len() / 2).saturating_sub(8)] {
            let read = Pdu::read_of_length(row, octets);
            assert!(read.is_ok_and(|pdu| format!("{pdu:?}").contains("[private]")), "a length takes no text away");
        }
        let shown = format!("{pdu:?}");
        assert!(shown.contains("[private]"), "a PDU shows neither number nor words: {shown}");
        if let Message::Deliver(deliver) = pdu.message {
            parts += 1;
            let taken = assembly.take(deliver, slot, Duration::ZERO, Moment::START);
            parts -= usize::from(taken.spare.is_some());
            texts.extend(taken.texts);
        }
    }
    texts.extend(assembly.expire(Moment::START + TEXT_AGE_MAX));
    assert_eq!(assembly.waiting(), 0, "nothing is waited for longer than a day");
    let slots: usize = texts.iter().map(|text| text.slots.len()).sum();
    assert_eq!(slots, parts, "each part is in one text");
    for text in &texts {
        send_on(text);
    }
    if let Some((head, rest)) = text.split_once('\n')
        && let Some(message) = TextModeMessage::read(head, rest)
    {
        assert!(message.text.expose().len() <= text.len() * 3, "a text is no longer than its rows");
    }
}

fn send_on(text: &IncomingText<usize>) {
    let Body::Text(words) = &text.body else { return };
    let most = text.slots.len() * PDU_OCTETS_MAX + 255 * 8;
    assert!(words.expose().chars().count() <= most, "a text is no longer than its parts");
    let Ok(to) = PhoneNumber::parse("08031234567", "234") else { return };
    let Ok(composed) = compose(&Outgoing::new(&to, words, 1)) else {
        assert!(words.expose().is_empty() || words.expose().chars().count() > 255, "a short text can be sent");
        return;
    };
    for part in composed {
        let read = Pdu::read(part.row.expose()).map(|pdu| matches!(pdu.message, Message::Submit(_)));
        assert_eq!(read, Ok(true), "what we compose can be read");
    }
}

/// What a network says to a code, as the modem's rows. Whatever its writing, it is
/// no longer than its rows; and what was read can be asked with no row of its own.
pub fn ussd_text(bytes: &[u8]) {
    let rows = format!("+CUSD: {}", String::from_utf8_lossy(bytes));
    let is_going_on = is_open(&rows);
    let Some(row) = UssdRow::parse(&rows) else { return };
    assert!(!is_going_on || row.scheme.is_none(), "a text that has its scheme is over");
    let Ok(operators) = Operators::parse(include_str!("../../firmware-config/operators.toml")) else { return };
    for usual in [None, Some(UssdForm::Plain), Some(UssdForm::Ucs2Hex), Some(UssdForm::Packed7Hex)] {
        let Some(reading) = read_text(&row, usual) else { continue };
        let text: &Private<String> = &reading.text;
        assert!(text.expose().chars().count() <= rows.chars().count(), "a text is no longer than its rows");
        for form in UssdForm::ALL {
            if let Ok(row) = request(text.expose(), form, 15) {
                let breaks = row.expose().contains(['\r', '\n', '\u{1a}', '\u{1b}']);
                assert!(!breaks && row.expose().matches('"').count() == 2, "a request is one command");
            }
        }
        if let Ok(today) = "2026-11-26".parse() {
            let operator = operators.find(Some("62130"), None);
            let reading = AirtimeReading::of_answer(text.expose(), Asks::Balance, operator, today);
            assert!(reading.expires.is_none_or(|(day, _)| day >= today), "what is over does not expire");
        }
    }
}
