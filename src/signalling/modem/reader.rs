use std::collections::VecDeque;

use super::ussd;

/// The longest row of any modem is a coded text of 176 octets, written in 352
/// digits; a list of networks comes to 900. What is longer is no row.
pub(super) const ROW_BYTES_MAX: usize = 2048;

/// Rows that one quoted text may span: a menu on a telephone's screen has ten.
const QUOTED_ROWS_MAX: usize = 16;

/// Octets that wait to be read. A driver reads a few hundred at a time and the
/// line takes them all at once; more than this is a modem that floods.
const WAITING_BYTES_MAX: usize = 64 << 10;

/// What comes out of a modem's octets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Read {
    /// A row without its line ends, and without blanks around it; never empty.
    Row(String),
    /// The modem waits for the body of a text.
    Prompt,
}

/// Cuts octets into rows, wherever they were cut before.
///
/// A row ends at CR or LF, and empty rows are nothing: this accepts `\r\n`,
/// `\r\r\n`, a bare `\r` and an echo alike. A `+CUSD:` row whose quotation marks
/// are open goes on in the next row, and what stands within them is kept as it came:
/// there a control character may be a septet that the modem turned into nothing else.
/// `> ` is a prompt only while one is waited for.
#[derive(Debug, Default)]
pub(super) struct RowReader {
    waiting: VecDeque<u8>,
    row: Vec<u8>,
    /// The rest of a row that is too long is thrown away.
    skipping: bool,
    prompt: PromptWait,
    quotes: Quotes,
    /// Rows of a quoted text that is still open.
    quoted: Vec<String>,
    /// Rows to be given out before anything more is read.
    ready: VecDeque<Read>,
    pub(super) long_rows: u64,
    pub(super) garbage_bytes: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum PromptWait {
    #[default]
    No,
    Wanted,
    /// It has come, and the blank behind it may still come.
    BlankMayFollow,
}

/// Where the row stands with the quotation marks of a code's answer, as far as octet
/// after octet tells it: whether it goes on in the next row is told by the whole of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Quotes {
    #[default]
    Outside,
    Within,
    /// Behind a mark that was the last one, unless words follow.
    MayBeClosed,
}

impl RowReader {
    /// Octets as they came. What does not fit is dropped and counted.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = WAITING_BYTES_MAX.saturating_sub(self.waiting.len());
        let taken = bytes.len().min(room);
        self.waiting.extend(&bytes[..taken]);
        self.garbage_bytes += (bytes.len() - taken) as u64;
    }

    /// From now on `> ` at the beginning of a row is a prompt.
    pub(super) fn want_prompt(&mut self) {
        self.prompt = PromptWait::Wanted;
    }

    pub(super) fn no_prompt(&mut self) {
        self.prompt = PromptWait::No;
    }

    /// Whether a quoted text is open, so that its end must be waited for.
    pub(super) fn is_within_quotes(&self) -> bool {
        !self.quoted.is_empty()
    }

    /// The end of a quoted text does not come: what was taken for its rows are
    /// rows of their own.
    pub(super) fn give_up_quotes(&mut self) {
        self.quotes = Quotes::Outside;
        // Control characters in them are noise again, those of the answer's own row are not.
        self.row.retain(|byte| !is_noise(char::from(*byte)));
        for (at, row) in std::mem::take(&mut self.quoted).into_iter().enumerate() {
            let row: String = if at == 0 { row } else { row.chars().filter(|c| !is_noise(*c)).collect() };
            let row = row.trim();
            if !row.is_empty() {
                self.ready.push_back(Read::Row(row.to_owned()));
            }
        }
    }

    /// Forgets what is half read: the port was opened anew.
    pub(super) fn clear(&mut self) {
        let counted = (self.long_rows, self.garbage_bytes);
        *self = Self { long_rows: counted.0, garbage_bytes: counted.1, ..Self::default() };
    }

    /// The next row or prompt, if one has come.
    pub(super) fn next(&mut self) -> Option<Read> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Some(ready);
            }
            let byte = self.waiting.pop_front()?;
            if let Some(read) = self.byte(byte) {
                return Some(read);
            }
        }
    }

    fn byte(&mut self, byte: u8) -> Option<Read> {
        if self.prompt == PromptWait::BlankMayFollow {
            self.prompt = PromptWait::No;
            if byte == b' ' {
                return None;
            }
        }
        match byte {
            b'\r' | b'\n' => {
                let read = self.end_of_row();
                self.quotes = if self.quoted.is_empty() { Quotes::Outside } else { Quotes::Within };
                return read;
            }
            b'>' if self.prompt == PromptWait::Wanted && self.row.iter().all(u8::is_ascii_whitespace) => {
                self.row.clear();
                self.prompt = PromptWait::BlankMayFollow;
                return Some(Read::Prompt);
            }
            127 => self.garbage_bytes += 1,
            0..=8 | 11..=31 if self.quotes != Quotes::Within => {
                // ESC comes back as an echo; other control characters are noise of the wire.
                self.garbage_bytes += u64::from(byte != 0x1B);
            }
            _ if self.skipping => {}
            _ if self.row.len() >= ROW_BYTES_MAX => {
                self.skipping = true;
                self.long_rows += 1;
                self.row.clear();
                self.quotes = Quotes::Outside;
            }
            _ => self.keep(byte),
        }
        None
    }

    fn keep(&mut self, byte: u8) {
        self.row.push(byte);
        self.quotes = match (self.quotes, byte) {
            (Quotes::Outside, b'"') if self.row.trim_ascii_start().starts_with(b"+CUSD:") => Quotes::Within,
            (Quotes::Within, b'"') => Quotes::MayBeClosed,
            // The scheme, and what may stand before it; another mark may be the last one.
            (Quotes::MayBeClosed, b'"' | b',' | b' ' | b'0'..=b'9') => Quotes::MayBeClosed,
            (Quotes::MayBeClosed, _) => Quotes::Within,
            (quotes, _) => quotes,
        };
    }

    fn end_of_row(&mut self) -> Option<Read> {
        if std::mem::take(&mut self.skipping) {
            self.row.clear();
            return None;
        }
        let text = String::from_utf8_lossy(&std::mem::take(&mut self.row)).trim().to_owned();
        if text.is_empty() {
            return None;
        }
        if self.quoted.is_empty() {
            if opens_quotes(&text) {
                self.quoted.push(text);
                return None;
            }
            return Some(Read::Row(text));
        }
        self.within_quotes(text)
    }

    fn within_quotes(&mut self, text: String) -> Option<Read> {
        self.quoted.push(text);
        let joined = self.quoted.join("\n");
        if self.quoted.len() > QUOTED_ROWS_MAX || joined.len() > ROW_BYTES_MAX {
            self.give_up_quotes();
            return None;
        }
        if ussd::is_open(&joined) {
            return None;
        }
        self.quoted.clear();
        Some(Read::Row(joined))
    }
}

