/// A piece has at least so many letters, if the text goes on: shorter ones sound
/// chopped, and each costs a generation at the provider.
const PIECE_MIN: usize = 100;

/// Where a text is cut for a voice that is paid by the letter: what a caller cuts
/// off need not be bought to its end. Each piece ends with a sentence.
///
/// Gives the byte after each piece; the last is the end of the text.
pub(super) fn piece_ends(text: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut letters = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        letters += 1;
        let stops = matches!(c, '.' | '!' | '?' | '…');
        let ends_sentence = stops && chars.peek().is_some_and(|(_, next)| next.is_whitespace());
        if ends_sentence && letters >= PIECE_MIN && goes_on(&text[at + c.len_utf8()..]) {
            ends.push(at + c.len_utf8());
            letters = 0;
        }
    }
    if goes_on(&text[ends.last().copied().unwrap_or(0)..]) {
        ends.push(text.len());
    }
    ends
}

/// Whether there is anything left to be said.
fn goes_on(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_short_answer_is_one_piece() {
        let text = "We are open from eight to six. On Sunday we are closed.";
        assert_eq!(piece_ends(text), [text.len()]);
    }

    #[test]
    fn a_long_answer_is_cut_after_sentences() {
        let sentence = "A consultation with the doctor costs five thousand naira, and lasts half an hour. ";
        let text = sentence.repeat(5);
        let ends = piece_ends(&text);
        assert!(ends.len() == 3 && ends[2] == text.len(), "{ends:?}");
        assert!(ends[..2].iter().all(|end| text[..*end].ends_with("hour.")), "{ends:?}");
    }

    #[test]
    fn what_has_no_words_has_no_piece() {
        assert!(piece_ends("").is_empty() && piece_ends(" … ").is_empty());
    }

    proptest! {
        #[test]
        fn pieces_are_the_whole_text_in_order(text in "[a-zé .!?…]{0,600}") {
            let ends = piece_ends(&text);
            prop_assert!(ends.windows(2).all(|w| w[0] < w[1]));
            prop_assert!(ends.iter().all(|end| text.is_char_boundary(*end)));
            let has_words = text.chars().any(char::is_alphanumeric);
            prop_assert_eq!(ends.last().copied(), has_words.then_some(text.len()));
        }
    }
}
