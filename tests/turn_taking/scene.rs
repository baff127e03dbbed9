//! What happens around a turn-taker: a caller, a detector, ears, a judge and a box's voice.

use std::collections::BTreeMap;
use std::time::Duration;

use milu::conversation::{Directive, Expectation, Fact, Gist, Manners, Overlap, Resumption, Trust, TurnTaker};
use milu::terms::{Moment, UtteranceId};

/// A detector needs so much voice before it reports a beginning.
pub const ONSET_MS: u64 = 60;
/// And so much silence before it reports a pause.
pub const PAUSE_MS: u64 = 200;

pub fn at(ms: u64) -> Moment {
    Moment::from_micros(ms * 1000)
}

/// What happens around the turn-taker, from 0 ms on.
pub struct Scene {
    pub taker: TurnTaker,
    clock: u64,
    /// Facts to come, by when they become known and in order.
    coming: BTreeMap<(u64, usize), Fact>,
    /// What the turn-taker said, and when.
    pub said: Vec<(u64, Directive)>,
    /// How the judge and the ears answer; none means never.
    pub judgement: Option<(u64, f32)>,
    pub words: Option<(u64, Gist, Trust)>,
    playing: Option<Playing>,
}

struct Playing {
    id: UtteranceId,
    played: u64,
    total: u64,
    paused: bool,
}

impl Scene {
    pub fn new() -> Self {
        Self {
            taker: TurnTaker::new(),
            clock: 0,
            coming: BTreeMap::new(),
            said: Vec::new(),
            judgement: Some((60, 0.9)),
            words: Some((450, Gist::Words, Trust::Sure)),
            playing: None,
        }
    }

    pub fn expecting(mut self, expectation: Expectation) -> Self {
        self.know(0, Fact::Expecting(expectation));
        self
    }

    pub fn judged(mut self, probability: f32) -> Self {
        self.judgement = Some((60, probability));
        self
    }

    pub fn unjudged(mut self) -> Self {
        self.judgement = None;
        self
    }

    pub fn hearing(mut self, gist: Gist) -> Self {
        self.words = Some((450, gist, Trust::Sure));
        self
    }

    pub fn know(&mut self, when: u64, fact: Fact) {
        self.coming.insert((when, self.coming.len() + self.said.len() * 1000), fact);
    }

    /// The caller's voice from `from` to `to`, as the detector reports it.
    pub fn caller(mut self, from: u64, to: u64) -> Self {
        self.know(from + ONSET_MS, Fact::SpeechStarted { at: at(from) });
        self.know(to + PAUSE_MS, Fact::SpeechPaused { at: at(to) });
        self
    }

    /// How the caller's sound measures over the box's voice, every 20 ms.
    pub fn sounding_like(mut self, from: u64, to: u64, overlap: Overlap) -> Self {
        for when in (from..to).step_by(20) {
            self.know(when, Fact::Overlap(overlap));
        }
        self
    }

    pub fn box_speaks(mut self, from: u64, total: u64, manners: Manners) -> Self {
        self.know(from, Fact::BoxSpeaking { utterance: UtteranceId(0), at: at(from), manners });
        let played = Duration::ZERO;
        self.know(
            from,
            Fact::BoxProgress { utterance: UtteranceId(0), played, total: Some(Duration::from_millis(total)) },
        );
        self
    }

    /// Utterances one after the other, from and to, as the line tells of them.
    pub fn box_says(mut self, utterances: &[(u64, u64)]) -> Self {
        for (id, (from, to)) in (0..).zip(utterances) {
            let (utterance, played) = (UtteranceId(id), Duration::from_millis(to - from));
            self.know(*from, Fact::BoxSpeaking { utterance, at: at(*from), manners: Manners::GivesWay });
            self.know(*to, Fact::BoxFinished { utterance, at: at(*to), played });
        }
        self
    }

