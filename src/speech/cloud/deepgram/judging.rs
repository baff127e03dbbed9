use std::time::Duration;

use crate::terms::{Moment, RequestId};

use super::assembly::OtherJudge;
use super::config::Api;
use super::message::TurnEvent;

/// So far from where the voice ended may the provider's own mark of it lie.
const NEAR: Duration = Duration::from_millis(40);

/// What a silence as long as was asked for says: most such pauses are ends.
const SILENT: f32 = 0.8;

/// What Flux says when it declares a turn over, whatever its number: also by the
/// time that has passed.
const DECLARED: f32 = 0.95;

/// What it says when it takes that back.
const TAKEN_BACK: f32 = 0.1;

/// A judgement is told again when it differs by so much. The end of the turn is
/// reckoned anew with each, so it may be told often, but not for nothing.
const STEP: f32 = 0.05;

/// A pause that is being judged.
#[derive(Clone, Copy, Debug)]
struct Judged {
    request: RequestId,
    asked: Moment,
    voice_end: Duration,
    told: Option<f32>,
    /// The provider itself has said something of this pause.
    by_provider: bool,
    /// The other judge's answer, while the provider's is waited for.
    held: Option<f32>,
}

/// Whether the turn is over, by the provider and by another judge who may be there.
///
/// v1 knows silences and no melody, so another judge's word stands and the
/// provider's fills its absence. Flux has heard the words, so its word stands
/// and the other's fills its absence. The turn taker takes each new judgement of
/// a pause in the place of the one before, so a first one may be corrected.
#[derive(Debug)]
pub(super) struct Judging {
    api: Api,
    patience: Duration,
    other: OtherJudge,
    pause: Option<Judged>,
    /// The other judge's answer to a question that has not come here yet.
    early: Option<(RequestId, f32)>,
    /// The provider's last word, and how far it had listened.
    last: Option<(Duration, f32)>,
    /// v1: the last piece with words in it was declared over.
    is_over: bool,
}

type Told = Option<(RequestId, f32)>;

impl Judging {
    pub(super) const fn new(api: Api, patience: Duration, other: OtherJudge) -> Self {
        Self { api, patience, other, pause: None, early: None, last: None, is_over: false }
    }

    /// When the other's answer is told without the provider's.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.pause.filter(|p| p.held.is_some()).map(|p| p.asked + self.patience)
    }

    /// A pause is to be judged, the voice of which ended at `voice_end`.
    pub(super) fn ask(&mut self, request: RequestId, voice_end: Duration, now: Moment) -> Told {
        self.pause = Some(Judged { request, asked: now, voice_end, told: None, by_provider: false, held: None });
        let by_provider = self.last.and_then(|(until, probability)| self.provider(until, probability));
        let early = self.early.take().and_then(|(request, probability)| self.other(request, probability));
        early.or(by_provider)
    }

    pub(super) const fn stop(&mut self) {
        self.pause = None;
    }

    pub(super) fn timeout(&mut self, now: Moment) -> Told {
        let pause = self.pause.as_mut().filter(|p| p.asked + self.patience <= now)?;
        let held = pause.held.take()?;
        pause.tell(held)
    }

    /// The other judge's answer.
    pub(super) fn other(&mut self, request: RequestId, probability: f32) -> Told {
        let Some(pause) = self.pause.as_mut().filter(|p| p.request == request) else {
            // It is asked by the call itself and may be quicker than the question
            // here; one to an earlier pause matches no later question.
            self.early = Some((request, probability));
            return None;
        };
        match self.api {
            Api::V1 => pause.tell(probability),
            Api::Flux if pause.by_provider => None,
            Api::Flux => {
                pause.held = Some(probability);
                None
            }
        }
    }

    pub(super) const fn other_judge(&self) -> OtherJudge {
        self.other
    }

    /// The other judge cannot be had any more.
    pub(super) const fn other_failed(&mut self) {
        self.other = OtherJudge::Absent;
    }

    /// v1: voice again.
    pub(super) const fn speech_started(&mut self) {
        self.is_over = false;
    }

    /// Whether a pause is being judged.
    pub(super) const fn is_asked(&self) -> bool {
        self.pause.is_some()
    }

    /// v1: words came, and perhaps they end a sentence before a silence that is long
    /// enough. So short a silence within a sentence may be a breath.
    pub(super) fn piece(&mut self, until: Duration, has_words: bool, ends_there: bool) -> Told {
        if ends_there {
            self.is_over = true;
            return self.provider(until, SILENT);
        }
        if has_words {
            self.is_over = false;
            self.last = None;
        }
        None
    }

    /// v1: no word for a second. After a piece that was declared over it says
    /// nothing new.
    pub(super) fn utterance_end(&mut self) -> Told {
        if self.is_over {
            return None;
        }
        self.is_over = true;
        let until = self.pause?.voice_end;
        self.provider(until, SILENT)
    }

    /// Flux: how its turn stands.
    pub(super) fn turn(&mut self, event: TurnEvent, until: Duration, confidence: f32) -> Told {
        let probability = match event {
            TurnEvent::EndOfTurn => confidence.max(DECLARED),
            TurnEvent::TurnResumed | TurnEvent::StartOfTurn => confidence.min(TAKEN_BACK),
            TurnEvent::EagerEndOfTurn | TurnEvent::Update | TurnEvent::Unknown => confidence,
        };
        self.provider(until, probability)
    }

    /// The provider's word of what it has listened to `until`. It says something
    /// of the pause only if it has heard all of the voice before it.
    fn provider(&mut self, until: Duration, probability: f32) -> Told {
        self.last = Some((until, probability));
        let pause = self.pause.as_mut().filter(|p| until + NEAR >= p.voice_end)?;
        if self.api == Api::V1 && self.other == OtherJudge::Present {
            return None;
        }
        pause.by_provider = true;
        pause.held = None;
        pause.tell(probability)
    }
}

impl Judged {
    fn tell(&mut self, probability: f32) -> Told {
        if self.told.is_some_and(|told| (told - probability).abs() < STEP) {
            return None;
        }
        self.told = Some(probability);
        Some((self.request, probability))
    }
}
