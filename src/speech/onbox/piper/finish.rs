//! From the voice's raw sound to a telephone's: clean edges, one loudness, the
//! line's rate. Sound comes and goes in slices; the seams are not heard.

use std::time::Duration;

use crate::media::{Conversion, Loudness, Resampler, SampleRate, ramp};

/// The rate of Piper's voices of medium and high quality.
pub(super) const HZ: usize = 22_050;

/// Below this (-48 dBFS, where the voice itself has -24 dBFS) the voice is silent.
const QUIET: f32 = 0.004;

/// Kept before the first sound and after the last one, so that an `h` or the
/// end of a `t` is not bitten off.
const LEAD: Duration = Duration::from_millis(12);
const TAIL: Duration = Duration::from_millis(40);

/// Ramps at either end of a clause, against clicks.
const FADE: Duration = Duration::from_millis(6);

/// Where the loudness starts for a voice of Piper's, which has about -24 dBFS.
const FIRST_GAIN: f32 = 2.0;

/// What finishes one utterance.
pub(super) struct Finish {
    edges: Edges,
    loudness: Loudness,
    resampler: Resampler,
}

impl Finish {
    pub(super) fn new(line: SampleRate) -> Self {
        let conversion = match line {
            SampleRate::Hz8000 => Conversion::Hz22050ToHz8000,
            SampleRate::Hz16000 => Conversion::Hz22050ToHz16000,
        };
        Self { edges: Edges::new(), loudness: Loudness::new(HZ, FIRST_GAIN), resampler: Resampler::new(conversion) }
    }

    /// Samples of the line for a slice of the voice's. May be none.
    pub(super) fn slice(&mut self, raw: &[f32]) -> Vec<i16> {
        let mut sound = self.edges.slice(raw);
        self.loudness.apply(&mut sound);
        self.resampled(&sound)
    }

    /// The end of a clause, and the pause after it.
    pub(super) fn end_clause(&mut self, pause: Duration) -> Vec<i16> {
        let mut sound = self.edges.end();
        self.loudness.apply(&mut sound);
        sound.resize(sound.len() + samples_in(pause), 0.0);
        self.resampled(&sound)
    }

    /// What is still in the filter, at the very end.
    pub(super) fn end(&mut self) -> Vec<i16> {
        let mut out = Vec::new();
        self.resampler.finish(&mut out);
        out
    }

    fn resampled(&mut self, sound: &[f32]) -> Vec<i16> {
        let mut out = Vec::new();
        let sound: Vec<i16> = sound.iter().copied().map(to_sample).collect();
        self.resampler.push(&sound, &mut out);
        out
    }
}

/// How many of the voice's samples last as long as `time`.
const fn samples_in(time: Duration) -> usize {
    // Milliseconds here are below a second: no loss.
    time.subsec_millis() as usize * HZ / 1000
}

#[expect(clippy::cast_possible_truncation, reason = "float casts saturate, which is what is wanted")]
fn to_sample(value: f32) -> i16 {
    (value * 32_768.0).round() as i16
}

/// Cuts the silence that the voice makes around a clause: the pauses are ours
/// to choose, and silence before the first word is time that the caller waits.
struct Edges {
    began: bool,
    /// Silence that is kept only if sound follows.
    quiet: Vec<f32>,
}

impl Edges {
    const fn new() -> Self {
        Self { began: false, quiet: Vec::new() }
    }

    fn slice(&mut self, raw: &[f32]) -> Vec<f32> {
        self.quiet.extend_from_slice(raw);
        let Some(last) = self.quiet.iter().rposition(|s| s.abs() > QUIET) else {
            if !self.began {
                // Only the lead can still be wanted.
                let surplus = self.quiet.len().saturating_sub(samples_in(LEAD));
                self.quiet.drain(..surplus);
            }
            return Vec::new();
        };
        let rest = self.quiet.split_off(last + 1);
        let mut sound = std::mem::replace(&mut self.quiet, rest);
        if !self.began {
            self.began = true;
            let first = sound.iter().position(|s| s.abs() > QUIET).unwrap_or(0);
            sound.drain(..first.saturating_sub(samples_in(LEAD)));
            ramp(&mut sound, samples_in(FADE), |way| way);
        }
        sound
    }

    fn end(&mut self) -> Vec<f32> {
        let mut tail = std::mem::take(&mut self.quiet);
        tail.truncate(samples_in(TAIL));
        if !std::mem::take(&mut self.began) {
            return Vec::new();
        }
        let start = tail.len().saturating_sub(samples_in(FADE));
        let len = tail.len() - start;
        ramp(&mut tail[start..], len, |way| 1.0 - way);
        tail
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone between two silences, in samples of the voice.
    fn tone(before: usize, len: usize, after: usize, amplitude: f32) -> Vec<f32> {
        let mut sound = vec![0.0; before];
        sound.extend((0..len).map(|i| amplitude * (i as f32 * 0.15).sin()));
        sound.resize(before + len + after, 0.0);
        sound
    }

    #[test]
    fn silence_around_a_clause_becomes_the_pause_that_was_asked_for() {
        let raw = tone(HZ / 2, HZ, HZ / 2, 0.2);
        let mut edges = Edges::new();
        let mut kept: usize = raw.chunks(1000).map(|slice| edges.slice(slice).len()).sum();
        kept += edges.end().len();
        let expected = HZ + samples_in(LEAD) + samples_in(TAIL);
        assert!(kept.abs_diff(expected) < 60, "{kept} of {expected}");
    }

    #[test]
    fn silence_within_a_clause_is_kept() {
        let mut raw = tone(0, HZ / 4, HZ / 4, 0.2);
        raw.extend(tone(0, HZ / 4, 0, 0.2));
        let mut edges = Edges::new();
        let mut kept: Vec<f32> = raw.chunks(700).flat_map(|slice| edges.slice(slice)).collect();
        kept.extend(edges.end());
        assert!(kept.len().abs_diff(raw.len()) < 60);
    }

    #[test]
    fn slices_of_any_size_give_the_same_sound() {
        let raw = tone(500, HZ, 900, 0.3);
        let made = |size: usize| {
            let mut finish = Finish::new(SampleRate::Hz8000);
            let mut sound: Vec<i16> = raw.chunks(size).flat_map(|slice| finish.slice(slice)).collect();
            sound.extend(finish.end_clause(Duration::from_millis(350)));
            sound
        };
        assert_eq!(made(333), made(4096));
    }

    #[test]
    fn a_clause_begins_and_ends_without_a_click() {
        let mut edges = Edges::new();
        let mut sound = edges.slice(&tone(0, HZ / 4, 0, 0.5));
        sound.extend(edges.slice(&[0.003; 2000]));
        sound.extend(edges.end());
        assert!(sound[0].abs() < 0.01);
        assert!(sound[sound.len() - 1].abs() < 0.001);
    }
}
