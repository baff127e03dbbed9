//! Whisper weights from `CTranslate2` to the GGML file of whisper.cpp, with
//! its matrices in `Q8_0`, its convolutions in float16 as they came and its
//! vectors in float32. `Q8_0` takes about half the processor time of float16
//! for a decode, and hears a clear voice as well; of voices that are hard to
//! understand it may miss a few words more.

use std::collections::HashMap;
use std::io::Write;

use serde::Deserialize;

use super::ConvertError;
use super::ct2::{Tensor, Weights};
use super::mel;
use super::numbers::{BLOCK, halves, q8_0};

/// "ggml", as whisper.cpp reads it.
const MAGIC: u32 = 0x6767_6d6c;
/// whisper.cpp's numbers for the types of a tensor.
const F32: u32 = 0;
const F16: u32 = 1;
const Q8_0: u32 = 8;
/// The type of a whole file: 7 says that its matrices are in `Q8_0`, the
/// thousands say which layout of the quantised types is meant.
const FILE_TYPE: u32 = 2_000 + 7;
/// Every Whisper model has heads this wide.
const HEAD_WIDTH: usize = 64;
/// From this vocabulary on the model is multilingual (whisper.cpp decides the
/// same way), which moves its special tokens by one.
const MULTILINGUAL_VOCABULARY: usize = 51_865;
/// Tokens that are text in an English model; a multilingual one has one more.
const ENGLISH_TEXT_TOKENS: u32 = 50_256;

/// Writes the GGML file for `weights` (a whole `model.bin`) and `tokenizer`
/// (the `tokenizer.json` beside it).
pub fn whisper_ggml(weights: &[u8], tokenizer: &[u8], out: &mut impl Write) -> Result<(), ConvertError> {
    let weights = Weights::read(weights)?;
    let vocabulary = read_vocabulary(tokenizer)?;
    let shape = Shape::of(&weights)?;
    shape.write(out)?;
    write_filters(out)?;
    write_vocabulary(&vocabulary, shape.text_tokens(), out)?;
    write_side(&weights, Side::Encoder, &shape, out)?;
    write_side(&weights, Side::Decoder, &shape, out)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Encoder,
    Decoder,
}

impl Side {
    const fn name(self) -> &'static str {
        match self {
            Self::Encoder => "encoder",
            Self::Decoder => "decoder",
        }
    }
}

/// The measures of a model, read from its tensors.
struct Shape {
    vocabulary: usize,
    state: usize,
    audio_context: usize,
    text_context: usize,
    audio_layers: usize,
    text_layers: usize,
}

impl Shape {
    fn of(weights: &Weights<'_>) -> Result<Self, ConvertError> {
        let (vocabulary, state) = matrix(weights, "decoder/embeddings/weight")?;
        let (audio_context, _) = matrix(weights, "encoder/position_encodings/encodings")?;
        let (text_context, _) = matrix(weights, "decoder/position_encodings/encodings")?;
        let layers = |side: Side| {
            (0..)
                .take_while(|n| weights.has(&format!("{}/layer_{n}/self_attention/linear_0/weight", side.name())))
                .count()
        };
        let (audio_layers, text_layers) = (layers(Side::Encoder), layers(Side::Decoder));
        Ok(Self { vocabulary, state, audio_context, text_context, audio_layers, text_layers })
    }

    fn text_tokens(&self) -> u32 {
        ENGLISH_TEXT_TOKENS + u32::from(self.vocabulary >= MULTILINGUAL_VOCABULARY)
    }

    /// Magic, then the measures in whisper.cpp's order.
    fn write(&self, out: &mut impl Write) -> Result<(), ConvertError> {
        let heads = self.state / HEAD_WIDTH;
        write_u32(MAGIC, out)?;
        for measure in [
            self.vocabulary,
            self.audio_context,
            self.state,
            heads,
            self.audio_layers,
            self.text_context,
            self.state,
            heads,
            self.text_layers,
            mel::BANDS,
        ] {
            write_size(measure, out)?;
        }
        write_u32(FILE_TYPE, out)
    }
}

fn matrix(weights: &Weights<'_>, name: &str) -> Result<(usize, usize), ConvertError> {
    match weights.get(name)?.shape() {
        [rows, columns] => Ok((*rows, *columns)),
        _ => Err(ConvertError::Unexpected(name.to_owned())),
    }
}

