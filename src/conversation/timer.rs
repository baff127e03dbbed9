use crate::terms::Moment;

/// What the turn-taker waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Timer {
    /// When a sound over the box's voice is long enough to be the caller.
    Confirm,
    /// When a sound over the box's voice has surely lasted too long for a cough.
    OverlapLasts,
    /// When the words of a short sound over the box's voice are overdue.
    OverlapWords,
    /// When the caller's pause has lasted long enough to be the end of the turn.
    EndOfTurn,
    /// When an unbroken voice is asked for its words, to tell noise from talk.
    Probe,
    /// When the caller has talked for too long.
    TooLong,
    /// When nobody has said anything for too long.
    Silence,
    /// When no further key is expected.
    KeysOver,
}

impl Timer {
    /// In the order in which timers that ran out together are served: who has
    /// the floor is settled before anything is said about silence.
    pub(crate) const ALL: [Self; 8] = [
        Self::Confirm,
        Self::OverlapLasts,
        Self::OverlapWords,
        Self::EndOfTurn,
        Self::Probe,
        Self::TooLong,
        Self::Silence,
        Self::KeysOver,
    ];

    /// The reason beside a deadline, for logs.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Confirm => "a sound over the box's voice becomes an interruption",
            Self::OverlapLasts => "an interruption has lasted too long for a cough",
            Self::OverlapWords => "the words of an interruption are overdue",
            Self::EndOfTurn => "the caller's pause becomes the end of the turn",
            Self::Probe => "an unbroken voice is asked for its words",
            Self::TooLong => "the caller has talked for too long",
            Self::Silence => "nobody has said anything for too long",
            Self::KeysOver => "no further key is expected",
        }
    }
}

/// At most one running timer of each kind.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct TimerTable {
    due: [Option<Moment>; Timer::ALL.len()],
}

impl TimerTable {
    pub(crate) fn set(&mut self, timer: Timer, due: Moment) {
        self.due[timer as usize] = Some(due);
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        self.due[timer as usize] = None;
    }

    pub(crate) fn is_running(&self, timer: Timer) -> bool {
        self.due[timer as usize].is_some()
    }

    /// Stops the timer if it has run out, and says whether it had.
    pub(crate) fn take_expired(&mut self, timer: Timer, now: Moment) -> bool {
        let expired = self.due[timer as usize].is_some_and(|due| due <= now);
        if expired {
            self.stop(timer);
        }
        expired
    }

    /// The earliest timer; of two at the same moment, the one served first.
    pub(crate) fn next(&self) -> Option<(Moment, Timer)> {
        Timer::ALL.into_iter().filter_map(|t| Some((self.due[t as usize]?, t))).min_by_key(|(due, _)| *due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_timer_is_next_and_runs_out_once() {
        let (early, late) = (Moment::from_micros(5), Moment::from_micros(9));
        let mut table = TimerTable::default();
        table.set(Timer::Silence, late);
        table.set(Timer::EndOfTurn, early);
        assert_eq!(table.next(), Some((early, Timer::EndOfTurn)));
        assert!(!table.take_expired(Timer::Silence, early));
        assert!(table.take_expired(Timer::EndOfTurn, early));
        assert!(!table.take_expired(Timer::EndOfTurn, early));
        assert_eq!(table.next(), Some((late, Timer::Silence)));
    }

    #[test]
    fn every_timer_has_its_own_place() {
        for (place, timer) in Timer::ALL.into_iter().enumerate() {
            assert_eq!(timer as usize, place, "{timer:?}");
        }
    }
}
