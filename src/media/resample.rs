//! Changing the sample rate, as sound streams by: a polyphase filter (a windowed sinc
//! with Kaiser's window), exact in time and without drift. It knows only the
//! conversions that a telephone box needs.

use std::f64::consts::PI;
use std::sync::OnceLock;

use super::{Frame, SampleRate};

/// From which rate to which.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Conversion {
    /// A narrow line to the ears.
    Hz8000ToHz16000,
    /// Wide sound to a narrow line.
    Hz16000ToHz8000,
    /// A voice's 22.05 kHz to a narrow line.
    Hz22050ToHz8000,
    /// A voice's 22.05 kHz to a wide line.
    Hz22050ToHz16000,
    /// The rates of other voices, to a narrow and to a wide line.
    Hz24000ToHz8000,
    Hz24000ToHz16000,
    Hz44100ToHz8000,
    Hz44100ToHz16000,
    Hz48000ToHz8000,
    Hz48000ToHz16000,
    /// A line to a sound card that has no telephone rate.
    Hz8000ToHz48000,
    Hz16000ToHz48000,
}

/// A rate that no conversion begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("converting sound to a line's rate: {hz} Hz is no rate of a voice or of a sound card")]
pub struct UnknownRate {
    pub hz: u32,
}

impl Conversion {
    /// From a voice that speaks at `hz` to a line. `Ok(None)` where nothing is
    /// to be converted, and an error for a rate that no voice has.
    pub const fn of_voice(hz: u32, line: SampleRate) -> Result<Option<Self>, UnknownRate> {
        Ok(Some(match (hz, line) {
            (8_000, SampleRate::Hz8000) | (16_000, SampleRate::Hz16000) => return Ok(None),
            (8_000, SampleRate::Hz16000) => Self::Hz8000ToHz16000,
            (16_000, SampleRate::Hz8000) => Self::Hz16000ToHz8000,
            (22_050, SampleRate::Hz8000) => Self::Hz22050ToHz8000,
            (22_050, SampleRate::Hz16000) => Self::Hz22050ToHz16000,
            (24_000, SampleRate::Hz8000) => Self::Hz24000ToHz8000,
            (24_000, SampleRate::Hz16000) => Self::Hz24000ToHz16000,
            (44_100, SampleRate::Hz8000) => Self::Hz44100ToHz8000,
            (44_100, SampleRate::Hz16000) => Self::Hz44100ToHz16000,
            (48_000, SampleRate::Hz8000) => Self::Hz48000ToHz8000,
            (48_000, SampleRate::Hz16000) => Self::Hz48000ToHz16000,
            _ => return Err(UnknownRate { hz }),
        }))
    }

    /// From one line to another. None where their rates are the same.
    pub const fn of_lines(from: SampleRate, to: SampleRate) -> Option<Self> {
        match (from, to) {
            (SampleRate::Hz8000, SampleRate::Hz16000) => Some(Self::Hz8000ToHz16000),
            (SampleRate::Hz16000, SampleRate::Hz8000) => Some(Self::Hz16000ToHz8000),
            (SampleRate::Hz8000, SampleRate::Hz8000) | (SampleRate::Hz16000, SampleRate::Hz16000) => None,
        }
    }

    /// From a sound card's rate to a line's, and back. `None` where the rates are the
    /// same, and an error for a rate that no card is opened with.
    pub const fn of_card(hz: u32, line: SampleRate) -> Result<Option<(Self, Self)>, UnknownRate> {
        Ok(Some(match (hz, line) {
            (8_000, SampleRate::Hz8000) | (16_000, SampleRate::Hz16000) => return Ok(None),
            (8_000, SampleRate::Hz16000) => (Self::Hz8000ToHz16000, Self::Hz16000ToHz8000),
            (16_000, SampleRate::Hz8000) => (Self::Hz16000ToHz8000, Self::Hz8000ToHz16000),
            (48_000, SampleRate::Hz8000) => (Self::Hz48000ToHz8000, Self::Hz8000ToHz48000),
            (48_000, SampleRate::Hz16000) => (Self::Hz48000ToHz16000, Self::Hz16000ToHz48000),
            _ => return Err(UnknownRate { hz }),
        }))
    }

