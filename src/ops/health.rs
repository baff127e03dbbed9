//! What is known of the box's health, as sentences that `doctor` can read out.
//! Parts report facts about themselves; nothing here decides or repairs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// More names than a box has parts (lines, engines, disks, clocks: some dozens).
/// A part beyond it is left out, and the log says so.
const FACTS_MAX: usize = 256;

/// How a part is, from well to failed; the order is of gravity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HealthState {
    Well,
    /// It works, but worse than it should.
    Impaired,
    /// It does not work.
    Failed,
}

impl HealthState {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Impaired => "impaired",
            Self::Failed => "failed",
        }
    }
}

/// One fact about one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthFact {
    /// The part: `line front-desk`, `transcriber`, `disk`.
    pub name: String,
    pub state: HealthState,
    /// What is the matter and what to do, in one or two sentences. It holds
    /// nobody's words or number.
    pub sentence: String,
}

/// The box's health. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Health {
    facts: Arc<Mutex<BTreeMap<String, HealthFact>>>,
}

impl Health {
    pub fn new() -> Self {
        Self::default()
    }

    /// States how a part is, in place of what was said of it before.
    pub fn state(&self, fact: HealthFact) {
        let mut facts = self.lock();
        if facts.len() >= FACTS_MAX && !facts.contains_key(&fact.name) {
            tracing::error!(bound = FACTS_MAX, "too many parts report their health; one is left out");
            return;
        }
        facts.insert(fact.name.clone(), fact);
    }

    /// Forgets a part that is no more.
    pub fn forget(&self, name: &str) {
        self.lock().remove(name);
    }

    /// All facts, the gravest first, then by name.
    pub fn facts(&self) -> Vec<HealthFact> {
        self.facts_with(Vec::new())
    }

    /// All facts and `more`, of parts that are looked at when somebody asks.
    pub fn facts_with(&self, more: Vec<HealthFact>) -> Vec<HealthFact> {
        let mut facts = more;
        facts.extend(self.lock().values().cloned());
        facts.sort_by(|a, b| b.state.cmp(&a.state).then_with(|| a.name.cmp(&b.name)));
        facts
    }

    /// A poisoned lock still holds whole facts: nothing under it can panic half-way.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, HealthFact>> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(name: &str, state: HealthState) -> HealthFact {
        HealthFact { name: name.to_owned(), state, sentence: format!("{name} is {}.", state.name()) }
    }

    #[test]
    fn the_gravest_fact_comes_first() {
        let health = Health::new();
        health.state(fact("disk", HealthState::Well));
        health.state(fact("line front-desk", HealthState::Failed));
        health.state(fact("transcriber", HealthState::Impaired));
        let names: Vec<_> = health.facts().into_iter().map(|f| f.name).collect();
        assert_eq!(names, ["line front-desk", "transcriber", "disk"]);
        let facts = health.facts_with(vec![fact("line sim", HealthState::Impaired)]);
        let names: Vec<_> = facts.into_iter().map(|f| f.name).collect();
        assert_eq!(names, ["line front-desk", "line sim", "transcriber", "disk"]);
    }

    #[test]
    fn a_newer_fact_takes_the_place_of_the_older() {
        let health = Health::new();
        health.state(fact("disk", HealthState::Failed));
        health.state(fact("disk", HealthState::Well));
        assert_eq!(health.facts(), [fact("disk", HealthState::Well)]);
        health.forget("disk");
        assert!(health.facts().is_empty());
    }

    #[test]
    fn facts_are_bounded_and_known_parts_can_still_report() {
        let health = Health::new();
        for n in 0..=FACTS_MAX {
            health.state(fact(&format!("part {n:04}"), HealthState::Well));
        }
        health.state(fact("part 0000", HealthState::Failed));
        assert_eq!(health.facts().len(), FACTS_MAX);
        assert_eq!(health.facts()[0].state, HealthState::Failed);
    }
}
