//! What is a person's identifier in what people say and write, and how it is
//! kept out of what leaves the box or is stored. Pure: it keeps nothing, sends
//! nothing and knows no provider.

mod amounts;
mod checks;
mod email;
mod judge;
mod keypad;
mod kind;
mod lexicon;
mod memory;
mod redactor;
mod runs;
mod shapes;
mod stream;
mod token;

pub use checks::{is_card_like, luhn, nuban, verhoeff};
pub use keypad::{Keyed, KeypadGuard, Withheld};
pub use kind::{Found, Kind};
pub use redactor::{Redactor, Side, Spoken};
pub use stream::{CAREFUL_MAX, StreamRedactor};
