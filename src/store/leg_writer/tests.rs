use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use proptest::prelude::*;

use super::*;
use crate::store::keyring::Keyring;
use crate::store::playback::{self, LegSound};
use crate::store::sound::Leg;
use crate::terms::CallId;

/// Wide band, so that what comes back can be compared bit for bit.
const RATE: SampleRate = SampleRate::Hz16000;
/// Content of a segment in samples: what may wait in memory after a commit.
const PENDING_MAX: usize = 248;

/// A disk in memory that knows what is durable, fails when told, and forgets
/// the rest when the power goes.
#[derive(Default)]
struct Platter {
    files: BTreeMap<PathBuf, Content>,
    operations: u64,
    /// The operation that fails, and how.
    fault: Option<(u64, io::ErrorKind)>,
    /// From its fault on, the disk refuses everything.
    dead: bool,
    /// The first bytes of every stream that was ever begun.
    beginnings: Vec<Vec<u8>>,
}

use std::path::PathBuf;

#[derive(Default)]
struct Content {
    bytes: Vec<u8>,
    durable: usize,
}

#[derive(Clone, Default)]
struct FakeDisk(Arc<Mutex<Platter>>);

struct FakeFile {
    disk: FakeDisk,
    path: PathBuf,
}

impl FakeDisk {
    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap()
    }

    fn failing_at(operation: u64, kind: io::ErrorKind, dead: bool) -> Self {
        let disk = Self::default();
        disk.platter().fault = Some((operation, kind));
        disk.platter().dead = dead;
        disk
    }

    fn operation(&self) -> io::Result<MutexGuard<'_, Platter>> {
        let mut platter = self.platter();
        platter.operations += 1;
        match platter.fault {
            Some((at, kind)) if at == platter.operations || (platter.dead && platter.operations > at) => {
                Err(kind.into())
            }
            _ => Ok(platter),
        }
    }

    /// The power goes: of what was not synced, `torn` bytes of each file are left.
    fn write_out(&self, torn: usize) {
        for (path, content) in &self.platter().files {
            let left = content.bytes.len().min(content.durable + torn);
            std::fs::write(path, &content.bytes[..left]).unwrap();
        }
    }
}

