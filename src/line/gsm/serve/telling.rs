//! What a modem's line tells: events to the box, its status to whoever looks, and its
//! changes to the log. A modem that flaps or floods fills none of the three.

use std::time::Duration;

use crate::signalling::modem::{IncomingText, ModemInput, ModemLine, StateChange, StorageSlot};
use crate::terms::Moment;

use super::super::request::{EVENTS, GsmEvent};
use super::{STATUS_EVERY, Serving};

/// Events for which room is kept: texts stay in the modem and changes stay in the status
/// before the answers that somebody waits for, and what is to be kept, find none.
const FOR_ANSWERS: usize = EVENTS / 4;

/// Changes of a line that are logged in a minute. A call makes four, and a restart six.
const LOGGED_MAX: u32 = 60;

const MINUTE: Duration = Duration::from_secs(60);

/// How many changes of this minute stand in the log, and how many do not.
#[derive(Debug)]
pub(super) struct Logged {
    since: Moment,
    told: u32,
    untold: u32,
}

impl Logged {
    pub(super) const fn new(now: Moment) -> Self {
        Self { since: now, told: 0, untold: 0 }
    }

    /// Whether a change is to be logged, and how many before it were not.
    fn take(&mut self, now: Moment) -> Option<u32> {
        let untold = self.untold;
        if now.since(self.since) >= MINUTE {
            *self = Self::new(now);
        }
        if self.told >= LOGGED_MAX {
            self.untold = self.untold.saturating_add(1);
            return None;
        }
        self.told += 1;
        self.untold = 0;
        Some(untold)
    }
}

impl Serving {
    pub(super) fn log_change(&mut self, change: &StateChange) {
        let now = self.now();
        let Some(unlogged) = self.logged.take(now) else { return };
        let line = &self.parts.config.id;
        let (from, to, reason) = (change.from.name(), change.to.name(), change.reason.to_string());
        if unlogged > 0 {
            tracing::warn!(%line, unlogged, "a modem's line changed faster than is logged");
        }
        tracing::info!(%line, from, to, reason, "a modem's line has changed");
    }

    /// A text that nobody takes stays in the modem, and is told again.
    pub(super) fn tell_text(&mut self, text: IncomingText, slots: Vec<StorageSlot>) {
        let arrived = GsmEvent::TextArrived { text, slots };
        let refused = if self.parts.events.capacity() > FOR_ANSWERS {
            let Err(refused) = self.parts.events.try_send(arrived) else { return };
            refused.into_inner()
        } else {
            arrived
        };
        tracing::warn!(line = %self.parts.config.id, "a text message that nobody took stays in the modem");
        let now = self.now();
        if let (GsmEvent::TextArrived { slots, .. }, Some(machine)) = (refused, &mut self.machine) {
            machine.handle(ModemInput::TextNotKept { slots }, now);
        }
    }

    /// What whoever looks at the line sees as well leaves room for what is told once.
    pub(super) fn event(&self, event: GsmEvent) {
        let is_seen = matches!(event, GsmEvent::Changed(_) | GsmEvent::SoundTrouble(_) | GsmEvent::Identified { .. });
        if is_seen && self.parts.events.capacity() <= FOR_ANSWERS {
            return;
        }
        if self.parts.events.try_send(event).is_err() {
            tracing::debug!(line = %self.parts.config.id, "nobody takes what the modem tells");
        }
    }

    pub(super) fn write_status(&mut self) {
        if self.is_untold && self.now().since(self.told_at) >= STATUS_EVERY {
            self.publish();
        }
    }

    pub(super) fn publish(&mut self) {
        (self.told_at, self.is_untold) = (self.now(), false);
        let health = self.machine.as_ref().map(ModemLine::health);
        let calls = u32::from(self.call.is_some());
        self.parts.board.write(|status| {
            status.modem = health;
            status.calls = calls;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_flaps_fills_no_log_and_says_how_much_is_missing() {
        let at = |ms: u64| Moment::from_micros(ms * 1_000);
        let mut logged = Logged::new(at(0));
        let told = (0..50_000).filter(|ms| logged.take(at(*ms)).is_some()).count();
        assert_eq!(told, LOGGED_MAX as usize);
        assert_eq!(logged.take(at(60_000)), Some(50_000 - LOGGED_MAX));
        assert_eq!(logged.take(at(60_001)), Some(0));
    }
}
