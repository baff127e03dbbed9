//! GSM modems as telephone lines: it finds a modem's ports, carries octets and sound
//! between them and the machine and the desk, and opens them again when they are gone.
//!
//! What a row means, when sound is switched on and how a modem is healed, the machine
//! knows ([`crate::signalling::modem::ModemLine`]); nothing here knows a command.

mod aside;
mod call;
mod card;
mod digits;
mod finding;
mod lead;
mod line;
mod meter;
mod port;
mod power;
mod request;
mod serial;
mod serve;
mod status;
mod sysfs;

pub use finding::{Bond, GsmClaims, ModemPlace, Roots, Socket, Wanted};
pub use line::{GsmLine, GsmLineConfig};
pub use request::{GsmControl, GsmEvent, GsmRefusal};
pub use status::GsmStatus;
pub use sysfs::{UsbInterface, UsbModem, usb_modems};
