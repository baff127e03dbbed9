//! Times in a caller's words: "tomorrow at six", "this Saturday by 5 pm",
//! "on Christmas". It reads heard text, so it forgives what ears do to it, and
//! it marks the words it used, so that the rest can be looked at by itself.

use jiff::civil::{Date, DateTime, Time, Weekday};

use super::hours::{OpeningHours, next_month_day};
use super::numbers::{MONTHS, ordinal_value, word_value};
use super::words::distance;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Day {
    /// This moment.
    Now,
    On(Date),
    /// The coming Saturday and the Sunday after it.
    Weekend(Date),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AskedTime {
    pub time: Time,
    pub half: HalfOfDay,
}

/// Whether a caller's "six" is known to be in the morning or the evening.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HalfOfDay {
    Known,
    /// `time` is before noon; twelve hours later may be meant as well.
    Either,
}

/// A time that a caller asks about; at least one part is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct When {
    pub day: Option<Day>,
    pub time: Option<AskedTime>,
}

/// What was understood, and which of the words said it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Understood {
    pub when: Option<When>,
    pub used: Vec<bool>,
}

/// Reads the time in `words` (see [`super::words::tokens`]) as asked at `now`,
/// the business's local time. Holidays are known by the names in its file.
pub fn understand(words: &[String], now: DateTime, hours: &OpeningHours) -> Understood {
    let (used, when) = (vec![false; words.len()], When::default());
    let mut reader = Reader { words, now, hours, used, when, part: None, is_named: false };
    let mut i = 0;
    while i < words.len() {
        i += reader.read_at(i).max(1);
    }
    reader.finish()
}

/// A part of the day said in words, which settles "at six".
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Morning,
    Later,
    Evening,
    Night,
}

struct Reader<'a> {
    words: &'a [String],
    now: DateTime,
    hours: &'a OpeningHours,
    used: Vec<bool>,
    when: When,
    part: Option<Part>,
    /// The time was said by its name, which no night moves.
    is_named: bool,
}

/// Words that may stand before a time and then belong to it.
const BEFORE_TIME: [&str; 12] =
    ["at", "by", "around", "before", "till", "until", "from", "for", "past", "after", "like", "about"];

