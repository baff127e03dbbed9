//! The voice of ElevenLabs over real sockets, against a server that behaves and one
//! that does not.
#![allow(clippy::disallowed_methods, reason = "the far side that a test plays is a task of its own")]
#![allow(clippy::panic, clippy::expect_used, reason = "what tests share stands outside of them")]

#[path = "elevenlabs/failures.rs"]
mod failures;
#[path = "elevenlabs/far.rs"]
mod far;
#[path = "elevenlabs/near.rs"]
mod near;
#[path = "elevenlabs/policy.rs"]
mod policy;
#[path = "elevenlabs/speech.rs"]
mod speech;
