//! A language model as the mind of a call, through the real door, over real TLS
//! sockets, against a provider that answers as it must, or does not. The box's
//! own mind beside it decides by words alone, so that no model file is needed.

#![allow(clippy::unwrap_used, clippy::panic)] // what the tests share is test code too

#[path = "cloud_mind/allowed.rs"]
mod allowed;
#[path = "cloud_mind/answered.rs"]
mod answered;
#[path = "cloud_mind/by_words.rs"]
mod by_words;
#[path = "cloud_mind/failures.rs"]
mod failures;
#[path = "door/far.rs"]
#[allow(dead_code, reason = "the door's own tests use the rest")]
mod far;
#[path = "cloud_mind/held_back.rs"]
mod held_back;
#[path = "cloud_mind/near.rs"]
mod near;
#[path = "cloud_mind/on_the_box.rs"]
mod on_the_box;
#[path = "cloud_mind/own_server.rs"]
mod own_server;
#[path = "cloud_mind/paid.rs"]
mod paid;
#[path = "cloud_mind/provider.rs"]
mod provider;
#[path = "cloud_mind/reading.rs"]
mod reading;
#[path = "cloud_mind/taken_back.rs"]
mod taken_back;
#[path = "cloud_mind/tools.rs"]
mod tools;
