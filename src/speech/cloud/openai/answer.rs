use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::speech::MindError;
use crate::speech::cloud::mind::{Decode, Delta, EventStream, ServerSent, Stop, TokensUsed, ToolAsked};
use crate::terms::Private;

/// Tools that one answer may ask for, and bytes of one input.
const TOOLS_MAX: usize = 16;
const INPUT_MAX: usize = 64 * 1024;

/// How some models mark their thoughts within the text.
const OPENS: &str = "<think>";
const CLOSES: &str = "</think>";

/// What an answer with an error's status says.
pub fn of_refusal<'a>(status: u16, header: impl Fn(&str) -> Option<&'a str>, _body: &[u8]) -> MindError {
    let after = header("retry-after").and_then(|text| text.trim().parse::<u32>().ok());
    match status {
        402 => MindError::Spent,
        408 | 409 | 425 | 429 | 500.. => {
            MindError::Busy { after: after.map(|seconds| Duration::from_secs(u64::from(seconds))) }
        }
        _ => MindError::Rejected { status },
    }
}

/// The chunks of one streamed answer. As forgiving as its sister for Claude,
/// because servers differ: some send whole tool calls, some no usage, some no
/// ending mark, some their model's thoughts in the text.
#[derive(Debug, Default)]
pub struct ChunkEvents {
    stream: EventStream,
    tools: BTreeMap<u64, ToolAsked>,
    used: TokensUsed,
    stop: Option<Stop>,
    thoughts: ThoughtFilter,
    over: bool,
}

impl Decode for ChunkEvents {
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
            Some(stop) => self.end(stop, &mut found),
            None => self.fail(MindError::Broken("the answer breaks off"), &mut found),
        }
        found
    }
}

impl ChunkEvents {
    fn event(&mut self, event: &ServerSent, found: &mut Vec<Delta>) {
        if event.data.trim() == "[DONE]" {
            return self.end(self.stop.unwrap_or(Stop::End), found);
        }
        let Ok(data) = serde_json::from_str::<Value>(&event.data) else {
            return self.fail(MindError::Broken("an event of the answer is no JSON"), found);
        };
        if event.name == "error" || data.get("error").is_some_and(|e| !e.is_null()) {
            return self.fail(MindError::Busy { after: None }, found);
        }
        self.count(&data["usage"]);
        let choice = &data["choices"][0];
        let delta = &choice["delta"];
        let thinks = |name: &str| delta[name].as_str().is_some_and(|t| !t.is_empty());
        if thinks("reasoning_content") || thinks("reasoning") {
            found.push(Delta::Thinking);
        }
        if let Some(text) = delta["content"].as_str()
            && self.thoughts.push(text, found).is_err()
        {
            return self.fail(MindError::Broken("the answer closes a thought that it did not open"), found);
        }
        for (n, call) in delta["tool_calls"].as_array().into_iter().flatten().enumerate() {
            if !self.tool(n, call) {
                return self.fail(MindError::Broken("the answer asks for tools without an end"), found);
            }
            found.push(Delta::ToolGrows);
        }
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.stop = Some(match reason {
                "tool_calls" | "function_call" => Stop::Tools,
                "length" => Stop::Length,
                "content_filter" => Stop::Refusal,
                _ => Stop::End,
            });
        }
    }

    /// Whether the piece of a tool's call fits.
    fn tool(&mut self, n: usize, call: &Value) -> bool {
        let index = call["index"].as_u64().or_else(|| u64::try_from(n).ok()).unwrap_or(0);
        if self.tools.len() >= TOOLS_MAX && !self.tools.contains_key(&index) {
            return false;
        }
        let none = || ToolAsked { id: String::new(), name: String::new(), input: Private::default() };
        let tool = self.tools.entry(index).or_insert_with(none);
        if let Some(id) = call["id"].as_str().filter(|id| !id.is_empty()) {
            id.clone_into(&mut tool.id);
        }
        let function = &call["function"];
        if let Some(name) = function["name"].as_str().filter(|name| !name.is_empty()) {
            name.clone_into(&mut tool.name);
        }
        let mut input = std::mem::take(&mut tool.input).into_exposed();
        match &function["arguments"] {
            Value::String(piece) => input.push_str(piece),
            whole @ Value::Object(_) => input = whole.to_string(),
            _ => {}
        }
        let fits = input.len() <= INPUT_MAX;
        tool.input = Private::new(input);
        fits
    }

    fn count(&mut self, usage: &Value) {
        let Some(all) = usage["prompt_tokens"].as_u64() else { return };
        self.used.cache_read = usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap_or(0);
        self.used.input = all.saturating_sub(self.used.cache_read);
        self.used.output = usage["completion_tokens"].as_u64().unwrap_or(self.used.output);
    }

    fn end(&mut self, stop: Stop, found: &mut Vec<Delta>) {
        self.over = true;
        self.thoughts.finish(found);
        for (index, mut tool) in std::mem::take(&mut self.tools) {
            if tool.id.is_empty() {
                tool.id = format!("call-{index}");
            }
            found.push(Delta::Tool(tool));
        }
        found.extend([Delta::Used(self.used.clone()), Delta::Over(stop)]);
    }

    fn fail(&mut self, error: MindError, found: &mut Vec<Delta>) {
        self.over = true;
        if self.used != TokensUsed::default() {
            found.push(Delta::Used(self.used.clone()));
        }
        found.push(Delta::Failed(error));
    }
}

