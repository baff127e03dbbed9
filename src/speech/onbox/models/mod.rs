//! The models that the box runs: which they are, where they come from, and
//! whether the files on the disk are the right ones.

pub mod convert;
