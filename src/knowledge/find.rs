//! From a caller's words to what there is to say. Meaning (embeddings, made
//! elsewhere) and words (BM25) are weighed together; what is not near enough is
//! asked back or refused, because a wrong answer costs more than none.

mod hours;
mod ranking;
mod recollection;

use jiff::ZonedDateTime;
use jiff::civil::DateTime;

use super::bm25::{Document, Lexicon};
use super::clauses;
use super::file::KnowledgeBase;
use super::finding::{Finding, Guess, Spoken, Written};
use super::intent::{self, Intent};
use super::say::{HoursQuestion, say_hours};
use super::sounds_like::{Mended, PutIn, SoundsLike};
use super::spoken::as_spoken;
use super::text_me;
use super::topic::{Topic, sentences};
use super::when::{Understood, understand};
use super::words::{content_stems, stem, tokens};
use crate::terms::Private;

use hours::{hours_question, is_hours_stem};
use ranking::{NO_MATCH, Ranking};
pub use recollection::Recollection;

/// A finding, and what is to be remembered once it was said.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub finding: Finding,
    pub memory: Recollection,
    /// How near the nearest topic was; for judging, never for the caller.
    pub score: f32,
}

/// By so much must a mended question be nearer than the one that was heard.
const MENDED_BY: f32 = 0.05;
/// And so near at least, for strangers' words can be mended too.
const MENDED_LEAST: f32 = 0.42;
/// Two words no farther than this sound the same to most ears.
const ALIKE: f32 = 0.12;

/// A knowledge base made ready to be asked.
pub struct KnowledgeIndex {
    base: KnowledgeBase,
    topics: Vec<Topic>,
    lexicon: Lexicon,
    sounds_like: SoundsLike,
    /// For each passage, the index of its topic, and its embedding.
    vectors: Option<Vec<(usize, Vec<f32>)>>,
}

/// A question with its times read and its courtesies off.
struct Question {
    words: Vec<String>,
    understood: Understood,
    /// Stems that carry the subject; words of times are not among them.
    content: Vec<String>,
}

impl KnowledgeIndex {
    /// `vectors` are the unit-length embeddings of [`KnowledgeBase::passages`],
    /// in that order; without them, or if their number does not fit, words
    /// alone decide.
    pub fn new(base: KnowledgeBase, vectors: Option<Vec<Vec<f32>>>) -> Self {
        let topics = base.topics();
        let documents = base.documents();
        let lexicon = Lexicon::new(&documents);
        let written: Vec<String> = documents.iter().flat_map(Document::words).collect();
        let sounds_like = SoundsLike::new(written.iter().map(String::as_str));
        let passages = base.passages();
        let vectors = vectors.filter(|v| v.len() == passages.len()).map(|vectors| {
            let owner = |topic| topics.iter().position(|t| *t == topic).unwrap_or(0);
            passages.iter().zip(vectors).map(|(p, v)| (owner(p.topic), v)).collect()
        });
        Self { base, topics, lexicon, sounds_like, vectors }
    }

    pub const fn base(&self) -> &KnowledgeBase {
        &self.base
    }

    /// The texts whose embeddings [`Self::find`] wants for these words, at
    /// most four: the question without its courtesies, its Pidgin in English,
    /// clauses of it, and what may have been said instead. None if no embedding is needed, which spares the
    /// embedder's time.
    pub fn texts_to_embed(&self, words: &str) -> Vec<String> {
        let all = tokens(words);
        // What is wanted as a text message is looked up like a question for it.
        if let Some(subject) = text_me::wanted(&all) {
            return if subject.is_empty() { Vec::new() } else { self.texts_to_embed(&subject.join(" ")) };
        }
        match intent::read(&all, &self.base) {
            Intent::Settled(_) => Vec::new(),
            Intent::Question(question) => {
                let mut texts = clauses::texts(words, &question);
                texts.extend(self.mended(&question).map(|mended| mended.words.join(" ")));
                texts
            }
        }
    }

