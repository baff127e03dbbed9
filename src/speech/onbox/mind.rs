//! The box's own mind: it finds the answer in the business's knowledge, by
//! meaning and by words. It makes up nothing: what it answers is written in
//! the file or computed from its hours.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;

use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use super::embedder::{EmbedError, Embedder};
use super::pool::{Pool, Priority};
use super::whisper::MomentSource;
use crate::knowledge::{Found, KnowledgeBase, KnowledgeIndex, Recollection, Topic};
use crate::speech::{CallSetting, MindError, MindEvent, Responder, Thinking};
use crate::terms::{Private, RequestId};

/// From a text to its meaning.
type Meaning = Arc<dyn Fn(&str) -> Result<Vec<f32>, EmbedError> + Send + Sync>;

#[derive(Debug, Error)]
pub enum BuildMind {
    #[error("learning the knowledge file: {0}")]
    Embed(#[source] EmbedError),
    #[error("learning the knowledge file: a thread could not be started")]
    Thread(#[source] std::io::Error),
}

/// The mind's name in records.
const NAME: &str = "knowledge-onbox";

/// The mind. Cheap to share; it serves all calls.
pub struct KnowledgeMind {
    engines: Arc<Engines>,
    pool: Arc<Pool>,
    now: MomentSource,
}

struct Engines {
    index: KnowledgeIndex,
    meaning: Meaning,
}

/// What a question without a call came to.
#[derive(Debug)]
pub struct LookedUp {
    pub found: Found,
    /// False when its meaning could not be computed and words alone decided.
    pub by_meaning: bool,
}

impl Engines {
    /// Finds the answer with the meaning of at most so many texts.
    fn find(
        &self,
        words: &Private<String>,
        remembered: &Recollection,
        now: &jiff::ZonedDateTime,
        texts_max: usize,
    ) -> LookedUp {
        let texts = self.index.texts_to_embed(words.expose());
        let vectors = texts.iter().take(texts_max).map(|text| (self.meaning)(text)).collect::<Result<Vec<_>, _>>();
        let (vectors, by_meaning) = match vectors {
            Ok(vectors) => (vectors, true),
            Err(error) => {
                tracing::warn!(%error, "a question is answered by its words alone");
                (Vec::new(), false)
            }
        };
        LookedUp { found: self.index.find(words.expose(), &vectors, remembered, now), by_meaning }
    }
}

impl KnowledgeMind {
    /// Learns what the business knows: every way to ask and every sentence of
    /// an answer gets its vector, on `threads` threads that end with this call
    /// (some 5 ms of one core each; do it before the first call).
    pub fn build(
        base: KnowledgeBase,
        embedder: Arc<Embedder>,
        threads: usize,
        pool: Arc<Pool>,
        now: MomentSource,
    ) -> Result<Self, BuildMind> {
        let texts: Vec<String> = base.passages().into_iter().map(|passage| passage.text).collect();
        let vectors = learn(&texts, threads, |texts| embedder.embed_all(texts))?;
        let meaning: Meaning = Arc::new(move |text: &str| embedder.embed(text));
        Ok(Self::new(KnowledgeIndex::new(base, Some(vectors)), meaning, pool, now))
    }

    fn new(index: KnowledgeIndex, meaning: Meaning, pool: Arc<Pool>, now: MomentSource) -> Self {
        Self { engines: Arc::new(Engines { index, meaning }), pool, now }
    }

    /// What it knows, ready to be asked without a call.
    pub fn index(&self) -> &KnowledgeIndex {
        &self.engines.index
    }

    /// Answers a question that belongs to no call, as the first of a call would be.
    /// It waits in the same queue as those of callers.
    pub async fn look_up(&self, words: Private<String>, now: jiff::ZonedDateTime) -> Result<LookedUp, MindError> {
        let (tell, told) = oneshot::channel();
        let engines = Arc::clone(&self.engines);
        let think = move || {
            // Whoever asked may have left, before or meanwhile.
            if !tell.is_closed() {
                drop(tell.send(engines.find(&words, &Recollection::default(), &now, usize::MAX)));
            }
        };
        self.pool.submit(Priority::Mind, think).map_err(|_| MindError::Overloaded)?;
        told.await.map_err(|_| MindError::Overloaded)
    }
}

/// The vectors of all texts, in their order. Each thread takes every
/// `threads`th text, so that all have about the same to do.
fn learn<F>(texts: &[String], threads: usize, embed_all: F) -> Result<Vec<Vec<f32>>, BuildMind>
where
    F: Fn(&[String]) -> Result<Vec<Vec<f32>>, EmbedError> + Sync,
{
    let threads = threads.clamp(1, texts.len().max(1));
    let embed_all = &embed_all;
    let mut vectors = vec![Vec::new(); texts.len()];
    std::thread::scope(|scope| {
        let mut learners = Vec::new();
        for first in 0..threads {
            let share: Vec<String> = texts.iter().skip(first).step_by(threads).cloned().collect();
            let builder = Builder::new().name(format!("milu-learn-{first}"));
            let learner = builder.spawn_scoped(scope, move || embed_all(&share)).map_err(BuildMind::Thread)?;
            learners.push(learner);
        }
        for (first, learner) in learners.into_iter().enumerate() {
            // A panic there is ours, and stays one.
            let learnt = learner.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let places = vectors.iter_mut().skip(first).step_by(threads);
            for (place, vector) in places.zip(learnt.map_err(BuildMind::Embed)?) {
                *place = vector;
            }
        }
        Ok(())
    })?;
    Ok(vectors)
}

impl Responder for KnowledgeMind {
    fn name(&self) -> &'static str {
        NAME
    }

    fn open(&self, _setting: &CallSetting, answers: mpsc::Sender<MindEvent>) -> Box<dyn Thinking> {
        Box::new(CallMind {
            engines: Arc::clone(&self.engines),
            pool: Arc::clone(&self.pool),
            now: Arc::clone(&self.now),
            memory: Arc::default(),
            answers,
        })
    }
}

/// What one call has been about.
#[derive(Default)]
struct Memory {
    /// After the last answer that was wanted to the end.
    said: Recollection,
    /// After the last answer given; it becomes `said` when the next question
    /// comes, unless it was abandoned before.
    given: Option<Recollection>,
    /// The question that is being thought about.
    asked: Option<RequestId>,
}

impl Memory {
    /// A new question: an unanswered one is replaced, an answered one was said.
    fn ask(&mut self, request: RequestId) -> Recollection {
        if let Some(given) = self.given.take() {
            self.said = given;
        }
        self.asked = Some(request);
        self.said.clone()
    }

