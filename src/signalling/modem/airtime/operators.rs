//! Operators, their codes and the wording of their answers, as data: a file that is
//! written by people, and rows that were learnt.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use super::learning::Lesson;

/// The operators that the box is delivered with.
#[cfg(test)]
const DELIVERED: &str = include_str!("../../../../firmware-config/operators.toml");

#[derive(Debug, Error)]
pub enum InvalidOperators {
    #[error("reading the operators: {0}")]
    Toml(#[source] Box<toml::de::Error>),
    #[error("reading the operators: {0:?} is no code to ask a network; one has digits, '*' and '#'")]
    Code(String),
    #[error("reading the operators: {id} has the network number {plmn:?}, and one has five or six digits")]
    Network { id: String, plmn: String },
    #[error("reading the operators: {id} is asked by {code:?}, which costs money or changes the account")]
    Spends { id: String, code: String },
    #[error("reading the operators: an answer of {id} names no words to look behind")]
    NoWords { id: String },
    #[error("reading the operators: {0:?} is no `id`; one has small letters, digits and '-'")]
    Id(String),
    #[error("reading what was learnt of an operator: there is none of the `id` {0:?}")]
    Unknown(String),
}

/// What is asked of the network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Asks {
    Balance,
    Data,
}

/// What a row of the file finds in an answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finds {
    Airtime,
    Volume,
    Expiry,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OperatorsFile {
    country: BTreeMap<String, Country>,
    #[serde(default)]
    operator: Vec<Operator>,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Country {
    mcc: Vec<String>,
    currency: String,
    codes: Codes,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
struct Codes {
    balance: String,
    data: String,
    /// Codes that cost money or change the account; nothing asks them by itself.
    #[serde(flatten)]
    others: BTreeMap<String, String>,
}

/// Menus of networks are a few deep, and each step keeps the line from its texts until the
/// network has answered it.
const STEPS_MAX: usize = 4;

/// What is chosen in a menu has one figure or two; more are somebody's number or card.
const STEP_FIGURES_MAX: usize = 2;

/// The codes of one operator, where its country's are not its own.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnCodes {
    balance: Option<OwnCode>,
    data: Option<OwnCode>,
}

/// A code, and what is chosen in the menus that answer it, one after the other.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnCode {
    #[serde(deserialize_with = "own_code")]
    code: String,
    #[serde(default, deserialize_with = "own_steps")]
    steps: Vec<String>,
}

impl OwnCode {
    /// The code that goes the same way without a menu.
    fn without_menus(&self) -> String {
        let mut code = self.code.trim_end_matches('#').to_owned();
        for step in &self.steps {
            code.push('*');
            code.push_str(step);
        }
        code.push('#');
        code
    }
}

/// Refused while the file is read, so that its row and column are told.
fn own_code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let code = String::deserialize(deserializer)?;
    let refused = || D::Error::custom(format!("{code:?} is no code to ask a network; one has digits, '*' and '#'"));
    if is_code(&code) { Ok(code) } else { Err(refused()) }
}

fn own_steps<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let steps: Vec<String> = Vec::deserialize(deserializer)?;
    let is_step =
        |step: &String| (1..=STEP_FIGURES_MAX).contains(&step.len()) && step.bytes().all(|b| b.is_ascii_digit());
    if steps.len() <= STEPS_MAX && steps.iter().all(is_step) {
        return Ok(steps);
    }
    Err(D::Error::custom(format!(
        "a code has at most {STEPS_MAX} steps, and each chooses in a menu by at most {STEP_FIGURES_MAX} digits"
    )))
}

fn is_code(code: &str) -> bool {
    code.starts_with('*') && code.len() <= 32 && code.bytes().all(|b| matches!(b, b'0'..=b'9' | b'*' | b'#'))
}

/// One operator.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    pub id: String,
    /// Country and network in five or six digits, as `+COPS` and the SIM give them.
    pub plmn: Vec<String>,
    pub names: Vec<String>,
    #[serde(default)]
    codes: OwnCodes,
    #[serde(default, rename = "answer")]
    pub(super) answers: Vec<AnswerWords>,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerWords {
    pub(super) asks: Asks,
    pub(super) finds: Finds,
    pub(super) after: Vec<String>,
    pub(super) verified: bool,
    /// The box has learnt it itself.
    #[serde(skip)]
    pub(super) learnt: bool,
}

/// What was learnt of one operator.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct LearntFile {
    #[serde(default, rename = "answer")]
    answers: Vec<AnswerWords>,
}

/// Rows that are learnt of one operator. It has a handful of wordings; one that changes
/// with each answer teaches nothing.
const LEARNT_MAX: usize = 16;

