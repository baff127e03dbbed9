//! Renders the sentences that do not change, before callers wait for them: first
//! what every call begins with, then the rest, while nobody is on the line.

use std::sync::Arc;
use std::time::Duration;

use crate::call::phrases;
use crate::knowledge::KnowledgeBase;
use crate::media::SampleRate;
use crate::ops::{Health, HealthFact, HealthState, Stop};
use crate::speech::Synthesizer;
use crate::speech::onbox::PiperVoice;
use crate::store::{RenderingKey, Rendition, Vault};
use crate::terms::Private;

use super::desk::Business;
use super::renderings::Renderings;

/// What tells one version of the voice's weights from another in the store.
const VOICE: &str = "piper-onbox en_US-joe-medium 1";

/// While a caller is on the line the cores are theirs; this is how often it is
/// looked whether they are free again.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

pub struct WarmUp {
    pub voice: Arc<PiperVoice>,
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
    /// Makes these sentences ready, in order. A sentence that cannot be rendered
    /// is spoken afresh when it is needed.
    pub async fn hold_all(&self, sentences: &[String], rate: SampleRate) {
        for sentence in sentences {
            if !self.hold(sentence, rate).await {
                return;
            }
        }
    }

    /// The same, waiting while anybody is on the line.
    pub async fn hold_quietly(&self, sentences: Vec<String>, rate: SampleRate) {
        let total = sentences.len();
        self.tell(0, total);
        for (ready, sentence) in sentences.into_iter().enumerate() {
            while self.stop.callers() > 0 && !self.stop.is_asked() {
                tokio::select! {
                    () = tokio::time::sleep(LOOK_AGAIN) => {}
                    () = self.stop.asked() => return,
                }
            }
            if self.stop.is_asked() || !self.hold(&sentence, rate).await {
                return;
            }
            self.tell(ready + 1, total);
        }
    }

    /// Until all are ready, some answers begin a little later.
    fn tell(&self, ready: usize, total: usize) {
        let sentence = format!("{ready} of {total} fixed sentences are ready to be played.");
        self.health.state(HealthFact { name: "voice".to_owned(), state: HealthState::Well, sentence });
    }

    /// False when the memory for sounds is full.
    async fn hold(&self, sentence: &str, rate: SampleRate) -> bool {
        let text = Private::new(sentence.to_owned());
        let key = RenderingKey::of(&Rendition { text: text.clone(), voice: VOICE.to_owned(), rate, pace: 1.0 });
        match self.vault.rendering(&key).await {
            Ok(Some(sound)) => return self.renderings.hold(sentence, rate, sound),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "a kept sentence could not be read; it is rendered again"),
        }
        let sound = match self.voice.render(text, rate).await {
            Ok(sound) => sound,
            Err(error) => {
                tracing::warn!(%error, voice = self.voice.name(), "a fixed sentence could not be rendered");
                return true;
            }
        };
        if let Err(error) = self.vault.keep_rendering(&key, &sound).await {
            tracing::warn!(%error, "a rendered sentence could not be kept; it is rendered again at the next start");
        }
        self.renderings.hold(sentence, rate, sound)
    }
}
