//! Tasks and threads with a name and an owner: the only place where a task is
//! spawned. A panic is our bug; it is counted and told by the task's name, and
//! never by its message, which may hold somebody's words.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Poll;
use std::time::Duration;

use thiserror::Error;
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, warn};

use super::{Stop, SystemClock};
use crate::terms::Moment;

/// The kernel keeps 15 bytes of a thread's name and a zero.
const THREAD_NAME_MAX: usize = 15;

/// How a task that keeps failing is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The wait before the first restart; it doubles with each failure in a row.
    pub first: Duration,
    /// The wait never grows beyond this.
    pub longest: Duration,
    /// Restarts in a row before the task is given up.
    pub restarts: u32,
    /// A run that lasted this long was a good one: counting begins again.
    pub steady_after: Duration,
}

impl Default for Backoff {
    /// 0.2 s to 30 s, ten times in a row: about two and a half minutes of trying, after
    /// which the fault is no passing one and the service manager or a person has
    /// to act on what `doctor` says.
    fn default() -> Self {
        Self {
            first: Duration::from_millis(200),
            longest: Duration::from_secs(30),
            restarts: 10,
            steady_after: Duration::from_secs(60),
        }
    }
}

impl Backoff {
    /// The wait before the restart that follows `failures` failures in a row.
    fn wait(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }
}

/// What a task is doing, for `doctor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    Running,
    /// It failed and is started again after a wait.
    Waiting,
    /// It failed too often in a row and stays down.
    GivenUp,
    /// It ended by a fault of the program and does not come back.
    Fallen,
}

impl TaskState {
    /// Nothing of it runs or will run again; it stays in the report, for somebody
    /// has to act on it.
    const fn is_down(self) -> bool {
        matches!(self, Self::GivenUp | Self::Fallen)
    }
}

/// One row of [`Supervisor::report`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFact {
    pub name: Cow<'static, str>,
    pub state: TaskState,
    /// When it was spawned.
    pub since: Moment,
    /// How often it was started again.
    pub restarts: u32,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Finished,
    Panicked,
    Aborted,
}

#[derive(Debug, Error)]
#[error("starting the thread {name}")]
pub struct ThreadError {
    name: String,
    #[source]
    source: io::Error,
}

/// A task that was spawned. Dropping this lets it run on: the supervisor owns it.
#[derive(Debug)]
pub struct Task {
    joined: tokio::task::JoinHandle<Ended>,
}

impl Task {
    /// Ends the task where it next waits. For what holds nothing that must be
    /// put away; everything else listens to [`Stop`].
    pub fn abort(&self) {
        self.joined.abort();
    }

    pub fn abort_handle(&self) -> AbortHandle {
        self.joined.abort_handle()
    }

    pub fn is_over(&self) -> bool {
        self.joined.is_finished()
    }

    /// Waits for the end.
    pub async fn ended(self) -> Ended {
        // Panics are caught inside, so an error here is an abort.
        self.joined.await.unwrap_or(Ended::Aborted)
    }
}

/// The owner of every task and supervised thread. Clones are the same owner.
#[derive(Clone)]
pub struct Supervisor {
    shared: Arc<Shared>,
}

struct Shared {
    clock: SystemClock,
    stop: Stop,
    tracker: TaskTracker,
    panics: AtomicU64,
    next: AtomicU64,
    /// The first vital task that ended before the stop was asked.
    lost: OnceLock<Cow<'static, str>>,
    /// Tasks that run, wait or are down. It holds as many rows as there are tasks:
    /// those of a call end with it, and calls are capped; of those that are down by
    /// a fault there is one of a name.
    rows: Mutex<BTreeMap<u64, TaskFact>>,
}

impl Supervisor {
    pub fn new(clock: SystemClock, stop: Stop) -> Self {
        Self {
            shared: Arc::new(Shared {
                clock,
                stop,
                tracker: TaskTracker::new(),
                panics: AtomicU64::new(0),
                next: AtomicU64::new(0),
                lost: OnceLock::new(),
                rows: Mutex::default(),
            }),
        }
    }

    /// Runs `task` until it returns: a part of the box, which stays in the report
    /// when it panics, for it is missed from then on. The name says what it does:
    /// `texts`, `modem sim`; it goes to the log, so it holds no number.
    pub fn spawn<F>(&self, name: impl Into<Cow<'static, str>>, task: F) -> Task
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.run(name.into(), task, |row, ended| {
            if ended == Ended::Panicked {
                row.note_fall();
            }
        })
    }

    /// Runs `task`, one of many that come and go as calls do: a panic ends what it
    /// was for, is counted, and leaves nothing that is missed.
    pub fn spawn_passing<F>(&self, name: &'static str, task: F) -> Task
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.run(Cow::Borrowed(name), task, |_, _| {})
    }

