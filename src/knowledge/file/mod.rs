//! The knowledge file: TOML or Markdown that a shopkeeper can write. It is
//! wholly read and checked before any of it is believed, and every mistake is
//! told with its row, its column and what was probably meant.

mod draft;
mod markdown;
mod toml;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use super::hours::{OpenSpan, OpeningHours};
use super::mistake::{Collector, Mistakes, Wrong};
use super::words::{is_stop_word, stem, tokens};
use crate::terms::PhoneNumber;
pub use draft::{
    MAX_ANSWER_CHARS, MAX_ENTRIES, MAX_HOLIDAYS, MAX_PEOPLE, MAX_PRONUNCIATIONS, MAX_QUESTION_CHARS, MAX_WAYS,
};

/// Five hundred entries at their longest fit; a larger file is not a knowledge file.
pub const MAX_FILE_BYTES: usize = 1 << 20;

/// Everything that a business's file says, checked.
#[derive(Clone, PartialEq, Debug)]
pub struct KnowledgeBase {
    pub name: String,
    pub greeting: Option<String>,
    /// The digits after '+' of the country whose numbers are written without them; none
    /// when the file does not say.
    pub country_code: Option<String>,
    pub address: Option<String>,
    pub directions: Option<String>,
    pub hours: OpeningHours,
    pub entries: Vec<Entry>,
    pub people: Vec<Person>,
    pub pronunciations: Vec<Pronunciation>,
}

