//! Whether what the caller's side sends is only the box's own voice coming back. It takes
//! nothing away from the sound: it says how likely it is that a frame is echo, so that
//! echo does not count as the caller.
//!
//! Both directions are reduced to the loudness of four bands every 10 ms. For each delay
//! up to 500 ms a running correlation of the two is kept; the delay at which they go
//! together, and by how much softer the heard side is, are the echo path.

use super::{Frame, SampleRate};

/// Centres of the bands, in hertz: spread over the telephone band by ear.
const CENTRES: [f32; BANDS] = [350.0, 750.0, 1_400.0, 2_600.0];
const BANDS: usize = 4;

/// 10 ms at 8 kHz.
const HOP: usize = 80;

/// Delays that are looked at, in hops: to 500 ms, above what satellites and cellular
/// networks with a jitter buffer at the far end add (up to 400 ms measured).
const LAGS: usize = 51;

/// Loudness is counted from here; below lies the codec's own noise.
const FLOOR_DB: f32 = -66.0;

/// A weak echo shows only the peaks of what was sent; so correlation is kept twice, once
/// with all of it and once with what stands this many dB above the floor.
const SENT_FLOORS_DB: [f32; 2] = [0.0, 24.0];

/// Weight of one hop in the running correlation: a memory of 0.4 s, about two syllables.
const MEMORY: f32 = 0.025;

/// Correlation from which a delay is believed, and from which on it is certain. Two voices
/// that have nothing to do with each other seldom come above 0.6 at their best delay.
const UNLIKELY: f32 = 0.6;
const CERTAIN: f32 = 0.85;

/// Along a path already known, this much correlation still speaks for echo.
const KNOWN_UNLIKELY: f32 = 0.25;
const KNOWN_CERTAIN: f32 = 0.6;

/// Hops of certainty in a row after which a path counts as known (100 ms).
const LEARN_HOPS: u32 = 10;

/// How much louder than the expected echo sound has to be to be someone else's: echo paths
/// are uneven across the band by a few decibels; people speak 10 dB louder than echoes.
const DOUBLE_TALK_DB: f32 = 6.0;

/// The box's voice must be above this, in dB over the floor, to have an echo at all.
const AUDIBLE_DB: f32 = 10.0;

/// An echo is weaker than what was sent by this at least: lines do not amplify.
const LEAST_LOSS_DB: f32 = 3.0;

/// A frame is echo from this likelihood on.
const ECHO: f32 = 0.5;

/// One band: a resonance of the second order and its energy in this hop.
#[derive(Clone, Copy)]
struct Band {
    gain: f32,
    a1: f32,
    a2: f32,
    x1: f32,
    x2: f32,
    y1: f32,
    y2: f32,
}

impl Band {
    /// A band pass of constant peak gain (the bilinear transform of a resonance), Q 1.2.
    fn new(centre: f32) -> Self {
        let omega = std::f32::consts::TAU * centre / 8_000.0;
        let alpha = omega.sin() / 2.4;
        let a0 = 1.0 + alpha;
        Self {
            gain: alpha / a0,
            a1: -2.0 * omega.cos() / a0,
            a2: (1.0 - alpha) / a0,
            x1: 0.0,
            x2: 0.0,
            y1: 0.0,
            y2: 0.0,
        }
    }

    fn step(&mut self, x: f32) -> f32 {
        let y = self.gain * (x - self.x2) - self.a1 * self.y1 - self.a2 * self.y2;
        (self.x2, self.x1) = (self.x1, x);
        (self.y2, self.y1) = (self.y1, y);
        y
    }
}

/// Loudness of one hop: dB over the floor in each band and over all.
#[derive(Clone, Copy, Default)]
struct Loudness {
    bands: [f32; BANDS],
    whole: f32,
}

/// Turns one direction's frames into loudness.
struct Listener {
    bands: [Band; BANDS],
    /// Energy of the hop before: windows are 20 ms every 10, so that a delay between two
    /// hops is still seen.
    before: [f32; BANDS],
}

impl Listener {
    fn new() -> Self {
        Self { bands: CENTRES.map(Band::new), before: [0.0; BANDS] }
    }

    /// The two hops of a frame.
    fn hear(&mut self, frame: &Frame) -> [Loudness; 2] {
        let step = if frame.rate() == SampleRate::Hz16000 { 2 } else { 1 };
        let mut hops = [Loudness::default(); 2];
        for (hop, samples) in hops.iter_mut().zip(frame.samples().chunks_exact(HOP * step)) {
            let mut energy = [0.0_f32; BANDS];
            for pair in samples.chunks_exact(step) {
                let x = pair.iter().map(|&s| f32::from(s)).sum::<f32>() / step as f32;
                for (band, sum) in self.bands.iter_mut().zip(&mut energy) {
                    let y = band.step(x);
                    *sum += y * y;
                }
            }
            let mut whole = 0.0;
            for ((loudness, now), before) in hop.bands.iter_mut().zip(energy).zip(self.before) {
                *loudness = over_floor(now + before);
                whole += now + before;
            }
            hop.whole = over_floor(whole);
            self.before = energy;
        }
        hops
    }
}