    /// Runs `task`, without which the box is of no use. If it ends before the stop
    /// was asked, by a panic or in any other way, the stop is asked, and
    /// [`Supervisor::lost`] says which it was: who runs the box ends the process,
    /// so that it is started again.
    pub fn spawn_vital<F>(&self, name: &'static str, task: F) -> Task
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.run(Cow::Borrowed(name), task, |row, _| row.note_loss())
    }

    /// Runs `task` to its end, which `missed` is told of.
    fn run<F>(&self, name: Cow<'static, str>, task: F, missed: fn(&Enlisted, Ended)) -> Task
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let row = self.shared.enlist(name);
        let joined = self.shared.tracker.spawn(async move {
            let ended = surviving(task).await.map_or(Ended::Panicked, |()| Ended::Finished);
            row.note_end(ended);
            missed(&row, ended);
            ended
        });
        Task { joined }
    }

    /// The vital task whose end has ended the box, if one has.
    pub fn lost(&self) -> Option<Cow<'static, str>> {
        self.shared.lost.get().cloned()
    }

    /// Runs what `make` makes; after an error or a panic it waits and makes it
    /// again, within the bounds of `backoff`. A run that returns well is the
    /// end, and so is [`Stop`].
    pub fn spawn_restarting<M, F, E>(&self, name: impl Into<Cow<'static, str>>, make: M, backoff: Backoff) -> Task
    where
        M: FnMut() -> F + Send + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: std::error::Error + Send + 'static,
    {
        let row = self.shared.enlist(name.into());
        Task { joined: self.shared.tracker.spawn(keep_running(row, make, backoff)) }
    }

    /// Runs `work` on a thread of its own. The kernel shows the first 15 bytes
    /// of the name.
    pub fn spawn_thread<W>(&self, name: &'static str, work: W) -> Result<(), ThreadError>
    where
        W: FnOnce() + Send + 'static,
    {
        let row = self.shared.enlist(Cow::Borrowed(name));
        let counted = self.shared.tracker.token();
        let shown: String = name.chars().filter(char::is_ascii_graphic).take(THREAD_NAME_MAX).collect();
        std::thread::Builder::new()
            .name(shown)
            .spawn(move || {
                let ended = catch_unwind(AssertUnwindSafe(work)).map_or(Ended::Panicked, |()| Ended::Finished);
                row.note_end(ended);
                if ended == Ended::Panicked {
                    row.note_fall();
                }
                drop(counted);
            })
            .map(|_joined| ())
            .map_err(|source| ThreadError { name: name.to_owned(), source })
    }

    /// What runs, waits or is down now, oldest first.
    pub fn report(&self) -> Vec<TaskFact> {
        self.shared.rows().values().cloned().collect()
    }

    /// Panics of tasks and threads since the start. Anything but 0 is a bug.
    pub fn panics(&self) -> u64 {
        self.shared.panics.load(Ordering::Relaxed)
    }

    /// Waits until everything that was spawned has ended, for `longest` at
    /// most. Gives the names of what is still running.
    pub async fn join(&self, longest: Duration) -> Vec<Cow<'static, str>> {
        self.shared.tracker.close();
        match tokio::time::timeout(longest, self.shared.tracker.wait()).await {
            Ok(()) => Vec::new(),
            Err(_elapsed) => self.report().into_iter().filter(|t| !t.state.is_down()).map(|t| t.name).collect(),
        }
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor").field("tasks", &self.shared.tracker.len()).finish_non_exhaustive()
    }
}

impl Shared {
    fn enlist(self: &Arc<Self>, name: Cow<'static, str>) -> Enlisted {
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        let fact = TaskFact { name: name.clone(), state: TaskState::Running, since: self.clock.now(), restarts: 0 };
        self.rows().insert(key, fact);
        debug!(task = %name, "a task began");
        Enlisted { shared: Arc::clone(self), key, name }
    }

    /// A poisoned lock still holds whole rows: nothing under it can panic half-way.
    fn rows(&self) -> MutexGuard<'_, BTreeMap<u64, TaskFact>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task's row in the report; gone when the task is, however it ends.
struct Enlisted {
    shared: Arc<Shared>,
    key: u64,
    name: Cow<'static, str>,
}

impl Enlisted {
    fn note_end(&self, ended: Ended) {
        match ended {
            Ended::Panicked => {
                self.shared.panics.fetch_add(1, Ordering::Relaxed);
                error!(task = %self.name, "a task panicked: this is a fault of the program");
            }
            Ended::Finished | Ended::Aborted => debug!(task = %self.name, "a task ended"),
        }
    }

    fn note_state(&self, state: TaskState, restarts: u32) {
        if let Some(row) = self.shared.rows().get_mut(&self.key) {
            row.state = state;
            row.restarts = restarts;
        }
    }

