//! Whether a run of digits is somebody's, and what it is.

use super::amounts::{Quantity, is_list, is_round_amount, is_year, quantities};
use super::kind::Kind;
use super::lexicon::{Cue, Means};
use super::memory::{Hinted, Memory, kind_of};
use super::runs::{Form, Item, Reader, Run};
use super::shapes::{ALWAYS, CARD_MAX, CARD_MIN, Hint, begins_mobile, is_card, is_phone, is_whole, kind};

/// From so many on it is, unless it looks like an amount or a list: a landline
/// without its area code has seven.
const USUALLY: usize = 7;

/// From so many on if they are said one by one: nobody counts loaves so.
const ONE_BY_ONE: usize = 5;

/// With a cue some words away.
const NEAR_CUE: usize = 5;

/// Right behind a cue, a PIN, or the rest of an identifier.
const AT_CUE: usize = 3;

/// The shortest PIN.
const PIN_MIN: usize = 4;

/// The longest PIN or one-time code.
const SECRET_MAX: usize = 8;

/// Words behind a number among which its name is looked for: "… is the OTP they sent".
pub(super) const TRAILING_WORDS: usize = 5;

/// Numbers of services that anyone may ring, in Nigeria and elsewhere.
const SERVICES: &[&str] = &["112", "199", "767", "911", "999", "122", "100", "111", "300", "311"];

/// What is to be taken out: tokens, and what they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Claim {
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) kind: Kind,
    pub(super) digits: usize,
}

/// How carefully numbers are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Care {
    #[default]
    Full,
    /// The text is too long to be a turn: every number goes.
    Blunt,
}

/// Whether groups of digits stay.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Stays,
    /// They are somebody's, and this is what the words around them say they are.
    Goes(Option<Kind>),
}

/// What one run is judged by.
pub(super) struct Judge<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) memory: &'a Memory,
    pub(super) care: Care,
    pub(super) run: &'a Run,
}

