//! A request to `/v1/messages`, checked as strictly as the API of 2026-10-21
//! says it checks: what it does not know, it refuses.

use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use serde_json::Value;

use super::mind_answer::{Block, Dialogue, Role, ToolChoice, Turn};
use super::mind_cache::Prefix;
use super::mind_tools::Tool;
use super::world::MIND_KEY;

pub const VERSION: &str = "2026-10-21";
const VERSION_BEFORE: &str = "2023-06-01";

const FIELDS: &[&str] = &[
    "model",
    "max_tokens",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "stream",
    "stop_sequences",
    "thinking",
    "output_config",
    "service_tier",
    "speed",
    "inference_geo",
    "metadata",
    "cache_control",
    "container",
    "diagnostics",
];

/// Removed with the version of 2026-10-21.
const SAMPLING: &[&str] = &["temperature", "top_p", "top_k"];

const TOOL_FIELDS: &[&str] = &[
    "name",
    "description",
    "input_schema",
    "type",
    "cache_control",
    "strict",
    "defer_loading",
    "allowed_callers",
    "eager_input_streaming",
    "input_examples",
];

/// Models that know nothing of `inference_geo`.
const WITHOUT_GEO: &[&str] = &["haiku-4-5", "sonnet-4-5", "opus-4-5", "-3-", "opus-4-1", "sonnet-4-2"];

/// Models whose thinking cannot be turned off with `disabled`.
const ALWAYS_THINKING: &[&str] = &["opus-5", "fable", "sonnet-5-5", "haiku-5-5"];

const CACHE_MARKS_MAX: usize = 4;

/// An error as the API answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub status: StatusCode,
    pub kind: &'static str,
    pub message: String,
}

impl ApiError {
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, kind: "invalid_request_error", message: message.into() }
    }
}

/// What is shown of the thinking, if there is any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thinking {
    None,
    Shown,
    Omitted,
}

pub struct MessagesRequest {
    pub model: String,
    pub max_tokens: u64,
    pub is_stream: bool,
    pub stop_sequences: Vec<String>,
    pub thinking: Thinking,
    pub inference_geo: String,
    pub dialogue: Dialogue,
    pub prefix: Prefix,
}

/// Whether whoever sends these headers may ask, and speaks a version that is spoken here.
pub fn admitted(headers: &HeaderMap) -> Result<(), ApiError> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let Some(key) = text("x-api-key").or(bearer) else {
        let message = "Authentication is required: send an API key".to_owned();
        return Err(ApiError { status: StatusCode::UNAUTHORIZED, kind: "authentication_error", message });
    };
    if key != MIND_KEY {
        let message = "invalid x-api-key".to_owned();
        return Err(ApiError { status: StatusCode::UNAUTHORIZED, kind: "authentication_error", message });
    }
    match text("anthropic-version") {
        Some(VERSION | VERSION_BEFORE) => Ok(()),
        Some(other) => Err(ApiError::invalid(format!("anthropic-version: {other:?} is not a valid version"))),
        None => Err(ApiError::invalid("anthropic-version: header is required")),
    }
}

pub fn read(headers: &HeaderMap, body: &[u8]) -> Result<MessagesRequest, ApiError> {
    let body: Value =
        serde_json::from_slice(body).map_err(|_| ApiError::invalid("The request body is not valid JSON"))?;
    let Some(fields) = body.as_object() else {
        return Err(ApiError::invalid("The request body must be an object"));
    };
    let before = headers.get("anthropic-version").is_some_and(|version| version == VERSION_BEFORE);
    for key in fields.keys() {
        let sampling = before && SAMPLING.contains(&key.as_str());
        if !FIELDS.contains(&key.as_str()) && !sampling {
            return Err(ApiError::invalid(format!("{key}: Extra inputs are not permitted")));
        }
    }
    let model = model(&body)?;
    let max_tokens = match &body["max_tokens"] {
        Value::Null => return Err(ApiError::invalid("max_tokens: Field required")),
        value => value.as_u64().ok_or_else(|| ApiError::invalid("max_tokens: Input should be a valid integer"))?,
    };
    let mut marks = Marks::default();
    let mut prefix = Prefix::new();
    let (tools, choice) = tools(&body, &mut marks, &mut prefix)?;
    let system = system(&body["system"], &mut marks, &mut prefix)?;
    let turns = turns(&body["messages"], &mut marks, &mut prefix)?;
    if let Some(keep) = marks.read(&body["cache_control"], "cache_control")? {
        prefix.mark_last(keep);
    }
    one_of(&body, "service_tier", &["auto", "standard_only"])?;
    one_of(&body, "speed", &["standard", "fast"])?;
    output_config(&body["output_config"])?;
    Ok(MessagesRequest {
        thinking: thinking(&body["thinking"], &model, max_tokens)?,
        inference_geo: geo(&body, &model)?,
        max_tokens,
        is_stream: truth(&body, "stream")?,
        stop_sequences: texts(&body["stop_sequences"], "stop_sequences")?,
        dialogue: Dialogue { system, turns, tools, choice },
        prefix,
        model,
    })
}

