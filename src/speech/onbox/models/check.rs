use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;
use thiserror::Error;

use super::disk::{ModelsDir, sum_file};
use super::fetch::{Progress, Step};
use super::manifest::{Choice, FileEntry, Manifest, Purpose, UnknownModel};

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileState {
    /// Its checksum was right when it was last looked at, and it looks the same.
    Verified,
    /// It is there with the right size; nobody has checked it.
    Present,
    Missing,
    /// Its size or its checksum is wrong.
    Damaged,
    /// It is there and cannot be read.
    Unreadable,
}

/// A model of the list as it lies on the disk, for `milu models list --json`.
#[derive(Clone, Debug, Serialize)]
pub struct ListedModel {
    pub name: String,
    pub purpose: Purpose,
    pub about: String,
    pub licence: String,
    pub needed: bool,
    pub files: Vec<ListedFile>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ListedFile {
    pub name: String,
    pub size_bytes: u64,
    pub sha256: String,
    pub state: FileState,
}

impl ListedFile {
    /// Whether it can be loaded, as far as a look tells.
    pub fn is_there(&self) -> bool {
        matches!(self.state, FileState::Verified | FileState::Present)
    }
}

impl ListedModel {
    /// Whether it can be loaded, as far as a look tells.
    pub fn is_there(&self) -> bool {
        self.files.iter().all(ListedFile::is_there)
    }
}

#[derive(Debug, Error)]
pub enum VerifyError {
    #[error(transparent)]
    Unknown(#[from] UnknownModel),
    #[error("verifying models: what was found cannot be noted beside them")]
    Note(#[source] io::Error),
}

/// All models of the list and how they lie in `dir`, without reading them.
pub fn list(manifest: &Manifest, dir: &Path) -> Vec<ListedModel> {
    let disk = ModelsDir::open(dir);
    listed(manifest.models.iter(), |file| look(&disk, file))
}

/// Reads every byte of the chosen models and compares the checksums. What it
/// finds is noted, so that a damaged file is fetched again and not trusted.
pub fn verify(
    manifest: &Manifest,
    dir: &Path,
    choice: Choice<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<ListedModel>, VerifyError> {
    let chosen = manifest.choose(choice)?;
    let mut disk = ModelsDir::open(dir);
    let mut noted = Ok(());
    let models = chosen.iter().map(|model| {
        let state = |file: &FileEntry| {
            let state = read_whole(&disk, file, &mut |done| {
                let (model, total) = (model.name.as_str(), file.size);
                progress(Progress { model, file: &file.name, step: Step::Verifying, done, total });
            });
            let note = match state {
                FileState::Verified => disk.remember(file),
                _ => disk.forget(file),
            };
            if let Err(error) = note {
                noted = Err(error);
            }
            state
        };
        listed(std::iter::once(*model), state)
    });
    let models = models.flatten().collect();
    noted.map_err(VerifyError::Note)?;
    Ok(models)
}

/// Reads every byte of those files of the chosen models that have changed since they were
/// last found right, or never were. A right one is noted where that is possible, and is not
/// read again before it changes. Of a wrong one nothing is noted and nothing stays noted:
/// it is told by what is given back, and is read again at each start until it is right.
pub fn verify_unseen(manifest: &Manifest, dir: &Path, choice: Choice<'_>) -> Result<Vec<ListedModel>, UnknownModel> {
    let chosen = manifest.choose(choice)?;
    let mut disk = ModelsDir::open(dir);
    let state = |file: &FileEntry| {
        let looks = look(&disk, file);
        if looks != FileState::Present {
            return looks;
        }
        let state = read_whole(&disk, file, &mut |_| {});
        let noted = if state == FileState::Verified { disk.remember(file) } else { disk.forget(file) };
        if let Err(error) = noted {
            tracing::warn!(%error, file = file.name, ?state, "what a model's file is cannot be noted beside it");
        }
        state
    };
    Ok(listed(chosen.into_iter(), state))
}

fn listed<'m>(
    models: impl Iterator<Item = &'m super::manifest::ModelEntry>,
    mut state: impl FnMut(&FileEntry) -> FileState,
) -> Vec<ListedModel> {
    models
        .map(|model| ListedModel {
            name: model.name.clone(),
            purpose: model.purpose,
            about: model.about.clone(),
            licence: model.licence.clone(),
            needed: model.needed,
            files: model
                .files
                .iter()
                .map(|file| ListedFile {
                    name: file.name.clone(),
                    size_bytes: file.size,
                    sha256: file.sha256.to_string(),
                    state: state(file),
                })
                .collect(),
        })
        .collect()
}

fn look(disk: &ModelsDir, file: &FileEntry) -> FileState {
    match fs::metadata(disk.path(file)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => FileState::Missing,
        Err(_) => FileState::Unreadable,
        Ok(metadata) if metadata.len() != file.size => FileState::Damaged,
        Ok(_) if disk.is_known(file) => FileState::Verified,
        Ok(_) => FileState::Present,
    }
}

fn read_whole(disk: &ModelsDir, file: &FileEntry, progress: &mut dyn FnMut(u64)) -> FileState {
    match sum_file(&disk.path(file), progress) {
        Ok((_, sum)) if sum == file.sha256 => FileState::Verified,
        Ok(_) => FileState::Damaged,
        Err(error) if error.kind() == io::ErrorKind::NotFound => FileState::Missing,
        Err(_) => FileState::Unreadable,
    }
}
