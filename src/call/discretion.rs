//! What of a call's words may be written down: identifiers are taken out before
//! a word reaches the journal, the store or whoever watches. What the call itself
//! needs (a number to be called back on) it has as a field of its own, and what
//! the mind was told and said stays as it was for as long as the call lasts.

use crate::privacy::{Redactor, Side, Spoken, StreamRedactor};
use crate::terms::Private;

use super::record::{Message, Speaker, Turn};

/// Follows the turns of one call, so that a number is known that one side asked
/// for or that was said in several turns.
#[derive(Clone, Debug, Default)]
pub(super) struct Discretion {
    caller: StreamRedactor,
    /// Answers that stand word for word in the business's file: its own numbers
    /// are nobody's secret, and it wants to know which the box gave out.
    own: Vec<Private<String>>,
}

/// Answers of the file that are remembered: a call hears a handful. A further
/// one is written down like any other sentence.
const OWN_MAX: usize = 64;

impl Discretion {
    /// A turn that is complete, as it may be shown while the call goes on. What
    /// later turns tell of its words is known only to the record.
    pub(super) fn shown(&mut self, turn: &Turn) -> Turn {
        let words = turn.text.expose();
        let text = match side(turn.who) {
            Side::Caller => {
                let said = self.caller.push(words);
                said + &self.caller.end_turn()
            }
            Side::Box => {
                self.caller.asked(words);
                if self.is_own(turn) { words.clone() } else { Redactor::new().redact(words) }
            }
        };
        Turn { text: Private::new(text), ..turn.clone() }
    }

    /// The box is about to say what stands in the business's file.
    pub(super) fn own_words(&mut self, text: &Private<String>) {
        if self.own.len() < OWN_MAX && !self.own.contains(text) {
            self.own.push(text.clone());
        }
    }

    /// Whether a turn is such an answer, or what was heard of one.
    fn is_own(&self, turn: &Turn) -> bool {
        let words = turn.text.expose();
        turn.who == Speaker::Box && self.own.iter().any(|own| own.expose().starts_with(words.as_str()))
    }

    /// A message as it may be written down in the middle of the call.
    pub(super) fn so_far(&self, message: &Message) -> Message {
        let mut caller = self.caller.clone();
        let said = caller.push(message.text.expose());
        let text = Private::new(said + &caller.end_turn());
        Message { text, name: message.name.as_ref().map(name), ..message.clone() }
    }

    /// Takes the identifiers out of all turns, in their order, with the knowledge
    /// of the later ones, and out of the message.
    pub(super) fn write_down(&self, turns: &mut [Turn], message: Option<&mut Message>) {
        let redactor = Redactor::new();
        let spoken: Vec<Spoken<'_>> =
            turns.iter().map(|turn| Spoken { side: side(turn.who), words: turn.text.expose() }).collect();
        let texts = redactor.redact_turns(&spoken);
        if let Some(message) = message {
            let text = redactor.redact_turns(&with_message(&spoken, message.text.expose())).pop().unwrap_or_default();
            message.text = Private::new(text);
            message.name = message.name.as_ref().map(name);
        }
        for (turn, text) in turns.iter_mut().zip(texts) {
            if !self.is_own(turn) {
                turn.text = Private::new(text);
            }
        }
    }

    /// Whether the words of a pause end in digits or in an address that may go on: then
    /// they are held back until the turn is over, for a part of either looks like none.
    pub(super) fn holds_back(&self, words: &str) -> bool {
        self.caller.may_go_on(words)
    }
}

/// The turns before the message and the message itself, which is the last of
/// them: what was asked and said before tells what is in it.
fn with_message<'a>(spoken: &[Spoken<'a>], message: &'a str) -> Vec<Spoken<'a>> {
    let is_it = |one: &Spoken<'_>| {
        one.side == Side::Caller && !one.words.trim().is_empty() && message.contains(one.words.trim())
    };
    let before = spoken.iter().position(is_it).unwrap_or(spoken.len());
    spoken[..before].iter().copied().chain([Spoken { side: Side::Caller, words: message }]).collect()
}

