//! An answer as it is read, with what it costs. It says nothing of its own to anybody.

use super::delta::{Decode, Delta};
use super::responder::Shared;
use crate::terms::CallId;

/// Reads an answer, and tells the books what the provider has said of its cost as
/// soon as it is read. However the reading ends, also when the question is taken
/// back in the middle: what was known by then is told. It is to be dropped before
/// the answer's connection, whose row of the register it belongs in.
pub(super) struct Metered<'a> {
    decoder: Box<dyn Decode>,
    shared: &'a Shared,
    call: Option<CallId>,
    /// Where it was to be computed.
    region: Option<String>,
}

impl<'a> Metered<'a> {
    pub(super) fn new(shared: &'a Shared, call: Option<CallId>, region: Option<String>) -> Self {
        Self { decoder: shared.dialect.decoder(), shared, call, region }
    }

    /// What the next bytes say, but for their cost.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Delta> {
        let deltas = self.decoder.feed(bytes);
        self.account(deltas)
    }

    /// What is left at the end, or where the reading stops.
    pub(super) fn finish(&mut self) -> Vec<Delta> {
        let deltas = self.decoder.finish();
        self.account(deltas)
    }

    fn account(&self, mut deltas: Vec<Delta>) -> Vec<Delta> {
        deltas.retain(|delta| {
            if let Delta::Used(used) = delta {
                self.shared.account(self.call, self.region.as_deref(), used);
            }
            !matches!(delta, Delta::Used(_))
        });
        deltas
    }
}

impl Drop for Metered<'_> {
    fn drop(&mut self) {
        self.finish();
    }
}
