//! The SIP stack of one line or one caller: its sockets and its transactions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use rsipstack::EndpointBuilder;
use rsipstack::sip::{SipMessage, Transport};
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::{Endpoint, TransactionReceiver};
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{SipConnection, TransportLayer};
use thiserror::Error;
use tokio::net::TcpListener;
use tracing::instrument::WithSubscriber as _;

use super::exchange::Tasks;
use super::socket::{HasRoom, SendingSocket, canonical, read, sip_address};
use super::tcp::accept;

/// What we call ourselves in `User-Agent`.
const USER_AGENT: &str = concat!("milu/", env!("CARGO_PKG_VERSION"));

/// Ports tried where the system chooses: even with half of all ports in use
/// over TCP, eight tries fail once in 256.
const CHOICES: u32 = 8;

#[derive(Debug, Error)]
pub enum BindError {
    #[error("opening {address} for SIP over UDP: {source}")]
    Udp { address: SocketAddr, source: std::io::Error },
    #[error("opening {address} for SIP over TCP: {source}")]
    Tcp { address: SocketAddr, source: std::io::Error },
    #[error("finding our own address on the network: {source}")]
    OwnAddress { source: std::io::Error },
    #[error("starting the SIP stack on {address}: {source}")]
    Stack { address: SocketAddr, source: Box<rsipstack::Error> },
}

/// Sockets that are open and not yet read.
pub(super) struct Sockets {
    udp: std::net::UdpSocket,
    tcp: Option<std::net::TcpListener>,
    pub(super) address: SocketAddr,
}

/// Whether a stack also takes connections over TCP.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Transports {
    UdpAndTcp,
    Udp,
}

impl Sockets {
    /// With port 0 the system chooses one, which has to be free for both transports.
    pub(super) fn open(address: SocketAddr, transports: Transports) -> Result<Self, BindError> {
        let mut opened = Self::try_open(address, transports);
        for _ in 1..CHOICES {
            if address.port() != 0 || !matches!(opened, Err(BindError::Tcp { .. })) {
                break;
            }
            opened = Self::try_open(address, transports);
        }
        opened
    }

    fn try_open(address: SocketAddr, transports: Transports) -> Result<Self, BindError> {
        let udp_error = |source| BindError::Udp { address, source };
        let udp = std::net::UdpSocket::bind(address).map_err(udp_error)?;
        udp.set_nonblocking(true).map_err(udp_error)?;
        let bound = udp.local_addr().map_err(udp_error)?;
        let tcp = match transports {
            Transports::UdpAndTcp => Some(listen(bound)?),
            Transports::Udp => None,
        };
        Ok(Self { udp, tcp, address: bound })
    }
}

fn listen(address: SocketAddr) -> Result<std::net::TcpListener, BindError> {
    let open = || -> std::io::Result<std::net::TcpListener> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    open().map_err(|source| BindError::Tcp { address, source })
}

/// Where messages that passed the guard go.
#[derive(Clone)]
pub(super) struct Intake {
    pub(super) endpoint: EndpointInnerRef,
    pub(super) has_room: HasRoom,
    pub(super) tasks: Tasks,
}

impl Intake {
    pub(super) async fn hand_on(
        &self,
        message: SipMessage,
        connection: SipConnection,
        source: SocketAddr,
        transport: Transport,
    ) {
        let handed = async {
            let message = SipConnection::update_msg_received(message, source, transport)?;
            self.endpoint.on_received_message(message, connection, &sip_address(transport, source)).await
        };
        if unlogged(handed).await.is_err() {
            // The error's text may quote the message, and that is a person's.
            tracing::debug!("the SIP stack did not take a message");
        }
    }
}

/// Runs a part of the stack without its log: it writes whole messages, with
/// people's numbers and names, at ordinary levels.
pub(super) async fn unlogged<T>(part: impl Future<Output = T>) -> T {
    part.with_subscriber(tracing::subscriber::NoSubscriber::default()).await
}

/// The running stack.
pub(super) struct Stack {
    endpoint: Endpoint,
    pub(super) address: SocketAddr,
    pub(super) intake: Intake,
}

impl Stack {
    /// Must be called within the runtime.
    pub(super) async fn start(
        sockets: Sockets,
        has_room: HasRoom,
        tasks: &Tasks,
    ) -> Result<(Self, TransactionReceiver), BindError> {
        let stop = tasks.stop.clone();
        let address = sockets.address;
        let stack_error = |source: rsipstack::Error| BindError::Stack { address, source: Box::new(source) };
        let socket =
            tokio::net::UdpSocket::from_std(sockets.udp).map_err(|source| BindError::Udp { address, source })?;
        let socket = Arc::new(socket);
        let transport = TransportLayer::new(stop.clone());
        let sending = Arc::new(SendingSocket(socket.clone()));
        let udp = UdpConnection::from_socket(sending, None, Some(stop.clone())).await.map_err(stack_error)?;
        transport.add_transport(SipConnection::Udp(udp.clone()));
        let mut builder = EndpointBuilder::new();
        builder.with_user_agent(USER_AGENT).with_transport_layer(transport).with_cancel_token(stop);
        let endpoint = builder.build();
        let incoming = endpoint.incoming_transactions().map_err(stack_error)?;
        let intake = Intake { endpoint: endpoint.inner.clone(), has_room, tasks: tasks.clone() };
        if let Some(tcp) = sockets.tcp {
            let listener = TcpListener::from_std(tcp).map_err(|source| BindError::Tcp { address, source })?;
            tasks.keep(accept(listener, intake.clone()));
        }
        tasks.keep(read(socket, udp, intake.clone()));
        Ok((Self { endpoint, address, intake }, incoming))
    }

