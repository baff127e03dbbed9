//! RTP sockets, and the random numbers with which streams begin.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;

use ring::rand::{SecureRandom, SystemRandom};
use thiserror::Error;

use crate::media::RtpStart;

#[derive(Debug, Error)]
pub(super) enum OpenRtpError {
    #[error("opening a port for RTP: every even port from {first} to {last} is in use")]
    NoneFree { first: u16, last: u16 },
    #[error("opening a port for RTP")]
    Socket(#[from] std::io::Error),
}

/// Hands out even ports in turn, so that a port just closed, to which stray
/// packets of its last call still come, rests for as long as possible.
pub(super) struct Ports {
    range: RangeInclusive<u16>,
    next: u16,
}

impl Ports {
    pub(super) fn new(range: RangeInclusive<u16>) -> Self {
        let first = *range.start();
        Self { next: first + first % 2, range }
    }

    /// A socket on the next free even port.
    pub(super) fn open(&mut self, ip: IpAddr) -> Result<UdpSocket, OpenRtpError> {
        let (first, last) = (*self.range.start(), *self.range.end());
        for _ in 0..=(last.saturating_sub(first) / 2) {
            let port = self.next;
            self.next = match port.checked_add(2) {
                Some(next) if next <= last => next,
                _ => first + first % 2,
            };
            match UdpSocket::bind(SocketAddr::new(ip, port)) {
                Ok(socket) => {
                    socket.set_nonblocking(true)?;
                    return Ok(socket);
                }
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(OpenRtpError::NoneFree { first, last })
    }
}

/// Where a stream begins: three random numbers (RFC 3550 section 5.1).
pub(super) fn random_rtp_start() -> RtpStart {
    let [s0, s1, s2, s3, q0, q1, t0, t1, t2, t3] = random();
    RtpStart {
        ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
        sequence: u16::from_be_bytes([q0, q1]),
        timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
    }
}

/// A session's number in `o=`, of 62 bits: some equipment reads it as signed.
pub(super) fn random_session() -> u64 {
    u64::from_be_bytes(random()) >> 2
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // The system's random source fails on no system that runs at all; and if it
    // did, a call with predictable numbers is better than none.
    if SystemRandom::new().fill(&mut bytes).is_err() {
        tracing::error!("the system has no random numbers");
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn ports_are_even_and_a_full_range_says_so() {
        let probe = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let taken = probe.local_addr().expect("an address").port();
        let even = taken & !1;
        let mut ports = Ports::new(even..=even + 1);
        let first = ports.open(IpAddr::V4(Ipv4Addr::LOCALHOST));
        if even == taken {
            assert!(matches!(first, Err(OpenRtpError::NoneFree { .. })));
        } else if let Ok(socket) = first {
            assert_eq!(socket.local_addr().expect("an address").port() % 2, 0);
            let again = ports.open(IpAddr::V4(Ipv4Addr::LOCALHOST));
            assert!(matches!(again, Err(OpenRtpError::NoneFree { .. })));
        }
    }
}