impl Judge<'_> {
    pub(super) fn claims(&self) -> Vec<Claim> {
        let mut claims = Vec::new();
        if self.care == Care::Blunt {
            self.claim(&self.run.items, None, &mut claims);
            return claims;
        }
        let quantities = quantities(&self.reader, self.run, self.memory);
        let mut from = 0;
        while from < self.run.items.len() {
            let length = quantities[from..].iter().take_while(|q| **q != Quantity::Sure).count();
            self.part(from, from + length, &quantities, &mut claims);
            from += length + 1;
        }
        claims
    }

    /// Groups among which nothing is surely an amount.
    fn part(&self, from: usize, to: usize, quantities: &[Quantity], claims: &mut Vec<Claim>) {
        let items = &self.run.items[from..to];
        if items.is_empty() {
            return;
        }
        let is_plain = |at: usize| quantities[at] == Quantity::No;
        if (from..to).all(is_plain) || self.is_one_number(items, is_plain(from)) {
            self.judge(items, claims);
            return;
        }
        let mut at = from;
        while at < to {
            let length = quantities[at..to].iter().take_while(|q| **q == Quantity::No).count();
            self.judge(&self.run.items[at..at + length], claims);
            at += length + 1;
        }
    }

    /// Whether likely amounts among the groups belong to an identifier after all:
    /// "oh eight oh three, five hundred, six thousand".
    fn is_one_number(&self, items: &[Item], begins_plain: bool) -> bool {
        let digits = self.run.digits_of(items);
        let begins = begins_plain && (begins_mobile(digits) || self.has_plus(items));
        let is_known = matches!(self.memory.subject(), Hinted::Linked(_)) && !self.memory.is_of_thing();
        begins || is_known && digits.len() >= 4 || self.is_asked(items)
    }

    /// Whether the group is the PIN or the code that was spoken of: also in "my PIN is
    /// 4821 second line", for round numbers and years alone are counted where one is awaited.
    fn is_asked(&self, items: &[Item]) -> bool {
        let digits = self.run.digits_of(items);
        match self.next_unit(items) {
            _ if items.len() != 1 => false,
            None => self.memory.secret().is_some(),
            Some(Means::Unit) => {
                let is_like_count = digits.ends_with("00") || is_year(digits);
                self.memory.is_code_named() && digits.len() >= PIN_MIN && !is_like_count
            }
            Some(_) => false,
        }
    }

    fn has_plus(&self, items: &[Item]) -> bool {
        self.run.plus.is_some() && items.first().is_some_and(|item| item.from == 0)
    }

    fn judge(&self, items: &[Item], claims: &mut Vec<Claim>) {
        if let Verdict::Goes(said) = self.verdict(items) {
            self.claim(items, said, claims);
        }
    }

    fn verdict(&self, items: &[Item]) -> Verdict {
        let digits = self.run.digits_of(items);
        let sure =
            items.iter().filter(|item| item.form != Form::Sounded).map(|item| item.to - item.from).sum::<usize>();
        if sure == 0 {
            return Verdict::Stays;
        }
        if self.has_plus(items) && self.run.is_dialled() && sure >= USUALLY {
            return Verdict::Goes(Some(Kind::Phone));
        }
        if let Some(secret) = self.secret(items, sure) {
            return Verdict::Goes(Some(secret));
        }
        let named = self.memory.subject().kind();
        let is_linked = matches!(self.memory.subject(), Hinted::Linked(_));
        let is_shape = is_phone(digits, self.has_plus(items)) || is_card(digits);
        let is_list = !is_linked && !is_shape && is_list(self.run, items);
        if sure >= ALWAYS {
            let stays = is_list && digits.len() < 2 * ALWAYS;
            return if stays { Verdict::Stays } else { Verdict::Goes(named) };
        }
        if self.memory.is_of_thing() && !is_phone_like(digits) {
            return Verdict::Stays;
        }
        let is_amount = !is_linked
            && (is_list || items.len() == 1 && is_round_amount(digits) || !is_shape && self.is_price_and_count(items));
        if sure >= USUALLY && !is_amount {
            return Verdict::Goes(named);
        }
        if self.is_piece(items, sure, is_list) {
            return Verdict::Goes(named.or_else(|| self.memory.open()));
        }
        if self.is_named(items, sure) {
            return Verdict::Goes(named);
        }
        self.trailing(items, sure).map_or(Verdict::Stays, |kind| Verdict::Goes(Some(kind)))
    }

    /// Whether the words before make a short number somebody's.
    fn is_named(&self, items: &[Item], sure: usize) -> bool {
        let digits = self.run.digits_of(items);
        let is_counted = self.next_unit(items).is_some();
        let is_like_amount = digits.ends_with("00") || is_counted;
        match self.memory.subject() {
            _ if SERVICES.contains(&digits) => false,
            Hinted::Linked(_) => sure >= AT_CUE,
            Hinted::WeaklyLinked(_) => sure >= NEAR_CUE && !digits.ends_with("00") || sure > AT_CUE && !is_counted,
            Hinted::Near(Kind::Number) => sure >= NEAR_CUE && !is_like_amount && is_one_by_one(self.run, items),
            Hinted::Near(_) => sure >= NEAR_CUE && !is_like_amount,
            Hinted::No => false,
        }
    }

    /// "11500 and 36": a price, and something else.
    fn is_price_and_count(&self, items: &[Item]) -> bool {
        let is_price = |item: &Item| {
            let digits = self.run.digits_of(&[*item]);
            (3..=6).contains(&digits.len()) && digits.ends_with("00") && !digits.starts_with('0')
        };
        let is_and = |left: &Item, right: &Item| {
            (left.last + 1..right.first).any(|at| self.reader.text(at).eq_ignore_ascii_case("and"))
        };
        let begins = items.first().is_some_and(|item| self.run.digits_of(&[*item]).starts_with('0'));
        !begins && items.windows(2).any(|w| (is_price(&w[0]) || is_price(&w[1])) && is_and(&w[0], &w[1]))
    }

    /// A part of an identifier, by its form or by what went before.
    fn is_piece(&self, items: &[Item], sure: usize, is_list: bool) -> bool {
        let digits = self.run.digits_of(items);
        let one_by_one = is_one_by_one(self.run, items);
        let is_last = self.is_last(items);
        let is_counted = match self.next_unit(items) {
            Some(Means::Plain) => !one_by_one,
            unit => unit.is_some(),
        };
        let goes_on = self.memory.open().is_some()
            && !is_counted
            && (sure >= AT_CUE || sure >= 2 && (one_by_one || self.memory.is_turn_start()));
        let is_said = items.iter().all(|item| matches!(item.form, Form::Said | Form::Sounded));
        let begins = begins_mobile(digits) || digits.starts_with("234") && self.has_plus(items);
        goes_on
            || one_by_one && sure >= ONE_BY_ONE && (is_said || !is_list)
            || begins && sure >= AT_CUE
            || one_by_one && digits.starts_with('0') && sure >= 4
            || is_last && is_said && sure >= AT_CUE
            || self.has_plus(items) && sure >= ONE_BY_ONE && one_by_one
    }

    /// Whether the turn, as far as it was heard, ends with them.
    fn is_last(&self, items: &[Item]) -> bool {
        let Some(last) = items.last() else { return false };
        let is_word = |at: &usize| {
            !matches!(
                self.reader.means(*at),
                Some(Means::Space | Means::Mark(_) | Means::Dot | Means::Dash | Means::Filler)
            )
        };
        !(last.last + 1..self.reader.tokens.len()).any(|at| is_word(&at))
    }

    /// The PIN, code or expiry date that was asked for or spoken of.
    fn secret(&self, items: &[Item], sure: usize) -> Option<Kind> {
        let digits = self.run.digits_of(items);
        let unit = self.next_unit(items);
        let is_length = (AT_CUE..=SECRET_MAX).contains(&sure) || sure < AT_CUE && self.is_begun_code(items, unit);
        if unit == Some(Means::Currency) || !is_length {
            return None;
        }
        let is_end = is_expiry(self.run, items);
        match self.memory.secret() {
            Some(Kind::CardExpiry) => return is_end.then_some(Kind::CardExpiry),
            Some(Kind::CardCode) if sure <= 4 => return Some(Kind::CardCode),
            Some(Kind::OneTimeCode) if self.memory.is_any_code() && !self.is_code(digits, sure, unit) => {}
            Some(kind @ (Kind::Pin | Kind::OneTimeCode)) => return Some(kind),
            _ => {}
        }
        // What comes right after a card's number is its end and its code.
        if self.memory.had_card() && unit.is_none() {
            if is_end {
                return Some(Kind::CardExpiry);
            }
            if sure <= 4 && !digits.ends_with("00") {
                return Some(Kind::CardCode);
            }
        }
        None
    }

    /// Whether so few digits are the beginning of a PIN or a code, or its end, and the
    /// caller pauses within it: "my PIN is forty-eight". Behind "at" and "by" is a time, and
    /// "I don forget my PIN o" has no digit.
    fn is_begun_code(&self, items: &[Item], unit: Option<Means>) -> bool {
        let before = items.first().and_then(|item| self.reader.before(item.first));
        let is_time = before.is_some_and(|at| {
            self.reader.means(at) == Some(Means::At) || self.reader.text(at).eq_ignore_ascii_case("by")
        });
        let is_particle =
            |item: &Item| ["o", "oh"].iter().any(|o| self.reader.text(item.first).eq_ignore_ascii_case(o));
        let is_call = matches!(items, [only] if is_particle(only));
        self.memory.is_code_named() && unit.is_none() && !is_time && !is_call && self.is_last(items)
    }

    /// Whether a number that a mere "code" was spoken of before is that code, and
    /// nothing that is counted: "the code is 482913 because it just came".
    fn is_code(&self, digits: &str, sure: usize, unit: Option<Means>) -> bool {
        let is_like_count = digits.ends_with("00") || is_year(digits);
        match unit {
            // The word may be a thing that is counted, of which the lexicon knows a few.
            Some(Means::Plain) => sure >= 4 && (self.memory.is_secret_linked() || !is_like_count),
            unit => sure >= 4 && unit.is_none(),
        }
    }

    /// What is counted or paid by the number, if the next word says so.
    fn next_unit(&self, items: &[Item]) -> Option<Means> {
        let after = self.reader.skip_space(items.last()?.last + 1);
        self.reader
            .means(after)
            .filter(|means| matches!(means, Means::Unit | Means::Currency | Means::Clock | Means::Plain))
    }

    /// "… is my PIN", "… na the code".
    fn trailing(&self, items: &[Item], sure: usize) -> Option<Kind> {
        if !(AT_CUE..USUALLY.max(SECRET_MAX + 1)).contains(&sure) {
            return None;
        }
        let mut at = items.last()?.last + 1;
        let (mut words, mut is_said, mut is_mine) = (0, false, false);
        while words < TRAILING_WORDS {
            match self.reader.means(at)? {
                Means::Space | Means::Mark(_) => {}
                Means::Dot => return None,
                Means::Cue(Cue::Number) if is_said && is_mine => return Some(Kind::Number),
                Means::Cue(Cue::Number | Cue::Thing | Cue::Email) => words += 1,
                Means::Cue(cue) if is_said => return kind_of(cue),
                Means::Link => {
                    let word = self.reader.text(at).to_ascii_lowercase();
                    is_said |=
                        matches!(word.as_str(), "is" | "na" | "be" | "are" | "was" | "as" | "it's" | "that's" | "its");
                    is_mine |= word == "my";
                    words += 1;
                }
                _ if !is_said => return None,
                _ => words += 1,
            }
            at += 1;
        }
        None
    }

    /// Claims the groups, as one identifier or as the several that they are.
    fn claim(&self, items: &[Item], said: Option<Kind>, claims: &mut Vec<Claim>) {
        let hint = |items: &[Item]| Hint { said, bank: self.memory.bank_code(), has_plus: self.has_plus(items) };
        let mut rest = if self.is_count_before_phone(items, &hint(items)) { &items[1..] } else { items };
        while !rest.is_empty() {
            let is_all = self.is_one(rest, &hint(rest));
            let first_whole = is_all.then_some(rest.len()).or_else(|| {
                (1..rest.len()).find(|n| {
                    let (head, hint) = (&rest[..*n], hint(&rest[..*n]));
                    let digits = self.run.digits_of(head);
                    // Of a number from abroad nobody knows where it ends.
                    let may_end = !hint.has_plus || digits.starts_with("234") && digits.len() >= 13;
                    digits.len() >= ALWAYS && may_end && is_whole(digits, &hint) && !self.is_longer_card(rest, *n)
                })
            });
            let is_after_card = claims.last().is_some_and(|c| c.kind == Kind::Card) && rest.len() < items.len();
            let is_end_first = is_after_card && rest.len() > 2 && is_expiry(self.run, &rest[..2]);
            let (head, tail) = rest.split_at(first_whole.unwrap_or(if is_end_first { 2 } else { rest.len() }));
            let digits = self.run.digits_of(head);
            let is_after_whole = rest.len() < items.len();
            let is_counted = matches!(self.next_unit(head), Some(Means::Unit | Means::Currency));
            if is_after_whole && head.len() == 1 && digits.len() <= 2 && is_counted {
                return;
            }
            let is_after_end = claims.last().is_some_and(|c| c.kind == Kind::CardExpiry) && is_after_whole;
            let kind = match digits.len() {
                _ if is_after_card && is_expiry(self.run, head) => Kind::CardExpiry,
                ..=4 if is_after_card || is_after_end => Kind::CardCode,
                _ => self.kind(digits, &hint(head)),
            };
            let first = head.first().map_or(0, |item| item.first);
            let first = self.run.plus.filter(|_| self.has_plus(head)).unwrap_or(first);
            let last = head.last().map_or(first, |item| item.last);
            claims.push(Claim { first, last, kind, digits: digits.len() });
            rest = tail;
        }
    }

    /// "At 4, 0803 123 4567": a count and then a telephone number.
    fn is_count_before_phone(&self, items: &[Item], hint: &Hint) -> bool {
        let [count, rest @ ..] = items else { return false };
        let (count, rest) = (self.run.digits_of(&[*count]), self.run.digits_of(rest));
        let is_count = count.len() <= 2 && !count.starts_with('0') && !hint.has_plus;
        is_count && begins_mobile(rest) && is_phone(rest, false) && !self.is_one(items, hint)
    }

    /// Whether all groups together are one identifier.
    fn is_one(&self, items: &[Item], hint: &Hint) -> bool {
        let digits = self.run.digits_of(items);
        let is_said = hint.said == Some(Kind::Card) && (CARD_MIN..=CARD_MAX).contains(&digits.len());
        is_said || is_whole(digits, hint) || kind(digits, hint) == Kind::Card
    }

    fn kind(&self, digits: &str, hint: &Hint) -> Kind {
        match hint.said {
            Some(kind @ (Kind::Pin | Kind::OneTimeCode | Kind::CardCode | Kind::CardExpiry)) => kind,
            _ => kind(digits, hint),
        }
    }

    /// Whether the next groups make a longer card number of what looks whole.
    fn is_longer_card(&self, rest: &[Item], whole: usize) -> bool {
        let is_short_card = is_card(self.run.digits_of(&rest[..whole]));
        is_short_card && (whole + 1..=rest.len()).any(|n| is_card(self.run.digits_of(&rest[..n])))
    }
}

fn is_phone_like(digits: &str) -> bool {
    is_phone(digits, false) && digits.len() >= 9
}

/// Each group a single digit, or one repeated.
fn is_one_by_one(run: &Run, items: &[Item]) -> bool {
    items.len() >= 2
        && items.iter().all(|item| {
            matches!(item.form, Form::Said | Form::Sounded) || run.digits_of(std::slice::from_ref(item)).len() == 1
        })
}

/// Month and year: "08/27", "oh eight twenty-seven", "8 2027".
fn is_expiry(run: &Run, items: &[Item]) -> bool {
    let digits = run.digits_of(items);
    let (month, year) = match digits.len() {
        // "123" without a mark between is a code.
        3 | 5 if items.len() > 1 => digits.split_at(1),
        4 | 6 => digits.split_at(2),
        _ => return false,
    };
    let month = month.parse().is_ok_and(|month: u8| (1..=12).contains(&month));
    // Cards are given for ten years at most.
    let years = |year: u16| (2000..=2060).contains(&year) || (20..=60).contains(&year);
    month && year.parse().is_ok_and(years)
}
