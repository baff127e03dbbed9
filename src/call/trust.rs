//! How far heard words may be trusted.
//!
//! Word error of small models on African-accented telephone English is high,
//! so the conversation must know when it did not hear. The thresholds are
//! those of the Whisper reference decoder (log-probability -1.0, compression
//! 2.4, no-speech 0.6), with a stricter middle band in which the words are
//! read back before they are acted on.

use crate::conversation;

/// How well the ears say that they heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Confidence {
    /// Mean log-probability of the tokens (0 is certain; below -1 is guessing).
    pub mean_log_probability: f32,
    /// Probability that there was no speech at all.
    pub no_speech: f32,
    /// Bytes of the text over bytes of it compressed: above 2.4 it repeats itself.
    pub compression: f32,
    /// The same words several times in a row: the decoder was caught in a loop.
    pub repeats: bool,
}

/// Below this mean log-probability the decoder was guessing.
const GUESSING: f32 = -1.0;
/// Below this the words are plausible but must be confirmed.
const DOUBTFUL: f32 = -0.75;
/// Above this there was probably no speech.
const NO_SPEECH: f32 = 0.6;
/// Above this the text repeats itself.
const REPETITIVE: f32 = 2.4;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Trust {
    /// Act on the words.
    Good,
    /// Read the words back first.
    Doubtful,
    /// The words are worth nothing: ask again.
    Unheard,
}

impl Trust {
    pub(super) const fn for_turn_taking(self) -> conversation::Trust {
        match self {
            Self::Good => conversation::Trust::Sure,
            Self::Doubtful | Self::Unheard => conversation::Trust::Doubtful,
        }
    }
}

pub(super) fn judge(words: &str, confidence: &Confidence) -> Trust {
    let letters = words.chars().filter(|c| c.is_alphanumeric()).count();
    let silent = confidence.no_speech > NO_SPEECH && confidence.mean_log_probability < DOUBTFUL;
    let looping = confidence.repeats || confidence.compression > REPETITIVE;
    if letters == 0 || silent || looping || confidence.mean_log_probability < GUESSING {
        Trust::Unheard
    } else if confidence.mean_log_probability < DOUBTFUL {
        Trust::Doubtful
    } else {
        Trust::Good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confidence(mean_log_probability: f32) -> Confidence {
        Confidence { mean_log_probability, no_speech: 0.0, compression: 1.1, repeats: false }
    }

    #[test]
    fn clearly_heard_words_are_acted_on() {
        assert_eq!(judge("when do you open", &confidence(-0.2)), Trust::Good);
    }

    #[test]
    fn words_that_were_guessed_are_not_acted_on() {
        assert_eq!(judge("when do you open", &confidence(-1.4)), Trust::Unheard);
        assert_eq!(judge("when do you open", &confidence(-0.9)), Trust::Doubtful);
    }

    #[test]
    fn a_loop_of_the_decoder_is_not_heard_speech() {
        let looping = Confidence { repeats: true, ..confidence(-0.1) };
        assert_eq!(judge("agent please agent please agent please", &looping), Trust::Unheard);
        let compressed = Confidence { compression: 3.0, ..confidence(-0.1) };
        assert_eq!(judge("agent please agent please agent please", &compressed), Trust::Unheard);
    }

    #[test]
    fn a_voice_that_was_probably_none_counts_only_where_its_words_are_sure() {
        let probably_silent = |mean| Confidence { no_speech: 0.9, ..confidence(mean) };
        assert_eq!(judge("thank you for watching", &probably_silent(-0.8)), Trust::Unheard);
        assert_eq!(judge("when do you open", &probably_silent(-0.2)), Trust::Good);
    }

    #[test]
    fn punctuation_alone_is_nothing_heard() {
        assert_eq!(judge(" ... ", &confidence(-0.1)), Trust::Unheard);
    }
}
