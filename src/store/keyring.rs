//! The keys of the box: one master key in a file, and everything derived from it.
//!
//! The master key of the present epoch wraps one data key per call; sound and
//! words of a call are encrypted under that data key only, so that destroying
//! it makes the call unreadable. Keys are wiped from memory when dropped and
//! never print. This module reads and writes the key file and nothing else.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;
use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use super::disk;
use crate::terms::CallId;

/// Bytes of every key here: AES-256 and HKDF-SHA256 both take 32.
const KEY_LEN: usize = 32;
/// The first row of a key file: what it is, and the version of its format.
const FILE_MARK: &str = "milu-key-1";
/// A key file has five short rows; anything longer is not one.
const FILE_MAX: u64 = 512;
/// Read and write for the owner, nothing for anyone else.
const FILE_MODE: u32 = 0o600;

/// A key that is wiped when dropped and never prints.
#[derive(Clone)]
pub(super) struct Key(Zeroizing<[u8; KEY_LEN]>);

impl Key {
    fn random(random: &SystemRandom) -> Result<Self, RandomFailed> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        random.fill(bytes.as_mut_slice()).map_err(|_| RandomFailed)?;
        Ok(Self(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// The key for one purpose (HKDF-SHA256, the purpose as its info).
    pub(super) fn derive(&self, purpose: Purpose) -> Self {
        let info = [purpose.label().as_bytes()];
        let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, b"milu").extract(self.bytes());
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        secret
            .expand(&info, hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(bytes.as_mut_slice()))
            // HKDF refuses only lengths above 255 hashes; this is one hash.
            .expect("32 bytes are within what HKDF-SHA256 gives");
        Self(bytes)
    }

    /// AES-256-GCM with a random nonce: `nonce | ciphertext | tag`.
    ///
    /// Random nonces are sound for 2^32 uses of one key (NIST SP 800-38D
    /// section 8.3); a call's data key seals some hundreds of texts.
    pub(super) fn seal(&self, content: &[u8], place: &[u8]) -> Result<Vec<u8>, RandomFailed> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| RandomFailed)?;
        let mut sealed = nonce.to_vec();
        let mut body = content.to_vec();
        self.cipher()
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place), &mut body)
            // The cipher refuses only inputs above 64 GiB.
            .expect("a text is shorter than 64 GiB");
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// Opens what [`Key::seal`] made for the same place.
    pub(super) fn open(&self, sealed: &[u8], place: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotAuthentic> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(NotAuthentic)?;
        let mut body = Zeroizing::new(body.to_vec());
        let len = self
            .cipher()
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(place), body.as_mut_slice())
            .map_err(|_| NotAuthentic)?
            .len();
        body.truncate(len);
        Ok(body)
    }

    fn cipher(&self) -> LessSafeKey {
        let key = UnboundKey::new(&AES_256_GCM, self.bytes());
        // UnboundKey refuses only a wrong length, and the length is in the type.
        LessSafeKey::new(key.expect("the key has the length of AES-256"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}

/// What a derived key is for. The labels are part of the disk format.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// Of the master key: the raw key of the SQLCipher index.
    Index,
    /// Of the index's key: digests of PINs that were tried.
    Pins,
    /// Of the index's key: digests of whom texts were for.
    Recipients,
    /// Of the master key: wraps the data keys of calls.
    Wrap,
    /// Of a call's data key: its sound files.
    Sound,
    /// Of a call's data key: its words, names and numbers in the index.
    Words,
}

impl Purpose {
    const fn label(self) -> &'static str {
        match self {
            Self::Index => "milu/1/index",
            Self::Pins => "milu/1/pins",
            Self::Recipients => "milu/1/recipients",
            Self::Wrap => "milu/1/wrap",
            Self::Sound => "milu/1/sound",
            Self::Words => "milu/1/words",
        }
    }
}

/// The operating system gave no random bytes.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the operating system gave no random bytes")]
pub struct RandomFailed;

/// Sealed bytes are damaged, belong elsewhere or were sealed with another key.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("it is damaged, of another place or sealed with another key")]
pub(super) struct NotAuthentic;