fn over_floor(energy: f32) -> f32 {
    let mean = energy / (2 * HOP) as f32 / (32_768.0 * 32_768.0);
    (10.0 * (mean + 1e-12).log10() - FLOOR_DB).max(0.0)
}

/// Running statistics of one delay.
#[derive(Clone, Copy, Default)]
struct Lag {
    mean: [f32; BANDS],
    variance: f32,
    covariance: f32,
}

impl Lag {
    /// Takes what was sent this long ago, and how far what is heard now is off its mean.
    fn learn(&mut self, sent: &[f32; BANDS], heard_off: &[f32; BANDS]) {
        let (mut spread, mut product) = (0.0, 0.0);
        for ((mean, sent), heard_off) in self.mean.iter_mut().zip(sent).zip(heard_off) {
            let off = sent - *mean;
            *mean += MEMORY * off;
            spread += off * off;
            product += off * heard_off;
        }
        self.variance = (1.0 - MEMORY) * (self.variance + MEMORY * spread);
        self.covariance = (1.0 - MEMORY) * (self.covariance + MEMORY * product);
    }

    fn likeness(&self, heard_variance: f32) -> f32 {
        // A variance of a few dB² is the codec's noise, not a voice.
        self.covariance / ((self.variance + 4.0) * (heard_variance + 4.0)).sqrt()
    }
}

/// An echo that has been seen for long enough to be counted on.
#[derive(Clone, Copy)]
struct Path {
    lag: usize,
    /// What was heard less what was sent, in dB (negative).
    gain_db: f32,
}

/// Watches one call for the box's own voice. About 5 kB; a frame costs some ten
/// microseconds.
pub struct EchoGuard {
    sent: Listener,
    heard: Listener,
    /// What was sent, newest first at `newest`, going back.
    past: [Loudness; LAGS + 2],
    newest: usize,
    lags: [[Lag; LAGS]; SENT_FLOORS_DB.len()],
    heard_mean: [f32; BANDS],
    heard_variance: f32,
    candidate: usize,
    certain_hops: u32,
    path: Option<Path>,
    likelihood: f32,
}

impl Default for EchoGuard {
    fn default() -> Self {
        Self::new()
    }
}

impl EchoGuard {
    pub fn new() -> Self {
        Self {
            sent: Listener::new(),
            heard: Listener::new(),
            past: [Loudness::default(); LAGS + 2],
            newest: 0,
            lags: [[Lag::default(); LAGS]; SENT_FLOORS_DB.len()],
            heard_mean: [0.0; BANDS],
            heard_variance: 0.0,
            candidate: 0,
            certain_hops: 0,
            path: None,
            likelihood: 0.0,
        }
    }

    /// Takes what was sent and what was heard in the same 20 ms, both at 8 or 16 kHz;
    /// returns how likely it is that what was heard is echo, 0 to 1.
    pub fn hear(&mut self, sent: &Frame, heard: &Frame) -> f32 {
        let (sent, heard) = (self.sent.hear(sent), self.heard.hear(heard));
        let mut sum = 0.0;
        for (sent, heard) in sent.into_iter().zip(heard) {
            self.newest = (self.newest + self.past.len() - 1) % self.past.len();
            self.past[self.newest] = sent;
            self.correlate(&heard);
            self.learn(&heard);
            sum += self.judge(&heard);
        }
        self.likelihood = sum / 2.0;
        self.likelihood
    }

    /// The likelihood of the last frame.
    pub const fn echo_likelihood(&self) -> f32 {
        self.likelihood
    }

    /// Whether the last frame was the box's own voice and no one else's.
    pub fn is_echo(&self) -> bool {
        self.likelihood >= ECHO
    }

    /// The delay of the echo, if one is known, in milliseconds.
    pub fn delay_ms(&self) -> Option<usize> {
        self.path.map(|path| path.lag * 10)
    }

    /// By how much the echo is weaker than what was sent, if one is known, in dB.
    pub fn loss_db(&self) -> Option<f32> {
        self.path.map(|path| -path.gain_db)
    }

    fn sent_before(&self, hops: usize) -> &Loudness {
        &self.past[(self.newest + hops) % self.past.len()]
    }

