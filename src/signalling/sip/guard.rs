//! The first guard: what every datagram passes before the SIP stack sees it.
//!
//! It repairs what is merely sloppy (a name in Latin-1, a missing
//! Content-Length), answers what is wrong from a peer that can be told so, and
//! drops the rest. It keeps no state: its replies are the stateless ones of
//! RFC 3261 section 8.2.7. It never panics, whatever the bytes.

use std::fmt::Write as _;
use std::net::SocketAddr;

use rsipstack::sip::prelude::{HeadersExt, ToTypedHeader};
use rsipstack::sip::{HasHeaders, SipMessage};

/// The largest message that is handed on, in bytes: the stack reads datagrams
/// into a buffer of 8192. An INVITE of a trunk with long headers has 3 kB.
pub const MAX_MESSAGE: usize = 8192;

/// A trunk's INVITE has 20 to 40 header rows; 128 leaves room for long routes.
const MAX_ROWS: usize = 128;

/// Call-IDs are keys of tables; what phones send has 20 to 70 bytes.
const MAX_CALL_ID: usize = 256;

/// The methods that a SIP line serves.
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO";

/// Methods that SIP knows (RFC 3261 and its extensions) and a line does not serve.
const KNOWN: [&str; 8] = ["REGISTER", "SUBSCRIBE", "NOTIFY", "REFER", "UPDATE", "MESSAGE", "PRACK", "PUBLISH"];

/// The guard's verdict on one datagram.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Guarded {
    /// Sound, or repaired: a message that the stack parses.
    Pass(Passed),
    /// Wrong, and worth telling: bytes to send back to where it came from.
    Reply(Vec<u8>),
    Drop(Dropped),
}

/// A message in canonical form: no folded row, every row in UTF-8, a true Content-Length.
#[derive(Clone, PartialEq, Eq)]
pub struct Passed {
    pub bytes: Vec<u8>,
    pub call_id: String,
    /// An INVITE outside any dialog: somebody rings.
    pub rings: bool,
}

impl std::fmt::Debug for Passed {
    /// Without the bytes: they carry people's numbers.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passed").field("len", &self.bytes.len()).field("rings", &self.rings).finish_non_exhaustive()
    }
}

/// Why a datagram is dropped without a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dropped {
    /// Empty rows that hold a path through a NAT open.
    KeepAlive,
    /// No start row or no end of the headers: not SIP at all.
    NotSip,
    /// A response or an ACK that is wrong: nobody waits for a reply to it.
    WrongAndUnanswerable,
    /// Without a Via nobody knows where a reply would belong.
    NoVia,
}

/// Looks at one datagram that came from `source`.
pub fn inspect(datagram: &[u8], source: SocketAddr) -> Guarded {
    if datagram.iter().all(u8::is_ascii_whitespace) {
        // A double CRLF asks for a single one back (RFC 5626 section 4.4.1).
        return if datagram == b"\r\n\r\n" {
            Guarded::Reply(b"\r\n".to_vec())
        } else {
            Guarded::Drop(Dropped::KeepAlive)
        };
    }
    let Some(message) = Scanned::read(datagram) else { return Guarded::Drop(Dropped::NotSip) };
    match message.fault(datagram.len()) {
        None => match message.canonical() {
            Some(passed) => Guarded::Pass(passed),
            None => message.reply_or_drop(&Fault::BadRequest("unreadable header"), source),
        },
        Some(fault) => message.reply_or_drop(&fault, source),
    }
}

/// A stateless final reply with `status` to a message that passed, for a box
/// that has no room to take up its transaction. None for an ACK or a response.
pub fn refuse(passed: &Passed, source: SocketAddr, retry_after_s: u16) -> Option<Vec<u8>> {
    let message = Scanned::read(&passed.bytes)?;
    match message.reply_or_drop(&Fault::NoRoom { retry_after_s }, source) {
        Guarded::Reply(bytes) => Some(bytes),
        Guarded::Pass(_) | Guarded::Drop(_) => None,
    }
}

/// What is wrong with a request, as the status row says it.
#[derive(Clone, Copy)]
enum Fault {
    BadRequest(&'static str),
    MethodNotAllowed,
    NotImplemented,
    VersionNotSupported,
    TooLarge,
    NoRoom { retry_after_s: u16 },
}

impl Fault {
    fn status_row(self) -> String {
        match self {
            Self::BadRequest(what) => format!("SIP/2.0 400 Bad Request: {what}"),
            Self::MethodNotAllowed => "SIP/2.0 405 Method Not Allowed".to_owned(),
            Self::NotImplemented => "SIP/2.0 501 Not Implemented".to_owned(),
            Self::VersionNotSupported => "SIP/2.0 505 Version Not Supported".to_owned(),
            Self::TooLarge => "SIP/2.0 513 Message Too Large".to_owned(),
            Self::NoRoom { .. } => "SIP/2.0 503 Service Unavailable".to_owned(),
        }
    }
}

enum Start {
    Request { method: String, uri: String, version: String },
    Response { row: String, sound: bool },
}

/// A message taken apart into rows, unfolded and in UTF-8. Values have no CR,
/// LF or other control byte in them, so that they can be written back.
struct Scanned<'a> {
    start: Start,
    rows: Vec<(String, String)>,
    too_many_rows: bool,
    body: &'a [u8],
}

