use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use tokio_util::task::TaskTracker;

use super::manners::Plan;
use super::sound_file::{ReadSound, read_sound};
use super::voices::{SpeakText, Voice, VoiceOptions, voiced};

/// The keys that a telephone can send.
pub const DIGITS: &str = "0123456789*#ABCD";

/// One step of what the caller does, in the order given.
#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    Say(String),
    /// Says it one second into the far side's next turn.
    Interrupt(String),
    /// Plays a WAV file.
    Play(PathBuf),
    Press(String),
    Wait(Duration),
}

#[derive(Debug, Error)]
pub enum ReadStep {
    #[error(transparent)]
    Speak(#[from] SpeakText),
    #[error(transparent)]
    Play(#[from] ReadSound),
    #[error("pressing keys: `{key}` is not on a telephone; {DIGITS} are")]
    Key { key: char },
    #[error("pressing keys: there are none to press")]
    NoKeys,
}

/// A step with everything made that takes time, so that the call has its own
/// timing and no other.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub plan: Plan,
    /// As it stands in the transcript.
    pub text: String,
    /// At 16 kHz; empty for what makes no sound.
    pub sound: Vec<i16>,
    pub keys: Vec<char>,
    /// The first and last voiced sample of `sound`.
    pub voiced: (Duration, Duration),
}

impl Prepared {
    fn silent(plan: Plan, text: String) -> Self {
        Self { plan, text, sound: Vec::new(), keys: Vec::new(), voiced: (Duration::ZERO, Duration::ZERO) }
    }

    fn sounding(plan: Plan, text: String, sound: Vec<i16>) -> Self {
        let voiced = voiced(&sound);
        Self { sound, voiced, ..Self::silent(plan, text) }
    }
}

/// What a caller does in a call, ready to be done.
#[derive(Clone, Debug, Default)]
pub struct Script(pub(super) Vec<Prepared>);

/// Speaks every text, reads every file and checks every key.
pub async fn prepare(steps: &[Step], voice: &VoiceOptions) -> Result<Script, ReadStep> {
    let tasks = TaskTracker::new();
    let mut loaded = None;
    let mut prepared = Vec::with_capacity(steps.len());
    for step in steps {
        let ready = match step {
            Step::Say(text) | Step::Interrupt(text) => {
                let voice = match &mut loaded {
                    Some(voice) => voice,
                    none => none.insert(Voice::load(voice, &tasks)?),
                };
                let plan = if matches!(step, Step::Say(_)) { Plan::Speak } else { Plan::Interrupt };
                Prepared::sounding(plan, text.clone(), voice.speak(text).await?)
            }
            Step::Play(path) => {
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
                Prepared::sounding(Plan::Speak, format!("[{name}]"), read_sound(path)?)
            }
            Step::Press(keys) => pressed(keys)?,
            Step::Wait(time) => Prepared::silent(Plan::Wait(*time), String::new()),
        };
        prepared.push(ready);
    }
    Ok(Script(prepared))
}

fn pressed(keys: &str) -> Result<Prepared, ReadStep> {
    let keys: Vec<char> = keys.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_uppercase()).collect();
    if let Some(key) = keys.iter().find(|key| !DIGITS.contains(**key)) {
        return Err(ReadStep::Key { key: *key });
    }
    if keys.is_empty() {
        return Err(ReadStep::NoKeys);
    }
    let text = format!("[keys {}]", keys.iter().collect::<String>());
    Ok(Prepared { plan: Plan::Keys(keys.len()), keys, ..Prepared::silent(Plan::Speak, text) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_a_telephone() {
        assert_eq!(pressed("1 2#a").expect("keys").keys, ['1', '2', '#', 'A']);
        assert!(matches!(pressed("1x"), Err(ReadStep::Key { key: 'X' })));
        assert!(matches!(pressed(" "), Err(ReadStep::NoKeys)));
    }
}
