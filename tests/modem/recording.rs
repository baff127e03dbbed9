//! The language of the recordings, which is also that of the scripts.
//!
//! | row | meaning |
//! |---|---|
//! | `# key: value` | header |
//! | `## name` | a new case |
//! | `> AT+CSQ` | when the host writes this; `{n}` stands for a number, `{*}` for anything |
//! | `>* AT+CSQ` | the same, each time and not once |
//! | `< OK` | the modem says this row, framed as its family frames rows |
//! | `>> ` and `<< ` | the same with C escapes and no framing added |
//! | `@ +0.5` | so many seconds later, as `@ +500ms` is |
//! | `@ 21:33:50.275`, `@251627` | clocks, of which the difference counts; a zone behind them does not |
//! | `! fault …` | from here on something is wrong, see [`super::Fault`] |
//!
//! A sign alone is an empty row. Of what the host writes, blanks around it do not count, nor
//! does what stands before an escape character, with which a modem forgets it: an escape
//! character alone is no command, and what is said to it is said unasked.

use std::time::Duration;

use super::Fault;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    pub header: Vec<(String, String)>,
    pub cases: Vec<Case>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Case {
    pub name: String,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Hear {
        pattern: Pattern,
        often: Often,
    },
    /// A row, framed when it is said.
    Row(String),
    /// Bytes as they are.
    Bytes(Vec<u8>),
    Wait(Duration),
    Fault(Fault),
}

impl Step {
    /// The bytes that the modem sends for it, with a number where `{n}` stands.
    pub fn said(&self, number: &str) -> Vec<u8> {
        match self {
            Self::Row(row) => format!("\r\n{}\r\n", row.replace("{n}", number)).into_bytes(),
            Self::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => text.replace("{n}", number).into_bytes(),
                Err(_) => bytes.clone(),
            },
            Self::Hear { .. } | Self::Wait(_) | Self::Fault(_) => Vec::new(),
        }
    }
}

/// How often a rule holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Often {
    Once,
    Always,
}

/// A command as the host may write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(pub String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("reading a recording, row {row}: {what}")]
pub struct ReadRecording {
    pub row: usize,
    pub what: String,
}

impl Pattern {
    /// What `{n}` stood for, when `command` is this one.
    pub fn matches(&self, command: &str) -> Option<String> {
        matches_from(&self.0, command)
    }
}

fn matches_from(pattern: &str, command: &str) -> Option<String> {
    let Some(open) =
        pattern.find(['{']).filter(|at| pattern[*at..].starts_with("{n}") || pattern[*at..].starts_with("{*}"))
    else {
        return pattern.eq_ignore_ascii_case(command).then(String::new);
    };
    let head = &pattern[..open];
    let rest = command.get(..open).filter(|begin| begin.eq_ignore_ascii_case(head)).map(|_| &command[open..])?;
    let is_number = pattern[open..].starts_with("{n}");
    let tail = &pattern[open + 3..];
    for end in (0..=rest.len()).rev().filter(|end| rest.is_char_boundary(*end)) {
        let taken = &rest[..end];
        let fits = !is_number || (!taken.is_empty() && taken.chars().all(|c| c.is_ascii_digit() || "+*#x".contains(c)));
        if fits && matches_from(tail, &rest[end..]).is_some() {
            return Some(taken.to_owned());
        }
    }
    None
}

impl Recording {
    pub fn parse(text: &str) -> Result<Self, ReadRecording> {
        let mut recording = Self::default();
        let mut case = Case::default();
        let mut clock: Option<Duration> = None;
        for (n, row) in text.lines().enumerate() {
            let wrong = |what: &str| ReadRecording { row: n + 1, what: what.to_owned() };
            if let Some(name) = content(row, "##") {
                if !case.name.is_empty() || !case.steps.is_empty() {
                    recording.cases.push(std::mem::take(&mut case));
                }
                name.clone_into(&mut case.name);
                clock = None;
            } else if let Some(header) = content(row, "#") {
                if let Some((key, value)) = header.split_once(": ") {
                    recording.header.push((key.to_owned(), value.to_owned()));
                }
            } else if let Some(command) = content(row, ">>") {
                let bytes = unescape(command).ok_or_else(|| wrong("an escape that C does not have"))?;
                // Each row that the host wrote is a command of its own.
                let text = String::from_utf8_lossy(&bytes).into_owned();
                case.steps.extend(text.split(['\r', '\n']).filter_map(|row| hear(row, Often::Once)));
            } else if let Some(bytes) = content(row, "<<") {
                let bytes = unescape(bytes).ok_or_else(|| wrong("an escape that C does not have"))?;
                case.steps.push(Step::Bytes(bytes));
            } else if let Some(command) = content(row, ">*") {
                case.steps.extend(hear(command, Often::Always));
            } else if let Some(command) = content(row, ">") {
                case.steps.extend(hear(command, Often::Once));
            } else if let Some(said) = content(row, "<") {
                case.steps.push(Step::Row(said.to_owned()));
            } else if let Some(fault) = row.strip_prefix("! ") {
                case.steps.push(Step::Fault(Fault::parse(fault).map_err(|what| wrong(&what.to_string()))?));
            } else if let Some(at) = row.strip_prefix('@') {
                case.steps.push(Step::Wait(wait(at.trim(), &mut clock).ok_or_else(|| wrong("no time"))?));
            } else if !row.trim().is_empty() {
                return Err(wrong("a row begins with '# ', '## ', '> ', '< ', '>> ', '<< ', '@' or '! '"));
            }
        }
        if !case.name.is_empty() || !case.steps.is_empty() {
            recording.cases.push(case);
        }
        Ok(recording)
    }
}

