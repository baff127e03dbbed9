//! The reports that go beside the sound (RTCP, RFC 3550 section 6): what we received goes
//! to the peer, and its reports tell how our sound fared. Built into fixed buffers and read
//! with every length checked.

use std::time::Duration;

use thiserror::Error;

/// A report with one block (52), a name of 32 octets padded (44) and a goodbye (8), rounded up.
pub const MAX_REPORT: usize = 128;

/// Longest canonical name that is sent; ours are random letters (RFC 7022).
const MAX_CNAME: usize = 32;

/// Blocks read from one report: our peers hear one stream, ours; a conference bridge may
/// put its own first.
const MAX_BLOCKS: usize = 4;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;

/// Octets of a report block and of a sender's own part.
const BLOCK: usize = 24;
const SENDER_PART: usize = 20;

/// Time as the reports carry it: seconds since 1900 and fractions of 2⁻³² s, in 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// The middle 32 bits, which reports refer to: units of 2⁻¹⁶ s.
    pub const fn middle(self) -> u32 {
        let [_, _, a, b, c, d, _, _] = self.0.to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }
}

/// What we have sent (RFC 3550 section 6.4.1, sender info).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sent {
    pub at: NtpTime,
    /// The RTP timestamp of the same moment.
    pub timestamp: u32,
    pub packets: u32,
    /// Octets of payload.
    pub octets: u32,
}

/// What one side received of one stream (a report block).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Received {
    /// Whose stream.
    pub ssrc: u32,
    /// Part lost since the report before, in 256ths.
    pub fraction_lost: u8,
    /// Lost since the start; negative if more came than were sent. 24 bits.
    pub lost: i32,
    /// The highest sequence number with its wraparounds above it.
    pub highest_sequence: u32,
    /// Interarrival jitter in ticks of the RTP clock.
    pub jitter: u32,
    /// The middle of the other side's last sender report; 0 if none came.
    pub last_report: u32,
    /// Time since that report came, in 2⁻¹⁶ s.
    pub since_last_report: u32,
}

impl Received {
    /// The way there and back, from a block about our own stream that arrived `now`
    /// (RFC 3550 section 6.4.1). `None` without a report of ours to refer to, or if the
    /// peer's numbers cannot be right.
    pub fn round_trip(&self, now: NtpTime) -> Option<Duration> {
        if self.last_report == 0 {
            return None;
        }
        let ticks = now.middle().wrapping_sub(self.last_report).wrapping_sub(self.since_last_report);
        // Half the range is a negative time: clocks that disagree.
        (ticks < 1 << 31).then(|| Duration::from_nanos(u64::from(ticks) * 1_000_000_000 / 65_536))
    }

    /// The jitter in milliseconds, at the 8 kHz clock of our codecs.
    pub fn jitter_ms(&self) -> f32 {
        self.jitter as f32 / 8.0
    }

    /// Part lost since the report before, in percent.
    pub fn loss_percent(&self) -> f32 {
        f32::from(self.fraction_lost) * 100.0 / 256.0
    }
}

/// One side's report, as it is built.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// Who reports.
    pub ssrc: u32,
    /// Present if we have sent since the last report (then it is an SR, else an RR).
    pub sent: Option<Sent>,
    pub received: Option<Received>,
    /// The canonical name: random, the same for the whole call (RFC 7022); at most 32 octets.
    pub cname: &'a str,
    pub ending: Ending,
}

/// Whether the stream goes on after this report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    GoesOn,
    /// A BYE follows.
    Goodbye,
}

struct Writer<'a> {
    out: &'a mut [u8; MAX_REPORT],
    len: usize,
}

impl Writer<'_> {
    fn put(&mut self, octets: &[u8]) {
        self.out[self.len..self.len + octets.len()].copy_from_slice(octets);
        self.len += octets.len();
    }

    fn header(&mut self, count: u8, packet_type: u8, words: u8) {
        self.put(&[0x80 | count, packet_type, 0, words]);
    }
}

