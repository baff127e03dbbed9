//! Reading kept sound back: the files of a leg put together, what is missing
//! told apart from what was taken away.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::keyring::Key;
use super::marks::Mark;
use super::sound::{self, Leg, Place, SEGMENT};
use super::tink::{SegmentReader, StreamContent, StreamEnd, StreamKey};
use crate::media::SampleRate;

/// The longest leg that is read back: eight hours at 16 kHz. A position beyond
/// it stands in no file of ours.
const SAMPLES_MAX: u64 = 8 * 3600 * 16_000;

/// A file of this length holds a minute at most; a longer one is not ours.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// The sound of one leg, from the beginning of the recording.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LegSound {
    pub(super) rate: Option<SampleRate>,
    pub(super) samples: Vec<i16>,
    /// How the last file stops.
    pub(super) end: StreamEnd,
    /// The first file that holds less than was once safe on the disk.
    pub(super) tampered: Option<u32>,
}

#[derive(Debug, Error)]
pub enum SoundError {
    #[error("reading the sound file {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
}

/// Reads all files of a leg. `marks` says what must be there.
pub(super) fn read_leg(place: &Place, key: &Key, marks: &[Mark]) -> Result<LegSound, SoundError> {
    let mut numbers: BTreeMap<u32, Option<&Mark>> = files(place)?.into_iter().map(|number| (number, None)).collect();
    numbers.extend(marks.iter().filter(|mark| mark.leg == place.leg).map(|mark| (mark.number, Some(mark))));
    let mut leg = LegSound { rate: None, samples: Vec::new(), end: StreamEnd::Whole, tampered: None };
    for (number, mark) in numbers {
        let content = read_file(place, key, number)?;
        if !agrees(content.as_ref(), mark) {
            leg.tampered = leg.tampered.or(Some(number));
        }
        let Some(content) = content else { continue };
        leg.end = content.end;
        if let Some(piece) = sound::piece(&content.content) {
            leg.rate = Some(piece.rate);
            put(&mut leg.samples, piece.start, &piece.samples);
        }
    }
    Ok(leg)
}

/// Whether a file holds at least what its mark says.
fn agrees(content: Option<&StreamContent>, mark: Option<&Mark>) -> bool {
    match (content, mark) {
        (_, None) => true,
        (None, Some(mark)) => mark.safe_bytes == 0 && !mark.complete,
        (Some(content), Some(mark)) => {
            content.proven_bytes as u64 >= mark.safe_bytes && (!mark.complete || content.end == StreamEnd::Whole)
        }
    }
}

/// Later files win where two overlap: the earlier one was given up.
fn put(samples: &mut Vec<i16>, start: u64, piece: &[i16]) {
    if start.saturating_add(piece.len() as u64) > SAMPLES_MAX {
        return;
    }
    let from = usize::try_from(start).unwrap_or(usize::MAX);
    let to = from + piece.len();
    if samples.len() < to {
        samples.resize(to, 0);
    }
    samples[from..to].copy_from_slice(piece);
}

fn read_file(place: &Place, key: &Key, number: u32) -> Result<Option<StreamContent>, SoundError> {
    for path in [place.complete(number), place.growing(number)] {
        let bytes = match read_bounded(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(SoundError::Read { path, source }),
        };
        let associated_data = place.associated_data(number);
        let stream = StreamKey { key: key.bytes(), associated_data: &associated_data, size: SEGMENT };
        let content = match SegmentReader::open(&stream, &bytes) {
            Ok(reader) => reader.read(),
            // Torn within its first bytes: nothing of it can be proved.
            Err(_) => StreamContent { content: Vec::new(), end: StreamEnd::Cut, proven_bytes: 0 },
        };
        return Ok(Some(content));
    }
    Ok(None)
}

fn read_bounded(path: &std::path::Path) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The files of a leg in order, the number of each first.
pub(super) fn paths(place: &Place) -> Result<Vec<(u32, PathBuf)>, SoundError> {
    let mut numbers = files(place)?;
    numbers.sort_unstable();
    let existing = |number: u32| [place.complete(number), place.growing(number)].into_iter().find(|path| path.exists());
    Ok(numbers.into_iter().filter_map(|number| existing(number).map(|path| (number, path))).collect())
}

/// Numbers of the files that a leg has.
fn files(place: &Place) -> Result<Vec<u32>, SoundError> {
    let failed = |source| SoundError::Read { path: place.dir.clone(), source };
    let entries = match std::fs::read_dir(&place.dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        numbers.extend(name.to_str().and_then(|name| number_of(name, place.leg)));
    }
    Ok(numbers)
}

/// `caller-0003.sound` is file 3 of the caller's leg.
fn number_of(name: &str, leg: Leg) -> Option<u32> {
    let rest = name.strip_prefix(leg.name())?.strip_prefix('-')?;
    rest.strip_suffix(".sound").or_else(|| rest.strip_suffix(".part"))?.parse().ok()
}

/// A RIFF WAVE file of 16-bit samples, one slice for each channel; a shorter
/// channel ends in silence. Source: RFC 2361 and Microsoft's RIFF description.
pub(super) fn wav(rate: SampleRate, channels: &[&[i16]]) -> Vec<u8> {
    let count = u16::try_from(channels.len()).unwrap_or(1);
    let frames = channels.iter().map(|channel| channel.len()).max().unwrap_or(0);
    let bytes_per_frame = 2 * u32::from(count);
    // Eight hours of two channels at 16 kHz are 1.8 GB: within 32 bits.
    let data = u32::try_from(frames).unwrap_or(u32::MAX).saturating_mul(bytes_per_frame);
    let mut out = Vec::with_capacity(44 + data as usize);
    out.extend_from_slice(b"RIFF");
    out.extend_from_slice(&data.saturating_add(36).to_le_bytes());
    out.extend_from_slice(b"WAVEfmt ");
    out.extend_from_slice(&16_u32.to_le_bytes());
    out.extend_from_slice(&1_u16.to_le_bytes());
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&rate.hz().to_le_bytes());
    out.extend_from_slice(&(rate.hz() * bytes_per_frame).to_le_bytes());
    out.extend_from_slice(&(2 * count).to_le_bytes());
    out.extend_from_slice(&16_u16.to_le_bytes());
    out.extend_from_slice(b"data");
    out.extend_from_slice(&data.to_le_bytes());
    for frame in 0..frames {
        for channel in channels {
            out.extend_from_slice(&channel.get(frame).copied().unwrap_or(0).to_le_bytes());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wav_of_two_legs_is_read_by_another_program_as_it_was_written() {
        let (caller, boxed) = ([1, -2, 3], [100, -200]);
        let bytes = wav(SampleRate::Hz8000, &[&caller, &boxed]);
        let mut reader = hound::WavReader::new(std::io::Cursor::new(bytes)).unwrap();
        assert_eq!((reader.spec().channels, reader.spec().sample_rate), (2, 8_000));
        let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
        assert_eq!(samples, [1, 100, -2, -200, 3, 0]);
    }

    #[test]
    fn names_that_are_not_ours_are_passed_over() {
        assert_eq!(number_of("caller-0003.sound", Leg::Caller), Some(3));
        assert_eq!(number_of("box-0003.part", Leg::Box), Some(3));
        for name in ["caller-0003.sound", "box-.part", "box-1.wav", "lost+found"] {
            assert_eq!(number_of(name, Leg::Box), None, "{name}");
        }
    }
}
