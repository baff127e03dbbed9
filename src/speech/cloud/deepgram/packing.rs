use std::time::Duration;

use crate::media::{Conversion, Frame, OpusEncoder, OpusError, Resampler, SampleRate, g711};
use crate::terms::Moment;

use super::config::Api;
use super::query::Encoding;

const FRAME: Duration = Duration::from_millis(20);

/// Samples of a frame at 16 kHz.
const WIDE: usize = SampleRate::Hz16000.frame_len();

/// Frames of 20 ms in one message.
///
/// A message costs some 90 octets beside its sound (TCP/IP 52, TLS 22, WebSocket
/// 8, and the acknowledgement): with 20 ms of mu-law in it, more than half as
/// much again. With 60 ms it is a sixth, and 60 ms are what Opus codes in one
/// piece. Nobody waits for a message to fill, because what there is is sent when
/// the caller pauses. Flux listens in steps of 80 ms, and smaller pieces would
/// only wait there.
const fn frames_per_message(api: Api, encoding: Encoding) -> usize {
    match (api, encoding) {
        (Api::V1, _) | (Api::Flux, Encoding::Opus) => 3,
        (Api::Flux, Encoding::Linear16 | Encoding::Mulaw) => 4,
    }
}

/// Sound on its way, and the part of the call that it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packed {
    pub(super) octets: Vec<u8>,
    /// When its first sample was heard.
    pub(super) at: Moment,
    pub(super) length: Duration,
}

/// Gathers one call's frames into messages of the stream's encoding.
pub(super) struct Packing {
    encoding: Encoding,
    frames_max: usize,
    narrow: Resampler,
    widen: Resampler,
    opus: Option<OpusEncoder>,
    /// At the encoding's rate.
    samples: Vec<i16>,
    frames: usize,
    at: Moment,
}

impl Packing {
    pub(super) fn new(api: Api, encoding: Encoding, line: SampleRate) -> Result<Self, OpusError> {
        let frames_max = frames_per_message(api, encoding);
        Ok(Self {
            encoding,
            frames_max,
            narrow: Resampler::new(Conversion::Hz16000ToHz8000),
            widen: Resampler::new(Conversion::Hz8000ToHz16000),
            opus: if encoding == Encoding::Opus { Some(OpusEncoder::new(line)?) } else { None },
            samples: Vec::with_capacity(WIDE * frames_max),
            frames: 0,
            at: Moment::START,
        })
    }

    /// Sound in a full message.
    pub(super) fn message_length(&self) -> Duration {
        FRAME * u32::try_from(self.frames_max).unwrap_or(1)
    }

    pub(super) const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Takes the next frame; gives a message once it is full.
    pub(super) fn frame(&mut self, frame: &Frame, at: Moment) -> Result<Option<Packed>, OpusError> {
        if self.frames == 0 {
            self.at = at;
        }
        let wanted = if self.encoding == Encoding::Mulaw { SampleRate::Hz8000 } else { SampleRate::Hz16000 };
        let converted = match (frame.rate(), wanted) {
            (SampleRate::Hz16000, SampleRate::Hz8000) => self.narrow.frame(frame),
            (SampleRate::Hz8000, SampleRate::Hz16000) => self.widen.frame(frame),
            _ => *frame,
        };
        self.samples.extend_from_slice(converted.samples());
        self.frames += 1;
        if self.frames == self.frames_max { self.flush() } else { Ok(None) }
    }

    /// What is gathered, if anything is.
    pub(super) fn flush(&mut self) -> Result<Option<Packed>, OpusError> {
        if self.frames == 0 {
            return Ok(None);
        }
        let length = FRAME * u32::try_from(self.frames).unwrap_or(0);
        let octets = self.encoded()?;
        self.samples.clear();
        self.frames = 0;
        Ok(Some(Packed { octets, at: self.at, length }))
    }

    /// A message of silence, to keep a stream open. What is gathered goes first.
    pub(super) fn silence(&mut self) -> Result<(Vec<u8>, Duration), OpusError> {
        debug_assert_eq!(self.frames, 0, "sound that is gathered goes before silence");
        let rate = if self.encoding == Encoding::Mulaw { SampleRate::Hz8000 } else { SampleRate::Hz16000 };
        self.samples.resize(rate.frame_len(), 0);
        let octets = self.encoded()?;
        self.samples.clear();
        Ok((octets, FRAME))
    }

