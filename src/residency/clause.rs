use super::cedar;
use super::{CallerWishes, DataClass, Destination, DestinationId, Ground, Row, Verdict};

/// What a caller's wishes must be for a clause to give leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Needs {
    pub(super) consent: bool,
    pub(super) no_objection: bool,
}

impl Needs {
    pub(super) const fn of(ground: Ground) -> Self {
        Self { consent: ground.asks_consent(), no_objection: ground.yields_to_objection() }
    }

    const fn and(self, other: Self) -> Self {
        Self { consent: self.consent || other.consent, no_objection: self.no_objection || other.no_objection }
    }

    /// Whether whoever meets `other` meets these too.
    const fn no_more_than(self, other: Self) -> bool {
        (!self.consent || other.consent) && (!self.no_objection || other.no_objection)
    }

    pub(super) const fn met_by(self, wishes: CallerWishes) -> bool {
        !wishes.restricts && (!self.consent || wishes.consents) && (!self.no_objection || !wishes.objects)
    }
}

/// One leave of the policy: a row, or what a row of an older table and one of a
/// newer table have in common. Each becomes one Cedar policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Clause {
    /// Cedar's policy id; no two clauses of a policy have the same.
    pub(super) id: String,
    /// The row that decisions and the register name.
    pub(super) row: String,
    pub(super) class: DataClass,
    pub(super) destination: DestinationId,
    pub(super) ground: Ground,
    pub(super) needs: Needs,
    pub(super) verdict: Verdict,
}

impl Clause {
    fn of(row: &Row) -> Self {
        Self {
            id: row.id.clone(),
            row: row.id.clone(),
            class: row.class,
            destination: row.destination.clone(),
            ground: row.ground,
            needs: Needs::of(row.ground),
            verdict: row.verdict,
        }
    }

    /// What an older and a newer clause allow both.
    fn common(old: &Self, new: &Self) -> Option<Self> {
        let same = old.class == new.class && old.destination == new.destination;
        let verdict = old.verdict.min(new.verdict);
        let needs = old.needs.and(new.needs);
        let id = format!("{}+{}", new.id, old.id);
        (same && verdict != Verdict::Local).then(|| Self { id, needs, verdict, ..new.clone() })
    }

    /// Whether it allows everything that `other` allows.
    fn covers(&self, other: &Self) -> bool {
        self.class == other.class
            && self.destination == other.destination
            && self.verdict >= other.verdict
            && self.needs.no_more_than(other.needs)
    }

    /// What it gives leave for by itself.
    pub(super) const fn allows(&self, wishes: CallerWishes) -> Verdict {
        if self.needs.met_by(wishes) { self.verdict } else { Verdict::Local }
    }
}

/// One clause for each row that names a destination of the policy; data that is
/// to go to a place of which nothing is known stays on the box.
pub(super) fn of_rows(rows: &[Row], destinations: &[Destination]) -> Vec<Clause> {
    let known = rows.iter().filter(|row| destinations.iter().any(|d| d.id == row.destination));
    named_apart(known.map(Clause::of).collect())
}

/// What two lists of clauses allow both. What another clause of the result
/// allows anyway is left out, so that meeting again and again does not grow it.
pub(super) fn in_common(old: &[Clause], new: &[Clause]) -> Vec<Clause> {
    let mut kept: Vec<Clause> = Vec::new();
    for clause in new.iter().flat_map(|n| old.iter().filter_map(move |o| Clause::common(o, n))) {
        if !kept.iter().any(|k| k.covers(&clause)) {
            kept.retain(|k| !clause.covers(k));
            kept.push(clause);
        }
    }
    named_apart(kept)
}

/// Rows of one name would be one policy in Cedar, and one of them would be lost.
fn named_apart(mut clauses: Vec<Clause>) -> Vec<Clause> {
    let mut taken = std::collections::BTreeSet::new();
    for (n, clause) in clauses.iter_mut().enumerate() {
        while cedar::is_reserved(&clause.id) || !taken.insert(clause.id.clone()) {
            clause.id = format!("#{n} {}", clause.id);
        }
    }
    clauses
}
