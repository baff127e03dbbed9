//! A line and a modem that is made of its answers, in simulated time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::super::super::*;
use crate::terms::{EndCause, Moment, PhoneNumber, Private};

pub(super) const PROFILES: &[(&str, &str)] = &[
    ("huawei", include_str!("../../../../../firmware-config/modems/huawei.toml")),
    ("quectel_ec2x", include_str!("../../../../../firmware-config/modems/quectel_ec2x.toml")),
    ("simcom_sim7600", include_str!("../../../../../firmware-config/modems/simcom_sim7600.toml")),
    ("simcom_sim800", include_str!("../../../../../firmware-config/modems/simcom_sim800.toml")),
    ("generic", include_str!("../../../../../firmware-config/modems/generic.toml")),
];

pub(super) fn profile(name: &str) -> Arc<Profile> {
    let (file, text) = PROFILES.iter().find(|(known, _)| *known == name).expect("a profile");
    Arc::new(Profile::parse(text, file).unwrap_or_else(|mistakes| panic!("{mistakes}")))
}

pub(super) const CALLER: &str = "+2348031234567";

pub(super) fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text, "234").expect("a number")
}

/// A call in the simulated modem's list.
#[derive(Clone, Debug)]
pub(super) struct FakeCall {
    pub(super) id: u8,
    pub(super) state: u8,
    pub(super) number: String,
}

/// A modem as its answers. It holds the line to one command at a time.
#[derive(Debug)]
pub(super) struct FakeModem {
    /// Rows that were written to it, without their ends.
    pub(super) heard: Vec<String>,
    /// Bodies of texts.
    pub(super) bodies: Vec<String>,
    pub(super) calls: Vec<FakeCall>,
    /// What it answers instead of the usual, by the beginning of the row. The
    /// latest goes first. Nothing at all if empty.
    pub(super) instead: Vec<(String, String)>,
    /// It answers nothing.
    pub(super) dead: bool,
    pub(super) echo: bool,
    pub(super) sim: &'static str,
    pub(super) storage: Vec<(u16, String)>,
    /// The memory of reports.
    pub(super) reports: Vec<(u16, String)>,
    /// What the other one of the SIM and the modem holds.
    pub(super) elsewhere: Vec<(u16, String)>,
    /// Which of the three is read.
    pub(super) memory: String,
    /// Which of them `storage` is.
    home: String,
    /// Where it stores what comes.
    arrivals: String,
    delay: Duration,
    partial: Vec<u8>,
    in_body: bool,
    busy_until: Moment,
    pub(super) broken_rules: Vec<String>,
    out: VecDeque<(Moment, Vec<u8>)>,
    reference: u8,
    /// Rows that come between two rows of answers, one after the other.
    pub(super) between: VecDeque<String>,
}

impl FakeModem {
    fn new() -> Self {
        Self {
            heard: Vec::new(),
            bodies: Vec::new(),
            calls: Vec::new(),
            instead: Vec::new(),
            dead: false,
            echo: false,
            sim: "READY",
            storage: Vec::new(),
            reports: Vec::new(),
            elsewhere: Vec::new(),
            memory: "SM".to_owned(),
            home: "SM".to_owned(),
            arrivals: "SM".to_owned(),
            delay: Duration::from_millis(5),
            partial: Vec::new(),
            in_body: false,
            busy_until: Moment::START,
            broken_rules: Vec::new(),
            out: VecDeque::new(),
            reference: 0,
            between: VecDeque::new(),
        }
    }

    pub(super) fn says_instead(&mut self, row: &str, answer: &str) {
        self.instead.insert(0, (row.to_owned(), answer.to_owned()));
    }

    pub(super) fn count(&self, beginning: &str) -> usize {
        self.heard.iter().filter(|row| row.starts_with(beginning)).count()
    }

    /// It reads texts from one memory, which `storage` is, and stores those that come in
    /// one or the other.
    pub(super) fn reads_from(&mut self, home: &str, arrivals: &str) {
        (self.memory, self.home, self.arrivals) = (home.to_owned(), home.to_owned(), arrivals.to_owned());
    }

    fn say(&mut self, text: &str, at: Moment) {
        self.out.push_back((at, text.as_bytes().to_vec()));
    }

    fn take(&mut self, bytes: &[u8], now: Moment) {
        for byte in bytes {
            match byte {
                0x1B => (self.in_body, self.partial) = (false, Vec::new()),
                0x1A if self.in_body => {
                    self.in_body = false;
                    let body = String::from_utf8_lossy(&std::mem::take(&mut self.partial)).into_owned();
                    self.bodies.push(body);
                    self.reference = self.reference.wrapping_add(1);
                    let usual = format!("\r\n+CMGS: {}\r\n\r\nOK\r\n", self.reference);
                    let answer = self.other("body").unwrap_or(usual);
                    self.answer(&answer, now);
                }
                b'\r' if !self.in_body => {
                    let row = String::from_utf8_lossy(&std::mem::take(&mut self.partial)).into_owned();
                    self.row(&row, now);
                }
                byte => self.partial.push(*byte),
            }
        }
    }

