//! What a modem knows: its SIM, its registration, its calls, its texts, and what
//! it was set to. It has no port and no clock.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::pdu::{self, Submitted};
use super::recording::Rule;
use super::{Family, ModemOptions};

/// What the box wrote is kept up to this many rows.
const WRITTEN_MAX: usize = 20_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallState {
    Active = 0,
    Held = 1,
    Dialing = 2,
    Alerting = 3,
    Incoming = 4,
    Waiting = 5,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Call {
    pub id: u8,
    /// Whether the far side called.
    pub incoming: bool,
    pub state: CallState,
    /// Empty when it is withheld.
    pub number: String,
    /// Distinguishes this call from all others of the modem.
    pub serial: u64,
}

impl Call {
    pub fn kind(&self) -> u8 {
        match self.number.as_bytes() {
            [] => 128,
            [b'+', ..] => 145,
            _ => 129,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sim {
    Ready,
    PinWanted,
    PukWanted,
    Absent,
}

/// A text in the modem's storage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// 0 unread, 1 read.
    pub stat: u8,
    pub pdu: Vec<u8>,
}

/// What a service code is answered with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ussd {
    Done(String),
    /// A text that wants an answer, and what each answer leads to.
    Menu(String, BTreeMap<String, Ussd>),
    /// The network ends it without a word.
    Ended,
    NotSupported,
}

/// The far end of what was said to the modem.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Last {
    Ok,
    Error,
    /// By number; shown as `+CME ERROR`, or as ERROR when errors are not to be told.
    Cme(u16),
    Cms(u16),
    Text(&'static str),
    /// Nothing at all.
    Nothing,
    /// `> `, and then a text message.
    Prompt,
}

/// What follows an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Then {
    Row(Duration, String),
    /// The modem starts anew, and appears under another name.
    Reset,
    /// A far side that is rung picks up.
    PickUp(Duration, u64),
    Report(Duration, Submitted),
    /// The PCM clock begins or ends.
    SoundChanged,
    Off,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    pub rows: Vec<String>,
    pub last: Last,
    pub then: Vec<Then>,
}

impl Answer {
    pub const fn ok() -> Self {
        Self::bare(Last::Ok)
    }

    pub const fn bare(last: Last) -> Self {
        Self { rows: Vec::new(), last, then: Vec::new() }
    }

    pub fn row(row: impl Into<String>) -> Self {
        Self { rows: vec![row.into()], last: Last::Ok, then: Vec::new() }
    }

    pub fn rows(rows: Vec<String>) -> Self {
        Self { rows, last: Last::Ok, then: Vec::new() }
    }

    pub fn then(mut self, then: Then) -> Self {
        self.then.push(then);
        self
    }
}

#[allow(clippy::struct_excessive_bools, reason = "a modem is a board of switches")]
pub struct State {
    pub options: ModemOptions,
    pub echo: bool,
    pub errors: u8,
    pub clip: bool,
    pub cring: bool,
    /// `n` of CREG, CGREG and CEREG.
    pub registration_rows: BTreeMap<&'static str, u8>,
    /// Whether calls are told by the family's own rows.
    pub call_rows: bool,
    pub dsci: bool,
    pub tones_told: bool,
    pub charset: String,
    /// The memory that texts are read from and deleted in; `SR` is that of reports.
    pub memory: String,
    /// The memory that texts are stored in as they come.
    pub memory_of_new: String,
    /// What lies in the memory that is neither.
    pub other_texts: BTreeMap<u32, Stored>,
    /// `<mode>,<mt>,<bm>,<ds>,<bfr>`
    pub indications: [u8; 5],
    pub text_mode: bool,
    pub ussd_plain: bool,
    pub ussd_open: Option<BTreeMap<String, Ussd>>,
    pub sim: Sim,
    pub pin_tries: u8,
    pub operator_format: u8,
    pub cvhu: u8,
    pub gps_text: bool,
    pub service: bool,
    pub calls: Vec<Call>,
    pub serial: u64,
    /// Calls that were answered since the last reset.
    pub answered: u32,
    pub pcm: bool,
    pub second_call_deaf: bool,
    pub takes_usb_sound: bool,
    pub texts: BTreeMap<u32, Stored>,
    pub reports: BTreeMap<u32, Stored>,
    pub sent: Vec<Submitted>,
    pub next_reference: u8,
    pub digits_sent: String,
    pub written: VecDeque<String>,
    pub rules: Vec<Rule>,
    /// What `{n}` of a rule last stood for.
    pub last_number: String,
    pub resets: u32,
    pub csms: u8,
}

impl State {
    pub fn new(options: ModemOptions) -> Self {
        let sim = match (&options.sim_absent, &options.pin) {
            (true, _) => Sim::Absent,
            (false, Some(_)) => Sim::PinWanted,
            (false, None) => Sim::Ready,
        };
        let memory = if options.family == Family::Quectel { "ME" } else { "SM" }.to_owned();
        Self {
            echo: options.echo,
            errors: 0,
            clip: false,
            cring: false,
            registration_rows: BTreeMap::new(),
            call_rows: options.family == Family::Huawei,
            dsci: false,
            tones_told: false,
            charset: "IRA".to_owned(),
            memory_of_new: memory.clone(),
            other_texts: BTreeMap::new(),
            memory,
            indications: [0; 5],
            text_mode: true,
            ussd_plain: options.family != Family::Huawei,
            ussd_open: None,
            sim,
            pin_tries: 3,
            operator_format: 0,
            cvhu: 1,
            gps_text: options.family == Family::Quectel && options.gps_text,
            service: options.service,
            calls: Vec::new(),
            serial: 0,
            answered: 0,
            pcm: false,
            second_call_deaf: options.second_call_deaf,
            takes_usb_sound: options.takes_usb_sound,
            texts: BTreeMap::new(),
            reports: BTreeMap::new(),
            sent: Vec::new(),
            next_reference: 0,
            digits_sent: String::new(),
            written: VecDeque::new(),
            rules: Vec::new(),
            last_number: "+2348031234567".to_owned(),
            resets: 0,
            csms: 0,
            options,
        }
    }

    /// As after power: settings, calls and tries of sound are gone; the SIM and
    /// what is stored stay. Rules of a script stay as well.
    pub fn reset(&mut self) {
        let mut fresh = Self::new(self.options.clone());
        fresh.texts = std::mem::take(&mut self.texts);
        fresh.reports = std::mem::take(&mut self.reports);
        fresh.sent = std::mem::take(&mut self.sent);
        fresh.written = std::mem::take(&mut self.written);
        fresh.digits_sent = std::mem::take(&mut self.digits_sent);
        fresh.rules = std::mem::take(&mut self.rules);
        fresh.serial = self.serial;
        fresh.next_reference = self.next_reference;
        fresh.pin_tries = self.pin_tries;
        fresh.service = self.service;
        fresh.resets = self.resets + 1;
        fresh.second_call_deaf = self.second_call_deaf;
        fresh.takes_usb_sound = self.takes_usb_sound;
        if self.sim == Sim::Absent || self.sim == Sim::PukWanted {
            fresh.sim = self.sim;
        }
        *self = fresh;
    }

    pub fn note_written(&mut self, command: &str) {
        if self.written.len() == WRITTEN_MAX {
            self.written.pop_front();
        }
        self.written.push_back(command.to_owned());
    }

    pub fn is_registered(&self) -> bool {
        self.service && self.sim == Sim::Ready
    }

    /// The call that sound would flow for.
    pub fn active(&self) -> Option<&Call> {
        self.calls.iter().find(|call| call.state == CallState::Active)
    }

    /// Whether the PCM port runs.
    pub fn sounds(&self) -> bool {
        self.pcm && self.active().is_some()
    }

    fn new_call(&mut self, incoming: bool, state: CallState, number: &str) -> Call {
        self.serial += 1;
        let id = (1..=7).find(|id| self.calls.iter().all(|call| call.id != *id)).unwrap_or(7);
        let call = Call { id, incoming, state, number: number.to_owned(), serial: self.serial };
        self.calls.push(call.clone());
        call
    }

    /// A far side calls: the rows that tell it at first, and the call.
    pub fn rung(&mut self, number: &str) -> (Call, Vec<String>) {
        let state = if self.calls.is_empty() { CallState::Incoming } else { CallState::Waiting };
        let call = self.new_call(true, state, number);
        let mut rows = self.call_row(&call);
        if state == CallState::Waiting {
            rows.push(format!("+CCWA: \"{}\",{},1", call.number, call.kind()));
        } else {
            rows.extend(self.ring_rows(&call));
        }
        (call, rows)
    }

    /// What each ring says.
    pub fn ring_rows(&self, call: &Call) -> Vec<String> {
        let mut rows = vec![if self.cring { "+CRING: VOICE" } else { "RING" }.to_owned()];
        if self.clip {
            rows.push(match self.options.family {
                Family::Huawei => format!("+CLIP: \"{}\",{},,,,0", call.number, call.kind()),
                Family::Quectel => format!("+CLIP: \"{}\",{},\"\",,\"\",0", call.number, call.kind()),
                Family::Sim7600 | Family::Sim800 => format!("+CLIP: \"{}\",{},\"\",0,\"\",0", call.number, call.kind()),
            });
        }
        rows
    }

    /// The box takes the call: none when there is none to take.
    pub fn answered(&mut self) -> Option<(Call, Vec<String>)> {
        let call = self.calls.iter_mut().find(|call| call.state == CallState::Incoming)?;
        call.state = CallState::Active;
        let call = call.clone();
        self.answered += 1;
        Some((call.clone(), self.begun_rows(&call)))
    }

    pub fn begun_rows(&self, call: &Call) -> Vec<String> {
        let mut rows = self.call_row(call);
        match self.options.family {
            Family::Huawei => rows.push(format!("^CONN:{},0", call.id)),
            Family::Sim7600 => rows.push("VOICE CALL: BEGIN".to_owned()),
            Family::Quectel | Family::Sim800 => {}
        }
        rows
    }

    pub fn dialled(&mut self, number: &str) -> Call {
        self.new_call(false, CallState::Dialing, number)
    }

    /// Ends a call; what the modem says of it. `far` tells that the other side did it.
    pub fn ended(&mut self, serial: u64, far: bool) -> Vec<String> {
        let Some(at) = self.calls.iter().position(|call| call.serial == serial) else { return Vec::new() };
        let call = self.calls.remove(at);
        if self.calls.is_empty() && self.options.family != Family::Huawei {
            // A Huawei forgets it at the next call; the others need to be told each time.
            self.pcm = self.pcm && self.options.family == Family::Quectel;
        }
        if self.options.family == Family::Huawei && self.calls.is_empty() {
            self.pcm = false;
        }
        let was_up = call.state == CallState::Active;
        let mut rows = self.released_row(&call);
        match self.options.family {
            Family::Huawei => rows.push(format!("^CEND:{},{},104,16", call.id, if was_up { 5 } else { 0 })),
            Family::Sim7600 if was_up => rows.push("VOICE CALL: END: 000017".to_owned()),
            Family::Sim7600 if call.incoming => rows.push(format!("MISSED_CALL: 11:01AM {}", call.number)),
            _ => {}
        }
        if far && self.options.family != Family::Huawei {
            rows.push("NO CARRIER".to_owned());
        }
        rows
    }

    /// A call as the family tells it unasked, if it was set to.
    pub fn call_row(&self, call: &Call) -> Vec<String> {
        let (id, state, number, kind) = (call.id, call.state as u8, &call.number, call.kind());
        let direction = u8::from(call.incoming);
        let mut rows = Vec::new();
        match self.options.family {
            Family::Huawei => {}
            Family::Quectel => {
                if self.call_rows {
                    rows.push(format!("+QIND: \"ccinfo\",{id},{direction},{state},0,0,\"{number}\",{kind}"));
                }
                if self.dsci {
                    let dsci = if call.state == CallState::Active { 3 } else { state };
                    rows.push(format!("^DSCI: {id},{direction},{dsci},0,{number},{kind}"));
                }
            }
            Family::Sim7600 | Family::Sim800 if self.call_rows => {
                rows.push(format!("+CLCC: {id},{direction},{state},0,0,\"{number}\",{kind},\"\""));
            }
            Family::Sim7600 | Family::Sim800 => {}
        }
        rows
    }

    fn released_row(&self, call: &Call) -> Vec<String> {
        let (id, number, kind) = (call.id, &call.number, call.kind());
        let direction = u8::from(call.incoming);
        match self.options.family {
            Family::Quectel if self.call_rows => {
                vec![format!("+QIND: \"ccinfo\",{id},{direction},-1,0,0,\"{number}\",{kind}")]
            }
            Family::Quectel if self.dsci => vec![format!("^DSCI: {id},{direction},6,0,{number},{kind}")],
            Family::Sim7600 | Family::Sim800 if self.call_rows => {
                vec![format!("+CLCC: {id},{direction},6,0,0,\"{number}\",{kind},\"\"")]
            }
            _ => Vec::new(),
        }
    }

    /// The far side presses a key: what the modem tells of it.
    pub fn digit_row(&self, digit: char) -> Option<String> {
        self.tones_told.then(|| match self.options.family {
            Family::Huawei => format!("^DDTMF: {digit}"),
            Family::Quectel => format!("+QTONEDET: {}", u32::from(digit)),
            Family::Sim7600 => format!("+RXDTMF: {digit}"),
            Family::Sim800 => format!("+DTMF: {digit}"),
        })
    }

    /// A text arrives: what the modem tells of it.
    pub fn text_arrived(&mut self, pdu: Vec<u8>) -> Option<String> {
        if self.indications[1] == 2 {
            return Some(format!("+CMT: ,{}\r\n{}", pdu::tpdu_len(&pdu), pdu::hex(&pdu)));
        }
        let index = self.store(pdu)?;
        (self.indications[1] == 1).then(|| format!("+CMTI: \"{}\",{index}", self.memory_of_new))
    }

    /// A delivery report arrives.
    pub fn report_arrived(&mut self, pdu: Vec<u8>) -> Option<String> {
        match self.indications[3] {
            1 => Some(format!("+CDS: {}\r\n{}", pdu::tpdu_len(&pdu), pdu::hex(&pdu))),
            2 => {
                let index = (0..self.options.storage).find(|at| !self.reports.contains_key(at))?;
                self.reports.insert(index, Stored { stat: 0, pdu });
                Some(format!("+CDSI: \"SR\",{index}"))
            }
            _ => None,
        }
    }

    /// What is read, listed and deleted now.
    pub fn read_from(&mut self) -> &mut BTreeMap<u32, Stored> {
        match self.memory.as_str() {
            "SR" => &mut self.reports,
            memory if memory == self.memory_of_new => &mut self.texts,
            _ => &mut self.other_texts,
        }
    }

    /// None when the storage is full: the network keeps it, as it does in life.
    fn store(&mut self, pdu: Vec<u8>) -> Option<u32> {
        let index = (0..self.options.storage).find(|at| !self.texts.contains_key(at))?;
        self.texts.insert(index, Stored { stat: 0, pdu });
        Some(index)
    }

    /// The rule of the script for a command, and what its `{n}` stood for.
    pub fn take_rule(&mut self, command: &str) -> Option<(Rule, String)> {
        let (at, number) = self
            .rules
            .iter()
            .enumerate()
            .find_map(|(at, rule)| rule.pattern.matches(command).map(|number| (at, number)))?;
        let rule = match self.rules[at].often {
            super::recording::Often::Once => self.rules.remove(at),
            super::recording::Often::Always => self.rules[at].clone(),
        };
        if !number.is_empty() && rule.pattern.0.contains("{n}") {
            self.last_number = number;
        }
        Some((rule, self.last_number.clone()))
    }
}
