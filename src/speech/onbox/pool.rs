//! The threads that think: every model of the box runs on these few workers,
//! below the priority of the media clock, so that a busy engine never makes
//! speech stutter. A job is a piece of computing that ends by itself; it never
//! waits for a channel, a file or another job, because every worker that waits
//! is one that no caller can use. Long work is handed in slice by slice.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use thiserror::Error;

/// How much nicer than the rest of the process a worker is (nice(2): 19 is the
/// lowest). The kernel gives a thread at +10 about a tenth of the time of one
/// at 0 when both want the same core, so the media clock always gets through.
const NICENESS: i32 = 10;

/// Which job goes first when several wait; within one, the oldest.
///
/// The order is that of what a caller would notice. A sentence that runs dry
/// is heard at once, and its slices are short. A search takes some 12 ms and a
/// silent caller waits for it. A judgement of the end of a turn (about 130 ms)
/// decides whether a decode is wanted at all. A decode takes up to a second
/// and is often thrown away, so it goes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// A slice of speech to be spoken.
    Voice,
    /// A search in what the business knows.
    Mind,
    /// A judgement whether the caller's turn is over.
    Turn,
    /// A decode of the caller's words.
    Ears,
}

/// As many as there are variants of [`Priority`].
const PRIORITIES: usize = 4;

impl Priority {
    const fn queue(self) -> usize {
        match self {
            Self::Voice => 0,
            Self::Mind => 1,
            Self::Turn => 2,
            Self::Ears => 3,
        }
    }
}

/// The job was not taken and will not run.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PoolFull {
    #[error("handing a job to the engines: all {bound} places of its queue are taken")]
    Full { bound: usize },
    #[error("handing a job to the engines: they have been stopped")]
    Stopped,
}