    /// A question that somebody else answers: what was given before was said.
    fn overhear(&mut self) -> Recollection {
        if let Some(given) = self.given.take() {
            self.said = given;
        }
        self.asked = None;
        self.said.clone()
    }

    /// Whether the answer is still wanted; if so, it is remembered as given.
    fn answer(&mut self, request: RequestId, after: Recollection) -> bool {
        let wanted = self.asked == Some(request);
        if wanted {
            self.given = Some(after);
            self.asked = None;
        }
        wanted
    }

    fn abandon(&mut self) {
        self.given = None;
        self.asked = None;
    }

    /// Whether the question was still wanted; if so, it is open no more, and
    /// what was said before stays said.
    fn fail(&mut self, request: RequestId) -> bool {
        let wanted = self.asked == Some(request);
        if wanted {
            self.asked = None;
        }
        wanted
    }
}

/// One call's mind.
struct CallMind {
    engines: Arc<Engines>,
    pool: Arc<Pool>,
    now: MomentSource,
    memory: Arc<Mutex<Memory>>,
    answers: mpsc::Sender<MindEvent>,
}

/// Held for a few moves of memory at a time, never while thinking.
fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Thinking for CallMind {
    fn ask(&mut self, request: RequestId, words: &Private<String>, now: &jiff::ZonedDateTime) {
        self.find(request, words, now, usize::MAX);
    }

    /// A text takes 12 ms of a core. The whole question is nearly always enough for
    /// a model, which knows the rest of what the business knows too.
    fn ask_for_a_model(&mut self, request: RequestId, words: &Private<String>, now: &jiff::ZonedDateTime) {
        self.find(request, words, now, 1);
    }

    fn ask_topic(&mut self, request: RequestId, topic: Topic, now: &jiff::ZonedDateTime) {
        let now = now.clone();
        self.think(request, move |engines, remembered| engines.index.answer_key(topic, remembered, &now));
    }

    fn abandon(&mut self) {
        lock(&self.memory).abandon();
    }

    /// Another mind answers, but this one may be asked what follows on it. It is
    /// understood by its words alone: no model computes, and what is asked next
    /// finds it done.
    fn overheard(&mut self, words: &Private<String>, now: &jiff::ZonedDateTime) {
        let remembered = lock(&self.memory).overhear();
        let found = self.engines.index.find(words.expose(), &[], &remembered, now);
        lock(&self.memory).said = found.memory;
    }
}

impl CallMind {
    /// Finds the answer with the meaning of at most so many texts.
    fn find(&self, request: RequestId, words: &Private<String>, now: &jiff::ZonedDateTime, texts_max: usize) {
        let (words, now) = (words.clone(), now.clone());
        self.think(request, move |engines, remembered| engines.find(&words, remembered, &now, texts_max).found);
    }

