//! Tink's streaming AEAD, AES-GCM-HKDF: sound at rest in a format that any
//! Tink library opens with the key.
//!
//! Pure: bytes in, bytes out; the salt, the nonce prefix and the key are handed
//! in. Source: the Tink documentation, "AES-GCM-HKDF Streaming AEAD". A stream
//! is `0x28 | salt (32) | prefix (7)` and then segments of a fixed ciphertext
//! size, the first shorter by that header, the last of any length. The key of a
//! stream is HKDF-SHA256(key, salt, associated data); the nonce of a segment is
//! `prefix | number (u32, big endian) | 1 if last`.
//!
//! A torn stream is never continued: that would use a nonce twice, which breaks
//! GCM. A writer lives in memory only and cannot be made from an existing file.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf;
use thiserror::Error;

/// Bytes of the key, of the salt and of the key derived from both.
pub(super) const KEY_LEN: usize = 32;
const PREFIX_LEN: usize = 7;
/// `0x28`, salt, prefix: the first byte is this length.
pub(super) const HEADER_LEN: usize = 1 + KEY_LEN + PREFIX_LEN;
const HEADER_MARK: u8 = 0x28;
const TAG_LEN: usize = 16;

/// The fixed ciphertext length of a segment, tag included, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SegmentSize(usize);

impl SegmentSize {
    /// A size with room for the header, a tag and some content in the first segment.
    pub(super) const fn new(ciphertext_bytes: usize) -> Self {
        assert!(ciphertext_bytes >= 2 * (HEADER_LEN + TAG_LEN), "a segment must hold its header, its tag and content");
        Self(ciphertext_bytes)
    }

    pub(super) const fn ciphertext_bytes(self) -> usize {
        self.0
    }

    /// Content bytes of segment `number`, if it is a full one.
    const fn content(self, number: u32) -> usize {
        if number == 0 { self.0 - TAG_LEN - HEADER_LEN } else { self.0 - TAG_LEN }
    }
}

/// What binds a stream to its place: its key, its associated data, its segment size.
pub(super) struct StreamKey<'a> {
    pub(super) key: &'a [u8; KEY_LEN],
    pub(super) associated_data: &'a [u8],
    pub(super) size: SegmentSize,
}

/// The random part of a stream: fresh for each stream, never used again.
pub(super) struct StreamSeed {
    pub(super) salt: [u8; KEY_LEN],
    pub(super) prefix: [u8; PREFIX_LEN],
}

#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum StreamError {
    #[error("writing an encrypted stream: it has used all its segment numbers")]
    TooLong,
    #[error("encrypting a segment: the cipher refused it")]
    Cipher,
}

#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum SegmentError {
    #[error("reading an encrypted stream: its header is missing or is not one of this format")]
    Header,
    #[error("reading segment {0} of an encrypted stream: it is past the end")]
    PastEnd(u32),
    #[error("reading segment {0} of an encrypted stream: it is damaged, cut or not of this stream")]
    NotAuthentic(u32),
}

fn derive(stream: &StreamKey<'_>, salt: &[u8]) -> Result<LessSafeKey, ring::error::Unspecified> {
    let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(stream.key);
    let info = [stream.associated_data];
    let okm = secret.expand(&info, &AES_256_GCM)?;
    Ok(LessSafeKey::new(UnboundKey::from(okm)))
}

fn nonce(prefix: [u8; PREFIX_LEN], number: u32, last: bool) -> Nonce {
    let mut bytes = [0; 12];
    bytes[..PREFIX_LEN].copy_from_slice(&prefix);
    bytes[PREFIX_LEN..11].copy_from_slice(&number.to_be_bytes());
    bytes[11] = u8::from(last);
    Nonce::assume_unique_for_key(bytes)
}

/// Turns content into the bytes of a stream, a segment at a time.
pub(super) struct SegmentWriter {
    key: LessSafeKey,
    prefix: [u8; PREFIX_LEN],
    size: SegmentSize,
    number: u32,
    /// Content of the segment being filled. A full one waits for the next byte,
    /// because only then it is known not to be the last.
    filling: Vec<u8>,
}

impl SegmentWriter {
    /// Begins a stream and writes its header to `out`.
    pub(super) fn begin(stream: &StreamKey<'_>, seed: &StreamSeed, out: &mut Vec<u8>) -> Result<Self, StreamError> {
        let key = derive(stream, &seed.salt).map_err(|_| StreamError::Cipher)?;
        out.push(HEADER_MARK);
        out.extend_from_slice(&seed.salt);
        out.extend_from_slice(&seed.prefix);
        let filling = Vec::with_capacity(stream.size.ciphertext_bytes());
        Ok(Self { key, prefix: seed.prefix, size: stream.size, number: 0, filling })
    }

