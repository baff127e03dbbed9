//! When a pause becomes the end of a turn. Knows the caller's side alone: not
//! whether the box speaks, and not what the words are for.

use std::time::Duration;

use crate::terms::{Moment, RequestId};

use super::{Expectation, Gist};

/// From this probability on, the judge is taken to say that the turn is over.
/// One half is smart-turn's own bar.
const OVER_FROM: f32 = 0.5;

/// No pause is waited for longer than this, whatever speaks for more: beyond
/// it, callers ask "hello?".
pub const PATIENCE_MAX: Duration = Duration::from_millis(2500);

/// Pauses after which the turn is over, counted from the last voiced sample.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Patience {
    /// The judge says that the turn is over.
    over: Duration,
    /// The judge has not answered.
    unjudged: Duration,
    /// The judge is undecided and leans to "will go on".
    undecided: Duration,
    /// The judge is sure that the caller will go on, or the words dangle.
    going_on: Duration,
}

const fn patience(over: u64, unjudged: u64, undecided: u64, going_on: u64) -> Patience {
    Patience {
        over: Duration::from_millis(over),
        unjudged: Duration::from_millis(unjudged),
        undecided: Duration::from_millis(undecided),
        going_on: Duration::from_millis(going_on),
    }
}

impl Patience {
    /// Milliseconds. A pause is reported after 200 ms and judged some 60 ms
    /// later, so that 300 ms is about the earliest that a judge can be heard.
    const fn for_expectation(expectation: Expectation) -> Self {
        match expectation {
            // 300 ms is where published judges cut off one turn in ten, and
            // 600 ms one in twenty; a cut turn can still go on.
            Expectation::Anything | Expectation::Return => patience(300, 700, 900, 1500),
            // "Yes" needs no second thought.
            Expectation::YesNo => patience(260, 450, 600, 1000),
            // Numbers are said in groups of three or four with about a second
            // between them, and each group sounds finished.
            Expectation::Digits => patience(1200, 1500, 1700, 2000),
            Expectation::Name => patience(1200, 1300, 1500, 1800),
            // An address is spelled, with thinking in the middle.
            Expectation::Email => patience(1400, 1600, 1800, 2200),
            // Who dictates a message thinks between sentences.
            Expectation::Message => patience(1500, 1700, 2000, 2500),
        }
    }

    fn after(self, judgement: Option<f32>, gist: Option<Gist>) -> Duration {
        let judged = match judgement {
            None => self.unjudged,
            Some(p) if p >= OVER_FROM => self.over,
            Some(p) => {
                // From undecided (one half) to sure that more comes (zero), in a straight line.
                let lean = (OVER_FROM - p.max(0.0)) / OVER_FROM;
                self.undecided + (self.going_on - self.undecided).mul_f32(lean)
            }
        };
        let dangles = gist == Some(Gist::Dangling);
        if dangles { judged.max(self.going_on).min(PATIENCE_MAX) } else { judged.min(PATIENCE_MAX) }
    }
}

/// How long the caller's pause must last before the turn is over.
///
/// `judgement` is the judge's probability that it is over, if it has come (not
/// a number counts as not come); `gist` is what was heard so far, if anything.
/// A yes or no that was asked for ends the turn as early as a pause can.
pub fn pause_that_ends(expectation: Expectation, judgement: Option<f32>, gist: Option<Gist>) -> Duration {
    let table = Patience::for_expectation(expectation);
    if expectation == Expectation::YesNo && matches!(gist, Some(Gist::Yes | Gist::No)) {
        return table.over;
    }
    table.after(judgement.filter(|p| !p.is_nan()), gist)
}

/// A turn of the caller whose end is being looked for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Pause {
    /// The first voiced sample of the turn.
    pub began: Moment,
    /// The last voiced sample before the pause.
    pub ended: Moment,
    /// How much of the turn was voice, earlier pauses left out.
    pub voiced: Duration,
    /// Under which the words and the judgement of this pause were asked for.
    pub request: RequestId,
    judgement: Option<f32>,
    gist: Option<Gist>,
}

impl Pause {
    pub const fn gist(&self) -> Option<Gist> {
        self.gist
    }
}

/// Where the caller is in a turn.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Floor {
    /// No turn of the caller is under way.
    #[default]
    Quiet,
    /// The caller speaks; `since` is the first voiced sample after the last
    /// pause, and `voiced` is the voice before it.
    Speaking { began: Moment, since: Moment, voiced: Duration },
    /// The caller has paused, and nobody knows yet whether to go on.
    Pausing(Pause),
}

/// Finds the end of each turn of the caller: voice, pauses, judgements and
/// words come in, and [`Endpointer::ends_at`] says when the turn will be over
/// if nothing else comes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Endpointer {
    floor: Floor,
    expectation: Expectation,
}

impl Endpointer {
    pub const fn floor(&self) -> Floor {
        self.floor
    }

    pub const fn expectation(&self) -> Expectation {
        self.expectation
    }

    /// What kind of turn to expect, from now on.
    pub const fn expect(&mut self, expectation: Expectation) {
        self.expectation = expectation;
    }

    /// The caller's voice began or began again. Returns the request of the
    /// pause that this ends, which is not wanted any more.
    pub fn speech_started(&mut self, at: Moment) -> Option<RequestId> {
        match self.floor {
            Floor::Quiet => {
                self.floor = Floor::Speaking { began: at, since: at, voiced: Duration::ZERO };
                None
            }
            Floor::Speaking { .. } => None,
            Floor::Pausing(pause) => {
                let since = at.max(pause.ended);
                self.floor = Floor::Speaking { began: pause.began, since, voiced: pause.voiced };
                Some(pause.request)
            }
        }
    }

