//! The sound of sentences that do not change: rendered once, kept encrypted in
//! the store, held in memory while the box runs as far as there is room. Only the
//! business's own words come here, never a caller's.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::timeout;

use crate::call::Speech;
use crate::media::SampleRate;
use crate::store::{ALL_RENDERINGS_MAX, RENDERING_MAX, RenderingKey, Vault};

/// A sentence of 6 s is 290 KB, at the narrow and the wide rate together. All
/// those of the largest knowledge file (500 answers) would be 144 MB; this holds
/// the greeting, the box's own sentences and some eighty answers. What does not
/// fit is read from the store when it is needed.
const MEMORY_MAX_BYTES: usize = 32 << 20;

/// So much is left to the store alone: with what memory holds more than all those
/// answers, and some of the sentences in which a model tells them. What comes after is
/// spoken afresh.
const LEFT_MAX_BYTES: usize = 128 << 20;

// When the store is full it drops what was used first, which is the greeting. It is not
// full of what is counted here, nor with a sentence for which there was no room any more.
const _: () = assert!(MEMORY_MAX_BYTES + LEFT_MAX_BYTES + 2 * RENDERING_MAX <= ALL_RENDERINGS_MAX);

/// A sentence is read in some milliseconds. A disk that takes longer than this is
/// not waited for: the voice speaks afresh.
const READ_WITHIN: Duration = Duration::from_millis(100);

#[derive(Default)]
pub struct Renderings {
    held: RwLock<Held>,
    /// Where the rest is kept; none where memory is all there is.
    vault: Option<Vault>,
}

#[derive(Default)]
struct Held {
    sounds: HashMap<Key, Rendered>,
    bytes: usize,
    left: HashMap<Key, Left>,
    left_bytes: usize,
}

/// A sound that the store alone has.
#[derive(Clone)]
struct Left {
    key: RenderingKey,
    voice: &'static str,
    bytes: usize,
}

/// A sentence that was rendered, and by whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rendered {
    pub sound: Arc<[i16]>,
    /// The name of the voice in records.
    pub voice: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    text: String,
    rate: SampleRate,
}

impl Key {
    /// Only the voice's own pace is kept.
    fn of(speech: &Speech, rate: SampleRate) -> Option<Self> {
        let is_usual = (speech.pace - 1.0).abs() <= f32::EPSILON;
        is_usual.then(|| Self { text: speech.text.expose().clone(), rate })
    }
}

impl Renderings {
    /// With a store that has what memory has no room for.
    pub fn beside(vault: Vault) -> Self {
        Self { vault: Some(vault), ..Self::default() }
    }

    /// The sound of `speech` if it was rendered, here or in the store.
    pub async fn rendered(&self, speech: &Speech, rate: SampleRate) -> Option<Rendered> {
        if let Some(rendered) = self.find(speech, rate) {
            return Some(rendered);
        }
        let vault = self.vault.as_ref()?;
        let left = self.left(&Key::of(speech, rate)?)?;
        match timeout(READ_WITHIN, vault.rendering(&left.key)).await {
            // None if the store has made room since.
            Ok(Ok(sound)) => sound.map(|sound| Rendered { sound: sound.into(), voice: left.voice }),
            Ok(Err(error)) => {
                tracing::warn!(%error, "a kept sentence could not be read; it is spoken afresh");
                None
            }
            Err(_) => {
                tracing::debug!("a kept sentence was not read in time; it is spoken afresh");
                None
            }
        }
    }

