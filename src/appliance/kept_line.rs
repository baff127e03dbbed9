//! Lines that are served for as long as the box runs. One whose serving ends
//! before the box stops, by a panic or because nobody is heard on it any more, is
//! opened again after a growing pause; meanwhile who asks is told that it is down.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::line::{Line, LineHealth, LineState, Offer};
use crate::ops::{Backoff, Supervisor};

use super::control::LineView;

/// From 0.2 s to half a minute between two openings, and never given up: a box
/// that nobody can ring is of no use, and what is in the way may go away (a
/// program that has the port, an address that is not there yet).
const REOPENING: Backoff = Backoff {
    first: Duration::from_millis(200),
    longest: Duration::from_secs(30),
    restarts: u32::MAX,
    steady_after: Duration::from_secs(60),
};

const FALLEN: &str = "The line has ended by a fault of the program; it is opened again after a pause.";

const GONE: &str = "The line has ended by a fault of the program; it comes back when the program is started again.";

#[derive(Debug, Error)]
enum Fallen<E: std::error::Error> {
    #[error("serving a line: it ended before the box was stopped")]
    Ended,
    #[error("opening a line again: {0}")]
    Closed(E),
}

/// Serves lines and keeps them open.
pub(super) struct LineKeeper {
    supervisor: Supervisor,
    offers: mpsc::Sender<Offer>,
    stop: CancellationToken,
    reopening: Backoff,
}

impl LineKeeper {
    pub(super) fn new(supervisor: Supervisor, offers: mpsc::Sender<Offer>, stop: CancellationToken) -> Self {
        Self { supervisor, offers, stop, reopening: REOPENING }
    }

    /// Serves `line`, and what `open` opens whenever that has ended. The view
    /// is of whichever is served now.
    pub(super) fn keep<L, E>(&self, line: L, mut open: impl FnMut() -> Result<L, E> + Send + 'static) -> LineView
    where
        L: Line + 'static,
        E: std::error::Error + Send + 'static,
    {
        let name = format!("line {}", line.id());
        let shown = Arc::new(Shown::new(line.health()));
        let view = shown.clone();
        let (offers, stop) = (self.offers.clone(), self.stop.clone());
        let mut opened = Some(line);
        let make = move || {
            let line = opened.take().map_or_else(&mut open, Ok);
            let (shown, offers, stop) = (shown.clone(), offers.clone(), stop.clone());
            async move {
                let line = line.map_err(|error| {
                    let trouble =
                        format!("The line could not be opened again: {error}; it is tried again after a pause.");
                    shown.fall(trouble);
                    Fallen::Closed(error)
                })?;
                serve(line, &shown, offers, stop.clone(), FALLEN).await;
                if stop.is_cancelled() { Ok(()) } else { Err(Fallen::Ended) }
            }
        };
        drop(self.supervisor.spawn_restarting(name, make, self.reopening));
        Arc::new(move || view.health())
    }

    /// Serves `line` once, and tells when that has ended.
    pub(super) fn serve_once(&self, line: impl Line + 'static) -> LineView {
        let name = format!("line {}", line.id());
        let shown = Arc::new(Shown::new(line.health()));
        let view = shown.clone();
        let (offers, stop) = (self.offers.clone(), self.stop.clone());
        drop(self.supervisor.spawn(name, async move { serve(line, &shown, offers, stop, GONE).await }));
        Arc::new(move || view.health())
    }
}

async fn serve(
    line: impl Line,
    shown: &Arc<Shown>,
    offers: mpsc::Sender<Offer>,
    stop: CancellationToken,
    trouble: &'static str,
) {
    shown.rise(line.health());
    let _until_it_ends = FallsAtEnd { shown: shown.clone(), stop: stop.clone(), trouble };
    Box::new(line).serve(offers, stop).await;
}

/// What is shown of a line, whichever opening of it is served.
struct Shown(Mutex<Showing>);

struct Showing {
    line: LineView,
    /// Why nothing is served, while nothing is.
    fallen: Option<String>,
}

impl Shown {
    fn new(line: LineView) -> Self {
        Self(Mutex::new(Showing { line, fallen: None }))
    }

    fn showing(&self) -> MutexGuard<'_, Showing> {
        // Each change is one assignment: it is whole, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rise(&self, line: LineView) {
        *self.showing() = Showing { line, fallen: None };
    }

    fn fall(&self, trouble: String) {
        self.showing().fallen = Some(trouble);
    }

    fn health(&self) -> LineHealth {
        let (line, fallen) = {
            let showing = self.showing();
            (showing.line.clone(), showing.fallen.clone())
        };
        let health = line();
        match fallen {
            None => health,
            trouble => LineHealth { state: LineState::Down, trouble, ..health },
        }
    }
}

/// Tells the end of a serving, however it comes, unless the box stops.
struct FallsAtEnd {
    shown: Arc<Shown>,
    stop: CancellationToken,
    trouble: &'static str,
}

