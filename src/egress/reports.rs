//! What operators report of their work, until the row of the register that it
//! belongs to is written: the connection knows the leave, the engine the report.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::prices::{Money, Usage};
use crate::residency::{DestinationId, Reported, Transfer};
use crate::terms::CallId;

/// Reports that wait. Thirty calls have some three destinations each, and a row
/// is written every few seconds; when there are more, all are written by themselves.
const WAITING_MAX: usize = 512;

/// Whose work it was.
type Whose = (Option<CallId>, DestinationId);

#[derive(Default)]
pub(super) struct Reports(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    by: BTreeMap<Whose, Report>,
    /// The latest kind of row for each destination: what a report stands in
    /// whose connection is gone. There are as many as the policy has destinations.
    last: BTreeMap<DestinationId, Transfer>,
}

/// What is reported, and what it costs.
#[derive(Default)]
struct Report {
    reported: Reported,
    cost: Money,
}

impl Reports {
    /// A kind of row that is being filled.
    pub(super) fn remember(&self, row: &Transfer) {
        let row =
            Transfer { reported: Reported::default(), cost_nanos: 0, bytes_sent: 0, bytes_received: 0, ..row.clone() };
        self.lock().last.insert(row.destination.clone(), row);
    }

    /// More of a report. Gives rows to write if too much waits.
    pub(super) fn add(
        &self,
        call: Option<CallId>,
        destination: &DestinationId,
        more: Reported,
        cost: Money,
    ) -> Vec<Transfer> {
        let mut waiting = self.lock();
        let report = waiting.by.entry((call, destination.clone())).or_default();
        report.reported.add(more);
        report.cost = report.cost.plus(cost);
        if waiting.by.len() > WAITING_MAX { waiting.flush() } else { Vec::new() }
    }

    /// Puts what was reported into the row that is about to be written.
    pub(super) fn complete(&self, row: &mut Transfer) {
        let mut waiting = self.lock();
        // The map's keys are owned; a row is written every few seconds.
        if let Some(report) = waiting.by.remove(&(row.call, row.destination.clone())) {
            report.put_into(row);
        }
    }

    /// All that waits, as rows of their own.
    pub(super) fn flush(&self) -> Vec<Transfer> {
        self.lock().flush()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn flush(&mut self) -> Vec<Transfer> {
        let by = std::mem::take(&mut self.by);
        let rows = by.into_iter().filter_map(|((call, destination), report)| {
            let mut row = Transfer { call, ..self.last.get(&destination)?.clone() };
            report.put_into(&mut row);
            Some(row)
        });
        rows.collect()
    }
}

impl Report {
    fn put_into(self, row: &mut Transfer) {
        row.reported.add(self.reported);
        row.cost_nanos = row.cost_nanos.saturating_add(self.cost.nanos());
    }
}

/// A usage as the register counts it.
pub(super) fn reported(usage: Usage) -> Reported {
    let nothing = Reported::default();
    match usage {
        Usage::Audio(sound) => Reported { audio_ms: u64::try_from(sound.as_millis()).unwrap_or(u64::MAX), ..nothing },
        Usage::TokensIn(tokens_in) => Reported { tokens_in, ..nothing },
        Usage::TokensInKept(tokens_in_kept) => Reported { tokens_in_kept, ..nothing },
        Usage::TokensInToKeep(tokens_in_to_keep) => Reported { tokens_in_to_keep, ..nothing },
        Usage::TokensOut(tokens_out) => Reported { tokens_out, ..nothing },
        Usage::Characters(characters) => Reported { characters, ..nothing },
    }
}
