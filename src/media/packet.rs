//! RTP packets (RFC 3550 section 5.1) in and out of datagrams, without copies.
//! It reads what strangers send, so every length is checked and nothing panics.
//!
//! Headers are written by the `rtp` crate and read here: its reader (0.17.2) panics
//! on a header extension whose length is a lie, and one datagram must not end a call.

use rtp::header::Header;
use thiserror::Error;
use util::marshal::Marshal;

use super::codec::MAX_PAYLOAD;

/// The fixed part of the header.
const HEADER: usize = 12;

/// The largest packet that we build: a header and 60 ms of sound.
pub const MAX_PACKET: usize = HEADER + MAX_PAYLOAD;

/// The payload types that RTCP's packet types 200 to 204 would seem to have
/// (RFC 5761 section 4): such a datagram is a report, not sound.
const RTCP_PAYLOAD_TYPES: std::ops::RangeInclusive<u8> = 72..=76;

#[derive(Debug, Error, PartialEq, Eq, Clone, Copy)]
pub enum ParseRtpError {
    #[error("reading an RTP packet: it is shorter than its header says")]
    TooShort,
    #[error("reading an RTP packet: version {0} instead of 2")]
    Version(u8),
    #[error("reading an RTP packet: it is an RTCP report")]
    Rtcp,
    #[error("reading an RTP packet: its padding is longer than its payload")]
    Padding,
}

/// A packet whose payload is borrowed from the datagram. Contributing sources and
/// header extensions are skipped: no telephone peer puts anything there that we use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    pub marker: bool,
    /// 0 to 127.
    pub payload_type: u8,
    pub sequence: u16,
    /// In ticks of the codec's RTP clock.
    pub timestamp: u32,
    /// Who sends (synchronisation source).
    pub ssrc: u32,
    pub payload: &'a [u8],
}

impl std::fmt::Debug for RtpPacket<'_> {
    /// Without the payload: sound is a person's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RtpPacket")
            .field("payload_type", &self.payload_type)
            .field("sequence", &self.sequence)
            .field("timestamp", &self.timestamp)
            .field("octets", &self.payload.len())
            .finish_non_exhaustive()
    }
}

