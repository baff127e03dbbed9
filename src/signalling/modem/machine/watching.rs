use std::time::Duration;

use crate::terms::Moment;

use super::super::command::Command;
use super::super::health::Registration;
use super::super::profile::Profile;
use super::super::state::ModemState;
use super::ModemLine;
use super::job::Job;

/// How often a question is asked of a line that is well.
const EVERY: Duration = Duration::from_secs(60);

/// How often it is asked for the network while there is none.
const SEARCHING_EVERY: Duration = Duration::from_secs(10);

/// A modem that has said nothing for so long is asked whether it is there.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// What is asked of a line at rest, and when next.
#[derive(Debug)]
pub(super) struct Watch {
    questions: Vec<Question>,
    /// When a modem without a voice is asked for it once more.
    voice_at: Moment,
}

#[derive(Debug)]
struct Question {
    row: String,
    at: Moment,
    /// Asked more often while there is no network.
    is_of_network: bool,
}

impl Watch {
    pub(super) fn new(profile: &Profile) -> Self {
        let rows = &profile.watch;
        let question = |row: &String, is_of_network| Question { row: row.clone(), at: Moment::START, is_of_network };
        let volte = rows.volte.iter().map(|row| question(row, true));
        let network = rows.registration.iter().map(|row| question(row, true));
        let operator = std::iter::once(question(&"AT+COPS?".to_owned(), true));
        let rest = rows.signal.iter().chain(&rows.temperature).chain(&rows.voltage).map(|row| question(row, false));
        Self { questions: volte.chain(network).chain(operator).chain(rest).collect(), voice_at: Moment::START }
    }

    pub(super) fn all_due(&mut self, now: Moment) {
        for question in &mut self.questions {
            question.at = now;
        }
        // The set-up has just asked.
        self.voice_at = now + EVERY;
    }
}

impl ModemLine {
    fn is_at_leisure(&self) -> bool {
        self.set_up.is_done() && !self.calls.is_any() && !self.healing.is_waiting() && !self.codes.is_wide()
    }

    pub(super) fn watch_due(&self) -> Option<Moment> {
        let voice = self.set_up.has_no_voice().then_some(self.watch.voice_at);
        let questions = self.watch.questions.iter().map(|question| question.at);
        questions.chain(voice).min().filter(|_| self.is_at_leisure())
    }

    pub(super) fn watch_command(&mut self, now: Moment) -> Option<Command<Job>> {
        if !self.is_at_leisure() {
            return None;
        }
        if let Some(command) = self.voice_command(now) {
            return Some(command);
        }
        let searching = self.state == ModemState::Searching;
        let question = self.watch.questions.iter_mut().find(|question| now >= question.at)?;
        question.at = now + if searching && question.is_of_network { SEARCHING_EVERY } else { EVERY };
        Some(Command::new(Job::Watch, &question.row))
    }

    fn voice_command(&mut self, now: Moment) -> Option<Command<Job>> {
        if !self.set_up.has_no_voice() || now < self.watch.voice_at {
            return None;
        }
        self.watch.voice_at = now + EVERY;
        self.profile.start.voice.as_ref().map(|probe| Command::new(Job::Voice, &probe.ask))
    }

    pub(super) fn ping_due(&self) -> Option<Moment> {
        let is_quiet = self.healing.is_waiting() || self.state == ModemState::Quarantined;
        (!is_quiet).then_some(self.engine.heard_at + SILENCE_MAX)
    }

    pub(super) fn ping_command(&mut self, now: Moment) -> Option<Command<Job>> {
        self.ping_due().filter(|at| now >= *at).map(|_| Command::new(Job::Quiet, "AT"))
    }

    pub(super) const fn registration_shown(&self) -> &'static str {
        match self.facts.registration() {
            Registration::Unknown => "it says nothing",
            Registration::NotSearching => "the modem does not search",
            Registration::Searching => "the modem searches",
            Registration::Denied => "it refuses the SIM",
            Registration::TextsOnly => "it lets the SIM have texts alone",
            Registration::EmergencyOnly => "it allows emergency calls alone",
            Registration::Home | Registration::Roaming => "the modem is registered",
        }
    }
}
