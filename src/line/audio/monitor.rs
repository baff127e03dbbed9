//! A loudspeaker through which a technician hears a running call: both sides, mixed.
//! It is never waited for: what comes late is dropped, and the call knows nothing of it.
//!
//! Two clocks meet here: the line's, in whose rhythm the frames come, and the card's,
//! which plays them. Between the two lies an elastic buffer: at each tick it is given
//! what came, and read as far as the card has played.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Weak};

use thiserror::Error;

use crate::line::sound_card::{CardEnd, CardName, CardSettings, CardUse, CardView, SoundCard};
use crate::line::{ClockGone, MediaClock, MediaPort, ReadClock, Stay};
use crate::media::{Conversion, Elastic, Frame, Resampler, SampleRate};
use crate::terms::Moment;

/// Both rates of lines fit into it.
const RATE: SampleRate = SampleRate::Hz16000;

/// Frames of one side that wait to be mixed: 200 ms, by which the task of a call may be
/// late on a busy machine. A frame that finds no room is later than that.
const WAITING: usize = 10;

/// Frames of one side that wait for the other's before they are heard alone. A line
/// gives both in one tick, and each comes by a channel of its own.
const APART: usize = 2;

/// What the elastic buffer holds: frames come in bunches of two or three where a task
/// was late, and the card takes two in a tick now and then. Nobody answers through this
/// speaker, so a tenth of a second does no harm.
const HELD_MS: usize = 100;

/// Frames that are to lie ready in the card. It takes one, and now and then two, until
/// the next tick; on a busy machine its thread or ours stands still for some periods and
/// makes up for them in a burst.
const READY: usize = 5;

/// Turns to another call that wait for the next tick.
const TURNS: usize = 4;

#[derive(Debug, Error)]
pub enum OpenMonitor {
    #[error("opening the monitor speaker: its thread: {0}")]
    Thread(#[from] std::io::Error),
    #[error("opening the monitor speaker: {0}")]
    Clock(#[from] ClockGone),
}

/// The speaker was not turned to another call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum TurnError {
    #[error("turning the monitor speaker: it has just been turned to several other calls; try again")]
    Busy,
    #[error("turning the monitor speaker: it has failed; restart the box, and report it")]
    Failed,
}

/// Which card the speaker is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MonitorConfig {
    pub card: CardName,
    /// The only rate at which the card may run.
    pub card_hz: Option<u32>,
}

/// The speaker. It plays one call at a time: the one that was turned to last.
pub struct MonitorSpeaker {
    name: CardName,
    card: SoundCard,
    turns: SyncSender<Heard>,
    dropped: Arc<AtomicU64>,
}

/// Given both sides' frames by whoever carries a call. Dropping it ends the listening.
pub struct MonitorTap {
    caller: SyncSender<Frame>,
    spoken: SyncSender<Frame>,
    ear: Weak<()>,
    dropped: Arc<AtomicU64>,
}

/// Held by whoever listens. With it the listening ends, at the next tick.
pub struct MonitorEar {
    _held: Arc<()>,
}

impl MonitorSpeaker {
    pub fn open(config: MonitorConfig, clock: ReadClock, media_clock: &MediaClock) -> Result<Self, OpenMonitor> {
        let MonitorConfig { card: name, card_hz } = config;
        let settings = CardSettings { name: name.clone(), rate: RATE, card_hz, uses: CardUse::Playback };
        let (card, end) = SoundCard::start(settings, clock)?;
        let (turns, turned_to) = sync_channel(TURNS);
        media_clock.join(Box::new(MonitorPort { card: end, turned_to, heard: None }))?;
        Ok(Self { name, card, turns, dropped: Arc::default() })
    }

