use std::fmt;
use std::ops::Range;

use super::email;
use super::judge::{Care, Claim, Judge, TRAILING_WORDS};
use super::kind::{Found, Kind};
use super::lexicon::Means;
use super::memory::Memory;
use super::runs::{Reader, begins_group, is_between};
use super::token::Tape;

/// Octets of one turn that are read with care. A caller who speaks for five
/// minutes says some 5000; beyond this every number goes.
pub const CAREFUL_MAX: usize = 16 * 1024;

/// Pieces that are held back at most: an address of 40 letters, each explained
/// ("D for dog"), has some 320. A longer one goes as a whole, with all that is held.
const HELD_MAX: usize = 512;

/// Words that were given out and are kept, since they tell what a number behind
/// them is: "₦", "at".
const KEPT_WORDS: usize = 2;

/// Digits at the end of heard words from which on they may be the beginning of a
/// number of somebody's. "For 12", "at 10" are not; behind "my PIN is" a single digit is.
const RUNS_ON_MIN: usize = 3;

/// Redacts a text that comes in pieces, and holds back what may yet become a
/// part of an identifier: a run of digits that may go on, an address that is
/// being spelled.
///
/// However the text is cut, the pieces given out are together what
/// [`Redactor::redact`](super::Redactor::redact) makes of the whole.
#[derive(Clone, Default)]
pub struct StreamRedactor {
    tape: Tape,
    memory: Memory,
    care: Care,
    turn_start: usize,
    /// Pieces at the beginning of the tape that were given out.
    settled: usize,
}

impl fmt::Debug for StreamRedactor {
    /// Not what it holds: a person's words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamRedactor").finish_non_exhaustive()
    }
}

/// What was given out.
#[derive(Default)]
pub(super) struct Released {
    pub(super) text: String,
    pub(super) found: Vec<Found>,
}

impl StreamRedactor {
    pub fn new() -> Self {
        Self::default()
    }

    /// More of the turn. Gives what is now sure to be nobody's identifier, and
    /// labels instead of identifiers.
    pub fn push(&mut self, chunk: &str) -> String {
        let mut released = Released::default();
        self.push_into(chunk, &mut released);
        released.text
    }

    /// The turn is over: gives the rest. What was said is remembered, so that a
    /// number that goes on in the next turn is known for what it is; of a number
    /// without any sign of being one, the first three digits may have gone out
    /// before, and so may a beginning that reads as opening hours: "0800-1230".
    pub fn end_turn(&mut self) -> String {
        let mut released = Released::default();
        self.end_turn_into(&mut released);
        released.text
    }

    /// The text is over: gives the rest.
    pub fn finish(mut self) -> String {
        self.end_turn()
    }

    /// What may be shown of a turn that is still being heard, if the recogniser
    /// now has `words` for it. Nothing is kept: the next hypothesis may differ.
    pub fn so_far(&self, words: &str) -> String {
        self.clone().push(words)
    }

    /// Whether the recogniser's `words` for the turn so far end within digits or an address
    /// that may go on, and are not known for what they are before the rest is heard: who
    /// sends words before the turn is over waits for it.
    pub fn may_go_on(&self, words: &str) -> bool {
        let heard = self.having_heard(words);
        heard.ends_in_address() || heard.ends_in_number()
    }

    fn having_heard(&self, words: &str) -> Self {
        let mut heard = self.clone();
        heard.push(words);
        heard.tape.close();
        heard
    }

    fn ends_in_address(&self) -> bool {
        email::is_begun(&Reader::new(&self.tape), self.settled, &self.memory)
    }

    fn ends_in_number(mut self) -> bool {
        let (digits, first) = digits_at_end(&Reader::new(&self.tape));
        // What stands before the digits may tell whose they are.
        self.claims(first);
        digits >= RUNS_ON_MIN || digits > 0 && self.memory.awaits_digits()
    }

    /// The other side has said this: if it asks for a number, the answer is one,
    /// however short.
    pub fn asked(&mut self, words: &str) {
        let mut cues = Memory::default();
        let mut tape = Tape::default();
        for c in words.chars().take(CAREFUL_MAX) {
            tape.push(c);
            if tape.tokens().len() > HELD_MAX {
                hear_all(&mut cues, &mut tape);
            }
        }
        tape.close();
        hear_all(&mut cues, &mut tape);
        // What the caller was saying before the question is no answer to it.
        if self.tape.end() > self.turn_start {
            cues.unlink();
        }
        self.memory.asked(&cues);
    }

