use std::time::Duration;

use crate::terms::Moment;

use super::input::SoundFacts;

/// Less than this share of what a second of sound has is no stream at all.
const MISSING_SHARE: f32 = 0.10;

/// Less than this share is heard as gaps.
const STUTTER_SHARE: f32 = 0.80;

/// What is weaker than this has no sound at all: 16-bit samples that are nearly all zero,
/// such as the last bit of a converter whose wire is broken. A caller who is merely quiet
/// is louder, by the noise of the room or of the line.
const SILENCE_DBFS: f32 = -85.0;

/// All samples of what was measured were zero. No decoder of a telephone does that for
/// long while it lives: where the far side says nothing, it plays its comfort noise.
const ZERO_DBFS: f32 = -100.0;

/// What flows badly for so long is a fault: shorter gaps are handovers. With measurements
/// of 400 ms it is told 1.7 s after it began at the latest.
const BAD_FOR: Duration = Duration::from_millis(1500);

/// What stutters for so long needs more than its row. It is longer than a handover takes, or
/// a host that stands still for a second or two.
const STUTTER_MAX: Duration = Duration::from_secs(5);

/// A call whose sound was not well for less than this says nothing of the next one's.
const FALTERS_FOR: Duration = Duration::from_secs(3);

/// Nearly silent, or silent with modems that are known to do so, for so long: a caller who
/// thinks, or has put the call on mute for a moment, is no fault.
const SILENT_FOR: Duration = Duration::from_secs(10);

/// Without a measurement for so long, nobody hears anything.
const HEARD_FOR: Duration = Duration::from_secs(3);

/// What is wrong with a call's sound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SoundFault {
    /// Nothing comes from the modem.
    Missing,
    /// Sound comes and the modem takes none.
    NoUplink,
    /// The modem takes sound, and what comes is digital silence.
    SilentDownlink,
    Stuttering,
}

impl SoundFault {
    /// Whether too little sound goes, and not only nothing in it.
    const fn is_of_flow(self) -> bool {
        !matches!(self, Self::SilentDownlink)
    }
}

/// Looks at each moment of a call's sound.
#[derive(Debug, Default)]
pub(super) struct SoundWatch {
    bytes_a_second: f32,
    bad: Option<(SoundFault, Duration)>,
    /// How long nothing came in a row: nothing but zeros, or, before anything was heard in
    /// the call, nothing that is sound.
    nothing: Duration,
    /// Faults that were told and are not over.
    told: Vec<SoundFault>,
    /// Something that is sound has come in this call.
    heard: bool,
    /// How long nothing that is sound came before any did.
    deaf: Duration,
    /// How long nothing but zeros came since nothing was wrong.
    zeros: Duration,
    /// Zeros came for long and went by themselves: this modem plays them for silence, or
    /// the caller has a key for it.
    zeros_are_usual: bool,
    heard_at: Option<Moment>,
    /// Whether a stream came, and whether one was taken, when it was measured last.
    comes: bool,
    goes: bool,
    /// How long it stuttered, less the time in which enough went since.
    stutter: Duration,
    /// How long too little sound went, without gaps that are no fault.
    faltered: Duration,
    /// How long enough of it went, whatever was in it.
    flowed: Duration,
    /// The modem has asked for a pause, so that nothing is taken.
    pub(super) paused: bool,
}

impl SoundWatch {
    /// For 16-bit samples at this rate.
    #[allow(clippy::cast_precision_loss, reason = "a rate of sound has five digits")]
    pub(super) fn new(rate: u32) -> Self {
        Self { bytes_a_second: (rate * 2) as f32, ..Self::default() }
    }

