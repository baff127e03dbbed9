//! What becomes of a promise that could not be written down: it is not made. What
//! protects the caller holds all the same.

use super::super::output::{JournalEntry, JournalKind, Output};
use super::super::phrases;
use super::super::saying::What;
use super::super::wish::Wish;
use super::{Call, Keeps, Stage, Texts};
use crate::residency::CallerWish;
use crate::terms::{Moment, Private};

impl Call {
    /// The outputs that come after the entry are still here, and become others.
    pub(super) fn unwritten(&mut self, kind: &JournalKind, now: Moment) {
        if !kind.is_promise() {
            return;
        }
        // A disk that has failed once is trusted with nothing more of this call; a text may
        // have found its queue full on one that is well.
        if !matches!(kind, JournalKind::TextPromised(_)) {
            self.facts.keeps = Keeps::Nothing;
        }
        self.facts.texts = Texts::Impossible;
        match kind {
            // What was said stays for the record, which may find a disk that is well again.
            JournalKind::MessageTaken(_) => {
                self.say_instead(phrases::MESSAGE_KEPT, phrases::MESSAGE_NOT_KEPT);
                self.say_instead(phrases::MESSAGE_NOT_HEARD, phrases::MESSAGE_NOT_KEPT);
                self.say_instead(phrases::OWN_FAULT, phrases::OWN_FAULT_NO_OFFER);
            }
            JournalKind::TextPromised(text) => self.text_not_promised(text, now),
            JournalKind::Wished(Wish::OfData(CallerWish::Consents)) => self.consent_not_written(now),
            JournalKind::Wished(_) => self.say_instead(phrases::OBJECTED, phrases::OBJECTED_NOT_NOTED),
            _ => {}
        }
    }

    fn say_instead(&mut self, untrue: &str, instead: &str) {
        for output in &mut self.out {
            if let Output::Say { utterance, speech } = output
                && speech.text.expose() == untrue
            {
                speech.text = Private::new(instead.to_owned());
                if let Some(saying) = self.says.get_mut(*utterance) {
                    instead.clone_into(&mut saying.text);
                }
            }
        }
    }

    /// The sentence that promises it has just begun to sound: it is cut off and taken back.
    fn text_not_promised(&mut self, text: &Private<String>, now: Moment) {
        self.texts_promised = self.texts_promised.saturating_sub(1);
        self.out.retain(|output| !matches!(output, Output::SendText { text: of } if of == text));
        if !matches!(self.stage, Stage::Conversing(_) | Stage::AwaitFarewell(_)) {
            return;
        }
        let behind = self.says.split_behind();
        self.stop_speaking(None, now);
        self.say(phrases::TEXT_NOT_KEPT, What::Answer, now);
        for saying in behind.into_iter().filter(|saying| saying.what == What::Farewell) {
            self.queue(saying, now);
        }
    }

    /// A consent that nobody could prove allows nothing. A disk that only stalled writes it
    /// all the same, and after a power cut it would be the proof of what the caller was told
    /// is not so: right behind it stands that it was not taken.
    fn consent_not_written(&mut self, now: Moment) {
        self.out.push_front(Output::Journal(JournalEntry { at: now, kind: JournalKind::ConsentNotTaken }));
        let consents = Wish::OfData(CallerWish::Consents);
        if let Some(at) = self.wishes.iter().rposition(|wished| wished.wish == consents) {
            self.wishes.remove(at);
        }
        self.out.retain(|output| *output != Output::Wish(consents));
        self.say_instead(phrases::CONSENTED, phrases::NOT_CONSENTED);
    }
}
