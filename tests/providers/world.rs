//! What all stand-ins share: the options, the clock, the faults that are
//! ordered, what was seen, the engines.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use milu::ops::SystemClock;
use milu::terms::Moment;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use super::ears_words::KnownWords;
use super::engines::Engines;
use super::facts::{Facts, PromptFacts};
use super::faults::Faults;
use super::mind_cache::PromptCache;
use super::seen::Seen;
use super::voice_sound::RenderedSpeech;

/// The keys that the stand-ins take. Every other one is refused.
pub const EARS_KEY: &str = "stand-in-ears-key";
pub const MIND_KEY: &str = "stand-in-mind-key";
pub const VOICE_KEY: &str = "stand-in-voice-key";

/// What the vendors' answers take in the published medians, in milliseconds:
/// Deepgram's final words after the end of speech, Claude's first token,
/// ElevenLabs' first byte of sound.
pub const EARS_MEDIAN_MS: u64 = 247;
pub const MIND_MEDIAN_MS: u64 = 637;
pub const VOICE_MEDIAN_MS: u64 = 230;

#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Where `ca.pem`, `ports.json` and rendered speech are written.
    #[arg(long)]
    pub dir: PathBuf,
    /// Where the models of the ears and the voice lie.
    #[arg(long, env = "MILU_MODELS", default_value = ".models")]
    pub models: PathBuf,
    /// All three vendors at their published medians; the options below go first.
    #[arg(long)]
    pub medians: bool,
    /// From the end of speech to its final words, in milliseconds, if the ears are not slower.
    #[arg(long)]
    pub ears_delay_ms: Option<u64>,
    /// What the callers will say, a sentence a row: the ears answer with it
    /// instead of transcribing, so that they cost the machine nothing.
    #[arg(long)]
    pub known_words: Option<PathBuf>,
    /// From a request to the first word of its answer, in milliseconds.
    #[arg(long)]
    pub mind_first_token_ms: Option<u64>,
    /// How fast an answer streams; 0 sends all of it at once.
    #[arg(long, default_value_t = 80)]
    pub mind_tokens_per_s: u32,
    /// Every answer begins with a thinking block, whether it was asked for or not.
    #[arg(long)]
    pub thinking: bool,
    /// A knowledge file of the box, for a mind whose requests bring none.
    #[arg(long)]
    pub knowledge: Option<PathBuf>,
    /// From a text to the first byte of its sound, in milliseconds, if the voice is not slower.
    #[arg(long)]
    pub voice_first_byte_ms: Option<u64>,
    /// Where rendered sentences are kept for later runs; in `dir` if not said.
    #[arg(long)]
    pub voice_cache: Option<PathBuf>,
}

impl Options {
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            models: default_models(),
            medians: false,
            ears_delay_ms: None,
            known_words: None,
            mind_first_token_ms: None,
            mind_tokens_per_s: 80,
            thinking: false,
            knowledge: None,
            voice_first_byte_ms: None,
            voice_cache: None,
        }
    }

    /// The vendors answer as fast as they do in the published medians.
    pub fn at_medians(mut self) -> Self {
        self.medians = true;
        self
    }

    pub fn ears_delay(&self) -> Duration {
        self.delay(self.ears_delay_ms, EARS_MEDIAN_MS)
    }

    pub fn mind_delay(&self) -> Duration {
        self.delay(self.mind_first_token_ms, MIND_MEDIAN_MS)
    }

    pub fn voice_delay(&self) -> Duration {
        self.delay(self.voice_first_byte_ms, VOICE_MEDIAN_MS)
    }

    fn delay(&self, stated: Option<u64>, median: u64) -> Duration {
        Duration::from_millis(stated.unwrap_or(if self.medians { median } else { 0 }))
    }
}

/// `MILU_MODELS`, or `.models` of the project.
fn default_models() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join(".models");
    std::env::var_os("MILU_MODELS").map_or_else(beside, PathBuf::from)
}

/// Shared by every connection.
pub struct World {
    pub options: Options,
    pub clock: SystemClock,
    pub faults: Faults,
    pub seen: Seen,
    pub engines: Engines,
    pub known_words: Option<KnownWords>,
    pub facts: Option<Facts>,
    pub prompt_facts: PromptFacts,
    pub prompt_cache: PromptCache,
    pub speech: RenderedSpeech,
    pub tasks: TaskTracker,
    pub runtime: Handle,
    numbers: AtomicU64,
}

impl World {
    /// Must be called within a runtime, on which the connections then live.
    pub fn new(options: Options, known_words: Option<KnownWords>, facts: Option<Facts>, cache: PathBuf) -> Arc<Self> {
        let (clock, tasks, runtime) = (SystemClock::new(), TaskTracker::new(), Handle::current());
        Arc::new(Self {
            faults: Faults::new(clock, tasks.clone(), runtime.clone()),
            seen: Seen::default(),
            engines: Engines::new(options.models.clone(), clock, tasks.clone(), runtime.clone()),
            known_words,
            facts,
            prompt_facts: PromptFacts::default(),
            prompt_cache: PromptCache::default(),
            speech: RenderedSpeech::new(cache),
            options,
            clock,
            tasks,
            runtime,
            numbers: AtomicU64::new(1),
        })
    }

    /// Runs `task` until it ends or the stand-ins do.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn_on(task, &self.runtime);
    }

    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// A name that no other request has, in the form of a UUID.
    pub fn request_id(&self) -> String {
        let n = self.numbers.fetch_add(1, Ordering::Relaxed);
        format!("5ead0000-0000-4000-8000-{n:012x}")
    }

    /// The same with a vendor's prefix: `msg_…`.
    pub fn id(&self, prefix: &str) -> String {
        let n = self.numbers.fetch_add(1, Ordering::Relaxed);
        format!("{prefix}_01standin{n:015}")
    }
}