impl Report<'_> {
    /// Writes the compound packet; returns the octets used.
    pub fn write(&self, out: &mut [u8; MAX_REPORT]) -> usize {
        let mut writer = Writer { out, len: 0 };
        let blocks = u8::from(self.received.is_some());
        if let Some(sent) = self.sent {
            writer.header(blocks, SENDER_REPORT, 6 + 6 * blocks);
            writer.put(&self.ssrc.to_be_bytes());
            writer.put(&sent.at.0.to_be_bytes());
            writer.put(&sent.timestamp.to_be_bytes());
            writer.put(&sent.packets.to_be_bytes());
            writer.put(&sent.octets.to_be_bytes());
        } else {
            writer.header(blocks, RECEIVER_REPORT, 1 + 6 * blocks);
            writer.put(&self.ssrc.to_be_bytes());
        }
        if let Some(received) = self.received {
            received.write(&mut writer);
        }
        self.write_name(&mut writer);
        if self.ending == Ending::Goodbye {
            writer.header(1, GOODBYE, 1);
            writer.put(&self.ssrc.to_be_bytes());
        }
        writer.len
    }

    fn write_name(&self, writer: &mut Writer<'_>) {
        let name = self.cname.as_bytes();
        let name = &name[..name.len().min(MAX_CNAME)];
        // At least one zero ends the list, and more fill the word.
        let item = (2 + name.len() + 1).next_multiple_of(4);
        // At most 36 octets, nine words.
        let words = u8::try_from(1 + item / 4).unwrap_or(0);
        writer.header(1, SOURCE_DESCRIPTION, words);
        writer.put(&self.ssrc.to_be_bytes());
        writer.put(&[1, u8::try_from(name.len()).unwrap_or(0)]);
        writer.put(name);
        writer.put(&[0; 4][..item - 2 - name.len()]);
    }
}

impl Received {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.put(&self.ssrc.to_be_bytes());
        let lost = self.lost.clamp(-0x80_0000, 0x7F_FFFF).to_be_bytes();
        writer.put(&[self.fraction_lost, lost[1], lost[2], lost[3]]);
        for word in [self.highest_sequence, self.jitter, self.last_report, self.since_last_report] {
            writer.put(&word.to_be_bytes());
        }
    }

    fn parse(block: &[u8; BLOCK]) -> Self {
        let word = |i: usize| u32::from_be_bytes([block[i], block[i + 1], block[i + 2], block[i + 3]]);
        Self {
            ssrc: word(0),
            fraction_lost: block[4],
            // Shifted up and down again so that the sign of 24 bits spreads.
            lost: (word(4) << 8).cast_signed() >> 8,
            highest_sequence: word(8),
            jitter: word(12),
            last_report: word(16),
            since_last_report: word(20),
        }
    }
}

#[derive(Debug, Error, PartialEq, Eq, Clone, Copy)]
pub enum ParseRtcpError {
    #[error("reading an RTCP packet: it is shorter than its headers say")]
    TooShort,
    #[error("reading an RTCP packet: version {0} instead of 2")]
    Version(u8),
    #[error("reading an RTCP packet: it does not begin with a report (type {0})")]
    NoReport(u8),
}

/// What a peer's compound packet says; items that we do not use are skipped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PeerReport {
    /// Who reports.
    pub ssrc: u32,
    /// Present in a sender report.
    pub sent: Option<Sent>,
    received: [Option<Received>; MAX_BLOCKS],
    /// Whether the peer says goodbye.
    pub is_ending: bool,
}

impl PeerReport {
    /// Reads a compound packet.
    pub fn parse(datagram: &[u8]) -> Result<Self, ParseRtcpError> {
        let mut report = Self::default();
        let mut rest = datagram;
        let mut is_first = true;
        while is_first || !rest.is_empty() {
            let (&[first, packet_type, high, low], after) =
                rest.split_first_chunk::<4>().ok_or(ParseRtcpError::TooShort)?;
            if first >> 6 != 2 {
                return Err(ParseRtcpError::Version(first >> 6));
            }
            let len = usize::from(u16::from_be_bytes([high, low])) * 4;
            let (body, next) = after.split_at_checked(len).ok_or(ParseRtcpError::TooShort)?;
            match packet_type {
                SENDER_REPORT | RECEIVER_REPORT => report.read(packet_type, first & 0x1F, body)?,
                // A goodbye may come alone (RFC 5506).
                GOODBYE => report.is_ending = true,
                _ if is_first => return Err(ParseRtcpError::NoReport(packet_type)),
                _ => {}
            }
            (rest, is_first) = (next, false);
        }
        Ok(report)
    }

    /// The block about the stream of `ssrc`, which is ours.
    pub fn about(&self, ssrc: u32) -> Option<&Received> {
        self.received.iter().flatten().find(|block| block.ssrc == ssrc)
    }

