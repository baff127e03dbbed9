//! Samples and packets: the arithmetic of telephone sound. No sockets, and no
//! clock of its own: the time of arrival and of playing is handed in.

mod codec;
mod conceal;
mod dtmf;
mod echo;
mod echo_cancel;
mod elastic;
mod finish;
mod frame;
pub mod g711;
mod jitter;
mod level;
mod loudness;
mod opus;
mod packet;
mod playout;
mod quality;
mod receiver;
mod resample;
mod ringing;
pub mod rtcp;
mod tone;
mod voice_activity;

pub use codec::{Codec, DecodePayloadError, Decoder, Encoder, FRAME_OCTETS, MAX_PAYLOAD};
pub use conceal::Concealer;
pub use dtmf::{Digit, DigitQueueFull, DigitReceiver, DigitSender, EventPacket, ParseEventError, TelephoneEvent};
pub use echo::EchoGuard;
pub use echo_cancel::EchoCanceller;
pub use elastic::{Elastic, ElasticCounts};
pub use finish::VoiceFinish;
pub use frame::{FRAME_MS, Frame, SampleRate};
pub use jitter::{Activity, Inserted, JitterBuffer, JitterStats, Pulled, Reception};
pub use level::{Fade, Level, SILENCE_DBFS, VolumeControl};
pub use loudness::{Loudness, ramp};
pub use opus::{OpusEncoder, OpusError};
pub use packet::{MAX_PACKET, ParseRtpError, RtpPacket, RtpStart, RtpStream};
pub use playout::{Due, PlayoutClock};
pub use quality::{Heard, mean_opinion_score};
pub use receiver::SoundReceiver;
pub use resample::{Conversion, Resampler, UnknownRate};
pub use ringing::RingingTone;
pub use tone::ToneDetector;
pub use voice_activity::{Attention, VoiceActivity, VoiceFact};
