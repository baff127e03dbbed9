//! A language model as the box's mind. The box's own mind stays beside it: what
//! needs no model (yes, no, a person, a message, goodbye) is settled on the box
//! and not sent; a question goes out with what the box found for it, and no
//! reply is said that names a fact which the business did not. It opens no
//! connection of its own, and logs nobody's words.

mod ask;
mod config;
mod delta;
mod history;
mod metered;
mod prompt;
mod question;
mod reply;
mod responder;
mod sentences;
mod sse;
mod tools;

pub use ask::{Ask, Facts, Part, Purpose, Side, Turn};
pub use config::{Deadlines, Dialect};
pub use delta::{Decode, Delta, Stop, TokensUsed, ToolAsked};
pub use responder::{CloudMind, MindParts, Witness};
pub use sentences::{left_unsaid, whole_sentences};
pub use sse::{BadStream, EventStream, ServerSent};
pub use tools::{BoxTools, Knows, Tool, ToolOutcome, Tools};
