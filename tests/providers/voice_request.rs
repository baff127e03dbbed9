//! What the voice may be asked for: the parameters of its sockets and requests,
//! and its errors.

use std::time::Duration;

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::World;
use super::ears_query::Query;
use super::voice_sound::{Codec, OutputFormat};
use super::world::VOICE_KEY;

const INACTIVITY: u64 = 20;
const INACTIVITY_MAX: u64 = 180;

/// Characters that must be there before sound is made: the first, the second …
const SCHEDULE: &[usize] = &[120, 160, 250, 290];

/// Bounds of each of them.
const SCHEDULE_BOUNDS: std::ops::RangeInclusive<f64> = 50.0..=500.0;

const SPEEDS: std::ops::RangeInclusive<f64> = 0.7..=1.2;

/// An error in the vendor's words: its name, and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoiceError {
    pub status: u16,
    pub error: &'static str,
    pub message: String,
}

impl VoiceError {
    pub fn new(status: u16, error: &'static str, message: impl Into<String>) -> Self {
        Self { status, error, message: message.into() }
    }

    /// As a WebSocket says it, before it closes with the code.
    pub fn on_socket(&self, code: u16) -> Value {
        json!({ "message": self.message, "error": self.error, "code": code })
    }

    /// As a body of HTTP says it.
    pub fn in_body(&self) -> Value {
        json!({ "detail": { "status": self.error, "message": self.message } })
    }
}

pub fn invalid_key() -> VoiceError {
    VoiceError::new(401, "invalid_api_key", "Invalid API key")
}

/// How the voice is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Request,
    OneContext,
    ManyContexts,
}

/// Whether a socket has shown its key when it opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Shown,
    /// It must come with the first message.
    ToCome,
}

impl Key {
    pub fn of_opening(headers: &HeaderMap) -> Self {
        if key_in_headers(headers) == Some(true) { Self::Shown } else { Self::ToCome }
    }

    /// Whether a socket with this first message may speak.
    pub fn admits(self, message: &Value) -> bool {
        let stated = ["xi_api_key", "xi-api-key", "authorization"].iter().find_map(|key| message[*key].as_str());
        stated.map_or(self == Self::Shown, |key| key.trim_start_matches("Bearer ") == VOICE_KEY)
    }
}

/// What a socket or a request asks for in its address.
#[derive(Clone, Debug)]
pub struct Asked {
    pub format: OutputFormat,
    pub model: String,
    /// Every text is spoken as it comes.
    pub is_auto: bool,
    /// Zero retention, if it is off.
    pub is_logged: bool,
    /// Timings come with every piece of sound, and not with the first of each text alone.
    pub is_aligned: bool,
    pub inactivity: Duration,
}

impl Asked {
    pub fn read(query: &Query, way: Way) -> Result<Self, VoiceError> {
        let model = query.get("model_id").unwrap_or("eleven_flash_v2_5").to_owned();
        if way == Way::ManyContexts && model == "eleven_v3" {
            return Err(VoiceError::new(400, "model_not_supported", "This model has no multi-context sockets."));
        }
        let inactivity = match query.get("inactivity_timeout") {
            None => INACTIVITY,
            Some(text) => match text.parse::<f64>() {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the bounds")]
                Ok(s) if s >= 1.0 && s <= INACTIVITY_MAX as f64 => s as u64,
                _ => return Err(VoiceError::new(422, "invalid_parameter", "inactivity_timeout is at most 180")),
            },
        };
        Ok(Self {
            format: format(query.get("output_format"))?,
            model,
            is_auto: query.get("auto_mode") == Some("true"),
            is_logged: query.get("enable_logging") != Some("false"),
            is_aligned: query.get("sync_alignment") == Some("true"),
            inactivity: Duration::from_secs(inactivity),
        })
    }
}

fn format(name: Option<&str>) -> Result<OutputFormat, VoiceError> {
    let name = name.unwrap_or("mp3_44100_128");
    let of = |codec, hz| Ok(OutputFormat { codec, hz });
    match name {
        "ulaw_8000" => of(Codec::MuLaw, 8_000),
        "alaw_8000" => of(Codec::ALaw, 8_000),
        "pcm_8000" => of(Codec::Pcm, 8_000),
        "pcm_16000" => of(Codec::Pcm, 16_000),
        "pcm_22050" => of(Codec::Pcm, 22_050),
        "pcm_24000" => of(Codec::Pcm, 24_000),
        "pcm_32000" => of(Codec::Pcm, 32_000),
        "pcm_44100" => of(Codec::Pcm, 44_100),
        "pcm_48000" => of(Codec::Pcm, 48_000),
        _ if name.starts_with("mp3_") || name.starts_with("opus_") => {
            Err(VoiceError::new(422, "output_format_not_allowed", format!("This stand-in does not encode {name}.")))
        }
        _ => Err(VoiceError::new(422, "invalid_output_format", format!("{name} is no output format."))),
    }
}

/// Whether these headers have the key; none if they have no key at all.
pub fn key_in_headers(headers: &HeaderMap) -> Option<bool> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let key = text("xi-api-key").or_else(|| text("authorization")?.strip_prefix("Bearer "))?;
    Some(key == VOICE_KEY)
}

/// How one utterance is to be spoken: settings that come with its first message.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub schedule: Vec<usize>,
    pub speed: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { schedule: SCHEDULE.to_vec(), speed: 1.0 }
    }
}

impl Settings {
    pub fn read(message: &Value) -> Result<Self, VoiceError> {
        // The SDK names the field so in a first message and otherwise in later ones.
        let config = [&message["generation_config"], &message["generator_config"]];
        let schedule = config.iter().find_map(|config| config["chunk_length_schedule"].as_array());
        let schedule = match schedule {
            None => SCHEDULE.to_vec(),
            Some(items) => items.iter().map(scheduled).collect::<Result<_, _>>()?,
        };
        Ok(Self { schedule, speed: speed(&message["voice_settings"])? })
    }
}

fn scheduled(item: &Value) -> Result<usize, VoiceError> {
    match item.as_f64() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the bounds")]
        Some(chars) if SCHEDULE_BOUNDS.contains(&chars) => Ok(chars as usize),
        _ => {
            let message = "chunk_length_schedule: each item must be between 50 and 500";
            Err(VoiceError::new(422, "invalid_generation_config", message))
        }
    }
}

pub fn speed(settings: &Value) -> Result<f32, VoiceError> {
    match settings["speed"].as_f64() {
        None => Ok(1.0),
        #[expect(clippy::cast_possible_truncation, reason = "a pace has two digits")]
        Some(speed) if SPEEDS.contains(&speed) => Ok(speed as f32),
        Some(_) => Err(VoiceError::new(422, "invalid_voice_settings", "speed must be between 0.7 and 1.2")),
    }
}

/// What may be refused although all is well formed.
pub fn allowed(world: &World, asked: &Asked) -> Result<(), VoiceError> {
    let faults = &world.faults;
    let no_retention = [super::FaultKind::NoZeroRetention];
    if !asked.is_logged && faults.take(super::Provider::Voice, world.now(), &no_retention).is_some() {
        let message = "Zero retention mode may only be used by enterprise customers.";
        return Err(VoiceError::new(403, "zero_retention_not_allowed", message));
    }
    Ok(())
}
