use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::error::of_event;
use crate::speech::MindError;
use crate::speech::cloud::mind::{Decode, Delta, EventStream, ServerSent, Stop, TokensUsed, ToolAsked};
use crate::terms::Private;

/// Blocks that are open at the same time: the provider sends one after the
/// other, and this many are no answer.
const BLOCKS_MAX: usize = 16;

/// A tool's input, or a thought.
const BLOCK_MAX: usize = 256 * 1024;

/// The events of one streamed answer.
///
/// It takes bytes as they come, whatever their split, forgives what it does not
/// know (events, blocks and fields of a later version) and gives up at what is
/// no JSON or has no end.
#[derive(Debug, Default)]
pub struct AnswerEvents {
    stream: EventStream,
    /// The message has begun: nothing of it may come before that.
    begun: bool,
    blocks: BTreeMap<u64, Block>,
    used: TokensUsed,
    stop: Option<Stop>,
    /// Nothing more is read.
    over: bool,
}

#[derive(Debug)]
enum Block {
    Text,
    Tool {
        id: String,
        name: String,
        input: String,
        whole: Option<Value>,
    },
    Thought {
        text: String,
        signature: String,
    },
    /// A thought that only the provider can read.
    Sealed(Value),
    Other,
}

impl Decode for AnswerEvents {
    fn feed(&mut self, bytes: &[u8]) -> Vec<Delta> {
        let mut found = Vec::new();
        if self.over {
            return found;
        }
        let mut events = Vec::new();
        let fed = self.stream.feed(bytes, |event| events.push(event));
        for event in events {
            if !self.over {
                self.event(&event, &mut found);
            }
        }
        if fed.is_err() && !self.over {
            self.fail(MindError::Broken("the answer has a line without an end"), &mut found);
        }
        found
    }

    fn finish(&mut self) -> Vec<Delta> {
        let mut found = Vec::new();
        match self.stop {
            _ if self.over => {}
            // The last event may be lost when everything has been said.
            Some(stop) => self.end(stop, &mut found),
            None => self.fail(MindError::Broken("the answer breaks off"), &mut found),
        }
        found
    }
}

impl AnswerEvents {
    fn event(&mut self, event: &ServerSent, found: &mut Vec<Delta>) {
        let Ok(data) = serde_json::from_str::<Value>(&event.data) else {
            return self.fail(MindError::Broken("an event of the answer is no JSON"), found);
        };
        match data["type"].as_str().unwrap_or(&event.name) {
            "message_start" if self.begun => self.out_of_order(found),
            "message_start" => {
                self.begun = true;
                self.count(&data["message"]["usage"]);
            }
            "content_block_start" | "content_block_delta" | "content_block_stop" if !self.begun => {
                self.out_of_order(found);
            }
            "content_block_start" => self.begin(&data, found),
            "content_block_delta" => self.delta(&data, found),
            "content_block_stop" => self.complete(&data, found),
            "message_delta" => {
                self.count(&data["usage"]);
                if let Some(reason) = data["delta"]["stop_reason"].as_str() {
                    self.stop = Some(stop(reason));
                }
            }
            "message_stop" => self.end(self.stop.unwrap_or(Stop::End), found),
            "error" => self.fail(of_event(&data), found),
            // `ping`, and what later versions add.
            _ => {}
        }
    }

    /// The counts are of the whole answer so far, each time.
    fn count(&mut self, usage: &Value) {
        let set = |place: &mut u64, name: &str| {
            if let Some(n) = usage[name].as_u64() {
                *place = n;
            }
        };
        set(&mut self.used.input, "input_tokens");
        set(&mut self.used.output, "output_tokens");
        set(&mut self.used.cache_read, "cache_read_input_tokens");
        set(&mut self.used.cache_written, "cache_creation_input_tokens");
        if let Some(region) = usage["inference_geo"].as_str() {
            self.used.inference_geo = Some(region.chars().take(32).collect());
        }
    }

