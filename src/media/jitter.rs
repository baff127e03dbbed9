//! The buffer between the network's rhythm and ours: packets of one RTP stream in any
//! order in, packets in order out. It decodes nothing and waits for nothing.
//!
//! Time inside is counted in RTP ticks; in the codecs of this box one octet of payload
//! is one tick (8 kHz), so a packet's length in octets is its length in time.

use super::codec::MAX_PAYLOAD;
use super::packet::RtpPacket;
use crate::terms::Moment;

/// Packets held at most. 64 packets of 10 ms, the shortest in use, are 640 ms: more than
/// the longest delay that is ever built up (`MAX_DEPTH` and one burst), at 32 kB a stream.
const SLOTS: usize = 64;

/// Ticks in 20 ms, the step by which playing goes on when there is nothing to play.
const STEP: i64 = 160;

/// The depth stays within these (20 and 200 ms): less than one packet cannot ride out
/// anything, and above 200 ms people begin to talk over each other (ITU-T G.114).
const MIN_DEPTH: i64 = 160;
const MAX_DEPTH: i64 = 1_600;

/// Target depth above one packet, in mean deviations of the arrival. Three cover 98 % of
/// arrivals if the deviation is exponential, as queues make it.
const DEVIATIONS: f32 = 3.0;

/// Beyond the target by this (40 ms), sound is left out in a silence to win time back.
const SLACK: i64 = 320;

/// A jump of the timestamp against the clock by more than this (1 s) is a new time line
/// of the sender, not a late packet.
const TIMESTAMP_JUMP: i64 = 8_000;

/// RFC 3550 appendix A.1: a sequence number this far on is still the same stream...
const MAX_DROPOUT: i64 = 3_000;
/// ...and this far back is a late packet.
const MAX_MISORDER: i64 = 100;

/// Steps without any packet after which the sender is taken to be silent (60 ms), when
/// concealment has faded out anyhow.
const STARVED_STEPS: u32 = 3;

/// What the next 20 ms bring.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pulled<'a> {
    /// Sound: decode it, and pull again when less than a frame is left of it.
    Packet(&'a [u8]),
    /// Sound was sent and is not here: conceal 20 ms.
    Missing,
    /// Nothing was sent, or the buffer is still filling: 20 ms of silence.
    Silent,
}

impl std::fmt::Debug for Pulled<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Packet(payload) => write!(f, "Packet({} octets)", payload.len()),
            Self::Missing => f.write_str("Missing"),
            Self::Silent => f.write_str("Silent"),
        }
    }
}

/// Whether the sound last played was worth hearing: time is won back in silence only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Activity {
    Speech,
    Silence,
}

/// What became of a packet that was put in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inserted {
    Kept,
    /// Its time is past.
    Late,
    Duplicate,
    /// Longer than 60 ms, or from a sequence that is not yet believed (RFC 3550 appendix A.1).
    Refused,
}

/// Counts over the whole call, across changes of source.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct JitterStats {
    /// Packets that came, each once.
    pub received: u64,
    /// Packets that the sequence numbers promise and that never came (RFC 3550 appendix A.3).
    pub lost: u64,
    pub late: u64,
    pub duplicate: u64,
    /// Packets left out to win back time.
    pub trimmed: u64,
    /// New sources and new time lines.
    pub resyncs: u64,
    /// Interarrival jitter (RFC 3550 section 6.4.1), in milliseconds.
    pub jitter_ms: f32,
    /// Depth that is aimed at, in milliseconds.
    pub target_ms: u32,
}

/// What a receiver report says of the source that is heard now (RFC 3550 appendix A.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reception {
    pub ssrc: u32,
    /// Its highest sequence number with the wraparounds above it.
    pub highest_sequence: u32,
    /// Packets that its numbers promise so far.
    pub expected: u64,
    /// Packets of it that came, each once, late ones included.
    pub received: u64,
    /// Interarrival jitter in ticks of the RTP clock.
    pub jitter: u32,
}

#[derive(Clone, Copy)]
struct Slot {
    sequence: i64,
    ticks: i64,
    len: u16,
    payload: [u8; MAX_PAYLOAD],
}

const EMPTY: i64 = i64::MIN;

/// Sequence and time of one source, unwrapped to numbers that only grow.
#[derive(Clone, Copy)]
struct Source {
    ssrc: u32,
    first_sequence: i64,
    highest_sequence: i64,
    /// The last timestamp seen and what it is on our time line.
    timestamp: u32,
    ticks: i64,
    /// Arrival less timestamp of the last packet, in ticks.
    transit: i64,
    received: u64,
    /// The sequence number after a far jump, which must be seen to be believed.
    suspect: Option<u16>,
}

