//! The ringing tone: what a caller hears while somebody else's telephone rings.

use std::f64::consts::TAU;

use super::{Frame, SampleRate};

/// ITU-T E.180 recommends 425 Hz for all tones of a network.
const HZ: f64 = 425.0;

/// And for the ringing tone one second of it in five.
const SOUNDS_S: f64 = 1.0;
const EVERY_S: u32 = 5;

/// Its level: -20 dBFS at the peak, some dB below speech, as networks have it.
const PEAK: f64 = 3277.0;

/// So long it swells and fades: a tone that is cut hard clicks.
const RAMP_S: f64 = 0.01;

/// The tone, frame by frame from its beginning.
#[derive(Clone, Debug)]
pub struct RingingTone {
    rate: SampleRate,
    /// Samples since the tone last began.
    at: u32,
}

impl RingingTone {
    pub const fn new(rate: SampleRate) -> Self {
        Self { rate, at: 0 }
    }

    /// The next 20 ms.
    pub fn next_frame(&mut self) -> Frame {
        let mut frame = Frame::silence(self.rate);
        for sample in frame.samples_mut() {
            *sample = self.next_sample();
        }
        frame
    }

    fn next_sample(&mut self) -> i16 {
        let hz = f64::from(self.rate.hz());
        let seconds = f64::from(self.at) / hz;
        self.at = (self.at + 1) % (self.rate.hz() * EVERY_S);
        let to_edge = seconds.min(SOUNDS_S - seconds).max(0.0);
        let swell = (to_edge / RAMP_S).min(1.0);
        #[expect(clippy::cast_possible_truncation, reason = "it is no more than the peak")]
        let sample = (PEAK * swell * (TAU * HZ * seconds).sin()).round() as i16;
        sample
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sounds_for_one_second_in_five_at_425_hz_and_no_louder_than_its_peak() {
        for rate in [SampleRate::Hz8000, SampleRate::Hz16000] {
            let mut tone = RingingTone::new(rate);
            let mut heard = Vec::new();
            for _ in 0..500 {
                heard.extend_from_slice(tone.next_frame().samples());
            }
            let second = rate.hz() as usize;
            for round in heard.chunks(5 * second) {
                let loudest = round.iter().map(|s| s.unsigned_abs()).max().unwrap_or(0);
                assert!((3200..=3277).contains(&loudest), "{loudest}");
                let crossings = round[..second].windows(2).filter(|two| two[0] < 0 && two[1] >= 0).count();
                assert!(crossings.abs_diff(425) <= 2, "{crossings}");
                assert!(round[second + 1..].iter().all(|s| *s == 0), "then it is silent");
            }
        }
    }

    #[test]
    fn it_begins_and_ends_without_a_click() {
        let mut tone = RingingTone::new(SampleRate::Hz8000);
        let heard: Vec<i16> = (0..60).flat_map(|_| tone.next_frame().samples().to_vec()).collect();
        let step = |at: usize| heard[at].abs_diff(heard[at + 1]);
        assert!((0..8).all(|at| step(at) < 300) && (7_990..8_010).all(|at| step(at) < 300));
    }
}
