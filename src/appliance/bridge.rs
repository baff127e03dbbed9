//! Two legs of one call as one: what one side says, the other hears. It decides
//! nothing, keeps nothing, and waits for nobody: what comes late is dropped and counted.
//!
//! Where both legs run by the box's media clock a frame is passed on as it comes. A
//! modem or a sound card has a clock of its own; where it meets the box's, an elastic
//! buffer lies between, filled at the speaker's rhythm and read at the listener's.

use tokio::sync::mpsc::error::TrySendError;

use crate::line::{Mouth, MouthFrame, Rhythm};
use crate::media::{Conversion, Elastic, Frame, Resampler, SampleRate};
use crate::terms::UtteranceId;

/// In a mouth's queue, what no voice of the box says. The box's own sentences count
/// from zero.
const NO_SENTENCE: UtteranceId = UtteranceId(u32::MAX);

/// Frames that lie ready in a mouth: the one that is played next, and one by which a
/// task may be late.
const READY: usize = 2;

/// Frames that may wait in a mouth where nothing is elastic: more is what a task that
/// was late left behind, and is heard late for the rest of the call.
const WAITING_MAX: usize = 4;

/// Frames that wait in a mouth for the clock that plays it.
fn waiting(mouth: &Mouth) -> usize {
    mouth.queue.max_capacity() - mouth.queue.capacity()
}

/// Queues one frame behind what the mouth has; false where it takes none.
fn queue(mouth: &Mouth, frame: Frame) -> bool {
    let frame = MouthFrame { epoch: mouth.epoch(), utterance: NO_SENTENCE, frame, last: false };
    match mouth.queue.try_send(frame) {
        Ok(()) => true,
        // Without its other end the line is gone, and says so by itself.
        Err(TrySendError::Full(_) | TrySendError::Closed(_)) => false,
    }
}

/// Keeps a mouth sounding with what `next` makes, at the mouth's own rhythm.
pub(super) fn keep_ready(mouth: &Mouth, mut next: impl FnMut() -> Frame) {
    for _ in waiting(mouth)..READY {
        if !queue(mouth, next()) {
            return;
        }
    }
}

/// What went wrong in one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WayCounts {
    /// Frames that came too late to be heard.
    pub late: u64,
    /// How often the listener's clock found nothing to read.
    pub ran_empty: u64,
    /// Samples that were dropped between two clocks because too many lay there.
    pub dropped: u64,
}

/// One direction, to one listener.
pub struct Way {
    rate: SampleRate,
    convert: Option<Resampler>,
    between: Option<Elastic>,
    late: u64,
}

impl Way {
    /// From a leg that sounds at `from` to one that sounds at `to`.
    pub fn new(from: SampleRate, to: SampleRate, rhythms: [Rhythm; 2]) -> Self {
        Self {
            rate: to,
            convert: Conversion::of_lines(from, to).map(Resampler::new),
            between: rhythms.contains(&Rhythm::Device).then(|| Elastic::new(to)),
            late: 0,
        }
    }

    /// Something lies ready from the first moment on.
    pub fn begin(&mut self, listener: &Mouth) {
        let rate = self.rate;
        keep_ready(listener, || Frame::silence(rate));
    }

    /// What the speaker said in 20 ms.
    pub fn pass(&mut self, frame: &Frame, listener: &Mouth) {
        let frame = self.convert.as_mut().map_or(*frame, |convert| convert.frame(frame));
        match &mut self.between {
            Some(between) => between.push(frame.samples()),
            None if waiting(listener) < WAITING_MAX && queue(listener, frame) => {}
            None => self.late += 1,
        }
    }

    /// The listener's clock has played 20 ms.
    pub fn played(&mut self, listener: &Mouth) {
        let Some(between) = &mut self.between else { return };
        let rate = self.rate;
        keep_ready(listener, || {
            let mut frame = Frame::silence(rate);
            between.pull(frame.samples_mut());
            frame
        });
    }

