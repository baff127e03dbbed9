//! Samples and packets: the arithmetic of telephone sound. No sockets, and no
//! clock of its own: the time of arrival and of playing is handed in.

mod frame;

pub use frame::{FRAME_MS, Frame, SampleRate};
