//! The sections that name engines outside the box. A section that is not there
//! is an engine that is not used; a default says what suits most businesses.

use serde::Deserialize;

/// Where the engines outside the box are, and what may be spent on them.
#[derive(Clone, Debug, Default)]
pub struct OutsideConfig {
    pub deepgram: Option<DeepgramSection>,
    pub anthropic: Option<AnthropicSection>,
    pub openai: Option<OpenAiSection>,
    pub elevenlabs: Option<ElevenLabsSection>,
    pub wyoming_ears: Option<WyomingEarsSection>,
    pub wyoming_voice: Option<WyomingVoiceSection>,
    pub budget: BudgetSection,
}

impl OutsideConfig {
    /// Whether any engine outside the box is named.
    pub const fn names_an_engine(&self) -> bool {
        self.deepgram.is_some()
            || self.anthropic.is_some()
            || self.openai.is_some()
            || self.elevenlabs.is_some()
            || self.wyoming_ears.is_some()
            || self.wyoming_voice.is_some()
    }
}

/// Which of Deepgram's two protocols.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeepgramApi {
    /// `/v1/listen`: words, and pauses as it finds them.
    #[default]
    V1,
    /// `/v2/listen`: it also judges whether the turn is over.
    Flux,
}

/// How the caller's sound travels; near the budget's ceiling always as Opus.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UplinkSound {
    /// µ-law on a narrow line and 16 bit at 16 kHz on a wide one.
    #[default]
    Auto,
    /// As `Auto`: sixteen bits of a narrow line would carry no more than its µ-law does.
    Linear16,
    Mulaw,
    Opus,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeepgramSection {
    /// The destination's name in the residency policy.
    #[serde(default = "deepgram")]
    pub destination: String,
    /// NAME or NAME:PORT; whichever host is the destination's first if it is left out.
    pub host: Option<String>,
    #[serde(default = "deepgram")]
    pub credential: String,
    #[serde(default)]
    pub api: DeepgramApi,
    /// `nova-3`, or `flux-general-en` for Flux, if it is left out.
    pub model: Option<String>,
    #[serde(default = "english")]
    pub language: String,
    #[serde(default)]
    pub uplink: UplinkSound,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnthropicSection {
    #[serde(default = "anthropic")]
    pub destination: String,
    pub host: Option<String>,
    #[serde(default = "anthropic")]
    pub credential: String,
    pub model: Option<String>,
    #[serde(default)]
    pub thinking: ModelThoughts,
}

/// What a model is told of thinking before it speaks: which word it takes differs from
/// model to model, and one that it does not take is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelThoughts {
    /// Nothing.
    #[default]
    Own,
    Disabled,
    BetweenTools,
}

/// Any server that speaks OpenAI's chat completions: llama.cpp, Ollama, vLLM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenAiSection {
    pub destination: String,
    pub host: Option<String>,
    /// None for a server that asks for no key.
    pub credential: Option<String>,
    pub model: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ElevenLabsSection {
    #[serde(default = "elevenlabs")]
    pub destination: String,
    pub host: Option<String>,
    #[serde(default = "elevenlabs")]
    pub credential: String,
    pub voice_id: String,
    pub model: Option<String>,
}

/// A Wyoming server of ears on the business's own network.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WyomingEarsSection {
    pub destination: String,
    pub host: Option<String>,
    /// One that the server names; its own choice if it is left out.
    pub model: Option<String>,
}

/// A Wyoming server of voices there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WyomingVoiceSection {
    pub destination: String,
    pub host: Option<String>,
    /// One that the server names; its own choice if it is left out.
    pub voice: Option<String>,
    /// Of a voice that is named and has several.
    pub speaker: Option<String>,
}

/// What may be spent on a metered line. Nothing said is nothing bounded.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetSection {
    /// Megabytes (10^6 bytes) in both directions, for all providers together.
    pub day_mb: Option<u32>,
    pub call_mb: Option<u32>,
    /// In the currency of the prices file.
    pub day_money: Option<f64>,
    /// What things cost; the prices that came with the box if it is left out.
    pub prices: Option<std::path::PathBuf>,
}

fn deepgram() -> String {
    "deepgram".to_owned()
}

fn anthropic() -> String {
    "anthropic".to_owned()
}

fn elevenlabs() -> String {
    "elevenlabs".to_owned()
}

fn english() -> String {
    "en".to_owned()
}