    /// A fault, once it has lasted; each only once until it is over.
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
        self.listen(facts);
        let (down, up) = (facts.down_bytes as f32 / wanted, facts.up_bytes as f32 / wanted);
        (self.comes, self.goes) = (down >= MISSING_SHARE, up >= MISSING_SHARE);
        let fault = if !self.comes {
            Some(SoundFault::Missing)
        } else if !self.goes && !self.paused {
            Some(SoundFault::NoUplink)
        } else if down < STUTTER_SHARE || (up < STUTTER_SHARE && !self.paused) {
            Some(SoundFault::Stuttering)
        } else if facts.down_dbfs < SILENCE_DBFS {
            Some(SoundFault::SilentDownlink)
        } else {
            None
        };
        self.count(fault, facts.over)
    }

    /// What came, apart from how much of it. A caller who was heard may be nearly silent
    /// for a while; a line of which nothing was heard yet may be a broken wire.
    fn listen(&mut self, facts: &SoundFacts) {
        if facts.down_bytes > 0 && facts.down_dbfs <= ZERO_DBFS {
            self.zeros += facts.over;
        }
        let is_nothing = if self.heard { facts.down_dbfs <= ZERO_DBFS } else { facts.down_dbfs < SILENCE_DBFS };
        if facts.down_bytes == 0 {
            self.nothing = Duration::ZERO;
        } else if is_nothing {
            self.nothing += facts.over;
            self.deaf += facts.over;
        } else {
            (self.nothing, self.heard) = (Duration::ZERO, true);
        }
    }

    fn count(&mut self, fault: Option<SoundFault>, over: Duration) -> Option<SoundFault> {
        let Some(fault) = fault else {
            // A caller who was merely faint says nothing of zeros.
            let zeros_went = self.zeros >= BAD_FOR && self.told.contains(&SoundFault::SilentDownlink);
            self.zeros_are_usual |= zeros_went;
            self.look_again();
            self.sum_well(over);
            return None;
        };
        let before = match self.bad {
            // Sound that ends within what is measured stutters first and is missing then.
            Some((other, lasted)) if other.is_of_flow() == fault.is_of_flow() => lasted,
            _ => Duration::ZERO,
        };
        let lasted = before + over;
        self.bad = Some((fault, lasted));
        self.sum_bad(fault, before, over);
        let enough = if fault.is_of_flow() {
            lasted >= BAD_FOR
        } else {
            lasted >= SILENT_FOR || (self.nothing >= BAD_FOR && !self.zeros_are_usual)
        };
        let is_new = enough && !self.told.contains(&fault);
        if is_new {
            self.told.push(fault);
        }
        is_new.then_some(fault)
    }

    fn sum_well(&mut self, over: Duration) {
        self.flowed += over;
        self.stutter = self.stutter.saturating_sub(over);
    }

    fn sum_bad(&mut self, fault: SoundFault, before: Duration, over: Duration) {
        if !fault.is_of_flow() {
            return self.sum_well(over);
        }
        let lasted = before + over;
        if lasted < BAD_FOR {
            return;
        }
        // What led up to a fault is a part of it.
        let more = if before < BAD_FOR { lasted } else { over };
        self.faltered += more;
        if fault == SoundFault::Stuttering {
            // A host that stood still makes one long measurement.
            self.stutter += more.min(BAD_FOR);
        }
    }

    /// The cure was applied: the fault is told again if it stays.
    pub(super) fn look_again(&mut self) {
        (self.bad, self.nothing, self.zeros) = (None, Duration::ZERO, Duration::ZERO);
        self.told.clear();
    }

    /// Another way of sound is used from here on, or none any more: what is known is of
    /// another.
    pub(super) fn begin_way(&mut self) {
        let (bytes_a_second, heard_at, paused) = (self.bytes_a_second, self.heard_at, self.paused);
        *self = Self { bytes_a_second, heard_at, paused, ..Self::default() };
    }

    /// Whether a stream came when it was measured last, however it was heard.
    pub(super) const fn comes(&self) -> bool {
        self.comes
    }

    /// Whether the modem took a stream when it was measured last.
    pub(super) const fn goes(&self) -> bool {
        self.goes
    }

    /// Whether enough sound goes both ways to be understood.
    pub(super) fn carries(&self) -> bool {
        self.bad.is_none_or(|(fault, _)| !fault.is_of_flow())
    }

    /// Whether it stutters on although its row was given again. It is counted anew from
    /// here.
    pub(super) fn stutters_on(&mut self) -> bool {
        let is_long = self.stutter >= STUTTER_MAX;
        if is_long {
            self.stutter = Duration::ZERO;
        }
        is_long
    }

    /// Whether too little sound went for more of the time than enough did.
    pub(super) fn falters(&self) -> bool {
        self.faltered >= FALTERS_FOR && self.faltered > self.flowed
    }

    /// Whether nothing was wrong with what was measured last.
    pub(super) const fn is_well(&self) -> bool {
        self.bad.is_none()
    }

    /// Whether anything that is sound came in this call.
    pub(super) const fn has_heard(&self) -> bool {
        self.heard
    }

    /// Whether samples came for long in this call and there was no sound in them at all.
    pub(super) fn is_deaf(&self) -> bool {
        !self.heard && self.deaf >= SILENT_FOR
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
        SoundFacts { over: Duration::from_secs(1), down_bytes: down, up_bytes: up, down_dbfs: dbfs }
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
    fn what_ends_within_a_measurement_is_told_within_two_seconds_of_its_end() {
        for ended in (0..400).step_by(20) {
            let mut watch = SoundWatch::new(8_000);
            let told = (0_u32..20).find(|n| {
                // Sound of 16 octets in a millisecond, until it ends.
                let flows = ended.min(400 * (n + 1)).saturating_sub(400 * n);
                let over = Duration::from_millis(400);
                let facts = SoundFacts { over, ..second(16 * flows, 6_400, if flows > 0 { -30.0 } else { -100.0 }) };
                watch.measure(&facts, Moment::from_micros(u64::from(n + 1) * 400_000)) == Some(SoundFault::Missing)
            });
            let after = told.map(|n| 400 * (n + 1) - ended);
            assert!(after.is_some_and(|after| after <= 1_900), "{after:?} ms after an end at {ended}");
        }
        // A gap that a handover makes is none.
        let mut watch = SoundWatch::new(8_000);
        for n in 0..300 {
            let down = if n % 5 < 2 { 0 } else { 6_400 };
            let facts = SoundFacts { over: Duration::from_millis(400), ..second(down, 6_400, -30.0) };
            assert_eq!(watch.measure(&facts, Moment::from_micros((n + 1) * 400_000)), None, "{n}");
        }
    }

    /// Seconds in which a fault is told, of 600 that are so loud.
    fn told_at(dbfs: impl Fn(u64) -> f32) -> Vec<u64> {
        let mut watch = SoundWatch::new(8_000);
        let mut is_told = |n: u64| {
            let fault = watch.measure(&second(16_000, 16_000, dbfs(n)), Moment::from_micros(n * 1_000_000));
            assert!(fault.is_none_or(|fault| fault == SoundFault::SilentDownlink), "{fault:?}");
            fault.is_some()
        };
        (1..=600).filter(|n| is_told(*n)).collect()
    }

    #[test]
    fn a_caller_who_is_quiet_is_no_fault_and_nothing_but_zeros_is_one_within_two_seconds() {
        // Comfort noise of a telephone network lies between -70 and -50 dBFS.
        assert_eq!(told_at(|_| -70.0), [0; 0]);
        assert_eq!(told_at(|_| -100.0), [2]);
        assert_eq!(told_at(|n| if n < 100 { -40.0 } else { -100.0 }), [101]);
        // A second of them is none, however often it comes.
        assert_eq!(told_at(|n| if n % 2 == 0 { -40.0 } else { -100.0 }), [0; 0]);
        // What is nearly nothing is a fault at once where nothing was heard yet, as of a broken
        // wire, and when it lasts where something was.
        assert_eq!(told_at(|_| -90.0), [2]);
        assert_eq!(told_at(|n| if n < 100 { -40.0 } else { -90.0 }), [109]);
        assert_eq!(told_at(|n| if n == 1 { -90.0 } else { -70.0 }), [0; 0]);
    }

    #[test]
    fn a_modem_that_plays_zeros_between_words_is_blamed_once_and_then_only_for_long_silence() {
        assert_eq!(told_at(|n| if n % 8 == 0 { -40.0 } else { -100.0 }), [2]);
        let told = told_at(|n| if n % 30 == 0 { -40.0 } else { -100.0 });
        assert_eq!(told[..3], [2, 40, 70]);
    }

    #[test]
    fn zeros_after_a_caller_who_was_merely_faint_are_a_fault_at_once() {
        let told = told_at(|n| match n {
            100..120 => -90.0,
            130.. => -100.0,
            _ => -40.0,
        });
        assert_eq!(told, [109, 131]);
    }

    #[test]
    fn a_call_is_deaf_in_which_nothing_that_is_sound_came() {
        let after = |levels: &[f32]| {
            let mut watch = SoundWatch::new(8_000);
            for (n, dbfs) in (1..).zip(levels) {
                watch.measure(&second(16_000, 16_000, *dbfs), Moment::from_micros(n * 1_000_000));
                watch.look_again();
            }
            (watch.has_heard(), watch.is_deaf())
        };
        assert_eq!(after(&[-100.0; 12]), (false, true));
        assert_eq!(after(&[-90.0; 12]), (false, true));
        assert_eq!(after(&[-100.0; 5]), (false, false));
        let mut once = [-100.0; 30];
        once[7] = -80.0;
        assert_eq!(after(&once), (true, false));
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

    /// Seconds in which a harder cure for stuttering is due, of 60 with so much sound each way,
    /// and whether too little went in most of them.
    fn stutter(bytes: impl Fn(u64) -> u32) -> (Vec<u64>, bool) {
        let mut watch = SoundWatch::new(8_000);
        let mut is_due = |n: u64| {
            watch.measure(&second(bytes(n), bytes(n), -30.0), Moment::from_micros(n * 1_000_000));
            watch.stutters_on()
        };
        let due = (1..=60).filter(|n| is_due(*n)).collect();
        (due, watch.falters())
    }

    #[test]
    fn what_stutters_for_most_of_the_time_needs_more_than_its_row_and_is_no_call_with_sound() {
        let (due, falters) = stutter(|_| 8_000);
        assert_eq!((&due[..2], falters), (&[6, 11][..], true));
        let (due, falters) = stutter(|n| if n % 4 == 0 { 16_000 } else { 8_000 });
        assert!(!due.is_empty() && falters, "{due:?}");
        // A moment of it now and then is none, and neither are gaps too short to be told.
        assert_eq!(stutter(|n| if n % 10 < 3 { 8_000 } else { 16_000 }), (vec![], false));
        assert_eq!(stutter(|n| if n % 2 == 0 { 8_000 } else { 16_000 }), (vec![], false));
        assert_eq!(stutter(|_| 16_000), (vec![], false));
    }

    #[test]
    fn sound_that_stutters_or_is_next_to_nothing_is_not_taken_for_sound_that_carries() {
        for (facts, carries, comes) in [
            (second(16_000, 16_000, -30.0), true, true),
            (second(16_000, 16_000, -100.0), true, true),
            (second(8_000, 8_000, -30.0), false, true),
            (second(800, 800, -30.0), false, false),
        ] {
            let mut watch = SoundWatch::new(8_000);
            for n in 1..=4 {
                watch.measure(&facts, Moment::from_micros(n * 1_000_000));
            }
            assert_eq!((watch.carries(), watch.comes(), watch.goes()), (carries, comes, comes), "{facts:?}");
        }
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
