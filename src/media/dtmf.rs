//! Digits as telephone events (RFC 4733), sent and received. Tones within the sound
//! are another file's subject ([`super::ToneDetector`]).

use std::collections::VecDeque;

use thiserror::Error;

use super::packet::RtpPacket;

/// Ticks of 8 kHz in one packet of 20 ms.
const PACKET_TICKS: u16 = 160;

/// A key is held 100 ms and let go for 100 ms: above the 40 ms that every receiver must
/// hear (ITU-T Q.24) and what slow menus expect.
const TONE_PACKETS: u16 = 5;
const GAP_PACKETS: u16 = 5;

/// The end is said three times, since it may be lost (RFC 4733 section 2.5.1.4).
const END_PACKETS: u16 = 3;

/// -10 dBm0, as most telephones send (RFC 4733 section 2.3.3).
const VOLUME: u8 = 10;

/// Digits that wait at most: the longest number (15) with a prefix and an extension.
const MAX_QUEUED: usize = 32;

/// A key of a telephone: 0 to 9, star, pound, and the four of the fourth column.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digit(u8);

impl Digit {
    const KEYS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

    /// The digit of an event code of RFC 4733 table 3; events above 15 are no digits.
    pub const fn from_event(event: u8) -> Option<Self> {
        if event < 16 { Some(Self(event)) } else { None }
    }

    pub fn from_char(key: char) -> Option<Self> {
        let upper = key.to_ascii_uppercase();
        // The table has sixteen entries.
        Self::KEYS.iter().position(|&k| k == upper).and_then(|i| u8::try_from(i).ok()).map(Self)
    }

    pub const fn event(self) -> u8 {
        self.0
    }

    pub fn as_char(self) -> char {
        Self::KEYS[usize::from(self.0 & 0x0F)]
    }
}

impl std::fmt::Debug for Digit {
    /// Not which one: keys may be a PIN or a telephone number.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digit(_)")
    }
}

#[derive(Debug, Error, PartialEq, Eq, Clone, Copy)]
pub enum ParseEventError {
    #[error("reading a telephone event: {octets} octets instead of 4")]
    Length { octets: usize },
}

/// The payload of one telephone-event packet (RFC 4733 section 2.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TelephoneEvent {
    /// The event code; 0 to 15 are digits.
    pub event: u8,
    pub is_end: bool,
    /// Power in -dBm0, 0 to 63.
    pub volume: u8,
    /// Ticks of the RTP clock since the event began.
    pub duration: u16,
}

impl TelephoneEvent {
    /// Reads a payload. Some peers send more than one event in a packet or trailing
    /// octets: the first event is what is sounding.
    pub fn parse(payload: &[u8]) -> Result<Self, ParseEventError> {
        let Some(&[event, flags, high, low]) = payload.first_chunk::<4>() else {
            return Err(ParseEventError::Length { octets: payload.len() });
        };
        Ok(Self { event, is_end: flags & 0x80 != 0, volume: flags & 0x3F, duration: u16::from_be_bytes([high, low]) })
    }

    pub const fn to_payload(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, self.volume & 0x3F | if self.is_end { 0x80 } else { 0 }, high, low]
    }
}

/// A packet this far behind the last event, in ticks of 8 kHz, is not late but of
/// another time base: no network holds a packet back for ten seconds.
const LATEST_TICKS: u32 = 80_000;

#[derive(Clone, Copy)]
struct LastEvent {
    /// Timestamps are comparable within one source only.
    ssrc: u32,
    event: u8,
    timestamp: u32,
    duration: u16,
    is_ended: bool,
}

/// Turns event packets into key presses, each reported once, at the first packet of the
/// press that arrives: neither a lost start nor lost ends lose or double a digit.
#[derive(Default)]
pub struct DigitReceiver {
    last: Option<LastEvent>,
}

impl DigitReceiver {
    pub const fn new() -> Self {
        Self { last: None }
    }

