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
    pub(super) async fn offer(&mut self, from: Option<PhoneNumber>) {
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
            self.ready_sound(SoundPath::Serial).await;
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
    pub(super) async fn ready_sound(&mut self, path: SoundPath) -> bool {
        if self.sound.as_ref().is_some_and(|sound| sound.path == path) {
            return true;
        }
        let rate = self.rate(path);
        let Some(io) = self.open_io(path, rate).await else { return false };
        let (port, handle) = SoundPort::new(io, rate, self.parts.config.sound_timeout);
        if self.parts.media_clock.join(Box::new(port)).is_err() {
            tracing::error!("the media clock takes no more calls");
            return false;
        }
        self.sound = Some(OpenSound { path, port: handle, measured_at: self.now(), is_exchanged: false });
        true
    }

    async fn open_io(&mut self, path: SoundPath, rate: SampleRate) -> Option<Box<dyn SoundIo>> {
        let line = &self.parts.config.id;
        let found = self.found.as_ref()?;
        let card = match path {
            SoundPath::Serial => {
                let port = found.sound.clone().or_else(|| self.search().sound_of(found))?;
                return match self.ports.open(&port).await {
                    Ok(port) => Some(Box::new(SerialSound::over(port, rate))),
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
        if self.sound.as_ref().is_some_and(|sound| sound.is_exchanged) {
            return;
        }
        // A thread that stood still for long has the voice for ever: nobody would hear
        // anything, and nobody would know.
        let voice = self.call.as_mut().and_then(|call| call.voice.take());
        let Some(voice) = voice else { return self.sound_failed() };
        if !self.ready_sound(path).await {
            self.give_back(Some(voice));
            return self.sound_failed();
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

    /// The machine says what becomes of the call.
    fn sound_failed(&mut self) {
        if let Some(machine) = &mut self.machine {
            machine.handle(ModemInput::SoundFailed, (self.parts.clock)());
        }
    }

    pub(super) async fn flush_sound(&mut self) {
        if self.path() == Some(SoundPath::Serial) && self.ready_sound(SoundPath::Serial).await {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::super::finding::{ModemPlace, Wanted};
    use super::super::ports::tests::serving;
    use super::*;
    use crate::signalling::modem::{LineSettings, ModemOutput, ModemState, Profile};
    use crate::terms::Moment;

    /// What a modem says to a row while somebody rings.
    fn answer(row: &str, rings: bool) -> String {
        let before = match row {
            "AT+CPIN?" => "\r\n+CPIN: READY\r\n",
            "AT+CREG?" => "\r\n+CREG: 2,1\r\n",
            "AT+CIMI" => "\r\n621301234567890\r\n",
            "AT^CVOICE?" => "\r\n^CVOICE:0,8000,16,20\r\n",
            "AT+CLCC" if rings => "\r\n+CLCC: 1,1,4,0,0,\"+2348031234567\",145\r\n",
            _ => "",
        };
        format!("{before}\r\nOK\r\n")
    }

    /// Lets the modem answer, and time go by, until `wanted` comes.
    fn until(machine: &mut ModemLine, now: &mut Moment, rings: bool, wanted: impl Fn(&ModemOutput) -> bool) {
        for _ in 0..10_000 {
            while let Some(output) = machine.poll() {
                if wanted(&output) {
                    return;
                }
                if let ModemOutput::Write(bytes) = output {
                    let row = String::from_utf8_lossy(bytes.expose()).trim().to_owned();
                    machine.handle(ModemInput::Bytes(answer(&row, rings).as_bytes()), *now);
                }
            }
            *now = machine.deadline().unwrap_or(*now + Duration::from_secs(1)).max(*now);
            machine.handle(ModemInput::Tick, *now);
        }
        panic!("in vain, in {:?}: {:#?}", machine.state(), machine.support_rows());
    }

    #[tokio::test]
    async fn a_call_whose_voice_is_lost_with_its_thread_is_ended_and_not_kept_in_silence() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut line = serving(dir.path(), ModemPlace::Usb(Wanted::default()));
        let text = include_str!("../../../../firmware-config/modems/huawei.toml");
        let profile = Arc::new(Profile::parse(text, "huawei").expect("a profile"));
        let mut now = line.now();
        let mut machine = ModemLine::new(profile, LineSettings::default(), now);
        machine.handle(ModemInput::PortOpened, now);
        let is_ready =
            |output: &ModemOutput| matches!(output, ModemOutput::Changed(change) if change.to == ModemState::Ready);
        until(&mut machine, &mut now, false, is_ready);
        machine.handle(ModemInput::Bytes(b"\r\nRING\r\n"), now);
        until(&mut machine, &mut now, true, |output| matches!(output, ModemOutput::Offered { .. }));
        machine.handle(ModemInput::Answer, now);
        until(&mut machine, &mut now, true, |output| matches!(output, ModemOutput::OpenSound(_)));
        line.machine = Some(machine);
        let (mut call, _leg) = Call::new();
        // It went with a thread that stood still for longer than it was waited for.
        call.voice = None;
        line.call = Some(call);
        line.open_sound(SoundPath::Serial).await;
        assert_eq!(line.machine.as_ref().map(ModemLine::state), Some(ModemState::Ending));
    }
}
