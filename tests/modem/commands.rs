//! What the default modem answers to a command. Families that differ in it are
//! told apart where they do.

use std::time::Duration;

use super::Family;
use super::pdu;
use super::state::{Answer, CallState, Last, Sim, State, Stored, Then, Ussd};

/// From the acceptance of a service code to the network's words.
const USSD_WAIT: Duration = Duration::from_millis(30);

/// From a text that was sent to its report.
const REPORT_WAIT: Duration = Duration::from_millis(40);

/// From dialling to the far side's answer.
const PICK_UP: Duration = Duration::from_millis(120);

impl State {
    /// The answer to one row, which may hold several commands.
    pub fn answer(&mut self, row: &str) -> Answer {
        let row = row.trim();
        let Some(body) = row.get(..2).filter(|at| at.eq_ignore_ascii_case("AT")).map(|_| &row[2..]) else {
            return Answer::bare(Last::Nothing);
        };
        if body.is_empty() {
            return Answer::ok();
        }
        let mut whole = Answer::ok();
        for one in compound(body) {
            let part = self.one(one);
            whole.rows.extend(part.rows);
            whole.then.extend(part.then);
            whole.last = part.last;
            if whole.last != Last::Ok {
                break;
            }
        }
        whole
    }

    fn one(&mut self, command: &str) -> Answer {
        let upper = command.to_ascii_uppercase();
        if let Some(number) = upper.strip_prefix('D') {
            return self.dial(number.trim_end_matches(';'));
        }
        match upper.as_str() {
            "E0" => self.echo = false,
            "E1" => self.echo = true,
            "A" => return self.take_call(),
            "H" | "H0" if self.options.family == Family::Sim7600 && self.cvhu != 0 => {}
            "H" | "H0" | "+CHUP" => return self.hang_up(),
            "Z" | "&F" | "V1" | "S0=0" | "+COPS=0" | "I" => {}
            _ => {
                let (name, argument) = split(command);
                return self.named(&name.to_ascii_uppercase(), argument);
            }
        }
        Answer::ok()
    }

    fn named(&mut self, name: &str, argument: Argument<'_>) -> Answer {
        self.sim_command(name, argument)
            .or_else(|| self.network(name, argument))
            .or_else(|| self.call_command(name, argument))
            .or_else(|| self.text_command(name, argument))
            .or_else(|| match self.options.family {
                Family::Huawei => self.huawei(name, argument),
                Family::Quectel => self.quectel(name, argument),
                Family::Sim7600 => self.sim7600(name, argument),
                Family::Sim800 => self.sim800(name, argument),
            })
            .unwrap_or_else(|| match self.options.family.unknown() {
                "ERROR" => Answer::bare(Last::Error),
                other => Answer::bare(Last::Text(other)),
            })
    }

