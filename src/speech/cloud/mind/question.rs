use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::ZonedDateTime;
use tokio::sync::mpsc;

use super::ask::{Ask, Part, Purpose, Side, Turn};
use super::delta::Delta;
use super::history::{History, OpenQuestion};
use super::metered::Metered;
use super::prompt;
use super::reply::{Reply, Step};
use super::responder::{QUESTION, Shared, lock};
use super::tools::{Tool, ToolOutcome, input_of};
use crate::call::phrases;
use crate::egress::{HttpAnswer, SendError};
use crate::knowledge::{Finding, Spoken};
use crate::speech::{CallSetting, MindError, MindEvent, Waited};
use crate::terms::{Moment, Private, RequestId};

/// How often tools may be used for one answer. The knowledge stands in the
/// question already; who looks up three times will not find it.
const ROUNDS_MAX: usize = 3;

/// How long the box's own mind may take. It takes 20 ms; when all cores are at
/// work, some more. Without it the model is asked all the same.
const OWN_MAX: Duration = Duration::from_millis(400);

/// What is read of an answer that is an error, and for how long.
const REFUSAL_MAX: usize = 16 * 1024;
const REFUSAL_PATIENCE: Duration = Duration::from_millis(500);

/// How long the end of a stream is waited for once the answer is whole, so that
/// the connection can be used again.
const END_PATIENCE: Duration = Duration::from_millis(300);

/// How often whoever waits is told that something comes: often against the second
/// that is waited for a sign, and seldom against the fifty tokens of a second.
const ALIVE_EVERY: Duration = Duration::from_millis(250);

/// One question under way.
pub(super) struct Question {
    pub request: RequestId,
    /// None for a key of the menu, which the box answers itself.
    pub words: Option<Private<String>>,
    pub now: ZonedDateTime,
    pub asked_at: Moment,
    pub shared: Arc<Shared>,
    pub setting: CallSetting,
    pub answers: mpsc::Sender<MindEvent>,
    pub own_answers: Arc<tokio::sync::Mutex<OwnAnswers>>,
    /// The id of the call's latest question.
    pub asked_last: Arc<AtomicU32>,
    pub history: Arc<Mutex<History>>,
}

/// What comes from the box's own mind.
pub(super) struct OwnAnswers {
    pub answers: mpsc::Receiver<MindEvent>,
    /// Met by a question that it does not answer.
    pub left: Option<MindEvent>,
}

/// What the box's own mind says.
enum Own {
    /// It needs no model.
    Settled(Box<MindEvent>),
    Question(Option<Finding>),
}

/// How a round ended.
enum Ended {
    Over,
    /// What the model did, and what the tools said.
    Tools([Turn; 2]),
}

impl Question {
    pub async fn answer(self) {
        match self.own().await {
            Own::Settled(event) => self.tell(*event).await,
            Own::Question(finding) => {
                if let Err(error) = self.ask_model(finding).await {
                    self.tell(MindEvent::Failed { request: self.request, error }).await;
                }
            }
        }
    }

    /// A call that is gone takes no answer, and needs none.
    async fn tell(&self, event: MindEvent) {
        if self.answers.send(event).await.is_err() {
            tracing::debug!("an answer came after its call");
        }
    }

    // ---- the box's own mind ------------------------------------------------

