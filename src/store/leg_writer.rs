//! One leg of one recording on its way to the disk. Runs on the recorder's
//! thread; knows nothing of queues or clocks.
//!
//! After an error of the disk a file is never touched again: what was not yet
//! known to be safe is still in memory and goes to a new file, with a new salt.

use std::io;
use std::sync::Arc;

use ring::rand::{SecureRandom, SystemRandom};

use super::disk::{Disk, DiskFile};
use super::keyring::{Key, RandomFailed};
use super::marks::Mark;
use super::sound::{self, Encoding, FILE_SECONDS, HEADER_LEN, Place, SEGMENT};
use super::tink::{SegmentWriter, StreamKey, StreamSeed};
use crate::call::{Gap, GapReason};
use crate::media::SampleRate;

/// New files in a row without one successful sync before the leg gives up: a
/// disk that refuses three is not coming back within the call.
const RESTARTS_MAX: u32 = 3;

/// Gaps told apart in one leg. A recording with more is one long gap from
/// there on: the last one grows.
const GAPS_MAX: usize = 64;

/// Silence written at once for lost sound: a second at the higher rate.
static SILENCE: [i16; 16_000] = [0; 16_000];

struct OpenFile {
    stream: SegmentWriter,
    file: Box<dyn DiskFile>,
    /// The leg's sample with which the file begins.
    start: u64,
    bytes: u64,
    dirty: bool,
}

/// Sound that may have to be written again: all since the last sync but one.
struct Recent {
    start: u64,
    /// The leg's samples that were safe after the last sync.
    safe: u64,
    encoded: Vec<u8>,
}

/// What a leg came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LegEnd {
    pub(super) samples: u64,
    /// In samples of the leg.
    pub(super) gaps: Vec<(u64, u64, GapReason)>,
    pub(super) faults: u64,
}

impl LegEnd {
    /// The gaps in milliseconds after the answer.
    pub(super) fn gaps_ms(&self, rate: SampleRate, from_ms: u64) -> impl Iterator<Item = Gap> {
        self.gaps.iter().map(move |&(from, to, reason)| Gap {
            from_ms: from_ms + sound::ms(from, rate),
            to_ms: from_ms + sound::ms(to, rate),
            reason,
        })
    }
}

pub(super) struct LegWriter {
    place: Place,
    key: Key,
    rate: SampleRate,
    disk: Arc<dyn Disk>,
    number: u32,
    open: Option<OpenFile>,
    /// Samples taken, silence for lost ones included.
    position: u64,
    recent: Recent,
    restarts: u32,
    /// Set once the disk has refused for good.
    stopped: bool,
    end: LegEnd,
    marks: Vec<Mark>,
}

impl LegWriter {
    pub(super) fn new(place: Place, key: Key, rate: SampleRate, disk: Arc<dyn Disk>) -> Self {
        Self {
            place,
            key,
            rate,
            disk,
            number: 0,
            open: None,
            position: 0,
            recent: Recent { start: 0, safe: 0, encoded: Vec::new() },
            restarts: 0,
            stopped: false,
            end: LegEnd::default(),
            marks: Vec::new(),
        }
    }

    /// Takes sound whose first sample is the leg's sample `start`. What is
    /// missing before it was lost in the queue: silence stands for it.
    pub(super) fn take(&mut self, start: u64, samples: &[i16]) {
        self.fill_to(start);
        self.append(samples);
    }

    /// Makes all whole segments durable.
    pub(super) fn commit(&mut self) {
        let Some(open) = self.open.as_mut().filter(|open| open.dirty) else { return };
        match open.file.sync() {
            Ok(()) => self.committed(),
            Err(error) => self.restart(&error),
        }
    }