impl<'a> Scanned<'a> {
    fn read(datagram: &'a [u8]) -> Option<Self> {
        // Clients may send empty rows before the start row (RFC 3261 section 7.5).
        let begin = datagram.iter().position(|b| *b != b'\r' && *b != b'\n')?;
        let text = &datagram[begin..];
        let end = text.windows(4).position(|w| w == b"\r\n\r\n")?;
        let body = &text[end + 4..];
        let mut raw_rows = text[..end].split(|b| *b == b'\n').map(|row| row.strip_suffix(b"\r").unwrap_or(row));
        let start = read_start(&to_utf8(raw_rows.next()?))?;
        let mut message = Self { start, rows: Vec::new(), too_many_rows: false, body };
        for raw in raw_rows {
            message.take_row(&to_utf8(raw))?;
        }
        Some(message)
    }

    /// Takes one header row, or the continuation of the one before it.
    fn take_row(&mut self, row: &str) -> Option<()> {
        if row.starts_with([' ', '\t']) {
            let (_, value) = self.rows.last_mut()?;
            // A fold is one space between two texts (RFC 3261 section 7.3.1); an empty side makes none.
            let rest = row.trim();
            if !value.is_empty() && !rest.is_empty() {
                value.push(' ');
            }
            value.push_str(rest);
            return Some(());
        }
        if self.rows.len() == MAX_ROWS {
            self.too_many_rows = true;
            return Some(());
        }
        // A row without a colon is no header: it is left out, as if it were not there.
        if let Some((name, value)) = row.split_once(':')
            && is_token(name.trim_end())
        {
            self.rows.push((long_name(name.trim_end()), value.trim().to_owned()));
        }
        Some(())
    }

    fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        self.rows.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The value of a header that must be there exactly once.
    fn only(&self, name: &'static str, missing: &'static str) -> Result<&str, Fault> {
        let mut values = self.values(name);
        match (values.next(), values.next()) {
            (Some(value), None) if !value.is_empty() => Ok(value),
            (Some(_), Some(_)) => Err(Fault::BadRequest("a header stands twice")),
            _ => Err(Fault::BadRequest(missing)),
        }
    }

    /// What is wrong with the message, if anything is.
    fn fault(&self, datagram_len: usize) -> Option<Fault> {
        if datagram_len > MAX_MESSAGE {
            return Some(Fault::TooLarge);
        }
        self.check().err()
    }

    fn check(&self) -> Result<(), Fault> {
        let method = match &self.start {
            Start::Request { version, .. } if version != "SIP/2.0" => return Err(Fault::VersionNotSupported),
            Start::Request { method, .. } => Some(method.as_str()),
            Start::Response { sound: true, .. } => None,
            Start::Response { sound: false, .. } => return Err(Fault::BadRequest("status row")),
        };
        if self.too_many_rows {
            return Err(Fault::BadRequest("too many headers"));
        }
        self.check_addresses()?;
        let call_id = self.only("Call-ID", "no Call-ID")?;
        if call_id.len() > MAX_CALL_ID || call_id.contains(char::is_whitespace) {
            return Err(Fault::BadRequest("Call-ID"));
        }
        let cseq_method = read_cseq(self.only("CSeq", "no CSeq")?).ok_or(Fault::BadRequest("CSeq"))?;
        self.content_length()?;
        let Some(method) = method else { return Ok(()) };
        if method != cseq_method {
            return Err(Fault::BadRequest("CSeq names another method"));
        }
        if ALLOW.split(", ").any(|m| m == method) {
            Ok(())
        } else if KNOWN.contains(&method) {
            Err(Fault::MethodNotAllowed)
        } else {
            Err(Fault::NotImplemented)
        }
    }

    fn check_addresses(&self) -> Result<(), Fault> {
        let from = Address::read(self.only("From", "no From")?).ok_or(Fault::BadRequest("From"))?;
        if from.tag.is_none() {
            return Err(Fault::BadRequest("From has no tag"));
        }
        Address::read(self.only("To", "no To")?).ok_or(Fault::BadRequest("To"))?;
        Ok(())
    }

