use std::collections::VecDeque;
use std::time::Duration;

use crate::terms::Moment;

use super::super::cme;
use super::super::command::{Command, LONG};
use super::super::engine::{End, Said};
use super::super::input::NamedMemory;
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

/// The memory that is all others together.
const ALL: &str = "MT";

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
    on_sim: OtherTexts,
    in_modem: OtherTexts,
    /// The memory that the modem reads its texts from, as it said last.
    home: Option<String>,
    /// It has not said so since it was set up: which memory was read since is not known.
    is_home_untold: bool,
    home_asks: HomeAsks,
    turned: Turned,
}

/// Whether the modem is to be asked where it reads its texts and where it stores them. A
/// place that it tells of means nothing in another memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum HomeAsks {
    #[default]
    Done,
    Due,
    /// Its SIM was busy, or it said nothing: once its texts were listed the next time.
    Later,
}

/// Texts in a memory that the modem is not set to: on the SIM of one that is set to its own,
/// or in the modem itself. A text may be meant for one of them whatever memory is chosen
/// (3GPP TS 23.038 section 4), and some may lie on the SIM from before. The SIM is looked
/// through after each set-up, and either when the modem tells of one there, in the same way
/// as the reports' memory; and again with a sweep of the texts while something there is not
/// done with.
#[derive(Debug, Default)]
struct OtherTexts {
    is_sweep_due: bool,
    deletes: VecDeque<u16>,
}

impl OtherTexts {
    fn is_idle(&self) -> bool {
        self.deletes.is_empty() && !self.is_sweep_due
    }
}

/// Another memory than that of the texts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Away {
    Reports,
    Texts(NamedMemory),
}

impl Away {
    const fn name(self) -> &'static str {
        match self {
            Self::Reports => "SR",
            Self::Texts(memory) => memory.name(),
        }
    }
}

/// Where the texts of a memory are found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lies {
    /// The modem reads this very memory, as far as is known.
    Here,
    /// With those of other memories, in places of their own.
    AmongOthers,
    /// The modem has to be turned there.
    Elsewhere,
}

impl Lies {
    fn of(memory: NamedMemory, home: &str) -> Self {
        if home.eq_ignore_ascii_case(memory.name()) {
            Self::Here
        } else if home.eq_ignore_ascii_case(ALL) {
            Self::AmongOthers
        } else {
            Self::Elsewhere
        }
    }
}

/// A memory as the modem tells of it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct ToldMemory {
    name: String,
    /// How many texts it holds.
    places: Option<usize>,
}

/// Which memory the modem is turned to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
enum Turned {
    #[default]
    ToTexts,
    /// Which memory that is, is being asked.
    Asking,
    /// What comes is stored in another one: from now on that is to be read.
    Moving {
        from: ToldMemory,
        to: ToldMemory,
    },
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

    /// The modem is set up: what it was told of its memories before may be over.
    pub(super) const fn ask_home(&mut self) {
        self.home_asks = HomeAsks::Due;
    }

    /// The modem has listed its texts: what it did not answer before it may answer now.
    pub(super) fn ask_home_again(&mut self) {
        if self.home_asks == HomeAsks::Later {
            self.ask_home();
        }
    }

    fn is_idle(&self) -> bool {
        self.wanted().is_none() && self.home_asks != HomeAsks::Due
    }

    /// The memory for which the modem is to be turned away from its texts.
    fn wanted(&self) -> Option<Away> {
        if !self.reads.is_empty() || self.is_sweep_due {
            return Some(Away::Reports);
        }
        let others = [(NamedMemory::Sim, &self.on_sim), (NamedMemory::Modem, &self.in_modem)];
        others.into_iter().find(|(_, texts)| !texts.is_idle()).map(|(memory, _)| Away::Texts(memory))
    }

    const fn others(&mut self, memory: NamedMemory) -> &mut OtherTexts {
        match memory {
            NamedMemory::Sim => &mut self.on_sim,
            NamedMemory::Modem => &mut self.in_modem,
        }
    }

    /// What lies in a memory that the modem is not set to is to be looked at.
    pub(super) const fn sweep(&mut self, memory: NamedMemory) {
        self.others(memory).is_sweep_due = true;
    }

