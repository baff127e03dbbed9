//! Opus packets into sound at 16 kHz, by libopus translated to Rust.

#![allow(unsafe_code, reason = "the translation of libopus keeps the C interface")]

use unsafe_libopus::{OpusDecoder, opus_decode, opus_decoder_create, opus_decoder_destroy};

use super::ears_sound::NotSound;

const HZ: i32 = 16_000;

/// Samples of the longest packet: 120 ms.
const PACKET_MAX: usize = 1_920;

/// A decoder for one stream.
pub struct OpusStream {
    decoder: *mut OpusDecoder,
}

// SAFETY: the decoder is one block of memory that this struct alone points to,
// and libopus keeps no state of the thread.
unsafe impl Send for OpusStream {}

impl OpusStream {
    pub fn new() -> Result<Self, NotSound> {
        let mut error = 0;
        // SAFETY: 16 kHz and one channel are among the values that it takes, and
        // `error` lives until it returns.
        let decoder = unsafe { opus_decoder_create(HZ, 1, &raw mut error) };
        if decoder.is_null() { Err(NotSound) } else { Ok(Self { decoder }) }
    }

    pub fn decode(&mut self, packet: &[u8]) -> Result<Vec<i16>, NotSound> {
        let mut samples = vec![0_i16; PACKET_MAX];
        let length = i32::try_from(packet.len()).map_err(|_| NotSound)?;
        // SAFETY: the decoder was created and not destroyed; `packet` has `length`
        // bytes and `samples` room for 1 920 of one channel.
        let count = unsafe { opus_decode(self.decoder, packet.as_ptr(), length, samples.as_mut_ptr(), 1_920, 0) };
        samples.truncate(usize::try_from(count).map_err(|_| NotSound)?);
        Ok(samples)
    }
}

impl Drop for OpusStream {
    fn drop(&mut self) {
        // SAFETY: created by `opus_decoder_create` and destroyed here alone.
        unsafe { opus_decoder_destroy(self.decoder) }
    }
}