impl<'a> RtpPacket<'a> {
    pub fn parse(datagram: &'a [u8]) -> Result<Self, ParseRtpError> {
        let Some((header, rest)) = datagram.split_first_chunk::<HEADER>() else {
            return Err(ParseRtpError::TooShort);
        };
        let &[first, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = header;
        if first >> 6 != 2 {
            return Err(ParseRtpError::Version(first >> 6));
        }
        let payload_type = second & 0x7F;
        if RTCP_PAYLOAD_TYPES.contains(&payload_type) {
            return Err(ParseRtpError::Rtcp);
        }
        let mut rest = skip(rest, usize::from(first & 0x0F) * 4)?;
        if first & 0x10 != 0 {
            let Some((&[_, _, high, low], body)) = rest.split_first_chunk::<4>() else {
                return Err(ParseRtpError::TooShort);
            };
            rest = skip(body, usize::from(u16::from_be_bytes([high, low])) * 4)?;
        }
        if first & 0x20 != 0 {
            rest = without_padding(rest)?;
        }
        Ok(Self {
            marker: second & 0x80 != 0,
            payload_type,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
            payload: rest,
        })
    }

    /// Writes the packet; returns the octets used. A payload above 60 ms is cut,
    /// which no encoder of ours makes.
    pub fn write(&self, out: &mut [u8; MAX_PACKET]) -> usize {
        let len = self.payload.len().min(MAX_PAYLOAD);
        debug_assert_eq!(len, self.payload.len(), "our encoders make 60 ms at most");
        let header = Header {
            version: 2,
            marker: self.marker,
            payload_type: self.payload_type & 0x7F,
            sequence_number: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            ..Header::default()
        };
        let written = header.marshal_to(&mut out[..HEADER]);
        debug_assert_eq!(written.ok(), Some(HEADER), "a header without extensions has twelve octets");
        out[HEADER..HEADER + len].copy_from_slice(&self.payload[..len]);
        HEADER + len
    }
}

fn skip(octets: &[u8], count: usize) -> Result<&[u8], ParseRtpError> {
    octets.get(count..).ok_or(ParseRtpError::TooShort)
}

fn without_padding(octets: &[u8]) -> Result<&[u8], ParseRtpError> {
    let padding = usize::from(*octets.last().ok_or(ParseRtpError::Padding)?);
    match octets.len().checked_sub(padding) {
        Some(len) if padding > 0 => Ok(&octets[..len]),
        _ => Err(ParseRtpError::Padding),
    }
}

/// The numbers that run through one outgoing stream.
#[derive(Clone, Copy, Debug)]
pub struct RtpStream {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
}

/// Where an outgoing stream begins; RFC 3550 section 5.1 wants all three random.
#[derive(Clone, Copy, Debug)]
pub struct RtpStart {
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
}

impl RtpStream {
    pub const fn new(start: RtpStart) -> Self {
        Self { ssrc: start.ssrc, sequence: start.sequence, timestamp: start.timestamp }
    }

    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The timestamp of the sound that is sent next.
    pub const fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// The header of a packet of sound; time goes on by its ticks.
    pub fn sound<'a>(&mut self, payload_type: u8, payload: &'a [u8]) -> RtpPacket<'a> {
        let packet = self.at(self.timestamp, payload_type, payload);
        // At most 480 octets, one tick each.
        self.timestamp = self.timestamp.wrapping_add(u32::try_from(payload.len()).unwrap_or(0));
        packet
    }

    /// A packet at a timestamp of its own (a telephone event): time does not go on.
    pub fn at<'a>(&mut self, timestamp: u32, payload_type: u8, payload: &'a [u8]) -> RtpPacket<'a> {
        let sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        RtpPacket { marker: false, payload_type, sequence, timestamp, ssrc: self.ssrc, payload }
    }

    /// Lets time go on without sending sound.
    pub fn pass(&mut self, ticks: u32) {
        self.timestamp = self.timestamp.wrapping_add(ticks);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use util::marshal::{Marshal as _, Unmarshal as _};

    use super::*;

    #[test]
    fn datagrams_that_are_no_sound_are_refused() {
        assert_eq!(RtpPacket::parse(&[0x80; 11]), Err(ParseRtpError::TooShort));
        assert_eq!(RtpPacket::parse(&[0x40; 20]), Err(ParseRtpError::Version(1)));
        let mut report = [0; 28];
        (report[0], report[1]) = (0x80, 200);
        assert_eq!(RtpPacket::parse(&report), Err(ParseRtpError::Rtcp));
    }

    #[test]
    fn an_extension_longer_than_the_packet_is_refused() {
        let mut datagram = [0; 20];
        (datagram[0], datagram[15]) = (0x90, 2);
        assert_eq!(RtpPacket::parse(&datagram), Err(ParseRtpError::TooShort));
        datagram[15] = 1;
        assert_eq!(RtpPacket::parse(&datagram).map(|p| p.payload.len()), Ok(0));
    }

    #[test]
    fn padding_is_taken_off_and_never_more_than_there_is() {
        let mut datagram = [7; 16];
        datagram[0] = 0xA0;
        datagram[15] = 3;
        assert_eq!(RtpPacket::parse(&datagram).map(|p| p.payload), Ok([7].as_slice()));
        datagram[15] = 5;
        assert_eq!(RtpPacket::parse(&datagram), Err(ParseRtpError::Padding));
        datagram[15] = 0;
        assert_eq!(RtpPacket::parse(&datagram), Err(ParseRtpError::Padding));
    }

    #[test]
    fn a_stream_counts_packets_and_octets_past_their_ends() {
        let mut stream = RtpStream::new(RtpStart { ssrc: 7, sequence: u16::MAX, timestamp: u32::MAX - 159 });
        let first = stream.sound(8, &[0; 160]);
        let second = stream.sound(8, &[0; 160]);
        assert_eq!((first.sequence, second.sequence), (u16::MAX, 0));
        assert_eq!(second.timestamp, 0);
    }

    proptest! {
        #[test]
        fn no_datagram_panics(datagram in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(packet) = RtpPacket::parse(&datagram) {
                prop_assert!(packet.payload.len() <= datagram.len() - HEADER);
            }
        }

        #[test]
        fn what_we_write_is_read_alike_by_us_and_by_another_library(
            marker: bool, payload_type in 0u8..72, sequence: u16, timestamp: u32, ssrc: u32,
            payload in proptest::collection::vec(any::<u8>(), 0..=480),
        ) {
            let packet = RtpPacket { marker, payload_type, sequence, timestamp, ssrc, payload: &payload };
            let mut out = [0; MAX_PACKET];
            let len = packet.write(&mut out);
            prop_assert_eq!(RtpPacket::parse(&out[..len]), Ok(packet));
            let other = rtp::packet::Packet::unmarshal(&mut &out[..len]).unwrap();
            prop_assert_eq!(other.header.sequence_number, sequence);
            prop_assert_eq!(other.header.timestamp, timestamp);
            prop_assert_eq!(other.header.marker, marker);
            prop_assert_eq!(&other.payload[..], &payload[..]);
        }

        #[test]
        fn packets_of_another_library_are_read(
            csrc in proptest::collection::vec(any::<u32>(), 0..16), payload in proptest::collection::vec(any::<u8>(), 1..200),
            padding: bool, extension in proptest::option::of(proptest::collection::vec(any::<u8>(), 1..16)),
        ) {
            let mut header = rtp::header::Header { version: 2, padding, csrc, ..Default::default() };
            if let Some(extension) = extension {
                header.extension = true;
                header.extension_profile = 0xBEDE;
                header.set_extension(5, extension.into()).unwrap();
            }
            let theirs = rtp::packet::Packet { header, payload: payload.clone().into() }.marshal().unwrap();
            prop_assert_eq!(RtpPacket::parse(&theirs).map(|p| p.payload.to_vec()), Ok(payload));
        }
    }
}
