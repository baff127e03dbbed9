//! What is being kept of one call while it lasts.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::catch_up::HearAgain;
use super::disk;
use super::journal::Entry;
use super::keyring::CallKey;
use super::leg_writer::{LegEnd, LegWriter};
use super::recorder::SoundTap;
use super::records;
use super::sound::{self, Leg};
use super::vault::{KeepError, Rooms};
use crate::call::{CallRecord, Gap, Recording};
use crate::media::SampleRate;
use crate::terms::CallId;

/// The memory of one call, from its offer to its record. If it is dropped
/// before [`CallMemory::finish`], the next start of the vault finishes the
/// record from the journal, as after a crash.
pub struct CallMemory {
    rooms: Arc<Rooms>,
    call: CallId,
    key: CallKey,
    recording: Option<OpenRecording>,
    hear_again: Option<HearAgain>,
}

struct OpenRecording {
    tap: SoundTap,
    rate: SampleRate,
    from_ms: u64,
}

impl std::fmt::Debug for CallMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallMemory").field("call", &self.call).finish_non_exhaustive()
    }
}

impl CallMemory {
    pub(super) const fn new(rooms: Arc<Rooms>, call: CallId, key: CallKey) -> Self {
        Self { rooms, call, key, recording: None, hear_again: None }
    }

    pub const fn call(&self) -> CallId {
        self.call
    }

    /// Writes down what is about to be done. When this returns it is safe on the
    /// disk, and the effect may follow.
    pub async fn journal(&self, entry: &Entry) -> Result<(), KeepError> {
        Ok(records::add_entry(&self.rooms.index, self.call, &self.key.words, entry).await?)
    }

    /// Starts to keep the sound of both legs, `from_ms` milliseconds after the
    /// answer. The tap takes sound from any thread.
    pub async fn start_recording(&mut self, rate: SampleRate, from_ms: u64) -> Result<SoundTap, KeepError> {
        if self.recording.is_some() {
            return Err(KeepError::AlreadyRecording(self.call));
        }
        let dir = sound::call_dir(&self.rooms.recordings, self.call);
        // The disk may take its time, and the thread that runs this is everybody's.
        let made = tokio::task::spawn_blocking(move || disk::private_dir(&dir)).await;
        made.map_err(std::io::Error::other)
            .flatten()
            .map_err(|source| KeepError::Directory { call: self.call, source })?;
        records::begin_recording(&self.rooms.index, self.call, rate, from_ms).await?;
        let leg = |leg| {
            let place = self.rooms.place(self.call, leg);
            LegWriter::new(place, self.key.sound.clone(), rate, self.rooms.disk.clone())
        };
        let tap = self.rooms.recorder.begin(Leg::BOTH.map(leg)).await?;
        self.recording = Some(OpenRecording { tap: tap.clone(), rate, from_ms });
        Ok(tap)
    }

    /// Hands over the next samples of a leg; see [`SoundTap::sound`]. Before
    /// [`CallMemory::start_recording`] nothing is kept.
    pub fn sound(&self, leg: Leg, samples: &[i16]) {
        if let Some(recording) = &self.recording {
            recording.tap.sound(leg, samples);
        }
    }

    /// With its record the call is queued to be heard again, if there is sound of it. One
    /// that a crash cuts off is not.
    pub fn hear_again(&mut self, hear_again: HearAgain) {
        self.hear_again = Some(hear_again);
    }

    /// Ends the recording and writes the record. Returns the record as it was
    /// kept: what is said of the recording comes from the recorder.
    pub async fn finish(mut self, record: CallRecord) -> Result<CallRecord, KeepError> {
        let record = self.end_recording(record).await?;
        self.keep(&record).await?;
        Ok(record)
    }

    /// Ends the recording; gives the record as it is to be kept.
    pub async fn end_recording(&mut self, mut record: CallRecord) -> Result<CallRecord, KeepError> {
        // The call alone knows what it withheld; the rest is the recorder's to say.
        let withheld = record.recording.take().map_or_else(Vec::new, |recording| recording.gaps);
        if let Some(OpenRecording { tap, rate, from_ms }) = self.recording.take() {
            let legs = self.rooms.recorder.end(tap).await?;
            record.recording = Some(summary(&legs, rate, from_ms, withheld));
        }
        Ok(record)
    }

    /// Writes the record of a call whose recording has ended: all of it or nothing, so
    /// that it can be tried again.
    pub async fn keep(&self, record: &CallRecord) -> Result<(), KeepError> {
        let hear_again = self.hear_again.as_ref().filter(|_| record.recording.is_some());
        Ok(records::finish(&self.rooms.index, &self.key.words, record, hear_again).await?)
    }

    /// A place among the records that wait for the disk; none if too many wait.
    pub fn place_to_wait(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed: there is no other error than that it is full.
        self.rooms.waiting.clone().try_acquire_owned().ok()
    }
}

fn summary(legs: &[LegEnd; 2], rate: SampleRate, from_ms: u64, withheld: Vec<Gap>) -> Recording {
    let samples = legs.iter().map(|leg| leg.samples).max().unwrap_or(0);
    let mut gaps = withheld;
    gaps.extend(legs.iter().flat_map(|leg| leg.gaps_ms(rate, from_ms)));
    gaps.sort_by_key(|gap| (gap.from_ms, gap.to_ms));
    gaps.dedup();
    Recording { from_ms, duration_ms: sound::ms(samples, rate), gaps }
}
