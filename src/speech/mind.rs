use std::time::Duration;

use tokio::sync::mpsc;

use super::CallSetting;
use crate::knowledge::{Finding, Spoken, Topic};
use crate::terms::{Private, RequestId};

/// A maker of answers. One is shared by all calls.
pub trait Responder: Send + Sync {
    /// The name in records: `knowledge-onbox`.
    fn name(&self) -> &'static str;

    /// Opens the mind for one call. Answers go to `answers` (bounded to 16).
    fn open(&self, setting: &CallSetting, answers: mpsc::Sender<MindEvent>) -> Box<dyn Thinking>;
}

/// One call's mind. It remembers what the call has been about, for follow-ups.
pub trait Thinking: Send {
    /// What does the caller want, and what is the answer? `now` is the time in
    /// the business's time zone. A newer question replaces an older one.
    fn ask(&mut self, request: RequestId, words: &Private<String>, now: &jiff::ZonedDateTime);

    /// The answer behind a key of the menu, as if it had been asked for.
    fn ask_topic(&mut self, request: RequestId, topic: Topic, now: &jiff::ZonedDateTime);

    /// The question that was asked is not wanted any more; its answer, if it
    /// comes, must not be remembered as said.
    fn abandon(&mut self);
}

/// What the mind answers to one request: either `Found` or `Failed`, or any
/// number of `Sentence` and then `Over` or `Failed`.
#[derive(Clone, Debug)]
pub enum MindEvent {
    /// The whole answer.
    Found {
        request: RequestId,
        finding: Finding,
        engine: &'static str,
        took: Duration,
    },
    /// The next sentence of an answer that is still being formed.
    Sentence {
        request: RequestId,
        spoken: Spoken,
        engine: &'static str,
        took: Duration,
    },
    /// The answer is complete; `then` is to be done once it has been said.
    Over {
        request: RequestId,
        then: Option<Finding>,
    },
    Failed {
        request: RequestId,
    },
}
