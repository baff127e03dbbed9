//! Texts that come, and the modem's memory of them: they are read from their places, put
//! together and told to the owner. No place is emptied before its text is kept, and nothing
//! is sent to the network.

use std::time::Duration;

use crate::signalling::modem::engine::{End, Said};
use crate::signalling::modem::input::{NamedMemory, StorageSlot, TextMemory};
use crate::signalling::modem::output::{Delivery, IncomingText, ModemOutput, TextReport, TextSender};
use crate::signalling::modem::row::{Row, fields, number_at};
use crate::signalling::modem::sms::{
    self, Body, CentreTime, Completeness, Deliver, Message, NumberKind, Pdu, Report, Unread, Wholeness, hex,
};
use crate::terms::{Moment, Private};

use super::super::ModemLine;
use super::super::reports::Lies;
use super::Texts;

/// Places that a modem told of and that were not read yet.
const READS_MAX: usize = 64;

/// What stands before octets that are no characters.
const AS_FIGURES: &str = "(data, as hexadecimal figures) ";

/// A text without a place has one that no modem has.
const NO_PLACE: StorageSlot = StorageSlot::chosen(u16::MAX);

/// Places to be emptied; a full SIM has 50, a full modem 255.
const DELETES_MAX: usize = 256;

impl Texts {
    /// The modem has stored a text. A place that is not told is found by a sweep.
    pub(in super::super) fn stored(&mut self, index: Option<u16>) {
        self.is_full = false;
        match index {
            Some(index) if self.reads.len() < READS_MAX && !self.reads.contains(&index) => {
                self.reads.push_back(index);
            }
            Some(_) => {}
            None => self.sweep_at = Moment::START,
        }
    }

    /// A text could not be kept: the next sweep tells it again.
    pub(in super::super) fn not_kept(&mut self, slots: &[StorageSlot]) {
        self.assembly.not_kept(slots);
        for slot in slots {
            self.see_place_again(*slot);
        }
    }

    /// Something in another memory than the modem's is not done with: the next sweep looks
    /// there too, and no sooner, as what went wrong may go wrong again.
    pub(in super::super) fn see_again(&mut self, memory: NamedMemory) {
        self.unseen.insert(memory);
    }

    /// Each sweep sees the memory that the modem is set to.
    fn see_place_again(&mut self, slot: StorageSlot) {
        if let TextMemory::Other(memory) = slot.memory {
            self.see_again(memory);
        }
    }

    /// Whether this place has shown the same before. What a modem does not store comes
    /// only once.
    fn is_shown_again(&mut self, coded: &str, slot: Option<StorageSlot>) -> bool {
        let Some(slot) = slot else { return true };
        if self.doubtful.iter().any(|(at, shown)| *at == slot && shown == coded) {
            return true;
        }
        self.doubtful.retain(|(at, _)| *at != slot);
        if self.doubtful.len() >= DELETES_MAX {
            self.doubtful.pop_front();
        }
        self.doubtful.push_back((slot, coded.to_owned()));
        false
    }

    /// A place in a memory as it is now.
    fn place(&self, memory: TextMemory, index: u16) -> StorageSlot {
        StorageSlot { memory, index, era: self.eras.get(&memory).copied().unwrap_or_default() }
    }

    fn delete(&mut self, index: u16) {
        if self.deletes.len() < DELETES_MAX && !self.deletes.contains(&index) {
            self.deletes.push_back(index);
        }
    }

    /// The modem was told to empty a place of its texts.
    pub(in super::super) fn delete_answered(&mut self, index: u16, end: End) {
        if end.is_ok() {
            self.is_full = false;
            let place = self.place(TextMemory::Chosen, index);
            self.assembly.emptied(&place);
        }
    }

    /// The modem was told to empty a place of a memory that it is not set to.
    pub(in super::super) fn other_delete_answered(&mut self, memory: NamedMemory, index: u16, end: End) {
        if end.is_ok() {
            let place = self.place(TextMemory::Other(memory), index);
            self.assembly.emptied(&place);
        } else {
            self.see_again(memory);
        }
    }

