//! Short conversations, told to a call input by input: what the mind is asked, what it
//! learns that the caller heard, and what is taken back from it.

mod behind;
mod one_moment;
mod secrets;

use super::super::trust::Confidence;
use super::*;
use crate::call::Handset;
use crate::knowledge::{KnowledgeBase, MenuChoice, Spoken};
use crate::terms::HandsetId;

const QUESTION: &str = "How much is the malaria test";
const WHOLE_QUESTION: &str = "How much is the malaria test and the typhoid test?";
const ANSWER: &str = "Unfortunately we do not test for malaria.";
const TAKEN_BACK: &str = "(taken back)";
const SURE: f32 = -0.2;
const DOUBTFUL: f32 = -0.9;
const GUESSED: f32 = -1.4;

fn spoken(text: &str) -> Spoken {
    Spoken { text: Private::new(text.to_owned()), entry: None }
}

fn facts() -> CallFacts {
    CallFacts {
        id: CallId::from_parts(1, [7; 10]),
        line: LineId::parse("front-desk").expect("a name"),
        from: None,
        offered_at: Moment::START,
        started_at: Timestamp::UNIX_EPOCH,
        business: "Ikeja Clinic".to_owned(),
        greeting: "Good day.".to_owned(),
        country_code: "234".to_owned(),
        recorded: Recorded::No,
        texts: Texts::Impossible,
        ears: Ears::Listening,
        consent: Consent::NotNeeded,
        keeps: Keeps::Promises,
        engines: Engines::default(),
        menu: KeypadMenu {
            keys: vec![('1', MenuChoice::Topic(crate::knowledge::Topic::Hours))],
            spoken: spoken("For our opening hours, press one."),
        },
        handsets: Handsets::default(),
    }
}

/// A call, the time, and what the call has wanted so far.
struct Conversation {
    call: Call,
    now: Moment,
    wanted: Vec<Output>,
}

/// How the mind gives its answer.
#[derive(Clone, Copy, Debug)]
enum Gives {
    AtOnce,
    InSentences,
}

impl Conversation {
    /// The caller has been asked how to help.
    fn begun() -> Self {
        let mut conversation = Self { call: Call::new(facts()), now: Moment::START, wanted: Vec::new() };
        conversation.call.accept(conversation.now);
        conversation.tell(Input::Answered { at: conversation.now });
        // The notice, and "How can I help you?".
        conversation.play_all();
        conversation.play_all();
        conversation.wanted.clear();
        conversation
    }

    fn tell(&mut self, input: Input) {
        self.call.handle(input, self.now);
        self.take_wanted();
    }

    fn take_wanted(&mut self) {
        while let Some(output) = self.call.poll() {
            self.wanted.push(output);
        }
    }

    fn pass(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        while let Some((due, _)) = self.call.deadline().filter(|(due, _)| *due <= until) {
            self.now = self.now.max(due);
            self.call.handle_deadline(self.now);
            self.take_wanted();
        }
        self.now = until;
    }

    /// The sentence that the call wanted said last.
    fn last_said(&self) -> (UtteranceId, String) {
        let of_sentence = |output: &Output| match output {
            Output::Say { utterance, speech } => Some((*utterance, speech.text.expose().clone())),
            _ => None,
        };
        self.wanted.iter().rev().find_map(of_sentence).expect("a sentence")
    }

    fn utterance_of(&self, text: &str) -> UtteranceId {
        let is_it = |output: &&Output| matches!(output, Output::Say { speech, .. } if speech.text.expose() == text);
        match self.wanted.iter().find(is_it) {
            Some(Output::Say { utterance, .. }) => *utterance,
            _ => panic!("{text:?} is not to be said"),
        }
    }

    fn begin_playing(&mut self) -> UtteranceId {
        let (utterance, _) = self.last_said();
        self.tell(Input::UtteranceStarted { utterance, at: self.now });
        utterance
    }

    fn play_all(&mut self) {
        let utterance = self.begin_playing();
        self.pass(2000);
        self.tell(Input::UtteranceFinished { utterance, played_ms: 2000, at: self.now });
        self.pass(500);
    }

    fn pass_until_said(&mut self, text: &str) {
        // The longest pause that can end a turn, and some more.
        for _ in 0..30 {
            if self.wants_said(text) {
                return;
            }
            self.pass(100);
        }
        panic!("{text:?} is not said");
    }