    async fn own(&self) -> Own {
        let event = match tokio::time::timeout(OWN_MAX, self.own_answer()).await {
            Ok(Some(event)) => event,
            Ok(None) | Err(_) if self.words.is_none() || lock(&self.history).is_of_message() => {
                let error = MindError::BoxBusy;
                return Own::Settled(Box::new(MindEvent::Failed { request: self.request, error }));
            }
            Ok(None) | Err(_) => return Own::Question(None),
        };
        let MindEvent::Found { request, finding, engine, took } = event else { return Own::Question(None) };
        let settled = |finding: Finding| {
            match &finding {
                Finding::Courtesy(spoken) | Finding::Answer(spoken) => {
                    lock(&self.history).answered(spoken.text.expose());
                }
                Finding::LeaveMessage => lock(&self.history).take_message(),
                _ => {}
            }
            Own::Settled(Box::new(MindEvent::Found { request, finding, engine, took }))
        };
        if self.words.is_none() || lock(&self.history).is_of_message() {
            return settled(finding);
        }
        let open = lock(&self.history).open_before();
        match (finding, open) {
            (finding @ (Finding::Answer(_) | Finding::Maybe(_) | Finding::Unknown), _) => Own::Question(Some(finding)),
            // A yes or no to what the model asked.
            (Finding::Yes | Finding::Backchannel, Some(OpenQuestion::Message)) => settled(Finding::LeaveMessage),
            (Finding::Yes | Finding::Backchannel, Some(OpenQuestion::Person)) => {
                settled(Finding::Person { name: None })
            }
            (Finding::No, Some(OpenQuestion::Message | OpenQuestion::Person)) => {
                let text = Private::new(phrases::NO_MESSAGE.to_owned());
                settled(Finding::Courtesy(Spoken { text, entry: None }))
            }
            (Finding::Yes | Finding::No | Finding::Backchannel, Some(OpenQuestion::Other)) => Own::Question(None),
            (finding, _) => settled(finding),
        }
    }

    /// What the box's own mind answers to this question. An older question that
    /// ends just now may meet the answer to a newer one, and leaves it to it.
    async fn own_answer(&self) -> Option<MindEvent> {
        let mut own = self.own_answers.lock().await;
        loop {
            let event = match own.left.take() {
                Some(event) => event,
                None => own.answers.recv().await?,
            };
            match event {
                MindEvent::Found { request, .. } if request == self.request => return Some(event),
                MindEvent::Failed { request, .. } if request == self.request => return None,
                MindEvent::Found { request, .. } | MindEvent::Failed { request, .. } if self.is_older_than(request) => {
                    own.left = Some(event);
                    return None;
                }
                _ => {}
            }
        }
    }

    fn is_older_than(&self, other: RequestId) -> bool {
        self.asked_last.load(Ordering::Acquire) == other.0
    }

    // ---- the model -----------------------------------------------------------

    async fn ask_model(&self, finding: Option<Finding>) -> Result<(), MindError> {
        let words = self.words.as_ref().map_or("", |w| w.expose());
        let base = self.shared.knows.index().base();
        let note = prompt::note(base, &self.now, finding.as_ref());
        let mut turns = lock(&self.history).turns(Some(note));
        let mut reply = Reply::new(Arc::clone(&self.shared.known), &self.now, words, finding);
        let whole = self.shared.dialect.deadlines().whole;
        let rounds = async {
            for round in 0..=ROUNDS_MAX {
                let purpose = if round < ROUNDS_MAX { Purpose::Answer } else { Purpose::LastAnswer };
                let mut ask = self.shared.blank(&self.setting, purpose);
                ask.today = prompt::today(base, &self.now);
                ask.turns.clone_from(&turns);
                match self.round(ask, &mut reply).await? {
                    Ended::Over => return Ok(()),
                    Ended::Tools(more) => turns.extend(more),
                }
            }
            self.over(Some(Finding::Unknown)).await;
            Ok(())
        };
        match tokio::time::timeout(whole, rounds).await {
            Ok(ended) => ended,
            Err(_) => Err(MindError::TooLate(Waited::Whole, whole)),
        }
    }

