use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use super::sound_file::{PREPARED_HZ, read_stream, whole};
use crate::media::SampleRate;
use crate::speech::VoiceError;
use crate::speech::onbox::{LoadVoice, Phonemizer, PiperVoice, Pool, PoolSize, Respellings, StartPool};
use crate::terms::Private;

/// Debian's speech program; it is run, never linked.
const ESPEAK: &str = "espeak-ng";

/// Words a minute: somewhat slower than its default, as people speak on the telephone.
const PACE: &str = "150";

/// The name that asks for the box's own voice.
const PIPER: &str = "piper";
const PIPER_FILE: &str = "en_US-joe-medium.onnx";

/// Characters of one thing to say: about two minutes.
const TEXT_MAX: usize = 2000;

/// Two minutes of speech are made in less than a second.
const LONGEST: Duration = Duration::from_secs(20);

/// Speech on the telephone, RMS of its loud parts.
const SPEECH_DBFS: f32 = -18.0;

/// No peak above this share of full scale (-2 dB), whatever the level asks for.
const PEAK_MAX: f32 = 0.8;

/// Blocks of 20 ms this far below the loudest are pauses.
const PAUSE_DB: f32 = 30.0;

#[derive(Debug, Error)]
pub enum SpeakText {
    #[error("speaking a text: it has more than {TEXT_MAX} characters")]
    Long,
    #[error("speaking a text: there is nothing to say in it")]
    Empty,
    #[error("speaking a text: `{ESPEAK}` could not be run ({0}); Debian's package espeak-ng brings it")]
    Start(#[source] std::io::Error),
    #[error("speaking a text: `{ESPEAK}` has no voice `{voice}`; `{ESPEAK} --voices` lists them")]
    Refused { voice: String },
    #[error("speaking a text: `{ESPEAK}` did not end within 20 seconds")]
    Slow,
    #[error("speaking a text: what `{ESPEAK}` gave is no sound ({0})")]
    Sound(#[source] hound::Error),
    #[error("{0}. `milu models fetch` brings the models")]
    LoadPiper(#[from] LoadVoice),
    #[error(transparent)]
    Pool(#[from] StartPool),
    #[error(transparent)]
    Piper(#[from] VoiceError),
}

/// Who speaks for the caller.
#[derive(Clone, Debug)]
pub struct VoiceOptions {
    /// A voice of espeak-ng (`en-gb`, `en+f3`), or `piper`.
    pub name: String,
    /// Where Piper's voice lies.
    pub models_dir: PathBuf,
}

/// A voice of the caller.
pub enum Voice {
    Espeak(String),
    Piper(Box<PiperVoice>),
}

impl Voice {
    /// Loads the voice where there is something to load. Must be called within
    /// a runtime, on which `tasks` then speaks.
    pub fn load(options: &VoiceOptions, tasks: &TaskTracker) -> Result<Self, SpeakText> {
        if options.name != PIPER {
            return Ok(Self::Espeak(options.name.clone()));
        }
        // One sentence at a time is made, slice by slice.
        let pool: Arc<Pool> = Pool::new("caller", PoolSize { threads: 1, queue: 8 })?;
        let phonemizer = Phonemizer::new(ESPEAK, &Respellings::new());
        let file = options.models_dir.join(PIPER_FILE);
        let voice = PiperVoice::load(&file, phonemizer, pool, tasks.clone(), Handle::current())?;
        Ok(Self::Piper(Box::new(voice)))
    }

    /// The text as sound at 16 kHz, at the loudness of a telephone.
    pub async fn speak(&self, text: &str) -> Result<Vec<i16>, SpeakText> {
        if text.chars().count() > TEXT_MAX {
            return Err(SpeakText::Long);
        }
        let sound = match self {
            Self::Espeak(voice) => levelled(&espeak(voice, text).await?),
            Self::Piper(voice) => voice.render(Private::new(text.to_owned()), SampleRate::Hz16000).await?,
        };
        if sound.is_empty() { Err(SpeakText::Empty) } else { Ok(sound) }
    }
}

async fn espeak(voice: &str, text: &str) -> Result<Vec<f32>, SpeakText> {
    let mut child = tokio::process::Command::new(ESPEAK)
        .args(["--stdin", "--stdout", "-s", PACE, "-v", voice])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(SpeakText::Start)?;
    let spoken = async {
        if let Some(mut input) = child.stdin.take() {
            // It reads all before it speaks, and 2000 characters fit in the pipe.
            input.write_all(text.as_bytes()).await.map_err(SpeakText::Start)?;
        }
        child.wait_with_output().await.map_err(SpeakText::Start)
    };
    let output = tokio::time::timeout(LONGEST, spoken).await.map_err(|_| SpeakText::Slow)??;
    if !output.status.success() || output.stdout.is_empty() {
        return Err(SpeakText::Refused { voice: voice.to_owned() });
    }
    read_stream(&output.stdout).map_err(SpeakText::Sound)
}

/// Brings speech to the telephone's loudness by one gain for all of it.
fn levelled(sound: &[f32]) -> Vec<i16> {
    let energies: Vec<f32> = blocks(sound).map(energy).collect();
    let threshold = energies.iter().copied().fold(0.0, f32::max) * 10_f32.powf(-PAUSE_DB / 10.0);
    let loud: Vec<f32> = energies.into_iter().filter(|e| *e > threshold).collect();
    let peak = sound.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
    if loud.is_empty() || peak == 0.0 {
        return whole(sound);
    }
    let rms = (loud.iter().sum::<f32>() / loud.len() as f32).sqrt();
    let gain = (10_f32.powf(SPEECH_DBFS / 20.0) / rms).min(PEAK_MAX / peak);
    whole(&sound.iter().map(|s| s * gain).collect::<Vec<_>>())
}

fn blocks(sound: &[f32]) -> std::slice::Chunks<'_, f32> {
    sound.chunks(PREPARED_HZ as usize / 50)
}

fn energy(block: &[f32]) -> f32 {
    block.iter().map(|s| s * s).sum::<f32>() / block.len() as f32
}

/// From the first to the last voiced sample, as times from the sound's beginning.
/// All of it, when nothing in it is louder than the rest.
pub(super) fn voiced(sound: &[i16]) -> (Duration, Duration) {
    let unit: Vec<f32> = sound.iter().map(|s| f32::from(*s) / 32_768.0).collect();
    let energies: Vec<f32> = blocks(&unit).map(energy).collect();
    let threshold = energies.iter().copied().fold(0.0, f32::max) * 10_f32.powf(-PAUSE_DB / 10.0);
    let first = energies.iter().position(|e| *e > threshold).unwrap_or(0);
    let last = energies.iter().rposition(|e| *e > threshold).map_or(energies.len(), |last| last + 1);
    let time = |blocks: usize| Duration::from_millis(20 * blocks as u64);
    (time(first), time(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Level;

    fn espeak_voice(name: &str) -> Voice {
        Voice::Espeak(name.to_owned())
    }

    #[tokio::test]
    async fn a_sentence_is_spoken_at_the_loudness_of_a_telephone() {
        for name in ["en-gb", "en+f3"] {
            let sound = espeak_voice(name).speak("When do you open on Saturday?").await.expect("a sound");
            assert!((16_000..80_000).contains(&sound.len()), "{name}: {} samples", sound.len());
            let level = Level::of(&sound);
            assert!((-24.0..-15.0).contains(&level.rms_dbfs) && level.peak_dbfs < -1.0, "{name}: {level:?}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_said_is_refused_with_its_reason() {
        assert!(matches!(espeak_voice("zz-none").speak("Hello").await, Err(SpeakText::Refused { .. })));
        assert!(matches!(espeak_voice("en-gb").speak(&"a".repeat(2001)).await, Err(SpeakText::Long)));
    }

    #[test]
    fn silence_around_a_sound_is_not_its_voice() {
        let mut sound = vec![0_i16; 16_000];
        sound[3_200..8_000].fill(5_000);
        assert_eq!(voiced(&sound), (Duration::from_millis(200), Duration::from_millis(500)));
        assert_eq!(voiced(&[0; 3_200]), (Duration::ZERO, Duration::from_millis(200)));
    }
}
