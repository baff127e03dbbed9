//! Answers that come sentence by sentence: kept while it is not yet sure that
//! the turn is over, said as they form, and one turn in the record.

use std::collections::VecDeque;

use super::super::output::Output;
use super::super::phrases;
use super::super::saying::{Part, Saying, TurnTimes, What};
use super::super::timers::Timer;
use super::{Call, Lookup, Stage, Topic};
use crate::conversation::Floor;
use crate::knowledge::{Finding, Spoken};
use crate::terms::{EndCause, Moment, Private, RequestId};

/// Sentences of one answer. Nobody listens to more on a telephone: what comes
/// beyond it is not wanted, and the answer ends there.
const SENTENCES_MAX: usize = 12;

/// Sentences of an answer that are with the voice at once: the one that sounds,
/// and two short ones to follow without a hole. The rest waits, so that little
/// is made for nothing when the caller interrupts.
const WITH_THE_VOICE: usize = 3;

/// How an answer ended.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum AnswerEnd {
    /// It is complete; this is to be done once it has been said.
    Complete(Option<Finding>),
    /// The mind failed in the middle of it.
    BrokeOff,
}

/// What the mind has said to one request so far.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Forming {
    sentences: VecDeque<String>,
    /// When the first sentence came.
    pub(super) first_at: Moment,
    pub(super) engine: &'static str,
    end: Option<AnswerEnd>,
}

impl Forming {
    fn new(sentence: String, engine: &'static str, now: Moment) -> Self {
        Self { sentences: VecDeque::from([sentence]), first_at: now, engine, end: None }
    }

    pub(super) const fn is_open(&self) -> bool {
        self.end.is_none()
    }
}

/// The answer that is being said.
#[derive(Clone, Debug)]
pub(super) struct Answering {
    /// None for what is said again.
    request: Option<RequestId>,
    /// Sentences that the voice has not been given yet.
    waiting: VecDeque<String>,
    /// How many sentences there have been.
    sentences: usize,
    responder: Option<&'static str>,
    end: Option<AnswerEnd>,
    /// The caller has heard a word of it.
    any_heard: bool,
}

/// Whose answer it is that the mind gives.
enum Whose {
    /// Of the answer that is being said.
    Answer,
    /// Of a question of the call's own: a key, or confirmed words.
    Own,
    /// Of words that have been asked, of a turn or ahead of its end.
    Words,
    /// Nobody waits for it.
    Dead,
}

impl Call {
    /// The one place where answers to dead requests are told from the others.
    fn whose(&self, request: RequestId) -> Whose {
        let of_turn = self.pending.as_ref().and_then(|p| p.heard.as_ref());
        let mut words = of_turn.into_iter().chain(&self.heard);
        if self.answering.as_ref().is_some_and(|a| a.request == Some(request) && a.end.is_none()) {
            Whose::Answer
        } else if self.own_request == Some(request) {
            Whose::Own
        } else if words.any(|h| h.request == request && h.lookup.is_open()) {
            Whose::Words
        } else {
            Whose::Dead
        }
    }

    /// The whole answer at once.
    pub(super) fn found(&mut self, request: RequestId, finding: Finding, engine: &'static str, now: Moment) {
        match self.whose(request) {
            Whose::Own => {
                self.own_answered(now);
                self.act_on(finding, now);
                self.found_by(engine);
                self.answers_own(request, now);
                self.give_floor(now);
            }
            Whose::Words => self.looked_up(request, Lookup::Found(finding, engine, now), now),
            // Who has begun with a sentence ends with the end of an answer.
            Whose::Answer | Whose::Dead => {}
        }
    }

    /// The next sentence of an answer that is still being formed.
    pub(super) fn sentence(&mut self, request: RequestId, spoken: Spoken, engine: &'static str, now: Moment) {
        let text = spoken.text.into_exposed();
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        match self.whose(request) {
            Whose::Answer => self.next_part(text, now),
            Whose::Own => {
                self.own_answered(now);
                self.begin_answer(Some(request), Forming::new(text.to_owned(), engine, now), None, now);
                self.answers_own(request, now);
            }
            Whose::Words => self.early_sentence(request, text, engine, now),
            Whose::Dead => {}
        }
    }

