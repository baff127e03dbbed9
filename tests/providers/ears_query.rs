//! What the ears may be asked for in the query of their opening, checked as
//! strictly as the vendor says it checks.

use std::time::Duration;

use axum::http::StatusCode;
use milu::media::SampleRate;

use super::ears_sound::Encoding;

/// Parameters of `/v1/listen`.
const V1: &[&str] = &[
    "callback",
    "callback_method",
    "channels",
    "detect_entities",
    "diarize",
    "diarize_model",
    "dictation",
    "encoding",
    "endpointing",
    "extra",
    "interim_results",
    "keyterm",
    "keywords",
    "language",
    "language_hint",
    "mip_opt_out",
    "model",
    "multichannel",
    "numerals",
    "profanity_filter",
    "punctuate",
    "redact",
    "replace",
    "sample_rate",
    "search",
    "smart_format",
    "tag",
    "utterance_end_ms",
    "vad_events",
    "version",
];

/// Parameters of `/v2/listen`.
const V2: &[&str] = &[
    "model",
    "encoding",
    "sample_rate",
    "eager_eot_threshold",
    "eot_threshold",
    "eot_timeout_ms",
    "keyterm",
    "language_hint",
    "numerals",
    "profanity_filter",
    "redact",
    "mip_opt_out",
    "tag",
];

/// Key terms of one stream may have this many tokens together.
pub const KEYTERM_TOKENS_MAX: usize = 500;

/// The vendor counts with its own tokenizer; English has some four characters a token.
const CHARS_PER_TOKEN: usize = 4;

/// Why an opening is refused: the status and what stands in the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal { status: StatusCode::BAD_REQUEST, code: "Bad Request", message: message.into() }
}

/// The decoded query, in order.
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn parse(text: &str) -> Self {
        let pair = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key), decoded(value))
        };
        Self(text.split('&').filter(|pair| !pair.is_empty()).map(pair).collect())
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    pub fn all(&self, key: &str) -> Vec<String> {
        self.0.iter().filter(|(k, _)| k == key).map(|(_, value)| value.clone()).collect()
    }

    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    fn known(&self, names: &[&str]) -> Result<(), Refusal> {
        match self.0.iter().find(|(key, _)| !names.contains(&key.as_str())) {
            Some((key, _)) => Err(bad(format!("Unexpected query parameter: {key}"))),
            None => Ok(()),
        }
    }

    fn truth(&self, key: &str) -> Result<bool, Refusal> {
        match self.get(key) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(bad(format!("Invalid query string: {key} must be true or false"))),
        }
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>, Refusal> {
        let number = |text: &str| text.parse().map_err(|_| bad(format!("Invalid query string: {key} is no number")));
        self.get(key).map(number).transpose()
    }
}

/// Percent-decoding, with `+` for a space.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = || std::str::from_utf8(bytes.get(at + 1..at + 3)?).ok().and_then(|h| u8::from_str_radix(h, 16).ok());
        match (bytes[at], hex()) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (b'+', _) => {
                out.push(b' ');
                at += 1;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// How the sound comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoundShape {
    pub encoding: Encoding,
    pub rate: SampleRate,
}

fn sound_shape(query: &Query) -> Result<SoundShape, Refusal> {
    let Some(name) = query.get("encoding") else {
        return Err(bad("This stand-in takes no containers: encoding and sample_rate are required"));
    };
    let Some(encoding) = Encoding::named(name) else {
        return Err(bad(format!("Invalid query string: encoding {name} is not supported")));
    };
    let rate = match query.number::<u32>("sample_rate")? {
        Some(8_000) => SampleRate::Hz8000,
        Some(16_000) => SampleRate::Hz16000,
        // Opus brings its own rate, and 48 kHz is what its clients write.
        Some(_) if encoding == Encoding::Opus => SampleRate::Hz16000,
        Some(hz) => return Err(bad(format!("This stand-in hears at 8000 and 16000 Hz, not at {hz}"))),
        None => return Err(bad("sample_rate is required with encoding")),
    };
    if !matches!(query.get("channels"), None | Some("1")) {
        return Err(bad("This stand-in hears one channel"));
    }
    Ok(SoundShape { encoding, rate })
}

/// Whether key terms are within the vendor's limit.
pub fn keyterms_fit(terms: &[String]) -> bool {
    let tokens = |term: &String| term.chars().count().div_ceil(CHARS_PER_TOKEN);
    terms.iter().map(tokens).sum::<usize>() <= KEYTERM_TOKENS_MAX
}

fn keyterms(query: &Query) -> Result<Vec<String>, Refusal> {
    let terms = query.all("keyterm");
    if terms.iter().any(|term| term.trim().is_empty()) {
        return Err(bad("Invalid query string: keyterm is empty"));
    }
    if !keyterms_fit(&terms) {
        return Err(bad(format!("Keyterm limit exceeded. The maximum number of tokens is {KEYTERM_TOKENS_MAX}.")));
    }
    Ok(terms)
}

