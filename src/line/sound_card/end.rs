//! The line's end of a card: frames of 20 ms out of and into the rings, at the line's
//! rate. It belongs to whoever takes sound every 20 ms, and never waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;

use crate::media::{Conversion, Frame, Resampler, SampleRate};
use crate::terms::Moment;

use super::origin::Origin;
use super::ring::{SampleReader, SampleWriter};

/// Frames that lie ready before the first that is played, and again after the speaker
/// ran dry: the rhythm of who gives frames is up to a period late, and the card's own is
/// another one.
const CUSHION: usize = 2;

/// Frames that may lie ready. More come late to the ear than anybody wants to hear them:
/// a frame beyond is dropped.
const READY_MAX: usize = 6;

/// What was played may run ahead of what was heard by this many frames before the two
/// are brought together again: a microphone that lost sound would seem to hear echoes
/// before their time. The card's own rhythm makes three.
const APART_MAX: usize = 4;

/// The longest frame of a card: 20 ms at 48 kHz.
const CARD_FRAME_MAX: usize = 960;

/// What was heard in 20 ms, and what was played meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct CardFrame {
    /// When its first sample was captured.
    pub at: Moment,
    pub heard: Frame,
    /// What really went to the loudspeaker, silence included. It keeps step with
    /// `heard`, some tens of milliseconds before its echo.
    pub played: Frame,
}

/// Frames and samples since the start. In a call in which nothing is lost, frames taken
/// and given are about equal, and the rest does not grow.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct CardCounts {
    pub frames_taken: u64,
    pub frames_given: u64,
    /// Frames that came when too many lay ready, or no card was open.
    pub frames_dropped: u64,
    /// Captured samples for which there was no room, because nobody took frames.
    pub samples_lost: u64,
    /// How often the loudspeaker ran dry in the middle of sound.
    pub dry: u64,
}

#[derive(Default)]
pub(super) struct Counters {
    taken: AtomicU64,
    given: AtomicU64,
    dropped: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) dry: AtomicU64,
}

impl Counters {
    pub(super) fn read(&self) -> CardCounts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CardCounts {
            frames_taken: of(&self.taken),
            frames_given: of(&self.given),
            frames_dropped: of(&self.dropped),
            samples_lost: of(&self.lost),
            dry: of(&self.dry),
        }
    }
}

/// The rings of a card that has just been opened.
pub(super) struct Opening {
    pub(super) hz: u32,
    pub(super) captured: Option<(SampleReader, Arc<Origin>)>,
    pub(super) played: SampleReader,
    pub(super) to_play: SampleWriter,
}

/// Takes what the card heard, and gives what it is to play.
pub struct CardEnd {
    rate: SampleRate,
    openings: Receiver<Opening>,
    flow: Option<Flow>,
    counts: Arc<Counters>,
}

impl CardEnd {
    pub(super) const fn new(rate: SampleRate, openings: Receiver<Opening>, counts: Arc<Counters>) -> Self {
        Self { rate, openings, flow: None, counts }
    }

    /// The next 20 ms that were captured; none when no more have come yet. Whoever takes
    /// them asks until there is none: the card's clock is the line's clock.
    pub fn take(&mut self) -> Option<CardFrame> {
        self.take_over();
        let frame = self.flow.as_mut()?.take(self.rate)?;
        self.counts.taken.fetch_add(1, Ordering::Relaxed);
        Some(frame)
    }