    /// The answer is complete.
    pub(super) fn answer_over(&mut self, request: RequestId, then: Option<Finding>, now: Moment) {
        match self.whose(request) {
            Whose::Answer => self.end_answer(AnswerEnd::Complete(then)),
            Whose::Own => match then {
                Some(then) => {
                    self.own_answered(now);
                    self.act_on(then, now);
                    self.answers_own(request, now);
                    self.give_floor(now);
                }
                // It is over, and nothing was said.
                None => self.own_failed(request, now),
            },
            Whose::Words => self.words_over(request, AnswerEnd::Complete(then), now),
            Whose::Dead => {}
        }
    }

    pub(super) fn mind_failed(&mut self, request: RequestId, now: Moment) {
        match self.whose(request) {
            Whose::Answer => self.end_answer(AnswerEnd::BrokeOff),
            Whose::Own => self.own_failed(request, now),
            Whose::Words => self.words_over(request, AnswerEnd::BrokeOff, now),
            Whose::Dead => {}
        }
    }

    fn own_failed(&mut self, request: RequestId, now: Moment) {
        self.own_fault(now);
        self.answers_own(request, now);
    }

    /// A sentence for words whose turn is perhaps not yet over: kept until it is.
    fn early_sentence(&mut self, request: RequestId, text: &str, engine: &'static str, now: Moment) {
        let Some(heard) = self.asked_words(request) else { return };
        let mut too_many = false;
        match &mut heard.lookup {
            Lookup::Forming(forming) => {
                forming.sentences.push_back(text.to_owned());
                too_many = forming.sentences.len() >= SENTENCES_MAX;
                if too_many {
                    forming.end = Some(AnswerEnd::Complete(None));
                }
            }
            lookup => *lookup = Lookup::Forming(Box::new(Forming::new(text.to_owned(), engine, now))),
        }
        if too_many {
            self.out.push_back(Output::AbandonAsk);
        }
        self.answer_if_ready(now);
    }

    fn words_over(&mut self, request: RequestId, end: AnswerEnd, now: Moment) {
        let Some(heard) = self.asked_words(request) else { return };
        heard.lookup = match (std::mem::replace(&mut heard.lookup, Lookup::NotAsked), end) {
            (Lookup::Forming(mut forming), end) => {
                forming.end = Some(end);
                Lookup::Forming(forming)
            }
            (_, AnswerEnd::Complete(Some(then))) => Lookup::Found(then, "", now),
            // It is over, and nothing was said.
            (_, AnswerEnd::Complete(None) | AnswerEnd::BrokeOff) => Lookup::Failed(now),
        };
        self.answer_if_ready(now);
    }

    /// Says the first sentence, and gets ready for those that follow.
    pub(super) fn begin_answer(
        &mut self,
        request: Option<RequestId>,
        forming: Forming,
        times: Option<TurnTimes>,
        now: Moment,
    ) {
        // What is asked while somebody is going to be rung is answered first.
        if !matches!(&self.stage, Stage::Conversing(topic) if topic.puts_through()) {
            self.set_topic(Topic::Open);
        }
        self.counts.unheard = 0;
        self.counts.settled += 1;
        self.counts.unknown = 0;
        let Forming { sentences, engine, end, .. } = forming;
        self.last_answer = sentences.iter().cloned().collect();
        self.say_parts(request, sentences, Some(engine), end, now);
        if let Some(times) = times {
            self.answers(times);
        }
    }

    /// Says again what was said last.
    pub(super) fn say_again(&mut self, now: Moment) {
        let sentences = self.last_answer.iter().cloned().collect();
        self.say_parts(None, sentences, None, Some(AnswerEnd::Complete(None)), now);
    }

    fn say_parts(
        &mut self,
        request: Option<RequestId>,
        sentences: VecDeque<String>,
        responder: Option<&'static str>,
        end: Option<AnswerEnd>,
        now: Moment,
    ) {
        self.abandon_answer();
        let (count, waiting) = (sentences.len(), sentences);
        self.answering = Some(Answering { request, waiting, sentences: count, responder, end, any_heard: false });
        // The first is said whoever speaks, like any other answer: it gives way.
        self.say_next_part(now);
    }

    fn next_part(&mut self, text: &str, now: Moment) {
        let Some(answering) = &mut self.answering else { return };
        self.last_answer.push(text.to_owned());
        answering.waiting.push_back(text.to_owned());
        answering.sentences += 1;
        if answering.sentences >= SENTENCES_MAX {
            answering.end = Some(AnswerEnd::Complete(None));
            self.out.push_back(Output::AbandonAsk);
        }
        self.keep_answering(now);
    }

    fn end_answer(&mut self, end: AnswerEnd) {
        if let Some(answering) = &mut self.answering {
            answering.end = Some(end);
        }
    }

