//! Text in pieces: words, figures, spaces and marks. A piece is whole when the
//! next one begins, so however the text is cut into chunks, the pieces are the same.

use super::lexicon::{Means, digit_value, means};

/// A longer word or number goes on in a further piece, so that nothing is held
/// without end. An address has at most 64 characters before its "@".
const PIECE_MAX: usize = 64;

/// One piece of the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    /// Octets from the beginning of the text.
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) means: Means,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Class {
    Figure,
    Letter,
    Space,
    Mark,
}

fn class(c: char, open: Option<Class>) -> Class {
    if digit_value(c).is_some() {
        Class::Figure
    } else if c.is_alphabetic() {
        Class::Letter
    } else if c.is_whitespace() || c.is_control() {
        Class::Space
    } else if open == Some(Class::Letter) && matches!(c, '\'' | '’' | 'ʼ' | '\u{0300}'..='\u{036F}') {
        Class::Letter
    } else {
        Class::Mark
    }
}

/// Text that was fed and not yet given back, and its pieces.
/// Never printed: it holds what a person says.
#[derive(Clone, Default)]
pub(super) struct Tape {
    text: String,
    /// Where `text` begins, in octets from the beginning of all text.
    base: usize,
    tokens: Vec<Token>,
    /// The piece at the end, which may go on.
    open: Option<(Class, usize)>,
}

impl Tape {
    /// Takes one character; tells whether a piece became whole.
    pub(super) fn push(&mut self, c: char) -> bool {
        let at = self.end();
        let class = class(c, self.open.map(|(class, _)| class));
        let goes_on = self.open.is_some_and(|(open, start)| {
            open == class && class != Class::Mark && at + c.len_utf8() - start <= PIECE_MAX
        });
        let whole = !goes_on && self.close();
        self.text.push(c);
        if !goes_on {
            self.open = Some((class, at));
        }
        whole
    }

    /// Makes the piece at the end whole; tells whether there was one.
    pub(super) fn close(&mut self) -> bool {
        let Some((class, start)) = self.open.take() else { return false };
        let end = self.end();
        let means = match class {
            Class::Figure => Means::Numeral,
            Class::Space => Means::Space,
            Class::Letter => means(self.slice(start, end)),
            Class::Mark => mark(self.slice(start, end)),
        };
        self.tokens.push(Token { start, end, means });
        true
    }

    /// Where the next character will stand.
    pub(super) fn end(&self) -> usize {
        self.base + self.text.len()
    }

    pub(super) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// The text between two places that were fed and not yet given back.
    pub(super) fn slice(&self, start: usize, end: usize) -> &str {
        self.text.get(start.saturating_sub(self.base)..end.saturating_sub(self.base)).unwrap_or_default()
    }

    pub(super) fn text_of(&self, token: &Token) -> &str {
        self.slice(token.start, token.end)
    }

    /// Gives up the first `count` pieces and their text.
    pub(super) fn drop_first(&mut self, count: usize) {
        let count = count.min(self.tokens.len());
        let Some(last) = count.checked_sub(1).map(|last| self.tokens[last].end) else { return };
        self.tokens.drain(..count);
        self.text.drain(..last - self.base);
        self.base = last;
    }
}

fn mark(text: &str) -> Means {
    match text.chars().next() {
        Some('.' | '·' | '․' | '。' | '．') => Means::Dot,
        Some('_') => Means::Underscore,
        Some('-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '－') => Means::Dash,
        Some('+' | '＋') => Means::Plus,
        Some('@' | '＠' | '﹫') => Means::At,
        Some('₦' | '$' | '£' | '€' | '%') => Means::Currency,
        Some(c) => Means::Mark(c),
        None => Means::Space,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces(text: &str) -> Vec<String> {
        let mut tape = Tape::default();
        for c in text.chars() {
            tape.push(c);
        }
        tape.close();
        tape.tokens().iter().map(|token| tape.text_of(token).to_owned()).collect()
    }

    #[test]
    fn words_figures_spaces_and_marks_are_told_apart() {
        assert_eq!(pieces("it's N5,000  o"), ["it's", " ", "N", "5", ",", "000", "  ", "o"]);
        assert_eq!(pieces("a.b@c"), ["a", ".", "b", "@", "c"]);
        assert_eq!(pieces("+234--"), ["+", "234", "-", "-"]);
    }

    proptest! {
        #[test]
        fn the_pieces_are_the_text_and_none_is_long(text in "\\PC{0,200}") {
            let pieces = pieces(&text);
            prop_assert!(pieces.iter().all(|piece| (1..=PIECE_MAX).contains(&piece.len())));
            prop_assert_eq!(pieces.concat(), text);
        }
    }
}