    /// A new press, if this packet begins one.
    pub fn receive(&mut self, packet: &RtpPacket<'_>) -> Result<Option<Digit>, ParseEventError> {
        let event = TelephoneEvent::parse(packet.payload)?;
        let Some(digit) = Digit::from_event(event.event) else {
            return Ok(None);
        };
        if self.last.is_some_and(|last| last.is_of_another_base(packet)) {
            self.last = None;
        }
        let is_new = self.last.is_none_or(|last| last.is_before(&event, packet.timestamp));
        if let Some(last) = self.last.as_mut().filter(|last| last.timestamp == packet.timestamp) {
            last.duration = last.duration.max(event.duration);
            last.is_ended |= event.is_end;
            return Ok(None);
        }
        if self.last.is_none_or(|last| is_after(packet.timestamp, last.timestamp)) {
            self.last = Some(LastEvent {
                ssrc: packet.ssrc,
                event: event.event,
                timestamp: packet.timestamp,
                duration: event.duration,
                is_ended: event.is_end,
            });
        }
        Ok(is_new.then_some(digit))
    }
}

impl LastEvent {
    /// Whether the packet's timestamp says nothing beside this event's: another
    /// source sends, or the same has begun to count anew.
    fn is_of_another_base(&self, packet: &RtpPacket<'_>) -> bool {
        let behind = self.timestamp.wrapping_sub(packet.timestamp);
        packet.ssrc != self.ssrc || (is_after(self.timestamp, packet.timestamp) && behind > LATEST_TICKS)
    }

    /// Whether `event` is another press after this one, and not a late packet, and not the
    /// next segment of a very long press (RFC 4733 section 2.5.1.3).
    fn is_before(&self, event: &TelephoneEvent, timestamp: u32) -> bool {
        let is_next_segment = !self.is_ended
            && self.event == event.event
            && self.duration >= u16::MAX - 2 * PACKET_TICKS
            && timestamp.wrapping_sub(self.timestamp) <= u32::from(u16::MAX);
        is_after(timestamp, self.timestamp) && !is_next_segment
    }
}

fn is_after(timestamp: u32, other: u32) -> bool {
    timestamp.wrapping_sub(other).cast_signed() > 0
}

#[derive(Debug, Error, PartialEq, Eq, Clone, Copy)]
#[error("queueing a digit to send: 32 already wait")]
pub struct DigitQueueFull;

/// What to send in this frame in place of sound, or besides it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventPacket {
    pub payload: [u8; 4],
    /// Set on the first packet of a press (RFC 4733 section 2.5.1.1).
    pub marker: bool,
    /// When the press began: the same in all its packets.
    pub timestamp: u32,
}

/// Sends digits as events: 100 ms each with 100 ms between.
#[derive(Default)]
pub struct DigitSender {
    queue: VecDeque<Digit>,
    /// The digit under way, its timestamp, and the packets so far.
    current: Option<(Digit, u32, u16)>,
}

impl DigitSender {
    pub fn new() -> Self {
        Self { queue: VecDeque::with_capacity(MAX_QUEUED), current: None }
    }

    pub fn push(&mut self, digit: Digit) -> Result<(), DigitQueueFull> {
        if self.queue.len() >= MAX_QUEUED {
            return Err(DigitQueueFull);
        }
        self.queue.push_back(digit);
        Ok(())
    }

    /// Whether a digit is under way or waits.
    pub fn is_busy(&self) -> bool {
        self.current.is_some() || !self.queue.is_empty()
    }

    /// Called once a frame with the timestamp that sound sent now would have.
    pub fn tick(&mut self, now: u32) -> Option<EventPacket> {
        if self.current.is_none_or(|(_, _, sent)| sent >= TONE_PACKETS + GAP_PACKETS) {
            self.current = self.queue.pop_front().map(|digit| (digit, now, 0));
        }
        let (digit, timestamp, sent) = self.current.as_mut()?;
        *sent += 1;
        if *sent >= TONE_PACKETS + END_PACKETS {
            return None;
        }
        let event = TelephoneEvent {
            event: digit.event(),
            is_end: *sent >= TONE_PACKETS,
            volume: VOLUME,
            duration: PACKET_TICKS * (*sent).min(TONE_PACKETS),
        };
        Some(EventPacket { payload: event.to_payload(), marker: *sent == 1, timestamp: *timestamp })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(payload: &[u8], timestamp: u32) -> RtpPacket<'_> {
        RtpPacket { marker: false, payload_type: 101, sequence: 0, timestamp, ssrc: 1, payload }
    }

    fn send_all(digits: &str) -> Vec<EventPacket> {
        let mut sender = DigitSender::new();
        for key in digits.chars() {
            sender.push(Digit::from_char(key).unwrap()).unwrap();
        }
        let mut packets = Vec::new();
        let mut now = u32::MAX - 1_000;
        while sender.is_busy() {
            packets.extend(sender.tick(now));
            now = now.wrapping_add(160);
        }
        packets
    }

