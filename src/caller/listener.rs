use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use thiserror::Error;
use tokio::sync::mpsc;

use super::transcript::TurnKey;
use crate::media::{Frame, SampleRate};
use crate::ops::MomentSource;
use crate::speech::onbox::{LoadEars, LoadTurn, Pool, PoolSize, Priority, SmartTurn, StartPool, WhisperEars};
use crate::speech::{CallSetting, EarsEvent, Hearing, Hints, Transcriber};
use crate::terms::{Moment, RequestId};

/// The ears' files, best first.
const WHISPER_FILES: [&str; 2] = ["whisper-base.q8_0.ggml.bin", "whisper-tiny.en.q8_0.ggml.bin"];
const TURN_FILE: &str = "smart-turn-v3.2-cpu.onnx";

/// Decodes that wait: the far side cannot say more turns than this while one
/// turn is decoded.
const WAITING: usize = 64;

/// How nice the decodes are (nice(2)): the lowest. The box that is tested may
/// run on the same machine, and its caller must not slow it down.
const NICENESS: i32 = 19;

/// Samples at 16 kHz that are decoded at once; Whisper's window is 30 s.
const PART_MAX: usize = 28 * 16_000;

/// A longer turn is cut in the quietest block (20 ms) of the last six seconds.
const CUT_WITHIN: usize = 6 * 16_000;
const BLOCK: usize = 320;

#[derive(Debug, Error)]
pub enum LoadListener {
    #[error("{0}. `milu models fetch` brings the models")]
    Ears(#[from] LoadEars),
    #[error("{0}. `milu models fetch` brings the models")]
    Turn(#[from] LoadTurn),
    #[error(transparent)]
    Pool(#[from] StartPool),
}

/// Writes down what the far side said, behind everything else.
pub struct Listener {
    ears: Arc<dyn Transcriber>,
    answers: mpsc::Receiver<EarsEvent>,
    /// Handed to the ears with each question.
    to_self: mpsc::Sender<EarsEvent>,
    open: BTreeMap<RequestId, Part>,
    turns: Vec<Turn>,
    next: RequestId,
}

struct Part {
    turn: usize,
    part: usize,
    /// Dropping it would give the question up.
    _hearing: Box<dyn Hearing>,
}

struct Turn {
    key: TurnKey,
    parts: Vec<Option<String>>,
}

impl Listener {
    /// Loads the on-box ears from `models_dir` with a pool of their own.
    pub fn load(models_dir: &Path, now: MomentSource) -> Result<Self, LoadListener> {
        let pool = Pool::new("scribe", PoolSize { threads: 1, queue: WAITING })?;
        let humble = || {
            if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
                tracing::debug!(%error, "the transcript is written at the engines' priority");
            }
        };
        if let Err(error) = pool.submit(Priority::Ears, humble) {
            tracing::debug!(%error, "the transcript is written at the engines' priority");
        }
        let turn = SmartTurn::load(&models_dir.join(TURN_FILE))?;
        let files = WHISPER_FILES.map(|file| models_dir.join(file));
        let file = files.iter().find(|file| file.exists()).unwrap_or(&files[0]);
        Ok(Self::new(Arc::new(WhisperEars::load(file, turn, pool, now)?)))
    }

    pub fn new(ears: Arc<dyn Transcriber>) -> Self {
        let (to_self, answers) = mpsc::channel(WAITING);
        Self { ears, answers, to_self, open: BTreeMap::new(), turns: Vec::new(), next: RequestId::default() }
    }

    /// Asks for the words of a turn; `sound` is at 16 kHz.
    pub(super) fn ask(&mut self, key: TurnKey, sound: &[i16]) {
        let parts = parts(sound);
        let turn = self.turns.len();
        self.turns.push(Turn { key, parts: vec![None; parts.len()] });
        for (part, sound) in parts.into_iter().enumerate() {
            let mut hearing = self.ears.open(&CallSetting::on_box(Hints::default()), self.to_self.clone());
            // The sound is over: its times say nothing any more, only its order.
            for block in sound.chunks(BLOCK) {
                hearing.frame(&Frame::from_samples(SampleRate::Hz16000, block), Moment::START);
            }
            let request = self.next;
            self.next = request.next();
            hearing.decode(request);
            self.open.insert(request, Part { turn, part, _hearing: hearing });
        }
    }

    /// The next turn whose words are complete; for ever pending without one.
    pub(super) async fn heard(&mut self) -> (TurnKey, Option<String>) {
        loop {
            // The listener holds a sender itself, so the channel never ends.
            let Some(event) = self.answers.recv().await else { return std::future::pending().await };
            if let Some(turn) = self.take(event) {
                return turn;
            }
        }
    }

    fn take(&mut self, event: EarsEvent) -> Option<(TurnKey, Option<String>)> {
        let (request, text) = match event {
            EarsEvent::Heard(heard) => (heard.request, heard.words.into_exposed()),
            EarsEvent::Failed { request, error } => {
                tracing::warn!(%error, "a turn of the far side could not be written down");
                (request, String::new())
            }
            EarsEvent::TurnOver { .. }
            | EarsEvent::WordsBegan { .. }
            | EarsEvent::WordsEnded { .. }
            | EarsEvent::Left(_) => return None,
        };
        let Part { turn, part, .. } = self.open.remove(&request)?;
        let turn = &mut self.turns[turn];
        turn.parts[part] = Some(text.trim().to_owned());
        let words: Option<Vec<&str>> = turn.parts.iter().map(Option::as_deref).collect();
        let words = words?.into_iter().filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ");
        Some((turn.key, Some(words).filter(|words| !words.is_empty())))
    }
}

/// Cuts sound into what can be decoded at once, where it is quietest.
fn parts(mut sound: &[i16]) -> Vec<&[i16]> {
    let mut parts = Vec::new();
    while sound.len() > PART_MAX {
        let from = PART_MAX - CUT_WITHIN;
        let loudness = |block: &&[i16]| block.iter().map(|s| u64::from(s.unsigned_abs())).sum::<u64>();
        let blocks = sound[from..PART_MAX].chunks_exact(BLOCK).enumerate();
        let quietest = blocks.min_by_key(|(_, block)| loudness(block)).map_or(0, |(n, _)| n);
        let (part, rest) = sound.split_at(from + quietest * BLOCK);
        parts.push(part);
        sound = rest;
    }
    parts.push(sound);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_turn_is_cut_where_it_is_quietest_and_nothing_is_lost() {
        let mut sound = vec![1000_i16; 40 * 16_000];
        sound[25 * 16_000..25 * 16_000 + BLOCK].fill(3);
        let parts = parts(&sound);
        assert_eq!(parts.iter().map(|p| p.len()).collect::<Vec<_>>(), [25 * 16_000, 15 * 16_000]);
    }

    #[test]
    fn a_short_turn_is_decoded_whole() {
        assert_eq!(parts(&[1; 5]).len(), 1);
    }
}
