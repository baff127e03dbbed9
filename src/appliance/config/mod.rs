//! The configuration file `milu.toml`: text turned into what each part needs,
//! all of it before a port is opened. Secrets are never in it.

mod audio;
mod cloud;
mod ears;
mod gsm;
mod handset;

pub use audio::{AudioLineSection, MonitorSpeakerSection};
pub use cloud::{
    AnthropicSection, BudgetSection, DeepgramApi, DeepgramSection, ElevenLabsSection, ModelThoughts, OpenAiSection,
    OutsideConfig, UplinkSound, WyomingEarsSection, WyomingVoiceSection,
};
pub use ears::EarsModel;
pub use gsm::{GsmLineSection, GsmLineSettings};
pub use handset::{HandsetConfig, HandsetSection};

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use crate::line::audio::{AudioLineConfig, MonitorConfig};
use crate::line::sound_card::CardName;
use crate::terms::{LineId, edit_distance};

/// A configuration file is a few kilobytes; a megabyte is a mistake.
const MAX_BYTES: u64 = 1 << 20;

/// The whole configuration, checked, with paths made absolute.
#[derive(Clone, Debug)]
pub struct Config {
    pub name: String,
    pub data_dir: PathBuf,
    pub models_dir: PathBuf,
    pub models_manifest: PathBuf,
    /// Where the families of modems are described, one file each.
    pub modem_profiles: PathBuf,
    /// How operators are asked for airtime, and how they answer.
    pub operators: PathBuf,
    pub key_file: PathBuf,
    pub knowledge: PathBuf,
    pub control_socket: PathBuf,
    /// How long callers may finish after the box is told to stop.
    pub grace_period_s: u32,
    pub speech: SpeechConfig,
    pub recording: RecordingConfig,
    pub privacy: PrivacyConfig,
    pub outside: OutsideConfig,
    pub sip_lines: Vec<SipLineConfig>,
    pub audio_lines: Vec<AudioLineConfig>,
    pub gsm_lines: Vec<GsmLineSettings>,
    /// None on a box on which nobody listens to calls.
    pub monitor_speaker: Option<MonitorConfig>,
    /// The business's own telephones, to which callers are put through.
    pub handsets: Vec<HandsetConfig>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpeechConfig {
    /// `tiny`, `base`, `small`, or the path of a GGML file of the owner's.
    pub whisper: EarsModel,
    /// Threads of the pool in which ears, mind and voice compute.
    pub threads: u32,
    /// How many calls are listened to at once; the next call gets the keypad.
    pub calls_heard_max: u32,
}

impl Default for SpeechConfig {
    fn default() -> Self {
        // A thread for each of two cores. Eight calls are heard there before an answer takes
        // over 2.5 s (`make bench`), with nothing else to do; half of it leaves room for a
        // box that is half as fast, and an owner may set more.
        Self { whisper: EarsModel::Base, threads: 2, calls_heard_max: 4 }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordingConfig {
    pub enabled: bool,
}

impl Default for RecordingConfig {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// What may leave the box.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrivacyConfig {
    /// The residency policy; without one nothing leaves.
    pub policy: Option<PathBuf>,
    /// A PEM file of certificate authorities to trust beside the public ones.
    pub extra_roots: Option<PathBuf>,
}

#[derive(Clone, Debug)]
pub struct SipLineConfig {
    pub id: LineId,
    pub bind: SocketAddr,
    pub advertise: Option<IpAddr>,
    pub rtp_ports: (u16, u16),
    pub calls_max: u32,
    pub rtp_timeout_ms: u32,
    /// The business's own, if the line says none.
    pub country_code: Option<String>,
}

#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("reading the configuration {path}: {source}. Give its path with --config")]
    Read { path: String, source: std::io::Error },
    #[error("reading the configuration {path}: it has more than 1 MiB, which no configuration needs")]
    TooLarge { path: String },
    #[error("reading the configuration {path}, row {row}, column {column}: {what}")]
    Syntax { path: String, row: usize, column: usize, what: String },
    #[error("reading the configuration {path}: {key}: {what}")]
    Value { path: String, key: &'static str, what: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    #[serde(rename = "box")]
    the_box: BoxText,
    #[serde(default)]
    speech: SpeechConfig,
    #[serde(default)]
    recording: RecordingConfig,
    #[serde(default)]
    privacy: PrivacyConfig,
    deepgram: Option<DeepgramSection>,
    anthropic: Option<AnthropicSection>,
    openai: Option<OpenAiSection>,
    elevenlabs: Option<ElevenLabsSection>,
    wyoming_ears: Option<WyomingEarsSection>,
    wyoming_voice: Option<WyomingVoiceSection>,
    #[serde(default)]
    budget: BudgetSection,
    #[serde(default)]
    sip_line: Vec<SipLineText>,
    #[serde(default)]
    audio_line: Vec<AudioLineSection>,
    #[serde(default)]
    gsm_line: Vec<GsmLineSection>,
    monitor_speaker: Option<MonitorSpeakerSection>,
    #[serde(default)]
    handset: Vec<HandsetSection>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BoxText {
    name: String,
    knowledge: PathBuf,
    #[serde(default = "default_data_dir")]
    data_dir: PathBuf,
    models_dir: Option<PathBuf>,
    models_manifest: Option<PathBuf>,
    modem_profiles: Option<PathBuf>,
    operators: Option<PathBuf>,
    key_file: Option<PathBuf>,
    #[serde(default = "default_control_socket")]
    control_socket: PathBuf,
    #[serde(default = "default_grace")]
    grace_period_s: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SipLineText {
    id: String,
    #[serde(default = "default_bind")]
    bind: SocketAddr,
    advertise: Option<IpAddr>,
    #[serde(default = "default_rtp_ports")]
    rtp_ports: (u16, u16),
    #[serde(default = "default_calls_max")]
    calls_max: u32,
    #[serde(default = "default_rtp_timeout")]
    rtp_timeout_ms: u32,
    country_code: Option<String>,
}

fn default_data_dir() -> PathBuf {
    "/var/lib/milu".into()
}

fn default_control_socket() -> PathBuf {
    "/run/milu/control.sock".into()
}

/// Half a minute lets a caller hear one answer to its end.
const fn default_grace() -> u32 {
    30
}

fn default_bind() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], 5060))
}

/// A thousand ports: far above what two cores can answer at once.
const fn default_rtp_ports() -> (u16, u16) {
    (40_000, 40_999)
}

/// What the telephony half of a small box carries with room to spare.
const fn default_calls_max() -> u32 {
    20
}

/// 30 s: shorter than a trunk's own clean-up, longer than any pause of a caller
/// whose telephone stops sending in silence.
const fn default_rtp_timeout() -> u32 {
    30_000
}

/// The country of a box of which neither the knowledge file nor a line says one: Nigeria.
const DEFAULT_COUNTRY: &str = "234";

impl Config {
    /// The country code of the business: its file says which (`stated`), else the first
    /// line that says one, whatever kind of line it is.
    pub fn country_code(&self, stated: Option<&str>) -> String {
        let sip = self.sip_lines.iter().filter_map(|line| line.country_code.as_deref());
        let gsm = self.gsm_lines.iter().filter_map(|line| line.country_code.as_deref());
        stated.or_else(|| sip.chain(gsm).next()).unwrap_or(DEFAULT_COUNTRY).to_owned()
    }

