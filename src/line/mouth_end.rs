//! The line's end of a [`Mouth`](super::Mouth): which frame is played at this
//! tick. It owns no thread and no clock; the media clock, or a simulated line,
//! asks it for the next 20 ms.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::sync::mpsc;

use crate::media::{FRAME_MS, Fade, Frame, SampleRate};
use crate::terms::{Moment, UtteranceId};

use super::{MouthEvent, MouthFrame};

/// A progress event goes out every this many frames (200 ms).
const PROGRESS_FRAMES: u32 = 10;

/// Plays from the bounded queue of a mouth.
pub struct MouthEnd {
    queue: mpsc::Receiver<MouthFrame>,
    events: mpsc::Sender<MouthEvent>,
    sent: mpsc::Sender<Frame>,
    epoch: Arc<AtomicU32>,
    paused: Arc<AtomicBool>,
    playing: Option<Playing>,
    /// A frame taken from the queue and not yet played.
    next: Option<MouthFrame>,
    /// Whether sound went out in the last tick: only sound needs a fade.
    sounding: bool,
    /// Events and frames that nobody took.
    missed: u64,
}

#[derive(Clone, Copy)]
struct Playing {
    utterance: UtteranceId,
    epoch: u32,
    frames: u32,
    /// Frames of which the last progress event told.
    told: u32,
}

impl Playing {
    const fn played_ms(&self) -> u32 {
        self.frames * FRAME_MS
    }
}

impl MouthEnd {
    pub(super) fn new(
        queue: mpsc::Receiver<MouthFrame>,
        events: mpsc::Sender<MouthEvent>,
        sent: mpsc::Sender<Frame>,
        epoch: Arc<AtomicU32>,
        paused: Arc<AtomicBool>,
    ) -> Self {
        Self { queue, events, sent, epoch, paused, playing: None, next: None, sounding: false, missed: 0 }
    }

    /// The next 20 ms of what is to be said, in the line's `rate`. A cut or a
    /// pause fades within this one frame (8 ms); a resumed sentence fades in
    /// and repeats the frame on which it was paused. None when nothing is said.
    pub fn tick(&mut self, rate: SampleRate, now: Moment) -> Option<Frame> {
        let epoch = self.epoch.load(Ordering::Acquire);
        if let Some(tail) = self.drop_stale(epoch, now) {
            return self.fade_out(tail, rate);
        }
        if self.paused.load(Ordering::Acquire) {
            return self.pause(rate, now);
        }
        let Some(frame) = self.take_next() else {
            self.tell_progress(now);
            self.sounding = false;
            return None;
        };
        Some(self.play(frame, rate, now))
    }

    /// In this tick nothing can be said, because the far side holds or nobody knows
    /// where it is: what is queued waits, and what is no longer wanted goes.
    pub fn wait(&mut self, now: Moment) {
        let epoch = self.epoch.load(Ordering::Acquire);
        self.drop_stale(epoch, now);
        self.tell_progress(now);
        self.sounding = false;
    }

