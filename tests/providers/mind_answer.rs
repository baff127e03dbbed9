//! The mind behind all its protocols: from a conversation to what is said next,
//! in words or by a tool. It looks up the last words of the caller and answers
//! with the fact; what it was not told, it does not know.

use serde_json::Value;

use super::facts::{Facts, Wish, stated_time};
use super::lie::contradicted;
use super::mind_tools::{Purpose, Tool, ToolCall};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    User,
    Assistant,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    Text(String),
    ToolUse { id: String, name: String, input: Value },
    ToolResult { id: String, text: String, is_error: bool },
    Thinking,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    pub role: Role,
    pub blocks: Vec<Block>,
}

/// Whether a tool is to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    Auto,
    Any,
    Named(String),
    Never,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Dialogue {
    pub system: String,
    pub turns: Vec<Turn>,
    pub tools: Vec<Tool>,
    pub choice: ToolChoice,
}

/// What is said, and then perhaps done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub text: String,
    pub tool: Option<ToolCall>,
}

/// How it begins to answer; which, depends on the question.
const OPENINGS: &[&str] = &["", "Certainly. ", "Of course. ", "Sure. "];

const UNKNOWN: &str = "I am sorry, I do not have that information. Would you like to leave a message?";

/// Whether the mind tells the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Honesty {
    Honest,
    Lying,
}

pub fn answer(dialogue: &Dialogue, facts: Option<&Facts>, wall: jiff::Timestamp, honesty: Honesty) -> Answer {
    let mut answer = match results(dialogue) {
        Some(text) => Answer { text, tool: None },
        None => first_answer(dialogue, facts, wall),
    };
    if honesty == Honesty::Lying && answer.tool.is_none() {
        answer.text = contradicted(&answer.text);
    }
    answer
}

/// What is said to the results of tools, if the last turn brings some.
fn results(dialogue: &Dialogue) -> Option<String> {
    let last = dialogue.turns.last()?;
    let mut said = Vec::new();
    for block in &last.blocks {
        if let Block::ToolResult { text, is_error, .. } = block {
            said.push(if *is_error { "I am sorry, that is not possible just now.".to_owned() } else { told(text) });
        }
    }
    (!said.is_empty()).then(|| said.join(" "))
}

/// A tool's result in a sentence.
fn told(result: &str) -> String {
    let text = match serde_json::from_str::<Value>(result) {
        Ok(value) => strings(&value).join(" "),
        Err(_) => result.trim().to_owned(),
    };
    if text.split_whitespace().count() >= 3 { text } else { "All right, that is done.".to_owned() }
}

fn strings(value: &Value) -> Vec<String> {
    for key in ["answer", "say", "text", "result", "sentence"] {
        if let Some(text) = value[key].as_str() {
            return vec![text.to_owned()];
        }
    }
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Number(n) => vec![n.to_string()],
        Value::Array(values) => values.iter().flat_map(strings).collect(),
        Value::Object(fields) => fields.values().flat_map(strings).collect(),
        Value::Bool(_) | Value::Null => Vec::new(),
    }
}

fn first_answer(dialogue: &Dialogue, facts: Option<&Facts>, wall: jiff::Timestamp) -> Answer {
    let said = dialogue.turns.iter().filter(|turn| turn.role == Role::User).filter_map(said).collect::<Vec<_>>();
    let Some(last) = said.last() else { return Answer { text: UNKNOWN.to_owned(), tool: None } };
    let asked: Vec<String> = said.iter().map(|said| said.words.clone()).collect();
    let everything = format!("{}\n{}\n{}", dialogue.system, last.words, last.notes);
    let wish = match last.noted() {
        Some(fact) => Wish::Fact(fact.to_owned()),
        None => facts.map_or(Wish::Unknown, |facts| facts.find(&asked, stated_time(&everything), wall)),
    };
    let name = match &wish {
        Wish::Person(name) => name.clone(),
        _ => None,
    };
    // What a note settles needs no tool to be known.
    let needs_no_lookup = last.noted().is_some();
    if let Some(tool) = tool(dialogue, &wish, &last.words, needs_no_lookup) {
        // What is to be said then, the tool's owner says.
        return Answer { text: String::new(), tool: Some(tool.call(&last.words, name.as_deref())) };
    }
    let text = match wish {
        Wish::Fact(fact) => format!("{}{fact}", opening(&last.words, &fact)),
        Wish::Courtesy(text) => text,
        Wish::Goodbye => "Thank you for calling. Goodbye.".to_owned(),
        Wish::Message => "Of course. What is your message?".to_owned(),
        Wish::Person(_) => "I am sorry, I cannot put you through from here.".to_owned(),
        Wish::Unknown => UNKNOWN.to_owned(),
    };
    Answer { text, tool: None }
}

/// A turn of the caller: their words, and what whoever asks adds to them.
struct Said {
    words: String,
    notes: String,
}

/// Rows that begin so are not the caller's.
const NOTE: &str = "Note";

impl Said {
    /// The fact that a note gives for these words, unless it doubts that it fits.
    fn noted(&self) -> Option<&str> {
        let (head, fact) = self.notes.split_once("found: ")?;
        let fact = fact.lines().next().unwrap_or_default().trim();
        (!head.contains("nothing") && !fact.is_empty()).then_some(fact)
    }
}

/// The tool that is used for this wish, if one is.
fn tool<'a>(dialogue: &'a Dialogue, wish: &Wish, words: &str, needs_no_lookup: bool) -> Option<&'a Tool> {
    let tools = &dialogue.tools;
    let purpose = match (wish, Purpose::asked_for(words)) {
        (Wish::Person(_), _) => Some(Purpose::Person),
        (Wish::Message, _) => Some(Purpose::Message),
        (Wish::Goodbye, _) => Some(Purpose::End),
        (Wish::Courtesy(_), _) => None,
        (_, Some(purpose)) => Some(purpose),
        (Wish::Unknown, None) => Some(Purpose::Lookup),
        (Wish::Fact(_), None) => None,
    };
    // Hours without a tool of their own are looked up.
    let fitting = || match purpose? {
        Purpose::Hours | Purpose::Lookup if needs_no_lookup => None,
        Purpose::Hours => Purpose::Hours.tool(tools).or_else(|| {
            let known = matches!(wish, Wish::Fact(_));
            if known { None } else { Purpose::Lookup.tool(tools) }
        }),
        other => other.tool(tools),
    };
    match &dialogue.choice {
        ToolChoice::Never => None,
        ToolChoice::Named(name) => tools.iter().find(|tool| tool.name == *name),
        ToolChoice::Any => fitting().or_else(|| Purpose::Lookup.tool(tools)).or_else(|| tools.first()),
        ToolChoice::Auto => fitting(),
    }
}

/// What a turn says; none if it only brings results.
fn said(turn: &Turn) -> Option<Said> {
    let texts = turn.blocks.iter().filter_map(|block| match block {
        Block::Text(text) => Some(text.as_str()),
        _ => None,
    });
    let all = texts.collect::<Vec<_>>().join("\n");
    let (notes, words): (Vec<&str>, Vec<&str>) = all.lines().partition(|row| row.trim_start().starts_with(NOTE));
    let words = words.join(" ");
    (!words.trim().is_empty()).then(|| Said { words, notes: notes.join("\n") })
}

fn opening(question: &str, fact: &str) -> &'static str {
    // A fact that begins with "Yes," has its opening.
    if fact.starts_with("Yes") || fact.starts_with("No") {
        return "";
    }
    let sum: usize = question.bytes().map(usize::from).sum();
    OPENINGS[sum % OPENINGS.len()]
}
