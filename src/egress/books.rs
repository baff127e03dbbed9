//! The door's two books: the register of transfers and what was spent.

use std::sync::{Mutex, PoisonError};

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::budget::{Budget, Room, Spent, Standing, Sum};
use super::prices::{Money, Place, Prices, Usage};
use super::register::Register;
use super::reports::{Reports, reported};
use crate::ops::{MomentSource, WallSource};
use crate::residency::{DestinationId, Reported};
use crate::terms::CallId;

pub(super) struct Books {
    pub(super) register: Register,
    pub(super) now: MomentSource,
    pub(super) wall: WallSource,
    /// Whose midnight ends the budget's day.
    pub(super) zone: TimeZone,
    pub(super) prices: Prices,
    pub(super) reports: Reports,
    /// Held for moments.
    pub(super) spending: Mutex<Spending>,
}

pub(super) struct Spending {
    pub(super) budget: Budget,
    pub(super) spent: Spent,
}

impl Books {
    /// Bytes that crossed the uplink; gives what they cost.
    pub(super) fn carried(&self, destination: &DestinationId, call: Option<CallId>, bytes: u64) -> Money {
        let money = self.prices.of_bytes(bytes);
        self.add(destination, call, Sum { bytes, money });
        money
    }

    /// What an operator will ask money for. It counts at once, and stands in the
    /// register with the next row of this call and destination.
    pub(super) fn used(&self, call: Option<CallId>, destination: &DestinationId, usage: Usage, place: Place) {
        let money = self.prices.of_usage(destination, usage, place);
        self.add(destination, None, Sum { bytes: 0, money });
        self.report(call, destination, reported(usage), money);
    }

    /// Where an operator says that it computed.
    pub(super) fn computed_in(&self, call: Option<CallId>, destination: &DestinationId, region: &str) {
        let inference_region = Some(region.to_owned());
        self.report(call, destination, Reported { inference_region, ..Reported::default() }, Money::NONE);
    }

    /// Writes what was reported and has found no row.
    pub(super) fn write_reports(&self) {
        self.reports.flush().into_iter().for_each(|row| self.register.write(row));
    }

    /// Writes what was reported of connections that write no row any more.
    pub(super) fn write_overdue_reports(&self) {
        self.reports.overdue((self.now)()).into_iter().for_each(|row| self.register.write(row));
    }

    fn report(&self, call: Option<CallId>, destination: &DestinationId, more: Reported, money: Money) {
        let rows = self.reports.add((call, destination.clone()), more, money, (self.now)());
        rows.into_iter().for_each(|row| self.register.write(row));
    }

    pub(super) fn standing(&self, call: Option<CallId>) -> Standing {
        let day = self.day();
        let spending = self.spending.lock().unwrap_or_else(PoisonError::into_inner);
        spending.spent.standing(&spending.budget, day, call)
    }

    /// Whether these bytes and what the operator asks for them can be had now.
    pub(super) fn room_for(
        &self,
        call: Option<CallId>,
        destination: &DestinationId,
        bytes: u64,
        (usage, place): (Usage, Place),
    ) -> Room {
        let money = self.prices.of_bytes(bytes).plus(self.prices.of_usage(destination, usage, place));
        let day = self.day();
        let spending = self.spending.lock().unwrap_or_else(PoisonError::into_inner);
        spending.spent.room_for(Sum { bytes, money }, &spending.budget, day, call)
    }

    pub(super) fn sentence(&self) -> String {
        let day = self.day();
        let spending = self.spending.lock().unwrap_or_else(PoisonError::into_inner);
        spending.spent.sentence(&spending.budget, &self.prices, day)
    }

    pub(super) fn calls_near(&self) -> usize {
        let day = self.day();
        let spending = self.spending.lock().unwrap_or_else(PoisonError::into_inner);
        spending.spent.calls_near(&spending.budget, day)
    }

    pub(super) fn spent(&self) -> Spent {
        self.spending.lock().unwrap_or_else(PoisonError::into_inner).spent.clone()
    }

    /// The day on which the calendar stands, if more may have been spent on it than is
    /// counted.
    pub(super) fn uncounted_day(&self) -> Option<Date> {
        let day = self.day();
        let spending = self.spending.lock().unwrap_or_else(PoisonError::into_inner);
        (!spending.spent.is_whole(day)).then_some(day)
    }

    pub(super) fn count(&self, of_register: Spent) {
        let day = self.day();
        self.spending.lock().unwrap_or_else(PoisonError::into_inner).spent.count(day, of_register);
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
