//! When a business is open: a week of spans, holidays over it, and its time
//! zone. It counts with calendar times that are handed in and owns no clock.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ZonedDateTime};

/// Minutes of a civil day.
pub(super) const DAY_MINUTES: u16 = 24 * 60;

/// How many days ahead an opening is looked for. A business that is closed for
/// longer than two months has no "next opening" worth telling on a telephone.
const SEARCH_DAYS: usize = 62;

/// From opening to closing, in minutes after the midnight with which the day
/// begins. `closes` above 1440 is on the next day: a bar from 18:00 to 02:00
/// closes at 1560.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct OpenSpan {
    pub opens: u16,
    pub closes: u16,
}

/// A day, or some days, that do not keep the hours of their weekday.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holiday {
    pub name: String,
    /// Other names that callers give it ("xmas").
    pub also: Vec<String>,
    pub date: HolidayDate,
    /// Empty: closed.
    pub spans: Vec<OpenSpan>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HolidayDate {
    /// The same day every year.
    Yearly { month: i8, day: i8 },
    /// From the first to the last, both included.
    Days { first: Date, last: Date },
}

impl HolidayDate {
    pub fn includes(self, date: Date) -> bool {
        match self {
            Self::Yearly { month, day } => date.month() == month && date.day() == day,
            Self::Days { first, last } => first <= date && date <= last,
        }
    }

    /// The first day of it that is not before `date`.
    pub fn on_or_after(self, date: Date) -> Option<Date> {
        match self {
            Self::Yearly { month, day } => next_month_day(month, day, date),
            Self::Days { last, .. } if last < date => None,
            Self::Days { first, .. } => Some(first.max(date)),
        }
    }
}

/// The next such day of the year that is not before `from`. 29 February may be
/// eight years away.
pub(super) fn next_month_day(month: i8, day: i8, from: Date) -> Option<Date> {
    (0..=8).filter_map(|y| Date::new(from.year().checked_add(y)?, month, day).ok()).find(|d| *d >= from)
}

#[derive(Clone, PartialEq, Debug)]
pub struct OpeningHours {
    time_zone: TimeZone,
    /// From Monday to Sunday; each day's spans are in order and do not overlap.
    week: [Vec<OpenSpan>; 7],
    holidays: Vec<Holiday>,
    stated: bool,
}

/// Why there is no opening at a time.
#[derive(Clone, Debug, PartialEq)]
pub enum Openness<'a> {
    Open {
        until: DateTime,
    },
    /// Closed all of that day, by its weekday.
    ClosedDay,
    /// Closed all of that day, for a holiday.
    Holiday(&'a Holiday),
    /// Closed at that time of a day that has opening hours.
    OutsideHours,
}

impl OpeningHours {
    /// `week` from Monday to Sunday.
    pub fn new(time_zone: TimeZone, week: [Vec<OpenSpan>; 7], holidays: Vec<Holiday>) -> Self {
        Self { time_zone, week, holidays, stated: true }
    }

    /// The business did not say when it is open.
    pub fn unstated(time_zone: TimeZone, holidays: Vec<Holiday>) -> Self {
        Self { time_zone, week: Default::default(), holidays, stated: false }
    }

    pub const fn are_stated(&self) -> bool {
        self.stated
    }

    pub const fn time_zone(&self) -> &TimeZone {
        &self.time_zone
    }

    pub fn holidays(&self) -> &[Holiday] {
        &self.holidays
    }

    /// A moment as the business's own calendar and clock show it.
    pub fn local(&self, now: &ZonedDateTime) -> DateTime {
        now.with_time_zone(self.time_zone.clone()).datetime()
    }

    pub fn regular(&self, day: Weekday) -> &[OpenSpan] {
        &self.week[usize::from(day.to_monday_zero_offset().unsigned_abs()) % 7]
    }

    pub fn holiday_on(&self, date: Date) -> Option<&Holiday> {
        self.holidays.iter().find(|h| h.date.includes(date))
    }

    /// The spans that begin on a date, holidays considered.
    pub fn spans_on(&self, date: Date) -> &[OpenSpan] {
        match self.holiday_on(date) {
            Some(holiday) => &holiday.spans,
            None => self.regular(date.weekday()),
        }
    }

    pub fn at(&self, at: DateTime) -> Openness<'_> {
        if let Some(until) = self.open_until(at) {
            return Openness::Open { until };
        }
        match self.holiday_on(at.date()) {
            Some(holiday) if holiday.spans.is_empty() => Openness::Holiday(holiday),
            _ if self.spans_on(at.date()).is_empty() => Openness::ClosedDay,
            _ => Openness::OutsideHours,
        }
    }

    pub fn is_open(&self, at: DateTime) -> bool {
        self.open_until(at).is_some()
    }

    /// The closing of the span that holds `at`; spans that touch count as one.
    fn open_until(&self, at: DateTime) -> Option<DateTime> {
        let mut until = None;
        let mut from = at;
        // A week of round-the-clock opening is long enough to be told.
        for _ in 0..8 {
            match self.span_end(from) {
                Some(end) => {
                    until = Some(end);
                    from = end;
                }
                None => break,
            }
        }
        until
    }

    fn span_end(&self, at: DateTime) -> Option<DateTime> {
        let yesterday = at.date().yesterday().ok();
        [yesterday, Some(at.date())].into_iter().flatten().find_map(|date| {
            self.spans_on(date).iter().find_map(|span| {
                let (opens, closes) = (minute_of(date, span.opens)?, minute_of(date, span.closes)?);
                (opens <= at && at < closes).then_some(closes)
            })
        })
    }

    /// When the opening ends that began the day before and holds `at`.
    pub fn open_since_yesterday(&self, at: DateTime) -> Option<DateTime> {
        let yesterday = at.date().yesterday().ok()?;
        let ends = |span: &OpenSpan| minute_of(yesterday, span.closes).filter(|closes| at < *closes);
        self.spans_on(yesterday).iter().filter(|span| span.closes > DAY_MINUTES).find_map(ends)
    }

    /// The first opening that is not before `at`.
    pub fn next_opening(&self, at: DateTime) -> Option<DateTime> {
        let mut date = at.date();
        for _ in 0..SEARCH_DAYS {
            let found = self.spans_on(date).iter().filter_map(|s| minute_of(date, s.opens)).find(|o| *o >= at);
            if found.is_some() {
                return found;
            }
            date = date.tomorrow().ok()?;
        }
        None
    }
}

