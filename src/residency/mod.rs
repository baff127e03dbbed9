//! Whether a datum may go to a place. The only maker of a [`Clearance`], without
//! which nothing passes the door. Pure: it sends nothing and reads no clock.
//!
//! A business writes a table ([`Policy::parse`]: which class of data, to which
//! destination, on which ground, raw or redacted); without a row a datum stays
//! on the box. Each row becomes one Cedar policy under the row's id, beside the
//! standing promises and the caller's wishes, which forbid whatever the rows say.
//! A row to which its author gives no id is named after its place in the table:
//! `row-1`, `row-2`, …
//!
//! An owner signs a text with OpenSSL alone: `openssl genpkey -algorithm ed25519
//! -out owner.pem` makes the key, `openssl pkey -in owner.pem -pubout | sed -n 2p`
//! shows what stands in `owner_keys`, and `openssl pkeyutl
//! -sign -rawin -inkey owner.pem -in residency.toml -out residency.toml.sig` signs.

mod call_policy;
mod cedar;
mod class;
mod clause;
mod clearance;
mod common;
mod country;
mod destination;
mod explain;
mod file;
mod gate;
mod in_force;
mod mistake;
mod owner;
mod policy;
mod transfer;
mod widening;
mod wishes;

pub use class::{DataClass, Ground, UnknownName};
pub use clearance::{Clearance, Cleared, Party, Payload, Redact};
pub use destination::{AskedHost, Contract, Destination, DestinationId, Host, InvalidDestination, Safeguards};
pub use explain::{Explanation, SENSITIVE_IS_NOT_LOOKED_FOR};
pub use file::{DESTINATIONS_MAX, POLICY_BYTES_MAX, ROWS_MAX};
pub use gate::{CallGate, Refused};
pub use in_force::{Adopted, InForce, NotAdopted, TEXTS_MAX, Waiting};
pub use mistake::{MISTAKES_MAX, PolicyMistake, PolicyMistakes, PolicyPlace, PolicyWrong};
pub use owner::{InvalidOwner, OwnerKey, OwnerSignature};
pub use policy::{Decision, NOTICE_PERIOD_DAYS, Policy, Row, Verdict};
pub use transfer::{Carried, Reported, Transfer};
pub use widening::{Callers, Loosening, Widening, widenings};
pub use wishes::{CallerWish, CallerWishes};
