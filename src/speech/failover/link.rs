use std::sync::Arc;

use crate::call::{EngineStage, Failover, WhyLeft};
use crate::ops::HealthFact;
use crate::residency::{AskedHost, CallGate, DataClass, DestinationId};
use crate::speech::CallSetting;
use crate::terms::{CallId, Moment};

use super::health::EngineHealth;
use super::relay::Limits;
use super::roster::{Budget, Leave, View};

/// Where an engine's data goes, and of what kinds it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Needs {
    pub destination: DestinationId,
    pub host: AskedHost,
    /// All of what it must be sent to do its work.
    pub classes: &'static [DataClass],
}

/// How an engine's budget stands now, for this call if it is one: a call has a
/// ceiling of its own.
pub type BudgetSource = Arc<dyn Fn(Option<CallId>) -> Budget + Send + Sync>;

/// One engine in a chain.
pub struct Link<E: ?Sized> {
    pub engine: Arc<E>,
    pub health: Arc<EngineHealth>,
    /// None for an engine on the box.
    pub needs: Option<Needs>,
    pub budget: BudgetSource,
    pub limits: Limits,
}

impl<E: ?Sized> Link<E> {
    /// The box's own engine: nothing leaves, and nothing is spent.
    pub fn on_the_box(stage: EngineStage, engine: Arc<E>, health: Arc<EngineHealth>) -> Self {
        let budget: BudgetSource = Arc::new(|_| Budget::Ample);
        Self { engine, health, needs: None, budget, limits: Limits::on_the_box(stage) }
    }

    /// An engine that is asked over a network; `needs` is none for one to which
    /// no policy applies, because it is a part of the box.
    pub fn over_a_network(
        stage: EngineStage,
        engine: Arc<E>,
        health: Arc<EngineHealth>,
        needs: Option<Needs>,
        budget: BudgetSource,
    ) -> Self {
        Self { engine, health, needs, budget, limits: Limits::over_the_network(stage) }
    }

    /// Waited for as long as is said, and not as for any other.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Whether its data may go there now, by the policy and the caller's wishes.
    pub(super) fn may_go(&self, gate: &CallGate) -> bool {
        let may_go = |needs: &Needs| gate.may_go(needs.classes, &needs.destination);
        self.is_reached(gate) && self.needs.as_ref().is_none_or(may_go)
    }

    /// Whether the policy has its destination with its host, whatever may go there.
    pub(super) fn is_reached(&self, gate: &CallGate) -> bool {
        self.needs.as_ref().is_none_or(|needs| gate.has_host(&needs.destination, &needs.host))
    }

    fn view(&self, gate: &CallGate, call: Option<CallId>, now: Moment) -> View {
        View {
            standing: self.health.standing(now),
            last_success: self.health.last_success(),
            leave: if self.may_go(gate) { Leave::Granted } else { Leave::Refused },
            budget: (self.budget)(call),
        }
    }
}

impl<E: ?Sized> Clone for Link<E> {
    fn clone(&self) -> Self {
        Self {
            engine: Arc::clone(&self.engine),
            health: Arc::clone(&self.health),
            needs: self.needs.clone(),
            budget: Arc::clone(&self.budget),
            limits: self.limits,
        }
    }
}

/// The engines of a kind, the best first and the box's own last.
pub(super) struct Chain<E: ?Sized> {
    pub(super) stage: EngineStage,
    links: Vec<Link<E>>,
}

impl<E: ?Sized> Chain<E> {
    pub(super) fn new(stage: EngineStage, mut better: Vec<Link<E>>, on_the_box: Link<E>) -> Self {
        better.push(on_the_box);
        Self { stage, links: better }
    }

    pub(super) fn len(&self) -> usize {
        self.links.len()
    }

    pub(super) fn link(&self, engine: usize) -> &Link<E> {
        &self.links[engine]
    }

    pub(super) fn views(&self, setting: &CallSetting, now: Moment) -> Vec<View> {
        self.views_through(&setting.gate, setting.call, now)
    }

    /// The same for a call that has no setting yet.
    pub(super) fn views_through(&self, gate: &CallGate, call: Option<CallId>, now: Moment) -> Vec<View> {
        self.links.iter().map(|link| link.view(gate, call, now)).collect()
    }

    /// Counts and logs that `from` is left for `to`; what is written in the record.
    pub(super) fn left(
        &self,
        call: Option<CallId>,
        (from, to): (usize, usize),
        why: WhyLeft,
        after: std::time::Duration,
    ) -> Failover {
        let name = |engine: usize| self.link(engine).health.name().to_owned();
        let failover = Failover { stage: self.stage, from: name(from), to: name(to), why, after };
        self.link(from).health.was_left(call, &failover);
        failover
    }

    pub(super) fn facts(&self, now: Moment) -> Vec<HealthFact> {
        self.links.iter().map(|link| link.health.fact(now)).collect()
    }
}

impl<E: ?Sized> std::fmt::Debug for Chain<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.links.iter().map(|link| link.health.name()).collect();
        f.debug_struct("Chain").field("stage", &self.stage).field("engines", &names).finish()
    }
}
