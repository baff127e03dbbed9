//! The tools that a request offers: which of them serves what the caller wants,
//! and the input that its schema asks for.

use serde_json::{Map, Value, json};

#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    pub name: String,
    pub description: String,
    pub schema: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    pub name: String,
    pub input: Value,
}

/// What a caller may want that a tool does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Hours,
    Lookup,
    Message,
    Person,
    Text,
    End,
}

impl Purpose {
    /// Words of tools' names, the plainest first.
    const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Hours => &["hours", "opening", "open"],
            Self::Lookup => &["look", "search", "knowledge", "find", "fact", "answer"],
            Self::Message => &["message", "callback", "note"],
            Self::Person => &["person", "transfer", "put_through", "connect", "human", "staff", "handoff"],
            Self::Text => &["sms", "text_message", "text"],
            Self::End => &["end_call", "hang_up", "hangup", "end", "goodbye"],
        }
    }

    /// The tool for it, by its name.
    pub fn tool(self, tools: &[Tool]) -> Option<&Tool> {
        self.words().iter().find_map(|word| tools.iter().find(|tool| tool.name.to_lowercase().contains(word)))
    }

    /// What a caller's words ask to be done, if it is to be done and not to be known.
    pub fn asked_for(words: &str) -> Option<Self> {
        let words = words.to_lowercase();
        let has = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
        if has(&["send me a text", "text me", "send me an sms", "by sms", "send it to my phone", "send me the address"])
        {
            Some(Self::Text)
        } else if has(&["leave a message", "take a message", "call me back", "tell him", "tell her", "call back"]) {
            Some(Self::Message)
        } else if has(&["speak to", "talk to", "put me through", "transfer me", "a person", "a human", "an operator"]) {
            Some(Self::Person)
        } else if has(&["goodbye", "good bye", "bye", "that is all", "that's all"]) {
            Some(Self::End)
        } else if has(&["open", "close", "hours", "what time"]) {
            Some(Self::Hours)
        } else {
            None
        }
    }
}

impl Tool {
    /// A call with every required input, filled from what the caller said.
    pub fn call(&self, words: &str, name: Option<&str>) -> ToolCall {
        let properties = self.schema["properties"].as_object().cloned().unwrap_or_default();
        let required: Vec<&str> =
            self.schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let wanted = |key: &String| required.contains(&key.as_str()) || properties.len() == 1;
        let fields: Map<String, Value> = properties
            .iter()
            .filter(|(key, _)| wanted(key))
            .map(|(key, schema)| (key.clone(), filled(key, schema, words, name)))
            .collect();
        ToolCall { name: self.name.clone(), input: Value::Object(fields) }
    }
}

fn filled(key: &str, schema: &Value, words: &str, name: Option<&str>) -> Value {
    if let Some(choices) = schema["enum"].as_array() {
        let lower = words.to_lowercase();
        let said =
            |choice: &&Value| choice.as_str().is_some_and(|c| lower.contains(&c.to_lowercase().replace('_', " ")));
        return choices.iter().find(said).or_else(|| choices.first()).cloned().unwrap_or(Value::Null);
    }
    match schema["type"].as_str() {
        Some("integer" | "number") => json!(0),
        Some("boolean") => json!(true),
        Some("array") => json!([words]),
        Some("object") => json!({}),
        _ => {
            let key = key.to_lowercase();
            let digits: String = words.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
            if key.contains("number") || key.contains("phone") {
                json!(digits)
            } else if key.contains("name") || key.contains("person") || key.contains("who") {
                json!(name.unwrap_or_default())
            } else {
                json!(words)
            }
        }
    }
}
