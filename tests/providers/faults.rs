//! Faults on demand: which are ordered, and who takes them. Those of the wire
//! (a pulled cable, a cut connection, a trickle) are set on the connections
//! themselves; the others are asked for by whoever is about to answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use milu::ops::SystemClock;
use milu::terms::Moment;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use super::wire::{Wire, WireState};

/// Orders that wait: a test has one or two.
const ORDERS_MAX: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    Ears,
    Mind,
    Voice,
    /// The model server on the LAN.
    LanMind,
}

impl Provider {
    pub const ALL: [Self; 4] = [Self::Ears, Self::Mind, Self::Voice, Self::LanMind];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The cable is pulled: the connection stands and nothing passes either way.
    Stall,
    /// The connection ends in the middle of everything, without a goodbye.
    Cut,
    /// Some 300 bytes a second.
    Throttle,
    /// A message that is cut off in its middle, as a message.
    Garbage,
    /// A message of 20 MiB.
    Oversized,
    /// A message comes after the one that follows it; words that may still change,
    /// after those that stand.
    OutOfOrder,
    /// Each message comes a second late.
    Slow,
    /// Opens, listens, and never says a word.
    SilentAfterOpen,
    /// The documented error message, after the answer has begun.
    #[serde(rename = "error-after-200")]
    ErrorAfter200,
    #[serde(rename = "status-400")]
    Status400,
    #[serde(rename = "status-401")]
    Status401,
    #[serde(rename = "status-402")]
    Status402,
    #[serde(rename = "status-403")]
    Status403,
    #[serde(rename = "status-429")]
    Status429,
    #[serde(rename = "status-500")]
    Status500,
    #[serde(rename = "status-503")]
    Status503,
    /// The mind's 429 that no waiting ends before the next month.
    SpendLimit,
    #[serde(rename = "overloaded-529")]
    Overloaded529,
    /// The mind refuses in the middle of its answer.
    Refusal,
    /// The mind's answer is cut off by its limit, in the middle of a sentence.
    MaxTokens,
    /// The mind names another price, time or number than its facts.
    Contradict,
    /// The voice's account has no zero retention.
    NoZeroRetention,
}

impl FaultKind {
    /// Faults that are met when a request or a connection is opened.
    pub const AT_OPENING: &[Self] = &[
        Self::Status400,
        Self::Status401,
        Self::Status402,
        Self::Status403,
        Self::Status429,
        Self::Status500,
        Self::Status503,
        Self::SpendLimit,
        Self::Overloaded529,
    ];

    /// Faults of single messages.
    pub const OF_MESSAGES: &[Self] =
        &[Self::Garbage, Self::Oversized, Self::OutOfOrder, Self::Slow, Self::ErrorAfter200];

    const fn of_the_wire(self) -> Option<WireState> {
        match self {
            Self::Stall => Some(WireState::Stalled),
            Self::Cut => Some(WireState::Cut),
            Self::Throttle => Some(WireState::Throttled),
            _ => None,
        }
    }
}

/// What is to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultOrder {
    pub provider: Provider,
    pub fault: FaultKind,
    /// Counted from the order on connections that are open then, and from the
    /// opening on later ones.
    #[serde(default)]
    pub after_ms: u64,
    /// One connection, request or message alone.
    #[serde(default)]
    pub once: bool,
}

impl FaultOrder {
    pub const fn new(provider: Provider, fault: FaultKind) -> Self {
        Self { provider, fault, after_ms: 0, once: false }
    }

    pub const fn once(mut self) -> Self {
        self.once = true;
        self
    }

    pub const fn after_ms(mut self, ms: u64) -> Self {
        self.after_ms = ms;
        self
    }

    const fn after(self) -> Duration {
        Duration::from_millis(self.after_ms)
    }
}

struct Armed {
    order: FaultOrder,
    at: Moment,
}

pub struct Faults {
    shared: Arc<Shared>,
    clock: SystemClock,
    tasks: TaskTracker,
    runtime: Handle,
}