    fn wants_said(&self, text: &str) -> bool {
        let is_it = |output: &Output| matches!(output, Output::Say { speech, .. } if speech.text.expose() == text);
        self.wanted.iter().any(is_it)
    }

    /// The pause of the caller has lasted: their turn is over.
    fn pass_until_over(&mut self) {
        // The longest pause that can end a turn, and some more.
        for _ in 0..3000 {
            if self.call.pending.is_some() {
                return;
            }
            self.pass(1);
        }
        panic!("the turn does not end");
    }

    /// The wait for the mind was felt.
    fn hears_one_moment(&mut self) {
        self.pass_until_said(phrases::ONE_MOMENT);
        let utterance = self.begin_playing();
        self.pass(800);
        self.tell(Input::UtteranceFinished { utterance, played_ms: 800, at: self.now });
    }

    /// The caller says something, and the pause after it is reported.
    fn speaks(&mut self, words: &str, mean_log_probability: f32) -> RequestId {
        let request = self.makes_a_sound();
        self.is_heard(request, words, mean_log_probability);
        request
    }

    /// The caller says something that the ears are still at.
    fn makes_a_sound(&mut self) -> RequestId {
        self.sounds(900);
        *self.decoded().last().expect("a decode")
    }

    fn sounds(&mut self, ms: u64) {
        let began = self.now;
        self.pass(60);
        self.tell(Input::SpeechStarted { at: began });
        self.pass(ms);
        let ended = self.now;
        self.pass(200);
        self.tell(Input::SpeechPaused { at: ended });
    }

    /// Of which pauses the ears were asked for the words.
    fn decoded(&self) -> Vec<RequestId> {
        let of_decode = |output: &Output| match output {
            Output::Decode { request } => Some(*request),
            _ => None,
        };
        self.wanted.iter().filter_map(of_decode).collect()
    }

    /// Of how many turns the ears were told that they begin.
    fn turns_begun(&self) -> usize {
        self.wanted.iter().filter(|output| matches!(output, Output::TurnBegan { .. })).count()
    }

    fn is_heard(&mut self, request: RequestId, words: &str, mean_log_probability: f32) {
        let confidence = Confidence { mean_log_probability, no_speech: 0.05, compression: 1.2, repeats: false };
        let words = Private::new(words.to_owned());
        self.tell(Input::Heard { request, words, confidence, engine: "ears", took: Duration::ZERO });
    }

    fn finds(&mut self, request: RequestId, finding: Finding) {
        self.tell(Input::Found { request, finding, engine: "mind", took: Duration::ZERO });
    }

    fn answer(&mut self, request: RequestId, gives: Gives) {
        let (spoken, engine, took) = (spoken(ANSWER), "mind", Duration::ZERO);
        match gives {
            Gives::AtOnce => self.finds(request, Finding::Answer(spoken)),
            Gives::InSentences => {
                self.tell(Input::Sentence { request, spoken, engine, took });
                self.tell(Input::AnswerOver { request, then: None });
            }
        }
    }

    /// What stands in the record.
    fn turns(&self) -> Vec<&str> {
        self.call.turns.iter().map(|turn| turn.text.expose().as_str()).collect()
    }

    /// What the mind has been told.
    fn of_mind(&self) -> Vec<&str> {
        let told = self.wanted.iter().filter_map(|output| match output {
            Output::Ask { words, .. } => Some(words.expose().as_str()),
            Output::AskTopic { .. } => Some("(a key)"),
            Output::AbandonAsk => Some(TAKEN_BACK),
            Output::Said(text) => Some(text.expose().as_str()),
            _ => None,
        });
        told.collect()
    }
}

#[test]
fn an_answer_that_was_complete_before_the_caller_went_on_is_taken_back() {
    for gives in [Gives::AtOnce, Gives::InSentences] {
        let mut conversation = Conversation::begun();
        let request = conversation.speaks(QUESTION, SURE);
        conversation.answer(request, gives);
        conversation.speaks(WHOLE_QUESTION, SURE);
        assert_eq!(conversation.of_mind(), [QUESTION, TAKEN_BACK, WHOLE_QUESTION], "{gives:?}");
    }
}

