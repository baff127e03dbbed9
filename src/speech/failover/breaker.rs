use std::collections::VecDeque;
use std::time::Duration;

use crate::terms::Moment;

use super::fault::Weight;

/// When an engine is left alone, and for how long.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BreakerRules {
    /// So many failures within `window` open the breaker.
    pub failures: usize,
    pub window: Duration,
    /// The first time that it is left alone; each time after a probe that
    /// failed is twice as long, up to `longest`.
    pub first: Duration,
    pub longest: Duration,
    /// A probe that has no outcome after this long (its call ended) is none.
    pub probe_within: Duration,
}

impl Default for BreakerRules {
    fn default() -> Self {
        Self {
            // One failure is bad luck; the caller who had it has another engine
            // already. The second one within a minute is a state.
            failures: 2,
            window: Duration::from_secs(60),
            // An uplink that dropped is often back after some seconds; a
            // provider's incident lasts minutes.
            first: Duration::from_secs(5),
            longest: Duration::from_secs(300),
            probe_within: Duration::from_secs(30),
        }
    }
}

/// A provider that asks for more is asked again after an hour all the same:
/// nobody is there to repair a typing error in its answer.
const NOT_BEFORE_MAX: Duration = Duration::from_secs(3600);

/// Whether an engine is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    Healthy,
    /// It has been left alone long enough: one try, beside an engine that is well.
    ProbeDue,
    /// Such a try is under way.
    Probing,
    LeftUntil(Moment),
    /// Its account is spent: not before a restart or another configuration.
    OutOfUse,
}

#[derive(Clone, Debug)]
enum State {
    Closed { failures: VecDeque<Moment> },
    Open { until: Moment, tries: u32 },
    HalfOpen { since: Moment, tries: u32 },
    OutOfUse,
}

/// A circuit breaker for one engine. It has no clock and no chance of its own.
#[derive(Clone, Debug)]
pub struct Breaker {
    rules: BreakerRules,
    state: State,
    last_success: Option<Moment>,
}

impl Breaker {
    pub const fn new(rules: BreakerRules) -> Self {
        Self { rules, state: State::Closed { failures: VecDeque::new() }, last_success: None }
    }

    pub fn standing(&self, now: Moment) -> Standing {
        match self.state {
            State::Closed { .. } => Standing::Healthy,
            State::Open { until, .. } if until > now => Standing::LeftUntil(until),
            State::HalfOpen { since, .. } if now < since + self.rules.probe_within => Standing::Probing,
            State::Open { .. } | State::HalfOpen { .. } => Standing::ProbeDue,
            State::OutOfUse => Standing::OutOfUse,
        }
    }

    pub const fn last_success(&self) -> Option<Moment> {
        self.last_success
    }

    /// Begins a try if one is due. True for one caller alone.
    pub fn begin_probe(&mut self, now: Moment) -> bool {
        let due = self.standing(now) == Standing::ProbeDue;
        if let (true, State::Open { tries, .. } | State::HalfOpen { tries, .. }) = (due, &self.state) {
            self.state = State::HalfOpen { since: now, tries: *tries };
        }
        due
    }

    /// The try that was begun at `begun` never came to the engine: another is due at
    /// once. One that was begun while the engine was well, or has had its time, is none
    /// that is waited for, and the one under way is another call's.
    pub fn take_back_probe(&mut self, begun: Moment, now: Moment) {
        if let State::HalfOpen { since, tries } = self.state
            && since == begun
        {
            self.state = State::Open { until: now, tries };
        }
    }

    /// The engine did what it was asked. While it is left alone, a late success
    /// of an earlier call says nothing.
    pub fn succeeded(&mut self, now: Moment) {
        match &mut self.state {
            // Failures count against what goes well between them.
            State::Closed { failures } => drop(failures.pop_front()),
            State::HalfOpen { .. } => self.state = State::Closed { failures: VecDeque::new() },
            State::Open { .. } | State::OutOfUse => return,
        }
        self.last_success = Some(now);
    }

    /// The engine failed. `jitter` is any number from 0 to 1, so that boxes that
    /// lost an engine together do not come back together.
    pub fn failed(&mut self, weight: Weight, now: Moment, jitter: f32) {
        let not_before = match (weight, &self.state) {
            (Weight::Nothing, _) => return,
            (Weight::ForGood, _) => {
                self.state = State::OutOfUse;
                return;
            }
            // Once is enough, and it is tried again all the same: what was wrong may
            // have been put right, and it may have been the box's own clock.
            (Weight::UntilRepaired, State::Closed { .. } | State::HalfOpen { .. } | State::Open { .. }) => {
                let back_off = jittered(self.rules.longest, jitter);
                self.state = State::Open { until: now + back_off, tries: u32::MAX };
                return;
            }
            (Weight::UntilRepaired, State::OutOfUse) => return,
            (Weight::Counts { not_before }, _) => not_before,
        };
        match &mut self.state {
            State::Closed { failures } => {
                failures.retain(|at| now.since(*at) < self.rules.window);
                failures.push_back(now);
                if failures.len() >= self.rules.failures || not_before.is_some() {
                    self.open(0, not_before, now, jitter);
                }
            }
            State::HalfOpen { tries, .. } => {
                let tries = tries.saturating_add(1);
                self.open(tries, not_before, now, jitter);
            }
            State::Open { until, .. } => {
                // It said for how long only now.
                let named = not_before.map(|time| now + time.min(NOT_BEFORE_MAX));
                *until = named.map_or(*until, |named| named.max(*until));
            }
            State::OutOfUse => {}
        }
    }

