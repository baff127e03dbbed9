use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{HeaderMap, RETRY_AFTER};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::sync::{mpsc, watch};

use super::account::Account;
use super::books::{Books, Spending};
use super::budget::{Budget, Room, Spent, Standing};
use super::connect::Reach;
use super::http::{self, Head};
use super::leave::Leave;
use super::link::{Link, NoAnswer, Pool, Then};
use super::names::{Names, Resolver};
use super::prices::{Place, Prices, Usage};
use super::register::Register;
use super::reports::Reports;
use super::trust::{Roots, Trust};
use super::websocket::Asking;
use super::wire::Tally;
use super::{
    HeldBack, HttpAnswer, HttpRequest, Method, SendError, StreamOpening, StreamReceiver, StreamSender, Warming,
    WebSocketOpening, WebSocketReceiver, WebSocketSender, Within, stream, websocket,
};
use crate::ops::{MomentSource, SystemClock, WallSource};
use crate::residency::{Clearance, Cleared, Destination, DestinationId, Host, Policy, Safeguards, Transfer};
use crate::terms::{CallId, Private};

/// What is kept of an answer that refuses a WebSocket.
const REFUSAL_MAX: usize = 4 * 1024;

/// How long the words of a refusal may take after its head.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(1);

/// What the door is built with.
pub struct DoorConfig {
    pub roots: Roots,
    pub resolver: Resolver,
    /// Where rows of the register go; none writes none, which suits tests alone.
    /// Some hundred rows of room are enough: while it is full the door keeps them.
    pub register: Option<mpsc::Sender<Transfer>>,
    /// Told by who writes them: the disk has taken none for a while, and nothing leaves.
    pub is_register_stuck: watch::Receiver<bool>,
    pub budget: Budget,
    pub prices: Prices,
    /// What was spent before the box went down; none begins at nothing.
    pub spent: Option<Spent>,
    /// Whose midnight ends the budget's day.
    pub zone: TimeZone,
    pub now: MomentSource,
    pub wall: WallSource,
}

impl Default for DoorConfig {
    fn default() -> Self {
        let clock = SystemClock::new();
        Self {
            roots: Roots::public(),
            resolver: Resolver::system(),
            register: None,
            is_register_stuck: watch::channel(false).1,
            budget: Budget::default(),
            prices: Prices::none(),
            spent: None,
            zone: TimeZone::UTC,
            now: clock.as_fn(),
            wall: clock.wall_fn(),
        }
    }
}

/// The door. Cheap to share; clones are the same door.
#[derive(Clone)]
pub struct Door {
    frame: Arc<Frame>,
}

struct Frame {
    trust: Trust,
    resolver: Resolver,
    books: Arc<Books>,
    /// Held for a copy.
    under: RwLock<Arc<Under>>,
}

/// All that holds under one policy: another policy has other names, keys and
/// connections.
struct Under {
    policy: Arc<Policy>,
    names: Names,
    pool: Arc<Pool>,
    reaches: Mutex<HashMap<DestinationId, Reach>>,
}

/// What is let out.
struct Passing {
    under: Arc<Under>,
    reach: Reach,
    call: Option<CallId>,
    clearance: Clearance,
    host: Host,
    safeguards: Safeguards,
    within: Within,
}

impl Door {
    pub fn new(policy: Arc<Policy>, config: DoorConfig) -> Self {
        let DoorConfig { roots, resolver, register, is_register_stuck, budget, prices, spent, zone, now, wall } =
            config;
        let day = wall().to_zoned_datetime(zone.clone()).date();
        let spending = Spending { budget, spent: spent.unwrap_or_else(|| Spent::nothing(day)) };
        let trust = Trust::new(roots, wall.clone());
        let (register, reports) = (Register::new(register, is_register_stuck), Reports::default());
        let books = Books { register, now, wall, zone, prices, reports, spending: spending.into() };
        let under = Under::new(policy, resolver.clone(), books.now.clone());
        let frame = Frame { trust, resolver, books: Arc::new(books), under: RwLock::new(Arc::new(under)) };
        Self { frame: Arc::new(frame) }
    }

