//! The sound of one call as the modem and the network have it: what comes down,
//! what goes up, and the modem's own clock between.

use std::collections::VecDeque;

/// Samples in 20 ms at 8 kHz.
pub const FRAME: usize = 160;

/// Bytes in 20 ms.
pub const FRAME_BYTES: usize = 2 * FRAME;

/// Ten minutes of what the far side heard.
const HEARD_MAX: usize = 10 * 60 * 8000;

/// A Quectel tells the box to hold its sound when it has this much, and to go on
/// when it has no more than that.
const STOP_BYTES: usize = 10 * FRAME_BYTES;
const GO_BYTES: usize = 4 * FRAME_BYTES;

#[derive(Debug)]
pub struct Sound {
    /// What the far side says, sample by sample.
    pub down: VecDeque<i16>,
    /// What the far side heard, silence where the box was late.
    pub heard: Vec<i16>,
    /// Bytes from the box that the modem has not played.
    pub buffer: VecDeque<u8>,
    /// Frames in which the box was expected to have sound and had none.
    pub underruns: u64,
    /// Whether the box has begun to send in this call.
    pub begun: bool,
    /// Bytes of the call before, which some modems play first.
    pub stale: Vec<u8>,
    pub alive: bool,
    /// What is quietest is zero, and not the comfort noise of a network.
    pub mute: bool,
    pub uplink: bool,
    /// Of so many frames one comes down; 1 is all.
    pub stutter: u32,
    pub ppm: i32,
    pub frames_down: u64,
    pub bytes_up: u64,
    /// Bytes that came while no sound was to flow.
    pub bytes_stray: u64,
    /// Bytes that came while the box was told to hold.
    pub bytes_held: u64,
    /// Bytes down that the port would not take.
    pub bytes_refused: u64,
    pub told_to_hold: bool,
    /// The hold was ordered by a test, and ends when it says so.
    pub hold_is_ordered: bool,
    pub flow_control: bool,
    /// The most that lay in the buffer.
    pub most: usize,
}

impl Sound {
    pub fn new(ppm: i32, flow_control: bool) -> Self {
        Self {
            down: VecDeque::new(),
            heard: Vec::new(),
            buffer: VecDeque::new(),
            underruns: 0,
            begun: false,
            stale: Vec::new(),
            alive: true,
            mute: false,
            uplink: true,
            stutter: 1,
            ppm,
            frames_down: 0,
            bytes_up: 0,
            bytes_stray: 0,
            bytes_held: 0,
            bytes_refused: 0,
            told_to_hold: false,
            hold_is_ordered: false,
            flow_control,
            most: 0,
        }
    }

    /// The next 20 ms from the far side; none when it is the turn to stutter.
    pub fn next_down(&mut self) -> Option<[u8; FRAME_BYTES]> {
        let mut bytes = [0; FRAME_BYTES];
        for (n, slot) in bytes.chunks_exact_mut(2).enumerate() {
            let silence = if self.mute { 0 } else { comfort_noise(n as u64 + FRAME as u64 * self.frames_down) };
            slot.copy_from_slice(&self.down.pop_front().unwrap_or(silence).to_le_bytes());
        }
        self.frames_down += 1;
        let is_due = self.frames_down.is_multiple_of(u64::from(self.stutter.max(1)));
        (self.alive && is_due).then_some(bytes)
    }

    /// Bytes from the box, and whether any sound flows.
    pub fn take_up(&mut self, bytes: &[u8], flows: bool) {
        if !flows {
            self.bytes_stray += bytes.len() as u64;
            return;
        }
        self.bytes_up += bytes.len() as u64;
        if self.told_to_hold {
            self.bytes_held += bytes.len() as u64;
        }
        self.buffer.extend(bytes);
        self.most = self.most.max(self.buffer.len());
    }

    /// Plays 20 ms of the box to the far side.
    pub fn play_up(&mut self) {
        if !self.begun {
            self.begun = self.buffer.len() >= FRAME_BYTES;
            if !self.begun {
                return;
            }
        }
        let whole = self.buffer.len() >= FRAME_BYTES;
        if !whole && !self.told_to_hold {
            self.underruns += 1;
        }
        for _ in 0..FRAME {
            let sample = match (self.buffer.pop_front(), self.buffer.pop_front()) {
                (Some(low), Some(high)) if self.alive => i16::from_le_bytes([low, high]),
                _ => 0,
            };
            if self.heard.len() < HEARD_MAX {
                self.heard.push(sample);
            }
        }
    }

    /// What a Quectel says about its buffer now.
    pub fn flow_row(&mut self) -> Option<&'static str> {
        if !self.flow_control || self.hold_is_ordered {
            return None;
        }
        if !self.told_to_hold && self.buffer.len() > STOP_BYTES {
            self.told_to_hold = true;
            return Some("+QPCMV: 0,0");
        }
        if self.told_to_hold && self.buffer.len() <= GO_BYTES {
            self.told_to_hold = false;
            return Some("+QPCMV: 1,0");
        }
        None
    }

    /// The call is over.
    pub fn end(&mut self) {
        self.buffer.clear();
        self.begun = false;
        self.told_to_hold = false;
    }
}

/// The loudest of the noise that a network makes where nobody speaks.
pub const COMFORT_MAX: u16 = 8;

/// Noise of about -76 dBFS, the same each time.
fn comfort_noise(n: u64) -> i16 {
    let mixed = (n ^ (n >> 7)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 60;
    i16::try_from(mixed).unwrap_or(0) - COMFORT_MAX as i16
}
