//! One call's task: it carries between the dialog, the stack, the media and the
//! desk, and decides nothing itself.

use std::collections::BTreeMap;
use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use rsipstack::sip::{Method, Response};
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::transaction::Transaction;
use tokio::sync::mpsc;

use crate::call::MediaFacts;
use crate::line::{EventEnd, LegCommand, LegEvent, MediaClock, ReadClock};
use crate::media::Digit;
use crate::signalling::sip::{Agreed, Dialog, DigitWay, DigitWays, ExchangeId, Notice, Output};
use crate::terms::{EndCause, Moment, is_on_site};

use super::exchange::{Carried, FromPeer, Responder, Tasks, body_of, send};
use super::peer::{Peer, carries_sdp};
use super::rtp_port::{Control, PortHandle, PortNotice, RtpPort, codec_of};

/// The clock's thread stops a port within two ticks; a thread that is gone
/// must not hold the call up.
const STOP_PATIENCE: Duration = Duration::from_millis(200);

/// The media of a call, from the reserved port to the final figures.
pub(super) enum Media {
    Waiting(Box<RtpPort>, PortHandle),
    Flowing(PortHandle),
    Over(MediaFacts),
}

pub(super) struct CallTask {
    pub(super) dialog: Dialog,
    pub(super) peer: Peer,
    pub(super) media: Media,
    pub(super) keys: Keys,
    pub(super) clock: ReadClock,
    pub(super) media_clock: MediaClock,
    pub(super) tasks: Tasks,
    pub(super) endpoint: EndpointInnerRef,
    pub(super) inbox: mpsc::Receiver<FromPeer>,
    pub(super) to_self: mpsc::Sender<FromPeer>,
    pub(super) commands: mpsc::Receiver<LegCommand>,
    pub(super) events: EventEnd,
    /// Requests that wait for the dialog's response.
    pub(super) exchanges: BTreeMap<ExchangeId, Responder>,
    pub(super) next_exchange: u32,
    /// The branch of our INVITE, which a CANCEL repeats.
    pub(super) branch: String,
    /// Told when the line is to end its calls.
    pub(super) hang_up: tokio_util::sync::CancellationToken,
    pub(super) sound: SoundGoes,
}

/// Where the sound of a call may go, whatever the far side asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SoundGoes {
    Anywhere,
    /// To addresses of the business's own network alone.
    OnSite,
}

impl SoundGoes {
    fn lets(self, agreed: &Agreed) -> bool {
        self == Self::Anywhere || agreed.remote.is_none_or(|remote| is_on_site(remote.ip()))
    }
}

/// The keys of the far side.
#[derive(Default)]
pub(super) struct Keys {
    ways: DigitWays,
    /// Of whom `ways` speaks: where the sound of the far side is, and whether
    /// it sends telephone events.
    of: Option<(Option<SocketAddr>, Option<u8>)>,
}

impl Keys {
    /// Behind another address may be another device, that of whom a call was
    /// passed on to: what the first one did says nothing of it.
    fn agree(&mut self, agreed: Agreed) {
        let now = Some((agreed.remote, agreed.events));
        if self.of != now {
            self.ways.forget();
        }
        self.of = now;
    }
}

enum Happened {
    Peer(FromPeer),
    Command(LegCommand),
    /// The desk dropped the leg.
    LegDropped,
    Media(PortNotice),
    MediaGone,
    Due,
    LineStops,
    /// Nothing can be sent or heard any more.
    StackGone,
}

impl CallTask {
    /// Runs the call to its end.
    pub(super) async fn run(mut self) {
        let mut leg_dropped = false;
        let mut stopping = false;
        loop {
            if let Some(cause) = self.drain().await {
                return self.finish(cause);
            }
            match self.next(leg_dropped, stopping).await {
                Happened::Peer(from_peer) => self.take_from_peer(from_peer),
                Happened::Command(command) => self.take_command(command),
                Happened::LegDropped => {
                    leg_dropped = true;
                    self.dialog.hang_up(EndCause::NormalClearing, self.now());
                }
                Happened::LineStops => {
                    stopping = true;
                    let broken = self.tasks.broken.is_cancelled();
                    let cause = if broken { EndCause::Internal } else { EndCause::NormalClearing };
                    self.dialog.hang_up(cause, self.now());
                }
                Happened::StackGone => self.dialog.abandon(EndCause::Internal),
                Happened::Media(notice) => self.take_notice(notice),
                Happened::MediaGone => {
                    self.media = Media::Over(MediaFacts::default());
                    self.dialog.hang_up(EndCause::Internal, self.now());
                }
                Happened::Due => self.dialog.handle_timeout(self.now()),
            }
        }
    }