    /// From now on another policy holds. Idle connections are closed and names
    /// resolved anew; what is open stays open and carries nothing more that the new
    /// policy would not let out there.
    pub fn set_policy(&self, policy: Arc<Policy>) {
        let under = Under::new(policy, self.frame.resolver.clone(), self.frame.books.now.clone());
        *self.frame.under.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(under);
    }

    /// Whether the policy in force would have let a connection be made as it was, which
    /// told these safeguards: what is another place by now, has lost its host, may show
    /// other keys or was not told a safeguard gets no more of a call's data. The call's
    /// gate cannot know all of it, because the destination may have other hosts, and
    /// knows nothing of what was cleared before.
    pub(super) fn would_connect(&self, opened: &Destination, host: &Host, told: &Safeguards) -> Result<(), HeldBack> {
        let under = self.under();
        let destination = || opened.id.clone();
        let Some(now) = under.policy.destination(&opened.id) else {
            return Err(HeldBack::UnknownDestination { destination: destination() });
        };
        if (&now.operator, &now.country, now.on_site) != (&opened.operator, &opened.country, opened.on_site) {
            return Err(HeldBack::OtherPlace { destination: destination() });
        }
        if !now.hosts.contains(host) {
            return Err(HeldBack::ForeignHost { destination: destination(), host: host.clone() });
        }
        // Which of its keys the host has shown is not kept, so all of them must do.
        let all_do = !opened.pins.is_empty() && opened.pins.iter().all(|pin| now.pins.contains(pin));
        if !now.pins.is_empty() && !all_do {
            return Err(HeldBack::OtherKeys { destination: destination(), host: host.clone() });
        }
        if !told.cover(&now.safeguards) {
            return Err(HeldBack::SafeguardMissing { destination: destination() });
        }
        Ok(())
    }

    /// Sends a request and waits for the head of its answer. `call` is for the register.
    pub async fn request<T: Into<HttpRequest>>(
        &self,
        call: Option<CallId>,
        cleared: Cleared<T>,
    ) -> Result<HttpAnswer, SendError> {
        let (payload, clearance) = cleared.into_parts();
        let HttpRequest { method, host, target, headers, body, safeguards, within } = payload.into();
        let passing = self.let_pass(call, clearance, host, safeguards, within)?;
        let host_header = passing.reach.host_header(&passing.host);
        let head = Head { method, host_header: &host_header, target: &target, headers: &headers };
        let request = http::written(&head, body).ok_or_else(|| passing.malformed())?;
        let (answer, link) = passing.exchange(request, Then::MoreHttp, self).await?;
        if answer.status().is_redirection() {
            return Err(SendError::Redirect { host: passing.host });
        }
        let destination = passing.reach.destination.id.clone();
        Ok(HttpAnswer::new(answer, link, passing.under.pool.clone(), destination, passing.host))
    }

    /// Opens a WebSocket.
    pub async fn websocket<T: Into<WebSocketOpening>>(
        &self,
        call: Option<CallId>,
        cleared: Cleared<T>,
    ) -> Result<(WebSocketSender, WebSocketReceiver), SendError> {
        let (payload, clearance) = cleared.into_parts();
        let WebSocketOpening { host, target, headers, safeguards, within } = payload.into();
        let passing = self.let_pass(call, clearance, host, safeguards, within)?;
        let host_header = passing.reach.host_header(&passing.host);
        let head = Head { method: Method::Get, host_header: &host_header, target: &target, headers: &headers };
        let mut request = http::written(&head, Private::default()).ok_or_else(|| passing.malformed())?;
        let asking = Asking::new().ok_or_else(|| passing.malformed())?;
        for (name, value) in &asking.headers {
            request.headers_mut().insert(name, value.clone());
        }
        let asked = request.headers().clone();
        let (answer, link) = passing.exchange(request, Then::WebSocket, self).await?;
        let host = passing.host.clone();
        let status = answer.status();
        if status.is_redirection() {
            return Err(SendError::Redirect { host });
        }
        if status != hyper::StatusCode::SWITCHING_PROTOCOLS {
            return Err(refusal(answer, link, passing).await);
        }
        if !asking.is_agreed(answer.headers(), &asked) {
            return Err(SendError::Protocol { host });
        }
        drop(answer);
        let (wire, read_already, account) = link.into_wire().ok_or_else(|| SendError::Closed { host: host.clone() })?;
        Ok(websocket::over(wire, read_already, account, passing.into_leave(self), host).await)
    }

