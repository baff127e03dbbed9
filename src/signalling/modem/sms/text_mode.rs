//! Rows of text mode, for modems that know no PDU mode: `+CMGR:`, `+CMGL:` and
//! `+CMT:` with the text in the rows behind.

use super::address::{Address, NumberKind};
use super::hex;
use super::time::CentreTime;
use crate::terms::Private;

/// A text of more rows or characters is no text: the longest one has 255 parts.
const CHARACTERS_MAX: usize = 40_000;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TextModeStatus {
    Unread,
    Read,
    Unsent,
    Sent,
}

/// A text as text mode shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextModeMessage {
    /// None with `+CMT:`, which shows only what has just arrived.
    pub status: Option<TextModeStatus>,
    /// Whom it is from, or for a text of our own to.
    pub address: Address,
    pub sent: Option<CentreTime>,
    pub text: Private<String>,
}

impl TextModeMessage {
    /// The row that heads a text, and the rows behind it up to the end of the answer.
    pub fn read(row: &str, text: &str) -> Option<Self> {
        let (name, rest) = row.trim().split_once(':')?;
        if !matches!(name, "+CMGR" | "+CMGL" | "+CMT") {
            return None;
        }
        let fields = fields(rest);
        let status = fields.iter().position(|field| status(field).is_some());
        let number = fields.get(status.map_or(0, |at| at + 1))?;
        let is_coded = number.len() >= 12 && number.len().is_multiple_of(4) && hex::is_octets(number.as_bytes());
        // Coded figures begin with those of "+" or of a digit.
        let is_coded = is_coded && number.starts_with("00");
        let number = if is_coded { decoded(number)? } else { number.clone() };
        let kind = match number.as_bytes() {
            [b'+', ..] => NumberKind::International,
            [first, ..] if first.is_ascii_digit() => NumberKind::Unknown,
            _ => NumberKind::Name,
        };
        let text: String = text.trim_end_matches(['\r', '\n']).chars().take(CHARACTERS_MAX).collect();
        let text = if is_coded { decoded(text.trim()).unwrap_or(text) } else { text };
        Some(Self {
            status: status.and_then(|at| self::status(&fields[at])),
            address: Address { kind, text: Private::new(number) },
            sent: fields.iter().find_map(|field| CentreTime::of_text(field)),
            text: Private::new(text),
        })
    }
}

fn status(field: &str) -> Option<TextModeStatus> {
    match field {
        "REC UNREAD" => Some(TextModeStatus::Unread),
        "REC READ" => Some(TextModeStatus::Read),
        "STO UNSENT" => Some(TextModeStatus::Unsent),
        "STO SENT" => Some(TextModeStatus::Sent),
        _ => None,
    }
}

/// What stands between the commas that stand outside quotes. The head of a text
/// has at most twelve fields.
fn fields(row: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in row.trim().chars() {
        if c == '"' {
            quoted = !quoted;
        } else if c == ',' && !quoted && fields.len() < 16 {
            fields.push(String::new());
        } else if let Some(field) = fields.last_mut()
            && (quoted || !c.is_whitespace() || !field.is_empty())
        {
            field.push(c);
        }
    }
    fields
}

fn decoded(figures: &str) -> Option<String> {
    if !hex::is_octets(figures.as_bytes()) {
        return None;
    }
    let units: Vec<u16> =
        hex::octets(figures).chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    Some(String::from_utf16_lossy(&units))
}
