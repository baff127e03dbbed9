use std::time::Duration;

use crate::terms::RequestId;

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
    voice_end: Duration,
    told: Option<f32>,
}

/// Whether the turn is over, by the provider: v1 knows silences and no melody, and
/// Flux has heard the words. The turn taker takes each new judgement of a pause in the
/// place of the one before, so a first one may be corrected.
#[derive(Debug, Default)]
pub(super) struct Judging {
    pause: Option<Judged>,
    /// The provider's last word, and how far it had listened.
    last: Option<(Duration, f32)>,
    /// v1: the last piece with words in it was declared over.
    is_over: bool,
}

type Told = Option<(RequestId, f32)>;

impl Judging {
    /// A pause is to be judged, the voice of which ended at `voice_end`.
    pub(super) fn ask(&mut self, request: RequestId, voice_end: Duration) -> Told {
        self.pause = Some(Judged { request, voice_end, told: None });
        self.last.and_then(|(until, probability)| self.provider(until, probability))
    }

    pub(super) const fn stop(&mut self) {
        self.pause = None;
    }

    /// v1: voice again.
    pub(super) const fn speech_started(&mut self) {
        self.is_over = false;
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
