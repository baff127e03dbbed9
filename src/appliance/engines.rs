//! The engines that the configuration names, loaded from the models' directory.

use std::path::Path;
use std::sync::Arc;

use thiserror::Error;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use crate::knowledge::KnowledgeBase;
use crate::ops::SystemClock;
use crate::speech::onbox::models::Manifest;
use crate::speech::onbox::{
    Embedder, LoadEars, LoadEmbedder, LoadTurn, LoadVoice, Phonemizer, PiperVoice, Pool, PoolSize, Respellings,
    SmartTurn, StartPool, WhisperEars,
};

use super::config::SpeechConfig;
use super::wanted_models::{LackingModels, make_sure_of};

/// Jobs of one priority that may wait: each call has at most one decode, one
/// judgement and one slice of voice outstanding, and a box carries some twenty.
const POOL_QUEUE: usize = 64;

/// The voice and the judge of turns have one file each.
const VOICE_FILE: &str = "en_US-joe-medium.onnx";
const TURN_FILE: &str = "smart-turn-v3.2-cpu.onnx";

/// Debian's phonemizer, a program of its own.
const PHONEMIZER: &str = "espeak-ng";

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
    #[error("loading the engines: this machine's processor {0}")]
    Processor(&'static str),
    #[error("loading the engines: {0}")]
    Lacking(#[from] LackingModels),
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

/// Words of the first market that an American voice says wrong.
const AT_HOME: [(&str, &str); 3] = [("naira", "nye-rah"), ("POS", "P O S"), ("NIN", "N I N")];

/// How words are said: those of the first market, and after them, so that they win, those of
/// the business's own file.
pub fn respellings(base: &KnowledgeBase) -> Respellings {
    let at_home = AT_HOME.into_iter().map(|(word, said)| (word.to_owned(), said.to_owned()));
    at_home.chain(base.pronunciations.iter().map(|p| (p.word.clone(), p.respelling.clone()))).collect()
}

/// What the processor lacks that the ears are compiled for (x86-64-v3); they would stop
/// at their first decode.
#[cfg(target_arch = "x86_64")]
pub fn processor_lacks() -> Option<&'static str> {
    let has = std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("fma")
        && std::arch::is_x86_feature_detected!("f16c")
        && std::arch::is_x86_feature_detected!("bmi2");
    (!has).then_some("lacks AVX2, FMA, F16C or BMI2 (x86-64-v3, 2013 and later), which the ears need")
}

/// The ears are compiled for the base instructions of other processors.
#[cfg(not(target_arch = "x86_64"))]
pub fn processor_lacks() -> Option<&'static str> {
    None
}

impl Engines {
    /// Loads all of them, the ears beside the others: 0.3 s on two cores. No model is
    /// loaded that is not as the list of them (`manifest`) says.
    pub fn load(
        speech: &SpeechConfig,
        models_dir: &Path,
        manifest: &Path,
        respellings: &Respellings,
        clock: SystemClock,
        tasks: TaskTracker,
        runtime: Handle,
    ) -> Result<Self, EngineError> {
        if let Some(lacks) = processor_lacks() {
            return Err(EngineError::Processor(lacks));
        }
        match Manifest::read(manifest) {
            Ok(manifest) => make_sure_of(&manifest, models_dir, &speech.whisper)?,
            // A box that answers is worth more than one that waits for a list.
            Err(error) => tracing::warn!(%error, "the models are loaded unverified"),
        }
        let threads = usize::try_from(speech.threads).unwrap_or(1);
        let pool = Pool::new("think", PoolSize { threads, queue: POOL_QUEUE })?;
        let phonemizer = Phonemizer::new(PHONEMIZER, respellings);
        std::thread::scope(|scope| {
            let ears = scope.spawn(|| {
                let turn = SmartTurn::load(&models_dir.join(TURN_FILE))?;
                let file = speech.whisper.file(models_dir);
                Ok::<_, EngineError>(WhisperEars::load(&file, turn, pool.clone(), clock.as_fn())?)
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
