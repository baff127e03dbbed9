//! What the recorder asks of a disk, so that its faults can be played in tests:
//! a full disk, a write error, a failed fsync. The real one is [`RealDisk`].

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Read, write and search for the owner, nothing for anyone else.
const DIR_MODE: u32 = 0o700;
/// Read and write for the owner, nothing for anyone else.
pub(super) const FILE_MODE: u32 = 0o600;

/// Where sound files are made.
pub(super) trait Disk: Send + Sync {
    /// Makes a new file, reserves `expected` bytes for it and makes its name durable.
    fn create(&self, path: &Path, expected: u64) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file its final name, durably.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
}

/// A file that grows at its end.
pub(super) trait DiskFile: Send {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes all that was appended durable. After an error nothing may be
    /// believed about the file: Linux reports a failed write-back once, marks
    /// the pages clean and lets the next call succeed.
    fn sync(&mut self) -> io::Result<()>;

    /// Makes durable all that was appended to any file of its file system. An error
    /// may be another file's: then each is asked by itself.
    fn sync_with_others(&mut self) -> io::Result<()>;

    /// Gives back what was reserved and not used.
    fn trim(&mut self) -> io::Result<()>;
}

/// The file system.
pub(super) struct RealDisk;

struct RealFile {
    file: File,
    len: u64,
}

impl Disk for RealDisk {
    fn create(&self, path: &Path, expected: u64) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().append(true).create_new(true).mode(FILE_MODE).open(path)?;
        match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::KEEP_SIZE, 0, expected) {
            // A file system without reservations: appending will do.
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => {}
            Err(errno) => {
                std::fs::remove_file(path)?;
                return Err(errno.into());
            }
        }
        sync_parent(path)?;
        Ok(Box::new(RealFile { file, len: 0 }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)?;
        sync_parent(to)
    }
}

impl DiskFile for RealFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn sync_with_others(&mut self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.file)?)
    }

    fn trim(&mut self) -> io::Result<()> {
        self.file.set_len(self.len)
    }
}

/// Makes the entry of `path` in its directory durable.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(parent)?.sync_all()
}

/// Makes a directory for the owner alone, durably; one that exists is tightened.
pub(super) fn private_dir(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    DirBuilder::new().recursive(true).mode(DIR_MODE).create(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(DIR_MODE))?;
    sync_parent(path)
}

/// Bytes that this process may still write to the file system of `path`.
pub(super) fn free_bytes(path: &Path) -> io::Result<u64> {
    let about = rustix::fs::statvfs(path)?;
    Ok(about.f_bavail.saturating_mul(about.f_frsize))
}
