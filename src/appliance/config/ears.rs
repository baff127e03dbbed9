//! Which model hears on the box: one of the list, or a file of the owner's.

use std::path::{Path, PathBuf};

use serde::Deserialize;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum EarsModel {
    Tiny,
    Base,
    Small,
    /// In whisper.cpp's GGML format.
    File(PathBuf),
}

impl From<String> for EarsModel {
    fn from(text: String) -> Self {
        match text.as_str() {
            "tiny" => Self::Tiny,
            "base" => Self::Base,
            "small" => Self::Small,
            _ => Self::File(text.into()),
        }
    }
}

impl EarsModel {
    /// A path is relative to the configuration that names it.
    pub(super) fn relative_to(self, base: &Path) -> Self {
        match self {
            Self::File(path) => Self::File(base.join(path)),
            named => named,
        }
    }

    /// Its name in the list of models; an owner's file has none.
    pub fn model(&self) -> Option<&'static str> {
        match self {
            Self::Tiny => Some("whisper-tiny"),
            Self::Base => Some("whisper-base"),
            Self::Small => Some("whisper-small"),
            Self::File(_) => None,
        }
    }

    pub fn file(&self, models_dir: &Path) -> PathBuf {
        match self {
            Self::Tiny => models_dir.join("whisper-tiny.en.q8_0.ggml.bin"),
            Self::Base => models_dir.join("whisper-base.q8_0.ggml.bin"),
            Self::Small => models_dir.join("whisper-small.q8_0.ggml.bin"),
            Self::File(path) => path.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::onbox::models::Manifest;

    #[test]
    fn each_named_model_and_its_file_are_in_the_list_of_models() {
        let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-config/models.toml");
        let list = Manifest::read(&list).expect("the list");
        for ears in ["tiny", "base", "small"].map(|name| EarsModel::from(name.to_owned())) {
            let model = list.models.iter().find(|model| Some(model.name.as_str()) == ears.model());
            let files = &model.expect("a model of the list").files;
            let named: Vec<_> = files.iter().map(|file| Path::new("m").join(&file.name)).collect();
            assert_eq!(named, [ears.file(Path::new("m"))]);
        }
    }

    #[test]
    fn a_file_of_the_owners_is_sought_beside_the_configuration() {
        let of = |path: &str| EarsModel::from(path.to_owned()).relative_to(Path::new("/etc/milu")).file(Path::new("m"));
        assert_eq!(of("ears/ours.bin"), Path::new("/etc/milu/ears/ours.bin"));
        assert_eq!(of("/srv/ours.bin"), Path::new("/srv/ours.bin"));
        assert_eq!(of("base"), Path::new("m/whisper-base.q8_0.ggml.bin"));
    }
}
