//! The door's two books: the register of transfers and what was spent.

use std::sync::{Mutex, PoisonError};

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::budget::{Budget, Spent, Standing, Sum};
use super::prices::{Place, Prices, Usage};
use super::register::Register;
use crate::ops::{MomentSource, WallSource};
use crate::residency::DestinationId;
use crate::terms::CallId;

pub(super) struct Books {
    pub(super) register: Register,
    pub(super) now: MomentSource,
    pub(super) wall: WallSource,
    /// Whose midnight ends the budget's day.
    pub(super) zone: TimeZone,
    pub(super) prices: Prices,
    /// Held for moments.
    pub(super) spending: Mutex<Spending>,
}

pub(super) struct Spending {
    pub(super) budget: Budget,
    pub(super) spent: Spent,
}

impl Books {
    /// Bytes that crossed the uplink.
    pub(super) fn carried(&self, destination: &DestinationId, call: Option<CallId>, bytes: u64) {
        self.add(destination, call, Sum { bytes, money: self.prices.of_bytes(bytes) });
    }

    /// What an operator will ask money for.
    pub(super) fn used(&self, destination: &DestinationId, usage: Usage, place: Place) {
        self.add(destination, None, Sum { bytes: 0, money: self.prices.of_usage(destination, usage, place) });
    }

    pub(super) fn standing(&self, call: Option<CallId>) -> Standing {
        let day = self.day();
        let spending = self.spending.lock().unwrap_or_else(PoisonError::into_inner);
        spending.spent.standing(&spending.budget, day, call)
    }

    pub(super) fn sentence(&self) -> String {
        let day = self.day();
        let spending = self.spending.lock().unwrap_or_else(PoisonError::into_inner);
        spending.spent.sentence(&spending.budget, &self.prices, day)
    }

    pub(super) fn spent(&self) -> Spent {
        self.spending.lock().unwrap_or_else(PoisonError::into_inner).spent.clone()
    }

    pub(super) fn set_budget(&self, budget: Budget) {
        self.spending.lock().unwrap_or_else(PoisonError::into_inner).budget = budget;
    }

    pub(super) fn day(&self) -> Date {
        (self.wall)().to_zoned_datetime(self.zone.clone()).date()
    }

    fn add(&self, destination: &DestinationId, call: Option<CallId>, sum: Sum) {
        let day = self.day();
        self.spending.lock().unwrap_or_else(PoisonError::into_inner).spent.add(day, destination, call, sum);
    }
}
