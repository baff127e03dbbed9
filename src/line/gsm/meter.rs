//! What a second of a call's sound was like: counted where the sound passes, read by
//! the line's task.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::signalling::modem::SoundFacts;

/// Given to digital silence: below anything that 16 bits hold.
const SILENT_DBFS: f32 = -100.0;

/// Counts the sound of one call. How loud we are ourselves says nothing of the line.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// Samples that came.
    came: AtomicU64,
    /// Sum of their squares.
    energy: AtomicU64,
    /// Octets that the modem took.
    taken: AtomicU64,
}

impl Meter {
    pub(super) fn came(&self, samples: &[i16]) {
        let energy: u64 = samples.iter().map(|s| u64::from(s.unsigned_abs()).pow(2)).sum();
        self.came.fetch_add(samples.len() as u64, Ordering::Relaxed);
        self.energy.fetch_add(energy, Ordering::Relaxed);
    }

    pub(super) fn taken(&self, bytes: usize) {
        self.taken.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// What was counted since the last time.
    pub(super) fn take(&self, over: Duration) -> SoundFacts {
        let came = self.came.swap(0, Ordering::Relaxed);
        let energy = self.energy.swap(0, Ordering::Relaxed);
        let taken = self.taken.swap(0, Ordering::Relaxed);
        let down_dbfs = if energy == 0 || came == 0 {
            SILENT_DBFS
        } else {
            10.0 * (energy as f32 / came as f32 / (32_768.0 * 32_768.0)).log10()
        };
        let octets = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        SoundFacts { over, down_bytes: octets(2 * came), up_bytes: octets(taken), down_dbfs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_measured_and_then_begins_anew() {
        let meter = Meter::default();
        meter.came(&[16_384; 8000]);
        meter.taken(16_000);
        let facts = meter.take(Duration::from_secs(1));
        assert_eq!((facts.down_bytes, facts.up_bytes), (16_000, 16_000));
        assert!((facts.down_dbfs + 6.02).abs() < 0.1, "{facts:?}");
        let facts = meter.take(Duration::from_secs(1));
        assert_eq!((facts.down_bytes, facts.up_bytes), (0, 0));
        assert!(facts.down_dbfs <= -100.0, "{facts:?}");
    }
}
