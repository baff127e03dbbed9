use std::collections::VecDeque;
use std::time::Duration;

use crate::terms::Moment;

/// The time in which resets are counted.
const HOUR: Duration = Duration::from_secs(3600);

/// A line that was well for so long begins at the mildest step again.
const WELL_FOR: Duration = Duration::from_secs(600);

/// A step to heal a modem, the mildest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Rung {
    Reopen,
    /// `AT+CFUN=1,1` or what the profile has in its place.
    Soft,
    /// The maker's own restart.
    Maker,
    Power,
}

/// Which step comes next, and whether one may come at all.
#[derive(Debug)]
pub(super) struct Ladder {
    cap: usize,
    has_maker: bool,
    /// When resets were made, the oldest first; at most `cap` of them.
    made: VecDeque<Moment>,
    next: Rung,
    well_since: Option<Moment>,
}

impl Ladder {
    pub(super) fn new(cap: u8, has_maker: bool) -> Self {
        Self { cap: usize::from(cap.max(1)), has_maker, made: VecDeque::new(), next: Rung::Reopen, well_since: None }
    }

    /// How many resets an hour may have before a restart that is planned: the last one is
    /// left to a fault, so that the first of them costs no calls.
    fn planned_cap(&self) -> usize {
        (self.cap - 1).max(1)
    }

    /// Counts a restart that is planned. False, and nothing is counted, if the hour has none
    /// left for it.
    ///
    /// That is all: no fault was met, so that the next one brings no harder step.
    pub(super) fn plan(&mut self, now: Moment) -> bool {
        self.count(self.planned_cap(), now)
    }

    fn count(&mut self, cap: usize, now: Moment) -> bool {
        while self.made.front().is_some_and(|at| now.since(*at) >= HOUR) {
            self.made.pop_front();
        }
        let may = self.made.len() < cap;
        if may {
            self.made.push_back(now);
        }
        may
    }

    /// The next step, at least `from` and at most `to`; none if the hour has had as many as
    /// it may.
    pub(super) fn climb(&mut self, from: Rung, to: Rung, now: Moment) -> Option<Rung> {
        if !self.count(self.cap, now) {
            return None;
        }
        let rung = match self.next.max(from).min(to) {
            Rung::Maker if !self.has_maker && to == Rung::Maker => Rung::Soft,
            Rung::Maker if !self.has_maker => Rung::Power,
            rung => rung,
        };
        self.next = match rung {
            Rung::Reopen => Rung::Soft,
            Rung::Soft if self.has_maker => Rung::Maker,
            Rung::Soft | Rung::Maker | Rung::Power => Rung::Power,
        };
        self.well_since = None;
        Some(rung)
    }

    /// When a reset may be made again, once the hour has had as many as it may.
    pub(super) fn free_at(&self) -> Option<Moment> {
        self.made.front().map(|at| *at + HOUR)
    }

    /// When a restart may be planned again, once the hour has none left for it.
    pub(super) fn plannable_at(&self) -> Option<Moment> {
        let first_that_stays = self.made.len().checked_sub(self.planned_cap())?;
        self.made.get(first_that_stays).map(|at| *at + HOUR)
    }

    /// The line is well, or is not.
    pub(super) fn well(&mut self, well: Wellness, now: Moment) {
        match (well, self.well_since) {
            (Wellness::Ill, _) => self.well_since = None,
            (Wellness::Well, None) => self.well_since = Some(now),
            (Wellness::Well, Some(since)) if now.since(since) >= WELL_FOR => self.next = Rung::Reopen,
            (Wellness::Well, Some(_)) => {}
        }
    }

