//! The files of an owner who has contracts with all three vendors and whose box
//! is to use the stand-ins: the policy, the credentials, and the sections of the
//! configuration that name the engines.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::Provider;
use super::serve::Ports;

/// A destination of the policy: its name, its operator, who stands in for it,
/// and the safeguard that is promised.
pub const COMPANIES: [(&str, &str, Provider, &str); 3] = [
    ("deepgram", "Deepgram, Inc.", Provider::Ears, "training_opt_out = true\n"),
    ("anthropic", "Anthropic, PBC", Provider::Mind, ""),
    ("elevenlabs", "Eleven Labs Inc.", Provider::Voice, ""),
];

/// Data class, destination, verdict.
pub type Table = [(&'static str, &'static str, &'static str)];

/// What a careful owner would allow.
pub const CAREFUL: &Table = &[
    ("call-audio", "deepgram", "raw"),
    ("knowledge", "deepgram", "raw"),
    ("transcript", "anthropic", "redacted"),
    ("reply", "anthropic", "redacted"),
    ("knowledge", "anthropic", "raw"),
    ("reply", "elevenlabs", "redacted"),
    ("knowledge", "elevenlabs", "raw"),
];

/// Where an owner's files lie.
pub struct Owner<'a> {
    dir: &'a Path,
    ports: &'a Ports,
}

impl<'a> Owner<'a> {
    pub const fn new(dir: &'a Path, ports: &'a Ports) -> Self {
        Self { dir, ports }
    }

    pub fn policy_file(&self) -> PathBuf {
        self.dir.join("residency.toml")
    }

    pub fn credentials(&self) -> PathBuf {
        self.dir.join("credentials")
    }

    /// Writes the policy; whole or not at all, because a box may be looking.
    pub fn allow(&self, table: &Table) -> std::io::Result<()> {
        let mut policy = String::new();
        for (name, operator, provider, safeguard) in COMPANIES {
            let port = match provider {
                Provider::Ears => self.ports.ears,
                Provider::Mind => self.ports.mind,
                Provider::Voice => self.ports.voice,
                Provider::LanMind => self.ports.lan_mind,
            };
            policy.push_str(&format!(
                "[[destination]]\nid = \"{name}\"\noperator = \"{operator}\"\nhosts = [\"localhost:{port}\"]\n\
                 country = \"US\"\n{safeguard}\
                 contract = {{ name = \"Data Processing Addendum\", signed = 2026-01-31 }}\n\n"
            ));
        }
        for (data, to, verdict) in table {
            policy.push_str(&format!(
                "[[row]]\nid = \"{data}-to-{to}\"\ndata = \"{data}\"\nto = \"{to}\"\nground = \"contract\"\n\
                 verdict = \"{verdict}\"\n\n"
            ));
        }
        let beside = self.dir.join("residency.new");
        std::fs::write(&beside, policy)?;
        std::fs::rename(&beside, self.policy_file())
    }

    /// Writes the keys that the stand-ins take.
    pub fn write_credentials(&self) -> std::io::Result<()> {
        std::fs::create_dir_all(self.credentials())?;
        let keys = [&self.ports.ears_key, &self.ports.mind_key, &self.ports.voice_key];
        for ((name, ..), key) in COMPANIES.iter().zip(keys) {
            let mut options = std::fs::OpenOptions::new();
            let file = options.write(true).create(true).truncate(true).mode(0o600).open(self.credentials().join(name));
            file?.write_all(key.as_bytes())?;
        }
        Ok(())
    }

    /// The sections of the box's configuration.
    pub fn sections(&self) -> String {
        format!(
            "[privacy]\npolicy = {policy:?}\nextra_roots = {roots:?}\n\
             [deepgram]\n[anthropic]\n[elevenlabs]\nvoice_id = \"standinvoice0001\"\n",
            policy = self.policy_file(),
            roots = self.ports.ca,
        )
    }
}