    /// The ratio in lowest terms: so many samples out for so many in.
    const fn ratio(self) -> (usize, usize) {
        match self {
            Self::Hz8000ToHz16000 => (2, 1),
            Self::Hz16000ToHz8000 => (1, 2),
            Self::Hz22050ToHz8000 => (160, 441),
            Self::Hz22050ToHz16000 => (320, 441),
            Self::Hz24000ToHz8000 => (1, 3),
            Self::Hz24000ToHz16000 => (2, 3),
            Self::Hz44100ToHz8000 => (80, 441),
            Self::Hz44100ToHz16000 => (160, 441),
            Self::Hz48000ToHz8000 => (1, 6),
            Self::Hz48000ToHz16000 => (1, 3),
            Self::Hz8000ToHz48000 => (6, 1),
            Self::Hz16000ToHz48000 => (3, 1),
        }
    }

    const fn input_hz(self) -> u32 {
        match self {
            Self::Hz8000ToHz16000 | Self::Hz8000ToHz48000 => 8_000,
            Self::Hz16000ToHz8000 | Self::Hz16000ToHz48000 => 16_000,
            Self::Hz22050ToHz8000 | Self::Hz22050ToHz16000 => 22_050,
            Self::Hz24000ToHz8000 | Self::Hz24000ToHz16000 => 24_000,
            Self::Hz44100ToHz8000 | Self::Hz44100ToHz16000 => 44_100,
            Self::Hz48000ToHz8000 | Self::Hz48000ToHz16000 => 48_000,
        }
    }

    /// End of the pass band and beginning of the stop band, in hertz. The stop band begins
    /// at half the lower rate, so nothing folds back.
    const fn band(self) -> (f64, f64) {
        match self {
            Self::Hz22050ToHz16000
            | Self::Hz24000ToHz16000
            | Self::Hz44100ToHz16000
            | Self::Hz48000ToHz16000
            | Self::Hz16000ToHz48000 => (7_000.0, 8_000.0),
            _ => (3_400.0, 4_000.0),
        }
    }

    fn filter(self) -> &'static Filter {
        static FILTERS: [OnceLock<Filter>; 12] = [const { OnceLock::new() }; 12];
        FILTERS[self as usize].get_or_init(|| Filter::design(self))
    }
}

/// Attenuation in the stop band, in dB: below the noise of 12 bit sound, which G.711 is.
const STOP_DB: f64 = 72.0;

/// The polyphase table, built once a process for each conversion: 0.8 kB for the
/// doublings, about 115 kB for those from 44.1 kHz.
struct Filter {
    /// Taps of each phase, phase after phase, oldest sample first.
    taps: Vec<f32>,
    length: usize,
}

impl Filter {
    fn design(conversion: Conversion) -> Self {
        let (up, _) = conversion.ratio();
        let (pass, stop) = conversion.band();
        let input_hz = f64::from(conversion.input_hz());
        // Kaiser's estimate of the length, in samples of the input.
        let wanted = (STOP_DB - 7.95) / (14.36 * (stop - pass) / input_hz);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "about a hundred")]
        let length = (wanted.ceil() as usize).next_multiple_of(8);
        let beta = 0.1102 * (STOP_DB - 8.7);
        let cutoff = (pass + stop) / input_hz;
        let centre = (length * up - 1) as f64 / 2.0;
        let mut taps = vec![0.0; length * up];
        for phase in 0..up {
            let row = &mut taps[phase * length..(phase + 1) * length];
            for (k, tap) in row.iter_mut().enumerate() {
                // The newest sample meets the first tap of its phase.
                let at = (phase + (length - 1 - k) * up) as f64 - centre;
                let window = bessel_i0(beta * (1.0 - (at / (centre + 0.5)).powi(2)).max(0.0).sqrt()) / bessel_i0(beta);
                #[expect(clippy::cast_possible_truncation, reason = "single precision is enough for 16 bits")]
                let value = (cutoff * sinc(cutoff * at / up as f64) * window) as f32;
                *tap = value;
            }
            // Every phase passes a constant unchanged.
            let sum: f32 = row.iter().sum();
            row.iter_mut().for_each(|tap| *tap /= sum);
        }
        Self { taps, length }
    }
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// The modified Bessel function of order 0, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term, mut n) = (1.0, 1.0, 1.0);
    while term > sum * 1e-12 {
        term *= (x / (2.0 * n)).powi(2);
        sum += term;
        n += 1.0;
    }
    sum
}

