//! The sound of one device, served by the media clock's thread: what its microphone
//! hears goes to the call without the box's own voice, what the call says goes to its
//! loudspeaker. The card's clock is the line's: for each frame that was heard one is said.

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::call::MediaFacts;
use crate::line::sound_card::CardEnd;
use crate::line::{EarFrame, FrameOrigin, MediaPort, MouthEnd, Stay};
use crate::media::{Conversion, EchoCanceller, Frame, Resampler, SampleRate, VoiceActivity, VoiceFact};
use crate::terms::Moment;

use super::trigger::Microphone;

/// Controls outstanding: a call's begin and end, and a key that is played with.
const CONTROLS: usize = 32;

/// Notices outstanding: a voice begins at most five times a second.
const NOTICES: usize = 32;

/// Frames taken in one turn: five are due at most after a stall that is made up; the
/// rest of what a stall left waits for the next turn.
const FRAMES_A_TURN: usize = 10;

/// The name of plain samples in RFC 3551.
pub(super) const CODEC: &str = "L16";

/// What the line tells its sound.
pub(super) enum Control {
    Begin { ears: mpsc::Sender<EarFrame>, mouth: MouthEnd },
    Microphone(Microphone),
    End,
}

/// What the sound tells its line.
pub(super) enum PortNotice {
    Voice,
    /// Nobody has spoken for the line's patience.
    Quiet,
    /// The call's sound has ended.
    Ended(MediaFacts),
}

/// The line's end.
pub(super) struct PortHandle {
    pub(super) controls: SyncSender<Control>,
    pub(super) notices: mpsc::Receiver<PortNotice>,
}

/// What a port is made of.
pub(super) struct PortParts {
    pub(super) card: CardEnd,
    pub(super) rate: SampleRate,
    pub(super) canceller: Option<EchoCanceller>,
    /// Silence of both sides for this long is told.
    pub(super) patience: Duration,
}

pub(super) struct AudioPort {
    card: CardEnd,
    rate: SampleRate,
    canceller: Option<EchoCanceller>,
    patience: Duration,
    controls: Receiver<Control>,
    notices: mpsc::Sender<PortNotice>,
    voice: VoiceActivity,
    /// The detector of voices hears 16 kHz.
    widen: Option<Resampler>,
    microphone: Microphone,
    call: Option<CallSound>,
}

/// The sound of a call.
struct CallSound {
    ears: mpsc::Sender<EarFrame>,
    mouth: MouthEnd,
    /// When either side was last heard.
    last_voice: Moment,
    told_quiet: bool,
    lost: u64,
}

impl AudioPort {
    pub(super) fn new(parts: PortParts) -> (Self, PortHandle) {
        let (controls, control_receiver) = sync_channel(CONTROLS);
        let (notice_sender, notices) = mpsc::channel(NOTICES);
        let PortParts { card, rate, canceller, patience } = parts;
        let port = Self {
            card,
            rate,
            canceller,
            patience,
            controls: control_receiver,
            notices: notice_sender,
            voice: VoiceActivity::new(),
            widen: (rate == SampleRate::Hz8000).then(|| Resampler::new(Conversion::Hz8000ToHz16000)),
            microphone: Microphone::Open,
            call: None,
        };
        (port, PortHandle { controls, notices })
    }

    /// Does what the line asked for; false when it is over.
    fn obey(&mut self, now: Moment) -> bool {
        loop {
            match self.controls.try_recv() {
                Ok(Control::Begin { ears, mouth }) => {
                    self.call = Some(CallSound { ears, mouth, last_voice: now, told_quiet: false, lost: 0 });
                }
                Ok(Control::Microphone(microphone)) => self.microphone = microphone,
                Ok(Control::End) => {
                    let facts = self.call.take().map_or_else(MediaFacts::default, |call| call.facts());
                    self.microphone = Microphone::Open;
                    self.tell(PortNotice::Ended(facts));
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn tell(&self, notice: PortNotice) {
        if self.notices.try_send(notice).is_err() {
            tracing::debug!("a line did not take a notice of its sound");
        }
    }

    /// Hears 20 ms, and says 20.
    fn exchange(&mut self, at: Moment, heard: &Frame, played: &Frame, now: Moment) {
        // The canceller learns the room between calls too: what is played then is silence.
        let heard = self.canceller.as_mut().map_or(*heard, |canceller| canceller.cancel(played, heard));
        let is_open = self.microphone == Microphone::Open;
        let heard = if is_open { heard } else { Frame::silence(self.rate) };
        let wide = self.widen.as_mut().map_or(heard, |widen| widen.frame(&heard));
        let began = matches!(self.voice.hear(&wide, at), Some(VoiceFact::Started { .. }));
        if began {
            self.tell(PortNotice::Voice);
        }
        let Some(call) = &mut self.call else { return };
        let origin = if is_open { FrameOrigin::Received } else { FrameOrigin::Silent };
        let said = call.exchange(EarFrame { at, frame: heard, origin }, self.rate, now);
        self.card.play(&said.unwrap_or(Frame::silence(self.rate)));
        if said.is_some() || self.voice.is_speaking() {
            call.last_voice = now;
        }
        if now.since(call.last_voice) >= self.patience && !call.told_quiet {
            call.told_quiet = true;
            self.tell(PortNotice::Quiet);
        }
    }
}

impl CallSound {
    /// Gives what was heard, takes what is to be said.
    fn exchange(&mut self, heard: EarFrame, rate: SampleRate, now: Moment) -> Option<Frame> {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.ears.try_send(heard) {
            self.lost += 1;
        }
        let said = self.mouth.tick(rate, now);
        self.mouth.tap(said.unwrap_or(Frame::silence(rate)));
        said
    }

    fn facts(&self) -> MediaFacts {
        let missed = self.lost + self.mouth.missed();
        if missed > 0 {
            tracing::warn!(frames = missed, "a call did not take its sound in time");
        }
        MediaFacts { codec: Some(CODEC.to_owned()), ..MediaFacts::default() }
    }
}

impl MediaPort for AudioPort {
    fn tick(&mut self, now: Moment) -> Stay {
        if !self.obey(now) {
            return Stay::Leave;
        }
        for _ in 0..FRAMES_A_TURN {
            let Some(frame) = self.card.take() else { break };
            self.exchange(frame.at, &frame.heard, &frame.played, now);
        }
        Stay::Yes
    }
}
