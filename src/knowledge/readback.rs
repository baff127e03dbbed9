//! Understanding what is given for a message (numbers, names, e-mail
//! addresses, spelled or said) and saying it back so that it can be checked.
//! It guesses nothing: what is not clear is none.

use super::numbers;
use super::words::tokens;

/// More digits than a telephone number has with its country code and prefix.
const MAX_DIGITS: usize = 20;

/// The digits in a caller's words: "oh eight oh three, triple two, double five",
/// "0803 123", "eighty-three", "plus two three four". A leading `+` is kept.
/// Words that are no digits are passed over ("my number is …"); none if there
/// are no digits at all.
pub fn digits_said(words: &str) -> Option<String> {
    let words = tokens(&words.replace('+', " plus "));
    let mut found = String::new();
    let mut i = 0;
    while i < words.len() && found.len() <= MAX_DIGITS {
        let word = words[i].as_str();
        if word == "plus" && found.is_empty() && words.get(i + 1).is_some_and(|w| digits_of(w).is_some()) {
            found.push('+');
        } else if let Some(times) = repeated(word)
            && let Some(next) = words.get(i + 1).and_then(|w| digits_of(w))
            && next.len() == 1
        {
            found.extend(std::iter::repeat_n(next, times));
            i += 1;
        } else if let Some(ten) = ten_of(word)
            && let Some(one) = words.get(i + 1).and_then(|w| numbers::word_value(w)).filter(|n| (1..10).contains(n))
        {
            found.push_str(&(ten + one).to_string());
            i += 1;
        } else if let Some(digits) = digits_of(word).filter(|_| !is_filler_o(&words, i)) {
            found.push_str(&digits);
        }
        i += 1;
    }
    let has_digits = found.bytes().any(|b| b.is_ascii_digit());
    found.truncate(MAX_DIGITS);
    has_digits.then_some(found)
}

fn repeated(word: &str) -> Option<usize> {
    match word {
        "double" | "dabul" => Some(2),
        "triple" | "treble" | "tripple" => Some(3),
        "quadruple" => Some(4),
        _ => None,
    }
}

fn ten_of(word: &str) -> Option<u64> {
    numbers::word_value(word).filter(|n| *n >= 20)
}

/// One word's digits; "o" and "oh" are nought.
fn digits_of(word: &str) -> Option<String> {
    if word.bytes().all(|b| b.is_ascii_digit()) && !word.is_empty() {
        return Some(word.to_owned());
    }
    match word {
        "oh" | "o" | "nought" | "naught" | "zeros" | "ziro" => return Some("0".to_owned()),
        "wan" => return Some("1".to_owned()),
        "tu" => return Some("2".to_owned()),
        "tree" | "tiri" => return Some("3".to_owned()),
        "fo" | "for" | "fore" => return None,
        "faif" => return Some("5".to_owned()),
        "ait" => return Some("8".to_owned()),
        "nain" | "niner" => return Some("9".to_owned()),
        _ => {}
    }
    numbers::word_value(word).map(|n| n.to_string())
}

/// "Oh, my number is …": an "oh" with no digit beside it is a sigh.
fn is_filler_o(words: &[String], i: usize) -> bool {
    if !matches!(words[i].as_str(), "oh" | "o") {
        return false;
    }
    let digit = |w: Option<&String>| w.is_some_and(|w| digits_of(w).is_some() || repeated(w).is_some());
    let after = digit(words.get(i + 1));
    let before = i > 0 && digit(words.get(i - 1));
    !(before || after)
}

/// A number as it is said back: in groups, slowly enough to be checked.
pub fn number_back(number: &str) -> String {
    let national = number.strip_prefix("+234").filter(|rest| rest.len() == 10);
    match national {
        // Callers know their own number with its nought in front.
        Some(rest) => numbers::phone(&format!("0{rest}")),
        None => numbers::phone(number),
    }
}

