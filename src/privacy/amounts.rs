//! Numbers that are nobody's identifiers: prices, times, dates, measures, counts.
//! They stay, or the box could not answer.

use std::ops::Range;

use super::checks::luhn;
use super::lexicon::{Cue, Means};
use super::memory::{Hinted, Memory};
use super::runs::{Form, Item, Reader, Run, begins_group};
use super::shapes::{ACCOUNT, ALWAYS, Hint, begins_mobile, is_whole};

/// How surely a group is an amount, a time or a date.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Quantity {
    No,
    /// It may yet be a part of an identifier that was said so.
    Likely,
    Sure,
}

/// No amount of money that a caller names has more figures.
const AMOUNT_FIGURES_MAX: usize = 9;

/// One for each group of the run.
pub(super) fn quantities(reader: &Reader<'_>, run: &Run, memory: &Memory) -> Vec<Quantity> {
    let of_item = |item: &Item| {
        let is_money = is_money(reader, item)
            && may_be_money(item, run.digits_of(std::slice::from_ref(item)))
            && !begins_with_nought(reader, run, item)
            && !is_of_named_number(reader, run, item, memory);
        if is_money { Quantity::Sure } else { alone(reader, run, item) }
    };
    let mut found: Vec<Quantity> = run.items.iter().map(of_item).collect();
    // Abroad, telephone numbers are written with dots as dates are here.
    let bound = if run.is_dialled() { 0 } else { run.items.len() };
    for k in 0..bound {
        let (length, quantity) = together(reader, run, k);
        if is_private_time(reader, run, &(k..k + length), &found, memory) {
            continue;
        }
        for one in found.iter_mut().skip(k).take(length) {
            *one = (*one).max(quantity);
        }
    }
    if may_be_hours(run, memory) {
        for (one, is_end) in found.iter_mut().zip(opening_hours(reader, run)) {
            if is_end {
                *one = (*one).max(Quantity::Likely);
            }
        }
    }
    found
}

/// Whether nothing speaks against opening hours: no "+", no name of a number right
/// before, and no number of which the rest is awaited.
fn may_be_hours(run: &Run, memory: &Memory) -> bool {
    let is_named = match memory.subject() {
        Hinted::Linked(_) => true,
        // "Call me on 0815-1230"; "call us 0900 to 1700" is two runs.
        Hinted::WeaklyLinked(_) => run.items.len() > 1,
        Hinted::Near(_) | Hinted::No => false,
    };
    !is_named && run.plus.is_none() && !run.is_dialled() && memory.secret().is_none() && memory.open().is_none()
}

/// Which groups are ends of opening hours, as in "0900 to 1700" and "0830-1730".
/// None is, if another group stands there that may belong to a number with them:
/// "0815-1230-456".
fn opening_hours(reader: &Reader<'_>, run: &Run) -> Vec<bool> {
    let of_item = |item: &Item| match (begins_hours(reader, run, item), ends_hours(reader, run, item)) {
        (true, true) => None,
        (false, false) => is_counted(reader, item).then_some(false),
        _ => Some(true),
    };
    run.items.iter().map(of_item).collect::<Option<Vec<bool>>>().unwrap_or_default()
}

/// "0900" in "0900 to 1700".
fn begins_hours(reader: &Reader<'_>, run: &Run, item: &Item) -> bool {
    let joint = reader.skip_space(item.last + 1);
    if !is_opening_hour(run.digits_of(std::slice::from_ref(item))) || !joins_hours(reader, joint, item.first) {
        return false;
    }
    let Some(other) = reader.run(reader.skip_space(joint + 1), reader.tokens.len()) else { return false };
    let is_hour = |item: &Item| is_opening_hour(other.digits_of(std::slice::from_ref(item)));
    match other.items.as_slice() {
        [end] => is_hour(end),
        [end, next, ..] => is_hour(end) && (is_hour(next) || is_counted(reader, next)),
        [] => false,
    }
}

/// "1700" in "0900 to 1700".
fn ends_hours(reader: &Reader<'_>, run: &Run, item: &Item) -> bool {
    let Some(joint) = reader.before(item.first) else { return false };
    let Some(first) = reader.before(joint) else { return false };
    is_opening_hour(run.digits_of(std::slice::from_ref(item)))
        && is_opening_hour(reader.text(first))
        && joins_hours(reader, joint, first)
}