    /// A text that lies in a memory that the modem is not set to is kept.
    pub(super) fn delete_in(&mut self, memory: NamedMemory, index: u16) {
        let deletes = &mut self.others(memory).deletes;
        if deletes.len() < PLACES_MAX && !deletes.contains(&index) {
            deletes.push_back(index);
        }
    }

    /// Another SIM is in the modem: what was kept lies on the one before.
    pub(super) fn sim_changed(&mut self) {
        self.on_sim.deletes.clear();
    }

    /// It is not turned to this memory: what is wanted of it is given up.
    fn give_up(&mut self, away: Away) {
        match away {
            Away::Reports => {
                self.reads.clear();
                self.is_sweep_due = false;
            }
            Away::Texts(memory) => *self.others(memory) = OtherTexts::default(),
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
        matches!(self.turned, Turned::Moving { .. } | Turned::Leaving(..) | Turned::To(..))
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
        // A set-up looks through the SIM anew, and asks anew which memory is read.
        (self.on_sim, self.in_modem) = (OtherTexts::default(), OtherTexts::default());
        self.home_asks = HomeAsks::Done;
        self.turned = match std::mem::take(&mut self.turned) {
            Turned::ToTexts | Turned::Asking | Turned::Moving { .. } => Turned::ToTexts,
            Turned::Leaving(to, _) | Turned::To(to, _) | Turned::Back { to, .. } => Turned::back(to, now),
        };
    }
}

impl ModemLine {
    pub(super) fn report_command(&mut self, now: Moment) -> Option<Command<Job>> {
        let reports = &mut self.reports;
        reports.due().filter(|due| now >= *due)?;
        if let Turned::To(home, Away::Texts(memory)) = &reports.turned {
            let (home, memory) = (home.clone(), *memory);
            if let Some(index) = reports.others(memory).deletes.pop_front() {
                let row = format!("{}={index}", self.profile.texts.delete);
                return Some(Command::new(Job::OtherDelete(memory, index), &row));
            }
            if std::mem::take(&mut reports.others(memory).is_sweep_due) {
                return Some(Command::new(Job::OtherList(memory), &self.profile.texts.list).within(LONG));
            }
            reports.turned = Turned::back(home, now);
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
            Turned::Moving { to, .. } => format!("AT+CPMS=\"{}\"", to.name),
            Turned::Leaving(_, away) | Turned::To(_, away) => format!("AT+CPMS=\"{}\"", away.name()),
            Turned::Back { to, .. } => format!("AT+CPMS=\"{to}\""),
        };
        Some(Command::new(Job::ReportMemory, &row))
    }

    pub(super) fn memory_answered(&mut self, rows: &[Said], end: End, now: Moment) {
        if end == End::Gone {
            return;
        }
        match std::mem::take(&mut self.reports.turned) {
            Turned::Asking => self.home_told(rows, end),
            Turned::Moving { from, to } => self.home_moved(from, to, end, now),
            Turned::Leaving(home, away) if end.is_ok() => self.reports.turned = Turned::To(home, away),
            // It has no such memory, or has not said whether it is turned to it.
            Turned::Leaving(home, away) => {
                self.reports.turned = Turned::back(home, now);
                self.give_up_memory(away, end);
            }
            Turned::Back { to, tries, .. } if !end.is_ok() => {
                let tries = tries.saturating_add(1);
                let wait = if tries < QUICK_TRIES { RETRY } else { RETRY_LATER };
                self.reports.turned = Turned::Back { to, tries, not_before: now + wait };
            }
            Turned::Back { .. } => {}
            other @ (Turned::ToTexts | Turned::To(..)) => self.reports.turned = other,
        }
    }

    /// The modem was asked which memory it reads its texts from.
    fn home_told(&mut self, rows: &[Said], end: End) {
        let is_after_set_up = self.reports.home_asks == HomeAsks::Due;
        if is_after_set_up {
            self.reports.home_asks = HomeAsks::Done;
        }
        match told_memory(rows, 0) {
            Some(home) if is_after_set_up => self.home_chosen(home, told_memory(rows, 2)),
            Some(home) => self.turn_from(home.name, end),
            None if is_after_set_up => self.home_untold(end),
            None => {
                if let Some(away) = self.reports.wanted() {
                    self.give_up_memory(away, end);
                }
            }
        }
    }

