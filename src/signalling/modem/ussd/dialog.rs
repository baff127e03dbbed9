//! One dialogue with the network: a code, its answer, and the steps of a menu.
//! The machine writes the rows that come out and hands in what the modem says.

use std::time::Duration;

use super::reading::read_text;
use super::request::{CANCEL_ROW, CannotAsk, request};
use super::row::{UssdRow, UssdStatus};
use super::ways::UssdWays;
use crate::terms::{Moment, Private};

/// Networks take up to half a minute; ten seconds were found to be too short.
pub const ANSWER_WAIT_MAX: Duration = Duration::from_secs(45);

/// How long a menu waits for its reader; networks close theirs about then.
pub const MENU_WAIT_MAX: Duration = Duration::from_secs(120);

/// A menu that goes on and on is a loop.
pub const STEPS_MAX: u8 = 16;

/// What the machine is to do, in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UssdStep {
    /// A row for the modem, without its end. It may hold somebody's card number.
    Write(Private<String>),
    /// What the network says. `Menu`: it waits for an answer.
    Say(Private<String>),
    Menu(Private<String>),
    /// The dialogue is over.
    End(DialogEnd),
}

/// How a dialogue ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DialogEnd {
    /// The network said all it had to say.
    Done,
    EndedByNetwork,
    OtherClient,
    NotSupported,
    /// Neither an answer nor a refusal came.
    NoAnswer,
    /// Nobody answered the menu.
    MenuUnanswered,
    Cancelled,
    /// The modem or the network refused it.
    Refused,
    TooManySteps,
}

/// What an error says of the code that it came for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum UssdRefusal {
    /// Nothing went out: the modem does not take the characters that it is written in.
    Characters,
    /// The modem may not understand how it is written.
    Writing,
    /// It is of the network, of the SIM, or of nobody knows what: the code may have gone out.
    Other,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    Idle,
    Asked {
        since: Moment,
        text: Private<String>,
        /// Only the first request is tried in other ways: an answer to a menu is
        /// never sent twice.
        is_first: bool,
    },
    Menu {
        since: Moment,
    },
}

/// The dialogues of one line, one at a time.
#[derive(Clone, Debug)]
pub struct UssdDialog {
    ways: UssdWays,
    state: State,
    steps: u8,
}

impl UssdDialog {
    pub const fn new(ways: UssdWays) -> Self {
        Self { ways, state: State::Idle, steps: 0 }
    }

    pub fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// What worked, to be remembered for this modem.
    pub const fn ways(&self) -> &UssdWays {
        &self.ways
    }

    /// Begins with a code. None while another dialogue goes on.
    pub fn begin(&mut self, code: &Private<String>, now: Moment) -> Result<Option<UssdStep>, CannotAsk> {
        if !self.is_idle() {
            return Ok(None);
        }
        self.steps = 0;
        self.ask(code, now, true).map(Some)
    }

    /// Whether its first request is out, or on its way out.
    pub const fn is_beginning(&self) -> bool {
        matches!(self.state, State::Asked { is_first: true, .. })
    }

    /// Whether a menu waits for its reader.
    pub const fn is_at_menu(&self) -> bool {
        matches!(self.state, State::Menu { .. })
    }

    /// The row that was asked for goes to the modem now: the network's time begins.
    pub const fn sent(&mut self, now: Moment) {
        if let State::Asked { since, .. } = &mut self.state {
            *since = now;
        }
    }

    /// The answer to a menu. None when none waits for one.
    pub fn answer(&mut self, text: &Private<String>, now: Moment) -> Result<Option<UssdStep>, CannotAsk> {
        if !self.is_at_menu() {
            return Ok(None);
        }
        self.ask(text, now, false).map(Some)
    }

    fn ask(&mut self, text: &Private<String>, now: Moment, is_first: bool) -> Result<UssdStep, CannotAsk> {
        let way = self.ways.now();
        let row = request(text.expose(), way.form, way.scheme)?;
        self.state = State::Asked { since: now, text: text.clone(), is_first };
        Ok(UssdStep::Write(row))
    }

