//! A SIP line: it takes calls in, up to its cap, and offers them to the desk.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rsipstack::sip::Method;
use rsipstack::transaction::TransactionReceiver;
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::SipConnection;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::line::{LegEnd, Line, LineHealth, LineState, MediaClock, Offer, ReadClock, Rhythm, leg};
use crate::signalling::sip::{AudioOffer, Dialog, Encoding, ExchangeId, LocalAudio, status_of_cause};
use crate::terms::{EndCause, LineId};

use super::call_task::{CallTask, Keys, Media, SoundGoes};
use super::calls::{Calls, DialogKey, put_our_tag, refuse};
use super::exchange::{INBOX, Responder, Tasks, body_of, header, to_tag};
use super::identity::caller_number;
use super::peer::{Peer, carries_sdp};
use super::rtp_port::{PortParts, RtpPort};
use super::stack::{BindError, Sockets, Stack, Transports};
use super::wire::{Ports, random_rtp_start, random_session};

/// How long calls may take to say goodbye when the line stops: a BYE and its
/// response on a slow mobile link.
const GOODBYE: Duration = Duration::from_secs(2);

/// The stack sends responses from tasks of its own and does not say when: this
/// lets the last one out.
const LAST_WORD: Duration = Duration::from_millis(100);

/// The exchange with which a call begins.
const RING: ExchangeId = ExchangeId(0);

#[derive(Clone, Debug)]
pub struct SipLineConfig {
    pub id: LineId,
    /// Where SIP is taken, over UDP and TCP.
    pub bind: SocketAddr,
    /// The address that the far side is told, where it is not the one we send from.
    pub advertise: Option<IpAddr>,
    /// Even ports of it carry RTP.
    pub rtp_ports: RangeInclusive<u16>,
    /// Calls beyond this are refused with 503.
    pub max_calls: usize,
    /// Without a packet for this long, the desk is told that the media is lost.
    pub rtp_timeout_ms: u64,
    /// Completes national numbers: digits without '+'.
    pub country_code: String,
    /// Best first.
    pub codecs: Vec<Encoding>,
}

/// A line whose sockets are open. Served through [`Line`].
pub struct SipLine {
    config: SipLineConfig,
    sockets: Sockets,
    clock: ReadClock,
    media_clock: MediaClock,
    calls: Arc<Calls>,
    served: Arc<AtomicBool>,
    tasks: Tasks,
}

/// That the line is being served: true until this is dropped, however the
/// serving ends.
struct Serving(Arc<AtomicBool>);

