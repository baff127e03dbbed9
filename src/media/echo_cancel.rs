//! Taking the box's own voice out of what a microphone hears, where loudspeaker and
//! microphone stand in one room: WebRTC's third canceller (AEC3), in Rust. It changes
//! sound; whether a line's echo is the caller, [`super::EchoGuard`] judges without it.

use sonora::config::{EchoCanceller as Aec3, HighPassFilter};
use sonora::{AudioProcessing, Config, StreamConfig};

use super::{Frame, SampleRate};

/// The canceller works in steps of 10 ms: two a frame.
const STEPS: usize = 2;

/// Samples in the largest step: 10 ms at 16 kHz.
const MAX_STEP: usize = 160;

/// One room's canceller. It finds the delay of the echo by itself, up to about half a
/// second, and follows it when it changes; 1.5 MB on the heap.
pub struct EchoCanceller {
    processing: AudioProcessing,
    rate: SampleRate,
}

impl EchoCanceller {
    pub fn new(rate: SampleRate) -> Self {
        let config = Config {
            echo_canceller: Some(Aec3::default()),
            // The canceller's filters are upset by the direct current of cheap microphones.
            high_pass_filter: Some(HighPassFilter::default()),
            ..Config::default()
        };
        let stream = StreamConfig::new(rate.hz(), 1);
        let processing = AudioProcessing::builder().config(config).capture_config(stream).render_config(stream).build();
        Self { processing, rate }
    }

    /// What was heard, without the echo of what was played. `played` are the 20 ms that
    /// went to the loudspeaker before or while `heard` came from the microphone, and the
    /// two keep step: where a frame was not played, silence was.
    ///
    /// # Panics
    /// If a frame does not have the canceller's rate: a mistake of ours.
    pub fn cancel(&mut self, played: &Frame, heard: &Frame) -> Frame {
        assert!(played.rate() == self.rate && heard.rate() == self.rate, "a room has one rate");
        let mut cleaned = Frame::silence(self.rate);
        let len = self.rate.frame_len() / STEPS;
        let steps = played.samples().chunks_exact(len).zip(heard.samples().chunks_exact(len));
        for ((played, heard), out) in steps.zip(cleaned.samples_mut().chunks_exact_mut(len)) {
            // What comes back of the played side is for other uses of the library.
            let mut same = [0; MAX_STEP];
            let rendered = self.processing.process_render_i16(played, &mut same[..len]);
            let captured = self.processing.process_capture_i16(heard, out);
            if rendered.is_err() || captured.is_err() {
                debug_assert!(false, "steps of 10 ms at 8 or 16 kHz are taken");
                out.copy_from_slice(heard);
            }
        }
        cleaned
    }
}

impl std::fmt::Debug for EchoCanceller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EchoCanceller").field("rate", &self.rate).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "echo_cancel_tests.rs"]
mod tests;
