//! From text to the sound that is sent: spoken by the box's Piper, kept so that
//! the same sentence costs nothing a second time, and encoded as was asked for.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use milu::media::{SampleRate, g711};
use milu::speech::{CallSetting, Hints, SpeakRequest, Synthesizer, VoiceEvent};
use milu::terms::{Moment, Private, UtteranceId};
use ring::digest::{SHA256, digest};
use tokio::sync::mpsc;

use super::World;
use super::voice_alignment::{Alignment, align};

/// Slices of the voice on their way.
const SLICES: usize = 8;

/// Rendered clauses in memory; a benchmark has some hundred.
const CLAUSES_MAX: usize = 4_000;

/// Sound of one message; the first of a text is shorter, because somebody waits for it.
const FIRST: Duration = Duration::from_millis(200);
const NEXT: Duration = Duration::from_millis(500);

/// Sound is sent so much faster than it is played.
const AHEAD: u32 = 8;

/// A clause shorter than this is spoken with the next.
const CLAUSE_CHARS: usize = 24;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    Pcm,
    MuLaw,
    ALaw,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputFormat {
    pub codec: Codec,
    pub hz: u32,
}

impl OutputFormat {
    pub const fn content_type(self) -> &'static str {
        match self.codec {
            Codec::Pcm => "audio/pcm",
            Codec::MuLaw | Codec::ALaw => "audio/basic",
        }
    }

    /// The rate at which the voice speaks for it.
    const fn spoken(self) -> SampleRate {
        if self.hz == 8_000 { SampleRate::Hz8000 } else { SampleRate::Hz16000 }
    }

    fn encode(self, samples: &[i16]) -> Vec<u8> {
        match self.codec {
            Codec::Pcm => samples.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
            Codec::MuLaw => samples.iter().map(|&sample| g711::encode_mu_law(sample)).collect(),
            Codec::ALaw => samples.iter().map(|&sample| g711::encode_a_law(sample)).collect(),
        }
    }
}

/// A message's worth of sound.
#[derive(Clone, Debug)]
pub struct Piece {
    pub audio: Vec<u8>,
    pub alignment: Option<Alignment>,
}

/// What has been spoken before, in memory and on disk.
pub struct RenderedSpeech {
    dir: PathBuf,
    clauses: Mutex<BTreeMap<String, Arc<Vec<i16>>>>,
}

impl RenderedSpeech {
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, clauses: Mutex::default() }
    }

    fn known(&self, name: &str) -> Option<Arc<Vec<i16>>> {
        if let Some(sound) = self.clauses.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Some(Arc::clone(sound));
        }
        let bytes = std::fs::read(self.dir.join(name)).ok()?;
        let (pairs, _) = bytes.as_chunks::<2>();
        let sound = Arc::new(pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect());
        self.remember(name, &sound);
        Some(sound)
    }

    fn remember(&self, name: &str, sound: &Arc<Vec<i16>>) {
        let mut clauses = self.clauses.lock().unwrap_or_else(PoisonError::into_inner);
        if clauses.len() < CLAUSES_MAX {
            clauses.insert(name.to_owned(), Arc::clone(sound));
        }
    }

    fn keep(&self, name: &str, sound: &Arc<Vec<i16>>) {
        self.remember(name, sound);
        let bytes: Vec<u8> = sound.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        // Whole or not at all, for another run that reads at the same time.
        let beside = self.dir.join(format!("{name}.new"));
        let kept = std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, self.dir.join(name)));
        if let Err(error) = kept {
            tracing::warn!(%error, "rendered speech could not be kept");
        }
    }
}

