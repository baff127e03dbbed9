//! What the business knows, and finding the answer in it. Pure: the calendar
//! time and the embeddings of questions are handed in. It never invents: what
//! it says stands in the business's own file or is computed from its hours.

mod bm25;
mod clauses;
pub mod facts;
mod file;
mod find;
mod finding;
pub mod hours;
mod intent;
pub mod judge;
mod menu;
mod mistake;
pub mod numbers;
mod people;
mod pidgin;
pub mod readback;
pub mod say;
mod sayings;
mod sounds_like;
mod spoken;
mod text_me;
mod topic;
pub mod when;
mod words;

pub use file::{
    Entry, KnowledgeBase, MAX_ANSWER_CHARS, MAX_ENTRIES, MAX_FILE_BYTES, MAX_HOLIDAYS, MAX_PEOPLE, MAX_PRONUNCIATIONS,
    MAX_QUESTION_CHARS, MAX_WAYS, Person, Pronunciation, RingTimes,
};
pub use find::{Found, KnowledgeIndex, Recollection};
pub use finding::{Finding, Guess, Spoken, Written};
pub use hours::{Holiday, HolidayDate, OpenSpan, OpeningHours};
pub use intent::only_waits;
pub use menu::{KeypadMenu, MenuChoice, RingsForAnybody};
pub use mistake::{MAX_MISTAKES, Mistake, Mistakes, Place, Wrong};
pub use spoken::as_spoken;
pub use topic::{Passage, Topic};