#[test]
fn an_answer_that_is_said_is_not_taken_back() {
    for gives in [Gives::AtOnce, Gives::InSentences] {
        let mut conversation = Conversation::begun();
        let request = conversation.speaks(QUESTION, SURE);
        conversation.answer(request, gives);
        conversation.pass(600);
        assert_eq!(conversation.last_said().1, ANSWER);
        conversation.play_all();
        conversation.speaks(WHOLE_QUESTION, SURE);
        assert_eq!(conversation.of_mind(), [QUESTION, ANSWER, WHOLE_QUESTION], "{gives:?}");
    }
}

#[test]
fn an_answer_to_words_that_are_read_back_is_taken_back() {
    for gives in [Gives::AtOnce, Gives::InSentences] {
        let mut conversation = Conversation::begun();
        let request = conversation.speaks(QUESTION, DOUBTFUL);
        conversation.answer(request, gives);
        conversation.pass(600);
        assert_eq!(conversation.last_said().1, phrases::read_back(QUESTION));
        assert_eq!(conversation.of_mind(), [QUESTION, TAKEN_BACK], "{gives:?}");
    }
}

#[test]
fn a_question_that_a_key_replaced_takes_nothing_back_when_the_caller_goes_on() {
    let mut conversation = Conversation::begun();
    conversation.speaks(QUESTION, SURE);
    conversation.tell(Input::Digit { at: conversation.now, digit: '1' });
    conversation.speaks(WHOLE_QUESTION, SURE);
    assert_eq!(conversation.of_mind(), [QUESTION, TAKEN_BACK, "(a key)"], "the key is still to be answered");
}

#[test]
fn words_that_a_key_in_their_pause_replaced_are_asked_again_once_their_turn_is_over() {
    let key = RequestId(u32::MAX);
    for answered in [true, false] {
        let mut conversation = Conversation::begun();
        let request = conversation.speaks(QUESTION, SURE);
        conversation.tell(Input::Digit { at: conversation.now, digit: '1' });
        if answered {
            conversation.answer(key, Gives::AtOnce);
        }
        conversation.pass(600);
        let expected: &[&str] = if answered {
            &[QUESTION, TAKEN_BACK, "(a key)", QUESTION]
        } else {
            &[QUESTION, TAKEN_BACK, "(a key)", TAKEN_BACK, QUESTION]
        };
        assert_eq!(conversation.of_mind(), expected);
        conversation.answer(request, Gives::AtOnce);
        assert_eq!(conversation.last_said().1, ANSWER);
        assert!(conversation.call.pending.is_none() && !conversation.call.failed);
    }
}

#[test]
fn a_mind_that_is_silent_to_the_words_after_a_key_leaves_nobody_waiting() {
    let mut conversation = Conversation::begun();
    conversation.tell(Input::Digit { at: conversation.now, digit: '1' });
    conversation.speaks(QUESTION, SURE);
    conversation.pass(600);
    assert_eq!(conversation.of_mind(), ["(a key)", TAKEN_BACK, QUESTION]);
    // What comes of the key now is of a question that was replaced.
    conversation.answer(RequestId(u32::MAX), Gives::AtOnce);
    conversation.pass(9000);
    assert_eq!(conversation.of_mind(), ["(a key)", TAKEN_BACK, QUESTION, TAKEN_BACK]);
    assert_eq!(conversation.last_said().1, phrases::OWN_FAULT);
    assert!(conversation.call.pending.is_none());
}

#[test]
fn an_okay_while_the_mind_is_at_work_costs_nobody_the_answer() {
    for (listens, trust) in [
        ("Okay", SURE),
        ("Mm-hm", SURE),
        ("Mumble mumble", GUESSED),
        ("Okay, thank you.", SURE),
        ("Hello?", SURE),
        ("Hello, can you hear me?", SURE),
    ] {
        for gives in [Gives::AtOnce, Gives::InSentences] {
            let mut conversation = Conversation::begun();
            let request = conversation.speaks(QUESTION, SURE);
            conversation.hears_one_moment();
            conversation.speaks(listens, trust);
            conversation.pass(1200);
            assert_eq!(conversation.of_mind(), [QUESTION, phrases::ONE_MOMENT], "{listens}");
            conversation.answer(request, gives);
            assert_eq!(conversation.last_said().1, ANSWER, "{listens}, {gives:?}");
            conversation.play_all();
            let turns = conversation.turns();
            let asked = turns.iter().position(|text| *text == QUESTION).expect("the question is in the record");
            assert!(turns[asked..].contains(&ANSWER), "{turns:?}");
        }
    }
}

