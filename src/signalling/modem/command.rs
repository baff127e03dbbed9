use std::time::Duration;

use crate::terms::Private;

use super::at_row::{commands, without_at};
use super::identities::IDENTITIES;

/// One command for the modem, and what it may answer.
#[derive(Clone, Debug)]
pub(super) struct Command<T> {
    /// What whoever gave it knows it by.
    pub(super) tag: T,
    /// Without its line end.
    pub(super) row: String,
    pub(super) expects: Expects,
    pub(super) limit: Duration,
    pub(super) kind: CommandKind,
}

#[derive(Clone, Debug)]
pub(super) enum CommandKind {
    Plain,
    /// Dials or answers: `NO CARRIER` and its like are results of it.
    OfCalls,
    /// Waits for a prompt, then has this body.
    WithBody(Private<String>),
    /// The body was written: from here on only the modem knows what became of it.
    BodyGiven(Private<String>),
}

/// Which rows are answers to a command. Everything else is news.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Expects {
    /// Names of rows, with their sign.
    pub(super) names: Vec<String>,
    pub(super) bare: Bare,
}

/// Rows without a name that are an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Bare {
    #[default]
    No,
    /// An identity: IMEI, IMSI, ICCID.
    Digits,
    /// A maker's words.
    Words,
    /// A maker's words in one row: a second one is news.
    OneRow,
}

/// For what the modem knows by itself.
pub(super) const SHORT: Duration = Duration::from_secs(2);
/// For what it may have to ask its SIM.
pub(super) const MEDIUM: Duration = Duration::from_secs(5);
/// For what the network has to answer: dialling, hanging up.
pub(super) const OF_CALLS: Duration = Duration::from_secs(15);
/// For a call that is dialled by hand: some modems answer when the far side does.
pub(super) const DIALLING: Duration = Duration::from_secs(90);
/// For the body of a text, for a list of them, and for `AT+CHUP` (chan_dongle and
/// ModemManager wait as long).
pub(super) const LONG: Duration = Duration::from_secs(40);

/// For a search of networks, which takes two to three minutes.
pub(super) const SEARCHING: Duration = Duration::from_secs(180);

/// Commands that the network answers and not the modem. Choosing a network is one;
/// choosing how its name is shown is not.
const OF_NETWORK: &[&str] = &["+CCFC", "+CLCK", "+CCWA", "+CPWD", "+COPS=", "+CGATT=", "+CGACT="];

/// Commands whose answer is a maker's words.
const WORDS: &[&str] = &["+CGMI", "+CGMM", "+CGMR", "+GMI", "+GMM", "+GMR", "+CLAC", "I"];

/// Those that are answered with one row, which most modems write without a name.
pub(super) const IN_ONE_ROW: &[&str] = &["+CGMI", "+CGMM", "+CGMR"];

impl<T> Command<T> {
    pub(super) fn new(tag: T, row: &str) -> Self {
        Self { tag, row: row.to_owned(), expects: Expects::of(row), limit: limit_of(row), kind: CommandKind::Plain }
    }

    /// Nothing but a result is expected: what looks like an answer is news.
    pub(super) fn without_answer(mut self) -> Self {
        self.expects = Expects::default();
        self
    }

    pub(super) fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    pub(super) fn of_calls(mut self) -> Self {
        self.kind = CommandKind::OfCalls;
        self.within(OF_CALLS)
    }

    pub(super) const fn is_body_given(&self) -> bool {
        matches!(self.kind, CommandKind::BodyGiven(_))
    }

    pub(super) fn with_body(mut self, body: Private<String>) -> Self {
        self.kind = CommandKind::WithBody(body);
        self.within(LONG)
    }
}

/// How long a row may take: as long as the slowest of its commands.
fn limit_of(row: &str) -> Duration {
    if row == "AT" || row == "ATE0" {
        return SHORT;
    }
    let upper: String = row.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_uppercase();
    let parts = without_at(&upper).unwrap_or(&upper).split(';').flat_map(commands);
    let limit = parts.map(|command| match command {
        "+COPS=?" => SEARCHING,
        _ if command.starts_with("+COPS=3") || command.ends_with("=?") => MEDIUM,
        // A full modem lists for a long time.
        _ if command.starts_with("+CMGL") => LONG,
        _ if OF_NETWORK.iter().any(|name| command.starts_with(name)) => LONG,
        _ => MEDIUM,
    });
    limit.max().unwrap_or(MEDIUM)
}

