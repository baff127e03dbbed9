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

/// Whether a PDU begins with the service centre. Some modems leave it out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Centre {
    InFront,
    LeftOut,
}

impl Pdu {
    /// Reads the row behind `+CMGR:`, `+CMGL:`, `+CMT:` or `+CDS:`.
    pub fn read(row: &str) -> Result<Self, UnreadablePdu> {
        let octets = octets_of(row)?;
        let octets = octets.get(..PDU_OCTETS_MAX).unwrap_or(&octets);
        let usual = Self::of(octets, Centre::InFront);
        // The first bit of a centre's type is always set (section 9.1.2.5).
        let has_centre = matches!(octets, [0, ..] | [_, 0x80..=0xFF, ..]);
        if has_centre && usual.as_ref().is_ok_and(|(pdu, left)| pdu.is_sound(*left)) {
            return usual.map(|(pdu, _)| pdu);
        }
        // Without a centre in front the message itself would be taken for one.
        let other = Self::of(octets, Centre::LeftOut).ok().filter(|(pdu, left)| pdu.is_sound(*left));
        other.map_or(usual, Ok).map(|(pdu, _)| pdu)
    }

    /// The same, of a modem that says how many octets the message has without its centre:
    /// the last field of the row in front.
    pub fn read_of_length(row: &str, message: usize) -> Result<Self, UnreadablePdu> {
        let octets = octets_of(row)?;
        // One that is longer has its centre or is filled up, and one that is shorter was
        // cut. Modems that count the centre in are betrayed by what is read then.
        if octets.len() == message
            && let Ok((pdu, left)) = Self::of(&octets, Centre::LeftOut)
            && pdu.is_sound(left)
        {
            return Ok(pdu);
        }
        Self::read(row)
    }

    /// The PDU, and how many octets are behind it.
    fn of(octets: &[u8], centre: Centre) -> Result<(Self, usize), UnreadablePdu> {
        let reader = &mut Reader::new(octets);
        let centre = match centre {
            Centre::InFront => Address::read_centre(reader).ok_or(UnreadablePdu::Ends("service centre"))?,
            Centre::LeftOut => None,
        };
        let first = reader.octet().ok_or(UnreadablePdu::Ends("first octet"))?;
        let message = match first & 0x03 {
            1 => Message::Submit(Submit::read(first, reader)?),
            2 => Message::Report(Report::read(reader)?),
            // A kind that is reserved is a text that arrived (section 9.2.3.1).
            _ => Message::Deliver(Deliver::read(first, reader)?),
        };
        Ok((Self { centre, message }, reader.left()))
    }

    /// Whether everything is where it belongs: what was read at a wrong place has no time
    /// of a centre, and no user data of the length that it says.
    fn is_sound(&self, left: usize) -> bool {
        match &self.message {
            Message::Deliver(deliver) => deliver.sent.is_some() && deliver.completeness == Completeness::Whole,
            Message::Submit(submit) => submit.completeness == Completeness::Whole && left == 0,
            Message::Report(report) => report.sent.is_some(),
        }
    }
}

fn octets_of(row: &str) -> Result<Vec<u8>, UnreadablePdu> {
    let octets = hex::octets(row);
    if octets.is_empty() { Err(UnreadablePdu::NoFigures) } else { Ok(octets) }
}

fn octet(reader: &mut Reader<'_>, within: &'static str) -> Result<u8, UnreadablePdu> {
    reader.octet().ok_or(UnreadablePdu::Ends(within))
}

fn take<'a>(reader: &mut Reader<'a>, count: usize, within: &'static str) -> Result<&'a [u8], UnreadablePdu> {
    reader.take(count).ok_or(UnreadablePdu::Ends(within))
}

fn address(reader: &mut Reader<'_>) -> Result<Address, UnreadablePdu> {
    let is_long = Reader::clone(reader).octet().is_some_and(Address::is_too_long);
    let why = if is_long { UnreadablePdu::TooLong("address") } else { UnreadablePdu::Ends("address") };
    Address::read(reader).ok_or(why)
}

impl Deliver {
    fn read(first: u8, reader: &mut Reader<'_>) -> Result<Self, UnreadablePdu> {
        let start = *reader;
        let from = address(reader)?;
        let usual = Self::read_behind(from, first, reader);
        if usual.as_ref().is_ok_and(|deliver| deliver.sent.is_some()) {
            return usual;
        }
        // A name that is an octet longer than it says has moved what is behind it.
        let mut other = start;
        let moved = Address::read_rounded_down(&mut other)
            .and_then(|from| Self::read_behind(from, first, &mut other).ok())
            .filter(|deliver| deliver.sent.is_some() && deliver.completeness == Completeness::Whole);
        moved.map_or(usual, |deliver| {
            *reader = other;
            Ok(deliver)
        })
    }

