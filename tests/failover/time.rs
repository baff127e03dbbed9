//! A time that stands still until the test moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use milu::ops::MomentSource;
use milu::speech::failover::{WaitSource, Works};
use milu::terms::Moment;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// A time that stands still until the test moves it.
pub struct Time {
    now_us: Arc<AtomicU64>,
    moved: Arc<watch::Sender<u64>>,
}

impl Time {
    pub fn new() -> Self {
        // Chains subtract from the time, so it does not begin at zero.
        let start = 100_000_000;
        Self { now_us: Arc::new(AtomicU64::new(start)), moved: Arc::new(watch::channel(start).0) }
    }

    pub fn works(&self) -> Works {
        let (now_us, moved) = (Arc::clone(&self.now_us), Arc::clone(&self.moved));
        let now: MomentSource = {
            let now_us = Arc::clone(&now_us);
            Arc::new(move || Moment::from_micros(now_us.load(Ordering::SeqCst)))
        };
        let wait: WaitSource = Arc::new(move |time: Duration| {
            let until = now_us.load(Ordering::SeqCst) + u64::try_from(time.as_micros()).unwrap();
            let mut moved = moved.subscribe();
            Box::pin(async move {
                moved.wait_for(|now| *now >= until).await.unwrap();
            })
        });
        Works { wait, ..Works::new(now, TaskTracker::new(), tokio::runtime::Handle::current()) }
    }

    pub fn now(&self) -> Moment {
        Moment::from_micros(self.now_us.load(Ordering::SeqCst))
    }

    /// Moves time on in steps, and lets everything happen that follows.
    pub async fn pass(&self, ms: u64) {
        for _ in 0..ms.div_ceil(10) {
            let now = self.now_us.fetch_add(10_000, Ordering::SeqCst) + 10_000;
            self.moved.send_replace(now);
            settle().await;
        }
    }
}

/// The test's runtime has one thread: when it has been given up so often,
/// whatever could happen has happened.
pub async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}
