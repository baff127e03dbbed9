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

/// Sound that a modem has before it plays the first of it: our turn comes up to 20 ms
/// late, and its own thread is woken some milliseconds after that.
pub(super) const FIRST: u32 = 2;

/// What the lead may grow to: 80 ms. A machine whose turns come later than that stutters
/// on every line, and more delay would spoil the talk too.
const MOST: u32 = 4;

/// Counts frames of 20 ms.
#[derive(Debug)]
pub(super) struct Lead {
    /// What the modem needs to have when our turn is due, as far as this call has shown.
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
    pub(super) const fn new() -> Self {
        Self { target: FIRST, ahead: None, gave: 0, least: None, turns: 0, spare: 0 }
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
            // What was to spare was needed after all, and one more is kept from what is
            // given for the time that was missed.
            self.spare = 0;
            self.target = (self.target + 1).min(MOST);
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
            Self { lead: Lead::new(), buffer: 0, begun: false, starved: 0, sent: 0, given_before: false }
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
                let first = if std::mem::replace(&mut self.given_before, true) { 0 } else { FIRST };
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
        assert_eq!(modem.buffer, FIRST + 4, "the burst is in the modem");
        modem.run(WINDOW + 5);
        assert_eq!((modem.buffer, modem.starved), (FIRST + 1, 0));
    }

    #[test]
    fn one_late_turn_stays_as_one_frame_of_delay_and_no_more() {
        let mut modem = Modem::new();
        modem.run(3 * WINDOW);
        let usual = modem.buffer;
        modem.stall(8);
        let starved = modem.starved;
        assert!(starved > 0);
        modem.turn();
        assert!(modem.buffer > usual, "what the modem missed is given to it");
        modem.run(3 * WINDOW);
        assert_eq!((modem.buffer, modem.starved), (usual + 1, starved));
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
        assert_eq!(modem.buffer, FIRST + 5);
    }

    #[test]
    fn turns_that_are_often_late_by_as_much_starve_the_modem_once() {
        let mut modem = Modem::new();
        modem.run(WINDOW);
        let mut after_the_first = None;
        for _ in 0..40 {
            modem.stall(FIRST + 2);
            modem.turn();
            let first = *after_the_first.get_or_insert(modem.starved);
            assert_eq!(modem.starved, first, "what one late turn took, the next one finds");
            modem.run(2 * WINDOW);
        }
        assert!(modem.starved > 0, "the first late turn was too late");
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
            prop_assert!(modem.buffer <= MOST + 1, "{} frames ahead", modem.buffer);
            modem.run(20 * WINDOW);
            prop_assert_eq!(modem.starved, starved, "what was taken back was needed");
        }
    }
}