    /// A person has looked after the modem.
    pub(super) fn release(&mut self) {
        self.made.clear();
        self.next = Rung::Reopen;
        self.well_since = None;
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wellness {
    Well,
    Ill,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(n: u64) -> Moment {
        Moment::from_micros(n * 60_000_000)
    }

    #[test]
    fn the_mildest_step_comes_first_and_each_failure_brings_a_harder_one() {
        let mut ladder = Ladder::new(9, true);
        let rungs: Vec<_> = (0..5).map(|n| ladder.climb(Rung::Reopen, Rung::Power, minute(n))).collect();
        let expected = [Rung::Reopen, Rung::Soft, Rung::Maker, Rung::Power, Rung::Power];
        assert_eq!(rungs, expected.map(Some));
        let mut ladder = Ladder::new(9, false);
        assert_eq!(ladder.climb(Rung::Soft, Rung::Power, minute(0)), Some(Rung::Soft));
        assert_eq!(ladder.climb(Rung::Soft, Rung::Power, minute(1)), Some(Rung::Power));
    }

    #[test]
    fn a_fault_that_power_does_not_mend_brings_a_restart_at_most_and_leaves_power_to_others() {
        for (has_maker, hardest) in [(true, Rung::Maker), (false, Rung::Soft)] {
            let mut ladder = Ladder::new(9, has_maker);
            let rungs: Vec<_> = (0..4).map(|n| ladder.climb(Rung::Soft, Rung::Maker, minute(n))).collect();
            assert_eq!(rungs, [Rung::Soft, hardest, hardest, hardest].map(Some));
            assert_eq!(ladder.climb(Rung::Reopen, Rung::Power, minute(4)), Some(Rung::Power));
            assert_eq!(ladder.climb(Rung::Soft, Rung::Maker, minute(5)), Some(hardest));
        }
    }

    #[test]
    fn no_hour_has_more_resets_than_it_may() {
        let mut ladder = Ladder::new(3, false);
        let made: Vec<u64> =
            (0..180).filter(|n| ladder.climb(Rung::Reopen, Rung::Power, minute(*n)).is_some()).collect();
        for from in 0..180 {
            assert!(made.iter().filter(|n| (from..from + 60).contains(*n)).count() <= 3, "{made:?}");
        }
        assert_eq!(made.len(), 9);
    }

    #[test]
    fn a_restart_that_was_planned_counts_for_the_hour_and_brings_no_harder_step() {
        let mut ladder = Ladder::new(3, true);
        assert!(ladder.plan(minute(0)) && ladder.plan(minute(1)));
        assert_eq!((ladder.plan(minute(2)), ladder.plannable_at()), (false, Some(minute(60))));
        assert_eq!(ladder.climb(Rung::Reopen, Rung::Power, minute(2)), Some(Rung::Reopen), "the last one is a fault's");
        assert_eq!((ladder.plan(minute(3)), ladder.plannable_at()), (false, Some(minute(61))));
        assert_eq!((ladder.climb(Rung::Reopen, Rung::Power, minute(4)), ladder.free_at()), (None, Some(minute(60))));
        assert!(!ladder.plan(minute(60)));
        assert!(ladder.plan(minute(61)));
        // Where the hour may have one, it may be planned.
        assert!(Ladder::new(1, true).plan(minute(0)));
    }

    #[test]
    fn a_line_that_stays_well_begins_at_the_mildest_step_again() {
        let mut ladder = Ladder::new(9, true);
        ladder.climb(Rung::Reopen, Rung::Power, minute(0));
        ladder.well(Wellness::Well, minute(1));
        ladder.well(Wellness::Well, minute(5));
        ladder.well(Wellness::Ill, minute(6));
        ladder.well(Wellness::Well, minute(7));
        ladder.well(Wellness::Well, minute(16));
        assert_eq!(ladder.climb(Rung::Reopen, Rung::Power, minute(16)), Some(Rung::Soft));
        ladder.well(Wellness::Well, minute(17));
        ladder.well(Wellness::Well, minute(28));
        assert_eq!(ladder.climb(Rung::Reopen, Rung::Power, minute(28)), Some(Rung::Reopen));
    }
}