    pub fn counts(&self) -> WayCounts {
        let between = self.between.as_ref().map(Elastic::counts).unwrap_or_default();
        WayCounts { late: self.late, ran_empty: between.ran_empty, dropped: between.dropped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::{Leg, LegEnd, leg};
    use crate::media::Level;
    use crate::terms::Moment;

    const NARROW: SampleRate = SampleRate::Hz8000;
    const WIDE: SampleRate = SampleRate::Hz16000;

    /// 300 Hz, continued from sample `from` on.
    fn hum(rate: SampleRate, from: usize) -> Frame {
        let wave =
            |n: usize| (8_000.0 * (std::f64::consts::TAU * 300.0 * n as f64 / f64::from(rate.hz())).sin()) as i16;
        let samples: Vec<i16> = (from..from + rate.frame_len()).map(wave).collect();
        Frame::from_samples(rate, &samples)
    }

    fn tick(end: &mut LegEnd, rate: SampleRate) -> Frame {
        end.mouth.tick(rate, Moment::START).unwrap_or(Frame::silence(rate))
    }

    fn is_loud(frame: &Frame) -> bool {
        Level::of(frame.samples()).rms_dbfs > -25.0
    }

    #[test]
    fn within_one_clock_what_one_says_the_other_hears_two_frames_later_at_any_rates() {
        for (from, to) in [(NARROW, NARROW), (WIDE, NARROW), (NARROW, WIDE), (WIDE, WIDE)] {
            let (listener, mut end) = leg(Rhythm::Box);
            let mut way = Way::new(from, to, [Rhythm::Box; 2]);
            way.begin(&listener.mouth);
            let heard: Vec<bool> = (0..100)
                .map(|n| {
                    way.pass(&hum(from, n * from.frame_len()), &listener.mouth);
                    is_loud(&tick(&mut end, to))
                })
                .collect();
            assert!(heard.iter().skip(4).all(|loud| *loud), "{from:?} to {to:?}: {heard:?}");
            assert_eq!(way.counts(), WayCounts::default());
        }
    }

    #[test]
    fn what_a_late_task_brings_at_once_is_not_heard_late_for_ever() {
        let (listener, mut end) = leg(Rhythm::Box);
        let mut way = Way::new(NARROW, NARROW, [Rhythm::Box; 2]);
        way.begin(&listener.mouth);
        for _ in 0..30 {
            tick(&mut end, NARROW);
        }
        (0..30).for_each(|n| way.pass(&hum(NARROW, n * 160), &listener.mouth));
        assert_eq!(way.counts().late, 26);
        assert_eq!(waiting(&listener.mouth), WAITING_MAX);
    }

    #[test]
    fn a_listener_who_holds_costs_no_memory_and_stops_nobody() {
        let (listener, end) = leg(Rhythm::Box);
        for rhythm in [Rhythm::Box, Rhythm::Device] {
            let mut way = Way::new(NARROW, NARROW, [Rhythm::Box, rhythm]);
            for n in 0..3_000 {
                way.pass(&hum(NARROW, n * 160), &listener.mouth);
                way.played(&listener.mouth);
            }
            let WayCounts { late, dropped, .. } = way.counts();
            assert!(late.max(dropped) > 2_900, "{late} {dropped}");
            assert!(waiting(&listener.mouth) <= WAITING_MAX);
        }
        drop(end);
    }

    /// Ten minutes in which the listener's clock is `ppm` millionths faster.
    fn ten_minutes(ppm: i64) -> (WayCounts, usize) {
        let (listener, mut end) = leg(Rhythm::Device);
        let mut way = Way::new(NARROW, NARROW, [Rhythm::Box, Rhythm::Device]);
        way.begin(&listener.mouth);
        let mut quiet = 0;
        // In nanoseconds: the speaker's next frame, and the listener's.
        let (mut speaks, mut plays, mut said) = (0_i64, 7_000_000_i64, 0);
        let played_every = 20_000_000 - 20 * ppm;
        while speaks < 600_000_000_000 {
            if speaks <= plays {
                way.pass(&hum(NARROW, said * 160), &listener.mouth);
                said += 1;
                speaks += 20_000_000;
            } else {
                let frame = tick(&mut end, NARROW);
                quiet += usize::from(said > 50 && !is_loud(&frame));
                way.played(&listener.mouth);
                plays += played_every;
            }
        }
        (way.counts(), quiet)
    }

    #[test]
    fn between_two_clocks_that_differ_nothing_runs_empty_and_nothing_is_dropped() {
        for ppm in [-300, 0, 300] {
            let (counts, quiet) = ten_minutes(ppm);
            assert_eq!((counts, quiet), (WayCounts::default(), 0), "{ppm} millionths");
        }
    }

    #[test]
    fn a_mouth_that_is_kept_ready_never_runs_dry() {
        let (listener, mut end): (Leg, _) = leg(Rhythm::Box);
        for _ in 0..200 {
            keep_ready(&listener.mouth, || hum(NARROW, 0));
            assert!(end.mouth.tick(NARROW, Moment::START).is_some());
        }
    }
}