fn model(body: &Value) -> Result<String, ApiError> {
    let Some(model) = body["model"].as_str() else { return Err(ApiError::invalid("model: Field required")) };
    if model.starts_with("claude-") {
        Ok(model.to_owned())
    } else {
        let message = format!("model: {model}");
        Err(ApiError { status: StatusCode::NOT_FOUND, kind: "not_found_error", message })
    }
}

fn truth(body: &Value, key: &str) -> Result<bool, ApiError> {
    match &body[key] {
        Value::Null => Ok(false),
        Value::Bool(value) => Ok(*value),
        _ => Err(ApiError::invalid(format!("{key}: Input should be a valid boolean"))),
    }
}

fn one_of(body: &Value, key: &str, allowed: &[&str]) -> Result<(), ApiError> {
    match &body[key] {
        Value::Null => Ok(()),
        Value::String(value) if allowed.contains(&value.as_str()) => Ok(()),
        _ => Err(ApiError::invalid(format!("{key}: Input should be one of {allowed:?}"))),
    }
}

fn texts(list: &Value, at: &str) -> Result<Vec<String>, ApiError> {
    let wrong = || ApiError::invalid(format!("{at}: Input should be a valid list of strings"));
    match list {
        Value::Null => Ok(Vec::new()),
        Value::Array(values) => values.iter().map(|v| v.as_str().map(str::to_owned).ok_or_else(wrong)).collect(),
        _ => Err(wrong()),
    }
}

fn geo(body: &Value, model: &str) -> Result<String, ApiError> {
    match &body["inference_geo"] {
        Value::Null => Ok("global".to_owned()),
        Value::String(geo) if geo == "global" || geo == "us" => {
            if WITHOUT_GEO.iter().any(|old| model.contains(old)) {
                return Err(ApiError::invalid(format!("inference_geo: not supported by {model}")));
            }
            Ok(geo.clone())
        }
        Value::String(geo) => Err(ApiError::invalid(format!(
            "inference_geo: {geo:?} is not allowed for this workspace; allowed are \"global\" and \"us\""
        ))),
        _ => Err(ApiError::invalid("inference_geo: Input should be a valid string")),
    }
}

fn output_config(config: &Value) -> Result<(), ApiError> {
    for key in config.as_object().into_iter().flat_map(serde_json::Map::keys) {
        if !["effort", "format"].contains(&key.as_str()) {
            return Err(ApiError::invalid(format!("output_config.{key}: Extra inputs are not permitted")));
        }
    }
    one_of(config, "effort", &["low", "medium", "high", "xhigh", "max"])
        .map_err(|error| ApiError::invalid(format!("output_config.{}", error.message)))
}

fn thinking(stated: &Value, model: &str, max_tokens: u64) -> Result<Thinking, ApiError> {
    if stated.is_null() {
        return Ok(Thinking::None);
    }
    let shown = match stated["display"].as_str() {
        Some("omitted") => Thinking::Omitted,
        Some("summarized") | None => Thinking::Shown,
        Some(_) => return Err(ApiError::invalid("thinking.display: Input should be 'summarized' or 'omitted'")),
    };
    match stated["type"].as_str() {
        Some("adaptive") => Ok(shown),
        Some("enabled") => match stated["budget_tokens"].as_u64() {
            Some(budget) if budget >= 1_024 && budget < max_tokens => Ok(shown),
            Some(budget) if budget >= 1_024 => {
                Err(ApiError::invalid("max_tokens: must be greater than thinking.budget_tokens"))
            }
            _ => {
                Err(ApiError::invalid("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"))
            }
        },
        Some("disabled") if ALWAYS_THINKING.iter().any(|name| model.contains(name)) => {
            Err(ApiError::invalid(format!("thinking.type: \"disabled\" is not supported by {model}")))
        }
        Some("disabled") => Ok(Thinking::None),
        Some("between_tools") if model.contains("sonnet-5-5") => Ok(Thinking::None),
        Some("between_tools") => {
            Err(ApiError::invalid(format!("thinking.type: \"between_tools\" is not supported by {model}")))
        }
        _ => Err(ApiError::invalid("thinking.type: Input tag is not one of the expected tags")),
    }
}

