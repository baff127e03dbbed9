//! Engines in an order, the box's own always last: an engine that fails or
//! stalls is left for the next one in the middle of its work, with what was
//! heard and said so far. What is decided, is decided by machines without a
//! clock ([`Relay`], [`Roster`], [`Breaker`]); around them stands one task for
//! each call's ears and mind and for each sentence. It opens no connection of
//! its own, and whatever an engine sends passes that engine's own clearance.

mod breaker;
mod drive;
mod ears;
mod fault;
mod health;
mod judging;
mod link;
mod mind;
mod relay;
mod rest;
mod roster;
mod voice;

pub use breaker::{Breaker, BreakerRules, Standing};
pub use drive::{Wait, WaitSource, Works};
pub use ears::EarsChain;
pub use fault::{Fault, Weight};
pub use health::{Chance, Counters, EngineHealth};
pub use link::{BudgetSource, Link, Needs};
pub use mind::MindChain;
pub use relay::{HalfDone, Limits, MINDS_AT_WORK, Next, Relay, Said};
pub use roster::{Budget, Choice, Leave, Roster, View};
pub use voice::VoiceChain;
