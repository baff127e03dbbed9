//! The vault: one directory, one process, everything encrypted.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use jiff::Timestamp;
use thiserror::Error;
use tokio::sync::{Mutex, Semaphore};

use super::call_memory::CallMemory;
use super::catch_up::{self, HearingFault, SecondHearing, Waiting};
use super::disk::{self, Disk, FILE_MODE, RealDisk};
use super::index::{Index, IndexError};
use super::keyring::{CallKey, Key, Keyring, KeyringStatus, RandomFailed};
use super::marks::{self, Mark};
use super::modems::Modems;
use super::playback::{self, LegSound, SoundError};
use super::policies::{self, KeptPolicies};
use super::recorder::{Clock, FaultCounts, Faults, Recorder, RecorderEnded};
use super::records::{self, CallHeader, CallSummary, ReadRowError, RowError};
use super::recovery::{self, RecoveryError};
use super::renderings::{self, RenderingKey};
use super::reports::Reports;
use super::sound::{self, Leg, Place, SEGMENT};
use super::texts::Texts;
use super::transfers::{self, RegisterError, TransferQuery, TransferTotal};
use super::wav::Wav;
use crate::call::CallRecord;
use crate::media::SampleRate;
use crate::residency::Transfer;
use crate::terms::{CallId, Private};

/// Records of ended calls that wait for a disk which does not take them. While it fails no
/// new call is begun to be kept, so that they are those of calls that were under way: a
/// box listens to forty at most, and some have the keys alone.
const RECORDS_WAITING: usize = 64;

#[derive(Debug, Error)]
pub enum OpenError {
    #[error("preparing the vault's directory {path}: {source}")]
    Directory { path: PathBuf, source: io::Error },
    #[error("opening the vault {0}: another process has it open; stop that one first, or ask it over its socket")]
    InUse(PathBuf),
    #[error("opening the vault {path}: it belongs to keyring {theirs}, but the key file is of keyring {ours}")]
    OtherKeyring { path: PathBuf, theirs: String, ours: String },
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    #[error("starting the threads of the vault: {0}")]
    Threads(io::Error),
}

/// Keeping something failed.
#[derive(Debug, Error)]
pub enum KeepError {
    #[error(transparent)]
    Row(#[from] RowError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("making the key of a call: {0}")]
    Random(#[from] RandomFailed),
    #[error("starting the recording of call {call}: {source}")]
    Directory { call: CallId, source: io::Error },
    #[error("recording a call: {0}")]
    Recorder(#[from] RecorderEnded),
    #[error("starting the recording of call {0}: it is being recorded already")]
    AlreadyRecording(CallId),
}

/// Reading what was kept failed.
#[derive(Debug, Error)]
pub enum ReadError {
    #[error("reading call {0}: there is no finished call with this id")]
    Unknown(CallId),
    #[error("reading call {0}: its key does not open; it was erased, or the index is damaged")]
    Key(CallId),
    #[error("playing call {0}: it was not recorded")]
    NotRecorded(CallId),
    #[error(
        "playing call {call}, {leg} leg, file {number}: sound that was safe on the disk is missing or changed; \
         someone tampered with it, or the disk is failing"
    )]
    Tampered { call: CallId, leg: &'static str, number: u32 },
    #[error(transparent)]
    Row(#[from] ReadRowError),
    #[error(transparent)]
    Sound(#[from] SoundError),
    #[error("reading call {0}: the reader ended early")]
    ReaderEnded(CallId),
}

/// Settling a second hearing failed.
#[derive(Debug, Error)]
pub enum SettleError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Row(#[from] RowError),
}

/// A sound file for an independent reader: any Tink opens it with the call's
/// sound key (AES256-GCM-HKDF streaming, SHA-256, derived key of 32 bytes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoundFile {
    pub path: PathBuf,
    pub leg: Leg,
    pub associated_data: Vec<u8>,
    /// The length of a ciphertext segment in bytes.
    pub segment_bytes: usize,
}

/// The encrypted memory of the box. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    pub(super) rooms: Arc<Rooms>,
}

/// What the vault consists of.
pub(super) struct Rooms {
    dir: PathBuf,
    pub(super) recordings: PathBuf,
    pub(super) keyring: Keyring,
    pub(super) index: Index,
    pub(super) recorder: Recorder,
    pub(super) disk: Arc<dyn Disk>,
    faults: Arc<Faults>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    recovered: Vec<CallId>,
    /// Places of the records that wait for the disk.
    pub(super) waiting: Arc<Semaphore>,
    /// Held as long as the vault is open.
    _lock: Arc<File>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("dir", &self.rooms.dir).finish_non_exhaustive()
    }
}

impl Vault {
    /// Opens the vault in `dir`, or makes it, and finishes calls that a crash
    /// cut off. `clock` is the box's monotonic clock.
    pub async fn open(dir: &Path, keyring: Keyring, clock: Clock) -> Result<Self, OpenError> {
        Self::open_on(dir, keyring, clock, Arc::new(RealDisk)).await
    }

