//! The models' directory: writing whole files or none, checksums, and a memory
//! of what was found right, so that nothing is hashed twice without need.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use ring::digest;
use serde::{Deserialize, Serialize};

use super::manifest::{FileEntry, Sha256};

/// What was found right lies here, beside the models.
const MEMORY_FILE: &str = "verified.json";
/// Half-made files, and wheels whose file is not yet installed.
const WORK_DIR: &str = ".fetch";
/// Bytes read at once: large enough that the disk sets the pace.
const CHUNK: usize = 256 * 1024;

/// Passes bytes on, and knows their number and checksum at the end.
pub struct Summing<W> {
    inner: W,
    digest: digest::Context,
    size: u64,
}

impl<W: Write> Summing<W> {
    pub fn new(inner: W) -> Self {
        Self { inner, digest: digest::Context::new(&digest::SHA256), size: 0 }
    }

    /// Bytes that have passed so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn finish(self) -> (W, u64, Sha256) {
        let mut sum = [0; 32];
        sum.copy_from_slice(self.digest.finish().as_ref()); // SHA-256 has 32 bytes
        (self.inner, self.size, Sha256(sum))
    }
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Which side of a copy failed.
#[derive(Debug)]
pub enum CopyError {
    Read(io::Error),
    Write(io::Error),
}

impl CopyError {
    pub fn into_inner(self) -> io::Error {
        match self {
            Self::Read(error) | Self::Write(error) => error,
        }
    }
}

/// Copies everything, telling `progress` how much it was after each chunk.
pub fn copy(from: &mut impl Read, to: &mut impl Write, progress: &mut dyn FnMut(u64)) -> Result<(), CopyError> {
    let mut chunk = vec![0; CHUNK];
    let mut total = 0;
    loop {
        let count = match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(CopyError::Read(error)),
        };
        to.write_all(&chunk[..count]).map_err(CopyError::Write)?;
        total += count as u64;
        progress(total);
    }
}

pub fn sum_file(path: &Path, progress: &mut dyn FnMut(u64)) -> io::Result<(u64, Sha256)> {
    let mut summing = Summing::new(io::sink());
    copy(&mut File::open(path)?, &mut summing, progress).map_err(CopyError::into_inner)?;
    let (_, size, sum) = summing.finish();
    Ok((size, sum))
}

/// How a file looked when it was found right. Whoever replaces a file changes
/// one of these; who does so on purpose can deceive it, which is why `verify`
/// does not ask the memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    size: u64,
    modified_ns: u64,
    sha256: Sha256,
}

/// The directory with the models in it.
pub struct ModelsDir {
    dir: PathBuf,
    seen: BTreeMap<String, Seen>,
}

impl ModelsDir {
    /// Opens the directory, which need not exist. A damaged memory is an empty
    /// one: everything is hashed again.
    pub fn open(dir: &Path) -> Self {
        let seen = match fs::read(dir.join(MEMORY_FILE)).map(|json| serde_json::from_slice(&json)) {
            Ok(Ok(seen)) => seen,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the memory of verified models is damaged; they are verified again");
                BTreeMap::new()
            }
            // Missing, or unreadable: the latter shows as soon as a model is read.
            Err(_) => BTreeMap::new(),
        };
        Self { dir: dir.to_owned(), seen }
    }

    pub fn path(&self, file: &FileEntry) -> PathBuf {
        self.dir.join(&file.name)
    }

    pub fn work_dir(&self) -> PathBuf {
        self.dir.join(WORK_DIR)
    }

    /// Whether the file looks as it did when its checksum was last right.
    /// Costs one question to the file system.
    pub fn is_known(&self, file: &FileEntry) -> bool {
        let look = look(&self.path(file), file.sha256);
        look.is_ok_and(|look| look.size == file.size && self.seen.get(&file.name) == Some(&look))
    }

    /// Remembers that the file is right now.
    pub fn remember(&mut self, file: &FileEntry) -> io::Result<()> {
        let look = look(&self.path(file), file.sha256)?;
        self.seen.insert(file.name.clone(), look);
        self.write_memory()
    }

    pub fn forget(&mut self, file: &FileEntry) -> io::Result<()> {
        if self.seen.remove(&file.name).is_some() { self.write_memory() } else { Ok(()) }
    }

    fn write_memory(&self) -> io::Result<()> {
        let json = serde_json::to_vec_pretty(&self.seen)?;
        fs::create_dir_all(self.work_dir())?;
        let half = self.work_dir().join(MEMORY_FILE);
        fs::write(&half, json)?;
        fs::rename(half, self.dir.join(MEMORY_FILE))
    }

    /// Puts a finished file in its place: after a power cut there is the old
    /// one or the new one, never a half.
    pub fn install(&mut self, made: &Path, file: &FileEntry) -> io::Result<()> {
        File::open(made)?.sync_all()?;
        fs::rename(made, self.path(file))?;
        File::open(&self.dir)?.sync_all()?;
        self.remember(file)
    }
}

fn look(path: &Path, sha256: Sha256) -> io::Result<Seen> {
    let metadata = fs::metadata(path)?;
    // Before 1970 is as good as 1970: it only has to stay the same.
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Seen { size: metadata.len(), modified_ns: u64::try_from(modified.as_nanos()).unwrap_or(u64::MAX), sha256 })
}
