use std::time::Duration;

use super::wire::Letter;
use crate::conversation::WordEnd;

/// How far ahead in the text a letter is looked for. The provider may leave out
/// a mark or two; what it says that is not in the text (a number spelled out) must
/// not run through the whole of it.
const AHEAD: usize = 3;

/// Follows the letters that are spoken through the text, and tells when its words
/// end. It knows the text as the caller of the voice gave it.
pub(super) struct Marks {
    /// Each letter of the text that is no space, with the byte after it and
    /// whether a word ends there.
    text: Vec<(char, usize, bool)>,
    next: usize,
}

impl Marks {
    pub(super) fn new(text: &str) -> Self {
        let ends = |at: usize| text[at..].chars().next().is_none_or(char::is_whitespace);
        let letter = |(at, c): (usize, char)| (c, at + c.len_utf8(), ends(at + c.len_utf8()));
        Self { text: text.char_indices().filter(|(_, c)| !c.is_whitespace()).map(letter).collect(), next: 0 }
    }

    /// The words that end among `letters`, which are spoken from `start` on.
    pub(super) fn words(&mut self, letters: &[Letter], start: Duration) -> Vec<WordEnd> {
        let mut ends = Vec::new();
        for letter in letters.iter().filter(|l| !l.letter.is_whitespace()) {
            let ahead = self.text[self.next..].iter().take(AHEAD);
            let Some(skipped) = ahead.map(|(c, ..)| *c).position(|c| same(c, letter.letter)) else { continue };
            let (_, text_end, is_end) = self.text[self.next + skipped];
            self.next += skipped + 1;
            if is_end {
                ends.push(WordEnd { text_end, at: start + Duration::from_millis(u64::from(letter.end_ms)) });
            }
        }
        ends
    }

    /// Whether every letter of the first `bytes` bytes of the text has been spoken.
    pub(super) fn are_past(&self, bytes: usize) -> bool {
        self.text.get(self.next).is_none_or(|(_, end, _)| *end > bytes)
    }
}

fn same(one: char, other: char) -> bool {
    one == other || one.to_lowercase().eq(other.to_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::conversation::{Played, heard_text};

    /// Letters of 100 ms each.
    fn spoken(text: &str) -> Vec<Letter> {
        text.chars().zip(1..).map(|(letter, n)| Letter { letter, end_ms: n * 100 }).collect()
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn words_end_where_their_last_letter_ends() {
        let mut marks = Marks::new("We are open.");
        let ends = marks.words(&spoken("We are open. "), ms(1000));
        let expected = [(2, 1200), (6, 1600), (12, 2200)];
        assert_eq!(ends, expected.map(|(text_end, at)| WordEnd { text_end, at: ms(at) }));
        assert!(marks.are_past("We are open.".len()));
    }

    #[test]
    fn the_letters_of_a_word_may_come_in_two_messages() {
        let mut marks = Marks::new("open now");
        assert!(marks.words(&spoken("op"), ms(0)).is_empty());
        assert_eq!(marks.words(&spoken("en "), ms(200)), [WordEnd { text_end: 4, at: ms(400) }]);
    }

    #[test]
    fn letters_that_are_not_in_the_text_do_not_lose_the_place() {
        let mut marks = Marks::new("At 8, yes.");
        let ends = marks.words(&spoken("At eight, yes."), ms(0));
        assert_eq!(ends.iter().map(|e| e.text_end).collect::<Vec<_>>(), [2, 5, 10]);
    }

    #[test]
    fn what_was_heard_is_found_by_the_marks() {
        let text = "Dr. Adaeze Ọbi is in.";
        let mut marks = Marks::new(text);
        let ends = marks.words(&spoken(text), ms(0));
        let heard = heard_text(text, &ends, Played { heard: ms(1500), total: None });
        assert_eq!(heard, "Dr. Adaeze Ọbi");
    }

    proptest! {
        #[test]
        fn any_letters_give_marks_in_order_that_end_words(
            text in "[a-c é.]{0,60}", said in "[a-cé., ]{0,80}", cut in 0_usize..80,
        ) {
            let mut marks = Marks::new(&text);
            let letters = spoken(&said);
            let (first, second) = letters.split_at(cut.min(letters.len()));
            let mut ends = marks.words(first, ms(0));
            ends.extend(marks.words(second, ms(0)));
            prop_assert!(ends.windows(2).all(|w| w[0].text_end < w[1].text_end && w[0].at <= w[1].at));
            for end in &ends {
                prop_assert!(text.is_char_boundary(end.text_end));
                prop_assert!(text[end.text_end..].chars().next().is_none_or(char::is_whitespace));
            }
            prop_assert_eq!(ends, Marks::new(&text).words(&letters, ms(0)));
        }

        #[test]
        fn a_text_that_is_spoken_as_it_stands_has_a_mark_for_each_word(text in "[a-z]{1,9}( [a-z]{1,9}[.,]?){0,8}") {
            let ends = Marks::new(&text).words(&spoken(&text), ms(0));
            prop_assert_eq!(ends.len(), text.split_whitespace().count());
        }
    }
}
