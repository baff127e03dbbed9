//! What the mind is asked, and what it finds or fails to find.

use super::super::output::Output;
use super::super::phrases;
use super::super::timers::Timer;
use super::{Call, HeardWords, Lookup};
use crate::terms::{Moment, Private, RequestId};

impl Call {
    /// The words of a turn or of the latest pause that the mind is still at.
    pub(super) fn asked_words(&mut self, request: RequestId) -> Option<&mut HeardWords> {
        let of_turn = self.pending.as_mut().and_then(|p| p.heard.as_mut());
        let asked = |h: &&mut HeardWords| h.request == request && h.lookup.is_open();
        of_turn.into_iter().chain(self.heard.as_mut()).find(asked)
    }

    /// The whole answer to the words of a turn or of the latest pause. Who has
    /// begun with a sentence does not end so.
    pub(super) fn looked_up(&mut self, request: RequestId, lookup: Lookup, now: Moment) {
        if let Some(heard) = self.asked_words(request).filter(|h| h.lookup == Lookup::Asked) {
            heard.lookup = lookup;
            self.answer_if_ready(now);
        }
    }

    /// The question of our own has its answer.
    pub(super) fn own_answered(&mut self, now: Moment) {
        self.own_request = None;
        self.own_answered_at = now;
        self.own_wait_over();
    }

    pub(super) fn finding_missing(&mut self, now: Moment) {
        let of_turn = self.pending.as_ref().map(|pending| pending.request);
        if let Some(request) = self.own_request.or(of_turn) {
            self.take_back(request);
            self.mind_failed(request, now);
        }
    }

    /// Nothing that came of this question, or will come, is said, and the mind must not take
    /// it for said. If it has been asked something newer since, that stands.
    pub(super) fn take_back(&mut self, request: RequestId) {
        if self.asked_last.take_if(|asked| *asked == request).is_some() {
            self.out.push_back(Output::AbandonAsk);
        }
    }

    pub(super) fn own_fault(&mut self, now: Moment) {
        self.failed = true;
        self.own_answered(now);
        self.keep_half_message(now);
        self.offer_message(phrases::OWN_FAULT, phrases::OWN_FAULT_NO_OFFER, now);
    }

    /// A question that is not a turn's goes to the mind: a menu key, or words
    /// that the caller confirmed. Each has its own request.
    pub(super) fn own_question(&mut self, now: Moment) -> RequestId {
        // The mind has one question at a time: words of a pause that it was still at are
        // asked again once their turn is over.
        if let Some(heard) = self.heard.as_mut().filter(|heard| heard.lookup.is_open()) {
            heard.lookup = Lookup::NotAsked;
            let request = heard.request;
            self.take_back(request);
        }
        let request = self.next_own_request;
        self.next_own_request = RequestId(request.0 - 1);
        self.own_request = Some(request);
        self.asked_last = Some(request);
        self.timers.start(Timer::Finding, now);
        self.timers.start(Timer::Filler, now);
        request
    }

    /// A turn that came in the meantime has the waits to itself.
    fn own_wait_over(&mut self) {
        self.timers.stop(Timer::Finding);
        if self.pending.is_none() {
            self.timers.stop(Timer::Filler);
        }
    }

    /// Something newer has come up than the question of our own.
    pub(super) fn drop_own_question(&mut self) {
        if let Some(own) = self.own_request.take() {
            self.own_wait_over();
            self.take_back(own);
        }
    }

    pub(super) fn ask(&mut self, words: &Private<String>, now: Moment) {
        let request = self.own_question(now);
        self.out.push_back(Output::Ask { request, words: words.clone() });
    }
}
