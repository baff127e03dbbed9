use crate::terms::numerals::{ONES, TENS};

/// What heard words amount to for whose turn it is. Nothing more of the words
/// is needed here, and nothing more is kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Gist {
    /// No words at all.
    Nothing,
    /// A sound of listening: "mm-hm", "uh-huh".
    Backchannel,
    /// "Yes", "okay": listening, or the answer to a question that asks for it.
    Yes,
    /// "No": never mere listening.
    No,
    /// Words that are going somewhere: they end in "and", "my number is".
    Dangling,
    /// Anything else that was said.
    Words,
}

/// Sounds that say only "I am listening", in Nigerian English too.
const BACKCHANNELS: &[&str] = &[
    "mm", "mmm", "hm", "hmm", "mhm", "mmhm", "mmhmm", "uhhuh", "uh", "um", "uhm", "er", "erm", "ah", "aha", "eh",
    "ehen", "oh",
];

/// Words that answer yes when asked, and otherwise say "I am listening".
const YES: &[&str] = &[
    "yes", "yeah", "yep", "yup", "ya", "okay", "ok", "right", "sure", "alright", "fine", "correct", "exactly", "true",
    "oya",
];

const NO: &[&str] = &["no", "nope", "nah"];

/// Politeness that changes neither a yes nor a no.
const POLITE: &[&str] = &["please", "sir", "ma", "madam", "o", "thanks"];

/// A turn of more words than this is more than listening, whatever the words.
const LISTENING_WORDS_MAX: usize = 3;

/// Last words after which an English sentence goes on.
const DANGLING: &[&str] = &[
    "and",
    "or",
    "but",
    "so",
    "because",
    "that",
    "to",
    "for",
    "with",
    "from",
    "of",
    "at",
    "in",
    "on",
    "by",
    "the",
    "a",
    "an",
    "my",
    "your",
    "our",
    "their",
    "if",
    "when",
    "about",
    "like",
    "uhm",
    "um",
    "erm",
    "than",
    "then",
    "into",
    "between",
    "dot",
    "underscore",
    "dash",
    "hyphen",
    "plus",
    "double",
    "triple",
];

/// Last pairs of words that announce what is to come.
const DANGLING_PAIRS: &[(&str, &str)] = &[
    ("number", "is"),
    ("name", "is"),
    ("address", "is"),
    ("email", "is"),
    ("mail", "is"),
    ("message", "is"),
    ("question", "is"),
    ("it", "is"),
    ("i", "want"),
    ("i", "need"),
    ("i", "am"),
    ("want", "to"),
    ("i", "wan"),
    ("tell", "him"),
    ("tell", "her"),
    ("tell", "them"),
];

impl Gist {
    /// Reads the gist of heard words. Case, punctuation and hyphens do not
    /// count; words in brackets (`[BLANK_AUDIO]`, `(coughs)`) are no words.
    pub fn of(words: &str) -> Self {
        let words = plain_words(words);
        let (Some(last), before) = (words.last(), words.iter().rev().nth(1)) else { return Self::Nothing };
        let is = |list: &[&str], word: &String| list.contains(&word.as_str());
        if words.iter().all(|w| is(BACKCHANNELS, w)) {
            return Self::Backchannel;
        }
        if words.len() <= LISTENING_WORDS_MAX {
            let only = |list| words.iter().all(|w| is(list, w) || is(BACKCHANNELS, w) || is(POLITE, w));
            if words.iter().any(|w| is(YES, w)) && only(YES) {
                return Self::Yes;
            }
            if words.iter().any(|w| is(NO, w)) && only(NO) {
                return Self::No;
            }
        }
        let announces = before.is_some_and(|b| DANGLING_PAIRS.contains(&(b.as_str(), last.as_str())));
        if announces || is(DANGLING, last) { Self::Dangling } else { Self::Words }
    }
}

/// Words of numbers beside those that count to ninety.
const SCALES: [&str; 4] = ["oh", "hundred", "thousand", "million"];

