use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::config::{Deadlines, Dialect};
use super::tools::Tool;
use crate::egress::HttpRequest;
use crate::residency::{Host, Party, Payload, Redact};

/// How long the provider may read the knowledge: nobody waits for it.
pub(super) const WARMING_MAX: Duration = Duration::from_secs(20);

/// What is said of a part that has nothing left when identifiers are gone: no
/// provider takes an empty one.
const NOTHING_LEFT: &str = "(left out)";

/// One question on its way out: everything that the request holds, in parts of
/// plain text, so that identifiers are taken out of words and not out of JSON.
#[derive(Clone)]
pub struct Ask {
    pub dialect: Arc<Dialect>,
    /// Whom it goes to, by the policy that the call is under.
    pub host: Host,
    pub purpose: Purpose,
    /// The instructions and the business's knowledge, the same for each call.
    pub knowledge: Arc<str>,
    /// The same for each call of a day.
    pub today: String,
    pub tools: Vec<Tool>,
    pub turns: Vec<Turn>,
    /// Where it is to be computed, if the policy asks for a place.
    pub region: Option<String>,
    /// Whether the business's own facts stay as they are when identifiers are
    /// taken out of the caller's words.
    pub facts: Facts,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// The provider reads the knowledge before there is a question.
    Warm,
    Answer,
    /// An answer without any more tools.
    LastAnswer,
}

impl Purpose {
    /// How long the beginning of its answer is waited for: some servers send it once
    /// they have read all that they were asked.
    pub const fn patience(self, deadlines: Deadlines) -> Duration {
        match self {
            Self::Warm => WARMING_MAX,
            Self::Answer | Self::LastAnswer => deadlines.first_token,
        }
    }
}

/// What the policy says of the business's own facts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Facts {
    Stay,
    AreRedactedToo,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Caller,
    Model,
}

/// What one side says in one go.
#[derive(Clone, PartialEq, Eq)]
pub struct Turn {
    pub side: Side,
    pub parts: Vec<Part>,
}

#[derive(Clone, PartialEq, Eq)]
pub enum Part {
    /// What was said, by the caller or by the box.
    Words(String),
    /// What the box tells the model: the time, its own finding.
    Told(String),
    /// A thought of the model, as the provider's JSON. It belongs to its turn as the
    /// model wrote it, and goes with no other.
    Thought(String),
    Use {
        id: String,
        name: String,
        /// Names and values of the input.
        input: Vec<(String, String)>,
    },
    Result {
        id: String,
        text: String,
        refused: bool,
    },
}

impl Part {
    fn redacted(self, redact: &dyn Redact, facts: Facts) -> Option<Self> {
        let words = |text: String| or_nothing(redact.redact(&text));
        let fact = |text: String| if facts == Facts::Stay { text } else { words(text) };
        Some(match self {
            // With the others, by `Ask::redact_words`.
            Self::Words(text) => Self::Words(text),
            Self::Told(text) => Self::Told(fact(text)),
            // It may repeat the caller's words, and bears a signature over them: it
            // goes as it is or not at all.
            Self::Thought(json) => return is_clean(&json, redact).then_some(Self::Thought(json)),
            Self::Use { id, name, input } => {
                Self::Use { id, name, input: input.into_iter().map(|(name, value)| (name, words(value))).collect() }
            }
            Self::Result { id, text, refused } => Self::Result { id, text: fact(text), refused },
        })
    }
}

/// What only the provider can read, who wrote it.
const SEALS: [&str; 2] = ["signature", "data"];

/// Whether no text of a piece of JSON holds an identifier, its seals apart.
fn is_clean(json: &str, redact: &dyn Redact) -> bool {
    fn all_are(value: &serde_json::Value, redact: &dyn Redact) -> bool {
        match value {
            serde_json::Value::String(text) => redact.redact(text) == *text,
            serde_json::Value::Array(values) => values.iter().all(|value| all_are(value, redact)),
            serde_json::Value::Object(values) => {
                values.iter().all(|(name, value)| SEALS.contains(&name.as_str()) || all_are(value, redact))
            }
            _ => true,
        }
    }
    serde_json::from_str(json).is_ok_and(|value| all_are(&value, redact))
}

