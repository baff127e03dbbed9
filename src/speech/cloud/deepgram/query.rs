//! How a stream is opened: the address with its questions, and what goes with
//! them. What is asked for is decided here and nowhere else.

use std::fmt::Write as _;
use std::time::Duration;

use crate::egress::{WebSocketMessage, WebSocketOpening, Within};
use crate::media::SampleRate;
use crate::residency::{DataClass, Host, Payload, Redact, Safeguards};
use crate::terms::Private;

use super::config::{Api, DeepgramConfig, Uplink};

/// Key terms of one stream: the provider takes 500 tokens of them and names 100
/// terms as the number that helps.
const KEY_TERMS_MAX: usize = 100;
const KEY_TOKENS_MAX: usize = 500;

/// Letters of a token, at least: names of streets and people, which key terms
/// are, fall into pieces of two to four. A stream with too many is not refused
/// but falls silent, so this errs on the side of few.
const LETTERS_PER_TOKEN: usize = 2;

/// A key term that is longer is a sentence.
const KEY_TERM_LETTERS_MAX: usize = 60;

/// How sound is written on the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Encoding {
    /// 16 bit at 16 kHz, the low octet first: 32 kB a second.
    Linear16,
    /// G.711 mu-law at 8 kHz: 8 kB a second.
    Mulaw,
    /// Opus packets without a container, at 16 kHz: 3 kB a second.
    Opus,
}

impl Encoding {
    /// A narrow line has nothing that mu-law would lose: its sound was G.711.
    pub(super) const fn of(uplink: Uplink, line: SampleRate) -> Self {
        match (uplink, line) {
            (Uplink::Linear16, SampleRate::Hz16000) => Self::Linear16,
            (Uplink::Linear16, SampleRate::Hz8000) | (Uplink::Mulaw, _) => Self::Mulaw,
            (Uplink::Opus, _) => Self::Opus,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Linear16 => "linear16",
            Self::Mulaw => "mulaw",
            Self::Opus => "opus",
        }
    }

    const fn hz(self) -> u32 {
        match self {
            Self::Linear16 | Self::Opus => 16_000,
            Self::Mulaw => 8_000,
        }
    }
}

/// The opening of a stream: the provider is told how to listen and for which of
/// the business's words, and nothing of the call.
pub(super) struct ListenOpening {
    host: Host,
    /// The address and its questions, percent-encoded, without the key terms.
    target: String,
    key_terms: Vec<String>,
    key: Private<String>,
    safeguards: Safeguards,
    within: Within,
}

impl ListenOpening {
    /// `required` is what the policy asks of every request to the destination.
    pub(super) fn new(
        config: &DeepgramConfig,
        host: &Host,
        encoding: Encoding,
        language: &str,
        words: &[String],
        required: &Safeguards,
    ) -> Self {
        let told = told(host, required);
        let mut query = Query::new(config.api);
        query.ask("model", &config.model);
        query.ask("encoding", encoding.name());
        query.ask("sample_rate", &encoding.hz().to_string());
        match config.api {
            Api::V1 => nova(&mut query, config, language),
            Api::Flux => flux(&mut query, config, language),
        }
        // Its absence means yes, so it is said only where it is asked for, or holds up
        // another promise.
        if told.training_opt_out {
            query.ask("mip_opt_out", "true");
        }
        Self {
            host: host.clone(),
            target: query.0,
            key_terms: if takes_key_terms(config) { key_terms(words) } else { Vec::new() },
            key: config.key.clone(),
            safeguards: told,
            within: config.bounds.opening,
        }
    }

    /// What kinds of data it holds. The stream is there for the caller's sound,
    /// so it is not opened where that may not go.
    pub(super) fn classes(&self) -> &'static [DataClass] {
        if self.key_terms.is_empty() { &[DataClass::CallAudio] } else { &[DataClass::CallAudio, DataClass::Knowledge] }
    }

    /// The same without the business's words.
    pub(super) fn without_key_terms(mut self) -> Self {
        self.key_terms.clear();
        self
    }
}

/// v1. What is asked for beside the words, and why.
fn nova(query: &mut Query, config: &DeepgramConfig, language: &str) {
    query.ask("channels", "1");
    query.ask("language", language);
    // Words before they are final: at a pause they may be all that is needed.
    query.ask("interim_results", "true");
    // Silence after which a piece is declared over: the box's own earliest end
    // of a turn. The box asks for the words itself at each pause, so a shorter
    // one would only cut sentences into pieces that are heard worse.
    query.ask("endpointing", &config.endpointing.as_millis().to_string());
    // The least that it takes; for noise in which no silence is found.
    query.ask("utterance_end_ms", "1000");
    query.ask("vad_events", "true");
    query.ask("punctuate", "true");
    // Its formats are American: it would write telephone numbers in groups that
    // nobody here says, and hold words back until a number is surely over. The
    // box reads numbers as they are spoken.
    query.ask("smart_format", "false");
    query.ask("numerals", "false");
}

