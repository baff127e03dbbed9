//! Whisper through whisper.cpp: sound in, words and how sure it is of them out.
//! It knows nothing of calls, turns or channels.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;
use whisper_rs::{FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperState};

use super::words::{cleaned, compression, repeats};
use crate::speech::Confidence;
use crate::terms::Language;

/// The rate that Whisper hears at.
pub(super) const HZ: usize = 16_000;

/// whisper.cpp refuses less than a second; shorter sound gets silence after it.
const SHORTEST: usize = HZ + HZ / 10;

/// Encoder positions: 50 in a second, 1500 in Whisper's half minute.
const POSITIONS_PER_SECOND: usize = 50;
const POSITIONS_MAX: usize = 1500;

/// Fewer, and Whisper repeats itself: cut to the sound's length it said the
/// same words ten times over. 448 positions are nine seconds.
const POSITIONS_MIN: usize = 448;

/// Positions after the sound's end, so that its last word has room.
const POSITIONS_AFTER: usize = 64;

/// Speech has at most some five tokens in a second; what goes on longer is a
/// loop. Six more are the end and a short word's punctuation.
const TOKENS_PER_SECOND: usize = 5;
const TOKENS_MORE: usize = 6;

/// Tokens of the business's words before the sound. Whisper takes 223; each
/// costs time in every decode (about 1 ms), and the first are the likeliest.
const PROMPT_TOKENS: usize = 160;

/// Threads of a decode. whisper.cpp's threads spin while they wait for each other: two
/// make a call that is alone wait 0.15 s less, and take what other calls and the voice
/// would need as soon as it is not. The pool runs as many decodes at once as it has threads.
const THREADS: i32 = 1;

/// What a turn without any token is given: surely nothing.
pub(super) const NOTHING: Confidence =
    Confidence { mean_log_probability: -10.0, no_speech: 1.0, compression: 1.0, repeats: false };

#[derive(Debug, Error)]
pub enum LoadEars {
    #[error("loading the ears {path}: it is missing, or no GGML file of Whisper")]
    Model { path: String, source: whisper_rs::WhisperError },
    #[error("loading the ears {path}: {source}")]
    Read { path: String, source: std::io::Error },
    #[error("loading the ears {path}: it is cut off, for it has {bytes} bytes and its weights need more")]
    CutOff { path: String, bytes: u64 },
    #[error("loading the ears: their memory could not be had")]
    State(#[source] whisper_rs::WhisperError),
}

#[derive(Debug, Error)]
pub enum Decode {
    #[error("decoding a turn: it is not wanted any more")]
    Cancelled,
    #[error("decoding a turn: whisper.cpp failed")]
    Engine(#[source] whisper_rs::WhisperError),
}

/// Says to a decode that it is not wanted any more. Looked at before the
/// encoder, after it, and before each token: whisper.cpp does not look within.
#[derive(Clone, Debug, Default)]
pub(super) struct Unwanted(Arc<AtomicBool>);

impl Unwanted {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Integers of a GGML file of Whisper before anything else: its magic number,
/// then its sizes (whisper.cpp, `whisper_model_load`).
const HEADER_INTS: usize = 12;

/// Refuses a file that is much smaller than the sizes at its beginning say:
/// whisper.cpp takes one that is cut off before its weights for a model without
/// any, and hears nothing with it.
fn whole(path: &Path) -> Result<(), LoadEars> {
    let shown = || path.display().to_string();
    let read_error = |source| LoadEars::Read { path: shown(), source };
    let mut file = std::fs::File::open(path).map_err(read_error)?;
    let bytes = file.metadata().map_err(read_error)?.len();
    let mut header = [0; HEADER_INTS * 4];
    match std::io::Read::read_exact(&mut file, &mut header) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            return Err(LoadEars::CutOff { path: shown(), bytes });
        }
        other => other.map_err(read_error)?,
    }
    if bytes < bytes_at_least(&header) { Err(LoadEars::CutOff { path: shown(), bytes }) } else { Ok(()) }
}

/// The weights of the layers at two bits each, fewer than any format has.
fn bytes_at_least(header: &[u8; HEADER_INTS * 4]) -> u64 {
    let int = |n: usize| {
        let octets = header[n * 4..][..4].first_chunk().copied().unwrap_or_default();
        u64::from(u32::from_le_bytes(octets))
    };
    let (words, audio_width, audio_layers, text_width, text_layers) = (int(1), int(3), int(5), int(7), int(9));
    // A layer has four square matrices for each attention and eight for what follows.
    let audio = audio_width.saturating_mul(audio_width).saturating_mul(audio_layers).saturating_mul(12);
    let text = text_width.saturating_mul(text_width).saturating_mul(text_layers).saturating_mul(16);
    words.saturating_mul(text_width).saturating_add(audio).saturating_add(text) / 4
}

/// The weights, shared by all calls, and the working memory of those who decode.
pub(super) struct Model {
    weights: WhisperContext,
    idle: Mutex<Vec<Place>>,
}

/// Working memory for one decode at a time (some 100 MB). It is kept, because
/// making it takes longer than a short decode.
struct Place {
    state: WhisperState,
    params: FullParams<'static, 'static>,
    unwanted: Arc<Mutex<Unwanted>>,
}

/// Tokens of the business's words, made once for a call.
#[derive(Clone, Default)]
pub(super) struct Prompt(Vec<i32>);

impl Model {
    pub(super) fn load(path: &Path) -> Result<Self, LoadEars> {
        // Without a logging feature the hooks drop every row: whisper.cpp's debug
        // rows quote the words that it hears.
        whisper_rs::install_logging_hooks();
        whole(path)?;
        let weights = WhisperContext::new_with_params(path, WhisperContextParameters::default())
            .map_err(|source| LoadEars::Model { path: path.display().to_string(), source })?;
        let model = Self { weights, idle: Mutex::default() };
        // The first call should not wait for it, and a box without the memory
        // should not start.
        let first = model.place().map_err(LoadEars::State)?;
        model.lock().push(first);
        Ok(model)
    }

