//! The small values of a knowledge file as people write them: times of day,
//! spans of opening, weekdays, dates.

use std::ops::Range;

use jiff::civil::Date;

use super::super::hours::{DAY_MINUTES, HolidayDate, OpenSpan};
use super::super::mistake::Wrong;
use super::super::numbers::{MONTHS, month_name};
use super::super::words::nearest;

/// Spans that one day may have. Nobody opens more often, and a hostile file
/// must not make the search for an opening long.
const MAX_SPANS: usize = 6;

/// A closing up to this time of the next day is believed (a night pharmacy);
/// a later one is a slip ("8:00-5:00").
const LATEST_NEXT_MORNING: u16 = 6 * 60;

pub(super) const DAY_NAMES: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Minutes after midnight: "8", "8:00", "08.30", "8am", "5:30 pm", "noon", "24:00".
pub(super) fn time(text: &str) -> Result<u16, Wrong> {
    let wrong = || Wrong::Time(text.trim().to_owned());
    let lower = text.trim().to_lowercase().replace(' ', "");
    match lower.as_str() {
        "noon" | "midday" => return Ok(12 * 60),
        "midnight" => return Ok(DAY_MINUTES),
        _ => {}
    }
    let plain = lower.replace("a.m.", "am").replace("p.m.", "pm");
    let (clock, half) = match (plain.strip_suffix("am"), plain.strip_suffix("pm")) {
        (Some(clock), _) => (clock, Some(0)),
        (_, Some(clock)) => (clock, Some(12)),
        _ => (plain.as_str(), None),
    };
    let (hour, minute) = clock.split_once([':', '.', 'h']).unwrap_or((clock, "0"));
    let number = |t: &str| {
        let fits = (1..=2).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
        if fits { t.parse::<u16>().map_err(|_| wrong()) } else { Err(wrong()) }
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let hour = match half {
        Some(add) if (1..=12).contains(&hour) => hour % 12 + add,
        Some(_) => return Err(wrong()),
        None => hour,
    };
    let minutes = hour * 60 + minute;
    if minute < 60 && minutes <= DAY_MINUTES { Ok(minutes) } else { Err(wrong()) }
}

/// A day's spans: "closed", "8:00-13:00, 14:00-18:00", "8am to 6pm", "24 hours".
pub(super) fn spans(text: &str) -> Result<Vec<OpenSpan>, Wrong> {
    let lower = text.trim().to_lowercase();
    match lower.as_str() {
        "closed" | "close" | "none" | "-" => return Ok(Vec::new()),
        "24 hours" | "24h" | "always" | "all day" | "open all day" => {
            return Ok(vec![OpenSpan { opens: 0, closes: DAY_MINUTES }]);
        }
        _ => {}
    }
    let mut found: Vec<(OpenSpan, String)> = Vec::new();
    for piece in lower.split([',', ';', '&']).flat_map(|p| p.split(" and ")) {
        found.push((span(piece)?, piece.trim().to_owned()));
        if found.len() > MAX_SPANS {
            return Err(Wrong::TooMany { what: "opening times on one day", most: MAX_SPANS });
        }
    }
    found.sort_by_key(|(s, _)| *s);
    for pair in found.windows(2) {
        if pair[1].0.opens < pair[0].0.closes {
            return Err(Wrong::Overlap(pair[0].1.clone(), pair[1].1.clone()));
        }
    }
    Ok(found.into_iter().map(|(s, _)| s).collect())
}

fn span(piece: &str) -> Result<OpenSpan, Wrong> {
    let piece = piece.trim();
    let (from, to) = piece
        .split_once(['-', '–', '—'])
        .or_else(|| piece.split_once(" to "))
        .or_else(|| piece.split_once(" till "))
        .or_else(|| piece.split_once(" until "))
        .ok_or_else(|| Wrong::Hours(piece.to_owned()))?;
    let (opens, closes) = (time(from)?, time(to)?);
    let closes = if closes > opens {
        closes
    } else if closes <= LATEST_NEXT_MORNING && opens > 12 * 60 {
        closes + DAY_MINUTES
    } else {
        return Err(Wrong::EndsBeforeStart { found: piece.to_owned(), opens: opens / 60, closes: closes / 60 % 12 });
    };
    Ok(OpenSpan { opens, closes })
}

/// The days of a key: "monday", "mon", "monday-friday", "Monday to Friday",
/// "weekdays", "weekend", "every day", "saturday, sunday"; 0 is Monday.
pub(super) fn days(text: &str) -> Result<Vec<usize>, Wrong> {
    let lower = text.trim().to_lowercase().replace('_', "-");
    match lower.as_str() {
        "weekdays" | "weekday" => return Ok((0..5).collect()),
        "weekend" | "weekends" => return Ok(vec![5, 6]),
        "every day" | "everyday" | "every-day" | "daily" => return Ok((0..7).collect()),
        _ => {}
    }
    let mut found = Vec::new();
    for piece in lower.split([',', '&']).flat_map(|p| p.split(" and ")) {
        let range =
            piece.split_once("-to-").or_else(|| piece.split_once(" to ")).or_else(|| piece.split_once(['-', '–', '—']));
        match range {
            Some((first, last)) => {
                let (first, last) = (day(first)?, day(last)?);
                let count = (last + 7 - first) % 7;
                found.extend((0..=count).map(|i| (first + i) % 7));
            }
            None => found.push(day(piece)?),
        }
        if found.len() > 7 {
            break;
        }
    }
    found.truncate(7);
    Ok(found)
}

/// "Monday 9:00-12:00, 14:00-16:00, Sunday 9:00-12:00" in its parts: one begins where a
/// comma stands after a time and before a day.
pub(super) fn by_days(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    let begins = |rest: &str, at: usize| {
        let word = rest[at + 1..].split_whitespace().next().unwrap_or_default();
        let word = word.split(['-', '–', '—', ':', ',']).next().unwrap_or_default();
        days(word).is_ok() && rest[..at].contains(|c: char| c.is_ascii_digit())
    };
    while let Some(at) = rest.match_indices(',').map(|(at, _)| at).find(|at| begins(rest, *at)) {
        parts.push(&rest[..at]);
        rest = &rest[at + 1..];
    }
    parts.push(rest);
    parts
}

fn day(text: &str) -> Result<usize, Wrong> {
    let word = text.trim();
    let single = word.strip_suffix('s').filter(|s| s.ends_with("day")).unwrap_or(word);
    let short = single.len() >= 3;
    DAY_NAMES
        .iter()
        .position(|name| *name == single || short && name.starts_with(single))
        .ok_or_else(|| Wrong::UnknownDay { found: word.to_owned(), nearest: nearest(single, &DAY_NAMES) })
}

/// "2026-12-25", "25 December", "December 25th", "25 December 2026", and two
/// dates with "to" between.
pub(super) fn holiday_date(text: &str) -> Result<HolidayDate, Wrong> {
    if let Some((first, last)) = text.split_once(" to ").or_else(|| text.split_once('–')) {
        let last = one_date(last, text)?;
        let first = match (one_date(first, text)?, last) {
            // "27 to 29 December 2026" has its year at the end.
            (HolidayDate::Yearly { month, day }, HolidayDate::Days { last, .. }) => exact(last.year(), month, day)?,
            (first, _) => first,
        };
        return match (first, last) {
            (HolidayDate::Days { first, .. }, HolidayDate::Days { last, .. }) if first <= last => {
                Ok(HolidayDate::Days { first, last })
            }
            (HolidayDate::Days { .. }, HolidayDate::Days { .. }) => Err(Wrong::HolidayBackwards),
            _ => Err(Wrong::Date(text.trim().to_owned())),
        };
    }
    one_date(text, text)
}

fn one_date(text: &str, whole: &str) -> Result<HolidayDate, Wrong> {
    let wrong = || Wrong::Date(whole.trim().to_owned());
    let lower = text.trim().to_lowercase().replace(',', " ");
    let parts: Vec<&str> =
        lower.split(|c: char| c.is_whitespace() || c == '-' || c == '/').filter(|p| *p != "of").collect();
    let number = |t: &str| -> Result<i16, Wrong> {
        let digits = ["st", "nd", "rd", "th"].iter().find_map(|end| t.strip_suffix(end)).unwrap_or(t);
        digits.parse().map_err(|_| wrong())
    };
    let parts: Vec<&str> = parts.into_iter().filter(|p| !p.is_empty()).collect();
    match parts.as_slice() {
        [y, m, d] if y.len() == 4 && m.len() <= 2 => {
            exact(number(y)?, small(number(m)?, &wrong)?, small(number(d)?, &wrong)?)
        }
        [a, b, y] => {
            let (day, month) = day_month(a, b, &number, &wrong)?;
            exact(number(y)?, month, day)
        }
        [a, b] => {
            let (day, month) = day_month(a, b, &number, &wrong)?;
            // A leap year, so that 29 February may be a holiday.
            check_day(2024, month, day)?;
            Ok(HolidayDate::Yearly { month, day })
        }
        _ => Err(wrong()),
    }
}

fn day_month(
    a: &str,
    b: &str,
    number: &dyn Fn(&str) -> Result<i16, Wrong>,
    wrong: &dyn Fn() -> Wrong,
) -> Result<(i8, i8), Wrong> {
    let (day, month) = if a.starts_with(|c: char| c.is_ascii_digit()) { (a, b) } else { (b, a) };
    let month = MONTHS
        .iter()
        .position(|m| month.len() >= 3 && m.to_lowercase().starts_with(month))
        .and_then(|m| i8::try_from(m + 1).ok())
        .ok_or_else(wrong)?;
    Ok((small(number(day)?, wrong)?, month))
}

fn small(n: i16, wrong: &dyn Fn() -> Wrong) -> Result<i8, Wrong> {
    i8::try_from(n).map_err(|_| wrong())
}

fn exact(year: i16, month: i8, day: i8) -> Result<HolidayDate, Wrong> {
    check_day(year, month, day)?;
    let date = Date::new(year, month, day).map_err(|_| Wrong::Date(format!("{year}-{month}-{day}")))?;
    Ok(HolidayDate::Days { first: date, last: date })
}

fn check_day(year: i16, month: i8, day: i8) -> Result<(), Wrong> {
    // Years before the telephone and after the file's use are slips.
    if !(2000..=2200).contains(&year) || !(1..=12).contains(&month) {
        return Err(Wrong::Date(format!("{year}-{month:02}-{day:02}")));
    }
    let longest = Date::new(year, month, 1).map_or(31, Date::days_in_month);
    if (1..=longest).contains(&day) { Ok(()) } else { Err(Wrong::NoSuchDay { day, month: month_name(month), longest }) }
}

/// A value and where it stands in the file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

impl<T> At<T> {
    pub(super) const fn new(value: T, span: Range<usize>) -> Self {
        Self { value, span }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, minutes) in [
            ("8", 480),
            ("8:00", 480),
            ("08.30", 510),
            ("8am", 480),
            ("5:30 pm", 1050),
            ("12am", 0),
            ("noon", 720),
            ("24:00", 1440),
        ] {
            assert_eq!(time(text), Ok(minutes), "{text}");
        }
        for text in ["25:00", "8:60", "13pm", "0pm", "late", "", "8:", "-1", "24:01"] {
            assert_eq!(time(text), Err(Wrong::Time(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_lunch_break_is_two_spans_in_order() {
        let expected = vec![OpenSpan { opens: 480, closes: 780 }, OpenSpan { opens: 840, closes: 1080 }];
        assert_eq!(spans("2pm to 6pm, 8:00-13:00"), Ok(expected));
        assert_eq!(spans("Closed"), Ok(vec![]));
    }

    #[test]
    fn spans_that_cannot_be_are_refused_with_what_was_meant() {
        assert!(matches!(spans("8:00-12:00, 11:00-15:00"), Err(Wrong::Overlap(..))));
        let reversed = spans("8:00-5:00").unwrap_err();
        assert!(reversed.to_string().contains("8:00-17:00"), "{reversed}");
        assert_eq!(spans("18:00-2:00"), Ok(vec![OpenSpan { opens: 1080, closes: 1560 }]));
        assert!(matches!(spans("whenever"), Err(Wrong::Hours(_))));
    }

    #[test]
    fn days_are_read_alone_in_ranges_and_by_group() {
        assert_eq!(days("Monday to Friday"), Ok(vec![0, 1, 2, 3, 4]));
        assert_eq!(days("sat-mon"), Ok(vec![5, 6, 0]));
        assert_eq!(days("Tuesdays"), Ok(vec![1]));
        assert_eq!(days("weekend"), Ok(vec![5, 6]));
        assert_eq!(
            days("wendesday"),
            Err(Wrong::UnknownDay { found: "wendesday".to_owned(), nearest: Some("wednesday") })
        );
    }

    #[test]
    fn days_after_a_comma_have_times_of_their_own() {
        assert_eq!(by_days("Mon-Fri 9:00-16:00, Sat 9:00-12:00"), ["Mon-Fri 9:00-16:00", " Sat 9:00-12:00"]);
        assert_eq!(by_days("Mon 9:00-12:00, 14:00-16:00, weekends 9-12").len(), 2);
        for whole in ["Monday, Wednesday 9:00-16:00", "9:00-12:00, 14:00-16:00", "9:00, noon", "", ",,"] {
            assert_eq!(by_days(whole), [whole]);
        }
    }

    #[test]
    fn dates_are_read_and_impossible_ones_explained() {
        assert_eq!(holiday_date("25 December"), Ok(HolidayDate::Yearly { month: 12, day: 25 }));
        assert_eq!(holiday_date("December 25th"), Ok(HolidayDate::Yearly { month: 12, day: 25 }));
        let first = Date::constant(2026, 12, 27);
        let last = Date::constant(2026, 12, 29);
        assert_eq!(holiday_date("2026-12-27 to 2026-12-29"), Ok(HolidayDate::Days { first, last }));
        assert_eq!(holiday_date("27 December to 29 December 2026"), Ok(HolidayDate::Days { first, last }));
        assert_eq!(holiday_date("30 February"), Err(Wrong::NoSuchDay { day: 30, month: "February", longest: 29 }));
        assert_eq!(holiday_date("2026-12-29 to 2026-12-27"), Err(Wrong::HolidayBackwards));
    }

    proptest! {
        #[test]
        fn no_text_makes_a_value_reader_panic(text in "\\PC{0,40}") {
            prop_assert!(time(&text).is_ok_and(|m| m <= DAY_MINUTES) || time(&text).is_err());
            prop_assert!(spans(&text).is_ok_and(|s| s.len() <= MAX_SPANS) || spans(&text).is_err());
            prop_assert!(days(&text).is_ok_and(|d| d.iter().all(|d| *d < 7)) || days(&text).is_err());
            prop_assert!(holiday_date(&text).is_ok() || holiday_date(&text).is_err());
        }

        #[test]
        fn every_time_that_can_be_written_is_read_back(minutes in 0u16..=1440) {
            let text = format!("{}:{:02}", minutes / 60, minutes % 60);
            prop_assert_eq!(time(&text), Ok(minutes));
        }
    }
}
