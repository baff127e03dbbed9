//! Calls of a modem's line and their sound: offered, opened, flushed and given back.

use crate::line::Offer;
use crate::media::SampleRate;
use crate::signalling::modem::{ModemInput, ModemLine, SoundPath};
use crate::terms::{EndCause, PhoneNumber};

use super::super::call::Call;
use super::super::card::{CardSound, card_of};
use super::super::port::{Control, PortNotice, SoundIo, SoundPort, Voice};
use super::super::serial::SerialSound;
use super::{OpenSound, STOP_PATIENCE, Serving};

impl Serving {
    pub(super) fn offer(&mut self, from: Option<PhoneNumber>) {
        let (call, leg) = Call::new();
        // The machine has one call at a time; a call that it forgot has ended.
        if let Some(forgotten) = self.call.replace(call) {
            forgotten.end(EndCause::NetworkOutOfOrder, self.now());
        }
        let offer = Offer { line: self.parts.config.id.clone(), from, leg };
        if let Err(error) = self.parts.offers.try_send(offer) {
            // Dropping the offer's leg refuses the call.
            tracing::warn!(line = %self.parts.config.id, "the desk takes no more calls: one was refused");
            drop(error);
        }
        // What the port of the sound brings from here on is drained, so that nothing
        // old is heard after the answer.
        if self.path() == Some(SoundPath::Serial) {
            self.ready_sound(SoundPath::Serial);
        }
    }

    /// The way by which the sound goes, or would go now.
    pub(super) fn path(&self) -> Option<SoundPath> {
        let open = self.sound.as_ref().map(|sound| sound.path);
        open.or_else(|| self.machine.as_ref().map(ModemLine::sound_path))
    }

    pub(super) fn rate(&self, path: SoundPath) -> SampleRate {
        let rate = self.machine.as_ref().and_then(|machine| {
            machine.profile().sounds.iter().find(|sound| sound.path == path).map(|sound| sound.rate)
        });
        if rate == Some(16_000) { SampleRate::Hz16000 } else { SampleRate::Hz8000 }
    }

    /// Has the sound by this path at hand, drained; false when it cannot be opened.
    pub(super) fn ready_sound(&mut self, path: SoundPath) -> bool {
        if self.sound.as_ref().is_some_and(|sound| sound.path == path) {
            return true;
        }
        let rate = self.rate(path);
        let Some(io) = self.open_io(path, rate) else { return false };
        let (port, handle) = SoundPort::new(io, rate, self.parts.config.sound_timeout);
        if self.parts.media_clock.join(Box::new(port)).is_err() {
            tracing::error!("the media clock takes no more calls");
            return false;
        }
        self.sound = Some(OpenSound { path, port: handle, measured_at: self.now(), is_exchanged: false });
        true
    }

    pub(super) fn open_io(&self, path: SoundPath, rate: SampleRate) -> Option<Box<dyn SoundIo>> {
        let line = &self.parts.config.id;
        let found = self.found.as_ref()?;
        let card = match path {
            SoundPath::Serial => {
                let port = found.sound.clone().or_else(|| self.search().sound_of(found))?;
                return match SerialSound::open(&port, rate) {
                    Ok(sound) => Some(Box::new(sound)),
                    Err(error) => {
                        tracing::warn!(%line, %error, "the port with a call's sound cannot be opened");
                        None
                    }
                };
            }
            SoundPath::UsbCard => card_of(found.usb_path.as_ref()?)?,
            SoundPath::Analog => self.parts.config.card.clone()?,
        };
        match CardSound::open(card, rate, self.parts.clock.clone()) {
            Ok(sound) => Some(Box::new(sound)),
            Err(error) => {
                tracing::warn!(%line, %error, "the card with a call's sound cannot be opened");
                None
            }
        }
    }

    pub(super) async fn open_sound(&mut self, path: SoundPath) {
        if self.sound.as_ref().is_some_and(|sound| sound.path != path) {
            self.close_sound().await;
        }
        let voice = self.call.as_mut().and_then(|call| call.voice.take());
        let Some(voice) = voice else { return };
        if !self.ready_sound(path) {
            self.give_back(Some(voice));
            if let Some(machine) = &mut self.machine {
                machine.handle(ModemInput::SoundFailed, (self.parts.clock)());
            }
            return;
        }
        let now = self.now();
        let begun = self.call.as_ref().is_some_and(|call| call.is_connected);
        if let Some(sound) = &mut self.sound {
            sound.port.tell(Control::Open(voice));
            if begun {
                sound.port.tell(Control::Begin);
            }
            sound.is_exchanged = true;
            sound.measured_at = now;
        }
        if let Some(call) = &mut self.call {
            call.had_sound = true;
        }
    }

    pub(super) fn flush_sound(&mut self) {
        if self.path().is_some_and(|path| path == SoundPath::Serial && self.ready_sound(path)) {
            self.tell_sound(Control::Flush);
        }
    }

    pub(super) fn tell_sound(&self, control: Control) {
        if let Some(sound) = &self.sound {
            sound.port.tell(control);
        }
    }

    pub(super) fn connected(&mut self) {
        let now = self.now();
        let rate = self.path().map(|path| self.rate(path));
        if let Some(call) = &mut self.call {
            call.connected(now, rate.unwrap_or(SampleRate::Hz8000));
        }
        self.tell_sound(Control::Begin);
    }

    pub(super) fn give_back(&mut self, voice: Option<Box<Voice>>) {
        if let Some(call) = &mut self.call
            && voice.is_some()
        {
            call.voice = voice;
        }
    }

    /// Ends the sound, and has the voice back for when it is opened again.
    pub(super) async fn close_sound(&mut self) {
        let Some(mut sound) = self.sound.take() else { return };
        sound.port.tell(Control::Stop);
        let last = async {
            while let Some(notice) = sound.port.notices.recv().await {
                if let PortNotice::Over { voice, .. } = notice {
                    return voice;
                }
            }
            None
        };
        let voice = tokio::time::timeout(STOP_PATIENCE, last).await.unwrap_or_default();
        self.give_back(voice);
    }
}
