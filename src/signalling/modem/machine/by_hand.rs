use std::collections::VecDeque;

use crate::terms::Private;

use super::super::command::{Command, DIALLING};
use super::super::engine::{End, Said};
use super::super::input::Force;
use super::super::output::{CommandFailure, ModemOutput};
use super::super::row::FinalResult;
use super::ModemLine;
use super::job::Job;

/// Rows that wait: a technician gives one after the other.
const WAITING_MAX: usize = 4;

const ROW_BYTES_MAX: usize = 200;

/// Beginnings of commands, without `AT`, and what is dangerous about them.
const DANGEROUS: &[(&str, &str)] = &[
    ("D", "dials, which costs money"),
    ("+CMGS", "sends a text, which costs money"),
    ("+CMSS", "sends a text, which costs money"),
    ("+CMGC", "sends a text, which costs money"),
    ("+CUSD=1", "asks the network by a code, which can cost money"),
    ("+CUSD=\"", "asks the network by a code, which can cost money"),
    ("+CPIN=", "enters a PIN, and wrong ones lock the SIM"),
    ("+CPIN2=", "enters a PIN, and wrong ones lock the SIM"),
    ("+CLCK=", "locks or unlocks something by a code, and wrong ones lock the SIM"),
    ("+CPWD=", "changes a code, and wrong ones lock the SIM"),
    ("^CARDLOCK=", "unlocks the modem by a code that may be entered few times"),
    ("+QSIMVOL", "can make the SIM unreadable"),
    ("+CSIM=", "speaks to the SIM itself and can lock it"),
    ("+CRSM=", "can write to the SIM"),
    ("+CCFC=", "diverts calls, which can cost money"),
    ("+CACM", "changes the SIM's meter"),
    ("+CGACT=1", "opens a data connection, which costs money"),
    ("+CGDATA", "opens a data connection, which costs money"),
    ("+QIACT", "opens a data connection, which costs money"),
    ("+NETOPEN", "opens a data connection, which costs money"),
    ("^NDISDUP", "opens a data connection, which costs money"),
    ("$QCRMCALL", "opens a data connection, which costs money"),
    ("+CMGD", "deletes texts, which may not be kept yet"),
    ("&F", "takes the modem's settings back to the maker's"),
    ("Z", "takes the modem's settings back"),
    ("+CFUN=", "switches the modem off or restarts it"),
    ("+CRESET", "restarts the modem"),
    ("+QPOWD", "switches the modem off"),
    ("+CPOWD", "switches the modem off"),
    ("+CPOF", "switches the modem off"),
    ("^RESET", "restarts the modem"),
    ("+QPRTPARA", "writes the modem's own memory"),
    ("+QFOTADL", "changes the modem's firmware"),
    ("+CGSN=", "changes the modem's identity, which is unlawful"),
    ("+EGMR", "changes the modem's identity, which is unlawful"),
    ("+SIMEI", "changes the modem's identity, which is unlawful"),
    ("+IPR=", "changes the port's speed, so that the line loses the modem"),
    ("+CMUX", "changes the port's protocol, so that the line loses the modem"),
    ("+QCFG=\"USBCFG\"", "changes the modem's ports, so that the line may lose it"),
    ("+CUSBPIDSWITCH", "changes the modem's ports, so that the line may lose it"),
    ("^SETPORT", "changes the modem's ports, so that the line may lose it"),
    ("+COPS=?", "searches for minutes, in which no call can come"),
    ("+COPS=1", "chooses a network by hand, and the modem keeps to it"),
];

/// Rows from a technician.
#[derive(Debug, Default)]
pub(super) struct ByHand {
    waiting: VecDeque<(u64, String)>,
}

/// What is dangerous about a row; none if it is harmless. Each part of a compound
/// row is looked at.
fn danger(row: &str) -> Option<&'static str> {
    let upper: String = row.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_uppercase();
    let parts = upper.strip_prefix("AT").unwrap_or(&upper).split(';');
    let mut found = parts.filter_map(|part| {
        let begins = |beginning: &&(&str, &str)| part.starts_with(beginning.0);
        DANGEROUS.iter().find(begins).filter(|_| !is_question(part)).map(|(_, why)| *why)
    });
    found.next()
}

/// `AT+CFUN?` and `AT+CPIN=?` ask and change nothing; a search for networks is
/// none of these.
fn is_question(part: &str) -> bool {
    part.ends_with('?') && part != "+COPS=?" && !part.starts_with('D')
}

