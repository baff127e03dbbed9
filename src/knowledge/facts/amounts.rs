//! Numbers in words with what they count: prices, shares, durations, digits that
//! are read out, and the figures of a clock.

use super::super::numbers::word_value;
use super::read::{Fact, Rest};

/// A number with its unit, and how many words it took.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Amount {
    pub value: Fact,
    pub taken: usize,
}

impl Amount {
    /// The number, if it is a bare whole one.
    pub fn whole(&self) -> Option<u64> {
        match self.value {
            Fact::Number { thousandths } if thousandths % 1000 == 0 => Some(thousandths / 1000),
            _ => None,
        }
    }
}

/// The amount that begins here, if one does.
pub(super) fn amount(rest: &Rest<'_>) -> Option<Amount> {
    if let Some((digits, taken)) = digit_run(rest) {
        return Some(Amount { value: Fact::Digits(digits), taken });
    }
    if let Some(found) = half_and_others(rest) {
        return Some(found);
    }
    if let Some((year, taken)) = year(rest) {
        return Some(Amount { value: Fact::Year(year), taken });
    }
    let prefixed = currency(rest.word(0));
    let number = match prefixed {
        Some(_) => cardinal(&rest.from(1)).map(|(n, taken)| (n, taken + 1)),
        None => cardinal(rest).or_else(|| written(rest)),
    };
    let Some((thousandths, taken)) = number else {
        let word = rest.word(0);
        let figures = word.chars().any(char::is_numeric);
        return figures.then(|| Amount { value: Fact::Unreadable(word.to_owned()), taken: 1 });
    };
    if let Some(currency) = prefixed {
        return Some(Amount { value: Fact::Money { thousandths, currency }, taken });
    }
    with_unit(rest, thousandths, taken)
}

fn with_unit(rest: &Rest<'_>, thousandths: u64, taken: usize) -> Option<Amount> {
    let after = rest.from(taken);
    let paused = rest.pauses(taken - 1);
    let amount = |value, more| Some(Amount { value, taken: taken + more });
    if paused {
        return bare(rest, thousandths, taken);
    }
    if let Some(currency) = currency(after.word(0)) {
        let (small, more) = small_change(&after).unwrap_or((0, 1));
        return amount(Fact::Money { thousandths: thousandths.saturating_add(small), currency }, more);
    }
    if matches!(after.word(0), "kobo" | "cents" | "pence") {
        return amount(Fact::Money { thousandths: thousandths / 100, currency: change_of(after.word(0)) }, 1);
    }
    if after.is(&["per", "cent"]) {
        return amount(Fact::PerCent { thousandths }, 2);
    }
    if after.word(0) == "percent" || after.word(0) == "%" {
        return amount(Fact::PerCent { thousandths }, 1);
    }
    let working = usize::from(matches!(after.word(0), "working" | "business" | "full" | "more" | "whole" | "clear"));
    let unit = after.word(working);
    if let Some(minutes) = minutes_in(unit) {
        return amount(Fact::Minutes(thousandths.saturating_mul(minutes) / 1000), working + 1);
    }
    if let Some(months) = months_in(unit) {
        return amount(Fact::Months(thousandths.saturating_mul(months) / 1000), working + 1);
    }
    bare(rest, thousandths, taken)
}

/// A number without a unit. "One" alone counts nothing: "this one", "one of us".
fn bare(rest: &Rest<'_>, thousandths: u64, taken: usize) -> Option<Amount> {
    let one = taken == 1 && rest.word(0) == "one";
    (!one).then_some(Amount { value: Fact::Number { thousandths }, taken })
}

/// ", fifty kobo" after the naira at the start of `after`.
fn small_change(after: &Rest<'_>) -> Option<(u64, usize)> {
    let and = usize::from(after.word(1) == "and");
    let (thousandths, taken) = cardinal(&after.from(1 + and))?;
    let small = matches!(after.word(1 + and + taken), "kobo" | "cents" | "pence");
    (small && thousandths < 100_000).then_some((thousandths / 100, 1 + and + taken + 1))
}

fn currency(word: &str) -> Option<&'static str> {
    Some(match word {
        "naira" | "ngn" | "₦" => "naira",
        "dollar" | "dollars" | "usd" => "dollar",
        "pound" | "pounds" | "gbp" => "pound",
        "euro" | "euros" | "eur" => "euro",
        "cedi" | "cedis" => "cedi",
        "franc" | "francs" => "franc",
        _ => return None,
    })
}