fn write_u32(value: u32, out: &mut impl Write) -> Result<(), ConvertError> {
    Ok(out.write_all(&value.to_le_bytes())?)
}

fn write_size(value: usize, out: &mut impl Write) -> Result<(), ConvertError> {
    write_u32(u32::try_from(value).map_err(|_| ConvertError::Size("a tensor"))?, out)
}

fn write_filters(out: &mut impl Write) -> Result<(), ConvertError> {
    write_size(mel::BANDS, out)?;
    write_size(mel::BINS, out)?;
    for weight in mel::filters().iter().flatten() {
        out.write_all(&weight.to_le_bytes())?;
    }
    Ok(())
}

fn write_vocabulary(
    vocabulary: &HashMap<u32, String>,
    text_tokens: u32,
    out: &mut impl Write,
) -> Result<(), ConvertError> {
    let bytes = byte_characters();
    write_u32(text_tokens, out)?;
    for id in 0..text_tokens {
        let token = vocabulary.get(&id).ok_or(ConvertError::Token(id))?;
        let text: Option<Vec<u8>> = token.chars().map(|c| bytes.get(&c).copied()).collect();
        let text = text.ok_or(ConvertError::Token(id))?;
        write_size(text.len(), out)?;
        out.write_all(&text)?;
    }
    Ok(())
}

fn read_vocabulary(tokenizer: &[u8]) -> Result<HashMap<u32, String>, ConvertError> {
    #[derive(Deserialize)]
    struct Tokenizer {
        model: Model,
    }
    #[derive(Deserialize)]
    struct Model {
        vocab: HashMap<String, u32>,
    }
    let tokenizer: Tokenizer = serde_json::from_slice(tokenizer).map_err(ConvertError::Tokenizer)?;
    Ok(tokenizer.model.vocab.into_iter().map(|(text, id)| (id, text)).collect())
}

/// The characters that byte-level tokens are written in: printing Latin-1
/// stands for itself, every other byte for the next character from U+0100 on
/// (GPT-2's scheme).
fn byte_characters() -> HashMap<char, u8> {
    let mut next = 0x100_u32;
    (0..=u8::MAX)
        .map(|byte| {
            let stands_for_itself = matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
            let code = if stands_for_itself {
                u32::from(byte)
            } else {
                next += 1;
                next - 1
            };
            // Below U+0144, far from the surrogates.
            (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), byte)
        })
        .collect()
}

/// Everything of the encoder or the decoder.
fn write_side(weights: &Weights<'_>, side: Side, shape: &Shape, out: &mut impl Write) -> Result<(), ConvertError> {
    let name = side.name();
    let mut writer = TensorWriter { weights, out };
    writer.positions(&format!("{name}.positional_embedding"), &format!("{name}/position_encodings/encodings"))?;
    let layers = match side {
        Side::Encoder => {
            for conv in ["conv1", "conv2"] {
                writer.convolution(&format!("encoder.{conv}.weight"), &format!("encoder/{conv}/weight"))?;
                writer.column(&format!("encoder.{conv}.bias"), &format!("encoder/{conv}/bias"))?;
            }
            writer.norm("encoder.ln_post", "encoder/layer_norm")?;
            shape.audio_layers
        }
        Side::Decoder => {
            writer.matrix("decoder.token_embedding.weight", "decoder/embeddings/weight")?;
            writer.norm("decoder.ln", "decoder/layer_norm")?;
            shape.text_layers
        }
    };
    for layer in 0..layers {
        writer.layer(side, layer, shape.state)?;
    }
    Ok(())
}

struct TensorWriter<'w, 'a, W> {
    weights: &'w Weights<'a>,
    out: &'w mut W,
}

