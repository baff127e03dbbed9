use std::time::Duration;

use crate::conversation::{Played, WordEnd, heard_text};

/// Less than this of a clause is missing: going on after it is better than
/// saying all of it again.
const ALMOST_LETTERS: usize = 4;

/// Sound beyond the last end that was told, of which the voice has told no more: so much
/// is no single word.
const UNTOLD: Duration = Duration::from_secs(1);

/// A voice tells times in whole milliseconds and sound comes in frames of 20 ms.
const SLACK: Duration = Duration::from_millis(40);

/// Where the rest of `text` begins, in bytes, after `sounded` of it has been
/// handed on and the voice that made it is lost. Another voice goes on there.
///
/// With the ends of words it is the first word that did not sound whole. Without them,
/// and where the voice ceased to tell them, the place is reckoned, and is the beginning of a clause: a few
/// words said twice are a slip of the tongue, a word left out is a wrong answer.
pub(super) fn rest_begins(text: &str, ends: &[WordEnd], sounded: Duration, pace: f32) -> usize {
    if sounded.is_zero() {
        return 0;
    }
    let reached = match ends.iter().take_while(|end| end.at <= sounded + SLACK).last() {
        _ if ends.is_empty() => reckoned(text, sounded, pace),
        Some(end) => {
            let told = end.text_end.min(text.len());
            let has_more = ends.last() == Some(end) && sounded > end.at + UNTOLD;
            let untold = text.get(told..).filter(|_| has_more);
            told + untold.map_or(0, |untold| reckoned(untold, sounded - end.at, pace))
        }
        None => 0,
    };
    let cut = (0..=reached).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    // What stands between two words belongs to the word before.
    let beyond = text[cut..].find(char::is_alphanumeric).unwrap_or(text.len() - cut);
    cut + beyond
}

fn reckoned(text: &str, sounded: Duration, pace: f32) -> usize {
    // At a slower pace less has been said in the same time.
    let pace = if pace.is_finite() { pace.clamp(0.25, 4.0) } else { 1.0 };
    let heard = heard_text(text, &[], Played { heard: sounded.mul_f32(pace), total: None }).len();
    let ends = clause_ends(text);
    let (before, after) = (ends.iter().rfind(|end| **end <= heard), ends.iter().find(|end| **end > heard));
    match after {
        Some(after) if letters(&text[heard..*after]) <= ALMOST_LETTERS => *after,
        Some(_) | None => before.copied().unwrap_or(0),
    }
}

fn letters(text: &str) -> usize {
    text.chars().filter(|c| c.is_alphanumeric()).count()
}

/// The ends of clauses: a mark before a space, and the end of the text.
fn clause_ends(text: &str) -> Vec<usize> {
    let spaced = |at: usize| text[at..].chars().nth(1).is_none_or(char::is_whitespace);
    let marks = text.match_indices([',', ';', ':', '.', '!', '?']).filter(|(at, _)| spaced(*at));
    let mut ends: Vec<usize> = marks.map(|(at, mark)| at + mark.len()).collect();
    if ends.last() != Some(&text.len()) {
        ends.push(text.len());
    }
    ends
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ANSWER: &str = "We open at eight in the morning, and we close at six. On Sunday we are closed.";

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn rest(ends: &[WordEnd], sounded: u64) -> &'static str {
        &ANSWER[rest_begins(ANSWER, ends, ms(sounded), 1.0)..]
    }

    #[test]
    fn with_the_ends_of_words_the_rest_begins_with_the_first_word_that_did_not_sound_whole() {
        let ends = [(2, 150), (7, 500), (10, 650), (16, 1000)].map(|(text_end, at)| WordEnd { text_end, at: ms(at) });
        assert!(rest(&ends, 700).starts_with("eight in the morning"));
        assert!(rest(&ends, 900).starts_with("eight in the morning"));
        assert!(rest(&ends, 1000).starts_with("in the morning"));
        assert_eq!(rest(&ends, 100), ANSWER);
    }

    #[test]
    fn where_the_voice_ceased_to_tell_them_the_rest_is_reckoned_from_the_last_one() {
        let told = [(2, 150), (7, 500)].map(|(text_end, at)| WordEnd { text_end, at: ms(at) });
        assert!(rest(&told, 1_200).starts_with("at eight"), "{}", rest(&told, 1_200));
        assert!(rest(&told, 3_100).starts_with("and we close at six"), "{}", rest(&told, 3_100));
        // All told, and silence after it: nothing is left to be said.
        let all = [WordEnd { text_end: ANSWER.len(), at: ms(4_000) }];
        assert_eq!(rest(&all, 6_000), "");
    }

    #[test]
    fn without_them_the_rest_begins_with_a_clause_and_no_word_is_lost() {
        assert_eq!(rest(&[], 0), ANSWER);
        assert_eq!(rest(&[], 1000), ANSWER, "in the first clause");
        assert!(rest(&[], 3000).starts_with("and we close at six"), "{}", rest(&[], 3000));
    }

    #[test]
    fn when_all_words_have_sounded_nothing_is_left() {
        assert_eq!(rest(&[], 60_000), "");
        let ends = [WordEnd { text_end: ANSWER.len() - 1, at: ms(5000) }];
        assert_eq!(rest(&ends, 5000), "", "a full stop is no word");
    }

    #[test]
    fn at_a_slower_pace_less_has_been_said() {
        let at = |pace| rest_begins(ANSWER, &[], ms(3600), pace);
        assert!(at(0.5) < at(1.0));
    }

    proptest! {
        #[test]
        fn the_rest_is_an_end_of_the_text_that_begins_with_a_word_and_never_grows(
            text in "\\PC{0,60}", a in 0_u64..9000, b in 0_u64..9000, marks in prop::collection::vec((0_usize..90, 0_u64..9000), 0..9),
        ) {
            let mut ends: Vec<_> = marks.into_iter().map(|(text_end, at)| WordEnd { text_end, at: ms(at) }).collect();
            ends.sort_by_key(|end| (end.at, end.text_end));
            let begins = |sounded: u64| rest_begins(&text, &ends, ms(sounded), 1.0);
            for sounded in [a, b] {
                let rest = &text[begins(sounded)..];
                prop_assert!(sounded == 0 || rest.is_empty() || rest.starts_with(char::is_alphanumeric));
            }
            if ends.is_empty() {
                prop_assert!(begins(a.min(b)) <= begins(a.max(b)));
            }
        }
    }
}