    /// The body's length: as declared, or what is there when nothing is
    /// declared (RFC 3261 section 18.3).
    fn content_length(&self) -> Result<usize, Fault> {
        let mut values = self.values("Content-Length");
        let Some(declared) = values.next() else { return Ok(self.body.len()) };
        if values.any(|other| other != declared) {
            return Err(Fault::BadRequest("two Content-Lengths"));
        }
        match declared.parse::<usize>() {
            Ok(length) if length <= self.body.len() => Ok(length),
            _ => Err(Fault::BadRequest("Content-Length")),
        }
    }

    /// The message written anew, if the stack reads it; rsipstack parses some
    /// parts only when they are first asked for, so all of them are asked for here.
    fn canonical(&self) -> Option<Passed> {
        let body = &self.body[..self.content_length().ok()?];
        let mut head = String::with_capacity(1024);
        let rings = match &self.start {
            Start::Request { method, uri, version } => {
                write!(head, "{method} {uri} {version}\r\n").ok()?;
                method == "INVITE" && Address::read(self.values("To").next()?)?.tag.is_none()
            }
            Start::Response { row, .. } => {
                write!(head, "{row}\r\n").ok()?;
                false
            }
        };
        for (name, value) in self.rows.iter().filter(|(n, _)| !n.eq_ignore_ascii_case("Content-Length")) {
            write!(head, "{name}: {value}\r\n").ok()?;
        }
        write!(head, "Content-Length: {}\r\n\r\n", body.len()).ok()?;
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        let call_id = self.values("Call-ID").next()?.to_owned();
        (bytes.len() <= MAX_MESSAGE && stack_reads(&bytes)).then_some(Passed { bytes, call_id, rings })
    }

    fn reply_or_drop(&self, fault: &Fault, source: SocketAddr) -> Guarded {
        match &self.start {
            Start::Response { .. } => return Guarded::Drop(Dropped::WrongAndUnanswerable),
            Start::Request { method, .. } if method == "ACK" => return Guarded::Drop(Dropped::WrongAndUnanswerable),
            Start::Request { .. } => {}
        }
        if self.values("Via").next().is_none() {
            return Guarded::Drop(Dropped::NoVia);
        }
        Guarded::Reply(self.reply(*fault, source).into_bytes())
    }

    /// The stateless response of RFC 3261 section 8.2.6: Via, From, To, Call-ID
    /// and CSeq as they came; the tag is a function of the request, so that a
    /// retransmission gets the same one.
    fn reply(&self, fault: Fault, source: SocketAddr) -> String {
        let mut reply = fault.status_row();
        reply.push_str("\r\n");
        for (i, via) in self.values("Via").enumerate() {
            let received = if i == 0 { received(via, source) } else { via.to_owned() };
            push_row(&mut reply, "Via", &received);
        }
        for name in ["From", "Call-ID", "CSeq"] {
            if let Some(value) = self.values(name).next() {
                push_row(&mut reply, name, value);
            }
        }
        if let Some(to) = self.values("To").next() {
            match Address::read(to) {
                Some(Address { tag: None }) => {
                    push_row(&mut reply, "To", &format!("{to};tag={:016x}", self.fingerprint()));
                }
                _ => push_row(&mut reply, "To", to),
            }
        }
        match fault {
            Fault::MethodNotAllowed | Fault::NotImplemented => push_row(&mut reply, "Allow", ALLOW),
            Fault::NoRoom { retry_after_s } => push_row(&mut reply, "Retry-After", &retry_after_s.to_string()),
            _ => {}
        }
        reply.push_str("Content-Length: 0\r\n\r\n");
        reply
    }

    /// FNV-1a over what identifies the transaction.
    fn fingerprint(&self) -> u64 {
        let parts = ["From", "Call-ID", "CSeq"].into_iter().flat_map(|name| self.values(name).take(1));
        parts
            .flat_map(str::bytes)
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
    }
}

/// The parts of an address header (RFC 3261 section 20.10) that matter here.
struct Address {
    tag: Option<()>,
}

impl Address {
    /// Reads `"Name" <sip:user@host>;tag=x` or `sip:user@host;tag=x`.
    fn read(value: &str) -> Option<Self> {
        let unquoted = skip_quoted(value)?;
        let (uri, parameters) = match unquoted.split_once('<') {
            Some((_, rest)) => rest.split_once('>')?,
            None => unquoted.split_at(unquoted.find(';').unwrap_or(unquoted.len())),
        };
        let (scheme, rest) = uri.trim().split_once(':')?;
        let sound = is_token(scheme) && !rest.is_empty() && !rest.contains(['<', '>', '"', ' ', '\t']);
        if !sound || (!parameters.trim().is_empty() && !parameters.trim_start().starts_with(';')) {
            return None;
        }
        let mut tag = None;
        for parameter in parameters.split(';').map(str::trim) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            if name.trim().eq_ignore_ascii_case("tag") {
                is_token(value.trim()).then_some(())?;
                tag = Some(());
            }
        }
        Some(Self { tag })
    }
}