    /// Asks once, and says what comes of it.
    async fn round(&self, ask: Ask, reply: &mut Reply) -> Result<Ended, MindError> {
        let shared = &self.shared;
        let deadlines = shared.dialect.deadlines();
        let region = ask.region.clone();
        if shared.has_strayed(region.as_deref()) {
            return Err(MindError::Policy);
        }
        let cleared = self.setting.gate.clear(&QUESTION, shared.dialect.destination(), ask).map_err(|refused| {
            tracing::info!(%refused, "a question stays on the box");
            MindError::Policy
        })?;
        let sent_at = (shared.now)();
        if reply.has_used_tools() {
            self.tell(MindEvent::Alive { request: self.request }).await;
        }
        let mut answer = shared.door.request(self.setting.call, cleared).await.map_err(|error| failed(&error))?;
        if !(200..300).contains(&answer.status) {
            return Err(self.refusal(answer).await);
        }
        // After the answer, so that it ends before it.
        let mut reading = Metered::new(shared, self.setting.call, region);
        let mut waiting = Waiting::FirstToken;
        let mut told_alive = None;
        loop {
            let elapsed = (shared.now)().since(sent_at);
            let (waited, limit, patience) = match waiting {
                Waiting::FirstToken => {
                    (Waited::FirstToken, deadlines.first_token, deadlines.first_token.saturating_sub(elapsed))
                }
                Waiting::FirstWord => {
                    (Waited::FirstToken, deadlines.first_word, deadlines.first_word.saturating_sub(elapsed))
                }
                Waiting::More(at) => {
                    (Waited::NextToken, deadlines.gap, deadlines.gap.saturating_sub((shared.now)().since(at)))
                }
            };
            let piece = match tokio::time::timeout(patience, answer.chunk()).await {
                Ok(piece) => piece.map_err(|error| failed(&error))?,
                Err(_) => return Err(MindError::TooLate(waited, limit)),
            };
            let at_end = piece.is_none();
            let deltas = match piece {
                Some(bytes) => reading.feed(&bytes),
                None => reading.finish(),
            };
            let now = (shared.now)();
            let is_alive = deltas.iter().any(Delta::is_of_the_answer);
            if is_alive && told_alive.is_none_or(|at| now.since(at) >= ALIVE_EVERY) {
                told_alive = Some(now);
                self.tell(MindEvent::Alive { request: self.request }).await;
            }
            for delta in deltas {
                waiting = waiting.after(&delta, now);
                for step in reply.take(delta) {
                    let Some(ended) = self.step(step, reply).await? else { continue };
                    // Nothing is left of an answer that was read to its end.
                    if !at_end && reading.finish().is_empty() {
                        drain(answer).await;
                    }
                    return Ok(ended);
                }
            }
            if at_end {
                return Err(MindError::Broken("the answer breaks off"));
            }
        }
    }

    async fn step(&self, step: Step, reply: &mut Reply) -> Result<Option<Ended>, MindError> {
        match step {
            Step::Say(spoken) => {
                lock(&self.history).made(spoken.text.expose());
                let took = (self.shared.now)().since(self.asked_at);
                let engine = self.shared.dialect.name();
                self.tell(MindEvent::Sentence { request: self.request, spoken, engine, took }).await;
            }
            Step::HeldBack(kind) => {
                tracing::warn!(?kind, "a reply named a fact that is not the business's; the box says its own");
                self.shared.witness.held_back(self.setting.call, kind);
            }
            Step::CutShort(stop) => self.shared.witness.cut_short(self.setting.call, stop),
            Step::UseTools(_) => return self.use_tools(reply).await.map(Some),
            Step::Over(then) => {
                self.over(then).await;
                return Ok(Some(Ended::Over));
            }
            Step::Fail(error) => return Err(error),
        }
        Ok(None)
    }

    async fn over(&self, then: Option<Finding>) {
        if then == Some(Finding::LeaveMessage) {
            lock(&self.history).take_message();
        }
        self.tell(MindEvent::Over { request: self.request, then }).await;
    }

    /// Uses the tools that the model asked for; the first that ends the answer
    /// is the last that is used.
    async fn use_tools(&self, reply: &mut Reply) -> Result<Ended, MindError> {
        let round = reply.take_round();
        // A provider refuses a thought whose turn is another than the model wrote. It
        // takes a turn without thoughts where the model decides whether it thinks.
        let thoughts = if round.is_as_written() { round.thoughts } else { Vec::new() };
        let mut asked: Vec<Part> = thoughts.into_iter().map(|t| Part::Thought(t.into_exposed())).collect();
        if !round.text.trim().is_empty() {
            asked.push(Part::Words(round.text));
        }
        let mut results = Vec::new();
        for tool in round.tools {
            let input = input_of(&tool);
            let outcome = self.use_tool(&tool.name, &input, reply);
            let (text, refused) = match outcome {
                ToolOutcome::Then(finding) => {
                    self.over(Some(finding)).await;
                    return Ok(Ended::Over);
                }
                ToolOutcome::Told(text) => {
                    reply.tool_said(text.expose());
                    (text.into_exposed(), false)
                }
                ToolOutcome::Refused(why) => (why.to_owned(), true),
            };
            results.push(Part::Result { id: tool.id.clone(), text, refused });
            asked.push(Part::Use { id: tool.id, name: tool.name, input });
        }
        Ok(Ended::Tools([Turn { side: Side::Model, parts: asked }, Turn { side: Side::Caller, parts: results }]))
    }

