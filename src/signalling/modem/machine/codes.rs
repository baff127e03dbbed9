use std::collections::VecDeque;

use crate::terms::{Moment, Private};

use super::super::command::{Command, MEDIUM};
use super::super::engine::End;
use super::super::output::{ModemOutput, UssdFailure, UssdReply, UssdThen};
use super::super::row::FinalResult;
use super::super::ussd::{
    ANSWER_WAIT_MAX, CANCEL_ROW, DialogEnd, UssdDialog, UssdForm, UssdRefusal, UssdRow, UssdStatus, UssdStep, UssdWay,
    UssdWays,
};
use super::ModemLine;
use super::job::Job;

/// Codes that wait for the one before: a person asks one, the schedule another.
const WAITING_MAX: usize = 4;

/// Rows of one step: the charset, the code and the end of the last one.
const ROWS_MAX: usize = 8;

/// Who asked a code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asker {
    Person(u64),
    Schedule,
}

/// The dialogues of the line with its network, one at a time.
#[derive(Debug)]
pub(super) struct Codes {
    dialog: UssdDialog,
    asker: Option<Asker>,
    waiting: VecDeque<(Asker, Private<String>)>,
    /// What the schedule has still to choose in the menus of its code.
    choices: VecDeque<Private<String>>,
    rows: VecDeque<Private<String>>,
    /// A text that was said, until it is known what comes after it.
    said: Option<Private<String>>,
    /// In which characters the modem writes texts; none: as its set-up left it.
    charset: Option<Charset>,
}

/// The characters of texts between the line and its modem (`AT+CSCS`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Charset {
    /// As the set-up of every profile leaves it.
    Gsm,
    /// For codes alone: names of networks and of callers come in figures too.
    Ucs2,
}

impl Charset {
    const fn of(form: UssdForm) -> Self {
        match form {
            UssdForm::Ucs2Hex => Self::Ucs2,
            UssdForm::Plain | UssdForm::Packed7Hex => Self::Gsm,
        }
    }

    fn row(self) -> Private<String> {
        let name = if self == Self::Ucs2 { "UCS2" } else { "GSM" };
        Private::new(format!("AT+CSCS=\"{name}\""))
    }
}

impl Codes {
    pub(super) fn new(way: UssdWay, known: Option<UssdWay>) -> Self {
        let ways = UssdWays::new(way);
        let ways = match known {
            Some(known) => ways.remembering(known),
            None => ways,
        };
        Self {
            dialog: UssdDialog::new(ways),
            asker: None,
            waiting: VecDeque::new(),
            choices: VecDeque::new(),
            rows: VecDeque::new(),
            said: None,
            charset: None,
        }
    }

    pub(super) fn known_way(&self) -> Option<UssdWay> {
        self.dialog.ways().known()
    }

    pub(super) fn timer(&self) -> Option<Moment> {
        if self.is_unsent() { None } else { self.dialog.deadline() }
    }

    /// Whether a dialogue has begun here whose code the modem does not have yet: a call,
    /// or texts, came between. The network's time begins when it goes out.
    fn is_unsent(&self) -> bool {
        self.dialog.is_beginning() && self.rows.iter().any(is_code)
    }

    /// What is not sent yet never is: whoever asked is told that it is over, and would
    /// pay for a second one.
    fn drop_unsent(&mut self) {
        self.rows.retain(|row| !is_code(row));
    }

    /// Whether the modem writes names in figures for as long as a code is answered: what
    /// is asked meanwhile would be read wrongly.
    pub(super) const fn is_wide(&self) -> bool {
        matches!(self.charset, Some(Charset::Ucs2))
    }

    /// Between two codes, and while a menu waits, the modem writes as its set-up left it.
    fn set_charset_back(&mut self) {
        if self.is_wide() {
            self.charset = Some(Charset::Gsm);
            self.rows.push_back(Charset::Gsm.row());
        }
    }

    /// Whether the end of a dialogue is still to be written.
    pub(super) fn is_ending(&self) -> bool {
        self.rows.iter().any(|row| row.expose() == CANCEL_ROW)
    }