    /// Gives 20 ms to be played.
    ///
    /// # Panics
    /// If the frame does not have the line's rate: a mistake of ours.
    pub fn play(&mut self, frame: &Frame) {
        assert!(frame.rate() == self.rate, "a card's end has one rate");
        self.take_over();
        let taken = self.flow.as_mut().is_some_and(|flow| flow.play(frame));
        let counter = if taken { &self.counts.given } else { &self.counts.dropped };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Whole frames that lie ready to be played; none while no card is open. For who
    /// gives frames by another clock than the card's: it is told here how fast the card
    /// takes them.
    pub fn ready(&mut self) -> Option<usize> {
        self.take_over();
        let flow = self.flow.as_ref().filter(|flow| flow.to_play.is_read())?;
        Some(flow.to_play.filled() / flow.card_frame())
    }

    /// Samples at the line's rate that the card has taken to be played since the last
    /// time; those that it made silence of, because none lay ready, are not among them.
    pub fn take_played(&mut self) -> usize {
        self.take_over();
        let Some(flow) = &mut self.flow else { return 0 };
        let read = flow.to_play.ever_read();
        let line = self.rate.frame_len();
        // What is less than a sample of the line waits for the next time.
        let samples = read.wrapping_sub(flow.told_played) * line / flow.card_frame();
        flow.told_played = flow.told_played.wrapping_add(samples * flow.card_frame() / line);
        samples
    }

    /// Goes over to the rings of a card that was opened anew.
    fn take_over(&mut self) {
        while let Ok(opening) = self.openings.try_recv() {
            self.flow = Some(Flow::new(opening, self.rate));
        }
    }
}

/// One opening's sound.
struct Flow {
    hz: u32,
    captured: Option<(SampleReader, Arc<Origin>)>,
    played: SampleReader,
    to_play: SampleWriter,
    /// Samples taken so far, which say when the next was captured.
    taken: u64,
    /// Samples of the card of which it was told that they were played.
    told_played: usize,
    /// Whether `played` keeps step with what was captured yet.
    is_in_step: bool,
    heard_to_line: Option<Resampler>,
    played_to_line: Option<Resampler>,
    to_card: Option<Resampler>,
    /// Room for one converted frame.
    converted: Vec<i16>,
}

impl Flow {
    fn new(opening: Opening, rate: SampleRate) -> Self {
        // The card was opened at a rate that a conversion exists for.
        let conversion = Conversion::of_card(opening.hz, rate).ok().flatten();
        Self {
            hz: opening.hz,
            captured: opening.captured,
            played: opening.played,
            to_play: opening.to_play,
            taken: 0,
            told_played: 0,
            is_in_step: false,
            heard_to_line: conversion.map(|(from_card, _)| Resampler::new(from_card)),
            played_to_line: conversion.map(|(from_card, _)| Resampler::new(from_card)),
            to_card: conversion.map(|(_, to_card)| Resampler::new(to_card)),
            converted: Vec::with_capacity(CARD_FRAME_MAX),
        }
    }

    /// Samples of 20 ms at the card's rate.
    const fn card_frame(&self) -> usize {
        self.hz as usize / 50
    }

    fn take(&mut self, rate: SampleRate) -> Option<CardFrame> {
        let len = self.card_frame();
        let (reader, origin) = self.captured.as_mut()?;
        if reader.filled() < len {
            return None;
        }
        let mut block = [0; CARD_FRAME_MAX];
        reader.read(&mut block[..len]);
        let at = origin.of(self.taken, self.hz);
        self.taken += len as u64;
        let heard = to_line(self.heard_to_line.as_mut(), &block[..len], rate, &mut self.converted);
        self.read_played(&mut block[..len]);
        let played = to_line(self.played_to_line.as_mut(), &block[..len], rate, &mut self.converted);
        Some(CardFrame { at, heard, played })
    }

    /// As much of what was played as was heard. Both counts have one clock: once in
    /// step they stay so, unless one side stopped.
    fn read_played(&mut self, block: &mut [i16]) {
        let ready = self.played.filled();
        self.is_in_step |= ready >= block.len();
        if ready > APART_MAX * block.len() {
            self.played.skip(ready - 2 * block.len());
        }
        let got = if self.is_in_step { self.played.read(block) } else { 0 };
        block[got..].fill(0);
    }

