use std::collections::VecDeque;

use super::ask::{Part, Side, Turn};
use crate::call::phrases;

/// Exchanges that are remembered. A call has some eight; what lies further back
/// was answered and is not asked about again.
const EXCHANGES_MAX: usize = 12;

/// Characters of all of them together: some two thousand tokens.
const CHARS_MAX: usize = 8000;

/// Characters of one turn of the caller.
const WORDS_MAX: usize = 2000;

/// What stands for the caller's side where the box spoke first: providers want
/// the caller to begin.
const RINGS: &str = "(The caller rings, and you pick up.)";

/// What a call has been about, as it was really said and heard.
#[derive(Debug, Default)]
pub struct History {
    exchanges: VecDeque<Exchange>,
    /// Somebody reports what the caller heard: then only that counts as said.
    reported: bool,
    /// The caller has heard that the box takes a message: who rang, on what number
    /// and why are no question, and leave the box with none.
    takes_message: bool,
}

#[derive(Debug, Default)]
struct Exchange {
    /// None where the box spoke first.
    words: Option<String>,
    heard: String,
    /// What was made to be said, the model's own words.
    made: String,
    abandoned: bool,
    /// Said while a message was taken.
    of_message: bool,
    /// Its answer was to take a message. What is said next is of that message, unless
    /// the answer is taken back or the caller hears something else of it.
    begins_message: bool,
}

/// Sentences with which the box begins to take a message, and goes on with it.
const TAKES: [&str; 5] = [
    phrases::ASK_NAME,
    phrases::ASK_NUMBER,
    phrases::ASK_NUMBER_KEYS,
    phrases::ASK_MESSAGE,
    phrases::ASK_MESSAGE_AGAIN,
];

/// Sentences after which it is taken, or is not.
const TAKEN: [&str; 7] = [
    phrases::MESSAGE_KEPT,
    phrases::MESSAGE_NOT_HEARD,
    phrases::MESSAGE_NOT_KEPT,
    phrases::NO_MESSAGES,
    phrases::GOODBYE,
    phrases::OWN_FAULT,
    phrases::OWN_FAULT_NO_OFFER,
];

/// What is told of a message to who asks next.
const OF_MESSAGE: &str = "(The caller leaves a message with the box.)";

/// Whether one of the sentences was heard, at least its beginning.
fn is_of(heard: &str, sentences: &[&str]) -> bool {
    /// As much as is heard before somebody who knows the question answers it, and as
    /// tells one regret from another: many sentences begin with "I am sorry".
    const BEGINNING: usize = 16;
    let beginning = |s: &&str| s.get(..BEGINNING).is_some_and(|b| heard.contains(b));
    sentences.iter().any(beginning)
}

/// Whether words are what was heard before and more. The last word may have been half
/// said when it was heard, and be another now.
fn goes_on(before: &str, now: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
    };
    let (before, now) = (words(before), words(now));
    match before.split_last() {
        // The half of one word must be in the whole of it, or any question would do.
        Some((half, [])) => now.first().is_some_and(|whole| whole.starts_with(half)),
        Some((_, whole)) => now.starts_with(whole),
        None => true,
    }
}

impl Exchange {
    fn chars(&self) -> usize {
        self.words.as_ref().map_or(0, String::len) + self.heard.len().max(self.made.len())
    }

    /// What the caller heard of the box, as far as that is known.
    fn reply(&self) -> &str {
        if !self.heard.is_empty() {
            &self.heard
        } else if self.abandoned {
            ""
        } else {
            &self.made
        }
    }
}

/// What the box's last words left open, if they were the model's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenQuestion {
    /// "Shall I take a message?"
    Message,
    /// "Shall I put you through?"
    Person,
    /// "Is there anything else?": the box's own yes and no fit it.
    AnythingElse,
    Other,
}

impl History {
    /// The caller asks something new.
    pub fn ask(&mut self, words: &str) {
        // A question that was taken back is the beginning of this one, or another whose
        // answer the caller heard nothing of: that one is still asked.
        let is_beginning = |last: &Exchange| last.words.as_ref().is_some_and(|before| goes_on(before, words));
        if self.exchanges.back().is_some_and(|last| last.abandoned && last.reply().is_empty() && is_beginning(last)) {
            self.exchanges.pop_back();
        }
        let words: String = words.trim().chars().take(WORDS_MAX).collect();
        let of_message = self.is_taking_message();
        self.exchanges.push_back(Exchange { words: Some(words), of_message, ..Exchange::default() });
        while self.exchanges.len() > EXCHANGES_MAX
            || self.exchanges.len() > 1 && self.exchanges.iter().map(Exchange::chars).sum::<usize>() > CHARS_MAX
        {
            self.exchanges.pop_front();
        }
    }

