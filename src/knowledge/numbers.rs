//! Numbers as words, the way people in Nigeria say them in English: cardinals
//! with "and", ordinals, years, telephone digits in groups, clock times.

use jiff::civil::{Date, Time, Weekday};

use crate::terms::numerals::{ONES, TENS};

const SCALES: [(u64, &str); 4] =
    [(1_000_000_000_000, "trillion"), (1_000_000_000, "billion"), (1_000_000, "million"), (1_000, "thousand")];

/// A whole number: 15250 is "fifteen thousand, two hundred and fifty".
pub fn cardinal(n: u64) -> String {
    // Above this the scales have no names that callers know.
    if n >= 1_000_000_000_000_000 {
        return digits(&n.to_string());
    }
    let mut parts: Vec<String> = Vec::new();
    let mut rest = n;
    for (scale, name) in SCALES {
        if rest >= scale {
            parts.push(format!("{} {name}", below_thousand(rest / scale)));
            rest %= scale;
        }
    }
    if parts.is_empty() {
        return below_thousand(rest);
    }
    let head = parts.join(", ");
    match rest {
        0 => head,
        1..=99 => format!("{head} and {}", below_thousand(rest)),
        _ => format!("{head}, {}", below_thousand(rest)),
    }
}

fn below_thousand(n: u64) -> String {
    let (hundreds, rest) = (n / 100, n % 100);
    match (hundreds, rest) {
        (0, _) => below_hundred(rest),
        (_, 0) => format!("{} hundred", ONES[small(hundreds)]),
        _ => format!("{} hundred and {}", ONES[small(hundreds)], below_hundred(rest)),
    }
}

fn below_hundred(n: u64) -> String {
    if n < 20 {
        return ONES[small(n)].to_owned();
    }
    match n % 10 {
        0 => TENS[small(n / 10)].to_owned(),
        ones => format!("{}-{}", TENS[small(n / 10)], ONES[small(ones)]),
    }
}

/// An index into the tables above: the callers have reduced it below 20.
fn small(n: u64) -> usize {
    usize::try_from(n % 20).unwrap_or(0)
}

/// 3 is "third", 21 is "twenty-first".
pub fn ordinal(n: u64) -> String {
    let words = cardinal(n);
    let cut = words.rfind([' ', '-']).map_or(0, |i| i + 1);
    let (head, last) = words.split_at(cut);
    let last = match last {
        "one" => "first".to_owned(),
        "two" => "second".to_owned(),
        "three" => "third".to_owned(),
        "five" => "fifth".to_owned(),
        "eight" => "eighth".to_owned(),
        "nine" => "ninth".to_owned(),
        "twelve" => "twelfth".to_owned(),
        other => match other.strip_suffix('y') {
            Some(ten) => format!("{ten}ieth"),
            None => format!("{other}th"),
        },
    };
    format!("{head}{last}")
}

/// 2026 is "twenty twenty-six", 1905 "nineteen oh five", 2007 "two thousand and seven".
pub fn year(n: u64) -> String {
    let (century, rest) = (n / 100, n % 100);
    match (century, rest) {
        (20, 0..=9) | (_, 0) if n % 1000 < 10 => cardinal(n),
        (_, 0) => format!("{} hundred", below_hundred(century % 100)),
        (_, 1..=9) => format!("{} oh {}", below_hundred(century % 100), ONES[small(rest)]),
        _ => format!("{} {}", below_hundred(century % 100), below_hundred(rest)),
    }
}

/// One digit after the other; nought is "oh", as in telephone numbers.
pub fn digits(text: &str) -> String {
    let words: Vec<&str> = text
        .chars()
        .filter_map(|c| c.to_digit(10))
        .map(|d| if d == 0 { "oh" } else { ONES[small(u64::from(d))] })
        .collect();
    words.join(" ")
}

/// A telephone number in the groups in which people say it. Nigerian mobile
/// numbers go four, three, four; international ones after their "plus" and
/// country code three, three, four; anything else in threes.
pub fn phone(text: &str) -> String {
    let plus = text.trim_start().starts_with('+');
    let all: String = text.chars().filter(char::is_ascii_digit).collect();
    let mut groups: Vec<&str> = Vec::new();
    let national = match (plus, all.strip_prefix("234")) {
        (true, Some(rest)) if rest.len() == 10 => {
            groups.push(&all[..3]);
            rest
        }
        _ => &all,
    };
    let sizes: &[usize] = match national.len() {
        11 => &[4, 3, 4],
        10 => &[3, 3, 4],
        8 => &[4, 4],
        7 => &[3, 4],
        _ => &[],
    };
    let mut rest = national;
    for size in sizes {
        let (group, tail) = rest.split_at(*size);
        groups.push(group);
        rest = tail;
    }
    while rest.len() > 4 {
        let (group, tail) = rest.split_at(3);
        groups.push(group);
        rest = tail;
    }
    if !rest.is_empty() {
        groups.push(rest);
    }
    let spoken: Vec<String> = groups.into_iter().map(digits).collect();
    let joined = spoken.join(", ");
    if plus { format!("plus {joined}") } else { joined }
}

