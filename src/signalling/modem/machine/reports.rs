use std::collections::VecDeque;
use std::time::Duration;

use crate::terms::Moment;

use super::super::cme;
use super::super::command::{Command, LONG};
use super::super::engine::{End, Said};
use super::super::row::{FinalResult, Row, fields, number_at};
use super::super::sms::{Message, Pdu};
use super::ModemLine;
use super::job::Job;
use super::texting::octets_said;

/// Places that the modem told of and that were not read yet, or are to be emptied; a SIM
/// has fewer.
const PLACES_MAX: usize = 64;

/// How `AT+CNMI` is told to store reports: its fourth value (3GPP TS 27.005 section 3.4.1).
const STORED: &str = "2";

/// Quick tries to turn the modem back to its texts. It is never given up: until it is
/// turned back no text is read.
const QUICK_TRIES: u8 = 5;

/// Between two of them.
const RETRY: Duration = Duration::from_secs(2);

/// Between two later ones: as often as the texts would be looked through.
const RETRY_LATER: Duration = Duration::from_secs(60);

/// 3GPP TS 27.005 section 3.2.5.
const CMS_SIM_BUSY: u16 = 314;

/// The SIM's memory of texts.
const SIM: &str = "SM";

/// Reports on texts that lie in a memory of their own (`SR`, 3GPP TS 27.005 section 3.1).
/// `AT+CMGR` reads the memory that the modem is turned to, where another text may have
/// the same place: so it is turned to the reports' memory and back again, and meanwhile
/// no text is read, listed or deleted.
#[derive(Debug, Default)]
pub(super) struct Reports {
    reads: VecDeque<u16>,
    deletes: VecDeque<u16>,
    /// What came while nobody listened lies there untold: all of it is to be read.
    is_sweep_due: bool,
    sim: OnSim,
    turned: Turned,
}

/// Texts on the SIM of a modem that is set to its own memory. Those of class 2 are stored
/// there all the same (3GPP TS 23.038 section 4), and some may lie there from before: it is
/// looked through after each set-up and when the modem tells of one, in the same way, and
/// again with a sweep of the texts while something there is not done with.
#[derive(Debug, Default)]
struct OnSim {
    is_sweep_due: bool,
    deletes: VecDeque<u16>,
}

/// Another memory than that of the texts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Away {
    Reports,
    Sim,
}

impl Away {
    const fn name(self) -> &'static str {
        match self {
            Self::Reports => "SR",
            Self::Sim => SIM,
        }
    }
}

/// Which memory the modem is turned to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
enum Turned {
    #[default]
    ToTexts,
    /// Which memory that is, is being asked.
    Asking,
    /// It is about to be turned away from this one.
    Leaving(String, Away),
    To(String, Away),
    /// It is to be turned back to this one.
    Back {
        to: String,
        tries: u8,
        not_before: Moment,
    },
}

impl Turned {
    const fn back(to: String, now: Moment) -> Self {
        Self::Back { to, tries: 0, not_before: now }
    }
}

/// Whether a memory may be there all the same: the SIM was busy, as after a start, or
/// nothing was said.
const fn is_passing(end: End) -> bool {
    matches!(end, End::TimedOut | End::Final(FinalResult::Cms(CMS_SIM_BUSY) | FinalResult::Cme(cme::SIM_BUSY)))
}

impl Reports {
    /// The modem has stored a report.
    pub(super) fn stored(&mut self, index: u16) {
        if self.reads.len() < PLACES_MAX && !self.reads.contains(&index) {
            self.reads.push_back(index);
        }
    }

    /// The modem has taken a row of the set-up. One that stores reports may have some from
    /// before: no modem tells of them again.
    pub(super) fn set_up_by(&mut self, row: &str) {
        let values = row.strip_prefix("AT+CNMI=");
        self.is_sweep_due |= values.and_then(|values| values.split(',').nth(3)) == Some(STORED);
    }

    fn is_idle(&self) -> bool {
        self.has_no_reports() && self.sim.deletes.is_empty() && !self.sim.is_sweep_due
    }

    fn has_no_reports(&self) -> bool {
        self.reads.is_empty() && !self.is_sweep_due
    }

    /// What lies on the SIM is to be looked at.
    pub(super) const fn sweep_sim(&mut self) {
        self.sim.is_sweep_due = true;
    }

    /// A text that lies on the SIM is kept.
    pub(super) fn delete_on_sim(&mut self, index: u16) {
        if self.sim.deletes.len() < PLACES_MAX && !self.sim.deletes.contains(&index) {
            self.sim.deletes.push_back(index);
        }
    }

    /// Another SIM is in the modem: what was kept lies on the one before.
    pub(super) fn sim_changed(&mut self) {
        self.sim.deletes.clear();
    }

    /// It is not turned to this memory: what is wanted of it is given up.
    fn give_up(&mut self, away: Away) {
        match away {
            Away::Reports => {
                self.reads.clear();
                self.is_sweep_due = false;
            }
            Away::Sim => self.sim = OnSim::default(),
        }
    }

    /// What is said of this place is known: it may be emptied.
    fn delete(&mut self, index: u16) {
        if self.deletes.len() < PLACES_MAX && !self.deletes.contains(&index) {
            self.deletes.push_back(index);
        }
    }

    /// Whether the modem reads its texts, and not its reports.
    pub(super) fn are_left_alone(&self) -> bool {
        self.turned == Turned::ToTexts && self.is_idle()
    }

    /// Whether the modem is turned to another memory, or about to be. One that does not turn
    /// back is not: a person may try.
    pub(super) const fn is_away(&self) -> bool {
        matches!(self.turned, Turned::Leaving(..) | Turned::To(..))
    }

