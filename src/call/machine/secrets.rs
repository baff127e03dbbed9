//! Keys that are pressed in secret. A step of payment begins when a sentence of
//! the box asks for something that is keyed to pay or to prove who one is, or when
//! a caller keys more than a choice has without having been asked for a number,
//! or keys what looks like a card where a telephone number was asked for. In such
//! a step keys go nowhere, and the caller's sound is silence to recording and ears.

use super::super::output::Output;
use super::super::phrases;
use super::super::record::{Gap, GapReason};
use super::super::saying::{Part, Saying, What};
use super::{Call, Opening, Stage, Topic};
use crate::privacy::{Keyed, KeypadGuard, Withheld};
use crate::terms::Moment;

/// Stretches of withheld sound that the record tells apart; more grow the last.
const WITHHELD_MAX: usize = 32;

/// The keys of one call.
#[derive(Clone, Debug, Default)]
pub(super) struct Keypad {
    guard: KeypadGuard,
    /// Since when the caller's sound is withheld.
    since: Option<Moment>,
    why: Why,
    /// When the box asked last.
    asked_at: Moment,
    /// Stretches that are over.
    pub(super) withheld: Vec<Gap>,
}

/// How the step began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Why {
    #[default]
    Asked,
    /// Nobody asked for what was keyed.
    Unasked,
}

/// May a key be acted on?
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Acted {
    Upon,
    /// It is a part of a secret.
    Not,
}

/// A key in a step that is open already, or the first keys of one.
enum Met {
    Open,
    Begun,
    Plain,
}

fn ms(at: Moment) -> u64 {
    at.as_micros() / 1000
}

impl Keypad {
    /// When something becomes of what was keyed, if nothing else happens.
    pub(super) fn deadline(&self) -> Option<(Moment, &'static str)> {
        let at = self.guard.deadline_ms()?;
        Some((Moment::from_micros(at.saturating_mul(1000)), "more keys may come"))
    }

    pub(super) fn is_withholding(&self) -> bool {
        self.since.is_some()
    }
}

impl Call {
    /// A key is pressed; nobody may see it before this.
    pub(super) fn guard_key(&mut self, digit: char, at: Moment, now: Moment) -> Acted {
        let withheld = self.keypad.guard.pressed(digit, ms(at));
        self.keep_secrets(withheld, now);
        match self.meet(digit) {
            Met::Plain => Acted::Upon,
            Met::Open => Acted::Not,
            Met::Begun => {
                let asked = self.keypad.guard.asks(Keyed::Payment, ms(at));
                // It is over as soon as no more comes: nobody waits for it.
                let withheld = asked.or(self.keypad.guard.asks_no_more(ms(at)));
                self.keypad.why = Why::Unasked;
                self.keep_secrets(withheld, now);
                if self.is_handed_over() {
                    // The box says nothing between people.
                    return Acted::Not;
                }
                if self.opening == Opening::Notice {
                    // The notice is played to its end; the keys are gone all the same.
                    self.key_waiting = None;
                    return Acted::Not;
                }
                self.opening = Opening::Invited;
                self.stop_speaking(None, now);
                self.drop_own_question();
                self.drop_pending_turn(now);
                self.say(phrases::KEYS_NOT_WANTED, What::BreakingIn, now);
                if let Stage::Conversing(Topic::Message(taking)) = &mut self.stage
                    && let Some(question) = taking.forget_keys()
                {
                    self.say(&question, What::Answer, now);
                }
                Acted::Not
            }
        }
    }

    fn meet(&self, digit: char) -> Met {
        if self.keypad.guard.is_silencing() {
            return Met::Open;
        }
        let is_card = match &self.stage {
            Stage::Conversing(Topic::Message(taking)) => match taking.keyed_with(digit) {
                Some(keyed) => crate::privacy::is_card_like(&keyed),
                None => self.keypad.guard.is_number(),
            },
            _ => self.keypad.guard.is_number(),
        };
        if is_card { Met::Begun } else { Met::Plain }
    }

    /// A sentence of the box begins to sound: it asks for a secret, belongs to the answer
    /// that did, or an earlier question is over.
    pub(super) fn guard_sentence(&mut self, sentence: &Saying, at: Moment, now: Moment) {
        let withheld = match Keyed::asked_in(&sentence.text) {
            Some(what) => {
                (self.keypad.why, self.keypad.asked_at) = (Why::Asked, at);
                self.keypad.guard.asks(what, ms(at))
            }
            None if self.waits_for_keys_still(sentence) => None,
            None => self.keypad.guard.asks_no_more(ms(at)),
        };
        self.keep_secrets(withheld, now);
    }

    /// "Then press the hash key", and what is said to who takes long, ask nothing else. A
    /// question does: its answer is to be heard.
    fn waits_for_keys_still(&self, sentence: &Saying) -> bool {
        let of_its_answer = sentence.part == Part::OfAnswer && self.settled_at <= self.keypad.asked_at;
        let asks = sentence.text.trim_end().ends_with('?');
        of_its_answer && !asks || sentence.what == What::Filler || sentence.text == phrases::KEYS_AWAITED
    }

    /// Time has come to `now`.
    pub(super) fn pass_keys(&mut self, now: Moment) {
        let withheld = self.keypad.guard.pass(ms(now));
        self.keep_secrets(withheld, now);
    }

    /// Withholds the caller's sound while a step is open; says so when one is over
    /// in which something was keyed.
    fn keep_secrets(&mut self, withheld: Option<Withheld>, now: Moment) {
        let silencing = self.keypad.guard.is_silencing();
        match (self.keypad.since, silencing) {
            (None, true) => {
                self.keypad.since = Some(now);
                self.out.push_back(Output::WithholdSound);
            }
            (Some(_), false) => {
                self.sound_returns(now);
                self.out.push_back(Output::RestoreSound);
                let may_speak = self.says.is_empty() && matches!(self.stage, Stage::Conversing(_));
                if withheld.is_some() && self.keypad.why == Why::Asked && may_speak {
                    self.say(phrases::KEYS_WITHHELD, What::Answer, now);
                }
            }
            (None, false) | (Some(_), true) => {}
        }
    }

    /// The stretch that was withheld is over, or the call is.
    pub(super) fn sound_returns(&mut self, now: Moment) {
        let Some(since) = self.keypad.since.take() else { return };
        let Some((from_ms, to_ms)) = self.sound(since, now).filter(|(from, to)| from < to) else { return };
        let is_full = self.keypad.withheld.len() >= WITHHELD_MAX;
        match self.keypad.withheld.last_mut().filter(|_| is_full) {
            Some(last) => last.to_ms = to_ms,
            None => self.keypad.withheld.push(Gap { from_ms, to_ms, reason: GapReason::Withheld }),
        }
    }
}
