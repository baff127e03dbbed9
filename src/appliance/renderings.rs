//! The sound of sentences that do not change: rendered once, kept encrypted in
//! the store, held in memory while the box runs. Only the business's own words
//! come here, never a caller's.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::call::Speech;
use crate::media::SampleRate;

/// A sentence of 6 s is 290 KB, at the narrow and the wide rate together. All
/// those of the largest knowledge file (500 answers) would be 144 MB; this holds
/// the greeting, the box's own sentences and some eighty answers. What does not
/// fit is spoken afresh.
const MEMORY_MAX_BYTES: usize = 32 << 20;

#[derive(Default)]
pub struct Renderings {
    held: RwLock<Held>,
}

#[derive(Default)]
struct Held {
    sounds: HashMap<Key, Rendered>,
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

impl Renderings {
    /// The sound of `speech` if it is held. Only the voice's own pace is kept.
    pub fn find(&self, speech: &Speech, rate: SampleRate) -> Option<Rendered> {
        if (speech.pace - 1.0).abs() > f32::EPSILON {
            return None;
        }
        let key = Key { text: speech.text.expose().clone(), rate };
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
        held.sounds.insert(key, Rendered { sound: sound.into(), voice });
        true
    }
}

impl std::fmt::Debug for Renderings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Renderings").field("sounds", &held.sounds.len()).field("bytes", &held.bytes).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
}
