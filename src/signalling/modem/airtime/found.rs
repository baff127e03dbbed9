//! Amounts of naira, volumes of data and days, wherever they stand in a text.

use std::fmt;
use std::ops::Range;

use jiff::civil::Date;

/// No answer of a network is longer; what is behind is not read.
const TEXT_MAX: usize = 4096;

/// Money, in hundredths of a naira. Below zero when airtime was borrowed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Kobo(pub i64);

impl fmt::Display for Kobo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let kobo = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", kobo / 100, kobo % 100)
    }
}

/// Data, in octets. A megabyte is 1024 kilobytes: so operators count their plans.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Volume(pub u64);

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = match self.0 {
            octets if octets >= 1 << 30 => (1_u128 << 30, "GB"),
            octets if octets >= 1 << 20 => (1 << 20, "MB"),
            _ => (1 << 10, "KB"),
        };
        let hundredths = u128::from(self.0) * 100 / unit;
        write!(f, "{}.{:02} {name}", hundredths / 100, hundredths % 100)
    }
}

/// A day of expiry, or how many days are left until it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Day {
    On(Date),
    In(u16),
}

/// Something that was found, and where in octets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Found<T> {
    pub(super) what: T,
    pub(super) at: Range<usize>,
}

/// Everything that stands in a text, each kind in its order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Everything {
    pub(super) amounts: Vec<Found<Kobo>>,
    pub(super) volumes: Vec<Found<Volume>>,
    pub(super) days: Vec<Found<Day>>,
}

/// A word of letters, a number, or one mark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Word,
    Number,
    Mark,
}

struct Token<'a> {
    kind: Kind,
    text: &'a str,
    at: Range<usize>,
}

/// `12,500.75` is one number, `31/12/2026` three with marks between.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let end = (0..=text.len().min(TEXT_MAX)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let text = &text[..end];
    let mut tokens = Vec::new();
    let mut from = 0;
    while let Some(first) = text[from..].chars().next() {
        let rest = &text[from..];
        let (kind, length) = if first.is_ascii_digit() {
            (Kind::Number, number_length(rest, &text[..from]))
        } else if first.is_alphabetic() {
            (Kind::Word, rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len()))
        } else {
            (Kind::Mark, first.len_utf8())
        };
        if !first.is_whitespace() {
            tokens.push(Token { kind, text: &rest[..length], at: from..from + length });
        }
        from += length;
    }
    tokens
}

/// Digits, with commas before groups of three and one point before others.
fn number_length(text: &str, before: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut end = digits(0);
    while bytes.get(end) == Some(&b',') && digits(end + 1) == 3 {
        end += 4;
    }
    // "12.06.2026" is a date and no number with a rest.
    let after = if bytes.get(end) == Some(&b'.') { digits(end + 1) } else { 0 };
    let goes_on = bytes.get(end + 1 + after) == Some(&b'.') && digits((end + 2 + after).min(bytes.len())) > 0;
    let is_behind = before.strip_suffix('.').is_some_and(|before| before.ends_with(|c: char| c.is_ascii_digit()));
    if after > 0 && !goes_on && !is_behind { end + 1 + after } else { end }
}

/// A number in hundredths.
fn hundredths(text: &str) -> Option<i64> {
    let plain: String = text.chars().filter(|c| *c != ',').collect();
    let (whole, rest) = plain.split_once('.').unwrap_or((&plain, ""));
    let whole: i64 = whole.parse().ok()?;
    let rest = format!("{rest:0<2}");
    whole.checked_mul(100)?.checked_add(rest.get(..2)?.parse().ok()?)
}

pub(super) fn everything(text: &str) -> Everything {
    let tokens = tokens(text);
    let mut found = Everything::default();
    let mut i = 0;
    while i < tokens.len() {
        // What is longest first: a date is made of numbers too.
        if let Some((day, taken)) = day(&tokens[i..]) {
            found.days.push(Found { what: day, at: span(&tokens[i..i + taken]) });
            i += taken;
        } else if let Some((volume, taken)) = volume(&tokens[i..]) {
            // The end of "1,5GB" is no volume of its own.
            if !is_end_of_number(&tokens, i) {
                found.volumes.push(Found { what: volume, at: span(&tokens[i..i + taken]) });
            }
            i += taken;
        } else if let Some((amount, taken)) = amount(&tokens, i) {
            found.amounts.push(Found { what: amount, at: span(&tokens[i..i + taken]) });
            i += taken;
        } else {
            i += 1;
        }
    }
    found
}