    pub(super) fn push_into(&mut self, chunk: &str, released: &mut Released) {
        for c in chunk.chars() {
            if self.tape.push(c) {
                self.settle_sure(released);
            }
        }
    }

    pub(super) fn end_turn_into(&mut self, released: &mut Released) {
        self.tape.close();
        self.settle(self.tape.tokens().len(), released);
        self.memory.new_turn();
        self.care = Care::Full;
        self.turn_start = self.tape.end();
        // What a number begins with in the next turn was not said before it.
        self.tape.drop_first(self.tape.tokens().len());
        self.settled = 0;
    }

    /// A piece became whole: gives out what cannot be a part of anything any more.
    fn settle_sure(&mut self, released: &mut Released) {
        let reader = Reader::new(&self.tape);
        let Some(last) = reader.tokens.last().filter(|token| token.means != Means::Space) else { return };
        if last.end - self.turn_start > CAREFUL_MAX {
            self.care = Care::Blunt;
        }
        let held = number_from(&reader, self.settled)
            .min(email::held_from(&reader, self.settled, &self.memory))
            .min(label_from(&reader, self.settled));
        if held > self.settled {
            self.settle(held, released);
        }
        if self.tape.tokens().len() - self.settled > HELD_MAX {
            self.spill(released);
        }
    }

    /// Too much hangs together: all of it goes.
    fn spill(&mut self, released: &mut Released) {
        let held = &self.tape.tokens()[self.settled..];
        let (start, end) = (held.first().map_or(0, |token| token.start), held.last().map_or(0, |token| token.end));
        let kind = if held.iter().any(|token| begins_group(token.means)) { Kind::Number } else { Kind::Email };
        released.text.push_str(kind.label());
        released.found.push(Found { kind, span: start..end });
        self.care = Care::Blunt;
        self.forget(self.tape.tokens().len());
    }

    /// Judges the pieces before `count`, and gives them out.
    fn settle(&mut self, count: usize, released: &mut Released) {
        let (claims, count) = self.claims(count);
        let Some(judged) = self.tape.tokens().get(self.settled..count).filter(|judged| !judged.is_empty()) else {
            return;
        };
        let mut from = judged[0].start;
        let end = judged[judged.len() - 1].end;
        for claim in claims {
            let span = self.span(&claim);
            released.text.push_str(self.tape.slice(from, span.start));
            released.text.push_str(claim.kind.label());
            from = span.end;
            released.found.push(Found { kind: claim.kind, span });
        }
        released.text.push_str(self.tape.slice(from, end));
        self.forget(count);
    }

    /// The first `count` pieces were given out; the last words of them are kept.
    fn forget(&mut self, count: usize) {
        let reader = Reader::new(&self.tape);
        let mut kept = count;
        for _ in 0..KEPT_WORDS {
            kept = reader.before(kept).unwrap_or(0);
        }
        self.tape.drop_first(kept);
        self.settled = count - kept;
    }

    /// Where a claim stands in the text; with the bracket that opens before it and
    /// closes within it.
    fn span(&self, claim: &Claim) -> Range<usize> {
        let reader = Reader::new(&self.tape);
        let is = |at: usize, mark: char| reader.means(at) == Some(Means::Mark(mark));
        let is_bracketed =
            claim.first > self.settled && is(claim.first - 1, '(') && (claim.first..=claim.last).any(|at| is(at, ')'));
        let first = claim.first - usize::from(is_bracketed);
        reader.tokens[first].start..reader.tokens[claim.last].end
    }