/// An opening of `/v1/listen`.
#[derive(Clone, Debug)]
pub struct ListenV1 {
    pub model: String,
    pub sound: SoundShape,
    pub interim_results: bool,
    /// Silence that ends speech; none when the endpointing is off.
    pub endpointing: Option<Duration>,
    pub utterance_end: Option<Duration>,
    pub vad_events: bool,
    /// With punctuation and capitals.
    pub formatted: bool,
    pub keyterms: Vec<String>,
}

impl ListenV1 {
    pub fn read(query: &Query) -> Result<Self, Refusal> {
        query.known(V1)?;
        let Some(model) = query.get("model").filter(|model| !model.is_empty()) else {
            return Err(bad("model is required"));
        };
        let known = ["nova", "enhanced", "base"].iter().any(|family| model.starts_with(family));
        if !known {
            return Err(bad(format!("No such model/language/tier combination found: {model}")));
        }
        let keyterms = keyterms(query)?;
        if !keyterms.is_empty() && !model.starts_with("nova-3") {
            return Err(bad("Keyterm prompting is only available with nova-3"));
        }
        if query.get("keywords").is_some() && model.starts_with("nova-3") {
            return Err(bad("Keywords are not supported for nova-3: use keyterm"));
        }
        for key in ["mip_opt_out", "punctuate", "smart_format", "numerals", "profanity_filter", "dictation"] {
            query.truth(key)?;
        }
        let interim_results = query.truth("interim_results")?;
        let utterance_end = query.number::<u64>("utterance_end_ms")?;
        if utterance_end.is_some_and(|ms| ms < 1_000) {
            return Err(bad("utterance_end_ms must be 1000 or more"));
        }
        if utterance_end.is_some() && !interim_results {
            return Err(bad("utterance_end_ms requires interim_results=true"));
        }
        let endpointing = match query.get("endpointing") {
            Some("false") => None,
            Some("true") | None => Some(Duration::from_millis(10)),
            Some(_) => query.number::<u64>("endpointing")?.map(Duration::from_millis),
        };
        Ok(Self {
            model: model.to_owned(),
            sound: sound_shape(query)?,
            interim_results,
            endpointing,
            utterance_end: utterance_end.map(Duration::from_millis),
            vad_events: query.truth("vad_events")?,
            formatted: query.truth("punctuate")? || query.truth("smart_format")?,
            keyterms,
        })
    }
}

/// When a turn is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// None: no eager end of turn.
    pub eager: Option<f64>,
    /// 1.0: never by itself.
    pub end: f64,
    pub timeout: Duration,
}

impl Thresholds {
    /// Checks the vendor's ranges.
    pub fn checked(self) -> Result<Self, String> {
        if self.eager.is_some_and(|eager| !(0.3..=0.9).contains(&eager)) {
            return Err("eager_eot_threshold must be between 0.3 and 0.9".to_owned());
        }
        if !(0.5..=1.0).contains(&self.end) {
            return Err("eot_threshold must be between 0.5 and 1.0".to_owned());
        }
        if self.eager.is_some_and(|eager| eager > self.end) {
            return Err("eager_eot_threshold must not be greater than eot_threshold".to_owned());
        }
        let bounds = Duration::from_millis(500)..=Duration::from_millis(60_000);
        if !bounds.contains(&self.timeout) {
            return Err("eot_timeout_ms must be between 500 and 60000".to_owned());
        }
        Ok(self)
    }
}

/// An opening of `/v2/listen`.
#[derive(Clone, Debug)]
pub struct ListenV2 {
    pub multilingual: bool,
    pub sound: SoundShape,
    pub thresholds: Thresholds,
    pub keyterms: Vec<String>,
    pub language_hints: Vec<String>,
}

impl ListenV2 {
    pub fn read(query: &Query) -> Result<Self, Refusal> {
        query.known(V2)?;
        let multilingual = match query.get("model") {
            Some("flux-general-en") => false,
            Some("flux-general-multi") => true,
            Some(model) => return Err(bad(format!("No such model found: {model}"))),
            None => return Err(bad("model is required")),
        };
        let language_hints = query.all("language_hint");
        if !language_hints.is_empty() && !multilingual {
            return Err(bad("language_hint requires flux-general-multi"));
        }
        query.truth("mip_opt_out")?;
        let thresholds = Thresholds {
            eager: query.number("eager_eot_threshold")?,
            end: query.number("eot_threshold")?.unwrap_or(0.7),
            timeout: Duration::from_millis(query.number("eot_timeout_ms")?.unwrap_or(5_000)),
        };
        Ok(Self {
            multilingual,
            sound: sound_shape(query)?,
            thresholds: thresholds.checked().map_err(bad)?,
            keyterms: keyterms(query)?,
            language_hints,
        })
    }
}
