use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::ZonedDateTime;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::ask::{Ask, Facts, Purpose, WARMING_MAX};
use super::config::Dialect;
use super::delta::{Stop, TokensUsed};
use super::history::History;
use super::metered::Metered;
use super::prompt;
use super::question::{OwnAnswers, Question};
use super::tools::{Knows, Tools};
use crate::egress::{Door, Usage};
use crate::knowledge::Topic;
use crate::knowledge::facts::{FactKind, KnownFacts};
use crate::residency::{DataClass, Verdict};
use crate::speech::onbox::MomentSource;
use crate::speech::{CallSetting, MindEvent, Responder, Thinking};
use crate::terms::{CallId, Moment, Private, RequestId};

/// What a question holds: the caller's words, what the box said, and the
/// business's own facts. The caller's number is not among it.
pub(super) const QUESTION: [DataClass; 3] = [DataClass::Transcript, DataClass::Reply, DataClass::Knowledge];

/// Answers of the box's own mind on their way; it has one question at a time.
const OWN_ANSWERS: usize = 16;

/// The provider keeps the knowledge for an hour after its last use; it is read
/// to it again somewhat before.
const WARM_FOR: Duration = Duration::from_secs(50 * 60);

/// An answer of one token.
const WARM_ANSWER_MAX: usize = 64 * 1024;

/// Who hears of what a mind does besides answering. Nothing here waits.
pub trait Witness: Send + Sync {
    /// What an answer cost, and where the provider says that it was computed.
    fn used(&self, _call: Option<CallId>, _model: &str, _used: &TokensUsed) {}

    /// A sentence was held back, because it named a fact that is not known.
    fn held_back(&self, _call: Option<CallId>, _kind: FactKind) {}

    /// The provider cut an answer in its middle. What was said of it stands, so that no
    /// other engine is asked.
    fn cut_short(&self, _call: Option<CallId>, _stop: Stop) {}
}

/// A witness who forgets.
impl Witness for () {}

/// What a mind is made of.
pub struct MindParts {
    pub dialect: Dialect,
    pub door: Door,
    /// The box's own mind, which is asked first.
    pub onbox: Arc<dyn Responder>,
    pub knows: Arc<dyn Knows>,
    pub tools: Arc<dyn Tools>,
    pub witness: Arc<dyn Witness>,
    pub tasks: TaskTracker,
    pub runtime: Handle,
    pub now: MomentSource,
}

/// A language model behind the door, with the box's own mind beside it. Cheap
/// to share; it serves all calls.
pub struct CloudMind {
    shared: Arc<Shared>,
}

/// What all calls share.
pub(super) struct Shared {
    pub dialect: Arc<Dialect>,
    pub door: Door,
    pub onbox: Arc<dyn Responder>,
    pub knows: Arc<dyn Knows>,
    pub tools: Arc<dyn Tools>,
    pub witness: Arc<dyn Witness>,
    pub known: Arc<KnownFacts>,
    pub knowledge: Arc<str>,
    pub now: MomentSource,
    tasks: TaskTracker,
    runtime: Handle,
    /// When the provider was last read the knowledge.
    warmed: Mutex<Option<Moment>>,
    /// The region that the policy asked for when it computed elsewhere: nothing more is
    /// sent to it under a policy that asks for that one. Held for a look.
    strayed_from: Mutex<Option<String>>,
}

impl CloudMind {
    pub fn new(parts: MindParts) -> Self {
        let base = parts.knows.index().base();
        let shared = Shared {
            known: Arc::new(KnownFacts::new(base)),
            knowledge: prompt::knowledge(base).into(),
            dialect: Arc::new(parts.dialect),
            door: parts.door,
            onbox: parts.onbox,
            knows: parts.knows,
            tools: parts.tools,
            witness: parts.witness,
            now: parts.now,
            tasks: parts.tasks,
            runtime: parts.runtime,
            warmed: Mutex::default(),
            strayed_from: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }
}

impl fmt::Debug for CloudMind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudMind").field("name", &self.shared.dialect.name()).finish_non_exhaustive()
    }
}

impl Responder for CloudMind {
    fn name(&self) -> &'static str {
        self.shared.dialect.name()
    }

    fn amiss(&self) -> Option<String> {
        let region = self.shared.door.region_asked(self.shared.dialect.destination())?;
        let sentence = || {
            format!(
                "{} computed elsewhere than in `{region}`, where the policy asks for it, and is asked no more; the \
                 next engine serves calls. Put its account right and start the box anew, or have the policy ask for \
                 another region.",
                self.name()
            )
        };
        self.shared.has_strayed(Some(&region)).then(sentence)
    }

    /// Opens it when the call is offered: while it rings, the provider reads the
    /// business's knowledge and a connection is made.
    fn open(&self, setting: &CallSetting, answers: mpsc::Sender<MindEvent>) -> Box<dyn Thinking> {
        let (tell, own_answers) = mpsc::channel(OWN_ANSWERS);
        let mind = CallMind {
            onbox: self.shared.onbox.open(setting, tell),
            shared: Arc::clone(&self.shared),
            setting: setting.clone(),
            answers,
            own_answers: Arc::new(tokio::sync::Mutex::new(OwnAnswers { answers: own_answers, left: None })),
            asked_last: Arc::default(),
            history: Arc::default(),
            asked: None,
            ended: CancellationToken::new(),
        };
        mind.warm();
        Box::new(mind)
    }
}

