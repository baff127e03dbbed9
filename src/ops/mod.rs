//! Running things: the one legal clock, supervised tasks, a clean stop, logs
//! without anyone's words, health and the service manager.
//!
//! This is the only module of floors 0 to 2 that touches the world, and it
//! never knows what a call, a line or an engine is.

mod clock;
mod health;
mod logging;
mod stop;
mod supervisor;
mod systemd;

pub use clock::{MomentSource, SystemClock, WallSource};
pub use health::{Health, HealthFact, HealthState};
pub use logging::{Capture, LogError, LogShape, capture_logs, capturing_dispatch, start_logs};
pub use stop::{Admitted, SignalError, Stop, StopEnding, Stopping};
pub use supervisor::{Backoff, Ended, Supervisor, Task, TaskFact, TaskState, ThreadError, surviving};
pub use systemd::{NotifyError, Systemd, WatchdogError};
