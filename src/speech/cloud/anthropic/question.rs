use serde_json::{Map, Value, json};

use super::{AnthropicConfig, Thoughts, VERSION};
use crate::egress::{HttpRequest, Method, Within};
use crate::residency::Safeguards;
use crate::speech::cloud::mind::{Ask, Part, Purpose, Side, Tool};
use crate::terms::Private;

/// A question as the provider wants it.
pub fn written(config: &AnthropicConfig, ask: &Ask) -> HttpRequest {
    let body = body(config, ask).to_string().into_bytes();
    let header = |name, value: &str| (name, Private::new(value.to_owned()));
    HttpRequest {
        method: Method::Post,
        host: ask.host.clone(),
        target: Private::new("/v1/messages".to_owned()),
        headers: vec![
            header("anthropic-version", VERSION),
            header("authorization", &format!("Bearer {}", config.key.expose())),
            header("content-type", "application/json"),
            header("accept", "text/event-stream"),
        ],
        body: Private::new(body),
        safeguards: told(ask.region.clone()),
        within: Within { connect: config.deadlines.connect, answer: ask.purpose.patience(config.deadlines) },
    }
}

/// Training and retention are matters of the contract with this provider; the only
/// thing that a request tells is where it is computed.
pub(super) fn told(region: Option<String>) -> Safeguards {
    Safeguards { inference_region: region, ..Safeguards::default() }
}

fn body(config: &AnthropicConfig, ask: &Ask) -> Value {
    let kept = json!({ "type": "ephemeral", "ttl": "1h" });
    let mut system = vec![json!({ "type": "text", "text": &*ask.knowledge, "cache_control": kept })];
    if !ask.today.is_empty() {
        system.push(json!({ "type": "text", "text": ask.today }));
    }
    let (max_tokens, tool_choice) = match ask.purpose {
        Purpose::Warm => (1, "auto"),
        Purpose::Answer => (config.max_tokens, "auto"),
        Purpose::LastAnswer => (config.max_tokens, "none"),
    };
    let messages: Vec<Value> = ask
        .turns
        .iter()
        .map(|turn| {
            let parts: Vec<Value> = turn.parts.iter().filter_map(part).collect();
            json!({ "role": role(turn.side), "content": parts })
        })
        .collect();
    let mut body = json!({
        "model": config.model,
        "max_tokens": max_tokens,
        "stream": true,
        "system": system,
        "messages": messages,
        // Nobody on a telephone waits for more.
        "output_config": { "effort": "low" },
    });
    if !ask.tools.is_empty() {
        let tool =
            |tool: &Tool| json!({ "name": tool.name(), "description": tool.purpose(), "input_schema": tool.schema() });
        body["tools"] = ask.tools.iter().map(tool).collect();
        body["tool_choice"] = json!({ "type": tool_choice });
    }
    match config.thoughts {
        Thoughts::Unsaid => {}
        Thoughts::Disabled => body["thinking"] = json!({ "type": "disabled" }),
        Thoughts::BetweenTools => body["thinking"] = json!({ "type": "between_tools" }),
    }
    if let Some(region) = &ask.region {
        body["inference_geo"] = json!(region);
    }
    body
}

const fn role(side: Side) -> &'static str {
    match side {
        Side::Caller => "user",
        Side::Model => "assistant",
    }
}

