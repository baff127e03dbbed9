//! One answer of the mind, as a message and as the stream of its events.

use std::time::Duration;

use serde_json::{Value, json};

use super::mind_answer::Answer;
use super::mind_cache::{CacheUse, tokens};
use super::mind_request::{MessagesRequest, Thinking, signature};

/// Words of one delta.
const DELTA_WORDS: usize = 2;

/// A thought that has its fact already.
const THOUGHT: &str = "The caller asks for something that I was told. I will answer in one short sentence.";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    EndTurn,
    ToolUse,
    MaxTokens,
    Sequence(String),
    Refusal,
}

impl Stop {
    const fn reason(&self) -> &'static str {
        match self {
            Self::EndTurn => "end_turn",
            Self::ToolUse => "tool_use",
            Self::MaxTokens => "max_tokens",
            Self::Sequence(_) => "stop_sequence",
            Self::Refusal => "refusal",
        }
    }

    fn sequence(&self) -> Value {
        if let Self::Sequence(text) = self { json!(text) } else { Value::Null }
    }

    fn details(&self) -> Value {
        if *self == Self::Refusal {
            json!({ "type": "refusal", "category": "general_harms", "explanation": "A stand-in was told to refuse." })
        } else {
            Value::Null
        }
    }
}

/// What is cut off an answer beyond its own end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cutting {
    None,
    Refusal,
    MaxTokens,
}

struct Thought {
    text: String,
    signature: String,
}

pub struct Reply {
    id: String,
    model: String,
    geo: String,
    thought: Option<Thought>,
    text: String,
    /// Id, name and input.
    tool: Option<(String, String, Value)>,
    stop: Stop,
    cache: CacheUse,
}

/// An event, and when it is due after the first.
pub struct Timed {
    pub event: Value,
    /// Tokens that are written before it.
    pub after_tokens: u64,
    /// Whether it may go out before the first token.
    pub is_early: bool,
}

impl Reply {
    pub fn new(
        id: String,
        tool_id: String,
        request: &MessagesRequest,
        answer: Answer,
        thinking: Thinking,
        cache: CacheUse,
        cutting: Cutting,
    ) -> Self {
        let (text, stop) = ended(answer.text, request, cutting);
        let is_whole = matches!(stop, Stop::EndTurn);
        let tool = answer.tool.filter(|_| is_whole).map(|call| (tool_id, call.name, call.input));
        let stop = if tool.is_some() { Stop::ToolUse } else { stop };
        let thought = (thinking != Thinking::None && request.max_tokens > 0).then(|| {
            let thought = if thinking == Thinking::Shown { THOUGHT } else { "" };
            let input = tool.as_ref().map(|(.., input)| input);
            Thought { signature: signature(thought, &text, input), text: thought.to_owned() }
        });
        let (model, geo) = (request.model.clone(), request.inference_geo.clone());
        Self { id, model, geo, thought, text, tool, stop, cache }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    fn output_tokens(&self) -> u64 {
        let tool = self.tool.as_ref().map_or(0, |(_, name, input)| tokens(name) + tokens(&input.to_string()));
        self.thinking_tokens() + tokens(&self.text) + tool
    }

    fn thinking_tokens(&self) -> u64 {
        if self.thought.is_some() { tokens(THOUGHT) } else { 0 }
    }

    fn usage(&self, output: u64) -> Value {
        json!({
            "input_tokens": self.cache.plain,
            "cache_creation_input_tokens": self.cache.created_5m + self.cache.created_1h,
            "cache_read_input_tokens": self.cache.read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.cache.created_5m,
                "ephemeral_1h_input_tokens": self.cache.created_1h,
            },
            "output_tokens": output,
            "service_tier": "standard",
            "inference_geo": self.geo,
        })
    }

