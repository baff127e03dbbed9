//! From the sound of what was said to its words: by the box's Whisper, or, for
//! benchmarks, from what the callers are known to say.
//!
//! Known words exist because real transcription keeps two cores busy, and a
//! benchmark on the same machine would then measure the stand-in and not the
//! box. Sound activity still decides when there are words and when they are
//! final; only which words they are is known beforehand. Nothing but a
//! benchmark may use them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use milu::media::{Frame, SampleRate};
use milu::ops::SystemClock;
use milu::speech::onbox::WhisperEars;
use milu::speech::{CallSetting, EarsEvent, Hints, Transcriber};
use milu::terms::{Language, Moment, RequestId};
use thiserror::Error;
use tokio::sync::mpsc;

use super::World;
use super::ears_sound::length;

/// So much silence after a voice is a pause and not a stop within a word.
const PAUSED: Duration = Duration::from_millis(60);

/// How fast known words come up in interim results: a calm speaker.
const WORDS_PER_S: f64 = 2.5;

/// Voice that goes on so soon after known words were final is the same sentence,
/// with a pause in it: nobody answers and asks again within this.
const SAME_SENTENCE: Duration = Duration::from_millis(700);

/// After so long it is another one, however little of the silence between was sent:
/// a box that left these ears and comes back sends but the end of it.
const ANOTHER_SENTENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Error)]
pub enum ReadWords {
    #[error("reading the known words in {path}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("reading the known words in {path}: there is no sentence in it")]
    Empty { path: PathBuf },
}

/// What every caller says, in order, each call from the beginning.
pub struct KnownWords {
    sentences: Mutex<Arc<Vec<String>>>,
}

impl KnownWords {
    /// A sentence a row; empty rows are skipped.
    pub fn read(path: &Path) -> Result<Self, ReadWords> {
        let text = std::fs::read_to_string(path).map_err(|source| ReadWords::Read { path: path.to_owned(), source })?;
        let sentences: Vec<String> =
            text.lines().map(str::trim).filter(|row| !row.is_empty()).map(str::to_owned).collect();
        if sentences.is_empty() {
            return Err(ReadWords::Empty { path: path.to_owned() });
        }
        Ok(Self { sentences: Mutex::new(Arc::new(sentences)) })
    }

    /// For connections that open from now on. Without any sentence they really listen.
    pub fn replace(&self, sentences: Vec<String>) {
        *self.sentences.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(sentences);
    }

    fn all(&self) -> Arc<Vec<String>> {
        Arc::clone(&self.sentences.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A word and where it was said.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    pub text: String,
    pub start: Moment,
    pub end: Moment,
    pub confidence: f64,
}

/// What was heard in a piece of sound.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words {
    pub words: Vec<Word>,
    /// 0 to 1; 0 without words.
    pub confidence: f64,
    /// How surely nothing more comes, if it was asked for.
    pub turn_over: Option<f64>,
}

impl Words {
    pub fn text(&self) -> String {
        self.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    pub const fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The words spread over the time in which they were said, by their length.
    fn spread(text: &str, confidence: f64, from: Moment, until: Moment) -> Self {
        let total: usize = text.split_whitespace().map(|word| word.chars().count() + 1).sum();
        let span = until.since(from);
        let mut at = from;
        let mut words = Vec::new();
        for text in text.split_whitespace() {
            #[expect(clippy::cast_precision_loss, reason = "a sentence has some hundred characters")]
            let share = (text.chars().count() + 1) as f64 / total.max(1) as f64;
            let end = at + span.mul_f64(share);
            words.push(Word { text: text.to_owned(), start: at, end, confidence });
            at = end;
        }
        Self { confidence: if words.is_empty() { 0.0 } else { confidence }, words, turn_over: None }
    }
}

/// A piece of sound whose words are wanted.
#[derive(Clone, Debug)]
pub struct Piece {
    pub sound: Vec<i16>,
    /// Where the sound begins.
    pub start: Moment,
    /// Where voice was last in it.
    pub voice_end: Moment,
    /// Where the sound ends.
    pub end: Moment,
    /// Whether it is also to be judged if the turn is over.
    pub judge: bool,
}

/// One connection's source of words.
pub enum WordSource {
    Heard { ears: Arc<WhisperEars>, keyterms: Vec<String> },
    Known(Recital),
}

impl WordSource {
    pub async fn open(world: &World, keyterms: Vec<String>) -> Option<Self> {
        let known = world.known_words.as_ref().map(KnownWords::all);
        if let Some(sentences) = known.filter(|sentences| !sentences.is_empty()) {
            return Some(Self::Known(Recital {
                sentences,
                next: 0,
                last_end: None,
                last_told: world.now(),
                clock: world.clock,
            }));
        }
        match world.engines.ears().await {
            Ok(ears) => Some(Self::Heard { ears, keyterms }),
            Err(error) => {
                tracing::error!(%error, "the stand-in's ears are deaf");
                None
            }
        }
    }

    pub fn set_keyterms(&mut self, terms: Vec<String>) {
        if let Self::Heard { keyterms, .. } = self {
            *keyterms = terms;
        }
    }

    /// The words so far of what is still being said.
    pub fn interim(&self, piece: Piece) -> Hearing {
        match self {
            Self::Heard { ears, keyterms } => Hearing::new(ears, keyterms, piece),
            Self::Known(recital) => Hearing::Known(recital.so_far(&piece)),
        }
    }

