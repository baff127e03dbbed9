//! Runs of digits, however they are said: figures in groups, single digits,
//! "double seven", teens and tens, with pauses and small words between them.

use super::lexicon::{Means, digit_value};
use super::token::{Tape, Token};

/// Small words in a row that may stand between two groups: "… er, yes, and then …".
pub(super) const FILLERS_MAX: usize = 4;

/// How a group was said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// In figures.
    Figures,
    /// In figures with commas for the thousands.
    Grouped,
    /// One digit in a word, or one repeated.
    Said,
    /// A word that may have been a digit between two that were.
    Sounded,
    /// Ten to ninety-nine in words.
    Pair,
    /// With a hundred, thousand or more.
    Scaled,
}

/// One group of digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    /// Its first and last token.
    pub(super) first: usize,
    pub(super) last: usize,
    /// Its digits within those of the run.
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) form: Form,
}

/// Groups that may be one number. Never printed.
#[derive(Clone, Default)]
pub(super) struct Run {
    pub(super) digits: String,
    pub(super) items: Vec<Item>,
    /// The "plus" before the first group.
    pub(super) plus: Option<usize>,
}

impl Run {
    pub(super) fn digits_of(&self, items: &[Item]) -> &str {
        match (items.first(), items.last()) {
            (Some(first), Some(last)) => self.digits.get(first.from..last.to).unwrap_or_default(),
            _ => "",
        }
    }

    /// Whether it begins as only a telephone number does: with a "+" right before
    /// it, or with the digits that are dialled for abroad.
    pub(super) fn is_dialled(&self) -> bool {
        let Some(first) = self.items.first() else { return false };
        let is_tight = self.plus.is_some_and(|plus| plus + 1 == first.first);
        is_tight || first.form == Form::Figures && first.to >= 3 && self.digits.starts_with("00")
    }

    /// The token behind the run.
    pub(super) fn end(&self) -> usize {
        self.items.last().map_or(0, |item| item.last + 1)
    }
}

/// A group while it is read.
struct Group {
    last: usize,
    form: Form,
    digits: String,
}

/// The tokens of a tape, read for numbers.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) tape: &'a Tape,
    pub(super) tokens: &'a [Token],
}

impl<'a> Reader<'a> {
    pub(super) fn new(tape: &'a Tape) -> Self {
        Self { tape, tokens: tape.tokens() }
    }

    pub(super) fn means(&self, at: usize) -> Option<Means> {
        let means = self.tokens.get(at)?.means;
        Some(if means == Means::Digit(8) && self.is_et_cetera(at) { Means::Plain } else { means })
    }

    /// "Et" is eight in Pidgin, and no number in "et cetera" and "et al".
    fn is_et_cetera(&self, at: usize) -> bool {
        let is_space = self.tokens.get(at + 1).is_some_and(|token| token.means == Means::Space);
        let behind = self.text(at + 2);
        let is_latin = behind.eq_ignore_ascii_case("cetera") || behind.eq_ignore_ascii_case("al");
        is_space && is_latin && self.text(at).eq_ignore_ascii_case("et")
    }