    /// The modem has listed all its texts, so many.
    fn looked_through(&mut self, listed: usize) {
        // Somebody may have emptied places by hand.
        self.is_full = self.is_full && listed >= self.listed;
        self.listed = listed;
        self.drafts.clear();
    }
}

/// Eight-bit characters are written in no alphabet that is said; most senders mean
/// ISO 8859-1. What has others is shown in figures.
fn octets_shown(octets: &[u8]) -> String {
    let is_shown = |octet: &u8| matches!(octet, b'\n' | b'\r' | b'\t' | b' '..=b'~' | 0xA0..=0xFF);
    if octets.iter().all(is_shown) {
        return octets.iter().copied().map(char::from).collect();
    }
    let figures: String = octets.iter().map(|octet| format!("{octet:02X}")).collect();
    format!("{AS_FIGURES}{figures}")
}

/// Whether figures of a text are missing. What is left of them may be read all the same, and
/// as other words than were sent.
fn lacks_figures(deliver: &Deliver, coded: &str, octets: Option<usize>) -> bool {
    let is_shorter = octets.is_some_and(|octets| hex::octets(coded).len() < octets);
    deliver.completeness == Completeness::CutShort || is_shorter || hex::has_half_octet(coded)
}

/// The place of a row of a list of texts.
fn listed_at(row: &Row) -> Option<u16> {
    match row {
        Row::Named { name, fields: text } if name == "+CMGL" => number_at(&fields(text), 0),
        _ => None,
    }
}

/// How many octets the modem says a text has, without those of its centre.
pub(in super::super) fn octets_said(head: &Row) -> Option<usize> {
    match head {
        Row::Named { fields: text, .. } => fields(text).last().and_then(|octets| octets.number()),
        Row::Final(_) | Row::Bare(_) => None,
    }
}

impl ModemLine {
    /// The modem has stored a text. One for the SIM or for the modem goes there whatever
    /// memory is chosen (3GPP TS 23.038 section 4), and a place in one is another text's in
    /// the other.
    pub(in super::super) fn text_stored(&mut self, index: Option<u16>, memory: Option<NamedMemory>) {
        let Some(memory) = memory else { return self.texts.stored(index) };
        match self.lies(memory) {
            Lies::Here => self.texts.stored(index),
            Lies::AmongOthers => self.texts.stored(None),
            Lies::Elsewhere => self.reports.sweep(memory),
        }
    }

    /// A text is kept: its places in the modem may be emptied. One that was read before the
    /// modem read another memory, or had another SIM, is another text's by now: what lies in
    /// it is spare wherever it is seen again.
    pub(in super::super) fn text_kept(&mut self, slots: &[StorageSlot]) {
        self.texts.assembly.kept(slots);
        for slot in slots {
            if *slot == self.texts.place(slot.memory, slot.index) {
                self.delete_text(*slot);
            } else {
                self.texts.assembly.emptied(slot);
            }
        }
    }

    fn delete_text(&mut self, slot: StorageSlot) {
        match slot.memory {
            TextMemory::Chosen => self.texts.delete(slot.index),
            TextMemory::Other(memory) => self.reports.delete_in(memory, slot.index),
        }
    }

    pub(in super::super) fn text_read(&mut self, index: u16, rows: &[Said], now: Moment) {
        let place = self.texts.place(TextMemory::Chosen, index);
        for said in rows {
            if let Some(coded) = &said.coded {
                self.text_came(coded, octets_said(&said.row), Some(place), now);
            }
        }
    }

    pub(in super::super) fn texts_listed(&mut self, rows: &[Said], end: End, now: Moment) {
        if end.is_ok() {
            self.texts.looked_through(rows.iter().filter(|said| said.row.name() == Some("+CMGL")).count());
            // After its own: where the two are one memory, all of it is known by then.
            for memory in std::mem::take(&mut self.texts.unseen) {
                self.reports.sweep(memory);
            }
            self.reports.ask_home_again();
        }
        self.texts_shown(rows, TextMemory::Chosen, end, now);
    }

