use std::time::Duration;

use super::{Conversion, Loudness, Resampler, SampleRate, UnknownRate, ramp};

/// Below this (-48 dBFS, where a voice has -20 to -24 dBFS) a voice is silent.
const QUIET: f32 = 0.004;

/// Kept before the first sound, so that an `h` is not bitten off. What is silent
/// before that is time that the caller would wait.
const LEAD: Duration = Duration::from_millis(12);

/// Ramps at either end, against clicks. The sound of the last ramp is held back
/// until more comes or the end is told, so that an end that nobody foresaw does
/// not click either.
const FADE: Duration = Duration::from_millis(6);

/// Makes the sound of a voice that is not ours fit for a telephone: without
/// silence before the first word, at one loudness, at the line's rate. Sound
/// comes and goes in slices of any size; the seams are not heard.
pub struct VoiceFinish {
    hz: usize,
    began: bool,
    /// Silence before the beginning, or the last ramp's worth of sound.
    held: Vec<f32>,
    /// Samples of silence that were left out before the beginning.
    cut: usize,
    /// Samples given out, until the ramp at the beginning is over.
    risen: usize,
    loudness: Loudness,
    resampler: Option<Resampler>,
}

impl VoiceFinish {
    /// For a voice that speaks at `hz`; refuses a rate that no voice has.
    pub fn new(hz: u32, line: SampleRate) -> Result<Self, UnknownRate> {
        let conversion = Conversion::of_voice(hz, line)?;
        // A voice's rate is below 48 001.
        let hz = hz as usize;
        Ok(Self {
            hz,
            began: false,
            held: Vec::new(),
            cut: 0,
            risen: 0,
            loudness: Loudness::new(hz, 1.0),
            resampler: conversion.map(Resampler::new),
        })
    }

    /// Samples of the line for a slice of the voice's. May be none.
    pub fn slice(&mut self, samples: &[i16]) -> Vec<i16> {
        self.held.extend(samples.iter().map(|s| f32::from(*s) / 32_768.0));
        if !self.began && !self.begin() {
            return Vec::new();
        }
        let ready = self.held.len().saturating_sub(self.samples_in(FADE));
        let sound = self.held.drain(..ready).collect();
        self.out(sound)
    }

    /// What is still held, at the very end of the sound: foreseen or not.
    pub fn end(&mut self) -> Vec<i16> {
        let mut sound = std::mem::take(&mut self.held);
        if !std::mem::take(&mut self.began) {
            return Vec::new();
        }
        let len = sound.len();
        ramp(&mut sound, len, |way| 1.0 - way);
        let mut out = self.out(sound);
        if let Some(resampler) = &mut self.resampler {
            resampler.finish(&mut out);
        }
        out
    }

    /// How much silence was left out before the first sound; final once there
    /// is sound.
    pub fn cut(&self) -> Duration {
        // A minute of silence is some million samples.
        Duration::from_micros(self.cut as u64 * 1_000_000 / self.hz as u64)
    }

    /// Whether the sound begins within what is held.
    fn begin(&mut self) -> bool {
        let lead = self.samples_in(LEAD);
        let first = self.held.iter().position(|s| s.abs() > QUIET);
        let surplus = first.unwrap_or(self.held.len()).saturating_sub(lead);
        self.held.drain(..surplus);
        self.cut += surplus;
        self.began = first.is_some();
        self.began
    }

    fn out(&mut self, mut sound: Vec<f32>) -> Vec<i16> {
        let rise = self.samples_in(FADE);
        for sample in sound.iter_mut().take(rise - self.risen) {
            self.risen += 1;
            *sample *= self.risen as f32 / rise as f32;
        }
        self.loudness.apply(&mut sound);
        let sound: Vec<i16> = sound.into_iter().map(to_sample).collect();
        let Some(resampler) = &mut self.resampler else { return sound };
        let mut out = Vec::new();
        resampler.push(&sound, &mut out);
        out
    }

    const fn samples_in(&self, time: Duration) -> usize {
        // Milliseconds here are below a second: no loss.
        time.subsec_millis() as usize * self.hz / 1000
    }
}

#[expect(clippy::cast_possible_truncation, reason = "float casts saturate, which is what is wanted")]
fn to_sample(value: f32) -> i16 {
    (value * 32_768.0).round() as i16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tone(before: usize, len: usize, after: usize) -> Vec<i16> {
        let mut sound = vec![0; before];
        sound.extend((0..len).map(|i| (6000.0 * (i as f32 * 0.3).cos()) as i16));
        sound.resize(before + len + after, 0);
        sound
    }

    fn finished(hz: u32, line: SampleRate, slices: &[&[i16]]) -> (Vec<i16>, Duration) {
        let mut finish = VoiceFinish::new(hz, line).expect("a voice's rate");
        let mut out: Vec<i16> = slices.iter().flat_map(|slice| finish.slice(slice)).collect();
        out.extend(finish.end());
        (out, finish.cut())
    }

    #[test]
    fn silence_before_the_first_word_is_left_out_and_counted() {
        let (out, cut) = finished(8000, SampleRate::Hz8000, &[&tone(4000, 8000, 800)]);
        assert_eq!(cut, Duration::from_millis(500 - 12));
        assert_eq!(out.len(), 8000 + 800 + 96);
    }

    #[test]
    fn sound_that_ends_anywhere_ends_without_a_click() {
        for len in [300, 1001, 5000] {
            let (out, _) = finished(8000, SampleRate::Hz8000, &[&tone(0, len, 0)]);
            assert!(out[0].abs() < 200 && out[out.len() - 1].abs() < 200, "{} {}", out[0], out[out.len() - 1]);
            // The tone itself moves by no more than this from sample to sample.
            let step = out.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap_or(0);
            assert!(step < 2400, "{step}");
        }
    }

    #[test]
    fn nothing_but_silence_is_nothing() {
        let (out, _) = finished(22_050, SampleRate::Hz8000, &[&[0; 5000], &[0; 100]]);
        assert!(out.is_empty());
        assert!(finished(8000, SampleRate::Hz16000, &[]).0.is_empty());
    }

    #[test]
    fn a_rate_that_no_voice_has_is_refused() {
        for hz in [0, 1, 11_025, 96_000] {
            assert!(VoiceFinish::new(hz, SampleRate::Hz8000).is_err());
        }
    }

    proptest! {
        #[test]
        fn slices_of_any_size_give_the_same_sound(
            before in 0_usize..3000, len in 0_usize..4000, cuts in prop::collection::vec(1_usize..700, 1..12),
            hz in prop::sample::select(vec![8000_u32, 22_050, 24_000]),
        ) {
            let sound = tone(before, len, 100);
            let mut slices = Vec::new();
            let mut rest = sound.as_slice();
            for cut in cuts.iter().cycle() {
                let (slice, after) = rest.split_at((*cut).min(rest.len()));
                slices.push(slice);
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(
                finished(hz, SampleRate::Hz8000, &slices),
                finished(hz, SampleRate::Hz8000, &[&sound])
            );
        }
    }
}
