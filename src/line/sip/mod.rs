//! SIP telephone lines: trunks, adapters and telephones over UDP and TCP.
//!
//! The transactions of RFC 3261 are the stack's (`rsipstack`), behind a guard
//! of our own; the dialog of a call is [`crate::signalling::sip::Dialog`]; the
//! sound flows in the media clock's thread. What is here carries between them.

mod call_task;
mod caller;
mod calls;
mod exchange;
mod identity;
mod key_tones;
mod line;
mod peer;
mod rtp_port;
mod socket;
mod stack;
mod tcp;
mod wire;

pub use call_task::SoundGoes;
pub use caller::{RingError, RingOptions, SipCaller};
pub use line::{SipLine, SipLineConfig};
pub use stack::BindError;