/// Whether the token at `joint` says that hours go on from the number at `first`.
fn joins_hours(reader: &Reader<'_>, joint: usize, first: usize) -> bool {
    let is = |at: usize, word: &str| reader.text(at).eq_ignore_ascii_case(word);
    match reader.means(joint) {
        Some(Means::Range) => true,
        // Who says "dash" spells a number. Behind a mark, what begins as a mobile number is
        // hours only from a full hour on, as most are: "0900-1700", and not "0815-1230".
        Some(Means::Dash) => {
            let hour = reader.text(first);
            !reader.text(joint).starts_with(char::is_alphabetic) && (!begins_mobile(hour) || hour.ends_with("00"))
        }
        Some(Means::Sounds(2)) => is(joint, "to"),
        Some(Means::Filler) => is(joint, "and") && reader.before(first).is_some_and(|at| is(at, "between")),
        _ => false,
    }
}

/// "7" in "0900 to 1700, 7 days a week", "9" in "…, 9 to 2 on Saturday".
fn is_counted(reader: &Reader<'_>, item: &Item) -> bool {
    let after = reader.skip_space(item.last + 1);
    let is_range = matches!(reader.means(after), Some(Means::Unit | Means::Clock | Means::Range))
        || reader.text(after).eq_ignore_ascii_case("to");
    item.to - item.from <= 2 && is_range
}

/// A group by itself that is not surely money.
fn alone(reader: &Reader<'_>, run: &Run, item: &Item) -> Quantity {
    let digits = run.digits_of(std::slice::from_ref(item));
    let after = reader.skip_space(item.last + 1);
    let is_short = digits.len() <= 4;
    let is_tight = after == item.last + 1;
    match reader.means(after) {
        Some(Means::Clock) if is_short => Quantity::Sure,
        Some(Means::Letter(b'a' | b'p')) if is_short && is_half_day(reader, after) => Quantity::Sure,
        Some(Means::Unit) if is_short && is_tight => Quantity::Sure,
        Some(Means::Unit) if is_short => Quantity::Likely,
        _ if is_short
            && is_tight
            && matches!(reader.text(after).to_ascii_lowercase().as_str(), "st" | "nd" | "rd" | "th") =>
        {
            Quantity::Sure
        }
        _ if item.form == Form::Scaled => Quantity::Likely,
        _ if item.form == Form::Grouped && digits.len() <= AMOUNT_FIGURES_MAX => Quantity::Likely,
        _ if run.items.len() == 1 && is_hour_figures(digits) && is_behind_hour_word(reader, item) => Quantity::Likely,
        _ => Quantity::No,
    }
}

/// Whether a mark or a name of money stands before or behind.
fn is_money(reader: &Reader<'_>, item: &Item) -> bool {
    let after = reader.skip_space(item.last + 1);
    if reader.means(after) == Some(Means::Currency) {
        return true;
    }
    let Some(before) = reader.before(item.first) else { return false };
    match reader.means(before) {
        // A name of money, and a percent sign, belong to the number before them.
        Some(Means::Currency) if is_number_before(reader, before) => false,
        Some(Means::Currency) => true,
        // "#5000" is how the naira sign is often typed, "N5000" how it is often written.
        Some(Means::Mark('#') | Means::Letter(b'n')) => before + 1 == item.first,
        _ => false,
    }
}

fn is_number_before(reader: &Reader<'_>, at: usize) -> bool {
    let is_figure = |i| reader.means(i).is_some_and(|m| begins_group(m) || matches!(m, Means::Scale(_)));
    reader.before(at).is_some_and(is_figure) && reader.text(at).chars().all(|c| c.is_alphabetic() || c == '%')
}

/// A telephone or card number is none, whatever stands beside it.
fn may_be_money(item: &Item, digits: &str) -> bool {
    let is_long = item.form == Form::Figures && digits.len() > AMOUNT_FIGURES_MAX;
    let is_number = digits.len() >= 7 && digits.starts_with('0');
    let is_card = digits.len() >= 13 && luhn(digits);
    !is_long && !is_number && !is_card
}

/// "Naira 0691", "₦0691", "0691 naira": no price begins so. Behind other groups it may be
/// the end of one: "4500.05 naira", "4 500 050 naira".
fn begins_with_nought(reader: &Reader<'_>, run: &Run, item: &Item) -> bool {
    let digits = run.digits_of(std::slice::from_ref(item));
    let is_end = item.from > 0 && reader.means(reader.skip_space(item.last + 1)) == Some(Means::Currency);
    item.form == Form::Figures && digits.len() > 1 && digits.starts_with('0') && !is_end
}

