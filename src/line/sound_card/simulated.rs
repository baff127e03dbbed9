//! A loudspeaker for tests of what stands before a card: the rings of an open one, and
//! a crystal that swings when the test says so. It knows no library and no time.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use crate::media::SampleRate;

use super::end::{CardCounts, CardEnd, Counters, Opening};
use super::ring::{SampleReader, SampleWriter, ring};

pub(in crate::line) struct SimulatedSpeaker {
    hz: u32,
    playing: SampleReader,
    played: SampleWriter,
    counts: Arc<Counters>,
}

impl SimulatedSpeaker {
    /// An open card of `hz`, and its end for frames of `rate`.
    pub(in crate::line) fn open(hz: u32, rate: SampleRate) -> (Self, CardEnd) {
        let size = hz as usize / 5;
        let (to_play, playing) = ring(size);
        let (played_in, played) = ring(size);
        let (openings, opened) = sync_channel(1);
        let counts = Arc::new(Counters::default());
        assert!(openings.try_send(Opening { hz, captured: None, played, to_play }).is_ok());
        let end = CardEnd::new(rate, opened, counts.clone());
        (Self { hz, playing, played: played_in, counts }, end)
    }

    /// Twenty milliseconds of the card's time: what comes out of the loudspeaker, and
    /// silence where nothing lies ready.
    pub(in crate::line) fn period(&mut self) -> Vec<i16> {
        let mut block = vec![0; self.hz as usize / 50];
        self.playing.read(&mut block);
        self.played.write(block.iter().copied());
        block
    }

    /// Samples that lie ready.
    pub(in crate::line) fn ready(&self) -> usize {
        self.playing.filled()
    }

    pub(in crate::line) fn counts(&self) -> CardCounts {
        self.counts.read()
    }
}
