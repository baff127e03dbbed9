//! What can be asked of a business: its entries, and what every business has
//! without writing it (hours, address, directions, people, messages), with the
//! usual ways to ask for those.

use super::bm25::Document;
use super::file::KnowledgeBase;

/// What a question is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Topic {
    /// The entry at this index of the base.
    Entry(usize),
    Hours,
    Address,
    Directions,
    Person,
    Message,
}

/// One text to embed, and what it is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Passage {
    pub topic: Topic,
    pub text: String,
}

const HOURS: &[&str] = &[
    "What are your opening hours?",
    "Are you open now?",
    "When do you open?",
    "What time do you close?",
    "Are you open on Sunday?",
    "Do you work on public holidays?",
    "What days are you open?",
];
const ADDRESS: &[&str] =
    &["What is your address?", "Where are you located?", "Where is your office?", "Which street are you on?"];
const DIRECTIONS: &[&str] = &[
    "How do I get there?",
    "Can you give me directions?",
    "Which bus stop do I get off at?",
    "Describe the place, what is near you?",
];
const PERSON: &[&str] =
    &["I want to speak to a person", "Connect me to a human being", "Put me through to customer care"];
const MESSAGE: &[&str] = &["I want to leave a message", "Can somebody call me back?", "Please take a message for me"];

impl KnowledgeBase {
    /// All topics of this file, in a fixed order.
    pub(super) fn topics(&self) -> Vec<Topic> {
        let mut topics: Vec<Topic> = (0..self.entries.len()).map(Topic::Entry).collect();
        if self.hours.are_stated() {
            topics.push(Topic::Hours);
        }
        if self.address.is_some() {
            topics.push(Topic::Address);
        }
        if self.directions.is_some() {
            topics.push(Topic::Directions);
        }
        topics.extend([Topic::Person, Topic::Message]);
        topics
    }

    /// The name of a topic in records: the entry's id, or a built-in one.
    pub fn topic_id(&self, topic: Topic) -> &str {
        match topic {
            Topic::Entry(i) => self.entries.get(i).map_or("", |e| e.id.as_str()),
            Topic::Hours => "hours",
            Topic::Address => "address",
            Topic::Directions => "directions",
            Topic::Person => "person",
            Topic::Message => "message",
        }
    }

    pub(super) fn ways_to_ask(&self, topic: Topic) -> Vec<String> {
        let owned = |ways: &[&str]| ways.iter().map(|w| (*w).to_owned()).collect();
        match topic {
            Topic::Entry(i) => self.entries.get(i).map_or_else(Vec::new, |e| e.ask.clone()),
            Topic::Hours => owned(HOURS),
            Topic::Address => owned(ADDRESS),
            Topic::Directions => owned(DIRECTIONS),
            Topic::Person => owned(PERSON),
            Topic::Message => owned(MESSAGE),
        }
    }

    pub(super) fn written_answer(&self, topic: Topic) -> Option<&str> {
        match topic {
            Topic::Entry(i) => self.entries.get(i).map(|e| e.answer.as_str()),
            Topic::Address => self.address.as_deref(),
            Topic::Directions => self.directions.as_deref(),
            Topic::Hours | Topic::Person | Topic::Message => None,
        }
    }

    /// The texts whose embeddings the index wants, in the order it wants them:
    /// each way to ask, and each sentence of each answer.
    pub fn passages(&self) -> Vec<Passage> {
        let mut passages = Vec::new();
        for topic in self.topics() {
            let answers = self.written_answer(topic).map_or_else(Vec::new, sentences);
            let texts = self.ways_to_ask(topic).into_iter().chain(answers.into_iter().map(str::to_owned));
            passages.extend(texts.map(|text| Passage { topic, text }));
        }
        passages
    }

    pub(super) fn documents(&self) -> Vec<Document> {
        let document = |topic| Document {
            questions: self.ways_to_ask(topic),
            answer: self.written_answer(topic).unwrap_or_default().to_owned(),
        };
        self.topics().into_iter().map(document).collect()
    }
}

/// The sentences of a text; a dot inside a number or a name ends none.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    for (at, mark) in text.match_indices(['.', '!', '?']) {
        let end = at + mark.len();
        let ends = text[end..].is_empty() || text[end..].starts_with(' ');
        let last_word = text[start..at].rsplit(' ').next().unwrap_or_default();
        if ends && !matches!(last_word, "Dr" | "Mr" | "Mrs" | "No" | "a.m" | "p.m" | "St") {
            found.push(text[start..end].trim());
            start = end;
        }
    }
    if !text[start..].trim().is_empty() {
        found.push(text[start..].trim());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_people_end_them() {
        assert_eq!(
            sentences("Dr. Bello comes at 10 a.m. daily. It costs ₦2.50! Really"),
            ["Dr. Bello comes at 10 a.m. daily.", "It costs ₦2.50!", "Really"]
        );
    }
}
