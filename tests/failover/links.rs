//! The links of a chain, the gate of a call, and how an engine is told to be.

use std::sync::Arc;

use milu::call::EngineStage;
use milu::ops::{HealthFact, HealthState};
use milu::residency::{
    AskedHost, CallGate, DataClass, Destination, DestinationId, Ground, Host, Policy, Redact, Row, Safeguards, Verdict,
};
use milu::speech::failover::{BreakerRules, Budget, BudgetSource, EngineHealth, Link, Needs};
use milu::speech::{CallSetting, Hints};

struct Nothing;

impl Redact for Nothing {
    fn redact(&self, text: &str) -> String {
        text.to_owned()
    }
}

const CLASSES: &[DataClass] = &[DataClass::Transcript];

fn cloud() -> DestinationId {
    DestinationId::parse("cloud").unwrap()
}

fn host(name: &str) -> Host {
    Host::parse(name).unwrap()
}

/// A gate that lets transcripts into the cloud, on a ground that can be objected to.
pub fn gate() -> Arc<CallGate> {
    gate_to("api.cloud.example", Ground::LegitimateInterest)
}

pub fn gate_to(name: &str, ground: Ground) -> Arc<CallGate> {
    let destination = Destination {
        id: cloud(),
        operator: "Cloud Ltd".to_owned(),
        hosts: vec![host(name)],
        country: "IE".to_owned(),
        on_site: false,
        contract: Some(milu::residency::Contract { name: "DPA".to_owned(), signed: jiff::civil::date(2026, 1, 5) }),
        safeguards: Safeguards::default(),
        pins: Vec::new(),
    };
    let row = Row {
        id: "row-1".to_owned(),
        class: DataClass::Transcript,
        destination: cloud(),
        ground,
        verdict: Verdict::Raw,
    };
    Arc::new(CallGate::new(Arc::new(Policy::new(vec![destination], vec![row])), Arc::new(Nothing)))
}

pub fn setting(gate: &Arc<CallGate>) -> CallSetting {
    CallSetting { gate: Arc::clone(gate), ..CallSetting::on_box(Hints::default()) }
}

pub fn link<E: ?Sized>(stage: EngineStage, name: &'static str, engine: Arc<E>, needs: Option<Needs>) -> Link<E> {
    let budget: BudgetSource = Arc::new(|_| Budget::Ample);
    let health = EngineHealth::new(stage, name, BreakerRules::default(), Arc::new(|| 0.0));
    Link::over_a_network(stage, engine, health, needs, budget)
}

pub fn in_the_cloud() -> Option<Needs> {
    Some(Needs { destination: cloud(), host: AskedHost::Named(host("api.cloud.example")), classes: CLASSES })
}

/// How an engine is, as a manager reads it.
pub fn told_of(facts: Vec<HealthFact>, name: &str) -> (HealthState, String) {
    let fact = facts.into_iter().find(|fact| fact.name == name).unwrap();
    (fact.state, fact.sentence)
}
