//! What an answer of a network says of airtime and data.

use jiff::ToSpan;
use jiff::civil::Date;

use super::found::{Day, Everything, Found, Kobo, Volume, everything};
use super::operators::{Asks, Finds, Operator};

/// How a figure was chosen among those of the answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ReadBy {
    /// By words of the operator that a box has received.
    Verified,
    /// By words that the operator is thought to use.
    Unverified,
    /// By what stands around it: the wording is not known.
    Guess,
}

/// The figures of one answer. The answer itself is for its reader and not kept here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct AirtimeReading {
    pub airtime: Option<(Kobo, ReadBy)>,
    pub data: Option<(Volume, ReadBy)>,
    /// The first day of expiry that is not over.
    pub expires: Option<(Date, ReadBy)>,
}

/// Words behind which an amount is what there is. Longer ones first: "airtime
/// balance" stands for more than "balance".
const HAVE: [&str; 10] = [
    "main balance",
    "main account",
    "airtime balance",
    "account balance",
    "airtime",
    "balance",
    "bal",
    "main",
    "you have",
    "credit",
];

/// Words around an amount that is something else: a price, a debt, a gift.
const ELSE: [&str; 17] = [
    "bonus", "borrow", "loan", "owe", "owing", "debt", "cost", "price", "buy", "for n", "promo", "recharge", "win",
    "only", "gift", "charged", "cashback",
];

impl AirtimeReading {
    /// Reads an answer. `today` turns "5 days left" into a day.
    pub fn of_answer(text: &str, asks: Asks, operator: Option<&Operator>, today: Date) -> Self {
        let found = everything(text);
        let lower = text.to_ascii_lowercase();
        let words = |finds: Finds| {
            let fitting = operator.into_iter().flat_map(|operator| &operator.answers);
            fitting.filter(move |answer| answer.asks == asks && answer.finds == finds)
        };
        let behind = |finds: Finds| {
            let places = words(finds).flat_map(|answer| answer.after.iter().map(move |after| (after, answer.verified)));
            places.filter_map(|(after, verified)| Some((place(&lower, after)?, verified))).collect::<Vec<_>>()
        };
        let (airtime, data, expires) = (behind(Finds::Airtime), behind(Finds::Volume), behind(Finds::Expiry));
        Self {
            airtime: chosen(&airtime, &found.amounts, &lower).or_else(|| guessed_amount(&found, &lower, asks)),
            data: chosen(&data, &found.volumes, &lower).or_else(|| guessed_volume(&found)),
            expires: chosen_day(&expires, &found.days, &lower, today),
        }
    }

    /// Whether it says nothing at all: an error of the network, or a menu.
    pub const fn is_empty(&self) -> bool {
        self.airtime.is_none() && self.data.is_none() && self.expires.is_none()
    }
}

/// The words to look behind, learnt from an answer in which its reader has shown
/// the figure that is meant: the row to be written for the operator, verified since
/// a box has received it. None when the answer does not hold the figure, or holds
/// no word in front of it.
pub fn learnt(text: &str, shown: Shown, asks: Asks) -> Option<String> {
    let found = everything(text);
    let (at, finds) = match shown {
        Shown::Airtime(kobo) => (found.amounts.iter().find(|one| one.what == kobo)?.at.start, "airtime"),
        Shown::Data(volume) => (found.volumes.iter().find(|one| one.what == volume)?.at.start, "volume"),
    };
    let lower = text.to_ascii_lowercase();
    let before = sentence_before(&lower, at);
    // Words without figures: those of another answer will be others.
    let is_word = |word: &&str| word.chars().all(|c| c.is_alphabetic()) && !matches!(*word, "n" | "ngn");
    let words: Vec<&str> = before.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut words: Vec<&str> = words.into_iter().rev().skip_while(|word| !is_word(word)).take_while(is_word).collect();
    words.truncate(LEARNT_WORDS_MAX);
    // They must stand together as they will be looked for.
    while !words.is_empty() {
        let after = words.iter().rev().copied().collect::<Vec<_>>().join(" ");
        if place(&lower, &after).is_some_and(|end| end <= at) {
            let asks = if asks == Asks::Balance { "balance" } else { "data" };
            return Some(format!(
                "[[operator.answer]]\nasks = \"{asks}\"\nfinds = \"{finds}\"\nafter = [\"{after}\"]\nverified = true\n"
            ));
        }
        words.pop();
    }
    None
}

