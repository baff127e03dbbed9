//! A sentence as the facts that it names. It reads what is said, numbers in
//! words, so that the digits that a model writes and the words of a file meet.

use jiff::civil::Weekday;

use super::super::numbers::{MONTHS, ordinal_value};
use super::super::spoken::as_spoken;
use super::super::when::weekday_named;
use super::amounts::{Amount, amount, clock_figure};
use super::days::Days;

/// One fact that a sentence names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fact {
    /// Minutes after midnight.
    Time {
        minute: u16,
        half: Half,
    },
    /// In thousandths of the currency's unit.
    Money {
        thousandths: u64,
        currency: &'static str,
    },
    /// "Free": a price as well.
    Free,
    PerCent {
        thousandths: u64,
    },
    Minutes(u64),
    Months(u64),
    Number {
        thousandths: u64,
    },
    /// Said digit by digit: a telephone or account number, with its plus.
    Digits(String),
    Ordinal(u64),
    Year(u64),
    Month(i8),
    Date {
        month: i8,
        day: i8,
    },
    Day(Days),
    /// A figure in no form that is known here.
    Unreadable(String),
}

/// Whether "six" is known to be in the morning or the evening.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Half {
    Known,
    Either,
}

/// Kinds of fact that answer the same question: one may stand where another is asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum FactKind {
    Price,
    Share,
    Duration,
    Number,
    Date,
    Time,
    Day,
    /// Open or closed, without a figure.
    Openness,
    /// A mark that stands for something taken out.
    Placeholder,
}

impl Fact {
    pub const fn kind(&self) -> FactKind {
        match self {
            Self::Time { .. } => FactKind::Time,
            Self::Money { .. } | Self::Free => FactKind::Price,
            Self::PerCent { .. } => FactKind::Share,
            Self::Minutes(_) | Self::Months(_) => FactKind::Duration,
            Self::Number { .. } | Self::Digits(_) | Self::Ordinal(_) | Self::Unreadable(_) => FactKind::Number,
            Self::Year(_) | Self::Month(_) | Self::Date { .. } => FactKind::Date,
            Self::Day(_) => FactKind::Day,
        }
    }

    /// Whether `told` says the same, or more exactly what this leaves open.
    pub fn is_told_by(&self, told: &Self) -> bool {
        let whole = |n: u64| n.saturating_mul(1000);
        match (self, told) {
            (Self::Time { minute, half }, Self::Time { minute: other, half: theirs }) => {
                let open = *half == Half::Either || *theirs == Half::Either;
                minute == other || open && minute % 720 == other % 720
            }
            // A bare number leaves its unit open.
            (
                Self::Number { thousandths: n },
                Self::Money { thousandths: told, .. } | Self::PerCent { thousandths: told },
            ) => n == told,
            // An owner may leave the naira out; a small number counts something else.
            (Self::Money { thousandths: n, .. }, Self::Number { thousandths: told }) => n == told && *n >= PRICED,
            (Self::Number { thousandths }, Self::Digits(digits))
            | (Self::Digits(digits), Self::Number { thousandths }) => {
                !digits.starts_with(['0', '+']) && digits.parse().is_ok_and(|n: u64| whole(n) == *thousandths)
            }
            (Self::Digits(said), Self::Digits(told)) => {
                let (said, told) = (national(said), national(told));
                said == told || said.len() >= 3 && told.ends_with(&said)
            }
            (Self::Number { thousandths }, Self::Year(n)) | (Self::Year(n), Self::Number { thousandths }) => {
                whole(*n) == *thousandths
            }
            (Self::Month(month), Self::Date { month: told, .. }) => month == told,
            (Self::Ordinal(day), Self::Date { day: told, .. }) => i8::try_from(*day).is_ok_and(|day| day == *told),
            _ => self == told,
        }
    }
}

/// From here on (in thousandths) a bare number of the file may be a price.
pub(super) const PRICED: u64 = 500_000;

/// Nigerian numbers with and without the country's code are one number.
fn national(digits: &str) -> String {
    match digits.strip_prefix("+234").or_else(|| digits.strip_prefix("234").filter(|d| d.len() == 10)) {
        Some(rest) => format!("0{rest}"),
        None => digits.to_owned(),
    }
}

