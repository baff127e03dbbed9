//! The ways by which a key of the far side reaches us, and which of them counts.
//!
//! Much equipment sends every key twice (telephone adapters have a setting "RTP
//! and SIP INFO", and an adapter that sends INFO leaves the tone within the
//! sound too). Such a key is one key.

use std::collections::VecDeque;
use std::time::Duration;

use crate::terms::Moment;

/// A way for a key, the worst first.
///
/// Telephone events count most: they are what the descriptions agreed on, they
/// come in order with the sound, three times each, and say when the key was
/// pressed; an INFO is sent when the key is let go, and over UDP a lost one
/// comes half a second later, behind the next key. A tone within the sound
/// counts least: a voice can sound like one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DigitWay {
    /// A tone within the sound.
    Tone,
    /// SIP INFO.
    Info,
    /// A telephone event of RFC 4733.
    Event,
}

/// A better way may say a key again for this long after a worse one has: a key
/// is held for a second at most, and an INFO that was lost is sent again after
/// half a second and after another whole one (RFC 3261 section 17.1.2.2).
const AGAIN: Duration = Duration::from_secs(2);

/// Keys of a worse way that a better one may say again: nobody presses more
/// within [`AGAIN`].
const SAID_MAX: usize = 16;

/// The keys of one call. It tells the second saying of a key from a second key.
///
/// The best way that has been seen is the call's way from then on. A far side
/// that is seen to send events is not listened to by INFO, however late the
/// INFO comes; one that sends nothing but INFO is heard by it.
#[derive(Debug, Default)]
pub struct DigitWays {
    best: Option<DigitWay>,
    /// What was told of worse ways than the best possible one, oldest first.
    said: VecDeque<(Moment, DigitWay, char)>,
}

impl DigitWays {
    /// Whether this is a key that has not been told yet.
    pub fn is_new(&mut self, digit: char, way: DigitWay, now: Moment) -> bool {
        if self.best.is_some_and(|best| best > way) {
            return false;
        }
        self.best = Some(way);
        while self.said.front().is_some_and(|(at, ..)| now.since(*at) > AGAIN) {
            self.said.pop_front();
        }
        let again = self.said.iter().position(|(_, worse, said)| *worse < way && *said == digit);
        if let Some(nth) = again {
            // Keys keep their order in each way: what came before it is not said again.
            self.said.drain(..=nth);
            return false;
        }
        if way < DigitWay::Event {
            if self.said.len() == SAID_MAX {
                self.said.pop_front();
            }
            self.said.push_back((now, way, digit));
        }
        true
    }

    /// Another device may be at the far end, with other ways.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::START + Duration::from_millis(ms)
    }

    fn told(keys: &[(u64, DigitWay, char)]) -> String {
        let mut ways = DigitWays::default();
        keys.iter().filter(|(ms, way, digit)| ways.is_new(*digit, *way, at(*ms))).map(|(.., digit)| digit).collect()
    }

    #[test]
    fn a_far_side_that_sends_by_one_way_is_heard_by_it() {
        for way in [DigitWay::Tone, DigitWay::Info, DigitWay::Event] {
            assert_eq!(told(&[(0, way, '1'), (200, way, '1'), (400, way, '2')]), "112");
        }
    }

    #[test]
    fn an_info_after_its_event_is_the_same_key_however_late_it_comes() {
        let keys = [(0, DigitWay::Event, '1'), (200, DigitWay::Event, '2'), (9_000, DigitWay::Info, '1')];
        assert_eq!(told(&keys), "12");
    }

    #[test]
    fn an_event_after_its_info_is_the_same_key_and_the_next_event_is_another() {
        let keys = [
            (0, DigitWay::Info, '1'),
            (300, DigitWay::Info, '2'),
            (350, DigitWay::Event, '1'),
            (400, DigitWay::Event, '2'),
            (800, DigitWay::Event, '2'),
            (850, DigitWay::Info, '2'),
        ];
        assert_eq!(told(&keys), "122");
    }

    #[test]
    fn an_event_long_after_an_info_is_another_key() {
        assert_eq!(told(&[(0, DigitWay::Info, '1'), (2_001, DigitWay::Event, '1')]), "11");
    }

    #[test]
    fn a_voice_that_sounds_like_a_key_does_not_keep_the_real_ones_out() {
        let keys = [(0, DigitWay::Tone, '5'), (100, DigitWay::Info, '1'), (200, DigitWay::Tone, '1')];
        assert_eq!(told(&keys), "51");
    }

    #[test]
    fn another_device_at_the_far_end_may_have_another_way() {
        let mut ways = DigitWays::default();
        assert!(ways.is_new('1', DigitWay::Event, at(0)));
        assert!(!ways.is_new('2', DigitWay::Info, at(100)));
        ways.forget();
        assert!(ways.is_new('3', DigitWay::Info, at(200)));
    }

    proptest! {
        /// Keys a second apart, each by two ways, the second up to 0.9 s behind.
        #[test]
        fn every_key_that_is_sent_by_two_ways_is_told_once(
            keys in proptest::collection::vec((prop::sample::select(vec!['0', '1', '2', '#']), any::<bool>(), 0_u64..900), 1..40),
            pair in prop::sample::select(vec![
                (DigitWay::Info, DigitWay::Event), (DigitWay::Tone, DigitWay::Event), (DigitWay::Tone, DigitWay::Info),
            ]),
        ) {
            let sayings = |(nth, (digit, worse_first, behind)): (usize, &(char, bool, u64))| {
                let ms = nth as u64 * 1_000;
                let (first, second) = if *worse_first { pair } else { (pair.1, pair.0) };
                [(ms, first, *digit), (ms + behind, second, *digit)]
            };
            let all: Vec<_> = keys.iter().enumerate().flat_map(sayings).collect();
            let pressed: String = keys.iter().map(|(digit, ..)| digit).collect();
            prop_assert_eq!(told(&all), pressed);
        }
    }
}