    /// The business's words in the manner of a transcript, which is what
    /// Whisper takes for the text before the sound.
    pub(super) fn prompt(&self, words: &[String]) -> Prompt {
        let mut prompt = Vec::new();
        if words.is_empty() {
            return Prompt(prompt);
        }
        // What fits, from the first word on: half a name would mislead.
        for text in std::iter::once(" A telephone call:".to_owned()).chain(words.iter().map(|word| format!(" {word},")))
        {
            match self.weights.tokenize(&text.replace('\0', ""), PROMPT_TOKENS) {
                Ok(tokens) if prompt.len() + tokens.len() <= PROMPT_TOKENS => prompt.extend(tokens),
                Ok(_) => break,
                // Too many for the room that it was given.
                Err(_) => {}
            }
        }
        Prompt(prompt)
    }

    /// The words of `sound` (16 kHz, at most half a minute).
    pub(super) fn decode(
        &self,
        sound: &[i16],
        prompt: &Prompt,
        unwanted: &Unwanted,
    ) -> Result<(String, Confidence), Decode> {
        if unwanted.is_set() {
            return Err(Decode::Cancelled);
        }
        let idle = self.lock().pop();
        let mut place = match idle {
            Some(place) => place,
            None => self.place().map_err(Decode::Engine)?,
        };
        let heard = place.decode(sound, prompt, unwanted);
        // As many are kept as ever worked at once, which the pool bounds.
        self.lock().push(place);
        heard
    }

