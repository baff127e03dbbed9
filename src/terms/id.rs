use std::fmt;

use thiserror::Error;

/// Crockford's base 32, the alphabet of ULID (no I, L, O, U).
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The length of a ULID as text: 128 bits in base 32.
const CALL_ID_LEN: usize = 26;

/// An owner's name for something stands in file names and in JSON, so it stays short.
const NAME_MAX: usize = 32;

#[derive(Debug, Error, PartialEq, Eq)]
pub enum InvalidId {
    #[error("a call id has 26 characters of 0-9 and A-Z without I, L, O and U")]
    Call,
    #[error("a line's name has 1 to 32 characters of a-z, 0-9 and '-'")]
    Line,
    #[error("a handset's name has 1 to 32 characters of a-z, 0-9 and '-'")]
    Handset,
}

/// One call: a ULID, so that ids sort by the time at which the call began.
///
/// Source: the ULID specification (48 bits of milliseconds since 1970, then 80
/// random bits). Both parts are handed in, because floor 0 owns neither a
/// clock nor a random source.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId([u8; CALL_ID_LEN]);

impl CallId {
    pub fn from_parts(unix_ms: u64, random: [u8; 10]) -> Self {
        let mut bits = u128::from(unix_ms & 0xFFFF_FFFF_FFFF) << 80;
        for (i, byte) in random.into_iter().enumerate() {
            bits |= u128::from(byte) << (72 - 8 * i);
        }
        let mut text = [0; CALL_ID_LEN];
        for (i, slot) in text.iter_mut().enumerate() {
            let shift = 5 * (CALL_ID_LEN - 1 - i);
            *slot = CROCKFORD[usize::try_from((bits >> shift) & 31).unwrap_or(0)];
        }
        Self(text)
    }

    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let bytes: [u8; CALL_ID_LEN] = text.as_bytes().try_into().map_err(|_| InvalidId::Call)?;
        // 26 characters hold 130 bits; the first may use only three of its five.
        let fits = bytes[0] <= b'7' && bytes.iter().all(|b| CROCKFORD.contains(b));
        if fits { Ok(Self(bytes)) } else { Err(InvalidId::Call) }
    }

    pub fn as_str(&self) -> &str {
        // Every byte came from the ASCII alphabet above.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A telephone line's name, as the owner wrote it: `front-desk`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct LineId(String);

impl LineId {
    pub fn parse(name: &str) -> Result<Self, InvalidId> {
        if is_name(name) { Ok(Self(name.to_owned())) } else { Err(InvalidId::Line) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A telephone of the business's own, as the owner named it: `reception`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct HandsetId(String);

impl HandsetId {
    pub fn parse(name: &str) -> Result<Self, InvalidId> {
        if is_name(name) { Ok(Self(name.to_owned())) } else { Err(InvalidId::Handset) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HandsetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether an owner's name for a part of the box is short and safe in a path.
fn is_name(name: &str) -> bool {
    (1..=NAME_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
        pub struct $name(pub u32);

        impl $name {
            /// The id after this one.
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }
    };
}

counter!(
    /// One turn of a conversation, numbered from 0 within its call.
    TurnId
);
counter!(
    /// One thing that the box says, numbered from 0 within its call.
    UtteranceId
);
counter!(
    /// One question put to an engine, numbered within its call. An answer to a
    /// request that is no longer alive is dropped.
    RequestId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_ids_sort_by_the_time_at_which_the_call_began() {
        let early = CallId::from_parts(1_700_000_000_000, [255; 10]);
        let late = CallId::from_parts(1_700_000_000_001, [0; 10]);
        assert!(early < late);
        assert!(early.as_str() < late.as_str());
    }

    #[test]
    fn a_call_id_survives_being_written_and_read() {
        let id = CallId::from_parts(1_795_471_200_123, *b"0123456789");
        assert_eq!(CallId::parse(id.as_str()), Ok(id));
    }

    #[test]
    fn the_largest_call_id_is_the_largest_ulid_of_the_specification() {
        let id = CallId::from_parts(u64::MAX, [255; 10]);
        assert_eq!(id.as_str(), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    }

    #[test]
    fn text_that_is_no_call_id_is_refused() {
        for text in ["", "../../etc/passwd", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "01JDILOUILOUILOUILOUILOUIL"] {
            assert_eq!(CallId::parse(text), Err(InvalidId::Call), "{text}");
        }
    }

    #[test]
    fn a_lines_name_is_safe_in_a_path() {
        assert!(LineId::parse("front-desk").is_ok());
        for name in ["", "Front", "a/b", "..", "a b", &"x".repeat(33)] {
            assert_eq!(LineId::parse(name), Err(InvalidId::Line), "{name}");
        }
    }
}
