//! A text to be sent, as the PDUs that send it (3GPP TS 23.040 section 9.2.2.2).

use std::ops::Range;
use std::time::Duration;

use thiserror::Error;

use super::address;
use super::alphabet::{Alphabet, Language, Septets};
use super::header::{Header, PartOf, ReferenceWidth};
use super::hex;
use super::pdu::{DATA_OCTETS_MAX, DATA_SEPTETS_MAX};
use super::septets;
use super::time::Validity;
use super::typography;
use crate::terms::{PhoneNumber, Private};

/// The most parts that a text can have: their number has one octet.
pub const PARTS_MAX: u8 = 255;

/// Whether the sender wants to hear what became of the text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ReportWish {
    #[default]
    None,
    Wanted,
}

/// How signs are treated that the 7-bit alphabet does not have.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Typography {
    /// A curled quote, a dash or the sign of the naira becomes a plain one when the
    /// whole text has a place in the 7-bit alphabet then.
    #[default]
    Plain,
    Exact,
}

/// A text to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    pub to: &'a PhoneNumber,
    pub text: &'a Private<String>,
    /// None: the centre that the SIM names.
    pub centre: Option<&'a PhoneNumber>,
    /// Binds the parts together; another one for each text to the same number.
    pub reference: u16,
    pub width: ReferenceWidth,
    pub report: ReportWish,
    /// How long the centre may try; what it likes when none is given.
    pub validity: Option<Duration>,
    /// Whose tables the line may use: many telephones cannot show them.
    pub languages: &'a [Language],
    pub typography: Typography,
    /// More parts than these are refused.
    pub parts_max: u8,
}

impl<'a> Outgoing<'a> {
    /// A text as every telephone can show it, without a report.
    pub const fn new(to: &'a PhoneNumber, text: &'a Private<String>, reference: u16) -> Self {
        Self {
            to,
            text,
            centre: None,
            reference,
            width: ReferenceWidth::Narrow,
            report: ReportWish::None,
            validity: None,
            languages: &[],
            typography: Typography::Plain,
            parts_max: PARTS_MAX,
        }
    }
}

/// One part, ready for the modem.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReadyPart {
    /// The row that answers the prompt, without the octet that ends it (0x1A).
    pub row: Private<String>,
    /// For `AT+CMGS=<octets>`: those of the message, without the service centre's.
    pub octets: u16,
}

/// Why a text cannot be sent. It says nothing of what it holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CannotCompose {
    #[error("the text is empty")]
    Empty,
    #[error("the text needs more than {most} parts")]
    TooLong { most: u8 },
}

/// A text as it will be packed: its characters as units that are never cut.
enum Units {
    Septets(Alphabet, Vec<Septets>),
    Utf16(Vec<char>),
}

impl Units {
    fn lengths(&self) -> Vec<usize> {
        match self {
            Self::Septets(_, units) => units.iter().map(|unit| unit.count()).collect(),
            Self::Utf16(chars) => chars.iter().map(|c| c.len_utf16()).collect(),
        }
    }

    fn header(&self) -> Header {
        match self {
            Self::Septets(alphabet, _) => {
                Header { locking: alphabet.locking, single: alphabet.single, ..Header::default() }
            }
            Self::Utf16(_) => Header::default(),
        }
    }

    /// How much of it has room behind a header of so many octets.
    const fn room(&self, header_octets: usize) -> usize {
        match self {
            Self::Septets(..) => DATA_SEPTETS_MAX - (header_octets * 8).div_ceil(7),
            Self::Utf16(_) => (DATA_OCTETS_MAX - header_octets) / 2,
        }
    }

    /// Where it is cut into parts.
    fn parts(&self, width: ReferenceWidth) -> Vec<Range<usize>> {
        let lengths = self.lengths();
        let header = self.header();
        let alone = self.room(header.written().len());
        if lengths.iter().sum::<usize>() <= alone {
            return std::iter::once(0..lengths.len()).collect();
        }
        let numbered = Header { part: Some(PartOf { reference: 0, width, total: 2, number: 1 }), ..header };
        cut(&lengths, self.room(numbered.written().len()))
    }

    /// The user data of one part: its length as the PDU says it, and its octets.
    fn data(&self, range: Range<usize>, header: &Header) -> (usize, Vec<u8>) {
        let mut data = header.written();
        match self {
            Self::Septets(_, units) => {
                let septets: Vec<u8> = units.get(range).into_iter().flatten().flat_map(|unit| unit.iter()).collect();
                let skipped = (data.len() * 8).div_ceil(7);
                // Bits between the header and the first septet.
                let fill = skipped * 7 - data.len() * 8;
                data.extend(septets::pack(&septets, fill));
                (skipped + septets.len(), data)
            }
            Self::Utf16(chars) => {
                let mut pair = [0; 2];
                for c in chars.get(range).into_iter().flatten() {
                    data.extend(c.encode_utf16(&mut pair).iter().flat_map(|unit| unit.to_be_bytes()));
                }
                (data.len(), data)
            }
        }
    }
}