impl Shared {
    /// Whether it was asked for this region before, and computed elsewhere.
    pub fn has_strayed(&self, region: Option<&str>) -> bool {
        let strayed_from = self.strayed_from.lock().unwrap_or_else(PoisonError::into_inner);
        strayed_from.is_some() && strayed_from.as_deref() == region
    }

    /// Where a question of this call is to be computed, if the policy asks for a place.
    fn region(&self, setting: &CallSetting) -> Option<String> {
        setting.gate.decide(&QUESTION, self.dialect.destination()).and_then(|d| d.safeguards.inference_region)
    }

    /// Tells what an answer cost, and holds the provider to its region.
    pub fn account(&self, call: Option<CallId>, region: Option<&str>, used: &TokensUsed) {
        let destination = self.dialect.destination();
        self.door.used(call, destination, Usage::TokensIn(used.input));
        self.door.used(call, destination, Usage::TokensInKept(used.cache_read));
        self.door.used(call, destination, Usage::TokensInToKeep(used.cache_written));
        self.door.used(call, destination, Usage::TokensOut(used.output));
        if let Some(geo) = &used.inference_geo {
            self.door.computed_in(call, destination, geo);
        }
        self.witness.used(call, self.dialect.model(), used);
        let elsewhere = |asked: &&str| used.inference_geo.as_deref().is_some_and(|geo| geo != *asked);
        if let Some(asked) = region.filter(elsewhere) {
            tracing::error!(%destination, "the provider computed elsewhere than the policy asks; it is asked no more");
            *self.strayed_from.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked.to_owned());
        }
    }

    /// A question for `setting`'s call, without its turns.
    pub fn blank(&self, setting: &CallSetting, purpose: Purpose) -> Ask {
        let destination = self.dialect.destination();
        let knowledge = setting.gate.decide(&[DataClass::Knowledge], destination);
        let raw = knowledge.is_some_and(|d| d.verdict == Verdict::Raw);
        Ask {
            dialect: Arc::clone(&self.dialect),
            host: setting.gate.host(destination, self.dialect.host()),
            purpose,
            knowledge: Arc::clone(&self.knowledge),
            today: String::new(),
            tools: self.tools.offered(),
            turns: Vec::new(),
            region: self.region(setting),
            facts: if raw { Facts::Stay } else { Facts::AreRedactedToo },
        }
    }

    /// Whether it is time to read the provider the knowledge; if so, it is taken as done.
    fn is_cold(&self) -> bool {
        let now = (self.now)();
        let mut warmed = self.warmed.lock().unwrap_or_else(PoisonError::into_inner);
        let cold = warmed.is_none_or(|at| now.since(at) >= WARM_FOR);
        if cold {
            *warmed = Some(now);
        }
        cold
    }

    fn stay_cold(&self) {
        *self.warmed.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// One call's mind.
struct CallMind {
    shared: Arc<Shared>,
    setting: CallSetting,
    onbox: Box<dyn Thinking>,
    answers: mpsc::Sender<MindEvent>,
    /// Only the latest question reads it; an older one has been ended.
    own_answers: Arc<tokio::sync::Mutex<OwnAnswers>>,
    asked_last: Arc<AtomicU32>,
    history: Arc<Mutex<History>>,
    /// Ends the question under way when it is dropped.
    asked: Option<DropGuard>,
    ended: CancellationToken,
}

/// Held for a few moves of text at a time.
pub(super) fn lock(history: &Mutex<History>) -> MutexGuard<'_, History> {
    history.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Thinking for CallMind {
    fn ask(&mut self, request: RequestId, words: &Private<String>, now: &ZonedDateTime) {
        self.asked = None;
        self.asked_last.store(request.0, Ordering::Release);
        lock(&self.history).ask(words.expose());
        self.onbox.ask_for_a_model(request, words, now);
        let question = self.question(request, now, Some(words.clone()));
        self.start(question);
    }

    /// A key of the menu needs no model: what it is for stands in the file.
    fn ask_topic(&mut self, request: RequestId, topic: Topic, now: &ZonedDateTime) {
        self.asked = None;
        self.asked_last.store(request.0, Ordering::Release);
        lock(&self.history).ask("(The caller presses a key of the menu.)");
        self.onbox.ask_topic(request, topic, now);
        let question = self.question(request, now, None);
        self.start(question);
    }

    fn abandon(&mut self) {
        self.asked = None;
        self.onbox.abandon();
        lock(&self.history).abandon();
    }

    /// A connection that has waited for a minute is none any more, and another costs
    /// a question three round trips.
    fn caller_speaks(&mut self) {
        self.warm();
    }

    fn said(&mut self, text: &Private<String>) {
        lock(&self.history).heard(text.expose());
        self.onbox.said(text);
    }

    fn overheard(&mut self, words: &Private<String>, now: &ZonedDateTime) {
        self.asked = None;
        lock(&self.history).ask(words.expose());
        self.onbox.overheard(words, now);
    }
}

impl CallMind {
    fn question(&self, request: RequestId, now: &ZonedDateTime, words: Option<Private<String>>) -> Question {
        Question {
            request,
            words,
            now: now.clone(),
            asked_at: (self.shared.now)(),
            shared: Arc::clone(&self.shared),
            setting: self.setting.clone(),
            answers: self.answers.clone(),
            own_answers: Arc::clone(&self.own_answers),
            asked_last: Arc::clone(&self.asked_last),
            history: Arc::clone(&self.history),
        }
    }

    fn start(&mut self, question: Question) {
        let end = self.ended.child_token();
        self.asked = Some(end.clone().drop_guard());
        let work = async move {
            // The request is dropped with the work, which closes its connection.
            tokio::select! {
                biased;
                () = end.cancelled() => {}
                () = question.answer() => {}
            }
        };
        self.shared.tasks.spawn_on(work, &self.shared.runtime);
    }

    /// While it rings, and when the caller speaks: the provider reads the knowledge
    /// if it may have forgotten it, or a connection is made if there is none.
    fn warm(&self) {
        let destination = self.shared.dialect.destination();
        // Who may not ask a question need not be prepared for one.
        let region = self.shared.region(&self.setting);
        if self.shared.has_strayed(region.as_deref()) || !self.setting.gate.may_go(&QUESTION, destination) {
            return;
        }
        let (shared, setting, ended) = (Arc::clone(&self.shared), self.setting.clone(), self.ended.clone());
        let work = async move {
            let reading = shared.is_cold();
            tokio::select! {
                () = ended.cancelled() => {
                    // A part of it was read at most: the next call begins anew.
                    if reading {
                        shared.stay_cold();
                    }
                }
                warmed = tokio::time::timeout(WARMING_MAX, warm(&shared, &setting, reading)) => match warmed {
                    Ok(Ok(())) => {}
                    Ok(Err(NotWarmed)) | Err(_) => shared.stay_cold(),
                }
            }
        };
        self.shared.tasks.spawn_on(work, &self.shared.runtime);
    }
}

impl Drop for CallMind {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

/// Why does not matter: the first question will say it.
struct NotWarmed;

/// Has the knowledge read if it is to be; otherwise a connection is made.
async fn warm(shared: &Shared, setting: &CallSetting, reading: bool) -> Result<(), NotWarmed> {
    let destination = shared.dialect.destination();
    let within = crate::egress::Within { connect: shared.dialect.deadlines().connect, answer: WARMING_MAX };
    if !reading {
        let host = setting.gate.host(destination, shared.dialect.host());
        let warming = crate::egress::Warming { host, within };
        let cleared = setting.gate.clear(&[DataClass::Knowledge], destination, warming).map_err(|_| NotWarmed)?;
        return shared.door.warm(setting.call, cleared).await.map_err(|_| NotWarmed);
    }
    let mut ask = shared.blank(setting, Purpose::Warm);
    ask.turns = History::only("Hello");
    let region = ask.region.clone();
    let cleared = setting.gate.clear(&[DataClass::Knowledge], destination, ask).map_err(|_| NotWarmed)?;
    let mut answer = shared.door.request(setting.call, cleared).await.map_err(|error| {
        tracing::debug!(%error, "the mind was not warmed up");
        NotWarmed
    })?;
    let status = answer.status;
    if !(200..300).contains(&status) {
        tracing::warn!(status, "the mind's provider refuses to read the knowledge");
        // Read to its end, it leaves a connection that can be used again.
        answer.whole(WARM_ANSWER_MAX).await.map_err(|_| NotWarmed)?;
        return Err(NotWarmed);
    }
    // What it cost is told while its row of the register is open.
    let mut reading = Metered::new(shared, setting.call, region);
    let mut room = WARM_ANSWER_MAX;
    while let Some(piece) = answer.chunk().await.map_err(|_| NotWarmed)? {
        room = room.checked_sub(piece.len()).ok_or(NotWarmed)?;
        reading.feed(&piece);
    }
    Ok(())
}