#[test]
fn an_answer_that_was_waited_out_is_timed_from_the_end_of_its_question() {
    for gives in [Gives::AtOnce, Gives::InSentences] {
        let mut conversation = Conversation::begun();
        let request = conversation.speaks(QUESTION, SURE);
        let asked = conversation.now;
        conversation.hears_one_moment();
        conversation.speaks("Okay", SURE);
        conversation.pass(1200);
        conversation.answer(request, gives);
        let waited = conversation.now.ms_since(asked);
        conversation.play_all();
        let answer = conversation.call.turns.iter().find(|turn| turn.text.expose() == ANSWER).expect("it was said");
        assert!(answer.latency.voice_to_voice_ms.is_some_and(|ms| ms >= waited), "{gives:?}: {:?}", answer.latency);
        assert!(answer.latency.respond_first_ms.is_some_and(|ms| ms > 1400), "{gives:?}: {:?}", answer.latency);
    }
}

#[test]
fn what_is_more_than_an_okay_while_the_mind_is_at_work_is_asked_in_place_of_what_was() {
    for more in ["Where are you?", "Hello, where are you?", "Okay, thank you, bye.", "Can I speak to somebody?"] {
        let mut conversation = Conversation::begun();
        let earlier = conversation.speaks(QUESTION, SURE);
        conversation.hears_one_moment();
        let request = conversation.speaks(more, SURE);
        conversation.pass(600);
        assert_eq!(conversation.of_mind(), [QUESTION, phrases::ONE_MOMENT, TAKEN_BACK, more]);
        conversation.answer(earlier, Gives::AtOnce);
        assert_ne!(conversation.last_said().1, ANSWER, "nobody asks that any more");
        conversation.answer(request, Gives::AtOnce);
        assert_eq!(conversation.last_said().1, ANSWER);
    }
}

#[test]
fn a_wish_while_the_mind_is_at_work_is_followed_and_costs_nobody_the_answer() {
    for gives in [Gives::AtOnce, Gives::InSentences] {
        let mut conversation = Conversation::begun();
        let request = conversation.speaks(QUESTION, SURE);
        conversation.hears_one_moment();
        conversation.speaks("Don't record me.", SURE);
        conversation.pass_until_said(phrases::NOT_RECORDED);
        assert!(conversation.call.is_unrecorded());
        assert_eq!(conversation.of_mind(), [QUESTION, phrases::ONE_MOMENT]);
        conversation.answer(request, gives);
        assert_eq!(conversation.last_said().1, ANSWER, "{gives:?}");
    }
}

#[test]
fn a_wish_that_goes_on_is_heard_again_and_leaves_the_mind_at_what_it_was_asked() {
    let mut conversation = Conversation::begun();
    let request = conversation.speaks(QUESTION, SURE);
    conversation.hears_one_moment();
    conversation.speaks("Don't record me.", SURE);
    conversation.pass_until_said(phrases::NOT_RECORDED);
    conversation.speaks("Don't record me, please.", SURE);
    assert_eq!(conversation.of_mind(), [QUESTION, phrases::ONE_MOMENT]);
    conversation.answer(request, Gives::AtOnce);
    assert_eq!(conversation.last_said().1, ANSWER);
}

#[test]
fn a_question_beside_a_wish_is_asked_in_place_of_what_was() {
    let mut conversation = Conversation::begun();
    conversation.speaks(QUESTION, SURE);
    conversation.hears_one_moment();
    conversation.speaks("Don't record me. Where are you now?", SURE);
    conversation.pass_until_said(phrases::NOT_RECORDED);
    let expected = [QUESTION, phrases::ONE_MOMENT, TAKEN_BACK, "Where are you now?"];
    assert_eq!(conversation.of_mind(), expected);
}

#[test]
fn a_mind_that_stays_silent_after_an_okay_leaves_nobody_waiting() {
    let mut conversation = Conversation::begun();
    conversation.speaks(QUESTION, SURE);
    conversation.hears_one_moment();
    conversation.speaks("Okay", SURE);
    conversation.pass(9000);
    assert_eq!(conversation.of_mind(), [QUESTION, phrases::ONE_MOMENT, TAKEN_BACK]);
    assert_eq!(conversation.last_said().1, phrases::OWN_FAULT);
    assert!(!conversation.call.is_at_a_question());
}

