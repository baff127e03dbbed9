//! Words of the caller, from the ears to a turn that can be answered.

use super::super::output::Output;
use super::super::record::{EngineStage, Engines, Speaker, Turn};
use super::super::saying::{TurnTimes, What};
use super::super::timers::{DECODED_WITHIN, Timer};
use super::super::trust::{Confidence, Trust};
use super::super::{phrases, trust};
use super::{BeforeAnswer, Call, HeardWords, Lookup, Opening, PendingTurn, Stage, Topic, UNHEARD_MAX};
use crate::conversation::{Expectation, Fact, Gist};
use crate::knowledge::only_waits;
use crate::terms::{EndCause, Moment, Private, RequestId};

impl Call {
    pub(super) fn heard(
        &mut self,
        request: RequestId,
        words: Private<String>,
        confidence: Confidence,
        engine: &'static str,
        now: Moment,
    ) {
        if !matches!(self.stage, Stage::Conversing(_)) {
            return;
        }
        let trust = trust::judge(words.expose(), &confidence);
        let gist = if trust == Trust::Unheard { Gist::Nothing } else { Gist::of(words.expose()) };
        if gist != Gist::Nothing {
            self.timers.stop(Timer::LastSilence);
        }
        self.tell(Fact::Heard { request, gist, trust: trust.for_turn_taking() }, now);
        // What the turn taker makes of the words comes before what is said to them.
        self.follow_turn_taker(now);
        let wish = self.wish_in(&words, trust);
        let engine = Some(engine);
        self.keep_words(HeardWords { request, words, trust, engine, at: now, lookup: Lookup::NotAsked, wish }, now);
    }

    /// Keeps the words of the turn that is over or of the latest pause. Others
    /// are late answers to dead requests.
    pub(super) fn keep_words(&mut self, mut heard: HeardWords, now: Moment) {
        if !matches!(self.stage, Stage::Conversing(_)) {
            return;
        }
        if let Some(pending) = self.pending.as_mut().filter(|p| p.request == heard.request) {
            let is_unheard = pending.heard.get_or_insert(heard).trust == Trust::Unheard;
            // Who has said something more is not asked to say again what was not heard.
            if !(is_unheard && self.has_turn_behind()) {
                self.answer_if_ready(now);
            }
            self.hear_behind(now);
        } else if self.decoding == Some(heard.request) && self.heard.as_ref().is_none_or(|h| h.request != heard.request)
        {
            // The turn will probably be over with this pause, so its words are
            // asked ahead; not so while an earlier question is with the mind.
            let free = self.pending.is_none() && self.own_request.is_none() && self.answering.is_none();
            let is_whole = heard.wish.is_none() && !self.discretion.holds_back(heard.words.expose());
            if free && is_whole && heard.trust != Trust::Unheard && self.needs_finding() {
                heard.lookup = Lookup::Asked;
                self.asked_last = Some(heard.request);
                self.out.push_back(Output::Ask { request: heard.request, words: heard.words.clone() });
            }
            self.heard = Some(heard);
        }
    }

    /// Do the next words have to be looked up, or are they taken as they are?
    pub(super) fn needs_finding(&self) -> bool {
        match &self.stage {
            Stage::Conversing(Topic::Message(taking)) => taking.expectation() == Expectation::YesNo,
            Stage::Conversing(Topic::Consent) => false,
            _ => true,
        }
    }

    pub(super) fn turn_ended(&mut self, mut turn: PendingTurn, now: Moment) {
        if self.awaits_words() {
            return self.ended_behind(turn, now);
        }
        // The ears may have been long at the words of a turn before it.
        let waited = now.since(turn.times.decided);
        let left = |timer: Timer| timer.patience().saturating_sub(waited);
        self.timers.start_for(Timer::Words, left(Timer::Words).max(DECODED_WITHIN), now);
        // After the first sign of the box the wait for the next one begins anew.
        let sign = Some(left(Timer::Filler)).filter(|left| !left.is_zero());
        self.timers.start_for(Timer::Filler, sign.unwrap_or(Timer::Filler.patience()), now);
        turn.heard = self.heard.take_if(|h| h.request == turn.request);
        // Ears that answer once more do not open the question again.
        self.decoding.take_if(|request| *request == turn.request);
        let earlier = self.pending.replace(turn);
        self.leave_to_the_mind(earlier, now);
        if self.own_request.is_none() {
            self.timers.stop(Timer::Finding);
        }
        self.answer_if_ready(now);
    }

