//! Whose turn it is: the end of a turn, barge-in, false interruption, silence,
//! and what was really heard. Pure: facts about speech come in with their
//! times and directives go out. There is no sound here, no engine, and no
//! opinion on what is said.

mod endpointer;
mod fact;
mod gist;
mod pace;
mod silence;
mod timer;
mod transcript;
mod turn_taker;
mod utterance;

pub use endpointer::{Endpointer, Floor, PATIENCE_MAX, Pause, pause_that_ends};
pub use fact::{Directive, Expectation, Fact, Manners, NoTurn, Overlap, Resumption, SilenceNth, Trust};
pub use gist::{Gist, ends_a_sentence};
pub use pace::PAUSE_REPORTED_AFTER;
pub use transcript::{Played, Transcript, WordEnd, heard_text};
pub use turn_taker::TurnTaker;
pub use utterance::Utterance;
