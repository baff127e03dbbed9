//! The line's end of a [`Leg`]: what a driver holds while the desk holds the leg.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32};

use tokio::sync::mpsc;

use super::mouth_end::MouthEnd;
use super::{EarFrame, Leg, LegCommand, LegEvent, Mouth, Rhythm};

/// The bounds of a leg's channels; [`Leg`] and [`Mouth`] say why each number.
const COMMANDS: usize = 8;
const EVENTS: usize = 64;
const EARS: usize = 100;
const MOUTH_EVENTS: usize = 256;
const SENT: usize = 100;

/// A driver's ends of one call's channels.
pub struct LegEnd {
    pub commands: mpsc::Receiver<LegCommand>,
    pub events: EventEnd,
    pub ears: mpsc::Sender<EarFrame>,
    pub mouth: MouthEnd,
}

/// A new leg and the line's end of it.
pub fn leg(rhythm: Rhythm) -> (Leg, LegEnd) {
    let (command_sender, commands) = mpsc::channel(COMMANDS);
    let (event_sender, events) = mpsc::channel(EVENTS);
    let (ear_sender, ears) = mpsc::channel(EARS);
    let (queue, queued) = mpsc::channel(Mouth::QUEUE_FRAMES);
    let (mouth_event_sender, mouth_events) = mpsc::channel(MOUTH_EVENTS);
    let (sent_sender, sent) = mpsc::channel(SENT);
    let epoch = Arc::new(AtomicU32::new(0));
    let paused = Arc::new(AtomicBool::new(false));
    let mouth = Mouth {
        queue,
        events: mouth_events,
        sent,
        epoch: epoch.clone(),
        silenced: Arc::default(),
        paused: paused.clone(),
    };
    let end = LegEnd {
        commands,
        events: EventEnd::new(event_sender),
        ears: ear_sender,
        mouth: MouthEnd::new(queued, mouth_event_sender, sent_sender, epoch, paused),
    };
    (Leg { commands: command_sender, events, ears, mouth, rhythm }, end)
}

/// Tells the desk what happens. Room for the last event is kept from the
/// start, so that a desk that reads nothing still learns of the end.
pub struct EventEnd {
    sender: mpsc::Sender<LegEvent>,
    last: Option<mpsc::OwnedPermit<LegEvent>>,
}

impl EventEnd {
    fn new(sender: mpsc::Sender<LegEvent>) -> Self {
        // The channel is new and empty: the room is there.
        let last = sender.clone().try_reserve_owned().ok();
        Self { sender, last }
    }

    /// Tells `event`. A desk that is more than 63 events behind loses it.
    pub fn tell(&self, event: LegEvent) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.sender.try_send(event) {
            tracing::warn!("an event of a call was lost: the desk does not read them");
        }
    }

    /// Tells the last event.
    pub fn end(self, event: LegEvent) {
        if let Some(room) = self.last {
            room.send(event);
        }
    }
}
