//! A Piper voice's graph on rten: symbols in, sound out in slices. It knows
//! nothing of text, of lines or of threads.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use rten::{Model, NodeId, RunOptions, ThreadPool, Value, ValueOrView};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, NdTensorView};
use serde::Deserialize;
use thiserror::Error;

use super::finish::HZ;

/// Samples that the decoder makes of one frame of the latent sound.
pub(super) const FRAME_SAMPLES: usize = 256;

/// Frames on either side that the decoder's convolutions see. With 12 the
/// slices are the whole decode's samples, bit for bit; with 8 they are not.
const SURROUNDINGS: usize = 12;

/// The input of the decoder, by its name in Piper's export: where the graph
/// is cut in two.
const LATENT: &str = "/Mul_7_output_0";

/// The two places where the graph would draw random numbers. They are drawn
/// here instead, so that a sentence sounds the same every time.
const DURATION_NOISE: &str = "/dp/RandomNormalLike_output_0";
const SOUND_NOISE: &str = "/RandomNormalLike_output_0";

/// Symbols in one breath: 120 characters of words make at most some 500 with
/// the pads; the encoder's memory grows with the square of it.
const SYMBOLS_MAX: usize = 1000;

/// Rows of the noise over durations, as the graph's stochastic predictor wants.
const DURATION_ROWS: usize = 2;

#[derive(Debug, Error)]
pub enum LoadVoice {
    #[error("reading the voice's description {path}: {source}")]
    Description { path: String, source: std::io::Error },
    #[error("reading the voice's description {path}: it is not a Piper voice's JSON ({source})")]
    NotPiper { path: String, source: serde_json::Error },
    #[error("loading the voice {path}: {source}")]
    Graph { path: String, source: Box<rten::LoadError> },
    #[error("loading the voice {path}: its graph has no `{name}`, so it is no export of Piper that this engine knows")]
    Unknown { path: String, name: &'static str },
    #[error("loading the voice {path}: it has {speakers} speakers, and only voices of one are spoken")]
    Speakers { path: String, speakers: u32 },
    #[error("loading the voice {path}: it speaks at {hz} Hz, and only voices of {HZ} Hz are spoken")]
    Rate { path: String, hz: u32 },
}

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RunVoice {
    #[error("making sound: the clause has no sound or more than {SYMBOLS_MAX} symbols")]
    Length,
    #[error("making sound: the voice's graph failed")]
    Graph,
    #[error("making sound: the voice's graph made something of another shape")]
    Shape,
}

/// The parts of the voice's JSON that matter here.
#[derive(Deserialize)]
struct Description {
    audio: Audio,
    inference: Inference,
    phoneme_id_map: HashMap<String, Vec<i32>>,
    #[serde(default = "one")]
    num_speakers: u32,
}

const fn one() -> u32 {
    1
}

#[derive(Deserialize)]
struct Audio {
    sample_rate: u32,
}

#[derive(Clone, Copy, Deserialize)]
struct Inference {
    noise_scale: f32,
    length_scale: f32,
    noise_w: f32,
}

pub(super) struct Graph {
    model: Model,
    nodes: Nodes,
    inference: Inference,
    symbols: HashMap<char, i32>,
    edges: Edges,
}

struct Nodes {
    input: NodeId,
    lengths: NodeId,
    scales: NodeId,
    duration_noise: NodeId,
    sound_noise: NodeId,
    sound_noise_like: NodeId,
    latent: NodeId,
    output: NodeId,
}

/// The symbols around and between the sounds.
#[derive(Clone, Copy)]
struct Edges {
    begin: i32,
    pad: i32,
    end: i32,
}

/// A clause as the decoder takes it.
pub(super) struct Latent(NdTensor<f32, 3>);

impl Latent {
    pub(super) fn frames(&self) -> usize {
        self.0.size(2)
    }
}

impl Graph {
    /// `path` is the ONNX file; its JSON stands beside it under the same name
    /// with `.json` added.
    pub(super) fn load(path: &Path) -> Result<Self, LoadVoice> {
        let shown = path.display().to_string();
        let json = path.with_added_extension("json");
        let described = json.display().to_string();
        let text = std::fs::read_to_string(&json)
            .map_err(|source| LoadVoice::Description { path: described.clone(), source })?;
        let description: Description =
            serde_json::from_str(&text).map_err(|source| LoadVoice::NotPiper { path: described.clone(), source })?;
        if description.num_speakers > 1 {
            return Err(LoadVoice::Speakers { path: described, speakers: description.num_speakers });
        }
        if description.audio.sample_rate as usize != HZ {
            return Err(LoadVoice::Rate { path: described, hz: description.audio.sample_rate });
        }
        let model = Model::load_file(path)
            .map_err(|source| LoadVoice::Graph { path: shown.clone(), source: Box::new(source) })?;
        let nodes = Nodes::find(&model).map_err(|name| LoadVoice::Unknown { path: shown, name })?;
        let symbols = symbols_of(&description.phoneme_id_map);
        let edge = |symbol: char, name| {
            symbols.get(&symbol).copied().ok_or_else(|| LoadVoice::Unknown { path: described.clone(), name })
        };
        let edges = Edges { begin: edge('^', "^")?, pad: edge('_', "_")?, end: edge('$', "$")? };
        Ok(Self { model, nodes, inference: description.inference, symbols, edges })
    }

