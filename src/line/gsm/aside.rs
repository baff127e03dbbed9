//! Ports of modems are opened and closed by threads of their own. The kernel closes a port
//! only when the modem has taken what was written, or after half a minute (`closing_wait`,
//! Linux `tty_port_close_start`), and lets nobody open it meanwhile: a modem that takes
//! nothing any more would hold up whoever closes it, and with the media clock or the runtime
//! every other line. Never reads or writes.

use std::collections::BTreeSet;
use std::io;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio_serial::SerialStream;

use super::serial::{self, OpenPort};

/// A port that is well is open, or closed, within some milliseconds; one that is not is
/// tried again at the next look.
const OPEN_PATIENCE: Duration = Duration::from_secs(1);

/// The ports of one line that are open, or being opened or closed: each is asked of the
/// kernel once at a time, so that threads do not pile up behind one that is stuck.
#[derive(Clone, Default)]
pub(super) struct Ports(Arc<Busy>);

#[derive(Default)]
struct Busy {
    paths: Mutex<BTreeSet<PathBuf>>,
    freed: Notify,
}

/// For as long as it is there, nobody else of the line has the port.
struct Hold {
    of: Arc<Busy>,
    path: PathBuf,
}

/// What is let go of by a thread of its own.
pub(super) struct Aside<T: Send + 'static> {
    /// There until it is dropped.
    held: Option<(T, Option<Hold>)>,
}

/// An open port.
pub(super) type Port = Aside<SerialStream>;

impl Ports {
    /// Opens a port, once it is closed if it was open before.
    pub(super) async fn open(&self, path: &Path) -> Result<Port, OpenPort> {
        self.open_by(path, serial::open).await
    }

    async fn open_by<T: Send + 'static>(
        &self,
        path: &Path,
        open: impl FnOnce(&Path) -> Result<T, OpenPort> + Send + 'static,
    ) -> Result<Aside<T>, OpenPort> {
        let opened = async {
            let hold = self.hold(path).await;
            let (tell, told) = oneshot::channel();
            let runtime = Handle::current();
            let thread = std::thread::Builder::new().name("modem port".to_owned()).spawn(move || {
                // What is opened is watched by the runtime of who asked for it.
                let _of_runtime = runtime.enter();
                let opened = open(&hold.path).map(|port| Aside { held: Some((port, Some(hold))) });
                // Who does not wait any more gets nothing, and the port is closed again.
                drop(tell.send(opened));
            });
            match thread {
                Ok(_) => told.await.unwrap_or_else(|_| Err(too_slow(path))),
                Err(error) => Err(OpenPort::Refused { path: path.to_owned(), source: error.into() }),
            }
        };
        tokio::time::timeout(OPEN_PATIENCE, opened).await.unwrap_or_else(|_| Err(too_slow(path)))
    }

    async fn hold(&self, path: &Path) -> Hold {
        loop {
            let freed = self.0.freed.notified();
            if self.0.paths().insert(path.to_owned()) {
                return Hold { of: Arc::clone(&self.0), path: path.to_owned() };
            }
            freed.await;
        }
    }
}

fn too_slow(path: &Path) -> OpenPort {
    OpenPort::TooSlow { path: path.to_owned() }
}

impl Busy {
    fn paths(&self) -> std::sync::MutexGuard<'_, BTreeSet<PathBuf>> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.of.paths().remove(&self.path);
        self.of.freed.notify_waiters();
    }
}

impl<T: Send + 'static> Aside<T> {
    #[cfg(test)]
    pub(super) const fn new(held: T) -> Self {
        Self { held: Some((held, None)) }
    }
}

impl<T: Send + 'static> Drop for Aside<T> {
    fn drop(&mut self) {
        let Some((port, hold)) = self.held.take() else { return };
        let close = move || {
            drop(port);
            drop(hold);
        };
        if let Err(error) = std::thread::Builder::new().name("modem port".to_owned()).spawn(close) {
            tracing::warn!(%error, "a modem's port was closed where it was used");
        }
    }
}

impl<T: Send + 'static> Deref for Aside<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // Only its end takes it away.
        &self.held.as_ref().expect("it is there").0
    }
}

impl<T: Send + 'static> DerefMut for Aside<T> {
    fn deref_mut(&mut self) -> &mut T {
        // As above.
        &mut self.held.as_mut().expect("it is there").0
    }
}

impl<T: AsyncRead + Unpin + Send + 'static> AsyncRead for Aside<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut **self.get_mut()).poll_read(cx, into)
    }
}

impl<T: AsyncWrite + Unpin + Send + 'static> AsyncWrite for Aside<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut **self.get_mut()).poll_write(cx, from)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut **self.get_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut **self.get_mut()).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    /// What the kernel does not let go of before it is told to.
    struct Stuck(mpsc::Receiver<()>);

    impl Drop for Stuck {
        fn drop(&mut self) {
            self.0.recv().expect("somebody frees it");
        }
    }

    fn path() -> &'static Path {
        Path::new("/dev/ttyUSB2")
    }

    #[tokio::test]
    async fn who_lets_go_of_a_port_that_does_not_close_goes_on_and_it_is_opened_when_it_has() {
        let ports = Ports::default();
        let (free, stuck) = mpsc::sync_channel(1);
        let port = ports.open_by(path(), move |_| Ok(Stuck(stuck))).await.expect("it opens");
        // This would never end if it waited for the port.
        drop(port);
        let asked = Arc::new(AtomicUsize::new(0));
        let open = || {
            let asked = Arc::clone(&asked);
            ports.open_by(path(), move |_| {
                asked.fetch_add(1, Ordering::Relaxed);
                Ok(())
            })
        };
        assert!(matches!(open().await, Err(OpenPort::TooSlow { .. })));
        assert_eq!(asked.load(Ordering::Relaxed), 0, "nobody waits at the kernel for it");
        free.send(()).expect("it waits");
        assert!(open().await.is_ok());
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_port_that_does_not_open_is_asked_for_once_and_does_not_hold_up_another() {
        let ports = Ports::default();
        let (free, stuck) = mpsc::sync_channel::<()>(1);
        let opens = move |_: &Path| {
            stuck.recv().expect("somebody frees it");
            Ok(())
        };
        assert!(matches!(ports.open_by(path(), opens).await, Err(OpenPort::TooSlow { .. })));
        let again = ports.open_by(path(), |_| -> Result<(), _> { panic!("it is being opened") }).await;
        assert!(matches!(again, Err(OpenPort::TooSlow { .. })));
        assert!(ports.open_by(Path::new("/dev/ttyUSB3"), |_| Ok(())).await.is_ok());
        free.send(()).expect("it waits");
        assert!(ports.open_by(path(), |_| Ok(())).await.is_ok(), "what nobody waited for was closed again");
    }

    #[tokio::test]
    async fn a_port_that_is_refused_may_be_asked_for_at_once() {
        let ports = Ports::default();
        for _ in 0..2 {
            let refused = ports.open(Path::new("/dev/milu-has-no-such-port")).await;
            assert!(matches!(refused, Err(OpenPort::Refused { .. })));
        }
    }
}
