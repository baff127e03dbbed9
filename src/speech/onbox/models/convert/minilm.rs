//! all-MiniLM-L6-v2 from safetensors to ONNX: a BERT of six layers, with the
//! mean over its tokens and the scaling to length one inside the graph. It takes
//! any number of texts of one length, so there is no padding and no mask.

use safetensors::{Dtype, SafeTensors};

use super::ConvertError;
use super::onnx::{Attribute, Graph, Size, TO_FLOAT};

/// From the model's published configuration: `num_hidden_layers`,
/// `hidden_size`, `num_attention_heads`, `layer_norm_eps`.
const LAYERS: usize = 6;
pub(crate) const WIDTH: usize = 384;
const HEADS: usize = 12;
const HEAD_WIDTH: usize = WIDTH / HEADS;
const NORM_EPSILON: f32 = 1e-12;

/// The names of the graph's one input and one output.
pub(crate) const INPUT: &str = "ids";
pub(crate) const OUTPUT: &str = "embedding";

/// Makes the ONNX file from the bytes of `model.safetensors`.
pub fn minilm_onnx(weights: &[u8]) -> Result<Vec<u8>, ConvertError> {
    let weights = SafeTensors::deserialize(weights).map_err(ConvertError::Safetensors)?;
    let mut writer = Writer { weights: &weights, graph: Graph::default() };
    writer.constants();
    let mut state = writer.embeddings()?;
    for layer in 0..LAYERS {
        state = writer.layer(layer, &state)?;
    }
    writer.pool(&state);
    Ok(writer.graph.finish("all-MiniLM-L6-v2"))
}

struct Writer<'w> {
    weights: &'w SafeTensors<'w>,
    graph: Graph,
}