    fn left(&self, key: &Key) -> Option<Left> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).left.get(key).cloned()
    }

    /// The sound of `speech` if it is held in memory.
    pub fn find(&self, speech: &Speech, rate: SampleRate) -> Option<Rendered> {
        let key = Key::of(speech, rate)?;
        self.held.read().unwrap_or_else(PoisonError::into_inner).sounds.get(&key).cloned()
    }

    /// Holds a sound, in place of an older one of the same words. False when the
    /// memory set aside for it is full.
    pub fn hold(&self, text: &str, rate: SampleRate, voice: &'static str, sound: Vec<i16>) -> bool {
        let bytes = sound.len() * 2;
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let key = Key { text: text.to_owned(), rate };
        let freed = held.sounds.get(&key).map_or(0, |old| old.sound.len() * 2);
        if held.bytes + bytes - freed > MEMORY_MAX_BYTES {
            return false;
        }
        held.bytes = held.bytes + bytes - freed;
        if let Some(old) = held.left.remove(&key) {
            held.left_bytes -= old.bytes;
        }
        held.sounds.insert(key, Rendered { sound: sound.into(), voice });
        true
    }

    /// Leaves a sound of so many samples to the store, which keeps it under `kept`, in
    /// place of an older one of the same words. False when there is no room there either.
    pub fn leave(&self, text: &str, rate: SampleRate, voice: &'static str, kept: RenderingKey, len: usize) -> bool {
        let bytes = len * 2;
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let key = Key { text: text.to_owned(), rate };
        let freed = held.left.get(&key).map_or(0, |old| old.bytes);
        if held.left_bytes + bytes - freed > LEFT_MAX_BYTES {
            return false;
        }
        held.left_bytes = held.left_bytes + bytes - freed;
        if let Some(old) = held.sounds.remove(&key) {
            held.bytes -= old.sound.len() * 2;
        }
        held.left.insert(key, Left { key: kept, voice, bytes });
        true
    }
}

impl std::fmt::Debug for Renderings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Renderings")
            .field("sounds", &held.sounds.len())
            .field("bytes", &held.bytes)
            .field("left", &held.left.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Rendition;
    use crate::terms::Private;

    fn speech(text: &str, pace: f32) -> Speech {
        Speech { text: Private::new(text.to_owned()), pace }
    }

    #[test]
    fn a_sentence_is_found_at_the_rate_and_pace_at_which_it_was_rendered() {
        let renderings = Renderings::default();
        assert!(renderings.hold("Hello.", SampleRate::Hz8000, "piper-onbox", vec![1, 2, 3]));
        let found = |renderings: &Renderings| renderings.find(&speech("Hello.", 1.0), SampleRate::Hz8000);
        let rendered = |voice, sound: &[i16]| Some(Rendered { sound: sound.into(), voice });
        assert_eq!(found(&renderings), rendered("piper-onbox", &[1, 2, 3]));
        assert!(renderings.find(&speech("Hello.", 0.8), SampleRate::Hz8000).is_none());
        assert!(renderings.find(&speech("Hello.", 1.0), SampleRate::Hz16000).is_none());
        // A better voice takes its place, under its own name.
        assert!(renderings.hold("Hello.", SampleRate::Hz8000, "elevenlabs", vec![4]));
        assert_eq!(found(&renderings), rendered("elevenlabs", &[4]));
    }

    #[test]
    fn memory_for_sounds_is_bounded() {
        let renderings = Renderings::default();
        let second = vec![0; 8000];
        let kept = (0..5000)
            .filter(|i| renderings.hold(&i.to_string(), SampleRate::Hz8000, "piper-onbox", second.clone()))
            .count();
        assert_eq!(kept, MEMORY_MAX_BYTES / 16_000);
    }

    #[test]
    fn what_is_left_to_the_store_is_bounded_and_counted_once() {
        let renderings = Renderings::default();
        let kept = |text: &str| {
            let (text, voice) = (Private::new(text.to_owned()), "piper-onbox".to_owned());
            RenderingKey::of(&Rendition { text, voice, rate: SampleRate::Hz8000, pace: 1.0 })
        };
        let leave =
            |text: &str, samples| renderings.leave(text, SampleRate::Hz8000, "piper-onbox", kept(text), samples);
        assert!(renderings.hold("One.", SampleRate::Hz8000, "piper-onbox", vec![1]));
        assert!(leave("One.", LEFT_MAX_BYTES / 4));
        let one = speech("One.", 1.0);
        assert!(renderings.find(&one, SampleRate::Hz8000).is_none(), "the newer one counts, wherever it is");
        // In place of itself it takes no more room.
        assert!(leave("One.", LEFT_MAX_BYTES / 4) && leave("Two.", LEFT_MAX_BYTES / 4) && !leave("Three.", 1));
        assert!(renderings.hold("One.", SampleRate::Hz8000, "piper-onbox", vec![1]));
        assert!(leave("Three.", 1), "what is held is not left to the store");
    }
}
