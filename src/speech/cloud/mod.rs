//! Ears, mind and voice that stand elsewhere, in the cloud or on a server of the
//! business's own network: each speaks its provider's protocol through the one
//! door, and sends nothing that the call's gate has not cleared. None knows of
//! the others, none decides which is used, and none logs what was said.

pub mod anthropic;
pub mod deepgram;
pub mod elevenlabs;
pub mod mind;
pub mod openai;
