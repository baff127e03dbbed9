//! What was perhaps said, where what was heard makes no sense: a word that the
//! business never wrote, put right by the word of its file that sounds nearest.
//! Speech recognition writes "scam" for "scan" and "genet type" for "genotype",
//! and does so more often the less a voice is like those it learnt from. It only
//! proposes: what is found by such a word is asked back, never said outright.

use std::collections::BTreeMap;

use super::words::{is_stop_word, stem};

/// Shorter words sound like too many others.
const LEAST_LETTERS: usize = 4;

/// A shorter piece is a word of its own: "a scan" is no "ascan".
const LEAST_OF_A_CUT: usize = 3;

/// Words of a turn that may be put right: with more of them strange, nothing
/// that comes out means anything.
const MOST_MENDED: usize = 3;

/// Of a business's file; a larger vocabulary would make a turn's look-up felt
/// (each word is compared in about a microsecond).
const MOST_WORDS: usize = 4000;

/// Distances relative to the longer word's weight; farther is another word.
const NEAR_ENOUGH: f32 = 0.27;
/// Two words together are seldom one, so they must sound all but the same.
const CUT_NEAR_ENOUGH: f32 = 0.10;

/// A word that goes on after one of the file's, "toothbrush" after "tooth".
const COMPOUND: f32 = 0.1;
const LEAST_OF_A_COMPOUND: usize = 5;

/// A vowel carries little: accents differ in their vowels above all.
const VOWEL: f32 = 0.4;
const OTHER_VOWEL: f32 = 0.15;
/// A consonant that is there or is not, and one at a word's end, where many are
/// swallowed.
const CONSONANT: f32 = 0.8;
const LAST_CONSONANT: f32 = 0.4;
/// One made at the same place of the mouth, such as p for b or s for sh.
const NEIGHBOUR: f32 = 0.4;
const STRANGER: f32 = 1.0;

/// Consonants that are taken for each other over a telephone, which carries
/// nothing above 3.4 kHz, and that accents of the first market exchange.
const NEIGHBOURS: [&str; 6] = ["pbfv", "tdT", "kgjx", "szSCj", "mn", "lr"];

/// A turn with its strange words put right.
pub(super) struct Mended {
    pub(super) words: Vec<String>,
    pub(super) put_in: Vec<PutIn>,
}

/// A word of the file that stands where another was heard.
pub(super) struct PutIn {
    pub(super) stem: String,
    /// How unlike the two sound: 0 is alike.
    pub(super) far: f32,
}

/// The words of a business's file by their sound.
pub(super) struct SoundsLike {
    words: Vec<(String, Vec<char>)>,
}

