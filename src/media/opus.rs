//! Opus (RFC 6716) for an uplink that is paid for by the megabyte: speech at a
//! tenth of its size. libopus 1.3.1 as it was translated to Rust, driven here and
//! nowhere else; it encodes only, because nothing that the box receives is Opus.
#![allow(unsafe_code, reason = "the translation keeps libopus's C interface: a raw pointer to the encoder")]

use std::ptr::NonNull;

use thiserror::Error;
use unsafe_libopus::{
    OPUS_APPLICATION_VOIP, OPUS_BANDWIDTH_NARROWBAND, OPUS_BANDWIDTH_WIDEBAND, OPUS_OK, OPUS_SET_BITRATE_REQUEST,
    OPUS_SET_COMPLEXITY_REQUEST, OPUS_SET_DTX_REQUEST, OPUS_SET_MAX_BANDWIDTH_REQUEST, OPUS_SET_SIGNAL_REQUEST,
    OPUS_SIGNAL_VOICE, opus_encode, opus_encoder_create, opus_encoder_ctl, opus_encoder_destroy,
};

use super::SampleRate;

/// The rate of the samples that it takes.
const HZ: i32 = 16_000;

/// Samples of 20 ms.
const FRAME: usize = 320;

/// Frames of 20 ms in one packet: SILK codes 20, 40 or 60 ms in one piece.
const FRAMES_MAX: usize = 3;

/// The largest packet that is asked for: 60 ms at 64 kbit/s, far above the rate.
const PACKET_MAX: i32 = 480;

/// Bits a second. Below these, recognisers lose words (wide band is transparent
/// to them from 24 kbit/s, narrow band from 12).
const WIDE_BITRATE: i32 = 24_000;
const NARROW_BITRATE: i32 = 16_000;

/// Of 0 to 10: speech gains little above 5, and a box encodes for thirty calls.
const COMPLEXITY: i32 = 5;

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum OpusError {
    #[error("starting the Opus encoder: libopus refuses with {code}")]
    Start { code: i32 },
    #[error("encoding Opus: a packet has 20, 40 or 60 ms at 16 kHz, and not {samples} samples")]
    Length { samples: usize },
    #[error("encoding Opus: libopus refuses with {code}")]
    Encode { code: i32 },
}

/// Encodes one call's sound at 16 kHz.
pub struct OpusEncoder {
    state: NonNull<unsafe_libopus::OpusEncoder>,
}

// SAFETY: the state is one block of memory that this owns alone; libopus keeps
// nothing in thread-local variables, and its global ones are tables that it only reads.
unsafe impl Send for OpusEncoder {}

impl OpusEncoder {
    /// For sound of a line at `line`: from a narrow one nothing above 4 kHz is coded.
    pub fn new(line: SampleRate) -> Result<Self, OpusError> {
        let mut code = OPUS_OK;
        // SAFETY: the rate, the channels and the application are among those that
        // the function takes, and `code` outlives the call.
        let state = unsafe { opus_encoder_create(HZ, 1, OPUS_APPLICATION_VOIP, &raw mut code) };
        let state = NonNull::new(state).filter(|_| code == OPUS_OK).ok_or(OpusError::Start { code })?;
        let mut encoder = Self { state };
        let (bitrate, bandwidth) = match line {
            SampleRate::Hz8000 => (NARROW_BITRATE, OPUS_BANDWIDTH_NARROWBAND),
            SampleRate::Hz16000 => (WIDE_BITRATE, OPUS_BANDWIDTH_WIDEBAND),
        };
        encoder.set(OPUS_SET_BITRATE_REQUEST, bitrate)?;
        encoder.set(OPUS_SET_MAX_BANDWIDTH_REQUEST, bandwidth)?;
        encoder.set(OPUS_SET_COMPLEXITY_REQUEST, COMPLEXITY)?;
        encoder.set(OPUS_SET_SIGNAL_REQUEST, OPUS_SIGNAL_VOICE)?;
        // Who listens at the far end reckons time in what comes: no frame is left out.
        encoder.set(OPUS_SET_DTX_REQUEST, 0)?;
        Ok(encoder)
    }

    fn set(&mut self, request: i32, value: i32) -> Result<(), OpusError> {
        // SAFETY: the state is alive while `self` is, and every request above
        // takes one number.
        let code = unsafe { opus_encoder_ctl!(self.state.as_ptr(), request, value) };
        if code == OPUS_OK { Ok(()) } else { Err(OpusError::Start { code }) }
    }