    fn other(&self, row: &str) -> Option<String> {
        self.instead.iter().find(|(beginning, _)| row.starts_with(beginning.as_str())).map(|(_, a)| a.clone())
    }

    fn row(&mut self, row: &str, now: Moment) {
        if row.is_empty() {
            return;
        }
        if now < self.busy_until {
            self.broken_rules.push(format!("{row} came while another command ran"));
        }
        self.heard.push(row.to_owned());
        if self.dead {
            return;
        }
        if self.echo {
            self.say(&format!("{row}\r"), now + Duration::from_millis(1));
        }
        let answer = match self.other(row) {
            Some(answer) => answer,
            None => self.usual(row),
        };
        self.answer(&answer, now);
    }

    fn answer(&mut self, answer: &str, now: Moment) {
        if answer.is_empty() {
            return;
        }
        let at = now + self.delay;
        self.busy_until = at;
        for row in answer.split_inclusive('\n') {
            self.say(row, at);
            if row.trim().is_empty() {
                continue;
            }
            if let Some(between) = self.between.pop_front() {
                self.say(&format!("\r\n{between}\r\n"), at);
            }
        }
    }

    fn memory(&mut self) -> &mut Vec<(u16, String)> {
        match self.memory.as_str() {
            "SR" => &mut self.reports,
            memory if memory == self.home => &mut self.storage,
            _ => &mut self.elsewhere,
        }
    }

    fn usual(&mut self, row: &str) -> String {
        let ok = "\r\nOK\r\n";
        let with = |text: &str| format!("\r\n{text}\r\n\r\nOK\r\n");
        match row {
            "AT+CPIN?" if self.sim.starts_with("+CME") => format!("\r\n{}\r\n", self.sim),
            "AT+CPIN?" => with(&format!("+CPIN: {}", self.sim)),
            "AT+CIMI" => with("621301234567890"),
            "AT+CGSN" => with("490154203237518"),
            "AT+QCCID" => with("+QCCID: 89234010000012345678"),
            "AT+CICCID" => with("+ICCID: 89234010000012345678"),
            "AT+CCID" => with("89234010000012345678"),
            "AT^ICCID?" => with("^ICCID: 89234010000012345678"),
            "AT+CREG?" => with("+CREG: 2,1,\"5E25\",\"605F\",2"),
            "AT+CEREG?" => with("+CEREG: 2,0"),
            "AT+COPS?" => with("+COPS: 0,0,\"MTN NG\",2"),
            "AT+CSQ" => with("+CSQ: 24,99"),
            "AT^CVOICE?" => with("^CVOICE:0,8000,16,20"),
            "AT+QPCMV?" => with("+QPCMV: 0,2"),
            "AT+CGMM" => with("MODEL"),
            "AT+CLCC" => {
                let rows: String = self
                    .calls
                    .iter()
                    .map(|c| format!("\r\n+CLCC: {},1,{},0,0,\"{}\",145\r\n", c.id, c.state, c.number))
                    .collect();
                format!("{rows}{ok}")
            }
            "ATA" => {
                for call in &mut self.calls {
                    call.state = 0;
                }
                ok.to_owned()
            }
            "AT+CHUP" | "ATH" => {
                self.calls.clear();
                ok.to_owned()
            }
            "AT+CHLD=0" => {
                self.calls.retain(|call| call.state != 5);
                ok.to_owned()
            }
            "AT+CPMS?" => {
                let (read, new) = (&self.memory, &self.arrivals);
                with(&format!("+CPMS: \"{read}\",1,20,\"{new}\",1,20,\"{new}\",1,20"))
            }
            _ if row.starts_with("AT+CPMS=") => {
                self.memory = row.split('"').nth(1).unwrap_or_default().to_owned();
                // A set-up chooses for all that comes.
                if row.contains(',') {
                    self.home.clone_from(&self.memory);
                    self.arrivals.clone_from(&self.memory);
                }
                with("+CPMS: 1,20,1,20,1,20")
            }
            "AT+CMGL=4" => {
                let rows = self.memory().iter().map(|(n, pdu)| format!("\r\n+CMGL: {n},0,,{}\r\n{pdu}", pdu.len() / 2));
                format!("{}{ok}", rows.collect::<String>())
            }
            _ if row.starts_with("AT+CMGR=") => {
                let index = row.trim_start_matches("AT+CMGR=").parse().unwrap_or(0);
                match self.memory().iter().find(|(n, _)| *n == index) {
                    Some((_, pdu)) => format!("\r\n+CMGR: 0,,{}\r\n{pdu}\r\n{ok}", pdu.len() / 2),
                    None => "\r\n+CMS ERROR: 321\r\n".to_owned(),
                }
            }
            _ if row.starts_with("AT+CMGD=") => {
                let index = row.trim_start_matches("AT+CMGD=").parse().unwrap_or(0);
                self.memory().retain(|(n, _)| *n != index);
                ok.to_owned()
            }
            _ if row.starts_with("AT+CMGS=") => {
                self.in_body = true;
                "\r\n> ".to_owned()
            }
            _ if row.starts_with("AT+CPIN=") => {
                self.sim = "READY";
                ok.to_owned()
            }
            _ => ok.to_owned(),
        }
    }
}