    fn sim_command(&mut self, name: &str, argument: Argument<'_>) -> Option<Answer> {
        let need = |sim: Sim| match sim {
            Sim::Ready => None,
            Sim::PinWanted => Some(Answer::bare(Last::Cme(11))),
            Sim::PukWanted => Some(Answer::bare(Last::Cme(12))),
            Sim::Absent => Some(Answer::bare(Last::Cme(10))),
        };
        Some(match (name, argument) {
            ("+CGMI", _) => Answer::row(self.options.family.maker()),
            ("+CGMM", _) => Answer::row(self.options.family.model()),
            ("+CGMR", _) => Answer::row(self.options.family.revision()),
            ("+CGSN", _) => Answer::row(self.options.imei.clone()),
            ("+CIMI", _) => need(self.sim).unwrap_or_else(|| Answer::row(self.options.imsi.clone())),
            ("+QCCID" | "+CCID" | "^ICCID" | "+CICCID", _) if self.has_iccid(name) => {
                need(self.sim).unwrap_or_else(|| self.iccid_row(name))
            }
            ("+CPIN", Argument::Read) => match self.sim {
                Sim::Ready => Answer::row("+CPIN: READY"),
                Sim::PinWanted => Answer::row("+CPIN: SIM PIN"),
                Sim::PukWanted => Answer::row("+CPIN: SIM PUK"),
                Sim::Absent => Answer::bare(Last::Cme(10)),
            },
            ("+CPIN", Argument::Set(pin)) => self.enter_pin(pin.trim_matches('"')),
            ("+CMEE", Argument::Set(level)) => {
                self.errors = level.parse().unwrap_or(0);
                Answer::ok()
            }
            ("+CFUN", Argument::Set(level)) if level.contains(',') => Answer::ok().then(Then::Reset),
            ("+CFUN", Argument::Read) => Answer::row("+CFUN: 1"),
            ("+CFUN", Argument::Set(_)) => Answer::ok(),
            ("+CSCS", Argument::Set(set)) => {
                set.trim_matches('"').clone_into(&mut self.charset);
                Answer::ok()
            }
            ("+CSCS", Argument::Read) => Answer::row(format!("+CSCS: \"{}\"", self.charset)),
            ("+CCLK", Argument::Read) => Answer::row("+CCLK: \"26/11/26,16:37:04+04\""),
            ("+CBC", _) => Answer::row("+CBC: 0,85,3950"),
            ("+CNUM", _) => Answer::row(format!("+CNUM: ,\"{}\",145", self.options.number)),
            _ => return None,
        })
    }

    fn has_iccid(&self, name: &str) -> bool {
        match self.options.family {
            Family::Huawei => name == "^ICCID",
            Family::Quectel => matches!(name, "+QCCID" | "+CCID"),
            Family::Sim7600 => name == "+CICCID",
            Family::Sim800 => name == "+CCID",
        }
    }

    fn iccid_row(&self, name: &str) -> Answer {
        let iccid = &self.options.iccid;
        Answer::row(match self.options.family {
            Family::Sim800 => iccid.clone(),
            Family::Sim7600 => format!("+ICCID: {iccid}"),
            Family::Huawei | Family::Quectel => format!("{name}: {iccid}"),
        })
    }

    fn enter_pin(&mut self, pin: &str) -> Answer {
        if self.sim != Sim::PinWanted {
            return Answer::bare(Last::Cme(3));
        }
        if self.options.pin.as_deref() == Some(pin) {
            self.sim = Sim::Ready;
            self.pin_tries = 3;
            return Answer::ok().then(Then::Row(Duration::from_millis(20), "+CPIN: READY".to_owned()));
        }
        self.pin_tries = self.pin_tries.saturating_sub(1);
        if self.pin_tries == 0 {
            self.sim = Sim::PukWanted;
            return Answer::bare(Last::Cme(12));
        }
        Answer::bare(Last::Cme(16))
    }

    fn network(&mut self, name: &str, argument: Argument<'_>) -> Option<Answer> {
        let kind = match name {
            "+CREG" => "+CREG",
            "+CGREG" => "+CGREG",
            "+CEREG" => "+CEREG",
            _ => return self.operator(name, argument),
        };
        Some(match argument {
            Argument::Set(n) => {
                self.registration_rows.insert(kind, n.parse().unwrap_or(0));
                Answer::ok()
            }
            Argument::Read => Answer::row(self.registration(kind)),
            Argument::Test | Argument::None => Answer::row(format!("{kind}: (0-2)")),
        })
    }

    /// The answer to a question about the registration.
    fn registration(&self, kind: &str) -> String {
        let n = self.registration_rows.get(kind).copied().unwrap_or(0);
        let stat = self.registration_stat(kind);
        if n >= 2 && stat == 1 {
            let technology = self.technology();
            format!("{kind}: {n},{stat},\"2AF5\",\"0B88E350\",{technology}")
        } else {
            format!("{kind}: {n},{stat}")
        }
    }

    fn registration_stat(&self, kind: &str) -> u8 {
        let on_lte = matches!(self.options.family, Family::Quectel | Family::Sim7600);
        match (self.is_registered(), kind) {
            (false, _) => 2,
            (true, "+CEREG") if !on_lte => 0,
            (true, _) => 1,
        }
    }

