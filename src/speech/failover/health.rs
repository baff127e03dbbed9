use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::call::{EngineStage, Failover, WhyLeft};
use crate::knowledge::facts::FactKind;
use crate::ops::{HealthFact, HealthState};
use crate::speech::cloud::mind::{Stop, Witness};
use crate::terms::{CallId, Moment};

use super::breaker::{Breaker, BreakerRules, Standing};
use super::fault::Fault;

/// Numbers from 0 to 1, as a driver holds their source, so that a test can hand
/// in its own.
pub type Chance = Arc<dyn Fn() -> f32 + Send + Sync>;

/// What one engine has done since the box started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Pieces of work that it did.
    pub done: u64,
    /// Pieces of work that it was given and failed.
    pub failed: u64,
    /// How often it was left for another engine in the middle of its work.
    pub left: u64,
    /// How often it was tried while it was left alone.
    pub probes: u64,
    /// Sentences of it that were not said, because they named a fact that is not
    /// the business's.
    pub held_back: u64,
    /// Answers of it that its provider cut in their middle, and that ended there.
    pub cut_short: u64,
}

/// One engine's health, which all calls share. A box that starts, or that is
/// given another configuration, begins with a new one.
pub struct EngineHealth {
    stage: EngineStage,
    name: &'static str,
    state: Mutex<State>,
    chance: Chance,
}

struct State {
    breaker: Breaker,
    counters: Counters,
    last_fault: Option<WhyLeft>,
}

impl EngineHealth {
    pub fn new(stage: EngineStage, name: &'static str, rules: BreakerRules, chance: Chance) -> Arc<Self> {
        let state = State { breaker: Breaker::new(rules), counters: Counters::default(), last_fault: None };
        Arc::new(Self { stage, name, state: Mutex::new(state), chance })
    }

    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub fn standing(&self, now: Moment) -> Standing {
        self.lock().breaker.standing(now)
    }

    pub fn last_success(&self) -> Option<Moment> {
        self.lock().breaker.last_success()
    }

    pub fn counters(&self) -> Counters {
        self.lock().counters
    }

    pub(super) fn begin_probe(&self, now: Moment) -> bool {
        let mut state = self.lock();
        // An engine that let one call down and is well otherwise is tried too.
        let begun = state.breaker.standing(now) == Standing::Healthy || state.breaker.begin_probe(now);
        state.counters.probes += u64::from(begun);
        begun
    }

    /// A try that was begun at `begun` and never came to the engine is none.
    pub(super) fn take_back_probe(&self, begun: Moment, now: Moment) {
        let mut state = self.lock();
        state.counters.probes = state.counters.probes.saturating_sub(1);
        state.breaker.take_back_probe(begun, now);
    }

    pub(super) fn succeeded(&self, now: Moment) {
        let mut state = self.lock();
        state.counters.done += 1;
        state.breaker.succeeded(now);
    }

    /// It failed a piece of work that no other engine takes over: nobody waits for it, or
    /// it was the last. Where one does, [`Self::counts`] and [`Self::was_left`] say it in
    /// one row of the log.
    pub(super) fn failed(&self, fault: Fault, now: Moment) {
        self.counts(fault, now);
        if let Some(why) = fault.why {
            let (stage, engine, failed) = (self.stage.name(), self.name, self.counters().failed);
            tracing::warn!(stage, engine, cause = why.name(), failed, "an engine failed a piece of work");
        }
    }

    /// Counts a failure that the log is told otherwise.
    pub(super) fn counts(&self, fault: Fault, now: Moment) {
        let jitter = (self.chance)();
        let mut state = self.lock();
        if let Some(why) = fault.why {
            state.counters.failed += 1;
            state.last_fault = Some(why);
        }
        state.breaker.failed(fault.weight, now, jitter);
    }

    /// It was left for another in the middle of its work, and its failure is counted.
    /// One row for each time, at the level that is logged unless configured: names, a
    /// cause, a time and counts, and nobody's words.
    pub(super) fn was_left(&self, call: Option<CallId>, left: &Failover) {
        let Counters { failed, left: times, .. } = {
            let mut state = self.lock();
            state.counters.left += 1;
            state.counters
        };
        tracing::warn!(
            call = call.map(tracing::field::display),
            stage = left.stage.name(),
            engine = self.name,
            next = %left.to,
            cause = left.why.name(),
            after_ms = u64::try_from(left.after.as_millis()).unwrap_or(u64::MAX),
            failed,
            left = times,
            "an engine failed and was left for the next"
        );
    }