    pub(super) async fn open_on(
        dir: &Path,
        keyring: Keyring,
        clock: Clock,
        disk: Arc<dyn Disk>,
    ) -> Result<Self, OpenError> {
        let recordings = dir.join("recordings");
        for path in [dir, &recordings] {
            disk::private_dir(path).map_err(|source| OpenError::Directory { path: path.to_owned(), source })?;
        }
        let lock = Arc::new(lock(dir)?);
        check_owner(dir, &keyring)?;
        let index = Index::open(&dir.join("index.db"), keyring.index_key()).await?;
        let recovered = recovery::run(&index, &keyring, &recordings).await?;
        let faults = Arc::new(Faults::default());
        let (marks, marks_thread) = marks::start(index.options(), faults.clone()).map_err(OpenError::Threads)?;
        let (recorder, recorder_thread) =
            Recorder::start(clock, marks, faults.clone(), lock.clone()).map_err(OpenError::Threads)?;
        let threads = Mutex::new(vec![recorder_thread, marks_thread]);
        let dir = dir.to_owned();
        let waiting = Arc::new(Semaphore::new(RECORDS_WAITING));
        let rooms =
            Rooms { dir, recordings, keyring, index, recorder, disk, faults, threads, recovered, waiting, _lock: lock };
        Ok(Self { rooms: Arc::new(rooms) })
    }

    /// Writes out what is in memory and ends the vault's threads. Calls that are
    /// still open are finished at the next start.
    pub async fn close(&self) {
        if self.rooms.recorder.stop().await.is_err() {
            // It has ended already: closing twice is harmless.
            tracing::debug!("the recorder had ended before the vault was closed");
        }
        let threads = std::mem::take(&mut *self.rooms.threads.lock().await);
        let joined = tokio::task::spawn_blocking(move || threads.into_iter().all(|thread| thread.join().is_ok())).await;
        if !joined.unwrap_or(false) {
            tracing::error!("a thread of the vault ended in a panic");
        }
        self.rooms.index.close().await;
    }

    /// Calls that a crash had cut off and that were finished by this start.
    pub fn recovered(&self) -> &[CallId] {
        &self.rooms.recovered
    }

    pub fn keyring_status(&self) -> KeyringStatus {
        self.rooms.keyring.status()
    }

    /// What went wrong with the disk since the vault was opened.
    pub fn faults(&self) -> FaultCounts {
        self.rooms.faults.read()
    }

    /// Bytes that may still be written to the vault's file system.
    pub fn free_bytes(&self) -> io::Result<u64> {
        disk::free_bytes(&self.rooms.dir)
    }

    /// Begins to keep a call.
    pub async fn begin_call(&self, header: &CallHeader) -> Result<CallMemory, KeepError> {
        let (key, wrapped) = self.rooms.keyring.new_call_key(header.id)?;
        records::begin(&self.rooms.index, header, self.rooms.keyring.epoch(), wrapped).await?;
        Ok(CallMemory::new(self.rooms.clone(), header.id, key))
    }

    /// The index takes nothing more until what this gives is dropped, as when the
    /// disk stalls.
    #[cfg(test)]
    pub(crate) async fn stalled(&self) -> impl Send + use<> {
        self.rooms.index.write.acquire().await.expect("the index is open")
    }

