use serde_json::{Map, Value, json};

use super::OpenAiConfig;
use crate::egress::{HttpRequest, Method, Within};
use crate::residency::Safeguards;
use crate::speech::cloud::mind::{Ask, Part, Purpose, Side, Tool, Turn};
use crate::terms::Private;

/// A question as the server wants it.
pub fn written(config: &OpenAiConfig, ask: &Ask) -> HttpRequest {
    let header = |name, value: &str| (name, Private::new(value.to_owned()));
    let mut headers = vec![header("content-type", "application/json"), header("accept", "text/event-stream")];
    if let Some(key) = &config.key {
        headers.push(header("authorization", &format!("Bearer {}", key.expose())));
    }
    HttpRequest {
        method: Method::Post,
        host: ask.host.clone(),
        target: Private::new(config.path.clone()),
        headers,
        body: Private::new(body(config, ask).to_string().into_bytes()),
        // This interface has no word for any of them.
        safeguards: Safeguards::default(),
        within: Within { connect: config.deadlines.connect, answer: ask.purpose.patience(config.deadlines) },
    }
}

fn body(config: &OpenAiConfig, ask: &Ask) -> Value {
    // The knowledge stands first and does not change: the server keeps it computed.
    let system =
        if ask.today.is_empty() { ask.knowledge.to_string() } else { format!("{}\n\n{}", ask.knowledge, ask.today) };
    let mut messages = vec![json!({ "role": "system", "content": system })];
    messages.extend(ask.turns.iter().flat_map(written_turn));
    let mut body = json!({
        "model": config.model,
        "max_tokens": if ask.purpose == Purpose::Warm { 1 } else { config.max_tokens },
        "stream": true,
        "stream_options": { "include_usage": true },
        "messages": messages,
    });
    if let Some(temperature) = config.temperature {
        body["temperature"] = json!(f64::from(temperature));
    }
    if !ask.tools.is_empty() {
        let tool = |tool: &Tool| {
            let function = json!({ "name": tool.name(), "description": tool.purpose(), "parameters": tool.schema() });
            json!({ "type": "function", "function": function })
        };
        body["tools"] = ask.tools.iter().map(tool).collect();
        body["tool_choice"] = json!(if ask.purpose == Purpose::LastAnswer { "none" } else { "auto" });
    }
    body
}

/// A turn as one or more messages: each tool's result is a message of its own.
fn written_turn(turn: &Turn) -> Vec<Value> {
    let texts = turn.parts.iter().filter_map(|part| match part {
        Part::Words(text) | Part::Told(text) => Some(text.as_str()),
        _ => None,
    });
    let text = texts.collect::<Vec<_>>().join("\n");
    let uses: Vec<Value> = turn.parts.iter().filter_map(used).collect();
    let results = turn.parts.iter().filter_map(|part| match part {
        Part::Result { id, text, .. } => Some(json!({ "role": "tool", "tool_call_id": id, "content": text })),
        _ => None,
    });
    let mut messages: Vec<Value> = results.collect();
    let role = if turn.side == Side::Caller { "user" } else { "assistant" };
    if !uses.is_empty() {
        messages.push(json!({ "role": role, "content": text, "tool_calls": uses }));
    } else if !text.is_empty() {
        messages.push(json!({ "role": role, "content": text }));
    }
    messages
}

fn used(part: &Part) -> Option<Value> {
    let Part::Use { id, name, input } = part else { return None };
    let input: Map<String, Value> = input.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
    let function = json!({ "name": name, "arguments": Value::Object(input).to_string() });
    Some(json!({ "id": id, "type": "function", "function": function }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::residency::{DestinationId, Host};

    fn config() -> OpenAiConfig {
        let host = Host::parse("mind.lan:8080").unwrap();
        OpenAiConfig::new(DestinationId::parse("lan-mind").unwrap(), host, "qwen".to_owned())
    }

    fn ask(purpose: Purpose) -> Ask {
        Ask {
            purpose,
            knowledge: "Be brief.".to_owned().into(),
            today: "Today is Monday.".to_owned(),
            tools: vec![Tool::OpeningHours],
            turns: vec![
                Turn {
                    side: Side::Caller,
                    parts: vec![Part::Words("Open?".to_owned()), Part::Told("It is noon.".to_owned())],
                },
                Turn {
                    side: Side::Model,
                    parts: vec![
                        Part::Thought("{}".to_owned()),
                        Part::Use { id: "c1".to_owned(), name: "opening_hours".to_owned(), input: vec![] },
                    ],
                },
                Turn {
                    side: Side::Caller,
                    parts: vec![Part::Result { id: "c1".to_owned(), text: "Until six.".to_owned(), refused: false }],
                },
            ],
            ..Ask::for_tests()
        }
    }

    #[test]
    fn turns_become_messages_that_templates_take() {
        let request = written(&config(), &ask(Purpose::Answer));
        let body: Value = serde_json::from_slice(request.body.expose()).unwrap();
        let roles: Vec<&str> = body["messages"].as_array().unwrap().iter().filter_map(|m| m["role"].as_str()).collect();
        assert_eq!(roles, ["system", "user", "assistant", "tool"]);
        assert_eq!(body["messages"][1]["content"], "Open?\nIt is noon.");
        assert_eq!(body["messages"][2]["tool_calls"][0]["function"]["arguments"], "{}");
        assert_eq!(body["messages"][3]["tool_call_id"], "c1");
        assert_eq!(body["tools"][0]["function"]["name"], "opening_hours");
        assert!(request.headers.iter().all(|(name, _)| *name != "authorization"), "no key, no header");
    }

    #[test]
    fn a_server_that_reads_slowly_may_take_longer_over_the_knowledge_than_over_a_question() {
        let answer = |purpose| written(&config(), &ask(purpose)).within.answer;
        assert_eq!(answer(Purpose::Answer), config().deadlines.first_token);
        assert!(answer(Purpose::Warm) >= Duration::from_secs(20), "{:?}", answer(Purpose::Warm));
    }

    #[test]
    fn a_key_is_shown_and_what_only_reads_the_knowledge_says_next_to_nothing() {
        let config = OpenAiConfig { key: Some("k".to_owned().into()), ..config() };
        let request = written(&config, &ask(Purpose::Warm));
        let body: Value = serde_json::from_slice(request.body.expose()).unwrap();
        assert_eq!(body["max_tokens"].as_u64(), Some(1));
        assert!(request.headers.iter().any(|(n, v)| *n == "authorization" && v.expose() == "Bearer k"));
    }
}
