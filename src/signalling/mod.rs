//! What lines say and what we say back, as machines without sockets or ports.

pub mod modem;
pub mod sip;
