//! Questions as vectors: all-MiniLM-L6-v2 on rten, shared by all calls. Two
//! texts that mean the same lie close together (their dot product is near 1).
//! It computes in the thread that asks; give it to the engines' pool.

use std::path::{Path, PathBuf};

use rten::{Model, RunOptions};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;
use thiserror::Error;

use super::models::convert::{MINILM_INPUT, MINILM_OUTPUT, MINILM_WIDTH};
use super::rten_companion;
use super::word_pieces::{ReadWordPieces, WordPieces};

/// The files in the models' directory, by their names in the manifest.
const MODEL_FILE: &str = "all-MiniLM-L6-v2.onnx";
const TOKENIZER_FILE: &str = "all-MiniLM-L6-v2.tokenizer.json";

/// Numbers in a vector.
pub const EMBEDDING_WIDTH: usize = MINILM_WIDTH;

/// The model was trained on texts of up to so many tokens, the two marks at
/// the ends included (its `max_seq_length`); the rest of a longer text is cut.
const MAX_TOKENS: usize = 256;

/// Texts that go through the model together: more would need more memory (some
/// 0.4 MB for each at 16 tokens) and be no faster.
const MAX_BATCH: usize = 16;

#[derive(Debug, Error)]
pub enum LoadEmbedder {
    #[error("loading the model of meaning from {path}: it is damaged or not the model that the box was built for")]
    Model {
        path: PathBuf,
        #[source]
        source: rten::LoadError,
    },
    #[error("loading the model of meaning from {path}: it has no input or output by the expected name")]
    Shape { path: PathBuf },
    #[error("loading the tokenizer from {path}: {source}")]
    Tokenizer {
        path: PathBuf,
        #[source]
        source: ReadWordPieces,
    },
    #[error("loading the tokenizer from {path}: the file cannot be read")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// A text could not be turned into a vector. It says nothing of the text.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum EmbedError {
    #[error("finding the meaning of a text: the tokenizer failed")]
    Tokenize,
    #[error("finding the meaning of a text: the model failed")]
    Run,
}

/// The model and its tokenizer, ready to work.
pub struct Embedder {
    model: Model,
    input: rten::NodeId,
    output: rten::NodeId,
    tokenizer: WordPieces,
}

impl Embedder {
    /// Loads both files from the models' directory.
    pub fn load(dir: &Path) -> Result<Self, LoadEmbedder> {
        let path = dir.join(MODEL_FILE);
        let model = match Model::load_file(&path) {
            Ok(model) => model,
            Err(source) => return Err(LoadEmbedder::Model { path, source }),
        };
        let (Ok(input), Ok(output)) = (model.node_id(MINILM_INPUT), model.node_id(MINILM_OUTPUT)) else {
            return Err(LoadEmbedder::Shape { path });
        };
        let path = dir.join(TOKENIZER_FILE);
        let json = match std::fs::read(&path) {
            Ok(json) => json,
            Err(source) => return Err(LoadEmbedder::Read { path, source }),
        };
        let tokenizer = match WordPieces::from_json(&json) {
            Ok(tokenizer) => tokenizer,
            Err(source) => return Err(LoadEmbedder::Tokenizer { path, source }),
        };
        Ok(Self { model, input, output, tokenizer })
    }

    /// The meaning of `text`: [`EMBEDDING_WIDTH`] numbers, of length one.
    pub fn embed(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
        let vectors = self.run(&[self.tokens(text)?])?;
        vectors.into_iter().next().ok_or(EmbedError::Run)
    }

    /// The meanings of many texts, in their order; twice as fast as one by one,
    /// because texts of one length go through the model together.
    pub fn embed_all(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let mut by_length: Vec<(usize, Vec<i32>)> = Vec::with_capacity(texts.len());
        for (at, text) in texts.iter().enumerate() {
            by_length.push((at, self.tokens(text)?));
        }
        by_length.sort_by_key(|(_, ids)| ids.len());
        let mut vectors = vec![Vec::new(); texts.len()];
        for same in by_length.chunk_by(|(_, one), (_, other)| one.len() == other.len()) {
            for batch in same.chunks(MAX_BATCH) {
                let (places, ids): (Vec<usize>, Vec<Vec<i32>>) = batch.iter().cloned().unzip();
                for (at, vector) in places.into_iter().zip(self.run(&ids)?) {
                    vectors[at] = vector;
                }
            }
        }
        Ok(vectors)
    }

    /// Runs the model over texts of one length.
    fn run(&self, texts: &[Vec<i32>]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let length = texts.first().map_or(0, Vec::len);
        let ids = NdTensor::from_data([texts.len(), length], texts.concat());
        let options = RunOptions::default().with_thread_pool(Some(rten_companion()));
        let inputs = vec![(self.input, ids.view().into())];
        let outputs = self.model.run(inputs, &[self.output], Some(options)).map_err(|_| EmbedError::Run)?;
        let vectors: NdTensor<f32, 2> =
            outputs.into_iter().next().ok_or(EmbedError::Run)?.try_into().map_err(|_| EmbedError::Run)?;
        if vectors.shape() != [texts.len(), EMBEDDING_WIDTH] {
            return Err(EmbedError::Run);
        }
        Ok(vectors.to_vec().chunks_exact(EMBEDDING_WIDTH).map(<[f32]>::to_vec).collect())
    }

    /// The ids of the word pieces of `text`, with the marks at its ends.
    pub fn tokens(&self, text: &str) -> Result<Vec<i32>, EmbedError> {
        let ids = self.tokenizer.ids(text, MAX_TOKENS).map_err(|_| EmbedError::Tokenize)?;
        ids.into_iter().map(|id| i32::try_from(id).map_err(|_| EmbedError::Tokenize)).collect()
    }
}
