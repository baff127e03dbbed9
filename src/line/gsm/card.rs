//! The sound of a call over a sound card: the modem's own on USB, or one that is wired
//! to it.

use crate::line::ReadClock;
use crate::line::sound_card::{CardEnd, CardName, CardSettings, CardUse, SoundCard, sound_cards};
use crate::media::{Frame, SampleRate};

use super::port::{SoundIo, Taken};

/// A card that is open for as long as this lives.
pub(super) struct CardSound {
    end: CardEnd,
    _card: SoundCard,
}

impl CardSound {
    pub(super) fn open(name: CardName, rate: SampleRate, clock: ReadClock) -> std::io::Result<Self> {
        let settings = CardSettings { name, rate, card_hz: None, uses: CardUse::Both };
        let (card, end) = SoundCard::start(settings, clock)?;
        Ok(Self { end, _card: card })
    }
}

/// The card of the USB device in this socket.
pub(super) fn card_of(usb_path: &str) -> Option<CardName> {
    let card = sound_cards().into_iter().find(|card| card.usb.as_ref().is_some_and(|usb| usb.path == usb_path))?;
    CardName::parse(&card.id).ok()
}

impl SoundIo for CardSound {
    /// What the card has really played, and not what was given to it: a card that
    /// takes nothing any more is found by it.
    fn begin_turn(&mut self) -> usize {
        2 * self.end.take_played()
    }

    fn take(&mut self) -> Taken {
        self.end.take().map_or(Taken::Nothing, |frame| Taken::Frame(frame.heard))
    }

    fn has_room(&self) -> bool {
        true
    }

    fn give(&mut self, frame: &Frame) -> usize {
        self.end.play(frame);
        0
    }

    /// The card's own ring keeps its depth.
    fn needs_none(&mut self) -> bool {
        false
    }

    fn flush(&mut self) {
        while self.end.take().is_some() {}
    }
}