/// One stream's jitter buffer. 32 kB, nothing on the heap but itself.
pub struct JitterBuffer {
    slots: Box<[Slot; SLOTS]>,
    source: Option<Source>,
    /// The lowest sequence number that may still be played.
    next_sequence: i64,
    /// The tick that is played next.
    next_ticks: i64,
    is_filling: bool,
    starved: u32,
    activity: Activity,
    /// Mean deviation of the transit time, in ticks.
    jitter: f32,
    /// The length of the sender's packets, in ticks.
    packet_ticks: i64,
    past: JitterStats,
}

impl Default for JitterBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl JitterBuffer {
    pub fn new() -> Self {
        let empty = Slot { sequence: EMPTY, ticks: 0, len: 0, payload: [0; MAX_PAYLOAD] };
        Self {
            slots: Box::new([empty; SLOTS]),
            source: None,
            next_sequence: 0,
            next_ticks: 0,
            is_filling: true,
            starved: 0,
            activity: Activity::Speech,
            jitter: 0.0,
            packet_ticks: STEP,
            past: JitterStats::default(),
        }
    }

    /// Takes one packet of sound. Packets of another kind in the same stream (telephone
    /// events) share its sequence numbers: put them in with an empty payload, so that they
    /// do not count as lost.
    pub fn insert(&mut self, packet: &RtpPacket<'_>, arrival: Moment) -> Inserted {
        if packet.payload.len() > MAX_PAYLOAD {
            return Inserted::Refused;
        }
        let arrival_ticks = ticks_of(arrival);
        if self.source.is_none_or(|s| s.ssrc != packet.ssrc) {
            self.begin(packet, arrival_ticks);
        }
        let Some(sequence) = self.unwrap_sequence(packet, arrival_ticks) else {
            return Inserted::Refused;
        };
        if self.slots[slot_of(sequence)].sequence == sequence {
            self.past.duplicate += 1;
            return Inserted::Duplicate;
        }
        let ticks = if packet.payload.is_empty() {
            self.source.map_or(0, |s| s.ticks)
        } else {
            self.unwrap_timestamp(packet, sequence, arrival_ticks)
        };
        self.place(sequence, ticks, packet.payload)
    }

