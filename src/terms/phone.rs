use std::fmt;

use thiserror::Error;

use super::Private;

/// E.164 allows at most 15 digits; fewer than 3 is no number that anyone dials.
const MAX_DIGITS: usize = 15;
const MIN_DIGITS: usize = 3;

#[derive(Debug, Error, PartialEq, Eq)]
pub enum InvalidPhoneNumber {
    #[error("a telephone number has 3 to 15 digits")]
    Length,
    #[error(
        "a telephone number has digits, an optional leading '+', and spaces, dots, dashes or brackets between them"
    )]
    Character,
}

/// A telephone number in E.164 form (`+2348031234567`), or a short code as it
/// was dialled (`112`). It belongs to a person and never prints.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneNumber(Private<String>);

impl PhoneNumber {
    /// Reads a number as people and trunks write it.
    ///
    /// `country_code` (digits, without '+') completes national numbers: with
    /// "234", `0803 123 4567`, `002348031234567` and `+2348031234567` are the
    /// same number. Numbers of up to 6 digits are short codes and stay.
    pub fn parse(text: &str, country_code: &str) -> Result<Self, InvalidPhoneNumber> {
        let trimmed = text.trim();
        let (international, rest) = match trimmed.strip_prefix('+') {
            Some(rest) => (true, rest),
            None => (false, trimmed),
        };
        let mut digits = String::with_capacity(MAX_DIGITS + 2);
        for c in rest.chars() {
            match c {
                '0'..='9' => digits.push(c),
                ' ' | '-' | '.' | '(' | ')' => {}
                _ => return Err(InvalidPhoneNumber::Character),
            }
            if digits.len() > MAX_DIGITS + 2 {
                return Err(InvalidPhoneNumber::Length);
            }
        }
        let complete = if international {
            format!("+{digits}")
        } else if let Some(rest) = digits.strip_prefix("00") {
            format!("+{rest}")
        } else if digits.len() <= 6 {
            digits
        } else if let Some(rest) = digits.strip_prefix('0') {
            format!("+{country_code}{rest}")
        } else if digits.starts_with(country_code) && digits.len() > 10 {
            format!("+{digits}")
        } else {
            format!("+{country_code}{digits}")
        };
        let count = complete.trim_start_matches('+').len();
        if (MIN_DIGITS..=MAX_DIGITS).contains(&count) {
            Ok(Self(Private::new(complete)))
        } else {
            Err(InvalidPhoneNumber::Length)
        }
    }

    /// The number itself. Never hand it to a log.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_to_write_a_nigerian_number_are_one_number() {
        for text in
            ["08031234567", "0803 123 4567", "+234 803 123 4567", "002348031234567", "2348031234567", "803-123-4567"]
        {
            let number = PhoneNumber::parse(text, "234").map(|n| n.expose().to_owned());
            assert_eq!(number.as_deref(), Ok("+2348031234567"), "{text}");
        }
    }

    #[test]
    fn a_short_code_stays_as_it_was_dialled() {
        assert_eq!(PhoneNumber::parse("112", "234").map(|n| n.expose().to_owned()).as_deref(), Ok("112"));
    }

    #[test]
    fn what_is_no_number_is_refused_with_its_reason() {
        assert_eq!(PhoneNumber::parse("anonymous", "234"), Err(InvalidPhoneNumber::Character));
        assert_eq!(PhoneNumber::parse("+", "234"), Err(InvalidPhoneNumber::Length));
        assert_eq!(PhoneNumber::parse(&"9".repeat(400), "234"), Err(InvalidPhoneNumber::Length));
    }

    #[test]
    fn a_number_never_prints() {
        let number = PhoneNumber::parse("08031234567", "234");
        assert!(!format!("{number:?}").contains("803"));
    }
}
