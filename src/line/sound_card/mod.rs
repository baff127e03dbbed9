//! A sound card: opened by its stable name, kept open, and opened again when it was
//! unplugged and is back. It gives and takes frames of 20 ms at the line's rate,
//! whatever the card's own is, and counts both. What the sound means, the line that
//! holds it knows.
//!
//! A thread `sound-card` opens and watches, since both may wait for a driver; the
//! library's threads move samples in and out of rings; the line takes them in its own
//! time. Nobody waits for anybody.

mod choice;
mod end;
mod origin;
mod present;
mod ring;
#[cfg(test)]
mod simulated;
mod streams;
mod vigil;

pub use end::{CardCounts, CardEnd, CardFrame};
pub use present::{CardFacts, UsbPlace, sound_cards};
#[cfg(test)]
pub(in crate::line) use simulated::SimulatedSpeaker;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;

use crate::line::ReadClock;
use crate::media::SampleRate;

use end::Opening;
use streams::Streams;
use vigil::Vigil;

/// How often an open card is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How often a card that is away is looked for. People wait a second for a device that
/// they plugged in; the kernel's own events would need a socket and bring 0.9 s.
const AGAIN: Duration = Duration::from_secs(1);

/// A driver that reports more losses than this between two looks does nothing else.
const XRUNS_A_LOOK: u32 = 20;

/// Looks at an open card between two looks at the list of cards: once a second.
const LOOKS_A_LIST: u32 = 10;

/// Openings that the line has not taken over: it does so 50 times a second.
const OPENINGS: usize = 4;

/// Which card, in words that survive unplugging and renumbering.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CardName(Named);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Named {
    /// A card of `/proc/asound/cards` and a device of it.
    Card { id: String, device: u32 },
    /// The card in a USB socket: of two that are alike, the one that is plugged in there.
    Socket { path: String, device: u32 },
    /// A name of the sound library's own configuration.
    Library(String),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error(
    "reading the name of a sound card: write the word in brackets of /proc/asound/cards, such as \"Android\", with \
     a device behind a comma if it is not the first, or \"usb:\" and the socket it is plugged into, such as \
     \"usb:1-1.4\", or \"alsa:\" and a name of the sound library's configuration"
)]
pub struct ParseCardName;

impl CardName {
    /// `Android`, `Android,1`, `usb:1-1.4` and the like (a [`UsbPlace`]'s path), or `alsa:`
    /// and a name of the sound library's configuration.
    pub fn parse(text: &str) -> Result<Self, ParseCardName> {
        let plain = |name: &str| {
            // The kernel's identifiers have 15 characters; the library's names are short too.
            (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        };
        if let Some(name) = text.strip_prefix("alsa:") {
            let is_name = plain(name) && !name.is_empty();
            return is_name.then(|| Self(Named::Library(name.to_owned()))).ok_or(ParseCardName);
        }
        let (card, device) = text.split_once(',').unwrap_or((text, "0"));
        let device = device.trim().parse().ok().filter(|device| *device < 32).ok_or(ParseCardName)?;
        let named = match card.strip_prefix("usb:") {
            Some(path) if plain(path) => Named::Socket { path: path.to_owned(), device },
            None if plain(card) => Named::Card { id: card.to_owned(), device },
            Some(_) | None => return Err(ParseCardName),
        };
        Ok(Self(named))
    }

    /// Whether both names mean one device, as far as the cards that are plugged in tell.
    pub fn is_same_device(&self, other: &Self) -> bool {
        self == other || self.is_same_among(other, &sound_cards())
    }

    fn is_same_among(&self, other: &Self, cards: &[CardFacts]) -> bool {
        let place = |name: &Self| Some((name.find(cards.to_vec())?.index, name.device()?));
        place(self).is_some_and(|own| place(other) == Some(own))
    }

    const fn device(&self) -> Option<u32> {
        match self.0 {
            Named::Card { device, .. } | Named::Socket { device, .. } => Some(device),
            Named::Library(_) => None,
        }
    }

    /// Whether the card is plugged in, as far as can be told without opening it.
    pub fn may_be_there(&self) -> bool {
        matches!(self.0, Named::Library(_)) || self.find(sound_cards()).is_some()
    }

    /// The card of this name among `cards`.
    fn find(&self, cards: Vec<CardFacts>) -> Option<CardFacts> {
        let is_it = |card: &CardFacts| match &self.0 {
            Named::Card { id, .. } => card.id == *id,
            Named::Socket { path, .. } => card.usb.as_ref().is_some_and(|usb| usb.path == *path),
            Named::Library(_) => false,
        };
        cards.into_iter().find(is_it)
    }

    /// The names that the library may know it by, best first: it lists cards by their
    /// identifier, and by their number if that is all it knows.
    fn library_names(&self, cards: Vec<CardFacts>) -> Vec<String> {
        match &self.0 {
            Named::Library(name) => vec![name.clone()],
            Named::Card { device, .. } | Named::Socket { device, .. } => {
                let Some(CardFacts { id, index, .. }) = self.find(cards) else { return Vec::new() };
                vec![format!("hw:CARD={id},DEV={device}"), format!("hw:CARD={index},DEV={device}")]
            }
        }
    }
}

impl fmt::Display for CardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Named::Card { id, device: 0 } => f.write_str(id),
            Named::Card { id, device } => write!(f, "{id},{device}"),
            Named::Socket { path, device: 0 } => write!(f, "usb:{path}"),
            Named::Socket { path, device } => write!(f, "usb:{path},{device}"),
            Named::Library(name) => write!(f, "alsa:{name}"),
        }
    }
}

