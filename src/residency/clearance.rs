use std::sync::Arc;

use super::call_policy::CallPolicy;
use super::{Carried, DataClass, DestinationId, Ground, Safeguards, Verdict};

/// The leave to send one payload to one destination. It cannot be made, copied
/// or changed outside this module, and the door takes it away.
#[derive(Debug)]
pub struct Clearance {
    pub(super) destination: DestinationId,
    pub(super) carried: Vec<Carried>,
    pub(super) verdict: Verdict,
    pub(super) ground: Ground,
    pub(super) rows: Vec<String>,
    pub(super) safeguards: Safeguards,
    pub(super) lasts: Lasts,
}

/// Until when a leave holds: as long as its call would still be given it.
#[derive(Debug)]
pub(super) struct Lasts {
    pub(super) call: Arc<CallPolicy>,
    /// The classes of the payload, and those of identifiers that may be left in it, each with
    /// the verdict on which it goes.
    pub(super) needs: Vec<(DataClass, Verdict)>,
}

impl Clearance {
    pub const fn destination(&self) -> &DestinationId {
        &self.destination
    }

    /// Each class of the payload with its own verdict and ground.
    pub fn carried(&self) -> &[Carried] {
        &self.carried
    }

    /// The strictest: `Raw` or `Redacted`; a clearance is never `Local`.
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// On which the strictest goes.
    pub const fn ground(&self) -> Ground {
        self.ground
    }

    /// The rows of the table that gave the leave.
    pub fn rows(&self) -> &[String] {
        &self.rows
    }

    /// Whether it would be given now: while a connection was made for the payload, the
    /// caller may have wished that it stay here, or the policy got narrower.
    pub fn still_holds(&self) -> bool {
        let Lasts { call, needs } = &self.lasts;
        let wishes = call.wishes();
        needs.iter().all(|(class, least)| call.verdict(*class, &self.destination, wishes) >= *least)
    }

    /// What the request must carry for the leave to hold.
    pub const fn safeguards(&self) -> &Safeguards {
        &self.safeguards
    }
}

/// A payload with the leave to send it. Opened by the door alone.
#[derive(Debug)]
#[must_use = "a cleared payload that is not sent was cleared for nothing"]
pub struct Cleared<T> {
    payload: T,
    clearance: Clearance,
}

impl<T> Cleared<T> {
    pub(super) const fn new(payload: T, clearance: Clearance) -> Self {
        Self { payload, clearance }
    }

    pub const fn clearance(&self) -> &Clearance {
        &self.clearance
    }

    /// Both parts, for the door. The payload alone is data and no leave.
    pub(crate) fn into_parts(self) -> (T, Clearance) {
        (self.payload, self.clearance)
    }
}

/// Takes identifiers out of text.
pub trait Redact {
    fn redact(&self, text: &str) -> String;

    /// The turns of one conversation, in their order: a number that was split
    /// over turns is in none of them. Who does not know better takes each by itself.
    fn redact_turns(&self, turns: &[(Party, &str)]) -> Vec<String> {
        turns.iter().map(|(_, text)| self.redact(text)).collect()
    }

    /// Takes out what is of no class that `may_stay`. Who cannot tell them apart
    /// takes out all.
    fn redact_but(&self, text: &str, _may_stay: &[DataClass]) -> String {
        self.redact(text)
    }

    /// As [`Redact::redact_turns`], but for what is of a class that `may_stay`.
    fn redact_turns_but(&self, turns: &[(Party, &str)], _may_stay: &[DataClass]) -> Vec<String> {
        self.redact_turns(turns)
    }
}

/// Who said a turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Party {
    Caller,
    /// The box, or the model that speaks for it.
    Box,
}

/// What can be cleared.
pub trait Payload: Sized {
    /// The payload without identifiers; none if it cannot be had without them,
    /// as sound cannot.
    fn redacted(self, redact: &dyn Redact) -> Option<Self>;
}