impl SoundsLike {
    /// `words` as they are written in the file, in any order.
    pub(super) fn new<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let mut by_sound: BTreeMap<&str, Vec<char>> = BTreeMap::new();
        for word in words {
            let speakable = word.len() >= LEAST_LETTERS && word.bytes().all(|b| b.is_ascii_lowercase());
            if speakable && !is_stop_word(word) && by_sound.len() < MOST_WORDS {
                by_sound.entry(word).or_insert_with(|| sound(word));
            }
        }
        Self { words: by_sound.into_iter().map(|(word, sound)| (word.to_owned(), sound)).collect() }
    }

    /// The turn with its strange words put right; none if there is nothing to
    /// put right. `known` says whether the file has a word with this stem.
    pub(super) fn mend(&self, heard: &[String], known: impl Fn(&str) -> bool) -> Option<Mended> {
        let strange = |word: &str| {
            let spelled = word.bytes().all(|b| b.is_ascii_lowercase());
            spelled && !is_stop_word(word) && !known(&stem(word))
        };
        let (mut words, mut put_in) = (Vec::with_capacity(heard.len()), Vec::new());
        let mut at = 0;
        while let Some(word) = heard.get(at) {
            let alone = if strange(word) { self.nearest(word) } else { None };
            // Two words may be one that was cut, "genet type" for "genotype", if
            // that is nearer than what the first alone may be.
            let cut = heard.get(at + 1).filter(|next| {
                let long = word.len().min(next.len()) >= LEAST_OF_A_CUT;
                long && (strange(word) || strange(next))
            });
            let joined = cut.and_then(|next| self.near(&format!("{word}{next}"), CUT_NEAR_ENOUGH));
            let joined = joined.filter(|(far, _)| alone.is_none_or(|(alone, _)| *far < alone));
            at += if joined.is_some() { 2 } else { 1 };
            let found = joined.or(alone);
            put_in.extend(found.map(|(far, word)| PutIn { stem: stem(word), far }));
            words.push(found.map_or(word.as_str(), |(_, word)| word).to_owned());
        }
        (1..=MOST_MENDED).contains(&put_in.len()).then_some(Mended { words, put_in })
    }

    /// The word of the file that sounds nearest, or that goes on in `heard`.
    fn nearest(&self, heard: &str) -> Option<(f32, &str)> {
        let begun = |word: &&str| word.len() >= LEAST_OF_A_COMPOUND && heard.starts_with(word);
        let compound = self.words.iter().map(|(word, _)| word.as_str()).filter(begun).max_by_key(|word| word.len());
        self.near(heard, NEAR_ENOUGH).or(compound.map(|word| (COMPOUND, word)))
    }

    /// The word of the file that sounds nearest within `enough`, and how far it is.
    fn near(&self, heard: &str, enough: f32) -> Option<(f32, &str)> {
        if heard.len() < LEAST_LETTERS {
            return None;
        }
        let heard = sound(heard);
        let far = self.words.iter().map(|(word, sound)| (distance(&heard, sound), word.as_str()));
        far.filter(|(far, _)| *far <= enough).min_by(|a, b| a.0.total_cmp(&b.0))
    }
}

/// A rough pronunciation: one character for each sound, all vowels in a row one
/// of `a e i o u`. English spelling is guessed at, which is near enough to tell
/// what may have been misheard. S is "sh", C is "ch", T is "th".
fn sound(word: &str) -> Vec<char> {
    /// Spellings with their sounds; the longer ones first.
    const SPELLINGS: [(&str, &str); 26] = [
        ("tion", "Sn"),
        ("sion", "Sn"),
        ("cia", "Sa"),
        ("sch", "sk"),
        ("igh", "i"),
        ("augh", "o"),
        ("ough", "o"),
        ("tch", "C"),
        ("dge", "j"),
        ("ph", "f"),
        ("gh", "g"),
        ("ck", "k"),
        ("sh", "S"),
        ("ch", "C"),
        ("th", "T"),
        ("wh", "w"),
        ("kn", "n"),
        ("wr", "r"),
        ("qu", "kw"),
        ("ce", "se"),
        ("ci", "si"),
        ("cy", "si"),
        ("ge", "je"),
        ("gi", "ji"),
        ("gy", "gi"),
        ("x", "ks"),
    ];
    let mut sounds: Vec<char> = Vec::with_capacity(word.len());
    let mut rest = word.strip_suffix('e').filter(|head| head.len() >= 3).unwrap_or(word);
    while let Some(first) = rest.chars().next() {
        let spelled = SPELLINGS.iter().find(|(spelling, _)| rest.starts_with(spelling));
        let (made, used) = match spelled {
            Some((spelling, made)) => ((*made).to_owned(), spelling.len()),
            None => (plain(first).to_string(), first.len_utf8()),
        };
        for sound in made.chars() {
            let doubled = sounds.last().is_some_and(|last| *last == sound || (is_vowel(*last) && is_vowel(sound)));
            if !doubled {
                sounds.push(sound);
            }
        }
        rest = &rest[used..];
    }
    sounds
}

const fn plain(letter: char) -> char {
    match letter {
        'c' | 'q' => 'k',
        'y' => 'i',
        other => other,
    }
}

const fn is_vowel(sound: char) -> bool {
    matches!(sound, 'a' | 'e' | 'i' | 'o' | 'u')
}

