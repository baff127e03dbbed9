//! How sound lies in a file: names, encodings, the little header inside the
//! encrypted content, and what binds a file to its place. Version 1, frozen.
//!
//! Narrow-band sound is kept as A-law (ITU-T G.711): a telephone line at 8 kHz
//! carries no more than that anyway, it is what the line itself sends in most
//! of the world, and it halves the disk. Wide-band sound is kept as it is, in
//! 16-bit samples. One file holds up to a minute of one leg.

use std::path::{Path, PathBuf};

use audio_codec::pcma::{PcmaDecoder, PcmaEncoder};
use audio_codec::{Decoder, Encoder};

use super::tink::SegmentSize;
use crate::media::SampleRate;
use crate::terms::CallId;

/// Segments of 512 bytes: at most 62 ms of A-law wait in memory for theirs to
/// fill. With Tink's usual 4 KiB they would be 510 ms, more than a power cut may
/// cost. The tags take three bytes in a hundred.
pub(super) const SEGMENT: SegmentSize = SegmentSize::new(512);

/// Seconds of one leg in a file.
pub(super) const FILE_SECONDS: u64 = 60;

/// Bytes before the first sample: version, encoding, two zeros, rate, position.
pub(super) const HEADER_LEN: usize = 16;
const VERSION: u8 = 1;

/// Which side of a call is heard.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Leg {
    Caller,
    Box,
}

impl Leg {
    pub const BOTH: [Self; 2] = [Self::Caller, Self::Box];

    /// The name in file names, records and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Box => "box",
        }
    }

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Caller => 0,
            Self::Box => 1,
        }
    }
}

/// How samples are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Encoding {
    ALaw,
    Pcm16,
}

impl Encoding {
    pub(super) const fn of(rate: SampleRate) -> Self {
        match rate {
            SampleRate::Hz8000 => Self::ALaw,
            SampleRate::Hz16000 => Self::Pcm16,
        }
    }

    pub(super) const fn bytes_per_sample(self) -> usize {
        match self {
            Self::ALaw => 1,
            Self::Pcm16 => 2,
        }
    }

    pub(super) fn encode(self, samples: &[i16], out: &mut Vec<u8>) {
        match self {
            Self::ALaw => {
                let from = out.len();
                out.resize(from + samples.len(), 0);
                let encoded = PcmaEncoder::new().encode_into(samples, &mut out[from..]);
                // It refuses only a buffer that is too short, and this one fits.
                encoded.expect("a byte for each sample");
            }
            Self::Pcm16 => out.extend(samples.iter().flat_map(|sample| sample.to_le_bytes())),
        }
    }

    fn decode(self, bytes: &[u8]) -> Vec<i16> {
        match self {
            Self::ALaw => {
                let mut samples = vec![0; bytes.len()];
                // As above: a sample for each byte.
                PcmaDecoder::new().decode_into(bytes, &mut samples).expect("a sample for each byte");
                samples
            }
            Self::Pcm16 => bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect(),
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::ALaw => b'A',
            Self::Pcm16 => b'L',
        }
    }
}

/// Where a leg's files lie and what they are bound to.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The directory of the call's sound.
    pub(super) dir: PathBuf,
    /// The keyring's id: whose box it is.
    pub(super) owner: String,
    pub(super) call: CallId,
    pub(super) leg: Leg,
}

impl Place {
    /// The name while the file grows, and after a fault that stopped it.
    pub(super) fn growing(&self, number: u32) -> PathBuf {
        self.dir.join(format!("{}-{number:04}.part", self.leg.name()))
    }

    /// The name of a file with its last segment.
    pub(super) fn complete(&self, number: u32) -> PathBuf {
        self.dir.join(format!("{}-{number:04}.sound", self.leg.name()))
    }

    /// Tink's associated data: format, box, call, leg and file number.
    pub(super) fn associated_data(&self, number: u32) -> Vec<u8> {
        format!("milu-sound/1/{}/{}/{}/{number}", self.owner, self.call, self.leg.name()).into_bytes()
    }
}

/// The directory of one call's sound.
pub(super) fn call_dir(recordings: &Path, call: CallId) -> PathBuf {
    recordings.join(call.as_str())
}

/// The header of a file whose first sample is the leg's sample `start`.
pub(super) fn header(rate: SampleRate, start: u64) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    bytes[0] = VERSION;
    bytes[1] = Encoding::of(rate).code();
    bytes[4..8].copy_from_slice(&rate.hz().to_le_bytes());
    bytes[8..].copy_from_slice(&start.to_le_bytes());
    bytes
}

/// The samples of a file and where they belong.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) rate: SampleRate,
    pub(super) start: u64,
    pub(super) samples: Vec<i16>,
}

/// Reads the content of a file; none if it is too short for a header or is of
/// another version.
pub(super) fn piece(content: &[u8]) -> Option<Piece> {
    let (header, sound) = content.split_first_chunk::<HEADER_LEN>()?;
    let [version, code, _, _, r0, r1, r2, r3, start @ ..] = *header;
    let rate = match u32::from_le_bytes([r0, r1, r2, r3]) {
        8_000 => SampleRate::Hz8000,
        16_000 => SampleRate::Hz16000,
        _ => return None,
    };
    let encoding = [Encoding::ALaw, Encoding::Pcm16].into_iter().find(|encoding| encoding.code() == code)?;
    let start = u64::from_le_bytes(start);
    (version == VERSION).then(|| Piece { rate, start, samples: encoding.decode(sound) })
}

/// Samples at `rate` as whole milliseconds.
pub(super) const fn ms(samples: u64, rate: SampleRate) -> u64 {
    samples.saturating_mul(1000) / rate.hz() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_line_with_a_law_sent_is_kept_without_loss() {
        for code in 0..=255_u8 {
            let heard = Encoding::ALaw.decode(&[code]);
            let mut kept = Vec::new();
            Encoding::ALaw.encode(&heard, &mut kept);
            let back = Encoding::ALaw.decode(&kept);
            // The two codes beside zero, 8 and -8, may become one.
            let near_zero = heard[0].abs() == 8 && back[0].abs() == 8;
            assert!(back == heard || near_zero, "{code}: {heard:?} came back as {back:?}");
        }
    }

    proptest! {
        #[test]
        fn wide_band_sound_is_kept_bit_for_bit(samples in proptest::collection::vec(any::<i16>(), 0..700), start: u64) {
            let mut content = header(SampleRate::Hz16000, start).to_vec();
            Encoding::of(SampleRate::Hz16000).encode(&samples, &mut content);
            prop_assert_eq!(piece(&content), Some(Piece { rate: SampleRate::Hz16000, start, samples }));
        }

        #[test]
        fn any_bytes_read_as_a_piece_or_as_none(content in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(piece) = piece(&content) {
                prop_assert!(piece.samples.len() <= content.len() - HEADER_LEN);
            }
        }
    }
}
