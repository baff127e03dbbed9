//! Claude by Anthropic's Messages interface, version 2026-10-21: how a question
//! is written, and how the stream of its answer is read. It decides nothing and
//! sends nothing.

mod answer;
mod error;
mod question;

pub use answer::AnswerEvents;
pub(super) use error::of_refusal;
pub(super) use question::written;

use std::time::Duration;

use super::mind::Deadlines;
use crate::residency::{AskedHost, DestinationId, Safeguards};
use crate::terms::Private;

/// The version of the interface that is spoken here.
pub const VERSION: &str = "2026-10-21";

/// The model that answers within a telephone's patience.
pub const MODEL: &str = "claude-haiku-5-5";

/// How long the provider keeps the business's knowledge; asked for in each request.
pub const KEPT: Duration = Duration::from_secs(3600);

/// Whether it is told to think, which differs from model to model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Thoughts {
    /// Nothing is said of it: the model's own way.
    Unsaid,
    /// Sonnet 5 and Opus 4.6 to 4.8 can do without.
    Disabled,
    /// Sonnet 5.5 does without before its first words.
    BetweenTools,
}

/// How Claude is asked.
#[derive(Clone, Debug)]
pub struct AnthropicConfig {
    pub destination: DestinationId,
    pub host: AskedHost,
    pub model: String,
    pub key: Private<String>,
    pub thoughts: Thoughts,
    /// Thoughts included. What is said on a telephone has fewer than 150.
    pub max_tokens: u32,
    pub deadlines: Deadlines,
}

impl AnthropicConfig {
    /// Of the safeguards that a policy asks for, those that requests can tell.
    pub fn carries(&self, asked: &Safeguards) -> Safeguards {
        question::told(asked.inference_region.clone())
    }

    pub fn new(destination: DestinationId, host: impl Into<AskedHost>, key: Private<String>) -> Self {
        Self {
            destination,
            host: host.into(),
            model: MODEL.to_owned(),
            key,
            thoughts: Thoughts::Unsaid,
            max_tokens: 700,
            deadlines: Deadlines::default(),
        }
    }
}
