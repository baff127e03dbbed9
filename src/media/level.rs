//! How loud sound is, and keeping the box's own voice at the loudness of a telephone.

use super::{Frame, SampleRate};

/// Full scale of a 16 bit sample.
const FULL_SCALE: f32 = 32_768.0;

/// The level given to digital silence, in dBFS: below the last bit of 16 (-90 dB).
pub const SILENCE_DBFS: f32 = -96.0;

/// Active speech on the telephone, RMS: about -18 dBFS, as P.56 speech level meters
/// read from well set trunks (-20 dBm0 and a little more, since callers stand in noise).
const TARGET_DBFS: f32 = -18.0;

/// No sample rises above this: 3 dB of room for the peer's codec and gain.
const CEILING: f32 = 23_197.0;

/// Frames below this are pauses and breaths; they do not move the gain.
const ACTIVE_DBFS: f32 = -45.0;

/// The gain stays within these, so that noise is never pumped up.
const MAX_GAIN: f32 = 8.0;
const MIN_GAIN: f32 = 0.125;

/// How much of the way to the wanted gain one active frame goes: half in about 0.35 s.
const GAIN_STEP: f32 = 0.04;

/// The loudness of samples.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Level {
    /// Root mean square, in dB below full scale; [`SILENCE_DBFS`] at least.
    pub rms_dbfs: f32,
    /// The largest magnitude, in dB below full scale.
    pub peak_dbfs: f32,
}

impl Level {
    /// The level of `samples`; of none, silence.
    pub fn of(samples: &[i16]) -> Self {
        let mut energy = 0.0_f32;
        let mut peak = 0.0_f32;
        for &sample in samples {
            let value = f32::from(sample);
            energy += value * value;
            peak = peak.max(value.abs());
        }
        let mean = if samples.is_empty() { 0.0 } else { energy / samples.len() as f32 };
        Self { rms_dbfs: dbfs(mean.sqrt()), peak_dbfs: dbfs(peak) }
    }
}

fn dbfs(amplitude: f32) -> f32 {
    if amplitude < 1e-3 { SILENCE_DBFS } else { (20.0 * (amplitude / FULL_SCALE).log10()).max(SILENCE_DBFS) }
}

/// Brings speech to the telephone's level: a slow gain towards -18 dBFS and a
/// limiter that lets no peak above -3 dBFS.
#[derive(Clone, Debug)]
pub struct VolumeControl {
    gain: f32,
    limiter: f32,
}

impl Default for VolumeControl {
    fn default() -> Self {
        Self::new()
    }
}

impl VolumeControl {
    pub const fn new() -> Self {
        Self { gain: 1.0, limiter: 1.0 }
    }

    /// Applies the gain to one frame, in place.
    pub fn apply(&mut self, frame: &mut Frame) {
        let before = self.gain * self.limiter;
        let level = Level::of(frame.samples());
        if level.rms_dbfs > ACTIVE_DBFS {
            let wanted = 10.0_f32.powf((TARGET_DBFS - level.rms_dbfs) / 20.0).clamp(MIN_GAIN, MAX_GAIN);
            self.gain *= (wanted / self.gain).powf(GAIN_STEP);
        }
        let peak = FULL_SCALE * 10.0_f32.powf(level.peak_dbfs / 20.0);
        // The limiter acts at once and lets go over some ten frames.
        let allowed = (CEILING / (peak * self.gain).max(1.0)).min(1.0);
        self.limiter = allowed.min(self.limiter + 0.1 * (1.0 - self.limiter));
        ramp(frame.samples_mut(), before, self.gain * self.limiter);
    }
}

/// Multiplies by a gain that goes from one value to another; peaks are held below the
/// ceiling while the old gain still rings.
fn ramp(samples: &mut [i16], from: f32, to: f32) {
    let step = (to - from) / samples.len().max(1) as f32;
    let mut gain = from;
    for sample in samples {
        gain += step;
        *sample = to_sample((f32::from(*sample) * gain).clamp(-CEILING, CEILING));
    }
}

