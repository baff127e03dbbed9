//! Secrets of the box: the configuration names them, a directory holds them, one
//! file each. What is read reaches no log, and nothing is written here.

use std::io::Read;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::terms::Private;

/// A key of a provider has some hundred characters; a megabyte is a mistake.
const MAX_BYTES: u64 = 64 << 10;

/// The directory that the service manager makes for the service's credentials
/// (`LoadCredential=` in systemd.exec(5)).
const FROM_SYSTEMD: &str = "CREDENTIALS_DIRECTORY";

#[derive(Debug, Error)]
pub enum CredentialError {
    #[error(
        "reading the credential `{0}`: there is no directory of credentials. Give one with --credentials, or \
         `LoadCredential={0}:PATH` in the service's unit"
    )]
    NoDirectory(String),
    #[error(
        "reading the credential `{name}`: {path} is not there. Write the key into it, readable by the box alone (chmod 600)"
    )]
    Missing { name: String, path: PathBuf },
    #[error("reading the credential `{name}`: {path}: {source}")]
    Read { name: String, path: PathBuf, source: std::io::Error },
    #[error("reading the credential `{name}`: {path} may be read by others. `chmod 600 {path}` makes it private", path = .path.display())]
    Public { name: String, path: PathBuf },
    #[error("reading the credential `{0}`: a credential is named with a-z, 0-9, '-', '_' and '.'")]
    Name(String),
    #[error("reading the credential `{name}`: {path} is empty, or not one row of printable characters")]
    Content { name: String, path: PathBuf },
}

/// Where credentials lie.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    dir: Option<PathBuf>,
}

impl Credentials {
    /// In `dir`, or else where the service manager has put them.
    pub fn new(dir: Option<PathBuf>) -> Self {
        Self { dir: dir.or_else(|| std::env::var_os(FROM_SYSTEMD).map(PathBuf::from)) }
    }

    /// The secret called `name`, without the line's end that an editor adds.
    pub fn read(&self, name: &str) -> Result<Private<String>, CredentialError> {
        let of_it = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
        if name.is_empty() || name.starts_with('.') || !name.bytes().all(of_it) {
            return Err(CredentialError::Name(name.to_owned()));
        }
        let dir = self.dir.as_ref().ok_or_else(|| CredentialError::NoDirectory(name.to_owned()))?;
        let path = dir.join(name);
        let failed = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::NotFound => CredentialError::Missing { name: name.to_owned(), path: path.clone() },
            _ => CredentialError::Read { name: name.to_owned(), path: path.clone(), source },
        };
        let file = std::fs::File::open(&path).map_err(failed)?;
        if is_public(&file).map_err(failed)? {
            return Err(CredentialError::Public { name: name.to_owned(), path });
        }
        let mut text = String::new();
        file.take(MAX_BYTES).read_to_string(&mut text).map_err(failed)?;
        let secret = text.trim();
        if secret.is_empty() || !secret.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(CredentialError::Content { name: name.to_owned(), path });
        }
        Ok(Private::new(secret.to_owned()))
    }

    /// The directory, for those who say where to look.
    pub fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }
}

/// Whether anybody but the owner may read it. The service manager's own files
/// are readable by their group on some versions, so only others count.
fn is_public(file: &std::fs::File) -> std::io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(file.metadata()?.permissions().mode() & 0o004 != 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn with(name: &str, text: &str, mode: u32) -> (tempfile::TempDir, Credentials) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let credentials = Credentials::new(Some(dir.path().to_owned()));
        (dir, credentials)
    }

    #[test]
    fn a_credential_is_read_without_the_end_of_its_row() {
        let (_dir, credentials) = with("deepgram", "abc123\n", 0o600);
        assert_eq!(credentials.read("deepgram").unwrap().expose(), "abc123");
    }

    #[test]
    fn a_credential_that_others_may_read_is_refused() {
        let (_dir, credentials) = with("deepgram", "abc123", 0o644);
        assert!(matches!(credentials.read("deepgram"), Err(CredentialError::Public { .. })));
    }

    #[test]
    fn a_credential_that_is_missing_empty_or_named_like_a_path_is_refused() {
        let (_dir, credentials) = with("deepgram", " \n", 0o600);
        assert!(matches!(credentials.read("deepgram"), Err(CredentialError::Content { .. })));
        assert!(matches!(credentials.read("anthropic"), Err(CredentialError::Missing { .. })));
        assert!(matches!(credentials.read("../deepgram"), Err(CredentialError::Name(_))));
        let nowhere = Credentials { dir: None };
        assert!(matches!(nowhere.read("deepgram"), Err(CredentialError::NoDirectory(_))));
    }
}