    /// Whether there is anything to commit.
    pub(super) fn is_dirty(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.dirty)
    }

    /// Makes the whole segments of all legs durable, of which each is then to be
    /// told by [`LegWriter::committed`].
    pub(super) fn sync_with_others(&mut self) -> io::Result<()> {
        self.open.as_mut().map_or(Ok(()), |open| open.file.sync_with_others())
    }

    /// All whole segments are durable.
    pub(super) fn committed(&mut self) {
        let Some(open) = self.open.as_mut().filter(|open| open.dirty) else { return };
        open.dirty = false;
        self.restarts = 0;
        self.note_safe();
    }

    /// Ends the leg at its sample `end`.
    pub(super) fn close(&mut self, end: u64) -> LegEnd {
        self.fill_to(end);
        // A file that fails here is written anew, at most RESTARTS_MAX times.
        while self.open.is_some() {
            self.complete_file();
        }
        self.end.samples = self.position;
        if self.stopped
            && let Some((_, to, _)) = self.end.gaps.last_mut()
        {
            *to = self.position;
        }
        std::mem::take(&mut self.end)
    }

    /// High-water marks that are new since the last call.
    pub(super) fn take_marks(&mut self) -> Vec<Mark> {
        std::mem::take(&mut self.marks)
    }

    /// Faults of the disk so far.
    pub(super) fn faults(&self) -> u64 {
        self.end.faults
    }

    fn fill_to(&mut self, start: u64) {
        if start <= self.position {
            return;
        }
        if !self.stopped {
            self.note_gap(self.position, start, GapReason::Overload);
        }
        while self.position < start {
            let missing = usize::try_from(start - self.position).unwrap_or(SILENCE.len()).min(SILENCE.len());
            self.append(&SILENCE[..missing]);
            // Keeps what must stay in memory small, however long the hole.
            self.commit();
        }
    }

    fn append(&mut self, mut samples: &[i16]) {
        while !samples.is_empty() {
            let room = self.room().min(samples.len());
            let (now, later) = samples.split_at(room);
            let from = self.recent.encoded.len();
            self.position += now.len() as u64;
            samples = later;
            if self.stopped {
                continue;
            }
            Encoding::of(self.rate).encode(now, &mut self.recent.encoded);
            if let Err(error) = self.write(from) {
                self.restart(&error);
            }
            if self.room() == 0 {
                self.complete_file();
            }
        }
    }

    /// Samples that still fit into the open file, or into a new one.
    fn room(&self) -> usize {
        let full = FILE_SECONDS * u64::from(self.rate.hz());
        let used = self.open.as_ref().map_or(0, |open| self.position - open.start);
        usize::try_from(full.saturating_sub(used)).unwrap_or(0)
    }

    /// Writes what of the recent sound lies after `from` bytes.
    fn write(&mut self, from: usize) -> io::Result<()> {
        if self.open.is_none() {
            let bytes_before = (self.recent.encoded.len() - from) / Encoding::of(self.rate).bytes_per_sample();
            self.open_file(self.position - bytes_before as u64)?;
        }
        // Opened above if it was not open.
        let Some(open) = self.open.as_mut() else { return Ok(()) };
        let mut sealed = Vec::with_capacity(2 * SEGMENT.ciphertext_bytes());
        open.stream.push(&self.recent.encoded[from..], &mut sealed).map_err(io::Error::other)?;
        if sealed.is_empty() {
            return Ok(());
        }
        open.dirty = true;
        open.bytes += sealed.len() as u64;
        open.file.append(&sealed)
    }

    fn open_file(&mut self, start: u64) -> io::Result<()> {
        let mut seed = StreamSeed { salt: [0; 32], prefix: [0; 7] };
        let random = SystemRandom::new();
        random
            .fill(&mut seed.salt)
            .and_then(|()| random.fill(&mut seed.prefix))
            .map_err(|_| io::Error::other(RandomFailed))?;
        let associated_data = self.place.associated_data(self.number);
        let key = StreamKey { key: self.key.bytes(), associated_data: &associated_data, size: SEGMENT };
        let mut beginning = Vec::with_capacity(SEGMENT.ciphertext_bytes());
        let mut stream = SegmentWriter::begin(&key, &seed, &mut beginning).map_err(io::Error::other)?;
        stream.push(&sound::header(self.rate, start), &mut beginning).map_err(io::Error::other)?;

        let mut file = self.disk.create(&self.place.growing(self.number), self.expected_bytes())?;
        file.append(&beginning)?;
        self.open = Some(OpenFile { stream, file, start, bytes: beginning.len() as u64, dirty: true });
        Ok(())
    }

    /// The length of a full file: content and a tag for each segment.
    fn expected_bytes(&self) -> u64 {
        let bytes_per_second = u64::from(self.rate.hz()) * Encoding::of(self.rate).bytes_per_sample() as u64;
        let content = FILE_SECONDS * bytes_per_second + HEADER_LEN as u64;
        content + content / 30
    }

    /// Ends the open file with its last segment and gives it its final name.
    fn complete_file(&mut self) {
        let Some(open) = self.open.take() else { return };
        let (growing, complete) = (self.place.growing(self.number), self.place.complete(self.number));
        let OpenFile { stream, mut file, bytes, .. } = open;
        let mut sealed = Vec::with_capacity(SEGMENT.ciphertext_bytes());
        let ended = stream
            .finish(&mut sealed)
            .map_err(io::Error::other)
            .and_then(|()| file.append(&sealed))
            .and_then(|()| file.trim())
            .and_then(|()| file.sync())
            .and_then(|()| self.disk.rename(&growing, &complete));
        match ended {
            Ok(()) => {
                let safe_bytes = bytes + sealed.len() as u64;
                self.push_mark(safe_bytes, MarkEnd::Complete);
                self.number += 1;
                self.restarts = 0;
                self.note_position_safe(self.position);
            }
            Err(error) => self.restart(&error),
        }
    }

    /// Gives up the open file and writes recent sound to a new one.
    fn restart(&mut self, error: &io::Error) {
        let mut failed = error.kind();
        loop {
            self.end.faults += 1;
            self.restarts += 1;
            tracing::error!(call = %self.place.call, leg = self.place.leg.name(), fault = %failed,
                "writing a recording failed");
            let full = matches!(failed, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
            if full || self.restarts > RESTARTS_MAX {
                self.stop();
                return;
            }
            self.open = None;
            // Never the same name again, whether or not the file came to be.
            self.number += 1;
            match self.write(0) {
                Ok(()) => return,
                Err(again) => failed = again.kind(),
            }
        }
    }

    /// The disk is full or broken: the call goes on without this recording.
    fn stop(&mut self) {
        self.open = None;
        let safe = self.recent.safe;
        self.note_gap(safe, self.position, GapReason::DiskFault);
        self.recent = Recent { start: self.position, safe, encoded: Vec::new() };
        self.stopped = true;
    }

    fn note_safe(&mut self) {
        let Some(open) = &self.open else { return };
        let pending = (open.stream.pending() / Encoding::of(self.rate).bytes_per_sample()) as u64;
        let (start, bytes) = (open.start, open.bytes);
        let size = SEGMENT.ciphertext_bytes() as u64;
        self.push_mark(bytes / size * size, MarkEnd::Growing);
        self.note_position_safe(self.position.saturating_sub(pending).max(start));
    }

    /// Forgets recent sound up to the sync before this one: one interval more
    /// than is needed is kept, for a disk that lied about the last.
    fn note_position_safe(&mut self, safe: u64) {
        let before = self.recent.safe;
        self.recent.safe = safe;
        self.drop_recent_before(before);
    }

    fn drop_recent_before(&mut self, position: u64) {
        let samples = usize::try_from(position.saturating_sub(self.recent.start)).unwrap_or(0);
        let bytes = (samples * Encoding::of(self.rate).bytes_per_sample()).min(self.recent.encoded.len());
        self.recent.encoded.drain(..bytes);
        self.recent.start += (bytes / Encoding::of(self.rate).bytes_per_sample()) as u64;
    }

    fn push_mark(&mut self, safe_bytes: u64, end: MarkEnd) {
        let mark = Mark {
            call: self.place.call,
            leg: self.place.leg,
            number: self.number,
            safe_bytes,
            complete: end == MarkEnd::Complete,
        };
        // Only the newest mark of a file says anything.
        self.marks.retain(|older| older.number != mark.number);
        self.marks.push(mark);
    }

    fn note_gap(&mut self, from: u64, to: u64, reason: GapReason) {
        let full = self.end.gaps.len() == GAPS_MAX;
        match self.end.gaps.last_mut() {
            Some((_, last_to, last_reason)) if (*last_reason == reason && *last_to == from) => *last_to = to,
            Some((_, last_to, _)) if full => *last_to = to,
            _ => self.end.gaps.push((from, to, reason)),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum MarkEnd {
    Growing,
    Complete,
}

#[cfg(test)]
mod tests;
