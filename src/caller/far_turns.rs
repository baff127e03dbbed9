use std::time::Duration;

use crate::media::VoiceFact;
use crate::terms::Moment;

/// Silence after which the far side has finished: a person waits about so long
/// before taking the floor from someone they do not see.
const TURN_GAP: Duration = Duration::from_millis(700);

/// What the far side said in one go: from its first voiced sample to its last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FarTurn {
    pub started: Moment,
    pub ended: Moment,
}

/// Joins voice and its short pauses into turns.
#[derive(Debug, Default)]
pub struct FarTurns {
    open: Option<Open>,
    last: Option<FarTurn>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    started: Moment,
    /// The last voiced sample, while the voice pauses.
    paused: Option<Moment>,
}

impl FarTurns {
    pub fn note(&mut self, fact: VoiceFact) {
        match (fact, &mut self.open) {
            (VoiceFact::Started { .. }, Some(open)) => open.paused = None,
            (VoiceFact::Started { at }, open @ None) => *open = Some(Open { started: at, paused: None }),
            (VoiceFact::Paused { at }, Some(open)) => open.paused = Some(at),
            (VoiceFact::Paused { .. }, None) => {}
        }
    }

    /// Gives the turn that ended by the silence until `now`.
    pub fn tick(&mut self, now: Moment) -> Option<FarTurn> {
        let open = self.open?;
        let ended = open.paused.filter(|paused| now.since(*paused) >= TURN_GAP)?;
        self.close(FarTurn { started: open.started, ended })
    }

    /// The call is over at `now`, and so is what was being said.
    pub fn finish(&mut self, now: Moment) -> Option<FarTurn> {
        let open = self.open?;
        self.close(FarTurn { started: open.started, ended: open.paused.unwrap_or(now) })
    }

    fn close(&mut self, turn: FarTurn) -> Option<FarTurn> {
        self.open = None;
        self.last = Some(turn);
        self.last
    }

    /// When the turn that is going on began.
    pub fn open_since(&self) -> Option<Moment> {
        self.open.map(|open| open.started)
    }

    pub const fn last(&self) -> Option<FarTurn> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Moment {
        Moment::from_micros(ms * 1000)
    }

    #[test]
    fn a_breath_within_a_sentence_does_not_end_the_turn() {
        let mut far = FarTurns::default();
        far.note(VoiceFact::Started { at: ms(100) });
        far.note(VoiceFact::Paused { at: ms(900) });
        assert_eq!(far.tick(ms(1500)), None);
        far.note(VoiceFact::Started { at: ms(1550) });
        assert_eq!(far.tick(ms(1700)), None, "the pause is over");
        far.note(VoiceFact::Paused { at: ms(2400) });
        assert_eq!(far.tick(ms(3100)), Some(FarTurn { started: ms(100), ended: ms(2400) }));
        assert_eq!(far.tick(ms(9000)), None, "a turn ends once");
    }

    #[test]
    fn what_is_being_said_when_the_call_ends_is_a_turn_too() {
        let mut far = FarTurns::default();
        assert_eq!(far.finish(ms(50)), None);
        far.note(VoiceFact::Started { at: ms(100) });
        assert_eq!(far.finish(ms(800)), Some(FarTurn { started: ms(100), ended: ms(800) }));
        assert_eq!(far.open_since(), None);
    }
}
