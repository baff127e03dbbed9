/// The level of active speech that a telephone carries well: -18 dBFS.
const TARGET_RMS: f32 = 0.126;

/// The gain stays within these, so that a breath is never made a shout.
const GAIN_MIN: f32 = 0.7;
const GAIN_MAX: f32 = 4.0;

/// Loudness is looked at in blocks of 20 ms, and goes a fiftieth of the way
/// in each: half in 0.7 s, too slow to be heard as pumping.
const BLOCKS_PER_SECOND: usize = 50;
const GAIN_STEP: f32 = 0.02;

/// A block below this is a pause, and says nothing of the voice's loudness.
const ACTIVE_RMS: f32 = 0.02;

/// Peaks are bent from -8 dBFS on, and stay below -4 dBFS: the filter after
/// this rings by up to 1 dB, and -3 dBFS is what a telephone's peer expects.
const KNEE: f32 = 0.398;
const CEILING: f32 = 0.631;

/// Brings a voice's speech to the telephone's level. The gain drifts slowly and
/// does not look ahead, so that the first slice need not wait.
#[derive(Clone, Debug)]
pub struct Loudness {
    /// Samples of 20 ms.
    block: usize,
    gain: f32,
    energy: f32,
    seen: usize,
}

impl Loudness {
    /// For sound of `hz` samples a second; `gain` is where it starts.
    pub const fn new(hz: usize, gain: f32) -> Self {
        Self { block: hz / BLOCKS_PER_SECOND, gain, energy: 0.0, seen: 0 }
    }

    /// Full scale is 1.0.
    pub fn apply(&mut self, sound: &mut [f32]) {
        for sample in sound {
            self.energy += *sample * *sample;
            self.seen += 1;
            *sample = bent(*sample * self.gain);
            if self.seen == self.block {
                let rms = (self.energy / self.block as f32).sqrt();
                if rms > ACTIVE_RMS {
                    let wanted = (TARGET_RMS / rms).clamp(GAIN_MIN, GAIN_MAX);
                    self.gain *= (wanted / self.gain).powf(GAIN_STEP);
                }
                (self.energy, self.seen) = (0.0, 0);
            }
        }
    }
}

/// Straight up to the knee, then bent towards the ceiling.
fn bent(sample: f32) -> f32 {
    let over = sample.abs() - KNEE;
    if over <= 0.0 {
        return sample;
    }
    let room = CEILING - KNEE;
    (KNEE + room * (over / room).tanh()).copysign(sample)
}

/// Ramps the first `len` samples by a curve over 0 to 1.
pub fn ramp(sound: &mut [f32], len: usize, curve: impl Fn(f32) -> f32) {
    for (i, sample) in sound.iter_mut().take(len).enumerate() {
        *sample *= curve((i as f32 + 0.5) / len as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HZ: usize = 16_000;

    #[test]
    fn quiet_and_loud_voices_come_out_at_the_same_level_and_no_peak_is_above_the_ceiling() {
        for amplitude in [0.08_f32, 0.15, 0.9] {
            let mut loudness = Loudness::new(HZ, 1.0);
            let mut sound: Vec<f32> = (0..4 * HZ).map(|i| amplitude * (i as f32 * 0.15).sin()).collect();
            loudness.apply(&mut sound);
            let last = &sound[3 * HZ..];
            let rms = (last.iter().map(|s| s * s).sum::<f32>() / HZ as f32).sqrt();
            assert!(rms > TARGET_RMS * 0.8 && rms < TARGET_RMS * 3.6, "{amplitude}: {rms}");
            assert!(sound.iter().all(|s| s.abs() <= CEILING));
        }
    }
}
