//! The box's own mind as these tests have it: by words alone.

use std::sync::Arc;
use std::time::Duration;

use milu::knowledge::{KnowledgeIndex, Recollection, Topic};
use milu::speech::{CallSetting, MindEvent, Responder, Thinking};
use milu::terms::{Private, RequestId};
use tokio::sync::mpsc;

/// What the box's own mind never answers, as if it were too busy.
pub const TOO_MUCH: &str = "It is all too much";

/// The box's own mind, by words alone.
pub struct ByWords(pub Arc<KnowledgeIndex>);

struct ByWordsThinking {
    index: Arc<KnowledgeIndex>,
    memory: Recollection,
    answers: mpsc::Sender<MindEvent>,
}

impl Responder for ByWords {
    fn name(&self) -> &'static str {
        "by-words"
    }

    fn open(&self, _setting: &CallSetting, answers: mpsc::Sender<MindEvent>) -> Box<dyn Thinking> {
        Box::new(ByWordsThinking { index: self.0.clone(), memory: Recollection::default(), answers })
    }
}

impl Thinking for ByWordsThinking {
    fn ask(&mut self, request: RequestId, words: &Private<String>, now: &jiff::ZonedDateTime) {
        if words.expose() == TOO_MUCH {
            return;
        }
        let found = self.index.find(words.expose(), &[], &self.memory, now);
        self.memory = found.memory;
        let took = Duration::from_millis(1);
        self.answers.try_send(MindEvent::Found { request, finding: found.finding, engine: "by-words", took }).unwrap();
    }

    fn ask_topic(&mut self, request: RequestId, topic: Topic, now: &jiff::ZonedDateTime) {
        let finding = self.index.answer_key(topic, &self.memory, now).finding;
        let took = Duration::from_millis(1);
        self.answers.try_send(MindEvent::Found { request, finding, engine: "by-words", took }).unwrap();
    }

    fn abandon(&mut self) {}
}
