//! The line's UDP socket. We read it, and only what passed the guard reaches
//! the stack; the stack writes to it.

use std::future::pending;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rsipstack::platform::net::UdpSocket as StackSocket;
use rsipstack::sip::{SipMessage, Transport};
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{SipAddr, SipConnection};
use tokio::net::UdpSocket;

use crate::ops::surviving;
use crate::signalling::sip::{Guarded, inspect, refuse};

use super::stack::Intake;

/// No UDP datagram is longer, so none is ever cut before the guard sees it.
const MAX_DATAGRAM: usize = 65_535;

/// A caller that was refused for want of room is told to come back after this.
pub(super) const RETRY_AFTER_S: u16 = 10;

/// After a failed read, which on a bound socket passes by itself or not at all.
const READ_PAUSE: Duration = Duration::from_millis(50);

/// After as many failed reads in a row, five seconds of them, it does not pass:
/// the socket is given up, and the line with it, to be opened anew.
const FAILED_READS_MAX: u32 = 100;

/// Whether there is room for a call that rings, known by its Call-ID.
pub(super) type HasRoom = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// The socket as the stack sees it: it can send, and never hears anything.
pub(super) struct SendingSocket(pub(super) Arc<UdpSocket>);

#[async_trait::async_trait]
impl StackSocket for SendingSocket {
    async fn recv_from(&self, _buf: &mut [u8]) -> rsipstack::Result<(usize, SocketAddr)> {
        pending().await
    }

    async fn send_to(&self, buf: &[u8], addr: SocketAddr) -> rsipstack::Result<usize> {
        Ok(self.0.send_to(buf, as_sent_from(self.0.local_addr()?, addr)).await?)
    }

    fn local_addr(&self) -> rsipstack::Result<SocketAddr> {
        Ok(self.0.local_addr()?)
    }
}

/// Reads datagrams until the stack stops or nothing can be read any more.
pub(super) async fn read(socket: Arc<UdpSocket>, connection: UdpConnection, intake: Intake) {
    let stop = intake.tasks.stop.clone();
    let mut datagram = vec![0; MAX_DATAGRAM];
    let mut failed_in_a_row = 0;
    while let Some(received) = stop.run_until_cancelled(socket.recv_from(&mut datagram)).await {
        match received {
            Ok((len, from)) => {
                failed_in_a_row = 0;
                // The datagram that finds a fault of ours must not be the last that is read.
                // The stack's locks know no poison: a panic costs the message alone.
                let taken = surviving(take(&datagram[..len], canonical(from), &connection, &intake)).await;
                if taken.is_none() {
                    tracing::error!("a datagram was lost by a panic: this is a fault of the program");
                }
                if let Some(reply) = taken.flatten()
                    && let Err(error) = socket.send_to(&reply, from).await
                {
                    tracing::debug!(%error, "a refusal could not be sent");
                }
            }
            // An ICMP "port unreachable" for something sent earlier shows here.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {}
            Err(error) => {
                tracing::warn!(%error, "reading SIP over UDP failed");
                failed_in_a_row += 1;
                if failed_in_a_row == FAILED_READS_MAX {
                    return;
                }
                tokio::time::sleep(READ_PAUSE).await;
            }
        }
    }
}

/// Hands a datagram to the stack, or returns the reply that the guard makes.
async fn take(datagram: &[u8], source: SocketAddr, connection: &UdpConnection, intake: &Intake) -> Option<Vec<u8>> {
    match inspect(datagram, source) {
        // A flood of calls must not fill the stack's tables: beyond the cap a
        // ring is refused without a transaction.
        Guarded::Pass(passed) if passed.rings && !(intake.has_room)(&passed.call_id) => {
            refuse(&passed, source, RETRY_AFTER_S)
        }
        Guarded::Pass(passed) => {
            // The guard has seen the stack parse these bytes.
            let message = SipMessage::try_from(passed.bytes.as_slice()).ok()?;
            intake.hand_on(message, SipConnection::Udp(connection.clone()), source, Transport::Udp).await;
            None
        }
        Guarded::Reply(reply) => Some(reply),
        Guarded::Drop(why) => {
            tracing::debug!(?why, "a datagram was dropped");
            None
        }
    }
}

/// An address as its host knows itself: a socket of IPv6 that also takes IPv4
/// shows those peers as `::ffff:a.b.c.d`, and to none of them may it be said so.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::from((ip, address.port())),
        // With its scope, without which a link-local address is none.
        IpAddr::V6(_) => address,
    }
}

/// `peer` as a socket bound to `own` sends to it.
fn as_sent_from(own: SocketAddr, peer: SocketAddr) -> SocketAddr {
    match peer.ip() {
        IpAddr::V4(ip) if own.is_ipv6() => SocketAddr::from((ip.to_ipv6_mapped(), peer.port())),
        IpAddr::V4(_) | IpAddr::V6(_) => peer,
    }
}

/// The address of SIP over `transport`.
pub(super) fn sip_address(transport: Transport, address: SocketAddr) -> SipAddr {
    SipAddr { r#type: Some(transport), addr: address.into() }
}