/// Words before a name, longest first.
const NAME_LEADS: [&str; 20] = [
    "you are speaking with",
    "you are speaking to",
    "you can call me",
    "the name is",
    "my name is",
    "my names are",
    "my full name is",
    "my name na",
    "my name be",
    "they call me",
    "dem dey call me",
    "people call me",
    "i am called",
    "call me",
    "this is",
    "it is",
    "i am",
    "na me be",
    "name is",
    "im",
];
/// Words after a name in Pidgin: "na Tunde be this", "na Tunde dey talk".
const NAME_TAILS: [&str; 10] = [
    "be this",
    "be dis",
    "dey talk",
    "dey call",
    "is my name",
    "be my name",
    "is speaking",
    "speaking",
    "is calling",
    "calling",
];
/// Words that are no part of a name, wherever they stand.
const NOT_NAMES: &[&str] = &[
    "please",
    "sir",
    "ma",
    "madam",
    "thank",
    "thanks",
    "okay",
    "ok",
    "yes",
    "no",
    "well",
    "um",
    "uh",
    "er",
    "and",
    "the",
    "a",
    "is",
    "my",
    "name",
    "number",
    "calling",
    "speaking",
    "from",
    "here",
    "hello",
    "hi",
    "good",
    "morning",
    "afternoon",
    "evening",
    "about",
    "to",
    "i",
    "am",
    "oh",
    "so",
    "just",
    "abeg",
    "not",
    "fine",
    "sorry",
    "what",
    "how",
    "where",
    "when",
    "why",
    "who",
    "it",
    "this",
    "that",
    "you",
    "for",
    "with",
    "on",
    "in",
    "of",
    "at",
    "call",
    "me",
    "back",
    "want",
    "need",
    "do",
    "dont",
    "can",
    "will",
    "have",
    "because",
    "but",
];

/// The name in a caller's words: "My name is Chinedu Okafor", "It's Amina",
/// "na Tunde be this", "Bisi", "C, H, I, D, I". None if no name is clear.
pub fn name_said(words: &str) -> Option<String> {
    /// A full name with a title has at most this many parts.
    const MOST_PARTS: usize = 4;
    let words = tokens(words);
    if let Some(spelled) = spelled(&words) {
        return Some(capitalised(&spelled));
    }
    let start = after_lead(&words);
    let mut rest = &words[start..];
    while rest.first().is_some_and(|w| w == "na" || NOT_NAMES.contains(&w.as_str())) {
        rest = &rest[1..];
    }
    let end = tail_at(rest).unwrap_or(rest.len());
    let parts: Vec<&str> = rest[..end]
        .iter()
        .map(String::as_str)
        .take_while(|w| !NOT_NAMES.contains(w) && w.chars().all(char::is_alphabetic))
        .collect();
    // Without a lead, a long sentence is no name.
    if parts.is_empty() || parts.len() > MOST_PARTS || start == 0 && end == rest.len() && parts.len() < rest.len() {
        return None;
    }
    let parts: Vec<String> = parts.into_iter().map(capitalised).collect();
    Some(parts.join(" "))
}

/// Where the name begins: behind the last lead that is followed by something.
fn after_lead(words: &[String]) -> usize {
    let found = NAME_LEADS.iter().filter_map(|lead| {
        let lead: Vec<&str> = lead.split(' ').collect();
        let at = words.windows(lead.len()).position(|w| w.iter().zip(&lead).all(|(a, b)| a == b))?;
        (at + lead.len() < words.len()).then_some((lead.len(), at + lead.len()))
    });
    found.max().map_or(0, |(_, at)| at)
}