    /// Takes content; segments that are full and not the last go to `out`.
    pub(super) fn push(&mut self, mut content: &[u8], out: &mut Vec<u8>) -> Result<(), StreamError> {
        while !content.is_empty() {
            let room = self.size.content(self.number) - self.filling.len();
            if room == 0 {
                self.seal(false, out)?;
                continue;
            }
            let (now, later) = content.split_at(room.min(content.len()));
            self.filling.extend_from_slice(now);
            content = later;
        }
        Ok(())
    }

    /// Content bytes taken but not yet in a segment that was handed out.
    pub(super) fn pending(&self) -> usize {
        self.filling.len()
    }

    /// Ends the stream with its last segment, which may be empty.
    pub(super) fn finish(mut self, out: &mut Vec<u8>) -> Result<(), StreamError> {
        self.seal(true, out)
    }

    fn seal(&mut self, last: bool, out: &mut Vec<u8>) -> Result<(), StreamError> {
        let nonce = nonce(self.prefix, self.number, last);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::empty(), &mut self.filling)
            .map_err(|_| StreamError::Cipher)?;
        out.extend_from_slice(&self.filling);
        out.extend_from_slice(tag.as_ref());
        self.filling.clear();
        if !last {
            self.number = self.number.checked_add(1).ok_or(StreamError::TooLong)?;
        }
        Ok(())
    }
}

/// How far a stream could be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum StreamEnd {
    /// To its last segment: nothing is missing.
    Whole,
    /// It stops before its last segment: cut, or damaged from there on.
    Cut,
}

/// The content of a stream that could be proved, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StreamContent {
    pub(super) content: Vec<u8>,
    pub(super) end: StreamEnd,
    /// Bytes of the stream whose segments were proved, the header included.
    pub(super) proven_bytes: usize,
}

/// Reads any segment of a stream held in memory.
pub(super) struct SegmentReader<'a> {
    key: LessSafeKey,
    prefix: [u8; PREFIX_LEN],
    size: SegmentSize,
    bytes: &'a [u8],
}

impl<'a> SegmentReader<'a> {
    pub(super) fn open(stream: &StreamKey<'_>, bytes: &'a [u8]) -> Result<Self, SegmentError> {
        let (mark, rest) = bytes.split_first().ok_or(SegmentError::Header)?;
        let (salt, rest) = rest.split_first_chunk::<KEY_LEN>().ok_or(SegmentError::Header)?;
        let prefix = rest.first_chunk::<PREFIX_LEN>().ok_or(SegmentError::Header)?;
        if *mark != HEADER_MARK {
            return Err(SegmentError::Header);
        }
        let key = derive(stream, salt).map_err(|_| SegmentError::Header)?;
        Ok(Self { key, prefix: *prefix, size: stream.size, bytes })
    }

    /// Segments that stand in the bytes, a cut one at the end included.
    pub(super) fn segments(&self) -> u32 {
        u32::try_from(self.bytes.len().div_ceil(self.size.ciphertext_bytes())).unwrap_or(u32::MAX)
    }

    /// The content of one segment, and whether it is the stream's last.
    pub(super) fn segment(&self, number: u32) -> Result<(Vec<u8>, StreamEnd), SegmentError> {
        let full = self.size.ciphertext_bytes();
        let from = if number == 0 { HEADER_LEN } else { number as usize * full };
        let to = ((number as usize + 1) * full).min(self.bytes.len());
        if number >= self.segments() {
            return Err(SegmentError::PastEnd(number));
        }
        let sealed = self.bytes.get(from..to).ok_or(SegmentError::PastEnd(number))?;
        // Only the end of the file can hold the last segment; a full one there
        // is the last, or the edge at which the file was cut.
        let at_end = to == self.bytes.len();
        for (last, end) in [(false, StreamEnd::Cut), (true, StreamEnd::Whole)] {
            let possible = if last { at_end } else { to - number as usize * full == full };
            if !possible {
                continue;
            }
            let mut content = sealed.to_vec();
            let opened = self.key.open_in_place(nonce(self.prefix, number, last), Aad::empty(), &mut content);
            if let Ok(plain) = opened {
                let len = plain.len();
                content.truncate(len);
                return Ok((content, end));
            }
        }
        Err(SegmentError::NotAuthentic(number))
    }