    fn held_back(&self, kind: FactKind) {
        let (stage, engine) = (self.stage.name(), self.name);
        tracing::warn!(stage, engine, cause = "contradiction", ?kind, "a sentence was held back");
        self.lock().counters.held_back += 1;
    }

    /// What `milu doctor` says of it.
    pub fn fact(&self, now: Moment) -> HealthFact {
        let state = self.lock();
        let (stage, name) = (self.stage.name(), self.name);
        let why = state.last_fault.map_or("failed", said);
        let Counters { done, failed, left, held_back, cut_short, .. } = state.counters;
        let (state, mut sentence) = match state.breaker.standing(now) {
            Standing::Healthy => {
                (HealthState::Well, format!("{name} serves calls: {done} pieces of work done, {failed} failed."))
            }
            Standing::ProbeDue | Standing::Probing => (
                HealthState::Impaired,
                format!("{name} {why} and is being tried again; the next engine serves calls meanwhile."),
            ),
            Standing::LeftUntil(until) => (
                HealthState::Impaired,
                format!(
                    "{name} {why} and is left alone for {} s more; the next engine serves calls meanwhile.",
                    rounded_up(until.since(now))
                ),
            ),
            Standing::OutOfUse => (
                HealthState::Failed,
                format!(
                    "{name} {why}; it is not asked again before its account is put right and the box is started anew."
                ),
            ),
        };
        if left > 0 {
            sentence.push_str(&format!(" Left for the next engine in the middle of its work: {left}."));
        }
        if held_back > 0 {
            sentence.push_str(&format!(" Held back for a fact that is not known: {held_back}."));
        }
        if cut_short > 0 {
            sentence.push_str(&format!(" Answers that its provider cut short: {cut_short}."));
        }
        HealthFact { name: format!("{stage} {name}"), state, sentence }
    }

    /// A poisoned lock still holds whole counts: nothing under it can panic half-way.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A mind's health hears what was held back of it, and what its provider cut.
impl Witness for EngineHealth {
    fn held_back(&self, _call: Option<CallId>, kind: FactKind) {
        Self::held_back(self, kind);
    }

    fn cut_short(&self, call: Option<CallId>, stop: Stop) {
        let (call, stage, engine) = (call.map(tracing::field::display), self.stage.name(), self.name);
        tracing::warn!(call, stage, engine, cause = "cut_short", ?stop, "an answer was cut in its middle");
        self.lock().counters.cut_short += 1;
    }
}

fn rounded_up(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

const fn said(why: WhyLeft) -> &'static str {
    match why {
        WhyLeft::ConnectDeadline => "took too long to connect",
        WhyLeft::WordsDeadline => "took too long to give words",
        WhyLeft::FirstTokenDeadline => "took too long to begin an answer",
        WhyLeft::TokenGapDeadline => "stopped in the middle of an answer",
        WhyLeft::FirstSoundDeadline => "took too long to begin to speak",
        WhyLeft::SoundGapDeadline => "stopped in the middle of a sentence",
        WhyLeft::Busy => "was too busy",
        WhyLeft::Spent => "has nothing left to spend",
        WhyLeft::Rejected => "refused our key or request",
        WhyLeft::Unreachable => "could not be reached",
        WhyLeft::Broken => "failed or broke its protocol",
        WhyLeft::Declined => "would not answer a question",
    }
}

impl std::fmt::Debug for EngineHealth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineHealth").field("stage", &self.stage).field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fault::Weight;
    use super::*;

    #[test]
    fn a_manager_reads_how_an_engine_is_and_until_when_it_is_left() {
        let health = EngineHealth::new(EngineStage::Mind, "anthropic", BreakerRules::default(), Arc::new(|| 0.0));
        let now = Moment::from_micros(1_000_000);
        health.succeeded(now);
        assert_eq!(health.fact(now).state, HealthState::Well);
        health.failed(Fault::late(WhyLeft::FirstTokenDeadline), now);
        health.failed(Fault::late(WhyLeft::FirstTokenDeadline), now);
        health.failed(Fault::late(WhyLeft::FirstTokenDeadline), now);
        let fact = health.fact(now);
        assert_eq!((fact.name.as_str(), fact.state), ("mind anthropic", HealthState::Impaired));
        assert!(
            fact.sentence.contains("took too long to begin an answer") && fact.sentence.contains("3 s"),
            "{fact:?}"
        );
        health.failed(Fault { why: Some(WhyLeft::Rejected), weight: Weight::UntilRepaired }, now);
        let fact = health.fact(now);
        assert!(fact.sentence.contains("refused our key") && fact.sentence.contains("150 s more"), "{fact:?}");
        health.failed(Fault { why: Some(WhyLeft::Spent), weight: Weight::ForGood }, now);
        assert_eq!(health.fact(now).state, HealthState::Failed);
        assert_eq!(health.counters(), Counters { done: 1, failed: 5, ..Counters::default() });
    }

