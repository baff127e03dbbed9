//! Digits as tones within the sound (ITU-T Q.23), for a far side that did not
//! agree on telephone events.

use std::collections::VecDeque;
use std::f32::consts::TAU;

use crate::media::{Digit, Frame, SampleRate};

/// Each key sounds for 100 ms and is let go for 100 ms, as in events.
const TONE_FRAMES: u32 = 5;
const GAP_FRAMES: u32 = 5;

/// Of each of the two tones: together 9 dB below full scale, where telephones
/// put them.
const AMPLITUDE: f32 = 5_800.0;

/// Digits that wait at most, as many as for events.
const MAX_QUEUED: usize = 32;

const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
const KEYS: &[u8; 16] = b"123A456B789C*0#D";

pub(super) struct KeyTones {
    rate: SampleRate,
    queue: VecDeque<Digit>,
    frame: u32,
}

impl KeyTones {
    pub(super) fn new(rate: SampleRate) -> Self {
        Self { rate, queue: VecDeque::with_capacity(MAX_QUEUED), frame: 0 }
    }

    /// False when too many wait.
    pub(super) fn push(&mut self, digit: Digit) -> bool {
        let room = self.queue.len() < MAX_QUEUED;
        if room {
            self.queue.push_back(digit);
        }
        room
    }

    /// The next 20 ms; none when no digit waits.
    pub(super) fn tick(&mut self) -> Option<Frame> {
        let digit = *self.queue.front()?;
        let frame = if self.frame < TONE_FRAMES { self.tone(digit) } else { Frame::silence(self.rate) };
        self.frame += 1;
        if self.frame == TONE_FRAMES + GAP_FRAMES {
            self.frame = 0;
            self.queue.pop_front();
        }
        Some(frame)
    }

    fn tone(&self, digit: Digit) -> Frame {
        let mut frame = Frame::silence(self.rate);
        // Every digit is on the keypad.
        let at = KEYS.iter().position(|key| char::from(*key) == digit.as_char()).unwrap_or(0);
        let (low, high) = (ROWS[at / 4], COLUMNS[at % 4]);
        let begin = self.frame as usize * self.rate.frame_len();
        for (i, sample) in frame.samples_mut().iter_mut().enumerate() {
            let time = (begin + i) as f32 / self.rate.hz() as f32;
            *sample = (AMPLITUDE * ((TAU * low * time).sin() + (TAU * high * time).sin())) as i16;
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::ToneDetector;

    #[test]
    fn every_key_is_heard_by_a_detector_at_both_rates() {
        for rate in [SampleRate::Hz8000, SampleRate::Hz16000] {
            let mut tones = KeyTones::new(rate);
            let mut detector = ToneDetector::new(rate);
            let keys = "123A456B789C*0#D";
            for key in keys.chars() {
                assert!(tones.push(Digit::from_char(key).expect("a key")));
            }
            let frames = std::iter::from_fn(|| tones.tick());
            let heard: String = frames.filter_map(|frame| detector.hear(&frame)).map(Digit::as_char).collect();
            assert_eq!(heard, keys);
        }
    }
}
