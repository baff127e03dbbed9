//! How a call ends, and its record.

use super::super::output::{JournalKind, Output};
use super::super::phrases;
use super::super::record::{CallRecord, Message, Outcome, Recording};
use super::super::saying::{Ending, What};
use super::super::timers::Timer;
use super::{Call, Stage, jiff_span};
use crate::terms::{EndCause, Moment};

impl Call {
    pub(super) fn box_stopping(&mut self, now: Moment) {
        match self.stage {
            Stage::AwaitAccept | Stage::AwaitAnswer => self.hang_up(EndCause::TemporaryFailure, now),
            // Nobody would hear the farewell.
            Stage::Conversing(_) if self.held => self.hang_up(EndCause::NormalClearing, now),
            Stage::AwaitPerson(_) if self.held => self.hang_up(EndCause::NormalClearing, now),
            Stage::Conversing(_) | Stage::AwaitPerson(_) => {
                self.stop_ringing(now);
                self.farewell(phrases::BOX_STOPPING, EndCause::NormalClearing, now);
            }
            // They have had the grace period, and the box says nothing between people.
            Stage::AwaitHangUp => self.hang_up(EndCause::NormalClearing, now),
            Stage::AwaitFarewell(_) | Stage::AwaitEnd(_) | Stage::Ended => {}
        }
    }

    pub(super) fn farewell(&mut self, sentence: &str, cause: EndCause, now: Moment) {
        if !matches!(self.stage, Stage::Conversing(_)) {
            return;
        }
        self.keep_half_message(now);
        self.follow_unanswered(now);
        self.out.push_back(Output::AbandonDecode);
        self.pending = None;
        self.drop_own_question();
        self.abandon_answer();
        self.stage = Stage::AwaitFarewell(cause);
        for timer in [Timer::Words, Timer::Finding, Timer::Filler, Timer::LastSilence] {
            self.timers.stop(timer);
        }
        if !self.says.is_empty() {
            // From here on nobody settles whether a pause was an interruption.
            self.out.push_back(Output::ResumeMouth);
        }
        self.say(sentence, What::Farewell, now);
    }

    pub(super) fn farewell_played(&mut self, now: Moment) {
        if let Stage::AwaitFarewell(cause) = self.stage {
            self.hang_up(cause, now);
        }
    }

    pub(super) fn hang_up(&mut self, cause: EndCause, now: Moment) {
        if matches!(self.stage, Stage::AwaitEnd(_) | Stage::Ended) {
            return;
        }
        self.keep_half_message(now);
        self.follow_unanswered(now);
        self.let_go();
        self.stop_speaking(None, now);
        self.out.push_back(Output::SilenceMouth);
        self.pending = None;
        self.drop_own_question();
        self.timers.stop_all();
        self.stage = Stage::AwaitEnd(cause);
        self.timers.start(Timer::LineEnd, now);
        self.journal(JournalKind::Ended(cause), now);
        self.out.push_back(Output::HangUp(cause));
    }

    pub(super) fn finish(&mut self, cause: EndCause, now: Moment) {
        let cause = match self.stage {
            Stage::AwaitEnd(ours) | Stage::AwaitFarewell(ours) => ours,
            _ => {
                self.keep_half_message(now);
                cause
            }
        };
        let already_written = matches!(self.stage, Stage::AwaitEnd(_));
        self.follow_unanswered(now);
        self.let_go();
        self.caller_turn_stands();
        for saying in self.says.drain().collect::<Vec<_>>() {
            if saying.started.is_some() {
                self.box_turn(&saying, now, Ending::Cut);
            }
        }
        self.settle_parts();
        if !already_written {
            self.journal(JournalKind::Ended(cause), now);
        }
        self.timers.stop_all();
        self.sound_returns(now);
        self.stage = Stage::Ended;
        let record = self.record(cause, now);
        self.out.push_back(Output::Finished(Box::new(record)));
    }

    pub(super) fn record(&mut self, cause: EndCause, now: Moment) -> CallRecord {
        let lasted = now.since(self.facts.offered_at);
        // Turns are done in another order than they began: an answer may be over
        // before it is sure that the turn it answers was.
        let mut turns = std::mem::take(&mut self.turns);
        turns.sort_by_key(|turn| turn.started_ms);
        let mut message = self.message.take();
        let outcome = self.outcome(message.as_ref());
        self.discretion.write_down(&mut turns, message.as_mut());
        let recording = self.recording_from.map(|from| Recording {
            from_ms: self.ms(from),
            duration_ms: self.recording_to.unwrap_or(now).ms_since(from),
            gaps: std::mem::take(&mut self.keypad.withheld),
        });
        CallRecord {
            id: self.facts.id,
            line: self.facts.line.clone(),
            from: self.facts.from.clone(),
            started_at: self.facts.started_at,
            answered_after: self.answered_at.map(|at| at.since(self.facts.offered_at)),
            ended_at: self.facts.started_at + jiff_span(lasted),
            end_cause: cause,
            outcome,
            turns,
            message,
            recording,
            media: self.media.clone(),
            wishes: std::mem::take(&mut self.wishes),
            transferred: self.transferred.take(),
        }
    }

    fn outcome(&self, message: Option<&Message>) -> Outcome {
        if message.is_some_and(Message::is_useful) {
            Outcome::Message
        } else if self.transferred.is_some() {
            Outcome::Transferred
        } else if self.counts.settled > 0 {
            Outcome::Answered
        } else if self.failed {
            Outcome::Failed
        } else {
            Outcome::Abandoned
        }
    }
}
