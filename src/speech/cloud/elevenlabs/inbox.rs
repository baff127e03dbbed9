use std::sync::Arc;

use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::wire::Sound;
use crate::speech::VoiceError;

/// Messages of one utterance that wait for its caller to listen. The provider
/// makes sound much faster than it is played, some ten messages a second of it.
const MESSAGES_MAX: usize = 512;

/// Octets of sound that wait: four minutes at 8 kHz in mu-law, one at 16 kHz. A
/// piece of an utterance is some sentences; what is longer was not asked for. With
/// it, a call holds ten megabytes at the very most.
const OCTETS_MAX: usize = 2 << 20;

/// What the socket has for an utterance.
pub(super) enum Arrived {
    /// Its words are on their way.
    Begun,
    Sound(Held),
    /// All of it has come.
    Final,
    Failed(VoiceError),
}

/// Sound, and the room that it takes until it is dropped.
pub(super) struct Held {
    pub(super) sound: Sound,
    _room: OwnedSemaphorePermit,
}

/// Where the socket puts what is for one utterance. It never waits: an utterance
/// that nobody listens to must not stop the others of its call.
pub(super) struct Inbox {
    sender: mpsc::Sender<Arrived>,
    room: Arc<Semaphore>,
    /// A place for the end, so that it can be told however full it is.
    end: Option<OwnedPermit<Arrived>>,
}

/// More came than was asked for.
#[derive(Debug)]
pub(super) struct Flooded;

impl Inbox {
    pub(super) fn new() -> (Self, mpsc::Receiver<Arrived>) {
        let (sender, receiver) = mpsc::channel(MESSAGES_MAX);
        let end = sender.clone().try_reserve_owned().ok();
        (Self { sender, room: Arc::new(Semaphore::new(OCTETS_MAX)), end }, receiver)
    }

    pub(super) fn begun(&self) {
        // Who does not listen any more need not know.
        drop(self.sender.try_send(Arrived::Begun));
    }

    pub(super) fn sound(&self, sound: Sound) -> Result<(), Flooded> {
        let octets = u32::try_from(sound.octets.len()).map_err(|_| Flooded)?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(octets).map_err(|_| Flooded)?;
        match self.sender.try_send(Arrived::Sound(Held { sound, _room: room })) {
            Err(mpsc::error::TrySendError::Full(_)) => Err(Flooded),
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
        }
    }

    pub(super) fn end(mut self, how: Result<(), VoiceError>) {
        if let Some(end) = self.end.take() {
            end.send(match how {
                Ok(()) => Arrived::Final,
                Err(error) => Arrived::Failed(error),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound(octets: usize) -> Sound {
        Sound { octets: vec![0; octets], letters: Vec::new() }
    }

    #[test]
    fn sound_that_nobody_takes_is_bounded_and_its_end_still_told() {
        for octets in [1, OCTETS_MAX / 4] {
            let (inbox, mut arrived) = Inbox::new();
            inbox.begun();
            let taken = (0..10_000).take_while(|_| inbox.sound(sound(octets)).is_ok()).count();
            assert!(taken < MESSAGES_MAX && taken * octets <= OCTETS_MAX, "{taken} messages of {octets}");
            inbox.end(Err(VoiceError::Overloaded));
            let mut last = None;
            while let Ok(event) = arrived.try_recv() {
                last = Some(event);
            }
            assert!(matches!(last, Some(Arrived::Failed(VoiceError::Overloaded))));
        }
    }

    #[test]
    fn sound_that_is_taken_makes_room_for_more() {
        let (inbox, mut arrived) = Inbox::new();
        for _ in 0..20 {
            inbox.sound(sound(OCTETS_MAX)).expect("room for one");
            assert!(inbox.sound(sound(1)).is_err());
            drop(arrived.try_recv().expect("it has arrived"));
        }
    }
}
