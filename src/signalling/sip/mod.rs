//! SIP without a socket: the first guard in front of the stack, session
//! descriptions, the dialog of one call, and which of its digits count. Nothing here sends, waits or looks
//! at a clock: bytes and times come in, and what is wanted of the world goes out.

mod cause;
mod dialog;
mod digit_ways;
mod guard;
mod sdp;
mod stream;

pub use cause::{cause_of_status, status_of_cause};
pub use dialog::{Dialog, ExchangeId, Notice, Output, Refusal, Timer};
pub use digit_ways::{DigitWay, DigitWays};
pub use guard::{ALLOW, Dropped, Guarded, MAX_MESSAGE, Passed, inspect, refuse};
pub use sdp::{Agreed, AudioOffer, Direction, Encoding, LocalAudio, NoCommonCodec, SdpError};
pub use stream::{Delimited, delimit};
