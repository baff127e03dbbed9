//! A caller to test with: it rings a line, waits for its turn as a person does,
//! speaks, interrupts when told, keys digits, and writes down what comes back
//! and how long it took.
//!
//! It is the other end of the wire. It never meets the box that it rings: what
//! it knows of a call is what any telephone would know.

mod converse;
mod far_turns;
mod listener;
mod manners;
mod rate;
mod script;
mod sound_file;
mod transcript;
mod voices;

pub use converse::{Call, CallFailed, Converse, Script};
pub use far_turns::{FarTurn, FarTurns};
pub use listener::{Listener, LoadListener};
pub use manners::{Act, Manners, Plan};
pub use script::{DIGITS, ReadStep, Step, prepare};
pub use sound_file::{ReadSound, SaveCall, read_sound, save_call};
pub use transcript::{CallReport, Told, Transcript, TurnReport, Who};
pub use voices::{SpeakText, Voice, VoiceOptions};