    /// What do these words ask for, and what is there to say? `vectors` are
    /// the unit-length embeddings of [`Self::texts_to_embed`], in that order, or of
    /// the first of them alone; without them words alone decide.
    pub fn find(&self, words: &str, vectors: &[Vec<f32>], memory: &Recollection, now: &ZonedDateTime) -> Found {
        let all = tokens(words);
        if let Some(subject) = text_me::wanted(&all) {
            return self.text_message(&subject, vectors, memory, now);
        }
        let now = self.base.hours.local(now);
        let question = match intent::read(&all, &self.base) {
            Intent::Settled(finding) => return Found { memory: memory.settled(&finding), finding, score: 1.0 },
            Intent::Question(words) => Question::new(words, now, &self.base),
        };
        let mended = self.mended(&question.words);
        let (vectors, of_mended) = match vectors.split_last() {
            Some((last, others)) if mended.is_some() && !others.is_empty() => (others, std::slice::from_ref(last)),
            _ => (vectors, &[][..]),
        };
        let found = self
            .calendar(&question, memory, now)
            .or_else(|| self.follow_up(&question, memory, now))
            .unwrap_or_else(|| self.retrieve(&question, vectors, memory, now));
        let settled = !matches!(found.finding, Finding::Unknown | Finding::Maybe(_));
        let perhaps = mended.filter(|_| !settled).and_then(|mended| {
            let question = Question::new(mended.words, now, &self.base);
            self.perhaps(&question, &mended.put_in, of_mended, memory, now)
        });
        match perhaps {
            Some(perhaps) if perhaps.score > found.score + MENDED_BY => perhaps,
            _ => found,
        }
    }

    /// What is wanted as a text message: what these words ask for, or without
    /// words what was spoken of last.
    fn text_message(
        &self,
        subject: &[String],
        vectors: &[Vec<f32>],
        memory: &Recollection,
        now: &ZonedDateTime,
    ) -> Found {
        let found = if subject.is_empty() {
            let Some(topic) = memory.topic else {
                return Found { finding: Finding::TextMe(None), memory: memory.clone(), score: 1.0 };
            };
            self.answer_topic(topic, memory, now)
        } else if let Some(topic) = self.place_alone(subject) {
            self.answer_topic(topic, memory, now)
        } else {
            self.find(&subject.join(" "), vectors, memory, now)
        };
        let Finding::Answer(aloud) = found.finding else { return found };
        // The file's own figures are read more easily than words for them.
        let topic = found.memory.topic.filter(|topic| *topic != Topic::Hours);
        let answer = topic.and_then(|topic| self.base.written_answer(topic)).unwrap_or(aloud.text.expose());
        let text = Private::new(format!("{}: {answer}", self.base.name));
        Found { finding: Finding::TextMe(Some(Written { text, aloud })), ..found }
    }

    /// The place, if nothing else is named: "your address", "the location", "directions".
    fn place_alone(&self, words: &[String]) -> Option<Topic> {
        let content = content_stems(words);
        let all = |names: &[&str]| !content.is_empty() && content.iter().all(|s| names.iter().any(|n| stem(n) == *s));
        let topic = if all(&["directions", "direction", "way"]) {
            Topic::Directions
        } else if all(&PLACE_WORDS) {
            Topic::Address
        } else {
            return None;
        };
        self.topics.contains(&topic).then_some(topic)
    }

    /// The question with what was perhaps said in place of what the file never wrote.
    fn mended(&self, question: &[String]) -> Option<Mended> {
        self.sounds_like.mend(question, |stem| self.lexicon.knows(stem))
    }

    /// What a mended question may mean, if what was put in belongs to it and
    /// something else speaks for it: another word, or a sound all but the same.
    /// It is asked back, however near.
    fn perhaps(
        &self,
        mended: &Question,
        put_in: &[PutIn],
        vectors: &[Vec<f32>],
        memory: &Recollection,
        now: DateTime,
    ) -> Option<Found> {
        let found = self.retrieve(mended, vectors, memory, now);
        let &(best, score) = self.rank(mended, vectors).ranked.first()?;
        let of_best = |stem: &str| self.lexicon.has(best, stem);
        let heard = |stem: &String| !put_in.iter().any(|put| put.stem == *stem);
        let supported = mended.content.iter().any(|stem| heard(stem) && of_best(stem));
        let belongs = put_in.iter().any(|put| of_best(&put.stem) && (supported || put.far <= ALIKE));
        match found.finding {
            _ if !belongs || score < MENDED_LEAST => None,
            Finding::Maybe(_) => Some(found),
            Finding::Answer(_) => {
                let topic = self.topics[best];
                let finding = Finding::Maybe(self.guess(topic, mended, now));
                Some(Found { finding, memory: memory.guessed(topic, None), score })
            }
            _ => None,
        }
    }