    /// When the next command for them is due.
    pub(super) fn due(&self) -> Option<Moment> {
        match &self.turned {
            Turned::ToTexts if self.is_idle() => None,
            Turned::Back { not_before, .. } => Some(*not_before),
            _ => Some(Moment::START),
        }
    }

    /// The modem is away. One that kept its power is turned to where it was.
    pub(super) fn modem_left(&mut self, now: Moment) {
        self.reads.clear();
        self.deletes.clear();
        self.is_sweep_due = false;
        // A set-up looks through the SIM anew.
        self.sim = OnSim::default();
        self.turned = match std::mem::take(&mut self.turned) {
            Turned::ToTexts | Turned::Asking => Turned::ToTexts,
            Turned::Leaving(to, _) | Turned::To(to, _) | Turned::Back { to, .. } => Turned::back(to, now),
        };
    }
}

impl ModemLine {
    pub(super) fn report_command(&mut self, now: Moment) -> Option<Command<Job>> {
        let reports = &mut self.reports;
        reports.due().filter(|due| now >= *due)?;
        if let Turned::To(home, Away::Sim) = &reports.turned {
            if let Some(index) = reports.sim.deletes.pop_front() {
                return Some(Command::new(Job::SimDelete(index), &format!("{}={index}", self.profile.texts.delete)));
            }
            if std::mem::take(&mut reports.sim.is_sweep_due) {
                return Some(Command::new(Job::SimList, &self.profile.texts.list).within(LONG));
            }
            reports.turned = Turned::back(home.clone(), now);
        }
        if let Turned::To(home, Away::Reports) = &reports.turned {
            if let Some(index) = reports.deletes.pop_front() {
                return Some(Command::new(Job::ReportDelete, &format!("{}={index}", self.profile.texts.delete)));
            }
            if let Some(index) = reports.reads.pop_front() {
                return Some(Command::new(Job::ReportRead(index), &format!("{}={index}", self.profile.texts.read)));
            }
            if std::mem::take(&mut reports.is_sweep_due) {
                return Some(Command::new(Job::ReportList, &self.profile.texts.list).within(LONG));
            }
            reports.turned = Turned::back(home.clone(), now);
        }
        let row = match &reports.turned {
            Turned::ToTexts | Turned::Asking => {
                reports.turned = Turned::Asking;
                "AT+CPMS?".to_owned()
            }
            Turned::Leaving(_, away) | Turned::To(_, away) => format!("AT+CPMS=\"{}\"", away.name()),
            Turned::Back { to, .. } => format!("AT+CPMS=\"{to}\""),
        };
        Some(Command::new(Job::ReportMemory, &row))
    }

    pub(super) fn memory_answered(&mut self, rows: &[Said], end: End, now: Moment) {
        if end == End::Gone {
            return;
        }
        let reports = &mut self.reports;
        let wanted = if reports.has_no_reports() { Away::Sim } else { Away::Reports };
        let (turned, given_up) = match std::mem::take(&mut reports.turned) {
            Turned::Asking => match memory_of_texts(rows) {
                // It does not have its own memory, or has not taken it: its texts are there.
                Some(home) if wanted == Away::Sim && home.eq_ignore_ascii_case(SIM) => {
                    self.texts.stored(None);
                    (Turned::ToTexts, Some(wanted))
                }
                Some(home) => (Turned::Leaving(home, wanted), None),
                None => (Turned::ToTexts, Some(wanted)),
            },
            Turned::Leaving(home, away) if end.is_ok() => (Turned::To(home, away), None),
            // It has no such memory, or has not said whether it is turned to it.
            Turned::Leaving(home, away) => (Turned::back(home, now), Some(away)),
            Turned::Back { to, tries, .. } if !end.is_ok() => {
                let tries = tries.saturating_add(1);
                let wait = if tries < QUICK_TRIES { RETRY } else { RETRY_LATER };
                (Turned::Back { to, tries, not_before: now + wait }, None)
            }
            Turned::Back { .. } => (Turned::ToTexts, None),
            other @ (Turned::ToTexts | Turned::To(..)) => (other, None),
        };
        reports.turned = turned;
        if let Some(away) = given_up {
            if away == Away::Sim && (is_passing(end) || !reports.sim.deletes.is_empty()) {
                self.texts.see_sim_again();
            }
            reports.give_up(away);
        }
    }

    pub(super) fn report_read(&mut self, index: u16, rows: &[Said]) {
        for said in rows {
            self.report_at(index, said);
        }
    }

    pub(super) fn reports_listed(&mut self, rows: &[Said]) {
        for said in rows {
            let Row::Named { name, fields: text } = &said.row else { continue };
            if let Some(index) = number_at::<u16>(&fields(text), 0).filter(|_| name == "+CMGL") {
                self.report_at(index, said);
            }
        }
    }

    /// What is no report stays where it is.
    fn report_at(&mut self, index: u16, said: &Said) {
        let Some(coded) = &said.coded else { return };
        let octets = octets_said(&said.row);
        let pdu = octets.map_or_else(|| Pdu::read(coded), |octets| Pdu::read_of_length(coded, octets));
        if let Ok(Message::Report(report)) = pdu.map(|pdu| pdu.message) {
            self.report_came(&report);
            self.reports.delete(index);
        }
    }
}

/// The memory that texts are read from and deleted in: `+CPMS: "ME",0,25,…`.
fn memory_of_texts(rows: &[Said]) -> Option<String> {
    let memory = rows.iter().find_map(|said| match &said.row {
        Row::Named { name, fields: text } if name == "+CPMS" => fields(text).first().map(|f| f.text.to_owned()),
        _ => None,
    });
    memory.filter(|name| (1..=4).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphabetic()))
}