impl Serving {
    fn begin(served: Arc<AtomicBool>) -> Self {
        served.store(true, Ordering::Relaxed);
        Self(served)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl SipLine {
    /// Opens the line's sockets.
    pub fn bind(config: SipLineConfig, clock: ReadClock, media_clock: MediaClock) -> Result<Self, BindError> {
        let sockets = Sockets::open(config.bind, Transports::UdpAndTcp)?;
        let tasks = Tasks::new(TaskTracker::new());
        Ok(Self { config, sockets, clock, media_clock, calls: Arc::default(), served: Arc::default(), tasks })
    }

    /// The address that was bound; its port is the system's choice when the configured one is 0.
    pub fn local_address(&self) -> SocketAddr {
        self.sockets.address
    }

    /// Serves until `stop`, or until a part ends without which nobody is heard:
    /// then the calls are ended, the sockets closed, and the line wants to be
    /// opened again.
    async fn run(self, offers: mpsc::Sender<Offer>, stop: CancellationToken) {
        let tasks = self.tasks;
        // The stack outlives `stop` by the goodbyes of the calls, and nothing else.
        let stack_ends = tasks.stop.clone().drop_guard();
        let (calls, max_calls) = (self.calls.clone(), self.config.max_calls);
        let has_room = Arc::new(move |call_id: &str| calls.has_room(max_calls, call_id));
        let (stack, mut incoming) = match Stack::start(self.sockets, has_room, &tasks).await {
            Ok(started) => started,
            Err(error) => return tracing::error!(%error, "a SIP line did not start"),
        };
        tasks.keep(stack.serve());
        let serving = Serving::begin(self.served);
        let hang_up = stop.child_token();
        let ports = Ports::new(self.config.rtp_ports.clone());
        let mut desk = Reception {
            config: self.config,
            clock: self.clock,
            media_clock: self.media_clock,
            calls: self.calls.clone(),
            stack,
            tasks: tasks.clone(),
            call_tasks: TaskTracker::new(),
            ports,
            offers,
            hang_up: hang_up.clone(),
        };
        tokio::select! {
            () = stop.cancelled() => drop(serving),
            () = desk.receive(&mut incoming) => tracing::error!("a SIP line is not heard any more: it is closed"),
        }
        hang_up.cancel();
        desk.call_tasks.close();
        if tokio::time::timeout(GOODBYE, desk.goodbye(&mut incoming)).await.is_err() {
            tracing::warn!("a far side did not answer our goodbye in time");
        }
        tokio::time::sleep(LAST_WORD).await;
        drop(stack_ends);
        // A call that has not said goodbye by now is over without one.
        desk.call_tasks.wait().await;
        tasks.tracker.close();
        tasks.tracker.wait().await;
    }
}

impl Line for SipLine {
    fn id(&self) -> &LineId {
        &self.config.id
    }

    fn serve(
        self: Box<Self>,
        offers: mpsc::Sender<Offer>,
        stop: CancellationToken,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.run(offers, stop))
    }

    fn health(&self) -> Arc<dyn Fn() -> LineHealth + Send + Sync> {
        let (id, address, calls) = (self.config.id.clone(), self.sockets.address, self.calls.clone());
        let (max_calls, served, broken) = (self.config.max_calls, self.served.clone(), self.tasks.broken.clone());
        Arc::new(move || {
            let live = calls.len();
            let up = served.load(Ordering::Relaxed);
            let full = live >= max_calls;
            let (state, trouble) = match (up, full) {
                (false, _) => (LineState::Down, Some("The line is not being served.".to_owned())),
                (true, _) if broken.is_cancelled() => {
                    let why =
                        "A part of the line has ended by a fault: nobody is heard on it, and its calls are ended.";
                    (LineState::Down, Some(why.to_owned()))
                }
                (true, true) => (LineState::Degraded, Some(format!("All {max_calls} places for calls are taken."))),
                (true, false) => (LineState::Ready, None),
            };
            LineHealth {
                id: id.clone(),
                kind: "sip",
                state,
                address: format!("udp and tcp {address}"),
                calls: u32::try_from(live).unwrap_or(u32::MAX),
                trouble,
            }
        })
    }
}

/// Takes requests in and sets calls up.
struct Reception {
    config: SipLineConfig,
    clock: ReadClock,
    media_clock: MediaClock,
    calls: Arc<Calls>,
    stack: Stack,
    tasks: Tasks,
    call_tasks: TaskTracker,
    ports: Ports,
    offers: mpsc::Sender<Offer>,
    hang_up: CancellationToken,
}

impl Reception {
    /// Takes requests until the stack breaks.
    async fn receive(&mut self, incoming: &mut TransactionReceiver) {
        let broken = self.tasks.broken.clone();
        while let Some(Some(transaction)) = broken.run_until_cancelled(incoming.recv()).await {
            // The request that finds a fault of ours must not be the last that is taken.
            if catch_unwind(AssertUnwindSafe(|| self.take(transaction))).is_err() {
                tracing::error!("a request was lost by a panic: this is a fault of the program");
            }
        }
    }

    fn take(&mut self, transaction: Transaction) {
        let tag = to_tag(&transaction.original);
        match (transaction.original.method, tag) {
            (Method::Options, None) => self.refuse(transaction, 200),
            (Method::Invite, None) => self.take_ring(transaction),
            (_, Some(tag)) => self.calls.deliver(&self.tasks, transaction, tag),
            (Method::Bye | Method::Info, None) => self.refuse(transaction, 481),
            (_, None) => self.refuse(transaction, 405),
        }
    }

