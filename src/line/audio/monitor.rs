//! A loudspeaker through which a technician hears a running call: both sides, mixed.
//! It is never waited for: what comes late is dropped, and the call knows nothing of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

use thiserror::Error;

use crate::line::sound_card::{CardEnd, CardName, CardSettings, CardUse, CardView, SoundCard};
use crate::line::{ClockGone, MediaClock, MediaPort, ReadClock, Stay};
use crate::media::{Conversion, Frame, Resampler, SampleRate};
use crate::terms::Moment;

/// Both rates of lines fit into it.
const RATE: SampleRate = SampleRate::Hz16000;

/// Frames of one side that wait to be mixed: 100 ms. A frame that finds no room is late.
const WAITING: usize = 5;

/// Calls that a technician turns to within 20 ms.
const TURNS: usize = 4;

#[derive(Debug, Error)]
pub enum OpenMonitor {
    #[error("opening the monitor speaker: its thread: {0}")]
    Thread(#[from] std::io::Error),
    #[error("opening the monitor speaker: {0}")]
    Clock(#[from] ClockGone),
}

/// The speaker. It plays one call at a time: the one that was turned to last.
pub struct MonitorSpeaker {
    card: SoundCard,
    turns: SyncSender<Sides>,
    dropped: Arc<AtomicU64>,
}

/// Given both sides' frames by whoever carries a call. Dropping it ends the listening.
pub struct MonitorTap {
    caller: SyncSender<Frame>,
    spoken: SyncSender<Frame>,
    dropped: Arc<AtomicU64>,
}

impl MonitorSpeaker {
    pub fn open(
        name: CardName,
        card_hz: Option<u32>,
        clock: ReadClock,
        media_clock: &MediaClock,
    ) -> Result<Self, OpenMonitor> {
        let settings = CardSettings { name, rate: RATE, card_hz, uses: CardUse::Playback };
        let (card, end) = SoundCard::start(settings, clock)?;
        let (turns, turned_to) = sync_channel(TURNS);
        media_clock.join(Box::new(MonitorPort { card: end, turned_to, sides: None }))?;
        Ok(Self { card, turns, dropped: Arc::default() })
    }

    /// Turns to another call; what was heard before is heard no more.
    pub fn listen(&self) -> MonitorTap {
        let (caller, caller_frames) = sync_channel(WAITING);
        let (spoken, spoken_frames) = sync_channel(WAITING);
        let sides = Sides { caller: Side::new(caller_frames), spoken: Side::new(spoken_frames) };
        if self.turns.try_send(sides).is_err() {
            tracing::debug!("the monitor speaker did not turn to another call");
        }
        MonitorTap { caller, spoken, dropped: self.dropped.clone() }
    }

    pub fn view(&self) -> tokio::sync::watch::Receiver<CardView> {
        self.card.view()
    }

    /// Frames that came late and were not played.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed) + self.card.counts().frames_dropped
    }
}

impl MonitorTap {
    /// What the caller said in 20 ms. Never waits.
    pub fn caller(&self, frame: &Frame) {
        self.give(&self.caller, frame);
    }

    /// What the box said in 20 ms. Never waits.
    pub fn spoken(&self, frame: &Frame) {
        self.give(&self.spoken, frame);
    }

    fn give(&self, side: &SyncSender<Frame>, frame: &Frame) {
        if side.try_send(*frame).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// One side's frames, at the speaker's rate.
struct Side {
    frames: Receiver<Frame>,
    widen: Resampler,
    is_over: bool,
}

impl Side {
    fn new(frames: Receiver<Frame>) -> Self {
        Self { frames, widen: Resampler::new(Conversion::Hz8000ToHz16000), is_over: false }
    }

    fn next(&mut self) -> Option<Frame> {
        match self.frames.try_recv() {
            Ok(frame) if frame.rate() == RATE => Some(frame),
            Ok(frame) => Some(self.widen.frame(&frame)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                self.is_over = true;
                None
            }
        }
    }
}

struct Sides {
    caller: Side,
    spoken: Side,
}

impl Sides {
    /// The next 20 ms of both; none when neither has any.
    fn next(&mut self) -> Option<Frame> {
        match (self.caller.next(), self.spoken.next()) {
            (Some(a), Some(b)) => Some(mixed(&a, &b)),
            (one, other) => one.or(other),
        }
    }

    const fn are_over(&self) -> bool {
        self.caller.is_over && self.spoken.is_over
    }
}

/// Both sides together; where both are loud, at full scale.
fn mixed(a: &Frame, b: &Frame) -> Frame {
    let mut both = *a;
    for (sample, other) in both.samples_mut().iter_mut().zip(b.samples()) {
        *sample = sample.saturating_add(*other);
    }
    both
}

struct MonitorPort {
    card: CardEnd,
    turned_to: Receiver<Sides>,
    sides: Option<Sides>,
}

impl MediaPort for MonitorPort {
    fn tick(&mut self, _now: Moment) -> Stay {
        loop {
            match self.turned_to.try_recv() {
                Ok(sides) => self.sides = Some(sides),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Stay::Leave,
            }
        }
        if let Some(frame) = self.sides.as_mut().and_then(Sides::next) {
            self.card.play(&frame);
        }
        self.sides.take_if(|sides| sides.are_over());
        Stay::Yes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sides() -> (MonitorTap, Sides) {
        let (caller, caller_frames) = sync_channel(WAITING);
        let (spoken, spoken_frames) = sync_channel(WAITING);
        let tap = MonitorTap { caller, spoken, dropped: Arc::default() };
        (tap, Sides { caller: Side::new(caller_frames), spoken: Side::new(spoken_frames) })
    }

    #[test]
    fn both_sides_are_heard_whatever_their_rate() {
        let (tap, mut sides) = sides();
        for _ in 0..WAITING {
            tap.caller(&Frame::from_samples(SampleRate::Hz8000, &[3_000; 160]));
            tap.spoken(&Frame::from_samples(SampleRate::Hz16000, &[4_000; 320]));
        }
        let heard: Vec<Frame> = std::iter::from_fn(|| sides.next()).collect();
        assert_eq!(heard.len(), WAITING);
        assert!(heard[WAITING - 1].samples().iter().all(|s| s.abs_diff(7_000) < 5));
        tap.caller(&Frame::from_samples(SampleRate::Hz8000, &[3_000; 160]));
        assert!(sides.next().is_some(), "one side alone is heard too");
    }

    #[test]
    fn a_speaker_that_does_not_listen_costs_the_call_nothing() {
        let (tap, _sides) = sides();
        for _ in 0..100 {
            tap.caller(&Frame::silence(SampleRate::Hz8000));
        }
        assert_eq!(tap.dropped.load(Ordering::Relaxed), 100 - WAITING as u64);
    }

    #[test]
    fn loud_voices_together_stay_within_full_scale() {
        let loud = Frame::from_samples(RATE, &[30_000; 320]);
        assert!(mixed(&loud, &loud).samples().iter().all(|s| *s == i16::MAX));
    }
}