    /// What the modem says when the registration changes.
    pub fn registration_changed(&self) -> Vec<String> {
        let told = self.registration_rows.iter().filter(|(_, n)| **n > 0);
        told.map(|(kind, n)| {
            let stat = self.registration_stat(kind);
            if *n >= 2 && stat == 1 {
                format!("{kind}: {stat},\"2AF5\",\"0B88E350\",{}", self.technology())
            } else {
                format!("{kind}: {stat}")
            }
        })
        .collect()
    }

    const fn technology(&self) -> u8 {
        match self.options.family {
            Family::Huawei => 2,
            Family::Quectel | Family::Sim7600 => 7,
            Family::Sim800 => 0,
        }
    }

    fn operator(&mut self, name: &str, argument: Argument<'_>) -> Option<Answer> {
        Some(match (name, argument) {
            ("+COPS", Argument::Read) if !self.is_registered() => Answer::row("+COPS: 0"),
            ("+COPS", Argument::Read) => {
                let shown = if self.operator_format == 2 { "62130" } else { &self.options.operator };
                Answer::row(format!("+COPS: 0,{},\"{shown}\",{}", self.operator_format, self.technology()))
            }
            ("+COPS", Argument::Set(set)) => {
                if let Some(format) = set.strip_prefix("3,") {
                    self.operator_format = format.parse().unwrap_or(0);
                }
                Answer::ok()
            }
            ("+CSQ", _) => Answer::row(if self.is_registered() { "+CSQ: 24,99" } else { "+CSQ: 99,99" }),
            _ => return None,
        })
    }

    fn call_command(&mut self, name: &str, argument: Argument<'_>) -> Option<Answer> {
        Some(match (name, argument) {
            ("+CLIP", Argument::Set(n)) => {
                self.clip = n == "1";
                Answer::ok()
            }
            ("+CRC", Argument::Set(n)) => {
                self.cring = n == "1";
                Answer::ok()
            }
            ("+CLCC", Argument::None) => Answer::rows(self.call_list()),
            ("+CLCC", Argument::Set(n)) if matches!(self.options.family, Family::Sim7600 | Family::Sim800) => {
                self.call_rows = n == "1";
                Answer::ok()
            }
            ("+CEER", Argument::None) => Answer::row(format!("+CEER: {}", self.options.last_cause)),
            ("+CHLD", Argument::Set(what)) => self.hold(what),
            ("+VTS", Argument::Set(digit)) => self.send_digit(digit.trim_matches('"')),
            ("+CCWA", Argument::Read) => Answer::row("+CCWA: 0,1"),
            ("+CSSN" | "+CCWA" | "+CVHU" | "+CLIR" | "+COLP" | "+CMUT" | "+CLVL", Argument::Set(value)) => {
                if name == "+CVHU" {
                    self.cvhu = value.parse().unwrap_or(1);
                }
                Answer::ok()
            }
            _ => return None,
        })
    }

    fn call_list(&self) -> Vec<String> {
        let alpha = if matches!(self.options.family, Family::Sim7600 | Family::Sim800) { ",\"\"" } else { "" };
        self.calls
            .iter()
            .map(|call| {
                let direction = u8::from(call.incoming);
                let (id, state, kind) = (call.id, call.state as u8, call.kind());
                format!("+CLCC: {id},{direction},{state},0,0,\"{}\",{kind}{alpha}", call.number)
            })
            .collect()
    }

    fn dial(&mut self, number: &str) -> Answer {
        if !self.is_registered() {
            return Answer::bare(Last::Text("NO CARRIER"));
        }
        if !self.calls.is_empty() {
            return Answer::bare(Last::Error);
        }
        let call = self.dialled(number);
        let mut answer = Answer::ok();
        answer.then.extend(self.call_row(&call).into_iter().map(|row| Then::Row(Duration::ZERO, row)));
        if self.options.family == Family::Huawei {
            answer = answer
                .then(Then::Row(PICK_UP / 4, format!("^ORIG:{},0", call.id)))
                .then(Then::Row(PICK_UP / 4, format!("^CONF:{}", call.id)));
        }
        answer.then(Then::PickUp(PICK_UP, call.serial))
    }

