//! Texts in parts, put together again: parts come in any order, twice, hours
//! apart or never. Bounded in number and age; what stays incomplete comes out
//! after a time, marked.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::address::Address;
use super::content::{Body, Content};
use super::header::{PartOf, Ports};
use super::pdu::{Completeness, Deliver};
use super::time::CentreTime;
use crate::terms::Moment;

/// Incomplete texts that are kept at a time. A SIM stores thirty messages and a
/// modem a few hundred; the oldest comes out when there are more.
pub const TEXTS_MAX: usize = 64;

/// How long the parts of a text are waited for: a telephone that was off for a
/// night gets its parts within the day.
pub const TEXT_AGE_MAX: Duration = Duration::from_secs(24 * 3600);

/// The parts of a text that was sent long ago are waited for so long all the same: a box
/// that was off for days, or a network that had it for days, shows them one by one.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// Texts that came lately, by which one that comes again is known.
const RECENT_MAX: usize = 256;

/// Parts of one text have times of the centre that are close together; a sender
/// uses a reference again after 256 texts.
const SAME_TEXT_S: i64 = 3600;

/// Whether a text is all there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Wholeness {
    Whole,
    /// Parts did not come; their places are marked in the text.
    PartsMissing {
        missing: u8,
        total: u8,
    },
    /// A part was shorter than its PDU said.
    CutShort,
}

/// A text as somebody wrote it, with the places where the modem keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IncomingText<S> {
    pub from: Address,
    /// When the service centre had its first part that came.
    pub sent: Option<CentreTime>,
    pub body: Body,
    pub wholeness: Wholeness,
    /// 0 asks to be shown at once.
    pub class: Option<u8>,
    /// For a program, as settings and multimedia messages are, and not for a person.
    pub ports: Option<Ports>,
    /// The protocol identifier: 0x40 is a text that nobody is to see.
    pub protocol: u8,
    /// To be deleted from the modem once the text is kept, and not before.
    pub slots: Vec<S>,
}

/// A text of type 0, by which a network finds out whether a telephone is there
/// (3GPP TS 23.040 section 9.2.3.9).
const PROTOCOL_SILENT: u8 = 0x40;

impl<S> IncomingText<S> {
    /// Whether somebody may have written it to be read: no settings for a program, no
    /// picture, nothing that is to be kept from sight. Eight-bit characters may be words.
    pub const fn is_for_people(&self) -> bool {
        self.ports.is_none() && self.protocol != PROTOCOL_SILENT
    }
}

/// What came of a part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taken<S> {
    /// Texts that are complete now, or had to make room.
    pub texts: Vec<IncomingText<S>>,
    /// A place whose part is kept in another place too: it may be deleted at once.
    pub spare: Option<S>,
}

/// What came of something that cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unread<S> {
    New,
    Known,
    /// It is kept in another place too: this one may be emptied at once.
    Spare(S),
}

/// The incomplete texts of one line. `S` is where the modem keeps a part.
#[derive(Debug)]
pub struct Assembly<S> {
    texts: VecDeque<Incomplete<S>>,
    recent: VecDeque<Recent<S>>,
    age_max: Duration,
}

#[derive(Debug)]
struct Incomplete<S> {
    from: Address,
    part: PartOf,
    /// When it comes out as it is.
    until: Moment,
    parts: BTreeMap<u8, (Deliver, S)>,
}

#[derive(Debug)]
struct Recent<S> {
    digest: u64,
    at: Moment,
    /// Where it lies and is not kept yet.
    slots: Vec<S>,
    /// Where it is kept and still lies.
    emptying: Vec<S>,
}

impl<S> Recent<S> {
    /// Whether it lies in the modem no more: what comes now came anew.
    const fn is_gone(&self) -> bool {
        self.slots.is_empty() && self.emptying.is_empty()
    }
}

impl<S: Clone + PartialEq> Default for Assembly<S> {
    fn default() -> Self {
        Self::new(TEXT_AGE_MAX)
    }
}

impl<S: Clone + PartialEq> Assembly<S> {
    pub const fn new(age_max: Duration) -> Self {
        Self { texts: VecDeque::new(), recent: VecDeque::new(), age_max }
    }

