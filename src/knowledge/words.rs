//! Text as comparable words: tokens of what a caller said or an owner wrote,
//! light English stems, words without content, and distance between spellings.
//! It judges nothing: what the words ask for is decided elsewhere.

/// Words of at most this many characters are kept; a longer run of letters is
/// noise, and comparing spellings is quadratic in it.
const MAX_WORD_CHARS: usize = 40;

/// A caller's turn has a few dozen words. What comes after this many adds
/// nothing that retrieval could use, and everything here stays cheap.
pub(super) const MAX_TOKENS: usize = 200;

/// Cuts text into lower-case words. Times keep their colon (`5:30`), ordinals
/// their ending (`25th`), numbers lose their thousands commas, and what speech
/// recognition writes in several ways becomes one (`6 p.m.`, `6pm`: `6` `pm`).
pub(super) fn tokens(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for raw in text.split(|c: char| c.is_whitespace() || matches!(c, '-' | '–' | '—' | '/' | ';' | '(' | ')' | '"'))
    {
        if found.len() >= MAX_TOKENS {
            break;
        }
        push_word(raw, &mut found);
    }
    found.truncate(MAX_TOKENS);
    found
}

fn push_word(raw: &str, found: &mut Vec<String>) {
    let lower: String = raw.chars().take(MAX_WORD_CHARS).flat_map(char::to_lowercase).map(plain_char).collect();
    let word = lower.trim_matches(|c: char| !c.is_alphanumeric());
    match word {
        "" => return,
        "p.m" => return found.push("pm".to_owned()),
        "a.m" => return found.push("am".to_owned()),
        "o'clock" => return found.push("oclock".to_owned()),
        _ => {}
    }
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        return push_number(word, found);
    }
    match word.split_once('\'') {
        None => {
            found.extend(word.split('.').flat_map(|part| part.split(',')).filter(|p| !p.is_empty()).map(str::to_owned));
        }
        Some((head, tail)) => push_contraction(head, tail, found),
    }
}

/// Typographic apostrophes and accents of Nigerian names, as plain letters.
fn plain_char(c: char) -> char {
    match c {
        '’' | '‘' | '`' | 'ʼ' => '\'',
        'á' | 'à' | 'ā' | 'â' => 'a',
        'é' | 'è' | 'ẹ' | 'ê' => 'e',
        'í' | 'ì' | 'ị' => 'i',
        'ó' | 'ò' | 'ọ' | 'ô' => 'o',
        'ú' | 'ù' | 'ụ' => 'u',
        'ṣ' => 's',
        'ń' | 'ǹ' | 'ñ' => 'n',
        other => other,
    }
}

fn push_contraction(head: &str, tail: &str, found: &mut Vec<String>) {
    const ASKING: [&str; 10] = ["what", "where", "when", "how", "who", "it", "that", "there", "he", "she"];
    match tail {
        "s" if ASKING.contains(&head) => found.extend([head.to_owned(), "is".to_owned()]),
        "s" => found.push(head.to_owned()),
        "m" => found.extend([head.to_owned(), "am".to_owned()]),
        "re" => found.extend([head.to_owned(), "are".to_owned()]),
        "ll" => found.extend([head.to_owned(), "will".to_owned()]),
        "ve" => found.extend([head.to_owned(), "have".to_owned()]),
        "d" => found.extend([head.to_owned(), "would".to_owned()]),
        _ => found.push(format!("{head}{}", tail.replace('\'', ""))),
    }
}

fn push_number(word: &str, found: &mut Vec<String>) {
    let word = word.replace(',', "");
    let end = word.find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.')).unwrap_or(word.len());
    let (digits, suffix) = word.split_at(end);
    let suffix: String = suffix.chars().filter(|c| c.is_alphanumeric()).collect();
    match suffix.as_str() {
        "" => found.push(digits.to_owned()),
        "am" | "pm" => found.extend([digits.trim_end_matches('.').to_owned(), suffix]),
        _ => found.push(format!("{digits}{suffix}")),
    }
}

/// A light stem: plural, past, gerund and the commonest noun endings are taken
/// off, so that "paying", "payment" and "pays" meet. Words of up to three
/// letters stay.
pub(super) fn stem(word: &str) -> String {
    if word.len() <= 3 || !word.is_ascii() || word.bytes().any(|b| b.is_ascii_digit()) {
        return word.to_owned();
    }
    let mut w = singular(word);
    for (ending, least) in [("ations", 4), ("ation", 4), ("ment", 3), ("ing", 3), ("ed", 3), ("ate", 5), ("ly", 4)] {
        if let Some(head) = w.strip_suffix(ending)
            && head.len() >= least
            && head.bytes().any(|b| b"aeiouy".contains(&b))
        {
            w = undoubled(head);
            break;
        }
    }
    if w.len() > 3 && w.ends_with('e') {
        w.pop();
    }
    if w.len() > 3 && w.ends_with('y') {
        w.pop();
        w.push('i');
    }
    w
}

fn singular(word: &str) -> String {
    if let Some(head) = word.strip_suffix("ies")
        && head.len() >= 2
    {
        return format!("{head}y");
    }
    for ending in ["sses", "xes", "ches", "shes"] {
        if word.ends_with(ending) {
            return word[..word.len() - 2].to_owned();
        }
    }
    if word.ends_with('s') && !["ss", "us", "is"].iter().any(|e| word.ends_with(e)) {
        return word[..word.len() - 1].to_owned();
    }
    word.to_owned()
}

