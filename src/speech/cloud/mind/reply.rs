use std::sync::Arc;

use jiff::ZonedDateTime;

use super::delta::{Delta, Stop, ToolAsked};
use super::sentences::{Ends, Piece, Sentences, Verdicts, left_unsaid};
use super::tools::is_read_whole;
use crate::knowledge::facts::{Allowed, FactKind, Judgement, KnownFacts};
use crate::knowledge::{Finding, Spoken, as_spoken};
use crate::speech::MindError;
use crate::terms::Private;

/// Characters of one answer. More is a speech; it ends after the sentence.
const SAID_MAX: usize = 1200;

/// Bytes that a model may write in one round: some twenty minutes of speech, more than
/// ten times what of an answer is said. Cutting it into sentences and judging them waits
/// for nothing, so that neither a deadline nor a caller who hangs up would end it.
const WRITTEN_MAX: usize = 16 * 1024;

/// Tools that one answer may use at once.
const TOOLS_MAX: usize = 4;

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Say(Spoken),
    /// A sentence was held back, for a fact of this kind.
    HeldBack(FactKind),
    /// The provider cut the answer in its middle, after some of it was said.
    CutShort(Stop),
    /// The tools are to be used, and what they say asked with.
    UseTools(Vec<ToolAsked>),
    /// The answer is over. Nothing follows.
    Over(Option<Finding>),
    /// Nothing follows.
    Fail(MindError),
}

/// One answer as it forms: from what the model writes to what may be said.
pub struct Reply {
    sentences: Sentences,
    allowed: Allowed,
    finding: Option<Finding>,
    /// The part of the current sentence that was said ahead.
    ahead: String,
    /// All that was said of this answer.
    said: String,
    /// How much of it was said before tools were used: "Let me look" is no answer.
    said_at_tools: usize,
    /// What the model wrote and used in this round, for the next one.
    round: Round,
    has_used_tools: bool,
    over: bool,
}

/// What a model did before it asked for tools.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Round {
    pub thoughts: Vec<Private<String>>,
    pub text: String,
    pub tools: Vec<ToolAsked>,
    /// A tool was left out, or something came after what stands behind it here.
    differs: bool,
}

impl Round {
    /// Whether a turn of these thoughts, words and tools, one after the other, is the
    /// turn that the model wrote.
    pub fn is_as_written(&self) -> bool {
        // Blank words are refused by providers, and left out.
        let has_blank_words = !self.text.is_empty() && self.text.trim().is_empty();
        !self.differs && !has_blank_words && self.tools.iter().all(is_read_whole)
    }
}

impl Reply {
    pub fn new(known: Arc<KnownFacts>, now: &ZonedDateTime, question: &str, finding: Option<Finding>) -> Self {
        let of_hours = matches!(&finding, Some(Finding::Answer(a)) if a.entry.as_deref() == Some("hours"));
        let allowed = Allowed::new(known, now, question, finding.as_ref());
        let verdicts = if of_hours { Verdicts::Held } else { Verdicts::Free };
        let sentences = match &finding {
            Some(Finding::Answer(own)) => Sentences::quoting(own.text.expose(), verdicts),
            _ => Sentences::new(verdicts),
        };
        Self {
            sentences,
            allowed,
            finding,
            ahead: String::new(),
            said: String::new(),
            said_at_tools: 0,
            round: Round::default(),
            has_used_tools: false,
            over: false,
        }
    }

    /// Whether tools were used for this answer.
    pub const fn has_used_tools(&self) -> bool {
        self.has_used_tools
    }

    /// What a tool answered may be said from here on.
    pub fn tool_said(&mut self, text: &str) {
        self.allowed.tool_said(text);
    }

    /// Whether a text that the model wrote for somebody names only what is known.
    pub fn may_write(&mut self, text: &str) -> bool {
        !matches!(self.allowed.judge(text), Judgement::Unknown(_))
    }