    /// Finished calls that began at or after `since` and before `until`, newest first.
    pub async fn list(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<CallSummary>, ReadError> {
        Ok(records::list(&self.rooms.index, since, until, limit).await?)
    }

    /// The record of a finished call.
    pub async fn show(&self, call: CallId) -> Result<CallRecord, ReadError> {
        let (header, key) = self.unlock(call).await?;
        records::record(&self.rooms.index, header, &key.words).await?.ok_or(ReadError::Unknown(call))
    }

    /// Legs of the recording as a WAV file, a channel for each in this order. What
    /// someone has tampered with is refused before the first byte.
    pub async fn wav(&self, call: CallId, legs: &[Leg]) -> Result<Wav, ReadError> {
        let kept = self.kept_sound(call).await?;
        let places = legs.iter().map(|leg| self.rooms.place(call, *leg)).collect();
        let open = move || Wav::open(call, kept.rate, kept.key, places, &kept.marks);
        tokio::task::spawn_blocking(open).await.map_err(|_| ReadError::ReaderEnded(call)).flatten()
    }

    /// For tests of what a disk or an owner may do to the index.
    #[cfg(test)]
    pub async fn do_to_index(&self, statement: &'static str) {
        sqlx::query(statement).execute(&self.rooms.index.write).await.unwrap();
    }

    /// A fixed sentence that was rendered before, for a caller who waits.
    pub async fn rendering(&self, key: &RenderingKey) -> Result<Option<Vec<i16>>, IndexError> {
        renderings::get(&self.rooms.index, key).await
    }

    /// The same for a start: what it uses is the last to make room.
    pub async fn rendering_for_use(&self, key: &RenderingKey) -> Result<Option<Vec<i16>>, IndexError> {
        renderings::get_for_use(&self.rooms.index, key).await
    }

    /// Keeps a fixed sentence; what was not used for longest makes room. False when it is
    /// too long for one, and is not kept.
    pub async fn keep_rendering(&self, key: &RenderingKey, samples: &[i16]) -> Result<bool, IndexError> {
        renderings::keep(&self.rooms.index, key, samples).await
    }

    /// The call that is to be heard again next.
    pub async fn next_to_hear_again(&self, now: Timestamp) -> Result<Option<Waiting>, IndexError> {
        catch_up::next_due(&self.rooms.index, now).await
    }

    /// How many calls wait to be heard again.
    pub async fn waiting_to_be_heard_again(&self) -> Result<u64, IndexError> {
        catch_up::waiting_count(&self.rooms.index).await
    }

    /// It did not work; it is due again at `due_at`.
    pub async fn postpone_hearing(
        &self,
        call: CallId,
        due_at: Timestamp,
        fault: HearingFault,
    ) -> Result<(), IndexError> {
        catch_up::postpone(&self.rooms.index, call, due_at, fault).await
    }

    /// It may not be tried yet; it is due again at `due_at`, and no try is counted.
    pub async fn put_off_hearing(&self, call: CallId, due_at: Timestamp) -> Result<(), IndexError> {
        catch_up::put_off(&self.rooms.index, call, due_at).await
    }

    /// Takes a call out of that queue unheard. Its key need not open any more.
    pub async fn hear_no_more(&self, call: CallId) -> Result<(), IndexError> {
        catch_up::remove(&self.rooms.index, call).await
    }

    /// Takes a call out of that queue and keeps what was heard.
    pub async fn settle_hearing(&self, call: CallId, heard: &[SecondHearing]) -> Result<(), SettleError> {
        let (_, key) = self.unlock(call).await?;
        Ok(catch_up::settle(&self.rooms.index, call, &key.words, heard).await?)
    }

    /// What a second hearing gave for a call.
    pub async fn second_hearings(&self, call: CallId) -> Result<Vec<SecondHearing>, ReadError> {
        let (_, key) = self.unlock(call).await?;
        Ok(catch_up::hearings(&self.rooms.index, call, &key.words).await?)
    }

    /// When a person began to listen to a call while it lasted, each time, in
    /// milliseconds after its offer.
    pub async fn listened(&self, call: CallId) -> Result<Vec<u64>, ReadError> {
        Ok(records::listened(&self.rooms.index, call).await?)
    }

    /// The sound of one leg from its beginning, and its rate, for engines that
    /// hear it again.
    pub async fn leg_sound(&self, call: CallId, leg: Leg) -> Result<(SampleRate, Vec<i16>), ReadError> {
        let kept = self.kept_sound(call).await?;
        let place = self.rooms.place(call, leg);
        let read = move || untouched(call, leg, playback::read_leg(&place, &kept.key, &kept.marks)?);
        let sound = tokio::task::spawn_blocking(read).await.map_err(|_| ReadError::ReaderEnded(call)).flatten()?;
        Ok((kept.rate, sound))
    }

    /// Text messages: those to be sent and those that came.
    pub fn texts(&self) -> Texts<'_> {
        Texts::new(&self.rooms.index)
    }

    /// Parts of text messages whose delivery is still to be told.
    pub fn reports(&self) -> Reports<'_> {
        Reports::new(&self.rooms.index, self.rooms.keyring.index_key())
    }