#[expect(clippy::cast_possible_truncation, reason = "float casts saturate, which is what is wanted")]
fn to_sample(value: f32) -> i16 {
    value.round() as i16
}

/// A ramp that takes speech to silence or back, so that a cut does not click.
///
/// Eight milliseconds: long enough that the spectrum of the edge stays below the
/// voice, short enough that a barge-in is still felt as immediate.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Fade {
    /// From full to nothing; the rest of the frame is silence.
    Out,
    /// From nothing to full.
    In,
}

impl Fade {
    const fn samples(rate: SampleRate) -> usize {
        rate.hz() as usize * 8 / 1000
    }

    /// Applies the ramp at the beginning of the frame.
    pub fn apply(self, frame: &mut Frame) {
        let len = Self::samples(frame.rate());
        for (i, sample) in frame.samples_mut().iter_mut().enumerate() {
            let way = (i as f32 + 0.5) / len as f32;
            // Half a cosine: no corner at either end.
            let rise = 0.5 - 0.5 * (std::f32::consts::PI * way.min(1.0)).cos();
            let gain = match self {
                Self::In => rise,
                Self::Out => 1.0 - rise,
            };
            *sample = to_sample(f32::from(*sample) * gain);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(amplitude: f32, start: usize) -> Frame {
        let mut frame = Frame::silence(SampleRate::Hz8000);
        for (i, sample) in frame.samples_mut().iter_mut().enumerate() {
            *sample = (amplitude * (std::f32::consts::TAU * 500.0 * (start + i) as f32 / 8000.0).sin()) as i16;
        }
        frame
    }

    #[test]
    fn a_full_sine_is_three_decibels_below_full_scale() {
        let level = Level::of(tone(32_767.0, 0).samples());
        assert!((level.rms_dbfs + 3.01).abs() < 0.05, "{level:?}");
        assert!(level.peak_dbfs.abs() < 0.01, "{level:?}");
    }

    #[test]
    fn silence_and_nothing_have_the_lowest_level() {
        assert_eq!(Level::of(&[0; 160]).rms_dbfs, SILENCE_DBFS);
        assert_eq!(Level::of(&[]).rms_dbfs, SILENCE_DBFS);
    }

    #[test]
    fn quiet_and_loud_speech_come_to_the_telephones_level() {
        for amplitude in [1_000.0, 30_000.0] {
            let mut volume = VolumeControl::new();
            let mut level = Level::of(&[]);
            for n in 0..200 {
                let mut frame = tone(amplitude, n * 160);
                volume.apply(&mut frame);
                level = Level::of(frame.samples());
            }
            assert!((level.rms_dbfs - TARGET_DBFS).abs() < 1.0, "{amplitude}: {level:?}");
        }
    }

    #[test]
    fn no_sample_rises_above_the_ceiling_even_at_a_sudden_shout() {
        let mut volume = VolumeControl::new();
        for n in 0..100 {
            volume.apply(&mut tone(800.0, n * 160));
        }
        for n in 0..20 {
            let mut shout = tone(32_000.0, n * 160);
            volume.apply(&mut shout);
            assert!(Level::of(shout.samples()).peak_dbfs <= -2.99);
        }
    }

    #[test]
    fn a_pause_does_not_raise_the_gain() {
        let mut volume = VolumeControl::new();
        for _ in 0..500 {
            volume.apply(&mut tone(60.0, 0));
        }
        assert!((volume.gain - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_fade_leaves_no_step() {
        let mut frame = Frame::from_samples(SampleRate::Hz8000, &[10_000; 160]);
        Fade::Out.apply(&mut frame);
        let largest_step =
            frame.samples().windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap_or(0);
        assert!(largest_step < 10_000 / 30, "{largest_step}");
        assert!(frame.samples()[64..].iter().all(|&s| s == 0));
        let mut frame = Frame::from_samples(SampleRate::Hz16000, &[10_000; 320]);
        Fade::In.apply(&mut frame);
        assert!(frame.samples()[0].abs() < 20);
        assert!(frame.samples()[128..].iter().all(|&s| s == 10_000));
    }
}
