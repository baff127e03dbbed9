//! The row `+CUSD: <m>[,"<text>"[,<scheme>]]` (3GPP TS 27.007 section 7.15), also
//! without quotes, without a scheme, over several rows, or with something behind.

use crate::terms::Private;

/// A USSD string has at most 160 octets: 182 characters, or four figures for each
/// of them. Longer ones are cut.
const CHARACTERS_MAX: usize = 2000;

/// What the network says with its answer, or instead of one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum UssdStatus {
    /// This is all.
    Done,
    /// It waits for an answer: a menu.
    WantsAnswer,
    /// The network ended the dialogue.
    EndedByNetwork,
    /// Another client of the modem has answered.
    OtherClient,
    NotSupported,
    /// The network did not answer in its time.
    TimedOut,
}

impl UssdStatus {
    pub const fn of_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Done),
            1 => Some(Self::WantsAnswer),
            2 => Some(Self::EndedByNetwork),
            3 => Some(Self::OtherClient),
            4 => Some(Self::NotSupported),
            5 => Some(Self::TimedOut),
            _ => None,
        }
    }
}

/// A row as it came; its text is still in whatever writing the modem uses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UssdRow {
    pub status: UssdStatus,
    pub text: Option<Private<String>>,
    /// The data coding scheme, when the modem says one.
    pub scheme: Option<u8>,
}

/// Whether the text goes on in the next row: its quotes are not closed yet. Texts have
/// quotes of their own, in pairs for the most part: the text's own end is one that its
/// scheme follows, or that stands at the end of the row and leaves none open.
pub fn is_open(rows: &str) -> bool {
    let Some((_, behind)) = head(rows) else { return false };
    let Some(text) = behind.and_then(|behind| behind.strip_prefix('"')) else { return false };
    let is_closed = closing(text).is_some_and(|at| {
        let has_scheme = text.get(at + 1..).and_then(scheme_of).is_some();
        has_scheme || ends_at(text, at) && text.matches('"').count() % 2 == 1
    });
    text.chars().count() < CHARACTERS_MAX && !is_closed
}

/// The status, and what is behind its comma.
fn head(rows: &str) -> Option<(UssdStatus, Option<&str>)> {
    let rest = rows.trim().strip_prefix("+CUSD:")?.trim_start();
    let (code, behind) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
    let status = UssdStatus::of_code(code.parse().ok()?)?;
    Some((status, behind.trim_start().strip_prefix(',').map(str::trim_start)))
}

impl UssdRow {
    /// Rows that belong together, with the breaks between them.
    pub fn parse(rows: &str) -> Option<Self> {
        let (status, behind) = head(rows)?;
        let Some(rest) = behind else {
            return Some(Self { status, text: None, scheme: None });
        };
        let (text, scheme) = match rest.strip_prefix('"') {
            Some(quoted) => match closing(quoted) {
                Some(end) => (quoted.get(..end)?, scheme_of(quoted.get(end + 1..)?)),
                None => (quoted, None),
            },
            None => unquoted(rest),
        };
        let text: String = text.chars().take(CHARACTERS_MAX).collect();
        Some(Self { status, text: (!text.is_empty()).then(|| Private::new(text)), scheme })
    }
}

/// Where the text ends: at the last quote that only a scheme follows, for texts
/// have quotes of their own; else at the last one of all, behind which is garbage.
fn closing(text: &str) -> Option<usize> {
    let mut quotes = text.rmatch_indices('"').map(|(at, _)| at);
    let last = quotes.next()?;
    if ends_at(text, last) { Some(last) } else { quotes.find(|at| ends_at(text, *at)).or(Some(last)) }
}

/// Whether nothing but a scheme is behind the quote.
fn ends_at(text: &str, quote: usize) -> bool {
    let behind = text.get(quote + 1..).unwrap_or_default().trim();
    behind.is_empty() || scheme_of(behind).is_some()
}

/// The scheme behind a text's last quote. Behind it garbage may stand, but no words, as
/// behind a number in a text.
fn scheme_of(behind: &str) -> Option<u8> {
    let figures = behind.trim().strip_prefix(',')?.trim_start();
    let end = figures.find(|c: char| !c.is_ascii_digit()).unwrap_or(figures.len());
    let (figures, rest) = figures.split_at(end);
    let is_of_text = rest.starts_with(|c: char| c.is_whitespace() || c.is_ascii_punctuation());
    if is_of_text { None } else { figures.parse().ok() }
}

