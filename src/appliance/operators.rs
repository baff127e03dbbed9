//! Operators on the disk: the file that a technician writes, and beside the store what
//! the box has learnt of their wording, one file for each. A mistake in the first is told
//! with its place before a port is opened; one in the second costs what was learnt alone.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use thiserror::Error;

use crate::signalling::modem::airtime::{InvalidOperators, Lesson, Operators};

/// Within the directory of the box's data.
pub(super) const LEARNT_DIR: &str = "operators";

/// A country's operators are some kilobytes.
const FILE_MAX: u64 = 256 * 1024;

/// What may be learnt of one operator has a bound of its own, far below this.
const LEARNT_FILE_MAX: u64 = 32 * 1024;

/// More operators than a box meets.
const LEARNT_FILES_MAX: usize = 64;

#[derive(Debug, Error)]
pub enum ReadOperators {
    #[error(
        "reading the operators of SIMs in {path}: {source}. `box.operators` names the file, such as \
         firmware-config/operators.toml"
    )]
    File { path: PathBuf, source: io::Error },
    #[error("{path} has more than {max} octets, and no such file has")]
    TooLong { path: PathBuf, max: u64 },
    #[error("{path}: {source}")]
    Mistake { path: PathBuf, source: InvalidOperators },
    #[error("looking for what was learnt of operators in {path}: {source}")]
    Directory { path: PathBuf, source: io::Error },
}

/// The operators of the file.
pub fn read_operators(path: &Path) -> Result<Operators, ReadOperators> {
    let text = read(path, FILE_MAX)?;
    Operators::parse(&text).map_err(|source| ReadOperators::Mistake { path: path.to_owned(), source })
}

fn read(path: &Path, max: u64) -> Result<String, ReadOperators> {
    let failed = |source| ReadOperators::File { path: path.to_owned(), source };
    let mut text = String::new();
    File::open(path).map_err(failed)?.take(max + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > max { Err(ReadOperators::TooLong { path: path.to_owned(), max }) } else { Ok(text) }
}

/// Adds what was learnt before; what is wrong with any of its files.
pub fn add_learnt(operators: &mut Operators, dir: &Path) -> Vec<ReadOperators> {
    let mut wrong = Vec::new();
    let directory = |source| ReadOperators::Directory { path: dir.to_owned(), source };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        // Nothing was learnt yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return wrong,
        Err(error) => return vec![directory(error)],
    };
    let mut paths = Vec::new();
    for entry in entries.take(LEARNT_FILES_MAX) {
        match entry {
            Ok(entry) => paths.push(entry.path()),
            Err(error) => wrong.push(directory(error)),
        }
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    for path in paths {
        let id = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let added = read(&path, LEARNT_FILE_MAX).and_then(|text| {
            operators.add_learnt(&id, &text).map_err(|source| ReadOperators::Mistake { path: path.clone(), source })
        });
        wrong.extend(added.err());
    }
    wrong
}

#[derive(Debug, Error)]
#[error("keeping what was learnt of the operator {operator} in {path}: {source}")]
pub struct KeepLesson {
    operator: String,
    path: PathBuf,
    source: io::Error,
}

/// What the lines of the box learn, and where it is kept.
#[derive(Debug)]
pub struct LearntOperators {
    dir: PathBuf,
    /// With everything that was learnt so far. Lines of one operator learn one after the
    /// other.
    operators: Mutex<Operators>,
}

impl LearntOperators {
    pub fn new(dir: PathBuf, operators: Operators) -> Self {
        Self { dir, operators: Mutex::new(operators) }
    }

    /// Keeps a lesson, whole or not at all. It waits for the disk.
    pub fn keep(&self, lesson: &Lesson) -> Result<(), KeepLesson> {
        let mut operators = self.operators.lock().unwrap_or_else(PoisonError::into_inner);
        if !operators.learn(lesson) {
            return Ok(());
        }
        let path = self.dir.join(format!("{}.toml", lesson.operator));
        let kept = write_whole(&self.dir, &path, &operators.learnt_of(&lesson.operator));
        kept.map_err(|source| KeepLesson { operator: lesson.operator.clone(), path, source })
    }
}

fn write_whole(dir: &Path, path: &Path, text: &str) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let growing = path.with_extension("new");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&growing)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&growing, path)?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signalling::modem::airtime::{Asks, Finds};

    fn delivered() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-config/operators.toml")
    }

    fn lesson(words: &str) -> Lesson {
        Lesson { operator: "mtn-ng".to_owned(), asks: Asks::Balance, finds: Finds::Airtime, words: words.to_owned() }
    }

    #[test]
    fn what_was_learnt_is_there_at_the_next_start_and_once() {
        let dir = tempfile::tempdir().unwrap();
        let beside = dir.path().join("operators");
        let mut first = read_operators(&delivered()).unwrap();
        assert!(add_learnt(&mut first, &beside).is_empty(), "nothing was learnt yet");
        let learnt = LearntOperators::new(beside.clone(), first.clone());
        for words in ["your current bal", "bal", "bal"] {
            learnt.keep(&lesson(words)).unwrap();
        }
        let mut next = read_operators(&delivered()).unwrap();
        assert!(add_learnt(&mut next, &beside).is_empty());
        assert_ne!(next, first);
        assert!(!next.learn(&lesson("bal")) && next.learn(&lesson("acct")));
        let text = fs::read_to_string(beside.join("mtn-ng.toml")).unwrap();
        assert_eq!(text.matches("\"bal\"").count(), 1, "{text}");
    }

    #[test]
    fn a_learnt_file_with_a_slip_is_told_and_left_out_and_the_others_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let learnt = LearntOperators::new(dir.path().to_owned(), read_operators(&delivered()).unwrap());
        learnt.keep(&lesson("bal")).unwrap();
        fs::write(dir.path().join("glo-ng.toml"), "[[answer]]\nasks = \"weather\"\n").unwrap();
        fs::write(dir.path().join("nobody.toml"), "").unwrap();
        let mut operators = read_operators(&delivered()).unwrap();
        let wrong = add_learnt(&mut operators, dir.path());
        let told: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        assert!(told.len() == 2 && told[0].contains("glo-ng.toml") && told[1].contains("nobody"), "{told:?}");
        assert!(!operators.learn(&lesson("bal")));
    }

    #[test]
    fn a_file_that_is_not_there_is_too_long_or_has_a_slip_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("operators.toml");
        let error = read_operators(&path).unwrap_err();
        assert!(matches!(error, ReadOperators::File { .. }) && error.to_string().contains("box.operators"), "{error}");
        fs::write(&path, vec![b'#'; usize::try_from(FILE_MAX).unwrap() + 1]).unwrap();
        assert!(matches!(read_operators(&path), Err(ReadOperators::TooLong { .. })));
        fs::write(&path, "[country]\n[[operator]]\nid = 3\n").unwrap();
        let error = read_operators(&path).unwrap_err();
        assert!(
            matches!(error, ReadOperators::Mistake { .. }) && error.to_string().contains("operators.toml"),
            "{error}"
        );
    }
}
