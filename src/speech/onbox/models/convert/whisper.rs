//! Whisper weights from `CTranslate2` to the GGML file of whisper.cpp, with
//! its matrices in float16 as they came and its vectors in float32.

use std::collections::HashMap;
use std::io::Write;

use serde::Deserialize;

use super::ConvertError;
use super::ct2::{Tensor, Weights};
use super::mel;

/// "ggml", as whisper.cpp reads it.
const MAGIC: u32 = 0x6767_6d6c;
/// whisper.cpp's numbers for the types of a tensor and of a whole file.
const F32: u32 = 0;
const F16: u32 = 1;
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
        write_u32(F16, out)
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
                writer.matrix(&format!("encoder.{conv}.weight"), &format!("encoder/{conv}/weight"))?;
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
        self.write(&format!("{to}.weight"), weight.shape(), Numbers::AsTheyAre(weight.bytes))?;
        if !to.ends_with(".key") {
            return self.vector(&format!("{to}.bias"), bias);
        }
        let zero = bias.bytes.chunks_exact(2).all(|b| f16_to_f32(u16::from_le_bytes([b[0], b[1]])) == 0.0);
        if zero { Ok(()) } else { Err(ConvertError::Unexpected(format!("{from}/bias"))) }
    }

    fn matrix(&mut self, to: &str, from: &str) -> Result<(), ConvertError> {
        let tensor = self.weights.get(from)?;
        if tensor.shape().len() < 2 {
            return Err(ConvertError::Unexpected(from.to_owned()));
        }
        self.write(to, tensor.shape(), Numbers::AsTheyAre(tensor.bytes))
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
        write_u32(if matches!(numbers, Numbers::Widened(_)) { F32 } else { F16 }, self.out)?;
        for size in shape.iter().rev() {
            write_size(*size, self.out)?;
        }
        self.out.write_all(name.as_bytes())?;
        match numbers {
            Numbers::AsTheyAre(bytes) => self.out.write_all(bytes)?,
            Numbers::Widened(bytes) => {
                for b in bytes.chunks_exact(2) {
                    self.out.write_all(&f16_to_f32(u16::from_le_bytes([b[0], b[1]])).to_le_bytes())?;
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
}

/// IEEE 754 half to single precision; exact, as every half is a single.
fn f16_to_f32(half: u16) -> f32 {
    let sign = u32::from(half >> 15) << 31;
    let exponent = u32::from(half >> 10) & 0x1F;
    let fraction = u32::from(half) & 0x3FF;
    match (exponent, fraction) {
        (0x1F, _) => f32::from_bits(sign | 0x7F80_0000 | fraction << 13),
        // Zero and the subnormals: the fraction counts steps of 2^-24.
        (0, steps) => {
            #[allow(clippy::cast_precision_loss)] // ten bits
            let size = steps as f32 * 2.0_f32.powi(-24);
            f32::from_bits(size.to_bits() | sign)
        }
        _ => f32::from_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_widen_to_the_values_of_the_standard() {
        // IEEE 754-2019 binary16: 1, -2, the largest, the smallest subnormal, -0.
        for (half, single) in
            [(0x3C00, 1.0), (0xC000, -2.0), (0x7BFF, 65504.0), (0x0001, 2.0_f32.powi(-24)), (0x8000, -0.0)]
        {
            assert_eq!(f16_to_f32(half).to_bits(), f32::to_bits(single));
        }
        assert_eq!(f16_to_f32(0x7C00), f32::INFINITY);
        assert!(f16_to_f32(0x7E00).is_nan());
    }

    #[test]
    fn every_byte_has_a_character_and_a_space_is_the_published_one() {
        let characters = byte_characters();
        assert_eq!(characters.len(), 256);
        // GPT-2 writes a leading space as U+0120 and a new line as U+010A.
        assert_eq!((characters[&'Ġ'], characters[&'Ċ'], characters[&'a']), (b' ', b'\n', b'a'));
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