    /// The answer to a topic that was chosen without words.
    pub(super) fn answer_topic(&self, topic: Topic, memory: &Recollection, now: &ZonedDateTime) -> Found {
        let now = self.base.hours.local(now);
        self.answer(topic, &Question::new(Vec::new(), now, &self.base), memory, now, 1.0)
    }

    /// "How much is it?", "where is that?", after something was said.
    fn follow_up(&self, question: &Question, memory: &Recollection, now: DateTime) -> Option<Found> {
        let asks = |words: &[&str]| question.words.iter().any(|w| words.contains(&w.as_str()));
        let price = asks(&PRICE_WORDS) && (asks(&["much", "cost", "price", "charge", "fee", "pay"]));
        let bare = question.content.iter().all(|s| PRICE_WORDS.iter().any(|w| stem(w) == *s));
        if bare && price {
            return Some(self.price_of(memory.topic).map_or_else(
                || Found { finding: Finding::Unknown, memory: memory.clone(), score: 0.0 },
                |spoken| Found { finding: Finding::Answer(spoken), memory: memory.clone(), score: 1.0 },
            ));
        }
        let place = question.content.iter().all(|s| PLACE_WORDS.iter().any(|w| stem(w) == *s));
        if place && asks(&["where"]) && question.words.len() <= 6 {
            let topic = if self.base.address.is_some() { Topic::Address } else { Topic::Directions };
            return self.topics.contains(&topic).then(|| self.answer(topic, question, memory, now, 1.0));
        }
        None
    }

    /// The sentences of the last answer that name a price.
    fn price_of(&self, topic: Option<Topic>) -> Option<Spoken> {
        let answer = self.base.written_answer(topic?)?;
        let priced: Vec<&str> = sentences(answer)
            .into_iter()
            .filter(|s| s.contains('₦') || s.contains("naira") || s.contains("NGN") || s.contains("free"))
            .collect();
        (!priced.is_empty()).then(|| self.spoken(topic.unwrap_or(Topic::Hours), &priced.join(" ")))
    }

    fn retrieve(&self, question: &Question, vectors: &[Vec<f32>], memory: &Recollection, now: DateTime) -> Found {
        let ranking = self.rank(question, vectors);
        let unknown = Found { finding: Finding::Unknown, memory: memory.clone(), score: 0.0 };
        let Some(&(best, score)) = ranking.ranked.first() else { return unknown };
        let topic = self.topics[best];
        let second = ranking.ranked.get(1).map_or(NO_MATCH, |r| r.1);
        let sure = ranking.bands.suffice(score, score - second);
        if !self.trades(question, best) {
            return Found { score, ..unknown };
        }
        if sure && self.speaks_of(question, topic) {
            return self.answer(topic, question, memory, now, score);
        }
        let near = ranking.bands.suffice_to_ask(score, score - second) && !question.content.is_empty();
        if near && may_be_meant(topic) {
            let second = self.runner_up(question, &ranking);
            let or_else = second.map(|topic| Box::new(self.guess(topic, question, now)));
            let finding = Finding::Maybe(Guess { or_else, ..self.guess(topic, question, now) });
            return Found { finding, memory: memory.guessed(topic, second), score };
        }
        Found { score, ..unknown }
    }

    /// What is asked if the nearest topic was not meant.
    fn runner_up(&self, question: &Question, ranking: &Ranking) -> Option<Topic> {
        let &[(_, best), (second, score), ..] = ranking.ranked.as_slice() else { return None };
        let topic = self.topics[second];
        let near = ranking.bands.is_runner_up(score, best);
        (near && may_be_meant(topic) && self.trades(question, second)).then_some(topic)
    }

    /// Hours may only be told outright when nothing else was asked about: "is
    /// the swimming pool open?" is not answered with the clinic's hours.
    fn speaks_of(&self, question: &Question, topic: Topic) -> bool {
        let hours = |s: &String| is_hours_stem(s);
        match topic {
            Topic::Hours => question.content.iter().all(hours),
            _ => {
                question.content.is_empty()
                    || question.content.iter().any(|s| self.lexicon.knows(s))
                    || self.vectors.is_some()
            }
        }
    }