    /// The identifiers before `count`, and how many pieces were judged: fewer, if
    /// an identifier begins before `count` and does not end there.
    fn claims(&mut self, count: usize) -> (Vec<Claim>, usize) {
        let reader = Reader::new(&self.tape);
        let memory = &mut self.memory;
        let addresses = email::addresses(&reader, self.settled, memory);
        let mut claims = Vec::new();
        let mut at = self.settled;
        while at < count {
            let next_address = addresses.iter().find(|address| address.end > at);
            if let Some(address) = next_address.filter(|address| address.start <= at) {
                if address.end > count {
                    break;
                }
                claims.push(Claim { first: at, last: address.end - 1, kind: Kind::Email, digits: 0 });
                memory.found(Kind::Email, 0);
                at = address.end;
                continue;
            }
            if let Some((kind, end)) = label_at(&reader, at) {
                if end > count {
                    break;
                }
                memory.found(kind, COMPLETE);
                at = end;
                continue;
            }
            let end = next_address.map_or(reader.tokens.len(), |address| address.start);
            let begins = reader.means(at).is_some_and(|means| begins_group(means) || means == Means::Plus);
            let Some(run) = begins.then(|| reader.run(at, end)).flatten() else {
                memory.hear(reader.tokens[at].means, reader.text(at));
                at += 1;
                continue;
            };
            if run.end() > count {
                break;
            }
            let found = Judge { reader, memory, care: self.care, run: &run }.claims();
            if found.is_empty() {
                memory.kept();
            }
            for claim in &found {
                memory.found(claim.kind, claim.digits);
            }
            claims.extend(found);
            at = run.end();
        }
        (claims, at)
    }
}

/// Digits that make an identifier of any kind complete.
const COMPLETE: usize = 19;

/// Pieces of the longest label: "[one-time code]".
const LABEL_PIECES: usize = 7;

/// The label that begins at `at`, and the token behind it: text may have been
/// redacted before, and a label's words say nothing of the numbers behind it.
fn label_at(reader: &Reader<'_>, at: usize) -> Option<(Kind, usize)> {
    let start = reader.tokens.get(at).filter(|token| token.means == Means::Mark('['))?.start;
    let close = (at + 1..at + LABEL_PIECES).find(|i| reader.means(*i) == Some(Means::Mark(']')))?;
    let label = reader.tape.slice(start, reader.tokens[close].end);
    Kind::ALL.into_iter().find(|kind| kind.label() == label).map(|kind| (kind, close + 1))
}

/// The bracket of a label that is not whole yet.
fn label_from(reader: &Reader<'_>, settled: usize) -> usize {
    let end = reader.tokens.len();
    let first = settled.max(end.saturating_sub(LABEL_PIECES));
    (first..end).find(|at| reader.means(*at) == Some(Means::Mark('['))).unwrap_or(end)
}

/// The digits with which the words end, and the token at which they begin.
fn digits_at_end(reader: &Reader<'_>) -> (usize, usize) {
    let mut at = reader.tokens.len();
    let (mut digits, mut first) = (0, at);
    while let Some(before) = reader.before(at) {
        at = before;
        match reader.means(at) {
            Some(means) if begins_group(means) => {
                digits += figures(reader, at);
                first = at;
            }
            Some(means) if is_in_run(means) => {}
            _ => break,
        }
    }
    (digits, first)
}

/// Digits in a token that begins a group: its figures, or one for a word.
fn figures(reader: &Reader<'_>, at: usize) -> usize {
    let figures = reader.text(at).chars().filter(|c| c.is_numeric()).count();
    figures.max(1)
}

fn hear_all(cues: &mut Memory, tape: &mut Tape) {
    for token in tape.tokens() {
        cues.hear(token.means, tape.text_of(token));
    }
    tape.drop_first(tape.tokens().len());
}

/// Where the first run of digits begins that may go on, or that the words behind
/// it may yet name.
fn number_from(reader: &Reader<'_>, settled: usize) -> usize {
    let (mut first, mut at) = (reader.tokens.len(), reader.tokens.len());
    let (mut words, mut is_in) = (0, false);
    while let Some(before) = reader.before(at).filter(|at| *at >= settled) {
        at = before;
        match reader.means(at) {
            Some(means) if begins_group(means) || means == Means::Plus => {
                (first, is_in) = (at, true);
                words += 1;
            }
            Some(means) if is_in_run(means) => {}
            _ => {
                is_in = false;
                words += 1;
            }
        }
        // The word that tells that nothing more comes is there too.
        if !is_in && words > TRAILING_WORDS {
            break;
        }
    }
    // "(01) 460 1234" goes with its bracket.
    while first > settled && reader.means(first - 1) == Some(Means::Mark('(')) {
        first -= 1;
    }
    first
}