    /// The modem is set up: a dialogue that a stop or a port that went left open in it
    /// would take the next code for its answer. Where none is open, nothing ends.
    pub(super) fn end_what_was_left(&mut self) {
        if !self.is_ending() {
            self.rows.push_front(Private::new(CANCEL_ROW.to_owned()));
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.asker.is_some() || !self.waiting.is_empty() || !self.rows.is_empty()
    }

    fn wait(&mut self, asker: Asker, code: Private<String>) {
        self.waiting.push_back((asker, code));
    }

    /// The schedule asks one code at a time.
    pub(super) fn wait_by_schedule(&mut self, code: String, steps: Vec<String>) {
        self.choices = steps.into_iter().map(Private::new).collect();
        self.wait(Asker::Schedule, Private::new(code));
    }
}

/// A row by which the network is asked, or answered.
fn is_code(row: &Private<String>) -> bool {
    row.expose().starts_with("AT+CUSD=1")
}

/// What an error says of a code: that it is of the command and its parameters may mean how
/// the code is written (3GPP TS 27.007 section 9.2: not allowed, not supported, incorrect).
const fn refusal(result: FinalResult) -> UssdRefusal {
    match result {
        FinalResult::Error | FinalResult::NotSupported | FinalResult::Cme(3 | 4 | 50) => UssdRefusal::Writing,
        _ => UssdRefusal::Other,
    }
}

impl ModemLine {
    pub(super) fn ask_code(&mut self, id: u64, code: Private<String>) {
        if self.codes.waiting.len() >= WAITING_MAX {
            self.tell_code(Asker::Person(id), Err(UssdFailure::QueueFull));
        } else if self.port == super::Port::Gone {
            self.tell_code(Asker::Person(id), Err(UssdFailure::ModemGone));
        } else {
            self.codes.wait(Asker::Person(id), code);
        }
    }

    /// The answer to the menu that is open.
    pub(super) fn answer_code(&mut self, id: u64, text: &Private<String>, now: Moment) {
        let asker = Asker::Person(id);
        if self.codes.asker != Some(asker) {
            return self.tell_code(asker, Err(UssdFailure::NotOpen));
        }
        match self.codes.dialog.answer(text, now) {
            Ok(Some(step)) => self.code_steps(vec![step], now),
            Ok(None) => self.tell_code(asker, Err(UssdFailure::Busy)),
            Err(_) => self.tell_code(asker, Err(UssdFailure::Code)),
        }
    }

    pub(super) fn cancel_code(&mut self, id: u64, now: Moment) {
        let asker = Asker::Person(id);
        if self.codes.asker == Some(asker) {
            let steps = self.codes.dialog.cancel();
            self.code_steps(steps, now);
        } else if let Some(at) = self.codes.waiting.iter().position(|(waiting, _)| *waiting == asker) {
            self.codes.waiting.remove(at);
            self.tell_code(asker, Err(UssdFailure::Cancelled));
        } else {
            self.tell_code(asker, Err(UssdFailure::NotOpen));
        }
    }

    /// What is to be written, or the next code. Never while a call is on.
    pub(super) fn code_command(&mut self, now: Moment) -> Option<Command<Job>> {
        if self.codes.rows.is_empty() && self.codes.asker.is_none() {
            self.begin_code(now);
        }
        let row = self.codes.rows.pop_front()?;
        if !is_code(&row) {
            return Some(Command::new(Job::Quiet, row.expose()).without_answer());
        }
        self.codes.dialog.sent(now);
        // By the standard the result comes behind the network's answer, and nothing else is
        // taken meanwhile; most modems give it at once (3GPP TS 27.007 section 7.15).
        Some(Command::new(Job::Code, row.expose()).without_answer().within(ANSWER_WAIT_MAX))
    }

