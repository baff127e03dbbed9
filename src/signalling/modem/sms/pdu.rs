//! PDUs that a modem shows: texts that arrived, reports on texts that were sent,
//! and texts that the SIM keeps to be sent (3GPP TS 23.040 section 9.2).
//!
//! A PDU that is cut short gives what is there and says so: half a customer's
//! text is better than none. It never panics, whatever the octets.

use thiserror::Error;

use super::address::Address;
use super::coding::{Characters, Coding};
use super::content::Content;
use super::delivery::Delivery;
use super::header::Header;
use super::hex;
use super::reader::Reader;
use super::time::{CentreTime, Validity};

/// A PDU has at most 12 octets of the service centre's address and 164 of the
/// message; some modems fill what they keep of it up to 176. What is behind is
/// not read.
pub const PDU_OCTETS_MAX: usize = 256;

/// The user data of one part (section 9.2.3.16).
pub(super) const DATA_OCTETS_MAX: usize = 140;
pub(super) const DATA_SEPTETS_MAX: usize = 160;

/// Why a row is no PDU. It says nothing of what the row holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum UnreadablePdu {
    #[error("the row is no octets in hexadecimal figures")]
    NoFigures,
    #[error("the PDU ends within its {0}")]
    Ends(&'static str),
    #[error("the PDU's {0} is longer than one may be")]
    TooLong(&'static str),
    #[error("the PDU is of a kind that no modem shows")]
    Kind,
}

/// A PDU with the service centre that carried it or is to carry it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pdu {
    /// None: the one that the SIM names.
    pub centre: Option<Address>,
    pub message: Message,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    Deliver(Deliver),
    Submit(Submit),
    Report(Report),
}

/// A text, or a part of one, that arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deliver {
    pub from: Address,
    /// When the service centre had it.
    pub sent: Option<CentreTime>,
    pub protocol: u8,
    pub coding: Coding,
    pub header: Header,
    pub content: Content,
    /// More of the same sender waits in the centre.
    pub more: bool,
    pub completeness: Completeness,
}

/// Whether all of a PDU was there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Completeness {
    Whole,
    /// The user data is shorter than the PDU says.
    CutShort,
}

/// A text, or a part of one, that was sent or is kept to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Submit {
    pub reference: u8,
    pub to: Address,
    pub protocol: u8,
    pub coding: Coding,
    pub validity: Option<Validity>,
    pub wants_report: bool,
    pub header: Header,
    pub content: Content,
    pub completeness: Completeness,
}

/// A report on a text that was sent: matched by the reference that `+CMGS` gave
/// and the number that it went to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    pub reference: u8,
    pub to: Address,
    /// When the centre had the text.
    pub sent: Option<CentreTime>,
    /// When it delivered it or gave up.
    pub done: Option<CentreTime>,
    pub delivery: Delivery,
    /// The octet that says so, for a support record.
    pub status: u8,
}

impl Pdu {
    /// Reads the row behind `+CMGR:`, `+CMGL:`, `+CMT:` or `+CDS:`.
    pub fn read(row: &str) -> Result<Self, UnreadablePdu> {
        let octets = hex::octets(row);
        if octets.is_empty() {
            return Err(UnreadablePdu::NoFigures);
        }
        let reader = &mut Reader::new(octets.get(..PDU_OCTETS_MAX).unwrap_or(&octets));
        let centre = Address::read_centre(reader).ok_or(UnreadablePdu::Ends("service centre"))?;
        let first = reader.octet().ok_or(UnreadablePdu::Ends("first octet"))?;
        let message = match first & 0x03 {
            0 => Message::Deliver(Deliver::read(first, reader)?),
            1 => Message::Submit(Submit::read(first, reader)?),
            2 => Message::Report(Report::read(reader)?),
            _ => return Err(UnreadablePdu::Kind),
        };
        Ok(Self { centre, message })
    }
}

fn octet(reader: &mut Reader<'_>, within: &'static str) -> Result<u8, UnreadablePdu> {
    reader.octet().ok_or(UnreadablePdu::Ends(within))
}