    fn correlate(&mut self, heard: &Loudness) {
        let mut off = [0.0; BANDS];
        let mut spread = 0.0;
        for (i, off) in off.iter_mut().enumerate() {
            *off = heard.bands[i] - self.heard_mean[i];
            self.heard_mean[i] += MEMORY * *off;
            spread += *off * *off;
        }
        self.heard_variance = (1.0 - MEMORY) * (self.heard_variance + MEMORY * spread);
        for (floor, lags) in SENT_FLOORS_DB.into_iter().zip(&mut self.lags) {
            for (hops, lag) in lags.iter_mut().enumerate() {
                let sent = &self.past[(self.newest + hops) % self.past.len()];
                lag.learn(&sent.bands.map(|db| (db - floor).max(0.0)), &off);
            }
        }
    }

    /// How alike the two directions are at a delay, -1 to 1.
    fn likeness(&self, hops: usize) -> f32 {
        let likenesses = self.lags.iter().map(|lags| lags[hops].likeness(self.heard_variance));
        likenesses.fold(-1.0, f32::max)
    }

    fn best_lag(&self) -> usize {
        let (mut best, mut most) = (0, self.likeness(0));
        for hops in 1..LAGS {
            let likeness = self.likeness(hops);
            if likeness > most {
                (best, most) = (hops, likeness);
            }
        }
        best
    }

    fn learn(&mut self, heard: &Loudness) {
        let best = self.best_lag();
        let is_steady = best.abs_diff(self.candidate) <= 1;
        self.certain_hops = if is_steady && self.likeness(best) >= CERTAIN - 0.05 { self.certain_hops + 1 } else { 0 };
        self.candidate = best;
        if self.certain_hops < LEARN_HOPS {
            return;
        }
        let sent = self.sent_before(best).whole;
        let seen_db = heard.whole - sent;
        if sent < AUDIBLE_DB || heard.whole < 3.0 || seen_db > -LEAST_LOSS_DB {
            return;
        }
        self.path = match self.path {
            Some(path) if path.lag.abs_diff(best) <= 1 => {
                Some(Path { lag: best, gain_db: path.gain_db + 0.1 * (seen_db - path.gain_db) })
            }
            _ => Some(Path { lag: best, gain_db: seen_db }),
        };
    }

    fn judge(&self, heard: &Loudness) -> f32 {
        if heard.whole < 1.0 {
            return 0.0;
        }
        if let Some(path) = self.path {
            let known = self.judge_path(path, heard);
            if known > 0.0 {
                return known;
            }
        }
        let sent = self.sent_before(self.candidate).whole;
        if sent < AUDIBLE_DB || heard.whole > sent - LEAST_LOSS_DB {
            return 0.0;
        }
        let expected_db = self.path.map(|p| sent + p.gain_db + DOUBLE_TALK_DB);
        if expected_db.is_some_and(|expected| heard.whole > expected) {
            return 0.0;
        }
        rise(self.likeness(self.candidate), UNLIKELY, CERTAIN)
    }

    /// Whether the known echo accounts for what is heard.
    fn judge_path(&self, path: Path, heard: &Loudness) -> f32 {
        let around = path.lag.saturating_sub(2)..=path.lag + 2;
        let sent = around.map(|hops| self.sent_before(hops.min(LAGS + 1)).whole).fold(0.0, f32::max);
        if sent < AUDIBLE_DB {
            return 0.0;
        }
        let above_db = heard.whole - (sent + path.gain_db).max(0.0);
        let explained = 1.0 - rise(above_db, DOUBLE_TALK_DB - 2.0, DOUBLE_TALK_DB + 2.0);
        let likeness = (path.lag.saturating_sub(1)..=path.lag + 1).map(|hops| self.likeness(hops.min(LAGS - 1)));
        explained * rise(likeness.fold(-1.0, f32::max), KNOWN_UNLIKELY, KNOWN_CERTAIN)
    }
}

/// From 0 at `low` to 1 at `high`, straight.
fn rise(value: f32, low: f32, high: f32) -> f32 {
    ((value - low) / (high - low)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(amplitude: f32, n: usize) -> Frame {
        let mut frame = Frame::silence(SampleRate::Hz8000);
        for (i, sample) in frame.samples_mut().iter_mut().enumerate() {
            *sample = (amplitude * (std::f32::consts::TAU * 500.0 * (n * 160 + i) as f32 / 8_000.0).sin()) as i16;
        }
        frame
    }

    #[test]
    fn while_the_box_is_silent_nothing_is_echo() {
        let mut guard = EchoGuard::new();
        let silence = Frame::silence(SampleRate::Hz8000);
        for n in 0..200 {
            let heard = tone(if n % 20 < 10 { 8_000.0 } else { 0.0 }, n);
            assert!(guard.hear(&silence, &heard) < 0.1);
            assert!(!guard.is_echo());
        }
    }

    #[test]
    fn a_silent_caller_is_no_echo() {
        let mut guard = EchoGuard::new();
        let silence = Frame::silence(SampleRate::Hz8000);
        for n in 0..200 {
            assert!(guard.hear(&tone(8_000.0, n), &silence) < 0.1);
        }
        assert_eq!(guard.delay_ms(), None);
    }
}