    /// What to play now. Call it when less than one frame of decoded sound is left, which
    /// with packets of 20 ms is once a frame.
    pub fn pull(&mut self) -> Pulled<'_> {
        self.pass_empty_packets();
        let Some(head) = self.head() else {
            return self.starve();
        };
        if self.is_filling {
            if self.depth() < self.target() {
                return Pulled::Silent;
            }
            self.is_filling = false;
            self.next_ticks = self.slots[head].ticks;
        }
        let head = self.trim(head);
        self.starved = 0;
        let (sequence, ticks) = (self.slots[head].sequence, self.slots[head].ticks);
        if ticks > self.next_ticks {
            if sequence > self.next_sequence {
                self.next_ticks += STEP;
                return Pulled::Missing;
            }
            return self.pause(head);
        }
        self.play(head)
    }

    /// Tells how the sound last played was; see [`Activity`].
    pub fn note_activity(&mut self, activity: Activity) {
        self.activity = activity;
    }

    /// Time between what is played next and the newest sound here, in milliseconds.
    pub fn depth_ms(&self) -> u32 {
        // The slots hold less than four seconds.
        u32::try_from(self.depth().max(0) / 8).unwrap_or(0)
    }

    pub fn stats(&self) -> JitterStats {
        let mut stats = self.past;
        if let Some(source) = self.source {
            stats.received += source.received;
            stats.lost += lost(&source);
        }
        stats.jitter_ms = self.jitter / 8.0;
        stats.target_ms = u32::try_from(self.target() / 8).unwrap_or(0);
        stats
    }

    /// The present source, if there is one.
    pub fn reception(&self) -> Option<Reception> {
        let source = self.source?;
        let expected = source.highest_sequence - source.first_sequence + 1;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both fields have 32 bits")]
        let (highest_sequence, jitter) = (source.highest_sequence as u32, self.jitter as u32);
        let expected = u64::try_from(expected).unwrap_or(0);
        Some(Reception { ssrc: source.ssrc, highest_sequence, expected, received: source.received, jitter })
    }

    /// Starts over with a new source; the counts go on.
    fn begin(&mut self, packet: &RtpPacket<'_>, arrival_ticks: i64) {
        if let Some(old) = self.source {
            self.past.received += old.received;
            self.past.lost += lost(&old);
            self.past.resyncs += 1;
        }
        for slot in self.slots.iter_mut() {
            slot.sequence = EMPTY;
        }
        let sequence = i64::from(packet.sequence);
        let ticks = self.next_ticks;
        self.source = Some(Source {
            ssrc: packet.ssrc,
            first_sequence: sequence,
            highest_sequence: sequence - 1,
            timestamp: packet.timestamp,
            ticks,
            transit: arrival_ticks - ticks,
            received: 0,
            suspect: None,
        });
        self.next_sequence = sequence;
        self.is_filling = true;
    }

    /// The sequence number without wraparound; `None` if it is not believed yet.
    fn unwrap_sequence(&mut self, packet: &RtpPacket<'_>, arrival_ticks: i64) -> Option<i64> {
        let source = self.source.as_mut()?;
        let highest = source.highest_sequence;
        let step = packet.sequence.wrapping_sub(low_half(highest)).cast_signed();
        let sequence = highest + i64::from(step);
        if i64::from(step) > -MAX_MISORDER && i64::from(step) < MAX_DROPOUT {
            source.suspect = None;
            return Some(sequence);
        }
        if source.suspect == Some(packet.sequence) {
            // Two in a row: the sender has begun again (RFC 3550 appendix A.1).
            self.begin(packet, arrival_ticks);
            return self.source.map(|s| s.first_sequence);
        }
        source.suspect = Some(packet.sequence.wrapping_add(1));
        None
    }

    /// The timestamp on our time line; measures the jitter on the way.
    fn unwrap_timestamp(&mut self, packet: &RtpPacket<'_>, sequence: i64, arrival_ticks: i64) -> i64 {
        let newest_end = self.newest_end().unwrap_or(self.next_ticks).max(self.next_ticks);
        let Some(source) = self.source.as_mut() else { return newest_end };
        let step = packet.timestamp.wrapping_sub(source.timestamp).cast_signed();
        let mut ticks = source.ticks + i64::from(step);
        let deviation = (arrival_ticks - ticks) - source.transit;
        if deviation.abs() > TIMESTAMP_JUMP {
            ticks = newest_end;
            self.past.resyncs += 1;
        } else if source.received > 0 {
            self.jitter += (deviation.unsigned_abs() as f32 - self.jitter) / 16.0;
        }
        if sequence > source.highest_sequence || deviation.abs() > TIMESTAMP_JUMP {
            source.timestamp = packet.timestamp;
            source.ticks = ticks;
        }
        source.transit = arrival_ticks - ticks;
        ticks
    }

    fn place(&mut self, sequence: i64, ticks: i64, payload: &[u8]) -> Inserted {
        if let Some(source) = self.source.as_mut() {
            source.received += 1;
            source.highest_sequence = source.highest_sequence.max(sequence);
            if self.is_filling && sequence < source.first_sequence {
                source.first_sequence = sequence;
                self.next_sequence = sequence;
            }
        }
        let len = i64::try_from(payload.len()).unwrap_or(0);
        let is_over = !payload.is_empty() && !self.is_filling && ticks + len <= self.next_ticks;
        if sequence < self.next_sequence || (is_over && self.head().is_some() && self.depth() >= self.target()) {
            self.past.late += 1;
            return Inserted::Late;
        }
        if is_over {
            // We ran dry or are not yet as deep as the jitter asks: play the whole stream later.
            self.next_ticks = ticks;
        }
        self.make_room(sequence);
        if len > 0 {
            self.packet_ticks = len;
        }
        let slot = &mut self.slots[slot_of(sequence)];
        slot.sequence = sequence;
        slot.ticks = ticks;
        // At most 480.
        slot.len = u16::try_from(payload.len()).unwrap_or(0);
        slot.payload[..payload.len()].copy_from_slice(payload);
        Inserted::Kept
    }

    /// Gives up what is more than a whole buffer behind `sequence`.
    fn make_room(&mut self, sequence: i64) {
        let lowest = sequence - i64::try_from(SLOTS).unwrap_or(0) + 1;
        if lowest <= self.next_sequence {
            return;
        }
        for slot in self.slots.iter_mut() {
            if slot.sequence != EMPTY && slot.sequence < lowest {
                slot.sequence = EMPTY;
                self.past.trimmed += 1;
            }
        }
        self.next_sequence = lowest;
    }

    /// Nothing is here: for a short while it may be lost, then it is silence.
    fn starve(&mut self) -> Pulled<'_> {
        if self.source.is_none() || self.is_filling {
            return Pulled::Silent;
        }
        self.next_ticks += STEP;
        self.starved = self.starved.saturating_add(1);
        if self.starved <= STARVED_STEPS { Pulled::Missing } else { Pulled::Silent }
    }

    /// The sender paused (discontinuous transmission): its silence is kept, but shortened
    /// when we are deeper than we need to be.
    fn pause(&mut self, head: usize) -> Pulled<'_> {
        let gap = self.slots[head].ticks - self.next_ticks;
        let excess = (self.depth() - self.target()).max(0);
        self.next_ticks += (STEP + excess).min(gap.max(STEP));
        Pulled::Silent
    }

    fn play(&mut self, head: usize) -> Pulled<'_> {
        let slot = &mut self.slots[head];
        self.next_sequence = slot.sequence + 1;
        self.next_ticks = slot.ticks + i64::from(slot.len);
        slot.sequence = EMPTY;
        let slot = &self.slots[head];
        Pulled::Packet(&slot.payload[..usize::from(slot.len)])
    }

    /// Leaves out one packet if we are too deep in a silence, or as many as it takes if we
    /// are deeper than may be. Returns the head to play.
    fn trim(&mut self, mut head: usize) -> usize {
        let mut may_trim = self.activity == Activity::Silence && self.depth() > self.target() + SLACK;
        while may_trim || self.depth() > MAX_DEPTH + self.packet_ticks {
            let slot = self.slots[head];
            let Some(following) = self.after(slot.sequence) else { break };
            self.slots[head].sequence = EMPTY;
            self.next_sequence = slot.sequence + 1;
            self.next_ticks = self.next_ticks.max(slot.ticks) + i64::from(slot.len);
            self.past.trimmed += 1;
            may_trim = false;
            head = following;
        }
        head
    }

    /// Packets without sound have done their part when their number comes up.
    fn pass_empty_packets(&mut self) {
        while let Some(head) = self.head() {
            let slot = &mut self.slots[head];
            if slot.len > 0 {
                return;
            }
            if slot.sequence == self.next_sequence {
                self.next_sequence += 1;
            }
            slot.sequence = EMPTY;
        }
    }

    fn target(&self) -> i64 {
        #[expect(clippy::cast_possible_truncation, reason = "the jitter stays below the jump that resets it")]
        let deviations = (DEVIATIONS * self.jitter) as i64;
        // Whole frames: packets of 30 ms come just too late for every second frame otherwise.
        let least = (self.packet_ticks + STEP - 1) / STEP * STEP;
        (least + deviations).clamp(MIN_DEPTH, MAX_DEPTH)
    }

    fn depth(&self) -> i64 {
        let from = if self.is_filling {
            self.head().map_or(self.next_ticks, |head| self.slots[head].ticks)
        } else {
            self.next_ticks
        };
        self.newest_end().map_or(0, |end| end - from)
    }

    fn newest_end(&self) -> Option<i64> {
        self.slots.iter().filter(|s| s.sequence != EMPTY && s.len > 0).map(|s| s.ticks + i64::from(s.len)).max()
    }

    /// The slot with the lowest sequence number.
    fn head(&self) -> Option<usize> {
        self.after(EMPTY)
    }

    fn after(&self, sequence: i64) -> Option<usize> {
        let here = self.slots.iter().enumerate().filter(|(_, s)| s.sequence > sequence);
        here.min_by_key(|(_, s)| s.sequence).map(|(index, _)| index)
    }
}

fn lost(source: &Source) -> u64 {
    let expected = source.highest_sequence - source.first_sequence + 1;
    u64::try_from(expected).unwrap_or(0).saturating_sub(source.received)
}

fn slot_of(sequence: i64) -> usize {
    // The remainder is below 64.
    usize::try_from(sequence.rem_euclid(SLOTS as i64)).unwrap_or(0)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the low 16 bits are what is sent")]
fn low_half(sequence: i64) -> u16 {
    sequence as u16
}

fn ticks_of(moment: Moment) -> i64 {
    i64::try_from(moment.as_micros() / 125).unwrap_or(i64::MAX / 2)
}

#[cfg(test)]
mod tests;
