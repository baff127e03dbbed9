use std::fmt;
use std::sync::Arc;

use jiff::ZonedDateTime;
use serde_json::{Value, json};

use super::delta::ToolAsked;
use crate::call::Texts;
use crate::knowledge::{Finding, KnowledgeIndex, Recollection, Spoken, Written, as_spoken};
use crate::speech::onbox::KnowledgeMind;
use crate::terms::Private;

/// What a model may ask the box to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tool {
    LookUp,
    OpeningHours,
    TakeMessage,
    PutThrough,
    SendSms,
    EndCall,
}

/// A value of a tool's input. The longest is the text of an SMS.
const VALUE_MAX: usize = 500;

impl Tool {
    pub const ALL: [Self; 6] =
        [Self::LookUp, Self::OpeningHours, Self::TakeMessage, Self::PutThrough, Self::SendSms, Self::EndCall];

    pub const fn name(self) -> &'static str {
        match self {
            Self::LookUp => "look_up_knowledge",
            Self::OpeningHours => "opening_hours",
            Self::TakeMessage => "take_message",
            Self::PutThrough => "put_through",
            Self::SendSms => "send_sms",
            Self::EndCall => "end_call",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    /// What the model is told of it.
    pub const fn purpose(self) -> &'static str {
        match self {
            Self::LookUp => {
                "Looks a question up in what the business knows, for when the text above does not settle it. \
                 Gives the business's own answer, or says that there is none."
            }
            Self::OpeningHours => {
                "Says exactly whether and when the business is open on a day or at a time, holidays considered. \
                 Use it for any day or time that you cannot read off the text above."
            }
            Self::TakeMessage => {
                "Takes a message from the caller, who is then asked for a name, a number and the message. \
                 Call it, without saying anything, as soon as the caller wants to leave a message or to be called back, \
                 or says yes when you offer it."
            }
            Self::PutThrough => {
                "Asks for a person of the business to come to the telephone. Call it, without saying anything, when \
                 the caller wants to speak to somebody."
            }
            Self::SendSms => {
                "Sends a short text message to the number that the caller rings from. Call it, without saying anything, \
                 only when the caller asks for it or agrees to it; the box itself says that the message comes."
            }
            Self::EndCall => {
                "Ends the call after a goodbye, which the box says itself. Only when the caller has said goodbye or \
                 that there is nothing else."
            }
        }
    }

    /// The JSON schema of its input: an object of texts.
    pub fn schema(self) -> Value {
        let (name, meaning, required) = match self {
            Self::LookUp => ("question", "The question, whole, in plain English.", true),
            Self::OpeningHours => (
                "day",
                "The day, and the time if one is asked: 'on Saturday', 'tomorrow at six', 'on 25 December'.",
                true,
            ),
            Self::PutThrough => ("person", "The name or the role of the person; empty for anybody.", false),
            Self::SendSms => ("text", "What the message says, at most two sentences.", true),
            Self::TakeMessage | Self::EndCall => {
                return json!({ "type": "object", "properties": {}, "additionalProperties": false });
            }
        };
        let required: &[&str] = if required { &[name] } else { &[] };
        json!({
            "type": "object",
            "properties": { name: { "type": "string", "description": meaning } },
            "required": required,
            "additionalProperties": false,
        })
    }
}

/// A tool's input as names and values, whatever the model wrote: what is no
/// text is left out, and a value has its bound.
pub(super) fn input_of(asked: &ToolAsked) -> Vec<(String, String)> {
    let input: Value = serde_json::from_str(asked.input.expose()).unwrap_or_default();
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.chars().take(VALUE_MAX).collect()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let fields = input.as_object().into_iter().flatten();
    fields.filter_map(|(name, value)| Some((name.chars().take(40).collect(), text(value)?))).take(8).collect()
}

/// Whether the names and values of an input are all that the model wrote.
pub(super) fn is_read_whole(asked: &ToolAsked) -> bool {
    let read = input_of(asked).into_iter().map(|(name, value)| (name, Value::String(value)));
    let read = Value::Object(read.collect());
    serde_json::from_str::<Value>(asked.input.expose()).is_ok_and(|written| written == read)
}

