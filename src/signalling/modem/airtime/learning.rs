//! What an answer teaches: the words behind which the next one of its operator is read,
//! and the shape of one that could not be read. Only words of the trade are in either:
//! a network may greet the owner of a SIM by name.

use jiff::civil::Date;

use super::operators::{Asks, Finds, Operator};
use super::reading::{AirtimeReading, ReadBy, Shown, learnt};

/// Words that name what is on a SIM. One of them is in every lesson.
const THINGS: &[&str] = &[
    "main",
    "balance",
    "bal",
    "account",
    "acct",
    "airtime",
    "credit",
    "data",
    "bundle",
    "volume",
    "remaining",
    "left",
    "available",
];

/// Words that stand beside those, in every answer of every network.
const BESIDE: &[&str] = &[
    "you",
    "have",
    "your",
    "is",
    "are",
    "the",
    "of",
    "at",
    "to",
    "on",
    "in",
    "for",
    "and",
    "a",
    "total",
    "current",
    "now",
    "as",
    "n",
    "ngn",
    "naira",
    "kobo",
    "kb",
    "mb",
    "gb",
    "tb",
    "valid",
    "till",
    "until",
    "validity",
    "expires",
    "expiry",
    "expiring",
    "day",
    "days",
    "dear",
    "customer",
    "bonus",
    "voice",
    "sms",
    "minutes",
    "mins",
    "dial",
    "buy",
    "borrow",
    "recharge",
    "plan",
    "plans",
    "menu",
    "reply",
    "back",
    "error",
    "service",
    "unavailable",
    "sorry",
    "try",
    "again",
    "later",
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
    "owe",
];

/// Of an unread answer so much is shown: what is asked for stands at its beginning.
const SHAPE_CHARS_MAX: usize = 240;

/// A word that is not known is shown by its length, up to this.
const HIDDEN_MAX: usize = 12;

/// Words of one operator behind which a figure was found by a guess.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lesson {
    /// The operator's `id`.
    pub operator: String,
    pub asks: Asks,
    pub finds: Finds,
    pub words: String,
}

impl Lesson {
    /// What is learnt of an answer whose figure none of the operator's words chose. The
    /// words are tried on the answer itself; those that lead to another figure are none.
    pub fn of_answer(
        text: &str,
        asks: Asks,
        reading: &AirtimeReading,
        operator: &Operator,
        today: Date,
    ) -> Option<Self> {
        let (shown, finds) = match asks {
            Asks::Balance => {
                let (airtime, _) = reading.airtime.filter(|(_, by)| *by == ReadBy::Guess)?;
                (Shown::Airtime(airtime), Finds::Airtime)
            }
            Asks::Data => {
                let (volume, _) = reading.data.filter(|(_, by)| *by == ReadBy::Guess)?;
                (Shown::Data(volume), Finds::Volume)
            }
        };
        let before = words_of_row(&learnt(text, shown, asks)?)?;
        let lesson = Self { operator: operator.id.clone(), asks, finds, words: known_end(&before)? };
        let mut taught = operator.clone();
        taught.answers.push(lesson.row());
        let again = AirtimeReading::of_answer(text, asks, Some(&taught), today);
        let is_same = match shown {
            Shown::Airtime(airtime) => again.airtime == Some((airtime, ReadBy::Unverified)),
            Shown::Data(volume) => again.data == Some((volume, ReadBy::Unverified)),
        };
        is_same.then_some(lesson)
    }
}

/// The words of the row that a technician would write.
fn words_of_row(row: &str) -> Option<String> {
    let table: toml::Table = row.parse().ok()?;
    let answers = table.get("operator")?.get("answer")?;
    Some(answers.get(0)?.get("after")?.get(0)?.as_str()?.to_owned())
}

/// The last words of these that are all of the trade.
fn known_end(words: &str) -> Option<String> {
    let mut end: Vec<&str> = words.split(' ').rev().take_while(|word| is_known(word)).collect();
    end.reverse();
    end.iter().any(|word| THINGS.contains(word)).then(|| end.join(" "))
}

