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
    fn what_the_ears_write_for_no_speech_is_nothing() {
        for words in ["", "  ", "...", "[BLANK_AUDIO]", "(coughs)", "[ Silence ] .", "]("] {
            assert_eq!(Gist::of(words), Gist::Nothing, "{words}");
        }
    }
}