fn change_of(word: &str) -> &'static str {
    match word {
        "kobo" => "naira",
        "pence" => "pound",
        _ => "dollar",
    }
}

fn minutes_in(unit: &str) -> Option<u64> {
    Some(match unit {
        "minute" | "minutes" | "mins" | "min" => 1,
        "hour" | "hours" | "hrs" => 60,
        "day" | "days" => 24 * 60,
        "week" | "weeks" => 7 * 24 * 60,
        "fortnight" => 14 * 24 * 60,
        _ => return None,
    })
}

fn months_in(unit: &str) -> Option<u64> {
    match unit {
        "month" | "months" => Some(1),
        "year" | "years" => Some(12),
        _ => None,
    }
}

/// "Half an hour", "an hour", "a week", "half price", "twice", "a dozen".
fn half_and_others(rest: &Rest<'_>) -> Option<Amount> {
    let found = |value, taken| Some(Amount { value, taken });
    if rest.is(&["half", "an", "hour"]) || rest.is(&["half", "a", "day"]) {
        return found(Fact::Minutes(minutes_in(rest.word(2))? / 2), 3);
    }
    if rest.is(&["half", "hour"]) {
        return found(Fact::Minutes(30), 2);
    }
    if rest.is(&["half", "a", "million"]) {
        return with_unit(rest, 500_000_000, 3);
    }
    if rest.is(&["half", "price"]) || rest.is(&["half", "of"]) || rest.is(&["half", "the"]) {
        return found(Fact::PerCent { thousandths: 50_000 }, 2);
    }
    if rest.word(0) == "double" || rest.word(0) == "twice" {
        return found(Fact::Number { thousandths: 2000 }, 1);
    }
    if rest.is(&["an", "hour"]) {
        let half = if rest.from(2).is(&["and", "a", "half"]) { (30, 5) } else { (0, 2) };
        return found(Fact::Minutes(60 + half.0), half.1);
    }
    // "Have a nice day", "four times a day": only what lasts so long, or is so far away.
    let lasts = matches!(
        rest.before(1),
        "in" | "within" | "takes" | "take" | "after" | "for" | "about" | "only" | "than" | "lasts" | "least" | "every"
    );
    if rest.word(0) == "a" && lasts {
        if let Some(minutes) = minutes_in(rest.word(1)) {
            return found(Fact::Minutes(minutes), 2);
        }
        if let Some(months) = months_in(rest.word(1)) {
            return found(Fact::Months(months), 2);
        }
    }
    None
}

/// "Twenty twenty-six", "nineteen oh five".
fn year(rest: &Rest<'_>) -> Option<(u64, usize)> {
    let century = match rest.word(0) {
        "nineteen" => 1900,
        "twenty" => 2000,
        _ => return None,
    };
    let after = rest.from(1);
    if after.word(0) == "oh" {
        let ones = word_value(after.word(1)).filter(|n| (1..10).contains(n))?;
        return Some((century + ones, 3));
    }
    let (thousandths, taken) = cardinal(&after)?;
    let two_digits = thousandths % 1000 == 0 && (10_000..100_000).contains(&thousandths);
    two_digits.then_some((century + thousandths / 1000, 1 + taken))
}

/// Digits said one after the other, at least three of them, or two without a
/// pause: "oh eight oh three, five five five", "double four".
fn digit_run(rest: &Rest<'_>) -> Option<(String, usize)> {
    let mut digits = String::new();
    let mut i = usize::from(rest.word(0) == "plus");
    if i == 1 {
        digits.push('+');
    }
    let mut paused = false;
    let mut whole = 0;
    while let Some((figures, taken)) = said_digits(&rest.from(i)) {
        // "Nine one hundred": the last belongs to a number.
        if matches!(rest.word(i + taken), "hundred" | "thousand" | "million" | "point" | "dozen") {
            break;
        }
        digits.push_str(&figures);
        i += taken;
        whole = i;
        paused |= rest.pauses(i - 1) && said_digits(&rest.from(i)).is_some();
    }
    let count = digits.trim_start_matches('+').len();
    let said = count >= 3 || count == 2 && !paused;
    // "Five, six minutes" and "two thirty" are no digits.
    (said && whole > 0 && digits.len() <= DIGITS_MAX).then_some((digits, whole))
}

