use std::time::Duration;

use crate::terms::Moment;

use super::input::SoundFacts;

/// Less than this share of what a second of sound has is no stream at all.
const MISSING_SHARE: f32 = 0.10;

/// Less than this share is heard as gaps.
const STUTTER_SHARE: f32 = 0.80;

/// What is weaker than this has no sound at all: 16-bit samples that are nearly all zero.
/// A caller who is merely quiet is louder, by the noise of the room or of the line.
const SILENCE_DBFS: f32 = -85.0;

/// Seconds in a row that must be bad: a single one may be a handover.
const BAD_SECONDS: u8 = 2;

/// Seconds in a row without any sound in what flows: a caller who thinks, or has put the
/// call on mute for a moment, is no fault.
const SILENT_SECONDS: u8 = 10;

/// Without a measurement for so long, nobody hears anything.
const HEARD_FOR: Duration = Duration::from_secs(3);

/// What is wrong with a call's sound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SoundFault {
    /// Nothing comes from the modem.
    Missing,
    /// Sound comes and the modem takes none.
    NoUplink,
    /// The modem takes sound, and what comes has been digital silence for long.
    SilentDownlink,
    Stuttering,
}

/// Looks at each second of a call's sound.
#[derive(Debug, Default)]
pub(super) struct SoundWatch {
    bytes_a_second: f32,
    bad: Option<(SoundFault, u8)>,
    told: Option<SoundFault>,
    heard_at: Option<Moment>,
    /// The modem has asked for a pause, so that nothing is taken.
    pub(super) paused: bool,
}

impl SoundWatch {
    /// For 16-bit samples at this rate.
    #[allow(clippy::cast_precision_loss, reason = "a rate of sound has five digits")]
    pub(super) fn new(rate: u32) -> Self {
        Self { bytes_a_second: (rate * 2) as f32, ..Self::default() }
    }

    /// A fault, once it has lasted two seconds, or ten when sound flows that is none; each
    /// only once until it is over.
    #[allow(clippy::cast_precision_loss, reason = "a second of sound has five digits of octets")]
    pub(super) fn measure(&mut self, facts: &SoundFacts, now: Moment) -> Option<SoundFault> {
        if facts.down_bytes > 0 || facts.up_bytes > 0 {
            self.heard_at = Some(now);
        }
        let wanted = self.bytes_a_second * facts.over.as_secs_f32();
        if wanted < self.bytes_a_second / 4.0 {
            // Too short a time says nothing.
            return None;
        }
        let (down, up) = (facts.down_bytes as f32 / wanted, facts.up_bytes as f32 / wanted);
        let fault = if down < MISSING_SHARE {
            Some(SoundFault::Missing)
        } else if up < MISSING_SHARE && !self.paused {
            Some(SoundFault::NoUplink)
        } else if down < STUTTER_SHARE || (up < STUTTER_SHARE && !self.paused) {
            Some(SoundFault::Stuttering)
        } else if facts.down_dbfs < SILENCE_DBFS {
            Some(SoundFault::SilentDownlink)
        } else {
            None
        };
        self.count(fault)
    }

    fn count(&mut self, fault: Option<SoundFault>) -> Option<SoundFault> {
        let Some(fault) = fault else {
            (self.bad, self.told) = (None, None);
            return None;
        };
        let seconds = match self.bad {
            Some((same, seconds)) if same == fault => seconds.saturating_add(1),
            _ => 1,
        };
        self.bad = Some((fault, seconds));
        let enough = if fault == SoundFault::SilentDownlink { SILENT_SECONDS } else { BAD_SECONDS };
        let is_new = seconds >= enough && self.told != Some(fault);
        if is_new {
            self.told = Some(fault);
        }
        is_new.then_some(fault)
    }

    /// The cure was applied: the fault is told again if it stays.
    pub(super) fn look_again(&mut self) {
        (self.bad, self.told) = (None, None);
    }

    /// Whether sound went either way a moment ago.
    pub(super) fn is_heard(&self, now: Moment) -> bool {
        self.heard_at.is_some_and(|at| now.since(at) < HEARD_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(down: u32, up: u32, dbfs: f32) -> SoundFacts {
        SoundFacts { over: Duration::from_secs(1), down_bytes: down, up_bytes: up, down_dbfs: dbfs, up_dbfs: -30.0 }
    }

    fn after_seconds(facts: SoundFacts) -> Vec<Option<SoundFault>> {
        let mut watch = SoundWatch::new(8_000);
        (1..=4).map(|n| watch.measure(&facts, Moment::from_micros(n * 1_000_000))).collect()
    }

    #[test]
    fn each_fault_is_told_once_within_two_seconds() {
        for (facts, fault) in [
            (second(0, 16_000, -100.0), SoundFault::Missing),
            (second(16_000, 0, -30.0), SoundFault::NoUplink),
            (second(9_000, 16_000, -30.0), SoundFault::Stuttering),
        ] {
            assert_eq!(after_seconds(facts), [None, Some(fault), None, None], "{fault:?}");
        }
        assert_eq!(after_seconds(second(16_000, 16_000, -40.0)), [None; 4]);
    }

    #[test]
    fn a_caller_who_is_quiet_is_no_fault_and_digital_silence_is_one_when_it_lasts() {
        let told_at = |dbfs: f32| {
            let mut watch = SoundWatch::new(8_000);
            let facts = second(16_000, 16_000, dbfs);
            (1..=600)
                .filter(|n| watch.measure(&facts, Moment::from_micros(n * 1_000_000)).is_some())
                .collect::<Vec<_>>()
        };
        // Comfort noise of a telephone network lies between -70 and -50 dBFS.
        assert_eq!(told_at(-70.0), [0; 0]);
        let told = told_at(-100.0);
        assert!(matches!(told[..], [second] if second >= 10), "{told:?}");
        // Silence that ends in time was none.
        let mut watch = SoundWatch::new(8_000);
        let mut faults = (0..120).filter_map(|n| {
            let dbfs = if n % 8 == 0 { -40.0 } else { -100.0 };
            watch.measure(&second(16_000, 16_000, dbfs), Moment::from_micros(n * 1_000_000))
        });
        assert_eq!(faults.next(), None);
    }

    #[test]
    fn a_fault_that_stays_after_its_cure_is_told_again() {
        let mut watch = SoundWatch::new(8_000);
        let mute = second(0, 0, -100.0);
        let mut told = 0;
        for n in 1..=6 {
            if watch.measure(&mute, Moment::from_micros(n * 1_000_000)).is_some() {
                told += 1;
                watch.look_again();
            }
        }
        assert_eq!(told, 3);
        assert!(!watch.is_heard(Moment::from_micros(7_000_000)));
    }

    #[test]
    fn a_modem_that_asked_for_a_pause_is_not_blamed_for_taking_nothing() {
        let mut watch = SoundWatch::new(8_000);
        watch.paused = true;
        for n in 1..=5 {
            assert_eq!(watch.measure(&second(16_000, 0, -40.0), Moment::from_micros(n * 1_000_000)), None);
        }
    }
}