/// One word of a sentence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Token {
    pub word: String,
    /// It begins with a capital letter, and not because a sentence begins.
    pub capital: bool,
    /// A comma, a dash or the like stands behind it.
    pub pause: bool,
}

/// What a sentence says of opening, closing and coming.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verb {
    /// "We open at eight."
    Opens,
    /// "We are open."
    IsOpen,
    /// "We close at six."
    Closes,
    /// "We are closed."
    IsClosed,
    /// "Our opening hours are …"
    Hours,
    /// "You can come …"
    Visit,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Said {
    Fact(Fact),
    Verb(Verb),
    /// "Except", "apart from", "but not": what the days after it are.
    Except,
}

/// A part of a sentence, over the tokens `from..to`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Item {
    pub said: Said,
    pub from: usize,
    pub to: usize,
    /// "Not open", "not at six".
    pub negated: bool,
}

/// A sentence read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Reading {
    pub tokens: Vec<Token>,
    pub items: Vec<Item>,
}

/// A name that callers give a holiday of the file, in words, and its place there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct HolidayName {
    pub words: Vec<String>,
    pub holiday: usize,
}

/// More words than this are no sentence; what comes after them is not read, and
/// nobody says such a sentence either.
pub(super) const TOKENS_MAX: usize = 1000;

pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut found: Vec<Token> = Vec::new();
    let mut begins = true;
    for raw in as_spoken(text).split_whitespace() {
        let ends_sentence = raw.trim_end_matches(['"', '\'', ')', '”', '’']).ends_with(['.', '!', '?', '…']);
        let pauses = raw.ends_with([',', ';', ':', '–', '—', ')']) || ends_sentence;
        let pieces: Vec<&str> = raw.split(['-', '–', '—', '/']).filter(|p| !p.is_empty()).collect();
        if pieces.is_empty() {
            if let Some(last) = found.last_mut() {
                last.pause = true;
            }
            continue;
        }
        for (n, piece) in pieces.iter().enumerate() {
            let word = plain(piece);
            if word.is_empty() {
                continue;
            }
            let capital = !begins && piece.chars().find(|c| c.is_alphabetic()).is_some_and(char::is_uppercase);
            begins = false;
            found.push(Token { word, capital, pause: pauses && n + 1 == pieces.len() });
            if found.len() >= TOKENS_MAX {
                return found;
            }
        }
        begins = ends_sentence;
    }
    found
}

fn plain(piece: &str) -> String {
    let lower: String = piece
        .chars()
        .flat_map(char::to_lowercase)
        .map(|c| if matches!(c, '’' | '‘' | '`' | 'ʼ') { '\'' } else { c })
        .collect();
    let word = lower.trim_matches(|c: char| !c.is_alphanumeric() && c != '₦' && c != '%');
    let word = word.strip_suffix("'s").unwrap_or(word);
    match word {
        "a.m" => "am".to_owned(),
        "p.m" => "pm".to_owned(),
        "o'clock" => "oclock".to_owned(),
        other => other.to_owned(),
    }
}

/// Reads a sentence. What stands in `names` (people, the business) names no fact.
pub(super) fn read(text: &str, names: &[Vec<String>], holidays: &[HolidayName]) -> Reading {
    let mut reading = Reading { tokens: tokens(text), items: Vec::new() };
    let mut i = 0;
    while i < reading.tokens.len() {
        let rest = Rest { tokens: &reading.tokens, at: i };
        let named = names.iter().filter(|n| rest.begins_with(n)).map(Vec::len).max();
        if let Some(len) = named {
            i += len;
            continue;
        }
        let Some((said, taken)) = rest.item(holidays, reading.items.last()) else {
            i += 1;
            continue;
        };
        let negated = is_negated(&reading.tokens, i);
        reading.items.push(Item { said, from: i, to: i + taken, negated });
        i += taken;
    }
    times_in_ranges(&mut reading);
    reading
}

