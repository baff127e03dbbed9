//! A clean stop: no new callers, time for those who are talking, then the end.
//! It never ends a call itself: it says when to, and each owner does it.

use std::io;
use std::time::Duration;

use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The box is stopping: the caller is to be refused (SIP 503).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("admitting a caller: the box is stopping")]
pub struct Stopping;

/// Signals could not be listened to.
#[derive(Debug, Error)]
#[error("listening for the signals that stop the box")]
pub struct SignalError(#[from] io::Error);

/// How the stop went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopEnding {
    /// Every caller finished within the grace period.
    CallersFinished,
    /// The grace period ended, or a second signal came, with callers talking.
    CutOff,
}

/// One caller who is let finish. Held for as long as the call lasts.
#[derive(Debug)]
pub struct Admitted {
    _counted: TaskTrackerToken,
}

/// The stop of the box. Clones are the same stop.
///
/// It has two steps. *Asked*: lines refuse new callers, calls that are under
/// way go on. *Ended*: the grace period is over or nobody is left, and every
/// task finishes what it holds and returns.
#[derive(Clone, Debug)]
pub struct Stop {
    asked: CancellationToken,
    ended: CancellationToken,
    callers: TaskTracker,
    grace: Duration,
}

impl Stop {
    /// `grace` is how long callers may go on talking after the stop was asked.
    pub fn new(grace: Duration) -> Self {
        let callers = TaskTracker::new();
        callers.close();
        Self { asked: CancellationToken::new(), ended: CancellationToken::new(), callers, grace }
    }

    /// Counts a caller in, unless the box is stopping.
    pub fn admit(&self) -> Result<Admitted, Stopping> {
        // Counted before the question is put: a stop asked between the two
        // either refuses this caller or waits for them, and never forgets them.
        let admitted = Admitted { _counted: self.callers.token() };
        if self.is_asked() { Err(Stopping) } else { Ok(admitted) }
    }

    /// Callers who are counted in now.
    pub fn callers(&self) -> usize {
        self.callers.len()
    }

    /// Asks for the stop. Asking twice is asking once.
    pub fn ask(&self) {
        self.asked.cancel();
    }

    /// Ends the grace period at once.
    pub fn end_now(&self) {
        self.asked.cancel();
        self.ended.cancel();
    }

    pub fn is_asked(&self) -> bool {
        self.asked.is_cancelled()
    }

    pub fn is_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Waits until the stop is asked: no new callers from here on.
    pub async fn asked(&self) {
        self.asked.cancelled().await;
    }

    /// Waits until the stop has ended: finish what you hold, and return.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// The token behind [`Stop::ended`], for parts that take a token.
    pub fn ended_token(&self) -> CancellationToken {
        self.ended.clone()
    }

    /// Waits for the stop to be asked, lets the callers finish within the grace
    /// period, and ends it. Whoever runs the box awaits this once.
    pub async fn carry_out(&self) -> StopEnding {
        self.asked().await;
        let ending = tokio::select! {
            biased;
            () = self.callers.wait() => StopEnding::CallersFinished,
            () = self.ended() => StopEnding::CutOff,
            () = tokio::time::sleep(self.grace) => StopEnding::CutOff,
        };
        self.end_now();
        ending
    }

    /// Asks for the stop on SIGTERM or SIGINT; a second signal ends it at once.
    /// Signals are listened to when this returns, and obeyed while the future
    /// that it returns is awaited.
    pub fn listen_for_signals(&self) -> Result<impl Future<Output = ()> + Send + 'static, SignalError> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = self.clone();
        Ok(async move {
            either(&mut terminate, &mut interrupt).await;
            stop.ask();
            tokio::select! {
                () = either(&mut terminate, &mut interrupt) => stop.end_now(),
                () = stop.ended() => {}
            }
        })
    }
}

async fn either(one: &mut Signal, other: &mut Signal) {
    // `recv` gives none only when the runtime is going away: a stop as well.
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than any test may take: only an event ends the wait.
    const LONG: Duration = Duration::from_secs(600);

    #[tokio::test]
    async fn a_box_without_callers_stops_at_once() {
        let stop = Stop::new(LONG);
        stop.ask();
        assert_eq!(stop.carry_out().await, StopEnding::CallersFinished);
        assert!(stop.is_ended());
    }

    #[tokio::test]
    async fn a_caller_is_let_finish() {
        let stop = Stop::new(LONG);
        let caller = stop.admit().expect("the box is not stopping");
        stop.ask();
        let (ending, ()) = tokio::join!(stop.carry_out(), async {
            assert!(!stop.is_ended(), "the caller is still talking");
            drop(caller);
        });
        assert_eq!(ending, StopEnding::CallersFinished);
    }

    #[tokio::test]
    async fn a_caller_who_talks_past_the_grace_period_is_cut_off() {
        let stop = Stop::new(Duration::from_millis(1));
        let _caller = stop.admit().expect("the box is not stopping");
        stop.ask();
        assert_eq!(stop.carry_out().await, StopEnding::CutOff);
        assert!(stop.is_ended());
    }

    #[tokio::test]
    async fn nobody_is_admitted_after_the_stop_was_asked() {
        let stop = Stop::new(LONG);
        stop.ask();
        assert_eq!(stop.admit().err(), Some(Stopping));
        assert_eq!(stop.callers(), 0, "a refused caller is not waited for");
    }

    #[tokio::test]
    async fn ending_now_does_not_wait_for_callers() {
        let stop = Stop::new(LONG);
        let _caller = stop.admit().expect("the box is not stopping");
        let (ending, ()) = tokio::join!(stop.carry_out(), async { stop.end_now() });
        assert_eq!(ending, StopEnding::CutOff);
    }
}