/// Whether the groups that read as a time of day are a number of somebody's, as some
/// recognisers write it: "my PIN is 12:34", "my phone is 08:03 123 4567". What was said of
/// a PIN "at 12:34" is a time.
fn is_private_time(reader: &Reader<'_>, run: &Run, time: &Range<usize>, found: &[Quantity], memory: &Memory) -> bool {
    let is_colon = |w: &[Item]| tight_mark(reader, &w[0], &w[1]) == Some(Means::Mark(':'));
    let (Some(items), Some(rest)) = (run.items.get(time.clone()), run.items.get(time.end..)) else { return false };
    let [first, _, ..] = items else { return false };
    let is_time = items.len() == 2 || items.windows(2).all(is_colon);
    let is_at = reader.before(first.first).is_some_and(|before| reader.means(before) == Some(Means::At));
    // "12:34 pm".
    let is_sure = found[time.clone()].contains(&Quantity::Sure);
    if !is_time || is_at || is_sure {
        return false;
    }
    if time.start == 0 && memory.is_code_named() {
        return true;
    }
    let said = match memory.subject() {
        Hinted::Linked(kind) | Hinted::WeaklyLinked(kind) => Some(kind),
        Hinted::Near(_) | Hinted::No => return false,
    };
    let hint = Hint { said, ..Hint::default() };
    (1..=rest.len()).any(|more| {
        let end = time.end + more;
        // Neither more times nor prices: "07:00, 8:30, 12:00", "12:34, 500,000".
        let is_plain = found[time.end..end].iter().all(|one| *one == Quantity::No)
            && !rest[..rest.len().min(more + 1)].windows(2).any(is_colon);
        is_plain && is_whole(run.digits_of(&run.items[time.start..end]), &hint)
    })
}

/// Whether what looks like a sign of money belongs to a number of somebody's:
/// "my NIN is #1234 5678 901", "0691 827 438 naira account".
fn is_of_named_number(reader: &Reader<'_>, run: &Run, item: &Item, memory: &Memory) -> bool {
    let after = reader.skip_space(item.last + 1);
    if reader.means(after) == Some(Means::Currency) {
        let is_account = reader.means(reader.skip_space(after + 1)) == Some(Means::Cue(Cue::Account));
        // One digit may have been misheard.
        let is_long = (ACCOUNT - 1..=ACCOUNT + 1).contains(&item.to);
        return is_account && is_long && !run.digits_of(std::slice::from_ref(item)).ends_with("00");
    }
    let is_sign = |item: &Item| item.first.checked_sub(1).is_some_and(|at| reader.means(at) == Some(Means::Mark('#')));
    // No identifier is written with commas for the thousands.
    if !is_sign(item) || item.form != Form::Figures {
        return false;
    }
    let digits = run.digits_of(std::slice::from_ref(item));
    let is_prices = run.items.iter().all(|item| is_sign(item) && is_price(run.digits_of(std::slice::from_ref(item))));
    // No price begins with 0, and of what may be a PIN only what looks like a price is one.
    let is_no_price = digits.len() > 1 && digits.starts_with('0') || memory.secret().is_some() && !is_price(digits);
    is_no_price || memory.is_number_named() && (!is_prices || memory.is_surely_secret())
}

/// "a.m.", "p m".
fn is_half_day(reader: &Reader<'_>, at: usize) -> bool {
    let mut next = reader.skip_space(at + 1);
    if reader.means(next) == Some(Means::Dot) {
        next = reader.skip_space(next + 1);
    }
    reader.text(next).eq_ignore_ascii_case("m")
}

/// "0800", "1730".
fn is_hour_figures(digits: &str) -> bool {
    digits.len() == 4 && digits.split_at_checked(2).is_some_and(|(hour, minute)| is_time(hour, minute))
}

/// An hour at which doors open and close: a full one, a half or a quarter. Most
/// beginnings of telephone numbers, as "0803" and "0905", are none.
fn is_opening_hour(digits: &str) -> bool {
    is_hour_figures(digits) && digits.get(2..).is_some_and(|minute| number(minute).is_multiple_of(15))
}

fn is_behind_hour_word(reader: &Reader<'_>, item: &Item) -> bool {
    let Some(before) = reader.before(item.first) else { return false };
    let word = reader.text(before).to_ascii_lowercase();
    matches!(
        word.as_str(),
        "at" | "from" | "by" | "to" | "till" | "until" | "before" | "after" | "around" | "about" | "since" | "between"
    )
}

fn number(digits: &str) -> u32 {
    digits.parse().unwrap_or(u32::MAX)
}

fn is_time(hour: &str, minute: &str) -> bool {
    hour.len() <= 2 && number(hour) <= 24 && minute.len() == 2 && number(minute) < 60
}

/// What stands tightly between two groups: one mark and no space.
fn tight_mark(reader: &Reader<'_>, left: &Item, right: &Item) -> Option<Means> {
    (left.last + 2 == right.first).then(|| reader.means(left.last + 1))?.filter(|m| *m != Means::Space)
}

