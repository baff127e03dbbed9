mod arriving;

pub(super) use arriving::octets_said;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use crate::terms::{Moment, PhoneNumber, Private};

use super::super::command::{Command, LONG};
use super::super::engine::{End, Said};
use super::super::input::{NamedMemory, StorageSlot, TextMemory};
use super::super::output::{ModemOutput, PartFate, TakenPart, TextFailure};
use super::super::row::{FinalResult, Row, fields, number_at};
use super::super::sms::{self, AfterSendError, Assembly, CannotCompose, Outgoing, ReadyPart, ReportWish};
use super::super::state::ModemState;
use super::ModemLine;
use super::job::Job;
use super::reports::Lies;

/// Texts that wait to be sent: an hour's calls of a busy line.
const QUEUE_MAX: usize = 100;

/// Parts of one text; an address has one or two.
const PARTS_MAX: u8 = 10;

/// Tries for one part that was refused, or whose prompt did not come. A part whose
/// fate is not known is not tried again: who waits for the text decides that.
const TRIES_MAX: u8 = 4;

/// Before the second try, the third and the fourth.
const RETRY_AFTER: [Duration; 3] = [Duration::from_secs(15), Duration::from_secs(120), Duration::from_secs(900)];

/// A text that could not be sent for so long says something that is over.
const AGE_MAX: Duration = Duration::from_secs(12 * 3600);

/// Half a text waits so long for its modem; then it is for whoever asked to say what
/// becomes of it, as another line may have one.
const HALF_AGE_MAX: Duration = Duration::from_secs(10 * 60);

/// The storage is looked through so often: modems forget to tell of texts.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// The texts of one line, both ways.
#[derive(Debug)]
pub(super) struct Texts {
    /// In the order in which they came, but that the one that is sent goes to the front.
    queue: VecDeque<Leaving>,
    /// The text whose part the modem has and has not answered; it is the first of the queue.
    sending: Option<u64>,
    reference: u16,
    day: i32,
    parts_today: u32,
    assembly: Assembly<StorageSlot>,
    /// Which memory a name means now, where it has meant another one before.
    eras: BTreeMap<TextMemory, u32>,
    reads: VecDeque<u16>,
    deletes: VecDeque<u16>,
    /// What could not be read once, by its place: a row may have been garbled on its way.
    doubtful: VecDeque<(StorageSlot, String)>,
    sweep_at: Moment,
    /// Texts in the modem's memory, as it listed them last.
    listed: usize,
    /// The places of those among them that are their owner's and are never emptied: no more
    /// than there are places.
    drafts: BTreeSet<u16>,
    /// Memories that the modem is not set to, and in which texts are to be looked for once
    /// its own was listed.
    unseen: BTreeSet<NamedMemory>,
    /// The modem has said that its memory is full, and no place was seen to be emptied since.
    is_full: bool,
    /// Since when no modem is there that could send; none while one is set up.
    away_since: Option<Moment>,
}

/// Which texts are given back to who asked for them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Back {
    /// Half a text is finished when the modem is there again.
    NotBegun,
    All,
}

/// A text as it is sent: with a report, and in no more parts than one may have.
fn composed(to: &PhoneNumber, text: &Private<String>, reference: u16) -> Result<Vec<ReadyPart>, CannotCompose> {
    let plain = Outgoing::new(to, text, reference);
    sms::compose(&Outgoing { report: ReportWish::Wanted, parts_max: PARTS_MAX, ..plain })
}

/// How many parts a line sends for a text: what the network bills. None for a text that
/// no line sends.
pub fn parts_of_text(to: &PhoneNumber, text: &Private<String>) -> Option<u32> {
    composed(to, text, 0).ok().and_then(|parts| u32::try_from(parts.len()).ok())
}

/// A text on its way out.
#[derive(Debug)]
struct Leaving {
    id: u64,
    to: PhoneNumber,
    parts: Vec<ReadyPart>,
    /// Parts that the network has.
    done: usize,
    tries: u8,
    not_before: Moment,
    since: Moment,
}

impl Leaving {
    /// How it ends where the line could not finish it. The network may have some of its
    /// parts: whoever asked for it must not begin it anew as if none was paid for.
    const fn ending(&self, failure: TextFailure) -> TextFailure {
        let passes = matches!(failure, TextFailure::TriedInVain | TextFailure::NeedsOwner(_) | TextFailure::ModemGone);
        if passes && self.done > 0 { TextFailure::Unknown } else { failure }
    }
}