fn flux(query: &mut Query, config: &DeepgramConfig, language: &str) {
    query.ask("eager_eot_threshold", &config.eager_eot_threshold.to_string());
    query.ask("eot_threshold", &config.eot_threshold.to_string());
    query.ask("eot_timeout_ms", &config.eot_timeout.as_millis().to_string());
    // The model that knows several languages is told which; the other refuses
    // the question.
    if config.model.ends_with("-multi") {
        query.ask("language_hint", language);
    }
}

/// Older models have weighted keywords instead, which do harm as often as good.
fn takes_key_terms(config: &DeepgramConfig) -> bool {
    config.api == Api::Flux || config.model.starts_with("nova-3")
}

/// As many of the words, in their order, as the provider takes.
fn key_terms(words: &[String]) -> Vec<String> {
    let mut tokens = 0;
    let mut kept: Vec<String> = Vec::new();
    for word in words {
        let term: String = word.trim().chars().filter(|c| !c.is_control()).collect();
        let letters = term.chars().count();
        if letters == 0 || letters > KEY_TERM_LETTERS_MAX || kept.contains(&term) {
            continue;
        }
        // Octets and not letters: a letter with marks is a token by itself.
        tokens += term.len().div_ceil(LETTERS_PER_TOKEN);
        if tokens > KEY_TOKENS_MAX || kept.len() == KEY_TERMS_MAX {
            break;
        }
        kept.push(term);
    }
    kept
}

/// Where the provider computes, by its host: the regional ones never hand on.
fn region(host: &Host) -> Option<String> {
    let region = host.name.strip_prefix("api.")?.strip_suffix(".deepgram.com")?;
    (!region.is_empty() && !region.contains('.')).then(|| region.to_owned())
}

/// What a request to this host tells the provider where the policy asks for `required`.
/// A region is promised only for streams that train no model, so at a regional host the
/// opt-out is always told: who chooses that host wants the sound to stay there.
pub(super) fn told(host: &Host, required: &Safeguards) -> Safeguards {
    let region = region(host);
    Safeguards {
        training_opt_out: required.training_opt_out || region.is_some(),
        // There is no word for it in a request.
        zero_retention: false,
        inference_region: region,
    }
}

/// The address and its questions.
struct Query(String);

impl Query {
    fn new(api: Api) -> Self {
        Self(match api {
            Api::V1 => "/v1/listen".to_owned(),
            Api::Flux => "/v2/listen".to_owned(),
        })
    }

    fn ask(&mut self, name: &'static str, value: &str) {
        self.0.push(if self.0.contains('?') { '&' } else { '?' });
        self.0.push_str(name);
        self.0.push('=');
        percent_encode(value, &mut self.0);
    }
}

/// Everything but the unreserved characters of RFC 3986 section 2.3.
fn percent_encode(text: &str, out: &mut String) {
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            out.push(char::from(octet));
        } else {
            // Writing to a string cannot fail.
            write!(out, "%{octet:02X}").unwrap_or_default();
        }
    }
}

impl Payload for ListenOpening {
    /// A term in which something had to be taken out is no term any more.
    fn redacted(mut self, redact: &dyn Redact) -> Option<Self> {
        self.key_terms.retain(|term| redact.redact(term) == *term);
        Some(self)
    }
}

impl From<ListenOpening> for WebSocketOpening {
    fn from(opening: ListenOpening) -> Self {
        let mut query = Query(opening.target);
        for term in &opening.key_terms {
            query.ask("keyterm", term);
        }
        Self {
            host: opening.host,
            target: Private::new(query.0),
            headers: vec![("authorization", Private::new(format!("Token {}", opening.key.expose())))],
            safeguards: opening.safeguards,
            within: opening.within,
        }
    }
}

/// A piece of the caller's sound. It cannot be had without what is in it.
pub(super) struct SoundMessage(pub(super) Vec<u8>);

impl Payload for SoundMessage {
    fn redacted(self, _redact: &dyn Redact) -> Option<Self> {
        None
    }
}

impl From<SoundMessage> for WebSocketMessage {
    fn from(sound: SoundMessage) -> Self {
        Self::Binary(Private::new(sound.0))
    }
}

/// The provider closes a stream on which nothing has come for ten seconds.
pub(super) const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(4);
pub(super) const KEEP_ALIVE: &str = r#"{"type":"KeepAlive"}"#;
/// What was sent is to be made into final words now.
pub(super) const FINALIZE: &str = r#"{"type":"Finalize"}"#;
pub(super) const CLOSE_STREAM: &str = r#"{"type":"CloseStream"}"#;

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
