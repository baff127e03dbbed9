use std::ops::Range;

use super::kind::{Found, Kind};
use super::stream::{Released, StreamRedactor};

/// Who said a turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Caller,
    /// The box, which may ask for a number.
    Box,
}

/// One turn of a call that is over. It has no `Debug`: it holds a person's words.
#[derive(Clone, Copy)]
pub struct Spoken<'a> {
    pub side: Side,
    pub words: &'a str,
}

/// Takes identifiers out of text. It has no memory: see [`StreamRedactor`] for
/// text that comes in pieces.
///
/// ```
/// use milu::privacy::Redactor;
///
/// let said = "My number na oh eight oh three, double five five, oh one four two. I want 12 loaves.";
/// assert_eq!(Redactor::new().redact(said), "My number na [phone number]. I want 12 loaves.");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Redactor;

impl Redactor {
    pub const fn new() -> Self {
        Self
    }

    /// The text with a label in the place of each identifier.
    pub fn redact(&self, text: &str) -> String {
        self.released(text).text
    }

    /// The text without the identifiers of the kinds that are to go.
    pub fn redact_of(&self, text: &str, goes: impl Fn(Kind) -> bool) -> String {
        without(text, self.find(text), &goes)
    }

    /// The identifiers in the text, in their order; none overlaps another.
    pub fn find(&self, text: &str) -> Vec<Found> {
        self.released(text).found
    }

    fn released(self, text: &str) -> Released {
        let mut released = Released::default();
        let mut stream = StreamRedactor::new();
        stream.push_into(text, &mut released);
        stream.end_turn_into(&mut released);
        released
    }

    /// All turns of a call, with the knowledge of the later ones: a number that
    /// was split over turns goes from each of them, whatever its parts look like.
    pub fn redact_turns(&self, turns: &[Spoken<'_>]) -> Vec<String> {
        self.redact_turns_of(turns, |_| true)
    }

    /// The same, without the identifiers of the kinds that are to go.
    pub fn redact_turns_of(&self, turns: &[Spoken<'_>], goes: impl Fn(Kind) -> bool) -> Vec<String> {
        let mut found = of_each_turn(turns);
        of_joined_turns(turns, &mut found);
        turns.iter().zip(found).map(|(turn, found)| without(turn.words, found, &goes)).collect()
    }
}

/// What is found when the turns come one after the other.
fn of_each_turn(turns: &[Spoken<'_>]) -> Vec<Vec<Found>> {
    let mut caller = StreamRedactor::new();
    let mut said_before = 0;
    let of_turn = |turn: &Spoken<'_>| {
        if turn.side == Side::Box {
            caller.asked(turn.words);
            return Redactor.find(turn.words);
        }
        let mut released = Released::default();
        caller.push_into(turn.words, &mut released);
        caller.end_turn_into(&mut released);
        for one in &mut released.found {
            one.span = one.span.start - said_before..one.span.end - said_before;
        }
        said_before += turn.words.len();
        released.found
    };
    turns.iter().map(of_turn).collect()
}

/// Adds what is found when all that the caller said is one text.
fn of_joined_turns(turns: &[Spoken<'_>], found: &mut [Vec<Found>]) {
    let mut caller = StreamRedactor::new();
    let mut released = Released::default();
    let mut places: Vec<(usize, Range<usize>)> = Vec::new();
    let mut begin = 0;
    for (i, turn) in turns.iter().enumerate() {
        match turn.side {
            Side::Box => caller.asked(turn.words),
            Side::Caller => {
                caller.push_into(turn.words, &mut released);
                // A break between turns is a pause within a number.
                caller.push_into("\n", &mut released);
                places.push((i, begin..begin + turn.words.len()));
                begin += turn.words.len() + 1;
            }
        }
    }
    caller.end_turn_into(&mut released);
    for (i, place) in places {
        for one in &released.found {
            let span = one.span.start.max(place.start)..one.span.end.min(place.end);
            if span.start < span.end {
                found[i].push(Found { kind: one.kind, span: span.start - place.start..span.end - place.start });
            }
        }
    }
}

/// `text` without what was found of the kinds that are to go. What was found may
/// overlap.
fn without(text: &str, mut found: Vec<Found>, goes: &dyn Fn(Kind) -> bool) -> String {
    found.sort_by_key(|one| (one.span.start, std::cmp::Reverse(one.span.end)));
    let mut merged: Vec<Found> = Vec::new();
    for one in found {
        match merged.last_mut() {
            Some(last) if one.span.start < last.span.end => {
                last.span.end = last.span.end.max(one.span.end);
                // The one that knows more names it, and none that may stay keeps another.
                if last.kind == Kind::Number || (one.kind != Kind::Number && !goes(last.kind)) {
                    last.kind = one.kind;
                }
            }
            _ => merged.push(one),
        }
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for one in merged.into_iter().filter(|one| goes(one.kind)) {
        out.push_str(text.get(from..one.span.start).unwrap_or_default());
        out.push_str(one.kind.label());
        from = one.span.end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_kinds_may_stay_while_others_go() {
        let said = "My phone number is 0805 555 0188, my card number is 4111 1111 1111 1111 and my BVN is 22345678901.";
        let redactor = Redactor::new();
        assert_eq!(redactor.redact_of(said, |_| true), redactor.redact(said));
        assert_eq!(redactor.redact_of(said, |_| false), said);
        assert_eq!(
            redactor.redact_of(said, |kind| kind != Kind::Phone),
            "My phone number is 0805 555 0188, my card number is [card number] and my BVN is [BVN]."
        );
    }

    #[test]
    fn a_card_that_is_split_over_turns_goes_though_a_telephone_number_may_stay() {
        let turn = |words| Spoken { side: Side::Caller, words };
        let turns = [turn("My card number is 4111 1111"), turn("1111 1111."), turn("Call me on 0805 555 0188.")];
        let redacted = Redactor::new().redact_turns_of(&turns, |kind| kind != Kind::Phone);
        assert!(!redacted[..2].concat().contains("1111"), "{redacted:?}");
        assert_eq!(redacted[2], turns[2].words);
        assert_eq!(Redactor::new().redact_turns_of(&turns, |_| false), turns.map(|turn| turn.words));
    }

    #[test]
    fn what_overlaps_stays_only_if_all_of_it_may() {
        let found = |kind, span| Found { kind, span };
        let of = |kinds: [Kind; 2]| {
            let both = vec![found(kinds[0], 0..6), found(kinds[1], 3..9)];
            without("123456789 loaves", both, &|kind| kind != Kind::Phone)
        };
        assert_eq!(of([Kind::Phone, Kind::Card]), "[card number] loaves");
        assert_eq!(of([Kind::Card, Kind::Phone]), "[card number] loaves");
        assert_eq!(of([Kind::Phone, Kind::Phone]), "123456789 loaves");
        assert_eq!(of([Kind::Number, Kind::Phone]), "123456789 loaves", "it is known what it is");
        assert_eq!(of([Kind::Number, Kind::Card]), "[card number] loaves");
    }
}
