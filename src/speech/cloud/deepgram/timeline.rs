use std::collections::VecDeque;
use std::time::Duration;

use crate::terms::Moment;

/// Sound whose time differs from what the sound before it makes one expect by
/// more than this has a gap before it: two frames, for the media clock's tick
/// may be late by one.
const GAP: Duration = Duration::from_millis(40);

/// Gaps that are remembered. A turn is at most half a minute, and a line with
/// more gaps than this in it has no turn worth hearing.
const RUNS_MAX: usize = 64;

/// Sound without a gap.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Where it begins in the stream.
    offset: Duration,
    /// When it was heard.
    at: Moment,
}

/// Which moment of the call each place of the stream is. The provider reckons
/// in sound that it was sent: sound that was lost, or silence that was sent to
/// keep the line open, makes the two go apart.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    runs: VecDeque<Run>,
    /// All that was sent.
    end: Duration,
    /// The next sound begins a run whatever its time.
    is_broken: bool,
}

impl Timeline {
    /// All that was sent.
    pub(super) const fn end(&self) -> Duration {
        self.end
    }

    /// Sound was sent whose first sample was heard at `at`.
    pub(super) fn sound(&mut self, at: Moment, length: Duration) {
        let follows = self.moment(self.end).filter(|_| !self.is_broken);
        let is_next = follows.is_some_and(|expected| at.since(expected).max(expected.since(at)) <= GAP);
        if !is_next {
            self.is_broken = false;
            if self.runs.len() == RUNS_MAX {
                self.runs.pop_front();
            }
            self.runs.push_back(Run { offset: self.end, at });
        }
        self.end += length;
    }

    /// Silence was sent that nobody heard.
    pub(super) fn filler(&mut self, length: Duration) {
        self.end += length;
        self.is_broken = true;
    }

    /// When the sound at `offset` of the stream was heard, gaps after the last
    /// run left out of account.
    pub(super) fn moment(&self, offset: Duration) -> Option<Moment> {
        let run = self.runs.iter().rev().find(|run| run.offset <= offset)?;
        Some(run.at + offset.saturating_sub(run.offset))
    }

    /// Where in the stream the sound of `at` is, or would be once it is sent.
    pub(super) fn offset(&self, at: Moment) -> Duration {
        let Some(n) = self.runs.iter().rposition(|run| run.at <= at) else {
            return self.runs.front().map_or(self.end, |first| first.offset);
        };
        let within = self.runs[n].offset + at.since(self.runs[n].at);
        self.runs.get(n + 1).map_or(within, |next| within.min(next.offset))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRAME: Duration = Duration::from_millis(20);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn at(ms: u64) -> Moment {
        Moment::from_micros(ms * 1000)
    }

    #[test]
    fn without_gaps_the_stream_runs_as_the_call_does() {
        let mut timeline = Timeline::default();
        for n in 0..100 {
            timeline.sound(at(5000 + 20 * n), FRAME);
        }
        assert_eq!(timeline.offset(at(6234)), ms(1234));
        assert_eq!(timeline.offset(at(1)), ms(0));
        assert_eq!(timeline.runs.len(), 1);
    }

    #[test]
    fn lost_sound_takes_no_place_in_the_stream() {
        let mut timeline = Timeline::default();
        timeline.sound(at(0), FRAME);
        timeline.sound(at(1020), FRAME);
        assert_eq!(timeline.offset(at(1030)), ms(30));
        // What was lost lies where the gap is.
        assert_eq!(timeline.offset(at(700)), ms(20));
    }

    #[test]
    fn silence_that_nobody_heard_takes_a_place_in_the_stream() {
        let mut timeline = Timeline::default();
        timeline.sound(at(0), FRAME);
        timeline.filler(ms(80));
        timeline.sound(at(20), FRAME);
        assert_eq!(timeline.offset(at(30)), ms(110));
    }

    #[test]
    fn sound_not_yet_sent_has_the_place_that_it_will_have() {
        let mut timeline = Timeline::default();
        timeline.sound(at(0), FRAME);
        assert_eq!(timeline.offset(at(50)), ms(50));
    }

    proptest! {
        #[test]
        fn later_sound_is_never_earlier_in_the_stream(
            sounds in prop::collection::vec((0_u64..3000, 1_u64..200, any::<bool>()), 1..200),
            a in 0_u64..400_000, b in 0_u64..400_000,
        ) {
            let (mut timeline, mut now) = (Timeline::default(), 0);
            for (gap, length, is_filler) in sounds {
                if is_filler {
                    timeline.filler(ms(length));
                } else {
                    now += gap;
                    timeline.sound(at(now), ms(length));
                    now += length;
                }
            }
            prop_assert!(timeline.offset(at(a.min(b))) <= timeline.offset(at(a.max(b))));
        }
    }
}
