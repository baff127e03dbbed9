//! The voice of ElevenLabs: one WebSocket a call with a context for each utterance,
//! and a request over HTTP where that fails or where there is no call. It never
//! sends a word that the gate did not clear, never blocks its caller, and says what
//! it said to no log.

mod config;
mod failure;
mod inbox;
mod marks;
mod payload;
mod pieces;
mod socket;
mod speaking;
mod strands;
mod stream;
pub mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::config::ElevenLabsConfig;
use self::payload::Asking;
use self::socket::{CallSocket, Command};
use self::speaking::Utterance;
use self::strands::Key;
use self::stream::Stream;
use self::wire::SoundFormat;
use crate::egress::{Door, Usage};
use crate::media::{SampleRate, VoiceFinish};
use crate::residency::DataClass;
use crate::speech::{CallSetting, SpeakRequest, Speaking, Synthesizer, Voice, VoiceDeadlines, VoiceError, VoiceEvent};
use crate::terms::{CallId, Private};

/// The voice's name in records.
const NAME: &str = "elevenlabs";

/// Wishes of the call's utterances on their way to its socket: a call says one
/// sentence at a time, and each wishes for a handful of things.
const COMMANDS: usize = 32;

/// Samples of a sentence that is kept: five minutes at 16 kHz.
const RENDERING_MAX: usize = 5 * 60 * 16_000;

/// The voice. Cheap to share; one serves all calls.
#[derive(Clone)]
pub struct ElevenLabsVoice {
    parts: Arc<Parts>,
}

struct Parts {
    config: ElevenLabsConfig,
    door: Door,
    tasks: TaskTracker,
    runtime: Handle,
    /// Whether the last call's line was wide. A socket is opened before its call's
    /// line is known, and a box's lines are mostly alike.
    was_wide: AtomicBool,
    /// Sentences that were streamed over HTTP because their socket failed.
    rescued: AtomicU64,
    /// Messages of a context that was not open.
    disordered: AtomicU64,
}

impl Parts {
    fn usual_format(&self) -> SoundFormat {
        let wide = self.was_wide.load(Ordering::Relaxed);
        SoundFormat::of_line(if wide { SampleRate::Hz16000 } else { SampleRate::Hz8000 })
    }

    /// Words that were sent are words that are paid for.
    fn bought(&self, call: Option<CallId>, words: &str) {
        let letters = words.trim().chars().count() as u64;
        self.door.used(call, &self.config.destination, Usage::Characters(letters));
    }

    fn remember(&self, format: SoundFormat) {
        self.was_wide.store(format.rate() == SampleRate::Hz16000, Ordering::Relaxed);
    }
}

impl ElevenLabsVoice {
    /// Connections are driven by tasks of `tasks` on `runtime`.
    pub fn new(config: ElevenLabsConfig, door: Door, tasks: TaskTracker, runtime: Handle) -> Self {
        let (was_wide, rescued, disordered) = Default::default();
        Self { parts: Arc::new(Parts { config, door, tasks, runtime, was_wide, rescued, disordered }) }
    }

    /// All of a text at once, for the business's own sentences that are made once
    /// and kept. It must hold no caller's words.
    pub async fn render(
        &self,
        setting: &CallSetting,
        text: &Private<String>,
        rate: SampleRate,
    ) -> Result<Vec<i16>, VoiceError> {
        const FIXED: &[DataClass] = &[DataClass::Knowledge];
        let format = SoundFormat::of_rendering(rate);
        let config = ElevenLabsConfig { deadlines: VoiceDeadlines::UNHURRIED, ..self.parts.config.clone() };
        let gate = &setting.gate;
        let asking = Asking::new(&config, gate, DataClass::Knowledge, setting.hints.language, format);
        let request = asking.stream(text.expose(), 1.0);
        let cleared = gate.clear(FIXED, &config.destination, request).map_err(|_| VoiceError::Kept)?;
        let mut finish = VoiceFinish::new(format.rate().hz(), rate).map_err(|_| VoiceError::Engine("no such rate"))?;
        let mut stream = Stream::open(&self.parts, config.deadlines, setting.call, format, cleared).await?;
        self.parts.bought(setting.call, text.expose());
        let mut all = Vec::new();
        while let Some(samples) = stream.next().await? {
            all.extend(finish.slice(&samples));
            if all.len() > RENDERING_MAX {
                return Err(VoiceError::Lost("it sends more sound than the words have"));
            }
        }
        all.extend(finish.end());
        Ok(all)
    }
}

impl Synthesizer for ElevenLabsVoice {
    fn name(&self) -> &'static str {
        NAME
    }

    fn rescued(&self) -> u64 {
        self.parts.rescued.load(Ordering::Relaxed)
    }

    fn disordered(&self) -> u64 {
        self.parts.disordered.load(Ordering::Relaxed)
    }

    fn open(&self, setting: &CallSetting) -> Box<dyn Voice> {
        let (commands, wished) = mpsc::channel(COMMANDS);
        let socket = CallSocket::new(Arc::clone(&self.parts), setting.clone());
        self.parts.tasks.spawn_on(socket.run(wished), &self.parts.runtime);
        let (parts, setting) = (Arc::clone(&self.parts), setting.clone());
        Box::new(CallVoice { parts, setting, commands, next: AtomicU64::new(0) })
    }
}

/// One call's voice. Its socket closes when it is dropped.
struct CallVoice {
    parts: Arc<Parts>,
    setting: CallSetting,
    commands: mpsc::Sender<Command>,
    next: AtomicU64,
}

impl Voice for CallVoice {
    fn speak(&self, request: SpeakRequest, sound: mpsc::Sender<VoiceEvent>) -> Speaking {
        let cancel = CancellationToken::new();
        let key = Key(self.next.fetch_add(1, Ordering::Relaxed));
        let commands = self.commands.clone();
        let (parts, setting) = (Arc::clone(&self.parts), self.setting.clone());
        let utterance = Utterance { parts, setting, commands: commands.clone(), key, request, sound };
        let cancelled = cancel.clone();
        let work = async move {
            tokio::select! {
                () = cancelled.cancelled() => {}
                () = utterance.drive() => {}
            }
            // Frees the context if the provider has not ended it; a socket that is
            // gone needs no telling.
            drop(commands.send(Command::Close(key)).await);
        };
        self.parts.tasks.spawn_on(work, &self.parts.runtime);
        Speaking::new(cancel)
    }
}

impl std::fmt::Debug for ElevenLabsVoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ElevenLabsVoice").field("destination", &self.parts.config.destination).finish_non_exhaustive()
    }
}