/// What stands above them.
const LEARNT_HEAD: &str = "# Written by the box: words behind which it found what it had asked for. A row that is\n\
                           # right belongs into the file of operators, one that is wrong may be taken out.\n\n";

impl Lesson {
    pub(super) fn row(&self) -> AnswerWords {
        let after = vec![self.words.clone()];
        AnswerWords { asks: self.asks, finds: self.finds, after, verified: false, learnt: true }
    }
}

impl AnswerWords {
    fn says_nothing(&self) -> bool {
        self.after.iter().all(|words| words.trim().is_empty())
    }
}

/// All operators of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operators {
    countries: Vec<Country>,
    operators: Vec<Operator>,
}

impl Operators {
    #[cfg(test)]
    pub fn delivered() -> Result<Self, InvalidOperators> {
        Self::parse(DELIVERED)
    }

    pub fn parse(text: &str) -> Result<Self, InvalidOperators> {
        let file: OperatorsFile = toml::from_str(text).map_err(|error| InvalidOperators::Toml(Box::new(error)))?;
        for country in file.country.values() {
            let codes = [&country.codes.balance, &country.codes.data];
            if let Some(code) = codes.into_iter().chain(country.codes.others.values()).find(|code| !is_code(code)) {
                return Err(InvalidOperators::Code(code.clone()));
            }
        }
        for operator in &file.operator {
            let is_id = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            if !(1..=32).contains(&operator.id.len()) || !operator.id.bytes().all(is_id) {
                return Err(InvalidOperators::Id(operator.id.clone()));
            }
            let is_plmn = |plmn: &&String| matches!(plmn.len(), 5 | 6) && plmn.bytes().all(|b| b.is_ascii_digit());
            if let Some(plmn) = operator.plmn.iter().find(|plmn| !is_plmn(plmn)) {
                return Err(InvalidOperators::Network { id: operator.id.clone(), plmn: plmn.clone() });
            }
            if operator.answers.iter().any(AnswerWords::says_nothing) {
                return Err(InvalidOperators::NoWords { id: operator.id.clone() });
            }
        }
        let operators = Self { countries: file.country.into_values().collect(), operators: file.operator };
        operators.check_that_none_spends()?;
        Ok(operators)
    }

    /// What an operator is asked by costs nothing, also behind the steps of its menus.
    fn check_that_none_spends(&self) -> Result<(), InvalidOperators> {
        for operator in &self.operators {
            for own in [&operator.codes.balance, &operator.codes.data].into_iter().flatten() {
                let code = own.without_menus();
                if operator.plmn.iter().any(|plmn| self.spends(plmn, &code)) {
                    return Err(InvalidOperators::Spends { id: operator.id.clone(), code });
                }
            }
        }
        Ok(())
    }

    /// Takes a lesson for the next answers, behind everything that people have written;
    /// false if it was known, or if there is no more room.
    pub fn learn(&mut self, lesson: &Lesson) -> bool {
        let Some(operator) = self.operators.iter_mut().find(|one| one.id == lesson.operator) else { return false };
        let row = lesson.row();
        let is_known = operator
            .answers
            .iter()
            .any(|answer| (answer.asks, answer.finds) == (row.asks, row.finds) && answer.after.contains(&lesson.words));
        let learnt = operator.answers.iter().filter(|answer| answer.learnt).count();
        let is_new = !is_known && learnt < LEARNT_MAX;
        if is_new {
            operator.answers.push(row);
        }
        is_new
    }

    /// Takes what [`Operators::learnt_of`] gave at an earlier time, or what a person has
    /// left of it.
    pub fn add_learnt(&mut self, id: &str, text: &str) -> Result<(), InvalidOperators> {
        let file: LearntFile = toml::from_str(text).map_err(|error| InvalidOperators::Toml(Box::new(error)))?;
        if file.answers.iter().any(AnswerWords::says_nothing) {
            return Err(InvalidOperators::NoWords { id: id.to_owned() });
        }
        let operator = self.operators.iter_mut().find(|one| one.id == id);
        let operator = operator.ok_or_else(|| InvalidOperators::Unknown(id.to_owned()))?;
        let rows = file.answers.into_iter().take(LEARNT_MAX);
        operator.answers.extend(rows.map(|answer| AnswerWords { learnt: true, ..answer }));
        Ok(())
    }

    /// What was learnt of an operator, to be kept.
    pub fn learnt_of(&self, id: &str) -> String {
        let answers = self.operators.iter().filter(|one| one.id == id).flat_map(|one| &one.answers);
        let file = LearntFile { answers: answers.filter(|answer| answer.learnt).cloned().collect() };
        // Words and names of kinds are all that it holds: it can be written.
        let rows = toml::to_string(&file).unwrap_or_default();
        format!("{LEARNT_HEAD}{rows}")
    }