    /// Opens a plain stream to a server in the business's own network.
    pub async fn stream<T: Into<StreamOpening>>(
        &self,
        call: Option<CallId>,
        cleared: Cleared<T>,
    ) -> Result<(StreamSender, StreamReceiver), SendError> {
        let (payload, clearance) = cleared.into_parts();
        let StreamOpening { host, safeguards, within } = payload.into();
        let passing = self.let_pass(call, clearance, host, safeguards, within)?;
        if !passing.reach.destination.on_site {
            return Err(HeldBack::NotOnSite { host: passing.host }.into());
        }
        let account = passing.account(&self.frame.books);
        let now = &self.frame.books.now;
        let names = &passing.under.names;
        let connect = passing.within.connect;
        let wire = passing.reach.connect(&passing.host, connect, names, account.tally(), now).await?;
        account.carry(passing.call, &passing.reach.destination, &passing.clearance, &passing.safeguards);
        let host = passing.host.clone();
        Ok(stream::over(wire, account, passing.into_leave(self), host))
    }

    /// Connects to a host before there is something to send, which saves the
    /// next request, or WebSocket, a second of round trips on a far uplink.
    /// Nothing passes but what sets the connection up. It needs a leave like any
    /// send: a host that may get nothing is not greeted either.
    pub async fn warm<T: Into<Warming>>(&self, call: Option<CallId>, cleared: Cleared<T>) -> Result<(), SendError> {
        let (payload, clearance) = cleared.into_parts();
        let Warming { host, within } = payload.into();
        // The connection promises nothing; the request that uses it does.
        let safeguards = clearance.safeguards().clone();
        let passing = self.let_pass(call, clearance, host, safeguards, within)?;
        let destination = &passing.reach.destination.id;
        if !passing.under.pool.has_fresh(destination, &passing.host) {
            let link = passing.connect(&self.frame).await?;
            passing.under.pool.keep(destination, &passing.host, link);
        }
        Ok(())
    }

    /// What an operator will ask money for, as the engine that used it knows.
    pub fn used(&self, call: Option<CallId>, destination: &DestinationId, usage: Usage) {
        self.frame.books.used(call, destination, usage, self.place_of(destination));
    }

    /// Where the policy in force asks that an operator compute, if it asks for a place.
    pub fn region_asked(&self, destination: &DestinationId) -> Option<String> {
        self.under().policy.destination(destination).and_then(|d| d.safeguards.inference_region.clone())
    }

    /// The same for its price, which may depend on it.
    fn place_of(&self, destination: &DestinationId) -> Place {
        let region = self.region_asked(destination);
        if region.is_some_and(|region| region != "global") { Place::InRegion } else { Place::Anywhere }
    }

    /// Where an operator says that it computed; kept with what it was sent.
    pub fn computed_in(&self, call: Option<CallId>, destination: &DestinationId, region: &str) {
        self.frame.books.computed_in(call, destination, region);
    }

    /// How the budget stands, for this call if it is one.
    pub fn standing(&self, call: Option<CallId>) -> Standing {
        self.frame.books.standing(call)
    }

    /// How the budget stands for what this call sends there. What stays in the
    /// business's own network crosses no uplink, and no operator asks money for it.
    pub fn standing_to(&self, destination: &DestinationId, call: Option<CallId>) -> Standing {
        let is_on_site = self.under().policy.destination(destination).is_some_and(|d| d.on_site);
        if is_on_site { Standing::Ample } else { self.standing(call) }
    }

