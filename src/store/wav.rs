//! A recording as a WAV file, made piece by piece while it is read: a call of hours
//! takes no more memory than a minute of it.

use super::keyring::Key;
use super::marks::Mark;
use super::playback::{self, Span};
use super::sound::{FILE_SECONDS, Place};
use super::vault::ReadError;
use crate::media::SampleRate;
use crate::terms::CallId;

/// Bytes before the first sample. Source: RFC 2361 and Microsoft's RIFF description.
const HEADER_LEN: usize = 44;

/// The sound of legs, one channel for each, and how far it has been read.
#[derive(Debug)]
pub struct Wav {
    source: Source,
    /// Samples of each channel.
    frames: u64,
    /// The next sample, or the header before the first.
    next: Option<u64>,
}

/// What is read again for each piece.
#[derive(Clone, Debug)]
struct Source {
    call: CallId,
    rate: SampleRate,
    key: Key,
    legs: Vec<(Place, Vec<Span>)>,
}

impl Wav {
    /// Looks through all files of the legs once, before the first byte is given: what
    /// someone has tampered with is told, and not played half. Blocks.
    pub(super) fn open(
        call: CallId,
        rate: SampleRate,
        key: Key,
        places: Vec<Place>,
        marks: &[Mark],
    ) -> Result<Self, ReadError> {
        let mut legs = Vec::with_capacity(places.len());
        for place in places {
            let looked = playback::look_through(&place, &key, marks)?;
            if let Some(number) = looked.tampered {
                return Err(ReadError::Tampered { call, leg: place.leg.name(), number });
            }
            legs.push((place, looked.spans));
        }
        let frames = legs.iter().flat_map(|(_, spans)| spans).map(Span::end).max().unwrap_or(0);
        Ok(Self { source: Source { call, rate, key, legs }, frames, next: None })
    }

    /// Bytes of the whole file.
    pub fn bytes(&self) -> u64 {
        HEADER_LEN as u64 + u64::from(self.data_len())
    }

    fn channels(&self) -> u16 {
        // There are two legs at most.
        u16::try_from(self.source.legs.len()).unwrap_or(u16::MAX)
    }

    fn data_len(&self) -> u32 {
        // Eight hours of two channels at 16 kHz are 1.8 GB: within 32 bits.
        u32::try_from(self.frames * 2 * u64::from(self.channels())).unwrap_or(u32::MAX)
    }

    /// The next piece, a minute at most; none after the last.
    pub async fn next(&mut self) -> Option<Result<Vec<u8>, ReadError>> {
        let Some(from) = self.next else {
            self.next = Some(0);
            return Some(Ok(self.header()));
        };
        if from >= self.frames {
            return None;
        }
        let to = (from + FILE_SECONDS * u64::from(self.source.rate.hz())).min(self.frames);
        // What fails is not gone on with.
        self.next = Some(self.frames);
        let source = self.source.clone();
        let read = tokio::task::spawn_blocking(move || source.read(from, to)).await;
        let piece = read.map_err(|_| ReadError::ReaderEnded(self.source.call)).flatten();
        if piece.is_ok() {
            self.next = Some(to);
        }
        Some(piece)
    }

    fn header(&self) -> Vec<u8> {
        let (data, hz, bytes_per_frame) = (self.data_len(), self.source.rate.hz(), 2 * self.channels());
        let mut out = Vec::with_capacity(HEADER_LEN);
        out.extend_from_slice(b"RIFF");
        out.extend_from_slice(&data.saturating_add(36).to_le_bytes());
        out.extend_from_slice(b"WAVEfmt ");
        out.extend_from_slice(&16_u32.to_le_bytes());
        out.extend_from_slice(&1_u16.to_le_bytes());
        out.extend_from_slice(&self.channels().to_le_bytes());
        out.extend_from_slice(&hz.to_le_bytes());
        out.extend_from_slice(&(hz * u32::from(bytes_per_frame)).to_le_bytes());
        out.extend_from_slice(&bytes_per_frame.to_le_bytes());
        out.extend_from_slice(&16_u16.to_le_bytes());
        out.extend_from_slice(b"data");
        out.extend_from_slice(&data.to_le_bytes());
        out
    }
}

impl Source {
    /// The samples from `from` up to `to` of all legs, one after the other in turn.
    fn read(&self, from: u64, to: u64) -> Result<Vec<u8>, ReadError> {
        let len = usize::try_from(to - from).unwrap_or(usize::MAX);
        let channels = self.legs.len();
        let mut out = vec![0; len * channels * 2];
        for (channel, (place, spans)) in self.legs.iter().enumerate() {
            // Later files win where two overlap: the earlier one was given up.
            for span in spans.iter().filter(|span| span.start < to && span.end() > from) {
                let piece = playback::read_piece(place, &self.key, span.number)?;
                // A file that has changed since it was looked through.
                let Some(piece) = piece.filter(|piece| piece.start == span.start) else {
                    return Err(ReadError::Tampered { call: self.call, leg: place.leg.name(), number: span.number });
                };
                for (at, sample) in (piece.start..).zip(&piece.samples).filter(|(at, _)| (from..to).contains(at)) {
                    let frame = usize::try_from(at - from).unwrap_or(usize::MAX);
                    let place = (frame * channels + channel) * 2;
                    out[place..place + 2].copy_from_slice(&sample.to_le_bytes());
                }
            }
        }
        Ok(out)
    }
}