impl Reader<'_> {
    /// Reads what begins at word `i`; answers how many words it took.
    fn read_at(&mut self, i: usize) -> usize {
        let taken = self
            .holiday(i)
            .or_else(|| self.date(i))
            .or_else(|| self.named_day(i))
            .or_else(|| self.clock(i))
            .or_else(|| self.part_of_day(i))
            .unwrap_or(0);
        for used in self.used.iter_mut().skip(i).take(taken) {
            *used = true;
        }
        // "at" of "at six", "on" of "on Sunday", "the" of "the 25th", "this" of "this evening".
        if taken > 0 {
            let mut j = i;
            while j > 0 && is_time_preposition(&self.words[j - 1]) {
                j -= 1;
                self.used[j] = true;
            }
        }
        taken
    }

    fn word(&self, i: usize) -> &str {
        self.words.get(i).map_or("", String::as_str)
    }

    fn set_day(&mut self, day: Day) {
        // "open now on Sunday" asks about Sunday.
        if matches!(self.when.day, None | Some(Day::Now)) {
            self.when.day = Some(day);
        }
    }

    fn holiday(&mut self, i: usize) -> Option<usize> {
        let today = self.now.date();
        let mut best: Option<(usize, Date)> = None;
        let of_file = self.hours.holidays().iter().flat_map(|h| {
            let date = h.date.on_or_after(today);
            std::iter::once(&h.name).chain(&h.also).map(move |n| (name_words(n), date))
        });
        let common = COMMON_HOLIDAYS.iter().map(|(n, m, d)| (name_words(n), next_month_day(*m, *d, today)));
        let easter = easter_days(today).into_iter().map(|(n, date)| (name_words(n), Some(date)));
        for (name, date) in of_file.chain(common).chain(easter) {
            let said = name.iter().enumerate().all(|(k, n)| same_name_word(self.word(i + k), n));
            if let (Some(date), true, false) = (date, said, name.is_empty())
                && best.is_none_or(|(len, _)| name.len() > len)
            {
                best = Some((name.len(), date));
            }
        }
        let (len, date) = best?;
        self.set_day(Day::On(date));
        let day_said = usize::from(self.word(i + len) == "day");
        Some(len + day_said)
    }

    fn date(&mut self, i: usize) -> Option<usize> {
        let (day, month, taken) =
            self.day_then_month(i).or_else(|| self.month_then_day(i)).or_else(|| self.day_alone(i))?;
        let today = self.now.date();
        let date = match month {
            Some(month) => next_month_day(month, day, today)?,
            None => (0..=2).find_map(|ahead| {
                let months = (today.month() - 1).checked_add(ahead)?;
                let date = Date::new(today.year() + i16::from(months / 12), months % 12 + 1, day).ok()?;
                (date >= today).then_some(date)
            })?,
        };
        self.set_day(Day::On(date));
        Some(taken)
    }

    /// "25th December", "the twenty-fifth of December", "25 December".
    fn day_then_month(&self, i: usize) -> Option<(i8, Option<i8>, usize)> {
        let rest = &self.words[i..];
        let (day, taken) = ordinal_value(rest).or_else(|| Some((rest.first()?.parse().ok()?, 1)))?;
        let day = i8::try_from(day).ok().filter(|d| (1..=31).contains(d))?;
        let of = usize::from(self.word(i + taken) == "of");
        let month = month_number(self.word(i + taken + of))?;
        Some((day, Some(month), taken + of + 1))
    }

    /// "December 25", "December the twenty-fifth".
    fn month_then_day(&self, i: usize) -> Option<(i8, Option<i8>, usize)> {
        let month = month_number(self.word(i))?;
        let the = usize::from(self.word(i + 1) == "the");
        let rest = self.words.get(i + 1 + the..)?;
        let (day, taken) = ordinal_value(rest).or_else(|| Some((rest.first()?.parse().ok()?, 1)))?;
        let day = i8::try_from(day).ok().filter(|d| (1..=31).contains(d))?;
        Some((day, Some(month), 1 + the + taken))
    }

    /// "the 25th", with no month: the next one.
    fn day_alone(&self, i: usize) -> Option<(i8, Option<i8>, usize)> {
        let said_the = i > 0 && matches!(self.word(i - 1), "the" | "on");
        let (day, taken) = ordinal_value(&self.words[i..]).filter(|_| said_the)?;
        // "the first time", "the second floor" are no dates.
        let ends = i + taken == self.words.len() || self.word(i).starts_with(|c: char| c.is_ascii_digit());
        let day = i8::try_from(day).ok().filter(|d| (1..=31).contains(d) && ends)?;
        Some((day, None, taken))
    }

    fn named_day(&mut self, i: usize) -> Option<usize> {
        let today = self.now.date();
        let (day, taken) = match self.word(i) {
            "now" | "currently" | "presently" => (Day::Now, 1),
            "moment" if i > 1 && self.word(i - 1) == "the" => (Day::Now, 1),
            "today" | "2day" => (Day::On(today), 1),
            "tonight" | "tonite" => {
                self.part = Some(Part::Night);
                (Day::On(today), 1)
            }
            "day" if self.word(i + 1) == "after" && is_tomorrow(self.word(i + 2)) => {
                (Day::On(today.tomorrow().ok()?.tomorrow().ok()?), 3)
            }
            // Nigerian English: the day after tomorrow.
            "next" if is_tomorrow(self.word(i + 1)) => (Day::On(today.tomorrow().ok()?.tomorrow().ok()?), 2),
            word if is_tomorrow(word) => (Day::On(today.tomorrow().ok()?), 1),
            "weekend" | "weekends" => (Day::Weekend(coming(Weekday::Saturday, today)?), 1),
            word => {
                if let Some((weekday, taken)) = self.weekday_of_next_week(i) {
                    self.set_day(Day::On(in_next_week(weekday, today)?));
                    return Some(taken);
                }
                let weekday = weekday_named(word)?;
                let next = i > 0 && self.word(i - 1) == "next";
                let date = if next { in_next_week(weekday, today)? } else { coming(weekday, today)? };
                (Day::On(date), 1)
            }
        };
        self.set_day(day);
        Some(taken)
    }

    /// "next week Monday", "Monday next week", "Friday of next week".
    fn weekday_of_next_week(&self, i: usize) -> Option<(Weekday, usize)> {
        let is_next_week = |at: usize| self.word(at) == "next" && self.word(at + 1) == "week";
        if is_next_week(i) {
            let on = usize::from(self.word(i + 2) == "on");
            return Some((weekday_named(self.word(i + 2 + on))?, 3 + on));
        }
        let weekday = weekday_named(self.word(i))?;
        let of = usize::from(matches!(self.word(i + 1), "of" | "in"));
        is_next_week(i + 1 + of).then_some((weekday, 3 + of))
    }

    fn part_of_day(&mut self, i: usize) -> Option<usize> {
        let part = match self.word(i) {
            "morning" if !(i > 0 && self.word(i - 1) == "good") => Part::Morning,
            "afternoon" if !(i > 0 && self.word(i - 1) == "good") => Part::Later,
            "evening" if !(i > 0 && self.word(i - 1) == "good") => Part::Evening,
            "night" if !(i > 0 && self.word(i - 1) == "good") => Part::Night,
            _ => return None,
        };
        self.part = Some(part);
        if i > 0 && self.word(i - 1) == "this" {
            self.set_day(Day::On(self.now.date()));
        }
        Some(1)
    }

    fn clock(&mut self, i: usize) -> Option<usize> {
        let named = match self.word(i) {
            "noon" | "midday" => Some(Time::constant(12, 0, 0, 0)),
            "midnight" => Some(Time::constant(23, 59, 0, 0)),
            _ => None,
        };
        if let Some(time) = named {
            self.when.time = Some(AskedTime { time, half: HalfOfDay::Known });
            self.is_named = true;
            return Some(1);
        }
        let (hour, minute, mut taken) = self.face(i)?;
        let half = match self.word(i + taken) {
            "am" => Some(Part::Morning),
            "pm" => Some(Part::Later),
            _ => None,
        };
        taken += usize::from(half.is_some());
        let led = i > 0 && BEFORE_TIME.contains(&self.word(i - 1));
        let shaped = self.word(i).contains(':') || taken > 1;
        if half.is_none() && !led && !shaped {
            return None;
        }
        // "from 6" may be years, "for two" people, "about 5" anything.
        if half.is_none()
            && !shaped
            && matches!(self.word(i - 1), "for" | "about" | "like" | "from" | "past" | "after")
            && i + taken < self.words.len()
        {
            return None;
        }
        self.when.time = Some(settled(hour, minute, half)?);
        self.is_named = false;
        Some(taken)
    }

    /// "six", "6:30", "half past four", "quarter to five", "six thirty", "six o'clock".
    fn face(&self, i: usize) -> Option<(i8, i8, usize)> {
        let word = self.word(i);
        let past = match (word, self.word(i + 1)) {
            ("half", "past") => Some(30),
            ("quarter", "past" | "after") => Some(15),
            ("quarter", "to") => Some(-15),
            _ => None,
        };
        if let Some(minutes) = past {
            let hour = hour_word(self.word(i + 2))?;
            let before = if hour == 1 { 12 } else { hour - 1 };
            return if minutes > 0 { Some((hour, minutes, 3)) } else { Some((before, 45, 3)) };
        }
        if let Some((h, m)) = word.split_once([':', '.']) {
            let (hour, minute) = (h.parse().ok()?, m.parse().ok()?);
            return ((0..24).contains(&hour) && (0..60).contains(&minute) && m.len() == 2).then_some((hour, minute, 1));
        }
        let hour = hour_word(word)?;
        match self.word(i + 1) {
            "oclock" => Some((hour, 0, 2)),
            "thirty" | "30" => Some((hour, 30, 2)),
            "fifteen" => Some((hour, 15, 2)),
            "forty" if self.word(i + 2) == "five" => Some((hour, 45, 3)),
            _ => Some((hour, 0, 1)),
        }
    }

    fn finish(mut self) -> Understood {
        self.pass_midnight();
        if let (Some(part), Some(asked)) = (self.part, self.when.time)
            && asked.half == HalfOfDay::Either
        {
            let hour = asked.time.hour();
            let evening = part != Part::Morning && hour < 12 && !(part == Part::Night && hour < 5);
            let time =
                if evening { asked.time.with().hour(hour + 12).build().unwrap_or(asked.time) } else { asked.time };
            self.when.time = Some(AskedTime { time, half: HalfOfDay::Known });
        }
        // "tonight" and "tomorrow evening" name a time well inside that part of the day.
        if let (Some(part @ (Part::Evening | Part::Night)), None) = (self.part, self.when.time) {
            let hour = if part == Part::Evening { 19 } else { 21 };
            self.when.time = Some(AskedTime { time: Time::constant(hour, 0, 0, 0), half: HalfOfDay::Known });
        }
        let said = self.when.day.is_some() || self.when.time.is_some();
        Understood { when: said.then_some(self.when), used: self.used }
    }
}