    /// Reads and checks the file; relative paths in it are relative to it.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let read_error = |source| ConfigError::Read { path: shown.clone(), source };
        if std::fs::metadata(path).map_err(read_error)?.len() > MAX_BYTES {
            return Err(ConfigError::TooLarge { path: shown });
        }
        let text = std::fs::read_to_string(path).map_err(read_error)?;
        let absolute = std::path::absolute(path).map_err(read_error)?;
        let base = absolute.parent().unwrap_or(Path::new("/"));
        Self::parse(&text, &shown, base)
    }

    fn parse(text: &str, path: &str, base: &Path) -> Result<Self, ConfigError> {
        let parsed: Text = toml::from_str(text).map_err(|e| syntax(text, path, &e))?;
        let Text { the_box, mut speech, recording, mut privacy, sip_line, audio_line, gsm_line, mut budget, .. } =
            parsed;
        for path in [&mut privacy.policy, &mut privacy.extra_roots, &mut budget.prices].into_iter().flatten() {
            *path = base.join(&path);
        }
        speech.whisper = speech.whisper.relative_to(base);
        let outside = OutsideConfig {
            deepgram: parsed.deepgram,
            anthropic: parsed.anthropic,
            openai: parsed.openai,
            elevenlabs: parsed.elevenlabs,
            wyoming_ears: parsed.wyoming_ears,
            wyoming_voice: parsed.wyoming_voice,
            budget,
        };
        let data_dir = base.join(&the_box.data_dir);
        let value = |key, what: String| ConfigError::Value { path: path.to_owned(), key, what };
        if speech.threads == 0 || speech.threads > 64 {
            return Err(value("speech.threads", "it is 1 to 64; 2 suits a box of two cores".into()));
        }
        let mut names = LineNames::default();
        let mut sip_lines: Vec<SipLineConfig> = Vec::with_capacity(sip_line.len());
        for line in sip_line {
            let line = checked_line(line).map_err(|(key, what)| value(key, what))?;
            names.take("sip_line.id", &line.id).map_err(|(key, what)| value(key, what))?;
            sip_lines.push(line);
        }
        let mut audio_lines: Vec<AudioLineConfig> = Vec::with_capacity(audio_line.len());
        for line in audio_line {
            let line = line.checked().map_err(|(key, what)| value(key, what))?;
            names.take("audio_line.id", &line.id).map_err(|(key, what)| value(key, what))?;
            audio_lines.push(line);
        }
        let mut gsm_lines: Vec<GsmLineSettings> = Vec::with_capacity(gsm_line.len());
        for line in gsm_line {
            let line = line.checked().map_err(|(key, what)| value(key, what))?;
            names.take("gsm_line.id", &line.id).map_err(|(key, what)| value(key, what))?;
            if let Some((other, key)) = gsm_lines.iter().find_map(|other| Some((other, line.shares_modem(other)?))) {
                return Err(value(
                    key,
                    format!("lines {} and {} name the same modem; each needs its own", other.id, line.id),
                ));
            }
            gsm_lines.push(line);
        }
        if outside.names_an_engine() && privacy.policy.is_none() {
            let what = "an engine outside the box is named, and no policy that lets anything go there; name one, \
                        such as a copy of firmware-config/residency/nigeria-ndpa-2023.toml";
            return Err(value("privacy.policy", what.into()));
        }
        if names.0.is_empty() {
            let what = "there is no telephone line; add a [[sip_line]] or a [[gsm_line]] with an id, or an \
                        [[audio_line]] with a card";
            return Err(value("sip_line", what.into()));
        }
        let speaker = parsed.monitor_speaker.map(MonitorSpeakerSection::checked).transpose();
        let monitor_speaker = speaker.map_err(|(key, what)| value(key, what))?;
        let handsets = checked_handsets(parsed.handset).map_err(|(key, what)| value(key, what))?;
        let models_manifest =
            the_box.models_manifest.map_or_else(|| PathBuf::from("/usr/share/milu/models.toml"), |p| base.join(p));
        let modem_profiles =
            the_box.modem_profiles.map_or_else(|| models_manifest.with_file_name("modems"), |p| base.join(p));
        let config = Self {
            name: the_box.name,
            models_dir: the_box.models_dir.map_or_else(|| data_dir.join("models"), |p| base.join(p)),
            operators: the_box
                .operators
                .map_or_else(|| modem_profiles.with_file_name("operators.toml"), |p| base.join(p)),
            modem_profiles,
            models_manifest,
            key_file: the_box.key_file.map_or_else(|| data_dir.join("keys/master.key"), |p| base.join(p)),
            knowledge: base.join(&the_box.knowledge),
            control_socket: base.join(&the_box.control_socket),
            grace_period_s: the_box.grace_period_s,
            data_dir,
            speech,
            recording,
            privacy,
            outside,
            sip_lines,
            audio_lines,
            gsm_lines,
            monitor_speaker,
            handsets,
        };
        // The line would be without sound whenever the speaker is the first to open it.
        if let Some(line) = config.line_with_the_speakers_card(|one, other| one == other) {
            let what = format!("line {line} has this sound card; give the speaker another");
            return Err(value("monitor_speaker.card", what));
        }
        Ok(config)
    }