/// Takes thoughts out of a text in which they are marked, however it is split. The
/// mark that opens the first one may be missing: some templates write it into the
/// question.
#[derive(Debug, Default)]
struct ThoughtFilter {
    /// The end of the text so far, if it may be the beginning of a mark.
    pending: String,
    within: bool,
    /// Words were given as the answer's.
    has_words: bool,
}

/// A thought ends here that was given as the answer's words.
#[derive(Debug)]
struct Unopened;

impl ThoughtFilter {
    fn push(&mut self, text: &str, found: &mut Vec<Delta>) -> Result<(), Unopened> {
        self.pending.push_str(text);
        loop {
            let marks: &[&str] = if self.within { &[CLOSES] } else { &[OPENS, CLOSES] };
            let first = marks.iter().filter_map(|mark| self.pending.find(*mark).map(|at| (at, *mark))).min();
            if let Some((at, mark)) = first {
                if mark == CLOSES && !self.within && self.has_words {
                    return Err(Unopened);
                }
                let rest = self.pending.split_off(at + mark.len());
                self.pending.truncate(at);
                // What was not given yet is the thought, whoever opened it.
                self.within |= mark == CLOSES;
                self.give(found);
                self.within = mark == OPENS;
                self.pending = rest;
                continue;
            }
            // What may still become a mark waits for what comes.
            let begun = |mark: &&str| (1..mark.len()).rev().find(|n| self.pending.ends_with(&mark[..*n]));
            let kept = marks.iter().filter_map(begun).max().unwrap_or(0);
            let rest = self.pending.split_off(self.pending.len() - kept);
            self.give(found);
            self.pending = rest;
            return Ok(());
        }
    }

    fn give(&mut self, found: &mut Vec<Delta>) {
        let text = std::mem::take(&mut self.pending);
        match (text.is_empty(), self.within) {
            (true, _) => {}
            (false, true) => found.push(Delta::Thinking),
            (false, false) => {
                self.has_words |= !text.trim().is_empty();
                found.push(Delta::Text(Private::new(text)));
            }
        }
    }