    fn open(&mut self, tries: u32, not_before: Option<Duration>, now: Moment, jitter: f32) {
        let rules = &self.rules;
        let doubled = rules.first.saturating_mul(1_u32.checked_shl(tries).unwrap_or(u32::MAX)).min(rules.longest);
        let named = not_before.unwrap_or_default().min(NOT_BEFORE_MAX);
        self.state = State::Open { until: now + jittered(doubled, jitter).max(named), tries };
    }
}

/// Half of it is sure, so that a probe never follows on the heels of a failure.
fn jittered(time: Duration, jitter: f32) -> Duration {
    let part = if jitter.is_nan() { 1.0 } else { jitter.clamp(0.0, 1.0) };
    time.mul_f32(0.5 + part / 2.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COUNTS: Weight = Weight::Counts { not_before: None };

    fn at(ms: u64) -> Moment {
        Moment::from_micros(ms * 1000)
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::new(BreakerRules::default());
        breaker.failed(COUNTS, at(1000), 0.0);
        breaker.failed(COUNTS, at(2000), 0.0);
        breaker
    }

    #[test]
    fn one_failure_is_bad_luck_and_two_within_the_window_are_a_state() {
        let mut breaker = Breaker::new(BreakerRules::default());
        breaker.failed(COUNTS, at(1000), 0.0);
        assert_eq!(breaker.standing(at(1000)), Standing::Healthy);
        breaker.failed(COUNTS, at(62_000), 0.0);
        assert_eq!(breaker.standing(at(62_000)), Standing::Healthy, "the first was a minute ago");
        breaker.failed(COUNTS, at(63_000), 0.0);
        assert_eq!(breaker.standing(at(63_000)), Standing::LeftUntil(at(65_500)));
    }

    #[test]
    fn a_success_weighs_against_a_failure() {
        let mut breaker = Breaker::new(BreakerRules::default());
        for second in 0..20 {
            breaker.failed(COUNTS, at(second * 1000), 0.0);
            breaker.succeeded(at(second * 1000 + 500));
        }
        assert_eq!(breaker.standing(at(20_000)), Standing::Healthy);
    }

    #[test]
    fn one_caller_alone_probes_and_success_brings_the_engine_back() {
        let mut breaker = opened();
        assert!(!breaker.begin_probe(at(4000)), "too early");
        assert!(breaker.begin_probe(at(4500)));
        assert!(!breaker.begin_probe(at(4500)));
        assert_eq!(breaker.standing(at(4600)), Standing::Probing);
        breaker.succeeded(at(4700));
        assert_eq!((breaker.standing(at(4700)), breaker.last_success()), (Standing::Healthy, Some(at(4700))));
    }

    #[test]
    fn each_probe_that_fails_doubles_the_wait_up_to_the_longest() {
        let (mut breaker, mut now, mut waits) = (opened(), at(2000), Vec::new());
        for _ in 0..12 {
            let Standing::LeftUntil(until) = breaker.standing(now) else { panic!("left alone") };
            waits.push(until.since(now).as_millis());
            now = until;
            assert!(breaker.begin_probe(now));
            breaker.failed(COUNTS, now, 1.0);
        }
        assert_eq!(waits[..4], [2500, 10_000, 20_000, 40_000]);
        assert_eq!(waits.last(), Some(&300_000));
    }

    #[test]
    fn a_probe_without_an_outcome_is_tried_again() {
        let mut breaker = opened();
        assert!(breaker.begin_probe(at(10_000)));
        assert!(breaker.begin_probe(at(40_000)));
    }

    #[test]
    fn a_probe_that_is_taken_back_is_due_again_at_once_and_has_brought_nothing_back() {
        let mut breaker = opened();
        assert!(breaker.begin_probe(at(4500)));
        breaker.take_back_probe(at(4500), at(4600));
        assert_eq!((breaker.standing(at(4600)), breaker.last_success()), (Standing::ProbeDue, None));
        assert!(breaker.begin_probe(at(4600)));
        breaker.failed(COUNTS, at(4700), 1.0);
        assert_eq!(breaker.standing(at(4700)), Standing::LeftUntil(at(14_700)), "one try has failed and not two");
        breaker.take_back_probe(at(4600), at(4800));
        assert_eq!(breaker.standing(at(4800)), Standing::LeftUntil(at(14_700)), "there is none to take back");
    }

    #[test]
    fn nobody_takes_back_the_try_of_another_call() {
        let mut breaker = opened();
        assert!(breaker.begin_probe(at(4500)));
        breaker.take_back_probe(at(500), at(4600));
        assert_eq!(breaker.standing(at(4600)), Standing::Probing, "it was begun while the engine was well");
        assert!(breaker.begin_probe(at(40_000)));
        breaker.take_back_probe(at(4500), at(40_100));
        assert_eq!(breaker.standing(at(40_100)), Standing::Probing, "it has had its time, and another's is under way");
        breaker.take_back_probe(at(40_000), at(40_200));
        assert_eq!(breaker.standing(at(40_200)), Standing::ProbeDue);
    }

    #[test]
    fn what_a_provider_asks_for_is_honoured_within_an_hour() {
        let busy = |seconds| Weight::Counts { not_before: Some(Duration::from_secs(seconds)) };
        let mut breaker = Breaker::new(BreakerRules::default());
        breaker.failed(busy(30), at(0), 0.5);
        assert_eq!(breaker.standing(at(0)), Standing::LeftUntil(at(30_000)), "one such failure is enough");
        let mut breaker = Breaker::new(BreakerRules::default());
        breaker.failed(busy(31_536_000), at(0), 0.5);
        assert_eq!(breaker.standing(at(3_600_000)), Standing::ProbeDue);
        let mut breaker = opened();
        breaker.failed(busy(60), at(2100), 0.5);
        assert_eq!(breaker.standing(at(2100)), Standing::LeftUntil(at(62_100)), "said while it is left alone");
    }

    #[test]
    fn what_must_be_repaired_is_tried_again_after_the_longest_rest_and_comes_back() {
        let mut breaker = Breaker::new(BreakerRules::default());
        breaker.failed(Weight::UntilRepaired, at(0), 1.0);
        assert_eq!(breaker.standing(at(0)), Standing::LeftUntil(at(300_000)), "once is enough");
        assert!(breaker.begin_probe(at(300_000)));
        breaker.failed(Weight::UntilRepaired, at(300_100), 1.0);
        assert_eq!(breaker.standing(at(300_100)), Standing::LeftUntil(at(600_100)), "it is not yet");
        assert!(breaker.begin_probe(at(600_100)));
        breaker.succeeded(at(600_200));
        assert_eq!(breaker.standing(at(600_200)), Standing::Healthy);
        // A failure of another kind in the trial is no reason to hurry.
        breaker.failed(Weight::UntilRepaired, at(700_000), 0.0);
        assert!(breaker.begin_probe(at(850_000)));
        breaker.failed(COUNTS, at(850_000), 1.0);
        assert_eq!(breaker.standing(at(850_000)), Standing::LeftUntil(at(1_150_000)));
    }

    #[test]
    fn what_is_spent_is_not_tried_again() {
        let mut breaker = Breaker::new(BreakerRules::default());
        breaker.failed(Weight::ForGood, at(0), 0.5);
        breaker.succeeded(at(1));
        breaker.failed(COUNTS, at(2), 0.5);
        breaker.failed(Weight::UntilRepaired, at(3), 0.5);
        assert!(!breaker.begin_probe(at(86_400_000)));
        assert_eq!(breaker.standing(at(86_400_000)), Standing::OutOfUse);
    }

    proptest! {
        #[test]
        fn an_engine_that_is_left_is_never_healthy_without_a_probe_that_succeeded(
            steps in prop::collection::vec((0_u8..6, 0_u64..20_000, 0.0_f32..1.0), 0..80),
        ) {
            let mut breaker = Breaker::new(BreakerRules::default());
            let mut now = Moment::START;
            let mut begun = now;
            for (what, later, jitter) in steps {
                now = now + Duration::from_millis(later);
                let before = breaker.standing(now);
                match what {
                    0 => breaker.failed(COUNTS, now, jitter),
                    1 => breaker.succeeded(now),
                    3 => breaker.failed(Weight::UntilRepaired, now, jitter),
                    4 => breaker.take_back_probe(begun, now),
                    2 => {
                        let is_begun = breaker.begin_probe(now);
                        prop_assert_eq!(is_begun, before == Standing::ProbeDue);
                        if is_begun {
                            begun = now;
                        }
                    }
                    _ => breaker.failed(Weight::Counts { not_before: Some(Duration::from_secs(7)) }, now, jitter),
                }
                let after = breaker.standing(now);
                if let Standing::LeftUntil(until) = after {
                    let longest = BreakerRules::default().longest;
                    prop_assert!(until > now && until <= now + longest);
                }
                if after == Standing::Healthy {
                    // Only a success leads back from being left, and only from a probe.
                    let led_back = what == 1 && !matches!(before, Standing::LeftUntil(_));
                    prop_assert!(before == Standing::Healthy || led_back, "{:?} by {}", before, what);
                }
            }
        }
    }
}