    /// The line whose sound card is the monitor speaker's, by what makes two names one
    /// card.
    pub fn line_with_the_speakers_card(&self, is_same: impl Fn(&CardName, &CardName) -> bool) -> Option<&LineId> {
        let speaker = self.monitor_speaker.as_ref()?;
        let audio = self.audio_lines.iter().map(|line| (&line.id, &line.card));
        let gsm = self.gsm_lines.iter().filter_map(|line| Some((&line.id, line.card.as_ref()?)));
        audio.chain(gsm).find(|(_, card)| is_same(&speaker.card, card)).map(|(id, _)| id)
    }
}

/// The names of lines that are taken.
#[derive(Default)]
struct LineNames(Vec<LineId>);

impl LineNames {
    fn take(&mut self, key: &'static str, id: &LineId) -> Result<(), (&'static str, String)> {
        if self.0.contains(id) {
            return Err((key, format!("two lines are named {id}; each needs its own name")));
        }
        self.0.push(id.clone());
        Ok(())
    }
}

fn checked_handsets(written: Vec<HandsetSection>) -> Result<Vec<HandsetConfig>, (&'static str, String)> {
    if written.len() > handset::HANDSETS_MAX {
        let most = handset::HANDSETS_MAX;
        return Err(("handset", format!("there are more than {most}; a house that large has a switchboard to ring")));
    }
    let mut handsets: Vec<HandsetConfig> = Vec::with_capacity(written.len());
    for written in written {
        let checked = written.checked()?;
        let id = &checked.handset.id;
        if handsets.iter().any(|other| other.handset.id == *id) {
            return Err(("handset.id", format!("two handsets are named {id}; each needs its own name")));
        }
        handsets.push(checked);
    }
    Ok(handsets)
}

