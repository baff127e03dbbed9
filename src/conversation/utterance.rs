use std::time::Duration;

use crate::terms::{Moment, UtteranceId};

use super::{Manners, Overlap};

/// A caller who begins this shortly before the end of an utterance does not
/// interrupt it: people overlap by as much when turns change.
pub(crate) const TAIL: Duration = Duration::from_millis(300);

/// From here on, a sound is the box's own voice come back.
const ECHO_FROM: f32 = 0.7;

/// While the box begins to speak nothing is known of the line's echo yet, so a
/// sound that looks only a little like it is taken for it.
const ECHO_FROM_AT_FIRST: f32 = 0.3;

/// How long the box has "begun to speak" in that sense: longer than the longest
/// echo path of a telephone network and the time to measure it.
const AT_FIRST: Duration = Duration::from_millis(250);

/// A sound that began with the box's voice and still sounds after this long is
/// judged like any other: by then the line's echo is known.
const LEARNT_AFTER: Duration = Duration::from_millis(500);

/// A sound below this is from elsewhere in the caller's room, in dBFS:
/// telephone speech lies 20 to 30 dB above it.
const FAINT_DBFS: f32 = -50.0;

/// One thing that the box is saying.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Utterance {
    pub id: UtteranceId,
    /// When its first sample went to the line.
    pub began: Moment,
    pub manners: Manners,
    /// How much of it has gone to the line, as last reported.
    pub played: Duration,
    /// Its length, once all of it has been made.
    pub total: Option<Duration>,
    /// When `played` was reported.
    pub(crate) reported_at: Moment,
    /// How often it has been paused for nothing.
    pub(crate) false_interruptions: u8,
}

impl Utterance {
    pub(crate) const fn new(id: UtteranceId, began: Moment, manners: Manners) -> Self {
        let (played, total) = (Duration::ZERO, None);
        Self { id, began, manners, played, total, reported_at: began, false_interruptions: 0 }
    }

    /// Whether it will be over so soon that nobody need interrupt it.
    pub(crate) fn is_ending(&self, now: Moment) -> bool {
        // Between two reports it plays on.
        let played = self.played + now.since(self.reported_at);
        self.total.is_some_and(|total| total.saturating_sub(played) <= TAIL)
    }

    /// Whether a sound that began at `sound_began` and measured so at
    /// `measured_at` may be the caller.
    pub(crate) fn lets_through(&self, sound_began: Moment, measured_at: Moment, overlap: Overlap) -> bool {
        let at_first = sound_began <= self.began + AT_FIRST && measured_at <= sound_began + LEARNT_AFTER;
        let echo_from = if at_first { ECHO_FROM_AT_FIRST } else { ECHO_FROM };
        overlap.echo_likelihood < echo_from && overlap.level_dbfs >= FAINT_DBFS
    }
}

/// What the box's voice is doing.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) enum Voice {
    #[default]
    Silent,
    Speaking(Utterance),
    /// Silent in the middle of an utterance, until it is known whether the
    /// caller really interrupts.
    Paused(Utterance),
}

impl Voice {
    pub(crate) fn utterance_mut(&mut self) -> Option<&mut Utterance> {
        match self {
            Self::Silent => None,
            Self::Speaking(utterance) | Self::Paused(utterance) => Some(utterance),
        }
    }

    /// The line stood still until now, and the utterance with it.
    pub(crate) fn goes_on(&mut self, now: Moment) {
        if let Some(utterance) = self.utterance_mut() {
            utterance.reported_at = now;
        }
    }

    pub(crate) const fn id(&self) -> Option<UtteranceId> {
        match self {
            Self::Silent => None,
            Self::Speaking(utterance) | Self::Paused(utterance) => Some(utterance.id),
        }
    }
}