/// Counts the marks of the prompt cache.
#[derive(Default)]
struct Marks(usize);

impl Marks {
    fn read(&mut self, mark: &Value, at: &str) -> Result<Option<Duration>, ApiError> {
        if mark.is_null() {
            return Ok(None);
        }
        let fields = mark.as_object().into_iter().flat_map(serde_json::Map::keys);
        if let Some(key) = fields.into_iter().find(|key| !["type", "ttl"].contains(&key.as_str())) {
            return Err(ApiError::invalid(format!("{at}.{key}: Extra inputs are not permitted")));
        }
        if mark["type"] != "ephemeral" {
            return Err(ApiError::invalid(format!("{at}.type: Input should be 'ephemeral'")));
        }
        self.0 += 1;
        if self.0 > CACHE_MARKS_MAX {
            let found = self.0;
            let message =
                format!("A maximum of {CACHE_MARKS_MAX} blocks with cache_control may be provided. Found {found}.");
            return Err(ApiError::invalid(message));
        }
        match mark["ttl"].as_str() {
            Some("1h") => Ok(Some(Duration::from_secs(3_600))),
            Some("5m") => Ok(Some(Duration::from_secs(300))),
            None if mark["ttl"].is_null() => Ok(Some(Duration::from_secs(300))),
            _ => Err(ApiError::invalid(format!("{at}.ttl: Input should be '5m' or '1h'"))),
        }
    }
}

fn tools(body: &Value, marks: &mut Marks, prefix: &mut Prefix) -> Result<(Vec<Tool>, ToolChoice), ApiError> {
    let mut tools: Vec<Tool> = Vec::new();
    for (n, tool) in body["tools"].as_array().into_iter().flatten().enumerate() {
        let at = format!("tools.{n}");
        for key in tool.as_object().into_iter().flat_map(serde_json::Map::keys) {
            if !TOOL_FIELDS.contains(&key.as_str()) {
                return Err(ApiError::invalid(format!("{at}.custom.{key}: Extra inputs are not permitted")));
            }
        }
        let name = tool["name"].as_str().unwrap_or_default();
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > 128 || !name.chars().all(fits) {
            let pattern = "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'";
            return Err(ApiError::invalid(format!("{at}.custom.name: {pattern}")));
        }
        if tools.iter().any(|other| other.name == name) {
            return Err(ApiError::invalid("tools: Tool names must be unique."));
        }
        if tool["input_schema"]["type"] != "object" {
            return Err(ApiError::invalid(format!("{at}.custom.input_schema.type: Input should be 'object'")));
        }
        let description = tool["description"].as_str().unwrap_or_default();
        let keep = marks.read(&tool["cache_control"], &format!("{at}.cache_control"))?;
        prefix.block(&format!("{name} {description} {}", tool["input_schema"]), keep);
        tools.push(Tool {
            name: name.to_owned(),
            description: description.to_owned(),
            schema: tool["input_schema"].clone(),
        });
    }
    let stated = &body["tool_choice"];
    if !stated.is_null() && tools.is_empty() {
        return Err(ApiError::invalid("tool_choice: may only be specified while providing tools"));
    }
    let choice = match stated["type"].as_str() {
        None if stated.is_null() => ToolChoice::Auto,
        Some("auto") => ToolChoice::Auto,
        Some("any") => ToolChoice::Any,
        Some("none") => ToolChoice::Never,
        Some("tool") => {
            let name = stated["name"].as_str().unwrap_or_default();
            if !tools.iter().any(|tool| tool.name == name) {
                return Err(ApiError::invalid(format!("tool_choice: Tool '{name}' not found in provided tools")));
            }
            ToolChoice::Named(name.to_owned())
        }
        _ => return Err(ApiError::invalid("tool_choice.type: Input tag is not one of the expected tags")),
    };
    Ok((tools, choice))
}

