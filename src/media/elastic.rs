//! Sound between two clocks: what one puts in at its rhythm, the other takes out at
//! its own, a few hundred millionths faster or slower, for as long as a call lasts.
//!
//! The fill is held at its target by resampling a little: a controller looks at how
//! full the buffer is, and the speed of reading follows, at most by a musical cent.
//! Where sound flows within one clock nobody needs it.

use std::collections::VecDeque;

use super::SampleRate;

/// What lies in the buffer when all is well, if nothing else is wanted. A frame's
/// jitter on both sides and a frame besides.
const TARGET_MS: usize = 60;

/// Beyond this the oldest sound is dropped: nobody wants to hear it that late.
const MOST_MS: usize = 240;

/// Off the target by more than this, sound is left out or silence put in, where
/// nobody speaks.
const STEP_MS: f64 = 40.0;

/// Crystals are off by up to 300 millionths from one another; twice that leaves room
/// to catch up, and is a cent, which nobody hears.
const CORRECTION_MAX: f64 = 600e-6;

/// The fill is averaged over this long, in seconds: longer than frames come in bunches.
const SMOOTHING_S: f64 = 5.0;

/// How fast the fill comes back to its target, in seconds: slow enough that the
/// average above is no delay to the controller, quick enough that 300 millionths
/// move the fill by 9 ms and no more.
const RETURN_S: f64 = 30.0;

/// Samples that are all smaller than this are silence (-40 dBFS).
const QUIET: i16 = 328;

/// One direction of sound from one clock to another.
#[derive(Debug)]
pub struct Elastic {
    hz: f64,
    target: f64,
    most: usize,
    step: f64,
    samples: VecDeque<i16>,
    /// Between the second sample of the buffer and the third, 0 to 1: the curve is laid
    /// through one sample before and two behind.
    position: f64,
    smoothed: f64,
    /// The part of the correction that stays: the difference of the clocks.
    learnt: f64,
    correction: f64,
    /// Whether the buffer is being filled before it is read.
    filling: bool,
    counts: ElasticCounts,
}

/// What went wrong since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ElasticCounts {
    /// How often it ran empty.
    pub ran_empty: u64,
    /// Samples that were dropped because too many lay there.
    pub dropped: u64,
    /// Samples left out and put in where nobody spoke.
    pub left_out: u64,
    pub put_in: u64,
}

impl Elastic {
    pub fn new(rate: SampleRate) -> Self {
        Self::holding(rate, TARGET_MS)
    }

    /// One that holds `target_ms` of sound when all is well: later by as much, and safe
    /// from a writer and a reader that come in bunches as long as it. At most half of
    /// what fits.
    pub fn holding(rate: SampleRate, target_ms: usize) -> Self {
        let a_ms = rate.hz() as usize / 1000;
        let target = (target_ms.min(MOST_MS / 2) * a_ms) as f64;
        Self {
            hz: f64::from(rate.hz()),
            target,
            most: MOST_MS * a_ms,
            step: STEP_MS * a_ms as f64,
            samples: VecDeque::with_capacity(2 * MOST_MS * a_ms),
            position: 0.0,
            smoothed: target,
            learnt: 0.0,
            correction: 0.0,
            filling: true,
            counts: ElasticCounts::default(),
        }
    }

    /// Puts sound in, as it comes.
    pub fn push(&mut self, samples: &[i16]) {
        self.samples.extend(samples);
        if self.samples.len() > self.most {
            let beyond = self.samples.len() - self.target as usize;
            self.samples.drain(..beyond);
            self.counts.dropped += beyond as u64;
            self.smoothed = self.target;
        }
    }

    /// Takes out as much as `out` has room for; silence where there is nothing.
    pub fn pull(&mut self, out: &mut [i16]) {
        if self.filling {
            if (self.samples.len() as f64) < self.target {
                return out.fill(0);
            }
            self.filling = false;
            self.smoothed = self.samples.len() as f64;
        }
        self.steer(out.len());
        if self.makes_step(out) {
            return;
        }
        let speed = 1.0 + self.correction;
        for slot in out.iter_mut() {
            let Some(value) = self.at_position() else {
                // From here on nothing: silence until the buffer is filled again.
                *slot = 0;
                if !self.filling {
                    self.filling = true;
                    self.counts.ran_empty += 1;
                }
                continue;
            };
            *slot = value;
            self.position += speed;
            while self.position >= 1.0 {
                self.position -= 1.0;
                self.samples.pop_front();
            }
        }
    }