impl<W: Write> TensorWriter<'_, '_, W> {
    /// One transformer layer: attention (fused in the source, apart in GGML),
    /// in the decoder also attention to the encoder, and the feed-forward part.
    fn layer(&mut self, side: Side, layer: usize, state: usize) -> Result<(), ConvertError> {
        let to = format!("{}.blocks.{layer}", side.name());
        let from = format!("{}/layer_{layer}", side.name());
        self.norm(&format!("{to}.attn_ln"), &format!("{from}/self_attention/layer_norm"))?;
        let fused = format!("{from}/self_attention/linear_0");
        for (part, name) in ["query", "key", "value"].into_iter().enumerate() {
            self.part(&format!("{to}.attn.{name}"), &fused, Part { start: part * state, rows: state })?;
        }
        self.linear(&format!("{to}.attn.out"), &format!("{from}/self_attention/linear_1"))?;
        if side == Side::Decoder {
            self.norm(&format!("{to}.cross_attn_ln"), &format!("{from}/attention/layer_norm"))?;
            self.linear(&format!("{to}.cross_attn.query"), &format!("{from}/attention/linear_0"))?;
            let fused = format!("{from}/attention/linear_1");
            for (part, name) in ["key", "value"].into_iter().enumerate() {
                self.part(&format!("{to}.cross_attn.{name}"), &fused, Part { start: part * state, rows: state })?;
            }
            self.linear(&format!("{to}.cross_attn.out"), &format!("{from}/attention/linear_2"))?;
        }
        self.norm(&format!("{to}.mlp_ln"), &format!("{from}/ffn/layer_norm"))?;
        self.linear(&format!("{to}.mlp.0"), &format!("{from}/ffn/linear_0"))?;
        self.linear(&format!("{to}.mlp.2"), &format!("{from}/ffn/linear_1"))
    }

    fn linear(&mut self, to: &str, from: &str) -> Result<(), ConvertError> {
        self.matrix(&format!("{to}.weight"), &format!("{from}/weight"))?;
        self.vector(&format!("{to}.bias"), self.weights.get(&format!("{from}/bias"))?)
    }

    fn norm(&mut self, to: &str, from: &str) -> Result<(), ConvertError> {
        self.vector(&format!("{to}.weight"), self.weights.get(&format!("{from}/gamma"))?)?;
        self.vector(&format!("{to}.bias"), self.weights.get(&format!("{from}/beta"))?)
    }

    /// Some rows of a fused matrix and of its bias. Whisper's keys have no
    /// bias: the fused vector must be zero there, and GGML has no place for it.
    fn part(&mut self, to: &str, from: &str, part: Part) -> Result<(), ConvertError> {
        let cut = |name: String| {
            let tensor = self.weights.get(&name)?;
            tensor.rows(part.start, part.rows).ok_or(ConvertError::Unexpected(name))
        };
        let (weight, bias) = (cut(format!("{from}/weight"))?, cut(format!("{from}/bias"))?);
        self.quantised(&format!("{to}.weight"), weight)?;
        if !to.ends_with(".key") {
            return self.vector(&format!("{to}.bias"), bias);
        }
        let zero = halves(bias.bytes).all(|number| number == 0.0);
        if zero { Ok(()) } else { Err(ConvertError::Unexpected(format!("{from}/bias"))) }
    }

    fn matrix(&mut self, to: &str, from: &str) -> Result<(), ConvertError> {
        self.quantised(to, self.weights.get(from)?)
    }

    /// whisper.cpp wants every matrix in the type of the file, so one whose
    /// rows are no whole blocks cannot be written: no Whisper model has one,
    /// as the width of a head is two blocks.
    fn quantised(&mut self, to: &str, tensor: Tensor<'_>) -> Result<(), ConvertError> {
        match tensor.shape() {
            [_, row] if row % BLOCK == 0 => self.write(to, tensor.shape(), Numbers::Quantised(tensor.bytes)),
            _ => Err(ConvertError::Unexpected(to.to_owned())),
        }
    }

    /// whisper.cpp keeps convolutions in float16, whatever the file's type.
    fn convolution(&mut self, to: &str, from: &str) -> Result<(), ConvertError> {
        let tensor = self.weights.get(from)?;
        match tensor.shape() {
            [_, _, _] => self.write(to, tensor.shape(), Numbers::AsTheyAre(tensor.bytes)),
            _ => Err(ConvertError::Unexpected(from.to_owned())),
        }
    }

    /// Positions are added to float32 values, so whisper.cpp wants them so.
    fn positions(&mut self, to: &str, from: &str) -> Result<(), ConvertError> {
        let tensor = self.weights.get(from)?;
        self.write(to, tensor.shape(), Numbers::Widened(tensor.bytes))
    }

