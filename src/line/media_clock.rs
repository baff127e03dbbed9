//! The thread that ticks for all calls: every 20 ms it gives each call's media
//! port its turn to hear and to speak. It knows nothing of packets or codecs.
//!
//! A port that panics is dropped and its call ends; the others go on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

use thiserror::Error;

use crate::media::PlayoutClock;
use crate::terms::Moment;

/// Reads the box's monotonic clock.
pub type ReadClock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// Ports that join between two ticks: more than a box can take calls in 20 ms.
const JOINING: usize = 256;

/// Of the thread's nice value, where the system lets it: before the engines,
/// behind nothing that answers the network.
const NICE: i32 = -11;

/// The media thread has ended.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("joining the media clock: it does not take another call")]
pub struct ClockGone;

/// Whether a port wants another turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stay {
    Yes,
    Leave,
}

/// One call's media, served by the clock's thread. A turn must not block.
pub trait MediaPort: Send {
    /// Hears and speaks 20 ms. `now` is the moment at which the turn was due.
    fn tick(&mut self, now: Moment) -> Stay;
}

/// A handle to the thread `media-clock`. The thread ends when all handles and
/// all ports are gone.
#[derive(Clone)]
pub struct MediaClock {
    joining: SyncSender<Box<dyn MediaPort>>,
    last_tick: Arc<AtomicU64>,
}

impl MediaClock {
    /// Starts the thread.
    pub fn start(read_clock: ReadClock) -> std::io::Result<Self> {
        let (joining, joined) = sync_channel(JOINING);
        let last_tick = Arc::new(AtomicU64::new(read_clock().as_micros()));
        let beat = last_tick.clone();
        std::thread::Builder::new().name("media-clock".to_owned()).spawn(move || run(&joined, &read_clock, &beat))?;
        Ok(Self { joining, last_tick })
    }

    /// Gives `port` a turn every 20 ms from the next tick on.
    pub fn join(&self, port: Box<dyn MediaPort>) -> Result<(), ClockGone> {
        self.joining.try_send(port).map_err(|_| ClockGone)
    }

    /// When the thread last woke for a tick, for the watchdog.
    pub fn last_tick(&self) -> Moment {
        Moment::from_micros(self.last_tick.load(Ordering::Relaxed))
    }
}

fn run(joined: &Receiver<Box<dyn MediaPort>>, read_clock: &ReadClock, beat: &AtomicU64) {
    prefer_this_thread();
    let mut ports: Vec<Box<dyn MediaPort>> = Vec::new();
    let mut rhythm = PlayoutClock::new(read_clock());
    loop {
        let handles_gone = take_joined(joined, &mut ports);
        if handles_gone && ports.is_empty() {
            return;
        }
        let due_at = rhythm.deadline();
        let now = read_clock();
        if now < due_at {
            std::thread::sleep(due_at.since(now));
            continue;
        }
        beat.store(now.as_micros(), Ordering::Relaxed);
        let due = rhythm.take_due(now);
        if due.skipped > 0 {
            tracing::warn!(frames = due.skipped, "the media clock stood still and left frames out");
        }
        for _ in 0..due.frames {
            ports.retain_mut(|port| turn(port.as_mut(), now) == Stay::Yes);
        }
    }
}

/// Takes in new ports; true when nobody can send another one.
fn take_joined(joined: &Receiver<Box<dyn MediaPort>>, ports: &mut Vec<Box<dyn MediaPort>>) -> bool {
    loop {
        match joined.try_recv() {
            Ok(port) => ports.push(port),
            Err(TryRecvError::Empty) => return false,
            Err(TryRecvError::Disconnected) => return true,
        }
    }
}

fn turn(port: &mut dyn MediaPort, now: Moment) -> Stay {
    // The port is dropped after a panic, so nobody sees what it left half done.
    catch_unwind(AssertUnwindSafe(|| port.tick(now))).unwrap_or_else(|_| {
        tracing::error!("the media of one call failed and was dropped");
        Stay::Leave
    })
}

/// Linux schedules each thread by its own nice value. A box that runs without
/// the right to raise it is served in turn like all others.
fn prefer_this_thread() {
    if rustix::process::setpriority_process(None, NICE).is_err() {
        tracing::debug!("the media clock runs at the priority of all threads");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn clock() -> ReadClock {
        crate::ops::SystemClock::new().as_fn()
    }

    struct Counting {
        turns: u32,
        done: SyncSender<(u32, Moment)>,
    }

    impl MediaPort for Counting {
        fn tick(&mut self, now: Moment) -> Stay {
            self.turns += 1;
            self.done.try_send((self.turns, now)).map_or(Stay::Leave, |()| Stay::Yes)
        }
    }

    struct Broken;

    impl MediaPort for Broken {
        fn tick(&mut self, _now: Moment) -> Stay {
            panic!("a fault of one call");
        }
    }

    #[test]
    fn a_port_that_fails_leaves_the_others_their_turns() {
        let media = MediaClock::start(clock()).expect("a thread");
        let (done, turns) = sync_channel(64);
        media.join(Box::new(Broken)).expect("the clock runs");
        media.join(Box::new(Counting { turns: 0, done })).expect("the clock runs");
        let mut last = Moment::START;
        for expected in 1..=10 {
            let (turn, at) = turns.recv_timeout(Duration::from_secs(5)).expect("a turn");
            assert_eq!(turn, expected);
            assert!(at >= last);
            last = at;
        }
        assert!(media.last_tick() >= last);
    }
}