/// Which directions of a card are used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CardUse {
    Both,
    /// A speaker alone.
    Playback,
}

#[derive(Clone, Debug)]
pub struct CardSettings {
    pub name: CardName,
    /// The rate of the frames that are given and taken.
    pub rate: SampleRate,
    /// The only rate at which the card may run (8000, 16000 or 48000), for one that
    /// claims others and sounds wrong with them.
    pub card_hz: Option<u32>,
    pub uses: CardUse,
}

/// What is wrong with a card, each as the rest of "The sound card NAME …".
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CardTrouble {
    #[error("is not plugged in; plug it in, and it comes back by itself")]
    Absent,
    #[error("is used by another program; stop it, and the card comes back by itself")]
    Busy,
    #[error("may not be opened by this user; add the user to the group `audio`")]
    Forbidden,
    #[error("has no rate of 8, 16 or 48 kHz in which it can be used; use another card")]
    NoCommonRate,
    #[error("was unplugged")]
    Unplugged,
    #[error("gives and takes no sound any more; unplug it and plug it in again")]
    Stalled,
    #[error("gives sound faster than it can be spoken, as one does that is gone; unplug it and plug it in again")]
    RanAway,
    #[error("failed; unplug it and plug it in again, and read the kernel's log if that does not help")]
    Failed,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CardState {
    Opening,
    /// Sound flows, at the card's own rate.
    Open {
        card_hz: u32,
    },
    Away(CardTrouble),
}

/// What the line sees of its card.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CardView {
    pub state: CardState,
    /// How often the card was opened: a change says that it was away.
    pub openings: u32,
    /// How often it lost or lacked sound since the start, as its driver says.
    pub xruns: u32,
}

/// A card that is kept open. Dropping it closes the card.
pub struct SoundCard {
    view: watch::Receiver<CardView>,
    counts: Arc<end::Counters>,
    /// Its thread ends when this is gone.
    _held: SyncSender<Infallible>,
}

impl SoundCard {
    /// Starts the thread that opens the card; the end gives and takes frames whenever
    /// the card is open, and nothing otherwise.
    pub fn start(settings: CardSettings, clock: ReadClock) -> std::io::Result<(Self, CardEnd)> {
        let (held, holder) = sync_channel(1);
        let (openings, opened) = sync_channel(OPENINGS);
        let first = CardView { state: CardState::Opening, openings: 0, xruns: 0 };
        let (view_sender, view) = watch::channel(first);
        let counts = Arc::new(end::Counters::default());
        let end = CardEnd::new(settings.rate, opened, counts.clone());
        let keeper = Keeper { settings, clock, openings, view: view_sender, holder, counts: counts.clone() };
        std::thread::Builder::new().name("sound-card".to_owned()).spawn(move || keeper.run())?;
        Ok((Self { view, counts, _held: held }, end))
    }

