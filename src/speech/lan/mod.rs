//! Engines in the business's own network, over the Wyoming protocol: ears and a
//! voice. It never goes further than the network, and what is heard and said
//! reaches no log.

mod config;
mod ears;
pub mod event;
mod payload;
mod voice;

pub use config::{WyomingEarsConfig, WyomingVoiceConfig};
pub use ears::WyomingEars;
pub use voice::WyomingVoice;