    fn now(&self) -> Moment {
        (self.clock)()
    }

    async fn next(&mut self, leg_dropped: bool, stopping: bool) -> Happened {
        let due = self.dialog.next_timeout().map(|(at, _)| at.since(self.now()));
        let notice = async {
            match &mut self.media {
                Media::Flowing(port) => port.notices.recv().await,
                Media::Waiting(..) | Media::Over(_) => pending().await,
            }
        };
        let timer = async {
            match due {
                Some(wait) => tokio::time::sleep(wait).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(from_peer) = self.inbox.recv() => Happened::Peer(from_peer),
            command = self.commands.recv(), if !leg_dropped => command.map_or(Happened::LegDropped, Happened::Command),
            notice = notice => notice.map_or(Happened::MediaGone, Happened::Media),
            () = self.hang_up.cancelled(), if !stopping => Happened::LineStops,
            () = self.tasks.stop.cancelled() => Happened::StackGone,
            () = timer => Happened::Due,
        }
    }

    fn take_from_peer(&mut self, from_peer: FromPeer) {
        let now = self.now();
        match from_peer {
            FromPeer::Cancel => self.dialog.handle_cancel(),
            FromPeer::Ack(exchange, sdp) => self.dialog.handle_ack(exchange, sdp.as_deref(), now),
            FromPeer::Request(transaction) => self.take_request(*transaction),
            FromPeer::Response(response) => self.take_response(&response),
            FromPeer::ByeDone => self.dialog.handle_bye_response(),
        }
    }

    fn take_request(&mut self, transaction: Transaction) {
        let now = self.now();
        let method = transaction.original.method;
        let exchange = ExchangeId(self.next_exchange);
        self.next_exchange += 1;
        let inbox = (method == Method::Invite).then(|| (exchange, self.to_self.clone()));
        let responder = Responder::adopt(&self.tasks, transaction, self.peer.contact.clone(), inbox);
        let body = body_of(responder.request());
        let is_sdp = carries_sdp(responder.request());
        match method {
            Method::Bye => {
                self.exchanges.insert(exchange, responder);
                self.dialog.handle_bye(exchange);
            }
            Method::Invite if body.is_some() && !is_sdp => responder.respond(415, Carried::Nothing),
            Method::Invite => {
                self.exchanges.insert(exchange, responder);
                self.dialog.handle_reinvite(exchange, body.as_deref(), now);
            }
            Method::Info => {
                self.exchanges.insert(exchange, responder);
                self.dialog.handle_info(exchange, &body.unwrap_or_default());
            }
            Method::Options => responder.respond(200, Carried::Nothing),
            _ => responder.respond(405, Carried::Nothing),
        }
    }

    fn take_response(&mut self, response: &Response) {
        let status = response.status_code.code();
        if (200..300).contains(&status) {
            self.peer.learn(response);
        }
        let body = (!response.body.is_empty()).then_some(response.body.as_slice());
        self.dialog.handle_response(status, body, self.now());
    }

    fn take_command(&mut self, command: LegCommand) {
        let now = self.now();
        match command {
            LegCommand::Answer => self.dialog.answer(now),
            LegCommand::Reject(cause) => self.dialog.reject(cause),
            LegCommand::HangUp(cause) => self.dialog.hang_up(cause, now),
            LegCommand::SendDigit(key) => match Digit::from_char(key) {
                Some(digit) => self.control(Control::SendDigit(digit)),
                None => tracing::warn!("asked to send what is no digit"),
            },
        }
    }

    fn take_notice(&mut self, notice: PortNotice) {
        match notice {
            PortNotice::Digit { at, digit, way } => self.take_digit(at, digit, way),
            PortNotice::Lost { at } => self.events.tell(LegEvent::MediaLost { at }),
            PortNotice::Stopped(facts) => self.media = Media::Over(facts),
        }
    }

    /// Tells a key once, however many ways it came by.
    fn take_digit(&mut self, at: Moment, digit: char, way: DigitWay) {
        if self.keys.ways.is_new(digit, way, at) {
            self.events.tell(LegEvent::Digit { at, digit });
        }
    }

    fn control(&self, control: Control) {
        if let Media::Flowing(port) = &self.media
            && port.controls.try_send(control).is_err()
        {
            tracing::warn!("the media of a call takes no orders");
        }
    }

    /// Carries out what the dialog wants; the cause when the call is over.
    async fn drain(&mut self) -> Option<EndCause> {
        while let Some(output) = self.dialog.poll_output() {
            match output {
                Output::Respond { exchange, status, sdp } => self.respond(exchange, status, sdp),
                Output::SendInvite { sdp } => self.send_invite(&sdp),
                Output::SendCancel => self.send_cancel(),
                Output::SendBye => self.send_bye(),
                Output::Media(agreed) => self.agree(agreed),
                Output::StopMedia => self.stop_media().await,
                Output::Tell(Notice::Ended(cause)) => return Some(cause),
                Output::Tell(notice) => self.tell(notice),
            }
        }
        None
    }

    fn respond(&mut self, exchange: ExchangeId, status: u16, sdp: Option<String>) {
        let carried = sdp.map_or(Carried::Nothing, Carried::Sdp);
        if let Some(responder) = self.exchanges.get(&exchange) {
            responder.respond(status, carried);
        }
        if status >= 200 {
            self.exchanges.remove(&exchange);
        }
    }

    fn send_invite(&mut self, sdp: &str) {
        let branch = self.branch.clone();
        let sending = self.peer.invite(&branch, sdp);
        self.dispatch(sending, |response| Some(FromPeer::Response(Box::new(response))));
    }

    fn send_cancel(&mut self) {
        let sending = self.peer.cancel(&self.branch);
        // The INVITE's own response says what came of it.
        self.dispatch(sending, |_| None);
    }

    fn send_bye(&mut self) {
        let sending = self.peer.bye();
        self.dispatch(sending, |response| (response.status_code.code() >= 200).then_some(FromPeer::ByeDone));
    }

    /// A request that cannot even be written is answered by the dialog's own timers.
    fn dispatch(
        &self,
        sending: Result<super::exchange::Sending, super::peer::UnwritableRequest>,
        told: fn(Response) -> Option<FromPeer>,
    ) {
        match sending {
            Err(error) => tracing::error!(%error, "a request was not sent"),
            Ok(sending) => {
                if let Err(error) = send(&self.tasks, &self.endpoint, sending, self.to_self.clone(), told) {
                    tracing::error!(%error, "a request was not sent");
                }
            }
        }
    }

    fn agree(&mut self, agreed: Agreed) {
        if !self.sound.lets(&agreed) {
            tracing::warn!("a telephone wants the sound of a call outside the business's network: it is hung up");
            return self.dialog.hang_up(EndCause::IncompatibleDestination, self.now());
        }
        self.keys.agree(agreed);
        match std::mem::replace(&mut self.media, Media::Over(MediaFacts::default())) {
            Media::Waiting(port, handle) => {
                self.media = Media::Flowing(handle);
                if self.media_clock.join(port).is_err() {
                    tracing::error!("the media clock takes no more calls");
                    self.dialog.hang_up(EndCause::Internal, self.now());
                }
            }
            other => self.media = other,
        }
        self.control(Control::Agree(agreed));
    }

    async fn stop_media(&mut self) {
        self.control(Control::Stop);
        let facts = match &mut self.media {
            Media::Flowing(port) => stopped(port).await,
            Media::Waiting(..) => MediaFacts::default(),
            Media::Over(_) => return,
        };
        self.media = Media::Over(facts);
    }

    fn tell(&mut self, notice: Notice) {
        let at = self.now();
        match notice {
            Notice::Answered => {
                if let Some(agreed) = self.dialog.agreed().filter(|agreed| self.sound.lets(agreed)) {
                    let codec = codec_of(agreed.encoding);
                    self.events.tell(LegEvent::Answered { at, rate: codec.sample_rate(), codec: codec.name() });
                }
            }
            Notice::Held => self.events.tell(LegEvent::Held { at }),
            Notice::Resumed => self.events.tell(LegEvent::Resumed { at }),
            Notice::Digit(digit) => self.take_digit(at, digit, DigitWay::Info),
            // The desk's callers are told of nothing before the answer.
            Notice::Ringing | Notice::Ended(_) => {}
        }
    }

    fn finish(self, cause: EndCause) {
        let at = (self.clock)();
        let media = match self.media {
            Media::Over(facts) => facts,
            Media::Waiting(..) | Media::Flowing(_) => MediaFacts::default(),
        };
        self.events.end(LegEvent::Ended { at, cause, media });
    }
}

/// Waits for the port's last notice.
async fn stopped(port: &mut PortHandle) -> MediaFacts {
    let last = async {
        while let Some(notice) = port.notices.recv().await {
            if let PortNotice::Stopped(facts) = notice {
                return facts;
            }
        }
        MediaFacts::default()
    };
    tokio::time::timeout(STOP_PATIENCE, last).await.unwrap_or_default()
}