    fn receive_all(packets: impl IntoIterator<Item = EventPacket>) -> String {
        let mut receiver = DigitReceiver::new();
        let heard = packets.into_iter().filter_map(|p| receiver.receive(&packet(&p.payload, p.timestamp)).unwrap());
        heard.map(Digit::as_char).collect()
    }

    #[test]
    fn a_press_has_growing_durations_one_marker_and_three_ends() {
        let packets = send_all("5");
        let events: Vec<_> = packets.iter().map(|p| TelephoneEvent::parse(&p.payload).unwrap()).collect();
        assert_eq!(events.iter().map(|e| e.duration).collect::<Vec<_>>(), [160, 320, 480, 640, 800, 800, 800]);
        assert_eq!(events.iter().filter(|e| e.is_end).count(), 3);
        assert_eq!(packets.iter().map(|p| p.marker).collect::<Vec<_>>()[..2], [true, false]);
        assert!(packets.windows(2).all(|w| w[0].timestamp == w[1].timestamp));
    }

    #[test]
    fn what_is_sent_is_received_repeats_included() {
        assert_eq!(receive_all(send_all("0803*55#1123D")), "0803*55#1123D");
    }

    #[test]
    fn lost_ends_and_lost_starts_lose_and_double_nothing() {
        let is_end = |p: &EventPacket| p.payload[1] & 0x80 != 0;
        assert_eq!(receive_all(send_all("1123").into_iter().filter(|p| !is_end(p))), "1123");
        assert_eq!(receive_all(send_all("1123").into_iter().filter(is_end)), "1123");
    }

    #[test]
    fn a_late_packet_of_an_earlier_press_is_no_press() {
        let mut packets = send_all("12");
        let late = packets[6];
        packets.push(late);
        assert_eq!(receive_all(packets), "12");
    }

    #[test]
    fn keys_of_a_new_source_or_a_new_time_base_are_heard_at_once() {
        let press = |ssrc, timestamp| {
            let payload = TelephoneEvent { event: 7, is_end: false, volume: 10, duration: 160 }.to_payload();
            (ssrc, timestamp, payload)
        };
        let mut receiver = DigitReceiver::new();
        // Another source further back, then the same source ten seconds and a tick back.
        for (ssrc, timestamp, payload) in [press(1, 500_000), press(2, 490_000), press(2, 409_999)] {
            let packet = RtpPacket { ssrc, ..packet(&payload, timestamp) };
            assert!(receiver.receive(&packet).unwrap().is_some(), "{ssrc} {timestamp}");
        }
    }

    #[test]
    fn a_press_longer_than_the_duration_field_is_one_press() {
        let mut receiver = DigitReceiver::new();
        let mut heard = 0;
        for (timestamp, duration) in [(0, 160), (0, 65_440), (65_440, 160), (65_440, 800)] {
            let payload = TelephoneEvent { event: 7, is_end: false, volume: 10, duration }.to_payload();
            heard += usize::from(receiver.receive(&packet(&payload, timestamp)).unwrap().is_some());
        }
        assert_eq!(heard, 1);
    }

    #[test]
    fn flash_and_fax_tones_are_no_digits() {
        for event in [16, 32, 36] {
            let payload = TelephoneEvent { event, is_end: false, volume: 10, duration: 160 }.to_payload();
            assert_eq!(DigitReceiver::new().receive(&packet(&payload, 0)), Ok(None));
        }
    }

    #[test]
    fn the_queue_is_bounded() {
        let mut sender = DigitSender::new();
        let star = Digit::from_char('*').unwrap();
        for _ in 0..32 {
            sender.push(star).unwrap();
        }
        assert_eq!(sender.push(star), Err(DigitQueueFull));
    }

    proptest! {
        #[test]
        fn no_payload_panics(packets in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..8), any::<u32>()), 0..50)) {
            let mut receiver = DigitReceiver::new();
            for (payload, timestamp) in packets {
                prop_assert_eq!(receiver.receive(&packet(&payload, timestamp)).is_err(), payload.len() < 4);
            }
        }

        #[test]
        fn any_event_survives_writing_and_reading(event: u8, is_end: bool, volume in 0u8..64, duration: u16) {
            let event = TelephoneEvent { event, is_end, volume, duration };
            prop_assert_eq!(TelephoneEvent::parse(&event.to_payload()), Ok(event));
        }
    }
}