/// Whether a "not" stands close before the token at `at`, in the same clause.
/// "No, we are open" denies nothing.
fn is_negated(tokens: &[Token], at: usize) -> bool {
    let denies = |t: &Token| matches!(t.word.as_str(), "not" | "never" | "no" | "cannot") || t.word.ends_with("n't");
    tokens[..at].iter().rev().take(3).take_while(|t| !t.pause).any(denies)
}

/// The tokens from one place on.
#[derive(Clone, Copy)]
pub(super) struct Rest<'a> {
    pub tokens: &'a [Token],
    pub at: usize,
}

impl<'a> Rest<'a> {
    /// The word `n` after this place; empty beyond the end.
    pub fn word(&self, n: usize) -> &'a str {
        self.tokens.get(self.at + n).map_or("", |t| t.word.as_str())
    }

    /// The word `n` before this place.
    pub fn before(&self, n: usize) -> &'a str {
        self.at.checked_sub(n).and_then(|i| self.tokens.get(i)).map_or("", |t| t.word.as_str())
    }

    pub fn from(&self, n: usize) -> Self {
        Self { tokens: self.tokens, at: self.at + n }
    }

    pub fn pauses(&self, n: usize) -> bool {
        self.tokens.get(self.at + n).is_some_and(|t| t.pause)
    }

    pub fn begins_with(&self, words: &[String]) -> bool {
        !words.is_empty() && words.iter().enumerate().all(|(n, w)| self.word(n) == w)
    }

    pub fn is(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(n, w)| self.word(n) == *w)
    }

    fn item(&self, holidays: &[HolidayName], last: Option<&Item>) -> Option<(Said, usize)> {
        let fact = |(fact, taken): (Fact, usize)| (Said::Fact(fact), taken);
        self.always()
            .or_else(|| self.clock(last).map(fact))
            .or_else(|| self.holiday(holidays).map(fact))
            .or_else(|| self.date().map(fact))
            .or_else(|| self.days().map(fact))
            .or_else(|| self.figure().map(fact))
            .or_else(|| self.free().map(fact))
            .or_else(|| self.verb())
    }

    /// What says that the door is never shut, and what takes days out.
    fn always(&self) -> Option<(Said, usize)> {
        const ALWAYS: [&[&str]; 6] = [
            &["twenty", "four", "hours", "a", "day"],
            &["twenty", "four", "hours"],
            &["all", "day", "and", "all", "night"],
            &["round", "the", "clock"],
            &["never", "close"],
            &["always", "open"],
        ];
        const EXCEPT: [&[&str]; 5] =
            [&["except"], &["apart", "from"], &["excluding"], &["but", "not"], &["other", "than"]];
        if let Some(phrase) = ALWAYS.iter().find(|p| self.is(p)) {
            // "Within twenty-four hours" is a time that something takes.
            let lasts =
                matches!(self.before(1), "within" | "in" | "takes" | "take" | "after" | "least" | "about" | "for");
            return (!lasts).then_some((Said::Fact(Fact::Day(Days::ALWAYS)), phrase.len()));
        }
        EXCEPT.iter().find(|p| self.is(p)).map(|p| (Said::Except, p.len()))
    }

    // ---- times -----------------------------------------------------------

    fn clock(&self, last: Option<&Item>) -> Option<(Fact, usize)> {
        match self.word(0) {
            "noon" | "midday" => return Some((Fact::Time { minute: 720, half: Half::Known }, 1)),
            "midnight" => return Some((Fact::Time { minute: 0, half: Half::Known }, 1)),
            _ => {}
        }
        let face = clock_figure(self)?;
        let after = self.from(face.taken);
        if let Some((minute, more)) = after.half_of_day(face.hour, face.minute) {
            return Some((Fact::Time { minute, half: Half::Known }, face.taken + more));
        }
        let half = if face.hour > 12 || face.hour == 0 { Half::Known } else { Half::Either };
        let fact = Fact::Time { minute: u16::from(face.hour % 24) * 60 + u16::from(face.minute), half };
        let said_so = face.shaped || self.leads_to_time(last) && after.may_follow_time(self.pauses(face.taken - 1));
        said_so.then_some((fact, face.taken))
    }

    /// "In the morning", "p.m.", "at night": which half of the day an hour is in.
    fn half_of_day(&self, hour: u8, minute: u8) -> Option<(u16, usize)> {
        let part_at = |n: usize| match self.word(n) {
            "morning" => Some(Part::Morning),
            "afternoon" => Some(Part::Afternoon),
            "evening" => Some(Part::Evening),
            "night" | "tonight" => Some(Part::Night),
            _ => None,
        };
        let (part, taken) = match self.word(0) {
            "am" => (Part::Morning, 1),
            "pm" => (Part::Afternoon, 1),
            "tonight" => (Part::Night, 1),
            "in" if self.word(1) == "the" => match self.word(2) {
                "early" | "late" => (part_at(3)?, 4),
                _ => (part_at(2)?, 3),
            },
            // "Nine for morning" is Pidgin.
            "for" | "in" if part_at(1).is_some() => (part_at(1)?, 2),
            "at" if self.word(1) == "night" => (Part::Night, 2),
            "this" | "tomorrow" | "every" => (part_at(1)?, 2),
            "oclock" => return self.from(1).half_of_day(hour, minute).map(|(m, n)| (m, n + 1)),
            _ => return None,
        };
        // "Tomorrow morning" is also a day, which is read by itself.
        let taken = if matches!(self.word(0), "this" | "tomorrow" | "every" | "tonight") { 0 } else { taken };
        if hour > 12 {
            return Some((u16::from(hour) * 60 + u16::from(minute), taken));
        }
        let twelve = hour % 12;
        let after_noon = match part {
            Part::Morning => false,
            Part::Afternoon | Part::Evening => true,
            // "Twelve at night" is midnight, "two at night" is before dawn.
            Part::Night => (5..12).contains(&hour),
        };
        Some((u16::from(twelve) * 60 + u16::from(minute) + if after_noon { 720 } else { 0 }, taken))
    }

    fn leads_to_time(&self, last: Option<&Item>) -> bool {
        let range = || {
            let behind_time =
                last.is_some_and(|l| l.to + 1 == self.at && matches!(l.said, Said::Fact(Fact::Time { .. })));
            behind_time && matches!(self.before(1), "to" | "till" | "until" | "and" | "or" | "through")
        };
        matches!(self.before(1), "at" | "by" | "from" | "until" | "till" | "before" | "after" | "around" | "between")
            || range()
    }

    /// Whether an hour without "o'clock" may end here: no noun follows it.
    fn may_follow_time(&self, paused: bool) -> bool {
        const CONNECTS: &[&str] = &[
            "", "to", "until", "till", "and", "or", "on", "every", "from", "today", "tomorrow", "tonight", "daily",
            "sharp", "in", "at", "we", "for", "if", "but", "this", "each", "except", "through", "is", "so", "when",
            "the", "you", "because", "then", "please", "works", "exactly",
        ];
        paused
            || CONNECTS.contains(&self.word(0))
            || weekday_named(self.word(0)).is_some()
            || self.word(0) == "weekdays"
    }

    // ---- days and dates ----------------------------------------------------

    fn holiday(&self, holidays: &[HolidayName]) -> Option<(Fact, usize)> {
        let longest = holidays.iter().filter(|h| self.begins_with(&h.words)).max_by_key(|h| h.words.len())?;
        let mut taken = longest.words.len();
        taken += usize::from(matches!(self.word(taken), "day" | "days"));
        Some((Fact::Day(Days::of_holiday(longest.holiday)), taken))
    }

    fn date(&self) -> Option<(Fact, usize)> {
        let (ordinal, taken) = self.ordinal().unwrap_or((0, 0));
        let of = usize::from(self.word(taken) == "of");
        if taken > 0
            && let Some(month) = self.month(taken + of)
        {
            let day = i8::try_from(ordinal).ok().filter(|d| (1..=31).contains(d))?;
            return Some((Fact::Date { month, day }, taken + of + 1));
        }
        if let Some(month) = self.month(0) {
            let the = usize::from(self.word(1) == "the");
            let rest = self.from(1 + the);
            let day = rest.ordinal().or_else(|| amount(&rest).and_then(|a| Some((a.whole()?, a.taken))));
            return match day.and_then(|(d, n)| Some((i8::try_from(d).ok().filter(|d| (1..=31).contains(d))?, n))) {
                Some((day, n)) => Some((Fact::Date { month, day }, 1 + the + n)),
                // "May" and "march" are also verbs.
                None if self.tokens[self.at].capital || !matches!(self.word(0), "may" | "march" | "august") => {
                    Some((Fact::Month(month), 1))
                }
                None => None,
            };
        }
        if taken > 0 {
            const PLACES: [&str; 16] = [
                "floor",
                "street",
                "avenue",
                "junction",
                "turning",
                "turn",
                "bus",
                "roundabout",
                "gate",
                "door",
                "house",
                "building",
                "left",
                "right",
                "road",
                "time",
            ];
            // "First, please come in"; "a second visit".
            let counts = ordinal > 2 || self.before(1) == "the" && PLACES[..15].contains(&self.word(taken));
            return counts.then_some((Fact::Ordinal(ordinal), taken));
        }
        None
    }

    fn ordinal(&self) -> Option<(u64, usize)> {
        let words: Vec<String> = (0..2).map(|n| self.word(n).to_owned()).collect();
        ordinal_value(&words)
    }

    fn month(&self, n: usize) -> Option<i8> {
        let word = self.word(n);
        let known = |name: &str| {
            name.eq_ignore_ascii_case(word)
                || word.len() == 3
                    && word != "may"
                    && name[..3].eq_ignore_ascii_case(word)
                    && self.tokens.get(self.at + n).is_some_and(|t| t.capital)
        };
        MONTHS.into_iter().position(known).and_then(|m| i8::try_from(m + 1).ok())
    }

    fn days(&self) -> Option<(Fact, usize)> {
        let (days, taken) = match (self.word(0), self.word(1)) {
            ("day", "after") if self.word(2) == "tomorrow" => (Days::in_days(2), 3),
            ("today" | "tonight", _) => (Days::in_days(0), 1),
            ("tomorrow", _) => (Days::in_days(1), 1),
            ("yesterday", _) => (Days::in_days(-1), 1),
            ("now" | "currently" | "presently", _) => (Days::NOW, 1),
            ("at", "the") if self.word(2) == "moment" => (Days::NOW, 3),
            ("weekdays" | "weekday", _) => (Days::span(Weekday::Monday, Weekday::Friday), 1),
            ("week", "days") | ("working", "days") => (Days::span(Weekday::Monday, Weekday::Friday), 2),
            ("weekend" | "weekends", _) => (Days::span(Weekday::Saturday, Weekday::Sunday), 1),
            ("everyday" | "daily", _) => (Days::EVERY, 1),
            ("every" | "each", "day") => (Days::EVERY, 2),
            ("all", "week") => (Days::EVERY, 2),
            ("seven", "days") if self.is(&["seven", "days", "a", "week"]) => (Days::EVERY, 4),
            ("public" | "bank", "holiday" | "holidays") => (Days::HOLIDAYS, 2),
            ("holidays", _) => (Days::HOLIDAYS, 1),
            _ => return self.weekdays(),
        };
        Some((Fact::Day(days), taken))
    }

    fn weekdays(&self) -> Option<(Fact, usize)> {
        let first = weekday_named(self.word(0))?;
        let plural = self.word(0).ends_with("days");
        if matches!(self.word(1), "to" | "through" | "till" | "until")
            && !self.pauses(0)
            && let Some(last) = weekday_named(self.word(2))
        {
            return Some((Fact::Day(Days::span(first, last)), 3));
        }
        let regular = plural || matches!(self.before(1), "every" | "each");
        let days = match (regular, self.before(1)) {
            (true, _) => Days::regular(first),
            (_, "next") => Days::next(first),
            _ => Days::coming(first),
        };
        Some((Fact::Day(days), 1))
    }

    // ---- amounts -----------------------------------------------------------

    fn figure(&self) -> Option<(Fact, usize)> {
        let Amount { value, taken } = amount(self)?;
        Some((value, taken))
    }

    fn free(&self) -> Option<(Fact, usize)> {
        let word = self.word(0);
        if matches!(word, "gratis" | "complimentary") || self.is(&["no", "charge"]) || self.is(&["without", "charge"]) {
            return Some((Fact::Free, if matches!(word, "gratis" | "complimentary") { 1 } else { 2 }));
        }
        // "Feel free", "free to", "a free slot", "toll-free".
        let other = matches!(self.before(1), "feel" | "toll" | "hands" | "sugar")
            || self.before(1) == "are" && self.before(2) == "you"
            || matches!(
                self.word(1),
                "to" | "slot" | "slots" | "time" | "place" | "places" | "appointment" | "appointments" | "line"
            );
        (word == "free" && !other).then_some((Fact::Free, 1))
    }

    fn verb(&self) -> Option<(Said, usize)> {
        let state = |n: usize| {
            matches!(
                self.before(n),
                "are"
                    | "is"
                    | "be"
                    | "being"
                    | "been"
                    | "we're"
                    | "it's"
                    | "stay"
                    | "stays"
                    | "remain"
                    | "remains"
                    | "dey"
                    | "were"
                    | "was"
                    | "aren't"
                    | "isn't"
            )
        };
        // "We are also open", "we are not open".
        let is_state =
            state(1) || state(2) && !matches!(self.before(1), "to" | "can" | "will") || self.before(1) == "dey";
        let verb = match self.word(0) {
            "open" if is_state && !matches!(self.word(1), "to" | "for") => Verb::IsOpen,
            "open" | "opens" | "reopen" | "reopens" | "opened" => Verb::Opens,
            "opening" if matches!(self.word(1), "hours" | "hour" | "times" | "time") => Verb::Hours,
            "opening" => Verb::Opens,
            "closing" if self.word(1) == "time" => Verb::Closes,
            "close" | "closes" | "closing" if !matches!(self.word(1), "to" | "by") => Verb::Closes,
            "closed" | "shut" if is_state || self.before(1).is_empty() || weekday_named(self.before(1)).is_some() => {
                Verb::IsClosed
            }
            "closed" if matches!(self.before(1), "we" | "they" | "already" | "and" | "but" | "or") => {
                if matches!(self.word(1), "at") { Verb::Closes } else { Verb::IsClosed }
            }
            "closed" | "shut" => Verb::IsClosed,
            "come" | "visit" | "bring" | "collect" | "drop" => Verb::Visit,
            "pick" if matches!(self.word(1), "up" | "it" | "them") => Verb::Visit,
            "see" if self.word(1) == "you" => Verb::Visit,
            "walk" if self.word(1) == "in" && !self.pauses(0) => Verb::Visit,
            _ => return None,
        };
        Some((Said::Verb(verb), 1))
    }
}

