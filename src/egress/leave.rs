use std::sync::Arc;

use super::account::Account;
use super::budget::Standing;
use super::{Door, HeldBack, SendError};
use crate::residency::{Clearance, Destination, Host, Safeguards};
use crate::terms::CallId;

/// What an open connection is for: where it leads, what it promised, and whose
/// call it serves.
pub(super) struct Leave {
    /// It knows the policy in force.
    pub(super) door: Door,
    /// As it was when the connection was opened.
    pub(super) destination: Arc<Destination>,
    pub(super) host: Host,
    pub(super) call: Option<CallId>,
    /// What the opening carried.
    pub(super) safeguards: Safeguards,
}

impl Leave {
    /// Lets a message pass on `clearance`, or says why not.
    pub(super) fn extend(&self, clearance: &Clearance, account: &Account) -> Result<(), SendError> {
        let to = || clearance.destination().clone();
        if *clearance.destination() != self.destination.id {
            return Err(HeldBack::WrongDestination { destination: to() }.into());
        }
        self.door.would_connect(&self.destination, &self.host, &self.safeguards)?;
        if !clearance.still_holds() {
            return Err(HeldBack::Lapsed { destination: to() }.into());
        }
        if !self.safeguards.cover(clearance.safeguards()) {
            return Err(HeldBack::SafeguardMissing { destination: to() }.into());
        }
        if !account.books().register.is_written() {
            return Err(HeldBack::Unrecorded { destination: to() }.into());
        }
        if !self.destination.on_site && account.books().standing(self.call) == Standing::Spent {
            return Err(HeldBack::BudgetSpent { destination: to() }.into());
        }
        account.carry(self.call, &self.destination, clearance, &self.safeguards);
        Ok(())
    }
}
