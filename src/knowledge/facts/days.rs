//! The days that a sentence speaks of, against the business's calendar.

use jiff::civil::{Date, DateTime, Weekday};

use super::super::hours::{OpeningHours, next_month_day};

/// Days as a sentence names them. All of them are meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Days {
    /// This moment.
    Now,
    /// So many days from today.
    Ahead(i8),
    /// "On Saturday": the next one.
    Coming(Weekday),
    /// "Next Saturday": the next one or the one after it.
    Next(Weekday),
    /// "Saturdays", "Monday to Friday": by the week, whatever the calendar.
    Week(WeekSet),
    /// Never shut.
    Always,
    Holidays,
    /// The holiday at this index of the file.
    Holiday(usize),
    Date {
        month: i8,
        day: i8,
    },
    /// "Friday the twenty-fifth of December".
    DateOn {
        month: i8,
        day: i8,
        weekday: Weekday,
    },
}

/// Some days of the week; bit 0 is Monday.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WeekSet(u8);

impl WeekSet {
    pub(super) const EVERY: Self = Self(0x7F);

    pub(super) fn one(day: Weekday) -> Self {
        Self(1 << day.to_monday_zero_offset().rem_euclid(7))
    }

    pub(super) fn contains(self, day: Weekday) -> bool {
        self.0 & Self::one(day).0 != 0
    }

    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) const fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    pub(super) fn days(self) -> impl Iterator<Item = Weekday> {
        Weekday::Monday.cycle_forward().take(7).filter(move |d| self.contains(*d))
    }
}

/// One day to look at in the calendar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OneDay {
    Now,
    On(Date),
    Regular(Weekday),
}

impl Days {
    pub(super) const NOW: Self = Self::Now;
    pub(super) const EVERY: Self = Self::Week(WeekSet::EVERY);
    pub(super) const ALWAYS: Self = Self::Always;
    pub(super) const HOLIDAYS: Self = Self::Holidays;

    pub(super) const fn in_days(n: i8) -> Self {
        Self::Ahead(n)
    }

    pub(super) fn regular(day: Weekday) -> Self {
        Self::Week(WeekSet::one(day))
    }

    pub(super) const fn coming(day: Weekday) -> Self {
        Self::Coming(day)
    }

    pub(super) const fn next(day: Weekday) -> Self {
        Self::Next(day)
    }

    pub(super) const fn of_holiday(index: usize) -> Self {
        Self::Holiday(index)
    }

    /// From the first to the last, over the week's end if need be.
    pub(super) fn span(first: Weekday, last: Weekday) -> Self {
        let mut set = WeekSet::one(first);
        for day in first.cycle_forward().take(7) {
            set = set.with(WeekSet::one(day));
            if day == last {
                break;
            }
        }
        Self::Week(set)
    }

    /// The weekdays that are meant; none for what is not by the week.
    pub(super) fn weekdays(self, today: Date) -> Option<WeekSet> {
        match self {
            Self::Week(set) => Some(set),
            Self::Coming(day) | Self::Next(day) => Some(WeekSet::one(day)),
            Self::Now => Some(WeekSet::one(today.weekday())),
            Self::Ahead(n) => Some(WeekSet::one(ahead(today, n)?.weekday())),
            Self::Date { month, day } => next_month_day(month, day, today).map(|d| WeekSet::one(d.weekday())),
            Self::DateOn { weekday, .. } => Some(WeekSet::one(weekday)),
            Self::Always => Some(WeekSet::EVERY),
            Self::Holidays | Self::Holiday(_) => None,
        }
    }

    /// The days to look at, all of which must fit; alternatives only for "next Saturday".
    pub(super) fn each(self, now: DateTime, hours: &OpeningHours) -> Vec<Vec<OneDay>> {
        let today = now.date();
        let all = |days: Vec<OneDay>| vec![days];
        match self {
            Self::Now => all(vec![OneDay::Now]),
            Self::Ahead(n) => all(ahead(today, n).map(OneDay::On).into_iter().collect()),
            Self::Coming(day) => all(coming(day, today).map(OneDay::On).into_iter().collect()),
            Self::Next(day) => {
                let first = coming(day, today);
                let second = first.and_then(|d| ahead(d, 7));
                [first, second].into_iter().flatten().map(|d| vec![OneDay::On(d)]).collect()
            }
            Self::Week(set) => all(set.days().map(OneDay::Regular).collect()),
            Self::Always => all(WeekSet::EVERY.days().map(OneDay::Regular).collect()),
            Self::Holidays => {
                let dates = hours.holidays().iter().filter_map(|h| h.date.on_or_after(today));
                all(dates.map(OneDay::On).collect())
            }
            Self::Holiday(i) => {
                let date = hours.holidays().get(i).and_then(|h| h.date.on_or_after(today));
                all(date.map(OneDay::On).into_iter().collect())
            }
            Self::Date { month, day } => all(next_month_day(month, day, today).map(OneDay::On).into_iter().collect()),
            Self::DateOn { month, day, weekday } => {
                let date = next_month_day(month, day, today).filter(|d| d.weekday() == weekday);
                all(date.map(OneDay::On).into_iter().collect())
            }
        }
    }
}

pub(super) fn ahead(from: Date, days: i8) -> Option<Date> {
    from.checked_add(jiff::SignedDuration::from_hours(24 * i64::from(days))).ok()
}

fn coming(day: Weekday, today: Date) -> Option<Date> {
    (0..7).filter_map(|n| ahead(today, n)).find(|d| d.weekday() == day)
}