/// The figure that an answer is about, as its reader sees it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Shown {
    Airtime(Kobo),
    Data(Volume),
}

/// More words than these are a sentence, and the next answer has another one.
const LEARNT_WORDS_MAX: usize = 3;

/// Where the words end that stand in `lower` as words of their own.
fn place(lower: &str, words: &str) -> Option<usize> {
    let words = words.trim().to_ascii_lowercase();
    let is_own = |at: usize| {
        let before = lower[..at].chars().next_back();
        let after = lower[at + words.len()..].chars().next();
        !before.is_some_and(char::is_alphabetic) && !after.is_some_and(char::is_alphabetic)
    };
    let mut places =
        lower.match_indices(words.as_str()).map(|(at, _)| at).filter(|at| !words.is_empty() && is_own(*at));
    places.next().map(|at| at + words.len())
}

/// The first of `found` behind one of the places, in the same row or sentence.
fn chosen<T: Copy>(places: &[(usize, bool)], found: &[Found<T>], lower: &str) -> Option<(T, ReadBy)> {
    places.iter().find_map(|(place, verified)| {
        let one = found.iter().find(|one| one.at.start >= *place)?;
        let between = lower.get(*place..one.at.start)?;
        let is_near = between.len() <= 40 && !between.contains('\n') && !between.contains(". ") && !is_else(between);
        let by = if *verified { ReadBy::Verified } else { ReadBy::Unverified };
        is_near.then_some((one.what, by))
    })
}

fn is_else(words: &str) -> bool {
    ELSE.iter().any(|word| place(words, word).is_some())
}

/// The sentence or row in front of a place.
fn sentence_before(lower: &str, at: usize) -> &str {
    let before = lower.get(..at).unwrap_or_default();
    let from = before.rfind(['\n', ';', '!']).map_or(0, |end| end + 1);
    let from = before.rfind(". ").map_or(from, |end| from.max(end + 2));
    before.get(from..).unwrap_or_default()
}

/// An amount behind a word of having, or the only one that is nothing else.
fn guessed_amount(found: &Everything, lower: &str, asks: Asks) -> Option<(Kobo, ReadBy)> {
    let near = |one: &Found<Kobo>| {
        let before = sentence_before(lower, one.at.start);
        // What was named last belongs to the amount: "bonus N5, balance N20".
        let last_comma = before.rfind([',', '|']).map_or(0, |at| at + 1);
        before.get(last_comma..).unwrap_or_default().to_owned()
    };
    let candidates: Vec<(&Found<Kobo>, String)> =
        found.amounts.iter().map(|one| (one, near(one))).filter(|(_, words)| !is_else(words)).collect();
    for words in HAVE {
        if let Some((one, _)) = candidates.iter().find(|(_, near)| place(near, words).is_some()) {
            return Some((one.what, ReadBy::Guess));
        }
    }
    // An answer about data names the prices of plans.
    match candidates.as_slice() {
        [(one, _)] if asks == Asks::Balance && found.amounts.len() == 1 => Some((one.what, ReadBy::Guess)),
        _ => None,
    }
}

/// One volume, or the largest: the parts of a balance are named beside its total.
fn guessed_volume(found: &Everything) -> Option<(Volume, ReadBy)> {
    let volumes = found.volumes.iter().map(|one| one.what);
    volumes.max().map(|volume| (volume, ReadBy::Guess))
}

fn chosen_day(places: &[(usize, bool)], days: &[Found<Day>], lower: &str, today: Date) -> Option<(Date, ReadBy)> {
    let on = |day: Day| match day {
        Day::On(date) => Some(date),
        Day::In(days) => today.checked_add(i64::from(days).days()).ok(),
    };
    let named = chosen(places, days, lower).and_then(|(day, by)| Some((on(day)?, by)));
    let guessed = || {
        let coming = days.iter().filter_map(|one| on(one.what)).filter(|date| *date >= today);
        coming.min().map(|date| (date, ReadBy::Guess))
    };
    named.filter(|(date, _)| *date >= today).or_else(guessed)
}