    /// What is known of the modems of lines.
    pub fn modems(&self) -> Modems<'_> {
        Modems::new(&self.rooms.index, self.rooms.keyring.index_key())
    }

    /// Whose call it is or was, on which line; none if the box does not have it any more.
    pub async fn header(&self, call: CallId) -> Result<Option<CallHeader>, ReadError> {
        Ok(records::keyed_header(&self.rooms.index, call).await?.map(|keyed| keyed.header))
    }

    /// The policies in force when the box last stopped.
    pub async fn policies(&self) -> Result<KeptPolicies, IndexError> {
        policies::read(&self.rooms.index).await
    }

    pub async fn keep_policies(&self, kept: &KeptPolicies) -> Result<(), IndexError> {
        policies::write(&self.rooms.index, kept).await
    }

    /// Writes rows of the register of transfers, all of them or none.
    pub async fn register(&self, transfers: &[Transfer]) -> Result<(), RegisterError> {
        transfers::write(&self.rooms.index, transfers).await
    }

    /// Rows of the register of transfers, newest first.
    pub async fn transfers(&self, query: TransferQuery) -> Result<Vec<Transfer>, RegisterError> {
        transfers::read(&self.rooms.index, query).await
    }

    /// What went to each destination at or after `since` and before `until`.
    pub async fn transfer_totals(
        &self,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<TransferTotal>, RegisterError> {
        transfers::totals(&self.rooms.index, since, until).await
    }

    /// The key of a call's sound files, for an independent reader.
    pub async fn sound_key(&self, call: CallId) -> Result<Private<[u8; 32]>, ReadError> {
        let (_, key) = self.unlock(call).await?;
        Ok(Private::new(*key.sound.bytes()))
    }

    /// The sound files of a call, leg by leg in order.
    pub async fn sound_files(&self, call: CallId) -> Result<Vec<SoundFile>, ReadError> {
        let (_, _) = self.unlock(call).await?;
        let mut found = Vec::new();
        for place in self.places(call) {
            for (number, path) in playback::paths(&place)? {
                let associated_data = place.associated_data(number);
                let segment_bytes = SEGMENT.ciphertext_bytes();
                found.push(SoundFile { path, leg: place.leg, associated_data, segment_bytes });
            }
        }
        Ok(found)
    }

    async fn unlock(&self, call: CallId) -> Result<(CallHeader, CallKey), ReadError> {
        let keyed = records::keyed_header(&self.rooms.index, call).await?.ok_or(ReadError::Unknown(call))?;
        let key = self.rooms.keyring.open_call_key(call, keyed.epoch, &keyed.wrapped);
        Ok((keyed.header, key.map_err(|_| ReadError::Key(call))?))
    }

    fn places(&self, call: CallId) -> [Place; 2] {
        Leg::BOTH.map(|leg| self.rooms.place(call, leg))
    }

    /// What a recording is read with.
    async fn kept_sound(&self, call: CallId) -> Result<KeptSound, ReadError> {
        let (_, key) = self.unlock(call).await?;
        let kept = records::recording(&self.rooms.index, call).await?.ok_or(ReadError::NotRecorded(call))?;
        let marks = records::marks(&self.rooms.index, call).await?;
        Ok(KeptSound { rate: kept.rate, key: key.sound, marks })
    }
}

/// The key of a recording, and what must be there of it.
struct KeptSound {
    rate: SampleRate,
    key: Key,
    marks: Vec<Mark>,
}

impl Rooms {
    pub(super) fn place(&self, call: CallId, leg: Leg) -> Place {
        let dir = sound::call_dir(&self.recordings, call);
        Place { dir, owner: self.keyring.id().to_owned(), call, leg }
    }
}

fn untouched(call: CallId, leg: Leg, sound: LegSound) -> Result<Vec<i16>, ReadError> {
    match sound.tampered {
        Some(number) => Err(ReadError::Tampered { call, leg: leg.name(), number }),
        None => Ok(sound.samples),
    }
}

/// Takes the vault for this process; the kernel gives it back when we end.
fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("lock");
    let failed = |source| OpenError::Directory { path: path.clone(), source };
    let file = OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Remembers whose vault it is, so that a wrong key file is told apart from damage.
fn check_owner(dir: &Path, keyring: &Keyring) -> Result<(), OpenError> {
    let path = dir.join("keyring");
    let failed = |source| OpenError::Directory { path: path.clone(), source };
    match std::fs::read_to_string(&path) {
        Ok(theirs) if theirs.trim() == keyring.id() => Ok(()),
        Ok(theirs) => Err(OpenError::OtherKeyring {
            path: dir.to_owned(),
            theirs: theirs.trim().to_owned(),
            ours: keyring.id().to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            write_private(&path, keyring.id().as_bytes()).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    disk::sync_parent(path)
}