    /// The modem answered the command with an error.
    pub fn refused(&mut self, why: UssdRefusal, now: Moment) -> Vec<UssdStep> {
        if self.is_idle() {
            return Vec::new();
        }
        match self.in_next_way(why, now) {
            Some(step) => vec![step],
            None => self.end(DialogEnd::Refused),
        }
    }

    /// Where what was said of a code can be for the way alone, the next one is tried that
    /// can write it: one that went out may have cost money, and a way that has worked here
    /// is not what is wrong.
    fn in_next_way(&mut self, why: UssdRefusal, now: Moment) -> Option<UssdStep> {
        let State::Asked { text, is_first: true, .. } = self.state.clone() else { return None };
        let is_for_the_way = match why {
            UssdRefusal::Characters => true,
            UssdRefusal::Writing => self.ways.known().is_none(),
            UssdRefusal::Other => false,
        };
        while is_for_the_way && self.ways.failed() {
            if let Ok(step) = self.ask(&text, now, true) {
                return Some(step);
            }
        }
        None
    }

    /// A row of the network, asked for or not: what it says of its own accord is
    /// shown and ended.
    pub fn said(&mut self, row: &UssdRow, now: Moment) -> Vec<UssdStep> {
        let reading = read_text(row, self.ways.known().map(|way| way.form));
        let was_asked = matches!(self.state, State::Asked { .. });
        if was_asked && reading.is_some() {
            self.ways.succeeded();
        }
        let text = reading.map(|reading| reading.text);
        // So some modems say of a code that they took, in a writing that they do not understand.
        if row.status == UssdStatus::NotSupported
            && text.is_none()
            && let Some(step) = self.in_next_way(UssdRefusal::Writing, now)
        {
            return vec![step];
        }
        if row.status == UssdStatus::WantsAnswer {
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return self.end(DialogEnd::TooManySteps);
            }
            self.state = State::Menu { since: now };
            return vec![UssdStep::Menu(text.unwrap_or_default())];
        }
        let end = match row.status {
            UssdStatus::Done | UssdStatus::WantsAnswer => DialogEnd::Done,
            UssdStatus::EndedByNetwork => DialogEnd::EndedByNetwork,
            UssdStatus::OtherClient => DialogEnd::OtherClient,
            UssdStatus::NotSupported => DialogEnd::NotSupported,
            UssdStatus::TimedOut => DialogEnd::NoAnswer,
        };
        // Some modems show an empty row first and the answer after it.
        if was_asked && text.is_none() && end == DialogEnd::Done {
            return Vec::new();
        }
        let idle = self.is_idle();
        let mut steps: Vec<UssdStep> = text.map(UssdStep::Say).into_iter().collect();
        if !idle {
            steps.extend(self.end(end));
        }
        steps
    }

    pub fn cancel(&mut self) -> Vec<UssdStep> {
        if self.is_idle() { Vec::new() } else { self.end(DialogEnd::Cancelled) }
    }

    /// When [`Self::tick`] is due.
    pub fn deadline(&self) -> Option<Moment> {
        match self.state {
            State::Idle => None,
            State::Asked { since, .. } => Some(since + ANSWER_WAIT_MAX),
            State::Menu { since } => Some(since + MENU_WAIT_MAX),
        }
    }

    pub fn tick(&mut self, now: Moment) -> Vec<UssdStep> {
        if self.deadline().is_none_or(|due| now < due) {
            return Vec::new();
        }
        let end = match self.state {
            State::Menu { .. } => DialogEnd::MenuUnanswered,
            State::Idle | State::Asked { .. } => DialogEnd::NoAnswer,
        };
        self.end(end)
    }

    /// A dialogue that is left open keeps the next one, and calls, from the network.
    fn end(&mut self, end: DialogEnd) -> Vec<UssdStep> {
        self.state = State::Idle;
        vec![UssdStep::Write(Private::new(CANCEL_ROW.to_owned())), UssdStep::End(end)]
    }
}