    fn encoded(&mut self) -> Result<Vec<u8>, OpusError> {
        match (self.encoding, &mut self.opus) {
            (Encoding::Mulaw, _) => Ok(self.samples.iter().map(|s| g711::encode_mu_law(*s)).collect()),
            (Encoding::Opus, Some(opus)) => opus.encode(&self.samples),
            (Encoding::Linear16 | Encoding::Opus, _) => Ok(self.samples.iter().flat_map(|s| s.to_le_bytes()).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packing(api: Api, encoding: Encoding) -> Packing {
        Packing::new(api, encoding, SampleRate::Hz16000).unwrap()
    }

    fn frames(count: u64) -> impl Iterator<Item = (Frame, Moment)> {
        (0..count).map(|n| {
            let samples = [i16::try_from(n).unwrap() * 256; WIDE];
            (Frame::from_samples(SampleRate::Hz16000, &samples), Moment::from_micros(20_000 * n))
        })
    }

    fn packed(packing: &mut Packing, count: u64) -> Vec<Packed> {
        frames(count).filter_map(|(frame, at)| packing.frame(&frame, at).unwrap()).collect()
    }

    #[test]
    fn a_message_has_sixty_milliseconds_or_eighty_for_flux() {
        for (api, ms) in [(Api::V1, 60), (Api::Flux, 80)] {
            let made = packed(&mut packing(api, Encoding::Linear16), 24);
            assert_eq!(made.len() as u64, 480 / ms);
            for (n, message) in (0..).zip(&made) {
                assert_eq!(message.length, Duration::from_millis(ms));
                assert_eq!(message.at, Moment::from_micros(ms * 1000 * n));
                assert_eq!(message.octets.len() as u64, ms * 32);
            }
        }
    }

    #[test]
    fn what_is_gathered_is_sent_when_it_is_asked_for() {
        let mut packing = packing(Api::V1, Encoding::Linear16);
        assert_eq!(packed(&mut packing, 2), []);
        let sent = packing.flush().unwrap().expect("two frames were gathered");
        assert_eq!((sent.length, sent.octets.len()), (Duration::from_millis(40), 40 * 32));
        // 16 bit, the low octet first: the second frame's samples are 256.
        assert_eq!(sent.octets[sent.octets.len() - 2..], [0, 1]);
        assert_eq!(packing.flush().unwrap(), None);
    }

    #[test]
    fn each_encoding_has_its_size() {
        let size = |encoding| packed(&mut packing(Api::V1, encoding), 48).iter().map(|p| p.octets.len()).sum::<usize>();
        // Of 960 ms.
        assert_eq!(size(Encoding::Linear16), 960 * 32);
        assert_eq!(size(Encoding::Mulaw), 960 * 8);
        assert!(size(Encoding::Opus) < 960 * 4);
    }

    #[test]
    fn a_narrow_frame_fits_every_encoding() {
        for encoding in [Encoding::Linear16, Encoding::Mulaw, Encoding::Opus] {
            let mut packing = packing(Api::V1, encoding);
            for _ in 0..2 {
                let none = packing.frame(&Frame::silence(SampleRate::Hz8000), Moment::START).unwrap();
                assert_eq!(none, None);
            }
            let full = packing.frame(&Frame::silence(SampleRate::Hz8000), Moment::START).unwrap();
            assert_eq!(full.map(|p| p.length), Some(Duration::from_millis(60)), "{encoding:?}");
        }
    }

    #[test]
    fn the_sound_of_a_narrow_line_is_sent_as_it_came() {
        let samples: [i16; 160] = std::array::from_fn(|n| if n % 2 == 0 { 8_000 } else { -8_000 });
        let frame = Frame::from_samples(SampleRate::Hz8000, &samples);
        let mut packing = Packing::new(Api::V1, Encoding::Mulaw, SampleRate::Hz8000).unwrap();
        packing.frame(&frame, Moment::START).unwrap();
        let sent = packing.flush().unwrap().expect("a frame was gathered");
        assert!(sent.octets.iter().copied().eq(samples.map(g711::encode_mu_law)), "no filter has touched it");
    }

    #[test]
    fn silence_is_silence_in_every_encoding() {
        assert_eq!(packing(Api::Flux, Encoding::Linear16).silence().unwrap().0, vec![0; 640]);
        assert_eq!(packing(Api::Flux, Encoding::Mulaw).silence().unwrap().0, vec![0xFF; 160]);
        let (octets, length) = packing(Api::Flux, Encoding::Opus).silence().unwrap();
        assert!(!octets.is_empty() && length == FRAME);
    }
}
