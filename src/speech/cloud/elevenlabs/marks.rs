use std::time::Duration;

use super::wire::Letter;
use crate::conversation::WordEnd;

/// How far ahead in the text a letter is looked for. The provider may leave out
/// a mark or two; what it says that is not in the text (a number spelled out) must
/// not run through the whole of it.
const AHEAD: usize = 3;

/// A stretch of letters that is found again in the text is no accident from this
/// length on.
const STRETCH_MIN: usize = 4;

/// So many letters of words are passed over before order is doubted: marks and
/// digits may be spelled out, or left out.
const PASSED_MIN: usize = 2;

/// Follows the letters that are spoken through the text, and tells when its words
/// end. It knows the text as the caller of the voice gave it.
pub(super) struct Marks {
    /// Each letter of the text that is no space, with the byte after it and
    /// whether a word ends there.
    text: Vec<(char, usize, bool)>,
    next: usize,
    /// Letters have come at all.
    is_told: bool,
    /// Letters have come that stand nowhere in the text: it is not known how far it
    /// has been spoken.
    is_lost: bool,
}

impl Marks {
    pub(super) fn new(text: &str) -> Self {
        let ends = |at: usize| text[at..].chars().next().is_none_or(char::is_whitespace);
        let letter = |(at, c): (usize, char)| (c, at + c.len_utf8(), ends(at + c.len_utf8()));
        Self {
            text: text.char_indices().filter(|(_, c)| !c.is_whitespace()).map(letter).collect(),
            next: 0,
            is_told: false,
            is_lost: false,
        }
    }

    /// Whether these letters are the next of the text, or come before others that
    /// should be spoken first. Letters that stand nowhere in it tell nothing.
    pub(super) fn follow(&mut self, letters: &[Letter]) -> Order {
        let heard: Vec<char> = letters.iter().map(|l| l.letter).filter(|c| !c.is_whitespace()).collect();
        if heard.is_empty() {
            // Sound whose letters are not told.
            self.is_lost = true;
            return Order::Kept;
        }
        let left = &self.text[self.next..];
        let stands_at = |at: usize| {
            left.get(at..at + heard.len()).is_some_and(|part| part.iter().zip(&heard).all(|((c, ..), h)| same(*c, *h)))
        };
        self.is_told = true;
        let found = (0..left.len()).find(|at| stands_at(*at));
        match found {
            Some(0) => self.is_lost = false,
            _ if heard.len() < STRETCH_MIN => {}
            Some(at) if !self.is_lost && words_in(&left[..at]) >= PASSED_MIN => return Order::Broken,
            Some(at) if at < AHEAD => self.is_lost = false,
            // Spelled out, or told as it is said: from here on nothing is doubted.
            Some(_) | None => self.is_lost = true,
        }
        Order::Kept
    }

    /// The provider says that this was all. Whether words are still to come, as far
    /// as its letters tell.
    pub(super) fn has_unspoken(&self) -> bool {
        self.is_told && !self.is_lost && words_in(&self.text[self.next..]) >= STRETCH_MIN
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

    /// Whether a letter behind the first `bytes` bytes of the text has been spoken.
    pub(super) fn are_beyond(&self, bytes: usize) -> bool {
        self.next.checked_sub(1).and_then(|last| self.text.get(last)).is_some_and(|(_, end, _)| *end > bytes)
    }

    /// Whether every letter of the first `bytes` bytes of the text has been spoken.
    pub(super) fn are_past(&self, bytes: usize) -> bool {
        self.text.get(self.next).is_none_or(|(_, end, _)| *end > bytes)
    }
}

/// Is sound where it belongs?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    Kept,
    Broken,
}

/// Letters of words; marks and digits are none.
fn words_in(text: &[(char, usize, bool)]) -> usize {
    text.iter().filter(|(c, ..)| c.is_alphabetic()).count()
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

    /// What comes of letters that are told message by message.
    fn orders(text: &str, messages: &[&str]) -> (Vec<Order>, bool) {
        let mut marks = Marks::new(text);
        let told = |message: &&str| {
            let order = marks.follow(&spoken(message));
            marks.words(&spoken(message), ms(0));
            order
        };
        let orders = messages.iter().map(told).collect();
        (orders, marks.has_unspoken())
    }

    #[test]
    fn sound_that_comes_before_its_turn_is_known_and_what_is_spelled_out_is_not_taken_for_it() {
        use Order::{Broken, Kept};
        let text = "We are not open on Sunday.";
        assert_eq!(orders(text, &["We are ", "not open ", "on Sunday."]), (vec![Kept; 3], false));
        assert_eq!(orders(text, &["We are ", "open on ", "not "]).0[..2], [Kept, Broken]);
        assert_eq!(orders(text, &["not open "]).0, [Broken]);
        // The last of the sound came after the end.
        assert_eq!(orders(text, &["We are ", "not open "]), (vec![Kept; 2], true));
        // Numbers and titles may be told as they are said, marks may be left out.
        let text = "Dr. Obi sees you at 12,500 naira - no less.";
        let said = ["Doctor Obi ", "sees you at twelve thousand ", "five hundred ", "naira, no ", "less."];
        assert_eq!(orders(text, &said).0, [Kept; 5]);
        // A word that stands twice is taken where it is due.
        assert_eq!(orders("no way, no way, none", &["no way, ", "no way, ", "none"]), (vec![Kept; 3], false));
        // Who tells no letters is not doubted.
        assert_eq!(orders(text, &["", " "]), (vec![Kept; 2], false));
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
        fn a_text_that_is_spoken_in_its_order_is_never_doubted(
            text in "[a-d ]{0,60}", cuts in prop::collection::vec(1_usize..9, 0..20),
        ) {
            let mut marks = Marks::new(&text);
            let letters = spoken(&text);
            let mut rest = letters.as_slice();
            for cut in cuts.into_iter().chain([60]) {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                rest = later;
                prop_assert_eq!(marks.follow(now), Order::Kept);
                marks.words(now, ms(0));
            }
            prop_assert!(!marks.has_unspoken());
        }

        #[test]
        fn a_text_that_is_spoken_as_it_stands_has_a_mark_for_each_word(text in "[a-z]{1,9}( [a-z]{1,9}[.,]?){0,8}") {
            let ends = Marks::new(&text).words(&spoken(&text), ms(0));
            prop_assert_eq!(ends.len(), text.split_whitespace().count());
        }
    }
}
