//! What a text says: septets, UTF-16 or octets, kept as they came. Parts are
//! joined before they are read, so that a pair of septets or of surrogates that a
//! sender cut in two is whole again.

use super::alphabet::Alphabet;
use super::coding::Characters;
use super::header::Header;
use super::septets;
use crate::terms::Private;

/// The user data of one part, unpacked.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Content(Raw);

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Raw {
    Septets(Alphabet, Private<Vec<u8>>),
    Units(Private<Vec<u16>>),
    Octets(Private<Vec<u8>>),
}

/// What one or several parts say together. It belongs to a person and never prints.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Body {
    Text(Private<String>),
    /// For a program and not for a person, or pressed.
    Octets(Private<Vec<u8>>),
}

/// Between two parts when one of them is missing.
const GAP: &str = " […] ";

impl Content {
    /// The user data behind its header. `length` is what the PDU says: septets
    /// with the header's own for 7-bit characters, octets for the others.
    pub(super) fn read(characters: Characters, header: &Header, header_octets: usize, data: &[u8], length: u8) -> Self {
        let body = data.get(header_octets..).unwrap_or_default();
        Self(match characters {
            Characters::Gsm7 => {
                let alphabet = Alphabet { locking: header.locking, single: header.single };
                let skipped = (header_octets * 8).div_ceil(7);
                let count = usize::from(length).saturating_sub(skipped);
                Raw::Septets(alphabet, Private::new(septets::unpack(data, skipped * 7, count)))
            }
            Characters::Ucs2 => {
                let units = body.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
                Raw::Units(Private::new(units.collect()))
            }
            Characters::Octets => Raw::Octets(Private::new(body.to_vec())),
        })
    }

    /// Parts in their order, none where one is missing. Octets come out as octets
    /// only when no part is a text.
    pub fn joined<'a>(parts: impl IntoIterator<Item = Option<&'a Self>>) -> Body {
        let mut joined = Joined::default();
        for part in parts {
            match part.map(|content| &content.0) {
                None => joined.gap(),
                Some(Raw::Septets(alphabet, septets)) => joined.septets(*alphabet, septets.expose()),
                Some(Raw::Units(units)) => joined.units(units.expose()),
                Some(Raw::Octets(octets)) => joined.octets.extend(octets.expose()),
            }
        }
        joined.body()
    }

    /// What the part says alone.
    pub fn body(&self) -> Body {
        Self::joined([Some(self)])
    }
}

/// Text that is being joined: what is read, and what waits for more of its kind.
#[derive(Default)]
struct Joined {
    text: String,
    septets: (Alphabet, Vec<u8>),
    units: Vec<u16>,
    octets: Vec<u8>,
    is_text: bool,
}

impl Joined {
    fn septets(&mut self, alphabet: Alphabet, septets: &[u8]) {
        if !self.units.is_empty() || self.septets.0 != alphabet {
            self.settle();
        }
        self.septets.0 = alphabet;
        self.septets.1.extend(septets);
        self.is_text = true;
    }

    fn units(&mut self, units: &[u16]) {
        if !self.septets.1.is_empty() {
            self.settle();
        }
        self.units.extend(units);
        self.is_text = true;
    }

    fn gap(&mut self) {
        self.settle();
        // One mark for parts that are missing in a row.
        if !self.text.ends_with(GAP) {
            self.text.push_str(GAP);
        }
    }

    fn settle(&mut self) {
        let (alphabet, septets) = std::mem::take(&mut self.septets);
        self.text.push_str(&alphabet.text(&septets));
        self.text.push_str(&String::from_utf16_lossy(&std::mem::take(&mut self.units)));
    }

    fn body(mut self) -> Body {
        if !self.is_text && !self.octets.is_empty() {
            return Body::Octets(Private::new(self.octets));
        }
        self.settle();
        Body::Text(Private::new(self.text))
    }
}
