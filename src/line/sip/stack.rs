//! The SIP stack of one line or one caller: its sockets and its transactions.

use std::net::{IpAddr, SocketAddr};

use rsipstack::EndpointBuilder;
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::{Endpoint, TransactionReceiver};
use rsipstack::transport::tcp_listener::TcpListenerConnection;
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{SipConnection, TransportLayer};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::socket::{GuardedSocket, HasRoom};

/// What we call ourselves in `User-Agent`.
const USER_AGENT: &str = concat!("milu/", env!("CARGO_PKG_VERSION"));

#[derive(Debug, Error)]
pub enum BindError {
    #[error("opening {address} for SIP over UDP")]
    Udp { address: SocketAddr, source: std::io::Error },
    #[error("opening {address} for SIP over TCP")]
    Tcp { address: SocketAddr, source: std::io::Error },
    #[error("finding our own address on the network")]
    OwnAddress { source: std::io::Error },
    #[error("starting the SIP stack on {address}")]
    Stack { address: SocketAddr, source: Box<rsipstack::Error> },
}

/// Sockets that are open and not yet read.
pub(super) struct Sockets {
    udp: std::net::UdpSocket,
    tcp: Option<SocketAddr>,
    pub(super) address: SocketAddr,
}

/// Whether a stack also takes connections over TCP.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Transports {
    UdpAndTcp,
    Udp,
}

impl Sockets {
    pub(super) fn open(address: SocketAddr, transports: Transports) -> Result<Self, BindError> {
        let udp_error = |source| BindError::Udp { address, source };
        let udp = std::net::UdpSocket::bind(address).map_err(udp_error)?;
        udp.set_nonblocking(true).map_err(udp_error)?;
        let bound = udp.local_addr().map_err(udp_error)?;
        let tcp = (transports == Transports::UdpAndTcp).then_some(bound);
        if tcp.is_some() {
            // The stack opens its listener itself and only logs a failure; this
            // says now whether it will succeed.
            std::net::TcpListener::bind(bound).map_err(|source| BindError::Tcp { address: bound, source })?;
        }
        Ok(Self { udp, tcp, address: bound })
    }
}

/// The running stack.
pub(super) struct Stack {
    endpoint: Endpoint,
    pub(super) address: SocketAddr,
}

impl Stack {
    /// Must be called within the runtime.
    pub(super) async fn start(
        sockets: Sockets,
        has_room: HasRoom,
        stop: CancellationToken,
    ) -> Result<(Self, TransactionReceiver), BindError> {
        let address = sockets.address;
        let stack_error = |source: rsipstack::Error| BindError::Stack { address, source: Box::new(source) };
        let udp = tokio::net::UdpSocket::from_std(sockets.udp).map_err(|source| BindError::Udp { address, source })?;
        let guarded = std::sync::Arc::new(GuardedSocket::new(udp, has_room));
        let transport = TransportLayer::new(stop.clone());
        let udp = UdpConnection::from_socket(guarded, None, Some(stop.clone())).await.map_err(stack_error)?;
        transport.add_transport(SipConnection::Udp(udp));
        if let Some(tcp) = sockets.tcp {
            let listener = TcpListenerConnection::new(tcp, None).await.map_err(stack_error)?;
            transport.add_transport(SipConnection::TcpListener(listener));
        }
        let mut builder = EndpointBuilder::new();
        builder.with_user_agent(USER_AGENT).with_transport_layer(transport).with_cancel_token(stop);
        let endpoint = builder.build();
        let incoming = endpoint.incoming_transactions().map_err(stack_error)?;
        Ok((Self { endpoint, address }, incoming))
    }

    /// Runs the stack until its token is cancelled.
    pub(super) fn serve(&self) -> impl Future<Output = ()> + Send + 'static {
        let inner = self.endpoint.inner.clone();
        async move {
            if let Err(error) = inner.serve().await {
                tracing::error!(error = %error, "the SIP stack stopped");
            }
        }
    }

    pub(super) fn inner(&self) -> &EndpointInnerRef {
        &self.endpoint.inner
    }

    /// Our address as `peer` can reach it.
    pub(super) fn address_towards(&self, peer: SocketAddr) -> Result<IpAddr, BindError> {
        own_address(self.address.ip(), peer)
    }
}

/// `bound`, or when that is the unspecified address, the address from which the
/// system would send to `peer`. Nothing is sent.
pub(super) fn own_address(bound: IpAddr, peer: SocketAddr) -> Result<IpAddr, BindError> {
    if !bound.is_unspecified() {
        return Ok(bound);
    }
    let any = SocketAddr::new(bound, 0);
    let probe = || -> std::io::Result<IpAddr> {
        let socket = std::net::UdpSocket::bind(any)?;
        socket.connect(peer)?;
        Ok(socket.local_addr()?.ip())
    };
    probe().map_err(|source| BindError::OwnAddress { source })
}
