//! What a caller's ears send, as frames of 20 ms at 16 kHz, and where voice is
//! in them. Time is that of the sound: the position in the stream.

use std::collections::VecDeque;
use std::time::Duration;

use milu::media::{Conversion, FRAME_MS, Frame, Resampler, SampleRate, VoiceActivity, VoiceFact, g711};
use milu::terms::Moment;
use thiserror::Error;

use super::opus::OpusStream;

pub const HZ: usize = 16_000;
const FRAME: Duration = Duration::from_millis(FRAME_MS as u64);

/// Frames kept from before a voice is noticed: the noticing takes 160 ms, and a
/// soft first sound lies before it.
const PRE_ROLL: usize = 15;

/// The payload is not sound of the encoding that was agreed on.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the payload is no sound of the stated encoding")]
pub struct NotSound;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Linear16,
    MuLaw,
    ALaw,
    Opus,
}

impl Encoding {
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "linear16" => Some(Self::Linear16),
            "mulaw" => Some(Self::MuLaw),
            "alaw" => Some(Self::ALaw),
            "opus" => Some(Self::Opus),
            _ => None,
        }
    }
}

/// Bytes in, frames out.
pub struct SoundDecoder {
    encoding: Encoding,
    opus: Option<OpusStream>,
    up: Option<Resampler>,
    /// The first half of a sample of 16 bits whose second half is still to come.
    half: Option<u8>,
    /// Samples at 16 kHz that do not yet make a frame.
    rest: Vec<i16>,
}

impl SoundDecoder {
    /// `rate` is the line's; Opus says its own in each packet.
    pub fn new(encoding: Encoding, rate: SampleRate) -> Result<Self, NotSound> {
        let opus = if encoding == Encoding::Opus { Some(OpusStream::new()?) } else { None };
        let narrow = rate == SampleRate::Hz8000 && opus.is_none();
        let up = narrow.then(|| Resampler::new(Conversion::Hz8000ToHz16000));
        Ok(Self { encoding, opus, up, half: None, rest: Vec::new() })
    }

    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, NotSound> {
        let samples = match (self.encoding, &mut self.opus) {
            (Encoding::Opus, Some(opus)) => opus.decode(bytes)?,
            (Encoding::MuLaw, _) => bytes.iter().map(|&code| g711::decode_mu_law(code)).collect(),
            (Encoding::ALaw, _) => bytes.iter().map(|&code| g711::decode_a_law(code)).collect(),
            (Encoding::Linear16 | Encoding::Opus, _) => self.linear(bytes),
        };
        match &mut self.up {
            Some(up) => up.push(&samples, &mut self.rest),
            None => self.rest.extend(samples),
        }
        let len = SampleRate::Hz16000.frame_len();
        let whole = self.rest.len() / len * len;
        let frames = self.rest[..whole].chunks(len).map(|s| Frame::from_samples(SampleRate::Hz16000, s)).collect();
        self.rest.drain(..whole);
        Ok(frames)
    }

    fn linear(&mut self, bytes: &[u8]) -> Vec<i16> {
        let mut all: Vec<u8> = self.half.take().into_iter().collect();
        all.extend_from_slice(bytes);
        let (pairs, rest) = all.as_chunks::<2>();
        self.half = rest.first().copied();
        pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
    }
}

/// Listens for voice along the stream, and keeps the sound of what is being said.
pub struct Track {
    activity: VoiceActivity,
    /// The end of the last frame.
    now: Moment,
    before: VecDeque<Frame>,
    kept: Option<Vec<i16>>,
}

impl Track {
    pub fn new() -> Self {
        let before = VecDeque::with_capacity(PRE_ROLL);
        Self { activity: VoiceActivity::new(), now: Moment::START, before, kept: None }
    }

    /// The next frame. Its sound is kept if something is being kept.
    pub fn hear(&mut self, frame: &Frame) -> Option<VoiceFact> {
        let began = self.now;
        self.now = began + FRAME;
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(frame.samples());
        }
        if self.before.len() == PRE_ROLL {
            self.before.pop_front();
        }
        self.before.push_back(*frame);
        self.activity.hear(frame, began)
    }

    pub const fn now(&self) -> Moment {
        self.now
    }

    pub const fn is_speaking(&self) -> bool {
        self.activity.is_speaking()
    }

    /// Keeps the sound from here on, and what came just before it.
    pub fn keep(&mut self) {
        self.kept = Some(self.before.iter().flat_map(|frame| frame.samples().iter().copied()).collect());
    }

    /// The sound that is being kept, until now.
    pub fn kept(&self) -> &[i16] {
        self.kept.as_deref().unwrap_or_default()
    }

    /// Ends a piece: its sound, and keeping begins anew with nothing.
    pub fn cut(&mut self) -> Vec<i16> {
        self.kept.replace(Vec::new()).unwrap_or_default()
    }

    /// Ends keeping.
    pub fn let_go(&mut self) -> Vec<i16> {
        self.kept.take().unwrap_or_default()
    }

    /// Where the sound that is being kept began.
    pub fn kept_since(&self) -> Moment {
        self.now - length(self.kept())
    }
}

pub fn length(samples: &[i16]) -> Duration {
    Duration::from_micros(samples.len() as u64 * 1_000_000 / HZ as u64)
}

/// Seconds from the stream's beginning, as the vendor writes them.
pub fn seconds(at: Moment) -> f64 {
    Duration::from_micros(at.as_micros()).as_secs_f64()
}