    /// "Do you sell cars?" is not answered by where cars are parked: what is
    /// done with a thing must be what the topic does with it.
    fn trades(&self, question: &Question, topic: usize) -> bool {
        let deals: Vec<&[&str]> = TRADES.iter().copied().filter(|group| question.has_any_stem(group)).collect();
        deals.is_empty() || deals.iter().any(|group| group.iter().any(|w| self.lexicon.has(topic, &stem(w))))
    }

    fn answer(&self, topic: Topic, question: &Question, memory: &Recollection, now: DateTime, score: f32) -> Found {
        let finding = match topic {
            Topic::Hours => {
                let kind = hours_question(&question.words).unwrap_or(HoursQuestion::Week);
                return Found { score, ..self.hours_answer(kind, question.understood.when, now) };
            }
            Topic::Person => Finding::Person { name: None },
            Topic::Message => Finding::LeaveMessage,
            _ => Finding::Answer(self.said(topic)),
        };
        Found { finding, memory: memory.answered(topic), score }
    }

    /// A topic as it is asked back.
    fn guess(&self, topic: Topic, question: &Question, now: DateTime) -> Guess {
        let (asked, answer) = match topic {
            Topic::Hours => {
                let kind = hours_question(&question.words).unwrap_or(HoursQuestion::Week);
                let answer = self.spoken(topic, &say_hours(&self.base.hours, kind, question.understood.when, now));
                ("Do you want to know when we are open?".to_owned(), answer)
            }
            Topic::Address => ("Do you want to know our address?".to_owned(), self.said(topic)),
            Topic::Directions => ("Do you want to know how to get here?".to_owned(), self.said(topic)),
            _ => {
                let ways = self.base.ways_to_ask(topic);
                let first = ways.first().map_or("", |w| w.trim_end_matches(['?', '.', '!', ' ']));
                (format!("Did you mean to ask: {first}?"), self.said(topic))
            }
        };
        Guess { question: self.spoken(topic, &asked), answer, or_else: None }
    }

    fn said(&self, topic: Topic) -> Spoken {
        self.spoken(topic, self.base.written_answer(topic).unwrap_or_default())
    }

    fn spoken(&self, topic: Topic, text: &str) -> Spoken {
        Spoken { text: as_spoken(text).into(), entry: Some(self.base.topic_id(topic).to_owned()) }
    }
}

/// A person and a message are not asked back: whoever wants them says so.
const fn may_be_meant(topic: Topic) -> bool {
    !matches!(topic, Topic::Person | Topic::Message)
}

/// What is done with a thing, where the same thing may be spoken of for another reason.
const TRADES: [&[&str]; 4] = [
    &["sell", "selling", "buy", "purchase"],
    &["rent", "lease", "borrow", "lend", "loan"],
    &["hire", "hiring", "recruit", "vacancy"],
    &["repair", "mend", "install"],
];

/// In a question after the place itself, these name nothing else.
const PLACE_WORDS: [&str; 10] =
    ["exactly", "place", "office", "shop", "store", "business", "located", "location", "situated", "address"];

const PRICE_WORDS: [&str; 8] = ["much", "cost", "price", "charge", "fee", "pay", "amount", "money"];

impl Question {
    fn new(words: Vec<String>, now: DateTime, base: &KnowledgeBase) -> Self {
        let understood = understand(&words, now, &base.hours);
        let name: Vec<String> = tokens(&base.name).iter().map(|w| stem(w)).collect();
        let free: Vec<String> =
            words.iter().zip(&understood.used).filter(|(_, used)| !**used).map(|(w, _)| w.clone()).collect();
        let content = content_stems(&free).into_iter().filter(|s| !name.contains(s)).collect();
        Self { words, understood, content }
    }

