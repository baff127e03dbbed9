//! What a start would read, read without opening a port: one finding a part.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use thiserror::Error;

use crate::call::{Handset, Handsets, UnknownPerson};
use crate::knowledge::{KnowledgeBase, Mistakes};
use crate::line::sound_card::CardName;
use crate::ops::SystemClock;
use crate::speech::onbox::models::Manifest;
use crate::store::Keyring;

use super::config::Config;
use super::credentials::Credentials;
use super::engines::processor_lacks;
use super::modem_profiles::{profiles_of, read_profiles};
use super::operators::{LEARNT_DIR, add_learnt, read_operators};
use super::outside;
use super::wanted_models::look_at;

/// What was found of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckFinding {
    pub part: &'static str,
    /// What is fine about it.
    pub fine: String,
    /// What is wrong and what to do.
    pub trouble: Option<String>,
}

impl CheckFinding {
    fn fine(part: &'static str, fine: String) -> Self {
        Self { part, fine, trouble: None }
    }

    fn wrong(part: &'static str, trouble: String) -> Self {
        Self { part, fine: String::new(), trouble: Some(trouble) }
    }

    /// The one sentence to show.
    pub fn sentence(&self) -> &str {
        self.trouble.as_deref().unwrap_or(&self.fine)
    }
}

/// Reads everything that a start of the box would read.
pub fn check(config: &Config, credentials: &Credentials) -> Vec<CheckFinding> {
    vec![
        check_knowledge(&config.knowledge),
        check_models(config),
        check_ears(config),
        check_phonemizer(),
        check_processor(),
        check_key(&config.key_file),
        check_data_dir(&config.data_dir),
        check_lines(config),
        check_monitor(config),
        check_handsets(config),
        check_modems(config, credentials),
        check_outside(config, credentials),
    ]
}

fn check_knowledge(path: &Path) -> CheckFinding {
    match read_knowledge(path) {
        Ok(base) => CheckFinding::fine(
            "knowledge",
            format!("{} answers for {}, from {}", base.entries.len(), base.name, path.display()),
        ),
        Err(error) => CheckFinding::wrong("knowledge", error.to_string()),
    }
}