    /// All content up to the end, or up to the first segment that cannot be proved.
    pub(super) fn read(&self) -> StreamContent {
        let mut content = Vec::with_capacity(self.bytes.len());
        let mut proven_bytes = 0;
        for number in 0..self.segments() {
            let Ok((part, end)) = self.segment(number) else { break };
            content.extend_from_slice(&part);
            if end == StreamEnd::Whole {
                return StreamContent { content, end, proven_bytes: self.bytes.len() };
            }
            proven_bytes += self.size.ciphertext_bytes();
        }
        StreamContent { content, end: StreamEnd::Cut, proven_bytes }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZE: SegmentSize = SegmentSize::new(128);
    const KEY: [u8; KEY_LEN] = [7; KEY_LEN];

    fn stream(associated_data: &[u8]) -> StreamKey<'_> {
        StreamKey { key: &KEY, associated_data, size: SIZE }
    }

    fn sealed(content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let seed = StreamSeed { salt: [1; KEY_LEN], prefix: [2; PREFIX_LEN] };
        let mut writer = SegmentWriter::begin(&stream(b"place"), &seed, &mut out).unwrap();
        for piece in content.chunks(13) {
            writer.push(piece, &mut out).unwrap();
        }
        writer.finish(&mut out).unwrap();
        out
    }

    fn read(bytes: &[u8]) -> Option<StreamContent> {
        SegmentReader::open(&stream(b"place"), bytes).ok().map(|reader| reader.read())
    }

    #[test]
    fn any_segment_can_be_read_alone() {
        let content: Vec<u8> = (0..=255).collect();
        let bytes = sealed(&content);
        let key = stream(b"place");
        let reader = SegmentReader::open(&key, &bytes).unwrap();
        let (third, end) = reader.segment(2).unwrap();
        let first = SIZE.content(0) + SIZE.content(1);
        assert_eq!((third.as_slice(), end), (&content[first..], StreamEnd::Whole));
        assert_eq!(reader.segment(3), Err(SegmentError::PastEnd(3)));
    }

    #[test]
    fn another_place_another_key_or_swapped_segments_are_refused() {
        let content = [9; 400];
        let mut bytes = sealed(&content);
        let elsewhere = SegmentReader::open(&stream(b"elsewhere"), &bytes).unwrap().read();
        assert_eq!(elsewhere.content, b"");
        let other = StreamKey { key: &[8; KEY_LEN], associated_data: b"place", size: SIZE };
        assert_eq!(SegmentReader::open(&other, &bytes).unwrap().read().content, b"");
        let (second, third) = (bytes[128..256].to_vec(), bytes[256..384].to_vec());
        bytes[128..256].copy_from_slice(&third);
        bytes[256..384].copy_from_slice(&second);
        let swapped = read(&bytes).unwrap();
        assert_eq!((swapped.content.len(), swapped.end), (SIZE.content(0), StreamEnd::Cut));
    }

    #[test]
    fn what_has_no_header_is_refused() {
        assert_eq!(SegmentReader::open(&stream(b""), &[0x28; 39]).err(), Some(SegmentError::Header));
        assert_eq!(SegmentReader::open(&stream(b""), &[0x27; 400]).err(), Some(SegmentError::Header));
    }

    proptest! {
        #[test]
        fn content_of_any_length_comes_back(content in proptest::collection::vec(any::<u8>(), 0..600)) {
            let bytes = sealed(&content);
            let back = read(&bytes).unwrap();
            prop_assert_eq!(back, StreamContent { content, end: StreamEnd::Whole, proven_bytes: bytes.len() });
        }

        #[test]
        fn a_cut_stream_gives_its_whole_segments_and_nothing_more(
            content in proptest::collection::vec(any::<u8>(), 0..600),
            cut in any::<prop::sample::Index>(),
        ) {
            let bytes = sealed(&content);
            let cut = cut.index(bytes.len());
            let whole_segments = cut / 128;
            let expected: usize = (0..whole_segments).map(|n| SIZE.content(n as u32)).sum();
            if let Some(back) = read(&bytes[..cut]) {
                prop_assert_eq!(back.end, StreamEnd::Cut);
                prop_assert_eq!(&back.content, &content[..expected]);
            } else {
                prop_assert!(cut < HEADER_LEN);
            }
        }

        #[test]
        fn a_damaged_stream_is_never_read_past_the_damage(
            content in proptest::collection::vec(any::<u8>(), 0..600),
            at in any::<prop::sample::Index>(),
            flip in 1u8..,
        ) {
            let mut bytes = sealed(&content);
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let intact: usize = if at < HEADER_LEN { 0 } else { (0..at / 128).map(|n| SIZE.content(n as u32)).sum() };
            if let Some(back) = read(&bytes) {
                prop_assert_eq!(back.end, StreamEnd::Cut);
                prop_assert_eq!(&back.content, &content[..intact]);
            }
        }
    }
}
