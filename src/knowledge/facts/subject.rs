//! What a clause is about, in weighted words: two facts of one kind are told
//! apart by the words around them ("a malaria test", "a scan").

use std::collections::{BTreeMap, BTreeSet};

use super::super::numbers::word_value;
use super::super::words::{content_stems, stem, tokens};
use super::read::{Fact, Reading, Said};

/// A text that tells facts, and the words by which it is known what of.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The topic's name in records.
    pub id: String,
    stems: BTreeSet<String>,
    pub facts: Vec<Fact>,
    /// What something that is free depends on.
    pub conditions: Vec<Fact>,
}

impl Source {
    pub fn new(id: &str, stems: Vec<String>, facts: Vec<Fact>, conditions: Vec<Fact>) -> Self {
        Self { id: id.to_owned(), stems: stems.into_iter().collect(), facts, conditions }
    }
}

/// How much a word tells of the subject: the rarer among the sources, the more.
#[derive(Clone, Debug, Default)]
pub(super) struct Scale {
    weights: BTreeMap<String, f32>,
}

/// Words that stand beside facts of any subject and so tell nothing of it.
const GENERIC: &[&str] = &[
    "cost",
    "price",
    "charg",
    "fee",
    "pay",
    "payment",
    "naira",
    "kobo",
    "amount",
    "total",
    "much",
    "open",
    "close",
    "hour",
    "time",
    "day",
    "week",
    "weekday",
    "weekend",
    "month",
    "year",
    "minute",
    "today",
    "tomorrow",
    "tonight",
    "now",
    "morn",
    "morning",
    "afternoon",
    "even",
    "evening",
    "night",
    "noon",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "come",
    "see",
    "visit",
    "call",
    "need",
    "get",
    "tak",
    "take",
    "cash",
    "thousand",
    "hundr",
    "hundred",
    "million",
    "free",
    "each",
    "every",
    "start",
    "from",
    "until",
    "also",
    "only",
    "usual",
    "normal",
    "number",
    "ask",
    "us",
];

/// The stems of a text that may tell its subject. A number never does: "my child is nine
/// months" must not make every nine o'clock the children's.
pub(super) fn stems(text: &str) -> Vec<String> {
    let generic = |s: &String| GENERIC.iter().any(|g| g == s || stem(g) == *s) || s.chars().any(char::is_numeric);
    let words: Vec<String> = tokens(text).into_iter().filter(|word| word_value(word).is_none()).collect();
    content_stems(&words).into_iter().filter(|s| !generic(s)).collect()
}

impl Scale {
    /// Words of the business's own name are in every mouth and tell nothing.
    pub fn new(sources: &[Source], own_name: &[String]) -> Self {
        let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
        for stem in sources.iter().flat_map(|s| &s.stems) {
            *counts.entry(stem).or_default() += 1;
        }
        let all = sources.len() as f32 + 1.0;
        let weight = |count: usize| (all / count as f32).ln();
        let weights = counts.into_iter().filter(|(stem, _)| !own_name.contains(stem));
        Self { weights: weights.map(|(stem, count)| (stem.clone(), weight(count))).collect() }
    }

    fn of(&self, stem: &str) -> f32 {
        self.weights.get(stem).copied().unwrap_or(0.0)
    }

    fn known(&self, stems: Vec<String>) -> BTreeSet<String> {
        stems.into_iter().filter(|s| self.weights.contains_key(s)).collect()
    }
}

/// A part of a sentence between pauses and conjunctions.
#[derive(Clone, Debug)]
pub(super) struct Clause {
    from: usize,
    to: usize,
    subject: BTreeSet<String>,
}

impl Clause {
    pub fn holds(&self, token: usize) -> bool {
        (self.from..self.to).contains(&token)
    }

    /// Whether it says itself what it is about.
    pub fn has_subject(&self) -> bool {
        !self.subject.is_empty()
    }
}

