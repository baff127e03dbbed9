//! One call from offer to record: the only module that knows what a call is.
//! Pure: time, ids and everything that engines and lines answer come in as
//! inputs, and all that is wanted of the world goes out as outputs.

mod record;

pub use record::{
    CallRecord, Engines, Gap, GapReason, Latency, MediaFacts, Message, Outcome, Recording, Speaker, Turn,
};
