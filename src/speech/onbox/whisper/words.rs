//! What Whisper writes, made into what was said: its asides dropped, its loops
//! and its phantoms told from words.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;

/// The longest run of words looked at for repeating.
const RUN_MAX: usize = 8;

/// How often a run comes in a row before it is a loop. A single word needs
/// more ("no no no no" is an answer), and a digit is never one: telephone
/// numbers have many zeros.
const RUN_TIMES: usize = 3;
const WORD_TIMES: usize = 5;

/// What Whisper hears in noise and silence: the ends of the videos that it was
/// trained on. Lower case, letters and spaces alone.
const PHANTOMS: &[&str] = &[
    "you",
    "thank you",
    "thanks",
    "thank you very much",
    "thank you so much",
    "thanks for watching",
    "thank you for watching",
    "thank you so much for watching",
    "please subscribe",
    "bye",
    "bye bye",
    "okay",
    "oh",
    "so",
    "the end",
    "ill see you next time",
    "see you next time",
    "subtitles by the amaraorg community",
];

/// Of the phantoms, those that callers say too are believed when the sound is
/// loud enough to be somebody, and Whisper is at least this sure of them.
const SURE: f32 = -0.55;

/// Without `[BLANK_AUDIO]`, `(music)`, `*coughs*` and notes, and with single spaces.
pub(in crate::speech) fn cleaned(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut aside: Option<char> = None;
    for c in text.chars() {
        match (aside, c) {
            (Some(end), c) if c == end => aside = None,
            (Some(_), _) | (None, '♪' | '♫' | '\u{FFFD}') => {}
            (None, '[') => aside = Some(']'),
            (None, '(') => aside = Some(')'),
            (None, '*') => aside = Some('*'),
            (None, c) => kept.push(c),
        }
    }
    let kept = kept.split_whitespace().collect::<Vec<_>>().join(" ");
    if kept.chars().any(char::is_alphanumeric) { kept } else { String::new() }
}

/// Bytes of the text over bytes of it compressed by zlib, as Whisper's own
/// decoder judges a loop (above 2.4).
#[expect(clippy::cast_precision_loss, reason = "texts of some hundred bytes")]
pub(in crate::speech) fn compression(words: &str) -> f32 {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing to memory does not fail; if it did, the text would count as plain.
    match encoder.write_all(words.as_bytes()).and_then(|()| encoder.finish()) {
        Ok(packed) => words.len() as f32 / packed.len().max(1) as f32,
        Err(_) => 1.0,
    }
}

/// Whether the same run of words comes several times without anything between.
pub(in crate::speech) fn repeats(text: &str) -> bool {
    let words = plain_words(text);
    (1..=RUN_MAX).any(|len| {
        let times = if len == 1 { WORD_TIMES } else { RUN_TIMES };
        words.windows(len * times).any(|window| {
            let run = &window[..len];
            let spoken = run.iter().any(|word| !is_digit(word));
            spoken && window.chunks(len).all(|chunk| chunk == run)
        })
    })
}

/// Whether these words are likely nobody's. `sure` is their mean log-probability.
pub(in crate::speech) fn is_phantom(text: &str, sure: f32) -> bool {
    let words = plain_words(text).join(" ");
    sure < SURE && PHANTOMS.contains(&words.as_str())
}

fn plain_words(text: &str) -> Vec<String> {
    let plain =
        |word: &str| word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    text.split(|c: char| c.is_whitespace() || c == '-').map(plain).filter(|word| !word.is_empty()).collect()
}

fn is_digit(word: &str) -> bool {
    const SPOKEN: &[&str] = &[
        "zero", "oh", "o", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "double", "triple",
    ];
    word.chars().all(|c| c.is_ascii_digit()) || SPOKEN.contains(&word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn asides_are_not_words() {
        assert_eq!(cleaned(" [BLANK_AUDIO]"), "");
        assert_eq!(cleaned(" (soft music)  Good  morning. *coughs* ♪"), "Good morning.");
        assert_eq!(cleaned(" ... "), "");
    }

    #[test]
    fn a_decoder_caught_in_a_loop_is_seen() {
        let looped = "Can I speak to a person, please? ".repeat(10);
        assert!(repeats(&looped));
        assert!(compression(&looped) > 2.4);
    }

    #[test]
    fn people_who_repeat_themselves_are_not_taken_for_a_loop() {
        for said in [
            "No, no, no, I said Monday.",
            "Yes please, yes please.",
            "It is 0 8 0 3 3 3 3 3 3 3 3",
            "zero eight zero three, double three, three three three three three",
        ] {
            assert!(!repeats(said), "{said}");
        }
        assert!(compression("How much is a consultation with the specialist on Saturday?") < 1.5);
    }

    #[test]
    fn a_phantom_that_whisper_is_sure_of_is_a_callers_courtesy() {
        assert!(is_phantom(" Thank you.", -0.9));
        assert!(!is_phantom(" Thank you.", -0.2));
        assert!(!is_phantom("Thank you, when do you open?", -0.9));
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in "\\PC{0,300}") {
            let words = cleaned(&text);
            prop_assert_eq!(cleaned(&words).len() <= words.len(), true);
            let ratio = compression(&words);
            prop_assert!(ratio.is_finite() && ratio >= 0.0);
            // A text that is repeated three times is a loop unless it is digits or too long.
            let run = plain_words(&words);
            if (2..=RUN_MAX).contains(&run.len()) && run.iter().any(|w| !is_digit(w)) {
                let thrice = [words.as_str(); 3].join(" ");
                prop_assert!(repeats(&thrice));
            }
        }
    }
}