/// What came of a tool.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolOutcome {
    /// This is told to the model, which goes on with it.
    Told(Private<String>),
    /// The model is done; this is done instead, once what it said has been heard.
    Then(Finding),
    /// It could not be done; the model is told why.
    Refused(&'static str),
}

/// The box's hands. Nothing here waits.
pub trait Tools: Send + Sync {
    /// Which tools the model may use in each call.
    fn offered(&self) -> Vec<Tool>;

    /// Uses one. `input` is the value that its schema names; empty if it has none.
    fn run(&self, tool: Tool, input: &Private<String>, now: &ZonedDateTime) -> ToolOutcome;
}

/// Whoever has what the business knows.
pub trait Knows: Send + Sync {
    fn index(&self) -> &KnowledgeIndex;
}

impl Knows for KnowledgeIndex {
    fn index(&self) -> &KnowledgeIndex {
        self
    }
}

impl Knows for KnowledgeMind {
    fn index(&self) -> &KnowledgeIndex {
        Self::index(self)
    }
}

/// The tools as the box has them: answers from its own knowledge, and what the
/// call's own dialogue does (messages, texts, persons, goodbyes). None of them
/// does anything itself: the caller may go on, or another mind may answer.
pub struct BoxTools {
    knows: Arc<dyn Knows>,
    texts: Texts,
}

impl BoxTools {
    /// Where `texts` are impossible none is offered.
    pub const fn new(knows: Arc<dyn Knows>, texts: Texts) -> Self {
        Self { knows, texts }
    }

    fn look_up(&self, question: &str, now: &ZonedDateTime) -> ToolOutcome {
        let found = self.knows.index().find(question, &[], &Recollection::default(), now);
        let told = |text: String| ToolOutcome::Told(Private::new(text));
        match found.finding {
            Finding::Answer(spoken) => ToolOutcome::Told(spoken.text),
            Finding::Maybe(guess) => told(format!("Perhaps this, if it fits: {}", guess.answer.text.expose())),
            _ => ToolOutcome::Refused("The business has written nothing on this. Offer to take a message."),
        }
    }

    fn hours(&self, day: &str, now: &ZonedDateTime) -> ToolOutcome {
        let base = self.knows.index().base();
        if !base.hours.are_stated() {
            return ToolOutcome::Refused("The business has not said when it is open. Offer to take a message.");
        }
        self.look_up(&format!("are you open {day}"), now)
    }

    fn text(&self, text: &Private<String>) -> ToolOutcome {
        let text = text.expose().trim();
        if self.texts == Texts::Impossible {
            return ToolOutcome::Refused("No text message can be sent.");
        }
        if text.is_empty() {
            return ToolOutcome::Refused("The message is empty.");
        }
        let aloud = Spoken { text: Private::new(as_spoken(text)), entry: None };
        let name = &self.knows.index().base().name;
        let text = if text.contains(name) { text.to_owned() } else { format!("{name}: {text}") };
        ToolOutcome::Then(Finding::TextMe(Some(Written { text: Private::new(text), aloud })))
    }
}

impl Tools for BoxTools {
    fn offered(&self) -> Vec<Tool> {
        Tool::ALL.into_iter().filter(|tool| *tool != Tool::SendSms || self.texts == Texts::Possible).collect()
    }

    fn run(&self, tool: Tool, input: &Private<String>, now: &ZonedDateTime) -> ToolOutcome {
        match tool {
            Tool::LookUp => self.look_up(input.expose(), now),
            Tool::OpeningHours => self.hours(input.expose(), now),
            Tool::TakeMessage => ToolOutcome::Then(Finding::LeaveMessage),
            Tool::PutThrough => {
                let person = self.knows.index().base().person(input.expose());
                ToolOutcome::Then(Finding::Person { name: person.map(|p| as_spoken(&p.name)) })
            }
            Tool::SendSms => self.text(input),
            Tool::EndCall => ToolOutcome::Then(Finding::Goodbye),
        }
    }
}

