//! Stand-ins for the vendors: one program that speaks the protocols of Deepgram,
//! Anthropic and ElevenLabs over real TLS sockets, and that of a model server on
//! the LAN without. The ears really transcribe, the voice really speaks (the
//! box's own engines behind both), the mind looks up what the request itself
//! says; nothing is canned. It can be told to misbehave. `tests/provider_sdks.rs`
//! holds it to the vendors' own clients.
//!
//! It never opens a connection, listens on the loopback alone, and is no part of
//! what is shipped. Tests use [`Providers`]; the demonstration and the benchmarks
//! run the program (`cargo run --example providers`).

#![allow(dead_code, unused_imports, reason = "each test file uses what it needs of it")]
#![allow(clippy::result_large_err, clippy::needless_pass_by_value, reason = "a refusal is a whole answer of a server")]
#![allow(clippy::unused_async, reason = "the handlers of a server are async, whether they wait or not")]

pub mod control;
pub mod ears_flux;
pub mod ears_http;
pub mod ears_query;
pub mod ears_sound;
pub mod ears_v1;
pub mod ears_words;
pub mod engines;
pub mod facts;
pub mod faults;
pub mod lan_mind;
pub mod lie;
pub mod metered;
pub mod mind_answer;
pub mod mind_cache;
pub mod mind_http;
pub mod mind_request;
pub mod mind_stream;
pub mod mind_tools;
pub mod opus;
pub mod owner;
pub mod seen;
pub mod serve;
pub mod socket;
pub mod spoiler;
pub mod tls;
pub mod voice_alignment;
pub mod voice_http;
pub mod voice_input;
pub mod voice_multi;
pub mod voice_request;
pub mod voice_sound;
pub mod wire;
pub mod world;

mod handle;

pub use faults::{FaultKind, FaultOrder, Provider};
pub use handle::{Providers, StartProviders};
pub use serve::Ports;
pub use world::{Options, World};
