//! Samples and packets: the arithmetic of telephone sound. No sockets, and no
//! clock of its own: the time of arrival and of playing is handed in.

mod codec;
mod conceal;
mod dtmf;
mod frame;
pub mod g711;
mod jitter;
mod level;
mod packet;
mod playout;
mod resample;
mod tone;

pub use codec::{Codec, DecodePayloadError, Decoder, Encoder, FRAME_OCTETS, MAX_PAYLOAD};
pub use conceal::Concealer;
pub use dtmf::{Digit, DigitQueueFull, DigitReceiver, DigitSender, EventPacket, ParseEventError, TelephoneEvent};
pub use frame::{FRAME_MS, Frame, SampleRate};
pub use jitter::{Activity, Inserted, JitterBuffer, JitterStats, Pulled};
pub use level::{Fade, Level, SILENCE_DBFS, VolumeControl};
pub use packet::{MAX_PACKET, ParseRtpError, RtpPacket, RtpStart, RtpStream};
pub use playout::{Due, PlayoutClock};
pub use resample::{Conversion, Resampler};
pub use tone::ToneDetector;
