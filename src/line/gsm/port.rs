//! The sound of one call, served by the media clock's thread: what comes from the
//! modem goes to the ears, and for each 20 ms that come, 20 ms go back. So the modem's
//! own clock pulls the voice, and nothing drifts.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::line::{EarFrame, FrameOrigin, MediaPort, MouthEnd, Stay};
use crate::media::{Frame, SampleRate, ToneDetector};
use crate::terms::Moment;

use super::meter::Meter;

/// Frames of one turn: one is due, and a stall of a third of a second is made up.
const FRAMES_A_TURN: usize = 16;

/// Controls outstanding: a call has a handful, a modem that stutters some dozens.
const CONTROLS: usize = 64;

/// Notices outstanding: digits come at 10 a second and the task reads at once.
const NOTICES: usize = 64;

/// What came of asking for a frame.
#[expect(clippy::large_enum_variant, reason = "it lives for one call, on the stack of the media clock's thread")]
pub(super) enum Taken {
    Frame(Frame),
    Nothing,
    /// The device is away, and stays away.
    Gone,
}

/// Where the samples of a call really pass. Nothing of it blocks.
pub(super) trait SoundIo: Send {
    /// Begins a turn of 20 ms; octets that were taken meanwhile.
    fn begin_turn(&mut self) -> usize;
    fn take(&mut self) -> Taken;
    /// Whether a frame that is given now would go out soon.
    fn has_room(&self) -> bool;
    /// Gives a frame; octets that were taken by it.
    fn give(&mut self, frame: &Frame) -> usize;
    /// Whether the frame that is due may be left out, for more was given than the device
    /// needs. It is left out then.
    fn needs_none(&mut self) -> bool;
    /// Throws away what lies there in both directions.
    fn flush(&mut self);
}

/// In place of a device that was let go of.
struct LetGo;

impl SoundIo for LetGo {
    fn begin_turn(&mut self) -> usize {
        0
    }

    fn take(&mut self) -> Taken {
        Taken::Gone
    }

    fn has_room(&self) -> bool {
        false
    }

    fn give(&mut self, _: &Frame) -> usize {
        0
    }

    fn needs_none(&mut self) -> bool {
        true
    }

    fn flush(&mut self) {}
}

/// The desk's ends of a call, for as long as its sound is open.
pub(super) struct Voice {
    pub(super) ears: mpsc::Sender<EarFrame>,
    pub(super) mouth: MouthEnd,
    /// Frames that the ears did not take in time.
    pub(super) lost_ears: u64,
}

/// What the line's task tells the sound of its call.
pub(super) enum Control {
    /// What lies there is old.
    Flush,
    /// From here on sound is exchanged.
    Open(Box<Voice>),
    /// The caller is there: from here on it is heard.
    Begin,
    Pause,
    Resume,
    Stop,
}

/// What the sound tells the line's task.
pub(super) enum PortNotice {
    Digit {
        at: Moment,
        digit: char,
    },
    Lost {
        at: Moment,
    },
    /// The last notice.
    Over {
        voice: Option<Box<Voice>>,
        why: Over,
    },
}

/// Why the sound has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Over {
    Stopped,
    DeviceGone,
}

/// The task's end.
pub(super) struct PortHandle {
    pub(super) controls: SyncSender<Control>,
    pub(super) notices: mpsc::Receiver<PortNotice>,
    pub(super) meter: Arc<Meter>,
}

impl PortHandle {
    pub(super) fn tell(&self, control: Control) {
        if self.controls.try_send(control).is_err() {
            tracing::warn!("the sound of a call takes no orders");
        }
    }
}

pub(super) struct SoundPort {
    io: Box<dyn SoundIo>,
    rate: SampleRate,
    controls: Receiver<Control>,
    notices: mpsc::Sender<PortNotice>,
    meter: Arc<Meter>,
    patience: Duration,
    voice: Option<Box<Voice>>,
    /// Whether the caller is there.
    begun: bool,
    paused: bool,
    tones: ToneDetector,
    last_heard: Option<Moment>,
    told_lost: bool,
}

