//! The text of an answer, out of whatever writing the modem gave it in. Schemes
//! lie: the writing that fits what is there wins over the one that is named.

use super::super::sms::{Alphabet, Characters, Coding, hex, septets};
use super::request::UssdForm;
use super::row::UssdRow;
use crate::terms::Private;

/// Share of characters, in hundredths, that must be those of a language before
/// figures are taken for coded text.
const SENSE_MIN: usize = 85;

/// Fewer octets than these may look like characters and be packed or wide ones.
const PLAIN_OCTETS_MIN: usize = 8;

/// The septet that makes another character of the next one.
const ESCAPE: u8 = 0x1B;

/// What was read, and in which writing it stood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UssdReading {
    pub text: Private<String>,
    pub form: UssdForm,
}

/// The text of a row. `usual` is the writing in which the modem answered before,
/// if it is known: it decides where two fit.
pub fn read_text(row: &UssdRow, usual: Option<UssdForm>) -> Option<UssdReading> {
    let raw = row.text.as_ref()?.expose().trim_matches(['\r', '\n', '\0']);
    let (characters, prefix) = row.scheme.map_or((Characters::Gsm7, 0), Coding::of_ussd);
    let reading = |text: String, form| Some(UssdReading { text: Private::new(text), form });
    // Some modems break coded figures over rows too. Where there are no septets, a control
    // character is noise of the wire.
    let is_noise = |c: &char| characters == Characters::Ucs2 && c.is_ascii_control();
    let joined: String = raw.chars().filter(|c| !c.is_ascii_whitespace() && !is_noise(c)).collect();
    if !hex::is_octets(joined.as_bytes()) {
        if let Some(text) = quoted_in_figures(raw) {
            return reading(text, UssdForm::Ucs2Hex);
        }
        return reading(plain(raw), UssdForm::Plain);
    }
    let octets = hex::octets(&joined);
    let utf16 = utf16(&octets, if characters == Characters::Ucs2 { prefix } else { 0 });
    let packed = packed(&octets, if characters == Characters::Gsm7 { prefix } else { 0 });
    let fits = |text: &Option<String>| text.as_deref().is_some_and(is_sense);
    // Digits alone, "1000" for instance, are rather an answer than two coded letters.
    let is_number = joined.len() <= 8 && joined.bytes().all(|b| b.is_ascii_digit());
    let named = characters == Characters::Ucs2 && utf16.is_some();
    if named || usual == Some(UssdForm::Ucs2Hex) && fits(&utf16) {
        return reading(utf16?, UssdForm::Ucs2Hex);
    }
    // So many octets that are all plain characters are no accident.
    if (characters == Characters::Octets || octets.len() >= PLAIN_OCTETS_MIN)
        && let Some(text) = eight_bit(&octets)
    {
        return reading(text, UssdForm::Plain);
    }
    if usual == Some(UssdForm::Packed7Hex) && fits(&packed) {
        return reading(packed?, UssdForm::Packed7Hex);
    }
    if is_number || usual == Some(UssdForm::Plain) && !fits(&utf16) && !fits(&packed) {
        return reading(raw.to_owned(), UssdForm::Plain);
    }
    if fits(&utf16) {
        return reading(utf16?, UssdForm::Ucs2Hex);
    }
    if fits(&packed) {
        return reading(packed?, UssdForm::Packed7Hex);
    }
    match eight_bit(&octets) {
        Some(text) if octets.len() > 4 => reading(text, UssdForm::Plain),
        _ => reading(raw.to_owned(), UssdForm::Plain),
    }
}

/// UTF-16 in figures, but for what stands in quotes: some modems write a quoted
/// part of the text as it is.
fn quoted_in_figures(raw: &str) -> Option<String> {
    let mut text = String::new();
    for (n, piece) in raw.trim_end_matches('"').split('"').enumerate() {
        let figures: String = piece.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        if n % 2 == 1 {
            text.push_str(&format!("\"{piece}\""));
        } else if hex::is_octets(figures.as_bytes()) {
            text.push_str(&utf16(&hex::octets(&figures), 0).filter(|text| is_sense(text))?);
        } else {
            return None;
        }
    }
    raw.contains('"').then_some(text)
}

