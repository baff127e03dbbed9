//! How far the sound that a modem was given runs ahead of what it has played. The modem's
//! own clock plays 20 ms for each 20 ms that it sends, so that the two counts tell.
//!
//! What is given in a burst stays ahead for ever, as one frame goes up for each that
//! comes down: at the beginning, when several frames came before the first went up; and
//! when our turn was so late that the modem had nothing left, played silence of its own,
//! and is then given all that it missed. Each such frame is 20 ms of delay in all that
//! is said from then on, and is taken back here.

/// Turns in which frames came over which the least is looked for: a second of them. What
/// was ahead in each was never needed.
const WINDOW: u32 = 50;

/// Counts frames of 20 ms.
#[derive(Debug, Default)]
pub(super) struct Lead {
    /// What a modem needs to have when our turn is due.
    target: u32,
    /// Given and not played when the turn began; none before the first was given.
    ahead: Option<u32>,
    /// In this turn.
    gave: u32,
    /// The least that the modem had in this window.
    least: Option<u32>,
    turns: u32,
    /// Frames that need not be given.
    spare: u32,
}

impl Lead {
    pub(super) fn new(target: u32) -> Self {
        Self { target, ..Self::default() }
    }

    /// Begins a turn, before anything of it is taken or given. The modem has sent so
    /// many frames since the last one began, and played as many if it had them.
    pub(super) fn turn(&mut self, sent: u32) {
        let gave = std::mem::take(&mut self.gave);
        let had = match self.ahead {
            Some(ahead) => ahead + gave,
            // What was sent before anything was given was played by nobody.
            None if gave == 0 => return,
            None => gave,
        };
        // A modem that has nothing left plays silence and owes nothing.
        let left = had.saturating_sub(sent);
        self.ahead = Some(left);
        if sent > had {
            // What was to spare was needed after all.
            self.spare = 0;
        }
        if sent == 0 {
            return;
        }
        self.least = Some(self.least.map_or(left, |least| least.min(left)));
        self.turns += 1;
        if self.turns >= WINDOW {
            self.turns = 0;
            self.spare = self.least.take().unwrap_or(0).saturating_sub(self.target);
        }
    }

    pub(super) const fn gave(&mut self, frames: u32) {
        self.gave += frames;
    }

    /// Whether the frame that is due may be left out, for the modem has more than it
    /// needs. Who asks leaves it out then.
    pub(super) const fn take_spare(&mut self) -> bool {
        let any = self.spare > 0;
        self.spare = self.spare.saturating_sub(1);
        any
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TARGET: u32 = 3;

    /// A modem that plays a frame for each that it sends, once it has one.
    struct Modem {
        lead: Lead,
        buffer: u32,
        begun: bool,
        starved: u32,
        /// Sent to us and not read yet.
        sent: u32,
        given_before: bool,
    }

    impl Modem {
        fn new() -> Self {
            let lead = Lead::new(TARGET);
            Self { lead, buffer: 0, begun: false, starved: 0, sent: 0, given_before: false }
        }

        /// The modem's 20 ms.
        fn tick(&mut self) {
            self.begun |= self.buffer > 0;
            if self.begun && self.buffer == 0 {
                self.starved += 1;
            }
            self.buffer = self.buffer.saturating_sub(1);
            self.sent += 1;
        }

        /// Our turn: one frame goes up for each that came, while nothing is being said.
        fn turn(&mut self) {
            let sent = std::mem::take(&mut self.sent);
            self.lead.turn(sent);
            for _ in 0..sent {
                if self.lead.take_spare() {
                    continue;
                }
                let first = if std::mem::replace(&mut self.given_before, true) { 0 } else { TARGET };
                self.lead.gave(first + 1);
                self.buffer += first + 1;
            }
        }

        /// So many turns, each after one tick of the modem.
        fn run(&mut self, turns: u32) {
            for _ in 0..turns {
                self.tick();
                self.turn();
            }
        }

        /// The modem goes on, and we do not.
        fn stall(&mut self, ticks: u32) {
            (0..ticks).for_each(|_| self.tick());
        }
    }

    #[test]
    fn frames_that_came_before_the_first_was_given_do_not_stay_as_delay() {
        let mut modem = Modem::new();
        modem.stall(4);
        modem.turn();
        assert_eq!(modem.buffer, TARGET + 4, "the burst is in the modem");
        modem.run(WINDOW + 5);
        assert_eq!((modem.buffer, modem.starved), (TARGET + 1, 0));
    }

    #[test]
    fn one_late_turn_does_not_stay_as_delay() {
        let mut modem = Modem::new();
        modem.run(3 * WINDOW);
        let usual = modem.buffer;
        modem.stall(8);
        let starved = modem.starved;
        assert!(starved > 0);
        modem.turn();
        assert!(modem.buffer > usual, "what the modem missed is given to it");
        modem.run(3 * WINDOW);
        assert_eq!((modem.buffer, modem.starved), (usual, starved));
    }

    #[test]
    fn a_modem_that_sends_in_blocks_keeps_what_it_needs() {
        let mut modem = Modem::new();
        for _ in 0..10 * WINDOW {
            modem.stall(5);
            modem.turn();
            // Turns in which nothing comes say nothing.
            (0..4).for_each(|_| modem.turn());
        }
        assert_eq!(modem.starved, 0);
        assert_eq!(modem.buffer, TARGET + 5);
    }

    proptest! {
        #[test]
        fn whatever_the_turns_were_like_the_lead_is_its_target_again(
            stalls in prop::collection::vec((0_u32..20, 0_u32..100), 0..12),
        ) {
            let mut modem = Modem::new();
            for (ticks, turns) in stalls {
                modem.stall(ticks);
                modem.turn();
                modem.run(turns);
            }
            modem.run(3 * WINDOW);
            let starved = modem.starved;
            prop_assert!(modem.buffer <= TARGET + 1, "{} frames ahead", modem.buffer);
            modem.run(20 * WINDOW);
            prop_assert_eq!(modem.starved, starved, "what was taken back was needed");
        }
    }
}
