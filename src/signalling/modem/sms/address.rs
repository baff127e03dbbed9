//! Addresses: whom a text is from or to, and the service centre that carried it
//! (3GPP TS 23.040 section 9.1.2.5).

use super::alphabet::Alphabet;
use super::hex;
use super::reader::Reader;
use super::septets;
use crate::terms::{PhoneNumber, Private};

/// The longest address, in digits or half octets (section 9.1.2.5: twelve octets,
/// two of which say its length and kind).
const HALF_OCTETS_MAX: u8 = 20;

/// The kind of number, bits 6 to 4 of the type of address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum NumberKind {
    Unknown,
    International,
    National,
    /// Of the network's own, such as a short code.
    Network,
    Subscriber,
    /// A name in letters instead of a number: such a text cannot be answered.
    Name,
    Abbreviated,
    Reserved,
}

impl NumberKind {
    const fn of_type(octet: u8) -> Self {
        match (octet >> 4) & 0x07 {
            0 => Self::Unknown,
            1 => Self::International,
            2 => Self::National,
            3 => Self::Network,
            4 => Self::Subscriber,
            5 => Self::Name,
            6 => Self::Abbreviated,
            _ => Self::Reserved,
        }
    }
}

/// Whom a text is from or to. It belongs to a person and never prints.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Address {
    pub kind: NumberKind,
    /// Digits, with a "+" before those of an international number; or a name.
    pub text: Private<String>,
}

impl Address {
    /// Whether a length in half octets is longer than that of any address.
    pub(super) const fn is_too_long(half_octets: u8) -> bool {
        half_octets > HALF_OCTETS_MAX
    }

    /// The address as a telephone number, completed with the country's code. None
    /// for a name, and for digits that nobody dials.
    pub fn phone(&self, country_code: &str) -> Option<PhoneNumber> {
        (self.kind != NumberKind::Name).then(|| PhoneNumber::parse(self.text.expose(), country_code).ok()).flatten()
    }

    /// An address of a message: its length in half octets, its type, its digits.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Self::read_with(reader, 0)
    }

    /// The same of a name whose length was rounded down to whole octets, so that its
    /// last letter ends in the octet behind them. None for a number.
    pub(super) fn read_rounded_down(reader: &mut Reader<'_>) -> Option<Self> {
        Self::read_with(reader, 1).filter(|address| address.kind == NumberKind::Name)
    }

    fn read_with(reader: &mut Reader<'_>, octets_more: u8) -> Option<Self> {
        let half_octets = reader.octet()?;
        let kind = reader.octet()?;
        if Self::is_too_long(half_octets) {
            return None;
        }
        let octets = reader.take(usize::from(half_octets.div_ceil(2) + octets_more))?;
        Some(Self::of(kind, octets, usize::from(half_octets)))
    }

    /// The address of the service centre: its length in octets with its type.
    /// `Some(None)` when the modem names none.
    pub(super) fn read_centre(reader: &mut Reader<'_>) -> Option<Option<Self>> {
        let octets = reader.octet()?;
        if octets == 0 {
            return Some(None);
        }
        if octets > HALF_OCTETS_MAX / 2 + 2 {
            return None;
        }
        let (kind, digits) = reader.take(usize::from(octets))?.split_first()?;
        Some(Some(Self::of(*kind, digits, digits.len() * 2)))
    }

    fn of(kind_octet: u8, octets: &[u8], half_octets: usize) -> Self {
        let kind = NumberKind::of_type(kind_octet);
        let text = if kind == NumberKind::Name {
            Alphabet::DEFAULT.text(&name(octets, half_octets))
        } else {
            let digits = digits(octets, half_octets);
            if kind == NumberKind::International { format!("+{digits}") } else { digits }
        };
        Self { kind, text: Private::new(text) }
    }

    /// The answer to `AT+CSCA?`: quoted digits, or digits in UCS-2 figures with
    /// quotes or without. None when the SIM names no service centre.
    pub fn of_centre_answer(row: &str) -> Option<Self> {
        let rest = row.trim().strip_prefix("+CSCA:")?.trim();
        let (number, kind) = match rest.rsplit_once(',') {
            Some((number, kind)) => (number, kind.trim().parse::<u8>().ok()),
            None => (rest, None),
        };
        let number = number.trim().trim_matches('"');
        let coded = number.len() >= 12 && number.starts_with("00") && hex::is_octets(number.as_bytes());
        let number = if coded && number.len().is_multiple_of(4) {
            let units: Vec<u16> =
                hex::octets(number).chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            String::from_utf16_lossy(&units)
        } else {
            number.to_owned()
        };
        let digits = number.trim_start_matches('+');
        let is_number = !digits.is_empty() && digits.len() <= usize::from(HALF_OCTETS_MAX);
        if !is_number || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let international = number.starts_with('+') || kind == Some(145);
        let kind = if international { NumberKind::International } else { NumberKind::Unknown };
        let text = if international { format!("+{digits}") } else { digits.to_owned() };
        Some(Self { kind, text: Private::new(text) })
    }
}