    /// Turns to another call; what was heard before is heard no more.
    pub fn listen(&self) -> Result<(MonitorTap, MonitorEar), TurnError> {
        let (tap, ear, heard) = wired(self.dropped.clone());
        self.turns.try_send(heard).map_err(|refused| match refused {
            TrySendError::Full(_) => TurnError::Busy,
            TrySendError::Disconnected(_) => TurnError::Failed,
        })?;
        Ok((tap, ear))
    }

    /// The card's name in the configuration.
    pub const fn card(&self) -> &CardName {
        &self.name
    }

    pub fn view(&self) -> tokio::sync::watch::Receiver<CardView> {
        self.card.view()
    }

    /// Frames that came late and were not played.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed) + self.card.counts().frames_dropped
    }
}

/// A tap, whoever listens to it, and what is played of it.
fn wired(dropped: Arc<AtomicU64>) -> (MonitorTap, MonitorEar, Heard) {
    let (tap, ear, [caller, spoken]) = tapped(dropped);
    let heard = Heard {
        caller: Side::new(caller),
        spoken: Side::new(spoken),
        ear: tap.ear.clone(),
        elastic: Elastic::holding(RATE, HELD_MS),
    };
    (tap, ear, heard)
}

/// A tap, whoever listens to it, and both sides' frames.
pub(crate) fn tapped(dropped: Arc<AtomicU64>) -> (MonitorTap, MonitorEar, [Receiver<Frame>; 2]) {
    let (caller, caller_frames) = sync_channel(WAITING);
    let (spoken, spoken_frames) = sync_channel(WAITING);
    let held = Arc::new(());
    let tap = MonitorTap { caller, spoken, ear: Arc::downgrade(&held), dropped };
    (tap, MonitorEar { _held: held }, [caller_frames, spoken_frames])
}

impl MonitorTap {
    /// What the caller said in 20 ms. Never waits.
    pub fn caller(&self, frame: &Frame) {
        self.give(&self.caller, frame);
    }

    /// What the box said in 20 ms. Never waits.
    pub fn spoken(&self, frame: &Frame) {
        self.give(&self.spoken, frame);
    }

    /// Whether anybody listens still.
    pub fn is_heard(&self) -> bool {
        self.ear.strong_count() > 0
    }

    fn give(&self, side: &SyncSender<Frame>, frame: &Frame) {
        // Without the other end the speaker has been turned to another call.
        if let Err(TrySendError::Full(_)) = side.try_send(*frame) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// One side's frames, at the speaker's rate.
struct Side {
    frames: Receiver<Frame>,
    waiting: VecDeque<Frame>,
    widen: Resampler,
    is_gone: bool,
}

impl Side {
    fn new(frames: Receiver<Frame>) -> Self {
        Self {
            frames,
            waiting: VecDeque::with_capacity(WAITING),
            widen: Resampler::new(Conversion::Hz8000ToHz16000),
            is_gone: false,
        }
    }

    /// Takes in what was given since the last tick.
    fn fetch(&mut self) {
        while self.waiting.len() < WAITING {
            match self.frames.try_recv() {
                Ok(frame) if frame.rate() == RATE => self.waiting.push_back(frame),
                Ok(frame) => self.waiting.push_back(self.widen.frame(&frame)),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.is_gone = true;
                    return;
                }
            }
        }
    }
}

/// The call that is heard.
struct Heard {
    caller: Side,
    spoken: Side,
    ear: Weak<()>,
    elastic: Elastic,
}

impl Heard {
    /// Nobody listens, or nobody gives sound any more.
    fn is_over(&self) -> bool {
        self.ear.strong_count() == 0 || (self.caller.is_gone && self.spoken.is_gone)
    }

    fn fetch(&mut self) {
        self.caller.fetch();
        self.spoken.fetch();
    }

    /// The next 20 ms of both, or of one whose other side does not come.
    fn mix(&mut self) -> Option<Frame> {
        let (caller, spoken) = (&mut self.caller.waiting, &mut self.spoken.waiting);
        let is_alone = caller.is_empty() || spoken.is_empty();
        if is_alone && caller.len().max(spoken.len()) <= APART {
            return None;
        }
        match (caller.pop_front(), spoken.pop_front()) {
            (Some(a), Some(b)) => Some(mixed(&a, &b)),
            (one, other) => one.or(other),
        }
    }