/// A part of a message; none for what this provider does not take.
fn part(part: &Part) -> Option<Value> {
    Some(match part {
        Part::Words(text) | Part::Told(text) => json!({ "type": "text", "text": text }),
        // It was JSON when it came.
        Part::Thought(thought) => serde_json::from_str(thought).ok()?,
        Part::Use { id, name, input } => {
            let input: Map<String, Value> = input.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
            json!({ "type": "tool_use", "id": id, "name": name, "input": input })
        }
        Part::Result { id, text, refused } => {
            json!({ "type": "tool_result", "tool_use_id": id, "content": text, "is_error": refused })
        }
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::residency::{DestinationId, Host};
    use crate::speech::cloud::mind::Turn;

    fn config() -> AnthropicConfig {
        let host = Host::parse("api.anthropic.com").unwrap();
        AnthropicConfig::new(DestinationId::parse("anthropic").unwrap(), host, Private::new("a key".to_owned()))
    }

    fn ask(purpose: Purpose) -> Ask {
        Ask {
            purpose,
            knowledge: "Be brief.".to_owned().into(),
            today: "Today is Monday.".to_owned(),
            tools: vec![Tool::OpeningHours],
            turns: vec![
                Turn { side: Side::Caller, parts: vec![Part::Words("Good day".to_owned())] },
                Turn {
                    side: Side::Model,
                    parts: vec![
                        Part::Thought("{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"s\"}".to_owned()),
                        Part::Use {
                            id: "t1".to_owned(),
                            name: "opening_hours".to_owned(),
                            input: vec![("day".to_owned(), "today".to_owned())],
                        },
                    ],
                },
                Turn {
                    side: Side::Caller,
                    parts: vec![Part::Result { id: "t1".to_owned(), text: "Until six.".to_owned(), refused: false }],
                },
            ],
            region: Some("us".to_owned()),
            ..Ask::for_tests()
        }
    }

    #[test]
    fn the_request_has_what_the_version_of_2026_takes_and_no_more() {
        let request = written(&config(), &ask(Purpose::Answer));
        let header = |name: &str| request.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.expose().as_str());
        assert_eq!(header("anthropic-version"), Some("2026-10-21"));
        assert_eq!(header("authorization"), Some("Bearer a key"));
        assert_eq!(header("x-api-key"), None);
        assert_eq!(request.safeguards.inference_region.as_deref(), Some("us"));
        let body: Value = serde_json::from_slice(request.body.expose()).unwrap();
        let mut keys: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        let known = [
            "inference_geo",
            "max_tokens",
            "messages",
            "model",
            "output_config",
            "stream",
            "system",
            "tool_choice",
            "tools",
        ];
        assert_eq!(keys, known);
        assert_eq!(body["inference_geo"], "us");
        assert_eq!(body["system"][0]["cache_control"], json!({ "type": "ephemeral", "ttl": "1h" }));
        assert_eq!(body["system"][1].get("cache_control"), None, "what changes from day to day is not kept");
        assert_eq!(body["output_config"]["effort"], "low");
        assert_eq!(body["tools"][0]["input_schema"]["type"], "object");
        assert_eq!(body["messages"][1]["content"][0]["signature"], "s");
        assert_eq!(body["messages"][1]["content"][1]["input"]["day"], "today");
        assert_eq!(body["messages"][2]["content"][0]["tool_use_id"], "t1");
    }

    #[test]
    fn a_model_that_takes_a_word_about_thinking_is_told_it() {
        for (thoughts, word) in [(Thoughts::Disabled, "disabled"), (Thoughts::BetweenTools, "between_tools")] {
            let request = written(&AnthropicConfig { thoughts, ..config() }, &ask(Purpose::Answer));
            let body: Value = serde_json::from_slice(request.body.expose()).unwrap();
            assert_eq!(body["thinking"], json!({ "type": word }));
        }
    }

    #[test]
    fn warming_up_sends_the_same_beginning_and_asks_for_one_token() {
        let answer: Value = serde_json::from_slice(written(&config(), &ask(Purpose::Answer)).body.expose()).unwrap();
        let warm: Value = serde_json::from_slice(written(&config(), &ask(Purpose::Warm)).body.expose()).unwrap();
        for part in ["model", "tools", "system"] {
            assert_eq!(answer[part], warm[part], "{part}");
        }
        assert_eq!(warm["max_tokens"], 1);
    }

    #[test]
    fn warming_up_has_longer_than_a_question_to_its_first_token() {
        let answer = |purpose| written(&config(), &ask(purpose)).within.answer;
        assert_eq!(answer(Purpose::Answer), config().deadlines.first_token);
        assert!(answer(Purpose::Warm) >= Duration::from_secs(20), "{:?}", answer(Purpose::Warm));
    }

    #[test]
    fn the_last_question_allows_no_more_tools() {
        let last: Value = serde_json::from_slice(written(&config(), &ask(Purpose::LastAnswer)).body.expose()).unwrap();
        assert_eq!(last["tool_choice"]["type"], "none");
    }
}