    /// Whether the budget has room for work of this call for which nobody waits: so
    /// many bytes in both directions, and what the operator asks for it.
    pub fn room_for(&self, destination: &DestinationId, call: Option<CallId>, bytes: u64, usage: Usage) -> Room {
        if self.under().policy.destination(destination).is_some_and(|d| d.on_site) {
            return Room::Now;
        }
        self.frame.books.room_for(call, destination, bytes, (usage, self.place_of(destination)))
    }

    pub fn set_budget(&self, budget: Budget) {
        self.frame.books.set_budget(budget);
    }

    /// What was spent today.
    pub fn spent(&self) -> Spent {
        self.frame.books.spent()
    }

    /// The day on which the calendar stands, if what was spent on it before is not
    /// counted yet: the clock was set, or it is past midnight.
    pub fn uncounted_day(&self) -> Option<Date> {
        self.frame.books.uncounted_day()
    }

    /// Counts what the register has of that day.
    pub fn count(&self, of_register: Spent) {
        self.frame.books.count(of_register);
    }

    /// How many of today's calls came near their own ceiling, or to it.
    pub fn calls_near(&self) -> usize {
        self.frame.books.calls_near()
    }

    /// A sentence or two on the budget, for a person who looks after the box.
    pub fn budget_sentence(&self) -> String {
        self.frame.books.sentence()
    }

    /// Closes connections that nobody has used for a minute: their rows of the
    /// register are written then. To be called once in a while.
    pub fn close_idle(&self) {
        self.under().pool.close_old();
    }

    /// Waits until the register has all rows of what is closed.
    pub async fn settle(&self) {
        self.frame.books.write_reports();
        self.frame.books.register.settle().await;
    }

    /// For the stop: idle connections are closed, the register gets its last rows
    /// and their end, and nothing leaves any more.
    pub async fn close(&self) {
        self.under().pool.close_all();
        self.frame.books.write_reports();
        self.frame.books.register.close().await;
    }

    fn under(&self) -> Arc<Under> {
        self.frame.under.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All that is asked before a byte leaves.
    fn let_pass(
        &self,
        call: Option<CallId>,
        clearance: Clearance,
        host: Host,
        safeguards: Safeguards,
        within: Within,
    ) -> Result<Passing, SendError> {
        let under = self.under();
        let destination = clearance.destination().clone();
        let Some(reach) = under.reach(&destination, &self.frame.trust) else {
            return Err(HeldBack::UnknownDestination { destination }.into());
        };
        if !reach.destination.hosts.contains(&host) {
            return Err(HeldBack::ForeignHost { destination, host }.into());
        }
        // The policy may have become stricter since the clearance was given.
        if !safeguards.cover(clearance.safeguards()) || !safeguards.cover(&reach.destination.safeguards) {
            return Err(HeldBack::SafeguardMissing { destination }.into());
        }
        if !self.frame.books.register.keeps_up() {
            return Err(HeldBack::Unrecorded { destination }.into());
        }
        if !reach.destination.on_site && self.frame.books.standing(call) == Standing::Spent {
            return Err(HeldBack::BudgetSpent { destination }.into());
        }
        Ok(Passing { under, reach, call, clearance, host, safeguards, within })
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}

impl Under {
    fn new(policy: Arc<Policy>, resolver: Resolver, now: MomentSource) -> Self {
        let names = Names::new(resolver);
        Self { policy, names, pool: Arc::new(Pool::new(now)), reaches: Mutex::default() }
    }

    fn reach(&self, id: &DestinationId, trust: &Trust) -> Option<Reach> {
        let mut reaches = self.reaches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reach) = reaches.get(id) {
            return Some(reach.clone());
        }
        let destination = Arc::new(self.policy.destination(id)?.clone());
        let tls = trust.client(&destination);
        if let Err(error) = &tls {
            tracing::error!(destination = %id, %error, "no TLS client could be made");
        }
        let reach = Reach { destination, tls: tls.ok() };
        reaches.insert(id.clone(), reach.clone());
        Some(reach)
    }
}

impl Passing {
    fn malformed(&self) -> SendError {
        SendError::Malformed { destination: self.reach.destination.id.clone() }
    }

    fn account(&self, books: &Arc<Books>) -> Account {
        Account::open(books.clone(), Arc::new(Tally::default()), self.call, &self.reach.destination, &self.clearance)
    }

