//! Ears, mind and voice that stand elsewhere: each speaks its provider's
//! protocol through the one door, and sends nothing that the call's gate has
//! not cleared. None knows of the others, and none decides which is used.

pub mod deepgram;