    fn think(&self, request: RequestId, find: impl FnOnce(&Engines, &Recollection) -> Found + Send + 'static) {
        let remembered = lock(&self.memory).ask(request);
        let mut question =
            Question { request, memory: Arc::clone(&self.memory), answers: self.answers.clone(), open: true };
        let (engines, clock, asked) = (Arc::clone(&self.engines), Arc::clone(&self.now), (self.now)());
        let think = move || {
            if !question.is_wanted() {
                return;
            }
            let found = find(&engines, &remembered);
            let took = clock().since(asked);
            question.answer(MindEvent::Found { request, finding: found.finding, engine: NAME, took }, found.memory);
        };
        if let Err(error) = self.pool.submit(Priority::Mind, think) {
            // The job was dropped, and with it the question, which says so.
            tracing::warn!(%error, "a question could not be thought about");
        }
    }
}

impl Drop for CallMind {
    /// Nobody listens any more: what waits in the pool may be skipped.
    fn drop(&mut self) {
        lock(&self.memory).abandon();
    }
}

/// A question on its way. If it is dropped without an answer (no place in the
/// pool, a fault of ours), whoever asked is told.
struct Question {
    request: RequestId,
    memory: Arc<Mutex<Memory>>,
    answers: mpsc::Sender<MindEvent>,
    open: bool,
}

impl Question {
    fn is_wanted(&self) -> bool {
        lock(&self.memory).asked == Some(self.request)
    }

    fn answer(&mut self, event: MindEvent, after: Recollection) {
        self.open = false;
        let wanted = lock(&self.memory).answer(self.request, after);
        if wanted {
            self.send(event);
        }
    }

