use std::time::Duration;

use crate::terms::Moment;

/// Milliseconds in which the mind must have found an answer. Minds outside the box that are
/// at work are left after at most 5 s, and the box's own answers at once: who gave up
/// before would tell of a fault where there is an answer.
pub const FINDING_WITHIN_MS: u64 = 5_500;

/// What the ears need at most for the words of one turn: Whisper base on one busy core needs
/// up to 4 s for a long one.
pub(super) const DECODED_WITHIN: Duration = Duration::from_secs(4);

/// A mind that is well has its first sentence within this: a first token has a median of
/// 637 ms, and the sentence ends some ten tokens later.
const FIRST_SENTENCE_WITHIN: Duration = Duration::from_millis(1000);

/// An answer that is found while "one moment" sounds waits for its end, 1.2 s. A silence that
/// is longer by half of that is the lesser evil where the answer is about to come; one that is
/// longer still is not.
const FILLER_PUT_OFF: Duration = Duration::from_millis(600);

/// What a call may be waiting for. Every stage has a deadline, so that a caller
/// never hears dead air.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Timer {
    /// When the line must have answered after we asked it to.
    LineAnswer,
    /// When the wait for an answer is going to be felt, and "one moment" is due.
    Filler,
    /// When the words of an ended turn must have come.
    Words,
    /// When the mind must have found an answer.
    Finding,
    /// When an answer that has begun must have gone on.
    Sentence,
    /// When a sentence must have begun to sound.
    Voice,
    /// When a sentence must have been played to its end.
    Playing,
    /// When a call is too long for one caller.
    LongestCall,
    /// When a caller who did not use the last silence is given up.
    LastSilence,
    /// When the line must have confirmed that it hung up.
    LineEnd,
    /// When a caller on hold is given up.
    LongestHold,
    /// When a person must have answered, whoever rings them.
    PersonAnswer,
    /// When a call is too long for two people.
    LongestTalk,
}

impl Timer {
    const COUNT: usize = 13;

    const ALL: [Self; Self::COUNT] = [
        Self::LineAnswer,
        Self::Filler,
        Self::Words,
        Self::Finding,
        Self::Sentence,
        Self::Voice,
        Self::Playing,
        Self::LongestCall,
        Self::LastSilence,
        Self::LineEnd,
        Self::LongestHold,
        Self::PersonAnswer,
        Self::LongestTalk,
    ];

    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::LineAnswer => "the line must answer",
            Self::Filler => "the wait is going to be felt",
            Self::Words => "the ears must give words",
            Self::Finding => "the mind must find an answer",
            Self::Sentence => "the answer must go on",
            Self::Voice => "the sentence must begin to sound",
            Self::Playing => "the sentence must end",
            Self::LongestCall => "the call is too long",
            Self::LastSilence => "the caller must say something",
            Self::LineEnd => "the line must confirm the end",
            Self::LongestHold => "the caller has been on hold too long",
            Self::PersonAnswer => "the person must answer",
            Self::LongestTalk => "people have been speaking too long",
        }
    }

    /// How long the wait is.
    pub(super) const fn patience(self) -> Duration {
        Duration::from_millis(match self {
            // A trunk's ACK takes at most 32 s (RFC 3261, timer H).
            Self::LineAnswer => 35_000,
            // Callers begin to wonder after about 1.5 s of silence; the turn has
            // already been silent for some 0.3 s when this timer starts. A mind
            // that stalls is left before this (1.3 s after it was asked, which is
            // at the pause and so before the end of the turn), and the next one
            // answers at once: only when that fails too is "one moment" heard. See
            // [`TimerTable::words_are_there`] for one that is asked later.
            Self::Filler => 1_400,
            // Twice that: ears outside the box may be left for these first.
            Self::Words => 8_000,
            Self::Finding => FINDING_WITHIN_MS,
            // A pause between two sentences is a third of a second; after two
            // seconds a caller takes the answer for over, and says so.
            Self::Sentence => 2_000,
            Self::Voice => 4_000,
            // The longest sentence that the voice takes is about 20 s.
            Self::Playing => 60_000,
            // Half an hour: no question about opening hours takes longer.
            Self::LongestCall => 1_800_000,
            // As long as any other silence.
            Self::LastSilence => 6_000,
            Self::LineEnd => 5_000,
            Self::LongestHold => 600_000,
            // The longest that a handset may be told to ring, and a little; each has
            // its own time besides.
            Self::PersonAnswer => 65_000,
            // A handset that lies beside its hook must not hold a line for days.
            Self::LongestTalk => 7_200_000,
        })
    }
}

/// The timers of one call.
#[derive(Clone, Debug, Default)]
pub(super) struct TimerTable([Option<Moment>; Timer::COUNT]);

impl TimerTable {
    pub(super) fn start(&mut self, timer: Timer, now: Moment) {
        self.0[timer as usize] = Some(now + timer.patience());
    }

    /// With another patience than the timer's own.
    pub(super) fn start_for(&mut self, timer: Timer, patience: Duration, now: Moment) {
        self.0[timer as usize] = Some(now + patience.min(timer.patience()));
    }

    /// The words of a turn have come, and the mind is asked only now. If they came late, "one
    /// moment" is put off: a mind that is well would answer while it sounds.
    pub(super) fn words_are_there(&mut self, now: Moment) {
        if let Some(due) = &mut self.0[Timer::Filler as usize] {
            *due = (now + FIRST_SENTENCE_WITHIN).clamp(*due, *due + FILLER_PUT_OFF);
        }
    }

    pub(super) fn is_running(&self, timer: Timer) -> bool {
        self.0[timer as usize].is_some()
    }

    pub(super) fn stop(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    pub(super) fn stop_all(&mut self) {
        self.0 = [None; Timer::COUNT];
    }

    /// The earliest deadline and why.
    pub(super) fn next(&self) -> Option<(Moment, &'static str)> {
        Timer::ALL.into_iter().filter_map(|t| self.0[t as usize].map(|at| (at, t.reason()))).min_by_key(|(at, _)| *at)
    }

    /// Takes one timer that is due at `now`, the earliest first.
    pub(super) fn take_due(&mut self, now: Moment) -> Option<Timer> {
        let due = Timer::ALL
            .into_iter()
            .filter(|t| self.0[*t as usize].is_some_and(|at| at <= now))
            .min_by_key(|t| self.0[*t as usize])?;
        self.stop(due);
        Some(due)
    }
}
