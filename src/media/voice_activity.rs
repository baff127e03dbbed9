//! Whether the caller is speaking: the `earshot` network over 16 ms windows, a noise floor
//! beside it so that a steady noise is no voice, and hysteresis so that facts are few.
//! It says when voice began and paused; what a turn is, others decide.

use std::time::Duration;

use super::level::Level;
use super::{Frame, SampleRate};
use crate::terms::Moment;

/// What `earshot` looks at: 16 ms at 16 kHz.
const WINDOW: usize = 256;
const WINDOW_TIME: Duration = Duration::from_millis(16);

/// A window is voice above this probability, its maker's own middle.
const VOICE: f32 = 0.5;
/// While someone speaks, soft ends of words count from here on: they are still theirs.
const STILL_VOICE: f32 = 0.35;

/// Windows looked back on (160 ms), and how many of them must be voice to begin (80 ms):
/// longer than clicks and most knocks, shorter than "yes".
const LOOK_BACK: usize = 10;
const BEGIN: usize = 5;
/// While somebody might be interrupted, fewer suffice (48 ms): going silent for a
/// knock is soon made good, and talking on over a caller is not.
const BEGIN_KEEN: usize = 3;

/// Levels of the windows that begin a voice differ by this at least: dial tones, ringing and
/// hum do not, and the network takes some of them for a vowel.
const LEAST_SPREAD_DB: f32 = 1.0;

/// Silence after which voice has paused. Stop consonants and breaths within a sentence are
/// shorter; the ears begin to decode at this pause.
const PAUSE: Duration = Duration::from_millis(200);

/// A window must be this far above the noise floor to begin a voice, and to go on with one.
const ABOVE_FLOOR_DB: f32 = 6.0;
const STILL_ABOVE_FLOOR_DB: f32 = 3.0;

/// Below this nothing is a voice: the quietest telephones speak at -45 dBFS.
const QUIETEST_DBFS: f32 = -58.0;

/// The floor is the least level of the last 1.5 s: within that time every speaker closes
/// the lips once, while a fan, a dial tone or a held note does not. Eight blocks of twelve
/// windows make the 1.5 s.
const FLOOR_BLOCKS: usize = 8;
const BLOCK_WINDOWS: usize = 12;

/// After so long without voice the network forgets the past, which drifts with noise.
const FORGET_AFTER: Duration = Duration::from_secs(2);

/// How soon a voice is believed to have begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attention {
    Usual,
    /// The box is speaking: whoever breaks in should not have to wait.
    Keen,
}

/// What was noticed. Times are those of the sound, not of the noticing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VoiceFact {
    /// Voice began (or went on after a pause), `at` its first sample.
    Started { at: Moment },
    /// 200 ms have passed without voice, `at` its last sample.
    Paused { at: Moment },
}

/// The least level of the last 1.5 s.
struct NoiseFloor {
    blocks: [f32; FLOOR_BLOCKS],
    current: f32,
    windows: usize,
    block: usize,
}

impl NoiseFloor {
    const fn new() -> Self {
        // Full scale until something is known: who is on a noisy street is so from the start.
        Self { blocks: [0.0; FLOOR_BLOCKS], current: 0.0, windows: 0, block: 0 }
    }

    fn learn(&mut self, dbfs: f32) {
        // Digital silence of a peer says nothing about the noise when it speaks.
        self.current = self.current.min(dbfs.max(QUIETEST_DBFS - ABOVE_FLOOR_DB));
        self.windows += 1;
        if self.windows == BLOCK_WINDOWS {
            self.blocks[self.block] = self.current;
            self.block = (self.block + 1) % FLOOR_BLOCKS;
            (self.current, self.windows) = (0.0, 0);
        }
    }

    fn dbfs(&self) -> f32 {
        self.blocks.iter().copied().fold(self.current, f32::min)
    }
}

/// Listens to one caller. About 8 kB, on the heap.
pub struct VoiceActivity {
    detector: Box<earshot::Detector>,
    window: [i16; WINDOW],
    filled: usize,
    floor: NoiseFloor,
    /// The last windows, newest last: when each began and how loud it was, if it was voice.
    recent: [Option<(Moment, f32)>; LOOK_BACK],
    probability: f32,
    level: Level,
    is_speaking: bool,
    /// The end of the last window with voice; of the first sound, if there was none.
    last_voice: Option<Moment>,
    is_fresh: bool,
    attention: Attention,
}

