use std::collections::VecDeque;
use std::time::Duration;

use crate::call::Confidence;
use crate::terms::Private;

use super::message::{Span, Word};

/// Words that are kept: twice what the longest turn has, a message that is
/// dictated for a minute and a half.
const WORDS_MAX: usize = 1000;

/// What a word of which the provider is quite unsure is given at least: the
/// logarithm of nought is no number.
const LEAST_CONFIDENCE: f32 = 0.01;

/// What is taken for a confidence where the provider gives none: words that are
/// acted on, but only just.
const UNKNOWN_CONFIDENCE: f32 = 0.6;

/// What a turn without any word is given: surely nothing.
const NOTHING: Confidence =
    Confidence { mean_log_probability: -10.0, no_speech: 1.0, compression: 1.0, repeats: false };

/// A word in the stream.
#[derive(Clone, Debug)]
struct Placed {
    text: Private<String>,
    span: Span,
    confidence: Option<f32>,
}

/// The stream's words: those that stand, and after them those that may change.
#[derive(Debug, Default)]
pub(super) struct Wording {
    settled: VecDeque<Placed>,
    /// Nothing before it will be said again.
    settled_until: Duration,
    open: Vec<Placed>,
    /// The provider has listened so far.
    covered_until: Duration,
    /// The open words are those of the message before too.
    is_steady: bool,
}

/// The words of a part of the stream, with what is known of how well they were heard.
#[derive(Debug)]
pub(super) struct Passage {
    pub(super) words: Private<String>,
    pub(super) confidence: Confidence,
    /// The end of its last word.
    pub(super) until: Option<Duration>,
}

impl Wording {
    pub(super) const fn settled_until(&self) -> Duration {
        self.settled_until
    }

    pub(super) const fn covered_until(&self) -> Duration {
        self.covered_until
    }

    /// Whether words stand in this part of the stream.
    pub(super) fn stands_in(&self, span: Span) -> bool {
        self.settled.iter().any(|word| (span.start..=span.end).contains(&word.span.middle()))
    }

    /// Words that the next message may change. What was settled is not said
    /// again, whatever the message says.
    pub(super) fn hear(&mut self, words: Vec<Word>, span: Span) {
        let words = self.placed(words, span);
        self.is_steady = !words.is_empty() && words.iter().map(|w| &w.text).eq(self.open.iter().map(|w| &w.text));
        self.open = words;
        self.covered_until = self.covered_until.max(span.end);
    }

    /// Words that stand.
    pub(super) fn settle(&mut self, words: Vec<Word>, span: Span) {
        let words = self.placed(words, span);
        self.settled.extend(words);
        self.shut(span.end);
    }

    /// The open words stand after all.
    pub(super) fn settle_open(&mut self) {
        self.settled.extend(self.open.drain(..));
        self.shut(self.covered_until);
    }

    fn shut(&mut self, until: Duration) {
        self.open.clear();
        self.is_steady = false;
        let surplus = self.settled.len().saturating_sub(WORDS_MAX);
        self.settled.drain(..surplus);
        self.settled_until = self.settled_until.max(until);
        self.covered_until = self.covered_until.max(until);
    }

    /// The words that were not settled yet, each with a place in the stream. One
    /// that comes without a place came up since the message before; one that was
    /// there already keeps the place that it got then.
    fn placed(&self, words: Vec<Word>, span: Span) -> Vec<Placed> {
        let count = u32::try_from(words.len().saturating_sub(self.open.len()).max(1)).unwrap_or(u32::MAX);
        let fresh = Span { start: self.covered_until.clamp(span.start, span.end), end: span.end };
        let each = fresh.end.saturating_sub(fresh.start) / count;
        let place = |n: usize| {
            let nth = u32::try_from(n.saturating_sub(self.open.len())).unwrap_or(u32::MAX);
            let start = fresh.start + each.saturating_mul(nth);
            self.open.get(n).map_or(Span { start, end: start + each }, |word| word.span)
        };
        let placed = words.into_iter().enumerate().map(|(n, word)| {
            let Span { start, end } = word.span.unwrap_or_else(|| place(n));
            // No word is later than the sound that it was heard in.
            let end = end.min(span.end);
            Placed { span: Span { start: start.min(end), end }, text: word.text, confidence: word.confidence }
        });
        placed.filter(|word| word.span.end > self.settled_until).take(WORDS_MAX).collect()
    }

    /// Whether the open words are most likely the final ones: they have not
    /// changed, and the provider is sure of each.
    pub(super) fn open_is_sure(&self, sure: f32) -> bool {
        self.is_steady && self.open.iter().all(|word| word.confidence.is_some_and(|c| c >= sure))
    }