fn is_known(word: &str) -> bool {
    let is_it = |known: &&str| known.eq_ignore_ascii_case(word);
    THINGS.iter().any(&is_it) || BESIDE.iter().any(is_it)
}

/// How an answer looks, for whoever writes the row by which it is read: figures are 9,
/// and words that may be anybody's are x.
pub fn shape(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let letters = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
        let taken = if letters > 0 { letters } else { first.len_utf8() };
        let (word, behind) = rest.split_at(taken);
        match first {
            _ if letters > 0 && is_known(word) => shown.push_str(word),
            _ if letters > 0 => shown.extend(std::iter::repeat_n('x', word.chars().count().min(HIDDEN_MAX))),
            _ if first.is_numeric() => shown.push('9'),
            '\n' | '\r' => shown.push('/'),
            _ if first.is_ascii_punctuation() || matches!(first, ' ' | '₦') => shown.push(first),
            _ => shown.push('?'),
        }
        rest = behind;
        if shown.chars().count() >= SHAPE_CHARS_MAX {
            break;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::operators::Operators;
    use super::*;

    const TODAY: Date = Date::constant(2026, 11, 26);

    fn lesson(text: &str, asks: Asks) -> Option<String> {
        let operators = Operators::delivered().expect("the file is sound");
        let operator = operators.find(Some("62130"), None).expect("a network of Nigeria");
        let reading = AirtimeReading::of_answer(text, asks, Some(operator), TODAY);
        Lesson::of_answer(text, asks, &reading, operator, TODAY).map(|lesson| lesson.words)
    }

    #[test]
    fn the_words_before_a_guessed_figure_are_learnt_and_no_other_words() {
        assert_eq!(lesson("You have N5.00 left", Asks::Balance).as_deref(), None, "`you have` names no thing");
        assert_eq!(lesson("Your current bal: N5.00", Asks::Balance).as_deref(), Some("your current bal"));
        // A name before them is left out, and what a name is all of is not learnt.
        assert_eq!(lesson("Hello Ngozi bal: N5.00", Asks::Balance).as_deref(), Some("bal"));
        assert_eq!(lesson("Bal of Ngozi: N5.00", Asks::Balance), None);
        assert_eq!(lesson("N5.00", Asks::Balance), None);
        // What the operator's own words chose teaches nothing.
        assert_eq!(lesson("Main balance: N5.00", Asks::Balance), None);
        assert_eq!(lesson("Remaining volume 1.5GB", Asks::Data).as_deref(), Some("remaining volume"));
    }

    #[test]
    fn words_that_lead_to_another_figure_of_the_same_answer_are_none() {
        // `learnt` would look behind the first of two places.
        let text = "Bonus volume 5MB\nvolume 700MB";
        assert_eq!(lesson(text, Asks::Data), None);
    }

    #[test]
    fn the_shape_of_an_answer_has_its_wording_and_nobody_in_it() {
        let text = "Dear Ngozi Okafor, purse: N1,234.50.\nDial *312# or 08031234567. Valid till 3/12/2026";
        let shape = shape(text);
        assert_eq!(shape, "Dear xxxxx xxxxxx, xxxxx: N9,999.99./Dial *999# xx 99999999999. Valid till 9/99/9999");
    }

    proptest! {
        #[test]
        fn no_shape_holds_a_figure_or_a_strange_word_or_is_long(text in "\\PC{0,600}") {
            let shape = shape(&text);
            prop_assert!(shape.chars().count() <= SHAPE_CHARS_MAX + HIDDEN_MAX);
            prop_assert!(!shape.chars().any(|c| c.is_numeric() && c != '9'));
            for word in shape.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()) {
                prop_assert!(is_known(word) || word.chars().all(|c| c == 'x'), "{word}");
            }
        }
    }
}