impl Drop for FallsAtEnd {
    fn drop(&mut self) {
        if !self.stop.is_cancelled() {
            self.shown.fall(self.trouble.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use super::*;
    use crate::ops::{Stop, SystemClock};
    use crate::terms::LineId;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[derive(Clone, Copy, PartialEq, Debug)]
    enum End {
        Panic,
        TooEarly,
        WithTheBox,
    }

    /// A line that is well as long as it is asked, and ends as it is told.
    struct Doomed {
        id: LineId,
        end: End,
        served: mpsc::Sender<End>,
    }

    impl Line for Doomed {
        fn id(&self) -> &LineId {
            &self.id
        }

        fn serve(
            self: Box<Self>,
            _offers: mpsc::Sender<Offer>,
            stop: CancellationToken,
        ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
            Box::pin(async move {
                self.served.send(self.end).await.expect("the test listens");
                match self.end {
                    End::Panic => panic!("a fault of the program"),
                    End::TooEarly => {}
                    End::WithTheBox => stop.cancelled().await,
                }
            })
        }

        fn health(&self) -> LineView {
            let id = self.id.clone();
            Arc::new(move || LineHealth {
                id: id.clone(),
                kind: "doomed",
                state: LineState::Ready,
                address: "nowhere".to_owned(),
                calls: 0,
                trouble: None,
            })
        }
    }

    struct World {
        stop: Stop,
        keeper: LineKeeper,
        doomed: Box<dyn Fn(End) -> Doomed + Send>,
        served: mpsc::Receiver<End>,
    }

    fn world(pause: Duration) -> World {
        let stop = Stop::new(PATIENCE);
        let supervisor = Supervisor::new(SystemClock::new(), stop.clone());
        let (offers, _desk) = mpsc::channel(1);
        let reopening = Backoff { first: pause, longest: pause, ..REOPENING };
        let keeper = LineKeeper { reopening, ..LineKeeper::new(supervisor, offers, stop.ended_token()) };
        let (sender, served) = mpsc::channel(8);
        let id = LineId::parse("front-desk").expect("a name");
        let doomed = Box::new(move |end| Doomed { id: id.clone(), end, served: sender.clone() });
        World { stop, keeper, doomed, served }
    }

    async fn next(served: &mut mpsc::Receiver<End>) -> End {
        tokio::time::timeout(PATIENCE, served.recv()).await.expect("in time").expect("it is served")
    }

    async fn turns(view: &LineView, wanted: LineState) -> Option<String> {
        let turned = async {
            while view().state != wanted {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, turned).await.expect("the state is told");
        view().trouble
    }

    #[tokio::test]
    async fn a_line_that_panics_or_ends_too_early_is_opened_again_until_it_stays() {
        let World { stop, keeper, doomed, mut served } = world(Duration::from_millis(1));
        let first = doomed(End::Panic);
        let mut openings = 0;
        let view = keeper.keep(first, move || {
            openings += 1;
            match openings {
                1 => Ok(doomed(End::TooEarly)),
                2 => Err(std::io::Error::from(std::io::ErrorKind::AddrInUse)),
                _ => Ok(doomed(End::WithTheBox)),
            }
        });
        for end in [End::Panic, End::TooEarly, End::WithTheBox] {
            assert_eq!(next(&mut served).await, end);
        }
        assert_eq!(turns(&view, LineState::Ready).await, None);
        stop.end_now();
        assert!(keeper.supervisor.join(PATIENCE).await.is_empty());
        assert_eq!(view().state, LineState::Ready, "the line's own word counts at the end of the box");
    }

    #[tokio::test]
    async fn between_two_openings_the_line_is_shown_as_down_with_its_reason() {
        let World { stop, keeper, doomed, mut served } = world(PATIENCE * 30);
        let view = keeper.keep(doomed(End::Panic), move || Ok::<_, std::io::Error>(doomed(End::WithTheBox)));
        assert_eq!(next(&mut served).await, End::Panic);
        assert_eq!(turns(&view, LineState::Down).await.as_deref(), Some(FALLEN));
        stop.end_now();
        assert!(keeper.supervisor.join(PATIENCE).await.is_empty());
    }

    #[tokio::test]
    async fn a_line_that_cannot_be_opened_again_says_why() {
        let World { stop, keeper, doomed, .. } = world(Duration::from_millis(1));
        let in_use = || std::io::Error::other("another program has the port");
        let view = keeper.keep(doomed(End::TooEarly), move || Err(in_use()));
        let told = async {
            while !view().trouble.is_some_and(|trouble| trouble.contains("another program has the port")) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, told).await.expect("it says why");
        assert_eq!(view().state, LineState::Down);
        stop.end_now();
        assert!(keeper.supervisor.join(PATIENCE).await.is_empty());
    }

    #[tokio::test]
    async fn a_line_that_is_served_once_says_that_it_is_gone() {
        let World { keeper, doomed, .. } = world(Duration::from_millis(1));
        let view = keeper.serve_once(doomed(End::Panic));
        assert_eq!(turns(&view, LineState::Down).await.as_deref(), Some(GONE));
    }
}