/// A name with digits in it is none, and may be a card's number.
fn name(name: &Private<String>) -> Private<String> {
    Private::new(Redactor::new().redact(name.expose()))
}

const fn side(who: Speaker) -> Side {
    match who {
        Speaker::Caller => Side::Caller,
        Speaker::Box | Speaker::Staff => Side::Box,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{Engines, Latency};

    fn turn(who: Speaker, text: &str) -> Turn {
        Turn {
            who,
            text: Private::new(text.to_owned()),
            started_ms: 0,
            ended_ms: 1,
            interrupted: false,
            engines: Engines::default(),
            latency: Latency::default(),
            failovers: Vec::new(),
        }
    }

    fn texts(turns: &[Turn]) -> Vec<&str> {
        turns.iter().map(|turn| turn.text.expose().as_str()).collect()
    }

    #[test]
    fn a_number_that_was_split_over_turns_is_in_none_of_them() {
        let mut turns = [
            turn(Speaker::Caller, "My card is four one one one, one one one one"),
            turn(Speaker::Box, "Yes?"),
            turn(Speaker::Caller, "one one one one, one one one one. When do you open?"),
        ];
        Discretion::default().write_down(&mut turns, None);
        let all = texts(&turns).join(" ");
        assert!(!all.contains("one one") && all.contains("When do you open?"), "{all}");
    }

    #[test]
    fn a_message_loses_its_cards_and_keeps_its_words() {
        let mut turns = [
            turn(Speaker::Box, "Please say your message now."),
            turn(Speaker::Caller, "Tell the doctor my BVN is 22212345678 and I am coming on Monday."),
        ];
        let text = turns[1].text.clone();
        let mut message = Message { text, ..Message::default() };
        Discretion::default().write_down(&mut turns, Some(&mut message));
        assert_eq!(message.text.expose(), "Tell the doctor my BVN is [BVN] and I am coming on Monday.");
        assert_eq!(texts(&turns)[1], message.text.expose());
    }

    #[test]
    fn what_the_business_says_of_itself_stays_as_it_is() {
        let answer = "You can ring us on zero one, two seven seven, four five six seven.";
        let mut discretion = Discretion::default();
        discretion.own_words(&Private::new(answer.to_owned()));
        let mut turns =
            [turn(Speaker::Box, answer), turn(Speaker::Caller, answer), turn(Speaker::Box, "You can ring us")];
        assert_eq!(discretion.shown(&turns[0]).text, turns[0].text);
        discretion.write_down(&mut turns, None);
        assert_eq!(texts(&turns)[0], answer);
        assert!(!texts(&turns)[1].contains("seven seven"), "said by a caller it is a number like any other");
    }

    #[test]
    fn words_that_end_within_a_secret_or_an_address_are_held_back() {
        let discretion = Discretion::default();
        for words in ["My PIN is forty-eight", "CVV is one two", "You can send it to chinedu dot okafor"] {
            assert!(discretion.holds_back(words), "{words}");
        }
        for words in ["I want two", "When do you open?", "I am at the market"] {
            assert!(!discretion.holds_back(words), "{words}");
        }
    }

    #[test]
    fn what_is_shown_while_the_call_goes_on_knows_what_was_asked() {
        let mut discretion = Discretion::default();
        discretion.shown(&turn(Speaker::Box, "What are the last four digits of your card?"));
        let shown = discretion.shown(&turn(Speaker::Caller, "four one one one"));
        assert!(!shown.text.expose().contains("one"), "{}", shown.text.expose());
        let back = discretion.shown(&turn(
            Speaker::Box,
            "I have zero eight zero three, one two three, four five six seven. Is that right?",
        ));
        assert!(!back.text.expose().contains("eight") && back.text.expose().contains("Is that right?"));
    }
}
