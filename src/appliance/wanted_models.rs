//! The models that a configuration wants, and whether they lie on the disk as they were
//! published. It reads files, and never loads or fetches a model.

use std::fmt;
use std::path::{Path, PathBuf};

use super::config::EarsModel;
use crate::speech::onbox::models::{
    Choice, FileState, ListedModel, Manifest, ModelEntry, Purpose, UnknownModel, list, verify_unseen,
};

/// What lies otherwise than it should, and how to mend it.
#[derive(Debug)]
pub struct LackingModels {
    dir: PathBuf,
    files: Vec<(String, FileState)>,
    models: Vec<String>,
}

impl std::error::Error for LackingModels {}

impl fmt::Display for LackingModels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dir = self.dir.display();
        write!(f, "in {dir} ")?;
        for (at, (file, state)) in self.files.iter().enumerate() {
            let how = match state {
                FileState::Missing => "missing",
                FileState::Unreadable => "not readable",
                FileState::Damaged | FileState::Verified | FileState::Present => "damaged or not the published one",
            };
            write!(f, "{}{file} is {how}", if at == 0 { "" } else { ", " })?;
        }
        write!(f, ". `milu models fetch --dir {dir} {}` brings what is lacking", self.models.join(" "))
    }
}

/// The models of the list that a box with these ears loads, by their names.
pub fn wanted(manifest: &Manifest, ears: &EarsModel) -> Vec<String> {
    let loads = |model: &&ModelEntry| match model.purpose {
        Purpose::Ears => ears.model() == Some(model.name.as_str()),
        Purpose::Turn | Purpose::Mind | Purpose::Voice => model.needed,
    };
    manifest.models.iter().filter(loads).map(|model| model.name.clone()).collect()
}

/// Looks at the wanted models without reading them; gives how many there are.
pub fn look_at(manifest: &Manifest, dir: &Path, ears: &EarsModel) -> Result<usize, LackingModels> {
    let names = wanted(manifest, ears);
    let models: Vec<_> = list(manifest, dir).into_iter().filter(|model| names.contains(&model.name)).collect();
    all_there(&models, dir).map(|()| models.len())
}

/// Reads those of the wanted models whole that nobody has verified since they last changed:
/// half a second for all of them at a first start, nothing afterwards. Blocks.
pub fn make_sure_of(manifest: &Manifest, dir: &Path, ears: &EarsModel) -> Result<(), LackingModels> {
    let names = wanted(manifest, ears);
    match verify_unseen(manifest, dir, Choice::Named(&names)) {
        Ok(models) => all_there(&models, dir),
        // They were taken from this list.
        Err(UnknownModel { .. }) => Ok(()),
    }
}

fn all_there(models: &[ListedModel], dir: &Path) -> Result<(), LackingModels> {
    let lacking: Vec<_> = models.iter().filter(|model| !model.is_there()).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let files = lacking.iter().flat_map(|model| &model.files).filter(|file| !file.is_there());
    Err(LackingModels {
        dir: dir.to_owned(),
        files: files.map(|file| (file.name.clone(), file.state)).collect(),
        models: lacking.iter().map(|model| model.name.clone()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ears_that_are_named_are_wanted_and_no_others() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-config/models.toml");
        let manifest = Manifest::read(&path).expect("the list");
        let ears = |ears: &EarsModel| -> Vec<String> {
            wanted(&manifest, ears).into_iter().filter(|name| name.starts_with("whisper")).collect()
        };
        assert_eq!(ears(&EarsModel::Small), ["whisper-small"]);
        assert!(ears(&EarsModel::File("ours.bin".into())).is_empty());
        let others = wanted(&manifest, &EarsModel::File("ours.bin".into())).len();
        assert_eq!(wanted(&manifest, &EarsModel::Tiny).len(), others + 1);
    }

    #[test]
    fn who_lacks_a_model_is_told_its_file_and_how_to_bring_that_very_model() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-config/models.toml");
        let manifest = Manifest::read(&path).expect("the list");
        let empty = tempfile::tempdir().expect("a directory");
        let told = look_at(&manifest, empty.path(), &EarsModel::Small).expect_err("nothing is there").to_string();
        for part in ["whisper-small.q8_0.ggml.bin is missing", "milu models fetch --dir", "whisper-small "] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(!told.contains("whisper-base"), "{told}");
    }
}