/// A control character in a row that is no text.
fn is_noise(c: char) -> bool {
    c.is_ascii_control() && c != '\t'
}

/// Only a code's answer is a text with rows of its own.
fn opens_quotes(text: &str) -> bool {
    ussd::is_open(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(reader: &mut RowReader) -> Vec<Read> {
        std::iter::from_fn(|| reader.next()).collect()
    }

    fn rows(bytes: &[u8]) -> Vec<String> {
        let mut reader = RowReader::default();
        reader.push(bytes);
        all(&mut reader)
            .into_iter()
            .map(|read| match read {
                Read::Row(row) => row,
                Read::Prompt => panic!("no prompt was waited for"),
            })
            .collect()
    }

    #[test]
    fn any_run_of_line_ends_is_one_and_empty_rows_are_nothing() {
        assert_eq!(rows(b"\r\n+CSQ: 24,99\r\r\n\r\nOK\r\r\n"), ["+CSQ: 24,99", "OK"]);
        assert_eq!(rows(b"AT\r\r\nOK\r\n"), ["AT", "OK"]);
        assert_eq!(rows(b"\n\r  \r\n\r\rOK\r"), ["OK"]);
        assert_eq!(rows(b"no end of it"), [""; 0]);
    }

    #[test]
    fn a_codes_answer_goes_on_until_its_quotation_marks_close() {
        assert_eq!(
            rows(b"\r\n+CUSD: 1,\"1. Airtime\r\n2. Data\n3. OK\",15\r\nOK\r\n"),
            ["+CUSD: 1,\"1. Airtime\n2. Data\n3. OK\",15", "OK"]
        );
        // Marks within the text close nothing, nor does a row that ends with one.
        for text in ["Welcome to \"MTN\"\n1. \"Data\", 5 plans\n2. Talk", "Type \"Y\nor\" more", "Say \"yes\"\nand pay"]
        {
            let row = format!("+CUSD: 1,\"{text}\",15");
            assert_eq!(rows(format!("\r\n{row}\r\n\r\nRING\r\n").as_bytes()), [row.as_str(), "RING"]);
        }
        // Of other rows an open mark is a slip of the modem and not a text.
        assert_eq!(rows(b"+CREG: 2,1,\"5E25\r\nOK\r\n"), ["+CREG: 2,1,\"5E25", "OK"]);
    }

    #[test]
    fn rows_behind_a_mark_that_never_closes_are_not_lost() {
        let mut reader = RowReader::default();
        reader.push(b"+CUSD: 0,\"never closed\r\nRING\r\n");
        assert_eq!(reader.next(), None);
        assert!(reader.is_within_quotes());
        reader.give_up_quotes();
        assert_eq!(all(&mut reader), [Read::Row("+CUSD: 0,\"never closed".to_owned()), Read::Row("RING".to_owned())]);
    }

    #[test]
    fn a_prompt_is_one_only_while_it_is_waited_for() {
        assert_eq!(rows(b"> \r\n"), [">"]);
        for cut in 0..=4 {
            let mut reader = RowReader::default();
            reader.want_prompt();
            let bytes = b"\r\n> ";
            reader.push(&bytes[..cut]);
            let mut found = all(&mut reader);
            reader.push(&bytes[cut..]);
            found.extend(all(&mut reader));
            reader.push(b"\r\nOK\r\n");
            found.extend(all(&mut reader));
            assert_eq!(found, [Read::Prompt, Read::Row("OK".to_owned())], "cut at {cut}");
        }
    }

    #[test]
    fn a_row_without_an_end_is_bounded_and_counted() {
        let mut reader = RowReader::default();
        reader.push(&[b'x'; 3 * ROW_BYTES_MAX]);
        reader.push(b"\r\nOK\r\n");
        assert_eq!(all(&mut reader), [Read::Row("OK".to_owned())]);
        assert_eq!(reader.long_rows, 1);
        reader.push(&vec![b'y'; WAITING_BYTES_MAX + 10]);
        assert_eq!(reader.garbage_bytes, 10);
    }

    #[test]
    fn what_is_no_text_is_counted_and_not_read() {
        let mut reader = RowReader::default();
        reader.push(b"\0\x01OK\x7f\r\n");
        assert_eq!(all(&mut reader), [Read::Row("OK".to_owned())]);
        assert_eq!(reader.garbage_bytes, 3);
    }

    #[test]
    fn control_characters_are_kept_within_the_marks_of_a_codes_answer_and_nowhere_else() {
        let kept = |bytes: &[u8]| {
            let mut reader = RowReader::default();
            reader.push(bytes);
            (all(&mut reader), reader.garbage_bytes)
        };
        let row = |text: &str| vec![Read::Row(text.to_owned())];
        // Also in the second row of a text, and behind marks of its own.
        for text in ["a\0b\x11c\x1be", "\x02500 is left\nor \x02600", "say \"yes\", 5 times, to a\0b", "a\x0c\x1f\x08b"]
        {
            let text = format!("+CUSD: 0,\"{text}\",15");
            assert_eq!(kept(format!("{text}\r\n").as_bytes()), (row(&text), 0), "{text:?}");
        }
        for (said, text, garbage) in [
            ("+CU\0SD:\x02 0,\x01\"a\",\x0015\x01\x1b\r\n", "+CUSD: 0,\"a\",15", 5),
            ("+COPS: 0,0,\"MTN\0 NG\"\r\n", "+COPS: 0,0,\"MTN NG\"", 1),
            ("+CUSD: 0,\"a\x7fb\"\r\n", "+CUSD: 0,\"ab\"", 1),
        ] {
            assert_eq!(kept(said.as_bytes()), (row(text), garbage), "{text}");
        }
        // Behind a mark that never closes it was noise after all, and the echo of an escape.
        let mut reader = RowReader::default();
        reader.push(b"+CUSD: 0,\"never\0closed\r\n\x1bRI\0NG\r\n\0\r\n\x1b");
        assert_eq!(reader.next(), None);
        reader.give_up_quotes();
        reader.push(b"O\0K\r\n");
        let rows = ["+CUSD: 0,\"never\0closed", "RING", "OK"].map(|text| Read::Row(text.to_owned()));
        assert_eq!(all(&mut reader), rows);
        // Of a row that is too long nothing is kept, and the next one is a row as any other.
        let mut reader = RowReader::default();
        reader.push(b"+CUSD: 0,\"");
        reader.push(&[1; 2 * ROW_BYTES_MAX]);
        reader.push(b"\r\nO\0K\r\n");
        assert_eq!(all(&mut reader), row("OK"));
        assert_eq!((reader.long_rows, reader.garbage_bytes > ROW_BYTES_MAX as u64), (1, true));
    }

    proptest! {
        /// Whatever marks stand within a text of several rows, it comes as one row.
        #[test]
        fn a_codes_answer_is_one_row_whatever_is_quoted_in_it(
            pieces in prop::collection::vec(("[A-Za-z0-9 .#*]{1,12}", any::<bool>(), any::<bool>()), 1..12),
        ) {
            let mut text = String::from("x");
            for (words, is_quoted, is_own_row) in pieces {
                let words = words.trim();
                text.push(if is_own_row { '\n' } else { ' ' });
                text.push_str(&if is_quoted { format!("\"{words}\"") } else { words.to_owned() });
                // A row with nothing in it is none.
                text.push('.');
            }
            let row = format!("+CUSD: 0,\"{text}\",15");
            prop_assert_eq!(rows(format!("{row}\r\nOK\r\n").as_bytes()), [row.as_str(), "OK"]);
        }

        #[test]
        fn rows_are_the_same_however_their_octets_are_cut(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            cuts in prop::collection::vec(0usize..300, 0..20),
        ) {
            let mut whole = RowReader::default();
            whole.push(&bytes);
            let expected = all(&mut whole);
            let mut cut = RowReader::default();
            let mut found = Vec::new();
            let mut from = 0;
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
            cuts.push(bytes.len());
            cuts.sort_unstable();
            for to in cuts {
                cut.push(&bytes[from..to]);
                found.extend(all(&mut cut));
                from = to;
            }
            prop_assert_eq!(found, expected);
            prop_assert_eq!(cut.garbage_bytes, whole.garbage_bytes);
        }
    }
}