#[derive(Clone, Copy)]
enum Part {
    Morning,
    Afternoon,
    Evening,
    Night,
}

/// "Eight to six, Monday to Friday": small numbers on both sides of a "to",
/// with no noun behind them, are hours.
fn times_in_ranges(reading: &mut Reading) {
    let hour = |fact: &Said| match fact {
        Said::Fact(Fact::Number { thousandths }) if thousandths % 1000 == 0 => {
            u16::try_from(thousandths / 1000).ok().filter(|h| (1..=12).contains(h))
        }
        _ => None,
    };
    for i in 1..reading.items.len() {
        let (low, high) = (&reading.items[i - 1], &reading.items[i]);
        let linked = low.to + 1 == high.from
            && matches!(reading.tokens[low.to].word.as_str(), "to" | "till" | "until" | "through");
        let after = Rest { tokens: &reading.tokens, at: high.to };
        let high_is_time = matches!(high.said, Said::Fact(Fact::Time { .. }));
        let high_hour = hour(&high.said).filter(|_| after.may_follow_time(reading.tokens[high.to - 1].pause));
        let Some(low_hour) = hour(&low.said).filter(|_| linked && (high_is_time || high_hour.is_some())) else {
            continue;
        };
        let either = |hour: u16| Said::Fact(Fact::Time { minute: hour % 24 * 60, half: Half::Either });
        reading.items[i - 1].said = either(low_hour);
        if let Some(hour) = high_hour {
            reading.items[i].said = either(hour);
        }
    }
}