    /// A part that the modem showed, where it keeps it, and how old it is by the
    /// calendar: a box that is switched off each day waits for the others no longer than
    /// one that runs. The same part from the same place, as a sweep of the storage shows
    /// it again, changes nothing.
    pub fn take(&mut self, deliver: Deliver, slot: S, age: Duration, now: Moment) -> Taken<S> {
        let nothing = |spare| Taken { texts: Vec::new(), spare };
        let (digest, part) = (digest(&deliver), deliver.header.part.filter(|part| part.total > 1));
        // A time tells a text from another one with the same words, and so does the
        // number of a text in parts. Without either, one that comes when the other is
        // gone may be new: rather told twice than never.
        let is_like_others = deliver.sent.is_none() && part.is_none();
        if let Some(known) = self.known(digest, now)
            && !(is_like_others && known.is_gone())
        {
            return nothing((!known.slots.contains(&slot)).then_some(slot));
        }
        let Some(part) = part else {
            self.remember(digest, now, vec![slot.clone()]);
            return Taken { texts: vec![single(deliver, slot)], spare: None };
        };
        let held = self.texts.iter().filter(|text| text.is_of(&deliver, part));
        let held = held.filter_map(|text| text.parts.get(&part.number)).find(|(held, _)| *held == deliver);
        if let Some((_, place)) = held {
            return nothing((*place != slot).then_some(slot));
        }
        let wanting = |text: &Incomplete<S>| text.is_of(&deliver, part) && !text.parts.contains_key(&part.number);
        let at = self.texts.iter().position(wanting);
        let until = now + self.age_max.saturating_sub(age).max(PATIENCE.min(self.age_max));
        let mut texts = Vec::new();
        let at = at.unwrap_or_else(|| {
            if self.texts.len() >= TEXTS_MAX {
                texts.extend(self.release_oldest(now));
            }
            let from = deliver.from.clone();
            self.texts.push_back(Incomplete { from, part, until, parts: BTreeMap::new() });
            self.texts.len() - 1
        });
        let text = &mut self.texts[at];
        text.until = text.until.min(until);
        text.parts.insert(part.number, (deliver, slot));
        if text.parts.len() == usize::from(part.total)
            && let Some(whole) = self.texts.remove(at)
        {
            texts.extend(self.finished(whole, now));
        }
        Taken { texts, spare: None }
    }

    /// Texts whose parts were waited for long enough.
    pub fn expire(&mut self, now: Moment) -> Vec<IncomingText<S>> {
        let mut expired = Vec::new();
        while self.deadline().is_some_and(|until| now >= until) {
            expired.extend(self.release_oldest(now));
        }
        expired
    }

    /// When [`Self::expire`] is due.
    pub fn deadline(&self) -> Option<Moment> {
        self.texts.iter().map(|text| text.until).min()
    }

    /// The oldest incomplete text as it is.
    fn release_oldest(&mut self, now: Moment) -> Option<IncomingText<S>> {
        self.release_oldest_in(|_| true, now)
    }

    /// The oldest incomplete text that has a part in such a place, as it is: for a memory
    /// that is full.
    pub fn release_oldest_in(&mut self, is_there: impl Fn(&S) -> bool, now: Moment) -> Option<IncomingText<S>> {
        let has_part_there = |text: &Incomplete<S>| text.parts.values().any(|(_, slot)| is_there(slot));
        let such = self.texts.iter().enumerate().filter(|(_, text)| has_part_there(text));
        let oldest = such.min_by_key(|(_, text)| text.until);
        let at = oldest.map(|(at, _)| at)?;
        let text = self.texts.remove(at)?;
        self.finished(text, now)
    }

