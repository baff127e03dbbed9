//! The provider's protocol, byte for byte. It sends nothing and waits for nothing.
//! Fields that it does not know are passed over; whatever is larger or stranger
//! than the provider's documents is an error and never a panic.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::media::{SampleRate, g711};
use crate::residency::Safeguards;

/// Letters of one message's alignment. A message carries some seconds of sound,
/// and nobody says two hundred letters in one.
const LETTERS_MAX: usize = 4_096;

/// Octets of sound in one message: half a minute at 16 kHz. The provider sends
/// what one generation gives, some seconds.
pub const SOUND_MAX: usize = 1 << 20;

/// Seconds without a message after which the provider closes a socket, the most
/// that it allows. A caller may listen and talk for long without the box saying
/// anything.
const INACTIVITY_SECONDS: u32 = 180;

/// The last message of a call.
pub const CLOSE_SOCKET: &str = r#"{"close_socket":true}"#;

/// How the provider codes its sound.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SoundFormat {
    /// For a narrow line: what the line carries itself, a quarter of the bytes.
    MuLaw8000,
    /// For narrow sound that is kept, and may leave by a line of either law.
    Pcm8000,
    /// For a wide line.
    Pcm16000,
}

impl SoundFormat {
    /// For a call on a line of this rate.
    pub const fn of_line(rate: SampleRate) -> Self {
        match rate {
            SampleRate::Hz8000 => Self::MuLaw8000,
            SampleRate::Hz16000 => Self::Pcm16000,
        }
    }

    /// For sound that is kept.
    pub const fn of_rendering(rate: SampleRate) -> Self {
        match rate {
            SampleRate::Hz8000 => Self::Pcm8000,
            SampleRate::Hz16000 => Self::Pcm16000,
        }
    }

    pub const fn rate(self) -> SampleRate {
        match self {
            Self::MuLaw8000 | Self::Pcm8000 => SampleRate::Hz8000,
            Self::Pcm16000 => SampleRate::Hz16000,
        }
    }

    /// The name in the query.
    const fn name(self) -> &'static str {
        match self {
            Self::MuLaw8000 => "ulaw_8000",
            Self::Pcm8000 => "pcm_8000",
            Self::Pcm16000 => "pcm_16000",
        }
    }
}

/// Octets to samples, as they come: a sample of two octets may be cut in two.
#[derive(Clone, Debug)]
pub struct SoundDecoder {
    format: SoundFormat,
    /// The first half of a sample.
    half: Option<u8>,
}

impl SoundDecoder {
    pub const fn new(format: SoundFormat) -> Self {
        Self { format, half: None }
    }

    pub fn decode(&mut self, octets: &[u8]) -> Vec<i16> {
        match self.format {
            SoundFormat::MuLaw8000 => octets.iter().map(|code| g711::decode_mu_law(*code)).collect(),
            SoundFormat::Pcm8000 | SoundFormat::Pcm16000 => self.decode_pcm(octets),
        }
    }

    fn decode_pcm(&mut self, mut octets: &[u8]) -> Vec<i16> {
        let mut samples = Vec::with_capacity(octets.len() / 2 + 1);
        if let (Some(low), [high, rest @ ..]) = (self.half, octets) {
            samples.push(i16::from_le_bytes([low, *high]));
            (self.half, octets) = (None, rest);
        }
        let (pairs, rest) = octets.as_chunks::<2>();
        samples.extend(pairs.iter().map(|pair| i16::from_le_bytes(*pair)));
        if let [low] = rest {
            self.half = Some(*low);
        }
        samples
    }
}

/// What a request tells the provider beside the words.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Manner<'a> {
    pub model: &'a str,
    /// ISO 639-1, for models that take it.
    pub language: &'a str,
    pub format: SoundFormat,
    pub retention: Retention,
}

/// Whether the provider keeps what it is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retention {
    /// As the account has it.
    Usual,
    /// Nothing (`enable_logging=false`, which the account must be entitled to).
    None,
}

impl Retention {
    pub(super) const fn asked(by: &Safeguards) -> Self {
        if by.zero_retention { Self::None } else { Self::Usual }
    }
}

/// Models that take a language; others refuse it.
const MODELS_WITH_LANGUAGE: [&str; 2] = ["eleven_flash_v2_5", "eleven_turbo_v2_5"];