impl fmt::Debug for BoxTools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxTools").field("texts", &self.texts).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::KnowledgeBase;
    use jiff::civil::datetime;
    use jiff::tz::TimeZone;

    fn tools(texts: Texts) -> BoxTools {
        let text = include_str!("../../../../firmware-config/knowledge/clinic.toml");
        let index = KnowledgeIndex::new(KnowledgeBase::parse("clinic.toml", text).unwrap(), None);
        BoxTools::new(Arc::new(index), texts)
    }

    fn run(tools: &BoxTools, tool: Tool, input: &str) -> ToolOutcome {
        let zone = TimeZone::get("Africa/Lagos").unwrap();
        let now = datetime(2026, 11, 23, 10, 0, 0, 0).to_zoned_datetime(zone).unwrap();
        tools.run(tool, &Private::new(input.to_owned()), &now)
    }

    fn told(outcome: &ToolOutcome) -> &str {
        match outcome {
            ToolOutcome::Told(text) => text.expose(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn questions_are_answered_with_the_businesss_own_words() {
        let tools = tools(Texts::Impossible);
        let price = run(&tools, Tool::LookUp, "How much is a malaria test?");
        assert!(told(&price).contains("three thousand, five hundred naira"), "{price:?}");
        assert!(matches!(run(&tools, Tool::LookUp, "Who won the football match?"), ToolOutcome::Refused(_)));
        let christmas = run(&tools, Tool::OpeningHours, "on 25 December");
        assert!(told(&christmas).starts_with("No, we are closed"), "{christmas:?}");
        assert!(told(&run(&tools, Tool::OpeningHours, "")).contains("open now"));
    }

    #[test]
    fn what_the_calls_own_dialogue_does_ends_the_answer() {
        let tools = tools(Texts::Impossible);
        assert_eq!(run(&tools, Tool::TakeMessage, ""), ToolOutcome::Then(Finding::LeaveMessage));
        assert_eq!(run(&tools, Tool::EndCall, ""), ToolOutcome::Then(Finding::Goodbye));
        let amina = Finding::Person { name: Some("Doctor Amina Bello".to_owned()) };
        assert_eq!(run(&tools, Tool::PutThrough, "the paediatrician"), ToolOutcome::Then(amina));
        assert_eq!(run(&tools, Tool::PutThrough, ""), ToolOutcome::Then(Finding::Person { name: None }));
    }

    #[test]
    fn a_text_message_is_offered_only_where_one_can_be_sent_and_is_the_calls_to_send() {
        let none = tools(Texts::Impossible);
        assert!(!none.offered().contains(&Tool::SendSms));
        assert!(matches!(run(&none, Tool::SendSms, "Hello"), ToolOutcome::Refused(_)));
        let post = tools(Texts::Possible);
        assert!(post.offered().contains(&Tool::SendSms));
        assert!(matches!(run(&post, Tool::SendSms, "  "), ToolOutcome::Refused(_)));
        match run(&post, Tool::SendSms, "A scan is ₦10,000.") {
            ToolOutcome::Then(Finding::TextMe(Some(Written { text, aloud }))) => {
                assert!(text.expose().ends_with(": A scan is ₦10,000."), "it says whose it is: {}", text.expose());
                assert!(aloud.text.expose().contains("ten thousand naira"), "{}", aloud.text.expose());
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_input_is_read_whatever_the_model_wrote() {
        let asked = |input: &str| ToolAsked { id: String::new(), name: String::new(), input: input.to_owned().into() };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(input_of(&asked("{\"day\":\"today\",\"n\":3,\"x\":[1]}")), [pair("day", "today"), pair("n", "3")]);
        for wrong in ["", "[]", "{\"day\":", "null"] {
            assert_eq!(input_of(&asked(wrong)), [], "{wrong}");
        }
        let long = format!("{{\"day\":\"{}\"}}", "x".repeat(5000));
        assert_eq!(input_of(&asked(&long))[0].1.len(), VALUE_MAX);
        for whole in ["{}", "{ \"day\": \"today\" }"] {
            assert!(is_read_whole(&asked(whole)), "{whole}");
        }
        for other in ["", "[]", "{\"day\":", "{\"n\":3}", "{\"day\":\"today\",\"x\":[1]}", long.as_str()] {
            assert!(!is_read_whole(&asked(other)), "{other}");
        }
    }
}