fn tail_at(words: &[String]) -> Option<usize> {
    NAME_TAILS
        .iter()
        .filter_map(|tail| {
            let tail: Vec<&str> = tail.split(' ').collect();
            words.windows(tail.len()).position(|w| w.iter().zip(&tail).all(|(a, b)| a == b))
        })
        .filter(|at| *at > 0)
        .min()
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Letters of the NATO alphabet and as they are often heard.
const LETTERS: [(&str, char); 52] = [
    ("alpha", 'a'),
    ("alfa", 'a'),
    ("bravo", 'b'),
    ("charlie", 'c'),
    ("delta", 'd'),
    ("echo", 'e'),
    ("foxtrot", 'f'),
    ("golf", 'g'),
    ("hotel", 'h'),
    ("india", 'i'),
    ("juliet", 'j'),
    ("kilo", 'k'),
    ("lima", 'l'),
    ("mike", 'm'),
    ("november", 'n'),
    ("oscar", 'o'),
    ("papa", 'p'),
    ("quebec", 'q'),
    ("romeo", 'r'),
    ("sierra", 's'),
    ("tango", 't'),
    ("uniform", 'u'),
    ("victor", 'v'),
    ("whiskey", 'w'),
    ("xray", 'x'),
    ("yankee", 'y'),
    ("zulu", 'z'),
    ("ay", 'a'),
    ("bee", 'b'),
    ("cee", 'c'),
    ("see", 'c'),
    ("dee", 'd'),
    ("ef", 'f'),
    ("gee", 'g'),
    ("aitch", 'h'),
    ("haitch", 'h'),
    ("jay", 'j'),
    ("kay", 'k'),
    ("el", 'l'),
    ("em", 'm'),
    ("en", 'n'),
    ("pee", 'p'),
    ("cue", 'q'),
    ("ar", 'r'),
    ("ess", 's'),
    ("tee", 't'),
    ("vee", 'v'),
    ("ex", 'x'),
    ("why", 'y'),
    ("zed", 'z'),
    ("zee", 'z'),
    ("you", 'u'),
];

fn letter(word: &str) -> Option<char> {
    let mut chars = word.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) if c.is_ascii_alphabetic() => Some(c),
        _ => LETTERS.iter().find(|(name, _)| *name == word).map(|(_, c)| *c),
    }
}

/// The longest run of spelled letters in the words, if it is long enough to be
/// meant: "C-H-I-D-I", "C for Charlie, H …", "double e". Letters said by
/// their names count only beside plain ones ("see you" spells nothing).
pub fn spelled(words: &[String]) -> Option<String> {
    let (mut best, mut run, mut plain) = (String::new(), String::new(), 0);
    let mut i = 0;
    let mut keep = |run: &mut String, plain: &mut usize| {
        if run.len() >= 3 && *plain * 2 >= run.len() && run.len() > best.len() {
            best.clone_from(run);
        }
        run.clear();
        *plain = 0;
    };
    while i < words.len() {
        let times = repeated(&words[i]).filter(|_| i + 1 < words.len());
        let at = i + usize::from(times.is_some());
        match letter(&words[at]) {
            Some(c) => {
                run.extend(std::iter::repeat_n(c, times.unwrap_or(1)));
                let example = matches!(words.get(at + 1).map(String::as_str), Some("for" | "as"));
                let word = if words.get(at + 2).is_some_and(|w| w == "in") { at + 3 } else { at + 2 };
                let explained = example && words.get(word).is_some_and(|w| w.len() > 1 && w.starts_with(c));
                plain += if words[at].len() == 1 || explained { times.unwrap_or(1) } else { 0 };
                i = if explained { word + 1 } else { at + 1 };
            }
            None => {
                keep(&mut run, &mut plain);
                i += 1;
            }
        }
    }
    keep(&mut run, &mut plain);
    (!best.is_empty()).then_some(best)
}

/// An e-mail address as it is said: "chidi dot okafor at gmail dot com",
/// "c h i d i underscore 5 at yahoo dot co dot uk". None unless it has the form
/// of an address.
pub fn email_said(words: &str) -> Option<String> {
    /// RFC 5321 section 4.5.3.1: a path has at most 256 octets, an address 254.
    const LONGEST: usize = 254;
    let plain = words
        .to_lowercase()
        .replace('@', " at ")
        .replace('.', " dot ")
        .replace('_', " underscore ")
        .replace(['-', ','], " ");
    let words: Vec<&str> = plain.split_whitespace().collect();
    let at = words.iter().rposition(|w| *w == "at")?;
    let domain = joined(&words[at + 1..])?;
    let domain: String = domain.trim_end_matches('.').to_owned();
    let start = words[..at].iter().rposition(|w| EMAIL_LEADS.contains(w)).map_or(0, |i| i + 1);
    let local = joined(&words[start..at])?;
    let local = local.trim_matches('.');
    let labels = domain.split('.').filter(|l| !l.is_empty()).count();
    let fits = !local.is_empty() && labels >= 2 && !domain.contains("..") && local.len() + domain.len() < LONGEST;
    fits.then(|| format!("{local}@{domain}"))
}