fn take<'a>(reader: &mut Reader<'a>, count: usize, within: &'static str) -> Result<&'a [u8], UnreadablePdu> {
    reader.take(count).ok_or(UnreadablePdu::Ends(within))
}

fn address(reader: &mut Reader<'_>) -> Result<Address, UnreadablePdu> {
    Address::read(reader).ok_or(UnreadablePdu::Ends("address"))
}

impl Deliver {
    fn read(first: u8, reader: &mut Reader<'_>) -> Result<Self, UnreadablePdu> {
        let from = address(reader)?;
        let protocol = octet(reader, "protocol")?;
        let coding = Coding::of_sms(octet(reader, "coding scheme")?);
        let sent = CentreTime::read(take(reader, 7, "time")?);
        let data = UserData::read(first, coding, reader)?;
        let UserData { header, content, completeness } = data;
        // The bit says that no more waits.
        Ok(Self { from, sent, protocol, coding, header, content, more: first & 0x04 == 0, completeness })
    }
}

impl Submit {
    fn read(first: u8, reader: &mut Reader<'_>) -> Result<Self, UnreadablePdu> {
        let reference = octet(reader, "reference")?;
        let to = address(reader)?;
        let protocol = octet(reader, "protocol")?;
        let coding = Coding::of_sms(octet(reader, "coding scheme")?);
        let validity = match (first >> 3) & 0x03 {
            0 => None,
            1 => Some(Validity::of_enhanced(take(reader, 7, "validity")?)),
            2 => Some(Validity::of_relative(octet(reader, "validity")?)),
            _ => Some(Validity::of_absolute(take(reader, 7, "validity")?)),
        };
        let UserData { header, content, completeness } = UserData::read(first, coding, reader)?;
        let wants_report = first & 0x20 != 0;
        Ok(Self { reference, to, protocol, coding, validity, wants_report, header, content, completeness })
    }
}

impl Report {
    /// What may follow the status says nothing more of the text.
    fn read(reader: &mut Reader<'_>) -> Result<Self, UnreadablePdu> {
        let reference = octet(reader, "reference")?;
        let to = address(reader)?;
        let sent = CentreTime::read(take(reader, 7, "time")?);
        let done = CentreTime::read(take(reader, 7, "time of delivery")?);
        let status = octet(reader, "status")?;
        Ok(Self { reference, to, sent, done, delivery: Delivery::of_status(status), status })
    }
}

/// Schemes with the reserved bit say 7-bit characters, and some telephones mean
/// UCS-2 by them: then as many octets are there as the length would be septets.
fn as_counted(coding: Coding, length: u8, left: usize) -> Coding {
    let is_ucs2 = coding.is_doubtful && length >= 8 && length.is_multiple_of(2) && left == usize::from(length);
    if is_ucs2 { Coding { characters: Characters::Ucs2, ..coding } } else { coding }
}

struct UserData {
    header: Header,
    content: Content,
    completeness: Completeness,
}

impl UserData {
    fn read(first: u8, coding: Coding, reader: &mut Reader<'_>) -> Result<Self, UnreadablePdu> {
        let length = octet(reader, "length")?;
        let coding = as_counted(coding, length, reader.left());
        let wanted = match coding.characters {
            Characters::Gsm7 => (usize::from(length) * 7).div_ceil(8),
            _ => usize::from(length),
        };
        if wanted > DATA_OCTETS_MAX {
            return Err(UnreadablePdu::TooLong("user data"));
        }
        let data = reader.take_up_to(wanted);
        let mut completeness = if data.len() < wanted { Completeness::CutShort } else { Completeness::Whole };
        let (mut header, mut header_octets) = (Header::default(), 0);
        if first & 0x40 != 0
            && let Some((&header_length, rest)) = data.split_first()
        {
            let elements = rest.get(..usize::from(header_length)).unwrap_or(rest);
            if elements.len() < usize::from(header_length) {
                completeness = Completeness::CutShort;
            }
            header = Header::read(elements);
            header_octets = elements.len() + 1;
        }
        let content = Content::read(coding.characters, &header, header_octets, data, length);
        Ok(Self { header, content, completeness })
    }
}
