//! Ears, mind and voice: the traits that every engine, on the box or in the
//! cloud, is driven through. Engines answer over bounded channels and know
//! nothing of lines, of the store or of what a call is.

pub mod cloud;
mod delivery;
mod ears;
pub mod failover;
pub mod lan;
mod mind;
pub mod onbox;
mod setting;
mod voice;

pub use delivery::VoiceDeadlines;
pub use ears::{AwaitedWords, Confidence, EarsError, EarsEvent, Heard, Hearing, JudgesBy, Transcriber};
pub use mind::{MindError, MindEvent, Responder, Thinking, TryAgain, Waited};
pub use setting::{CallSetting, Hints};
pub use voice::{Again, Awaited, SpeakRequest, Speaking, Synthesizer, Voice, VoiceError, VoiceEvent};