impl Disk for FakeDisk {
    fn create(&self, path: &Path, _expected: u64) -> io::Result<Box<dyn DiskFile>> {
        let mut platter = self.operation()?;
        assert!(!platter.files.contains_key(path), "a file was continued: {}", path.display());
        platter.files.insert(path.to_owned(), Content::default());
        Ok(Box::new(FakeFile { disk: self.clone(), path: path.to_owned() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut platter = self.operation()?;
        let content = platter.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        platter.files.insert(to.to_owned(), content);
        Ok(())
    }
}

impl DiskFile for FakeFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut platter = self.disk.operation()?;
        let first = platter.files[&self.path].bytes.is_empty();
        if first {
            platter.beginnings.push(bytes[..40].to_vec());
        }
        platter.files.get_mut(&self.path).unwrap().bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// A failed sync loses what it should have written, as Linux does.
    fn sync(&mut self) -> io::Result<()> {
        match self.disk.operation() {
            Ok(mut platter) => {
                let content = platter.files.get_mut(&self.path).unwrap();
                content.durable = content.bytes.len();
                Ok(())
            }
            Err(error) => {
                let mut platter = self.disk.platter();
                let content = platter.files.get_mut(&self.path).unwrap();
                let durable = content.durable;
                content.bytes[durable..].fill(0);
                Err(error)
            }
        }
    }

    fn sync_with_others(&mut self) -> io::Result<()> {
        let mut platter = self.disk.operation()?;
        platter.files.values_mut().for_each(|content| content.durable = content.bytes.len());
        Ok(())
    }

    fn trim(&mut self) -> io::Result<()> {
        self.disk.operation().map(drop)
    }
}

struct Rig {
    dir: tempfile::TempDir,
    disk: FakeDisk,
    key: Key,
    writer: LegWriter,
    marks: Vec<Mark>,
    sent: Vec<i16>,
}

impl Rig {
    fn new(disk: FakeDisk) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keyring = Keyring::create(&dir.path().join("key"), jiff::Timestamp::UNIX_EPOCH).unwrap();
        let key = keyring.index_key().clone();
        let writer = LegWriter::new(place(&dir), key.clone(), RATE, Arc::new(disk.clone()));
        Self { dir, disk, key, writer, marks: Vec::new(), sent: Vec::new() }
    }

    fn feed(&mut self, samples: usize) {
        let from = self.sent.len();
        let sound: Vec<i16> = (from..from + samples).map(|n| (n % 30_011) as i16 + 1).collect();
        self.writer.take(from as u64, &sound);
        self.sent.extend(sound);
    }

    fn commit(&mut self) {
        self.writer.commit();
        self.marks.extend(self.writer.take_marks());
    }

    fn close(&mut self) -> LegEnd {
        let end = self.writer.close(self.sent.len() as u64);
        self.marks.extend(self.writer.take_marks());
        end
    }

    fn power_cut(&self, torn: usize) -> LegSound {
        self.disk.write_out(torn);
        let mut newest: BTreeMap<u32, Mark> = BTreeMap::new();
        newest.extend(self.marks.iter().map(|mark| (mark.number, mark.clone())));
        let marks: Vec<Mark> = newest.into_values().collect();
        playback::read_leg(&place(&self.dir), &self.key, &marks).unwrap()
    }
}

fn place(dir: &tempfile::TempDir) -> Place {
    Place {
        dir: dir.path().to_owned(),
        owner: "box".to_owned(),
        call: CallId::from_parts(1, [1; 10]),
        leg: Leg::Caller,
    }
}

#[test]
fn a_leg_longer_than_a_file_goes_on_in_the_next() {
    let mut rig = Rig::new(FakeDisk::default());
    for _ in 0..61 {
        rig.feed(16_000);
        rig.commit();
    }
    assert_eq!(rig.close(), LegEnd { samples: 61 * 16_000, gaps: vec![], faults: 0 });
    assert_eq!(rig.disk.platter().beginnings.len(), 2);
    let kept = rig.power_cut(0);
    assert_eq!((kept.samples == rig.sent, kept.tampered), (true, None));
}

#[test]
fn sound_lost_in_the_queue_is_silence_and_a_gap_in_its_place() {
    let mut rig = Rig::new(FakeDisk::default());
    rig.feed(320);
    rig.sent.extend([0; 640]);
    rig.feed(320);
    assert_eq!(rig.close().gaps, [(320, 960, GapReason::Overload)]);
    assert_eq!(rig.power_cut(0).samples, rig.sent);
}

#[test]
fn a_full_disk_stops_the_recording_with_a_gap_to_its_end() {
    let mut rig = Rig::new(FakeDisk::failing_at(12, io::ErrorKind::StorageFull, true));
    for _ in 0..40 {
        rig.feed(320);
        rig.commit();
    }
    let end = rig.close();
    let &[(from, to, GapReason::DiskFault)] = end.gaps.as_slice() else { panic!("{end:?}") };
    assert_eq!((end.samples, to), (40 * 320, 40 * 320));
    let kept = rig.power_cut(0);
    assert!(from > 0 && kept.samples.len() as u64 >= from);
    assert_eq!(kept.samples[..], rig.sent[..kept.samples.len()]);
}

#[test]
fn a_disk_that_died_is_given_up_after_a_few_new_files() {
    let mut rig = Rig::new(FakeDisk::failing_at(12, io::ErrorKind::Other, true));
    for _ in 0..40 {
        rig.feed(320);
        rig.commit();
    }
    let end = rig.close();
    assert_eq!(end.faults, u64::from(RESTARTS_MAX) + 1);
    assert!(matches!(end.gaps.as_slice(), [(_, 12_800, GapReason::DiskFault)]), "{end:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_power_cut_at_any_time_keeps_all_that_was_committed_and_invents_nothing(
        slices in proptest::collection::vec((1_usize..700, any::<bool>()), 1..60),
        torn in 0_usize..3_000,
    ) {
        let mut rig = Rig::new(FakeDisk::default());
        let mut committed = 0;
        for (samples, commit) in slices {
            rig.feed(samples);
            if commit {
                rig.commit();
                committed = rig.sent.len();
            }
        }
        let kept = rig.power_cut(torn);
        prop_assert_eq!(kept.tampered, None);
        prop_assert!(kept.samples.len() + PENDING_MAX >= committed, "{} of {committed}", kept.samples.len());
        prop_assert!(kept.samples.len() <= rig.sent.len());
        prop_assert_eq!(&kept.samples[..], &rig.sent[..kept.samples.len()]);
    }

    #[test]
    fn one_error_of_the_disk_anywhere_loses_nothing_and_no_salt_is_used_twice(
        operation in 1_u64..70,
        commit_every in 1_usize..6,
    ) {
        let mut rig = Rig::new(FakeDisk::failing_at(operation, io::ErrorKind::Other, false));
        for slice in 1..=40 {
            rig.feed(320);
            if slice % commit_every == 0 {
                rig.commit();
            }
        }
        let end = rig.close();
        let happened = rig.disk.platter().operations >= operation;
        prop_assert_eq!(&end, &LegEnd { samples: 40 * 320, gaps: vec![], faults: u64::from(happened) });
        let kept = rig.power_cut(0);
        prop_assert_eq!(kept.tampered, None);
        prop_assert_eq!(&kept.samples, &rig.sent);
        let platter = rig.disk.platter();
        let salts: BTreeSet<_> = platter.beginnings.iter().collect();
        prop_assert_eq!(salts.len(), platter.beginnings.len());
    }
}
