//! From the voice's rate to the line's, with the filter that a telephone wants:
//! nothing above what the line carries, and nothing of it folded back.

/// Taps of the filter at the voice's rate. With the window below: 60 dB down
/// from 4.0 kHz on, flat to 3.4 kHz, for a line of 8 kHz (ITU-T G.712's band).
const TAPS: usize = 136;

/// Kaiser's window for 60 dB (beta = 0.1102 * (60 - 8.7)).
const BETA: f64 = 5.65;

/// The middle of the slope, as a part of the line's rate: 3.7 kHz of 8.
const CUTOFF: f64 = 0.4625;

/// A polyphase filter: for each of `up` places between two samples its own taps.
pub(super) struct Resampler {
    phases: Vec<[f32; TAPS]>,
    up: usize,
    down: usize,
    /// The samples under the filter, and those not yet reached.
    past: Vec<f32>,
    /// The place of the next output sample, in 1/`up` of an input sample after
    /// the first of `past`.
    at: usize,
}

impl Resampler {
    pub(super) fn new(from_hz: u32, to_hz: u32) -> Self {
        let shared = gcd(from_hz, to_hz);
        let (up, down) = ((to_hz / shared) as usize, (from_hz / shared) as usize);
        let cutoff = CUTOFF * f64::from(to_hz.min(from_hz)) / f64::from(from_hz);
        let phases = (0..up).map(|phase| taps(cutoff, fraction(phase, up))).collect();
        Self { phases, up, down, past: vec![0.0; TAPS - 1], at: 0 }
    }

    /// Takes samples, and adds those that they make to `out`. The sound comes
    /// out half a filter (3 ms) late.
    pub(super) fn push(&mut self, sound: &[f32], out: &mut Vec<f32>) {
        self.past.extend_from_slice(sound);
        while let Some(window) = self.past.get(self.at / self.up..self.at / self.up + TAPS) {
            let taps = &self.phases[self.at % self.up];
            out.push(window.iter().zip(taps).map(|(s, t)| s * t).sum());
            self.at += self.down;
        }
        let done = (self.at / self.up).min(self.past.len());
        self.past.drain(..done);
        self.at -= done * self.up;
    }
}

const fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[expect(clippy::cast_precision_loss, reason = "both are below a few hundred")]
fn fraction(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

/// The taps for a sample `offset` (0 to 1) after the middle of the filter.
/// They add up to one, so that a voice keeps its level.
#[expect(clippy::cast_possible_truncation, reason = "taps are samples' precision")]
fn taps(cutoff: f64, offset: f64) -> [f32; TAPS] {
    let middle = fraction(TAPS, 2) - 1.0 + offset;
    let raw: [f64; TAPS] = std::array::from_fn(|i| {
        let x = fraction(i, 1) - middle;
        let sinc = if x.abs() < 1e-9 {
            2.0 * cutoff
        } else {
            (std::f64::consts::TAU * cutoff * x).sin() / (std::f64::consts::PI * x)
        };
        let place = x / fraction(TAPS, 2);
        sinc * bessel(BETA * (1.0 - place * place).max(0.0).sqrt())
    });
    let sum: f64 = raw.iter().sum();
    raw.map(|tap| (tap / sum) as f32)
}

/// The modified Bessel function of the first kind and order 0, by its series;
/// 25 terms are exact to 1e-12 for the window's arguments below 6.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..25 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The level of a tone after the filter, against before, in dB.
    fn response(tone_hz: f64, to_hz: u32) -> f64 {
        let sound: Vec<f32> =
            (0..22_050).map(|i| (std::f64::consts::TAU * tone_hz * f64::from(i) / 22_050.0).sin() as f32).collect();
        let mut out = Vec::new();
        Resampler::new(22_050, to_hz).push(&sound, &mut out);
        let steady = &out[400..out.len() - 10];
        let power = steady.iter().map(|s| f64::from(s * s)).sum::<f64>() / steady.len() as f64;
        10.0 * (2.0 * power).log10()
    }

    #[test]
    fn the_telephones_band_passes_and_what_would_fold_back_does_not() {
        for hz in [100.0, 1000.0, 3300.0] {
            assert!(response(hz, 8000).abs() < 0.2, "{hz}: {}", response(hz, 8000));
        }
        for hz in [4050.0, 5000.0, 9000.0] {
            assert!(response(hz, 8000) < -50.0, "{hz}: {}", response(hz, 8000));
        }
        assert!(response(6500.0, 16_000).abs() < 0.2);
        assert!(response(8200.0, 16_000) < -50.0);
    }

    #[test]
    fn a_second_stays_a_second_whatever_the_slices() {
        let sound = vec![0.1; 22_050];
        for (to, size) in [(8000, 7), (16_000, 999), (8000, 22_050)] {
            let mut out = Vec::new();
            let mut resampler = Resampler::new(22_050, to);
            sound.chunks(size).for_each(|slice| resampler.push(slice, &mut out));
            assert!(out.len().abs_diff(to as usize) <= 1, "{to}: {}", out.len());
        }
    }
}