#[derive(Debug, Error)]
pub enum StartPool {
    #[error("starting the engines' pool: it needs at least one thread and one place in its queue")]
    Empty,
    #[error("starting a thread for the engines: the system refused")]
    Thread(#[source] std::io::Error),
}

/// How many workers there are, and how many jobs of each priority may wait.
#[derive(Clone, Copy, Debug)]
pub struct PoolSize {
    /// Not more than the cores that may be kept busy.
    pub threads: usize,
    /// Places for waiting jobs, for each [`Priority`] on its own: a flood of
    /// decodes cannot take the places of the voice. When they are full,
    /// [`Pool::submit`] refuses and the engine answers `Overloaded`.
    pub queue: usize,
}

type Job = Box<dyn FnOnce() + Send>;

struct Waiting {
    queues: [VecDeque<Job>; PRIORITIES],
    stopped: bool,
}

struct Shared {
    waiting: Mutex<Waiting>,
    work: Condvar,
    queue: usize,
    panics: AtomicU64,
}

impl Shared {
    /// Jobs run outside the lock, so a poisoned one still guards sound queues.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job, or `None` once the pool was stopped.
    fn next(&self) -> Option<Job> {
        let mut waiting = self.lock();
        loop {
            if waiting.stopped {
                return None;
            }
            if let Some(job) = waiting.queues.iter_mut().find_map(VecDeque::pop_front) {
                return Some(job);
            }
            waiting = self.work.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The workers. Dropping it tells them to end after their present job, and
/// drops the jobs that wait.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

impl Pool {
    /// Starts the workers, named `milu-{name}-{n}`; Linux shows 15 characters
    /// of it, so `name` is at most eight long (`think`).
    pub fn new(name: &str, size: PoolSize) -> Result<Arc<Self>, StartPool> {
        if size.threads == 0 || size.queue == 0 {
            return Err(StartPool::Empty);
        }
        let shared = Arc::new(Shared {
            waiting: Mutex::new(Waiting {
                queues: std::array::from_fn(|_| VecDeque::with_capacity(size.queue)),
                stopped: false,
            }),
            work: Condvar::new(),
            queue: size.queue,
            panics: AtomicU64::new(0),
        });
        // Built before its threads: when the third of four cannot be started,
        // dropping the pool ends the first two.
        let pool = Arc::new(Self { shared: Arc::clone(&shared), workers: Mutex::new(Vec::new()) });
        for n in 0..size.threads {
            let shared = Arc::clone(&shared);
            let worker = Builder::new()
                .name(format!("milu-{name}-{n}"))
                .spawn(move || work(&shared))
                .map_err(StartPool::Thread)?;
            pool.workers.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        }
        Ok(pool)
    }

    /// Hands in a job. It runs when no job of a higher priority waits. A job
    /// that panics is counted and logged; its worker lives on, and what the
    /// job held is dropped, which is how its owner learns of it.
    pub fn submit(&self, priority: Priority, job: impl FnOnce() + Send + 'static) -> Result<(), PoolFull> {
        let mut waiting = self.shared.lock();
        if waiting.stopped {
            return Err(PoolFull::Stopped);
        }
        let queue = &mut waiting.queues[priority.queue()];
        if queue.len() >= self.shared.queue {
            return Err(PoolFull::Full { bound: self.shared.queue });
        }
        queue.push_back(Box::new(job));
        drop(waiting);
        self.shared.work.notify_one();
        Ok(())
    }

    /// How many jobs of `priority` wait for a worker.
    pub fn waiting(&self, priority: Priority) -> usize {
        self.shared.lock().queues[priority.queue()].len()
    }

    /// How many jobs have panicked since the start: each is a fault of ours.
    pub fn panics(&self) -> u64 {
        self.shared.panics.load(Ordering::Relaxed)
    }

    /// Drops the waiting jobs and takes no more; the running ones end by
    /// themselves. Does not wait.
    pub fn stop(&self) {
        let dropped = {
            let mut waiting = self.shared.lock();
            waiting.stopped = true;
            std::mem::replace(&mut waiting.queues, std::array::from_fn(|_| VecDeque::new()))
        };
        self.shared.work.notify_all();
        // Outside the lock: a job's captured values may do anything when dropped.
        drop(dropped);
    }

    /// Stops, and waits until the running jobs have ended. Must not be called
    /// from a job.
    pub fn stop_and_wait(&self) {
        self.stop();
        let workers = std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        for worker in workers {
            if worker.join().is_err() {
                tracing::error!("a worker of the engines had died");
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.stop();
    }
}

fn work(shared: &Shared) {
    // On Linux this is the calling thread's own priority, and threads that it
    // starts (an engine's companions) inherit it.
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::warn!(%error, "the engines run at the priority of the media clock");
    }
    while let Some(job) = shared.next() {
        // What a panicking job leaves half-done is its own: nothing of the pool is borrowed by it.
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            shared.panics.fetch_add(1, Ordering::Relaxed);
            // The panic's text is left out: it may quote what a caller said.
            tracing::error!("a job of the engines panicked; its request is lost");
        }
    }
}

/// The one companion thread in which rten computes for the calling worker.
///
/// rten always computes in a thread pool of its own, by default one as wide as
/// the machine and shared by all, at the priority of whoever came first. One
/// thread for each worker keeps the bound on cores and inherits the worker's
/// low priority. Give it to `rten::RunOptions::with_thread_pool`.
pub fn rten_companion() -> Arc<rten::ThreadPool> {
    thread_local! {
        static COMPANION: Arc<rten::ThreadPool> = Arc::new(rten::ThreadPool::with_num_threads(1));
    }
    COMPANION.with(Arc::clone)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;
    use std::time::Duration;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    fn one_worker(queue: usize) -> Arc<Pool> {
        Pool::new("test", PoolSize { threads: 1, queue }).unwrap()
    }

    /// Keeps the only worker busy until the returned sender is dropped.
    fn hold(pool: &Pool) -> std::sync::mpsc::SyncSender<()> {
        let (release, held) = sync_channel::<()>(0);
        let (began, begun) = sync_channel(1);
        pool.submit(Priority::Ears, move || {
            began.send(()).unwrap();
            assert!(held.recv().is_err());
        })
        .unwrap();
        begun.recv_timeout(LONG).unwrap();
        release
    }

    #[test]
    fn the_voice_goes_before_the_mind_before_the_turn_before_the_ears() {
        let pool = one_worker(8);
        let held = hold(&pool);
        let (tell, told) = sync_channel(8);
        for (n, priority) in
            [Priority::Ears, Priority::Turn, Priority::Mind, Priority::Voice, Priority::Voice].into_iter().enumerate()
        {
            let tell = tell.clone();
            pool.submit(priority, move || tell.send((priority, n)).unwrap()).unwrap();
        }
        drop(held);
        let order: Vec<_> = (0..5).map(|_| told.recv_timeout(LONG).unwrap()).collect();
        assert_eq!(
            order,
            [(Priority::Voice, 3), (Priority::Voice, 4), (Priority::Mind, 2), (Priority::Turn, 1), (Priority::Ears, 0)]
        );
    }

    #[test]
    fn a_full_queue_refuses_and_leaves_the_others_open() {
        let pool = one_worker(2);
        let held = hold(&pool);
        for _ in 0..2 {
            pool.submit(Priority::Ears, || {}).unwrap();
        }
        assert_eq!(pool.submit(Priority::Ears, || {}), Err(PoolFull::Full { bound: 2 }));
        assert_eq!(pool.submit(Priority::Voice, || {}), Ok(()));
        assert_eq!(pool.waiting(Priority::Ears), 2);
        drop(held);
    }

    #[test]
    fn a_job_that_panics_does_not_end_its_worker() {
        let pool = one_worker(2);
        let (tell, told) = sync_channel::<()>(1);
        pool.submit(Priority::Mind, move || {
            let _held = tell;
            panic!("meant by the test");
        })
        .unwrap();
        // The owner sees that what the job held is gone.
        assert!(told.recv_timeout(LONG).is_err());
        let (tell, told) = sync_channel(1);
        pool.submit(Priority::Mind, move || tell.send(7).unwrap()).unwrap();
        assert_eq!(told.recv_timeout(LONG), Ok(7));
        assert_eq!(pool.panics(), 1);
    }

    #[test]
    fn stopping_drops_what_waits_and_waits_for_what_runs() {
        let pool = one_worker(2);
        let held = hold(&pool);
        let (tell, told) = sync_channel::<()>(1);
        pool.submit(Priority::Mind, move || tell.send(()).unwrap()).unwrap();
        pool.stop();
        assert!(told.recv_timeout(LONG).is_err());
        assert_eq!(pool.submit(Priority::Mind, || {}), Err(PoolFull::Stopped));
        drop(held);
        pool.stop_and_wait();
    }

    #[test]
    fn workers_are_named_and_nicer_than_the_rest_and_so_are_their_companions() {
        let pool = one_worker(1);
        let (tell, told) = sync_channel(1);
        pool.submit(Priority::Mind, move || {
            let name = std::thread::current().name().map(str::to_owned);
            let own = rustix::process::getpriority_process(None).unwrap();
            let companion = rten_companion().run(|| rustix::process::getpriority_process(None).unwrap());
            tell.send((name, own, companion)).unwrap();
        })
        .unwrap();
        let (name, own, companion) = told.recv_timeout(LONG).unwrap();
        assert_eq!(name.as_deref(), Some("milu-test-0"));
        assert_eq!((own, companion), (NICENESS, NICENESS));
        assert_ne!(rustix::process::getpriority_process(None).unwrap(), NICENESS);
    }

    #[test]
    fn a_pool_without_threads_or_places_is_refused() {
        for size in [PoolSize { threads: 0, queue: 1 }, PoolSize { threads: 1, queue: 0 }] {
            assert!(matches!(Pool::new("test", size), Err(StartPool::Empty)));
        }
    }
}