    /// What comes is read where it is stored, which may be another memory.
    fn home_chosen(&mut self, home: ToldMemory, new: Option<ToldMemory>) {
        let is_read =
            |memory: &ToldMemory| home.name.eq_ignore_ascii_case(&memory.name) || home.name.eq_ignore_ascii_case(ALL);
        let is_of_texts =
            |memory: &ToldMemory| NamedMemory::of_name(&memory.name).is_some() || memory.name.eq_ignore_ascii_case(ALL);
        match new.filter(|memory| is_of_texts(memory) && !is_read(memory)) {
            Some(to) => self.reports.turned = Turned::Moving { from: home, to },
            None => self.home_is(home),
        }
    }

    /// The modem was told to read where it stores what comes.
    fn home_moved(&mut self, from: ToldMemory, to: ToldMemory, end: End, now: Moment) {
        if !end.is_ok() {
            if is_passing(end) {
                self.reports.home_asks = HomeAsks::Later;
            }
            self.reports.turned = Turned::back(from.name.clone(), now);
            return self.home_is(from);
        }
        // What it has stored in the one before is seen once more.
        let left = NamedMemory::of_name(&from.name).filter(|memory| Lies::of(*memory, &to.name) == Lies::Elsewhere);
        // Where nobody knew yet what is read, texts may have been told from here.
        if self.reports.home.is_none() || self.reports.is_home_untold {
            self.reports.home = Some(from.name);
        }
        self.home_is(to);
        if let Some(memory) = left {
            self.texts.see_again(memory);
        }
    }

    /// The memory that the modem reads from here on.
    fn home_is(&mut self, home: ToldMemory) {
        if home.places.is_some() {
            self.facts.text_places = home.places;
        }
        let is_another = self.reports.home.as_ref().is_some_and(|last| !last.eq_ignore_ascii_case(&home.name));
        self.reports.home = Some(home.name);
        self.reports.is_home_untold = false;
        if is_another {
            self.texts_in_another_memory();
        }
        self.see_sim();
    }

    /// Without an answer it reads from the memory that its set-up chooses.
    fn home_untold(&mut self, end: End) {
        if is_passing(end) {
            self.reports.home_asks = HomeAsks::Later;
        }
        self.reports.is_home_untold = true;
        self.see_sim();
    }

    /// Some may lie on the SIM from before.
    fn see_sim(&mut self) {
        if self.lies(NamedMemory::Sim) == Lies::Elsewhere {
            self.texts.see_again(NamedMemory::Sim);
        }
    }

    /// Where the texts of a memory are: as the modem said last, or as its set-up chooses.
    pub(super) fn lies(&self, memory: NamedMemory) -> Lies {
        let home = self.reports.home.as_deref().or_else(|| self.profile.text_memory());
        home.map_or(Lies::Here, |home| Lies::of(memory, home))
    }

    /// The modem reads its texts from this memory, and is wanted in another one.
    fn turn_from(&mut self, home: String, end: End) {
        let Some(away) = self.reports.wanted() else { return };
        match away {
            // It has not taken the other one: its texts are there.
            Away::Texts(memory) if Lies::of(memory, &home) != Lies::Elsewhere => {
                self.texts.stored(None);
                self.give_up_memory(away, end);
            }
            Away::Reports | Away::Texts(_) => self.reports.turned = Turned::Leaving(home, away),
        }
    }

    /// The modem is not turned to this memory, which may pass.
    fn give_up_memory(&mut self, away: Away, end: End) {
        if let Away::Texts(memory) = away {
            let is_kept_there = !self.reports.others(memory).deletes.is_empty();
            if is_passing(end) || is_kept_there {
                self.texts.see_again(memory);
            }
        }
        self.reports.give_up(away);
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

/// One of the three memories of `+CPMS: "ME",0,25,"ME",0,25,"SM",0,20`: texts are read from the
/// first and deleted in it, and stored in the last as they come.
fn told_memory(rows: &[Said], nth: usize) -> Option<ToldMemory> {
    let told = rows.iter().find_map(|said| match &said.row {
        Row::Named { name, fields: text } if name == "+CPMS" => Some(fields(text)),
        _ => None,
    })?;
    let name = told.get(3 * nth)?.text;
    let is_name = (1..=4).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphabetic());
    is_name.then(|| ToldMemory { name: name.to_owned(), places: number_at(&told, 3 * nth + 2) })
}
