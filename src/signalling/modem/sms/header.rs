//! The header in front of a text: which part it is of which, for which port, and
//! in which national tables (3GPP TS 23.040 section 9.2.3.24).

use super::alphabet::Language;
use super::reader::Reader;

/// How wide the reference of a text in parts is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum ReferenceWidth {
    /// One octet: what every telephone knows.
    #[default]
    Narrow,
    Wide,
}

/// Which part of a text in parts it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PartOf {
    /// The same in each part; the sender uses it again for other texts later.
    pub reference: u16,
    pub width: ReferenceWidth,
    pub total: u8,
    /// From 1 to `total`.
    pub number: u8,
}

/// Between which programs it goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ports {
    pub to: u16,
    pub from: u16,
}

/// What a header says. Elements that are not known are passed over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Header {
    pub part: Option<PartOf>,
    pub ports: Option<Ports>,
    pub locking: Option<Language>,
    pub single: Option<Language>,
}

const PART_NARROW: u8 = 0x00;
const PORTS_NARROW: u8 = 0x04;
const PORTS_WIDE: u8 = 0x05;
const PART_WIDE: u8 = 0x08;
const SINGLE_SHIFT: u8 = 0x24;
const LOCKING_SHIFT: u8 = 0x25;

impl Header {
    /// The elements, without the octet that says how long they are. One that says
    /// it is longer than the header ends it.
    pub(super) fn read(octets: &[u8]) -> Self {
        let mut header = Self::default();
        let mut reader = Reader::new(octets);
        while let (Some(kind), Some(length)) = (reader.octet(), reader.octet()) {
            let Some(data) = reader.take(usize::from(length)) else { break };
            header.take(kind, data);
        }
        header
    }

    /// A later element of a kind stands for an earlier one (section 9.2.3.24).
    fn take(&mut self, kind: u8, data: &[u8]) {
        match (kind, data) {
            (PART_NARROW, &[reference, total, number]) => {
                self.take_part(u16::from(reference), ReferenceWidth::Narrow, total, number);
            }
            (PART_WIDE, &[high, low, total, number]) => {
                self.take_part(u16::from_be_bytes([high, low]), ReferenceWidth::Wide, total, number);
            }
            (PORTS_NARROW, &[to, from]) => self.ports = Some(Ports { to: u16::from(to), from: u16::from(from) }),
            (PORTS_WIDE, &[to, to_low, from, from_low]) => {
                let (to, from) = (u16::from_be_bytes([to, to_low]), u16::from_be_bytes([from, from_low]));
                self.ports = Some(Ports { to, from });
            }
            (SINGLE_SHIFT, &[language]) => self.single = Language::of_identifier(language),
            (LOCKING_SHIFT, &[language]) => self.locking = Language::of_identifier(language),
            _ => {}
        }
    }

    /// A part outside its total is none (section 9.2.3.24.1).
    fn take_part(&mut self, reference: u16, width: ReferenceWidth, total: u8, number: u8) {
        if total > 0 && (1..=total).contains(&number) {
            self.part = Some(PartOf { reference, width, total, number });
        }
    }

    /// The header with the octet that says how long it is; empty when it says nothing.
    pub(super) fn written(&self) -> Vec<u8> {
        let mut octets = Vec::new();
        if let Some(part) = self.part {
            let [high, low] = part.reference.to_be_bytes();
            match part.width {
                ReferenceWidth::Narrow => octets.extend([PART_NARROW, 3, low, part.total, part.number]),
                ReferenceWidth::Wide => octets.extend([PART_WIDE, 4, high, low, part.total, part.number]),
            }
        }
        if let Some(ports) = self.ports {
            let ([to, to_low], [from, from_low]) = (ports.to.to_be_bytes(), ports.from.to_be_bytes());
            octets.extend([PORTS_WIDE, 4, to, to_low, from, from_low]);
        }
        for (kind, language) in [(SINGLE_SHIFT, self.single), (LOCKING_SHIFT, self.locking)] {
            if let Some(language) = language {
                octets.extend([kind, 1, language.identifier()]);
            }
        }
        if let Ok(length @ 1..) = u8::try_from(octets.len()) {
            octets.insert(0, length);
        }
        octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let part = |width, reference| Some(PartOf { reference, width, total: 3, number: 2 });
        for header in [
            Header { part: part(ReferenceWidth::Narrow, 0xA5), ..Header::default() },
            Header { part: part(ReferenceWidth::Wide, 0x1234), single: Some(Language::Turkish), ..Header::default() },
            Header { ports: Some(Ports { to: 2948, from: 9200 }), ..Header::default() },
            Header { locking: Some(Language::Urdu), single: Some(Language::Urdu), ..Header::default() },
        ] {
            let written = header.written();
            assert_eq!(usize::from(written[0]), written.len() - 1);
            assert_eq!(Header::read(&written[1..]), header);
        }
        assert!(Header::default().written().is_empty());
    }

    #[test]
    fn a_part_that_cannot_be_is_none_and_strangers_are_passed_over() {
        for octets in [&[0, 3, 1, 0, 0][..], &[0, 3, 1, 2, 3], &[0, 3, 1, 2, 0], &[0, 2, 1, 2], &[0, 9, 1, 2, 1], &[0]]
        {
            assert_eq!(Header::read(octets).part, None, "{octets:?}");
        }
        let read = Header::read(&[0x70, 2, 9, 9, 0, 3, 7, 2, 1]);
        assert_eq!(read.part.map(|p| (p.reference, p.total, p.number)), Some((7, 2, 1)));
    }
}
