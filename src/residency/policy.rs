use std::sync::Arc;

use cedar_policy::{PolicySet, Schema};

use super::cedar::{self, Compiled};
use super::clause::{self, Clause};
use super::{CallerWishes, DataClass, Destination, DestinationId, Ground, OwnerKey, Safeguards};

/// How long people are told of a widening before it takes effect, if the policy
/// does not say.
pub const NOTICE_PERIOD_DAYS: u16 = 14;

/// What may happen to a datum.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Verdict {
    /// It stays on the box.
    Local,
    /// It may go without identifiers.
    Redacted,
    /// It may go as it is.
    Raw,
}

impl Verdict {
    pub const ALL: [Self; 3] = [Self::Local, Self::Redacted, Self::Raw];

    /// The name in policies, records and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Redacted => "redacted",
            Self::Raw => "raw",
        }
    }
}

/// One row of the business's table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// `row-7`: how decisions and the register name it.
    pub id: String,
    pub class: DataClass,
    pub destination: DestinationId,
    pub ground: Ground,
    pub verdict: Verdict,
}

/// The answer to "may this go there?", with its reasons.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    pub verdict: Verdict,
    pub ground: Ground,
    /// The rows that gave the leave; none for `Local`.
    pub rows: Vec<String>,
    pub safeguards: Safeguards,
}

impl Decision {
    pub(super) fn local() -> Self {
        Self { verdict: Verdict::Local, ground: Ground::Contract, rows: Vec::new(), safeguards: Safeguards::default() }
    }

    /// What holds of data that is of both kinds: the stricter, on the rows of both.
    pub(super) fn and(self, other: Self) -> Self {
        let (strict, lax) = if other.verdict < self.verdict { (other, self) } else { (self, other) };
        if strict.verdict == Verdict::Local {
            return strict;
        }
        let mut rows = strict.rows;
        for row in lax.rows {
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        Self { rows, ..strict }
    }
}

/// The business's table and the destinations that it names. Without a row a
/// datum stays on the box. Two promises stand whatever the rows say: no
/// credential or payment datum goes raw, and nothing but telemetry goes to a
/// destination outside the business without a contract.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(super) destinations: Vec<Destination>,
    pub(super) rows: Vec<Row>,
    pub(super) notice_period_days: u16,
    pub(super) owner_keys: Vec<OwnerKey>,
    pub(super) serial: u64,
    pub(super) text: Arc<str>,
    pub(super) clauses: Vec<Clause>,
    compiled: Compiled,
}

/// What a policy's text says, checked or put together by a program.
pub(super) struct Parts {
    pub(super) destinations: Vec<Destination>,
    pub(super) rows: Vec<Row>,
    pub(super) notice_period_days: u16,
    pub(super) owner_keys: Vec<OwnerKey>,
    pub(super) serial: u64,
    pub(super) text: Arc<str>,
}

impl Policy {
    pub fn new(destinations: Vec<Destination>, rows: Vec<Row>) -> Self {
        Self::of(Parts {
            destinations,
            rows,
            notice_period_days: NOTICE_PERIOD_DAYS,
            owner_keys: Vec::new(),
            serial: 0,
            text: Arc::default(),
        })
    }

    /// The policy under which nothing leaves the box.
    pub fn nothing_leaves() -> Self {
        Self::new(Vec::new(), Vec::new())
    }

    pub(super) fn of(parts: Parts) -> Self {
        let clauses = clause::of_rows(&parts.rows, &parts.destinations);
        Self::with_clauses(parts, clauses)
    }

    pub(super) fn with_clauses(parts: Parts, clauses: Vec<Clause>) -> Self {
        let Parts { mut destinations, rows, notice_period_days, owner_keys, serial, text } = parts;
        // The first of a name is the one that is found, and so the one that counts.
        let mut named = std::collections::BTreeSet::new();
        destinations.retain(|d| named.insert(d.id.clone()));
        let compiled = Compiled::of(&clauses, &destinations);
        Self { destinations, rows, notice_period_days, owner_keys, serial, text, clauses, compiled }
    }

    pub fn destinations(&self) -> &[Destination] {
        &self.destinations
    }

    pub fn destination(&self, id: &DestinationId) -> Option<&Destination> {
        self.destinations.iter().find(|d| d.id == *id)
    }

    /// The table as it was written.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Whether a caller's consent would let anything go that stays without it: then
    /// a caller is to be asked for it.
    pub fn rests_on_consent(&self) -> bool {
        let silent = CallerWishes::default();
        let consents = CallerWishes { consents: true, ..silent };
        let gains = |c: &Clause| {
            let verdict = |wishes| self.reading(c.class, &c.destination, wishes);
            verdict(consents) > verdict(silent)
        };
        self.clauses.iter().any(gains)
    }

    /// How long a widening of this policy is announced before it takes effect.
    pub const fn notice_period_days(&self) -> u16 {
        self.notice_period_days
    }

    /// Whose signature makes a widening of this policy take effect at once.
    pub fn owner_keys(&self) -> &[OwnerKey] {
        &self.owner_keys
    }

    /// The owner's number of this text: a signature counts only on a higher one
    /// than is in force, so that an old signed text cannot come back.
    pub const fn serial(&self) -> u64 {
        self.serial
    }

    /// The text that it was read from; empty if it was put together by a program.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the policy says of one kind of data for a caller of these wishes.
    pub fn decide(&self, class: DataClass, to: &DestinationId, wishes: CallerWishes) -> Decision {
        let Some(destination) = self.destination(to) else { return Decision::local() };
        let answer = self.compiled.ask(class, to, wishes);
        // The first row of the table is the one that the business thought of first.
        let Some(first) = answer.clauses.first() else { return Decision::local() };
        Decision {
            verdict: answer.verdict,
            ground: first.ground,
            rows: answer.clauses.iter().map(|clause| clause.row.clone()).collect(),
            safeguards: destination.safeguards.clone(),
        }
    }

    /// The same, read from the table without asking Cedar: what comparisons and
    /// explanations count with. Tests hold the two against each other.
    pub(super) fn reading(&self, class: DataClass, to: &DestinationId, wishes: CallerWishes) -> Verdict {
        let Some(destination) = self.destination(to) else { return Verdict::Local };
        if destination.lacks_contract() && class != DataClass::Telemetry {
            return Verdict::Local;
        }
        let most = if class.is_secret() { Verdict::Redacted } else { Verdict::Raw };
        let of_it = self.clauses.iter().filter(|c| c.class == class && c.destination == *to);
        let allowed = of_it.map(|c| c.allows(wishes)).filter(|verdict| *verdict != Verdict::Local);
        // A raw row of a secret gives leave to send it redacted, as every raw row does.
        allowed.max().unwrap_or(Verdict::Local).min(most)
    }

    /// The policies as Cedar decides on them: one for each row under its id, the
    /// standing promises and the caller's restriction.
    pub const fn cedar(&self) -> &PolicySet {
        self.compiled.whole()
    }

    /// What the business wrote, without the promises that stand beside it. What is
    /// proved of this holds of the whole, which allows less.
    pub fn cedar_without_promises(&self) -> PolicySet {
        self.compiled.without_promises()
    }

    /// The whole in Cedar's own words, for an auditor.
    pub fn cedar_text(&self) -> String {
        cedar::text_of(self.cedar(), &self.clauses)
    }

    /// The schema of all policies.
    pub fn cedar_schema() -> Option<Schema> {
        cedar::schema()
    }

    /// The schema of all policies in Cedar's own words.
    pub fn cedar_schema_text() -> String {
        cedar::schema_text()
    }
}
