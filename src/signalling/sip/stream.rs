//! Where one message ends and the next begins on a stream. What is cut out here
//! still has to pass the guard.

use super::guard::{MAX_MESSAGE, long_name, to_utf8};

/// What lies at the front of a stream (RFC 3261 section 18.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delimited {
    /// A double CRLF of this length, which wants a single one back.
    KeepAlive(usize),
    /// A whole message from `start` to `end`; what is before it are empty rows.
    Message { start: usize, end: usize },
    /// More has to be read.
    Incomplete,
    /// No message can be told from the next. Of the first `reply_to` bytes the
    /// guard may still make a reply.
    Broken { reply_to: usize },
}

/// Finds the first message of a stream.
pub fn delimit(stream: &[u8]) -> Delimited {
    if stream.starts_with(b"\r\n\r\n") {
        return Delimited::KeepAlive(4);
    }
    let Some(start) = stream.iter().position(|b| *b != b'\r' && *b != b'\n') else { return Delimited::Incomplete };
    let text = &stream[start..];
    let Some(head) = text.windows(4).position(|w| w == b"\r\n\r\n") else {
        let too_long = text.len() > MAX_MESSAGE;
        return if too_long { Delimited::Broken { reply_to: 0 } } else { Delimited::Incomplete };
    };
    let broken = Delimited::Broken { reply_to: start + head + 4 };
    // A stream has no other end of a body than its declared length.
    let Some(declared) = declared_length(&text[..head]) else { return broken };
    match (head + 4).checked_add(declared) {
        Some(len) if len > MAX_MESSAGE => broken,
        Some(len) if len <= text.len() => Delimited::Message { start, end: start + len },
        Some(_) => Delimited::Incomplete,
        None => broken,
    }
}

/// The Content-Length of a head; zero where there is none, as for the many
/// short messages of clients that leave it out.
fn declared_length(head: &[u8]) -> Option<usize> {
    let rows = head.split(|b| *b == b'\n').skip(1);
    for row in rows {
        let row = to_utf8(row);
        if let Some((name, value)) = row.split_once(':')
            && long_name(name.trim()).eq_ignore_ascii_case("Content-Length")
        {
            return value.trim().parse().ok();
        }
    }
    Some(0)
}
