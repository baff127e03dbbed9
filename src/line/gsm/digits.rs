//! One press of a key is heard twice where the modem has a detector of its own: as a
//! row, and as a tone in the sound. Which of the two comes first depends on the modem.

use std::collections::VecDeque;
use std::time::Duration;

use crate::terms::Moment;

/// A row and its tone come within this of one another: detectors take 40 to 100 ms,
/// and rows wait behind an answer.
const APART_MAX: Duration = Duration::from_millis(1500);

/// Presses that wait for their other half; at ten a second no more come in that time.
const WAITING_MAX: usize = 32;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum HeardBy {
    Modem,
    Ear,
}

/// Tells each press once.
#[derive(Debug, Default)]
pub(super) struct DigitMerger {
    /// Told, and its other half is still to come.
    halves: VecDeque<(Moment, HeardBy, char)>,
}

impl DigitMerger {
    /// Whether this is a press that was not told yet.
    pub(super) fn is_new(&mut self, digit: char, by: HeardBy, at: Moment) -> bool {
        while self.halves.front().is_some_and(|(then, ..)| at.since(*then) > APART_MAX) {
            self.halves.pop_front();
        }
        let other = self.halves.iter().position(|(_, half, key)| *half != by && *key == digit);
        if let Some(other) = other {
            self.halves.remove(other);
            return false;
        }
        if self.halves.len() < WAITING_MAX {
            self.halves.push_back((at, by, digit));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_micros(ms * 1000)
    }

    #[test]
    fn a_press_that_comes_both_ways_is_told_once_whichever_is_first() {
        let mut merger = DigitMerger::default();
        assert!(merger.is_new('5', HeardBy::Ear, at(0)));
        assert!(!merger.is_new('5', HeardBy::Modem, at(80)));
        assert!(merger.is_new('5', HeardBy::Modem, at(400)));
        assert!(!merger.is_new('5', HeardBy::Ear, at(420)));
    }

    #[test]
    fn the_same_key_pressed_twice_is_two_presses() {
        let mut merger = DigitMerger::default();
        let told = [(0, HeardBy::Ear), (90, HeardBy::Modem), (200, HeardBy::Ear), (290, HeardBy::Modem)];
        let told = told.iter().filter(|(ms, by)| merger.is_new('5', *by, at(*ms)));
        assert_eq!(told.count(), 2);
        // And when both rows are late.
        let mut merger = DigitMerger::default();
        let late = [(0, HeardBy::Ear), (200, HeardBy::Ear), (400, HeardBy::Modem), (410, HeardBy::Modem)];
        let told = late.iter().filter(|(ms, by)| merger.is_new('7', *by, at(*ms)));
        assert_eq!(told.count(), 2);
    }

    #[test]
    fn a_modem_without_a_detector_is_heard_by_the_ear_alone() {
        let mut merger = DigitMerger::default();
        let presses = (0..20).filter(|n| merger.is_new('1', HeardBy::Ear, at(n * 200)));
        assert_eq!(presses.count(), 20);
    }
}