/// One clause as samples at 8 or 16 kHz.
async fn clause(world: &World, text: &str, rate: SampleRate, speed: f32) -> Option<Arc<Vec<i16>>> {
    let key = format!("{}\0{speed:.2}\0{text}", rate.hz());
    let name: String = digest(&SHA256, key.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    if let Some(sound) = world.speech.known(&name) {
        return Some(sound);
    }
    let voice = match world.engines.voice().await {
        Ok(voice) => voice.open(&CallSetting::on_box(Hints::default())),
        Err(error) => {
            tracing::error!(%error, "the stand-in's voice is dumb");
            return None;
        }
    };
    let (tell, mut told) = mpsc::channel(SLICES);
    let text = Private::new(text.to_owned());
    let _speaking = voice.speak(SpeakRequest { utterance: UtteranceId(0), text, rate, pace: speed }, tell);
    let mut all = Vec::new();
    while let Some(event) = told.recv().await {
        match event {
            VoiceEvent::Sound { samples, .. } => all.extend(samples),
            VoiceEvent::Marks { .. } | VoiceEvent::Left { .. } => {}
            VoiceEvent::Done { .. } => {
                let sound = Arc::new(all);
                world.speech.keep(&name, &sound);
                return Some(sound);
            }
            VoiceEvent::Failed { error, .. } => {
                tracing::error!(%error, "the stand-in's voice failed");
                return None;
            }
        }
    }
    None
}

/// How a text is to be spoken.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    pub format: OutputFormat,
    pub speed: f32,
    /// Timings with each piece, or all of a clause's with its first.
    pub is_aligned: bool,
    /// Nothing is heard before this.
    pub not_before: Moment,
}

/// Speaks a text piece by piece into `pieces`; ends early when nobody takes them.
pub async fn speak(world: &World, text: &str, manner: Manner, pieces: &mpsc::Sender<Piece>) -> Result<(), Silent> {
    for text in clauses(text) {
        let spoken = clause(world, text.trim(), manner.format.spoken(), manner.speed).await.ok_or(Silent)?;
        let sound = resampled(&spoken, manner.format.spoken().hz(), manner.format.hz);
        world.clock.sleep_until(manner.not_before).await;
        let total = time(sound.len(), manner.format.hz);
        let alignment = align(&text, total);
        let (mut at, mut most) = (0, samples(FIRST, manner.format.hz));
        while at < sound.len() {
            let end = (at + most).min(sound.len());
            let (from, until) = (time(at, manner.format.hz), time(end, manner.format.hz));
            let alignment = if manner.is_aligned {
                Some(alignment.between(from, (end < sound.len()).then_some(until)))
            } else {
                (at == 0).then(|| alignment.clone())
            };
            let piece = Piece { audio: manner.format.encode(&sound[at..end]), alignment };
            if pieces.send(piece).await.is_err() {
                return Ok(());
            }
            tokio::time::sleep((until - from) / AHEAD).await;
            (at, most) = (end, samples(NEXT, manner.format.hz));
        }
    }
    Ok(())
}

/// The voice could not speak.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

fn time(samples: usize, hz: u32) -> Duration {
    Duration::from_micros(samples as u64 * 1_000_000 / u64::from(hz))
}

fn samples(time: Duration, hz: u32) -> usize {
    usize::try_from(time.as_micros() * u128::from(hz) / 1_000_000).unwrap_or(usize::MAX)
}

/// Cut after punctuation, each with some words in it; nothing is lost.
fn clauses(text: &str) -> Vec<String> {
    let mut clauses = Vec::new();
    let mut clause = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        clause.push(c);
        let ends =
            matches!(c, '.' | '!' | '?' | ',' | ';' | ':') && chars.peek().is_none_or(|next| next.is_whitespace());
        if ends && clause.chars().count() >= CLAUSE_CHARS {
            clauses.push(std::mem::take(&mut clause));
        }
    }
    if clause.chars().any(char::is_alphanumeric) {
        clauses.push(clause);
    }
    clauses
}

/// From the voice's rate to another, with a windowed sinc of sixteen samples.
fn resampled(sound: &[i16], from_hz: u32, to_hz: u32) -> Vec<i16> {
    const REACH: f64 = 8.0;
    if from_hz == to_hz {
        return sound.to_vec();
    }
    let step = f64::from(from_hz) / f64::from(to_hz);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "lengths")]
    let length = (sound.len() as f64 / step) as usize;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "within")]
    let at = |n: usize| {
        let position = n as f64 * step;
        let first = (position - REACH).ceil().max(0.0) as usize;
        let last = ((position + REACH).floor() as usize).min(sound.len().saturating_sub(1));
        let sum: f64 = (first..=last)
            .map(|k| {
                let x = position - k as f64;
                let window = 0.5 + 0.5 * (std::f64::consts::PI * x / REACH).cos();
                let angle = std::f64::consts::PI * x;
                let sinc = if x.abs() < 1e-9 { 1.0 } else { angle.sin() / angle };
                f64::from(sound[k]) * sinc * window
            })
            .sum();
        sum.round() as i16
    };
    (0..length).map(at).collect()
}
