//! Handing the caller to a person: said first, then rung, then left to the two of
//! them. While they speak together the box hears nothing and says nothing, and
//! whoever hangs up ends the call.

use std::time::Duration;

use super::super::handsets::Rung;
use super::super::output::{JournalKind, Output};
use super::super::phrases;
use super::super::record::Transferred;
use super::super::saying::What;
use super::super::timers::Timer;
use super::secrets::Acted;
use super::{Call, Opening, Stage, Topic, jiff_span};
use crate::conversation::{Fact, Floor};
use crate::terms::{EndCause, Moment, Private};

/// Whoever rings a telephone tells when it has rung for long enough; this long after
/// it nobody waits for that any more.
const RINGER_LATE: Duration = Duration::from_secs(3);

impl Topic {
    /// Is somebody going to be rung?
    pub(super) const fn puts_through(&self) -> bool {
        matches!(self, Self::PutThrough(_))
    }
}

impl Call {
    /// The caller wants to speak to somebody.
    pub(super) fn person(&mut self, name: Option<&str>, now: Moment) {
        self.counts.settled += 1;
        let Some(rung) = self.rung(name, now) else {
            let (offer, no_offer) = (phrases::person_unavailable(name), phrases::person_unavailable_no_offer(name));
            return self.offer_message(&offer, &no_offer, now);
        };
        let sentence = phrases::putting_through(rung.spoken_name().as_deref());
        self.set_topic(Topic::PutThrough(rung));
        self.say(&sentence, What::Answer, now);
    }

    /// The telephone that would ring now for the person of that name, or for anybody.
    pub(super) fn rung(&self, name: Option<&str>, now: Moment) -> Option<Rung> {
        let since = now.since(self.facts.offered_at);
        self.facts.handsets.rung_for(name, self.facts.started_at + jiff_span(since))
    }

    /// Is somebody being rung for the caller, or spoken to?
    pub(super) const fn is_handed_over(&self) -> bool {
        matches!(self.stage, Stage::AwaitPerson(_) | Stage::AwaitHangUp)
    }

    /// Rings once that has been said, and nobody says anything else. Until then the
    /// caller may take it back; a telephone that rings has a person running to it.
    pub(super) fn ring_once_said(&mut self, now: Moment) {
        let Stage::Conversing(Topic::PutThrough(rung)) = &self.stage else { return };
        let asks = self.is_at_a_question();
        let speaks = !self.says.is_empty() || self.taker.floor() != Floor::Quiet;
        let elsewhere = self.held || self.away || self.keypad.is_withholding() || self.opening == Opening::Notice;
        if asks || speaks || elsewhere {
            return;
        }
        self.ring(rung.clone(), now);
    }

    /// A steady noise, or a caller who never stops, keeps nobody from being put through:
    /// a person hears better. True if one is rung.
    pub(super) fn rings_all_the_same(&mut self, now: Moment) -> bool {
        match &self.stage {
            Stage::Conversing(Topic::PutThrough(rung)) if !self.held => {
                let rung = rung.clone();
                self.drop_pending_turn(now);
                self.drop_own_question();
                self.stop_speaking(None, now);
                self.ring(rung, now);
                true
            }
            _ => false,
        }
    }

    fn ring(&mut self, rung: Rung, now: Moment) {
        self.caller_turn_stands();
        self.forget_words();
        for timer in [Timer::Words, Timer::Finding, Timer::Filler, Timer::LastSilence] {
            self.timers.stop(timer);
        }
        // Silence means nothing while somebody is rung.
        self.tell(Fact::Held, now);
        self.timers.start_for(Timer::PersonAnswer, rung.rings + RINGER_LATE, now);
        self.out.push_back(Output::SilenceMouth);
        self.out.push_back(Output::PutThrough { handset: rung.handset.clone(), rings: rung.rings });
        self.stage = Stage::AwaitPerson(rung);
    }

    pub(super) fn person_answered(&mut self, at: Moment, now: Moment) {
        let Stage::AwaitPerson(rung) = &self.stage else { return };
        let to = Private::new(rung.to().to_owned());
        self.timers.stop(Timer::PersonAnswer);
        self.timers.stop(Timer::LongestCall);
        self.timers.start(Timer::LongestTalk, now);
        self.stage = Stage::AwaitHangUp;
        self.transferred = Some(Transferred { at_ms: self.ms(at), to: to.clone() });
        self.journal(JournalKind::Transferred(to), now);
        // The ringing tone ends.
        self.out.push_back(Output::SilenceMouth);
        self.out.push_back(Output::Connect);
    }

    /// Nobody answers the telephone, or who had answered has hung up.
    pub(super) fn person_gone(&mut self, cause: EndCause, now: Moment) {
        match &self.stage {
            Stage::AwaitHangUp => self.hang_up(cause, now),
            Stage::AwaitPerson(rung) => {
                let name = rung.spoken_name();
                let offer = phrases::person_does_not_answer(name.as_deref());
                let no_offer = phrases::person_does_not_answer_no_offer(name.as_deref());
                self.stop_ringing(now);
                self.offer_message(&offer, &no_offer, now);
            }
            _ => {}
        }
    }

    /// A key of a caller who waits for a person, or speaks to one.
    pub(super) fn digit_beside_person(&mut self, digit: char, at: Moment, now: Moment) {
        if self.guard_key(digit, at, now) == Acted::Not {
            return;
        }
        match (&self.stage, digit) {
            (Stage::AwaitHangUp, _) => self.out.push_back(Output::SendDigit(digit)),
            (Stage::AwaitPerson(_), '*' | '#') => {
                self.stop_ringing(now);
                self.say(phrases::NO_MESSAGE, What::Answer, now);
            }
            _ => {}
        }
    }

    /// The conversation goes on without the person who was rung.
    pub(super) fn stop_ringing(&mut self, now: Moment) {
        if !matches!(self.stage, Stage::AwaitPerson(_)) {
            return;
        }
        self.let_go();
        self.out.push_back(Output::SilenceMouth);
        self.timers.stop(Timer::PersonAnswer);
        self.stage = Stage::Conversing(Topic::Open);
        self.box_silent_since = now;
        if !self.held {
            self.tell(Fact::Resumed, now);
        }
    }

    /// The person is wanted no more.
    pub(super) fn let_go(&mut self) {
        if self.is_handed_over() {
            self.out.push_back(Output::LetGo);
        }
    }
}