    /// A key was pressed before there was an answer: the key counts.
    pub(super) fn drop_pending_turn(&mut self, now: Moment) {
        let Some(pending) = self.pending.take() else { return };
        for timer in [Timer::Words, Timer::Finding, Timer::Filler] {
            self.timers.stop(timer);
        }
        self.out.push_back(Output::AbandonDecode);
        self.leave_unanswered(Some(pending), now);
        self.leave_behind(now);
    }

    /// The caller spoke again before the answer. That may be an "okay" to "One moment,
    /// please": until its words are known, the mind stays at what it was asked.
    fn leave_to_the_mind(&mut self, turn: Option<PendingTurn>, now: Moment) {
        let is_open = self.opening != Opening::Notice && matches!(self.stage, Stage::Conversing(Topic::Open));
        let heard = turn.as_ref().and_then(|turn| turn.heard.clone());
        let heard = heard.filter(|heard| is_open && heard.trust == Trust::Good && heard.lookup == Lookup::Asked);
        match (turn, heard) {
            (Some(turn), Some(heard)) => {
                self.caller_turn(&turn, &heard);
                self.own_request = Some(turn.request);
                self.left_turn = Some((turn.request, TurnTimes { words: Some(heard.at), ..turn.times }));
            }
            (turn, _) => self.leave_unanswered(turn, now),
        }
    }

    /// The caller spoke again before the answer: what is newer counts, and the
    /// earlier turn stands in the record alone.
    pub(super) fn leave_unanswered(&mut self, turn: Option<PendingTurn>, now: Moment) {
        if let Some(turn) = turn {
            self.take_back(turn.request);
            let heard = turn.heard.clone().unwrap_or_else(|| HeardWords::none(turn.request, now));
            self.caller_turn(&turn, &heard);
            self.wished_unanswered(&heard, now);
        }
    }

    /// Goes on as soon as the turn is over, the words are there and the mind
    /// has found what they ask for, in whichever order that happened.
    pub(super) fn answer_if_ready(&mut self, now: Moment) {
        let needs_finding = self.needs_finding();
        if self.opening == Opening::Notice {
            // What asks for less does not wait for the notice to end: its confirmation does.
            return self.follow_unanswered(now);
        }
        let Some(PendingTurn { request, began, heard: Some(heard), .. }) = &mut self.pending else { return };
        self.timers.stop(Timer::Words);
        let waits = self.own_request.is_some() && matches!(self.stage, Stage::Conversing(Topic::Open));
        // To an answer that has only come since, nobody has said yes. Words that were not heard
        // are not passed over, unless it was waited for.
        let waited = waits || *began < self.own_answered_at;
        let knew_no_answer = waited || *began < self.settled_at && !is_no_turn(heard);
        if knew_no_answer && is_listening(heard) || self.answering.is_some() && is_no_turn(heard) {
            return self.listened_on(now);
        }
        if self.answering.is_some() {
            // The caller has something else to say than to listen on.
            self.stop_speaking(None, now);
            return self.answer_if_ready(now);
        }
        let asks = heard.trust != Trust::Unheard && heard.wish.is_none();
        if heard.lookup == Lookup::NotAsked && needs_finding && asks {
            heard.lookup = Lookup::Asked;
            let (request, words) = (*request, heard.words.clone());
            // The mind has one question at a time, and what is newer counts.
            self.drop_own_question();
            self.asked_last = Some(request);
            self.out.push_back(Output::Ask { request, words });
            self.timers.words_are_there(now);
            return self.timers.start(Timer::Finding, now);
        }
        if heard.lookup == Lookup::Asked {
            self.timers.start(Timer::Finding, now);
            return;
        }
        self.timers.stop(Timer::Filler);
        if let Some(PendingTurn { request, began, times, heard: Some(heard) }) = self.pending.take() {
            // A wish that asks nothing beside it is followed, and the mind stays at what it
            // was asked.
            let asks_nothing = heard.wish.as_ref().is_some_and(|uttered| uttered.rest.is_empty());
            if !(waits && asks_nothing) {
                self.drop_own_question();
                self.timers.stop(Timer::Finding);
            }
            let own = self.own_request;
            let times = TurnTimes { words: Some(heard.at), found: Some(heard.found_at()), ..times };
            let turn = PendingTurn { request, began, times, heard: None };
            self.caller_turn(&turn, &heard);
            // What was asked before this turn is settled: what its answer asks is alone in
            // being taken back with it.
            self.asked_last.take_if(|asked| *asked != request && own != Some(*asked));
            self.before_answer = Some(BeforeAnswer {
                request,
                stage: self.stage.clone(),
                counts: self.counts,
                last_answer: self.last_answer.clone(),
                own,
                settled_at: self.settled_at,
            });
            self.settled_at = now;
            self.respond(heard, began, times, now);
            self.give_floor(now);
        }
    }