#[cfg(test)]
mod tests {
    use super::super::operators::Operators;
    use super::*;

    const TODAY: Date = Date::constant(2026, 11, 26);

    fn read(text: &str, asks: Asks, plmn: &str) -> AirtimeReading {
        let operators = Operators::delivered().expect("the file is sound");
        AirtimeReading::of_answer(text, asks, operators.find(Some(plmn), None), TODAY)
    }

    fn airtime(text: &str, plmn: &str) -> Option<i64> {
        read(text, Asks::Balance, plmn).airtime.map(|(kobo, _)| kobo.0)
    }

    // Wordings of our own: no recording of a Nigerian network's answer is at hand.
    #[test]
    fn the_balance_is_chosen_among_the_amounts_of_an_answer() {
        for plmn in ["62130", "62120", "62150", "62160", "99999"] {
            for (text, kobo) in [
                ("Your Main Balance is N1,250.50. Bonus: N20.00", 125_050),
                ("Main Account: N75.00; Bonus N10.00; dial *312# to buy 1GB for N500", 7_500),
                ("Bonus N10.00, Balance N33.40", 3_340),
                ("Airtime: NGN0.00\nYou owe N200", 0),
                ("Dear customer, balance: -N50.00", -5_000),
                ("N12.30", 1_230),
            ] {
                assert_eq!(airtime(text, plmn), Some(kobo), "{plmn} {text}");
            }
            for text in ["Buy 1GB for N500 only", "Service unavailable", "1. Data\n2. Airtime", ""] {
                assert_eq!(airtime(text, plmn), None, "{plmn} {text}");
            }
        }
    }

    #[test]
    fn what_no_words_of_the_operator_choose_is_called_a_guess() {
        let known = read("Main balance: N5.00", Asks::Balance, "62130");
        assert_eq!(known.airtime, Some((Kobo(500), ReadBy::Unverified)));
        let strange = read("You have N5.00 left", Asks::Balance, "62130");
        assert_eq!(strange.airtime, Some((Kobo(500), ReadBy::Guess)));
    }

    #[test]
    fn data_and_the_day_it_ends_are_read() {
        let reading = read("Data balance: 1.5GB. Expires 03/12/2026. Buy 10GB for N3000", Asks::Data, "62130");
        assert_eq!(reading.data.map(|(volume, _)| volume.0), Some(1_610_612_736));
        assert_eq!(reading.expires.map(|(date, _)| date), Some(Date::constant(2026, 12, 3)));
        assert_eq!(reading.airtime, None);
        let reading = read("You have 200MB, 5 days left", Asks::Data, "62150");
        assert_eq!(reading.expires.map(|(date, _)| date), Some(Date::constant(2026, 12, 1)));
    }

    #[test]
    fn a_wording_that_its_reader_explained_is_read_as_verified_from_then_on() {
        let strange = "Hi! Gift N9.00. Talk purse stands at N33.00";
        let row = learnt(strange, Shown::Airtime(Kobo(3_300)), Asks::Balance).expect("words stand in front");
        assert!(row.contains("after = [\"purse stands at\"]"), "{row}");
        let file = format!(
            "[country.ng]\nmcc = [\"621\"]\ncurrency = \"NGN\"\n[country.ng.codes]\nbalance = \"*310#\"\ndata = \
             \"*323#\"\n[[operator]]\nid = \"x\"\nplmn = [\"62199\"]\nnames = []\n{row}"
        );
        let operators = Operators::parse(&file).expect("the row is sound");
        let next = "Hi! Gift N2.00. Talk purse stands at N12.50";
        let reading = AirtimeReading::of_answer(next, Asks::Balance, operators.find(Some("62199"), None), TODAY);
        assert_eq!(reading.airtime, Some((Kobo(1_250), ReadBy::Verified)));
        assert_eq!(learnt("N5.00", Shown::Airtime(Kobo(500)), Asks::Balance), None);
        assert_eq!(learnt(strange, Shown::Airtime(Kobo(1)), Asks::Balance), None);
    }
}