/// The longest run that is a number to dial or to type: an account number with
/// its bank's code has 19, a card 19.
const DIGITS_MAX: usize = 40;

fn said_digits(rest: &Rest<'_>) -> Option<(String, usize)> {
    let times = match rest.word(0) {
        "double" => 2,
        "triple" | "treble" => 3,
        _ => 1,
    };
    let at = usize::from(times > 1);
    let digit = match rest.word(at) {
        "oh" | "o" | "nought" => 0,
        word => word_value(word).filter(|n| *n < 10)?,
    };
    Some((digit.to_string().repeat(times), at + 1))
}

/// Figures that stayed figures: "1500", "2.5".
fn written(rest: &Rest<'_>) -> Option<(u64, usize)> {
    let word = rest.word(0);
    let (whole, part) = word.split_once('.').unwrap_or((word, ""));
    let plain = whole.replace(',', "");
    let fits = !plain.is_empty() && plain.len() <= 12 && part.len() <= 3;
    if !fits || !plain.bytes().chain(part.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction: u64 = format!("{part:0<3}").parse().ok()?;
    Some((plain.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(fraction)?, 1))
}

/// A cardinal in words, in thousandths: "two million, three hundred and fifty
/// thousand, four hundred", "fifteen hundred", "two point five", "two and a half thousand".
pub(super) fn cardinal(rest: &Rest<'_>) -> Option<(u64, usize)> {
    let mut reading = Cardinal::default();
    let mut i = 0;
    while let Some(taken) = reading.take(&rest.from(i), i > 0 && rest.pauses(i - 1)) {
        i += taken;
    }
    if i == 0 || !reading.any {
        return None;
    }
    let mut thousandths = reading.total.checked_add(reading.current)?.checked_mul(1000)?;
    let after = rest.from(i);
    if after.word(0) == "point" && !rest.pauses(i - 1) {
        let mut scale = 100;
        let mut n = 1;
        while let Some((figures, 1)) = said_digits(&after.from(n)) {
            thousandths = thousandths.checked_add(scale * figures.parse::<u64>().ok()?)?;
            scale /= 10;
            n += 1;
            if rest.pauses(i + n - 1) {
                break;
            }
        }
        i += if n > 1 { n } else { 0 };
    } else if after.is(&["and", "a", "half"]) {
        thousandths = thousandths.checked_add(500)?;
        i += 3;
    }
    // "Two point five million": the scale comes after the fraction.
    if let Some(scale) = scale_of(rest.word(i)).filter(|_| thousandths % 1000 != 0) {
        return Some((thousandths.checked_mul(scale)?, i + 1));
    }
    Some((thousandths, i))
}

#[derive(Default)]
struct Cardinal {
    total: u64,
    current: u64,
    /// The last scale that was taken; later ones are smaller.
    scale: Option<u64>,
    /// The last word was "hundred" or a scale, so that "and" may go on.
    open: bool,
    any: bool,
}

fn scale_of(word: &str) -> Option<u64> {
    Some(match word {
        "thousand" => 1_000,
        "million" => 1_000_000,
        "billion" => 1_000_000_000,
        _ => return None,
    })
}

impl Cardinal {
    /// Takes the next word if the number goes on with it; says how many words.
    fn take(&mut self, rest: &Rest<'_>, after_pause: bool) -> Option<usize> {
        if after_pause && !self.goes_on_after_pause(rest) {
            return None;
        }
        let word = rest.word(0);
        if word == "and" {
            let next = word_value(rest.word(1)).is_some_and(|n| n > 0);
            return (self.any && self.open && next && !rest.pauses(0)).then_some(1);
        }
        if word == "a" && !self.any {
            let counts = matches!(rest.word(1), "hundred" | "thousand" | "million" | "billion" | "dozen");
            return counts.then(|| {
                self.current = 1;
                1
            });
        }
        if word == "hundred" && self.current > 0 && self.current < 100 {
            self.current *= 100;
            return self.took(true);
        }
        if word == "dozen" {
            self.current = self.current.max(1) * 12;
            return self.took(false);
        }
        if let Some(scale) = scale_of(word).filter(|s| self.scale.is_none_or(|last| *s < last)) {
            self.total = self.total.checked_add(self.current.checked_mul(scale).filter(|n| *n > 0)?)?;
            self.current = 0;
            self.scale = Some(scale);
            return self.took(true);
        }
        let value = word_value(word)?;
        let below = self.current % 100;
        let fits = if value >= 10 { below == 0 } else { below == 0 || below >= 20 && below.is_multiple_of(10) };
        // "Zero" stands alone; after a number it begins another.
        let fresh = !self.any || self.open || below >= 20;
        let fits = fits && (value > 0 || !self.any) && fresh;
        fits.then(|| {
            self.current += value;
            self.open = false;
            self.any = true;
            1
        })
    }

    fn took(&mut self, open: bool) -> Option<usize> {
        self.open = open;
        self.any = true;
        Some(1)
    }

    /// After a comma a number goes on only below a scale, with hundreds.
    fn goes_on_after_pause(&self, rest: &Rest<'_>) -> bool {
        let hundreds = (1..=3).any(|n| rest.word(n) == "hundred" || scale_of(rest.word(n)).is_some());
        self.scale.is_some() && self.current == 0 && word_value(rest.word(0)).is_some() && hundreds
    }
}

/// What stands on a clock's face.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Face {
    pub hour: u8,
    pub minute: u8,
    pub taken: usize,
    /// It can be nothing but a time: "half past two", "eight o'clock".
    pub shaped: bool,
}