/// Text as it is. Control characters are septets of the default alphabet that
/// nobody turned into characters: "@" is 0x00 and "_" is 0x11, and an escape makes
/// another character of the one behind it.
fn plain(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw.chars().peekable();
    while let Some(c) = rest.next() {
        match u8::try_from(c) {
            // One that nothing printable follows is half a pair, and says nothing.
            Ok(ESCAPE) => {
                let shifted = rest.next_if(|c| (' '..='~').contains(c)).and_then(|c| u8::try_from(c).ok());
                text.extend(shifted.map(|septet| Alphabet::DEFAULT.text(&[ESCAPE, septet])));
            }
            Ok(septet @ (0..=9 | 11 | 12 | 14..=26 | 28..=31)) => text.push_str(&Alphabet::DEFAULT.text(&[septet])),
            _ => text.push(c),
        }
    }
    text.trim().to_owned()
}

/// UTF-16 up to its first zero, without what names the language: two septets in the
/// first two octets, if they are two letters.
fn utf16(octets: &[u8], prefix: usize) -> Option<String> {
    if !octets.len().is_multiple_of(2) {
        return None;
    }
    let is_named = prefix > 0 && octets.get(..2).is_some_and(|first| is_language(&septets::unpack(first, 0, 2)));
    let units = octets.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let units: Vec<u16> = units.skip(usize::from(is_named)).take_while(|unit| *unit != 0).collect();
    let text = String::from_utf16(&units).ok()?;
    (!text.is_empty()).then_some(text)
}

/// Septets of the default alphabet. Seven of them leave room for an eighth, which
/// is a carriage return or nothing (3GPP TS 23.038 section 6.1.2.3.1).
fn packed(octets: &[u8], prefix: usize) -> Option<String> {
    let mut septets = septets::unpack(octets, 0, octets.len() * 8 / 7);
    if septets.len().is_multiple_of(8) && matches!(septets.last(), Some(0x0D | 0x00)) {
        septets.pop();
    }
    // Two letters and a carriage return name the language, where they are there.
    let is_named = prefix > 0 && septets.get(2) == Some(&0x0D) && is_language(&septets);
    let text = Alphabet::DEFAULT.text(septets.get(if is_named { prefix } else { 0 }..)?);
    (!text.is_empty()).then_some(text)
}

/// Whether septets begin with the two letters of a language (ISO 639, in small letters by
/// 3GPP TS 23.038 section 5).
fn is_language(septets: &[u8]) -> bool {
    septets.get(..2).is_some_and(|letters| letters.iter().all(u8::is_ascii_lowercase))
}

fn eight_bit(octets: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(octets).ok()?.trim_end_matches('\0');
    is_sense(text).then(|| text.to_owned())
}