/// Groups from `k` on that are one time or date: how many, and how surely.
fn together(reader: &Reader<'_>, run: &Run, k: usize) -> (usize, Quantity) {
    let items = &run.items[k..];
    let digits = |i: usize| items.get(i).map_or("", |item| run.digits_of(std::slice::from_ref(item)));
    let [first, second, rest @ ..] = items else { return (0, Quantity::No) };
    if run.items.len() == 3 && k == 0 && is_spaced_date(reader, run) {
        return (3, Quantity::Likely);
    }
    let Some(mark) = tight_mark(reader, first, second) else { return (0, Quantity::No) };
    let goes_before = k > 0 && tight_mark(reader, &run.items[k - 1], first) == Some(mark);
    // How many groups the same mark binds together from here on.
    let bound = items.windows(2).take_while(|w| tight_mark(reader, &w[0], &w[1]) == Some(mark)).count() + 1;
    if goes_before {
        return (0, Quantity::No);
    }
    match (mark, bound) {
        (Means::Mark(':'), 2) if is_time(digits(0), digits(1)) => (2, Quantity::Sure),
        (Means::Mark(':'), 3) if is_time(digits(0), digits(1)) && is_time("0", digits(2)) => (3, Quantity::Sure),
        (Means::Dot, 2) if is_time(digits(0), digits(1)) => (2, Quantity::Likely),
        (Means::Mark('/') | Means::Dash | Means::Dot, 3)
            if !rest.is_empty() && is_date(digits(0), digits(1), digits(2)) =>
        {
            (3, Quantity::Sure)
        }
        _ => (0, Quantity::No),
    }
}

/// "25 12 2026", in figures with nothing but spaces between.
fn is_spaced_date(reader: &Reader<'_>, run: &Run) -> bool {
    let spaced = run.items.windows(2).all(|w| reader.skip_space(w[0].last + 1) == w[1].first);
    let figures = run.items.iter().all(|item| item.form == Form::Figures);
    let [day, month, year] = [0, 1, 2].map(|i| run.items.get(i).map_or("", |item| run.digits_of(&[*item])));
    spaced && figures && year.len() == 4 && is_date(day, month, year)
}

/// Day, month and year in any of the three orders in use.
fn is_date(a: &str, b: &str, c: &str) -> bool {
    let day = |d: &str| d.len() <= 2 && (1..=31).contains(&number(d));
    let month = |m: &str| m.len() <= 2 && (1..=12).contains(&number(m));
    let year = |y: &str| y.len() == 2 || y.len() == 4 && is_year(y);
    day(a) && month(b) && year(c) || month(a) && day(b) && year(c) || a.len() == 4 && year(a) && month(b) && day(c)
}

pub(super) fn is_year(digits: &str) -> bool {
    digits.len() == 4 && (1900..=2099).contains(&number(digits))
}

/// "500", "12750".
fn is_price(digits: &str) -> bool {
    (3..=6).contains(&digits.len()) && !digits.starts_with('0') && (digits.ends_with("00") || digits.ends_with("50"))
}

/// Whether the groups are a list of things that are counted, priced or dated,
/// and not one number in pieces.
pub(super) fn is_list(run: &Run, items: &[Item]) -> bool {
    let groups = || items.iter().map(|item| run.digits_of(std::slice::from_ref(item)));
    let prices = items.len() >= 2 && groups().all(is_price);
    let years = items.len() <= 3 && groups().all(is_year);
    let values: Vec<u32> = groups().map(number).collect();
    // Nobody counts aloud as far as an identifier is long.
    let counted = (2..ALWAYS).contains(&items.len()) && values.windows(2).all(|w| w[0].checked_add(1) == Some(w[1]));
    prices || years || counted || is_times(run, items)
}

/// "Nine thirty and ten thirty": times of day in words, with more than a space between
/// them. Who says a number so stops within the hours too, or nowhere.
fn is_times(run: &Run, items: &[Item]) -> bool {
    /// More times are not named at once.
    const GROUPS_MAX: usize = 8;
    let value = |item: &Item| number(run.digits_of(std::slice::from_ref(item)));
    let is_said = |item: &Item| matches!(item.form, Form::Said | Form::Pair);
    let is_time = |pair: &[Item]| match pair {
        [hour, minute] => {
            let is_hour = is_said(hour) && (1..=12).contains(&value(hour));
            is_hour && is_said(minute) && matches!(value(minute), 15 | 30 | 45) && hour.last + 2 == minute.first
        }
        _ => false,
    };
    let mut between = items.windows(2).skip(1).step_by(2);
    (4..=GROUPS_MAX).contains(&items.len())
        && items.chunks(2).all(is_time)
        && between.all(|pair| pair[0].last + 2 < pair[1].first)
}

/// "1500000": an amount without its commas.
pub(super) fn is_round_amount(digits: &str) -> bool {
    digits.len() <= AMOUNT_FIGURES_MAX && digits.ends_with("000") && !digits.starts_with('0')
}