    /// Runs the stack until its token is cancelled.
    pub(super) fn serve(&self) -> impl Future<Output = ()> + Send + 'static {
        let inner = self.endpoint.inner.clone();
        async move {
            if let Err(error) = unlogged(async move { inner.serve().await }).await {
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
/// system would send to `peer`, which is of the same family. Nothing is sent.
#[allow(clippy::disallowed_methods, reason = "it asks the kernel for a route; no packet leaves")]
pub(super) fn own_address(bound: IpAddr, peer: SocketAddr) -> Result<IpAddr, BindError> {
    let (bound, peer) = (bound.to_canonical(), canonical(peer));
    if !bound.is_unspecified() {
        return Ok(bound);
    }
    let any: IpAddr = if peer.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let probe = || -> std::io::Result<IpAddr> {
        let socket = std::net::UdpSocket::bind((any, 0))?;
        socket.connect(peer)?;
        Ok(socket.local_addr()?.ip())
    };
    probe().map_err(|source| BindError::OwnAddress { source })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use tokio_util::task::TaskTracker;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    async fn stack(tasks: &Tasks, has_room: HasRoom) -> (Stack, TransactionReceiver) {
        let sockets = Sockets::open((Ipv4Addr::LOCALHOST, 0).into(), Transports::UdpAndTcp).expect("a free port");
        Stack::start(sockets, has_room, tasks).await.expect("a stack")
    }

    #[tokio::test]
    async fn a_datagram_that_finds_a_fault_of_ours_is_not_the_last_that_is_read() {
        let tasks = Tasks::new(TaskTracker::new());
        let faulty = AtomicBool::new(true);
        let has_room = Arc::new(move |_: &str| {
            assert!(!faulty.swap(false, Ordering::SeqCst), "a fault of the program");
            false
        });
        let (stack, _incoming) = stack(&tasks, has_room).await;
        let caller = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let own = caller.local_addr().expect("an address");
        let mut reply = [0; 2048];
        for call in ["lost", "refused"] {
            let ring = format!(
                "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{call};rport\r\nFrom: <sip:a@b>;tag=1\r\n\
                 To: <sip:a@b>\r\nCall-ID: {call}\r\nCSeq: 1 INVITE\r\nContact: <sip:a@{own}>\r\n\r\n"
            );
            caller.send_to(ring.as_bytes(), stack.address).await.expect("sent");
        }
        let len = tokio::time::timeout(PATIENCE, caller.recv(&mut reply)).await.expect("in time").expect("a reply");
        let text = String::from_utf8_lossy(&reply[..len]);
        assert!(text.starts_with("SIP/2.0 503 ") && text.contains("Call-ID: refused"), "{text}");
        assert!(!tasks.broken.is_cancelled());
        tasks.stop.cancel();
    }

    #[tokio::test]
    async fn a_stack_whose_transactions_are_served_no_more_is_broken() {
        let tasks = Tasks::new(TaskTracker::new());
        let (stack, _incoming) = stack(&tasks, Arc::new(|_: &str| true)).await;
        tasks.keep(stack.serve());
        tokio::task::yield_now().await;
        assert!(!tasks.broken.is_cancelled());
        // The stack serves once: a second time it gives up at once.
        tasks.keep(stack.serve());
        tokio::time::timeout(PATIENCE, tasks.broken.cancelled()).await.expect("it is told");
        tasks.stop.cancel();
    }

    #[test]
    fn our_own_address_is_of_the_family_of_who_is_told() {
        let any = [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()];
        let mapped = SocketAddr::from((Ipv4Addr::LOCALHOST.to_ipv6_mapped(), 5060));
        for (bound, peer) in any.into_iter().flat_map(|any| [(any, (Ipv4Addr::LOCALHOST, 5060).into()), (any, mapped)])
        {
            assert_eq!(own_address(bound, peer).expect("a route"), IpAddr::from(Ipv4Addr::LOCALHOST), "{bound} {peer}");
        }
        let six = SocketAddr::from((Ipv6Addr::LOCALHOST, 5060));
        assert_eq!(own_address(any[1], six).expect("a route"), IpAddr::from(Ipv6Addr::LOCALHOST));
    }

    #[test]
    fn an_address_that_was_bound_is_ours_without_a_question() {
        let bound = IpAddr::from(Ipv4Addr::new(192, 0, 2, 1));
        let peer = SocketAddr::from(([198, 51, 100, 7], 5060));
        assert_eq!(own_address(bound, peer).expect("no question"), bound);
    }
}
