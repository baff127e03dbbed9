//! The models that the box runs: which they are, where they come from, and
//! whether the files on the disk are the right ones. It never loads a model,
//! and the running box never downloads: an owner does, with `milu models`.

mod check;
pub mod convert;
mod disk;
mod download;
mod fetch;
mod manifest;

pub use check::{FileState, ListedFile, ListedModel, VerifyError, list, verify, verify_unseen};
pub use download::{Download, DownloadError, Tools};
pub use fetch::{FetchError, Fetched, Progress, Step, fetch};
pub use manifest::{
    Choice, FileEntry, Manifest, ModelEntry, Origin, Places, Published, Purpose, ReadManifest, Sha256, UnknownModel,
    Wheel, WheelPart,
};
