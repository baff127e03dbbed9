//! Engines that run on the box itself, below the priority of the media clock.
//! Nothing here opens a network connection at run time.

mod embedder;
mod mind;
pub mod models;
mod pool;
mod word_pieces;

pub use embedder::{EMBEDDING_WIDTH, EmbedError, Embedder, LoadEmbedder};
pub use mind::{BuildMind, KnowledgeMind};
pub use pool::{Pool, PoolFull, PoolSize, Priority, StartPool, rten_companion};
pub use word_pieces::ReadWordPieces;