#[derive(Debug, Error)]
pub enum KeyringError {
    #[error("opening the key file {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("creating the key file {path}: {source}")]
    Create { path: PathBuf, source: std::io::Error },
    #[error(
        "opening the key file {path}: its mode is {mode:04o}, so others may read it; set it with: chmod 600 {path}"
    )]
    Mode { path: PathBuf, mode: u32 },
    #[error("opening the key file {path}: it belongs to user {owner}, but this process runs as user {user}")]
    Owner { path: PathBuf, owner: u32, user: u32 },
    #[error("opening the key file {path}: it is not a key file of this program, or it is damaged (row {row})")]
    Format { path: PathBuf, row: usize },
    #[error("creating the key file {path}: {source}")]
    Random { path: PathBuf, source: RandomFailed },
}

/// What may be said about the keys: everything but the keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyringStatus {
    /// Tells keyrings apart; says nothing about the key.
    pub id: String,
    pub epoch: u32,
    pub created_at: Timestamp,
    /// Permission bits of the key file, as `chmod` writes them (`0600`).
    pub mode: String,
    /// How the master key is protected (`file`).
    pub sealing: &'static str,
}

/// Whether a user may be told of a key that belongs to another: root reads it anyway.
const fn may_look(owner: u32, user: u32) -> bool {
    const ROOT: u32 = 0;
    owner == user || user == ROOT
}