    /// What the model did since it was asked last.
    pub fn take_round(&mut self) -> Round {
        std::mem::take(&mut self.round)
    }

    pub fn take(&mut self, delta: Delta) -> Vec<Step> {
        let mut steps = Vec::new();
        match delta {
            _ if self.over => {}
            // What it cost is told to the books where it is read.
            Delta::Thinking | Delta::ToolGrows | Delta::Used(_) => {}
            Delta::Thought(thought) => {
                self.round.differs |= !self.round.text.is_empty() || !self.round.tools.is_empty();
                self.round.thoughts.push(thought);
            }
            Delta::Text(text) if self.round.text.len() + text.expose().len() > WRITTEN_MAX => {
                self.fail(MindError::Broken("the answer is longer than anybody listens to"), &mut steps);
            }
            Delta::Text(text) => {
                self.round.differs |= !self.round.tools.is_empty();
                self.round.text.push_str(text.expose());
                for piece in self.sentences.push(text.expose()) {
                    self.piece(&piece, &mut steps);
                }
            }
            Delta::Tool(tool) => {
                if self.round.tools.len() < TOOLS_MAX {
                    self.round.tools.push(tool);
                } else {
                    self.round.differs = true;
                }
            }
            Delta::Over(stop) => self.end(stop, &mut steps),
            Delta::Failed(error) => {
                self.over = true;
                steps.push(Step::Fail(error));
            }
        }
        steps
    }

    fn piece(&mut self, piece: &Piece, steps: &mut Vec<Step>) {
        if self.over {
            return;
        }
        let whole = format!("{}{}{}", self.ahead, if self.ahead.is_empty() { "" } else { " " }, piece.text);
        match piece.ends {
            Ends::Clause => self.ahead = whole,
            Ends::Sentence => {
                self.ahead.clear();
                if let Judgement::Unknown(kind) = self.allowed.judge(&whole) {
                    steps.push(Step::HeldBack(kind));
                    return self.replace(steps);
                }
            }
        }
        self.say(as_spoken(&piece.text), steps);
        if self.said.len() > SAID_MAX && self.ahead.is_empty() {
            self.finish(None, steps);
        }
    }

    fn say(&mut self, text: String, steps: &mut Vec<Step>) {
        if !self.said.is_empty() {
            self.said.push(' ');
        }
        self.said.push_str(&text);
        steps.push(Step::Say(Spoken { text: Private::new(text), entry: None }));
    }

    fn finish(&mut self, then: Option<Finding>, steps: &mut Vec<Step>) {
        self.over = true;
        steps.push(Step::Over(then));
    }

    /// The box's own words instead of the model's. Where the model has said some of
    /// them, which it is asked to use, the rest.
    fn replace(&mut self, steps: &mut Vec<Step>) {
        match self.finding.take() {
            Some(Finding::Answer(own)) => {
                if let Some(left) = left_unsaid(own.text.expose(), &self.said) {
                    steps.push(Step::Say(Spoken { text: Private::new(left), entry: own.entry }));
                }
                self.finish(None, steps);
            }
            Some(maybe @ Finding::Maybe(_)) => self.finish(Some(maybe), steps),
            // "I am sorry, I do not know that. Would you like to leave a message …?"
            _ => self.finish(Some(Finding::Unknown), steps),
        }
    }

    /// Whether nothing was said since tools were used, or at all.
    const fn says_nothing(&self) -> bool {
        self.said.len() == self.said_at_tools
    }

