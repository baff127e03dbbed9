//! What is shown of a modem's line, written by its task and read by whoever asks.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::line::{LineHealth, LineState};
use crate::signalling::modem::{ModemHealth, ModemState, Proof};
use crate::terms::LineId;

/// How a modem's line is.
#[derive(Clone, Debug, Default)]
pub struct GsmStatus {
    /// None before a modem was ever found.
    pub modem: Option<ModemHealth>,
    /// The family, as people call it, and whether hardware has proved its profile.
    pub family: Option<(String, Proof)>,
    /// The socket that the modem is in now.
    pub usb_path: Option<String>,
    /// The port for commands, while it is open.
    pub port: Option<PathBuf>,
    pub is_served: bool,
    pub calls: u32,
    /// One sentence about ports, when something is wrong with them.
    pub port_trouble: Option<String>,
}

/// The place where the status stands. Clones are the same board.
#[derive(Clone, Debug, Default)]
pub(super) struct Board(Arc<Mutex<GsmStatus>>);

impl Board {
    pub(super) fn read(&self) -> GsmStatus {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn write(&self, change: impl FnOnce(&mut GsmStatus)) {
        // A status is whole after each of the small changes that are made here.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl GsmStatus {
    /// The same in the words that all lines share.
    pub fn line_health(&self, id: &LineId) -> LineHealth {
        let state = self.modem.as_ref().map_or(ModemState::Absent, |modem| modem.state);
        let trouble =
            if self.is_served { self.trouble(state) } else { Some("The line is not being served.".to_owned()) };
        let line_state = match state {
            _ if !self.is_served => LineState::Down,
            ModemState::Absent | ModemState::SimWait(_) | ModemState::Quarantined => LineState::Down,
            ModemState::Ready | ModemState::Ringing | ModemState::Active | ModemState::Ending => LineState::Ready,
            ModemState::Opening | ModemState::Init | ModemState::Searching | ModemState::Degraded(_) => {
                LineState::Degraded
            }
        };
        LineHealth {
            id: id.clone(),
            kind: "gsm",
            state: line_state,
            address: self.address(),
            calls: self.calls,
            trouble,
        }
    }

    fn trouble(&self, state: ModemState) -> Option<String> {
        let told = self.modem.as_ref().and_then(|modem| modem.troubles.first().cloned());
        told.or_else(|| self.port_trouble.clone()).or_else(|| match state {
            ModemState::Absent => Some("The modem is not plugged in.".to_owned()),
            ModemState::Opening | ModemState::Init => Some("The modem is being set up.".to_owned()),
            ModemState::Searching => Some("The modem is looking for its network.".to_owned()),
            _ => None,
        })
    }

    fn address(&self) -> String {
        let port = self.port.as_ref().map(|port| port.display().to_string());
        match (port, &self.usb_path) {
            (Some(port), Some(usb)) => format!("usb {usb}, {port}"),
            (Some(port), None) => port,
            (None, Some(usb)) => format!("usb {usb}"),
            (None, None) => "not found".to_owned(),
        }
    }
}