/// The master key of the box, and what is known about it.
pub struct Keyring {
    id: String,
    epoch: u32,
    created_at: Timestamp,
    mode: u32,
    index: Key,
    wrap: Key,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("id", &self.id).field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl Keyring {
    /// Opens the key file, or makes it with a new key if there is none.
    pub fn open_or_create(path: &Path, now: Timestamp) -> Result<Self, KeyringError> {
        match Self::open(path) {
            Err(KeyringError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => Self::create(path, now),
            opened => opened,
        }
    }

    /// Opens an existing key file. Refuses one that others could read or have put there.
    pub fn open(path: &Path) -> Result<Self, KeyringError> {
        Self::read(path, |owner, user| owner == user)
    }

    /// What may be said about a key file, to whoever looks after the box: root may look at
    /// the key of the user as whom the box runs.
    pub fn inspect(path: &Path) -> Result<KeyringStatus, KeyringError> {
        Ok(Self::read(path, may_look)?.status())
    }

    fn read(path: &Path, may_read: fn(u32, u32) -> bool) -> Result<Self, KeyringError> {
        let read = |source| KeyringError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(read)?;
        let about = file.metadata().map_err(read)?;
        let (mode, owner) = (about.permissions().mode() & 0o7777, about.uid());
        if mode != FILE_MODE {
            return Err(KeyringError::Mode { path: path.to_owned(), mode });
        }
        let user = rustix::process::geteuid().as_raw();
        if !may_read(owner, user) {
            return Err(KeyringError::Owner { path: path.to_owned(), owner, user });
        }
        let mut text = Zeroizing::new(String::new());
        file.take(FILE_MAX).read_to_string(&mut text).map_err(read)?;
        let parsed = Parsed::read(&text).map_err(|row| KeyringError::Format { path: path.to_owned(), row })?;
        Ok(parsed.into_keyring(mode))
    }

    /// Makes a key file with a new random key. Fails if there is one already:
    /// a key is never overwritten.
    pub fn create(path: &Path, now: Timestamp) -> Result<Self, KeyringError> {
        let failed = |source| KeyringError::Create { path: path.to_owned(), source };
        let random = SystemRandom::new();
        let unlucky = |source| KeyringError::Random { path: path.to_owned(), source };
        let master = Key::random(&random).map_err(unlucky)?;
        let mut id = [0; 16];
        random.fill(&mut id).map_err(|_| unlucky(RandomFailed))?;
        let parsed = Parsed { id: hex(&id), epoch: 1, created_at: now, master };

        let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path).map_err(failed)?;
        file.write_all(parsed.write().as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        disk::sync_parent(path).map_err(failed)?;
        // Read back, so that a key that cannot be opened again is never used.
        drop(file);
        Self::open(path)
    }

    pub fn status(&self) -> KeyringStatus {
        KeyringStatus {
            id: self.id.clone(),
            epoch: self.epoch,
            created_at: self.created_at,
            mode: format!("{:04o}", self.mode),
            sealing: "file",
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn epoch(&self) -> u32 {
        self.epoch
    }

    pub(super) fn index_key(&self) -> &Key {
        &self.index
    }

    /// A new data key for a call, and its wrapped form for the index.
    pub(super) fn new_call_key(&self, call: CallId) -> Result<(CallKey, Vec<u8>), RandomFailed> {
        let data = Key::random(&SystemRandom::new())?;
        let wrapped = self.wrap.seal(data.bytes(), wrap_place(call, self.epoch).as_bytes())?;
        Ok((CallKey::new(&data), wrapped))
    }

    /// The data key of a call, from its wrapped form.
    pub(super) fn open_call_key(&self, call: CallId, epoch: u32, wrapped: &[u8]) -> Result<CallKey, NotAuthentic> {
        let data = self.wrap.open(wrapped, wrap_place(call, epoch).as_bytes())?;
        let bytes: [u8; KEY_LEN] = data.as_slice().try_into().map_err(|_| NotAuthentic)?;
        Ok(CallKey::new(&Key(Zeroizing::new(bytes))))
    }
}

/// What a wrapped data key is bound to, so that it opens for its own call only.
fn wrap_place(call: CallId, epoch: u32) -> String {
    format!("milu/1/data-key/{call}/{epoch}")
}

/// The keys of one call.
#[derive(Clone, Debug)]
pub(super) struct CallKey {
    pub(super) sound: Key,
    pub(super) words: Key,
}

impl CallKey {
    fn new(data: &Key) -> Self {
        Self { sound: data.derive(Purpose::Sound), words: data.derive(Purpose::Words) }
    }
}

/// A key file, read: mark, id, epoch, time of creation, key; a row each.
struct Parsed {
    id: String,
    epoch: u32,
    created_at: Timestamp,
    master: Key,
}

impl Parsed {
    /// The error is the number of the row that is wrong, from 1.
    fn read(text: &str) -> Result<Self, usize> {
        let mut rows = text.lines();
        let mut next = |n: usize| rows.next().ok_or(n);
        if next(1)? != FILE_MARK {
            return Err(1);
        }
        let id = next(2)?;
        unhex::<16>(id).ok_or(2_usize)?;
        let epoch = next(3)?.parse().map_err(|_| 3_usize)?;
        let created_at = next(4)?.parse().map_err(|_| 4_usize)?;
        let master = Key(Zeroizing::new(unhex::<KEY_LEN>(next(5)?).ok_or(5_usize)?));
        Ok(Self { id: id.to_owned(), epoch, created_at, master })
    }

    fn write(&self) -> Zeroizing<String> {
        let mut key = hex(self.master.bytes());
        let text = format!("{FILE_MARK}\n{}\n{}\n{}\n{key}\n", self.id, self.epoch, self.created_at);
        key.zeroize();
        Zeroizing::new(text)
    }

    fn into_keyring(self, mode: u32) -> Keyring {
        Keyring {
            id: self.id,
            epoch: self.epoch,
            created_at: self.created_at,
            mode,
            index: self.master.derive(Purpose::Index),
            wrap: self.master.derive(Purpose::Wrap),
        }
    }
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |n: u8| char::from(DIGITS[usize::from(n & 15)]);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(*b)]).collect()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high << 4 | low).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    fn call(n: u8) -> CallId {
        CallId::from_parts(1_795_471_200_000, [n; 10])
    }

    fn fresh() -> (tempfile::TempDir, PathBuf, Keyring) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let keyring = Keyring::open_or_create(&path, Timestamp::UNIX_EPOCH).unwrap();
        (dir, path, keyring)
    }

    #[test]
    fn a_new_key_file_is_for_its_owner_alone_and_opens_again() {
        let (_dir, path, made) = fresh();
        let again = Keyring::open_or_create(&path, Timestamp::MAX).unwrap();
        assert_eq!(made.status(), again.status());
        assert_eq!(made.status().mode, "0600");
        assert_eq!(made.index.bytes(), again.index.bytes());
    }

    #[test]
    fn a_key_is_never_overwritten() {
        let (_dir, path, _keyring) = fresh();
        assert!(matches!(Keyring::create(&path, Timestamp::UNIX_EPOCH), Err(KeyringError::Create { .. })));
    }

