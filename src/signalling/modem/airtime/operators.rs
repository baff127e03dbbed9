//! Operators, their codes and the wording of their answers, as data.

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;

/// The operators that the box is delivered with.
const DELIVERED: &str = include_str!("../../../../firmware-config/operators.toml");

#[derive(Debug, Error)]
pub enum InvalidOperators {
    #[error("reading the operators: {0}")]
    Toml(#[source] Box<toml::de::Error>),
    #[error("reading the operators: {0:?} is no code to ask a network; one has digits, '*' and '#'")]
    Code(String),
    #[error("reading the operators: {id} has the network number {plmn:?}, and one has five or six digits")]
    Network { id: String, plmn: String },
    #[error("reading the operators: an answer of {id} names no words to look behind")]
    NoWords { id: String },
}

/// What is asked of the network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asks {
    Balance,
    Data,
}

/// What a row of the file finds in an answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Deserialize)]
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

/// One operator.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    pub id: String,
    /// Country and network in five or six digits, as `+COPS` and the SIM give them.
    pub plmn: Vec<String>,
    pub names: Vec<String>,
    #[serde(default, rename = "answer")]
    pub(super) answers: Vec<AnswerWords>,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerWords {
    pub(super) asks: Asks,
    pub(super) finds: Finds,
    pub(super) after: Vec<String>,
    pub(super) verified: bool,
}

/// All operators of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operators {
    countries: Vec<Country>,
    operators: Vec<Operator>,
}

impl Operators {
    pub fn delivered() -> Result<Self, InvalidOperators> {
        Self::parse(DELIVERED)
    }

    pub fn parse(text: &str) -> Result<Self, InvalidOperators> {
        let file: OperatorsFile = toml::from_str(text).map_err(|error| InvalidOperators::Toml(Box::new(error)))?;
        let is_code = |code: &&String| {
            !code.starts_with('*') || code.len() > 32 || !code.bytes().all(|b| matches!(b, b'0'..=b'9' | b'*' | b'#'))
        };
        for country in file.country.values() {
            let codes = [&country.codes.balance, &country.codes.data];
            if let Some(code) = codes.into_iter().chain(country.codes.others.values()).find(is_code) {
                return Err(InvalidOperators::Code(code.clone()));
            }
        }
        for operator in &file.operator {
            let is_plmn = |plmn: &&String| matches!(plmn.len(), 5 | 6) && plmn.bytes().all(|b| b.is_ascii_digit());
            if let Some(plmn) = operator.plmn.iter().find(|plmn| !is_plmn(plmn)) {
                return Err(InvalidOperators::Network { id: operator.id.clone(), plmn: plmn.clone() });
            }
            let says_nothing = |answer: &AnswerWords| answer.after.iter().all(|words| words.trim().is_empty());
            if operator.answers.iter().any(says_nothing) {
                return Err(InvalidOperators::NoWords { id: operator.id.clone() });
            }
        }
        Ok(Self { countries: file.country.into_values().collect(), operators: file.operator })
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

    /// The code that asks in the country of a network number; none where the
    /// country is not known: a code means something else elsewhere.
    pub fn code(&self, plmn: &str, asks: Asks) -> Option<&str> {
        let country = self.country(plmn)?;
        Some(match asks {
            Asks::Balance => &country.codes.balance,
            Asks::Data => &country.codes.data,
        })
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

    #[test]
    fn no_wording_is_called_verified_before_it_is() {
        let operators = Operators::delivered().expect("the file is sound");
        assert!(operators.operators.iter().flat_map(|o| &o.answers).all(|answer| !answer.verified));
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
        assert!(matches!(operator("621", "\"data\""), Err(InvalidOperators::Network { .. })));
        assert!(matches!(operator("62130", ""), Err(InvalidOperators::NoWords { .. })));
    }
}