    /// The words whose middle is between the two places, settled or open.
    pub(super) fn passage(&self, from: Duration, until: Duration) -> Passage {
        let within = |word: &&Placed| (from..until).contains(&word.span.middle());
        let words: Vec<&Placed> = self.settled.iter().chain(&self.open).filter(within).collect();
        let text: Vec<&str> = words.iter().map(|word| word.text.expose().as_str()).collect();
        Passage {
            confidence: confidence(&words),
            until: words.iter().map(|word| word.span.end).max(),
            words: Private::new(text.join(" ")),
        }
    }

    /// Where the first word begins whose middle is after `place`.
    pub(super) fn first_after(&self, place: Duration) -> Option<Duration> {
        let after = |word: &&Placed| word.span.middle() > place;
        self.settled.iter().chain(&self.open).filter(after).map(|word| word.span.start).min()
    }

    /// The end of the last word.
    pub(super) fn last_end(&self) -> Option<Duration> {
        self.settled.iter().chain(&self.open).map(|word| word.span.end).max()
    }

    /// Forgets the words that stand before `until`.
    pub(super) fn forget(&mut self, until: Duration) {
        self.settled.retain(|word| word.span.middle() >= until);
    }
}

/// The provider's confidence in a word is the probability that it is right, and
/// the box's measure is the mean log-probability of what was written: the mean
/// of the logarithms is the one as the other. With it, words are read back that
/// are right in fewer than 47 of 100 cases on the average, and asked for again
/// below 37.
///
/// That nobody spoke it says by writing nothing, and it cannot be caught in a
/// loop as a decoder of text can.
#[expect(clippy::cast_precision_loss, reason = "a thousand words")]
fn confidence(words: &[&Placed]) -> Confidence {
    if words.is_empty() {
        return NOTHING;
    }
    let log = |word: &&Placed| word.confidence.unwrap_or(UNKNOWN_CONFIDENCE).max(LEAST_CONFIDENCE).ln();
    let mean = words.iter().map(log).sum::<f32>() / words.len() as f32;
    Confidence { mean_log_probability: mean, no_speech: 0.0, compression: 1.0, repeats: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn span(start: u64, end: u64) -> Span {
        Span { start: ms(start), end: ms(end) }
    }

    fn word(text: &str, place: Option<(u64, u64)>, confidence: f32) -> Word {
        Word {
            text: Private::new(text.into()),
            span: place.map(|(start, end)| span(start, end)),
            confidence: Some(confidence),
        }
    }

    fn said(wording: &Wording, from: u64, until: u64) -> String {
        wording.passage(ms(from), ms(until)).words.into_exposed()
    }

    #[test]
    fn what_is_settled_is_not_said_again() {
        let mut wording = Wording::default();
        wording.settle(vec![word("hello", Some((100, 400)), 0.9)], span(0, 500));
        wording.hear(vec![word("hello", Some((100, 400)), 0.9), word("there", Some((500, 800)), 0.9)], span(0, 900));
        assert_eq!(said(&wording, 0, 2000), "hello there");
        wording.settle(vec![word("there", Some((510, 800)), 0.9)], span(500, 900));
        assert_eq!(said(&wording, 0, 2000), "hello there");
    }

    #[test]
    fn words_belong_where_their_middle_is() {
        let mut wording = Wording::default();
        wording.settle(vec![word("yes", Some((0, 400)), 0.9), word("no", Some((900, 1300)), 0.9)], span(0, 1400));
        assert_eq!((said(&wording, 0, 1000).as_str(), said(&wording, 1000, 2000).as_str()), ("yes", "no"));
    }

    #[test]
    fn words_without_a_place_are_where_they_came_up() {
        let mut wording = Wording::default();
        wording.hear(vec![word("my", None, 0.9), word("number", None, 0.9)], span(0, 500));
        let three = ["my", "number", "is"].map(|w| word(w, None, 0.9)).to_vec();
        wording.hear(three, span(0, 1000));
        assert_eq!((said(&wording, 0, 500).as_str(), said(&wording, 500, 1000).as_str()), ("my number", "is"));
    }

    #[test]
    fn open_words_are_sure_once_they_stay_and_each_is() {
        let mut wording = Wording::default();
        let words = || vec![word("two", Some((0, 300)), 0.95), word("oh", Some((300, 500)), 0.92)];
        wording.hear(words(), span(0, 500));
        assert!(!wording.open_is_sure(0.9), "it was said once");
        wording.hear(words(), span(0, 700));
        assert!(wording.open_is_sure(0.9) && !wording.open_is_sure(0.94));
        wording.hear(Vec::new(), span(0, 900));
        assert!(!wording.open_is_sure(0.0));
    }

    #[test]
    fn confidence_is_the_mean_logarithm_of_the_words_own() {
        let mut wording = Wording::default();
        wording.settle(vec![word("a", Some((0, 10)), 1.0), word("b", Some((10, 20)), 0.25)], span(0, 20));
        let heard = wording.passage(ms(0), ms(20)).confidence;
        assert!((heard.mean_log_probability - 0.5_f32.ln()).abs() < 1e-6);
        assert_eq!(wording.passage(ms(20), ms(40)).confidence, NOTHING);
    }
}