fn or_nothing(text: String) -> String {
    if text.trim().is_empty() { NOTHING_LEFT.to_owned() } else { text }
}

impl Ask {
    /// What both sides said is one conversation: a number may be split over it.
    fn redact_words(&mut self, redact: &dyn Redact) {
        let words = |turn: &mut Turn| {
            let party = if turn.side == Side::Caller { Party::Caller } else { Party::Box };
            let parts = std::mem::take(&mut turn.parts);
            (party, parts)
        };
        let taken: Vec<(Party, Vec<Part>)> = self.turns.iter_mut().map(words).collect();
        let said: Vec<(Party, &str)> = taken
            .iter()
            .flat_map(|(party, parts)| parts.iter().map(move |part| (*party, part)))
            .filter_map(|(party, part)| if let Part::Words(text) = part { Some((party, text.as_str())) } else { None })
            .collect();
        let mut redacted = redact.redact_turns(&said).into_iter();
        for (turn, (_, parts)) in self.turns.iter_mut().zip(taken) {
            let part = |part: Part| match part {
                // Fewer than were given would be a fault: then nothing is said.
                Part::Words(_) => Part::Words(or_nothing(redacted.next().unwrap_or_default())),
                other => other,
            };
            turn.parts = parts.into_iter().map(part).collect();
        }
    }
}

impl Payload for Ask {
    fn redacted(mut self, redact: &dyn Redact) -> Option<Self> {
        let written = self.turns.clone();
        self.redact_words(redact);
        for (turn, written) in self.turns.iter_mut().zip(written) {
            let parts = std::mem::take(&mut turn.parts);
            turn.parts = parts.into_iter().filter_map(|part| part.redacted(redact, self.facts)).collect();
            if *turn != written {
                turn.parts.retain(|part| !matches!(part, Part::Thought(_)));
            }
        }
        if self.facts == Facts::AreRedactedToo {
            self.knowledge = redact.redact(&self.knowledge).into();
            self.today = redact.redact(&self.today);
        }
        Some(self)
    }
}

impl From<Ask> for HttpRequest {
    fn from(ask: Ask) -> Self {
        let dialect = Arc::clone(&ask.dialect);
        dialect.request(&ask)
    }
}

