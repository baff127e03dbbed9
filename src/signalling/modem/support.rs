use std::collections::VecDeque;

use crate::terms::Moment;

use super::redaction::redacted;

/// Rows that are kept whatever they are: the questions of a line at rest fill them within
/// minutes.
const LAST_ROWS: usize = 200;

/// Rows that are kept of a transition: itself, and the twelve before it, which hold the
/// last two or three commands with their answers.
const CHANGE_ROWS: usize = 13;

/// Transitions whose rows stay for longer: a line at rest makes none, and a call makes
/// four or five, so that a fault is still there after some calls.
const CHANGES: usize = 32;

/// All rows that are kept.
pub const SUPPORT_ROWS_MAX: usize = LAST_ROWS + CHANGES * CHANGE_ROWS;

/// One row of the support ring: no number, text, PIN or identity is in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SupportRow {
    pub at: Moment,
    pub way: SupportWay,
    pub text: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SupportWay {
    ToModem,
    FromModem,
    /// A transition or another thing that the line itself did.
    Line,
}

/// The last rows of a line, and before them those that led to its last transitions.
#[derive(Debug, Default)]
pub(super) struct SupportRing {
    /// Of transitions, and older than `rows`.
    older: VecDeque<SupportRow>,
    rows: VecDeque<LastRow>,
}

#[derive(Debug)]
struct LastRow {
    row: SupportRow,
    is_of_change: bool,
}

impl SupportRing {
    pub(super) fn modem(&mut self, way: SupportWay, text: &str, at: Moment) {
        self.push(SupportRow { at, way, text: redacted(text) });
    }

    /// What the line did, in words of its own.
    pub(super) fn line(&mut self, text: String, at: Moment) {
        self.push(SupportRow { at, way: SupportWay::Line, text });
    }

    /// A transition: it and the rows that led to it stay for longer than others.
    pub(super) fn changed(&mut self, text: String, at: Moment) {
        self.line(text, at);
        for last in self.rows.iter_mut().rev().take(CHANGE_ROWS) {
            last.is_of_change = true;
        }
    }

    fn push(&mut self, row: SupportRow) {
        if self.rows.len() >= LAST_ROWS
            && let Some(last) = self.rows.pop_front()
            && last.is_of_change
        {
            if self.older.len() >= CHANGES * CHANGE_ROWS {
                self.older.pop_front();
            }
            self.older.push_back(last.row);
        }
        self.rows.push_back(LastRow { row, is_of_change: false });
    }

    /// The oldest first.
    pub(super) fn rows(&self) -> Vec<SupportRow> {
        self.older.iter().chain(self.rows.iter().map(|last| &last.row)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_that_led_to_the_last_transitions_outlive_the_polling_and_are_bounded() {
        let mut ring = SupportRing::default();
        let mut now = Moment::START;
        let mut polls = |ring: &mut SupportRing, rows: usize| {
            for _ in 0..rows {
                now = now + std::time::Duration::from_secs(1);
                ring.modem(SupportWay::ToModem, "AT+CSQ", now);
            }
            now
        };
        for change in 0..100 {
            let at = polls(&mut ring, 500);
            ring.modem(SupportWay::FromModem, &format!("^CEND:1,5,104,{change}"), at);
            ring.changed(format!("change {change}"), at);
        }
        polls(&mut ring, 500);
        let rows = ring.rows();
        assert_eq!(rows.len(), SUPPORT_ROWS_MAX);
        assert!(rows.is_sorted_by_key(|row| row.at));
        let changes: Vec<usize> = (0..rows.len()).filter(|n| rows[*n].way == SupportWay::Line).collect();
        assert_eq!(changes.len(), CHANGES);
        for (change, n) in (68..100).zip(changes) {
            assert_eq!(rows[n].text, format!("change {change}"));
            assert_eq!(rows[n - 1].way, SupportWay::FromModem);
            assert!(rows[n + 1 - CHANGE_ROWS..n - 1].iter().all(|row| row.way == SupportWay::ToModem));
        }
    }
}
