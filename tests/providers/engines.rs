//! The box's own engines behind the stand-ins, loaded when the first request
//! needs them.

use std::path::PathBuf;
use std::sync::Arc;

use milu::ops::SystemClock;
use milu::speech::onbox::{
    LoadEars, LoadTurn, LoadVoice, Phonemizer, PiperVoice, Pool, PoolSize, Respellings, SmartTurn, StartPool,
    WhisperEars,
};
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use tokio_util::task::TaskTracker;

const WHISPER_FILE: &str = "whisper-base.q8_0.ggml.bin";
const TURN_FILE: &str = "smart-turn-v3.2-cpu.onnx";
const VOICE_FILE: &str = "en_US-joe-medium.onnx";

/// Jobs of one kind that wait: some dozens of calls have one each.
const QUEUE: usize = 64;

#[derive(Debug, Error)]
pub enum LoadEngines {
    #[error(transparent)]
    Pool(#[from] StartPool),
    #[error(transparent)]
    Ears(#[from] LoadEars),
    #[error(transparent)]
    Turn(#[from] LoadTurn),
    #[error(transparent)]
    Voice(#[from] LoadVoice),
    #[error("loading the engines: the loader panicked")]
    Panicked,
}

pub struct Engines {
    models: PathBuf,
    clock: SystemClock,
    tasks: TaskTracker,
    runtime: Handle,
    pool: OnceCell<Arc<Pool>>,
    ears: OnceCell<Arc<WhisperEars>>,
    voice: OnceCell<Arc<PiperVoice>>,
}

impl Engines {
    pub fn new(models: PathBuf, clock: SystemClock, tasks: TaskTracker, runtime: Handle) -> Self {
        let (pool, ears, voice) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { models, clock, tasks, runtime, pool, ears, voice }
    }

    async fn pool(&self) -> Result<Arc<Pool>, LoadEngines> {
        let start = || async { Ok(Pool::new("vendor", PoolSize { threads: 2, queue: QUEUE })?) };
        self.pool.get_or_try_init(start).await.cloned()
    }

    pub async fn ears(&self) -> Result<Arc<WhisperEars>, LoadEngines> {
        let pool = self.pool().await?;
        let (models, now) = (self.models.clone(), self.clock.as_fn());
        let load = move || {
            let turn = SmartTurn::load(&models.join(TURN_FILE))?;
            Ok(Arc::new(WhisperEars::load(&models.join(WHISPER_FILE), turn, pool, now)?))
        };
        let load = || async { tokio::task::spawn_blocking(load).await.map_err(|_| LoadEngines::Panicked)? };
        self.ears.get_or_try_init(load).await.cloned()
    }

    pub async fn voice(&self) -> Result<Arc<PiperVoice>, LoadEngines> {
        let pool = self.pool().await?;
        let (file, tasks, runtime) = (self.models.join(VOICE_FILE), self.tasks.clone(), self.runtime.clone());
        let load = move || {
            let phonemes = Phonemizer::new("espeak-ng", &Respellings::new());
            Ok(Arc::new(PiperVoice::load(&file, phonemes, pool, tasks, runtime)?))
        };
        let load = || async { tokio::task::spawn_blocking(load).await.map_err(|_| LoadEngines::Panicked)? };
        self.voice.get_or_try_init(load).await.cloned()
    }
}
