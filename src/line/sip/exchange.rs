//! The stack's transactions as the calls use them. A transaction is owned by a
//! task of its own, because the stack's `receive` must not be cancelled; the
//! call speaks to it through a [`Responder`].

use std::net::SocketAddr;

use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{HasHeaders, Header, Method, Request, SipMessage, StatusCode};
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::{Transaction, TransactionEvent, TransactionEventSender};
use rsipstack::transport::{SipAddr, SipConnection};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::signalling::sip::{ALLOW, ExchangeId};

use super::identity::header_values;
use super::socket::{RETRY_AFTER_S, canonical};
use super::stack::unlogged;

/// Messages of the far side that wait for a call's task. A peer that sends more
/// before the task has run is not answered and sends again.
pub(super) const INBOX: usize = 32;

/// What the far side said to a call.
pub(super) enum FromPeer {
    Cancel,
    /// The ACK of our final response to an INVITE, with what it carries.
    Ack(ExchangeId, Option<Vec<u8>>),
    /// A request within the dialog.
    Request(Box<Transaction>),
    /// A response to our INVITE.
    Response(Box<rsipstack::sip::Response>),
    /// Any final response to our BYE, or none in time.
    ByeDone,
}

/// Where tasks are spawned, and what ends them all.
#[derive(Clone)]
pub(super) struct Tasks {
    pub(super) tracker: TaskTracker,
    pub(super) stop: CancellationToken,
    /// Cancelled when a part has ended without which the stack is of no use.
    pub(super) broken: CancellationToken,
}

impl Tasks {
    pub(super) fn new(tracker: TaskTracker) -> Self {
        Self { tracker, stop: CancellationToken::new(), broken: CancellationToken::new() }
    }

    /// Runs a part that has to run until `stop`. However it ends, by a panic
    /// too, `broken` is told.
    pub(super) fn keep(&self, part: impl Future<Output = ()> + Send + 'static) {
        let told = self.broken.clone().drop_guard();
        self.tracker.spawn(async move {
            part.await;
            drop(told);
        });
    }
}

/// Answers one request of the far side.
pub(super) struct Responder {
    endpoint: EndpointInnerRef,
    request: Request,
    transaction: TransactionEventSender,
    contact: String,
}

/// What a response carries beside its status.
pub(super) enum Carried {
    Nothing,
    Sdp(String),
}

impl Responder {
    /// Where the request came from: the far end of its connection, or for UDP
    /// what the top Via says since the socket's reader wrote it there.
    pub(super) fn source_of(transaction: &Transaction) -> Option<SocketAddr> {
        let connection = transaction.connection.as_ref();
        if let Some(remote) = connection.and_then(SipConnection::get_remote_addr) {
            return remote.get_socketaddr().ok().map(canonical);
        }
        let via = transaction.original.via_header().ok()?;
        let (_, host_with_port) = SipConnection::parse_target_from_via(via).ok()?;
        host_with_port.try_into().ok().map(canonical)
    }

    /// Takes over a transaction: its task forwards CANCEL and ACK to `inbox`, as
    /// those of the exchange that is named with it.
    pub(super) fn adopt(
        tasks: &Tasks,
        transaction: Transaction,
        contact: String,
        inbox: Option<(ExchangeId, mpsc::Sender<FromPeer>)>,
    ) -> Self {
        let responder = Self {
            endpoint: transaction.endpoint_inner.clone(),
            request: transaction.original.clone(),
            transaction: transaction.tu_sender.clone(),
            contact,
        };
        let stop = tasks.stop.clone();
        tasks.tracker.spawn(async move {
            // A grace period for calls is the desk's; when the line itself is
            // stopped there is no transport left to be owned.
            stop.run_until_cancelled_owned(unlogged(own(transaction, inbox))).await;
        });
        responder
    }

    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    /// Sends a response; the transaction repeats it as long as it must.
    pub(super) fn respond(&self, status: u16, carried: Carried) {
        let body = match carried {
            Carried::Nothing => None,
            Carried::Sdp(sdp) => Some(sdp.into_bytes()),
        };
        let mut response = self.endpoint.make_response(&self.request, StatusCode::from(status), body.clone());
        for (name, value) in self.extra_headers(status, body.is_some()) {
            response.headers.push(Header::Other(name.to_owned(), value));
        }
        if self.transaction.send(TransactionEvent::Respond(response)).is_err() {
            tracing::debug!(status, "a response came after the end of its transaction");
        }
    }

