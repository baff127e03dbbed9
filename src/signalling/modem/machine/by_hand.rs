use std::collections::VecDeque;

use crate::terms::Private;

use super::super::command::{Command, DIALLING};
use super::super::engine::{End, Said};
use super::super::input::Force;
use super::super::output::{CommandFailure, ModemOutput};
use super::super::row::FinalResult;
use super::ModemLine;
use super::danger::{danger, is_of_calls, is_of_texts};
use super::job::Job;

/// Rows that wait: a technician gives one after the other.
const WAITING_MAX: usize = 4;

const ROW_BYTES_MAX: usize = 200;

/// Rows from a technician.
#[derive(Debug, Default)]
pub(super) struct ByHand {
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    id: u64,
    row: String,
    /// A call was on when it was given: it was wanted all the same.
    in_call: bool,
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
        } else if let Some(why) = danger(&row, &self.profile).filter(|_| force == Force::No) {
            Some(CommandFailure::Dangerous(why))
        } else if self.port == super::Port::Gone {
            Some(CommandFailure::ModemGone)
        } else if self.hand.waiting.len() >= WAITING_MAX {
            Some(CommandFailure::QueueFull)
        } else {
            None
        };
        match failure {
            Some(failure) => self.out.push_back(ModemOutput::CommandAnswered { id, result: Err(failure) }),
            None => self.hand.waiting.push_back(Waiting { id, row, in_call: self.calls.is_any() }),
        }
    }

    /// A row that has a place of a text means the memory of the texts: it waits for the
    /// moment in which the modem is turned to another one.
    pub(super) fn hand_command(&mut self) -> Option<Command<Job>> {
        if self.calls.is_any() {
            self.refuse_for_call();
        } else if self.reports.is_away() && self.may_text() {
            return None;
        }
        let Waiting { id, row, .. } = self.hand.waiting.pop_front()?;
        let command = Command::new(Job::Hand(id), &row);
        Some(if is_of_calls(&row) { command.of_calls().within(DIALLING) } else { command })
    }

    /// Who gave a row when no call was on has not wanted it in one; and a place of a text is
    /// another one's while the modem is turned to its SIM, from which no call turns it back.
    fn refuse_for_call(&mut self) {
        let is_away = self.reports.is_away();
        let is_wanted = |waiting: &Waiting| waiting.in_call && !(is_away && is_of_texts(&waiting.row));
        let (wanted, others): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.hand.waiting).into_iter().partition(is_wanted);
        self.hand.waiting = wanted;
        for Waiting { id, .. } in others {
            self.out.push_back(ModemOutput::CommandAnswered { id, result: Err(CommandFailure::CallRunning) });
        }
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
        while let Some(Waiting { id, .. }) = self.hand.waiting.pop_front() {
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