    /// False when too much lies ready.
    fn play(&mut self, frame: &Frame) -> bool {
        let len = self.card_frame();
        let ready = self.to_play.filled();
        if ready > (READY_MAX - 1) * len {
            return false;
        }
        if ready == 0 {
            self.to_play.write(std::iter::repeat_n(0, CUSHION * len));
        }
        match &mut self.to_card {
            None => self.to_play.write(frame.samples().iter().copied()),
            Some(resampler) => {
                self.converted.clear();
                resampler.push(frame.samples(), &mut self.converted);
                self.to_play.write(self.converted.iter().copied())
            }
        };
        true
    }
}

fn to_line(resampler: Option<&mut Resampler>, samples: &[i16], rate: SampleRate, room: &mut Vec<i16>) -> Frame {
    let Some(resampler) = resampler else { return Frame::from_samples(rate, samples) };
    room.clear();
    resampler.push(samples, room);
    Frame::from_samples(rate, room)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{SyncSender, sync_channel};

    use super::super::ring::ring;
    use super::*;

    /// The card's ends of the rings.
    struct Card {
        hz: u32,
        capture: SampleWriter,
        played: SampleWriter,
        to_play: SampleReader,
    }

    impl Card {
        fn open(hz: u32, openings: &SyncSender<Opening>) -> Self {
            let (capture, captured) = ring(hz as usize / 4);
            let (played_in, played) = ring(hz as usize / 4);
            let (to_play, playing) = ring(hz as usize / 4);
            let captured = Some((captured, Arc::new(Origin::default())));
            assert!(openings.try_send(Opening { hz, captured, played, to_play }).is_ok());
            Self { hz, capture, played: played_in, to_play: playing }
        }

        /// One period: the microphone hears `sample`, the speaker takes its share.
        fn period(&mut self, sample: i16) -> Vec<i16> {
            let len = self.hz as usize / 50;
            let mut block = vec![0; len];
            self.to_play.read(&mut block);
            self.played.write(block.iter().copied());
            assert_eq!(self.capture.write(std::iter::repeat_n(sample, len)), len);
            block
        }
    }

    fn end(rate: SampleRate) -> (CardEnd, SyncSender<Opening>) {
        let (openings, opened) = sync_channel(4);
        (CardEnd::new(rate, opened, Arc::default()), openings)
    }

    #[test]
    fn sound_goes_both_ways_at_the_lines_rate_whatever_the_cards() {
        for rate in [SampleRate::Hz8000, SampleRate::Hz16000] {
            for hz in [8_000, 16_000, 48_000] {
                let (mut end, openings) = end(rate);
                let mut card = Card::open(hz, &openings);
                let said = Frame::from_samples(rate, &[5_000; 320]);
                let (mut spoken, mut heard) = (Vec::new(), Vec::new());
                for _ in 0..50 {
                    spoken = card.period(3_000);
                    while let Some(frame) = end.take() {
                        heard.push(frame);
                        end.play(&said);
                    }
                }
                assert_eq!(heard.len(), 50, "{hz} Hz card");
                let last = heard.last().unwrap();
                assert_eq!(last.heard.rate(), rate);
                assert!(last.heard.samples().iter().all(|s| s.abs_diff(3_000) < 5), "{hz} Hz card");
                assert!(last.played.samples().iter().all(|s| s.abs_diff(5_000) < 5), "{hz} Hz card");
                assert!(spoken.iter().all(|s| s.abs_diff(5_000) < 5), "{hz} Hz card");
                assert_eq!(end.counts.read().frames_given, 50);
            }
        }
    }

    #[test]
    fn what_was_played_keeps_step_with_what_was_heard() {
        let (mut end, openings) = end(SampleRate::Hz8000);
        let mut card = Card::open(8_000, &openings);
        let mut played = Vec::new();
        let mut spoken = Vec::new();
        for n in 0..40_i16 {
            spoken.extend(card.period(0));
            while let Some(frame) = end.take() {
                played.extend_from_slice(frame.played.samples());
                end.play(&Frame::from_samples(SampleRate::Hz8000, &[n * 100; 160]));
            }
        }
        assert_eq!(played, spoken);
    }

    #[test]
    fn frames_that_come_too_fast_are_dropped_and_the_delay_stays_bounded() {
        let (mut end, openings) = end(SampleRate::Hz16000);
        let mut card = Card::open(16_000, &openings);
        for _ in 0..100 {
            end.play(&Frame::silence(SampleRate::Hz16000));
        }
        let counts = end.counts.read();
        assert_eq!(counts.frames_given + counts.frames_dropped, 100);
        assert!(card.to_play.skip(usize::MAX) <= READY_MAX * 320);
    }

    #[test]
    fn what_lies_ready_is_told_in_frames_and_only_of_a_card_that_is_open() {
        for hz in [8_000, 48_000] {
            let (mut end, openings) = end(SampleRate::Hz16000);
            assert_eq!(end.ready(), None);
            let mut card = Card::open(hz, &openings);
            assert_eq!(end.ready(), Some(0));
            end.play(&Frame::silence(SampleRate::Hz16000));
            assert_eq!(end.ready(), Some(CUSHION + 1), "{hz} Hz card");
            card.period(0);
            assert_eq!(end.ready(), Some(CUSHION), "{hz} Hz card");
            drop(card);
            assert_eq!(end.ready(), None, "{hz} Hz card");
        }
    }

    #[test]
    fn what_a_card_has_played_is_told_once_and_neither_its_own_silence_nor_what_waits_is_in_it() {
        for (rate, hz) in [(SampleRate::Hz8000, 8_000), (SampleRate::Hz8000, 48_000), (SampleRate::Hz16000, 8_000)] {
            let (mut end, openings) = end(rate);
            assert_eq!(end.take_played(), 0, "there is no card");
            let mut card = Card::open(hz, &openings);
            card.period(0);
            assert_eq!(end.take_played(), 0, "the silence is the card's own, {hz} Hz");
            end.play(&Frame::silence(rate));
            assert_eq!(end.take_played(), 0, "it waits, {hz} Hz");
            // The frame and what lies ready before the first.
            for n in 0..=CUSHION {
                card.period(0);
                assert_eq!(end.take_played(), rate.frame_len(), "frame {n}, {hz} Hz");
                assert_eq!(end.take_played(), 0, "it was told, {hz} Hz");
            }
            card.period(0);
            assert_eq!(end.take_played(), 0, "the speaker ran dry, {hz} Hz");
            // A card that takes no more.
            (0..50).for_each(|_| end.play(&Frame::silence(rate)));
            assert_eq!(end.take_played(), 0, "{hz} Hz");
            let _anew = Card::open(hz, &openings);
            assert_eq!(end.take_played(), 0, "of the new card nothing was played yet");
        }
    }

    #[test]
    fn parts_of_a_sample_of_the_line_are_not_lost() {
        let (mut end, openings) = end(SampleRate::Hz8000);
        let mut card = Card::open(48_000, &openings);
        end.play(&Frame::silence(SampleRate::Hz8000));
        let told: usize = (0..=CUSHION * 960)
            .map(|_| {
                card.to_play.read(&mut [0]);
                end.take_played()
            })
            .sum();
        assert_eq!(told, CUSHION * 160, "one sample of the line for six of the card");
    }

    #[test]
    fn a_card_that_is_opened_anew_takes_over_and_old_sound_is_gone() {
        let (mut end, openings) = end(SampleRate::Hz8000);
        let mut first = Card::open(8_000, &openings);
        first.period(1_000);
        let mut second = Card::open(48_000, &openings);
        assert!(end.take().is_none(), "the first card's sound is gone with it");
        for _ in 0..10 {
            second.period(2_000);
        }
        let heard: Vec<CardFrame> = std::iter::from_fn(|| end.take()).collect();
        assert_eq!(heard.len(), 10);
        assert!(heard[9].heard.samples().iter().all(|s| s.abs_diff(2_000) < 5));
    }

    #[test]
    fn without_a_card_nothing_is_heard_and_what_is_said_is_counted_as_dropped() {
        let (mut end, _openings) = end(SampleRate::Hz8000);
        assert!(end.take().is_none());
        end.play(&Frame::silence(SampleRate::Hz8000));
        assert_eq!(end.counts.read(), CardCounts { frames_dropped: 1, ..CardCounts::default() });
    }
}
