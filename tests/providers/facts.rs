//! What the mind knows: what stands in the request itself, or in a knowledge
//! file of the box. It looks up; it has no words of its own about the world.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use milu::knowledge::{Finding, KnowledgeBase, KnowledgeIndex, Mistakes, Recollection};
use thiserror::Error;

/// A question must have so much in common with a row, by weight of words.
const NEAR: f64 = 0.45;

#[derive(Debug, Error)]
pub enum ReadFacts {
    #[error("reading the knowledge in {path}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the knowledge has mistakes: {0}")]
    Mistakes(Mistakes),
}

/// What a caller's words come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The fact that answers it.
    Fact(String),
    Person(Option<String>),
    Message,
    Goodbye,
    Courtesy(String),
    Unknown,
}

pub enum Facts {
    /// A knowledge file of the box, asked as the box asks it.
    File(Box<KnowledgeIndex>),
    /// Rows of text, each with what may be asked for it.
    Rows(Vec<Row>),
}

pub struct Row {
    stems: BTreeSet<String>,
    says: String,
}

impl Facts {
    pub fn read(path: &Path) -> Result<Self, ReadFacts> {
        let text = std::fs::read_to_string(path).map_err(|source| ReadFacts::Read { path: path.to_owned(), source })?;
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let base = KnowledgeBase::parse(&name, &text).map_err(ReadFacts::Mistakes)?;
        Ok(Self::File(Box::new(KnowledgeIndex::new(base, None))))
    }

    /// From the text of a system prompt: a knowledge file in it (all of it, within
    /// a fence or within tags), or else its rows.
    pub fn in_prompt(text: &str) -> Option<Self> {
        for part in parts(text) {
            for name in ["prompt.toml", "prompt.md"] {
                if let Ok(base) = KnowledgeBase::parse(name, part)
                    && !base.entries.is_empty()
                {
                    return Some(Self::File(Box::new(KnowledgeIndex::new(base, None))));
                }
            }
        }
        let rows = rows(text);
        (!rows.is_empty()).then_some(Self::Rows(rows))
    }

    /// What the last of these words come to, the earlier ones having been said before.
    pub fn find(&self, words: &[String], now: Option<DateTime>, wall: jiff::Timestamp) -> Wish {
        let Some(last) = words.last() else { return Wish::Unknown };
        match self {
            Self::Rows(rows) => nearest(rows, last).map_or(Wish::Unknown, |row| Wish::Fact(row.says.clone())),
            Self::File(index) => {
                let zone = index.base().hours.time_zone().clone();
                let wall = wall.to_zoned_datetime(TimeZone::UTC);
                let now = now.and_then(|now| now.to_zoned_datetime(zone).ok()).unwrap_or(wall);
                let mut memory = Recollection::default();
                let mut finding = Finding::Unknown;
                for words in words {
                    let found = index.find(words, &[], &memory, &now);
                    (memory, finding) = (found.memory, found.finding);
                }
                wish(finding)
            }
        }
    }
}

/// Prompts that were read already: a business sends the same one all day, and
/// reading it takes longer than everything else about a request.
#[derive(Default)]
pub struct PromptFacts {
    read: Mutex<BTreeMap<String, Arc<Option<Facts>>>>,
}

/// Prompts of one test.
const PROMPTS_MAX: usize = 64;

impl PromptFacts {
    pub fn of(&self, prompt: &str) -> Arc<Option<Facts>> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(facts) = read.get(prompt) {
            return Arc::clone(facts);
        }
        if read.len() >= PROMPTS_MAX {
            read.clear();
        }
        let facts = Arc::new(Facts::in_prompt(prompt));
        read.insert(prompt.to_owned(), Arc::clone(&facts));
        facts
    }
}

fn wish(finding: Finding) -> Wish {
    match finding {
        Finding::Answer(spoken) => Wish::Fact(spoken.text.into_exposed()),
        Finding::Maybe(guess) => Wish::Fact(guess.answer.text.into_exposed()),
        Finding::TextMe(written) => {
            written.map_or(Wish::Unknown, |written| Wish::Fact(written.aloud.text.into_exposed()))
        }
        Finding::Person { name } => Wish::Person(name),
        Finding::LeaveMessage => Wish::Message,
        Finding::Goodbye | Finding::No => Wish::Goodbye,
        Finding::Courtesy(spoken) => Wish::Courtesy(spoken.text.into_exposed()),
        Finding::Yes => Wish::Courtesy("What would you like to know?".to_owned()),
        Finding::Wait | Finding::Backchannel => Wish::Courtesy("I am here.".to_owned()),
        Finding::Unknown | Finding::Repeat { .. } => Wish::Unknown,
    }
}

