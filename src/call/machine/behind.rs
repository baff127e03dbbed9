//! What the caller says while the ears are still at the words of a turn that is over: they
//! are asked for one turn's words at a time, and would give up the earlier for the later.

use super::super::output::Output;
use super::super::timers::Timer;
use super::{Call, PendingTurn, Stage};
use crate::terms::{Moment, RequestId};

/// What waits until the words of the turn before have come or will not.
#[derive(Clone, Debug, Default)]
pub(super) struct Behind {
    /// The latest pause of a turn that is not over: its words are to be asked for.
    decode: Option<RequestId>,
    /// A turn that is over, of whose words nothing has been asked.
    turn: Option<PendingTurn>,
    /// When a turn began of which the ears have not been told: they still have to hear the
    /// one that is over.
    untold: Option<Moment>,
}

impl Call {
    /// Are the ears still at the words of a turn that is over?
    pub(super) fn awaits_words(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.heard.is_none())
    }

    /// Tells the ears that a turn begins, as soon as they have been asked for what stands
    /// before it.
    pub(super) fn turn_began(&mut self, at: Moment) {
        if self.behind.turn.is_some() {
            self.behind.untold = Some(at);
        } else {
            self.out.push_back(Output::TurnBegan { at });
        }
    }

    fn tell_of_turn(&mut self, untold: Option<Moment>) {
        self.out.extend(untold.map(|at| Output::TurnBegan { at }));
    }

    /// Asks for the words of a pause as soon as the ears are free.
    pub(super) fn decode(&mut self, request: RequestId) {
        if self.awaits_words() {
            self.behind.decode = Some(request);
        } else {
            self.out.push_back(Output::Decode { request });
        }
    }

    /// The words of this pause are not wanted. True if the ears had not been asked for them.
    pub(super) fn take_held_back(&mut self, request: RequestId) -> bool {
        self.behind.decode.take_if(|held| *held == request).is_some()
    }

    /// The turn whose pauses were held back is none.
    pub(super) fn drop_held_back(&mut self) {
        (self.behind.decode, self.behind.untold) = (None, None);
    }

    /// A turn is over, and the ears are still at the one before.
    pub(super) fn ended_behind(&mut self, mut turn: PendingTurn, now: Moment) {
        self.decoding.take_if(|request| *request == turn.request);
        self.behind.decode.take_if(|request| *request == turn.request);
        // The ears will hear both as one.
        self.behind.untold = None;
        if let Some(earlier) = self.behind.turn.take() {
            turn.began = earlier.began;
        }
        self.behind.turn = Some(turn);
        self.timers.start(Timer::Filler, now);
    }

    /// Is a turn over that waits behind another?
    pub(super) fn has_turn_behind(&self) -> bool {
        self.behind.turn.is_some()
    }

    /// The turn behind another was not over. True if it was that one.
    pub(super) fn goes_on_behind(&mut self, request: RequestId) -> bool {
        self.behind.turn.take_if(|turn| turn.request == request).is_some()
    }

    /// The ears are free for what was said behind the words that they were at.
    pub(super) fn hear_behind(&mut self, now: Moment) {
        if !matches!(self.stage, Stage::Conversing(_)) {
            self.behind = Behind::default();
        }
        if self.awaits_words() {
            return;
        }
        let Behind { decode, turn, untold } = std::mem::take(&mut self.behind);
        if let Some(turn) = turn {
            self.out.push_back(Output::Decode { request: turn.request });
            self.tell_of_turn(untold);
            self.turn_ended(turn, now);
            self.behind.decode = decode;
        } else if let Some(request) = decode {
            self.out.push_back(Output::Decode { request });
        }
    }

    /// Nobody waits for the turn before any more, nor for one that is over behind it. Who
    /// still speaks is heard.
    pub(super) fn leave_behind(&mut self, now: Moment) {
        let Behind { decode, turn, untold } = std::mem::take(&mut self.behind);
        self.leave_unanswered(turn, now);
        self.tell_of_turn(untold);
        if let Some(request) = decode {
            self.out.push_back(Output::Decode { request });
        }
    }
}