    /// A sound of listening fell while the mind is at a question, before its answer or
    /// between two sentences of it.
    fn listened_on(&mut self, now: Moment) {
        self.timers.stop(Timer::Words);
        // Who still waits is not to wait longer, nor without a sign.
        if self.own_request.is_none() {
            self.timers.stop(Timer::Finding);
            self.timers.stop(Timer::Filler);
        }
        let turn = self.pending.take();
        self.leave_unanswered(turn, now);
        self.keep_answering(now);
        self.give_floor(now);
    }

    pub(super) fn caller_turn(&mut self, pending: &PendingTurn, heard: &HeardWords) {
        self.caller_turn_stands();
        self.away = false;
        let text = match heard.trust {
            Trust::Unheard => Private::new(String::new()),
            Trust::Doubtful | Trust::Good => Private::new(heard.words.expose().trim().to_owned()),
        };
        let turn = Turn {
            who: Speaker::Caller,
            text,
            started_ms: self.ms(pending.began),
            ended_ms: self.ms(pending.times.speech_ended),
            interrupted: false,
            engines: Engines { transcriber: heard.engine.map(str::to_owned), ..Engines::default() },
            latency: Default::default(),
            failovers: self.take_left(|stage| stage == EngineStage::Ears),
        };
        self.unspoken_turn = Some((pending.request, turn));
    }

    pub(super) fn words_missing(&mut self, now: Moment) {
        let Some(pending) = &self.pending else { return };
        self.out.push_back(Output::AbandonDecode);
        self.keep_words(HeardWords::none(pending.request, now), now);
    }

    pub(super) fn ears_failed(&mut self, request: RequestId, now: Moment) {
        self.keep_words(HeardWords::none(request, now), now);
    }

    /// Ask again once, then read back what was understood, then offer keys.
    pub(super) fn not_heard(&mut self, words: Option<Private<String>>, now: Moment) {
        // Whoever is about to answer hears for themselves.
        if matches!(&self.stage, Stage::Conversing(topic) if topic.puts_through()) {
            return;
        }
        self.counts.unheard += 1;
        match (words, self.counts.unheard) {
            (Some(words), 1 | 2) => {
                let sentence = phrases::read_back(words.expose());
                self.set_topic(Topic::ConfirmWords(words));
                self.say(&sentence, What::Answer, now);
            }
            (_, 1) => self.say(phrases::SAY_AGAIN, What::Answer, now),
            _ => self.offer_keys(now),
        }
    }

    pub(super) fn offer_keys(&mut self, now: Moment) {
        if self.counts.unheard > UNHEARD_MAX {
            return self.farewell(phrases::CANNOT_FOLLOW, EndCause::NormalClearing, now);
        }
        let sentence = format!("{} {}", phrases::TROUBLE_HEARING, self.menu_sentence());
        self.set_topic(Topic::Open);
        self.say(&sentence, What::Answer, now);
    }
}

/// Words of somebody who waits for an answer: nothing heard, "mm-hm", "okay", "thank you"
/// or "hello?".
fn is_listening(heard: &HeardWords) -> bool {
    let words = heard.words.expose();
    is_no_turn(heard)
        || match Gist::of(words) {
            Gist::Yes => true,
            Gist::Words => heard.wish.is_none() && only_waits(words),
            Gist::Nothing | Gist::Backchannel | Gist::No | Gist::Dangling => false,
        }
}

/// Words that leave the floor to the box: nothing heard, or "mm-hm".
fn is_no_turn(heard: &HeardWords) -> bool {
    heard.trust == Trust::Unheard || matches!(Gist::of(heard.words.expose()), Gist::Nothing | Gist::Backchannel)
}