pub(super) fn clauses(reading: &Reading, scale: &Scale) -> Vec<Clause> {
    let inside = |at: usize| reading.items.iter().any(|item| item.from < at && at < item.to);
    let ends = |at: usize| {
        let token = &reading.tokens[at];
        let next = reading.tokens.get(at + 1).map_or("", |t| t.word.as_str());
        (token.pause || matches!(next, "and" | "but" | "while" | "or" | "whereas")) && !inside(at + 1)
    };
    let mut found = Vec::new();
    let mut from = 0;
    for at in 0..reading.tokens.len() {
        if ends(at) || at + 1 == reading.tokens.len() {
            let fact =
                |n: usize| reading.items.iter().any(|i| matches!(i.said, Said::Fact(_)) && (i.from..i.to).contains(&n));
            let words: Vec<&str> = (from..=at).filter(|n| !fact(*n)).map(|n| reading.tokens[n].word.as_str()).collect();
            found.push(Clause { from, to: at + 1, subject: scale.known(stems(&words.join(" "))) });
            from = at + 1;
        }
    }
    found
}

/// What is spoken of: by the caller's question, and by the answer so far.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    question: BTreeSet<String>,
    before: BTreeSet<String>,
}

/// The words by which one fact of a sentence is placed, with their shares.
#[derive(Debug)]
pub(super) struct Place<'a> {
    own: &'a BTreeSet<String>,
    /// They are of the sentence before: a guess, by which nothing is denied.
    guessed: bool,
    parts: Vec<(&'a BTreeSet<String>, f32)>,
}

impl Subject {
    pub fn of_question(question: &str, scale: &Scale) -> Self {
        Self { question: scale.known(stems(question)), before: BTreeSet::new() }
    }

    /// The next sentence may leave out what this one was about.
    pub fn turn_to(&mut self, sentence: &str, scale: &Scale) {
        let subject = scale.known(stems(sentence));
        if !subject.is_empty() {
            self.before = subject;
        }
    }

    /// What the fact in `clause` is about: its clause's own words first, then
    /// those of the clauses around it, of the sentence before, of the question.
    pub fn in_sentence<'a>(&'a self, all: &'a [Clause], clause: Option<&'a Clause>) -> Place<'a> {
        let at = clause.map_or(0, |c| c.from);
        let before = all.iter().rev().filter(|c| c.from < at && !c.subject.is_empty()).map(|c| &c.subject);
        let after = all.iter().filter(|c| c.from > at && !c.subject.is_empty()).map(|c| &c.subject);
        let mut near = before.chain(after);
        let own = clause.map(|c| &c.subject).filter(|s| !s.is_empty());
        let (own, mut parts) = match own.or_else(|| near.next()) {
            Some(own) => (own, vec![(own, 1.0), (&self.question, 0.25), (&self.before, 0.25)]),
            None if !self.before.is_empty() => (&self.before, vec![(&self.before, 0.7), (&self.question, 0.7)]),
            None => (&self.question, vec![(&self.question, 1.0)]),
        };
        parts.extend(near.map(|s| (s, 0.15)));
        Place { own, guessed: std::ptr::eq(own, &self.before), parts }
    }
}

impl Place<'_> {
    /// How much of the subject a source speaks of.
    pub fn weight(&self, source: &Source, scale: &Scale) -> f32 {
        let part = |(stems, share): &(&BTreeSet<String>, f32)| share * covered(stems, source, scale);
        self.parts.iter().map(part).sum()
    }

    /// Whether the words that place the fact say any subject.
    pub fn is_own(&self) -> bool {
        !self.own.is_empty()
    }

    /// Whether a source speaks of at least this share of the nearest words.
    pub fn is_covered_by(&self, source: &Source, scale: &Scale, share: f32) -> bool {
        if self.guessed {
            return false;
        }
        let all: f32 = self.own.iter().map(|s| scale.of(s)).sum();
        all > 0.0 && covered(self.own, source, scale) >= share * all
    }
}

fn covered(stems: &BTreeSet<String>, source: &Source, scale: &Scale) -> f32 {
    stems.iter().filter(|s| source.stems.contains(*s)).map(|s| scale.of(s)).sum()
}