    fn has_any_stem(&self, words: &[&str]) -> bool {
        words.iter().any(|w| self.content.contains(&stem(w)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::datetime;
    use jiff::tz::TimeZone;

    fn index() -> KnowledgeIndex {
        let text = include_str!("../../firmware-config/knowledge/clinic.toml");
        KnowledgeIndex::new(KnowledgeBase::parse("clinic.toml", text).unwrap(), None)
    }

    /// Monday, 23 November 2026, ten in the morning in Lagos (UTC+1).
    fn now() -> ZonedDateTime {
        datetime(2026, 11, 23, 9, 0, 0, 0).to_zoned_datetime(TimeZone::UTC).unwrap()
    }

    fn ask(words: &str, memory: &Recollection) -> Found {
        index().find(words, &[], memory, &now())
    }

    fn text(found: &Found) -> String {
        match &found.finding {
            Finding::Answer(spoken) => spoken.text.expose().clone(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_question_in_the_files_own_words_is_answered_without_vectors() {
        let found = ask("How much is a malaria test?", &Recollection::default());
        assert!(text(&found).contains("three thousand, five hundred naira"), "{}", text(&found));
    }

    #[test]
    fn what_the_file_does_not_know_is_not_answered() {
        for words in ["Who won the football match yesterday?", "Do you sell cars?", "What is the capital of Ghana?"] {
            let found = ask(words, &Recollection::default());
            assert!(!matches!(found.finding, Finding::Answer(_)), "{words}");
        }
    }

    #[test]
    fn opening_questions_are_answered_from_the_calendar() {
        let none = Recollection::default();
        assert_eq!(text(&ask("Are you open now?", &none)), "Yes, we are open now, until six in the evening.");
        assert!(text(&ask("Una dey open on Sunday?", &none)).starts_with("No, we are closed on Sundays"));
        assert_eq!(text(&ask("What time do you close today?", &none)), "Today we close at six in the evening.");
        assert!(text(&ask("Will you be open on Christmas day?", &none)).contains("for Christmas Day"));
        assert!(text(&ask("What are your opening hours?", &none)).starts_with("We are open from Monday to Friday"));
    }

    #[test]
    fn a_follow_up_keeps_what_was_asked() {
        let first = ask("What time do you close on Friday?", &Recollection::default());
        let second = ask("And on Saturday?", &first.memory);
        assert_eq!(text(&second), "On Saturday we close at two in the afternoon.");
        let scan = ask("Do you do ultrasound?", &Recollection::default());
        assert_eq!(text(&ask("How much is it?", &scan.memory)), "Yes, we do ultrasound scans for ten thousand naira.");
    }

    #[test]
    fn what_is_wanted_as_a_text_message_comes_in_the_files_own_figures() {
        let none = Recollection::default();
        let written = |found: &Found| match &found.finding {
            Finding::TextMe(Some(written)) => (written.text.expose().clone(), written.aloud.text.expose().clone()),
            other => panic!("{other:?}"),
        };
        let (text, aloud) = written(&ask("Can you text me your address, please?", &none));
        assert_eq!(text, format!("Sunrise Family Clinic: {}", index().base().address.as_deref().unwrap()));
        assert!(aloud.contains("fourteen"), "{aloud}");
        let price = ask("How much is a malaria test?", &none);
        let (text, _) = written(&ask("Please send that to my phone.", &price.memory));
        assert!(text.contains("₦3,500"), "{text}");
        assert_eq!(ask("Text me that.", &none).finding, Finding::TextMe(None));
        let strange = ask("Text me the football results", &none).finding;
        assert!(!matches!(strange, Finding::TextMe(_)), "{strange:?}");
    }

    #[test]
    fn what_was_guessed_is_remembered_once_it_was_confirmed_and_forgotten_after_the_last_no() {
        let before = ask("Do you do ultrasound?", &Recollection::default()).memory;
        let topics = index().topics;
        let guessed = before.guessed(topics[0], Some(topics[1]));
        let after = |memory: &Recollection, words: &str| ask(words, memory).memory;
        assert_eq!(after(&guessed, "Yes."), before.answered(topics[0]));
        let second = after(&guessed, "No.");
        assert_eq!(after(&second, "Yes."), before.answered(topics[1]));
        assert_eq!(after(&second, "No."), before);
    }

    #[test]
    fn a_price_of_nothing_is_unknown() {
        assert_eq!(ask("How much is it?", &Recollection::default()).finding, Finding::Unknown);
    }

    #[test]
    fn a_finding_that_was_not_said_leaves_no_trace() {
        let memory = Recollection::default();
        let found = ask("Do you do ultrasound?", &memory);
        assert_ne!(found.memory, memory);
        assert_eq!(memory, Recollection::default());
    }

    #[test]
    fn vectors_of_the_wrong_number_are_not_used() {
        let base = index().base().clone();
        let broken = KnowledgeIndex::new(base, Some(vec![vec![1.0; 4]]));
        let found = broken.find("Do you have parking?", &[vec![1.0; 4]], &Recollection::default(), &now());
        assert!(matches!(found.finding, Finding::Answer(_)));
    }
}