/// One fact: ways to ask for it, the first being the plainest, and its answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub id: String,
    pub ask: Vec<String>,
    pub answer: String,
    /// What the keypad menu calls it ("prices"), if it is to stand there.
    pub menu: Option<String>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Person {
    pub name: String,
    /// What they do or where ("accounts").
    pub role: Option<String>,
    pub also: Vec<String>,
    /// Without one, messages can be left for them but no call put through, unless a
    /// telephone of the business is said to be theirs.
    pub number: Option<PhoneNumber>,
    /// When they may be rung; while the business is open if nothing is said.
    pub ring: Option<RingTimes>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RingTimes {
    Always,
    /// From Monday to Sunday.
    Week(Box<[Vec<OpenSpan>; 7]>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pronunciation {
    pub word: String,
    /// Written so that an English voice says it right ("YAH-bah").
    pub respelling: String,
}

impl KnowledgeBase {
    /// Reads a file's text. `name` is the file's name: `.md` and `.markdown`
    /// are Markdown, everything else is TOML; it also stands in the mistakes.
    ///
    /// Any text may be handed in: this is also the entry point for fuzzing.
    pub fn parse(name: &str, text: &str) -> Result<Self, Mistakes> {
        let mut wrong = Collector::new(text);
        if text.len() > MAX_FILE_BYTES {
            wrong.add(&(0..0), Wrong::TooLong(MAX_FILE_BYTES));
            return Err(wrong.into_mistakes(name));
        }
        let lower = name.to_lowercase();
        let draft = if lower.ends_with(".md") || lower.ends_with(".markdown") {
            markdown::read(text, &mut wrong)
        } else {
            toml::read(text, &mut wrong)
        };
        match draft.check(&mut wrong) {
            Some(base) => Ok(base),
            None => Err(wrong.into_mistakes(name)),
        }
    }

    /// Words with which one fact alone is asked for, such as "genotype": what
    /// speech recognition is least likely to expect. The longest of each fact.
    fn telling_words(&self) -> Vec<String> {
        /// Shorter ones are common words, which need no help.
        const LEAST_LETTERS: usize = 4;
        /// So many of each fact, that all facts have their turn.
        const OF_EACH: usize = 2;
        let of = |entry: &Entry| -> BTreeSet<String> {
            let asked = entry.ask.iter().flat_map(|way| tokens(way));
            let telling = |w: &String| w.len() >= LEAST_LETTERS && w.bytes().all(|b| b.is_ascii_lowercase());
            asked.filter(|w| telling(w) && !is_stop_word(w)).collect()
        };
        let all: Vec<BTreeSet<String>> = self.entries.iter().map(of).collect();
        let mut having: BTreeMap<String, usize> = BTreeMap::new();
        for words in &all {
            let stems: BTreeSet<String> = words.iter().map(|word| stem(word)).collect();
            stems.into_iter().for_each(|stem| *having.entry(stem).or_default() += 1);
        }
        let mut telling = Vec::new();
        for words in &all {
            let mut its: Vec<&String> = words.iter().filter(|word| having.get(&stem(word)) == Some(&1)).collect();
            its.sort_by_key(|word| std::cmp::Reverse(word.len()));
            telling.extend(its.into_iter().take(OF_EACH).cloned());
        }
        telling
    }

    /// Words that callers of this business use and the ears should expect.
    pub fn hint_words(&self) -> Vec<String> {
        /// Whisper's prompt holds some 220 tokens; fifty names and words fill it.
        const MOST: usize = 50;
        let people = self.people.iter().map(|p| p.name.clone());
        let words = self.pronunciations.iter().map(|p| p.word.clone());
        let mut hints: Vec<String> = vec![self.name.clone()];
        for word in people.chain(words).chain(self.telling_words()) {
            if hints.len() < MOST && !hints.contains(&word) {
                hints.push(word);
            }
        }
        hints
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mistakes(name: &str, text: &str) -> Vec<String> {
        match KnowledgeBase::parse(name, text) {
            Ok(_) => Vec::new(),
            Err(mistakes) => mistakes.to_string().lines().map(str::to_owned).collect(),
        }
    }

    #[test]
    fn the_demonstration_clinic_is_a_good_file() {
        let text = include_str!("../../../firmware-config/knowledge/clinic.toml");
        let base = KnowledgeBase::parse("clinic.toml", text).unwrap_or_else(|m| panic!("{m}"));
        assert_eq!(base.entries.len(), 25);
        assert!(base.entries.iter().all(|e| (12..=20).contains(&e.ask.len())));
        assert!(base.hours.are_stated() && !base.people.is_empty() && !base.pronunciations.is_empty());
    }

    #[test]
    fn the_bakery_shows_that_markdown_says_the_same() {
        let text = include_str!("../../../firmware-config/knowledge/bakery.md");
        let base = KnowledgeBase::parse("bakery.md", text).unwrap_or_else(|m| panic!("{m}"));
        assert!(base.entries.len() >= 4);
        assert!(base.entries.iter().any(|e| e.ask.len() > 1));
        assert!(base.hours.are_stated() && base.address.is_some());
        assert!(!base.people.is_empty() && !base.hours.holidays().is_empty() && !base.pronunciations.is_empty());
    }

    #[test]
    fn several_mistakes_are_told_at_once_with_row_column_and_what_was_meant() {
        let text = "business = \"Ade's\"\ngreting = \"Hello\"\n\n[hours]\nmonday = \"8:00-25:00\"\nwendesday = \"8-17\"\n\
                    friday = \"8:00-12:00, 11:00-15:00\"\n\n[[holiday]]\nname = \"Odd day\"\ndate = \"30 February\"\n\n\
                    [[question]]\nask = \"Do you deliver?\"\nanswer = \"\"\n\n[[question]]\nask = [\"do you deliver\"]\nanswer = \"Yes.\"\n";
        let told = mistakes("shop.toml", text);
        let expected = [
            ("shop.toml:2:1:", "\"greeting\" was probably meant"),
            ("shop.toml:5:10:", "25:00"),
            ("shop.toml:6:1:", "\"wednesday\" was probably meant"),
            ("shop.toml:7:10:", "overlap"),
            ("shop.toml:11:8:", "February has 29 days"),
            ("shop.toml:15:10:", "the answer is empty"),
            ("shop.toml:18:8:", "in row 14"),
        ];
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (found, (place, words)) in told.iter().zip(expected) {
            assert!(found.starts_with(place) && found.contains(words), "{found} should be {place} … {words}");
        }
    }

    #[test]
    fn a_file_that_is_no_toml_says_where() {
        let told = mistakes("shop.toml", "business = \"Ade\nname\n");
        assert!(told.iter().any(|m| m.starts_with("shop.toml:1:")), "{told:?}");
    }

    #[test]
    fn markdown_mistakes_have_their_place_too() {
        let text =
            "# Ade's\n\n## Hours\n\n- Monday: 8:00-25:00\n- Wendesday: closed\n\n## Qestions\n\n### Open?\n\nYes.\n";
        let told = mistakes("shop.md", text);
        let expected = [
            ("shop.md:5:11:", "25:00"),
            ("shop.md:6:3:", "wednesday"),
            ("shop.md:8:", "\"questions\" was probably meant"),
        ];
        for (found, (place, words)) in told.iter().zip(expected) {
            assert!(found.starts_with(place) && found.contains(words), "{found} should be {place} … {words}");
        }
        assert_eq!(told.len(), expected.len(), "{told:#?}");
    }

    #[test]
    fn a_file_beyond_the_bound_is_refused_whole() {
        let told = mistakes("shop.toml", &"#".repeat(MAX_FILE_BYTES + 1));
        assert_eq!(told.len(), 1);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(?s).{0,300}") {
            for name in ["a.toml", "a.md"] {
                if let Err(mistakes) = KnowledgeBase::parse(name, &text) {
                    prop_assert!(!mistakes.list.is_empty());
                    prop_assert!(mistakes.list.iter().all(|m| m.place.row >= 1 && m.place.column >= 1));
                }
            }
        }

        #[test]
        fn a_damaged_good_file_is_read_or_refused_but_never_a_panic(cut in 0usize..12_000, junk in "\\PC{0,6}") {
            for (name, text) in [
                ("clinic.toml", include_str!("../../../firmware-config/knowledge/clinic.toml")),
                ("bakery.md", include_str!("../../../firmware-config/knowledge/bakery.md")),
            ] {
                let at = text.char_indices().map(|(i, _)| i).nth(cut % text.chars().count()).unwrap_or(0);
                let damaged = format!("{}{junk}{}", &text[..at], &text[at..]);
                if let Err(mistakes) = KnowledgeBase::parse(name, &damaged) {
                    prop_assert!(!mistakes.list.is_empty());
                }
            }
        }
    }

    #[test]
    fn the_country_of_the_business_is_a_fact_of_its_file_in_either_form() {
        let of = |name: &str, text: &str| KnowledgeBase::parse(name, text).map(|base| base.country_code);
        assert_eq!(of("a.toml", "business = \"A\"\ncountry_code = \"+233\"\n").unwrap().as_deref(), Some("233"));
        assert_eq!(of("a.md", "# A\n\n- Country code: 44\n").unwrap().as_deref(), Some("44"));
        assert_eq!(of("a.toml", "business = \"A\"\n").unwrap(), None);
        assert!(of("a.toml", "business = \"A\"\ncountry_code = \"Ghana\"\n").is_err());
        // Its people's numbers are of that country.
        let person = "[[person]]\nname = \"Ama\"\nnumber = \"024 123 4567\"\n";
        let base = KnowledgeBase::parse("a.toml", &format!("business = \"A\"\ncountry_code = \"233\"\n{person}"));
        let number = base.unwrap().people[0].number.clone();
        assert_eq!(number.map(|number| number.expose().to_owned()).as_deref(), Some("+233241234567"));
    }
}
