//! Whether a turn is over, by its sound: smart-turn v3.2 on rten, over the last
//! eight seconds. It judges melody and not words.

mod mel;

use std::path::Path;
use std::sync::Arc;

use rten::{Model, NodeId, RunOptions, ThreadPool};
use rten_tensor::NdTensor;
use thiserror::Error;

use self::mel::{BANDS, LogMel, STEPS};

/// Samples that it listens to: 8 s at 16 kHz.
pub const WINDOW: usize = 8 * 16_000;

#[derive(Debug, Error)]
pub enum LoadTurn {
    #[error("loading smart-turn {path}: {source}")]
    Graph { path: String, source: Box<rten::LoadError> },
    #[error("loading smart-turn {path}: its graph does not have one input and one output")]
    Unknown { path: String },
}

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum JudgeTurn {
    #[error("judging the end of a turn: the graph failed")]
    Graph,
    #[error("judging the end of a turn: the graph gave no probability")]
    Shape,
}

/// The judge. One serves all calls.
pub struct SmartTurn {
    model: Model,
    input: NodeId,
    output: NodeId,
    mel: LogMel,
}

impl SmartTurn {
    pub fn load(path: &Path) -> Result<Self, LoadTurn> {
        let shown = path.display().to_string();
        let model = Model::load_file(path)
            .map_err(|source| LoadTurn::Graph { path: shown.clone(), source: Box::new(source) })?;
        let (&[input], &[output]) = (model.input_ids(), model.output_ids()) else {
            return Err(LoadTurn::Unknown { path: shown });
        };
        Ok(Self { model, input, output, mel: LogMel::new() })
    }

    /// 0: the caller will go on; 1: the turn is over. `sound` is at 16 kHz; of
    /// more than eight seconds the last eight count. Takes about 0.13 s.
    pub fn turn_over(&self, sound: &[i16], threads: &Arc<ThreadPool>) -> Result<f32, JudgeTurn> {
        let features = NdTensor::from_data([1, BANDS, STEPS], self.mel.of(&window(sound)));
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(threads)));
        let [value] = self
            .model
            .run_n(vec![(self.input, features.into())], [self.output], Some(options))
            .map_err(|_| JudgeTurn::Graph)?;
        let value: rten_tensor::Tensor<f32> = value.try_into().map_err(|_| JudgeTurn::Shape)?;
        let probability = value.into_data().first().copied().ok_or(JudgeTurn::Shape)?;
        if (0.0..=1.0).contains(&probability) { Ok(probability) } else { Err(JudgeTurn::Shape) }
    }
}

/// The last eight seconds; silence comes before a sound that is shorter.
fn window(sound: &[i16]) -> Vec<f32> {
    let last = &sound[sound.len().saturating_sub(WINDOW)..];
    let mut window = vec![0.0; WINDOW - last.len()];
    window.extend(last.iter().map(|s| f32::from(*s) / 32_768.0));
    window
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_ends_with_the_sound_and_begins_with_silence() {
        let short = window(&[16_384; 100]);
        assert_eq!((short.len(), short[0], short[WINDOW - 1]), (WINDOW, 0.0, 0.5));
        let mut long = vec![0; WINDOW];
        long.extend([16_384; 10]);
        let long = window(&long);
        assert_eq!((long.len(), long[WINDOW - 11], long[WINDOW - 10]), (WINDOW, 0.0, 0.5));
    }

    #[test]
    fn a_missing_file_is_named() {
        let missing = SmartTurn::load(Path::new("/nowhere/smart-turn.onnx")).err().unwrap();
        assert!(missing.to_string().contains("/nowhere/smart-turn.onnx"));
    }
}
