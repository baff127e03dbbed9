//! One HTTP/1.1 connection and what it is used for. It is driven by whoever uses
//! it, not by a task of its own: a call that ends takes its connection with it,
//! and one that does not read holds the sender back.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use super::SendError;
use super::account::Account;
use super::wire::Wire;
use crate::ops::MomentSource;
use crate::residency::{DestinationId, Host};
use crate::terms::Moment;

/// How long a connection is kept for a next request. The load balancers before
/// operators close after 60 s at the earliest that is usual; one that is closed
/// by them in the moment of use would cost a request.
const IDLE_MAX: Duration = Duration::from_secs(55);

/// One that has waited longer than this is not counted on by who prepares for a
/// request: a caller who has just begun to speak asks some seconds from now.
const FRESH_FOR: Duration = Duration::from_secs(40);

/// Connections that are kept for one host: thirty calls seldom have more
/// requests under way at once.
const IDLE_PER_HOST: usize = 8;

/// What the head of an answer, and a piece of its body, may hold. Operators
/// send some 2 KiB of headers.
const BUFFER_MAX: usize = 64 * 1024;

type Driver = Connection<TokioIo<Wire>, Full<Bytes>>;

/// An open connection with its account.
pub(super) struct Link {
    sender: SendRequest<Full<Bytes>>,
    /// None when the connection has ended.
    driver: Option<Box<Driver>>,
    pub(super) account: Account,
}

/// Whether the far side is asked to speak something else afterwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Then {
    MoreHttp,
    WebSocket,
}

/// Why there is no answer.
pub(super) enum NoAnswer {
    /// The connection was closed before the request went out; here it is again.
    NotSent(Box<Request<Full<Bytes>>>),
    TimedOut,
    Broken(hyper::Error),
}

impl Link {
    pub(super) async fn over(wire: Wire, account: Account, host: &Host) -> Result<Self, SendError> {
        #[allow(clippy::disallowed_methods, reason = "the one door out")]
        let opened = Builder::new().max_buf_size(BUFFER_MAX).handshake(TokioIo::new(wire)).await;
        let (sender, driver) = opened.map_err(|_| SendError::Closed { host: host.clone() })?;
        Ok(Self { sender, driver: Some(Box::new(driver)), account })
    }

    /// Sends `request` and waits for the head of its answer, at most `within`
    /// after its last byte has gone.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        then: Then,
        within: Duration,
        now: &MomentSource,
    ) -> Result<Response<Incoming>, NoAnswer> {
        let began = now();
        let mut answer = pin!(self.sender.try_send_request(request));
        let tally = self.account.tally().clone();
        let driver = &mut self.driver;
        let mut head = pin!(std::future::poll_fn(|cx| {
            drive(driver, then, cx);
            answer.as_mut().poll(cx)
        }));
        let mut gone = began;
        let mut patience = within;
        loop {
            match tokio::time::timeout(patience, &mut head).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(mut error)) => {
                    return Err(match error.take_message() {
                        Some(request) => NoAnswer::NotSent(Box::new(request)),
                        None => NoAnswer::Broken(error.into_error()),
                    });
                }
                // On a slow uplink a request may still be leaving.
                Err(_) if tally.last_sent() > gone => {
                    gone = tally.last_sent();
                    patience = within.saturating_sub(now().since(gone)).max(Duration::from_millis(1));
                }
                Err(_) => return Err(NoAnswer::TimedOut),
            }
        }
    }

    /// Moves bytes, on behalf of a body that is being read.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        drive(&mut self.driver, Then::MoreHttp, cx);
    }

    /// The bare connection after the far side has agreed to speak WebSocket, and
    /// what it has sent already.
    pub(super) fn into_wire(self) -> Option<(Wire, Bytes, Account)> {
        let parts = self.driver?.into_parts();
        Some((parts.io.into_inner(), parts.read_buf, self.account))
    }

    /// Whether another request may go over it, as far as one can see.
    fn is_ready(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.driver.is_some() && self.sender.is_ready()
    }
}

fn drive(driver: &mut Option<Box<Driver>>, then: Then, cx: &mut Context<'_>) {
    let Some(connection) = driver else { return };
    match then {
        Then::MoreHttp => {
            // How it ended is told to whoever waits for the answer.
            if let Poll::Ready(Ok(()) | Err(_)) = Pin::new(&mut **connection).poll(cx) {
                *driver = None;
            }
        }
        // After the switch the connection is done, and still needed.
        Then::WebSocket => {
            if let Poll::Ready(Err(_)) = connection.poll_without_shutdown(cx) {
                *driver = None;
            }
        }
    }
}

struct Idle {
    destination: DestinationId,
    host: Host,
    since: Moment,
    link: Link,
}

/// Connections that wait for a next request.
pub(super) struct Pool {
    now: MomentSource,
    /// The youngest last. Held while it is looked through.
    idle: Mutex<VecDeque<Idle>>,
}

impl Pool {
    pub(super) fn new(now: MomentSource) -> Self {
        Self { now, idle: Mutex::default() }
    }

    /// The youngest that is open still.
    pub(super) fn take(&self, destination: &DestinationId, host: &Host) -> Option<Link> {
        let mut idle = self.lock();
        self.forget_old(&mut idle);
        while let Some(at) = idle.iter().rposition(|one| one.host == *host && one.destination == *destination) {
            if let Some(mut one) = idle.remove(at)
                && one.link.is_ready()
            {
                return Some(one.link);
            }
        }
        None
    }

    /// Whether one is there that will still be in some seconds. It is not used by
    /// being looked at, and grows no younger.
    pub(super) fn has_fresh(&self, destination: &DestinationId, host: &Host) -> bool {
        let (now, mut idle) = ((self.now)(), self.lock());
        let is_fresh = |one: &Idle| now.since(one.since) < FRESH_FOR;
        idle.iter_mut()
            .any(|one| one.host == *host && one.destination == *destination && is_fresh(one) && one.link.is_ready())
    }

    /// Keeps a connection that has done its work, unless it is closing.
    pub(super) fn keep(&self, destination: &DestinationId, host: &Host, mut link: Link) {
        if !link.is_ready() {
            return;
        }
        let mut idle = self.lock();
        self.forget_old(&mut idle);
        let of_host = |one: &Idle| one.host == *host && one.destination == *destination;
        if idle.iter().filter(|one| of_host(one)).count() >= IDLE_PER_HOST
            && let Some(oldest) = idle.iter().position(of_host)
        {
            idle.remove(oldest);
        }
        idle.push_back(Idle { destination: destination.clone(), host: host.clone(), since: (self.now)(), link });
    }

    /// Closes what was kept for too long, which writes its rows; nobody may come
    /// to take another for hours.
    pub(super) fn close_old(&self) {
        self.forget_old(&mut self.lock());
    }

    /// Closes all of them.
    pub(super) fn close_all(&self) {
        self.lock().clear();
    }

    fn forget_old(&self, idle: &mut VecDeque<Idle>) {
        let now = (self.now)();
        while idle.front().is_some_and(|oldest| now.since(oldest.since) >= IDLE_MAX) {
            idle.pop_front();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
