use crate::terms::{EndCause, Moment};

use super::super::command::Command;
use super::super::engine::End;
use super::super::output::ModemOutput;
use super::super::profile::SoundWhen;
use super::super::row::FinalResult;
use super::super::state::{ModemState, Reason};
use super::ModemLine;
use super::calling::{Answering, Ata, Phase};
use super::job::Job;
use super::sounding::Sounding;

/// An answer that the modem refuses while it still rings is tried once more.
const ANSWERS_MAX: u8 = 2;

impl ModemLine {
    /// Takes the offered call. The sound's port is opened now, so that it is there
    /// when the call is.
    pub(super) fn answer(&mut self, now: Moment) {
        let Phase::Ringing(ringing) = &self.calls.phase else { return };
        if !ringing.offered {
            return;
        }
        let id = ringing.id;
        self.calls.phase = Phase::Answering(Answering { since: now, id, ata: Ata::Due { tried: 0 }, active: false });
        self.open_sound(now);
    }

    pub(super) fn answer_command(&mut self) -> Option<Command<Job>> {
        let Phase::Answering(answering) = &mut self.calls.phase else { return None };
        let Ata::Due { tried } = answering.ata else { return None };
        let sound = self.sound.profile(&self.profile);
        if sound.when == SoundWhen::BeforeAnswer && !self.sound.is_on() {
            return None;
        }
        answering.ata = Ata::Asked { tried: tried + 1 };
        // What lies in the port is of an earlier call.
        self.out.push_back(ModemOutput::FlushSound);
        Some(Command::new(Job::Answer, &self.profile.calls.answer).of_calls())
    }

    pub(super) fn answer_answered(&mut self, end: End, now: Moment) {
        let Phase::Answering(answering) = &mut self.calls.phase else { return };
        let Ata::Asked { tried } = answering.ata else { return };
        self.calls.look(now);
        match end {
            End::Final(FinalResult::Ok | FinalResult::Connect) => {
                let Phase::Answering(answering) = &mut self.calls.phase else { return };
                answering.ata = Ata::Done;
                if self.sound.profile(&self.profile).when == SoundWhen::AfterAnswer {
                    self.sound.turn_on_at(now);
                }
                if self.calls.is_missing_list() {
                    self.call_is_active(now);
                }
                self.connect_if_ready(now);
            }
            // The caller was quicker. A modem without a list is believed; otherwise it is a
            // hint like any other, for a row of another call ends the command as well.
            End::Final(result) if result.is_of_calls() && self.calls.is_missing_list() => self.call_over(None, now),
            End::Final(result) if result.is_of_calls() => {
                self.calls.hint(EndCause::NormalClearing, now);
                // If it was another call's, its own answer is yet to come, and would be taken
                // for that of the list: one without a call.
                self.engine.resynchronise(now);
                self.perhaps_answered(now);
            }
            End::Final(_) if tried < ANSWERS_MAX => {
                if let Phase::Answering(answering) = &mut self.calls.phase {
                    answering.ata = Ata::Due { tried };
                }
            }
            End::Final(_) => self.begin_ending(EndCause::TemporaryFailure, now),
            End::TimedOut => self.perhaps_answered(now),
            End::Gone => {}
        }
    }

    /// It may have been answered all the same: the list will tell.
    fn perhaps_answered(&mut self, now: Moment) {
        if let Phase::Answering(answering) = &mut self.calls.phase {
            answering.ata = Ata::Done;
        }
        if self.sound.profile(&self.profile).when == SoundWhen::AfterAnswer {
            self.sound.turn_on_at(now);
        }
    }

    /// The list, or the modem itself where it has none, says that the call is on.
    pub(super) fn call_is_active(&mut self, now: Moment) {
        if let Phase::Answering(answering) = &mut self.calls.phase
            && !answering.active
        {
            answering.active = true;
            let sound = self.sound.profile(&self.profile);
            if sound.when == SoundWhen::WhenActive {
                let at = now + sound.first_wait;
                self.sound.turn_on_at(at);
            }
            self.connect_if_ready(now);
        }
    }

    /// The caller hears us once the call is on and its sound is.
    pub(super) fn connect_if_ready(&mut self, now: Moment) {
        let Phase::Answering(answering) = &self.calls.phase else { return };
        if answering.active && answering.ata == Ata::Done && self.sound.on() == Sounding::Flowing {
            let id = answering.id;
            self.calls.phase = Phase::Active { id };
            self.calls.look_within(self.profile.calls.list_active, now);
            self.sound.begin_watch(&self.profile);
            self.enter(ModemState::Active, Reason::CallAnswered, now);
            self.out.push_back(ModemOutput::Connected);
        }
    }
}