impl Default for VoiceActivity {
    fn default() -> Self {
        Self::new()
    }
}

impl VoiceActivity {
    pub fn new() -> Self {
        Self {
            detector: earshot::Detector::default_boxed(),
            window: [0; WINDOW],
            filled: 0,
            floor: NoiseFloor::new(),
            recent: [None; LOOK_BACK],
            probability: 0.0,
            level: Level::of(&[]),
            is_speaking: false,
            last_voice: None,
            is_fresh: true,
            attention: Attention::Usual,
        }
    }

    /// How soon a voice is believed to have begun, from here on.
    pub const fn attend(&mut self, attention: Attention) {
        self.attention = attention;
    }

    /// Takes the next frame at 16 kHz, whose first sample was heard `at`.
    ///
    /// # Panics
    /// If the frame has 8 kHz: the caller forgot to resample.
    pub fn hear(&mut self, frame: &Frame, at: Moment) -> Option<VoiceFact> {
        assert_eq!(frame.rate(), SampleRate::Hz16000, "the detector was trained at 16 kHz");
        let mut fact = None;
        let mut rest = frame.samples();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(WINDOW - self.filled));
            self.window[self.filled..self.filled + now.len()].copy_from_slice(now);
            self.filled += now.len();
            rest = later;
            if self.filled == WINDOW {
                self.filled = 0;
                let taken = u64::try_from(frame.samples().len() - rest.len()).unwrap_or(0);
                // 16 samples a millisecond: 62.5 µs each.
                let end = at + Duration::from_nanos(taken * 62_500);
                fact = self.judge(end).or(fact);
            }
        }
        fact
    }

    /// Whether voice is going on: from `Started` to `Paused`.
    pub const fn is_speaking(&self) -> bool {
        self.is_speaking
    }

    /// The last window's probability of voice, 0 to 1.
    pub const fn probability(&self) -> f32 {
        self.probability
    }

    /// The last window's level.
    pub const fn level(&self) -> Level {
        self.level
    }

    /// The level of the steady noise, in dBFS.
    pub fn noise_floor_dbfs(&self) -> f32 {
        self.floor.dbfs()
    }

    /// How long it has been since the last voice, or since the first sound without any.
    pub fn silence(&self, now: Moment) -> Duration {
        self.last_voice.map_or(Duration::ZERO, |last| now.since(last))
    }

    fn judge(&mut self, end: Moment) -> Option<VoiceFact> {
        let begin = end - WINDOW_TIME;
        self.level = Level::of(&self.window);
        self.probability = self.detector.predict_i16(&self.window).clamp(0.0, 1.0);
        self.floor.learn(self.level.rms_dbfs);
        let is_voice = self.is_voice();
        self.recent.rotate_left(1);
        self.recent[LOOK_BACK - 1] = is_voice.then_some((begin, self.level.rms_dbfs));
        let last = *self.last_voice.get_or_insert(begin);
        if is_voice && self.is_speaking {
            self.last_voice = Some(end);
            return None;
        }
        if self.is_speaking {
            return self.pause_if_due(last, end);
        }
        if is_voice {
            self.is_fresh = false;
            return self.start_if_due(end);
        }
        if !self.is_fresh && end.since(last) >= FORGET_AFTER {
            self.detector.reset();
            self.is_fresh = true;
        }
        None
    }

    fn is_voice(&self) -> bool {
        let (probability, above) =
            if self.is_speaking { (STILL_VOICE, STILL_ABOVE_FLOOR_DB) } else { (VOICE, ABOVE_FLOOR_DB) };
        self.probability >= probability
            && self.level.rms_dbfs >= QUIETEST_DBFS
            && self.level.rms_dbfs >= self.floor.dbfs() + above
    }

    fn start_if_due(&mut self, end: Moment) -> Option<VoiceFact> {
        let mut voiced = self.recent.iter().flatten();
        let &(at, _) = voiced.next()?;
        // The first window holds the onset, which differs from what follows in any sound.
        let (mut count, mut least, mut most) = (1, f32::MAX, f32::MIN);
        for &(_, dbfs) in voiced {
            (count, least, most) = (count + 1, least.min(dbfs), most.max(dbfs));
        }
        let begin = if self.attention == Attention::Keen { BEGIN_KEEN } else { BEGIN };
        if count < begin || most - least < LEAST_SPREAD_DB {
            return None;
        }
        self.is_speaking = true;
        self.last_voice = Some(end);
        Some(VoiceFact::Started { at })
    }

    fn pause_if_due(&mut self, last: Moment, end: Moment) -> Option<VoiceFact> {
        if end.since(last) < PAUSE {
            return None;
        }
        self.is_speaking = false;
        self.recent = [None; LOOK_BACK];
        Some(VoiceFact::Paused { at: last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(samples: impl Fn(usize) -> f32, seconds: usize) -> Vec<VoiceFact> {
        listen_with(Attention::Usual, samples, seconds)
    }

    fn listen_with(attention: Attention, samples: impl Fn(usize) -> f32, seconds: usize) -> Vec<VoiceFact> {
        let mut voice = VoiceActivity::new();
        voice.attend(attention);
        let mut facts = Vec::new();
        for n in 0..seconds * 50 {
            let mut frame = Frame::silence(SampleRate::Hz16000);
            for (i, sample) in frame.samples_mut().iter_mut().enumerate() {
                *sample = samples(n * 320 + i) as i16;
            }
            facts.extend(voice.hear(&frame, Moment::from_micros(n as u64 * 20_000)));
        }
        facts
    }

    fn noise(n: usize) -> f32 {
        let mut state = (n as u32).wrapping_mul(2_654_435_761);
        state ^= state >> 15;
        state = state.wrapping_mul(2_246_822_519);
        (state >> 16) as f32 / 32_768.0 - 1.0
    }

    #[test]
    fn silence_is_no_voice() {
        assert_eq!(listen(|_| 0.0, 5), []);
    }

    #[test]
    fn a_steady_tone_is_no_voice() {
        let tone = |n: usize| 6_000.0 * (std::f32::consts::TAU * 425.0 * n as f32 / 16_000.0).sin();
        assert_eq!(listen(tone, 10), []);
        assert_eq!(listen(|n| if n < 20_000 { 0.0 } else { tone(n) }, 10), []);
    }

    #[test]
    fn who_attends_keenly_takes_neither_noise_nor_tone_nor_click_for_a_voice() {
        let tone = |n: usize| 6_000.0 * (std::f32::consts::TAU * 425.0 * n as f32 / 16_000.0).sin();
        // 16 ms of noise every second.
        let clicks = |n: usize| if n % 16_000 < 256 { 8_000.0 * noise(n) } else { 0.0 };
        let sounds: [&dyn Fn(usize) -> f32; 4] = [&tone, &|n| 1_000.0 * noise(n), &clicks, &|_| 0.0];
        for (which, sound) in sounds.into_iter().enumerate() {
            let facts = listen_with(Attention::Keen, sound, 10);
            assert_eq!(facts, [], "sound {which}");
        }
    }

    #[test]
    fn steady_noise_is_no_voice_at_any_level() {
        for amplitude in [100.0, 1_000.0, 8_000.0] {
            assert_eq!(listen(|n| amplitude * noise(n), 10), [], "{amplitude}");
        }
    }

    #[test]
    fn the_noise_floor_follows_the_noise() {
        let mut voice = VoiceActivity::new();
        for n in 0..200_usize {
            let samples: Vec<i16> = (0..320).map(|i| (1_000.0 * noise(n * 320 + i)) as i16).collect();
            let frame = Frame::from_samples(SampleRate::Hz16000, &samples);
            assert_eq!(voice.hear(&frame, Moment::from_micros(n as u64 * 20_000)), None);
        }
        // Uniform noise of amplitude 1000 has an RMS of 577: -35.1 dBFS.
        assert!((voice.noise_floor_dbfs() + 35.1).abs() < 1.5, "{}", voice.noise_floor_dbfs());
    }

    #[test]
    fn silence_is_counted_from_the_first_sound() {
        let mut voice = VoiceActivity::new();
        let frame = Frame::silence(SampleRate::Hz16000);
        let start = 7_000_000;
        for n in 0..100 {
            assert_eq!(voice.hear(&frame, Moment::from_micros(start + n * 20_000)), None);
        }
        assert_eq!(voice.silence(Moment::from_micros(start + 2_000_000)), Duration::from_secs(2));
    }
}
