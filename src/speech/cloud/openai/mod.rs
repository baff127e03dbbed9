//! A server of the business's own that speaks the chat-completions interface
//! (llama.cpp, Ollama, vLLM): how a question is written, and how the stream of
//! its answer is read. It decides nothing and sends nothing.

mod answer;
mod question;

pub use answer::ChunkEvents;
pub(super) use answer::of_refusal;
pub(super) use question::written;

use std::time::Duration;

use super::mind::Deadlines;
use crate::residency::{AskedHost, DestinationId};
use crate::terms::Private;

/// How a server of the business's own is asked.
#[derive(Clone, Debug)]
pub struct OpenAiConfig {
    pub destination: DestinationId,
    pub host: AskedHost,
    /// The path, `/v1/chat/completions` as a rule.
    pub path: String,
    pub model: String,
    pub key: Option<Private<String>>,
    /// None leaves it to the server.
    pub temperature: Option<f32>,
    pub max_tokens: u32,
    pub deadlines: Deadlines,
}

impl OpenAiConfig {
    pub fn new(destination: DestinationId, host: impl Into<AskedHost>, model: String) -> Self {
        Self {
            destination,
            host: host.into(),
            path: "/v1/chat/completions".to_owned(),
            model,
            key: None,
            temperature: Some(0.2),
            max_tokens: 300,
            // It reads a question slower than a data centre does; what it has read of
            // the knowledge it keeps.
            deadlines: Deadlines { first_token: Duration::from_millis(2000), ..Deadlines::default() },
        }
    }
}
