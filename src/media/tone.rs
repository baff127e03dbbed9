//! Hearing the digits within the sound (ITU-T Q.23 and Q.24), for lines that do not send
//! telephone events. Speech must not press keys, so a tone has to be pure and to last.

use super::dtmf::Digit;
use super::{Frame, SampleRate};

/// The rows and columns of the keypad, in hertz (ITU-T Q.23).
const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYS: [[char; 4]; 4] = [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

/// Samples of one look, at 8 kHz: 12.75 ms. The main lobe (78 Hz) takes in the 1.8 % by
/// which a telephone may be off, and neighbouring rows (73 Hz) fall near its zero.
const BLOCK: usize = 102;
const HOP: usize = 51;

/// Looks in a row that must agree: together 25.5 ms of tone, so 40 ms, the shortest press
/// that must be heard (Q.24), always holds them.
const HITS: u32 = 3;

/// Looks in a row without the tone after which the same key may be pressed again: 19 ms,
/// less than the shortest pause (40 ms), more than a dropout.
const MISSES: u32 = 3;

/// A row or column below this magnitude is no key: -45 dBFS, 20 dB below the weakest
/// telephone on a good line.
const MIN_AMPLITUDE: f32 = 180.0;

/// The columns may be this much louder than the rows and this much weaker (energy ratios
/// of 4 dB and 8 dB by Q.24, with 2 dB more for codecs).
const COLUMN_LOUDER: f32 = 4.0;
const ROW_LOUDER: f32 = 10.0;

/// Part of the block's energy that the two tones must have; a voice spreads its own.
const PURITY: f32 = 0.65;

/// The loudest tone of a group over the others of its group (energy, 7 dB).
const OVER_OTHERS: f32 = 5.0;

/// Listens to one side of a call for keys.
pub struct ToneDetector {
    rate: SampleRate,
    block: [f32; BLOCK],
    filled: usize,
    candidate: Option<Digit>,
    hits: u32,
    misses: u32,
    sounding: Option<Digit>,
}

impl ToneDetector {
    pub const fn new(rate: SampleRate) -> Self {
        Self { rate, block: [0.0; BLOCK], filled: 0, candidate: None, hits: 0, misses: 0, sounding: None }
    }

    /// Whether a key is being held down now: such frames are no speech.
    pub const fn is_sounding(&self) -> bool {
        self.sounding.is_some()
    }

    /// Whether the last look saw a key's tones, though it may be speech yet.
    pub const fn may_be_key(&self) -> bool {
        self.sounding.is_some() || self.candidate.is_some()
    }

    /// A key whose press becomes certain within this frame. Presses are reported once,
    /// at most one a frame, about 26 to 32 ms after they begin.
    ///
    /// # Panics
    /// If the frame does not have the rate given at the start: a mistake of ours.
    pub fn hear(&mut self, frame: &Frame) -> Option<Digit> {
        assert_eq!(frame.rate(), self.rate, "a detector takes its own rate only");
        let step = if self.rate == SampleRate::Hz16000 { 2 } else { 1 };
        let mut pressed = None;
        for pair in frame.samples().chunks_exact(step) {
            // The mean of two is filter enough at 16 kHz: what folds back lies above 6.3 kHz.
            let sum: f32 = pair.iter().map(|&s| f32::from(s)).sum();
            self.block[self.filled] = sum / step as f32;
            self.filled += 1;
            if self.filled == BLOCK {
                pressed = self.judge(key_in(&self.block)).or(pressed);
                self.block.copy_within(HOP.., 0);
                self.filled = BLOCK - HOP;
            }
        }
        pressed
    }

    fn judge(&mut self, seen: Option<Digit>) -> Option<Digit> {
        if self.sounding.is_some() && seen != self.sounding {
            self.misses += 1;
            if self.misses >= MISSES {
                self.sounding = None;
            }
        } else {
            self.misses = 0;
        }
        self.hits = if seen.is_some() && seen == self.candidate { self.hits + 1 } else { u32::from(seen.is_some()) };
        self.candidate = seen;
        if self.hits >= HITS && self.sounding != seen {
            self.sounding = seen;
            self.misses = 0;
            return seen;
        }
        None
    }
}

/// The key whose two tones, and nothing else, make up this block.
fn key_in(block: &[f32; BLOCK]) -> Option<Digit> {
    let rows = ROWS.map(|hz| power(block, hz));
    let columns = COLUMNS.map(|hz| power(block, hz));
    let (row, column) = (loudest(&rows), loudest(&columns));
    let (row_power, column_power) = (rows[row], columns[column]);
    let floor = MIN_AMPLITUDE * MIN_AMPLITUDE;
    if row_power < floor || column_power < floor {
        return None;
    }
    if column_power > row_power * COLUMN_LOUDER || row_power > column_power * ROW_LOUDER {
        return None;
    }
    let stands_out = |powers: &[f32; 4], best: usize| {
        powers.iter().enumerate().all(|(i, &p)| i == best || p * OVER_OTHERS < powers[best])
    };
    if !stands_out(&rows, row) || !stands_out(&columns, column) {
        return None;
    }
    // A sine of amplitude a has the mean square a²/2.
    let mean_square = block.iter().map(|s| s * s).sum::<f32>() / BLOCK as f32;
    if (row_power + column_power) / 2.0 < PURITY * mean_square {
        return None;
    }
    Digit::from_char(KEYS[row][column])
}

/// The squared amplitude at one frequency, by Goertzel's recursion.
fn power(block: &[f32; BLOCK], hz: f32) -> f32 {
    let turn = 2.0 * (std::f32::consts::TAU * hz / 8_000.0).cos();
    let (mut last, mut before) = (0.0_f32, 0.0_f32);
    for &sample in block {
        (last, before) = (sample + turn * last - before, last);
    }
    let squared = last * last + before * before - turn * last * before;
    squared * 4.0 / (BLOCK * BLOCK) as f32
}

fn loudest(powers: &[f32; 4]) -> usize {
    let mut best = 0;
    for i in 1..4 {
        if powers[i] > powers[best] {
            best = i;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy)]
    struct Press {
        key: char,
        ms: usize,
        row: f32,
        column: f32,
        detune: f32,
        pause_ms: usize,
    }

    const PLAIN: Press = Press { key: '5', ms: 50, row: 4_000.0, column: 4_000.0, detune: 1.0, pause_ms: 50 };

    fn sound(presses: &[Press], offset: usize) -> Vec<i16> {
        let mut samples = vec![0; offset];
        for press in presses {
            let (row, column) =
                (0..16).map(|i| (i / 4, i % 4)).find(|&(r, c)| KEYS[r][c] == press.key).expect("a key of the keypad");
            for n in 0..press.ms * 8 {
                let t = std::f32::consts::TAU * n as f32 / 8_000.0 * press.detune;
                samples.push(
                    (press.row * (ROWS[row] * t).sin() + press.column * (COLUMNS[column] * t + 1.0).sin()) as i16,
                );
            }
            samples.extend(std::iter::repeat_n(0, press.pause_ms * 8));
        }
        samples
    }

    fn hear(samples: &[i16]) -> String {
        let mut detector = ToneDetector::new(SampleRate::Hz8000);
        let frames = samples.chunks(160).map(|c| Frame::from_samples(SampleRate::Hz8000, c));
        frames.filter_map(|f| detector.hear(&f)).map(Digit::as_char).collect()
    }

    #[test]
    fn every_key_of_forty_milliseconds_is_heard_once_wherever_it_begins() {
        for offset in [0, 17, 50, 83, 101, 159] {
            let presses: Vec<_> =
                "0123456789*#ABCD".chars().map(|key| Press { key, ms: 40, pause_ms: 40, ..PLAIN }).collect();
            assert_eq!(hear(&sound(&presses, offset)), "0123456789*#ABCD", "offset {offset}");
        }
    }

    #[test]
    fn the_same_key_pressed_twice_is_two_digits_and_held_long_is_one() {
        assert_eq!(hear(&sound(&[PLAIN, PLAIN], 0)), "55");
        assert_eq!(hear(&sound(&[Press { ms: 3_000, ..PLAIN }], 0)), "5");
    }

    #[test]
    fn telephones_that_are_off_by_one_and_a_half_percent_are_heard() {
        for key in "0123456789*#ABCD".chars() {
            for detune in [0.985, 1.015] {
                let heard = hear(&sound(&[Press { key, detune, ..PLAIN }], 0));
                assert_eq!(heard, key.to_string(), "{key} at {detune}");
            }
        }
    }

    #[test]
    fn the_twist_of_the_recommendation_is_heard_and_more_is_not() {
        let db = |db: f32| 10.0_f32.powf(db / 20.0);
        let with = |row: f32, column: f32| hear(&sound(&[Press { row, column, ..PLAIN }], 0));
        assert_eq!(with(4_000.0, 4_000.0 * db(4.0)), "5");
        assert_eq!(with(4_000.0 * db(8.0), 4_000.0), "5");
        assert_eq!(with(2_000.0, 2_000.0 * db(14.0)), "");
        assert_eq!(with(2_000.0 * db(14.0), 2_000.0), "");
    }

    #[test]
    fn presses_too_short_or_too_weak_are_no_digits() {
        assert_eq!(hear(&sound(&[Press { ms: 20, ..PLAIN }], 0)), "");
        assert_eq!(hear(&sound(&[Press { row: 60.0, column: 60.0, ..PLAIN }], 0)), "");
    }

    #[test]
    fn one_tone_alone_is_no_digit() {
        assert_eq!(hear(&sound(&[Press { column: 0.0, ms: 500, ..PLAIN }], 0)), "");
    }

    #[test]
    fn a_key_within_noise_at_fifteen_decibels_is_heard() {
        let mut samples = sound(&[Press { ms: 60, ..PLAIN }; 10], 0);
        let mut state = 1_u32;
        for sample in &mut samples {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Uniform, rms 700: 15 dB below two sines of 4 000 each.
            *sample += ((state >> 16) as f32 / 32_768.0 * 1_212.0 - 1_212.0) as i16;
        }
        assert_eq!(hear(&samples), "5555555555");
    }

    #[test]
    fn keys_are_heard_on_a_wide_line() {
        let narrow = sound(&[PLAIN, Press { key: '#', ..PLAIN }], 0);
        let wide: Vec<i16> = narrow.windows(2).flat_map(|w| [w[0], (w[0] / 2) + (w[1] / 2)]).collect();
        let mut detector = ToneDetector::new(SampleRate::Hz16000);
        let frames = wide.chunks(320).map(|c| Frame::from_samples(SampleRate::Hz16000, c));
        let heard: String = frames.filter_map(|f| detector.hear(&f)).map(Digit::as_char).collect();
        assert_eq!(heard, "5#");
    }
}