impl Texts {
    pub(super) fn new(day: i32, parts_today: u32, clock: Timestamp, now: Moment) -> Self {
        Self {
            queue: VecDeque::new(),
            sending: None,
            // Another beginning for each start, of one day too, so that parts of two starts
            // are not joined: no line sends a text a second.
            reference: u16::try_from(clock.as_second().rem_euclid(1 << 16)).unwrap_or(0),
            day,
            parts_today,
            assembly: Assembly::default(),
            eras: BTreeMap::new(),
            reads: VecDeque::new(),
            deletes: VecDeque::new(),
            doubtful: VecDeque::new(),
            sweep_at: now,
            listed: 0,
            drafts: BTreeSet::new(),
            unseen: BTreeSet::new(),
            is_full: false,
            away_since: None,
        }
    }

    pub(super) const fn today(&self) -> u32 {
        self.parts_today
    }

    pub(super) const fn day(&self) -> i32 {
        self.day
    }

    /// Parts that texts which have begun still need.
    fn half_sent(&self) -> usize {
        self.queue.iter().filter(|text| text.done > 0).map(|text| text.parts.len() - text.done).sum()
    }

    /// Between two parts of a text it is on its way as well.
    pub(super) fn is_sending(&self) -> bool {
        self.sending.is_some() || self.half_sent() > 0
    }

    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    pub(super) const fn day_is(&mut self, day: i32) {
        if day != self.day {
            (self.day, self.parts_today) = (day, 0);
        }
    }

    /// The modem is set up.
    pub(super) fn modem_is_there(&mut self, now: Moment) {
        (self.sweep_at, self.away_since) = (now, None);
        // Where else texts may lie is known when it has said where it reads them.
        self.unseen.clear();
    }

    pub(super) fn modem_left(&mut self, now: Moment) {
        // Another SIM may come.
        (self.is_full, self.listed) = (false, 0);
        self.drafts.clear();
        self.reads.clear();
        self.sweep_at = now;
        self.away_since.get_or_insert(now);
    }

    /// Texts that have begun, but for the one whose answer is waited for.
    fn halves(&self) -> impl Iterator<Item = u64> {
        let half = self.queue.iter().filter(|text| text.done > 0 && self.sending != Some(text.id));
        half.map(|text| text.id)
    }

    /// Brings the text that is sent next to the front of the queue: none waits for one
    /// that rests before its next try. Its number; none if all of them rest.
    fn bring_next(&mut self, now: Moment) -> Option<u64> {
        let at = self.queue.iter().position(|text| now >= text.not_before)?;
        let text = self.queue.remove(at)?;
        let id = text.id;
        self.queue.push_front(text);
        Some(id)
    }

    pub(super) fn timer(&self) -> Option<Moment> {
        let resting = self.queue.iter().filter(|text| self.sending != Some(text.id));
        let oldest = resting.map(|text| text.since + AGE_MAX).min();
        let half = self.away_since.filter(|_| self.halves().next().is_some()).map(|since| since + HALF_AGE_MAX);
        [self.assembly.deadline(), oldest, half].into_iter().flatten().min()
    }
}

/// The number that the network gave the part.
fn reference(rows: &[Said]) -> Option<u8> {
    rows.iter().find_map(|said| match &said.row {
        Row::Named { name, fields: text } if name == "+CMGS" => number_at::<u8>(&fields(text), 0),
        _ => None,
    })
}

impl ModemLine {
    pub(super) fn may_text(&self) -> bool {
        matches!(self.state, ModemState::Ready | ModemState::Degraded(_) | ModemState::Searching)
            && self.set_up.is_done()
            && !self.calls.is_any()
    }

    /// Whether the network takes texts: with calls, or alone.
    fn may_send(&self) -> bool {
        self.may_text() && self.state != ModemState::Searching
    }

    pub(super) fn texts_due(&self) -> Option<Moment> {
        if !self.may_text() {
            return None;
        }
        let now_and_then = (!self.texts.deletes.is_empty() || !self.texts.reads.is_empty()).then_some(Moment::START);
        let next = self.texts.queue.iter().map(|text| text.not_before).min().filter(|_| self.may_send());
        if !self.reports.are_left_alone() {
            return [self.reports.due(), next].into_iter().flatten().min();
        }
        [now_and_then, next, Some(self.texts.sweep_at)].into_iter().flatten().min()
    }