/// Parts of a prompt that may be a knowledge file.
fn parts(text: &str) -> Vec<&str> {
    let fenced = text.split("```").skip(1).step_by(2).map(|part| part.split_once('\n').map_or(part, |(_, rest)| rest));
    let tagged = ["knowledge", "business", "facts"].into_iter().filter_map(|tag| {
        let from = text.find(&format!("<{tag}>"))? + tag.len() + 2;
        text[from..].split(&format!("</{tag}>")).next()
    });
    let headed = text.find("\nbusiness = ").map(|at| &text[at..]);
    [text].into_iter().chain(fenced).chain(tagged).chain(headed).collect()
}

/// Rows of this shape say what they are about: `How do I pay? Cash or card?: By card.`,
/// `Address: 14 Akinwunmi Street`. A head without a question has few words.
fn headed(row: &str) -> Option<(&str, &str)> {
    const HEAD_WORDS: usize = 5;
    let asked = row.find("?: ").map(|at| (&row[..=at], &row[at + 3..]));
    let named = row.split_once(": ").filter(|(head, _)| head.split_whitespace().count() <= HEAD_WORDS);
    asked.or(named).filter(|(head, fact)| !head.trim().is_empty() && !fact.trim().is_empty())
}

/// Where the facts begin: after a heading such as `What the business knows`. What
/// stands before it tells the mind how to behave, and is nothing to be told.
fn after_instructions(text: &str) -> &str {
    let is_heading = |row: &str| {
        let words = row.split_whitespace().count();
        let names = ["knows", "knowledge", "facts"].iter().any(|word| row.to_lowercase().contains(word));
        names && (1..=6).contains(&words) && !row.ends_with('.')
    };
    let heading = text.lines().rfind(|row| is_heading(row.trim()));
    heading.and_then(|heading| text.rfind(heading).map(|at| &text[at + heading.len()..])).unwrap_or(text)
}

/// `Q:` and `A:` belong together; a row with a head is found by both and says
/// what follows the head. Only without such rows does each row say itself.
fn rows(text: &str) -> Vec<Row> {
    let (mut rows, mut plain) = (Vec::new(), Vec::new());
    let mut asked = String::new();
    for row in after_instructions(text).lines() {
        let row = row.trim().trim_start_matches(['-', '*', '#', '>', ' ']);
        let question = ["Q:", "Question:", "ask:"].iter().find_map(|mark| row.strip_prefix(mark));
        let answer = ["A:", "Answer:", "answer:"].iter().find_map(|mark| row.strip_prefix(mark));
        if let Some(question) = question {
            asked.push_str(question);
            asked.push(' ');
        } else if let Some(answer) = answer {
            rows.push(Row { stems: stems(&format!("{asked}{answer}")), says: answer.trim().to_owned() });
            asked.clear();
        } else if let Some((_, fact)) = headed(row) {
            rows.push(Row { stems: stems(row), says: fact.trim().to_owned() });
        } else if row.split_whitespace().count() >= 3 {
            plain.push(Row { stems: stems(row), says: row.to_owned() });
        }
    }
    if rows.is_empty() { plain } else { rows }
}

/// The row that has most in common with the question; words that many rows have weigh little.
fn nearest<'a>(rows: &'a [Row], question: &str) -> Option<&'a Row> {
    let asked = stems(question);
    let mut having: BTreeMap<&str, f64> = BTreeMap::new();
    for stem in rows.iter().flat_map(|row| &row.stems) {
        *having.entry(stem).or_default() += 1.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "a prompt has some hundred rows")]
    let all = rows.len() as f64;
    let weight = |stem: &String| (1.0 + all / (1.0 + having.get(stem.as_str()).copied().unwrap_or(0.0))).ln();
    let total: f64 = asked.iter().map(weight).sum();
    let shared = |row: &Row| row.stems.intersection(&asked).map(weight).sum::<f64>() / total.max(1e-9);
    let best = rows.iter().max_by(|a, b| shared(a).total_cmp(&shared(b)))?;
    (shared(best) >= NEAR).then_some(best)
}

fn stems(text: &str) -> BTreeSet<String> {
    const EMPTY: &[&str] = &[
        "the", "a", "an", "is", "are", "do", "does", "you", "your", "we", "our", "i", "it", "to", "of", "in", "on",
        "at", "and", "or", "for", "what", "how", "can", "my", "me", "please", "have", "be", "with",
    ];
    let words = text.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
    words
        .filter(|word| !word.is_empty() && !EMPTY.contains(&word.as_str()))
        .map(|word| word.trim_end_matches('s').to_owned())
        .collect()
}

/// The last time of the form `2026-11-23T09:00` or `2026-11-23 09:00` in a text.
pub fn stated_time(text: &str) -> Option<DateTime> {
    const LEN: usize = "2026-11-23T09:00".len();
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let at = |from: usize| {
        let part = text.get(from..from + LEN)?;
        let shaped = digits(part.get(..4)?) && part.get(4..5)? == "-" && part.get(13..14)? == ":";
        shaped.then(|| part.replace(' ', "T").parse::<DateTime>().ok()).flatten()
    };
    text.char_indices().filter(|(_, c)| c.is_ascii_digit()).filter_map(|(from, _)| at(from)).next_back()
}