    /// Keeps its row for good, in place of one of the same name that has fallen before.
    fn note_fall(&self) {
        let mut rows = self.shared.rows();
        rows.retain(|key, row| *key == self.key || row.state != TaskState::Fallen || row.name != self.name);
        if let Some(row) = rows.get_mut(&self.key) {
            row.state = TaskState::Fallen;
        }
    }

    fn note_loss(&self) {
        let stop = &self.shared.stop;
        if stop.is_asked() {
            return;
        }
        self.note_fall();
        let first = self.shared.lost.get_or_init(|| self.name.clone());
        error!(task = %self.name, %first, "a part without which the box is of no use has ended; the box stops");
        stop.ask();
    }

    fn is_down(&self) -> bool {
        self.shared.rows().get(&self.key).is_some_and(|row| row.state.is_down())
    }
}

impl Drop for Enlisted {
    fn drop(&mut self) {
        // What is down stays in the report: somebody has to act on it.
        if !self.is_down() {
            self.shared.rows().remove(&self.key);
        }
    }
}

/// Polls `part` to its end. None if it panics, which ends it alone; what the panic said
/// is dropped unread.
pub async fn surviving<F: Future>(part: F) -> Option<F::Output> {
    let mut part = pin!(part);
    poll_fn(move |cx| match catch_unwind(AssertUnwindSafe(|| part.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Some),
        Err(_message) => Poll::Ready(None),
    })
    .await
}

async fn keep_running<M, F, E>(row: Enlisted, mut make: M, backoff: Backoff) -> Ended
where
    M: FnMut() -> F,
    F: Future<Output = Result<(), E>>,
    E: std::error::Error,
{
    let clock = row.shared.clock;
    let (mut failures, mut restarts) = (0, 0);
    loop {
        let began = clock.now();
        let ended = match surviving(async { make().await }).await {
            Some(Ok(())) => return Ended::Finished,
            Some(Err(error)) => {
                warn!(task = %row.name, %error, "a task failed");
                Ended::Finished
            }
            None => {
                row.note_end(Ended::Panicked);
                Ended::Panicked
            }
        };
        if row.shared.stop.is_ended() {
            return ended;
        }
        failures = if clock.now().since(began) >= backoff.steady_after { 1 } else { failures + 1 };
        if failures > backoff.restarts {
            row.note_state(TaskState::GivenUp, restarts);
            error!(task = %row.name, failures, "a task failed too often in a row and stays down");
            return ended;
        }
        row.note_state(TaskState::Waiting, restarts);
        tokio::select! {
            () = row.shared.stop.ended() => return ended,
            () = tokio::time::sleep(backoff.wait(failures)) => {}
        }
        restarts += 1;
        row.note_state(TaskState::Running, restarts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(600);
    const QUICK: Backoff = Backoff {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(2),
        restarts: 3,
        steady_after: Duration::from_secs(600),
    };

    fn supervisor() -> (Supervisor, Stop) {
        let stop = Stop::new(LONG);
        (Supervisor::new(SystemClock::new(), stop.clone()), stop)
    }

    fn failing() -> io::Error {
        io::Error::other("it will not open")
    }

    #[tokio::test]
    async fn a_task_stands_in_the_report_by_name_while_it_runs() {
        let (supervisor, stop) = supervisor();
        let task = supervisor.spawn("playout", async move { stop.ended().await });
        let names: Vec<_> = supervisor.report().into_iter().map(|t| (t.name, t.state)).collect();
        assert_eq!(names, [(Cow::Borrowed("playout"), TaskState::Running)]);
        supervisor.shared.stop.end_now();
        assert_eq!(task.ended().await, Ended::Finished);
        assert!(supervisor.report().is_empty());
    }

    #[tokio::test]
    async fn a_panic_ends_one_task_and_is_counted() {
        let (supervisor, _stop) = supervisor();
        let broken = supervisor.spawn("broken", async { panic!("a caller's words") });
        let sound = supervisor.spawn("sound", async {});
        assert_eq!((broken.ended().await, sound.ended().await), (Ended::Panicked, Ended::Finished));
        assert_eq!(supervisor.panics(), 1);
        assert!(supervisor.lost().is_none());
    }

    #[tokio::test]
    async fn a_part_that_fell_stays_in_the_report_once_and_is_not_waited_for() {
        let (supervisor, _stop) = supervisor();
        for _ in 0..3 {
            supervisor.spawn("texts", async { panic!("a caller's words") }).ended().await;
        }
        let states: Vec<_> = supervisor.report().into_iter().map(|t| (t.name, t.state)).collect();
        assert_eq!(states, [(Cow::Borrowed("texts"), TaskState::Fallen)]);
        assert!(supervisor.join(LONG).await.is_empty());
    }

    #[tokio::test]
    async fn a_calls_panic_leaves_nothing_that_is_missed() {
        let (supervisor, stop) = supervisor();
        let call = supervisor.spawn_passing("call", async { panic!("a caller's words") });
        assert_eq!(call.ended().await, Ended::Panicked);
        assert_eq!(supervisor.panics(), 1);
        assert!(supervisor.report().is_empty());
        assert!(!stop.is_asked());
    }

    #[tokio::test]
    async fn the_end_of_a_vital_task_before_the_stop_asks_for_it_and_is_told() {
        for panics in [true, false] {
            let (supervisor, stop) = supervisor();
            let desk = supervisor.spawn_vital("desk", async move { assert!(!panics, "a bug") });
            tokio::time::timeout(LONG, stop.asked()).await.expect("the stop is asked");
            desk.ended().await;
            assert_eq!(supervisor.lost().as_deref(), Some("desk"));
            assert_eq!(supervisor.report()[0].state, TaskState::Fallen);
        }
    }

    #[tokio::test]
    async fn a_vital_task_that_ends_with_the_box_is_not_lost() {
        let (supervisor, stop) = supervisor();
        let heard = stop.clone();
        let desk = supervisor.spawn_vital("desk", async move { heard.ended().await });
        stop.end_now();
        assert_eq!(desk.ended().await, Ended::Finished);
        assert!(supervisor.lost().is_none() && supervisor.report().is_empty());
    }

    #[tokio::test]
    async fn an_aborted_task_leaves_the_report() {
        let (supervisor, _stop) = supervisor();
        let task = supervisor.spawn("endless", std::future::pending());
        task.abort();
        assert_eq!(task.ended().await, Ended::Aborted);
        assert!(supervisor.report().is_empty());
    }

    #[tokio::test]
    async fn a_task_that_recovers_is_left_running() {
        let (supervisor, _stop) = supervisor();
        let mut tries = 0;
        let make = move || {
            tries += 1;
            std::future::ready(if tries < 3 { Err(failing()) } else { Ok(()) })
        };
        let task = supervisor.spawn_restarting("line", make, QUICK);
        assert_eq!(task.ended().await, Ended::Finished);
        assert!(supervisor.report().is_empty(), "a good end leaves nothing behind");
    }

    #[tokio::test]
    async fn a_task_that_fails_too_often_is_given_up_and_stays_in_the_report() {
        let (supervisor, _stop) = supervisor();
        let runs = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&runs);
        let make = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Err(failing()))
        };
        supervisor.spawn_restarting("line", make, QUICK).ended().await;
        assert_eq!(runs.load(Ordering::Relaxed), u64::from(QUICK.restarts) + 1);
        let report = supervisor.report();
        assert_eq!((report[0].state, report[0].restarts), (TaskState::GivenUp, QUICK.restarts));
        assert!(supervisor.join(LONG).await.is_empty(), "what was given up is not waited for");
    }

