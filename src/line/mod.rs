//! Telephone lines as the desk sees them. A driver turns its line into
//! [`Offer`]s and [`Leg`]s; it never knows what a conversation is, and it never
//! imports another driver.

pub mod audio;
pub mod gsm;
mod leg;
mod leg_end;
mod media_clock;
mod mouth_end;
pub mod simulated;
pub mod sip;
pub mod sound_card;

pub use leg::{
    EarFrame, FrameOrigin, Leg, LegCommand, LegEvent, Line, LineHealth, LineState, Mouth, MouthEpoch, MouthEvent,
    MouthFrame, Offer, Rhythm,
};
pub use leg_end::{EventEnd, LegEnd, leg};
pub use media_clock::{ClockGone, MediaClock, MediaPort, ReadClock, Stay};
pub use mouth_end::MouthEnd;