    /// The card's state, and a way to wait for its changes.
    pub fn view(&self) -> watch::Receiver<CardView> {
        self.view.clone()
    }

    pub fn counts(&self) -> CardCounts {
        self.counts.read()
    }
}

impl fmt::Debug for SoundCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoundCard").field("view", &*self.view.borrow()).finish_non_exhaustive()
    }
}

/// What the library's threads tell the keeper.
#[derive(Default)]
struct Signs {
    /// Samples that came and went, at the card's rate.
    captured: AtomicU64,
    played: AtomicU64,
    xruns: AtomicU32,
    /// 0: none; else the number of a trouble.
    trouble: AtomicU32,
}

impl Signs {
    const UNPLUGGED: u32 = 1;
    const FAILED: u32 = 2;

    fn trouble(&self) -> Option<CardTrouble> {
        match self.trouble.load(Ordering::Acquire) {
            0 => None,
            Self::UNPLUGGED => Some(CardTrouble::Unplugged),
            _ => Some(CardTrouble::Failed),
        }
    }
}

/// The thread: opens, watches, closes, and opens again.
struct Keeper {
    settings: CardSettings,
    clock: ReadClock,
    openings: SyncSender<Opening>,
    view: watch::Sender<CardView>,
    holder: Receiver<Infallible>,
    counts: Arc<end::Counters>,
}

/// The card is not wanted any more.
struct Released;

impl Keeper {
    fn run(self) {
        loop {
            let trouble = match self.open() {
                Ok((streams, opening)) => match self.keep(streams, opening) {
                    Ok(trouble) => trouble,
                    Err(Released) => return,
                },
                Err(trouble) => trouble,
            };
            self.show(CardState::Away(trouble));
            if self.pause(AGAIN).is_err() {
                return;
            }
        }
    }

    fn open(&self) -> Result<(Streams, Opening), CardTrouble> {
        if !self.settings.name.may_be_there() {
            return Err(CardTrouble::Absent);
        }
        Streams::open(&self.settings, &self.clock, &self.counts)
    }

    /// Watches the open card until something is wrong with it, and closes it.
    fn keep(&self, streams: Streams, opening: Opening) -> Result<CardTrouble, Released> {
        if self.openings.try_send(opening).is_err() {
            // Nobody takes the sound: the line has ended, or its thread stands still.
            return Ok(CardTrouble::Stalled);
        }
        let (hz, signs) = (streams.hz(), streams.signs());
        self.view.send_modify(|view| {
            view.openings += 1;
            view.state = CardState::Open { card_hz: hz };
        });
        tracing::info!(card = %self.settings.name, hz, "a sound card is open");
        let now = (self.clock)();
        let (mut heard, mut spoken) = (Vigil::new(hz, now), Vigil::new(hz, now));
        let (mut known_xruns, mut looks) = (0, 0_u32);
        let found = loop {
            self.pause(LOOK)?;
            let now = (self.clock)();
            let is_useless = self.tell_xruns(&signs, &mut known_xruns) > XRUNS_A_LOOK;
            let captured = signs.captured.load(Ordering::Acquire);
            let played = signs.played.load(Ordering::Acquire);
            let hearing = streams.hears().then(|| heard.look(captured, now)).flatten();
            let speaking = spoken.look(played, now);
            looks += 1;
            let listed = !looks.is_multiple_of(LOOKS_A_LIST) || self.settings.name.may_be_there();
            let unlisted = (!listed).then_some(CardTrouble::Unplugged);
            let useless = is_useless.then_some(CardTrouble::Failed);
            if let Some(trouble) = signs.trouble().or(unlisted).or(useless).or(hearing).or(speaking) {
                break trouble;
            }
        };
        // Told first: a driver that hangs may keep its threads, and this one with them.
        self.show(CardState::Away(found));
        drop(streams);
        Ok(found)
    }

