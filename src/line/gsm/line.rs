//! A modem's line as the box holds it before it is served.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::line::sound_card::CardName;
use crate::line::{Line, LineHealth, MediaClock, Offer, ReadClock};
use crate::signalling::modem::{LineSettings, Profile};
use crate::terms::LineId;

use super::finding::{GsmClaims, ModemPlace, Roots};
use super::request::{EVENTS, GsmControl, GsmEvent, GsmRequest, REQUESTS};
use super::serve::{Parts, Serving};
use super::status::Board;

#[derive(Clone, Debug)]
pub struct GsmLineConfig {
    pub id: LineId,
    /// The families that its modem may be of; one, if the owner has said which.
    pub profiles: Vec<Arc<Profile>>,
    pub place: ModemPlace,
    pub settings: LineSettings,
    /// The card that the modem is wired to, for one with sound by wire.
    pub card: Option<CardName>,
    pub roots: Roots,
    /// Without sound from the modem for this long, the desk is told that it is lost.
    pub sound_timeout: Duration,
}

/// A line whose modem is still to be found. Served through [`Line`].
pub struct GsmLine {
    config: GsmLineConfig,
    clock: ReadClock,
    media_clock: MediaClock,
    claims: GsmClaims,
    requests: mpsc::Receiver<GsmRequest>,
    control: GsmControl,
    events: mpsc::Sender<GsmEvent>,
}

impl GsmLine {
    /// `claims` is one for all lines of the box. What the line tells besides calls
    /// comes out of the receiver.
    pub fn new(
        config: GsmLineConfig,
        clock: ReadClock,
        media_clock: MediaClock,
        claims: GsmClaims,
    ) -> (Self, mpsc::Receiver<GsmEvent>) {
        let (sender, requests) = mpsc::channel(REQUESTS);
        let (events, told) = mpsc::channel(EVENTS);
        let control = GsmControl { requests: sender, board: Board::default() };
        (Self { config, clock, media_clock, claims, requests, control, events }, told)
    }

    pub fn control(&self) -> GsmControl {
        self.control.clone()
    }

    /// The place of its port, where it has a name of its own.
    pub fn port(&self) -> Option<PathBuf> {
        match &self.config.place {
            ModemPlace::Ports { at, .. } => Some(at.clone()),
            ModemPlace::Usb(_) => None,
        }
    }
}

impl Line for GsmLine {
    fn id(&self) -> &LineId {
        &self.config.id
    }

    fn serve(
        self: Box<Self>,
        offers: mpsc::Sender<Offer>,
        stop: CancellationToken,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let parts = Parts {
            config: self.config,
            clock: self.clock,
            media_clock: self.media_clock,
            claims: self.claims,
            requests: self.requests,
            board: self.control.board,
            events: self.events,
            offers,
            stop,
        };
        Box::pin(Serving::new(parts).run())
    }

    fn health(&self) -> Arc<dyn Fn() -> LineHealth + Send + Sync> {
        let (id, board) = (self.config.id.clone(), self.control.board.clone());
        Arc::new(move || board.read().line_health(&id))
    }
}