    /// The model's next words for the last question are on their way to the voice.
    pub fn made(&mut self, text: &str) {
        if let Some(last) = self.exchanges.back_mut() {
            join(&mut last.made, text);
        }
    }

    /// The answer to the last question is that the box takes a message. Only what the
    /// caller hears of it lasts: an answer may be taken back, or be another mind's.
    pub fn take_message(&mut self) {
        if let Some(last) = self.exchanges.back_mut() {
            last.begins_message = true;
        }
    }

    /// Whether what the caller says next is part of a message.
    fn is_taking_message(&self) -> bool {
        // Of the message that was begun nothing may have been heard yet.
        let is_begun =
            |last: &Exchange| !last.abandoned && (last.begins_message || (last.of_message && last.heard.is_empty()));
        self.takes_message || self.exchanges.back().is_some_and(is_begun)
    }

    /// Whether the last question is part of a message, and none for a model.
    pub fn is_of_message(&self) -> bool {
        self.exchanges.back().is_some_and(|last| last.of_message)
    }

    pub fn abandon(&mut self) {
        if let Some(last) = self.exchanges.back_mut() {
            last.abandoned = true;
        }
    }

    /// The caller heard this of the box.
    pub fn heard(&mut self, text: &str) {
        self.reported = true;
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let is_over = is_of(text, &TAKEN);
        self.takes_message = (self.takes_message || is_of(text, &TAKES)) && !is_over;
        if let Some(last) = self.exchanges.back_mut().filter(|_| is_over) {
            last.begins_message = false;
        }
        // The report of an answer may come after the next question was begun.
        let late = self.exchanges.len() >= 2
            && self.exchanges.back().is_some_and(|last| last.made.is_empty() && last.heard.is_empty())
            && self.exchanges[self.exchanges.len() - 2].made.contains(text);
        let at = self.exchanges.len().saturating_sub(if late { 2 } else { 1 });
        match self.exchanges.get_mut(at) {
            Some(exchange) => join(&mut exchange.heard, text),
            None => {
                self.exchanges.push_back(Exchange { heard: text.to_owned(), ..Exchange::default() });
            }
        }
    }

    /// The box answers the last question itself, in words of its own.
    pub fn answered(&mut self, text: &str) {
        if !self.reported {
            self.heard_of_the_last(text);
        }
    }

    fn heard_of_the_last(&mut self, text: &str) {
        if let Some(last) = self.exchanges.back_mut() {
            join(&mut last.heard, text);
        }
    }

    /// The words of one caller alone, for a question that belongs to no call.
    pub fn only(words: &str) -> Vec<Turn> {
        vec![Turn { side: Side::Caller, parts: vec![Part::Words(words.to_owned())] }]
    }

    /// What the model's last words before the caller's latest asked, if the
    /// caller heard them to their end.
    pub fn open_before(&self) -> Option<OpenQuestion> {
        let last = self.exchanges.iter().rev().skip(1).find(|e| !e.reply().is_empty())?;
        let reply = last.reply().trim_end();
        let question = reply.strip_suffix('?')?;
        let question = question.rsplit(['.', '!', '?']).next().unwrap_or(question).trim().to_lowercase();
        // A question of the box's own is answered by the box.
        if !last.made.to_lowercase().contains(&question) {
            return None;
        }
        let has = |words: &[&str]| words.iter().any(|w| question.contains(w));
        Some(if has(&["message", "call you back", "ring you back", "callback"]) {
            OpenQuestion::Message
        } else if has(&["put you through", "speak to", "speak with", "talk to", "connect you"]) {
            OpenQuestion::Person
        } else if has(&[
            "anything else",
            "something else",
            "else i can",
            "help you with",
            "how can i help",
            "how may i help",
        ]) {
            OpenQuestion::AnythingElse
        } else {
            OpenQuestion::Other
        })
    }

    /// The conversation up to the last question, as turns that take each other's
    /// place: the caller's first, the caller's last, none of them empty. `told`
    /// is what the box adds to the last question.
    pub fn turns(&self, told: Option<String>) -> Vec<Turn> {
        let mut turns: Vec<Turn> = Vec::new();
        let mut say = |side: Side, part: Part| match turns.last_mut() {
            Some(last) if last.side == side => last.parts.push(part),
            _ => turns.push(Turn { side, parts: vec![part] }),
        };
        let count = self.exchanges.len();
        for (i, exchange) in self.exchanges.iter().enumerate() {
            if exchange.of_message {
                say(Side::Caller, Part::Words(OF_MESSAGE.to_owned()));
                continue;
            }
            let words = exchange.words.as_deref().unwrap_or(RINGS);
            say(Side::Caller, Part::Words(if words.is_empty() { "(silence)".to_owned() } else { words.to_owned() }));
            let reply = exchange.reply().trim();
            if i + 1 < count && !reply.is_empty() {
                say(Side::Model, Part::Words(reply.to_owned()));
            }
        }
        if let Some(told) = told {
            say(Side::Caller, Part::Told(told));
        }
        turns
    }
}