/// The target of a socket with several contexts.
pub fn socket_target(voice_id: &str, manner: &Manner<'_>) -> String {
    let mut target = format!(
        "/v1/text-to-speech/{}/multi-stream-input?model_id={}&output_format={}&auto_mode=true&sync_alignment=true&inactivity_timeout={INACTIVITY_SECONDS}",
        encoded(voice_id),
        encoded(manner.model),
        manner.format.name(),
    );
    if MODELS_WITH_LANGUAGE.contains(&manner.model) {
        target.push_str("&language_code=");
        target.push_str(&encoded(manner.language));
    }
    if manner.retention == Retention::None {
        target.push_str("&enable_logging=false");
    }
    target
}

/// The target of a request that streams the sound of one text.
pub fn stream_target(voice_id: &str, manner: &Manner<'_>) -> String {
    let mut target = format!("/v1/text-to-speech/{}/stream?output_format={}", encoded(voice_id), manner.format.name());
    if manner.retention == Retention::None {
        target.push_str("&enable_logging=false");
    }
    target
}

/// Percent-encoding of everything but the unreserved characters of RFC 3986.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// How the voice speaks. Told once for a context: told again, it closes the socket.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct VoiceSettings {
    pub stability: f32,
    pub similarity_boost: f32,
    pub speed: f32,
}

/// The provider's bounds of `speed`.
const SPEEDS: (f32, f32) = (0.7, 1.2);

/// The voice's own speed and the pace that is wanted, within the bounds.
pub fn speed(own: f32, pace: f32) -> f32 {
    // Two decimals say it all, and a float's tail would only cost bytes.
    ((own * pace).clamp(SPEEDS.0, SPEEDS.1) * 100.0).round() / 100.0
}

/// The first message of a context.
pub fn opening_message(context: &str, settings: &VoiceSettings) -> String {
    #[derive(Serialize)]
    struct Opening<'a> {
        text: &'static str,
        context_id: &'a str,
        voice_settings: &'a VoiceSettings,
    }
    json(&Opening { text: " ", context_id: context, voice_settings: settings })
}

/// Words for a context, to be spoken at once. They end with a space, which is how
/// the provider knows that the last word is whole.
pub fn words_message(context: &str, words: &str) -> String {
    #[derive(Serialize)]
    struct Words<'a> {
        text: &'a str,
        context_id: &'a str,
        flush: bool,
    }
    let text = format!("{} ", words.trim());
    json(&Words { text: &text, context_id: context, flush: true })
}

/// The body of a request that streams the sound of one text.
pub fn stream_body(text: &str, manner: &Manner<'_>, settings: &VoiceSettings) -> String {
    #[derive(Serialize)]
    struct Body<'a> {
        text: &'a str,
        model_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        language_code: Option<&'a str>,
        voice_settings: &'a VoiceSettings,
    }
    let language_code = MODELS_WITH_LANGUAGE.contains(&manner.model).then_some(manner.language);
    json(&Body { text: text.trim(), model_id: manner.model, language_code, voice_settings: settings })
}

/// Strings and finite numbers always serialise; a number that is none would be `null`.
fn json(message: &impl Serialize) -> String {
    serde_json::to_string(message).unwrap_or_default()
}

/// A context of a socket, and its fixed messages. They are part of the program and
/// carry nobody's datum, so that a context can be closed whatever the policy says
/// meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ContextName {
    pub id: &'static str,
    pub close: &'static str,
}

macro_rules! context_names {
    ($($id:literal)*) => {
        &[$(ContextName {
            id: $id,
            close: concat!(r#"{"context_id":""#, $id, r#"","close_context":true}"#),
        }),*]
    };
}

/// Names in the order of their use. The provider holds at most five contexts at a
/// time, so a name that comes round again belongs to nobody else for long.
pub const CONTEXT_NAMES: &[ContextName] = context_names!(
    "u00" "u01" "u02" "u03" "u04" "u05" "u06" "u07" "u08" "u09" "u10" "u11" "u12" "u13" "u14" "u15"
    "u16" "u17" "u18" "u19" "u20" "u21" "u22" "u23" "u24" "u25" "u26" "u27" "u28" "u29" "u30" "u31"
);

/// What the provider sent.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Message {
    /// Whose it is, if it tells.
    pub context: Option<String>,
    pub sound: Option<Sound>,
    /// The context has nothing more to say.
    pub is_final: bool,
    /// Something is wrong; the provider closes the socket after it.
    pub complaint: Option<Complaint>,
}

