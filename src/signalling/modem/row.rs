use super::cme;

/// One row of a modem, looked at closely enough to know whose it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Row {
    /// The end of a command.
    Final(FinalResult),
    /// `+NAME: fields`, `^NAME: fields` and the like. The name has its sign.
    Named { name: String, fields: String },
    /// Anything else: `RING`, a model's name, an IMEI.
    Bare(String),
}

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FinalResult {
    Ok,
    Error,
    /// The equipment's error (3GPP TS 27.007 section 9.2).
    Cme(u16),
    /// The message service's error (3GPP TS 27.005 section 3.2.5).
    Cms(u16),
    /// The modem does not know the command.
    NotSupported,
    NoCarrier,
    Busy,
    NoAnswer,
    NoDialtone,
    Connect,
}

impl FinalResult {
    /// What is a result while a call is dialled or answered, and news otherwise.
    pub(super) const fn is_of_calls(self) -> bool {
        matches!(self, Self::NoCarrier | Self::Busy | Self::NoAnswer | Self::NoDialtone | Self::Connect)
    }
}

/// A number that no error of the standard has, for what came as unknown words.
pub(super) const UNKNOWN_ERROR: u16 = 100;

impl Row {
    pub(super) fn read(text: &str) -> Self {
        let text = text.trim();
        if let Some(result) = final_result(text) {
            return Self::Final(result);
        }
        match split_name(text) {
            Some((name, fields)) => Self::Named { name: name.to_ascii_uppercase(), fields: fields.to_owned() },
            None => Self::Bare(text.to_owned()),
        }
    }

    /// The name of a named row.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Named { name, .. } => Some(name),
            Self::Final(_) | Self::Bare(_) => None,
        }
    }
}

fn final_result(text: &str) -> Option<FinalResult> {
    let upper = text.to_ascii_uppercase();
    Some(match upper.as_str() {
        "OK" => FinalResult::Ok,
        "ERROR" => FinalResult::Error,
        "COMMAND NOT SUPPORT"
        | "COMMAND NOT SUPPORTED"
        | "NOT SUPPORTED"
        | "NOT SUPPORT"
        | "TOO MANY PARAMETERS"
        | "TOO MANY PARAMETER" => FinalResult::NotSupported,
        "NO CARRIER" => FinalResult::NoCarrier,
        "BUSY" => FinalResult::Busy,
        "NO ANSWER" => FinalResult::NoAnswer,
        "NO DIALTONE" | "NO DIAL TONE" => FinalResult::NoDialtone,
        _ if upper == "CONNECT" || upper.starts_with("CONNECT ") => FinalResult::Connect,
        _ => return error_with_reason(&upper),
    })
}

fn error_with_reason(upper: &str) -> Option<FinalResult> {
    let reason = |name: &str| upper.strip_prefix(name).map(|rest| rest.trim_start_matches(':').trim());
    if let Some(reason) = reason("+CME ERROR") {
        let number = reason.parse().ok().or_else(|| cme::number_of_words(reason));
        return Some(FinalResult::Cme(number.unwrap_or(UNKNOWN_ERROR)));
    }
    let reason = reason("+CMS ERROR")?;
    // 500 is the standard's own "unknown error".
    Some(FinalResult::Cms(reason.parse().unwrap_or(500)))
}

/// `+CSQ: 24,99` as `+CSQ` and `24,99`. The sign stands in front of letters and digits.
fn split_name(text: &str) -> Option<(&str, &str)> {
    let sign = text.bytes().next()?;
    if !b"+^$*#&%".contains(&sign) {
        return None;
    }
    let end = text.find(':')?;
    let name = &text[..end];
    let fits = name.len() > 1 && name.bytes().skip(1).all(|b| b.is_ascii_alphanumeric() || b == b'_');
    fits.then(|| (name, text[end + 1..].trim()))
}

/// What stands behind a beginning that is made of whole words; capitals make no difference.
pub(super) fn behind<'a>(text: &'a str, beginning: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(beginning.len())?;
    let cuts_a_word = beginning.ends_with(char::is_alphanumeric) && rest.starts_with(char::is_alphanumeric);
    (head.eq_ignore_ascii_case(beginning) && !cuts_a_word).then_some(rest)
}