fn system(system: &Value, marks: &mut Marks, prefix: &mut Prefix) -> Result<String, ApiError> {
    match system {
        Value::Null => Ok(String::new()),
        Value::String(text) => {
            prefix.block(text, None);
            Ok(text.clone())
        }
        Value::Array(blocks) => {
            let mut all = Vec::new();
            for (n, block) in blocks.iter().enumerate() {
                let at = format!("system.{n}");
                let text = text_block(block, &at)?;
                prefix.block(&text, marks.read(&block["cache_control"], &format!("{at}.cache_control"))?);
                all.push(text);
            }
            Ok(all.join("\n"))
        }
        _ => Err(ApiError::invalid("system: Input should be a valid string or list")),
    }
}

fn text_block(block: &Value, at: &str) -> Result<String, ApiError> {
    for key in block.as_object().into_iter().flat_map(serde_json::Map::keys) {
        if !["type", "text", "cache_control", "citations"].contains(&key.as_str()) {
            return Err(ApiError::invalid(format!("{at}.{key}: Extra inputs are not permitted")));
        }
    }
    match (block["type"].as_str(), block["text"].as_str()) {
        (Some("text"), Some(text)) if !text.is_empty() => Ok(text.to_owned()),
        (Some("text"), Some(_)) => Err(ApiError::invalid(format!("{at}: text content blocks must be non-empty"))),
        (Some("text"), None) => Err(ApiError::invalid(format!("{at}.text: Field required"))),
        _ => Err(ApiError::invalid(format!("{at}.type: Input tag is not one of the expected tags"))),
    }
}

fn turns(messages: &Value, marks: &mut Marks, prefix: &mut Prefix) -> Result<Vec<Turn>, ApiError> {
    let Some(messages) = messages.as_array() else { return Err(ApiError::invalid("messages: Field required")) };
    if messages.is_empty() {
        return Err(ApiError::invalid("messages: at least one message is required"));
    }
    let mut turns: Vec<Turn> = Vec::new();
    for (n, message) in messages.iter().enumerate() {
        let at = format!("messages.{n}");
        for key in message.as_object().into_iter().flat_map(serde_json::Map::keys) {
            if !["role", "content"].contains(&key.as_str()) {
                return Err(ApiError::invalid(format!("{at}.{key}: Extra inputs are not permitted")));
            }
        }
        let role = match message["role"].as_str() {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            _ => return Err(ApiError::invalid(format!("{at}.role: Input should be 'user' or 'assistant'"))),
        };
        let blocks = content(&message["content"], role, &at, marks, prefix)?;
        match turns.last_mut() {
            // Consecutive turns of one side are one turn.
            Some(last) if last.role == role => last.blocks.extend(blocks),
            Some(_) => turns.push(Turn { role, blocks }),
            None if role == Role::Assistant => {
                return Err(ApiError::invalid("messages: first message must use the \"user\" role"));
            }
            None => turns.push(Turn { role, blocks }),
        }
    }
    if turns.last().is_some_and(|turn| turn.role == Role::Assistant) {
        let message = "This model does not support assistant message prefill. \
                       The conversation must end with a user message.";
        return Err(ApiError::invalid(message));
    }
    paired(&turns)?;
    Ok(turns)
}

/// Every use of a tool is followed by its result, and every result follows its use.
fn paired(turns: &[Turn]) -> Result<(), ApiError> {
    let uses = |turn: &Turn| -> Vec<String> {
        let id = |block: &Block| if let Block::ToolUse { id, .. } = block { Some(id.clone()) } else { None };
        turn.blocks.iter().filter_map(id).collect()
    };
    let results = |turn: &Turn| -> Vec<String> {
        let id = |block: &Block| if let Block::ToolResult { id, .. } = block { Some(id.clone()) } else { None };
        turn.blocks.iter().filter_map(id).collect()
    };
    for (n, turn) in turns.iter().enumerate() {
        let answered = turns.get(n + 1).map(results).unwrap_or_default();
        if let Some(id) = uses(turn).iter().find(|id| !answered.contains(id)) {
            return Err(ApiError::invalid(format!(
                "messages.{n}: `tool_use` ids were found without `tool_result` blocks immediately after: {id}. Each \
                 `tool_use` block must have a corresponding `tool_result` block in the next message."
            )));
        }
        let before = n.checked_sub(1).map(|before| uses(&turns[before])).unwrap_or_default();
        if let Some(id) = results(turn).iter().find(|id| !before.contains(id)) {
            return Err(ApiError::invalid(format!(
                "messages.{n}.content: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each \
                 `tool_result` block must have a corresponding `tool_use` block in the previous message."
            )));
        }
    }
    Ok(())
}

