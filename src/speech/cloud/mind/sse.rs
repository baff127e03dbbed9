use thiserror::Error;

/// One line. The longest that providers send, a signed thought, has some tens
/// of kilobytes.
const LINE_MAX: usize = 256 * 1024;

/// One answer. Its text has a few kilobytes; the rest is the wrapping of tokens.
const STREAM_MAX: usize = 4 * 1024 * 1024;

/// An event of a stream of server-sent events (WHATWG HTML, section 9.2.6).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ServerSent {
    /// Empty if the server named none.
    pub name: String,
    pub data: String,
}

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BadStream {
    #[error("reading a stream of events: a line has more than {LINE_MAX} bytes")]
    Line,
    #[error("reading a stream of events: it has more than {STREAM_MAX} bytes")]
    Stream,
}

/// Cuts bytes into events, however they are split on their way. What it does
/// not know (comments, ids, retry times) it passes over.
#[derive(Debug, Default)]
pub struct EventStream {
    line: Vec<u8>,
    event: ServerSent,
    has_data: bool,
    /// The last byte was a CR, which ended its line: an LF is part of that end.
    after_cr: bool,
    first_line_over: bool,
    received: usize,
    bad: Option<BadStream>,
}

impl EventStream {
    /// Takes the next bytes; `found` gets each event that they complete.
    pub fn feed(&mut self, bytes: &[u8], mut found: impl FnMut(ServerSent)) -> Result<(), BadStream> {
        if let Some(bad) = self.bad {
            return Err(bad);
        }
        for byte in bytes {
            let taken = self.take(*byte, &mut found);
            if let Err(bad) = taken {
                self.bad = Some(bad);
                return Err(bad);
            }
        }
        Ok(())
    }

    fn take(&mut self, byte: u8, found: &mut impl FnMut(ServerSent)) -> Result<(), BadStream> {
        self.received += 1;
        if self.received > STREAM_MAX {
            return Err(BadStream::Stream);
        }
        let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
        match byte {
            b'\n' if after_cr => {}
            b'\n' | b'\r' => self.end_line(found),
            _ if self.line.len() >= LINE_MAX => return Err(BadStream::Line),
            _ => self.line.push(byte),
        }
        Ok(())
    }

    fn end_line(&mut self, found: &mut impl FnMut(ServerSent)) {
        let line = std::mem::take(&mut self.line);
        let first = !std::mem::replace(&mut self.first_line_over, true);
        let line = line.strip_prefix(b"\xEF\xBB\xBF").filter(|_| first).unwrap_or(&line);
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            if std::mem::take(&mut self.has_data) {
                found(event);
            }
            return;
        }
        let line = String::from_utf8_lossy(line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.has_data = true;
                self.event.data.push_str(value);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(pieces: &[&[u8]]) -> (Vec<ServerSent>, Result<(), BadStream>) {
        let (mut stream, mut found) = (EventStream::default(), Vec::new());
        let mut last = Ok(());
        for piece in pieces {
            last = stream.feed(piece, |event| found.push(event));
        }
        (found, last)
    }

    fn event(name: &str, data: &str) -> ServerSent {
        ServerSent { name: name.to_owned(), data: data.to_owned() }
    }

    #[test]
    fn lines_end_in_any_of_three_ways() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["event: ping", "data: {}", "", ": comment", "data:one", "data: two", "id: 3", "", ""].join(end);
            let (found, last) = events(&[text.as_bytes()]);
            assert_eq!((found, last), (vec![event("ping", "{}"), event("", "one\ntwo")], Ok(())), "{end:?}");
        }
    }

    #[test]
    fn an_event_without_data_or_without_its_end_is_none() {
        assert_eq!(events(&[b"event: ping\n\ndata: cut"]).0, []);
    }

    #[test]
    fn a_byte_order_mark_is_passed_over_once() {
        assert_eq!(events(&[b"\xEF\xBB\xBFdata: a\n\n"]).0, [event("", "a")]);
    }

    #[test]
    fn a_line_without_an_end_is_given_up() {
        let piece = vec![b'x'; LINE_MAX / 2 + 1];
        let (found, last) = events(&[&piece, &piece, b"\n\n"]);
        assert_eq!((found, last), (vec![], Err(BadStream::Line)));
    }

    #[test]
    fn a_stream_without_an_end_is_given_up() {
        let piece = b": still here\n".repeat(STREAM_MAX / 26);
        let (_, last) = events(&[&piece, &piece, &piece]);
        assert_eq!(last, Err(BadStream::Stream));
    }

    proptest! {
        #[test]
        fn any_split_of_the_bytes_gives_the_same_events(
            text in "(data|event|id|: x)?(: ?[a-z{}\u{e9}\u{20ac}]{0,6})?(\r|\n|\r\n|\n\n){0,3}((data|event): ?[a-z]{0,4}[\r\n]{0,4}){0,6}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|c| c.index(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([bytes.len()]) {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            prop_assert_eq!(events(&pieces), events(&[bytes]));
        }
    }
}