    /// What is incomplete and has a part in a place that is gone, as it is: no other part
    /// can come any more. Parts that are seen again all the same begin a text anew.
    pub fn give_up(&mut self, is_gone: impl Fn(&S) -> bool) -> Vec<IncomingText<S>> {
        let is_broken = |text: &Incomplete<S>| text.parts.values().any(|(_, slot)| is_gone(slot));
        let (broken, others): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.texts).into_iter().partition(is_broken);
        self.texts = others;
        broken.into_iter().filter_map(Incomplete::joined).collect()
    }

    /// Whether something is known to lie in such a place, kept or not.
    pub fn has_in(&self, is_such: impl Fn(&S) -> bool) -> bool {
        let parts = self.texts.iter().flat_map(|text| text.parts.values().map(|(_, slot)| slot));
        let whole = self.recent.iter().flat_map(|recent| recent.slots.iter().chain(&recent.emptying));
        parts.chain(whole).any(is_such)
    }

    /// The places of a text that is kept now. What is shown there from now on is the same
    /// one that still lies there, or was sent once more, or another part.
    pub fn kept(&mut self, slots: &[S]) {
        for recent in &mut self.recent {
            recent.emptying.extend(recent.slots.extract_if(.., |slot| slots.contains(slot)));
        }
    }

    /// The modem has emptied this place.
    pub fn emptied(&mut self, slot: &S) {
        for recent in &mut self.recent {
            recent.slots.retain(|place| place != slot);
            recent.emptying.retain(|place| place != slot);
        }
    }

    /// All that lies in such a memory is in these places: what is kept and in none of them
    /// was emptied, by a modem that could not say so any more.
    pub fn not_among(&mut self, places: &[S], is_there: impl Fn(&S) -> bool) {
        for recent in &mut self.recent {
            recent.emptying.retain(|slot| !is_there(slot) || places.contains(slot));
        }
    }

    /// The places of a text that could not be kept: what lies there is told again when
    /// it is shown again.
    pub fn not_kept(&mut self, slots: &[S]) {
        self.recent.retain(|recent| !recent.slots.iter().any(|slot| slots.contains(slot)));
    }

    /// Whether something that is no text, as it came, was not told from this place
    /// before; from here on it was.
    pub fn take_unread(&mut self, coded: &str, slot: S, now: Moment) -> Unread<S> {
        let mut hasher = DefaultHasher::new();
        coded.hash(&mut hasher);
        let digest = hasher.finish();
        if let Some(known) = self.known(digest, now) {
            return if known.slots.contains(&slot) { Unread::Known } else { Unread::Spare(slot) };
        }
        self.remember(digest, now, vec![slot]);
        Unread::New
    }

    fn known(&mut self, digest: u64, now: Moment) -> Option<&Recent<S>> {
        self.recent.retain(|recent| now.since(recent.at) < TEXT_AGE_MAX);
        self.recent.iter().find(|recent| recent.digest == digest)
    }

    /// How many texts are incomplete.
    pub fn waiting(&self) -> usize {
        self.texts.len()
    }

    fn finished(&mut self, text: Incomplete<S>, now: Moment) -> Option<IncomingText<S>> {
        for (deliver, slot) in text.parts.values() {
            self.remember(digest(deliver), now, vec![slot.clone()]);
        }
        text.joined()
    }

    fn remember(&mut self, digest: u64, at: Moment, slots: Vec<S>) {
        if self.recent.len() >= RECENT_MAX {
            self.recent.pop_front();
        }
        // One that is gone is another.
        self.recent.retain(|recent| recent.digest != digest);
        self.recent.push_back(Recent { digest, at, slots, emptying: Vec::new() });
    }
}

impl<S: Clone> Incomplete<S> {
    fn is_of(&self, deliver: &Deliver, part: PartOf) -> bool {
        let same = |other: PartOf| (other.reference, other.width, other.total);
        let near = self.parts.values().next().is_none_or(|(held, _)| is_near(held.sent, deliver.sent));
        self.from == deliver.from && same(self.part) == same(part) && near
    }

    fn joined(self) -> Option<IncomingText<S>> {
        let total = self.part.total;
        let contents = (1..=total).map(|number| self.parts.get(&number).map(|(deliver, _)| &deliver.content));
        let body = Content::joined(contents);
        let missing = total.saturating_sub(u8::try_from(self.parts.len()).unwrap_or(total));
        let is_cut = self.parts.values().any(|(deliver, _)| deliver.completeness == Completeness::CutShort);
        let wholeness = match (missing, is_cut) {
            (0, false) => Wholeness::Whole,
            (0, true) => Wholeness::CutShort,
            (missing, _) => Wholeness::PartsMissing { missing, total },
        };
        let slots = self.parts.values().map(|(_, slot)| slot.clone()).collect();
        let (first, _) = self.parts.into_values().next()?;
        let (sent, class, ports) = (first.sent, first.coding.class, first.header.ports);
        Some(IncomingText { from: self.from, sent, body, wholeness, class, ports, protocol: first.protocol, slots })
    }
}

fn single<S>(deliver: Deliver, slot: S) -> IncomingText<S> {
    let wholeness = match deliver.completeness {
        Completeness::Whole => Wholeness::Whole,
        Completeness::CutShort => Wholeness::CutShort,
    };
    IncomingText {
        body: deliver.content.body(),
        from: deliver.from,
        sent: deliver.sent,
        wholeness,
        class: deliver.coding.class,
        ports: deliver.header.ports,
        protocol: deliver.protocol,
        slots: vec![slot],
    }
}

fn is_near(one: Option<CentreTime>, other: Option<CentreTime>) -> bool {
    let (Some(one), Some(other)) = (one.and_then(CentreTime::instant), other.and_then(CentreTime::instant)) else {
        return true;
    };
    (one.as_second() - other.as_second()).abs() <= SAME_TEXT_S
}

/// Two parts with the same digest are the same part: sender, time and content.
fn digest(deliver: &Deliver) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&deliver.from, deliver.sent, deliver.header, &deliver.content).hash(&mut hasher);
    hasher.finish()
}