fn checked_line(line: SipLineText) -> Result<SipLineConfig, (&'static str, String)> {
    let id = LineId::parse(&line.id).map_err(|e| ("sip_line.id", e.to_string()))?;
    let (first, last) = line.rtp_ports;
    if first < 1024 || last <= first {
        return Err(("sip_line.rtp_ports", "it is two ports, the first 1024 or more and below the second".into()));
    }
    let is_code = |code: &String| !code.is_empty() && code.bytes().all(|b| b.is_ascii_digit());
    if !line.country_code.as_ref().is_none_or(is_code) {
        return Err(("sip_line.country_code", "it is the digits after '+', such as \"234\" for Nigeria".into()));
    }
    Ok(SipLineConfig {
        id,
        bind: line.bind,
        advertise: line.advertise,
        rtp_ports: line.rtp_ports,
        calls_max: line.calls_max,
        rtp_timeout_ms: line.rtp_timeout_ms,
        country_code: line.country_code,
    })
}

fn syntax(text: &str, path: &str, error: &toml::de::Error) -> ConfigError {
    let offset = error.span().map_or(0, |span| span.start.min(text.len()));
    let before = &text[..offset];
    let row = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |r| r.chars().count()) + 1;
    ConfigError::Syntax { path: path.to_owned(), row, column, what: with_nearest(error.message()) }
}

/// Serde lists the keys that it knows; people want the one that they meant.
fn with_nearest(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let (true, Some(unknown)) = (message.starts_with("unknown field"), quoted.next()) else {
        return message.to_owned();
    };
    let nearest = quoted.min_by_key(|known| edit_distance(unknown, known));
    match nearest {
        Some(known) => format!("there is no key `{unknown}` here; the nearest is `{known}`"),
        None => format!("there is no key `{unknown}` here"),
    }
}

#[cfg(test)]
mod tests;
