//! The ports of a modem's line: looked for, opened, closed and given back when they turn
//! out to be another line's.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_serial::SerialStream;

use crate::signalling::modem::{ModemInput, ModemLine, ResetStep};

use super::super::finding::{Found, ModemPlace, Search, Wanted};
use super::super::request::GsmEvent;
use super::super::{power, serial};
use super::{LOOK_EVERY, Serving};

impl Serving {
    /// Looks for the modem, and opens its port.
    pub(super) async fn look(&mut self) {
        self.look_at = self.now() + LOOK_EVERY;
        self.strangers.retain(|tty| self.parts.config.roots.dev.join(tty).exists());
        let found = match self.found.take() {
            // Its port is only to be opened again.
            Some(found) if found.at.exists() => Some(found),
            other => {
                self.release(other);
                self.search().find()
            }
        };
        let Some(found) = found else {
            if self.search().is_anothers() {
                let what = "Another line of this box has its modem; name another port, or leave one of the two out.";
                self.parts.board.write(|status| status.port_trouble = Some(what.to_owned()));
            }
            return;
        };
        match serial::open(&found.at) {
            Err(error) => {
                tracing::debug!(line = %self.parts.config.id, %error, "a modem is there and cannot be opened");
                let what = format!("Its port cannot be opened: {error}.");
                self.parts.board.write(|status| status.port_trouble = Some(what));
                self.release(Some(found));
            }
            Ok(port) => self.opened(found, port).await,
        }
    }

    fn search(&self) -> Search<'_> {
        let config = &self.parts.config;
        Search {
            place: &config.place,
            profiles: &self.profiles,
            roots: &config.roots,
            claims: &self.parts.claims,
            strangers: &self.strangers,
        }
    }

    pub(super) async fn opened(&mut self, found: Found, port: SerialStream) {
        let (reader, writer) = tokio::io::split(port);
        (self.reader, self.writer) = (Some(reader), Some(writer));
        self.waiting.clear();
        if self.machine.is_none() {
            self.profiles = vec![found.profile.clone()];
            let now = self.now();
            let mut settings = self.parts.config.settings.clone();
            settings.clock = later(settings.clock, now.since(self.clock_at));
            if let ModemPlace::Usb(wanted) = &self.parts.config.place {
                settings.known_iccid = settings.known_iccid.or_else(|| wanted.iccid.clone());
            }
            self.machine = Some(ModemLine::new(found.profile.clone(), settings, now));
        }
        self.parts.board.write(|status| {
            status.port = Some(found.at.clone());
            status.usb_path.clone_from(&found.usb_path);
            status.family = Some((found.profile.title.clone(), found.profile.proof.clone()));
            status.port_trouble = None;
        });
        self.found = Some(found);
        self.is_identified = false;
        self.input(ModemInput::PortOpened).await;
    }

    pub(super) fn close_port(&mut self) {
        (self.reader, self.writer) = (None, None);
        self.waiting.clear();
        let found = self.found.take();
        self.release(found);
        self.parts.board.write(|status| status.port = None);
    }

    pub(super) fn release(&self, found: Option<Found>) {
        if let Some(found) = found {
            self.parts.claims.release(&found.claim);
        }
    }

    pub(super) async fn port_gone(&mut self) {
        self.close_port();
        self.look_at = self.now();
        self.input(ModemInput::PortGone).await;
    }

    pub(super) fn reset(&mut self, step: ResetStep) {
        match step {
            ResetStep::Reopen => {
                // Both halves go, and with them the lock on the port; it is looked for
                // where it was.
                (self.reader, self.writer) = (None, None);
                self.waiting.clear();
                self.look_at = self.now();
            }
            // It was told so by a row; its ports may go and come back.
            ResetStep::SoftReset => {}
            ResetStep::PowerCycle => {
                let usb_path = self.found.as_ref().and_then(|found| found.usb_path.clone());
                match usb_path {
                    Some(usb_path) => {
                        let sys = self.parts.config.roots.sys.clone();
                        self.power = Some(Box::pin(async move { power::cycle(&sys, &usb_path).await }));
                    }
                    None => tracing::warn!(line = %self.parts.config.id, "a modem without a USB port has no switch"),
                }
            }
        }
    }

    /// Remembers which modem this is, and gives one back that is another line's.
    pub(super) async fn identify(&mut self) {
        let Some(found) = self.found.as_ref().filter(|_| !self.is_identified && self.reader.is_some()) else { return };
        let Some(health) = self.machine.as_ref().map(ModemLine::health) else { return };
        let Some(imei) = health.imei else { return };
        let ModemPlace::Usb(wanted) = &self.parts.config.place else {
            self.is_identified = true;
            return;
        };
        if !wanted.may_be(&imei) {
            return self.give_stranger_back().await;
        }
        if wanted.iccid.is_none() && health.iccid.is_none() {
            // The SIM is asked a moment later.
            return;
        }
        self.is_identified = true;
        let usb_path = found.usb_path.clone();
        let known = Wanted {
            usb_path: usb_path.clone(),
            socket: wanted.socket,
            imei: Some(imei.clone()),
            iccid: health.iccid.clone().or_else(|| wanted.iccid.clone()),
            others: wanted.others.clone(),
        };
        let iccid = known.iccid.clone();
        self.parts.config.place = ModemPlace::Usb(known);
        self.event(GsmEvent::Identified { usb_path, imei: Some(imei), iccid });
    }

    pub(super) async fn give_stranger_back(&mut self) {
        let name =
            self.found.as_ref().and_then(|found| found.at.file_name()).map(|name| name.to_string_lossy().into_owned());
        self.strangers.extend(name);
        tracing::info!(line = %self.parts.config.id, "the modem that was found belongs to another line");
        self.port_gone().await;
        // Nothing that was asked of it goes without an answer.
        self.input(ModemInput::Leave).await;
        self.machine = None;
        self.parts.board.write(|status| {
            status.modem = None;
            status.port_trouble = Some("Another modem is plugged in than the one of this line.".to_owned());
        });
    }
}

/// The calendar's time so much later.
fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(at)
}