    #[tokio::test]
    async fn a_restarting_task_that_panics_is_started_again() {
        let (supervisor, _stop) = supervisor();
        let mut tries = 0;
        let make = move || {
            tries += 1;
            let first = tries == 1;
            async move {
                assert!(!first, "a bug");
                Ok::<(), io::Error>(())
            }
        };
        assert_eq!(supervisor.spawn_restarting("line", make, QUICK).ended().await, Ended::Finished);
        assert_eq!(supervisor.panics(), 1);
    }

    #[tokio::test]
    async fn the_end_of_the_stop_ends_the_wait_for_a_restart() {
        let (supervisor, stop) = supervisor();
        let patient = Backoff { first: LONG, longest: LONG, ..QUICK };
        let task = supervisor.spawn_restarting("line", || std::future::ready(Err(failing())), patient);
        stop.end_now();
        assert_eq!(task.ended().await, Ended::Finished);
    }

    #[tokio::test]
    async fn a_thread_is_waited_for_and_its_panic_counted() {
        let (supervisor, _stop) = supervisor();
        supervisor.spawn_thread("media-clock-for-all-calls", || panic!("a bug")).expect("a thread starts");
        assert!(supervisor.join(LONG).await.is_empty());
        assert_eq!(supervisor.panics(), 1);
    }

    #[tokio::test]
    async fn joining_tells_what_would_not_end() {
        let (supervisor, _stop) = supervisor();
        let stuck = supervisor.spawn("stuck", std::future::pending());
        assert_eq!(supervisor.join(Duration::from_millis(1)).await, ["stuck"]);
        stuck.abort();
    }

    #[test]
    fn the_wait_doubles_up_to_its_bound() {
        let backoff = Backoff::default();
        assert_eq!(backoff.wait(1), backoff.first);
        assert_eq!(backoff.wait(3), backoff.first * 4);
        assert_eq!(backoff.wait(u32::MAX), backoff.longest);
    }
}