fn undoubled(head: &str) -> String {
    let bytes = head.as_bytes();
    let doubled = bytes.len() > 3
        && bytes[bytes.len() - 1] == bytes[bytes.len() - 2]
        && !b"aeiouls".contains(&bytes[bytes.len() - 1]);
    if doubled { head[..head.len() - 1].to_owned() } else { head.to_owned() }
}

/// Words that carry no subject: articles, pronouns, auxiliaries, askings and
/// politeness, the Pidgin ones too.
const STOP: &[&str] = &[
    "a",
    "about",
    "abeg",
    "actually",
    "all",
    "also",
    "am",
    "an",
    "and",
    "any",
    "are",
    "as",
    "at",
    "be",
    "been",
    "but",
    "by",
    "can",
    "come",
    "could",
    "dat",
    "de",
    "dey",
    "did",
    "do",
    "does",
    "doing",
    "don",
    "dont",
    "e",
    "eh",
    "er",
    "for",
    "fit",
    "from",
    "get",
    "give",
    "go",
    "going",
    "good",
    "got",
    "guys",
    "had",
    "has",
    "have",
    "hello",
    "here",
    "hi",
    "how",
    "i",
    "if",
    "in",
    "into",
    "is",
    "isnt",
    "it",
    "its",
    "just",
    "kindly",
    "know",
    "let",
    "like",
    "make",
    "may",
    "me",
    "mean",
    "my",
    "na",
    "need",
    "no",
    "not",
    "now",
    "of",
    "oh",
    "ok",
    "okay",
    "on",
    "one",
    "or",
    "our",
    "out",
    "please",
    "pls",
    "dem",
    "really",
    "say",
    "shall",
    "should",
    "sir",
    "ma",
    "so",
    "some",
    "tell",
    "than",
    "thank",
    "thanks",
    "that",
    "the",
    "their",
    "them",
    "then",
    "there",
    "they",
    "thing",
    "this",
    "to",
    "u",
    "uh",
    "um",
    "una",
    "up",
    "us",
    "want",
    "wan",
    "wanna",
    "was",
    "we",
    "well",
    "were",
    "wetin",
    "what",
    "when",
    "where",
    "which",
    "who",
    "why",
    "will",
    "with",
    "would",
    "yes",
    "you",
    "your",
    "youre",
    "yours",
    "wey",
    "make",
    "sef",
    "o",
    "oo",
    "ehn",
    "enquire",
    "ask",
    "asking",
    "calling",
    "wondering",
    "wonder",
    "possible",
    "question",
    "will",
    "use",
    "much",
    "many",
    "take",
    "people",
];

pub(super) fn is_stop_word(word: &str) -> bool {
    STOP.contains(&word)
}

/// The stems of the words that carry a subject.
pub(super) fn content_stems(words: &[String]) -> Vec<String> {
    words.iter().filter(|w| !is_stop_word(w)).map(|w| stem(w)).collect()
}

/// Edits between two spellings (Levenshtein, neighbours swapped count as one:
/// optimal string alignment). Both are cut at [`MAX_WORD_CHARS`].
pub(super) fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(MAX_WORD_CHARS).collect();
    let b: Vec<char> = b.chars().take(MAX_WORD_CHARS).collect();
    let width = b.len() + 1;
    let mut cost = vec![0; (a.len() + 1) * width];
    for (j, cell) in cost.iter_mut().take(width).enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        cost[i * width] = i;
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (cost[(i - 1) * width + j] + 1)
                .min(cost[i * width + j - 1] + 1)
                .min(cost[(i - 1) * width + j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(cost[(i - 2) * width + j - 2] + 1);
            }
            cost[i * width + j] = best;
        }
    }
    cost[a.len() * width + b.len()]
}

/// The candidate spelled most like `word`, if any is near enough to have been
/// meant: at most a third of its letters differ, and never more than three.
pub(super) fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase();
    let limit = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .iter()
        .map(|c| (distance(&word, c), *c))
        .filter(|(d, _)| *d <= limit)
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_to_write_a_time_become_the_same_words() {
        for text in ["6 p.m.", "6pm", "6 PM", "6 pm?"] {
            assert_eq!(tokens(text), ["6", "pm"], "{text}");
        }
        assert_eq!(tokens("Six o’clock, 5:30"), ["six", "oclock", "5:30"]);
    }

    #[test]
    fn contractions_open_up_and_possessives_fall_off() {
        assert_eq!(
            tokens("What's the clinic's price? I'm here"),
            ["what", "is", "the", "clinic", "price", "i", "am", "here"]
        );
    }

    #[test]
    fn forms_of_one_word_share_a_stem() {
        for family in [
            ["pay", "paying", "payments"],
            ["vaccine", "vaccination", "vaccines"],
            ["appointment", "appointments", "appoint"],
            ["baby", "babies", "babies"],
        ] {
            assert_eq!(stem(family[0]), stem(family[1]), "{family:?}");
            assert_eq!(stem(family[0]), stem(family[2]), "{family:?}");
        }
        assert_ne!(stem("child"), stem("chill"));
    }

    #[test]
    fn the_nearest_spelling_is_offered_only_when_it_is_near() {
        assert_eq!(nearest("wendsday", &["monday", "wednesday"]), Some("wednesday"));
        assert_eq!(nearest("anwser", &["answer", "ask"]), Some("answer"));
        assert_eq!(nearest("banana", &["answer", "ask"]), None);
    }
}
