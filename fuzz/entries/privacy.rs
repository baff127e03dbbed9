//! What the fuzzer feeds to the redactor.

use milu::privacy::{Redactor, Side, Spoken, StreamRedactor};

/// What somebody says. In chunks it comes out as in one piece; what was found
/// stands in order within the text; and no figures are left in a row that are as
/// many as an account number has.
pub fn redaction(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let redacted = Redactor::new().redact(&text);
    assert_eq!(in_chunks(&text, bytes.len() % 7 + 1), redacted, "chunks come out as the whole does");
    let (mut built, mut from) = (String::new(), 0);
    for one in Redactor::new().find(&text) {
        built.push_str(text.get(from..one.span.start).expect("identifiers stand in order"));
        built.push_str(one.kind.label());
        from = one.span.end;
    }
    built.push_str(text.get(from..).expect("an identifier ends within the text"));
    assert_eq!(built, redacted, "what was found is what was taken");
    let longest = redacted.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    assert!(longest < 10, "{longest} figures in a row are left: {redacted}");
    let turns = text.split('\n').take(8).enumerate();
    let turns: Vec<Spoken<'_>> =
        turns.map(|(i, words)| Spoken { side: if i % 3 == 1 { Side::Box } else { Side::Caller }, words }).collect();
    assert_eq!(Redactor::new().redact_turns(&turns).len(), turns.len());
}

fn in_chunks(text: &str, length: usize) -> String {
    let mut stream = StreamRedactor::new();
    let (mut out, mut chunk) = (String::new(), String::new());
    for c in text.chars() {
        chunk.push(c);
        if chunk.chars().count() == length {
            out.push_str(&stream.push(&chunk));
            chunk.clear();
        }
    }
    out.push_str(&stream.push(&chunk));
    out + &stream.finish()
}
