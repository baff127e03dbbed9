use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::ops::MomentSource;
use crate::terms::Moment;

/// A wait that somebody else keeps.
pub type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How a chain waits.
pub type WaitSource = Arc<dyn Fn(Duration) -> Wait + Send + Sync>;

/// What a chain needs of the process: the time, and where its tasks run.
#[derive(Clone)]
pub struct Works {
    pub now: MomentSource,
    pub wait: WaitSource,
    pub tasks: TaskTracker,
    pub runtime: Handle,
}

impl Works {
    /// With the runtime's own timer.
    pub fn new(now: MomentSource, tasks: TaskTracker, runtime: Handle) -> Self {
        let wait: WaitSource = Arc::new(|time| Box::pin(tokio::time::sleep(time)));
        Self { now, wait, tasks, runtime }
    }

    pub(super) async fn wait_until(&self, due: Option<Moment>) {
        match due {
            Some(due) => (self.wait)(due.since((self.now)())).await,
            None => pending().await,
        }
    }
}

/// One call's engines of a kind: what they answer and what the clock says come
/// in, and all that follows is done at once.
pub(super) trait Desk: Send + 'static {
    type Event: Send + 'static;

    fn answered(&mut self, engine: usize, event: Self::Event, now: Moment);

    /// When [`Desk::late`] is to be called.
    fn due(&self) -> Option<Moment>;

    fn late(&mut self, now: Moment);
}

/// A desk, and the task that brings it events. When it is dropped the task ends.
pub(super) struct Driven<D> {
    desk: Arc<Mutex<D>>,
    /// A deadline may have changed.
    changed: Arc<Notify>,
    now: MomentSource,
    _ends: DropGuard,
}

impl<D: Desk> Driven<D> {
    pub(super) fn start(works: &Works, desk: D, answers: Vec<mpsc::Receiver<D::Event>>) -> Self {
        let (desk, changed, cancel) = (Arc::new(Mutex::new(desk)), Arc::new(Notify::new()), CancellationToken::new());
        let task = drive(works.clone(), Arc::clone(&desk), answers, Arc::clone(&changed));
        let cancelled = cancel.clone();
        works.tasks.spawn_on(
            async move {
                tokio::select! {
                    () = cancelled.cancelled() => {}
                    () = task => {}
                }
            },
            &works.runtime,
        );
        Self { desk, changed, now: Arc::clone(&works.now), _ends: cancel.drop_guard() }
    }

    /// Does something at the desk. Held for moments; nothing waits under it.
    pub(super) fn at<T>(&self, act: impl FnOnce(&mut D, Moment) -> T) -> T {
        let now = (self.now)();
        let (done, moved) = {
            let mut desk = lock(&self.desk);
            let before = desk.due();
            let done = act(&mut desk, now);
            (done, desk.due() != before)
        };
        if moved {
            self.changed.notify_one();
        }
        done
    }
}

fn lock<D>(desk: &Mutex<D>) -> MutexGuard<'_, D> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn drive<D: Desk>(
    works: Works,
    desk: Arc<Mutex<D>>,
    mut answers: Vec<mpsc::Receiver<D::Event>>,
    changed: Arc<Notify>,
) {
    loop {
        let due = lock(&desk).due();
        tokio::select! {
            // What an engine has said counts before what the clock says.
            biased;
            (engine, event) = next_of(&mut answers) => {
                let now = (works.now)();
                lock(&desk).answered(engine, event, now);
            }
            () = changed.notified() => {}
            () = works.wait_until(due) => {
                let now = (works.now)();
                lock(&desk).late(now);
            }
        }
    }
}

/// The next answer of any engine. Those before it in the order come first:
/// no engine has more answers on the way than its channel holds.
async fn next_of<T>(answers: &mut [mpsc::Receiver<T>]) -> (usize, T) {
    poll_fn(|context| {
        for (engine, receiver) in answers.iter_mut().enumerate() {
            // A channel that has closed is an engine without further answers.
            if let Poll::Ready(Some(event)) = receiver.poll_recv(context) {
                return Poll::Ready((engine, event));
            }
        }
        Poll::Pending
    })
    .await
}