/// A piece of sound, with the letters that are spoken in it if they are told.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Sound {
    pub octets: Vec<u8>,
    pub letters: Vec<Letter>,
}

impl std::fmt::Debug for Sound {
    /// How much and not what: it is what a person is told.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sound").field("octets", &self.octets.len()).field("letters", &self.letters.len()).finish()
    }
}

/// When a letter of the words is spoken, from the first sample of its message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Letter {
    pub letter: char,
    pub end_ms: u32,
}

/// What the provider complains of. Its own text may quote ours and is not kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Complaint {
    /// The key or what it may do.
    Key,
    /// Paid for no more.
    Credit,
    /// Too much at once: of contexts, of requests.
    TooMuch,
    /// The socket was idle for too long.
    Idle,
    /// The voice, the model or the request.
    Request,
    Unknown,
}

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ReadMessage {
    #[error("reading a message of the voice: it is no JSON object of the documented form")]
    Json,
    #[error("reading a message of the voice: its sound is no base64")]
    Base64,
    #[error("reading a message of the voice: it has more sound than one message may")]
    TooLarge,
}

/// A message that cannot be read, with the context that it belongs to if it tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    pub context: Option<String>,
    pub error: ReadMessage,
}

#[derive(Deserialize)]
struct Raw {
    audio: Option<String>,
    #[serde(rename = "isFinal", alias = "is_final")]
    is_final: Option<bool>,
    alignment: Option<RawAlignment>,
    #[serde(rename = "contextId", alias = "context_id")]
    context: Option<String>,
    error: Option<serde_json::Value>,
    message: Option<serde_json::Value>,
}

#[derive(Deserialize, Default)]
struct RawAlignment {
    #[serde(default)]
    chars: Option<Vec<String>>,
    #[serde(default, rename = "charStartTimesMs", alias = "char_start_times_ms")]
    starts: Option<Vec<f64>>,
    #[serde(default, rename = "charDurationsMs", alias = "char_durations_ms", alias = "charsDurationsMs")]
    durations: Option<Vec<f64>>,
}

/// Reads a message of the socket.
pub fn read_message(text: &str) -> Result<Message, Unreadable> {
    let raw: Raw = serde_json::from_str(text).map_err(|_| Unreadable { context: None, error: ReadMessage::Json })?;
    let complaint = raw.error.as_ref().filter(|e| !e.is_null()).map(|e| complaint(e, raw.message.as_ref()));
    let sound = match raw.audio.filter(|audio| !audio.is_empty()).map(|audio| octets(&audio)) {
        None => None,
        Some(Ok(octets)) => Some(Sound { octets, letters: raw.alignment.map(letters).unwrap_or_default() }),
        Some(Err(error)) => return Err(Unreadable { context: raw.context, error }),
    };
    Ok(Message { context: raw.context, sound, is_final: raw.is_final == Some(true), complaint })
}

fn octets(audio: &str) -> Result<Vec<u8>, ReadMessage> {
    // Four letters of base64 are three octets.
    if audio.len() / 4 * 3 > SOUND_MAX {
        return Err(ReadMessage::TooLarge);
    }
    STANDARD.decode(audio).map_err(|_| ReadMessage::Base64)
}

/// Of lists of different lengths the shortest counts.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float casts saturate")]
fn letters(raw: RawAlignment) -> Vec<Letter> {
    let chars = raw.chars.unwrap_or_default().into_iter();
    let times = raw.starts.unwrap_or_default().into_iter().zip(raw.durations.unwrap_or_default());
    let letter = |(text, (start, duration)): (String, (f64, f64))| {
        text.chars().next().map(|letter| Letter { letter, end_ms: (start + duration) as u32 })
    };
    chars.zip(times).take(LETTERS_MAX).filter_map(letter).collect()
}