    fn begin(&mut self, data: &Value, found: &mut Vec<Delta>) {
        let (Some(index), given) = (data["index"].as_u64(), &data["content_block"]) else { return };
        let text = |name: &str| given[name].as_str().unwrap_or_default().to_owned();
        let block = match given["type"].as_str().unwrap_or_default() {
            "text" => {
                push_text(&given["text"], found);
                Block::Text
            }
            "tool_use" => {
                let whole = given["input"].as_object().filter(|o| !o.is_empty()).map(|_| given["input"].clone());
                Block::Tool { id: text("id"), name: text("name"), input: String::new(), whole }
            }
            "thinking" => {
                found.push(Delta::Thinking);
                Block::Thought { text: text("thinking"), signature: text("signature") }
            }
            "redacted_thinking" => {
                found.push(Delta::Thinking);
                Block::Sealed(given.clone())
            }
            _ => Block::Other,
        };
        if self.blocks.len() >= BLOCKS_MAX && !self.blocks.contains_key(&index) {
            return self.fail(MindError::Broken("the answer has too many blocks"), found);
        }
        self.blocks.insert(index, block);
    }

    fn delta(&mut self, data: &Value, found: &mut Vec<Delta>) {
        let delta = &data["delta"];
        let Some(block) = data["index"].as_u64().and_then(|index| self.blocks.get_mut(&index)) else {
            return self.out_of_order(found);
        };
        let kind = delta["type"].as_str().unwrap_or_default();
        let grow = |place: &mut String, name: &str| {
            place.push_str(delta[name].as_str().unwrap_or_default());
            place.len() <= BLOCK_MAX
        };
        let fits = match (block, kind) {
            (Block::Text, "text_delta") => {
                push_text(&delta["text"], found);
                true
            }
            (Block::Tool { input, .. }, "input_json_delta") => {
                found.push(Delta::ToolGrows);
                grow(input, "partial_json")
            }
            (Block::Thought { text, .. }, "thinking_delta") => {
                found.push(Delta::Thinking);
                grow(text, "thinking")
            }
            (Block::Thought { signature, .. }, "signature_delta") => grow(signature, "signature"),
            _ => true,
        };
        if !fits {
            self.fail(MindError::Broken("the answer has a block without an end"), found);
        }
    }

    fn complete(&mut self, data: &Value, found: &mut Vec<Delta>) {
        // The end of a block that never began has no words that could be lost.
        let Some(block) = data["index"].as_u64().and_then(|index| self.blocks.remove(&index)) else { return };
        match block {
            Block::Tool { id, name, input, whole } => {
                let given =
                    if input.is_empty() { whole.map_or_else(|| "{}".to_owned(), |v| v.to_string()) } else { input };
                found.push(Delta::Tool(ToolAsked { id, name, input: Private::new(given) }));
            }
            Block::Thought { text, signature } => {
                let thought = json!({ "type": "thinking", "thinking": text, "signature": signature });
                found.push(Delta::Thought(Private::new(thought.to_string())));
            }
            Block::Sealed(thought) => found.push(Delta::Thought(Private::new(thought.to_string()))),
            Block::Text | Block::Other => {}
        }
    }

    /// Words that come before their block, or after it, leave a sentence that may
    /// say something else: "open" where "not open" was written.
    fn out_of_order(&mut self, found: &mut Vec<Delta>) {
        self.fail(MindError::Broken("the answer's events are out of order"), found);
    }

    fn end(&mut self, stop: Stop, found: &mut Vec<Delta>) {
        self.over = true;
        found.extend([Delta::Used(self.used.clone()), Delta::Over(stop)]);
    }

    fn fail(&mut self, error: MindError, found: &mut Vec<Delta>) {
        self.over = true;
        // What was read is paid for, whatever came of it.
        if self.used != TokensUsed::default() {
            found.push(Delta::Used(self.used.clone()));
        }
        found.push(Delta::Failed(error));
    }
}

