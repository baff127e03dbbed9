//! Chains of engines whose every word the test says itself, in a time that the
//! test moves: an engine that stalls or fails is left for the next one in the
//! middle of its work, and nobody else notices.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests too")]

#[path = "failover/allowed.rs"]
mod allowed;
#[path = "failover/breaker.rs"]
mod breaker;
#[path = "failover/ears.rs"]
mod ears;
#[path = "failover/ears_puppet.rs"]
mod ears_puppet;
#[path = "failover/judgement.rs"]
mod judgement;
#[path = "failover/links.rs"]
mod links;
#[path = "failover/mind.rs"]
mod mind;
#[path = "failover/mind_puppet.rs"]
mod mind_puppet;
#[path = "failover/time.rs"]
mod time;
#[path = "failover/voice.rs"]
mod voice;
#[path = "failover/voice_puppet.rs"]
mod voice_puppet;