/// The codes that are documented or seen in the field, by the words in them: the
/// set is open.
fn complaint(error: &serde_json::Value, message: Option<&serde_json::Value>) -> Complaint {
    let words = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_ascii_lowercase();
    let of = |text: &str| {
        let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
        if has(&["api_key", "unauthorized", "authentication", "permission", "authorization"]) {
            Some(Complaint::Key)
        } else if has(&["quota", "payment", "credit", "subscription", "billing"]) {
            Some(Complaint::Credit)
        } else if has(&["max_active", "max_contexts", "too_many", "rate_limit", "concurren", "busy", "simultaneous"]) {
            Some(Complaint::TooMuch)
        } else if has(&["input_timeout", "inactiv", "have not received a new text"]) {
            Some(Complaint::Idle)
        } else if has(&["voice", "model", "invalid", "not_found", "validation", "unsupported"]) {
            Some(Complaint::Request)
        } else {
            None
        }
    };
    of(&words(error)).or_else(|| message.and_then(|message| of(&words(message)))).unwrap_or(Complaint::Unknown)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const SETTINGS: VoiceSettings = VoiceSettings { stability: 0.5, similarity_boost: 0.75, speed: 0.85 };

    fn manner(retention: Retention) -> Manner<'static> {
        Manner { model: "eleven_flash_v2_5", language: "en", format: SoundFormat::MuLaw8000, retention }
    }

    fn value(text: &str) -> Value {
        serde_json::from_str(text).expect("our messages are JSON")
    }

    #[test]
    fn a_socket_asks_for_the_lines_sound_at_once_and_with_its_times() {
        let target = socket_target("Voice1", &manner(Retention::None));
        let (path, query) = target.split_once('?').expect("a query");
        assert_eq!(path, "/v1/text-to-speech/Voice1/multi-stream-input");
        for part in [
            "model_id=eleven_flash_v2_5",
            "output_format=ulaw_8000",
            "auto_mode=true",
            "sync_alignment=true",
            "inactivity_timeout=180",
            "language_code=en",
            "enable_logging=false",
        ] {
            assert!(query.split('&').any(|p| p == part), "{part} in {query}");
        }
    }

    #[test]
    fn retention_is_left_to_the_account_unless_the_safeguards_say_otherwise() {
        for target in [socket_target("V", &manner(Retention::Usual)), stream_target("V", &manner(Retention::Usual))] {
            assert!(!target.contains("enable_logging"), "{target}");
        }
        assert!(stream_target("V", &manner(Retention::None)).ends_with("&enable_logging=false"));
    }

    #[test]
    fn a_voices_name_cannot_change_the_request() {
        let target = socket_target("../../v1/user?x=", &manner(Retention::Usual));
        assert!(target.starts_with("/v1/text-to-speech/..%2F..%2Fv1%2Fuser%3Fx%3D/multi-stream-input?"), "{target}");
    }

    #[test]
    fn a_context_is_opened_with_its_settings_and_words_end_with_a_space() {
        let opening = value(&opening_message("u01", &SETTINGS));
        assert_eq!(opening["text"], " ");
        assert_eq!(opening["context_id"], "u01");
        assert_eq!(opening["voice_settings"]["stability"], 0.5);
        let words = value(&words_message("u01", " We say \"hello\".\n"));
        assert_eq!(words, json!({"text": "We say \"hello\". ", "context_id": "u01", "flush": true}));
    }

    #[test]
    fn a_pace_becomes_a_speed_within_the_providers_bounds() {
        assert_eq!(speed(1.0, 0.8).to_string(), "0.8");
        assert_eq!(speed(1.1, 0.9).to_string(), "0.99");
        assert_eq!((speed(1.0, 0.5), speed(1.2, 1.5)), (0.7, 1.2));
    }

    #[test]
    fn the_fixed_messages_are_what_the_provider_documents() {
        assert_eq!(value(CLOSE_SOCKET), json!({"close_socket": true}));
        for name in CONTEXT_NAMES {
            assert_eq!(value(name.close), json!({"context_id": name.id, "close_context": true}));
        }
        let mut names: Vec<_> = CONTEXT_NAMES.iter().map(|name| name.id).collect();
        names.dedup();
        assert_eq!(names.len(), 32);
    }

    #[test]
    fn sound_comes_with_its_context_and_its_letters() {
        let text = r#"{"audio":"AAEC","contextId":"u03","isFinal":null,"normalizedAlignment":null,
            "alignment":{"chars":["H","i"," "],"charStartTimesMs":[0,70,140],"charDurationsMs":[70,70,30]},"new":{}}"#;
        let message = read_message(text).expect("a message");
        assert_eq!(message.context.as_deref(), Some("u03"));
        let sound = message.sound.expect("sound");
        assert_eq!(sound.octets, [0, 1, 2]);
        let ends: Vec<_> = sound.letters.iter().map(|l| (l.letter, l.end_ms)).collect();
        assert_eq!(ends, [('H', 70), ('i', 140), (' ', 170)]);
        assert!(!message.is_final && message.complaint.is_none());
    }

    #[test]
    fn the_end_of_a_context_may_come_alone_or_with_its_last_sound() {
        let alone = read_message(r#"{"isFinal":true,"contextId":"u00"}"#).expect("a message");
        assert!(alone.is_final && alone.sound.is_none());
        let both = read_message(r#"{"audio":"AA==","isFinal":true,"contextId":"u00"}"#).expect("a message");
        assert!(both.is_final && both.sound.is_some());
    }

    #[test]
    fn complaints_are_known_by_what_they_call_for() {
        for (text, expected) in [
            (
                r#"{"message":"Maximum simultaneous contexts per WebSocket connection exceeded (5).","error":"max_active_conversations","code":1008}"#,
                Complaint::TooMuch,
            ),
            (
                r#"{"message":"This request exceeds your quota","error":"quota_exceeded","code":1008}"#,
                Complaint::Credit,
            ),
            (r#"{"message":"no","error":"invalid_api_key","code":1008}"#, Complaint::Key),
            (
                r#"{"message":"Have not received a new text input within the timeout of 20 seconds.","error":"input_timeout_exceeded","code":1008}"#,
                Complaint::Idle,
            ),
            (
                r#"{"message":"A voice with that id does not exist","error":"voice_id_does_not_exist","code":1008}"#,
                Complaint::Request,
            ),
            (r#"{"error":{"a":1}}"#, Complaint::Unknown),
        ] {
            assert_eq!(read_message(text).expect("a message").complaint, Some(expected), "{text}");
        }
    }

    #[test]
    fn a_message_that_cannot_be_read_says_whose_it_is_if_it_can() {
        assert_eq!(read_message("{").expect_err("cut"), Unreadable { context: None, error: ReadMessage::Json });
        let wrong = read_message(r#"{"audio":"!!!!","contextId":"u07"}"#).expect_err("no base64");
        assert_eq!(wrong, Unreadable { context: Some("u07".to_owned()), error: ReadMessage::Base64 });
        let large = format!(r#"{{"audio":"{}"}}"#, "A".repeat(SOUND_MAX * 4 / 3 + 8));
        assert_eq!(read_message(&large).expect_err("too large").error, ReadMessage::TooLarge);
    }

    #[test]
    fn neither_words_nor_sound_are_shown_by_a_debug() {
        let message = read_message(
            r#"{"audio":"AAEC","alignment":{"chars":["S"],"charStartTimesMs":[0],"charDurationsMs":[9]}}"#,
        );
        let shown = format!("{message:?}");
        assert!(!shown.contains('S') || !shown.contains("'S'"), "{shown}");
    }

    proptest! {
        #[test]
        fn octets_cut_anywhere_decode_to_the_same_samples(
            octets in prop::collection::vec(any::<u8>(), 0..200), cuts in prop::collection::vec(0_usize..9, 1..10),
            format in prop::sample::select(vec![SoundFormat::MuLaw8000, SoundFormat::Pcm8000, SoundFormat::Pcm16000]),
        ) {
            let whole = SoundDecoder::new(format).decode(&octets);
            let mut decoder = SoundDecoder::new(format);
            let (mut samples, mut rest) = (Vec::new(), octets.as_slice());
            // A cut of nothing is fine, but not for ever.
            for cut in cuts.iter().copied().chain(std::iter::repeat(3)) {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                samples.extend(decoder.decode(piece));
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(samples, whole);
        }

        #[test]
        fn words_of_any_kind_reach_the_provider_unchanged(words in "\\PC{0,60}") {
            let message = value(&words_message("u00", &words));
            let expected = format!("{} ", words.trim());
            prop_assert_eq!(message["text"].as_str(), Some(expected.as_str()));
        }

        #[test]
        fn no_text_of_the_provider_panics(text in "\\PC{0,80}", tail in prop::collection::vec(any::<u8>(), 0..80)) {
            for text in [text.clone(), format!("{{\"audio\":\"{text}\"}}"), String::from_utf8_lossy(&tail).into_owned()] {
                if let Ok(Message { sound: Some(sound), .. }) = read_message(&text) {
                    prop_assert!(sound.octets.len() <= SOUND_MAX);
                }
            }
        }
    }
}
