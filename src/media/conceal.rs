//! Filling in for lost packets as ITU-T G.711 Appendix I describes: the last pitch period
//! goes on, softer and softer, and joins what comes after without a click.

use super::{Frame, SampleRate};

/// Times of Appendix I, in samples at 8 kHz; everything doubles at 16 kHz.
/// The lowest and the highest pitch that is looked for: 15 ms (66 Hz) and 5 ms (200 Hz).
const LONGEST_PITCH: usize = 120;
const SHORTEST_PITCH: usize = 40;
/// Sound that is compared to find the pitch: 20 ms.
const COMPARED: usize = 160;
/// Output is late by a quarter of the longest pitch, so that a loss can be joined smoothly
/// to what has already come.
const DELAY: usize = LONGEST_PITCH / 4;
/// 48.75 ms of the past.
const HISTORY: usize = 390;
/// After 10 ms the filling gets softer, and at 60 ms it is silent.
const TEN_MS: usize = 80;
const SILENT_AFTER: usize = 6 * TEN_MS;

/// The largest number of samples of any of the above, at 16 kHz.
const MAX_HISTORY: usize = 2 * HISTORY;

/// Conceals the gaps of one stream. Sound comes out 3.75 ms later than it goes in.
pub struct Concealer {
    rate: SampleRate,
    history: [f32; MAX_HISTORY],
    /// The past as it was when the gap began, its end bent to join its pitch period.
    past: [f32; MAX_HISTORY],
    pitch: usize,
    /// Samples made up in this gap.
    made: usize,
}

impl Concealer {
    pub const fn new(rate: SampleRate) -> Self {
        Self { rate, history: [0.0; MAX_HISTORY], past: [0.0; MAX_HISTORY], pitch: 0, made: 0 }
    }

    /// Takes a frame that arrived, and gives back the one to play.
    ///
    /// # Panics
    /// If the frame does not have the rate given at the start: a mistake of ours.
    pub fn good(&mut self, frame: &Frame) -> Frame {
        assert_eq!(frame.rate(), self.rate, "a concealer takes its own rate only");
        let mut samples = [0.0; 320];
        let len = self.rate.frame_len();
        for (to, &from) in samples.iter_mut().zip(frame.samples()) {
            *to = f32::from(from);
        }
        if self.made > 0 {
            self.join(&mut samples[..len]);
            self.made = 0;
        }
        self.append(&samples[..len]);
        self.output()
    }

    /// Makes up for a frame that did not arrive.
    pub fn missing(&mut self) -> Frame {
        if self.made == 0 {
            self.begin();
        }
        let mut samples = [0.0; 320];
        let len = self.rate.frame_len();
        for sample in &mut samples[..len] {
            *sample = self.next_made();
        }
        self.append(&samples[..len]);
        self.output()
    }

    /// Milliseconds made up since the last frame that arrived.
    pub const fn concealed_ms(&self) -> usize {
        self.made / (self.rate.hz() as usize / 1000)
    }

    const fn scale(&self) -> usize {
        match self.rate {
            SampleRate::Hz8000 => 1,
            SampleRate::Hz16000 => 2,
        }
    }

    fn history(&self) -> &[f32] {
        &self.history[..HISTORY * self.scale()]
    }

    fn append(&mut self, samples: &[f32]) {
        let end = HISTORY * self.scale();
        self.history.copy_within(samples.len()..end, 0);
        self.history[end - samples.len()..end].copy_from_slice(samples);
    }

    fn output(&self) -> Frame {
        let (len, end) = (self.rate.frame_len(), HISTORY * self.scale() - DELAY * self.scale());
        let mut frame = Frame::silence(self.rate);
        for (to, &from) in frame.samples_mut().iter_mut().zip(&self.history[end - len..end]) {
            #[expect(clippy::cast_possible_truncation, reason = "float casts saturate, which is what is wanted")]
            let sample = from.round() as i16;
            *to = sample;
        }
        frame
    }

    /// Finds the pitch and bends the last quarter period towards the period before, so that
    /// the end of the past runs on into the beginning of its last period.
    fn begin(&mut self) {
        self.pitch = self.find_pitch();
        let (end, quarter) = (HISTORY * self.scale(), self.pitch / 4);
        self.past = self.history;
        for i in 0..quarter {
            let way = (i + 1) as f32 / quarter as f32;
            let at = end - quarter + i;
            self.past[at] = self.history[at] * (1.0 - way) + self.history[at - self.pitch] * way;
        }
        // The bent end has not been played yet: it is within the delay.
        self.history[end - quarter..end].copy_from_slice(&self.past[end - quarter..end]);
    }

    /// The lag at which the recent past is most like itself.
    fn find_pitch(&self) -> usize {
        let scale = self.scale();
        let history = self.history();
        let recent = &history[history.len() - COMPARED * scale..];
        let mut best = (f32::MIN, LONGEST_PITCH * scale);
        for lag in SHORTEST_PITCH * scale..=LONGEST_PITCH * scale {
            let start = history.len() - COMPARED * scale - lag;
            let earlier = &history[start..start + COMPARED * scale];
            // Every second sample is enough to place the peak at 16 kHz.
            let (mut product, mut energy) = (0.0_f32, 1.0_f32);
            for (a, b) in recent.iter().zip(earlier).step_by(scale) {
                product += a * b;
                energy += b * b;
            }
            let likeness = product / energy.sqrt();
            if likeness > best.0 {
                best = (likeness, lag);
            }
        }
        best.1
    }

    /// The next sample of the repeated past: one period for 10 ms, two for the next 10 and
    /// three after that, since one period alone soon sounds like a machine.
    fn next_made(&mut self) -> f32 {
        let sample = self.repeated(self.made) * self.softness();
        self.made += 1;
        sample
    }