    fn end(&mut self, stop: Stop, steps: &mut Vec<Step>) {
        match stop {
            Stop::End | Stop::Tools => {
                if let Some(rest) = self.sentences.rest() {
                    self.piece(&rest, steps);
                }
                if self.over {
                    // The rest was held back.
                } else if !self.round.tools.is_empty() {
                    self.has_used_tools = true;
                    self.said_at_tools = self.said.len();
                    steps.push(Step::UseTools(self.round.tools.clone()));
                    self.sentences = Sentences::new(Verdicts::Held);
                } else if self.says_nothing() {
                    self.fail(MindError::Broken("the answer says nothing"), steps);
                } else {
                    self.finish(None, steps);
                }
            }
            // The sentence that was begun has no end: what was said before it stands.
            Stop::Length | Stop::Refusal if !self.ahead.is_empty() => {
                steps.push(Step::CutShort(stop));
                self.replace(steps);
            }
            Stop::Length | Stop::Refusal if !self.says_nothing() => {
                steps.push(Step::CutShort(stop));
                self.finish(None, steps);
            }
            Stop::Length => self.fail(MindError::Broken("the answer has no whole sentence"), steps),
            Stop::Refusal => self.fail(MindError::Declined, steps),
        }
    }

    fn fail(&mut self, error: MindError, steps: &mut Vec<Step>) {
        self.over = true;
        steps.push(Step::Fail(error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::{KnowledgeBase, KnowledgeIndex, Recollection};
    use jiff::civil::datetime;
    use jiff::tz::TimeZone;

    fn reply(question: &str) -> Reply {
        let text = include_str!("../../../../firmware-config/knowledge/clinic.toml");
        let index = KnowledgeIndex::new(KnowledgeBase::parse("clinic.toml", text).unwrap(), None);
        let now =
            datetime(2026, 11, 23, 10, 0, 0, 0).to_zoned_datetime(TimeZone::get("Africa/Lagos").unwrap()).unwrap();
        let finding = index.find(question, &[], &Recollection::default(), &now).finding;
        Reply::new(Arc::new(KnownFacts::new(index.base())), &now, question, Some(finding))
    }

    fn text(text: &str) -> Delta {
        Delta::Text(Private::new(text.to_owned()))
    }

    fn tool(name: &str) -> Delta {
        Delta::Tool(ToolAsked { id: "t1".to_owned(), name: name.to_owned(), input: Private::default() })
    }

    fn steps(question: &str, deltas: Vec<Delta>) -> Vec<String> {
        let mut reply = reply(question);
        let mut steps = Vec::new();
        for delta in deltas {
            steps.extend(reply.take(delta));
            if matches!(steps.last(), Some(Step::UseTools(_))) {
                // As whoever uses them does.
                reply.take_round();
            }
        }
        let show = |step: &Step| match step {
            Step::Say(spoken) => format!("say {}", spoken.text.expose()),
            Step::UseTools(tools) => format!("use {}", tools.len()),
            other => format!("{other:?}"),
        };
        steps.iter().map(show).collect()
    }

    #[test]
    fn sentences_go_out_as_they_form_with_their_numbers_in_words() {
        let deltas =
            vec![text("The test is ₦3,5"), text("00. You wait thirty"), text(" minutes."), Delta::Over(Stop::End)];
        let expected =
            ["say The test is three thousand, five hundred naira.", "say You wait thirty minutes.", "Over(None)"];
        assert_eq!(steps("How much is a malaria test?", deltas), expected);
    }

    #[test]
    fn a_wrong_fact_is_never_said_and_the_boxs_own_words_are() {
        let deltas =
            vec![text("For that malaria test you pay, "), text("well, ₦5,000. Come at nine."), Delta::Over(Stop::End)];
        let expected = [
            "HeldBack(Price)",
            "say Yes, we test for malaria here. The test is three thousand, five hundred naira and the result is ready in thirty minutes.",
            "Over(None)",
        ];
        let found = steps("How much is a malaria test?", deltas);
        assert_eq!(found[found.len() - 3..], expected, "{found:?}");
        assert!(found.len() <= 4 && !found.concat().contains("nine"));
    }

    #[test]
    fn hours_are_judged_with_the_days_that_stand_behind_them() {
        let deltas = vec![text("We open from 8 a.m. to 6 p.m."), text(" Monday to Saturday. Welcome!")];
        assert_eq!(steps("What are your opening hours?", deltas)[0], "HeldBack(Time)");
        let deltas = vec![text("We open from 8 a.m. to 6 p.m."), text(" Monday to Friday. Welcome!")];
        let expected = "say We open from eight in the morning to six in the evening Monday to Friday.";
        assert_eq!(steps("What are your opening hours?", deltas)[0], expected);
    }

    #[test]
    fn a_sentence_of_the_boxs_own_is_not_said_again_where_its_words_replace_the_models() {
        let (first, wrong) = (text("Yes, we test for malaria here. "), text("A malaria test is ₦5,000. "));
        let rest = "The test is three thousand, five hundred naira and the result is ready in thirty minutes. ";
        let say_rest = format!("say {}", rest.trim_end());
        let said = ["say Yes, we test for malaria here.", say_rest.as_str()];
        let asked = "How much is a malaria test?";
        let found = steps(asked, vec![first.clone(), wrong.clone()]);
        assert_eq!(found, [said[0], "HeldBack(Price)", said[1], "Over(None)"]);
        let after_a_tool = vec![first.clone(), tool("opening_hours"), Delta::Over(Stop::Tools), wrong.clone()];
        assert_eq!(steps(asked, after_a_tool), [said[0], "use 1", "HeldBack(Price)", said[1], "Over(None)"]);
        let nothing_left = vec![first, text(rest), wrong];
        assert_eq!(steps(asked, nothing_left), [said[0], said[1], "HeldBack(Price)", "Over(None)"]);
    }

    #[test]
    fn without_words_of_its_own_the_box_offers_a_message() {
        let deltas = vec![text("We have twelve ambulances for that. "), Delta::Over(Stop::End)];
        assert_eq!(steps("Who won the football match?", deltas), ["HeldBack(Number)", "Over(Some(Unknown))"]);
    }

    #[test]
    fn what_breaks_off_ends_after_its_last_whole_sentence_and_is_told() {
        for stop in [Stop::Length, Stop::Refusal] {
            let deltas = vec![text("Yes, we test for malaria here. It costs you three thou"), Delta::Over(stop)];
            let cut = format!("CutShort({stop:?})");
            let expected = ["say Yes, we test for malaria here.", cut.as_str(), "Over(None)"];
            assert_eq!(steps("Malaria test?", deltas), expected);
        }
        assert_eq!(steps("Malaria test?", vec![text("I can"), Delta::Over(Stop::Refusal)]), ["Fail(Declined)"]);
        let cut = steps("Malaria test?", vec![text("Well the test"), Delta::Over(Stop::Length)]);
        assert_eq!(cut, ["Fail(Broken(\"the answer has no whole sentence\"))"]);
    }

    #[test]
    fn what_the_box_would_answer_itself_is_said_whole_although_it_breaks_off() {
        let deltas = vec![text("The test is three thousand, five"), Delta::Over(Stop::Length)];
        let found = steps("How much is a malaria test?", deltas);
        let whole = "say The test is three thousand, five hundred naira and the result is ready in thirty minutes.";
        assert_eq!(found, [whole, "CutShort(Length)", "Over(None)"]);
    }

    #[test]
    fn a_clause_that_went_ahead_is_not_left_hanging() {
        let deltas = vec![text("Our laboratory does blood tests, and it"), Delta::Over(Stop::Length)];
        let found = steps("What blood tests does your laboratory do?", deltas);
        assert_eq!(found[0], "say Our laboratory does blood tests,");
        assert_eq!(found[1], "CutShort(Length)");
        assert!(found[2].starts_with("say Our laboratory does blood, urine and sugar tests"), "{found:?}");
        assert_eq!(found[3..], ["Over(None)"]);
    }

    #[test]
    fn tools_are_used_after_what_was_said_before_them() {
        let deltas = vec![Delta::Thinking, text("Let me look."), tool("opening_hours"), Delta::Over(Stop::Tools)];
        assert_eq!(steps("Are you open at Easter?", deltas), ["say Let me look.", "use 1"]);
    }

    #[test]
    fn what_was_said_before_tools_is_no_answer_after_them() {
        for (stop, failure) in [
            (Stop::End, "Fail(Broken(\"the answer says nothing\"))"),
            (Stop::Length, "Fail(Broken(\"the answer has no whole sentence\"))"),
            (Stop::Refusal, "Fail(Declined)"),
        ] {
            let used = vec![text("Let me look."), tool("opening_hours"), Delta::Over(Stop::Tools)];
            let found = steps("Are you open at Easter?", [used, vec![Delta::Over(stop)]].concat());
            assert_eq!(found, ["say Let me look.", "use 1", failure]);
        }
    }

    #[test]
    fn a_round_is_as_written_where_nothing_of_it_is_left_out_or_stands_elsewhere() {
        let thought = || Delta::Thought(Private::new("{}".to_owned()));
        let uses = |input: &str| {
            let input = Private::new(input.to_owned());
            Delta::Tool(ToolAsked { id: "t1".to_owned(), name: "opening_hours".to_owned(), input })
        };
        let is_as_written = |deltas: Vec<Delta>| {
            let mut reply = reply("Are you open at Easter?");
            for delta in deltas {
                reply.take(delta);
            }
            reply.take_round().is_as_written()
        };
        assert!(is_as_written(vec![thought(), thought(), uses("{}")]));
        assert!(is_as_written(vec![thought(), text("Let me"), text(" look.\n"), uses("{}"), uses("{}")]));
        assert!(!is_as_written(vec![text("Let me look."), thought(), uses("{}")]));
        assert!(!is_as_written(vec![thought(), uses("{}"), thought()]));
        assert!(!is_as_written(vec![thought(), uses("{}"), text("Let me look.")]));
        assert!(!is_as_written(vec![thought(), text(" \n"), uses("{}")]), "no words go back");
        assert!(!is_as_written(vec![thought(), uses("{\"day\":3}")]), "a text goes back");
        assert!(!is_as_written(vec![uses("{}"); TOOLS_MAX + 1]), "one is left out");
    }

    #[test]
    fn an_answer_of_nothing_is_a_failure() {
        assert_eq!(
            steps("Hm?", vec![text(" \n"), Delta::Over(Stop::End)]),
            ["Fail(Broken(\"the answer says nothing\"))"]
        );
        let broken = steps("Hm?", vec![Delta::Failed(MindError::Unreachable), text("more")]);
        assert_eq!(broken, ["Fail(Unreachable)"]);
    }

    #[test]
    fn a_speech_is_ended() {
        let deltas = vec![text(&"We are glad that you ring us. ".repeat(100)), Delta::Over(Stop::End)];
        let found = steps("Hm?", deltas);
        assert!(found.len() < 60 && found.last().is_some_and(|s| s == "Over(None)"), "{}", found.len());
    }

    #[test]
    fn an_answer_longer_than_anybody_listens_to_fails_before_it_is_cut() {
        let failure = "Fail(Broken(\"the answer is longer than anybody listens to\"))";
        let sentence = "We are glad that you ring us. ";
        let at_once = text(&sentence.repeat(WRITTEN_MAX / sentence.len() + 1));
        assert_eq!(steps("Hm?", vec![at_once, text(sentence), Delta::Over(Stop::End)]), [failure]);
        // Of what has no words nothing is said, which would end it.
        let (half, rest) = (text(&"! ".repeat(WRITTEN_MAX / 4)), text("Yes"));
        let in_pieces = vec![half.clone(), half.clone(), rest.clone(), text(sentence)];
        assert_eq!(steps("Hm?", in_pieces), [failure]);
        let after_tools = vec![half.clone(), tool("opening_hours"), Delta::Over(Stop::Tools), half, rest];
        assert_eq!(steps("Hm?", after_tools), ["use 1"], "each round has its own");
    }
}