    fn place(&self) -> Result<Place, whisper_rs::WhisperError> {
        let unwanted = Arc::new(Mutex::new(Unwanted::default()));
        let state = self.weights.create_state()?;
        Ok(Place { state, params: parameters(&unwanted), unwanted })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Place>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The parameters that stay the same. They are made once for each place and
/// then copied, because the bindings never free the language's name and the
/// callback.
fn parameters(unwanted: &Arc<Mutex<Unwanted>>) -> FullParams<'static, 'static> {
    let mut params = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
    params.set_n_threads(THREADS);
    params.set_language(Some(Language::English.iso_639_1()));
    params.set_translate(false);
    params.set_no_context(true);
    params.set_no_timestamps(true);
    params.set_single_segment(true);
    params.set_suppress_blank(true);
    params.set_suppress_nst(true);
    params.set_temperature(0.0);
    // No second and third try at a higher temperature: they take as long again
    // and make words up. The conversation asks again instead.
    params.set_temperature_inc(0.0);
    // Nothing is dropped here for its probabilities: that is for who asked.
    params.set_no_speech_thold(1.0);
    params.set_print_special(false);
    params.set_print_progress(false);
    params.set_print_realtime(false);
    params.set_print_timestamps(false);
    let unwanted = Arc::clone(unwanted);
    // Boxed here on purpose: the bindings (0.16) hand whisper.cpp a pointer to
    // a boxed `dyn FnMut` but read it back as the closure's own type. The two
    // are the same only when that type is a boxed `dyn FnMut` itself.
    let callback: Box<dyn FnMut() -> bool> =
        Box::new(move || unwanted.lock().unwrap_or_else(PoisonError::into_inner).is_set());
    params.set_abort_callback_safe::<_, Box<dyn FnMut() -> bool>>(callback);
    params
}

impl Place {
    fn decode(&mut self, sound: &[i16], prompt: &Prompt, unwanted: &Unwanted) -> Result<(String, Confidence), Decode> {
        let mut samples: Vec<f32> = sound.iter().map(|s| f32::from(*s) / 32_768.0).collect();
        samples.resize(samples.len().max(SHORTEST), 0.0);
        let mut params: FullParams<'_, '_> = self.params.clone();
        params.set_audio_ctx(small(positions(sound.len())));
        params.set_max_tokens(small(tokens_max(sound.len())));
        if !prompt.0.is_empty() {
            params.set_tokens(&prompt.0);
        }
        *self.unwanted.lock().unwrap_or_else(PoisonError::into_inner) = unwanted.clone();
        let decoded = self.state.full(params, &samples);
        if unwanted.is_set() {
            return Err(Decode::Cancelled);
        }
        decoded.map_err(Decode::Engine)?;
        Ok(self.heard())
    }

    fn heard(&self) -> (String, Confidence) {
        let mut text = String::new();
        let (mut sum, mut tokens, mut no_speech) = (0.0, 0.0_f32, 0.0_f32);
        for segment in self.state.as_iter() {
            text.push_str(&segment.to_str_lossy().unwrap_or_default());
            no_speech = no_speech.max(segment.no_speech_probability());
            for token in (0..segment.n_tokens()).filter_map(|at| segment.get_token(at)) {
                sum += token.token_data().plog;
                tokens += 1.0;
            }
        }
        let words = cleaned(&text);
        if words.is_empty() {
            return (words, Confidence { no_speech: no_speech.max(NOTHING.no_speech), ..NOTHING });
        }
        let confidence = Confidence {
            mean_log_probability: if tokens > 0.0 { sum / tokens } else { NOTHING.mean_log_probability },
            no_speech,
            compression: compression(&words),
            repeats: repeats(&words),
        };
        (words, confidence)
    }
}

/// Encoder positions for so many samples.
fn positions(samples: usize) -> usize {
    let needed = (samples * POSITIONS_PER_SECOND).div_ceil(HZ) + POSITIONS_AFTER;
    needed.clamp(POSITIONS_MIN, POSITIONS_MAX)
}

/// The most tokens that so many samples of speech can have.
fn tokens_max(samples: usize) -> usize {
    (samples * TOKENS_PER_SECOND).div_ceil(HZ) + TOKENS_MORE
}

/// Counts here are below a few thousand.
fn small(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoder_never_has_fewer_positions_than_whisper_needs_to_say_things_once() {
        // 448 positions are 384 of sound, 7.68 s, and 64 after it.
        let whole = HZ * 768 / 100;
        for samples in [0, HZ / 2, 3 * HZ, whole] {
            assert_eq!(positions(samples), 448, "{samples}");
        }
        assert_eq!(positions(whole + 1), 449);
        assert_eq!(positions(20 * HZ), 1064);
        assert_eq!(positions(30 * HZ), 1500, "Whisper has no more");
    }

    #[test]
    fn a_turn_has_at_most_five_tokens_for_each_second_and_six_more() {
        assert_eq!(tokens_max(0), 6);
        assert_eq!(tokens_max(HZ / 10), 7, "a part of a token is one");
        assert_eq!(tokens_max(HZ), 11);
        assert_eq!(tokens_max(30 * HZ), 156);
    }
}