    /// The symbols of a clause, as Piper was trained: begin, then each sound
    /// with a pad before and after it, then end. Sounds that the voice does
    /// not know are left out.
    pub(super) fn symbols(&self, phonemes: &str) -> Vec<i32> {
        let mut ids = vec![self.edges.begin, self.edges.pad];
        for id in phonemes.chars().filter_map(|c| self.symbols.get(&c)) {
            ids.extend([*id, self.edges.pad]);
        }
        ids.push(self.edges.end);
        ids
    }

    /// The first half: everything up to the decoder. `pace` 0.8 is slower.
    pub(super) fn encode(&self, symbols: &[i32], pace: f32, threads: &Arc<ThreadPool>) -> Result<Latent, RunVoice> {
        if symbols.len() <= 3 || symbols.len() > SYMBOLS_MAX {
            return Err(RunVoice::Length);
        }
        // Checked above: far below what an i32 holds.
        let length = i32::try_from(symbols.len()).map_err(|_| RunVoice::Length)?;
        let Inference { noise_scale, length_scale, noise_w } = self.inference;
        let input = NdTensor::from_data([1, symbols.len()], symbols.to_vec());
        let lengths = NdTensor::from_data([1], vec![length]);
        let scales = NdTensor::from_data([3], vec![noise_scale, length_scale / pace, noise_w]);
        let mut noise = Noise::from_symbols(symbols);
        let durations =
            NdTensor::from_data([1, DURATION_ROWS, symbols.len()], noise.many(DURATION_ROWS * symbols.len()));
        let given = || -> Vec<(NodeId, ValueOrView<'_>)> {
            vec![
                (self.nodes.input, (&input).into()),
                (self.nodes.lengths, (&lengths).into()),
                (self.nodes.scales, (&scales).into()),
                (self.nodes.duration_noise, (&durations).into()),
            ]
        };
        // Runs to where the graph would draw its noise: how much is needed
        // depends on the durations that it has just made up.
        let half = self.model.partial_run(given(), &[self.nodes.latent], Some(options(threads)));
        let half = half.map_err(|_| RunVoice::Graph)?;
        let like = half.iter().find(|(id, _)| *id == self.nodes.sound_noise_like).ok_or(RunVoice::Shape)?;
        let shape = like.1.shape().to_vec();
        let drawn = rten_tensor::Tensor::from_data(&shape, noise.many(shape.iter().product()));
        let mut inputs = given();
        inputs.retain(|(id, _)| half.iter().all(|(known, _)| known != id));
        inputs.push((self.nodes.sound_noise, (&drawn).into()));
        inputs.extend(half.iter().map(|(id, value)| (*id, value.into())));
        let latent = self.one(inputs, self.nodes.latent, threads)?;
        latent.try_into().map(Latent).map_err(|_| RunVoice::Shape)
    }