impl SoundPort {
    /// Sound that is read and thrown away until it is told to open.
    pub(super) fn new(io: Box<dyn SoundIo>, rate: SampleRate, patience: Duration) -> (Self, PortHandle) {
        let (controls, control_receiver) = sync_channel(CONTROLS);
        let (notice_sender, notices) = mpsc::channel(NOTICES);
        let meter = Arc::new(Meter::default());
        let port = Self {
            io,
            rate,
            controls: control_receiver,
            notices: notice_sender,
            meter: meter.clone(),
            patience,
            voice: None,
            begun: false,
            paused: false,
            tones: ToneDetector::new(rate),
            last_heard: None,
            told_lost: false,
        };
        (port, PortHandle { controls, notices, meter })
    }

    /// Does what the task asked for; false when it is over.
    fn obey(&mut self, now: Moment) -> bool {
        loop {
            match self.controls.try_recv() {
                Ok(Control::Flush) => self.io.flush(),
                Ok(Control::Open(voice)) => {
                    // What came before is what nobody of this call said.
                    self.io.flush();
                    self.voice = Some(voice);
                    self.last_heard = Some(now);
                }
                Ok(Control::Begin) => self.begun = true,
                Ok(Control::Pause) => self.paused = true,
                Ok(Control::Resume) => self.paused = false,
                Ok(Control::Stop) => {
                    self.end(Over::Stopped);
                    return false;
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// The device is let go of before the task is told, which opens it for the next call as
    /// soon as it is closed.
    fn end(&mut self, why: Over) {
        self.io = Box::new(LetGo);
        let voice = self.voice.take();
        self.tell(PortNotice::Over { voice, why });
    }

    fn tell(&self, notice: PortNotice) {
        if self.notices.try_send(notice).is_err() {
            tracing::debug!("a line's task did not take a notice of its sound");
        }
    }

    fn exchange(&mut self, now: Moment) -> Stay {
        for _ in 0..FRAMES_A_TURN {
            match self.io.take() {
                Taken::Nothing => break,
                Taken::Gone => {
                    self.end(Over::DeviceGone);
                    return Stay::Leave;
                }
                Taken::Frame(frame) => self.pass(&frame, now),
            }
        }
        Stay::Yes
    }

    /// One frame came: the ears have it, and one goes back.
    fn pass(&mut self, frame: &Frame, now: Moment) {
        let Some(voice) = &mut self.voice else { return };
        self.meter.came(frame.samples());
        self.last_heard = Some(now);
        self.told_lost = false;
        let digit = if self.begun {
            let ear = EarFrame { at: now, frame: *frame, origin: FrameOrigin::Received };
            if let Err(mpsc::error::TrySendError::Full(_)) = voice.ears.try_send(ear) {
                voice.lost_ears += 1;
            }
            self.tones.hear(frame)
        } else {
            None
        };
        // A modem that takes nothing now would lose what is said: the voice waits.
        if self.paused || !self.io.has_room() {
            voice.mouth.tap(Frame::silence(self.rate));
        } else {
            let said = if self.begun { voice.mouth.tick(self.rate, now) } else { None };
            // Silence is what can be left out, and nothing that is said.
            let is_spare = said.is_none() && self.io.needs_none();
            let said = said.unwrap_or(Frame::silence(self.rate));
            voice.mouth.tap(said);
            if !is_spare {
                let taken = self.io.give(&said);
                self.meter.taken(taken);
            }
        }
        if let Some(digit) = digit {
            self.tell(PortNotice::Digit { at: now, digit: digit.as_char() });
        }
    }

    fn watch(&mut self, now: Moment) {
        let silent = self.last_heard.is_some_and(|last| now.since(last) >= self.patience);
        if self.begun && silent && !self.told_lost {
            self.told_lost = true;
            self.tell(PortNotice::Lost { at: now });
        }
    }
}

impl MediaPort for SoundPort {
    fn tick(&mut self, now: Moment) -> Stay {
        if !self.obey(now) {
            return Stay::Leave;
        }
        let taken = self.io.begin_turn();
        self.meter.taken(taken);
        let stay = self.exchange(now);
        self.watch(now);
        stay
    }
}