    fn begin_code(&mut self, now: Moment) {
        while let Some((asker, code)) = self.codes.waiting.pop_front() {
            match self.codes.dialog.begin(&code, now) {
                Ok(Some(step)) => {
                    self.codes.asker = Some(asker);
                    return self.code_steps(vec![step], now);
                }
                Ok(None) => {
                    self.codes.waiting.push_front((asker, code));
                    return;
                }
                Err(_) => self.tell_code(asker, Err(UssdFailure::Code)),
            }
        }
    }

    fn code_steps(&mut self, steps: Vec<UssdStep>, now: Moment) {
        for step in steps {
            match step {
                UssdStep::Write(row) => self.write_code(row),
                UssdStep::Say(text) => self.codes.said = Some(text),
                UssdStep::Menu(text) => self.menu_opened(text, now),
                UssdStep::End(end) => self.code_ended(end, now),
            }
        }
        // What the network says of its own accord has no end of its own.
        if self.codes.asker.is_none() {
            self.codes.said = None;
        }
    }

    fn menu_opened(&mut self, text: Private<String>, now: Moment) {
        let is_asked_by_schedule = self.codes.asker == Some(Asker::Schedule);
        // After a call its menu is over, and what is chosen would be a code of its own.
        let may_be_answered = !self.calls.is_any();
        if is_asked_by_schedule
            && may_be_answered
            && let Some(choice) = self.codes.choices.pop_front()
            && let Ok(Some(step)) = self.codes.dialog.answer(&choice, now)
        {
            return self.code_steps(vec![step], now);
        }
        self.codes.set_charset_back();
        match self.codes.asker {
            Some(asker @ Asker::Person(_)) if may_be_answered => {
                self.tell_code(asker, Ok(UssdReply { text, then: UssdThen::AwaitsAnswer }));
            }
            // The schedule chooses no more than it was told, the network began it, or a call
            // is on: nobody here will answer.
            asker => {
                // What is asked for may stand above the last menu; one before it says nothing.
                // A person reads any.
                let is_answer = !is_asked_by_schedule || self.codes.choices.is_empty();
                if asker.is_some() && is_answer {
                    self.codes.said = Some(text);
                }
                let steps = self.codes.dialog.cancel();
                self.code_steps(steps, now);
            }
        }
    }

    /// A call is there. A menu is over after it, and an answer that still waits to be written
    /// would be a code of its own.
    pub(super) fn leave_menu(&mut self, now: Moment) {
        let dialog = &self.codes.dialog;
        let is_answer_unsent = !dialog.is_beginning() && self.codes.rows.iter().any(is_code);
        if is_answer_unsent || dialog.is_at_menu() {
            let steps = self.codes.dialog.cancel();
            self.code_steps(steps, now);
        }
    }

    /// Codes in UCS-2 need the modem's character set to be that.
    fn write_code(&mut self, row: Private<String>) {
        let charset = Charset::of(self.codes.dialog.ways().now().form);
        if is_code(&row) && self.codes.charset != Some(charset) {
            self.codes.charset = Some(charset);
            self.codes.rows.push_back(charset.row());
        }
        if self.codes.rows.len() < ROWS_MAX {
            self.codes.rows.push_back(row);
        }
    }

    fn code_ended(&mut self, end: DialogEnd, now: Moment) {
        self.codes.drop_unsent();
        self.codes.set_charset_back();
        let Some(asker) = self.codes.asker.take() else { return };
        let said = self.codes.said.take();
        let result = match (said, end) {
            // Whatever ended it, an answer is one.
            (Some(text), _) => Ok(UssdReply { text, then: UssdThen::Over }),
            (None, DialogEnd::Done | DialogEnd::EndedByNetwork | DialogEnd::OtherClient) => {
                Err(UssdFailure::EndedByNetwork)
            }
            (None, DialogEnd::NotSupported) => Err(UssdFailure::NotSupported),
            (None, DialogEnd::NoAnswer) => Err(UssdFailure::TimedOut),
            (None, DialogEnd::MenuUnanswered) => Err(UssdFailure::MenuUnanswered),
            (None, DialogEnd::Cancelled) => Err(UssdFailure::Cancelled),
            (None, DialogEnd::Refused) => Err(UssdFailure::Refused),
            (None, DialogEnd::TooManySteps) => Err(UssdFailure::TooManySteps),
        };
        if asker == Asker::Schedule {
            let text = result.as_ref().ok().map(|reply| reply.text.expose().clone());
            self.airtime_answered(text.as_deref(), now);
        } else {
            self.tell_code(asker, result);
        }
    }