    /// A call takes its answers at once and has one question at a time, so its
    /// sixteen places are never all taken; a closed channel is a call that ended.
    fn send(&self, event: MindEvent) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.answers.try_send(event) {
            tracing::error!("a call does not take its answers; one is lost");
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        let wanted = self.open && lock(&self.memory).fail(self.request);
        if wanted {
            self.send(MindEvent::Failed { request: self.request, error: MindError::Overloaded });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{SyncSender, sync_channel};
    use std::time::Duration;

    use jiff::civil::datetime;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::knowledge::Finding;
    use crate::speech::Hints;
    use crate::speech::onbox::PoolSize;
    use crate::terms::Moment;

    fn base() -> KnowledgeBase {
        let text = include_str!("../../../firmware-config/knowledge/clinic.toml");
        KnowledgeBase::parse("clinic.toml", text).unwrap()
    }

    /// A mind without a model: words alone decide.
    fn mind(pool: &Arc<Pool>) -> KnowledgeMind {
        let meaning: Meaning = Arc::new(|_| Err(EmbedError::Run));
        let clock: MomentSource = Arc::new(|| Moment::START);
        KnowledgeMind::new(KnowledgeIndex::new(base(), None), meaning, Arc::clone(pool), clock)
    }

    fn setting() -> CallSetting {
        CallSetting::on_box(Hints::default())
    }

    fn pool() -> Arc<Pool> {
        Pool::new("test", PoolSize { threads: 1, queue: 4 }).unwrap()
    }

    /// Keeps the pool's only worker busy until the returned sender is dropped.
    fn hold(pool: &Pool) -> SyncSender<()> {
        let (release, held) = sync_channel::<()>(0);
        let (began, begun) = sync_channel(1);
        pool.submit(Priority::Voice, move || {
            began.send(()).unwrap();
            assert!(held.recv().is_err());
        })
        .unwrap();
        begun.recv_timeout(Duration::from_secs(20)).unwrap();
        release
    }

    fn ask(thinking: &mut dyn Thinking, request: u32, words: &str) {
        // A Monday morning in Lagos.
        let now = datetime(2026, 11, 23, 9, 0, 0, 0).to_zoned_datetime(TimeZone::UTC).unwrap();
        thinking.ask(RequestId(request), &Private::new(words.to_owned()), &now);
    }

    #[tokio::test]
    async fn for_a_model_the_meaning_of_the_whole_question_is_enough() {
        let (pool, texts) = (pool(), Arc::new(Mutex::new(Vec::new())));
        let seen = Arc::clone(&texts);
        let meaning: Meaning = Arc::new(move |text: &str| {
            seen.lock().unwrap().push(text.to_owned());
            Ok(vec![1.0])
        });
        let clock: MomentSource = Arc::new(|| Moment::START);
        let mind = KnowledgeMind::new(KnowledgeIndex::new(base(), None), meaning, Arc::clone(&pool), clock);
        let (answers, mut heard) = mpsc::channel(16);
        let mut thinking = mind.open(&setting(), answers);
        let words = "My child has been ill since Monday, and I would like to know how much a malaria test is";
        ask(&mut *thinking, 1, words);
        next(&mut heard).await;
        let all = std::mem::take(&mut *texts.lock().unwrap());
        assert!(all.len() > 1, "{all:?}");
        let now = datetime(2026, 11, 23, 9, 0, 0, 0).to_zoned_datetime(TimeZone::UTC).unwrap();
        thinking.ask_for_a_model(RequestId(2), &Private::new(words.to_owned()), &now);
        next(&mut heard).await;
        assert_eq!(*texts.lock().unwrap(), all[..1]);
    }

    async fn next(heard: &mut mpsc::Receiver<MindEvent>) -> MindEvent {
        tokio::time::timeout(Duration::from_secs(20), heard.recv()).await.unwrap().unwrap()
    }

    async fn answer(heard: &mut mpsc::Receiver<MindEvent>, wanted: u32) -> String {
        match next(heard).await {
            MindEvent::Found { request, finding: Finding::Answer(spoken), .. } if request == RequestId(wanted) => {
                spoken.text.into_exposed()
            }
            other => format!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_question_is_answered_and_a_follow_up_knows_what_it_was_about() {
        let (tell, mut heard) = mpsc::channel(16);
        let mut thinking = mind(&pool()).open(&setting(), tell);
        ask(&mut *thinking, 1, "What time do you close on Friday?");
        assert!(answer(&mut heard, 1).await.contains("close"));
        ask(&mut *thinking, 2, "And on Saturday?");
        assert_eq!(answer(&mut heard, 2).await, "On Saturday we close at two in the afternoon.");
    }

    #[tokio::test]
    async fn an_answer_that_was_abandoned_is_not_what_the_call_was_about() {
        let (tell, mut heard) = mpsc::channel(16);
        let mut thinking = mind(&pool()).open(&setting(), tell);
        ask(&mut *thinking, 1, "What time do you close on Friday?");
        answer(&mut heard, 1).await;
        thinking.abandon();
        ask(&mut *thinking, 2, "And on Saturday?");
        assert!(!answer(&mut heard, 2).await.starts_with("On Saturday we close"));
    }

    fn overhear(thinking: &mut dyn Thinking, words: &str) {
        let now = datetime(2026, 11, 23, 9, 0, 0, 0).to_zoned_datetime(TimeZone::UTC).unwrap();
        thinking.overheard(&Private::new(words.to_owned()), &now);
    }

    #[tokio::test]
    async fn what_another_mind_answered_is_what_a_follow_up_is_about() {
        let (tell, mut heard) = mpsc::channel(16);
        let mut thinking = mind(&pool()).open(&setting(), tell);
        overhear(&mut *thinking, "Do you do ultrasound?");
        ask(&mut *thinking, 1, "How much is it?");
        assert!(answer(&mut heard, 1).await.contains("ten thousand naira"));
        // And so it is after an answer of its own.
        overhear(&mut *thinking, "What time do you close on Friday?");
        ask(&mut *thinking, 2, "And on Saturday?");
        assert_eq!(answer(&mut heard, 2).await, "On Saturday we close at two in the afternoon.");
        assert!(heard.try_recv().is_err(), "what was overheard is answered by nobody here");
    }

    #[tokio::test]
    async fn a_question_that_was_overheard_and_not_understood_leaves_the_subject_alone() {
        let (tell, mut heard) = mpsc::channel(16);
        let mut thinking = mind(&pool()).open(&setting(), tell);
        ask(&mut *thinking, 1, "What time do you close on Friday?");
        answer(&mut heard, 1).await;
        overhear(&mut *thinking, "Is that so, really?");
        ask(&mut *thinking, 2, "And on Saturday?");
        assert_eq!(answer(&mut heard, 2).await, "On Saturday we close at two in the afternoon.");
    }

    #[tokio::test]
    async fn a_newer_question_replaces_one_that_waits() {
        let pool = pool();
        let (tell, mut heard) = mpsc::channel(16);
        let mut thinking = mind(&pool).open(&setting(), tell);
        let held = hold(&pool);
        ask(&mut *thinking, 1, "What time do you close on Friday?");
        ask(&mut *thinking, 2, "Are you open now?");
        drop(held);
        assert!(answer(&mut heard, 2).await.contains("open now"));
        // One worker: what was asked first has been passed over by now.
        assert!(heard.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_question_that_finds_no_place_is_said_to_have_failed() {
        let pool = pool();
        let (tell, mut heard) = mpsc::channel(16);
        let mut thinking = mind(&pool).open(&setting(), tell);
        let held = hold(&pool);
        for _ in 0..4 {
            pool.submit(Priority::Mind, || {}).unwrap();
        }
        ask(&mut *thinking, 1, "Are you open now?");
        assert!(matches!(next(&mut heard).await, MindEvent::Failed { request: RequestId(1), .. }));
        drop(held);
    }

    #[tokio::test]
    async fn a_model_that_panics_costs_one_question_and_not_the_mind() {
        let (tell, mut heard) = mpsc::channel(16);
        let pool = pool();
        let meaning: Meaning =
            Arc::new(|text| if text.contains("boom") { panic!("meant by the test") } else { Err(EmbedError::Run) });
        let clock: MomentSource = Arc::new(|| Moment::START);
        let mind = KnowledgeMind::new(KnowledgeIndex::new(base(), None), meaning, pool, clock);
        let mut thinking = mind.open(&setting(), tell);
        ask(&mut *thinking, 1, "boom");
        assert!(matches!(next(&mut heard).await, MindEvent::Failed { request: RequestId(1), .. }));
        ask(&mut *thinking, 2, "Are you open now?");
        assert!(answer(&mut heard, 2).await.contains("open now"));
    }

    #[tokio::test]
    async fn two_calls_do_not_share_what_they_were_about() {
        let mind = mind(&pool());
        let (tell, mut heard) = mpsc::channel(16);
        let (mut one, mut other) = (mind.open(&setting(), tell.clone()), mind.open(&setting(), tell));
        ask(&mut *one, 1, "What time do you close on Friday?");
        answer(&mut heard, 1).await;
        ask(&mut *other, 2, "And on Saturday?");
        assert!(!answer(&mut heard, 2).await.starts_with("On Saturday we close"));
    }

    #[test]
    fn learning_keeps_the_order_of_the_sentences_on_any_number_of_threads() {
        #[allow(clippy::cast_precision_loss)]
        let embed_all = |texts: &[String]| Ok(texts.iter().map(|text| vec![text.len() as f32]).collect());
        let texts: Vec<String> = (1..=7).map(|n| "x".repeat(n)).collect();
        for threads in [0, 1, 2, 3, 7, 9] {
            let vectors = learn(&texts, threads, embed_all).unwrap();
            assert_eq!(vectors.concat(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], "{threads}");
        }
        assert!(learn(&[], 2, embed_all).unwrap().is_empty());
    }

    #[test]
    fn a_model_that_fails_while_learning_fails_the_build() {
        let texts = ["a", "b", "c", "bad"].map(str::to_owned);
        let embed_all = |texts: &[String]| {
            if texts.iter().any(|text| text == "bad") { Err(EmbedError::Run) } else { Ok(vec![vec![1.0]; texts.len()]) }
        };
        assert!(matches!(learn(&texts, 2, embed_all), Err(BuildMind::Embed(EmbedError::Run))));
    }
}
