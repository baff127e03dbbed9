use std::collections::VecDeque;
use std::time::Duration;

use crate::terms::Moment;

use super::command::{Bare, Command, CommandKind, IN_ONE_ROW};
use super::reader::{Read, RowReader};
use super::registration;
use super::row::{FinalResult, Row, behind};

/// After a result and before the next command. Many modems lose what comes sooner.
const PAUSE: Duration = Duration::from_millis(20);

/// After a time-out: what comes in this time belongs to nobody.
const DRAIN: Duration = Duration::from_millis(300);

/// For the answer to a bare `AT`.
const PROBE: Duration = Duration::from_secs(1);

/// Lone OKs in a row that prove that answers belong to their commands again.
const PROBES: u8 = 2;

/// Tries to get in step again: plainly, then out of a text's prompt, then once more.
const TRIES: u8 = 3;

/// A coded text that does not follow its head within this time never comes.
const SECOND_ROW: Duration = Duration::from_secs(2);

/// A quoted text that does not close within this time was never open.
const QUOTES: Duration = Duration::from_secs(3);

/// Heads that wait for their coded text: one of an answer, and news in between.
const HEADS_MAX: usize = 4;

/// Rows of one answer: a full modem lists 255 texts in two rows each.
const ANSWER_ROWS_MAX: usize = 600;

/// Rows that are followed by a coded text.
const WITH_SECOND_ROW: &[&str] = &["+CMT", "+CDS", "+CBM", "+CMGR", "+CMGL"];

/// The shortest coded text; an identity of the SIM is no coded text.
const CODED_DIGITS_MIN: usize = 14;

/// An identity has at least ten digits, and the longest of them, an ICCID, twenty with
/// what fills it up. The shortest text or report that arrives has fourteen octets, which
/// are 28 digits: so the two are told apart by their length alone.
const IDENTITY_DIGITS: std::ops::RangeInclusive<usize> = 10..=22;

const ESCAPE: u8 = 0x1B;
const END_OF_BODY: u8 = 0x1A;

/// A row, and the coded text that followed it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Said {
    pub(super) row: Row,
    /// As it came; it may hold a person's number or words.
    pub(super) text: String,
    pub(super) coded: Option<String>,
}

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    Final(FinalResult),
    /// Nothing that ends it came in time; rows of its answer may have come all the same.
    TimedOut,
    /// The port went.
    Gone,
}

impl End {
    pub(super) const fn is_ok(self) -> bool {
        matches!(self, Self::Final(FinalResult::Ok))
    }
}

#[derive(Clone, Debug)]
pub(super) enum Event<T> {
    Write(Vec<u8>),
    Answered {
        command: Command<T>,
        rows: Vec<Said>,
        end: End,
    },
    News(Said),
    /// Answers belong to their commands again.
    InStep,
    /// The modem answers nothing, although it was given every chance.
    Silent,
}

#[derive(Debug)]
enum Phase<T> {
    Closed,
    /// A command can be given, once the pause is over.
    Free {
        from: Moment,
        rested: bool,
    },
    Running(Running<T>),
    /// Out of step: nothing is believed until this time.
    Draining {
        until: Moment,
        tried: u8,
    },
    Probing {
        oks: u8,
        until: Moment,
        tried: u8,
    },
    /// In step, if nothing more comes until then.
    Settling {
        until: Moment,
        tried: u8,
    },
    /// Given up, until the owner tries again.
    Silent,
}

#[derive(Debug)]
struct Running<T> {
    command: Command<T>,
    until: Moment,
    rows: Vec<Said>,
}

/// A row that waits for its coded text.
#[derive(Debug)]
struct Head {
    row: Row,
    text: String,
    is_answer: bool,
    until: Moment,
}

/// Commands out and rows in: one command at a time, each ended exactly once.
#[derive(Debug)]
pub(super) struct Engine<T> {
    phase: Phase<T>,
    reader: RowReader,
    heads: Vec<Head>,
    quotes_until: Option<Moment>,
    out: VecDeque<Event<T>>,
    /// Beginnings of bare rows that are news even to a command that expects words.
    news: Vec<String>,
    pub(super) heard_at: Moment,
    pub(super) timeouts: u64,
    pub(super) resynchronised: u64,
    pub(super) stray_results: u64,
}

impl<T> Engine<T> {
    pub(super) fn new(news: Vec<String>, now: Moment) -> Self {
        Self {
            phase: Phase::Closed,
            reader: RowReader::default(),
            heads: Vec::new(),
            quotes_until: None,
            out: VecDeque::new(),
            news,
            heard_at: now,
            timeouts: 0,
            resynchronised: 0,
            stray_results: 0,
        }
    }