impl Expects {
    /// What a command is answered with, by its own name; of a compound command,
    /// by the names of its parts. One that is answered by another name expects that
    /// name too and no more of them: a row that nobody asked for is none of its answers.
    pub(super) fn of(row: &str) -> Self {
        let mut expects = Self::default();
        let Some(rest) = row.get(2..).filter(|_| row.get(..2).is_some_and(|at| at.eq_ignore_ascii_case("AT"))) else {
            return expects;
        };
        for part in rest.split(';') {
            let end = part.find(['=', '?', '"', ' ']).unwrap_or(part.len());
            let name = part[..end].to_ascii_uppercase();
            // `ATI4` is `ATI`.
            let plain = name.trim_end_matches(|c: char| c.is_ascii_digit());
            if WORDS.contains(&name.as_str()) || plain == "I" {
                let is_alone = IN_ONE_ROW.contains(&name.as_str()) && expects.bare == Bare::No;
                expects.bare = if is_alone { Bare::OneRow } else { Bare::Words };
                if plain == "I" {
                    // The one named row among a modem's words of itself.
                    expects.names.push("+GCAP".to_owned());
                }
            } else if IDENTITIES.contains(&name.as_str()) {
                expects.bare = Bare::Digits;
            }
            if name.len() > 1 && name.starts_with(['+', '^', '$', '*', '#', '&', '%']) {
                if name == "+CICCID" {
                    // As SIMCom's manual of AT commands shows it.
                    expects.names.push("+ICCID".to_owned());
                }
                expects.names.push(name);
            }
        }
        expects
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_network_answers_has_the_networks_time_and_a_list_of_texts_its_own() {
        for (row, limit) in [
            ("AT", SHORT),
            ("AT+CSQ", MEDIUM),
            ("AT+COPS=?", SEARCHING),
            ("at + cops = ?", SEARCHING),
            ("AT+CSQ;+COPS=?", SEARCHING),
            ("AT+COPS=3,0", MEDIUM),
            ("AT+COPS=1,2,\"62130\"", LONG),
            ("AT+COPS?", MEDIUM),
            ("AT+CCFC=4,2", LONG),
            ("ATE0+CLCK=\"SC\",2", LONG),
            ("AT+CCWA=1,2", LONG),
            ("AT+CCWA=?", MEDIUM),
            ("AT+CMGL=4", LONG),
            ("at+cmgl", LONG),
            ("AT+CMGR=4", MEDIUM),
        ] {
            assert_eq!(Command::new((), row).limit, limit, "{row}");
        }
    }

    #[test]
    fn a_command_is_answered_by_its_name() {
        assert_eq!(Expects::of("AT+CSQ").names, ["+CSQ"]);
        assert_eq!(Expects::of("AT^CVOICE?").names, ["^CVOICE"]);
        assert_eq!(Expects::of("AT+QCFG=\"ims\"").names, ["+QCFG"]);
        assert_eq!(Expects::of("AT+CSQ;+CPIN?;+COPS=3,0").names, ["+CSQ", "+CPIN", "+COPS"]);
        assert_eq!(Expects::of("ATA"), Expects::default());
        assert_eq!(Expects::of("ATI4").bare, Bare::Words);
        assert_eq!(Expects::of("AT+CGMM").bare, Bare::OneRow);
        assert_eq!(Expects::of("AT+CGMI;+CGMM").bare, Bare::Words);
        assert_eq!(Expects::of("AT+CGSN").bare, Bare::Digits);
        assert_eq!(Expects::of("AT+CICCID").names, ["+ICCID", "+CICCID"]);
        assert_eq!(Expects::of("AT+CCID").names, ["+CCID"]);
        assert_eq!(Expects::of("é").names, [""; 0]);
    }
}