#[test]
fn a_yes_from_before_the_answer_is_no_yes_to_what_the_answer_asks() {
    for words_first in [true, false] {
        let mut conversation = Conversation::begun();
        let question = conversation.speaks(QUESTION, SURE);
        conversation.hears_one_moment();
        let okay = conversation.makes_a_sound();
        conversation.pass(1200);
        if words_first {
            conversation.is_heard(okay, "Okay", SURE);
        }
        conversation.finds(question, Finding::Unknown);
        assert!(conversation.last_said().1.contains(phrases::UNKNOWN));
        if !words_first {
            conversation.is_heard(okay, "Okay", SURE);
        }
        assert_eq!(conversation.of_mind(), [QUESTION, phrases::ONE_MOMENT]);
        assert!(matches!(conversation.call.stage, Stage::Conversing(Topic::OfferMessage)));
        conversation.play_all();
        // The one that follows the offer is the answer to it.
        let yes = conversation.speaks("Yes", SURE);
        conversation.pass(600);
        conversation.finds(yes, Finding::Yes);
        assert!(matches!(conversation.call.stage, Stage::Conversing(Topic::Message(_))), "{words_first}");
    }
}

#[test]
fn a_caller_who_goes_on_from_an_okay_is_heard_once_and_asked_in_place_of_what_was() {
    const GOES_ON: &str = "Okay, and where are you?";
    let mut conversation = Conversation::begun();
    conversation.speaks(QUESTION, SURE);
    conversation.hears_one_moment();
    conversation.speaks("Okay", SURE);
    conversation.pass(800);
    let request = conversation.speaks(GOES_ON, SURE);
    conversation.pass(600);
    assert_eq!(conversation.of_mind(), [QUESTION, phrases::ONE_MOMENT, TAKEN_BACK, GOES_ON]);
    conversation.answer(request, Gives::AtOnce);
    assert_eq!(conversation.last_said().1, ANSWER);
    conversation.play_all();
    let turns = conversation.turns();
    let asked = turns.iter().position(|text| *text == QUESTION).expect("the question is in the record");
    assert!(!turns[asked..].contains(&"Okay"), "{turns:?}");
    assert!(turns[asked..].contains(&GOES_ON), "{turns:?}");
}

#[test]
fn a_caller_on_hold_after_an_okay_is_not_left_waiting_for_a_mind_that_is_silent() {
    let mut conversation = Conversation::begun();
    conversation.speaks(QUESTION, SURE);
    conversation.hears_one_moment();
    conversation.speaks("Okay", SURE);
    conversation.pass(800);
    conversation.tell(Input::SpeechStarted { at: conversation.now });
    conversation.tell(Input::Held { at: conversation.now });
    conversation.pass(500);
    conversation.tell(Input::Resumed { at: conversation.now });
    conversation.pass(9000);
    assert_eq!(conversation.last_said().1, phrases::OWN_FAULT);
    assert!(!conversation.call.is_at_a_question());
}

#[test]
fn who_asked_for_time_and_then_for_a_person_is_put_through() {
    let text = "business = \"Ikeja Clinic\"\n[[person]]\nname = \"Doctor Bello\"\n\
                number = \"0803 123 4567\"\nring = \"always\"\n";
    let base = KnowledgeBase::parse("clinic.toml", text).expect("the file is good");
    let id = HandsetId::parse("reception").expect("a name");
    let reception = Handset { id, people: Vec::new(), rings: Duration::from_secs(20) };
    for by_key in [true, false] {
        let mut conversation = Conversation::begun();
        conversation.call.facts.handsets = Handsets::new(std::slice::from_ref(&reception), &base).expect("one");
        let request = conversation.speaks("Please wait a little", SURE);
        conversation.pass(600);
        conversation.finds(request, Finding::Wait);
        conversation.play_all();
        if by_key {
            conversation.tell(Input::Digit { at: conversation.now, digit: '0' });
        } else {
            let request = conversation.speaks("Can I speak to somebody?", SURE);
            conversation.hears_one_moment();
            conversation.speaks("Mm-hm", SURE);
            conversation.pass(600);
            conversation.finds(request, Finding::Person { name: None });
        }
        conversation.play_all();
        let rings = |output: &Output| matches!(output, Output::PutThrough { .. });
        assert!(conversation.wanted.iter().any(rings), "by key: {by_key}");
    }
}