    fn take_call(&mut self) -> Answer {
        match self.answered() {
            None => Answer::bare(Last::Text("NO CARRIER")),
            Some((_, rows)) => {
                let mut answer = Answer::ok();
                answer.then = rows.into_iter().map(|row| Then::Row(Duration::ZERO, row)).collect();
                answer.then(Then::SoundChanged)
            }
        }
    }

    fn hang_up(&mut self) -> Answer {
        let serials: Vec<u64> = self.calls.iter().map(|call| call.serial).collect();
        if serials.is_empty() && self.options.family == Family::Huawei {
            return Answer::bare(Last::Error);
        }
        // A SIM7600 tells the end of a call before its OK; the others after it.
        let rows: Vec<String> = serials.into_iter().flat_map(|serial| self.ended(serial, false)).collect();
        let mut answer = Answer::ok();
        if self.options.family == Family::Sim7600 {
            answer.rows = rows;
        } else {
            answer.then = rows.into_iter().map(|row| Then::Row(Duration::ZERO, row)).collect();
        }
        answer.then(Then::SoundChanged)
    }

    /// `0` refuses a waiting call, `1x` ends one.
    fn hold(&mut self, what: &str) -> Answer {
        let wanted: Vec<u64> = match what {
            "0" => self.calls.iter().filter(|c| c.state == CallState::Waiting).map(|c| c.serial).collect(),
            "1" => self.calls.iter().filter(|c| c.state == CallState::Active).map(|c| c.serial).collect(),
            _ => {
                let id = what.strip_prefix('1').and_then(|id| id.parse::<u8>().ok());
                self.calls.iter().filter(|c| Some(c.id) == id).map(|c| c.serial).collect()
            }
        };
        if wanted.is_empty() {
            return Answer::bare(Last::Error);
        }
        let rows = wanted.into_iter().flat_map(|serial| self.ended(serial, false));
        let mut answer = Answer::ok();
        answer.then = rows.collect::<Vec<_>>().into_iter().map(|row| Then::Row(Duration::ZERO, row)).collect();
        answer.then(Then::SoundChanged)
    }

    pub(super) fn send_digit(&mut self, digit: &str) -> Answer {
        if self.active().is_none() {
            return Answer::bare(Last::Error);
        }
        self.digits_sent.push_str(digit);
        Answer::ok()
    }