impl ModemLine {
    pub(super) fn by_hand(&mut self, id: u64, row: &str, force: Force) {
        let row = row.trim().to_owned();
        let fits = row.len() <= ROW_BYTES_MAX
            && row.get(..2).is_some_and(|at| at.eq_ignore_ascii_case("AT"))
            && row.bytes().all(|b| (b' '..=b'~').contains(&b));
        let failure = if !fits {
            Some(CommandFailure::NotACommand)
        } else if self.calls.is_any() && force == Force::No {
            Some(CommandFailure::CallRunning)
        } else if let Some(why) = danger(&row).filter(|_| force == Force::No) {
            Some(CommandFailure::Dangerous(why))
        } else if self.profile.forbids(&row).is_some() && force == Force::No {
            Some(CommandFailure::Dangerous("row makes this family of modems stop working"))
        } else if self.port == super::Port::Gone {
            Some(CommandFailure::ModemGone)
        } else if self.hand.waiting.len() >= WAITING_MAX {
            Some(CommandFailure::QueueFull)
        } else {
            None
        };
        match failure {
            Some(failure) => self.out.push_back(ModemOutput::CommandAnswered { id, result: Err(failure) }),
            None => self.hand.waiting.push_back((id, row)),
        }
    }

    pub(super) fn hand_command(&mut self) -> Option<Command<Job>> {
        let (id, row) = self.hand.waiting.pop_front()?;
        let command = Command::new(Job::Hand(id), &row);
        let dials = row.get(2..3).is_some_and(|letter| matches!(letter, "D" | "d" | "A" | "a"));
        Some(if dials { command.of_calls().within(DIALLING) } else { command })
    }

    pub(super) fn hand_answered(&mut self, id: u64, rows: &[Said], end: End) {
        let mut text: Vec<String> = Vec::new();
        for said in rows {
            text.push(said.text.clone());
            text.extend(said.coded.clone());
        }
        let result = match end {
            End::Gone => Err(CommandFailure::ModemGone),
            End::TimedOut if text.is_empty() => Err(CommandFailure::TimedOut),
            End::TimedOut => Ok(text),
            End::Final(result) => {
                text.push(result_shown(result));
                Ok(text)
            }
        };
        let result = result.map(|text| Private::new(text.join("\n")));
        self.out.push_back(ModemOutput::CommandAnswered { id, result });
    }

    /// The modem is away: who waits is told.
    pub(super) fn hand_lost(&mut self) {
        while let Some((id, _)) = self.hand.waiting.pop_front() {
            self.out.push_back(ModemOutput::CommandAnswered { id, result: Err(CommandFailure::ModemGone) });
        }
    }
}

fn result_shown(result: FinalResult) -> String {
    match result {
        FinalResult::Ok => "OK".to_owned(),
        FinalResult::Error => "ERROR".to_owned(),
        FinalResult::Cme(number) => format!("+CME ERROR: {number}"),
        FinalResult::Cms(number) => format!("+CMS ERROR: {number}"),
        FinalResult::NotSupported => "NOT SUPPORTED".to_owned(),
        FinalResult::NoCarrier => "NO CARRIER".to_owned(),
        FinalResult::Busy => "BUSY".to_owned(),
        FinalResult::NoAnswer => "NO ANSWER".to_owned(),
        FinalResult::NoDialtone => "NO DIALTONE".to_owned(),
        FinalResult::Connect => "CONNECT".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_costs_money_or_locks_a_sim_is_known_wherever_it_stands_in_the_row() {
        for row in [
            "ATD08031234567;",
            "atd*21*1#;",
            "AT+CMGS=23",
            "AT+CPIN=\"1234\"",
            "at+csq;+cpin=\"1234\"",
            "AT + CUSD=1,\"*310#\",15",
            "AT+CLCK=\"SC\",1,\"0000\"",
            "AT+CCFC=0,3,\"08031234567\"",
            "AT+COPS=?",
            "ATD>1;?",
            "AT+CFUN=0",
        ] {
            assert!(danger(row).is_some(), "{row}");
        }
        for row in ["AT", "ATI", "AT+CSQ", "AT+CPIN?", "AT+COPS?", "AT+CFUN?", "AT+CUSD=2", "AT+QCFG=\"ims\""] {
            assert_eq!(danger(row), None, "{row}");
        }
    }
}
