//! The box's own ears: Whisper for the words, smart-turn for whether the
//! caller is done. All computing happens in the engines' pool; what is heard
//! goes to who asked, and to nobody else: no log, no disk.

mod model;
pub(in crate::speech) mod words;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;

pub use self::model::LoadEars;
use self::model::{Decode, Model, Prompt, Unwanted};
use self::words::is_phantom;
use super::pool::{Pool, Priority, rten_companion};
use super::smart_turn::{SmartTurn, WINDOW};
use super::turn_sound::{TurnSound, has_voice, length};
use crate::media::{Frame, SampleRate};
use crate::speech::{CallSetting, Confidence, EarsError, EarsEvent, Heard, Hearing, Transcriber};
use crate::terms::{Moment, Private, RequestId};

/// Where the ears read the time: for how long a decode took, and nothing else.
pub type MomentSource = Arc<dyn Fn() -> Moment + Send + Sync>;

/// The ears' name in records.
const NAME: &str = "whisper-onbox";

/// The ears. Cheap to share; they serve all calls.
pub struct WhisperEars {
    engines: Arc<Engines>,
    pool: Arc<Pool>,
    now: MomentSource,
}

struct Engines {
    whisper: Model,
    smart_turn: SmartTurn,
}

impl WhisperEars {
    /// Loads the GGML file at `whisper` (0.1 to 0.3 s).
    pub fn load(whisper: &Path, smart_turn: SmartTurn, pool: Arc<Pool>, now: MomentSource) -> Result<Self, LoadEars> {
        let engines = Engines { whisper: Model::load(whisper)?, smart_turn };
        Ok(Self { engines: Arc::new(engines), pool, now })
    }
}

impl Transcriber for WhisperEars {
    fn name(&self) -> &'static str {
        NAME
    }

    fn open(&self, setting: &CallSetting, answers: mpsc::Sender<EarsEvent>) -> Box<dyn Hearing> {
        Box::new(WhisperHearing {
            prompt: self.engines.whisper.prompt(&setting.hints.words),
            engines: Arc::clone(&self.engines),
            pool: Arc::clone(&self.pool),
            now: Arc::clone(&self.now),
            sound: TurnSound::default(),
            answers,
            decode: Unwanted::default(),
            judgement: Unwanted::default(),
        })
    }
}

/// One call's ears.
struct WhisperHearing {
    engines: Arc<Engines>,
    pool: Arc<Pool>,
    now: MomentSource,
    prompt: Prompt,
    sound: TurnSound,
    answers: mpsc::Sender<EarsEvent>,
    /// For the decode and the judgement that were asked for last.
    decode: Unwanted,
    judgement: Unwanted,
}

impl Hearing for WhisperHearing {
    /// It hears the same at either rate.
    fn line_answered(&mut self, _rate: SampleRate) {}

    fn frame(&mut self, frame: &Frame, at: Moment) {
        self.sound.push(frame, at);
    }

    fn turn_began(&mut self, at: Moment) {
        self.sound.began(at);
    }

    fn decode(&mut self, request: RequestId) {
        self.decode.set();
        self.decode = Unwanted::default();
        let (engines, answers) = (Arc::clone(&self.engines), self.answers.clone());
        let (unwanted, prompt) = (self.decode.clone(), self.prompt.clone());
        let (now, asked) = (Arc::clone(&self.now), (self.now)());
        let sound = self.sound.all();
        let job = move || {
            let heard = match hear(&engines.whisper, &sound, &prompt, &unwanted) {
                Err(Decode::Cancelled) => return,
                Err(error @ Decode::Engine(_)) => {
                    tracing::warn!(%error, "a turn could not be decoded");
                    EarsEvent::Failed { request, error: EarsError::Engine("whisper.cpp failed") }
                }
                Ok((words, confidence)) => EarsEvent::Heard(Heard {
                    request,
                    words: Private::new(words),
                    confidence,
                    engine: NAME,
                    took: now().since(asked),
                    sound: length(&sound),
                }),
            };
            answer(&answers, heard);
        };
        if self.pool.submit(Priority::Ears, job).is_err() {
            answer(&self.answers, EarsEvent::Failed { request, error: EarsError::Overloaded });
        }
    }

    fn judge(&mut self, request: RequestId) {
        self.judgement.set();
        self.judgement = Unwanted::default();
        let (engines, answers) = (Arc::clone(&self.engines), self.answers.clone());
        let unwanted = self.judgement.clone();
        let sound = self.sound.last(WINDOW);
        let job = move || {
            if unwanted.is_set() {
                return;
            }
            match engines.smart_turn.turn_over(&sound, &rten_companion()) {
                Ok(probability) if !unwanted.is_set() => answer(&answers, EarsEvent::TurnOver { request, probability }),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "the end of a turn could not be judged"),
            }
        };
        if let Err(error) = self.pool.submit(Priority::Turn, job) {
            tracing::warn!(%error, "the end of a turn is not judged");
        }
    }

    fn abandon(&mut self) {
        self.decode.set();
        self.judgement.set();
    }
}

impl Drop for WhisperHearing {
    /// A call that is over wants no more words.
    fn drop(&mut self) {
        self.abandon();
    }
}

/// A call that does not take its answers is over or stuck; a worker of the
/// pool must not wait for it.
fn answer(answers: &mpsc::Sender<EarsEvent>, event: EarsEvent) {
    if answers.try_send(event).is_err() {
        tracing::debug!("an answer of the ears was not taken");
    }
}

/// Decodes sound, unless nobody speaks in it: Whisper hears words in silence.
fn hear(whisper: &Model, sound: &[i16], prompt: &Prompt, unwanted: &Unwanted) -> Result<(String, Confidence), Decode> {
    if !has_voice(sound) {
        return Ok((String::new(), model::NOTHING));
    }
    let (words, confidence) = whisper.decode(sound, prompt, unwanted)?;
    if is_phantom(&words, confidence.mean_log_probability) {
        return Ok((String::new(), Confidence { no_speech: 1.0, ..confidence }));
    }
    Ok((words, confidence))
}