    pub(super) const fn long_rows(&self) -> u64 {
        self.reader.long_rows
    }

    pub(super) const fn garbage_bytes(&self) -> u64 {
        self.reader.garbage_bytes
    }

    pub(super) fn poll(&mut self) -> Option<Event<T>> {
        self.out.pop_front()
    }

    /// Whether a command can be given now.
    pub(super) fn is_free(&self, now: Moment) -> bool {
        matches!(self.phase, Phase::Free { from, .. } if now >= from)
    }

    /// Given up, or without a port.
    pub(super) const fn is_silent(&self) -> bool {
        matches!(self.phase, Phase::Silent | Phase::Closed)
    }

    /// The command that runs.
    pub(super) fn running(&self) -> Option<&Command<T>> {
        match &self.phase {
            Phase::Running(running) => Some(&running.command),
            _ => None,
        }
    }

    /// The port is open: whatever was half said before belongs to nobody.
    pub(super) fn opened(&mut self, now: Moment) {
        self.gone();
        self.phase = Phase::Free { from: now, rested: true };
        self.heard_at = now;
    }

    pub(super) fn gone(&mut self) {
        self.reader.clear();
        self.heads.clear();
        self.quotes_until = None;
        if let Phase::Running(running) = std::mem::replace(&mut self.phase, Phase::Closed) {
            let Running { command, rows, .. } = running;
            self.out.push_back(Event::Answered { command, rows, end: End::Gone });
        }
    }

    /// Gives a command. The owner asks [`Engine::is_free`] before; one that is
    /// given all the same ends as if the port were gone.
    pub(super) fn send(&mut self, command: Command<T>, now: Moment) {
        if !self.is_free(now) {
            self.out.push_back(Event::Answered { command, rows: Vec::new(), end: End::Gone });
            return;
        }
        if matches!(command.kind, CommandKind::WithBody(_)) {
            self.reader.want_prompt();
        }
        self.write_row(&command.row);
        let until = now + command.limit;
        self.phase = Phase::Running(Running { command, until, rows: Vec::new() });
    }

    /// Something matters more than the command that runs: its result is waited for no
    /// longer than this.
    pub(super) fn hasten(&mut self, limit: Duration, now: Moment) {
        if let Phase::Running(running) = &mut self.phase {
            running.until = running.until.min(now + limit);
        }
    }

    /// Tries once more to get in step with a modem that was given up, or that has
    /// said that it has restarted.
    pub(super) fn resynchronise(&mut self, now: Moment) {
        if !matches!(self.phase, Phase::Closed) {
            self.end_running(End::TimedOut, now);
            self.drain(0, now);
        }
    }

    /// Whether no command runs and none is being found out about.
    pub(super) const fn is_at_rest(&self) -> bool {
        matches!(self.phase, Phase::Free { rested: true, .. })
    }

    /// Writes a row whose answer nobody waits for, as the modem goes away with it.
    /// From here on it is only listened to.
    pub(super) fn shout(&mut self, row: &str, now: Moment) {
        if !matches!(self.phase, Phase::Closed) {
            self.end_running(End::Gone, now);
            self.write_row(row);
            self.phase = Phase::Silent;
        }
    }

    fn write_row(&mut self, row: &str) {
        let mut bytes = row.as_bytes().to_vec();
        bytes.push(b'\r');
        self.out.push_back(Event::Write(bytes));
    }