    /// The caller goes on with a turn that had been taken for over.
    pub const fn goes_on(&mut self, earlier: Pause, at: Moment) {
        self.floor = Floor::Speaking { began: earlier.began, since: at, voiced: earlier.voiced };
    }

    /// How much voice the turn has if the caller stopped at `at`, its pauses left out.
    pub fn voiced_until(&self, at: Moment) -> Duration {
        match self.floor {
            Floor::Quiet => Duration::ZERO,
            Floor::Speaking { since, voiced, .. } => voiced + at.since(since),
            Floor::Pausing(pause) => pause.voiced,
        }
    }

    /// The caller's voice stopped at `at`; words and judgement are asked for
    /// under `request`. None if the caller was not speaking.
    pub fn speech_paused(&mut self, at: Moment, request: RequestId) -> Option<Pause> {
        let Floor::Speaking { began, since, voiced } = self.floor else { return None };
        let ended = at.max(since);
        let voiced = voiced + ended.since(since);
        let pause = Pause { began, ended, voiced, request, judgement: None, gist: None };
        self.floor = Floor::Pausing(pause);
        Some(pause)
    }

    /// The judge's answer; one to an earlier pause is dropped.
    pub fn judged(&mut self, request: RequestId, probability: f32) {
        if let Floor::Pausing(pause) = &mut self.floor
            && pause.request == request
        {
            pause.judgement = Some(probability);
        }
    }

    /// The gist of the words; one of an earlier pause is dropped.
    pub fn heard(&mut self, request: RequestId, gist: Gist) {
        if let Floor::Pausing(pause) = &mut self.floor
            && pause.request == request
        {
            pause.gist = Some(gist);
        }
    }

    /// When the turn will be over if the caller stays silent and nothing more
    /// becomes known. None while the caller speaks or no turn is under way.
    pub fn ends_at(&self) -> Option<Moment> {
        let Floor::Pausing(pause) = self.floor else { return None };
        Some(pause.ended + pause_that_ends(self.expectation, pause.judgement, pause.gist))
    }

    /// The turn is over, or was none.
    pub const fn finish(&mut self) {
        self.floor = Floor::Quiet;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVERY_EXPECTATION: [Expectation; 7] = [
        Expectation::Anything,
        Expectation::YesNo,
        Expectation::Digits,
        Expectation::Name,
        Expectation::Email,
        Expectation::Message,
        Expectation::Return,
    ];

    fn at(ms: u64) -> Moment {
        Moment::from_micros(ms * 1000)
    }

    #[test]
    fn a_turn_has_no_end_while_the_caller_speaks() {
        let mut endpointer = Endpointer::default();
        assert_eq!(endpointer.ends_at(), None);
        endpointer.speech_started(at(100));
        assert_eq!(endpointer.ends_at(), None);
        endpointer.speech_paused(at(900), RequestId(0));
        assert!(endpointer.ends_at() > Some(at(900)));
        assert_eq!(endpointer.speech_started(at(1300)), Some(RequestId(0)));
        assert_eq!(endpointer.ends_at(), None);
    }

    #[test]
    fn a_turn_counts_its_voice_without_its_pauses() {
        let mut endpointer = Endpointer::default();
        endpointer.speech_started(at(100));
        endpointer.speech_paused(at(400), RequestId(0));
        endpointer.speech_started(at(1000));
        let pause = endpointer.speech_paused(at(1200), RequestId(1));
        assert_eq!(pause.map(|p| (p.began, p.ended, p.voiced)), Some((at(100), at(1200), Duration::from_millis(500))));
    }

    #[test]
    fn a_judgement_of_an_earlier_pause_is_dropped() {
        let mut endpointer = Endpointer::default();
        endpointer.speech_started(at(100));
        endpointer.speech_paused(at(900), RequestId(0));
        endpointer.speech_started(at(1300));
        endpointer.speech_paused(at(2000), RequestId(1));
        let unjudged = endpointer.ends_at();
        endpointer.judged(RequestId(0), 1.0);
        assert_eq!(endpointer.ends_at(), unjudged);
        endpointer.judged(RequestId(1), 1.0);
        assert!(endpointer.ends_at() < unjudged);
    }

    #[test]
    fn no_expectation_is_judged_faster_by_silence_than_by_a_judge_who_says_over() {
        for expectation in EVERY_EXPECTATION {
            let judged = |p| pause_that_ends(expectation, p, None);
            assert!(judged(Some(1.0)) < judged(None) && judged(None) < judged(Some(0.0)), "{expectation:?}");
        }
    }

    proptest! {
        #[test]
        fn the_likelier_the_end_the_shorter_the_pause(
            which in 0_usize..EVERY_EXPECTATION.len(), a in 0.0_f32..=1.0, b in 0.0_f32..=1.0,
        ) {
            let pause = |p| pause_that_ends(EVERY_EXPECTATION[which], Some(p), None);
            prop_assert!(pause(a.min(b)) >= pause(a.max(b)));
        }

        #[test]
        fn no_pause_is_waited_for_beyond_the_bound(which in 0_usize..EVERY_EXPECTATION.len(), p in any::<f32>()) {
            for gist in [None, Some(Gist::Dangling), Some(Gist::Words), Some(Gist::Nothing)] {
                let pause = pause_that_ends(EVERY_EXPECTATION[which], Some(p), gist);
                prop_assert!((Duration::from_millis(200)..=PATIENCE_MAX).contains(&pause));
            }
        }
    }
}
