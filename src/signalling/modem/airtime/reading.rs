//! What an answer of a network says of airtime and data.

use jiff::ToSpan;
use jiff::civil::Date;

use super::around::{Around, Kind, around, is_one_piece, words};
use super::found::{Day, Found, Kobo, Volume, everything};
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
const HAVE: [&str; 15] = [
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
    "account",
    "acct",
    "a/c",
    "remaining",
    "available",
];

/// Words in front of data that there is.
const HAVE_DATA: [&str; 7] = ["balance", "bal", "remaining", "left", "available", "have", "total"];

/// Words behind a figure that say that it is there.
const LEFT: [&str; 4] = ["left", "remaining", "remains", "available"];

/// Words that may stand between a figure and these.
const LINKS: [&str; 4] = ["airtime", "credit", "data", "is"];

/// An answer of more words than these says more than its one amount.
const BARE_WORDS_MAX: usize = 4;

impl AirtimeReading {
    /// Reads an answer. `today` turns "5 days left" into a day.
    pub fn of_answer(text: &str, asks: Asks, operator: Option<&Operator>, today: Date) -> Self {
        let found = everything(text);
        let lower = text.to_ascii_lowercase();
        let around = around(&found, &lower);
        let behind = |finds: Finds| {
            let fitting = operator.into_iter().flat_map(|operator| &operator.answers);
            let fitting = fitting.filter(move |answer| answer.asks == asks && answer.finds == finds);
            fitting.flat_map(|answer| answer.after.iter().map(move |after| (after.as_str(), answer.verified)))
        };
        let of_kind = |kind: Kind| around.iter().filter(move |one| one.kind == kind);
        let amounts: Vec<_> = found.amounts.iter().zip(of_kind(Kind::Amount)).collect();
        let volumes: Vec<_> = found.volumes.iter().zip(of_kind(Kind::Volume)).collect();
        let days: Vec<_> = found.days.iter().zip(of_kind(Kind::Day)).collect();
        let airtime = chosen(behind(Finds::Airtime), &amounts, &around, &lower, |one, _| one.is_other_amount(true));
        let data = chosen(behind(Finds::Volume), &volumes, &around, &lower, |one, words| {
            // "Data: 1GB of 3GB" is what is left of it, or what is gone.
            let is_said = names(words, &HAVE_DATA) || is_left(one.after);
            one.is_other_volume(true) || (one.is_part && !is_said)
        });
        let expires = chosen(behind(Finds::Expiry), &days, &around, &lower, |_, _| false);
        Self {
            airtime: airtime.or_guess(|| guessed_amount(&amounts, &lower, asks)),
            data: data.or_guess(|| guessed_volume(&volumes)),
            expires: chosen_day(&expires, &found.days, today),
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

/// Everywhere that words end which stand in `lower` as words of their own.
fn places<'a>(lower: &'a str, words: &'a str) -> impl Iterator<Item = usize> + 'a {
    let mut from = 0;
    std::iter::from_fn(move || {
        let end = from + place(lower.get(from..)?, words)?;
        from = end;
        Some(end)
    })
}

/// What words of the operator have chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Choice<T> {
    /// They do not stand there, or not before a figure.
    Nothing,
    /// They stand before figures that differ: none of them is sure.
    Several,
    One(T, ReadBy),
}

impl<T> Choice<T> {
    fn or_guess(self, guess: impl FnOnce() -> Option<T>) -> Option<(T, ReadBy)> {
        match self {
            Self::Nothing => guess().map(|one| (one, ReadBy::Guess)),
            Self::Several => None,
            Self::One(one, by) => Some((one, by)),
        }
    }
}

/// The first figure behind words, in the same row or sentence, of the first words that
/// stand before one. `is_other` says which figures are something else.
fn chosen<'w, T: Copy + PartialEq>(
    words: impl Iterator<Item = (&'w str, bool)>,
    figures: &[(&Found<T>, &Around<'_>)],
    all: &[Around<'_>],
    lower: &str,
    is_other: impl Fn(&Around<'_>, &str) -> bool,
) -> Choice<T> {
    for (words, verified) in words {
        let words = words.trim().to_ascii_lowercase();
        let mut choice = Choice::Nothing;
        for place in places(lower, &words) {
            let Some((one, around)) = figures.iter().find(|(one, _)| one.at.start >= place) else { break };
            let Some(between) = lower.get(place..one.at.start) else { break };
            let is_next = all.iter().find(|other| other.at.start >= place).is_some_and(|next| next.at == one.at);
            let is_near = is_next && between.len() <= 40 && is_one_piece(between);
            if !is_near || is_other(around, &words) {
                continue;
            }
            let by = if verified { ReadBy::Verified } else { ReadBy::Unverified };
            choice = match choice {
                Choice::One(known, _) if known != one.what => return Choice::Several,
                _ => Choice::One(one.what, by),
            };
        }
        if choice != Choice::Nothing {
            return choice;
        }
    }
    Choice::Nothing
}

/// Whether one of the words stands in a text.
fn names(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| place(text, word).is_some())
}

/// The sentence or row in front of a place.
fn sentence_before(lower: &str, at: usize) -> &str {
    let before = lower.get(..at).unwrap_or_default();
    let from = before.rfind(['\n', ';', '!']).map_or(0, |end| end + 1);
    let from = before.rfind(". ").map_or(from, |end| from.max(end + 2));
    before.get(from..).unwrap_or_default()
}

/// Whether the words behind a figure say that it is there: "N50 left", "2GB data left".
/// Others may begin what is said of the next figure.
fn is_left(after: &str) -> bool {
    let mut words = words(after);
    let first = words.next().map(|word| if LINKS.contains(&word) { words.next().unwrap_or_default() } else { word });
    first.is_some_and(|word| LEFT.contains(&word))
}

/// The one value of several figures; none where they differ.
fn one_of<T: Copy + PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

/// An amount behind a word of having, or the only one of an answer that says little else.
/// Where two of them differ none is sure.
fn guessed_amount(amounts: &[(&Found<Kobo>, &Around<'_>)], lower: &str, asks: Asks) -> Option<Kobo> {
    let is_own = |around: &Around<'_>| !around.is_other_amount(names(around.before, &HAVE) || is_left(around.after));
    let own: Vec<_> = amounts.iter().filter(|(_, around)| is_own(around)).collect();
    let by = |is_it: &dyn Fn(&Around<'_>) -> bool| {
        own.iter().filter(|(_, around)| is_it(around)).map(|(one, _)| one.what).collect::<Vec<Kobo>>()
    };
    for words in HAVE {
        let values = by(&|around| place(around.before, words).is_some());
        if !values.is_empty() {
            return one_of(values.into_iter());
        }
    }
    let left = by(&|around| is_left(around.after));
    if !left.is_empty() {
        return one_of(left.into_iter());
    }
    // An answer about data names the prices of plans, and "#5" may be a place in a list.
    let is_bare = words(lower).filter(|word| word.len() > 1).count() <= BARE_WORDS_MAX;
    match (own.as_slice(), amounts.len()) {
        ([(one, _)], 1)
            if asks == Asks::Balance
                && is_bare
                && !lower.get(one.at.clone()).is_some_and(|text| text.starts_with('#')) =>
        {
            Some(one.what)
        }
        _ => None,
    }
}

/// The volume that is called what is left, the only one, or the total of all others.
/// Where several may be meant none is sure.
fn guessed_volume(volumes: &[(&Found<Volume>, &Around<'_>)]) -> Option<Volume> {
    let is_named = |around: &Around<'_>| names(around.before, &HAVE_DATA) || is_left(around.after);
    let own: Vec<_> = volumes
        .iter()
        .filter(|(_, around)| !around.is_other_volume(is_named(around)) && (!around.is_part || is_named(around)))
        .collect();
    match own.as_slice() {
        [] => None,
        [(one, around)] => (is_named(around) || volumes.len() == 1).then_some(one.what),
        several => {
            let totals = several.iter().filter(|(_, around)| place(around.before, "total").is_some());
            if let Some(total) = one_of(totals.map(|(one, _)| one.what)) {
                return Some(total);
            }
            let all = several.iter().map(|(one, _)| one.what);
            let most = all.clone().max()?;
            let sum = all.clone().try_fold(0_u64, |sum, one| sum.checked_add(one.0))?;
            (sum - most.0 == most.0).then_some(most).or_else(|| one_of(all))
        }
    }
}

fn chosen_day(chosen: &Choice<Day>, days: &[Found<Day>], today: Date) -> Option<(Date, ReadBy)> {
    let on = |day: Day| match day {
        Day::On(date) => Some(date),
        Day::In(days) => today.checked_add(i64::from(days).days()).ok(),
    };
    let named = match chosen {
        Choice::One(day, by) => on(*day).map(|date| (date, *by)),
        Choice::Nothing | Choice::Several => None,
    };
    let guessed = || {
        let coming = days.iter().filter_map(|one| on(one.what)).filter(|date| *date >= today);
        coming.min().map(|date| (date, ReadBy::Guess))
    };
    named.filter(|(date, _)| *date >= today).or_else(guessed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
    fn a_balance_is_read_however_little_it_is_and_however_it_is_written() {
        for plmn in ["62130", "62120", "62150", "62160", "99999"] {
            for (text, kobo) in [
                ("You have only N20.00 left", 2_000),
                ("Your balance is only N20", 2_000),
                ("Your balance is N20 only.", 2_000),
                ("Bal: =N=1,250", 125_000),
                ("Main Balance: #1,250.50", 125_050),
                ("Your airtime balance is N20:50k", 2_050),
                ("Main balance - N20.50k. Bonus - N5", 2_050),
                ("Bonus balance N5.00, balance N20.00", 2_000),
                ("You have N50.00 and N20.00 bonus", 5_000),
                ("N50.00 left, valid till 31/12/2026", 5_000),
                ("Your previous balance was N100.00, your balance is now N80.00", 8_000),
                ("Balance: N50.00 Dial *312# to buy data bundles", 5_000),
                ("Your balance is N50.00. Recharge with N100 and get N200 bonus", 5_000),
                ("Airtime: N50.00 Data: 1.5GB", 5_000),
                ("A/C: N0.05", 5),
            ] {
                assert_eq!(airtime(text, plmn), Some(kobo), "{plmn} {text}");
            }
        }
    }

    #[test]
    fn an_amount_that_may_be_something_else_is_no_balance() {
        for plmn in ["62130", "62120", "62150", "62160", "99999"] {
            for text in [
                "Get 1GB for only N20",
                "Only N20 per day! Dial *312#",
                "1GB=N500",
                "1. N300=1GB",
                "1GB N500",
                "Weekly plan N100 valid 7 days",
                "You have N20.00 bonus",
                "Your balance is below N50",
                "Your balance is insufficient to buy N100",
                "Your balance is low. Recharge N100 now",
                "Your account has been credited with N100",
                "You have been charged N4.00",
                "You have received N100 from 0803",
                "You are eligible for N200",
                "You qualify for N200 airtime loan",
                "Balance: N10.00. Balance: N20.00",
                "Nigeria's #1 network",
                "Balance: N1 250.50",
                "Balance: N12,5",
                "Balance: N1.250,00",
                "Balance: N2k",
                "Bal: N1.250",
                "Bonus account balance: N5",
                "Your XtraTime account balance is N84.64",
                // The words end another piece, or name another figure.
                "Borrow N7.00 airtime; N9.00 is yours",
                "Airtime 7GB N9.00",
                "Hello dear customer, we are happy to see that you like N50",
            ] {
                assert_eq!(airtime(text, plmn), None, "{plmn} {text}");
            }
        }
    }

    #[test]
    fn data_that_is_left_is_told_from_data_that_is_gone() {
        const GB: u64 = 1 << 30;
        for plmn in ["62130", "62120", "62150", "62160", "99999"] {
            let data = |text: &str| read(text, Asks::Data, plmn).data.map(|(volume, _)| volume.0);
            for text in [
                "used 3GB, remaining 2GB",
                "3GB used, 2GB left",
                "Used: 3GB Remaining: 2GB",
                "Data: 3GB used 2GB left",
                "You have used 3GB and have 2GB left",
                "Data used: 3GB; data balance: 2GB",
                "2GB of 5GB left",
                "Your data balance is 2GB. Get 10GB for N3000",
                "Your data plan balance is 2GB, valid till 31/12/2026",
                "Data balance: 2GB, bonus data 1GB",
                "Total: 2GB. Night: 1GB, day: 1GB",
            ] {
                assert_eq!(data(text), Some(2 * GB), "{plmn} {text}");
            }
            for text in [
                "You have used 3GB",
                "You have used 3GB of 5GB",
                "Data: 1GB of 3GB",
                "Your 2GB plan expires 31/12/2026",
                "Buy 1GB for N500",
                "1GB N500, 2GB N900",
                "1GB day, 2GB night",
                "You have 1,5GB",
            ] {
                assert_eq!(data(text), None, "{plmn} {text}");
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

    /// What operators put around a balance; `N7.00` and `7GB` are never it.
    const AROUND: &[&str] = &[
        "Bonus N7.00",
        "Bonus balance: N7.00",
        "You owe N7.00",
        "Buy 7GB for N7.00",
        "7GB=N7.00",
        "N7.00 for 7GB",
        "Get 7GB for only N7.00",
        "Borrow N7.00 airtime",
        "Recharge N7.00 and get N7.00 bonus",
        "Your previous balance was N7.00",
        "You have been charged N7.00",
        "You have used 7GB",
        "7GB used",
        "Valid till 31/12/2026",
        "Dial *312# to buy 7GB",
        "Weekly plan N7.00",
    ];

    const BALANCES: &[&str] = &[
        "Main balance: @",
        "Your main account balance is @",
        "Your airtime balance is only @",
        "You have @ left",
        "Bal @",
        "Airtime - @",
    ];

    const DATA: &[&str] = &["Data balance: @", "Data left: @", "You have @ left", "Your remaining data is @"];

    fn said(own: &str, figure: &str, before: &[&str], after: &[&str], mark: &str) -> String {
        let own = own.replace('@', figure);
        let all: Vec<&str> = before.iter().copied().chain([own.as_str()]).chain(after.iter().copied()).collect();
        all.join(mark)
    }

    proptest! {
        /// A balance is read as what it is, or not at all, whatever stands around it.
        #[test]
        fn no_other_figure_is_taken_for_a_balance(
            balance in prop::sample::select(BALANCES),
            data in prop::sample::select(DATA),
            before in prop::collection::vec(prop::sample::select(AROUND), 0..3),
            after in prop::collection::vec(prop::sample::select(AROUND), 0..3),
            mark in prop::sample::select(&[". ", "; ", "\n", ", "][..]),
            plmn in prop::sample::select(&["62130", "62120", "62150", "62160", "99999"][..]),
            naira in prop::sample::select(&["N1,250.50", "NGN1250.50", "=N=1,250.50", "#1,250.50", "N1,250:50k"][..]),
        ) {
            let text = said(balance, naira, &before, &after, mark);
            let reading = read(&text, Asks::Balance, plmn);
            let kobo = reading.airtime.map(|(kobo, _)| kobo.0);
            prop_assert!(matches!(kobo, None | Some(125_050)), "{text}: {kobo:?}");
            prop_assert!(reading.data.is_none(), "{text}: {:?}", reading.data);
            let text = said(data, "1.5GB", &before, &after, mark);
            let volume = read(&text, Asks::Data, plmn).data.map(|(volume, _)| volume.0);
            prop_assert!(matches!(volume, None | Some(1_610_612_736)), "{text}: {volume:?}");
            // Alone it is always read.
            prop_assert_eq!(airtime(&said(balance, naira, &[], &[], mark), plmn), Some(125_050));
        }

        /// And where no balance stands, none is read.
        #[test]
        fn no_balance_is_made_of_what_stands_around_one(
            around in prop::collection::vec(prop::sample::select(AROUND), 0..5),
            mark in prop::sample::select(&[". ", "; ", "\n", ", "][..]),
            plmn in prop::sample::select(&["62130", "62120", "62150", "62160", "99999"][..]),
        ) {
            let text = around.join(mark);
            let reading = read(&text, Asks::Balance, plmn);
            prop_assert_eq!((reading.airtime, reading.data), (None, None), "{}", text);
            prop_assert_eq!(read(&text, Asks::Data, plmn).data, None, "{}", text);
        }
    }
}