fn join(place: &mut String, text: &str) {
    if !place.is_empty() && !text.is_empty() {
        place.push(' ');
    }
    place.push_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(history: &History) -> Vec<String> {
        let words = |part: &Part| match part {
            Part::Words(text) | Part::Told(text) => text.clone(),
            _ => String::new(),
        };
        let turn = |turn: &Turn| {
            let side = if turn.side == Side::Caller { "caller" } else { "box" };
            format!("{side}: {}", turn.parts.iter().map(words).collect::<Vec<_>>().join(" / "))
        };
        history.turns(None).iter().map(turn).collect()
    }

    #[test]
    fn what_was_said_and_heard_is_remembered() {
        let mut history = History::default();
        history.heard("Good day, this is Sunrise.");
        history.ask("Do you test for malaria?");
        history.made("Yes, we do.");
        history.made("It takes half an hour.");
        history.ask("How much?");
        let expected = [
            "caller: (The caller rings, and you pick up.)",
            "box: Good day, this is Sunrise.",
            "caller: Do you test for malaria?",
            "box: Yes, we do. It takes half an hour.",
            "caller: How much?",
        ];
        assert_eq!(shown(&history), expected);
    }

    #[test]
    fn after_a_barge_in_only_what_was_heard_was_said() {
        let mut history = History::default();
        history.ask("Do you test for malaria?");
        history.made("Yes, we do. It takes half an hour.");
        history.heard("Yes, we");
        history.abandon();
        history.ask("And typhoid?");
        assert_eq!(shown(&history)[1], "box: Yes, we");
    }

    #[test]
    fn a_question_that_was_taken_back_is_replaced_by_its_whole() {
        let mut history = History::default();
        history.ask("What time do you");
        history.made("We");
        history.abandon();
        history.ask("What time do you close on Friday?");
        assert_eq!(shown(&history), ["caller: What time do you close on Friday?"]);
    }

    #[test]
    fn a_question_whose_answer_was_cut_unheard_stands_with_the_next() {
        let mut history = History::default();
        history.ask("How much is the malaria test?");
        history.made("It costs five thousand naira.");
        history.abandon();
        history.ask("Where are you?");
        assert_eq!(shown(&history), ["caller: How much is the malaria test? / Where are you?"]);
        // Words are heard again with other capitals and stops, and the last one whole.
        history.abandon();
        history.ask("where, are you opposite the market?");
        assert_eq!(shown(&history), ["caller: How much is the malaria test? / where, are you opposite the market?"]);
    }

    #[test]
    fn a_question_of_one_word_is_the_beginning_of_no_other() {
        let mut history = History::default();
        history.ask("Mala?");
        history.abandon();
        history.ask("Malaria?");
        history.abandon();
        history.ask("Where are you?");
        assert_eq!(shown(&history), ["caller: Malaria? / Where are you?"]);
    }

    #[test]
    fn an_unanswered_question_stands_with_the_next() {
        let mut history = History::default();
        history.ask("Hello?");
        history.ask("Are you there?");
        assert_eq!(shown(&history), ["caller: Hello? / Are you there?"]);
    }

    #[test]
    fn a_report_that_comes_late_belongs_to_the_answer_before() {
        let mut history = History::default();
        history.ask("Do you test for malaria?");
        history.made("Yes, we do.");
        history.ask("How much?");
        history.heard("Yes, we do.");
        assert_eq!(shown(&history), ["caller: Do you test for malaria?", "box: Yes, we do.", "caller: How much?"]);
    }

    #[test]
    fn a_yes_is_the_models_only_after_a_question_of_the_models() {
        let mut history = History::default();
        history.ask("Can you bake a cake with lions?");
        for (made, asked) in [
            ("I do not know that. Shall I take a message?", OpenQuestion::Message),
            ("Shall I put you through to the kitchen?", OpenQuestion::Person),
            ("Yes. Is there anything else?", OpenQuestion::AnythingElse),
            ("Do you mean a large one?", OpenQuestion::Other),
        ] {
            history.ask("And that?");
            history.made(made);
            history.ask("Yes.");
            assert_eq!(history.open_before(), Some(asked), "{made}");
        }
        history.ask("And now?");
        history.made("Yes.");
        history.ask("Yes.");
        assert_eq!(history.open_before(), None);
        history.heard("Shall I take a message?");
        history.ask("Yes.");
        assert_eq!(history.open_before(), None, "the box asked it");
    }

    #[test]
    fn who_left_a_message_and_what_it_says_is_in_no_turn() {
        let mut history = History::default();
        history.ask("I want to leave a message");
        history.take_message();
        history.heard(phrases::ASK_NAME);
        for (words, heard) in [
            ("Amina Yusuf", "Thank you, Amina Yusuf. What number should we call you back on?"),
            ("oh eight oh three", "I have oh eight oh three. Is that right?"),
            ("yes", phrases::ASK_MESSAGE),
            ("Sorry?", phrases::SAY_AGAIN),
            ("My results are late", phrases::MESSAGE_KEPT),
        ] {
            history.ask(words);
            assert!(history.is_of_message(), "{words}");
            history.heard(heard);
        }
        history.ask("And when do you close?");
        assert!(!history.is_of_message());
        let all = shown(&history).join("\n");
        for private in ["Amina", "oh eight", "results"] {
            assert!(!all.contains(private), "{all}");
        }
        assert!(all.ends_with("And when do you close?"), "{all}");
    }

    #[test]
    fn a_message_that_the_caller_hears_nothing_of_leaves_the_model_its_questions() {
        let mut history = History::default();
        history.ask("Can I leave a message");
        history.take_message();
        history.abandon();
        history.ask("Can I leave a message or is Doctor Amina in today?");
        assert!(!history.is_of_message(), "the caller was not done");
        // This mind is tried beside another, whose answer is the one that is heard.
        history.take_message();
        history.heard("Yes, she is in.");
        history.abandon();
        history.ask("Until when?");
        assert!(!history.is_of_message(), "another mind answered");
        history.take_message();
        history.heard(phrases::NO_MESSAGES);
        history.ask("When do you close?");
        assert!(!history.is_of_message(), "none can be kept");
    }

    #[test]
    fn what_follows_an_answer_that_takes_a_message_is_of_it_before_a_word_is_heard() {
        let mut history = History::default();
        history.ask("Tell the boss that the pipe is broken");
        history.take_message();
        for words in ["I am", "I am Ngozi"] {
            history.ask(words);
            assert!(history.is_of_message(), "{words}");
        }
    }

    #[test]
    fn a_fault_of_the_boxs_own_ends_a_message_and_no_other_regret_does() {
        for fault in [phrases::OWN_FAULT, phrases::OWN_FAULT_NO_OFFER] {
            let mut history = History::default();
            history.heard(phrases::ASK_NAME);
            history.ask("Amina");
            history.heard("I am sorry, is that with one m?");
            history.ask("yes");
            assert!(history.is_of_message());
            history.heard(fault);
            history.ask("No, when do you close?");
            assert!(!history.is_of_message(), "{fault}");
        }
    }

    #[test]
    fn a_message_may_begin_with_a_question_that_is_cut_off() {
        let mut history = History::default();
        history.heard("I will take a message. May I");
        history.ask("Amina");
        assert!(history.is_of_message());
    }

    #[test]
    fn a_long_call_is_remembered_within_bounds() {
        let mut history = History::default();
        for n in 0..100 {
            history.ask(&format!("{n} {}", "x".repeat(3000)));
            history.made(&"y".repeat(500));
        }
        assert!(history.exchanges.len() <= EXCHANGES_MAX);
        assert!(history.exchanges.iter().map(Exchange::chars).sum::<usize>() <= CHARS_MAX + WORDS_MAX);
    }

    proptest! {
        #[test]
        fn turns_always_take_each_others_place(acts in prop::collection::vec((0u8..5, " ?[a-c?.]{0,4}"), 0..60)) {
            let mut history = History::default();
            for (act, text) in &acts {
                match act {
                    0 | 1 => history.ask(text),
                    2 => history.made(text),
                    3 => history.heard(text),
                    _ => history.abandon(),
                }
            }
            history.ask("last");
            let turns = history.turns(Some("told".to_owned()));
            prop_assert!(turns.first().is_some_and(|t| t.side == Side::Caller));
            prop_assert!(turns.last().is_some_and(|t| t.side == Side::Caller && t.parts.last() == Some(&Part::Told("told".to_owned()))));
            prop_assert!(turns.windows(2).all(|pair| pair[0].side != pair[1].side));
            let filled = |part: &Part| matches!(part, Part::Words(t) | Part::Told(t) if !t.trim().is_empty());
            prop_assert!(turns.iter().all(|t| !t.parts.is_empty() && t.parts.iter().all(filled)));
        }
    }
}