    /// Records what was really sent.
    pub fn tap(&mut self, frame: Frame) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.sent.try_send(frame) {
            self.missed += 1;
        }
    }

    /// Frames and events that the call did not take in time.
    pub const fn missed(&self) -> u64 {
        self.missed
    }

    fn take_next(&mut self) -> Option<MouthFrame> {
        self.next.take().or_else(|| self.queue.try_recv().ok())
    }

    /// Throws away frames of an earlier epoch; returns the first of them if it
    /// would have followed on what is sounding.
    fn drop_stale(&mut self, epoch: u32, now: Moment) -> Option<Frame> {
        let mut tail = None;
        while let Some(frame) = self.take_next() {
            if frame.epoch == epoch {
                self.next = Some(frame);
                break;
            }
            tail.get_or_insert(frame.frame);
        }
        let cut = self.playing.take_if(|playing| playing.epoch != epoch)?;
        self.tell(MouthEvent::Cut { utterance: cut.utterance, played_ms: cut.played_ms(), at: now });
        tail.filter(|_| self.sounding)
    }

    fn fade_out(&mut self, mut frame: Frame, rate: SampleRate) -> Option<Frame> {
        self.sounding = false;
        if frame.rate() != rate {
            return None;
        }
        Fade::Out.apply(&mut frame);
        Some(frame)
    }

    fn pause(&mut self, rate: SampleRate, now: Moment) -> Option<Frame> {
        if !self.sounding {
            return None;
        }
        self.tell_progress(now);
        self.next = self.take_next();
        match self.next {
            Some(next) => self.fade_out(next.frame, rate),
            None => {
                self.sounding = false;
                None
            }
        }
    }

    fn play(&mut self, frame: MouthFrame, rate: SampleRate, now: Moment) -> Frame {
        let fresh = self.playing.is_none_or(|playing| playing.utterance != frame.utterance);
        if fresh {
            self.tell(MouthEvent::Started { utterance: frame.utterance, at: now });
        }
        let started = Playing { utterance: frame.utterance, epoch: frame.epoch, frames: 0, told: 0 };
        let mut playing = self.playing.filter(|_| !fresh).unwrap_or(started);
        playing.frames += 1;
        let mut sound = frame.frame;
        if !fresh && !self.sounding {
            Fade::In.apply(&mut sound);
        }
        self.sounding = true;
        self.playing = Some(playing);
        if frame.last {
            self.playing = None;
            self.tell(MouthEvent::Finished { utterance: playing.utterance, played_ms: playing.played_ms(), at: now });
        } else if playing.frames - playing.told >= PROGRESS_FRAMES {
            self.tell_progress(now);
        }
        debug_assert_eq!(sound.rate(), rate, "whoever speaks resamples to the line's rate");
        if sound.rate() == rate { sound } else { Frame::silence(rate) }
    }

    fn tell_progress(&mut self, now: Moment) {
        let Some(playing) = self.playing.as_mut().filter(|playing| playing.told != playing.frames) else { return };
        playing.told = playing.frames;
        let event = MouthEvent::Progress { utterance: playing.utterance, played_ms: playing.played_ms(), at: now };
        self.tell(event);
    }

    fn tell(&mut self, event: MouthEvent) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.events.try_send(event) {
            self.missed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::{Leg, LegEnd, Mouth, Rhythm, leg};

    const RATE: SampleRate = SampleRate::Hz8000;

    fn loud() -> Frame {
        Frame::from_samples(RATE, &[8000; 160])
    }

    fn say(leg: &Leg, utterance: u32, frames: u32) {
        for i in 0..frames {
            let frame = MouthFrame {
                epoch: leg.mouth.epoch(),
                utterance: UtteranceId(utterance),
                frame: loud(),
                last: i + 1 == frames,
            };
            leg.mouth.queue.try_send(frame).expect("room");
        }
    }

    fn tick(end: &mut LegEnd, n: u64) -> Option<Frame> {
        end.mouth.tick(RATE, Moment::from_micros(n * 20_000))
    }

    fn peak(speech: Option<Frame>) -> i16 {
        match speech {
            Some(frame) => frame.samples()[80..].iter().copied().max().unwrap_or(0),
            None => 0,
        }
    }

    fn events(leg: &mut Leg) -> Vec<MouthEvent> {
        std::iter::from_fn(|| leg.mouth.events.try_recv().ok()).collect()
    }

    #[test]
    fn an_utterance_is_started_played_and_finished() {
        let (mut leg, mut end) = leg(Rhythm::Box);
        say(&leg, 1, 12);
        for n in 0..12 {
            assert_eq!(peak(tick(&mut end, n)), 8000);
        }
        assert!(tick(&mut end, 12).is_none());
        let told = events(&mut leg);
        assert!(matches!(told[0], MouthEvent::Started { utterance: UtteranceId(1), .. }));
        assert!(matches!(told[1], MouthEvent::Progress { played_ms: 200, .. }));
        assert!(matches!(told[2], MouthEvent::Finished { played_ms: 240, .. }));
        assert_eq!(told.len(), 3);
    }

    #[test]
    fn silencing_takes_effect_at_the_next_tick_however_much_is_queued() {
        let (mut leg, mut end) = leg(Rhythm::Box);
        say(&leg, 1, 400);
        for n in 0..5 {
            tick(&mut end, n);
        }
        leg.mouth.silence();
        assert_eq!(peak(tick(&mut end, 5)), 0, "the fade is over within half a frame");
        assert!(tick(&mut end, 6).is_none());
        assert!(matches!(events(&mut leg).last(), Some(MouthEvent::Cut { played_ms: 100, .. })));
        say(&leg, 2, 1);
        assert_eq!(peak(tick(&mut end, 7)), 8000, "what is said after the cut is heard");
    }

    #[test]
    fn while_the_far_side_holds_what_is_queued_waits_and_what_is_silenced_goes() {
        let (mut leg, mut end) = leg(Rhythm::Box);
        say(&leg, 1, 10);
        for n in 0..4 {
            tick(&mut end, n);
        }
        for n in 4..100 {
            end.mouth.wait(Moment::from_micros(n * 20_000));
        }
        assert!(matches!(events(&mut leg)[..], [_, MouthEvent::Progress { played_ms: 80, .. }]), "told once");
        assert_eq!(peak(tick(&mut end, 100)), 8000);
        say(&leg, 2, Mouth::QUEUE_FRAMES as u32 - 5);
        leg.mouth.silence();
        end.mouth.wait(Moment::from_micros(101 * 20_000));
        assert!(matches!(events(&mut leg).last(), Some(MouthEvent::Cut { played_ms: 100, .. })));
        assert_eq!(leg.mouth.queue.capacity(), Mouth::QUEUE_FRAMES, "whoever speaks next finds room");
    }

    #[test]
    fn a_pause_keeps_what_is_queued_and_no_word_is_lost() {
        let (mut leg, mut end) = leg(Rhythm::Box);
        say(&leg, 1, 10);
        for n in 0..4 {
            tick(&mut end, n);
        }
        leg.mouth.pause();
        assert_eq!(peak(tick(&mut end, 4)), 0);
        assert!(tick(&mut end, 5).is_none());
        assert!(matches!(events(&mut leg).last(), Some(MouthEvent::Progress { played_ms: 80, .. })));
        leg.mouth.resume();
        let heard = (6..20).filter(|n| peak(tick(&mut end, *n)) == 8000).count();
        assert_eq!(heard, 6);
        assert!(matches!(events(&mut leg).last(), Some(MouthEvent::Finished { played_ms: 200, .. })));
    }
}
