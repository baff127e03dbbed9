//! One accepted connection, above TLS: whole, stalled, throttled or cut. What it
//! does to bytes it does to all protocols alike.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// A throttled wire lets this much pass, then rests: some 300 bytes a second.
const TRICKLE: usize = 32;
const REST: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireState {
    Whole,
    Stalled,
    Throttled,
    Cut,
}

/// The switch of one connection.
#[derive(Default)]
pub struct Wire {
    state: AtomicU8,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Wire {
    pub fn set(&self, state: WireState) {
        let code = match state {
            WireState::Whole => 0,
            WireState::Stalled => 1,
            WireState::Throttled => 2,
            WireState::Cut => 3,
        };
        self.state.store(code, Ordering::SeqCst);
        self.reader.wake();
        self.writer.wake();
    }

    fn state(&self) -> WireState {
        match self.state.load(Ordering::SeqCst) {
            0 => WireState::Whole,
            1 => WireState::Stalled,
            2 => WireState::Throttled,
            _ => WireState::Cut,
        }
    }
}

/// A connection with its switch.
pub struct Switched<S> {
    stream: S,
    wire: Arc<Wire>,
    rest: Option<Pin<Box<Sleep>>>,
}

impl<S> Switched<S> {
    pub const fn new(stream: S, wire: Arc<Wire>) -> Self {
        Self { stream, wire, rest: None }
    }

    /// How many bytes may be written now.
    fn may_write(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        self.wire.writer.register(cx.waker());
        match self.wire.state() {
            WireState::Whole => Poll::Ready(Ok(wanted)),
            WireState::Stalled => Poll::Pending,
            WireState::Cut => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            WireState::Throttled => {
                if let Some(rest) = &mut self.rest {
                    std::task::ready!(rest.as_mut().poll(cx));
                }
                self.rest = Some(Box::pin(tokio::time::sleep(REST)));
                Poll::Ready(Ok(wanted.min(TRICKLE)))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Switched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.wire.reader.register(cx.waker());
        match self.wire.state() {
            WireState::Stalled => Poll::Pending,
            WireState::Cut => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            WireState::Whole | WireState::Throttled => Pin::new(&mut self.stream).poll_read(cx, buf),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Switched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let most = std::task::ready!(self.may_write(cx, bytes.len()))?;
        Pin::new(&mut self.stream).poll_write(cx, &bytes[..most])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.writer.register(cx.waker());
        match self.wire.state() {
            WireState::Stalled => Poll::Pending,
            WireState::Cut => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            WireState::Whole | WireState::Throttled => Pin::new(&mut self.stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.writer.register(cx.waker());
        match self.wire.state() {
            WireState::Stalled => Poll::Pending,
            // No goodbye: the peer sees the connection end in the middle.
            WireState::Cut => Poll::Ready(Ok(())),
            WireState::Whole | WireState::Throttled => Pin::new(&mut self.stream).poll_shutdown(cx),
        }
    }
}