    /// The modem has listed what lies in a memory that it is not set to, or could not.
    pub(in super::super) fn other_listed(&mut self, memory: NamedMemory, rows: &[Said], end: End, now: Moment) {
        if !end.is_ok() {
            self.texts.see_again(memory);
        }
        self.texts_shown(rows, TextMemory::Other(memory), end, now);
    }

    /// Rows of a list of texts in a memory.
    fn texts_shown(&mut self, rows: &[Said], memory: TextMemory, end: End, now: Moment) {
        let first = self.texts.place(memory, 0);
        let place = |said: &Said| listed_at(&said.row).map(|index| StorageSlot { index, ..first });
        if end.is_ok() {
            let places: Vec<StorageSlot> = rows.iter().filter_map(place).collect();
            self.texts.assembly.not_among(&places, |slot| slot.memory == memory);
        }
        for said in rows {
            if let (Some(place), Some(coded)) = (place(said), &said.coded) {
                self.text_came(coded, octets_said(&said.row), Some(place), now);
            }
        }
    }

    /// A coded text, from its place in the modem or directly.
    pub(in super::super) fn text_came(
        &mut self,
        coded: &str,
        octets: Option<usize>,
        place: Option<StorageSlot>,
        now: Moment,
    ) {
        let pdu = octets.map_or_else(|| Pdu::read(coded), |octets| Pdu::read_of_length(coded, octets));
        match pdu.map(|pdu| pdu.message) {
            Ok(Message::Deliver(deliver)) => {
                if lacks_figures(&deliver, coded, octets) && !self.is_believed(coded, place) {
                    return;
                }
                let slot = place.unwrap_or(NO_PLACE);
                let age = self.age_of(&deliver, now);
                let taken = self.texts.assembly.take(deliver, slot, age, now);
                if place.is_none() {
                    self.texts.assembly.emptied(&slot);
                }
                for text in taken.texts {
                    self.tell_arrived(text);
                }
                if let Some(spare) = taken.spare.filter(|spare| *spare != NO_PLACE) {
                    self.delete_spare(spare);
                }
            }
            Ok(Message::Report(report)) => {
                self.report_came(&report);
                if let Some(place) = place {
                    self.delete_text(place);
                }
            }
            // What was written on a telephone and never sent is its owner's.
            Ok(Message::Submit(_)) => {
                let chosen = place.filter(|place| place.memory == TextMemory::Chosen);
                self.texts.drafts.extend(chosen.map(|place| place.index));
            }
            Err(why) => self.unread_came(coded, &why.to_string(), place, now),
        }
    }

    /// A modem may call one memory by two names. What is spare may then be what is to be
    /// kept, as long as something lies under the other name; and a place that is emptied
    /// under both may have had another text in between. What was told from a memory that is
    /// no more read under its name, and is not kept yet, may be this very text.
    fn delete_spare(&mut self, spare: StorageSlot) {
        let is_other = |slot: &StorageSlot| (slot.memory, slot.era) != (spare.memory, spare.era) && *slot != NO_PLACE;
        if self.texts.assembly.has_in(is_other) {
            self.texts.see_place_again(spare);
        } else {
            self.delete_text(spare);
        }
    }

    /// How long ago its centre had a text. One that says no time, or one that is yet to
    /// come as of a clock that is wrong, is new.
    fn age_of(&self, deliver: &Deliver, now: Moment) -> Duration {
        let sent = deliver.sent.and_then(CentreTime::instant);
        let age = sent.map(|sent| self.calendar(now).duration_since(sent));
        age.and_then(|age| Duration::try_from(age).ok()).unwrap_or_default()
    }

    /// What may have been garbled on its way is believed when its place shows it so once more.
    fn is_believed(&mut self, coded: &str, place: Option<StorageSlot>) -> bool {
        let is_shown_again = self.texts.is_shown_again(coded, place);
        if let Some(place) = place.filter(|_| !is_shown_again) {
            self.texts.see_place_again(place);
        }
        is_shown_again
    }

