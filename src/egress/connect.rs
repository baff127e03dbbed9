//! From a host to an open connection: addresses, TCP, TLS, each within the
//! request's time.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::names::Names;
use super::wire::{Counted, Tally, Wire};
use super::{HeldBack, SendError};
use crate::ops::MomentSource;
use crate::residency::{Destination, Host};
use crate::terms::is_on_site;

/// The shortest that one address is tried while there are others: a SYN that is
/// lost is sent again after a second, and no uplink needs more than half of it.
const ADDRESS_PATIENCE_MIN: Duration = Duration::from_millis(500);

/// How one destination's hosts are reached.
#[derive(Clone)]
pub(super) struct Reach {
    pub(super) destination: Arc<Destination>,
    /// None if no TLS client could be made for it: then nobody is believed.
    pub(super) tls: Option<Arc<ClientConfig>>,
}

impl Reach {
    /// TLS, but for a server that stands in the business's own network, has no
    /// pin and does not listen on the port of HTTPS.
    pub(super) fn is_plain(&self, host: &Host) -> bool {
        self.destination.on_site && self.destination.pins.is_empty() && host.port != Host::HTTPS_PORT
    }

    /// What an HTTP request calls the host.
    pub(super) fn host_header(&self, host: &Host) -> String {
        let usual = if self.is_plain(host) { 80 } else { Host::HTTPS_PORT };
        if host.port == usual { host.name.clone() } else { host.to_string() }
    }

    /// Connects to a host of the destination and counts all bytes in `tally`.
    pub(super) async fn connect(
        &self,
        host: &Host,
        within: Duration,
        names: &Names,
        tally: &Arc<Tally>,
        now: &MomentSource,
    ) -> Result<Wire, SendError> {
        let reached = tokio::time::timeout(within, self.open(host, within, names, tally, now)).await;
        let reached = reached.unwrap_or_else(|_| Err(SendError::ConnectTimedOut { host: host.clone(), within }));
        match &reached {
            Ok(_) => names.believe(host),
            Err(_) => names.doubt(host),
        }
        reached
    }

    #[allow(clippy::disallowed_methods, reason = "the one door out")]
    async fn open(
        &self,
        host: &Host,
        within: Duration,
        names: &Names,
        tally: &Arc<Tally>,
        now: &MomentSource,
    ) -> Result<Wire, SendError> {
        let began = now();
        let mut addresses = names.addresses(host, within).await?;
        if self.destination.on_site {
            addresses.retain(|address| is_on_site(address.ip()));
            if addresses.is_empty() {
                return Err(HeldBack::NotOnSite { host: host.clone() }.into());
            }
        }
        let left = within.saturating_sub(now().since(began));
        let stream = tcp(host, &addresses, left).await?;
        let stream = Counted::new(stream, tally.clone(), now.clone());
        if self.is_plain(host) {
            return Ok(Wire::Plain(stream));
        }
        let distrust = || SendError::Certificate { host: host.clone() };
        let config = self.tls.clone().ok_or_else(distrust)?;
        let name = ServerName::try_from(host.name.clone()).map_err(|_| distrust())?;
        let stream = TlsConnector::from(config).connect(name, stream).await.map_err(|error| tls_error(host, &error))?;
        Ok(Wire::Tls(Box::new(stream)))
    }
}

/// Tries one address after the other.
async fn tcp(host: &Host, addresses: &[SocketAddr], within: Duration) -> Result<TcpStream, SendError> {
    let mut last = ErrorKind::AddrNotAvailable;
    for (n, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - n).unwrap_or(u32::MAX);
        // The last has what remains; whoever calls has the whole deadline.
        let patience = if left == 1 { within } else { (within / (left + 1)).max(ADDRESS_PATIENCE_MIN) };
        match tokio::time::timeout(patience, dial(*address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error.kind(),
            Err(_) => last = ErrorKind::TimedOut,
        }
    }
    Err(SendError::Connect { host: host.clone(), kind: last })
}

#[allow(clippy::disallowed_methods, reason = "the one door out")]
async fn dial(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // Sound and words are small and must not wait for more of them.
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn tls_error(host: &Host, error: &std::io::Error) -> SendError {
    let host = host.clone();
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            SendError::Certificate { host }
        }
        Some(_) => SendError::Protocol { host },
        None => SendError::Connect { host, kind: error.kind() },
    }
}