#[derive(Debug, Error)]
pub enum ReadKnowledge {
    #[error("reading the knowledge file {path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    /// One row for each mistake, for its owner.
    #[error("{0}")]
    Mistakes(#[from] Mistakes),
}

pub(super) fn read_knowledge(path: &Path) -> Result<KnowledgeBase, ReadKnowledge> {
    let text = std::fs::read_to_string(path).map_err(|source| ReadKnowledge::File { path: path.to_owned(), source })?;
    Ok(KnowledgeBase::parse(&path.display().to_string(), &text)?)
}

fn check_models(config: &Config) -> CheckFinding {
    let manifest = match Manifest::read(&config.models_manifest) {
        Ok(manifest) => manifest,
        Err(error) => return CheckFinding::wrong("models", error.to_string()),
    };
    match look_at(&manifest, &config.models_dir, &config.speech.whisper) {
        Ok(count) => CheckFinding::fine("models", format!("all {count} are in {}", config.models_dir.display())),
        Err(lacking) => CheckFinding::wrong("models", lacking.to_string()),
    }
}

/// A model of the list is looked at with the others; here it is about an owner's file.
fn check_ears(config: &Config) -> CheckFinding {
    let ears = &config.speech.whisper;
    let file = ears.file(&config.models_dir);
    if let Some(model) = ears.model() {
        CheckFinding::fine("ears", format!("{model} of the list of models"))
    } else if file.is_file() {
        CheckFinding::fine("ears", file.display().to_string())
    } else {
        CheckFinding::wrong(
            "ears",
            format!(
                "speech.whisper names {}, which is not there; it is `tiny`, `base`, `small`, or the path of a GGML \
                 file, relative to the configuration",
                file.display()
            ),
        )
    }
}

fn check_phonemizer() -> CheckFinding {
    let ran = Command::new("espeak-ng").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    match ran {
        Ok(status) if status.success() => CheckFinding::fine("espeak-ng", "it runs".to_owned()),
        _ => CheckFinding::wrong("espeak-ng", "it does not run; `apt-get install espeak-ng` brings it".to_owned()),
    }
}

fn check_processor() -> CheckFinding {
    match processor_lacks() {
        None => CheckFinding::fine("processor", "it has the instructions that the ears need".to_owned()),
        Some(lacks) => CheckFinding::wrong("processor", format!("it {lacks}")),
    }
}

fn check_key(path: &Path) -> CheckFinding {
    if !path.exists() {
        return CheckFinding::fine("keys", format!("{} will be made at the first start", path.display()));
    }
    match Keyring::inspect(path) {
        Ok(status) => CheckFinding::fine("keys", format!("{} opens, epoch {}", path.display(), status.epoch)),
        Err(error) => CheckFinding::wrong("keys", error.to_string()),
    }
}

fn check_data_dir(dir: &Path) -> CheckFinding {
    let existing = dir.ancestors().find(|d| d.exists()).unwrap_or(dir);
    match rustix::fs::access(existing, rustix::fs::Access::WRITE_OK) {
        Ok(()) => CheckFinding::fine("data", format!("{} can be written", dir.display())),
        Err(error) => CheckFinding::wrong(
            "data",
            format!(
                "{} cannot be written ({error}); box.data_dir names the directory of the calls",
                existing.display()
            ),
        ),
    }
}

fn check_outside(config: &Config, credentials: &Credentials) -> CheckFinding {
    match outside::check_outside(config, credentials, SystemClock::new()) {
        Ok(None) => CheckFinding::fine("outside", "no policy is named, so nothing leaves the box".to_owned()),
        Ok(Some(outside::CheckedOutside { policy, kept })) => {
            let names: Vec<&str> = policy.destinations().iter().map(|d| d.id.as_str()).collect();
            let fine = format!("the policy has {} rows for {}", policy.rows().len(), names.join(", "));
            CheckFinding::fine("outside", std::iter::once(fine).chain(kept).collect::<Vec<_>>().join("; "))
        }
        Err(amiss) => {
            let all: Vec<String> = amiss.iter().map(ToString::to_string).collect();
            CheckFinding::wrong("outside", all.join("; "))
        }
    }
}

fn check_lines(config: &Config) -> CheckFinding {
    let sip = config.sip_lines.iter().map(|l| format!("{} on {}", l.id, l.bind));
    let audio = config.audio_lines.iter().map(|l| format!("{} on sound card {}", l.id, l.card));
    let gsm = config.gsm_lines.iter().map(|l| format!("{} on a modem", l.id));
    let lines: Vec<String> = sip.chain(audio).chain(gsm).collect();
    CheckFinding::fine("lines", lines.join(", "))
}

/// The speaker through which calls are listened to. Its card may be plugged in later.
fn check_monitor(config: &Config) -> CheckFinding {
    const PART: &str = "monitor speaker";
    let Some(speaker) = &config.monitor_speaker else {
        return CheckFinding::fine(PART, "there is none, so nobody listens to calls".to_owned());
    };
    let card = &speaker.card;
    if let Some(line) = config.line_with_the_speakers_card(CardName::is_same_device) {
        return CheckFinding::wrong(PART, format!("sound card {card} is the one of line {line}; give it another"));
    }
    let meanwhile = if card.may_be_there() { "" } else { ", which is not plugged in now" };
    CheckFinding::fine(PART, format!("on sound card {card}{meanwhile}"))
}

/// The telephones to which callers are put through, and whose they are. A knowledge
/// file with mistakes is told of elsewhere.
fn check_handsets(config: &Config) -> CheckFinding {
    const PART: &str = "handsets";
    if config.handsets.is_empty() {
        return CheckFinding::fine(PART, "there are none, so callers leave messages for people".to_owned());
    }
    let at = config.handsets.iter().map(|one| format!("{} at {}", one.handset.id, one.address));
    let at = at.collect::<Vec<_>>().join(", ");
    match read_knowledge(&config.knowledge) {
        Ok(base) => match handsets(config, &base) {
            Ok(_) => CheckFinding::fine(PART, at),
            Err(error) => CheckFinding::wrong(PART, error.to_string()),
        },
        Err(_) => CheckFinding::fine(PART, at),
    }
}

/// The telephones of the configuration, with the people of the knowledge file.
pub(super) fn handsets(config: &Config, base: &KnowledgeBase) -> Result<Handsets, UnknownPerson> {
    let written: Vec<Handset> = config.handsets.iter().map(|one| one.handset.clone()).collect();
    Handsets::new(&written, base)
}

/// The profiles of modems, the operators and the PINs of SIMs, of a box that has GSM lines.
fn check_modems(config: &Config, credentials: &Credentials) -> CheckFinding {
    if config.gsm_lines.is_empty() {
        return CheckFinding::fine("modems", "no line has one".to_owned());
    }
    let profiles = match read_profiles(&config.modem_profiles) {
        Ok(profiles) => profiles,
        Err(error) => return CheckFinding::wrong("modems", error.to_string()),
    };
    let mut operators = match read_operators(&config.operators) {
        Ok(operators) => operators,
        Err(error) => return CheckFinding::wrong("modems", error.to_string()),
    };
    if let Some(error) = add_learnt(&mut operators, &config.data_dir.join(LEARNT_DIR)).first() {
        return CheckFinding::wrong("modems", error.to_string());
    }
    for line in &config.gsm_lines {
        if let Err(error) = profiles_of(line, &profiles, &config.modem_profiles) {
            return CheckFinding::wrong("modems", error.to_string());
        }
        if let Some(Err(error)) = line.pin_credential.as_deref().map(|name| credentials.read(name)) {
            return CheckFinding::wrong("modems", format!("line {}: the PIN of its SIM: {error}", line.id));
        }
    }
    CheckFinding::fine(
        "modems",
        format!("{} families are known, from {}", profiles.len(), config.modem_profiles.display()),
    )
}
