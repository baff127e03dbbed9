//! What a second of a call's sound was like: counted where the sound passes, read by
//! the line's task.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::signalling::modem::SoundFacts;

/// Given to digital silence: below anything that 16 bits hold.
const SILENT_DBFS: f32 = -100.0;

#[derive(Debug, Default)]
struct Way {
    bytes: AtomicU64,
    samples: AtomicU64,
    /// Sum of squares.
    energy: AtomicU64,
}

impl Way {
    fn heard(&self, samples: &[i16]) {
        let energy: u64 = samples.iter().map(|s| u64::from(s.unsigned_abs()).pow(2)).sum();
        self.samples.fetch_add(samples.len() as u64, Ordering::Relaxed);
        self.energy.fetch_add(energy, Ordering::Relaxed);
    }

    fn take(&self) -> (u32, f32) {
        let bytes = self.bytes.swap(0, Ordering::Relaxed);
        let samples = self.samples.swap(0, Ordering::Relaxed);
        let energy = self.energy.swap(0, Ordering::Relaxed);
        let dbfs = if energy == 0 || samples == 0 {
            SILENT_DBFS
        } else {
            10.0 * (energy as f32 / samples as f32 / (32_768.0 * 32_768.0)).log10()
        };
        (u32::try_from(bytes).unwrap_or(u32::MAX), dbfs)
    }
}

/// Counts the sound of one call.
#[derive(Debug, Default)]
pub(super) struct Meter {
    down: Way,
    up: Way,
}

impl Meter {
    pub(super) fn came(&self, samples: &[i16]) {
        self.down.bytes.fetch_add(2 * samples.len() as u64, Ordering::Relaxed);
        self.down.heard(samples);
    }

    /// What we say, whether or not the modem has taken it yet.
    pub(super) fn said(&self, samples: &[i16]) {
        self.up.heard(samples);
    }

    pub(super) fn taken(&self, bytes: usize) {
        self.up.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// What was counted since the last time.
    pub(super) fn take(&self, over: Duration) -> SoundFacts {
        let ((down_bytes, down_dbfs), (up_bytes, up_dbfs)) = (self.down.take(), self.up.take());
        SoundFacts { over, down_bytes, up_bytes, down_dbfs, up_dbfs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_measured_and_then_begins_anew() {
        let meter = Meter::default();
        meter.came(&[16_384; 8000]);
        meter.said(&[0; 8000]);
        meter.taken(16_000);
        let facts = meter.take(Duration::from_secs(1));
        assert_eq!((facts.down_bytes, facts.up_bytes), (16_000, 16_000));
        assert!((facts.down_dbfs + 6.02).abs() < 0.1, "{facts:?}");
        assert!(facts.up_dbfs <= -100.0);
        assert_eq!(meter.take(Duration::from_secs(1)).down_bytes, 0);
    }
}
