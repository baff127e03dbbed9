//! The recorder: one thread that writes the sound of all calls. The audio path
//! hands samples over without waiting; what finds no place in the queue is
//! counted and becomes a gap in the record, never a delay in the call.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

use super::leg_writer::{LegEnd, LegWriter};
use super::marks::Mark;
use super::sound::Leg;
use crate::terms::Moment;

/// The box's monotonic clock, handed in.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// The most that a power cut costs: see [`COMMIT_INTERVAL`].
pub(super) const LOSS_MAX_MS: u64 = 250;

/// Between two commits. With the 62 ms of a segment, a slice of 20 ms that wait
/// for theirs, the 20 ms for which the caller's sound is held back until it is known
/// to be no key's, and the nap, a power cut costs at most 242 ms and the time of one
/// sync.
const COMMIT_INTERVAL: Duration = Duration::from_millis(130);

/// After a batch of slices the thread rests: thirty calls send a slice every third
/// of a millisecond, and to be woken for each takes longer than to write it.
const NAP: Duration = Duration::from_millis(10);

/// Files with something to commit from which on the whole file system is synced in
/// one go. A sync of a file waits for the disk's journal, whatever it holds: thirty
/// calls have sixty files, and 460 such waits in a second leave no time for sound.
/// A single call's two files are better synced by themselves, for they need not
/// wait for what others have written.
const SYNCED_TOGETHER_FROM: usize = 4;

/// With nothing to commit the thread sleeps until there is work.
const IDLE_WAIT: Duration = Duration::from_secs(3600);

/// Commits between two high-water marks: about a second.
const COMMITS_PER_MARK: u32 = 7;

/// Slices in the queue: 30 calls send 3000 a second, so a disk may stall for
/// 1.3 s before sound is lost. The queue holds 2.8 MB at most.
const QUEUE: usize = 4096;

/// Samples in a slice: 20 ms at the higher rate.
const SLICE: usize = 320;

/// Slices taken between two looks at the clock.
const SLICES_AT_ONCE: usize = 256;

/// What has gone wrong with the disk since the start.
#[derive(Debug, Default)]
pub(super) struct Faults {
    disk: AtomicU64,
    overload: AtomicU64,
    marks: AtomicU64,
}

/// A reading of [`super::Vault::faults`]: counts since the vault was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// Errors of the disk that cost a sound file.
    pub disk_faults: u64,
    /// Slices of sound that found the queue full.
    pub overloads: u64,
    /// Failures to write high-water marks.
    pub marks_failed: u64,
}

impl Faults {
    pub(super) fn read(&self) -> FaultCounts {
        FaultCounts {
            disk_faults: self.disk.load(Ordering::Relaxed),
            overloads: self.overload.load(Ordering::Relaxed),
            marks_failed: self.marks.load(Ordering::Relaxed),
        }
    }

    pub(super) fn marks_failed(&self) {
        self.marks.fetch_add(1, Ordering::Relaxed);
    }
}

/// Samples taken from each leg so far, lost ones included.
type Positions = [AtomicU64; 2];

struct Slice {
    recording: u64,
    leg: Leg,
    start: u64,
    len: usize,
    samples: [i16; SLICE],
}

#[expect(clippy::large_enum_variant, reason = "slices are nearly all there is, and are not to be allocated")]
enum Work {
    Begin {
        recording: u64,
        legs: Box<[LegWriter; 2]>,
        positions: Arc<Positions>,
    },
    Sound(Slice),
    End {
        recording: u64,
        reply: oneshot::Sender<[LegEnd; 2]>,
    },
    /// Commit everything and end the thread.
    Stop,
}

/// Takes the sound of one call, from any thread, without waiting.
#[derive(Clone)]
pub struct SoundTap {
    recording: u64,
    positions: Arc<Positions>,
    queue: SyncSender<Work>,
    faults: Arc<Faults>,
}

impl std::fmt::Debug for SoundTap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SoundTap").field("recording", &self.recording).finish_non_exhaustive()
    }
}

