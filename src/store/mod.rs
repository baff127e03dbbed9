//! The encrypted memory of the box; the only module that writes the disk.
//!
//! [`Vault`] is the way in; [`CallMemory`] keeps one call while it lasts. The
//! index is SQLCipher, sound is Tink's streaming format, both under keys of the
//! [`Keyring`]. Disk formats are private to this module and frozen per version.
//! It never decides what is kept or for how long, and never talks to a network.

mod call_memory;
mod disk;
mod index;
pub mod journal;
mod keyring;
mod leg_writer;
mod marks;
mod playback;
mod recorder;
mod records;
mod recovery;
mod renderings;
mod sound;
mod tink;
mod v1;
mod v2;
mod vault;

pub use call_memory::CallMemory;
pub use index::IndexError;
pub use keyring::{Keyring, KeyringError, KeyringStatus, RandomFailed};
pub use playback::SoundError;
pub use recorder::{Clock, FaultCounts, RecorderEnded, SoundTap};
pub use records::{CallHeader, CallSummary, ReadRowError, RowError};
pub use recovery::RecoveryError;
pub use renderings::{RenderingKey, Rendition};
pub use sound::Leg;
pub use vault::{ExportError, KeepError, OpenError, ReadError, SoundFile, Vault};
