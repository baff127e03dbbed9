//! The near side: a policy with one or two destinations, a call's gate, payloads
//! that are what a test makes them, and a door that finds its hosts on loopback.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use milu::egress::{
    Door, DoorConfig, HttpRequest, Method, Resolver, Roots, SendError, StreamMessage, StreamOpening, Warming,
    WebSocketMessage, WebSocketOpening, Within,
};
use milu::residency::{
    CallGate, Cleared, DataClass, Destination, DestinationId, Ground, Host, Payload, Policy, Redact, Row, Safeguards,
    Transfer, Verdict,
};
use milu::terms::{CallId, Private};
use tokio::sync::mpsc;

use crate::far::Authority;

/// Generous: the machine may be busy.
pub const WITHIN: Within = Within { connect: Duration::from_secs(30), answer: Duration::from_secs(30) };

/// Rows that a test's register holds.
const ROWS: usize = 256;

/// As a driver's own type would be; the door makes its request of it.
#[derive(Debug)]
pub struct Own<T>(pub T);

impl<T> Payload for Own<T> {
    fn redacted(self, _redact: &dyn Redact) -> Option<Self> {
        Some(self)
    }
}

macro_rules! becomes {
    ($($what:ty),*) => {$(
        impl From<Own<$what>> for $what {
            fn from(own: Own<$what>) -> Self {
                own.0
            }
        }
    )*};
}
becomes!(HttpRequest, WebSocketOpening, WebSocketMessage, StreamOpening, StreamMessage);

struct AsItIs;

impl Redact for AsItIs {
    fn redact(&self, text: &str) -> String {
        text.to_owned()
    }
}

pub fn id(name: &str) -> DestinationId {
    DestinationId::parse(name).expect("a name")
}

pub fn host(text: &str) -> Host {
    Host::parse(text).expect("a host")
}

pub fn call(n: u64) -> CallId {
    CallId::from_parts(n, [7; 10])
}

/// A destination in another country, with `NAME.example` as its host.
pub fn abroad(name: &str) -> Destination {
    Destination {
        id: id(name),
        operator: format!("{name} Ltd"),
        hosts: vec![host(&format!("{name}.example"))],
        country: "US".to_owned(),
        on_site: false,
        contract: Some(milu::residency::Contract { name: "DPA".to_owned(), signed: jiff::civil::date(2026, 1, 5) }),
        safeguards: Safeguards::default(),
        pins: Vec::new(),
    }
}

/// A destination in the business's own network, at an address of its own.
pub fn on_site(name: &str, address: SocketAddr) -> Destination {
    let hosts = vec![host(&format!("{}:{}", address.ip(), address.port()))];
    Destination { hosts, on_site: true, country: "NG".to_owned(), ..abroad(name) }
}

/// A policy by which everything may go everywhere, each datum on a row of its own.
pub fn policy(destinations: Vec<Destination>) -> Arc<Policy> {
    let mut rows = Vec::new();
    for destination in &destinations {
        for class in DataClass::ALL {
            rows.push(Row {
                id: format!("row-{}", rows.len() + 1),
                class,
                destination: destination.id.clone(),
                ground: Ground::Contract,
                verdict: if class == DataClass::Contact { Verdict::Redacted } else { Verdict::Raw },
            });
        }
    }
    Arc::new(Policy::new(destinations, rows))
}

/// The door, a gate, and the register's rows.
pub struct Near {
    pub door: Door,
    pub gate: CallGate,
    pub rows: mpsc::Receiver<Transfer>,
}

/// What a test's box looks like.
pub struct Setting {
    pub destinations: Vec<Destination>,
    /// Where the hosts of destinations really are.
    pub at: Vec<(Host, Vec<SocketAddr>)>,
    pub config: DoorConfig,
}

impl Setting {
    pub fn new(destinations: Vec<Destination>) -> Self {
        Self { destinations, at: Vec::new(), config: DoorConfig::default() }
    }

    pub fn at(mut self, name: &str, addresses: &[SocketAddr]) -> Self {
        self.at.push((host(name), addresses.to_vec()));
        self
    }

    pub fn trusting(mut self, authority: &Authority) -> Self {
        self.config.roots = Roots::public().and_der(authority.der.clone()).expect("a root");
        self
    }

    pub fn open(self) -> Near {
        let (register, rows) = mpsc::channel(ROWS);
        self.open_with(Some(register), rows)
    }

    pub fn open_with(mut self, register: Option<mpsc::Sender<Transfer>>, rows: mpsc::Receiver<Transfer>) -> Near {
        self.config.resolver = Resolver::fixed(self.at.into_iter().collect::<HashMap<_, _>>());
        self.config.register = register;
        let policy = policy(self.destinations);
        Near { door: Door::new(policy.clone(), self.config), gate: gate(policy), rows }
    }
}

pub fn gate(policy: Arc<Policy>) -> CallGate {
    CallGate::new(policy, Arc::new(AsItIs))
}

impl Near {
    /// Cleared as somebody's words.
    pub fn words<T>(&self, to: &str, what: T) -> Cleared<Own<T>> {
        self.cleared(&[DataClass::Transcript], to, what)
    }

    pub fn cleared<T>(&self, classes: &[DataClass], to: &str, what: T) -> Cleared<Own<T>> {
        self.gate.clear(classes, &id(to), Own(what)).expect("a clearance")
    }

    pub fn warming(&self, to: &str, host: Host) -> Cleared<Warming> {
        self.gate.clear(&[DataClass::Transcript], &id(to), Warming { host, within: WITHIN }).expect("a clearance")
    }

    /// All rows that were written so far.
    pub fn written(&mut self) -> Vec<Transfer> {
        std::iter::from_fn(|| self.rows.try_recv().ok()).collect()
    }
}

pub fn get(host: Host) -> HttpRequest {
    HttpRequest {
        method: Method::Get,
        host,
        target: Private::new("/v1/things?of=mine".to_owned()),
        headers: vec![("authorization", Private::new("Bearer of-a-key".to_owned()))],
        body: Private::default(),
        safeguards: Safeguards::default(),
        within: WITHIN,
    }
}

pub fn post(host: Host, body: impl Into<Vec<u8>>) -> HttpRequest {
    HttpRequest { method: Method::Post, body: Private::new(body.into()), ..get(host) }
}

pub fn socket(host: Host) -> WebSocketOpening {
    WebSocketOpening {
        host,
        target: Private::new("/v1/listen?model=one".to_owned()),
        headers: vec![("authorization", Private::new("Token of-a-key".to_owned()))],
        safeguards: Safeguards::default(),
        within: WITHIN,
    }
}

pub fn text(words: &str) -> WebSocketMessage {
    WebSocketMessage::Text(Private::new(words.to_owned()))
}

pub fn sound(bytes: usize) -> WebSocketMessage {
    WebSocketMessage::Binary(Private::new(vec![0x55; bytes]))
}

/// The error of what must not succeed.
pub fn refused<T: std::fmt::Debug>(result: Result<T, SendError>) -> SendError {
    result.expect_err("it must be refused")
}

/// The sums of the rows' bytes.
pub fn bytes(rows: &[Transfer]) -> (u64, u64) {
    (rows.iter().map(|row| row.bytes_sent).sum(), rows.iter().map(|row| row.bytes_received).sum())
}