/// A time of day: "eight in the morning", "half past four in the afternoon",
/// "noon", "midnight".
pub fn clock(time: Time) -> String {
    let (hour, minute) = (time.hour(), time.minute());
    match (hour, minute) {
        (0, 0) => return "midnight".to_owned(),
        (12, 0) => return "noon".to_owned(),
        _ => {}
    }
    let part = match hour {
        0..=11 => "in the morning",
        12..=16 => "in the afternoon",
        17..=20 => "in the evening",
        _ => "at night",
    };
    format!("{} {part}", clock_face(hour, minute))
}

/// What stands on the clock's face, without the part of the day.
fn clock_face(hour: i8, minute: i8) -> String {
    let on_face = |h: i8| ONES[small(u64::from(((h + 11) % 12 + 1).unsigned_abs()))];
    let this = on_face(hour);
    match minute {
        0 => this.to_owned(),
        15 => format!("quarter past {this}"),
        30 => format!("half past {this}"),
        45 => format!("quarter to {}", on_face((hour + 1) % 24)),
        1..=9 => format!("{this} oh {}", ONES[small(u64::from(minute.unsigned_abs()))]),
        _ => format!("{this} {}", below_hundred(u64::from(minute.unsigned_abs()))),
    }
}

/// "the twenty-fifth of December"; the year is left to the caller.
pub fn day_and_month(date: Date) -> String {
    format!("the {} of {}", ordinal(u64::from(date.day().unsigned_abs())), month_name(date.month()))
}

pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The name of a month from 1 to 12.
pub fn month_name(month: i8) -> &'static str {
    MONTHS[usize::from((month.max(1).unsigned_abs() - 1) % 12)]
}

pub const fn weekday_name(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

/// The value of one English number word below 20, or of a ten.
pub(super) fn word_value(word: &str) -> Option<u64> {
    if let Some(n) = ONES.iter().position(|w| *w == word) {
        return u64::try_from(n).ok();
    }
    TENS.iter().position(|w| !w.is_empty() && *w == word).and_then(|n| u64::try_from(n * 10).ok())
}

/// The value of an ordinal word up to "thirty-first" in one or two words, with
/// how many words it took.
pub(super) fn ordinal_value(words: &[String]) -> Option<(u64, usize)> {
    let first = words.first()?;
    if let Some(tens) = word_value(first).filter(|n| *n == 20 || *n == 30)
        && let Some(ones) = words.get(1).and_then(|w| (1..=9).find(|n| ordinal(*n) == *w))
    {
        return Some((tens + ones, 2));
    }
    let plain = ["st", "nd", "rd", "th"].iter().find_map(|end| first.strip_suffix(end)?.parse().ok());
    plain.or_else(|| (1..=31).find(|n| ordinal(*n) == *first)).map(|n| (n, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_said_with_and() {
        assert_eq!(cardinal(0), "zero");
        assert_eq!(cardinal(42), "forty-two");
        assert_eq!(cardinal(105), "one hundred and five");
        assert_eq!(cardinal(15_000), "fifteen thousand");
        assert_eq!(cardinal(1_005), "one thousand and five");
        assert_eq!(cardinal(2_350_400), "two million, three hundred and fifty thousand, four hundred");
    }

    #[test]
    fn ordinals_and_years_are_said_as_in_dates() {
        assert_eq!(ordinal(1), "first");
        assert_eq!(ordinal(12), "twelfth");
        assert_eq!(ordinal(20), "twentieth");
        assert_eq!(ordinal(31), "thirty-first");
        assert_eq!(year(2026), "twenty twenty-six");
        assert_eq!(year(2007), "two thousand and seven");
        assert_eq!(year(1905), "nineteen oh five");
        assert_eq!(year(1900), "nineteen hundred");
    }

    #[test]
    fn telephone_numbers_are_said_in_groups() {
        assert_eq!(phone("0803 123 4567"), "oh eight oh three, one two three, four five six seven");
        assert_eq!(phone("+2348031234567"), "plus two three four, eight oh three, one two three, four five six seven");
        assert_eq!(phone("112"), "one one two");
    }

    #[test]
    fn clock_times_name_the_part_of_the_day() {
        assert_eq!(clock(Time::constant(18, 0, 0, 0)), "six in the evening");
        assert_eq!(clock(Time::constant(8, 30, 0, 0)), "half past eight in the morning");
        assert_eq!(clock(Time::constant(12, 0, 0, 0)), "noon");
        assert_eq!(clock(Time::constant(23, 45, 0, 0)), "quarter to twelve at night");
        assert_eq!(clock(Time::constant(16, 5, 0, 0)), "four oh five in the afternoon");
    }

    #[test]
    fn ordinal_words_are_understood_in_both_writings() {
        let words = |t: &str| t.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(ordinal_value(&words("twenty fifth of december")), Some((25, 2)));
        assert_eq!(ordinal_value(&words("25th december")), Some((25, 1)));
        assert_eq!(ordinal_value(&words("first")), Some((1, 1)));
        assert_eq!(ordinal_value(&words("december")), None);
    }
}