    pub(super) fn text(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |token| self.tape.text_of(token))
    }

    /// The first token from `at` on that is no space.
    pub(super) fn skip_space(&self, at: usize) -> usize {
        let mut at = at;
        while self.means(at) == Some(Means::Space) {
            at += 1;
        }
        at
    }

    /// The last token before `at` that is no space.
    pub(super) fn before(&self, at: usize) -> Option<usize> {
        (0..at).rev().find(|i| self.means(*i) != Some(Means::Space))
    }

    /// The run that begins at `at`, ending before token `end`.
    pub(super) fn run(&self, at: usize, end: usize) -> Option<Run> {
        let mut run = Run::default();
        let mut next = at;
        if self.means(at) == Some(Means::Plus) {
            run.plus = Some(at);
            next = self.skip_space(at + 1);
        }
        loop {
            let group = match self.group(next, end) {
                Some(group) => group,
                None if self.is_sounded(&run, next, end) => self.sounded(next)?,
                None => break,
            };
            let from = run.digits.len();
            run.digits.push_str(&group.digits);
            let item = Item { first: next, last: group.last, from, to: run.digits.len(), form: group.form };
            run.items.push(item);
            let Some(after) = self.over_gap(group.last + 1, end) else { break };
            next = after;
        }
        (!run.items.is_empty()).then_some(run)
    }

    /// Where the next group may begin behind marks, spaces and small words.
    fn over_gap(&self, from: usize, end: usize) -> Option<usize> {
        let (mut at, mut fillers) = (from, 0);
        while at < end {
            match self.means(at)? {
                Means::Space | Means::Dot | Means::Dash | Means::Underscore | Means::Plus => {}
                Means::Mark(c) if is_between(c) => {}
                Means::Filler if fillers < FILLERS_MAX => fillers += 1,
                Means::Sounds(_) => return Some(at),
                means if begins_group(means) => return Some(at),
                _ => return None,
            }
            at += 1;
        }
        None
    }

    /// Whether the word at `at`, which sounds like a digit, stands between digits
    /// that were said one by one.
    fn is_sounded(&self, run: &Run, at: usize, end: usize) -> bool {
        let after = self.skip_space(at + 1);
        matches!(self.means(at), Some(Means::Sounds(_)))
            && run.items.last().is_some_and(|item| item.form == Form::Said)
            && after < end
            && matches!(self.means(after), Some(Means::Digit(_) | Means::Times(_)))
    }

    fn sounded(&self, at: usize) -> Option<Group> {
        match self.means(at)? {
            Means::Sounds(value) => Some(Group { last: at, form: Form::Sounded, digits: figure(value) }),
            _ => None,
        }
    }

    fn group(&self, at: usize, end: usize) -> Option<Group> {
        if at >= end {
            return None;
        }
        let group = match self.means(at)? {
            Means::Numeral => self.figures(at, end),
            Means::Digit(value) => self.said(at, value, end),
            Means::Teen(value) => Group { last: at, form: Form::Pair, digits: value.to_string() },
            Means::Tens(value) => self.tens(at, value, end),
            Means::Times(times) => return self.repeated(at, times, end),
            _ => return None,
        };
        Some(self.scaled(&group, end).unwrap_or(group))
    }

    /// Figures, with the thousands behind commas if they are written so.
    fn figures(&self, at: usize, end: usize) -> Group {
        let mut group = Group { last: at, form: Form::Figures, digits: values(self.text(at)) };
        if group.digits.len() > 3 || group.digits.starts_with('0') {
            return group;
        }
        let is_three = |at: usize| self.means(at) == Some(Means::Numeral) && values(self.text(at)).len() == 3;
        while group.last + 2 < end && self.means(group.last + 1) == Some(Means::Mark(',')) && is_three(group.last + 2) {
            group.last += 2;
            group.form = Form::Grouped;
            group.digits.push_str(&values(self.text(group.last)));
        }
        group
    }

    /// One digit; "three zeros" are three.
    fn said(&self, at: usize, value: u8, end: usize) -> Group {
        let after = self.skip_space(at + 1);
        match self.means(after) {
            Some(Means::Plural(digit)) if (2..=9).contains(&value) && after < end => {
                Group { last: after, form: Form::Said, digits: figure(digit).repeat(usize::from(value)) }
            }
            _ => Group { last: at, form: Form::Said, digits: figure(value) },
        }
    }

    /// "Forty", "forty-two".
    fn tens(&self, at: usize, tens: u8, end: usize) -> Group {
        let dash = self.skip_space(at + 1);
        let after = if self.means(dash) == Some(Means::Dash) { self.skip_space(dash + 1) } else { dash };
        match self.means(after) {
            Some(Means::Digit(ones @ 1..=9)) if after < end => {
                Group { last: after, form: Form::Pair, digits: (tens * 10 + ones).to_string() }
            }
            _ => Group { last: at, form: Form::Pair, digits: (tens * 10).to_string() },
        }
    }

    /// "Double seven", "triple oh", "double 5": the digit as often.
    fn repeated(&self, at: usize, times: u8, end: usize) -> Option<Group> {
        let mut after = self.skip_space(at + 1);
        if self.means(after) == Some(Means::Dash) {
            after = self.skip_space(after + 1);
        }
        if after >= end {
            return None;
        }
        let digits = match self.means(after)? {
            Means::Digit(value) | Means::Sounds(value) => figure(value).repeat(usize::from(times)),
            Means::Numeral => {
                let values = values(self.text(after));
                let first = values.get(..1)?.repeat(usize::from(times));
                first + values.get(1..)?
            }
            _ => return None,
        };
        Some(Group { last: after, form: Form::Said, digits })
    }

    /// With "hundred", "thousand" behind it and what goes on from there; none without.
    fn scaled(&self, group: &Group, end: usize) -> Option<Group> {
        /// More figures make no amount that anyone says.
        const FIGURES_MAX: usize = 6;
        if group.digits.len() > FIGURES_MAX || group.digits.starts_with('0') {
            return None;
        }
        let (mut total, mut current) = (0_u64, group.digits.parse::<u64>().ok()?);
        let (mut last, mut is_scaled) = (group.last, false);
        loop {
            let mut at = self.skip_space(last + 1);
            if self.text(at).eq_ignore_ascii_case("and") {
                at = self.skip_space(at + 1);
            }
            if at >= end {
                break;
            }
            match self.means(at) {
                Some(Means::Scale(2)) if current < 100 => current = current.max(1) * 100,
                Some(Means::Scale(zeros @ 3..)) => {
                    total = total.saturating_add(current.saturating_mul(10_u64.saturating_pow(u32::from(zeros))));
                    current = 0;
                }
                Some(Means::Digit(value @ 1..)) if is_scaled && current % 10 == 0 => current += u64::from(value),
                Some(Means::Teen(value)) if is_scaled && current % 100 == 0 => current += u64::from(value),
                Some(Means::Tens(value)) if is_scaled && current % 100 == 0 => current += u64::from(value) * 10,
                _ => break,
            }
            is_scaled = true;
            last = at;
        }
        is_scaled.then(|| Group { last, form: Form::Scaled, digits: total.saturating_add(current).to_string() })
    }
}

