//! The line's UDP socket with the guard in front: the stack reads from it only
//! what passed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rsipstack::platform::net::UdpSocket as StackSocket;
use tokio::net::UdpSocket;

use crate::signalling::sip::{Guarded, MAX_MESSAGE, inspect, refuse};

/// No UDP datagram is longer, so none is ever cut before the guard sees it.
const MAX_DATAGRAM: usize = 65_535;

/// A caller that was refused for want of room is told to come back after this.
pub(super) const RETRY_AFTER_S: u16 = 10;

/// Whether there is room for a call that rings, known by its Call-ID.
pub(super) type HasRoom = Arc<dyn Fn(&str) -> bool + Send + Sync>;

pub(super) struct GuardedSocket {
    inner: UdpSocket,
    has_room: HasRoom,
    pub(super) refused: Arc<AtomicU64>,
}

impl GuardedSocket {
    pub(super) fn new(inner: UdpSocket, has_room: HasRoom) -> Self {
        Self { inner, has_room, refused: Arc::new(AtomicU64::new(0)) }
    }

    /// The bytes for the stack, or none when the datagram was dealt with here.
    async fn admit(&self, datagram: &[u8], source: SocketAddr) -> Option<Vec<u8>> {
        let reply = match inspect(datagram, source) {
            // A flood of calls must not fill the stack's tables: beyond the cap
            // a ring is refused without a transaction.
            Guarded::Pass(passed) if passed.rings && !(self.has_room)(&passed.call_id) => {
                refuse(&passed, source, RETRY_AFTER_S)?
            }
            Guarded::Pass(passed) => return Some(passed.bytes),
            Guarded::Reply(reply) => reply,
            Guarded::Drop(why) => {
                tracing::debug!(?why, "a datagram was dropped");
                return None;
            }
        };
        self.refused.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = self.inner.send_to(&reply, source).await {
            tracing::debug!(%error, "a refusal could not be sent");
        }
        None
    }
}

#[async_trait::async_trait]
impl StackSocket for GuardedSocket {
    async fn recv_from(&self, buf: &mut [u8]) -> rsipstack::Result<(usize, SocketAddr)> {
        let mut datagram = vec![0; MAX_DATAGRAM];
        loop {
            let (len, source) = match self.inner.recv_from(&mut datagram).await {
                Ok(received) => received,
                // An ICMP "port unreachable" for something sent earlier shows here.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => continue,
                Err(error) => {
                    // The stack asks again at once; a socket that is broken for
                    // good must not turn that into a busy loop.
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    return Err(error.into());
                }
            };
            if let Some(bytes) = self.admit(&datagram[..len], source).await
                && bytes.len() <= buf.len().min(MAX_MESSAGE)
            {
                buf[..bytes.len()].copy_from_slice(&bytes);
                return Ok((bytes.len(), source));
            }
        }
    }

    async fn send_to(&self, buf: &[u8], addr: SocketAddr) -> rsipstack::Result<usize> {
        Ok(self.inner.send_to(buf, addr).await?)
    }

    fn local_addr(&self) -> rsipstack::Result<SocketAddr> {
        Ok(self.inner.local_addr()?)
    }
}