    /// Takes in what came, and gives the card what it has played since the last tick.
    fn play(&mut self, card: &mut CardEnd) {
        while let Some(frame) = self.mix() {
            self.elastic.push(frame.samples());
        }
        for _ in 0..READY {
            if card.ready().is_none_or(|ready| ready >= READY) {
                return;
            }
            let mut frame = Frame::silence(RATE);
            self.elastic.pull(frame.samples_mut());
            card.play(&frame);
        }
    }

    /// There is no card: what comes meanwhile is not heard later.
    fn skip(&mut self) {
        self.caller.waiting.clear();
        self.spoken.waiting.clear();
    }
}

/// Both sides together; where both are loud, at full scale.
fn mixed(a: &Frame, b: &Frame) -> Frame {
    let mut both = *a;
    for (sample, other) in both.samples_mut().iter_mut().zip(b.samples()) {
        *sample = sample.saturating_add(*other);
    }
    both
}

struct MonitorPort {
    card: CardEnd,
    turned_to: Receiver<Heard>,
    heard: Option<Heard>,
}

impl MediaPort for MonitorPort {
    fn tick(&mut self, _now: Moment) -> Stay {
        loop {
            match self.turned_to.try_recv() {
                Ok(heard) => self.heard = Some(heard),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Stay::Leave,
            }
        }
        // Asked when nobody listens too: a card that was opened anew is taken over.
        let is_open = self.card.ready().is_some();
        let Some(heard) = &mut self.heard else { return Stay::Yes };
        heard.fetch();
        if heard.is_over() {
            self.heard = None;
        } else if is_open {
            heard.play(&mut self.card);
        } else {
            heard.skip();
        }
        Stay::Yes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::sound_card::SimulatedSpeaker;
    use crate::media::ElasticCounts;

    fn wired_alone() -> (MonitorTap, MonitorEar, Heard) {
        wired(Arc::default())
    }

    fn mixes(heard: &mut Heard) -> Vec<Frame> {
        heard.fetch();
        std::iter::from_fn(|| heard.mix()).collect()
    }

    #[test]
    fn both_sides_are_heard_whatever_their_rate() {
        let (tap, _ear, mut heard) = wired_alone();
        for _ in 0..WAITING {
            tap.caller(&Frame::from_samples(SampleRate::Hz8000, &[3_000; 160]));
            tap.spoken(&Frame::from_samples(SampleRate::Hz16000, &[4_000; 320]));
        }
        let mixes = mixes(&mut heard);
        assert_eq!(mixes.len(), WAITING);
        assert!(mixes[WAITING - 1].samples().iter().all(|s| s.abs_diff(7_000) < 5));
    }

    #[test]
    fn a_side_whose_other_is_late_waits_for_it_and_one_that_stays_alone_is_heard() {
        let (tap, _ear, mut heard) = wired_alone();
        let (a, b) = (Frame::from_samples(RATE, &[3_000; 320]), Frame::from_samples(RATE, &[4_000; 320]));
        tap.caller(&a);
        assert_eq!(mixes(&mut heard), []);
        tap.spoken(&b);
        assert_eq!(mixes(&mut heard), [mixed(&a, &b)]);
        for _ in 0..APART {
            tap.spoken(&b);
            assert_eq!(mixes(&mut heard), []);
        }
        tap.spoken(&b);
        assert_eq!(mixes(&mut heard), [b]);
    }

    #[test]
    fn a_speaker_that_does_not_listen_costs_the_call_nothing() {
        let (tap, _ear, _heard) = wired_alone();
        for _ in 0..100 {
            tap.caller(&Frame::silence(SampleRate::Hz8000));
        }
        assert_eq!(tap.dropped.load(Ordering::Relaxed), 100 - WAITING as u64);
    }

    #[test]
    fn loud_voices_together_stay_within_full_scale() {
        let loud = Frame::from_samples(RATE, &[30_000; 320]);
        assert!(mixed(&loud, &loud).samples().iter().all(|s| *s == i16::MAX));
    }

    const A: f64 = 12_000.0;

    /// How far one sample of the tone lies from the next at most: 440 Hz at 16 kHz.
    const STEEPEST: f64 = A * std::f64::consts::TAU * 440.0 / 16_000.0;

    fn tone(n: usize) -> i16 {
        (A * (std::f64::consts::TAU * 440.0 * n as f64 / 16_000.0).sin()) as i16
    }

    /// A call on a line of one clock, and a card of another.
    struct World {
        port: MonitorPort,
        turns: SyncSender<Heard>,
        speaker: SimulatedSpeaker,
        tap: Option<MonitorTap>,
        ear: Option<MonitorEar>,
        /// What the call's line has given, in samples.
        said: usize,
        /// What the card has played.
        played: Vec<i16>,
        most_ms: u32,
        most_ready: usize,
        random: u32,
    }

    impl World {
        fn new(hz: u32) -> Self {
            let (speaker, card) = SimulatedSpeaker::open(hz, RATE);
            let (turns, turned_to) = sync_channel(TURNS);
            let port = MonitorPort { card, turned_to, heard: None };
            let (said, played) = (0, Vec::new());
            let (tap, ear) = (None, None);
            let (most_ms, most_ready, random) = (0, 0, 12_345);
            Self { port, turns, speaker, tap, ear, said, played, most_ms, most_ready, random }
        }

        fn listen(&mut self) {
            let (tap, ear, heard) = wired_alone();
            assert!(self.turns.try_send(heard).is_ok());
            (self.tap, self.ear) = (Some(tap), Some(ear));
        }

        /// Up to `most` seconds, another each time.
        fn chance(&mut self, most: f64) -> f64 {
            self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(self.random >> 16) / 65_536.0 * most
        }

        /// The caller says 20 ms more of a tone, the box is silent.
        fn say(&mut self) {
            let samples: Vec<i16> = (self.said..self.said + 320).map(tone).collect();
            self.said += 320;
            if let Some(tap) = &self.tap {
                tap.caller(&Frame::from_samples(RATE, &samples));
                tap.spoken(&Frame::silence(RATE));
            }
        }

        /// Runs for so many seconds of the media clock. The line's clock is `line_ppm`
        /// millionths faster than it, the card's `card_ppm`; the call's task and the
        /// card come late by some milliseconds.
        fn run(&mut self, seconds: usize, line_ppm: f64, card_ppm: f64) {
            let due = |n: usize, ppm: f64, late: f64| n as f64 * 0.020 / (1.0 + ppm * 1e-6) + late;
            let (mut frames, mut periods) = (0, 0);
            let (mut frame_late, mut period_late) = (0.0, 0.0);
            for tick in 0..seconds * 50 {
                let now = tick as f64 * 0.020;
                while due(periods, card_ppm, period_late) <= now {
                    let period = self.speaker.period();
                    self.played.extend_from_slice(&period);
                    periods += 1;
                    period_late = self.chance(0.015);
                }
                while due(frames, line_ppm, frame_late) <= now {
                    self.say();
                    frames += 1;
                    frame_late = self.chance(0.030);
                }
                assert_eq!(self.port.tick(Moment::START), Stay::Yes);
                self.most_ready = self.most_ready.max(self.speaker.ready());
                if let Some(heard) = &self.port.heard {
                    self.most_ms = self.most_ms.max(heard.elastic.fill_ms());
                }
            }
        }

        fn counts(&self) -> ElasticCounts {
            self.port.heard.as_ref().expect("somebody is heard").elastic.counts()
        }
    }

    #[test]
    fn five_minutes_of_a_card_three_hundred_millionths_off_neither_starve_nor_pile_up() {
        for (line_ppm, card_ppm) in [(0.0, -300.0), (0.0, 300.0), (-150.0, 150.0)] {
            let mut world = World::new(16_000);
            world.listen();
            world.run(300, line_ppm, card_ppm);
            let what = format!("line {line_ppm}, card {card_ppm}");
            assert_eq!(world.counts(), ElasticCounts::default(), "{what}");
            assert!(world.most_ms < 180, "{what}: {} ms", world.most_ms);
            assert!(world.most_ready <= (READY + 1) * 320, "{what}: {} samples", world.most_ready);
            assert_eq!(world.speaker.counts().frames_dropped, 0, "{what}");
            let tap = world.tap.as_ref().expect("it is tapped");
            assert_eq!(tap.dropped.load(Ordering::Relaxed), 0, "{what}");
            // From its beginning on the tone has neither a gap nor a jump.
            let begin = world.played.iter().position(|s| *s != 0).expect("sound") + 8;
            for pair in world.played[begin..].windows(2) {
                let step = (f64::from(pair[1]) - f64::from(pair[0])).abs();
                assert!(step < 1.02 * STEEPEST + 2.0, "{what}: {pair:?}");
            }
        }
    }

    #[test]
    fn when_nobody_listens_any_more_the_card_plays_what_lay_ready_and_then_silence() {
        let mut world = World::new(16_000);
        world.listen();
        world.run(2, 0.0, 0.0);
        world.ear = None;
        assert!(!world.tap.as_ref().expect("it is tapped").is_heard());
        world.played.clear();
        world.run(2, 0.0, 0.0);
        assert!(world.port.heard.is_none(), "its sound is let go");
        let rest = world.played.iter().rposition(|s| *s != 0).map_or(0, |last| last + 1);
        assert!(rest <= (READY + 1) * 320, "{rest} samples more");
    }

    #[test]
    fn a_call_that_ends_is_silence_and_the_next_one_is_heard_afresh() {
        let mut world = World::new(48_000);
        world.listen();
        world.run(2, 0.0, 0.0);
        world.tap = None;
        world.run(1, 0.0, 0.0);
        assert!(world.port.heard.is_none() && world.ear.is_some());
        world.played.clear();
        world.run(1, 0.0, 0.0);
        assert!(world.played.iter().all(|s| *s == 0));
        world.listen();
        world.run(2, 0.0, 0.0);
        assert!(world.played.iter().any(|s| s.unsigned_abs() > 10_000));
        assert_eq!(world.counts(), ElasticCounts::default());
    }

    #[test]
    fn who_listens_last_is_the_one_who_hears() {
        let mut world = World::new(16_000);
        world.listen();
        world.run(1, 0.0, 0.0);
        let (first, first_ear) = (world.tap.take().expect("a tap"), world.ear.take());
        world.listen();
        world.run(1, 0.0, 0.0);
        // The one who listened before has nothing more, though nobody told the call yet.
        assert!(matches!(first.caller.try_send(Frame::silence(RATE)), Err(TrySendError::Disconnected(_))));
        assert_eq!(world.counts(), ElasticCounts::default());
        drop(first_ear);
        world.run(1, 0.0, 0.0);
        assert!(world.port.heard.is_some(), "the end of the first is nothing to the second");
    }

    #[test]
    fn without_a_card_nothing_piles_up_to_be_heard_later() {
        let (speaker, card) = SimulatedSpeaker::open(16_000, RATE);
        let mut world = World::new(16_000);
        world.port.card = card;
        drop(speaker);
        world.listen();
        world.run(2, 0.0, 0.0);
        assert_eq!(world.port.heard.as_ref().expect("somebody is heard").elastic.fill_ms(), 0);
        assert_eq!(world.tap.as_ref().expect("a tap").dropped.load(Ordering::Relaxed), 0);
    }
}