    fn repeated(&self, position: usize) -> f32 {
        let ten_ms = TEN_MS * self.scale();
        let periods = (position / ten_ms).min(2) + 1;
        let (span, end) = (periods * self.pitch, HISTORY * self.scale());
        let sample = self.past[end - span + position % span];
        // Where one more period begins to be used, the old loop fades into the new one.
        let (since, quarter) = (position % ten_ms, self.pitch / 4);
        if periods > 1 && position < 3 * ten_ms && since < quarter {
            let old_span = span - self.pitch;
            let old = self.past[end - old_span + position % old_span];
            let way = (since + 1) as f32 / quarter as f32;
            return old * (1.0 - way) + sample * way;
        }
        sample
    }

    fn softness(&self) -> f32 {
        let ten_ms = TEN_MS * self.scale();
        if self.made < ten_ms {
            return 1.0;
        }
        let fade = (SILENT_AFTER - TEN_MS) * self.scale();
        1.0 - ((self.made - ten_ms) as f32 / fade as f32).min(1.0)
    }

    /// Fades from the made-up sound into what came: a quarter period, and 4 ms more for each
    /// 10 ms of the gap, at most 10 ms.
    fn join(&mut self, samples: &mut [f32]) {
        let ten_ms = TEN_MS * self.scale();
        let longer = (self.made / ten_ms).saturating_sub(1) * ten_ms * 4 / 10;
        let len = (self.pitch / 4 + longer).min(ten_ms).min(samples.len());
        for (i, sample) in samples[..len].iter_mut().enumerate() {
            let way = (i + 1) as f32 / len as f32;
            *sample = self.next_made() * (1.0 - way) + *sample * way;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A voice-like sound: a pitch of 125 Hz with its harmonics.
    fn voice(rate: SampleRate, frames: usize) -> Vec<Frame> {
        let mut n = 0;
        let mut frame = || {
            let mut frame = Frame::silence(rate);
            for sample in frame.samples_mut() {
                let t = std::f32::consts::TAU * 125.0 * n as f32 / rate.hz() as f32;
                *sample = (4_000.0 * t.sin() + 2_500.0 * (2.0 * t).cos() + 1_500.0 * (5.0 * t).sin()) as i16;
                n += 1;
            }
            frame
        };
        (0..frames).map(|_| frame()).collect()
    }

    fn play(rate: SampleRate, frames: &[Frame], lost: &[usize]) -> Vec<i16> {
        let mut concealer = Concealer::new(rate);
        let mut out = Vec::new();
        for (i, frame) in frames.iter().enumerate() {
            let played = if lost.contains(&i) { concealer.missing() } else { concealer.good(frame) };
            out.extend_from_slice(played.samples());
        }
        out
    }

    const RATES: [SampleRate; 2] = [SampleRate::Hz8000, SampleRate::Hz16000];

    #[test]
    fn without_loss_sound_comes_out_unchanged_a_little_later() {
        for rate in RATES {
            let frames = voice(rate, 10);
            let sent: Vec<i16> = frames.iter().flat_map(|f| f.samples().to_vec()).collect();
            let delay = DELAY * (rate.hz() as usize / 8_000);
            assert_eq!(play(rate, &frames, &[])[delay..], sent[..sent.len() - delay]);
        }
    }

    #[test]
    fn a_lost_frame_of_a_voice_is_nearly_the_frame_itself() {
        for rate in RATES {
            let frames = voice(rate, 12);
            let (whole, concealed) = (play(rate, &frames, &[]), play(rate, &frames, &[6]));
            let mean = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>();
            let error = mean(&mut whole.iter().zip(&concealed).map(|(a, b)| f64::from(*a) - f64::from(*b)));
            let start = 6 * rate.frame_len();
            let signal = mean(&mut whole[start..start + rate.frame_len()].iter().map(|&a| f64::from(a)));
            let snr_db = 10.0 * (signal / error).log10();
            assert!(snr_db > 15.0, "{rate:?}: {snr_db:.1} dB");
        }
    }

    #[test]
    fn a_gap_makes_no_click() {
        for rate in RATES {
            let frames = voice(rate, 20);
            let step = |v: &[i16]| v.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max();
            let whole = step(&play(rate, &frames, &[])[800..]);
            for lost in [&[6][..], &[6, 7], &[6, 7, 8, 9, 10], &[6, 8, 10]] {
                let concealed = step(&play(rate, &frames, lost)[800..]);
                assert!(
                    concealed.map(|s| s * 10) <= whole.map(|s| s * 13),
                    "{rate:?} {lost:?} {concealed:?} {whole:?}"
                );
            }
        }
    }

    #[test]
    fn after_sixty_milliseconds_there_is_silence() {
        for rate in RATES {
            let frames = voice(rate, 20);
            let out = play(rate, &frames, &[10, 11, 12, 13, 14]);
            let delay = DELAY * (rate.hz() as usize / 8_000);
            let silent_from = 13 * rate.frame_len() + delay;
            assert!(out[silent_from..15 * rate.frame_len()].iter().all(|&s| s == 0));
            assert!(out[11 * rate.frame_len()..12 * rate.frame_len()].iter().any(|&s| s.abs() > 1_000));
        }
    }

    proptest! {
        #[test]
        fn no_pattern_of_loss_panics(samples in proptest::collection::vec(any::<i16>(), 320), lost in proptest::collection::vec(any::<bool>(), 1..40)) {
            for rate in RATES {
                let mut concealer = Concealer::new(rate);
                for &lost in &lost {
                    let frame = Frame::from_samples(rate, &samples);
                    let played = if lost { concealer.missing() } else { concealer.good(&frame) };
                    prop_assert_eq!(played.rate(), rate);
                }
            }
        }
    }
}