    fn say_next_part(&mut self, now: Moment) {
        let Some(answering) = &mut self.answering else { return };
        let Some(text) = answering.waiting.pop_front() else { return };
        let saying = Saying { responder: answering.responder, ..Saying::new(text, What::Answer, Part::OfAnswer) };
        self.queue(saying, now);
    }

    /// Gives the voice what it can take of the answer, and does what is to be
    /// done when all of it has been said. Nothing new is begun while the caller
    /// says something: first it is settled whether that is a turn.
    pub(super) fn keep_answering(&mut self, now: Moment) {
        if self.answering.is_none() || !matches!(self.stage, Stage::Conversing(_)) {
            return;
        }
        let quiet = self.taker.floor() == Floor::Quiet && self.pending.is_none();
        while quiet && self.says.len() < WITH_THE_VOICE && self.answering.as_ref().is_some_and(Answering::has_more) {
            self.say_next_part(now);
        }
        let all_said = !self.says.has_part() && !self.answering.as_ref().is_some_and(Answering::has_more);
        if !all_said {
            return self.timers.stop(Timer::Sentence);
        }
        match self.answering.as_ref().and_then(|a| a.end.clone()) {
            None if self.pending.is_some() || self.timers.is_running(Timer::Sentence) => {}
            None => self.timers.start(Timer::Sentence, now),
            Some(AnswerEnd::Complete(None)) => {
                self.answer_said();
                // A sound may have fallen into its end, and was no turn.
                self.give_floor(now);
            }
            Some(AnswerEnd::Complete(Some(then))) if quiet => {
                self.answer_said();
                self.after_answer(then, now);
            }
            Some(AnswerEnd::BrokeOff) if quiet => {
                self.answer_said();
                self.failed = true;
                self.offer_message(phrases::BROKE_OFF, phrases::BROKE_OFF_NO_OFFER, now);
            }
            Some(AnswerEnd::Complete(Some(_)) | AnswerEnd::BrokeOff) => self.timers.stop(Timer::Sentence),
        }
    }

    fn answer_said(&mut self) {
        self.answering = None;
        self.timers.stop(Timer::Sentence);
        self.settle_parts();
    }

    fn after_answer(&mut self, then: Finding, now: Moment) {
        // Who has said goodbye need not say it again.
        let took_leave = self.last_answer.last().is_some_and(|s| s.to_lowercase().contains("bye"));
        if then == Finding::Goodbye && took_leave {
            return self.hang_up(EndCause::NormalClearing, now);
        }
        self.act_on(then, now);
    }

    /// The answer does not go on, and nobody has said why.
    pub(super) fn sentence_missing(&mut self, now: Moment) {
        if self.answering.as_ref().is_some_and(|a| a.end.is_none()) {
            self.settle_parts();
            self.out.push_back(Output::AbandonAsk);
            self.end_answer(AnswerEnd::BrokeOff);
            self.keep_answering(now);
        }
    }

    /// No more of the answer is wanted; what the voice has is said.
    pub(super) fn abandon_answer(&mut self) {
        let Some(answering) = self.answering.take() else { return };
        self.timers.stop(Timer::Sentence);
        if let Some(request) = answering.request.filter(|_| answering.end.is_none()) {
            self.take_back(request);
        }
    }

    /// No more of the answer is wanted, and no more of it is heard.
    pub(super) fn drop_answer(&mut self) {
        let unsaid = self.answering.as_ref().is_some_and(|a| a.end.is_none() || a.has_more());
        if unsaid && let Some(turn) = &mut self.parts_turn {
            turn.interrupted = true;
        }
        // What was heard is told before its question is given up.
        self.settle_parts();
        let unheard = self.answering.as_ref().filter(|a| !a.any_heard).and_then(|a| a.request);
        self.abandon_answer();
        // However complete it was, the mind must not take it for said.
        if let Some(request) = unheard {
            self.take_back(request);
        }
    }

    /// This was heard of the answer that is being said.
    pub(super) fn heard_of_answer(&mut self, text: &Private<String>) {
        if let Some(answering) = &mut self.answering {
            answering.any_heard |= !text.expose().is_empty();
        }
    }

    /// The sentences of an answer that have been heard are one turn, which is over.
    pub(super) fn settle_parts(&mut self) {
        if let Some(turn) = self.parts_turn.take() {
            self.turn_done(turn);
        }
    }
}

impl Answering {
    fn has_more(&self) -> bool {
        !self.waiting.is_empty()
    }
}