    /// Tells of what was lost since the last look, and how often that was.
    fn tell_xruns(&self, signs: &Signs, known: &mut u32) -> u32 {
        let xruns = signs.xruns.load(Ordering::Acquire);
        let fresh = xruns.wrapping_sub(*known);
        *known = xruns;
        if fresh > 0 {
            self.view.send_modify(|view| view.xruns = view.xruns.saturating_add(fresh));
        }
        fresh
    }

    fn show(&self, state: CardState) {
        let changed = self.view.send_if_modified(|view| std::mem::replace(&mut view.state, state) != state);
        if let (true, CardState::Away(trouble)) = (changed, state) {
            tracing::warn!(card = %self.settings.name, "the sound card {trouble}");
        }
    }

    /// Waits, unless nobody wants the card any more.
    fn pause(&self, time: Duration) -> Result<(), Released> {
        match self.holder.recv_timeout(time) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => Err(Released),
            Ok(never) => match never {},
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two handsets of one model.
    fn two_alike() -> Vec<CardFacts> {
        let card = |index, id: &str, path: &str| CardFacts {
            index,
            id: id.to_owned(),
            title: String::new(),
            usb: Some(UsbPlace { path: path.to_owned(), vendor: 0x0d8c, product: 0x0014 }),
        };
        vec![card(1, "Device", "1-1.2"), card(4, "Device_1", "1-1.4")]
    }

    #[test]
    fn a_card_is_named_by_its_identifier_its_socket_or_as_the_library_does() {
        for (text, first) in [
            ("Device", "hw:CARD=Device,DEV=0"),
            ("Device_1,2", "hw:CARD=Device_1,DEV=2"),
            ("usb:1-1.4", "hw:CARD=Device_1,DEV=0"),
            ("usb:1-1.2,1", "hw:CARD=Device,DEV=1"),
            ("alsa:line0", "line0"),
        ] {
            let name = CardName::parse(text).unwrap();
            assert_eq!(name.to_string(), text);
            assert_eq!(name.library_names(two_alike())[0], first);
        }
        assert!(CardName::parse("usb:2-1").unwrap().library_names(two_alike()).is_empty());
    }

    #[test]
    fn two_names_of_one_device_are_known_for_one() {
        let is_same = |one: &str, other: &str| {
            let parse = |text| CardName::parse(text).unwrap();
            parse(one).is_same_among(&parse(other), &two_alike())
        };
        assert!(is_same("Device_1", "usb:1-1.4"));
        assert!(is_same("usb:1-1.2,1", "Device,1"));
        for (one, other) in [("Device", "usb:1-1.4"), ("Device", "Device,1"), ("Gone", "Gone"), ("alsa:a", "Device")] {
            assert!(!is_same(one, other), "{one} and {other}");
        }
        let gone = CardName::parse("Gone").unwrap();
        assert!(gone.is_same_device(&gone), "a name is itself, whatever is plugged in");
    }

    #[test]
    fn what_is_no_name_of_a_card_is_refused() {
        for text in
            ["", ",1", "a b", "Android,x", "Android,99", "alsa:", "alsa:hw:0", "hw:0,0", "../etc", "usb:", "usb:1/2"]
        {
            assert_eq!(CardName::parse(text), Err(ParseCardName), "{text}");
        }
    }

    #[test]
    fn a_card_that_is_not_there_is_said_to_be_absent() {
        let name = CardName::parse("NoSuchCard").unwrap();
        let settings = CardSettings { name, rate: SampleRate::Hz16000, card_hz: None, uses: CardUse::Both };
        let (card, mut end) = SoundCard::start(settings, crate::ops::SystemClock::new().as_fn()).unwrap();
        let mut view = card.view();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let absent = CardState::Away(CardTrouble::Absent);
        runtime.block_on(async {
            let wait = view.wait_for(|view| view.state == absent);
            tokio::time::timeout(Duration::from_secs(20), wait).await.expect("in time").expect("the keeper lives");
        });
        assert!(end.take().is_none());
    }
}
