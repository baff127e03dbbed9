//! The stand-ins within a test's own process, on a thread and a runtime of
//! their own, so that any test may have them whatever it runs on.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{Builder, JoinHandle};

use tokio::sync::oneshot;

use super::seen::Received;
use super::serve::{self, Ports};
use super::{FaultOrder, Options, Provider, World};

pub use super::serve::StartStandIns as StartProviders;

/// Running stand-ins. Dropping it ends them.
pub struct Providers {
    world: Arc<World>,
    ports: Ports,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Providers {
    /// Starts them; when this returns, they take connections.
    pub fn start(options: Options) -> Result<Self, StartProviders> {
        let (tell, told) = sync_channel(1);
        let (stop, stopped) = oneshot::channel::<()>();
        let live = move || {
            let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(tell.send(Err(StartProviders::Thread(error)))),
            };
            runtime.block_on(async {
                // Whoever started them waits for this, or has given up.
                drop(tell.send(serve::start(options).await));
                // Nothing is ever sent: it ends when the sender is dropped.
                if stopped.await.is_ok() {
                    tracing::debug!("the stand-ins were told to end");
                }
            });
            // Open connections end with the runtime; a model may still be loading.
            runtime.shutdown_background();
        };
        let thread = Builder::new().name("stand-ins".to_owned()).spawn(live).map_err(StartProviders::Thread)?;
        let (world, ports) = told.recv().map_err(|_| StartProviders::Ended)??;
        Ok(Self { world, ports, stop: Some(stop), thread: Some(thread) })
    }

    pub const fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Where a vendor listens.
    pub fn address(&self, provider: Provider) -> SocketAddr {
        let port = match provider {
            Provider::Ears => self.ports.ears,
            Provider::Mind => self.ports.mind,
            Provider::Voice => self.ports.voice,
            Provider::LanMind => self.ports.lan_mind,
        };
        (Ipv4Addr::LOCALHOST, port).into()
    }

    /// From now on this goes wrong.
    pub fn fault(&self, order: FaultOrder) {
        self.world.faults.order(order);
    }

    /// All is well again.
    pub fn clear(&self) {
        self.world.faults.clear();
    }

    pub fn seen(&self, provider: Provider) -> Received {
        self.world.seen.of(provider)
    }

    /// What callers will say on connections that open from now on. None: the ears
    /// really listen. False if they were started without known words.
    pub fn will_say(&self, sentences: &[&str]) -> bool {
        let known = self.world.known_words.as_ref();
        known.inspect(|known| known.replace(sentences.iter().map(|s| (*s).to_owned()).collect())).is_some()
    }

    /// Bytes from clients, after TLS and without WebSocket masks.
    pub fn raw(&self, provider: Provider) -> Vec<u8> {
        self.world.seen.raw(provider)
    }

    /// What came to the ears as sound, at 16 kHz.
    pub fn sound(&self) -> Vec<i16> {
        self.world.seen.all_sound()
    }

    /// Forgets what was seen.
    pub fn forget(&self) {
        self.world.seen.forget();
    }
}

impl Drop for Providers {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the stand-ins had panicked");
        }
    }
}
