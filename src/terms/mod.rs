//! Floor 0: the nouns that everyone shares. Nothing here acts: no clock, no
//! random source, no file, no socket; ids and times are handed in.

mod cause;
mod id;
mod language;
mod moment;
pub mod numerals;
mod phone;
mod private;
mod site;
mod spelling;

pub use cause::EndCause;
pub use id::{CallId, HandsetId, InvalidId, LineId, RequestId, TurnId, UtteranceId};
pub use language::Language;
pub use moment::Moment;
pub use phone::{InvalidPhoneNumber, PhoneNumber};
pub use private::Private;
pub use site::is_on_site;
pub use spelling::edit_distance;