fn content(
    content: &Value,
    role: Role,
    at: &str,
    marks: &mut Marks,
    prefix: &mut Prefix,
) -> Result<Vec<Block>, ApiError> {
    if let Some(text) = content.as_str() {
        if text.is_empty() {
            return Err(ApiError::invalid(format!("{at}: content must be non-empty")));
        }
        prefix.block(text, None);
        return Ok(vec![Block::Text(text.to_owned())]);
    }
    let Some(list) = content.as_array().filter(|list| !list.is_empty()) else {
        return Err(ApiError::invalid(format!("{at}.content: Field required")));
    };
    let mut blocks = Vec::new();
    for (n, one) in list.iter().enumerate() {
        let at = format!("{at}.content.{n}");
        blocks.push(block(one, role, &at)?);
        prefix.block(&one.to_string(), marks.read(&one["cache_control"], &format!("{at}.cache_control"))?);
    }
    unchanged(list, at)?;
    Ok(blocks)
}

fn block(block: &Value, role: Role, at: &str) -> Result<Block, ApiError> {
    let text = |key: &str| block[key].as_str().map(str::to_owned);
    let required = |key: &str| text(key).ok_or_else(|| ApiError::invalid(format!("{at}.{key}: Field required")));
    match (block["type"].as_str(), role) {
        (Some("text"), _) => {
            let citations = block["citations"].as_array().is_some_and(|list| !list.is_empty());
            if citations && role == Role::User {
                return Err(ApiError::invalid(format!("{at}.citations: must be empty in user messages")));
            }
            Ok(Block::Text(text_block(block, at)?))
        }
        (Some("tool_use"), Role::Assistant) => {
            if !block["input"].is_object() {
                return Err(ApiError::invalid(format!("{at}.input: Input should be a valid dictionary")));
            }
            Ok(Block::ToolUse { id: required("id")?, name: required("name")?, input: block["input"].clone() })
        }
        (Some("tool_result"), Role::User) => {
            let text = match &block["content"] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                Value::Array(parts) => {
                    let parts = parts.iter().map(|part| text_block(part, at)).collect::<Result<Vec<_>, _>>()?;
                    parts.join(" ")
                }
                _ => return Err(ApiError::invalid(format!("{at}.content: Input should be a valid string or list"))),
            };
            Ok(Block::ToolResult { id: required("tool_use_id")?, text, is_error: truth(block, "is_error")? })
        }
        (Some("thinking"), Role::Assistant) => {
            required("thinking")?;
            required("signature")?;
            Ok(Block::Thinking)
        }
        (Some(kind), _) => Err(ApiError::invalid(format!("{at}: `{kind}` blocks are not allowed here"))),
        (None, _) => Err(ApiError::invalid(format!("{at}.type: Field required"))),
    }
}

/// What a thinking block is signed with: it holds for the turn that it began, and no other.
pub fn signature(thinking: &str, text: &str, tool: Option<&Value>) -> String {
    let tool = tool.map(Value::to_string).unwrap_or_default();
    STANDARD.encode(digest(&SHA256, format!("{thinking}\0{text}\0{tool}").as_bytes()))
}

/// A turn that is sent back with its thinking must be the turn that was given.
fn unchanged(blocks: &[Value], at: &str) -> Result<(), ApiError> {
    let of = |kind: &str| blocks.iter().filter(move |block| block["type"] == kind).collect::<Vec<_>>();
    let Some(thinking) = of("thinking").first().copied() else { return Ok(()) };
    let text: String = of("text").iter().filter_map(|block| block["text"].as_str()).collect();
    let tool = of("tool_use").first().map(|block| block["input"].clone());
    let signed = signature(thinking["thinking"].as_str().unwrap_or_default(), &text, tool.as_ref());
    // An omitted thinking comes back without its text, and is signed so.
    if thinking["signature"] == signed.as_str() {
        Ok(())
    } else {
        let message = "`thinking` blocks in assistant messages cannot be modified, nor the turn that they began";
        Err(ApiError::invalid(format!("{at}.content.0: {message}")))
    }
}