impl Writer<'_> {
    fn constants(&mut self) {
        let signed = |n: usize| i64::try_from(n).unwrap_or(i64::MAX); // small constants of the model
        self.graph.input_int64s(INPUT, &[Size::Any("texts"), Size::Any("tokens")]);
        self.graph.int64s("first", &[0]);
        // A zero keeps the size that is there: texts, tokens.
        self.graph.int64s("by_head", &[0, 0, signed(HEADS), signed(HEAD_WIDTH)]);
        self.graph.int64s("by_token", &[0, 0, signed(WIDTH)]);
        for (name, value) in [
            // Attention's scale and the numbers of GELU (Hendrycks & Gimpel 2016).
            ("scale", 1.0 / (HEAD_WIDTH as f32).sqrt()),
            ("root_two", std::f32::consts::SQRT_2),
            ("one", 1.0),
            ("half", 0.5),
        ] {
            self.graph.floats(name, &[], &value.to_le_bytes());
        }
    }

    /// Words, positions and the type of the only segment, then the norm.
    fn embeddings(&mut self) -> Result<String, ConvertError> {
        self.words()?;
        let segment = self.numbers("embeddings.token_type_embeddings.weight")?;
        let positions = self.numbers("embeddings.position_embeddings.weight")?;
        // There is only the first segment, so its vector joins every position's.
        let joined: Vec<u8> = positions
            .chunks_exact(WIDTH)
            .flat_map(|row| row.iter().zip(&segment).flat_map(|(p, s)| (p + s).to_le_bytes()))
            .collect();
        self.graph.floats("positions", &[positions.len() / WIDTH, WIDTH], &joined);
        let graph = &mut self.graph;
        let count = graph.node("Shape", &[INPUT], "count", &[("start", Attribute::Int(1))]);
        let places = graph.node("Slice", &["positions", "first", &count, "first"], "places", &[]);
        let sum = graph.node("Add", &["words", &places], "placed", &[]);
        self.norm("embeddings.LayerNorm", &sum)
    }

    /// The table of word vectors, half of all the numbers in the model, is kept
    /// as one byte a number with one scale a word: 12 MB instead of 47.
    fn words(&mut self) -> Result<(), ConvertError> {
        let table = self.numbers("embeddings.word_embeddings.weight")?;
        let mut bytes = Vec::with_capacity(table.len());
        let mut scales = Vec::with_capacity(table.len() / WIDTH * 4);
        for word in table.chunks_exact(WIDTH) {
            let largest = word.iter().fold(0.0_f32, |largest, n| largest.max(n.abs()));
            let scale = if largest > 0.0 { largest / f32::from(i8::MAX) } else { 1.0 };
            #[allow(clippy::cast_possible_truncation)] // within -127 to 127 by the choice of scale
            bytes.extend(word.iter().map(|n| (n / scale).round() as i8));
            scales.extend(scale.to_le_bytes());
        }
        let words = table.len() / WIDTH;
        self.graph.int8s("word_bytes", &[words, WIDTH], &bytes);
        self.graph.floats("word_scales", &[words, 1], &scales);
        let rows = [("axis", Attribute::Int(0))];
        let graph = &mut self.graph;
        let bytes = graph.node("Gather", &["word_bytes", INPUT], "word_rows", &rows);
        let scales = graph.node("Gather", &["word_scales", INPUT], "row_scales", &rows);
        let numbers = graph.node("Cast", &[&bytes], "word_numbers", &[("to", TO_FLOAT)]);
        graph.node("Mul", &[&numbers, &scales], "words", &[]);
        Ok(())
    }

    fn layer(&mut self, layer: usize, input: &str) -> Result<String, ConvertError> {
        let name = format!("encoder.layer.{layer}");
        let attended = self.attention(&format!("{name}.attention.self"), input)?;
        let attended = self.dense(&format!("{name}.attention.output.dense"), &attended)?;
        let sum = self.graph.node("Add", &[&attended, input], &format!("{name}.attended"), &[]);
        let middle = self.norm(&format!("{name}.attention.output.LayerNorm"), &sum)?;
        let wide = self.dense(&format!("{name}.intermediate.dense"), &middle)?;
        let wide = self.gelu(&wide);
        let narrow = self.dense(&format!("{name}.output.dense"), &wide)?;
        let sum = self.graph.node("Add", &[&narrow, &middle], &format!("{name}.sum"), &[]);
        self.norm(&format!("{name}.output.LayerNorm"), &sum)
    }

    fn attention(&mut self, name: &str, input: &str) -> Result<String, ConvertError> {
        let query = self.heads(&format!("{name}.query"), input, &[0, 2, 1, 3])?;
        // Transposed for the product: text, head, width, token.
        let key = self.heads(&format!("{name}.key"), input, &[0, 2, 3, 1])?;
        let value = self.heads(&format!("{name}.value"), input, &[0, 2, 1, 3])?;
        let graph = &mut self.graph;
        let scores = graph.node("MatMul", &[&query, &key], &format!("{name}.products"), &[]);
        let scores = graph.node("Mul", &[&scores, "scale"], &format!("{name}.scores"), &[]);
        let shares = graph.node("Softmax", &[&scores], &format!("{name}.shares"), &[("axis", Attribute::Int(-1))]);
        let mixed = graph.node("MatMul", &[&shares, &value], &format!("{name}.mixed"), &[]);
        let order = [("perm", Attribute::Ints(&[0, 2, 1, 3]))];
        let mixed = graph.node("Transpose", &[&mixed], &format!("{name}.by_token"), &order);
        Ok(graph.node("Reshape", &[&mixed, "by_token"], &format!("{name}.joined"), &[]))
    }

    /// A dense layer whose result is cut into heads and put in `order` (axes:
    /// text, token, head, width).
    fn heads(&mut self, name: &str, input: &str, order: &[i64]) -> Result<String, ConvertError> {
        let dense = self.dense(name, input)?;
        let cut = self.graph.node("Reshape", &[&dense, "by_head"], &format!("{name}.cut"), &[]);
        Ok(self.graph.node("Transpose", &[&cut], &format!("{name}.heads"), &[("perm", Attribute::Ints(order))]))
    }

    /// Weights lie as PyTorch keeps them (outputs in rows); they are turned
    /// over here, once, for the shape that matrix products are fastest in.
    fn dense(&mut self, name: &str, input: &str) -> Result<String, ConvertError> {
        let weight = format!("{name}.weight");
        let numbers = self.numbers(&weight)?;
        let outputs = self.copy(&format!("{name}.bias"))?;
        let inputs = numbers.len().checked_div(outputs).filter(|n| n * outputs == numbers.len());
        let inputs = inputs.ok_or_else(|| ConvertError::Unexpected(weight.clone()))?;
        let turned: Vec<u8> = (0..inputs)
            .flat_map(|column| (0..outputs).map(move |row| row * inputs + column))
            .flat_map(|at| numbers[at].to_le_bytes())
            .collect();
        self.graph.floats(&weight, &[inputs, outputs], &turned);
        let product = self.graph.node("MatMul", &[input, &weight], &format!("{name}.product"), &[]);
        Ok(self.graph.node("Add", &[&product, &format!("{name}.bias")], &format!("{name}.dense"), &[]))
    }

    fn norm(&mut self, name: &str, input: &str) -> Result<String, ConvertError> {
        let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
        self.copy(&weight)?;
        self.copy(&bias)?;
        let attributes = [("axis", Attribute::Int(-1)), ("epsilon", Attribute::Float(NORM_EPSILON))];
        Ok(self.graph.node("LayerNormalization", &[input, &weight, &bias], &format!("{name}.normed"), &attributes))
    }

    /// x/2 (1 + erf(x/√2)), the exact form that the model was trained with.
    fn gelu(&mut self, input: &str) -> String {
        let graph = &mut self.graph;
        let scaled = graph.node("Div", &[input, "root_two"], &format!("{input}.scaled"), &[]);
        let error = graph.node("Erf", &[&scaled], &format!("{input}.erf"), &[]);
        let sum = graph.node("Add", &[&error, "one"], &format!("{input}.plus_one"), &[]);
        let product = graph.node("Mul", &[input, &sum], &format!("{input}.times"), &[]);
        graph.node("Mul", &[&product, "half"], &format!("{input}.gelu"), &[])
    }

    /// The mean over the tokens, scaled to length one, as the model's makers
    /// pool it; the length of a mean of normed vectors is never zero.
    fn pool(&mut self, state: &str) {
        let graph = &mut self.graph;
        let over_tokens = [("axes", Attribute::Ints(&[1])), ("keepdims", Attribute::Int(0))];
        let mean = graph.node("ReduceMean", &[state], "mean", &over_tokens);
        let whole = [("axes", Attribute::Ints(&[1])), ("keepdims", Attribute::Int(1))];
        let length = graph.node("ReduceL2", &[&mean], "length", &whole);
        graph.node("Div", &[&mean, &length], OUTPUT, &[]);
        graph.output_floats(OUTPUT, &[Size::Any("texts"), Size::Fixed(WIDTH)]);
    }

    /// Adds a vector as it is, and returns its length.
    fn copy(&mut self, name: &str) -> Result<usize, ConvertError> {
        let numbers = self.numbers(name)?;
        let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        self.graph.floats(name, &[numbers.len()], &bytes);
        Ok(numbers.len())
    }

    fn numbers(&self, name: &str) -> Result<Vec<f32>, ConvertError> {
        let tensor = self.weights.tensor(name).map_err(|_| ConvertError::Missing(name.to_owned()))?;
        if tensor.dtype() != Dtype::F32 {
            return Err(ConvertError::Unexpected(name.to_owned()));
        }
        Ok(tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_safetensors_file_is_refused() {
        assert!(matches!(minilm_onnx(b"<html>"), Err(ConvertError::Safetensors(_))));
    }

    #[test]
    fn the_first_missing_tensor_is_named() {
        let none: [(&str, safetensors::tensor::TensorView<'_>); 0] = [];
        let empty = safetensors::serialize(none, None).unwrap();
        let error = minilm_onnx(&empty);
        assert!(matches!(error, Err(ConvertError::Missing(name)) if name == "embeddings.word_embeddings.weight"));
    }
}