    fn read(&mut self, packet_type: u8, count: u8, body: &[u8]) -> Result<(), ParseRtcpError> {
        let (ssrc, mut rest) = body.split_first_chunk::<4>().ok_or(ParseRtcpError::TooShort)?;
        self.ssrc = u32::from_be_bytes(*ssrc);
        if packet_type == SENDER_REPORT {
            let (part, after) = rest.split_first_chunk::<SENDER_PART>().ok_or(ParseRtcpError::TooShort)?;
            self.sent = Some(Sent::parse(part));
            rest = after;
        }
        for index in 0..usize::from(count) {
            let (block, after) = rest.split_first_chunk::<BLOCK>().ok_or(ParseRtcpError::TooShort)?;
            if let Some(slot) = self.received.get_mut(index) {
                *slot = Some(Received::parse(block));
            }
            rest = after;
        }
        Ok(())
    }
}

impl Sent {
    fn parse(part: &[u8; SENDER_PART]) -> Self {
        let word = |i: usize| u32::from_be_bytes([part[i], part[i + 1], part[i + 2], part[i + 3]]);
        Self {
            at: NtpTime(u64::from(word(0)) << 32 | u64::from(word(4))),
            timestamp: word(8),
            packets: word(12),
            octets: word(16),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RECEIVED: Received = Received {
        ssrc: 9,
        fraction_lost: 64,
        lost: -3,
        highest_sequence: 0x0001_0203,
        jitter: 80,
        last_report: 0xb705_2000,
        since_last_report: 0x0005_4000,
    };

    #[test]
    fn the_round_trip_of_the_rfcs_example_is_six_seconds_and_an_eighth() {
        // RFC 3550 figure 2: A 0xb710:8000, LSR 0xb705:2000, DLSR 0x0005:4000.
        let now = NtpTime(0x0000_b710_8000_0000);
        assert_eq!(RECEIVED.round_trip(now), Some(Duration::from_millis(6_125)));
        assert_eq!(Received { last_report: 0, ..RECEIVED }.round_trip(now), None);
        assert_eq!(Received { since_last_report: 0x7000_0000, ..RECEIVED }.round_trip(now), None);
    }

    #[test]
    fn loss_and_jitter_are_in_their_units() {
        assert!((RECEIVED.loss_percent() - 25.0).abs() < 1e-6);
        assert!((RECEIVED.jitter_ms() - 10.0).abs() < 1e-6);
    }

    #[test]
    fn what_begins_with_no_report_is_refused() {
        assert_eq!(PeerReport::parse(&[]), Err(ParseRtcpError::TooShort));
        assert_eq!(PeerReport::parse(&[0x80, 202, 0, 0]), Err(ParseRtcpError::NoReport(202)));
        assert_eq!(PeerReport::parse(&[0x00, 200, 0, 0]), Err(ParseRtcpError::Version(0)));
        assert_eq!(PeerReport::parse(&[0x81, 201, 0, 1, 0, 0, 0, 1]), Err(ParseRtcpError::TooShort));
    }

    #[test]
    fn only_the_block_about_our_stream_is_taken() {
        let report = Report { ssrc: 7, sent: None, received: Some(RECEIVED), cname: "x", ending: Ending::GoesOn };
        let mut out = [0; MAX_REPORT];
        let len = report.write(&mut out);
        let read = PeerReport::parse(&out[..len]).unwrap();
        assert_eq!(read.about(9), Some(&RECEIVED));
        assert_eq!(read.about(7), None);
    }

    proptest! {
        #[test]
        fn no_datagram_panics(datagram in proptest::collection::vec(any::<u8>(), 0..200), begins_well: bool) {
            let mut datagram = datagram;
            if begins_well && datagram.len() >= 4 {
                (datagram[0], datagram[1], datagram[2]) = (0x80 | datagram[0] & 0x3F, 200 + datagram[1] % 5, 0);
            }
            if let Ok(report) = PeerReport::parse(&datagram) {
                prop_assert!(report.sent.is_none() || datagram.len() >= 28);
            }
        }

        #[test]
        fn reports_survive_writing_and_reading(
            ssrc: u32, sent: Option<(u64, u32, u32, u32)>, has_block: bool, cname in "[a-z]{0,40}", ends: bool,
        ) {
            let sent = sent.map(|(at, timestamp, packets, octets)| Sent { at: NtpTime(at), timestamp, packets, octets });
            let ending = if ends { Ending::Goodbye } else { Ending::GoesOn };
            let report = Report { ssrc, sent, received: has_block.then_some(RECEIVED), cname: &cname, ending };
            let mut out = [0; MAX_REPORT];
            let len = report.write(&mut out);
            prop_assert_eq!(len % 4, 0);
            let read = PeerReport::parse(&out[..len]).unwrap();
            prop_assert_eq!((read.ssrc, read.sent, read.is_ending), (ssrc, sent, ends));
            prop_assert_eq!(read.about(9).is_some(), has_block);
        }
    }
}
