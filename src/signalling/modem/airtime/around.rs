//! Which words of an answer belong to which of its figures: a figure is what its words
//! say, and one whose words say that it is a price, a gift or a debt is no balance.

use std::ops::Range;

use super::found::Everything;

/// Words behind a figure that are looked at.
const WORDS_BEHIND_MAX: usize = 4;

/// Marks and words that end what belongs to a figure. What is behind "dial" is a code
/// and what it is for.
const ENDS: &[&str] =
    &["\n", ";", "!", "|", ",", ". ", " and ", " but ", " dial ", " text ", " reply ", " visit ", "*"];

/// Beginnings of words around a figure that is something else: a price, a debt, a gift,
/// what was, what is needed.
const ELSE_BEGINNINGS: &[&str] = &[
    "activat",
    "add",
    "bonus",
    "borrow",
    "bought",
    "bundle",
    "buy",
    "cashback",
    "charg",
    "cost",
    "credited",
    "debit",
    "debt",
    "deduct",
    "earn",
    "eligib",
    "enjoy",
    "gift",
    "insufficien",
    "interest",
    "limit",
    "loan",
    "minimum",
    "offer",
    "outstanding",
    "owe",
    "owing",
    "package",
    "plan",
    "previous",
    "pric",
    "promo",
    "purchas",
    "qualif",
    "receiv",
    "recharg",
    "refund",
    "renew",
    "reward",
    "subscri",
    "transfer",
    "xtratime",
];

/// Words that say the same and with which others begin.
const ELSE_WORDS: &[&str] = &[
    "advance", "below", "daily", "due", "fee", "fees", "free", "get", "less", "min", "monthly", "old", "paid", "pay",
    "per", "sent", "under", "was", "weekly", "win", "won",
];

/// Of these only what stands behind a figure that its words call a balance.
const ELSE_BEHIND: &[&str] =
    &["advance", "bonus", "borrow", "cashback", "debt", "gift", "loan", "owed", "owing", "reward"];

/// The last word in front of a price.
const BEFORE_PRICES: &[&str] = &["for", "from", "with", "by", "per", "up to"];

/// Words around data that is gone, or that another kind of plan holds.
const USED: &[&str] = &["used", "consumed", "spent", "usage", "gone", "expired"];

/// Words that, in front of a figure, say that words stand in front of all of them.
const LABELS: &[&str] = &[
    "account",
    "acct",
    "airtime",
    "available",
    "bal",
    "balance",
    "bonus",
    "credit",
    "left",
    "main",
    "remaining",
    "total",
];

/// What a figure is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Amount,
    Volume,
    Day,
}

/// The words around one figure, in small letters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Around<'a> {
    pub(super) kind: Kind,
    pub(super) at: Range<usize>,
    /// In front, from the figure or the mark before.
    pub(super) before: &'a str,
    pub(super) after: &'a str,
    /// In front, although they may belong to the figure before.
    gap: &'a str,
    /// Nothing but words stands between it and a figure of this kind in front.
    previous: Option<Kind>,
    next: Option<Kind>,
    /// It is part of the figure behind it, as in "1GB of 3GB".
    pub(super) is_part: bool,
    /// It is the whole that the figure in front is a part of.
    pub(super) is_whole: bool,
}

/// Everything that was found, with its words, in its order.
pub(super) fn around<'a>(found: &Everything, lower: &'a str) -> Vec<Around<'a>> {
    let mut all: Vec<(Range<usize>, Kind)> = Vec::new();
    all.extend(found.amounts.iter().map(|one| (one.at.clone(), Kind::Amount)));
    all.extend(found.volumes.iter().map(|one| (one.at.clone(), Kind::Volume)));
    all.extend(found.days.iter().map(|one| (one.at.clone(), Kind::Day)));
    all.sort_by_key(|(at, _)| at.start);
    let mut figures: Vec<Around<'a>> = Vec::with_capacity(all.len());
    for (at, kind) in all {
        let from = figures.last().map_or(0, |figure| figure.at.end);
        let gap = lower.get(from..at.start).unwrap_or_default();
        let end = ends(gap);
        let own = end.map_or(gap, |(_, begin)| gap.get(begin..).unwrap_or_default());
        let mut figure = Around {
            kind,
            at,
            before: own,
            after: "",
            gap: own,
            previous: None,
            next: None,
            is_part: false,
            is_whole: false,
        };
        if let Some(last) = figures.last_mut() {
            if let Some((end, _)) = end {
                last.after = gap.get(..end).unwrap_or_default();
            } else {
                (last.next, figure.previous) = (Some(kind), Some(last.kind));
                if kind == last.kind && matches!(gap.trim(), "of" | "out of" | "/" | "from") {
                    (last.is_part, figure.is_whole) = (true, true);
                } else if !last.is_labelled() && !gap.trim_end().ends_with(':') {
                    // "3GB used 2GB left": words stand behind what they are about.
                    (last.after, figure.before) = (gap, "");
                }
            }
        }
        figures.push(figure);
    }
    let rest = figures.last().map_or(0, |figure| figure.at.end);
    if let Some(last) = figures.last_mut() {
        let gap = lower.get(rest..).unwrap_or_default();
        last.after = ends(gap).map_or(gap, |(end, _)| gap.get(..end).unwrap_or_default());
    }
    // What is said of the whole is said of its part: "1GB of 3GB left".
    for at in 1..figures.len() {
        if figures[at].is_whole {
            figures[at - 1].after = figures[at].after;
        }
    }
    figures
}

