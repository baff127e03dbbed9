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

/// Calls whose bytes are remembered. A box has some thirty at once; the one that has
/// had nothing for longest goes first, for an old call may be heard again.
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

/// Whether there is room for what nobody waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Room {
    Now,
    /// Not beside what was spent today.
    AnotherDay,
    /// Not on a day on which nothing else is sent.
    Never,
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
    /// Whether what the register has of the day is in it; a day that a clock is set
    /// to may have been begun long before.
    is_whole: bool,
    by: BTreeMap<DestinationId, Sum>,
    calls: BTreeMap<CallId, OfCall>,
    /// How often something was added to a call.
    adds: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct OfCall {
    bytes: u64,
    /// Its last; a call may go on over midnight.
    day: Date,
    /// Which of the adds was its last.
    last_add: u64,
}

impl Spent {
    pub const fn nothing(day: Date) -> Self {
        Self { day, is_whole: true, by: BTreeMap::new(), calls: BTreeMap::new(), adds: 0 }
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

    /// Whether all that was spent on `day` is known.
    pub fn is_whole(&self, day: Date) -> bool {
        self.is_whole && self.day == day
    }

    /// Counts what the register has of the day that was begun without it; what went
    /// out in the seconds in between may count twice, and nothing is left out. If the
    /// clock was set again meanwhile, the register is to be asked for another day.
    pub fn count(&mut self, day: Date, of_register: Self) {
        if of_register.day != day || self.is_whole(day) {
            return;
        }
        self.begin(day);
        for (destination, sum) in of_register.by {
            self.by.entry(destination).or_default().add(sum);
        }
        self.is_whole = true;
    }

    /// Adds what went to a destination, on `day`.
    pub fn add(&mut self, day: Date, destination: &DestinationId, call: Option<CallId>, sum: Sum) {
        self.begin(day);
        match self.by.get_mut(destination) {
            Some(known) => known.add(sum),
            None => drop(self.by.insert(destination.clone(), sum)),
        }
        if let Some(call) = call.filter(|_| sum.bytes > 0) {
            self.adds = self.adds.saturating_add(1);
            let before = self.calls.get(&call).map_or(0, |of_call| of_call.bytes);
            let bytes = before.saturating_add(sum.bytes);
            self.calls.insert(call, OfCall { bytes, day, last_add: self.adds });
            if self.calls.len() > CALLS_MAX {
                self.forget_a_call();
            }
        }
    }

    /// The one whose last add is longest ago.
    fn forget_a_call(&mut self) {
        let idle = self.calls.iter().min_by_key(|(_, of_call)| of_call.last_add).map(|(call, _)| *call);
        if let Some(call) = idle {
            self.calls.remove(&call);
        }
    }

    /// How the ceilings stand on `day`, for this call if it is one. A clock that was
    /// set back stands on the day that was begun: it forgives nothing.
    pub fn standing(&self, budget: &Budget, day: Date, call: Option<CallId>) -> Standing {
        self.standing_with(self.total(day), 0, budget, call)
    }

    /// Whether this much more can be sent on `day`, and every ceiling is still far
    /// after it: what is left near one belongs to callers.
    pub fn room_for(&self, more: Sum, budget: &Budget, day: Date, call: Option<CallId>) -> Room {
        let mut today = self.total(day);
        today.add(more);
        let is_ample = |total| self.standing_with(total, more.bytes, budget, call) == Standing::Ample;
        match (is_ample(today), is_ample(more)) {
            (true, _) => Room::Now,
            (false, true) => Room::AnotherDay,
            (false, false) => Room::Never,
        }
    }

    fn standing_with(&self, total: Sum, more_of_call: u64, budget: &Budget, call: Option<CallId>) -> Standing {
        let of_call = call.and_then(|call| self.calls.get(&call)).map_or(0, |call| call.bytes);
        [
            standing(total.bytes, budget.day_bytes),
            standing(of_call.saturating_add(more_of_call), budget.call_bytes),
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

    /// What each destination has had on `day`, or on the day that was begun if the
    /// clock was set back before it.
    pub fn of(&self, day: Date) -> impl Iterator<Item = (&DestinationId, Sum)> {
        self.by.iter().filter(move |_| day <= self.day).map(|(destination, sum)| (destination, *sum))
    }

    /// How many of the day's calls came near their own ceiling, or to it. A start
    /// forgets those before it.
    pub fn calls_near(&self, budget: &Budget, day: Date) -> usize {
        let is_near = |call: &OfCall| standing(call.bytes, budget.call_bytes) > Standing::Ample;
        self.calls.values().filter(|call| day <= call.day && is_near(call)).count()
    }

    /// A sentence or two for a person who looks after the box.
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
            Standing::Near => {
                ": near the ceiling, so until midnight what sound still leaves is Opus, and answers and voice \
                 come from the box's own engines or from those in the business's own network."
            }
            Standing::Spent => {
                ": the budget is spent, so until midnight calls are taken by the box's own engines or by those in the \
                 business's own network."
            }
        });
        if let (calls @ 1.., Some(most)) = (self.calls_near(budget, day), budget.call_bytes) {
            let came = if calls == 1 { "call came near its own ceiling" } else { "calls came near their own ceiling" };
            said_with(
                &mut said,
                format_args!(
                    " {calls} {came} of {}: from then on what sound still left was Opus, and answers and voice came \
                     from the box's own engines or from those in the business's own network.",
                    megabytes(most)
                ),
            );
        }
        said
    }

