//! Renders the sentences that do not change, before callers wait for them: first
//! what every call begins with, then the rest, while nobody is on the line.

use std::sync::Arc;
use std::time::Duration;

use crate::call::phrases;
use crate::knowledge::KnowledgeBase;
use crate::media::SampleRate;
use crate::ops::{Health, HealthFact, HealthState, Stop};
use crate::residency::CallGate;
use crate::store::{RenderingKey, Rendition, Vault};
use crate::terms::Private;

use super::desk::Business;
use super::fixed_voice::FixedVoice;
use super::renderings::Renderings;

/// While a caller is on the line the cores are theirs; this is how often it is
/// looked whether they are free again.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// A provider that fails a sentence is not asked for the next ones; after this
/// long it is tried again.
const LET_IT_BE: Duration = Duration::from_secs(60);

pub struct WarmUp {
    /// The best voice first, the box's own last.
    pub voices: Vec<FixedVoice>,
    /// For the business's own words, outside a call.
    pub gate: Arc<CallGate>,
    pub renderings: Arc<Renderings>,
    pub vault: Vault,
    pub stop: Stop,
    pub health: Health,
}

/// The sentences with which a call begins. They must be ready for the first one.
pub fn opening(business: &Business) -> Vec<String> {
    let notice = phrases::notice(&business.name, business.recorded);
    let opening = format!("{} {notice}", business.greeting.trim()).trim().to_owned();
    vec![opening, phrases::HELP.to_owned()]
}

/// Everything else that the box says word for word, the likeliest first.
pub fn rest(base: &KnowledgeBase) -> Vec<String> {
    let answers = base.entries.iter().map(|entry| crate::knowledge::as_spoken(&entry.answer));
    phrases::FIXED.iter().map(|s| (*s).to_owned()).chain(answers).collect()
}

impl WarmUp {
    /// Makes these sentences ready, in order: in the best voice in which they are
    /// kept, else in the box's own, which needs nobody. A sentence that cannot be
    /// rendered is spoken afresh when it is needed.
    pub async fn hold_all(&self, sentences: &[String], rate: SampleRate) {
        for sentence in sentences {
            if self.hold_kept(sentence, rate).await {
                continue;
            }
            for voice in self.voices.iter().filter(|voice| voice.is_on_box()) {
                self.render(voice, sentence, rate).await;
            }
        }
    }

    /// All of these sentences in the best voice that can be had, while nobody is
    /// on the line. What a voice outside could not render is tried again later.
    pub async fn hold_quietly(&self, sentences: Vec<String>, rate: SampleRate) {
        let total = sentences.len();
        self.tell(0, total);
        let (mut left, mut let_be, mut ready) = (sentences, false, 0);
        while !left.is_empty() {
            let mut again = Vec::new();
            for sentence in left {
                if !self.wait_for_quiet().await {
                    return;
                }
                match self.hold_best(&sentence, rate, let_be).await {
                    Held::Best => {}
                    Held::Second => {
                        let_be = true;
                        again.push(sentence);
                    }
                    Held::Full => return,
                }
                // In another voice too it can be played; later rounds look for the best.
                ready = (ready + 1).min(total);
                self.tell(ready, total);
            }
            if again.is_empty() || !self.pause(LET_IT_BE).await {
                return;
            }
            (left, let_be) = (again, false);
        }
    }

    /// False when the box is to stop.
    async fn wait_for_quiet(&self) -> bool {
        while self.stop.callers() > 0 && !self.stop.is_asked() {
            if !self.pause(LOOK_AGAIN).await {
                return false;
            }
        }
        !self.stop.is_asked()
    }

    /// False when the box is to stop.
    async fn pause(&self, time: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(time) => true,
            () = self.stop.asked() => false,
        }
    }

    /// Until all are ready, some answers begin a little later.
    fn tell(&self, ready: usize, total: usize) {
        let sentence = format!("{ready} of {total} fixed sentences are ready to be played.");
        self.health.state(HealthFact { name: "voice".to_owned(), state: HealthState::Well, sentence });
    }

    async fn hold_best(&self, sentence: &str, rate: SampleRate, let_be: bool) -> Held {
        for (place, voice) in self.voices.iter().enumerate() {
            let held = if place == 0 { Held::Best } else { Held::Second };
            if let Some(sound) = self.kept(voice, sentence, rate).await {
                return if self.renderings.hold(sentence, rate, voice.name(), sound) { held } else { Held::Full };
            }
            if (let_be && !voice.is_on_box()) || !self.render(voice, sentence, rate).await {
                continue;
            }
            return held;
        }
        // No voice could say it: it is spoken afresh.
        Held::Best
    }

    /// Whether the sentence was kept in some voice, and is held now.
    async fn hold_kept(&self, sentence: &str, rate: SampleRate) -> bool {
        for voice in &self.voices {
            if let Some(sound) = self.kept(voice, sentence, rate).await {
                return self.renderings.hold(sentence, rate, voice.name(), sound);
            }
        }
        false
    }

    async fn kept(&self, voice: &FixedVoice, sentence: &str, rate: SampleRate) -> Option<Vec<i16>> {
        match self.vault.rendering(&key(voice, sentence, rate)).await {
            Ok(sound) => sound,
            Err(error) => {
                tracing::warn!(%error, "a kept sentence could not be read; it is rendered again");
                None
            }
        }
    }

    /// Renders, keeps and holds a sentence; false if that voice could not.
    async fn render(&self, voice: &FixedVoice, sentence: &str, rate: SampleRate) -> bool {
        let text = Private::new(sentence.to_owned());
        let sound = match voice.render(&self.gate, &text, rate).await {
            Ok(sound) => sound,
            Err(error) => {
                tracing::warn!(%error, voice = %voice.key, "a fixed sentence could not be rendered");
                return false;
            }
        };
        if let Err(error) = self.vault.keep_rendering(&key(voice, sentence, rate), &sound).await {
            tracing::warn!(%error, "a rendered sentence could not be kept; it is rendered again at the next start");
        }
        self.renderings.hold(sentence, rate, voice.name(), sound)
    }
}

/// How a sentence is held.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    /// In the best voice, or as well as it can be.
    Best,
    /// In another voice; the best may be had later.
    Second,
    /// Not: the memory for sounds is full.
    Full,
}

fn key(voice: &FixedVoice, sentence: &str, rate: SampleRate) -> RenderingKey {
    let text = Private::new(sentence.to_owned());
    RenderingKey::of(&Rendition { text, voice: voice.key.clone(), rate, pace: 1.0 })
}