/// The time of day that stands `minutes` after a midnight.
pub(super) fn time_of(minutes: u16) -> Time {
    let minutes = minutes % DAY_MINUTES;
    let (hour, minute) = (minutes / 60, minutes % 60);
    // Both are in range by the two remainders above.
    Time::new(i8::try_from(hour).unwrap_or(0), i8::try_from(minute).unwrap_or(0), 0, 0).unwrap_or_default()
}

fn minute_of(date: Date, minutes: u16) -> Option<DateTime> {
    date.to_datetime(Time::midnight()).checked_add(SignedDuration::from_mins(i64::from(minutes))).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use jiff::civil::{date, datetime};

    fn span(opens: u16, closes: u16) -> OpenSpan {
        OpenSpan { opens: opens * 60, closes: closes * 60 }
    }

    /// Monday to Friday 8 to 13 and 14 to 18, Saturday 9 to 14, Sunday closed.
    pub(in super::super) fn clinic() -> OpeningHours {
        let day = || vec![span(8, 13), span(14, 18)];
        let christmas = Holiday {
            name: "Christmas Day".to_owned(),
            also: vec!["xmas".to_owned()],
            date: HolidayDate::Yearly { month: 12, day: 25 },
            spans: vec![],
        };
        let eve = Holiday {
            name: "Christmas Eve".to_owned(),
            also: vec![],
            date: HolidayDate::Yearly { month: 12, day: 24 },
            spans: vec![span(8, 12)],
        };
        OpeningHours::new(
            TimeZone::UTC,
            [day(), day(), day(), day(), day(), vec![span(9, 14)], vec![]],
            vec![christmas, eve],
        )
    }

    #[test]
    fn a_weekday_is_open_around_its_lunch_break() {
        let hours = clinic();
        let monday = date(2026, 11, 23);
        assert_eq!(hours.at(monday.at(9, 0, 0, 0)), Openness::Open { until: monday.at(13, 0, 0, 0) });
        assert_eq!(hours.at(monday.at(13, 0, 0, 0)), Openness::OutsideHours);
        assert_eq!(hours.next_opening(monday.at(13, 0, 0, 0)), Some(monday.at(14, 0, 0, 0)));
        assert!(!hours.is_open(monday.at(18, 0, 0, 0)));
    }

    #[test]
    fn the_next_opening_steps_over_sunday_and_holidays() {
        let hours = clinic();
        assert_eq!(hours.next_opening(datetime(2026, 11, 28, 15, 0, 0, 0)), Some(datetime(2026, 11, 30, 8, 0, 0, 0)));
        // Christmas Day 2026 is a Friday.
        assert_eq!(hours.next_opening(datetime(2026, 12, 24, 13, 0, 0, 0)), Some(datetime(2026, 12, 26, 9, 0, 0, 0)));
    }

    #[test]
    fn a_holiday_goes_over_its_weekday() {
        let hours = clinic();
        assert!(
            matches!(hours.at(datetime(2026, 12, 25, 10, 0, 0, 0)), Openness::Holiday(h) if h.name == "Christmas Day")
        );
        assert!(hours.is_open(datetime(2026, 12, 24, 11, 0, 0, 0)));
        assert!(!hours.is_open(datetime(2026, 12, 24, 15, 0, 0, 0)));
    }

    #[test]
    fn a_bar_is_still_open_after_midnight() {
        let mut week: [Vec<OpenSpan>; 7] = Default::default();
        week[4] = vec![OpenSpan { opens: 18 * 60, closes: 26 * 60 }];
        let hours = OpeningHours::new(TimeZone::UTC, week, vec![]);
        let saturday_at_one = datetime(2026, 11, 28, 1, 0, 0, 0);
        assert_eq!(hours.at(saturday_at_one), Openness::Open { until: datetime(2026, 11, 28, 2, 0, 0, 0) });
        assert!(!hours.is_open(datetime(2026, 11, 28, 3, 0, 0, 0)));
    }

    #[test]
    fn a_business_that_never_opens_has_no_next_opening() {
        let hours = OpeningHours::new(TimeZone::UTC, Default::default(), vec![]);
        assert_eq!(hours.next_opening(datetime(2026, 11, 28, 1, 0, 0, 0)), None);
    }
}
