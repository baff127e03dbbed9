use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};
use thiserror::Error;

/// An Ed25519 public key, and a signature by one.
const KEY_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;

/// What stands before the key in its SubjectPublicKeyInfo (RFC 8410 section 4).
const SPKI_HEAD: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidOwner {
    #[error("reading an owner's key: it is an Ed25519 public key in base64")]
    Key,
    #[error("reading an owner's signature: it is the 64 bytes of an Ed25519 signature, as they are or in base64")]
    Signature,
}

/// The public key of somebody who may put a wider policy in force at once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct OwnerKey([u8; KEY_BYTES]);

/// An owner's signature over a policy's text, byte for byte as its file has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OwnerSignature([u8; SIGNATURE_BYTES]);

impl OwnerKey {
    pub const fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The key in base64: the row between BEGIN and END that
    /// `openssl pkey -in owner.pem -pubout` prints, or its last 32 bytes alone.
    pub fn parse(text: &str) -> Result<Self, InvalidOwner> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| InvalidOwner::Key)?;
        let key = bytes.strip_prefix(SPKI_HEAD).unwrap_or(&bytes);
        Ok(Self(key.try_into().map_err(|_| InvalidOwner::Key)?))
    }

    /// Whether `signature` is this owner's, over `text`.
    pub fn signed(&self, text: &[u8], signature: &OwnerSignature) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(text, &signature.0).is_ok()
    }
}

impl OwnerSignature {
    /// The signature as `openssl pkeyutl -sign -rawin` writes it, or in base64.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidOwner> {
        if let Ok(raw) = bytes.try_into() {
            return Ok(Self(raw));
        }
        let decoded = STANDARD.decode(bytes.trim_ascii()).map_err(|_| InvalidOwner::Signature)?;
        Ok(Self(decoded.try_into().map_err(|_| InvalidOwner::Signature)?))
    }
}
