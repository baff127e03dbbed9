//! Telephone lines as the desk sees them. A driver turns its line into
//! [`Offer`]s and [`Leg`]s; it never knows what a conversation is, and it never
//! imports another driver.

mod leg;

pub use leg::{
    EarFrame, FrameOrigin, Leg, LegCommand, LegEvent, Line, LineHealth, LineState, Mouth, MouthEpoch, MouthEvent, MouthFrame, Offer,
};