    fn use_tool(&self, name: &str, input: &[(String, String)], reply: &mut Reply) -> ToolOutcome {
        let tool = Tool::named(name).filter(|tool| self.shared.tools.offered().contains(tool));
        let Some(tool) = tool else { return ToolOutcome::Refused("There is no such tool.") };
        // Each tool has one value at most, whatever the model calls it.
        let value = Private::new(input.first().map_or_else(String::new, |(_, value)| value.clone()));
        if tool == Tool::SendSms && !reply.may_write(value.expose()) {
            return ToolOutcome::Refused("The message names a fact that the business did not. Leave it out.");
        }
        self.shared.tools.run(tool, &value, &self.now)
    }

    async fn refusal(&self, mut answer: HttpAnswer) -> MindError {
        let status = answer.status;
        let names = ["retry-after", "retry-after-ms"];
        let headers = names.map(|name| (name, answer.header(name).map(str::to_owned)));
        let body = match tokio::time::timeout(REFUSAL_PATIENCE, answer.whole(REFUSAL_MAX)).await {
            Ok(Ok(body)) => body,
            // The status says enough.
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
        let header = |name: &str| headers.iter().find(|(n, _)| *n == name).and_then(|(_, value)| value.as_deref());
        self.shared.dialect.refusal(status, header, &body)
    }
}

/// Which piece of an answer is waited for.
#[derive(Clone, Copy)]
enum Waiting {
    FirstToken,
    /// It thinks.
    FirstWord,
    More(Moment),
}

impl Waiting {
    const fn after(self, delta: &Delta, now: Moment) -> Self {
        match (self, delta) {
            (Self::FirstToken | Self::FirstWord, Delta::Thinking | Delta::Thought(_)) => Self::FirstWord,
            (_, Delta::Text(_) | Delta::ToolGrows | Delta::Tool(_)) => Self::More(now),
            (Self::More(_), _) => Self::More(now),
            _ => self,
        }
    }
}

/// Reads the end of a stream whose answer is whole, so that its connection can
/// be used again. One that is left in its middle is dropped instead, which
/// closes the connection and spares the rest.
async fn drain(mut answer: HttpAnswer) {
    let rest = async { while let Ok(Some(_)) = answer.chunk().await {} };
    if tokio::time::timeout(END_PATIENCE, rest).await.is_err() {
        tracing::debug!("a provider does not end its stream; the connection is closed");
    }
}

/// What the door says, in terms of what to do next.
fn failed(error: &SendError) -> MindError {
    tracing::debug!(%error, "a question did not go through");
    match error {
        SendError::ConnectTimedOut { within, .. } => MindError::TooLate(Waited::Connection, *within),
        SendError::AnswerTimedOut { within, .. } => MindError::TooLate(Waited::FirstToken, *within),
        SendError::HeldBack(_) | SendError::Malformed { .. } => MindError::Policy,
        SendError::Protocol { .. } | SendError::TooLarge { .. } => {
            MindError::Broken("the answer breaks the protocol of the wire")
        }
        SendError::Resolve { .. }
        | SendError::Connect { .. }
        | SendError::Certificate { .. }
        | SendError::Handshake { .. }
        | SendError::Redirect { .. }
        | SendError::Closed { .. } => MindError::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::HeldBack;
    use crate::residency::DestinationId;
    use crate::speech::TryAgain;

    #[test]
    fn what_the_door_refuses_for_the_box_is_no_fault_of_the_provider() {
        let destination = DestinationId::parse("anthropic").unwrap();
        let spent = HeldBack::BudgetSpent { destination: destination.clone() };
        for held in [spent, HeldBack::SafeguardMissing { destination }] {
            let error = SendError::from(held);
            assert_eq!(failed(&error), MindError::Policy, "{error}");
            assert_eq!(failed(&error).try_again(), TryAgain::NextQuestion, "{error}");
        }
    }
}