/// Whether a group of digits may begin with it.
pub(super) const fn begins_group(means: Means) -> bool {
    matches!(means, Means::Numeral | Means::Digit(_) | Means::Teen(_) | Means::Tens(_) | Means::Times(_))
}

/// Marks that people and recognisers write between groups: all but those that
/// end a question or a cry.
pub(super) const fn is_between(mark: char) -> bool {
    !matches!(mark, '?' | '!' | '"' | '”' | '“')
}

fn figure(value: u8) -> String {
    char::from(b'0' + value % 10).to_string()
}

/// The figures of a text in ASCII.
fn values(text: &str) -> String {
    text.chars().filter_map(digit_value).map(|value| char::from(b'0' + value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digits and the number of groups of the run that begins the text.
    fn read(text: &str) -> Option<(String, usize)> {
        let mut tape = Tape::default();
        for c in text.chars() {
            tape.push(c);
        }
        tape.close();
        let reader = Reader::new(&tape);
        reader.run(0, reader.tokens.len()).map(|run| (run.digits, run.items.len()))
    }

    #[test]
    fn groups_are_read_however_they_are_said() {
        for (text, digits, groups) in [
            ("0803 123 4567", "08031234567", 3),
            ("oh eight oh three", "0803", 4),
            ("double seven triple oh", "77000", 2),
            ("double 07", "007", 1),
            ("quadruple zero, three zeros", "0000000", 2),
            ("forty-two nineteen seventy", "421970", 3),
            ("twenty one", "21", 1),
            ("five hundred and twenty, six thousand", "5206000", 2),
            ("two million five hundred thousand", "2500000", 1),
            ("1,500,000", "1500000", 1),
            ("0,8,0,3", "0803", 4),
            ("plus two three four", "234", 3),
            ("zero er um and then 8", "08", 2),
            ("one to three", "123", 3),
            ("o8o3", "0803", 4),
            ("zero (8) / 0.3", "0803", 4),
            ("ziro et ziro tri", "0803", 4),
            ("one, two, three, et cetera", "123", 3),
            ("forty et cetera", "40", 1),
        ] {
            assert_eq!(read(text), Some((digits.to_owned(), groups)), "{text}");
        }
    }

    #[test]
    fn a_run_ends_at_a_word_a_question_and_too_many_small_words() {
        for (text, digits) in [
            ("12 loaves and 30 rolls", "12"),
            ("12? 45", "12"),
            ("1 and then er um well 2", "1"),
            ("5 to 7", "5"),
            ("7 or 8", "7"),
            ("0803@example", "0803"),
        ] {
            assert_eq!(read(text).map(|(digits, _)| digits).as_deref(), Some(digits), "{text}");
        }
        for text in ["bread", "double chocolate", "plus", "", "to 7", "thousands"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
