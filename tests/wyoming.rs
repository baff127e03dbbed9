//! Ears and voice in the business's own network: against the servers that Home
//! Assistant's users run, as they are, and against one that misbehaves.
#![allow(clippy::panic, clippy::expect_used, reason = "what tests share stands outside of them")]

#[path = "wyoming/far.rs"]
mod far;
#[path = "wyoming/near.rs"]
mod near;
#[path = "wyoming/real.rs"]
mod real;
#[path = "wyoming/server.rs"]
mod server;
#[path = "wyoming/wrong.rs"]
mod wrong;
