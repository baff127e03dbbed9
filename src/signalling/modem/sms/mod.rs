//! Short messages (3GPP TS 23.040, alphabets of TS 23.038): what modems show in
//! PDU mode is read, what is to be sent is composed, and texts in parts are put
//! together. Pure: times are handed in. Whom a text is from and what it says are
//! a person's, and stand in no error.

mod address;
mod alphabet;
mod assembly;
mod coding;
mod compose;
mod content;
mod delivery;
mod header;
pub(super) mod hex;
mod pdu;
mod reader;
pub(super) mod septets;
mod tables;
mod text_mode;
mod time;
mod typography;

pub use address::{Address, NumberKind};
pub use alphabet::{Alphabet, Language};
pub use assembly::{Assembly, IncomingText, TEXT_AGE_MAX, TEXTS_MAX, Taken, Unread, Wholeness};
pub use coding::{Characters, Coding, Waiting};
pub use compose::{CannotCompose, Outgoing, PARTS_MAX, ReadyPart, ReportWish, Typography, compose};
pub use content::{Body, Content};
pub use delivery::{AfterSendError, Delivery, DeliveryTrouble};
pub use header::{Header, PartOf, Ports, ReferenceWidth};
pub use pdu::{Completeness, Deliver, Message, PDU_OCTETS_MAX, Pdu, Report, Submit, UnreadablePdu};
pub use text_mode::{TextModeMessage, TextModeStatus};
pub use time::{CentreTime, Validity};