/// Without quotes the last number behind a comma is the scheme, unless it is the
/// end of an amount like `1,000`.
fn unquoted(text: &str) -> (&str, Option<u8>) {
    let Some((before, behind)) = text.rsplit_once(',') else { return (text, None) };
    let is_amount = before.ends_with(|c: char| c.is_ascii_digit()) && behind.len() == 3;
    let coded = !before.is_empty() && before.bytes().all(|b| b.is_ascii_hexdigit());
    match behind.trim().parse() {
        Ok(scheme) if coded || !is_amount => (before.trim_end(), Some(scheme)),
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(rows: &str) -> Option<(UssdStatus, Option<String>, Option<u8>)> {
        UssdRow::parse(rows).map(|row| (row.status, row.text.map(Private::into_exposed), row.scheme))
    }

    #[test]
    fn every_writing_of_the_row_is_read() {
        let some = |text: &str| Some(text.to_owned());
        let done = UssdStatus::Done;
        assert_eq!(parsed("+CUSD: 0,\"Bal: N50.00\",15"), Some((done, some("Bal: N50.00"), Some(15))));
        assert_eq!(parsed("+CUSD:0,\"Bal: N50.00\""), Some((done, some("Bal: N50.00"), None)));
        assert_eq!(parsed("+CUSD: 0,Bal: N50.00,15"), Some((done, some("Bal: N50.00"), Some(15))));
        assert_eq!(parsed("+CUSD: 0,Bal: N1,000"), Some((done, some("Bal: N1,000"), None)));
        assert_eq!(parsed("+CUSD: 0, 004200610031,72"), Some((done, some("004200610031"), Some(72))));
        assert_eq!(
            parsed("+CUSD: 0,\"He said \"yes\", 5 times\",15"),
            Some((done, some("He said \"yes\", 5 times"), Some(15)))
        );
        assert_eq!(parsed("+CUSD: 0,\"Bal\",15\u{1}garbage"), Some((done, some("Bal"), Some(15))));
        assert_eq!(
            parsed("+CUSD: 1,\"1. Data\n2. Talk\",15"),
            Some((UssdStatus::WantsAnswer, some("1. Data\n2. Talk"), Some(15)))
        );
        assert_eq!(parsed("+CUSD: 0,\"\",15"), Some((done, None, Some(15))));
        for (code, status) in [
            (2, UssdStatus::EndedByNetwork),
            (3, UssdStatus::OtherClient),
            (4, UssdStatus::NotSupported),
            (5, UssdStatus::TimedOut),
        ] {
            assert_eq!(parsed(&format!("+CUSD: {code}")), Some((status, None, None)));
        }
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for row in ["+CUSD: (0-2)", "+CUSD: 6", "+CUSD:", "+CUSD", "OK", "", "+CUSD: ,\"x\"", "+CUSD: 99999,\"x\""] {
            assert_eq!(parsed(row), None, "{row}");
        }
    }

    #[test]
    fn a_text_is_open_until_its_quote_is_closed() {
        assert!(is_open("+CUSD: 1,\"1. Data"));
        assert!(is_open("+CUSD: 1,\"1. Data\n2. Talk"));
        assert!(!is_open("+CUSD: 1,\"1. Data\n2. Talk\",15"));
        assert!(!is_open("+CUSD: 2"));
        assert!(!is_open("RING"));
        // Quotes of the text's own, before its end.
        assert!(is_open("+CUSD: 1,\"Welcome to \"MTN\""));
        assert!(is_open("+CUSD: 1,\"Type \"Y"));
        assert!(is_open("+CUSD: 0,\"He said \"yes\", 5 times"));
        assert!(is_open("+CUSD: 0,\"A 5\" pipe\nand more"));
        assert!(!is_open("+CUSD: 0,\"A 5\" pipe\nand more\",15"));
        assert!(!is_open("+CUSD: 0,\"He said \"yes\"\""));
        assert!(!is_open("+CUSD: 0,\"Bal\",15garbage"));
        // A modem that never closes one does not take every row that follows.
        assert!(!is_open(&format!("+CUSD: 1,\"{}", "x".repeat(CHARACTERS_MAX))));
    }
}
