//! The far side of one dialog: who it is and how requests reach it
//! (RFC 3261 section 12).

use std::net::{IpAddr, SocketAddr};

use rsipstack::sip::{HasHeaders, Host, Request, Response, Transport, Uri};
use rsipstack::transaction::make_via_branch;
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::{SipAddr, SipConnection};
use thiserror::Error;

use super::exchange::{Responder, Sending, header};
use super::identity::header_values;
use super::socket::sip_address;

#[derive(Debug, Error)]
#[error("writing a {method} request for the far side")]
pub(super) struct UnwritableRequest {
    method: &'static str,
    source: Box<rsipstack::sip::Error>,
}

/// What requests within a dialog are made of.
pub(super) struct Peer {
    pub(super) call_id: String,
    /// Our own address header with our tag.
    pub(super) local: String,
    /// Theirs, with their tag once it is known.
    pub(super) remote: String,
    /// Their Contact.
    pub(super) target: String,
    pub(super) routes: Vec<String>,
    pub(super) contact: String,
    /// Where we are reached, as the Via says it: `UDP 192.0.2.1:5060`.
    pub(super) sent_by: String,
    pub(super) sequence: u32,
    pub(super) connection: Option<SipConnection>,
    pub(super) destination: Option<SipAddr>,
}

impl Peer {
    /// The far side of a call that rings here. `invite` carries our tag in its To.
    pub(super) fn of_ring(transaction: &Transaction, own: SocketAddr, contact: String) -> Self {
        let invite = &transaction.original;
        let connection = transaction.connection.clone();
        let source = Responder::source_of(transaction).map(|address| sip_address(Transport::Udp, address));
        let target = header(invite, "contact").map_or_else(|| invite.uri.to_string(), |c| bare_uri(&c).to_owned());
        let routes = header_values(invite, "record-route");
        let reliable = connection.as_ref().is_some_and(SipConnection::is_reliable);
        let transport = if reliable { "TCP" } else { "UDP" };
        // A caller behind a NAT names an address that we cannot reach: then our
        // requests go where its own came from.
        let destination = source.filter(|source| !reliable && routes.is_empty() && !is_reachable(&target, source));
        Self {
            call_id: header(invite, "call-id").unwrap_or_default(),
            local: header(invite, "to").unwrap_or_default(),
            remote: header(invite, "from").unwrap_or_default(),
            destination,
            target,
            routes,
            contact,
            sent_by: format!("{transport} {own}"),
            sequence: 0,
            connection: connection.filter(|_| reliable),
        }
    }

    /// Learns from the 200 who answered a call of ours.
    pub(super) fn learn(&mut self, answer: &Response) {
        if let Some(to) = header(answer, "to") {
            self.remote = to;
        }
        if let Some(contact) = header(answer, "contact") {
            bare_uri(&contact).clone_into(&mut self.target);
        }
        self.routes = header_values(answer, "record-route");
        self.routes.reverse();
    }

    pub(super) fn bye(&mut self) -> Result<Sending, UnwritableRequest> {
        self.sequence += 1;
        let branch = make_via_branch();
        self.request("BYE", &format!("{branch}"), "")
    }

    /// The first INVITE, with our offer.
    pub(super) fn invite(&mut self, branch: &str, sdp: &str) -> Result<Sending, UnwritableRequest> {
        self.sequence += 1;
        self.request("INVITE", branch, sdp)
    }

    /// The CANCEL of the INVITE with this branch (RFC 3261 section 9.1).
    pub(super) fn cancel(&self, branch: &str) -> Result<Sending, UnwritableRequest> {
        self.request("CANCEL", branch, "")
    }

    /// `branch` is written as the parameter `;branch=...`.
    fn request(&self, method: &'static str, branch: &str, sdp: &str) -> Result<Sending, UnwritableRequest> {
        let mut text = format!("{method} {} SIP/2.0\r\n", self.target);
        let mut push = |name: &str, value: &str| {
            for part in [name, ": ", value, "\r\n"] {
                text.push_str(part);
            }
        };
        push("Via", &format!("SIP/2.0/{};rport{branch}", self.sent_by));
        push("Max-Forwards", "70");
        self.routes.iter().for_each(|route| push("Route", route));
        push("From", &self.local);
        push("To", &self.remote);
        push("Call-ID", &self.call_id);
        push("CSeq", &format!("{} {method}", self.sequence));
        if method == "INVITE" {
            push("Contact", &self.contact);
            push("Allow", crate::signalling::sip::ALLOW);
            push("Content-Type", "application/sdp");
        }
        push("Content-Length", &sdp.len().to_string());
        text.push_str("\r\n");
        text.push_str(sdp);
        let request =
            Request::try_from(text.as_bytes()).map_err(|e| UnwritableRequest { method, source: Box::new(e) })?;
        Ok(Sending { request, connection: self.connection.clone(), destination: self.destination.clone() })
    }
}

/// The URI within an address header.
fn bare_uri(address: &str) -> &str {
    match address.split_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or(rest),
        None => address.split(';').next().unwrap_or(address),
    }
}

/// Whether the address that the far side gives of itself can be reached from
/// here: a private address is not, when the sender's own is public.
fn is_reachable(target: &str, source: &SipAddr) -> bool {
    let Ok(uri) = Uri::try_from(target) else { return false };
    match (&uri.host_with_port.host, &source.addr.host) {
        (Host::IpAddr(named), Host::IpAddr(seen)) => named == seen || !is_private(*named) || is_private(*seen),
        _ => false,
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && (64..128).contains(&ip.octets()[1]);
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || shared
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// The last part of a header value is its tag parameter.
pub(super) fn with_tag(address: &str, tag: &str) -> String {
    format!("{address};tag={tag}")
}

/// Whether a message has a session description for a body.
pub(super) fn carries_sdp(message: &impl HasHeaders) -> bool {
    header(message, "content-type")
        .is_none_or(|kind| kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/sdp"))
}
