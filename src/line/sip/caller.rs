//! The side that rings: a SIP and RTP client for the test caller and for calls
//! that the box makes. Early media is not listened to: a call begins with its
//! answer.

use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rsipstack::sip::{Method, Param, Transport, Uri};
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transaction::{CallIdFormat, TransactionReceiver, make_call_id, make_tag, make_via_branch};
use rsipstack::transport::{SipAddr, SipConnection};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::line::{Leg, LegEnd, MediaClock, ReadClock, Rhythm, leg};
use crate::signalling::sip::{Dialog, Encoding, LocalAudio};

use super::call_task::{CallTask, Keys, Media, SoundGoes};
use super::calls::{Calls, DialogKey, refuse};
use super::exchange::{INBOX, Tasks, to_tag};
use super::peer::{Peer, with_tag};
use super::rtp_port::{PortParts, RtpPort};
use super::socket::canonical;
use super::stack::{BindError, Sockets, Stack, Transports, own_address};
use super::tcp::connect;
use super::wire::{OpenRtpError, Ports, random_rtp_start, random_session};

/// The port of SIP where an address names none (RFC 3261 section 19.1.2).
const SIP_PORT: u16 = 5060;

/// How long a stack outlives its call: T1, after which a far side repeats a
/// request whose response was lost (RFC 3261 section 17.1.2.2).
const LINGER: Duration = Duration::from_millis(500);

#[derive(Debug, Error)]
pub enum RingError {
    #[error("ringing {uri}: this is no SIP address (sip:user@host:port)")]
    Address { uri: String },
    #[error("ringing {uri}: only UDP and TCP are spoken")]
    Transport { uri: String },
    #[error("ringing {uri}: the host is not known")]
    Host { uri: String, source: std::io::Error },
    #[error("ringing {uri}: the host has no address")]
    NoHost { uri: String },
    #[error("ringing {uri}")]
    Bind { uri: String, source: BindError },
    #[error("ringing {uri}: no connection over TCP")]
    Connect { uri: String, source: Box<rsipstack::Error> },
    #[error("ringing {uri}: no port for the sound")]
    Rtp { uri: String, source: Box<dyn std::error::Error + Send + Sync> },
}

/// How to ring.
#[derive(Clone, Debug)]
pub struct RingOptions {
    /// The number or name that the far side sees.
    pub from_user: String,
    /// The call is given up when nobody has answered after this.
    pub patience: Duration,
    /// Offered in this order.
    pub codecs: Vec<Encoding>,
    /// Even ports of it carry RTP.
    pub rtp_ports: RangeInclusive<u16>,
    /// Without a packet for this long, the caller is told that the media is lost.
    pub rtp_timeout_ms: u64,
    /// Where the sound may go.
    pub sound: SoundGoes,
}

impl Default for RingOptions {
    fn default() -> Self {
        Self {
            from_user: "milu".to_owned(),
            patience: Duration::from_secs(60),
            codecs: vec![Encoding::Pcma, Encoding::Pcmu, Encoding::G722],
            rtp_ports: 30_000..=39_999,
            rtp_timeout_ms: 30_000,
            sound: SoundGoes::Anywhere,
        }
    }
}

/// Rings. Each call has a stack of its own, which lives as long as the call.
pub struct SipCaller {
    clock: ReadClock,
    media_clock: MediaClock,
    /// Owns the tasks of all calls; waiting for it waits for their goodbyes.
    tracker: TaskTracker,
}

/// Where a call goes.
struct Target {
    uri: Uri,
    address: SocketAddr,
    transport: Transport,
}

impl SipCaller {
    pub fn new(clock: ReadClock, media_clock: MediaClock) -> Self {
        Self { clock, media_clock, tracker: TaskTracker::new() }
    }

    /// Rings `uri` (`sip:user@host:port`, with `;transport=tcp` over TCP) and
    /// returns at once: the leg's events tell of the answer or of the end.
    /// Dropping the leg takes the call back (CANCEL) or hangs up (BYE).
    pub async fn ring(&self, uri: &str, options: RingOptions) -> Result<Leg, RingError> {
        let target = resolve(uri).await?;
        let bind_error = |source| RingError::Bind { uri: uri.to_owned(), source };
        let own = own_address(Ipv6Addr::UNSPECIFIED.into(), target.address).map_err(bind_error)?;
        let sockets = Sockets::open(SocketAddr::new(own, 0), Transports::Udp).map_err(bind_error)?;
        // Nobody rings a caller: an INVITE that comes is refused by the guard.
        let no_room = Arc::new(|_: &str| false);
        let tasks = Tasks::new(self.tracker.clone());
        // A ring that fails half way leaves no stack behind.
        let unless_rung = tasks.stop.clone().drop_guard();
        let (stack, incoming) = Stack::start(sockets, no_room, &tasks).await.map_err(bind_error)?;
        let connection = match target.transport {
            Transport::Tcp => Some(SipConnection::Tcp(
                connect(target.address, &stack.intake)
                    .await
                    .map_err(|source| RingError::Connect { uri: uri.to_owned(), source: Box::new(source) })?,
            )),
            _ => None,
        };
        let rtp_error = |source: OpenRtpError| RingError::Rtp { uri: uri.to_owned(), source: Box::new(source) };
        let socket = Ports::new(options.rtp_ports.clone()).open(own).map_err(rtp_error)?;
        let rtp_port = socket.local_addr().map_err(|source| rtp_error(source.into()))?.port();
        let local = LocalAudio {
            address: SocketAddr::new(own, rtp_port),
            encodings: options.codecs.clone(),
            session: random_session(),
        };
        let dialog = Dialog::ring(local, options.patience, (self.clock)());
        let (leg, end) = leg(Rhythm::Box);
        let call = Outgoing { target, connection, stack, tasks, incoming };
        unless_rung.disarm();
        self.begin(call, dialog, socket, end, &options);
        Ok(leg)
    }