    fn vector(&mut self, to: &str, tensor: Tensor<'_>) -> Result<(), ConvertError> {
        match tensor.shape() {
            [size] => self.write(to, &[*size], Numbers::Widened(tensor.bytes)),
            _ => Err(ConvertError::Unexpected(to.to_owned())),
        }
    }

    /// A convolution's bias, which whisper.cpp adds to columns.
    fn column(&mut self, to: &str, from: &str) -> Result<(), ConvertError> {
        let tensor = self.weights.get(from)?;
        match tensor.shape() {
            [size] => self.write(to, &[*size, 1], Numbers::Widened(tensor.bytes)),
            _ => Err(ConvertError::Unexpected(from.to_owned())),
        }
    }

    /// Rank, name length, type, dimensions from the innermost, name, numbers.
    fn write(&mut self, name: &str, shape: &[usize], numbers: Numbers<'_>) -> Result<(), ConvertError> {
        write_size(shape.len(), self.out)?;
        write_size(name.len(), self.out)?;
        write_u32(numbers.ggml_type(), self.out)?;
        for size in shape.iter().rev() {
            write_size(*size, self.out)?;
        }
        self.out.write_all(name.as_bytes())?;
        match numbers {
            Numbers::AsTheyAre(bytes) => self.out.write_all(bytes)?,
            Numbers::Widened(bytes) => {
                for number in halves(bytes) {
                    self.out.write_all(&number.to_le_bytes())?;
                }
            }
            Numbers::Quantised(bytes) => {
                for half_block in bytes.chunks_exact(2 * BLOCK) {
                    let mut weights = [0.0; BLOCK];
                    weights.iter_mut().zip(halves(half_block)).for_each(|(to, from)| *to = from);
                    let block = q8_0(&weights).ok_or_else(|| ConvertError::Unexpected(name.to_owned()))?;
                    self.out.write_all(&block)?;
                }
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Part {
    start: usize,
    rows: usize,
}

/// Float16 numbers, and how to write them.
#[derive(Clone, Copy)]
enum Numbers<'a> {
    AsTheyAre(&'a [u8]),
    Widened(&'a [u8]),
    Quantised(&'a [u8]),
}

impl Numbers<'_> {
    const fn ggml_type(self) -> u32 {
        match self {
            Self::AsTheyAre(_) => F16,
            Self::Widened(_) => F32,
            Self::Quantised(_) => Q8_0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_character_and_a_space_is_the_published_one() {
        let characters = byte_characters();
        assert_eq!(characters.len(), 256);
        // GPT-2 writes a leading space as U+0120 and a new line as U+010A.
        assert_eq!((characters[&'Ġ'], characters[&'Ċ'], characters[&'a']), (b' ', b'\n', b'a'));
    }

    /// A model without layers: `state` wide, two sounds and one token long,
    /// every number a one. Tokens are as many as whisper.cpp wants.
    fn without_layers(state: u32) -> (Vec<u8>, Vec<u8>) {
        let shapes: [(&str, &[u32]); 11] = [
            ("decoder/embeddings/weight", &[3, state]),
            ("encoder/position_encodings/encodings", &[2, state]),
            ("decoder/position_encodings/encodings", &[1, state]),
            ("encoder/conv1/weight", &[state, 80, 3]),
            ("encoder/conv1/bias", &[state]),
            ("encoder/conv2/weight", &[state, state, 3]),
            ("encoder/conv2/bias", &[state]),
            ("encoder/layer_norm/gamma", &[state]),
            ("encoder/layer_norm/beta", &[state]),
            ("decoder/layer_norm/gamma", &[state]),
            ("decoder/layer_norm/beta", &[state]),
        ];
        let numbers: Vec<Vec<u8>> =
            shapes.iter().map(|(_, shape)| [0x00, 0x3C].repeat(shape.iter().product::<u32>() as usize)).collect();
        let tensors: Vec<(&str, &[u32], &[u8])> =
            shapes.iter().zip(&numbers).map(|((name, shape), bytes)| (*name, *shape, &bytes[..])).collect();
        let vocabulary: Vec<String> = (0..ENGLISH_TEXT_TOKENS).map(|id| format!("\"{id}\":{id}")).collect();
        let tokenizer = format!(r#"{{"model":{{"vocab":{{{}}}}}}}"#, vocabulary.join(","));
        (super::super::ct2::tests::file(&tensors), tokenizer.into_bytes())
    }

    struct Written {
        name: String,
        number_type: u32,
        /// The innermost first.
        dimensions: Vec<u32>,
        bytes: Vec<u8>,
    }

    /// The type of the file and its tensors, read as whisper.cpp reads them.
    fn read_back(file: &[u8]) -> (u32, Vec<Written>) {
        let mut rest = file;
        let u32_of = |rest: &mut &[u8]| {
            let (number, after) = rest.split_first_chunk().unwrap();
            *rest = after;
            u32::from_le_bytes(*number)
        };
        let head: Vec<u32> = (0..12).map(|_| u32_of(&mut rest)).collect();
        let filters = u32_of(&mut rest) * u32_of(&mut rest);
        rest = &rest[4 * filters as usize..];
        for _ in 0..u32_of(&mut rest) {
            let length = u32_of(&mut rest);
            rest = &rest[length as usize..];
        }
        let mut tensors = Vec::new();
        while !rest.is_empty() {
            let (rank, name, number_type) = (u32_of(&mut rest), u32_of(&mut rest), u32_of(&mut rest));
            let dimensions: Vec<u32> = (0..rank).map(|_| u32_of(&mut rest)).collect();
            let (name, after) = rest.split_at(name as usize);
            let numbers = dimensions.iter().product::<u32>();
            let size = match number_type {
                0 => 4 * numbers,
                1 => 2 * numbers,
                8 => numbers / 32 * 34,
                other => panic!("type {other}"),
            };
            let (bytes, after) = after.split_at(size as usize);
            rest = after;
            let name = String::from_utf8(name.to_vec()).unwrap();
            tensors.push(Written { name, number_type, dimensions, bytes: bytes.to_vec() });
        }
        (head[11], tensors)
    }

    #[test]
    fn matrices_are_quantised_convolutions_stay_halves_and_all_else_is_single() {
        let (weights, tokenizer) = without_layers(64);
        let mut file = Vec::new();
        whisper_ggml(&weights, &tokenizer, &mut file).unwrap();
        let (file_type, tensors) = read_back(&file);
        // ggml's second layout of quantised types, and its number for files of Q8_0.
        assert_eq!((file_type / 1000, file_type % 1000), (2, 7));
        assert_eq!(tensors.len(), 11);
        for Written { name, number_type, dimensions, bytes } in &tensors {
            let expected = match name.as_str() {
                "decoder.token_embedding.weight" => 8,
                "encoder.conv1.weight" | "encoder.conv2.weight" => 1,
                _ => 0,
            };
            assert_eq!(*number_type, expected, "{name}");
            if expected == 8 {
                // A one is 127 steps of 1/127, which is 2^-7 x 1.00787: exponent
                // 15 - 7, and 8 of 1024 beyond it.
                assert_eq!(dimensions, &[64, 3]);
                let mut block = (8_u16 << 10 | 8).to_le_bytes().to_vec();
                block.extend([127; 32]);
                assert_eq!(*bytes, block.repeat(6));
            }
        }
    }

    #[test]
    fn a_matrix_whose_rows_are_no_whole_blocks_is_refused_by_name() {
        let (weights, tokenizer) = without_layers(40);
        let error = whisper_ggml(&weights, &tokenizer, &mut Vec::new());
        assert!(matches!(error, Err(ConvertError::Unexpected(name)) if name == "decoder.token_embedding.weight"));
    }

    #[test]
    fn weights_without_a_decoder_are_refused_by_the_name_of_what_is_missing() {
        let bytes = super::super::ct2::tests::file(&[("encoder/conv1/bias", &[1], &[0, 0])]);
        let error = whisper_ggml(&bytes, br#"{"model":{"vocab":{}}}"#, &mut Vec::new());
        assert!(matches!(error, Err(ConvertError::Missing(name)) if name == "decoder/embeddings/weight"));
    }

    #[test]
    fn a_tokenizer_that_is_no_json_is_refused() {
        let bytes = super::super::ct2::tests::file(&[]);
        assert!(matches!(whisper_ggml(&bytes, b"<html>", &mut Vec::new()), Err(ConvertError::Tokenizer(_))));
    }
}
