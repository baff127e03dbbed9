use std::time::Duration;

use tokio::sync::mpsc;

use super::{Awaited, VoiceError, VoiceEvent};
use crate::conversation::WordEnd;
use crate::egress::SendError;
use crate::media::{SampleRate, VoiceFinish};
use crate::terms::UtteranceId;

/// Samples of one slice: half a second of a narrow line. The call's queue counts
/// slices, so one must not be a whole sentence.
const SLICE: usize = 4_000;

/// The shortest and the longest that a letter or digit sounds, at the usual pace:
/// quick speakers take 40 ms for one, and no digit takes a second. What lies far
/// beyond is not the sound of these words, whatever it is called.
const LETTER_MIN: Duration = Duration::from_millis(5);
const LETTER_MAX: Duration = Duration::from_secs(1);

/// Pauses before, between and after the words of an utterance.
const PAUSES_MAX: Duration = Duration::from_secs(10);

/// How long a voice may take before the caller is better served by another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VoiceDeadlines {
    /// To a connection, its handshake included.
    pub connect: Duration,
    /// From the words to the first sound.
    pub first_sound: Duration,
    /// Between pieces of sound, while the caller has none left to hear.
    pub next_sound: Duration,
}

impl VoiceDeadlines {
    /// For what is made before anybody waits for it, and kept for years: ten seconds of a
    /// provider's bad day are better than another voice.
    pub const UNHURRIED: Self = Self {
        connect: Duration::from_secs(10),
        first_sound: Duration::from_secs(10),
        next_sound: Duration::from_secs(10),
    };
}

impl Default for VoiceDeadlines {
    /// A provider's median to the first sound is 230 ms on a good line; three
    /// round trips of a bad one (300 ms) stand before it.
    fn default() -> Self {
        Self {
            connect: Duration::from_millis(2_000),
            first_sound: Duration::from_millis(1_500),
            next_sound: Duration::from_millis(1_500),
        }
    }
}

/// What the door said, for who wanted a voice. `waiting_for` is what was being
/// waited for.
pub(super) fn of_send(error: &SendError, waiting_for: Awaited) -> VoiceError {
    match error {
        SendError::HeldBack(_) => VoiceError::Kept,
        SendError::Malformed { .. } => VoiceError::NotServed("its configuration makes no request"),
        // The page of a network whose allowance is used up, or a clock that the box
        // set wrong when it started: both pass.
        SendError::Certificate { .. } => VoiceError::Lost("its certificate is not trusted"),
        SendError::Resolve { .. } => VoiceError::Lost("its name cannot be resolved"),
        SendError::Connect { .. } => VoiceError::Lost("it cannot be reached"),
        SendError::ConnectTimedOut { within, .. } => {
            VoiceError::Stalled { waiting_for: Awaited::Connection, within: *within }
        }
        SendError::AnswerTimedOut { within, .. } => VoiceError::Stalled { waiting_for, within: *within },
        SendError::Handshake { .. } => VoiceError::Lost("it opens no WebSocket"),
        SendError::Redirect { .. } => VoiceError::Lost("it wants us to go elsewhere"),
        SendError::Protocol { .. } => VoiceError::Lost("it breaks the protocol"),
        SendError::TooLarge { .. } => VoiceError::Lost("a message is too large"),
        SendError::Closed { .. } => VoiceError::Lost("the connection broke off"),
    }
}

/// How long the sound of some words may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SoundLength {
    shortest: Duration,
    longest: Duration,
}

impl SoundLength {
    /// Of a text and a pace that are within the bounds of their voice.
    pub(super) fn of(text: &str, pace: f32) -> Self {
        let letters = text.chars().filter(|c| c.is_alphanumeric()).count();
        // A voice's bound is some thousands of them.
        let letters = u32::try_from(letters).unwrap_or(u32::MAX);
        let at = |each: Duration| each.saturating_mul(letters).div_f32(pace);
        Self { shortest: at(LETTER_MIN), longest: at(LETTER_MAX) + PAUSES_MAX }
    }
}

/// The call does not listen any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Gone;

/// Brings the sound of a voice that is not ours to the call: finished for the
/// telephone, in slices, with what it says when. It waits where the call has
/// enough to play.
pub(super) struct Delivery {
    utterance: UtteranceId,
    engine: &'static str,
    sound: mpsc::Sender<VoiceEvent>,
    finish: VoiceFinish,
    hz: u32,
    /// Samples of the voice that came.
    came: usize,
    /// Samples of the line that went.
    went: usize,
}

impl Delivery {
    /// For a voice that speaks at `hz`.
    pub(super) fn new(
        utterance: UtteranceId,
        engine: &'static str,
        sound: mpsc::Sender<VoiceEvent>,
        hz: u32,
        line: SampleRate,
    ) -> Result<Self, VoiceError> {
        let finish = VoiceFinish::new(hz, line).map_err(|_| VoiceError::Engine("its sound has no usual rate"))?;
        Ok(Self { utterance, engine, sound, finish, hz, came: 0, went: 0 })
    }

    /// How much of the voice's sound has come: where the next sample stands.
    pub(super) fn position(&self) -> Duration {
        Duration::from_micros(self.came as u64 * 1_000_000 / u64::from(self.hz))
    }

    /// An answer that ends well and is no speech would leave the caller in silence.
    pub(super) fn is_long_enough(&self, length: SoundLength) -> Result<(), VoiceError> {
        if self.position() < length.shortest {
            return Err(VoiceError::Lost("its sound is too short for the words"));
        }
        Ok(())
    }

    /// Nobody listens to a sound that goes on and on after the words.
    pub(super) fn is_short_enough(&self, length: SoundLength) -> Result<(), VoiceError> {
        if self.position() > length.longest {
            return Err(VoiceError::Lost("it sends more sound than the words have"));
        }
        Ok(())
    }

    /// Whether the call has been given any sound.
    pub(super) const fn has_sounded(&self) -> bool {
        self.went > 0
    }

    /// The next samples of the voice, and the words that end in them, reckoned
    /// from the voice's own first sample.
    pub(super) async fn slice(&mut self, samples: &[i16], mut ends: Vec<WordEnd>) -> Result<(), Gone> {
        self.came += samples.len();
        let sound = self.finish.slice(samples);
        if !ends.is_empty() {
            let cut = self.finish.cut();
            ends.iter_mut().for_each(|end| end.at = end.at.saturating_sub(cut));
            self.tell(VoiceEvent::Marks { utterance: self.utterance, ends }).await?;
        }
        self.hand_over(&sound).await
    }

    /// The sound has ended, as it should or not: what is held back goes too.
    pub(super) async fn end(&mut self) -> Result<(), Gone> {
        let sound = self.finish.end();
        self.hand_over(&sound).await
    }

    pub(super) async fn tell(&self, event: VoiceEvent) -> Result<(), Gone> {
        self.sound.send(event).await.map_err(|_| Gone)
    }

    async fn hand_over(&mut self, sound: &[i16]) -> Result<(), Gone> {
        for slice in sound.chunks(SLICE) {
            let (utterance, engine) = (self.utterance, self.engine);
            self.tell(VoiceEvent::Sound { utterance, samples: slice.to_vec(), engine }).await?;
            self.went += slice.len();
        }
        Ok(())
    }
}