    pub(super) fn text_command(&mut self, now: Moment) -> Option<Command<Job>> {
        if !self.may_text() {
            return None;
        }
        if !self.reports.are_left_alone() {
            return self.report_command(now).or_else(|| self.send_command(now));
        }
        if let Some(index) = self.texts.deletes.pop_front() {
            return Some(Command::new(Job::TextDelete(index), &format!("{}={index}", self.profile.texts.delete)));
        }
        if let Some(index) = self.texts.reads.pop_front() {
            return Some(Command::new(Job::TextRead(index), &format!("{}={index}", self.profile.texts.read)));
        }
        if let Some(command) = self.send_command(now) {
            return Some(command);
        }
        if now >= self.texts.sweep_at {
            self.texts.sweep_at = now + SWEEP_EVERY;
            // A full modem lists for a long time.
            return Some(Command::new(Job::TextList, &self.profile.texts.list).within(LONG));
        }
        None
    }

    fn send_command(&mut self, now: Moment) -> Option<Command<Job>> {
        if !self.may_send() {
            return None;
        }
        let id = self.texts.bring_next(now)?;
        let text = self.texts.queue.front()?;
        // A text that has begun is finished: half of it would be paid for in vain.
        if text.done == 0 && !self.has_room(text.parts.len() + self.texts.half_sent()) {
            self.texts.queue.pop_front();
            self.tell_text(id, Err(TextFailure::DailyCeiling));
            return self.send_command(now);
        }
        let part = text.parts.get(text.done)?;
        let command = Command::new(Job::TextSend, &format!("AT+CMGS={}", part.octets)).with_body(part.row.clone());
        self.texts.sending = Some(id);
        self.healing.loaded(now);
        Some(command)
    }

    /// Whether today has room for so many parts more.
    fn has_room(&self, parts: usize) -> bool {
        let room = self.settings.texts_per_day.saturating_sub(self.texts.parts_today);
        parts <= usize::try_from(room).unwrap_or(usize::MAX)
    }

    pub(super) fn send_text(&mut self, id: u64, to: &PhoneNumber, text: &Private<String>, now: Moment) {
        if self.texts.queue.len() >= QUEUE_MAX {
            return self.tell_text(id, Err(TextFailure::QueueFull));
        }
        self.texts.reference = self.texts.reference.wrapping_add(1);
        match composed(to, text, self.texts.reference) {
            Ok(parts) => {
                // A text is sent whole or not at all.
                let waiting: usize = self.texts.queue.iter().map(|text| text.parts.len() - text.done).sum();
                if !self.has_room(waiting + parts.len()) {
                    return self.tell_text(id, Err(TextFailure::DailyCeiling));
                }
                let to = to.clone();
                let leaving = Leaving { id, to, parts, done: 0, tries: 0, not_before: now, since: now };
                self.texts.queue.push_back(leaving);
            }
            Err(CannotCompose::Empty | CannotCompose::TooLong { .. }) => {
                self.tell_text(id, Err(TextFailure::Length));
            }
        }
    }

    fn tell_text(&mut self, id: u64, result: Result<(), TextFailure>) {
        self.out.push_back(ModemOutput::TextSent { id, result });
    }

    /// The modem goes: whoever asked may send by another line, or later. The text that
    /// is on its way has its answer first.
    pub(super) fn give_texts_back(&mut self, which: Back) {
        let sending = self.texts.sending;
        let goes = |text: &Leaving| sending != Some(text.id) && (which == Back::All || text.done == 0);
        let back = self.texts.queue.iter().filter(|text| goes(text));
        let back: Vec<_> = back.map(|text| (text.id, text.ending(TextFailure::ModemGone))).collect();
        self.texts.queue.retain(|text| !goes(text));
        for (id, failure) in back {
            self.tell_text(id, Err(failure));
        }
    }

    /// Half of it is paid for and may be read; the other half does not go by this line.
    fn give_halves_back(&mut self) {
        let halves: Vec<u64> = self.texts.halves().collect();
        self.texts.queue.retain(|text| !halves.contains(&text.id));
        for id in halves {
            self.tell_text(id, Err(TextFailure::Unknown));
        }
    }

    /// Another SIM is in the modem: whose number texts come from, and what its places
    /// hold, is another's.
    pub(super) fn texts_of_another(&mut self) {
        self.give_halves_back();
        let stay = self.lies(NamedMemory::Sim) == Lies::Elsewhere;
        if !stay {
            self.texts.deletes.clear();
        }
        self.reports.sim_changed();
        let on_sim = TextMemory::Other(NamedMemory::Sim);
        if stay { self.memories_changed(&[on_sim]) } else { self.memories_changed(&[on_sim, TextMemory::Chosen]) }
    }

