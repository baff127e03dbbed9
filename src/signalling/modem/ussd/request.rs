//! Codes and answers to menus, as each kind of modem wants them written.

use thiserror::Error;

use super::super::sms::{Alphabet, hex, septets};
use crate::terms::Private;

/// Ends whatever dialogue there is; to be written after each.
pub const CANCEL_ROW: &str = "AT+CUSD=2";

/// In septets (3GPP TS 24.090: 160 octets).
const SEPTETS_MAX: usize = 182;
const UNITS_MAX: usize = 80;

/// How the text of a request or an answer is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum UssdForm {
    /// As it is, with `AT+CSCS="GSM"` or `"IRA"`.
    Plain,
    /// Packed septets in hexadecimal figures: Huawei with `AT^USSDMODE=1`.
    Packed7Hex,
    /// UTF-16 in hexadecimal figures, with `AT+CSCS="UCS2"`.
    Ucs2Hex,
}

impl UssdForm {
    pub const ALL: [Self; 3] = [Self::Plain, Self::Ucs2Hex, Self::Packed7Hex];

    /// As profiles name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Packed7Hex => "packed7_hex",
            Self::Ucs2Hex => "ucs2_hex",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.name() == name)
    }
}

/// Why a code or an answer cannot be sent. It does not say what it was: a code
/// can hold the number of a recharge card.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CannotAsk {
    #[error("there is nothing to send")]
    Empty,
    #[error("it is longer than a USSD string may be")]
    TooLong,
    #[error("it has a character that no AT command may hold")]
    Character,
}

/// The row that sends `text`: a code, or an answer to a menu.
pub fn request(text: &str, form: UssdForm, scheme: u8) -> Result<Private<String>, CannotAsk> {
    if text.is_empty() {
        return Err(CannotAsk::Empty);
    }
    // A quote or a control character would end the command and begin another.
    if text.chars().any(|c| c.is_control() || c == '"') {
        return Err(CannotAsk::Character);
    }
    if text.chars().count() > SEPTETS_MAX {
        return Err(CannotAsk::TooLong);
    }
    let written = match form {
        UssdForm::Plain if text.is_ascii() => text.to_owned(),
        UssdForm::Plain => return Err(CannotAsk::Character),
        UssdForm::Packed7Hex => packed(text)?,
        UssdForm::Ucs2Hex => {
            let units: Vec<u16> = text.encode_utf16().collect();
            if units.len() > UNITS_MAX {
                return Err(CannotAsk::TooLong);
            }
            hex::written(&units.iter().flat_map(|unit| unit.to_be_bytes()).collect::<Vec<u8>>())
        }
    };
    Ok(Private::new(format!("AT+CUSD=1,\"{written}\",{scheme}")))
}

/// Seven septets in the last seven octets leave room for one more, which would be
/// an "@"; a carriage return takes it (3GPP TS 23.038 section 6.1.2.3.1).
fn packed(text: &str) -> Result<String, CannotAsk> {
    let mut septets = Alphabet::DEFAULT.all_septets(text).ok_or(CannotAsk::Character)?;
    if septets.len() > SEPTETS_MAX {
        return Err(CannotAsk::TooLong);
    }
    if septets.len() % 8 == 7 {
        septets.push(0x0D);
    }
    Ok(hex::written(&septets::pack(&septets, 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str, form: UssdForm) -> Result<String, CannotAsk> {
        request(text, form, 15).map(Private::into_exposed)
    }

    #[test]
    fn a_code_is_written_as_each_modem_wants_it() {
        assert_eq!(row("*310#", UssdForm::Plain).as_deref(), Ok("AT+CUSD=1,\"*310#\",15"));
        assert_eq!(row("*310#", UssdForm::Ucs2Hex).as_deref(), Ok("AT+CUSD=1,\"002A0033003100300023\",15"));
        // Seven characters: the eighth is a carriage return and no "@".
        let seven = row("*123*4#", UssdForm::Packed7Hex).expect("a row");
        let figures = seven.split('"').nth(1).expect("quoted");
        assert_eq!(septets::unpack(&hex::octets(figures), 0, 8).last(), Some(&0x0D));
    }

    #[test]
    fn what_would_be_another_command_is_refused() {
        for text in ["*310#\r\nATD112;", "1\",15\rAT", "a\u{1a}", "\"", "\u{1b}"] {
            for form in UssdForm::ALL {
                assert_eq!(row(text, form), Err(CannotAsk::Character), "{form:?}");
            }
        }
        for form in UssdForm::ALL {
            assert_eq!(row("", form), Err(CannotAsk::Empty));
            assert_eq!(row(&"1".repeat(183), form), Err(CannotAsk::TooLong));
        }
        assert_eq!(row("₦", UssdForm::Packed7Hex), Err(CannotAsk::Character));
    }
}