/// Whether it is what a network would say: nearly all of it letters of one
/// script, figures, blanks and common marks.
fn is_sense(text: &str) -> bool {
    let (mut all, mut latin, mut other) = (0, 0, [0_usize; 256]);
    for c in text.chars() {
        all += 1;
        match c {
            ' '..='~' | '\n' | '\r' | '\u{A3}' | '₦' | '€' | 'à'..='ü' => latin += 1,
            // Letters of another script, counted by their block of 256.
            _ if c.is_alphanumeric() => {
                if let Some(block) = other.get_mut((u32::from(c) >> 8) as usize) {
                    *block += 1;
                }
            }
            _ => {}
        }
    }
    let script = other.into_iter().max().unwrap_or(0);
    // Ideographs stand in many blocks; in septets they cannot come out.
    let ideographs: usize = other.get(0x4E..=0x9F).map_or(0, |blocks| blocks.iter().sum());
    let counted = latin + script.max(ideographs);
    // One block alone, as with two figures of an amount, needs some length.
    let is_likely = latin > 0 || text.chars().count() >= 3;
    all > 0 && is_likely && counted * 100 >= all * SENSE_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(row: &str) -> Option<(String, UssdForm)> {
        let row = UssdRow::parse(row).expect("a row");
        read_text(&row, None).map(|reading| (reading.text.into_exposed(), reading.form))
    }

    fn coded(text: &str) -> String {
        text.encode_utf16().map(|unit| format!("{unit:04X}")).collect()
    }

    #[test]
    fn each_writing_is_known_by_what_it_holds_whatever_scheme_is_named() {
        let text = "Your balance is N1,250.50. Valid till 31/12/2026";
        let packed = septets::pack(text.as_bytes(), 0);
        for scheme in ["", ",0", ",1", ",15", ",16", ",17", ",68", ",72", ",240"] {
            // 16 and 17 say that a language is named in front, and none is.
            let plain = read(&format!("+CUSD: 0,\"{text}\"{scheme}"));
            assert_eq!(plain, Some((text.to_owned(), UssdForm::Plain)), "{scheme}");
            if !matches!(scheme, ",17" | ",72") {
                let of_packed = read(&format!("+CUSD: 0,\"{}\"{scheme}", hex::written(&packed)));
                assert_eq!(of_packed, Some((text.to_owned(), UssdForm::Packed7Hex)), "{scheme}");
            }
            let of_ucs2 = read(&format!("+CUSD: 0,\"{}\"{scheme}", coded(text)));
            assert_eq!(of_ucs2, Some((text.to_owned(), UssdForm::Ucs2Hex)), "{scheme}");
        }
    }

    #[test]
    fn a_language_that_is_named_in_front_is_cut_off_and_nothing_else_is() {
        let text = "Your balance is N50.00";
        let packed = |text: &str| hex::written(&septets::pack(text.as_bytes(), 0));
        let named = format!("+CUSD: 0,\"{}\",16", packed(&format!("en\r{text}")));
        assert_eq!(read(&named), Some((text.to_owned(), UssdForm::Packed7Hex)));
        let letters = hex::written(&septets::pack(b"en", 0));
        let named = format!("+CUSD: 0,\"{letters}{}\",17", coded(text));
        assert_eq!(read(&named), Some((text.to_owned(), UssdForm::Ucs2Hex)));
        // What only begins with letters is the text.
        let shown = format!("+CUSD: 0,\"{}\",16", packed("bal N50.00"));
        assert_eq!(read(&shown), Some(("bal N50.00".to_owned(), UssdForm::Packed7Hex)));
        let shown = format!("+CUSD: 0,\"{}\",17", coded("500 naira"));
        assert_eq!(read(&shown), Some(("500 naira".to_owned(), UssdForm::Ucs2Hex)));
    }

    #[test]
    fn other_scripts_are_read_and_short_figures_stay_figures() {
        for text in ["Баланс: 12.50 р.", "您的余额为一百元整", "₦500 owó rẹ"] {
            let found = read(&format!("+CUSD: 0,\"{}\",72", coded(text)));
            assert_eq!(found.map(|(found, _)| found).as_deref(), Some(text));
            let found = read(&format!("+CUSD: 0,\"{}\"", coded(text)));
            assert_eq!(found.map(|(found, _)| found).as_deref(), Some(text));
        }
        for figures in ["1000", "12345678", "50", "2026"] {
            let found = read(&format!("+CUSD: 0,\"{figures}\",15"));
            assert_eq!(found, Some((figures.to_owned(), UssdForm::Plain)));
        }
    }

    #[test]
    fn septets_that_stayed_septets_become_characters() {
        for (septets, text) in
            [("a\u{0}b\u{11}c\u{2}", "a@b_c$"), ("\u{1b}e5 \u{1b}(x\u{1b})", "€5 {x}"), ("a\u{1b}\nb\u{1b}", "a\nb")]
        {
            let found = read(&format!("+CUSD: 0,\"{septets}\",15"));
            assert_eq!(found.map(|(found, _)| found).as_deref(), Some(text));
        }
        let noisy = format!("+CUSD: 0,\"{}\u{0}\",72", coded("N50.00").replace("004E", "004E\u{1}"));
        assert_eq!(read(&noisy), Some(("N50.00".to_owned(), UssdForm::Ucs2Hex)));
        assert_eq!(
            read("+CUSD: 0,\"1. Data\r\n2. Talk\",15").map(|(text, _)| text).as_deref(),
            Some("1. Data\r\n2. Talk")
        );
    }

    #[test]
    fn the_filling_of_seven_septets_is_no_character() {
        for fill in [0x0D, 0x00] {
            let figures = hex::written(&septets::pack(&[b"Balance".as_slice(), &[fill]].concat(), 0));
            assert_eq!(read(&format!("+CUSD: 0,\"{figures}\",15")).map(|(text, _)| text).as_deref(), Some("Balance"));
        }
    }
}