    fn finish(&mut self, found: &mut Vec<Delta>) {
        self.give(found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(pieces: &[&[u8]]) -> Vec<Delta> {
        let mut events = ChunkEvents::default();
        let mut found: Vec<Delta> = pieces.iter().flat_map(|piece| events.feed(piece)).collect();
        found.extend(events.finish());
        found.retain(|delta| *delta != Delta::ToolGrows);
        found
    }

    fn text_of(found: &[Delta]) -> String {
        let text = |delta: &Delta| match delta {
            Delta::Text(text) => Some(text.expose().clone()),
            _ => None,
        };
        found.iter().filter_map(text).collect()
    }

    fn chunk(delta: &str, finish: &str) -> String {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n")
    }

    fn said(text: &str) -> String {
        chunk(&format!("{{\"content\":\"{text}\"}}"), "null")
    }

    fn plain() -> String {
        let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":900,\"completion_tokens\":7,\"prompt_tokens_details\":{\"cached_tokens\":800}}}\n\n";
        [
            &chunk("{\"role\":\"assistant\",\"content\":null}", "null"),
            &said("<thi"),
            &said("nk>Hm, 5 < 6.</th"),
            &said("ink>We open at eight."),
            &said(" <three"),
            &chunk("{}", "\"stop\""),
            usage,
            "data: [DONE]\n\n",
        ]
        .map(String::from)
        .concat()
    }

    #[test]
    fn a_text_is_told_without_the_thoughts_that_stand_in_it() {
        let found = read(&[plain().as_bytes()]);
        assert_eq!(text_of(&found), "We open at eight. <three");
        let used = TokensUsed { input: 100, output: 7, cache_read: 800, ..TokensUsed::default() };
        assert_eq!(found[found.len() - 2..], [Delta::Used(used), Delta::Over(Stop::End)]);
    }

    #[test]
    fn an_answer_that_closes_a_thought_which_was_taken_for_it_is_broken() {
        let answer = [said("They ask for"), said(" the price.\\n</th"), said("ink>It is ₦50.")].concat();
        let found = read(&[answer.as_bytes()]);
        let broken = MindError::Broken("the answer closes a thought that it did not open");
        assert_eq!(found.last(), Some(&Delta::Failed(broken)));
        assert_eq!(text_of(&found), "They ask for the price.\n", "nothing is said after it");
    }

    #[test]
    fn a_thought_that_the_question_opened_is_left_out_as_long_as_nothing_was_said_of_it() {
        for begun in ["\\n\\n</think>", "A price?</think>", "<think>A price?</think></think>"] {
            let answer = [said(begun), said("It is ₦50."), chunk("{}", "\"stop\"")].concat();
            let found = read(&[answer.as_bytes()]);
            assert_eq!(text_of(&found), "It is ₦50.", "{begun}");
            assert_eq!(found.last(), Some(&Delta::Over(Stop::End)), "{begun}");
        }
    }

    #[test]
    fn a_tools_call_is_put_together_from_its_pieces() {
        let pieces = [
            chunk("{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"opening_hours\",\"arguments\":\"{\\\"day\\\":\"}}]}", "null"),
            chunk("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\\\"today\\\"}\"}}]}", "null"),
            chunk("{\"tool_calls\":[{\"index\":1,\"function\":{\"name\":\"end_call\",\"arguments\":{}}}]}", "null"),
            chunk("{}", "\"tool_calls\""),
        ]
        .concat();
        let found = read(&[pieces.as_bytes()]);
        let tool = |id: &str, name: &str, input: &str| {
            Delta::Tool(ToolAsked { id: id.to_owned(), name: name.to_owned(), input: Private::new(input.to_owned()) })
        };
        let expected = [tool("c1", "opening_hours", "{\"day\":\"today\"}"), tool("call-1", "end_call", "{}")];
        assert_eq!(found[..2], expected);
        assert_eq!(found.last(), Some(&Delta::Over(Stop::Tools)));
    }

    #[test]
    fn an_error_in_the_stream_and_a_cut_are_failures() {
        for text in ["data: {\"error\":{\"message\":\"no\"}}\n\n", "event: error\ndata: {}\n\n"] {
            assert_eq!(read(&[text.as_bytes()]), [Delta::Failed(MindError::Busy { after: None })], "{text}");
        }
        let cut = said("We ");
        assert_eq!(read(&[cut.as_bytes()]).last(), Some(&Delta::Failed(MindError::Broken("the answer breaks off"))));
    }

    #[test]
    fn a_server_that_forgets_its_last_word_is_forgiven() {
        let text = [said("We are open."), chunk("{}", "\"stop\"")].concat();
        assert_eq!(read(&[text.as_bytes()]).last(), Some(&Delta::Over(Stop::End)));
    }

    proptest! {
        #[test]
        fn any_split_of_an_answer_gives_the_same(cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
            let text = plain();
            let bytes = text.as_bytes();
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
    }
}
