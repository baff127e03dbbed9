//! The caller's sound without the tones of keys: neither the recording, nor a person
//! who listens, nor the ears, which may be a provider's, get a tone that says its key. While something
//! secret is keyed they get nothing at all. It keeps one frame and decides nothing
//! about keys: the call does.

use std::time::Duration;

use crate::line::EarFrame;
use crate::media::{Frame, SampleRate, ToneDetector};
use crate::terms::Moment;

/// Sound behind a key that was told as an event, in which its tone may still
/// come: the jitter buffer holds some 60 ms, and a gateway lets as much leak.
const AFTER_EVENT: Duration = Duration::from_millis(120);

/// One call's caller.
pub struct Keyless {
    rate: SampleRate,
    tones: ToneDetector,
    is_withheld: bool,
    silent_until: Moment,
    /// The frame that waits to be kept: a tone that begins at its end is heard in
    /// the next one. Less than a frame of a tone is too short to be told as a key
    /// by whoever keeps to ITU-T Q.24 (23 ms), so the ears need not wait.
    waiting: Option<Frame>,
}

/// What becomes of one frame.
pub struct Passed {
    /// For the ears, now.
    pub heard: EarFrame,
    /// For the recording, and for whoever listens: the frame before.
    pub kept: Option<Frame>,
}

impl Keyless {
    pub const fn new(rate: SampleRate) -> Self {
        let (tones, silent_until) = (ToneDetector::new(rate), Moment::START);
        Self { rate, tones, is_withheld: false, silent_until, waiting: None }
    }

    /// The next frame of the caller.
    pub fn pass(&mut self, ear: &EarFrame) -> Passed {
        // A tone that ends within the frame was there when it began.
        let was_tone = self.tones.may_be_key();
        let pressed = self.tones.hear(&ear.frame).is_some();
        let is_tone = was_tone || pressed || self.tones.may_be_key();
        let is_silent = is_tone || self.is_withheld || ear.at < self.silent_until;
        let before = self.waiting.take().map(|before| if is_silent { self.silence() } else { before });
        let frame = if is_silent { self.silence() } else { ear.frame };
        self.waiting = Some(frame);
        Passed { heard: EarFrame { frame, ..*ear }, kept: before }
    }

    /// The line told a key by itself.
    pub fn told(&mut self, at: Moment) {
        self.silent_until = self.silent_until.max(at + AFTER_EVENT);
        self.waiting = self.waiting.map(|_| self.silence());
    }

    /// The caller keys something secret from here on.
    pub fn withhold(&mut self) {
        self.is_withheld = true;
        self.waiting = self.waiting.map(|_| self.silence());
    }

    pub fn restore(&mut self) {
        self.is_withheld = false;
    }

    /// The recording begins: what was heard before belongs to nobody.
    pub fn begin(&mut self) {
        self.waiting = None;
    }

    /// The recording ends: its last frame.
    pub fn end(&mut self) -> Option<Frame> {
        self.waiting.take()
    }

    const fn silence(&self) -> Frame {
        Frame::silence(self.rate)
    }
}

impl std::fmt::Debug for Keyless {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyless").field("rate", &self.rate).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::FrameOrigin;

    const RATE: SampleRate = SampleRate::Hz8000;

    /// A key's two tones (ITU-T Q.23) for `ms`, after `offset` samples of a hum.
    fn keyed(key: (f32, f32), offset: usize, ms: usize) -> Vec<i16> {
        let hum = |n: usize| (500.0 * (std::f32::consts::TAU * 180.0 * n as f32 / 8_000.0).sin()) as i16;
        let tone = |n: usize| {
            let wave = |hz: f32| (std::f32::consts::TAU * hz * n as f32 / 8_000.0).sin();
            (4_000.0 * (wave(key.0) + wave(key.1))) as i16
        };
        (0..offset).map(hum).chain((0..ms * 8).map(tone)).chain((0..4_000).map(hum)).collect()
    }

    fn pass(keyless: &mut Keyless, samples: &[i16]) -> (Vec<i16>, Vec<i16>) {
        let (mut heard, mut kept) = (Vec::new(), Vec::new());
        for (n, part) in samples.chunks(RATE.frame_len()).enumerate() {
            let at = Moment::from_micros(n as u64 * 20_000);
            let ear = EarFrame { at, frame: Frame::from_samples(RATE, part), origin: FrameOrigin::Received };
            let passed = keyless.pass(&ear);
            heard.extend_from_slice(passed.heard.frame.samples());
            passed.kept.iter().for_each(|frame| kept.extend_from_slice(frame.samples()));
        }
        keyless.end().iter().for_each(|frame| kept.extend_from_slice(frame.samples()));
        (heard, kept)
    }

    fn loudest(samples: &[i16]) -> u16 {
        samples.iter().map(|s| s.unsigned_abs()).max().unwrap_or(0)
    }

    #[test]
    fn no_sample_of_a_key_is_kept_wherever_in_a_frame_it_begins() {
        for offset in (1_600..1_760).step_by(7) {
            for key in [(697.0, 1_209.0), (941.0, 1_336.0), (852.0, 1_633.0)] {
                let (heard, kept) = pass(&mut Keyless::new(RATE), &keyed(key, offset, 80));
                assert!(loudest(&kept) < 600, "{offset} {key:?}: a tone is kept");
                assert_eq!(kept.len(), heard.len(), "the leg keeps its time");
                // The ears may get the frame in which it begins, and no more of it.
                let loud = heard.chunks(RATE.frame_len()).filter(|frame| loudest(frame) > 600).count();
                assert!(loud <= 1, "{offset} {key:?}: {loud} frames of a tone are heard");
            }
        }
    }

    #[test]
    fn what_is_no_key_passes_unchanged_and_a_frame_late() {
        let hum = keyed((697.0, 1_209.0), 8_000, 0);
        let (heard, kept) = pass(&mut Keyless::new(RATE), &hum);
        assert_eq!((&heard, &kept), (&hum, &hum));
    }

    #[test]
    fn while_something_secret_is_keyed_there_is_silence_for_both() {
        let hum = keyed((697.0, 1_209.0), 1_600, 0);
        let mut keyless = Keyless::new(RATE);
        keyless.withhold();
        let (heard, kept) = pass(&mut keyless, &hum);
        assert_eq!((loudest(&heard), loudest(&kept)), (0, 0));
        keyless.restore();
        assert_eq!(loudest(&pass(&mut keyless, &hum).1), 500);
    }

    #[test]
    fn behind_a_key_that_the_line_told_there_is_silence() {
        let mut keyless = Keyless::new(RATE);
        keyless.told(Moment::START);
        let (_, kept) = pass(&mut keyless, &keyed((697.0, 1_209.0), 1_600, 0));
        let samples = 120 * 8;
        assert_eq!(loudest(&kept[..samples]), 0);
        assert!(loudest(&kept[samples..]) > 0);
    }

    #[test]
    fn a_recording_that_begins_has_nothing_of_before() {
        let mut keyless = Keyless::new(RATE);
        let ear = |at| EarFrame { at, frame: Frame::from_samples(RATE, &[99; 160]), origin: FrameOrigin::Received };
        keyless.pass(&ear(Moment::START));
        keyless.begin();
        assert!(keyless.pass(&ear(Moment::from_micros(20_000))).kept.is_none());
    }
}
