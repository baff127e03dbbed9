//! SIP over TCP: our own listener and our own cutting into messages, so that what comes over a stream
//! passes the same guard as a datagram. The stack only writes to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rsipstack::sip::{SipMessage, Transport};
use rsipstack::transport::SipConnection;
use rsipstack::transport::tcp::TcpConnection;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::signalling::sip::{Delimited, Guarded, MAX_MESSAGE, delimit, inspect, refuse};

use super::socket::{RETRY_AFTER_S, canonical, sip_address};
use super::stack::Intake;

/// Connections at once: a trunk has one or two, and an office's telephones one
/// each. More are closed as they come.
const MAX_CONNECTIONS: usize = 64;

/// A connection on which nothing at all was said for this long is closed: the
/// far sides of real ones keep them alive or open another.
const IDLE: Duration = Duration::from_secs(1800);

/// After a failed accept (no file descriptors left) the next one waits.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A host that answers takes a connection within a round trip; one that does
/// not is as good as absent (timer F of SIP is no longer).
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// Accepts connections until the stack stops.
pub(super) async fn accept(listener: TcpListener, intake: Intake) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let stop = intake.tasks.stop.clone();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let (stream, source) = match accepted {
            Ok((stream, from)) => (stream, canonical(from)),
            Err(error) => {
                tracing::warn!(%error, "a connection for SIP could not be taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            tracing::warn!("a connection for SIP was closed: {MAX_CONNECTIONS} are open");
            continue;
        };
        let (one, stop) = (intake.clone(), stop.clone());
        intake.tasks.tracker.spawn(async move {
            let _place = place;
            let served = async {
                let connection = connection_of(stream, &one)?;
                serve(&connection, source, &one).await
            };
            if let Some(Err(error)) = stop.run_until_cancelled(served).await {
                tracing::debug!(%error, "a connection for SIP ended");
            }
        });
    }
}

/// Opens a connection of ours, which is read like one that came in.
#[allow(clippy::disallowed_methods, reason = "SIP speaks to its peers itself: a call is no request to an operator")]
pub(super) async fn connect(address: SocketAddr, intake: &Intake) -> Result<TcpConnection, rsipstack::Error> {
    let stream = tokio::time::timeout(CONNECT_PATIENCE, TcpStream::connect(address)).await;
    let stream = stream.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
    let connection = connection_of(stream, intake)?;
    let (reading, one, stop) = (connection.clone(), intake.clone(), intake.tasks.stop.clone());
    intake.tasks.tracker.spawn(async move {
        if let Some(Err(error)) = stop.run_until_cancelled(serve(&reading, address, &one)).await {
            tracing::debug!(%error, "a connection for SIP ended");
        }
    });
    Ok(connection)
}

#[expect(clippy::result_large_err, reason = "the error is the stack's own")]
fn connection_of(stream: TcpStream, intake: &Intake) -> Result<TcpConnection, rsipstack::Error> {
    let local = sip_address(Transport::Tcp, canonical(stream.local_addr()?));
    TcpConnection::from_stream(stream, local, Some(intake.tasks.stop.child_token()))
}

/// Reads one connection until its far side closes it or sends what cannot be cut into messages.
async fn serve(connection: &TcpConnection, source: SocketAddr, intake: &Intake) -> Result<(), rsipstack::Error> {
    let Some(mut reader) = connection.inner.read_half.lock().await.take() else { return Ok(()) };
    let mut buffer = Vec::with_capacity(MAX_MESSAGE);
    loop {
        let mut chunk = [0; 2048];
        let len = match tokio::time::timeout(IDLE, reader.read(&mut chunk)).await {
            Ok(read) => read?,
            Err(_) => return Ok(()),
        };
        if len == 0 {
            return Ok(());
        }
        buffer.extend_from_slice(&chunk[..len]);
        loop {
            match delimit(&buffer) {
                Delimited::KeepAlive(used) => {
                    buffer.drain(..used);
                    connection.inner.send_raw(b"\r\n").await?;
                }
                Delimited::Message { start, end } => {
                    let message = buffer[start..end].to_vec();
                    buffer.drain(..end);
                    take(&message, source, connection, intake).await?;
                }
                Delimited::Incomplete => break,
                Delimited::Broken { reply_to } => {
                    // Where the next message begins is not known any more.
                    if let Guarded::Reply(reply) = inspect(&buffer[..reply_to], source) {
                        connection.inner.send_raw(&reply).await?;
                    }
                    return Ok(());
                }
            }
        }
    }
}

async fn take(
    message: &[u8],
    source: SocketAddr,
    connection: &TcpConnection,
    intake: &Intake,
) -> Result<(), rsipstack::Error> {
    let reply = match inspect(message, source) {
        Guarded::Pass(passed) if passed.rings && !(intake.has_room)(&passed.call_id) => {
            refuse(&passed, source, RETRY_AFTER_S)
        }
        Guarded::Pass(passed) => {
            let message = SipMessage::try_from(passed.bytes.as_slice())?;
            intake.hand_on(message, SipConnection::Tcp(connection.clone()), source, Transport::Tcp).await;
            None
        }
        Guarded::Reply(reply) => Some(reply),
        Guarded::Drop(_) => None,
    };
    match reply {
        Some(reply) => connection.inner.send_raw(&reply).await,
        None => Ok(()),
    }
}