/// Whether words and the figure behind them are of one piece.
pub(super) fn is_one_piece(between: &str) -> bool {
    ends(between).is_none()
}

/// Where the first end stands, and where the last one is over.
fn ends(gap: &str) -> Option<(usize, usize)> {
    let found = ENDS.iter().flat_map(|end| gap.match_indices(end)).map(|(at, end)| (at, at + end.len()));
    found.fold(None, |all: Option<(usize, usize)>, (start, end)| {
        Some(all.map_or((start, end), |(first, last)| (first.min(start), last.max(end))))
    })
}

/// The words of a text, without marks and figures.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty())
}

fn says_else(text: &str) -> bool {
    words(text).any(|word| ELSE_WORDS.contains(&word) || ELSE_BEGINNINGS.iter().any(|stem| word.starts_with(stem)))
}

/// Whether a text ends with a word that stands before prices: "1GB for only N500".
fn leads_to_price(text: &str) -> bool {
    let text = text.trim_end();
    let text = text.strip_suffix("only").or_else(|| text.strip_suffix("just")).unwrap_or(text).trim_end();
    let is_own = |rest: &str| !rest.ends_with(char::is_alphabetic);
    BEFORE_PRICES.iter().any(|word| text.strip_suffix(word).is_some_and(is_own)) || text.ends_with('@')
}

impl Around<'_> {
    fn is_labelled(&self) -> bool {
        words(self.before).any(|word| LABELS.contains(&word) || USED.contains(&word))
    }

    fn behind(&self) -> impl Iterator<Item = &str> {
        words(self.after).take(WORDS_BEHIND_MAX)
    }

    /// Whether its words say that an amount is no balance. `is_named`: words in front
    /// call it one.
    pub(super) fn is_other_amount(&self, is_named: bool) -> bool {
        let behind = |list: &[&str]| self.behind().any(|word| list.iter().any(|stem| word.starts_with(stem)));
        says_else(self.before)
            || says_else(self.gap)
            || leads_to_price(self.before)
            || behind(ELSE_BEHIND)
            || (!is_named && (self.is_offer() || says_else(self.after) || self.behind().next() == Some("only")))
    }

    /// Whether its words say that data is not there to be used.
    pub(super) fn is_other_volume(&self, is_named: bool) -> bool {
        let uses = |text: &str| words(text).any(|word| USED.contains(&word));
        // Behind a day or an amount nobody says that it is used.
        let is_used_before = self.previous != Some(Kind::Volume) && uses(self.gap);
        let is_used = is_used_before || uses(self.before) || self.behind().any(|word| USED.contains(&word));
        let may_be_plan =
            |word: &str| ["plan", "bundle", "package", "subscri"].iter().any(|stem| word.starts_with(stem));
        let of_else = |text: &str| words(text).any(|word| !may_be_plan(word) && says_else(word));
        let is_gift = of_else(self.before) || of_else(self.gap) || leads_to_price(self.before);
        let is_plan = !is_named && words(self.before).chain(self.behind()).any(may_be_plan);
        self.is_whole || is_used || is_gift || is_plan || (!is_named && (self.is_offer() || of_else(self.after)))
    }

    /// A price and its data: "1GB N500", "N500=1GB".
    fn is_offer(&self) -> bool {
        let other = if self.kind == Kind::Amount { Kind::Volume } else { Kind::Amount };
        self.previous == Some(other) || self.next == Some(other)
    }
}

#[cfg(test)]
mod tests {
    use super::super::found::everything;
    use super::*;

    fn told(text: &str) -> Vec<(String, String)> {
        let lower = text.to_ascii_lowercase();
        around(&everything(text), &lower)
            .into_iter()
            .map(|one| (one.before.trim().to_owned(), one.after.trim().to_owned()))
            .collect()
    }

    #[test]
    fn words_belong_to_the_figure_that_they_are_about() {
        let pairs = |list: &[(&str, &str)]| {
            list.iter().map(|(before, after)| ((*before).to_owned(), (*after).to_owned())).collect::<Vec<_>>()
        };
        assert_eq!(told("Used 3GB, remaining 2GB"), pairs(&[("used", ""), ("remaining", "")]));
        assert_eq!(told("3GB used, 2GB left"), pairs(&[("", "used"), ("", "left")]));
        assert_eq!(told("Used: 3GB Remaining: 2GB"), pairs(&[("used:", ""), ("remaining:", "")]));
        assert_eq!(told("3GB used 2GB left"), pairs(&[("", "used"), ("", "left")]));
        assert_eq!(told("1GB of 3GB left"), pairs(&[("", "left"), ("of", "left")]));
        assert_eq!(told("You have N5 and N2 bonus. Dial *310#"), pairs(&[("you have", ""), ("", "bonus")]));
        assert_eq!(told(""), pairs(&[]));
    }
}