    /// Waits until all calls have ended, goodbyes included.
    pub async fn finish(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    fn begin(&self, call: Outgoing, dialog: Dialog, socket: std::net::UdpSocket, end: LegEnd, options: &RingOptions) {
        let Outgoing { target, connection, stack, tasks, incoming } = call;
        let LegEnd { commands, events, ears, mouth } = end;
        let patience = Duration::from_millis(options.rtp_timeout_ms);
        let (port, handle) = RtpPort::new(PortParts { socket, ears, mouth, start: random_rtp_start(), patience });
        let (to_self, inbox) = mpsc::channel(INBOX);
        let our_tag = make_tag().to_string();
        let peer = Peer { connection, ..peer_of(&target, stack.address, &options.from_user, &our_tag) };
        let calls = Arc::new(Calls::default());
        let place = calls.take_place(DialogKey { call_id: peer.call_id.clone(), our_tag }, to_self.clone());
        let task = CallTask {
            dialog,
            peer,
            media: Media::Waiting(Box::new(port), handle),
            keys: Keys::default(),
            clock: self.clock.clone(),
            media_clock: self.media_clock.clone(),
            tasks: tasks.clone(),
            endpoint: stack.inner().clone(),
            inbox,
            to_self,
            commands,
            events,
            exchanges: BTreeMap::new(),
            next_exchange: 0,
            branch: make_via_branch().to_string(),
            hang_up: tasks.broken.clone(),
            sound: options.sound,
        };
        tasks.keep(stack.serve());
        let stop = tasks.stop.clone();
        self.tracker.spawn(async move {
            // However this ends, the stack ends with it.
            let _stack_ends = stop.drop_guard();
            let _place = place;
            let mut incoming = incoming;
            let mut run = pin!(task.run());
            loop {
                tokio::select! {
                    () = &mut run => break,
                    Some(transaction) = incoming.recv() => take(&calls, &tasks, transaction),
                }
            }
            // Our last response is on its way, and may be asked for again.
            if tokio::time::timeout(LINGER, incoming.recv()).await.is_ok() {
                tracing::debug!("the far side asked something after the end of a call");
            }
            drop(stack);
        });
    }
}

struct Outgoing {
    target: Target,
    connection: Option<SipConnection>,
    stack: Stack,
    tasks: Tasks,
    incoming: TransactionReceiver,
}

/// Takes what the far side asks within the call.
fn take(calls: &Calls, tasks: &Tasks, transaction: Transaction) {
    match (to_tag(&transaction.original), transaction.original.method) {
        (Some(tag), _) => calls.deliver(tasks, transaction, tag),
        (None, Method::Options) => refuse(tasks, transaction, 200),
        (None, _) => refuse(tasks, transaction, 481),
    }
}

fn peer_of(target: &Target, own: SocketAddr, from_user: &str, our_tag: &str) -> Peer {
    let tcp = target.transport == Transport::Tcp;
    let (transport, suffix) = if tcp { ("TCP", ";transport=tcp") } else { ("UDP", "") };
    Peer {
        call_id: make_call_id(None, CallIdFormat::Uuid).value().to_owned(),
        local: with_tag(&format!("<sip:{from_user}@{own}>"), our_tag),
        remote: format!("<{}>", target.uri),
        target: target.uri.to_string(),
        routes: Vec::new(),
        contact: format!("<sip:{from_user}@{own}{suffix}>"),
        sent_by: format!("{transport} {own}"),
        sequence: 0,
        connection: None,
        destination: Some(SipAddr { r#type: Some(target.transport), addr: target.address.into() }),
    }
}

#[allow(clippy::disallowed_methods, reason = "who is rung stands in an address of SIP, and in no policy of operators")]
async fn resolve(text: &str) -> Result<Target, RingError> {
    let uri = text.to_owned();
    let parsed =
        Uri::try_from(text).ok().filter(|_| text.starts_with("sip:") && !text.contains(['<', '>', ' ', '\r', '\n']));
    let Some(parsed) = parsed else { return Err(RingError::Address { uri }) };
    let transport = parsed.params.iter().find_map(|p| if let Param::Transport(t) = p { Some(*t) } else { None });
    let transport = transport.unwrap_or(Transport::Udp);
    if !matches!(transport, Transport::Udp | Transport::Tcp) {
        return Err(RingError::Transport { uri });
    }
    let port = parsed.host_with_port.port.map_or(SIP_PORT, u16::from);
    let host = parsed.host_with_port.host.to_string();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut found =
        tokio::net::lookup_host((host, port)).await.map_err(|source| RingError::Host { uri: uri.clone(), source })?;
    let address = found.next().ok_or(RingError::NoHost { uri })?;
    Ok(Target { uri: parsed, address: canonical(address), transport })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_cannot_be_rung_is_refused_with_its_reason() {
        for uri in ["", "clinic", "tel:+2348031234567", "sip:", "sip:a b@c", "<sip:a@127.0.0.1>"] {
            assert!(matches!(resolve(uri).await, Err(RingError::Address { .. })), "{uri}");
        }
        assert!(matches!(resolve("sip:a@127.0.0.1;transport=tls").await, Err(RingError::Transport { .. })));
        let target = resolve("sip:clinic@127.0.0.1:5070;transport=tcp").await.expect("an address");
        assert_eq!((target.address.port(), target.transport), (5070, Transport::Tcp));
    }
}