/// Ranges of units, each as long as it can be within `room`.
fn cut(lengths: &[usize], room: usize) -> Vec<Range<usize>> {
    let (mut parts, mut from, mut filled) = (Vec::new(), 0, 0);
    for (i, length) in lengths.iter().enumerate() {
        if filled + length > room {
            parts.push(from..i);
            (from, filled) = (i, 0);
        }
        filled += length;
    }
    parts.push(from..lengths.len());
    parts
}

/// The PDUs of a text, in the order to be sent in. It is written in the default
/// 7-bit alphabet where every character has a place there; else in whichever
/// needs the fewest parts of UCS-2 and the tables of the languages that are
/// allowed.
pub fn compose(outgoing: &Outgoing<'_>) -> Result<Vec<ReadyPart>, CannotCompose> {
    let text = outgoing.text.expose();
    let most = outgoing.parts_max.max(1);
    if text.is_empty() {
        return Err(CannotCompose::Empty);
    }
    // Before anything is made of it: no character takes less than a septet.
    if text.chars().count() > DATA_SEPTETS_MAX * usize::from(most) * 3 {
        return Err(CannotCompose::TooLong { most });
    }
    let units = units(text, outgoing);
    let parts = units.parts(outgoing.width);
    let total = u8::try_from(parts.len()).ok().filter(|total| *total <= most);
    let total = total.ok_or(CannotCompose::TooLong { most })?;
    let numbered = parts.into_iter().zip(1..=PARTS_MAX);
    Ok(numbered.map(|(range, number)| part(outgoing, &units, range, total, number)).collect())
}

fn units(text: &str, outgoing: &Outgoing<'_>) -> Units {
    let plain = match outgoing.typography {
        Typography::Plain => septets(Alphabet::DEFAULT, text).or_else(|| {
            let plain = typography::plain(text);
            // A text of nothing but marks without width stays what it is.
            septets(Alphabet::DEFAULT, &plain).filter(|_| !plain.is_empty())
        }),
        Typography::Exact => septets(Alphabet::DEFAULT, text),
    };
    if let Some(units) = plain {
        return units;
    }
    let utf16 = Units::Utf16(text.chars().collect());
    let national = outgoing.languages.iter().flat_map(|language| {
        let language = Some(*language);
        [(None, language), (language, None), (language, language)]
    });
    let national = national.filter_map(|(locking, single)| septets(Alphabet { locking, single }, text));
    // Of equals the first is taken: UCS-2, which every telephone can show.
    let needs = |units: &Units| units.parts(outgoing.width).len();
    std::iter::once(utf16).chain(national).min_by_key(needs).unwrap_or_else(|| Units::Utf16(text.chars().collect()))
}

fn septets(alphabet: Alphabet, text: &str) -> Option<Units> {
    let units: Option<Vec<Septets>> = text.chars().map(|c| alphabet.septets(c)).collect();
    Some(Units::Septets(alphabet, units?))
}

fn part(outgoing: &Outgoing<'_>, units: &Units, range: Range<usize>, total: u8, number: u8) -> ReadyPart {
    let reference = match outgoing.width {
        ReferenceWidth::Narrow => outgoing.reference & 0xFF,
        ReferenceWidth::Wide => outgoing.reference,
    };
    let part = (total > 1).then_some(PartOf { reference, width: outgoing.width, total, number });
    let header = Header { part, ..units.header() };
    let (length, data) = units.data(range, &header);
    let has_header = header != Header::default();
    let validity = outgoing.validity.map(Validity::written);
    let mut first = 0x01;
    first |= if validity.is_some() { 0x10 } else { 0 };
    first |= if outgoing.report == ReportWish::Wanted { 0x20 } else { 0 };
    first |= if has_header { 0x40 } else { 0 };
    let scheme = match units {
        Units::Septets(..) => 0x00,
        Units::Utf16(_) => 0x08,
    };
    // The modem gives the reference of the message, which stands as 0 here.
    let mut message = vec![first, 0];
    message.extend(address::written(outgoing.to));
    message.extend([0, scheme]);
    message.extend(validity);
    // At most 160, as `room` leaves no more.
    message.push(u8::try_from(length).unwrap_or(u8::MAX));
    message.extend(data);
    let mut octets = centre(outgoing.centre);
    octets.extend(&message);
    let octets_of_message = u16::try_from(message.len()).unwrap_or(u16::MAX);
    ReadyPart { row: Private::new(hex::written(&octets)), octets: octets_of_message }
}

/// The service centre's address counts its octets and not its digits.
fn centre(number: Option<&PhoneNumber>) -> Vec<u8> {
    let mut written = number.map(address::written).unwrap_or_else(|| vec![0]);
    written[0] = u8::try_from(written.len() - 1).unwrap_or(0);
    written
}
