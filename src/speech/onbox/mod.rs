//! Engines that run on the box itself, below the priority of the media clock.
//! Nothing here opens a network connection at run time.

pub mod clauses;
mod embedder;
mod mind;
pub mod models;
mod phonemes;
mod piper;
mod pool;
mod smart_turn;
pub(in crate::speech) mod turn_sound;
pub(in crate::speech) mod whisper;
mod word_pieces;

pub use embedder::{EMBEDDING_WIDTH, EmbedError, Embedder, LoadEmbedder};
pub use mind::{BuildMind, KnowledgeMind, LookedUp};
pub use phonemes::{PhonemeError, Phonemizer, Respellings};
pub use piper::{LoadVoice, PiperVoice, RunVoice};
pub use pool::{Pool, PoolFull, PoolSize, Priority, StartPool, rten_companion};
pub use smart_turn::{JudgeTurn, LoadTurn, SmartTurn};
pub use whisper::{LoadEars, MomentSource, WhisperEars};
pub use word_pieces::ReadWordPieces;