/// What each sound weighs that has no counterpart.
fn weights(sounds: &[char]) -> Vec<f32> {
    let weight = |(at, sound): (usize, &char)| match *sound {
        sound if is_vowel(sound) => VOWEL,
        _ if at + 1 == sounds.len() => LAST_CONSONANT,
        _ => CONSONANT,
    };
    sounds.iter().enumerate().map(weight).collect()
}

fn exchange(one: char, other: char) -> f32 {
    if one == other {
        return 0.0;
    }
    match (is_vowel(one), is_vowel(other)) {
        (true, true) => OTHER_VOWEL,
        (false, false) if NEIGHBOURS.iter().any(|n| n.contains(one) && n.contains(other)) => NEIGHBOUR,
        _ => STRANGER,
    }
}

/// Levenshtein's distance with these weights, from 0 (alike) to about 1.
fn distance(a: &[char], b: &[char]) -> f32 {
    let (alone_in_a, alone_in_b) = (weights(a), weights(b));
    let mut row: Vec<f32> = vec![0.0];
    row.extend(alone_in_b.iter().scan(0.0, |sum, weight| {
        *sum += weight;
        Some(*sum)
    }));
    for (one, alone) in a.iter().zip(&alone_in_a) {
        let mut diagonal = row[0];
        row[0] += alone;
        for (i, (other, other_alone)) in b.iter().zip(&alone_in_b).enumerate() {
            let exchanged = diagonal + exchange(*one, *other);
            diagonal = row[i + 1];
            row[i + 1] = exchanged.min(diagonal + alone).min(row[i] + other_alone);
        }
    }
    let whole = alone_in_a.iter().sum::<f32>().max(alone_in_b.iter().sum());
    row[b.len()] / whole.max(f32::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::words::tokens;
    use proptest::prelude::*;

    const FILE: &str = "doctor scan ward vaccine genotype patient sight parking consultation ultrasound insurance test";

    fn mend(heard: &str) -> Option<String> {
        let known: Vec<String> = tokens(FILE).iter().map(|w| stem(w)).collect();
        let words = tokens(FILE);
        let sounds = SoundsLike::new(words.iter().map(String::as_str));
        sounds.mend(&tokens(heard), |stem| known.iter().any(|k| k == stem)).map(|mended| mended.words.join(" "))
    }

    #[test]
    fn a_word_that_makes_no_sense_becomes_the_one_that_sounds_like_it() {
        for (heard, meant) in [
            ("can i do a scam with you", "can i do a scan with you"),
            ("which days does the docker come", "which days does the doctor come"),
            ("is there an award", "is there an ward"),
            ("what do you ask for checking my site", "what do you ask for checking my sight"),
            ("do grownups get the bexin", "do grownups get the vaccine"),
            ("my genet type please", "my genotype please"),
            ("can a patien sleep here", "can a patient sleep here"),
        ] {
            assert_eq!(mend(heard).as_deref(), Some(meant));
        }
    }

    #[test]
    fn words_that_the_file_has_and_words_that_sound_like_none_stay() {
        for heard in ["do you have parking", "how do i see the doctor", "do you repair helicopters", "", "0803 123"] {
            assert_eq!(mend(heard), None, "{heard}");
        }
    }

    #[test]
    fn spellings_of_one_sound_are_one() {
        for (one, other) in [("sight", "site"), ("phone", "fone"), ("clinic", "klinik"), ("knee", "nee")] {
            assert!(distance(&sound(one), &sound(other)) < 0.1, "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn distance_is_none_to_itself_and_the_same_both_ways(a in "[a-z]{1,20}", b in "[a-z]{1,20}") {
            let (a, b) = (sound(&a), sound(&b));
            prop_assert!(distance(&a, &a) == 0.0);
            prop_assert!((distance(&a, &b) - distance(&b, &a)).abs() < 1e-5);
        }

        #[test]
        fn anything_may_be_heard(words in proptest::collection::vec("\\PC{0,12}", 0..12)) {
            let heard = tokens(&words.join(" "));
            if let Some(mended) = SoundsLike::new(["doctor"].into_iter()).mend(&heard, |_| false) {
                prop_assert!(mended.words.len() <= heard.len());
            }
        }
    }
}