    /// The second half, for some frames: 256 samples for each.
    pub(super) fn decode(
        &self,
        latent: &Latent,
        frames: Range<usize>,
        threads: &Arc<ThreadPool>,
    ) -> Result<Vec<f32>, RunVoice> {
        let end = frames.end.min(latent.frames());
        let from = frames.start.saturating_sub(SURROUNDINGS);
        let to = (end + SURROUNDINGS).min(latent.frames());
        if frames.start >= end {
            return Err(RunVoice::Length);
        }
        let window: NdTensorView<'_, f32, 3> = latent.0.slice((.., .., from..to));
        let sound = self.one(vec![(self.nodes.latent, window.into())], self.nodes.output, threads)?;
        let sound: rten_tensor::Tensor<f32> = sound.try_into().map_err(|_| RunVoice::Shape)?;
        let mut sound = sound.into_data();
        if sound.len() != (to - from) * FRAME_SAMPLES {
            return Err(RunVoice::Shape);
        }
        sound.truncate((end - from) * FRAME_SAMPLES);
        sound.drain(..(frames.start - from) * FRAME_SAMPLES);
        Ok(sound)
    }

    fn one(
        &self,
        inputs: Vec<(NodeId, ValueOrView<'_>)>,
        output: NodeId,
        threads: &Arc<ThreadPool>,
    ) -> Result<Value, RunVoice> {
        let [value] = self.model.run_n(inputs, [output], Some(options(threads))).map_err(|_| RunVoice::Graph)?;
        Ok(value)
    }
}

impl Nodes {
    fn find(model: &Model) -> Result<Self, &'static str> {
        let node = |name: &'static str| model.find_node(name).ok_or(name);
        Ok(Self {
            input: node("input")?,
            lengths: node("input_lengths")?,
            scales: node("scales")?,
            duration_noise: node(DURATION_NOISE)?,
            sound_noise: node(SOUND_NOISE)?,
            sound_noise_like: node("/Transpose_3_output_0")?,
            latent: node(LATENT)?,
            output: node("output")?,
        })
    }
}

fn options(threads: &Arc<ThreadPool>) -> RunOptions {
    RunOptions::default().with_thread_pool(Some(Arc::clone(threads)))
}

/// Piper's map has a list for each symbol; every voice for espeak has lists of
/// one number and symbols of one character.
fn symbols_of(map: &HashMap<String, Vec<i32>>) -> HashMap<char, i32> {
    let single = |(symbol, ids): (&String, &Vec<i32>)| Some((symbol.chars().next()?, *ids.first()?));
    map.iter().filter_map(single).collect()
}

/// Normally distributed numbers that depend on the clause alone: splitmix64
/// (Steele, Lea, Flood 2014) and the Box-Muller transform.
struct Noise(u64);

impl Noise {
    /// FNV-1a over the symbols.
    fn from_symbols(symbols: &[i32]) -> Self {
        let mix = |hash: u64, id: &i32| (hash ^ u64::from(id.unsigned_abs())).wrapping_mul(0x0000_0100_0000_01B3);
        Self(symbols.iter().fold(0xCBF2_9CE4_8422_2325, mix))
    }

    /// In (0, 1]: never zero, because its logarithm is taken.
    #[expect(clippy::cast_precision_loss, reason = "24 bits fit an f32 exactly")]
    fn uniform(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        ((z >> 40) + 1) as f32 / (1 << 24) as f32
    }

    fn many(&mut self, count: usize) -> Vec<f32> {
        let mut drawn = Vec::with_capacity(count + 1);
        while drawn.len() < count {
            let radius = (-2.0 * self.uniform().ln()).sqrt();
            let (sin, cos) = (std::f32::consts::TAU * self.uniform()).sin_cos();
            drawn.extend([radius * cos, radius * sin]);
        }
        drawn.truncate(count);
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_noise_is_normal_and_the_same_for_the_same_clause() {
        let drawn = Noise::from_symbols(&[1, 2, 3]).many(100_000);
        let mean = drawn.iter().sum::<f32>() / 1e5;
        let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 1e5;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
        assert_eq!(drawn[..9], Noise::from_symbols(&[1, 2, 3]).many(9));
        assert_ne!(drawn[..9], Noise::from_symbols(&[3, 2, 1]).many(9));
    }

    #[test]
    fn a_missing_voice_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("voice.onnx");
        let missing = Graph::load(&path).err().unwrap();
        assert!(missing.to_string().contains("voice.onnx.json"), "{missing}");
        std::fs::write(path.with_added_extension("json"), "{}").unwrap();
        assert!(matches!(Graph::load(&path), Err(LoadVoice::NotPiper { .. })));
    }
}