    pub(super) fn bytes(&mut self, bytes: &[u8], now: Moment) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        if !bytes.is_empty() {
            self.heard_at = now;
        }
        self.reader.push(bytes);
        while let Some(read) = self.reader.next() {
            match read {
                Read::Prompt => self.prompt(now),
                Read::Row(text) => self.row(&text, now),
            }
        }
        if !self.reader.is_within_quotes() {
            self.quotes_until = None;
        } else if self.quotes_until.is_none() {
            self.quotes_until = Some(now + QUOTES);
        }
    }

    fn prompt(&mut self, now: Moment) {
        if let Phase::Running(running) = &mut self.phase
            && let CommandKind::WithBody(body) = &running.command.kind
        {
            let body = body.clone();
            let mut bytes = body.expose().as_bytes().to_vec();
            bytes.push(END_OF_BODY);
            running.until = now + running.command.limit;
            running.command.kind = CommandKind::BodyGiven(body);
            self.out.push_back(Event::Write(bytes));
        }
    }

    fn row(&mut self, text: &str, now: Moment) {
        let Some(text) = self.without_echo(text) else { return };
        if self.is_coded_text(&text)
            && let Some(head) = self.heads.pop()
        {
            self.said(Said { row: head.row, text: head.text, coded: Some(text) }, head.is_answer);
            return;
        }
        let row = Row::read(&text);
        if let Row::Final(result) = row {
            self.result(result, text, now);
            return;
        }
        let is_answer = self.is_answer(&row, &text);
        if row.name().is_some_and(|name| WITH_SECOND_ROW.contains(&name)) {
            if self.heads.len() >= HEADS_MAX {
                self.release_heads(Moment::from_micros(u64::MAX));
            }
            self.heads.push(Head { row, text, is_answer, until: now + SECOND_ROW });
            return;
        }
        self.said(Said { row, text, coded: None }, is_answer);
    }

    /// The row without an echo of what was sent; none if it is nothing else.
    fn without_echo(&self, text: &str) -> Option<String> {
        let Phase::Running(Running { command, .. }) = &self.phase else { return Some(text.to_owned()) };
        if text.eq_ignore_ascii_case(&command.row) {
            return None;
        }
        if let CommandKind::BodyGiven(body) = &command.kind
            && text == body.expose()
        {
            return None;
        }
        // The end of news may be glued to an echo. `AT` alone ends too many words.
        let glued = if command.row.len() >= 5 { text.strip_suffix(command.row.as_str()) } else { None };
        Some(glued.unwrap_or(text).to_owned())
    }

    fn is_coded_text(&self, text: &str) -> bool {
        let Some(head) = self.heads.last() else { return false };
        let digits = text.trim_matches('"');
        let is_hex = digits.len() >= CODED_DIGITS_MIN && digits.bytes().all(|b| b.is_ascii_hexdigit());
        // An identity that was asked for is one, unless the answer itself has the head.
        let asked = matches!(&self.phase, Phase::Running(r) if r.command.expects.bare == Bare::Digits);
        is_hex && (head.is_answer || !asked || digits.len() > *IDENTITY_DIGITS.end())
    }

    fn is_answer(&self, row: &Row, text: &str) -> bool {
        let Phase::Running(Running { command, rows, .. }) = &self.phase else { return false };
        let expects = &command.expects;
        match row {
            Row::Final(_) => false,
            Row::Named { name, fields } => {
                let expected = expects.names.iter().any(|expected| expected == name);
                expected && !is_news_by_its_fields(name, fields, &command.row)
            }
            Row::Bare(_) => match expects.bare {
                Bare::No => false,
                Bare::Digits => {
                    let digits = text.trim_matches('"');
                    IDENTITY_DIGITS.contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit())
                }
                Bare::Words => !self.is_known_news(text),
                // One that nobody knows and that comes before it cannot be told from it.
                Bare::OneRow => !self.is_known_news(text) && !rows.iter().any(is_makers_row),
            },
        }
    }

    fn is_known_news(&self, text: &str) -> bool {
        self.news.iter().any(|beginning| behind(text, beginning).is_some())
    }

    fn said(&mut self, said: Said, is_answer: bool) {
        match &mut self.phase {
            Phase::Running(running) if is_answer => {
                if running.rows.len() < ANSWER_ROWS_MAX {
                    running.rows.push(said);
                }
            }
            // Between two commands a late answer is nobody's.
            _ if is_answer => {}
            _ => self.out.push_back(Event::News(said)),
        }
    }

    fn result(&mut self, result: FinalResult, text: String, now: Moment) {
        let is_news = result.is_of_calls()
            && !matches!(&self.phase, Phase::Running(r) if matches!(r.command.kind, CommandKind::OfCalls));
        if is_news {
            self.out.push_back(Event::News(Said { row: Row::Final(result), text, coded: None }));
            return;
        }
        match &self.phase {
            // A text is not taken before its prompt: the OK is another command's, and the
            // modem may sit at the prompt by now.
            Phase::Running(running)
                if result == FinalResult::Ok && matches!(running.command.kind, CommandKind::WithBody(_)) =>
            {
                self.stray_results += 1;
                self.timed_out(now);
            }
            Phase::Running(_) => {
                // The coded text of news may still come; that of an answer does not.
                self.release_heads_of_answers();
                self.end_running(End::Final(result), now);
            }
            Phase::Probing { oks, tried, .. } if result == FinalResult::Ok => {
                let (oks, tried) = (oks + 1, *tried);
                if oks >= PROBES {
                    self.phase = Phase::Settling { until: now + DRAIN, tried };
                } else {
                    self.phase = Phase::Probing { oks, until: now + PROBE, tried };
                    self.write_row("AT");
                }
            }
            // One more result than was asked for: still out of step.
            Phase::Settling { tried, .. } => {
                self.stray_results += 1;
                let tried = *tried + 1;
                self.drain(tried, now);
            }
            _ => self.stray_results += 1,
        }
    }

    fn end_running(&mut self, end: End, now: Moment) {
        if !matches!(self.phase, Phase::Running(_)) {
            return;
        }
        let free = Phase::Free { from: now + PAUSE, rested: false };
        if let Phase::Running(running) = std::mem::replace(&mut self.phase, free) {
            let Running { command, rows, .. } = running;
            self.reader.no_prompt();
            self.out.push_back(Event::Answered { command, rows, end });
        }
    }

    /// Heads whose coded text does not come are rows without one.
    fn release_heads(&mut self, now: Moment) {
        let (due, wait): (Vec<Head>, Vec<Head>) = self.heads.drain(..).partition(|head| head.until <= now);
        self.heads = wait;
        for head in due {
            self.said(Said { row: head.row, text: head.text, coded: None }, head.is_answer);
        }
    }

    fn release_heads_of_answers(&mut self) {
        let (answers, news): (Vec<Head>, Vec<Head>) = self.heads.drain(..).partition(|head| head.is_answer);
        self.heads = news;
        for head in answers {
            self.said(Said { row: head.row, text: head.text, coded: None }, true);
        }
    }

    fn drain(&mut self, tried: u8, now: Moment) {
        if tried >= TRIES {
            self.phase = Phase::Silent;
            self.out.push_back(Event::Silent);
        } else {
            self.phase = Phase::Draining { until: now + DRAIN, tried };
        }
    }

    /// The earliest time at which [`Engine::tick`] has something to do.
    pub(super) fn deadline(&self) -> Option<Moment> {
        let phase = match &self.phase {
            Phase::Closed | Phase::Silent => None,
            Phase::Free { from, rested } => (!rested).then_some(*from),
            Phase::Running(running) => Some(running.until),
            Phase::Draining { until, .. } | Phase::Probing { until, .. } | Phase::Settling { until, .. } => {
                Some(*until)
            }
        };
        let heads = self.heads.iter().map(|head| head.until).min();
        [phase, heads, self.quotes_until].into_iter().flatten().min()
    }

    pub(super) fn tick(&mut self, now: Moment) {
        self.release_heads(now);
        // What was said before a probe must not be taken for the probe's answer.
        let probes_now = matches!(&self.phase, Phase::Draining { until, .. } if now >= *until);
        if self.quotes_until.is_some_and(|until| probes_now || now >= until) {
            self.quotes_until = None;
            self.reader.give_up_quotes();
            self.bytes(&[], now);
        }
        match &mut self.phase {
            Phase::Free { from, rested } if now >= *from => *rested = true,
            Phase::Running(running) if now >= running.until => self.timed_out(now),
            Phase::Draining { until, tried } if now >= *until => {
                self.phase = Phase::Probing { oks: 0, until: now + PROBE, tried: *tried };
                self.write_row("AT");
            }
            Phase::Probing { until, tried, .. } if now >= *until => {
                let tried = *tried + 1;
                if tried < TRIES {
                    self.out.push_back(Event::Write(vec![ESCAPE, b'\r']));
                }
                self.drain(tried, now);
            }
            Phase::Settling { until, .. } if now >= *until => {
                self.phase = Phase::Free { from: now, rested: true };
                self.resynchronised += 1;
                self.out.push_back(Event::InStep);
            }
            _ => {}
        }
    }

    fn timed_out(&mut self, now: Moment) {
        self.timeouts += 1;
        let has_body = self
            .running()
            .is_some_and(|command| matches!(command.kind, CommandKind::WithBody(_) | CommandKind::BodyGiven(_)));
        self.release_heads(Moment::from_micros(u64::MAX));
        self.end_running(End::TimedOut, now);
        if has_body {
            // It may still sit at its prompt, and would take the next command for the text.
            self.out.push_back(Event::Write(vec![ESCAPE]));
        }
        self.drain(0, now);
    }
}

/// Whether it is the one row of a maker's words.
fn is_makers_row(said: &Said) -> bool {
    said.row.name().map_or(matches!(said.row, Row::Bare(_)), |name| IN_ONE_ROW.contains(&name))
}

/// Rows that have the name of an answer and are news all the same.
fn is_news_by_its_fields(name: &str, fields: &str, command: &str) -> bool {
    match name {
        "+CREG" | "+CGREG" | "+CEREG" | "+C5GREG" => !registration::is_answer(fields),
        // A code is answered later, by news.
        "+CUSD" => !command.ends_with('?'),
        "+CCWA" => fields.starts_with('"'),
        // Flow control of the sound has the name of the command that turns it on.
        "+QPCMV" => !command.ends_with('?'),
        _ => false,
    }
}