    fn refuse(&self, transaction: Transaction, status: u16) {
        refuse(&self.tasks, transaction, status);
    }

    fn take_ring(&mut self, mut transaction: Transaction) {
        let call_id = header(&transaction.original, "call-id").unwrap_or_default();
        if self.calls.len() >= self.config.max_calls {
            return self.refuse(transaction, 503);
        }
        let body = body_of(&transaction.original);
        if header(&transaction.original, "require").is_some_and(|tags| !tags.is_empty()) {
            return self.refuse(transaction, 420);
        }
        if body.is_some() && !carries_sdp(&transaction.original) {
            return self.refuse(transaction, 415);
        }
        let Some(tag) = put_our_tag(&mut transaction) else { return };
        match self.set_up(&transaction, body.as_deref()) {
            Err(status) => self.refuse(transaction, status),
            Ok(call) => self.begin(transaction, DialogKey { call_id, our_tag: tag }, call),
        }
    }

    /// Everything that a call needs, or the status with which it is refused.
    fn set_up(&mut self, transaction: &Transaction, body: Option<&[u8]>) -> Result<NewCall, u16> {
        let congestion = status_of_cause(EndCause::SwitchingCongestion);
        let source = Responder::source_of(transaction).ok_or(congestion)?;
        let own = self.stack.address_towards(source).map_err(|error| {
            tracing::error!(%error, "a call was refused");
            congestion
        })?;
        let hears = self.hears_at(own, source, body);
        let socket = self.ports.open(hears).map_err(|error| {
            tracing::error!(%error, "a call was refused");
            congestion
        })?;
        let port = socket.local_addr().map_err(|_| congestion)?.port();
        let local = LocalAudio {
            address: SocketAddr::new(self.shown_as(hears), port),
            encodings: self.config.codecs.clone(),
            session: random_session(),
        };
        let now = (self.clock)();
        let dialog = Dialog::rung(RING, body, local, now).map_err(|refusal| refusal.status)?;
        Ok(NewCall { dialog, socket, signalling: SocketAddr::new(self.shown_as(own), self.stack.address.port()) })
    }

    /// Our address for the sound of a call whose signalling we have at `own`: of
    /// the family in which the far side wants its sound, where it says so.
    fn hears_at(&self, own: IpAddr, source: SocketAddr, offer: Option<&[u8]>) -> IpAddr {
        let wanted = offer.and_then(|body| AudioOffer::parse(body).ok()).and_then(|offer| offer.remote);
        let other = wanted.filter(|wanted| wanted.is_ipv4() != source.is_ipv4());
        other.and_then(|wanted| self.stack.address_towards(wanted).ok()).unwrap_or(own)
    }

    /// The address that stands for `own` in what we say: a public one is of use
    /// only to who reaches it by the same family.
    fn shown_as(&self, own: IpAddr) -> IpAddr {
        let advertised = self.config.advertise.map(|shown| shown.to_canonical());
        advertised.filter(|shown| shown.is_ipv4() == own.is_ipv4()).unwrap_or(own)
    }

    fn begin(&mut self, transaction: Transaction, key: DialogKey, call: NewCall) {
        let reliable = transaction.connection.as_ref().is_some_and(SipConnection::is_reliable);
        let suffix = if reliable { ";transport=tcp" } else { "" };
        let contact = format!("<sip:{}{suffix}>", call.signalling);
        let peer = Peer::of_ring(&transaction, call.signalling, contact.clone());
        let from = caller_number(&transaction.original, &self.config.country_code);
        let (leg, LegEnd { commands, events, ears, mouth }) = leg(Rhythm::Box);
        let patience = Duration::from_millis(self.config.rtp_timeout_ms);
        let parts = PortParts { socket: call.socket, ears, mouth, start: random_rtp_start(), patience };
        let (port, handle) = RtpPort::new(parts);
        let (to_self, inbox) = mpsc::channel(INBOX);
        let place = self.calls.take_place(key, to_self.clone());
        let responder = Responder::adopt(&self.tasks, transaction, contact, Some((RING, to_self.clone())));
        let mut task = CallTask {
            dialog: call.dialog,
            peer,
            media: Media::Waiting(Box::new(port), handle),
            keys: Keys::default(),
            clock: self.clock.clone(),
            media_clock: self.media_clock.clone(),
            tasks: self.tasks.clone(),
            endpoint: self.stack.inner().clone(),
            inbox,
            to_self,
            commands,
            events,
            exchanges: BTreeMap::from([(RING, responder)]),
            next_exchange: RING.0 + 1,
            branch: String::new(),
            hang_up: self.hang_up.clone(),
            sound: SoundGoes::Anywhere,
        };
        if self.offers.try_send(Offer { line: self.config.id.clone(), from, leg }).is_err() {
            tracing::warn!("the desk takes no more calls: one was refused");
            task.dialog.reject(EndCause::SwitchingCongestion);
        }
        self.call_tasks.spawn(async move {
            let _place = place;
            task.run().await;
        });
    }