fn span(tokens: &[Token<'_>]) -> Range<usize> {
    let start = tokens.first().map_or(0, |token| token.at.start);
    start..tokens.last().map_or(start, |token| token.at.end)
}

fn is_currency(token: &Token<'_>) -> bool {
    token.text == "₦" || ["n", "ngn", "naira"].iter().any(|name| token.text.eq_ignore_ascii_case(name))
}

/// "N1,250.50", "NGN 5", "₦-20.00", "=N=1,250", "#1,250", "50.00 naira", "20 kobo",
/// "N20.50k", "N20:50k". A number that can be read in two ways is none.
fn amount(tokens: &[Token<'_>], i: usize) -> Option<(Kobo, usize)> {
    let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.text.eq_ignore_ascii_case(text));
    // A dash between words is none before a number, and neither is one with blanks around.
    let is_minus = |at: usize| is(at, "-") && touches(tokens, at);
    let mut at = i;
    let mut below = false;
    if is_minus(at) && (i == 0 || !touches(tokens, i - 1)) {
        below = true;
        at += 1;
    }
    let named = currency(tokens, at);
    if let Some(length) = named {
        at += length;
        if is(at, ".") || is(at, ":") {
            at += 1;
        }
        if is_minus(at) {
            below = true;
            at += 1;
        }
    }
    let number = tokens.get(at).filter(|token| token.kind == Kind::Number)?;
    let mut kobo = hundredths(number.text)?;
    let kobo_written = kobo_behind_colon(tokens, at);
    if let Some(more) = kobo_written {
        kobo = kobo.checked_add(more)?;
        at += 3;
    } else if !is_plain_number(tokens, at) {
        return None;
    }
    at += 1;
    if kobo_written.is_none() && is(at, "k") && touches(tokens, at - 1) {
        // "N20.50k" are twenty naira and fifty kobo; "N2k" may be two thousand.
        number.text.contains('.').then_some(())?;
        at += 1;
    }
    if named.is_none() {
        match tokens.get(at)? {
            name if is_currency(name) && name.text.len() > 1 => at += 1,
            name if name.text.eq_ignore_ascii_case("kobo") => {
                kobo /= 100;
                at += 1;
            }
            _ => return None,
        }
    }
    // "2 naira 50 kobo"
    if is(at + 1, "kobo")
        && let Some(more) = tokens.get(at).filter(|token| token.kind == Kind::Number)
    {
        kobo = kobo.checked_add(hundredths(more.text)? / 100)?;
        at += 2;
    }
    Some((Kobo(if below { -kobo } else { kobo }), at - i))
}

/// Whether digits and a mark stand directly in front.
fn is_end_of_number(tokens: &[Token<'_>], at: usize) -> bool {
    let Some(mark) = at.checked_sub(1).and_then(|mark| tokens.get(mark)) else { return false };
    let number = at.checked_sub(2).and_then(|number| tokens.get(number));
    matches!(mark.text, "," | ".")
        && touches(tokens, at - 1)
        && number.is_some_and(|number| number.kind == Kind::Number && touches(tokens, at - 2))
}

/// How many tokens name naira here: "N", "=N=", or the "#" that is typed for it, which
/// is none within a code such as "*310#".
fn currency(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let touched = at > 0 && touches(tokens, at - 1);
    if text(at) == "#" {
        let is_code = touched && !matches!(text(at - 1), ":" | "=" | "-")
            || touches(tokens, at + 1) && matches!(text(at + 2), "#" | "*");
        return (touches(tokens, at) && !is_code).then_some(1);
    }
    if !tokens.get(at).is_some_and(is_currency) {
        return None;
    }
    let is_between_marks = touched && text(at - 1) == "=" && text(at + 1) == "=" && touches(tokens, at);
    Some(if is_between_marks { 2 } else { 1 })
}

/// The kobo of "N20:50k".
fn kobo_behind_colon(tokens: &[Token<'_>], at: usize) -> Option<i64> {
    let [naira, colon, kobo, mark, ..] = tokens.get(at..)? else { return None };
    let fits = naira.text.bytes().all(|b| b.is_ascii_digit() || b == b',') && colon.text == ":" && kobo.text.len() == 2;
    let joined = (0..3).all(|n| touches(tokens, at + n));
    (fits && joined && mark.text.eq_ignore_ascii_case("k")).then(|| kobo.text.parse().ok()).flatten()
}

/// Whether a number is all that stands there: no further digits behind a mark, no second
/// group of three behind a blank, no three places that may be thousands, no multiple.
fn is_plain_number(tokens: &[Token<'_>], at: usize) -> bool {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let is_number = |at: usize| tokens.get(at).is_some_and(|token| token.kind == Kind::Number);
    let touched = touches(tokens, at);
    let goes_on =
        touched && matches!(text(at + 1), "," | "." | ":" | "'") && touches(tokens, at + 1) && is_number(at + 2);
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let is_grouped = is_number(at + 1) && text(at).len() <= 3 && digits(text(at + 1)) == 3;
    let (whole, places) = text(at).split_once('.').unwrap_or((text(at), ""));
    let is_thousands = places.len() == 3 && whole.len() <= 3 && whole != "0";
    let is_multiple = touched && ["m", "bn", "b"].iter().any(|name| text(at + 1).eq_ignore_ascii_case(name));
    let is_data = UNITS.iter().any(|(name, _)| text(at + 1).eq_ignore_ascii_case(name));
    !goes_on && !is_grouped && !is_thousands && !is_multiple && !is_data
}

/// Whether the token ends where the next one begins.
fn touches(tokens: &[Token<'_>], at: usize) -> bool {
    tokens.get(at).zip(tokens.get(at + 1)).is_some_and(|(one, next)| one.at.end == next.at.start)
}

const UNITS: &[(&str, u64)] = &[
    ("kb", 1 << 10),
    ("kbs", 1 << 10),
    ("mb", 1 << 20),
    ("mbs", 1 << 20),
    ("meg", 1 << 20),
    ("megabytes", 1 << 20),
    ("gb", 1 << 30),
    ("gbs", 1 << 30),
    ("gig", 1 << 30),
    ("gigabytes", 1 << 30),
    ("tb", 1 << 40),
];

/// "1.5GB", "750 MB", "1 GB 512 MB".
fn volume(tokens: &[Token<'_>]) -> Option<(Volume, usize)> {
    let (mut total, mut at) = (0_u64, 0);
    let mut last_unit = u64::MAX;
    while let [number, unit, ..] = tokens.get(at..).unwrap_or_default() {
        if number.kind != Kind::Number {
            break;
        }
        let unit = UNITS.iter().find(|(name, _)| unit.text.eq_ignore_ascii_case(name));
        let Some((_, octets)) = unit.copied() else { break };
        // Of smaller units only: "2GB 1GB" are two volumes.
        if octets >= last_unit {
            break;
        }
        let hundredths = u64::try_from(hundredths(number.text)?).ok()?;
        total = total.checked_add(hundredths.checked_mul(octets)? / 100)?;
        last_unit = octets;
        at += 2;
    }
    (at > 0).then_some((Volume(total), at))
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// "31/12/2026", "31-Dec-26", "Dec 31, 2026", "2026-12-31", "5 days". The day
/// stands before the month, as in Nigeria, unless it cannot.
fn day(tokens: &[Token<'_>]) -> Option<(Day, usize)> {
    let number = |at: usize| tokens.get(at).filter(|token| token.kind == Kind::Number);
    let plain = |at: usize| number(at).and_then(|token| token.text.parse::<i16>().ok());
    let month_name = |at: usize| {
        let word = tokens.get(at).filter(|token| token.kind == Kind::Word && token.text.len() >= 3)?;
        let short = word.text.get(..3)?.to_ascii_lowercase();
        let month = MONTHS.iter().position(|month| *month == short)?;
        i8::try_from(month + 1).ok()
    };
    let is = |at: usize, texts: &[&str]| {
        tokens.get(at).is_some_and(|token| texts.iter().any(|text| token.text.eq_ignore_ascii_case(text)))
    };
    // "31 Dec 2026", "31st-Dec-26", "Dec 31, 2026": marks and endings are skipped.
    let skip = |at: usize, texts: &[&str]| if is(at, texts) { at + 1 } else { at };
    const MARKS: &[&str] = &["-", "/", ",", "."];
    const ENDINGS: &[&str] = &["st", "nd", "rd", "th"];
    if let Some(first) = plain(0) {
        if is(1, &["day", "days"]) {
            return Some((Day::In(u16::try_from(first).ok()?), 2));
        }
        let at = skip(skip(1, ENDINGS), MARKS);
        if let Some(month) = month_name(at) {
            let at = skip(at + 1, MARKS);
            return Some((Day::On(date(plain(at)?, month, first)?), at + 1));
        }
        let mark = tokens.get(1).filter(|token| matches!(token.text, "/" | "-" | "."))?;
        if !is(3, &[mark.text]) || !(0..4).all(|at| touches(tokens, at)) {
            return None;
        }
        let (second, third) = (plain(2)?, plain(4)?);
        let small = |n: i16| i8::try_from(n).ok();
        let date = if first > 31 {
            date(first, small(second)?, third)
        } else if second > 12 {
            date(third, small(first)?, second)
        } else {
            date(third, small(second)?, first)
        };
        return Some((Day::On(date?), 5));
    }
    let month = month_name(0)?;
    let day = plain(1)?;
    let at = skip(skip(2, ENDINGS), MARKS);
    Some((Day::On(date(plain(at)?, month, day)?), at + 1))
}

fn date(year: i16, month: i8, day: i16) -> Option<Date> {
    let year = if (0..100).contains(&year) { 2000 + year } else { year };
    if !(2000..2100).contains(&year) {
        return None;
    }
    Date::new(year, month, i8::try_from(day).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amounts(text: &str) -> Vec<i64> {
        everything(text).amounts.iter().map(|found| found.what.0).collect()
    }

    #[test]
    fn naira_are_found_however_they_are_written() {
        for (text, kobo) in [
            ("Bal: N1,250.50", vec![125_050]),
            ("Your balance is NGN 50.", vec![5_000]),
            ("₦0.00", vec![0]),
            ("You have 75.5 Naira left", vec![7_550]),
            ("Main:N-20.00", vec![-2_000]),
            ("Main: -N20.00", vec![-2_000]),
            ("N.5 and NGN:6", vec![500, 600]),
            ("2 naira 50 kobo", vec![250]),
            ("30 kobo", vec![30]),
            ("N1,000,000", vec![100_000_000]),
            ("=N=1,250 and N=500", vec![125_000]),
            ("#1,250 #20.50 Bal:#5", vec![125_000, 2_050, 500]),
            ("N20.50k N20:50k", vec![2_050, 2_050]),
            ("Balance - N20.00, Bonus -N3.00", vec![2_000, -300]),
            // Each can be read in two ways.
            ("N12,5", vec![]),
            ("N1.250,00 N1.250 N1 250.50 N2k N3m N100MB", vec![]),
            ("*310#500 *311#20# ##002#", vec![]),
            ("Dial *310# or 08031234567", vec![]),
            ("MTN 5 Nov", vec![]),
        ] {
            assert_eq!(amounts(text), kobo, "{text}");
        }
        // More than there is.
        assert!(amounts("N99999999999999999999").is_empty());
    }

    #[test]
    fn volumes_are_found_in_every_unit() {
        let volumes = |text: &str| everything(text).volumes.iter().map(|found| found.what.0).collect::<Vec<u64>>();
        assert_eq!(volumes("1.5GB left"), [1_610_612_736]);
        assert_eq!(volumes("You have 750 MB and 100KB"), [786_432_000, 102_400]);
        assert_eq!(volumes("1 GB 512 MB"), [1_610_612_736]);
        assert_eq!(volumes("2GB 1GB"), [2_147_483_648, 1_073_741_824]);
        assert!(volumes("5 minutes, 30 SMS").is_empty());
    }

    #[test]
    fn days_are_found_with_the_day_before_the_month() {
        let days = |text: &str| {
            let found = everything(text).days;
            found
                .into_iter()
                .map(|found| match found.what {
                    Day::On(date) => date.to_string(),
                    Day::In(days) => format!("in {days}"),
                })
                .collect::<Vec<String>>()
        };
        for text in [
            "valid till 03/12/2026",
            "valid till 3-12-26 23:59:59",
            "expires 2026-12-03",
            "expires 3 Dec 2026.",
            "expires 3rd December, 2026",
            "expires 03-Dec-26",
            "expires Dec 3, 2026",
            "expires 03.12.2026",
        ] {
            assert_eq!(days(text), ["2026-12-03"], "{text}");
        }
        assert_eq!(days("expires 12/31/2026"), ["2026-12-31"]);
        assert_eq!(days("5 days left"), ["in 5"]);
        for text in ["31/02/2026", "1/2", "N1/2/3000", "May be", "12:30:15", "10-20-30-40"] {
            assert!(!days(text).iter().any(|day| day.starts_with("2026")), "{text}");
        }
    }

    #[test]
    fn money_is_shown_in_naira() {
        assert_eq!(Kobo(125_050).to_string(), "1250.50");
        assert_eq!(Kobo(-5).to_string(), "-0.05");
    }

    #[test]
    fn data_is_shown_in_the_unit_of_its_size() {
        assert_eq!(Volume(3 << 29).to_string(), "1.50 GB");
        assert_eq!(Volume((1 << 30) - 1).to_string(), "1023.99 MB");
        assert_eq!(Volume(100 << 20).to_string(), "100.00 MB");
        assert_eq!(Volume(512).to_string(), "0.50 KB");
    }
}
