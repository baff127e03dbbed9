//! The encrypted memory of the box; the only module that writes the disk.

mod disk;
mod keyring;
mod tink;

pub use keyring::{Keyring, KeyringError, KeyringStatus, RandomFailed};
