//! Sentences on their way to the caller, and what became of them.

use super::super::input::Input;
use super::super::output::{JournalKind, Output, Speech};
use super::super::phrases;
use super::super::record::{EngineStage, Engines, Speaker, Turn};
use super::super::saying::{Ending, Part, Saying, What};
use super::super::timers::Timer;
use super::{Call, Opening, SLOW_PACE, Stage, milliseconds};
use crate::conversation::{Fact, Manners};
use crate::terms::{EndCause, Moment, Private, UtteranceId};
use std::time::Duration;

/// Ends of words that are kept of one sentence: it has some twenty words.
const MARKS_MAX: usize = 400;

impl Call {
    pub(super) fn say(&mut self, text: &str, what: What, now: Moment) {
        self.queue(Saying::new(text.to_owned(), what, Part::Whole), now);
    }

    pub(super) fn queue(&mut self, saying: Saying, now: Moment) {
        if saying.text.is_empty() || !(self.says.has_room() || saying.what == What::Farewell) {
            return;
        }
        let utterance = self.next_utterance;
        self.next_utterance = utterance.next();
        if self.says.is_empty() {
            self.timers.start(Timer::Voice, now);
        }
        if self.opening == Opening::NoticeOver {
            self.opening = Opening::Invited;
        }
        let pace = if self.slow { SLOW_PACE } else { 1.0 };
        let speech = Speech { text: Private::new(saying.text.clone()), pace };
        self.says.push(Saying { utterance, ..saying });
        self.out.push_back(Output::Say { utterance, speech });
    }

    pub(super) fn voice(&mut self, input: Input, now: Moment) {
        match input {
            Input::UtteranceStarted { utterance, at } => self.voice_started(utterance, at, now),
            Input::UtteranceProgress { utterance, played_ms, .. } => {
                if let Some(saying) = self.says.get_mut(utterance) {
                    saying.played_ms = played_ms;
                    let total = saying.total_ms.map(milliseconds);
                    self.tell(Fact::BoxProgress { utterance, played: milliseconds(played_ms), total }, now);
                }
            }
            Input::UtteranceLength { utterance, total_ms } => {
                if let Some(saying) = self.says.get_mut(utterance) {
                    saying.total_ms = Some(total_ms);
                }
            }
            Input::UtteranceMade { utterance, engine } => {
                if let Some(saying) = self.says.get_mut(utterance) {
                    saying.synthesizer.get_or_insert(engine);
                }
            }
            Input::UtteranceMarks { utterance, ends } => {
                if let Some(saying) = self.says.get_mut(utterance) {
                    let room = MARKS_MAX.saturating_sub(saying.ends.len());
                    saying.ends.extend(ends.into_iter().take(room));
                }
            }
            Input::UtteranceFinished { utterance, played_ms, at } => self.voice_finished(utterance, played_ms, at, now),
            // A cut is always our own doing, and was accounted for when it was ordered.
            Input::VoiceFailed { utterance } => self.voice_failed(utterance, now),
            _ => {}
        }
    }

    pub(super) fn voice_started(&mut self, utterance: UtteranceId, at: Moment, now: Moment) {
        let Some(saying) = self.says.get_mut(utterance) else { return };
        saying.started = Some(at);
        let promised = saying.promises.take();
        let saying = saying.clone();
        let manners = match saying.what {
            What::Answer | What::Filler => Manners::GivesWay,
            What::Notice | What::BreakingIn | What::Farewell => Manners::Insists,
        };
        let answers = saying.what != What::Filler;
        self.timers.stop(Timer::Voice);
        self.timers.start(Timer::Playing, now);
        if answers {
            self.caller_turn_stands();
        }
        if let Some(text) = promised {
            self.texts_promised += 1;
            self.journal(JournalKind::TextPromised(text.clone()), now);
            self.out.push_back(Output::SendText { text });
        }
        self.tell(Fact::BoxSpeaking { utterance, at, manners }, now);
        self.guard_sentence(&saying, at, now);
    }

    pub(super) fn voice_finished(&mut self, utterance: UtteranceId, played_ms: u32, at: Moment, now: Moment) {
        let Some(mut saying) = self.says.take(utterance) else { return };
        saying.played_ms = played_ms;
        self.box_silent_since = at;
        self.timers.stop(Timer::Playing);
        if !self.says.is_empty() {
            self.timers.start(Timer::Voice, now);
        }
        self.tell(Fact::BoxFinished { utterance, at, played: milliseconds(played_ms) }, now);
        self.follow_turn_taker(now);
        let what = saying.what;
        self.box_turn(&saying, at, Ending::Whole);
        match what {
            What::Notice => {
                self.notice_played(at);
                self.notice_over(now);
            }
            What::Farewell => self.farewell_played(now),
            What::Filler | What::BreakingIn | What::Answer => {}
        }
        self.give_floor(now);
    }