/// It holds a caller's words.
impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask").field("purpose", &self.purpose).field("turns", &self.turns.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
impl Ask {
    /// For tests of how a question is written.
    pub fn for_tests() -> Self {
        use crate::residency::DestinationId;
        use crate::speech::cloud::openai::OpenAiConfig;
        let (id, host) = (DestinationId::parse("lan-mind").unwrap(), Host::parse("mind.lan").unwrap());
        Self {
            dialect: Arc::new(Dialect::OpenAi(OpenAiConfig::new(id, host.clone(), "m".to_owned()))),
            host,
            purpose: Purpose::Answer,
            knowledge: "".into(),
            today: String::new(),
            tools: vec![],
            turns: vec![],
            region: None,
            facts: Facts::Stay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoDigits;

    impl Redact for NoDigits {
        fn redact(&self, text: &str) -> String {
            text.chars().filter(|c| !c.is_ascii_digit()).collect()
        }
    }

    fn ask(facts: Facts) -> Ask {
        let part = |text: &str| text.to_owned();
        Ask {
            knowledge: "WhatsApp 0803".into(),
            today: "On the 23rd".to_owned(),
            facts,
            turns: vec![Turn {
                side: Side::Caller,
                parts: vec![
                    Part::Words(part("my card is 5061")),
                    Part::Words(part("5061")),
                    Part::Told(part("It is 10:00.")),
                    Part::Thought(part("{\"thinking\":\"5061\"}")),
                    Part::Use { id: part("t1"), name: part("look_up"), input: vec![(part("q1"), part("card 5061"))] },
                    Part::Result { id: part("t1"), text: part("It costs 15000."), refused: false },
                ],
            }],
            ..Ask::for_tests()
        }
    }

    #[test]
    fn identifiers_are_taken_out_of_words_and_structure_stays() {
        let redacted = ask(Facts::Stay).redacted(&NoDigits).unwrap();
        let parts = &redacted.turns[0].parts;
        let owned = |text: &str| text.to_owned();
        assert!(parts[0] == Part::Words(owned("my card is ")));
        assert!(parts[1] == Part::Words(owned(NOTHING_LEFT)), "an empty part is refused by providers");
        assert!(parts[2] == Part::Told(owned("It is 10:00.")));
        assert!(
            parts[3]
                == Part::Use { id: owned("t1"), name: owned("look_up"), input: vec![(owned("q1"), owned("card "))] }
        );
        assert!(parts[4] == Part::Result { id: owned("t1"), text: owned("It costs 15000."), refused: false });
        assert_eq!((parts.len(), &*redacted.knowledge), (5, "WhatsApp 0803"));
    }

    #[test]
    fn a_turn_goes_with_its_thoughts_as_it_was_written_or_without_them() {
        let thought = |text: &str| Part::Thought(format!("{{\"thinking\":\"{text}\",\"signature\":\"a5061\"}}"));
        let words = |text: &str| Part::Words(text.to_owned());
        let uses = |value: &str| {
            let input = vec![("q".to_owned(), value.to_owned())];
            Part::Use { id: "t1".to_owned(), name: "look_up".to_owned(), input }
        };
        let redacted = |parts: &[Part]| {
            let asked = Turn { side: Side::Caller, parts: vec![words("my card is 5061")] };
            let turns = vec![asked, Turn { side: Side::Model, parts: parts.to_vec() }];
            Ask { turns, ..Ask::for_tests() }.redacted(&NoDigits).unwrap().turns[1].parts.clone()
        };
        let clean = [thought("A card?"), words("Let me look.\n"), uses("cards")];
        assert!(redacted(&clean) == clean, "what the caller said before it is another turn");
        for changed in [
            vec![thought("A card?"), words("Is it 5061?"), uses("cards")],
            vec![thought("A card?"), words("Let me look."), uses("card 5061")],
            vec![thought("A card?"), thought("5061?"), words("Let me look."), uses("cards")],
        ] {
            let left = redacted(&changed);
            assert!(matches!(left[..], [Part::Words(_), Part::Use { .. }]), "{} parts", left.len());
        }
    }

    #[test]
    fn the_whole_conversation_is_looked_at_together() {
        struct OfTurns;
        impl Redact for OfTurns {
            fn redact(&self, text: &str) -> String {
                text.to_owned()
            }
            fn redact_turns(&self, turns: &[(Party, &str)]) -> Vec<String> {
                turns.iter().enumerate().map(|(n, (party, _))| format!("{n} {party:?}")).collect()
            }
        }
        let turn = |side, words: &str| Turn { side, parts: vec![Part::Words(words.to_owned())] };
        let turns = vec![turn(Side::Caller, "0803"), turn(Side::Model, "Yes?"), turn(Side::Caller, "1234567")];
        let redacted = Ask { turns, ..Ask::for_tests() }.redacted(&OfTurns).unwrap();
        let words: Vec<&Part> = redacted.turns.iter().flat_map(|turn| &turn.parts).collect();
        let said = ["0 Caller", "1 Box", "2 Caller"].map(|text| Part::Words(text.to_owned()));
        assert!(words.into_iter().eq(said.iter()));
    }

    #[test]
    fn the_businesss_own_facts_are_redacted_where_the_policy_says_so() {
        let redacted = ask(Facts::AreRedactedToo).redacted(&NoDigits).unwrap();
        assert_eq!((&*redacted.knowledge, redacted.today.as_str()), ("WhatsApp ", "On the rd"));
        let written = HttpRequest::from(redacted);
        let body = String::from_utf8(written.body.into_exposed()).unwrap();
        assert!(!body.contains("5061") && !body.contains("0803") && !body.contains("15000"), "{body}");
    }

    #[test]
    fn a_question_does_not_print() {
        assert!(!format!("{:?}", ask(Facts::Stay)).contains("5061"));
    }
}
