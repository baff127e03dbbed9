//! Turning weights as they are published into the files that the box's engines
//! load. Pure: bytes in, bytes out, and the same bytes every time, so that the
//! result has a checksum of its own. It never trains or prunes; the matrices of
//! the ears it writes in eight bits.

mod ct2;
mod mel;
mod minilm;
mod numbers;
mod onnx;
mod whisper;

use thiserror::Error;

pub use minilm::minilm_onnx;
pub(crate) use minilm::{INPUT as MINILM_INPUT, OUTPUT as MINILM_OUTPUT, WIDTH as MINILM_WIDTH};
pub use whisper::whisper_ggml;

/// Why weights could not be converted. The input was damaged, or is of a kind
/// that this conversion does not know.
#[derive(Debug, Error)]
pub enum ConvertError {
    #[error("reading the weights: the file ends in the middle of {0}")]
    Truncated(&'static str),
    #[error("reading the weights: {0} has an impossible size")]
    Size(&'static str),
    #[error("reading the weights: a name in them is not text")]
    Name,
    #[error("reading the weights: format version {0} is not known")]
    Version(u32),
    #[error("reading the weights: the tensor {0} is missing")]
    Missing(String),
    #[error("reading the weights: the tensor {0} has another shape or number type than the model's design")]
    Unexpected(String),
    #[error("reading the weights: the list of tensors at the head of the file is damaged")]
    Safetensors(#[source] safetensors::SafeTensorError),
    #[error("reading the tokenizer: it is not the JSON that was expected")]
    Tokenizer(#[source] serde_json::Error),
    #[error("reading the tokenizer: token {0} is missing or not written in byte-level characters")]
    Token(u32),
    #[error("writing the converted weights")]
    Write(#[from] std::io::Error),
}