    fn tell_code(&mut self, asker: Asker, result: Result<UssdReply, UssdFailure>) {
        if let Asker::Person(id) = asker {
            self.out.push_back(ModemOutput::UssdSaid { id, result });
        }
    }

    pub(super) fn code_answered(&mut self, end: End, now: Moment) {
        // Behind the network's own refusal it is of a way that is left already.
        if let End::Final(result) = end
            && !end.is_ok()
            && !result.is_of_calls()
            && !self.codes.is_unsent()
        {
            let steps = self.codes.dialog.refused(refusal(result), now);
            self.code_steps(steps, now);
        }
    }

    /// The end of a row that belongs to codes and asks the network nothing. A modem that
    /// does not take the characters would send the network figures in place of the code.
    pub(super) fn charset_answered(&mut self, row: &str, end: End, now: Moment) {
        let is_refused = matches!(end, End::Final(_)) && !end.is_ok();
        if is_refused && self.codes.is_wide() && row == Charset::Ucs2.row().expose() {
            self.codes.charset = None;
            if self.codes.rows.iter().any(is_code) {
                self.codes.drop_unsent();
                let steps = self.codes.dialog.refused(UssdRefusal::Characters, now);
                self.code_steps(steps, now);
            }
        }
    }

    pub(super) fn code_said(&mut self, row: &UssdRow, now: Moment) {
        if self.codes.is_unsent() {
            // It answers nothing: networks tell what a call has cost. One row ends whatever
            // is open, however often it is asked.
            let is_cancelled = self.codes.rows.front().is_some_and(|row| row.expose() == CANCEL_ROW);
            if row.status == UssdStatus::WantsAnswer && !is_cancelled {
                self.codes.rows.push_front(Private::new(CANCEL_ROW.to_owned()));
            }
            return;
        }
        let steps = self.codes.dialog.said(row, now);
        // An empty row, which some modems show first, is no answer yet.
        if !steps.is_empty() {
            self.hasten_code(now);
        }
        self.code_steps(steps, now);
    }

    /// A code whose result is waited for is not what the line is there for: its answer has
    /// come, or somebody rings.
    pub(super) fn hasten_code(&mut self, now: Moment) {
        if self.engine.running().is_some_and(|command| command.tag == Job::Code) {
            self.engine.hasten(MEDIUM, now);
        }
    }

    pub(super) fn code_timers(&mut self, now: Moment) {
        if self.codes.is_unsent() {
            return;
        }
        let steps = self.codes.dialog.tick(now);
        self.code_steps(steps, now);
    }

    /// The modem is away: nothing of its dialogues is left.
    pub(super) fn codes_lost(&mut self, now: Moment) {
        self.codes.dialog.cancel();
        (self.codes.said, self.codes.charset) = (None, None);
        self.codes.rows.clear();
        self.give_codes_back(now);
    }

    /// The line stops: the modem is told of the end of what is open, and nothing begins.
    pub(super) fn codes_left(&mut self, now: Moment) {
        self.give_codes_back(now);
        let steps = self.codes.dialog.cancel();
        self.code_steps(steps, now);
    }

    /// Whoever asked, or waits to ask, is told that nothing comes of it.
    fn give_codes_back(&mut self, now: Moment) {
        let asking = self.codes.asker.take();
        let waiting = std::mem::take(&mut self.codes.waiting);
        for asker in asking.into_iter().chain(waiting.into_iter().map(|(asker, _)| asker)) {
            if asker == Asker::Schedule {
                self.airtime_answered(None, now);
            }
            self.tell_code(asker, Err(UssdFailure::ModemGone));
        }
    }
}
