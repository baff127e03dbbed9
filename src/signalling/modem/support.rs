use std::collections::VecDeque;

use crate::terms::Moment;

use super::redaction::redacted;

/// Rows that are kept: the minutes around a fault, and a page for whoever reads them.
pub const SUPPORT_ROWS_MAX: usize = 200;

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

/// The last rows of a line.
#[derive(Debug, Default)]
pub(super) struct SupportRing {
    rows: VecDeque<SupportRow>,
}

impl SupportRing {
    pub(super) fn modem(&mut self, way: SupportWay, text: &str, at: Moment) {
        self.push(SupportRow { at, way, text: redacted(text) });
    }

    /// What the line did, in words of its own.
    pub(super) fn line(&mut self, text: String, at: Moment) {
        self.push(SupportRow { at, way: SupportWay::Line, text });
    }

    fn push(&mut self, row: SupportRow) {
        if self.rows.len() >= SUPPORT_ROWS_MAX {
            self.rows.pop_front();
        }
        self.rows.push_back(row);
    }

    pub(super) fn rows(&self) -> Vec<SupportRow> {
        self.rows.iter().cloned().collect()
    }
}
