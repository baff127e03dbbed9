//! What the uplink may carry and what it has carried, in bytes and in money.
//! Pure: the day is handed in, and nothing is refused here.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::civil::Date;

use super::prices::{Money, Prices};
use crate::residency::DestinationId;
use crate::terms::CallId;

/// From this share of a ceiling on, in percent, one saves.
const NEAR_PERCENT: u64 = 80;

/// Calls whose bytes are remembered. A box has some thirty at once; ids sort by
/// time, and the oldest go first.
const CALLS_MAX: usize = 1024;

/// The ceilings; none where there is no ceiling.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Budget {
    /// Bytes in both directions in one day, over all destinations.
    pub day_bytes: Option<u64>,
    /// Bytes in both directions in one call.
    pub call_bytes: Option<u64>,
    /// Money in one day: the operators' and the uplink's.
    pub day_money: Option<Money>,
}

/// How far a ceiling is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Standing {
    /// Far.
    Ample,
    /// Four fifths are gone: save, by Opus and then by the box's own engines.
    Near,
    /// Nothing more leaves.
    Spent,
}

/// What one destination has had in a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sum {
    /// In both directions, TLS included.
    pub bytes: u64,
    pub money: Money,
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.money = self.money.plus(other.money);
    }
}

/// What was spent today, and in the calls of today.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spent {
    day: Date,
    by: BTreeMap<DestinationId, Sum>,
    calls: BTreeMap<CallId, u64>,
}

impl Spent {
    pub const fn nothing(day: Date) -> Self {
        Self { day, by: BTreeMap::new(), calls: BTreeMap::new() }
    }

    /// As it stood when the box went down: the sums of the register's rows of
    /// `day`, one or several for a destination.
    pub fn restore(day: Date, sums: impl IntoIterator<Item = (DestinationId, Sum)>) -> Self {
        let mut spent = Self::nothing(day);
        for (destination, sum) in sums {
            spent.by.entry(destination).or_default().add(sum);
        }
        spent
    }

    /// Adds what went to a destination, on `day`.
    pub fn add(&mut self, day: Date, destination: &DestinationId, call: Option<CallId>, sum: Sum) {
        self.begin(day);
        match self.by.get_mut(destination) {
            Some(known) => known.add(sum),
            None => drop(self.by.insert(destination.clone(), sum)),
        }
        if let Some(call) = call.filter(|_| sum.bytes > 0) {
            let of_call = self.calls.entry(call).or_default();
            *of_call = of_call.saturating_add(sum.bytes);
            if self.calls.len() > CALLS_MAX {
                self.calls.pop_first();
            }
        }
    }

    /// How the ceilings stand on `day`, for this call if it is one.
    pub fn standing(&self, budget: &Budget, day: Date, call: Option<CallId>) -> Standing {
        let total = self.total(day);
        let of_call = call.and_then(|call| self.calls.get(&call)).copied().unwrap_or(0);
        [
            standing(total.bytes, budget.day_bytes),
            standing(of_call, budget.call_bytes),
            standing(total.money.nanos(), budget.day_money.map(Money::nanos)),
        ]
        .into_iter()
        .max()
        .unwrap_or(Standing::Ample)
    }

    /// Over all destinations.
    pub fn total(&self, day: Date) -> Sum {
        let mut total = Sum::default();
        self.of(day).for_each(|(_, sum)| total.add(sum));
        total
    }

    /// What each destination has had on `day`.
    pub fn of(&self, day: Date) -> impl Iterator<Item = (&DestinationId, Sum)> {
        self.by.iter().filter(move |_| day == self.day).map(|(destination, sum)| (destination, *sum))
    }

    /// One sentence for a person who looks after the box.
    pub fn sentence(&self, budget: &Budget, prices: &Prices, day: Date) -> String {
        let total = self.total(day);
        let mut said = format!("Today the uplink has carried {}", megabytes(total.bytes));
        if let Some(most) = budget.day_bytes {
            said_with(&mut said, format_args!(" of {}", megabytes(most)));
        }
        said_with(&mut said, format_args!(", for about {}", prices.shown(total.money)));
        if let Some(most) = budget.day_money {
            said_with(&mut said, format_args!(" of {}", prices.shown(most)));
        }
        let each: Vec<String> = self
            .of(day)
            .map(|(destination, sum)| format!("{destination} {} and {}", megabytes(sum.bytes), prices.shown(sum.money)))
            .collect();
        if !each.is_empty() {
            said_with(&mut said, format_args!(" ({})", each.join(", ")));
        }
        said.push_str(match self.standing(budget, day, None) {
            Standing::Ample => ".",
            Standing::Near => ": near the ceiling, so calls take Opus first and then the box's own engines.",
            Standing::Spent => ": the budget is spent, so until midnight calls are taken by the box's own engines.",
        });
        said
    }

    fn begin(&mut self, day: Date) {
        // A clock that is set back does not forgive what was spent.
        if day > self.day {
            self.day = day;
            self.by.clear();
        }
    }
}

fn said_with(said: &mut String, more: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    said.write_fmt(more).unwrap_or_default();
}

/// Decimal, as uplinks are billed; one place after the point.
fn megabytes(bytes: u64) -> String {
    let tenths = bytes.saturating_add(50_000) / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

fn standing(spent: u64, most: Option<u64>) -> Standing {
    match most {
        None => Standing::Ample,
        Some(most) if spent >= most => Standing::Spent,
        Some(most) if u128::from(spent) * 100 >= u128::from(most) * u128::from(NEAR_PERCENT) => Standing::Near,
        Some(_) => Standing::Ample,
    }
}