/// The line, its modem, and what the line wanted, with the times.
#[derive(Debug)]
pub(super) struct World {
    pub(super) line: ModemLine,
    pub(super) modem: FakeModem,
    pub(super) now: Moment,
    pub(super) seen: Vec<(Moment, ModemOutput)>,
    /// Octets go to the line in pieces of so many.
    pub(super) piece: usize,
    /// The driver opens the port again when it is told to.
    pub(super) reopens: bool,
    /// The driver can take the modem's power: its port vanishes and comes back.
    pub(super) has_switch: bool,
    reopen_at: Option<Moment>,
    /// The owner writes down that the PIN is tried.
    pub(super) notes: bool,
    /// So long after it was told.
    pub(super) notes_after: Duration,
    /// SIMs that have had the PIN, and whether it was right.
    tries: Vec<(Option<Private<String>>, bool)>,
    /// What the owner answers, and when.
    verdicts: VecDeque<(Moment, ModemInput<'static>)>,
}

impl World {
    pub(super) fn new(profile_name: &str, settings: LineSettings) -> Self {
        let now = Moment::from_micros(1_000_000);
        let line = ModemLine::new(profile(profile_name), settings, now);
        Self {
            line,
            modem: FakeModem::new(),
            now,
            seen: Vec::new(),
            piece: usize::MAX,
            reopens: true,
            has_switch: true,
            reopen_at: None,
            notes: true,
            notes_after: Duration::ZERO,
            tries: Vec::new(),
            verdicts: VecDeque::new(),
        }
    }

    /// A line that is ready, and what led there is forgotten.
    pub(super) fn ready(profile_name: &str) -> Self {
        Self::ready_on(Attachment::Usb, profile_name)
    }

    pub(super) fn ready_on(attachment: Attachment, profile_name: &str) -> Self {
        let mut world = Self::new(profile_name, LineSettings { attachment, ..LineSettings::default() });
        world.give(ModemInput::PortOpened);
        world.run(Duration::from_secs(30));
        assert_eq!(world.line.state(), ModemState::Ready, "{:#?}", world.line.support_rows());
        world.seen.clear();
        world.modem.heard.clear();
        world
    }

    pub(super) fn give(&mut self, input: ModemInput<'_>) {
        if matches!(input, ModemInput::PortGone | ModemInput::PortOpened) {
            // What was under way in the port is gone with it.
            self.modem.out.clear();
            (self.modem.busy_until, self.modem.in_body) = (self.now, false);
            self.modem.partial.clear();
        }
        self.line.handle(input, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.line.poll() {
            match &output {
                ModemOutput::PinTrying { iccid, leave, .. } if self.notes => {
                    let verdict = self.try_pin(iccid.as_ref(), *leave);
                    if self.notes_after.is_zero() {
                        self.line.handle(verdict, self.now);
                    } else {
                        self.verdicts.push_back((self.now + self.notes_after, verdict));
                    }
                }
                ModemOutput::PinAccepted { iccid, .. } => {
                    for (sim, was_right) in &mut self.tries {
                        *was_right |= *sim == *iccid;
                    }
                }
                _ => {}
            }
            if let ModemOutput::Write(bytes) = &output {
                self.modem.take(bytes.expose(), self.now);
            }
            let reopens = match &output {
                ModemOutput::Reset(ResetStep::Reopen) => self.reopens,
                ModemOutput::Reset(ResetStep::PowerCycle) => self.reopens && self.has_switch,
                _ => false,
            };
            if reopens {
                self.reopen_at = Some(self.now + Duration::from_secs(1));
            }
            self.seen.push((self.now, output));
        }
    }

    /// What the owner knows of tries: each SIM has one by itself until it was right.
    fn try_pin(&mut self, here: Option<&Private<String>>, leave: PinLeave) -> ModemInput<'static> {
        let own = self.tries.iter().position(|(sim, _)| sim.as_ref() == here);
        let may_try = match own {
            Some(own) => self.tries[own].1,
            // A SIM that told no number may be any.
            None => self.tries.iter().all(|(sim, was_right)| *was_right || (here.is_some() && sim.is_some())),
        };
        if leave == PinLeave::Setting && !may_try {
            return ModemInput::PinWasTried;
        }
        if let Some(own) = own {
            self.tries.remove(own);
        }
        self.tries.push((here.cloned(), false));
        ModemInput::PinNoted
    }