#[derive(Default)]
struct Shared {
    armed: Mutex<Vec<Armed>>,
    wires: Mutex<Vec<(Provider, Weak<Wire>)>>,
    /// Counts the clearings: what was ordered before one does not happen after it.
    clearings: AtomicU64,
}

/// Held for a few moves of memory.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Faults {
    pub fn new(clock: SystemClock, tasks: TaskTracker, runtime: Handle) -> Self {
        Self { shared: Arc::default(), clock, tasks, runtime }
    }

    /// From now on this goes wrong, on open connections too.
    pub fn order(&self, order: FaultOrder) {
        let mut taken = false;
        if let Some(state) = order.fault.of_the_wire() {
            let live = self.live(order.provider);
            // The newest is the call that the test is about.
            let from = if order.once { live.len().saturating_sub(1) } else { 0 };
            for wire in &live[from..] {
                taken = true;
                self.set_later(wire, state, order.after());
            }
        }
        if !(order.once && taken) {
            let mut armed = lock(&self.shared.armed);
            if armed.len() < ORDERS_MAX {
                armed.push(Armed { order, at: self.clock.now() });
            }
        }
    }

    /// All is well again, on open connections too.
    pub fn clear(&self) {
        self.shared.clearings.fetch_add(1, Ordering::SeqCst);
        lock(&self.shared.armed).clear();
        for provider in Provider::ALL {
            for wire in self.live(provider) {
                wire.set(WireState::Whole);
            }
        }
    }

    /// Counts a connection in that was just accepted.
    pub fn accepted(&self, provider: Provider) -> Arc<Wire> {
        let wire = Arc::new(Wire::default());
        {
            let mut wires = lock(&self.shared.wires);
            wires.retain(|(_, wire)| wire.strong_count() > 0);
            wires.push((provider, Arc::downgrade(&wire)));
        }
        let mut due = Vec::new();
        lock(&self.shared.armed).retain(|armed| {
            let state = armed.order.fault.of_the_wire().filter(|_| armed.order.provider == provider);
            due.extend(state.map(|state| (state, armed.order.after())));
            state.is_none() || !armed.order.once
        });
        for (state, after) in due {
            self.set_later(&wire, state, after);
        }
        wire
    }

    /// The first of these faults that is due for what began at `began`.
    pub fn take(&self, provider: Provider, began: Moment, kinds: &[FaultKind]) -> Option<FaultKind> {
        let now = self.clock.now();
        let mut armed = lock(&self.shared.armed);
        let due = |a: &Armed| {
            let from = if began > a.at { began } else { a.at };
            a.order.provider == provider && kinds.contains(&a.order.fault) && now >= from + a.order.after()
        };
        let at = armed.iter().position(due)?;
        let fault = armed[at].order.fault;
        if armed[at].order.once {
            armed.remove(at);
        }
        Some(fault)
    }

    /// The fault that meets whatever is being opened now.
    pub fn at_opening(&self, provider: Provider) -> Option<FaultKind> {
        // What opens now has no past: it counts from the order.
        self.take(provider, Moment::START, FaultKind::AT_OPENING)
    }

    fn live(&self, provider: Provider) -> Vec<Arc<Wire>> {
        let wires = lock(&self.shared.wires);
        wires.iter().filter(|(of, _)| *of == provider).filter_map(|(_, wire)| wire.upgrade()).collect()
    }

    fn set_later(&self, wire: &Arc<Wire>, state: WireState, after: Duration) {
        if after.is_zero() {
            wire.set(state);
            return;
        }
        let (wire, shared) = (Arc::downgrade(wire), Arc::clone(&self.shared));
        let ordered = shared.clearings.load(Ordering::SeqCst);
        let later = async move {
            tokio::time::sleep(after).await;
            let still = shared.clearings.load(Ordering::SeqCst) == ordered;
            if let Some(wire) = wire.upgrade().filter(|_| still) {
                wire.set(state);
            }
        };
        self.tasks.spawn_on(later, &self.runtime);
    }
}