/// Fields between commas. Within quotation marks a comma is a character. Blanks
/// around a field and the marks themselves are taken off.
pub(super) fn fields(text: &str) -> Vec<Field<'_>> {
    let mut found = Vec::new();
    let mut from = 0;
    let mut quoted = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                found.push(Field::read(&text[from..at]));
                from = at + 1;
            }
            _ => {}
        }
    }
    found.push(Field::read(&text[from..]));
    found
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Field<'a> {
    pub(super) text: &'a str,
    pub(super) quoted: bool,
}

impl<'a> Field<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        let text = text.trim();
        match text.strip_prefix('"') {
            Some(rest) => Self { text: rest.strip_suffix('"').unwrap_or(rest), quoted: true },
            None => Self { text, quoted: false },
        }
    }

    pub(super) fn number<T: std::str::FromStr>(self) -> Option<T> {
        self.text.parse().ok()
    }
}

/// The field at a place, if the row has it.
pub(super) fn number_at<T: std::str::FromStr>(fields: &[Field<'_>], at: usize) -> Option<T> {
    fields.get(at).and_then(|field| field.number())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, fields: &str) -> Row {
        Row::Named { name: name.to_owned(), fields: fields.to_owned() }
    }

    #[test]
    fn results_are_told_from_other_rows_however_they_are_written() {
        for (text, result) in [
            ("OK", FinalResult::Ok),
            ("ERROR", FinalResult::Error),
            ("COMMAND NOT SUPPORT", FinalResult::NotSupported),
            ("TOO MANY PARAMETERS", FinalResult::NotSupported),
            ("NO CARRIER", FinalResult::NoCarrier),
            ("CONNECT 9600", FinalResult::Connect),
            ("+CME ERROR: 14", FinalResult::Cme(14)),
            ("+CME ERROR: SIM not inserted", FinalResult::Cme(10)),
            ("+CME ERROR: SIM failure", FinalResult::Cme(13)),
            ("+CME ERROR: what nobody knows", FinalResult::Cme(UNKNOWN_ERROR)),
            ("+CMS ERROR: 500", FinalResult::Cms(500)),
        ] {
            assert_eq!(Row::read(text), Row::Final(result), "{text}");
        }
        assert_eq!(Row::read("OKAY"), Row::Bare("OKAY".to_owned()));
        assert_eq!(Row::read("CONNECTED"), Row::Bare("CONNECTED".to_owned()));
    }

    #[test]
    fn a_name_is_a_sign_and_letters_before_a_colon() {
        assert_eq!(Row::read("+CSQ: 24,99"), named("+CSQ", "24,99"));
        assert_eq!(Row::read("+CREG:002,001"), named("+CREG", "002,001"));
        assert_eq!(Row::read("^SLCC: "), named("^SLCC", ""));
        assert_eq!(Row::read("VOICE CALL: END: 000017"), Row::Bare("VOICE CALL: END: 000017".to_owned()));
        assert_eq!(Row::read("+2348031234567: x"), named("+2348031234567", "x"));
        assert_eq!(Row::read("+: x"), Row::Bare("+: x".to_owned()));
    }

    #[test]
    fn a_beginning_is_whole_words_in_capitals_or_without() {
        assert_eq!(behind("CALL READY", "Call Ready"), Some(""));
        assert_eq!(behind("DST: 0", "DST"), Some(": 0"));
        assert_eq!(behind("^CEND:1,0", "^CEND:"), Some("1,0"));
        assert_eq!(behind("StarTAC", "START"), None);
        assert_eq!(behind("RIN", "RING"), None);
        assert_eq!(behind("RIN\u{e9}", "RING"), None);
    }

    #[test]
    fn a_comma_within_quotation_marks_separates_nothing() {
        let found = fields("0, 0,\"T-Mobile, D\" ,7,");
        let texts: Vec<&str> = found.iter().map(|f| f.text).collect();
        assert_eq!(texts, ["0", "0", "T-Mobile, D", "7", ""]);
        assert!(found[2].quoted && !found[3].quoted);
        assert_eq!(number_at::<u8>(&found, 3), Some(7));
        assert_eq!(number_at::<u8>(&found, 9), None);
    }
}