#[test]
fn an_answer_that_was_heard_is_not_taken_back_with_a_later_turn_of_which_nothing_was_asked() {
    let mut conversation = Conversation::begun();
    let request = conversation.speaks(QUESTION, SURE);
    conversation.answer(request, Gives::AtOnce);
    conversation.pass_until_said(ANSWER);
    conversation.play_all();
    conversation.speaks("Mumble mumble", GUESSED);
    conversation.pass_until_said(phrases::SAY_AGAIN);
    conversation.speaks(WHOLE_QUESTION, SURE);
    assert_eq!(conversation.of_mind(), [QUESTION, ANSWER, WHOLE_QUESTION]);
}

#[test]
fn a_turn_that_goes_on_before_its_answer_sounds_takes_it_back_once() {
    for gives in [Gives::AtOnce, Gives::InSentences] {
        let mut conversation = Conversation::begun();
        let request = conversation.speaks(QUESTION, SURE);
        conversation.answer(request, gives);
        conversation.pass_until_said(ANSWER);
        conversation.speaks(WHOLE_QUESTION, SURE);
        assert_eq!(conversation.of_mind(), [QUESTION, TAKEN_BACK, WHOLE_QUESTION], "{gives:?}");
    }
}

#[test]
fn what_a_confirmation_asked_is_taken_back_with_it() {
    let mut conversation = Conversation::begun();
    let request = conversation.speaks(QUESTION, DOUBTFUL);
    conversation.answer(request, Gives::AtOnce);
    conversation.pass_until_said(&phrases::read_back(QUESTION));
    conversation.play_all();
    let yes = conversation.speaks("Yes", SURE);
    conversation.tell(Input::Found { request: yes, finding: Finding::Yes, engine: "mind", took: Duration::ZERO });
    conversation.pass(600);
    conversation.answer(RequestId(u32::MAX), Gives::AtOnce);
    conversation.pass_until_said(ANSWER);
    conversation.speaks("Yes or no", SURE);
    let read_back = phrases::read_back(QUESTION);
    let expected = [QUESTION, TAKEN_BACK, read_back.as_str(), "Yes", QUESTION, TAKEN_BACK, "Yes or no"];
    assert_eq!(conversation.of_mind(), expected);
}

/// A conversation in which an answer in sentences is complete and about to sound.
fn about_to_answer() -> Conversation {
    let mut conversation = Conversation::begun();
    let request = conversation.speaks(QUESTION, SURE);
    conversation.answer(request, Gives::InSentences);
    conversation.pass(600);
    assert_eq!(conversation.last_said().1, ANSWER);
    conversation
}

#[test]
fn a_complete_answer_that_is_cut_before_its_first_word_was_heard_is_taken_back() {
    let mut conversation = about_to_answer();
    conversation.begin_playing();
    conversation.pass(100);
    conversation.speaks(WHOLE_QUESTION, SURE);
    assert_eq!(conversation.of_mind(), [QUESTION, TAKEN_BACK, WHOLE_QUESTION]);
}

#[test]
fn a_complete_answer_of_which_some_was_heard_is_not_taken_back() {
    let mut conversation = about_to_answer();
    let utterance = conversation.begin_playing();
    conversation.pass(1500);
    conversation.tell(Input::UtteranceProgress { utterance, played_ms: 1500, at: conversation.now });
    conversation.speaks(WHOLE_QUESTION, SURE);
    let of_mind = conversation.of_mind();
    let [QUESTION, heard, WHOLE_QUESTION] = of_mind[..] else { panic!("{of_mind:?}") };
    assert!(heard.starts_with("Unfortunately") && heard.len() < ANSWER.len(), "{heard}");
}

#[test]
fn a_complete_answer_that_a_key_stops_before_it_sounds_is_taken_back() {
    let mut conversation = about_to_answer();
    conversation.tell(Input::Digit { at: conversation.now, digit: '1' });
    assert_eq!(conversation.of_mind(), [QUESTION, TAKEN_BACK, "(a key)"]);
}
