use std::time::Duration;

use super::ask::Ask;
use super::delta::Decode;
use crate::egress::HttpRequest;
use crate::residency::{AskedHost, DestinationId};
use crate::speech::MindError;
use crate::speech::cloud::anthropic::{self, AnswerEvents, AnthropicConfig};
use crate::speech::cloud::openai::{self, ChunkEvents, OpenAiConfig};

/// How long each stage of an answer may take. Whoever waits on a telephone
/// takes a second and a half for granted, and hangs up after some more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deadlines {
    /// To a connection, TLS included.
    pub connect: Duration,
    /// From the question to the first sign of an answer, be it a thought.
    pub first_token: Duration,
    /// From the question to the first word, when thoughts come before it.
    pub first_word: Duration,
    /// Between two pieces.
    pub gap: Duration,
    /// From the question to the end of the answer, tools included.
    pub whole: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_millis(1000),
            first_token: Duration::from_millis(1200),
            first_word: Duration::from_millis(2000),
            gap: Duration::from_millis(1000),
            whole: Duration::from_secs(15),
        }
    }
}

/// Whom the mind asks, and in which words of wire.
#[derive(Clone, Debug)]
pub enum Dialect {
    Anthropic(AnthropicConfig),
    OpenAi(OpenAiConfig),
}

impl Dialect {
    /// The name of the mind in records.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Anthropic(_) => "claude-cloud",
            Self::OpenAi(_) => "model-lan",
        }
    }

    pub const fn destination(&self) -> &DestinationId {
        match self {
            Self::Anthropic(config) => &config.destination,
            Self::OpenAi(config) => &config.destination,
        }
    }

    pub const fn host(&self) -> &AskedHost {
        match self {
            Self::Anthropic(config) => &config.host,
            Self::OpenAi(config) => &config.host,
        }
    }

    pub fn model(&self) -> &str {
        match self {
            Self::Anthropic(config) => &config.model,
            Self::OpenAi(config) => &config.model,
        }
    }

    pub const fn deadlines(&self) -> Deadlines {
        match self {
            Self::Anthropic(config) => config.deadlines,
            Self::OpenAi(config) => config.deadlines,
        }
    }

    pub(super) fn request(&self, ask: &Ask) -> HttpRequest {
        match self {
            Self::Anthropic(config) => anthropic::written(config, ask),
            Self::OpenAi(config) => openai::written(config, ask),
        }
    }

    pub(super) fn decoder(&self) -> Box<dyn Decode> {
        match self {
            Self::Anthropic(_) => Box::new(AnswerEvents::default()),
            Self::OpenAi(_) => Box::new(ChunkEvents::default()),
        }
    }

    /// What an answer with an error's status says.
    pub(super) fn refusal<'a>(&self, status: u16, header: impl Fn(&str) -> Option<&'a str>, body: &[u8]) -> MindError {
        match self {
            Self::Anthropic(_) => anthropic::of_refusal(status, header, body),
            Self::OpenAi(_) => openai::of_refusal(status, header, body),
        }
    }
}