    fn message(&self, content: Value, stop: Option<&Stop>, output: u64) -> Value {
        json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": stop.map(Stop::reason),
            "stop_sequence": stop.map_or(Value::Null, Stop::sequence),
            "stop_details": stop.map_or(Value::Null, Stop::details),
            "usage": self.usage(output),
        })
    }

    /// The whole answer at once.
    pub fn whole(&self) -> Value {
        let mut content = Vec::new();
        if let Some(Thought { text, signature }) = &self.thought {
            content.push(json!({ "type": "thinking", "thinking": text, "signature": signature }));
        }
        if !self.text.is_empty() {
            content.push(json!({ "type": "text", "text": self.text }));
        }
        if let Some((id, name, input)) = &self.tool {
            content.push(json!({ "type": "tool_use", "id": id, "name": name, "input": input }));
        }
        self.message(Value::Array(content), Some(&self.stop), self.output_tokens())
    }

    /// The events of a stream, in order.
    pub fn events(&self) -> Vec<Timed> {
        let mut events = Events::default();
        events.early(json!({ "type": "message_start", "message": self.message(json!([]), None, 1) }));
        events.early(json!({ "type": "ping" }));
        if let Some(Thought { text, signature }) = &self.thought {
            events.start(&json!({ "type": "thinking", "thinking": "", "signature": "" }));
            for piece in pieces(text) {
                events.delta(&json!({ "type": "thinking_delta", "thinking": piece }), tokens(&piece));
            }
            events.delta(&json!({ "type": "signature_delta", "signature": signature }), 0);
            events.stop();
        }
        if !self.text.is_empty() {
            events.start(&json!({ "type": "text", "text": "" }));
            for piece in pieces(&self.text) {
                events.delta(&json!({ "type": "text_delta", "text": piece }), tokens(&piece));
            }
            events.stop();
        }
        if let Some((id, name, input)) = &self.tool {
            events.start(&json!({ "type": "tool_use", "id": id, "name": name, "input": {} }));
            // The first is empty, as the API sends it.
            events.delta(&json!({ "type": "input_json_delta", "partial_json": "" }), 0);
            for piece in quarters(&input.to_string()) {
                events.delta(&json!({ "type": "input_json_delta", "partial_json": piece }), tokens(&piece));
            }
            events.stop();
        }
        events.push(json!({
            "type": "message_delta",
            "delta": {
                "stop_reason": self.stop.reason(),
                "stop_sequence": self.stop.sequence(),
                "stop_details": self.stop.details(),
            },
            "usage": {
                "input_tokens": self.cache.plain,
                "cache_creation_input_tokens": self.cache.created_5m + self.cache.created_1h,
                "cache_read_input_tokens": self.cache.read,
                "output_tokens": self.output_tokens(),
                "output_tokens_details": { "thinking_tokens": self.thinking_tokens() },
            },
        }));
        events.push(json!({ "type": "message_stop" }));
        events.all
    }

    /// How long all of it takes to write.
    pub fn writing(&self, tokens_per_s: u32) -> Duration {
        written(self.output_tokens(), tokens_per_s)
    }
}

/// How long so many tokens take; no time at a rate of zero.
pub fn written(tokens: u64, tokens_per_s: u32) -> Duration {
    if tokens_per_s == 0 {
        return Duration::ZERO;
    }
    Duration::from_micros(tokens * 1_000_000 / u64::from(tokens_per_s))
}

#[derive(Default)]
struct Events {
    all: Vec<Timed>,
    index: u64,
    written: u64,
}

impl Events {
    fn early(&mut self, event: Value) {
        self.all.push(Timed { event, after_tokens: 0, is_early: true });
    }

    fn push(&mut self, event: Value) {
        self.all.push(Timed { event, after_tokens: self.written, is_early: false });
    }

    fn start(&mut self, block: &Value) {
        self.push(json!({ "type": "content_block_start", "index": self.index, "content_block": block }));
    }

    fn delta(&mut self, delta: &Value, tokens: u64) {
        self.push(json!({ "type": "content_block_delta", "index": self.index, "delta": delta }));
        self.written += tokens;
    }

    fn stop(&mut self) {
        self.push(json!({ "type": "content_block_stop", "index": self.index }));
        self.index += 1;
    }
}

/// Where the text ends, and why.
fn ended(text: String, request: &MessagesRequest, cutting: Cutting) -> (String, Stop) {
    let half = |text: &str| text.chars().take(text.chars().count() / 2).collect::<String>();
    match cutting {
        Cutting::Refusal => return (half(&text), Stop::Refusal),
        Cutting::MaxTokens => return (half(&text), Stop::MaxTokens),
        Cutting::None => {}
    }
    let stops = request.stop_sequences.iter().filter_map(|stop| Some((text.find(stop.as_str())?, stop)));
    if let Some((at, stop)) = stops.min_by_key(|(at, _)| *at) {
        return (text[..at].to_owned(), Stop::Sequence(stop.clone()));
    }
    if tokens(&text) > request.max_tokens || request.max_tokens == 0 {
        let most = usize::try_from(request.max_tokens.saturating_mul(4)).unwrap_or(usize::MAX);
        return (text.chars().take(most).collect(), Stop::MaxTokens);
    }
    (text, Stop::EndTurn)
}

/// Runs of a few words, with the spaces before them.
pub fn pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let (mut piece, mut words, mut in_word) = (String::new(), 0, false);
    for c in text.chars() {
        if c.is_whitespace() && in_word {
            words += 1;
            if words == DELTA_WORDS {
                pieces.push(std::mem::take(&mut piece));
                words = 0;
            }
        }
        in_word = !c.is_whitespace();
        piece.push(c);
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

/// A text in four parts, cut anywhere: what is cut in the middle must be put together.
fn quarters(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(chars.len().div_ceil(4).max(1)).map(|part| part.iter().collect()).collect()
}
