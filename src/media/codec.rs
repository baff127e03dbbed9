//! The three codecs that every SIP peer knows, behind one face. G.711 is our own;
//! G.722 is the `audio-codec` crate, whose slice functions do not allocate.
//!
//! All three carry eight octets a millisecond, and one octet is one tick of the
//! RTP clock, G.722 included (RFC 3551 section 4.5.2).

use audio_codec::g722::{G722Decoder, G722Encoder};
use audio_codec::{Decoder as _, Encoder as _};
use thiserror::Error;

use super::{Frame, SampleRate, g711};

/// Octets of one frame of 20 ms in any of the codecs.
pub const FRAME_OCTETS: usize = 160;

/// The longest packet that is accepted: 60 ms, the longest that gateways are seen to send.
pub const MAX_PAYLOAD: usize = 480;

/// Samples that may wait between two pulls: one packet of 60 ms behind two frames
/// not yet taken, at 16 kHz.
const RING: usize = 1_600;

/// A way to carry speech over RTP.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Codec {
    /// G.711 A-law: Europe, Africa, most of Asia.
    Pcma,
    /// G.711 mu-law: North America, Japan.
    Pcmu,
    /// G.722 at 64 kbit/s: wide band.
    G722,
}

impl Codec {
    pub const ALL: [Self; 3] = [Self::Pcma, Self::Pcmu, Self::G722];

    /// The static RTP payload type (RFC 3551 table 4).
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
        }
    }

    /// The codec of a static payload type.
    pub fn from_payload_type(payload_type: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.payload_type() == payload_type)
    }

    /// Ticks a second of the RTP timestamp: 8000 for G.722 as well, by an old
    /// mistake that RFC 3551 section 4.5.2 keeps.
    pub const fn rtp_clock_hz(self) -> u32 {
        8_000
    }

    pub const fn sample_rate(self) -> SampleRate {
        match self {
            Self::Pcma | Self::Pcmu => SampleRate::Hz8000,
            Self::G722 => SampleRate::Hz16000,
        }
    }

    /// The name in SDP (RFC 3551).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
            Self::G722 => "G722",
        }
    }

    /// The codec of an SDP name, in any case of letters.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))
    }
}

/// Turns frames into payloads; one a call and direction, since G.722 has memory.
pub struct Encoder {
    codec: Codec,
    g722: G722Encoder,
}

impl Encoder {
    pub fn new(codec: Codec) -> Self {
        Self { codec, g722: G722Encoder::new() }
    }

    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// Encodes one frame of the codec's own sample rate.
    ///
    /// # Panics
    /// If the frame has the other rate: the caller forgot to resample.
    pub fn encode(&mut self, frame: &Frame, out: &mut [u8; FRAME_OCTETS]) {
        assert_eq!(frame.rate(), self.codec.sample_rate(), "{} takes its own rate only", self.codec.name());
        match self.codec {
            Codec::Pcma => encode_each(frame, out, g711::encode_a_law),
            Codec::Pcmu => encode_each(frame, out, g711::encode_mu_law),
            Codec::G722 => {
                let written = self.g722.encode_into(frame.samples(), out);
                debug_assert!(matches!(written, Ok(FRAME_OCTETS)), "two samples make one octet");
            }
        }
    }
}

fn encode_each(frame: &Frame, out: &mut [u8; FRAME_OCTETS], encode: fn(i16) -> u8) {
    for (octet, &sample) in out.iter_mut().zip(frame.samples()) {
        *octet = encode(sample);
    }
}

#[derive(Debug, Error, PartialEq, Eq)]
pub enum DecodePayloadError {
    #[error("decoding a payload of {octets} octets: at most 480 (60 ms) are accepted")]
    TooLong { octets: usize },
    #[error("decoding a payload: {waiting} samples still wait to be taken")]
    NoRoom { waiting: usize },
}

/// Turns payloads of any length up to 60 ms into frames of 20 ms.
pub struct Decoder {
    codec: Codec,
    g722: G722Decoder,
    waiting: [i16; RING],
    len: usize,
}

impl Decoder {
    pub fn new(codec: Codec) -> Self {
        Self { codec, g722: G722Decoder::new(), waiting: [0; RING], len: 0 }
    }

    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// Samples that are decoded and not yet taken.
    pub const fn waiting(&self) -> usize {
        self.len
    }

    /// Whether [`Self::take`] would give a frame.
    pub const fn has_frame(&self) -> bool {
        self.len >= self.codec.sample_rate().frame_len()
    }

    /// Decodes one payload behind what already waits.
    pub fn push(&mut self, payload: &[u8]) -> Result<(), DecodePayloadError> {
        if payload.len() > MAX_PAYLOAD {
            return Err(DecodePayloadError::TooLong { octets: payload.len() });
        }
        let samples = payload.len() * self.codec.sample_rate().frame_len() / FRAME_OCTETS;
        let Some(room) = self.waiting.get_mut(self.len..self.len + samples) else {
            return Err(DecodePayloadError::NoRoom { waiting: self.len });
        };
        match self.codec {
            Codec::Pcma => decode_each(payload, room, g711::decode_a_law),
            Codec::Pcmu => decode_each(payload, room, g711::decode_mu_law),
            Codec::G722 => {
                let written = self.g722.decode_into(payload, room);
                debug_assert!(written.is_ok_and(|n| n == samples), "one octet makes two samples");
            }
        }
        self.len += samples;
        Ok(())
    }