impl Reader<'_> {
    /// "Tonight at twelve" and "tonight at one" are hours of the day after; with no
    /// day said ("at twelve at night") the night is the coming one.
    fn pass_midnight(&mut self) {
        let (Some(Part::Night), Some(asked)) = (self.part, self.when.time) else { return };
        let (date, is_said) = match self.when.day {
            Some(Day::On(date)) => (date, true),
            None | Some(Day::Now) => (self.now.date(), false),
            Some(Day::Weekend(_)) => return,
        };
        let hour = asked.time.hour();
        let is_midnight = hour == 12 && asked.half == HalfOfDay::Known && !self.is_named;
        if !(is_midnight || hour < 5 && asked.half == HalfOfDay::Either) {
            return;
        }
        if let (Ok(time), Ok(tomorrow)) = (asked.time.with().hour(hour % 12).build(), date.tomorrow()) {
            // Who asks in the middle of the night means this one.
            let day = if !is_said && self.now.time() < time { date } else { tomorrow };
            self.when = When { day: Some(Day::On(day)), time: Some(AskedTime { time, half: HalfOfDay::Known }) };
        }
    }
}

fn settled(hour: i8, minute: i8, half: Option<Part>) -> Option<AskedTime> {
    let (hour, half) = match half {
        Some(Part::Morning) => (if hour == 12 { 0 } else { hour }, HalfOfDay::Known),
        Some(_) => (if hour < 12 { hour + 12 } else { hour }, HalfOfDay::Known),
        None if (1..12).contains(&hour) => (hour, HalfOfDay::Either),
        None => (hour, HalfOfDay::Known),
    };
    Some(AskedTime { time: Time::new(hour, minute, 0, 0).ok()?, half })
}

