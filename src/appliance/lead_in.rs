//! The quiet with which a voice begins, left out where a caller waits for it. It
//! touches nothing after the first sound.

use std::time::Duration;

use crate::media::SampleRate;

/// Voices begin with up to a tenth of a second of next to nothing. What is longer is
/// meant, and only so much of it is left out.
const LONGEST_MS: usize = 300;

/// Below this peak (-44 dBFS) nobody hears a voice over a telephone's own noise.
const QUIET: u16 = 200;

/// So much is kept before the first sound that is louder: a soft consonant.
const KEPT_MS: usize = 10;

const fn samples(rate: SampleRate, ms: usize) -> usize {
    rate.hz() as usize / 1000 * ms
}

/// The beginning of one sentence.
#[derive(Debug)]
pub struct LeadIn {
    rate: SampleRate,
    /// Samples that may still be left out.
    most: usize,
    left_out: usize,
}

impl LeadIn {
    /// Of a sentence that a caller waits for.
    pub const fn left_out(rate: SampleRate) -> Self {
        Self { rate, most: samples(rate, LONGEST_MS), left_out: 0 }
    }

    /// Of a sentence that follows another: the quiet is the pause between them.
    pub const fn kept(rate: SampleRate) -> Self {
        Self { rate, most: 0, left_out: 0 }
    }

    /// What is to be heard of the next samples of the sentence.
    pub fn of<'a>(&mut self, sound: &'a [i16]) -> &'a [i16] {
        if self.most == 0 {
            return sound;
        }
        let first = sound.iter().position(|sample| sample.unsigned_abs() >= QUIET);
        let quiet = first.map_or(sound.len(), |at| at.saturating_sub(samples(self.rate, KEPT_MS)));
        let from = quiet.min(self.most);
        self.most = if first.is_some() { 0 } else { self.most - from };
        self.left_out += from;
        &sound[from..]
    }

    /// How much earlier all that follows is heard.
    pub fn earlier_by(&self) -> Duration {
        Duration::from_micros(self.left_out as u64 * 1_000_000 / u64::from(self.rate.hz()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: SampleRate = SampleRate::Hz8000;

    fn sound(quiet_ms: usize) -> Vec<i16> {
        let mut sound = vec![3; samples(RATE, quiet_ms)];
        sound.extend([4000, -4000].repeat(200));
        sound
    }

    #[test]
    fn the_quiet_before_the_first_sound_is_left_out_however_it_comes_in_pieces() {
        for piece in [7, 160, 4000] {
            let mut lead = LeadIn::left_out(RATE);
            let heard: Vec<i16> = sound(90).chunks(piece).flat_map(|piece| lead.of(piece).to_vec()).collect();
            let kept = heard.len() - 400;
            assert!(kept <= samples(RATE, KEPT_MS), "{kept} samples of quiet in pieces of {piece}");
            assert_eq!(heard[kept..], sound(0), "nothing after it is touched");
            let ms = lead.earlier_by().as_millis();
            assert!((80..=90).contains(&ms), "{ms}");
        }
    }

    #[test]
    fn a_long_quiet_is_meant_and_a_pause_between_sentences_stays() {
        let mut lead = LeadIn::left_out(RATE);
        let heard: usize = sound(1000).chunks(160).map(|piece| lead.of(piece).len()).sum();
        assert_eq!(heard, sound(1000).len() - samples(RATE, LONGEST_MS));
        let mut kept = LeadIn::kept(RATE);
        assert_eq!((kept.of(&sound(90)), kept.earlier_by()), (&sound(90)[..], Duration::ZERO));
    }
}