/// "Six", "half past four", "quarter to five", "ten to six", "eight thirty", "six o'clock".
pub(super) fn clock_figure(rest: &Rest<'_>) -> Option<Face> {
    if let Some(face) = around_the_hour(rest) {
        return Some(face);
    }
    let hour = hour_at(rest, 0)?;
    let plain = |minute, taken, shaped| Some(Face { hour, minute, taken, shaped });
    if rest.pauses(0) {
        return plain(0, 1, false);
    }
    match rest.word(1) {
        "oclock" => return plain(0, 2, true),
        "am" | "pm" => return plain(0, 1, true),
        "oh" => {
            let minute = word_value(rest.word(2)).filter(|n| (1..10).contains(n))?;
            return plain(u8::try_from(minute).ok()?, 3, false);
        }
        "hundred" | "thousand" | "million" | "naira" | "per" | "percent" | "point" => return None,
        _ => {}
    }
    // "Eight thirty", "four forty-five": minutes from ten to fifty-nine.
    if let Some(tens) = word_value(rest.word(1)).filter(|n| (10..60).contains(n)) {
        let ones = word_value(rest.word(2)).filter(|n| tens >= 20 && (1..10).contains(n) && !rest.pauses(1));
        let minute = u8::try_from(tens + ones.unwrap_or(0)).ok()?;
        return plain(minute, 2 + usize::from(ones.is_some()), false);
    }
    plain(0, 1, false)
}

fn hour_at(rest: &Rest<'_>, n: usize) -> Option<u8> {
    word_value(rest.word(n)).filter(|h| (1..=12).contains(h)).and_then(|h| u8::try_from(h).ok())
}

/// "Half past two", "quarter to five", "twenty-five past three".
fn around_the_hour(rest: &Rest<'_>) -> Option<Face> {
    let (minutes, taken) = match rest.word(0) {
        "half" => (30, 1),
        "quarter" => (15, 1),
        "a" if rest.word(1) == "quarter" => (15, 2),
        word => {
            let tens = word_value(word).filter(|n| (5..30).contains(n))?;
            let ones = word_value(rest.word(1)).filter(|n| tens == 20 && (1..10).contains(n));
            (u8::try_from(tens + ones.unwrap_or(0)).ok()?, 1 + usize::from(ones.is_some()))
        }
    };
    let counted = usize::from(matches!(rest.word(taken), "minutes" | "mins"));
    let hour = hour_at(rest, taken + counted + 1)?;
    // "Five to six" may be "from five to six": only what is no hour itself, or is
    // called minutes, is told before the hour.
    let told = rest.word(0) == "quarter" || rest.word(0) == "a" || counted > 0 || minutes > 12;
    let (hour, minute) = match rest.word(taken + counted) {
        "past" | "after" if rest.word(taken + counted) == "past" || told => (hour, minutes),
        "to" if told && rest.word(0) != "half" => ((hour + 10) % 12 + 1, 60 - minutes),
        _ => return None,
    };
    Some(Face { hour, minute, taken: taken + counted + 2, shaped: true })
}
