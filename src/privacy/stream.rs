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

/// Pieces before a number that tell what it is: "N", "₦", "at".
const BEFORE_NUMBER: usize = 2;

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
    /// before.
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
    }

    /// A piece became whole: gives out what cannot be a part of anything any more.
    fn settle_sure(&mut self, released: &mut Released) {
        let reader = Reader::new(&self.tape);
        let count = reader.tokens.len();
        if reader.tokens.last().is_none_or(|token| token.means == Means::Space) {
            return;
        }
        if self.tape.base() - self.turn_start > CAREFUL_MAX {
            self.care = Care::Blunt;
        }
        let held = before_number(&reader).min(number_from(&reader)).min(email::held_from(&reader, &self.memory));
        if held > 0 {
            self.settle(held, released);
        } else if count > HELD_MAX {
            self.spill(released);
        }
    }

    /// Too much hangs together: all of it goes.
    fn spill(&mut self, released: &mut Released) {
        let tokens = self.tape.tokens();
        let (start, end) = (self.tape.base(), tokens.last().map_or(0, |token| token.end));
        let is_number = tokens.iter().any(|token| begins_group(token.means));
        let kind = if is_number { Kind::Number } else { Kind::Email };
        released.text.push_str(kind.label());
        released.found.push(Found { kind, span: start..end });
        self.care = Care::Blunt;
        self.tape.drop_first(self.tape.tokens().len());
    }

    /// Judges the pieces before `count`, and gives them out.
    fn settle(&mut self, count: usize, released: &mut Released) {
        let (claims, count) = self.claims(count);
        let tokens = self.tape.tokens();
        let mut from = self.tape.base();
        for claim in claims {
            let span = span(&Reader::new(&self.tape), &claim);
            released.text.push_str(self.tape.slice(from, span.start));
            released.text.push_str(claim.kind.label());
            from = span.end;
            released.found.push(Found { kind: claim.kind, span });
        }
        let end = count.checked_sub(1).and_then(|last| tokens.get(last)).map_or(from, |token| token.end);
        released.text.push_str(self.tape.slice(from, end.max(from)));
        self.tape.drop_first(count);
    }

    /// The identifiers that begin before `count`, and how many pieces are judged with them.
    fn claims(&mut self, count: usize) -> (Vec<Claim>, usize) {
        let reader = Reader::new(&self.tape);
        let memory = &mut self.memory;
        let addresses = email::addresses(&reader, reader.tokens.len(), memory);
        let mut claims = Vec::new();
        let mut at = 0;
        while at < count {
            let next_address = addresses.iter().find(|address| address.end > at);
            if let Some(address) = next_address.filter(|address| address.start <= at) {
                claims.push(Claim { first: at, last: address.end - 1, kind: Kind::Email, digits: 0 });
                memory.found(Kind::Email, 0);
                at = address.end;
                continue;
            }
            let end = next_address.map_or(reader.tokens.len(), |address| address.start);
            let begins = reader.means(at).is_some_and(|means| begins_group(means) || means == Means::Plus);
            let Some(run) = begins.then(|| reader.run(at, end)).flatten() else {
                memory.hear(reader.tokens[at].means, reader.text(at));
                at += 1;
                continue;
            };
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

fn hear_all(cues: &mut Memory, tape: &mut Tape) {
    for token in tape.tokens() {
        cues.hear(token.means, tape.text_of(token));
    }
    tape.drop_first(tape.tokens().len());
}

/// Where a claim stands in the text; with the bracket that opens before it and
/// closes within it.
fn span(reader: &Reader<'_>, claim: &Claim) -> Range<usize> {
    let is = |at: usize, mark: char| reader.means(at) == Some(Means::Mark(mark));
    let is_bracketed = claim.first > 0 && is(claim.first - 1, '(') && (claim.first..=claim.last).any(|at| is(at, ')'));
    let first = claim.first - usize::from(is_bracketed);
    reader.tokens[first].start..reader.tokens[claim.last].end
}

/// The pieces that a number which comes next is judged by.
fn before_number(reader: &Reader<'_>) -> usize {
    let mut at = reader.tokens.len();
    for _ in 0..BEFORE_NUMBER {
        at = reader.before(at).unwrap_or(0);
    }
    at
}

/// Where the last run of digits begins, if it may go on or is yet to be named by
/// the words behind it.
fn number_from(reader: &Reader<'_>) -> usize {
    let end = reader.tokens.len();
    let (mut at, mut words) = (end, 0);
    let is_number = |means: Means| begins_group(means) || means == Means::Plus;
    loop {
        let Some(before) = reader.before(at) else { return end };
        at = before;
        match reader.means(at) {
            Some(means) if is_number(means) => break,
            Some(means) if is_in_run(means) => {}
            _ => words += 1,
        }
        // The word that tells that nothing more comes is there too.
        if words > TRAILING_WORDS {
            return end;
        }
    }
    let mut first = at;
    while let Some(before) = reader.before(at) {
        match reader.means(before) {
            Some(means) if is_number(means) => first = before,
            Some(means) if is_in_run(means) => {}
            _ => break,
        }
        at = before;
    }
    for _ in 0..BEFORE_NUMBER {
        first = reader.before(first).unwrap_or(0);
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