/// Numbers are said in groups, and each group sounds like a sentence.
fn is_of_a_number(word: &str) -> bool {
    word.chars().any(|c| c.is_ascii_digit()) || ONES.contains(&word) || TENS.contains(&word) || SCALES.contains(&word)
}

/// Whether ears that write punctuation have heard a sentence to its end, so that
/// its melody need not be asked: it ends in a full stop, a question mark or an
/// exclamation mark, and in no word that goes on, no hesitation and no piece of a
/// number or of a spelling.
pub fn ends_a_sentence(words: &str) -> bool {
    let written = words.trim_end_matches(|c: char| c.is_whitespace() || "\"'\u{201D}\u{2019})".contains(c));
    let is_marked = written.ends_with(['.', '?', '!']) && !written.ends_with("..");
    let goes_on = |word: &String| {
        let is_letter = word.chars().count() == 1 && word != "o";
        is_letter || is_of_a_number(word)
    };
    is_marked
        && matches!(Gist::of(words), Gist::Yes | Gist::No | Gist::Words)
        && plain_words(words).last().is_some_and(|last| !goes_on(last) && !BACKCHANNELS.contains(&last.as_str()))
}

/// The words in lower case without what is not a letter, a digit or an
/// apostrophe, and without what the ears put in brackets.
fn plain_words(text: &str) -> Vec<String> {
    let mut depth = 0_u32;
    let spoken: String = text
        .chars()
        .filter(|c| match c {
            '[' | '(' => {
                depth += 1;
                false
            }
            ']' | ')' => {
                depth = depth.saturating_sub(1);
                false
            }
            _ => depth == 0,
        })
        .collect();
    spoken
        .split_whitespace()
        .map(|w| w.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>())
        .filter(|w| !w.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sounds_of_listening_are_told_from_words() {
        for words in ["Mm-hm.", "uh-huh", "Mm. Hmm.", "Ehen!"] {
            assert_eq!(Gist::of(words), Gist::Backchannel, "{words}");
        }
        for words in ["Yes.", "okay", "Yes, please.", "Okay, mm-hm", "Yes ma"] {
            assert_eq!(Gist::of(words), Gist::Yes, "{words}");
        }
        for words in ["No.", "No, no.", "No, thanks"] {
            assert_eq!(Gist::of(words), Gist::No, "{words}");
        }
        for words in ["Stop.", "Hello?", "No, I meant Sunday", "How much is it?"] {
            assert_eq!(Gist::of(words), Gist::Words, "{words}");
        }
    }

    #[test]
    fn words_that_announce_more_dangle() {
        for words in ["My number is", "I want to", "Malaria test and", "ada dot", "it's for the", "My name is..."] {
            assert_eq!(Gist::of(words), Gist::Dangling, "{words}");
        }
        assert_eq!(Gist::of("Tell me where it is located"), Gist::Words);
    }

    #[test]
    fn a_sentence_that_is_marked_and_goes_nowhere_has_ended() {
        for words in ["When do you open on Saturday?", "Yes.", "Thank you, ma.", "No!", "He said \"stop.\"", "Abeg o."]
        {
            assert!(ends_a_sentence(words), "{words}");
        }
        for words in [
            "",
            ".",
            "When do you open on",
            "How much is the?",
            "My name is.",
            "I was thinking...",
            "I was thinking\u{2026}",
            "Uhm.",
            "I would like, er.",
            "It is 0803.",
            "Zero eight zero three.",
            "A. D. A.",
            "[BLANK_AUDIO].",
        ] {
            assert!(!ends_a_sentence(words), "{words}");
        }
    }

    #[test]
    fn what_the_ears_write_for_no_speech_is_nothing() {
        for words in ["", "  ", "...", "[BLANK_AUDIO]", "(coughs)", "[ Silence ] .", "]("] {
            assert_eq!(Gist::of(words), Gist::Nothing, "{words}");
        }
    }
}
