use std::time::Duration;

use super::far_turns::{FarTurn, FarTurns};
use crate::media::VoiceFact;
use crate::terms::Moment;

/// A caller who has heard nothing for so long says what they have to say.
const PATIENCE: Duration = Duration::from_secs(12);

/// A voice (or a noise) that never pauses is spoken over after this. Longer
/// than the longest answer that anyone listens to.
const ENDURANCE: Duration = Duration::from_secs(90);

/// How far into the far side's turn an interruption begins.
const INTERRUPT_AFTER: Duration = Duration::from_secs(1);

/// Silence after the last answer before the caller hangs up: longer than the
/// pause between two sentences of one answer.
const GOODBYE: Duration = Duration::from_millis(1500);

/// A turn shorter than this may be no answer but "one moment, please".
const SHORT_TURN: Duration = Duration::from_millis(1600);

/// How long a person then waits for the answer itself.
const AFTER_SHORT_TURN: Duration = Duration::from_secs(3);

/// From one key to the next: a tone of 100 ms and a finger's way.
const KEY_EVERY: Duration = Duration::from_millis(300);

/// One step of a script, as far as its timing goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plan {
    /// Says something in its turn.
    Speak,
    /// Says something one second into the far side's next turn.
    Interrupt,
    /// Presses so many keys in its turn.
    Keys(usize),
    /// Does nothing for so long.
    Wait(Duration),
}

/// What is to be done now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// Begin to say the step; [`Manners::spoken`] tells of its end.
    Speak {
        step: usize,
    },
    /// Press the step's key of this index.
    Press {
        step: usize,
        key: usize,
    },
    HangUp,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Listening,
    Speaking,
    Pressing { key: usize, next: Moment },
    Over,
}

/// When a polite caller speaks: a machine without a clock. It is told of the
/// far side's voice and of the end of what was said, and asked every 20 ms.
#[derive(Debug)]
pub struct Manners {
    plan: Vec<Plan>,
    step: usize,
    state: State,
    far: FarTurns,
    /// The answer, or the end of what was said last.
    since: Moment,
    /// When the step that is due became so.
    due_since: Moment,
    /// Whether the far side has taken a turn after `since`.
    heard: bool,
}

impl Manners {
    /// A call that was answered at `at`.
    pub fn new(plan: Vec<Plan>, at: Moment) -> Self {
        Self {
            plan,
            step: 0,
            state: State::Listening,
            far: FarTurns::default(),
            since: at,
            due_since: at,
            heard: false,
        }
    }

    pub fn hear(&mut self, fact: VoiceFact) {
        self.far.note(fact);
    }

    /// What was being said has ended; `at` is its last voiced sample.
    pub fn spoken(&mut self, at: Moment) {
        if matches!(self.state, State::Speaking) {
            self.listen(at);
        }
    }

    /// The far side's turn that is over by `now`, and what to do.
    pub fn tick(&mut self, now: Moment) -> (Option<FarTurn>, Option<Act>) {
        let turn = self.far.tick(now);
        if let Some(turn) = turn {
            // Of a turn that began before ours ended, only what goes on is an answer:
            // the rest is someone who was interrupted.
            self.heard |= turn.started >= self.since || turn.ended >= self.since + INTERRUPT_AFTER;
        }
        (turn, self.act(now))
    }

    /// The call is over.
    pub fn finish(&mut self, now: Moment) -> Option<FarTurn> {
        self.state = State::Over;
        self.far.finish(now)
    }

    pub fn far(&self) -> &FarTurns {
        &self.far
    }

    fn act(&mut self, now: Moment) -> Option<Act> {
        match self.state {
            State::Speaking | State::Over => None,
            State::Pressing { key, next } => (now >= next).then(|| self.press(key, now)),
            State::Listening => self.next_step(now),
        }
    }

    fn next_step(&mut self, now: Moment) -> Option<Act> {
        match self.plan.get(self.step).copied() {
            Some(Plan::Wait(time)) => {
                if now >= self.due_since + time {
                    self.step += 1;
                    self.due_since = now;
                }
                None
            }
            Some(Plan::Interrupt) => self.may_interrupt(now).then(|| self.speak()),
            Some(Plan::Speak) => self.may_speak(now).then(|| self.speak()),
            Some(Plan::Keys(_)) => self.may_speak(now).then(|| self.press(0, now)),
            None => self.may_leave(now).then(|| {
                self.state = State::Over;
                Act::HangUp
            }),
        }
    }

    /// Whether the far side has spoken and stopped, or will not speak or stop.
    fn may_speak(&self, now: Moment) -> bool {
        let quiet = self.far.open_since().is_none();
        let answered = self.heard && self.is_complete(now);
        quiet && (answered || now.since(self.due_since) >= PATIENCE) || self.endured(now)
    }

    fn may_interrupt(&self, now: Moment) -> bool {
        match self.far.open_since() {
            Some(began) => began >= self.due_since && now >= began + INTERRUPT_AFTER || self.endured(now),
            None => now.since(self.quiet_since()) >= PATIENCE,
        }
    }

    fn may_leave(&self, now: Moment) -> bool {
        let pause = if self.heard { GOODBYE } else { PATIENCE };
        let quiet = self.far.open_since().is_none() && self.is_complete(now);
        quiet && now.since(self.quiet_since()) >= pause || self.endured(now)
    }

