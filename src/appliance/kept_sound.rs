//! The sound of a call on its way to the recorder, from the moment on from which
//! it is kept. What comes before the disk has made a place for it waits here.

use std::collections::VecDeque;

use tokio::sync::oneshot::{self, error::TryRecvError};

use crate::media::Frame;
use crate::store::{Leg, SoundTap};

/// Frames that wait, of both legs: five seconds, for as long as the index bears
/// a disk that stalls. What finds no place is a gap in the recording.
const WAITING: usize = 500;

pub struct KeptSound(State);

enum State {
    Beginning {
        begun: oneshot::Receiver<SoundTap>,
        waiting: VecDeque<(Leg, Frame)>,
        lost: [usize; 2],
    },
    Flowing(SoundTap),
    /// The recording could not begin, which has been said.
    Nowhere,
}

impl KeptSound {
    /// `begun` says where the sound goes, once there is such a place.
    pub fn new(begun: oneshot::Receiver<SoundTap>) -> Self {
        Self(State::Beginning { begun, waiting: VecDeque::new(), lost: [0; 2] })
    }

    /// Takes the next 20 ms of a leg. Never waits.
    pub fn take(&mut self, leg: Leg, frame: &Frame) {
        if let State::Beginning { begun, .. } = &mut self.0 {
            match begun.try_recv() {
                Ok(tap) => self.flow(tap),
                Err(TryRecvError::Closed) => self.0 = State::Nowhere,
                Err(TryRecvError::Empty) => {}
            }
        }
        match &mut self.0 {
            State::Flowing(tap) => tap.sound(leg, frame.samples()),
            State::Beginning { waiting, lost, .. } if waiting.len() >= WAITING => {
                lost[leg.index()] += frame.samples().len();
            }
            State::Beginning { waiting, .. } => waiting.push_back((leg, *frame)),
            State::Nowhere => {}
        }
    }

    /// All of it is handed over when this returns.
    pub async fn end(mut self) {
        if let State::Beginning { begun, .. } = &mut self.0
            && let Ok(tap) = begun.await
        {
            self.flow(tap);
        }
    }

    fn flow(&mut self, tap: SoundTap) {
        if let State::Beginning { waiting, lost, .. } = std::mem::replace(&mut self.0, State::Nowhere) {
            waiting.iter().for_each(|(leg, frame)| tap.sound(*leg, frame.samples()));
            Leg::BOTH.into_iter().for_each(|leg| tap.lost(leg, lost[leg.index()]));
        }
        self.0 = State::Flowing(tap);
    }
}