    /// The modem reads its texts from another memory than before: its places are others, and
    /// what lies in those before is seen anew.
    pub(super) fn texts_in_another_memory(&mut self) {
        self.texts.deletes.clear();
        self.texts.reads.clear();
        // What it was told of is among what it lists.
        self.texts.sweep_at = Moment::START;
        let others = [NamedMemory::Sim, NamedMemory::Modem].map(TextMemory::Other);
        self.memories_changed(&[TextMemory::Chosen, others[0], others[1]]);
    }

    /// These names mean other memories from here on. Nothing more comes of what lies in the
    /// places of those before: it is told as it is. What is kept of it, or will be, is not to
    /// be emptied under the name.
    fn memories_changed(&mut self, memories: &[TextMemory]) {
        let is_gone = |slot: &StorageSlot| memories.contains(&slot.memory);
        for memory in memories {
            *self.texts.eras.entry(*memory).or_default() += 1;
        }
        self.texts.assembly.not_among(&[], is_gone);
        for mut text in self.texts.assembly.give_up(is_gone) {
            text.slots.retain(|slot| !is_gone(slot));
            self.tell_arrived(text);
        }
    }

    pub(super) fn text_answered(&mut self, command: &Command<Job>, rows: &[Said], end: End, now: Moment) {
        self.texts.sending = None;
        let Some(text) = self.texts.queue.front_mut() else { return };
        text.tries += 1;
        // A reference is the network's word that it has the part, whatever ends the answer. One
        // that came before the part was given is of another.
        let reference = reference(rows).filter(|_| command.is_body_given());
        if end.is_ok() || reference.is_some() {
            return self.part_sent(reference, now);
        }
        let failure = match end {
            End::Final(FinalResult::Cms(code)) => match AfterSendError::of_code(code) {
                AfterSendError::TryAgain => None,
                AfterSendError::GiveUp => Some(TextFailure::Refused(code)),
                AfterSendError::AskOwner => Some(TextFailure::NeedsOwner(code)),
                AfterSendError::Unknown => command.is_body_given().then_some(TextFailure::Unknown),
            },
            End::Final(_) => None,
            End::TimedOut | End::Gone => command.is_body_given().then_some(TextFailure::Unknown),
        };
        let id = text.id;
        if failure == Some(TextFailure::Unknown) {
            // It is paid for if it went.
            self.texts.parts_today += 1;
            self.out.push_back(ModemOutput::TextPart { id, fate: PartFate::Unknown, taken: None });
        }
        self.try_later(failure, now);
    }

    /// The first text of the queue was not sent: it fails, or it rests for a while.
    fn try_later(&mut self, failure: Option<TextFailure>, now: Moment) {
        let Some(text) = self.texts.queue.front_mut() else { return };
        let id = text.id;
        let failure = failure.or_else(|| (text.tries >= TRIES_MAX).then_some(TextFailure::TriedInVain));
        if let Some(failure) = failure.map(|failure| text.ending(failure)) {
            self.texts.queue.pop_front();
            return self.tell_text(id, Err(failure));
        }
        let wait = RETRY_AFTER.get(usize::from(text.tries - 1)).copied().unwrap_or(RETRY_AFTER[2]);
        text.not_before = now + wait;
    }

    fn part_sent(&mut self, reference: Option<u8>, now: Moment) {
        self.texts.parts_today += 1;
        let Some(text) = self.texts.queue.front_mut() else { return };
        (text.done, text.tries, text.not_before) = (text.done + 1, 0, now);
        let (id, is_whole) = (text.id, text.done >= text.parts.len());
        let parts = u32::try_from(text.parts.len()).unwrap_or(u32::MAX);
        let taken = reference.map(|reference| TakenPart { reference, to: text.to.clone(), parts });
        self.out.push_back(ModemOutput::TextPart { id, fate: PartFate::Taken, taken });
        if is_whole {
            self.texts.queue.pop_front();
            self.tell_text(id, Ok(()));
        }
    }

    pub(super) fn text_timers(&mut self, now: Moment) {
        for text in self.texts.assembly.expire(now) {
            self.tell_arrived(text);
        }
        if self.texts.away_since.is_some_and(|since| now.since(since) >= HALF_AGE_MAX) {
            self.give_halves_back();
        }
        let is_old = |text: &Leaving| now.since(text.since) >= AGE_MAX;
        // The one that is being sent has its answer first.
        let resting = self.texts.queue.iter().filter(|text| self.texts.sending != Some(text.id));
        let old = resting.filter(|text| is_old(text));
        let old: Vec<_> = old.map(|text| (text.id, text.ending(TextFailure::TriedInVain))).collect();
        self.texts.queue.retain(|text| old.iter().all(|(id, _)| *id != text.id));
        for (id, failure) in old {
            self.tell_text(id, Err(failure));
        }
    }
}