    /// Somebody may have written it: it is kept as it came, and its place emptied like
    /// that of any text.
    fn unread_came(&mut self, coded: &str, why: &str, place: Option<StorageSlot>, now: Moment) {
        if !self.is_believed(coded, place) {
            return;
        }
        let slot = place.unwrap_or(NO_PLACE);
        match self.texts.assembly.take_unread(coded, slot, now) {
            Unread::New => {}
            Unread::Known => return,
            Unread::Spare(spare) => return self.delete_spare(spare),
        }
        self.counters.unreadable_texts += 1;
        self.support.line(format!("a text cannot be read: {why}"), now);
        let text = IncomingText {
            from: TextSender::Unknown,
            text: Private::new(format!("(a text that cannot be read: {why}) {coded}")),
            sent_at: None,
            missing_parts: 0,
            for_program: false,
        };
        let slots = place.into_iter().collect();
        self.out.push_back(ModemOutput::TextArrived { text, slots });
    }

    pub(super) fn tell_arrived(&mut self, text: sms::IncomingText<StorageSlot>) {
        let for_program = !text.is_for_people();
        let slots = text.slots.into_iter().filter(|slot| *slot != NO_PLACE).collect();
        let missing_parts = match text.wholeness {
            Wholeness::Whole => 0,
            Wholeness::PartsMissing { missing, .. } => missing,
            Wholeness::CutShort => 1,
        };
        let words = match text.body {
            Body::Text(words) => words,
            Body::Octets(octets) => Private::new(octets_shown(octets.expose())),
        };
        let from = match (text.from.kind, text.from.phone(&self.settings.country_code)) {
            (NumberKind::Name, _) => TextSender::Name(text.from.text),
            (_, Some(number)) => TextSender::Number(number),
            (_, None) => TextSender::Unknown,
        };
        let sent_at = text.sent.and_then(CentreTime::instant);
        let text = IncomingText { from, text: words, sent_at, missing_parts, for_program };
        self.out.push_back(ModemOutput::TextArrived { text, slots });
    }

    /// Which text it is of the owner knows, who remembers parts for days.
    pub(in super::super) fn report_came(&mut self, report: &Report) {
        let to = report.to.phone(&self.settings.country_code);
        let delivery = match report.delivery {
            sms::Delivery::Delivered => Delivery::Delivered,
            sms::Delivery::Trying(_) => Delivery::Pending,
            sms::Delivery::GaveUp(_) | sms::Delivery::Failed(_) => Delivery::Failed,
        };
        self.out.push_back(ModemOutput::TextReported(TextReport { reference: report.reference, to, delivery }));
    }

    /// No text comes any more until there is room in the memory. What is incomplete there
    /// makes it.
    pub(in super::super) fn storage_full(&mut self, memory: Option<NamedMemory>, now: Moment) {
        self.support.line("the modem's storage of texts is full".to_owned(), now);
        let other = memory.filter(|memory| self.lies(*memory) == Lies::Elsewhere);
        match other {
            Some(memory) => self.reports.sweep(memory),
            None => (self.texts.sweep_at, self.texts.is_full) = (now, true),
        }
        let full = other.map_or(TextMemory::Chosen, TextMemory::Other);
        if let Some(text) = self.texts.assembly.release_oldest_in(|slot| slot.memory == full, now) {
            self.tell_arrived(text);
        }
    }

    /// What its owner is told of a memory in which no text has room.
    pub(in super::super) fn text_memory_trouble(&self) -> Option<&'static str> {
        let drafts = self.texts.drafts.len();
        let is_all_drafts = drafts > 0 && self.facts.text_places.is_some_and(|places| drafts >= places);
        let trouble = if self.lies(NamedMemory::Sim) == Lies::Elsewhere {
            "the modem's memory of texts is full, and none comes; delete drafts and sent texts in it by AT+CMGD"
        } else {
            "the SIM's memory of texts is full, and none comes; delete drafts and sent texts on it in a telephone"
        };
        (self.texts.is_full || is_all_drafts).then_some(trouble)
    }
}
