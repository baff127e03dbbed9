//! What the business knows, and finding the answer in it. Pure: the calendar
//! time and the embeddings of questions are handed in. It never invents: what
//! it says stands in the business's own file or is computed from its hours.

mod finding;
pub mod hours;
pub mod numbers;
pub mod when;
mod words;

pub use finding::{Finding, Spoken};