    #[test]
    fn what_was_left_and_what_was_held_back_is_counted_where_a_manager_looks() {
        let health = EngineHealth::new(EngineStage::Mind, "anthropic", BreakerRules::default(), Arc::new(|| 0.0));
        let now = Moment::from_micros(1_000_000);
        health.counts(Fault::late(WhyLeft::FirstTokenDeadline), now);
        health.was_left(None, &left());
        Witness::held_back(&*health, None, FactKind::Price);
        let sentence = health.fact(now).sentence;
        assert!(sentence.contains("1 failed") && sentence.contains("in the middle of its work: 1."), "{sentence}");
        assert!(sentence.contains("a fact that is not known: 1."), "{sentence}");
    }

    #[test]
    fn an_answer_that_its_provider_cut_is_counted_and_is_one_row_of_the_log() {
        let health = EngineHealth::new(EngineStage::Mind, "anthropic", BreakerRules::default(), Arc::new(|| 0.0));
        let (log, dispatch) = crate::ops::capturing_dispatch("info").unwrap();
        tracing::dispatcher::with_default(&dispatch, || Witness::cut_short(&*health, None, Stop::Length));
        let text = log.text();
        assert_eq!(text.lines().count(), 1, "{text}");
        let cause = "\"cause\":\"cut_short\"";
        for part in ["\"WARN\"", "\"stage\":\"mind\"", "\"engine\":\"anthropic\"", cause, "Length"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let sentence = health.fact(Moment::START).sentence;
        assert!(sentence.contains("its provider cut short: 1."), "{sentence}");
    }

    fn left() -> Failover {
        let (from, to) = ("anthropic".to_owned(), "box".to_owned());
        let after = std::time::Duration::from_millis(1_300);
        Failover { stage: EngineStage::Mind, from, to, why: WhyLeft::FirstTokenDeadline, after }
    }

    #[test]
    fn an_engine_that_is_left_is_one_row_of_the_log_and_one_that_only_failed_another() {
        let health = EngineHealth::new(EngineStage::Mind, "anthropic", BreakerRules::default(), Arc::new(|| 0.0));
        let call = CallId::from_parts(7, [7; 10]);
        let (log, dispatch) = crate::ops::capturing_dispatch("info").unwrap();
        tracing::dispatcher::with_default(&dispatch, || {
            health.failed(Fault::late(WhyLeft::Broken), Moment::START);
            health.counts(Fault::late(WhyLeft::FirstTokenDeadline), Moment::START);
            health.was_left(Some(call), &left());
        });
        let text = log.text();
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows.len(), 2, "{text}");
        assert!(rows[0].contains("failed a piece of work") && rows[0].contains("\"failed\":1"), "{text}");
        let cause = format!("\"cause\":\"{}\"", WhyLeft::FirstTokenDeadline.name());
        let call = format!("\"call\":\"{call}\"");
        let parts =
            ["left for the next", "\"stage\":\"mind\"", "\"engine\":\"anthropic\"", "\"next\":\"box\"", "\"failed\":2"];
        for part in parts.into_iter().chain([cause.as_str(), call.as_str(), "\"left\":1", "\"after_ms\":1300"]) {
            assert!(rows[1].contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn a_refusal_of_the_policy_is_no_failure() {
        let health = EngineHealth::new(EngineStage::Ears, "deepgram", BreakerRules::default(), Arc::new(|| 0.0));
        let kept = Fault::from(&crate::speech::EarsError::Kept);
        (0..9).for_each(|_| health.failed(kept, Moment::START));
        assert_eq!((health.standing(Moment::START), health.counters()), (Standing::Healthy, Counters::default()));
    }
}