    /// Whether the far side's last turn was more than a word to bridge the wait.
    fn is_complete(&self, now: Moment) -> bool {
        let Some(turn) = self.far.last() else { return true };
        turn.ended.since(turn.started) >= SHORT_TURN || now.since(turn.ended) >= AFTER_SHORT_TURN
    }

    fn endured(&self, now: Moment) -> bool {
        now.since(self.due_since) >= ENDURANCE
    }

    fn quiet_since(&self) -> Moment {
        self.far.last().map_or(self.due_since, |turn| turn.ended.max(self.due_since))
    }

    fn speak(&mut self) -> Act {
        self.state = State::Speaking;
        self.step += 1;
        Act::Speak { step: self.step - 1 }
    }

    fn press(&mut self, key: usize, now: Moment) -> Act {
        let step = self.step;
        let keys = if let Some(Plan::Keys(keys)) = self.plan.get(step) { *keys } else { 0 };
        self.state = State::Pressing { key: key + 1, next: now + KEY_EVERY };
        if key + 1 >= keys {
            self.step += 1;
            self.listen(now);
        }
        Act::Press { step, key }
    }

    fn listen(&mut self, since: Moment) {
        self.state = State::Listening;
        self.since = since;
        self.due_since = since;
        self.heard = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Moment {
        Moment::from_micros(ms * 1000)
    }

    /// Runs the machine in simulated time against a far side that speaks in the
    /// given spans (ms); everything that the caller says lasts one second.
    fn run(plan: Vec<Plan>, far: &[(u64, u64)]) -> Vec<(u64, Act)> {
        let mut manners = Manners::new(plan, ms(0));
        let mut acts = Vec::new();
        let mut ends_at = None;
        for now in (0..300_000).step_by(20) {
            for (from, to) in far {
                // Voice is noticed 100 ms late, its end 200 ms late.
                if now == from + 100 {
                    manners.hear(VoiceFact::Started { at: ms(*from) });
                }
                if now == to + 200 {
                    manners.hear(VoiceFact::Paused { at: ms(*to) });
                }
            }
            if ends_at == Some(now) {
                manners.spoken(ms(now));
            }
            let (_, act) = manners.tick(ms(now));
            if let Some(act) = act {
                acts.push((now, act));
                if matches!(act, Act::Speak { .. }) {
                    ends_at = Some(now + 1000);
                }
            }
        }
        acts
    }

    #[test]
    fn a_caller_waits_until_the_greeting_is_over_and_hangs_up_after_the_answer() {
        let acts = run(vec![Plan::Speak], &[(200, 3000), (5700, 8000)]);
        assert_eq!(acts, [(3700, Act::Speak { step: 0 }), (9500, Act::HangUp)]);
    }

    #[test]
    fn a_caller_who_hears_nothing_speaks_anyway_and_leaves() {
        let acts = run(vec![Plan::Speak], &[]);
        assert_eq!(acts, [(12_000, Act::Speak { step: 0 }), (25_000, Act::HangUp)]);
    }

    #[test]
    fn a_far_side_that_never_stops_is_spoken_over() {
        let acts = run(vec![Plan::Speak], &[(0, 290_000)]);
        assert_eq!(acts, [(90_000, Act::Speak { step: 0 }), (181_000, Act::HangUp)]);
    }

    #[test]
    fn an_interruption_comes_one_second_into_the_next_turn() {
        let acts = run(vec![Plan::Speak, Plan::Interrupt], &[(200, 2000), (5000, 6300), (9000, 11_000)]);
        assert_eq!(acts, [(2700, Act::Speak { step: 0 }), (6000, Act::Speak { step: 1 }), (12_500, Act::HangUp)]);
    }

    #[test]
    fn the_far_sides_last_syllable_under_an_interruption_is_no_answer() {
        // It is cut 200 ms after the interruption (6000 to 7000); the caller waits for what comes then.
        let acts = run(vec![Plan::Interrupt, Plan::Speak], &[(5000, 6200), (8000, 10_000)]);
        assert_eq!(acts[..2], [(6000, Act::Speak { step: 0 }), (10_700, Act::Speak { step: 1 })]);
    }

    #[test]
    fn one_moment_please_is_not_taken_for_the_answer() {
        let acts = run(vec![Plan::Speak, Plan::Speak], &[(200, 3000), (6000, 7200), (8500, 11_000), (14_000, 15_000)]);
        assert_eq!(acts[1], (11_700, Act::Speak { step: 1 }));
        assert_eq!(acts[2], (18_000, Act::HangUp), "nothing followed within three seconds");
    }

    #[test]
    fn keys_are_pressed_one_by_one_in_turn() {
        let acts = run(vec![Plan::Keys(3)], &[(200, 2000)]);
        let press = |key| Act::Press { step: 0, key };
        assert_eq!(acts[..3], [(2700, press(0)), (3000, press(1)), (3300, press(2))]);
    }

    #[test]
    fn a_wait_passes_while_the_far_side_talks_and_does_not_forget_it() {
        let acts = run(vec![Plan::Wait(Duration::from_secs(5)), Plan::Speak], &[(200, 2000)]);
        assert_eq!(acts[0], (5020, Act::Speak { step: 1 }));
    }
}
