use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;

use super::CallSetting;
use crate::call::Failover;
use crate::knowledge::{Finding, Spoken, Topic};
use crate::terms::{Private, RequestId};

/// A maker of answers. One is shared by all calls.
pub trait Responder: Send + Sync {
    /// The name in records: `knowledge-onbox`.
    fn name(&self) -> &'static str;

    /// What is amiss with it that no question would show, because it is asked none: a
    /// sentence for whoever looks after the box, with what to do.
    fn amiss(&self) -> Option<String> {
        None
    }

    /// Opens the mind for one call. Answers go to `answers` (bounded to 16).
    fn open(&self, setting: &CallSetting, answers: mpsc::Sender<MindEvent>) -> Box<dyn Thinking>;
}

/// One call's mind. It remembers what the call has been about, for follow-ups.
pub trait Thinking: Send {
    /// What does the caller want, and what is the answer? `now` is the time in
    /// the business's time zone. A newer question replaces an older one.
    fn ask(&mut self, request: RequestId, words: &Private<String>, now: &jiff::ZonedDateTime);

    /// The same, where a model answers: what this mind finds only helps it, and is
    /// found with less effort.
    fn ask_for_a_model(&mut self, request: RequestId, words: &Private<String>, now: &jiff::ZonedDateTime) {
        self.ask(request, words, now);
    }

    /// The caller begins to speak: a question may come in some seconds.
    fn caller_speaks(&mut self) {}

    /// The answer behind a key of the menu, as if it had been asked for.
    fn ask_topic(&mut self, request: RequestId, topic: Topic, now: &jiff::ZonedDateTime);

    /// The question that was asked is not wanted any more; its answer, whether it
    /// has come or still comes, must not be remembered as said.
    fn abandon(&mut self);

    /// The caller heard the box say this: a whole sentence, or what was heard of
    /// one that was cut off. Told in order, whoever made the sentence.
    fn said(&mut self, _text: &Private<String>) {}

    /// The caller asked this at `now`, and another mind answers it: what it says
    /// is told by [`Thinking::said`]. Told in order with the questions of this one.
    fn overheard(&mut self, _words: &Private<String>, _now: &jiff::ZonedDateTime) {}
}

/// What the mind answers to one request: either `Found` or `Failed`, or any
/// number of `Sentence` and then `Over` or `Failed`. `Alive` may come anywhere
/// before the last.
#[derive(Clone, Debug)]
pub enum MindEvent {
    /// It is at work: a tool is used, a thought is thought, a sentence grows.
    Alive { request: RequestId },
    /// The whole answer.
    Found { request: RequestId, finding: Finding, engine: &'static str, took: Duration },
    /// The next sentence of an answer that is still being formed.
    Sentence { request: RequestId, spoken: Spoken, engine: &'static str, took: Duration },
    /// The answer is complete; `then` is to be done once it has been said.
    Over { request: RequestId, then: Option<Finding> },
    /// No answer, or no more of it than was told.
    Failed { request: RequestId, error: MindError },
    /// An engine was left for the next; told before what the next one answers.
    Left(Failover),
}

/// Why there is no answer, as far as it matters to who asks next.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MindError {
    #[error("answering a question: every place in the engine's pool is taken")]
    Overloaded,
    /// The box's own part of an answer did not come in its time; whoever else is asked
    /// for it has not failed.
    #[error("answering a question: the box itself is too busy for its part of the answer")]
    BoxBusy,
    /// The policy, the caller's wish or our own budget keeps it here; the engine is well.
    #[error("answering a question: the policy or the budget keeps it on the box")]
    Policy,
    #[error("answering a question: {0} took longer than {wait} ms", wait = .1.as_millis())]
    TooLate(Waited, Duration),
    /// It is busy, or has had too many questions: later, not before `after`.
    #[error("answering a question: the provider is busy")]
    Busy { after: Option<Duration> },
    /// The account's limit with the provider: nothing comes before a person acts
    /// or the period ends, so it is never tried again by itself.
    #[error("answering a question: what may be spent is spent")]
    Spent,
    /// The key, the model or the request is wrong, and stays so until it is put right.
    #[error("answering a question: the provider refuses the request with status {status}")]
    Rejected { status: u16 },
    /// The model will not answer this one; it is healthy.
    #[error("answering a question: the model declines")]
    Declined,
    #[error("answering a question: the provider could not be reached, or broke off")]
    Unreachable,
    /// What came is cut off, breaks the protocol, says nothing or does not end.
    #[error("answering a question: {0}")]
    Broken(&'static str),
}

/// What was waited for in vain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waited {
    Connection,
    FirstToken,
    NextToken,
    Whole,
}

impl std::fmt::Display for Waited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connection => "the connection",
            Self::FirstToken => "the first word",
            Self::NextToken => "the next word",
            Self::Whole => "the whole answer",
        })
    }
}

/// What a failure says about the next question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TryAgain {
    /// The engine is well; only this question has no answer here.
    NextQuestion,
    /// It counts against the engine's health; not before the time that it named.
    Later(Option<Duration>),
    /// Not before somebody has repaired something.
    OnceRepaired,
    /// Not before a person has acted, or the month is over.
    Never,
}

impl MindError {
    pub const fn try_again(&self) -> TryAgain {
        match self {
            Self::Policy | Self::BoxBusy | Self::Declined => TryAgain::NextQuestion,
            Self::Busy { after } => TryAgain::Later(*after),
            Self::Overloaded | Self::TooLate(..) | Self::Unreachable | Self::Broken(_) => TryAgain::Later(None),
            Self::Rejected { .. } => TryAgain::OnceRepaired,
            Self::Spent => TryAgain::Never,
        }
    }
}