    pub(super) fn voice_failed(&mut self, utterance: UtteranceId, now: Moment) {
        let Some(saying) = self.says.get_mut(utterance) else { return };
        let (what, text) = (saying.what, saying.text.clone());
        self.failed = true;
        if what == What::Answer && matches!(self.stage, Stage::Conversing(_)) {
            self.stop_speaking(None, now);
            // Its answer would come after the apology.
            self.drop_own_question();
            // One try with a sentence whose sound is kept ready; never a loop.
            if [phrases::OWN_FAULT, phrases::OWN_FAULT_NO_OFFER].contains(&text.as_str()) {
                self.hang_up(EndCause::TemporaryFailure, now);
            } else {
                self.own_fault(now);
            }
            return;
        }
        self.drop_sentence(utterance, now);
        match what {
            // A call whose notice cannot be spoken goes on, and nothing of it is kept.
            What::Notice => self.notice_over(now),
            What::Farewell => self.farewell_played(now),
            // What waited for it to be over waits no longer.
            What::Filler | What::BreakingIn | What::Answer => self.give_floor(now),
        }
    }

    /// The rest of this sentence will never be heard.
    pub(super) fn drop_sentence(&mut self, utterance: UtteranceId, now: Moment) {
        let Some(saying) = self.says.take(utterance) else { return };
        self.timers.stop(Timer::Voice);
        self.timers.stop(Timer::Playing);
        if self.says.is_empty() {
            self.out.push_back(Output::SilenceMouth);
        } else {
            self.timers.start(Timer::Voice, now);
        }
        if saying.started.is_some() {
            let played = milliseconds(saying.played_ms);
            self.tell(Fact::BoxFinished { utterance, at: now, played }, now);
            self.box_turn(&saying, now, Ending::Cut);
        }
    }

    /// No sound comes. Silencing the mouth frees the voice, and forgets what
    /// waits behind the sentence; so that is said anew.
    pub(super) fn voice_stuck(&mut self, now: Moment) {
        self.out.push_back(Output::SilenceMouth);
        let Some(stuck) = self.says.current().map(|s| s.utterance) else { return };
        let behind = self.says.split_behind();
        self.voice_failed(stuck, now);
        for saying in behind {
            let wanted = saying.part == Part::Whole || self.answering.is_some();
            if wanted && matches!(self.stage, Stage::Conversing(_)) || saying.what == What::Farewell {
                self.queue(saying, now);
            }
        }
    }

    /// Goes silent. `heard` is how much of the sounding sentence the caller
    /// heard, if the turn taker knows it better than the last report of progress.
    pub(super) fn stop_speaking(&mut self, heard: Option<Duration>, now: Moment) {
        if self.says.is_empty() {
            return self.drop_answer();
        }
        self.out.push_back(Output::SilenceMouth);
        self.timers.stop(Timer::Voice);
        self.timers.stop(Timer::Playing);
        self.box_silent_since = now;
        let cut: Vec<Saying> = self.says.drain().filter(|s| s.started.is_some()).collect();
        for mut saying in cut {
            if let Some(heard) = heard {
                saying.played_ms = u32::try_from(heard.as_millis()).unwrap_or(u32::MAX);
            }
            let played = milliseconds(saying.played_ms);
            self.tell(Fact::BoxFinished { utterance: saying.utterance, at: now, played }, now);
            self.box_turn(&saying, now, Ending::Cut);
        }
        self.drop_answer();
    }

    pub(super) fn box_turn(&mut self, saying: &Saying, ended: Moment, ending: Ending) {
        let started = saying.started.unwrap_or(ended);
        let latency = saying.answers.map(|times| times.latency(started)).unwrap_or_default();
        let engines = Engines {
            transcriber: None,
            responder: saying.responder.map(str::to_owned),
            synthesizer: saying.synthesizer.map(str::to_owned).or_else(|| self.facts.engines.synthesizer.clone()),
        };
        let thought = saying.responder.is_some() || saying.answers.is_some();
        let failovers = self.take_left(|stage| stage == EngineStage::Voice || thought && stage == EngineStage::Mind);
        let turn = Turn {
            who: Speaker::Box,
            text: saying.heard(ending),
            started_ms: self.ms(started),
            ended_ms: self.ms(ended),
            interrupted: ending == Ending::Cut,
            engines,
            latency,
            failovers,
        };
        match saying.part {
            Part::OfAnswer => self.part_heard(turn),
            Part::Whole => {
                self.settle_parts();
                self.turn_done(turn);
            }
        }
    }

    /// The sentences of one answer are one turn.
    fn part_heard(&mut self, part: Turn) {
        let cut = part.interrupted;
        self.heard_of_answer(&part.text);
        match &mut self.parts_turn {
            Some(turn) => {
                let (before, after) = (turn.text.expose(), part.text.expose());
                turn.text = Private::new(format!("{before} {after}").trim().to_owned());
                turn.ended_ms = part.ended_ms;
                turn.interrupted |= cut;
                turn.failovers.extend(part.failovers);
            }
            None => self.parts_turn = Some(part),
        }
        if cut {
            self.settle_parts();
        }
    }

    /// The caller's last turn can no longer be taken back.
    pub(super) fn caller_turn_stands(&mut self) {
        self.before_answer = None;
        if let Some((_, turn)) = self.unspoken_turn.take() {
            // What the box said before it is told before it.
            self.settle_parts();
            self.turn_done(turn);
        }
    }

    pub(super) fn turn_done(&mut self, turn: Turn) {
        if turn.who == Speaker::Box && !turn.text.expose().is_empty() {
            self.out.push_back(Output::Said(turn.text.clone()));
        }
        self.out.push_back(Output::TurnDone(self.discretion.shown(&turn)));
        self.turns.push(turn);
    }
}