    fn read_behind(from: Address, first: u8, reader: &mut Reader<'_>) -> Result<Self, UnreadablePdu> {
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

#[cfg(test)]
mod tests {
    use super::super::content::Body;
    use super::*;

    /// "hello" of `T2` and of a number, from the first octet to the end of the user data.
    const OF_NAME: &str = "0404D054190000621132614003400 5E8329BFD06";
    const OF_NUMBER: &str = "040B918100551512F2000062113261400340 05E8329BFD06";
    const CENTRE: &str = "07912143658709F1";
    const REPORT: &str = "06B30C9112345678901262702151815580627021518155 8000";

    fn row(text: &str) -> String {
        text.replace(' ', "")
    }

    fn text(pdu: Result<Pdu, UnreadablePdu>) -> (String, String) {
        match pdu.map(|pdu| pdu.message) {
            Ok(Message::Deliver(deliver)) => {
                let Body::Text(words) = deliver.content.body() else { panic!("a text") };
                (deliver.from.text.into_exposed(), words.into_exposed())
            }
            other => panic!("no text that arrived: {other:?}"),
        }
    }

    fn hello(from: &str) -> (String, String) {
        (from.to_owned(), "hello".to_owned())
    }

    #[test]
    fn a_reserved_kind_is_a_text_that_arrived() {
        let reserved = format!("{CENTRE}07{}", &row(OF_NUMBER)[2..]);
        assert_eq!(text(Pdu::read(&reserved)), hello("+18005551212"));
        assert_eq!(Pdu::read("0003"), Err(UnreadablePdu::Ends("address")));
    }

    #[test]
    fn a_row_in_quotes_is_read_and_one_without_figures_is_none() {
        let figures = format!("{CENTRE}{}", row(OF_NUMBER));
        for shown in [format!("\"{figures}\""), format!(" \"{figures}"), format!("{figures}\""), figures] {
            assert_eq!(text(Pdu::read(&shown)), hello("+18005551212"));
        }
        assert_eq!(Pdu::read("\"\""), Err(UnreadablePdu::NoFigures));
        assert_eq!(Pdu::read("hello"), Err(UnreadablePdu::NoFigures));
    }

    #[test]
    fn a_modem_that_leaves_the_centre_out_is_understood() {
        for (message, from) in [(OF_NUMBER, "+18005551212"), (OF_NAME, "T2")] {
            for centre in [CENTRE, "00", ""] {
                let shown = format!("{centre}{}", row(message));
                assert_eq!(text(Pdu::read(&shown)), hello(from), "{shown}");
                let length = row(message).len() / 2;
                assert_eq!(text(Pdu::read_of_length(&shown, length)), hello(from), "{shown}");
                // Some modems count the centre in.
                assert_eq!(text(Pdu::read_of_length(&shown, shown.len() / 2)), hello(from), "{shown}");
            }
        }
        for centre in [CENTRE, "00", ""] {
            let shown = format!("{centre}{}", row(REPORT));
            let read = [Pdu::read(&shown), Pdu::read_of_length(&shown, row(REPORT).len() / 2)];
            for pdu in read {
                let Ok(Message::Report(report)) = pdu.map(|pdu| pdu.message) else { panic!("a report: {shown}") };
                assert_eq!((report.reference, report.delivery), (0xB3, Delivery::Delivered), "{shown}");
                assert_eq!(report.to.text.expose(), "+214365870921");
            }
        }
    }

    #[test]
    fn a_name_whose_length_was_rounded_down_moves_nothing_behind_it() {
        // Seven letters take seven octets, and twelve and a quarter half octets.
        let named = format!("{CENTRE}040CD0D432BBBC7EB701000062113261400340 05E8329BFD06");
        assert_eq!(text(Pdu::read(&row(&named))), hello("Telekom"));
        let named = named.replace("040C", "040E");
        assert_eq!(text(Pdu::read(&row(&named))), hello("Telekom"));
    }

    #[test]
    fn an_address_that_is_longer_than_any_is_told_from_one_that_is_cut() {
        assert_eq!(Pdu::read(&format!("{CENTRE}0420910000")), Err(UnreadablePdu::TooLong("address")));
        assert_eq!(Pdu::read(&format!("{CENTRE}040B9100")), Err(UnreadablePdu::Ends("address")));
    }
}