/// What follows a leading display name in quotes; the whole when there is none.
fn skip_quoted(value: &str) -> Option<&str> {
    let Some(inside) = value.trim_start().strip_prefix('"') else { return Some(value) };
    let mut escaped = false;
    for (i, c) in inside.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(&inside[i + 1..]),
            _ => {}
        }
    }
    None
}

/// The number (below 2^31, RFC 3261 section 8.1.1.5) is checked, the method returned.
fn read_cseq(value: &str) -> Option<&str> {
    let mut parts = value.split_ascii_whitespace();
    let number: u32 = parts.next()?.parse().ok()?;
    let method = parts.next()?;
    (number < 1 << 31 && parts.next().is_none()).then_some(method)
}

fn read_start(row: &str) -> Option<Start> {
    if row.len() >= 4 && row.is_char_boundary(4) && row[..4].eq_ignore_ascii_case("SIP/") {
        let mut parts = row.splitn(3, ' ');
        let sound = parts.next() == Some("SIP/2.0")
            && parts.next().and_then(|c| c.parse::<u16>().ok()).is_some_and(|c| (100..700).contains(&c));
        return Some(Start::Response { row: row.to_owned(), sound });
    }
    let mut parts = row.split_ascii_whitespace();
    let (method, uri, version) = (parts.next()?, parts.next()?, parts.next()?);
    let shaped = is_token(method) && version.len() > 4 && version.as_bytes()[..4].eq_ignore_ascii_case(b"SIP/");
    (shaped && parts.next().is_none()).then(|| Start::Request {
        method: method.to_owned(),
        uri: uri.to_owned(),
        version: version.to_ascii_uppercase(),
    })
}

/// The long name of a compact form (RFC 3261 section 7.3.3).
pub(super) fn long_name(name: &str) -> String {
    let long = match name {
        "v" | "V" => "Via",
        "f" | "F" => "From",
        "t" | "T" => "To",
        "i" | "I" => "Call-ID",
        "l" | "L" => "Content-Length",
        "c" | "C" => "Content-Type",
        "m" | "M" => "Contact",
        other => other,
    };
    long.to_owned()
}

/// The row as UTF-8: Latin-1 when it is not UTF-8 already (old adapters send
/// names so), with control characters as spaces.
pub(super) fn to_utf8(row: &[u8]) -> String {
    let text = match std::str::from_utf8(row) {
        Ok(text) => text.to_owned(),
        Err(_) => row.iter().map(|b| char::from(*b)).collect(),
    };
    if text.contains(|c: char| c.is_control() && c != '\t') {
        text.replace(|c: char| c.is_control() && c != '\t', " ")
    } else {
        text
    }
}

/// A token of RFC 3261 section 25.1.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b))
}

/// The top Via with the address it really came from (RFC 3261 section 18.2.1,
/// RFC 3581 section 4).
fn received(via: &str, source: SocketAddr) -> String {
    let (top, others) = via.split_at(via.find(',').unwrap_or(via.len()));
    let kept: Vec<&str> = top
        .split(';')
        .filter(|p| {
            let name = p.split('=').next().unwrap_or_default().trim();
            !name.eq_ignore_ascii_case("rport") && !name.eq_ignore_ascii_case("received")
        })
        .collect();
    format!("{};received={};rport={}{others}", kept.join(";"), source.ip(), source.port())
}

fn push_row(message: &mut String, name: &str, value: &str) {
    message.push_str(name);
    message.push_str(": ");
    message.push_str(value);
    message.push_str("\r\n");
}

/// Whether the stack parses the message and every header that it will use.
fn stack_reads(bytes: &[u8]) -> bool {
    let read = || -> Option<()> {
        let message = SipMessage::try_from(bytes).ok()?;
        message.top_via_header().ok()?.typed().ok()?;
        message.via_header().ok()?.first_value().ok()?.typed().ok()?;
        message.from_header().ok()?.tag().ok()??;
        message.from_header().ok()?.typed().ok()?;
        message.to_header().ok()?.tag().ok()?;
        message.to_header().ok()?.typed().ok()?;
        message.cseq_header().ok()?.seq().ok()?;
        message.cseq_header().ok()?.method().ok()?;
        message.call_id_header().ok()?;
        let _headers = message.headers();
        Some(())
    };
    read().is_some()
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
