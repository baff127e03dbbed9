//! Whether a datum may go to a place. The only maker of a [`Clearance`], without
//! which nothing passes the door. Pure: it sends nothing and reads no clock.

mod class;
mod clearance;
mod destination;
mod gate;
mod policy;
mod transfer;

pub use class::{DataClass, Ground, UnknownName};
pub use clearance::{Clearance, Cleared, Payload, Redact};
pub use destination::{Contract, Destination, DestinationId, Host, InvalidDestination, Safeguards};
pub use gate::{CallGate, CallerWish, Refused};
pub use policy::{Decision, Policy, Row, Verdict};
pub use transfer::Transfer;