/// One stream's conversion. Sound comes out [`Self::delay`] later; nothing is lost.
pub struct Resampler {
    conversion: Conversion,
    filter: &'static Filter,
    /// The last samples, twice in a row, so that the newest `length` lie together.
    history: Vec<f32>,
    newest: usize,
    /// Where the next output lies after the newest input, in input samples times `up`.
    phase: usize,
}

impl Resampler {
    pub fn new(conversion: Conversion) -> Self {
        let filter = conversion.filter();
        Self { conversion, filter, history: vec![0.0; 2 * filter.length], newest: 0, phase: 0 }
    }

    pub const fn conversion(&self) -> Conversion {
        self.conversion
    }

    /// By how much sound is delayed, in samples of the input.
    pub fn delay(&self) -> usize {
        self.filter.length / 2
    }

    /// Converts `input` and appends what comes out; a call may give one sample more or
    /// less than the ratio, the whole stream never. Does not allocate if `out` has room.
    pub fn push(&mut self, input: &[i16], out: &mut Vec<i16>) {
        self.run(input, |sample| out.push(sample));
    }

    /// Converts a frame between 8 and 16 kHz.
    ///
    /// # Panics
    /// If the frame does not have the conversion's input rate, or the conversion is from a
    /// voice's rate, which no frame has: a mistake of ours.
    pub fn frame(&mut self, frame: &Frame) -> Frame {
        assert_eq!(frame.rate().hz(), self.conversion.input_hz(), "a resampler takes its own rate only");
        let rate = match frame.rate() {
            SampleRate::Hz8000 => SampleRate::Hz16000,
            SampleRate::Hz16000 => SampleRate::Hz8000,
        };
        let mut converted = Frame::silence(rate);
        let mut room = converted.samples_mut().iter_mut();
        self.run(frame.samples(), |sample| {
            if let Some(slot) = room.next() {
                *slot = sample;
            }
        });
        converted
    }

    /// The rest of the sound, which is still in the filter; then starts afresh.
    pub fn finish(&mut self, out: &mut Vec<i16>) {
        for _ in 0..self.delay() {
            self.push(&[0], out);
        }
        self.reset();
    }

    /// Forgets the stream.
    pub fn reset(&mut self) {
        self.history.fill(0.0);
        self.phase = 0;
    }

    fn run(&mut self, input: &[i16], mut emit: impl FnMut(i16)) {
        let (up, down) = self.conversion.ratio();
        let length = self.filter.length;
        for &sample in input {
            self.history[self.newest] = f32::from(sample);
            self.history[self.newest + length] = f32::from(sample);
            self.newest = (self.newest + 1) % length;
            let window = &self.history[self.newest..self.newest + length];
            while self.phase < up {
                emit(dot(&self.filter.taps[self.phase * length..(self.phase + 1) * length], window));
                self.phase += down;
            }
            self.phase -= up;
        }
    }
}