/// Words after which an address begins.
const EMAIL_LEADS: [&str; 6] = ["is", "email", "mail", "address", "it's", "na"];

/// Pieces of an address put together; marks are said by name.
fn joined(words: &[&str]) -> Option<String> {
    let mut text = String::new();
    for (i, word) in words.iter().enumerate() {
        match *word {
            "dot" | "point" | "period" => text.push('.'),
            "underscore" => text.push('_'),
            "dash" | "hyphen" | "minus" => text.push('-'),
            "plus" => text.push('+'),
            "please" | "sir" | "ma" | "okay" | "thanks" | "all" | "lowercase" | "my" => {}
            word => {
                // "gee mail" and "g mail" are one name.
                let spaced = matches!(word, "gee" | "g") && words.get(i + 1) == Some(&"mail");
                if spaced {
                    text.push('g');
                } else if let Some(n) = numbers::word_value(word).filter(|n| *n < 10) {
                    text.push_str(&n.to_string());
                } else {
                    text.extend(word.chars().filter(|c| c.is_ascii_alphanumeric()));
                }
            }
        }
    }
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn digits_are_understood_however_they_are_said() {
        for (said, digits) in [
            ("oh eight oh three, one two three, four five six seven", "08031234567"),
            ("My number is 0803 123 4567.", "08031234567"),
            ("zero eight zero three triple two double five six seven", "08032225567"),
            ("plus two three four, 803 123 4567", "+2348031234567"),
            ("eighty-three twenty five", "8325"),
            ("Oh, it is 0805 five five five 0142", "08055550142"),
            ("na ziro ait ziro tree", "0803"),
        ] {
            assert_eq!(digits_said(said).as_deref(), Some(digits), "{said}");
        }
        assert_eq!(digits_said("I don't know it, oh dear"), None);
    }

    #[test]
    fn a_number_is_said_back_as_its_owner_says_it() {
        let said = "oh eight oh three, one two three, four five six seven";
        assert_eq!(number_back("+2348031234567"), said);
        assert_eq!(number_back("08031234567"), said);
    }

    #[test]
    fn names_are_found_in_english_and_pidgin() {
        for (said, name) in [
            ("My name is Chinedu Okafor.", "Chinedu Okafor"),
            ("It's Amina", "Amina"),
            ("Na Tunde be this", "Tunde"),
            ("Good morning, this is Mrs Adebayo calling from Ikeja", "Mrs Adebayo"),
            ("Bisi", "Bisi"),
            ("I'm Ngozi, please", "Ngozi"),
            ("my name na Emeka", "Emeka"),
            ("C, H, I, D, I", "Chidi"),
            ("B for boy, O for orange, L, A", "Bola"),
        ] {
            assert_eq!(name_said(said).as_deref(), Some(name), "{said}");
        }
        for said in ["I want to know when you open", "no", "how much is it", ""] {
            assert_eq!(name_said(said), None, "{said}");
        }
    }

    #[test]
    fn addresses_are_put_together_from_their_parts() {
        for (said, address) in [
            ("chidi dot okafor at gmail dot com", "chidi.okafor@gmail.com"),
            ("My email is c h i d i underscore five at yahoo dot co dot uk", "chidi_5@yahoo.co.uk"),
            ("Chidi@gmail.com.", "chidi@gmail.com"),
            ("it's bola 99 at g mail dot com please", "bola99@gmail.com"),
        ] {
            assert_eq!(email_said(said).as_deref(), Some(address), "{said}");
        }
        for said in ["I am at home", "at gmail dot com", "meet me at five"] {
            assert_eq!(email_said(said), None, "{said}");
        }
    }

    proptest! {
        #[test]
        fn every_number_said_back_is_understood_again(digits in "0[789][01][0-9]{8}") {
            prop_assert_eq!(digits_said(&number_back(&digits)), Some(digits));
        }

        #[test]
        fn no_words_make_these_readers_panic(words in "\\PC{0,80}") {
            prop_assert!(digits_said(&words).is_none_or(|d| d.len() <= MAX_DIGITS));
            prop_assert!(name_said(&words).is_none_or(|n| !n.is_empty()));
            prop_assert!(email_said(&words).is_none_or(|e| e.contains('@')));
        }
    }
}
