//! A scripted modem on pseudo-terminals: Huawei, Quectel, SIM7600 or SIM800, with
//! a SIM, a network and somebody who calls. Left alone it is a sensible modem; a
//! script in the language of the recordings makes it say anything else, and
//! faults make it do it badly. It is found as a device is, in directories that
//! look like `/sys` and `/dev`.
//!
//! It opens nothing but pseudo-terminals and, as a program, a port of the
//! loopback for its control, and is no part of what is shipped. Tests use
//! [`Rack`]; the demonstration and the benchmarks run the program
//! (`cargo run --example modem`). `tests/scripted_modem.rs` holds it to the
//! recordings of real modems.

#![allow(dead_code, unused_imports, reason = "each test file uses what it needs of it")]
#![allow(clippy::expect_used, clippy::panic, reason = "what tests share stands outside of them")]
#![allow(clippy::needless_pass_by_value, clippy::unused_async, reason = "the shapes that a server's handlers have")]

mod commands;
pub mod control;
mod engine;
mod families;
pub mod family;
mod faults;
mod handle;
mod options;
mod pcm;
pub mod pdu;
mod rack;
pub mod recording;
mod sound;
pub mod state;
pub mod telephone;

pub use family::Family;
pub use faults::Fault;
pub use handle::{Modem, SoundCount};
pub use options::ModemOptions;
pub use rack::{Rack, one_of};
pub use sound::COMFORT_MAX;