fn push_text(text: &Value, found: &mut Vec<Delta>) {
    if let Some(text) = text.as_str().filter(|t| !t.is_empty()) {
        found.push(Delta::Text(Private::new(text.to_owned())));
    }
}

fn stop(reason: &str) -> Stop {
    match reason {
        "tool_use" => Stop::Tools,
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "refusal" => Stop::Refusal,
        // `end_turn`, `stop_sequence`, `pause_turn`, and what is not known.
        _ => Stop::End,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CORPUS: [&str; 6] = [
        include_str!("../../../../fuzz/corpus/anthropic_events/plain"),
        include_str!("../../../../fuzz/corpus/anthropic_events/thinking-then-tool"),
        include_str!("../../../../fuzz/corpus/anthropic_events/refusal"),
        include_str!("../../../../fuzz/corpus/anthropic_events/error-after-200"),
        include_str!("../../../../fuzz/corpus/anthropic_events/cut-in-json"),
        include_str!("../../../../fuzz/corpus/anthropic_events/of-a-later-version"),
    ];

    const START: &str = "data: {\"type\":\"message_start\",\"message\":{}}\n\n";
    const TEXT: &str =
        "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
    const WORDS: &str = "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"open\"}}\n\n";
    const ENDS: &str = "data: {\"type\":\"content_block_stop\",\"index\":0}\n\n";
    const PING: &str = "data: {\"type\":\"ping\"}\n\n";
    const OVER: &str = "data: {\"type\":\"message_stop\"}\n\n";

    fn read(pieces: &[&[u8]]) -> Vec<Delta> {
        let mut events = AnswerEvents::default();
        let mut found: Vec<Delta> = pieces.iter().flat_map(|piece| events.feed(piece)).collect();
        found.extend(events.finish());
        found.retain(|delta| *delta != Delta::ToolGrows);
        found
    }

    #[test]
    fn what_is_asked_of_a_tool_is_a_sign_of_life_before_it_is_whole() {
        let begins = "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"look_up\"}}\n\n";
        let grows = "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\"}}\n\n";
        let mut events = AnswerEvents::default();
        assert_eq!(events.feed(START.as_bytes()), []);
        assert_eq!(events.feed(begins.as_bytes()), []);
        assert_eq!(events.feed(grows.as_bytes()), [Delta::ToolGrows]);
    }

    fn text_of(found: &[Delta]) -> String {
        let text = |delta: &Delta| match delta {
            Delta::Text(text) => Some(text.expose().clone()),
            _ => None,
        };
        found.iter().filter_map(text).collect()
    }

    #[test]
    fn a_plain_answer_is_its_text_and_what_it_used() {
        let found = read(&[CORPUS[0].as_bytes()]);
        assert_eq!(text_of(&found), "A malaria test is ₦3,500. The result is ready in thirty minutes.");
        let used = TokensUsed {
            input: 31,
            output: 24,
            cache_read: 5120,
            cache_written: 0,
            inference_geo: Some("us".to_owned()),
        };
        assert_eq!(found[found.len() - 2..], [Delta::Used(used), Delta::Over(Stop::End)]);
    }

    #[test]
    fn a_thought_comes_first_and_goes_back_as_it_came() {
        let found = read(&[CORPUS[1].as_bytes()]);
        assert_eq!(found[0], Delta::Thinking);
        let Some(Delta::Thought(thought)) = found.iter().find(|d| matches!(d, Delta::Thought(_))) else {
            panic!("{found:?}")
        };
        let thought: Value = serde_json::from_str(thought.expose()).unwrap();
        assert_eq!((thought["type"].as_str(), thought["signature"].as_str()), (Some("thinking"), Some("c2lnbmVk")));
        let Some(Delta::Tool(tool)) = found.iter().find(|d| matches!(d, Delta::Tool(_))) else { panic!("{found:?}") };
        let input: Value = serde_json::from_str(tool.input.expose()).unwrap();
        assert_eq!((tool.name.as_str(), input["day"].as_str()), ("opening_hours", Some("on Christmas")));
        assert_eq!(found.last(), Some(&Delta::Over(Stop::Tools)));
    }

    #[test]
    fn a_refusal_an_error_and_a_cut_are_told_apart() {
        assert_eq!(read(&[CORPUS[2].as_bytes()]).last(), Some(&Delta::Over(Stop::Refusal)));
        assert_eq!(read(&[CORPUS[3].as_bytes()]).last(), Some(&Delta::Failed(MindError::Busy { after: None })));
        let cut = read(&[CORPUS[4].as_bytes()]);
        assert_eq!(cut.last(), Some(&Delta::Failed(MindError::Broken("the answer breaks off"))));
        assert_eq!(text_of(&cut), "A malaria ");
    }

    #[test]
    fn what_a_later_version_adds_is_passed_over() {
        let found = read(&[CORPUS[5].as_bytes()]);
        assert_eq!(text_of(&found), "Hello.");
        assert_eq!(found.last(), Some(&Delta::Over(Stop::End)));
    }

    #[test]
    fn what_is_no_json_ends_it_once() {
        let found = read(&[b"data: {\"type\":\n\ndata: {}\n\n"]);
        assert_eq!(found, [Delta::Failed(MindError::Broken("an event of the answer is no JSON"))]);
    }

    #[test]
    fn words_out_of_their_order_end_the_answer_and_none_of_them_is_taken() {
        let told = |events: &[&str]| read(&events.iter().map(|event| event.as_bytes()).collect::<Vec<_>>());
        // A ping may come at any time.
        let whole = told(&[PING, START, TEXT, PING, WORDS, ENDS, OVER]);
        assert_eq!((text_of(&whole).as_str(), whole.last()), ("open", Some(&Delta::Over(Stop::End))));
        let disorder = Delta::Failed(MindError::Broken("the answer's events are out of order"));
        for events in [
            &[TEXT, START, WORDS, ENDS, OVER][..],
            &[WORDS, START, TEXT, ENDS, OVER],
            &[START, WORDS, TEXT, ENDS, OVER],
            &[START, TEXT, ENDS, WORDS, OVER],
            &[START, TEXT, START, WORDS, ENDS, OVER],
        ] {
            assert_eq!(told(events), std::slice::from_ref(&disorder), "{events:?}");
        }
    }

    #[test]
    fn a_block_without_an_end_is_given_up() {
        let start = "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"b\",\"input\":{}}}\n\n";
        let piece = format!(
            "data: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"input_json_delta\",\"partial_json\":\"{}\"}}}}\n\n",
            "x".repeat(100_000)
        );
        let pieces: Vec<&[u8]> =
            [START.as_bytes(), start.as_bytes()].into_iter().chain([piece.as_bytes(); 4]).collect();
        assert!(matches!(read(&pieces)[..], [Delta::Failed(MindError::Broken(_))]));
    }

    proptest! {
        #[test]
        fn any_split_of_an_answer_gives_the_same(which in 0usize..6, cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
            let bytes = CORPUS[which].as_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|c| c.index(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let mut from = 0;
            let mut pieces = Vec::new();
            for cut in cuts.into_iter().chain([bytes.len()]) {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            prop_assert_eq!(read(&pieces), read(&[bytes]));
        }

        #[test]
        fn an_answer_ends_once_whatever_becomes_of_its_bytes(which in 0usize..6, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = CORPUS[which].as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let found = read(&[&bytes]);
            let ends = found.iter().filter(|d| matches!(d, Delta::Over(_) | Delta::Failed(_))).count();
            prop_assert_eq!(ends, 1);
            prop_assert!(matches!(found.last(), Some(Delta::Over(_) | Delta::Failed(_))));
        }
    }
}