    /// The words of what was said.
    pub fn whole(&mut self, piece: Piece) -> Hearing {
        match self {
            Self::Heard { ears, keyterms } => Hearing::new(ears, keyterms, piece),
            Self::Known(recital) => Hearing::Known(recital.all(&piece)),
        }
    }
}

/// Where a caller is in what it is known to say.
pub struct Recital {
    sentences: Arc<Vec<String>>,
    next: usize,
    /// Where the last sentence ended, in the stream.
    last_end: Option<Moment>,
    /// When its words were given.
    last_told: Moment,
    clock: SystemClock,
}

impl Recital {
    /// How the piece lies to the last sentence that was final.
    fn place(&self, piece: &Piece) -> Placed {
        match self.last_end {
            // A turn that went on after a pause is heard again from its beginning.
            Some(end) if piece.start < end => Placed::Again,
            Some(_) if self.clock.now().since(self.last_told) >= ANOTHER_SENTENCE => Placed::Next,
            Some(end) if piece.start.since(end) < SAME_SENTENCE => Placed::Rest,
            _ => Placed::Next,
        }
    }

    fn sentence(&self, n: usize) -> &str {
        // Whoever says more than is known says it again.
        self.sentences.get(n % self.sentences.len().max(1)).map_or("", String::as_str)
    }

    fn so_far(&self, piece: &Piece) -> Words {
        match self.place(piece) {
            Placed::Rest => return Words::default(),
            Placed::Again => {
                return Words::spread(self.sentence(self.next.saturating_sub(1)), 0.9, piece.start, piece.voice_end);
            }
            Placed::Next => {}
        }
        let sentence = self.sentence(self.next);
        let silence = piece.end.since(piece.voice_end);
        if silence >= PAUSED {
            // Ears that have listened into the silence have all of the words.
            return Words::spread(sentence, 0.95, piece.start, piece.voice_end);
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some dozen words")]
        let said = (length(&piece.sound).as_secs_f64() * WORDS_PER_S) as usize;
        let all = sentence.split_whitespace().count();
        let most = all.saturating_sub(1).max(1);
        let words: Vec<&str> = sentence.split_whitespace().take(said.clamp(1, most)).collect();
        Words::spread(&words.join(" "), 0.8, piece.start, piece.voice_end)
    }

    fn all(&mut self, piece: &Piece) -> Words {
        let placed = self.place(piece);
        (self.last_end, self.last_told) = (Some(piece.voice_end), self.clock.now());
        if placed == Placed::Rest {
            return Words::default();
        }
        if placed == Placed::Next {
            self.next += 1;
        }
        Words::spread(self.sentence(self.next.saturating_sub(1)), 0.98, piece.start, piece.voice_end)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Placed {
    Again,
    /// What comes after a pause of a sentence that was given whole.
    Rest,
    Next,
}

/// Words that are being made out. Dropping it gives them up.
pub enum Hearing {
    Heard { hearing: Box<dyn milu::speech::Hearing>, answers: mpsc::Receiver<EarsEvent>, piece: Piece },
    Known(Words),
}

impl Hearing {
    fn new(ears: &Arc<WhisperEars>, keyterms: &[String], piece: Piece) -> Self {
        // A decode and a judgement.
        let (tell, answers) = mpsc::channel(16);
        let hints = Hints { language: Language::English, words: keyterms.to_vec() };
        let mut hearing = ears.open(&CallSetting::on_box(hints), tell);
        for frame in piece.sound.chunks(SampleRate::Hz16000.frame_len()) {
            hearing.frame(&Frame::from_samples(SampleRate::Hz16000, frame), Moment::START);
        }
        Self::Heard { hearing, answers, piece }
    }

    pub async fn words(self) -> Words {
        match self {
            Self::Known(words) => words,
            Self::Heard { hearing, answers, piece } => heard(hearing, answers, &piece).await,
        }
    }
}

async fn heard(
    mut hearing: Box<dyn milu::speech::Hearing>,
    mut answers: mpsc::Receiver<EarsEvent>,
    piece: &Piece,
) -> Words {
    let request = RequestId(1);
    hearing.decode(request);
    if piece.judge {
        hearing.judge(request);
    }
    let (mut words, mut turn_over) = (None, None);
    while words.is_none() || (piece.judge && turn_over.is_none()) {
        match answers.recv().await {
            Some(EarsEvent::Heard(heard)) => {
                let confidence = f64::from(heard.confidence.mean_log_probability).exp().clamp(0.0, 1.0);
                let text = heard.words.into_exposed();
                words = Some(Words::spread(&text, confidence, piece.start, piece.voice_end));
            }
            Some(EarsEvent::TurnOver { probability, .. }) => turn_over = Some(f64::from(probability)),
            Some(EarsEvent::Failed { error, .. }) => {
                tracing::warn!(%error, "the stand-in's ears did not hear");
                return Words::default();
            }
            // An engine alone is left for no other, and here somebody has asked.
            Some(EarsEvent::Left(_) | EarsEvent::WordsBegan { .. } | EarsEvent::WordsEnded { .. }) => {}
            None => return Words::default(),
        }
    }
    Words { turn_over, ..words.unwrap_or_default() }
}