impl SoundTap {
    /// Hands over the next samples of a leg. Both legs must be fed all the time,
    /// silence included: a leg's place in time is the count of its samples.
    /// Each leg is fed by one thread.
    pub fn sound(&self, leg: Leg, samples: &[i16]) {
        for part in samples.chunks(SLICE) {
            let len = part.len();
            let start = self.positions[leg.index()].fetch_add(len as u64, Ordering::Relaxed);
            let mut slice = Slice { recording: self.recording, leg, start, len, samples: [0; SLICE] };
            slice.samples[..len].copy_from_slice(part);
            match self.queue.try_send(Work::Sound(slice)) {
                Ok(()) => {}
                // The position has moved on, so the writer sees the hole.
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                    self.faults.overload.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// The next samples of a leg were lost before they came here: a gap.
    pub fn lost(&self, leg: Leg, samples: usize) {
        if samples > 0 {
            // The position has moved on, so the writer sees the hole.
            self.positions[leg.index()].fetch_add(samples as u64, Ordering::Relaxed);
            self.faults.overload.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The recorder's thread is gone: the vault was closed.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the recorder has ended")]
pub struct RecorderEnded;

/// The way to the recorder's thread.
#[derive(Clone)]
pub(super) struct Recorder {
    queue: SyncSender<Work>,
    faults: Arc<Faults>,
    next: Arc<AtomicU64>,
}

impl Recorder {
    pub(super) fn start(
        clock: Clock,
        marks: SyncSender<Mark>,
        faults: Arc<Faults>,
        lock: Arc<File>,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let (queue, work) = sync_channel(QUEUE);
        let desk =
            Desk { _lock: lock, clock, marks, faults: faults.clone(), open: Vec::new(), commits: 0, faults_before: 0 };
        let thread = Builder::new().name("milu-recorder".to_owned()).spawn(move || desk.run(&work))?;
        Ok((Self { queue, faults, next: Arc::new(AtomicU64::new(0)) }, thread))
    }

    pub(super) async fn begin(&self, legs: [LegWriter; 2]) -> Result<SoundTap, RecorderEnded> {
        let recording = self.next.fetch_add(1, Ordering::Relaxed);
        let positions = Arc::new(Positions::default());
        self.send(Work::Begin { recording, legs: Box::new(legs), positions: positions.clone() }).await?;
        Ok(SoundTap { recording, positions, queue: self.queue.clone(), faults: self.faults.clone() })
    }

    pub(super) async fn end(&self, tap: SoundTap) -> Result<[LegEnd; 2], RecorderEnded> {
        let (reply, ended) = oneshot::channel();
        self.send(Work::End { recording: tap.recording, reply }).await?;
        ended.await.map_err(|_| RecorderEnded)
    }

    pub(super) async fn stop(&self) -> Result<(), RecorderEnded> {
        self.send(Work::Stop).await
    }

    /// Orders must not be lost, so they wait for a place in the queue, on a
    /// thread where waiting harms nobody.
    async fn send(&self, work: Work) -> Result<(), RecorderEnded> {
        let queue = self.queue.clone();
        let sent = tokio::task::spawn_blocking(move || queue.send(work).is_ok()).await;
        if sent.unwrap_or(false) { Ok(()) } else { Err(RecorderEnded) }
    }
}

struct OpenRecording {
    id: u64,
    legs: Box<[LegWriter; 2]>,
    positions: Arc<Positions>,
}

impl OpenRecording {
    /// Nobody holds the call any more, and nobody ended the recording: its files
    /// stay as they are and the next start of the vault finishes the record.
    fn is_forsaken(&self) -> bool {
        Arc::strong_count(&self.positions) == 1
    }
}

/// What the thread works on.
struct Desk {
    /// The vault is ours until the last byte is written.
    _lock: Arc<File>,
    clock: Clock,
    marks: SyncSender<Mark>,
    faults: Arc<Faults>,
    open: Vec<OpenRecording>,
    commits: u32,
    faults_before: u64,
}

impl Desk {
    fn run(mut self, work: &Receiver<Work>) {
        let mut committed = (self.clock)();
        loop {
            let since = (self.clock)().since(committed);
            let wait = if self.open.is_empty() { IDLE_WAIT } else { COMMIT_INTERVAL.saturating_sub(since) };
            let mut due = false;
            match work.recv_timeout(wait) {
                Ok(first) => {
                    for item in std::iter::once(first).chain(work.try_iter()).take(SLICES_AT_ONCE) {
                        if self.handle(item) == Next::Stop {
                            return;
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => due = true,
                Err(RecvTimeoutError::Disconnected) => {
                    self.commit();
                    return;
                }
            }
            let now = (self.clock)();
            if due || now.since(committed) >= COMMIT_INTERVAL {
                self.commit();
                committed = now;
            } else if !self.open.is_empty() {
                std::thread::sleep(NAP);
            }
        }
    }

    fn handle(&mut self, work: Work) -> Next {
        match work {
            Work::Begin { recording, legs, positions } => {
                self.open.push(OpenRecording { id: recording, legs, positions });
            }
            Work::Sound(slice) => {
                if let Some(open) = self.open.iter_mut().find(|open| open.id == slice.recording) {
                    open.legs[slice.leg.index()].take(slice.start, &slice.samples[..slice.len]);
                }
            }
            Work::End { recording, reply } => self.end(recording, reply),
            Work::Stop => {
                self.commit();
                self.send_marks();
                return Next::Stop;
            }
        }
        Next::Continue
    }

    fn end(&mut self, recording: u64, reply: oneshot::Sender<[LegEnd; 2]>) {
        let Some(at) = self.open.iter().position(|open| open.id == recording) else { return };
        let mut open = self.open.swap_remove(at);
        let end = |leg: Leg| open.positions[leg.index()].load(Ordering::Relaxed);
        let ends = Leg::BOTH.map(end);
        let [caller, boxed] = open.legs.as_mut();
        let ended = [caller.close(ends[0]), boxed.close(ends[1])];
        let faults: u64 = ended.iter().map(|leg| leg.faults).sum();
        self.faults_before += faults;
        for leg in open.legs.iter_mut() {
            offer(&self.marks, leg.take_marks());
        }
        self.report_faults();
        if reply.send(ended).is_err() {
            tracing::warn!("a recording ended and nobody waited for it");
        }
    }

    fn commit(&mut self) {
        let are_synced = self.sync_together();
        for leg in self.open.iter_mut().flat_map(|open| open.legs.iter_mut()) {
            if are_synced { leg.committed() } else { leg.commit() }
        }
        self.report_faults();
        self.commits += 1;
        if self.commits >= COMMITS_PER_MARK {
            self.commits = 0;
            self.send_marks();
        }
        self.open.retain(|open| !open.is_forsaken());
    }

    /// Syncs all files in one go, if there are many. False leaves each to itself,
    /// also where one of them, or of somebody else's, could not be written: only its
    /// own sync says whose it is.
    fn sync_together(&mut self) -> bool {
        let legs = self.open.iter_mut().flat_map(|open| open.legs.iter_mut());
        let mut dirty = legs.filter(|leg| leg.is_dirty());
        let Some(first) = dirty.next() else { return false };
        if dirty.count() + 1 < SYNCED_TOGETHER_FROM {
            return false;
        }
        let synced = first.sync_with_others();
        if let Err(error) = &synced {
            tracing::debug!(%error, "the recordings' file system reports an error; each file is synced by itself");
        }
        synced.is_ok()
    }

    fn send_marks(&mut self) {
        for leg in self.open.iter_mut().flat_map(|open| open.legs.iter_mut()) {
            offer(&self.marks, leg.take_marks());
        }
    }

    fn report_faults(&self) {
        let open: u64 = self.open.iter().flat_map(|open| open.legs.iter()).map(LegWriter::faults).sum();
        self.faults.disk.store(self.faults_before + open, Ordering::Relaxed);
    }
}

#[derive(PartialEq, Eq)]
enum Next {
    Continue,
    Stop,
}

fn offer(queue: &SyncSender<Mark>, marks: Vec<Mark>) {
    for mark in marks {
        if queue.try_send(mark).is_err() {
            // The next mark of the same file says more than this one.
            tracing::debug!("a high-water mark found its queue full");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::disk::{Disk, DiskFile};
    use super::super::keyring::Keyring;
    use super::super::sound::Place;
    use super::*;
    use crate::media::SampleRate;
    use crate::terms::CallId;

    /// A disk that counts how often it is waited for.
    #[derive(Clone, Default)]
    struct Counting(Arc<Counts>);

    #[derive(Default)]
    struct Counts {
        alone: AtomicU64,
        together: AtomicU64,
        /// What is synced together fails.
        fails_together: std::sync::atomic::AtomicBool,
    }

    impl Counting {
        /// Since they were read last.
        fn syncs(&self) -> (u64, u64) {
            (self.0.alone.swap(0, Ordering::Relaxed), self.0.together.swap(0, Ordering::Relaxed))
        }
    }

    impl Disk for Counting {
        fn create(&self, _path: &Path, _expected: u64) -> io::Result<Box<dyn DiskFile>> {
            Ok(Box::new(self.clone()))
        }

        fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
            Ok(())
        }
    }

    impl DiskFile for Counting {
        fn append(&mut self, _bytes: &[u8]) -> io::Result<()> {
            Ok(())
        }

        fn sync(&mut self) -> io::Result<()> {
            self.0.alone.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }

        fn sync_with_others(&mut self) -> io::Result<()> {
            self.0.together.fetch_add(1, Ordering::Relaxed);
            if self.0.fails_together.load(Ordering::Relaxed) { Err(io::ErrorKind::Other.into()) } else { Ok(()) }
        }

        fn trim(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A desk with so many calls, and what marks come of it.
    fn desk(calls: u64, disk: &Counting) -> (Desk, Receiver<Mark>, Vec<Arc<Positions>>) {
        let dir = tempfile::tempdir().unwrap();
        let keyring = Keyring::create(&dir.path().join("key"), jiff::Timestamp::UNIX_EPOCH).unwrap();
        let (marks, told) = sync_channel(1000);
        let mut desk = Desk {
            _lock: Arc::new(File::open(dir.path()).unwrap()),
            clock: Arc::new(|| Moment::START),
            marks,
            faults: Arc::default(),
            open: Vec::new(),
            commits: 0,
            faults_before: 0,
        };
        let mut held = Vec::new();
        for recording in 0..calls {
            let legs = Leg::BOTH.map(|leg| {
                let call = CallId::from_parts(recording, [0; 10]);
                let place = Place { dir: dir.path().to_owned(), owner: "box".to_owned(), call, leg };
                LegWriter::new(place, keyring.index_key().clone(), SampleRate::Hz8000, Arc::new(disk.clone()))
            });
            let positions = Arc::new(Positions::default());
            held.push(positions.clone());
            desk.handle(Work::Begin { recording, legs: Box::new(legs), positions });
        }
        (desk, told, held)
    }

    /// A tenth of a second of each leg.
    fn hear(desk: &mut Desk, calls: u64, from: u64) {
        for (recording, leg) in (0..calls).flat_map(|call| Leg::BOTH.map(|leg| (call, leg))) {
            for start in (from..from + 800).step_by(160) {
                desk.handle(Work::Sound(Slice { recording, leg, start, len: 160, samples: [1; SLICE] }));
            }
        }
    }

    #[test]
    fn a_commit_of_thirty_calls_waits_for_the_disk_once() {
        let disk = Counting::default();
        let (mut desk, told, _held) = desk(30, &disk);
        hear(&mut desk, 30, 0);
        disk.syncs();
        desk.commit();
        assert_eq!(disk.syncs(), (0, 1));
        desk.commit();
        assert_eq!(disk.syncs(), (0, 0), "nothing is new");
        desk.send_marks();
        assert_eq!(told.try_iter().count(), 60, "each file is known to be safe so far");
    }

    #[test]
    fn a_single_call_waits_for_its_own_files_alone() {
        let disk = Counting::default();
        let (mut desk, _told, _held) = desk(1, &disk);
        hear(&mut desk, 1, 0);
        desk.commit();
        assert_eq!(disk.syncs(), (2, 0));
    }

    #[test]
    fn where_the_file_system_reports_an_error_each_file_is_asked_by_itself() {
        let disk = Counting::default();
        disk.0.fails_together.store(true, Ordering::Relaxed);
        let (mut desk, told, _held) = desk(3, &disk);
        hear(&mut desk, 3, 0);
        desk.commit();
        assert_eq!(disk.syncs(), (6, 1));
        desk.send_marks();
        assert_eq!(told.try_iter().count(), 6);
    }
}