    /// One packet of 20, 40 or 60 ms.
    pub fn encode(&mut self, samples: &[i16]) -> Result<Vec<u8>, OpusError> {
        let frames = samples.len() / FRAME;
        if !samples.len().is_multiple_of(FRAME) || !(1..=FRAMES_MAX).contains(&frames) {
            return Err(OpusError::Length { samples: samples.len() });
        }
        // At most 960.
        let length = i32::try_from(samples.len()).unwrap_or(0);
        let mut packet = vec![0; PACKET_MAX.unsigned_abs() as usize];
        // SAFETY: the state is alive; libopus reads `length` samples, which are
        // there, and writes at most PACKET_MAX octets, for which there is room.
        let code =
            unsafe { opus_encode(self.state.as_ptr(), samples.as_ptr(), length, packet.as_mut_ptr(), PACKET_MAX) };
        let octets = usize::try_from(code).map_err(|_| OpusError::Encode { code })?;
        packet.truncate(octets);
        Ok(packet)
    }
}

impl Drop for OpusEncoder {
    fn drop(&mut self) {
        // SAFETY: the state came from `opus_encoder_create`, and nobody has it after this.
        unsafe { opus_encoder_destroy(self.state.as_ptr()) }
    }
}

impl std::fmt::Debug for OpusEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpusEncoder").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use unsafe_libopus::{opus_decode, opus_decoder_create, opus_decoder_destroy};

    use super::*;

    fn tone(hz: f32, from: usize, samples: usize) -> Vec<i16> {
        let at = |n: usize| (8_000.0 * (std::f32::consts::TAU * hz * (from + n) as f32 / HZ as f32).sin()) as i16;
        (0..samples).map(at).collect()
    }

    /// libopus's own decoder.
    fn decoded(packets: &[Vec<u8>]) -> Vec<i16> {
        let mut code = 0;
        let mut all = Vec::new();
        // SAFETY: the decoder lives until it is destroyed, and 120 ms, the longest
        // packet that there is, fits into the buffer.
        unsafe {
            let decoder = opus_decoder_create(HZ, 1, &raw mut code);
            assert_eq!(code, OPUS_OK);
            for packet in packets {
                let mut sound = vec![0_i16; FRAME * 6];
                let length = i32::try_from(packet.len()).unwrap();
                let got = opus_decode(decoder, packet.as_ptr(), length, sound.as_mut_ptr(), 1920, 0);
                all.extend_from_slice(&sound[..usize::try_from(got).expect("a packet that can be decoded")]);
            }
            opus_decoder_destroy(decoder);
        }
        all
    }

    /// How much of the sound is at `hz`, 0 to 1.
    fn share_at(sound: &[i16], hz: f32) -> f32 {
        let (mut re, mut im, mut all) = (0.0_f32, 0.0_f32, 0.0_f32);
        for (n, s) in sound.iter().enumerate() {
            let angle = std::f32::consts::TAU * hz * n as f32 / HZ as f32;
            re += f32::from(*s) * angle.cos();
            im += f32::from(*s) * angle.sin();
            all += f32::from(*s).powi(2);
        }
        2.0 * (re * re + im * im) / (all * sound.len() as f32)
    }

    #[test]
    fn a_voices_tone_survives_at_a_tenth_of_its_size() {
        for line in [SampleRate::Hz8000, SampleRate::Hz16000] {
            let mut encoder = OpusEncoder::new(line).unwrap();
            let packets: Vec<Vec<u8>> = (0..50).map(|n| encoder.encode(&tone(440.0, n * 960, 960)).unwrap()).collect();
            let octets: usize = packets.iter().map(Vec::len).sum();
            // Three seconds are 96 kB as they are.
            assert!(octets < 96_000 / 8, "{octets}");
            let heard = decoded(&packets);
            assert_eq!(heard.len(), 50 * 960, "no time is lost");
            assert!(share_at(&heard[4_800..], 440.0) > 0.9);
        }
    }

    #[test]
    fn packets_of_twenty_and_forty_milliseconds_follow_each_other() {
        let mut encoder = OpusEncoder::new(SampleRate::Hz16000).unwrap();
        let lengths = [320, 640, 960, 320, 320];
        let mut from = 0;
        let packets = lengths.map(|samples| {
            from += samples;
            encoder.encode(&tone(300.0, from - samples, samples)).unwrap()
        });
        assert_eq!(decoded(&packets).len(), lengths.iter().sum::<usize>());
    }

    #[test]
    fn silence_is_a_packet_too() {
        let mut encoder = OpusEncoder::new(SampleRate::Hz8000).unwrap();
        let packets: Vec<Vec<u8>> = (0..20).map(|_| encoder.encode(&[0; 960]).unwrap()).collect();
        assert!(packets.iter().all(|packet| !packet.is_empty()));
        assert_eq!(decoded(&packets).len(), 20 * 960);
    }

    #[test]
    fn other_lengths_are_refused() {
        let mut encoder = OpusEncoder::new(SampleRate::Hz8000).unwrap();
        for samples in [0, 1, 319, 321, 1280] {
            assert_eq!(encoder.encode(&vec![0; samples]), Err(OpusError::Length { samples }));
        }
    }
}