impl Case {
    /// The same, with no wait longer than `longest`.
    pub fn hurried(mut self, longest: Duration) -> Self {
        for step in &mut self.steps {
            if let Step::Wait(wait) = step {
                *wait = (*wait).min(longest);
            }
        }
        self
    }

    /// What the modem says by itself, and then what it says to each command.
    pub fn rules(&self) -> (Vec<Step>, Vec<Rule>) {
        let (mut unasked, mut rules): (Vec<Step>, Vec<Rule>) = (Vec::new(), Vec::new());
        for step in &self.steps {
            match (step, rules.last_mut()) {
                (Step::Hear { pattern, often }, _) => {
                    rules.push(Rule { pattern: pattern.clone(), often: *often, steps: Vec::new() });
                }
                (step, None) => unasked.push(step.clone()),
                (step, Some(rule)) => rule.steps.push(step.clone()),
            }
        }
        (unasked, rules)
    }
}

/// What is said to one command.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub pattern: Pattern,
    pub often: Often,
    pub steps: Vec<Step>,
}

/// What stands behind a sign and a blank; an editor may have taken the blank of an empty row.
fn content<'a>(row: &'a str, sign: &str) -> Option<&'a str> {
    let rest = row.strip_prefix(sign)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(' ') }
}

/// What a modem takes for a command of what the host wrote, if it is one.
fn hear(row: &str, often: Often) -> Option<Step> {
    let command = row.rsplit('\u{1b}').next()?.trim();
    (!command.is_empty()).then(|| Step::Hear { pattern: Pattern(command.to_owned()), often })
}

/// A wait, or a clock's distance to its last reading.
fn wait(at: &str, clock: &mut Option<Duration>) -> Option<Duration> {
    // A date may stand before the clock.
    let words = || at.split([' ', 'T']).map(|word| word.trim_matches(['[', ']']));
    let word = words().find(|word| word.contains(':')).or_else(|| words().next())?;
    if let Some(wait) = word.strip_prefix('+') {
        let number = wait.trim_end_matches(char::is_alphabetic);
        let in_seconds = match &wait[number.len()..] {
            "" | "s" => 1.0,
            "ms" => 0.001,
            _ => return None,
        };
        return Duration::try_from_secs_f64(number.parse::<f64>().ok()? * in_seconds).ok();
    }
    let now = if word.contains(':') {
        // A zone may stand behind it.
        let end = word.find(|c: char| !c.is_ascii_digit() && !":.,".contains(c)).unwrap_or(word.len());
        let mut seconds = 0.0;
        for part in word[..end].replace(',', ".").split(':') {
            seconds = seconds * 60.0 + part.parse::<f64>().ok()?;
        }
        Duration::try_from_secs_f64(seconds).ok()?
    } else {
        Duration::from_millis(word.parse().ok()?)
    };
    let wait = clock.map_or(Duration::ZERO, |before| now.saturating_sub(before));
    *clock = Some(now);
    Some(wait)
}

/// C escapes: those of one letter, octal ones of up to three digits and `\xHH`.
pub fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next()? {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'a' => 0x07,
            b'b' => 0x08,
            b'v' => 0x0B,
            b'f' => 0x0C,
            b'e' => 0x1B,
            itself @ (b'\\' | b'"' | b'\'' | b'?') => itself,
            first @ b'0'..=b'7' => {
                let mut value = u16::from(first - b'0');
                for _ in 0..2 {
                    let Some(digit) = rest.next_if(|byte| (b'0'..=b'7').contains(byte)) else { break };
                    value = value * 8 + u16::from(digit - b'0');
                }
                u8::try_from(value).ok()?
            }
            b'x' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            _ => return None,
        });
    }
    Some(bytes)
}
