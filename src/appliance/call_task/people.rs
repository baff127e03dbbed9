//! A call that is handed to a person: their telephone beside the caller's leg.

use std::time::Duration;

use super::Running;
use crate::appliance::put_through::{PersonEvent, PutThrough};
use crate::call::Input;
use crate::line::EarFrame;
use crate::media::Frame;
use crate::terms::{EndCause, HandsetId};

impl Running {
    pub(super) fn put_through(&mut self, handset: &HandsetId, rings: Duration) {
        let task = &self.task;
        let (Some(reception), Some(flowing)) = (&task.reception, &self.flowing) else {
            let at = task.clock.now();
            return self.tell(Input::PersonGone { at, cause: EndCause::UnallocatedNumber });
        };
        let who = PutThrough {
            call: task.id,
            number: task.caller.clone(),
            rate: flowing.ears.rate(),
            rhythm: task.leg.rhythm,
        };
        let mut person = reception.ring(handset, rings, &who, &task.supervisor);
        // The tone begins at once, and goes on by the line's rhythm.
        person.caller_heard(&task.leg.mouth);
        self.hand_over = Some(person);
    }

    /// Caller and person hear each other, and nobody else does.
    pub(super) fn connect(&mut self) {
        self.task.hearing = None;
        if let Some(person) = &mut self.hand_over {
            person.connect(&self.task.leg.mouth);
        }
    }

    pub(super) fn person(&mut self, event: &PersonEvent) {
        match *event {
            PersonEvent::Answered { at } => self.tell(Input::PersonAnswered { at }),
            PersonEvent::Gone { cause } => {
                let at = self.task.clock.now();
                self.tell(Input::PersonGone { at, cause });
            }
            PersonEvent::Said(ref frame) => {
                if let Some(person) = &mut self.hand_over {
                    person.person_said(frame, &self.task.leg.mouth);
                }
            }
            PersonEvent::Played => {
                if let Some(person) = &mut self.hand_over {
                    person.person_heard();
                }
            }
            PersonEvent::Other => {}
        }
    }

    /// A caller who is handed to a person is heard by them. To the ears there is
    /// silence, without which those that listen all the time would give up.
    pub(super) fn beside_person(&mut self, ear: EarFrame) -> EarFrame {
        let Some(person) = &mut self.hand_over else { return ear };
        person.caller_said(&ear.frame);
        EarFrame { frame: Frame::silence(ear.frame.rate()), ..ear }
    }

    pub(super) fn send_digit(&self, digit: char) {
        if let Some(person) = &self.hand_over {
            person.send_digit(digit);
        }
    }

    pub(super) fn let_go(&mut self) {
        if let Some(person) = self.hand_over.take() {
            person.let_go();
        }
    }
}