    #[test]
    fn a_key_file_that_others_may_read_is_refused_with_what_to_do() {
        let (_dir, path, _keyring) = fresh();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refusal = Keyring::open(&path).unwrap_err().to_string();
        assert!(refusal.contains("0640") && refusal.contains("chmod 600"), "{refusal}");
    }

    #[test]
    fn a_key_file_of_another_user_is_refused() {
        let (_dir, path, _keyring) = fresh();
        // Only root can give a file away; without that right the case cannot arise here.
        if std::os::unix::fs::chown(&path, Some(65_534), None).is_ok() {
            let refused = Keyring::open(&path);
            assert!(matches!(refused, Err(KeyringError::Owner { owner: 65_534, .. })), "{refused:?}");
            // Root may be told of it all the same.
            assert_eq!(Keyring::inspect(&path).unwrap().mode, "0600");
        }
    }

    #[test]
    fn a_damaged_key_file_is_refused_by_row() {
        let (_dir, path, _keyring) = fresh();
        let text = fs::read_to_string(&path).unwrap();
        for (row, cut) in [(1, 0), (2, 11), (5, text.len() - 2)] {
            fs::write(&path, &text[..cut]).unwrap();
            let refused = Keyring::open(&path).unwrap_err();
            assert!(matches!(refused, KeyringError::Format { row: r, .. } if r == row), "{refused}");
        }
    }

    #[test]
    fn a_wrapped_data_key_opens_for_its_own_call_and_epoch_only() {
        let (_dir, _path, keyring) = fresh();
        let (key, wrapped) = keyring.new_call_key(call(1)).unwrap();
        let opened = keyring.open_call_key(call(1), 1, &wrapped).unwrap();
        assert_eq!(key.sound.bytes(), opened.sound.bytes());
        assert_ne!(key.sound.bytes(), key.words.bytes());
        assert!(keyring.open_call_key(call(2), 1, &wrapped).is_err());
        assert!(keyring.open_call_key(call(1), 2, &wrapped).is_err());
        assert!(fresh().2.open_call_key(call(1), 1, &wrapped).is_err());
    }

    #[test]
    fn keys_never_print() {
        let (_dir, path, keyring) = fresh();
        let secret = fs::read_to_string(path).unwrap().lines().last().unwrap().to_owned();
        let (key, _) = keyring.new_call_key(call(1)).unwrap();
        let shown = format!("{keyring:?} {key:?} {:?}", keyring.status());
        assert!(!shown.contains(&secret));
        assert!(!shown.contains(&hex(key.sound.bytes())) && !shown.contains(&hex(keyring.index.bytes())));
    }

    #[test]
    fn hexadecimal_comes_back() {
        let bytes = [0, 15, 16, 255];
        assert_eq!(unhex::<4>(&hex(&bytes)), Some(bytes));
        assert_eq!(unhex::<1>("g0"), None);
    }

    proptest! {
        #[test]
        fn any_text_reads_as_a_key_file_or_names_the_row_that_is_wrong(text in "(milu-key-1\n)?[0-9a-f\n]{0,120}") {
            if let Err(row) = Parsed::read(&text).map(drop) {
                prop_assert!((1..=5).contains(&row));
            } else {
                prop_assert!(text.starts_with(FILE_MARK) && text.lines().count() >= 5);
            }
        }

        #[test]
        fn what_was_sealed_opens_in_its_place_only(content: Vec<u8>, flip in any::<prop::sample::Index>()) {
            let key = Key::random(&SystemRandom::new()).unwrap();
            let mut sealed = key.seal(&content, b"here").unwrap();
            let opened = key.open(&sealed, b"here").unwrap();
            prop_assert_eq!(opened.as_slice(), content.as_slice());
            prop_assert!(key.open(&sealed, b"there").is_err());
            let at = flip.index(sealed.len());
            sealed[at] ^= 1;
            prop_assert!(key.open(&sealed, b"here").is_err());
        }
    }

    #[test]
    fn a_key_is_told_of_to_its_owner_and_to_root_alone() {
        assert!(may_look(1000, 1000) && may_look(1000, 0));
        assert!(!may_look(1000, 1001) && !may_look(0, 1000));
    }
}
