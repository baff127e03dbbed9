//! The voice and the mouth of the simulated world: one sentence after the other
//! is made and played in steps of 20 ms, as the voice lane and the line do it.

use std::collections::VecDeque;
use std::time::Duration;

use milu::call::{Input, Speech};
use milu::terms::{Moment, UtteranceId};

use super::random::Dice;

pub const STEP_MS: u32 = 20;

#[derive(Clone, Debug)]
pub struct VoiceFaults {
    pub fails: u32,
    pub breaks_off: u32,
    /// Nothing comes until the mouth is silenced.
    pub sticks: u32,
    pub latency_ms: (u64, u64),
}

impl VoiceFaults {
    pub const NONE: Self = Self { fails: 0, breaks_off: 0, sticks: 0, latency_ms: (60, 160) };

    pub fn some(dice: &mut Dice) -> Self {
        if dice.per_mille(600) {
            return Self::NONE;
        }
        let mut often = |max| dice.between(0, max) as u32;
        Self { fails: often(100), breaks_off: often(60), sticks: often(60), latency_ms: (40, 700) }
    }
}

/// How long a text takes to say: about fifteen letters a second.
pub fn length_ms(speech: &Speech) -> u32 {
    let letters = speech.text.expose().chars().count() as f32;
    let frames = (letters * 65.0 / speech.pace / STEP_MS as f32).ceil() as u32;
    frames.max(1) * STEP_MS
}

#[derive(Clone, Debug)]
struct Sentence {
    utterance: UtteranceId,
    epoch: u32,
    total_ms: u32,
}

/// What became of a sentence that was to be made.
#[derive(Clone, Debug)]
pub struct Made {
    epoch: u32,
    fate: Fate,
}

#[derive(Clone, Debug)]
enum Fate {
    Sound { utterance: UtteranceId, frames: u32, total_ms: Option<u32> },
    Failed { utterance: UtteranceId },
}

#[derive(Clone, Debug)]
struct Playing {
    utterance: UtteranceId,
    epoch: u32,
    frames: u32,
    told: u32,
}

#[derive(Clone, Debug)]
struct QueuedFrame {
    utterance: UtteranceId,
    epoch: u32,
    last: bool,
}

/// Lane and mouth of one call.
#[derive(Clone, Debug, Default)]
pub struct Mouth {
    epoch: u32,
    paused: bool,
    /// The far side holds: nothing is played, and nothing is lost.
    held: bool,
    sentences: VecDeque<Sentence>,
    making: bool,
    queue: VecDeque<QueuedFrame>,
    playing: Option<Playing>,
}

impl Mouth {
    pub fn say(&mut self, utterance: UtteranceId, speech: &Speech) {
        self.sentences.push_back(Sentence { utterance, epoch: self.epoch, total_ms: length_ms(speech) });
    }

    pub fn pause(&mut self) {
        self.paused = true;
    }

    pub fn resume(&mut self) {
        self.paused = false;
    }

    pub fn hold(&mut self) {
        self.held = true;
    }

    pub fn take_back(&mut self) {
        self.held = false;
    }

    pub fn silence(&mut self) {
        self.epoch += 1;
        self.paused = false;
        // A sentence that is being made is given up.
        self.making = false;
    }

    /// Begins to make the next sentence, if none is being made: what will come
    /// of it, and when.
    pub fn make_next(&mut self, faults: &VoiceFaults, dice: &mut Dice) -> Option<(Duration, Made)> {
        if self.making {
            return None;
        }
        let sentence = loop {
            let sentence = self.sentences.pop_front()?;
            if sentence.epoch == self.epoch {
                break sentence;
            }
        };
        self.making = true;
        if dice.per_mille(faults.sticks) {
            return None;
        }
        let after = Duration::from_millis(dice.between(faults.latency_ms.0, faults.latency_ms.1));
        let Sentence { utterance, epoch, total_ms } = sentence;
        let frames = total_ms / STEP_MS;
        let fate = if dice.per_mille(faults.fails) {
            Fate::Failed { utterance }
        } else if dice.per_mille(faults.breaks_off) {
            Fate::Sound { utterance, frames: frames / 2, total_ms: None }
        } else {
            Fate::Sound { utterance, frames, total_ms: Some(total_ms) }
        };
        Some((after, Made { epoch, fate }))
    }

    /// The sound of a sentence is there, or will never be: what to tell the call.
    pub fn made(&mut self, made: &Made) -> Option<Input> {
        if made.epoch != self.epoch {
            return None;
        }
        self.making = false;
        match &made.fate {
            Fate::Failed { utterance } => Some(Input::VoiceFailed { utterance: *utterance }),
            Fate::Sound { utterance, frames, total_ms } => {
                let (utterance, frames, total_ms) = (*utterance, *frames, *total_ms);
                let whole = total_ms.is_some();
                let frame = |n| QueuedFrame { utterance, epoch: made.epoch, last: whole && n + 1 == frames };
                self.queue.extend((0..frames).map(frame));
                Some(match total_ms {
                    Some(total_ms) => Input::UtteranceLength { utterance, total_ms },
                    None => Input::VoiceFailed { utterance },
                })
            }
        }
    }

    /// One step of the media clock: what sounds, and what is told of it.
    pub fn step(&mut self, at: Moment) -> (Option<UtteranceId>, Vec<Input>) {
        let mut told = Vec::new();
        let epoch = self.epoch;
        self.queue.retain(|frame| frame.epoch == epoch);
        if let Some(cut) = self.playing.take_if(|p| p.epoch != epoch) {
            told.push(Input::UtteranceCut { utterance: cut.utterance, played_ms: cut.frames * STEP_MS, at });
        }
        let frame = if self.paused || self.held { None } else { self.queue.pop_front() };
        let Some(frame) = frame else {
            self.tell_progress(at, &mut told);
            return (None, told);
        };
        if self.playing.as_ref().is_none_or(|p| p.utterance != frame.utterance) {
            told.push(Input::UtteranceStarted { utterance: frame.utterance, at });
            self.playing = Some(Playing { utterance: frame.utterance, epoch, frames: 0, told: 0 });
        }
        let frames = self.playing.as_mut().map_or(0, |p| {
            p.frames += 1;
            p.frames
        });
        if frame.last {
            self.playing = None;
            let played_ms = frames * STEP_MS;
            told.push(Input::UtteranceFinished { utterance: frame.utterance, played_ms, at });
        } else if frames.is_multiple_of(10) {
            self.tell_progress(at, &mut told);
        }
        (Some(frame.utterance), told)
    }

    fn tell_progress(&mut self, at: Moment, told: &mut Vec<Input>) {
        let Some(playing) = self.playing.as_mut().filter(|p| p.told != p.frames) else { return };
        playing.told = playing.frames;
        let played_ms = playing.frames * STEP_MS;
        told.push(Input::UtteranceProgress { utterance: playing.utterance, played_ms, at });
    }
}