    /// Adds samples made elsewhere (concealment) so that a packet that ends within a
    /// frame still gives whole frames. What does not fit is dropped.
    pub fn fill(&mut self, samples: &[i16]) {
        let count = samples.len().min(RING - self.len);
        self.waiting[self.len..self.len + count].copy_from_slice(&samples[..count]);
        self.len += count;
    }

    /// The next 20 ms, if as much is decoded.
    pub fn take(&mut self) -> Option<Frame> {
        if !self.has_frame() {
            return None;
        }
        let rate = self.codec.sample_rate();
        let frame = Frame::from_samples(rate, &self.waiting[..rate.frame_len()]);
        self.waiting.copy_within(rate.frame_len()..self.len, 0);
        self.len -= rate.frame_len();
        Some(frame)
    }
}

fn decode_each(payload: &[u8], room: &mut [i16], decode: fn(u8) -> i16) {
    for (sample, &octet) in room.iter_mut().zip(payload) {
        *sample = decode(octet);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sine(rate: SampleRate, hz: f32, start: usize) -> Frame {
        let mut frame = Frame::silence(rate);
        for (i, sample) in frame.samples_mut().iter_mut().enumerate() {
            let t = (start + i) as f32 / rate.hz() as f32;
            *sample = (8_000.0 * (std::f32::consts::TAU * hz * t).sin()) as i16;
        }
        frame
    }

    fn energy(samples: &[i16]) -> f64 {
        samples.iter().map(|&s| f64::from(s) * f64::from(s)).sum()
    }

    #[test]
    fn every_codec_has_the_numbers_of_rfc_3551() {
        assert_eq!(Codec::ALL.map(Codec::payload_type), [8, 0, 9]);
        assert_eq!(Codec::G722.rtp_clock_hz(), 8_000);
        assert_eq!(Codec::G722.sample_rate(), SampleRate::Hz16000);
        for codec in Codec::ALL {
            assert_eq!(Codec::from_payload_type(codec.payload_type()), Some(codec));
            assert_eq!(Codec::from_name(&codec.name().to_lowercase()), Some(codec));
        }
        assert_eq!(Codec::from_payload_type(18), None);
    }

    #[test]
    fn a_tone_survives_each_codec() {
        for codec in Codec::ALL {
            let rate = codec.sample_rate();
            let (mut encoder, mut decoder) = (Encoder::new(codec), Decoder::new(codec));
            let (mut sent, mut heard) = (Vec::new(), Vec::new());
            for n in 0..25 {
                let frame = sine(rate, 440.0, n * rate.frame_len());
                let mut octets = [0; FRAME_OCTETS];
                encoder.encode(&frame, &mut octets);
                decoder.push(&octets).unwrap();
                sent.extend_from_slice(frame.samples());
                heard.extend_from_slice(decoder.take().unwrap().samples());
            }
            // G.722's two filter banks delay by 22 samples (G.722 section 1.4.4).
            let delay = if codec == Codec::G722 { 22 } else { 0 };
            let error: Vec<i16> = heard[1_000 + delay..].iter().zip(&sent[1_000..]).map(|(a, b)| a - b).collect();
            let snr_db = 10.0 * (energy(&sent[1_000..]) / energy(&error)).log10();
            assert!(snr_db > 20.0, "{}: {snr_db:.1} dB", codec.name());
        }
    }

    #[test]
    fn packets_of_ten_to_sixty_milliseconds_become_frames_of_twenty() {
        for codec in Codec::ALL {
            for ms in [10, 20, 30, 40, 60] {
                let mut decoder = Decoder::new(codec);
                let mut frames = 0;
                for _ in 0..12 {
                    decoder.push(&vec![0xD5; ms * 8]).unwrap();
                    while decoder.take().is_some() {
                        frames += 1;
                    }
                }
                assert_eq!(frames, 12 * ms / 20, "{} with {ms} ms", codec.name());
            }
        }
    }

    #[test]
    fn a_payload_of_more_than_sixty_milliseconds_is_refused() {
        let mut decoder = Decoder::new(Codec::Pcma);
        assert_eq!(decoder.push(&[0; 481]), Err(DecodePayloadError::TooLong { octets: 481 }));
        assert_eq!(decoder.waiting(), 0);
    }

    proptest! {
        #[test]
        fn no_payload_panics_or_overflows(payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..600), 0..12)) {
            for codec in Codec::ALL {
                let mut decoder = Decoder::new(codec);
                for payload in &payloads {
                    let before = decoder.waiting();
                    if decoder.push(payload).is_err() {
                        prop_assert_eq!(decoder.waiting(), before);
                    }
                    prop_assert!(decoder.waiting() <= RING);
                }
            }
        }
    }
}
