/// The length of a frame, in milliseconds. Twenty is the packet time that every
/// telephone network speaks by default (RFC 3551 section 4.2).
pub const FRAME_MS: u32 = 20;

/// Samples in the largest frame: 20 ms at 16 kHz.
const MAX_SAMPLES: usize = 320;

/// The two rates at which a telephone line carries sound.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SampleRate {
    /// Narrow band: G.711.
    Hz8000,
    /// Wide band: G.722; also the rate of the ears.
    Hz16000,
}

impl SampleRate {
    pub const fn hz(self) -> u32 {
        match self {
            Self::Hz8000 => 8_000,
            Self::Hz16000 => 16_000,
        }
    }

    /// Samples in one frame of 20 ms.
    pub const fn frame_len(self) -> usize {
        match self {
            Self::Hz8000 => MAX_SAMPLES / 2,
            Self::Hz16000 => MAX_SAMPLES,
        }
    }
}

/// Twenty milliseconds of mono sound, signed 16 bit, held without allocation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    rate: SampleRate,
    samples: [i16; MAX_SAMPLES],
}

impl Frame {
    pub const fn silence(rate: SampleRate) -> Self {
        Self { rate, samples: [0; MAX_SAMPLES] }
    }

    /// A frame of the first 20 ms of `samples`; what is missing is silence.
    pub fn from_samples(rate: SampleRate, samples: &[i16]) -> Self {
        let mut frame = Self::silence(rate);
        let len = samples.len().min(rate.frame_len());
        frame.samples[..len].copy_from_slice(&samples[..len]);
        frame
    }

    pub const fn rate(&self) -> SampleRate {
        self.rate
    }

    pub fn samples(&self) -> &[i16] {
        &self.samples[..self.rate.frame_len()]
    }

    pub fn samples_mut(&mut self) -> &mut [i16] {
        &mut self.samples[..self.rate.frame_len()]
    }
}

impl std::fmt::Debug for Frame {
    /// The rate alone: sound is a person's, and never goes to a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame").field("rate", &self.rate).finish_non_exhaustive()
    }
}