    /// The operator of a network number, or of the name that the modem shows.
    pub fn find(&self, plmn: Option<&str>, name: Option<&str>) -> Option<&Operator> {
        let by_number = plmn.and_then(|plmn| self.operators.iter().find(|one| one.plmn.iter().any(|p| p == plmn)));
        by_number.or_else(|| {
            let shown = name?.trim();
            let is_its = |operator: &&Operator| operator.names.iter().any(|known| known.eq_ignore_ascii_case(shown));
            self.operators.iter().find(is_its)
        })
    }

    /// The code that asks the operator of a network number, or any in its country; none
    /// where neither is known: a code means something else elsewhere.
    pub fn code(&self, plmn: &str, asks: Asks) -> Option<&str> {
        if let Some(own) = self.own(plmn, asks) {
            return Some(&own.code);
        }
        let country = self.country(plmn)?;
        Some(match asks {
            Asks::Balance => &country.codes.balance,
            Asks::Data => &country.codes.data,
        })
    }

    /// What is chosen in the menus that answer [`Self::code`], one after the other.
    pub fn steps(&self, plmn: &str, asks: Asks) -> &[String] {
        self.own(plmn, asks).map(|own| own.steps.as_slice()).unwrap_or_default()
    }

    fn own(&self, plmn: &str, asks: Asks) -> Option<&OwnCode> {
        let codes = &self.find(Some(plmn), None)?.codes;
        match asks {
            Asks::Balance => codes.balance.as_ref(),
            Asks::Data => codes.data.as_ref(),
        }
    }

    /// Whether a code costs money or changes the account, as far as is known.
    pub fn spends(&self, plmn: &str, code: &str) -> bool {
        let begins = |known: &String| code.starts_with(known.trim_end_matches('#'));
        self.country(plmn).is_some_and(|country| country.codes.others.values().any(begins))
    }

    pub fn currency(&self, plmn: &str) -> Option<&str> {
        self.country(plmn).map(|country| country.currency.as_str())
    }

