//! The one call that a modem has at a time, between the desk and the machine.

use std::future::pending;

use tokio::sync::mpsc;

use crate::call::MediaFacts;
use crate::line::{EventEnd, Leg, LegCommand, LegEnd, LegEvent, Rhythm, leg};
use crate::media::SampleRate;
use crate::terms::{EndCause, Moment};

use super::digits::{DigitMerger, HeardBy};
use super::port::Voice;

/// Raw samples from the modem; what the air carries it does not tell.
pub(super) const CODEC: &str = "PCM";

pub(super) struct Call {
    commands: Option<mpsc::Receiver<LegCommand>>,
    events: EventEnd,
    /// While the sound is closed.
    pub(super) voice: Option<Box<Voice>>,
    digits: DigitMerger,
    /// The desk wants it.
    pub(super) is_taken: bool,
    pub(super) is_connected: bool,
    /// Whether sound ever flowed.
    pub(super) had_sound: bool,
}

impl Call {
    pub(super) fn new() -> (Self, Leg) {
        let (leg, LegEnd { commands, events, ears, mouth }) = leg(Rhythm::Device);
        let voice = Some(Box::new(Voice { ears, mouth, lost_ears: 0 }));
        let call = Self {
            commands: Some(commands),
            events,
            voice,
            digits: DigitMerger::default(),
            is_taken: false,
            is_connected: false,
            had_sound: false,
        };
        (call, leg)
    }

    /// What the desk wants next; none, once, when it has dropped the leg.
    pub(super) async fn command(&mut self) -> Option<LegCommand> {
        match &mut self.commands {
            None => pending().await,
            Some(commands) => {
                let command = commands.recv().await;
                if command.is_none() {
                    self.commands = None;
                }
                command
            }
        }
    }

    pub(super) fn connected(&mut self, at: Moment, rate: SampleRate) {
        self.is_connected = true;
        self.events.tell(LegEvent::Answered { at, rate, codec: CODEC });
    }

    pub(super) fn digit(&mut self, digit: char, by: HeardBy, at: Moment) {
        if self.digits.is_new(digit, by, at) {
            self.events.tell(LegEvent::Digit { at, digit });
        }
    }

    pub(super) fn lost(&self, at: Moment) {
        self.events.tell(LegEvent::MediaLost { at });
    }

    pub(super) fn end(self, cause: EndCause, at: Moment) {
        if let Some(missed) = self.voice.map(|voice| voice.lost_ears + voice.mouth.missed()).filter(|n| *n > 0) {
            tracing::warn!(frames = missed, "a call did not take its sound in time");
        }
        let media = MediaFacts { codec: self.had_sound.then(|| CODEC.to_owned()), ..MediaFacts::default() };
        self.events.end(LegEvent::Ended { at, cause, media });
    }
}