    /// How much lies in the buffer, in milliseconds.
    pub fn fill_ms(&self) -> u32 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some hundreds")]
        let ms = (self.samples.len() as f64 * 1000.0 / self.hz) as u32;
        ms
    }

    /// By how much the reading clock is held to be slower than the writing one, in
    /// millionths.
    pub fn drift_ppm(&self) -> f64 {
        self.learnt * 1e6
    }

    pub const fn counts(&self) -> ElasticCounts {
        self.counts
    }

    /// Chooses the speed of the next `len` samples.
    fn steer(&mut self, len: usize) {
        let seconds = len as f64 / self.hz;
        let fill = self.samples.len() as f64;
        self.smoothed += (fill - self.smoothed) * (seconds / SMOOTHING_S).min(1.0);
        let off = self.smoothed - self.target;
        let share = 1.0 / (self.hz * RETURN_S);
        // Twice the distance of the two poles makes a controller that does not swing.
        let learning = share / (4.0 * RETURN_S);
        let wanted = share * off + self.learnt;
        self.correction = wanted.clamp(-CORRECTION_MAX, CORRECTION_MAX);
        // What is cut off must not be learnt.
        if wanted.abs() <= CORRECTION_MAX {
            self.learnt = (self.learnt + learning * off * seconds).clamp(-CORRECTION_MAX, CORRECTION_MAX);
        }
    }

    /// Leaves sound out or puts silence in, when the fill is far off and nobody speaks.
    /// True if `out` was filled.
    fn makes_step(&mut self, out: &mut [i16]) -> bool {
        let off = self.smoothed - self.target;
        if off.abs() < self.step || !self.is_quiet(2 * out.len()) {
            return false;
        }
        if off < 0.0 {
            out.fill(0);
            self.counts.put_in += out.len() as u64;
            self.smoothed += out.len() as f64;
            return true;
        }
        let beyond = out.len().min(self.samples.len());
        self.samples.drain(..beyond);
        self.counts.left_out += beyond as u64;
        self.smoothed -= beyond as f64;
        false
    }

    fn is_quiet(&self, len: usize) -> bool {
        self.samples.len() >= len && self.samples.iter().take(len).all(|s| (-QUIET..=QUIET).contains(s))
    }

    /// The curve through four samples (Catmull and Rom) at the position.
    fn at_position(&self) -> Option<i16> {
        let sample = |n: usize| self.samples.get(n).map(|s| f64::from(*s));
        let (before, here, next, last) = (sample(0)?, sample(1)?, sample(2)?, sample(3)?);
        let t = self.position;
        let a = 0.5 * (3.0 * (here - next) + last - before);
        let b = before - 2.5 * here + 2.0 * next - 0.5 * last;
        let c = 0.5 * (next - before);
        #[expect(clippy::cast_possible_truncation, reason = "float casts saturate, which is what is wanted")]
        let value = (((a * t + b) * t + c) * t + here).round() as i16;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRAME: usize = 160;

    /// A writer that is `ppm` faster than the reader, for so many seconds of the
    /// reader, each frame late by up to `jitter_ms`.
    struct Clocks {
        elastic: Elastic,
        written: usize,
        say: fn(usize) -> i16,
        heard: Vec<i16>,
        most_ms: u32,
    }

    impl Clocks {
        fn new(say: fn(usize) -> i16) -> Self {
            Self::with(Elastic::new(SampleRate::Hz8000), say)
        }

        fn with(elastic: Elastic, say: fn(usize) -> i16) -> Self {
            Self { elastic, written: 0, say, heard: Vec::new(), most_ms: 0 }
        }

        fn run(&mut self, seconds: usize, ppm: f64, jitter_ms: u32) {
            let mut random = 12_345_u32;
            let begin = self.written / FRAME;
            let mut next = 0_usize;
            let mut late = 0.0;
            for frame in 0..seconds * 50 {
                let now = frame as f64 * 0.020;
                while next as f64 * 0.020 / (1.0 + ppm * 1e-6) + late <= now {
                    let first = (begin + next) * FRAME;
                    let samples: Vec<i16> = (first..first + FRAME).map(self.say).collect();
                    self.elastic.push(&samples);
                    self.written += FRAME;
                    next += 1;
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    late = f64::from(random >> 16) / 65_536.0 * f64::from(jitter_ms) / 1000.0;
                }
                let mut out = [0; FRAME];
                self.elastic.pull(&mut out);
                self.heard.extend_from_slice(&out);
                self.most_ms = self.most_ms.max(self.elastic.fill_ms());
            }
        }
    }

    fn tone(n: usize) -> i16 {
        (12_000.0 * (std::f64::consts::TAU * 440.0 * n as f64 / 8000.0).sin()) as i16
    }

    #[test]
    fn ten_minutes_of_two_clocks_three_hundred_millionths_apart_neither_starve_nor_pile_up() {
        for ppm in [-300.0, 300.0] {
            let mut clocks = Clocks::new(tone);
            clocks.run(600, ppm, 10);
            assert_eq!(clocks.elastic.counts(), ElasticCounts::default(), "{ppm}");
            assert!(clocks.most_ms < 100, "{ppm}: {} ms", clocks.most_ms);
            assert!((clocks.elastic.drift_ppm() - ppm).abs() < 30.0, "{ppm}: {}", clocks.elastic.drift_ppm());
        }
    }

    #[test]
    fn an_hour_at_five_hundred_millionths_stays_below_a_tenth_of_a_second() {
        for ppm in [-500.0, 500.0] {
            let mut clocks = Clocks::new(tone);
            clocks.run(3600, ppm, 5);
            assert_eq!(clocks.elastic.counts().ran_empty, 0, "{ppm}");
            assert_eq!(clocks.elastic.counts().dropped, 0, "{ppm}");
            assert!(clocks.most_ms < 100, "{ppm}: {} ms", clocks.most_ms);
        }
    }

    #[test]
    fn who_holds_more_bears_frames_that_come_later() {
        for ppm in [-300.0, 300.0] {
            let mut clocks = Clocks::with(Elastic::holding(SampleRate::Hz8000, 100), tone);
            clocks.run(300, ppm, 60);
            assert_eq!(clocks.elastic.counts(), ElasticCounts::default(), "{ppm}");
            assert!((60..180).contains(&clocks.most_ms), "{ppm}: {} ms", clocks.most_ms);
        }
    }

    #[test]
    fn a_tone_stays_a_tone() {
        let mut clocks = Clocks::new(tone);
        clocks.run(60, 300.0, 0);
        // No step between two samples is larger than the tone's own steepest.
        let steepest = 12_000.0 * std::f64::consts::TAU * 440.0 / 8000.0;
        let begin = clocks.heard.iter().position(|s| *s != 0).expect("sound") + 8;
        for pair in clocks.heard[begin..].windows(2) {
            let step = (f64::from(pair[1]) - f64::from(pair[0])).abs();
            assert!(step < 1.02 * steepest + 2.0, "{pair:?}");
        }
    }

    #[test]
    fn equal_clocks_give_back_what_was_put_in() {
        let mut clocks = Clocks::new(tone);
        clocks.run(10, 0.0, 0);
        let begin = clocks.heard.iter().position(|s| *s != 0).expect("sound");
        let said: Vec<i16> = (0..80_000).map(tone).collect();
        // The first sample is silent, and the curve begins at the second.
        let at = said.windows(4).position(|w| w == &clocks.heard[begin..begin + 4]).expect("the same samples");
        let far = clocks.heard[begin..begin + 4000]
            .iter()
            .zip(&said[at..])
            .map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs());
        assert!(far.max() <= Some(40), "the fill is a fraction of a sample off its target");
    }

    #[test]
    fn what_piled_up_is_left_out_where_nobody_speaks() {
        let mut clocks = Clocks::new(|n| if n / 8000 % 2 == 0 { tone(n) } else { 0 });
        clocks.run(2, 0.0, 0);
        clocks.elastic.push(&[0; 960]);
        clocks.run(60, 0.0, 0);
        let counts = clocks.elastic.counts();
        assert!(counts.left_out > 0 && counts.dropped == 0, "{counts:?}");
        assert!((30..85).contains(&clocks.elastic.fill_ms()), "{}", clocks.elastic.fill_ms());
    }

    #[test]
    fn a_gap_is_silence_and_is_counted_once() {
        let mut elastic = Elastic::new(SampleRate::Hz8000);
        let mut out = [1; FRAME];
        elastic.push(&[500; 480]);
        for _ in 0..6 {
            elastic.pull(&mut out);
        }
        assert_eq!(out, [0; FRAME]);
        assert_eq!(elastic.counts().ran_empty, 1);
        elastic.push(&[500; 480]);
        elastic.pull(&mut out);
        assert!(out.contains(&500), "it is filled again");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn whatever_the_clocks_and_the_jitter_nothing_starves_or_piles_up(
            ppm in -300.0_f64..300.0,
            jitter_ms in 0_u32..30,
        ) {
            let mut clocks = Clocks::new(tone);
            clocks.run(300, ppm, jitter_ms);
            prop_assert_eq!(clocks.elastic.counts(), ElasticCounts::default());
            prop_assert!(clocks.most_ms < 120, "{} ms", clocks.most_ms);
        }

        #[test]
        fn any_order_of_pushing_and_pulling_keeps_the_bounds(
            steps in proptest::collection::vec((0_usize..400, 0_usize..400), 1..200),
        ) {
            let mut elastic = Elastic::new(SampleRate::Hz16000);
            for (push, pull) in steps {
                elastic.push(&vec![1000; push]);
                let mut out = vec![0; pull];
                elastic.pull(&mut out);
                prop_assert!(elastic.fill_ms() <= 240);
                prop_assert!(out.iter().all(|s| (0..=1001).contains(s)));
            }
        }
    }
}
