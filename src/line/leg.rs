use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::{Notify, mpsc};

use crate::call::MediaFacts;
use crate::media::{Frame, SampleRate};
use crate::terms::{EndCause, LineId, Moment, PhoneNumber, UtteranceId};

/// A telephone line: something outside the process that offers calls.
pub trait Line: Send {
    fn id(&self) -> &LineId;

    /// Serves the line until `stop` is cancelled, handing every offered call to
    /// `offers`. A full `offers` means that the desk is overwhelmed: the driver
    /// refuses the call with [`EndCause::SwitchingCongestion`].
    fn serve(
        self: Box<Self>,
        offers: mpsc::Sender<Offer>,
        stop: tokio_util::sync::CancellationToken,
    ) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

    /// A view of the line's health that stays valid while the line is served.
    fn health(&self) -> Arc<dyn Fn() -> LineHealth + Send + Sync>;
}

/// What `milu lines` shows of a line. No one's number is in it.
#[derive(Clone, Debug)]
pub struct LineHealth {
    pub id: LineId,
    pub kind: &'static str,
    pub state: LineState,
    /// The address or device, as a technician would look for it.
    pub address: String,
    pub calls: u32,
    /// One sentence when something is wrong.
    pub trouble: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineState {
    Ready,
    Degraded,
    Down,
}

/// A call that a line offers and nobody has answered yet.
pub struct Offer {
    pub line: LineId,
    pub from: Option<PhoneNumber>,
    pub leg: Leg,
}

/// One call's end at the line: four channels, whatever the line is made of.
///
/// Dropping the leg hangs up.
pub struct Leg {
    /// Bounded to 8: the desk never has more than an answer, a hang-up and a
    /// few digits outstanding.
    pub commands: mpsc::Sender<LegCommand>,
    /// Bounded to 64: a caller's fastest keying is about 10 digits a second.
    pub events: mpsc::Receiver<LegEvent>,
    /// One frame every 20 ms from the answer on. Bounded to 100 (2 s): a
    /// listener that is later than that loses the frames, and they are counted.
    pub ears: mpsc::Receiver<EarFrame>,
    pub mouth: Mouth,
    pub rhythm: Rhythm,
}

/// Which clock a leg's frames come and go by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rhythm {
    /// The box's media clock.
    Box,
    /// A modem's or a sound card's own, some millionths faster or slower.
    Device,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LegCommand {
    Answer,
    /// Refuse an offered call.
    Reject(EndCause),
    HangUp(EndCause),
    /// Send a digit to the far side (0-9, '*', '#', A-D).
    SendDigit(char),
}

#[derive(Clone, PartialEq, Debug)]
pub enum LegEvent {
    /// Media flows from here on.
    Answered {
        at: Moment,
        rate: SampleRate,
        codec: &'static str,
    },
    Digit {
        at: Moment,
        digit: char,
    },
    Held {
        at: Moment,
    },
    Resumed {
        at: Moment,
    },
    /// No packet has come for the line's silence time-out.
    MediaLost {
        at: Moment,
    },
    /// The last event of a leg.
    Ended {
        at: Moment,
        cause: EndCause,
        media: MediaFacts,
    },
}

/// A frame from the caller, in order, at the rate given by `Answered`.
#[derive(Clone, Copy, Debug)]
pub struct EarFrame {
    pub at: Moment,
    pub frame: Frame,
    pub origin: FrameOrigin,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameOrigin {
    Received,
    /// Made up by concealment for a packet that was lost or late.
    Concealed,
    /// Nothing was expected: the far side is silent by design (DTX, hold).
    Silent,
}

/// The box's voice on a leg: a bounded queue that the media clock plays from.
///
/// `queue` holds up to [`Mouth::QUEUE_FRAMES`]; whoever speaks waits for room.
/// `silence` takes effect at the next tick of the media clock, however much is
/// queued: frames of an earlier epoch are thrown away unplayed.
pub struct Mouth {
    pub queue: mpsc::Sender<MouthFrame>,
    /// What was played; bounded to 256, read by the call's task.
    pub events: mpsc::Receiver<MouthEvent>,
    /// Every frame that was really sent, silence included, for the recording
    /// and for telling echo from speech. Bounded to 100 (2 s).
    pub sent: mpsc::Receiver<Frame>,
    pub(crate) epoch: Arc<AtomicU32>,
    /// Told of each new epoch.
    pub(crate) silenced: Arc<Notify>,
    pub(crate) paused: Arc<std::sync::atomic::AtomicBool>,
}

/// A view of the mouth's epoch, for whoever fills its queue.
#[derive(Clone, Debug)]
pub struct MouthEpoch {
    epoch: Arc<AtomicU32>,
    silenced: Arc<Notify>,
}

impl MouthEpoch {
    pub fn now(&self) -> u32 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Waits until the mouth is silenced and `epoch` is over.
    pub async fn end_of(&self, epoch: u32) {
        loop {
            // From here on it hears of what comes, so that nothing falls between.
            let silenced = self.silenced.notified();
            if self.now() != epoch {
                return;
            }
            silenced.await;
        }
    }
}

/// One frame of the box's voice on its way to the line.
#[derive(Clone, Copy, Debug)]
pub struct MouthFrame {
    pub epoch: u32,
    pub utterance: UtteranceId,
    pub frame: Frame,
    /// The utterance ends with this frame.
    pub last: bool,
}

impl Mouth {
    /// Ten seconds: a whole sentence fits, so that the synthesizer's pool place
    /// is free again while the sentence plays.
    pub const QUEUE_FRAMES: usize = 500;

    /// The epoch that frames queued now must carry to be played.
    pub fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Acquire)
    }

    /// The epoch for whoever fills the queue from elsewhere.
    pub fn epoch_view(&self) -> MouthEpoch {
        MouthEpoch { epoch: self.epoch.clone(), silenced: self.silenced.clone() }
    }

    /// Throws away what is queued and goes silent at the next tick.
    pub fn silence(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.paused.store(false, Ordering::Release);
        self.silenced.notify_waiters();
    }

    /// Goes silent at the next tick and keeps what is queued.
    pub fn pause(&self) {
        self.paused.store(true, Ordering::Release);
    }

    pub fn resume(&self) {
        self.paused.store(false, Ordering::Release);
    }
}

/// What the media clock played. `at` is when the frame went to the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MouthEvent {
    Started {
        utterance: UtteranceId,
        at: Moment,
    },
    /// Sent every 10 frames (200 ms) and when playing stops or pauses.
    Progress {
        utterance: UtteranceId,
        played_ms: u32,
        at: Moment,
    },
    Finished {
        utterance: UtteranceId,
        played_ms: u32,
        at: Moment,
    },
    /// Cut off by `silence`; the caller heard `played_ms` of it.
    Cut {
        utterance: UtteranceId,
        played_ms: u32,
        at: Moment,
    },
}
