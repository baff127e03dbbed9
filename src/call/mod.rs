//! One call from offer to record: the only module that knows what a call is.
//! Pure: time, ids and all that engines and lines answer come in as [`Input`]s,
//! and all that is wanted of the world goes out as [`Output`]s. No callback and
//! no awaiting: every request carries an id, and a late answer to a dead id is
//! dropped in one place.

mod discretion;
mod handsets;
mod input;
mod machine;
mod message;
mod output;
pub mod phrases;
mod record;
mod saying;
mod timers;
mod trust;
mod wish;

pub use handsets::{Handset, Handsets, Rung, UnknownPerson};
pub use input::Input;
pub use machine::{Call, CallFacts, Consent, Ears, Keeps, Texts};
pub use output::{JournalEntry, JournalKind, Output, Speech};
pub use record::{
    CallRecord, EngineStage, Engines, Failover, Gap, GapReason, Latency, MediaFacts, Message, Outcome, Recording,
    Speaker, Transferred, Turn, WhyLeft,
};
pub use timers::FINDING_WITHIN_MS;
pub use trust::Confidence;
pub use wish::{Wish, Wished};
