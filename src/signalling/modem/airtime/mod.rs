//! Airtime and data of a SIM: what the network's answers say of them, when to ask
//! again, and a warning before they run out. Pure: the time is handed in, and it
//! asks nothing itself. An answer is somebody else's wording: nothing is bought or
//! sent because of it.

mod around;
mod found;
mod learning;
mod operators;
mod reading;
mod watch;

pub use found::{Day, Kobo, Volume};
pub use learning::{Lesson, shape};
pub use operators::{Asks, Finds, InvalidOperators, Operator, Operators};
pub use reading::{AirtimeReading, ReadBy, Shown, learnt};
pub use watch::{AirtimePlan, AirtimeWarning, AirtimeWatch, Forecast, READINGS_MAX, Reason};