    fn text_command(&mut self, name: &str, argument: Argument<'_>) -> Option<Answer> {
        Some(match (name, argument) {
            ("+CMGF", Argument::Set(n)) => {
                self.text_mode = n == "1";
                Answer::ok()
            }
            ("+CMGF", Argument::Read) => Answer::row(format!("+CMGF: {}", u8::from(self.text_mode))),
            ("+CPMS", Argument::Set(set)) => {
                let named = |at: usize| set.split(',').nth(at).map(|memory| memory.trim_matches('"').to_owned());
                self.memory = named(0).unwrap_or_default();
                if let Some(memory) = named(2) {
                    self.memory_of_new = memory;
                }
                let (used, all) = (self.read_from().len(), self.options.storage);
                Answer::row(format!("+CPMS: {used},{all},{used},{all},{used},{all}"))
            }
            ("+CPMS", Argument::Read) => {
                let (used, all) = (self.read_from().len(), self.options.storage);
                let one = |memory: &str| format!("\"{memory}\",{used},{all}");
                let (first, new) = (one(&self.memory), one(&self.memory_of_new));
                Answer::row(format!("+CPMS: {first},{new},{new}"))
            }
            ("+CNMI", Argument::Set(set)) if self.options.stores_reports && set.split(',').nth(3) == Some("1") => {
                Answer::bare(Last::Cms(303))
            }
            ("+CNMI", Argument::Set(set)) => {
                for (slot, value) in self.indications.iter_mut().zip(set.split(',')) {
                    *slot = value.parse().unwrap_or(0);
                }
                Answer::ok()
            }
            ("+CSMS", Argument::Set(n)) => {
                self.csms = n.parse().unwrap_or(0);
                Answer::row("+CSMS: 1,1,1")
            }
            ("+CNMA", _) => Answer::ok(),
            ("+CSCA", Argument::Read) => Answer::row("+CSCA: \"+2348030000000\",145"),
            ("+CSCA" | "+CSMP" | "+CMMS", Argument::Set(_)) => Answer::ok(),
            ("+CMGL", Argument::Set(stat)) => Answer::rows(self.list_texts(stat)),
            ("+CMGR", Argument::Set(index)) => match index.parse().ok().and_then(|i| self.read_text(i)) {
                Some(row) => Answer::row(row),
                None => Answer::bare(Last::Cms(321)),
            },
            ("+CMGD", Argument::Set(which)) => self.delete_texts(which),
            ("+CMGS", Argument::Set(_)) if !self.is_registered() => Answer::bare(Last::Cms(331)),
            ("+CMGS", Argument::Set(_)) => Answer::bare(Last::Prompt),
            ("+CUSD", Argument::Set(set)) => self.ussd(set),
            _ => return None,
        })
    }

    fn list_texts(&mut self, stat: &str) -> Vec<String> {
        let wanted: Option<u8> = stat.parse().ok().filter(|stat| *stat != 4);
        let is_wanted = |text: &Stored| wanted.is_none_or(|wanted| wanted == text.stat);
        let indices: Vec<u32> = self.read_from().iter().filter(|(_, text)| is_wanted(text)).map(|(i, _)| *i).collect();
        indices
            .into_iter()
            .filter_map(|index| {
                let text = self.read_from().get_mut(&index)?;
                let stat = std::mem::replace(&mut text.stat, 1);
                Some(format!("+CMGL: {index},{stat},,{}\r\n{}", pdu::tpdu_len(&text.pdu), pdu::hex(&text.pdu)))
            })
            .collect()
    }

    fn read_text(&mut self, index: u32) -> Option<String> {
        let text = self.read_from().get_mut(&index)?;
        let stat = std::mem::replace(&mut text.stat, 1);
        Some(format!("+CMGR: {stat},,{}\r\n{}", pdu::tpdu_len(&text.pdu), pdu::hex(&text.pdu)))
    }

    fn delete_texts(&mut self, which: &str) -> Answer {
        let (index, flag) = which.split_once(',').unwrap_or((which, "0"));
        match (index.parse::<u32>(), flag) {
            (Ok(index), "0") => {
                self.read_from().remove(&index);
            }
            (_, "1") => self.read_from().retain(|_, text| text.stat == 0),
            (_, _) => self.read_from().clear(),
        }
        Answer::ok()
    }

    /// What was written after the prompt, up to the end that Ctrl-Z is.
    pub fn take_text(&mut self, length: usize, body: &str) -> Answer {
        let Some(bytes) = pdu::unhex(body.trim()) else { return Answer::bare(Last::Cms(304)) };
        if pdu::tpdu_len(&bytes) != length {
            return Answer::bare(Last::Cms(304));
        }
        let Ok(mut submitted) = pdu::submitted(&bytes) else { return Answer::bare(Last::Cms(304)) };
        if let Some(error) = self.options.text_errors.pop_front() {
            return Answer::bare(Last::Cms(error));
        }
        submitted.reference = self.next_reference;
        self.next_reference = self.next_reference.wrapping_add(1);
        let reference = submitted.reference;
        self.sent.push(submitted.clone());
        if self.options.texts_unanswered > 0 {
            self.options.texts_unanswered -= 1;
            return Answer::bare(Last::Nothing);
        }
        let answer = Answer::row(format!("+CMGS: {reference}"));
        if submitted.reports && self.options.reports_held > 0 {
            self.options.reports_held -= 1;
            return answer;
        }
        if submitted.reports { answer.then(Then::Report(REPORT_WAIT, submitted)) } else { answer }
    }