    fn into_leave(self, door: &Door) -> Leave {
        let Self { reach, host, call, safeguards, .. } = self;
        Leave { door: door.clone(), destination: reach.destination, host, call, safeguards }
    }

    async fn connect(&self, frame: &Frame) -> Result<Link, SendError> {
        let account = self.account(&frame.books);
        let names = &self.under.names;
        let now = &frame.books.now;
        let wire = self.reach.connect(&self.host, self.within.connect, names, account.tally(), now).await?;
        Link::over(wire, account, &self.host).await
    }

    /// Seconds may have passed since it was let out: another policy may hold, and the
    /// caller may have wished that it stay here.
    fn may_still_leave(&self, door: &Door) -> Result<(), HeldBack> {
        let destination = &self.reach.destination;
        door.would_connect(destination, &self.host, &self.safeguards)?;
        if self.clearance.still_holds() {
            return Ok(());
        }
        Err(HeldBack::Lapsed { destination: destination.id.clone() })
    }

    /// Sends over a connection that is open already, or else over a new one, if it may
    /// still leave then.
    async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
        then: Then,
        door: &Door,
    ) -> Result<(hyper::Response<hyper::body::Incoming>, Link), SendError> {
        let destination = &self.reach.destination;
        let within = self.within.answer;
        let frame = &door.frame;
        while let Some(mut link) = self.under.pool.take(&destination.id, &self.host) {
            self.may_still_leave(door)?;
            link.account.carry(self.call, destination, &self.clearance, &self.safeguards);
            // What only asks may be asked twice (RFC 9110 section 9.2.2).
            let again = (request.method() == hyper::Method::GET).then(|| request.clone());
            match (link.exchange(request, then, within, &frame.books.now).await, again) {
                (Ok(answer), _) => return Ok((answer, link)),
                // It was closed meanwhile, and the request has not left.
                (Err(NoAnswer::NotSent(unsent)), _) => request = *unsent,
                // It was closed in the very moment.
                (Err(NoAnswer::Broken(error)), Some(again)) if !http::is_protocol_fault(&error) => request = again,
                (Err(other), _) => return Err(self.no_answer(&other)),
            }
        }
        let mut link = self.connect(frame).await?;
        self.may_still_leave(door)?;
        link.account.carry(self.call, destination, &self.clearance, &self.safeguards);
        match link.exchange(request, then, within, &frame.books.now).await {
            Ok(answer) => Ok((answer, link)),
            Err(none) => Err(self.no_answer(&none)),
        }
    }

    fn no_answer(&self, none: &NoAnswer) -> SendError {
        match none {
            NoAnswer::NotSent(_) => SendError::Closed { host: self.host.clone() },
            NoAnswer::TimedOut => {
                self.under.names.doubt(&self.host);
                SendError::AnswerTimedOut { host: self.host.clone(), within: self.within.answer }
            }
            NoAnswer::Broken(error) => http::broken(&self.host, error),
        }
    }
}

/// A refusal of a WebSocket, with the first of what the far side says of it.
async fn refusal(answer: hyper::Response<hyper::body::Incoming>, link: Link, passing: Passing) -> SendError {
    let retry_after = retry_after(answer.headers());
    let destination = passing.reach.destination.id.clone();
    let host = passing.host;
    let mut answer = HttpAnswer::new(answer, link, passing.under.pool.clone(), destination, host.clone());
    let mut body = Vec::new();
    let status = answer.status;
    let reading = async {
        while body.len() < REFUSAL_MAX {
            match answer.chunk().await {
                Ok(Some(piece)) => body.extend(piece),
                Ok(None) | Err(_) => return,
            }
        }
    };
    // What has come by then must do.
    if tokio::time::timeout(REFUSAL_PATIENCE, reading).await.is_err() {
        tracing::debug!(%host, "a refusal without its end");
    }
    body.truncate(REFUSAL_MAX);
    SendError::Handshake { host, status, body: Private::new(body), retry_after }
}

/// `retry-after` in seconds; its other form, a date, is not used by operators.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
