//! What operators report of their work, until the row of the register that it
//! belongs to is written: the connection knows the leave, the engine the report.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::prices::{Money, Usage};
use crate::residency::{DestinationId, Reported, Transfer};
use crate::terms::{CallId, Moment};

/// Reports that wait. Thirty calls have some three destinations each, and a row
/// is written every few seconds; when there are more, all are written by themselves.
const WAITING_MAX: usize = 512;

/// A report that has found no row for so long belongs to a connection that is
/// gone or idle: two of the times that a stream goes without a row.
const WAITS: Duration = Duration::from_secs(10);

/// Leaves that are remembered, the latest used: thirty calls at once have a hundred, and
/// what an operator reports comes within seconds of the answer.
const LEAVES_MAX: usize = 1024;

/// Whose work it was.
pub(super) type Whose = (Option<CallId>, DestinationId);

#[derive(Default)]
pub(super) struct Reports(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    by: BTreeMap<Whose, Report>,
    /// The latest kind of row of each call and destination: on what leave that was
    /// sent of which is reported. With the count of uses of any until its last one.
    leaves: BTreeMap<Whose, (u64, Transfer)>,
    uses: u64,
}

/// What is reported, and what it costs.
struct Report {
    reported: Reported,
    cost: Money,
    since: Moment,
    /// The row that it stands in if its connection writes none any more.
    leave: Transfer,
}

impl Reports {
    /// A kind of row that is being filled.
    pub(super) fn remember(&self, row: &Transfer) {
        let row =
            Transfer { reported: Reported::default(), cost_nanos: 0, bytes_sent: 0, bytes_received: 0, ..row.clone() };
        let mut waiting = self.lock();
        let Waiting { leaves, uses, .. } = &mut *waiting;
        *uses += 1;
        leaves.insert((row.call, row.destination.clone()), (*uses, row));
        // A call may be old and its leave new: it is heard again.
        let of_calls = leaves.iter().filter(|((call, _), _)| call.is_some());
        if leaves.len() > LEAVES_MAX
            && let Some(oldest) = of_calls.min_by_key(|(_, (used, _))| *used).map(|(whose, _)| whose.clone())
        {
            leaves.remove(&oldest);
        }
    }

    /// More of a report. Gives rows to write if too much waits.
    pub(super) fn add(&self, whose: Whose, more: Reported, cost: Money, now: Moment) -> Vec<Transfer> {
        let mut waiting = self.lock();
        let Waiting { by, leaves, uses } = &mut *waiting;
        if let Some((used, _)) = leaves.get_mut(&whose) {
            *uses += 1;
            *used = *uses;
        }
        let report = match by.entry(whose) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let Some((_, leave)) = leaves.get(new.key()).cloned() else {
                    // The register says of nobody's datum that it was sent when it was not.
                    tracing::error!(destination = %new.key().1, "an operator's report is of nothing that was sent");
                    return Vec::new();
                };
                new.insert(Report { reported: Reported::default(), cost: Money::NONE, since: now, leave })
            }
        };
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

    /// What has waited too long, as rows of their own.
    pub(super) fn overdue(&self, now: Moment) -> Vec<Transfer> {
        let overdue = self.lock().by.extract_if(.., |_, report| now.since(report.since) >= WAITS).collect();
        rows(overdue)
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
        rows(std::mem::take(&mut self.by))
    }
}

fn rows(reports: BTreeMap<Whose, Report>) -> Vec<Transfer> {
    let row = |report: Report| {
        let mut row = report.leave.clone();
        report.put_into(&mut row);
        row
    };
    reports.into_values().map(row).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::register::tests::row;

    #[test]
    fn what_is_reported_of_an_old_call_that_is_heard_again_finds_its_leave_among_those_of_many_later_ones() {
        let reports = Reports::default();
        for call in 0..LEAVES_MAX as u64 {
            reports.remember(&row(1_000 + call, 1, 0));
        }
        let old = row(1, 1, 0);
        reports.remember(&old);
        let sound = reported(Usage::Audio(Duration::from_secs(3)));
        let cost = Money::from_nanos(7);
        // It goes on for longer than others begin, as does a call of an hour.
        for later in 0..4 {
            let written = reports.add((old.call, old.destination.clone()), sound.clone(), cost, Moment::START);
            assert!(written.is_empty(), "it waits for its row");
            let rows = reports.flush();
            let told: Vec<_> = rows.iter().map(|row| (row.call, row.reported.audio_ms, row.cost_nanos)).collect();
            assert_eq!(told, [(old.call, 3_000, 7)]);
            for call in 0..LEAVES_MAX as u64 / 2 {
                reports.remember(&row(10_000 + later * LEAVES_MAX as u64 + call, 1, 0));
            }
            assert_eq!(reports.lock().leaves.len(), LEAVES_MAX);
        }
    }
}
