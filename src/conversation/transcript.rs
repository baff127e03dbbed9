use std::time::Duration;

use crate::terms::Private;

/// How far an utterance has been played.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Played {
    pub heard: Duration,
    /// The whole length; none while the voice has not made all of it.
    pub total: Option<Duration>,
}

/// When a word of an utterance ends, as a voice that aligns its words tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WordEnd {
    /// The end of the word in the text, in bytes.
    pub text_end: usize,
    pub at: Duration,
}

/// What one utterance of the box says, and how much of it a caller has heard.
#[derive(Clone, PartialEq, Debug)]
pub struct Transcript {
    text: Private<String>,
    ends: Vec<WordEnd>,
}

impl Transcript {
    /// A text whose word times are not known: they are reckoned from its length.
    pub const fn new(text: Private<String>) -> Self {
        Self { text, ends: Vec::new() }
    }

    /// A text with the times of its words, in order.
    pub const fn aligned(text: Private<String>, ends: Vec<WordEnd>) -> Self {
        Self { text, ends }
    }

    pub const fn text(&self) -> &Private<String> {
        &self.text
    }

    /// The words that the caller has really heard.
    pub fn heard(&self, played: Played) -> Private<String> {
        Private::new(heard_text(self.text.expose(), &self.ends, played).to_owned())
    }
}

/// The pace when the length of an utterance is not known: Piper's English
/// voices and people on the telephone both say about 15 letters in a second.
const LETTERS_PER_SECOND: f64 = 15.0;

/// A pause at a comma lasts about as long as three letters, and at the end of
/// a sentence about as long as six.
const COMMA_LETTERS: f64 = 3.0;
const STOP_LETTERS: f64 = 6.0;

/// Less than a letter's time may be missing from a word that counts as heard:
/// what is played is counted in frames of 20 ms.
const SLACK: Duration = Duration::from_millis(40);

/// The beginning of `text` that was really heard, cut after a whole word. A
/// word of which only a part was played does not count.
///
/// `ends` are the times at which words end, in order; with none, times are
/// reckoned from the number of letters and the pauses of the punctuation.
pub fn heard_text<'t>(text: &'t str, ends: &[WordEnd], played: Played) -> &'t str {
    if played.total.is_some_and(|total| played.heard + SLACK >= total) {
        return text.trim_end();
    }
    let heard_end = if ends.is_empty() { reckoned_end(text, played) } else { aligned_end(ends, played.heard) };
    // A voice's mark may point into a letter or past the end: then less was heard.
    let cut = (0..=heard_end.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
    text[..cut].trim_end()
}

fn aligned_end(ends: &[WordEnd], heard: Duration) -> usize {
    ends.iter().take_while(|end| end.at <= heard + SLACK).last().map_or(0, |end| end.text_end)
}

/// The end, in bytes, of the last word that is reckoned to have been played.
fn reckoned_end(text: &str, played: Played) -> usize {
    let words = word_times(text);
    let all: f64 = words.last().map_or(0.0, |w| w.pause_end);
    let per_second = match played.total {
        Some(total) if !total.is_zero() => all / total.as_secs_f64(),
        Some(_) | None => LETTERS_PER_SECOND,
    };
    let heard = if played.heard.is_zero() { 0.0 } else { (played.heard + SLACK).as_secs_f64() * per_second };
    words.iter().take_while(|w| w.spoken_end <= heard).last().map_or(0, |w| w.text_end)
}

struct WordTime {
    text_end: usize,
    /// When the word has been spoken, in letters' time.
    spoken_end: f64,
    /// When the pause after it is over.
    pause_end: f64,
}

fn word_times(text: &str) -> Vec<WordTime> {
    let mut clock = 0.0;
    let mut times = Vec::new();
    for word in text.split_whitespace() {
        // The word is a slice of the text, so its place is the distance of the pointers.
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        // One more for the join between words.
        clock += word.chars().filter(|c| c.is_alphanumeric()).map(letters).sum::<f64>() + 1.0;
        let spoken_end = clock;
        clock += match word.chars().last() {
            Some('.' | '!' | '?') => STOP_LETTERS,
            Some(',' | ';' | ':') => COMMA_LETTERS,
            _ => 0.0,
        };
        times.push(WordTime { text_end: start + word.len(), spoken_end, pause_end: clock });
    }
    times
}

/// A digit is spoken as a word of about four letters.
fn letters(c: char) -> f64 {
    if c.is_numeric() { 4.0 } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ANSWER: &str = "We are open from eight to six, Monday to Saturday. On Sunday we are closed.";

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn of(heard: u64, total: u64) -> Played {
        Played { heard: ms(heard), total: Some(ms(total)) }
    }

    #[test]
    fn a_sentence_played_to_its_end_was_heard_whole() {
        assert_eq!(heard_text(ANSWER, &[], of(5000, 5000)), ANSWER);
        assert_eq!(heard_text(ANSWER, &[], of(4980, 5000)), ANSWER);
    }

    #[test]
    fn a_sentence_that_never_sounded_was_not_heard() {
        assert_eq!(heard_text(ANSWER, &[], of(0, 5000)), "");
        assert_eq!(heard_text("", &[], of(100, 5000)), "");
    }

    #[test]
    fn a_sentence_cut_after_its_comma_keeps_the_words_before_it() {
        let heard = heard_text(ANSWER, &[], of(2200, 5000));
        assert!(heard.starts_with("We are open from eight"), "{heard}");
        assert!(!heard.contains("Sunday"), "{heard}");
    }

    #[test]
    fn half_a_word_does_not_count() {
        let ends = [WordEnd { text_end: 2, at: ms(200) }, WordEnd { text_end: 6, at: ms(500) }];
        assert_eq!(heard_text("We are open", &ends, of(440, 1000)), "We");
        assert_eq!(heard_text("We are open", &ends, of(500, 1000)), "We are");
    }

    #[test]
    fn without_a_length_the_usual_pace_decides() {
        let played = Played { heard: ms(1000), total: None };
        let heard = heard_text(ANSWER, &[], played);
        assert!(heard.starts_with("We are") && heard.len() < ANSWER.len() / 2, "{heard}");
    }

    #[test]
    fn what_was_heard_never_prints() {
        let transcript = Transcript::new(Private::new("Your number is 0803".to_owned()));
        let shown = format!("{transcript:?} {:?}", transcript.heard(of(900, 900)));
        assert!(!shown.contains("0803"), "{shown}");
    }

    proptest! {
        #[test]
        fn what_was_heard_is_a_beginning_that_ends_with_a_word_and_grows(
            text in "[a-zé0-9 ,.]{0,80}", total in 1_u64..20_000, a in 0_u64..20_000, b in 0_u64..20_000,
        ) {
            let (less, more) = (a.min(b), a.max(b));
            let (first, second) = (heard_text(&text, &[], of(less, total)), heard_text(&text, &[], of(more, total)));
            prop_assert!(text.starts_with(second) && second.starts_with(first));
            let rest = &text[first.len()..];
            prop_assert!(first.is_empty() || rest.is_empty() || rest.starts_with(char::is_whitespace));
        }

        #[test]
        fn marks_of_a_voice_in_any_order_cut_somewhere_and_never_panic(
            text in "\\PC{0,40}", marks in prop::collection::vec((0_usize..200, 0_u64..5000), 0..20), heard in 0_u64..5000,
        ) {
            let ends: Vec<_> = marks.into_iter().map(|(text_end, at)| WordEnd { text_end, at: ms(at) }).collect();
            prop_assert!(text.starts_with(heard_text(&text, &ends, of(heard, 5001))));
        }
    }
}