    /// The modem says rows by itself.
    pub(super) fn says(&mut self, rows: &str) {
        let text: String = rows.lines().map(|row| format!("\r\n{row}\r\n")).collect();
        self.bytes(text.as_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(self.piece.min(bytes.len()).max(1)) {
            self.give(ModemInput::Bytes(piece));
        }
    }

    /// Lets time go by, for the modem's answers and the line's deadlines.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..200_000 {
            let said = self.modem.out.front().map(|(at, _)| *at);
            let verdict = self.verdicts.front().map(|(at, _)| *at);
            let next = [self.line.deadline(), said, self.reopen_at, verdict].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            if self.reopen_at.is_some_and(|at| self.now >= at) {
                self.reopen_at = None;
                self.give(ModemInput::PortGone);
                self.give(ModemInput::PortOpened);
                continue;
            }
            if verdict.is_some_and(|at| self.now >= at) {
                if let Some((_, verdict)) = self.verdicts.pop_front() {
                    self.give(verdict);
                }
                continue;
            }
            match self.modem.out.front() {
                Some((at, _)) if *at <= self.now => {
                    let bytes = self.modem.out.pop_front().map(|(_, bytes)| bytes).unwrap_or_default();
                    self.bytes(&bytes);
                }
                _ => {
                    self.give(ModemInput::Tick);
                    let due = self.line.deadline();
                    assert!(due.is_none_or(|due| due > self.now), "{due:?} stays due at {:?}", self.now);
                }
            }
        }
        self.now = end;
    }

    pub(super) fn run_s(&mut self, seconds: u64) {
        self.run(Duration::from_secs(seconds));
    }

    pub(super) fn rings(&mut self) {
        self.modem.calls.push(FakeCall { id: 1, state: 4, number: CALLER.to_owned() });
        self.says(&format!("RING\n+CLIP: \"{CALLER}\",145,,,,0"));
        self.run(Duration::from_millis(200));
    }

    /// A call that is on and whose sound is measured to be well.
    pub(super) fn talks(&mut self) {
        self.rings();
        self.give(ModemInput::Answer);
        self.run_s(4);
        assert_eq!(self.line.state(), ModemState::Active, "{:#?}", self.line.support_rows());
    }

    /// Seconds of a call with this much sound.
    pub(super) fn sound(&mut self, seconds: u64, down: u32, up: u32) {
        self.sound_of(seconds, down, up, if down == 0 { -120.0 } else { -30.0 });
    }

    /// Seconds of a call in which all sound flows and the caller is so loud.
    pub(super) fn quiet(&mut self, seconds: u64, dbfs: f32) {
        self.sound_of(seconds, 16_000, 16_000, dbfs);
    }

    fn sound_of(&mut self, seconds: u64, down: u32, up: u32, dbfs: f32) {
        for _ in 0..seconds {
            self.run_s(1);
            let over = Duration::from_secs(1);
            let facts = SoundFacts { over, down_bytes: down, up_bytes: up, down_dbfs: dbfs };
            self.give(ModemInput::SoundMeasured(facts));
        }
    }

    pub(super) fn far_side_hangs_up(&mut self) {
        self.modem.calls.clear();
        self.says("NO CARRIER");
        self.run(Duration::from_millis(200));
    }

    /// What was wanted, without what was written and without transitions.
    pub(super) fn wanted(&self) -> Vec<ModemOutput> {
        let is_it = |output: &&ModemOutput| !matches!(output, ModemOutput::Write(_) | ModemOutput::Changed(_));
        self.seen.iter().map(|(_, output)| output).filter(is_it).cloned().collect()
    }

    pub(super) fn ends(&self) -> Vec<EndCause> {
        let cause = |output: ModemOutput| match output {
            ModemOutput::Ended(cause) => Some(cause),
            _ => None,
        };
        self.wanted().into_iter().filter_map(cause).collect()
    }

    pub(super) fn resets(&self) -> Vec<ResetStep> {
        let step = |output: ModemOutput| match output {
            ModemOutput::Reset(step) => Some(step),
            _ => None,
        };
        self.wanted().into_iter().filter_map(step).collect()
    }

    pub(super) fn has(&self, output: &ModemOutput) -> bool {
        self.wanted().contains(output)
    }

    pub(super) fn text(&mut self, id: u64, text: &str) {
        self.give(ModemInput::SendText { id, to: number(CALLER), text: Private::new(text.to_owned()) });
    }
}