    fn begin(&mut self, day: Date) {
        if day > self.day {
            self.by.clear();
        }
        self.is_whole &= day == self.day;
        // A clock that is set back forgives nothing, and its next midnight counts again.
        self.day = day;
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

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    const DAY: Date = date(2026, 11, 26);

    fn id(name: &str) -> DestinationId {
        DestinationId::parse(name).expect("a name")
    }

    fn call(n: u64) -> CallId {
        CallId::from_parts(n, [0; 10])
    }

    fn sum(bytes: u64) -> Sum {
        Sum { bytes, money: Money::NONE }
    }

    #[test]
    fn from_four_fifths_on_one_saves_and_at_the_ceiling_one_stops() {
        for (spent, most, expected) in [
            (0, Some(100), Standing::Ample),
            (79, Some(100), Standing::Ample),
            (80, Some(100), Standing::Near),
            (99, Some(100), Standing::Near),
            (100, Some(100), Standing::Spent),
            (0, Some(0), Standing::Spent),
            (u64::MAX, Some(u64::MAX), Standing::Spent),
            (u64::MAX / 2, Some(u64::MAX), Standing::Ample),
            (u64::MAX, None, Standing::Ample),
        ] {
            assert_eq!(standing(spent, most), expected, "{spent} of {most:?}");
        }
    }

    #[test]
    fn the_nearest_ceiling_is_the_one_that_counts() {
        let mut spent = Spent::nothing(DAY);
        spent.add(DAY, &id("deepgram"), Some(call(1)), sum(70));
        spent.add(DAY, &id("anthropic"), Some(call(2)), Sum { bytes: 15, money: Money::from_nanos(5) });
        let of = |budget: Budget, n| spent.standing(&budget, DAY, Some(call(n)));
        assert_eq!(of(Budget::default(), 1), Standing::Ample);
        assert_eq!(of(Budget { day_bytes: Some(100), ..Budget::default() }, 2), Standing::Near);
        assert_eq!(of(Budget { call_bytes: Some(70), ..Budget::default() }, 1), Standing::Spent);
        assert_eq!(of(Budget { call_bytes: Some(70), ..Budget::default() }, 2), Standing::Ample);
        let money = Some(Money::from_nanos(5));
        assert_eq!(of(Budget { day_bytes: Some(100), day_money: money, ..Budget::default() }, 2), Standing::Spent);
    }

    #[test]
    fn what_nobody_waits_for_has_room_only_where_callers_keep_theirs() {
        let mut spent = Spent::nothing(DAY);
        spent.add(DAY, &id("deepgram"), Some(call(1)), Sum { bytes: 50, money: Money::from_nanos(50) });
        let room = |budget: Budget, bytes, nanos, n| {
            spent.room_for(Sum { bytes, money: Money::from_nanos(nanos) }, &budget, DAY, Some(call(n)))
        };
        let of_bytes = Budget { day_bytes: Some(100), ..Budget::default() };
        let of_money = Budget { day_money: Some(Money::from_nanos(100)), ..Budget::default() };
        let of_call = Budget { call_bytes: Some(100), ..Budget::default() };
        for (budget, bytes, nanos, n, expected) in [
            (Budget::default(), u64::MAX, u64::MAX, 1, Room::Now),
            (of_bytes, 29, u64::MAX, 2, Room::Now),
            (of_bytes, 30, 0, 2, Room::AnotherDay),
            (of_bytes, 80, 0, 2, Room::Never),
            (of_money, u64::MAX, 29, 2, Room::Now),
            (of_money, 0, 30, 2, Room::AnotherDay),
            (of_money, 0, 80, 2, Room::Never),
            (of_call, 29, 0, 1, Room::Now),
            // No day gives a call its own bytes back.
            (of_call, 30, 0, 1, Room::Never),
            (of_call, 79, 0, 2, Room::Now),
        ] {
            assert_eq!(room(budget, bytes, nanos, n), expected, "{budget:?} {bytes} {nanos} {n}");
        }
    }

    #[test]
    fn a_new_day_begins_at_nothing_and_a_clock_set_back_forgives_nothing() {
        let budget = Budget { day_bytes: Some(10), call_bytes: Some(10), ..Budget::default() };
        let mut spent = Spent::nothing(DAY);
        spent.add(DAY, &id("deepgram"), Some(call(1)), sum(10));
        assert_eq!(spent.standing(&budget, DAY, None), Standing::Spent);
        let tomorrow = DAY.tomorrow().expect("a day");
        assert_eq!(spent.standing(&budget, tomorrow, None), Standing::Ample);
        assert_eq!(spent.standing(&budget, tomorrow, Some(call(1))), Standing::Spent, "the call goes on");
        spent.add(tomorrow, &id("deepgram"), None, sum(3));
        assert_eq!(spent.total(DAY).bytes, 3, "looked at before anything is added");
        spent.add(DAY, &id("deepgram"), None, sum(8));
        assert_eq!(spent.standing(&budget, DAY, None), Standing::Spent);
        assert_eq!(spent.total(DAY).bytes, 11);
        assert_eq!(spent.standing(&budget, tomorrow, None), Standing::Ample, "the midnight comes again");
    }

    #[test]
    fn after_a_restart_the_day_goes_on_from_the_registers_sums() {
        let sums = [(id("deepgram"), sum(30)), (id("anthropic"), sum(5)), (id("deepgram"), sum(50))];
        let spent = Spent::restore(DAY, sums);
        let budget = Budget { day_bytes: Some(100), ..Budget::default() };
        assert_eq!(spent.standing(&budget, DAY, None), Standing::Near);
        let of: Vec<_> = spent.of(DAY).map(|(id, sum)| (id.as_str(), sum.bytes)).collect();
        assert_eq!(of, [("anthropic", 5), ("deepgram", 80)]);
    }

    #[test]
    fn a_day_that_the_clock_is_set_to_has_what_the_register_has_of_it_and_has_it_once() {
        let ears = id("deepgram");
        let tomorrow = DAY.tomorrow().expect("a day");
        let of_register = |day, bytes| Spent::restore(day, [(id("deepgram"), sum(bytes))]);
        // It started with a clock that stood on the day before.
        let mut spent = of_register(DAY.yesterday().expect("a day"), 7);
        assert!(!spent.is_whole(DAY));
        spent.add(DAY, &ears, None, sum(1));
        assert!(!spent.is_whole(DAY), "begun without what was sent in the morning");
        for _ in 0..2 {
            spent.count(DAY, of_register(DAY, 80));
            assert!(spent.is_whole(DAY));
            assert_eq!(spent.total(DAY).bytes, 81);
        }
        // A jump forward and back.
        spent.add(tomorrow, &ears, None, sum(3));
        spent.count(DAY, of_register(tomorrow, 3));
        assert!(!spent.is_whole(tomorrow), "sums of another day than the clock's are not taken");
        assert!(!spent.is_whole(DAY));
        spent.count(DAY, of_register(DAY, 81));
        assert_eq!(spent.total(DAY).bytes, 84, "what was sent in between was sent all the same");
        // The midnight comes, and there is nothing of the day yet.
        spent.count(tomorrow, of_register(tomorrow, 3));
        assert_eq!((spent.is_whole(tomorrow), spent.total(tomorrow).bytes), (true, 3));
    }

    #[test]
    fn the_sentence_says_what_was_spent_on_whom_and_what_follows() {
        let prices = Prices::none();
        let mut spent = Spent::nothing(DAY);
        let sentence = |spent: &Spent, budget| spent.sentence(&budget, &prices, DAY);
        assert_eq!(sentence(&spent, Budget::default()), "Today the uplink has carried 0.0 MB, for about 0.00 USD.");
        let budget =
            Budget { day_bytes: Some(50_000_000), day_money: Some(Money::from_nanos(5_000_000_000)), call_bytes: None };
        let money = Money::from_nanos(1_234_000_000);
        spent.add(DAY, &id("deepgram"), None, Sum { bytes: 41_250_000, money });
        assert_eq!(
            sentence(&spent, budget),
            "Today the uplink has carried 41.3 MB of 50.0 MB, for about 1.24 USD of 5.00 USD \
             (deepgram 41.3 MB and 1.24 USD): near the ceiling, so until midnight what sound still leaves is Opus, \
             and answers and voice come from the box's own engines or from those in the business's own network."
        );
        spent.add(DAY, &id("deepgram"), None, sum(10_000_000));
        assert!(sentence(&spent, budget).ends_with(
            ": the budget is spent, so until midnight calls are taken by the box's own engines or by those in the \
             business's own network."
        ));
    }

    #[test]
    fn the_sentence_counts_the_calls_of_today_that_came_near_their_own_ceiling() {
        let budget = Budget { call_bytes: Some(20_000_000), ..Budget::default() };
        let said = |spent: &Spent, day| spent.sentence(&budget, &Prices::none(), day);
        let mut spent = Spent::nothing(DAY);
        spent.add(DAY, &id("deepgram"), Some(call(1)), sum(15_900_000));
        assert!(said(&spent, DAY).ends_with("0.00 USD)."), "{}", said(&spent, DAY));
        spent.add(DAY, &id("anthropic"), Some(call(1)), sum(100_000));
        let near = said(&spent, DAY);
        assert!(
            near.ends_with(
                ". 1 call came near its own ceiling of 20.0 MB: from then on what sound still left was Opus, and \
                 answers and voice came from the box's own engines or from those in the business's own network."
            ),
            "{near}"
        );
        let tomorrow = DAY.tomorrow().expect("a day");
        spent.add(DAY, &id("deepgram"), Some(call(2)), sum(30_000_000));
        assert!(said(&spent, DAY).contains(". 2 calls came near their own ceiling of 20.0 MB: "));
        // One of them goes on over midnight.
        spent.add(tomorrow, &id("deepgram"), Some(call(2)), sum(1));
        assert_eq!((spent.calls_near(&budget, tomorrow), spent.calls_near(&Budget::default(), DAY)), (1, 0));
    }

    #[test]
    fn an_old_call_that_is_heard_again_has_its_own_ceiling_when_many_later_ones_are_remembered() {
        let budget = Budget { call_bytes: Some(100), ..Budget::default() };
        let mut spent = Spent::nothing(DAY);
        let remembered = 2..2 + u64::try_from(CALLS_MAX).expect("a small number");
        for n in remembered.clone() {
            spent.add(DAY, &id("deepgram"), Some(call(n)), sum(90));
        }
        spent.add(DAY, &id("deepgram"), Some(call(1)), sum(50));
        spent.add(DAY, &id("deepgram"), Some(call(1)), sum(50));
        assert_eq!(spent.standing(&budget, DAY, Some(call(1))), Standing::Spent);
        assert_eq!(spent.calls_near(&budget, DAY), CALLS_MAX);
        // Of the later ones, one goes on, and the one that had nothing for longest is forgotten.
        spent.add(DAY, &id("deepgram"), Some(call(3)), sum(1));
        spent.add(DAY, &id("deepgram"), Some(call(remembered.end)), sum(1));
        let of = |n| spent.standing(&budget, DAY, Some(call(n)));
        assert_eq!([of(1), of(2), of(3), of(4)], [Standing::Spent, Standing::Ample, Standing::Near, Standing::Ample]);
    }

    proptest! {
        #[test]
        fn nothing_that_is_added_gets_lost_and_a_standing_only_gets_worse(
            adds in prop::collection::vec((0..3_u8, 0..2000_u64, 0..10_000_u64), 0..200),
            most in 1..1_000_000_u64,
        ) {
            let budget = Budget { day_bytes: Some(most), ..Budget::default() };
            let mut spent = Spent::nothing(DAY);
            let mut before = Standing::Ample;
            for (to, n, bytes) in &adds {
                spent.add(DAY, &id(["a", "b", "c"][usize::from(*to)]), Some(call(*n)), sum(*bytes));
                let now = spent.standing(&budget, DAY, None);
                prop_assert!(now >= before);
                before = now;
            }
            prop_assert_eq!(spent.total(DAY).bytes, adds.iter().map(|(_, _, bytes)| bytes).sum::<u64>());
            prop_assert!(spent.calls.len() <= CALLS_MAX);
        }
    }
}
