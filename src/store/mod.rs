//! The encrypted memory of the box; the only module that writes the disk.
//!
//! [`Vault`] is the way in; [`CallMemory`] keeps one call while it lasts. The
//! index is SQLCipher, sound is Tink's streaming format, both under keys of the
//! [`Keyring`]. Disk formats are private to this module and frozen per version.
//! It never decides what is kept or for how long, and never talks to a network.

mod call_memory;
mod catch_up;
mod deliveries;
mod disk;
mod index;
pub mod journal;
mod keyring;
mod leg_writer;
mod marks;
mod modems;
mod pin_tries;
mod playback;
mod policies;
mod recorder;
mod records;
mod recovery;
mod renderings;
mod reports;
mod sound;
mod texts;
mod tink;
mod transfers;
mod v1;
mod v2;
mod v3;
mod v4;
mod v5;
mod vault;
mod wav;

pub use call_memory::CallMemory;
pub use catch_up::{HearAgain, HearingFault, SecondHearing, Waiting};
pub use deliveries::{TextDelivery, TextFate};
pub use index::IndexError;
pub use keyring::{Keyring, KeyringError, KeyringStatus, RandomFailed};
pub use modems::{KnownModem, Modems, SoundWay};
pub use pin_tries::{PinPlace, PinVerdict};
pub use playback::SoundError;
pub use policies::KeptPolicies;
pub use recorder::{Clock, FaultCounts, RecorderEnded, SoundTap};
pub use records::{CallHeader, CallSummary, ReadRowError, RowError};
pub use recovery::RecoveryError;
pub use renderings::{ALL_RENDERINGS_MAX, RENDERING_MAX, RenderingKey, Rendition};
pub use reports::{PartReport, Reports, SentPart};
pub use sound::Leg;
pub use texts::{EndedText, KeptText, OutgoingText, TextEnd, TextTry, Texts, WaitingText};
pub use transfers::{RegisterError, TransferQuery, TransferTotal};
pub use vault::{KeepError, OpenError, ReadError, SettleError, SoundFile, Vault};
pub use wav::Wav;