fn is_time_preposition(word: &str) -> bool {
    matches!(word, "on" | "the" | "this" | "next" | "over" | "in" | "coming" | "right") || BEFORE_TIME.contains(&word)
}

fn is_tomorrow(word: &str) -> bool {
    matches!(word, "tomorrow" | "tomorow" | "tommorow" | "tommorrow" | "tomoro" | "tmrw" | "tomorrows")
}

fn hour_word(word: &str) -> Option<i8> {
    let n = word.parse::<u64>().ok().or_else(|| word_value(word))?;
    i8::try_from(n).ok().filter(|n| (1..=12).contains(n) || (13..=23).contains(n) && word.len() == 2)
}

fn month_number(word: &str) -> Option<i8> {
    let position = MONTHS.iter().position(|m| {
        let month = m.to_lowercase();
        // "may" alone is mostly the verb, but here a day stands beside it.
        month == word || (word.len() >= 3 && word.len() <= 4 && month.starts_with(word))
    })?;
    i8::try_from(position + 1).ok()
}

/// A weekday by its name, in the plural or slightly misheard.
pub(super) fn weekday_named(word: &str) -> Option<Weekday> {
    const NAMES: [(&str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    let single = word.strip_suffix('s').unwrap_or(word);
    // One slip is forgiven in the long names; Monday and Sunday are one slip apart.
    NAMES
        .iter()
        .find(|(name, _)| *name == single)
        .or_else(|| NAMES.iter().find(|(name, _)| single.len() >= 7 && name.len() >= 7 && distance(single, name) <= 2))
        .map(|(_, day)| *day)
}

fn coming(weekday: Weekday, today: Date) -> Option<Date> {
    let mut date = today;
    for _ in 0..7 {
        if date.weekday() == weekday {
            return Some(date);
        }
        date = date.tomorrow().ok()?;
    }
    None
}

/// "next Monday": of the week that begins after this one.
fn in_next_week(weekday: Weekday, today: Date) -> Option<Date> {
    let monday = coming(Weekday::Monday, today.tomorrow().ok()?)?;
    coming(weekday, monday)
}

/// Fixed holidays that callers name although the file may not.
const COMMON_HOLIDAYS: [(&str, i8, i8); 11] = [
    ("christmas", 12, 25),
    ("christmas eve", 12, 24),
    ("xmas", 12, 25),
    ("boxing", 12, 26),
    ("new year", 1, 1),
    ("new years", 1, 1),
    ("new year eve", 12, 31),
    ("new years eve", 12, 31),
    ("independence", 10, 1),
    ("democracy", 6, 12),
    ("workers", 5, 1),
];

/// The words by which a holiday is known; "day" at the end may be left out.
fn name_words(name: &str) -> Vec<String> {
    let mut words = super::words::tokens(name);
    if words.len() > 1 && words.last().is_some_and(|w| w == "day") {
        words.pop();
    }
    words
}

fn same_name_word(heard: &str, name: &str) -> bool {
    heard == name || heard.strip_suffix('s').is_some_and(|h| h == name)
}

/// Good Friday, Easter Sunday and Easter Monday that come next, by the anonymous
/// Gregorian computus (Meeus, Astronomical Algorithms, chapter 8).
fn easter_days(today: Date) -> Vec<(&'static str, Date)> {
    let mut days = Vec::new();
    for (name, ahead) in [("good friday", -2), ("easter", 0), ("easter sunday", 0), ("easter monday", 1)] {
        let date = (0..2).find_map(|y| {
            let sunday = easter_sunday(today.year().checked_add(y)?)?;
            let date = sunday.checked_add(jiff::SignedDuration::from_hours(24 * ahead)).ok()?;
            (date >= today).then_some(date)
        });
        if let Some(date) = date {
            days.push((name, date));
        }
    }
    days
}

fn easter_sunday(year: i16) -> Option<Date> {
    let y = i32::from(year);
    let (a, b, c) = (y % 19, y / 100, y % 100);
    let h = (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30;
    let l = (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    Date::new(year, i8::try_from(n / 31).ok()?, i8::try_from(n % 31 + 1).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::super::hours::tests::clinic;
    use super::super::words::tokens;
    use super::*;
    use jiff::civil::{date, datetime, time};

    /// Monday, 23 November 2026, at ten in the morning.
    fn asked(text: &str) -> Option<When> {
        understand(&tokens(text), datetime(2026, 11, 23, 10, 0, 0, 0), &clinic()).when
    }

    fn day_of(text: &str) -> Option<Day> {
        asked(text).and_then(|w| w.day)
    }

    fn time_asked(text: &str) -> Option<(Time, HalfOfDay)> {
        asked(text).and_then(|w| w.time).map(|t| (t.time, t.half))
    }

    #[test]
    fn twelve_lies_between_eleven_and_one_and_the_night_ends_in_the_next_day() {
        assert_eq!(time_asked("at quarter to one"), Some((time(12, 45, 0, 0), HalfOfDay::Known)));
        assert_eq!(time_asked("at quarter to two").map(|t| t.0), Some(time(1, 45, 0, 0)));
        let (tuesday, monday) = (Some(Day::On(date(2026, 11, 24))), Some(Day::On(date(2026, 11, 23))));
        let night = |text| (day_of(text), time_asked(text).map(|t| t.0));
        assert_eq!(night("are you open at twelve tonight"), (tuesday, Some(time(0, 0, 0, 0))));
        assert_eq!(night("are you open tonight at one"), (tuesday, Some(time(1, 0, 0, 0))));
        assert_eq!(night("are you open tonight at nine"), (monday, Some(time(21, 0, 0, 0))));
    }

    #[test]
    fn a_night_without_a_day_is_the_coming_one() {
        let tuesday = Some(Day::On(date(2026, 11, 24)));
        let night = |text| (day_of(text), time_asked(text));
        let (midnight, one) = (time(0, 0, 0, 0), time(1, 0, 0, 0));
        for text in ["Are you open at twelve at night?", "are you open now till 12 in the night", "at 12 pm at night"] {
            assert_eq!(night(text), (tuesday, Some((midnight, HalfOfDay::Known))), "{text}");
        }
        assert_eq!(night("are you open at one in the night"), (tuesday, Some((one, HalfOfDay::Known))));
        let after_midnight = datetime(2026, 11, 24, 0, 30, 0, 0);
        let this_night = understand(&tokens("are you open at one at night"), after_midnight, &clinic()).when;
        assert_eq!(this_night.and_then(|w| w.day), tuesday);
        assert_eq!(night("are you open at nine at night"), (None, Some((time(21, 0, 0, 0), HalfOfDay::Known))));
        for text in ["are you open at twelve", "are you open at noon or at night", "open at night, or from 12 noon"] {
            assert_eq!(night(text), (None, Some((time(12, 0, 0, 0), HalfOfDay::Known))), "{text}");
        }
    }

    #[test]
    fn days_are_understood_from_today() {
        assert_eq!(day_of("are you open now"), Some(Day::Now));
        assert_eq!(day_of("and today?"), Some(Day::On(date(2026, 11, 23))));
        assert_eq!(day_of("what about tomorrow"), Some(Day::On(date(2026, 11, 24))));
        assert_eq!(day_of("the day after tomorrow"), Some(Day::On(date(2026, 11, 25))));
        assert_eq!(day_of("on Saturday"), Some(Day::On(date(2026, 11, 28))));
        assert_eq!(day_of("this Sunday"), Some(Day::On(date(2026, 11, 29))));
        assert_eq!(day_of("next Monday"), Some(Day::On(date(2026, 11, 30))));
        assert_eq!(day_of("next Friday"), Some(Day::On(date(2026, 12, 4))));
        assert_eq!(day_of("next tomorrow"), Some(Day::On(date(2026, 11, 25))));
        assert_eq!(day_of("will una open next tomorrow morning"), Some(Day::On(date(2026, 11, 25))));
        assert_eq!(day_of("over the weekend"), Some(Day::Weekend(date(2026, 11, 28))));
        assert_eq!(day_of("una dey work for wensday"), Some(Day::On(date(2026, 11, 25))));
    }

    #[test]
    fn a_weekday_of_next_week_is_not_this_weeks() {
        for text in ["next week Monday", "next week, on Monday", "Monday next week", "on Monday of next week"] {
            assert_eq!(day_of(text), Some(Day::On(date(2026, 11, 30))), "{text}");
        }
        for text in ["next week Friday at six", "Friday of next week", "on Friday next week", "Friday in next week"] {
            assert_eq!(day_of(text), Some(Day::On(date(2026, 12, 4))), "{text}");
        }
        assert_eq!(day_of("on Friday or the next"), Some(Day::On(date(2026, 11, 27))));
    }

    #[test]
    fn dates_are_understood_in_every_order() {
        for text in ["25th December", "the twenty-fifth of December", "December 25", "on December the 25th", "25 dec"] {
            assert_eq!(day_of(text), Some(Day::On(date(2026, 12, 25))), "{text}");
        }
        assert_eq!(day_of("on the 3rd of March"), Some(Day::On(date(2027, 3, 3))));
        assert_eq!(day_of("are you open on the 5th"), Some(Day::On(date(2026, 12, 5))));
    }

    #[test]
    fn holidays_are_known_by_name() {
        assert_eq!(day_of("will you open on Christmas?"), Some(Day::On(date(2026, 12, 25))));
        assert_eq!(day_of("xmas"), Some(Day::On(date(2026, 12, 25))));
        assert_eq!(day_of("on Christmas Eve"), Some(Day::On(date(2026, 12, 24))));
        assert_eq!(day_of("new year's day"), Some(Day::On(date(2027, 1, 1))));
        // Easter Sunday is on 28 March in 2027.
        assert_eq!(day_of("at easter"), Some(Day::On(date(2027, 3, 28))));
        assert_eq!(day_of("good friday"), Some(Day::On(date(2027, 3, 26))));
    }

    #[test]
    fn times_of_day_are_understood_as_heard() {
        let six = time(18, 0, 0, 0);
        for text in ["at 6 p.m.", "by 6pm", "at six in the evening", "at 18:00", "tomorrow evening at six o'clock"] {
            assert_eq!(time_asked(text), Some((six, HalfOfDay::Known)), "{text}");
        }
        assert_eq!(time_asked("at six"), Some((time(6, 0, 0, 0), HalfOfDay::Either)));
        assert_eq!(time_asked("half past four"), Some((time(4, 30, 0, 0), HalfOfDay::Either)));
        assert_eq!(time_asked("quarter to five pm"), Some((time(16, 45, 0, 0), HalfOfDay::Known)));
        assert_eq!(time_asked("12 am"), Some((time(0, 0, 0, 0), HalfOfDay::Known)));
    }

    #[test]
    fn day_and_time_come_together() {
        let when = asked("are you open tomorrow at six p.m.").unwrap();
        assert_eq!(when.day, Some(Day::On(date(2026, 11, 24))));
        assert_eq!(when.time.map(|t| t.time), Some(time(18, 0, 0, 0)));
    }

    #[test]
    fn numbers_that_are_no_times_stay_alone() {
        for text in
            ["is it 5 thousand", "for two people", "the first time i came", "good morning", "one card", "may I ask"]
        {
            assert_eq!(asked(text), None, "{text}");
        }
    }

    #[test]
    fn the_words_of_a_time_are_marked_and_the_others_are_not() {
        let left = |text: &str| {
            let words = tokens(text);
            let used = understand(&words, datetime(2026, 11, 23, 10, 0, 0, 0), &clinic()).used;
            words.into_iter().zip(used).filter(|(_, used)| !used).map(|(word, _)| word).collect::<Vec<String>>()
        };
        for when in ["on Saturday at six", "next tomorrow", "next week Monday", "on Friday of next week"] {
            assert_eq!(left(&format!("is the lab open {when}")), ["is", "the", "lab", "open"], "{when}");
        }
    }
}