    /// Lets the world go on, a frame at a time, until `end`.
    pub fn until(mut self, end: u64) -> Self {
        while self.clock < end {
            self.clock += 1;
            self.play_a_millisecond();
            while let Some(entry) = self.coming.first_entry().filter(|e| e.key().0 <= self.clock) {
                let fact = entry.remove();
                self.tell(fact);
            }
            for _ in 0..8 {
                if self.taker.deadline().is_some_and(|(due, _)| due <= at(self.clock)) {
                    self.taker.handle_timeout(at(self.clock));
                    self.drain();
                }
            }
        }
        self
    }

    pub fn tell(&mut self, fact: Fact) {
        if let Fact::BoxProgress { utterance, total: Some(total), played } = fact {
            assert!(played.is_zero(), "an utterance is announced from its beginning");
            let total = u64::try_from(total.as_millis()).expect("an utterance lasts no age of the world");
            self.playing = Some(Playing { id: utterance, played: 0, total, paused: false });
        }
        self.taker.handle(fact, at(self.clock));
        self.drain();
    }

    fn play_a_millisecond(&mut self) {
        let Some(playing) = self.playing.as_mut().filter(|p| !p.paused) else { return };
        playing.played += 1;
        let (utterance, played) = (playing.id, Duration::from_millis(playing.played));
        if playing.played == playing.total {
            self.playing = None;
            self.tell(Fact::BoxFinished { utterance, at: at(self.clock), played });
        } else if playing.played.is_multiple_of(200) {
            self.taker.handle(Fact::BoxProgress { utterance, played, total: None }, at(self.clock));
            self.drain();
        }
    }

    /// Does what is wanted, as the real parts would.
    fn drain(&mut self) {
        while let Some(directive) = self.taker.poll() {
            self.said.push((self.clock, directive));
            match directive {
                Directive::Decode { request } => {
                    if let Some((delay, gist, trust)) = self.words {
                        self.know(self.clock + delay, Fact::Heard { request, gist, trust });
                    }
                }
                Directive::Judge { request } => {
                    if let Some((delay, probability)) = self.judgement {
                        self.know(self.clock + delay, Fact::TurnOver { request, probability });
                    }
                }
                Directive::PauseSpeech { .. } => {
                    if let Some(playing) = &mut self.playing {
                        playing.paused = true;
                        let (utterance, played) = (playing.id, Duration::from_millis(playing.played));
                        self.know(self.clock, Fact::BoxProgress { utterance, played, total: None });
                    }
                }
                Directive::ResumeSpeech { .. } => {
                    if let Some(playing) = &mut self.playing {
                        playing.paused = false;
                    }
                }
                Directive::StopSpeech { .. } => self.playing = None,
                _ => {}
            }
        }
    }

    /// When the first directive that fits was given.
    pub fn first(&self, fits: impl Fn(&Directive) -> bool) -> Option<u64> {
        self.said.iter().find(|(_, d)| fits(d)).map(|(when, _)| *when)
    }

    pub fn count(&self, fits: impl Fn(&Directive) -> bool) -> usize {
        self.said.iter().filter(|(_, d)| fits(d)).count()
    }

    pub fn turn_ended(&self) -> Option<u64> {
        self.first(|d| matches!(d, Directive::EndOfTurn { .. }))
    }

    pub fn paused(&self) -> Option<u64> {
        self.first(|d| matches!(d, Directive::PauseSpeech { .. }))
    }

    pub fn resumed(&self) -> Option<u64> {
        self.first(|d| matches!(d, Directive::ResumeSpeech { why: Resumption::FalseInterruption, .. }))
    }

    pub fn stopped(&self) -> Option<u64> {
        self.first(|d| matches!(d, Directive::StopSpeech { .. }))
    }
}

pub const LIKE_ECHO: Overlap = Overlap { level_dbfs: -30.0, echo_likelihood: 0.9 };
pub const LIKE_A_CALLER: Overlap = Overlap { level_dbfs: -25.0, echo_likelihood: 0.1 };
pub const LIKE_A_TELEVISION_NEXT_DOOR: Overlap = Overlap { level_dbfs: -60.0, echo_likelihood: 0.1 };

/// No word for a second after the last: as little as the ears must have listened to.
pub fn words_ended(ms: u64) -> Fact {
    Fact::WordsEnded { at: at(ms), silent_until: at(ms + 1000) }
}