/// What may stand within a run without being a digit.
fn is_in_run(means: Means) -> bool {
    match means {
        Means::Space | Means::Dot | Means::Dash | Means::Underscore | Means::Plus | Means::Filler => true,
        Means::Sounds(_) | Means::Scale(_) | Means::Plural(_) => true,
        Means::Mark(c) => is_between(c),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is found when all of the text is held back to its end.
    fn found_with_all_held(text: &str) -> Vec<Found> {
        let mut stream = StreamRedactor::new();
        for c in text.chars() {
            stream.tape.push(c);
        }
        let mut released = Released::default();
        stream.end_turn_into(&mut released);
        released.found
    }

    fn found(text: &str) -> Vec<Found> {
        let mut released = Released::default();
        let mut stream = StreamRedactor::new();
        stream.push_into(text, &mut released);
        stream.end_turn_into(&mut released);
        released.found
    }

    #[test]
    fn words_that_end_in_digits_that_may_go_on_are_known() {
        let stream = StreamRedactor::new();
        for words in ["My number is oh eight oh three", "na 0803", "It is 0803, 123.", "double five oh one", "234 803"]
        {
            assert!(stream.having_heard(words).ends_in_number(), "{words}");
        }
        for words in ["I want 12", "Do you open at 10?", "0803 1234567 is my number", "When do you open?", "", "two"] {
            assert!(!stream.having_heard(words).ends_in_number(), "{words}");
        }
    }

    #[test]
    fn a_few_digits_are_waited_for_where_a_secret_or_a_number_was_spoken_of() {
        let mut stream = StreamRedactor::new();
        for words in [
            "My PIN is forty-eight",
            "CVV is one two",
            "the OTP na 7",
            "My account number is 01",
            "My card is 4111 1111 1111 1111, and it is oh",
        ] {
            assert!(stream.having_heard(words).ends_in_number(), "{words}");
        }
        for words in ["My PIN is", "I forgot my PIN", "I have two PINs", "My PIN has four digits"] {
            assert!(!stream.having_heard(words).ends_in_number(), "{words}");
        }
        stream.asked("What are the last four digits of your card?");
        assert!(stream.having_heard("one two").ends_in_number());
    }

    #[test]
    fn words_that_end_within_an_address_are_known() {
        let stream = StreamRedactor::new();
        for words in [
            "You can send it to chinedu dot okafor",
            "You can send it to chinedu dot okafor.",
            "send it to chinedu dot okafor at",
            "send it to chinedu okafor at",
            "It is ada underscore obi",
            "you fit write me, tunde dash bakes",
            "It is c h i n e d u",
            "write to ada.obi",
        ] {
            assert!(stream.having_heard(words).ends_in_address(), "{words}");
        }
        for words in [
            "Do you open at ten?",
            "We came at 12.30",
            "Is it at 10 a.m.",
            "I am at the bank",
            "What is your email?",
            "Please send me an email",
            "Is it well-known?",
            "How much is a loaf?",
            "My e-mail is ada@gmail.com",
            "",
        ] {
            assert!(!stream.having_heard(words).ends_in_address(), "{words}");
        }
    }

    /// Without the word that announces an address: how far back its window reaches
    /// depends on what was given out.
    fn talk() -> impl Strategy<Value = String> {
        const WORDS: &[&str] = &[
            "oh",
            "zero",
            "one",
            "seven",
            "double",
            "forty",
            "twelve",
            "hundred",
            "zeros",
            "plus",
            "to",
            "for",
            "and",
            "er",
            "my",
            "number",
            "card",
            "pin",
            "is",
            "na",
            "at",
            "dot",
            "com",
            "gmail",
            "ada",
            "obi",
            "underscore",
            "a",
            "d",
            "naira",
            "code",
            "the",
            "bread",
            "bank",
            "co",
            "uk",
            "0803",
            "123",
            "4567",
            "12",
            "4111 1111 1111 1111",
            "ada@gmail.com",
            "₦",
            ",",
            ".",
            "-",
            "₦500",
            "8:30",
            "I",
            "want",
        ];
        prop::collection::vec(prop::sample::select(WORDS), 0..40).prop_map(|words| words.join(" "))
    }

    proptest! {
        #[test]
        fn what_is_held_back_is_all_that_matters(text in talk()) {
            let found = found(&text);
            for one in found_with_all_held(&text) {
                let is_found = |at: usize| found.iter().any(|one| one.span.contains(&at));
                let meaning = text[one.span.clone()].char_indices().filter(|(_, c)| c.is_alphanumeric());
                for (at, _) in meaning {
                    prop_assert!(is_found(one.span.start + at), "{:?} of {} but {:?}", one, text, found);
                }
            }
        }
    }
}
