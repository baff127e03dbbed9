//! The box's own voice: Piper, made slice by slice in the engines' pool, clause
//! by clause, at the line's rate and loudness. It never blocks its caller, and
//! what it says reaches no log.

mod finish;
mod graph;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::finish::Finish;
use self::graph::{Graph, Latent};
pub use self::graph::{LoadVoice, RunVoice};
use super::clauses::{Clause, clauses};
use super::phonemes::{PhonemeError, Phonemizer};
use super::pool::{Pool, Priority, rten_companion};
use crate::media::SampleRate;
use crate::speech::{CallSetting, SpeakRequest, Speaking, Synthesizer, Voice, VoiceError, VoiceEvent};
use crate::terms::{Private, UtteranceId};

/// The voice's name in records.
const NAME: &str = "piper-onbox";

/// Frames (11.6 ms each) of an utterance's slices. The first is small, because
/// the caller waits for it; while one is played the next must be made, which
/// takes about a fifth of its own length and that of its surroundings (24
/// frames). Later ones are longer, because their surroundings are made twice.
const LIVE: &[usize] = &[16, 24, 48, 96];

/// For sound that is kept, nobody waits. The slices are still bounded, since
/// other calls wait for the pool: 2.2 s of sound are some 0.4 s of computing.
const KEPT: &[usize] = &[192];

/// Characters of one utterance: about four minutes of speech. A business's
/// longest answer has a few hundred.
const TEXT_MAX: usize = 4000;

/// Slices on the way to a caller of [`PiperVoice::render`].
const RENDER_QUEUE: usize = 8;

/// A pace outside these is no speech.
const PACES: std::ops::RangeInclusive<f32> = 0.5..=2.0;

/// The voice. Cheap to share; one serves all calls.
#[derive(Clone)]
pub struct PiperVoice {
    parts: Arc<Parts>,
    pool: Arc<Pool>,
    tasks: TaskTracker,
    runtime: Handle,
}

struct Parts {
    graph: Graph,
    phonemes: Phonemizer,
}

impl PiperVoice {
    /// Loads the voice at `path` (an ONNX file with its JSON beside it; about
    /// 0.1 s). Utterances are driven by tasks of `tasks` on `runtime`.
    pub fn load(
        path: &Path,
        phonemes: Phonemizer,
        pool: Arc<Pool>,
        tasks: TaskTracker,
        runtime: Handle,
    ) -> Result<Self, LoadVoice> {
        let parts = Arc::new(Parts { graph: Graph::load(path)?, phonemes });
        warm(&parts, &pool);
        Ok(Self { parts, pool, tasks, runtime })
    }

    /// All of a text at once, for sentences that are made once and kept.
    pub async fn render(&self, text: Private<String>, rate: SampleRate) -> Result<Vec<i16>, VoiceError> {
        let (sound, mut made) = mpsc::channel(RENDER_QUEUE);
        let request = SpeakRequest { utterance: UtteranceId(0), text, rate, pace: 1.0 };
        let _speaking = self.start(request, sound, KEPT);
        let mut all = Vec::new();
        while let Some(event) = made.recv().await {
            match event {
                VoiceEvent::Sound { samples, .. } => all.extend(samples),
                VoiceEvent::Marks { .. } | VoiceEvent::Left { .. } => {}
                VoiceEvent::Done { .. } => return Ok(all),
                VoiceEvent::Failed { error, .. } => return Err(error),
            }
        }
        Err(VoiceError::Engine("it stopped in the middle of a sentence"))
    }
}

/// Speaks a word to nobody. The first run of everything takes twice as long
/// (memory not yet touched, espeak-ng not yet started), and the first caller's
/// greeting should not pay for it.
fn warm(parts: &Arc<Parts>, pool: &Pool) {
    let mut making = Making::new(Arc::clone(parts), clauses("Hello."), SampleRate::Hz8000, 1.0, LIVE);
    let job = move || {
        if let Err(error) = making.slice() {
            tracing::warn!(%error, "the voice cannot speak");
        }
    };
    if let Err(error) = pool.submit(Priority::Voice, job) {
        tracing::debug!(%error, "the voice starts cold");
    }
}

impl Synthesizer for PiperVoice {
    fn name(&self) -> &'static str {
        NAME
    }

    fn open(&self, _setting: &CallSetting) -> Box<dyn Voice> {
        Box::new(self.clone())
    }
}

impl Voice for PiperVoice {
    fn speak(&self, request: SpeakRequest, sound: mpsc::Sender<VoiceEvent>) -> Speaking {
        self.start(request, sound, LIVE)
    }
}

impl PiperVoice {
    fn start(&self, request: SpeakRequest, sound: mpsc::Sender<VoiceEvent>, plan: &'static [usize]) -> Speaking {
        let cancel = CancellationToken::new();
        let driver =
            Driver { pool: Arc::clone(&self.pool), cancel: cancel.clone(), utterance: request.utterance, sound };
        let parts = Arc::clone(&self.parts);
        let work = async move {
            let cancelled = driver.cancel.clone();
            tokio::select! {
                biased;
                () = cancelled.cancelled() => {}
                () = driver.drive(parts, request, plan) => {}
            }
        };
        self.tasks.spawn_on(work, &self.runtime);
        Speaking::new(cancel)
    }
}

/// Hands the utterance's slices to the pool, one at a time, and what they make
/// to the call. Waiting happens here and never in the pool.
struct Driver {
    pool: Arc<Pool>,
    cancel: CancellationToken,
    utterance: UtteranceId,
    sound: mpsc::Sender<VoiceEvent>,
}

