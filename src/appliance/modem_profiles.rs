//! The families of modems that the box knows: one file each in a directory. A
//! mistake in one is told with its place before a port is opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::config::GsmLineSettings;
use crate::signalling::modem::{Profile, ProfileMistakes};

/// Families in one directory; there are some dozens of makers.
const PROFILES_MAX: usize = 100;

#[derive(Debug, Error)]
pub enum ReadProfiles {
    #[error(
        "reading the profiles of modems in {path}: {source}. `box.modem_profiles` names the directory, such as \
         firmware-config/modems"
    )]
    Directory { path: PathBuf, source: std::io::Error },
    #[error("reading the modem profile {path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("reading a modem profile: it has mistakes.\n{0}")]
    Mistakes(#[from] ProfileMistakes),
    #[error("reading the profiles of modems: {path} has more than {PROFILES_MAX} files")]
    TooMany { path: PathBuf },
    #[error("line {line}: {dir} has no profile `{name}`; it has {known}")]
    Unknown { line: String, name: String, dir: PathBuf, known: String },
    #[error("reading the profiles of modems: {path} has none; a GSM line needs at least one")]
    None { path: PathBuf },
}

/// Every family of a directory, in the order of names.
pub fn read_profiles(dir: &Path) -> Result<Vec<Arc<Profile>>, ReadProfiles> {
    let failed = |source| ReadProfiles::Directory { path: dir.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
        if files.len() > PROFILES_MAX {
            return Err(ReadProfiles::TooMany { path: dir.to_owned() });
        }
    }
    files.sort();
    let profile = |path: PathBuf| -> Result<Arc<Profile>, ReadProfiles> {
        let text =
            std::fs::read_to_string(&path).map_err(|source| ReadProfiles::File { path: path.clone(), source })?;
        Ok(Arc::new(Profile::parse(&text, &path.display().to_string())?))
    };
    let profiles = files.into_iter().map(profile).collect::<Result<Vec<_>, _>>()?;
    if profiles.is_empty() { Err(ReadProfiles::None { path: dir.to_owned() }) } else { Ok(profiles) }
}

/// The families that a line's modem may be of.
pub fn profiles_of(
    line: &GsmLineSettings,
    all: &[Arc<Profile>],
    dir: &Path,
) -> Result<Vec<Arc<Profile>>, ReadProfiles> {
    let Some(name) = &line.profile else { return Ok(all.to_vec()) };
    let found = all.iter().find(|profile| profile.name == *name).cloned();
    found.map(|profile| vec![profile]).ok_or_else(|| ReadProfiles::Unknown {
        line: line.id.to_string(),
        name: name.clone(),
        dir: dir.to_owned(),
        known: all.iter().map(|profile| profile.name.as_str()).collect::<Vec<_>>().join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivered() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-config/modems")
    }

    #[test]
    fn every_delivered_family_is_read_in_the_order_of_names() {
        let profiles = read_profiles(&delivered()).unwrap();
        let names: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
        assert!(names.contains(&"generic") && names.is_sorted(), "{names:?}");
    }

    #[test]
    fn a_mistake_is_told_with_its_file_its_row_and_its_column() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("mine.toml"), "name = \"mine\"\ntitel = \"Mine\"\n").unwrap();
        let error = read_profiles(dir.path()).unwrap_err().to_string();
        assert!(error.contains("mine.toml:2:1: "), "{error}");
    }

    #[test]
    fn a_directory_without_profiles_is_told_apart_from_none() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(read_profiles(dir.path()), Err(ReadProfiles::None { .. })));
        assert!(matches!(read_profiles(&dir.path().join("no")), Err(ReadProfiles::Directory { .. })));
    }
}
