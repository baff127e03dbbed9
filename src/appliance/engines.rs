//! The engines that the configuration names, loaded from the models' directory.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use crate::knowledge::KnowledgeBase;
use crate::ops::SystemClock;
use crate::speech::onbox::{
    Embedder, LoadEars, LoadEmbedder, LoadTurn, LoadVoice, Phonemizer, PiperVoice, Pool, PoolSize, Respellings,
    SmartTurn, StartPool, WhisperEars,
};

use super::config::SpeechConfig;

/// Jobs of one priority that may wait: each call has at most one decode, one
/// judgement and one slice of voice outstanding, and a box carries some twenty.
const POOL_QUEUE: usize = 64;

/// The voice and the judge of turns have one file each.
const VOICE_FILE: &str = "en_US-joe-medium.onnx";
const TURN_FILE: &str = "smart-turn-v3.2-cpu.onnx";

/// Debian's phonemizer, a program of its own.
const PHONEMIZER: &str = "espeak-ng";

/// Threads of a decode while a single call has the box to itself: two halve the
/// wait, and more than two gain little with a model of this size.
const DECODE_THREADS: usize = 2;

#[derive(Debug, Error)]
pub enum EngineError {
    #[error("{0}. `milu models fetch` brings the models, `milu models verify` checks them")]
    Ears(#[from] LoadEars),
    #[error("{0}. `milu models fetch` brings the models, `milu models verify` checks them")]
    Turn(#[from] LoadTurn),
    #[error("{0}. `milu models fetch` brings the models, `milu models verify` checks them")]
    Voice(#[from] LoadVoice),
    #[error("{0}. `milu models fetch` brings the models, `milu models verify` checks them")]
    Embedder(#[from] LoadEmbedder),
    #[error(transparent)]
    Pool(#[from] StartPool),
    #[error("loading the engines: a loader broke one of its own rules")]
    Panicked,
}

/// Everything that computes, ready for calls.
pub struct Engines {
    pub pool: Arc<Pool>,
    pub ears: Arc<WhisperEars>,
    pub voice: Arc<PiperVoice>,
    pub embedder: Arc<Embedder>,
}

/// The file of the ears that the configuration names.
pub fn whisper_file(whisper: &str, models_dir: &Path) -> PathBuf {
    match whisper {
        "tiny" => models_dir.join("whisper-tiny.en.q8_0.ggml.bin"),
        name @ ("base" | "small") => models_dir.join(format!("whisper-{name}.q8_0.ggml.bin")),
        path => PathBuf::from(path),
    }
}

/// Words of the first market that an American voice says wrong. The business's
/// own file comes after them and wins.
const AT_HOME: [(&str, &str); 3] = [("naira", "nye-rah"), ("POS", "P O S"), ("NIN", "N I N")];

fn respellings(base: &KnowledgeBase) -> Respellings {
    let at_home = AT_HOME.into_iter().map(|(word, said)| (word.to_owned(), said.to_owned()));
    at_home.chain(base.pronunciations.iter().map(|p| (p.word.clone(), p.respelling.clone()))).collect()
}

impl Engines {
    /// Loads all of them, the ears beside the others: 0.3 s on two cores.
    pub fn load(
        speech: &SpeechConfig,
        models_dir: &Path,
        base: &KnowledgeBase,
        clock: SystemClock,
        tasks: TaskTracker,
        runtime: Handle,
    ) -> Result<Self, EngineError> {
        let threads = usize::try_from(speech.threads).unwrap_or(1);
        let pool = Pool::new("think", PoolSize { threads, queue: POOL_QUEUE })?;
        let respellings = respellings(base);
        let phonemizer = Phonemizer::new(PHONEMIZER, &respellings);
        let decode_threads = NonZero::new(threads.min(DECODE_THREADS)).unwrap_or(NonZero::<usize>::MIN);
        std::thread::scope(|scope| {
            let ears = scope.spawn(|| {
                let turn = SmartTurn::load(&models_dir.join(TURN_FILE))?;
                let file = whisper_file(&speech.whisper, models_dir);
                Ok::<_, EngineError>(WhisperEars::load(&file, turn, decode_threads, pool.clone(), clock.as_fn())?)
            });
            let voice = PiperVoice::load(&models_dir.join(VOICE_FILE), phonemizer, pool.clone(), tasks, runtime)?;
            let embedder = Embedder::load(models_dir)?;
            let ears = ears.join().map_err(|_| EngineError::Panicked)??;
            Ok(Self { pool: pool.clone(), ears: Arc::new(ears), voice: Arc::new(voice), embedder: Arc::new(embedder) })
        })
    }
}

impl std::fmt::Debug for Engines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engines").finish_non_exhaustive()
    }
}