    /// A service code, or an answer within a menu.
    fn ussd(&mut self, set: &str) -> Answer {
        let mut parts = set.split(',');
        match (parts.next(), parts.next()) {
            (Some("1"), Some(code)) => {
                let Some(code) = self.ussd_code(code.trim_matches('"')) else { return Answer::bare(Last::Error) };
                let reply = match self.ussd_open.take() {
                    Some(choices) => choices.get(&code).cloned().unwrap_or(Ussd::Ended),
                    None => self.options.ussd.get(&code).cloned().unwrap_or(Ussd::NotSupported),
                };
                let row = match reply {
                    Ussd::Done(text) => self.ussd_row(0, &text),
                    Ussd::Menu(text, choices) => {
                        self.ussd_open = Some(choices);
                        self.ussd_row(1, &text)
                    }
                    Ussd::Ended => "+CUSD: 2".to_owned(),
                    Ussd::NotSupported => "+CUSD: 4".to_owned(),
                };
                Answer::ok().then(Then::Row(USSD_WAIT, row))
            }
            (Some("2"), None) => {
                self.ussd_open = None;
                Answer::ok()
            }
            _ => Answer::ok(),
        }
    }

    fn ussd_code(&self, code: &str) -> Option<String> {
        if !self.ussd_plain {
            let bytes = pdu::unhex(code)?;
            let text = pdu::from_septets(&pdu::unpack(&bytes, 0, bytes.len() * 8 / 7));
            // A code of seven letters leaves room for an eighth, which is padding.
            return Some(text.trim_end_matches(['\r', '@']).to_owned());
        }
        if self.charset == "UCS2" {
            let units: Vec<u16> =
                pdu::unhex(code)?.chunks_exact(2).map(|two| u16::from_be_bytes([two[0], two[1]])).collect();
            return String::from_utf16(&units).ok();
        }
        Some(code.to_owned())
    }

    fn ussd_row(&self, mode: u8, text: &str) -> String {
        if !self.ussd_plain {
            let packed = pdu::pack(&pdu::septets(text).unwrap_or_default(), 0);
            return format!("+CUSD: {mode},\"{}\",15", pdu::hex(&packed));
        }
        if self.charset == "UCS2" {
            let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            return format!("+CUSD: {mode},\"{}\",72", pdu::hex(&wide));
        }
        format!("+CUSD: {mode},\"{text}\",15")
    }

    /// Switches the PCM port on for a call that is up.
    pub(super) fn sound_on(&mut self) -> Answer {
        if self.second_call_deaf && self.answered > 1 {
            return Answer::bare(Last::Error);
        }
        self.pcm = true;
        Answer::ok().then(Then::SoundChanged)
    }

    pub(super) fn sound_off(&mut self) -> Answer {
        self.pcm = false;
        Answer::ok().then(Then::SoundChanged)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Argument<'a> {
    None,
    Read,
    Test,
    Set(&'a str),
}

/// A command's name and what follows it.
fn split(command: &str) -> (&str, Argument<'_>) {
    if let Some(name) = command.strip_suffix("=?") {
        return (name, Argument::Test);
    }
    if let Some((name, value)) = command.split_once('=') {
        return (name, Argument::Set(value));
    }
    command.strip_suffix('?').map_or((command, Argument::None), |name| (name, Argument::Read))
}

/// The commands of one row: `+CSQ;+CPIN?`. A dialled number keeps its semicolon.
fn compound(body: &str) -> Vec<&str> {
    if body.starts_with(['D', 'd']) {
        return vec![body];
    }
    let (mut parts, mut from, mut quoted) = (Vec::new(), 0, false);
    for (at, c) in body.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ';' if !quoted => {
                parts.push(&body[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&body[from..]);
    parts.retain(|part| !part.is_empty());
    parts
}