impl Driver {
    async fn drive(&self, parts: Arc<Parts>, request: SpeakRequest, plan: &'static [usize]) {
        let utterance = self.utterance;
        let event = match self.speak(parts, request, plan).await {
            Ok(()) => VoiceEvent::Done { utterance },
            // A slice that was left out because nobody wants it looks like a failed worker.
            Err(_) if self.cancel.is_cancelled() => return,
            Err(error) => VoiceEvent::Failed { utterance, error },
        };
        self.deliver(event).await;
    }

    async fn speak(&self, parts: Arc<Parts>, request: SpeakRequest, plan: &'static [usize]) -> Result<(), VoiceError> {
        let text = request.text.expose();
        if text.chars().count() > TEXT_MAX {
            return Err(VoiceError::Engine("the text is longer than four minutes of speech"));
        }
        if !PACES.contains(&request.pace) {
            return Err(VoiceError::Engine("the pace is not between 0.5 and 2"));
        }
        let mut making = Box::new(Making::new(parts, clauses(text), request.rate, request.pace, plan));
        loop {
            let (back, slice) = self.in_pool(making).await?;
            match slice? {
                Slice::Sound(samples) if samples.is_empty() => {}
                Slice::Sound(samples) => {
                    self.deliver(VoiceEvent::Sound { utterance: self.utterance, samples, engine: NAME }).await;
                }
                Slice::End => return Ok(()),
            }
            making = back;
        }
    }

    /// One slice, made by a worker of the pool.
    async fn in_pool(&self, mut making: Box<Making>) -> Result<(Box<Making>, Result<Slice, VoiceError>), VoiceError> {
        let (tell, told) = oneshot::channel();
        let cancel = self.cancel.clone();
        let job = move || {
            if !cancel.is_cancelled() {
                let slice = making.slice().map_err(VoiceError::from);
                // Nobody listens any more when the sentence was cancelled meanwhile.
                drop(tell.send((making, slice)));
            }
        };
        self.pool.submit(Priority::Voice, job).map_err(|_| VoiceError::Overloaded)?;
        told.await.map_err(|_| VoiceError::Engine("its worker failed"))
    }

    /// Waits while the call has enough to play. A call that is gone has dropped
    /// its [`Speaking`] too, so there is nothing to do about it here.
    async fn deliver(&self, event: VoiceEvent) {
        if self.sound.send(event).await.is_err() {
            self.cancel.cancel();
        }
    }
}

/// An utterance in the making.
struct Making {
    parts: Arc<Parts>,
    finish: Finish,
    pace: f32,
    clauses: std::vec::IntoIter<Clause>,
    present: Option<Present>,
    /// How many frames each slice has; the last holds for all that follow.
    plan: &'static [usize],
    /// Slices made so far.
    slices: usize,
}

/// The clause in the making.
struct Present {
    latent: Latent,
    next: usize,
    clause: Clause,
}

enum Slice {
    Sound(Vec<i16>),
    End,
}

#[derive(Debug, thiserror::Error)]
enum MakeSlice {
    #[error(transparent)]
    Phonemes(#[from] PhonemeError),
    #[error(transparent)]
    Voice(#[from] RunVoice),
}

impl From<MakeSlice> for VoiceError {
    fn from(error: MakeSlice) -> Self {
        tracing::warn!(%error, "a sentence could not be spoken");
        Self::Engine(match error {
            MakeSlice::Phonemes(PhonemeError::Start(_)) => "espeak-ng cannot be started",
            MakeSlice::Phonemes(_) => "espeak-ng does not answer",
            MakeSlice::Voice(RunVoice::Length) => "a clause is too long",
            MakeSlice::Voice(RunVoice::Graph | RunVoice::Shape) => "the voice's graph failed",
        })
    }
}

impl Making {
    fn new(parts: Arc<Parts>, clauses: Vec<Clause>, rate: SampleRate, pace: f32, plan: &'static [usize]) -> Self {
        let finish = Finish::new(rate);
        Self { parts, finish, pace, clauses: clauses.into_iter(), present: None, plan, slices: 0 }
    }

    fn slice(&mut self) -> Result<Slice, MakeSlice> {
        let mut present = match self.present.take() {
            Some(present) => present,
            None => match self.next_clause()? {
                Some(present) => present,
                None => return Ok(Slice::End),
            },
        };
        let len = self.plan[self.slices.min(self.plan.len() - 1)];
        self.slices += 1;
        let to = (present.next + len).min(present.latent.frames());
        let raw = self.parts.graph.decode(&present.latent, present.next..to, &rten_companion())?;
        let mut sound = self.finish.slice(&raw);
        if to == present.latent.frames() {
            // After the last words nothing need be waited for.
            let last = self.clauses.len() == 0;
            let pause = if last { Duration::ZERO } else { present.clause.pause() };
            sound.extend(self.finish.end_clause(pause));
            if last {
                sound.extend(self.finish.end());
            }
        } else {
            present.next = to;
            self.present = Some(present);
        }
        Ok(Slice::Sound(sound))
    }

    /// The next clause that has a sound at all, encoded.
    fn next_clause(&mut self) -> Result<Option<Present>, MakeSlice> {
        for clause in self.clauses.by_ref() {
            let phonemes = self.parts.phonemes.of_clause(&clause)?;
            if phonemes.is_empty() {
                continue;
            }
            let symbols = self.parts.graph.symbols(&phonemes);
            let latent = self.parts.graph.encode(&symbols, self.pace, &rten_companion())?;
            return Ok(Some(Present { latent, next: 0, clause }));
        }
        Ok(None)
    }
}
