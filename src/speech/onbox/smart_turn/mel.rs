//! The picture of sound that Whisper's family of models looks at: the energy
//! of 80 bands, a hundred times a second, on a logarithmic scale.
//!
//! Source: Radford et al. 2022, section 2.2 (25 ms windows every 10 ms, 80
//! bands), and the mel scale of Slaney's Auditory Toolbox.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

pub(super) const BANDS: usize = 80;
pub(super) const STEPS: usize = 800;

const WINDOW: usize = 400;
const HOP: usize = 160;
const BINS: usize = WINDOW / 2 + 1;
const HZ: f64 = 16_000.0;

/// Against the logarithm and the root of nothing.
const ENERGY_FLOOR: f64 = 1e-10;
const VARIANCE_FLOOR: f64 = 1e-7;

/// Nothing is more than eight powers of ten below the loudest.
const RANGE: f64 = 8.0;

/// The tables; made once.
pub(super) struct LogMel {
    fft: Arc<dyn RealToComplex<f64>>,
    hann: Vec<f64>,
    /// For each band: its first bin, and the weights from there.
    bands: Vec<(usize, Vec<f64>)>,
}

impl LogMel {
    pub(super) fn new() -> Self {
        let turn = |i| std::f64::consts::TAU * f64::from(i) / WINDOW as f64;
        // Periodic: as if the window went on to a 401st sample.
        let hann = (0_u32..).take(WINDOW).map(|i| 0.5 - 0.5 * turn(i).cos()).collect();
        Self { fft: RealFftPlanner::new().plan_fft_forward(WINDOW), hann, bands: bands() }
    }

    /// The features of `STEPS * HOP` samples, band by band.
    pub(super) fn of(&self, sound: &[f32]) -> Vec<f32> {
        let padded = mirrored(&normalised(sound));
        let mut window = self.fft.make_input_vec();
        let mut spectrum = self.fft.make_output_vec();
        let mut energies = vec![0.0; BANDS * STEPS];
        for step in 0..STEPS {
            let from = &padded[step * HOP..step * HOP + WINDOW];
            for ((to, sample), weight) in window.iter_mut().zip(from).zip(&self.hann) {
                *to = sample * weight;
            }
            // Fails only for buffers of a wrong length; these are its own.
            self.fft.process(&mut window, &mut spectrum).unwrap_or_else(|_| spectrum.fill(Complex::new(0.0, 0.0)));
            for (band, (first, weights)) in self.bands.iter().enumerate() {
                let bins = &spectrum[*first..*first + weights.len()];
                energies[band * STEPS + step] = bins.iter().zip(weights).map(|(bin, w)| bin.norm_sqr() * w).sum();
            }
        }
        compressed(&energies)
    }
}

/// Mean nought and variance one, so that loudness does not matter.
fn normalised(sound: &[f32]) -> Vec<f64> {
    let count = sound.len() as f64;
    let mean = sound.iter().map(|s| f64::from(*s)).sum::<f64>() / count;
    let variance = sound.iter().map(|s| (f64::from(*s) - mean).powi(2)).sum::<f64>() / count;
    let scale = (variance + VARIANCE_FLOOR).sqrt();
    sound.iter().map(|s| (f64::from(*s) - mean) / scale).collect()
}

/// Half a window of the sound's own mirror image at either end, so that the
/// first window has its middle at the first sample.
fn mirrored(sound: &[f64]) -> Vec<f64> {
    let half = WINDOW / 2;
    let before = sound[1..=half].iter().rev();
    let after = sound[sound.len() - half - 1..sound.len() - 1].iter().rev();
    before.chain(sound).chain(after).copied().collect()
}

#[expect(clippy::cast_possible_truncation, reason = "the model takes single precision")]
fn compressed(energies: &[f64]) -> Vec<f32> {
    let logs: Vec<f64> = energies.iter().map(|e| e.max(ENERGY_FLOOR).log10()).collect();
    let floor = logs.iter().copied().fold(f64::MIN, f64::max) - RANGE;
    logs.iter().map(|log| ((log.max(floor) + 4.0) / 4.0) as f32).collect()
}

/// Slaney's scale: linear to 1 kHz, then logarithmic.
const LINEAR_HZ_PER_MEL: f64 = 200.0 / 3.0;
const BREAK_HZ: f64 = 1000.0;
const BREAK_MEL: f64 = 15.0;

/// Above the break, 27 mels are a factor of 6.4.
fn log_step() -> f64 {
    6.4_f64.ln() / 27.0
}

fn to_mel(hz: f64) -> f64 {
    if hz < BREAK_HZ { hz / LINEAR_HZ_PER_MEL } else { BREAK_MEL + (hz / BREAK_HZ).ln() / log_step() }
}

fn to_hz(mel: f64) -> f64 {
    if mel < BREAK_MEL { mel * LINEAR_HZ_PER_MEL } else { BREAK_HZ * (log_step() * (mel - BREAK_MEL)).exp() }
}

/// Triangles of equal area whose corners are equally far apart in mels.
fn bands() -> Vec<(usize, Vec<f64>)> {
    let top = to_mel(HZ / 2.0);
    let corner = |n: usize| to_hz(top * n as f64 / (BANDS + 1) as f64);
    let bin_hz = |bin: usize| bin as f64 * HZ / WINDOW as f64;
    (0..BANDS)
        .map(|band| {
            let (low, middle, high) = (corner(band), corner(band + 1), corner(band + 2));
            let weight = |bin: usize| {
                let hz = bin_hz(bin);
                ((hz - low) / (middle - low)).min((high - hz) / (high - middle)).max(0.0) * 2.0 / (high - low)
            };
            let first = (0..BINS).find(|bin| weight(*bin) > 0.0).unwrap_or(0);
            (first, (first..BINS).map(weight).take_while(|w| *w > 0.0).collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound(sample: impl Fn(f64) -> f64) -> Vec<f32> {
        (0..STEPS * HOP).map(|i| sample(i as f64 / HZ) as f32).collect()
    }

    #[test]
    fn a_tone_is_brightest_in_the_band_of_its_pitch() {
        for (hz, band) in [(500.0, to_mel(500.0)), (3000.0, to_mel(3000.0))] {
            let features = LogMel::new().of(&sound(|t| 0.3 * (std::f64::consts::TAU * hz * t).sin()));
            let brightest = (0..BANDS).max_by(|a, b| features[a * STEPS + 400].total_cmp(&features[b * STEPS + 400]));
            let expected = band * (BANDS + 1) as f64 / to_mel(8000.0) - 1.0;
            assert!((brightest.unwrap() as f64 - expected).abs() <= 1.0, "{hz}: {brightest:?} for {expected}");
        }
    }

    #[test]
    fn loudness_does_not_matter_and_silence_is_finite() {
        let quiet = LogMel::new().of(&sound(|t| 0.02 * (3000.0 * t).sin()));
        let loud = LogMel::new().of(&sound(|t| 0.8 * (3000.0 * t).sin()));
        assert!(quiet.iter().zip(&loud).all(|(a, b)| (a - b).abs() < 0.01));
        assert!(LogMel::new().of(&vec![0.0; STEPS * HOP]).iter().all(|x| x.is_finite()));
    }
}
