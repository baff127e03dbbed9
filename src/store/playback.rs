//! Reading kept sound back: the files of a leg put together, what is missing
//! told apart from what was taken away.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::keyring::Key;
use super::marks::Mark;
use super::sound::{self, Leg, Piece, Place, SEGMENT};
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

/// Where the sound of one file belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) number: u32,
    /// Samples after the beginning of the leg.
    pub(super) start: u64,
    len: u64,
}

impl Span {
    pub(super) const fn end(&self) -> u64 {
        self.start + self.len
    }
}

/// What there is of a leg, without its sound.
#[derive(Debug)]
pub(super) struct Looked {
    /// In the order of the files.
    pub(super) spans: Vec<Span>,
    /// The first file that holds less than was once safe on the disk.
    pub(super) tampered: Option<u32>,
}

/// Reads all files of a leg. `marks` says what must be there.
pub(super) fn read_leg(place: &Place, key: &Key, marks: &[Mark]) -> Result<LegSound, SoundError> {
    let (mut rate, mut samples) = (None, Vec::new());
    let (end, tampered) = each_file(place, key, marks, |_, piece| {
        rate = Some(piece.rate);
        put(&mut samples, piece.start, &piece.samples);
    })?;
    Ok(LegSound { rate, samples, end, tampered })
}

/// Reads all files of a leg, and one of them at a time is in memory.
pub(super) fn look_through(place: &Place, key: &Key, marks: &[Mark]) -> Result<Looked, SoundError> {
    let mut spans = Vec::new();
    let (_, tampered) = each_file(place, key, marks, |number, piece| {
        let len = piece.samples.len() as u64;
        if len > 0 && piece.start.saturating_add(len) <= SAMPLES_MAX {
            spans.push(Span { number, start: piece.start, len });
        }
    })?;
    Ok(Looked { spans, tampered })
}

/// The sound of one file; none if there is no such file.
pub(super) fn read_piece(place: &Place, key: &Key, number: u32) -> Result<Option<Piece>, SoundError> {
    Ok(read_file(place, key, number)?.and_then(|content| sound::piece(&content.content)))
}

/// Gives the sound of every file in order; how the last one stops, and the first that
/// holds less than was once safe.
fn each_file(
    place: &Place,
    key: &Key,
    marks: &[Mark],
    mut take: impl FnMut(u32, Piece),
) -> Result<(StreamEnd, Option<u32>), SoundError> {
    let mut numbers: BTreeMap<u32, Option<&Mark>> = files(place)?.into_iter().map(|number| (number, None)).collect();
    numbers.extend(marks.iter().filter(|mark| mark.leg == place.leg).map(|mark| (mark.number, Some(mark))));
    let (mut end, mut tampered) = (StreamEnd::Whole, None);
    for (number, mark) in numbers {
        let content = read_file(place, key, number)?;
        if !agrees(content.as_ref(), mark) {
            tampered = tampered.or(Some(number));
        }
        let Some(content) = content else { continue };
        end = content.end;
        if let Some(piece) = sound::piece(&content.content) {
            take(number, piece);
        }
    }
    Ok((end, tampered))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_not_ours_are_passed_over() {
        assert_eq!(number_of("caller-0003.sound", Leg::Caller), Some(3));
        assert_eq!(number_of("box-0003.part", Leg::Box), Some(3));
        for name in ["caller-0003.sound", "box-.part", "box-1.wav", "lost+found"] {
            assert_eq!(number_of(name, Leg::Box), None, "{name}");
        }
    }
}