    /// Lets the calls end, and takes what their far sides still say.
    async fn goodbye(&mut self, incoming: &mut TransactionReceiver) {
        let ended = self.call_tasks.clone();
        loop {
            tokio::select! {
                () = ended.wait() => return,
                Some(transaction) = incoming.recv() => {
                    match to_tag(&transaction.original) {
                        Some(tag) => self.calls.deliver(&self.tasks, transaction, tag),
                        None => self.refuse(transaction, 503),
                    }
                }
            }
        }
    }
}

/// A call between its INVITE and its first word.
struct NewCall {
    dialog: Dialog,
    socket: std::net::UdpSocket,
    /// Where the far side reaches our signalling.
    signalling: SocketAddr,
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::terms::Moment;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn line() -> SipLine {
        let config = SipLineConfig {
            id: LineId::parse("front-desk").expect("a name"),
            bind: (Ipv4Addr::LOCALHOST, 0).into(),
            advertise: None,
            rtp_ports: 20_000..=29_999,
            max_calls: 1,
            rtp_timeout_ms: 30_000,
            country_code: "234".to_owned(),
            codecs: Encoding::ALL.to_vec(),
        };
        let clock: ReadClock = Arc::new(|| Moment::START);
        let media_clock = MediaClock::start(clock.clone()).expect("a thread");
        SipLine::bind(config, clock, media_clock).expect("a free port")
    }

    async fn turns(health: &(impl Fn() -> LineHealth + ?Sized), wanted: LineState) {
        let turned = async {
            while health().state != wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, turned).await.expect("the state is told");
    }

    #[tokio::test]
    async fn a_line_with_a_broken_part_says_so_ends_and_leaves_its_address_to_the_next() {
        let line = line();
        let (health, address, broken) = (line.health(), line.local_address(), line.tasks.broken.clone());
        let (offers, _desk) = mpsc::channel(1);
        let served = tokio::runtime::Handle::current().spawn(Box::new(line).serve(offers, CancellationToken::new()));
        turns(&*health, LineState::Ready).await;
        broken.cancel();
        assert_eq!(health().state, LineState::Down);
        assert!(health().trouble.is_some_and(|trouble| trouble.contains("nobody is heard")));
        tokio::time::timeout(PATIENCE, served).await.expect("it ends").expect("without a panic");
        assert_eq!(health().state, LineState::Down);
        let next = async {
            // A task of the stack may hold the socket for a moment longer.
            while Sockets::open(address, Transports::UdpAndTcp).is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("the address is free");
    }

    #[tokio::test]
    async fn a_serving_that_is_dropped_half_way_takes_its_stack_with_it() {
        let line = line();
        let (health, stack) = (line.health(), line.tasks.clone());
        let (offers, _desk) = mpsc::channel(1);
        let served = tokio::runtime::Handle::current().spawn(Box::new(line).serve(offers, CancellationToken::new()));
        turns(&*health, LineState::Ready).await;
        served.abort();
        turns(&*health, LineState::Down).await;
        stack.tracker.close();
        tokio::time::timeout(PATIENCE, stack.tracker.wait()).await.expect("nothing of it runs on");
    }
}
