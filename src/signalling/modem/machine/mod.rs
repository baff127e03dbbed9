//! The machine of a modem's line.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::terms::Moment;

use super::health::{Counters, ModemHealth, Registration, Volte};
use super::input::ModemInput;
use super::output::ModemOutput;
use super::profile::Profile;
use super::settings::LineSettings;
use super::state::ModemState;
use super::support::SupportRow;

/// Everything that one modem's line knows.
#[derive(Debug)]
pub struct ModemLine {
    profile: Arc<Profile>,
    settings: LineSettings,
    state: ModemState,
    since: Moment,
    out: VecDeque<ModemOutput>,
}

impl ModemLine {
    pub fn new(profile: Arc<Profile>, settings: LineSettings, now: Moment) -> Self {
        Self { profile, settings, state: ModemState::Absent, since: now, out: VecDeque::new() }
    }

    /// The owner drains [`ModemLine::poll`] after each input, then sleeps until
    /// the next input or [`ModemLine::deadline`].
    pub fn handle(&mut self, input: ModemInput<'_>, now: Moment) {
        if let ModemInput::Day(day) = input {
            self.settings.day = day;
        }
        self.since = self.since.max(now);
    }

    pub fn poll(&mut self) -> Option<ModemOutput> {
        self.out.pop_front()
    }

    pub fn deadline(&self) -> Option<Moment> {
        None
    }

    /// The profile that the line was made with.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    pub fn health(&self) -> ModemHealth {
        ModemHealth {
            state: self.state,
            since: self.since,
            troubles: Vec::new(),
            maker: None,
            model: None,
            firmware: None,
            imei: None,
            iccid: None,
            sim_operator: None,
            registration: Registration::Unknown,
            operator: None,
            technology: None,
            signal_dbm: None,
            volte: Volte::Unknown,
            temperature: None,
            millivolts: None,
            counters: Counters::default(),
            texts_today: 0,
            texts_waiting: 0,
        }
    }

    /// The last rows to and from the modem, without anybody's number, text or identity.
    pub fn support_rows(&self) -> Vec<SupportRow> {
        Vec::new()
    }
}