/// In eight sums, which the compiler can keep in one vector register.
fn dot(taps: &[f32], samples: &[f32]) -> i16 {
    let mut sums = [0.0_f32; 8];
    for (taps, samples) in taps.as_chunks::<8>().0.iter().zip(samples.as_chunks::<8>().0) {
        for i in 0..8 {
            sums[i] += taps[i] * samples[i];
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "float casts saturate, which is what is wanted")]
    let sample = sums.iter().sum::<f32>().round() as i16;
    sample
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Conversion; 12] = [
        Conversion::Hz8000ToHz16000,
        Conversion::Hz16000ToHz8000,
        Conversion::Hz22050ToHz8000,
        Conversion::Hz22050ToHz16000,
        Conversion::Hz24000ToHz8000,
        Conversion::Hz24000ToHz16000,
        Conversion::Hz44100ToHz8000,
        Conversion::Hz44100ToHz16000,
        Conversion::Hz48000ToHz8000,
        Conversion::Hz48000ToHz16000,
        Conversion::Hz8000ToHz48000,
        Conversion::Hz16000ToHz48000,
    ];

    #[test]
    fn a_voice_of_each_rate_comes_to_each_line() {
        for hz in [8_000, 16_000, 22_050, 24_000, 44_100, 48_000] {
            for line in [SampleRate::Hz8000, SampleRate::Hz16000] {
                match Conversion::of_voice(hz, line).expect("a voice's rate") {
                    None => assert_eq!(hz, line.hz()),
                    Some(conversion) => {
                        assert_eq!(conversion.input_hz(), hz);
                        assert!((output_hz(conversion) - f64::from(line.hz())).abs() < 1e-9);
                    }
                }
            }
        }
        assert_eq!(Conversion::of_voice(11_025, SampleRate::Hz8000), Err(UnknownRate { hz: 11_025 }));
    }

    fn output_hz(conversion: Conversion) -> f64 {
        let (up, down) = conversion.ratio();
        f64::from(conversion.input_hz()) * up as f64 / down as f64
    }

    fn sine(sample_hz: f64, hz: f64, len: usize) -> Vec<i16> {
        (0..len).map(|n| (16_000.0 * (2.0 * PI * hz * n as f64 / sample_hz).sin()).round() as i16).collect()
    }

    fn convert(conversion: Conversion, input: &[i16]) -> Vec<i16> {
        let mut out = Vec::new();
        Resampler::new(conversion).push(input, &mut out);
        out
    }

    fn rms_db(samples: &[i16]) -> f64 {
        let mean = samples.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / samples.len() as f64;
        10.0 * (mean.max(1e-3) / (16_000.0_f64.powi(2) / 2.0)).log10()
    }

    #[test]
    fn tones_of_the_pass_band_keep_their_level() {
        for conversion in ALL {
            for hz in [100.0, 300.0, 1_000.0, 2_500.0, conversion.band().0] {
                let out = convert(conversion, &sine(f64::from(conversion.input_hz()), hz, 20_000));
                let gain = rms_db(&out[1_000..]);
                assert!(gain.abs() < 0.1, "{conversion:?} {hz} Hz: {gain:.3} dB");
            }
        }
    }

    #[test]
    fn tones_that_would_fold_back_are_sixty_decibels_down() {
        for conversion in ALL {
            let input_hz = f64::from(conversion.input_hz());
            let stop = conversion.band().1;
            for step in 0..20 {
                let hz = stop + (input_hz / 2.0 - stop) * f64::from(step) / 20.0;
                if hz >= input_hz / 2.0 {
                    continue;
                }
                let gain = rms_db(&convert(conversion, &sine(input_hz, hz, 20_000))[1_000..]);
                assert!(gain < -60.0, "{conversion:?} {hz:.0} Hz: {gain:.1} dB");
            }
        }
    }

    #[test]
    fn doubling_leaves_no_mirror_above_four_kilohertz() {
        let out = convert(Conversion::Hz8000ToHz16000, &sine(8_000.0, 1_000.0, 16_000));
        // The mirror of 1 kHz lies at 7 kHz; 16 000 samples hold whole periods of both.
        let (mut re, mut im) = (0.0, 0.0);
        for (n, &sample) in out[2_000..18_000].iter().enumerate() {
            let angle = 2.0 * PI * 7_000.0 * n as f64 / 16_000.0;
            re += f64::from(sample) * angle.cos();
            im += f64::from(sample) * angle.sin();
        }
        let mirror_db = 20.0 * (2.0 * f64::hypot(re, im) / 16_000.0 / 16_000.0).log10();
        assert!(mirror_db < -60.0, "{mirror_db:.1} dB");
    }

    #[test]
    fn a_card_that_has_no_telephone_rate_is_fed_without_mirrors() {
        for (conversion, line_hz) in [(Conversion::Hz8000ToHz48000, 8_000.0), (Conversion::Hz16000ToHz48000, 16_000.0)]
        {
            let out = convert(conversion, &sine(line_hz, 1_000.0, 16_000));
            for mirror in [line_hz - 1_000.0, line_hz + 1_000.0, 2.0 * line_hz - 1_000.0] {
                let (mut re, mut im) = (0.0, 0.0);
                for (n, &sample) in out[2_000..26_000].iter().enumerate() {
                    let angle = 2.0 * PI * mirror * n as f64 / 48_000.0;
                    re += f64::from(sample) * angle.cos();
                    im += f64::from(sample) * angle.sin();
                }
                let mirror_db = 20.0 * (2.0 * f64::hypot(re, im) / 24_000.0 / 16_000.0).log10();
                assert!(mirror_db < -60.0, "{conversion:?}, {mirror} Hz: {mirror_db:.1} dB");
            }
        }
    }

    #[test]
    fn a_card_of_each_rate_comes_to_each_line_and_back() {
        for hz in [8_000, 16_000, 48_000] {
            for line in [SampleRate::Hz8000, SampleRate::Hz16000] {
                match Conversion::of_card(hz, line).expect("a card's rate") {
                    None => assert_eq!(hz, line.hz()),
                    Some((from_card, to_card)) => {
                        assert_eq!((from_card.input_hz(), to_card.input_hz()), (hz, line.hz()));
                        assert!((output_hz(from_card) - f64::from(line.hz())).abs() < 1e-9);
                        assert!((output_hz(to_card) - f64::from(hz)).abs() < 1e-9);
                    }
                }
            }
        }
        assert_eq!(Conversion::of_card(44_100, SampleRate::Hz8000), Err(UnknownRate { hz: 44_100 }));
    }

    #[test]
    fn a_tone_comes_out_where_it_belongs_after_the_stated_delay() {
        for conversion in ALL {
            let (input_hz, output_hz) = (f64::from(conversion.input_hz()), output_hz(conversion));
            let out = convert(conversion, &sine(input_hz, 440.0, 8_000));
            let delay = Resampler::new(conversion).delay() as f64 / input_hz;
            for (n, &sample) in out.iter().enumerate().skip(1_000) {
                let t = n as f64 / output_hz - delay;
                let expected = 16_000.0 * (2.0 * PI * 440.0 * t).sin();
                // Half a sample of the input: the filter's centre may lie between two samples.
                let bound = 16_000.0 * 2.0 * PI * 440.0 * 0.55 / input_hz + 30.0;
                assert!((f64::from(sample) - expected).abs() < bound, "{conversion:?} sample {n}");
            }
        }
    }

    #[test]
    fn a_second_in_is_a_second_out() {
        for conversion in ALL {
            let out = convert(conversion, &vec![0; conversion.input_hz() as usize]);
            assert_eq!(out.len() as f64, output_hz(conversion), "{conversion:?}");
        }
    }

    #[test]
    fn frames_convert_to_frames() {
        let mut up = Resampler::new(Conversion::Hz8000ToHz16000);
        let mut down = Resampler::new(Conversion::Hz16000ToHz8000);
        let input = sine(8_000.0, 700.0, 8_000);
        let mut there_and_back = Vec::new();
        for chunk in input.chunks(160) {
            let wide = up.frame(&Frame::from_samples(SampleRate::Hz8000, chunk));
            there_and_back.extend_from_slice(down.frame(&wide).samples());
        }
        assert_eq!(there_and_back.len(), input.len());
        assert!(rms_db(&there_and_back[1_000..]).abs() < 0.1);
    }

    #[test]
    fn finishing_gives_the_last_samples() {
        let mut resampler = Resampler::new(Conversion::Hz16000ToHz8000);
        let mut out = Vec::new();
        let mut input = vec![0; 1_600];
        input[1_590..].fill(10_000);
        resampler.push(&input, &mut out);
        let loudest_before = out.iter().map(|s| s.abs()).max();
        resampler.finish(&mut out);
        assert!(loudest_before < Some(1_000));
        assert!(out.iter().map(|s| s.abs()).max() > Some(8_000));
    }

    proptest! {
        #[test]
        fn pieces_convert_like_the_whole(input in proptest::collection::vec(any::<i16>(), 0..2_000), cuts in proptest::collection::vec(1usize..300, 1..20)) {
            for conversion in ALL {
                let mut resampler = Resampler::new(conversion);
                let (mut out, mut rest) = (Vec::new(), input.as_slice());
                for cut in cuts.iter().cycle() {
                    let (piece, after) = rest.split_at((*cut).min(rest.len()));
                    resampler.push(piece, &mut out);
                    rest = after;
                    if rest.is_empty() {
                        break;
                    }
                }
                prop_assert_eq!(out, convert(conversion, &input));
            }
        }
    }
}
