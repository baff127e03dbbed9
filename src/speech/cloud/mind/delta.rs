use crate::speech::MindError;
use crate::terms::Private;

/// What a model's answer consists of, whichever dialect it came in.
#[derive(Clone, PartialEq, Debug)]
pub enum Delta {
    /// It is thinking before it speaks.
    Thinking,
    /// A thought, whole and signed, as the provider's own JSON: it goes back with its
    /// turn, both unchanged, before what a tool said, or it does not go back.
    Thought(Private<String>),
    Text(Private<String>),
    /// It writes what it asks of a tool.
    ToolGrows,
    /// A tool is to be used; its input is whole.
    Tool(ToolAsked),
    Used(TokensUsed),
    /// The answer is over. Nothing follows.
    Over(Stop),
    /// There is no more of it. Nothing follows.
    Failed(MindError),
}

impl Delta {
    /// Whether it shows that the model is at work.
    pub const fn is_of_the_answer(&self) -> bool {
        match self {
            Self::Thinking | Self::Thought(_) | Self::Text(_) | Self::ToolGrows | Self::Tool(_) => true,
            Self::Used(_) | Self::Over(_) | Self::Failed(_) => false,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ToolAsked {
    pub id: String,
    pub name: String,
    /// A JSON object, as far as the model wrote one.
    pub input: Private<String>,
}

/// Why an answer ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// It is complete.
    End,
    /// Tools are to be used first.
    Tools,
    /// It is as long as it may be.
    Length,
    /// The model, or a filter over it, will not answer.
    Refusal,
}

/// What an answer cost and where it was made.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TokensUsed {
    /// Read anew; what was kept from before is not among them.
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_written: u64,
    /// The region in which it was computed, if the provider says so.
    pub inference_geo: Option<String>,
}

/// Reads the bytes of an answer.
pub trait Decode: Send {
    /// Takes the next bytes of the stream.
    fn feed(&mut self, bytes: &[u8]) -> Vec<Delta>;

    /// The stream has ended.
    fn finish(&mut self) -> Vec<Delta>;
}