    fn extra_headers(&self, status: u16, has_body: bool) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        let dialog_forming = self.request.method == Method::Invite && (101..300).contains(&status);
        if dialog_forming {
            // The route back through proxies (RFC 3261 section 12.1.1).
            headers.extend(header_values(&self.request, "record-route").into_iter().map(|v| ("Record-Route", v)));
            headers.push(("Contact", self.contact.clone()));
        }
        if has_body {
            headers.push(("Content-Type", "application/sdp".to_owned()));
        }
        match status {
            200 | 405 => headers.push(("Allow", ALLOW.to_owned())),
            415 => headers.push(("Accept", "application/sdp".to_owned())),
            420 => headers.extend(header_values(&self.request, "require").into_iter().map(|v| ("Unsupported", v))),
            503 => headers.push(("Retry-After", RETRY_AFTER_S.to_string())),
            _ => {}
        }
        if status == 200 && self.request.method == Method::Options {
            headers.push(("Accept", "application/sdp".to_owned()));
        }
        headers
    }
}

/// Runs a server transaction to its end. The stack hands an ACK to the INVITE
/// whose CSeq it repeats, so that the transaction says what was acknowledged.
async fn own(mut transaction: Transaction, inbox: Option<(ExchangeId, mpsc::Sender<FromPeer>)>) {
    while let Some(message) = transaction.receive().await {
        let SipMessage::Request(request) = message else { continue };
        let Some((exchange, inbox)) = &inbox else { continue };
        let told = match request.method {
            Method::Cancel => FromPeer::Cancel,
            Method::Ack => FromPeer::Ack(*exchange, body_of(&request)),
            _ => continue,
        };
        if inbox.send(told).await.is_err() {
            tracing::debug!("a call was over before its last message came");
        }
    }
}

/// The session description of a request, none when it has no body.
pub(super) fn body_of(request: &Request) -> Option<Vec<u8>> {
    (!request.body.is_empty()).then(|| request.body.clone())
}

/// A request of ours on its way.
pub(super) struct Sending {
    pub(super) request: Request,
    pub(super) connection: Option<SipConnection>,
    pub(super) destination: Option<SipAddr>,
}

/// Sends a request in a transaction of its own, whose responses go to `inbox`
/// as `told` makes them.
pub(super) fn send(
    tasks: &Tasks,
    endpoint: &EndpointInnerRef,
    sending: Sending,
    inbox: mpsc::Sender<FromPeer>,
    told: fn(rsipstack::sip::Response) -> Option<FromPeer>,
) -> Result<(), Box<rsipstack::Error>> {
    let key = TransactionKey::from_request(&sending.request, TransactionRole::Client).map_err(Box::new)?;
    let mut transaction = Transaction::new_client(key, sending.request, endpoint.clone(), sending.connection);
    transaction.destination = sending.destination;
    let stop = tasks.stop.clone();
    let run = async move {
        // The transaction keeps trying, and answers itself with 408 or 503 in the end.
        if unlogged(transaction.send()).await.is_err() {
            tracing::warn!("a request could not be sent at once");
        }
        while let Some(message) = unlogged(transaction.receive()).await {
            let SipMessage::Response(response) = message else { continue };
            if let Some(told) = told(response)
                && inbox.send(told).await.is_err()
            {
                tracing::debug!("a call was over before the response to its request came");
            }
        }
    };
    tasks.tracker.spawn(async move {
        stop.run_until_cancelled_owned(run).await;
    });
    Ok(())
}

/// The tag of a request's To; an in-dialog request has one.
pub(super) fn to_tag(request: &Request) -> Option<String> {
    let tag = request.to_header().ok()?.tag().ok()??;
    Some(tag.value().to_owned()).filter(|tag| !tag.is_empty())
}

/// The value of a header that stands once.
pub(super) fn header(message: &impl HasHeaders, name: &str) -> Option<String> {
    header_values(message, name).into_iter().next()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_part_that_ends_breaks_the_stack_even_by_a_panic() {
        for part in [Box::pin(async {}) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>, Box::pin(panicking())] {
            let tasks = Tasks::new(TaskTracker::new());
            tasks.keep(std::future::pending());
            assert!(!tasks.broken.is_cancelled());
            tasks.keep(part);
            tokio::time::timeout(PATIENCE, tasks.broken.cancelled()).await.expect("it is told");
        }
    }

    async fn panicking() {
        std::future::ready(()).await;
        panic!("a fault of the program");
    }
}
