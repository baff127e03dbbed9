//! USSD: the codes like `*310#` that a network answers at once, in every writing
//! that modems have for them, and menus of several steps. Pure: times are handed
//! in, and rows to write come out. It starts nothing by itself: a code can cost
//! money.

mod dialog;
mod reading;
mod request;
mod row;
mod ways;

pub use dialog::{ANSWER_WAIT_MAX, DialogEnd, MENU_WAIT_MAX, STEPS_MAX, UssdDialog, UssdRefusal, UssdStep};
pub use reading::{UssdReading, read_text};
pub use request::{CANCEL_ROW, CannotAsk, UssdForm, request};
pub use row::{UssdRow, UssdStatus, is_open};
pub use ways::{UssdWay, UssdWays};