/// The septets of a name. Its length is told in half octets, of which a name of seven
/// letters has twelve and a quarter: centres round them up, down, or to whole octets.
fn name(octets: &[u8], half_octets: usize) -> Vec<u8> {
    let told = half_octets * 4 / 7;
    let mut septets = septets::unpack(octets, 0, told + 1);
    // Rounded down, the last letter has room in the octets; bits that only fill are none.
    if septets.len() > told && matches!(septets.last(), Some(0x00 | 0x0D)) {
        septets.pop();
    }
    // To whole octets: seven septets leave room for an eighth, which would be an "@".
    if septets.len() == 8 && half_octets == 14 && septets.last() == Some(&0x00) {
        septets.pop();
    }
    septets
}

/// The low half of each octet stands first; 15 fills an odd number of digits.
fn digits(octets: &[u8], half_octets: usize) -> String {
    let halves = octets.iter().flat_map(|octet| [octet & 0x0F, octet >> 4]).take(half_octets);
    halves.take_while(|half| *half != 0x0F).map(|half| char::from(b"0123456789*#abc"[usize::from(half)])).collect()
}

/// The address of a message to `number`, as it stands in a PDU.
pub(super) fn written(number: &PhoneNumber) -> Vec<u8> {
    let text = number.expose();
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0').collect();
    // 0x91: international, of the telephone numbering plan; 0x81: whatever the network makes of it.
    let kind = if text.starts_with('+') { 0x91 } else { 0x81 };
    // A telephone number has at most fifteen digits.
    let mut octets = vec![u8::try_from(digits.len()).unwrap_or(u8::MAX), kind];
    octets.extend(digits.chunks(2).map(|pair| pair[0] | pair.get(1).copied().unwrap_or(0x0F) << 4));
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(octets: &[u8]) -> Option<(NumberKind, String)> {
        Address::read(&mut Reader::new(octets)).map(|address| (address.kind, address.text.into_exposed()))
    }

    #[test]
    fn a_number_is_written_as_it_is_read() {
        for (text, kind, shown) in [
            ("08031234567", NumberKind::International, "+2348031234567"),
            ("+14155550123", NumberKind::International, "+14155550123"),
            ("300", NumberKind::Unknown, "300"),
        ] {
            let number = PhoneNumber::parse(text, "234").expect("a number");
            assert_eq!(read(&written(&number)), Some((kind, shown.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_name_is_unpacked_and_is_no_telephone_number() {
        let octets = [0x14, 0xD0, 0x49, 0x37, 0xBD, 0x2C, 0x77, 0x97, 0xE9, 0xD3, 0xE6, 0x14];
        assert_eq!(read(&octets), Some((NumberKind::Name, "InternetSMS".to_owned())));
        let name = Address { kind: NumberKind::Name, text: Private::new("3200".to_owned()) };
        assert_eq!(name.phone("234"), None);
    }

    #[test]
    fn a_name_is_whole_however_its_length_was_rounded() {
        for name in [
            "A",
            "T2",
            "MTN",
            "Acme",
            "Lagos",
            "Airtel",
            "Telekom",
            "GTBank12",
            "UBA-Alert",
            "FirstBank1",
            "InternetSMS",
        ] {
            let bits = name.len() * 7;
            let octets = septets::pack(name.as_bytes(), 0);
            let whole = Some((NumberKind::Name, name.to_owned()));
            // Up to half octets, up to octets, down to half octets.
            for half_octets in [bits.div_ceil(4), octets.len() * 2, bits / 4] {
                if half_octets.div_ceil(2) == octets.len() {
                    let head = [u8::try_from(half_octets).expect("short"), 0xD0];
                    assert_eq!(read(&[head.as_slice(), &octets].concat()), whole, "{name} {half_octets}");
                } else {
                    // Down to whole octets: the last one is behind them.
                    let head = [u8::try_from(half_octets).expect("short"), 0xD0];
                    let all = [head.as_slice(), &octets].concat();
                    let found = Address::read_rounded_down(&mut Reader::new(&all));
                    assert_eq!(found.map(|a| (a.kind, a.text.into_exposed())), whole, "{name} {half_octets}");
                }
            }
        }
        assert_eq!(Address::read_rounded_down(&mut Reader::new(&[0x02, 0x91, 0x21, 0x43])), None);
    }

    #[test]
    fn an_address_that_is_cut_or_too_long_is_none() {
        assert_eq!(read(&[0x0B, 0x91, 0x61]), None);
        assert_eq!(read(&[0xFF; 200]), None);
        assert_eq!(read(&[0x0B]), None);
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn a_service_centre_is_read_in_every_writing() {
        let centre = |row: &str| Address::of_centre_answer(row).map(|a| a.text.into_exposed());
        let plus = Some("+79168999100".to_owned());
        assert_eq!(centre("+CSCA: \"+79168999100\",145"), plus);
        assert_eq!(centre("+CSCA: \"79168999100\",145"), plus);
        assert_eq!(centre("+CSCA: 002B00370039003100360038003900390039003100300030,145"), plus);
        assert_eq!(centre("+CSCA: \"79168999100\",129").as_deref(), Some("79168999100"));
        assert_eq!(centre("+CSCA: \"\",129"), None);
        assert_eq!(centre("+CSCA:"), None);
        assert_eq!(centre("+CSCS: \"GSM\""), None);
    }

    #[test]
    fn an_address_never_prints() {
        let address = Address { kind: NumberKind::International, text: Private::new("+2348031234567".to_owned()) };
        assert!(!format!("{address:?}").contains("803"));
    }
}