    fn country(&self, plmn: &str) -> Option<&Country> {
        let mcc = plmn.get(..3)?;
        self.countries.iter().find(|country| country.mcc.iter().any(|known| known == mcc))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_networks_of_nigeria_are_known_by_number_and_by_name() {
        let operators = Operators::delivered().expect("the file is sound");
        for (plmn, name, id) in [
            ("62130", "MTN NG", "mtn-ng"),
            ("62120", "airtel ng", "airtel-ng"),
            ("62150", "Glo Mobile", "glo-ng"),
            ("62160", "9mobile", "t2-ng"),
            ("62160", "T2", "t2-ng"),
        ] {
            assert_eq!(operators.find(Some(plmn), None).map(|o| o.id.as_str()), Some(id));
            assert_eq!(operators.find(None, Some(name)).map(|o| o.id.as_str()), Some(id));
            assert_eq!(operators.code(plmn, Asks::Balance), Some("*310#"));
            assert_eq!(operators.code(plmn, Asks::Data), Some("*323#"));
        }
        assert_eq!(operators.code("23410", Asks::Balance), None);
        assert_eq!(operators.find(Some("23410"), Some("vodafone")), None);
    }

    #[test]
    fn codes_that_spend_are_told_from_those_that_ask() {
        let operators = Operators::delivered().expect("the file is sound");
        for code in ["*311*1234567890123456#", "*303#", "*312#", "*312*1#", "*321*500#"] {
            assert!(operators.spends("62130", code), "{code}");
        }
        for code in ["*310#", "*323#", "*123#"] {
            assert!(!operators.spends("62130", code), "{code}");
        }
    }

    /// A file whose one operator has a code of its own for its data.
    fn with_own(data: &str) -> Result<Operators, InvalidOperators> {
        Operators::parse(&format!(
            "[country.ng]\nmcc = [\"621\"]\ncurrency = \"NGN\"\n[country.ng.codes]\nbalance = \"*310#\"\n\
             data = \"*323#\"\nplans = \"*312#\"\nborrow = \"*303*1#\"\n\
             [[operator]]\nid = \"x\"\nplmn = [\"62130\"]\nnames = []\n[operator.codes]\ndata = {data}\n"
        ))
    }

    #[test]
    fn an_operator_is_asked_by_a_code_of_its_own_and_through_its_menus() {
        let operators = with_own("{ code = \"*131*4#\", steps = [\"1\", \"12\"] }").expect("the file is sound");
        assert_eq!(operators.code("62130", Asks::Data), Some("*131*4#"));
        assert_eq!(operators.steps("62130", Asks::Data), ["1", "12"]);
        // What it does not say of itself is as in its country, and so are the others.
        assert_eq!(operators.code("62130", Asks::Balance), Some("*310#"));
        assert_eq!(operators.code("62120", Asks::Data), Some("*323#"));
        assert!(operators.steps("62130", Asks::Balance).is_empty() && operators.steps("62120", Asks::Data).is_empty());
        let plain = with_own("{ code = \"*323*4#\" }").expect("the file is sound");
        assert_eq!(plain.code("62130", Asks::Data), Some("*323*4#"));
        assert!(plain.steps("62130", Asks::Data).is_empty());
    }

    #[test]
    fn a_slip_in_an_operators_own_code_is_told_with_its_row_and_column() {
        for (data, column) in [
            ("{ code = \"ATD112;\" }", 17),
            ("{ code = \"*323#\", steps = [\"1\", \"1;\"] }", 34),
            ("{ code = \"*323#\", steps = [\"\"] }", 34),
            ("{ code = \"*323#\", steps = [\"123\"] }", 34),
            ("{ code = \"*323#\", steps = [\"1\", \"1\", \"1\", \"1\", \"1\"] }", 34),
            ("{ code = \"*323#\", step = [\"1\"] }", 26),
            ("\"*323#\"", 8),
        ] {
            let error = with_own(data).expect_err("there is a slip");
            assert!(error.to_string().contains(&format!("line 14, column {column}\n")), "{data}: {error}");
        }
    }

    #[test]
    fn an_operators_own_code_that_spends_is_refused_by_itself_and_with_its_steps() {
        for data in [
            "{ code = \"*312#\" }",
            "{ code = \"*312#\", steps = [\"1\"] }",
            "{ code = \"*312*5#\" }",
            "{ code = \"*303#\", steps = [\"1\"] }",
        ] {
            assert!(matches!(with_own(data), Err(InvalidOperators::Spends { .. })), "{data}");
        }
        assert!(with_own("{ code = \"*303#\", steps = [\"2\"] }").is_ok());
    }

    #[test]
    fn no_wording_is_called_verified_before_it_is() {
        let operators = Operators::delivered().expect("the file is sound");
        assert!(operators.operators.iter().flat_map(|o| &o.answers).all(|answer| !answer.verified));
    }

    #[test]
    fn lessons_are_kept_as_rows_and_bounded_and_unknown_operators_have_none() {
        let mut operators = Operators::delivered().expect("the file is sound");
        let lesson = |operator: &str, n: usize| Lesson {
            operator: operator.to_owned(),
            asks: Asks::Data,
            finds: Finds::Volume,
            words: format!("volume {}", "left ".repeat(n)),
        };
        let learnt = (0..100).filter(|n| operators.learn(&lesson("glo-ng", *n))).count();
        assert_eq!(learnt, LEARNT_MAX);
        assert!(!operators.learn(&lesson("glo-ng", 0)), "what is known is learnt once");
        assert!(!operators.learn(&lesson("nobody", 0)));
        let kept = operators.learnt_of("glo-ng");
        let mut next = Operators::delivered().expect("the file is sound");
        next.add_learnt("glo-ng", &kept).expect("its own file");
        assert_eq!(next, operators);
        assert_eq!(next.learnt_of("glo-ng"), kept);
        assert!(matches!(next.add_learnt("nobody", &kept), Err(InvalidOperators::Unknown(_))));
        assert!(matches!(next.add_learnt("glo-ng", "[[answer]]\n"), Err(InvalidOperators::Toml(_))));
    }

    #[test]
    fn a_file_with_a_slip_is_refused_with_its_reason() {
        let country = "[country.ng]\nmcc = [\"621\"]\ncurrency = \"NGN\"\n[country.ng.codes]\ndata = \"*323#\"\n";
        let with = |rest: &str| Operators::parse(&format!("{country}{rest}"));
        assert!(with("balance = \"*310#\"\n").is_ok());
        assert!(matches!(with("balance = \"ATD112;\"\n"), Err(InvalidOperators::Code(_))));
        assert!(matches!(with(""), Err(InvalidOperators::Toml(_))));
        let operator = |plmn: &str, after: &str| {
            with(&format!(
                "balance = \"*310#\"\n[[operator]]\nid = \"x\"\nplmn = [\"{plmn}\"]\nnames = []\n[[operator.answer]]\n\
                 asks = \"data\"\nfinds = \"volume\"\nafter = [{after}]\nverified = false\n"
            ))
        };
        assert!(operator("62130", "\"data\"").is_ok());
        let path = "balance = \"*310#\"\n[[operator]]\nid = \"../x\"\nplmn = []\nnames = []\n";
        assert!(matches!(with(path), Err(InvalidOperators::Id(_))));
        assert!(matches!(operator("621", "\"data\""), Err(InvalidOperators::Network { .. })));
        assert!(matches!(operator("62130", ""), Err(InvalidOperators::NoWords { .. })));
    }
}
